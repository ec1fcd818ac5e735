"""Detectors of any number of modules in NXmx files, for example of a Jungfrau."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry_checks import with_panel_doubts
from cupysim.formats.nxmx_around import FileImage, image_of, nxmx_file, sensor_told, surroundings
from cupysim.formats.nxmx_module_pixels import DetectorPixels
from cupysim.formats.nxmx_modules import panels_of
from cupysim.formats.nxmx_panel import data_size, panel_of
from cupysim.formats.nxmx_tree import Component
from cupysim.formats.panel_names import NamedPanels
from cupysim.maths.arrays import norm, unit
from cupysim.models.checks import vector_of
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup

SAME_PLACE = 1e-9
"""Largest distance (m) of two descriptions of the same panel."""


def count_modules(path: os.PathLike[str] | str, image: int = 0) -> int:
    """Number of modules of the detectors of an image.

    Parameters
    ----------
    path : path_like
        NXmx file, or master file of several.
    image : int, optional
        Number of the image, counted from 0.

    Raises
    ------
    FileFormatError
        If the file is damaged, is not an NXmx file, or has no such image.
    """
    with nxmx_file(path) as (_, file):
        return sum(len(each.modules) for each in image_of(path, file, image).detectors)


def read_detector(path: os.PathLike[str] | str, image: int = 0) -> DetectorGeometry:
    """Read the detector, beam and rotation of an image.

    Parameters
    ----------
    path : path_like
        NXmx file, or master file of several.
    image : int, optional
        Number of the image, counted from 0.

    Returns
    -------
    DetectorGeometry
        Geometry in the frame of imgCIF. Each module is a panel, and each axis that moves several
        modules is a group.

    Raises
    ------
    FileFormatError
        If the file is damaged, is not an NXmx file, has no such image, or does not place its
        modules.
    CupysimError
        If nxmx is not installed.

    Notes
    -----
    Modules may be parts of one image (a data_origin of two numbers), or planes of an image with an
    axis of panels (three numbers). Several groups NXdetector with modules are all read. Sensors are
    not, because NXmx has no attenuation coefficient.
    """
    with nxmx_file(path) as (nxmx, file):
        found = image_of(path, file, image)
        around = surroundings(nxmx, path, found)
        try:
            named = _panels(nxmx, path, file, found, image)
            field = around.polarization
            detector = PanelDetector(
                named.members,
                beam=(0.0, 0.0, -1.0),
                spindle=vector_of(around.spindle),
                polarization=None if field is None else vector_of(field[1]),
                name=named.name,
            )
        except ModelError as error:
            raise FileFormatError(path, str(error)) from error
        sensors = [remark for each in found.detectors for remark in sensor_told(nxmx, each.handle)]
        remarks = [*found.remarks, *named.remarks, *around.remarks, *dict.fromkeys(sensors)]
        remarks += [around.beam.no_wavelength] if around.beam.no_wavelength else []
    return with_panel_doubts(
        DetectorGeometry(
            detector,
            wavelength=around.beam.wavelength,
            spectrum=around.beam.spectrum,
            polarization=None if field is None else field[0],
            phi=around.phi,
            oscillation=around.oscillation,
            remarks=tuple(remarks),
            flux=around.beam.flux,
            beam_size=around.beam.size,
            is_reversed=around.is_reversed,
        )
    )


def _panels(nxmx: Any, path: object, file: Any, found: FileImage, number: int) -> NamedPanels:
    """Panels of an image's detectors. A single panel may be placed without transformations."""
    detectors, at, n_images = found.detectors, found.at, found.n_images
    modules = [module for each in detectors for module in each.modules]
    if not modules and len(detectors) != 1:
        raise FileFormatError(path, f"{len(detectors)} detectors without modules")
    several = (nxmx, path, file, detectors, number, at, n_images)
    if len(modules) > 1 or any(_is_part(module) for module in modules):
        return panels_of(*several)
    detector = detectors[0]
    told = panel_of(nxmx, path, file, detector, at, n_images)
    if modules and data_size(path, modules[0]) == (told.n_slow, told.n_fast):
        # with its groups, unless a beam centre places it
        tree = panels_of(*several)
        (panel,) = PanelGroup(tree.name, tree.members).placed()
        corners = np.array([(0, 0), (told.n_fast, 0), (0, told.n_slow)])
        away = (
            panel.position(*corners.T)
            - (told.origin + corners @ np.stack([told.fast, told.slow])) @ FLIP
        )
        if np.abs(away).max() < SAME_PLACE:
            return replace(tree, remarks=tuple(dict.fromkeys((*told.remarks, *tree.remarks))))
    pixels = DetectorPixels.of(path, file, detector, number, 1)
    good = pixels.good
    if good is not None and good.shape != (told.n_slow, told.n_fast):
        raise FileFormatError(path, f"its mask has the shape {good.shape}")
    panel = Panel(
        name="p0",
        n_fast=told.n_fast,
        n_slow=told.n_slow,
        origin=vector_of(FLIP @ told.origin),
        fast=vector_of(FLIP @ unit(told.fast)),
        slow=vector_of(FLIP @ unit(told.slow)),
        pixel_size=(float(norm(told.fast)), float(norm(told.slow))),
        mask=None if good is None or good.all() else good,
        saturation=pixels.saturation,
    )
    return NamedPanels("detector", (panel,), told.remarks)


def _is_part(module: Component) -> bool:
    """Whether a module does not begin at the first pixel of the images."""
    stored = module.handle.get("data_origin")
    return stored is not None and bool(np.any(np.ravel(stored[()])))
