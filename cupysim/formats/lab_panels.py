"""Panels of any detector in the laboratory frame of a file format."""

from __future__ import annotations

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import dot, norm
from cupysim.models.checks import vector_of
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
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
    beam, spindle, field = (
        vector_of(rotation @ vector) for vector in (frame.beam, frame.spindle, frame.polarization)
    )
    if isinstance(detector, PanelDetector):
        members = [member.moved(rotation, np.zeros(3)) for member in detector.members]
        return PanelDetector(
            members, beam, spindle, field, detector.point_pixel, detector.name
        )  # fmt: skip
    if detector.curved:
        raise ModelError(f"{purpose}: not possible with a curved detector")
    panel = _single_panel(experiment, detector).moved(rotation, np.zeros(3))
    return PanelDetector([panel], beam, spindle, field, detector.point_pixel)


def _single_panel(experiment: Experiment, detector: Detector) -> Panel:
    geometry, size = experiment.geometry, detector.pixel_size
    # a two-theta axis that is not a unit vector stretches the detector (quirk Q4)
    edges = [size * float(norm(axis)) for axis in (geometry.fast, geometry.slow)]
    return Panel(
        "p0", detector.n_fast, detector.n_slow, vector_of(geometry.origin),
        vector_of(geometry.fast), vector_of(geometry.slow), edges, detector.sensor,
    )  # fmt: skip
