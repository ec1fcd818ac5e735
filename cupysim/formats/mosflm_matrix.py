"""MOSFLM orientation matrices.

A MOSFLM file has nine lines, and sometimes a tenth with the space group:

    1 to 3  A = wavelength times U times B: rows x, y, z, columns a*, b*, c*
    4       missetting angles (degrees); A does not include them
    5 to 7  U, a rotation
    8       the unit cell (Angstrom, degrees). It defines B: a* along x, b* in the xy plane
    9       missetting angles

nanoBragg reads only the first nine numbers. So does cupysim, but `matrix_checks` warns if the rest
of the file contradicts them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.other_files import HEAD, kind_of_other
from cupysim.formats.text_numbers import NUMBER, read_text
from cupysim.maths.cell import (
    Lattice,
    oriented_lattice,
    upright_reciprocal,
)

ROWS = (3, 3, 3, 3, 3, 3, 3, 6, 3)
"""Numbers in each line of a complete file."""

MISSETS, U_ROWS, CELL = (3, 8), slice(4, 7), 7
"""Rows with missetting angles, U and the cell, counted from 0."""

NOTICEABLE_LENGTH = 1e-4
"""Relative difference of edges beyond which two cells are different. In MOSFLM's files, edges agree
within 2e-6."""

NOTICEABLE_ANGLE = 0.01 / DEGREES_PER_RADIAN
"""Difference of angles (rad) beyond which two cells are different."""

FULL, MOSFLM = (18, 12, 6), (8, 8, 4)
"""Numbers of decimals of A, U and the cell: without loss, and with columns as in MOSFLM's files."""

_XPARM = re.compile(rf"\s*({NUMBER.pattern}[ \t]+){{5}}{NUMBER.pattern}[ \t]*\r?\n")
_TOUCHING = re.compile(r"(?<=[0-9.])(?=[+-])")


@dataclass(frozen=True, eq=False)
class MatrixFile:
    """Content of a matrix file.

    Parameters
    ----------
    path : str
        Name of the file.
    a_matrix : ndarray, shape (3, 3)
        Rows x, y, z; columns a*, b*, c*, times the wavelength (no unit).
    rounding : float
        Largest rounding error of the numbers in `a_matrix`.
    missets : dict of int to tuple of 3 float
        Missetting angles (rad) that are not zero, by line number.
    cell : tuple of ndarray and ndarray, or None
        Edges (Angstrom) and angles (rad), if the file has them.
    cell_line : int
        Line number of the cell; 0 for none.
    u_matrix : ndarray, shape (3, 3), or None
        U, if the file has it. Zeros or an identity matrix mean that there is none.
    u_line : int
        Number of the first line of U; 0 for none.
    is_mosflm : bool
        False if the first line holds six numbers, as in an old XPARM.XDS.
    first_counts : tuple of int
        Number of words in each of the lines that hold the nine numbers.
    odd_cell_line : int
        Line with six numbers in another place than that of the cell; 0 for none.
    """

    path: str
    a_matrix: np.ndarray
    rounding: float
    missets: dict[int, tuple[float, ...]]
    cell: tuple[np.ndarray, np.ndarray] | None
    cell_line: int
    u_matrix: np.ndarray | None = None
    u_line: int = 0
    is_mosflm: bool = True
    first_counts: tuple[int, ...] = ()
    odd_cell_line: int = 0

    def wavelength(self) -> float | None:
        """Wavelength (m) that the matrix was made for, from the cell in the file.

        Returns
        -------
        float or None
            None if the file has no cell, or if its cell does not fit the matrix at any wavelength.

        Raises
        ------
        ModelError
            If the columns of the matrix span no volume.
        """
        if self.cell is None:
            return None
        factor = common_factor(self, oriented_lattice(reciprocal_vectors(self.a_matrix, ANGSTROM)))
        return None if factor is None else factor * ANGSTROM


def read(path: os.PathLike[str] | str) -> MatrixFile:
    """Read a matrix file.

    Parameters
    ----------
    path : path_like
        File to read. It must start with nine numbers. Further lines are read if they have MOSFLM's
        layout.

    Returns
    -------
    MatrixFile
        Content of the file.

    Raises
    ------
    FileFormatError
        If the file does not start with nine finite numbers (quirk Q41).
    """
    # columns of Fortran may touch each other: -0.000409412 fills 12 characters
    content = _TOUCHING.sub(" ", read_text(path))
    fields = content.split()[:9]
    for field in fields:
        if not _is_number(field):
            kind = kind_of_other(content[:HEAD].encode())
            hint = f"; it is {kind}" if kind else ""
            problem = f"not a number: {field[:40]!a}; nine numbers are expected{hint}"
            raise FileFormatError(path, problem)
    if len(fields) < 9:
        raise FileFormatError(path, f"{len(fields)} numbers, but an A matrix has nine")
    rows = _complete_rows(content)
    missets = {
        line: tuple(angle / DEGREES_PER_RADIAN for angle in values)
        for line, values in (rows[row] for row in MISSETS if row < len(rows))
        if any(values)
    }
    cell, cell_line = None, 0
    if len(rows) > CELL:
        cell_line, values = rows[CELL]
        cell = np.array(values[:3]), np.array(values[3:]) / DEGREES_PER_RADIAN
    u_matrix, u_line = None, 0
    if len(rows) > CELL:
        given = np.array([values for _, values in rows[U_ROWS]])
        if given.any() and not np.array_equal(given, np.eye(3)):
            u_matrix, u_line = given, rows[U_ROWS][0][0]
    return MatrixFile(
        path=os.fspath(path),
        a_matrix=np.array([float(field) for field in fields]).reshape(3, 3),
        rounding=_rounding(fields),
        missets=missets,
        cell=cell,
        cell_line=cell_line,
        u_matrix=u_matrix,
        u_line=u_line,
        is_mosflm=not _XPARM.match(content),
        first_counts=tuple(_first_counts(content)),
        odd_cell_line=0 if cell is not None else _line_of_six(content),
    )


def _first_counts(content: str) -> Iterator[int]:
    """Number of words in each line, up to nine words."""
    total = 0
    for line in content.splitlines():
        count = len(line.split())
        if total < 9 and count:
            total += count
            yield count


def _is_number(field: str) -> bool:
    return NUMBER.fullmatch(field) is not None and bool(np.isfinite(float(field)))


def _line_of_six(content: str) -> int:
    """Line of the first six numbers after the matrix, as in a cell; 0 if there is none."""
    for number, line in enumerate(content.splitlines(), 1):
        words = line.split()
        if number > 3 and len(words) == 6 and all(_is_number(word) for word in words):
            return number
    return 0


def _complete_rows(content: str) -> list[tuple[int, list[float]]]:
    """Line numbers and values of the lines with MOSFLM's layout, up to the first other line."""
    lines = [(number, line.split()) for number, line in enumerate(content.splitlines(), 1)]
    rows = []
    for (number, words), count in zip((row for row in lines if row[1]), ROWS, strict=False):
        if len(words) != count or not all(_is_number(word) for word in words):
            break
        rows.append((number, [float(word) for word in words]))
    return rows


def _rounding(fields: Sequence[str]) -> float:
    """Half a unit of the last decimal of the most precise number."""
    mantissas = [field.lower().partition("e") for field in fields]
    decimals = max(
        len(digits.partition(".")[2]) - float(exponent or 0) for digits, _, exponent in mantissas
    )
    return 0.5 * 10.0 ** min(-decimals, 300.0)


def reciprocal_vectors(matrix: np.ndarray, wavelength: float) -> np.ndarray:
    """Reciprocal cell vectors from an A matrix.

    Parameters
    ----------
    matrix : ndarray, shape (3, 3)
        Rows x, y, z; columns a*, b*, c*, times the wavelength.
    wavelength : float
        Wavelength in use (m). The matrix may have been made for another one.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).
    """
    return ANGSTROM / wavelength * matrix.T


def is_cell(file: MatrixFile, lattice: Lattice, edges: np.ndarray, angles: np.ndarray) -> bool:
    """Whether a cell agrees with the matrix, within the precision of its digits.

    Parameters
    ----------
    file : MatrixFile
        Matrix file.
    lattice : Lattice
        Lattice of its matrix.
    edges, angles : ndarray, shape (3,)
        Edges (Angstrom) and angles (rad) of the cell.

    Notes
    -----
    The rows of the inverse A^-1 are a, b, c. An error E of the matrix changes it by A^-1 E A^-1.
    """
    scale = np.linalg.norm(lattice.reciprocal) / np.linalg.norm(file.a_matrix)
    doubt = 3.0 * file.rounding * scale * np.linalg.norm(lattice.direct)
    return bool(
        np.abs(edges / lattice.lengths - 1.0).max() <= NOTICEABLE_LENGTH + doubt
        and np.abs(np.abs(lattice.angles) - angles).max() <= NOTICEABLE_ANGLE + 2.0 * doubt
    )


def common_factor(file: MatrixFile, lattice: Lattice) -> float | None:
    """Ratio of the file's cell to that of the matrix; None if the cells differ in other ways.

    Parameters
    ----------
    file : MatrixFile
        Matrix file.
    lattice : Lattice
        Lattice of its matrix.
    """
    if file.cell is None:
        return None
    edges, angles = file.cell
    factor = float((edges / lattice.lengths).mean())
    if factor > 0.0 and is_cell(file, lattice, edges / factor, angles):
        return factor
    return None


def decomposed(reciprocal: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell and orientation from reciprocal cell vectors.

    Parameters
    ----------
    reciprocal : ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).

    Returns
    -------
    edges : ndarray, shape (3,)
        a, b, c (Angstrom).
    angles : ndarray, shape (3,)
        alpha, beta, gamma (rad).
    u_matrix : ndarray, shape (3, 3)
        U turns the cell into its orientation, from a* along x and b* in the xy plane. It is a
        rotation if the vectors are right-handed; otherwise its determinant is -1.

    Raises
    ------
    ModelError
        If the vectors span no volume.
    """
    lattice = oriented_lattice(reciprocal)
    edges, angles = lattice.lengths, np.abs(lattice.angles)
    return edges, angles, np.linalg.solve(upright_reciprocal(edges, angles), reciprocal).T


def text(reciprocal: np.ndarray, wavelength: float, decimals: tuple[int, int, int] = FULL) -> str:
    """Text of a complete matrix file.

    Parameters
    ----------
    reciprocal : ndarray, shape (3, 3)
        Rows a*, b*, c* (1/Angstrom).
    wavelength : float
        Wavelength (m).
    decimals : tuple of 3 int, optional
        `FULL` loses nothing; `MOSFLM` is for programs that read fixed columns.

    Returns
    -------
    str
        Nine lines without exponents: some programs do not read exponents.

    Raises
    ------
    ModelError
        If the vectors span no volume.
    """
    reciprocal = np.asarray(reciprocal, dtype=np.float64)
    edges, angles, u_matrix = decomposed(reciprocal)
    a_decimals, u_decimals, cell_decimals = decimals
    no_missets = _row((0.0, 0.0, 0.0), 12, 3)
    return "".join(
        (
            *(
                _row(row, a_decimals + 4, a_decimals)
                for row in wavelength / ANGSTROM * reciprocal.T
            ),
            no_missets,
            *(_row(row, u_decimals + 4, u_decimals) for row in u_matrix),
            _row((*edges, *(angles * DEGREES_PER_RADIAN)), cell_decimals + 8, cell_decimals),
            no_missets,
        )
    )


def _row(values: Sequence[float] | np.ndarray, width: int, decimals: int) -> str:
    # adding 0.0 removes the sign of a negative zero
    return "".join(f"{round(float(v), decimals) + 0.0:{width}.{decimals}f}" for v in values) + "\n"
