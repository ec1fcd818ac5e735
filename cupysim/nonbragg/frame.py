"""Size and place of the detector, and the header of its images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.drop_ins.sweeps import complete_oscillation
from cupysim.errors import OptionError
from cupysim.formats.smv import assembled
from cupysim.maths.arrays import cross, unit
from cupysim.maths.detector_geometry import (
    DetectorAngles,
    PanelGeometry,
    beam_ratio,
    place_panel,
)
from cupysim.nonbragg.arguments import Arguments, Vector
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk

MOST_PIXELS = 2**31 - 1
"""Largest number of pixels of an image, as in nonBragg."""

ROUNDING = 1e-9
"""Upper limit of the relative rounding error of a size divided by a pixel edge."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Size and place of the detector.

    Parameters
    ----------
    n_fast, n_slow : int
        Numbers of pixels.
    size_fast, size_slow, pixel_size : float
        Size and pixel edge (m).
    beam, polarization : ndarray, shape (3,)
        Directions of beam and polarization, unit vectors.
    panel : PanelGeometry
        The detector's plane in the laboratory.
    pivot : str
        What the detector turned about: "beam" or "sample".
    """

    n_fast: int
    n_slow: int
    size_fast: float
    size_slow: float
    pixel_size: float
    beam: np.ndarray
    polarization: np.ndarray
    panel: PanelGeometry
    pivot: str

    @property
    def n_pixels(self) -> int:
        """Number of pixels of the image."""
        return self.n_fast * self.n_slow

    def header(self, args: Arguments) -> bytes:
        """Make the header of the images.

        Parameters
        ----------
        args : Arguments
            Values of the options.

        Returns
        -------
        bytes
            The header.
        """
        panel, pixel = self.panel, self.pixel_size
        sweep, _ = complete_oscillation(args.oscillation, args.phi_step, args.phi_steps)
        start = args.phi * DEGREES_PER_RADIAN
        lines = [
            f"SIZE1={self.n_fast};",
            f"SIZE2={self.n_slow};",
            f"PIXEL_SIZE={pixel * 1000.0:g};",
            f"DISTANCE={panel.distance * 1000.0:g};",
            f"WAVELENGTH={args.wavelength * 1e10:g};",
            f"BEAM_CENTER_X={panel.beam_fast * 1000.0:g};",
            f"BEAM_CENTER_Y={(self.size_slow - panel.beam_slow) * 1000.0:g};",
            f"ORGX={panel.close_fast / pixel:g};",
            f"ORGY={panel.close_slow / pixel:g};",
            f"CLOSE_DISTANCE={panel.close_distance * 1000.0:g};",
            f"PHI={start:g};",
            f"OSC_START={start:g};",
            f"OSC_RANGE={sweep.range * DEGREES_PER_RADIAN:g};",
            f"TWOTHETA={args.twotheta * DEGREES_PER_RADIAN:g};",
            "DETECTOR_SN=000;",
            "BEAMLINE=fake;",
        ]
        return assembled(lines)


def settle(args: Arguments) -> Frame:
    """Find the size and place of the detector.

    Parameters
    ----------
    args : Arguments
        Values of the options.

    Returns
    -------
    Frame
        Size and place.

    Raises
    ------
    OptionError
        If the numbers of pixels are impossible.
    """
    pixel = args.pixel_size
    n_fast, size_fast = _count(args, args.n_fast, args.size_fast)
    n_slow, size_slow = _count(args, args.n_slow, args.size_slow)
    if n_fast < 1 or n_slow < 1 or n_fast * n_slow > MOST_PIXELS:
        names = ("n_fast", "n_slow", "size_fast", "size_slow", "pixel_size")
        word = next((args.given[name] for name in names if name in args.given), "-detsize")
        raise OptionError(word, f"{n_fast} x {n_slow} pixels are not an image")
    close = (
        _first(_pixels(args.origin_x, pixel), args.close_x, (size_fast - pixel) / 2.0),
        _first(_pixels(args.origin_y, pixel), args.close_y, (size_slow + pixel) / 2.0),
    )
    spot = _first(args.beam_x, close[0]), _first(args.beam_y, close[1])
    beam = unit_of(args.beam_vector)
    fast, slow = unit_of(args.fast_vector), unit_of(args.slow_vector)
    normal = unit(cross(fast, slow))
    angles = DetectorAngles((args.rotate_x, args.rotate_y, args.rotate_z), args.twotheta)
    ratio = beam_ratio(beam, normal, angles)
    panel = place_panel(
        (fast, slow, normal),
        beam,
        np.array(args.twotheta_axis),
        angles,
        _first(args.close_distance, ratio * args.distance),
        close if args.pivot == "sample" else None,
        spot,
    )
    polarization = unit_of(args.polar_vector)
    return Frame(n_fast, n_slow, size_fast, size_slow, pixel, beam, polarization, panel, args.pivot)


def unit_of(vector: Vector) -> np.ndarray:
    """The unit vector in a direction."""
    return np.asarray(unit(np.array(vector)), dtype=np.float64)


def _first(*values: float | None) -> float:
    """The first value that is given."""
    return next(value for value in values if value is not None)


def _pixels(number: float | None, pixel: float) -> float | None:
    return None if number is None else number * pixel


def _count(args: Arguments, given: int, size: float) -> tuple[int, float]:
    """Number of pixels and size (m) along an axis. A given number replaces the size."""
    pixel = args.pixel_size
    size = pixel * given if given else size
    pixels = size / pixel
    if not 0.0 < pixels < MOST_PIXELS:
        return 0, size
    nearest = round(pixels)
    count = math.ceil(pixels)
    if count == nearest + 1 and pixels - nearest < ROUNDING * pixels:
        if args.corrects(NonbraggQuirk.ONE_PIXEL_MORE):
            return nearest, size
        effect = f"{nearest} pixels of {1e3 * pixel:g} mm are rendered as {count}"
        QUIRKS.warn(NonbraggQuirk.ONE_PIXEL_MORE, effect)
    return count, size
