"""Photons, places and excitations of reflections, summed over the steps of an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from cupysim.maths.arrays import norm
from cupysim.maths.polarization import polarization_form, polarization_of_form
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, SpotSize, spot_size
from cupysim.plan.weights import RayPath, largest_term_weight, term_weight
from cupysim.prediction.candidates import Steps, spot_reach
from cupysim.prediction.panel_place import place_on_panel
from cupysim.prediction.sections import Pairs, Sections

PAIRS_AT_ONCE = 2**16
"""Number of pairs of a reflection and a step that are computed at a time."""

ROUNDING = 1e-9
"""Relative margin of upper bounds, for rounding errors."""


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


@dataclass(frozen=True)
class StepSums:
    """Sums over the steps of an image, for each reflection.

    Parameters
    ----------
    photons : ndarray, shape (n,)
        Photons of a spot, without the factors that all steps share.
    fast, slow : ndarray, shape (n,)
        Positions (pixels), multiplied by the photons.
    excitation : ndarray, shape (n,)
        Excitations of the reflection.
    """

    photons: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    excitation: np.ndarray


@dataclass(frozen=True)
class ReflectionsOfPanel:
    """Reflections of one crystal that may have spots on a panel.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot, crystal, panel : int
        Numbers of the shot, of the crystal and of the panel.
    steps : Steps
        Steps to sum over.
    hkl : ndarray of int, shape (n, 3)
        Miller indices.
    squares : ndarray, shape (n_channels, n)
        Squared structure factors of each channel.
    """

    plan: RenderPlan
    shot: int
    crystal: int
    panel: int
    steps: Steps
    hkl: np.ndarray
    squares: np.ndarray

    @property
    def size(self) -> SpotSize:
        """Size of the spots."""
        return spot_size(self.plan.crystals, (self.shot, self.crystal))

    @cached_property
    def _forms(self) -> np.ndarray:
        """Polarization factors of the sources as quadratic forms, shape (n_sources, 6)."""
        sources, shot = self.plan.sources, self.shot
        return np.asarray(
            polarization_form(
                sources.kahn[shot], sources.incident[shot], sources.polarization_axis[shot]
            )
        )

    def with_photons(self, fewest: float) -> ReflectionsOfPanel:
        """Leave out reflections that have fewer photons even by an upper bound.

        Parameters
        ----------
        fewest : float
            Smallest number of photons, in the unit of `StepSums.photons`.

        Returns
        -------
        ReflectionsOfPanel
            Reflections whose upper bound is at least `fewest`. The bound uses the largest section,
            weight, polarization factor and absorbed fraction.
        """
        plan, steps = self.plan, self.steps
        polar = max(1.0, 0.5 * (1.0 + plan.sources.largest_kahn)) if plan.sources.polarized else 1.0
        is_fraction = plan.capture_use is Use.EACH and not plan.panels.absorbs_all
        captured = 1.0 if is_fraction else float(plan.panels.n_layers)
        weights = [largest_term_weight(plan, self.shot, source) for source in steps.sources]
        scale = (1.0 + ROUNDING) * polar * captured * np.array(weights) / steps.wavenumbers**2
        shape, channels = SPOT_SHAPES[plan.crystals.shape], plan.sources.channel[steps.sources]
        # first bound: as if each reflection were on the sphere in all steps
        sections = shape.largest_sections(np.zeros((len(steps), 1)), steps.cells, self.size)[:, 0]
        if not np.isfinite(sections).all():
            # the shape has no bound
            return self
        by_channel = np.bincount(channels, scale * sections, len(self.squares))
        strong = self._only(by_channel @ self.squares >= fewest)
        total = np.zeros(len(strong.hkl))
        for near in strong._neighbourhoods():
            chosen = near.steps
            sections = shape.largest_sections(near.distances, steps.cells[chosen], self.size)
            photons = scale[chosen, None] * strong.squares[channels[chosen]] * sections
            total += np.where(near.within_reach, photons, 0.0).sum(axis=0)
        return strong._only(total >= fewest)

    def _only(self, chosen: np.ndarray) -> ReflectionsOfPanel:
        return replace(self, hkl=self.hkl[chosen], squares=self.squares[:, chosen])

    def sums(self) -> StepSums:
        """Sum photons, positions and excitations over the steps."""
        found = StepSums(*(np.zeros(len(self.hkl)) for _ in fields(StepSums)))
        for pairs in self._pairs():
            self._add_pairs(pairs, found)
        return found

    def _add_pairs(self, pairs: Pairs, found: StepSums) -> None:
        plan, steps = self.plan, self.steps
        sections = Sections(plan, self.size, steps, pairs)
        section = sections.by_sphere()
        direction = pairs.rays - sections.offsets()
        direction /= norm(direction)[:, None]
        hit = place_on_panel(plan, self.shot, self.panel, direction)
        components = direction[:, 0], direction[:, 1], direction[:, 2]
        polar: np.ndarray | float = 1.0
        if plan.sources.polarized:
            form = self._forms[steps.sources[pairs.steps]].T
            polar = polarization_of_form(form, components)
        path = RayPath(
            self.shot, self.panel, steps.sources[pairs.steps], 0, hit.airpath, components
        )
        weight, _ = term_weight(plan, path)
        channel = plan.sources.channel[steps.sources[pairs.steps]]
        square = self.squares[channel, pairs.reflections]
        scale = weight * section / steps.wavenumbers[pairs.steps] ** 2
        photons = square * np.where(hit.meets_plane, scale * polar * hit.captured, 0.0)
        self._add(found.photons, pairs, photons)
        self._add(found.fast, pairs, photons * hit.fast)
        self._add(found.slow, pairs, photons * hit.slow)
        self._add(found.excitation, pairs, section / sections.through_reflection())

    def _add(self, total: np.ndarray, pairs: Pairs, values: np.ndarray) -> None:
        total += np.bincount(pairs.reflections, values, len(total))

    def _neighbourhoods(self) -> Iterator[Neighbourhood]:
        """Find the places of all reflections in all steps, for a few steps at a time."""
        steps, hkl = self.steps, np.ascontiguousarray(self.hkl.T, dtype=np.float64)
        together = max(1, PAIRS_AT_ONCE // max(1, len(self.hkl)))
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
            reach = spot_reach(self.plan, self.size, cells)
            within = np.abs(distances) <= reach[:, None]
            yield Neighbourhood(chosen, rays, lengths, distances, within)

    def _pairs(self) -> Iterator[Pairs]:
        """Find pairs of reflections and steps that are within `spot_reach`."""
        for near in self._neighbourhoods():
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
