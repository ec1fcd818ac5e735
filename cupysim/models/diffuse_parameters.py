"""Parameters of diffuse scattering: correlation lengths and displacements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cupysim.errors import ModelError
from cupysim.models.diffuse import DiffuseModel

if TYPE_CHECKING:
    from cupysim.models.experiment import Experiment

GAMMA = ("diffuse_gamma_x", "diffuse_gamma_y", "diffuse_gamma_z")
"""Correlation lengths (m)."""

SIGMA = ("diffuse_sigma_x", "diffuse_sigma_y", "diffuse_sigma_z")
"""Root-mean-square displacements (m)."""

OF_DIFFUSE = (*GAMMA, *SIGMA)
"""Names of all these parameters."""


def without_diffuse(experiment: Experiment, name: str) -> str:
    """Reason why a parameter of diffuse scattering has no effect; empty if it has one.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_DIFFUSE`.
    """
    diffuse = experiment.crystal.diffuse
    if diffuse is None:
        return "the crystal has no diffuse scattering (option -diffuse_sigma)"
    if name in GAMMA and diffuse.kind is DiffuseModel.RIGID:
        return "rigid cells move independently of each other, without correlation lengths"
    return ""


def current_diffuse(experiment: Experiment, name: str) -> float:
    """Value of a parameter of diffuse scattering (m); 0 if the crystal has none.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_DIFFUSE`.
    """
    diffuse = experiment.crystal.diffuse
    if diffuse is None:
        return 0.0
    return dict(zip(OF_DIFFUSE, (*diffuse.gamma, *diffuse.sigma), strict=True))[name]


def with_changed_diffuse(experiment: Experiment, name: str, by: float) -> Experiment:
    """The experiment with a parameter of the crystal's diffuse scattering changed.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    name : str
        One of `OF_DIFFUSE`.
    by : float
        Change (m).

    Raises
    ------
    ModelError
        If the parameter has no effect, or the change is impossible.
    """
    reason, diffuse = without_diffuse(experiment, name), experiment.crystal.diffuse
    if reason or diffuse is None:
        raise ModelError(f"parameter {name!r}: it has no effect: {reason}")
    names, values = (GAMMA, diffuse.gamma) if name in GAMMA else (SIGMA, diffuse.sigma)
    x, y, z = (
        value + by if each == name else value for each, value in zip(names, values, strict=True)
    )
    if name in GAMMA:
        changed = replace(diffuse, gamma=(x, y, z))
    else:
        changed = replace(diffuse, sigma=(x, y, z))
    return replace(experiment, crystal=replace(experiment.crystal, diffuse=changed))
