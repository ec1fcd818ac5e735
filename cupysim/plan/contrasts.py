"""Pairs of plans whose difference gives a derivative: for Stokes parameters and background."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cupysim.models.experiment import Experiment
from cupysim.models.polarization_parameters import STOKES, current_stokes
from cupysim.plan.render_plan import RenderPlan

CONTRAST = 0.2
"""Difference of a parameter between two plans for a derivative. Photons depend linearly on the
factor of the background and on Stokes parameters; for divergent beams, nearly so, because the axes
of Q and U are those of the mean beam."""


def stokes_contrast(
    experiment: Experiment, plan: RenderPlan, name: str
) -> tuple[RenderPlan, RenderPlan]:
    """Plans with a larger and with a smaller Stokes parameter.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal.
    plan : RenderPlan
        Its plan.
    name : str
        One of `STOKES`.

    Returns
    -------
    tuple of 2 RenderPlan
        Plans whose parameters differ by `CONTRAST`.
    """
    found, n_sources = [], len(plan.sources.channel)
    for by in (0.5 * CONTRAST, -0.5 * CONTRAST):
        stokes = current_stokes(experiment)
        stokes[STOKES.index(name)] += by
        kahn, axes = experiment.beam.linear_polarization(
            experiment.frame, np.tile(stokes, (n_sources, 1)), n_sources
        )
        sources = replace(plan.sources, kahn=kahn[None], polarization_axis=axes[None])
        found.append(plan.with_same_axes(sources=sources))
    return found[0], found[1]


def background_contrast(experiment: Experiment, plan: RenderPlan) -> tuple[RenderPlan, RenderPlan]:
    """Plans with more and with less background.

    Parameters
    ----------
    experiment : Experiment
        Experiment with a background.
    plan : RenderPlan
        Its plan.

    Returns
    -------
    tuple of 2 RenderPlan
        Plans whose factors of the background differ by `CONTRAST`.
    """
    matter, by = plan.amorphous, 0.5 * CONTRAST / experiment.background_scale
    more, less = (
        plan.with_same_axes(
            background=factor * plan.background,
            ray_background=factor * plan.ray_background,
            amorphous=replace(matter, molecules=factor * matter.molecules),
        )
        for factor in (1.0 + by, 1.0 - by)
    )
    return more, less
