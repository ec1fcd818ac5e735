"""Sampling: equally spaced steps, and the number of sub-pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, number, whole

SAMPLING_FACTOR = 3.0
"""Sub-pixels for each interference fringe that falls into a pixel."""

LARGEST_OVERSAMPLE = 10_000
"""Limit of the number of sub-pixels along an edge that is chosen automatically."""

LARGEST_COUNT = 1_000_000
"""Largest number of angles, wavelengths or domains. Larger numbers are certainly mistakes."""


@dataclass(frozen=True)
class Sweep:
    """A range of a quantity with equally spaced steps: its range, step and count.

    Parameters
    ----------
    range : float
        Full range, in the unit of the quantity.
    step : float
        Distance between neighbouring steps, in the same unit. Needed if there are several steps.
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
            raise ModelError(f"sampling: {count} steps need a distance between them (step)")
        assign(self, range=range_, step=0.0 if math.isnan(step) else step, count=count)
        if not 1 <= self.count <= LARGEST_COUNT:
            raise ModelError(
                f"sampling: {self.count} steps of {self.step:g}; from 1 to {LARGEST_COUNT} "
                "are possible"
            )

    @classmethod
    def across(cls, full_range: float, count: int) -> Sweep:
        """Return steps across a range, with the first and the last at its ends.

        Parameters
        ----------
        full_range : float
            Range from the first to the last step, in the unit of the quantity.
        count : int
            Number of steps.

        Raises
        ------
        ModelError
            If there are no steps, or more than a table can hold.

        Examples
        --------
        A beam of 5 % bandwidth:

        >>> from cupysim import Beam, Sweep
        >>> Beam(wavelength=1e-10, dispersion=Sweep.across(0.05, 11)).dispersion.step
        0.005
        """
        return cls(full_range, full_range / (count - 1) if count > 1 else math.nan, count)


def recommended_oversample(
    crystal_size: float, wavelength: float, distance: float, pixel_size: float
) -> int:
    """Number of sub-pixels along a pixel edge that resolves the interference fringes.

    Parameters
    ----------
    crystal_size : float
        Largest edge of the crystal (m).
    wavelength : float
        Wavelength (m).
    distance : float
        Distance along the beam (m).
    pixel_size : float
        Pixel edge (m).

    Returns
    -------
    int
        ceil(3 size / (wavelength distance / pixel)), at least 1.

    Raises
    ------
    ModelError
        If the number reaches `LARGEST_OVERSAMPLE`.
    """
    fringe = wavelength * distance / pixel_size
    # a detector edge-on to the beam has no distance along it; the C program then uses 1
    wanted = SAMPLING_FACTOR * crystal_size / fringe if fringe != 0.0 else 0.0
    if not wanted < LARGEST_OVERSAMPLE:
        raise ModelError(
            f"oversampling: a crystal of {crystal_size:g} m would need {wanted:g} sub-pixels "
            "along a pixel; give -oversample, or a smaller crystal"
        )
    return max(math.ceil(wanted), 1)
