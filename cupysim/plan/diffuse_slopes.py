"""Derivatives of diffuse scattering: of its terms, and of its forms with respect to parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cupysim.maths.lattice_factor import METRIC
from cupysim.models.diffuse import DiffuseModel
from cupysim.models.diffuse_parameters import GAMMA, SIGMA
from cupysim.models.experiment import Experiment
from cupysim.models.mosaic_model import cartesian_axes_slope
from cupysim.models.parameters import GROUPS
from cupysim.models.spot_shape import size_matrix
from cupysim.plan.diffuse import (
    Halo,
    corners_at,
    displaced_sum,
    form,
    halos_at,
    interpolated_squares,
)
from cupysim.plan.diffuse_table import DiffuseTable
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.gradient_columns import FORMS, INDICES, LOG_SCALE, ORIGIN
from cupysim.plan.spot_shapes import Indices

FORM_ELEMENTS = len(METRIC)
"""Number of different elements of a form. The kernel's columns are those of the form of halos, then
those of displacements."""


@dataclass
class DiffuseSlopes:
    """Terms of diffuse scattering, and their derivatives.

    Parameters
    ----------
    value : ndarray
        Terms (electron^2).
    along : list of 3 ndarray
        Derivatives with respect to h, k, l.
    forms : list of 12 ndarray
        Derivatives with respect to the elements of the forms of halos and of displacements, in the
        order of `METRIC`.
    """

    value: np.ndarray
    along: list[np.ndarray]
    forms: list[np.ndarray]

    @classmethod
    def zero(cls, like: np.ndarray) -> DiffuseSlopes:
        """Return zeros of the shape of an array."""
        return cls(
            np.zeros_like(like),
            [np.zeros_like(like) for _ in range(3)],
            [np.zeros_like(like) for _ in range(2 * FORM_ELEMENTS)],
        )

    def times(self, factor: np.ndarray | float) -> DiffuseSlopes:
        """Return all of them multiplied by a factor."""
        return DiffuseSlopes(
            self.value * factor,
            [each * factor for each in self.along],
            [each * factor for each in self.forms],
        )


def diffuse_slopes(
    table: DiffuseTable, factors: FactorTable, channel: int, indices: Indices
) -> DiffuseSlopes:
    """Differentiate `cupysim.plan.diffuse.diffuse_terms` of the first shot.

    Parameters
    ----------
    table : DiffuseTable
        Halos.
    factors : FactorTable
        Structure factors.
    channel : int
        Number of the table of structure factors.
    indices : tuple of 3 ndarray
        Fractional h, k, l.
    """
    found = DiffuseSlopes.zero(indices[0])
    if table.of_rigid_cells:
        _add_rigid_cells(table, factors, channel, indices, found)
    else:
        for halo in halos_at(table, factors, channel, indices):
            _add_halo(table, halo, found)
    return found.times(table.diffuse_scale[0])


def diffuse_factor_slopes(
    table: DiffuseTable, factors: FactorTable, channel: int, indices: Indices
) -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
    """Differentiate the terms of diffuse scattering with respect to structure factors.

    Parameters
    ----------
    table, factors, channel, indices
        As for `diffuse_slopes`.

    Yields
    ------
    reflection : list of 3 ndarray
        Miller indices of a reflection on which each term depends.
    slope : ndarray
        Derivatives of the terms with respect to its F (electrons).
    """
    scale = table.diffuse_scale[0]
    if table.of_rigid_cells:
        moving = displaced_sum(table, 0, indices)
        for corner in corners_at(factors, channel, indices):
            of_h, of_k, of_l = corner.weights
            yield corner.reflection, 2.0 * scale * corner.factor * of_h * of_k * of_l * moving
        return
    for halo in halos_at(table, factors, channel, indices):
        slope = np.zeros_like(halo.factor)
        for of_offset, of_index in zip(table.halos[0], table.displacements[0], strict=True):
            w = form(of_index, halo.hkl)
            slope += w * np.exp(-w) / (1.0 + form(of_offset, halo.offset)) ** 2
        yield halo.reflection, 2.0 * scale * halo.factor * slope


def _add_halo(table: DiffuseTable, halo: Halo, found: DiffuseSlopes) -> None:
    """Add F^2 W exp(-W)/(1 + D)^2 of a reflection, for all operations."""
    for of_offset, of_index, turn in zip(
        table.halos[0], table.displacements[0], table.turns[0], strict=True
    ):
        w, d = form(of_index, halo.hkl), form(of_offset, halo.offset)
        still = halo.factor**2 * np.exp(-w) / (1.0 + d) ** 2
        found.value += w * still
        # W belongs to the reflection, so only D depends on h, k, l
        by_halo = -2.0 * w * still / (1.0 + d)
        steep = np.tensordot(of_offset, np.stack(halo.offset), 1)
        for along, slope in zip(found.along, steep, strict=True):
            along += 2.0 * by_halo * slope
        _add_form(by_halo, turn, halo.offset, found.forms[:FORM_ELEMENTS])
        _add_form((1.0 - w) * still, turn, halo.hkl, found.forms[FORM_ELEMENTS:])


def _add_rigid_cells(
    table: DiffuseTable,
    factors: FactorTable,
    channel: int,
    indices: Indices,
    found: DiffuseSlopes,
) -> None:
    """Add F^2 (1 - exp(-W)), with F^2 interpolated, for all operations."""
    squares, slopes = interpolated_squares(factors, channel, indices)
    at = list(indices)
    moving = displaced_sum(table, 0, indices)
    for displacement, turn in zip(table.displacements[0], table.turns[0], strict=True):
        still = np.exp(-form(displacement, at))
        steep = np.tensordot(displacement, np.stack(at), 1)
        for along, slope in zip(found.along, steep, strict=True):
            along += 2.0 * squares * still * slope
        _add_form(squares * still, turn, at, found.forms[FORM_ELEMENTS:])
    found.value += squares * moving
    for along, slope in zip(found.along, slopes, strict=True):
        along += slope * moving


def _add_form(
    weight: np.ndarray, turn: np.ndarray, vector: list[np.ndarray], forms: list[np.ndarray]
) -> None:
    """Add the derivatives of (t v)^T M (t v), times a weight, with respect to the elements of M."""
    turned = np.tensordot(turn, np.stack(vector), 1)
    for total, (i, j) in zip(forms, METRIC, strict=True):
        total += (1.0 if i == j else 2.0) * weight * turned[i] * turned[j]


def set_diffuse_rows(rows: Mapping[str, np.ndarray], experiment: Experiment) -> None:
    """Set the derivatives of the forms of halos, and of the scale, with respect to parameters.

    Parameters
    ----------
    rows : mapping of str to ndarray, shape (56,)
        Rows of `GradientPlan.rows` by the parameter's name. The changes of Miller indices are
        known.
    experiment : Experiment
        Experiment with one crystal, which has diffuse scattering.

    Notes
    -----
    With the matrix A from indices to scattering vectors along the axes x, y, z of the model, the
    forms of halos and of displacements are A^T diag((2 pi gamma)^2) A and the same with sigma. If
    indices change by dh = E h, then dA = dX X^T A - A E, where dX is the change of the axes. The
    scale depends on gamma, on the volume of the cell and on the number of cells
    (`Diffuse.scale`).
    """
    diffuse = experiment.crystal.diffuse
    assert diffuse is not None
    direct = experiment.oriented.direct
    to_axes = diffuse.axes(direct)
    for names, lengths, first in ((GAMMA, diffuse.gamma, 0), (SIGMA, diffuse.sigma, FORM_ELEMENTS)):
        for name, length, axis in zip(names, lengths, to_axes, strict=True):
            slope = 2.0 * length * (2.0 * np.pi) ** 2 * np.outer(axis, axis)
            _set_form(rows[name], slope, first)
            if names is GAMMA and diffuse.kind is not DiffuseModel.RIGID:
                rows[name][LOG_SCALE] = 1.0 / length
    # the forms are made before the spindle turns, so phi does not change them
    for name in (*GROUPS["misset"], *GROUPS["cell"]):
        row = rows[name]
        change = row[INDICES:ORIGIN].reshape(3, 3)
        moved = -to_axes @ change
        if diffuse.kind is not DiffuseModel.DIFFBRAGG:
            # the axes follow the crystal
            moved += cartesian_axes_slope(direct, change @ direct) @ np.linalg.inv(direct)
        for lengths, first in ((diffuse.gamma, 0), (diffuse.sigma, FORM_ELEMENTS)):
            squares = (2.0 * np.pi * np.array(lengths)) ** 2
            half = moved.T @ (squares[:, None] * to_axes)
            _set_form(row, half + half.T, first)
        if diffuse.kind is DiffuseModel.LIQUID:
            # 1/V
            row[LOG_SCALE] = -float(np.trace(change))
    if diffuse.kind is DiffuseModel.DIFFBRAGG:
        return
    counts = [*experiment.cell_counts, *experiment.crystal.n_cells_off_diagonal]
    inverse = np.linalg.inv(size_matrix(counts))
    for name, (i, j) in zip(
        (*GROUPS["n_cells"], *GROUPS["n_cells_off_diagonal"]), METRIC, strict=True
    ):
        rows[name][LOG_SCALE] = (1.0 if i == j else 2.0) * inverse[i, j]


def _set_form(row: np.ndarray, slope: np.ndarray, first: int) -> None:
    row[FORMS + first : FORMS + first + FORM_ELEMENTS] = [slope[i, j] for i, j in METRIC]
