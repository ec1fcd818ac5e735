"""Structure factors from reflection files with symmetry."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimWarning, FileFormatError, ModelError
from cupysim.formats.index_lists import count_distinct
from cupysim.formats.structures import cif_reflections, intensity_lists, mtz
from cupysim.formats.structures.columns import Chosen, choices
from cupysim.formats.structures.merging import Observations, are_different, expanded, merged
from cupysim.formats.structures.selection import doubts, selected
from cupysim.formats.structures.structure import Structure
from cupysim.formats.structures.symmetry import Symmetry, cell_text, check_cell
from cupysim.formats.structures.table import Cell, Column, Quantity, ReflectionTable, listed
from cupysim.models.structure_factors import StructureFactors
from cupysim.models.unit_cell import UnitCell
from cupysim.storage.reading import content

HEAD = 2**16
"""Number of bytes that are read to recognise a file."""

SAME_EDGE, SAME_ANGLE = 0.01, 1.0
"""Relative difference of edges, and difference of angles (degrees), of cells that are equal."""

OF_SHELXL = "; SHELXL writes CIF with LIST 4 and LIST 6, and other lists with LIST 1, 2, 5"

NOT_MEASURED = -999.0
"""Value that some programs write for reflections without a measurement."""

SUFFIXES = {
    ".mtz": "mtz", ".cif": "cif", ".mmcif": "cif", ".ent": "cif", ".fcf": "cif",
}  # fmt: skip
"""Endings of file names, and the kind of file that they announce."""


def kind_of(path: os.PathLike[str] | str) -> str | None:
    """Kind of a reflection file, from its content.

    Parameters
    ----------
    path : path_like
        File to look at.

    Returns
    -------
    str or None
        "mtz", "cif", "xds", "crystfel", "scalepack", or None for anything else, such as lines of
        h k l F.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or its name announces another kind.
    """
    if not os.path.isfile(path):
        # a pipe can be read only once: the reader of text does it
        return None
    head = content(path, HEAD)
    kind = intensity_lists.kind_of(head)
    if head.startswith(mtz.SIGNATURE):
        kind = "mtz"
    elif is_cif(head):
        kind = "cif"
    name = os.fspath(path).lower().removesuffix(".gz")
    for suffix, wanted in SUFFIXES.items():
        if name.endswith(suffix) and kind != wanted:
            told = f"no {wanted.upper()} file, though its name says so"
            known = intensity_lists.looks_like(head)
            if suffix == ".fcf":
                told += OF_SHELXL
            elif known is not None:
                told += f"; it looks like {known}"
            raise FileFormatError(path, told)
    return kind


def is_cif(data: bytes) -> bool:
    """Whether a file is CIF: its first word after comments names a block."""
    for line in data[:HEAD].removeprefix(b"\xef\xbb\xbf").splitlines():
        if line.strip() and not line.lstrip().startswith(b"#"):
            return line.split()[0].lower().startswith(b"data_")
    return False


def read(
    path: os.PathLike[str] | str,
    columns: Sequence[str] = (),
    default: float = 0.0,
    merge: bool = False,
) -> Structure:
    """Read structure factors, expanded to P1.

    Parameters
    ----------
    path : path_like
        MTZ, mmCIF, CIF of a small molecule, SHELX .fcf, XDS_ASCII, CrystFEL or merged Scalepack
        file, possibly compressed with gzip.
    columns : sequence of str, optional
        Name of the column of amplitudes or intensities, or of two for Friedel mates, or of
        amplitudes and anomalous differences; a name of standard deviations after it is allowed.
        "BLOCK/NAME" or "DATASET/NAME" selects the block or dataset. The default is the usual one.
    default : float, optional
        Amplitude of reflections that are not in the file (electrons).
    merge : bool, optional
        Use the mean of reflections that occur more than once.

    Returns
    -------
    Structure
        Symmetry equivalents have equal amplitudes, and so have Friedel mates unless
        the file distinguishes them. Amplitudes are square roots of intensities.

    Raises
    ------
    FileFormatError
        If the file or the column does not exist, the choice of a column is unclear, reflections
        are not merged, a number is infinite, or the space group forbids the unit cell.
    CupysimError
        If gemmi is not installed.
    """
    table, chosen = selected(path, _tables(path), columns)
    return structure_of(path, table, chosen, default, merge)


def structure_of(
    path: os.PathLike[str] | str,
    table: ReflectionTable,
    chosen: Chosen,
    default: float = 0.0,
    merge: bool = False,
) -> Structure:
    """Structure factors of chosen columns; see `read` for parameters and errors."""
    cell = chosen.plus.cell or table.cell
    if table.refused:
        raise FileFormatError(path, table.refused)
    if table.symmetry is None:
        raise FileFormatError(path, "it has no space group and no symmetry operators")
    if cell is not None:
        check_cell(path, cell, table.symmetry)
    observations, remarks = _observations(path, table, chosen)
    unique, how = merged(path, observations, table.symmetry, merge, not chosen.is_intensity)
    absent = _forbidden(unique, table.symmetry)
    if absent:
        forbidden = "reflections forbidden by the space group are not zero, and are used"
        how = [*how, f"{absent} {forbidden}"]
    if chosen.is_intensity:
        negative = int(np.count_nonzero(unique.values < 0.0))
        lost = f"; {negative} negative ones become 0" if negative else ""
        warnings.warn(
            CupysimWarning(
                f"{path}: amplitudes are square roots of the intensities {chosen.name}{lost}"
            ),
            stacklevel=2,
        )
    of_type, alarms = doubts(chosen)
    remarks += of_type
    for text in (*table.warnings, *alarms):
        warnings.warn(CupysimWarning(f"{path}: {text}"), stacklevel=2)
    amplitudes, what = _amplitudes(unique.values, chosen.is_intensity)
    hkl, values = expanded(Observations(unique.hkl, amplitudes), table.symmetry)
    try:
        factors = StructureFactors.from_list(hkl, values, default)
        known = None if cell is None else UnitCell.from_degrees(*cell)
    except ModelError as error:
        raise FileFormatError(path, str(error)) from error
    remarks += _other_cell(chosen.plus.cell, table.cell)
    wavelength = chosen.plus.wavelength or table.wavelength
    unclear = "" if wavelength is not None else table.unclear_wavelength
    if unclear:
        remarks.append(f"{unclear}: none is used")
    return Structure(
        factors=factors,
        cell=known,
        space_group=table.symmetry.name,
        source=chosen.name,
        wavelength=wavelength,
        notes=_notes(path, table, chosen, cell, [*table.remarks, *remarks, *how, *what],
                     len(unique.values), count_distinct(hkl), wavelength),
        symmetry=table.symmetry,
        unclear_wavelength=unclear,
    )  # fmt: skip


def _other_cell(of_column: Cell | None, of_file: Cell | None) -> list[str]:
    """Remark about a dataset with another cell than the file."""
    if of_column is None or of_file is None:
        return []
    edges = np.abs(np.array(of_column[:3]) / of_file[:3] - 1.0).max()
    angles = np.abs(np.array(of_column[3:]) - of_file[3:]).max()
    if edges <= SAME_EDGE and angles <= SAME_ANGLE:
        return []
    return [f"the cell is that of the dataset; the file's own is {cell_text(of_file)}"]


def _forbidden(unique: Observations, symmetry: Symmetry) -> int:
    """Number of systematically absent reflections with a value."""
    group = symmetry.group
    if group is None:
        return 0
    operations = group.operations()
    present = unique.hkl[unique.values > 0.0].tolist()
    return sum(operations.is_systematically_absent(index) for index in present)


def _tables(path: os.PathLike[str] | str) -> list[ReflectionTable]:
    """Reflections of a file: a table for each block, or dataset with its own indices."""
    kind = kind_of(path)
    if kind is None:
        raise FileFormatError(path, "no reflection file with symmetry, such as MTZ or CIF")
    data = content(path)
    if kind == "mtz":
        return [mtz.read(path, data)]
    if kind == "cif":
        return cif_reflections.read(path, data)
    return [intensity_lists.read(path, data)]


def _observations(
    path: object, table: ReflectionTable, chosen: Chosen
) -> tuple[Observations, list[str]]:
    """Values of reflections and of Friedel mates, without missing ones."""
    hkl = table.hkl
    symmetry = table.symmetry
    assert symmetry is not None
    remarks: list[str] = []
    plus = _measured(chosen.plus, chosen.deviations, remarks)
    centric = symmetry.representatives(hkl) == symmetry.representatives(-hkl)
    if chosen.minus is not None:
        minus = _measured(chosen.minus, chosen.minus_deviations, remarks)
        plus, minus = _one_centric(path, centric, plus, minus)
        parts = [(hkl, plus, chosen.deviations), (-hkl, minus, chosen.minus_deviations)]
        alone = ~np.isfinite(plus) & ~np.isfinite(minus)
        if chosen.mean is not None and alone.any():
            mean = np.where(alone, _measured(chosen.mean, None, []), np.nan)
            parts.append((hkl, mean, None))
            count = np.count_nonzero(np.isfinite(mean))
            remarks.append(
                f"{count} reflections without a value in {chosen.name} have that of "
                f"{chosen.mean.label}"
            )
            alone &= ~np.isfinite(mean)
    elif chosen.difference is not None:
        half = np.where(centric, 0.0, np.nan_to_num(chosen.difference.values / 2.0, nan=0.0))
        parts = [(hkl, plus + half, None), (-hkl[~centric], (plus - half)[~centric], None)]
        remarks.append("F(+) and F(-) are F + D/2 and F - D/2")
        alone = np.isnan(plus)
    else:
        signs = np.ones(len(hkl), dtype=np.int64)
        if table.is_minus is not None and _is_repeated(table):
            # a row of unmerged data is a measurement of one of the mates
            signs[table.is_minus] = -1
        if table.mates_are_equal:
            codes = symmetry.representatives(hkl)
            signs[symmetry.representatives(-hkl) > codes] = -1
            remarks.append("Friedel mates are the same reflection, as the file says")
        parts = [(signs[:, np.newaxis] * hkl, plus, chosen.deviations)]
        alone = np.isnan(plus)
    indices, values, deviations = [], [], []
    for index, numbers, column in parts:
        if np.isinf(numbers).any():
            row = int(np.argmax(np.isinf(numbers)))
            raise FileFormatError(
                path, f"the column {chosen.name} is infinite at {' '.join(map(str, index[row]))}"
            )
        known = ~np.isnan(numbers)
        indices.append(index[known])
        values.append(numbers[known])
        sigma = np.full(len(numbers), np.nan) if column is None else column.values
        deviations.append(sigma[known])
    missing = int(np.count_nonzero(alone))
    if missing:
        remarks.append(f"{missing} reflections without a value are left out")
    found = Observations(
        np.concatenate(indices), np.concatenate(values), np.concatenate(deviations)
    )
    if len(found.values) == 0:
        raise FileFormatError(path, f"the column {chosen.name} has no values")
    return found, remarks


def _one_centric(
    path: object, centric: np.ndarray, plus: np.ndarray, minus: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values of Friedel mates, with one value for a centric reflection: the mean if they differ."""
    both = centric & np.isfinite(plus) & np.isfinite(minus)
    differ = np.zeros(len(both), dtype=bool)
    differ[both] = are_different(plus[both], minus[both])
    if differ.any():
        warnings.warn(
            CupysimWarning(
                f"{path}: {np.count_nonzero(differ)} of {np.count_nonzero(centric)} centric "
                "reflections differ from their Friedel mates: the means are used"
            ),
            stacklevel=2,
        )
    plus = plus.copy()
    plus[differ] = 0.5 * (plus[differ] + minus[differ])
    return plus, np.where(centric & np.isfinite(plus), np.nan, minus)


def _measured(column: Column, deviations: Column | None, remarks: list[str]) -> np.ndarray:
    """Values of a column; NaN for reflections that are marked as not measured.

    Marks are -999, a negative standard deviation, and zero with a standard deviation of zero.
    """
    values = column.values
    marked = values == NOT_MEASURED
    if deviations is not None:
        sigma = deviations.values
        marked |= np.isfinite(values) & ((sigma < 0.0) | ((sigma == 0.0) & (values == 0.0)))
    count = int(np.count_nonzero(marked))
    if count:
        remarks.append(f"{count} values of {column.label} are marked as not measured")
    return np.where(marked, np.nan, values)


def _is_repeated(table: ReflectionTable) -> bool:
    return len(np.unique(table.hkl, axis=0)) < len(table.hkl)


def _amplitudes(values: np.ndarray, are_intensities: bool) -> tuple[np.ndarray, list[str]]:
    """Amplitudes (electrons), and remarks about negative values."""
    negative = int(np.count_nonzero(values < 0.0))
    if are_intensities:
        remarks = [f"{negative} negative intensities became 0"] if negative else []
        remarks.insert(0, "amplitudes are square roots of intensities")
        return np.sqrt(np.maximum(values, 0.0)), remarks
    return np.abs(values), [f"{negative} negative amplitudes lost their sign"] if negative else []


def _notes(
    path: object,
    table: ReflectionTable,
    chosen: Chosen,
    cell: Cell | None,
    remarks: Sequence[str],
    n_unique: int,
    n_expanded: int,
    wavelength: float | None,
) -> tuple[str, ...]:
    """Lines about the file for standard output."""
    assert table.symmetry is not None
    places = [table.kind]
    places += [f"block {table.block}"] if table.block else []
    places += [f"dataset {chosen.plus.dataset}"] if chosen.plus.dataset else []
    labels = [each.name for each in choices(table)]

    def name_of(each: Chosen) -> str:
        """Labels of columns, or the item if several of a CIF file have the same usual label."""
        is_same = labels.count(each.name) > 1
        return each.plus.other_names[-1] if is_same and each.plus.other_names else each.name

    others = [name_of(each) for each in choices(table) if each.plus is not chosen.plus]
    if chosen.difference is None and chosen.minus is None:
        others += [each.label for each in table.columns if each.quantity is Quantity.DIFFERENCE]
    also = f" (not used: {listed(others)})" if others else ""
    lines = [
        f"structure factors from {path}: {', '.join(places)}, "
        f"{chosen.plus.quantity.value} {name_of(chosen)}{also}",
        f"space group {table.symmetry.name}, {len(table.symmetry.operators)} operators; "
        + ("no unit cell" if cell is None else f"unit cell {cell_text(cell)}")
        + ("" if wavelength is None else f"; wavelength {wavelength / ANGSTROM:g} A"),
        f"{n_unique} reflections used, {n_expanded} in P1 with symmetry and Friedel mates",
    ]
    return (*lines, *(f"note: {remark}" for remark in remarks))
