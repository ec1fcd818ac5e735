"""Reader of CrystFEL unit-cell files (.cell)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.crystfel.syntax import Setting
from cupysim.formats.crystfel.values import number
from cupysim.formats.text_numbers import lines_of
from cupysim.models.unit_cell import UnitCell
from cupysim.storage.reading import content

FIRST_LINE = "CrystFEL unit cell file version 1.0"

LATTICES = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "rhombohedral",
    "hexagonal",
    "cubic",
)
"""Lattice types."""

WITH_AXIS = ("monoclinic", "tetragonal", "hexagonal")
"""Lattice types with a unique axis."""

CENTERINGS, AXES = "PABCIFRH", "abc"

EDGES = {"A": 1.0, "nm": 10.0}
"""Units of edges (Angstrom)."""

ANGLES = {"deg": 1.0 / DEGREES_PER_RADIAN, "rad": 1.0}
"""Units of angles (rad)."""

UNITS = {"a": EDGES, "b": EDGES, "c": EDGES, "al": ANGLES, "be": ANGLES, "ga": ANGLES}
"""Keys of the cell, and their units."""


@dataclass(frozen=True)
class CrystfelCell:
    """What a unit-cell file says.

    Parameters
    ----------
    cell : UnitCell
        Edges and angles.
    lattice : str
        Lattice type, one of `LATTICES`.
    centering : str
        P, A, B, C, I, F, R or H.
    unique_axis : str, optional
        a, b or c; None if the lattice type has no unique axis.
    remarks : tuple of str
        Notes for the user.
    """

    cell: UnitCell
    lattice: str = "triclinic"
    centering: str = "P"
    unique_axis: str | None = None
    remarks: tuple[str, ...] = ()


def read_cell(path: os.PathLike[str] | str) -> CrystfelCell:
    """Read a unit-cell file.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    CrystfelCell
        Cell, lattice type, centering and unique axis.

    Raises
    ------
    FileFormatError
        If it is not a unit-cell file, a value or a unit is missing or not possible, or the cell
        has no volume.
    """
    lines = lines_of(content(path))
    if not lines or lines[0] != FIRST_LINE:
        raise FileFormatError(path, f"no unit-cell file: its first line is not {FIRST_LINE!r}", 1)
    found: dict[str, Setting] = {}
    units: dict[str, str] = {}
    remarks = []
    for place, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or line.startswith(";"):
            continue
        if len(words) < 3 or words[1] != "=":
            problem = f"{line.strip()[:40]!r}: 'key = value' is expected, with blanks around '='"
            raise FileFormatError(path, problem, place)
        key = words[0]
        if line[0].isspace():
            raise FileFormatError(path, f"{key}: blanks before the key", place)
        if key not in UNITS and key not in ("lattice_type", "centering", "unique_axis"):
            remarks.append(f"line {place}: {key} is not known, and not used")
            continue
        if key in found:
            remarks.append(
                f"{key} is given in line {found[key].line} and again in line {place}; the last "
                "one is used"
            )
        found[key] = Setting(words[2], place)
        units[key] = words[3] if len(words) > 3 else ""
    values = []
    for key, known in UNITS.items():
        if key not in found:
            raise FileFormatError(path, f"the cell has no {key}")
        if units[key] not in known:
            told = f"unknown unit {units[key]!r}" if units[key] else "the unit is missing"
            problem = f"{key}: {told}; expected {' or '.join(known)}"
            raise FileFormatError(path, problem, found[key].line)
        values.append(number(path, key, found[key]) * known[units[key]])
    lattice = _word(path, found, "lattice_type", LATTICES, "triclinic")
    centering = _word(path, found, "centering", CENTERINGS, "P")
    axis = _word(path, found, "unique_axis", AXES, "") or None
    if lattice in WITH_AXIS and axis is None:
        raise FileFormatError(path, f"a {lattice} lattice needs a unique_axis")
    if lattice not in WITH_AXIS and axis is not None:
        remarks.append(f"unique_axis {axis} has no meaning in a {lattice} lattice")
        axis = None
    try:
        cell = UnitCell((values[0], values[1], values[2]), (values[3], values[4], values[5]))
    except ModelError as error:
        raise FileFormatError(path, str(error)) from error
    return CrystfelCell(cell, lattice, centering, axis, tuple(remarks))


def _word(
    path: object,
    found: dict[str, Setting],
    key: str,
    known: tuple[str, ...] | str,
    default: str,
) -> str:
    """One of several words; the default if the key is missing."""
    if key not in found:
        return default
    word = found[key].text
    if word not in tuple(known) and not (key == "unique_axis" and word in ("*", "?")):
        problem = f"{key}: {word[:20]!r} is none of {', '.join(known)}"
        raise FileFormatError(path, problem, found[key].line)
    return "" if word in ("*", "?") else word
