"""Checks of the text of PDB files before gemmi reads it: damaged columns, and missing values."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.text_numbers import plain_number

ATOM_RECORDS = ("ATOM  ", "HETATM")
POSITION = ((30, 38), (38, 46), (46, 54))
OCCUPANCY, B_FACTOR, CHARGE = (54, 60), (60, 66), (78, 80)
"""Columns of an atom's record, counted from 0."""

RECORD = 6
"""Number of characters of a record's name."""

SERIAL, IDENTITY = (6, 11), (12, 27)
"""Columns that must agree between atoms and their ANISOU records: the serial number; name,
conformation and residue."""

TENSOR = tuple((begin, begin + 7) for begin in range(28, 70, 7))
"""Columns of an ANISOU record with U11, U22, U33, U12, U13, U23 in 1e-4 Angstrom^2."""

MATRICES = {"MTRIX": "number of strict NCS (MTRIX)", "SCALE": "number of the SCALE records"}
"""Records with a matrix and a shift in three rows, and names of their numbers for messages."""

MATRIX_SERIAL = (7, 10)
MATRIX_ROW = ((10, 20), (20, 30), (30, 40), (45, 55))
"""Columns of such a record, counted from 0."""

IDENTIFIER, LINE_NUMBER = (72, 76), (76, 80)
"""Columns that all records of files from before 1996 used for the entry and the line number."""

ASSUMED_OCCUPANCY, ASSUMED_B = "  1.00", " 20.00"
"""Values for records without an occupancy or B factor (Angstrom^2)."""

READ_RECORDS = (*ATOM_RECORDS, "ANISOU", "MTRIX", "SCALE", "CRYST1", "MODEL ")
"""Records that are read; they must begin in column 1."""

END = re.compile(r"END(\s|$)")
"""The record END, also with text after it."""

JOINED = re.compile(r"(ATOM  |HETATM)[ \d]{5} ")
"""The beginning of another atom's record within a line."""

LARGEST_COORDINATE = 1e6
"""Largest possible coordinate (Angstrom)."""

RESIDUE = (17, 27)
"""Columns with the name, chain and number of a residue, counted from 0."""

IONS = {
    **{name: name for name in ("LI", "NA", "MG", "CL", "CA", "MN", "FE", "CO", "NI", "CU", "ZN",
                               "BR", "RB", "SR", "CD", "CS", "BA", "HG")},
    "K": "K", "F": "F", "I": "I", "SOD": "NA", "CLA": "CL", "POT": "K", "CAL": "CA", "CES": "CS",
    "RUB": "RB", "LIT": "LI", "BAR": "BA", "CAD": "CD", "NA+": "NA", "CL-": "CL", "K+": "K",
}  # fmt: skip
"""Names of ions in GROMACS, AMBER and CHARMM, and their elements."""

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def prepared(path: object, data: bytes) -> tuple[str, list[str], list[str]]:
    """The text of a PDB file, completed by values that its records lack.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    data : bytes
        Content of the file.

    Returns
    -------
    text : str
        Lines in ASCII. Only the last one is END.
    remarks, warnings : list of str
        Notes on what was done, and warnings for the user.

    Raises
    ------
    FileFormatError
        If a record does not begin in column 1, a position, an occupancy, a B factor or a
        displacement is not a number, an ANISOU record does not belong to the atom before it, or a
        matrix lacks a row. The message gives the line.
    """
    # PDB files count columns in bytes
    text = _BEYOND_ASCII.sub(b"?", data.removeprefix(b"\xef\xbb\xbf")).decode("ascii")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    # gemmi accepts lower case names of records
    lines = [line[:RECORD].upper() + line[RECORD:] for line in lines]
    _check_places(path, lines)
    is_old = _is_old(lines)
    scales = [line for line in lines if line.startswith("SCALE")]
    is_identity = len(scales) == 3 and [
        [float(word) for word in re.findall(r"-?\d+\.\d*", line)] for line in scales
    ] == [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    lines, ions = _with_ions_named(lines)
    kept: list[str] = []
    after_end = without_occupancy = without_b = 0
    ended = False
    _check_matrices(path, lines)
    renumbered = _check_tensors(path, lines)
    for number, line in enumerate(lines, 1):
        if END.match(line):
            ended = True
            continue
        if is_identity and line.startswith("SCALE"):
            # programs that do not know the cell write it
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
            if not is_old and any(letter.isalpha() for letter in line[slice(*CHARGE)]):
                raise FileFormatError(
                    path,
                    f"its charge (columns 79-80) is {line[slice(*CHARGE)].strip()!r}: elements "
                    "belong in columns 77-78 (PDBQT files have them one column further)",
                    number,
                )
            line = padded
        kept.append(line)
    remarks = [f"{after_end} atoms after an END record are used too"] if after_end else []
    warnings = []
    if is_identity:
        warnings.append(
            "its SCALE records are the identity, not those of its cell, and are not applied"
        )
    told = _count_told(lines)
    count = sum(line.startswith(ATOM_RECORDS) for line in lines)
    if told is not None and told != count:
        warnings.append(f"MASTER counts {told} atoms, but there are {count}: is the file cut off?")
    if ions:
        warnings.append(
            f"{len(ions)} atoms without an element are read as ions, by the names of their "
            f"residues: {', '.join(dict.fromkeys(ions))}"
        )
    if without_occupancy:
        warnings.append(f"{without_occupancy} atoms have no occupancy: 1 is assumed")
    if without_b:
        warnings.append(f"{without_b} atoms have no B factor: 20 A^2 is assumed")
    if renumbered:
        warnings.append(
            f"{renumbered} ANISOU records have another serial number than the atom before them, "
            "but the same name and residue: they are used for this atom"
        )
    return "\n".join(kept) + "\nEND\n", remarks, warnings


def _with_ions_named(lines: list[str]) -> tuple[list[str], list[str]]:
    """Add the elements of ions that follow from the names of atom and residue.

    Programs of molecular dynamics write no elements. If an atom is alone in a residue of the same
    name, it is the ion of this name, not carbon (CA), nitrogen (NA) or sulphur (SOD). The result
    has the new lines and the names of the ions.
    """
    sizes = Counter(line[slice(*RESIDUE)] for line in lines if line.startswith(ATOM_RECORDS))
    changed, found = [], []
    for line in lines:
        name, residue = line[12:16].strip().upper(), line[17:21].strip().upper()
        is_lone = line.startswith(ATOM_RECORDS) and sizes[line[slice(*RESIDUE)]] == 1
        if is_lone and not line[76:78].strip() and name == residue and name in IONS:
            line = f"{line.ljust(76)[:76]}{IONS[name]:>2}{line[78:]}"
            found.append(f"{name} ({IONS[name].strip().capitalize()})")
        changed.append(line)
    return changed, found


def _count_told(lines: list[str]) -> int | None:
    """Number of atoms in the MASTER record; None without one."""
    for line in lines:
        if line.startswith("MASTER") and line[50:55].strip().isdecimal():
            return int(line[50:55])
    return None


def _is_old(lines: list[str]) -> bool:
    """Whether records end with the entry's name and the line number, in place of elements."""
    atoms = [line for line in lines if line.startswith(ATOM_RECORDS)]
    names = {line[slice(*IDENTIFIER)].strip() for line in atoms}
    numbers = [line[slice(*LINE_NUMBER)].strip() for line in atoms]
    return len(names) == 1 and "" not in names and all(each.isdecimal() for each in numbers)


def _check_places(path: object, lines: list[str]) -> None:
    """Reject records that do not begin in column 1, because nothing would be read from them."""
    for number, line in enumerate(lines, 1):
        inner = line.lstrip()
        if inner != line and inner[:RECORD].upper().startswith(READ_RECORDS):
            name = inner[:RECORD].split()[0]
            raise FileFormatError(path, f"the record {name} does not begin in column 1", number)
        if line.startswith(ATOM_RECORDS) and JOINED.search(line, RECORD):
            raise FileFormatError(path, "two atoms are in one line", number)


def _check_tensors(path: object, lines: list[str]) -> int:
    """Check that ANISOU records belong to the atom before; returns the number of other serials."""
    atom: str | None = None
    renumbered = 0
    for number, line in enumerate(lines, 1):
        if line.startswith(ATOM_RECORDS):
            atom = line
        elif line.startswith("ANISOU"):
            if atom is None or not _same(atom, line, IDENTITY):
                name = " ".join(line[slice(*IDENTITY)].split())
                before = "no atom" if atom is None else " ".join(atom[slice(*IDENTITY)].split())
                raise FileFormatError(path, f"the ANISOU record of {name} follows {before}", number)
            renumbered += not _same(atom, line, SERIAL)
            for columns in TENSOR:
                _check(path, line[slice(*columns)], number, "anisotropic displacement")
    return renumbered


def _same(first: str, second: str, columns: tuple[int, int]) -> bool:
    begin, end = columns
    return first[begin:end].ljust(end - begin) == second[begin:end].ljust(end - begin)


def _check_matrices(path: object, lines: list[str]) -> None:
    """Check that rows 1, 2 and 3 of each matrix follow each other and hold numbers."""
    for kind, what in MATRICES.items():
        rows = [(number, line) for number, line in enumerate(lines, 1) if line.startswith(kind)]
        for place, (number, line) in enumerate(rows):
            first = rows[place - place % 3][1]
            expected = f"{kind}{place % 3 + 1}"
            is_other = kind == "MTRIX" and not _same(first, line, MATRIX_SERIAL)
            if line[:RECORD] != expected or is_other:
                raise FileFormatError(
                    path, f"{line[:RECORD]} in the place of {expected} of the same matrix", number
                )
            for begin, end in MATRIX_ROW:
                # a line may omit a shift of zero
                if begin < len(line.rstrip()) or begin < MATRIX_ROW[-1][0]:
                    _check(path, line[begin:end], number, what)
        if len(rows) % 3:
            raise FileFormatError(path, f"the last {kind} matrix lacks a row", rows[-1][0])


def _check(path: object, text: str, line: int, what: str) -> None:
    try:
        value = plain_number(text)
    except ValueError as error:
        raise FileFormatError(path, f"{what} is not a number: {text!r}", line) from error
    if not np.isfinite(value) or abs(value) > LARGEST_COORDINATE:
        raise FileFormatError(path, f"impossible {what}: {text!r}", line)
