"""Masks as rectangles of bad pixels."""

from __future__ import annotations

import numpy as np

Rectangle = tuple[int, int, int, int]
"""First and last fast pixel, first and last slow pixel; the last ones are included."""


def rectangles_of(bad: np.ndarray, most: int) -> list[Rectangle] | None:
    """Divide pixels into rectangles that do not overlap.

    Parameters
    ----------
    bad : ndarray of bool, shape (n_slow, n_fast)
        Pixels to cover.
    most : int
        Largest number of rectangles.

    Returns
    -------
    list of tuple of 4 int, or None
        First and last fast pixel, first and last slow pixel of each. None if more than `most`
        would be needed.

    Notes
    -----
    Runs of bad pixels along a row are joined with equal runs of the row before.

    Examples
    --------
    >>> rectangles_of(np.array([[1, 1, 0], [1, 1, 1]], dtype=bool), 10)
    [(0, 1, 0, 0), (0, 2, 1, 1)]
    """
    done: list[Rectangle] = []
    open_runs: dict[tuple[int, int], int] = {}
    for row, line in enumerate(bad):
        steps = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0))
        runs = [(int(start), int(end) - 1) for start, end in steps.reshape(-1, 2)]
        if len(runs) + len(done) > most:
            return None
        ended = [run for run in open_runs if run not in runs]
        done += [(*run, open_runs.pop(run), row - 1) for run in ended]
        for run in runs:
            open_runs.setdefault(run, row)
    done += [(*run, first, len(bad) - 1) for run, first in open_runs.items()]
    return sorted(done, key=lambda each: (each[2], each[0])) if len(done) <= most else None
