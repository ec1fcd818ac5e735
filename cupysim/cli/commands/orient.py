"""Make a MOSFLM matrix file from a cell and angles, or at random, or read such a file.

    cupysim orient --cell A B C AL BE GA --misset X Y Z --lambda A NEW.mat
    cupysim orient --cell A B C AL BE GA --random --lambda A NEW.mat
    cupysim orient --matrix OLD.mat --misset X Y Z --lambda A NEW.mat
    cupysim orient OLD.mat
    cupysim orient --random --number 100

The start is a matrix, or a cell with a* along x and b* in the xy plane, turned by --umatrix. It is
turned about x, then y, then z by --misset, as by the drop-in command's -misset, or at random. The
cell and the orientation are printed, and written if a file is named. With a file alone, its matrix
is read and printed.
"""

from __future__ import annotations

import argparse
import math
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cupysim.campaign.definition.campaign_file import LARGEST_SEED
from cupysim.campaign.definition.distributions import uniform_deviates
from cupysim.campaign.definition.shots import any_rotation, turned
from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.drop_ins.units import ANGSTROM, DEGREE
from cupysim.errors import CupysimError
from cupysim.formats import matrix_checks, mosflm_matrix
from cupysim.maths.cell import reciprocal_from_cell, upright_reciprocal
from cupysim.maths.rotations import rotate_xyz, xyz_angles
from cupysim.models.unit_cell import UnitCell
from cupysim.storage.safe_writing import OutputFiles, is_special, refuse_inputs
from cupysim.terminal import Report, say, tell

SAME = 1e-6
"""Relative difference of cells beyond which the printed options include -corrected Q5."""

NOT_A_ROTATION = 1e-3
"""Largest departure of a U matrix from a rotation that may be rounding."""

DRAWN_SEEDS = 2**31
"""Upper limit of seeds that are drawn; they are short enough to type."""

MOST = 10_000_000
"""Largest number of rotations that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE",
        help="matrix to write with --cell or --matrix; otherwise the matrix to read")  # fmt: skip
    add("--cell", nargs=6, type=float, metavar=("A", "B", "C", "AL", "BE", "GA"),
        help="start with this cell (A, degrees)")  # fmt: skip
    add("--matrix", metavar="FILE", help="start with this matrix")
    add("--matrix-lambda", type=float, metavar="A",
        help="wavelength (A) of --matrix; default: from its cell, or --lambda")  # fmt: skip
    add("--umatrix", nargs=9, type=float, metavar="U",
        help="turn the cell by this rotation: rows of the U matrix of a MOSFLM file")  # fmt: skip
    add("--misset", nargs=3, type=float, metavar=("X", "Y", "Z"),
        help="then turn about x, y and z (degrees)")  # fmt: skip
    add("--random", action="store_true",
        help="replace the start's orientation by a random one, all equally likely")  # fmt: skip
    add("--spread", type=float, metavar="DEG",
        help="with --random: turn the start about any axis, by at most this angle")  # fmt: skip
    add("--seed", type=int, metavar="N",
        help="seed of --random; without it, a seed is drawn and printed")  # fmt: skip
    add("--number", type=int, metavar="N",
        help="with --random alone: print N rotations, three lines each, as "
        "random_orientations.com does: the number and a row of the matrix")  # fmt: skip
    add("--lambda", type=float, dest="wavelength", metavar="A",
        help="wavelength (A) of the file to write or read; default: that of the matrix, from the "
        "cell in its file")  # fmt: skip
    add("--mosflm", action="store_true",
        help="write eight decimals in columns of 12, for programs that read columns")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Make, turn or read a matrix, and return the exit status."""
    _check(arguments)
    if arguments.number is not None:
        _print_rotations(arguments)
        return 0
    seed = _seed(arguments) if arguments.random else None
    wavelength = arguments.wavelength
    if arguments.cell is not None:
        reciprocal = _of_cell(arguments.cell, arguments.umatrix)
        notes: list[str] = []
    else:
        reciprocal, wavelength, notes = _of_matrix(arguments)
    reciprocal = _turned(reciprocal, arguments, seed)
    lines = [*notes, *_report(reciprocal, wavelength, seed)]
    if arguments.file is not None and _makes(arguments):
        lines.append(_write(arguments, reciprocal, wavelength))
    for line in lines:
        tell(line)
    return 0


def _makes(arguments: argparse.Namespace) -> bool:
    return arguments.cell is not None or arguments.matrix is not None


def _check(arguments: argparse.Namespace) -> None:
    """Reject impossible numbers, and options that cannot be combined."""
    _check_numbers(arguments)
    for name in _given(arguments, "spread", "seed", "number"):
        if not arguments.random:
            raise CupysimError(f"{name}: only with --random")
    if arguments.number is not None:
        others = ("file", "cell", "matrix", "matrix_lambda", "umatrix", "misset", "wavelength",
                  "mosflm")  # fmt: skip
        if _given(arguments, *others):
            raise CupysimError("--number: only with --random, --spread and --seed")
        return
    if not _makes(arguments):
        turns = _given(arguments, "matrix_lambda", "umatrix", "misset", "random", "mosflm")
        if turns or arguments.file is None:
            what = turns[0] if turns else "nothing to do"
            raise CupysimError(f"{what}: give --cell or --matrix to start with, or a FILE to read")
    if arguments.cell is not None and arguments.matrix is not None:
        raise CupysimError("--cell and --matrix: give one of them")
    if arguments.cell is None and arguments.umatrix is not None:
        raise CupysimError("--umatrix: only with --cell")
    if arguments.matrix is None and arguments.matrix_lambda is not None:
        raise CupysimError("--matrix-lambda: only with --matrix")
    if arguments.random and arguments.spread is None:
        for name in _given(arguments, "umatrix", "misset"):
            raise CupysimError(f"{name}: --random replaces it, unless with --spread")
    if arguments.cell is not None and arguments.file is not None and arguments.wavelength is None:
        raise CupysimError("--lambda is missing: the numbers of a matrix file depend on it")
    if arguments.mosflm and arguments.file is None:
        raise CupysimError("--mosflm: no FILE to write is named")


def _given(arguments: argparse.Namespace, *names: str) -> list[str]:
    """Those of the named options that are given, as written on the command line."""
    values = ((name, getattr(arguments, name)) for name in names)
    return [
        f"--{name.replace('_', '-')}"
        for name, value in values
        if value is not None and value is not False
    ]


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in ("cell", "umatrix", "misset"):
        if not all(math.isfinite(number) for number in getattr(arguments, name) or ()):
            raise CupysimError(f"--{name}: expected finite numbers")
    for name, value in (
        ("matrix-lambda", arguments.matrix_lambda),
        ("lambda", arguments.wavelength),
    ):
        if value is not None and not 0.0 < value < math.inf:
            raise CupysimError(f"--{name}: expected a wavelength (A) above zero, got {value:g}")
    for name, largest in (("spread", 180), ("seed", LARGEST_SEED)):
        value = getattr(arguments, name)
        if value is not None and not 0 <= value <= largest:
            raise CupysimError(f"--{name}: expected a number from 0 to {largest}, got {value}")
    if arguments.number is not None and not 1 <= arguments.number <= MOST:
        raise CupysimError(f"--number: expected a number from 1 to {MOST}, got {arguments.number}")


def _seed(arguments: argparse.Namespace) -> int:
    return secrets.randbelow(DRAWN_SEEDS) if arguments.seed is None else int(arguments.seed)


def _of_cell(cell: Sequence[float], umatrix: Sequence[float] | None) -> np.ndarray:
    """Rows a*, b*, c* (1/Angstrom) of a cell, in the orientation of a U matrix."""
    unit_cell = UnitCell.from_degrees(*cell)
    reciprocal = upright_reciprocal(unit_cell.lengths_angstrom, unit_cell.angles)
    if umatrix is None:
        return reciprocal
    u_matrix = np.array(umatrix).reshape(3, 3)
    error = float(np.abs(u_matrix @ u_matrix.T - np.eye(3)).max())
    if error > NOT_A_ROTATION:
        raise CupysimError(
            "--umatrix: not a rotation: its rows must be unit vectors at right angles; their "
            f"products are off by {error:.2g}"
        )
    if np.linalg.det(u_matrix) < 0.0:
        raise CupysimError("--umatrix: not a rotation but left-handed: its determinant is -1")
    # the nearest rotation, so that rounded numbers do not change the cell
    left, _, right = np.linalg.svd(u_matrix)
    return reciprocal @ (left @ right).T


def _of_matrix(arguments: argparse.Namespace) -> tuple[np.ndarray, float, list[str]]:
    """Rows a*, b*, c* (1/Angstrom) of a matrix, the wavelength in use (A), lines to print."""
    path = arguments.file if arguments.matrix is None else arguments.matrix
    file = mosflm_matrix.read(path)
    wavelength, made_for = arguments.wavelength, arguments.matrix_lambda
    if made_for is None and arguments.matrix is None:
        # a file alone is read as the drop-in command reads it
        made_for = wavelength
    notes = []
    if made_for is None:
        told = file.wavelength()
        made_for = wavelength if told is None else told / ANGSTROM.to_si(1.0)
        if made_for is None:
            reason = matrix_checks.why_no_wavelength(file)
            raise CupysimError(f"--lambda is missing: {path} {reason}")
        if wavelength is not None and _same(made_for, wavelength):
            # the given wavelength has more digits
            made_for = wavelength
        elif told is not None:
            notes = [f"{path} was made for {made_for:.6g} A, according to its cell"]
    reciprocal = matrix_checks.checked_reciprocal(file, ANGSTROM.to_si(made_for))
    return reciprocal, wavelength or made_for, notes


def _same(first: float, second: float) -> bool:
    return abs(first / second - 1.0) <= mosflm_matrix.NOTICEABLE_LENGTH


def _turned(reciprocal: np.ndarray, arguments: argparse.Namespace, seed: int | None) -> np.ndarray:
    if arguments.misset is not None:
        reciprocal = rotate_xyz(reciprocal, [DEGREE.to_si(angle) for angle in arguments.misset])
    if seed is None:
        return reciprocal
    if arguments.spread is None:
        edges, angles, _ = mosflm_matrix.decomposed(reciprocal)
        reciprocal = upright_reciprocal(edges, angles)
    return reciprocal @ _rotation(seed, 0, arguments.spread).T


def _rotation(seed: int, number: int, spread: float | None) -> np.ndarray:
    """The rotation that a campaign with this seed draws for the shot with this number."""
    deviates = uniform_deviates(seed, "orientation", number, 0, 3)
    if spread is None:
        return any_rotation(deviates)
    return turned(np.eye(3), DEGREE.to_si(spread), deviates).T


def _print_rotations(arguments: argparse.Namespace) -> None:
    seed = _seed(arguments)
    if arguments.seed is None:
        say(f"cupysim orient: --seed {seed} draws these rotations again\n")
    report = Report(sys.stdout)
    for number in range(arguments.number):
        for row in _rotation(seed, number, arguments.spread):
            report(f"{number:6d} {_numbers(row, 15, 12)}")
    report.flush()


def _numbers(values: Iterable[float], width: int, decimals: int) -> str:
    """Format numbers in columns, without the sign of numbers that are rounded to zero."""
    return " ".join(f"{round(float(v), decimals) + 0.0:{width}.{decimals}f}" for v in values)


def _report(reciprocal: np.ndarray, wavelength: float | None, seed: int | None) -> Iterator[str]:
    """Lines that describe cell and orientation."""
    edges, angles, u_matrix = mosflm_matrix.decomposed(reciprocal)
    degrees = angles * DEGREES_PER_RADIAN
    yield f"cell          {_numbers(edges, 0, 4)} A, {_numbers(degrees, 0, 4)} degrees"
    if wavelength is not None:
        yield f"wavelength    {wavelength:.6g} A"
    for name, row in zip(("U", "", ""), u_matrix, strict=True):
        yield f"{name:13}{_numbers(row, 12, 8)}"
    if np.linalg.det(u_matrix) < 0.0:
        yield "hand          left: no missetting angles give this orientation"
    else:
        missets = xyz_angles(u_matrix) * DEGREES_PER_RADIAN
        yield "hand          right"
        yield f"misset        {_numbers(missets, 0, 4)} degrees"
        yield f"as options    {_options(edges, angles, missets)}"
    if seed is not None:
        yield f"seed          {seed}"


def _options(edges: np.ndarray, angles: np.ndarray, missets: np.ndarray) -> str:
    """Options of the drop-in command that make the same crystal; missetting angles in degrees."""
    cell = " ".join(f"{value:.9g}" for value in (*edges, *(angles * DEGREES_PER_RADIAN)))
    turn = " ".join(f"{round(float(angle), 8) + 0.0:.10g}" for angle in missets)
    # without this correction, -cell gives another cell
    correct = reciprocal_from_cell(edges, angles)[2, 2] * edges[2]
    return f"-cell {cell} -misset {turn}{'' if abs(correct - 1.0) <= SAME else ' -corrected Q5'}"


def _write(arguments: argparse.Namespace, reciprocal: np.ndarray, wavelength: float) -> str:
    """Write the matrix; return the line to print."""
    path = arguments.file
    refuse_inputs(path, [] if arguments.matrix is None else [arguments.matrix])
    decimals = mosflm_matrix.MOSFLM if arguments.mosflm else mosflm_matrix.FULL
    text = mosflm_matrix.text(reciprocal, ANGSTROM.to_si(wavelength), decimals)
    replaced = os.path.exists(path) and not is_special(Path(path))
    with OutputFiles() as files:
        files.write(path, lambda stream: stream.write(text.encode()))
    return f"{'replaced' if replaced else 'written':13} {path}"
