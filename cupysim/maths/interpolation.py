"""Structure factors at fractional Miller indices: nearest reflection and tricubic."""

from __future__ import annotations

import itertools

from cupysim.maths.arrays import Array, array_namespace

NODES = (-1, 0, 1, 2)
"""Nodes (table points) of a one-dimensional interpolation at x, counted from floor(x)."""

OTHERS = ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))
"""For each of the four nodes, the numbers of the other three."""

DENOMINATORS = (-6.0, 2.0, -2.0, 6.0)
"""For each node, the product of its distances from the other three."""


def nearest_index(index: Array) -> Array:
    """Return the nearest integer; halves are rounded down.

    Parameters
    ----------
    index : array
        Fractional Miller index.

    Returns
    -------
    array of float64
        ceil(x - 0.5).
    """
    return array_namespace(index).ceil(index - 0.5)


def nearest(nearest_indices: tuple[Array, Array, Array], table: Array, first: Array) -> Array:
    """Structure factors of integer Miller indices.

    Parameters
    ----------
    nearest_indices : tuple of 3 arrays
        Integer h, k, l as float64.
    table : array, shape (n_h + 2, n_k + 2, n_l + 2)
        Structure factors with a border of the value outside the table.
    first : sequence of 3 int
        Smallest h, k, l of the table without its border.

    Returns
    -------
    array
        Structure factors (electrons).
    """
    xp = array_namespace(table)
    flat: Array = 0.0
    for index, start, length in zip(nearest_indices, first, table.shape, strict=True):
        # fmin and fmax turn NaN into a place in the border; clip does not
        flat = flat * length + xp.fmin(xp.fmax(index - (start - 1), 0.0), length - 1.0)
    return xp.take(table.reshape(-1), flat.astype(xp.intp))


def has_neighbours(indices: tuple[Array, Array, Array], first: Array, lengths: Array) -> Array:
    """Whether all table points exist that the interpolation needs: four along each axis.

    Parameters
    ----------
    indices : tuple of 3 arrays
        Fractional h, k, l.
    first : sequence of 3 int
        Smallest h, k, l of the table.
    lengths : sequence of 3 int
        Numbers of h, k, l in the table.

    Returns
    -------
    array of bool
        True between the second and the last but one table point.
    """
    inside: Array = True
    for index, start, length in zip(indices, first, lengths, strict=True):
        floor = array_namespace(index).floor(index)
        inside = inside & (floor + NODES[0] >= start) & (floor + NODES[3] <= start + length - 1)
    return inside


def out_of_range(indices: tuple[Array, Array, Array], first: Array, lengths: Array) -> Array:
    """Whether the C program's test finds too few neighbours to interpolate.

    Parameters
    ----------
    indices : tuple of 3 arrays
        Fractional h, k, l.
    first : sequence of 3 int
        Smallest h, k, l of the table.
    lengths : sequence of 3 int
        Numbers of h, k, l in the table.

    Returns
    -------
    array of bool
        True if x - first + 3 > length or x - 2 < first, for any of h, k, l. This margin is one
        wider than the four nodes need (quirk Q23).
    """
    outside: Array = False
    for index, start, length in zip(indices, first, lengths, strict=True):
        outside = outside | (index - start + 3 > length) | (index - 2 < start)
    return outside


def tricubic(indices: tuple[Array, Array, Array], table: Array, first: Array) -> Array:
    """Cubic Lagrange interpolation through 4 x 4 x 4 table points.

    Parameters
    ----------
    indices : tuple of 3 arrays, shape (n,)
        Fractional h, k, l. Results without enough neighbours are meaningless; their lattice
        factor must be zero.
    table : array, shape (n_h + 2, n_k + 2, n_l + 2)
        Structure factors with a border, as in `nearest`.
    first : sequence of 3 int
        Smallest h, k, l of the table without its border.

    Returns
    -------
    array, shape (n,)
        Structure factors (electrons); they can be negative.

    Notes
    -----
    The interpolation runs along l, then k, then h. Each sum of four terms is in node order, so that
    the result has the C program's bits.
    """
    xp = array_namespace(table)
    floors = [xp.floor(index) for index in indices]
    weights = [_weights(index, floor) for index, floor in zip(indices, floors, strict=True)]
    _, n_k, n_l = table.shape
    base = [
        xp.fmin(xp.fmax(floor - (start - 1), 1.0), length - 3.0).astype(xp.intp)
        for floor, start, length in zip(floors, first, table.shape, strict=True)
    ]
    flat = table.reshape(-1)

    def along_l(h: int, k: int) -> Array:
        row = ((base[0] + NODES[h]) * n_k + base[1] + NODES[k]) * n_l + base[2]
        return _combine(weights[2], [xp.take(flat, row + node) for node in NODES])

    def along_k(h: int) -> Array:
        return _combine(weights[1], [along_l(h, k) for k in range(4)])

    return _combine(weights[0], [along_k(h) for h in range(4)])


def _weights(x: Array, floor: Array) -> list[Array]:
    """Numerators of the four Lagrange polynomials."""
    distances = [x - (floor + node) for node in NODES]
    return [distances[i] * distances[j] * distances[k] for i, j, k in OTHERS]


def node_weights(x: Array, floor: Array) -> list[Array]:
    """Lagrange polynomials at x: the weights of the four nodes in an interpolation.

    Parameters
    ----------
    x, floor : array
        Position, and the next integer below.

    Returns
    -------
    list of 4 arrays
        Weights. Their sum is 1.
    """
    numerators = _weights(x, floor)
    return [above / below for above, below in zip(numerators, DENOMINATORS, strict=True)]


def _combine(weights: list[Array], values: list[Array]) -> Array:
    terms = [w * y / d for w, y, d in zip(weights, values, DENOMINATORS, strict=True)]
    return terms[0] + terms[1] + terms[2] + terms[3]


def tricubic_slopes(
    indices: tuple[Array, Array, Array], table: Array, first: Array
) -> tuple[Array, list[Array]]:
    """Structure factors as from `tricubic`, and their derivatives with respect to h, k, l.

    Parameters
    ----------
    indices, table, first
        As for `tricubic`.

    Returns
    -------
    value : array
        Structure factors (electrons).
    along : list of 3 arrays
        Derivatives with respect to h, k, l (electrons).
    """
    xp = array_namespace(table)
    floors = [xp.floor(index) for index in indices]
    base = [
        xp.fmin(xp.fmax(floor - (start - 1), 1.0), length - 3.0).astype(xp.intp)
        for floor, start, length in zip(floors, first, table.shape, strict=True)
    ]
    weights = [_weights(index, floor) for index, floor in zip(indices, floors, strict=True)]
    slopes = [_weight_slopes(index - floor) for index, floor in zip(indices, floors, strict=True)]
    value: Array = 0.0
    along: list[Array] = [0.0, 0.0, 0.0]
    for i, j, k in itertools.product(range(4), repeat=3):
        node = table[base[0] + NODES[i], base[1] + NODES[j], base[2] + NODES[k]]
        node = node / (DENOMINATORS[i] * DENOMINATORS[j] * DENOMINATORS[k])
        wi, wj, wk = weights[0][i], weights[1][j], weights[2][k]
        value = value + wi * wj * wk * node
        along[0] = along[0] + slopes[0][i] * wj * wk * node
        along[1] = along[1] + wi * slopes[1][j] * wk * node
        along[2] = along[2] + wi * wj * slopes[2][k] * node
    return value, along


def _weight_slopes(x: Array) -> list[Array]:
    """Derivatives of the numerators of the four Lagrange polynomials, by the product rule."""
    distances = [x - node for node in NODES]
    return [
        distances[j] * distances[k] + distances[i] * distances[k] + distances[i] * distances[j]
        for i, j, k in OTHERS
    ]
