"""Statistics of an image, as the C program prints them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.backends.rendered import Rendered
from cupysim.maths.arrays import serial_sum
from cupysim.maths.detector_geometry import sub_pixel_centre
from cupysim.native import tools
from cupysim.plan.render_plan import RenderPlan
from cupysim.quirks import Quirk, Quirks

ROWS_AT_ONCE = 256
"""Rows that are summed together; few, to save memory."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of the rendered pixels of one image.

    Parameters
    ----------
    maximum : float
        Largest value (photons). 0 if no pixel is above zero.
    maximum_at : tuple of 2 float
        Fast and slow position (m) of the last sub-pixel of the pixel with the largest value.
    maximum_panel : int
        Number of the panel with the largest value.
    mean, rms : float
        Mean and root mean square of the rendered pixels (photons). The rms divides by n - 1.
    rmsd : float
        Standard deviation (photons) over the region, including masked pixels unless quirk Q44 is
        corrected.
    solid_angle : float
        Sum of the solid angles of all pixels (sr), with the C program's count of steps unless
        quirk Q35 is corrected.
    """

    maximum: float
    maximum_at: tuple[float, float]
    mean: float
    rms: float
    rmsd: float
    solid_angle: float
    maximum_panel: int = 0


def image_statistics(plan: RenderPlan, rendered: Rendered, quirks: Quirks) -> Statistics:
    """Compute the statistics of the first shot, over all its panels.

    Parameters
    ----------
    plan : RenderPlan
        Plan that was rendered.
    rendered : Rendered
        Result of the backend.
    quirks : Quirks
        Corrected quirks of nanoBragg; Q35 and Q44 matter here.

    Returns
    -------
    Statistics
        Statistics from sums in raster order. Their rounding is that of the C program.
    """
    n_panels, n_slow, n_fast = plan.shape[1:]
    # panels follow each other, and pixels that were not computed are zero and add nothing
    region = rendered.image[0].reshape(-1, n_fast)
    rows = plan.rows if n_panels == 1 else slice(0, n_panels * n_slow)
    region = region[rows, plan.columns]
    maximum, where, total, squares = add_up(region)
    n = int(rendered.n_rendered[0].sum())
    mean = total / max(n, 1)
    deviations = add_deviations(region, mean)
    n_deviating = region.size
    if quirks.corrects(Quirk.MASKED_PIXELS_IN_RMSD):
        # masked pixels deviate by the mean
        deviations = max(deviations - (region.size - n) * mean * mean, 0.0)
        n_deviating = n
    samples = plan.n_steps
    if quirks.corrects(Quirk.PRINTED_SOLID_ANGLE):
        samples = plan.oversample**2 * plan.panels.n_layers
    panel, place = 0, (0.0, 0.0)
    if maximum > 0.0:
        panel, slow = divmod(where[0] + rows.start, n_slow)
        place = _last_sub_pixel(plan, panel, where[1] + plan.columns.start, slow)
    return Statistics(
        maximum=maximum,
        maximum_at=place,
        mean=mean,
        rms=math.sqrt(squares / ((n if n > 1 else 2) - 1)),
        rmsd=math.sqrt(deviations / ((n_deviating if n_deviating > 1 else 2) - 1)),
        solid_angle=float(rendered.omega_sum[0].sum()) / samples,
        maximum_panel=panel,
    )


def add_up(region: np.ndarray) -> tuple[float, tuple[int, int], float, float]:
    """Maximum, its place, sum and sum of squares: `cupysim.native.tools.add_up`, or NumPy.

    The C program squares in single precision.
    """
    if tools.available():
        return tools.add_up(region)
    total = squares = 0.0
    for rows in _bands(region):
        values = region[rows].reshape(-1)
        total = serial_sum(total, values.astype(np.float64))
        squares = serial_sum(squares, (values * values).astype(np.float64))
    return (*_maximum(region), total, squares)


def add_deviations(region: np.ndarray, mean: float) -> float:
    """Sum of squared deviations: `cupysim.native.tools.add_deviations`, or NumPy."""
    if tools.available():
        return tools.add_deviations(region, mean)
    deviations = 0.0
    for rows in _bands(region):
        difference = region[rows].reshape(-1).astype(np.float64) - mean
        deviations = serial_sum(deviations, difference * difference)
    return deviations


def _bands(region: np.ndarray) -> list[slice]:
    return [slice(row, row + ROWS_AT_ONCE) for row in range(0, len(region), ROWS_AT_ONCE)]


def _maximum(region: np.ndarray) -> tuple[float, tuple[int, int]]:
    if region.size == 0:
        return 0.0, (0, 0)
    # a pixel that is not a number is never the largest
    slow, fast = np.unravel_index(int(np.argmax(np.fmax(region, -np.inf))), region.shape)
    largest = float(region[slow, fast])
    return (largest if largest > 0.0 else 0.0), (int(slow), int(fast))


def _last_sub_pixel(plan: RenderPlan, panel: int, fast: int, slow: int) -> tuple[float, float]:
    oversample, panels = plan.oversample, plan.panels
    return (
        sub_pixel_centre(fast, oversample - 1, oversample, float(panels.pixel_fast[0, panel])),
        sub_pixel_centre(slow, oversample - 1, oversample, float(panels.pixel_slow[0, panel])),
    )
