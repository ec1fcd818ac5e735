"""An image whose header gives the geometry, and whose pixels are averaged."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.drop_ins.smv_header import Header, read_header
from cupysim.drop_ins.units import ANGSTROM, DEGREE, MM, PIXEL, Unit
from cupysim.drop_ins.words import warn
from cupysim.errors import FileFormatError
from cupysim.nonbragg.arguments import Arguments
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk
from cupysim.storage.reading import opened

KEYS: tuple[tuple[str, str, Unit], ...] = (
    ("PIXEL_SIZE", "pixel_size", MM),
    ("DISTANCE", "distance", MM),
    ("CLOSE_DISTANCE", "close_distance", MM),
    ("WAVELENGTH", "wavelength", ANGSTROM),
    ("BEAM_CENTER_X", "beam_x", MM),
    ("BEAM_CENTER_Y", "beam_y", MM),
    ("ORGX", "origin_x", PIXEL),
    ("ORGY", "origin_y", PIXEL),
    ("PHI", "phi", DEGREE),
    ("OSC_RANGE", "oscillation", DEGREE),
)
"""Keys of a header, the values that they set, and their units."""

PIXEL_BYTES = 2
"""nonBragg takes all pixels for integers of 16 bits."""


@dataclass(frozen=True, eq=False)
class ImageInput:
    """An image with its header.

    Parameters
    ----------
    header : Header
        Header.
    pixels : ndarray of uint16, shape (n,)
        Pixels in their order in the file.
    """

    header: Header
    pixels: np.ndarray

    def image(self, n_slow: int, n_fast: int) -> np.ndarray:
        """The pixels as an image of the detector's size.

        Parameters
        ----------
        n_slow, n_fast : int
            Numbers of pixels of the detector.

        Returns
        -------
        ndarray of uint16, shape (n_slow, n_fast)
            The first pixels. If the detector has another width, rows are shifted, as in nonBragg.

        Raises
        ------
        FileFormatError
            If the image has too few pixels.
        """
        header, needed = self.header, n_slow * n_fast
        if self.pixels.size < needed:
            raise FileFormatError(
                header.path,
                f"its image has {header.n_fast} x {header.n_slow} pixels, but the detector has "
                f"{n_fast} x {n_slow}",
            )
        if n_fast != header.n_fast:
            warn(
                f"{header.path}: its rows have {header.n_fast} pixels, those of the detector "
                f"{n_fast}, so that the image is read shifted"
            )
        return self.pixels[:needed].reshape(n_slow, n_fast)


def read_image(path: str) -> ImageInput:
    """Read an image.

    Parameters
    ----------
    path : str
        SMV file.

    Returns
    -------
    ImageInput
        Header and pixels. The byte order in the header does not count, as in nonBragg.

    Raises
    ------
    CupysimError
        If it is not an SMV file of 2-byte pixels, or is cut off.
    """
    header = read_header(path, "-img")
    if header.pixel_bytes not in (0, PIXEL_BYTES):
        raise FileFormatError(path, f"pixels of {header.pixel_bytes} bytes; 2 are expected")
    if "big" in header.word("BYTE_ORDER"):
        warn(f"{path}: its pixels are read as little_endian, as in nonBragg")
    needed = header.n_fast * header.n_slow
    with opened(path) as stream:
        stream.seek(len(header.content), os.SEEK_SET)
        data = stream.read(PIXEL_BYTES * needed)
    if len(data) < PIXEL_BYTES * needed:
        raise FileFormatError(
            path,
            f"{len(data)} bytes of pixels, but {header.n_fast} x {header.n_slow} pixels need "
            f"{PIXEL_BYTES * needed}",
        )
    return ImageInput(header, np.frombuffer(data, dtype="<u2"))


def with_header(args: Arguments, header: Header) -> Arguments:
    """Take from a header the values of options that are not given.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    header : Header
        Header of an image.

    Returns
    -------
    Arguments
        Values with those of the header. Its TWOTHETA is not used.
    """
    found: dict[str, Any] = {"n_fast": header.n_fast, "n_slow": header.n_slow}
    for key, name, unit in KEYS:
        number = header.number(key)
        if number is not None:
            found[name] = unit.to_si(number)
    if "beam_y" in found:
        pixel = found.get("pixel_size", args.pixel_size)
        found["beam_y"] = pixel * header.n_slow - found["beam_y"]
    loses = "distance" in args.given and "close_distance" not in args.given
    if loses and "close_distance" in found:
        QUIRKS.warn(
            NonbraggQuirk.HEADER_DISTANCE_WINS,
            f"{args.given['distance']} has no effect, because {header.path} has a close distance; "
            "give -close_distance",
        )
    return replace(args, **{name: v for name, v in found.items() if name not in args.given})
