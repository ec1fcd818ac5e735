"""Structure factors as lists: text with h k l F, resolution bins, MTZ files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimError
from cupysim.formats.optional import require
from cupysim.formats.structures.structure import Structure

UNKNOWN = -1.0
"""Default amplitude which marks reflections without one, since amplitudes are not negative."""


@dataclass(frozen=True, eq=False)
class ReflectionList:
    """Reflections of P1, Friedel mates included, sorted by h, k, l.

    Parameters
    ----------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    amplitudes : ndarray, shape (n,)
        F (electrons).
    """

    hkl: np.ndarray
    amplitudes: np.ndarray


def reflections_of(structure: Structure) -> ReflectionList:
    """The reflections which have an amplitude.

    Parameters
    ----------
    structure : Structure
        Read with the default amplitude `UNKNOWN`.
    """
    table = structure.factors.table
    assert table is not None
    known = table != UNKNOWN
    hkl = np.argwhere(known) + np.array(structure.factors.first)
    return ReflectionList(hkl, table[known])


def write_text(stream: BinaryIO, reflections: ReflectionList) -> None:
    """Write lines of h k l F, as nanoBragg reads them.

    Parameters
    ----------
    stream : binary stream
        Where to.
    reflections : ReflectionList
        What.
    """
    rows = np.column_stack([reflections.hkl, reflections.amplitudes])
    np.savetxt(stream, rows, fmt="%4d %4d %4d %.9g")


def resolution_bins(
    structure: Structure, reflections: ReflectionList, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square amplitudes in bins of sin(theta)/lambda.

    Parameters
    ----------
    structure : Structure
        It has the cell and the space group.
    reflections : ReflectionList
        Its reflections.
    width : float
        Width of a bin (1/Angstrom).

    Returns
    -------
    stol : ndarray, shape (n,)
        Middles of the bins which are not empty (1/Angstrom), ascending.
    amplitudes : ndarray, shape (n,)
        sqrt(<F^2>) of the reflections of the asymmetric unit, of which each counts once, whatever
        its multiplicity, as in nanoBragg's mtz_to_stol.com.

    Raises
    ------
    CupysimError
        If there is no cell.
    """
    chosen = _of_asymmetric_unit(structure, reflections)
    stol = np.sqrt(inverse_d2(structure, reflections.hkl[chosen])) / 2.0
    bins = np.floor(stol / width + 0.5).astype(np.int64)
    numbers, places = np.unique(bins, return_inverse=True)
    squares = np.bincount(places, weights=reflections.amplitudes[chosen] ** 2)
    return numbers * width, np.sqrt(squares / np.bincount(places))


def write_bins(stream: BinaryIO, stol: np.ndarray, amplitudes: np.ndarray) -> None:
    """Write lines of sin(theta)/lambda and F, as nonBragg reads them by -stol."""
    np.savetxt(stream, np.column_stack([stol, amplitudes]), fmt="%.9g %.9g")


def write_mtz(stream: BinaryIO, structure: Structure, reflections: ReflectionList) -> str:
    """Write an MTZ file.

    Parameters
    ----------
    stream : binary stream
        Where to.
    structure : Structure
        It has cell, space group and wavelength.
    reflections : ReflectionList
        Its reflections.

    Returns
    -------
    str
        The columns: F, or F(+) and F(-) where Friedel mates differ.

    Raises
    ------
    CupysimError
        If there is no cell, or gemmi is not installed.
    """
    gemmi = require("gemmi", "writing MTZ files")
    chosen = _of_asymmetric_unit(structure, reflections)
    hkl, plus = reflections.hkl[chosen], reflections.amplitudes[chosen]
    minus = structure.factors.table[tuple((-hkl - structure.factors.first).T)]  # type: ignore[index]
    differ = bool((np.abs(plus - minus) > 1e-6 * np.maximum(plus, minus)).any())
    mtz = gemmi.Mtz(with_base=True)
    mtz.title = "structure factors from cupysim convert"
    group = None if structure.symmetry is None else structure.symmetry.group
    mtz.spacegroup = group or gemmi.SpaceGroup("P 1")
    mtz.set_cell_for_all(gemmi.UnitCell(*_cell(structure)))
    mtz.add_dataset("cupysim").wavelength = (structure.wavelength or 0.0) / ANGSTROM
    columns = {"F(+)": plus, "F(-)": minus} if differ else {"F": plus}
    for label in columns:
        mtz.add_column(label, "G" if differ else "F")
    mtz.set_data(np.column_stack([hkl, *columns.values()]).astype(np.float32))
    mtz.update_reso()
    with tempfile.TemporaryDirectory() as folder:
        # gemmi writes to names, not to streams
        path = Path(folder) / "new.mtz"
        mtz.write_to_file(str(path))
        stream.write(path.read_bytes())
    return " ".join(columns)


def _of_asymmetric_unit(structure: Structure, reflections: ReflectionList) -> np.ndarray:
    """Which reflections are in the asymmetric unit of the Laue group."""
    gemmi = require("gemmi", "the asymmetric unit")
    symmetry = structure.symmetry
    if symmetry is not None and symmetry.group is not None:
        asu = gemmi.ReciprocalAsu(symmetry.group)
        return np.array([asu.is_in(index) for index in reflections.hkl.tolist()], dtype=bool)
    hkl = reflections.hkl
    if symmetry is None:
        # one of h k l and -h -k -l
        h, k, l = hkl.T
        return np.asarray((l > 0) | ((l == 0) & ((k > 0) | ((k == 0) & (h >= 0)))))
    codes = np.maximum(symmetry.representatives(hkl), symmetry.representatives(-hkl))
    chosen = np.zeros(len(hkl), dtype=bool)
    chosen[np.unique(codes, return_index=True)[1]] = True
    return chosen


def _cell(structure: Structure) -> tuple[float, ...]:
    """Edges (Angstrom) and angles (degrees)."""
    if structure.cell is None:
        raise CupysimError("the unit cell is not in the file: give it by --cell")
    angles = (angle * DEGREES_PER_RADIAN for angle in structure.cell.angles)
    return (*structure.cell.lengths_angstrom, *angles)


def inverse_d2(structure: Structure, hkl: np.ndarray) -> np.ndarray:
    """1/d^2 of reflections (1/Angstrom^2).

    Parameters
    ----------
    structure : Structure
        It has the cell.
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.

    Raises
    ------
    CupysimError
        If there is no cell.
    """
    gemmi = require("gemmi", "resolutions")
    cell = gemmi.UnitCell(*_cell(structure))
    return np.asarray(cell.calculate_1_d2_array(np.ascontiguousarray(hkl, dtype=np.int32)))
