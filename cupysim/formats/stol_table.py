"""Reader of tables of the scattering of amorphous materials: ``sin(theta)/lambda F``."""

from __future__ import annotations

import os
import re

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.text_numbers import NUMBER, read_columns, read_text

SEPARATORS = re.compile("[ \t,;:!]+")
"""What separates the numbers of a line."""


def read(path: os.PathLike[str] | str) -> np.ndarray:
    """Read a table of an amorphous material.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    ndarray, shape (n, 2)
        sin(theta)/lambda in the unit of the file, and F (electrons). The C program reads such
        tables but does not use them.

    Raises
    ------
    FileFormatError
        If it is not a table of numbers.
    """
    return read_columns(path, 2)


def read_as_nonbragg(
    path: os.PathLike[str] | str, skips_words: bool = False
) -> tuple[np.ndarray, int]:
    """Read a table of an amorphous material as the C program nonBragg does.

    Parameters
    ----------
    path : path_like
        File to read. Blanks, tabs and ``, ; : !`` separate numbers. Further columns are ignored. A
        word that is no number counts as 0, so that a comment is a point.
    skips_words : bool, optional
        Skip lines with a word in place of a number.

    Returns
    -------
    table : ndarray, shape (n, 2)
        sin(theta)/lambda in the unit of the file, and F (electrons). An F that a line lacks is
        NaN, but 0 if the line has no line end of Unix.
    n_words : int
        Number of lines with a word in place of a number.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or has no numbers.
    """
    rows, n_words = [], 0
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines, 1):
        fields = [field for field in SEPARATORS.split(line) if field][:2]
        if not fields:
            continue
        matches = [NUMBER.match(field) for field in fields]
        if None in matches:
            n_words += 1
            if skips_words:
                continue
        values = [0.0 if match is None else float(match[0]) for match in matches]
        if not np.isfinite(values).all():
            raise FileFormatError(path, "a number is too large", number)
        if len(values) < 2:
            has_end = number < len(lines) and not line.endswith("\r")
            values.append(np.nan if has_end else 0.0)
        rows.append(values)
    if len(rows) - (0 if skips_words else n_words) < 1:
        raise FileFormatError(
            path, "it has no numbers; lines of sin(theta)/lambda and F are expected"
        )
    return np.array(rows), n_words
