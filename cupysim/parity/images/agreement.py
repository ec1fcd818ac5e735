"""How alike two images are."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Worst:
    """The pixel which differs most.

    Parameters
    ----------
    difference : float
        By how much.
    fast, slow : int
        The pixel, from 0.
    first, second : float
        The two images there.
    """

    difference: float
    fast: int
    slow: int
    first: float
    second: float


@dataclass(frozen=True)
class Agreement:
    """How alike two images, or parts of them, are.

    Parameters
    ----------
    n_pixels : int
        Pixels which were compared.
    n_equal : int
        Pixels which are equal to the last bit.
    n_beyond : int
        Pixels beyond the tolerance.
    correlation : float
        Pearson's; not a number where an image is the same everywhere.
    sums : tuple of 2 float
        Of the two images.
    rmse : float
        Root of the mean squared difference.
    absolute, relative : Worst or None
        Where the difference is largest, and the relative difference of those which are not below
        `FLOOR`; None without any.
    largest : float
        Magnitude of the largest pixel of both whole images.
    fit : tuple of 2 float
        Slope and offset of the second image as a linear function of the first.
    """

    n_pixels: int
    n_equal: int
    n_beyond: int
    correlation: float
    sums: tuple[float, float]
    rmse: float
    absolute: Worst | None
    relative: Worst | None
    largest: float
    fit: tuple[float, float]

    @property
    def sum_ratio(self) -> float:
        """Sum of the second divided by that of the first."""
        first, second = self.sums
        if first == second:
            return 1.0
        return second / first if first else math.copysign(math.inf, second)
