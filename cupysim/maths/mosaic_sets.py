"""Deterministic sets of rotations: mosaic domains that represent a distribution.

Rotations are vectors: the axis times the angle (rad). Each set has a rotation and its opposite, so
its mean is the identity. Sets of low discrepancy follow an additive recurrence with the powers of
the generalised golden ratio, the root of x^4 = x + 1 (Roberts, 2018); sums over them converge
faster than over random numbers. `spiral` and `shuffled_quantiles` are those of simtbx.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

SHUFFLE_SEED = 8675309
"""Seed of Python's generator, with which simtbx shuffles the angles of its domains."""

GOLDEN = 1.2207440846057596
"""Generalised golden ratio of three dimensions."""

TABLE_SIZE = 2001
"""Number of points of the tabulated distribution of angles. Cubic interpolation between the points
has an error of 1e-11."""

NEWTON_STEPS = 12
"""Number of steps of Newton's method. The last steps only change rounding."""

ENOUGH_TRIPLES = 5
"""Largest number of triples of deviates whose correlations are left as they are."""

SMALLEST = 1e-300
"""Smallest divisor: at an angle of zero, a derivative is 0/0 and becomes zero."""

REACH = 8.0
"""Largest angle of a normal distribution that is tabulated, in standard deviations."""


def spiral(count: int) -> np.ndarray:
    """Axes on a spiral over the half sphere, as in simtbx.

    Parameters
    ----------
    count : int
        Number of axes.

    Returns
    -------
    ndarray, shape (count, 3)
        Unit vectors with evenly spaced z.
    """
    t = (np.arange(1, count + 1) - 0.5) / count
    theta, phi = np.arccos(t), np.sqrt(np.pi * count) * np.arcsin(t)
    sine = np.sin(theta)
    return np.stack([sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)], axis=-1)


def shuffled_quantiles(count: int) -> np.ndarray:
    """Quantiles 0, 1/count, ... in the order of simtbx.

    Parameters
    ----------
    count : int
        Number of quantiles.

    Returns
    -------
    ndarray, shape (count,)
        Lower ends of equal parts of a distribution, shuffled by Python's generator. Angles at the
        lower ends are a little too small: the mean square of 10 such angles is 0.71 times the mean
        square of the distribution.
    """
    quantiles = [number / count for number in range(count)]
    random.Random(SHUFFLE_SEED).shuffle(quantiles)
    return np.array(quantiles)


def half_normal(quantiles: np.ndarray) -> np.ndarray:
    """Absolute angles, in standard deviations, of an angle with a normal distribution.

    Parameters
    ----------
    quantiles : ndarray
        Shares of domains with a smaller absolute angle, from 0 to below 1.
    """
    from scipy.special import erfinv

    return np.asarray(np.sqrt(2.0) * erfinv(quantiles))


def opposite_pairs(vectors: np.ndarray) -> np.ndarray:
    """Each rotation, followed by the opposite one.

    Parameters
    ----------
    vectors : ndarray, shape (n, 3)
        Rotation vectors.

    Returns
    -------
    ndarray, shape (2 n, 3)
        Rotation vectors.
    """
    return np.stack([vectors, -vectors], axis=1).reshape(-1, 3)


def low_discrepancy(count: int) -> np.ndarray:
    """Points that fill the unit cube evenly.

    Parameters
    ----------
    count : int
        Number of points.

    Returns
    -------
    ndarray, shape (count, 3)
        Coordinates from 0 to below 1.
    """
    steps = GOLDEN ** -np.arange(1.0, 4.0)
    return np.asarray((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0)


def normal_triples(count: int) -> np.ndarray:
    """Triples of normal deviates that fill their space evenly.

    They are independent of `low_discrepancy`: the recurrence has the square roots of 2, 3 and 5.

    Parameters
    ----------
    count : int
        Number of triples.

    Returns
    -------
    ndarray, shape (count, 3)
        Deviates of mean zero and standard deviation one. Those of all triples together have exactly
        this mean and standard deviation, and those of more than `ENOUGH_TRIPLES` no correlation.
    """
    from scipy.special import ndtri

    steps = np.sqrt([2.0, 3.0, 5.0])
    found = ndtri((0.5 + np.arange(count)[:, None] * steps) % 1.0)
    found -= found.mean(axis=0)
    if count <= ENOUGH_TRIPLES:
        return np.asarray(found / np.maximum(found.std(axis=0), SMALLEST))
    # multiplied by the inverse root of their covariance, they are not correlated
    values, vectors = np.linalg.eigh(found.T @ found / count)
    return np.asarray(found @ (vectors / np.sqrt(values)) @ vectors.T)


def directions(points: np.ndarray) -> np.ndarray:
    """Unit vectors that are uniform over the sphere, from points of the unit square.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Coordinates from 0 to below 1.

    Returns
    -------
    ndarray, shape (n, 3)
        Unit vectors.
    """
    z, phi = 2.0 * points[:, 0] - 1.0, 2.0 * np.pi * points[:, 1]
    around = np.sqrt(1.0 - z * z)
    return np.stack([around * np.cos(phi), around * np.sin(phi), z], axis=-1)


def normal_vectors(points: np.ndarray) -> np.ndarray:
    """Vectors of three normal components of standard deviation one, from points of the unit cube.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Coordinates from 0 to below 1.

    Returns
    -------
    ndarray, shape (n, 3)
        Vectors. Their lengths have a chi distribution with three degrees of freedom.
    """
    from scipy.special import gammaincinv

    lengths = np.sqrt(2.0 * gammaincinv(1.5, points[:, 2]))
    return np.asarray(directions(points[:, :2]) * lengths[:, None])


def cap_angles(quantiles: np.ndarray, largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Angles of uniformly distributed rotations by at most a largest angle.

    Parameters
    ----------
    quantiles : ndarray, shape (n,)
        Shares of rotations with a smaller angle, from 0 to below 1.
    largest : float
        Largest angle (rad), at most pi.

    Returns
    -------
    angles, slopes : ndarray, shape (n,)
        Angles (rad), and their derivatives with respect to the largest angle. The density of the
        angle a is proportional to 1 - cos a.
    """
    whole = float(_less_sine(np.array(largest)))

    def share(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _less_sine(angles) / whole, (1.0 - np.cos(angles)) / whole

    # shares of small angles are a^3/(6 whole)
    start = np.minimum(np.cbrt(6.0 * whole * quantiles), largest)
    found = _inverse(share, quantiles, start, largest)
    # the derivative of (a - sin a)/(s - sin s) = u
    rise = np.sin(0.5 * largest) ** 2
    return found, quantiles * rise / np.maximum(np.sin(0.5 * found) ** 2, SMALLEST)


def _less_sine(angles: np.ndarray) -> np.ndarray:
    """The difference a - sin a. Near zero it cancels, and its series is used: a^3/6 - a^5/120."""
    return np.where(angles < 0.02, angles**3 / 6.0 - angles**5 / 120.0, angles - np.sin(angles))


def fisher_angles(quantiles: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Angles of rotations whose unit quaternions have a von Mises-Fisher distribution.

    Parameters
    ----------
    quantiles : ndarray, shape (n,)
        Shares of rotations with a smaller angle, from 0 to below 1.
    spread : float
        Standard deviation about each axis for small angles (rad). The concentration is 4/spread^2.

    Returns
    -------
    angles, slopes : ndarray, shape (n,)
        Angles (rad), and their derivatives with respect to the spread. The density of the angle a
        is proportional to exp(4/spread^2 cos(a/2)) sin^2(a/2) (Mardia & Jupp, Directional
        Statistics, 2000, 13.2).
    """
    from scipy.interpolate import CubicSpline

    last = min(np.pi, REACH * spread)
    angles = np.linspace(0.0, last, TABLE_SIZE)
    quarter = np.sin(angles / 4.0) ** 2
    density = CubicSpline(angles, np.exp(-8.0 / spread**2 * quarter) * np.sin(angles / 2.0) ** 2)
    growth = CubicSpline(angles, density(angles) * 16.0 / spread**3 * quarter).antiderivative()
    shares = density.antiderivative()
    total = float(shares(last))

    def share(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return shares(at) / total, density(at) / total

    start = np.interp(quantiles, shares(angles) / total, angles)
    found = _inverse(share, quantiles, start, last)
    fall = quantiles * growth(last) - growth(found)
    return found, fall / np.maximum(density(found), SMALLEST)


def _inverse(
    share: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    quantiles: np.ndarray,
    start: np.ndarray,
    last: float,
) -> np.ndarray:
    """Angles at which `share` has the values `quantiles`, by Newton's method.

    `share` returns its value and its derivative. The angles are at most `last`.
    """
    found = start
    for _ in range(NEWTON_STEPS):
        value, slope = share(found)
        found = np.clip(found - (value - quantiles) / np.maximum(slope, SMALLEST), 0.0, last)
    return found


def spreads_along(axes: np.ndarray, tensor: np.ndarray) -> np.ndarray:
    """Spread of rotations about each axis, 1/sqrt(|v.T v|), as in simtbx.

    Parameters
    ----------
    axes : ndarray, shape (n, 3)
        Unit vectors v.
    tensor : ndarray, shape (3, 3)
        T (1/rad^2): an ellipsoid whose radius is the spread.

    Returns
    -------
    ndarray, shape (n,)
        Spreads (rad). For a tensor that is not symmetric, v.T v may be negative.
    """
    return np.asarray(1.0 / np.sqrt(np.abs(np.einsum("ni,ij,nj->n", axes, tensor, axes))))


def rotation_slopes(vectors: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Derivatives of rotation matrices from those of rotation vectors.

    Parameters
    ----------
    vectors : ndarray, shape (n, 3)
        Rotation vectors r (rad).
    slopes : ndarray, shape (n, 3)
        Their derivatives dr.

    Returns
    -------
    ndarray, shape (n, 3, 3)
        [J dr]x R with the left Jacobian J = 1 + (1 - cos a)/a^2 [r]x + (a - sin a)/a^3 [r]x^2
        (Chirikjian, Stochastic Models, Information Theory, and Lie Groups 2, 2012, 10.7).
    """
    from scipy.spatial.transform import Rotation

    matrices = Rotation.from_rotvec(vectors).as_matrix()
    angles = np.linalg.norm(vectors, axis=1)
    small = angles < 1e-3
    a = np.where(small, 1.0, angles)
    first = np.where(small, 0.5 - angles**2 / 24.0, (1.0 - np.cos(a)) / a**2)
    second = np.where(small, 1.0 / 6.0 - angles**2 / 120.0, (a - np.sin(a)) / a**3)
    once = np.cross(vectors, slopes)
    turned = slopes + first[:, None] * once + second[:, None] * np.cross(vectors, once)
    cross = np.zeros((len(vectors), 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[:, j, i], cross[:, i, j] = turned[:, k], -turned[:, k]
    return np.asarray(cross @ matrices)
