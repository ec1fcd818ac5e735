"""Merged Scalepack files."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.list_lines import fixed_numbers, list_table, too_wide
from cupysim.formats.structures.symmetry import named
from cupysim.formats.structures.table import Quantity, ReflectionTable
from cupysim.formats.text_numbers import plain_number

HEAD = re.compile(rb"\A {4}1[ \t]*\r?\n *-?\d+[^\n]*\r?\n( *[\d.]+){6} +[a-z]\S*", re.IGNORECASE)
"""Beginning of a merged file: a 1, the number of the last run, cell and space group."""

VALUES = ((12, 20), (28, 36))
"""Characters of a line with the intensities of both mates."""

WHOLE = {28, 44}
"""Lengths (characters) of lines with one mate and with both mates."""


def read(path: object, lines: list[str]) -> ReflectionTable:
    """Read the lines of a merged Scalepack file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    lines : list of str
        Lines of the file.

    Returns
    -------
    ReflectionTable
        Reflections with the columns I and SIGI, or with those of both Friedel mates.

    Raises
    ------
    FileFormatError
        If a line does not follow the format, or the last one is cut off.
    """
    head = lines[2]
    try:
        cell = tuple(plain_number(head[at : at + 10]) for at in range(0, 60, 10))
    except ValueError as error:
        raise FileFormatError(path, f"no unit cell: {head[:70]!r}", 3) from error
    name = head[60:].strip()
    symmetry = named(_spaced(name), cell)
    if symmetry is None:
        raise FileFormatError(path, f"unknown space group {name!r}", 3)
    rows = [
        fixed_numbers(path, line, number, (4, 4, 4, 8, 8, 8, 8))
        for number, line in enumerate(lines[3:], 4)
        if line.strip()
    ]
    lengths = [len(line.rstrip()) for line in lines[3:] if line.strip()]
    if len(lengths) > 1 and set(lengths[:-1]) <= WHOLE and lengths[-1] not in WHOLE:
        last = max(number for number, line in enumerate(lines, 1) if line.strip())
        raise FileFormatError(path, "the file is cut off: its last line is shorter", last)
    for row in rows:
        for place in (3, 5):
            if row[place + 1] < 0.0:
                # a sigma of -1 marks a mate that was not measured
                row[place] = np.nan
    has_mates = bool(rows) and np.isfinite([row[5] for row in rows]).any()
    labels = ("I(+)", "SIGI(+)", "I(-)", "SIGI(-)") if has_mates else ("I", "SIGI")
    kinds = (Quantity.INTENSITY, Quantity.DEVIATION) * (2 if has_mates else 1)
    rows = [row if has_mates else row[:5] for row in rows]
    table = list_table(path, "Scalepack file", rows, labels, kinds, cell, symmetry)  # type: ignore[arg-type]
    return replace(table, warnings=tuple(too_wide(enumerate(lines[3:], 4), VALUES)))


def _spaced(name: str) -> str:
    """A space group's symbol with a capital first letter. Scalepack writes lower case."""
    return name[:1].upper() + name[1:]
