"""What multiplies the terms of a pixel's sum, and how it changes with geometry.

One place for the NumPy backend, predicted spots and NumPy gradients; `cuda_src/weights.cuh` is its
twin for compiled kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.maths.arrays import Components
from cupysim.maths.pixel_factors import capture_fraction, capture_slope, solid_angle_slopes
from cupysim.maths.polarization import (
    polarization_form,
    polarization_of_form,
    polarization_slopes,
)
from cupysim.plan.render_plan import RenderPlan, Use


@dataclass(frozen=True)
class RayPath:
    """The way of a ray from the sample to a layer of a panel.

    Parameters
    ----------
    shot, panel, source, layer : int
        Of which shot, to which panel, from which source, into which layer.
    airpath : ndarray, shape (n,)
        Its length (m).
    direction : tuple of 3 ndarray, shape (n,)
        Unit vectors.
    """

    shot: int
    panel: int
    source: int
    layer: int
    airpath: np.ndarray
    direction: Components


@dataclass(frozen=True)
class WeightSlopes:
    """Derivatives of the logarithm of what multiplies the terms of a ray.

    Parameters
    ----------
    airpath : ndarray, shape (n,)
        With respect to the logarithm of the airpath.
    direction : list of 3 ndarray, shape (n,)
        With respect to the components of the direction, at the same airpath.
    close : float
        With respect to the distance of the panel's plane (1/m).
    normal : ndarray, shape (n,)
        With respect to the cosine between direction and normal, for a normal which turns.
    """

    airpath: np.ndarray
    direction: list[np.ndarray]
    close: float
    normal: np.ndarray


def term_weight(plan: RenderPlan, path: RayPath) -> tuple[np.ndarray, np.ndarray]:
    """What every term of a ray is multiplied by, whatever the quirks.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    path : RayPath
        The ray.

    Returns
    -------
    weight : ndarray, shape (n,)
        The source's brightness (quirk Q13).
    derivative : ndarray, shape (n,)
        That of the weight's logarithm with respect to the airpath (1/m).
    """
    brightness = plan.sources.weight[path.shot, path.source]
    return np.full_like(path.airpath, brightness), np.zeros_like(path.airpath)


def plane_distance(plan: RenderPlan, shot: int, panel: int, layer: int) -> float:
    """Distance of the plane by which solid angles are slanted (m).

    The layer's own, where each term has its own solid angle; the C program takes the first
    layer's for all.
    """
    panels = plan.panels
    close_distance = float(panels.close_distance[shot, panel])
    is_radial = panels.bend is not None and panels.bend.radial
    own = plan.omega_use is Use.EACH and not is_radial
    return close_distance + layer * panels.layer_step if own else close_distance


def weight_slopes(plan: RenderPlan, path: RayPath) -> WeightSlopes:
    """How photons of a ray change with its way, where each term has its own factors.

    Parameters
    ----------
    plan : RenderPlan
        What is differentiated; its detector is flat.
    path : RayPath
        The ray.

    Returns
    -------
    WeightSlopes
        Of solid angle, absorbed fraction, polarization factor and `term_weight`.
    """
    panels = plan.panels
    distance = plane_distance(plan, path.shot, path.panel, path.layer)
    per_airpath, close = solid_angle_slopes(distance, panels.point_pixel)
    _, along = term_weight(plan, path)
    normal = np.zeros_like(path.airpath)
    direction = [np.zeros_like(path.airpath) for _ in range(3)]
    if plan.capture_use is Use.EACH:
        axis = panels.normal[path.shot, path.panel]
        cosine = sum(x * n for x, n in zip(path.direction, axis, strict=True))
        sensor = path.layer, panels.layer_step, panels.attenuation, cosine
        normal = capture_slope(*sensor) / capture_fraction(*sensor)
        direction = [normal * component for component in axis]
    if plan.polar_use is Use.EACH:
        sources = plan.sources
        incident = sources.incident[path.shot, path.source : path.source + 1]
        (form,) = polarization_form(sources.kahn, incident, sources.polarization_axis)
        factor = polarization_of_form(form, path.direction)
        slopes = polarization_slopes(form, path.direction)
        direction = [one + slope / factor for one, slope in zip(direction, slopes, strict=True)]
    return WeightSlopes(per_airpath + path.airpath * along, direction, close, normal)
