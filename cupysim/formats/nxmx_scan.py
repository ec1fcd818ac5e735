"""Spindle angles in NXmx files: which axis turns, from where, how far."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.maths.arrays import unit

ALONG_X = np.array([-1.0, 0.0, 0.0])
"""The spindle where a file names none, in NeXus' frame: that of most beamlines."""

STILL = 1e-9
"""Width (degrees) below which an axis stands."""


def read_scan(
    nxmx: Any, entry: Any, number: int
) -> tuple[float | None, float | None, np.ndarray, tuple[str, ...]]:
    """First angle and width of an image, and the axis.

    Parameters
    ----------
    nxmx : module
        The library.
    entry : nxmx.NXentry
        The entry.
    number : int
        The image, from 0.

    Returns
    -------
    start, width : float or None
        Angles (rad); None where the file tells none.
    spindle : ndarray, shape (3,)
        Unit vector in NeXus' frame.
    remarks : tuple of str
        What the user must know.
    """
    sample = entry.samples[0] if entry.samples else None
    if sample is None:
        return None, None, ALONG_X, ()
    if sample.depends_on is None:
        return _without_chain(nxmx, sample, number)
    chain = list(nxmx.get_dependency_chain(sample.depends_on))
    rotations = [axis for axis in chain if axis.transformation_type == "rotation"]
    if not rotations:
        return None, None, ALONG_X, ()
    widths = [_width(nxmx, axis._handle, number) for axis in rotations]
    # the axis which turns; of a still any will do
    turning = rotations[int(np.argmax(np.abs(widths)))]
    width = widths[rotations.index(turning)]
    several = sum(abs(each) > STILL for each in widths) > 1
    remarks = ("several axes turn within an image; the fastest one counts",) if several else ()
    outer = chain[chain.index(turning) + 1 :]
    turned = np.eye(4)
    if outer:
        matrices = np.asarray(nxmx.get_cumulative_transformation(outer)).reshape(-1, 4, 4)
        turned = matrices[min(number, len(matrices) - 1)]
    start = _of_image(_degrees(nxmx, turning._handle), number)
    spindle = unit(turned[:3, :3] @ np.asarray(turning.vector))
    return start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, spindle, remarks


def count_angles(entry: Any) -> int:
    """How many images a file has by the angles of its goniometer, where the images are missing."""
    sample = entry.samples[0] if entry.samples else None
    if sample is None or sample.depends_on is None:
        return 1
    axes = sample.depends_on, *_outer(sample.depends_on)
    return max(int(np.size(axis._handle)) for axis in axes)


def _outer(axis: Any) -> list[Any]:
    """The axes on which one depends, the nearest first."""
    found = []
    while (axis := axis.depends_on) is not None:
        found.append(axis)
    return found


def _without_chain(
    nxmx: Any, sample: Any, number: int
) -> tuple[float | None, float | None, np.ndarray, tuple[str, ...]]:
    """Angles of a file which names its axis, but does not place it, as some masters do."""
    for group in ("goniometer", "transformations"):
        axis = sample._handle.get(f"{group}/omega")
        if axis is not None and axis.size > 0:
            start = _of_image(_degrees(nxmx, axis), number) / DEGREES_PER_RADIAN
            width = _width(nxmx, axis, number) / DEGREES_PER_RADIAN
            remark = "the file does not place its omega axis, which is taken to be horizontal"
            return start, width, ALONG_X, (remark,) if abs(width) > STILL else ()
    return None, None, ALONG_X, ()


def _degrees(nxmx: Any, data: Any) -> np.ndarray:
    """Angles in degrees, which they are where no unit is told."""
    values = np.ravel(np.asarray(data[()], dtype=np.float64))
    if "units" not in data.attrs:
        return values
    return np.asarray((values * nxmx.units(data)).to("degree").magnitude)


def _of_image(values: np.ndarray, number: int) -> float:
    return float(values[number if number < len(values) else 0])


def _width(nxmx: Any, axis: Any, number: int) -> float:
    """Width of an image (degrees).

    The data sets beside an axis tell it: increments, else ends. Without them the next image is
    taken to adjoin.
    """
    angles = _degrees(nxmx, axis)
    group, name = axis.parent, axis.name.rsplit("/", 1)[-1]
    for suffix in ("_increment_set", "_increment", "_range_average"):
        stored = group.get(name + suffix)
        if stored is not None and stored.size > 0:
            return _of_image(_degrees(nxmx, stored), number)
    ends = group.get(f"{name}_end")
    if ends is not None and ends.size > 0:
        return _of_image(_degrees(nxmx, ends), number) - _of_image(angles, number)
    if len(angles) < 2:
        return 0.0
    place = min(number, len(angles) - 2)
    return float(angles[place + 1] - angles[place])
