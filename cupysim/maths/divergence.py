"""Sources of a divergent beam with a bandwidth."""

from __future__ import annotations

import numpy as np

from cupysim.constants import SOURCE_DISTANCE
from cupysim.maths.arrays import Array, cross
from cupysim.maths.rotations import rotate_axis

ROUND_CUT = 1.1
"""Largest squared distance of a grid point of a round beam, in units of the squared radius."""


def deviations(
    horizontal: tuple[float, float, int],
    vertical: tuple[float, float, int],
    round_spot: bool,
) -> np.ndarray:
    """Make the angular grid of the sources.

    Parameters
    ----------
    horizontal, vertical : tuple of float, float, int
        Range (rad), step (rad) and count.
    round_spot : bool
        Cut the grid to an ellipse.

    Returns
    -------
    ndarray, shape (n, 2)
        Horizontal and vertical deviations (rad). The vertical one varies faster.

    Notes
    -----
    With a range of zero, the test for the ellipse is 0/0 and cuts nothing.
    """
    angles, distances = [], []
    for range_, step, count in (horizontal, vertical):
        angle = step * np.arange(count, dtype=np.float64) - range_ / 2.0
        even = 1 - count % 2
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = (angle * angle - step * step / 4.0 * even) / range_ / range_
        angles.append(angle)
        distances.append(distance)
    h, v = np.meshgrid(*angles, indexing="ij")
    grid = np.stack([h.ravel(), v.ravel()], axis=-1)
    if round_spot:
        test = np.add.outer(distances[0], distances[1]).ravel()
        grid = grid[~(test * 4.0 > ROUND_CUT)]
    return grid


def source_positions(
    deviation: Array,
    beam: Array,
    polarization: Array,
    vertical: Array,
    distance: float = SOURCE_DISTANCE,
) -> Array:
    """Positions of sources with given deviations from the beam.

    Parameters
    ----------
    deviation : array, shape (n, 2)
        Horizontal and vertical deviations (rad).
    beam, polarization, vertical : array, shape (3,)
        Unit vectors. A vertical deviation turns the source about `polarization`, and is applied
        first. A horizontal deviation turns it about `vertical`.
    distance : float, optional
        Distance from the sample (m).

    Returns
    -------
    array, shape (n, 3)
        Positions (m).
    """
    straight = -distance * beam
    lifted = rotate_axis(straight, polarization, deviation[:, 1])
    return rotate_axis(lifted, vertical, deviation[:, 0])


def source_position_slopes(
    deviation: np.ndarray,
    beam: np.ndarray,
    polarization: np.ndarray,
    vertical: np.ndarray,
    of_axis: int,
) -> np.ndarray:
    """Derivatives of unit vectors to the sources with respect to one of their deviations.

    Parameters
    ----------
    deviation, beam, polarization, vertical
        As for `source_positions`.
    of_axis : int
        0 for the horizontal, 1 for the vertical deviation.

    Returns
    -------
    ndarray, shape (n, 3)
        Derivatives (1/rad).
    """
    lifted = rotate_axis(-beam, polarization, deviation[:, 1])
    if of_axis == 0:
        return np.asarray(cross(vertical, rotate_axis(lifted, vertical, deviation[:, 0])))
    return np.asarray(rotate_axis(cross(polarization, lifted), vertical, deviation[:, 0]))


def wavelengths(centre: float, dispersion: tuple[float, float, int]) -> np.ndarray:
    """Wavelengths of a bandwidth.

    Parameters
    ----------
    centre : float
        Central wavelength (m).
    dispersion : tuple of float, float, int
        Range and step, relative to the centre, and count.

    Returns
    -------
    ndarray, shape (count,)
        Wavelengths centre (1 + step k - range/2) (m), for k = 0, 1, ...
    """
    range_, step, count = dispersion
    return centre * (1.0 + step * np.arange(count, dtype=np.float64) - range_ / 2.0)
