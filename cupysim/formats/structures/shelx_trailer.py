"""Instructions after a SHELX list, compared with the given cell, group and kind of data."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures.symmetry import Symmetry, of_operators
from cupysim.formats.structures.table import Cell
from cupysim.formats.text_numbers import plain_number
from cupysim.optional_libraries import require

UNSUPPORTED = {
    "1": "condensed data of SHELX-76",
    "2": "Laue data with a wavelength for each reflection",
    "5": "overlapped reflections of a twin",
    "6": "groups of overlapped reflections",
}
"""Numbers of formats that are not supported, and the content of such lists."""

SAME_CELL = 1e-3
"""Relative difference of edges and angles up to which a cell equals the given one."""

CENTRING = {
    1: (), 2: ("x+1/2,y+1/2,z+1/2",), 3: ("x+2/3,y+1/3,z+1/3", "x+1/3,y+2/3,z+2/3"),
    4: ("x,y+1/2,z+1/2", "x+1/2,y,z+1/2", "x+1/2,y+1/2,z"), 5: ("x,y+1/2,z+1/2",),
    6: ("x+1/2,y,z+1/2",), 7: ("x+1/2,y+1/2,z",),
}  # fmt: skip
"""Translations of the numbers of LATT: P, I, R (obverse), F, A, B, C. A positive number means a
centre of symmetry at the origin."""

PLACES_OF_MATRIX = slice(3, 12)
"""Words of HKLF n s r11 ... r33 that are the matrix of the indices."""

_REFLECTION = re.compile(r"(?=.*[1-9])(?=.*\d.*\d.*\d)[ \d-]{12}[ \d.+-]*\d[ \d.+-]*$")


def check_trailer(
    path: object,
    lines: Sequence[str],
    first: int,
    intensities: bool,
    cell: Cell,
    symmetry: Symmetry,
) -> None:
    """Compare instructions after a list with the given values. Some programs write them there.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    lines : sequence of str
        Lines after the end of the list.
    first : int
        Number of the first of these lines in the file.
    intensities : bool
        Whether the list is read as F^2 (HKLF 4), not F (HKLF 3).
    cell : tuple of 6 float
        Given cell: a, b, c (Angstrom), alpha, beta, gamma (degrees).
    symmetry : Symmetry
        Given space group.

    Raises
    ------
    FileFormatError
        If HKLF names another format, or has a matrix or a scale.
    """
    behind = [number for number, line in enumerate(lines, first) if _REFLECTION.match(line)]
    alarms = []
    if behind:
        alarms.append(
            f"{len(behind)} lines after the end of the list look like reflections and are not "
            f"read, the first is line {behind[0]}"
        )
    latt, operators = 1, ["x,y,z"]
    has_symmetry = False
    for number, words in _instructions(lines, first):
        name = words[0].upper()
        if name == "HKLF" and len(words) > 1:
            _check_format(path, words, number, intensities)
        elif name == "CELL" and len(words) == 8:
            alarms += _other_cell(words, cell)
        elif name == "TWIN":
            alarms.append("it has the instruction TWIN: F^2 of a twin are sums over its crystals")
        elif name == "LATT" and len(words) > 1 and re.fullmatch("-?[1-7]", words[1]):
            latt, has_symmetry = int(words[1]), True
        elif name == "SYMM":
            operators.append("".join(words[1:]))
            has_symmetry = True
    if has_symmetry:
        told = _group(path, latt, operators)
        if not np.array_equal(told.rotations, symmetry.rotations):
            alarms.append(
                f"its LATT and SYMM are those of {told.name}; the given group is used, "
                f"{symmetry.name}"
            )
    for text in alarms:
        warnings.warn(CupysimWarning(f"{path}: {text}"), stacklevel=3)


def _instructions(lines: Sequence[str], first: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each instruction. A line that ends with = continues on the next."""
    words: list[str] = []
    for number, line in enumerate(lines, first):
        plain = line.partition("!")[0].rstrip()
        words += plain.removesuffix("=").split()
        if words and not plain.endswith("="):
            yield number, words
            words = []
    if words:
        yield first + len(lines) - 1, words


def _check_format(path: object, words: Sequence[str], line: int, intensities: bool) -> None:
    """Reject a list if HKLF names another format. A negative number announces further lists."""
    kind = words[1].lstrip("-")
    if kind in UNSUPPORTED:
        raise FileFormatError(
            path, f"it has HKLF {words[1]}: {UNSUPPORTED[kind]}; not supported", line
        )
    if kind in ("3", "4") and (kind == "4") is not intensities:
        raise FileFormatError(path, f"it has HKLF {kind}: give --shelx {kind}", line)
    try:
        numbers = [plain_number(word) for word in words[2:]]
    except ValueError as error:
        raise FileFormatError(path, f"no numbers: {' '.join(words)[:60]}", line) from error
    if numbers and numbers[0] != 1.0:
        raise FileFormatError(
            path,
            f"it has HKLF {kind} with the scale {words[2]}. It is not applied: scale "
            "the list, and delete the number",
            line,
        )
    matrix = numbers[PLACES_OF_MATRIX.start - 2 : PLACES_OF_MATRIX.stop - 2]
    if matrix and matrix != np.eye(3).ravel().tolist():
        raise FileFormatError(
            path,
            f"it has HKLF {kind} with the matrix {' '.join(words[PLACES_OF_MATRIX])}. It "
            "is not applied: transform the indices, and delete the matrix",
            line,
        )


def _other_cell(words: Sequence[str], cell: Cell) -> list[str]:
    try:
        told = [plain_number(word) for word in words[2:]]
    except ValueError:
        return []
    is_same = np.abs(np.array(told) / cell - 1.0).max() <= SAME_CELL
    return [] if is_same else [f"it has the cell {' '.join(words[2:])}; the given cell is used"]


def _group(path: object, latt: int, operators: Sequence[str]) -> Symmetry:
    """The group of LATT and SYMM. SYMM omits operators that follow from the lattice."""
    gemmi = require("gemmi", "reading space groups")
    inversions = ["x,y,z"] + ["-x,-y,-z"] * (latt > 0)
    shifts = ["x,y,z", *CENTRING[abs(latt)]]
    try:
        listed = [gemmi.Op(text.lower()) for text in operators]
    except (RuntimeError, ValueError) as error:
        raise FileFormatError(path, f"no symmetry operators: SYMM {operators[1:]}") from error
    products = [
        (gemmi.Op(shift) * gemmi.Op(inversion) * op).wrap().triplet()
        for op in listed
        for inversion in inversions
        for shift in shifts
    ]
    return of_operators(path, products)
