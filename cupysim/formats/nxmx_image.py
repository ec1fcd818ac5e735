"""Good pixels and geometry of any NXmx file, for example of an Eiger, read with nxmx."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.geometry_checks import with_doubts
from cupysim.formats.image_stacks import count_images, read_image
from cupysim.formats.nxmx_around import image_of, nxmx_file, sensor_told, surroundings
from cupysim.formats.nxmx_elsewhere import arms_told
from cupysim.formats.nxmx_mask import stored_mask
from cupysim.formats.nxmx_panel import panel_of
from cupysim.formats.pixels import measured
from cupysim.maths.arrays import cross, norm, unit

SQUARE = 1e-6
"""Largest relative difference of the edges of a square pixel."""


def read(
    path: os.PathLike[str] | str, number: int = 0, with_pixels: bool = True
) -> tuple[np.ndarray, ImageGeometry]:
    """Read the good pixels and the geometry of an image.

    Parameters
    ----------
    path : path_like
        File, or master file of several.
    number : int, optional
        Number of the image, counted from 0.
    with_pixels : bool, optional
        Read the image if the file has no mask. If only the geometry is used, pixels may be missing.

    Returns
    -------
    good : ndarray of bool, shape (n_slow, n_fast)
        Pixels that the mask does not exclude; without a mask, those that were measured.
    geometry : ImageGeometry
        Geometry of the image, in the frame of imgCIF.

    Raises
    ------
    FileFormatError
        If the file is damaged, is not an NXmx file, or has no such image, or if its detector is not
        a single panel of square pixels.
    CupysimError
        If nxmx is not installed.
    """
    with nxmx_file(path) as (nxmx, file):
        return _read(nxmx, path, file, number, with_pixels)


def _read(
    nxmx: Any, path: object, file: Any, number: int, with_pixels: bool
) -> tuple[np.ndarray, ImageGeometry]:
    image = image_of(path, file, number)
    detectors, at, n_images = image.detectors, image.at, image.n_images
    if len(detectors) != 1 or len(detectors[0].modules) > 1:
        count = max(sum(len(each.modules) for each in detectors), len(detectors))
        raise FileFormatError(
            path, f"a detector of {count} panels; only single panels are supported so far"
        )
    detector = detectors[0]
    panel = panel_of(nxmx, path, file, detector, at, n_images)
    sizes = norm(panel.fast), norm(panel.slow)
    if abs(sizes[0] - sizes[1]) > SQUARE * sizes[0]:
        raise FileFormatError(
            path, f"pixels of {sizes[0]:g} x {sizes[1]:g} m; square ones are expected"
        )
    around = surroundings(nxmx, path, image)
    tilt = float(np.degrees(np.arccos(min(abs(unit(cross(panel.fast, panel.slow))[2]), 1.0))))
    size = panel.n_slow, panel.n_fast
    geometry = ImageGeometry(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=float(sizes[0]),
        origin=FLIP @ panel.origin,
        fast=FLIP @ unit(panel.fast),
        slow=FLIP @ unit(panel.slow),
        beam=np.array([0.0, 0.0, -1.0]),
        spindle=around.spindle,
        wavelength=around.beam.wavelength,
        phi=around.phi,
        oscillation=around.oscillation,
        polarization=around.polarization,
        spectrum=around.beam.spectrum,
        no_wavelength=around.beam.no_wavelength,
        remarks=(
            *image.remarks,
            *panel.remarks,
            *around.remarks,
            *sensor_told(nxmx, detector.handle),
            *arms_told(nxmx, image.entry, detector.handle, tilt),
        ),
        flux=around.beam.flux,
        beam_size=around.beam.size,
        is_reversed=around.is_reversed,
    )
    return _good(path, detector, file, size, number, with_pixels), with_doubts(geometry)


def _good(
    path: object, detector: Any, file: Any, size: tuple[int, int], number: int, with_pixels: bool
) -> np.ndarray:
    """Pixels that the mask does not exclude; without a mask, those that were measured."""
    found = stored_mask(path, detector, with_pixels)
    if found is None:
        if not with_pixels or count_images(file) == 0:
            return np.ones(size, dtype=bool)
        pixels, has_source = read_image(path, file, number)
        return measured(pixels) & has_source
    name, good = found
    planes = good.reshape(-1, *good.shape[-2:]) if good.ndim >= 2 else good[np.newaxis]
    if planes.shape[1:] != size or len(planes) not in (1, count_images(file)):
        raise FileFormatError(
            path, f"its {name} has the shape {good.shape}, but the images have {size}"
        )
    return np.asarray(planes[number if len(planes) > 1 else 0])
