"""Orientations that tiles of pixels must compute within a tolerance, with NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cupysim.backends.numpy.rays import PixelBlock
from cupysim.maths.orientations import orientations
from cupysim.plan import tile_bounds
from cupysim.plan.culling import TILE_EDGE, Tiles
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.weights import largest_term_weight

Bound = Callable[[RenderPlan, tuple[int, int], np.ndarray, np.ndarray], np.ndarray]
"""A bound of a spot from its plan, the numbers of shot and crystal, and the boxes of indices; see
`cupysim.plan.tile_bounds.spot_bounds`."""


class Survivors:
    """Chooses the orientations to compute in tiles of one panel of a shot.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    tiles : Tiles
        The tiles.
    tolerance : float
        Largest sum of the bounds of what a pixel lacks.
    bound : callable, optional
        Bound of a spot.
    """

    def __init__(
        self,
        plan: RenderPlan,
        image: tuple[int, int],
        tiles: Tiles,
        tolerance: float,
        bound: Bound = tile_bounds.spot_bounds,
    ) -> None:
        self._plan, self._image, self._tiles = plan, image, tiles
        self._tolerance, self._bound = tolerance, bound
        shot, crystals = image[0], plan.crystals
        self.cells = [
            orientations(
                crystals.phi_cells[shot, crystal],
                crystals.mosaic_rotations[shot, crystal],
                0,
                crystals.n_orientations,
            )
            for crystal in range(crystals.n_crystals)
        ]
        self._corners = tuple(TILE_EDGE * place for place in np.divmod(tiles.numbers, tiles.across))
        rows, columns = self._corners
        self._directions = [
            tile_bounds.tile_directions(plan, image, layer, (rows, columns))
            for layer in range(plan.panels.n_layers)
        ]

    def pixels(self, tile: int) -> PixelBlock:
        """The pixels of a tile, given by its place in the list."""
        rows, columns = self._corners
        place = np.arange(TILE_EDGE)
        slow, fast = np.meshgrid(rows[tile] + place, columns[tile] + place, indexing="ij")
        wanted = slice(None) if self._tiles.pixels is None else self._tiles.pixels[tile]
        slow, fast = slow[wanted].reshape(-1), fast[wanted].reshape(-1)
        numbers = slow * self._plan.shape[3] + fast
        return PixelBlock(*self._image, numbers, fast.astype(float), slow.astype(float))

    def of_tile(self, tile: int) -> dict[tuple[int, int, int], np.ndarray]:
        """Numbers of the orientations to compute in a tile, by layer, source and crystal."""
        plan, (shot, _) = self._plan, self._image
        sources, directions = plan.sources, self._directions
        scale = plan.photons_per_squared_electron[shot] / plan.n_steps * plan.oversample**2
        bounds, keys = [], []
        for layer, here in enumerate(directions):
            weights = tile_bounds.largest_weights(plan, self._image, layer, here, directions[0])
            for source, channel in enumerate(sources.channel):
                weight = scale * weights[tile] * largest_term_weight(plan, shot, source)
                for crystal, cells in enumerate(self.cells):
                    box = tile_bounds.index_boxes(
                        here,
                        tile,
                        sources.incident[shot, source],
                        sources.wavelength[shot, source],
                        cells,
                    )
                    factor = tile_bounds.largest_factor(plan.factors, int(channel), *box)
                    spots = self._bound(plan, (shot, crystal), *box)
                    # 0 times infinity is not a number, and is not left out
                    bounds.append(weight * factor * factor * spots)
                    keys.append((layer, source, crystal))
        skipped = tile_bounds.left_out(np.concatenate(bounds), self._tolerance).reshape(
            len(keys), plan.crystals.n_orientations
        )
        return {key: np.flatnonzero(~skip) for key, skip in zip(keys, skipped, strict=True)}
