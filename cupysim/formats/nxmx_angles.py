"""Angles of an axis in NXmx files: first angle and width of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_chain import of_image
from cupysim.formats.nxmx_units import has_angle_unit, has_unit, in_unit, unit_of

STILL = 1e-9
"""Width (degrees) below which an axis does not turn."""

LIKE = 0.1
"""Largest relative difference between the steps of one sweep."""

EVEN = 0.02
"""Largest relative difference of even steps: encoders are read during the movement."""

JUMP = 20.0
"""Largest width (degrees) of an image during which the angle passes from 360 to 0. A larger
difference of angles, such as 270 degrees, is itself the width."""

AVERAGE = "_range_average"
"""End of the name of the mean width of an image in Eiger masters."""

TOTAL = "_range_total"
"""End of the name of the rotation during all images in Eiger masters."""

WIDTHS = ("_increment_set", "_increment", "_step", AVERAGE)
"""Ends of the names of the width of an image."""


def unit_told(angles: Any) -> str:
    """Warning about angles without a unit; empty if they have one.

    Parameters
    ----------
    angles : h5py.Dataset
        Angles of an axis.
    """
    name = angles.name.rsplit("/", 1)[-1]
    if has_angle_unit(angles):
        return ""
    told = f"the unit {unit_of(angles)!a:.40}, not of angle" if has_unit(angles) else "no unit"
    return f"its {name} has {told}; degrees are assumed"


def degrees_of(nxmx: Any, data: Any, axis: Any) -> np.ndarray:
    """Angles in degrees.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    data : h5py.Dataset
        Angles. Without their own unit, they have that of the axis, or are degrees.
    axis : h5py.Dataset
        Angles of the axis.
    """
    values = np.ravel(np.asarray(data[()], dtype=np.float64))
    with_unit = data if has_angle_unit(data) else axis
    if not has_angle_unit(with_unit):
        return values
    degrees = in_unit(nxmx, with_unit, values, "degree")
    if degrees is None:
        raise FileFormatError(
            data.file.filename, f"{data.name} has the unit {unit_of(with_unit)!a:.40}, not of angle"
        )
    return degrees


def start_of(nxmx: Any, path: object, axis: Any, width: float, number: int, n_images: int) -> float:
    """First angle of an image (degrees). After a single angle, images of one width follow.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    axis : h5py.Dataset
        Angles of the axis.
    width : float
        Width of the image (degrees).
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Raises
    ------
    FileFormatError
        If the axis turns and has no angle for this image.
    """
    angles = degrees_of(nxmx, axis, axis)
    first = of_image(path, angles, number, axis.name)
    return first + number * width if len(angles) == 1 and n_images > 1 else first


def width_of(
    nxmx: Any, path: object, axis: Any, number: int, groups: Sequence[Any], n_images: int
) -> tuple[float, str]:
    """Width of an image (degrees), and a warning; empty if there is none.

    Data sets next to an axis give the width: increments, otherwise ends. They may be next to a link
    to the axis. Without them, the images of a sweep are assumed to adjoin each other. A single
    angle of several images is that of the first one, and a single end that of the last one.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    axis : h5py.Dataset
        Angles of the axis.
    number : int
        Number of the image, counted from 0.
    groups : sequence of h5py.Group
        Groups with links to the axis.
    n_images : int
        Number of images in the file.
    """
    angles = degrees_of(nxmx, axis, axis)
    name = axis.name.rsplit("/", 1)[-1].removesuffix("_start")
    linked = [
        (group, each)
        for group in groups
        for each in group
        if hasattr(group.get(each), "shape") and group[each] == axis
    ]
    beside = [(axis.parent, name), *linked]
    if len(angles) == 1 and n_images > 1:
        return _of_one_angle(nxmx, path, axis, number, beside, n_images)
    end = None
    for group, label in beside:
        ends = group.get(f"{label}_end")
        # one end next to many angles is that of the scan
        if end is None and ends is not None and ends.size == len(angles):
            last = of_image(path, degrees_of(nxmx, ends, axis), number, ends.name)
            end = _not_round(last - of_image(path, angles, number, axis.name))
    for group, label in beside:
        for suffix in WIDTHS:
            stored = group.get(label + suffix)
            # null data sets have no size
            if stored is not None and stored.size:
                width = of_image(path, degrees_of(nxmx, stored, axis), number, stored.name)
                return _checked_width(label + suffix, width, angles, number, end)
    if end is not None:
        return _checked_width(f"{name}_end", end, angles, number, None)
    if len(angles) < 2:
        return 0.0, ""
    steps = np.array([_not_round(step) for step in np.diff(angles)])
    width, remark = _to_the_next(steps, number, name)
    total = next(
        (each for group, label in beside if (each := group.get(label + TOTAL)) is not None),
        None,
    )
    if total is not None and total.size and not np.abs(steps).max() > STILL:
        turned = float(degrees_of(nxmx, total, axis)[0])
        if abs(turned) > STILL:
            remark = (
                f"its {name} is the same at all images and is used, but its {name}{TOTAL} is "
                f"{turned:g} degrees"
            )
    return width, remark


def _of_one_angle(
    nxmx: Any,
    path: object,
    axis: Any,
    number: int,
    beside: Sequence[tuple[Any, str]],
    n_images: int,
) -> tuple[float, str]:
    """Width of an image of a scan of which the file has the first angle only, and a warning."""
    known = {}
    for suffix in (*WIDTHS, "_end", TOTAL):
        stored = next(
            (each for group, label in beside if (each := group.get(label + suffix)) is not None),
            None,
        )
        if stored is not None and stored.size:
            known[suffix] = stored, degrees_of(nxmx, stored, axis)
    first = of_image(path, degrees_of(nxmx, axis, axis), number, axis.name)
    widths = {}
    for suffix, (stored, values) in known.items():
        # one value of the whole scan, or one for each image
        last = len(values) - 1 if suffix == "_end" else number
        value = of_image(path, values, last, stored.name)
        whole = {"_end": value - first, TOTAL: value}
        widths[stored] = whole[suffix] / n_images if suffix in whole else value
    if not widths:
        return 0.0, ""
    counts, width = next(iter(widths.items()))
    if max(map(abs, widths.values())) <= STILL:
        return width, ""
    told = (
        f"its {_last_part(axis)} has one value for {n_images} images; by "
        f"{_last_part(counts)}, each image is assumed to be {width:g} degrees wide, and to follow "
        "the one before it"
    )
    others = [
        f"{_last_part(stored)} {other:g}"
        for stored, other in widths.items()
        # the end may be that of the first image
        if not _are_like(other, width) and not _are_like(other * n_images, width)
    ]
    if others:
        told += f"; the widths of other data sets differ: {', '.join(others)}"
    return width, told


def _last_part(stored: Any) -> str:
    return str(stored.name).rsplit("/", 1)[-1]


def _checked_width(
    name: str, width: float, angles: np.ndarray, number: int, end: float | None
) -> tuple[float, str]:
    """A width from the file, and a warning if ends or angles contradict it.

    The size of the result is that of the increment; its sign is that of the angles.
    """
    if end is not None and not _are_like(width, end):
        remark = f"its {name} is {width:g} degrees, but its end turns image {number} by {end:g}"
        return width, remark
    if end is not None or len(angles) < 2:
        return width, ""
    last = number + 1 >= len(angles)
    first = len(angles) - 2 if last else number
    step = _not_round(float(angles[first + 1] - angles[first]))
    if step * width < 0.0 and min(abs(step), abs(width)) > STILL:
        remark = (
            f"its {name} turns image {number} by {width:g} degrees, but its angles advance by "
            f"{step:g}: the direction of the angles is used"
        )
        return -width, remark
    # ends, or uneven steps, are those of separate images
    sweeps = not name.endswith("_end") and np.ptp(np.diff(angles)) <= max(EVEN * abs(step), STILL)
    gap = sweeps and (1.0 + LIKE) * abs(width) < abs(step) <= JUMP
    if not last and abs(step) > STILL and (gap or abs(step) < (1.0 - LIKE) * abs(width)):
        turned = f"its {name} turns image {number} by {width:g} degrees"
        return width, f"{turned}, but the next image begins after {step:g}"
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
    """A width without a jump at 360 degrees: from 359.9 to 0, the width is 0.1."""
    wrapped = (width + 180.0) % 360.0 - 180.0
    return wrapped if abs(width) > 180.0 and STILL < abs(wrapped) <= JUMP else width
