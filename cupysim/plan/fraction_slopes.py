"""Derivatives of the fractions of photons that reach the pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.models.absorber_parameters import ABSORPTION_SIZE, AROUND_PLACE, OF_AROUND
from cupysim.models.attenuation import Beamstop
from cupysim.models.crystal_names import numbered
from cupysim.models.decay import Decay
from cupysim.models.experiment import Experiment
from cupysim.models.panel_motion import motion_of
from cupysim.models.parameters import OF_ONE_PANEL, changed, current, without_effect
from cupysim.models.sample_parameters import (
    ATTENUATION,
    BODY_SIZES,
    DECAY,
    OF_SAMPLE,
    POSITION,
    PROFILE,
    current_of_sample,
    without_sample,
)
from cupysim.plan.attenuation import compute_fractions
from cupysim.plan.exposure import fractions_of_angle

STEP = 1e-6
"""Change of a length (m) or angle (rad) for central differences. Fractions are smooth: differences
are right to about 1e-9."""

OF_WAVELENGTH = 1e-6
"""Relative change of the wavelength."""

OF_SIZE = 1e-3
"""Relative change of sizes and attenuation, and change of the place of a body relative to the width
of the beam's profile or, without a profile, to the smallest size of the body."""


def reason_for_none(experiment: Experiment) -> str:
    """Reason why fractions have no derivatives with respect to the geometry of the detector.

    Parameters
    ----------
    experiment : Experiment
        The experiment.

    Returns
    -------
    str
        The reason; empty if they have derivatives.
    """
    if any(isinstance(each, Beamstop) for each in experiment.attenuators):
        return "the shadow of a beamstop has an edge"
    return ""


def sample_without_slopes(experiment: Experiment) -> dict[str, str]:
    """Find the parameters of the sample without derivatives.

    Parameters
    ----------
    experiment : Experiment
        The experiment.

    Returns
    -------
    dict of str to str
        The reason for each of these parameters.
    """
    found = {name: without_sample(experiment, name) for name in OF_SAMPLE}
    profile = experiment.beam.profile
    for name in (*POSITION, *PROFILE, *BODY_SIZES):
        if found[name]:
            continue
        if name in POSITION and profile is None and not experiment.around:
            found[name] = (
                "without a beam profile and without matter around the body, its place has no effect"
            )
        elif profile is not None and not profile.is_smooth:
            found[name] = "the beam profile has edges"
    if experiment.body is not None and experiment.body.attenuation == 0.0:
        found[ATTENUATION] = "it is zero"
    return {name: reason for name, reason in found.items() if reason}


def without_absorbers(experiment: Experiment, name: str) -> str:
    """Reason why a parameter of an absorber has no derivative; empty for all other parameters.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        Name of any parameter, with or without a number.
    """
    base, _ = numbered(name)
    if base not in (*OF_AROUND, ABSORPTION_SIZE):
        return ""
    if reason := without_effect(experiment, name):
        return reason
    is_zero = base not in AROUND_PLACE and current(experiment, name) == 0.0
    return "it is zero" if is_zero else ""


def fraction_slopes(
    experiment: Experiment, names: Sequence[str], angle: int | None
) -> dict[str, np.ndarray]:
    """Derivatives of the fractions of attenuators, body and decay.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    names : sequence of str
        Names of parameters.
    angle : int or None
        Number of the spindle angle; None for fractions of the attenuators alone.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_panels, n_slow, n_fast)
        Derivatives of the fractions (1 over the SI unit of the parameter). Parameters on which no
        fraction depends have no entry.
    """
    found: dict[str, np.ndarray] = {}
    intervals: list[int] | None = None
    for name in names:
        if angle is not None and name in DECAY and experiment.decay is not None:
            found[name] = _of_decay(experiment, angle, name)
        elif (step := _step(experiment, name, angle)) > 0.0:
            if angle is not None and experiment.body is not None and intervals is None:
                _, intervals = fractions_of_angle(experiment, angle, np.float64)
            with warnings.catch_warnings():
                # the experiment itself has warned
                warnings.simplefilter("ignore", CupysimWarning)
                less, more = (
                    _fractions(changed(experiment, name, by), angle, intervals)
                    for by in (-step, step)
                )
            found[name] = (more - less) / (2.0 * step)
    return found


def _step(experiment: Experiment, name: str, angle: int | None) -> float:
    """Change of a parameter for central differences; zero if fractions do not depend on it."""
    if name in OF_ONE_PANEL or motion_of(name) is not None:
        return STEP if experiment.attenuators or angle is not None else 0.0
    if name == ABSORPTION_SIZE:
        return OF_SIZE * current(experiment, name)
    if angle is None:
        return 0.0
    body, decay, profile = experiment.body, experiment.decay, experiment.beam.profile
    if name == "phi" and body is not None:
        return STEP
    if name == "wavelength" and decay is not None and decay.b_per_gray > 0.0:
        return OF_WAVELENGTH * experiment.beam.wavelength
    if body is None:
        return 0.0
    if name in POSITION and profile is not None:
        return OF_SIZE * min(profile.horizontal, profile.vertical)
    if name in POSITION and experiment.around:
        return OF_SIZE * min(body.size)
    if name in (*BODY_SIZES, *PROFILE, ATTENUATION):
        return OF_SIZE * current_of_sample(experiment, name)
    base, number = numbered(name)
    if base in AROUND_PLACE:
        return OF_SIZE * min(experiment.around[number - 1].size)
    return OF_SIZE * current(experiment, name) if base in OF_AROUND else 0.0


def _fractions(
    experiment: Experiment, angle: int | None, intervals: Sequence[int] | None
) -> np.ndarray:
    if angle is None:
        return compute_fractions(experiment, np.float64)
    found, _ = fractions_of_angle(experiment, angle, np.float64, intervals)
    return _attenuated(experiment, found)


def _of_decay(experiment: Experiment, angle: int, name: str) -> np.ndarray:
    def slope(decay: Decay, squares: np.ndarray, first: float, last: float) -> np.ndarray:
        return decay.slopes(squares, first, last)[DECAY[name]]

    found, _ = fractions_of_angle(experiment, angle, np.float64, factor=slope)
    return _attenuated(experiment, found)


def _attenuated(experiment: Experiment, found: np.ndarray) -> np.ndarray:
    return found * compute_fractions(experiment, np.float64) if experiment.attenuators else found
