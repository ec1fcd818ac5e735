"""Parameters of the linear polarization of the beam: relative Stokes parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import ModelError

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

STOKES = ("stokes_q", "stokes_u")
"""Q/I and U/I of the beam."""


def current_stokes_parameter(experiment: Experiment, name: str) -> float:
    """Value of one of `STOKES`; see `current_stokes`."""
    return float(current_stokes(experiment)[STOKES.index(name)])


def without_stokes(experiment: Experiment, _: str) -> str:
    """Reason why a Stokes parameter has no effect; see `without_polarization`."""
    return without_polarization(experiment)


def without_polarization(experiment: Experiment) -> str:
    """Find out why the beam has no Stokes parameters of its own.

    Parameters
    ----------
    experiment : Experiment
        The experiment.

    Returns
    -------
    str
        The reason; empty if it has.
    """
    beam = experiment.beam
    if not beam.polarized:
        return "the image has no polarization factor"
    if beam.spectrum is not None and beam.spectrum.stokes is not None:
        return "each wavelength has its own Stokes parameters"
    if beam.stokes is not None and beam.stokes.ndim == 2 and len(beam.stokes) > 1:
        return "each source has its own Stokes parameters"
    return ""


def current_stokes(experiment: Experiment) -> np.ndarray:
    """Find Q/I and U/I of the beam.

    Parameters
    ----------
    experiment : Experiment
        The experiment.

    Returns
    -------
    ndarray, shape (2,)
        Q/I and U/I; zero if the beam has none of its own.
    """
    beam = experiment.beam
    if without_polarization(experiment):
        return np.zeros(2)
    if beam.stokes is None:
        return np.array([beam.polarization, 0.0])
    return np.array(beam.stokes, dtype=np.float64).reshape(2)


def with_changed_stokes(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with one of its Stokes parameters changed.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `STOKES`.
    by : float
        Change of Q/I or U/I.

    Raises
    ------
    ModelError
        If the beam has no Stokes parameters of its own, or would be polarized by more than 100 %.
    """
    reason = without_polarization(experiment)
    if reason:
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    stokes = current_stokes(experiment)
    stokes[STOKES.index(name)] += by
    return replace(experiment, beam=replace(experiment.beam, polarization=0.0, stokes=stokes))
