"""Amorphous matter in a plan: structure factors as polynomials of |q|, and its scattering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from cupysim.models.background import Amorphous
from cupysim.plan.axes import Axes, Table


@dataclass(frozen=True)
class AmorphousTable(Table):
    """Amorphous matter of the shots of a plan.

    Parameters
    ----------
    begins : ndarray, shape (n_intervals,)
        Values of |q| (1/m) at which intervals begin, for one material after the other. The first
        interval of a material holds for all smaller |q| too.
    coefficients : ndarray, shape (n_intervals, 4)
        F (electrons) as a polynomial of |q| minus the beginning, the constant first.
    first, count : ndarray of int, shape (n_materials,)
        First interval, and number of intervals, of each material.
    molecules : ndarray, shape (n_shots, n_materials)
        Number of molecules, times the number of orientations of a ray, by which the sum of all
        steps is divided later.
    """

    begins: Annotated[np.ndarray, Axes("intervals")]
    coefficients: Annotated[np.ndarray, Axes("intervals", 4)]
    first: Annotated[np.ndarray, Axes("materials")]
    count: Annotated[np.ndarray, Axes("materials")]
    molecules: Annotated[np.ndarray, Axes("shots", "materials")]

    @property
    def n_materials(self) -> int:
        """Number of materials."""
        return len(self.first)


def amorphous_table(materials: Sequence[Amorphous], orientations: float) -> AmorphousTable:
    """Make the table of a plan of one shot.

    Parameters
    ----------
    materials : sequence of Amorphous
        The materials.
    orientations : float
        Number of spindle angles times number of domains, divided by the scale of the crystal.
    """
    if not materials:
        return NOTHING
    parts = [material.polynomials() for material in materials]
    counts = np.array([len(begins) for begins, _ in parts], dtype=np.int64)
    return AmorphousTable(
        # |q| is twice sin(theta)/lambda
        begins=np.concatenate([np.empty(0), *(2.0 * begins for begins, _ in parts)]),
        coefficients=np.concatenate(
            [np.empty((0, 4)), *(each * 0.5 ** np.arange(4) for _, each in parts)]
        ),
        first=np.cumsum(counts) - counts,
        count=counts,
        molecules=orientations * np.array([[material.molecules for material in materials]]),
    )


NOTHING = AmorphousTable(
    begins=np.empty(0),
    coefficients=np.empty((0, 4)),
    first=np.empty(0, dtype=np.int64),
    count=np.empty(0, dtype=np.int64),
    molecules=np.empty((1, 0)),
)
"""The table of a shot without amorphous matter."""


def intensity(table: AmorphousTable, shot: int, q: Sequence[np.ndarray]) -> np.ndarray:
    """Scattering of all materials (electron^2): number of molecules times sign(F) F^2, summed.

    Parameters
    ----------
    table : AmorphousTable
        The materials.
    shot : int
        Number of the shot.
    q : sequence of 3 ndarray, shape (n,)
        Components of the scattering vectors (1/m).
    """
    total = np.zeros(len(q[0]))
    for number, (factor, _) in enumerate(_factors(table, q)):
        total += table.molecules[shot, number] * factor * np.abs(factor)
    return total


def intensity_slope(table: AmorphousTable, shot: int, q: Sequence[np.ndarray]) -> np.ndarray:
    """Derivative of `intensity` with respect to |q| (electron^2 m)."""
    total = np.zeros(len(q[0]))
    for number, (factor, slope) in enumerate(_factors(table, q)):
        total += table.molecules[shot, number] * 2.0 * np.abs(factor) * slope
    return total


def _factors(table: AmorphousTable, q: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """F of each material, and its derivative with respect to |q|."""
    length = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
    found = []
    for first, count in zip(table.first, table.count, strict=True):
        begins = table.begins[first : first + count]
        place = np.maximum(np.searchsorted(begins, length, side="right") - 1, 0)
        t = length - begins[place]
        c = table.coefficients[first + place].T
        factor = ((c[3] * t + c[2]) * t + c[1]) * t + c[0]
        found.append((factor, (3.0 * c[3] * t + 2.0 * c[2]) * t + c[1]))
    return found
