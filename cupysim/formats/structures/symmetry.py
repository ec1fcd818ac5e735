"""Space groups, and their rotations that act on Miller indices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.models.unit_cell import UnitCell
from cupysim.optional_libraries import require

EDGE_TOLERANCE, ANGLE_TOLERANCE = 0.005, 0.5
"""Relative difference of edges, and difference of angles (degrees). Up to these, a cell has the
symmetry of its space group. Cells that were refined without constraints differ less; another group
differs more."""

ORIGINS = re.compile(r"(?:\s+([SZHR])|\s*:\s*([12HRhr]))$")
ORIGIN_CHOICES = {"S": "1", "Z": "2"}
"""Suffixes of a symbol for the origin or the axes: letters in ICSD's files, otherwise a colon and
the choice in International Tables."""

MOST_ROTATIONS = 48
"""Number of rotations of the largest point group."""


@dataclass(frozen=True, eq=False)
class Symmetry:
    """A space group.

    Parameters
    ----------
    name : str
        Name of the group, for messages.
    operators : tuple of gemmi.Op
        All operators without centring translations.
    all_operators : tuple of gemmi.Op
        All operators with centring translations.
    """

    name: str
    operators: tuple[Any, ...]
    all_operators: tuple[Any, ...]

    @property
    def group(self) -> Any:
        """The gemmi.SpaceGroup with these operators; None if gemmi has no name for it."""
        gemmi = require("gemmi", "reading space groups")
        return gemmi.find_spacegroup_by_ops(gemmi.GroupOps(list(self.all_operators)))

    def is_origin_assumed(self, name: str) -> bool:
        """Whether a name does not say which of two origins is meant."""
        return self.name.endswith(":1") and ":" not in name and not ORIGINS.search(name)

    def has_operators(self, other: Symmetry) -> bool:
        """Whether another group has the same operators.

        Parameters
        ----------
        other : Symmetry
            Group to compare with.
        """
        return self._triplets == {op.triplet() for op in other.all_operators}

    def is_without_centring(self, triplets: AbstractSet[str]) -> bool:
        """Whether operators are those of this group without centring translations.

        Parameters
        ----------
        triplets : set of str
            Operators to check, with translations below one.
        """
        gemmi = require("gemmi", "reading space groups")
        turns = {str(gemmi.Op(each).rot) for each in triplets}
        return triplets < self._triplets and len(turns) == len(self.rotations)

    @property
    def _triplets(self) -> set[str]:
        return {op.triplet() for op in self.all_operators}

    @property
    def rotations(self) -> np.ndarray:
        """Different rotation parts, shape (n, 3, 3); they act on rows of indices from the right."""
        parts = np.array([np.array(op.rot) // op.DEN for op in self.operators], dtype=np.int64)
        return np.unique(parts, axis=0)

    def representatives(self, hkl: np.ndarray) -> np.ndarray:
        """Codes that are equal for equivalent reflections, but not for Friedel mates.

        Parameters
        ----------
        hkl : ndarray of int64, shape (n, 3)
            Miller indices.

        Returns
        -------
        ndarray of int64, shape (n,)
            The largest code of all equivalents of each reflection.
        """
        rotations = self.rotations
        widest = int(np.abs(rotations).sum(axis=1).max()) * int(np.abs(hkl).max(initial=0)) + 1
        weights = np.array([(2 * widest + 1) ** 2, 2 * widest + 1, 1], dtype=np.int64)
        return np.max([hkl @ (rotation @ weights) for rotation in rotations], axis=0)


def of_group(group: Any) -> Symmetry:
    """The symmetry of a gemmi.SpaceGroup."""
    operations = group.operations()
    return Symmetry(group.xhm(), tuple(operations.sym_ops), tuple(operations))


def of_operators(path: object, triplets: Sequence[str], name: str = "") -> Symmetry:
    """The space group of a file's operators.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    triplets : sequence of str
        Operators such as "x,-y,z+1/2".
    name : str, optional
        Name of the group in the file.

    Returns
    -------
    Symmetry
        The group, with the name of a known group with these operators if there is one.

    Raises
    ------
    FileFormatError
        If they are not operators, or do not form a group.
    """
    gemmi = require("gemmi", "reading space groups")
    operators = operators_of(path, triplets)
    _check_closure(path, operators)
    group = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(operators))
    if group is not None:
        return of_group(group)
    operations = gemmi.GroupOps(operators)
    name = name or f"of {len(operators)} operators"
    return Symmetry(name, tuple(operations.sym_ops), tuple(operations))


def operators_of(path: object, triplets: Sequence[str]) -> list[Any]:
    """Distinct operators of a file, with translations below one.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    triplets : sequence of str
        Operators such as "x,-y,z+1/2".

    Returns
    -------
    list of gemmi.Op
        The operators, in the order of the file.

    Raises
    ------
    FileFormatError
        If one of them is not an operator of a lattice.
    """
    gemmi = require("gemmi", "reading space groups")
    operators = []
    for triplet in triplets:
        try:
            op = gemmi.Op(triplet.lower().replace(" ", "")).wrap()
        except (RuntimeError, ValueError) as error:
            raise FileFormatError(path, f"no symmetry operator: {triplet[:60]!r}") from error
        rotation = np.array(op.rot) / op.DEN
        # integers, with an inverse of integers
        if (rotation != np.rint(rotation)).any() or round(abs(np.linalg.det(rotation))) != 1:
            raise FileFormatError(path, f"no symmetry operator: {triplet[:60]!r}")
        operators.append(op)
    return list({op.triplet(): op for op in operators}.values())


def _check_closure(path: object, operators: Sequence[Any]) -> None:
    """Reject operators that do not form a group: a product of two is missing."""
    problem = f"its {len(operators)} symmetry operators do not form a group"
    if not operators:
        raise FileFormatError(path, f"{problem}; some are missing or wrong")
    whole = operators[0].DEN
    rotations = np.array([op.rot for op in operators], dtype=np.int64) // whole
    shifts = np.array([op.tran for op in operators], dtype=np.int64)
    unique, which = np.unique(rotations.reshape(-1, 9), axis=0, return_inverse=True)
    if len(unique) > MOST_ROTATIONS:
        raise FileFormatError(path, f"{problem}; some are missing or wrong")
    numbers = {tuple(row): number for number, row in enumerate(unique.tolist())}
    matrices = unique.reshape(-1, 3, 3)
    products = np.array(
        [[numbers.get(tuple((a @ b).ravel().tolist()), -1) for b in matrices] for a in matrices]
    )
    digits = np.array([whole * whole, whole, 1])
    known = which * whole**3 + shifts @ digits
    for first, op in enumerate(operators):
        turned = (shifts @ rotations[first].T + shifts[first]) % whole
        found = products[which[first], which] * whole**3 + turned @ digits
        missing = ~np.isin(found, known)
        if missing.any():
            other = operators[int(np.argmax(missing))]
            raise FileFormatError(
                path,
                f"{problem}: {other.triplet()} and then {op.triplet()} is "
                f"{(op * other).wrap().triplet()}, but this one is missing",
            )


def named(name: str, cell: Sequence[float] | None) -> Symmetry | None:
    """The symmetry of a named group, or None if the name is unknown.

    Parameters
    ----------
    name : str
        Hermann-Mauguin symbol.
    cell : sequence of 6 float, optional
        Unit cell, to distinguish rhombohedral from hexagonal axes.
    """
    gemmi = require("gemmi", "reading space groups")
    alpha, gamma = (0.0, 0.0) if cell is None else (cell[3], cell[5])
    # P2_1/c, P 2(1)/c; in ICSD's files, F d -3 m S and Z have different origins
    plain = re.sub(r"[_()]", "", name.strip())
    # P 1- is P -1
    plain = re.sub(r"(?<![0-9/])([1346])-(?=[\s:]|$)", r"-\1", plain)
    match, origin = ORIGINS.search(plain), ""
    if match is not None:
        plain, origin = plain[: match.start()], (match[1] or match[2]).upper()
        origin = ":" + ORIGIN_CHOICES.get(origin, origin)
    for symbol in (plain, _short_symbol(plain)):
        group = gemmi.find_spacegroup_by_name(symbol + origin, alpha, gamma) if symbol else None
        if group is not None:
            return of_group(group)
    return None


def _short_symbol(full: str) -> str:
    """The short Hermann-Mauguin symbol of a full one, as gemmi knows it; other symbols unchanged.

    International Tables A, table 2.1.3.3: a short symbol replaces an axis and the mirror normal to
    it by the mirror alone. Exceptions are the fourfold or sixfold main axis, and the unique axis of
    monoclinic groups.
    """
    words = full.split()
    has_inversion_axis = "-3" in words
    axis = re.compile(r"[24][123]?/([abcdemn])$" if has_inversion_axis else r"21?/([abcdemn])$")
    others = [axis.match(word) for word in words[1:]]
    n_axes = sum(match is not None for match in others)
    if not has_inversion_axis and n_axes < 2:
        return full
    short = [match[1] if match else word for match, word in zip(others, words[1:], strict=True)]
    return " ".join([*words[:1], *short])


def cell_text(cell: Sequence[float]) -> str:
    """A unit cell as text in one line: edges in Angstrom, angles in degrees."""
    return " ".join(f"{number:g}" for number in cell)


def check_cell(path: object, cell: Sequence[float], symmetry: Symmetry) -> None:
    """Reject a cell if an operator of the space group changes its metric.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    cell : sequence of 6 float
        a, b, c (Angstrom), alpha, beta, gamma (degrees).
    symmetry : Symmetry
        Space group.

    Raises
    ------
    FileFormatError
        If the cell is impossible, or an operator changes its edges or angles.
    """
    try:
        UnitCell.from_degrees(*cell)
    except ModelError as error:
        raise FileFormatError(path, str(error)) from error
    a, b, c = cell[:3]
    alpha, beta, gamma = (math.cos(math.radians(angle)) for angle in cell[3:])
    metric = np.array(
        [[a * a, a * b * gamma, a * c * beta],
         [a * b * gamma, b * b, b * c * alpha],
         [a * c * beta, b * c * alpha, c * c]]
    )  # fmt: skip
    for rotation in symmetry.rotations:
        turned = rotation.T @ metric @ rotation
        edges = np.sqrt(np.diag(turned))
        cosines = turned / np.outer(edges, edges)
        angles = np.degrees(
            np.arccos(np.clip([cosines[1, 2], cosines[0, 2], cosines[0, 1]], -1.0, 1.0))
        )
        if (
            np.abs(edges / np.array(cell[:3]) - 1.0).max() > EDGE_TOLERANCE
            or np.abs(angles - np.array(cell[3:])).max() > ANGLE_TOLERANCE
        ):
            raise FileFormatError(
                path, f"its space group {symmetry.name} forbids its cell {cell_text(cell)}"
            )
