"""Output of structure factors as lists: text with h k l F, resolution bins, MTZ files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimError
from cupysim.formats.structures.structure import Structure
from cupysim.formats.structures.symmetry import named
from cupysim.optional_libraries import require

SAME = 1e-6
"""Difference of Friedel mates, relative to the largest amplitude, up to which it is rounding."""

UNKNOWN = -1.0
"""Default amplitude that marks reflections without one. Amplitudes are never negative."""


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
    """The reflections that have an amplitude.

    Parameters
    ----------
    structure : Structure
        Structure factors, read with the default amplitude `UNKNOWN`.
    """
    table = structure.factors.table
    assert table is not None
    known = table != UNKNOWN
    hkl = np.argwhere(known) + np.array(structure.factors.first)
    return ReflectionList(hkl, table[known])


def write_text(stream: BinaryIO, reflections: ReflectionList) -> None:
    """Write lines of h k l F that nanoBragg reads.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    reflections : ReflectionList
        Reflections to write.
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
        Structure with cell and space group.
    reflections : ReflectionList
        Reflections of the structure.
    width : float
        Width of a bin (1/Angstrom).

    Returns
    -------
    stol : ndarray, shape (n,)
        Centres of the bins that are not empty (1/Angstrom), ascending.
    amplitudes : ndarray, shape (n,)
        sqrt(<F^2>) of the reflections of the asymmetric unit (electrons). Each counts once,
        whatever its multiplicity, as in nanoBragg's mtz_to_stol.com.

    Raises
    ------
    CupysimError
        If there is no cell.
    """
    unique = _unique(structure, reflections)
    stol = np.sqrt(inverse_d2(structure, unique.hkl)) / 2.0
    bins = np.floor(stol / width + 0.5).astype(np.int64)
    numbers, places = np.unique(bins, return_inverse=True)
    squares = np.bincount(places, weights=unique.mean_squares)
    return numbers * width, np.sqrt(squares / np.bincount(places))


def write_bins(stream: BinaryIO, stol: np.ndarray, amplitudes: np.ndarray) -> None:
    """Write lines of sin(theta)/lambda and F that nonBragg reads with -stol."""
    np.savetxt(stream, np.column_stack([stol, amplitudes]), fmt="%.9g %.9g")


def write_mtz(stream: BinaryIO, structure: Structure, reflections: ReflectionList) -> str:
    """Write an MTZ file.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    structure : Structure
        Structure with cell, space group and wavelength.
    reflections : ReflectionList
        Reflections of the structure.

    Returns
    -------
    str
        Columns (F, or F(+) and F(-) if Friedel mates differ) and space group, for messages.

    Raises
    ------
    CupysimError
        If there is no cell, or gemmi is not installed.
    """
    gemmi = require("gemmi", "writing MTZ files")
    group = None if structure.symmetry is None else structure.symmetry.group
    has_operators = structure.symmetry is not None
    if group is None:
        # the header needs a group with a name: write all reflections of P1 otherwise
        structure = replace(structure, symmetry=None)
    unique = _unique(structure, reflections)
    hkl, plus, minus = unique.hkl, unique.plus, unique.minus
    both = np.isfinite(plus) & np.isfinite(minus)
    differ = bool((np.abs(plus - minus)[both] > SAME * np.nanmax([plus, minus])).any())
    mtz = gemmi.Mtz(with_base=True)
    mtz.title = "structure factors from cupysim convert"
    mtz.history = [f"cupysim convert: {structure.source}"]
    mtz.spacegroup = group or gemmi.SpaceGroup("P 1")
    mtz.set_cell_for_all(gemmi.UnitCell(*_cell(structure)))
    mtz.add_dataset("cupysim").wavelength = (structure.wavelength or 0.0) / ANGSTROM
    mean = np.where(np.isfinite(plus), plus, minus)
    columns = {"F(+)": plus, "F(-)": minus} if differ else {"F": mean}
    for label in columns:
        mtz.add_column(label, "G" if differ else "F")
    mtz.set_data(np.column_stack([hkl, *columns.values()]).astype(np.float32))
    mtz.update_reso()
    with tempfile.TemporaryDirectory() as folder:
        # gemmi writes to file names, not to streams
        path = Path(folder) / "new.mtz"
        mtz.write_to_file(str(path))
        stream.write(path.read_bytes())
    name = f"space group {structure.space_group}"
    if group is None:
        name = "space group P 1"
        if has_operators:
            name += " (no space group with a name has its operators)"
    return f"columns {' '.join(columns)}; {name}"


@dataclass(frozen=True, eq=False)
class _Unique:
    """Reflections of the asymmetric unit of the Laue group, without systematic absences.

    Absences with a nonzero amplitude in the file stay.

    `hkl` has the shape (n, 3); `plus` and `minus` are amplitudes of h k l and of -h -k -l, NaN
    if there is none.
    """

    hkl: np.ndarray
    plus: np.ndarray
    minus: np.ndarray

    @property
    def mean_squares(self) -> np.ndarray:
        """<F^2> of the available mates."""
        return np.asarray(np.nanmean([self.plus**2, self.minus**2], axis=0))


def _unique(structure: Structure, reflections: ReflectionList) -> _Unique:
    gemmi = require("gemmi", "the asymmetric unit")
    symmetry = structure.symmetry or named("P 1", None)
    assert symmetry is not None
    hkl = reflections.hkl
    codes = np.maximum(symmetry.representatives(hkl), symmetry.representatives(-hkl))
    hkl = hkl[np.unique(codes, return_index=True)[1]]
    group = symmetry.group
    if group is not None:
        operations, asu = group.operations(), gemmi.ReciprocalAsu(group)
        absent = np.array([operations.is_systematically_absent(h) for h in hkl.tolist()])
        if not structure.is_calculated:
            # values of a file count, as in reading
            for sign in (1, -1):
                absent &= _looked_up(structure, sign * hkl) == 0.0
        moved = [asu.to_asu(h, operations)[0] for h in hkl[~absent].tolist()]
        hkl = np.array(moved, dtype=np.int64).reshape(-1, 3)
    if len(hkl) == 0:
        raise CupysimError("all reflections are systematically absent")
    plus, minus = (_looked_up(structure, sign * hkl) for sign in (1, -1))
    # the list may have equivalents outside the asymmetric unit
    for rotation in symmetry.rotations:
        plus = np.where(np.isnan(plus), _looked_up(structure, hkl @ rotation), plus)
        minus = np.where(np.isnan(minus), _looked_up(structure, -(hkl @ rotation)), minus)
    return _Unique(hkl, plus, minus)


def _looked_up(structure: Structure, hkl: np.ndarray) -> np.ndarray:
    """Amplitudes; NaN for reflections without one."""
    table, first = structure.factors.table, np.array(structure.factors.first)
    assert table is not None
    places = hkl - first
    inside = ((places >= 0) & (places < table.shape)).all(axis=1)
    found = np.full(len(hkl), np.nan)
    found[inside] = table[tuple(places[inside].T)]
    return np.where(found == UNKNOWN, np.nan, found)


def _cell(structure: Structure) -> tuple[float, ...]:
    """Edges (Angstrom) and angles (degrees) of the cell."""
    if structure.cell is None:
        raise CupysimError("the unit cell is not in the file: give it with --cell")
    angles = (angle * DEGREES_PER_RADIAN for angle in structure.cell.angles)
    return (*structure.cell.lengths_angstrom, *angles)


def inverse_d2(structure: Structure, hkl: np.ndarray) -> np.ndarray:
    """1/d^2 of reflections (1/Angstrom^2).

    Parameters
    ----------
    structure : Structure
        Structure with a cell.
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
