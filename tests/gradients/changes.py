"""Experiments with one parameter changed a little, and differences of their images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.diffuse_parameters import OF_DIFFUSE
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, changed
from cupysim.models.source_parameters import OF_SOURCES
from cupysim.plan.gradient_plan import GradientPlan, plan_gradients
from cupysim.plan.kinds import with_cell_counts
from cupysim.plan.planning import make_plan

STEPS: dict[str, float] = {
    **dict.fromkeys(GROUPS["misset"], 2e-6),
    **dict.fromkeys(GROUPS["cell"][:3], 2e-5),
    **dict.fromkeys(GROUPS["cell"][3:], 1e-6),
    **dict.fromkeys((*GROUPS["n_cells"], *GROUPS["n_cells_off_diagonal"]), 1e-4),
    **dict.fromkeys(("mosaic_spread", *GROUPS["mosaic_spreads"]), 1e-6),
    "wavelength": 1e-16,
    "distance": 1e-7,
    **dict.fromkeys(GROUPS["beam_centre"], 1e-7),
    **dict.fromkeys(GROUPS["rotation"], 1e-6),
    "twotheta": 1e-6,
    "phi": 2e-6,
    "fluence": 1e20,
    "crystal_scale": 1e-4,
    **dict.fromkeys(OF_DIFFUSE, 1e-14),
    **dict.fromkeys(EDGE_SPREADS, 2e-6),
    **dict.fromkeys(OF_SOURCES, 4e-6),
}
"""Changes at which neither rounding nor the fifth derivative counts, for crystals of some ten
cells of 50 Angstrom."""


def gradient_plan(
    experiment: Experiment, names: str, n_changed: tuple[str, float] | None = None
) -> GradientPlan:
    plan = make_plan(experiment)
    if n_changed is not None:
        off_diagonal = experiment.crystal.n_cells_off_diagonal
        counts = np.array([*experiment.cell_counts, *off_diagonal])
        counts[GROUPS["n_cells"].index(n_changed[0])] += n_changed[1]
        plan = with_cell_counts(plan, experiment, counts)
    return plan_gradients(experiment, plan, names)


def difference(
    photons: Callable[[GradientPlan], np.ndarray],
    experiment: Experiment,
    name: str,
    part: float = 1.0,
) -> np.ndarray:
    """Derivative of an image with a parameter by central differences of the fourth order.

    Of so large a part of the usual steps.
    """
    step = part * STEPS[name]

    def at(by: float) -> np.ndarray:
        if name in GROUPS["n_cells"]:
            return photons(gradient_plan(experiment, "scale", (name, by)))
        return photons(gradient_plan(changed(experiment, name, by), "scale"))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
