"""Unit cells: vectors from lengths and angles, and lengths and angles from vectors.

This module works in Angstrom like the C program, because another unit would round differently.
`cupysim.models.crystal` converts the result to metres.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.constants import SMALLEST_NORMAL
from cupysim.errors import ModelError
from cupysim.maths.arrays import (
    Array,
    Components,
    components,
    cross_of,
    dot,
    dot_of,
    multiplied,
    norm,
)
from cupysim.maths.rotations import rotate_xyz_each, turned_xyz

LARGEST_NUMBER = sys.float_info.max

FLATTEST_CELL = 1e-14
"""Smallest product of sines of a possible cell. For a flat cell, the product is zero, except for
rounding errors below this number."""


@dataclass(frozen=True)
class Lattice:
    """Direct and reciprocal cell vectors of an oriented crystal.

    Parameters
    ----------
    direct : ndarray, shape (3, 3)
        Rows a, b, c (Angstrom).
    reciprocal : ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).
    volume : float
        Cell volume (Angstrom^3).
    reciprocal_volume : float
        Inverse of the volume as it was computed (1/Angstrom^3).
    """

    direct: np.ndarray
    reciprocal: np.ndarray
    volume: float
    reciprocal_volume: float

    @property
    def lengths(self) -> np.ndarray:
        """Lengths of a, b, c (Angstrom), shape (3,)."""
        return norm(self.direct)

    @property
    def reciprocal_lengths(self) -> np.ndarray:
        """Lengths of a*, b*, c* (1/Angstrom), shape (3,)."""
        return norm(self.reciprocal)

    @property
    def angle_functions(self) -> list[tuple[float, float]]:
        """Sines and cosines of alpha, beta, gamma, from volume and scalar products."""
        return _angle_functions(self.direct, self.reciprocal_lengths, self.volume)

    @property
    def reciprocal_angle_functions(self) -> list[tuple[float, float]]:
        """Sines and cosines of alpha*, beta*, gamma*."""
        return _angle_functions(self.reciprocal, self.lengths, self.reciprocal_volume)

    @property
    def angles(self) -> np.ndarray:
        """Angles alpha, beta, gamma (rad), shape (3,)."""
        return _angles(self.angle_functions)

    @property
    def reciprocal_angles(self) -> np.ndarray:
        """Angles alpha*, beta*, gamma* (rad), shape (3,)."""
        return _angles(self.reciprocal_angle_functions)


def cell_volume(lengths: Array, angles: Array) -> float:
    """Volume of a unit cell.

    Parameters
    ----------
    lengths : sequence of 3 float
        Edges a, b, c, in any unit.
    angles : sequence of 3 float
        Angles alpha, beta, gamma (rad).

    Returns
    -------
    float
        Volume in the cubed unit of the lengths: 2abc sqrt(sin s sin(s-alpha) sin(s-beta)
        sin(s-gamma)), where s is half the sum of the angles (International Tables B, 1.1).

    Raises
    ------
    ModelError
        If no cell has these angles.
    """
    a, b, c = lengths
    half = (angles[0] + angles[1] + angles[2]) / 2
    skew = math.sin(half) * math.sin(half - angles[0])
    skew = skew * math.sin(half - angles[1]) * math.sin(half - angles[2])
    volume = 2.0 * a * b * c * math.sqrt(max(skew, 0.0))
    if not (skew > FLATTEST_CELL and volume > 0.0) or max(angles) >= math.pi:
        degrees = ", ".join(f"{math.degrees(angle):g}" for angle in angles)
        raise ModelError(
            f"unit cell: no cell has the angles {degrees} degrees; "
            "each must be less than the sum of the other two, all together less than 360"
        )
    return volume


def reciprocal_from_cell(lengths: Array, angles: Array) -> np.ndarray:
    """Reciprocal vectors of a cell in the C program's default orientation.

    Parameters
    ----------
    lengths : sequence of 3 float
        Edges a, b, c (Angstrom).
    angles : sequence of 3 float
        Angles alpha, beta, gamma (rad).

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom): a* along x, b* in the xy plane.

    Notes
    -----
    The z component of c* is that of the C program. It is wrong for cells with two or three oblique
    angles (quirk Q5); the right one is 1/c.
    """
    a, b, c = lengths
    alpha, beta, gamma = angles
    volume = cell_volume(lengths, angles)
    reciprocal_volume = 1.0 / volume
    a_star = b * c * math.sin(alpha) * reciprocal_volume
    b_star = c * a * math.sin(beta) * reciprocal_volume
    c_star = a * b * math.sin(gamma) * reciprocal_volume

    sines = (
        a * reciprocal_volume / b_star / c_star,
        b * reciprocal_volume / a_star / c_star,
        c * reciprocal_volume / a_star / b_star,
    )
    cosines = (
        (math.cos(beta) * math.cos(gamma) - math.cos(alpha)) / (math.sin(beta) * math.sin(gamma)),
        (math.cos(gamma) * math.cos(alpha) - math.cos(beta)) / (math.sin(gamma) * math.sin(alpha)),
        (math.cos(alpha) * math.cos(beta) - math.cos(gamma)) / (math.sin(alpha) * math.sin(beta)),
    )
    cos_alpha, cos_beta, cos_gamma = (clamp_cosine(cosine) for cosine in cosines)
    sin_gamma = clamp_sine(sines[2])
    return np.array(
        [
            [a_star, 0.0, 0.0],
            [b_star * cos_gamma, b_star * sin_gamma, 0.0],
            [
                c_star * cos_beta,
                c_star * (cos_alpha - cos_beta * cos_gamma) / sin_gamma,
                c_star * volume / (a * b * c * sin_gamma),
            ],
        ]
    )


def upright_reciprocal(lengths: Array, angles: Array) -> np.ndarray:
    """Reciprocal vectors of a cell in the default orientation, right for all angles.

    Parameters
    ----------
    lengths : sequence of 3 float
        Edges a, b, c (Angstrom).
    angles : sequence of 3 float
        Angles alpha, beta, gamma (rad).

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom): a* is along x, b* in the xy plane, and therefore c along z
        (Busing & Levy (1967) Acta Cryst. 22, 457, equation 3).
    """
    reciprocal = reciprocal_from_cell(lengths, angles)
    reciprocal[2, 2] = 1.0 / lengths[2]
    return reciprocal


def oriented_lattice(
    reciprocal: Array,
    misset: Array | None = None,
    lengths: Array | None = None,
    volume: float | None = None,
    consistent: bool = False,
) -> Lattice:
    """Make the direct and reciprocal vectors of a crystal after a missetting rotation.

    Parameters
    ----------
    reciprocal : array, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom) before the missetting rotation.
    misset : sequence of 3 float, optional
        Missetting angles about x, y, z (rad).
    lengths : sequence of 3 float, optional
        Lengths a, b, c (Angstrom) that the direct vectors get.
    volume : float, optional
        Cell volume (Angstrom^3) that the lattice gets, together with `lengths`.
    consistent : bool, optional
        Compute volume and reciprocal vectors from the direct vectors, even if the directions do
        not belong to a cell of the given volume (quirk Q5 corrected).

    Returns
    -------
    Lattice
        Lattice with direct vectors from vector products of the reciprocal ones, and reciprocal
        vectors computed again from the direct ones.

    Raises
    ------
    ModelError
        If the vectors span no volume.
    """
    rows = [tuple(row) for row in np.asarray(reciprocal, dtype=np.float64).tolist()]
    if misset is not None:
        rows = [turned_xyz(row, misset) for row in rows]
    direct, made, found_volume, inverse = _bases(rows, lengths, volume, consistent)
    return Lattice(np.array(direct), np.array(made), float(found_volume), float(inverse))


def missetted_lattices(
    reciprocal: Array,
    missets: Array,
    lengths: Array,
    volume: float,
    consistent: bool = False,
) -> list[Lattice]:
    """Make the lattices of a crystal after each of several missetting rotations.

    Parameters
    ----------
    reciprocal, lengths, volume, consistent
        As for `oriented_lattice`.
    missets : array, shape (n, 3)
        Missetting angles about x, y, z (rad).

    Returns
    -------
    list of Lattice
        The same as `oriented_lattice` gives for each rotation.
    """
    turned = rotate_xyz_each(reciprocal, missets)
    with np.errstate(over="ignore", invalid="ignore"):
        bases = _bases([components(turned[:, i]) for i in range(3)], lengths, volume, consistent)
    direct, made = np.moveaxis(np.array(bases[:2]), 3, 1)
    volumes, inverses = (np.broadcast_to(each, len(turned)).tolist() for each in bases[2:])
    return [Lattice(*each) for each in zip(direct, made, volumes, inverses, strict=True)]


def _bases(
    rows: Sequence[Components], lengths: Array | None, volume: Any, consistent: bool
) -> tuple[list[Components], list[Components], Any, Any]:
    """Direct vectors, reciprocal vectors, volume and its inverse, of one lattice or several."""
    along = _products(rows)
    inverse = dot_of(rows[0], along[0])
    if lengths is not None and volume is not None:
        along = [_rescaled(v, length / volume) for v, length in zip(along, lengths, strict=True)]
        inverse = 1.0 / volume
    volume = _inverse_volume(inverse)
    direct = [multiplied(v, volume) for v in along]
    across = _products(direct)
    if consistent:
        volume = dot_of(direct[0], across[0])
        inverse = _inverse_volume(volume)
    return direct, [multiplied(v, inverse) for v in across], volume, inverse


def _products(rows: Sequence[Components]) -> list[Components]:
    """Vector products b x c, c x a, a x b."""
    a, b, c = rows
    return [cross_of(b, c), cross_of(c, a), cross_of(a, b)]


def _rescaled(v: Components, length: float) -> Components:
    """Scale a vector to a length; a zero vector stays zero."""
    squared = dot_of(v, v)
    old = math.sqrt(squared) if isinstance(squared, float) else np.sqrt(squared)
    return multiplied(v, length / (old + (old == 0.0)))


def _inverse_volume(volume: Any) -> Any:
    """Inverse of a volume; zero and numbers without an inverse raise `ModelError`."""
    possible = (abs(volume) >= SMALLEST_NORMAL) & (abs(volume) <= LARGEST_NUMBER)
    if not (possible if isinstance(possible, bool) else possible.all()):
        raise ModelError("crystal: the three reciprocal cell vectors span no volume")
    return 1.0 / volume


def clamp_sine(sine: float) -> float:
    """Limit a sine to [-1, 1], because rounding may exceed one."""
    return min(max(sine, -1.0), 1.0)


def clamp_cosine(cosine: float) -> float:
    """Replace a cosine out of range, of either sign, by +1 as in the C program."""
    return 1.0 if cosine * cosine > 1.0 else cosine


def _angle_functions(
    vectors: Array, dual_lengths: Array, volume: float
) -> list[tuple[float, float]]:
    """Sines and cosines of the three angles between cell vectors, unclamped."""
    lengths, functions = norm(vectors), []
    for first, second in ((1, 2), (0, 2), (0, 1)):
        third = 3 - first - second
        sine = float(dual_lengths[third] * volume / lengths[first] / lengths[second])
        cosine = float(dot(vectors[first], vectors[second]) / lengths[first] / lengths[second])
        functions.append((sine, cosine))
    return functions


def _angles(functions: list[tuple[float, float]]) -> np.ndarray:
    return np.array([math.atan2(clamp_sine(s), clamp_cosine(c)) for s, c in functions])
