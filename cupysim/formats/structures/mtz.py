"""MTZ files, read with gemmi."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.structures.table import (
    Cell,
    Column,
    Quantity,
    ReflectionTable,
    miller_indices,
)
from cupysim.formats.structures.told_symmetry import ToldSymmetry, Words, symmetry_of
from cupysim.optional_libraries import require

SIGNATURE = b"MTZ "

QUANTITIES = {
    "F": Quantity.AMPLITUDE,
    "G": Quantity.AMPLITUDE,
    "J": Quantity.INTENSITY,
    "K": Quantity.INTENSITY,
    "D": Quantity.DIFFERENCE,
    "Q": Quantity.DEVIATION,
    "L": Quantity.DEVIATION,
    "M": Quantity.DEVIATION,
    "R": Quantity.UNTYPED,
}
"""Column types (https://www.ccp4.ac.uk/html/mtzformat.html). Other types are not used."""

USUAL = {
    Quantity.AMPLITUDE: re.compile(r"(F|FP|FOBS|F-obs|F_meas)(\W|$)", re.IGNORECASE),
    Quantity.INTENSITY: re.compile(r"(I|IMEAN|IOBS|I-obs|I_meas)(\W|$)", re.IGNORECASE),
}
"""Patterns for the beginning of labels of amplitudes and of intensities."""

OF_ONE_MATE = "GKLM"
"""Types of columns that belong to one of two Friedel mates."""

INDEX, FLAGS = "H", "Y"
"""Types of the columns with Miller indices, and with M/ISYM: how indices were moved into the
asymmetric unit."""

LABELS = "HKL"
"""The usual labels of the indices, in the order of their columns."""

PARTIAL = 256
"""Offset in M/ISYM that marks a part of a reflection. The rest is the number of its operator."""

PARTS = "some rows are parts of reflections (M/ISYM above 256); scale and merge them first"

WORDS_BEFORE = 20
"""Number of words (four bytes) before the first reflection."""

RECORD, OPERATOR = 80, b"SYMM "
"""Length (bytes) of each record of the header, and first bytes of records with operators."""

END_OF_HEADER = b"MTZENDOFHEADERS"
"""Last record of a header, after the history."""

HEADER = b"VERS MTZ"
"""First bytes of the header at the end of a file."""

_SIZE = re.compile(rb"NCOL +(\d{1,9}) +(\d{1,12})")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def read(path: os.PathLike[str] | str, data: bytes) -> ReflectionTable:
    """Read an MTZ file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    data : bytes
        Content of the file, unpacked.

    Returns
    -------
    ReflectionTable
        Reflections with the columns of all datasets.

    Raises
    ------
    FileFormatError
        If the file is damaged.
    """
    gemmi = require("gemmi", "reading MTZ files")
    with tempfile.TemporaryDirectory() as folder:
        # gemmi reads files by name, and recognises compressed files by their names only
        unpacked = Path(folder) / "unpacked.mtz"
        unpacked.write_bytes(_in_ascii(data))
        try:
            mtz = gemmi.read_mtz_file(str(unpacked))
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            _check_length(path, data)
            reason = (str(error).splitlines() or ["too large"])[0].replace(str(unpacked), "MTZ")
            raise FileFormatError(path, f"cannot be read: {reason}") from error
    return _table(path, mtz, data)


def _in_ascii(data: bytes) -> bytes:
    """The file with an ASCII header: gemmi rejects other letters."""
    start = max(data.rfind(HEADER), 0)
    return data[:start] + _BEYOND_ASCII.sub(b"?", data[start:]) if start else data


def _check_length(path: object, data: bytes) -> None:
    """Reject a file without a header, or with less data than its header promises."""
    place = data.find(HEADER)
    if place < 0:
        raise FileFormatError(path, "the MTZ file is cut off: it has no header, which stands last")
    promised = _SIZE.search(data, place)
    numbers = place // 4 - WORDS_BEFORE
    if promised and int(promised[1]) * int(promised[2]) > numbers:
        columns, rows = int(promised[1]), int(promised[2])
        raise FileFormatError(
            path,
            f"its header promises {columns} columns of {rows} reflections (NCOL), but there are "
            f"{numbers} numbers, not {columns * rows}: it is cut off or damaged",
        )


def _check_size(path: object, mtz: Any, data: bytes) -> None:
    """Reject a file with more data than its header promises, or with a header that is cut off."""
    if END_OF_HEADER not in data[max(data.rfind(HEADER), 0) :]:
        raise FileFormatError(path, f"the MTZ file is cut off: it has no {END_OF_HEADER.decode()}")
    # the header follows the last reflection
    words = data.find(HEADER) // 4 - WORDS_BEFORE
    promised = len(mtz.columns) * int(mtz.nreflections)
    if words > promised:
        raise FileFormatError(
            path,
            f"its header promises {int(mtz.nreflections)} reflections (NCOL), but there are data "
            f"for {words / max(len(mtz.columns), 1):g}",
        )


def _table(path: object, mtz: Any, data: bytes) -> ReflectionTable:
    _check_size(path, mtz, data)
    rows = np.array(mtz.array, dtype=np.float64)
    missing = float(mtz.valm)
    positions, alarms = _index_columns(path, mtz)
    indices = miller_indices(path, rows[:, positions])
    if np.isfinite(missing):
        rows[rows == missing] = np.nan
    flags = None
    for number, column in enumerate(mtz.columns):
        if column.type == FLAGS:
            flags = np.nan_to_num(rows[:, number]).astype(np.int64)
    told = _symmetry(path, mtz, data)
    # the column has the wavelength of its own dataset
    holders = [*mtz.datasets, *mtz.batches]
    waves = dict.fromkeys(f"{each.wavelength:g}" for each in holders if each.wavelength > 0.0)
    others = "the dataset has no wavelength, but others or batches have the wavelengths "
    others += f"{', '.join(waves)} A"
    table = ReflectionTable(
        kind="MTZ",
        block="",
        hkl=indices,
        columns=tuple(
            _column(mtz, column, rows[:, number])
            for number, column in enumerate(mtz.columns)
            if number not in positions
        ),
        cell=_cell(mtz.cell),
        symmetry=told.symmetry,
        unclear_wavelength=others if waves else "",
        remarks=told.assumptions,
        warnings=(*told.contradictions, *alarms),
    )
    if flags is None:
        return table
    return replace(
        table,
        is_minus=(flags % PARTIAL > 0) & (flags % 2 == 0),
        refused=PARTS if (flags // PARTIAL > 0).any() else "",
    )


def _index_columns(path: object, mtz: Any) -> tuple[list[int], list[str]]:
    """Numbers of the columns of h, k, l, and warnings about columns."""
    positions = [number for number, column in enumerate(mtz.columns) if column.type == INDEX]
    if len(positions) < 3:
        raise FileFormatError(path, "it has no three columns of Miller indices (type H)")
    labels = [mtz.columns[number].label for number in positions]
    ours = [label.strip().upper() for label in labels[:3]]
    if sorted(ours) == list(LABELS) and ours != list(LABELS):
        raise FileFormatError(
            path,
            f"its columns of Miller indices are labelled {' '.join(labels[:3])}, not H K L: it is "
            "unclear which column is h, k or l",
        )
    alarms = []
    if len(labels) > 3:
        shown = ", ".join(labels[3:])
        alarms.append(f"further columns of type {INDEX} are not read as indices: {shown}")
    for column in mtz.columns:
        quantity = QUANTITIES.get(column.type)
        meant = next((each for each, names in USUAL.items() if names.match(column.label)), None)
        if quantity in USUAL and meant is not None and quantity is not meant:
            alarms.append(
                f"the column {column.label} has the type {column.type}: its numbers are "
                f"{quantity.value} for cupysim, though its label is one of {meant.value}"
            )
    return positions[:3], alarms


def _column(mtz: Any, column: Any, values: np.ndarray) -> Column:
    dataset = next((each for each in mtz.datasets if each.id == column.dataset_id), None)
    wavelength = 0.0 if dataset is None else float(dataset.wavelength)
    return Column(
        label=column.label,
        quantity=QUANTITIES.get(column.type, Quantity.OTHER),
        values=values,
        kind=column.type,
        of_one_mate=column.type in OF_ONE_MATE,
        dataset="" if dataset is None or len(mtz.datasets) < 2 else dataset.dataset_name,
        cell=None if dataset is None else _cell(dataset.cell),
        wavelength=wavelength * ANGSTROM if wavelength > 0.0 else None,
    )


def _cell(cell: Any) -> Cell | None:
    parameters = tuple(float(number) for number in cell.parameters)
    exists = cell.volume > 1.0 and min(parameters) > 0.0
    return parameters if exists else None  # type: ignore[return-value]


def _symmetry(path: object, mtz: Any, data: bytes) -> ToldSymmetry:
    """The space group. Operators have precedence over the name."""
    start = data.rfind(HEADER)
    end = data.find(END_OF_HEADER, start)
    records = (data[at : at + RECORD] for at in range(max(start, 0), end, RECORD))
    triplets = [
        record[len(OPERATOR) :].decode("latin-1").strip()
        # after END comes the history: free text
        for record in takewhile(lambda record: not record.startswith(b"END "), records)
        if record.upper().startswith(OPERATOR)
    ]
    promised = int(mtz.nsymop)
    if triplets and promised > 0 and len(triplets) != promised:
        raise FileFormatError(
            path,
            f"its header promises {promised} symmetry operators (SYMINF), but has "
            f"{len(triplets)} (SYMM)",
        )
    name, number = str(mtz.spacegroup_name).strip(), int(mtz.spacegroup_number)
    words = Words(
        operators=[("operators (SYMM)", triplets)] if triplets else [],
        names=[name] if name else [],
        numbers=[str(number)] if number > 0 else [],
    )
    return symmetry_of(path, words, _cell(mtz.cell))
