"""Parallax that an image lacks, but that programs correct because its NXmx file has a sensor."""

from __future__ import annotations

import warnings

import numpy as np

from cupysim.errors import CupysimWarning
from cupysim.formats.lab_panels import detector_in
from cupysim.maths.arrays import dot, norm
from cupysim.models.detector import Detector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel

SMALLEST = 0.2
"""Parallax (pixels) below which no warning is given."""


def missing_parallax(panel: Panel) -> float:
    """Largest parallax (pixels) at the corners of a panel whose sensor has one layer.

    It is the mean depth of absorption along the ray, as in dxtbx, times the sine of the angle to
    the normal. It is zero if the sensor has several layers, or absorbs every photon at its front.
    """
    layers, attenuation = panel.sensor.layers, panel.sensor.attenuation
    if layers.count != 1 or not (layers.range > 0.0 and attenuation > 0.0):
        return 0.0
    corners = panel.corners
    cosine = dot(corners / norm(corners)[:, None], panel.axes[2])
    path = layers.range / cosine
    depth = 1.0 / attenuation - (path + 1.0 / attenuation) * np.exp(-attenuation * path)
    return float(np.max(depth * np.sqrt(1.0 - cosine**2))) / min(panel.edges)


def warn_of_missing_parallax(experiment: Experiment) -> None:
    """Warn if programs such as DIALS correct a parallax that is not in the image.

    Parameters
    ----------
    experiment : Experiment
        Experiment whose NXmx file is written. A curved detector is not checked.
    """
    if isinstance(experiment.detector, Detector) and experiment.detector.curved:
        return
    panels = detector_in(experiment, np.eye(3), "NXmx").panels
    worst = max(panels, key=missing_parallax)
    pixels = missing_parallax(worst)
    if pixels < SMALLEST:
        return
    told = (
        f"the sensor of {1e6 * worst.sensor.layers.range:g} um has one layer, so that the image "
        f"has no parallax; DIALS corrects up to {pixels:.1f} pixels of it in the NeXus/HDF5 file; "
        "several layers (-detector_thicksteps) give parallax"
    )
    warnings.warn(CupysimWarning(told), stacklevel=3)
