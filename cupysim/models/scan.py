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
    """Spindle angles during one image.

    Parameters
    ----------
    start : float
        First angle (rad).
    sweep : Sweep
        Oscillation range (rad), step (rad) and count; the default is a still. As in the C program,
        step and count alone are rendered, and the range is what headers tell: 3 steps of 0.2
        degrees cover 0.6 degrees, whatever the range. A warning tells where they do not cover it.
    """

    start: float = 0.0
    sweep: Sweep = field(default_factory=Sweep)

    def __post_init__(self) -> None:
        assign(self, start=finite(self.start, "scan: start"))

    @classmethod
    def from_degrees(cls, start: float = 0.0, width: float = 0.0, count: int = 1) -> Scan:
        """A rotation in degrees, as papers give it.

        Parameters
        ----------
        start : float, optional
            Spindle angle at the beginning (degrees).
        width : float, optional
            Oscillation (degrees); 0 for a still.
        count : int, optional
            Steps, at the beginnings of as many equal parts of the oscillation.

        Raises
        ------
        ModelError
            If there is no step, or several without a width.

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
        """Spindle angles (rad), left edges of the steps, shape (count,)."""
        steps = np.arange(self.sweep.count, dtype=np.float64)
        return frozen(self.start + self.sweep.step * steps)
