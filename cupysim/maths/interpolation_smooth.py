"""Interpolation of smooth functions between coarse nodes of an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interpolated(
    coarse: np.ndarray, nodes: Sequence[np.ndarray], slow: np.ndarray, fast: np.ndarray
) -> np.ndarray:
    """Values between the nodes of a grid, by cubic splines where there are enough of them.

    Parameters
    ----------
    coarse : ndarray, shape (n, m)
        Values at the nodes.
    nodes : sequence of 2 ndarray, shapes (n,) and (m,)
        Slow and fast coordinates of the nodes, ascending.
    slow, fast : ndarray, shapes (n_slow,) and (n_fast,)
        Coordinates of the values, between the first and the last node.

    Returns
    -------
    ndarray, shape (n_slow, n_fast)
        The values.
    """
    from scipy.interpolate import RectBivariateSpline

    places = list(nodes)
    for axis, along in enumerate(places):
        if len(along) == 1:
            coarse = np.repeat(coarse, 2, axis=axis)
            places[axis] = along + np.array([0.0, 1.0])
    degrees = [min(3, len(along) - 1) for along in places]
    spline = RectBivariateSpline(*places, coarse, kx=degrees[0], ky=degrees[1])
    return np.asarray(spline(slow, fast))
