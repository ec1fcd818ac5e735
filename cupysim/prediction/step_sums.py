"""Photons, places and excitations of reflections, summed over the steps of an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import assert_never

import numpy as np

from cupysim.maths import spot_profiles
from cupysim.maths.arrays import norm
from cupysim.maths.pixel_factors import capture_fraction
from cupysim.maths.polarization import polarization_form, polarization_of_form
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, SpotSize, spot_size
from cupysim.plan.weights import RayPath, largest_term_weight, term_weight
from cupysim.prediction.candidates import Steps, spot_reach

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
class Pairs:
    """Pairs of a reflection and a step that brings it near the Ewald sphere.

    Parameters
    ----------
    reflections, steps : ndarray of int, shape (n,)
        Numbers of reflection and step.
    rays : ndarray, shape (n, 3)
        Wave vectors of the scattered photons (1/m).
    lengths : ndarray, shape (n,)
        Lengths of these (1/m).
    distances : ndarray, shape (n,)
        Distances from the sphere (1/m), positive outside.
    """

    reflections: np.ndarray
    steps: np.ndarray
    rays: np.ndarray
    lengths: np.ndarray
    distances: np.ndarray

    def __len__(self) -> int:
        return len(self.reflections)

    def __getitem__(self, chosen: slice) -> Pairs:
        return Pairs(*(getattr(self, each.name)[chosen] for each in fields(self)))


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
        """Leave out reflections whose `StepSums.photons` are certainly fewer.

        Parameters
        ----------
        fewest : float
            Photons in the unit of `StepSums.photons`.

        Returns
        -------
        ReflectionsOfPanel
            The other reflections: those for which the largest sections, weights, polarization
            factors and absorbed fractions would bring so many photons.
        """
        plan, steps = self.plan, self.steps
        polar = max(1.0, 0.5 * (1.0 + plan.sources.largest_kahn)) if plan.sources.polarized else 1.0
        captured = 1.0 if plan.panels.absorbs_all else float(plan.panels.n_layers)
        weights = [largest_term_weight(plan, self.shot, source) for source in steps.sources]
        scale = (1.0 + ROUNDING) * polar * captured * np.array(weights) / steps.wavenumbers**2
        shape, channels = SPOT_SHAPES[plan.crystals.shape], plan.sources.channel[steps.sources]
        # exactly on the sphere in all steps
        sections = shape.largest_sections(np.zeros((len(steps), 1)), steps.cells, self.size)[:, 0]
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
        hit = _place_on_panel(plan, self.shot, self.panel, direction)
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
        photons = square * np.where(hit.on_panel, scale * polar * hit.captured, 0.0)
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


class Sections:
    """Integrals of |F_latt|^2 over the Ewald sphere near reflections.

    Parameters
    ----------
    plan : RenderPlan
        Plan, for the shape of the spots.
    size : SpotSize
        Size of the spots.
    steps : Steps
        Steps of the image.
    pairs : Pairs
        Reflections near the sphere.
    """

    def __init__(self, plan: RenderPlan, size: SpotSize, steps: Steps, pairs: Pairs) -> None:
        self._shape = SPOT_SHAPES[plan.crystals.shape]
        self._size, self._pairs = size, pairs
        normal = pairs.rays / pairs.lengths[:, None]
        if self._shape.measure is Measure.DISTANCE:
            # matrix from dq to the vector that measures the distance from the reflection
            to_spot = size.scaled_axes.T @ steps.cells
            self._from_spot = np.linalg.inv(to_spot)[pairs.steps]
            self._slopes = _row_times(normal, self._from_spot)
            self._steepness = norm(self._slopes)
            self._stretch = self._steepness * np.abs(np.linalg.det(to_spot))[pairs.steps]
        else:
            self._star = np.linalg.inv(steps.cells)[pairs.steps]
            self._projections = _row_times(normal, self._star)
            self._volume = np.abs(np.linalg.det(steps.cells))[pairs.steps]

    def _at(self, distance: np.ndarray) -> np.ndarray:
        shape, size = self._shape, self._size
        match shape.measure:
            case Measure.DISTANCE:
                scaled = distance / self._steepness
                return shape.section(scaled, size.height, size.fudge) / self._stretch
            case Measure.INDICES | Measure.OFFSETS:
                return shape.section(
                    self._projections, distance, size.n_cells, self._volume, size.fudge
                )
            case _:
                assert_never(shape.measure)

    def by_sphere(self) -> np.ndarray:
        """Integrals over the Ewald sphere (1/m^2), shape (n,)."""
        return self._at(self._pairs.distances)

    def through_reflection(self) -> np.ndarray:
        """Integrals with the reflection exactly on the sphere (1/m^2), shape (n,)."""
        return self._at(np.zeros(len(self._pairs)))

    def offsets(self) -> np.ndarray:
        """Vectors (1/m) to the reflection from the highest point of its transform on the sphere."""
        distance = self._pairs.distances
        if self._shape.measure is Measure.DISTANCE:
            along = (distance / self._steepness**2)[:, None] * self._slopes
            return _row_times(along, np.swapaxes(self._from_spot, -1, -2))
        nearest = spot_profiles.nearest_offset(self._projections, distance, self._size.n_cells)
        return -_row_times(nearest, np.swapaxes(self._star, -1, -2))


def _row_times(rows: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Multiply each row vector by its matrix."""
    return np.asarray((rows[:, None, :] @ matrices)[:, 0, :])


@dataclass(frozen=True)
class PlaceOnPanel:
    """Where photons meet a panel.

    Parameters
    ----------
    fast, slow : ndarray, shape (n,)
        Positions (pixels).
    on_panel : ndarray of bool, shape (n,)
        Whether the photons meet the panel's plane at all.
    captured : ndarray, shape (n,)
        Absorbed fractions.
    airpath : ndarray, shape (n,)
        Lengths of the paths (m).
    """

    fast: np.ndarray
    slow: np.ndarray
    on_panel: np.ndarray
    captured: np.ndarray
    airpath: np.ndarray


def _place_on_panel(plan: RenderPlan, shot: int, panel: int, direction: np.ndarray) -> PlaceOnPanel:
    """Follow photons of given directions to a panel, and to their mean depth in its sensor."""
    panels, at = plan.panels, (shot, panel)
    parallax = direction @ panels.normal[at]
    step, attenuation = float(panels.layer_step[at]), float(panels.attenuation[at])
    # the mean depth: with quirk Q15 all layers count equally, otherwise by what they absorb
    layer = np.full(len(direction), 0.5 * (panels.n_layers - 1))
    if plan.capture_use is Use.EACH:
        slant = step * attenuation / parallax
        layer = _mean_layer(slant, panels.n_layers)
    origin = panels.origin[at] + (layer * step)[:, None] * panels.normal[at]
    # origin + f fast + s slow = r direction, even if fast and slow are not perpendicular
    across = np.cross(panels.fast[at], panels.slow[at])
    approach = direction @ across
    solvable = np.abs(approach) > 1e-9
    distance = (origin @ across) / np.where(solvable, approach, 1.0)
    place = distance[:, None] * direction - origin
    fast = place @ np.cross(panels.slow[at], across) / (across @ across)
    slow = place @ np.cross(across, panels.fast[at]) / (across @ across)
    captured = np.full(len(direction), float(panels.n_layers))
    if not panels.absorbs_all:
        with np.errstate(over="ignore", invalid="ignore"):
            n_layers = panels.n_layers
            if plan.capture_use is Use.EACH:
                captured = capture_fraction(0, n_layers * step, attenuation, parallax)
            else:
                # all layers get the absorbed fraction of the last layer (quirk Q15)
                last = capture_fraction(n_layers - 1, step, attenuation, parallax)
                captured = n_layers * last
            captured = np.nan_to_num(captured, posinf=0.0, neginf=0.0)
    hits = solvable & (distance > 0.0)
    fast, slow = fast / float(panels.pixel_fast[at]), slow / float(panels.pixel_slow[at])
    return PlaceOnPanel(fast, slow, hits, captured, distance)


def _mean_layer(slant: np.ndarray, n_layers: int) -> np.ndarray:
    """Mean number of the layer that absorbs a photon, from the optical thickness of a layer."""
    layers = np.arange(n_layers)
    with np.errstate(over="ignore", invalid="ignore"):
        reached = np.exp(-np.abs(slant)[:, None] * layers)
        return np.nan_to_num((reached * layers).sum(axis=1) / reached.sum(axis=1))
