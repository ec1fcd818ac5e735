"""DIALS experiment lists (``.expt``) with a detector of any number of panels."""

from __future__ import annotations

import math
import os

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.dials_experiment import single_experiment
from cupysim.formats.dials_panels import panels_of
from cupysim.formats.geometry_checks import with_panel_doubts
from cupysim.models.checks import vector_of
from cupysim.models.panel_detector import PanelDetector


def count_panels(path: os.PathLike[str] | str) -> int:
    """Number of panels of the detector of an experiment list.

    Parameters
    ----------
    path : path_like
        File to read.

    Raises
    ------
    FileFormatError
        If it is not an experiment list, or has several experiments.
    """
    with single_experiment(path) as listed:
        panels = listed.detector.get("panels")
        return len(panels) if isinstance(panels, list) else 0


def read_detector(path: os.PathLike[str] | str, image: int = 0) -> DetectorGeometry:
    """Read the detector, beam, rotation and crystal of an experiment list.

    Parameters
    ----------
    path : path_like
        File to read.
    image : int, optional
        Number of the image in the scan, counted from 0.

    Returns
    -------
    DetectorGeometry
        Geometry in the frame of dxtbx. Groups of panels have their names and frames.

    Raises
    ------
    FileFormatError
        If it is not an experiment list, has several experiments, there is no such image, or a
        model is impossible.

    Notes
    -----
    A point u of a panel or group is at origin + u_x fast + u_y slow + u_z (fast x slow) of the
    group that holds it, as in dxtbx. If the hierarchy itself has a frame, it becomes a group that
    holds all others.
    """
    with single_experiment(path) as listed:
        told = listed.detector
        around = listed.surroundings(image)
        field = around.polarization
        try:
            found = panels_of(path, told)
            detector = PanelDetector(
                found.members,
                beam=vector_of(around.beam),
                spindle=vector_of(around.spindle),
                polarization=None if field is None else vector_of(field[1]),
                name=found.name,
            )
        except ModelError as error:
            raise FileFormatError(path, str(error)) from error
    remarks = (*found.remarks, *around.remarks)
    if around.wavelength is not None and not 0.0 < around.wavelength < math.inf:
        told = f"its wavelength is {around.wavelength / ANGSTROM:g} A; it must be positive"
        raise FileFormatError(path, told)
    if around.no_wavelength:
        remarks += (around.no_wavelength,)
    return with_panel_doubts(
        DetectorGeometry(
            detector,
            wavelength=around.wavelength,
            polarization=None if field is None else field[0],
            phi=around.phi,
            oscillation=around.oscillation,
            reciprocal=around.reciprocal,
            remarks=remarks,
            flux=around.flux,
            is_reversed=around.is_reversed,
        )
    )
