"""Detector geometry: origin and axes of a panel from distances, pivot and angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN, SMALLEST_NORMAL
from cupysim.errors import ModelError
from cupysim.maths.arrays import Array, array_namespace, cross, dot, norm, unit
from cupysim.maths.rotations import rotate_axis, rotate_xyz

EDGE_ON = 1e-9
"""Distance of a panel's plane, relative to the distance of its origin, below which the panel is
edge-on."""


@dataclass(frozen=True)
class DetectorAngles:
    """Detector rotations: about the laboratory axes, then about the two-theta axis.

    Parameters
    ----------
    lab : tuple of 3 float
        Rotations about the lab axes x, y, z (rad), in this order.
    twotheta : float
        Rotation about the two-theta axis (rad), after the others.
    """

    lab: tuple[float, float, float] = (0.0, 0.0, 0.0)
    twotheta: float = 0.0

    def __post_init__(self) -> None:
        if len(self.lab) != 3 or not np.isfinite([*self.lab, self.twotheta]).all():
            raise ModelError(
                f"detector: expected three finite angles in lab and a finite twotheta, got {self}"
            )

    @classmethod
    def from_degrees(
        cls, x: float = 0.0, y: float = 0.0, z: float = 0.0, twotheta: float = 0.0
    ) -> DetectorAngles:
        """Make detector rotations from angles in degrees.

        Parameters
        ----------
        x, y, z : float, optional
            Rotations about the lab axes (degrees), in this order.
        twotheta : float, optional
            Rotation about the two-theta axis (degrees), after the others.
        """
        x, y, z, twotheta = (angle / DEGREES_PER_RADIAN for angle in (x, y, z, twotheta))
        return cls((x, y, z), twotheta)


@dataclass(frozen=True)
class PanelGeometry:
    """A flat panel in the laboratory: origin and axes, and the numbers that reports give.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        Outer corner of the first pixel (m).
    fast, slow, normal : ndarray, shape (3,)
        Unit vectors of the panel's axes.
    close_distance : float
        Distance of the panel's plane from the sample (m).
    distance : float
        Distance along the beam (m), as the C program reports it unless quirk Q7 is corrected.
    beam_fast, beam_slow : float
        Direct beam along fast and slow, from the outer corner of the first pixel (m). It depends
        on `distance`, and so on quirk Q7.
    close_fast, close_slow : float
        Point of normal incidence along fast and slow, from the same corner (m).
    distance_at_rest : float
        Distance along the beam that places the panel, before the detector rotations (m).
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
    """Cosine of the angle between beam and detector normal, without two-theta (quirk Q7).

    Parameters
    ----------
    beam, normal : array, shape (3,)
        Unit vectors.
    angles : DetectorAngles
        Detector rotations.

    Returns
    -------
    float
        Close distance divided by distance along the beam, never zero.
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
    """Place a panel, and turn it about the sample or about the direct beam.

    Parameters
    ----------
    axes : tuple of 3 arrays, shape (3,)
        Fast, slow and normal unit vectors before the rotations.
    beam : array, shape (3,)
        Direction of the beam, unit vector.
    twotheta_axis : array, shape (3,)
        Axis of the two-theta swing; its length is not changed (quirk Q4).
    angles : DetectorAngles
        Detector rotations.
    close_distance : float
        Distance of the plane from the sample before the rotations (m).
    near_point : tuple of 2 float or None
        Point of normal incidence along fast and slow (m) if the pivot is the sample; None if the
        pivot is the direct beam.
    beam_spot : tuple of 2 float
        Direct beam along fast and slow (m).
    origin : array, shape (3,), optional
        Outer corner of the first pixel after the rotations (m). It overrides distance, pivot and
        direct beam.
    right_distance : bool, optional
        Report distance and direct beam of the turned panel (quirk Q7 corrected).

    Returns
    -------
    PanelGeometry
        Panel after the rotations.

    Raises
    ------
    ModelError
        If the panel's plane contains the sample, or the sample is behind the panel. Without
        `origin`, only if quirk Q7 is corrected.

    Notes
    -----
    With the sample as pivot, the origin is computed first and turns with the axes. With the direct
    beam as pivot, the origin is computed from the turned axes and the beam.
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
                "detector: its rotations, with the direct beam as pivot, turn it by more than 90 "
                f"degrees; this would place it at {distance_at_rest:g} m along the beam"
            )
    close_distance = float(dot(origin, normal))
    if (placed or right_distance) and not close_distance > EDGE_ON * float(norm(origin)):
        place = ", ".join(f"{coordinate:.6g}" for coordinate in origin.tolist())
        raise ModelError(
            f"detector: its origin ({place}) m puts its plane at a distance of "
            f"{close_distance:g} m along the normal; it must be positive. Otherwise the panel is "
            "seen from behind, or its normal (-odet_vector) is wrong"
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
    """Convert positions on a flat panel to laboratory coordinates.

    Parameters
    ----------
    fast_position, slow_position : array, shape (n,)
        Positions along fast and slow from the panel's origin (m).
    depth : float
        Depth in the sensor, along the normal (m).
    axes : array, shape (3, 3)
        Rows fast, slow, normal: unit vectors.
    origin : array, shape (3,)
        Outer corner of the first pixel (m).

    Returns
    -------
    list of 3 arrays, shape (n,)
        Coordinates x, y, z in the laboratory (m).
    """
    fast, slow, normal = axes
    return [
        fast_position * fast[i] + slow_position * slow[i] + depth * normal[i] + origin[i]
        for i in range(3)
    ]


@dataclass(frozen=True)
class Bend:
    """Bend of a flat panel about the sample: two rotations of a point on the beam.

    The two rotation angles of a position on the flat panel are (measure . position - offset) /
    radius.

    Parameters
    ----------
    centre : ndarray, shape (3,)
        Point on the beam, at the radius of the detector (m).
    axes : ndarray, shape (2, 3)
        Unit vectors of the two rotation axes, in the order of the rotations.
    measures : ndarray, shape (2, 3)
        Vectors of the scalar products with a position on the flat panel.
    offsets : ndarray, shape (2,)
        Lengths (m) subtracted from these scalar products.
    radius : float
        Radius of the bent panel (m).
    radial : bool
        Whether rays meet the sensor at right angles.
    """

    centre: np.ndarray
    axes: np.ndarray
    measures: np.ndarray
    offsets: np.ndarray
    radius: float
    radial: bool


def mirrored_bend(radius: float, beam: Array, fast: Array, slow: Array) -> Bend:
    """Return the bend of the C program, which mirrors the image (quirk Q19).

    Parameters
    ----------
    radius : float
        Radius (m).
    beam, fast, slow : array, shape (3,)
        Unit vectors.

    Returns
    -------
    Bend
        Rotations about the slow axis by y/radius, and about the fast axis by z/radius. The
        C program uses the lab components y and z and exchanges the angles.
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
    """Return the correct bend, for panels of either handedness.

    Parameters
    ----------
    radius : float
        Radius (m).
    beam, fast, slow : array, shape (3,)
        Unit vectors.

    Returns
    -------
    Bend
        Rotations about beam x fast by the distance from the direct beam along fast, and about
        beam x slow by the distance along slow. Near the beam, pixels stay where they are on the
        flat panel.

    Raises
    ------
    ModelError
        If the beam does not hit the flat panel: the radius is the distance along the beam.
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
    """Convert positions on a flat panel to positions on the curved detector.

    Parameters
    ----------
    position : list of 3 arrays, shape (n,)
        Coordinates x, y, z on the flat panel (m).
    bending : Bend
        Centre, radius and axes of the cylinder.

    Returns
    -------
    array, shape (n, 3)
        Positions (m). The depth in the sensor does not change them.
    """
    xp = array_namespace(position[1])
    flat = xp.stack(position, axis=-1)
    turned = xp.broadcast_to(xp.asarray(bending.centre), flat.shape)
    for axis, measure, offset in zip(bending.axes, bending.measures, bending.offsets, strict=True):
        way = dot(flat, xp.asarray(measure)) - offset
        turned = rotate_axis(turned, xp.asarray(axis), way / bending.radius)
    return turned


def sub_pixel_centre(pixel: Array, sub_pixel: int, oversample: int, pixel_size: float) -> Array:
    """Position of a sub-pixel's centre along an axis of its panel.

    Parameters
    ----------
    pixel : array or int
        Number of the pixel along the axis.
    sub_pixel : int
        Number of the sub-pixel in the pixel.
    oversample : int
        Number of sub-pixels of a pixel along the axis.
    pixel_size : float
        Pixel edge (m).

    Returns
    -------
    array or float
        Position from the panel's corner (m).
    """
    size = pixel_size / oversample
    return size * (pixel * oversample + sub_pixel) + size / 2.0
