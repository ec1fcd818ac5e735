"""Predicted spots of an image: reflections with their positions and expected photons."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.optional_libraries import require
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.prediction.candidates import Candidates, candidates_of, steps_of, toward_panel
from cupysim.prediction.panel_reflections import ReflectionsOfPanel
from cupysim.prediction.step_sums import sum_steps

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


def predict_spots(plan: RenderPlan, shot: int = 0, fewest: float = 0.0) -> Spots:
    """Predict the spots of an image.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    shot : int, optional
        Number of the shot in the plan.
    fewest : float, optional
        Smallest number of expected photons of a spot. Weaker spots are left out. If the plan has
        one part, most of them are not computed, because an upper bound of their photons is smaller.

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
            # a spot may have photons in several parts: kinds of domains, spindle angles, crystals
            needed = fewest if len(plan.parts) == 1 else 0.0
            found = [
                _panel_spots(part, shot, panel, crystal, near, needed)
                for panel in range(plan.shape[1])
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
        enough = (spots["photons"] > WEAKEST * strongest) & (spots["photons"] >= fewest)
        tables.append(spots[enough])
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
    plan: RenderPlan, shot: int, panel: int, crystal: int, candidates: Candidates, fewest: float
) -> np.ndarray:
    seen = toward_panel(plan, (shot, panel), candidates)
    hkl, squares = candidates.hkl[seen], candidates.amplitudes[:, seen] ** 2
    if len(hkl) == 0:
        return np.empty(0, dtype=SPOT)
    most = min(MOST_STEPS, max(1, int(LARGEST_WORK / len(hkl))))
    steps = steps_of(plan, shot, crystal, most)
    reflections = ReflectionsOfPanel(plan, shot, crystal, panel, steps, hkl, squares)
    scale = _share(plan) * plan.photons_per_squared_electron[shot] / len(steps)
    fractions = None if plan.fractions is None else plan.fractions[panel]
    largest = scale * (1.0 if fractions is None else float(fractions.max(initial=0.0)))
    if largest == 0.0:
        return np.empty(0, dtype=SPOT)
    sums = sum_steps(reflections, fewest / largest)
    used = np.flatnonzero(sums.photons > 0.0)
    sums, hkl, squares = sums.only(used), hkl[used], squares[:, used]
    photons = scale * sums.photons
    found = np.zeros(len(hkl), dtype=SPOT)
    found["fast"], found["slow"] = sums.fast / sums.photons, sums.slow / sums.photons
    found["h"], found["k"], found["l"] = hkl.T
    found["F"], found["photons"] = np.sqrt(squares.mean(axis=0)), photons
    found["excitation"], found["panel"] = sums.excitation / len(steps), panel
    rows, columns = plan.rows, plan.columns
    inside = (found["fast"] >= columns.start) & (found["fast"] <= columns.stop)
    inside &= (found["slow"] >= rows.start) & (found["slow"] <= rows.stop)
    if plan.mask is not None:
        fast, slow = (np.where(inside, found[name], 0).astype(int) for name in ("fast", "slow"))
        fast, slow = np.minimum(fast, plan.shape[3] - 1), np.minimum(slow, plan.shape[2] - 1)
        inside &= plan.mask[panel][slow, fast]
    found = found[inside]
    if fractions is not None:
        rows, columns = (
            np.clip(found[name].astype(int), 0, n - 1)
            for name, n in (("slow", plan.shape[2]), ("fast", plan.shape[3]))
        )
        found["photons"] *= fractions[rows, columns]
        found = found[found["photons"] > 0.0]
    return found
