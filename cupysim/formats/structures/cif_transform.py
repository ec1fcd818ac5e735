"""The matrix of a CIF file from measured indices to those of its cell."""

from __future__ import annotations

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.cif_blocks import CifBlock

PREFIX = "_diffrn_reflns_transf_matrix_"
ITEMS = tuple(f"{PREFIX}{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3))
"""Items with the matrix M. In the core dictionary, (h k l) M = (h' k' l'): the first are indices of
the category diffrn_refln, the second those of refln, which belong to the cell."""

SAME = 1e-6
"""Largest difference of an element from an integer."""


def transformed(
    path: object, block: CifBlock, category: str, hkl: np.ndarray
) -> tuple[np.ndarray, str]:
    """Indices of the cell from indices as they were measured.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    block : CifBlock
        Block with the reflections.
    category : str
        Prefix of the items of the reflections.
    hkl : ndarray of float64, shape (n, 3)
        Indices in the file.

    Returns
    -------
    hkl : ndarray of float64, shape (n, 3)
        Indices that belong to the cell.
    note : str
        What was done; empty if nothing was.

    Raises
    ------
    FileFormatError
        If the matrix is incomplete, or does not belong to another choice of the same lattice.
    """
    if category != "_diffrn_refln_" or not any(block.text(name) for name in ITEMS):
        return hkl, ""
    if not all(block.text(name) for name in ITEMS):
        raise FileFormatError(path, f"block {block.name}: {PREFIX}.. lacks elements")
    matrix = np.array([block.numbers(path, name)[0] for name in ITEMS]).reshape(3, 3)
    whole = np.rint(matrix)
    shown = "; ".join(" ".join(f"{number:g}" for number in row) for row in matrix)
    if np.abs(matrix - whole).max() > SAME or abs(abs(np.linalg.det(whole)) - 1.0) > SAME:
        raise FileFormatError(
            path,
            f"block {block.name}: its indices are not those of its cell, and {PREFIX}.. ({shown}) "
            "does not turn each of them into an index of the same lattice",
        )
    if np.array_equal(whole, np.eye(3)):
        return hkl, ""
    return hkl @ whole, f"its indices are multiplied by {PREFIX}.. ({shown}) from the right"
