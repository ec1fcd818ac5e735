"""The image and geometry of any NXmx file, such as an Eiger's, through nxmx."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry import ImageGeometry
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
        _pixel_edge(nxmx, module, name) for name in ("fast_pixel_direction", "slow_pixel_direction")
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


def _frame(nxmx: Any, module: Any, name: str) -> np.ndarray:
    """What a pixel direction depends on, as one matrix of shape (4, 4), lengths in m."""
    chain = nxmx.get_dependency_chain(getattr(module, name))[1:]
    if len(chain) == 0:
        return np.eye(4)
    matrix = np.array(nxmx.get_cumulative_transformation(chain)).reshape(-1, 4, 4)[0]
    matrix[:3, 3] /= 1000.0
    return matrix


def _pixel_edge(nxmx: Any, module: Any, name: str) -> np.ndarray:
    """From a pixel's corner to the next (m), in NeXus' frame."""
    axis = getattr(module, name)
    length = float(np.ravel(axis[()].to("meter").magnitude)[0])
    return np.asarray(_frame(nxmx, module, name)[:3, :3] @ np.asarray(axis.vector) * length)


def _origin(nxmx: Any, module: Any) -> np.ndarray:
    """The outer corner of the first pixel (m), in NeXus' frame."""
    axis = module.fast_pixel_direction
    offset = np.zeros(3) if axis.offset is None else axis.offset.to("meter").magnitude
    return np.asarray(_frame(nxmx, module, "fast_pixel_direction") @ [*offset, 1.0])[:3]


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
    chain = list(nxmx.get_dependency_chain(sample.depends_on))
    rotations = [axis for axis in chain if axis.transformation_type == "rotation"]
    if not rotations:
        return None, None, along_x
    # the axis which turns; of a still any will do
    turning = max(rotations, key=lambda axis: abs(_width(axis)))
    outer = chain[chain.index(turning) + 1 :]
    turned = np.eye(4)
    if outer:
        turned = np.asarray(nxmx.get_cumulative_transformation(outer)).reshape(-1, 4, 4)[0]
    angles = np.ravel(turning[()].to("degree").magnitude)
    start, width = float(angles[0]), _width(turning)
    spindle = unit(turned[:3, :3] @ np.asarray(turning.vector))
    return start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, spindle


def _width(axis: Any) -> float:
    """Width of the first image (degrees): from the next one's angle, or the data set beside."""
    angles = np.ravel(axis[()].to("degree").magnitude)
    if len(angles) > 1:
        return float(angles[1] - angles[0])
    increment = axis.increment_set
    return 0.0 if increment is None else float(np.ravel(increment.to("degree").magnitude)[0])
