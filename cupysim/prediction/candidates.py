"""Steps of an image, and the reflections that are near the Ewald sphere in any of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.maths.arrays import norm
from cupysim.maths.resolution import largest_scattering
from cupysim.maths.rotations import apply_matrix
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, SpotSize, spot_size
from cupysim.prediction.ewald_shell import Shell

LOBES = 8.0
"""Largest distance of a spot from the sphere, in widths of the transform's central peak."""

MOST_INDICES = 2e8
"""Largest number of Miller indices within the limits of the search."""

MOST_CANDIDATES = 1e6
"""Largest number of reflections near the sphere. More reflections would overlap everywhere."""


@dataclass(frozen=True)
class Steps:
    """Some steps of a crystal: orientations and sources.

    Parameters
    ----------
    cells : ndarray, shape (n, 3, 3)
        Rows a, b, c (m).
    incident : ndarray, shape (n, 3)
        Directions of the photons, unit vectors.
    wavenumbers : ndarray, shape (n,)
        1/wavelength (1/m).
    sources : ndarray of int, shape (n,)
        Numbers of the sources.
    """

    cells: np.ndarray
    incident: np.ndarray
    wavenumbers: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Candidates:
    """Reflections near the Ewald sphere.

    Parameters
    ----------
    hkl : ndarray of int, shape (n, 3)
        Miller indices.
    amplitudes : ndarray, shape (n_channels, n)
        Structure factors (electrons) of each channel.
    rays : ndarray, shape (n, 3)
        Directions of their spots in the middle step, unit vectors.
    spread : float
        Largest angle (rad) between these directions and those of other steps.
    """

    hkl: np.ndarray
    amplitudes: np.ndarray
    rays: np.ndarray
    spread: float

    @classmethod
    def none(cls) -> Candidates:
        """Return an empty list of reflections."""
        return cls(np.empty((0, 3), dtype=np.int64), np.empty((1, 0)), np.empty((0, 3)), 0.0)


def steps_of(plan: RenderPlan, shot: int, crystal: int, most: int) -> Steps:
    """Choose steps that are evenly spaced over orientations and sources.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    shot, crystal : int
        Numbers of the shot and of the crystal.
    most : int
        Largest number of steps; 1 gives the middle step.
    """
    crystals, sources = plan.crystals, plan.sources
    n_sources = len(sources.channel)
    total = crystals.n_orientations * n_sources
    count = min(total, most)
    numbers = ((np.arange(count) + 0.5) * total / count).astype(np.int64)
    phi_cells = crystals.phi_cells[shot, crystal]
    rotations = crystals.mosaic_rotations[shot, crystal]
    phi, domain = np.divmod(numbers // n_sources, len(rotations))
    cells = apply_matrix(rotations[domain][:, None], phi_cells[phi])
    which = numbers % n_sources
    wavenumbers = 1.0 / sources.wavelength[shot][which]
    return Steps(cells, sources.incident[shot][which], wavenumbers, which)


def spot_reach(plan: RenderPlan, size: SpotSize, cells: np.ndarray) -> np.ndarray:
    """Distance from a reflection (1/m) up to which a spot is taken into account.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    size : SpotSize
        Size of the spots.
    cells : ndarray, shape (n, 3, 3)
        Rows a, b, c (m) of each orientation.

    Returns
    -------
    ndarray, shape (n,)
        `LOBES` divided by the shortest edge of the crystal. The widths of some spots do not follow
        from the edges; then it is at least `LOBES` times their largest width.
    """
    shape, counts = SPOT_SHAPES[plan.crystals.shape], np.asarray(size.n_cells, dtype=np.float64)
    shortest = (counts * norm(cells)).min(axis=-1)
    if shape.measure is Measure.DISTANCE:
        widths = np.linalg.svd(size.to_spot(cells), compute_uv=False)
        shortest = np.minimum(shortest, widths.min(axis=-1))
    return np.asarray(LOBES / shortest)


def toward_panel(plan: RenderPlan, at: tuple[int, int], candidates: Candidates) -> np.ndarray:
    """Find the reflections that may be on a panel in any step: those in a cone around its corners.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    at : tuple of 2 int
        Numbers of the shot and of the panel.
    candidates : Candidates
        Reflections.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for reflections that are never on the panel.
    """
    panels = plan.panels
    edges = plan.shape[3] * panels.pixel_fast[at], plan.shape[2] * panels.pixel_slow[at]
    corners = np.array(
        [
            panels.origin[at] + f * edges[0] * panels.fast[at] + s * edges[1] * panels.slow[at]
            for f in (0.0, 1.0)
            for s in (0.0, 1.0)
        ]
    )
    directions = corners / norm(corners)[:, None]
    axis = directions.sum(axis=0)
    axis /= norm(axis)
    half = float(np.arccos(np.clip((directions @ axis).min(), -1.0, 1.0)))
    if half > 0.5 * np.pi or half + candidates.spread >= np.pi:
        # a wider cone need not contain the panel
        return np.ones(len(candidates.hkl), dtype=bool)
    return np.asarray(candidates.rays @ axis >= np.cos(half + candidates.spread))


def candidates_of(plan: RenderPlan, shot: int, crystal: int) -> Candidates:
    """Reflections near the part of the Ewald sphere that any panel covers.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    shot, crystal : int
        Numbers of the shot and of the crystal.

    Returns
    -------
    Candidates
        Reflections; none, and a warning, if there are too many.
    """
    middle = steps_of(plan, shot, crystal, 1)
    cell, sources, crystals = middle.cells[0], plan.sources, plan.crystals
    limit = max(_largest_scattering(plan, shot, panel) for panel in range(plan.shape[1]))
    width = float(spot_reach(plan, spot_size(crystals, (shot, crystal)), cell[None])[0])
    # spots of reflections beyond the limit may reach the image
    ends = np.floor(norm(cell) * (limit + width)).astype(np.int64)
    factors = plan.factors
    low, high = -ends, ends
    if factors.is_constant and factors.default == 0.0:
        return Candidates.none()
    if not factors.is_constant and factors.default == 0.0:
        first = np.array(factors.first)
        last = first + np.array(factors.table.shape[1:]) - 3
        low, high = np.maximum(low, first), np.minimum(high, last)
    if (low > high).any():
        return Candidates.none()
    star = np.linalg.inv(cell)
    # largest relative distance between the reflections of other steps and of the middle step
    swing = (norm(crystals.phi_cells[shot, crystal] - cell) / norm(cell)).max()
    tilt = np.arccos(
        np.clip(
            (np.trace(crystals.mosaic_rotations[shot, crystal], axis1=1, axis2=2) - 1) / 2, -1, 1
        )
    ).max()
    cone = norm(sources.incident[shot] - middle.incident[0]).max()
    wavenumbers = 1.0 / sources.wavelength[shot]
    band = np.abs(wavenumbers - middle.wavenumbers[0]).max() / middle.wavenumbers[0]
    shape = tuple(int(n) for n in high - low + 1)
    total = float(np.prod([float(n) for n in shape]))
    # volume of a shell around the part of the sphere that the detector covers
    spread = 2.0 * swing + tilt + cone + band
    volume = abs(float(np.linalg.det(cell)))
    expected = np.pi * limit**2 * 2.0 * (width + limit * spread) * volume
    if total > MOST_INDICES or min(expected, total) > MOST_CANDIDATES:
        warnings.warn(
            CupysimWarning(
                "no spots are predicted: too many reflections contribute, about "
                f"{min(expected, total):.0e}"
            ),
            stacklevel=3,
        )
        return Candidates.none()
    beam = middle.incident[0] * middle.wavenumbers[0]
    longest = limit + width
    if plan.dmin > 0.0:
        longest = min(longest, 1.0 / plan.dmin)
    ends = np.stack([low, high])
    shell = Shell(star, beam, width, spread, longest, ends, min(expected, total))
    found = shell.reflections(factors)
    # another orientation turns q, which is at most two wavenumbers long, and the ray with it
    angle = 2.0 * spread + cone + width / middle.wavenumbers[0]
    rays = found.rays / norm(found.rays)[:, None]
    return Candidates(found.hkl, found.amplitudes, rays, 2.0 * angle)


def _largest_scattering(plan: RenderPlan, shot: int, panel: int) -> float:
    """Length of the longest scattering vector (1/m) of the image's corners and all sources."""
    panels, at = plan.panels, (shot, panel)
    size = (
        plan.shape[3] * float(panels.pixel_fast[at]), plan.shape[2] * float(panels.pixel_slow[at]),
    )  # fmt: skip
    axes = np.stack([panels.origin[at], panels.fast[at], panels.slow[at]])
    return largest_scattering(
        axes, size, plan.sources.incident[shot], plan.sources.wavelength[shot]
    )
