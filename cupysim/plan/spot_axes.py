"""Vectors that measure distances from reflections, for shapes whose spots depend on a distance."""

from __future__ import annotations

import numpy as np

from cupysim.maths import lattice_factor
from cupysim.models.spot_shape import Shape


def spot_axes(
    shape: Shape, size_matrix: np.ndarray, reciprocal: np.ndarray
) -> tuple[np.ndarray, float]:
    """Vectors that measure the distance from a reflection, and F_latt of the reflection.

    Parameters
    ----------
    shape : Shape
        Spot shape.
    size_matrix : ndarray, shape (3, 3)
        Symmetric matrix N of the numbers of cells.
    reciprocal : ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom). Rotations of the crystal do not change distances.

    Returns
    -------
    axes : ndarray, shape (3, 3)
        The rows of N. For `gauss_star`, a*, b*, c* (1/Angstrom) times sqrt(1.9 0.63) (det(N)
        V)^(1/3), with the volume V of the unit cell (pull request 985 of cctbx).
    height : float
        det(N), which is F_latt of the reflection.

    Notes
    -----
    These are the axes with quirk Q6 corrected.
    """
    is_diagonal = np.array_equal(size_matrix, np.diag(np.diagonal(size_matrix)))
    # The product is exact for integers, a determinant is not.
    # Sizes beyond the range of numbers give an infinite height; the renderer reports its photons.
    with np.errstate(over="ignore"):
        found = np.prod(np.diagonal(size_matrix)) if is_diagonal else np.linalg.det(size_matrix)
    height = float(found)
    if shape is not Shape.GAUSS_STAR:
        return size_matrix, height
    volume = height / abs(float(np.linalg.det(reciprocal)))
    width = np.sqrt(lattice_factor.STAR_WIDTH * lattice_factor.GAUSS_WIDTH)
    return width * volume ** (1.0 / 3.0) * reciprocal, height
