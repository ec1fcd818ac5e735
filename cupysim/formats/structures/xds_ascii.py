"""XDS_ASCII.HKL: intensities as XDS and XSCALE write them."""

from __future__ import annotations

import re
from dataclasses import replace

from cupysim.errors import FileFormatError
from cupysim.formats.structures.list_lines import free_numbers, list_table
from cupysim.formats.structures.symmetry import of_group
from cupysim.formats.structures.table import Quantity, ReflectionTable
from cupysim.formats.structures.wavelengths import one_of
from cupysim.formats.text_numbers import plain_number
from cupysim.optional_libraries import require

SIGNATURE = b"!FORMAT=XDS_ASCII"

_FIELD = re.compile(r"(\S[^=\s]*)\s*=\s*([^=]*?)(?=\s+\S+\s*=|\s*$)")
_ITEMS = (("H", 1), ("K", 2), ("L", 3), ("IOBS", 4), ("SIGMA(IOBS)", 5))
"""Columns of XDS_ASCII.HKL, and their default numbers if the header gives none."""

END = "!END_OF_DATA"
"""The line after the last reflection."""

WAVELENGTH, N_ITEMS = "X-RAY_WAVELENGTH", "NUMBER_OF_ITEMS_IN_EACH_DATA_RECORD"

DECISIVE = (
    "SPACE_GROUP_NUMBER", "UNIT_CELL_CONSTANTS", "FRIEDEL'S_LAW", N_ITEMS,
    *(f"ITEM_{name}" for name, _ in _ITEMS),
)  # fmt: skip
"""Keys that a header may have only once."""

LARGEST_ITEM = 1000
"""Largest number of columns in a line."""


def read(path: object, lines: list[str]) -> ReflectionTable:
    """Read the lines of an XDS_ASCII file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    lines : list of str
        Lines of the file.

    Returns
    -------
    ReflectionTable
        Reflections with the columns I and SIGI, without misfits.

    Raises
    ------
    FileFormatError
        If a line does not follow the format, or the file is cut off.
    """
    header: dict[str, str] = {}
    repeated: list[str] = []
    waves: list[str] = []
    rows, rejected = [], 0
    places: list[int] = []
    ended = False
    for number, line in enumerate(lines, 1):
        if line.startswith(END):
            ended = True
            continue
        if line.startswith("!"):
            fields = dict(_FIELD.findall(line[1:]))
            if WAVELENGTH in fields:
                waves.append(fields[WAVELENGTH])
            if "ISET" in fields:
                # one of several datasets: another line has their mean cell
                continue
            repeated += [
                name for name in DECISIVE if fields.get(name, header.get(name)) != header.get(name)
                and name in header
            ]  # fmt: skip
            header.update(fields)
            places = []
            continue
        if not line.strip():
            continue
        if ended:
            raise FileFormatError(path, f"a reflection after {END}", number)
        row = free_numbers(path, line, number, 5)
        places = places or _places(path, header)
        n_items = header.get(N_ITEMS, "")
        if max(places) >= len(row) or (n_items.isdecimal() and len(row) != int(n_items)):
            raise FileFormatError(
                path, f"{len(row)} numbers, but its header names {n_items or 'more'}", number
            )
        row = [row[place] for place in places]
        if row[4] < 0.0:
            rejected += 1
            continue
        rows.append(row)
    if not ended:
        raise FileFormatError(path, f"the XDS_ASCII file is cut off: it has no {END}")
    gemmi = require("gemmi", "reading XDS_ASCII files")
    try:
        cell = tuple(plain_number(word) for word in header["UNIT_CELL_CONSTANTS"].split())
        plain_number(header["SPACE_GROUP_NUMBER"])
        number = int(header["SPACE_GROUP_NUMBER"])
        # 0 means an unknown group in XDS, and P 1 in gemmi
        group = gemmi.find_spacegroup_by_number(number) if number > 0 else None
        wave = one_of([plain_number(each.split()[0]) for each in waves], "its datasets have")
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise FileFormatError(
            path, "its header has no possible unit cell or space group number"
        ) from error
    if len(cell) != 6 or group is None:
        raise FileFormatError(path, "its header has an impossible cell or space group number")
    if group.hm.startswith("R ") and abs(cell[5] - 120.0) > 1.0:
        group = gemmi.find_spacegroup_by_name(group.hm, cell[3], cell[5])
    remarks = (f"{rejected} misfits (negative sigma) are left out",) if rejected else ()
    table = list_table(
        path, "XDS_ASCII file", rows, ("I", "SIGI"), (Quantity.INTENSITY, Quantity.DEVIATION),
        cell, of_group(group), wave.value, remarks,
        mates_are_equal=header.get("FRIEDEL'S_LAW", "").upper().startswith("T"),
    )  # fmt: skip
    told = tuple(
        f"its header has two lines of {name}: the last one, {header[name]}, is used"
        for name in dict.fromkeys(repeated)
    )
    return replace(table, unclear_wavelength=wave.unclear, warnings=told)


def _places(path: object, header: dict[str, str]) -> list[int]:
    """Numbers of the columns of h, k, l, I and sigma, counted from 0."""
    words = [header.get(f"ITEM_{name}", str(at)) for name, at in _ITEMS]
    if not all(word.isdecimal() and 0 < int(word) < LARGEST_ITEM for word in words):
        raise FileFormatError(path, f"impossible columns in its header: {' '.join(words)[:60]}")
    return [int(word) - 1 for word in words]
