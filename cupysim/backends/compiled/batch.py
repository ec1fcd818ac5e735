"""Rendering several small images in one launch. A single one would not keep a device busy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.backends.compiled import records
from cupysim.backends.compiled.device_tables import Same
from cupysim.backends.compiled.engine import Engine
from cupysim.backends.compiled.variants import LARGEST_MIXED, Factors, Precision
from cupysim.backends.compiled.worker import SECONDS_AT_ONCE, cells_of, variant_of
from cupysim.plan.render_plan import RenderPlan

MOST_SHOTS = 65535
"""Largest number of shots in a launch: a GPU accepts at most so many rows of blocks."""


def shots_at_once(plan: RenderPlan, engines: Sequence[Engine]) -> int:
    """How many shots of a plan are rendered in one launch.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    engines : sequence of Engine
        Devices that render them.

    Returns
    -------
    int
        Number of shots. 0 means that shots are rendered one after the other, in bands, with the
        same result. It is always 0 if something depends on the order of the C program's loops
        (quirks Q3, Q23).
    """
    n_shots, n_panels = plan.shape[:2]
    factors, crystals = plan.factors, plan.crystals
    if n_panels != 1 or len(engines) != 1 or plan.n_region == 0:
        return 0
    if crystals.first_cell is not None or (factors.interpolate and factors.stops):
        return 0
    engine, orientations = engines[0], plan.n_orientations
    if n_shots < engine.smallest_batch or plan.n_region > engine.largest_band:
        return 0
    steps = plan.n_region * plan.n_rays * orientations
    wanted = min(
        n_shots,
        MOST_SHOTS,
        engine.largest_batch // plan.n_region,
        engine.matrices_at_once // orientations,
        int(engine.rate * SECONDS_AT_ONCE / steps),
    )
    if wanted < engine.smallest_batch:
        return 0
    if n_shots > 1:
        # only very large crystals can make shots of one plan need several variants
        enormous = crystals.largest_counts > LARGEST_MIXED
        if enormous.any() and not enormous.all():
            return 0
    return wanted


def render_at_once(
    plan: RenderPlan, engine: Engine, numbers: np.ndarray | None, image: Any, shots: slice
) -> Any:
    """Render several shots of a plan in one launch.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    engine : Engine
        Device that renders them.
    numbers : ndarray of int or None
        Numbers of the pixels to render, in raster order; None for the whole region.
    image : ndarray or cupy.ndarray of float32, shape plan.shape
        Array to write the images to.
    shots : slice
        Numbers of the shots to render.

    Returns
    -------
    ndarray, shape (n_shots,)
        Sum of the solid angles of each shot (sr).
    """
    count = plan.n_region if numbers is None else len(numbers)
    n_shots = shots.stop - shots.start
    if count == 0:
        return np.zeros(n_shots)
    variant = variant_of(plan, 0, engine.precision, plan.factors.interpolate)
    several = engine.tables.describe(plan, shots, 0, engine.precision)
    several["matrices"] = _matrices(plan, engine, variant.precision, shots)
    put, tables = engine.replace, engine.tables
    for name, struct, count_of_shot, at in (
        ("sources", "Source", len(plan.sources.channel), tables.sources(put, plan, shots)),
        ("crystals", "Crystal", plan.crystals.n_crystals, tables.crystals(put, plan, shots)),
    ):
        size = records.struct_type(struct).itemsize * count_of_shot
        several[name] = records.addresses(at, n_shots, size)
    if variant.factors is not Factors.CONSTANT:
        several["table"] = tables.factors(put, plan, variant.precision)
    first = plan.rows.start * plan.shape[3] + plan.columns.start
    last = (plan.rows.stop - 1) * plan.shape[3] + plan.columns.stop - 1
    if numbers is not None:
        several["numbers"] = engine.replace("numbers", numbers)
        first, last = int(numbers[0]), int(numbers[-1])
    several["n_pixels"], several["n_rays"] = count, plan.n_rays
    several["n_orientations"] = plan.n_orientations
    several["is_first_part"] = several["is_last_part"] = True
    engine.open_batch(several, image[shots], (first, last))
    engine.render_batch(several, variant)
    return engine.close_batch()


def _matrices(
    plan: RenderPlan, engine: Engine, precision: Precision, shots: slice
) -> np.ndarray | int:
    """Addresses of the orientations of each shot."""
    count = plan.n_orientations
    n_shots = shots.stop - shots.start

    def make() -> np.ndarray:
        if count == 1 and plan.crystals.is_perfect:
            cells = plan.crystals.phi_cells[shots].reshape(n_shots, 3, 3)
            return records.matrix_records(cells, precision)
        return np.concatenate(
            [
                records.matrix_records(cells_of(plan, shot, range(count), False), precision)
                for shot in range(shots.start, shots.stop)
            ]
        )

    contents = Same(plan), shots.start, shots.stop, precision
    at = engine.tables.address(engine.replace, "matrices", contents, make)
    return records.addresses(at, n_shots, count * records.matrix_bytes(precision))


def listed(plan: RenderPlan, panel: int) -> np.ndarray | None:
    """Numbers of the region's pixels that the mask keeps, in raster order; None without a mask."""
    if plan.mask is None or plan.n_region == 0:
        return None
    rows, columns = np.nonzero(plan.mask[panel][plan.rows, plan.columns])
    return (rows + plan.rows.start) * plan.shape[3] + columns + plan.columns.start
