"""Geometry, beam and rotation of an image, from image files and experiment lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.maths.arrays import cross, dot
from cupysim.maths.resolution import beam_spot, resolution_at


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A beam of several wavelengths.

    Parameters
    ----------
    wavelengths : ndarray, shape (n,)
        Wavelengths (m).
    weights : ndarray, shape (n,)
        Relative numbers of photons. They add up to one.
    """

    wavelengths: np.ndarray
    weights: np.ndarray

    @property
    def mean(self) -> float:
        """Weighted mean wavelength (m)."""
        return float(self.wavelengths @ self.weights)


def is_x_ray(probe: str) -> bool:
    """Whether the name of a radiation in a file means X-rays.

    Parameters
    ----------
    probe : str
        Name such as "x-ray", "neutron" or "electron".
    """
    return probe.strip().lower() in ("x-ray", "x-rays", "xray", "xrays")


@dataclass(frozen=True, eq=False)
class ImageGeometry:
    """Geometry of an image in the laboratory frame of imgCIF: z to the source, x along the spindle.

    Parameters
    ----------
    n_fast, n_slow : int
        Number of pixels along the fast and slow axis.
    pixel_size : float
        Pixel edge (m).
    origin : ndarray, shape (3,)
        Outer corner of the first pixel (m).
    fast, slow : ndarray, shape (3,)
        Unit vectors of the fast and slow axis.
    beam : ndarray, shape (3,)
        Direction of propagation of the beam, unit vector.
    spindle : ndarray, shape (3,)
        Rotation axis of the crystal, unit vector.
    wavelength : float, optional
        Wavelength (m).
    phi, oscillation : float, optional
        First spindle angle and width of the image (rad).
    polarization : tuple of (float, ndarray), optional
        Kahn factor, and direction of the electric field.
    reciprocal : ndarray, shape (3, 3) or (n_crystals, 3, 3), optional
        Rows a*, b*, c* (1/Angstrom) of the crystal, or of each of several, at spindle angle zero.
    spectrum : Spectrum, optional
        Wavelengths of a beam with several; `wavelength` is their mean.
    no_wavelength : str
        Reason why there is no wavelength, if the file has one that cannot be used.
    remarks : tuple of str
        Warnings for the user about the reading of the file.
    flux : float, optional
        Photons per second in the whole beam.
    beam_size : float, optional
        Edge (m) of a square beam of uniform intensity.
    is_reversed : bool
        Whether the spindle is the opposite of that in the file, whose angles decrease.
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
    spectrum: Spectrum | None = None
    no_wavelength: str = ""
    remarks: tuple[str, ...] = ()
    flux: float | None = None
    beam_size: float | None = None
    is_reversed: bool = False

    @property
    def panel(self) -> np.ndarray:
        """Origin (m), fast and slow unit vector as rows, shape (3, 3)."""
        return np.stack([self.origin, self.fast, self.slow])

    @property
    def beam_centre(self) -> tuple[float, float, float] | None:
        """Fast and slow pixel and distance (m) of the direct beam; None if it misses the plane."""
        spot = beam_spot(self.panel, self.beam)
        if spot is None:
            return None
        return spot[0] / self.pixel_size, spot[1] / self.pixel_size, spot[2]

    @property
    def near_distance(self) -> float:
        """Distance (m) from the sample to the panel's plane (point of normal incidence)."""
        return abs(float(dot(self.origin, cross(self.fast, self.slow))))

    def resolution(self, fast: np.ndarray, slow: np.ndarray) -> np.ndarray:
        """Resolution (m) at pixel coordinates. The centre of the first pixel is at one half."""
        assert self.wavelength is not None
        size = self.pixel_size
        return resolution_at(fast * size, slow * size, self.panel, self.beam, self.wavelength)
