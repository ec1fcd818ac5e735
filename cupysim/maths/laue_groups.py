"""Proper rotations of the Laue groups, as matrices of integers."""

from __future__ import annotations

from functools import cache

import numpy as np

_TWO = {"x": np.diag([1, -1, -1]), "y": np.diag([-1, 1, -1]), "z": np.diag([-1, -1, 1])}
_FOUR = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
_THREE = np.array([[0, -1, 0], [1, -1, 0], [0, 0, 1]])
_SIX = np.array([[1, -1, 0], [1, 0, 0], [0, 0, 1]])
_ALONG_A = np.array([[1, -1, 0], [0, -1, 0], [0, 0, -1]])
_BETWEEN_A_AND_B = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1]])
_DIAGONAL = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])

LAUE_GROUPS: dict[str, tuple[np.ndarray, ...]] = {
    "-1": (),
    "2/m:c": (_TWO["z"],),
    "2/m": (_TWO["y"],),
    "2/m:a": (_TWO["x"],),
    "mmm": (_TWO["z"], _TWO["y"]),
    "4/m": (_FOUR,),
    "4/mmm": (_FOUR, _TWO["x"]),
    "-3": (_THREE,),
    "-3m1": (_THREE, _ALONG_A),
    "-31m": (_THREE, _BETWEEN_A_AND_B),
    "6/m": (_SIX,),
    "6/mmm": (_SIX, _ALONG_A),
    "m-3": (_TWO["z"], _TWO["y"], _DIAGONAL),
    "m-3m": (_FOUR, _TWO["x"], _DIAGONAL),
}
"""Generators of the rotations of each Laue group, which act on fractional coordinates. The order is
that of the numbers 1 to 14 of diffBragg. The axis of 2/m is b unless named."""


@cache
def rotations(group: str) -> np.ndarray:
    """All rotations of a Laue group.

    Parameters
    ----------
    group : str
        One of `LAUE_GROUPS`.

    Returns
    -------
    ndarray of float64, shape (n, 3, 3)
        Matrices that act on fractional coordinates, the identity first. Their transposes act on
        Miller indices.
    """
    found = [np.eye(3, dtype=int)]
    for matrix in found:
        for generator in LAUE_GROUPS[group]:
            product = generator @ matrix
            if not any((product == known).all() for known in found):
                found.append(product)
    result = np.array(found, dtype=np.float64)
    result.setflags(write=False)
    return result
