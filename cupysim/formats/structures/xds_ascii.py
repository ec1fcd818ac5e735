"""XDS_ASCII.HKL: intensities as XDS and XSCALE write them."""

from __future__ import annotations

import re

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.structures.list_lines import free_numbers, list_table
from cupysim.formats.structures.symmetry import of_group
from cupysim.formats.structures.table import LONGEST_WAVE, Quantity, ReflectionTable
from cupysim.optional_libraries import require

SIGNATURE = b"!FORMAT=XDS_ASCII"

_FIELD = re.compile(r"(\S[^=\s]*)\s*=\s*([^=]*?)(?=\s+\S+\s*=|\s*$)")
_ITEMS = (("H", 1), ("K", 2), ("L", 3), ("IOBS", 4), ("SIGMA(IOBS)", 5))
"""Columns of XDS_ASCII.HKL, and their places where its header names none."""

LARGEST_ITEM = 1000
"""Columns of a line at most."""


def read(path: object, lines: list[str]) -> ReflectionTable:
    """Read the lines of an XDS_ASCII file.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    lines : list of str
        Its lines.

    Returns
    -------
    ReflectionTable
        Columns I and SIGI, without misfits.

    Raises
    ------
    FileFormatError
        If a line is not as it must be.
    """
    header: dict[str, str] = {}
    rows, rejected = [], 0
    places: list[int] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("!"):
            fields = dict(_FIELD.findall(line[1:]))
            if "ISET" in fields:
                # of one of several datasets, whose mean cell stands elsewhere
                fields = {"X-RAY_WAVELENGTH": fields.get("X-RAY_WAVELENGTH", "0"), **header}
            header.update(fields)
            places = []
            continue
        if not line.strip():
            continue
        row = free_numbers(path, line, number, 5)
        places = places or _places(path, header)
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
    return list_table(
        path, "XDS_ASCII file", rows, ("I", "SIGI"), (Quantity.INTENSITY, Quantity.DEVIATION),
        cell, of_group(group), wave * ANGSTROM if 0.0 < wave < LONGEST_WAVE else None, remarks,
        mates_are_equal=header.get("FRIEDEL'S_LAW", "").upper().startswith("T"),
    )  # fmt: skip


def _places(path: object, header: dict[str, str]) -> list[int]:
    """In which columns h, k, l, I and sigma are, from 0."""
    words = [header.get(f"ITEM_{name}", str(at)) for name, at in _ITEMS]
    if not all(word.isdecimal() and 0 < int(word) < LARGEST_ITEM for word in words):
        raise FileFormatError(path, f"impossible columns in its header: {' '.join(words)[:60]}")
    return [int(word) - 1 for word in words]
