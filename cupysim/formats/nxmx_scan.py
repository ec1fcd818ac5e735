"""Spindle angles in NXmx files: which axis turns, from where, how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_chain import chain_of, cumulative, direction, is_rotation, of_image
from cupysim.formats.rotation import settings_remark

ALONG_X = np.array([-1.0, 0.0, 0.0])
"""The spindle where a file names none, in NeXus' frame: that of most beamlines."""

STILL = 1e-9
"""Width (degrees) below which an axis stands."""

AXES = ("omega", "phi", "chi", "kappa")
"""Axes of a goniometer which some files name without placing them."""

UNPLACED = "the file does not place its {name} axis, which is assumed to be horizontal"

ScanAngles = tuple[float | None, float | None, np.ndarray, tuple[str, ...]]


def read_scan(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> ScanAngles:
    """First angle and width of an image, and the axis.

    Parameters
    ----------
    nxmx : module
        The library.
    path : path_like
        The file, for messages.
    entry : nxmx.NXentry
        The entry.
    number : int
        The image, from 0.
    n_images : int
        How many images the file has.

    Returns
    -------
    start, width : float or None
        Angles (rad); None where the file tells none.
    spindle : ndarray, shape (3,)
        Unit vector in NeXus' frame.
    remarks : tuple of str
        What the user must know.

    Raises
    ------
    FileFormatError
        If there are angles, but none for this image.
    """
    samples = list(entry.samples)
    placed = next((each for each in samples if each.depends_on is not None), None)
    if placed is None:
        return _without_chain(nxmx, path, samples, number, n_images)
    chain = chain_of(path, placed.depends_on)
    rotations = [axis for axis in chain if is_rotation(path, axis)]
    if not rotations:
        return None, None, ALONG_X, ()
    groups = _groups(placed)
    widths = [_width(nxmx, path, axis._handle, number, groups) for axis in rotations]
    stands = [
        of_image(path, _degrees(nxmx, axis._handle, axis._handle), number, axis.path)
        for axis in rotations
    ]
    # the axis which turns; of a still the one which stands farthest from zero
    turns = np.abs(widths).max() > STILL
    turning = rotations[int(np.argmax(np.abs(widths if turns else stands)))]
    width = widths[rotations.index(turning)]
    several = sum(abs(each) > STILL for each in widths) > 1
    remarks: tuple[str, ...] = (
        ("several axes turn during an image; the one with the largest rotation is used",)
        if several
        else ()
    )
    remark = settings_remark(
        {
            axis.path.rsplit("/", 1)[-1]: angle
            for axis, angle in zip(rotations, stands, strict=True)
            if axis is not turning
        }
    )
    remarks += (remark,) if remark else ()
    turned = cumulative(path, chain[chain.index(turning) + 1 :], number)
    start = _start(nxmx, path, turning._handle, width, number, n_images)
    spindle = turned[:3, :3] @ direction(path, turning)
    return start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, spindle, remarks


def _groups(sample: Any) -> list[Any]:
    """Groups in which a sample's axes are, be it by links."""
    handle = sample._handle
    members = [handle[name] for name in handle if handle.get(name) is not None]
    return [handle, *(each for each in members if hasattr(each, "keys"))]


def count_angles(path: object, entry: Any) -> int:
    """How many images a file has by the angles of its goniometer, where the images are missing.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    entry : nxmx.NXentry
        The entry.
    """
    for sample in entry.samples:
        if sample.depends_on is not None:
            return max(int(axis._handle.size) for axis in chain_of(path, sample.depends_on))
    return max((int(axis.size) for _, axis in _unplaced(list(entry.samples))), default=1)


def _unplaced(samples: list[Any]) -> list[tuple[str, Any]]:
    """Axes which a file names and does not place, with their names."""
    found = [
        (name, sample._handle[f"{group}/{name}"])
        for sample in samples
        for group in ("goniometer", "transformations")
        for name in AXES
        if f"{group}/{name}" in sample._handle
    ]
    return [(name, axis) for name, axis in found if getattr(axis, "size", 0) > 0]


def _without_chain(
    nxmx: Any, path: object, samples: list[Any], number: int, n_images: int
) -> ScanAngles:
    """Angles of a file which names its axes, but does not place them, as some masters do."""
    found = _unplaced(samples)
    if not found:
        return _by_start_and_increment(nxmx, path, samples, number)
    widths = [_width(nxmx, path, axis, number, ()) for _, axis in found]
    stands = [float(_degrees(nxmx, axis, axis)[0]) for _, axis in found]
    turns = np.abs(widths).max() > STILL
    turning = int(np.argmax(np.abs(widths if turns else stands)))
    name, axis = found[turning]
    width = widths[turning]
    start = _start(nxmx, path, axis, width, number, n_images)
    remarks = (UNPLACED.format(name=name),) if abs(width) > STILL else ()
    others = {
        name: angle
        for place, ((name, _), angle) in enumerate(zip(found, stands, strict=True))
        if place != turning
    }
    remark = settings_remark(others)
    return (
        start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, ALONG_X,
        (*remarks, *((remark,) if remark else ())),
    )  # fmt: skip


def _by_start_and_increment(nxmx: Any, path: object, samples: list[Any], number: int) -> ScanAngles:
    """Angles of a file which has first angle and increment of its axes alone."""
    found = []
    for sample in samples:
        for name in AXES:
            begin, step = (
                sample._handle.get(f"goniometer/{name}_{what}") for what in ("start", "increment")
            )
            if begin is not None and step is not None:
                first, width = (
                    of_image(path, _degrees(nxmx, each, each), 0, each.name)
                    for each in (begin, step)
                )
                found.append((name, first, width))
    if not found:
        return None, None, ALONG_X, ()
    name, first, width = max(found, key=lambda each: abs(each[2]))
    remarks = (UNPLACED.format(name=name),) if abs(width) > STILL else ()
    remark = settings_remark({each: angle for each, angle, _ in found if each != name})
    start = first + number * width
    return (
        start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, ALONG_X,
        (*remarks, *((remark,) if remark else ())),
    )  # fmt: skip


def _degrees(nxmx: Any, data: Any, axis: Any) -> np.ndarray:
    """Angles in degrees; without a unit they have that of the axis, or are degrees."""
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


def _width(nxmx: Any, path: object, axis: Any, number: int, groups: Sequence[Any]) -> float:
    """Width of an image (degrees).

    The data sets beside an axis tell it: increments, else ends. Without them images are taken to
    adjoin, but for those of another sweep. They may be beside a link to the axis.
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
    for group, label in beside:
        for suffix in ("_increment_set", "_increment", "_range_average"):
            stored = group.get(label + suffix)
            if stored is not None and stored.size > 0:
                return of_image(path, _degrees(nxmx, stored, axis), number, stored.name)
    for group, label in beside:
        ends = group.get(f"{label}_end")
        if ends is not None and ends.size > 0:
            end = of_image(path, _degrees(nxmx, ends, axis), number, ends.name)
            return _not_round(end - of_image(path, angles, number, axis.name))
    if len(angles) < 2:
        return 0.0
    return float(np.median([_not_round(step) for step in np.diff(angles)]))


def _not_round(width: float) -> float:
    """A width which goes on where angles begin again at zero: 359.9 to 0 is 0.1."""
    wrapped = (width + 180.0) % 360.0 - 180.0
    return wrapped if abs(width) > 180.0 and abs(wrapped) > STILL else width
