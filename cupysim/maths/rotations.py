"""Right-handed rotations of vectors, and the angles that describe them."""

from __future__ import annotations

import math

import numpy as np

from cupysim.maths.arrays import Array, Components, array_namespace, components, dot, norm, unit

QUARTER_TURN = 1e-12
"""If the cosine of the angle about y is below this number, the angle counts as a quarter turn."""


def rotate_xyz(v: Array, angles: Array) -> Array:
    """Rotate vectors about the lab axes: x, then y, then z.

    Parameters
    ----------
    v : array, shape (..., 3)
        Vectors.
    angles : sequence of 3 float
        Angles about x, y and z (rad).

    Returns
    -------
    array, shape (..., 3)
        Rz Ry Rx v.

    Notes
    -----
    MOSFLM's missetting angles and the C program's detector rotations use this order. An angle of
    zero does not change the vector, and so adds no rounding.
    """
    return array_namespace(v).stack(turned_xyz(components(v), angles), axis=-1)


def turned_xyz(v: Components, angles: Array) -> Components:
    """Rotate vectors, given by their components, as `rotate_xyz` does."""
    x, y, z = v
    about_x, about_y, about_z = (float(angle) for angle in angles)
    if about_x != 0.0:
        sine, cosine = math.sin(about_x), math.cos(about_x)
        y, z = y * cosine + z * -sine, y * sine + z * cosine
    if about_y != 0.0:
        sine, cosine = math.sin(about_y), math.cos(about_y)
        x, z = x * cosine + y * 0.0 + z * sine, x * -sine + y * 0.0 + z * cosine
    if about_z != 0.0:
        sine, cosine = math.sin(about_z), math.cos(about_z)
        x, y = x * cosine + y * -sine, x * sine + y * cosine
    return x, y, z


def rotate_xyz_each(v: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Rotate vectors as `rotate_xyz` does, by each of several sets of angles.

    Parameters
    ----------
    v : ndarray, shape (m, 3)
        Vectors.
    angles : ndarray, shape (n, 3)
        Angles about x, y and z (rad).

    Returns
    -------
    ndarray, shape (n, m, 3)
        Vectors after each rotation.
    """
    # sine and cosine of the C library; those of NumPy may differ in the last bit
    rows = np.asarray(angles, dtype=np.float64).tolist()
    sines = np.array([[math.sin(angle) for angle in row] for row in rows])[:, :, None]
    cosines = np.array([[math.cos(angle) for angle in row] for row in rows])[:, :, None]
    turns = np.array(rows)[:, :, None] != 0.0
    x, y, z = (np.broadcast_to(v[:, i], (len(rows), len(v))) for i in range(3))
    sine, cosine, turn = sines[:, 0], cosines[:, 0], turns[:, 0]
    y, z = (
        np.where(turn, y * cosine + z * -sine, y),
        np.where(turn, y * sine + z * cosine, z),
    )
    sine, cosine, turn = sines[:, 1], cosines[:, 1], turns[:, 1]
    x, z = (
        np.where(turn, x * cosine + y * 0.0 + z * sine, x),
        np.where(turn, x * -sine + y * 0.0 + z * cosine, z),
    )
    sine, cosine, turn = sines[:, 2], cosines[:, 2], turns[:, 2]
    x, y = (
        np.where(turn, x * cosine + y * -sine, x),
        np.where(turn, x * sine + y * cosine, y),
    )
    return np.stack([x, y, z], axis=-1)


def rotate_axis(v: Array, axis: Array, angle: Array) -> Array:
    """Rotate vectors about an axis (Rodrigues' formula).

    Parameters
    ----------
    v : array, shape (..., 3)
        Vectors.
    axis : array, shape (3,) or (..., 3)
        Axis. Its length is not changed: a length other than one distorts (quirk Q4).
    angle : array, shape (...)
        Angles (rad), broadcast against the vectors.

    Returns
    -------
    array, shape (..., 3)
        Rotated vectors v cos + (n x v) sin + n (n.v)(1 - cos), where n is the axis.
    """
    xp = array_namespace(v, axis, angle)
    sine, cosine = xp.sin(angle), xp.cos(angle)
    along = dot(axis, v) * (1.0 - cosine)
    n, w = [axis[..., i] for i in range(3)], [v[..., i] for i in range(3)]
    return xp.stack(
        [
            n[0] * along + w[0] * cosine + (-n[2] * w[1] + n[1] * w[2]) * sine,
            n[1] * along + w[1] * cosine + (n[2] * w[0] - n[0] * w[2]) * sine,
            n[2] * along + w[2] * cosine + (-n[1] * w[0] + n[0] * w[1]) * sine,
        ],
        axis=-1,
    )


def rotation_of_vector(vector: np.ndarray) -> np.ndarray:
    """Rotation matrix of a rotation vector.

    Parameters
    ----------
    vector : ndarray, shape (3,)
        Axis times angle (rad). Zero means no rotation.

    Returns
    -------
    ndarray, shape (3, 3)
        Matrix that multiplies column vectors (Rodrigues' formula, `rotate_axis`).
    """
    angle = float(norm(vector))
    if angle == 0.0:
        return np.eye(3)
    return np.stack([rotate_axis(axis, vector / angle, angle) for axis in np.eye(3)], axis=1)


def axis_and_angle(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Axis and angle of a rotation.

    Parameters
    ----------
    matrix : ndarray, shape (3, 3)
        Rotation matrix.

    Returns
    -------
    axis : ndarray, shape (3,)
        Unit vector; z for the identity.
    angle : float
        Angle (rad), from 0 to pi, right-handed.

    Notes
    -----
    With axis n and angle t, (M - M^T)/2 has the components of n sin t, and (M + M^T)/2 - cos t is
    (1 - cos t) n n^T. The second formula gives n without loss of digits near half a turn.
    """
    turned = 0.5 * np.array(
        [
            matrix[2, 1] - matrix[1, 2],
            matrix[0, 2] - matrix[2, 0],
            matrix[1, 0] - matrix[0, 1],
        ]
    )
    sine, cosine = float(norm(turned)), 0.5 * (float(np.trace(matrix)) - 1.0)
    angle = math.atan2(sine, cosine)
    if cosine > 0.0:
        return (turned / sine if sine > 0.0 else np.array([0.0, 0.0, 1.0])), angle
    squares = 0.5 * (matrix + matrix.T) - cosine * np.eye(3)
    column = squares[:, int(np.argmax(np.diag(squares)))]
    axis = column / norm(column)
    return (-axis if float(dot(axis, turned)) < 0.0 else axis), angle


def apply_matrix(matrix: Array, v: Array) -> Array:
    """Multiply vectors by rotation matrices, summed in the order x, y, z.

    Parameters
    ----------
    matrix : array, shape (..., 3, 3)
        Matrices.
    v : array, shape (..., 3)
        Vectors, broadcast against the matrices.

    Returns
    -------
    array, shape (..., 3)
        Products of matrix and vector.
    """
    return dot(matrix, v[..., None, :])


def misset_angles(matrix: Array) -> np.ndarray:
    """Angles about x, y and z of a rotation matrix, as the C program computes them.

    Parameters
    ----------
    matrix : array, shape (3, 3)
        Rotation matrix.

    Returns
    -------
    ndarray, shape (3,)
        Angles (rad) for `rotate_xyz`.

    Notes
    -----
    Rows are normalised twice, as in the C program. The second time changes the last bits.
    """
    u = unit(unit(np.asarray(matrix, dtype=np.float64)))
    if u[2, 0] * u[2, 0] < 1.0:
        return np.array(
            [
                math.atan2(u[2, 1], u[2, 2]),
                math.atan2(-u[2, 0], math.sqrt(u[2, 1] * u[2, 1] + u[2, 2] * u[2, 2])),
                math.atan2(u[1, 0], u[0, 0]),
            ]
        )
    return np.array(
        [math.atan2(1.0, 1.0) * 4, math.atan2(1.0, 1.0) * 2, math.atan2(u[0, 1], -u[1, 1])]
    )


def xyz_angles(matrix: Array) -> np.ndarray:
    """Angles about x, y and z of any rotation matrix.

    Parameters
    ----------
    matrix : array, shape (3, 3)
        Rotation matrix Rz Ry Rx.

    Returns
    -------
    ndarray, shape (3,)
        Angles (rad) for `rotate_xyz`. The angle about y is in [-pi/2, pi/2].

    Notes
    -----
    If the angle about y is a quarter turn, the rotations about x and z have the same axis, and the
    angle about x is set to zero. In this case the angles of `misset_angles`, those of the
    C program, do not reproduce the rotation. The angle about z is computed from the angle about x,
    so that both are consistent even near a quarter turn.
    """
    u = np.asarray(matrix, dtype=np.float64)
    across = math.hypot(u[2, 1], u[2, 2])
    about_x = math.atan2(u[2, 1], u[2, 2]) if across > QUARTER_TURN else 0.0
    sine, cosine = math.sin(about_x), math.cos(about_x)
    return np.array(
        [
            about_x,
            math.atan2(-u[2, 0], across),
            math.atan2(sine * u[0, 2] - cosine * u[0, 1], cosine * u[1, 1] - sine * u[1, 2]),
        ]
    )


def is_unit(v: Array, tolerance: float = 1e-6) -> bool:
    """Whether a vector has length one.

    Parameters
    ----------
    v : array, shape (3,)
        Vector.
    tolerance : float, optional
        Largest accepted difference from one.

    Returns
    -------
    bool
        True if the length is one.
    """
    return abs(float(norm(v)) - 1.0) <= tolerance
