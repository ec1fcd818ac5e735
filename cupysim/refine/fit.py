"""Refinement of parameters, from start values that are slightly wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cupysim.backends.rendered import GradientFunction
from cupysim.errors import CupysimError, ModelError
from cupysim.maths.arrays import on_host
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.crystal_names import numbered
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS, current, parameter
from cupysim.models.tolerance import Tolerance
from cupysim.refine.coarse_levels import (
    SCAN_CANDIDATES,
    Level,
    angular_width,
    forward_pixels,
    levels,
    scan_orientations,
    spot_width,
)
from cupysim.refine.condensed import Condensed, LeastSquares
from cupysim.refine.free_parameters import free_parameters, with_fixed_sampling
from cupysim.refine.observation import Observation
from cupysim.refine.outcome import LEAST_LIKELY, Fit, Refined, outcome
from cupysim.refine.problem import Problem
from cupysim.refine.settings import Settings

COARSE_EVALUATIONS = 12
"""Largest number of evaluations of a fit with fewer cells."""

WORTH_A_TRY = 1.5
"""Largest cost of a fit with fewer cells that is continued, relative to the best one."""

ROUNDS = 3
"""Number of times that orientations of the scan are tried, if the best ones lead to no solution."""

HOPS = 16
"""Number of consecutive fits from nearby orientations without improvement that ends the search."""

HOP_WIDTHS = 4.0
"""Largest distance of a nearby orientation from the best one, in widths of a spot."""

NOTICED = 0.5
"""Change of half the sum of squares if a parameter changes by its standard deviation. Smaller
improvements do not count."""

GOOD = 0.98
"""Part of the model's spots that the image must have if no other orientation is to be tried. One
minus this is the largest standard deviation of the part."""

REWEIGHED = 2
"""Number of times that squares are weighted again, with variances of the model just fitted."""

TRIAL_EVALUATIONS = 15
"""Largest number of evaluations of a first fit with all cells, to see whether a start is good."""

NEARLY_ALL = 0.99
"""Largest relative decrease of a parameter whose limit is relative, whatever the limit."""

FitListener = Callable[[str], None]
"""A function that reports a step of the refinement, given as a line of text."""


def refine(
    experiment: Experiment,
    observation: Observation,
    names: str | Sequence[str],
    differentiate: GradientFunction,
    settings: Settings,
    tell: FitListener = lambda _: None,
) -> Refined:
    """Fit parameters of an experiment to an image.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the start values. All quirks must be corrected.
    observation : Observation
        The measured image.
    names : str or sequence of str
        Names of free parameters and of groups of them.
    differentiate : GradientFunction
        Function that computes photons and their derivatives.
    settings : Settings
        Target, limits and number of images.
    tell : callable, optional
        Function that reports each step, given as a line of text.

    Returns
    -------
    Refined
        Parameters, uncertainties, and whether they are a solution.

    Raises
    ------
    CupysimError
        If a parameter cannot be refined, or the image or the model has nothing to fit.
    """
    names = free_parameters(names)
    strange = set(settings.within or {}) - set(names)
    if strange:
        raise ModelError(f"within: {', '.join(sorted(strange))} is not a free parameter")
    n_used = int(np.count_nonzero(observation.used))
    if n_used <= len(names):
        raise ModelError(f"refine: {n_used} pixels are too few for {len(names)} parameters")
    used = observation.used & ~forward_pixels(experiment)
    if not (observation.counts[used] > 0.0).any():
        raise CupysimError("refine: no photon was counted in the used pixels")
    given, experiment = experiment, with_fixed_sampling(experiment)
    detector = observation.detector
    # light from unused pixels reaches used ones
    rendered = used if detector is None or not detector.spreads else experiment.rendered_pixels
    rendering = replace(experiment.rendering, mask=rendered, region=None)
    experiment = replace(experiment, rendering=rendering)
    observation = observation.within(used)
    if detector is not None:
        settings = replace(settings, target=detector.target(observation.counts[used]))
    start = np.array([current(experiment, name) / parameter(name).size for name in names])
    bounds = _bounds(names, start, settings.within or {})
    problem = Problem(experiment, observation, names, settings.target, differentiate)
    nowhere = np.zeros(len(names))
    before = on_host(problem.model(nowhere)[0])
    if not problem.spots(nowhere).any():
        raise CupysimError("refine: the start has no spots in the used pixels")
    problem.tolerance = Tolerance.read(settings.tolerance)
    at_first = min(TRIAL_EVALUATIONS, settings.evaluations)
    best = _fit(problem, _scaled(problem, nowhere), bounds, at_first)
    tell(f"from the start: {_shifts(names, best.x)}")
    scans = settings.search > 0.0 and set(GROUPS["misset"]) <= set(names)
    ladder: list[Level] = []
    if scans and not _is_good(problem, best, settings):
        divisors = levels(experiment, settings.search)
        ladder = [Level(experiment, observation, names, differentiate, s) for s in divisors[:-1]]
        first = ladder[0] if ladder else Level(experiment, observation, names, differentiate, 1.0)
        candidates = scan_orientations(first, names, settings.search, bounds, tell)
        for number in range(0, ROUNDS * SCAN_CANDIDATES, SCAN_CANDIDATES):
            some = candidates[number : number + SCAN_CANDIDATES]
            for x in _climb(ladder, some, bounds, tell):
                found = _fit(problem, _scaled(problem, x), bounds, at_first)
                best = min(best, found, key=lambda fit: fit.cost)
            tell(f"all cells: {_shifts(names, best.x)}")
            if _is_good(problem, best, settings):
                break
        else:
            best = _hop(problem, best, bounds, at_first, settings)
            tell(f"orientations nearby: {_shifts(names, best.x)}")
    if not np.isfinite(best.cost):
        raise CupysimError(f"refine: {best.message}")
    if not best.succeeded and at_first < settings.evaluations:
        best = _continued(problem, best, bounds, settings)
    if problem.tolerance is not None:
        tell(f"within {problem.tolerance}: {_shifts(names, best.x)}")
        problem.tolerance = None
        best = _continued(problem, best, bounds, settings)
    if settings.target == "squares":
        for _ in range(REWEIGHED):
            problem.reweigh(best.x)
            best = _fit(problem, best.x, bounds, settings.evaluations)
    evaluations = problem.evaluations + sum(level.problem.evaluations for level in ladder)
    return outcome(given, observation, problem, best, start, bounds, before, evaluations, settings)


def _continued(
    problem: Problem, best: Fit, bounds: tuple[np.ndarray, np.ndarray], settings: Settings
) -> Fit:
    """Continue a fit, with as many evaluations as the user allows."""
    found = _fit(problem, best.x, bounds, settings.evaluations)
    if not found.succeeded and best.cost - found.cost < NOTICED:
        found = replace(found, succeeded=True, message="chi-squared hardly falls any more")
    return found


def _hop(
    problem: Problem,
    best: Fit,
    bounds: tuple[np.ndarray, np.ndarray],
    evaluations: int,
    settings: Settings,
) -> Fit:
    """Repeat fits from orientations some widths of a spot away from the best one.

    If spots are narrower than pixels or very weak, there are many wrong solutions near the right
    one. Returns the best fit.
    """
    from scipy.stats import qmc

    places = [problem.names.index(name) for name in GROUPS["misset"]]
    reach = min(settings.search, HOP_WIDTHS * angular_width(problem.experiment))
    tries = 0
    for number, point in enumerate(qmc.Sobol(3, scramble=False).random(2 * HOPS)):
        if number == 0:
            continue
        x = best.x.copy()
        x[places] += reach * (2.0 * point - 1.0)
        found = _fit(problem, _scaled(problem, x), bounds, evaluations)
        tries = 0 if found.cost < best.cost - NOTICED else tries + 1
        best = min(best, found, key=lambda fit: fit.cost)
        if tries >= HOPS or _is_good(problem, best, settings):
            break
    return best


def _is_good(problem: Problem, fit: Fit, settings: Settings) -> bool:
    """Whether a fit is so good that no other orientation must be tried."""
    if not np.isfinite(fit.cost):
        return False
    chi, sigma = problem.misfit(fit.x)
    explained, doubt = problem.explained(fit.x, spot_width(problem.experiment))
    if chi > settings.largest(sigma) or explained <= GOOD or doubt >= 1.0 - GOOD:
        return False
    return settings.largest_misfit is not None or problem.chance(fit.x) >= LEAST_LIKELY


def _climb(
    ladder: Sequence[Level],
    candidates: list[np.ndarray],
    bounds: tuple[np.ndarray, np.ndarray],
    tell: FitListener,
) -> list[np.ndarray]:
    """Fit with more and more cells. Returns starts that are worth a fit with all cells."""
    for level in ladder:
        fits = [_fit(level, x, bounds, COARSE_EVALUATIONS) for x in candidates]
        fits.sort(key=lambda fit: fit.cost)
        # the best fit of a level is not always the best one of the next level
        candidates = [fit.x for fit in fits if fit.cost <= WORTH_A_TRY * fits[0].cost]
        candidates = candidates[: max(1, len(fits) - 1)]
        problem = level.problem
        tell(f"cells divided by {problem.coarseness:.3g}: {_shifts(problem.names, fits[0].x)}")
    return candidates


def _fit(
    problem: LeastSquares,
    x: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    evaluations: int,
) -> Fit:
    from scipy.optimize import least_squares

    low, high = bounds
    margin = 1e-9 * np.minimum(high - low, 1.0)
    inside = np.clip(x, low + margin, high - margin)
    condensed = Condensed(problem)
    try:
        found = least_squares(
            condensed.residuals, inside, condensed.jacobian, bounds=bounds, x_scale="jac",
            max_nfev=evaluations, ftol=1e-9, xtol=1e-9, gtol=1e-9,
        )  # fmt: skip
    except ValueError as error:
        return Fit(x, np.inf, False, f"the model is impossible ({error})")
    ends = {0: f"{evaluations} images were not enough", 1: "the slope of chi-squared vanishes"}
    message = ends.get(found.status, "chi-squared does not fall any more")
    return Fit(found.x, float(found.cost), bool(found.status > 0), message)


def _scaled(problem: Problem, x: np.ndarray) -> np.ndarray:
    """The parameters, with the scale that makes the sums of model and image equal."""
    if "scale" not in problem.names:
        return x
    place = problem.names.index("scale")
    x = x.copy()
    x[place] = 0.0
    photons = float(problem.model(x)[0].sum())
    if photons > 0.0:
        x[place] = float(problem.counts.sum()) / photons - 1.0
    return x


def _bounds(
    names: Sequence[str], start: np.ndarray, within: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest changes of the parameters, in the units of `PARAMETERS`."""
    low, high = [], []
    for name, value in zip(names, start, strict=True):
        limit = parameter(name).limit
        most = within.get(name, limit.within * (abs(value) if limit.relative else 1.0))
        # a parameter with a relative limit stays above zero
        low.append(-min(most, NEARLY_ALL * abs(value)) if limit.relative else -most)
        high.append(most)
        if name == "scale":
            low[-1], high[-1] = -1.0, within.get(name, np.inf)
        if numbered(name)[0] in GROUPS["n_cells"]:
            low[-1] = max(low[-1], 1.0 - value)
        if numbered(name)[0] in EDGE_SPREADS:
            low[-1] = max(low[-1], -value)
    return np.array(low), np.array(high)


def _shifts(names: Sequence[str], x: np.ndarray) -> str:
    return ", ".join(
        f"{name} {value:+.4g} {parameter(name).shown_unit}".rstrip()
        for name, value in zip(names, x, strict=True)
        if value != 0.0
    )
