"""Result of a refinement: parameters, their uncertainties, and whether they are a solution."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cupysim.maths.arrays import on_host
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.crystal_names import numbered
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, changed, parameter
from cupysim.plotting.windows import show_figure
from cupysim.refine.coarse_levels import spot_width
from cupysim.refine.condensed import Condensed
from cupysim.refine.observation import Observation
from cupysim.refine.problem import Problem
from cupysim.refine.report import draw, report_lines
from cupysim.refine.settings import UNLIKELY, Settings

SMALLEST_MISFIT = 0.5
"""Chi-squared below which the image has less noise than counted photons have."""

EXPLAINED = 0.5
"""Smallest part of the model's spots that an image has if the solution is right: half-way between
an image with all of the spots and one without them."""

DETECTED = 5.0
"""Number of standard deviations above which spots are significant. With fewer, an image does not
show whether it has the model's spots."""

EXCESS = 0.05
"""Part by which the image's spots may exceed the model's, in addition to noise."""

LEAST_LIKELY = 1e-5
"""Probability of the remaining misfit below which it is not noise."""

WORST_CONDITION = 1e12
"""Largest condition number of the curvature, in units of its diagonal. Above, parameters cannot be
distinguished."""


@dataclass(frozen=True, eq=False)
class Fit:
    """The end point of a fit.

    Parameters
    ----------
    x : ndarray, shape (n_parameters,)
        Changes of the parameters, in the units of `PARAMETERS`.
    cost : float
        Half of the minimised sum of squares; infinite if a model was impossible.
    succeeded : bool
        Whether the fit reached a minimum.
    message : str
        Reason why the fit ended.
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
        Experiment with the refined parameters. Numbers of cells are rounded, and the scale is
        included in the fluence.
    names : tuple of str
        Names of the free parameters.
    start, values, sigmas : ndarray, shape (n_parameters,)
        Values before and after, and standard deviations, in the units of `units`. Standard
        deviations come from the curvature at the end. If the reduced chi-squared is above 1, they
        are multiplied by its square root.
    correlations : ndarray, shape (n_parameters, n_parameters)
        Correlation coefficients of the parameters.
    chi_squared : tuple of 2 float
        Reduced chi-squared before and after: the deviance, or the weighted squares, divided by
        what noise alone would give.
    chi_sigma : float
        Standard deviation of the reduced chi-squared after the fit, caused by noise.
    explained : tuple of 2 float
        Part of the model's spots that the image has, and its standard deviation; see
        `cupysim.refine.problem.Problem.explained`.
    converged : bool
        Whether the values are a solution.
    reason : str
        Reason why they are not, or why the fit ended.
    evaluations : int
        Number of images that were differentiated.
    used : ndarray of bool, shape (n_slow, n_fast)
        True for pixels that are used.
    counts : ndarray, shape (n_slow, n_fast)
        Counted photons of the image.
    images : tuple of 2 ndarray, shape (n_slow, n_fast)
        Expected photons of the used pixels, before and after.
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
        return tuple(parameter(name).shown_unit for name in self.names)

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
    """Judge the result of a fit.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the start values, as the user gave it.
    observation : Observation
        The measured image.
    problem : Problem
        The problem that was fitted.
    best : Fit
        The best fit.
    start : ndarray, shape (n_parameters,)
        Values at the start, in the units of `PARAMETERS`.
    bounds : tuple of 2 ndarray, shape (n_parameters,)
        Smallest and largest changes, in the same units.
    before : ndarray, shape (n_pixels,)
        Expected photons of the start, in the used pixels.
    evaluations : int
        Number of images that were differentiated.
    settings : Settings
        Limits that a solution must keep.

    Returns
    -------
    Refined
        Parameters, uncertainties, and whether the fit converged.
    """
    x, names = best.x, problem.names
    chi, chi_sigma = problem.misfit(x)
    largest = settings.largest(chi_sigma)
    # a user who accepts a larger chi-squared expects a remaining misfit
    chance = 1.0 if settings.largest_misfit is not None else problem.chance(x)
    sigmas, correlations = _uncertainties(Condensed(problem).jacobian(x), max(chi, 1.0))
    shares_noise = problem.detector is not None and problem.detector.shares_noise
    if shares_noise and np.isfinite(sigmas).all():
        sigmas, correlations = _with_shared_noise(problem, x, max(chi, 1.0))
    explained, doubt = problem.explained(x, spot_width(experiment))
    nearest = 1e-6 * np.minimum(bounds[1] - bounds[0], 1.0)
    at_limit = (x - bounds[0] < nearest) | (bounds[1] - x < nearest)
    # a spread of zero is possible, and no limit of the fit
    is_zero = np.array([numbered(name)[0] in EDGE_SPREADS for name in names]) & (
        start + x < nearest
    )
    stuck = [name for name, limit in zip(names, at_limit & ~is_zero, strict=True) if limit]
    problems = (
        ("" if best.succeeded else best.message),
        (f"{', '.join(stuck)} reached the allowed limit" if stuck else ""),
        (
            "some parameters have no influence, or cannot be distinguished from others"
            if not np.isfinite(sigmas).all()
            else ""
        ),
        (
            "the spots have too few photons to decide whether they are those of the model"
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
            f"chi-squared is {chi:.4g}, above {largest:.4g}: the model does not describe the image "
            "(sampling, mosaicity, background), or this is a wrong solution"
            if chi > largest
            else ""
        ),
        (
            f"the image's spots are {100 * explained:.0f} % of the model's, more than noise "
            "explains: the model does not describe the image"
            if explained > 1.0 + EXCESS + UNLIKELY * doubt
            else ""
        ),
        (
            "the image or the model has spots left over that noise does not explain: the model "
            "does not describe the image, or this is a wrong solution"
            if chance < LEAST_LIKELY
            else ""
        ),
        (
            f"chi-squared is {chi:.2g}: the image has less noise than counted photons have; are "
            "its values photons?"
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


def _with_shared_noise(
    problem: Problem, x: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations and correlations if neighbouring pixels share their noise.

    See `cupysim.refine.detector_model`.
    """
    assert problem.detector is not None
    slopes = on_host(problem.model(x)[1])
    weights = on_host(problem.near.weights)
    weighted = np.zeros((len(x), *problem.used.shape))
    weighted[:, problem.used] = (slopes * weights[:, None]).T
    sizes = np.sqrt((slopes**2 * weights[:, None]).sum(axis=0))
    curvature = (slopes / sizes).T @ (slopes / sizes * weights[:, None])
    expected = problem.expected(x)
    scores = problem.detector.covariance_of_scores(
        weighted, expected, problem.detector.mean(expected)
    )
    inverse = np.linalg.inv(curvature)
    covariance = inverse @ (scores / np.outer(sizes, sizes)) @ inverse
    deviations = np.sqrt(np.diag(covariance))
    return np.sqrt(scale) * deviations / sizes, covariance / np.outer(deviations, deviations)


def _refined_experiment(
    experiment: Experiment, names: Sequence[str], shifts: np.ndarray
) -> Experiment:
    """The experiment with all changes. Numbers of cells are rounded; the fluence has the scale."""
    counts: dict[int, list[float]] = {}
    for name, shift in zip(names, shifts.tolist(), strict=True):
        if name == "scale":
            fluence = experiment.beam.fluence * (1.0 + shift)
            experiment = replace(experiment, beam=replace(experiment.beam, fluence=fluence))
        elif numbered(name)[0] in GROUPS["n_cells"]:
            base, number = numbered(name)
            start = experiment.only_crystal(number).cell_counts
            counts.setdefault(number, list(start))[GROUPS["n_cells"].index(base)] += shift
        else:
            experiment = changed(experiment, name, shift)
    for number, of_crystal in counts.items():
        crystal = experiment.only_crystal(number).crystal.with_cells(of_crystal)
        experiment = experiment.with_crystal(number, crystal)
    return experiment


def _uncertainties(jacobian: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations and correlations from the curvature.

    If the curvature is singular, standard deviations are infinite and correlations not a number.
    """
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
