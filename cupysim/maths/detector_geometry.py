"""Where a detector is: from distances, pivot and angles to origin and axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.constants import SMALLEST_NORMAL
from cupysim.errors import ModelError
from cupysim.maths.arrays import Array, array_namespace, dot
from cupysim.maths.rotations import rotate_axis, rotate_xyz


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
        Distance along the beam as the C program reports it (m; quirk Q7).
    beam_fast, beam_slow : float
        Direct beam from the outer corner of the first pixel (m; quirk Q7).
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

    Returns
    -------
    PanelGeometry
        The turned panel.

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
    if near_point is not None:
        origin = turn(-near_point[0] * fast - near_point[1] * slow + close_distance * normal)
    fast, slow, normal = turn(fast), turn(slow), turn(normal)
    if near_point is None:
        origin = -beam_spot[0] * fast - beam_spot[1] * slow + distance_at_rest * beam

    close_distance = float(dot(origin, normal))
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


def bend(position: list[Array], distance: float, beam: Array, fast: Array, slow: Array) -> Array:
    """Positions on a curved detector from those on the flat one.

    Parameters
    ----------
    position : list of 3 arrays, shape (n,)
        x, y, z on the flat panel (m).
    distance : float
        Radius (m).
    beam, fast, slow : array, shape (3,)
        Unit vectors.

    Returns
    -------
    array, shape (n, 3)
        The point at `distance` along the beam, turned about the slow axis by
        y/distance and about the fast axis by z/distance. The C program takes
        lab components and exchanges the angles, so the image is mirrored
        (quirk Q19).
    """
    xp = array_namespace(position[1])
    centre = xp.broadcast_to(distance * xp.asarray(beam), (*position[1].shape, 3))
    swung = rotate_axis(centre, slow, position[1] / distance)
    return rotate_axis(swung, fast, position[2] / distance)


def solid_angle(
    pixel_size: float, airpath: Array, close_distance: float, point_pixel: bool
) -> Array:
    """Solid angle of a pixel.

    Parameters
    ----------
    pixel_size : float
        Pixel edge (m).
    airpath : array
        Distance of the pixel from the sample (m).
    close_distance : float
        Distance of the panel's plane (m).
    point_pixel : bool
        Inverse-square law alone, without the pixel's area (quirk Q20).

    Returns
    -------
    array
        Solid angle (sr): (pixel/R)^2 close/R, or 1/R^2.
    """
    if point_pixel:
        return 1.0 / airpath / airpath
    return pixel_size * pixel_size / airpath / airpath * close_distance / airpath


def capture_fraction(layer: int, layer_step: float, attenuation: float, parallax: Array) -> Array:
    """Fraction of the photons which a layer of the sensor absorbs.

    Parameters
    ----------
    layer : int
        Number of the layer, from 0 at the front.
    layer_step : float
        Distance of layers (m).
    attenuation : float
        Attenuation coefficient mu (1/m).
    parallax : array
        Cosine between the photon's path and the detector normal.

    Returns
    -------
    array
        exp(-layer step mu/cos) - exp(-(layer+1) step mu/cos).
    """
    xp = array_namespace(parallax)
    return xp.exp(-layer * layer_step * attenuation / parallax) - xp.exp(
        -(layer + 1) * layer_step * attenuation / parallax
    )
