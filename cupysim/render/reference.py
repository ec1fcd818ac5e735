"""The NumPy backend: readable, in double precision, the oracle of all others.

Pixels are worked through in blocks which fit the processor's cache, each step
of a block as array operations in the C program's order: running products,
kept factors and the end of interpolation come out as its serial loops have
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cupysim.maths import interpolation, lattice_factor
from cupysim.models.crystal import Shape
from cupysim.render.plan import RenderPlan, orientation_blocks
from cupysim.render.rays import PixelBlock, Ray, rays, sum_products

BLOCK_SIZE = 8192
"""Pixels times orientations in one array operation; a dozen such arrays of
float64 fit a second-level cache."""

KEPT_ORIENTATIONS = 100_000
"""Orientations whose cell vectors are kept; more are made again when needed."""

Indices = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class InterpolationStop:
    """The step which switched interpolation off (quirk Q23).

    Parameters
    ----------
    pixel : int
        Its pixel, slow * n_fast + fast.
    step : int
        Serial number of the step within the pixel.
    indices : tuple of 3 float
        Fractional h, k, l which lie outside the table.
    """

    pixel: int
    step: int
    indices: tuple[float, float, float]


@dataclass
class Rendered:
    """What a backend gives back.

    Parameters
    ----------
    image : ndarray of float32, shape (n_shots, n_panels, n_slow, n_fast)
        Expected photons in each pixel; zero where nothing was computed.
    omega_sum : float
        Sum of solid angles over pixels, layers and sub-pixels (sr).
    n_rendered : int
        Number of pixels computed.
    interpolation_stop : InterpolationStop or None
        Where interpolation ended, if it did.
    """

    image: np.ndarray
    omega_sum: float = 0.0
    n_rendered: int = 0
    interpolation_stop: InterpolationStop | None = None


class Tap(Protocol):
    """What listens to the steps of a render."""

    def step(
        self,
        block: PixelBlock,
        ray: Ray,
        indices: Indices,
        amplitudes: tuple[np.ndarray, np.ndarray],
        cells: np.ndarray,
    ) -> None:
        """Some orientations of a ray: h, k, l, (F_cell, F_latt), a b c."""

    def interpolation_stopped(self, stop: InterpolationStop) -> None:
        """Interpolation ends in the block which follows."""

    def finished(self, block: PixelBlock, total: np.ndarray, photons: np.ndarray) -> None:
        """A block is done: its sums and its photons."""


def render(
    plan: RenderPlan,
    progress: Callable[[int], None] | None = None,
    tap: Tap | None = None,
) -> Rendered:
    """Compute an image.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    progress : callable, optional
        Called with the number of pixels done since the last call.
    tap : Tap, optional
        Listens to every step.

    Returns
    -------
    Rendered
        The image and what is reported of it.
    """
    result = Rendered(np.zeros(plan.shape, dtype=np.float32))
    for shot in range(plan.shape[0]):
        renderer = _Renderer(plan, shot, tap)
        for panel in range(plan.shape[1]):
            image = result.image[shot, panel].reshape(-1)
            for block in pixel_blocks(plan, shot, panel):
                with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
                    photons = renderer.render_block(block)
                image[block.numbers] = photons
                result.omega_sum += float(np.add.accumulate(block.omega_sum)[-1])
                result.n_rendered += len(photons)
                if progress is not None:
                    progress(len(photons))
        result.interpolation_stop = renderer.interpolation_stop
    return result


def pixel_blocks(plan: RenderPlan, shot: int, panel: int) -> Iterator[PixelBlock]:
    """The pixels to compute, in raster order, a block at a time.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    shot, panel : int
        Which image.

    Yields
    ------
    PixelBlock
        At most `BLOCK_SIZE` pixels of the region and the mask.
    """
    n_fast = plan.shape[3]
    columns = np.arange(plan.columns.start, plan.columns.stop)
    if len(columns) == 0:
        return
    rows_at_once = max(1, BLOCK_SIZE // len(columns))
    for row in range(plan.rows.start, plan.rows.stop, rows_at_once):
        rows = np.arange(row, min(row + rows_at_once, plan.rows.stop))
        numbers = (rows[:, None] * n_fast + columns).reshape(-1)
        if plan.mask is not None:
            numbers = numbers[plan.mask[panel].reshape(-1)[numbers]]
        for first in range(0, len(numbers), BLOCK_SIZE):
            some = numbers[first : first + BLOCK_SIZE]
            slow, fast = np.divmod(some, n_fast)
            yield PixelBlock(shot, panel, some, fast.astype(float), slow.astype(float))


class _Renderer:
    """Renders blocks one after the other, with the state which spans them."""

    def __init__(self, plan: RenderPlan, shot: int, tap: Tap | None) -> None:
        self.plan = plan
        self.shot = shot
        self.tap = tap
        self.first_sweep_pending = plan.crystals.first_cell is not None
        self.interpolating = plan.factors.interpolate
        self.interpolation_stop: InterpolationStop | None = None
        self._kept: dict[tuple[int, int], list[tuple[int, np.ndarray]]] = {}

    def render_block(self, block: PixelBlock) -> np.ndarray:
        """Photons in the pixels of a block, float32."""
        plan, n_orientations = self.plan, self.plan.crystals.n_orientations
        patch = self._first_sweep(block) if self.first_sweep_pending else None
        stop = self._find_interpolation_stop(block, patch) if self.interpolating else None
        total = np.full(len(block.numbers), plan.background)
        for ray in rays(plan, block):
            for crystal in range(len(plan.crystals.n_cells)):
                for first, cells in self._orientations(crystal, len(block.numbers)):
                    indices = self._indices(ray, cells, first, crystal, patch)
                    lattice = self._lattice_factor(indices, crystal)
                    cell_factor = self._structure_factor(
                        indices, ray, ray.number * n_orientations + first, stop
                    )
                    terms = cell_factor * cell_factor * lattice * lattice
                    if self.tap is not None:
                        self.tap.step(block, ray, indices, (cell_factor, lattice), cells)
                    self._accumulate(total, terms, lattice, block, ray)
        if stop is not None:
            self.interpolating = False
        photons = self._photons(block, total)
        if self.tap is not None:
            self.tap.finished(block, total, photons)
        return photons

    def _orientations(self, crystal: int, n_pixels: int) -> Iterator[tuple[int, np.ndarray]]:
        """Cell vectors of all orientations, in blocks of shape (n, 3, 3)."""
        size = max(1, BLOCK_SIZE // n_pixels)
        crystals = self.plan.crystals
        if crystals.n_orientations > KEPT_ORIENTATIONS:
            return orientation_blocks(crystals, self.shot, crystal, size)
        key = (crystal, size)
        if key not in self._kept:
            self._kept = {key: list(orientation_blocks(crystals, self.shot, crystal, size))}
        return iter(self._kept[key])

    def _indices(
        self,
        ray: Ray,
        cells: np.ndarray,
        first: int,
        crystal: int,
        patch: tuple[int, int] | None,
    ) -> Indices:
        """Fractional h, k, l of a ray, shape (n_orientations, n_active)."""
        h, k, l = (_miller_index(cells[:, axis], ray.scattering) for axis in range(3))
        if patch is not None and patch[1] == ray.number:
            self._patch_first_sweep(ray, (h, k, l), first, crystal, patch[0])
        return h, k, l

    def _patch_first_sweep(
        self, ray: Ray, indices: Indices, first: int, crystal: int, pixel: int
    ) -> None:
        """Put the untouched orientation into the very first sweep (quirk Q3)."""
        crystals = self.plan.crystals
        assert crystals.first_cell is not None
        rotations = crystals.mosaic_rotations[crystal][first : first + len(indices[0])]
        position = pixel if ray.active is None else int(np.searchsorted(ray.active, pixel))
        scattering = [component[position : position + 1] for component in ray.scattering]
        for axis, index in enumerate(indices):
            vector = crystals.first_cell[self.shot, crystal, axis]
            turned = sum_products([rotations[..., i] for i in range(3)], vector)
            index[: len(turned), position] = _miller_index(turned, scattering)[:, 0]

    def _first_sweep(self, block: PixelBlock) -> tuple[int, int] | None:
        """Pixel of the block and ray of the first sweep which is executed."""
        earliest = None
        for ray in rays(self.plan, block):
            pixels = np.arange(len(block.numbers)) if ray.active is None else ray.active
            if len(pixels) and (earliest is None or pixels[0] < earliest[0]):
                earliest = (int(pixels[0]), ray.number)
            if earliest is not None and earliest[0] == 0:
                break
        self.first_sweep_pending = earliest is None
        return earliest

    def _lattice_factor(self, indices: Indices, crystal: int) -> np.ndarray:
        crystals = self.plan.crystals
        n_cells = crystals.n_cells[crystal]
        if crystals.shape is Shape.SQUARE:
            return lattice_factor.square(indices, n_cells)
        dh, dk, dl = (index - interpolation.nearest_index(index) for index in indices)
        if crystals.shape is Shape.ROUND:
            return lattice_factor.round_crystal((dh, dk, dl), n_cells, crystals.fudge)
        distance_squared = lattice_factor.reciprocal_distance_squared(
            (dh, dk, dl), crystals.reciprocal[crystal], n_cells
        )
        if crystals.shape is Shape.GAUSS:
            return lattice_factor.gauss(distance_squared, n_cells, crystals.fudge)
        return lattice_factor.tophat(distance_squared, n_cells, crystals.fudge)

    def _structure_factor(
        self, indices: Indices, ray: Ray, step: int, stop: tuple[int, int] | None
    ) -> np.ndarray:
        """F of the unit cell, interpolated where interpolation is still on."""
        factors = self.plan.factors
        if factors.is_constant:
            return np.full_like(indices[0], factors.default)
        table = factors.table[self.plan.sources.channel[ray.source]]
        if self.interpolating and stop is None:
            return interpolation.tricubic(indices, table, factors.first)
        whole = tuple(interpolation.nearest_index(index) for index in indices)
        values = interpolation.nearest((whole[0], whole[1], whole[2]), table, factors.first)
        if stop is not None:
            pixels = np.arange(indices[0].shape[1]) if ray.active is None else ray.active
            steps = step + np.arange(len(indices[0]))[:, None]
            before = (pixels < stop[0]) | ((pixels == stop[0]) & (steps < stop[1]))
            h, k, l = (index[before] for index in indices)
            values[before] = interpolation.tricubic((h, k, l), table, factors.first)
        return values

    def _find_interpolation_stop(
        self, block: PixelBlock, patch: tuple[int, int] | None
    ) -> tuple[int, int] | None:
        """Pixel of the block and step at which interpolation ends, if it does."""
        plan, factors = self.plan, self.plan.factors
        n_orientations = plan.crystals.n_orientations
        lengths = [n - 2 for n in factors.table.shape[1:]]
        best: tuple[int, int] | None = None
        at = (0.0, 0.0, 0.0)
        for ray in rays(plan, block):
            for first, cells in self._orientations(0, len(block.numbers)):
                indices = self._indices(ray, cells, first, 0, patch)
                outside = interpolation.out_of_range(indices, factors.first, lengths)
                if not outside.any():
                    continue
                if not plan.has_background:
                    outside &= self._lattice_factor(indices, 0) != 0.0
                orientation, position = np.nonzero(outside)
                if len(position) == 0:
                    continue
                # the first pixel in raster order, and its first orientation in this ray
                chosen = np.lexsort((orientation, position))[0]
                pixel = int(position[chosen])
                where = (orientation[chosen], position[chosen])
                if ray.active is not None:
                    pixel = int(ray.active[pixel])
                step = ray.number * n_orientations + first + int(orientation[chosen])
                if best is None or pixel < best[0]:
                    best, at = (pixel, step), _triple(indices, where)
        if best is not None:
            self.interpolation_stop = InterpolationStop(int(block.numbers[best[0]]), best[1], at)
            if self.tap is not None:
                self.tap.interpolation_stopped(self.interpolation_stop)
        return best

    def _accumulate(
        self,
        total: np.ndarray,
        terms: np.ndarray,
        lattice: np.ndarray,
        block: PixelBlock,
        ray: Ray,
    ) -> None:
        """Add the terms to the pixels' sums, one orientation after the other."""
        plan = self.plan
        chosen = slice(None) if ray.active is None else ray.active
        factors = [
            factor[chosen]
            for wanted, factor in (
                (plan.oversample_thick, block.capture),
                (plan.oversample_polar, block.polar),
                (plan.oversample_omega, block.omega),
            )
            if wanted
        ]
        sums = total[chosen]
        for term, amplitude in zip(terms, lattice, strict=True):
            if not factors:
                sums = sums + term
                continue
            product = sums + term
            for factor in factors:
                product = product * factor
            executed = plan.has_background | (amplitude != 0.0)
            sums = np.where(executed, product, sums)
        total[chosen] = sums

    def _photons(self, block: PixelBlock, total: np.ndarray) -> np.ndarray:
        """Photons in the pixels from their sums."""
        plan = self.plan
        photons = plan.photons_per_squared_electron * total / plan.n_steps
        if not plan.oversample_thick:
            photons = photons * block.capture
        if not plan.oversample_polar:
            photons = photons * block.polar
        if not plan.oversample_omega:
            photons = photons * block.omega
        # added to the empty image, so that -0 becomes 0
        return (0.0 + photons).astype(np.float32)


def _miller_index(vectors: np.ndarray, scattering: list[np.ndarray]) -> np.ndarray:
    """Scalar products of cell vectors (n, 3) with scattering vectors: (n, n_pixels)."""
    q = scattering
    index = vectors[:, 0, None] * q[0]
    index += vectors[:, 1, None] * q[1]
    index += vectors[:, 2, None] * q[2]
    return index


def _triple(indices: Indices, where: tuple[int, int]) -> tuple[float, float, float]:
    h, k, l = (float(index[where]) for index in indices)
    return h, k, l
