"""Models of small molecules: fractional coordinates in a CIF file."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.symmetry import Symmetry

EIGHT_PI_SQUARED = 8.0 * np.pi**2


def small_molecule(
    path: object, gemmi: Any, block: Any, symmetry: Symmetry | None
) -> tuple[Any, list[str]]:
    """A model of one residue for each site, as macromolecules have it.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    gemmi : module
        The library.
    block : gemmi.cif.Block
        A block with ``_atom_site_fract_x``.
    symmetry : Symmetry, optional
        The space group, which tells special positions.

    Returns
    -------
    structure : gemmi.Structure
        One model; occupancies of special positions are divided by their number of equal images.
    remarks : list of str
        What was done.

    Raises
    ------
    FileFormatError
        If there is no atom with coordinates, or no cell.
    """
    try:
        small = gemmi.make_small_structure_from_block(block)
    except (RuntimeError, ValueError, IndexError) as error:
        raise FileFormatError(path, f"cannot be read: {str(error).splitlines()[0]}") from error
    if not small.cell.is_crystal():
        raise FileFormatError(path, "fractional coordinates without a unit cell")
    structure = gemmi.Structure()
    structure.cell = small.cell
    model, chain = gemmi.Model(1), gemmi.Chain("A")
    orthogonal = np.array(small.cell.orth.mat.tolist())
    reciprocal = np.diag(small.cell.reciprocal().parameters[:3])
    to_cartesian = orthogonal @ reciprocal
    unplaced = special = 0
    for number, site in enumerate(small.sites, 1):
        fraction = np.array(site.fract.tolist())
        if not np.isfinite(fraction).all():
            unplaced += 1
            continue
        images = 1 if symmetry is None else _images(fraction, symmetry, orthogonal)
        special += images > 1
        atom = gemmi.Atom()
        atom.name, atom.element, atom.charge = site.label[:8], site.element, site.charge
        atom.serial = number
        atom.pos = gemmi.Position(*(orthogonal @ fraction))
        atom.occ = site.occ / images
        u_iso = site.u_iso if np.isfinite(site.u_iso) else 0.0
        atom.b_iso = EIGHT_PI_SQUARED * u_iso
        if site.aniso.nonzero():
            u = to_cartesian @ np.array(site.aniso.as_mat33().tolist()) @ to_cartesian.T
            atom.aniso = gemmi.SMat33f(u[0, 0], u[1, 1], u[2, 2], u[0, 1], u[0, 2], u[1, 2])
            atom.b_iso = EIGHT_PI_SQUARED * float(np.trace(u)) / 3.0
        residue = gemmi.Residue()
        residue.name, residue.seqid = "UNL", gemmi.SeqId(str(number))
        residue.add_atom(atom)
        chain.add_residue(residue)
    if len(chain) == 0:
        raise FileFormatError(path, "no atom with fractional coordinates")
    model.add_chain(chain)
    structure.add_model(model)
    remarks = [f"small molecule of {len(chain)} sites"]
    if special:
        remarks.append(f"{special} sites on special positions")
    if unplaced:
        remarks.append(f"{unplaced} sites without coordinates are left out")
    return structure, remarks


SAME_PLACE = 0.02
"""Distance (Angstrom) up to which an operator leaves a site where it is."""


def _images(fraction: np.ndarray, symmetry: Symmetry, orthogonal: np.ndarray) -> int:
    """How many operators leave a site where it is."""
    count = 0
    for op in symmetry.all_operators:
        moved = np.array(op.apply_to_xyz(fraction.tolist())) - fraction
        moved -= np.rint(moved)
        count += bool(np.linalg.norm(orthogonal @ moved) < SAME_PLACE)
    return count
