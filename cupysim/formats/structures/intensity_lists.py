"""Lists of intensities as text: XDS_ASCII.HKL, CrystFEL, Scalepack, SHELX."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.optional import require
from cupysim.formats.structures.symmetry import Symmetry, named, of_group, of_operators
from cupysim.formats.structures.table import (
    Cell,
    Column,
    Quantity,
    ReflectionTable,
    miller_indices,
)

XDS, CRYSTFEL = b"!FORMAT=XDS_ASCII", b"CrystFEL reflection list"
"""How files of these programs begin."""

PACKED, PDB_RECORDS = b"\x1f\x8b", (b"HEADER", b"CRYST1", b"REMARK", b"ATOM  ", b"HETATM")
"""How files begin which are no lists."""

_SCALEPACK = re.compile(
    rb"\A {4}1[ \t]*\r?\n *-?\d+[^\n]*\r?\n( *[\d.]+){6} +[a-z]\S*", re.IGNORECASE
)
_UNMERGED_SCALEPACK = re.compile(rb"\A *\d+ [a-zA-Z]\d\S*\s*\n( *-?[01]\.?\d*){3}")
_SHELX = re.compile(rb"( {0,3}-?\d{1,4}){3} {0,7}-?\d+\.?\d* +\d+\.?\d*( +-?\d+)?\s*\Z")

_XDS_FIELD = re.compile(r"(\S[^=\s]*)\s*=\s*([^=]*?)(?=\s+\S+\s*=|\s*$)")
_XDS_ITEMS = (("H", 1), ("K", 2), ("L", 3), ("IOBS", 4), ("SIGMA(IOBS)", 5))
"""Columns of XDS_ASCII.HKL, and their places where its header names none."""

LARGEST_ITEM = 1000
"""Columns of a line at most."""

LONGEST_WAVE = 1e6
"""Angstrom; longer waves are mistakes."""

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
"""CrystFEL's names of point groups, and a space group with the same rotations."""

AXES = {
    "a": ("z,x,y", "y,z,x"),
    "b": ("y,z,x", "z,x,y"),
    "c": ("x,y,z", "x,y,z"),
}
"""Changes of axes which make a, b or c the unique one where c was, and back."""

_UNIQUE_B = ("2", "m", "2/m")
"""Groups whose usual setting has b as the unique axis; CrystFEL's has c."""


def kind_of(head: bytes) -> str | None:
    """Which of these lists a file is, from its first bytes.

    Parameters
    ----------
    head : bytes
        Some kibibytes at least.
    """
    if head.startswith(XDS):
        return "xds"
    if head.startswith(CRYSTFEL):
        return "crystfel"
    if _SCALEPACK.match(head):
        return "scalepack"
    return None


def looks_like(head: bytes) -> str | None:
    """What a list of another kind must be, for a message; None if nobody knows.

    Parameters
    ----------
    head : bytes
        Some kibibytes at least.
    """
    if _UNMERGED_SCALEPACK.match(head):
        return "an unmerged Scalepack file: merge it first"
    if head.startswith(b"!OUTPUT_FILE=INTEGRATE.HKL"):
        return "XDS' INTEGRATE.HKL, which is not scaled: give XDS_ASCII.HKL"
    if head.startswith(PACKED):
        return "a packed file (gzip), which is no text when it comes through a pipe"
    if head.startswith(PDB_RECORDS):
        return "a model (PDB): give it by -pdb"
    line = next((line for line in head.splitlines() if line.strip()), b"")
    if _SHELX.match(line):
        return (
            "a SHELX list of h k l, F^2 (HKLF 4) or F (HKLF 3), and sigma, which tells neither "
            "cell nor symmetry: 'cupysim convert FILE P1.hkl --shelx 4 --cell A B C AL BE GA "
            "--group NAME' makes a list for -hkl"
        )
    return None


def read(path: os.PathLike[str] | str, data: bytes) -> ReflectionTable:
    """Read a list of intensities.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    data : bytes
        Its content, unpacked; see `kind_of`.

    Returns
    -------
    ReflectionTable
        Columns I and SIGI, or those of Friedel mates.

    Raises
    ------
    FileFormatError
        If a line is not as it must be.
    """
    readers: dict[str | None, Callable[[object, list[str]], ReflectionTable]] = {
        "xds": _read_xds,
        "crystfel": _read_crystfel,
        "scalepack": _read_scalepack,
    }
    return readers[kind_of(data[:4096])](path, data.decode("latin-1").splitlines())


def read_shelx(
    path: os.PathLike[str] | str, data: bytes, intensities: bool, cell: Cell, group: str
) -> ReflectionTable:
    """Read a SHELX list, of which others know cell and symmetry.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    data : bytes
        Its content, unpacked.
    intensities : bool
        The list holds F^2 (HKLF 4), not F (HKLF 3).
    cell : tuple of 6 float
        a, b, c (Angstrom), alpha, beta, gamma (degrees).
    group : str
        Hermann-Mauguin symbol.

    Returns
    -------
    ReflectionTable
        Columns I and SIGI, or F and SIGF; lines after 0 0 0 are no reflections.

    Raises
    ------
    FileFormatError
        If a line is not as it must be, or there is no such group.
    """
    symmetry = named(group, cell)
    if symmetry is None:
        raise FileFormatError(path, f"unknown space group {group!r}")
    rows = []
    for number, line in enumerate(data.decode("latin-1").splitlines(), 1):
        if not line.strip():
            continue
        row = _fixed(path, line, number, (4, 4, 4, 8, 8))
        for place, begin in ((3, 12), (4, 20)):
            if "." not in line[begin : begin + 8]:
                # a Fortran format with two decimals
                row[place] /= 100.0
        if row[:3] == [0.0, 0.0, 0.0]:
            break
        rows.append(row)
    names = ("I", "SIGI") if intensities else ("F", "SIGF")
    quantity = Quantity.INTENSITY if intensities else Quantity.AMPLITUDE
    kinds = (quantity, Quantity.DEVIATION)
    return _table(path, "SHELX list", rows, names, kinds, cell, symmetry)


def _table(
    path: object,
    kind: str,
    rows: Sequence[Sequence[float]],
    labels: Sequence[str],
    quantities: Sequence[Quantity],
    cell: Cell | None,
    symmetry: Symmetry,
    wavelength: float | None = None,
    remarks: tuple[str, ...] = (),
) -> ReflectionTable:
    if not rows:
        raise FileFormatError(path, f"the {kind} has no reflections")
    numbers = np.array(rows, dtype=np.float64)
    columns = tuple(
        Column(label, quantity, values, of_one_mate=len(labels) > 2)
        for label, quantity, values in zip(labels, quantities, numbers[:, 3:].T, strict=True)
    )
    return ReflectionTable(
        kind, "", miller_indices(path, numbers[:, :3]), columns, cell, symmetry, wavelength,
        remarks=remarks,
    )  # fmt: skip


def _numbers(path: object, line: str, number: int, least: int) -> list[float]:
    """Numbers with blanks between."""
    try:
        row = [float(word) for word in line.split()]
    except ValueError as error:
        raise FileFormatError(path, f"no numbers: {line[:60]!r}", number) from error
    if len(row) < least:
        raise FileFormatError(path, f"{len(row)} numbers, {least} are expected", number)
    return row


def _fixed(path: object, line: str, number: int, widths: Sequence[int]) -> list[float]:
    """Numbers in columns of fixed widths; those at the end may be missing."""
    row: list[float] = []
    at = 0
    for width in widths:
        text = line[at : at + width].strip()
        at += width
        if len(row) > 2 and (not text or set(text) == {"*"}):
            # stars stand for a number which is too wide
            row.append(np.nan)
            continue
        try:
            row.append(float(text))
        except ValueError as error:
            raise FileFormatError(
                path, f"no number in columns {at - width + 1} to {at}: {line[:60]!r}", number
            ) from error
    return row


def _read_xds(path: object, lines: list[str]) -> ReflectionTable:
    header: dict[str, str] = {}
    rows, rejected = [], 0
    for number, line in enumerate(lines, 1):
        if line.startswith("!"):
            fields = dict(_XDS_FIELD.findall(line[1:]))
            if "ISET" in fields:
                # of one of several datasets, whose mean cell stands elsewhere
                fields = {"X-RAY_WAVELENGTH": fields.get("X-RAY_WAVELENGTH", "0"), **header}
            header.update(fields)
            continue
        if not line.strip():
            continue
        row = _numbers(path, line, number, 5)
        places = _xds_places(path, header)
        if max(places) >= len(row):
            raise FileFormatError(path, f"{len(row)} numbers, but its header names more", number)
        row = [row[place] for place in places]
        if row[4] < 0.0:
            rejected += 1
            continue
        rows.append(row)
    gemmi = require("gemmi", "reading XDS_ASCII files")
    try:
        cell = tuple(float(word) for word in header["UNIT_CELL_CONSTANTS"].split())
        group = gemmi.find_spacegroup_by_number(int(header["SPACE_GROUP_NUMBER"]))
        wave = float(header.get("X-RAY_WAVELENGTH", "0").split()[0])
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise FileFormatError(
            path, "its header has no possible unit cell or space group number"
        ) from error
    if len(cell) != 6 or group is None:
        raise FileFormatError(path, "its header has an impossible cell or space group number")
    if group.hm.startswith("R ") and abs(cell[5] - 120.0) > 1.0:
        group = gemmi.find_spacegroup_by_name(group.hm, cell[3], cell[5])
    remarks = (f"{rejected} misfits (negative sigma) are left out",) if rejected else ()
    return _table(
        path, "XDS_ASCII file", rows, ("I", "SIGI"), (Quantity.INTENSITY, Quantity.DEVIATION),
        cell, of_group(group), wave * ANGSTROM if 0.0 < wave < LONGEST_WAVE else None, remarks,
    )  # fmt: skip


def _xds_places(path: object, header: dict[str, str]) -> list[int]:
    """In which columns h, k, l, I and sigma are, from 0."""
    words = [header.get(f"ITEM_{name}", str(at)) for name, at in _XDS_ITEMS]
    if not all(word.isdecimal() and 0 < int(word) < LARGEST_ITEM for word in words):
        raise FileFormatError(path, f"impossible columns in its header: {' '.join(words)[:60]}")
    return [int(word) - 1 for word in words]


def _read_crystfel(path: object, lines: list[str]) -> ReflectionTable:
    point_group, rows, inside = "", [], False
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if line.startswith("Symmetry:"):
            point_group = words[1] if len(words) > 1 else ""
        elif words[:3] == ["h", "k", "l"]:
            inside = True
        elif line.startswith("End of reflections"):
            break
        elif inside and words:
            row = [word for column, word in enumerate(words) if column != 4]
            rows.append(_numbers(path, " ".join(row), number, 5)[:5])
    else:
        raise FileFormatError(path, "the CrystFEL list is cut off: it has no 'End of reflections'")
    return _table(
        path, "CrystFEL list", rows, ("I", "SIGI"), (Quantity.INTENSITY, Quantity.DEVIATION),
        None, point_group_symmetry(path, point_group),
    )  # fmt: skip


def point_group_symmetry(path: object, name: str) -> Symmetry:
    """The rotations of a point group as CrystFEL names it.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    name : str
        Such as ``4/mmm``, or ``2/m_uab`` for a unique axis b.

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
    """An operator with another unique axis in place of c, or with c in place of it."""
    there, from_there = (gemmi.Op(text) for text in AXES[axis])  # type: ignore[attr-defined]
    return from_there * op * there if back else there * op * from_there


def _read_scalepack(path: object, lines: list[str]) -> ReflectionTable:
    head = lines[2]
    try:
        cell = tuple(float(head[at : at + 10]) for at in range(0, 60, 10))
    except ValueError as error:
        raise FileFormatError(path, f"no unit cell: {head[:70]!r}", 3) from error
    name = head[60:].strip()
    symmetry = named(_spaced(name), cell)
    if symmetry is None:
        raise FileFormatError(path, f"unknown space group {name!r}", 3)
    rows = [
        _fixed(path, line, number, (4, 4, 4, 8, 8, 8, 8))
        for number, line in enumerate(lines[3:], 4)
        if line.strip()
    ]
    for row in rows:
        for place in (3, 5):
            if row[place + 1] < 0.0:
                # a sigma of -1 marks a mate which was not measured
                row[place] = np.nan
    has_mates = bool(rows) and np.isfinite([row[5] for row in rows]).any()
    labels = ("I(+)", "SIGI(+)", "I(-)", "SIGI(-)") if has_mates else ("I", "SIGI")
    kinds = (Quantity.INTENSITY, Quantity.DEVIATION) * (2 if has_mates else 1)
    rows = [row if has_mates else row[:5] for row in rows]
    return _table(path, "Scalepack file", rows, labels, kinds, cell, symmetry)  # type: ignore[arg-type]


def _spaced(name: str) -> str:
    """A space group's symbol with a capital letter, as Scalepack does not write it."""
    return name[:1].upper() + name[1:]
