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
from cupysim.backends.numpy.survivors import Survivors
from cupysim.backends.rendered import BY_NUMPY, Culled, Observer, Rendered
from cupysim.plan import peaks
from cupysim.plan.culling import Tiles, tiles_of, without_background
from cupysim.plan.render_plan import RenderPlan

QUIET = {"divide": "ignore", "invalid": "ignore", "over": "ignore", "under": "ignore"}


class TileRenderer(oracle.BlockRenderer):
    """Renders tiles of one panel of a shot.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
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
        self._cells: list[np.ndarray] = []

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
        survivors = Survivors(self.plan, (self.shot, self.panel), tiles, self.tolerance)
        self._cells, omega_sum = survivors.cells, 0.0
        for tile in range(len(tiles.numbers)):
            block = survivors.pixels(tile)
            with np.errstate(**QUIET):  # type: ignore[arg-type]
                self._left = survivors.of_tile(tile)
                pixels[block.numbers] = self.render_block(block)
            omega_sum += float(block.omega_sum.sum())
            self.observer.pixels_done(len(block.numbers))
        return omega_sum

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
