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
    warns if the steps do not cover the range.

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
            Number of steps. The oscillation has this number of equal parts, with one step at the
            beginning of each.

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
        >>> Scan.from_degrees(10, 0.5, 5).angles.round(4).tolist()
        [0.1745, 0.1763, 0.178, 0.1798, 0.1815]
        """
        if count > 1 and width == 0.0:
            raise ModelError(f"scan: {count} steps need a width")
        range_ = float(width) / DEGREES_PER_RADIAN
        step = range_ / count if count > 0 else 0.0
        return cls(float(start) / DEGREES_PER_RADIAN, Sweep(range_, step, count))

    @cached_property
    def angles(self) -> np.ndarray:
        """Spindle angles at the beginnings of the steps (rad), shape (count,)."""
        steps = np.arange(self.sweep.count, dtype=np.float64)
        return frozen(self.start + self.sweep.step * steps)
