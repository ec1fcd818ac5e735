"""Warnings about displacements of atoms that are contradictory, incomplete or without an atom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cupysim.formats.structures.table import listed

SAME_B, ROUNDING_B = 0.05, 0.1
"""Relative difference, and difference (Angstrom^2), up to which U and B are the same displacement:
files round them."""


def isotropic_told(
    names: Sequence[str], of_u: np.ndarray, of_b: np.ndarray, used: str
) -> list[str]:
    """Warning about sites whose U and B are not the same displacement.

    Parameters
    ----------
    names : sequence of str
        Names of the sites.
    of_u, of_b : ndarray, shape (n,)
        B factors (Angstrom^2) from U and from B; NaN for none.
    used : str
        Which of the two is used, "U" or "B".

    Returns
    -------
    list of str
        The warning; empty if there is nothing to say.
    """
    both = np.isfinite(of_u) & np.isfinite(of_b)
    limits = SAME_B * np.maximum(np.abs(of_u), np.abs(of_b)) + ROUNDING_B
    odd = [names[row] for row in np.flatnonzero(both & ~(np.abs(of_u - of_b) <= limits)).tolist()]
    if not odd:
        return []
    return [f"U and B of {len(odd)} atoms contradict each other, {used} is used: {listed(odd)}"]


def tensors_lack(columns: Sequence[str]) -> str:
    """Warning about displacement tensors with missing columns.

    Parameters
    ----------
    columns : sequence of str
        Missing columns.
    """
    return f"anisotropic displacements are left out, since the file lacks {listed(columns)}"


def tensors_told(
    lonely: Sequence[str], repeated: Sequence[str], incomplete: Sequence[str]
) -> Iterator[str]:
    """Warnings about tensors without an atom, repeated tensors, and tensors that lack numbers.

    Parameters
    ----------
    lonely : sequence of str
        Labels of tensors without an atom.
    repeated : sequence of str
        Labels of atoms with further tensors that differ from the first one.
    incomplete : sequence of str
        Labels of tensors that lack numbers.
    """
    if incomplete:
        yield (
            f"{len(incomplete)} anisotropic displacements lack numbers, and are left out: "
            f"{listed(incomplete)}"
        )
    if lonely:
        yield (
            f"{len(lonely)} anisotropic displacements belong to no atom in the file, and are left "
            f"out: {listed(lonely)}"
        )
    if repeated:
        yield (
            f"{len(repeated)} atoms have several anisotropic displacements, the first one is used: "
            f"{listed(repeated)}"
        )
