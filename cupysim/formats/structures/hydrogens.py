"""Hydrogen atoms of residues which have none, at idealised places.

They matter at low resolution: a protein has about as many hydrogen atoms as others. Amino acids,
nucleotides and water are known; other residues get none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from cupysim.formats.optional import require
from cupysim.maths.arrays import cross, norm, unit

LENGTHS = {"C": 0.97, "N": 0.86, "O": 0.84, "S": 1.20, "Se": 1.35}
"""Distances (Angstrom) from the parent atom to the hydrogen's electrons, by element: nearer than
the nucleus. SHELXL's values for X-rays at room temperature."""

LONGEST_BOND, LONGEST_SULPHUR_BOND, LONGEST_DISULPHIDE = 1.75, 2.0, 2.5
"""Distances (Angstrom) up to which two atoms are bonded."""

TETRAHEDRAL, TRIGONAL, WATER_ANGLE = math.radians(109.47), math.radians(120.0), math.radians(104.5)

NONE = "\0"
"""The name of the only conformation."""

RIDING_B = 1.2
"""B factor of a hydrogen atom, relative to its parent's."""

_BACKBONE = {"N": 1, "CA": 1}
_SUGAR = {"C1'": 1, "C2'": 1, "O2'": 1, "C3'": 1, "C4'": 1, "C5'": 2}
_DEOXY = {**_SUGAR, "C2'": 2, "O2'": 0}
_BASES = {
    "A": {"C2": 1, "C8": 1, "N6": 2},
    "G": {"C8": 1, "N1": 1, "N2": 2},
    "C": {"C5": 1, "C6": 1, "N4": 2},
    "U": {"C5": 1, "C6": 1, "N3": 1},
    "T": {"C6": 1, "N3": 1, "C7": 3, "C5M": 3},
}
_SIDE_CHAINS: dict[str, dict[str, int]] = {
    "ALA": {"CB": 3},
    "ARG": {"CB": 2, "CG": 2, "CD": 2, "NE": 1, "NH1": 2, "NH2": 2},
    "ASN": {"CB": 2, "ND2": 2},
    "ASP": {"CB": 2},
    "CYS": {"CB": 2, "SG": 1},
    "GLN": {"CB": 2, "CG": 2, "NE2": 2},
    "GLU": {"CB": 2, "CG": 2},
    "GLY": {"CA": 2},
    "HIS": {"CB": 2, "ND1": 1, "CD2": 1, "CE1": 1},
    "ILE": {"CB": 1, "CG1": 2, "CG2": 3, "CD1": 3},
    "LEU": {"CB": 2, "CG": 1, "CD1": 3, "CD2": 3},
    "LYS": {"CB": 2, "CG": 2, "CD": 2, "CE": 2, "NZ": 3},
    "MET": {"CB": 2, "CG": 2, "CE": 3},
    "MSE": {"CB": 2, "CG": 2, "CE": 3},
    "PHE": {"CB": 2, "CD1": 1, "CD2": 1, "CE1": 1, "CE2": 1, "CZ": 1},
    "PRO": {"N": 0, "CB": 2, "CG": 2, "CD": 2},
    "SER": {"CB": 2, "OG": 1},
    "THR": {"CB": 1, "OG1": 1, "CG2": 3},
    "TRP": {"CB": 2, "CD1": 1, "NE1": 1, "CE3": 1, "CZ2": 1, "CZ3": 1, "CH2": 1},
    "TYR": {"CB": 2, "CD1": 1, "CD2": 1, "CE1": 1, "CE2": 1, "OH": 1},
    "VAL": {"CB": 1, "CG1": 3, "CG2": 3},
}
COUNTS: dict[str, dict[str, int]] = {
    **{name: {**_BACKBONE, **side} for name, side in _SIDE_CHAINS.items()},
    **{name: {**_SUGAR, **_BASES[name]} for name in "AGCU"},
    **{f"D{name}": {**_DEOXY, **_BASES[name]} for name in "AGCT"},
    "HOH": {"O": 2},
    "WAT": {"O": 2},
    "DOD": {"O": 2},
}
"""Hydrogen atoms on each atom of a residue, at neutral pH: acids and amines are charged, histidine
is neutral."""

PLANAR = {
    ("ARG", "NE"), ("ARG", "NH1"), ("ARG", "NH2"), ("ASN", "ND2"), ("GLN", "NE2"),
    ("A", "N6"), ("G", "N2"), ("C", "N4"), ("DA", "N6"), ("DG", "N2"), ("DC", "N4"),
}  # fmt: skip
"""Amines whose hydrogen atoms lie in the plane of their neighbours."""


class Site(NamedTuple):
    """What matters of an atom. Atoms of gemmi's must not be kept while others are added."""

    name: str
    element: str
    place: np.ndarray
    altloc: str
    occupancy: float
    b_iso: float


def add_hydrogens(model: Any) -> tuple[int, list[str]]:
    """Add hydrogen atoms to residues which have none.

    Parameters
    ----------
    model : gemmi.Model
        Changed in place.

    Returns
    -------
    count : int
        How many hydrogen atoms were added.
    unknown : list of str
        Names of residues which got none.
    """
    gemmi = require("gemmi", "adding hydrogen atoms")
    sulphurs = [np.array(each.atom.pos.tolist()) for each in model.all() if each.atom.name == "SG"]
    count, unknown = 0, set()
    for chain in model:
        before: list[Site] = []
        for residue in chain:
            sites = [_site(atom) for atom in residue]
            counts = COUNTS.get(residue.name)
            if counts is None:
                unknown.add(residue.name)
            elif not any(site.element in ("H", "D") for site in sites):
                for parent, place in _riding(residue.name, counts, sites, before, sulphurs):
                    residue.add_atom(_hydrogen(gemmi, parent, place))
                    count += 1
            before = sites
    return count, sorted(unknown)


def _site(atom: Any) -> Site:
    place = np.array(atom.pos.tolist())
    return Site(atom.name, atom.element.name, place, atom.altloc, atom.occ, atom.b_iso)


def _riding(
    residue: str,
    counts: dict[str, int],
    sites: list[Site],
    before: list[Site],
    sulphurs: list[np.ndarray],
) -> Iterator[tuple[Site, np.ndarray]]:
    """Parents and places (Angstrom) of a residue's hydrogen atoms; `before` is bonded to it."""
    near = sites + before
    for site in sites:
        number = counts.get(site.name, 0)
        if site.name == "SG" and _in_disulphide(site, sulphurs):
            number = 0
        if residue in _SIDE_CHAINS and site.name == "N":
            # the first residue of a chain has an ammonium group
            is_first = not any(each.name == "C" and _bonded(site, each) for each in before)
            number += 2 if is_first else 0
        for place in _places(site, near, number, (residue, site.name) in PLANAR):
            yield site, place


def _bonded(site: Site, other: Site) -> bool:
    if site.altloc != other.altloc and NONE not in (site.altloc, other.altloc):
        return False
    heavy = {"S", "Se", "P"} & {site.element, other.element}
    longest = LONGEST_SULPHUR_BOND if heavy else LONGEST_BOND
    return bool(0.5 < norm(site.place - other.place) < longest)


def _neighbours(site: Site, near: list[Site]) -> list[Site]:
    """Sites bonded to a site, of one conformation."""
    bonded = [each for each in near if _bonded(site, each)]
    conformations = sorted({each.altloc for each in bonded} - {NONE})
    chosen = site.altloc if site.altloc != NONE else (conformations or [NONE])[0]
    return [each for each in bonded if each.altloc in (NONE, chosen)]


def _in_disulphide(site: Site, sulphurs: list[np.ndarray]) -> bool:
    return any(0.5 < norm(site.place - other) < LONGEST_DISULPHIDE for other in sulphurs)


def _places(site: Site, near: list[Site], number: int, planar: bool) -> list[np.ndarray]:
    """Where hydrogen atoms of an atom are (Angstrom)."""
    if number == 0:
        return []
    neighbours = _neighbours(site, near)
    here = site.place
    bonds = [unit(each.place - here) for each in neighbours]
    if not bonds:
        half = WATER_ANGLE / 2.0
        directions = [
            np.array([math.sin(sign * half), 0.0, math.cos(half)]) for sign in (1.0, -1.0)
        ]
    elif len(bonds) == 1:
        directions = _on_a_cone(site, neighbours[0], near, number, planar)
    else:
        away = -np.sum(bonds, axis=0)
        across = cross(bonds[0], bonds[1])
        if norm(away) < 1e-3:
            away = across if norm(across) > 1e-3 else _any_across(bonds[0])
        away = unit(away)
        if number == 1 or norm(across) < 1e-3:
            directions = [away]
        else:
            half, aside = TETRAHEDRAL / 2.0, unit(across)
            directions = [
                math.cos(half) * away + sign * math.sin(half) * aside for sign in (1.0, -1.0)
            ]
    length = LENGTHS.get(site.element, LENGTHS["C"])
    return [here + length * direction for direction in directions[:number]]


def _on_a_cone(
    site: Site, neighbour: Site, near: list[Site], number: int, planar: bool
) -> list[np.ndarray]:
    """Directions about the only bond of an atom, by its neighbour's other bonds."""
    axis = unit(site.place - neighbour.place)
    others = [each for each in _neighbours(neighbour, near) if norm(each.place - site.place) > 0.5]
    aside = _any_across(axis)
    if others:
        away = others[0].place - neighbour.place
        away = away - (away @ axis) * axis
        aside = unit(away) if norm(away) > 1e-3 else aside
    third = cross(axis, aside)
    angle = TRIGONAL if planar else TETRAHEDRAL
    first, step = (0.0, math.pi) if planar else (math.pi, 2.0 * math.pi / 3.0)
    turns = [first + step * n for n in range(number)]
    return [
        -math.cos(angle) * axis
        + math.sin(angle) * (math.cos(turn) * aside + math.sin(turn) * third)
        for turn in turns
    ]


def _any_across(axis: np.ndarray) -> np.ndarray:
    return unit(cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))]))


def _hydrogen(gemmi: Any, parent: Site, place: np.ndarray) -> Any:
    atom = gemmi.Atom()
    atom.name, atom.element = "H", gemmi.Element("H")
    atom.pos = gemmi.Position(*place)
    atom.occ, atom.altloc = parent.occupancy, parent.altloc
    atom.b_iso = RIDING_B * parent.b_iso
    return atom
