"""Measures of the agreement of two images."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Worst:
    """The pixel that differs most.

    Parameters
    ----------
    difference : float
        Its difference, absolute (in the unit of the pixels) or relative.
    fast, slow : int
        Its coordinates (pixels, counted from 0).
    first, second : float
        Its values in the two images.
    panel : str
        Name of its panel; empty for images of one panel.
    """

    difference: float
    fast: int
    slow: int
    first: float
    second: float
    panel: str = ""


@dataclass(frozen=True)
class Agreement:
    """The agreement of two images, or of parts of them.

    Parameters
    ----------
    n_pixels : int
        Number of compared pixels.
    n_equal : int
        Number of pixels that are equal to the last bit.
    n_beyond : int
        Number of pixels that differ by more than the tolerance.
    correlation : float
        Pearson's correlation coefficient; not a number if an image is constant.
    sums : tuple of 2 float
        Sums of the pixels of the two images.
    rmse : float
        Square root of the mean squared difference.
    absolute, relative : Worst or None
        Pixel with the largest difference, and with the largest relative difference. The latter
        ignores differences below `FLOOR` times `largest`. None if no pixel differs.
    largest : float
        Largest magnitude of a pixel in the two whole images.
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
        """Sum of the second image divided by the sum of the first one."""
        first, second = self.sums
        if first == second:
            return 1.0
        return second / first if first else math.copysign(math.inf, second)
