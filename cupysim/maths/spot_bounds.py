"""Upper bounds of F_latt^2 from lower bounds of the offsets from the nearest reflection.

`docs/tolerance.md` has the proofs. The kernel has the same bounds in `cuda_src/spot_bounds.cuh`.
"""

from __future__ import annotations

import numpy as np

from cupysim.maths.lattice_factor import GAUSS_WIDTH, SPHERE_IN_CUBE, TOPHAT_EDGE

SLACK = 1.0 + 1e-9
"""Allowance for the rounding of the bounds: every bound is multiplied by it."""


def square(offsets: np.ndarray, n_cells: np.ndarray) -> np.ndarray:
    """Bound for a parallelepiped.

    |sin(pi N x)/sin(pi x)| is at most N, a sum of N numbers of length one, and at most
    1/sin(pi x) <= 1/(3x - 4x^3) for 0 <= x <= 1/2.

    Parameters
    ----------
    offsets : ndarray, shape (3, ...)
        Lower bounds of the offsets of h, k, l, from 0 to 1/2.
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2.
    """
    bound = np.ones(offsets.shape[1:])
    for x, n in zip(offsets, n_cells, strict=True):
        sine = x * (3.0 - 4.0 * x * x)
        bound *= n * n / np.maximum((n * sine) ** 2, 1.0)
    return bound * SLACK


def flat(offsets: np.ndarray, n_cells: np.ndarray) -> np.ndarray:
    """Bound for flat spots: zero beyond their edges.

    Parameters
    ----------
    offsets : ndarray, shape (3, ...)
        Lower bounds of the offsets of h, k, l, from 0 to 1/2.
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2. It is positive where `no_fringes` is positive.
    """
    height = np.prod(np.asarray(n_cells, dtype=np.float64)) ** 2
    farthest = np.max([n * x for x, n in zip(offsets, n_cells, strict=True)], axis=0)
    return np.where(farthest <= SLACK, height, 0.0)


def round_crystal(offsets: np.ndarray, n_cells: np.ndarray, fudge: float) -> np.ndarray:
    """Bound for an ellipsoid.

    S(x) = 3 (sin x - x cos x)/x^3 is a mean of cosines, so S^2 <= 1. Because sin x - x cos x =
    sqrt(1 + x^2) sin(x - atan x), S^2 <= 9 (1 + x^2)/x^6 as well.

    Parameters
    ----------
    offsets : ndarray, shape (3, ...)
        Lower bounds of the offsets of h, k, l, from 0 to 1/2.
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.
    fudge : float
        Factor of the squared distance from a reflection.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2.
    """
    radius = sum((n * x) ** 2 for x, n in zip(offsets, n_cells, strict=True))
    z = np.maximum(np.pi**2 * fudge * radius, 1.0)
    height = (np.prod(np.asarray(n_cells, dtype=np.float64)) * SPHERE_IN_CUBE) ** 2
    return np.asarray(height * np.minimum(9.0 * (1.0 + z) / z**3, 1.0) * SLACK)


def distance_factors(axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factors of lower bounds of a squared distance |x g_h + y g_k + z g_l|^2.

    Q is the matrix of the products g_i.g_j. After scaling to a diagonal of ones, its smallest
    eigenvalue is s. The squared distance is at least s times the sum of |g_i|^2 x_i^2. It is also
    at least x_i^2/(Q^-1)_ii for each axis.

    Parameters
    ----------
    axes : ndarray, shape (..., 3, 3)
        Rows g_h, g_k, g_l.

    Returns
    -------
    tuple of 2 ndarray, shape (..., 3)
        The factors of x_i^2 in the bound by the sum, and in the bound by a single axis.
    """
    products = axes @ np.swapaxes(axes, -1, -2)
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    lengths = np.sqrt(squares)
    correlation = products / (lengths[..., :, None] * lengths[..., None, :])
    smallest = np.maximum(np.linalg.eigvalsh(correlation)[..., 0] - 1e-12, 0.0)
    inverse = np.linalg.inv(correlation)
    alone = squares / np.diagonal(inverse, axis1=-2, axis2=-1)
    return smallest[..., None] * squares / SLACK, np.maximum(alone, 0.0) / SLACK


def least_distance(
    offsets: np.ndarray, factors: tuple[np.ndarray, np.ndarray], fudge: float
) -> np.ndarray:
    """The lower bound of the squared distance, times `fudge`.

    Parameters
    ----------
    offsets : ndarray, shape (3, ...)
        Lower bounds of the offsets of h, k, l.
    factors : tuple of 2 ndarray, shape (3,)
        Result of `distance_factors`.
    fudge : float
        Factor of the squared distance from a reflection.
    """
    together, alone = factors
    total = sum(factor * x * x for x, factor in zip(offsets, together, strict=True))
    for x, factor in zip(offsets, alone, strict=True):
        total = np.maximum(total, factor * x * x)
    return np.asarray(total * fudge)


def gauss(distance: np.ndarray, height: float) -> np.ndarray:
    """Bound for Gaussian spots, H^2 exp(-2 distance/0.63).

    Parameters
    ----------
    distance : ndarray
        Lower bound of the squared distance, with fudge.
    height : float
        F_latt of a reflection, H.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2.
    """
    return np.asarray(height**2 * np.exp(-2.0 * distance / GAUSS_WIDTH) * SLACK)


def tophat(distance: np.ndarray, height: float) -> np.ndarray:
    """Bound for top-hat spots: zero beyond their edge.

    Parameters
    ----------
    distance : ndarray
        Lower bound of the squared distance, with fudge.
    height : float
        F_latt of a reflection, H.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2.
    """
    return np.where(distance < TOPHAT_EDGE * SLACK, height**2, 0.0)


def square_slopes(offsets: np.ndarray, n_cells: np.ndarray, with_sizes: bool) -> np.ndarray:
    """Bound of derivatives for a parallelepiped.

    A factor g = (sin(pi N x)/(N sin(pi x)))^2 has |dg/dx|/N <= 3 pi min(1, 1/q) with
    q = (N sin(pi x))^2. |d(N^2 g)/dN|/N is at most pi/sqrt(q) if q > 1, otherwise 3 pi.

    Parameters
    ----------
    offsets : ndarray, shape (3, ...)
        Lower bounds of the offsets of h, k, l, from 0 to 1/2.
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.
    with_sizes : bool
        Whether the bound must also hold for derivatives with respect to sizes.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2, of |dF_latt^2/dh|/Na and the same for k and l, and with
        `with_sizes` of Na |dF_latt^2/dNa| and the same for Nb and Nc.
    """
    bound = 3.0 * np.pi * square(offsets, n_cells)
    if with_sizes:
        sines = np.stack(
            [n * x * (3.0 - 4.0 * x * x) for x, n in zip(offsets, n_cells, strict=True)]
        )
        bound = bound * np.maximum(sines.max(axis=0) / 3.0, 1.0)
    return bound * SLACK


def round_slopes(
    offsets: np.ndarray, n_cells: np.ndarray, fudge: float, with_sizes: bool
) -> np.ndarray:
    """Bound of derivatives for an ellipsoid; see `square_slopes`.

    |S'(x)| <= min(3/8, 3 sqrt(x^4 + 3 x^2 + 9)/x^4), because S is a mean of cosines cos(t x) with
    a mean |t| of 3/8.
    """
    radius = sum((n * x) ** 2 for x, n in zip(offsets, n_cells, strict=True))
    z = np.maximum(np.pi**2 * fudge * radius, 1.0)
    height = (np.prod(np.asarray(n_cells, dtype=np.float64)) * SPHERE_IN_CUBE) ** 2
    root = np.sqrt(z * z + 3.0 * z + 9.0)
    square = np.minimum(9.0 * (1.0 + z) / z**3, 1.0)
    steep = np.minimum(3.0 * root / z**2, 0.375)
    bound = np.maximum(square, 2.0 * np.pi * np.sqrt(fudge * square) * steep)
    if with_sizes:
        # the bound of x |S S'| decreases with x
        far = np.where(z < 9.0, 9.0 / 8.0, 9.0 * np.sqrt(1.0 + z) * root / z**3)
        bound = np.maximum(bound, 2.0 * (square + far))
    return np.asarray(height * bound * SLACK)


def gauss_slopes(distance: np.ndarray, height: float, fudge: float, with_sizes: bool) -> np.ndarray:
    """Bound of derivatives for Gaussian spots H^2 exp(-2 y); see `square_slopes`.

    With the vectors g that the offsets multiply, |dF_latt^2/dh|/|g_h| <= 4 sqrt(fudge y/0.63) H^2
    exp(-2 y), which decreases from y = 1/4 on. 4 y H^2 exp(-2 y) decreases from y = 1/2 on. It
    bounds derivatives with respect to the elements of `lattice_factor.METRIC`, relative to those
    elements, and 2 H^2 exp(-2 y) is the derivative with respect to log H.

    Parameters
    ----------
    distance : ndarray
        Lower bound of the squared distance, with fudge: 0.63 y.
    height : float
        F_latt of a reflection, H.
    fudge : float
        Factor of the squared distance from a reflection.
    with_sizes : bool
        Whether the bound must also hold for derivatives with respect to sizes.
    """
    y = np.asarray(distance) / GAUSS_WIDTH
    z, w = np.maximum(y, 0.25), np.maximum(y, 0.5)
    bound = np.maximum(np.exp(-2.0 * y), 4.0 * np.sqrt(fudge * z / GAUSS_WIDTH) * np.exp(-2.0 * z))
    if with_sizes:
        bound = np.maximum(bound, np.maximum(2.0 * np.exp(-2.0 * y), 4.0 * w * np.exp(-2.0 * w)))
    return np.asarray(height**2 * bound * SLACK)
