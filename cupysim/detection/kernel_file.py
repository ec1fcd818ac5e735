"""Kernels of point spreads, from response files and from files that these name."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.storage.toml_document import Section


def read_kernel(table: Section, folder: str | None) -> np.ndarray:
    """Read a kernel from the table itself, from a NumPy file or from lines of numbers.

    Parameters
    ----------
    table : Section
        The table of the point spread.
    folder : str, optional
        Folder that names of files are relative to; by default the working directory.

    Returns
    -------
    ndarray
        The kernel, unchecked.

    Raises
    ------
    FileFormatError
        If there is no table of numbers.
    """
    if isinstance(table.data.get("kernel"), list):
        try:
            return np.array(table.take("kernel"), dtype=np.float64)
        except (TypeError, ValueError):
            table.fail("kernel", "expected rows of numbers, all of the same length")
    path = Path(folder or "", table.text("kernel"))
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty table is an error below
            return np.loadtxt(path, ndmin=2)
    except OSError as error:
        raise FileFormatError(path, error.strerror or "cannot be read") from error
    except (EOFError, ValueError) as error:
        problem = str(error).splitlines()[0] if str(error) else "it is damaged"
        raise FileFormatError(path, f"no table of numbers: {problem}") from error
