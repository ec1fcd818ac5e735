"""Spot shapes, and the matrix of the numbers of cells."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from cupysim.errors import ModelError


class Shape(StrEnum):
    """Spot shape: the lattice transform of a mosaic domain.

    `Shape("gauss_argchk")`, simtbx's Gaussian for GPUs, is `Shape.GAUSS`. It differs by terms below
    exp(-70) of a spot's maximum, which simtbx leaves out.
    """

    SQUARE = "square"
    """Lattice transform of a parallelepiped."""
    ROUND = "round"
    """Lattice transform of an ellipsoid."""
    GAUSS = "gauss"
    """Gaussian lattice transform, without fringes."""
    TOPHAT = "tophat"
    """Lattice transform that is constant within an ellipsoid, and zero outside."""
    GAUSS_STAR = "gauss_star"
    """Gaussian that is round in reciprocal space: its width depends on the domain's volume only."""
    NO_FRINGES = "no_fringes"
    """Transform of a parallelepiped up to its first minimum, and zero beyond (CrystFEL)."""
    FLAT = "flat"
    """Constant up to that minimum, and zero beyond (CrystFEL). Spots have 8 times the photons of
    SQUARE."""

    @classmethod
    def _missing_(cls, value: object) -> Shape | None:
        return cls.GAUSS if value == "gauss_argchk" else None


ELLIPSOIDAL = (Shape.GAUSS, Shape.TOPHAT)
"""Shapes that may have numbers of cells off the diagonal."""

OFF_DIAGONAL = "crystal: n_cells_off_diagonal"
"""Beginning of messages about these numbers."""


def size_matrix(counts: Sequence[float]) -> np.ndarray:
    """The matrix N = [[Na, Nab, Nac], [Nab, Nb, Nbc], [Nac, Nbc, Nc]].

    Parameters
    ----------
    counts : sequence of 6 float
        Na, Nb, Nc, Nab, Nbc, Nac.

    Returns
    -------
    ndarray, shape (3, 3)
        The matrix.

    Raises
    ------
    ModelError
        If N is not positive definite.
    """
    a, b, c, ab, bc, ac = counts
    found = np.array([[a, ab, ac], [ab, b, bc], [ac, bc, c]])
    if np.linalg.eigvalsh(found)[0] <= 0.0:
        raise ModelError(
            f"{OFF_DIAGONAL}: {ab:g}, {bc:g}, {ac:g} are too large for {a:g}, {b:g}, {c:g} cells: "
            "the matrix of these numbers must be positive definite"
        )
    return found
