"""Reader of tables of the scattering of amorphous materials: ``sin(theta)/lambda F``."""

from __future__ import annotations

import os

import numpy as np

from cupysim.formats.text_numbers import read_columns


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
