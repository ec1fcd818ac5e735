"""Unit cells that vary among mosaic domains."""

from __future__ import annotations

import numpy as np

from cupysim.maths.mosaic_sets import normal_triples
from cupysim.maths.rotations import rotate_axis
from cupysim.models.experiment import Experiment


def cells_of_domains(experiment: Experiment, phi_cells: np.ndarray) -> np.ndarray:
    """Cell vectors of all spindle angles and domains, as those of many spindle angles.

    The edges of each domain are changed along the cell vectors, which turn with the crystal.

    Parameters
    ----------
    experiment : Experiment
        Experiment whose crystal has spreads of the cell.
    phi_cells : ndarray, shape (n_phi, 3, 3)
        Rows a, b, c (m) at each spindle angle.

    Returns
    -------
    ndarray, shape (1, 1, n_phi n_domains, 3, 3)
        Rows a, b, c (m); the domain varies fastest.
    """
    changes = 1.0 + _changes_of_edges(experiment)
    strained = phi_cells[:, None] * changes[None, :, :, None]
    turned = strained @ experiment.mosaicity.rotations.transpose(0, 2, 1)
    found: np.ndarray = turned.reshape(1, 1, -1, 3, 3)
    return found


def strained_domains(experiment: Experiment) -> np.ndarray:
    """Matrices of the domains: rotations, after strains along the edges in the middle of the scan.

    This is an approximation for scans with quirk Q3, whose orientations depend on the step before.

    Parameters
    ----------
    experiment : Experiment
        Experiment whose crystal has spreads of the cell.

    Returns
    -------
    ndarray, shape (n_domains, 3, 3)
        Matrices that multiply the cell vectors in the laboratory.
    """
    angle = float(np.mean(experiment.spindle_angles))
    direct = [
        rotate_axis(vector, experiment.frame.spindle, angle) for vector in experiment.lattice.direct
    ]
    columns = np.stack(direct, axis=1)
    changes = 1.0 + _changes_of_edges(experiment)
    strains = columns @ (changes[:, :, None] * np.linalg.inv(columns))
    found: np.ndarray = experiment.mosaicity.rotations @ strains
    return found


def normal_deviates(experiment: Experiment) -> np.ndarray:
    """Changes of a, b and c in each domain, divided by their spreads, shape (n_domains, 3)."""
    return normal_triples(experiment.crystal.mosaicity.n_domains)


def _changes_of_edges(experiment: Experiment) -> np.ndarray:
    """Relative changes of a, b and c in each domain, shape (n_domains, 3)."""
    return normal_deviates(experiment) * np.array(experiment.crystal.cell_spreads)
