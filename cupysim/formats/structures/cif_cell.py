"""Unit cells of CIF files: angles that the file calls unknown, and volumes that contradict it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cupysim.formats.structures.symmetry import Symmetry
from cupysim.formats.structures.table import Cell

SAME_VOLUME = 0.01
"""Relative difference up to which a volume agrees with the cell: both are rounded."""

RHOMBOHEDRAL = "R"
"""First letter of groups whose names allow two kinds of axes. The angles decide between them."""

SAMPLES, SAME_COSINE = 3, 1e-9
"""Number of random metrics, and the difference of their cosines below which an angle is fixed."""

PAIRS = ((1, 2), (0, 2), (0, 1))
"""Numbers of the axes of alpha, beta and gamma."""


def angles_of_group(symmetry: Symmetry) -> list[float | None]:
    """Angles that a space group allows as the only ones.

    Parameters
    ----------
    symmetry : Symmetry
        Space group.

    Returns
    -------
    list of float or None
        alpha, beta, gamma (degrees); None for those that the group leaves free.

    Notes
    -----
    The mean of a metric over all rotations is a metric that the group allows. An angle is fixed if
    the means of random metrics agree in it.
    """
    if symmetry.name.startswith(RHOMBOHEDRAL):
        return [None, None, None]
    random = np.random.default_rng(0)
    cosines = []
    for _ in range(SAMPLES):
        axes = np.eye(3) + random.uniform(-0.3, 0.3, (3, 3))
        metric = axes @ axes.T
        mean = np.mean([turn.T @ metric @ turn for turn in symmetry.rotations], axis=0)
        cosines.append([mean[i, j] / np.sqrt(mean[i, i] * mean[j, j]) for i, j in PAIRS])
    is_fixed = np.ptp(cosines, axis=0) < SAME_COSINE
    degrees = np.degrees(np.arccos(cosines[0])).round(6)
    return [float(angle) if fixed else None for angle, fixed in zip(degrees, is_fixed, strict=True)]


def volume(cell: Sequence[float]) -> float:
    """Volume (Angstrom^3) of a cell.

    Parameters
    ----------
    cell : sequence of 6 float
        a, b, c (Angstrom), alpha, beta, gamma (degrees).
    """
    cosines = np.cos(np.radians(cell[3:]))
    square = 1.0 - float(cosines @ cosines) + 2.0 * float(np.prod(cosines))
    return float(np.prod(cell[:3])) * float(np.sqrt(max(square, 0.0)))


def other_volume(cell: Cell | None, told: float | None) -> Iterator[str]:
    """Warning about a volume that is not that of the cell.

    Parameters
    ----------
    cell : tuple of 6 float, optional
        Unit cell.
    told : float, optional
        Volume (Angstrom^3) that the file gives.
    """
    if cell is None or told is None or not told > 0.0:
        return
    own = volume(cell)
    if abs(own - told) > SAME_VOLUME * told:
        yield (
            f"its _cell_volume is {told:g} A^3, but its cell has {own:.6g} A^3 and is used: is one "
            "of the edges or angles wrong?"
        )
