"""Reader of tables with a number for each shot: CSV, or one-dimensional data sets of HDF5."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.nexus.reader import hdf5_file, is_hdf5
from cupysim.formats.text_numbers import plain_number
from cupysim.storage.reading import opened


def read_table(path: str) -> dict[str, np.ndarray]:
    """Read a table of parameters.

    Parameters
    ----------
    path : str
        File to read: CSV with a line of names, or HDF5.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_rows,)
        Columns by name.

    Raises
    ------
    FileFormatError
        If the file is neither, or a value is not a finite number.
    """
    columns = _from_hdf5(path) if is_hdf5(path) else _from_csv(path)
    if not columns or not min(map(len, columns.values())):
        raise FileFormatError(path, "a table without numbers")
    for name, column in columns.items():
        if not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise FileFormatError(path, f"column {name}, row {row}: {column[row]} is not finite")
    return columns


def _from_hdf5(path: str) -> dict[str, np.ndarray]:
    with hdf5_file(path) as file:
        return {
            name: item[()].astype(np.float64)
            for name, item in file.items()
            if getattr(item, "ndim", 0) == 1 and item.dtype.kind in "iuf"
        }


def _rows(path: str, rows: Any) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise FileFormatError(path, f"no CSV: {error}", rows.line_num) from error


def _from_csv(path: str) -> dict[str, np.ndarray]:
    with opened(path) as stream:
        try:
            # spreadsheets write a byte order mark at the beginning
            text = stream.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FileFormatError(path, "neither CSV nor HDF5") from error
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip() for name in next(_rows(path, rows), [])]
    if not all(names) or len(set(names)) != len(names):
        raise FileFormatError(path, "expected names of columns, each once", 1)
    columns: list[list[float]] = [[] for _ in names]
    for row in _rows(path, rows):
        if not row:
            continue
        if len(row) != len(names):
            problem = f"{len(row)} numbers where {len(names)} are expected"
            raise FileFormatError(path, problem, rows.line_num)
        for column, word in zip(columns, row, strict=True):
            try:
                column.append(plain_number(word))
            except ValueError as error:
                raise FileFormatError(path, f"{word!r} is not a number", rows.line_num) from error
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}
