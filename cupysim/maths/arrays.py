"""What lets one function serve NumPy and CuPy arrays.

Functions in `cupysim.maths` find the array module of their arguments with
`array_namespace` and call it `xp`. CuPy is never imported to find out.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A NumPy or CuPy array; CuPy has no type which can be named without it."""

Components = tuple[Any, Any, Any]
"""x, y, z of a vector: numbers, which are quick for a single one, or arrays of one shape."""


def array_namespace(*arrays: Array) -> ModuleType:
    """The module whose arrays these are: CuPy if one is a CuPy array.

    Parameters
    ----------
    *arrays : array_like
        Arrays, sequences or numbers.

    Returns
    -------
    module
        `cupy` or `numpy`.
    """
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(array, cupy.ndarray) for array in arrays):
        return cupy
    return np


def on_host(array: Array) -> np.ndarray:
    """The same numbers as a NumPy array; only a CuPy array is copied.

    Parameters
    ----------
    array : array
        NumPy or CuPy array.

    Returns
    -------
    ndarray
        In the computer's memory.
    """
    return np.asarray(array if array_namespace(array) is np else array.get())


def components(v: Array) -> Components:
    """Components of vectors along the last axis."""
    return v[..., 0], v[..., 1], v[..., 2]


def dot_of(u: Components, v: Components) -> Any:
    """Scalar product, summed in the order x, y, z; a library's sum may use another order."""
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def cross_of(u: Components, v: Components) -> Components:
    """Vector product of two vectors."""
    return (
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    )


def multiplied(v: Components, factor: Any) -> Components:
    """A vector times a number."""
    return factor * v[0], factor * v[1], factor * v[2]


def dot(u: Array, v: Array) -> Array:
    """Scalar product along the last axis, summed in the order x, y, z.

    Parameters
    ----------
    u, v : array, shape (..., 3)
        Vectors.

    Returns
    -------
    array, shape (...)
        Products.
    """
    return dot_of(components(u), components(v))


def cross(u: Array, v: Array) -> Array:
    """Vector product along the last axis.

    Parameters
    ----------
    u, v : array, shape (..., 3)
        Vectors.

    Returns
    -------
    array, shape (..., 3)
        u x v.
    """
    return array_namespace(u, v).stack(cross_of(components(u), components(v)), axis=-1)


def norm(v: Array) -> Array:
    """Length of vectors along the last axis.

    Parameters
    ----------
    v : array, shape (..., 3)
        Vectors.

    Returns
    -------
    array, shape (...)
        Lengths.
    """
    return array_namespace(v).sqrt(dot(v, v))


def unit(v: Array) -> Array:
    """Vectors of length one in the same direction; zero vectors stay zero.

    Parameters
    ----------
    v : array, shape (..., 3)
        Vectors.

    Returns
    -------
    array, shape (..., 3)
        v/|v|.
    """
    xp = array_namespace(v)
    length = norm(v)[..., None]
    return v / xp.where(length == 0.0, 1.0, length)
