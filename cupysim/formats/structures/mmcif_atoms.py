"""The loop of atoms of an mmCIF file: what gemmi's reader needs, and what it does not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.cif_blocks import UNKNOWN, CifBlock
from cupysim.formats.structures.small_molecule import EIGHT_PI_SQUARED, FRACTIONS
from cupysim.formats.structures.table import listed
from cupysim.formats.structures.told_displacements import (
    isotropic_told,
    tensors_lack,
    tensors_told,
)

PAIRS = ("[1][1]", "[2][2]", "[3][3]", "[1][2]", "[1][3]", "[2][3]")

TENSORS = tuple(
    (identity, [f"_atom_site_{prefix}{kind}{pair}" for pair in PAIRS], scale)
    for identity, prefix in (("_atom_site_anisotrop_id", "anisotrop_"), ("_atom_site_id", "aniso_"))
    for kind, scale in (("u", 1.0), ("b", 1.0 / EIGHT_PI_SQUARED))
)
"""Items with displacement tensors: identifiers of the atoms, columns, and the factor to U."""

NCS = (
    *(f"_struct_ncs_oper_matrix[{row}][{column}]" for row in (1, 2, 3) for column in (1, 2, 3)),
    *(f"_struct_ncs_oper_vector[{row}]" for row in (1, 2, 3)),
)
"""Items of strict NCS. gemmi reads all of them or none."""

FARTHEST_APART = 0.1
"""Distance (Angstrom) up to which fractional and Cartesian coordinates are the same place."""

_CHARGED = re.compile(r"[A-Za-z]{1,2}\s*(?:(\d*)[+-]|[+-](\d*))")

SUBSTITUTES = {
    "label_alt_id": (),
    "label_asym_id": ("auth_asym_id",),
    "label_atom_id": ("auth_atom_id", "type_symbol"),
    "label_comp_id": ("auth_comp_id",),
}
"""Items that gemmi's reader needs, and others that can replace them."""


def complete_atom_loop(path: object, block: CifBlock) -> None:
    """Add items to a block that gemmi's reader needs, but the dictionary does not require.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    block : CifBlock
        Block with ``_atom_site_cartn_x``. Its `parsed` is changed.

    Raises
    ------
    FileFormatError
        If the file has no elements.
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
    if not _are_serials(block.columns.get("_atom_site_id", ())):
        added["id"] = numbers
        # gemmi would assign tensors by the old identifiers
        block.parsed.find_mmcif_category("_atom_site_anisotrop.").erase()
    if not {"_atom_site_label_seq_id", "_atom_site_auth_seq_id"} & set(block.columns):
        added["auth_seq_id"] = numbers
    if "_atom_site_calc_flag" in block.columns:
        # gemmi knows the flags in lower case only
        added["calc_flag"] = [flag.lower() for flag in block.columns["_atom_site_calc_flag"]]
    for name, values in added.items():
        if f"_atom_site.{name}" not in loop.tags:
            loop.add_columns([f"_atom_site.{name}"], ".")
        column = block.parsed.find_loop(f"_atom_site.{name}")
        for row, value in enumerate(values):
            column[row] = value


def remove_dummies(gemmi: Any, structure: Any) -> int:
    """Remove sites that are no atoms: the dictionary calls their coordinates meaningless.

    Parameters
    ----------
    gemmi : module
        The library.
    structure : gemmi.Structure
        Model with the flags ``_atom_site.calc_flag``. It is changed.

    Returns
    -------
    int
        Number of sites that were removed.
    """
    count = 0
    for residues in (chain for model in structure for chain in model):
        for place in reversed(range(len(residues))):
            residue = residues[place]
            dummies = [n for n, atom in enumerate(residue)
                       if atom.calc_flag == gemmi.CalcFlag.Dummy]  # fmt: skip
            for number in reversed(dummies):
                del residue[number]
            count += len(dummies)
            if len(residue) == 0:
                del residues[place]
    return count


def check_ncs(path: object, block: CifBlock) -> None:
    """Reject incomplete strict NCS, which gemmi's reader would ignore.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    block : CifBlock
        Block with the atoms.

    Raises
    ------
    FileFormatError
        If an operator lacks numbers.
    """
    lacking = [name for name in NCS if name not in block.columns]
    if 0 < len(lacking) < len(NCS):
        raise FileFormatError(path, f"its strict NCS (struct_ncs_oper) lacks {listed(lacking)}")


def _are_serials(identities: Sequence[str]) -> bool:
    """Whether identifiers are distinct numbers, so that they identify gemmi's atoms."""
    is_number = all(each.isdecimal() and str(int(each)) == each for each in identities)
    return bool(identities) and is_number and len(set(identities)) == len(identities)


def _take_charges(block: CifBlock, atoms: Sequence[Any]) -> None:
    """Set the charges that type symbols contain, such as ZN2+."""
    symbols = block.columns["_atom_site_type_symbol"]
    for atom, symbol in zip(atoms, symbols, strict=True):
        match = _CHARGED.fullmatch(symbol.strip("'\""))
        if match is not None and atom is not None and atom.charge == 0:
            sign = 1 if "+" in symbol else -1
            atom.charge = sign * int(match[1] or match[2] or 1)


def other_places(path: object, block: CifBlock, structure: Any) -> tuple[str, ...]:
    """Warning about fractional coordinates that contradict the Cartesian ones, which are used.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    block : CifBlock
        Block with ``_atom_site_cartn_x``.
    structure : gemmi.Structure
        Model with its cell.

    Returns
    -------
    tuple of str
        The warning; empty if there is nothing to say.

    Raises
    ------
    FileFormatError
        If a coordinate is not a number.
    """
    count = len(block.columns["_atom_site_cartn_x"])
    if not structure.cell.is_crystal() or any(
        len(block.columns.get(name, ())) != count for name in FRACTIONS
    ):
        return ()
    places = block.number_rows(path, [f"_atom_site_cartn_{axis}" for axis in "xyz"])
    orthogonal = np.array(structure.cell.orth.mat.tolist())
    apart = np.linalg.norm(block.number_rows(path, FRACTIONS) @ orthogonal.T - places, axis=1)
    odd = int(np.count_nonzero(apart > FARTHEST_APART))
    if not odd:
        return ()
    return (
        f"fractional and Cartesian coordinates of {odd} atoms contradict each other in its unit "
        "cell; the Cartesian ones are used",
    )


def take_displacements(path: object, block: CifBlock, structure: Any) -> tuple[str, ...]:
    """Give atoms the displacements that gemmi does not read.

    These are U in place of B, tensors as B, and tensors in the loop of the atoms.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    block : CifBlock
        Block of `structure`, after `complete_atom_loop`.
    structure : gemmi.Structure
        Model. Its atoms are changed.

    Returns
    -------
    tuple of str
        Warnings about atoms without a B factor, and about tensors without an atom.

    Raises
    ------
    FileFormatError
        If a value is not a number, or several atoms share a tensor.
    """
    count = len(block.columns["_atom_site_cartn_x"])
    names = block.texts("_atom_site_id") or [str(number + 1) for number in range(count)]
    serials = [int(name) for name in names] if _are_serials(names) else range(1, count + 1)
    by_serial = {each.atom.serial: each.atom for model in structure for each in model.all()}
    atoms = [by_serial.get(serial) for serial in serials]
    stored = block.columns.get("_atom_site_b_iso_or_equiv", ["?"] * count)
    unknown = [row for row, text in enumerate(stored) if text in UNKNOWN]
    contradictions: list[str] = []
    if len(block.columns.get("_atom_site_u_iso_or_equiv", ())) == count:
        u_iso = block.numbers(path, "_atom_site_u_iso_or_equiv")
        if "_atom_site_b_iso_or_equiv" in block.columns:
            of_b = block.numbers(path, "_atom_site_b_iso_or_equiv")
            contradictions = isotropic_told(names, EIGHT_PI_SQUARED * u_iso, of_b, "B")
        for row in unknown:
            atom = atoms[row]
            if np.isfinite(u_iso[row]) and atom is not None:
                atom.b_iso = EIGHT_PI_SQUARED * float(u_iso[row])
        unknown = [row for row in unknown if not np.isfinite(u_iso[row])]
    _take_charges(block, atoms)
    alarms = [f"{len(unknown)} atoms have no B factor: 20 A^2 is assumed"] if unknown else []
    return (*alarms, *contradictions, *_take_tensors(path, block, names, atoms))


def _take_tensors(
    path: object, block: CifBlock, names: Sequence[str], atoms: Sequence[Any]
) -> Iterator[str]:
    """Give atoms their tensors; yields warnings about tensors without an atom."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    for atom in atoms:
        if atom is not None and not np.isfinite(atom.aniso.elements_pdb()).all():
            # the file has no numbers for this tensor
            atom.aniso = type(atom.aniso)(0, 0, 0, 0, 0, 0)
    for identity, columns, scale in TENSORS:
        lacking = [name for name in columns if name not in block.columns]
        if 0 < len(lacking) < len(columns):
            yield tensors_lack(lacking)
        count = len(block.columns.get(columns[0], ()))
        is_own_loop = identity != "_atom_site_id"
        owners = block.texts(identity) if is_own_loop else names
        if count == 0 or len(owners) != count:
            continue
        if any(len(block.columns.get(each, ())) != count for each in columns):
            continue
        lonely, repeated, incomplete = [], [], []
        taken: dict[int, np.ndarray] = {}
        for place, tensor in enumerate(scale * block.number_rows(path, columns)):
            found = rows.get(owners[place], []) if is_own_loop else [place]
            if len(found) > 1:
                raise FileFormatError(
                    path,
                    f"{len(found)} atoms have the _atom_site.id {owners[place]}: it is not clear "
                    "which of them has the anisotropic displacement",
                )
            if not found:
                lonely.append(owners[place])
                continue
            if not np.isfinite(tensor).all():
                incomplete += [owners[place]] if np.isfinite(tensor).any() else []
                continue
            first = taken.setdefault(found[0], tensor)
            if not np.array_equal(first, tensor):
                repeated.append(owners[place])
            atom = atoms[found[0]]
            if atom is not None and not atom.aniso.nonzero():
                atom.aniso = type(atom.aniso)(*tensor.tolist())
        yield from tensors_told(lonely, repeated, incomplete)
