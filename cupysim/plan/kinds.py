"""Plans of the kinds of mosaic domains of a crystal: sizes and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.domain_kinds import WHOLE, DomainKind, domain_kinds
from cupysim.models.experiment import Experiment
from cupysim.models.spot_shape import Shape, size_matrix
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.spot_axes import spot_axes
from cupysim.quirks import Quirk


class KindPlan(NamedTuple):
    """A kind of domains, and a plan of it.

    Parameters
    ----------
    kind : DomainKind
        The kind.
    plan : RenderPlan
        The plan, which may have the crystal's background.
    angle : int, optional
        Number of the plan's spindle angle (from 0); None if it has all angles. With body or decay,
        each angle has its own plan, because it has its own fractions.
    """

    kind: DomainKind
    plan: RenderPlan
    angle: int | None = None


MOST_COMPARED = 20_000
"""Largest number of reflections whose symmetry is checked."""

UNEQUAL = 1e-3
"""Smallest difference of equivalent structure factors, relative to the largest, that is no
rounding."""

ONES = np.ones(3)
"""Three ones, read-only, which plans share."""
ONES.setflags(write=False)


def kind_plans(experiment: Experiment, plan: RenderPlan) -> list[KindPlan]:
    """Plans of all kinds of domains of a crystal.

    Parameters
    ----------
    experiment : Experiment
        Experiment with one crystal.
    plan : RenderPlan
        Its plan if all domains were alike.

    Raises
    ------
    ModelError
        If the structure factors do not have the symmetry of the settings, or the spot width is
        nanoBragg's (quirk Q6).
    """
    kinds = domain_kinds(experiment.crystal)
    if kinds == (WHOLE,):
        return [KindPlan(WHOLE, plan)]
    crystal = experiment.crystal
    if not experiment.corrects(Quirk.SPOT_WIDTH) and crystal.shape is not Shape.GAUSS_STAR:
        raise ModelError(
            "crystal: sizes and settings are not possible with nanoBragg's spot widths; correct "
            f"quirk Q{Quirk.SPOT_WIDTH.value}"
        )
    if crystal.settings:
        # each size has the same settings
        _check_symmetry(experiment, [kind.setting for kind in kinds if kind.size == kinds[0].size])
    return [KindPlan(kind, _of_kind(experiment, plan, kind)) for kind in kinds]


def _of_kind(experiment: Experiment, plan: RenderPlan, kind: DomainKind) -> RenderPlan:
    crystals = plan.crystals
    first_cell = crystals.first_cell
    turned = replace(
        crystals,
        phi_cells=kind.setting @ crystals.phi_cells,
        first_cell=None if first_cell is None else kind.setting @ first_cell,
        settings=kind.setting[None, None],
    )
    off_diagonal = experiment.crystal.n_cells_off_diagonal
    counts = kind.size * np.array([*experiment.cell_counts, *off_diagonal])
    # the weight multiplies all photons of the plan, but is for the crystal alone
    matter = plan.amorphous
    return with_cell_counts(
        replace(
            plan,
            crystals=turned,
            photons_per_squared_electron=kind.weight * plan.photons_per_squared_electron,
            background=plan.background / kind.weight,
            ray_background=plan.ray_background / kind.weight,
            amorphous=replace(matter, molecules=matter.molecules / kind.weight),
        ),
        experiment,
        counts,
    )


def with_cell_counts(plan: RenderPlan, experiment: Experiment, counts: np.ndarray) -> RenderPlan:
    """Return the plan with other numbers of cells, which need not be integers.

    Parameters
    ----------
    plan : RenderPlan
        Plan of one shot of one crystal, with quirk Q6 corrected.
    experiment : Experiment
        The plan's experiment.
    counts : ndarray, shape (6,)
        Na, Nb, Nc, Nab, Nbc, Nac.

    Returns
    -------
    RenderPlan
        Plan with these numbers of cells, otherwise the same.

    Raises
    ------
    ModelError
        If the matrix of these numbers is not positive definite.
    """
    axes, height = spot_axes(
        experiment.crystal.shape, size_matrix(counts.tolist()), experiment.lattice.reciprocal
    )
    crystals = replace(
        plan.crystals,
        n_cells=counts[None, None, :3],
        spot_axes=axes[None, None],
        spot_counts=ONES[None, None],
        spot_height=np.full((1, 1), height),
    )
    diffuse = experiment.crystal.diffuse
    if diffuse is None:
        return plan.with_crystals(crystals)
    scale = np.array([diffuse.scale(experiment.oriented.direct, height)])
    return replace(plan.with_crystals(crystals), diffuse=replace(plan.diffuse, diffuse_scale=scale))


def _check_symmetry(experiment: Experiment, settings: Sequence[np.ndarray]) -> None:
    """Check that the structure factors of equivalent reflections are equal."""
    factors = experiment.structure_factors
    if factors.table is None:
        return
    table = factors.table[None] if factors.channels is None else factors.channels
    first, shape = np.array(factors.first), np.array(table.shape[1:])
    largest = float(np.abs(table).max(initial=0.0))
    total = int(np.prod(shape))
    numbers = np.unique(np.linspace(0, total - 1, min(total, MOST_COMPARED)).astype(np.int64))
    place = np.stack(np.unravel_index(numbers, shape), axis=1)
    for setting in settings:
        hkl = np.rint((place + first) @ setting.T).astype(np.int64)
        other = hkl - first
        inside = ((other >= 0) & (other < shape)).all(axis=1)
        one = table[:, *place.T]
        # reflections outside the table have the default
        equivalent = np.full_like(one, factors.default)
        equivalent[:, inside] = table[:, *other[inside].T]
        unequal = np.abs(one - equivalent) > UNEQUAL * largest
        if unequal.any():
            channel, row = np.argwhere(unequal)[0]
            named = " and ".join(
                f"F({' '.join(map(str, each))}) = {value[channel, row]:.6g}"
                for each, value in (
                    ((place + first)[row].tolist(), one),
                    (hkl[row].tolist(), equivalent),
                )
            )
            raise ModelError(
                f"crystal: settings {experiment.crystal.settings}: the structure factors do not "
                f"have this symmetry: {named}"
            )
