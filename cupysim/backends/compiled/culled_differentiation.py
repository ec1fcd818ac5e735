"""Derivatives within a tolerance with compiled kernels: tiles of pixels instead of bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cupysim.backends.brightest import tolerance_in_photons
from cupysim.backends.compiled import bands
from cupysim.backends.compiled.culled import LANES, TileWorker
from cupysim.backends.compiled.differentiation import (
    BAND_BYTES,
    describe_derivatives,
    domain_derivatives,
)
from cupysim.backends.compiled.engine import TileEngine
from cupysim.backends.derivatives import Gradients
from cupysim.backends.rendered import Observer
from cupysim.plan.culling import TILE_EDGE
from cupysim.plan.gradient_plan import GradientPlan


class _GradientTiles(TileWorker):
    """Differentiates tiles of a panel on one engine."""

    def __init__(self, engine: TileEngine, gradient_plan: GradientPlan, panel: int) -> None:
        super().__init__(engine, gradient_plan.plan, (0, panel))
        self._gradient_plan = gradient_plan
        self._panel = panel

    def differentiate(self, tolerance: float, values: Any, observer: Observer) -> int:
        """Differentiate all tiles. Returns the number of computed terms.

        Parameters
        ----------
        tolerance : float
            Photons by which each pixel may be below the exact image.
        values : array of float64, shape (n_parameters + 1, n_slow * n_fast)
            Array for the derivatives, and the photons in its last row.
        observer : Observer
            Receives the progress.
        """
        tiles, n_fast = self.tiles, self._plan.shape[3]
        launch = self._launch_of(tiles)
        # not at construction, because panels share the device's buffers of parameters
        describe_derivatives(launch, self._engine, self._gradient_plan, self._panel)
        total = self._plan.n_orientations
        domain_derivatives(launch, self._engine, self._gradient_plan, 0, total)
        launch["tolerated"] = tolerance
        rows = tiles.numbers // tiles.across
        # whole rows of tiles at a time, because their pixels follow each other in memory
        per_row = 8 * values.shape[0] * TILE_EDGE * n_fast
        first, computed = 0, 0
        while first < len(rows):
            most = self._most_tiles()
            last_row = rows[min(first + most, len(rows)) - 1]
            last_row = min(last_row, rows[first] + max(1, BAND_BYTES // per_row) - 1)
            last = int(np.searchsorted(rows, last_row, side="right"))
            launch["first_pixel"], launch["n_pixels"] = LANES * first, LANES * (last - first)
            end = min((int(last_row) + 1) * TILE_EDGE, self._plan.shape[2]) * n_fast
            numbers = int(rows[first]) * TILE_EDGE * n_fast, end - 1
            self._engine.open_slopes(launch, values, numbers, 0)
            with self._timed(last - first):
                computed += self._engine.differentiate_tiles(launch, self._variant)
            self._engine.close_slopes()
            observer.pixels_done(tiles.some(np.arange(first, last)).n_pixels)
            first = last
        return computed


def differentiate(
    gradient_plan: GradientPlan,
    observer: Observer,
    engines: Sequence[TileEngine],
    new_array: Callable[[tuple[int, ...], type], Any] = np.zeros,
) -> Gradients:
    """Differentiate an image within the plan's tolerance.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the image and its derivatives, without structure factors.
    observer : Observer
        Receives the progress.
    engines : sequence of TileEngine
        Devices; the first one differentiates all tiles.
    new_array : callable, optional
        Makes an array of zeros for the results, from a shape and a type.

    Returns
    -------
    Gradients
        The image in double precision, and its derivatives.

    Raises
    ------
    CupysimError
        If the table of structure factors is too large for the kernel.
    """
    plan = gradient_plan.plan
    assert plan.tolerance is not None
    assert not gradient_plan.wants_factors
    bands.check_table(plan)
    _, n_panels, n_slow, n_fast = plan.shape
    values = new_array((n_panels, len(gradient_plan.names) + 1, n_slow * n_fast), np.float64)
    workers = [_GradientTiles(engines[0], gradient_plan, number) for number in range(n_panels)]
    tolerance, _ = tolerance_in_photons(plan.tolerance, workers)
    n_computed = sum(
        worker.differentiate(tolerance, values[number], observer)
        for number, worker in enumerate(workers)
    )
    n_pixels = sum(worker.tiles.n_pixels for worker in workers)
    n_terms = n_pixels * plan.n_rays * plan.n_orientations
    return Gradients.of_panels(
        gradient_plan,
        values,
        limits=tolerance * gradient_plan.sensitivities,
        share=n_computed / max(n_terms, 1),
    )
