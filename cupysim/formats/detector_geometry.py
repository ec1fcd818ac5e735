"""What a geometry file says about an experiment with a detector of panels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.formats.geometry import Spectrum
from cupysim.models.panel_detector import PanelDetector


@dataclass(frozen=True, eq=False)
class DetectorGeometry:
    """Detector of panels, beam and rotation, as a geometry file gives them.

    Parameters
    ----------
    detector : PanelDetector
        Detector. Its frame is the laboratory frame of the file's format.
    wavelength : float, optional
        Wavelength (m).
    spectrum : Spectrum, optional
        Wavelengths of a beam with several; `wavelength` is their mean.
    polarization : float, optional
        Kahn factor; the detector has the direction of the electric field.
    phi, oscillation : float, optional
        First spindle angle and width of the image (rad).
    reciprocal : ndarray, shape (3, 3) or (n_crystals, 3, 3), optional
        Rows a*, b*, c* (1/Angstrom) of the crystal, or of each of several, at spindle angle zero.
    remarks : tuple of str
        Warnings for the user about the reading of the file.
    flux : float, optional
        Photons per second in the whole beam.
    beam_size : float, optional
        Edge (m) of a square beam of uniform intensity.
    is_reversed : bool
        Whether the spindle is the opposite of that in the file, whose angles decrease.
    """

    detector: PanelDetector
    wavelength: float | None = None
    spectrum: Spectrum | None = None
    polarization: float | None = None
    phi: float | None = None
    oscillation: float | None = None
    reciprocal: np.ndarray | None = None
    remarks: tuple[str, ...] = ()
    flux: float | None = None
    beam_size: float | None = None
    is_reversed: bool = False
