"""What images and experiment lists give in addition to values of options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cupysim.formats.geometry import Spectrum
    from cupysim.models.panel_detector import PanelDetector
from cupysim.models.sensor import Sensor

INHERITABLE = frozenset(
    {"mask_file", "image_file", "experiment_file", "image_number", "geometry_file", "detector_name"}
)
"""Values of options for which files are read, or that need such a file."""


@dataclass(frozen=True)
class Inherited:
    """What mask, image and experiment list give in addition to values of options.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_slow, n_fast), or None
        Pixels to compute.
    exact : str or None
        File that places the detector exactly, if there is one.
    names : frozenset of str
        Names of the values that the files set.
    no_wavelength : str
        Why a file gives no wavelength, with the file's name; empty if no wavelength is missing.
    spectrum : Spectrum or None
        Wavelengths and weights of a beam of several wavelengths.
    panels : PanelDetector or None
        Detector of several panels, in MOSFLM's frame.
    sensor : Sensor or None
        Sensor of a detector of one panel, if a file or a named detector describes it.
    """

    mask: np.ndarray | None
    exact: str | None
    names: frozenset[str]
    no_wavelength: str
    spectrum: Spectrum | None
    panels: PanelDetector | None = None
    sensor: Sensor | None = None


NOTHING = Inherited(None, None, frozenset(), "", None)
"""What a command line without such files has."""
