"""Strict non-crystallographic symmetry: copies that are added, and copies that should be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.pdb_text import LARGEST_COORDINATE
from cupysim.formats.structures.table import listed
from cupysim.optional_libraries import require

SAME_ATOM = 1.5
"""Distance (Angstrom) up to which an atom of a generated copy is in the place of an atom of the
file: copies that the file contains need not be exact."""

LEAST_PART = 0.25
"""Least fraction of a chain's atoms that are in such places if the copy is in the file."""

IDENTITY = 1e-4
"""Largest difference of a matrix from the identity, and largest shift (Angstrom)."""


def with_copies(path: object, structure: Any) -> tuple[list[str], list[str]]:
    """Add the copies that strict NCS generates to a structure.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    structure : gemmi.Structure
        Models; their chains are copied.

    Returns
    -------
    remarks, warnings : list of str
        Notes on what was done, and warnings about copies that the file calls given but lacks.

    Raises
    ------
    FileFormatError
        If a matrix is not a rotation, or two operators have the same number.
    """
    names = [op.id for op in structure.ncs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileFormatError(
            path,
            f"its strict NCS (MTRIX, struct_ncs_oper) has operator {listed(twice)} more than once",
        )
    gemmi = require("gemmi", "reading coordinates")
    lacking = [f"operator {op.id}" for op in _lacking(structure)]
    alarms = [
        f"the copies by strict NCS of {listed(lacking)} are not in the file, though it calls them "
        "given (column 60 of MTRIX, struct_ncs_oper.code): they are not added"
    ]
    alarms = alarms if lacking else []
    operators = [op for op in structure.ncs if not op.given]
    if not operators:
        return [], alarms
    matrices = np.array([op.tr.mat.tolist() for op in operators])
    shifts = np.array([op.tr.vec.tolist() for op in operators])
    if not (np.isfinite(matrices).all() and np.abs(shifts).max() <= LARGEST_COORDINATE):
        raise FileFormatError(path, "a matrix of its strict NCS (MTRIX) is impossible")
    if np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(3)).max() > 1e-2:
        raise FileFormatError(path, "a matrix of its strict NCS (MTRIX) is not a rotation")
    structure.expand_ncs(gemmi.HowToNameCopiedChain.Dup)
    return [f"{len(operators)} copies by strict NCS (MTRIX, struct_ncs_oper) are added"], alarms


def _lacking(structure: Any) -> Iterator[Any]:
    """Operators that the file calls given, but that map no chain onto atoms of the file."""
    given = [op for op in structure.ncs if op.given and not _is_identity(op)]
    if not given:
        return
    chains = [
        np.array([atom.pos.tolist() for residue in chain for atom in residue])
        for chain in structure[0]
        if chain.count_atom_sites() > 0
    ]
    if not chains:
        return
    # imported here: the import takes longer than a small image
    from scipy.spatial import cKDTree

    tree = cKDTree(np.concatenate(chains))
    for op in given:
        turn, shift = np.array(op.tr.mat.tolist()), np.array(op.tr.vec.tolist())
        parts = []
        for places in chains:
            distances, _ = tree.query(np.nan_to_num(places @ turn.T + shift))
            parts.append(np.count_nonzero(distances < SAME_ATOM) / len(places))
        if max(parts) < LEAST_PART:
            yield op


def _is_identity(op: Any) -> bool:
    turn, shift = np.array(op.tr.mat.tolist()), np.array(op.tr.vec.tolist())
    return bool(np.abs(turn - np.eye(3)).max() < IDENTITY and np.abs(shift).max() < IDENTITY)
