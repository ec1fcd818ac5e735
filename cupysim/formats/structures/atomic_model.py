"""Atomic models from PDB files, mmCIF files, and CIF files of small molecules."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures import b_factors, mtz
from cupysim.formats.structures.b_factors import CONFIDENCE
from cupysim.formats.structures.cell_content import other_content
from cupysim.formats.structures.cif_blocks import CELL, UNKNOWN, CifBlock, read_blocks
from cupysim.formats.structures.element_names import corrected
from cupysim.formats.structures.mmcif_atoms import (
    check_ncs,
    complete_atom_loop,
    other_places,
    remove_dummies,
    take_displacements,
)
from cupysim.formats.structures.other_models import kind_of as kind_of_other_model
from cupysim.formats.structures.pdb_text import prepared
from cupysim.formats.structures.reflections import is_cif
from cupysim.formats.structures.small_molecule import small_molecule
from cupysim.formats.structures.strict_ncs import with_copies
from cupysim.formats.structures.symmetry import Symmetry, cell_text, check_cell
from cupysim.formats.structures.table import Cell, listed
from cupysim.formats.structures.told_symmetry import by_name_or_operators
from cupysim.optional_libraries import require
from cupysim.storage.reading import content

SMALLEST_CELL = 2.0
"""Cell edge (Angstrom) below which a cell is a dummy: the model has no crystal."""

FRAME_EDGE, FRAME_ANGLE = 0.01, 1.0
"""Relative difference of edges, and difference of angles (degrees). Up to these, SCALE records and
CRYST1 describe the same cell: the records have six decimals."""

WHOLE_SITE = 1.05
"""Sum of the occupancies of a site. Up to it, models are parts of one structure."""

RESIDUAL_B = "its B factors are residual: the TLS part of the displacements is left out"
PREDICTED = re.compile("ALPHAFOLD|ESMFOLD|PLDDT|ROSETTAFOLD|OMEGAFOLD|BOLTZ|CHAI-1")
NO_ATOMS = "no atoms; a PDB or mmCIF file with coordinates is expected"

_RESIDUAL = re.compile(
    r"RESIDUAL B FACTORS ONLY|B VALUE TYPE\s*:\s*LIKELY RESIDUAL|U VALUES\s*:\s*RESIDUAL ONLY"
)
_CELL_LINE = re.compile(r"\s*\d+\.\d")
_OPERATOR_LINE = re.compile(r"REMARK 290\s+\d+555\s+(\S+)")


@dataclass(frozen=True, eq=False)
class AtomicModel:
    """Atoms of the asymmetric unit, and their crystal.

    Parameters
    ----------
    structure : gemmi.Structure
        One model, including the copies by strict non-crystallographic symmetry.
    cell : tuple of 6 float, optional
        a, b, c (Angstrom), alpha, beta, gamma (degrees), if there is a crystal.
    symmetry : Symmetry, optional
        The space group, if there is one.
    remarks : tuple of str
        Notes on what the reader did.
    warnings : tuple of str
        Warnings for the user.
    is_small_molecule : bool
        Whether the file has fractional coordinates.
    """

    structure: Any
    cell: Cell | None
    symmetry: Symmetry | None
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_small_molecule: bool = False

    @property
    def model(self) -> Any:
        """The only model of `structure`, a gemmi.Model."""
        return self.structure[0]


def read(path: os.PathLike[str] | str) -> AtomicModel:
    """Read an atomic model.

    Parameters
    ----------
    path : path_like
        PDB, mmCIF, or CIF of a small molecule, possibly compressed with gzip.

    Returns
    -------
    AtomicModel
        Atoms and crystal of the file.

    Raises
    ------
    FileFormatError
        If it is none of these, has no atoms, several cells, a cell that its space group forbids,
        or SCALE records of another cell.
    """
    data = content(path)
    if data.startswith(mtz.SIGNATURE):
        raise FileFormatError(path, "an MTZ file, without atoms: give it by -hkl")
    if is_cif(data):
        found = _read_cif(path, data)
    else:
        found = _read_pdb(path, *prepared(path, data), kind_of_other_model(data))
    found = _with_one_model(_with_ncs(path, _with_elements(found)))
    found = _with_b_factors_told(path, found)
    if found.cell is not None and found.symmetry is not None:
        check_cell(path, found.cell, found.symmetry)
    return found


def _with_b_factors_told(path: object, found: AtomicModel) -> AtomicModel:
    others = tuple(each for each in found.warnings if each != CONFIDENCE)
    alarms = b_factors.warnings_of(
        path,
        found.structure,
        found.cell is not None,
        found.is_small_molecule,
        is_said=CONFIDENCE in found.warnings,
    )
    if b_factors.NO_MOTION in alarms and any(b_factors.ASSUMED in each for each in others):
        return found
    return replace(found, warnings=(*others, *alarms))


def _read_cif(path: object, data: bytes) -> AtomicModel:
    gemmi = require("gemmi", "reading coordinates")
    blocks = read_blocks(path, data)  # type: ignore[arg-type]
    for number, block in enumerate(blocks):
        if not {"_atom_site_cartn_x", "_atom_site_fract_x"} & set(block.columns):
            continue
        # core CIF may have both; gemmi reads Cartesian coordinates of mmCIF alone
        is_core = len(block.parsed.find_values("_atom_site.Cartn_x")) == 0
        if is_core and "_atom_site_fract_x" not in block.columns:
            raise FileFormatError(
                path, "Cartesian coordinates of a core CIF; fractional ones are needed"
            )
        others = [other.name for other in blocks[number + 1 :] if "_atom_site_fract_x" in
                  other.columns or "_atom_site_cartn_x" in other.columns]  # fmt: skip
        remarks = (f"block {block.name}; not used: {listed(others)}",) if others else ()
        cells = {tuple(block.columns.get("_cell_length_a", ())) for block in blocks} - {()}
        if len(cells) > 1 and not others:
            raise FileFormatError(path, f"{len(cells)} different unit cells; one is expected")
        told = block.symmetry(path)
        symmetry, notes = told.symmetry, (*told.assumptions, *told.contradictions)
        cell, doubts = block.cell(path), block.doubts_of_cell(path)
        if is_core:
            if cell is None and len(cells) == 1:
                owner = next(each for each in blocks if "_cell_length_a" in each.columns)
                cell, doubts = owner.cell(path), owner.doubts_of_cell(path)
                if symmetry is None:
                    told = owner.symmetry(path)
                    symmetry, notes = told.symmetry, (*told.assumptions, *told.contradictions)
                remarks = (*remarks, f"the unit cell is that of block {owner.name}")
            if cell is None or min(cell[:3]) < SMALLEST_CELL:
                raise FileFormatError(path, "fractional coordinates without a possible unit cell")
            structure, more, alarms = small_molecule(path, gemmi, block, cell, symmetry)
            remarks, alarms = (*remarks, *more), [*notes, *doubts, *alarms]
            alarms += other_content(path, block, structure, symmetry)
            return AtomicModel(structure, cell, symmetry, remarks, tuple(alarms), True)
        found = _macromolecule(path, gemmi, block, symmetry, remarks)
        return replace(found, warnings=(*notes, *doubts, *found.warnings))
    if any(name.startswith("_refln_index") for block in blocks for name in block.columns):
        raise FileFormatError(path, "no atoms, but reflections: give it by -hkl")
    raise FileFormatError(path, NO_ATOMS)


def _check_atoms(path: object, structure: Any, kind: str = "") -> None:
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise FileFormatError(path, f"{NO_ATOMS}; it looks like {kind}" if kind else NO_ATOMS)


def _macromolecule(
    path: object,
    gemmi: Any,
    block: CifBlock,
    symmetry: Symmetry | None,
    remarks: tuple[str, ...],
) -> AtomicModel:
    complete_atom_loop(path, block)
    check_ncs(path, block)
    try:
        structure = gemmi.make_structure_from_block(block.parsed)
    except (RuntimeError, ValueError, IndexError) as error:
        raise FileFormatError(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    _check_atoms(path, structure)
    told = block.cell(path)
    is_written = all(block.text(name) for name in CELL)
    if told is not None and not (is_written and structure.cell.is_crystal()):
        # gemmi ignores a cell if the file does not write its right angles
        structure.cell = gemmi.UnitCell(*told)
    cell = _crystal(path, structure)
    if cell is None and told is not None:
        remarks = (*remarks, "its unit cell is a placeholder, and is not used")
    alarms = (
        *other_places(path, block, structure),
        *take_displacements(path, block, structure),
    )
    dummies = remove_dummies(gemmi, structure)
    if dummies:
        remarks = (*remarks, f"{dummies} dummy atoms are left out")
        _check_atoms(path, structure)
    titles = block.text("_struct_title") + block.text("_ma_qa_metric_name")
    is_scored = "plddt" in "".join(block.texts("_ma_qa_metric_type")).lower()
    if is_scored or PREDICTED.search(titles.upper()):
        alarms += (CONFIDENCE,)
    if "_atom_site_occupancy" not in block.columns:
        alarms += ("its atoms have no occupancies: 1 is assumed",)
    elif any(text in UNKNOWN for text in block.columns["_atom_site_occupancy"]):
        alarms += ("some atoms have no occupancy: 1 is assumed",)
    if "residual" in block.text("_refine_pdbx_tls_residual_adp_flag").lower():
        alarms += (RESIDUAL_B,)
    return AtomicModel(structure, cell, symmetry if cell is not None else None, remarks, alarms)


def _read_pdb(
    path: object, text: str, remarks: Sequence[str], alarms: Sequence[str], kind: str
) -> AtomicModel:
    gemmi = require("gemmi", "reading coordinates")
    try:
        structure = gemmi.read_pdb_string(text)
    except (RuntimeError, ValueError, IndexError) as error:
        raise FileFormatError(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    _check_atoms(path, structure, kind)
    alarms = (*alarms, *_pdb_alarms(text))
    cells = {line[6:54].strip() for line in text.splitlines() if line.startswith("CRYST1")}
    if len(cells) > 1:
        raise FileFormatError(path, f"{len(cells)} different unit cells; one is expected")
    groups = {" ".join(line[55:66].split()) for line in text.splitlines()
              if line.startswith("CRYST1")}  # fmt: skip
    if len(groups) > 1:
        raise FileFormatError(
            path, f"{len(groups)} different space groups in its CRYST1 records; one is expected"
        )
    cell = _crystal(path, structure)
    if cell is None and any(_CELL_LINE.match(each) and not _is_dummy(each) for each in cells):
        raise FileFormatError(
            path, "its CRYST1 record is not in the columns of the format (7-54), or damaged"
        )
    if cell is None:
        dummy = ("its unit cell is a placeholder, and is not used",) if cells else ()
        return AtomicModel(structure, None, None, (*remarks, *dummy), tuple(alarms))
    name = structure.spacegroup_hm
    beyond = {line[66:70].strip() for line in text.splitlines() if line.startswith("CRYST1")}
    is_cut = any(each and not each.isdecimal() for each in beyond)
    if name.count("(") != name.count(")") or is_cut:
        raise FileFormatError(path, f"CRYST1: the space group {name!r} is cut off")
    operators = [
        match[1] for line in structure.raw_remarks if (match := _OPERATOR_LINE.match(line))
    ]
    told = by_name_or_operators(path, name.strip(), operators, cell)
    alarms = (*alarms, *told.assumptions, *told.contradictions)
    return AtomicModel(structure, cell, told.symmetry, tuple(remarks), alarms)


def _is_dummy(text: str) -> bool:
    """Whether the edges in a CRYST1 record are missing, or those of a dummy."""
    numbers = [float(word) for word in re.findall(r"\d+\.\d*", text)[:3]]
    return len(numbers) < 3 or min(numbers) < SMALLEST_CELL


def _pdb_alarms(text: str) -> Iterator[str]:
    """Warnings about the atoms of a PDB file."""
    atoms = [line for line in text.splitlines() if line.startswith(("ATOM  ", "HETATM"))]
    without = sum(not line[76:78].strip() for line in atoms)
    if without:
        yield f"{without} atoms have no element (columns 77-78): it is read from their names"
    unplaced = sum(line[30:54] == "9999.000" * 3 for line in atoms)
    if unplaced:
        yield f"{unplaced} atoms at 9999.000 are used; in CNS files these atoms have no coordinates"
    before = "\n".join(
        line
        for line in text.splitlines()
        if line.startswith(("HEADER", "TITLE", "REMARK", "COMPND"))
    )
    if PREDICTED.search(before.upper()):
        yield CONFIDENCE
    if _RESIDUAL.search(text) and "TLS" in text:
        yield RESIDUAL_B


def _crystal(path: object, structure: Any) -> Cell | None:
    """The unit cell; None for a dummy."""
    cell = structure.cell
    if not cell.is_crystal() or min(cell.parameters[:3]) < SMALLEST_CELL:
        return None
    parameters: Cell = tuple(float(number) for number in cell.parameters)  # type: ignore[assignment]
    if cell.explicit_matrices:
        axes = np.array(cell.orth.mat.tolist()).T
        edges = np.linalg.norm(axes, axis=1)
        unit = axes / edges[:, np.newaxis]
        cosines = [unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]
        angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
        if (
            np.abs(edges / parameters[:3] - 1.0).max() > FRAME_EDGE
            or np.abs(angles - parameters[3:]).max() > FRAME_ANGLE
        ):
            raise FileFormatError(
                path,
                f"its SCALE records (or fract_transf_matrix) are those of the cell "
                f"{cell_text([*edges.round(3), *angles.round(2)])}, but its cell is "
                f"{cell_text(parameters)}: delete the wrong ones",
            )
        # the same cell in another orientation: gemmi makes no grids in it
        structure.standardize_crystal_frame()
    return parameters


def _with_ncs(path: object, found: AtomicModel) -> AtomicModel:
    """Add the copies that strict non-crystallographic symmetry generates."""
    remarks, alarms = with_copies(path, found.structure)
    return replace(found, remarks=(*found.remarks, *remarks), warnings=(*found.warnings, *alarms))


def _with_elements(found: AtomicModel) -> AtomicModel:
    """Correct elements that contradict the names of atoms."""
    if found.is_small_molecule:
        return found
    gemmi = require("gemmi", "reading coordinates")
    alarms = corrected(gemmi, found.structure)
    return replace(found, warnings=(*found.warnings, *alarms))


def _with_one_model(found: AtomicModel) -> AtomicModel:
    """Merge several models if the occupancies of their sites allow it; otherwise keep the first."""
    structure = found.structure
    if len(structure) == 1:
        return found
    sums: dict[tuple[object, ...], float] = {}
    for model in structure:
        for each in model.all():
            key = (each.chain.name, str(each.residue.seqid), each.residue.name, each.atom.name)
            sums[key] = sums.get(key, 0.0) + each.atom.occ
    count = len(structure)
    if max(sums.values(), default=0.0) > WHOLE_SITE:
        for number in range(count - 1, 0, -1):
            del structure[number]
        warning = (
            f"{count} models: the first one is used, {count - 1} are left out, because their "
            "occupancies add up to more than one"
        )
        return replace(found, warnings=(*found.warnings, warning))
    for number in range(1, count):
        for chain in structure[number]:
            structure[0].add_chain(chain)
    for number in range(count - 1, 0, -1):
        del structure[number]
    return replace(found, remarks=(*found.remarks, f"{count} models are added up"))
