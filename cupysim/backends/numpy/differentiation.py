"""Derivatives of images with NumPy: readable, and the reference for the compiled backends.

This code differentiates forward: for each parameter, it computes how h, k, l and the factors of a
step change, and from that how the photons change. Compiled backends differentiate backward
(`cuda_src/gradient.cuh`). The two share little more than the plan, so they test each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cupysim.backends.derivatives import Gradients
from cupysim.backends.factor_derivatives import FactorSums
from cupysim.backends.numpy.oracle import BLOCK_SIZE, pixel_blocks
from cupysim.backends.numpy.rays import PixelBlock, Ray, rays
from cupysim.backends.rendered import Observer
from cupysim.maths import interpolation
from cupysim.maths.orientations import orientation_blocks
from cupysim.maths.polarization import polarization_form, polarization_of_form
from cupysim.plan.amorphous import intensity, intensity_slope
from cupysim.plan.diffuse_slopes import diffuse_factor_slopes, diffuse_slopes
from cupysim.plan.gradient_columns import FORMS, INDICES, ORIGIN, PHOTONS, SIZES, SPREAD, WAVELENGTH
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, spot_size
from cupysim.plan.structure_factor import interpolated_where, structure_factor_slopes
from cupysim.plan.weights import RayPath, weight_slopes


def differentiate(gradient_plan: GradientPlan, observer: Observer) -> Gradients:
    """Differentiate an image with NumPy.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the image and its derivatives.
    observer : Observer
        Receives the progress.

    Returns
    -------
    Gradients
        The image and its derivatives, exact except for rounding.
    """
    plan = gradient_plan.plan
    _, n_panels, n_slow, n_fast = plan.shape
    values = np.zeros((n_panels, len(gradient_plan.names) + 1, n_slow * n_fast))
    sums = FactorSums(plan, gradient_plan.shares) if gradient_plan.wants_factors else None
    scale = plan.photons_per_squared_electron[0] / plan.n_steps
    for panel in range(n_panels):
        for block in pixel_blocks(plan, 0, panel):
            differentiator = Differentiator(gradient_plan, block, sums)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
                for ray in rays(plan, block):
                    differentiator.add_ray(ray)
            values[panel, :, block.numbers] = scale * differentiator.results().T
            observer.pixels_done(len(block.numbers))
    return Gradients.of_panels(
        gradient_plan, values, structure_factors=None if sums is None else sums.result(scale)
    )


@dataclass
class _Terms:
    """Terms of the sum for some orientations of a ray, and their derivatives.

    They are those of Bragg reflections, or of diffuse scattering.

    Parameters
    ----------
    indices : list of 3 ndarray, shape (n_orientations, n_active)
        Fractional h, k, l.
    square : ndarray, shape (n_orientations, n_active)
        F_cell squared times F_latt squared, or diffuse scattering (electrons squared).
    along : list of 3 ndarray, shape (n_orientations, n_active)
        Derivatives of `square` with respect to h, k, l.
    sizes : list of ndarray, shape (n_orientations, n_active)
        Derivatives of `square` with respect to the sizes of the spot shape.
    forms : list of ndarray, shape (n_orientations, n_active)
        Derivatives with respect to the forms of halos and displacements, and to the logarithm of
        the scale. Reflections have none.
    """

    indices: list[np.ndarray]
    square: np.ndarray
    along: list[np.ndarray]
    sizes: list[np.ndarray]
    forms: list[np.ndarray]


class _Orientations(NamedTuple):
    """Some orientations of a ray.

    Parameters
    ----------
    cells : ndarray, shape (n_orientations, 3, 3)
        Rows a, b, c (m).
    growth : list of ndarray, shape (n_orientations, 3, n_active)
        Derivatives of h, k, l with respect to each spread; empty if there is none.
    strains : ndarray, shape (n_orientations, 3, 3), or None
        Strains of the cells, see `DomainSlopes`.
    """

    cells: np.ndarray
    growth: list[np.ndarray]
    strains: np.ndarray | None


class Differentiator:
    """Sums the photons of a block of pixels and their derivatives, ray by ray.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the image and its derivatives.
    block : PixelBlock
        The pixels.
    sums : FactorSums or None
        Where to add derivatives with respect to structure factors.
    """

    def __init__(
        self, gradient_plan: GradientPlan, block: PixelBlock, sums: FactorSums | None
    ) -> None:
        self.plan = gradient_plan.plan
        self.gradient_plan = gradient_plan
        self.domains = gradient_plan.domains
        self.rows = gradient_plan.rows[block.panel]
        self.block = block
        self.sums = sums
        self.photons = np.zeros(len(block.numbers))
        self.slopes = np.zeros((len(gradient_plan.names), len(block.numbers)))

    def add_ray(self, ray: Ray) -> None:
        """Add the terms and the background of a ray."""
        plan, block = self.plan, self.block
        n = len(block.numbers)
        weight = np.ones(n) if ray.weight is None else ray.weight
        active = np.arange(n) if ray.active is None else ray.active
        changes = [_RayChange(self.gradient_plan, block, ray, row) for row in self.rows]
        terms = np.full(n, plan.ray_background[0])
        term_slopes = np.zeros_like(self.slopes)
        if plan.amorphous.n_materials:
            terms += intensity(plan.amorphous, 0, ray.scattering_of_all)
            for number, change in enumerate(changes):
                term_slopes[number] += self._amorphous_slope(change, ray)
        for numbers, cells in self._orientations(ray, len(active)):
            part = self._terms(ray, cells)
            terms[active] += part.square.sum(axis=0)
            some = _Orientations(
                cells, self._growth(ray, numbers), self.domains.strains_of(numbers)
            )
            for number, change in enumerate(changes):
                term_slopes[number, active] += self._slope(part, change, some, active)
        self.photons += weight * terms
        for number, change in enumerate(changes):
            self.slopes[number] += weight * (
                term_slopes[number] + terms * (change.weight + change.row[PHOTONS])
            )

    def results(self) -> np.ndarray:
        """Derivatives, and photons in the last row, shape (n_parameters + 1, n)."""
        return np.vstack([self.slopes, self.photons])

    def _orientations(self, _: Ray, n_pixels: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Numbers and cell vectors of the orientations to compute, in blocks."""
        crystals = self.plan.crystals
        blocks = orientation_blocks(
            crystals.phi_cells[0, 0],
            crystals.mosaic_rotations[0, 0],
            max(1, BLOCK_SIZE // max(n_pixels, 1)),
        )
        for first, cells in blocks:
            yield np.arange(first, first + len(cells)), cells

    def _growth(self, ray: Ray, numbers: np.ndarray) -> list[np.ndarray]:
        """Derivatives of h, k, l with respect to each spread, shape (n, 3, n_active)."""
        if not self.rows[:, SPREAD:PHOTONS].any():
            return []
        scattering = np.stack(ray.scattering)
        slopes = self.domains.cell_slopes(self.plan.crystals, numbers)
        return [each @ scattering for each in slopes]

    def _diffuse_terms(self, ray: Ray, cells: np.ndarray) -> _Terms:
        plan = self.plan
        h, k, l = np.moveaxis(cells @ np.stack(ray.scattering), 1, 0)
        channel = int(plan.sources.channel[ray.source])
        if self.sums is not None:
            for reflection, slopes in diffuse_factor_slopes(
                plan.diffuse, plan.factors, channel, (h, k, l)
            ):
                self._add_factors(ray, [h, k, l], reflection, None, slopes)
        found = diffuse_slopes(plan.diffuse, plan.factors, channel, (h, k, l))
        return _Terms([h, k, l], found.value, found.along, [], [*found.forms, found.value])

    def _terms(self, ray: Ray, cells: np.ndarray) -> _Terms:
        if self.plan.diffuse.n_operations:
            return self._diffuse_terms(ray, cells)
        crystals = self.plan.crystals
        indices = list(np.moveaxis(cells @ np.stack(ray.scattering), 1, 0))
        nearest = [interpolation.nearest_index(index) for index in indices]
        offsets = [index - whole for index, whole in zip(indices, nearest, strict=True)]
        slopes = SPOT_SHAPES[crystals.shape].squared_slopes
        assert slopes is not None, "plans exist only for shapes with derivatives"
        lattice, along, sizes = slopes(
            (offsets[0], offsets[1], offsets[2]), spot_size(crystals, (0, 0))
        )
        h, k, l = indices
        factors, channel = self.plan.factors, int(self.plan.sources.channel[ray.source])
        factor, factor_along = structure_factor_slopes(factors, channel, (h, k, l))
        if self.sums is not None:
            interpolated = interpolated_where(factors, (h, k, l))
            self._add_factors(ray, indices, nearest, interpolated, 2.0 * factor * lattice)
        square = factor * factor
        return _Terms(
            indices,
            square * lattice,
            [
                square * slope + 2.0 * factor * steep * lattice
                for slope, steep in zip(along, factor_along, strict=True)
            ],
            [square * slope for slope in sizes],
            [],
        )

    def _add_factors(
        self,
        ray: Ray,
        indices: list[np.ndarray],
        reflection: list[np.ndarray],
        interpolated: np.ndarray | None,
        slopes: np.ndarray,
    ) -> None:
        """Add derivatives of terms with respect to structure factors, see `FactorSums.add`."""
        assert self.sums is not None
        active = slice(None) if ray.active is None else ray.active
        weight = 1.0 if ray.weight is None else ray.weight[active]
        first = self.block.panel * self.plan.shape[2] * self.plan.shape[3]
        pixels = np.broadcast_to(self.block.numbers[active] + first, slopes.shape)
        channel = int(self.plan.sources.channel[ray.source])
        self.sums.add(pixels, indices, reflection, interpolated, slopes * weight, channel)

    def _amorphous_slope(self, change: _RayChange, ray: Ray) -> np.ndarray:
        """Derivative of the scattering of amorphous matter, shape (n_pixels,)."""
        if change.scattering is None:
            return np.zeros(len(self.block.numbers))
        q = np.stack(ray.scattering_of_all)
        length = np.linalg.norm(q, axis=0)
        along = (change.scattering * q).sum(axis=0) / np.where(length > 0.0, length, 1.0)
        return intensity_slope(self.plan.amorphous, 0, ray.scattering_of_all) * along

    def _slope(
        self,
        part: _Terms,
        change: _RayChange,
        orientations: _Orientations,
        active: np.ndarray,
    ) -> np.ndarray:
        """Derivative of the sum of some terms with respect to one parameter, shape (n_active,)."""
        row = change.row
        indices = np.stack(part.indices)
        turn, strains = row[INDICES:ORIGIN].reshape(3, 3), orientations.strains
        if strains is None:
            moved = np.tensordot(turn, indices, axes=1)
        else:
            # strained cells have h = strain h0, and h0 changes by E h0
            turns = strains @ turn @ np.linalg.inv(strains)
            moved = np.moveaxis(turns @ np.moveaxis(indices, 0, 1), 1, 0)
        if change.scattering is not None:
            moved = moved + np.moveaxis(orientations.cells @ change.scattering[:, active], 1, 0)
        for of_spread, turned in zip(row[SPREAD:PHOTONS], orientations.growth, strict=False):
            if of_spread:
                moved = moved + of_spread * np.moveaxis(turned, 1, 0)
        total = sum(along * move for along, move in zip(part.along, moved, strict=True))
        for number, slope in enumerate(part.sizes):
            total = total + row[SIZES + number] * slope
        for number, slope in enumerate(part.forms):
            total = total + row[FORMS + number] * slope
        return np.asarray(total).sum(axis=0)


class _RayChange:
    """How the scattering vectors and weights of a ray change with one parameter.

    `scattering` is the derivative of the scattering vector q (1/m), shape (3, n), or None if q
    does not change. `weight` is the derivative of the weight w divided by w, of shape (n,) or a
    number.
    """

    def __init__(
        self, gradient_plan: GradientPlan, block: PixelBlock, ray: Ray, row: np.ndarray
    ) -> None:
        self.row = row
        self.scattering: np.ndarray | None = None
        self.weight: np.ndarray | float = 0.0
        if row[ORIGIN:WAVELENGTH].any():
            self._move_panel(gradient_plan.plan, block, ray)
        if row[WAVELENGTH:SIZES].any():
            self._move_source(gradient_plan, block, ray)

    def _move_source(self, gradient_plan: GradientPlan, block: PixelBlock, ray: Ray) -> None:
        """Change the wavelength and the direction of the source."""
        plan, weights = gradient_plan.plan, self.row[WAVELENGTH:SIZES]
        sources, slopes = plan.sources, gradient_plan.sources
        at = block.shot, ray.source
        longer = float(weights @ slopes.wavelengths[:, ray.source])
        turned = weights @ slopes.incident[:, ray.source]
        moved = -longer * np.stack(ray.scattering_of_all)
        moved -= turned[:, None] / sources.wavelength[at]
        self.scattering = moved if self.scattering is None else self.scattering + moved
        if plan.polar_use is Use.EACH and turned.any():
            x, y, z = np.stack(ray.position) / np.linalg.norm(ray.position, axis=0)
            of_ray = block.shot, [ray.source]
            form = polarization_form(
                sources.kahn[of_ray], sources.incident[of_ray], sources.polarization_axis[of_ray]
            )
            change = weights @ slopes.polarization[:, ray.source]
            self.weight = self.weight + (
                polarization_of_form(change, (x, y, z)) / polarization_of_form(form[0], (x, y, z))
            )

    def _move_panel(self, plan: RenderPlan, block: PixelBlock, ray: Ray) -> None:
        """Change the place and the axes of the panel."""
        row = self.row
        origin, close = row[ORIGIN : ORIGIN + 3], row[ORIGIN + 3]
        fast, slow, normal = row[ORIGIN + 4 : WAVELENGTH].reshape(3, 3)
        at = block.shot, block.panel
        depth = ray.layer * float(plan.panels.layer_step[at])
        along_fast, along_slow = ray.along
        moved = (
            origin[:, None] + depth * normal[:, None]
            + fast[:, None] * along_fast + slow[:, None] * along_slow
        )  # fmt: skip
        position = np.stack(ray.position)
        airpath = np.sqrt((position**2).sum(axis=0))
        direction = position / airpath
        stretched = (direction * moved).sum(axis=0) / airpath
        turned = moved / airpath - direction * stretched
        self.scattering = turned / plan.sources.wavelength[block.shot, ray.source]
        x, y, z = direction
        slopes = weight_slopes(plan, RayPath(*at, ray.source, ray.layer, airpath, (x, y, z)))
        along_direction = sum(
            slope * way for slope, way in zip(slopes.direction, turned, strict=True)
        )
        self.weight = (
            slopes.airpath * stretched
            + along_direction
            + slopes.close * close
            + slopes.normal * (normal @ direction)
        )
