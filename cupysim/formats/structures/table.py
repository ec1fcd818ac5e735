"""Reflections as a file lists them, before they are merged and expanded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.symmetry import Symmetry

LONGEST_WAVE = 1e6
"""Longest possible wavelength (Angstrom)."""

LARGEST_INDEX = 10**5
"""Largest possible Miller index."""

Cell = tuple[float, float, float, float, float, float]
"""a, b, c (Angstrom), alpha, beta, gamma (degrees)."""


class Quantity(Enum):
    """Physical quantity of the numbers in a column."""

    AMPLITUDE = "amplitudes"
    INTENSITY = "intensities"
    DIFFERENCE = "anomalous differences"
    DEVIATION = "standard deviations"
    UNTYPED = "numbers of no declared kind"
    OTHER = "other numbers"


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a reflection table.

    Parameters
    ----------
    label : str
        Name of the column in the file.
    quantity : Quantity
        Quantity that the column holds.
    values : ndarray of float64, shape (n,)
        Numbers of the column; NaN if a value is missing.
    kind : str
        Type of the column in the file, for messages.
    of_one_mate : bool
        The file declares that the column holds one of the two Friedel mates.
    other_names : tuple of str
        Further names that a user may give.
    dataset : str
        Name of the column's dataset, if the file has several.
    cell, wavelength : optional
        Unit cell and wavelength (m) of the dataset.
    """

    label: str
    quantity: Quantity
    values: np.ndarray
    kind: str = ""
    of_one_mate: bool = False
    other_names: tuple[str, ...] = ()
    dataset: str = ""
    cell: Cell | None = None
    wavelength: float | None = None

    def is_called(self, name: str) -> bool:
        """Whether a name means this column. A prefix ``DATASET/`` is allowed."""
        names = (self.label, *self.other_names)
        return name in names or any(name == f"{self.dataset}/{each}" for each in names)


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Table of reflections in a file.

    Parameters
    ----------
    kind : str
        Kind of the file, for messages.
    block : str
        Name of the block, if the file has blocks.
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    columns : tuple of Column
        All columns except the indices.
    cell : tuple of 6 float, optional
        Unit cell: a, b, c (Angstrom), alpha, beta, gamma (degrees).
    symmetry : Symmetry, optional
        Space group.
    wavelength : float, optional
        Wavelength (m).
    unclear_wavelength : str
        Statement of the file about its wavelength, if it does not give exactly one.
    is_minus : ndarray of bool, shape (n,), optional
        Rows of unmerged data that have the indices of the Friedel mate.
    refused : str
        Reason why the data cannot be used; empty if they can.
    mates_are_equal : bool
        The file declares that Friedel mates are the same reflection.
    remarks : tuple of str
        Notes on what the reader did.
    warnings : tuple of str
        Warnings for the user.
    """

    kind: str
    block: str
    hkl: np.ndarray
    columns: tuple[Column, ...]
    cell: Cell | None = None
    symmetry: Symmetry | None = None
    wavelength: float | None = None
    unclear_wavelength: str = ""
    is_minus: np.ndarray | None = None
    refused: str = ""
    mates_are_equal: bool = False
    remarks: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())

    def rows(self, chosen: np.ndarray) -> ReflectionTable:
        """The table with some of its rows.

        Parameters
        ----------
        chosen : ndarray of bool, shape (n,)
            Rows to keep.
        """
        return replace(
            self,
            hkl=self.hkl[chosen],
            columns=tuple(replace(each, values=each.values[chosen]) for each in self.columns),
            is_minus=None if self.is_minus is None else self.is_minus[chosen],
        )


def miller_indices(path: object, numbers: np.ndarray) -> np.ndarray:
    """Convert numbers of a file to Miller indices.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    numbers : ndarray of float64, shape (n, 3)
        Numbers as they were read.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Miller indices.

    Raises
    ------
    FileFormatError
        If they are not integers, or are too large. The message gives the row.
    """
    with np.errstate(invalid="ignore"):
        wrong = ~((numbers == np.rint(numbers)) & (np.abs(numbers) <= LARGEST_INDEX)).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        shown = " ".join(f"{number:g}" for number in numbers[row])
        raise FileFormatError(path, f"reflection {row + 1} has impossible Miller indices: {shown}")
    return numbers.astype(np.int64)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names separated by commas. Only the first `most` are shown."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
