"""A crystal with another unit cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cupysim.maths.cell import oriented_lattice
from cupysim.maths.derivatives import upright_cell
from cupysim.models.crystal import Crystal
from cupysim.models.experiment import Experiment
from cupysim.models.unit_cell import UnitCell


def with_other_cell(experiment: Experiment, which: int, by: float) -> Crystal:
    """The crystal with one edge or angle of its cell changed, in the same orientation.

    Parameters
    ----------
    experiment : Experiment
        Experiment with the crystal.
    which : int
        Index in (a, b, c, alpha, beta, gamma), from 0.
    by : float
        Change (Angstrom or rad).

    Returns
    -------
    Crystal
        The crystal.

    Raises
    ------
    ModelError
        If there is no such cell.
    """
    crystal = experiment.crystal
    if crystal.cell is not None and crystal.reciprocal is None:
        numbers = [*crystal.cell.lengths_angstrom, *crystal.cell.angles]
        numbers[which] += by
        a, b, c, alpha, beta, gamma = numbers
        return replace(crystal, cell=UnitCell((a, b, c), (alpha, beta, gamma)))
    unturned = replace(crystal, misset=None).oriented(experiment.policy).lattice
    numbers = [*unturned.lengths, *unturned.angles]
    upright, _ = upright_cell(np.array(numbers[:3]), np.array(numbers[3:]))
    orientation = np.linalg.solve(upright, unturned.direct)
    numbers[which] += by
    a, b, c, alpha, beta, gamma = numbers
    UnitCell((a, b, c), (alpha, beta, gamma))
    other, _ = upright_cell(np.array(numbers[:3]), np.array(numbers[3:]))
    reciprocal = np.linalg.inv(other @ orientation).T
    return replace(crystal, cell=None, reciprocal=oriented_lattice(reciprocal).reciprocal)
