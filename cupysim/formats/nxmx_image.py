"""Good pixels and geometry of any NXmx file, for example of an Eiger, read with nxmx."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.geometry_checks import with_doubts
from cupysim.formats.image_stacks import (
    count_images,
    entry_path,
    number_in_series,
    read_image,
)
from cupysim.formats.image_stacks import remarks as remarks_of_images
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nxmx_beam import read_beam
from cupysim.formats.nxmx_compared import no_number
from cupysim.formats.nxmx_elsewhere import arms_told
from cupysim.formats.nxmx_panel import panel_of
from cupysim.formats.nxmx_scan import count_angles, read_scan
from cupysim.formats.nxmx_tree import broken_at, entry_of, is_null
from cupysim.formats.nxmx_units import in_unit, unit_of
from cupysim.formats.pixels import THINNEST_SENSOR, measured
from cupysim.formats.rotation import forward, is_backward
from cupysim.formats.virtual_images import find_sources, is_virtual, numbers_told
from cupysim.maths.arrays import cross, norm, unit
from cupysim.optional_libraries import require

SQUARE = 1e-6
"""Largest relative difference of the edges of a square pixel."""

MASKS = ("pixel_mask", "detectorSpecific/pixel_mask", "detector_specific/pixel_mask")
"""Names of masks below a detector. Further masks have a number after the name."""

BAD = 0xFFFF
"""Bits of a mask that exclude a pixel. The other bits of NXdetector only describe it."""


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
    nxmx = require("nxmx", "reading the geometry of HDF5 images")
    with hdf5_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(nxmx, path, file, number, with_pixels)
        except FileFormatError:
            raise
        except Exception as error:
            # nxmx follows the links of a file, and can fail in many ways
            reason = (str(error).splitlines() or ["an attribute has an unusual form"])[0]
            raise FileFormatError(path, f"its NXmx geometry cannot be read: {reason}") from error


def _read(
    nxmx: Any, path: object, file: Any, number: int, with_pixels: bool
) -> tuple[np.ndarray, ImageGeometry]:
    entry, remarks = entry_of(path, file, entry_path(file))
    if not entry.instruments:
        broken = broken_at(entry.handle, ("instrument",))
        raise FileFormatError(path, f"{entry.path} has no instrument{broken}")
    instrument = entry.instruments[0]
    detectors = list(instrument.detectors)
    if not detectors:
        broken = broken_at(instrument.handle, ("detector",))
        raise FileFormatError(path, f"{instrument.path} has no detector{broken}")
    if len(detectors) > 1:
        # others are diodes or cameras
        placed = [each for each in detectors if len(each.modules) > 0]
        detectors = placed or [each for each in detectors if "x_pixel_size" in each.handle]
    if len(detectors) != 1 or len(detectors[0].modules) > 1:
        count = max(sum(len(each.modules) for each in detectors), len(detectors))
        raise FileFormatError(
            path, f"a detector of {count} panels; only single panels are supported so far"
        )
    n_images = count_images(file) or count_angles(path, entry)
    if number != 0 and not 0 <= number < n_images:
        raise FileFormatError(path, f"there is no image {number}; the file has 0 to {n_images - 1}")
    detector = detectors[0]
    remarks += remarks_of_images(file)
    # a part of a series may have the angles of the whole one
    at, begins = number, number_in_series(file)
    if begins > 0 and count_angles(path, entry) >= begins + n_images:
        at, n_images = number + begins, count_angles(path, entry)
    panel = panel_of(nxmx, path, file, detector, at, n_images)
    sizes = norm(panel.fast), norm(panel.slow)
    if abs(sizes[0] - sizes[1]) > SQUARE * sizes[0]:
        raise FileFormatError(
            path, f"pixels of {sizes[0]:g} x {sizes[1]:g} m; square ones are expected"
        )
    beam = read_beam(nxmx, entry, at, n_images)
    start, width, axis, of_scan = read_scan(nxmx, path, entry, at, n_images)
    spindle, phi, oscillation = forward(axis, start, width)
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
        spindle=FLIP @ spindle,
        wavelength=beam.wavelength,
        phi=phi,
        oscillation=oscillation,
        polarization=None
        if beam.polarization is None
        else (beam.polarization[0], FLIP @ beam.polarization[1]),
        spectrum=beam.spectrum,
        no_wavelength=beam.no_wavelength,
        remarks=(
            *remarks,
            *panel.remarks,
            *beam.remarks,
            *of_scan,
            *numbers_told(path, entry.handle),
            *_sensor(nxmx, detector.handle),
            *arms_told(nxmx, entry, detector.handle, tilt),
        ),
        flux=beam.flux,
        beam_size=beam.size,
        is_reversed=is_backward(width),
    )
    return _good(path, detector, file, size, number, with_pixels), with_doubts(geometry)


def _sensor(nxmx: Any, detector: Any) -> tuple[str, ...]:
    """Warning about the sensor: it is not simulated unless options ask for it."""
    stored = detector.get("sensor_thickness")
    if getattr(stored, "size", 0) != 1 or not np.any(stored[()]):
        return ()
    unusable = no_number(None, stored, 0)
    if unusable:
        return (unusable,)
    metres = in_unit(nxmx, stored, stored[()], "meter")
    if metres is not None and not metres.ravel()[0] > THINNEST_SENSOR:
        return ()
    number = float(np.ravel(stored[()])[0]) if metres is None else 1e6 * float(metres.ravel()[0])
    told = (unit_of(stored) or "(no unit)") if metres is None else "um"
    return (
        f"its sensor of {number:g} {told} is not simulated; use -detector_thick and -detector_abs",
    )


def _bits(path: object, stored: Any, with_pixels: bool) -> np.ndarray:
    """A mask as integers."""
    for place in range(len(stored) if with_pixels and is_virtual(stored) else 0):
        lacking = find_sources(path, stored, place)[1]
        if lacking:
            raise FileFormatError(path, f"its {stored.name} is {lacking}")
        if stored.ndim < 3:
            break
    values = np.asarray(stored[()])
    bits = values.astype(np.int64)
    if values.dtype.kind not in "iub" and not np.array_equal(bits, values):
        raise FileFormatError(path, f"its {stored.name} holds numbers that are not integers")
    return bits


def _good(
    path: object, detector: Any, file: Any, size: tuple[int, int], number: int, with_pixels: bool
) -> np.ndarray:
    """Pixels that the mask does not exclude; without a mask, those that were measured."""
    handle = detector.handle
    numbered = sorted(each for each in handle if re.fullmatch(r"pixel_mask_\d+", each))
    held = (
        each for each in (*MASKS, *numbered)
        if handle.get(each, getlink=True) is not None
        and not (each in handle and is_null(handle[each]))
    )  # fmt: skip
    name = next(held, None)
    if name is None:
        if not with_pixels or count_images(file) == 0:
            return np.ones(size, dtype=bool)
        pixels, has_source = read_image(path, file, number)
        return measured(pixels) & has_source
    if name not in handle:
        raise FileFormatError(path, f"its {name} is in a file that is missing")
    masks = [name, *(each for each in numbered if each != name)]
    good = np.bitwise_and(_bits(path, handle[name], with_pixels), BAD) == 0
    for each in masks[1:]:
        more = _bits(path, handle[each], with_pixels)
        if more.shape != good.shape:
            raise FileFormatError(
                path, f"its {each} has the shape {more.shape}, but its {name} has {good.shape}"
            )
        good &= np.bitwise_and(more, BAD) == 0
    planes = good.reshape(-1, *good.shape[-2:]) if good.ndim >= 2 else good[np.newaxis]
    if planes.shape[1:] != size or len(planes) not in (1, count_images(file)):
        raise FileFormatError(
            path, f"its {name} has the shape {good.shape}, but the images have {size}"
        )
    return np.asarray(planes[number if len(planes) > 1 else 0])
