"""Diffuse scattering as arrays of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from cupysim.plan.axes import Axes, Table


@dataclass(frozen=True)
class DiffuseTable(Table):
    """Halos around the reflections of the crystals of a plan.

    Parameters
    ----------
    halos, displacements : ndarray, shape (n_shots, n_operations, 3, 3)
        Forms of Miller indices, see `cupysim.models.diffuse.Diffuse.forms`. Without diffuse
        scattering, there are no operations.
    turns : ndarray, shape (n_shots, n_operations, 3, 3)
        Matrices t of the operations, which act on Miller indices. The forms are t^T M t with one M
        for all operations.
    diffuse_scale : ndarray, shape (n_shots,)
        Factor of the sum.
    diffuse_neighbours : int
        1 if halos of neighbouring reflections count, otherwise 0.
    diffuse_only : bool
        Whether Bragg reflections are left out.
    as_diffbragg : bool
        Whether to follow diffBragg, where all halos have the W of the nearest reflection. There are
        no halos if F of this reflection is zero, or a neighbour is not in the table.
    of_rigid_cells : bool
        Whether cells move independently: the scattering has no halos.
    """

    halos: Annotated[np.ndarray, Axes("shots", "operations", 3, 3)]
    displacements: Annotated[np.ndarray, Axes("shots", "operations", 3, 3)]
    turns: Annotated[np.ndarray, Axes("shots", "operations", 3, 3)]
    diffuse_scale: Annotated[np.ndarray, Axes("shots")]
    diffuse_neighbours: int = 0
    diffuse_only: bool = False
    as_diffbragg: bool = False
    of_rigid_cells: bool = False

    @property
    def n_operations(self) -> int:
        """Number of operations of the Laue group; 0 without diffuse scattering."""
        return self.halos.shape[1]


_NONE = np.empty((1, 0, 3, 3))

NO_DIFFUSE = DiffuseTable(_NONE, _NONE, _NONE, np.zeros(1))
"""The table of a shot without diffuse scattering."""
