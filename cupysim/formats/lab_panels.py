"""Panels of any detector in the laboratory frame of a file format."""

from __future__ import annotations

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import dot
from cupysim.models.checks import vector_of
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector

LARGEST_COSINE = 1e-7
"""Cosine of the angle between fast and slow axis from which dxtbx refuses a panel or group. It does
not refuse angles above 90 degrees."""


def is_too_skew(fast: np.ndarray, slow: np.ndarray) -> bool:
    """Whether DIALS refuses a panel or group because of the angle between its axes.

    Parameters
    ----------
    fast, slow : ndarray, shape (3,)
        Unit vectors of the axes.
    """
    return float(dot(fast, slow)) >= LARGEST_COSINE


def detector_in(experiment: Experiment, rotation: np.ndarray, purpose: str) -> PanelDetector:
    """The detector of an experiment as a detector of panels, in another frame.

    Parameters
    ----------
    experiment : Experiment
        Experiment with a flat detector of one panel, or a detector of panels.
    rotation : ndarray, shape (3, 3)
        Rotation from the laboratory frame of the experiment.
    purpose : str
        Feature that needs the panels, for the message.

    Returns
    -------
    PanelDetector
        Detector with groups, names and frames. A single panel has the name "p0".

    Raises
    ------
    ModelError
        If the detector is curved.
    """
    detector, frame = experiment.detector, experiment.frame
    if isinstance(detector, PanelDetector):
        return detector.in_frame(rotation)
    if detector.curved:
        raise ModelError(f"{purpose}: not possible with a curved detector")
    return PanelDetector(
        experiment.flat_panels, vector_of(frame.beam), vector_of(frame.spindle),
        vector_of(frame.polarization), detector.point_pixel,
    ).in_frame(rotation)  # fmt: skip
