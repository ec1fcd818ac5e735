"""SHELX lists of h k l, F or F^2, and sigma."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures.list_lines import fixed_numbers, list_table
from cupysim.formats.structures.symmetry import named
from cupysim.formats.structures.table import Cell, Quantity, ReflectionTable

LONGEST_WAVELENGTH = 20.0
"""Angstrom; of white beams nothing longer arrives at a detector."""

UNSUPPORTED = {
    "1": "condensed data of SHELX-76",
    "2": "Laue data with a wavelength for each reflection",
    "5": "overlapped reflections of a twin",
    "6": "groups of overlapped reflections",
}
"""Other numbers of formats, and what such lists hold."""

SAME_CELL = 1e-3
"""Relative difference of edges and angles up to which a cell is the one that is given."""


def read(
    path: os.PathLike[str] | str, data: bytes, intensities: bool, cell: Cell, group: str
) -> ReflectionTable:
    """Read a SHELX list, of which others know cell and symmetry.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    data : bytes
        Its content, unpacked.
    intensities : bool
        The list holds F^2 (HKLF 4), not F (HKLF 3).
    cell : tuple of 6 float
        a, b, c (Angstrom), alpha, beta, gamma (degrees).
    group : str
        Hermann-Mauguin symbol.

    Returns
    -------
    ReflectionTable
        Columns I and SIGI, or F and SIGF; lines after 0 0 0 are not reflections.

    Raises
    ------
    FileFormatError
        If a line is not as it must be, or there is no such group.
    """
    symmetry = named(group, cell)
    if symmetry is None:
        raise FileFormatError(path, f"unknown space group {group!r}")
    rows: list[list[float]] = []
    batches: dict[int, int] = {}
    behind: list[str] = []
    text_lines = data.decode("latin-1").splitlines()
    for number, line in enumerate(text_lines, 1):
        if not line.strip():
            if rows:
                # h = k = l = 0 ends the list
                break
            continue
        row = fixed_numbers(path, line, number, (4, 4, 4, 8, 8))
        batch = line[28:32].strip()
        if re.fullmatch(r"-?\d+", batch):
            batches.setdefault(int(batch), number)
        for place, begin in ((3, 12), (4, 20)):
            if "." not in line[begin : begin + 8]:
                # a Fortran format with two decimals
                row[place] /= 100.0
        if row[:3] == [0.0, 0.0, 0.0]:
            _check_trailer(path, text_lines[number:], intensities, cell)
            break
        rows.append(row)
        behind.append(line[32:].strip())
    _check_behind(path, behind)
    _check_batches(path, batches)
    names = ("I", "SIGI") if intensities else ("F", "SIGF")
    quantity = Quantity.INTENSITY if intensities else Quantity.AMPLITUDE
    kinds = (quantity, Quantity.DEVIATION)
    return list_table(path, "SHELX list", rows, names, kinds, cell, symmetry)


def _check_behind(path: object, behind: Sequence[str]) -> None:
    """Refuse Laue data, and tell of other numbers behind column 32, which are not read.

    HKLF 2 has one more number of eight columns, the wavelength of each reflection, on which F^2
    depends in a way that only the refinement knows. Lists before scaling have direction cosines.
    """
    texts = [text for text in behind if text]
    if not texts:
        return
    numbers = [float(text) for text in texts if re.fullmatch(r"\d*\.\d+", text)]
    if len(numbers) == len(behind) and len(set(numbers)) > 1 and max(numbers) < LONGEST_WAVELENGTH:
        raise FileFormatError(
            path,
            f"a wavelength behind each reflection, from {min(numbers):g} to {max(numbers):g} A: "
            "Laue data (HKLF 2), which are not supported",
        )
    warnings.warn(
        CupysimWarning(
            f"{path}: what {len(texts)} lines have behind column 32 is not read, such as "
            f"{texts[0][:40]!r}"
        ),
        stacklevel=3,
    )


def _check_batches(path: object, batches: Mapping[int, int]) -> None:
    """Refuse batches which have scales of their own; they are given with a line of each.

    A list with 1 and -1 alone has flags of reflections for R-free, as XDSCONV and XPREP write them.
    """
    twins = [number for number in batches if number < -1]
    if twins:
        reason = "a negative batch number: overlapped reflections of a twin (HKLF 5)"
        raise FileFormatError(path, reason, min(batches[number] for number in twins))
    several = sorted(number for number in batches if number > 0)
    if len(several) > 1:
        raise FileFormatError(
            path,
            f"batches {', '.join(map(str, several[:6]))}, whose scales (BASF) the list does not "
            "tell: merge them before",
            batches[several[1]],
        )


def _check_trailer(path: object, lines: Sequence[str], intensities: bool, cell: Cell) -> None:
    """Hold the instructions behind a list, which some programs put there, against what is given."""
    for line in lines:
        words = line.split()
        told_kind = words[1] if len(words) > 1 and words[0].upper() == "HKLF" else ""
        if told_kind in ("3", "4") and (told_kind == "4") is not intensities:
            raise FileFormatError(path, f"it says HKLF {told_kind} itself: --shelx {told_kind}")
        if told_kind.lstrip("-") in UNSUPPORTED:
            what = UNSUPPORTED[told_kind.lstrip("-")]
            raise FileFormatError(path, f"it says HKLF {told_kind} itself: {what}; not supported")
        if len(words) == 8 and words[0].upper() == "CELL":
            try:
                told = [float(word) for word in words[2:]]
            except ValueError:
                continue
            if np.abs(np.array(told) / cell - 1.0).max() > SAME_CELL:
                warnings.warn(
                    CupysimWarning(f"{path}: it has the cell {' '.join(words[2:])} itself"),
                    stacklevel=4,
                )
