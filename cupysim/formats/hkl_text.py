"""Reader of structure factors as text: a line ``h k l F`` for each reflection."""

from __future__ import annotations

import codecs
import os
import re
import warnings

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.index_lists import first_repeated
from cupysim.formats.structures.intensity_lists import looks_like
from cupysim.formats.text_numbers import NUMBER
from cupysim.native import tools
from cupysim.storage.reading import content, opened

LARGEST_INDEX = 10**6
"""Largest possible Miller index (quirk Q47)."""

LARGEST_FILE = 2**29
"""Largest size of a file (bytes): about 20 million reflections."""

_INTEGER = re.compile(rb"[+-]?\d{1,18}")
_NUMBER = re.compile(NUMBER.pattern.encode())
_BLANKS = b" \t\r\v\f"


def read(path: os.PathLike[str] | str) -> tuple[np.ndarray, np.ndarray]:
    """Read a list of structure factors.

    Parameters
    ----------
    path : path_like
        File to read. Blank lines and lines that start with ``#`` are skipped.

    Returns
    -------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices in the order of the file.
    values : ndarray of float64, shape (n,)
        Amplitudes (electrons).

    Raises
    ------
    FileFormatError
        If the file cannot be read, a line is not three integers and a number, or there is no
        reflection (quirk Q30).
    """
    if os.path.isfile(path):
        data = content(path)
    else:
        # a pipe can be read only once
        with opened(path) as stream:
            data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise FileFormatError(path, f"larger than {LARGEST_FILE >> 20} MiB")
    data = data.removeprefix(codecs.BOM_UTF8)
    found = tools.read_reflections(data, LARGEST_INDEX) if tools.available() else None
    if found is None:
        numbers = _read_plain(data)
        if numbers is None:
            numbers = _read_line_by_line(path, data)
        found = numbers[:, :3].astype(np.int64), numbers[:, 3].copy()
    if len(found[1]) == 0:
        raise FileFormatError(path, "no reflections; lines of h k l F are expected")
    return found


def read_with_warning(path: os.PathLike[str] | str) -> tuple[np.ndarray, np.ndarray]:
    """Read a list of structure factors, and warn of reflections that it repeats.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    values : ndarray, shape (n,)
        Amplitudes (electrons).

    Raises
    ------
    FileFormatError
        If the file does not consist of such lines.
    """
    hkl, values = read(path)
    repeated = first_repeated(hkl)
    if repeated is not None:
        count, index = repeated
        warnings.warn(
            CupysimWarning(
                f"{path}: {count} lines repeat a reflection, such as "
                f"{' '.join(map(str, index))}; the last line of each reflection is used"
            ),
            stacklevel=2,
        )
    return hkl, values


def _read_plain(data: bytes) -> np.ndarray | None:
    """All numbers, converted at once; None if anything in the file is unusual.

    Counting bytes shows that each line has four numbers and that the first three are integers.
    """
    text = np.frombuffer(data, dtype=np.uint8)
    if len(text) == 0 or (text > ord("e")).any() or (text == ord("#")).any():
        return None
    blank = (text == ord(" ")) | ((text >= ord("\t")) & (text <= ord("\r")))
    starts = ~blank
    starts[1:] &= blank[:-1]
    number_of = np.cumsum(starts, dtype=np.int32)
    ends = np.append(number_of[text == ord("\n")], number_of[-1])
    in_line = np.diff(ends, prepend=0)
    if not ((in_line == 0) | (in_line == 4)).all():
        return None
    fraction = (text == ord(".")) | (text == ord("e")) | (text == ord("E"))
    if ((number_of[fraction] - 1) % 4 != 3).any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(data.decode("ascii"), dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
    if len(values) != number_of[-1] or not np.isfinite(values).all():
        return None
    values = values.reshape(-1, 4)
    return values if np.abs(values[:, :3]).max(initial=0.0) <= LARGEST_INDEX else None


def _read_line_by_line(path: os.PathLike[str] | str, data: bytes) -> np.ndarray:
    """All numbers, converted slowly line by line, so that errors name the line."""
    rows = []
    for number, line in enumerate(data.split(b"\n"), 1):
        fields = line.strip(_BLANKS).split()
        if not fields or fields[0].startswith(b"#"):
            continue
        if len(fields) != 4:
            told = f"expected h k l F, got {len(fields)} fields{_hint(data)}"
            raise FileFormatError(path, told, number)
        for name, field in zip("hkl", fields[:3], strict=True):
            if re.fullmatch(rb"[+-]?\d{19,}", field):
                raise FileFormatError(path, f"{name} is out of range: {_shown(field)}", number)
            if not _INTEGER.fullmatch(field):
                told = f"{name} is not an integer: {_shown(field)}{_hint(data)}"
                raise FileFormatError(path, told, number)
            if abs(int(field)) > LARGEST_INDEX:
                raise FileFormatError(path, f"{name} is out of range: {_shown(field)}", number)
        if not _NUMBER.fullmatch(fields[3]) or not np.isfinite(float(fields[3])):
            raise FileFormatError(path, f"F is not a number: {_shown(fields[3])}", number)
        rows.append([float(field) for field in fields])
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _hint(data: bytes) -> str:
    known = looks_like(data)
    return "" if known is None else f"; it looks like {known}"


def _shown(field: bytes) -> str:
    return ascii(field[:40].decode("latin-1"))
