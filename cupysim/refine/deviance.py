"""What counts of photons do by chance: how large misfits are which noise alone makes."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from cupysim.maths.arrays import Array, array_namespace

FEWEST = 1e-12
"""Photons expected in a pixel, at least, that its logarithm is finite."""

MANY = 300.0
"""Photons from which on a deviance is distributed as chi-squared, within 1e-3."""

TABLE_STEPS = 400
"""Numbers of photons for which moments are summed up; between them they are interpolated."""


def deviance_residuals(counts: Array, expected: Array) -> Array:
    """Signed roots of the deviance of counts.

    Parameters
    ----------
    counts : array
        Photons counted.
    expected : array
        Photons expected, above zero.

    Returns
    -------
    array
        sign(n - m) sqrt(2 (m - n + n ln(n/m))), whose squares add up to -2 ln L but for a constant
        (McCullagh & Nelder (1989) Generalized Linear Models, 2.4).
    """
    xp = array_namespace(counts, expected)
    known = counts > 0.0
    ratio = xp.where(known, counts, 1.0) / expected
    entropy = xp.where(known, counts * xp.log(ratio), 0.0)
    squares = xp.maximum(2.0 * (expected - counts + entropy), 0.0)
    return xp.sign(counts - expected) * xp.sqrt(squares)


def deviance_moments(expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the deviance of a pixel whose counts are Poisson's.

    Parameters
    ----------
    expected : ndarray
        Photons expected, above zero.

    Returns
    -------
    mean, variance : ndarray
        About 1 and 2 where photons are many; less, where they are few.
    """
    photons, means, variances = _table()
    places = np.log(np.clip(expected, photons[0], photons[-1]))
    found = [
        np.exp(np.interp(places, np.log(photons), np.log(moments)))
        for moments in (means, variances)
    ]
    return found[0], found[1]


def least_likely(counts: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """How likely the strangest of several counts is, were all of them Poisson's.

    Parameters
    ----------
    counts, expected : ndarray, shape (n,)
        Photons counted and expected.

    Returns
    -------
    too_many, too_few : float
        Probability that the one which is too large by most, or too small, is one by chance
        (Bonferroni's bound).
    """
    from scipy.special import gammainc, gammaincc

    means = np.maximum(expected, FEWEST)
    above = np.where(counts > 0.0, gammainc(np.maximum(counts, FEWEST), means), 1.0)
    below = gammaincc(counts + 1.0, means)
    return len(counts) * float(above.min()), len(counts) * float(below.min())


@cache
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.special import gammaln

    photons = np.geomspace(FEWEST, MANY, TABLE_STEPS)
    counts = np.arange(math.ceil(MANY + 12.0 * math.sqrt(MANY)) + 12.0)[:, None]
    chances = np.exp(counts * np.log(photons) - photons - gammaln(counts + 1.0))
    squares = deviance_residuals(np.broadcast_to(counts, chances.shape), photons) ** 2
    means = (chances * squares).sum(axis=0)
    return photons, means, (chances * squares**2).sum(axis=0) - means**2
