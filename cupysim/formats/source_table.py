"""Reader of source tables: a line ``x y z weight wavelength`` for each source."""

from __future__ import annotations

import os

import numpy as np

from cupysim.formats.text_numbers import read_columns


def read(path: os.PathLike[str] | str) -> np.ndarray:
    """Read a source table.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    ndarray, shape (n, 5)
        Position relative to the sample (m), weight, wavelength (m). Numbers that a line lacks are
        NaN.

    Raises
    ------
    FileFormatError
        If it is not a table of numbers.
    """
    return read_columns(path, 5)
