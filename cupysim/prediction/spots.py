"""Predicted spots of an image: reflections with their positions and expected photons."""

from __future__ import annotations

import warnings
from typing import Any, assert_never

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.maths import spot_profiles
from cupysim.maths.arrays import norm
from cupysim.maths.pixel_factors import capture_fraction
from cupysim.maths.polarization import polarization_of_form
from cupysim.optional_libraries import require
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, SpotSize, spot_size
from cupysim.plan.weights import RayPath, term_weight
from cupysim.prediction.candidates import (
    Candidates,
    Steps,
    candidates_of,
    spot_reach,
    steps_of,
    toward_panel,
)

SPOT = np.dtype(
    [
        ("h", np.int32),
        ("k", np.int32),
        ("l", np.int32),
        ("fast", np.float64),
        ("slow", np.float64),
        ("F", np.float64),
        ("excitation", np.float64),
        ("photons", np.float64),
        ("panel", np.int32),
        ("crystal", np.int32),
    ]
)
"""Data type of a spot: Miller indices, position (pixels from the outer corner of the first pixel),
structure factor (electrons), excitation, expected photons, number of the panel (from 0) and of the
crystal (from 1). The excitation is a mean over the steps: the integral of the lattice transform
over the Ewald sphere, divided by the same integral with the reflection exactly on the sphere."""

UNITS = {
    "fast": "pixels", "slow": "pixels", "F": "electrons", "photons": "photons",
}  # fmt: skip
"""Units of a spot's columns; the others have none."""


class Spots(np.ndarray):
    """Predicted spots: a structured array of `SPOT`, the strongest first.

    ``spots["photons"]`` is a column, ``spots[:10]`` are the ten strongest spots, and
    ``spots[spots["photons"] > 100]`` are the spots with more than 100 photons.
    """

    def to_dataframe(self) -> Any:
        """Convert the spots to a pandas table with a row for each spot.

        Returns
        -------
        pandas.DataFrame
            Table with the columns of `SPOT`, and units in ``attrs["units"]``.

        Raises
        ------
        CupysimError
            If pandas is not installed.
        """
        pandas = require("pandas", "a table of spots")
        table = pandas.DataFrame({name: np.asarray(self[name]) for name in SPOT.names or ()})
        table.attrs["units"] = dict(UNITS)
        return table


WEAKEST = 1e-4
"""Smallest photons of a spot, relative to the strongest spot of its crystal; weaker spots are left
out."""

LARGEST_WORK = 4e6
"""Largest product of reflections and steps. Above it, only some evenly spaced steps are used."""

MOST_STEPS = 1000
"""Largest number of steps that are used. It is enough for a mean."""


def predict_spots(plan: RenderPlan, shot: int = 0) -> Spots:
    """Predict the spots of an image.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    shot : int, optional
        Number of the shot in the plan.

    Returns
    -------
    Spots
        Spots, the strongest first. There are none on a curved detector, because its pixels have no
        common plane, and none with point pixels, because these count no photons. There are none,
        and a warning, if too many reflections contribute, or if quirk Q14 acts.

    Raises
    ------
    ModelError
        If the shot does not exist.

    Notes
    -----
    A spot's photons are r_e^2 Phi F^2 P lambda^2 J, averaged over sources, spindle angles and
    domains. Phi is the fluence, P the polarization factor, and J the integral of the lattice
    transform over the Ewald sphere (`cupysim.maths.spot_profiles`). The position is the mean over
    these steps of the transform's highest point on the sphere, weighted by photons. Photons beyond
    the image's edges are included.
    """
    if plan.panels.bend is not None or plan.panels.point_pixel:
        return np.empty(0, dtype=SPOT).view(Spots)
    if Use.RUNNING in plan.uses:
        warnings.warn(
            CupysimWarning(
                "no spots are predicted, because -oversample_thick, _polar or _omega multiply the "
                "running sum at each step; -corrected Q14 avoids this"
            ),
            stacklevel=3,
        )
        return np.empty(0, dtype=SPOT).view(Spots)
    by_crystal: dict[int, list[tuple[float, np.ndarray]]] = {}
    for part in plan.parts:
        is_dark = part.factors.is_constant and part.factors.default == 0.0
        for crystal in range(
            0 if part.diffuse.diffuse_only or is_dark else part.crystals.n_crystals
        ):
            near = candidates_of(part, shot, crystal)
            found = [
                _panel_spots(part, shot, panel, crystal, near) for panel in range(plan.shape[1])
            ]
            spots = np.concatenate(found)
            number = int(part.crystals.numbers[shot, crystal])
            spots["crystal"] = number
            to_crystal = np.linalg.inv(part.crystals.settings[shot, crystal])
            indices = np.stack([spots[name] for name in "hkl"])
            spots["h"], spots["k"], spots["l"] = np.rint(to_crystal @ indices)
            weight = _share(part) * float(part.photons_per_squared_electron[shot])
            by_crystal.setdefault(number, []).append((weight, spots))
    tables = [np.empty(0, dtype=SPOT)]
    for kinds in by_crystal.values():
        spots = kinds[0][1] if len(kinds) == 1 else _mean_of_kinds(kinds)
        strongest = spots["photons"].max(initial=0.0)
        tables.append(spots[spots["photons"] > WEAKEST * strongest])
    spots = np.concatenate(tables)
    return spots[np.argsort(-spots["photons"], kind="stable")].view(Spots)


def _share(plan: RenderPlan) -> float:
    """Share of the steps of an image that a part of its rotation has."""
    own = len(plan.sources.channel) * plan.crystals.n_orientations * plan.oversample**2
    return own / plan.n_steps


def _mean_of_kinds(kinds: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Spots of a crystal from those of its kinds of domains, which have weights.

    Photons add up; positions are means weighted by photons, and excitations by the weights.
    """
    spots = np.concatenate([each for _, each in kinds])
    weights = np.concatenate([np.full(len(each), weight) for weight, each in kinds])
    keys = np.stack([spots[name] for name in ("panel", "h", "k", "l")], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    found = spots[first]
    photons = np.bincount(which.ravel(), spots["photons"])
    for name in ("fast", "slow"):
        found[name] = np.bincount(which.ravel(), spots["photons"] * spots[name]) / photons
    total = sum(weight for weight, _ in kinds)
    found["excitation"] = np.bincount(which.ravel(), weights * spots["excitation"]) / total
    found["photons"] = photons
    return found


def _panel_spots(
    plan: RenderPlan, shot: int, panel: int, crystal: int, candidates: Candidates
) -> np.ndarray:
    size = spot_size(plan.crystals, (shot, crystal))
    seen = toward_panel(plan, (shot, panel), candidates)
    hkl, squares = candidates.hkl[seen], candidates.amplitudes[:, seen] ** 2
    if len(hkl) == 0:
        return np.empty(0, dtype=SPOT)
    most = min(MOST_STEPS, max(1, int(LARGEST_WORK / len(hkl))))
    steps = steps_of(plan, shot, crystal, most)
    sums = np.zeros((len(hkl), 4))  # photons, photons x fast, photons x slow, excitation
    for number in range(len(steps)):
        _add_step(plan, shot, panel, steps, number, hkl, squares, size, sums)
    scale = _share(plan) * plan.photons_per_squared_electron[shot]
    photons = scale * sums[:, 0] / len(steps)
    found = np.zeros(len(hkl), dtype=SPOT)
    with np.errstate(invalid="ignore", divide="ignore"):
        found["fast"], found["slow"] = (sums[:, i] / sums[:, 0] for i in (1, 2))
    found["h"], found["k"], found["l"] = hkl.T
    found["F"], found["photons"] = np.sqrt(squares.mean(axis=0)), photons
    found["excitation"], found["panel"] = sums[:, 3] / len(steps), panel
    rows, columns = plan.rows, plan.columns
    inside = (found["fast"] >= columns.start) & (found["fast"] <= columns.stop)
    inside &= (found["slow"] >= rows.start) & (found["slow"] <= rows.stop) & (photons > 0.0)
    if plan.mask is not None:
        fast, slow = (np.where(inside, found[name], 0).astype(int) for name in ("fast", "slow"))
        fast, slow = np.minimum(fast, plan.shape[3] - 1), np.minimum(slow, plan.shape[2] - 1)
        inside &= plan.mask[panel][slow, fast]
    found = found[inside]
    if plan.fractions is not None:
        rows, columns = (
            np.clip(found[name].astype(int), 0, n - 1)
            for name, n in (("slow", plan.shape[2]), ("fast", plan.shape[3]))
        )
        found["photons"] *= plan.fractions[panel][rows, columns]
        found = found[found["photons"] > 0.0]
    return found


def _add_step(
    plan: RenderPlan,
    shot: int,
    panel: int,
    steps: Steps,
    number: int,
    hkl: np.ndarray,
    squares: np.ndarray,
    size: SpotSize,
    sums: np.ndarray,
) -> None:
    """Add the contribution of one orientation and source to the sums of each reflection."""
    cell, wavenumber = steps.cells[number], steps.wavenumbers[number]
    star = np.linalg.inv(cell)
    ray = hkl @ star.T + steps.incident[number] * wavenumber
    length = norm(ray)
    zeta = length - wavenumber
    near = np.flatnonzero(np.abs(zeta) <= spot_reach(plan, size, cell))
    ray, zeta = ray[near], zeta[near]
    normal = ray / length[near, None]
    projections = normal @ star
    volume = abs(float(np.linalg.det(cell)))
    shape = SPOT_SHAPES[plan.crystals.shape]
    if shape.measure is Measure.DISTANCE:
        # matrix from dq to the vector that measures the distance from the reflection
        to_spot = size.scaled_axes.T @ cell
        from_spot = np.linalg.inv(to_spot)
        slopes = normal @ from_spot
        steepness = norm(slopes)
        stretch = steepness * abs(float(np.linalg.det(to_spot)))
        section, whole = (
            shape.section(distance / steepness, size.height, size.fudge) / stretch
            for distance in (zeta, 0.0 * zeta)
        )
        shift = (zeta / steepness**2)[:, None] * (slopes @ from_spot.T)
    elif shape.measure in (Measure.INDICES, Measure.OFFSETS):
        section, whole = (
            shape.section(projections, distance, size.n_cells, volume, size.fudge)
            for distance in (zeta, 0.0 * zeta)
        )
        shift = -spot_profiles.nearest_offset(projections, zeta, size.n_cells) @ star.T
    else:
        assert_never(shape.measure)
    direction = ray - shift
    direction /= norm(direction)[:, None]
    fast, slow, hits, captured, airpath = _on_panel(plan, shot, panel, direction)
    form = steps.forms[number]
    x, y, z = direction.T
    polar = polarization_of_form(form, (x, y, z)) if plan.sources.polarized else 1.0
    source = int(steps.sources[number])
    path = RayPath(shot, panel, source, 0, airpath, (x, y, z))
    weight, _ = term_weight(plan, path)
    square = squares[int(plan.sources.channel[source])][near]
    photons = square * np.where(hits, weight * section / wavenumber**2 * polar * captured, 0.0)
    sums[near, 0] += photons
    sums[near, 1] += photons * fast
    sums[near, 2] += photons * slow
    sums[near, 3] += section / whole


def _on_panel(
    plan: RenderPlan, shot: int, panel: int, direction: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Fast and slow positions (pixels), hits of the panel, absorbed fractions and paths (m)."""
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
    return fast, slow, hits, captured, distance


def _mean_layer(slant: np.ndarray, n_layers: int) -> np.ndarray:
    """Mean number of the layer that absorbs a photon, from the optical thickness of a layer."""
    layers = np.arange(n_layers)
    with np.errstate(over="ignore", invalid="ignore"):
        reached = np.exp(-np.abs(slant)[:, None] * layers)
        return np.nan_to_num((reached * layers).sum(axis=1) / reached.sum(axis=1))
