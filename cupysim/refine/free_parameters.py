"""Parameters which are refined: how far they may go, and plans with some of them changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, changed
from cupysim.plan.gradient_plan import FACTORS, GradientPlan, expand, plan_gradients
from cupysim.plan.planning import make_plan, with_cell_counts


def free_parameters(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters to refine.

    Parameters
    ----------
    names : str or sequence of str
        As for `cupysim.plan.gradient_plan.expand`.

    Returns
    -------
    tuple of str
        Each once.

    Raises
    ------
    ModelError
        If there is no such parameter, or two which cannot be told apart.
    """
    try:
        found = expand(names)
    except ModelError as error:
        raise ModelError(str(error).replace("gradients: ", "refine: ", 1)) from error
    if FACTORS in found:
        raise ModelError(f"refine: {FACTORS} cannot be refined, they are too many")
    if {"fluence", "scale"} <= set(found):
        raise ModelError("refine: fluence and scale are one and the same for an image")
    return found


def with_fixed_sampling(experiment: Experiment) -> Experiment:
    """The experiment with its sampling as it is, lest it jump while parameters change.

    Parameters
    ----------
    experiment : Experiment
        Whose sub-pixels and interpolation may follow from the rest.

    Returns
    -------
    Experiment
        With the same of both, given.
    """
    rendering = replace(
        experiment.rendering,
        oversample=experiment.oversample,
        interpolate=experiment.interpolation_wanted,
    )
    crystal = experiment.crystal.with_cells(experiment.cell_counts)
    return replace(experiment, rendering=rendering, crystal=crystal)


def gradient_plan(
    experiment: Experiment,
    shifts: Mapping[str, float],
    names: Sequence[str],
    coarseness: float = 1.0,
    background: bool = True,
) -> GradientPlan:
    """Prepare to differentiate an experiment of which some parameters are changed.

    Parameters
    ----------
    experiment : Experiment
        The start.
    shifts : mapping
        Changes by name, in units of derivatives.
    names : sequence of str
        With what to differentiate.
    coarseness : float, optional
        Numbers of cells are divided by it, which makes spots wider.
    background : bool, optional
        With the background, not the spots alone.

    Returns
    -------
    GradientPlan
        Without the factor by which the scale changes all photons.

    Raises
    ------
    ModelError
        If a change is impossible.
    """
    counts = np.array(experiment.cell_counts)
    for name, shift in shifts.items():
        if name in GROUPS["n_cells"]:
            counts[GROUPS["n_cells"].index(name)] += shift
        elif name != "scale" and shift != 0.0:
            experiment = changed(experiment, name, shift)
    plan = with_cell_counts(make_plan(experiment), np.maximum(counts / coarseness, 1.0))
    if not background:
        plan = replace(plan, ray_background=0.0 * plan.ray_background)
    return plan_gradients(experiment, plan, names)
