"""Pixel grids of the panels of a render plan."""

from __future__ import annotations

import math

import numpy as np

from cupysim.detection.pixel_grid import PixelGrid
from cupysim.plan.render_plan import RenderPlan


def panel_grids(plan: RenderPlan) -> list[PixelGrid]:
    """Grids of the panels of the image of one shot.

    Parameters
    ----------
    plan : RenderPlan
        The plan.

    Returns
    -------
    list of PixelGrid
        A grid for each panel. The number of a pixel is its place in the array of all panels, so
        that the pixel has the same random numbers in every region. Photons hit curved panels along
        the normal.
    """
    _, n_panels, n_slow, n_fast = plan.shape
    panels = plan.panels
    grids = []
    for number in range(n_panels):
        slow, fast = float(panels.pixel_slow[0, number]), float(panels.pixel_fast[0, number])
        grid = PixelGrid(n_slow, n_fast, slow, fast, first_number=number * n_slow * n_fast)
        if panels.bend is None:
            grid = _placed(
                grid,
                panels.origin[0, number],
                panels.fast[0, number],
                panels.slow[0, number],
                panels.normal[0, number],
            )
        grids.append(grid)
    return grids


def _placed(
    grid: PixelGrid, origin: np.ndarray, fast: np.ndarray, slow: np.ndarray, normal: np.ndarray
) -> PixelGrid:
    """A grid with its distance and its point of normal incidence."""
    distance = float(origin @ normal)
    if distance == 0.0 or not math.isfinite(distance):
        return grid
    # origin + f fast + s slow is along the normal, even if fast and slow are not perpendicular
    place = distance * normal - origin
    axes = np.stack([fast, slow], axis=1)
    across, along = np.linalg.lstsq(axes, place, rcond=None)[0]
    return PixelGrid(
        grid.n_slow, grid.n_fast, grid.pixel_slow, grid.pixel_fast,
        normal_slow=float(along) / grid.pixel_slow - 0.5,
        normal_fast=float(across) / grid.pixel_fast - 0.5,
        distance=abs(distance), first_number=grid.first_number,
    )  # fmt: skip
