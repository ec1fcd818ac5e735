"""Structure factors as arrays of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from cupysim.plan.axes import Axes, Table


@dataclass(frozen=True)
class FactorTable(Table):
    """Tables of structure factors, and their interpolation.

    Parameters
    ----------
    table : ndarray, shape (n_channels, n_h + 2, n_k + 2, n_l + 2)
        Amplitudes (electrons) with a border of the value outside the table.
    first : tuple of 3 int
        Smallest h, k, l of the table without its border.
    default : float
        Amplitude outside the table (electrons).
    is_constant : bool
        Whether there is no table, so that every reflection has the default.
    interpolate : bool
        Whether to interpolate wherever the table has the necessary neighbours.
    stops : bool
        Whether the first step that leaves the table ends interpolation for all later steps
        (quirk Q23).
    """

    table: Annotated[np.ndarray, Axes("channels", "h", "k", "l")]
    first: tuple[int, int, int]
    default: float
    is_constant: bool
    interpolate: bool
    stops: bool = True

    @cached_property
    def owner(self) -> np.ndarray:
        """The array that the experiment keeps; the table is a view of it."""
        return self.table if self.table.base is None else self.table.base

    @cached_property
    def address(self) -> int:
        """Address of the table in memory."""
        return int(self.table.ctypes.data)

    @cached_property
    def largest(self) -> float:
        """The largest structure factor (electrons), or 1 if all are zero."""
        if self.is_constant:
            return abs(self.default) or 1.0
        return float(max(self.table.max(), -self.table.min())) or 1.0
