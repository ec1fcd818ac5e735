"""Lines of numbers in lists of reflections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.symmetry import Symmetry
from cupysim.formats.structures.table import (
    Cell,
    Column,
    Quantity,
    ReflectionTable,
    miller_indices,
)
from cupysim.formats.text_numbers import plain_number


def list_table(
    path: object,
    kind: str,
    rows: Sequence[Sequence[float]],
    labels: Sequence[str],
    quantities: Sequence[Quantity],
    cell: Cell | None,
    symmetry: Symmetry,
    wavelength: float | None = None,
    remarks: tuple[str, ...] = (),
    mates_are_equal: bool = False,
) -> ReflectionTable:
    """Make a reflection table from rows of numbers.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    kind : str
        Kind of the list, for messages.
    rows : sequence of sequence of float
        h, k, l, and the numbers of each column.
    labels, quantities : sequence
        Names and quantities of the columns.
    cell, symmetry, wavelength, remarks, mates_are_equal : optional
        As for `ReflectionTable`.

    Raises
    ------
    FileFormatError
        If there are no rows, or if Miller indices are impossible.
    """
    if not rows:
        raise FileFormatError(path, f"the {kind} has no reflections")
    numbers = np.array(rows, dtype=np.float64)
    columns = tuple(
        Column(label, quantity, values, of_one_mate=len(labels) > 2)
        for label, quantity, values in zip(labels, quantities, numbers[:, 3:].T, strict=True)
    )
    return ReflectionTable(
        kind, "", miller_indices(path, numbers[:, :3]), columns, cell, symmetry, wavelength,
        mates_are_equal=mates_are_equal, remarks=remarks,
    )  # fmt: skip


def free_numbers(path: object, line: str, number: int, least: int) -> list[float]:
    """Read numbers that are separated by blanks.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    line : str
        Text of the line.
    number : int
        Number of the line, for messages.
    least : int
        Smallest number of values.

    Raises
    ------
    FileFormatError
        If the line has fewer values, or other words.
    """
    try:
        row = [plain_number(word) for word in line.split()]
    except ValueError as error:
        raise FileFormatError(path, f"no numbers: {line[:60]!r}", number) from error
    if len(row) < least:
        raise FileFormatError(path, f"{len(row)} numbers, but {least} are expected", number)
    return row


def fixed_numbers(path: object, line: str, number: int, widths: Sequence[int]) -> list[float]:
    """Read numbers from columns of fixed widths.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    line : str
        Text of the line.
    number : int
        Number of the line, for messages.
    widths : sequence of int
        Widths of the columns (characters).

    Returns
    -------
    list of float
        The numbers. A column after the third that is empty or full of stars gives NaN.

    Raises
    ------
    FileFormatError
        If a column holds no number.
    """
    row: list[float] = []
    at = 0
    for width in widths:
        text = line[at : at + width].strip()
        at += width
        if len(row) > 2 and (not text or set(text) == {"*"}):
            # stars stand for a number that is too wide
            row.append(np.nan)
            continue
        try:
            row.append(plain_number(text))
        except ValueError as error:
            raise FileFormatError(
                path, f"no number in columns {at - width + 1} to {at}: {line[:60]!r}", number
            ) from error
    return row


def too_wide(lines: Iterable[tuple[int, str]], columns: Sequence[tuple[int, int]]) -> list[str]:
    """Warning about values that were too wide for their columns. Fortran writes stars then.

    Parameters
    ----------
    lines : iterable of (int, str)
        Lines with reflections, with their numbers.
    columns : sequence of (int, int)
        First and last character of the values, as for a slice. Deviations need no warning.

    Returns
    -------
    list of str
        The warning; empty if all values are numbers.
    """
    found = [
        number
        for number, line in lines
        if any(set(line[begin:end].strip()) == {"*"} for begin, end in columns)
    ]
    if not found:
        return []
    return [
        f"{len(found)} reflections, the first in line {found[0]}, have stars in place of a value "
        "that is too wide for its column: these values are the largest, but are left out; write "
        "the list again with smaller numbers"
    ]
