"""Axes that NXmx files name without their directions, as some master files do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_angles import (
    AVERAGE,
    LIKE,
    STILL,
    degrees_of,
    start_of,
    unit_told,
    width_of,
)
from cupysim.formats.nxmx_axis import Axis, chain_of
from cupysim.formats.nxmx_chain import counts_told, cumulative, direction, of_image
from cupysim.formats.nxmx_elsewhere import angles_elsewhere, unread_told
from cupysim.formats.nxmx_tree import is_group, member, members
from cupysim.formats.rotation import SETTING, settings_remark

ALONG_X = np.array([-1.0, 0.0, 0.0])
"""Default spindle in the frame of NeXus: that of most beamlines."""

AXES = ("omega", "phi", "chi", "kappa")
"""Axes of a goniometer that some files name without giving their directions."""

GONIOMETERS = ("goniometer", "transformations")
"""Groups of an instrument that can hold these axes."""

SEVERAL = "several axes turn during an image; the one with the largest rotation is used"

UNPLACED = "the file does not place its {name} axis; it is assumed to be horizontal"

NOT_NAMED = "its sample does not depend on its {name} axis (depends_on); the axis is used"

ScanAngles = tuple[float | None, float | None, np.ndarray, tuple[str, ...]]


def goniometers(entry: Any) -> list[Any]:
    """Groups of samples, then of instruments, that can hold axes without directions.

    Parameters
    ----------
    entry : Component
        Entry with the images.
    """
    of_samples = [
        group for sample in entry.samples for _, group in members(sample.handle) if is_group(group)
    ]
    of_instruments = [
        member(instrument.handle, place)
        for instrument in entry.instruments
        for place in GONIOMETERS
    ]
    return of_samples + [group for group in of_instruments if is_group(group)]


@dataclass(frozen=True)
class Stand:
    """Angle of an axis at the beginning of an image, and its rotation during the image.

    Parameters
    ----------
    name : str
        Name of the axis.
    start, width : float
        First angle and width of the rotation (degrees).
    remark : str
        Warning for the user; empty if there is none.
    axis : Axis or None
        The axis, if the file gives its direction.
    """

    name: str
    start: float
    width: float
    remark: str = ""
    axis: Axis | None = None


def stand_of(
    nxmx: Any, path: object, group: Any, name: str, number: int, n_images: int
) -> Stand | None:
    """Read an axis of a group, from its angles, or from the first angle and the increment.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    group : h5py.Group
        Goniometer or detector arm.
    name : str
        Name of the axis.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Returns
    -------
    Stand or None
        The axis; None if the group has no angle of it.

    Raises
    ------
    FileFormatError
        If the file has angles of the axis, but none for this image.
    """
    axis, begin, increment, average = (
        each if getattr(each, "size", 0) else None
        for each in (group.get(name + end) for end in ("", "_start", "_increment", AVERAGE))
    )
    step = average if increment is None else increment
    if axis is None and step is None:
        # the end, or the rotation of all images, gives the width
        axis, begin = begin, None
    if axis is not None and (axis.size > 1 or begin is None or step is None):
        width, remark = width_of(nxmx, path, axis, number, (), n_images)
        start = start_of(nxmx, path, axis, width, number, n_images)
        doubts = [remark]
        if max(abs(start), abs(width)) > STILL:
            doubts += [unit_told(axis), *counts_told([Axis(axis)], n_images, spare=0)]
        placed = Axis(axis) if "vector" in axis.attrs else None
        return Stand(name, start, width, "; ".join(filter(None, doubts)), placed)
    first, width = (
        0.0 if each is None else of_image(path, degrees_of(nxmx, each, each), number, each.name)
        for each in (axis if begin is None else begin, step)
    )
    if begin is None and step is None:
        return None
    if begin is None:
        told = name + (AVERAGE if increment is None else "_increment")
        remark = f"its {told} is {width:g} degrees, but the file has no first angle of {name}"
        return Stand(name, 0.0, 0.0, remark if abs(width) > STILL else "")
    # a start for each image already includes the steps
    start = first if begin.size > 1 else first + number * width
    told = unit_told(begin) if abs(start) > STILL else ""
    if axis is not None and abs(degrees_of(nxmx, axis, axis)[0] - first) > SETTING:
        angle = degrees_of(nxmx, axis, axis)[0]
        told = f"its {name} is {angle:g} degrees, but its {name}_start is {first:g} and is used"
    return Stand(name, start, width, told)


def stands_of(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> Iterator[Stand]:
    """Axes of all goniometers.

    If there are links to an axis, the link that has increments next to it is used.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    entry : Component
        Entry with the images.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Yields
    ------
    Stand
        One for each axis that the file names.
    """
    groups = goniometers(entry)
    for name in AXES:
        told = [stand_of(nxmx, path, group, name, number, n_images) for group in groups]
        known = [each for each in told if each is not None]
        if known:
            yield max(known, key=lambda each: abs(each.width))


def other_angles_told(
    nxmx: Any, path: object, entry: Any, used: Stand, number: int, n_images: int
) -> str:
    """Warning about a goniometer that turns by other angles than the axis that is used.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    entry : Component
        Entry with the images.
    used : Stand
        The axis on which the sample depends.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.
    """
    for group in goniometers(entry):
        try:
            other = stand_of(nxmx, path, group, used.name, number, n_images)
        except FileFormatError:
            # it has angles of other images
            continue
        if other is None or abs(other.width) <= STILL:
            continue
        step = (other.start - used.start + 180.0) % 360.0 - 180.0
        differs = abs(step) > max(SETTING, LIKE * abs(used.width))
        if differs or abs(other.width - used.width) > LIKE * abs(used.width):
            return (
                f"its {group.name}/{used.name} turns from {other.start:g} by {other.width:g} "
                f"degrees, but the axis on which its sample depends turns from {used.start:g} by "
                f"{used.width:g}, and is used"
            )
    return ""


def _with_other_places(
    nxmx: Any, path: object, entry: Any, found: list[Stand], number: int, n_images: int
) -> list[Stand]:
    """Axes of the goniometers; if none turns or stands off zero, also those in other places."""
    if any(abs(each.width) > STILL or abs(each.start) > SETTING for each in found):
        return found
    taken = {each.name for each in found}
    made = list(found)
    for group, name, usual in angles_elsewhere(entry, goniometers(entry), AXES):
        stand = stand_of(nxmx, path, group, name, number, n_images)
        if stand is None or usual in taken or max(abs(stand.start), abs(stand.width)) <= SETTING:
            continue
        taken.add(usual)
        told = f"its angles of {usual} are in {group.name.rstrip('/')}/{name}, and are used"
        made.append(replace(stand, remark="; ".join(filter(None, (told, stand.remark)))))
    return made


def without_chain(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> ScanAngles:
    """First angle and width of an image from axes without directions.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    entry : Component
        Entry with the images.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Returns
    -------
    start, width : float or None
        Angles (rad); None if the file has none.
    spindle : ndarray, shape (3,)
        Unit vector in the frame of NeXus.
    remarks : tuple of str
        Warnings for the user.
    """
    found = list(stands_of(nxmx, path, entry, number, n_images))
    found = _with_other_places(nxmx, path, entry, found, number, n_images)
    unread = ""
    if all(max(abs(each.width), abs(each.start)) <= STILL for each in found):
        used = [(group, each.name) for group in goniometers(entry) for each in found]
        unread = unread_told(nxmx, path, entry, used, n_images)
    if not found:
        return None, None, ALONG_X, (unread,) if unread else ()
    turns = max(abs(each.width) for each in found) > STILL
    turning = max(found, key=lambda each: abs(each.width if turns else each.start))
    remarks = [each.remark for each in found if each.remark and (each is turning or not each.width)]
    spindle = ALONG_X
    if turning.axis is not None:
        chain = chain_of(path, turning.axis)
        spindle = cumulative(path, chain[1:], number)[:3, :3] @ direction(path, turning.axis)
    if turns or abs(turning.start) > SETTING:
        told = UNPLACED if turning.axis is None else NOT_NAMED
        remarks.insert(0, told.format(name=turning.name))
    if sum(abs(each.width) > STILL for each in found) > 1:
        remarks.append(SEVERAL)
    others = {each.name: each.start for each in found if each is not turning}
    remark = settings_remark(others)
    return (
        turning.start / DEGREES_PER_RADIAN, turning.width / DEGREES_PER_RADIAN, spindle,
        (*remarks, *(each for each in (remark, unread) if each)),
    )  # fmt: skip
