"""Integrals of spots that end at the first minimum of a parallelepiped's transform.

|F_latt|^2 is a product of functions g(x) of the offset along each axis, zero for N |x| > 1. Its
integral over a plane of normal n at the distance zeta from the reflection is the density of
sum p_i x_i at zeta, where p_i = n.a_i*, divided by the volume of the unit cell.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cupysim.maths.spot_profiles import quadrature

SMALLEST_WIDTH = 1e-3
"""Smallest width of a box relative to the widest. It changes the density by 1e-6, except near
kinks; much narrower boxes would lose digits."""

LONGEST_PHASE = 4.0
"""Frequency, in waves over the half width of g, at which the transform of g is cut. There it is
1e-4 of its maximum."""

WAVE_NODES, PEAK_NODES = 96, 48
"""Numbers of nodes of the quadratures over frequency and over offset."""

TABLE_SIZE = 4096
"""Number of entries of the table of the transform of g. Linear interpolation between the entries
has an error of 1e-6."""


def flat_section(
    projections: np.ndarray,
    zeta: np.ndarray,
    n_cells: np.ndarray,
    cell_volume: float,
    fudge: float,
) -> np.ndarray:
    """Integral of |F_latt|^2 over the plane, for flat spots.

    Parameters
    ----------
    projections : ndarray, shape (n, 3)
        Scalar products n.a*, n.b*, n.c* (1/m).
    zeta : ndarray, shape (n,)
        Distance of the reflection from the plane (1/m).
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.
    cell_volume : float
        Volume of the unit cell (m^3).
    fudge : float
        Not used for these shapes.

    Returns
    -------
    ndarray, shape (n,)
        Integrals (1/m^2): the density of the sum of three uniform variables, a quadratic spline.
    """
    del fudge
    half = _half_widths(n_cells)
    widths = np.abs(projections) * half
    widths = np.maximum(widths, SMALLEST_WIDTH * widths.max(axis=1, keepdims=True))
    density = np.zeros(len(zeta))
    for signs in np.ndindex(2, 2, 2):
        sign = 1.0 - 2.0 * np.array(signs)
        density += np.prod(sign) * np.maximum(zeta + widths @ sign, 0.0) ** 2
    density /= 2.0 * np.prod(2.0 * widths, axis=1)
    # beyond its end, the sum has rounding errors
    density[np.abs(zeta) >= widths.sum(axis=1)] = 0.0
    volume = np.prod(np.asarray(n_cells, dtype=np.float64) ** 2 * 2.0 * half)
    return np.asarray(volume / cell_volume * np.maximum(density, 0.0))


def no_fringes_section(
    projections: np.ndarray,
    zeta: np.ndarray,
    n_cells: np.ndarray,
    cell_volume: float,
    fudge: float,
) -> np.ndarray:
    """Integral of |F_latt|^2 over the plane, for parallelepipeds without fringes.

    Parameters
    ----------
    projections, zeta, n_cells, cell_volume, fudge
        As for `flat_section`.

    Returns
    -------
    ndarray, shape (n,)
        Integrals (1/m^2): 2/V int_0^T prod G_i(p_i t) cos(2 pi zeta t) dt with the transforms G_i
        of g. T is the t at which the factor that falls off fastest is cut.
    """
    del fudge
    half = _half_widths(n_cells)
    widths = np.abs(projections) * half
    end = LONGEST_PHASE / widths.max(axis=1)
    nodes, weights = quadrature(WAVE_NODES)
    t = end[:, None] * nodes
    product = np.cos(2.0 * np.pi * zeta[:, None] * t)
    for axis, count in enumerate(n_cells):
        places, transform = _transform(float(count))
        product *= np.interp(widths[:, axis, None] * t, places, transform)
    section = 2.0 / cell_volume * end * (product @ weights)
    reach = widths.sum(axis=1)
    return np.where(np.abs(zeta) < reach, np.maximum(section, 0.0), 0.0)


def _half_widths(n_cells: np.ndarray) -> np.ndarray:
    """Half widths of g; a row of one cell has g = 1 up to half-way to the next reflection."""
    return np.minimum(1.0 / np.asarray(n_cells, dtype=np.float64), 0.5)


@lru_cache(maxsize=64)
def _transform(count: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (waves over the half width) and the cosine transform of g there."""
    half = min(1.0 / count, 0.5)
    u, weights = quadrature(PEAK_NODES)
    x = half * u
    g = (np.sin(np.pi * count * x) / np.sin(np.pi * x)) ** 2
    places = np.linspace(0.0, LONGEST_PHASE, TABLE_SIZE)
    waves = np.cos(2.0 * np.pi * places[:, None] * u)
    return places, 2.0 * half * (waves @ (weights * g))
