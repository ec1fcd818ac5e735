"""Structure factors of amorphous matter between the points of a table.

The table gives F at some values of s = sin(theta)/lambda. Between them, F is a cubic Lagrange
polynomial through the two points on each side. Two helper points far away on each side complete the
table: they drop out of the polynomial, which is a parabola next to the ends and a straight line
beyond them.
"""

from __future__ import annotations

from cupysim.maths.arrays import Array, array_namespace
from cupysim.maths.interpolation import OTHERS

HELPERS = (1e98, 1e99)
"""Distances of the helper points. Their cubes are still finite in double precision. They are so far
away that their F has no effect, in whatever unit s is."""

FIRST = 2
"""Place of the first point of the table, after its helper points."""


def with_helpers(s: Array, factors: Array) -> tuple[Array, Array]:
    """Add two helper points on each side of a table.

    Parameters
    ----------
    s : array, shape (n,)
        Values of sin(theta)/lambda, in any unit. There is at least one.
    factors : array, shape (n,)
        Structure factors (electrons).

    Returns
    -------
    nodes, values : array, shape (n + 4,)
        The table with helper points, which have the structure factors of its ends.
    """
    xp = array_namespace(s, factors)
    near, far = HELPERS
    below, above = xp.asarray([-far, -near]), xp.asarray([near, far])
    return (
        xp.concatenate([below, s, above]),
        xp.concatenate([factors[:1], factors[:1], factors, factors[-1:], factors[-1:]]),
    )


def place_of(nodes: Array, s: Array) -> Array:
    """Find the points of an ascending table below given values.

    Parameters
    ----------
    nodes : array, shape (n + 4,)
        Ascending table, from `with_helpers`.
    s : array, shape (m,)
        Values in the same unit.

    Returns
    -------
    array of int, shape (m,)
        Number of the last node that is not above the value, so that the next node is above it.
    """
    xp = array_namespace(nodes, s)
    # a value that is not a number has its place after all nodes
    return xp.clip(xp.searchsorted(nodes, s, side="right") - 1, 1, len(nodes) - 3)


def factors_at(nodes: Array, values: Array, place: Array, s: Array) -> Array:
    """Cubic Lagrange polynomial through four nodes of a table.

    Parameters
    ----------
    nodes, values : array, shape (n + 4,)
        Table, from `with_helpers`.
    place : array of int, shape (m,)
        Number of the second of the four nodes.
    s : array, shape (m,)
        Where the polynomial is computed, in the unit of the nodes.

    Returns
    -------
    array, shape (m,)
        Structure factors (electrons). Four terms are added in the order of the nodes, so that the
        result has the C program's bits. It is not finite if two of the nodes are equal.
    """
    xp = array_namespace(nodes, s)
    x = [xp.take(nodes, place + offset) for offset in (-1, 0, 1, 2)]
    result: Array = 0.0
    for node, (i, j, k) in enumerate(OTHERS):
        above = (s - x[i]) * (s - x[j]) * (s - x[k]) * xp.take(values, place + node - 1)
        result = result + above / ((x[node] - x[i]) * (x[node] - x[j]) * (x[node] - x[k]))
    return result


def interpolate(table: Array, factors: Array, s: Array) -> Array:
    """Structure factors between the points of an ascending table, and beyond its ends.

    Parameters
    ----------
    table : array, shape (n,)
        Values of sin(theta)/lambda, each above the one before it.
    factors : array, shape (n,)
        Structure factors (electrons).
    s : array, shape (m,)
        Where they are wanted, in the unit of the table.

    Returns
    -------
    array, shape (m,)
        Structure factors (electrons). Below the first and above the last point, a straight line
        continues the two outermost points; with a single point, F is constant.
    """
    nodes, values = with_helpers(table, factors)
    return factors_at(nodes, values, place_of(nodes, s), s)
