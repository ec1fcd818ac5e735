"""Reflections as a file lists them, before anything is done to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.symmetry import Symmetry

LONGEST_WAVE = 1e6
"""Angstrom; longer waves are mistakes."""

LARGEST_INDEX = 10**5
"""Miller indices beyond this are not Miller indices."""

Cell = tuple[float, float, float, float, float, float]
"""a, b, c (Angstrom), alpha, beta, gamma (degrees)."""


class Quantity(Enum):
    """What the numbers of a column are."""

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
        Its name in the file.
    quantity : Quantity
        What its numbers are.
    values : ndarray of float64, shape (n,)
        The numbers; NaN where a value is missing.
    kind : str
        The type as the file names it, for messages.
    of_one_mate : bool
        The file declares that it holds one of the two Friedel mates.
    other_names : tuple of str
        Further names by which a user may call it.
    dataset : str
        Name of the dataset to which it belongs, if the file has several.
    cell, wavelength : optional
        The dataset's unit cell, and its wavelength (m).
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
        """Whether a user can mean this column by a name, perhaps with the dataset before it."""
        names = (self.label, *self.other_names)
        return name in names or any(name == f"{self.dataset}/{each}" for each in names)


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Reflections of one table of a file.

    Parameters
    ----------
    kind : str
        What kind of file it is, for people.
    block : str
        The block's name, if the file has blocks.
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    columns : tuple of Column
        All but the indices.
    cell : tuple of 6 float, optional
        The unit cell.
    symmetry : Symmetry, optional
        The space group.
    wavelength : float, optional
        Wavelength (m).
    unclear_wavelength : str
        What the file says instead, if it is not one wavelength.
    is_minus : ndarray of bool, shape (n,), optional
        Rows of unmerged data whose indices were replaced by those of the Friedel mate.
    refused : str
        Why its data cannot be taken, if the file says so.
    mates_are_equal : bool
        The file declares that Friedel mates are the same reflection.
    remarks : tuple of str
        What was done while reading.
    warnings : tuple of str
        What the user must know.
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
            Which rows stay.
        """
        return replace(
            self,
            hkl=self.hkl[chosen],
            columns=tuple(replace(each, values=each.values[chosen]) for each in self.columns),
            is_minus=None if self.is_minus is None else self.is_minus[chosen],
        )


def miller_indices(path: object, numbers: np.ndarray) -> np.ndarray:
    """Numbers of a file as Miller indices.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    numbers : ndarray of float64, shape (n, 3)
        As they were read.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        The indices.

    Raises
    ------
    FileFormatError
        If they are not whole numbers of a possible size; the message has the row.
    """
    with np.errstate(invalid="ignore"):
        wrong = ~((numbers == np.rint(numbers)) & (np.abs(numbers) <= LARGEST_INDEX)).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        shown = " ".join(f"{number:g}" for number in numbers[row])
        raise FileFormatError(path, f"reflection {row + 1} has impossible Miller indices: {shown}")
    return numbers.astype(np.int64)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names with commas between, shortened where there are many."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
