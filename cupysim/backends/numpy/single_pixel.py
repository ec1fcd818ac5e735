"""One pixel of an image, computed as it is within the image.

A pixel depends in two ways on the pixels before it. The first executed sweep over the spindle may
lie in one of them (quirk Q3), and interpolation may have ended in one of them (quirk Q23).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cupysim.backends.numpy.oracle import BlockRenderer, pixel_blocks
from cupysim.backends.numpy.rays import PixelBlock
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimError
from cupysim.plan.joining import of_panel
from cupysim.plan.render_plan import RenderPlan


def single_pixel(plan: RenderPlan, fast: int, slow: int, panel: int = 0) -> RenderPlan:
    """Make the plan of one pixel.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the whole image, with one shot.
    fast, slow : int
        Coordinates of the pixel, counted from 0.
    panel : int, optional
        Number of its panel.

    Returns
    -------
    RenderPlan
        A plan of this panel. It computes the pixel as in the whole image, to the last bit.

    Raises
    ------
    CupysimError
        If the pixel lies outside the image or the region, or is masked.
    """
    plan.refuse_shots("a single pixel")
    rows, columns = plan.rows, plan.columns
    if not (0 <= slow < plan.shape[2] and 0 <= fast < plan.shape[3]):
        raise CupysimError(
            f"pixel {fast} {slow}: the image has {plan.shape[3]} x {plan.shape[2]} pixels, "
            "counted from 0 (fast slow)"
        )
    if not (rows.start <= slow < rows.stop and columns.start <= fast < columns.stop):
        raise CupysimError(f"pixel {fast} {slow}: it is outside of -roi")
    if plan.mask is not None and not plan.mask[panel, slow, fast]:
        raise CupysimError(f"pixel {fast} {slow}: it is masked")
    number = slow * plan.shape[3] + fast
    renderer = BlockRenderer(plan, 0, Observer())
    sweeps_before = stops_before = False
    for before in range(panel + 1):
        for block in pixel_blocks(plan, 0, before):
            is_after = before == panel and block.numbers[0] >= number
            if is_after or not (renderer.first_sweep_pending or renderer.may_stop):
                break
            sweep, stop = _order_effects(renderer, block)
            sweeps_before |= sweep is not None and (
                before < panel or int(block.numbers[sweep[0]]) < number
            )
            stops_before |= stop is not None and (
                before < panel or int(block.numbers[stop[0]]) < number
            )
    crystals, factors = plan.crystals, plan.factors
    return replace(
        of_panel(plan, panel),
        rows=slice(slow, slow + 1),
        columns=slice(fast, fast + 1),
        crystals=replace(crystals, first_cell=None) if sweeps_before else crystals,
        factors=replace(factors, interpolate=False) if stops_before else factors,
    )


def _order_effects(
    renderer: BlockRenderer, block: PixelBlock
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """The first executed sweep (Q3) and the end of interpolation (Q23) in a block, or None."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        sweep = renderer.first_sweep(block) if renderer.first_sweep_pending else None
        stop = renderer.find_interpolation_stop(block, sweep) if renderer.may_stop else None
    if stop is not None:
        renderer.interpolating = False
    return sweep, stop
