"""Fourier transforms of finite crystals: the lattice factor F_latt.

Each function takes fractional Miller indices, arrays of one shape, and the
numbers of cells. The forms are those of the C program, unreduced arguments
included, so that its rounding is reproduced (quirk Q34).
"""

from __future__ import annotations

import math

from cupysim.maths.arrays import Array, array_namespace

SPHERE_IN_CUBE = 0.723601254558268
"""Amplitude of a round crystal relative to the square one it is cut from."""

GAUSS_WIDTH = 0.63
"""Width constant of Gaussian spots."""

TOPHAT_EDGE = 0.3969
"""Edge of top-hat spots, the square of `GAUSS_WIDTH`."""


def square(indices: tuple[Array, Array, Array], n_cells: Array) -> Array:
    """Parallelepiped: the product of sin(pi N h)/sin(pi h) over the axes.

    Parameters
    ----------
    indices : tuple of 3 arrays
        Fractional h, k, l.
    n_cells : sequence of 3 float
        Na, Nb, Nc; an axis of one cell has the factor 1.

    Returns
    -------
    array
        F_latt, of the indices' shape.
    """
    factor: Array = 1.0
    for index, count in zip(indices, n_cells, strict=True):
        if count > 1:
            factor = factor * grating(math.pi * index, float(count))
    if isinstance(factor, float):
        return array_namespace(indices[0]).ones_like(indices[0])
    return factor


def grating(x: Array, count: float) -> Array:
    """sin(N x)/sin(x), the transform of N equal steps; N where x is zero.

    Parameters
    ----------
    x : array
        Phase (rad).
    count : float
        Number of steps.

    Returns
    -------
    array
        Of the shape of `x`.
    """
    xp = array_namespace(x)
    ratio = xp.sin(x * count) / xp.sin(x)
    # the only 0/0; a look at one element in millions is dearer than this test
    if not x.all():
        ratio = xp.where(x == 0.0, count, ratio)
    return ratio


def round_crystal(offsets: tuple[Array, Array, Array], n_cells: Array, fudge: float) -> Array:
    """Ellipsoid: 3 (sin x/x - cos x)/x^2 with x = pi sqrt(fudge r^2).

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Distances h-h0, k-k0, l-l0 from the nearest reflection.
    n_cells : sequence of 3 float
        Na, Nb, Nc.
    fudge : float
        Scale of r^2 = sum of (N offset)^2.

    Returns
    -------
    array
        F_latt, of the offsets' shape.
    """
    xp = array_namespace(offsets[0])
    (dh, dk, dl), (na, nb, nc) = offsets, n_cells
    radius_squared = dh * dh * na * na + dk * dk * nb * nb + dl * dl * nc * nc
    x = math.pi * xp.sqrt(radius_squared * fudge)
    transform = 3.0 * (xp.sin(x) / x - xp.cos(x)) / (x * x)
    return na * nb * nc * SPHERE_IN_CUBE * xp.where(x == 0.0, 1.0, transform)


def reciprocal_distance_squared(
    offsets: tuple[Array, Array, Array], axes: Array, counts: Array
) -> Array:
    """Squared distance from the reflection, by which gauss and tophat spots are measured.

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Distances h-h0, k-k0, l-l0 from the nearest reflection.
    axes : array, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom) before phi and mosaic rotations (quirk Q6), or a diagonal of
        Na, Nb, Nc.
    counts : sequence of 3 float
        Na, Nb, Nc, or ones.

    Returns
    -------
    array
        |dh a* + dk b* + dl c*|^2 (Na Nb Nc)^2 (1/Angstrom^2), or (dh Na)^2 + (dk Nb)^2 + (dl Nc)^2.
    """
    (dh, dk, dl), (na, nb, nc) = offsets, counts
    a_star, b_star, c_star = axes
    x, y, z = (dh * a_star[i] + dk * b_star[i] + dl * c_star[i] for i in range(3))
    return (x * x + y * y + z * z) * na * na * nb * nb * nc * nc


def gauss(distance_squared: Array, n_cells: Array, fudge: float) -> Array:
    """Gaussian spots: Na Nb Nc exp(-(d^2/0.63) fudge).

    Parameters
    ----------
    distance_squared : array
        From `reciprocal_distance_squared`.
    n_cells : sequence of 3 float
        Na, Nb, Nc.
    fudge : float
        Scale of the squared distance.

    Returns
    -------
    array
        F_latt.
    """
    xp = array_namespace(distance_squared)
    na, nb, nc = n_cells
    return na * nb * nc * xp.exp(-(distance_squared / GAUSS_WIDTH * fudge))


def tophat(distance_squared: Array, n_cells: Array, fudge: float) -> Array:
    """Flat spots: Na Nb Nc within d^2 fudge < 0.3969, else zero.

    Parameters
    ----------
    distance_squared : array
        From `reciprocal_distance_squared`.
    n_cells : sequence of 3 float
        Na, Nb, Nc.
    fudge : float
        Scale of the squared distance.

    Returns
    -------
    array
        F_latt.
    """
    na, nb, nc = n_cells
    return na * nb * nc * (distance_squared * fudge < TOPHAT_EDGE)
