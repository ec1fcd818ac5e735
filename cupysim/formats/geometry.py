"""What image files and experiment lists tell of how an image was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageGeometry:
    """Geometry of an image, in any right-handed laboratory frame.

    Parameters
    ----------
    n_fast, n_slow : int
        Pixels.
    pixel_size : float
        Pixel edge (m).
    origin : ndarray, shape (3,)
        Outer corner of the first pixel (m).
    fast, slow : ndarray, shape (3,)
        Unit vectors.
    beam : ndarray, shape (3,)
        Direction in which the photons fly, unit vector.
    spindle : ndarray, shape (3,)
        Rotation axis of the crystal, unit vector.
    wavelength : float, optional
        Wavelength (m).
    phi, oscillation : float, optional
        First spindle angle and width of the image (rad).
    polarization : tuple of (float, ndarray), optional
        Kahn factor, and direction of the electric field.
    reciprocal : ndarray, shape (3, 3), optional
        Rows a*, b*, c* (1/Angstrom) of the crystal at spindle angle zero.
    """

    n_fast: int
    n_slow: int
    pixel_size: float
    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    beam: np.ndarray
    spindle: np.ndarray
    wavelength: float | None = None
    phi: float | None = None
    oscillation: float | None = None
    polarization: tuple[float, np.ndarray] | None = None
    reciprocal: np.ndarray | None = None
