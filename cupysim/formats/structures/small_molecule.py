"""Models of small molecules: fractional coordinates in a CIF file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.b_factors import ASSUMED
from cupysim.formats.structures.cif_blocks import CifBlock
from cupysim.formats.structures.symmetry import Symmetry
from cupysim.formats.structures.table import Cell, listed
from cupysim.formats.structures.told_displacements import (
    isotropic_told,
    tensors_lack,
    tensors_told,
)

FARTHEST = 10.0
"""Largest possible fractional coordinate: larger ones are in another unit."""

EIGHT_PI_SQUARED = 8.0 * np.pi**2

LARGEST_USUAL_B = EIGHT_PI_SQUARED
"""B factor (Angstrom^2) of U = 1 Angstrom^2: displacements in crystals are smaller."""

SAME_PLACE = 0.1
"""Largest distance (Angstrom) between a site on a special position and its image. The rounding of
coordinates such as 0.333 is smaller."""

DUMMY = "dum"
"""Flag of a site that is not an atom."""

ISOTROPIC = ("uiso", "biso", "uovl", "bovl")
"""Types of displacement that ignore a tensor."""

ANISOTROPIC = ("uani", "bani", "umpe", "bmpe")
"""Types of displacement that need a tensor, or more."""

SAME_TENSOR, SAME_U = 1e-2, 1e-4
"""Relative difference, and difference (Angstrom^2). Up to these, U and B of a site are the same
tensor: both are rounded."""

NEAR = 1.0
"""The same distance (Angstrom) if the file gives the number of operators. The coordinates may be
those of one side of a disordered site, or have few digits."""

ORDER = "_atom_site_site_symmetry_order"
"""Item with the number of operators that leave a site in place. Its predecessor,
symmetry_multiplicity, is not read: some programs write this number, others the number of equivalent
sites."""

GROUP = "_atom_site_disorder_group"
ABOUT_A_SITE = re.compile(r"-\d+")
"""Item with the group of a disordered site, and groups of disorder about a special position. All
copies of such a site have its occupancy, even if they coincide."""

ATTACHED = "_atom_site_attached_hydrogens"

KINDS = ("_atom_site_adp_type", "_atom_site_thermal_displace_type")
"""Items with types of displacement: the present name, and that of before 1998."""

OF_MMCIF = "_atom_site_anisotrop_"
"""Prefix of items with tensors in mmCIF. They belong to Cartesian coordinates."""

ANISO_LABEL = "_atom_site_aniso_label"

FRACTIONS = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
PAIRS = ("11", "22", "33", "12", "13", "23")

_SYMBOL = re.compile(r"([A-Za-z]{1,2})(?:(\d*)([+-])(\d*)|[^A-Za-z].*)?$")
_LETTERS = re.compile("[A-Za-z]*")
_FORMULA = re.compile(r"([A-Z][a-z]?)")


def small_molecule(
    path: object, gemmi: Any, block: CifBlock, cell: Cell, symmetry: Symmetry | None
) -> tuple[Any, list[str], list[str]]:
    """Make a model as for macromolecules, with one residue for each site.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    gemmi : module
        The gemmi module.
    block : CifBlock
        Block with ``_atom_site_fract_x``.
    cell : tuple of 6 float
        Unit cell: a, b, c (Angstrom), alpha, beta, gamma (degrees).
    symmetry : Symmetry, optional
        Space group, to find special positions.

    Returns
    -------
    structure : gemmi.Structure
        One model. The occupancies of special positions are divided by the number of operators that
        leave them in place, except for sites that are disordered about them.
    remarks, warnings : list of str
        Notes on what was done, and warnings for the user.

    Raises
    ------
    FileFormatError
        If there is no atom with coordinates.
    """
    structure = gemmi.Structure()
    structure.cell = gemmi.UnitCell(*cell)
    orthogonal = np.array(structure.cell.orth.mat.tolist())
    fractions = block.number_rows(path, FRACTIONS)
    far = np.abs(np.nan_to_num(fractions)).max(axis=1, initial=0.0) > FARTHEST
    if far.any():
        place = int(np.argmax(far))
        shown = " ".join(f"{value:g}" for value in fractions[place])
        raise FileFormatError(
            path,
            f"site {place + 1}: the fractional coordinates {shown} are beyond {FARTHEST:g} cells; "
            "are they in another unit?",
        )
    labels = _texts(block, "_atom_site_label", len(fractions))
    flags = _texts(block, "_atom_site_calc_flag", len(fractions))
    occupancies = _numbers(path, block, "_atom_site_occupancy", len(fractions))
    is_dummy = np.array([flag.lower() == DUMMY for flag in flags])
    elements, charges, warnings = _elements(gemmi, block, labels, is_dummy)
    b_iso, tensors, alarms = _displacements(path, block, labels, structure.cell)
    warnings += alarms
    if tensors and block.texts(ANISO_LABEL) and len(set(labels)) < len(labels):
        warnings.append("sites share a label: the first tensor of a label is used for all of them")
    if any(name.startswith("_atom_site_anharm_") for name in block.columns):
        warnings.append("anharmonic displacements are not used")
    if "_cell_modulation_dimension" in block.columns:
        warnings.append("the crystal is modulated: its average structure is used")
    unplaced = ~np.isfinite(fractions).all(axis=1) & ~is_dummy
    model, chain = gemmi.Model(1), gemmi.Chain("A")
    orders = _numbers(path, block, ORDER, len(fractions))
    groups = _texts(block, GROUP, len(fractions))
    special = without_b = 0
    wrong_order: list[str] = []
    for number in np.flatnonzero(~is_dummy & ~unplaced).tolist():
        images = 1
        if symmetry is not None:
            images, is_possible = _images(fractions[number], symmetry, orthogonal, orders[number])
            if ABOUT_A_SITE.fullmatch(groups[number]):
                images, is_possible = 1, not orders[number] > 1.0
            wrong_order += [] if is_possible else [labels[number]]
        special += images > 1
        atom = gemmi.Atom()
        atom.name, atom.serial = labels[number][:8], number + 1
        atom.element, atom.charge = elements[number], charges[number]
        atom.pos = gemmi.Position(*(orthogonal @ fractions[number]))
        occupancy = occupancies[number]
        atom.occ = (1.0 if np.isnan(occupancy) else occupancy) / images
        u = tensors.get(number)
        if u is not None:
            atom.aniso = gemmi.SMat33f(u[0, 0], u[1, 1], u[2, 2], u[0, 1], u[0, 2], u[1, 2])
            atom.b_iso = EIGHT_PI_SQUARED * float(np.trace(u)) / 3.0
        elif np.isnan(b_iso[number]):
            without_b += 1
            atom.b_iso = 0.0
        else:
            atom.b_iso = b_iso[number]
        residue = gemmi.Residue()
        residue.name, residue.seqid = "UNL", gemmi.SeqId(str(number + 1))
        residue.add_atom(atom)
        chain.add_residue(residue)
    if len(chain) == 0:
        raise FileFormatError(path, "no atom with fractional coordinates")
    model.add_chain(chain)
    structure.add_model(model)
    remarks = [f"small molecule of {len(chain)} sites"]
    for count, what in (
        (special, "sites on special positions"),
        (np.count_nonzero(unplaced), "sites without coordinates are left out"),
        (np.count_nonzero(is_dummy), "dummy atoms are left out"),
    ):
        if count:
            remarks.append(f"{count} {what}")
    attached = np.nansum(_numbers(path, block, ATTACHED, len(fractions)))
    if attached > 0.0:
        warnings.append(
            f"{attached:g} hydrogen atoms that the file only counts (attached_hydrogens) have no "
            "coordinates and are left out"
        )
    if any("scat_dispersion" in name for name in block.columns):
        remarks.append("anomalous scattering (scat_dispersion) is not calculated")
    if wrong_order:
        warnings.append(
            "site_symmetry_order contradicts the coordinates or the disorder groups of atoms, "
            f"which are used instead: {listed(wrong_order)}"
        )
    if without_b:
        warnings.append(f"{without_b} atoms have no displacement parameter: {ASSUMED}")
    large = [each.atom.name for each in model.all() if each.atom.b_iso > LARGEST_USUAL_B]
    if large:
        warnings.append(
            f"{len(large)} atoms have displacements above U = 1 A^2, and so scatter hardly "
            f"anything; are the displacements in another unit? {listed(large)}"
        )
    return structure, remarks, warnings


def _texts(block: CifBlock, name: str, count: int) -> list[str]:
    """A column of texts; empty texts if the column is missing."""
    values = block.texts(name)
    return values if len(values) == count else [""] * count


def _numbers(path: object, block: CifBlock, name: str, count: int) -> np.ndarray:
    """A column of numbers; NaN if the column is missing."""
    if len(block.columns.get(name, ())) != count:
        return np.full(count, np.nan)
    return block.numbers(path, name)


def _elements(
    gemmi: Any, block: CifBlock, labels: Sequence[str], is_dummy: np.ndarray
) -> tuple[list[Any], list[int], list[str]]:
    """Elements and charges of the sites, and warnings about guessed elements."""
    symbols = _texts(block, "_atom_site_type_symbol", len(labels))
    formula = set(_FORMULA.findall(block.text("_chemical_formula_sum")))
    elements: list[Any] = []
    charges: list[int] = []
    guessed: dict[str, str] = {}
    odd: dict[str, str] = {}
    for symbol, label, ignored in zip(symbols, labels, is_dummy, strict=True):
        is_known = symbol not in ("", "?", ".")
        symbol = symbol.replace(" ", "")
        match = _SYMBOL.match(symbol if is_known else label)
        letters = match[1] if match else ""
        if not is_known:
            # in MgM1, the name of the site follows the element
            letters = _LETTERS.match(label)[0]  # type: ignore[index]
        candidates = [letters] if is_known else _candidates(gemmi, letters, formula)
        element = gemmi.Element(candidates[0].capitalize() if candidates else "X")
        behind = symbol[len(letters) :] if is_known else ""
        is_odd = any(character.isalpha() for character in behind)
        if element.atomic_number == 0 and len(letters) == 2 and is_known:
            element, is_odd = gemmi.Element(letters[0].upper()), True
        if is_odd:
            odd.setdefault(element.name, symbol)
        elements.append(element)
        sign = {"+": 1, "-": -1}.get(match[3] or "", 0) if match and is_known else 0
        charges.append(sign * int((match[2] or match[4] if match else "") or 1) if sign else 0)
        if not is_known and not ignored:
            guessed.setdefault(element.name, label)
    warnings = [
        f"{what} are read as elements: "
        f"{listed([f'{word} as {name}' for name, word in words.items()])}"
        for what, words in (("without type symbols, labels", guessed), ("type symbols", odd))
        if words
    ]
    return elements, charges, warnings


def _candidates(gemmi: Any, letters: str, formula: set[str]) -> list[str]:
    """Elements that the letters of a label can mean, the likeliest first."""
    names = [name.capitalize() for name in (letters[:2], letters[:1]) if name]
    names = [name for name in dict.fromkeys(names) if gemmi.Element(name).atomic_number > 0]
    if formula & set(names):
        names = [name for name in names if name in formula]
    if len(names) == 2 and not formula and letters[1].isupper() and letters[0] in "CHNO":
        # CA, CD, HO, NA: an atom of an organic molecule rather than a metal
        names.reverse()
    return names


def _displacements(
    path: object, block: CifBlock, labels: Sequence[str], cell: Any
) -> tuple[np.ndarray, dict[int, np.ndarray], list[str]]:
    """Isotropic B (Angstrom^2; NaN for none), Cartesian U by number of site, and warnings."""
    count = len(labels)
    b_iso = EIGHT_PI_SQUARED * _numbers(path, block, "_atom_site_u_iso_or_equiv", count)
    stored = _numbers(path, block, "_atom_site_b_iso_or_equiv", count)
    of_isotropic = isotropic_told(labels, b_iso, stored, "U")
    b_iso = np.where(np.isnan(b_iso), stored, b_iso)
    kind_of_site = next((name for name in KINDS if block.texts(name)), KINDS[0])
    kinds = [kind.lower() for kind in _texts(block, kind_of_site, count)]
    # without their own labels, tensors are in the loop of the atoms
    names = block.texts(ANISO_LABEL)
    rows = len(names) or count
    reciprocal = np.array(cell.reciprocal().parameters[:3])
    to_cartesian = np.array(cell.orth.mat.tolist()) @ np.diag(reciprocal)
    # U and B refer to a*, b*, c* of unit length; beta includes their lengths
    lengths = np.outer(reciprocal, reciprocal)
    found: dict[str | int, np.ndarray] = {}
    repeated, incomplete, alarms = [], [], of_isotropic
    if any(name.startswith(OF_MMCIF) for name in block.columns):
        alarms.append(
            f"anisotropic displacements of mmCIF ({OF_MMCIF}...) are left out with fractional "
            "coordinates"
        )
    for kind, scale in (
        ("u", np.ones((3, 3))),
        ("b", np.full((3, 3), 1.0 / EIGHT_PI_SQUARED)),
        ("beta", 1.0 / (2.0 * np.pi**2 * lengths)),
    ):
        columns = [f"_atom_site_aniso_{kind}_{pair}" for pair in PAIRS]
        lacking = [name for name in columns if name not in block.columns]
        if 0 < len(lacking) < len(columns):
            alarms.append(tensors_lack(lacking))
        if any(len(block.columns.get(each, ())) != rows for each in columns):
            continue
        for number, row in enumerate(block.number_rows(path, columns)):
            if np.isfinite(row).all():
                u11, u22, u33, u12, u13, u23 = row
                tensor = scale * np.array([[u11, u12, u13], [u12, u22, u23], [u13, u23, u33]])
                key = names[number] if names else number
                u = to_cartesian @ tensor @ to_cartesian.T
                if not np.allclose(found.setdefault(key, u), u, rtol=SAME_TENSOR, atol=SAME_U):
                    repeated.append(str(key))
            elif np.isfinite(row).any():
                incomplete.append(names[number] if names else labels[number])
    keys = [label if names else number for number, label in enumerate(labels)]
    tensors = {
        number: found[key]
        for number, key in enumerate(keys)
        if key in found and kinds[number] not in ISOTROPIC
    }
    known = set(labels)
    alarms += tensors_told([name for name in names if name not in known], repeated, incomplete)
    lacking = [
        labels[number]
        for number, kind in enumerate(kinds)
        if kind in ANISOTROPIC and number not in tensors
    ]
    if lacking:
        alarms.append(
            f"{len(lacking)} atoms should be anisotropic, but have no tensor; isotropic "
            f"displacements are used: {listed(lacking)}"
        )
    return b_iso, tensors, alarms


def _images(
    fraction: np.ndarray, symmetry: Symmetry, orthogonal: np.ndarray, order: float
) -> tuple[int, bool]:
    """Number of operators that leave a site in place, and whether `order` (or NaN) is possible."""
    distances = []
    for op in symmetry.all_operators:
        moved = np.array(op.apply_to_xyz(fraction.tolist())) - fraction
        moved -= np.rint(moved)
        distances.append(np.linalg.norm(orthogonal @ moved))
    count = int(np.count_nonzero(np.array(distances) < SAME_PLACE))
    if np.isnan(order):
        return count, True
    # a file may call a site near an axis general if the atom is disordered about the axis
    possible = (1, count, int(np.count_nonzero(np.array(distances) < NEAR)))
    return (int(order), True) if order in possible else (count, False)
