"""Hydrogen atoms for residues that have none, at idealised positions.

They matter at low resolution: a protein has about as many hydrogen atoms as other atoms. Amino
acids, nucleotides and water get them; other residues do not. A bond to another residue (a
disulphide, a glycan, a metal) replaces a hydrogen atom. Symmetry mates are ignored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from cupysim.maths.arrays import cross, norm, unit
from cupysim.optional_libraries import require

LENGTHS = {"C": 0.97, "N": 0.86, "O": 0.84, "S": 1.20, "Se": 1.35}
"""Distances (Angstrom) from the parent atom to the hydrogen's electrons, by element. The electrons
are nearer than the nucleus. These are SHELXL's values for X-rays at room temperature."""

LONGEST_BOND, LONGEST_SULPHUR_BOND, LONGEST_DISULPHIDE, LONGEST_METAL_BOND = 1.75, 2.0, 2.5, 2.7
"""Largest distances (Angstrom) between two bonded atoms."""

TETRAHEDRAL, TRIGONAL, WATER_ANGLE = math.radians(109.47), math.radians(120.0), math.radians(104.5)

NONE = "\0"
"""Identifier of a conformation that has no alternative."""

HETERO = "H"
"""Flag of a residue that is not part of a chain of standard residues."""

RIDING_B = 1.2
"""B factor of a hydrogen atom, relative to that of its parent."""

_BACKBONE = {"N": 1, "CA": 1}
_SUGAR = {"C1'": 1, "C2'": 1, "O2'": 1, "C3'": 1, "C4'": 1, "C5'": 2, "O5'": 1, "O3'": 1}
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
    "ILE": {"CB": 1, "CG1": 2, "CG2": 3, "CD1": 3, "CD": 3},
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
_WATERS = ("HOH", "WAT", "DOD", "H2O", "TIP", "TIP3", "SOL")
COUNTS: dict[str, dict[str, int]] = {
    **{name: {**_BACKBONE, **side} for name, side in _SIDE_CHAINS.items()},
    **{name: {**_SUGAR, **_BASES[name]} for name in "AGCUT"},
    **{f"D{name}": {**_DEOXY, **_BASES[name]} for name in "AGCTU"},
    **{name: {"O": 2} for name in _WATERS},
}
"""Number of hydrogen atoms on each atom of a residue at neutral pH: acids and amines are charged,
histidine is neutral."""

OPTIONAL = frozenset({"CD", "CD1", "C7", "C5M", "O5'", "O3'"})
"""Atoms that have two names, or that some residues lack."""

PLANAR = {
    ("ARG", "NE"), ("ARG", "NH1"), ("ARG", "NH2"), ("ASN", "ND2"), ("GLN", "NE2"),
    ("A", "N6"), ("G", "N2"), ("C", "N4"), ("DA", "N6"), ("DG", "N2"), ("DC", "N4"),
}  # fmt: skip
"""Amines with hydrogen atoms in the plane of their neighbours."""


class Site(NamedTuple):
    """Copy of the data of an atom: gemmi's atoms are invalid after others are added."""

    name: str
    element: str
    place: np.ndarray
    altloc: str
    occupancy: float
    b_iso: float
    is_metal: bool
    residue: int
    """Number of the residue in the model."""
    copy: int
    """Number of the copy of the chain: models that are added up overlap."""
    is_water: bool


class Bonds:
    """Bonds between the atoms of a model.

    Parameters
    ----------
    sites : sequence of Site
        All atoms.
    """

    def __init__(self, sites: Sequence[Site]) -> None:
        # imported here: the import takes longer than a small image
        from scipy.spatial import cKDTree

        self._sites = sites
        self._tree = cKDTree([site.place for site in sites])

    def of(self, site: Site) -> list[Site]:
        """Sites of one conformation that are bonded to a site."""
        near = self._tree.query_ball_point(site.place, LONGEST_METAL_BOND)
        bonded = [self._sites[i] for i in sorted(near) if _bonded(site, self._sites[i])]
        conformations = sorted({each.altloc for each in bonded} - {NONE})
        chosen = site.altloc if site.altloc != NONE else (conformations or [NONE])[0]
        return [each for each in bonded if each.altloc in (NONE, chosen)]


def add_hydrogens(model: Any) -> tuple[int, list[str]]:
    """Add hydrogen atoms to residues that have none.

    Parameters
    ----------
    model : gemmi.Model
        Model, changed in place.

    Returns
    -------
    count : int
        Number of hydrogen atoms added.
    unknown : list of str
        Names of residues that got none.
    """
    gemmi = require("gemmi", "adding hydrogen atoms")
    residues = _residues(model)
    bonds = Bonds([site for _, sites, _ in residues for site in sites])
    count, unknown = 0, set()
    for residue, sites, is_end in residues:
        name = _sort(residue.name, sites)
        if name not in COUNTS:
            unknown.add(residue.name)
        elif not any(site.element in ("H", "D") for site in sites):
            for parent, place in _riding(name, sites, bonds, is_end):
                residue.add_atom(_hydrogen(gemmi, parent, place))
                count += 1
    return count, sorted(unknown)


def incomplete(model: Any) -> list[str]:
    """Amino acids and nucleotides that lack parents of hydrogen atoms.

    Parameters
    ----------
    model : gemmi.Model
        Atomic model.
    """
    found = []
    for residue, sites, _ in _residues(model):
        counts = COUNTS.get(_sort(residue.name, sites), {})
        there = {site.name for site in sites}
        needed = {name for name, count in counts.items() if count} - OPTIONAL
        if residue.name not in _WATERS and not needed <= there:
            found.append(f"{residue.name} {residue.seqid}")
    return found


def _residues(model: Any) -> list[tuple[Any, list[Site], bool]]:
    """Residues with their atoms, each with a flag: whether it is an end of a chain.

    Ends are the first amino acid, the last nucleotide, and single residues outside a chain.
    """
    found: list[tuple[Any, list[Site], bool]] = []
    copies: Counter[str] = Counter()
    for chain in model:
        linked = [each for each in chain if each.het_flag != HETERO or each.name == "MSE"]
        amino_acids = [each.seqid for each in linked if each.name in _SIDE_CHAINS]
        nucleotides = [each.seqid for each in linked if _is_nucleotide(each.name)]
        # if two residues share a number, both are the end
        ends = amino_acids[:1] + nucleotides[-1:]
        for residue in chain:
            is_free = residue.het_flag == HETERO and residue.name != "MSE"
            is_water = residue.name in _WATERS
            sites = [
                Site(
                    atom.name.replace("*", "'"), atom.element.name, np.array(atom.pos.tolist()),
                    atom.altloc, atom.occ, atom.b_iso, atom.element.is_metal, len(found),
                    copies[chain.name], is_water,
                )
                for atom in residue
            ]  # fmt: skip
            found.append((residue, sites, is_free or residue.seqid in ends))
        copies[chain.name] += 1
    return found


def _is_nucleotide(name: str) -> bool:
    return name in _BASES or name.removeprefix("D") in _BASES


def _sort(name: str, sites: Sequence[Site]) -> str:
    """Current name of a residue. Before 2007, DNA had the names of RNA."""
    has_deoxyribose = not any(site.name == "O2'" for site in sites)
    is_sugar = any(site.name == "C1'" for site in sites)
    return f"D{name}" if name in _BASES and is_sugar and has_deoxyribose else name


def _riding(
    residue: str, sites: Sequence[Site], bonds: Bonds, is_end: bool
) -> Iterator[tuple[Site, np.ndarray]]:
    """Parents and positions (Angstrom) of a residue's hydrogen atoms."""
    counts = COUNTS[residue]
    metal_on_nitrogen = any(
        site.name == "ND1" and any(each.is_metal for each in bonds.of(site)) for site in sites
    )
    for site in sites:
        number = counts.get(site.name, 0)
        if residue == "HIS" and site.name == "NE2" and metal_on_nitrogen:
            number = 1
        neighbours = bonds.of(site)
        is_peptide = residue in _SIDE_CHAINS and site.name == "N"
        if is_peptide:
            # the first residue of a chain has an ammonium group
            starts = is_end and not any(each.name == "C" for each in neighbours)
            number += 2 if starts else 0
        elif site.name == "O5'" or (site.name == "O3'" and is_end):
            number -= any(each.element == "P" for each in neighbours)
        elif site.name == "O3'":
            number = 0
        else:
            number -= sum(each.residue != site.residue for each in neighbours)
        for place in _places(site, bonds, max(number, 0), (residue, site.name) in PLANAR):
            yield site, place


def _bonded(site: Site, other: Site) -> bool:
    if site.altloc != other.altloc and NONE not in (site.altloc, other.altloc):
        return False
    if site.copy != other.copy:
        return False
    if site.residue != other.residue and (site.is_water or other.is_water):
        return False
    heavy = {"S", "Se", "P"} & {site.element, other.element}
    longest = LONGEST_SULPHUR_BOND if heavy else LONGEST_BOND
    if site.element == other.element == "S":
        longest = LONGEST_DISULPHIDE
    if site.is_metal or other.is_metal:
        longest = LONGEST_METAL_BOND if {"N", "O", "S"} & {site.element, other.element} else 0.0
    return bool(0.5 < norm(site.place - other.place) < longest)


def _places(site: Site, bonds: Bonds, number: int, planar: bool) -> list[np.ndarray]:
    """Positions (Angstrom) of the hydrogen atoms of an atom."""
    if number == 0:
        return []
    neighbours = bonds.of(site)
    here = site.place
    towards = [unit(each.place - here) for each in neighbours]
    if not towards:
        half = WATER_ANGLE / 2.0
        directions = [
            np.array([math.sin(sign * half), 0.0, math.cos(half)]) for sign in (1.0, -1.0)
        ]
    elif len(towards) == 1:
        directions = _on_a_cone(site, neighbours[0], bonds, number, planar)
    else:
        away = -np.sum(towards, axis=0)
        across = cross(towards[0], towards[1])
        if norm(away) < 1e-3:
            away = across if norm(across) > 1e-3 else _any_across(towards[0])
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
    site: Site, neighbour: Site, bonds: Bonds, number: int, planar: bool
) -> list[np.ndarray]:
    """Directions around the only bond of an atom, relative to its neighbour's other bonds."""
    axis = unit(site.place - neighbour.place)
    others = [each for each in bonds.of(neighbour) if norm(each.place - site.place) > 0.5]
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
