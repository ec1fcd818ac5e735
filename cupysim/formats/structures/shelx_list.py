"""SHELX lists of h k l, F or F^2, and sigma."""

from __future__ import annotations

import os

from cupysim.errors import FileFormatError
from cupysim.formats.structures.list_lines import fixed_numbers, list_table
from cupysim.formats.structures.symmetry import named
from cupysim.formats.structures.table import Cell, Quantity, ReflectionTable


def read(
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
        Columns I and SIGI, or F and SIGF; lines after 0 0 0 are not reflections.

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
        row = fixed_numbers(path, line, number, (4, 4, 4, 8, 8))
        if line[28:32].strip().startswith("-"):
            reason = "a negative batch number: overlapped reflections of a twin (HKLF 5)"
            raise FileFormatError(path, reason, number)
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
    return list_table(path, "SHELX list", rows, names, kinds, cell, symmetry)
