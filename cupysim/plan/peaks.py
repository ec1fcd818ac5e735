"""Search for the tiles of pixels with the brightest spots, to set a tolerance relative to them."""

from __future__ import annotations

import numpy as np

from cupysim.maths.interpolation import nearest_index
from cupysim.maths.orientations import orientations
from cupysim.plan.culling import TILE_EDGE, Tiles, tiles_of
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.structure_factor import nearest_factor
from cupysim.plan.tile_bounds import (
    TileDirections,
    index_boxes,
    largest_weights,
    spot_bounds,
    tile_directions,
)

MOST_COMBINATIONS = 16
"""Largest number of pairs of source and orientation with which tiles are compared."""

MOST_TILES = 64
"""Number of tiles that are rendered to find the brightest pixel."""


def brightest_tiles(plan: RenderPlan, shot: int) -> list[Tiles]:
    """The tiles of each panel that probably have the brightest spots.

    Tiles near the direct beam, where h k l = 0 0 0 may be the nearest reflection, are left out.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot : int
        Number of the shot.

    Returns
    -------
    list of Tiles
        For each panel, at most `MOST_TILES` tiles, the brightest first.
    """
    found = []
    for panel in range(plan.shape[1]):
        tiles = tiles_of(plan, panel)
        if len(tiles.numbers) == 0:
            found.append(tiles)
            continue
        rows, columns = np.divmod(tiles.numbers, tiles.across)
        image = shot, panel
        here = tile_directions(plan, image, 0, (rows * TILE_EDGE, columns * TILE_EDGE))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            estimates = _estimates(plan, image, here)
        estimates[_near_direct_beam(plan, shot, here)] = 0.0
        order = np.argsort(-estimates, kind="stable")[:MOST_TILES]
        found.append(tiles.some(order[estimates[order] > 0.0]))
    return found


def _estimates(plan: RenderPlan, image: tuple[int, int], here: TileDirections) -> np.ndarray:
    """Estimates of the photons of the brightest pixel of each tile, up to a common factor."""
    shot, sources, crystals = image[0], plan.sources, plan.crystals
    n_sources, n_orientations = len(sources.channel), crystals.n_orientations
    total = n_sources * crystals.n_crystals * n_orientations
    weights = largest_weights(plan, image, 0, here, here)
    estimates = np.zeros(len(here.error))
    # pairs of all kinds, evenly spread
    count = min(total, MOST_COMBINATIONS)
    for number in (np.arange(count) * total + total // 2) // count:
        rest, orientation = divmod(int(number), n_orientations)
        source, crystal = divmod(rest, crystals.n_crystals)
        cells = orientations(
            crystals.phi_cells[shot, crystal],
            crystals.mosaic_rotations[shot, crystal],
            orientation,
            orientation + 1,
        )[0]
        centres, widths = index_boxes(
            here,
            slice(None),
            sources.incident[shot, source],
            sources.wavelength[shot, source],
            cells,
        )
        h, k, l = (nearest_index(centre) for centre in centres)
        factors = nearest_factor(plan.factors, int(sources.channel[source]), (h, k, l))
        spots = spot_bounds(plan, (shot, crystal), centres, widths)
        estimates += sources.weight[shot, source] * weights * factors**2 * spots
    return np.where(np.isfinite(estimates), estimates, 0.0)


def _near_direct_beam(plan: RenderPlan, shot: int, here: TileDirections) -> np.ndarray:
    """Whether 0 0 0 may be the nearest reflection somewhere in a tile, in any orientation.

    It is the nearest one only where |h|, |k| and |l| are at most 1/2, so q is at most
    half the sum of the lengths of the reciprocal vectors.
    """
    cells = plan.crystals.phi_cells[shot]
    inverse = np.linalg.inv(cells.reshape(-1, 3, 3))
    farthest = 0.5 * np.linalg.norm(inverse, axis=1).sum(axis=-1).max()
    near = np.zeros(len(here.error), dtype=bool)
    sizes = (
        np.linalg.norm(here.u, axis=-1) + np.linalg.norm(here.v, axis=-1) + here.error
    )
    for incident, wavelength in zip(
        plan.sources.incident[shot], plan.sources.wavelength[shot], strict=True
    ):
        length = np.linalg.norm(here.centre - incident, axis=-1) - sizes
        near |= length <= farthest * wavelength
    return near
