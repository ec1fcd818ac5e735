"""Geometry of the experiment in a file of cupysim, and whether the file still agrees with it."""

from __future__ import annotations

from cupysim.formats.frames import to_imgcif
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.geometry_checks import differences
from cupysim.models.experiment import Experiment


def geometry_of(experiment: Experiment) -> ImageGeometry:
    """Geometry of an experiment, in the frame of imgCIF."""
    detector, scan = experiment.one_panel("an image's geometry"), experiment.scan
    frame, panel = experiment.frame, experiment.geometry
    rotation = to_imgcif(frame)
    return ImageGeometry(
        n_fast=detector.n_fast,
        n_slow=detector.n_slow,
        pixel_size=detector.pixel_size,
        origin=rotation @ panel.origin,
        fast=rotation @ panel.fast,
        slow=rotation @ panel.slow,
        beam=rotation @ frame.beam,
        spindle=rotation @ frame.spindle,
        wavelength=experiment.sources.mean_wavelength,
        phi=scan.start,
        oscillation=scan.sweep.range,
    )


def contradiction_of(experiment: Experiment, written: ImageGeometry) -> str:
    """Words about an experiment that differs from the geometry in the same file.

    Another program may have changed the geometry later.

    Parameters
    ----------
    experiment : Experiment
        Experiment in the file.
    written : ImageGeometry
        Geometry in the same file.

    Returns
    -------
    str
        Words for a warning; empty if both agree.
    """
    found = differences(written, geometry_of(experiment))
    if not found:
        return ""
    return (
        "its NXmx geometry, which -img uses, differs from the experiment that cupysim stored: "
        + "; ".join(found)
    )
