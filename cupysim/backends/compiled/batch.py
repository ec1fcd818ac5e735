"""Rendering several small images, of shots and panels, in one launch.

A single image would not keep a device busy.
"""

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

MOST_IMAGES = 65535
"""Largest number of images in a launch. A GPU accepts no more rows of blocks."""

Lists = list[np.ndarray | None]
"""For each panel, the numbers of the pixels to render, in raster order; None for the region."""


def shots_at_once(plan: RenderPlan, engines: Sequence[Engine], lists: Lists) -> int:
    """Number of shots of a plan that are rendered in one launch, with all their panels.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    engines : sequence of Engine
        Devices that render them.
    lists : list of ndarray or None
        Pixels of each panel, see `Lists`.

    Returns
    -------
    int
        Number of shots. 0 means that images are rendered one after the other, in bands, with the
        same result. It is always 0 if something depends on the order of the C program's loops
        (quirks Q3, Q23), or panels have different numbers of pixels.
    """
    n_shots, n_panels = plan.shape[:2]
    factors, crystals = plan.factors, plan.crystals
    counts = {_count(plan, numbers) for numbers in lists}
    if len(counts) != 1 or len(engines) != 1 or plan.n_region == 0:
        return 0
    if crystals.first_cell is not None or (factors.interpolate and factors.stops):
        return 0
    engine, orientations = engines[0], plan.n_orientations
    if n_shots * n_panels < engine.smallest_batch or plan.n_region > engine.largest_band:
        return 0
    of_shot = plan.n_region * n_panels
    steps = of_shot * plan.n_rays * orientations
    wanted = min(
        n_shots,
        MOST_IMAGES // n_panels,
        engine.largest_batch // of_shot,
        engine.matrices_at_once // orientations,
        int(engine.rate * SECONDS_AT_ONCE / steps),
    )
    if wanted * n_panels < engine.smallest_batch:
        return 0
    if n_shots > 1:
        # only very large crystals can make shots of one plan need several variants
        enormous = crystals.largest_counts > LARGEST_MIXED
        if enormous.any() and not enormous.all():
            return 0
    return wanted


def _count(plan: RenderPlan, numbers: np.ndarray | None) -> int:
    return plan.n_region if numbers is None else len(numbers)


def render_at_once(plan: RenderPlan, engine: Engine, lists: Lists, image: Any, shots: slice) -> Any:
    """Render all panels of several shots of a plan in one launch.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    engine : Engine
        Device that renders them.
    lists : list of ndarray or None
        Pixels of each panel, see `Lists`; all have the same number.
    image : ndarray or cupy.ndarray of float32, shape plan.shape
        Array to write the images to.
    shots : slice
        Numbers of the shots to render.

    Returns
    -------
    ndarray, shape (n_shots, n_panels)
        Sum of the solid angles of each image (sr).
    """
    count, n_panels = _count(plan, lists[0]), plan.shape[1]
    n_shots = shots.stop - shots.start
    if count == 0:
        return np.zeros((n_shots, n_panels))
    variant = variant_of(plan, 0, engine.precision, plan.factors.interpolate)
    several = engine.tables.describe.of_panels(plan, shots, engine.precision)
    several["matrices"] = np.repeat(_matrices(plan, engine, variant.precision, shots), n_panels)
    put, tables = engine.replace, engine.tables
    tables_of_shots = [
        ("sources", "Source", len(plan.sources.channel), tables.sources(put, plan, shots)),
        ("crystals", "Crystal", plan.crystals.n_crystals, tables.crystals(put, plan, shots)),
    ]
    n_materials = plan.amorphous.molecules.shape[1]
    if n_materials:
        at = tables.materials(put, plan, shots)
        tables_of_shots.append(("materials", "Material", n_materials, at))
        several["factor_intervals"] = tables.factor_intervals(put, plan)
    n_operations = plan.diffuse.n_operations
    if n_operations:
        at = tables.diffuse_operations(put, plan, shots)
        tables_of_shots.append(("diffuse_operations", "DiffuseOperation", n_operations, at))
    for name, struct, count_of_shot, at in tables_of_shots:
        size = records.struct_type(struct).itemsize * count_of_shot
        several[name] = np.repeat(records.addresses(at, n_shots, size), n_panels)
    if variant.factors is not Factors.CONSTANT:
        several["table"] = tables.factors(put, plan, variant.precision)
    first = plan.rows.start * plan.shape[3] + plan.columns.start
    last = (plan.rows.stop - 1) * plan.shape[3] + plan.columns.stop - 1
    given = [numbers for numbers in lists if numbers is not None]
    if given:
        together = np.stack(given)
        at = engine.replace("numbers", together.reshape(-1))
        several["numbers"] = np.tile(records.addresses(at, n_panels, together[0].nbytes), n_shots)
        first, last = int(together[:, 0].min()), int(together[:, -1].max())
    several["n_pixels"], several["n_rays"] = count, plan.n_rays
    several["n_orientations"] = plan.n_orientations
    several["is_first_part"] = several["is_last_part"] = True
    engine.open_batch(several, image[shots].reshape(-1, *plan.shape[2:]), (first, last))
    engine.render_batch(several, variant)
    return engine.close_batch().reshape(n_shots, n_panels)


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
