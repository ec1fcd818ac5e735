"""Diffuse scattering in a plan, and its terms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cupysim.maths.interpolation import nearest_index
from cupysim.models.diffuse import DiffuseModel
from cupysim.models.experiment import Experiment
from cupysim.plan.diffuse_table import NO_DIFFUSE, DiffuseTable
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.spot_axes import spot_axes
from cupysim.plan.spot_shapes import Indices
from cupysim.plan.structure_factor import nearest_factor


def diffuse_table(experiment: Experiment) -> DiffuseTable:
    """Make the table of an experiment."""
    diffuse = experiment.crystal.diffuse
    if diffuse is None:
        return NO_DIFFUSE
    direct = experiment.oriented.direct
    halos, displacements = diffuse.forms(direct)
    _, cells = spot_axes(
        experiment.crystal.shape, experiment.oriented.size_matrix, experiment.lattice.reciprocal
    )
    return DiffuseTable(
        halos[None],
        displacements[None],
        diffuse.turns()[None],
        np.array([diffuse.scale(direct, cells)]),
        diffuse.neighbours,
        diffuse.only,
        diffuse.kind is DiffuseModel.DIFFBRAGG,
        diffuse.kind is DiffuseModel.RIGID,
    )


def diffuse_terms(
    table: DiffuseTable, factors: FactorTable, shot: int, channel: int, indices: Indices
) -> np.ndarray:
    """F^2 times the halos at fractional Miller indices (electron^2).

    Parameters
    ----------
    table : DiffuseTable
        Halos.
    factors : FactorTable
        Structure factors.
    shot, channel : int
        Numbers of the shot and of the table of structure factors.
    indices : tuple of 3 ndarray
        Fractional h, k, l.

    Returns
    -------
    ndarray
        Sum over the nearest reflection and its neighbours of F^2 times the sum over operations of
        W exp(-W)/(1 + D)^2, times the scale. D is the form of halos at the offset. For rigid cells:
        F^2, interpolated between the reflections, times the sum over operations of 1 - exp(-W) at
        these indices, times the scale.
    """
    if table.of_rigid_cells:
        squares, _ = interpolated_squares(factors, channel, indices)
        moving = displaced_sum(table, shot, indices)
        return np.asarray(table.diffuse_scale[shot] * squares * moving)
    total = np.zeros_like(indices[0])
    for halo in halos_at(table, factors, channel, indices):
        for of_offset, of_index in zip(table.halos[shot], table.displacements[shot], strict=True):
            w = form(of_index, halo.hkl)
            profile = (1.0 + form(of_offset, halo.offset)) ** 2
            total += halo.factor**2 * w * np.exp(-w) / profile
    return np.asarray(table.diffuse_scale[shot] * total)


class Halo(NamedTuple):
    """Halo of the nearest reflection or of one of its neighbours, for each index.

    Parameters
    ----------
    factor : ndarray
        F (electrons); zero where there is no halo.
    reflection : list of 3 ndarray
        Miller indices of the reflection.
    hkl : list of 3 ndarray
        Miller indices of which W is the form.
    offset : list of 3 ndarray
        Offset of h, k, l from the reflection.
    """

    factor: np.ndarray
    reflection: list[np.ndarray]
    hkl: list[np.ndarray]
    offset: list[np.ndarray]


def halos_at(
    table: DiffuseTable, factors: FactorTable, channel: int, indices: Indices
) -> Iterator[Halo]:
    """Find the halos at fractional Miller indices.

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

    Yields
    ------
    Halo
        One for each reflection of the neighbourhood.
    """
    nearest = [nearest_index(index) for index in indices]
    offsets = [index - whole for index, whole in zip(indices, nearest, strict=True)]
    exists = np.ones(indices[0].shape, dtype=bool)
    if table.as_diffbragg:
        h, k, l = nearest
        exists = nearest_factor(factors, channel, (h, k, l)) != 0.0
        exists &= _fits(factors, nearest, table.diffuse_neighbours)
    steps = range(-table.diffuse_neighbours, table.diffuse_neighbours + 1)
    for step in itertools.product(steps, repeat=3):
        h, k, l = (whole + d for whole, d in zip(nearest, step, strict=True))
        yield Halo(
            np.where(exists, nearest_factor(factors, channel, (h, k, l)), 0.0),
            [h, k, l],
            nearest if table.as_diffbragg else [h, k, l],
            [offset - d for offset, d in zip(offsets, step, strict=True)],
        )


class Corner(NamedTuple):
    """One of the eight reflections around each index.

    Parameters
    ----------
    factor : ndarray
        F (electrons).
    reflection : list of 3 ndarray
        Its Miller indices.
    weights : list of 3 ndarray
        Weights along each axis, whose product is the weight in a linear interpolation.
    step : tuple of 3 int
        0 for the lower, 1 for the upper reflection along each axis.
    """

    factor: np.ndarray
    reflection: list[np.ndarray]
    weights: list[np.ndarray]
    step: tuple[int, ...]


def corners_at(factors: FactorTable, channel: int, indices: Indices) -> Iterator[Corner]:
    """Find the eight reflections around fractional Miller indices.

    Parameters
    ----------
    factors, channel, indices
        As for `halos_at`.
    """
    floors = [np.floor(index) for index in indices]
    parts = [index - floor for index, floor in zip(indices, floors, strict=True)]
    for step in itertools.product((0, 1), repeat=3):
        h, k, l = (floor + d for floor, d in zip(floors, step, strict=True))
        weights = [part if d else 1.0 - part for part, d in zip(parts, step, strict=True)]
        yield Corner(nearest_factor(factors, channel, (h, k, l)), [h, k, l], weights, step)


def interpolated_squares(
    factors: FactorTable, channel: int, indices: Indices
) -> tuple[np.ndarray, np.ndarray]:
    """F^2, interpolated linearly between the eight reflections around an index.

    Parameters
    ----------
    factors, channel, indices
        As for `halos_at`.

    Returns
    -------
    squares : ndarray
        F^2 (electron^2).
    slopes : ndarray, shape (3, ...)
        Derivatives with respect to h, k, l.
    """
    squares, slopes = np.zeros_like(indices[0]), np.zeros((3, *indices[0].shape))
    for corner in corners_at(factors, channel, indices):
        square, weights = corner.factor**2, corner.weights
        squares += weights[0] * weights[1] * weights[2] * square
        for axis, d in enumerate(corner.step):
            one, other = (weights[each] for each in range(3) if each != axis)
            slopes[axis] += (square if d else -square) * one * other
    return squares, slopes


def displaced_sum(table: DiffuseTable, shot: int, indices: Indices) -> np.ndarray:
    """Sum over the operations of 1 - exp(-W), for rigid cells, at fractional Miller indices."""
    moving = np.zeros_like(indices[0])
    for displacement in table.displacements[shot]:
        moving -= np.expm1(-form(displacement, indices))
    return moving


def form(matrix: np.ndarray, v: list[np.ndarray] | tuple[np.ndarray, ...]) -> np.ndarray:
    """Compute v^T M v for the symmetric matrix M and vectors v with these components."""
    x, y, z = v
    return np.asarray(
        matrix[0, 0] * x * x + matrix[1, 1] * y * y + matrix[2, 2] * z * z
        + 2.0 * (matrix[0, 1] * x * y + matrix[1, 2] * y * z + matrix[0, 2] * x * z)
    )  # fmt: skip


def _fits(factors: FactorTable, nearest: list[np.ndarray], reach: int) -> np.ndarray:
    """Whether a reflection and its neighbours are in the table."""
    inside = np.ones(nearest[0].shape, dtype=bool)
    if factors.is_constant:
        return inside
    lengths = [n - 2 for n in factors.table.shape[1:]]
    for whole, first, length in zip(nearest, factors.first, lengths, strict=True):
        inside &= (whole - reach >= first) & (whole + reach <= first + length - 1)
    return inside
