"""Source tables: a line ``x y z weight wavelength`` for each source."""

from __future__ import annotations

import os

import numpy as np

from cupysim.formats.text_numbers import read_columns


def read(path: os.PathLike[str] | str) -> np.ndarray:
    """Read a source table.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    ndarray, shape (n, 5)
        Position from the sample (m), weight, wavelength (m); NaN where a line
        ends early.

    Raises
    ------
    FileFormatError
        If it is not a table of numbers.
    """
    return read_columns(path, 5)
