"""Structure factors of an atomic model: PDB, mmCIF and small-molecule coordinates."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError, CupysimWarning, FileFormatError, ModelError
from cupysim.formats.structures import atomic_model
from cupysim.formats.structures.atomic_model import SMALLEST_CELL, AtomicModel
from cupysim.formats.structures.density import (
    MASK_SPACING,
    Transforms,
    check_memory,
    ions,
    mask_spacing,
    symmetric,
    transforms,
)
from cupysim.formats.structures.hydrogens import add_hydrogens, incomplete
from cupysim.formats.structures.pdb_text import LARGEST_COORDINATE
from cupysim.formats.structures.structure import Structure, unit_cell
from cupysim.formats.structures.symmetry import Symmetry, cell_text
from cupysim.formats.structures.table import listed
from cupysim.models.crystal import UnitCell
from cupysim.models.structure_factors import StructureFactors, check_table_size
from cupysim.optional_libraries import require

K_SOL, B_SOL = 0.35, 46.0
"""Electron density (electrons/Angstrom^3) and B factor (Angstrom^2) of the bulk solvent where
nothing is known: Fokine & Urzhumtsev (2002) Acta Cryst. D58, 1387."""

LARGEST_B = 1e4
"""B factor (Angstrom^2) beyond which an atom is nowhere."""

SAME_EDGE, SAME_ANGLE = 0.03, 3.0
"""Relative difference of edges, and difference of angles (degrees), up to which a cell is that of
the same crystal, and not a box for the model."""

SAME_PLACE = 0.1
"""Distance (Angstrom) below which two atoms are in the same place."""

FULL = 1.05
"""Sum of a place's occupancies above which it is counted twice."""


@dataclass(frozen=True)
class Recipe:
    """How structure factors are calculated from a model.

    Parameters
    ----------
    k_sol : float, optional
        Electron density of the bulk solvent (electrons/Angstrom^3); 0 for none. By default
        `K_SOL`, but none for small molecules, whose crystals have no solvent.
    b_sol : float
        B factor which smooths the solvent's boundary (Angstrom^2).
    hydrogens : bool
        Add hydrogen atoms to residues which have none.
    contrast : bool
        F(0,0,0) is the excess of electrons over the solvent, not all electrons of the cell.
    """

    k_sol: float | None = None
    b_sol: float = B_SOL
    hydrogens: bool = False
    contrast: bool = False


def read(
    path: os.PathLike[str] | str,
    dmin: float,
    recipe: Recipe = Recipe(),  # it is frozen
    default: float = 0.0,
    box: UnitCell | None = None,
) -> Structure:
    """Calculate structure factors of a model.

    Parameters
    ----------
    path : path_like
        PDB, mmCIF, or CIF of a small molecule, perhaps packed by gzip.
    dmin : float
        Resolution limit (m).
    recipe : Recipe, optional
        Solvent, hydrogen atoms, and F(0,0,0).
    default : float, optional
        Amplitude beyond the resolution limit (electrons).
    box : UnitCell, optional
        The crystal's cell. If it is another one than the model's by more than 3 % or 3 degrees,
        or the model has none, the model stands alone in a P1 cell of this size.

    Returns
    -------
    Structure
        |F_atoms + k_sol exp(-b_sol s^2/4) F_mask| of the whole cell, s = 1/d, for every
        reflection within the limit.

    Raises
    ------
    FileFormatError
        If it is not a model, has no unit cell without a `box`, or several, or impossible atoms.
    CupysimError
        If gemmi is not installed, or grids or table would be too large.

    Notes
    -----
    Form factors are those of the International Tables C (it92), of ions where the file has
    charges; the flat mask has Refmac's radii. Both are gemmi's.
    """
    gemmi = require("gemmi", "calculating structure factors")
    found = atomic_model.read(path)
    k_sol = recipe.k_sol
    if k_sol is None:
        k_sol = 0.0 if found.is_small_molecule else K_SOL
    notes, alarms = _checked(path, found)
    notes += _with_hydrogens(found, recipe.hydrogens)
    symmetry, group, note = _placed(gemmi, path, found, box, alarms)
    structure = found.structure
    limit = dmin / ANGSTROM
    with_solvent = k_sol != 0.0
    check_memory(structure.cell.parameters[:3], limit, with_solvent)
    low = np.array(structure.cell.get_hkl_limits(limit))
    try:
        check_table_size(tuple(int(n) for n in 2 * low + 1))
    except ModelError as error:
        raise CupysimError(f"{path}: {error}; give a coarser limit by -dmin") from error
    try:
        result = transforms(gemmi, structure, limit, with_solvent)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise CupysimError(f"{path}: structure factors cannot be calculated: {error}") from error
    factors = _table(structure.cell, result, low, limit, (k_sol, recipe.b_sol), default)
    spacing = mask_spacing(structure.cell.parameters[:3], limit)
    if with_solvent and spacing > MASK_SPACING:
        notes.append(f"the grid of the solvent's mask has steps of {spacing:.2g} A")
    notes.append(_forward_note(structure.cell, result, k_sol, recipe.contrast))
    if recipe.contrast:
        contrast = abs(_contrast(structure.cell, result, k_sol))
        factors = factors.with_value((0, 0, 0), contrast)
    for text in (*found.warnings, *alarms):
        warnings.warn(CupysimWarning(f"{path}: {text}"), stacklevel=2)
    solvent = "without solvent" if result.mask is None else "with bulk solvent"
    source = f"F_calc to {limit:.2f} A {solvent}"
    lines = (
        f"structure factors from {path}: {source}, of "
        f"{found.model.count_atom_sites()} atoms in the asymmetric unit",
        note,
        *(f"note: {remark}" for remark in (*found.remarks, *notes)),
    )
    own = None
    if box is not None and found.cell is not None and _is_box(found, box):
        own = UnitCell.from_degrees(*found.cell)
    return Structure(
        factors, unit_cell(structure.cell), group, source, None, lines, symmetry, own,
        is_calculated=True,
    )  # fmt: skip


def _checked(path: object, found: AtomicModel) -> tuple[list[str], list[str]]:
    """Notes and warnings about atoms; those which cannot be calculated are refused."""
    unknown, unoccupied, flattened, charged = [], 0, 0, Counter[tuple[str, int]]()
    negative = 0
    for each in found.model.all():
        atom = each.atom
        name = f"{atom.name} of {each.residue.name} {each.residue.seqid}"
        numbers = [*atom.pos.tolist(), atom.occ, atom.b_iso]
        far = not np.abs(numbers[:3]).max() <= LARGEST_COORDINATE
        if far or not np.isfinite(numbers).all() or abs(atom.b_iso) > LARGEST_B:
            raise FileFormatError(
                path,
                f"atom {atom.serial} ({atom.name}): impossible position, occupancy or B factor",
            )
        if atom.element.atomic_number == 0:
            unknown.append(name)
        elif atom.element.it92 is None:
            raise FileFormatError(
                path, f"atom {name}: no form factor is known of the element {atom.element.name}"
            )
        unoccupied += atom.occ <= 0.0
        negative += atom.b_iso < 0.0
        if atom.aniso.nonzero() and min(atom.aniso.calculate_eigenvalues()) <= 0.0:
            atom.aniso = type(atom.aniso)(0, 0, 0, 0, 0, 0)
            flattened += 1
        if atom.charge:
            charged[atom.element.name, atom.charge] += 1
    count = found.model.count_atom_sites()
    if unoccupied == count:
        raise FileFormatError(path, "no atom has an occupancy above zero")
    if len(unknown) == count:
        raise FileFormatError(path, f"no atom has a known element, the first is {unknown[0]}")
    notes, alarms = [], []
    if unknown:
        alarms.append(
            f"{len(unknown)} atoms of unknown elements are taken for oxygen: {listed(unknown, 3)}"
        )
    if unoccupied:
        notes.append(f"{unoccupied} atoms have no occupancy and do not count")
    if flattened:
        alarms.append(
            f"anisotropic B factors of {flattened} atoms are impossible; isotropic ones count"
        )
    if negative:
        alarms.append(f"{negative} atoms have negative B factors, which are used")
    alarms += _doubled(found.model)
    return notes + _notes_of_ions(charged), alarms


def _notes_of_ions(charged: Counter[tuple[str, int]]) -> list[str]:
    """Which form factors ions have."""
    gemmi = require("gemmi", "calculating structure factors")
    own: list[str] = []
    neutral: list[str] = []
    with ions(gemmi):
        for (name, charge), number in sorted(charged.items()):
            factor = gemmi.IT92_get_exact(gemmi.Element(name), charge)
            text = f"{number} {name}{abs(charge)}{'+' if charge > 0 else '-'}"
            (neutral if factor is None else own).append(text)
    return [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("ions with form factors of their own", own),
            ("ions with those of neutral atoms, since no others are known", neutral),
        )
        if names
    ]


def _doubled(model: Any) -> list[str]:
    """Warnings of atoms which count more than once."""
    occupancies: dict[tuple[object, ...], float] = {}
    names, places, weights = [], [], []
    for number, chain in enumerate(model):
        for residue in chain:
            for atom in residue:
                name = f"{atom.name} of {residue.name} {residue.seqid}"
                key = (number, str(residue.seqid), residue.name, atom.name)
                occupancies[key] = occupancies.get(key, 0.0) + atom.occ
                names.append(name)
                places.append(atom.pos.tolist())
                weights.append(atom.occ)
    over = [f"{key[3]} of {key[2]} {key[1]}" for key, sum_ in occupancies.items() if sum_ > FULL]
    if over:
        return [f"occupancies of {len(over)} atoms add up to more than one: {listed(over, 3)}"]
    pairs = cKDTree(places).query_pairs(SAME_PLACE)
    same = sorted(i for i, j in pairs if weights[i] + weights[j] > FULL)
    if same:
        shown = listed([names[i] for i in same], 3)
        return [f"{len(same)} atoms lie where another one is, and both count: {shown}"]
    return []


def _with_hydrogens(found: AtomicModel, wanted: bool) -> list[str]:
    """Add hydrogen atoms if they are wanted; what is said of them."""
    has_some = any(each.atom.is_hydrogen() for each in found.model.all())
    has_carbon = any(each.atom.element.name == "C" for each in found.model.all())
    if not wanted:
        lacks = has_carbon and not has_some
        return ["the model has no hydrogen atoms; -hydrogens adds them"] if lacks else []
    count, unknown = add_hydrogens(found.model)
    notes = [f"{count} hydrogen atoms are added"]
    lacking = incomplete(found.model)
    if lacking:
        notes.append(f"residues that lack atoms, and so hydrogen atoms: {listed(lacking)}")
    if unknown:
        notes.append(f"residues without added hydrogen atoms: {listed(unknown)}")
    return notes


def _placed(
    gemmi: Any, path: object, found: AtomicModel, box: UnitCell | None, alarms: list[str]
) -> tuple[Symmetry | None, str, str]:
    """Put the model into its cell; gives the space group, its name and a line for people."""
    structure = found.structure
    if box is not None and _is_box(found, box):
        degrees = [float(np.degrees(angle)) for angle in box.angles]
        if min(box.lengths_angstrom) < SMALLEST_CELL:
            raise FileFormatError(path, f"a cell of {cell_text(box.lengths_angstrom)} A")
        structure.cell = gemmi.UnitCell(*box.lengths_angstrom, *degrees)
        structure.spacegroup_hm = "P 1"
        _warn_of_tight_box(found, alarms)
        symmetry, group = None, "P 1"
        note = f"the model stands alone in a P 1 cell of {cell_text(structure.cell.parameters)}"
        if found.cell is not None:
            note += f", not in its own of {cell_text(found.cell)}"
    else:
        if found.cell is None:
            raise FileFormatError(
                path, "no unit cell (CRYST1 or _cell records); -cell puts the model into a P1 box"
            )
        if found.symmetry is None:
            raise FileFormatError(path, "no space group")
        symmetry = found.symmetry
        group, known = symmetry.name, symmetry.group
        if known is None or known.number == 1:
            # gemmi's grids leave the centring of A 1, C 1, F 1 ... out
            symmetric(structure, symmetry.all_operators)
        else:
            structure.spacegroup_hm = known.xhm()
        count = len(symmetry.all_operators)
        note = f"space group {group}, {count} operators; unit cell {cell_text(found.cell)}"
    structure.setup_cell_images()
    _warn_of_special_positions(structure, alarms)
    return symmetry, group, note


def _is_box(found: AtomicModel, box: UnitCell) -> bool:
    """Whether a cell is another one than the model's."""
    if found.cell is None or found.symmetry is None:
        return True
    edges = np.array(box.lengths_angstrom) / found.cell[:3] - 1.0
    angles = np.degrees(box.angles) - found.cell[3:]
    return bool(np.abs(edges).max() > SAME_EDGE or np.abs(angles).max() > SAME_ANGLE)


def _warn_of_tight_box(found: AtomicModel, alarms: list[str]) -> None:
    places = np.array([each.atom.pos.tolist() for each in found.model.all()])
    fractions = places @ np.array(found.structure.cell.frac.mat.tolist()).T
    if np.ptp(fractions, axis=0).max() >= 1.0:
        extent = " x ".join(f"{edge:.0f}" for edge in np.ptp(places, axis=0))
        alarms.append(f"the model, of {extent} A, is larger than the box and overlaps itself")


def _warn_of_special_positions(structure: Any, alarms: list[str]) -> None:
    doubled = [
        f"{each.atom.name} of {each.residue.name} {each.residue.seqid}"
        for each in structure[0].all()
        if each.atom.occ * (1 + structure.cell.is_special_position(each.atom.pos, 0.2)) > FULL
        and structure.cell.is_special_position(each.atom.pos, 0.2)
    ]
    if doubled:
        alarms.append(
            f"{len(doubled)} atoms on special positions count several times, since their "
            f"occupancies do not say so: {listed(doubled, 3)}"
        )


def _table(
    cell: Any,
    result: Transforms,
    low: np.ndarray,
    limit: float,
    solvent: tuple[float, float],
    default: float,
) -> StructureFactors:
    k, l = np.meshgrid(*(np.arange(-n, n + 1, dtype=np.int32) for n in low[1:]), indexing="ij")
    table = np.empty((2 * low[0] + 1, *k.shape))
    count = 0
    for h, plane in zip(range(-low[0], low[0] + 1), table, strict=True):
        hkl = np.stack([np.full_like(k, h), k, l], axis=-1).reshape(-1, 3)
        inverse_d2 = cell.calculate_1_d2_array(hkl)
        within = inverse_d2 <= 1.0 / limit**2
        count += int(np.count_nonzero(within))
        values = np.full(len(hkl), default)
        values[within] = np.abs(result.at(hkl[within], inverse_d2[within], *solvent))
        plane[...] = values.reshape(plane.shape)
    first = (-int(low[0]), -int(low[1]), -int(low[2]))
    # so that the model need not copy it
    table.setflags(write=False)
    return StructureFactors(table, first, default, count)


def _forward(result: Transforms) -> tuple[float, float]:
    """Electrons of the atoms, and volume of the solvent (Angstrom^3), of the whole cell."""
    zero = np.zeros((1, 3), dtype=np.int32)
    electrons = float(result.atoms.get_value_by_hkl(zero, unblur=result.blur)[0].real)
    if result.mask is None:
        return electrons, 0.0
    return electrons, float(result.mask.get_value_by_hkl(zero)[0].real)


def _contrast(cell: Any, result: Transforms, k_sol: float) -> float:
    """Electrons of the atoms beyond those of the solvent which they displace."""
    electrons, solvent = _forward(result)
    return electrons - k_sol * (cell.volume - solvent)


def _forward_note(cell: Any, result: Transforms, k_sol: float, wants_contrast: bool) -> str:
    electrons, solvent = _forward(result)
    if result.mask is None:
        return f"F(0,0,0) is {electrons:.0f} electrons"
    total = electrons + k_sol * solvent
    contrast = _contrast(cell, result, k_sol)
    if wants_contrast:
        return (
            f"F(0,0,0) is {abs(contrast):.0f} electrons (contrast to the solvent); the whole cell "
            f"has {total:.0f}"
        )
    return (
        f"F(0,0,0) is {total:.0f} electrons (whole cell); the contrast to the solvent is "
        f"{contrast:.0f}"
    )
