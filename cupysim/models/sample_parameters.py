"""Parameters of the sample: body, beam profile, decay, and the spread of the sizes of domains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cupysim.errors import ModelError

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

POSITION = ("body_along", "body_horizontal", "body_vertical")
"""Place of the body of the sample along the beam and across it."""

BODY_SIZES = ("body_length", "body_width", "body_height")
"""Size of the body along these axes."""

ATTENUATION = "body_attenuation"
"""Attenuation coefficient of the body."""

OF_BODY = (*POSITION, *BODY_SIZES, ATTENUATION)
"""Parameters of the body."""

PROFILE = {"profile_horizontal": "horizontal", "profile_vertical": "vertical"}
"""Sizes of the beam's profile, and names of the fields of `BeamProfile`."""

DOSES = ("image_dose", "dose_before")
"""Doses of the decay."""

DECAY = {
    "image_dose": "dose",
    "dose_before": "dose_before",
    "half_dose": "half_dose",
    "decay_b": "b_per_gray",
}
"""Parameters of the decay, and names of the fields of `Decay`."""

SIZES = "size_spread"
"""Spread of the sizes of domains."""

OF_SAMPLE = (*OF_BODY, *PROFILE, *DECAY, SIZES)
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
    if name in OF_BODY and experiment.body is None:
        return "the sample has no body (option -body)"
    if name in PROFILE and experiment.beam.profile is None:
        return "the beam has no profile (option -beam_profile)"
    if name in PROFILE and experiment.body is None:
        return "a beam profile acts on a body, and the sample has none (option -body)"
    if name in DECAY and experiment.decay is None:
        return "there is no decay (option -decay)"
    if name == "half_dose" and experiment.decay is not None:
        return "the half dose is infinite" if experiment.decay.half_dose == math.inf else ""
    if name == SIZES and experiment.crystal.sizes is None:
        return "all domains have one size (option -size_spread)"
    return ""


def current_of_sample(experiment: Experiment, name: str) -> float:
    """Value of a parameter of the sample, in the unit of its derivative.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SAMPLE`.

    Returns
    -------
    float
        The value; 0 if the sample lacks it.
    """
    body, decay, sizes = experiment.body, experiment.decay, experiment.crystal.sizes
    profile = experiment.beam.profile
    if name in OF_BODY:
        if body is None:
            return 0.0
        return dict(zip(OF_BODY, (*body.position, *body.size, body.attenuation), strict=True))[name]
    if name in PROFILE:
        return 0.0 if profile is None else float(getattr(profile, PROFILE[name]))
    if name in DECAY:
        return 0.0 if decay is None else float(getattr(decay, DECAY[name]))
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
        Change, in the unit of the parameter's derivative.

    Raises
    ------
    ModelError
        If the parameter has no effect, or the change is impossible.
    """
    reason = without_sample(experiment, name)
    if reason:
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    body, decay, crystal = experiment.body, experiment.decay, experiment.crystal
    value, beam = current_of_sample(experiment, name) + by, experiment.beam
    if name in OF_BODY and body is not None:
        if name == ATTENUATION:
            return replace(experiment, body=replace(body, attenuation=value))
        names = POSITION if name in POSITION else BODY_SIZES
        numbers = body.position if name in POSITION else body.size
        x, y, z = (
            value if each == name else number for each, number in zip(names, numbers, strict=True)
        )
        if name in POSITION:
            return replace(experiment, body=replace(body, position=(x, y, z)))
        return replace(experiment, body=replace(body, size=(x, y, z)))
    if name in PROFILE and beam.profile is not None:
        if PROFILE[name] == "horizontal":
            other = replace(beam.profile, horizontal=value)
        else:
            other = replace(beam.profile, vertical=value)
        return replace(experiment, beam=replace(beam, profile=other))
    if name in DECAY and decay is not None:
        return replace(experiment, decay=replace(decay, **{DECAY[name]: value}))
    assert name == SIZES
    assert crystal.sizes is not None
    sizes = replace(crystal.sizes, spread=value)
    return replace(experiment, crystal=replace(crystal, sizes=sizes))
