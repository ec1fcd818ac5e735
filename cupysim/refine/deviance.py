"""Statistics of counted photons: the size of misfits that noise alone causes."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from cupysim.maths.arrays import Array, array_namespace

FEWEST = 1e-12
"""Smallest number of expected photons in a pixel. It keeps the logarithm finite."""

MANY = 300.0
"""Expected photons above which the moments of a deviance are those of chi-squared, within
1e-3."""

TABLE_STEPS = 400
"""Number of tabulated moments. Between the tabulated photons, moments are interpolated."""


def deviance_residuals(counts: Array, expected: Array) -> Array:
    """Deviance residuals of counted photons: signed square roots of the deviance.

    Parameters
    ----------
    counts : array
        Counted photons n.
    expected : array
        Expected photons m, above zero.

    Returns
    -------
    array
        sign(n - m) sqrt(2 (m - n + n ln(n/m))). The sum of squares is -2 ln L except for a constant
        (McCullagh & Nelder (1989) Generalized Linear Models, 2.4).
    """
    xp = array_namespace(counts, expected)
    known = counts > 0.0
    ratio = xp.where(known, counts, 1.0) / expected
    entropy = xp.where(known, counts * xp.log(ratio), 0.0)
    squares = xp.maximum(2.0 * (expected - counts + entropy), 0.0)
    return xp.sign(counts - expected) * xp.sqrt(squares)


def deviance_moments(expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the deviance of a pixel with Poisson noise.

    Parameters
    ----------
    expected : ndarray
        Expected photons, above zero.

    Returns
    -------
    mean, variance : ndarray
        About 1 and 2 for many photons, less for few photons.
    """
    photons, means, variances = _table()
    places = np.log(np.clip(expected, photons[0], photons[-1]))
    found = [
        np.exp(np.interp(places, np.log(photons), np.log(moments)))
        for moments in (means, variances)
    ]
    return found[0], found[1]


def least_likely(counts: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Probability of the least likely of several counts, if all have Poisson noise.

    Parameters
    ----------
    counts, expected : ndarray, shape (n,)
        Counted and expected photons.

    Returns
    -------
    too_many, too_few : float
        Upper bound (Bonferroni) of the probability that noise makes the count with the largest
        excess, and the count with the largest deficit.
    """
    from scipy.special import gammainc, gammaincc

    means = np.maximum(expected, FEWEST)
    above = np.where(counts > 0.0, gammainc(np.maximum(counts, FEWEST), means), 1.0)
    below = gammaincc(counts + 1.0, means)
    return len(counts) * float(above.min()), len(counts) * float(below.min())


def like_counts(
    photons: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with the noise of counts, for photons with another noise.

    If the variance is larger than the mean, the difference is added to both photons and mean, as a
    constant background. If the variance is smaller, photons and mean are divided so that the new
    variance is equal to the new mean.

    Parameters
    ----------
    photons, mean, variance : ndarray, shape (n,)
        Measured photons, their means and variances (photons^2), above zero.

    Returns
    -------
    counts, expected : ndarray, shape (n,)
        Numbers whose variance is `expected`.
    """
    more = np.maximum(variance - mean, 0.0)
    divisor = np.where(more > 0.0, 1.0, variance / np.maximum(mean, FEWEST))
    divisor = np.maximum(divisor, FEWEST)
    return np.maximum((photons + more) / divisor, 0.0), (mean + more) / divisor


@cache
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.special import gammaln

    photons = np.geomspace(FEWEST, MANY, TABLE_STEPS)
    counts = np.arange(math.ceil(MANY + 12.0 * math.sqrt(MANY)) + 12.0)[:, None]
    chances = np.exp(counts * np.log(photons) - photons - gammaln(counts + 1.0))
    squares = deviance_residuals(np.broadcast_to(counts, chances.shape), photons) ** 2
    means = (chances * squares).sum(axis=0)
    return photons, means, (chances * squares**2).sum(axis=0) - means**2
