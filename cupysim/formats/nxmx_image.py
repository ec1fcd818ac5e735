"""The image and geometry of any NXmx file, such as an Eiger's, through nxmx."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.image_stacks import count_images, read_image
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nxmx_beam import read_wavelength
from cupysim.formats.nxmx_scan import count_angles, read_scan
from cupysim.formats.optional import require
from cupysim.formats.pixels import measured
from cupysim.formats.rotation import forward
from cupysim.maths.arrays import norm, unit

SQUARE = 1e-6
"""Relative difference of the pixel's edges up to which it is square."""


@dataclass(frozen=True)
class _Panel:
    """A panel in NeXus' frame, lengths in m."""

    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    n_fast: int
    n_slow: int
    remarks: tuple[str, ...] = ()


def read(path: os.PathLike[str] | str, number: int = 0) -> tuple[np.ndarray, ImageGeometry]:
    """Read which pixels are good, and the geometry.

    Parameters
    ----------
    path : path_like
        The file, or the master of several.
    number : int, optional
        The image, from 0.

    Returns
    -------
    good : ndarray of bool, shape (n_slow, n_fast)
        Pixels which the mask does not exclude; without a mask, those which were measured.
    geometry : ImageGeometry
        Of this image, in imgCIF's frame.

    Raises
    ------
    FileFormatError
        If the file is damaged, is no NXmx file, has no such image, or its detector is not one
        panel of square pixels.
    CupysimError
        If nxmx is not installed.
    """
    nxmx = require("nxmx", "reading the geometry of HDF5 images")
    with hdf5_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(nxmx, path, file, number)
        except FileFormatError:
            raise
        except Exception as error:
            # a library which follows a file's links stumbles over all kinds of things
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FileFormatError(path, f"its NXmx geometry cannot be read: {reason}") from error


def _read(nxmx: Any, path: object, file: Any, number: int) -> tuple[np.ndarray, ImageGeometry]:
    entries = nxmx.NXmx(file).entries
    if not entries:
        raise FileFormatError(path, "no NXmx entry")
    entry = entries[0]
    instrument = entry.instruments[0]
    detectors = instrument.detectors
    if len(detectors) != 1 or len(detectors[0].modules) > 1:
        count = sum(len(detector.modules) for detector in detectors)
        raise FileFormatError(
            path, f"a detector of {count} panels; only single panels are supported so far"
        )
    n_images = count_images(file) or count_angles(entry)
    if number != 0 and not 0 <= number < n_images:
        raise FileFormatError(path, f"there is no image {number}; the file has 0 to {n_images - 1}")
    detector = detectors[0]
    if len(detector.modules) == 1:
        panel = _placed_panel(nxmx, path, detector.modules[0], number)
    else:
        panel = _unplaced_panel(nxmx, path, file, detector._handle)
    sizes = norm(panel.fast), norm(panel.slow)
    if abs(sizes[0] - sizes[1]) > SQUARE * sizes[0]:
        raise FileFormatError(
            path, f"pixels of {sizes[0]:g} x {sizes[1]:g} m; square ones are expected"
        )
    beams = instrument.beams or [beam for sample in entry.samples for beam in sample.beams]
    wavelength, spectrum, reason = None, None, "the file has no NXbeam group"
    if beams:
        wavelength, spectrum, reason = read_wavelength(nxmx, beams[0]._handle, number, n_images)
    start, width, axis, remarks = read_scan(nxmx, entry, number)
    spindle, phi, oscillation = forward(axis, start, width)
    return _good(detector, file, (panel.n_slow, panel.n_fast), number), ImageGeometry(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=float(sizes[0]),
        origin=FLIP @ panel.origin,
        fast=FLIP @ unit(panel.fast),
        slow=FLIP @ unit(panel.slow),
        beam=np.array([0.0, 0.0, -1.0]),
        spindle=FLIP @ spindle,
        wavelength=wavelength,
        phi=phi,
        oscillation=oscillation,
        spectrum=spectrum,
        no_wavelength="" if wavelength is not None else reason,
        remarks=(*panel.remarks, *remarks),
    )


def _placed_panel(nxmx: Any, path: object, module: Any, number: int) -> _Panel:
    """A panel whose place a chain of transformations tells."""
    begin = module._handle.get("data_origin")
    if begin is not None and np.any(np.asarray(begin[()]).ravel()[-2:] != 0):
        raise FileFormatError(path, "its one module is a part of the image; not supported so far")
    n_slow, n_fast = (int(n) for n in module.data_size[-2:])
    axis = module.fast_pixel_direction
    offset = np.zeros(3) if axis.offset is None else axis.offset.to("meter").magnitude
    frame = _frame(nxmx, module, "fast_pixel_direction", number)
    fast, slow = (
        _pixel_edge(nxmx, module, name, number)
        for name in ("fast_pixel_direction", "slow_pixel_direction")
    )
    return _Panel(np.asarray(frame @ [*offset, 1.0])[:3], fast, slow, n_fast, n_slow)


def _frame(nxmx: Any, module: Any, name: str, number: int) -> np.ndarray:
    """What a pixel direction depends on, as one matrix of shape (4, 4), lengths in m."""
    chain = nxmx.get_dependency_chain(getattr(module, name))[1:]
    if len(chain) == 0:
        return np.eye(4)
    matrices = np.array(nxmx.get_cumulative_transformation(chain)).reshape(-1, 4, 4)
    matrix = matrices[min(number, len(matrices) - 1)]
    matrix[:3, 3] /= 1000.0
    return matrix


def _pixel_edge(nxmx: Any, module: Any, name: str, number: int) -> np.ndarray:
    """From a pixel's corner to the next (m), in NeXus' frame."""
    axis = getattr(module, name)
    length = float(np.ravel(axis[()].to("meter").magnitude)[0])
    frame = _frame(nxmx, module, name, number)
    # the vector is a direction, of whatever length
    return np.asarray(frame[:3, :3] @ unit(np.asarray(axis.vector, dtype=np.float64)) * length)


def _unplaced_panel(nxmx: Any, path: object, file: Any, detector: Any) -> _Panel:
    """A panel of which the file tells beam centre and distance alone."""
    metres = {}
    for name, spellings in (
        ("x_pixel_size", ("x_pixel_size",)),
        ("y_pixel_size", ("y_pixel_size",)),
        ("distance", ("distance", "detector_distance")),
    ):
        stored = next((detector[each] for each in spellings if each in detector), None)
        if stored is None:
            raise FileFormatError(path, f"neither a module nor {name} in {detector.name}")
        if "units" not in stored.attrs:
            raise FileFormatError(path, f"{stored.name} has no unit")
        metres[name] = float(np.ravel((stored[()] * nxmx.units(stored)).to("meter").magnitude)[0])
    centre = []
    for name, size in (("beam_center_x", "x_pixel_size"), ("beam_center_y", "y_pixel_size")):
        if name not in detector:
            raise FileFormatError(path, f"neither a module nor {name} in {detector.name}")
        stored = detector[name]
        value, unit_name = float(np.ravel(stored[()])[0]), stored.attrs.get("units", "pixel")
        text = unit_name.decode() if isinstance(unit_name, bytes) else str(unit_name)
        if text.lower().startswith("pixel") or text in ("", "px"):
            value *= metres[size]
        else:
            value = float((value * nxmx.units(stored)).to("meter").magnitude)
        centre.append(value)
    shape = read_image(path, file, 0).shape
    return _Panel(
        origin=np.array([centre[0], centre[1], metres["distance"]]),
        fast=np.array([-metres["x_pixel_size"], 0.0, 0.0]),
        slow=np.array([0.0, -metres["y_pixel_size"], 0.0]),
        n_fast=int(shape[1]),
        n_slow=int(shape[0]),
        remarks=(
            "the file has beam centre and distance alone: its detector is taken to be normal to "
            "the beam",
        ),
    )


def _good(detector: Any, file: Any, size: tuple[int, int], number: int) -> np.ndarray:
    mask = detector.pixel_mask
    if mask is not None:
        good = np.asarray(mask) == 0
        return good.reshape(-1, *good.shape[-2:])[0]
    if count_images(file) == 0:
        return np.ones(size, dtype=bool)
    return measured(read_image(file.filename, file, number))
