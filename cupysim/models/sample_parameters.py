"""Parameters of the sample that vary from shot to shot, but have no derivatives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cupysim.errors import ModelError

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

POSITION = ("body_along", "body_horizontal", "body_vertical")
"""Place of the body of the sample along the beam and across it."""

DOSES = ("image_dose", "dose_before")
"""Doses of the decay."""

SIZES = "size_spread"
"""Spread of the sizes of domains."""

OF_SAMPLE = (*POSITION, *DOSES, SIZES)
"""Names of all these parameters."""


def without_sample(experiment: Experiment, name: str) -> str:
    """Reason why a parameter of the sample has no effect; empty if it has one.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SAMPLE`.
    """
    if name in POSITION and experiment.body is None:
        return "the sample has no body (option -body)"
    if name in DOSES and experiment.decay is None:
        return "there is no decay (option -decay)"
    if name == SIZES and experiment.crystal.sizes is None:
        return "all domains have one size (option -size_spread)"
    return ""


def current_of_sample(experiment: Experiment, name: str) -> float:
    """Value of a parameter of the sample (m, Gy, or a ratio); 0 if the sample lacks it.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SAMPLE`.
    """
    body, decay, sizes = experiment.body, experiment.decay, experiment.crystal.sizes
    if name in POSITION:
        return 0.0 if body is None else body.position[POSITION.index(name)]
    if name in DOSES:
        if decay is None:
            return 0.0
        return {"image_dose": decay.dose, "dose_before": decay.dose_before}[name]
    return 0.0 if sizes is None else sizes.spread


def with_changed_sample(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with a parameter of the sample changed.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SAMPLE`.
    by : float
        Change (m, Gy, or a ratio).

    Raises
    ------
    ModelError
        If the parameter has no effect, or the change is impossible.
    """
    reason = without_sample(experiment, name)
    if reason:
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    body, decay, crystal = experiment.body, experiment.decay, experiment.crystal
    value = current_of_sample(experiment, name) + by
    if name in POSITION and body is not None:
        place = [value if each == name else x
                 for each, x in zip(POSITION, body.position, strict=True)]  # fmt: skip
        return replace(experiment, body=replace(body, position=(place[0], place[1], place[2])))
    if name == "image_dose" and decay is not None:
        return replace(experiment, decay=replace(decay, dose=value))
    if name == "dose_before" and decay is not None:
        return replace(experiment, decay=replace(decay, dose_before=value))
    assert name == SIZES
    assert crystal.sizes is not None
    sizes = replace(crystal.sizes, spread=value)
    return replace(experiment, crystal=replace(crystal, sizes=sizes))
