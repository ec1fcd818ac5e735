"""SHELX lists of h k l, F or F^2, and sigma."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures.list_lines import fixed_numbers, list_table, too_wide
from cupysim.formats.structures.shelx_trailer import check_trailer
from cupysim.formats.structures.symmetry import named
from cupysim.formats.structures.table import Cell, Quantity, ReflectionTable
from cupysim.formats.text_numbers import lines_of

VALUE = (12, 20)
"""Characters of a line with F or F^2."""

LONGEST_WAVELENGTH = 20.0
"""Longest wavelength (Angstrom) of Laue data: longer waves of white beams do not reach a detector.
"""


def read(
    path: os.PathLike[str] | str, data: bytes, intensities: bool, cell: Cell, group: str
) -> ReflectionTable:
    """Read a SHELX list. It has neither cell nor symmetry: these are given.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    data : bytes
        Content of the file, unpacked.
    intensities : bool
        Whether the list holds F^2 (HKLF 4), not F (HKLF 3).
    cell : tuple of 6 float
        a, b, c (Angstrom), alpha, beta, gamma (degrees).
    group : str
        Hermann-Mauguin symbol.

    Returns
    -------
    ReflectionTable
        Reflections with the columns I and SIGI, or F and SIGF. Lines after 0 0 0 are not
        reflections.

    Raises
    ------
    FileFormatError
        If a line does not follow the format or is cut off, the group is unknown, or instructions
        after the list contradict `intensities`.
    """
    symmetry = named(group, cell)
    if symmetry is None:
        raise FileFormatError(path, f"unknown space group {group!r}")
    rows: list[list[float]] = []
    batches: dict[int, int] = {}
    behind: list[str] = []
    widths: list[int] = []
    ending: int | None = None
    text_lines = lines_of(data)
    for number, line in enumerate(text_lines, 1):
        if not line.strip() and not rows:
            continue
        if not line.strip():
            # h = k = l = 0 ends the list
            ending = number
            break
        row = fixed_numbers(path, line, number, (4, 4, 4, 8, 8))
        batch = line[28:32].strip()
        if re.fullmatch(r"-?\d+", batch):
            batches.setdefault(int(batch), number)
        elif re.fullmatch(r"-?\d*\.\d*", batch):
            reason = f"columns 29 to 32 hold {batch!r}, no batch number: are its columns wider?"
            raise FileFormatError(path, reason, number)
        for place, begin in ((3, 12), (4, 20)):
            if "." not in line[begin : begin + 8]:
                # a Fortran format with two implicit decimals
                row[place] /= 100.0
        if row[:3] == [0.0, 0.0, 0.0]:
            ending = number
            break
        widths.append(len(line.rstrip()))
        rows.append(row)
        behind.append(line[32:].strip())
    if ending is None and len(set(widths[:-1])) == 1 and widths[-1] < widths[0]:
        raise FileFormatError(
            path, "the list is cut off: its last line is shorter", len(text_lines)
        )
    if ending is not None:
        check_trailer(path, text_lines[ending:], ending + 1, intensities, cell, symmetry)
    _check_behind(path, behind)
    _check_batches(path, batches)
    names = ("I", "SIGI") if intensities else ("F", "SIGF")
    quantity = Quantity.INTENSITY if intensities else Quantity.AMPLITUDE
    kinds = (quantity, Quantity.DEVIATION)
    table = list_table(path, "SHELX list", rows, names, kinds, cell, symmetry)
    listed = enumerate(text_lines[: len(text_lines) if ending is None else ending], 1)
    return replace(table, warnings=tuple(too_wide(listed, (VALUE,))))


def _check_behind(path: object, behind: Sequence[str]) -> None:
    """Reject Laue data, and warn of other numbers after column 32. These are not read.

    HKLF 2 has one more number of eight columns: the wavelength of each reflection. F^2 depends on
    it in a way that only the refinement knows. Lists before scaling have direction cosines.
    """
    texts = [text for text in behind if text]
    if not texts:
        return
    numbers = [float(text) for text in texts if re.fullmatch(r"\d*\.\d+", text)]
    if len(numbers) == len(behind) and len(set(numbers)) > 1 and max(numbers) < LONGEST_WAVELENGTH:
        raise FileFormatError(
            path,
            f"a wavelength after each reflection, from {min(numbers):g} to {max(numbers):g} A: "
            "Laue data (HKLF 2) are not supported",
        )
    warnings.warn(
        CupysimWarning(
            f"{path}: {len(texts)} lines have text after column 32 that is not read, such as "
            f"{texts[0][:40]!r}"
        ),
        stacklevel=3,
    )


def _check_batches(path: object, batches: Mapping[int, int]) -> None:
    """Reject several batches: each has its own scale. `batches` has a line of each.

    XDSCONV and XPREP write only 1 and -1: these are flags of reflections for R-free.
    """
    twins = [number for number in batches if number < -1]
    if -1 in batches and any(number > 1 for number in batches):
        # flags for R-free come with 1 only
        twins.append(-1)
    if twins:
        reason = "a negative batch number: overlapped reflections of a twin (HKLF 5)"
        raise FileFormatError(path, reason, min(batches[number] for number in twins))
    several = sorted(number for number in batches if number > 0)
    if len(several) > 1:
        raise FileFormatError(
            path,
            f"batches {', '.join(map(str, several[:6]))}, but the list does not give their scales "
            "(BASF): merge them first",
            batches[several[1]],
        )
