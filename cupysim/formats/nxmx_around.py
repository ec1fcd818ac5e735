"""Images of NXmx files: entry, beam and rotation, without the detector's place."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.image_stacks import count_images, entry_path, number_in_series
from cupysim.formats.image_stacks import remarks as remarks_of_images
from cupysim.formats.nexus.reader import hdf5_file
from cupysim.formats.nxmx_beam import FileBeam, read_beam
from cupysim.formats.nxmx_compared import no_number
from cupysim.formats.nxmx_scan import count_angles, read_scan
from cupysim.formats.nxmx_tree import Component, broken_at, entry_of
from cupysim.formats.nxmx_units import in_unit, unit_of
from cupysim.formats.pixels import THINNEST_SENSOR
from cupysim.formats.rotation import forward, is_backward
from cupysim.formats.virtual_images import numbers_told
from cupysim.optional_libraries import require


@contextmanager
def nxmx_file(path: os.PathLike[str] | str) -> Iterator[tuple[Any, Any]]:
    """Open an NXmx file. Errors of libraries become a `FileFormatError`.

    Parameters
    ----------
    path : path_like
        File to open.

    Yields
    ------
    nxmx : module
        The nxmx module.
    file : h5py.File
        Open file.

    Raises
    ------
    FileFormatError
        If the file is damaged, or its geometry cannot be read.
    CupysimError
        If nxmx is not installed.
    """
    nxmx = require("nxmx", "reading the geometry of HDF5 images")
    with hdf5_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield nxmx, file
        except CupysimError:
            raise
        except Exception as error:
            # nxmx follows the links of a file, and can fail in many ways
            reason = (str(error).splitlines() or ["an attribute has an unusual form"])[0]
            raise FileFormatError(path, f"its NXmx geometry cannot be read: {reason}") from error


@dataclass(frozen=True, eq=False)
class FileImage:
    """An image of an NXmx file, and the detectors that may have recorded it.

    Parameters
    ----------
    entry : Component
        Entry with the images.
    detectors : list of Component
        Detectors: those with modules if there are several, because others are diodes or cameras.
    at : int
        Number of the image among the angles and other numbers of the file, counted from 0.
    n_images : int
        Number of images that these numbers are for.
    remarks : tuple of str
        Warnings for the user.
    """

    entry: Component
    detectors: list[Component]
    at: int
    n_images: int
    remarks: tuple[str, ...]


def image_of(path: object, file: Any, number: int) -> FileImage:
    """Find an image and the detectors of its instrument.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file.
    number : int
        Number of the image, counted from 0.

    Raises
    ------
    FileFormatError
        If there is no instrument, no detector or no such image.
    """
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
        placed = [each for each in detectors if len(each.modules) > 0]
        detectors = placed or [each for each in detectors if "x_pixel_size" in each.handle]
    n_images = count_images(file) or count_angles(path, entry)
    if number != 0 and not 0 <= number < n_images:
        raise FileFormatError(path, f"there is no image {number}; the file has 0 to {n_images - 1}")
    remarks += remarks_of_images(file)
    # a part of a series may have the angles of the whole one
    at, begins = number, number_in_series(file)
    if begins > 0 and count_angles(path, entry) >= begins + n_images:
        at, n_images = number + begins, count_angles(path, entry)
    return FileImage(entry, detectors, at, n_images, remarks)


@dataclass(frozen=True, eq=False)
class Around:
    """Beam and rotation of an image, in the frame of imgCIF.

    Parameters
    ----------
    beam : FileBeam
        Beam; its polarization is in NeXus' frame.
    polarization : tuple of (float, ndarray of shape (3,)) or None
        Kahn factor, and direction of the electric field.
    spindle : ndarray, shape (3,)
        Rotation axis, unit vector.
    phi, oscillation : float or None
        First angle and width of the image (rad).
    is_reversed : bool
        Whether the spindle is the opposite of that in the file, whose angles decrease.
    remarks : tuple of str
        Warnings for the user.
    """

    beam: FileBeam
    polarization: tuple[float, np.ndarray] | None
    spindle: np.ndarray
    phi: float | None
    oscillation: float | None
    is_reversed: bool
    remarks: tuple[str, ...]


def surroundings(nxmx: Any, path: object, image: FileImage) -> Around:
    """Read the beam and the rotation of an image.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    image : FileImage
        The image.

    Raises
    ------
    FileFormatError
        If there are angles, but none for this image.
    """
    beam = read_beam(nxmx, image.entry, image.at, image.n_images)
    start, width, axis, of_scan = read_scan(nxmx, path, image.entry, image.at, image.n_images)
    spindle, phi, oscillation = forward(axis, start, width)
    field = beam.polarization
    return Around(
        beam=beam,
        polarization=None if field is None else (field[0], FLIP @ field[1]),
        spindle=FLIP @ spindle,
        phi=phi,
        oscillation=oscillation,
        is_reversed=is_backward(width),
        remarks=(*beam.remarks, *of_scan, *numbers_told(path, image.entry.handle)),
    )


def sensor_told(nxmx: Any, detector: Any) -> tuple[str, ...]:
    """Warning about the sensor: it is not simulated unless options ask for it.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    detector : h5py.Group
        Group of the detector.
    """
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
