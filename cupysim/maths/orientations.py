"""Orientations of the crystal: each spindle angle with each mosaic domain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cupysim.maths.arrays import Array, array_namespace
from cupysim.maths.rotations import apply_matrix, rotate_axis


def spindle_cells(
    direct: np.ndarray, axis: np.ndarray, angles: np.ndarray, stale_at_zero: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Cell vectors at each spindle angle, with or without the C program's error at zero.

    Parameters
    ----------
    direct : ndarray, shape (3, 3)
        Rows a, b, c (m) at angle zero.
    axis : ndarray, shape (3,)
        Spindle axis, unit vector.
    angles : ndarray, shape (n,)
        Spindle angles (rad).
    stale_at_zero : bool, optional
        Reproduce the error (quirk Q3): at an angle of exactly zero, the crystal keeps the
        orientation of the previous step.

    Returns
    -------
    cells : ndarray, shape (n, 3, 3)
        Rows a, b, c (m). Sweeps follow each other, so the step before the first step of a sweep is
        the last step of the sweep before.
    first : ndarray, shape (3, 3), or None
        Cell vectors at the first angle of the very first sweep, if they differ from `cells`.
    """
    if len(angles) == 1 and angles[0] == 0.0:
        return direct[None], None
    zero = angles == 0.0
    if zero.all():
        return np.repeat(direct[None], len(angles), axis=0), None
    cells = rotate_axis(direct[None], axis, angles[:, None])
    if not stale_at_zero:
        cells[zero] = direct
        return cells, None
    turned = np.flatnonzero(~zero)
    for index in np.flatnonzero(zero):
        cells[index] = cells[turned[np.searchsorted(turned, index) - 1]]
    return cells, direct if zero[0] else None


def orientations(cells: Array, rotations: Array, first: int, last: int) -> Array:
    """Cell vectors of a range of orientations.

    Parameters
    ----------
    cells : array, shape (n_phi, 3, 3)
        Rows a, b, c (m) at each spindle angle.
    rotations : array, shape (n_mosaic, 3, 3)
        Rotations of the mosaic domains, applied after the spindle.
    first, last : int
        First orientation, and the one after the last. The number of an orientation is spindle
        angle times number of domains plus domain.

    Returns
    -------
    array, shape (last - first, 3, 3)
        Rows a, b, c (m).
    """
    xp = array_namespace(cells)
    numbers = xp.arange(first, last)
    phi, domain = numbers // len(rotations), numbers % len(rotations)
    if len(rotations) == 1 and bool((rotations[0] == xp.eye(3)).all()):
        # a product with the identity may turn -0 into 0
        return cells[phi]
    return apply_matrix(rotations[domain][:, None], cells[phi])


def orientation_blocks(cells: Array, rotations: Array, size: int) -> Iterator[tuple[int, Array]]:
    """Cell vectors of all orientations in the C program's order, in blocks.

    Parameters
    ----------
    cells, rotations : array
        As for `orientations`.
    size : int
        Largest number of orientations in a block.

    Yields
    ------
    first : int
        Number of the first orientation in the block.
    cells : array, shape (n, 3, 3)
        Rows a, b, c (m).
    """
    count = len(cells) * len(rotations)
    for first in range(0, count, size):
        yield first, orientations(cells, rotations, first, min(first + size, count))
