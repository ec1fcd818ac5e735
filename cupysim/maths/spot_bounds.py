"""Upper bounds of F_latt^2 from lower bounds of the offsets from the nearest reflection.

`docs/tolerance.md` has the proofs. The kernel has the same bounds in `cuda_src/spot_bounds.cuh`.
"""

from __future__ import annotations

import numpy as np

from cupysim.maths.lattice_factor import GAUSS_WIDTH, SPHERE_IN_CUBE, TOPHAT_EDGE

SLACK = 1.0 + 1e-9
"""Rounding of the bounds: every bound is multiplied by it."""


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


def round_crystal(offsets: np.ndarray, n_cells: np.ndarray, fudge: float) -> np.ndarray:
    """Bound for an ellipsoid.

    With S(x) = 3 (sin x - x cos x)/x^3, a mean of cosines, and sin x - x cos x = sqrt(1 + x^2)
    sin(x - atan x): S^2 <= min(1, 9 (1 + x^2)/x^6).

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

    With Q the matrix of the products g_i.g_j, and s the smallest eigenvalue of Q with a diagonal
    of ones, the distance is at least s sum of |g_i|^2 x_i^2. With Q^-1 the products of the
    reciprocal vectors, it is also at least x_i^2/(Q^-1)_ii for each axis.

    Parameters
    ----------
    axes : ndarray, shape (..., 3, 3)
        Rows g_h, g_k, g_l.

    Returns
    -------
    tuple of 2 ndarray, shape (..., 3)
        The factors of x_i^2 in the sum, and alone.
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


def gauss(distance: np.ndarray, volume: float) -> np.ndarray:
    """Bound for Gaussian spots, V^2 exp(-2 distance/0.63).

    Parameters
    ----------
    distance : ndarray
        Lower bound of the squared distance, with fudge.
    volume : float
        Product of the numbers of cells.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2.
    """
    return np.asarray(volume**2 * np.exp(-2.0 * distance / GAUSS_WIDTH) * SLACK)


def tophat(distance: np.ndarray, volume: float) -> np.ndarray:
    """Bound for top-hat spots: zero beyond their edge.

    Parameters
    ----------
    distance : ndarray
        Lower bound of the squared distance, with fudge.
    volume : float
        Product of the numbers of cells.

    Returns
    -------
    ndarray
        Upper bound of F_latt^2.
    """
    return np.where(distance < TOPHAT_EDGE * SLACK, volume**2, 0.0)
