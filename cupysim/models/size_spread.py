"""Distribution of the sizes of mosaic domains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, whole

LARGEST_SPREAD = 1.0
"""Largest relative standard deviation of the sizes."""

MOST_SIZES = 100
"""Largest number of sizes."""

NOTICEABLE = 0.01
"""Smallest share of the domains with which a size counts for the number of sub-pixels."""


@dataclass(frozen=True)
class SizeSpread:
    """Domains of several sizes, all of one form: a log-normal distribution.

    The image is the mean of the images of the sizes, by Gauss-Hermite quadrature.

    Parameters
    ----------
    spread : float
        Standard deviation of the lengths (m) of domains, divided by the mean length, which the
        crystal's numbers of cells give.
    count : int
        Number of sizes of the quadrature. The time of an image is proportional to it.

    Raises
    ------
    ModelError
        If the spread is not above 0 and at most `LARGEST_SPREAD`, or the count is not from 2 to
        `MOST_SIZES`.
    """

    spread: float
    count: int = 8

    def __post_init__(self) -> None:
        assign(self, spread=finite(self.spread, "size spread: spread"))
        assign(self, count=whole(self.count, "size spread: count"))
        if not 0.0 < self.spread <= LARGEST_SPREAD:
            raise ModelError(
                f"size spread: the spread must be above 0 and at most {100 * LARGEST_SPREAD:g} %, "
                f"got {100 * self.spread:g} %"
            )
        if not 2 <= self.count <= MOST_SIZES:
            raise ModelError(
                f"size spread: the number of sizes must be from 2 to {MOST_SIZES}, got {self.count}"
            )

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes relative to the mean, and the share of the domains that each stands for.

        Returns
        -------
        sizes : ndarray, shape (count,)
            Lengths of domains, relative to the mean length.
        weights : ndarray, shape (count,)
            Their weights; the sum is 1.
        """
        variance = math.log1p(self.spread**2)
        places, weights = np.polynomial.hermite_e.hermegauss(self.count)
        sizes = np.exp(math.sqrt(variance) * places - 0.5 * variance)
        return sizes, weights / weights.sum()

    def growth(self) -> np.ndarray:
        """Derivatives of the logarithms of the sizes with respect to the spread, shape (count,)."""
        square = self.spread**2
        deviation = math.sqrt(math.log1p(square))
        slope = self.spread / (1.0 + square)  # of the variance, divided by 2
        places, _ = np.polynomial.hermite_e.hermegauss(self.count)
        return np.asarray(slope * (places / deviation - 1.0))

    @property
    def largest(self) -> float:
        """The largest size, relative to the mean, of a noticeable share of the domains."""
        sizes, weights = self.factors()
        return float(sizes[weights >= NOTICEABLE].max(initial=1.0))
