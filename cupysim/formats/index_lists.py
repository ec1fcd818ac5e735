"""Counts of distinct and repeated Miller indices in lists."""

from __future__ import annotations

import numpy as np

SPARSEST = 64
"""Largest number of cells, for each reflection, of a box of indices whose cells are marked. In
larger boxes, sorting is faster."""


def count_distinct(hkl: np.ndarray) -> int:
    """Number of distinct reflections in a list.

    Parameters
    ----------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    """
    codes, size = _codes(hkl)
    if size > SPARSEST * len(hkl):
        return len(np.unique(codes))
    # much faster than sorting
    seen = np.zeros(size, dtype=bool)
    seen[codes] = True
    return int(np.count_nonzero(seen))


def first_repeated(hkl: np.ndarray) -> tuple[int, tuple[int, int, int]] | None:
    """Number of lines that repeat a reflection, and the first of these reflections.

    Parameters
    ----------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.

    Returns
    -------
    tuple of int and tuple of 3 int, or None
        Number of lines and Miller indices; None if all reflections are distinct.
    """
    count = len(hkl) - count_distinct(hkl)
    if count == 0:
        return None
    codes, _ = _codes(hkl)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    again = order[1:][ordered[1:] == ordered[:-1]]
    h, k, l = hkl[int(again.min())].tolist()
    return count, (h, k, l)


def _codes(hkl: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers of the cells in the smallest box around all indices, and the size of the box."""
    low = hkl.min(axis=0)
    n_h, n_k, n_l = (int(n) for n in hkl.max(axis=0) - low + 1)
    h, k, l = (hkl - low).T
    return (h * n_k + k) * n_l + l, n_h * n_k * n_l
