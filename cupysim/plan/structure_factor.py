"""Structure factor F_cell at fractional Miller indices.

The NumPy backend, its gradients and predicted spots use this module. The kernels have the same
formulas in `structure_factor.cuh`.
"""

from __future__ import annotations

import numpy as np

from cupysim.maths import interpolation
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.spot_shapes import Indices

Slopes = list[np.ndarray]


def nearest_factor(factors: FactorTable, channel: int, indices: Indices) -> np.ndarray:
    """Structure factors of the nearest reflections.

    Parameters
    ----------
    factors : FactorTable
        Tables of structure factors.
    channel : int
        Number of the channel (table) to use.
    indices : tuple of 3 ndarray
        Fractional h, k, l.

    Returns
    -------
    ndarray
        Structure factors (electrons). Outside the table, they are the default.
    """
    if factors.is_constant:
        return np.full_like(indices[0], factors.default)
    h, k, l = (interpolation.nearest_index(index) for index in indices)
    return interpolation.nearest((h, k, l), factors.table[channel], factors.first)


def structure_factor(factors: FactorTable, channel: int, indices: Indices) -> np.ndarray:
    """Structure factors as the plan specifies: of the nearest reflections, or interpolated.

    They are interpolated only where the table has the necessary neighbours.

    Parameters
    ----------
    factors, channel, indices
        As for `nearest_factor`.

    Returns
    -------
    ndarray
        Structure factors (electrons).
    """
    values = nearest_factor(factors, channel, indices)
    inside = interpolated_where(factors, indices)
    if inside is not None:
        h, k, l = (index[inside] for index in indices)
        values[inside] = interpolation.tricubic((h, k, l), factors.table[channel], factors.first)
    return values


def structure_factor_slopes(
    factors: FactorTable, channel: int, indices: Indices
) -> tuple[np.ndarray, Slopes]:
    """Structure factors as from `structure_factor`, and derivatives with respect to h, k, l.

    Parameters
    ----------
    factors, channel, indices
        As for `nearest_factor`.

    Returns
    -------
    value : ndarray
        Structure factors (electrons).
    slopes : list of 3 ndarray
        Derivatives (electrons). Zero where the nearest reflection is used.
    """
    values = nearest_factor(factors, channel, indices)
    slopes = [np.zeros_like(index) for index in indices]
    inside = interpolated_where(factors, indices)
    if inside is not None:
        h, k, l = (index[inside] for index in indices)
        values[inside], along = interpolation.tricubic_slopes(
            (h, k, l), factors.table[channel], factors.first
        )
        for slope, value in zip(slopes, along, strict=True):
            slope[inside] = value
    return values, slopes


def interpolated_where(factors: FactorTable, indices: Indices) -> np.ndarray | None:
    """Mask of indices at which F is interpolated; None if the plan does not interpolate."""
    if factors.is_constant or not factors.interpolate:
        return None
    lengths = [n - 2 for n in factors.table.shape[1:]]
    inside: np.ndarray = interpolation.has_neighbours(indices, factors.first, lengths)
    return inside
