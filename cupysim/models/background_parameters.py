"""The parameter of the background: a factor of all its photons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cupysim.errors import ModelError
from cupysim.models.attenuation import Beamstop

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

BACKGROUND_SCALE = "background_scale"
"""Factor of the photons of water and of other matter."""


def reason_for_no_background(experiment: Experiment, _: str) -> str:
    """Reason why the factor has no effect; empty if it has one.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    _ : str
        `BACKGROUND_SCALE`.
    """
    scatters = any(
        isinstance(each, Beamstop) and each.matter is not None for each in experiment.attenuators
    )
    if experiment.water.size > 0.0 or experiment.backgrounds or scatters:
        return ""
    return "there is no background (-water, -background or -beamstop_matter)"


def current_background_scale(experiment: Experiment, _: str) -> float:
    """Value of the factor."""
    return experiment.background_scale


def with_changed_background(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with more or less background.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        `BACKGROUND_SCALE`.
    by : float
        Change of the factor.

    Raises
    ------
    ModelError
        If there is no background, or the factor is negative.
    """
    if reason := reason_for_no_background(experiment, name):
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    return replace(experiment, background_scale=experiment.background_scale + by)
