"""Readers of numbers in text files: tables and matrices."""

from __future__ import annotations

import os
import re

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.other_files import HEAD, kind_of_other
from cupysim.storage.reading import opened

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""Pattern of a decimal number that the C library reads."""

LARGEST_FILE = 2**28
"""Largest size of a text file (bytes)."""

_SEPARATORS = re.compile(r"[\s,;:!]+")


def plain_number(text: str) -> float:
    """Convert text to a number. Unlike `float`, it rejects underscores and digits beyond ASCII.

    Parameters
    ----------
    text : str
        Text of the number, also "nan" or "inf".

    Raises
    ------
    ValueError
        If it is not a number.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"not a number: {text[:40]!a}")
    return float(text)


def lines_of(data: bytes) -> list[str]:
    """Lines of a text without line ends. Bytes beyond ASCII become Latin-1 characters.

    Parameters
    ----------
    data : bytes
        Text with any line ends (Unix, Windows, old Macintosh).
    """
    # str.splitlines would also split at bytes beyond ASCII, such as 0x85
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("latin-1").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def read_text(path: os.PathLike[str] | str) -> str:
    """Read a text file.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    str
        Text of the file.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is binary, or is too large for a table.
    """
    with opened(path) as stream:
        data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise FileFormatError(path, f"larger than {LARGEST_FILE >> 20} MiB")
    if b"\0" in data:
        raise FileFormatError(path, kind_of_other(data[:HEAD]) or "a binary file, not a text")
    return data.decode("utf-8-sig", errors="replace")


def read_columns(path: os.PathLike[str] | str, n_columns: int) -> np.ndarray:
    """Read a table of numbers with up to `n_columns` columns.

    Parameters
    ----------
    path : path_like
        File to read. Blanks and ``, ; : !`` separate numbers. Blank lines and lines that start with
        ``#`` are skipped (quirk Q31).
    n_columns : int
        Largest number of columns; further ones are an error.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_columns)
        Numbers of the table; NaN if a line has fewer columns.

    Raises
    ------
    FileFormatError
        If a field is not a finite number, a line has too many fields, or there are no lines.
    """
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        fields = [field for field in _SEPARATORS.split(line) if field]
        if not fields:
            continue
        if len(fields) > n_columns:
            raise FileFormatError(path, f"more than {n_columns} numbers", number)
        values = []
        for field in fields:
            if not NUMBER.fullmatch(field) or not np.isfinite(float(field)):
                raise FileFormatError(path, f"not a number: {field[:40]!a}", number)
            values.append(float(field))
        rows.append(values + [np.nan] * (n_columns - len(values)))
    if not rows:
        raise FileFormatError(path, "it has no numbers; lines of numbers are expected")
    return np.array(rows)
