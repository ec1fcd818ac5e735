"""How many steps of each kind, and how many sub-pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, number, whole

SAMPLING_FACTOR = 3.0
"""Sub-pixels for each interference fringe that falls into a pixel."""

LARGEST_OVERSAMPLE = 10_000
"""More sub-pixels along an edge than this are never chosen automatically."""

LARGEST_COUNT = 1_000_000
"""Longer tables of angles, wavelengths or domains are refused: nobody can mean them."""


@dataclass(frozen=True)
class Sweep:
    """Equally spaced steps.

    Parameters
    ----------
    range : float
        Full range, in the unit of the quantity.
    step : float
        Distance of neighbours; needed where there are several.
    count : int
        Number of steps.

    Raises
    ------
    ModelError
        If there are no steps, or more than a table can hold.
    """

    range: float = 0.0
    step: float = math.nan
    count: int = 1

    def __post_init__(self) -> None:
        count = whole(self.count, "sampling: count")
        range_, step = finite(self.range, "sampling: range"), number(self.step, "sampling: step")
        if math.isnan(step) and count > 1:
            raise ModelError(f"sampling: {count} steps need their distance, step")
        assign(self, range=range_, step=0.0 if math.isnan(step) else step, count=count)
        if not 1 <= self.count <= LARGEST_COUNT:
            raise ModelError(
                f"sampling: {self.count} steps of {self.step:g}; from 1 to {LARGEST_COUNT} "
                "are possible"
            )


def recommended_oversample(
    crystal_size: float, wavelength: float, distance: float, pixel_size: float
) -> int:
    """Sub-pixels along an edge which resolve the interference fringes.

    Parameters
    ----------
    crystal_size : float
        Largest edge of the crystal (m).
    wavelength, distance, pixel_size : float
        Of the experiment (m).

    Returns
    -------
    int
        ceil(3 size / (wavelength distance / pixel)), at least 1.

    Raises
    ------
    ModelError
        If it is beyond any use.
    """
    fringe = wavelength * distance / pixel_size
    # a detector edge-on to the beam has no distance along it; the C program then takes 1
    wanted = SAMPLING_FACTOR * crystal_size / fringe if fringe != 0.0 else 0.0
    if not wanted < LARGEST_OVERSAMPLE:
        raise ModelError(
            f"oversampling: a crystal of {crystal_size:g} m would need {wanted:g} sub-pixels "
            "along a pixel; give -oversample, or a smaller crystal"
        )
    return max(math.ceil(wanted), 1)
