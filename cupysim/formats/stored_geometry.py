"""Geometry of the experiment in a file of cupysim, and whether the file still agrees with it."""

from __future__ import annotations

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.frames import to_imgcif
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.geometry_checks import SAME, SAME_SPOT, differences
from cupysim.formats.lab_panels import detector_in
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
    return _told(differences(written, geometry_of(experiment)))


def panels_of(experiment: Experiment) -> DetectorGeometry:
    """Geometry of an experiment with a detector of panels, in its laboratory frame."""
    scan = experiment.scan
    return DetectorGeometry(
        experiment.panel_detector("the geometry of panels"),
        wavelength=experiment.sources.mean_wavelength,
        phi=scan.start,
        oscillation=scan.sweep.range,
    )


def panel_contradiction_of(experiment: Experiment, written: DetectorGeometry) -> str:
    """Words about an experiment with panels that differs from the geometry in the same file.

    Parameters
    ----------
    experiment : Experiment
        Experiment in the file.
    written : DetectorGeometry
        Geometry in the same file.

    Returns
    -------
    str
        Words for a warning; empty if both agree.
    """
    ours = detector_in(experiment, to_imgcif(experiment.frame), "the geometry of a file")
    theirs, found = written.detector, []
    sizes = [[(panel.n_fast, panel.n_slow) for panel in each] for each in (theirs, ours)]
    if sizes[0] != sizes[1]:
        found.append(f"{len(theirs)} and {len(ours)} panels, or other sizes of panels")
    else:
        away = [
            float(np.abs(new.corners - old.corners).max()) / min(old.edges)
            for new, old in zip(theirs, ours, strict=True)
        ]
        worst = int(np.argmax(away))
        if away[worst] > SAME_SPOT:
            found.append(f"panel {ours.panels[worst].name!r} by {away[worst]:.2f} pixels")
    wave, stored = written.wavelength, experiment.sources.mean_wavelength
    if wave is not None and abs(wave - stored) > SAME * stored:
        found.append(f"wavelength {wave / ANGSTROM:g} and {stored / ANGSTROM:g} A")
    return _told(found)


def _told(found: list[str]) -> str:
    """Words about differences; empty if there are none."""
    if not found:
        return ""
    return (
        "its NXmx geometry, which -img uses, differs from the experiment that cupysim stored: "
        + "; ".join(found)
    )
