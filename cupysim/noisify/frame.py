"""Size and place of the detector, for the headers: from -header, other options and the input."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cupysim.drop_ins.report_lines import detector_line
from cupysim.errors import OptionError
from cupysim.formats.smv import assembled
from cupysim.noisify.arguments import Arguments
from cupysim.noisify.quirks import QUIRKS, NoisifyQuirk

if TYPE_CHECKING:
    from cupysim.drop_ins.smv_header import Header
    from cupysim.formats.geometry import ImageGeometry

MOST_PIXELS = 2**31 - 1
"""Largest number of pixels of an image, as in noisify."""

GUESS_WARNING = "WARNING: guessing xy pixel dimensions."

HEADER_LENGTHS = ("PIXEL_SIZE", "DISTANCE", "BEAM_CENTER_X", "BEAM_CENTER_Y")
"""Keys of lengths (mm) in a header."""

TYPES = {16: "unsigned_short", 32: "long_integer"}
"""Names of the integers in headers, by their bits."""


@dataclass(frozen=True)
class Frame:
    """Size and place of the detector.

    Parameters
    ----------
    n_fast, n_slow : int
        Numbers of pixels.
    size_fast, size_slow, pixel_size, distance : float
        Size, pixel edge and distance (m).
    beam_x, beam_y : float
        Beam centre (m).
    wavelength_angstrom, phi_degrees, oscillation_degrees : float
        Wavelength, spindle angle and oscillation width, for headers.
    is_guessed : bool
        Whether the numbers of pixels are guessed from the number of pixels in the input.
    """

    n_fast: int
    n_slow: int
    size_fast: float
    size_slow: float
    pixel_size: float
    distance: float
    beam_x: float
    beam_y: float
    wavelength_angstrom: float
    phi_degrees: float
    oscillation_degrees: float
    is_guessed: bool

    @property
    def n_pixels(self) -> int:
        """Number of pixels of the image."""
        return self.n_fast * self.n_slow

    def header(self, bits: int) -> bytes:
        """Make the header of an image.

        Parameters
        ----------
        bits : int
            Bits of the integers.

        Returns
        -------
        bytes
            Header.
        """
        lines = [
            f"SIZE1={self.n_fast};",
            f"SIZE2={self.n_slow};",
            f"PIXEL_SIZE={self.pixel_size * 1000.0:g};",
            f"DISTANCE={self.distance * 1000.0:g};",
            f"WAVELENGTH={self.wavelength_angstrom:g};",
            f"BEAM_CENTER_X={self.beam_x * 1000.0:g};",
            f"BEAM_CENTER_Y={(self.size_slow - self.beam_y) * 1000:g};",
            f"PHI={self.phi_degrees:g};",
            f"OSC_START={self.phi_degrees:g};",
            f"OSC_RANGE={self.oscillation_degrees:g};",
            "DETECTOR_SN=000;",
            "BEAMLINE=fake;",
        ]
        return assembled(lines, TYPES[bits])

    def lines(self) -> Iterator[str]:
        """Lines of the report."""
        size, counts = (self.size_fast, self.size_slow), (self.n_fast, self.n_slow)
        yield detector_line(self.distance, size, self.pixel_size, counts)
        yield f"  Xbeam={self.beam_x:g} Ybeam={self.beam_y:g}"


def settle(args: Arguments, header: Header | None, n_pixels: int) -> Frame:
    """Find the size and place of the detector.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    header : Header, optional
        Header that is copied. It wins over options.
    n_pixels : int
        Number of pixels in the input.

    Returns
    -------
    Frame
        Size and place.

    Raises
    ------
    OptionError
        If the numbers of pixels are impossible.
    """
    n_fast, n_slow = args.n_fast, args.n_slow
    pixel, distance, beam_x, beam_y = args.pixel_size, args.distance, args.beam_x, args.beam_y
    size_fast, size_slow = args.size_fast, args.size_slow
    if header is not None:
        n_fast, n_slow = header.n_fast, header.n_slow
        n_pixels = n_fast * n_slow
        millimetres = {key: header.number(key) for key in HEADER_LENGTHS}
        found = {key: mm / 1000.0 for key, mm in millimetres.items() if mm is not None}
        pixel = found.get("PIXEL_SIZE", pixel)
        distance = found.get("DISTANCE", distance)
        beam_x = found.get("BEAM_CENTER_X", beam_x)
        if "BEAM_CENTER_Y" in found:
            beam_y = pixel * n_slow - found["BEAM_CENTER_Y"]
    is_guessed = not n_fast and not n_slow
    if is_guessed:
        n_fast, n_slow = _guessed(n_pixels)
    elif not n_slow:
        n_slow = n_pixels // n_fast
    elif not n_fast:
        n_fast = n_pixels // n_slow
    n_fast, size_fast = _completed(n_fast, size_fast, pixel)
    n_slow, size_slow = _completed(n_slow, size_slow, pixel)
    if n_fast < 1 or n_slow < 1 or n_fast * n_slow > MOST_PIXELS:
        word = args.given.get("n_fast", args.given.get("n_slow", "-detpixels"))
        raise OptionError(word, f"{n_fast} x {n_slow} pixels are not an image")
    return Frame(
        n_fast, n_slow, size_fast, size_slow, pixel, distance,
        size_fast / 2.0 if beam_x is None else beam_x,
        size_slow / 2.0 if beam_y is None else beam_y,
        args.wavelength_angstrom, args.phi_degrees, args.oscillation_degrees, is_guessed,
    )  # fmt: skip


def with_geometry(
    args: Arguments, shape: tuple[int, int], geometry: ImageGeometry | None
) -> Arguments:
    """Fill options that are not given from the geometry in an input file.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    shape : tuple of 2 int
        Numbers of slow and fast pixels.
    geometry : ImageGeometry, optional
        Geometry in the file.

    Returns
    -------
    Arguments
        Values with those of the file.
    """
    found = {"n_slow": shape[0], "n_fast": shape[1]}
    changes: dict[str, float | int] = dict(found)
    if geometry is not None:
        changes["pixel_size"] = geometry.pixel_size
        centre = geometry.beam_centre
        if centre is not None:
            pixel = args.pixel_size if "pixel_size" in args.given else geometry.pixel_size
            changes["beam_x"], changes["beam_y"] = centre[0] * pixel, centre[1] * pixel
            changes["distance"] = centre[2]
        if geometry.wavelength is not None:
            changes["wavelength_angstrom"] = geometry.wavelength * 1e10
        for name, angle in (
            ("phi_degrees", geometry.phi),
            ("oscillation_degrees", geometry.oscillation),
        ):
            if angle is not None:
                changes[name] = math.degrees(angle)
    changes = {name: value for name, value in changes.items() if name not in args.given}
    return replace(args, **changes)  # type: ignore[arg-type]


def warn_of_sizes(args: Arguments, frame: Frame) -> None:
    """Warn if a size does not give the number of pixels (NQ10)."""
    words = [args.given[name] for name in ("size_fast", "size_slow") if name in args.given]
    wanted = [
        math.ceil(size / frame.pixel_size - 0.5) if frame.pixel_size > 0.0 else 0
        for size in (args.size_fast, args.size_slow)
    ]
    if words and wanted != [frame.n_fast, frame.n_slow]:
        QUIRKS.warn(
            NoisifyQuirk.SIZE_WITHOUT_EFFECT,
            f"{words[0]} does not give the number of pixels, which is {frame.n_fast} x "
            f"{frame.n_slow}; give -detpixels",
        )


def _guessed(n_pixels: int) -> tuple[int, int]:
    """The largest width that is not above the height and divides the number of pixels."""
    n_fast = math.isqrt(n_pixels)
    while n_pixels % n_fast:
        n_fast -= 1
    return n_fast, n_pixels // n_fast


def _completed(count: int, size: float, pixel: float) -> tuple[int, float]:
    """Number of pixels and size (m) along an axis. A given number replaces the size."""
    if count:
        return count, pixel * count
    if pixel <= 0.0:
        raise OptionError("-pixel", f"must be positive, got {1000.0 * pixel:g}")
    return math.ceil(size / pixel - 0.5), size
