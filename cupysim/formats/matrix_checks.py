"""Checks of MOSFLM matrix files: cell, U matrix, wavelength and layout."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimWarning, ModelError
from cupysim.formats.mosflm_matrix import (
    MatrixFile,
    common_factor,
    is_cell,
    read,
    reciprocal_vectors,
)
from cupysim.maths.arrays import cross, norm, unit
from cupysim.maths.cell import Lattice, oriented_lattice, reciprocal_from_cell

NOTICEABLE_TURN = 0.01 / DEGREES_PER_RADIAN
"""Smallest rotation (rad) between orientations, or difference of cell angles, worth a warning."""

NOT_A_ROTATION = 1e-3
"""Smallest departure of a U matrix from a rotation that is more than rounding."""

_OTHER_LAYOUT = (
    "its first line has six numbers, as in XPARM.XDS, not three; the first nine numbers are read "
    "as the matrix, as in nanoBragg"
)


def read_reciprocal(
    path: os.PathLike[str] | str, wavelength: float, lengths_count: bool = True
) -> np.ndarray:
    """Read reciprocal cell vectors, and warn if the rest of the file contradicts them.

    Parameters
    ----------
    path : path_like
        Matrix file.
    wavelength : float
        Wavelength in use (m).
    lengths_count : bool, optional
        Whether the cell's edges are those of the matrix. Otherwise the matrix gives only
        directions.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).

    Raises
    ------
    FileFormatError
        If the file does not start with nine finite numbers.
    ModelError
        If the vectors span no volume.
    """
    return checked_reciprocal(read(path), wavelength, lengths_count)


def checked_reciprocal(
    file: MatrixFile, wavelength: float, lengths_count: bool = True
) -> np.ndarray:
    """Reciprocal cell vectors of a matrix file, with the warnings of `read_reciprocal`.

    Parameters
    ----------
    file : MatrixFile
        Matrix file, from `read`.
    wavelength : float
        Wavelength in use (m).
    lengths_count : bool, optional
        As for `read_reciprocal`.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).

    Raises
    ------
    ModelError
        If the vectors span no volume.
    """
    reciprocal = reciprocal_vectors(file.a_matrix, wavelength)
    lattice = oriented_lattice(reciprocal)
    for message in (
        None if file.is_mosflm else _OTHER_LAYOUT,
        _other_rows(file),
        _other_hand(lattice, lengths_count),
        _other_cell(file, lattice, wavelength, lengths_count),
        _other_rotation(file, lattice),
        _missets_left_out(file),
    ):
        if message is not None:
            warnings.warn(CupysimWarning(f"{file.path}: {message}"), stacklevel=2)
    return reciprocal


def _other_rows(file: MatrixFile) -> str | None:
    """Warning about lines that hold neither three numbers each, nor all nine, nor one each."""
    counts = file.first_counts
    if not file.is_mosflm or counts == (3, 3, 3) or len(counts) in (1, 9):
        return None
    shown = " ".join(map(str, counts))
    return f"its first lines hold {shown} numbers, not 3 3 3: the first nine are the matrix"


def _other_hand(lattice: Lattice, lengths_count: bool) -> str | None:
    if lattice.volume > 0.0:
        return None
    effect = (
        "each reflection is rendered with the amplitude of its Friedel mate"
        if lengths_count
        else "-cell inverts its axes, to -a, -b, -c"
    )
    return f"the matrix is left-handed (its determinant is negative): {effect}"


def _other_cell(
    file: MatrixFile, lattice: Lattice, wavelength: float, lengths_count: bool
) -> str | None:
    """Warning if the cell in the file is not that of the matrix."""
    if file.cell is None:
        return None
    edges, angles = file.cell
    if is_cell(file, lattice, edges if lengths_count else lattice.lengths, angles):
        return None
    at = f"{wavelength / ANGSTROM:.7g} A"
    cells = (
        f"at {at} the matrix has the cell {_told(lattice.lengths, np.abs(lattice.angles))}, but "
        f"line {file.cell_line} says {_told(edges, angles)}"
    )
    factor = common_factor(file, lattice)
    if factor is not None:
        made_for = factor * wavelength / ANGSTROM
        return f"{cells}: edges differ by one factor, so it was made for {made_for:.6g} A"
    if _is_of_wrong_formula(file, lattice):
        return (
            f"{cells}; UBtoA.awk writes such matrices for cells with oblique angles, by a wrong "
            "formula; the matrix is used; cupysim orient makes a correct one"
        )
    told = "; its cell is that of the transposed matrix" if is_transposed(file) else ""
    return f"{cells}; they do not belong together{told}; the matrix is used"


def is_transposed(file: MatrixFile) -> bool:
    """Whether the cell in a file is that of the matrix with rows and columns exchanged."""
    if file.cell is None or file.wavelength() is not None:
        return False
    return replace(file, a_matrix=file.a_matrix.T).wavelength() is not None


def why_no_wavelength(file: MatrixFile) -> str:
    """Words about a file whose cell does not give a wavelength.

    Parameters
    ----------
    file : MatrixFile
        Matrix file without a wavelength.
    """
    if file.cell is None and file.odd_cell_line:
        return (
            f"has six numbers, as a cell, in line {file.odd_cell_line}; in MOSFLM's files, the "
            "cell is the eighth line of numbers: a line is missing or added"
        )
    if file.cell is None:
        return "has no cell that gives its wavelength"
    if is_transposed(file):
        return (
            f"has the cell of the transposed matrix in line {file.cell_line}: rows and columns are "
            "exchanged"
        )
    return f"has a cell in line {file.cell_line} that does not fit its matrix at any wavelength"


def _is_of_wrong_formula(file: MatrixFile, lattice: Lattice) -> bool:
    """Whether the formula of quirk Q5 gives this matrix for the cell in the file."""
    assert file.cell is not None
    try:
        wrong = oriented_lattice(reciprocal_from_cell(*file.cell))
    except (ModelError, ZeroDivisionError):
        return False
    return is_cell(file, lattice, wrong.lengths, wrong.angles)


def _other_rotation(file: MatrixFile, lattice: Lattice) -> str | None:
    """Warning if the U matrix in the file contradicts the A matrix.

    There is none for a left-handed matrix, or if the cell differs: other warnings cover these.
    """
    if file.u_matrix is None or lattice.volume <= 0.0 or common_factor(file, lattice) is None:
        return None
    where = f"the U matrix in lines {file.u_line} to {file.u_line + 2}"
    skew = np.abs(file.u_matrix @ file.u_matrix.T - np.eye(3)).max()
    if skew > NOT_A_ROTATION or np.linalg.det(file.u_matrix) < 0.0:
        return f"{where} is not a rotation; the first nine numbers are used"
    angle = min(_angle_between(file.u_matrix, each) for each in _orientations(lattice))
    scale = np.linalg.norm(lattice.reciprocal) / np.linalg.norm(file.a_matrix)
    doubt = 6.0 * file.rounding * scale * np.linalg.norm(lattice.direct)
    if angle <= NOTICEABLE_TURN + doubt:
        return None
    return (
        f"{where} is another orientation than the first nine numbers, "
        f"{angle * DEGREES_PER_RADIAN:.3g} degrees away; the first nine numbers are used"
    )


def _orientations(lattice: Lattice) -> Iterator[np.ndarray]:
    """U in the conventions of MOSFLM (a* along x, c along z) and PDB (a along x, c* along z)."""
    for along_x, along_z in (
        (lattice.reciprocal[0], lattice.direct[2]),
        (lattice.direct[0], lattice.reciprocal[2]),
    ):
        x, z = unit(along_x), unit(along_z)
        yield np.stack([x, cross(z, x), z], axis=1)


def _angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """Angle (rad) of the rotation from one orientation to another."""
    turn = first @ second.T
    twice_sine = norm(
        np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    )
    return math.atan2(float(twice_sine), float(np.trace(turn)) - 1.0)


def warn_of_other_angles(
    path: os.PathLike[str] | str, reciprocal: np.ndarray, given: Sequence[float]
) -> None:
    """Warn if the angles of -cell differ from those of the matrix, which are used.

    Parameters
    ----------
    path : path_like
        Name of the matrix file, for the message.
    reciprocal : ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).
    given : sequence of float
        a, b, c (Angstrom), and optionally alpha, beta, gamma (degrees). An angle of zero or less
        means that it is not given.
    """
    angles = np.abs(oriented_lattice(reciprocal).angles) * DEGREES_PER_RADIAN
    limit = NOTICEABLE_TURN * DEGREES_PER_RADIAN
    pairs = list(zip(given[3:], angles, strict=False))
    if not any(told > 0.0 and abs(told - angle) > limit for told, angle in pairs):
        return
    ours, others = (" ".join(f"{angle:.5g}" for angle in each) for each in (given[3:], angles))
    warnings.warn(
        CupysimWarning(
            f"-cell: its angles {ours} are not used with -mat; the angles of {path} are used, "
            f"{others} degrees; only the edges of -cell are used"
        ),
        stacklevel=2,
    )


def _missets_left_out(file: MatrixFile) -> str | None:
    if not file.missets:
        return None
    told = [
        f"{' '.join(f'{angle * DEGREES_PER_RADIAN:g}' for angle in angles)} (line {line})"
        for line, angles in file.missets.items()
    ]
    return (
        f"the missetting angles {' and '.join(told)} are not applied, as in nanoBragg; -misset X Y "
        "Z turns the crystal"
    )


def _told(edges: np.ndarray, angles: np.ndarray) -> str:
    return " ".join(f"{value:.6g}" for value in (*edges, *(angles * DEGREES_PER_RADIAN)))
