"""Whether the B factors of a model are displacements of its atoms."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

CONFIDENCE = (
    "its B factors are confidences of a predicted model (pLDDT), not displacements: the better an "
    "atom is known, the more it is smeared"
)

NO_MOTION = (
    "all its B factors are zero: no thermal motion damps its amplitudes, which are too large at "
    "high angles"
)

ASSUMED = "B = 0 is assumed"
"""What a warning of missing B factors says, beside which `NO_MOTION` is nothing new."""

PREDICTED_NAME = re.compile(
    r"ALPHAFOLD|COLABFOLD|ESMFOLD|ROSETTAFOLD|OMEGAFOLD|\bAF-[A-Z0-9]+-F\d|RELAXED_(RANK|MODEL)_"
    r"|\bRANKED_\d|_RANK_\d+"
)
"""Names of files as programs of prediction give them, in capitals."""

WATERS = frozenset({"HOH", "DOD", "WAT", "SOL", "TIP", "TIP3"})

FEWEST_RESIDUES = 8
"""Of fewer residues, nobody can say."""

SMALLEST_RESIDUE = 3
"""Atoms which a residue must have to count."""

SAME_B = 0.011
"""Difference of B factors up to which they are one, with two decimals."""

MOSTLY = 0.95
"""Part of the residues which must have one B factor each."""

CONFIDENT = 70.0
"""Median above which numbers up to 100 are hardly displacements: no crystal would show the half of
its atoms. Below it, confidences are those of a model which nobody takes."""

ANYHOW = 40.0
"""The same for a model without a crystal, each of whose residues has one number."""


def warnings_of(
    path: object, structure: Any, has_cell: bool, is_small_molecule: bool, is_said: bool
) -> list[str]:
    """What must be known of a model's B factors.

    Parameters
    ----------
    path : path_like
        The file, whose name may tell.
    structure : gemmi.Structure
        The model.
    has_cell : bool
        It has a crystal.
    is_small_molecule : bool
        Its numbers are displacements, whatever they are.
    is_said : bool
        The file says that it is a prediction.

    Returns
    -------
    list of str
        Warnings.

    Notes
    -----
    A model which was measured or refined (EXPDTA, _exptl.method, a resolution) has displacements,
    be its starting model a prediction. In other models, confidences are known by their range, by
    their being one number for each residue, and by most of them being high: displacements have
    their mean above their median, confidences below.
    """
    atoms = [each.atom for each in structure[0].all()]
    values = np.array([atom.b_iso for atom in atoms])
    if not values.any() and not any(atom.aniso.nonzero() for atom in atoms):
        return [NO_MOTION]
    if is_small_molecule or _is_measured(structure):
        return []
    in_range = bool(values.min() >= 0.0 and values.max() <= 100.0)
    if is_said:
        return [CONFIDENCE] if in_range else []
    names = {residue.name for chain in structure[0] for residue in chain}
    if not in_range or names & WATERS:
        return []
    if values.max() <= 1.0:
        return [
            f"its B factors, from {values.min():g} to {values.max():g} A^2, are used, but are "
            "hardly displacements: confidences (pLDDT), U in place of B, or placeholders? There is "
            "hardly any thermal motion"
        ]
    if PREDICTED_NAME.search(os.path.basename(str(path)).upper()) and np.median(values) > ANYHOW:
        return [f"by its name it is a predicted model: {CONFIDENCE}"]
    reason = _why_confidences(structure, values, has_cell)
    if not reason:
        return []
    return [
        f"its B factors look like confidences of a predicted model (pLDDT), not displacements: "
        f"{reason}, from {values.min():g} to {values.max():g}; the better an atom is known, the "
        "more it is smeared"
    ]


def _is_measured(structure: Any) -> bool:
    method = dict(structure.info).get("_exptl.method", "").upper()
    return bool(structure.resolution > 0.0 or (method and "THEORETICAL" not in method))


def _why_confidences(structure: Any, values: np.ndarray, has_cell: bool) -> str:
    """Why B factors are taken for confidences; empty if they are not."""
    residues = [
        np.array([atom.b_iso for atom in residue]) for chain in structure[0] for residue in chain
    ]
    large = [each for each in residues if len(each) >= SMALLEST_RESIDUE]
    if len(large) < FEWEST_RESIDUES:
        return ""
    one_each = sum(np.ptp(each) <= SAME_B for each in large) >= MOSTLY * len(large)
    median = float(np.median(values))
    skewed = float(values.mean()) <= median
    # a number which is the same everywhere is a placeholder
    differs = len({round(float(each[0]), 1) for each in large}) > len(large) // 4
    if not differs:
        return ""
    if one_each and ((median > CONFIDENT and skewed) or (not has_cell and median > ANYHOW)):
        return "one for each residue"
    if not has_cell and median > CONFIDENT and skewed:
        return "most are high, none above 100, and there is no crystal"
    return ""
