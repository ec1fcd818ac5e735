"""The lattice factor F_latt: Fourier transforms of finite crystals.

The arguments of each function are fractional Miller indices, as arrays of one shape, and the
numbers of cells. The formulas are those of the C program, even their large arguments of sines, so
that they reproduce its rounding (quirk Q34).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from cupysim.maths.arrays import Array, array_namespace
from cupysim.maths.interpolation import nearest_index

SPHERE_IN_CUBE = 0.723601254558268
"""Amplitude of a round crystal at a reflection, relative to the square crystal around it."""

GAUSS_WIDTH = 0.63
"""Width constant of Gaussian spots."""

TOPHAT_EDGE = 0.3969
"""Squared distance of the edge of top-hat spots: the square of `GAUSS_WIDTH`."""

STAR_WIDTH = 1.9
"""Width constant of spots that are round in reciprocal space, `Shape.GAUSS_STAR` of simtbx."""

METRIC = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2))
"""Order of the six elements of a symmetric matrix."""


def square(indices: tuple[Array, Array, Array], n_cells: Array) -> Array:
    """Lattice factor of a parallelepiped: the product of sin(pi N h)/sin(pi h) over the axes.

    Parameters
    ----------
    indices : tuple of 3 arrays
        Fractional h, k, l.
    n_cells : sequence of 3 float
        Cells along a, b, c. An axis of one cell has the factor 1. If a number is not whole, only
        the offset of this index from the nearest reflection counts.

    Returns
    -------
    array
        F_latt, in the shape of the indices.
    """
    factor: Array = 1.0
    for index, count in zip(indices, n_cells, strict=True):
        if count > 1:
            # without a whole number of cells, the ratio has no period
            reduced = index if float(count).is_integer() else index - nearest_index(index)
            factor = factor * grating(math.pi * reduced, float(count))
    if isinstance(factor, float):
        return array_namespace(indices[0]).ones_like(indices[0])
    return factor


def no_fringes(offsets: tuple[Array, Array, Array], n_cells: Array) -> Array:
    """Lattice factor of a parallelepiped up to its first minima, and zero beyond (CrystFEL).

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Offsets h-h0, k-k0, l-l0 from the nearest reflection.
    n_cells : sequence of 3 float
        Cells along a, b, c.

    Returns
    -------
    array
        F_latt, in the shape of the offsets.
    """
    factor = square(offsets, n_cells)
    return array_namespace(factor).where(in_first_peak(offsets, n_cells), factor, 0.0)


def flat(offsets: tuple[Array, Array, Array], n_cells: Array) -> Array:
    """Lattice factor of flat spots: Na Nb Nc up to the first minima of `no_fringes` (CrystFEL)."""
    na, nb, nc = n_cells
    return na * nb * nc * in_first_peak(offsets, n_cells)


def in_first_peak(offsets: tuple[Array, Array, Array], n_cells: Array) -> Array:
    """Whether N times the offset is at most 1 along each axis."""
    xp = array_namespace(offsets[0])
    h, k, l = (
        xp.abs(offset * count) <= 1.0 for offset, count in zip(offsets, n_cells, strict=True)
    )
    return h & k & l


def grating(x: Array, count: float) -> Array:
    """Transform of a row of N points: sin(N x)/sin(x), which is N at x = 0.

    Parameters
    ----------
    x : array
        Phase (rad).
    count : float
        Number of points, N.

    Returns
    -------
    array
        Transform, in the shape of `x`.
    """
    xp = array_namespace(x)
    ratio = xp.sin(x * count) / xp.sin(x)
    # the only 0/0; it is so rare that this test is cheaper than a where for all elements
    if not x.all():
        ratio = xp.where(x == 0.0, count, ratio)
    return ratio


def round_crystal(offsets: tuple[Array, Array, Array], n_cells: Array, fudge: float) -> Array:
    """Lattice factor of an ellipsoid: 3 (sin x/x - cos x)/x^2 with x = pi sqrt(fudge r^2).

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Offsets h-h0, k-k0, l-l0 from the nearest reflection.
    n_cells : sequence of 3 float
        Cells along a, b, c.
    fudge : float
        Factor of r^2, the sum of (N offset)^2.

    Returns
    -------
    array
        F_latt, in the shape of the offsets.
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
    """Squared distance from the nearest reflection, for Gaussian and top-hat spots.

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Offsets dh = h-h0, dk = k-k0, dl = l-l0 from the nearest reflection.
    axes : array, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom) before spindle and mosaic rotations (quirk Q6), or a diagonal
        matrix of Na, Nb, Nc (quirk Q6 corrected).
    counts : sequence of 3 float
        Na, Nb, Nc, or ones (quirk Q6 corrected).

    Returns
    -------
    array
        |dh a* + dk b* + dl c*|^2 (Na Nb Nc)^2 (1/Angstrom^2), or (dh Na)^2 + (dk Nb)^2 + (dl Nc)^2.
    """
    (dh, dk, dl), (na, nb, nc) = offsets, counts
    a_star, b_star, c_star = axes
    x, y, z = (dh * a_star[i] + dk * b_star[i] + dl * c_star[i] for i in range(3))
    return (x * x + y * y + z * z) * na * na * nb * nb * nc * nc


def gauss(distance_squared: Array, height: float, fudge: float) -> Array:
    """Lattice factor of Gaussian spots: H exp(-(d^2/0.63) fudge).

    Parameters
    ----------
    distance_squared : array
        Squared distance d^2 from `reciprocal_distance_squared`.
    height : float
        F_latt of a reflection, H: the product of the numbers of cells, or the determinant of their
        matrix.
    fudge : float
        Factor of the squared distance.

    Returns
    -------
    array
        F_latt.
    """
    xp = array_namespace(distance_squared)
    return height * xp.exp(-(distance_squared / GAUSS_WIDTH * fudge))


def tophat(distance_squared: Array, height: float, fudge: float) -> Array:
    """Lattice factor of top-hat spots: H if d^2 fudge < 0.3969, otherwise zero.

    Parameters
    ----------
    distance_squared : array
        Squared distance d^2 from `reciprocal_distance_squared`.
    height : float
        F_latt of a reflection, H.
    fudge : float
        Factor of the squared distance.

    Returns
    -------
    array
        F_latt.
    """
    return height * (distance_squared * fudge < TOPHAT_EDGE)


Offsets = tuple[Array, Array, Array]
"""Offsets h-h0, k-k0, l-l0 from the nearest reflection."""

Slopes = tuple[Array, list[Array], list[Array]]
"""F_latt squared, and its derivatives with respect to h, k, l and to sizes. The sizes of square and
round crystals are Na, Nb, Nc, which need not be integers here, because F_latt is a function of the
offset. The sizes of Gaussian spots are those of `gauss_slopes`."""


def square_slopes(offsets: Offsets, n_cells: Array) -> Slopes:
    """F_latt squared of a parallelepiped, and its derivatives.

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Offsets h-h0, k-k0, l-l0 from the nearest reflection.
    n_cells : sequence of 3 float
        Cells along a, b, c.
    """
    xp = array_namespace(offsets[0])
    parts = [
        _grating_slopes(offset, float(count))
        for offset, count in zip(offsets, n_cells, strict=True)
    ]
    square = parts[0][0] ** 2 * parts[1][0] ** 2 * parts[2][0] ** 2
    along, counts = [], []
    for axis, (ratio, ratio_along, ratio_count) in enumerate(parts):
        others = xp.ones_like(ratio)
        for other in (axis + 1) % 3, (axis + 2) % 3:
            others = others * parts[other][0] ** 2
        along.append(2.0 * ratio * ratio_along * others)
        counts.append(2.0 * ratio * ratio_count * others)
    return square, along, counts


def no_fringes_slopes(offsets: Offsets, n_cells: Array) -> Slopes:
    """F_latt squared of `no_fringes`, and its derivatives; see `square_slopes`."""
    inside = in_first_peak(offsets, n_cells)
    value, along, counts = square_slopes(offsets, n_cells)
    where = array_namespace(value).where
    return (
        where(inside, value, 0.0),
        [where(inside, slope, 0.0) for slope in along],
        [where(inside, slope, 0.0) for slope in counts],
    )


def round_slopes(offsets: Offsets, n_cells: Array, fudge: float) -> Slopes:
    """F_latt squared of an ellipsoid, and its derivatives; see `square_slopes`."""
    return _radial_slopes(_ball_slopes, offsets, n_cells, fudge)


def gauss_slopes(offsets: Offsets, axes: Array, height: float, fudge: float) -> Slopes:
    """F_latt squared of Gaussian spots, H^2 exp(-2 fudge d^2/0.63), and its derivatives.

    With the rows g of `axes` and M = g g^T, d^2 is the sum of M_ij dh_i dh_j.

    Parameters
    ----------
    offsets : tuple of 3 arrays
        Offsets dh from the nearest reflection.
    axes : array, shape (3, 3)
        Rows g: the vectors that the offsets multiply.
    height : float
        F_latt of a reflection, H.
    fudge : float
        Factor of the squared distance.

    Returns
    -------
    Slopes
        The sizes are the elements of M in the order of `METRIC`, and the logarithm of H. The
        derivative with respect to M_ij changes M_ji as well.
    """
    sharpness = 2.0 * fudge / GAUSS_WIDTH
    x, y, z = (sum(offsets[i] * axes[i][j] for i in range(3)) for j in range(3))
    xp = array_namespace(offsets[0])
    value = height**2 * xp.exp(-sharpness * (x * x + y * y + z * z))
    slope = -sharpness * value
    along = [2.0 * slope * (x * row[0] + y * row[1] + z * row[2]) for row in axes]
    sizes = [(1.0 if i == j else 2.0) * slope * offsets[i] * offsets[j] for i, j in METRIC]
    return value, along, [*sizes, 2.0 * value]


def _radial_slopes(
    profile: Callable[[Array, float], tuple[Array, Array]],
    offsets: Offsets,
    n_cells: Array,
    fudge: float,
) -> Slopes:
    """F_latt squared as (Na Nb Nc)^2 times a profile of r^2, and its derivatives.

    r^2 is the sum of (N offset)^2.
    """
    scaled = [offset * count for offset, count in zip(offsets, n_cells, strict=True)]
    radius_squared = scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2
    value, slope = profile(radius_squared, fudge)
    volume_squared = float(n_cells[0] * n_cells[1] * n_cells[2]) ** 2
    value, slope = volume_squared * value, volume_squared * slope
    along = [2.0 * slope * n * x for n, x in zip(n_cells, scaled, strict=True)]
    counts = [
        2.0 * value / n + 2.0 * slope * x * offset
        for n, x, offset in zip(n_cells, scaled, offsets, strict=True)
    ]
    return value, along, counts


NEAR_REFLECTION = 0.05
"""Phase N x (rad) below which derivatives of sin(N x)/sin(x) come from its series."""

NEAR_CENTRE = 0.5
"""Argument x of round crystals below which the transform and its derivative come from a series."""


def _grating_slopes(offset: Array, count: float) -> tuple[Array, Array, Array]:
    """sin(pi N x)/sin(pi x), and its derivatives with respect to x and N."""
    xp = array_namespace(offset)
    y = math.pi * offset
    near = xp.abs(y * count) < NEAR_REFLECTION
    z = xp.where(near, 1.0, y)
    ratio = xp.sin(count * z) / xp.sin(z)
    along = math.pi * (count * xp.cos(count * z) - ratio * xp.cos(z)) / xp.sin(z)
    with_count = z * xp.cos(count * z) / xp.sin(z)
    # N - (N^3 - N) y^2/6 + (3 N^5 - 10 N^3 + 7 N) y^4/360 - ...
    n2, y2 = count * count, y * y
    second = (n2 - 1.0) / 6.0
    fourth = (n2 - 1.0) * (3.0 * n2 - 7.0) / 360.0
    sixth = (n2 - 1.0) * (3.0 * n2 * n2 - 18.0 * n2 + 31.0) / 15120.0
    series = count * (1.0 - y2 * (second - y2 * (fourth - y2 * sixth)))
    series_along = -math.pi * count * y * (2.0 * second - y2 * (4.0 * fourth - 6.0 * y2 * sixth))
    series_count = xp.cos(count * y) * (1.0 + y2 / 6.0 + 7.0 * y2 * y2 / 360.0)
    return (
        xp.where(near, series, ratio),
        xp.where(near, series_along, along),
        xp.where(near, series_count, with_count),
    )


def _ball_slopes(radius_squared: Array, fudge: float) -> tuple[Array, Array]:
    """Profile 0.5236 S^2 of a round crystal, and its derivative with respect to r^2.

    S = 3 (sin x/x - cos x)/x^2 and r^2 = x^2/(pi^2 fudge).
    """
    xp = array_namespace(radius_squared)
    x = math.pi * xp.sqrt(radius_squared * fudge)
    near = x < NEAR_CENTRE
    far = xp.where(near, 1.0, x)
    transform = 3.0 * (xp.sin(far) / far - xp.cos(far)) / far**2
    slope = 1.5 * (xp.sin(far) / far - transform) / far**2
    # sum of 6 (k+1) (-x^2)^k/(2k+3)!, and its derivative with respect to x^2
    z = x * x
    terms = [6.0 * (k + 1) * (-1) ** k / math.factorial(2 * k + 3) for k in range(8)]
    series = sum(term * z**k for k, term in enumerate(terms))
    series_slope = sum(k * term * z ** (k - 1) for k, term in enumerate(terms) if k)
    transform, slope = xp.where(near, series, transform), xp.where(near, series_slope, slope)
    height = SPHERE_IN_CUBE**2
    return height * transform**2, 2.0 * height * transform * slope * math.pi**2 * fudge
