"""Derivatives of attenuators' fractions with respect to the detector's geometry."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.models.attenuation import Beamstop
from cupysim.models.experiment import Experiment
from cupysim.models.panel_motion import motion_of
from cupysim.models.parameters import OF_ONE_PANEL, changed
from cupysim.plan.attenuation import compute_fractions

STEP = 1e-6
"""Change of a length (m) or angle (rad) for central differences. Fractions are smooth: differences
are right to about 1e-9."""


def reason_for_none(experiment: Experiment) -> str:
    """Reason why fractions have no derivatives; empty if they have.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    """
    if any(isinstance(each, Beamstop) for each in experiment.attenuators):
        return "the shadow of a beamstop has an edge"
    return ""


def fraction_slopes(experiment: Experiment, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Derivatives of the fractions of the attenuators.

    Parameters
    ----------
    experiment : Experiment
        Experiment with attenuators, none of which is a beamstop.
    names : sequence of str
        Names of parameters; only those of the detector's geometry have derivatives.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_panels, n_slow, n_fast)
        Derivative of each fraction with respect to these parameters (1/m or 1/rad).
    """
    found = {}
    for name in names:
        if name not in OF_ONE_PANEL and motion_of(name) is None:
            continue
        with warnings.catch_warnings():
            # the experiment itself has warned
            warnings.simplefilter("ignore", CupysimWarning)
            less, more = (
                compute_fractions(changed(experiment, name, by), np.float64) for by in (-STEP, STEP)
            )
        found[name] = (more - less) / (2.0 * STEP)
    return found
