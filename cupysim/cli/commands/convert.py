"""Read a file as -hkl or -pdb does, and write its structure factors as a list.

    cupysim convert data.mtz P1.hkl                    h k l F in P1, for nanoBragg
    cupysim convert data.mtz data.stol                 F against sin(theta)/lambda, for nonBragg
    cupysim convert model.pdb P1.hkl --dmin 2          calculated, with bulk solvent
    cupysim convert P1.hkl data.mtz --cell 34 39 48 90 90 90
    cupysim convert shelx.hkl P1.hkl --shelx 4 --cell 5.6 5.6 4.7 90 90 90 --group 'P -4 21 m'

The content of IN decides how the file is read. The ending of OUT decides the format: .hkl or .txt,
.stol, .mtz. Options may have one dash, as in the main command.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats import hkl_text
from cupysim.formats.structures import coordinates, lists, reflections, shelx_list
from cupysim.formats.structures.columns import choose
from cupysim.formats.structures.coordinates import B_SOL, K_SOL, SAME_ANGLE, SAME_EDGE, Recipe
from cupysim.formats.structures.structure import Structure
from cupysim.formats.structures.symmetry import cell_text, check_cell
from cupysim.models.structure_factors import StructureFactors
from cupysim.models.unit_cell import UnitCell
from cupysim.nanobragg.structure_files import CONTRAST, f000_value, with_f000
from cupysim.storage.reading import content
from cupysim.storage.safe_writing import OutputFiles, is_special, refuse_inputs
from cupysim.terminal import tell

BIN_WIDTH = 0.001
"""Width of resolution bins (1/Angstrom), as in nanoBragg's mtz_to_stol.com."""

SAME_CELL = 1e-6
"""Largest difference of edges (relative) and angles (rad) between two cells that are the same."""

ENDINGS = (".hkl", ".txt", ".stol", ".mtz")
"""Endings of output files; each stands for a format."""

HKLF_AMPLITUDES, HKLF_INTENSITIES = 3, 4
"""Numbers of SHELX's formats with amplitudes and with intensities."""

REFLECTION_LOOP = re.compile(rb"^\s*_(diffrn_)?refln[._]index_h\b", re.MULTILINE)
"""Data name that only CIF files with reflections have."""

MODEL_RECORDS = (b"ATOM  ", b"HETATM", b"CRYST1", b"HEADER", b"REMARK", b"MODEL ")
"""Beginnings of lines of PDB files."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("source", metavar="IN", help="reflections or a model")
    add("target", metavar="OUT", help="NAME.hkl, NAME.txt, NAME.stol or NAME.mtz")
    add(
        "--mtzcol", "-mtzcol", metavar="F[,SIG]",
        help="column of reflections; two columns are Friedel mates, or F and D",
    )  # fmt: skip
    add("--merge", action="store_true", help="average repeated reflections")
    add("--cell", nargs=6, type=float, metavar=("A", "B", "C", "AL", "BE", "GA"),
        help="cell of a list without one; for a model, a P1 box (A, degrees)")  # fmt: skip
    add("--shelx", type=int, choices=(HKLF_AMPLITUDES, HKLF_INTENSITIES), metavar="N",
        help="IN is a SHELX list: 4 for F^2 (HKLF 4), 3 for F; needs --cell, --group")  # fmt: skip
    add("--group", metavar="NAME", help="space group of a SHELX list")
    add("--dmin", type=float, metavar="A",
        help="resolution limit (A), needed for models; finer reflections are left out")  # fmt: skip
    add("--k_sol", type=float, metavar="K",
        help="electron density of a model's bulk solvent (electrons/A^3); 0 for none; default: "
        f"{K_SOL}")  # fmt: skip
    add("--b_sol", type=float, metavar="B",
        help="B factor that smooths the boundary of the bulk solvent (A^2); default: "
        f"{B_SOL:g}")  # fmt: skip
    add(
        "--hydrogens",
        "-hydrogens",
        action="store_true",
        help="add hydrogen atoms to a model without them",
    )
    add("--F000", dest="f000", metavar="F|contrast",
        help="F(0,0,0) (electrons); 'contrast': the electrons of the model minus those of the "
        "solvent that it displaces")  # fmt: skip
    add("--bs", type=float, metavar="WIDTH",
        help=f"width of the bins of a .stol file (1/A); default: {BIN_WIDTH}")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Read structure factors, write them in another format, and return the exit status."""
    _check(arguments)
    structure = _read(arguments)
    f000 = f000_value(arguments.f000)
    if f000 is not None:
        structure = with_f000(structure, f000)
    found = lists.reflections_of(structure)
    if arguments.dmin is not None:
        found = _within(structure, found, arguments.dmin)
    for note in structure.notes:
        tell(note)
    tell(_write(arguments, structure, found))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if Path(arguments.target).suffix.lower() not in ENDINGS:
        raise CupysimError(
            f"{arguments.target}: its ending must name the format: {', '.join(ENDINGS)}"
        )
    for name in ("dmin", "bs"):
        value = getattr(arguments, name)
        if value is not None and not (np.isfinite(value) and value > 0.0):
            raise CupysimError(f"--{name}: must be positive, got {value:g}")
    for name in ("k_sol", "b_sol"):
        value = getattr(arguments, name)
        if value is not None and not (np.isfinite(value) and value >= 0.0):
            raise CupysimError(f"--{name}: must not be negative, got {value:g}")
    if arguments.shelx is not None and (arguments.cell is None or arguments.group is None):
        raise CupysimError("--shelx: needs --cell and --group, which are not in the list")
    if arguments.bs is not None and Path(arguments.target).suffix.lower() != ".stol":
        raise CupysimError("--bs: only for .stol files")
    if arguments.group is not None and arguments.shelx is None:
        raise CupysimError("--group: only for SHELX lists, together with --shelx")
    refuse_inputs(arguments.target, [arguments.source])


def _read(arguments: argparse.Namespace) -> Structure:
    path, cell = arguments.source, arguments.cell
    known = None if cell is None else UnitCell.from_degrees(*cell)
    data = content(path, reflections.HEAD)
    if arguments.shelx is not None:
        table = shelx_list.read(
            path, content(path), arguments.shelx == HKLF_INTENSITIES, tuple(cell),
            arguments.group,
        )  # fmt: skip
        chosen = choose(path, table, [])
        return reflections.structure_of(path, table, chosen, lists.UNKNOWN, arguments.merge)
    if _is_model(path, data):
        _refuse(arguments, ("mtzcol", "merge"), f"{path} is a model")
        if arguments.dmin is None:
            raise CupysimError("--dmin: a model needs a resolution limit")
        recipe = Recipe(
            arguments.k_sol,
            B_SOL if arguments.b_sol is None else arguments.b_sol,
            arguments.hydrogens,
            arguments.f000 == CONTRAST,
        )
        structure = coordinates.read(path, arguments.dmin * ANGSTROM, recipe, lists.UNKNOWN, known)
        if known is not None:
            _warn_of_other_cell(path, known, structure)
        return structure
    _refuse(arguments, ("hydrogens", "k_sol", "b_sol"), f"{path} is not a model")
    if arguments.f000 == CONTRAST:
        raise CupysimError(f"--F000: '{CONTRAST}' needs a model, which {path} is not")
    if reflections.kind_of(path) is None:
        _refuse(arguments, ("mtzcol", "merge"), f"{path} has lines of h k l F")
        factors = StructureFactors.from_list(*hkl_text.read_with_warning(path), lists.UNKNOWN)
        return Structure(factors, known, "P 1", "h k l F")
    columns = [] if arguments.mtzcol is None else arguments.mtzcol.split(",")
    structure = reflections.read(path, columns, lists.UNKNOWN, arguments.merge)
    if known is None:
        return structure
    if structure.cell is not None:
        raise CupysimError(f"--cell: {path} has a unit cell of its own")
    if structure.symmetry is not None:
        check_cell(path, cell, structure.symmetry)
    return replace(structure, cell=known)


def _warn_of_other_cell(path: str, asked: UnitCell, structure: Structure) -> None:
    """Warn that a model's own cell is used, because the given one is nearly the same."""
    used = structure.cell
    assert used is not None
    edges = np.array(asked.lengths_angstrom) / used.lengths_angstrom - 1.0
    angles = np.array(asked.angles) - used.angles
    if max(np.abs(edges).max(), np.abs(angles).max()) <= SAME_CELL:
        return
    degrees = np.degrees(used.angles)
    warnings.warn(
        CupysimWarning(
            f"--cell: not used, because it is within {SAME_EDGE:.0%} and {SAME_ANGLE:g} degrees of "
            f"the cell of {path}, {cell_text([*used.lengths_angstrom, *degrees.round(6)])}, which "
            "is used; the cell of a box must differ more"
        ),
        stacklevel=2,
    )


def _is_model(path: str, head: bytes) -> bool:
    if reflections.is_cif(head):
        data = content(path).lower()
        return REFLECTION_LOOP.search(data) is None and b"_atom_site" in data
    return head.startswith(MODEL_RECORDS) or any(
        b"\n" + record in head for record in MODEL_RECORDS[:3]
    )


def _refuse(arguments: argparse.Namespace, names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if getattr(arguments, name) not in (None, False):
            raise CupysimError(f"--{name}: {reason}")


def _within(structure: Structure, found: lists.ReflectionList, dmin: float) -> lists.ReflectionList:
    """Select reflections up to a resolution limit (Angstrom)."""
    kept = lists.inverse_d2(structure, found.hkl) <= 1.0 / dmin**2
    if not kept.any():
        raise CupysimError(f"--dmin: no reflection has a spacing of {dmin:g} A or more")
    return lists.ReflectionList(found.hkl[kept], found.amplitudes[kept])


def _write(arguments: argparse.Namespace, structure: Structure, found: lists.ReflectionList) -> str:
    """Write the file; return the line to print."""
    path, ending = arguments.target, Path(arguments.target).suffix.lower()
    replaced = os.path.exists(path) and not is_special(Path(path))
    word = "replaced" if replaced else "written"
    content = io.BytesIO()
    if ending == ".mtz":
        what = f"MTZ, {lists.write_mtz(content, structure, found)}"
    elif ending == ".stol":
        stol, amplitudes = lists.resolution_bins(structure, found, arguments.bs or BIN_WIDTH)
        lists.write_bins(content, stol, amplitudes)
        what = f"{len(stol)} bins of sin(theta)/lambda (1/A) and F (electrons)"
    else:
        lists.write_text(content, found)
        what = f"{len(found.hkl)} lines of h k l F in P1"
    with OutputFiles() as files:
        files.write(path, lambda stream: stream.write(content.getvalue()))
    return f"{word} {path}: {what}"
