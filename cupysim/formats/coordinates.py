"""Structure factors of an atomic model: PDB and mmCIF coordinates, through gemmi."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats.optional import require
from cupysim.formats.reflections import content
from cupysim.formats.structure import Structure, unit_cell
from cupysim.models.structure_factors import StructureFactors, check_table_size

K_SOL, B_SOL = 0.35, 46.0
"""Electron density (electrons/Angstrom^3) and B factor (Angstrom^2) of the bulk solvent where
nothing is known: Fokine & Urzhumtsev (2002) Acta Cryst. D58, 1387."""

SAMPLING_RATE = 2.0
"""Grid points of the density for the finest wave, times two."""

MASK_SPACING = 0.6
"""Of the solvent mask's grid (Angstrom), always the same, so that a reflection's amplitude does not
depend on the limit."""

FINEST_SOLVENT = 1.3
"""Resolution (Angstrom) to which the solvent counts: its grid knows no more, and little is left."""

LARGEST_B = 1e4
"""B factor (Angstrom^2) beyond which an atom is nowhere."""

SMALLEST_CELL = 2.0
"""Edges (Angstrom) below which a cell is the dummy of a model without a crystal."""


def read(
    path: os.PathLike[str] | str,
    dmin: float,
    k_sol: float = K_SOL,
    b_sol: float = B_SOL,
    default: float = 0.0,
) -> Structure:
    """Calculate structure factors of a model.

    Parameters
    ----------
    path : path_like
        PDB or mmCIF file, perhaps packed by gzip. Its first model counts; no hydrogen atom
        is added.
    dmin : float
        Resolution limit (m).
    k_sol : float, optional
        Electron density of the bulk solvent (electrons/Angstrom^3); 0 for none.
    b_sol : float, optional
        B factor which smooths the solvent's boundary (Angstrom^2).
    default : float, optional
        Amplitude beyond the resolution limit (electrons).

    Returns
    -------
    Structure
        |F_atoms + k_sol exp(-b_sol s^2/4) F_mask| of the whole cell, s = 1/d, for every
        reflection within the limit; F(0,0,0) is the number of electrons.

    Raises
    ------
    FileFormatError
        If it is no model, or has no unit cell, or several.
    CupysimError
        If gemmi is not installed, or the table would be too large.

    Notes
    -----
    Form factors are those of the International Tables C (it92), the flat mask that of
    Refmac's radii; both are gemmi's. Models for F_total: Fokine & Urzhumtsev (2002).
    """
    gemmi = require("gemmi", "calculating structure factors")
    model = _open(gemmi, path)
    limit = dmin / ANGSTROM
    low = np.array(model.cell.get_hkl_limits(limit))
    check_table_size(tuple(int(n) for n in 2 * low + 1))
    try:
        atoms, blur = _density(gemmi, model, limit)
        mask = _solvent(gemmi, model) if k_sol != 0.0 else None
    except (RuntimeError, ValueError, MemoryError) as error:
        raise CupysimError(f"{path}: structure factors cannot be calculated: {error}") from error
    k, l = np.meshgrid(*(np.arange(-n, n + 1, dtype=np.int32) for n in low[1:]), indexing="ij")
    table = np.empty((2 * low[0] + 1, *k.shape))
    count = 0
    for h, plane in zip(range(-low[0], low[0] + 1), table, strict=True):
        hkl = np.stack([np.full_like(k, h), k, l], axis=-1).reshape(-1, 3)
        inverse_d2 = model.cell.calculate_1_d2_array(hkl)
        values = atoms.get_value_by_hkl(hkl, unblur=blur)
        if mask is not None:
            coarse = inverse_d2 < 1.0 / FINEST_SOLVENT**2
            smoothing = k_sol * np.exp(-b_sol / 4.0 * inverse_d2[coarse])
            values[coarse] += smoothing * mask.get_value_by_hkl(hkl[coarse])
        within = inverse_d2 <= 1.0 / limit**2
        count += int(np.count_nonzero(within))
        plane[...] = np.where(within, np.abs(values), default).reshape(plane.shape)
    first = (-int(low[0]), -int(low[1]), -int(low[2]))
    return Structure(
        StructureFactors(table, first, default, count),
        unit_cell(model.cell),
        model.spacegroup_hm,
        f"F_calc to {limit:.2f} A" + ("" if mask is None else " with bulk solvent"),
    )


def _open(gemmi: Any, path: os.PathLike[str] | str) -> Any:
    """The model, with a unit cell and a space group."""
    text = content(path).decode("utf-8", "replace")
    try:
        model = gemmi.read_structure_string(text)
    except (RuntimeError, ValueError, IndexError) as error:
        raise FileFormatError(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    if len(model) == 0 or model[0].count_atom_sites() == 0:
        raise FileFormatError(path, "no atoms; a PDB or mmCIF file with coordinates is expected")
    cells = {line[6:54].strip() for line in text.splitlines() if line.startswith("CRYST1")}
    if text.count("_cell.length_a") > 1:
        cells |= {str(block.find_value("_cell.length_a")) for block in gemmi.cif.read_string(text)}
    if len(cells) > 1:
        raise FileFormatError(path, f"{len(cells)} different unit cells; one is expected")
    if not model.cell.is_crystal() or min(model.cell.parameters[:3]) < SMALLEST_CELL:
        raise FileFormatError(path, "no unit cell (CRYST1 or _cell records)")
    if gemmi.find_spacegroup_by_name(model.spacegroup_hm) is None:
        raise FileFormatError(path, f"unknown space group {model.spacegroup_hm!r}")
    _check_atoms(path, model[0])
    model.setup_cell_images()
    return model


def _check_atoms(path: object, model: Any) -> None:
    """Refuse atoms whose density cannot be calculated, some of which would take for ever."""
    for each in model.all():
        atom = each.atom
        numbers = [*atom.pos.tolist(), atom.occ, atom.b_iso]
        if not np.isfinite(numbers).all() or abs(atom.b_iso) > LARGEST_B:
            raise FileFormatError(
                path,
                f"atom {atom.serial} ({atom.name}): impossible position, occupancy or B factor",
            )


def _density(gemmi: Any, model: Any, limit: float) -> tuple[Any, float]:
    """Transform of the atoms' density, and the B factor by which it was blurred."""
    density = gemmi.DensityCalculatorX()
    density.d_min = limit
    density.rate = SAMPLING_RATE
    density.cutoff = 1e-6
    density.grid.setup_from(model)
    density.set_refmac_compatible_blur(model[0])
    density.put_model_density_on_grid(model[0])
    return gemmi.transform_map_to_f_phi(density.grid), density.blur


def _solvent(gemmi: Any, model: Any) -> Any:
    """Transform of the solvent's mask."""
    mask = gemmi.FloatGrid()
    mask.setup_from(model, spacing=MASK_SPACING)
    gemmi.SolventMasker(gemmi.AtomicRadiiSet.Refmac).put_mask_on_float_grid(mask, model[0])
    return gemmi.transform_map_to_f_phi(mask)
