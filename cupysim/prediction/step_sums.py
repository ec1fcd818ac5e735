"""Photons, places and excitations of reflections, summed over the steps of an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from cupysim.maths.arrays import norm
from cupysim.maths.polarization import polarization_of_form
from cupysim.plan.spot_shapes import SPOT_SHAPES
from cupysim.plan.weights import RayPath, constant_term_weights, term_weight
from cupysim.prediction.compiled_sums import compiled_sums, has_sections
from cupysim.prediction.panel_place import place_on_panel
from cupysim.prediction.panel_reflections import ReflectionsOfPanel, StepSums
from cupysim.prediction.sections import Pairs, Sections

PAIRS_AT_ONCE = 2**16
"""Number of pairs of a reflection and a step that are computed at a time."""


@dataclass(frozen=True)
class Neighbourhood:
    """Distances of all reflections from the Ewald sphere, in some steps.

    Parameters
    ----------
    steps : slice
        Numbers of the m steps.
    rays : ndarray, shape (3, m, n)
        Components of the wave vectors of the scattered photons (1/m).
    lengths : ndarray, shape (m, n)
        Lengths of these (1/m).
    distances : ndarray, shape (m, n)
        Distances from the sphere (1/m), positive outside.
    within_reach : ndarray of bool, shape (m, n)
        Whether the distance is within `spot_reach`.
    """

    steps: slice
    rays: np.ndarray
    lengths: np.ndarray
    distances: np.ndarray
    within_reach: np.ndarray


def sum_steps(reflections: ReflectionsOfPanel, fewest: float = 0.0) -> StepSums:
    """Sum photons, positions and excitations over the steps.

    Parameters
    ----------
    reflections : ReflectionsOfPanel
        Reflections, and their steps.
    fewest : float, optional
        Smallest number of photons, in the unit of `StepSums.photons`. Reflections with fewer
        photons even by an upper bound have sums of zero.

    Returns
    -------
    StepSums
        Sums, computed by the compiled library if it has sections of this shape, and the terms of a
        source have one weight. Sums in NumPy differ by rounding.
    """
    if fewest > 0.0 and reflections.limits is None:
        fewest = 0.0
    plan = reflections.plan
    weights = constant_term_weights(plan, reflections.shot, reflections.panel)
    if weights is not None and has_sections(plan.crystals.shape):
        return compiled_sums(reflections, weights, fewest)
    return numpy_sums(reflections, fewest)


def numpy_sums(reflections: ReflectionsOfPanel, fewest: float) -> StepSums:
    """Sum photons, positions and excitations over the steps; see `sum_steps`."""
    chosen = _with_photons(reflections, fewest)
    some, found = reflections.only(chosen), StepSums.zero(len(reflections.hkl))
    total = StepSums.zero(len(chosen))
    for pairs in _pairs(some):
        _add_pairs(some, pairs, total)
    for each in fields(StepSums):
        getattr(found, each.name)[chosen] = getattr(total, each.name)
    return found


def _with_photons(reflections: ReflectionsOfPanel, fewest: float) -> np.ndarray:
    """Numbers of the reflections whose upper bound is at least this number of photons."""
    if fewest == 0.0 or reflections.limits is None:
        return np.arange(len(reflections.hkl))
    plan, steps = reflections.plan, reflections.steps
    shape, channels = SPOT_SHAPES[plan.crystals.shape], plan.sources.channel[steps.sources]
    # first bound: as if each reflection were on the sphere in all steps
    on_sphere = np.zeros((len(steps), 1))
    largest = shape.largest_sections(on_sphere, reflections.limits, reflections.size)[:, 0]
    by_channel = np.bincount(channels, largest, len(reflections.squares))
    strong = np.flatnonzero(by_channel @ reflections.squares >= fewest)
    total, part = np.zeros(len(strong)), reflections.only(strong)
    for near in _neighbourhoods(part):
        limits = reflections.limits[0][near.steps], reflections.limits[1][near.steps]
        largest = shape.largest_sections(near.distances, limits, reflections.size)
        photons = part.squares[channels[near.steps]] * largest
        total += np.where(near.within_reach, photons, 0.0).sum(axis=0)
    return strong[total >= fewest]


def _add_pairs(reflections: ReflectionsOfPanel, pairs: Pairs, found: StepSums) -> None:
    plan, steps = reflections.plan, reflections.steps
    sections = Sections(plan, reflections.size, steps, pairs)
    section = sections.by_sphere()
    direction = pairs.rays - sections.offsets()
    direction /= norm(direction)[:, None]
    hit = place_on_panel(plan, reflections.shot, reflections.panel, direction)
    components = direction[:, 0], direction[:, 1], direction[:, 2]
    polar: np.ndarray | float = 1.0
    if plan.sources.polarized:
        form = reflections.forms[steps.sources[pairs.steps]].T
        polar = polarization_of_form(form, components)
    path = RayPath(
        reflections.shot, reflections.panel, steps.sources[pairs.steps], 0, hit.airpath, components
    )
    weight, _ = term_weight(plan, path)
    channel = plan.sources.channel[steps.sources[pairs.steps]]
    square = reflections.squares[channel, pairs.reflections]
    scale = weight * section / steps.wavenumbers[pairs.steps] ** 2
    photons = square * np.where(hit.meets_plane, scale * polar * hit.captured, 0.0)
    _add(found.photons, pairs, photons)
    _add(found.fast, pairs, photons * hit.fast)
    _add(found.slow, pairs, photons * hit.slow)
    _add(found.excitation, pairs, section / sections.through_reflection())


def _add(total: np.ndarray, pairs: Pairs, values: np.ndarray) -> None:
    total += np.bincount(pairs.reflections, values, len(total))


def _neighbourhoods(reflections: ReflectionsOfPanel) -> Iterator[Neighbourhood]:
    """Find the places of all reflections in all steps, for a few steps at a time."""
    steps, hkl = reflections.steps, np.ascontiguousarray(reflections.hkl.T, dtype=np.float64)
    together = max(1, PAIRS_AT_ONCE // max(1, len(reflections.hkl)))
    for begin in range(0, len(steps), together):
        chosen = slice(begin, min(begin + together, len(steps)))
        cells, wavenumbers = steps.cells[chosen], steps.wavenumbers[chosen]
        beam = steps.incident[chosen] * wavenumbers[:, None]
        # components x, y, z, then steps, then reflections
        star = np.ascontiguousarray(np.moveaxis(np.linalg.inv(cells), 1, 0))
        rays = star @ hkl
        rays += beam.T[:, :, None]
        lengths = np.sqrt(rays[0] * rays[0] + rays[1] * rays[1] + rays[2] * rays[2])
        distances = lengths - wavenumbers[:, None]
        within = np.abs(distances) <= reflections.reach[chosen, None]
        yield Neighbourhood(chosen, rays, lengths, distances, within)


def _pairs(reflections: ReflectionsOfPanel) -> Iterator[Pairs]:
    """Find pairs of reflections and steps that are within `spot_reach`."""
    for near in _neighbourhoods(reflections):
        step, reflection = np.nonzero(near.within_reach)
        found = Pairs(
            reflection,
            step + near.steps.start,
            near.rays[:, step, reflection].T,
            near.lengths[step, reflection],
            near.distances[step, reflection],
        )
        for first in range(0, len(found), PAIRS_AT_ONCE):
            yield found[first : first + PAIRS_AT_ONCE]
