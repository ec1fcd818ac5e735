"""Parameters of the beam's sources: bandwidth and divergence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.sampling import Sweep

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

DISPERSION, SPECTRUM_WIDTH = "dispersion", "spectrum_width"
"""Full range of the wavelengths of a dispersion, relative to the central wavelength; standard
deviation of the energies of a spectrum, relative to their mean (`Spectrum.width`)."""

WIDTHS = (DISPERSION, SPECTRUM_WIDTH)
"""Names of the bandwidths."""

DIVERGENCE = {"divergence_horizontal": "horizontal", "divergence_vertical": "vertical"}
"""Full ranges of the divergence (rad), and names of the fields of `Beam`."""

OF_SOURCES = (*WIDTHS, *DIVERGENCE)
"""Names of all these parameters."""

MISSING = {
    DISPERSION: "the beam has no dispersion (option -dispersion)",
    "divergence_horizontal": "the beam has no horizontal divergence (option -hdivrange)",
    "divergence_vertical": "the beam has no vertical divergence (option -vdivrange)",
}
"""Reasons why a sweep without a range has no parameter."""

SWEEPS = {DISPERSION: "dispersion", **DIVERGENCE}
"""Parameters that are the range of a sweep, and names of the fields of `Beam`."""


def without_own_wavelength(experiment: Experiment) -> str:
    """Reason why the wavelength of the beam has no effect; empty if it has one."""
    table = experiment.beam.source_table
    if table is None or np.isnan(table[:, 4]).any():
        return ""
    return "the table of sources gives the wavelength of every source"


def without_sources(experiment: Experiment, name: str) -> str:
    """Reason why a parameter of the sources has no effect; empty if it has one.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SOURCES`.
    """
    beam = experiment.beam
    if beam.source_table is not None:
        return "a table of sources gives their directions and wavelengths"
    if name == SPECTRUM_WIDTH:
        if beam.spectrum is None:
            return "the beam has no spectrum (option -spectrum)"
        return "" if beam.spectrum.width > 0.0 else "the spectrum has a single wavelength"
    if name == DISPERSION and beam.spectrum is not None:
        return f"a spectrum gives the wavelengths; use {SPECTRUM_WIDTH}"
    if current_of_sources(experiment, name) > 0.0:
        return ""
    return MISSING[name]


def current_of_sources(experiment: Experiment, name: str) -> float:
    """Value of a parameter of the sources, in the unit of its derivative; 0 if there is none.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SOURCES`.
    """
    beam = experiment.beam
    if name == SPECTRUM_WIDTH:
        return 0.0 if beam.spectrum is None else beam.spectrum.width
    sweep: Sweep = getattr(beam, SWEEPS[name])
    return sweep.range


def with_changed_sources(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with a parameter of the sources changed. Their number stays.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_SOURCES`.
    by : float
        Change, in the unit of the parameter's derivative.

    Raises
    ------
    ModelError
        If the parameter has no effect, or the change is impossible.
    """
    if reason := without_sources(experiment, name):
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    beam, now = experiment.beam, current_of_sources(experiment, name)
    if not now + by > 0.0:
        raise ModelError(f"parameter {name!r}: it must stay positive")
    if name == SPECTRUM_WIDTH:
        assert beam.spectrum is not None
        other = replace(beam, spectrum=beam.spectrum.stretched(1.0 + by / now))
        return replace(experiment, beam=other)
    sweep: Sweep = getattr(beam, SWEEPS[name])
    wider = Sweep(now + by, sweep.step * (1.0 + by / now), sweep.count)
    changed: dict[str, Any] = {SWEEPS[name]: wider}
    return replace(experiment, beam=replace(beam, **changed))
