"""Panels that NXmx files describe by beam centre and distance only, as some master files do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.image_stacks import image_shape
from cupysim.formats.nxmx_chain import of_image
from cupysim.formats.nxmx_master import ALONG_X, stand_of
from cupysim.formats.nxmx_units import has_unit, in_unit, lengths_of, unit_of
from cupysim.formats.rotation import SETTING
from cupysim.maths.rotations import rotate_axis

NORMAL = (
    "the file has beam centre and distance only; the detector is assumed to be normal to the beam"
)

DISTANCES = ("distance", "detector_distance")
"""Names of a distance that a file gives in addition to transformations."""

NOTICEABLE_DISTANCE = 0.01
"""Relative difference of distances that is worth a warning."""

ARMS = ("goniometer", "transformations")
"""Groups of a detector that can hold an arm (two_theta) without its axis."""

UPRIGHT = np.array([-1.0, 0.0, 0.0, 0.0, -1.0, 0.0])
"""Usual orientation of an Eiger: fast and slow axis in the frame of NeXus."""

SAME_FRAME = 1e-6
"""Largest difference of the elements of two equal rotation matrices."""


@dataclass(frozen=True)
class Panel:
    """A panel in the frame of NeXus.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        Outer corner of the first pixel (m).
    fast, slow : ndarray, shape (3,)
        Vectors from a pixel to the next one (m).
    n_fast, n_slow : int
        Number of pixels along the fast and slow axis.
    remarks : tuple of str
        Warnings for the user.
    """

    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    n_fast: int
    n_slow: int
    remarks: tuple[str, ...] = ()


def unplaced_panel(nxmx: Any, path: object, file: Any, detector: Any, number: int) -> Panel:
    """Find the panel of a detector if the file has only beam centre and distance.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file. Its images give the number of pixels.
    detector : h5py.Group
        Group of the detector.
    number : int
        Number of the image, counted from 0.

    Raises
    ------
    FileFormatError
        If a length is missing, has no unit, or is not above zero.
    """
    metres = {}
    for name, spellings in (
        ("x_pixel_size", ("x_pixel_size",)),
        ("y_pixel_size", ("y_pixel_size",)),
        ("distance", DISTANCES),
    ):
        stored = next((detector[each] for each in spellings if each in detector), None)
        if stored is None:
            raise FileFormatError(path, f"neither a module nor {name} in {detector.name}")
        metres[name] = of_image(path, lengths_of(nxmx, path, stored), number, stored.name)
        if not metres[name] > 0.0:
            raise FileFormatError(path, f"{stored.name} is {metres[name]:g} m, not above zero")
    centre: list[float] = []
    remarks: list[str] = []
    for name, size in (("beam_center_x", "x_pixel_size"), ("beam_center_y", "y_pixel_size")):
        if name not in detector:
            raise FileFormatError(path, f"neither a module nor {name} in {detector.name}")
        value, doubt = centre_of(nxmx, path, detector[name], number, metres[size])
        centre.append(value * metres[size])
        remarks += [doubt] if doubt else []
    shape = image_shape(path, file)
    return Panel(
        origin=np.array([centre[0], centre[1], metres["distance"]]),
        fast=np.array([-metres["x_pixel_size"], 0.0, 0.0]),
        slow=np.array([0.0, -metres["y_pixel_size"], 0.0]),
        n_fast=int(shape[1]),
        n_slow=int(shape[0]),
        remarks=(
            NORMAL,
            *remarks,
            *_not_read(nxmx, path, detector, number),
        ),
    )


def centre_of(
    nxmx: Any, path: object, stored: Any, number: int, pixel_size: float
) -> tuple[float, str]:
    """Coordinate of a beam centre in pixels, and a warning; empty if there is none.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    stored : h5py.Dataset
        ``beam_center_x`` or ``beam_center_y``: a length, or a number of pixels.
    number : int
        Number of the image, counted from 0.
    pixel_size : float
        Edge of a pixel (m) along this coordinate.
    """
    value = of_image(path, stored[()], number, stored.name)
    unit_name = unit_of(stored)
    if unit_name.lower().startswith("pixel") or unit_name in ("", "px"):
        return value, ""
    metres = in_unit(nxmx, stored, value, "meter")
    if metres is not None:
        return float(metres) / pixel_size, ""
    name = stored.name.rsplit("/", 1)[-1]
    return value, f"its {name} has the unit {unit_name!a:.40}; pixels are assumed"


def _not_read(nxmx: Any, path: object, detector: Any, number: int) -> Iterator[str]:
    """Warnings about an orientation and a second distance beside a beam centre."""
    stored = detector.get("geometry/orientation/value")
    if hasattr(stored, "shape") and stored.size == UPRIGHT.size:
        told = np.ravel(np.asarray(stored[()], dtype=np.float64))
        if np.abs(told - UPRIGHT).max() > SAME_FRAME:
            yield f"its geometry/orientation {' '.join(f'{each:g}' for each in told)} is not used"
    lengths = {
        name: in_unit(nxmx, detector[name], detector[name][()], "meter")
        for name in DISTANCES
        if name in detector and has_unit(detector[name])
    }
    metres = {
        name: of_image(path, values, number, name)
        for name, values in lengths.items()
        if values is not None
    }
    known = np.array(list(metres.values()))
    if len(known) > 1 and np.ptp(known) > NOTICEABLE_DISTANCE * known.max():
        both = " and ".join(f"{name} {1e3 * each:.6g} mm" for name, each in metres.items())
        yield f"it has {both}; {DISTANCES[0]} is used"


def two_theta(nxmx: Any, path: object, detector: Any, number: int, n_images: int) -> float:
    """Angle (degrees) of the detector's arm. Eiger master files give it without its axis.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    detector : h5py.Group
        Group of the detector.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.
    """
    for place in ARMS:
        group = detector.get(place)
        if group is not None:
            stand = stand_of(nxmx, path, group, "two_theta", number, n_images)
            if stand is not None:
                return 0.0 if abs(stand.start) <= SETTING else stand.start
    return 0.0


def swung(panel: Panel, degrees: float) -> Panel:
    """Turn a panel from two_theta zero about the horizontal spindle, upwards.

    Parameters
    ----------
    panel : Panel
        Panel normal to the beam.
    degrees : float
        Angle of the arm (degrees).
    """
    angle = np.float64(degrees / DEGREES_PER_RADIAN)
    origin, fast, slow = (
        rotate_axis(vector, ALONG_X, angle) for vector in (panel.origin, panel.fast, panel.slow)
    )
    remark = (
        f"the file has beam centre, distance and a two_theta of {degrees:g} degrees only, without "
        "axis and sign: a detector normal to the beam is assumed, and turned about the horizontal "
        "axis through the sample, upwards"
    )
    others = tuple(each for each in panel.remarks if each != NORMAL)
    return replace(panel, origin=origin, fast=fast, slow=slow, remarks=(*others, remark))
