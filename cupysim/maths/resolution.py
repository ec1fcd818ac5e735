"""Resolution at points of a flat panel, and the direct beam on it."""

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
        Positions along fast and slow, from the outer corner of the first pixel (m).
    panel : ndarray, shape (3, 3)
        Rows origin (m), fast and slow unit vectors.
    beam : ndarray, shape (3,)
        Direction of the photons, unit vector.
    wavelength : float
        Wavelength (m).

    Returns
    -------
    ndarray
        Resolution wavelength/|diffracted - incident| (m), infinite in the direct beam.
    """
    origin, fast, slow = panel
    points = origin + fast_place[..., None] * fast + slow_place[..., None] * slow
    return resolution_of(points, beam, wavelength)


def resolution_of(points: np.ndarray, beam: np.ndarray, wavelength: float) -> np.ndarray:
    """Resolution d at points in the laboratory.

    Parameters
    ----------
    points : ndarray, shape (..., 3)
        Positions from the crystal (m).
    beam, wavelength
        As for `resolution_at`.

    Returns
    -------
    ndarray, shape (...)
        Resolution wavelength/|diffracted - incident| (m), infinite in the direct beam.
    """
    directions = points / norm(points)[..., None]
    with np.errstate(divide="ignore"):
        return np.asarray(wavelength / norm(directions - beam))


NEGLIGIBLE_SKEW = 1e-10
"""Cosine of the angle between two axes up to which they count as perpendicular."""


def are_skewed(fast: np.ndarray, slow: np.ndarray) -> bool:
    """Whether two axes are not perpendicular."""
    return abs(float(dot(fast, slow))) > NEGLIGIBLE_SKEW * float(norm(fast) * norm(slow))


def along_axes(vector: np.ndarray, fast: np.ndarray, slow: np.ndarray) -> tuple[float, float]:
    """Coordinates of a vector along the axes of a panel, which may be skewed.

    Parameters
    ----------
    vector : ndarray, shape (3,)
        Vector (m). Its part along the panel's normal does not count.
    fast, slow : ndarray, shape (3,)
        Axes.

    Returns
    -------
    tuple of 2 float
        f and s, so that the vector is f fast + s slow plus a part along the normal (m).
    """
    on_fast, on_slow = dot(vector, fast), dot(vector, slow)
    size_fast, size_slow = dot(fast, fast), dot(slow, slow)
    if not are_skewed(fast, slow):
        return float(on_fast / size_fast), float(on_slow / size_slow)
    both = dot(fast, slow)
    area = size_fast * size_slow - both * both
    return (
        float((on_fast * size_slow - on_slow * both) / area),
        float((on_slow * size_fast - on_fast * both) / area),
    )


def beam_spot(panel: np.ndarray, beam: np.ndarray) -> tuple[float, float, float] | None:
    """Find the place where the direct beam meets a panel.

    Parameters
    ----------
    panel, beam
        As for `resolution_at`.

    Returns
    -------
    tuple of 3 float, or None
        Positions along fast and slow, and the distance along the beam (m). None if the beam is
        parallel to the panel.
    """
    origin, fast, slow = panel
    normal = np.cross(fast, slow)
    along = float(dot(beam, normal))
    if abs(along) < 1e-9:
        return None
    distance = float(dot(origin, normal)) / along
    hit = distance * beam - origin
    return *along_axes(hit, fast, slow), distance


def largest_scattering(
    panel: np.ndarray, size: tuple[float, float], incident: np.ndarray, wavelengths: np.ndarray
) -> float:
    """Length of the longest scattering vector at the corners of a panel.

    Parameters
    ----------
    panel : ndarray, shape (3, 3)
        As for `resolution_at`.
    size : tuple of 2 float
        Size of the panel along fast and slow (m).
    incident : ndarray, shape (n, 3)
        Directions of the photons, unit vectors.
    wavelengths : ndarray, shape (n,)
        Wavelengths (m).

    Returns
    -------
    float
        Largest length (1/m).
    """
    origin, fast, slow = panel
    corners = np.array(
        [origin + f * fast + s * slow for f in (0.0, size[0]) for s in (0.0, size[1])]
    )
    directions = corners / norm(corners)[:, None]
    return float((norm(directions[:, None] - incident) / wavelengths).max())
