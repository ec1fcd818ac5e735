"""Derivatives of diffuse scattering: of its terms, and of its forms with respect to parameters."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cupysim.maths.interpolation import nearest_index
from cupysim.maths.lattice_factor import METRIC
from cupysim.models.diffuse import Diffuse, DiffuseModel
from cupysim.models.diffuse_parameters import GAMMA, SIGMA
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import GROUPS
from cupysim.models.spot_shape import size_matrix
from cupysim.plan.diffuse import fits, form
from cupysim.plan.diffuse_table import DiffuseTable
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.gradient_columns import FORMS, INDICES, LOG_SCALE, ORIGIN
from cupysim.plan.spot_shapes import Indices
from cupysim.plan.structure_factor import nearest_factor

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
        return found.times(table.diffuse_scale[0])
    nearest = [nearest_index(index) for index in indices]
    offsets = [index - whole for index, whole in zip(indices, nearest, strict=True)]
    steps = range(-table.diffuse_neighbours, table.diffuse_neighbours + 1)
    for step in itertools.product(steps, repeat=3):
        h, k, l = (whole + d for whole, d in zip(nearest, step, strict=True))
        square = nearest_factor(factors, channel, (h, k, l)) ** 2
        at = nearest if table.as_diffbragg else [h, k, l]
        from_it = [offset - d for offset, d in zip(offsets, step, strict=True)]
        _add_halos(table, square, at, from_it, found)
    if table.as_diffbragg:
        h, k, l = nearest
        has_halos = nearest_factor(factors, channel, (h, k, l)) != 0.0
        has_halos &= fits(factors, nearest, table.diffuse_neighbours)
        found = found.times(has_halos.astype(np.float64))
    return found.times(table.diffuse_scale[0])


def _add_halos(
    table: DiffuseTable,
    square: np.ndarray,
    at: list[np.ndarray],
    offset: list[np.ndarray],
    found: DiffuseSlopes,
) -> None:
    """Add F^2 W exp(-W)/(1 + D)^2 of a reflection, for all operations."""
    for halo, displacement, turn in zip(
        table.halos[0], table.displacements[0], table.turns[0], strict=True
    ):
        w, d = form(displacement, at), form(halo, offset)
        value = square * w * np.exp(-w) / (1.0 + d) ** 2
        found.value += value
        by_halo = -2.0 * value / (1.0 + d)
        steep = np.tensordot(halo, np.stack(offset), 1)
        for along, slope in zip(found.along, steep, strict=True):
            along += 2.0 * by_halo * slope
        _add_form(by_halo, turn, offset, found.forms[:FORM_ELEMENTS])
        by_displacement = square * (1.0 - w) * np.exp(-w) / (1.0 + d) ** 2
        _add_form(by_displacement, turn, at, found.forms[FORM_ELEMENTS:])


def _add_rigid_cells(
    table: DiffuseTable,
    factors: FactorTable,
    channel: int,
    indices: Indices,
    found: DiffuseSlopes,
) -> None:
    """Add F^2 (1 - exp(-W)), with F^2 interpolated, for all operations."""
    floors = [np.floor(index) for index in indices]
    parts = [index - floor for index, floor in zip(indices, floors, strict=True)]
    squares, slopes = np.zeros_like(indices[0]), np.zeros((3, *indices[0].shape))
    for step in itertools.product((0, 1), repeat=3):
        h, k, l = (floor + d for floor, d in zip(floors, step, strict=True))
        square = nearest_factor(factors, channel, (h, k, l)) ** 2
        weights = [part if d else 1.0 - part for part, d in zip(parts, step, strict=True)]
        squares += weights[0] * weights[1] * weights[2] * square
        for axis, d in enumerate(step):
            one, other = (weights[each] for each in range(3) if each != axis)
            slopes[axis] += (square if d else -square) * one * other
    moving, at = np.zeros_like(squares), list(indices)
    for displacement, turn in zip(table.displacements[0], table.turns[0], strict=True):
        w = form(displacement, at)
        still = np.exp(-w)
        moving -= np.expm1(-w)
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
    rows : mapping of str to ndarray, shape (50,)
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
    # phi turns the crystal after its axes are known
    for name in (*GROUPS["misset"], *GROUPS["cell"]):
        row = rows[name]
        change = row[INDICES:ORIGIN].reshape(3, 3)
        moved = _axes_slope(diffuse, direct, change) - to_axes @ change
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


def _axes_slope(diffuse: Diffuse, direct: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The change of the model's axes times the matrix to scattering vectors, (dX) a*, b*, c*.

    The cell vectors, rows of `direct`, change by `change` times `direct`.
    """
    if diffuse.kind is DiffuseModel.DIFFBRAGG:
        return np.zeros((3, 3))
    moved = change @ direct
    x, dx = _unit_slope(direct[0], moved[0])
    z, dz = _unit_slope(
        np.cross(direct[0], direct[1]),
        np.cross(moved[0], direct[1]) + np.cross(direct[0], moved[1]),
    )
    dy = np.cross(dz, x) + np.cross(z, dx)
    return np.asarray(np.stack([dx, dy, dz]) @ np.linalg.inv(direct))


def _unit_slope(vector: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A unit vector along a vector, and its derivative."""
    length = float(np.linalg.norm(vector))
    unit = vector / length
    return unit, (slope - unit * float(unit @ slope)) / length


def _set_form(row: np.ndarray, slope: np.ndarray, first: int) -> None:
    row[FORMS + first : FORMS + first + FORM_ELEMENTS] = [slope[i, j] for i, j in METRIC]
