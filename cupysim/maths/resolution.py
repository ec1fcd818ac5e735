"""Resolution and scattering angle at points of a flat detector."""

from __future__ import annotations

import numpy as np

from cupysim.maths.arrays import dot, norm


def resolution_at(
    fast_place: np.ndarray, slow_place: np.ndarray, panel: np.ndarray, beam: np.ndarray,
    wavelength: float,
) -> np.ndarray:  # fmt: skip
    """Resolution d at points of a panel.

    Parameters
    ----------
    fast_place, slow_place : ndarray
        Positions (m) from the outer corner of the first pixel.
    panel : ndarray, shape (3, 3)
        Rows origin (m), fast and slow unit vectors.
    beam : ndarray, shape (3,)
        Direction of the photons, unit vector.
    wavelength : float
        Wavelength (m).

    Returns
    -------
    ndarray
        wavelength/|diffracted - incident| (m), infinite in the direct beam.
    """
    origin, fast, slow = panel
    points = origin + fast_place[..., None] * fast + slow_place[..., None] * slow
    directions = points / norm(points)[..., None]
    with np.errstate(divide="ignore"):
        return np.asarray(wavelength / norm(directions - beam))


def beam_spot(panel: np.ndarray, beam: np.ndarray) -> tuple[float, float, float] | None:
    """Where the direct beam hits a panel.

    Parameters
    ----------
    panel, beam
        As for `resolution_at`.

    Returns
    -------
    tuple of 3 float, or None
        Positions along fast and slow and the distance along the beam (m); None if it
        does not.
    """
    origin, fast, slow = panel
    normal = np.cross(fast, slow)
    along = float(dot(beam, normal))
    if abs(along) < 1e-9:
        return None
    distance = float(dot(origin, normal)) / along
    hit = distance * beam - origin
    return float(dot(hit, fast)), float(dot(hit, slow)), distance
