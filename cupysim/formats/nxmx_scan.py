"""Spindle angles in NXmx files: rotation axis, first angle and width of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_chain import (
    chain_of,
    counts_told,
    cumulative,
    direction,
    is_rotation,
    of_image,
    offset_of,
    values_of,
)
from cupysim.formats.rotation import settings_remark
from cupysim.maths.arrays import norm

ALONG_X = np.array([-1.0, 0.0, 0.0])
"""Default spindle in the frame of NeXus: that of most beamlines."""

STILL = 1e-9
"""Width (degrees) below which an axis does not turn."""

AXES = ("omega", "phi", "chi", "kappa")
"""Axes of a goniometer that some files name without giving their directions."""

SHIFT = 1e-7
"""Largest shift (m) of a sample that is ignored without a warning."""

LIKE = 0.1
"""Largest relative difference of steps in one sweep."""

EVEN = 0.02
"""Largest relative difference of even steps: encoders are read during the movement."""

GONIOMETERS = ("goniometer", "transformations")
"""Groups of a sample or an instrument that can hold these axes."""

AVERAGE = "_range_average"
"""End of the name of the mean width of an image in Eiger masters."""

SEVERAL = "several axes turn during an image; the one with the largest rotation is used"

UNPLACED = "the file does not place its {name} axis; it is assumed to be horizontal"

ScanAngles = tuple[float | None, float | None, np.ndarray, tuple[str, ...]]


def read_scan(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> ScanAngles:
    """Read the first angle and the width of an image, and the spindle.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    entry : nxmx.NXentry
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

    Raises
    ------
    FileFormatError
        If there are angles, but none for this image.
    """
    samples = list(entry.samples)
    placed = next((each for each in samples if each.depends_on is not None), None)
    if placed is None:
        return _without_chain(nxmx, path, entry, number, n_images)
    chain = chain_of(path, placed.depends_on)
    rotations = [axis for axis in chain if is_rotation(path, axis)]
    if not rotations:
        return _without_chain(nxmx, path, entry, number, n_images)
    groups = _groups(placed)
    told = [_width(nxmx, path, axis._handle, number, groups) for axis in rotations]
    widths = [width for width, _ in told]
    stands = [
        of_image(path, _degrees(nxmx, axis._handle, axis._handle), number, axis.path)
        for axis in rotations
    ]
    # the axis that turns; in a still, the axis farthest from zero
    turns = np.abs(widths).max() > STILL
    turning = rotations[int(np.argmax(np.abs(widths if turns else stands)))]
    width = widths[rotations.index(turning)]
    several = sum(abs(each) > STILL for each in widths) > 1
    remarks: tuple[str, ...] = (SEVERAL,) if several else ()
    remark = settings_remark(
        {
            axis.path.rsplit("/", 1)[-1]: angle
            for axis, angle in zip(rotations, stands, strict=True)
            if axis is not turning
        }
    )
    count = int(turning._handle.size)
    of_count = ""
    if count not in (1, n_images, n_images + 1):
        name = turning.path.rsplit("/", 1)[-1]
        of_count = f"its {name} has {count} values for {n_images} images; the first ones count"
    of_unit = _unit_told(turning._handle) if max(map(abs, (width, *stands))) > STILL else ""
    shift = _shift_told(path, chain, number)
    of_others = counts_told([each for each in chain if each is not turning], n_images)
    of_width = told[rotations.index(turning)][1]
    remarks += tuple(
        each for each in (remark, of_width, of_unit, of_count, shift, *of_others) if each
    )
    turned = cumulative(path, chain[chain.index(turning) + 1 :], number)
    start = _start(nxmx, path, turning._handle, width, number, n_images)
    spindle = turned[:3, :3] @ direction(path, turning)
    return start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, spindle, remarks


def _unit_told(angles: Any) -> str:
    """Warning about angles without a unit."""
    name = angles.name.rsplit("/", 1)[-1]
    return "" if "units" in angles.attrs else f"its {name} has no unit; degrees are assumed"


def _shift_told(path: object, chain: list[Any], number: int) -> str:
    """Warning about translations of the sample."""
    shifts = {}
    for axis in chain:
        name = axis.path.rsplit("/", 1)[-1]
        if not is_rotation(path, axis):
            shifts[name] = of_image(path, values_of(path, axis, turns=False), number, axis.path)
        shifts[f"the offset of {name}"] = float(norm(offset_of(path, axis)))
    shown = [f"{name} {1e3 * shift:g}" for name, shift in shifts.items() if abs(shift) > SHIFT]
    if not shown:
        return ""
    return f"its sample is shifted by {', '.join(shown)} mm; this is not used: it is at the origin"


def _groups(sample: Any) -> list[Any]:
    """Groups that hold the axes of a sample, also as links."""
    handle = sample._handle
    members = [handle[name] for name in handle if handle.get(name) is not None]
    return [handle, *(each for each in members if hasattr(each, "keys"))]


def count_angles(path: object, entry: Any) -> int:
    """Number of images from the angles of the goniometer, for a file without images.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    entry : nxmx.NXentry
        Entry with the goniometer.
    """
    for sample in entry.samples:
        if sample.depends_on is not None:
            return max(int(axis._handle.size) for axis in chain_of(path, sample.depends_on))
    axes = [group[name] for group in _goniometers(entry) for name in AXES if name in group]
    return max((int(axis.size) for axis in axes if getattr(axis, "size", 0) > 0), default=1)


def _goniometers(entry: Any) -> list[Any]:
    """Groups of samples, then of instruments, that can hold axes without directions."""
    return [
        holder._handle[place]
        for holder in (*entry.samples, *entry.instruments)
        for place in GONIOMETERS
        if hasattr(holder._handle.get(place), "keys")
    ]


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
    """

    name: str
    start: float
    width: float
    remark: str = ""


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
        each if getattr(each, "size", 0) > 0 else None
        for each in (group.get(name + end) for end in ("", "_start", "_increment", AVERAGE))
    )
    step = average if increment is None else increment
    if axis is not None and (axis.size > 1 or begin is None or step is None):
        width, remark = _width(nxmx, path, axis, number, ())
        start = _start(nxmx, path, axis, width, number, n_images)
        of_unit = _unit_told(axis) if max(abs(start), abs(width)) > STILL else ""
        return Stand(name, start, width, remark or of_unit)
    first, width = (
        0.0 if each is None else of_image(path, _degrees(nxmx, each, each), number, each.name)
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
    return Stand(name, start, width, _unit_told(begin) if abs(start) > STILL else "")


def _without_chain(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> ScanAngles:
    """Angles from a file that names its axes without directions, as some master files do."""
    groups = _goniometers(entry)
    found = []
    for name in AXES:
        told = [stand_of(nxmx, path, group, name, number, n_images) for group in groups]
        known = [each for each in told if each is not None]
        if known:
            # if there are links to an axis, use the one that has increments next to it
            found.append(max(known, key=lambda each: abs(each.width)))
    if not found:
        return None, None, ALONG_X, ()
    turns = max(abs(each.width) for each in found) > STILL
    turning = max(found, key=lambda each: abs(each.width if turns else each.start))
    remarks = [each.remark for each in found if each.remark and (each is turning or not each.width)]
    if turns:
        remarks.insert(0, UNPLACED.format(name=turning.name))
    if sum(abs(each.width) > STILL for each in found) > 1:
        remarks.append(SEVERAL)
    others = {each.name: each.start for each in found if each is not turning}
    remark = settings_remark(others)
    return (
        turning.start / DEGREES_PER_RADIAN, turning.width / DEGREES_PER_RADIAN, ALONG_X,
        (*remarks, *((remark,) if remark else ())),
    )  # fmt: skip


def _degrees(nxmx: Any, data: Any, axis: Any) -> np.ndarray:
    """Angles in degrees. Without their own unit, they have that of the axis, or are degrees."""
    values = np.ravel(np.asarray(data[()], dtype=np.float64))
    with_unit = data if "units" in data.attrs else axis
    if "units" not in with_unit.attrs:
        return values
    return np.asarray((values * nxmx.units(with_unit)).to("degree").magnitude)


def _start(nxmx: Any, path: object, axis: Any, width: float, number: int, n_images: int) -> float:
    """First angle of an image (degrees)."""
    angles = _degrees(nxmx, axis, axis)
    if len(angles) == 1 and number > 0 and n_images > 1 and abs(width) > STILL:
        raise FileFormatError(path, f"{axis.name} has one value, none for image {number}")
    return of_image(path, angles, number, axis.name)


def _width(
    nxmx: Any, path: object, axis: Any, number: int, groups: Sequence[Any]
) -> tuple[float, str]:
    """Width of an image (degrees), and a warning.

    Data sets next to an axis give the width: increments, otherwise ends. They may be next to a link
    to the axis. Without them, the images of a sweep are assumed to adjoin each other.
    """
    angles = _degrees(nxmx, axis, axis)
    name = axis.name.rsplit("/", 1)[-1]
    linked = [
        (group, each)
        for group in groups
        for each in group
        if hasattr(group.get(each), "shape") and group[each] == axis
    ]
    beside = [(axis.parent, name), *linked]
    end = None
    for group, label in beside:
        ends = group.get(f"{label}_end")
        # one end next to many angles is that of the scan
        if end is None and ends is not None and ends.size == len(angles):
            last = of_image(path, _degrees(nxmx, ends, axis), number, ends.name)
            end = _not_round(last - of_image(path, angles, number, axis.name))
    for group, label in beside:
        for suffix in ("_increment_set", "_increment", AVERAGE):
            stored = group.get(label + suffix)
            if stored is not None and stored.size > 0:
                width = of_image(path, _degrees(nxmx, stored, axis), number, stored.name)
                return _checked_width(label + suffix, width, angles, number, end)
    if end is not None:
        return _checked_width(f"{name}_end", end, angles, number, None)
    if len(angles) < 2:
        return 0.0, ""
    return _to_the_next(np.array([_not_round(step) for step in np.diff(angles)]), number, name)


def _checked_width(
    name: str, width: float, angles: np.ndarray, number: int, end: float | None
) -> tuple[float, str]:
    """A width from the file, and a warning if ends or angles contradict it.

    The size of an increment counts, and the direction of the angles.
    """
    if end is not None and not _are_like(width, end):
        remark = f"its {name} is {width:g} degrees, but by its end image {number} turns by {end:g}"
        return width, remark
    if end is not None or len(angles) < 2:
        return width, ""
    last = number + 1 >= len(angles)
    first = len(angles) - 2 if last else number
    step = _not_round(float(angles[first + 1] - angles[first]))
    if step * width < 0.0 and min(abs(step), abs(width)) > STILL:
        remark = (
            f"its {name} turns image {number} by {width:g} degrees, but its angles advance by "
            f"{step:g}: the direction of the angles counts"
        )
        return -width, remark
    if not last and STILL < abs(step) < (1.0 - LIKE) * abs(width):
        remark = f"its {name} turns image {number} by {width:g} degrees, but the next image begins"
        return width, f"{remark} after {step:g}"
    return width, ""


def _to_the_next(steps: np.ndarray, number: int, name: str) -> tuple[float, str]:
    """Width of an image from the steps between images, and a warning about uneven steps."""
    width = float(steps[min(number, len(steps) - 1)])
    if 0 < number < len(steps) - 1:
        before, after = steps[number - 1], steps[number + 1]
        if _are_like(before, after) and not _are_like(before, width):
            # a jump to another sweep is not a part of the image
            width = float(before)
    if np.abs(steps - width).max() <= max(EVEN * abs(width), STILL):
        return width, ""
    return width, (
        f"its {name} advances by {steps.min():g} to {steps.max():g} degrees from image to image, "
        f"and the file has no widths: image {number} is assumed to be {width:g} degrees wide"
    )


def _are_like(first: float, second: float) -> bool:
    return abs(first - second) <= LIKE * max(abs(first), abs(second))


def _not_round(width: float) -> float:
    """A width without a jump at 360 degrees: from 359.9 to 0 it is 0.1."""
    wrapped = (width + 180.0) % 360.0 - 180.0
    return wrapped if abs(width) > 180.0 and abs(wrapped) > STILL else width
