"""Pixels that do not work: dead, hot and cold ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise

import numpy as np

from cupysim.detection.random_numbers import Stage, stage_deviates
from cupysim.errors import ModelError
from cupysim.models.checks import finite

PIXELS_AT_ONCE = 1 << 20
"""Pixels that are drawn together, to limit memory."""


class Defect(IntEnum):
    """The kind of defect of a pixel."""

    DEAD = 0
    """It has no signal."""
    HOT = 1
    """It always has the number of an overload."""
    COLD = 2
    """It has a tenth of its signal."""


FRACTIONS = ("dead", "hot", "cold")
"""Names of the fractions, in the order of `Defect`."""

COLD_SIGNAL = 0.1
"""Signal of a cold pixel divided by that of a good one."""


@dataclass(frozen=True)
class Defects:
    """Fractions of pixels that do not work. The serial number selects these pixels.

    Parameters
    ----------
    dead, hot, cold : float, optional
        Fractions of pixels that have no signal, the largest number, or a tenth of their signal.
    are_masked : bool, optional
        Whether the detector knows these pixels, and writes them as pixels without a value.

    Raises
    ------
    ModelError
        If a fraction is impossible.
    """

    dead: float = 0.0
    hot: float = 0.0
    cold: float = 0.0
    are_masked: bool = True

    def __post_init__(self) -> None:
        fractions = [finite(getattr(self, name), f"defects: {name}") for name in FRACTIONS]
        if min(fractions) < 0.0 or sum(fractions) > 1.0:
            raise ModelError("defects: fractions and their sum must be from 0 to 1")

    def places(
        self, shape: tuple[int, int], first_number: int, row_step: int, serial: int
    ) -> dict[Defect, np.ndarray]:
        """Pixels that do not work.

        Parameters
        ----------
        shape : tuple of int
            Numbers of rows and columns.
        first_number, row_step : int
            Number of the first pixel, and difference of numbers between rows.
        serial : int
            Serial number of the detector.

        Returns
        -------
        dict of Defect to ndarray of int64
            Flat indices of the pixels of each kind, in rising order.
        """
        fractions = tuple(getattr(self, name) for name in FRACTIONS)
        if not any(fractions) or 0 in shape:
            return {defect: np.empty(0, dtype=np.int64) for defect in Defect}
        found = _drawn(fractions, shape, first_number, row_step, serial)
        return dict(zip(Defect, found, strict=True))


@lru_cache(maxsize=64)
def _drawn(
    fractions: tuple[float, ...],
    shape: tuple[int, int],
    first_number: int,
    row_step: int,
    serial: int,
) -> tuple[np.ndarray, ...]:
    """Flat indices of the pixels of each kind."""
    limits = np.concatenate([[0.0], np.cumsum(fractions)])
    found: list[list[np.ndarray]] = [[] for _ in fractions]
    rows_at_once = max(1, PIXELS_AT_ONCE // max(shape[1], 1))
    for row in range(0, shape[0], rows_at_once):
        rows = np.arange(row, min(row + rows_at_once, shape[0]), dtype=np.uint64)
        columns = np.arange(shape[1], dtype=np.uint64)
        numbers = np.uint64(first_number) + rows[:, None] * np.uint64(row_step) + columns
        u, _ = stage_deviates(numbers.reshape(-1), Stage.DEFECTS, 0, 0, serial)
        for kind, (low, high) in enumerate(pairwise(limits)):
            found[kind].append(np.flatnonzero((u >= low) & (u < high)) + row * shape[1])
    return tuple(np.concatenate(each) for each in found)
