"""Diffuse scattering from displacements of the cells: halos around reflections, or everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import ModelError
from cupysim.maths.laue_groups import LAUE_GROUPS, rotations
from cupysim.models.checks import assign, finite, member, three
from cupysim.models.mosaic_model import cartesian_axes

PRINCIPAL_AXES = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, np.sqrt(2.0)]]) / np.sqrt(
    2
)
"""The matrix that diffBragg applies to Miller indices by default: a turn by 45 degrees about c."""

FIRST_OBLIQUE, LAST_OBLIQUE = 8, 12
"""Numbers of diffBragg's Laue groups whose matrices have rows divided by sqrt(2)."""


class DiffuseModel(StrEnum):
    """Models of displacements, and their conventions."""

    LIQUID = "liquid"
    """Lengths along the crystal's axes, halos of neighbouring reflections added, absolute scale."""
    DIFFBRAGG = "diffbragg"
    """As in diffBragg, with its mistakes: lengths along the laboratory's axes, turned indices."""
    RIGID = "rigid"
    """Cells move as rigid bodies, independently of each other: no halos, but scattering everywhere
    between the reflections."""


@dataclass(frozen=True)
class Diffuse:
    """Diffuse scattering from liquid-like motions, or from independent rigid cells.

    If displacements of neighbouring cells are correlated, each reflection has a halo, a squared
    Lorentzian whose width is the inverse of the correlation length (Clarage et al. (1992)
    Proteins 12, 145; Peck et al. (2018) IUCrJ 5, 211). If they are independent, a cell scatters
    F^2 (1 - exp(-W)) at each scattering vector q, with W = <(2 pi q.u)^2> for displacements u.
    F^2 is interpolated linearly between the eight reflections around q.

    Parameters
    ----------
    gamma : tuple of 3 float
        Correlation lengths along three perpendicular axes (m). Zeros for RIGID.
    sigma : tuple of 3 float
        Root-mean-square displacements along these axes (m).
    laue : str
        Laue group over which the halos are averaged, one of
        `cupysim.maths.laue_groups.LAUE_GROUPS`.
    neighbours : int
        1 to add the halos of the 26 neighbouring reflections, 0 for the nearest one alone. RIGID
        does not use it.
    only : bool
        Leave out Bragg reflections.
    kind : DiffuseModel
        Model. With LIQUID and RIGID, x is along a and z along c*; with DIFFBRAGG, x, y and z are
        the laboratory axes.

    Raises
    ------
    ModelError
        If a number is impossible or the Laue group does not exist.
    """

    gamma: tuple[float, float, float]
    sigma: tuple[float, float, float]
    laue: str = "-1"
    neighbours: int = 0
    only: bool = False
    kind: DiffuseModel = DiffuseModel.LIQUID

    def __post_init__(self) -> None:
        assign(self, kind=member(DiffuseModel, self.kind, "diffuse: kind"))
        for name in ("gamma", "sigma"):
            values = three(getattr(self, name), f"diffuse: {name}")
            numbers = tuple(finite(value, f"diffuse: {name}") for value in values)
            if name == "gamma" and self.kind is DiffuseModel.RIGID:
                if any(numbers):
                    raise ModelError(
                        "diffuse: motions of rigid cells are independent; gamma must be zeros"
                    )
            elif not all(number > 0.0 for number in numbers):
                raise ModelError(f"diffuse: {name} must be positive, got {numbers} m")
            assign(self, **{name: numbers})
        if self.laue not in LAUE_GROUPS:
            raise ModelError(
                f"diffuse: there is no Laue group {self.laue!r}; there are {', '.join(LAUE_GROUPS)}"
            )
        if self.neighbours not in (0, 1):
            raise ModelError(f"diffuse: neighbours must be 0 or 1, got {self.neighbours}")

    def forms(self, direct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quadratic forms of Miller indices for each operation of the Laue group.

        Parameters
        ----------
        direct : ndarray, shape (3, 3)
            Rows a, b, c (m) in the laboratory.

        Returns
        -------
        halos : ndarray, shape (n, 3, 3)
            (2 pi)^2 gamma^2 |dq|^2 as a form of the offsets dh.
        displacements : ndarray, shape (n, 3, 3)
            W = (2 pi)^2 <(q.u)^2> as a form of h.
        """
        to_axes, turns = self.axes(direct), self.turns()
        found = []
        for lengths in (self.gamma, self.sigma):
            scaled = 2.0 * np.pi * np.array(lengths)[:, None] * to_axes @ turns
            found.append(np.asarray(scaled.transpose(0, 2, 1) @ scaled))
        return found[0], found[1]

    def axes(self, direct: np.ndarray) -> np.ndarray:
        """The matrix from Miller indices to scattering vectors (1/m) along x, y and z.

        Parameters
        ----------
        direct : ndarray, shape (3, 3)
            Rows a, b, c (m) in the laboratory.
        """
        star = np.linalg.inv(direct)
        if self.kind is DiffuseModel.DIFFBRAGG:
            return np.asarray(star)
        return np.asarray(cartesian_axes(direct) @ star)

    def turns(self) -> np.ndarray:
        """Matrices of the operations, which act on Miller indices, shape (n, 3, 3)."""
        if self.kind is DiffuseModel.DIFFBRAGG:
            return np.asarray(self._diffbragg_operations() @ PRINCIPAL_AXES)
        # matrices that act on indices are the transposes of those that act on coordinates
        return rotations(self.laue).transpose(0, 2, 1)

    def _diffbragg_operations(self) -> np.ndarray:
        operations = np.array(rotations(self.laue))
        number = list(LAUE_GROUPS).index(self.laue) + 1
        if FIRST_OBLIQUE <= number <= LAST_OBLIQUE:
            is_oblique = np.count_nonzero(operations, axis=2) == 2
            operations[is_oblique] /= np.sqrt(2.0)
        return operations

    def scale(self, direct: np.ndarray, n_cells: float) -> float:
        """Factor of the sum over operations and neighbours.

        Parameters
        ----------
        direct : ndarray, shape (3, 3)
            Rows a, b, c (m).
        n_cells : float
            Number of cells of a domain.

        Returns
        -------
        float
            8 pi gamma_x gamma_y gamma_z/V, times the number of cells and divided by the number of
            operations. A halo then has W exp(-W) times the photons of its reflection. diffBragg's
            factor is 8 pi gamma_x gamma_y gamma_z with lengths in Angstrom, divided by the numbers
            of operations and of reflections in the sum (1 or 27). That of RIGID is the number of
            cells, divided by the number of operations.
        """
        volume = float(np.prod(self.gamma))
        count = len(rotations(self.laue))
        if self.kind is DiffuseModel.RIGID:
            return n_cells / count
        if self.kind is DiffuseModel.LIQUID:
            return 8.0 * np.pi * volume / abs(float(np.linalg.det(direct))) * n_cells / count
        stencil = (2 * self.neighbours + 1) ** 3
        return 8.0 * np.pi * volume / ANGSTROM**3 / (count * stencil)
