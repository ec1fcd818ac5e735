"""Derivatives of the domains' cell vectors with respect to mosaic and edge spreads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cupysim.maths.rotations import apply_matrix
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import spread_names
from cupysim.plan.domain_cells import normal_deviates
from cupysim.plan.render_plan import CrystalTable


@dataclass(frozen=True)
class DomainSlopes:
    """Derivatives of the cell vectors of orientations with respect to the spreads.

    Parameters
    ----------
    rotation_slopes : ndarray, shape (n_rotations, n_domains, 3, 3)
        Derivatives of the domains' rotations with respect to each mosaic spread (1/rad).
    rotations : ndarray, shape (n_domains, 3, 3)
        Rotations of the domains.
    strains : ndarray, shape (n_strained, 3, 3)
        For cells that vary among domains: the matrices that strain the rows a, b, c of each domain.
        It has the indices (strain) h, where h is that of the mean cell. Length 0 if all cells are
        alike.
    strain_slopes : ndarray, shape (n_edges, n_strained, 3, 3)
        Derivatives of the strains with respect to the spread of each edge, times the inverse of the
        strain.
    """

    rotation_slopes: np.ndarray
    rotations: np.ndarray
    strains: np.ndarray
    strain_slopes: np.ndarray

    @classmethod
    def of(cls, experiment: Experiment, setting: np.ndarray, names: Iterable[str]) -> DomainSlopes:
        """Differentiate the domains of an experiment.

        Parameters
        ----------
        experiment : Experiment
            Experiment with one crystal.
        setting : ndarray, shape (3, 3)
            Matrix of the setting of the domains.
        names : iterable of str
            Names of the parameters of the derivatives.
        """
        mosaicity, wanted = experiment.mosaicity, set(names)
        rotations = np.zeros((len(spread_names(experiment)), *mosaicity.rotations.shape))
        if not wanted.isdisjoint(spread_names(experiment)):
            rotations = mosaicity.slopes()
        strains, slopes = np.zeros((0, 3, 3)), np.zeros((0, 0, 3, 3))
        if any(experiment.crystal.cell_spreads):
            inverse, deviates = np.linalg.inv(setting), normal_deviates(experiment)
            lengths = 1.0 + deviates * np.array(experiment.crystal.cell_spreads)
            strains = setting @ (lengths[:, :, None] * inverse)
            of_edges = (deviates / lengths) * np.eye(3)[:, None]
            slopes = setting @ (of_edges[..., None] * inverse)
        return cls(rotations, mosaicity.rotations, strains, slopes)

    @property
    def n_spreads(self) -> int:
        """Number of spreads: those of rotations, then those of edges."""
        return len(self.rotation_slopes) + len(self.strain_slopes)

    def strains_of(self, numbers: np.ndarray) -> np.ndarray | None:
        """Strains of the orientations with these numbers; None if all cells are alike."""
        return self.strains[numbers % len(self.strains)] if len(self.strains) else None

    def cell_slopes(self, crystals: CrystalTable, numbers: np.ndarray) -> np.ndarray:
        """Derivatives of the cell vectors of some orientations.

        Parameters
        ----------
        crystals : CrystalTable
            Orientations of one crystal in one shot.
        numbers : ndarray of int, shape (n,)
            Numbers of the orientations; the domain varies fastest.

        Returns
        -------
        ndarray, shape (n_spreads, n, 3, 3)
            Derivatives of the rows a, b, c (m) with respect to the spreads of rotations (1/rad),
            then of edges.
        """
        cells, domain = crystals.phi_cells[0, 0], numbers % len(self.rotations)
        if not len(self.strains):
            return np.stack(
                [
                    apply_matrix(slopes[domain][:, None], cells[numbers // len(self.rotations)])
                    for slopes in self.rotation_slopes
                ]
            )
        # these cells are strained and turned already
        turned = cells[numbers]
        unturned = turned @ self.rotations[domain]
        return np.concatenate(
            [
                unturned @ self.rotation_slopes[:, domain].swapaxes(-1, -2),
                self.strain_slopes[:, domain] @ turned,
            ]
        )
