"""Whole spots: position and integral of a lattice transform on the Ewald sphere.

Near a reflection, the sphere is nearly a plane with the unit normal n, at the distance zeta from
the reflection. The integral of |F_latt|^2 over this plane is a Fourier transform along n. It is the
transform of the overlap of the crystal with itself after a shift along n (Patterson's theorem,
Guinier (1963) X-ray Diffraction, 3.2). For the shapes here, this overlap is a polynomial.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from cupysim.maths.lattice_factor import GAUSS_WIDTH, SPHERE_IN_CUBE, TOPHAT_EDGE

NODES = 14
"""Number of nodes of the quadrature, which is used for long waves."""

SHORT_WAVE = 4.0
"""Phase (rad) over the whole range above which the closed form loses no digits."""


@cache
def quadrature(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss-Legendre quadrature between 0 and 1.

    Parameters
    ----------
    count : int
        Number of nodes.

    Returns
    -------
    nodes, weights : ndarray, shape (count,)
        Nodes, and weights whose sum is 1.
    """
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0


def cosine_transform(
    e1: np.ndarray, e2: np.ndarray, e3: np.ndarray, phase: np.ndarray
) -> np.ndarray:
    """Integral of (1 - e1 t + e2 t^2 - e3 t^3) cos(phase t) dt from 0 to 1.

    The polynomial must be zero at t = 1.

    Parameters
    ----------
    e1, e2, e3 : ndarray, shape (n,)
        Coefficients of the polynomials.
    phase : ndarray, shape (n,)
        Phases at t = 1 (rad).

    Returns
    -------
    ndarray, shape (n,)
        Integrals, by quadrature for long waves, and by repeated partial integration for short
        waves.
    """
    result = 1.0 - e1 / 2.0 + e2 / 3.0 - e3 / 4.0  # for a phase of zero
    long = (phase != 0.0) & (np.abs(phase) < SHORT_WAVE)
    short = ~(np.abs(phase) < SHORT_WAVE)
    if long.any():
        result[long] = _by_quadrature(e1[long], e2[long], e3[long], phase[long])
    if short.any():
        result[short] = _by_parts(e1[short], e2[short], e3[short], phase[short])
    return result


def _by_quadrature(e1: np.ndarray, e2: np.ndarray, e3: np.ndarray, phase: np.ndarray) -> np.ndarray:
    t, weights = quadrature(NODES)
    powers = np.stack([t, t**2, t**3])
    polynomial = 1.0 + np.stack([-e1, e2, -e3], axis=1) @ powers
    return (polynomial * np.cos(phase[:, None] * t)) @ weights


def _by_parts(e1: np.ndarray, e2: np.ndarray, e3: np.ndarray, x: np.ndarray) -> np.ndarray:
    slope_0, slope_1 = -e1, -e1 + 2.0 * e2 - 3.0 * e3
    curvature_1, third = 2.0 * e2 - 6.0 * e3, -6.0 * e3
    cosine, inverse = np.cos(x), 1.0 / x
    bends = curvature_1 * np.sin(x) + third * (cosine - 1.0) * inverse
    return (slope_1 * cosine - slope_0 - bends * inverse) * inverse * inverse


def nearest_offset(projections: np.ndarray, zeta: np.ndarray, n_cells: np.ndarray) -> np.ndarray:
    """Offset from a reflection to the highest point of its lattice transform on the sphere.

    Parameters
    ----------
    projections : ndarray, shape (n, 3)
        Scalar products n.a*, n.b*, n.c* (1/m).
    zeta : ndarray, shape (n,)
        Distance of the reflection from the sphere (1/m), positive outside.
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.

    Returns
    -------
    ndarray, shape (n, 3)
        Offsets dh, dk, dl that minimise the sum of (N dh)^2 on the plane.
    """
    weighted = projections / n_cells**2
    total = (projections * weighted).sum(axis=1)
    return -(zeta / total)[:, None] * weighted


def square_section(
    projections: np.ndarray, zeta: np.ndarray, n_cells: np.ndarray, cell_volume: float
) -> np.ndarray:
    """Integral of |F_latt|^2 over the plane, for a parallelepiped.

    Parameters
    ----------
    projections, zeta, n_cells
        As for `nearest_offset`.
    cell_volume : float
        Volume of the unit cell (m^3).

    Returns
    -------
    ndarray, shape (n,)
        (Na Nb Nc/V) 2 int_0^T prod (1 - |n.a_i*| t/N_i) cos(2 pi zeta t) dt (1/m^2). T is
        the smallest t at which a factor becomes zero. The integral includes lobes that are more
        than half-way to the next reflection.
    """
    slopes = np.abs(projections) / n_cells
    a, b, c = slopes.T
    end = 1.0 / np.maximum(np.maximum(a, b), c)
    a, b, c = a * end, b * end, c * end
    integral = (
        2.0
        * end
        * cosine_transform(a + b + c, a * b + b * c + c * a, a * b * c, 2.0 * np.pi * zeta * end)
    )
    return np.prod(n_cells) / cell_volume * np.maximum(integral, 0.0)


def square_section_bound(
    n_cells: np.ndarray, cells: np.ndarray, fudge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Upper bound of `square_section` for all directions of the plane.

    Parameters
    ----------
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.
    cells : ndarray, shape (m, 3, 3)
        Rows a, b, c of each orientation (m).
    fudge : float
        Not used for this shape.

    Returns
    -------
    scale, least : ndarray, shape (m,)
        The bound at the distance d (1/m) is scale/max(d^2, least), in 1/m^2.

    Notes
    -----
    The overlap g(t) of the crystal with itself is a product of factors 1 - s_i t, with s_i =
    |n.a_i*|/N_i. It is convex and falls to zero at T = min(1/s_i). So g is at most 1 - t/T, and the
    section at most (Na Nb Nc/V) T. The vector T n = sum (T n.a_i*) a_i has coefficients of at most
    N_i, so T is at most the longest diagonal of the crystal. A second bound follows from partial
    integration: -g' is positive and falls, so the integral of -g' sin(2 pi zeta t) is at most
    -g'(0)/(pi zeta), and the section at most (Na Nb Nc/V) sum(s_i)/(pi zeta)^2. It holds for all
    directions with |n.a_i*| replaced by |a_i*|.
    """
    del fudge
    edges = n_cells[:, None] * cells
    signs = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]])
    diagonal = np.linalg.norm(signs @ edges, axis=-1).max(axis=-1)
    steepest = np.linalg.norm(np.linalg.inv(edges), axis=-2).sum(axis=-1)
    height = np.prod(n_cells) / np.abs(np.linalg.det(cells))
    # the smaller of the bounds height x diagonal, and height x far/distance^2
    far = steepest / np.pi**2
    return height * far, far / diagonal


def round_section(
    projections: np.ndarray,
    zeta: np.ndarray,
    n_cells: np.ndarray,
    cell_volume: float,
    fudge: float,
) -> np.ndarray:
    """Integral of |F_latt|^2 over the plane, for an ellipsoid.

    Parameters
    ----------
    projections, zeta, n_cells, cell_volume
        As for `square_section`.
    fudge : float
        Factor of the squared distance from a reflection.

    Returns
    -------
    ndarray, shape (n,)
        Integrals (1/m^2), from the overlap 1 - 3t/2 + t^3/2 of two balls.
    """
    widths = n_cells * np.sqrt(fudge)
    length = np.sqrt(((projections / widths) ** 2).sum(axis=1))
    one = np.ones_like(length)
    transform = cosine_transform(1.5 * one, 0.0 * one, -0.5 * one, 2.0 * np.pi * zeta / length)
    integral = 12.0 / np.pi * transform
    height = (np.prod(n_cells) * SPHERE_IN_CUBE) ** 2
    return height * np.maximum(integral, 0.0) / (length * cell_volume * np.prod(widths))


def round_section_bound(
    n_cells: np.ndarray, cells: np.ndarray, fudge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Upper bound of `round_section` for all directions of the plane.

    Parameters
    ----------
    n_cells, cells
        As for `square_section_bound`.
    fudge : float
        Factor of the squared distance from a reflection.

    Returns
    -------
    scale, least : ndarray, shape (m,)
        As from `square_section_bound`.

    Notes
    -----
    The section is 12 C/(pi L) times constants, with w_i = N_i sqrt(fudge), L^2 = sum
    (n.a_i*/w_i)^2, and the cosine transform C of g = 1 - 3t/2 + t^3/2 at the phase 2 pi zeta/L;
    zeta is the distance (1/m). C is at most C(0) = 3/8, and at most -2 g'(0)/phase^2 = 3/phase^2,
    as for `square_section_bound`. The unit normal n is sum (n.a_i*/w_i) w_i a_i, so L lies between
    the inverses of the largest and of the smallest singular value of the matrix of w_i a_i.
    """
    widths = n_cells * np.sqrt(fudge)
    singular = np.linalg.svd(widths[:, None] * cells, compute_uv=False)
    near = 0.375 * singular[:, 0]
    far = 3.0 / (singular[:, -1] * (2.0 * np.pi) ** 2)
    height = 12.0 / np.pi * (np.prod(n_cells) * SPHERE_IN_CUBE) ** 2 / np.prod(widths)
    return height / np.abs(np.linalg.det(cells)) * far, far / near


def gauss_section(distance: np.ndarray, height: float, fudge: float) -> np.ndarray:
    """Integral of |F_latt|^2 over a plane, for Gaussian spots in scaled coordinates.

    In these coordinates, a spot is a ball.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        Distance of the plane from the reflection, in the coordinates of
        `lattice_factor.reciprocal_distance_squared`.
    height : float
        F_latt of a reflection, H.
    fudge : float
        Factor of the squared distance from a reflection.

    Returns
    -------
    ndarray, shape (n,)
        Integrals of H^2 exp(-2 d^2 fudge/0.63).
    """
    kappa = fudge / GAUSS_WIDTH
    return height**2 * np.pi / (2.0 * kappa) * np.exp(-2.0 * kappa * distance**2)


def tophat_section(distance: np.ndarray, height: float, fudge: float) -> np.ndarray:
    """Integral of |F_latt|^2 over a plane, for top-hat spots in scaled coordinates.

    The plane cuts a disc out of a ball.

    Parameters
    ----------
    distance, height, fudge
        As for `gauss_section`.

    Returns
    -------
    ndarray, shape (n,)
        Integrals of H^2 over the disc where d^2 fudge < 0.3969.
    """
    radius_squared = TOPHAT_EDGE / fudge
    return height**2 * np.pi * np.maximum(radius_squared - distance**2, 0.0)
