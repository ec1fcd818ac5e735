"""Rendering within a tolerance with NumPy: simple, the reference for the compiled kernels.

Each tile of pixels leaves out the orientations whose upper bounds together stay below the
tolerance. The others are computed as in an exact image.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cupysim.backends.brightest import tolerance_in_photons
from cupysim.backends.numpy import oracle
from cupysim.backends.numpy.rays import PixelBlock, Ray
from cupysim.backends.rendered import BY_NUMPY, Culled, Observer, Rendered
from cupysim.maths.orientations import orientations
from cupysim.plan import peaks, tile_bounds
from cupysim.plan.culling import TILE_EDGE, Tiles, tiles_of, without_background
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.weights import largest_term_weight

QUIET = {"divide": "ignore", "invalid": "ignore", "over": "ignore", "under": "ignore"}


class TileRenderer(oracle.BlockRenderer):
    """Renders tiles of one panel of a shot.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot, panel : int
        Numbers of the shot and of the panel.
    tolerance : float
        Photons by which each pixel may be below the exact image.
    observer : Observer
        Receives the progress.
    """

    def __init__(
        self, plan: RenderPlan, image: tuple[int, int], tolerance: float, observer: Observer
    ) -> None:
        shot, self.panel = image
        super().__init__(plan, shot, observer)
        self.tolerance = tolerance
        self.first_sweep_pending = False
        self.n_computed = 0
        self._left: dict[tuple[int, int, int], np.ndarray] = {}
        crystals = plan.crystals
        self._cells = [
            orientations(
                crystals.phi_cells[shot, crystal],
                crystals.mosaic_rotations[shot, crystal],
                0,
                crystals.n_orientations,
            )
            for crystal in range(crystals.n_crystals)
        ]

    def render(self, tiles: Tiles, pixels: np.ndarray) -> float:
        """Render tiles into a panel's pixels.

        Parameters
        ----------
        tiles : Tiles
            The tiles.
        pixels : ndarray of float32, shape (n_slow * n_fast,)
            Pixels to write to.

        Returns
        -------
        float
            Sum of the solid angles (sr).
        """
        n_fast, omega_sum = self.plan.shape[3], 0.0
        rows, columns = np.divmod(tiles.numbers, tiles.across)
        directions = [
            tile_bounds.tile_directions(
                self.plan,
                (self.shot, self.panel),
                layer,
                (rows * TILE_EDGE, columns * TILE_EDGE),
            )
            for layer in range(self.plan.panels.n_layers)
        ]
        place = np.arange(TILE_EDGE)
        for tile in range(len(tiles.numbers)):
            slow, fast = np.meshgrid(
                rows[tile] * TILE_EDGE + place, columns[tile] * TILE_EDGE + place, indexing="ij"
            )
            wanted = slice(None) if tiles.pixels is None else tiles.pixels[tile]
            slow, fast = slow[wanted].reshape(-1), fast[wanted].reshape(-1)
            numbers = slow * n_fast + fast
            block = PixelBlock(
                self.shot, self.panel, numbers, fast.astype(float), slow.astype(float)
            )
            with np.errstate(**QUIET):  # type: ignore[arg-type]
                self._choose(directions, tile)
                pixels[numbers] = self.render_block(block)
            omega_sum += float(block.omega_sum.sum())
            self.observer.pixels_done(len(numbers))
        return omega_sum

    def _choose(self, directions: list[tile_bounds.TileDirections], tile: int) -> None:
        """Choose the orientations of each layer, source and crystal to compute in a tile."""
        plan, image = self.plan, (self.shot, self.panel)
        sources, crystals = plan.sources, plan.crystals
        scale = plan.photons_per_squared_electron[self.shot] / plan.n_steps * plan.oversample**2
        bounds, keys = [], []
        for layer, here in enumerate(directions):
            weights = tile_bounds.largest_weights(plan, image, layer, here, directions[0])
            for source, channel in enumerate(sources.channel):
                weight = scale * weights[tile] * largest_term_weight(plan, self.shot, source)
                for crystal, cells in enumerate(self._cells):
                    box = tile_bounds.index_boxes(
                        here,
                        tile,
                        sources.incident[self.shot, source],
                        sources.wavelength[self.shot, source],
                        cells,
                    )
                    factor = tile_bounds.largest_factor(plan.factors, int(channel), *box)
                    spots = tile_bounds.spot_bounds(plan, (self.shot, crystal), *box)
                    # 0 times infinity is not a number, and is not left out
                    bounds.append(weight * factor * factor * spots)
                    keys.append((layer, source, crystal))
        skipped = tile_bounds.left_out(np.concatenate(bounds), self.tolerance).reshape(
            len(keys), crystals.n_orientations
        )
        self._left = {key: np.flatnonzero(~skip) for key, skip in zip(keys, skipped, strict=True)}

    def _orientations(
        self, ray: Ray, crystal: int, n_pixels: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Cell vectors of the orientations that are left, in blocks of shape (n, 3, 3)."""
        left = self._left[ray.layer, ray.source, crystal]
        size = max(1, oracle.BLOCK_SIZE // n_pixels)
        for first in range(0, len(left), size):
            some = left[first : first + size]
            self.n_computed += n_pixels * len(some)
            yield first, self._cells[crystal][some]


class Panel:
    """A panel of a shot; see `cupysim.backends.brightest.TilePanel`.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    """

    def __init__(self, plan: RenderPlan, image: tuple[int, int]) -> None:
        self._plan = plan
        self._image = image
        self.tiles = tiles_of(plan, image[1])

    def estimates(self) -> np.ndarray:
        """Estimates of the photons of each tile's brightest pixel."""
        return peaks.estimates(self._plan, self._image, self.tiles)

    def largest_of(self, tiles: Tiles, tolerance: float) -> float:
        """Photons of the brightest pixel of some tiles, without a background."""
        pixels = np.zeros(self._plan.shape[2] * self._plan.shape[3], dtype=np.float32)
        plan = without_background(self._plan)
        TileRenderer(plan, self._image, tolerance, Observer()).render(tiles, pixels)
        return float(pixels.max())


def render(plan: RenderPlan, observer: Observer) -> Rendered:
    """Compute images within the plan's tolerance.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    observer : Observer
        Receives the progress.

    Returns
    -------
    Rendered
        The images, and what reports need to know of them.
    """
    assert plan.tolerance is not None
    image = np.zeros(plan.shape, dtype=np.float32)
    omega_sum = np.zeros(plan.shape[:2])
    n_rendered = np.zeros(plan.shape[:2], dtype=np.int64)
    n_computed, limits = 0, []
    for shot in range(plan.shape[0]):
        is_pending = plan.crystals.first_cell is not None
        panels = [Panel(plan, (shot, panel)) for panel in range(plan.shape[1])]
        limits.append(tolerance_in_photons(plan.tolerance, panels))
        for number, panel in enumerate(panels):
            pixels = image[shot, number].reshape(-1)
            renderer = TileRenderer(plan, (shot, number), limits[-1][0], observer)
            omega_sum[shot, number] = renderer.render(panel.tiles, pixels)
            n_rendered[shot, number] = panel.tiles.n_pixels
            n_computed += renderer.n_computed
            if is_pending:
                is_pending = not _render_first_sweep(plan, shot, number, pixels)
    n_terms = int(n_rendered.sum()) * plan.n_rays * plan.n_orientations
    culled = Culled.of(limits, n_computed, n_terms)
    return Rendered(image, omega_sum, n_rendered, [None] * plan.shape[0], BY_NUMPY, culled)


def _render_first_sweep(plan: RenderPlan, shot: int, panel: int, pixels: np.ndarray) -> bool:
    """Render the pixel of the first executed sweep exactly (quirk Q3), if it is in this panel."""
    renderer = oracle.BlockRenderer(plan, shot, Observer())
    for block in oracle.pixel_blocks(plan, shot, panel):
        with np.errstate(**QUIET):  # type: ignore[arg-type]
            first = renderer.first_sweep(block)
            if first is None:
                continue
            only = slice(first[0], first[0] + 1)
            numbers, fast, slow = block.numbers[only], block.fast[only], block.slow[only]
            renderer.first_sweep_pending = True
            pixels[numbers] = renderer.render_block(PixelBlock(shot, panel, numbers, fast, slow))
        return True
    return False
