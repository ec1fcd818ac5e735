"""F of the unit cell at fractional Miller indices, as the kernel's `structure_factor.cuh` has it.

One place for the NumPy backend, its gradients and predicted spots.
"""

from __future__ import annotations

import numpy as np

from cupysim.maths import interpolation
from cupysim.plan.render_plan import FactorTable
from cupysim.plan.spot_shapes import Indices

Slopes = list[np.ndarray]


def nearest_factor(factors: FactorTable, channel: int, indices: Indices) -> np.ndarray:
    """F of the nearest reflections.

    Parameters
    ----------
    factors : FactorTable
        Structure factors.
    channel : int
        Which channel of them.
    indices : tuple of 3 ndarray
        Fractional h, k, l.

    Returns
    -------
    ndarray
        Structure factors (electrons), the default outside of the table.
    """
    if factors.is_constant:
        return np.full_like(indices[0], factors.default)
    h, k, l = (interpolation.nearest_index(index) for index in indices)
    return interpolation.nearest((h, k, l), factors.table[channel], factors.first)


def structure_factor(factors: FactorTable, channel: int, indices: Indices) -> np.ndarray:
    """F as the plan wants it: of the nearest reflections, or interpolated where neighbours exist.

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
    """F as by `structure_factor`, and its derivatives with respect to h, k, l.

    Parameters
    ----------
    factors, channel, indices
        As for `nearest_factor`.

    Returns
    -------
    value : ndarray
        Structure factors (electrons).
    slopes : list of 3 ndarray
        Derivatives, zero where F is that of the nearest reflection.
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
    """Where F is interpolated: where the table has all neighbours; None for nowhere."""
    if factors.is_constant or not factors.interpolate:
        return None
    lengths = [n - 2 for n in factors.table.shape[1:]]
    inside: np.ndarray = interpolation.has_neighbours(indices, factors.first, lengths)
    return inside
