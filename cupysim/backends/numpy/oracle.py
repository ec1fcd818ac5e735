"""Rendering with NumPy: readable, in double precision, the reference for all other backends.

The code works through the pixels in blocks that fit the processor's cache. Each step of a block is
computed with array operations in the order of the C program. So running products, kept factors and
the end of interpolation are those of the C program's serial loops.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cupysim.backends.numpy.rays import PixelBlock, Ray, rays
from cupysim.backends.numpy.tap import Step, Tap
from cupysim.backends.rendered import BY_NUMPY, InterpolationStop, Observer, Rendered
from cupysim.maths import interpolation
from cupysim.maths.orientations import orientation_blocks
from cupysim.maths.rotations import apply_matrix
from cupysim.plan.amorphous import intensity
from cupysim.plan.diffuse import diffuse_terms
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, Indices, spot_size
from cupysim.plan.structure_factor import nearest_factor, structure_factor

BLOCK_SIZE = 8192
"""Pixels times orientations in one array operation. A dozen such arrays of float64 fit a
second-level cache."""

KEPT_ORIENTATIONS = 100_000
"""Largest number of orientations for which cell vectors are kept. If there are more, they are
computed again when needed."""


def render(plan: RenderPlan, observer: Observer) -> Rendered:
    """Compute images.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    observer : Observer
        Receives the progress; a `Tap` also receives every step.

    Returns
    -------
    Rendered
        The images, and what reports need to know of them.
    """
    image = np.zeros(plan.shape, dtype=np.float32)
    omega_sum = np.zeros(plan.shape[:2])
    n_rendered = np.zeros(plan.shape[:2], dtype=np.int64)
    stops = []
    for shot in range(plan.shape[0]):
        renderer = BlockRenderer(plan, shot, observer)
        for panel in range(plan.shape[1]):
            pixels = image[shot, panel].reshape(-1)
            for block in pixel_blocks(plan, shot, panel):
                with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
                    pixels[block.numbers] = renderer.render_block(block)
                omega_sum[shot, panel] += np.add.accumulate(block.omega_sum)[-1]
                n_rendered[shot, panel] += len(block.numbers)
                observer.pixels_done(len(block.numbers))
        stops.append(renderer.interpolation_stop)
    return Rendered(image, omega_sum, n_rendered, stops, BY_NUMPY)


def pixel_blocks(plan: RenderPlan, shot: int, panel: int) -> Iterator[PixelBlock]:
    """The pixels to compute, in raster order, one block at a time.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot, panel : int
        Numbers of the shot and of the panel.

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


class BlockRenderer:
    """Renders blocks one after the other, and keeps the state that passes from block to block.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot : int
        Number of the shot. Its panels are rendered one after the other.
    observer : Observer
        Receives the progress; a `Tap` also receives every step.
    """

    def __init__(self, plan: RenderPlan, shot: int, observer: Observer) -> None:
        self.plan = plan
        self.shot = shot
        self.observer = observer
        self.tap = observer if isinstance(observer, Tap) else None
        self.first_sweep_pending = plan.crystals.first_cell is not None
        self.interpolating = plan.factors.interpolate
        self.interpolation_stop: InterpolationStop | None = None
        self._kept: dict[tuple[int, int], list[tuple[int, np.ndarray]]] = {}

    @property
    def may_stop(self) -> bool:
        """Whether interpolation can still end (quirk Q23)."""
        return self.interpolating and self.plan.factors.stops

    def render_block(self, block: PixelBlock) -> np.ndarray:
        """Expected photons in the pixels of a block, as float32, shape (n,)."""
        plan = self.plan
        patch = self.first_sweep(block) if self.first_sweep_pending else None
        stop = self.find_interpolation_stop(block, patch) if self.may_stop else None
        total = np.full(len(block.numbers), plan.background[self.shot])
        for ray in rays(plan, block):
            if ray.weight is not None:
                total += plan.ray_background[self.shot] * ray.weight
            if plan.amorphous.n_materials:
                weight = 1.0 if ray.weight is None else ray.weight
                total += weight * intensity(plan.amorphous, self.shot, ray.scattering_of_all)
            for crystal in range(plan.crystals.n_crystals):
                for first, cells in self._orientations(ray, crystal, len(block.numbers)):
                    indices, exception = self._indices(ray, cells, first, crystal, patch)
                    lattice = self._lattice_factor(indices, crystal)
                    cell_factor = self._structure_factor(
                        indices, ray, self._step_number(ray, crystal, first), stop
                    )
                    terms = cell_factor * cell_factor * lattice * lattice
                    diffuse = self._diffuse(indices, ray) if plan.diffuse.n_operations else None
                    if diffuse is not None:
                        terms = diffuse if plan.diffuse.diffuse_only else terms + diffuse
                    sums = self._accumulate(total, terms, lattice, block, ray)
                    if self.tap is not None:
                        self.tap.step(
                            Step(
                                block, ray, crystal, first, cells, exception, indices,
                                cell_factor, lattice, diffuse, np.stack(sums),
                            )
                        )  # fmt: skip
        if stop is not None:
            self.interpolating = False
        photons = self._photons(block, total)
        if self.tap is not None:
            self.tap.finished(block, total, photons)
        return photons

    def _diffuse(self, indices: Indices, ray: Ray) -> np.ndarray:
        """Diffuse scattering (electrons squared)."""
        plan = self.plan
        channel = int(plan.sources.channel[ray.source])
        return diffuse_terms(plan.diffuse, plan.factors, self.shot, channel, indices)

    def _step_number(self, ray: Ray, crystal: int, first: int) -> int:
        """Serial number within a pixel: ray, crystal, spindle angle, domain (fastest)."""
        crystals = self.plan.crystals
        rank = ray.number * crystals.n_crystals + crystal
        return rank * crystals.n_orientations + first

    def _orientations(
        self, _ray: Ray, crystal: int, n_pixels: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Cell vectors of all orientations, in blocks of shape (n, 3, 3)."""
        size = max(1, BLOCK_SIZE // n_pixels)
        crystals = self.plan.crystals
        blocks = orientation_blocks(
            crystals.phi_cells[self.shot, crystal],
            crystals.mosaic_rotations[self.shot, crystal],
            size,
        )
        if crystals.n_orientations > KEPT_ORIENTATIONS:
            return blocks
        key = (crystal, size)
        if key not in self._kept:
            self._kept = {kept: value for kept, value in self._kept.items() if kept[1] == size}
            self._kept[key] = list(blocks)
        return iter(self._kept[key])

    def _indices(
        self,
        ray: Ray,
        cells: np.ndarray,
        first: int,
        crystal: int,
        patch: tuple[int, int] | None,
    ) -> tuple[Indices, tuple[int, np.ndarray] | None]:
        """Fractional h, k, l of a ray, shape (n_orientations, n_active), and Q3's exception.

        The exception is the column of the first executed pixel, and its cell vectors, which the
        spindle has not turned yet (quirk Q3). It is None for other pixels and rays.
        """
        h, k, l = (_miller_index(cells[:, axis], ray.scattering) for axis in range(3))
        if patch is None or patch[1] != ray.number:
            return (h, k, l), None
        crystals = self.plan.crystals
        assert crystals.first_cell is not None
        rotations = crystals.mosaic_rotations[self.shot, crystal][first : first + len(cells)]
        untouched = apply_matrix(rotations[:, None], crystals.first_cell[self.shot, crystal])
        column = patch[0] if ray.active is None else int(np.searchsorted(ray.active, patch[0]))
        scattering = [component[column : column + 1] for component in ray.scattering]
        for axis, index in enumerate((h, k, l)):
            index[: len(untouched), column] = _miller_index(untouched[:, axis], scattering)[:, 0]
        return (h, k, l), (column, untouched)

    def first_sweep(self, block: PixelBlock) -> tuple[int, int] | None:
        """Place of the pixel in the block, and ray number, of the first executed sweep (quirk Q3).

        None if no ray of the block is within the resolution limit.
        """
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
        crystals, at = self.plan.crystals, (self.shot, crystal)
        shape = SPOT_SHAPES[crystals.shape]
        found: np.ndarray = shape.lattice_factor(indices, spot_size(crystals, at))
        return found

    def _structure_factor(
        self, indices: Indices, ray: Ray, step: int, stop: tuple[int, int] | None
    ) -> np.ndarray:
        """Structure factors, interpolated as long as interpolation is on (quirk Q23)."""
        factors = self.plan.factors
        channel = int(self.plan.sources.channel[ray.source])
        if not factors.stops or factors.is_constant:
            return structure_factor(factors, channel, indices)
        table = factors.table[channel]
        if self.interpolating and stop is None:
            return interpolation.tricubic(indices, table, factors.first)
        values = nearest_factor(factors, channel, indices)
        if stop is not None:
            pixels = np.arange(indices[0].shape[1]) if ray.active is None else ray.active
            steps = step + np.arange(len(indices[0]))[:, None]
            before = (pixels < stop[0]) | ((pixels == stop[0]) & (steps < stop[1]))
            h, k, l = (index[before] for index in indices)
            values[before] = interpolation.tricubic((h, k, l), table, factors.first)
        return values

    def find_interpolation_stop(
        self, block: PixelBlock, patch: tuple[int, int] | None
    ) -> tuple[int, int] | None:
        """The pixel and step at which interpolation ends (quirk Q23).

        Parameters
        ----------
        block : PixelBlock
            The pixels.
        patch : tuple of 2 int or None
            Result of `first_sweep` for this block.

        Returns
        -------
        tuple of 2 int or None
            Place of the pixel in the block, and serial number of the step; None if interpolation
            does not end in this block.
        """
        factors = self.plan.factors
        lengths = [n - 2 for n in factors.table.shape[1:]]
        best: tuple[int, int] | None = None
        at = (0.0, 0.0, 0.0)
        for ray in rays(self.plan, block):
            for crystal in range(self.plan.crystals.n_crystals):
                for first, cells in self._orientations(ray, crystal, len(block.numbers)):
                    indices, _ = self._indices(ray, cells, first, crystal, patch)
                    outside = interpolation.out_of_range(indices, factors.first, lengths)
                    if outside.any() and not self.plan.has_background:
                        # a step with a lattice factor of zero ends before the table is read
                        outside &= self._lattice_factor(indices, crystal) != 0.0
                    if not outside.any():
                        continue
                    # the first pixel in raster order, and its first orientation here
                    column, orientation = (int(i) for i in np.argwhere(outside.T)[0])
                    pixel = column if ray.active is None else int(ray.active[column])
                    if best is None or pixel < best[0]:
                        best = (pixel, self._step_number(ray, crystal, first) + orientation)
                        at = _triple(indices, (orientation, column))
        if best is not None:
            self.interpolation_stop = InterpolationStop(
                block.panel, int(block.numbers[best[0]]), best[1], at
            )
            self.observer.interpolation_stopped(self.interpolation_stop)
        return best

    def _accumulate(
        self,
        total: np.ndarray,
        terms: np.ndarray,
        lattice: np.ndarray,
        block: PixelBlock,
        ray: Ray,
    ) -> list[np.ndarray]:
        """Add the terms to the sums of the pixels, one orientation after the other.

        Returns the sums after each orientation if there is a tap.
        """
        plan = self.plan
        chosen = slice(None) if ray.active is None else ray.active
        kept = (block.capture, block.polar, block.omega)
        factors = [
            factor[chosen]
            for use, factor in zip(plan.uses, kept, strict=True)
            if use is Use.RUNNING
        ]
        if ray.weight is not None:
            terms = terms * ray.weight[chosen]
        sums, after = total[chosen], []
        for term, amplitude in zip(terms, lattice, strict=True):
            if not factors:
                sums = sums + term
            else:
                product = sums + term
                for factor in factors:
                    product = product * factor
                executed = plan.has_background | (amplitude != 0.0)
                sums = np.where(executed, product, sums)
            if self.tap is not None:
                after.append(sums)
        total[chosen] = sums
        return after

    def _photons(self, block: PixelBlock, total: np.ndarray) -> np.ndarray:
        """Expected photons in the pixels, from their sums of squared amplitudes."""
        plan = self.plan
        photons = plan.photons_per_squared_electron[self.shot] * total / plan.n_steps
        for use, factor in zip(plan.uses, (block.capture, block.polar, block.omega), strict=True):
            if use is Use.ONCE:
                photons = photons * factor
        # added to the empty image, so that -0 becomes 0
        return (0.0 + photons).astype(np.float32)


def _miller_index(vectors: np.ndarray, scattering: list[np.ndarray]) -> np.ndarray:
    """Scalar products of cell vectors, shape (n, 3), with scattering vectors.

    The result has the shape (n, n_pixels).
    """
    q = scattering
    index = vectors[:, 0, None] * q[0]
    index += vectors[:, 1, None] * q[1]
    index += vectors[:, 2, None] * q[2]
    return index


def _triple(indices: Indices, where: tuple[int, int]) -> tuple[float, float, float]:
    h, k, l = (float(index[where]) for index in indices)
    return h, k, l
