"""Reflection lists of CrystFEL, and CrystFEL's names of point groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cupysim.errors import FileFormatError
from cupysim.formats.structures.list_lines import free_numbers, list_table
from cupysim.formats.structures.symmetry import Symmetry, of_operators
from cupysim.formats.structures.table import Quantity, ReflectionTable
from cupysim.optional_libraries import require

SIGNATURE = b"CrystFEL reflection list"

VERSION = "CrystFEL reflection list version 2.0"
"""First line of lists with a point group."""

OLD_HEADING = "h k l I phase sigma(I) counts fs/px ss/px"
"""Words of the first line of lists of version 1, which have no point group."""

END = "End of reflections"
"""The line after the last reflection."""

COLUMNS = ("h", "k", "l", "I", "sigma(I)")
"""Columns that are read."""

_OLD = re.compile(
    rb"[ \t]*" + rb"[ \t]+".join(map(re.escape, OLD_HEADING.encode().split())) + rb"\s"
)
_REFLECTION = re.compile(r"\s*(-?\d+\s+){3}-?\d+\.?\d*\s")

POINT_GROUPS = {
    "1": "P 1", "-1": "P -1", "2": "P 1 2 1", "m": "P 1 m 1", "2/m": "P 1 2/m 1", "222": "P 2 2 2",
    "mm2": "P m m 2", "mmm": "P m m m", "4": "P 4", "-4": "P -4", "4/m": "P 4/m", "422": "P 4 2 2",
    "4mm": "P 4 m m", "-42m": "P -4 2 m", "-4m2": "P -4 m 2", "4/mmm": "P 4/m m m",
    "3_H": "P 3", "-3_H": "P -3", "321_H": "P 3 2 1", "312_H": "P 3 1 2", "3m1_H": "P 3 m 1",
    "31m_H": "P 3 1 m", "-3m1_H": "P -3 m 1", "-31m_H": "P -3 1 m",
    "3_R": "R 3:R", "-3_R": "R -3:R", "32_R": "R 3 2:R", "3m_R": "R 3 m:R", "-3m_R": "R -3 m:R",
    "6": "P 6", "-6": "P -6", "6/m": "P 6/m", "622": "P 6 2 2", "6mm": "P 6 m m",
    "-6m2": "P -6 m 2", "-62m": "P -6 2 m", "6/mmm": "P 6/m m m", "23": "P 2 3", "m-3": "P m -3",
    "432": "P 4 3 2", "-43m": "P -4 3 m", "m-3m": "P m -3 m",
}  # fmt: skip
"""CrystFEL's names of point groups, each with a space group that has the same rotations."""

AXES = {
    "a": ("z,x,y", "y,z,x"),
    "b": ("y,z,x", "z,x,y"),
    "c": ("x,y,z", "x,y,z"),
}
"""Changes of axes from the unique axis c to the unique axis a, b or c, and back."""

_UNIQUE_B = ("2", "m", "2/m")
"""Groups with the unique axis b in their usual setting; in CrystFEL it is c."""


def is_list(head: bytes) -> bool:
    """Whether a file is a CrystFEL list, from its first bytes.

    Parameters
    ----------
    head : bytes
        First bytes of the file.
    """
    return head.startswith(SIGNATURE) or _OLD.match(head) is not None


def read(path: object, lines: list[str]) -> ReflectionTable:
    """Read the lines of a CrystFEL list.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    lines : list of str
        Lines of the file.

    Returns
    -------
    ReflectionTable
        Reflections with the columns I and SIGI, without a cell.

    Raises
    ------
    FileFormatError
        If a line does not follow the format.
    """
    groups: dict[str, int] = {}
    rows: list[list[float]] = []
    places: list[int] = []
    ended = False
    is_old = lines[0].split() == OLD_HEADING.split()
    if not is_old and lines[0].strip() != VERSION:
        raise FileFormatError(path, f"its first line is not {VERSION!r}", 1)
    for number, line in enumerate(lines[not is_old :], 1 + (not is_old)):
        words = line.split()
        if ended and _REFLECTION.match(line):
            raise FileFormatError(path, f"a reflection after {END!r}", number)
        if ended or not words:
            continue
        if line.startswith("Symmetry:"):
            groups.setdefault(" ".join(words[1:]), number)
        elif words[:3] == ["h", "k", "l"]:
            places = _places(path, words, number)
        elif line.startswith(END):
            ended = True
        elif places:
            if max(places) >= len(words):
                problem = f"{len(words)} numbers, but the line of column names has more"
                raise FileFormatError(path, problem, number)
            row = " ".join(words[place] for place in places)
            rows.append(free_numbers(path, row, number, len(places)))
    if not ended:
        raise FileFormatError(path, f"the CrystFEL list is cut off: it has no {END!r}")
    if len(groups) > 1:
        problem = f"two point groups: {', '.join(groups)}"
        raise FileFormatError(path, problem, list(groups.values())[1])
    if not groups and not is_old:
        raise FileFormatError(path, "the CrystFEL list has no point group (Symmetry: ...)")
    table = list_table(
        path, "CrystFEL list", rows, ("I", "SIGI"), (Quantity.INTENSITY, Quantity.DEVIATION),
        None, point_group_symmetry(path, next(iter(groups), "1")),
    )  # fmt: skip
    told = "a CrystFEL list of version 1 has no point group: it is taken as a list in P1"
    return replace(table, warnings=(told,)) if is_old else table


def _places(path: object, names: Sequence[str], line: int) -> list[int]:
    """Numbers of the columns of h, k, l, I and sigma, counted from 0."""
    for name in COLUMNS:
        if names.count(name) != 1:
            problem = f"its columns are {' '.join(names)[:60]}; exactly one must be {name}"
            raise FileFormatError(path, problem, line)
    return [names.index(name) for name in COLUMNS]


def point_group_symmetry(path: object, name: str) -> Symmetry:
    """The rotations of a point group as CrystFEL names it.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        Name such as ``4/mmm``, or ``2/m_uab`` for the unique axis b.

    Raises
    ------
    FileFormatError
        If there is no such point group.
    """
    base, _, unique = name.partition("_ua")
    group = POINT_GROUPS.get(base) or POINT_GROUPS.get(f"{base}_H")
    if group is None or unique not in ("", "a", "b", "c", "A", "B", "C"):
        raise FileFormatError(path, f"unknown point group {name!r}")
    gemmi = require("gemmi", "reading point groups")
    known = gemmi.SpaceGroup(group)
    axis = unique.lower() or "c"
    operators = list(known.operations().sym_ops)
    if base in _UNIQUE_B:
        operators = [_with_axis(gemmi, op, "b", back=True) for op in operators]
    operators = [_with_axis(gemmi, op, axis) for op in operators]
    symmetry = of_operators(path, [op.triplet() for op in operators])
    return replace(symmetry, name=f"of point group {name}")


def _with_axis(gemmi: object, op: object, axis: str, back: bool = False) -> object:
    """An operator with another unique axis in place of c, or with c in place of the other axis."""
    there, from_there = (gemmi.Op(text) for text in AXES[axis])  # type: ignore[attr-defined]
    return from_there * op * there if back else there * op * from_there
