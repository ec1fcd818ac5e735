"""Free parameters of a refinement, and plans with changed parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.crystal_names import numbered
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, changed
from cupysim.plan.culling import without_background
from cupysim.plan.gradient_names import FACTORS, expand
from cupysim.plan.gradient_plan import GradientPlan, plan_of_crystals
from cupysim.plan.kinds import with_cell_counts
from cupysim.plan.planning import plans_of_kinds


def free_parameters(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters to refine.

    Parameters
    ----------
    names : str or sequence of str
        Names of parameters and groups, as for `cupysim.plan.gradient_plan.expand`.

    Returns
    -------
    tuple of str
        Names of parameters, each once.

    Raises
    ------
    ModelError
        If there is no such parameter, it cannot be refined, or an image cannot distinguish two of
        them.
    """
    try:
        found = expand(names)
    except ModelError as error:
        raise ModelError(str(error).replace("gradients: ", "refine: ", 1)) from error
    if FACTORS in found:
        raise ModelError(f"refine: {FACTORS} cannot be refined: there are too many")
    if {"fluence", "scale"} <= set(found):
        raise ModelError("refine: fluence and scale have the same effect on an image; free one")
    return found


def with_fixed_sampling(experiment: Experiment) -> Experiment:
    """Fix the sampling of an experiment, so that it does not jump while parameters change.

    Parameters
    ----------
    experiment : Experiment
        Experiment. Its sub-pixels, interpolation and numbers of cells may be automatic.

    Returns
    -------
    Experiment
        The same experiment, with the automatic values given explicitly.
    """
    rendering = replace(
        experiment.rendering,
        oversample=experiment.oversample,
        interpolate=experiment.interpolation_wanted,
    )
    fixed = replace(experiment, rendering=rendering)
    for number, each in enumerate(experiment.each_crystal, 1):
        fixed = fixed.with_crystal(number, each.crystal.with_cells(each.cell_counts))
    return fixed


def gradient_plan(
    experiment: Experiment,
    shifts: Mapping[str, float],
    names: Sequence[str],
    coarseness: float = 1.0,
    background: bool = True,
) -> GradientPlan:
    """Plan the derivatives of an experiment with some parameters changed.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the start values.
    shifts : mapping
        Changes of parameters by name, in the units of derivatives.
    names : sequence of str
        Names of the parameters to differentiate with respect to.
    coarseness : float, optional
        Divisor of the numbers of cells. It makes spots wider.
    background : bool, optional
        Include the background; otherwise, only spots.

    Returns
    -------
    GradientPlan
        The plan. It does not contain the factor of the parameter "scale".

    Raises
    ------
    ModelError
        If a change is impossible.
    """
    counts = [np.array(each.cell_counts) for each in experiment.each_crystal]
    for name, shift in shifts.items():
        base, number = numbered(name)
        if base in GROUPS["n_cells"]:
            counts[number - 1][GROUPS["n_cells"].index(base)] += shift
        elif name != "scale" and shift != 0.0:
            experiment = changed(experiment, name, shift)
    plans = []
    for each, numbers in zip(experiment.each_crystal, counts, strict=True):
        off_diagonal = np.array(each.crystal.n_cells_off_diagonal) / coarseness
        sizes = np.concatenate([np.maximum(numbers / coarseness, 1.0), off_diagonal])
        (kinds,) = plans_of_kinds(each)
        plans.append(
            [
                found._replace(plan=with_cell_counts(of_kind, each, found.kind.size * sizes))
                for found in kinds
                for of_kind in [found.plan if background else without_background(found.plan)]
            ]
        )
    return plan_of_crystals(experiment, plans, names)
