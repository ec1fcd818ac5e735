"""Derivatives of cells, rotations and panels with respect to their parameters.

If a rotation changes by a small angle about an axis w, each rotated vector v changes by w x v times
this angle. All derivatives with respect to angles in this module follow from this rule.
"""

from __future__ import annotations

import math

import numpy as np

from cupysim.maths.arrays import cross, dot
from cupysim.maths.detector_geometry import DetectorAngles, PanelGeometry
from cupysim.maths.rotations import rotate_axis, rotate_xyz


def cross_matrix(axis: np.ndarray) -> np.ndarray:
    """Return the matrix of the vector product with an axis.

    Parameters
    ----------
    axis : ndarray, shape (3,)
        Axis w.

    Returns
    -------
    ndarray, shape (3, 3)
        Matrix of the map v -> w x v.
    """
    x, y, z = axis
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def turning_axes(angles: np.ndarray) -> np.ndarray:
    """Axes about which rotated vectors turn when an angle about x, y or z grows.

    Parameters
    ----------
    angles : ndarray, shape (3,)
        Angles of `rotate_xyz` about x, y and z (rad).

    Returns
    -------
    ndarray, shape (3, 3)
        Rows Rz Ry x, Rz y, z: later rotations turn the axis too.
    """
    later = ((0.0, angles[1], angles[2]), (0.0, 0.0, angles[2]), (0.0, 0.0, 0.0))
    return np.array([rotate_xyz(axis, after) for axis, after in zip(np.eye(3), later, strict=True)])


def upright_cell(lengths: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell vectors with a* along x and b* in the xy plane, and their derivatives.

    Parameters
    ----------
    lengths : ndarray, shape (3,)
        Edges a, b, c, in any unit.
    angles : ndarray, shape (3,)
        Angles alpha, beta, gamma (rad).

    Returns
    -------
    vectors : ndarray, shape (3, 3)
        Rows a, b, c, in the unit of the lengths.
    slopes : ndarray, shape (6, 3, 3)
        Derivatives with respect to a, b, c, alpha, beta, gamma.

    Notes
    -----
    c is along z, and b in the yz plane. The components of a are a v/sin alpha,
    a (cos gamma - cos alpha cos beta)/sin alpha, a cos beta. Here v^2 = 1 - cos^2 alpha -
    cos^2 beta - cos^2 gamma + 2 cos alpha cos beta cos gamma is the squared volume of a cell with
    edges of 1 (Busing & Levy (1967) Acta Cryst. 22, 457).
    """
    a, b, c = lengths
    (sa, sb, sg), (ca, cb, cg) = np.sin(angles), np.cos(angles)
    v = math.sqrt(1.0 - ca * ca - cb * cb - cg * cg + 2.0 * ca * cb * cg)
    across = (cg - ca * cb) / sa
    directions = np.array([[v / sa, across, cb], [0.0, sa, ca], [0.0, 0.0, 1.0]])
    slopes = np.zeros((6, 3, 3))
    for axis in range(3):
        slopes[axis, axis] = directions[axis]
    v_alpha, v_beta, v_gamma = (
        sine * (cosine - first * second) / v
        for sine, cosine, first, second in ((sa, ca, cb, cg), (sb, cb, ca, cg), (sg, cg, ca, cb))
    )
    slopes[3, 0] = a * np.array([(v_alpha - v * ca / sa) / sa, cb - across * ca / sa, 0.0])
    slopes[3, 1] = b * np.array([0.0, ca, -sa])
    slopes[4, 0] = a * np.array([v_beta / sa, ca * sb / sa, -sb])
    slopes[5, 0] = a * np.array([v_gamma / sa, -sg / sa, 0.0])
    return directions * np.array([[a], [b], [c]]), slopes


def panel_slopes(
    geometry: PanelGeometry,
    rest: tuple[np.ndarray, np.ndarray, np.ndarray],
    beam: np.ndarray,
    twotheta_axis: np.ndarray,
    angles: DetectorAngles,
    *,
    distance: float | None,
    about_sample: bool,
    near_slopes: tuple[float, float],
    placed: bool,
) -> dict[str, np.ndarray]:
    """Derivatives of a panel with respect to distance, beam centre and angles.

    Parameters
    ----------
    geometry : PanelGeometry
        Panel after the detector rotations.
    rest : tuple of 3 ndarray, shape (3,)
        Fast, slow and normal unit vectors before the rotations.
    beam : ndarray, shape (3,)
        Direction of the beam, unit vector.
    twotheta_axis : ndarray, shape (3,)
        Axis of the two-theta swing, unit vector.
    angles : DetectorAngles
        Detector rotations.
    distance : float or None
        Given distance along the beam (m); None if the close distance was given.
    about_sample : bool
        Whether the pivot is the sample; otherwise it is the direct beam.
    near_slopes : tuple of 2 float
        Derivatives of the point of normal incidence before the rotations, along fast and slow,
        with respect to the close distance.
    placed : bool
        Whether the origin was given. Rotations then turn only the vectors.

    Returns
    -------
    dict of ndarray, shape (13,)
        For each name of a parameter: derivatives of origin (3), close distance (1), and fast,
        slow and normal (3 each).
    """
    lab_axes = turning_axes(np.array(angles.lab))
    after = [rotate_axis(axis, twotheta_axis, angles.twotheta) for axis in lab_axes]
    turns = {
        "rotation_x": (after[0], lab_axes[0]),
        "rotation_y": (after[1], lab_axes[1]),
        "rotation_z": (after[2], lab_axes[2]),
        "twotheta": (twotheta_axis, None),
    }
    lab_normal = rotate_xyz(rest[2], angles.lab)
    ratio = float(dot(beam, lab_normal))
    at_rest = geometry.distance_at_rest

    def row(origin: np.ndarray, vectors: list[np.ndarray]) -> np.ndarray:
        close = dot(origin, geometry.normal) + dot(geometry.origin, vectors[2])
        return np.concatenate([origin, [close], *vectors])

    # derivative of the origin with respect to the close distance before the rotations
    forward = geometry.normal - near_slopes[0] * geometry.fast - near_slopes[1] * geometry.slow
    found: dict[str, np.ndarray] = {}
    for name, (axis, lab_axis) in turns.items():
        vectors = [cross(axis, v) for v in (geometry.fast, geometry.slow, geometry.normal)]
        ratio_slope = 0.0 if lab_axis is None else float(dot(beam, cross(lab_axis, lab_normal)))
        if placed:
            origin = np.zeros(3)
        elif about_sample:
            # with a given distance along the beam, the close distance depends on the angles
            close_slope = 0.0 if distance is None else at_rest * ratio_slope
            origin = cross(axis, geometry.origin) + close_slope * forward
        else:
            rest_slope = 0.0 if distance is not None else -at_rest * ratio_slope / ratio
            origin = cross(axis, geometry.origin - at_rest * beam) + rest_slope * beam
        found[name] = row(origin, vectors)
    if not placed:
        still = [np.zeros(3)] * 3
        given = at_rest * ratio if distance is None else distance
        along = at_rest * ratio * forward if about_sample else at_rest * beam
        found["distance"] = row(along / given, still)
        found["beam_fast"] = row(-geometry.fast, still)
        found["beam_slow"] = row(-geometry.slow, still)
    return found
