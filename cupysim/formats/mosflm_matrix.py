"""MOSFLM orientation matrices."""

from __future__ import annotations

import os

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.text_numbers import NUMBER, read_text


def read(path: os.PathLike[str] | str) -> np.ndarray:
    """Read an A matrix.

    Parameters
    ----------
    path : path_like
        The file: its first nine numbers count, what follows does not.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows x, y, z; columns a*, b*, c*, times the wavelength.

    Raises
    ------
    FileFormatError
        If the file does not start with nine finite numbers (quirk Q41).
    """
    fields = read_text(path).split()[:9]
    for field in fields:
        if not NUMBER.fullmatch(field) or not np.isfinite(float(field)):
            raise FileFormatError(path, f"not a number: {field[:40]!a}; nine are expected")
    if len(fields) < 9:
        raise FileFormatError(path, f"{len(fields)} numbers, but an A matrix has nine")
    return np.array([float(field) for field in fields]).reshape(3, 3)


def reciprocal_vectors(matrix: np.ndarray, wavelength: float) -> np.ndarray:
    """Reciprocal cell vectors from an A matrix.

    Parameters
    ----------
    matrix : ndarray, shape (3, 3)
        From `read`.
    wavelength : float
        The wavelength in use (m), whatever the matrix was made for.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).
    """
    return ANGSTROM / wavelength * matrix.T


def text(reciprocal: np.ndarray, wavelength: float) -> str:
    """An A matrix as a file's text.

    Parameters
    ----------
    reciprocal : ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).
    wavelength : float
        The wavelength (m).

    Returns
    -------
    str
        Three lines which `read` reads; no digit is lost.
    """
    matrix = wavelength / ANGSTROM * np.asarray(reciprocal).T
    return "".join(" ".join(f"{value:23.17g}" for value in row) + "\n" for row in matrix)
