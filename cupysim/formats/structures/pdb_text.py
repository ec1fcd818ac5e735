"""PDB files as text, before gemmi reads them: damaged columns, and what is missing in them."""

from __future__ import annotations

import re

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.text_numbers import plain_number

ATOM_RECORDS = ("ATOM  ", "HETATM")
POSITION = ((30, 38), (38, 46), (46, 54))
OCCUPANCY, B_FACTOR = (54, 60), (60, 66)
"""Columns of an atom's record."""

IDENTIFIER, LINE_NUMBER = (72, 76), (76, 80)
"""What these columns of all records had in files of before 1996."""

ASSUMED_OCCUPANCY, ASSUMED_B = "  1.00", " 20.00"
"""What is written where a record has none."""

LARGEST_COORDINATE = 1e6
"""Angstrom; no atom is farther away."""

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def prepared(path: object, data: bytes) -> tuple[str, list[str], list[str]]:
    """The text of a PDB file, with what is missing in its records.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    data : bytes
        Its content.

    Returns
    -------
    text : str
        Lines in ASCII, none of them END but the last.
    remarks, warnings : list of str
        What was done, and what the user must know.

    Raises
    ------
    FileFormatError
        If a position, an occupancy or a B factor is not a number; the message has the line.
    """
    # columns of PDB files are bytes
    text = _BEYOND_ASCII.sub(b"?", data.removeprefix(b"\xef\xbb\xbf")).decode("ascii")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    is_old = _is_old(lines)
    scales = [line for line in lines if line.startswith("SCALE")]
    is_identity = len(scales) == 3 and [
        [float(word) for word in re.findall(r"-?\d+\.\d*", line)] for line in scales
    ] == [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    kept: list[str] = []
    after_end = without_occupancy = without_b = 0
    ended = False
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "END":
            ended = True
            continue
        if is_identity and line.startswith("SCALE"):
            # of programs which do not know the cell
            continue
        if line.startswith(ATOM_RECORDS):
            after_end += ended
            padded = (line[: IDENTIFIER[0]] if is_old else line).ljust(B_FACTOR[1])
            for begin, end in POSITION:
                _check(path, padded[begin:end], number, "coordinate")
            if not padded[slice(*OCCUPANCY)].strip():
                without_occupancy += 1
                padded = padded[: OCCUPANCY[0]] + ASSUMED_OCCUPANCY + padded[OCCUPANCY[1] :]
            if not padded[slice(*B_FACTOR)].strip():
                without_b += 1
                padded = padded[: B_FACTOR[0]] + ASSUMED_B + padded[B_FACTOR[1] :]
            _check(path, padded[slice(*OCCUPANCY)], number, "occupancy")
            _check(path, padded[slice(*B_FACTOR)], number, "B factor")
            line = padded
        kept.append(line)
    remarks = [f"{after_end} atoms behind an END record are taken too"] if after_end else []
    warnings = []
    if without_occupancy:
        warnings.append(f"{without_occupancy} atoms have no occupancy: 1 is assumed")
    if without_b:
        warnings.append(f"{without_b} atoms have no B factor: 20 A^2 is assumed")
    return "\n".join(kept) + "\nEND\n", remarks, warnings


def _is_old(lines: list[str]) -> bool:
    """Whether records end with the entry's name and their number, in place of elements."""
    atoms = [line for line in lines if line.startswith(ATOM_RECORDS)]
    names = {line[slice(*IDENTIFIER)].strip() for line in atoms}
    numbers = [line[slice(*LINE_NUMBER)].strip() for line in atoms]
    return len(names) == 1 and "" not in names and all(each.isdecimal() for each in numbers)


def _check(path: object, text: str, line: int, what: str) -> None:
    try:
        value = plain_number(text)
    except ValueError as error:
        raise FileFormatError(path, f"{what} is not a number: {text!r}", line) from error
    if not np.isfinite(value) or abs(value) > LARGEST_COORDINATE:
        raise FileFormatError(path, f"impossible {what}: {text!r}", line)
