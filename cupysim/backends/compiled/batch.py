"""Several small images in one launch, which would not keep a device busy one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.backends.compiled import launch as launches
from cupysim.backends.compiled.device_tables import Same
from cupysim.backends.compiled.engine import Engine
from cupysim.backends.compiled.launch import Factors
from cupysim.backends.compiled.spans import count_orientations, count_rays
from cupysim.backends.compiled.worker import SECONDS_AT_ONCE, cells_of, variant_of
from cupysim.plan.render_plan import RenderPlan

MOST_SHOTS = 65535
"""Rows of blocks which a GPU takes."""


def fits_one_launch(plan: RenderPlan, engines: Sequence[Engine]) -> bool:
    """Whether all shots of a plan can be rendered together.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    engines : sequence of Engine
        What is to render it.

    Returns
    -------
    bool
        If not, they are rendered one after the other, with the same result. So are those in
        which something depends on the order of the C program's loops (quirks Q3, Q23).
    """
    n_shots, n_panels = plan.shape[:2]
    if n_shots == 1 or n_shots > MOST_SHOTS or n_panels != 1 or len(engines) != 1:
        return False
    factors, crystals = plan.factors, plan.crystals
    if crystals.first_cell is not None or (factors.interpolate and factors.stops):
        return False
    engine, pixels = engines[0], n_shots * plan.n_region
    variants = {
        variant_of(plan, shot, engine.precision, factors.interpolate) for shot in range(n_shots)
    }
    orientations = count_orientations(plan)
    return (
        len(variants) == 1
        and 0 < pixels <= engine.largest_band
        and n_shots * orientations <= engine.matrices_at_once
        and pixels * count_rays(plan) * orientations <= engine.rate * SECONDS_AT_ONCE
    )


def render_at_once(plan: RenderPlan, engine: Engine, numbers: np.ndarray | None, image: Any) -> Any:
    """Render all shots of a plan in one launch.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    engine : Engine
        What renders it.
    numbers : ndarray of int or None
        Pixels to render, in raster order; None for all of the region.
    image : ndarray or cupy.ndarray of float32, shape plan.shape
        Where the images go.

    Returns
    -------
    ndarray, shape (n_shots,)
        Sums of solid angles (sr).
    """
    shots = range(plan.shape[0])
    count = plan.n_region if numbers is None else len(numbers)
    if count == 0:
        return np.zeros(len(shots))
    variant = variant_of(plan, 0, engine.precision, plan.factors.interpolate)
    several = np.stack([launches.describe(plan, shot, 0) for shot in shots])
    matrices = np.stack([
        launches.matrix_records(
            cells_of(plan, shot, range(count_orientations(plan)), False), variant.precision
        )
        for shot in shots
    ])  # fmt: skip
    sources = np.stack([launches.source_records(plan, shot) for shot in shots])
    crystals = np.stack([launches.crystal_records(plan, shot) for shot in shots])
    at = engine.tables.address(engine.replace, "matrices", Same(plan), lambda: matrices)
    several["matrices"] = launches.addresses(at, matrices)
    several["sources"] = launches.addresses(engine.replace("sources", sources), sources)
    several["crystals"] = launches.addresses(engine.replace("crystals", crystals), crystals)
    if variant.factors is not Factors.CONSTANT:
        several["table"] = engine.tables.factors(engine.replace, plan, variant.precision)
    first = plan.rows.start * plan.shape[3] + plan.columns.start
    last = (plan.rows.stop - 1) * plan.shape[3] + plan.columns.stop - 1
    if numbers is not None:
        several["numbers"] = engine.replace("numbers", numbers)
        first, last = int(numbers[0]), int(numbers[-1])
    several["n_pixels"], several["n_rays"] = count, count_rays(plan)
    several["n_orientations"] = count_orientations(plan)
    several["begins"] = several["ends"] = True
    engine.open_batch(several, image, (first, last))
    engine.render_batch(several, variant)
    return engine.close_batch()


def listed(plan: RenderPlan, panel: int) -> np.ndarray | None:
    """Numbers of the pixels in region and mask, in raster order; None for the whole region."""
    if plan.mask is None or plan.n_region == 0:
        return None
    rows, columns = np.nonzero(plan.mask[panel][plan.rows, plan.columns])
    return (rows + plan.rows.start) * plan.shape[3] + columns + plan.columns.start
