"""Search for the tiles of pixels with the brightest spots, to set a tolerance relative to them."""

from __future__ import annotations

import numpy as np

from cupysim.maths.interpolation import nearest_index
from cupysim.maths.orientations import orientations
from cupysim.plan.culling import TILE_EDGE, Tiles
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.structure_factor import nearest_factor
from cupysim.plan.tile_bounds import (
    TileDirections,
    index_boxes,
    largest_weights,
    spot_bounds,
    tile_directions,
)
from cupysim.plan.weights import largest_term_weight

MOST_COMBINATIONS = 16
"""Largest number of pairs of source and orientation with which tiles are compared."""


def estimates(plan: RenderPlan, image: tuple[int, int], tiles: Tiles) -> np.ndarray:
    """Estimates of the photons of the brightest pixel of each tile, up to a common factor.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    tiles : Tiles
        Tiles of the panel.

    Returns
    -------
    ndarray, shape (n,)
        Estimates; zero near the direct beam, where h k l = 0 0 0 may be the nearest reflection.
    """
    if len(tiles.numbers) == 0:
        return np.empty(0)
    rows, columns = np.divmod(tiles.numbers, tiles.across)
    here = tile_directions(plan, image, 0, (rows * TILE_EDGE, columns * TILE_EDGE))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = _estimates(plan, image, here)
    found[_near_direct_beam(plan, image[0], here)] = 0.0
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
        estimates += largest_term_weight(plan, shot, source) * weights * factors**2 * spots
    return np.where(np.isfinite(estimates), estimates, 0.0)


def largest_direct(plan: RenderPlan, shot: int) -> float:
    """The largest q (1/m) at which 0 0 0 is the nearest reflection, in any orientation.

    |h|, |k| and |l| are then at most 1/2, so q is at most half the sum of the lengths of the
    reciprocal vectors.
    """
    inverse = np.linalg.inv(plan.crystals.phi_cells[shot].reshape(-1, 3, 3))
    return float(0.5 * np.linalg.norm(inverse, axis=1).sum(axis=-1).max())


def _near_direct_beam(plan: RenderPlan, shot: int, here: TileDirections) -> np.ndarray:
    """Whether 0 0 0 may be the nearest reflection somewhere in a tile, in any orientation."""
    farthest = largest_direct(plan, shot)
    near = np.zeros(len(here.error), dtype=bool)
    sizes = np.linalg.norm(here.u, axis=-1) + np.linalg.norm(here.v, axis=-1) + here.error
    for incident, wavelength in zip(
        plan.sources.incident[shot], plan.sources.wavelength[shot], strict=True
    ):
        length = np.linalg.norm(here.centre - incident, axis=-1) - sizes
        near |= length <= farthest * wavelength
    return near
