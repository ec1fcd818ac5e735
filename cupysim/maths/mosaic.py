"""Random rotations: mosaic domains and random crystal orientations."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache

import numpy as np

from cupysim.maths.arrays import Array, array_namespace
from cupysim.maths.nr_random import RandomStream
from cupysim.maths.rotations import misset_angles

RANDOM_MISSET_CAP = 90.0
"""Spread of a random orientation: 90 *radians* in the C program (quirk Q24)."""


def draw_rotations(spread: float, count: int, stream: RandomStream) -> np.ndarray:
    """Draw random rotations about isotropic axes, by at most `spread`.

    Parameters
    ----------
    spread : float
        Largest rotation angle (rad), used as a float32 as in the C program.
    count : int
        Number of rotations.
    stream : RandomStream
        Source of the random numbers: three for each rotation.

    Returns
    -------
    ndarray, shape (count, 3, 3)
        Rotation matrices.
    """
    deviates = 2.0 * stream.uniform(3 * count).astype(np.float64).reshape(count, 3) - 1.0
    radius = (1.0 - deviates[:, 2] * deviates[:, 2]).astype(np.float32)
    angle = np.float32(spread) * cube_root_float32(radius)
    return rotation_matrices(deviates[:, 0], deviates[:, 1], angle.astype(np.float64))


def draw_rotations_in_double(spread: float, count: int, stream: RandomStream) -> np.ndarray:
    """Draw random rotations as simtbx does: in double precision except for the cube root.

    Parameters
    ----------
    spread : float
        Largest rotation angle (rad).
    count : int
        Number of rotations.
    stream : RandomStream
        Source of the random numbers: three for each rotation.

    Returns
    -------
    ndarray, shape (count, 3, 3)
        Rotation matrices.
    """
    deviates = 2.0 * stream.uniform_in_double(3 * count).reshape(count, 3) - 1.0
    radius = (1.0 - deviates[:, 2] * deviates[:, 2]).astype(np.float32)
    angle = spread * cube_root_float32(radius).astype(np.float64)
    return rotation_matrices(deviates[:, 0], deviates[:, 1], angle)


def rotation_matrices(azimuth: Array, height: Array, angle: Array) -> Array:
    """Make rotation matrices from axes that are given by azimuth and height.

    Parameters
    ----------
    azimuth : array, shape (n,)
        Azimuth of the axis divided by pi, in [-1, 1], measured from y towards x.
    height : array, shape (n,)
        z component of the axis as a unit vector, in [-1, 1].
    angle : array, shape (n,)
        Rotation angle (rad).

    Returns
    -------
    array, shape (n, 3, 3)
        Rotation matrices by Rodrigues' formula, with the products in the C program's order.
    """
    xp = array_namespace(azimuth, height, angle)
    in_plane = xp.sqrt(1.0 - height * height)
    v1 = in_plane * xp.sin(math.pi * azimuth)
    v2 = in_plane * xp.cos(math.pi * azimuth)
    v3 = height
    sine, cosine = xp.sin(angle), xp.cos(angle)
    rest = 1.0 - cosine
    xy, xz, yz = rest * v1 * v2, rest * v1 * v3, rest * v2 * v3
    rows = (
        (cosine + rest * (v1 * v1), xy - sine * v3, xz + sine * v2),
        (xy + sine * v3, cosine + rest * (v2 * v2), yz - sine * v1),
        (xz - sine * v2, yz + sine * v1, cosine + rest * (v3 * v3)),
    )
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def random_misset(stream: RandomStream) -> np.ndarray:
    """Draw the missetting angles of a random orientation.

    Parameters
    ----------
    stream : RandomStream
        Source of the random numbers.

    Returns
    -------
    ndarray, shape (3,)
        Angles about x, y, z (rad).
    """
    return misset_angles(draw_rotations(RANDOM_MISSET_CAP, 1, stream)[0])


def cube_root_float32(values: np.ndarray) -> np.ndarray:
    """Raise numbers to the power of the float32 nearest 1/3, rounded as by the C library.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        Numbers in [0, 1].

    Returns
    -------
    ndarray of float32, shape (n,)
        Powers. NumPy's own float32 power differs from the C library's in the last bit of one value
        in six, on processors with AVX-512.
    """
    power = _c_library_powf()
    third = float(np.float32(1.0 / 3.0))
    return np.fromiter((power(float(x), third) for x in values), np.float32, len(values))


@cache
def _c_library_powf() -> Callable[[float, float], float]:
    """Return the C library's powf, or the power in double precision if there is no powf."""
    try:
        powf = ctypes.CDLL(None).powf
    except (OSError, AttributeError, TypeError):
        try:
            powf = ctypes.CDLL("libm.so.6").powf
        except (OSError, AttributeError):
            return math.pow
    powf.restype, powf.argtypes = ctypes.c_float, [ctypes.c_float, ctypes.c_float]
    return powf
