"""Rays from the crystal to the sub-pixels: the geometry of the NumPy backend.

For each sensor layer, sub-pixel and source, `rays` yields the scattering vectors of a block of
pixels. It keeps in the block what the C program keeps for a pixel: the solid angle, the absorbed
fraction and the polarization factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cupysim.maths.arrays import unit
from cupysim.maths.detector_geometry import bend, pixel_position, sub_pixel_centre
from cupysim.maths.pixel_factors import capture_fraction, solid_angle
from cupysim.maths.polarization import polarization_factor
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.weights import RayPath, plane_distance, term_weight


@dataclass
class PixelBlock:
    """Some pixels in raster order, and the factors kept for each of them.

    Parameters
    ----------
    shot, panel : int
        Numbers of the shot and of the panel.
    numbers : ndarray of int, shape (n,)
        Pixel numbers, slow * n_fast + fast.
    fast, slow : ndarray, shape (n,)
        Pixel coordinates as float64 (pixels).
    airpath : ndarray, shape (n,)
        Distance from the crystal to the current sub-pixels (m).
    omega, polar, capture : ndarray, shape (n,)
        Solid angle (sr), polarization factor and absorbed fraction. If the plan uses a factor
        once, it is that of the first sub-pixel and source; the absorbed fraction is then that of
        the current layer (quirk Q21).
    omega_sum : ndarray, shape (n,)
        Sum of the solid angles over layers and sub-pixels (sr).
    """

    shot: int
    panel: int
    numbers: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    airpath: np.ndarray = field(init=False)
    omega: np.ndarray = field(init=False)
    polar: np.ndarray = field(init=False)
    capture: np.ndarray = field(init=False)
    omega_sum: np.ndarray = field(init=False)

    def reset(self, plan: RenderPlan) -> None:
        """Forget the kept factors, before the first ray."""
        n = len(self.numbers)
        self.omega = np.zeros(n)
        self.omega_sum = np.zeros(n)
        self.polar = np.full(n, 0.0 if plan.sources.polarized else 1.0)
        self.capture = np.ones(n)


@dataclass
class Ray:
    """Scattering from one source into one sub-pixel and layer of each pixel.

    Parameters
    ----------
    number : int
        Serial number. It counts layer, slow sub-pixel, fast sub-pixel and source (fastest).
    source, layer : int
        Numbers of the source and of the sensor layer.
    along : tuple of 2 ndarray, shape (n,)
        Coordinates of the sub-pixels along the panel's fast and slow axis (m).
    active : ndarray of int or None
        Places, in the block, of the pixels within the resolution limit; None for all.
    scattering : list of 3 arrays, shape (n_active,)
        Components of the scattering vectors of active pixels (1/m).
    position : list of 3 arrays, shape (n,)
        Components of the positions of the sub-pixels (m).
    scattering_of_all : list of 3 arrays, shape (n,)
        Components of the scattering vectors of all pixels, active or not (1/m).
    weight : ndarray, shape (n,), or None
        Factor of each term: the source weight times the factors that the plan uses for each
        term; None for 1.
    """

    number: int
    source: int
    layer: int
    along: tuple[np.ndarray, np.ndarray]
    active: np.ndarray | None
    scattering: list[np.ndarray]
    position: list[np.ndarray]
    scattering_of_all: list[np.ndarray]
    weight: np.ndarray | None


def rays(plan: RenderPlan, block: PixelBlock) -> Iterator[Ray]:
    """All rays into a block of pixels, in the C program's order.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    block : PixelBlock
        The pixels. Its kept factors are those of the ray that was yielded last.

    Yields
    ------
    Ray
        The ray of each layer, sub-pixel and source.
    """
    panels, at = plan.panels, (block.shot, block.panel)
    axes = np.stack([panels.fast[at], panels.slow[at], panels.normal[at]])
    fast_size, slow_size = float(panels.pixel_fast[at]), float(panels.pixel_slow[at])
    block.reset(plan)
    number = 0
    for layer in range(panels.n_layers):
        block.capture[:] = 1.0 if panels.absorbs_all else 0.0
        for sub_slow in range(plan.oversample):
            slow = sub_pixel_centre(block.slow, sub_slow, plan.oversample, slow_size)
            for sub_fast in range(plan.oversample):
                fast = sub_pixel_centre(block.fast, sub_fast, plan.oversample, fast_size)
                depth = layer * float(panels.layer_step[at])
                position = pixel_position(fast, slow, depth, axes, panels.origin[at])
                if panels.bend is not None:
                    bent = bend(position, panels.bend)
                    position = [bent[:, 0], bent[:, 1], bent[:, 2]]
                block.airpath = _length(position)
                diffracted = [x / block.airpath for x in position]
                _keep_solid_angle(plan, block, layer)
                _keep_capture(plan, block, layer, diffracted, axes[2])
                for source in range(plan.sources.wavelength.shape[1]):
                    numbers = number, source, layer
                    ray, diffracted = _ray(plan, block, numbers, (fast, slow), position, diffracted)
                    yield ray
                    number += 1


def _ray(
    plan: RenderPlan,
    block: PixelBlock,
    numbers: tuple[int, int, int],
    along: tuple[np.ndarray, np.ndarray],
    position: list[np.ndarray],
    diffracted: list[np.ndarray],
) -> tuple[Ray, list[np.ndarray]]:
    """One ray, and the diffracted directions for the next source.

    The C program's polarization routine normalises the diffracted vector in place. So the vector
    of later sources differs in its last bits.
    """
    number, source, layer = numbers
    incident = plan.sources.incident[block.shot, source]
    wavelength = plan.sources.wavelength[block.shot, source]
    scattering = [(d - i) / wavelength for d, i in zip(diffracted, incident, strict=True)]
    active, scattering_of_all = None, scattering
    if plan.dmin > 0.0:
        stol = 0.5 * _length(scattering)
        with np.errstate(divide="ignore"):
            keep = ~((stol > 0.0) & (plan.dmin > 0.5 / stol))
        if not keep.all():
            active = np.flatnonzero(keep)
            scattering = [component[active] for component in scattering]
    diffracted = _keep_polarization(plan, block, active, source, diffracted)
    x, y, z = diffracted
    path = RayPath(block.shot, block.panel, source, layer, block.airpath, (x, y, z))
    weight = _ray_weight(plan, block, path)
    ray = Ray(number, source, layer, along, active, scattering, position, scattering_of_all, weight)
    return ray, diffracted


def _ray_weight(plan: RenderPlan, block: PixelBlock, path: RayPath) -> np.ndarray | None:
    weight, _ = term_weight(plan, path)
    if Use.EACH not in plan.uses and (weight == 1.0).all():
        return None
    for use, factor in zip(plan.uses, (block.capture, block.polar, block.omega), strict=True):
        if use is Use.EACH:
            weight *= factor
    return weight


def _keep_solid_angle(plan: RenderPlan, block: PixelBlock, layer: int) -> None:
    if plan.omega_use is not Use.ONCE or not block.omega.all():
        close_distance = plane_distance(plan, block.shot, block.panel, layer)
        area = float(plan.panels.pixel_area[block.shot, block.panel])
        block.omega = solid_angle(area, block.airpath, close_distance, plan.panels.point_pixel)
    block.omega_sum += block.omega


def _keep_capture(
    plan: RenderPlan,
    block: PixelBlock,
    layer: int,
    diffracted: list[np.ndarray],
    normal: np.ndarray,
) -> None:
    again = plan.capture_use is not Use.ONCE
    needed = np.full(len(block.capture), True) if again else block.capture == 0.0
    if needed.any():
        panels = plan.panels
        x, y, z = diffracted
        parallax = x * normal[0] + y * normal[1] + z * normal[2]
        if panels.bend is not None and panels.bend.radial:
            parallax = np.ones_like(x)
        at = block.shot, block.panel
        step, attenuation = float(panels.layer_step[at]), float(panels.attenuation[at])
        fraction = capture_fraction(layer, step, attenuation, parallax)
        block.capture = np.where(needed, fraction, block.capture)


def _keep_polarization(
    plan: RenderPlan,
    block: PixelBlock,
    active: np.ndarray | None,
    source: int,
    diffracted: list[np.ndarray],
) -> list[np.ndarray]:
    again = plan.polar_use is not Use.ONCE
    needed = np.full(len(block.polar), True) if again else block.polar == 0.0
    # a background also scatters beyond the resolution limit
    if active is not None and plan.polar_use is not Use.EACH:
        reached = np.zeros(len(needed), dtype=bool)
        reached[active] = True
        needed &= reached
    if not needed.any():
        return diffracted
    length = _length(diffracted)
    normalised = [np.where(needed, d / length, d) for d in diffracted]
    sources, at = plan.sources, (block.shot, source)
    factor = polarization_factor(
        float(sources.kahn[at]),
        unit(sources.incident[at]),
        normalised,
        sources.polarization_axis[at],
    )
    block.polar = np.where(needed, factor, block.polar)
    return normalised


def _length(components: list[np.ndarray]) -> np.ndarray:
    x, y, z = components
    return np.sqrt(x * x + y * y + z * z)
