"""Electrons in the cell of a small molecule, compared with those that its file tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.cif_blocks import CifBlock, cif_number
from cupysim.formats.structures.symmetry import Symmetry

F_000 = "_exptl_crystal_f_000"
FORMULA = "_chemical_formula_sum"
TYPE, DISPERSION = "_atom_type_symbol", "_atom_type_scat_dispersion_real"

RADIATION = ("_diffrn_radiation_probe", "_diffrn_radiation_type")
OTHER_PROBES = ("neutron", "electron")
"""Items that name the radiation, and kinds for which F(0,0,0) is not a number of electrons."""

MASKED = ("_platon_squeeze", "_smtbx_masks", "_olex2_smtbx_masks")
"""Prefixes of items about solvent that has no atoms."""

SAME = 0.10
"""Relative difference up to which numbers of electrons agree: some programs add f'."""

_ELEMENT = re.compile(r"[A-Z][a-z]?")


def other_content(
    path: object, block: CifBlock, structure: Any, symmetry: Symmetry | None
) -> Iterator[str]:
    """Warning about a number of electrons in the cell that is not that of the sites.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    block : CifBlock
        Block with the sites.
    structure : gemmi.Structure
        Its model. Occupancies of special positions are divided by the order of the site.
    symmetry : Symmetry, optional
        Space group.
    """
    radiation = " ".join(text for name in RADIATION for text in block.texts(name)).lower()
    try:
        told = cif_number(path, F_000, block.text(F_000)) if block.text(F_000) else 0.0
    except FileFormatError:
        return
    if not told > 0.0 or any(each in radiation for each in OTHER_PROBES):
        return
    atoms = [each.atom for each in structure[0].all()]
    copies = 1 if symmetry is None else len(symmetry.all_operators)
    own = copies * sum(atom.occ * (atom.element.atomic_number - atom.charge) for atom in atoms)
    dispersion = _dispersion(path, block)
    anomalous = copies * sum(
        atom.occ * dispersion.get(atom.element.name.upper(), 0.0) for atom in atoms
    )
    sums = [own, own + anomalous]
    if any(abs(each - told) <= SAME * told for each in sums):
        return
    if own < told and not _is_complete(block, atoms):
        return
    yield (
        f"its sites have {own:.4g} electrons in the cell, but its _exptl_crystal_F_000 is "
        f"{told:.6g}: are its occupancies right? Some old programs multiply them by the "
        "multiplicity of the site, and divide by the order of the group"
    )


def _dispersion(path: object, block: CifBlock) -> dict[str, float]:
    """The f' of each element, by its symbol in capitals."""
    names = block.texts(TYPE)
    if len(block.columns.get(DISPERSION, ())) != len(names) or not names:
        return {}
    try:
        values = block.numbers(path, DISPERSION)
    except FileFormatError:
        return {}
    return {
        name.rstrip("0123456789+-").upper(): float(value)
        for name, value in zip(names, values, strict=True)
        if np.isfinite(value)
    }


def _is_complete(block: CifBlock, atoms: list[Any]) -> bool:
    """Whether sites have all atoms: no solvent is masked, and no hydrogen atom is missing."""
    if any(name.startswith(MASKED) for name in block.columns):
        return False
    formula = block.text(FORMULA)
    needs = (
        bool({"H", "D"} & set(_ELEMENT.findall(formula)))
        if formula
        else any(a.element.name == "C" for a in atoms)
    )
    return not needs or any(atom.is_hydrogen() for atom in atoms)
