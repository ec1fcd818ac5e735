"""Checks of a model's atoms: no form factor, impossible values, atoms that are listed twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.atomic_model import AtomicModel
from cupysim.formats.structures.density import ions
from cupysim.formats.structures.pdb_text import LARGEST_COORDINATE
from cupysim.formats.structures.table import listed
from cupysim.optional_libraries import require

LARGEST_B = 1e4
"""Largest possible B factor (Angstrom^2): beyond it, an atom contributes nothing."""

SAME_PLACE = 0.1
"""Distance (Angstrom) below which two atoms are in the same place."""

FULL = 1.05
"""Sum of the occupancies of one place above which atoms are counted twice."""

SPECIAL = 0.2
"""Largest distance (Angstrom) between an atom and a symmetry element it lies on."""

CLOSEST = 0.7
"""Smallest possible distance (Angstrom) between two atoms."""

SEARCHED = 1.0
"""Smallest radius (Angstrom) of the search for symmetry equivalents."""


def checked(path: object, found: AtomicModel) -> tuple[list[str], list[str]]:
    """Check the atoms of a model.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    found : AtomicModel
        The model. Impossible anisotropic displacements are deleted from it.

    Returns
    -------
    notes, warnings : list of str
        Notes and warnings about its atoms.

    Raises
    ------
    FileFormatError
        If structure factors of an atom cannot be calculated.
    """
    unknown, unoccupied, flattened, charged = [], 0, 0, Counter[tuple[str, int]]()
    negative = 0
    for each in found.model.all():
        atom = each.atom
        name = f"{atom.name} of {each.residue.name} {each.residue.seqid}"
        numbers = [*atom.pos.tolist(), atom.occ, atom.b_iso]
        far = not np.abs(numbers[:3]).max() <= LARGEST_COORDINATE
        if atom.occ < 0.0:
            raise FileFormatError(path, f"atom {name}: a negative occupancy, {atom.occ:g}")
        if far or not np.isfinite(numbers).all() or abs(atom.b_iso) > LARGEST_B:
            raise FileFormatError(
                path,
                f"atom {atom.serial} ({atom.name}): impossible position, occupancy or B factor",
            )
        if atom.element.atomic_number == 0:
            unknown.append(name)
        elif atom.element.it92 is None:
            raise FileFormatError(
                path, f"atom {name}: no form factor is known for the element {atom.element.name}"
            )
        unoccupied += atom.occ == 0.0
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
            f"{len(unknown)} atoms of unknown elements are treated as oxygen: {listed(unknown, 3)}"
        )
    if unoccupied:
        notes.append(f"{unoccupied} atoms have an occupancy of zero and are left out")
    if flattened:
        alarms.append(
            f"anisotropic B factors of {flattened} atoms are impossible; isotropic ones are used"
        )
    if negative:
        alarms.append(f"{negative} atoms have negative B factors; they are used")
    alarms += _counted_twice(found.model)
    return notes + _notes_of_ions(charged), alarms


def _notes_of_ions(charged: Counter[tuple[str, int]]) -> list[str]:
    """Notes on the form factors of ions."""
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
            ("ions with their own form factors", own),
            ("ions with form factors of neutral atoms, since no others are known", neutral),
        )
        if names
    ]


def _counted_twice(model: Any) -> list[str]:
    """Warnings about atoms that are counted more than once."""
    occupancies: dict[tuple[object, ...], float] = {}
    names, places, weights, is_light = [], [], [], []
    for number, chain in enumerate(model):
        for residue in chain:
            for atom in residue:
                name = f"{atom.name} of {residue.name} {residue.seqid}"
                # conformations may belong to different residues
                kind = residue.name if atom.altloc == "\0" else ""
                key = (number, str(residue.seqid), kind, atom.name)
                occupancies[key] = occupancies.get(key, 0.0) + atom.occ
                names.append(name)
                places.append(atom.pos.tolist())
                weights.append(atom.occ)
                is_light.append(atom.element.atomic_number == 1)
    over = [f"{key[3]} of {key[2]} {key[1]}".replace("  ", " ")
            for key, sum_ in occupancies.items() if sum_ > FULL]  # fmt: skip
    if over:
        return [f"occupancies of {len(over)} atoms add up to more than one: {listed(over, 3)}"]
    # imported here: the import takes longer than a small image
    from scipy.spatial import cKDTree

    tree = cKDTree(places)
    pairs = tree.query_pairs(SAME_PLACE)
    same = sorted(i for i, j in pairs if weights[i] + weights[j] > FULL)
    if same:
        shown = listed([names[i] for i in same], 3)
        return [f"{len(same)} atoms lie on top of another atom; both are used: {shown}"]
    # bonds of hydrogen atoms may look shorter than they are
    close = sorted(
        (i, j)
        for i, j in tree.query_pairs(CLOSEST)
        if weights[i] + weights[j] > FULL and not (is_light[i] or is_light[j])
    )
    if close:
        shown = listed([f"{names[i]} and {names[j]}" for i, j in close], 2)
        return [
            f"{len(close)} pairs of atoms are less than {CLOSEST:g} A apart, and both are used: "
            f"{shown}. Are their occupancies too large?"
        ]
    return []


def counted_by_symmetry(gemmi: Any, structure: Any) -> list[str]:
    """Warnings about atoms that coincide with symmetry equivalents of themselves or of others.

    Parameters
    ----------
    gemmi : module
        The gemmi module.
    structure : gemmi.Structure
        One model, with the images of its cell.
    """
    alarms = []
    doubled = [
        f"{each.atom.name} of {each.residue.name} {each.residue.seqid}"
        for each in structure[0].all()
        if each.atom.occ * (1 + structure.cell.is_special_position(each.atom.pos, SPECIAL)) > FULL
        and structure.cell.is_special_position(each.atom.pos, SPECIAL)
    ]
    if doubled:
        alarms.append(
            f"{len(doubled)} atoms on special positions are counted several times, because their "
            f"occupancies are not divided by the multiplicity: {listed(doubled, 3)}"
        )
    close = [
        f"{each.atom.name} of {each.residue.name} {each.residue.seqid}"
        for each in structure[0].all()
        if each.atom.occ > FULL / 2.0
        and not structure.cell.is_special_position(each.atom.pos, SPECIAL)
        and structure.cell.is_special_position(each.atom.pos, CLOSEST)
    ]
    if close:
        alarms.append(
            f"{len(close)} atoms are less than {CLOSEST:g} A from their own symmetry equivalents, "
            f"and both are used: {listed(close, 3)}. Is their occupancy too large?"
        )
    repeated, crowded = _on_equivalents(gemmi, structure)
    if repeated:
        alarms.append(
            f"{len(repeated)} atoms lie on top of a symmetry equivalent of another atom; "
            f"both are used: {listed(repeated, 3)}. If the file holds all equivalents, its group "
            "is P 1"
        )
    elif crowded:
        alarms.append(
            f"{len(crowded)} atoms are less than {CLOSEST:g} A from a symmetry equivalent of "
            f"another atom, and both are used: {listed(crowded, 3)}. Are their occupancies too "
            "large, or is the space group given in another setting?"
        )
    return alarms


def _on_equivalents(gemmi: Any, structure: Any) -> tuple[list[str], list[str]]:
    """Names of atoms in the place of a symmetry equivalent of another atom, and close to one."""
    if len(structure.cell.images) == 0:
        return [], []
    search = gemmi.NeighborSearch(structure[0], structure.cell, SEARCHED).populate()
    contacts = gemmi.ContactSearch(CLOSEST)
    contacts.ignore = gemmi.ContactSearch.Ignore.Nothing
    found, crowded = {}, {}
    for each in contacts.find_contacts(search):
        one, other = each.partner1, each.partner2
        name = f"{one.atom.name} of {one.residue.name} {one.residue.seqid}"
        if each.image_idx == 0:
            continue
        if each.dist > SAME_PLACE:
            is_light = 1 in (one.atom.element.atomic_number, other.atom.element.atomic_number)
            is_own = (one.chain.name, str(one.residue.seqid), one.atom.serial) == (
                other.chain.name, str(other.residue.seqid), other.atom.serial
            )  # fmt: skip
            if one.atom.occ + other.atom.occ > FULL and not (is_light or is_own):
                crowded[one.chain.name, name, one.atom.altloc] = name
            continue
        total = sum(
            # files may divide occupancies on special positions by the multiplicity
            atom.occ * (1 + structure.cell.is_special_position(atom.pos, SPECIAL))
            for atom in (one.atom, other.atom)
        )
        if total > FULL:
            found[one.chain.name, name, one.atom.altloc] = name
    return list(found.values()), list(crowded.values())
