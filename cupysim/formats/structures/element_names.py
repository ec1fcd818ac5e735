"""Elements that contradict the names of atoms in amino acids and nucleotides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cupysim.formats.structures.table import listed

RESIDUES = frozenset(
    ("ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIS", "ILE", "LEU", "LYS", "MET",
     "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL", "A", "C", "G", "U", "DA", "DC", "DG", "DT",
     "DU")
)  # fmt: skip
"""Residues whose atoms have names that begin with C, N, O, S, P or H."""

ELEMENTS = {"C": "C", "N": "N", "O": "O", "S": "S", "P": "P", "H": "H", "D": "H"}
"""First letters of the names of their atoms, and the elements."""

_TWO_LETTERS = re.compile("C[ABGDEZH]|N[DEHZ]|O[DEGHX]|S[DG]|H[ABDEGHZO]")
"""First two letters of names in these residues. NA is not among them: it can only be sodium."""


def corrected(gemmi: Any, structure: Any) -> Iterator[str]:
    """Correct elements that are the first two letters of a name, such as calcium for CA.

    Parameters
    ----------
    gemmi : module
        The gemmi module.
    structure : gemmi.Structure
        Models of macromolecules. Their atoms are changed.

    Yields
    ------
    str
        A warning about atoms that were corrected, or about other contradictions.
    """
    misread: list[str] = []
    others: list[str] = []
    for model in structure:
        for chain in model:
            for residue in chain:
                if residue.name not in RESIDUES:
                    continue
                for atom in residue:
                    letters = atom.name.lstrip("0123456789").upper()
                    expected = ELEMENTS.get(letters[:1])
                    found = atom.element.name.upper()
                    if (
                        expected is None
                        or found in (expected, "X")
                        or (found, expected) == ("D", "H")
                    ):
                        continue
                    name = f"{atom.name} of {residue.name} {residue.seqid} ({atom.element.name})"
                    if letters.startswith(found) and _TWO_LETTERS.fullmatch(found):
                        atom.element = gemmi.Element(expected)
                        misread.append(name)
                    else:
                        others.append(name)
    if misread:
        yield (
            f"{len(misread)} elements are the first two letters of the atoms' names, which cannot "
            f"be in these residues; the first letter is used: {listed(misread, 3)}"
        )
    if others:
        yield (
            f"{len(others)} elements contradict the names of the atoms, but they are used: "
            f"{listed(others, 3)}"
        )
