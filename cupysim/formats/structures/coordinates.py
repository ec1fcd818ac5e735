"""Structure factors of an atomic model: PDB, mmCIF and small-molecule coordinates."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError, CupysimWarning, FileFormatError, ModelError
from cupysim.formats.edge_table import EdgeTable
from cupysim.formats.structures import anomalous, atomic_model
from cupysim.formats.structures.atom_checks import checked, counted_by_symmetry
from cupysim.formats.structures.atomic_model import SMALLEST_CELL, AtomicModel
from cupysim.formats.structures.density import (
    MASK_SPACING,
    Transforms,
    check_memory,
    mask_spacing,
    symmetric,
    transforms,
)
from cupysim.formats.structures.hydrogens import add_hydrogens, incomplete
from cupysim.formats.structures.structure import FactorSlopes, Structure, unit_cell
from cupysim.formats.structures.symmetry import Symmetry, cell_text
from cupysim.formats.structures.table import listed
from cupysim.models.structure_factors import StructureFactors, check_table_size
from cupysim.models.unit_cell import UnitCell
from cupysim.optional_libraries import require

K_SOL, B_SOL = 0.35, 46.0
"""Default electron density (electrons/Angstrom^3) and B factor (Angstrom^2) of the bulk solvent:
Fokine & Urzhumtsev (2002) Acta Cryst. D58, 1387."""

SAME_EDGE, SAME_ANGLE = 0.03, 3.0
"""Relative difference of edges, and difference of angles (degrees). Up to these, a cell is that of
the same crystal, and not a box for the model."""


@dataclass(frozen=True)
class Recipe:
    """Settings for structure factors calculated from a model.

    Parameters
    ----------
    k_sol : float, optional
        Electron density of the bulk solvent (electrons/Angstrom^3); 0 for none. The default is
        `K_SOL`, but 0 for small molecules: their crystals have no bulk solvent.
    b_sol : float
        B factor that smooths the solvent's boundary (Angstrom^2).
    hydrogens : bool
        Add hydrogen atoms to residues that have none.
    contrast : bool
        F(0,0,0) is the excess of electrons over the solvent, not the number of all electrons.
    wavelengths : tuple of float
        Wavelengths (m) at which anomalous scattering is added, each with a channel.
    edges : tuple of EdgeTable
        Measured f' and f'' of some atoms.
    fewer_channels : bool
        Make channels only for those wavelengths between which f' and f'' are not linear.
    slopes : tuple of str
        Atoms with respect to whose f' and f'' structure factors are differentiated: symbols of
        elements, or selections of gemmi.
    """

    k_sol: float | None = None
    b_sol: float = B_SOL
    hydrogens: bool = False
    contrast: bool = False
    wavelengths: tuple[float, ...] = ()
    edges: tuple[EdgeTable, ...] = ()
    fewer_channels: bool = False
    slopes: tuple[str, ...] = ()


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
        PDB, mmCIF, or CIF of a small molecule, possibly compressed with gzip.
    dmin : float
        Resolution limit (m).
    recipe : Recipe, optional
        Settings for solvent, hydrogen atoms, and F(0,0,0).
    default : float, optional
        Amplitude beyond the resolution limit (electrons).
    box : UnitCell, optional
        The crystal's cell. The model stands alone in a P1 cell of this size if it has no cell, or
        if its cell differs by more than 3 % or 3 degrees.

    Returns
    -------
    Structure
        |F_atoms + k_sol exp(-b_sol s^2/4) F_mask| of the whole cell, s = 1/d, for every
        reflection within the limit.

    Raises
    ------
    FileFormatError
        If it is not a model, has several unit cells, or none and there is no `box`, or has
        impossible atoms.
    CupysimError
        If gemmi is not installed, or the grids or the table would be too large.

    Notes
    -----
    Form factors are those of the International Tables C (it92), for ions if the file has charges.
    The flat mask uses Refmac's radii. gemmi provides both.
    """
    gemmi = require("gemmi", "calculating structure factors")
    found = atomic_model.read(path)
    k_sol = recipe.k_sol
    if k_sol is None:
        k_sol = 0.0 if found.is_small_molecule else K_SOL
    notes, alarms = checked(path, found)
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
        raise CupysimError(f"{path}: {error}; give a coarser limit with -dmin") from error
    try:
        result = transforms(gemmi, structure, limit, with_solvent)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise CupysimError(f"{path}: structure factors cannot be calculated: {error}") from error
    solvent = (k_sol, recipe.b_sol)
    wavelengths = recipe.wavelengths
    if recipe.fewer_channels and wavelengths:
        wavelengths = anomalous.channel_wavelengths(gemmi, structure, wavelengths, recipe.edges)
    found_atoms = anomalous.scatterers(gemmi, structure, wavelengths, recipe.edges)
    try:
        check_table_size(tuple(int(n) for n in 2 * low + 1), max(len(wavelengths), 1))
    except ModelError as error:
        raise CupysimError(f"{path}: {error}; give fewer wavelengths") from error
    sloped = [anomalous.selected(gemmi, structure, atoms) for atoms in recipe.slopes]
    factors, slopes = _factors(
        structure, result, low, limit, solvent, default, found_atoms, wavelengths, sloped
    )
    if wavelengths:
        notes.append(anomalous.note(found_atoms, wavelengths))
    spacing = mask_spacing(structure.cell.parameters[:3], limit)
    if with_solvent and spacing > MASK_SPACING:
        notes.append(f"the grid of the solvent's mask has steps of {spacing:.2g} A")
    notes.append(_forward_note(structure.cell, result, k_sol, recipe.contrast))
    if recipe.contrast:
        contrast = abs(_contrast(structure.cell, result, k_sol))
        factors = factors.with_value((0, 0, 0), contrast)
    for text in (*found.warnings, *alarms):
        warnings.warn(CupysimWarning(f"{path}: {text}"), stacklevel=2)
    wetness = "without solvent" if result.mask is None else "with bulk solvent"
    source = f"F_calc to {limit:.2f} A {wetness}"
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
        is_calculated=True, slopes=slopes,
    )  # fmt: skip


def _with_hydrogens(found: AtomicModel, wanted: bool) -> list[str]:
    """Add hydrogen atoms if they are wanted; returns notes about them."""
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
    """Put the model into its cell; returns the space group, its name, and a line of output."""
    structure = found.structure
    if box is not None and _is_box(found, box):
        degrees = [float(np.degrees(angle)) for angle in box.angles]
        if min(box.lengths_angstrom) < SMALLEST_CELL:
            raise FileFormatError(
                path, f"the box of {cell_text(box.lengths_angstrom)} A is too small"
            )
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
            # gemmi's grids ignore the centring of A 1, C 1, F 1 ...
            symmetric(structure, symmetry.all_operators)
        else:
            structure.spacegroup_hm = known.xhm()
        count = len(symmetry.all_operators)
        note = f"space group {group}, {count} operators; unit cell {cell_text(found.cell)}"
    structure.setup_cell_images()
    alarms += counted_by_symmetry(gemmi, structure)
    return symmetry, group, note


def _is_box(found: AtomicModel, box: UnitCell) -> bool:
    """Whether a cell differs from the model's."""
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


def _factors(
    structure: Any,
    result: Transforms,
    low: np.ndarray,
    limit: float,
    solvent: tuple[float, float],
    default: float,
    scatterers: Sequence[anomalous.Scatterer],
    wavelengths: tuple[float, ...],
    sloped: Sequence[anomalous.Scatterer],
) -> tuple[StructureFactors, dict[str, FactorSlopes]]:
    """Structure factors, and their derivatives; with wavelengths, a channel for each."""
    cell = structure.cell
    k, l = np.meshgrid(*(np.arange(-n, n + 1, dtype=np.int32) for n in low[1:]), indexing="ij")
    tables = np.empty((max(len(wavelengths), 1), 2 * low[0] + 1, *k.shape))
    slopes = np.zeros((len(sloped), 2, *tables.shape))
    count = 0
    for number, h in enumerate(range(-low[0], low[0] + 1)):
        hkl = np.stack([np.full_like(k, h), k, l], axis=-1).reshape(-1, 3)
        inverse_d2 = cell.calculate_1_d2_array(hkl)
        within = inverse_d2 <= 1.0 / limit**2
        count += int(np.count_nonzero(within))
        normal = result.at(hkl[within], inverse_d2[within], *solvent)
        sums = [anomalous.sums(structure, each, hkl[within]) for each in scatterers]
        of_sloped = [anomalous.sums(structure, each, hkl[within]) for each in sloped]
        for channel, table in enumerate(tables):
            waves = normal
            for scatterer, total in zip(scatterers, sums, strict=True):
                waves = waves + scatterer.corrections[channel] * total
            values = np.full(len(hkl), default)
            values[within] = np.abs(waves)
            table[number] = values.reshape(k.shape)
            for place, total in enumerate(of_sloped):
                along = _along(waves, total)
                for part, of_part in enumerate((along.real, -along.imag)):
                    slope = np.zeros(len(hkl))
                    slope[within] = of_part
                    slopes[place, part, channel, number] = slope.reshape(k.shape)
    first = (-int(low[0]), -int(low[1]), -int(low[2]))
    # the model need not copy a table that nothing changes
    tables.setflags(write=False)
    parts = [StructureFactors(table, first, default, count) for table in tables]
    factors = StructureFactors.at_wavelengths(wavelengths, parts) if wavelengths else parts[0]
    # channels are in the order of ascending wavelengths
    order = np.argsort(wavelengths) if wavelengths else [0]
    return factors, {
        each.name: FactorSlopes(*of_atoms[:, order])
        for each, of_atoms in zip(sloped, slopes, strict=True)
    }


def _along(waves: np.ndarray, change: np.ndarray) -> np.ndarray:
    """conj(F)/|F| times a change of F: its real part is the change of |F|."""
    sizes = np.abs(waves)
    return np.asarray(np.conj(waves) * change / np.where(sizes > 0.0, sizes, np.inf))


def _forward(result: Transforms) -> tuple[float, float]:
    """Electrons of the atoms, and volume of the solvent (Angstrom^3), in the whole cell."""
    zero = np.zeros((1, 3), dtype=np.int32)
    electrons = float(result.atoms.get_value_by_hkl(zero, unblur=result.blur)[0].real)
    if result.mask is None:
        return electrons, 0.0
    return electrons, float(result.mask.get_value_by_hkl(zero)[0].real)


def _contrast(cell: Any, result: Transforms, k_sol: float) -> float:
    """Electrons of the atoms minus those of the solvent that they displace."""
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
