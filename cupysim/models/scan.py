"""The rotation of the crystal about the spindle."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, frozen
from cupysim.models.sampling import Sweep


@dataclass(frozen=True)
class Scan:
    """The rotation of the crystal about the spindle during one image.

    Only step and count of the sweep determine the image, as in the C program. The range is only
    for image headers: 3 steps of 0.2 degrees cover 0.6 degrees, independent of the range. cupysim
    warns if the steps do not cover the range. The image is the mean of stills at the centres of
    the steps, or at their beginnings if quirk Q52 is not corrected.

    Parameters
    ----------
    start : float
        First spindle angle (rad).
    sweep : Sweep
        Oscillation range (rad), step (rad) and count. The default is a still.
    """

    start: float = 0.0
    sweep: Sweep = field(default_factory=Sweep)

    def __post_init__(self) -> None:
        assign(self, start=finite(self.start, "scan: start"))

    @classmethod
    def from_degrees(cls, start: float = 0.0, width: float = 0.0, count: int = 1) -> Scan:
        """Make a scan from start and width in degrees.

        Parameters
        ----------
        start : float, optional
            Spindle angle at the beginning (degrees).
        width : float, optional
            Oscillation range (degrees). 0 for a still.
        count : int, optional
            Number of equal steps of the oscillation.

        Returns
        -------
        Scan
            Scan with these angles.

        Raises
        ------
        ModelError
            If there is no step, or there are several steps without a width.

        Examples
        --------
        >>> np.degrees(Scan.from_degrees(10, 0.5, 5).centres).round(3).tolist()
        [10.05, 10.15, 10.25, 10.35, 10.45]
        """
        if count > 1 and width == 0.0:
            raise ModelError(f"scan: {count} steps need a width")
        range_ = float(width) / DEGREES_PER_RADIAN
        step = range_ / count if count > 0 else 0.0
        return cls(float(start) / DEGREES_PER_RADIAN, Sweep(range_, step, count))

    @cached_property
    def beginnings(self) -> np.ndarray:
        """Spindle angles at the beginnings of the steps (rad), shape (count,)."""
        steps = np.arange(self.sweep.count, dtype=np.float64)
        return frozen(self.start + self.sweep.step * steps)

    @cached_property
    def centres(self) -> np.ndarray:
        """Spindle angles at the centres of the steps (rad), shape (count,)."""
        steps = np.arange(self.sweep.count, dtype=np.float64)
        return frozen(self.start + self.sweep.step * (steps + 0.5))
