"""The loop of atoms of an mmCIF file: what gemmi's reader needs, and what it does not take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.cif_blocks import UNKNOWN, CifBlock
from cupysim.formats.structures.small_molecule import EIGHT_PI_SQUARED
from cupysim.formats.structures.table import listed

PAIRS = ("[1][1]", "[2][2]", "[3][3]", "[1][2]", "[1][3]", "[2][3]")

TENSORS = tuple(
    (identity, [f"_atom_site_{prefix}{kind}{pair}" for pair in PAIRS], scale)
    for identity, prefix in (("_atom_site_anisotrop_id", "anisotrop_"), ("_atom_site_id", "aniso_"))
    for kind, scale in (("u", 1.0), ("b", 1.0 / EIGHT_PI_SQUARED))
)
"""Where tensors stand: identifiers of the atoms, columns, and the factor which makes them U."""

NCS = (
    *(f"_struct_ncs_oper_matrix[{row}][{column}]" for row in (1, 2, 3) for column in (1, 2, 3)),
    *(f"_struct_ncs_oper_vector[{row}]" for row in (1, 2, 3)),
)
"""Items of strict NCS, of which gemmi takes all or none."""

_CHARGED = re.compile(r"[A-Za-z]{1,2}\s*(?:(\d*)[+-]|[+-](\d*))")

SUBSTITUTES = {
    "label_alt_id": (),
    "label_asym_id": ("auth_asym_id",),
    "label_atom_id": ("auth_atom_id", "type_symbol"),
    "label_comp_id": ("auth_comp_id",),
}
"""Items which gemmi's reader needs, and others which can stand for them."""


def complete_atom_loop(path: object, block: CifBlock) -> None:
    """Add items which gemmi's reader needs, though the dictionary does not, to a block.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    block : CifBlock
        A block with ``_atom_site_cartn_x``; its `parsed` is changed.

    Raises
    ------
    FileFormatError
        If the elements are not told.
    """
    loop = block.parsed.find_loop("_atom_site.Cartn_x").get_loop()
    if loop is None:
        raise FileFormatError(path, "its atoms are not in a loop")
    if "_atom_site_type_symbol" not in block.columns:
        raise FileFormatError(path, "its loop of atoms has no _atom_site.type_symbol")
    count = loop.length()
    added = {
        name: next(
            (
                list(block.columns[f"_atom_site_{each}"])
                for each in others
                if f"_atom_site_{each}" in block.columns
            ),
            ["."] * count,
        )
        for name, others in SUBSTITUTES.items()
        if f"_atom_site_{name}" not in block.columns
    }
    numbers = [str(number + 1) for number in range(count)]
    if "_atom_site_id" not in block.columns:
        added["id"] = numbers
    if not {"_atom_site_label_seq_id", "_atom_site_auth_seq_id"} & set(block.columns):
        added["auth_seq_id"] = numbers
    for name, values in added.items():
        loop.add_columns([f"_atom_site.{name}"], ".")
        column = block.parsed.find_loop(f"_atom_site.{name}")
        for row, value in enumerate(values):
            column[row] = value


def check_ncs(path: object, block: CifBlock) -> None:
    """Refuse strict NCS which is not complete, and which gemmi's reader would leave out.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    block : CifBlock
        The block.

    Raises
    ------
    FileFormatError
        If an operator lacks numbers.
    """
    lacking = [name for name in NCS if name not in block.columns]
    if 0 < len(lacking) < len(NCS):
        raise FileFormatError(path, f"its strict NCS (struct_ncs_oper) lacks {listed(lacking)}")


def _take_charges(block: CifBlock, atoms: Mapping[str, Any]) -> None:
    """Charges which type symbols have in them, such as ZN2+."""
    symbols = block.columns["_atom_site_type_symbol"]
    for identity, symbol in zip(block.columns.get("_atom_site_id", ()), symbols, strict=False):
        match = _CHARGED.fullmatch(symbol.strip("'\""))
        atom = atoms.get(identity)
        if match is not None and atom is not None and atom.charge == 0:
            sign = 1 if "+" in symbol else -1
            atom.charge = sign * int(match[1] or match[2] or 1)


def take_displacements(path: object, block: CifBlock, structure: Any) -> int:
    """Give atoms the displacements which gemmi does not read.

    These are U in place of B, tensors as B, and tensors in the loop of the atoms.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    block : CifBlock
        The block of `structure`.
    structure : gemmi.Structure
        Its atoms are changed.

    Returns
    -------
    int
        How many atoms have no B factor.

    Raises
    ------
    FileFormatError
        If a value is not a number.
    """
    atoms = {str(each.atom.serial): each.atom for model in structure for each in model.all()}
    identities = block.columns.get("_atom_site_id", [str(n + 1) for n in range(len(atoms))])
    stored = block.columns.get("_atom_site_b_iso_or_equiv", ["?"] * len(identities))
    unknown = [name for name, text in zip(identities, stored, strict=True) if text in UNKNOWN]
    if unknown and len(block.columns.get("_atom_site_u_iso_or_equiv", ())) == len(identities):
        u_iso = block.numbers(path, "_atom_site_u_iso_or_equiv")
        by_name = dict(zip(identities, u_iso.tolist(), strict=True))
        for name in unknown:
            if np.isfinite(by_name[name]) and name in atoms:
                atoms[name].b_iso = EIGHT_PI_SQUARED * by_name[name]
        unknown = [name for name in unknown if not np.isfinite(by_name[name])]
    _take_charges(block, atoms)
    for identity, columns, scale in TENSORS:
        serials = block.columns.get(identity, ())
        if not serials or any(len(block.columns.get(each, ())) != len(serials) for each in columns):
            continue
        for serial, row in zip(serials, scale * block.number_rows(path, columns), strict=True):
            atom = atoms.get(str(serial))
            if atom is not None and np.isfinite(row).all() and not atom.aniso.nonzero():
                atom.aniso = type(atom.aniso)(*row.tolist())
    return len(unknown)
