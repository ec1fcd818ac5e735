"""Vector functions and helpers for functions of NumPy and CuPy arrays.

Functions in `cupysim.maths` find the array module of their arguments with `array_namespace`, and
call it `xp`. The search never imports CuPy.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A NumPy or CuPy array. CuPy's type cannot be named without importing CuPy."""

Components = tuple[Any, Any, Any]
"""Components x, y, z of vectors: numbers, which are fast for a single vector, or arrays of one
shape."""


def array_namespace(*arrays: Array) -> ModuleType:
    """Return the array module of the arguments: CuPy if one of them is a CuPy array.

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
    """Convert an array to a NumPy array; only a CuPy array is copied.

    Parameters
    ----------
    array : array
        NumPy or CuPy array.

    Returns
    -------
    ndarray
        The same numbers in the host's memory.
    """
    return np.asarray(array if array_namespace(array) is np else array.get())


def components(v: Array) -> Components:
    """Return the components of vectors that lie along the last axis."""
    return v[..., 0], v[..., 1], v[..., 2]


def dot_of(u: Components, v: Components) -> Any:
    """Scalar product, always summed in the order x, y, z, unlike the sum of a library."""
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def cross_of(u: Components, v: Components) -> Components:
    """Vector product of vectors given by their components."""
    return (
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    )


def multiplied(v: Components, factor: Any) -> Components:
    """Vector, given by its components, times a number."""
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
        Scalar products.
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


def serial_sum(start: float, values: np.ndarray) -> float:
    """Add numbers one after the other, as a loop in C would.

    Parameters
    ----------
    start : float
        Sum so far.
    values : ndarray of float64, shape (n,)
        Numbers to add.

    Returns
    -------
    float
        Sum of all. Its rounding depends on the order of the numbers, unlike that of `np.sum`.
    """
    if len(values) == 0:
        return start
    return float(np.add.accumulate(np.concatenate([[start], values]))[-1])


def with_panel_axis(array: Array) -> Array:
    """A view of an image whose first axis counts panels.

    Parameters
    ----------
    array : array, shape ([n_panels,] n_slow, n_fast)
        Image of one panel or of several.

    Returns
    -------
    array, shape (n_panels, n_slow, n_fast)
        View; an image of one panel has one.
    """
    return array if array.ndim == 3 else array[None]
