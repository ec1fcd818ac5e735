"""Where a detector is: from distances, pivot and angles to origin and axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN, SMALLEST_NORMAL
from cupysim.errors import ModelError
from cupysim.maths.arrays import Array, array_namespace, cross, dot, norm, unit
from cupysim.maths.rotations import rotate_axis, rotate_xyz

EDGE_ON = 1e-9
"""Distance of a panel's plane, relative to its origin's, below which it is seen edge-on."""


@dataclass(frozen=True)
class DetectorAngles:
    """How the detector is turned from its rest position.

    Parameters
    ----------
    lab : tuple of 3 float
        Rotations about the lab axes x, y, z (rad), in this order.
    twotheta : float
        Swing about the two-theta axis (rad), after them.
    """

    lab: tuple[float, float, float] = (0.0, 0.0, 0.0)
    twotheta: float = 0.0

    def __post_init__(self) -> None:
        if len(self.lab) != 3 or not np.isfinite([*self.lab, self.twotheta]).all():
            raise ModelError(f"detector: angles must be three and one finite numbers, got {self}")

    @classmethod
    def from_degrees(
        cls, x: float = 0.0, y: float = 0.0, z: float = 0.0, twotheta: float = 0.0
    ) -> DetectorAngles:
        """Rotations in degrees.

        Parameters
        ----------
        x, y, z : float, optional
            Rotations about the lab axes (degrees), in this order.
        twotheta : float, optional
            Swing about the two-theta axis (degrees), after them.
        """
        x, y, z, twotheta = (angle / DEGREES_PER_RADIAN for angle in (x, y, z, twotheta))
        return cls((x, y, z), twotheta)


@dataclass(frozen=True)
class PanelGeometry:
    """A flat panel in the laboratory, and what is reported of it.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        Outer corner of the first pixel (m).
    fast, slow, normal : ndarray, shape (3,)
        Unit vectors.
    close_distance : float
        Distance of the panel's plane from the sample (m).
    distance : float
        Distance along the beam as the C program reports it (m), unless quirk Q7 is corrected.
    beam_fast, beam_slow : float
        Direct beam from the outer corner of the first pixel (m), likewise.
    close_fast, close_slow : float
        Near point likewise (m).
    distance_at_rest : float
        Distance along the beam by which the panel was placed, before it was turned (m).
    """

    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    normal: np.ndarray
    close_distance: float
    distance: float
    beam_fast: float
    beam_slow: float
    close_fast: float
    close_slow: float
    distance_at_rest: float


def beam_ratio(beam: Array, normal: Array, angles: DetectorAngles) -> float:
    """Cosine between beam and detector normal, without two-theta (quirk Q7).

    Parameters
    ----------
    beam, normal : array, shape (3,)
        Unit vectors.
    angles : DetectorAngles
        Angles of the detector.

    Returns
    -------
    float
        Near distance divided by distance along the beam, never zero.
    """
    ratio = float(dot(beam, rotate_xyz(normal, angles.lab)))
    return ratio if ratio != 0.0 else SMALLEST_NORMAL


def place_panel(
    axes: tuple[Array, Array, Array],
    beam: Array,
    twotheta_axis: Array,
    angles: DetectorAngles,
    close_distance: float,
    near_point: tuple[float, float] | None,
    beam_spot: tuple[float, float],
    *,
    origin: Array | None = None,
    right_distance: bool = False,
) -> PanelGeometry:
    """Turn a panel about the sample or about the direct-beam spot.

    Parameters
    ----------
    axes : tuple of 3 arrays, shape (3,)
        Fast, slow and normal unit vectors before turning.
    beam : array, shape (3,)
        Beam direction, unit vector.
    twotheta_axis : array, shape (3,)
        Axis of the two-theta swing, used as it is (quirk Q4).
    angles : DetectorAngles
        Angles of the detector.
    close_distance : float
        Distance of the plane from the sample before turning (m).
    near_point : tuple of 2 float or None
        Near point along fast and slow (m), with the sample as pivot; None for
        the direct-beam spot as pivot.
    beam_spot : tuple of 2 float
        Direct-beam spot along fast and slow (m).
    origin : array, shape (3,), optional
        Where the outer corner of the first pixel is in the end (m), whatever distance, pivot and
        beam spot say.
    right_distance : bool, optional
        Report distance and beam spot of the turned panel (quirk Q7 corrected).

    Returns
    -------
    PanelGeometry
        The turned panel.

    Raises
    ------
    ModelError
        If the panel's plane goes through the sample, or the panel turns its back to it; of what
        the C program can be told, only where quirk Q7 is corrected.

    Notes
    -----
    About the sample, the origin is made first and turned with the axes; about
    the beam, it is made from the turned axes and the unturned beam.
    """

    def turn(vector: Array) -> Array:
        return rotate_axis(rotate_xyz(vector, angles.lab), twotheta_axis, angles.twotheta)

    fast, slow, normal = axes
    ratio = beam_ratio(beam, normal, angles)
    distance_at_rest = close_distance / ratio
    placed = origin is not None
    if origin is not None:
        origin = np.asarray(origin, dtype=np.float64)
    elif near_point is not None:
        origin = turn(-near_point[0] * fast - near_point[1] * slow + close_distance * normal)
    fast, slow, normal = turn(fast), turn(slow), turn(normal)
    if origin is None:
        origin = -beam_spot[0] * fast - beam_spot[1] * slow + distance_at_rest * beam

    if right_distance and not placed and near_point is None and distance_at_rest < 0.0:
        at_zero = beam_ratio(beam, axes[2], DetectorAngles())
        if at_zero * ratio < 0.0:
            raise ModelError(
                f"detector: its rotations turn it by more than 90 degrees about the direct beam's "
                f"place, which would put it at {distance_at_rest:g} m along the beam"
            )
    close_distance = float(dot(origin, normal))
    if (placed or right_distance) and not close_distance > EDGE_ON * float(norm(origin)):
        place = ", ".join(f"{coordinate:.6g}" for coordinate in origin.tolist())
        raise ModelError(
            f"detector: its origin ({place}) m puts its plane at a distance of "
            f"{close_distance:g} m along the normal; it must be positive: it would be seen from "
            "behind, or its normal (-odet_vector) is another"
        )
    if right_distance:
        ratio = float(dot(beam, normal)) or SMALLEST_NORMAL
    distance = close_distance / ratio
    to_beam = distance * beam - origin
    return PanelGeometry(
        origin=origin,
        fast=fast,
        slow=slow,
        normal=normal,
        close_distance=close_distance,
        distance=distance,
        beam_fast=float(dot(fast, to_beam)),
        beam_slow=float(dot(slow, to_beam)),
        close_fast=-float(dot(origin, fast)),
        close_slow=-float(dot(origin, slow)),
        distance_at_rest=distance_at_rest,
    )


def pixel_position(
    fast_position: Array, slow_position: Array, depth: float, axes: Array, origin: Array
) -> list[Array]:
    """Positions on a flat panel.

    Parameters
    ----------
    fast_position, slow_position : array, shape (n,)
        Along the axes from the panel's origin (m).
    depth : float
        Into the sensor, along the normal (m).
    axes : array, shape (3, 3)
        Rows fast, slow, normal.
    origin : array, shape (3,)
        Outer corner of the first pixel (m).

    Returns
    -------
    list of 3 arrays, shape (n,)
        x, y, z (m).
    """
    fast, slow, normal = axes
    return [
        fast_position * fast[i] + slow_position * slow[i] + depth * normal[i] + origin[i]
        for i in range(3)
    ]


@dataclass(frozen=True)
class Bend:
    """How a flat panel is bent about the sample: two turns of a point on the beam.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        The point, at the radius of the detector (m).
    axes : ndarray, shape (2, 3)
        Unit vectors about which it is turned, one after the other.
    measures : ndarray, shape (2, 3)
        Scalar products with a position on the flat panel give the two ways (m) which
    offsets : ndarray, shape (2,)
        are subtracted from; divided by the radius they are the angles.
    radius : float
        Radius (m).
    radial : bool
        Rays fall on the sensor at right angles.
    """

    centre: np.ndarray
    axes: np.ndarray
    measures: np.ndarray
    offsets: np.ndarray
    radius: float
    radial: bool


def mirrored_bend(radius: float, beam: Array, fast: Array, slow: Array) -> Bend:
    """The C program's way to bend a panel (quirk Q19).

    Parameters
    ----------
    radius : float
        Radius (m).
    beam, fast, slow : array, shape (3,)
        Unit vectors.

    Returns
    -------
    Bend
        About the slow axis by y/radius and about the fast axis by z/radius: lab components with
        the angles exchanged, so that the image is mirrored.
    """
    return Bend(
        centre=radius * beam,
        axes=np.array([slow, fast]),
        measures=np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        offsets=np.zeros(2),
        radius=radius,
        radial=False,
    )


def right_bend(radius: float, beam: Array, fast: Array, slow: Array) -> Bend:
    """The right way to bend a panel.

    Parameters
    ----------
    radius : float
        Radius (m).
    beam, fast, slow : array, shape (3,)
        Unit vectors.

    Returns
    -------
    Bend
        About beam x fast by the way along fast from the direct beam, and about beam x slow by
        that along slow: near the beam the flat panel's pixels, whatever the handedness.

    Raises
    ------
    ModelError
        If the beam does not hit the flat panel, whose distance along it is the radius.
    """
    ratio = float(dot(beam, cross(fast, slow)))
    if not radius > 0.0 or abs(ratio) < EDGE_ON:
        raise ModelError(
            f"curved detector: its radius is the distance along the beam, {radius:g} m; the beam "
            "must hit the flat panel"
        )
    centre = radius * beam
    return Bend(
        centre=centre,
        axes=np.array([unit(cross(beam, fast)), unit(cross(beam, slow))]),
        measures=np.array([fast, slow]),
        offsets=np.array([float(dot(centre, fast)), float(dot(centre, slow))]),
        radius=radius,
        radial=True,
    )


def bend(position: list[Array], bending: Bend) -> Array:
    """Positions on a curved detector from those on the flat one.

    Parameters
    ----------
    position : list of 3 arrays, shape (n,)
        x, y, z on the flat panel (m).
    bending : Bend
        Centre, radius and axes of the cylinder.

    Returns
    -------
    array, shape (n, 3)
        Positions (m); the depth in the sensor does not change them.
    """
    xp = array_namespace(position[1])
    flat = xp.stack(position, axis=-1)
    turned = xp.broadcast_to(xp.asarray(bending.centre), flat.shape)
    for axis, measure, offset in zip(bending.axes, bending.measures, bending.offsets, strict=True):
        way = dot(flat, xp.asarray(measure)) - offset
        turned = rotate_axis(turned, xp.asarray(axis), way / bending.radius)
    return turned


def sub_pixel_centre(pixel: Array, sub_pixel: int, oversample: int, pixel_size: float) -> Array:
    """Where a sub-pixel's middle is along an axis of its panel.

    Parameters
    ----------
    pixel : array or int
        Number of the pixel along the axis.
    sub_pixel : int
        Number of the sub-pixel in it.
    oversample : int
        Sub-pixels of a pixel along the axis.
    pixel_size : float
        Edge of a pixel (m).

    Returns
    -------
    array or float
        From the panel's corner (m).
    """
    size = pixel_size / oversample
    return size * (pixel * oversample + sub_pixel) + size / 2.0
