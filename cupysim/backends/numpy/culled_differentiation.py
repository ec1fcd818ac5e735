"""Derivatives within a tolerance with NumPy: simple, the reference for the compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from cupysim.backends.brightest import tolerance_in_photons
from cupysim.backends.derivatives import Gradients
from cupysim.backends.numpy.culled import QUIET, Panel
from cupysim.backends.numpy.differentiation import Differentiator
from cupysim.backends.numpy.oracle import BLOCK_SIZE
from cupysim.backends.numpy.rays import Ray, rays
from cupysim.backends.numpy.survivors import Survivors
from cupysim.backends.rendered import Observer
from cupysim.plan import tile_bounds
from cupysim.plan.gradient_columns import SIZES, SPREAD
from cupysim.plan.gradient_plan import GradientPlan


class _TileDifferentiator(Differentiator):
    """Sums the photons of a tile and their derivatives over the orientations that are left."""

    left: dict[tuple[int, int, int], np.ndarray]
    cells: np.ndarray
    n_computed = 0

    def _orientations(self, ray: Ray, n_pixels: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        left = self.left[ray.layer, ray.source, 0]
        size = max(1, BLOCK_SIZE // max(n_pixels, 1))
        for first in range(0, len(left), size):
            some = left[first : first + size]
            self.n_computed += n_pixels * len(some)
            yield some, self.cells[some]


def differentiate(gradient_plan: GradientPlan, observer: Observer) -> Gradients:
    """Differentiate an image within the plan's tolerance.

    Parameters
    ----------
    gradient_plan : GradientPlan
        Plan of the image and its derivatives, without structure factors.
    observer : Observer
        Receives the progress.

    Returns
    -------
    Gradients
        The image and its derivatives.
    """
    plan = gradient_plan.plan
    assert plan.tolerance is not None
    assert not gradient_plan.wants_factors
    _, n_panels, n_slow, n_fast = plan.shape
    values = np.zeros((n_panels, len(gradient_plan.names) + 1, n_slow * n_fast))
    panels = [Panel(plan, (0, number)) for number in range(n_panels)]
    tolerance, _ = tolerance_in_photons(plan.tolerance, panels)
    with_sizes = bool(gradient_plan.rows[..., SIZES:SPREAD].any())
    bound = partial(tile_bounds.slope_bounds, with_sizes=with_sizes)
    scale = plan.photons_per_squared_electron[0] / plan.n_steps
    n_computed = 0
    for number, panel in enumerate(panels):
        survivors = Survivors(plan, (0, number), panel.tiles, tolerance, bound)
        for tile in range(len(panel.tiles.numbers)):
            block = survivors.pixels(tile)
            differentiator = _TileDifferentiator(gradient_plan, block, None)
            differentiator.cells = survivors.cells[0]
            with np.errstate(**QUIET):  # type: ignore[arg-type]
                differentiator.left = survivors.of_tile(tile)
                for ray in rays(plan, block):
                    differentiator.add_ray(ray)
            values[number, :, block.numbers] = scale * differentiator.results().T
            n_computed += differentiator.n_computed
            observer.pixels_done(len(block.numbers))
    n_pixels = sum(panel.tiles.n_pixels for panel in panels)
    n_terms = n_pixels * plan.n_rays * plan.n_orientations
    return Gradients.of_panels(
        gradient_plan,
        values,
        limits=tolerance * gradient_plan.sensitivities,
        share=n_computed / max(n_terms, 1),
    )
