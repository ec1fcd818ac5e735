"""What a fit led to: parameters, their uncertainties, and whether they are a solution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cupysim.maths.arrays import on_host
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, PARAMETERS, changed
from cupysim.plotting.windows import show_figure
from cupysim.refine.coarse_levels import spot_width
from cupysim.refine.condensed import Condensed
from cupysim.refine.problem import Observation, Problem
from cupysim.refine.report import draw, report_lines
from cupysim.refine.settings import UNLIKELY, Settings

SMALLEST_MISFIT = 0.5
"""Below, the image has less noise than counts have."""

EXPLAINED = 0.5
"""Part of a model's spots which an image has, if it is not a wrong one: half-way between an image
with its spots and one without."""

DETECTED = 5.0
"""Standard deviations from which on it can be told whether an image has a model's spots."""

EXCESS = 0.05
"""Part by which spots may be more than the model's, beside noise."""

LEAST_LIKELY = 1e-5
"""Probability of what is left over, below which it is not noise."""

WORST_CONDITION = 1e12
"""Of the curvature in units of its diagonal: beyond, parameters cannot be told apart."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Where a fit ended.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
        Changes of the parameters, in the units of `PARAMETERS`.
    cost : float
        What was minimised; infinite where a model was impossible.
    succeeded : bool
        Whether it is a minimum.
    message : str
        How it ended.
    """

    x: np.ndarray
    cost: float
    succeeded: bool
    message: str


@dataclass(frozen=True, eq=False)
class Refined:
    """The outcome of a refinement.

    Parameters
    ----------
    experiment : Experiment
        The start with the refined parameters; numbers of cells are rounded, and the scale has
        become a part of the fluence.
    names : tuple of str
        Free parameters.
    start, values, sigmas : ndarray, shape (n_parameters,)
        Values before and after, and standard deviations, in the units of `PARAMETERS`. Standard
        deviations are those of the curvature at the end, times the square root of the reduced
        chi-squared where that is larger than one.
    correlations : ndarray, shape (n_parameters, n_parameters)
        Of the parameters.
    chi_squared : tuple of 2 float
        Deviance or weighted squares over what noise alone makes of them, before and after.
    chi_sigma : float
        By how much the latter varies by chance.
    explained : tuple of 2 float
        How much of the model's spots the image has, and its standard deviation, see
        `Problem.explained`.
    converged : bool
        Whether this is the solution.
    reason : str
        Why not, or how it ended.
    evaluations : int
        Images which were differentiated.
    used : ndarray of bool, shape (n_slow, n_fast)
        Pixels which took part.
    counts : ndarray, shape (n_slow, n_fast)
        Photons counted in the image.
    images : tuple of 2 ndarray, shape (n_slow, n_fast)
        Expected photons of the used pixels before and after.
    """

    experiment: Experiment
    names: tuple[str, ...]
    start: np.ndarray
    values: np.ndarray
    sigmas: np.ndarray
    correlations: np.ndarray
    chi_squared: tuple[float, float]
    chi_sigma: float
    explained: tuple[float, float]
    converged: bool
    reason: str
    evaluations: int
    used: np.ndarray
    counts: np.ndarray
    images: tuple[np.ndarray, np.ndarray]

    def __str__(self) -> str:
        """The report of the command `cupysim refine`."""
        return "\n".join(report_lines(self))

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each free parameter, as in `values`; empty for a ratio or a number."""
        return tuple(PARAMETERS[name].shown_unit for name in self.names)

    def show(self, path: os.PathLike[str] | str | None = None) -> None:
        """Show the image, the refined model, and the residuals before and after.

        Parameters
        ----------
        path : path_like, optional
            Write a picture (.png, .pdf, .svg, .jpg) instead of opening a window.

        Raises
        ------
        CupysimError
            If there is no display, the file cannot be written, or matplotlib is not installed.
        """
        show_figure(partial(draw, refined=self), path, "refined.show(path)")


def outcome(
    experiment: Experiment,
    observation: Observation,
    problem: Problem,
    best: Fit,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    before: np.ndarray,
    evaluations: int,
    settings: Settings,
) -> Refined:
    """Judge what a fit led to.

    Parameters
    ----------
    experiment : Experiment
        The start as given.
    observation : Observation
        The image.
    problem : Problem
        What was fitted.
    best : Fit
        The best fit.
    start : ndarray, shape (n_parameters,)
        Values at the start, in the units of `PARAMETERS`.
    bounds : tuple of 2 ndarray, shape (n_parameters,)
        Smallest and largest changes.
    before : ndarray, shape (n_pixels,)
        Photons of the start.
    evaluations : int
        Images which were differentiated.
    settings : Settings
        What is taken for a solution.

    Returns
    -------
    Refined
        Parameters, uncertainties, and whether the fit converged.
    """
    x, names = best.x, problem.names
    chi, chi_sigma = problem.misfit(x)
    largest = settings.largest(chi_sigma)
    # who accepts a larger chi-squared knows that something is left over
    chance = 1.0 if settings.largest_misfit is not None else problem.chance(x)
    sigmas, correlations = _uncertainties(Condensed(problem).jacobian(x), max(chi, 1.0))
    explained, doubt = problem.explained(x, spot_width(experiment))
    nearest = 1e-6 * np.minimum(bounds[1] - bounds[0], 1.0)
    at_limit = (x - bounds[0] < nearest) | (bounds[1] - x < nearest)
    stuck = [name for name, limit in zip(names, at_limit, strict=True) if limit]
    problems = (
        ("" if best.succeeded else best.message),
        (f"{', '.join(stuck)} went to the limit of what is allowed" if stuck else ""),
        (
            "some parameters have no influence, or cannot be told from others"
            if not np.isfinite(sigmas).all()
            else ""
        ),
        (
            "the spots hold too few photons to tell whether they are the model's"
            if DETECTED * doubt > 1.0
            else ""
        ),
        (
            f"the image has {100 * max(explained, 0.0):.0f} % of the model's spots; this is a "
            "wrong solution, or another crystal"
            if explained < EXPLAINED
            else ""
        ),
        (
            f"chi-squared is {chi:.4g}, above {largest:.4g}: the model is not that of the image "
            "(sampling, mosaicity, background), or this is a wrong solution"
            if chi > largest
            else ""
        ),
        (
            f"the image's spots are {100 * explained:.0f} % of the model's, more than noise can "
            "make of them: the model is not that of the image"
            if explained > 1.0 + EXCESS + UNLIKELY * doubt
            else ""
        ),
        (
            "spots are left over, of the image or of the model, which noise does not make: the "
            "model is not that of the image, or this is a wrong solution"
            if chance < LEAST_LIKELY
            else ""
        ),
        (
            f"chi-squared is {chi:.2g}: the image has less noise than counts of photons have; are "
            "its numbers photons?"
            if chi < min(SMALLEST_MISFIT, 1.0 - UNLIKELY * chi_sigma) and problem.has_counts
            else ""
        ),
    )
    wrong = [text for text in problems if text]
    chi_before = problem.misfit(np.zeros(len(x)), of=x)[0]
    images = []
    for photons in (before, on_host(problem.photons(x))):
        image = np.zeros(problem.used.shape)
        image[problem.used] = photons
        images.append(image)
    return Refined(
        _refined_experiment(experiment, names, x * problem.sizes), names, start, start + x, sigmas,
        correlations, (chi_before, chi), chi_sigma, (explained, doubt), not wrong,
        wrong[0] if wrong else best.message, evaluations, problem.used, observation.counts,
        (images[0], images[1]),
    )  # fmt: skip


def _refined_experiment(
    experiment: Experiment, names: Sequence[str], shifts: np.ndarray
) -> Experiment:
    """The start with all changes; numbers of cells are rounded, the scale goes into the fluence."""
    counts = np.array(experiment.cell_counts)
    for name, shift in zip(names, shifts.tolist(), strict=True):
        if name == "scale":
            fluence = experiment.beam.fluence * (1.0 + shift)
            experiment = replace(experiment, beam=replace(experiment.beam, fluence=fluence))
        elif name in GROUPS["n_cells"]:
            counts[GROUPS["n_cells"].index(name)] += shift
        else:
            experiment = changed(experiment, name, shift)
    if set(names) & set(GROUPS["n_cells"]):
        experiment = replace(experiment, crystal=experiment.crystal.with_cells(counts.tolist()))
    return experiment


def _uncertainties(jacobian: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations and correlations from the curvature; infinite where there is none."""
    sizes = np.sqrt((jacobian**2).sum(axis=0))
    nothing = np.full(len(sizes), np.inf), np.full((len(sizes), len(sizes)), np.nan)
    if not (sizes > 0.0).all():
        return nothing
    curvature = (jacobian / sizes).T @ (jacobian / sizes)
    if np.linalg.cond(curvature) > WORST_CONDITION:
        return nothing
    covariance = np.linalg.inv(curvature)
    deviations = np.sqrt(np.diag(covariance))
    return np.sqrt(scale) * deviations / sizes, covariance / np.outer(deviations, deviations)
