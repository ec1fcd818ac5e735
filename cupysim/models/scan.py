"""The rotation of the crystal about the spindle."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

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

    @cached_property
    def angles(self) -> np.ndarray:
        """Spindle angles (rad), left edges of the steps, shape (count,)."""
        steps = np.arange(self.sweep.count, dtype=np.float64)
        return frozen(self.start + self.sweep.step * steps)
