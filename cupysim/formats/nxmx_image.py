"""The image and geometry of any NXmx file, such as an Eiger's, through nxmx."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.nexus.frames import FLIP
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.optional import require
from cupysim.maths.arrays import norm, unit

SQUARE = 1e-6
"""Relative difference of the pixel's edges up to which it is square."""


def read(path: os.PathLike[str] | str) -> tuple[np.ndarray, ImageGeometry]:
    """Read which pixels are good, and the geometry.

    Parameters
    ----------
    path : path_like
        The file, or the master of several.

    Returns
    -------
    good : ndarray of bool, shape (n_slow, n_fast)
        Pixels which the mask does not exclude.
    geometry : ImageGeometry
        Of the first image, in imgCIF's frame.

    Raises
    ------
    FileFormatError
        If the file is damaged, is no NXmx file, or its detector is not one panel of square
        pixels.
    CupysimError
        If nxmx is not installed.
    """
    nxmx = require("nxmx", "reading the geometry of HDF5 images")
    with hdf5_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(nxmx, path, file)
        except FileFormatError:
            raise
        except Exception as error:
            # a library which follows a file's links stumbles over all kinds of things
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FileFormatError(path, f"its NXmx geometry cannot be read: {reason}") from error


def _read(nxmx: Any, path: object, file: Any) -> tuple[np.ndarray, ImageGeometry]:
    entries = nxmx.NXmx(file).entries
    if not entries:
        raise FileFormatError(path, "no NXmx entry")
    entry = entries[0]
    instrument = entry.instruments[0]
    detectors = instrument.detectors
    if len(detectors) != 1 or len(detectors[0].modules) != 1:
        count = sum(len(detector.modules) for detector in detectors)
        raise FileFormatError(
            path, f"a detector of {count} panels; only single panels are supported so far"
        )
    detector, module = detectors[0], detectors[0].modules[0]
    fast, slow = (
        _pixel_edge(module, name) for name in ("fast_pixel_direction", "slow_pixel_direction")
    )
    sizes = norm(fast), norm(slow)
    if abs(sizes[0] - sizes[1]) > SQUARE * sizes[0]:
        raise FileFormatError(
            path, f"pixels of {sizes[0]:g} x {sizes[1]:g} m; square ones are expected"
        )
    n_slow, n_fast = (int(n) for n in module.data_size[-2:])
    wavelength = instrument.beams[0].incident_wavelength
    phi, oscillation, spindle = _scan(nxmx, entry)
    return _good(detector, (n_slow, n_fast)), ImageGeometry(
        n_fast=n_fast,
        n_slow=n_slow,
        pixel_size=float(sizes[0]),
        origin=FLIP @ _origin(nxmx, module),
        fast=FLIP @ unit(fast),
        slow=FLIP @ unit(slow),
        beam=np.array([0.0, 0.0, -1.0]),
        spindle=FLIP @ spindle,
        wavelength=float(np.ravel(wavelength.to("meter").magnitude)[0]),
        phi=phi,
        oscillation=oscillation,
    )


def _pixel_edge(module: Any, name: str) -> np.ndarray:
    """From a pixel's corner to the next (m)."""
    axis = getattr(module, name)
    return np.asarray(axis.vector) * float(np.ravel(axis[()].to("meter").magnitude)[0])


def _origin(nxmx: Any, module: Any) -> np.ndarray:
    """The outer corner of the first pixel (m), in NeXus' frame."""
    axis = module.fast_pixel_direction
    chain = nxmx.get_dependency_chain(axis)
    # the direction itself moves from the first pixel to the second
    moved = nxmx.get_cumulative_transformation(chain)
    matrix = np.asarray(moved).reshape(-1, 4, 4)[0]
    return np.asarray(matrix[:3, 3] / 1000.0 - _pixel_edge(module, "fast_pixel_direction"))


def _good(detector: Any, size: tuple[int, int]) -> np.ndarray:
    mask = detector.pixel_mask
    if mask is None:
        return np.ones(size, dtype=bool)
    good = np.asarray(mask) == 0
    return good.reshape(-1, *good.shape[-2:])[0]


def _scan(nxmx: Any, entry: Any) -> tuple[float | None, float | None, np.ndarray]:
    """First angle and width of the first image (rad), and the axis."""
    along_x = np.array([-1.0, 0.0, 0.0])
    sample = entry.samples[0] if entry.samples else None
    if sample is None or sample.depends_on is None:
        return None, None, along_x
    for axis in nxmx.get_dependency_chain(sample.depends_on):
        if axis.transformation_type == "rotation":
            angles = np.ravel(axis[()].to("degree").magnitude)
            width = angles[1] - angles[0] if len(angles) > 1 else _increment(axis)
            start = float(angles[0]) / DEGREES_PER_RADIAN
            return start, width / DEGREES_PER_RADIAN, unit(np.asarray(axis.vector))
    return None, None, along_x


def _increment(axis: Any) -> float:
    """Width of a single image (degrees), from the data set beside its axis."""
    increment = axis.increment_set
    return 0.0 if increment is None else float(np.ravel(increment.to("degree").magnitude)[0])
