"""Reading numbers from text files of people: tables, matrices."""

from __future__ import annotations

import os
import re

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.storage.reading import opened

NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""A decimal number, as the C library reads it."""

LARGEST_FILE = 2**28
"""Tables beyond this many bytes are not read."""

_SEPARATORS = re.compile(r"[\s,;:!]+")


def plain_number(text: str) -> float:
    """A number as other languages write it too, without underscores, in digits of ASCII.

    Parameters
    ----------
    text : str
        Its text, which may also be "nan" or "inf".

    Raises
    ------
    ValueError
        If it is not a number.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"not a number: {text[:40]!a}")
    return float(text)


def lines_of(data: bytes) -> list[str]:
    """Lines of a text, without their ends; other alphabets stay what bytes they are.

    Parameters
    ----------
    data : bytes
        The text, perhaps with line ends of Windows or of old Macintoshes.
    """
    # str.splitlines also splits at letters of other alphabets, such as 0x85
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("latin-1").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def read_text(path: os.PathLike[str] | str) -> str:
    """Read a text file.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    FileFormatError
        If it cannot be read, is binary, or is too large for a table.
    """
    with opened(path) as stream:
        data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise FileFormatError(path, f"larger than {LARGEST_FILE >> 20} MiB")
    if b"\0" in data:
        raise FileFormatError(path, "a binary file, not a text")
    return data.decode("utf-8-sig", errors="replace")


def read_columns(path: os.PathLike[str] | str, n_columns: int) -> np.ndarray:
    """Read a table of up to so many columns.

    Parameters
    ----------
    path : path_like
        The file. Blanks and ``, ; : !`` separate numbers; blank lines and lines
        which start with ``#`` are skipped (quirk Q31).
    n_columns : int
        Number of columns; further ones are an error.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_columns)
        NaN where a line has fewer columns.

    Raises
    ------
    FileFormatError
        If a field is no finite number, a line has too many, or there is no
        line.
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
        raise FileFormatError(path, "no numbers in it")
    return np.array(rows)
