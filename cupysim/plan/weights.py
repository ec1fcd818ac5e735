"""Weights of the terms of a pixel's sum, and their derivatives with respect to the geometry.

The NumPy backend, its gradients and predicted spots use this module. The compiled kernels have the
same formulas in `cuda_src/weights.cuh`.
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
    """The path of rays from the sample to a sensor layer of a panel.

    Parameters
    ----------
    shot, panel, layer : int
        Numbers of shot, panel and sensor layer.
    source : int or ndarray of int, shape (n,)
        Number of the source, one for all rays or one for each.
    airpath : ndarray, shape (n,)
        Length of the path of each ray (m).
    direction : tuple of 3 ndarray, shape (n,)
        Components x, y, z of the directions of the rays, unit vectors.
    """

    shot: int
    panel: int
    source: int | np.ndarray
    layer: int
    airpath: np.ndarray
    direction: Components


@dataclass(frozen=True)
class WeightSlopes:
    """Derivatives of the logarithm of the weight of a ray's terms.

    Parameters
    ----------
    airpath : ndarray, shape (n,)
        Derivatives with respect to the logarithm of the airpath.
    direction : list of 3 ndarray, shape (n,)
        Derivatives with respect to the components of the direction, at constant airpath.
    close : float
        Derivative with respect to the distance of the panel's plane (1/m).
    normal : ndarray, shape (n,)
        Derivatives with respect to the cosine between direction and normal, when the normal turns.
    """

    airpath: np.ndarray
    direction: list[np.ndarray]
    close: float
    normal: np.ndarray


def term_weight(plan: RenderPlan, path: RayPath) -> tuple[np.ndarray, np.ndarray]:
    """Weight of every term of a ray, independent of the use of other factors.

    Parameters
    ----------
    plan : RenderPlan
        Plan to render.
    path : RayPath
        Path of the ray.

    Returns
    -------
    weight : ndarray, shape (n,)
        Brightness of the source (quirk Q13).
    derivative : ndarray, shape (n,)
        Derivative of the weight's logarithm with respect to the airpath (1/m).
    """
    brightness = plan.sources.weight[path.shot, path.source]
    return np.full_like(path.airpath, brightness), np.zeros_like(path.airpath)


def largest_term_weight(plan: RenderPlan, shot: int, source: int) -> float:
    """An upper bound of `term_weight` for all directions, for images within a tolerance."""
    return float(plan.sources.weight[shot, source])


def constant_term_weights(plan: RenderPlan, shot: int, panel: int) -> np.ndarray | None:
    """Weights of the sources, if `term_weight` is the same for all rays.

    Parameters
    ----------
    plan : RenderPlan
        Plan to render.
    shot, panel : int
        Numbers of shot and panel.

    Returns
    -------
    ndarray, shape (n_sources,), or None
        The weights; None if they differ between some trial rays.
    """
    ways = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.6, 0.0, -0.8], [-0.28, -0.96, 0.0]])
    n_sources, n_ways = len(plan.sources.channel), len(ways)
    x, y, z = np.tile(ways, (n_sources, 1)).T
    airpath = np.tile([0.01, 0.1, 0.5, 2.0], n_sources)
    source = np.repeat(np.arange(n_sources), n_ways)
    weight, _ = term_weight(plan, RayPath(shot, panel, source, 0, airpath, (x, y, z)))
    found = weight.reshape(n_sources, n_ways)
    return found[:, 0] if (found == found[:, :1]).all() else None


def largest_polarization(plan: RenderPlan) -> float:
    """An upper bound of the polarization factor of all sources and directions."""
    sources = plan.sources
    return max(1.0, 0.5 * (1.0 + sources.largest_kahn)) if sources.polarized else 1.0


def plane_distance(plan: RenderPlan, shot: int, panel: int, layer: int) -> float:
    """Distance of the plane for the obliquity in solid angles (m).

    It is the distance of the layer if each term has its own solid angle, otherwise the distance of
    the first layer, as in the C program.
    """
    panels = plan.panels
    close_distance = float(panels.close_distance[shot, panel])
    is_radial = panels.bend is not None and panels.bend.radial
    own = plan.omega_use is Use.EACH and not is_radial
    return close_distance + layer * float(panels.layer_step[shot, panel]) if own else close_distance


def weight_slopes(plan: RenderPlan, path: RayPath) -> WeightSlopes:
    """Derivatives of the weights of rays whose terms have their own factors.

    Parameters
    ----------
    plan : RenderPlan
        Plan to differentiate. Its detector must be flat.
    path : RayPath
        Path of the rays.

    Returns
    -------
    WeightSlopes
        Derivatives of solid angle, absorbed fraction, polarization factor and `term_weight`.
    """
    panels = plan.panels
    distance = plane_distance(plan, path.shot, path.panel, path.layer)
    per_airpath, close = solid_angle_slopes(distance, panels.point_pixel)
    _, along = term_weight(plan, path)
    normal = np.zeros_like(path.airpath)
    direction = [np.zeros_like(path.airpath) for _ in range(3)]
    if plan.capture_use is Use.EACH:
        at = path.shot, path.panel
        axis = panels.normal[at]
        cosine = sum(x * n for x, n in zip(path.direction, axis, strict=True))
        sensor = path.layer, float(panels.layer_step[at]), float(panels.attenuation[at]), cosine
        normal = capture_slope(*sensor) / capture_fraction(*sensor)
        direction = [normal * component for component in axis]
    if plan.polar_use is Use.EACH:
        sources = plan.sources
        only = path.shot, np.atleast_1d(path.source)
        form = polarization_form(
            sources.kahn[only], sources.incident[only], sources.polarization_axis[only]
        ).T
        factor = polarization_of_form(form, path.direction)
        slopes = polarization_slopes(form, path.direction)
        direction = [one + slope / factor for one, slope in zip(direction, slopes, strict=True)]
    return WeightSlopes(per_airpath + path.airpath * along, direction, close, normal)
