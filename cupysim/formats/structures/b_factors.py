"""Checks whether the B factors of a model are displacements of its atoms."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

CONFIDENCE = (
    "its B factors are confidences of a predicted model (pLDDT), not displacements: the more "
    "certain the place of an atom, the larger the displacement that is used"
)

NO_MOTION = (
    "all its B factors are zero: no thermal motion damps its amplitudes, so they are too large at "
    "high angles"
)

ASSUMED = "B = 0 is assumed"
"""Part of the warning about missing B factors. If it is given, `NO_MOTION` adds nothing."""

PREDICTED_NAME = re.compile(
    r"ALPHAFOLD|COLABFOLD|ESMFOLD|ROSETTAFOLD|OMEGAFOLD|\bAF-[A-Z0-9]+-F\d|RELAXED_(RANK|MODEL)_"
    r"|\bRANKED_\d|_RANK_\d+"
)
"""File names that prediction programs write, in capitals."""

WATERS = frozenset({"HOH", "DOD", "WAT", "SOL", "TIP", "TIP3"})

FEWEST_RESIDUES = 8
"""With fewer residues, confidences cannot be recognised."""

SMALLEST_RESIDUE = 3
"""Smallest number of atoms of a residue that is looked at."""

SAME_B = 0.011
"""Largest difference (Angstrom^2) of B factors that are equal: files have two decimals."""

MOSTLY = 0.95
"""Fraction of the residues that must have a single B factor each."""

CONFIDENT = 70.0
"""Median above which numbers up to 100 are hardly displacements: a crystal would not show half of
its atoms. A predicted model with a lower median confidence is of no use."""

ANYHOW = 40.0
"""The same median for a model without a crystal that has one number for each residue."""


def warnings_of(
    path: object, structure: Any, has_cell: bool, is_small_molecule: bool, is_said: bool
) -> list[str]:
    """Warnings about the B factors of a model.

    Parameters
    ----------
    path : path_like
        File. Its name may show that the model is predicted.
    structure : gemmi.Structure
        Structure with the model.
    has_cell : bool
        Whether the model has a crystal.
    is_small_molecule : bool
        Whether it is a small molecule. Its numbers are always displacements.
    is_said : bool
        Whether the file says that the model is predicted.

    Returns
    -------
    list of str
        Warnings.

    Notes
    -----
    A model that was measured or refined (EXPDTA, _exptl.method, a resolution) has displacements,
    even if its starting model was predicted. In other models, three signs reveal confidences:
    their range, one number for each residue, and mostly high values. The mean of displacements is
    above their median; the mean of confidences is below it.
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
            "too small for displacements: are they confidences (pLDDT), U in place of B, or "
            "placeholders?"
        ]
    if PREDICTED_NAME.search(os.path.basename(str(path)).upper()) and np.median(values) > ANYHOW:
        return [f"its name is that of a predicted model: {CONFIDENCE}"]
    reason = _why_confidences(structure, values, has_cell)
    if not reason:
        return []
    return [
        f"its B factors look like confidences of a predicted model (pLDDT), not displacements: "
        f"{reason}, from {values.min():g} to {values.max():g}; the more certain the place of an "
        "atom, the larger the displacement that is used"
    ]


def _is_measured(structure: Any) -> bool:
    method = dict(structure.info).get("_exptl.method", "").upper()
    return bool(structure.resolution > 0.0 or (method and "THEORETICAL" not in method))


def _why_confidences(structure: Any, values: np.ndarray, has_cell: bool) -> str:
    """Reason why B factors look like confidences; empty if they do not."""
    residues = [
        np.array([atom.b_iso for atom in residue]) for chain in structure[0] for residue in chain
    ]
    large = [each for each in residues if len(each) >= SMALLEST_RESIDUE]
    if len(large) < FEWEST_RESIDUES:
        return ""
    one_each = sum(np.ptp(each) <= SAME_B for each in large) >= MOSTLY * len(large)
    median = float(np.median(values))
    skewed = float(values.mean()) <= median
    # a number that is the same everywhere is a placeholder
    differs = len({round(float(each[0]), 1) for each in large}) > len(large) // 4
    if not differs:
        return ""
    if one_each and ((median > CONFIDENT and skewed) or (not has_cell and median > ANYHOW)):
        return "one for each residue"
    if not has_cell and median > CONFIDENT and skewed:
        return "most are high, none above 100, and there is no crystal"
    return ""
