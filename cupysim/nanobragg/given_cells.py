"""Cells that options give, compared with those of files and with space groups."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures.structure import Structure
from cupysim.models.crystal import Crystal
from cupysim.models.unit_cell import UnitCell
from cupysim.nanobragg.arguments import Arguments

NOTICEABLE_CELL = 0.005
"""Difference between two cells that is worth a warning: edges relative, angles in rad."""

ONE_FACTOR = 1e-3
"""Relative spread of the ratios of edges, up to which the edges differ by one factor."""


def requested_cell(args: Arguments, wavelength: float) -> UnitCell | None:
    """The cell that the command line gives; None if it gives none.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    wavelength : float
        Wavelength (m), for the cell of a matrix.
    """
    if args.cell is not None:
        return given_cell(args.cell)
    if args.matrix_file is not None:
        a, b, c, alpha, beta, gamma = _cell_of_matrix(args.matrix_file, wavelength)
        return UnitCell((a, b, c), (alpha, beta, gamma))
    return None


def _cell_of_matrix(path: str, wavelength: float) -> list[float]:
    """Edges (Angstrom) and angles (rad) of a matrix. Angles of left-handed axes are negative."""
    from cupysim.formats import mosflm_matrix

    matrix = mosflm_matrix.read(path).a_matrix
    reciprocal = mosflm_matrix.reciprocal_vectors(matrix, wavelength)
    lattice = Crystal(reciprocal=reciprocal).oriented().lattice
    return [*lattice.lengths.tolist(), *lattice.angles.tolist()]


def given_cell(values: Sequence[float]) -> UnitCell:
    """Complete the values of -cell. Edges that are missing or not above zero become a, angles 90.

    Parameters
    ----------
    values : sequence of float
        One to six values: edges (Angstrom), then angles (degrees).
    """
    given = [*values, *[0.0] * (6 - len(values))]
    a, b, c = (length if length > 0.0 else given[0] for length in given[:3])
    angles = [angle / DEGREES_PER_RADIAN for angle in given[3:]]
    alpha, beta, gamma = (angle if angle > 0.0 else math.pi / 2 for angle in angles)
    return UnitCell((a, b, c), (alpha, beta, gamma))


def check_given_cell(args: Arguments, structure: Structure, wavelength: float) -> None:
    """Compare the cell of options with the space group of a file without a cell.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    structure : Structure
        Content of the file.
    wavelength : float
        Wavelength (m), for the cell of a matrix.

    Raises
    ------
    FileFormatError
        If the space group forbids the cell of -cell. The cell of -mat only gives a warning, because
        it may come from indexing without the symmetry.
    """
    symmetry = structure.symmetry
    if structure.cell is not None or symmetry is None:
        return
    from cupysim.formats.structures.symmetry import check_cell

    if args.cell is not None:
        cell = given_cell(args.cell)
        degrees = [angle * DEGREES_PER_RADIAN for angle in cell.angles]
        check_cell(args.hkl_file, [*cell.lengths_angstrom, *degrees], symmetry)
    elif args.matrix_file is not None:
        numbers = np.abs(_cell_of_matrix(args.matrix_file, wavelength))
        edges, degrees = numbers[:3], (numbers[3:] * DEGREES_PER_RADIAN).tolist()
        try:
            check_cell(args.hkl_file, [*edges.tolist(), *degrees], symmetry)
        except FileFormatError as error:
            warnings.warn(CupysimWarning(f"-mat: {error}"), stacklevel=2)


def _one_factor(
    edges: np.ndarray, angles: np.ndarray, known: UnitCell, wavelength: float
) -> float | None:
    """Wavelength (Angstrom) at which a matrix has a known cell; None if there is none."""
    ratios = edges / known.lengths_angstrom
    if np.ptp(ratios) / ratios.mean() > ONE_FACTOR:
        return None
    if np.abs(np.abs(angles) - known.angles).max() > NOTICEABLE_CELL:
        return None
    return wavelength / float(ratios.mean()) / ANGSTROM


def warn_of_box(args: Arguments, box: UnitCell, own: UnitCell, wavelength: float) -> None:
    """Warn if a model's box has the shape of its cell: the matrix may be for another wavelength.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    box, own : UnitCell
        Cell of the box, and that of the model's file.
    wavelength : float
        Wavelength (m).
    """
    edges, angles = np.array(box.lengths_angstrom), np.array(box.angles)
    made_for = _one_factor(edges, angles, own, wavelength)
    if made_for is None or args.cell is not None:
        return
    factor = float((edges / own.lengths_angstrom).mean())
    warnings.warn(
        CupysimWarning(
            f"-mat: all edges of its cell are {factor:.4g} times those of {args.model_file}: was "
            f"the matrix made for {made_for:.4g} A? At {wavelength / ANGSTROM:.6g} A it gives "
            "another cell, and the model stands alone in a P 1 box"
        ),
        stacklevel=2,
    )


def warn_of_other_cell(
    args: Arguments, known: UnitCell, crystal: Crystal, beam_wavelength: float
) -> None:
    """Warn if the crystal has another cell than `known`, that of the structure factors' file."""
    lattice = crystal.oriented(args.quirks).lattice
    lengths = np.abs(lattice.lengths / known.lengths_angstrom - 1.0).max()
    angles = np.abs(lattice.angles - known.angles).max()
    if max(lengths, angles) > NOTICEABLE_CELL:
        made_for = _one_factor(lattice.lengths, lattice.angles, known, beam_wavelength)
        hint = (
            f"; all edges differ by one factor: was the matrix made for {made_for:.4g} A?"
            if made_for is not None and args.matrix_file is not None
            else ""
        )
        edges = " ".join(f"{length:g}" for length in known.lengths_angstrom)
        degrees = " ".join(f"{angle * DEGREES_PER_RADIAN:g}" for angle in known.angles)
        warnings.warn(
            CupysimWarning(
                f"the crystal's cell is not that of {args.model_file or args.hkl_file}, "
                f"{edges} {degrees}{hint}"
            ),
            stacklevel=2,
        )
