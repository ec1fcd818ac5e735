"""Spindle angles in NXmx files: which axis turns, from where, how far."""

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
"""The spindle where a file names none, in NeXus' frame: that of most beamlines."""

STILL = 1e-9
"""Width (degrees) below which an axis stands."""

AXES = ("omega", "phi", "chi", "kappa")
"""Axes of a goniometer which some files name without placing them."""

SHIFT = 1e-7
"""Metres by which a sample may be shifted without a word."""

LIKE = 0.1
"""Relative difference up to which two steps of a scan are those of one sweep."""

EVEN = 0.02
"""Relative difference of steps from which on a scan is uneven: encoders are read in the move."""

GONIOMETERS = ("goniometer", "transformations")
"""Groups of a sample or an instrument in which they are."""

SEVERAL = "several axes turn during an image; the one with the largest rotation is used"

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
    # the axis which turns; of a still the one which stands farthest from zero
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
    """What to say of angles without a unit."""
    name = angles.name.rsplit("/", 1)[-1]
    return "" if "units" in angles.attrs else f"its {name} has no unit; degrees are assumed"


def _shift_told(path: object, chain: list[Any], number: int) -> str:
    """What to say of translations of the sample."""
    shifts = {}
    for axis in chain:
        name = axis.path.rsplit("/", 1)[-1]
        if not is_rotation(path, axis):
            shifts[name] = of_image(path, values_of(path, axis, turns=False), number, axis.path)
        shifts[f"the offset of {name}"] = float(norm(offset_of(path, axis)))
    shown = [f"{name} {1e3 * shift:g}" for name, shift in shifts.items() if abs(shift) > SHIFT]
    if not shown:
        return ""
    return (
        f"its sample is shifted by {', '.join(shown)} mm, which is not taken: it is at the origin"
    )


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
    axes = [group[name] for group in _goniometers(entry) for name in AXES if name in group]
    return max((int(axis.size) for axis in axes if getattr(axis, "size", 0) > 0), default=1)


def _goniometers(entry: Any) -> list[Any]:
    """Groups of samples, then of instruments, in which axes are that a file does not place."""
    return [
        holder._handle[place]
        for holder in (*entry.samples, *entry.instruments)
        for place in GONIOMETERS
        if hasattr(holder._handle.get(place), "keys")
    ]


@dataclass(frozen=True)
class Stand:
    """Where an axis is when an image begins.

    Parameters
    ----------
    name : str
        The axis.
    start, width : float
        Where it is, and how far it turns (degrees).
    remark : str
        What the user must know.
    """

    name: str
    start: float
    width: float
    remark: str = ""


def stand_of(
    nxmx: Any, path: object, group: Any, name: str, number: int, n_images: int
) -> Stand | None:
    """An axis which a group names, by its angles, or by the first one and the increment.

    Parameters
    ----------
    nxmx : module
        The library.
    path : path_like
        The file, for messages.
    group : h5py.Group
        A goniometer.
    name : str
        The axis.
    number : int
        The image, from 0.
    n_images : int
        How many images the file has.

    Returns
    -------
    Stand or None
        None where the group tells nothing of it.

    Raises
    ------
    FileFormatError
        If an axis which turns has several angles, but none for this image.
    """
    axis, begin, step = (
        each if getattr(each, "size", 0) > 0 else None
        for each in (group.get(name + end) for end in ("", "_start", "_increment"))
    )
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
        remark = f"its {name}_increment is {width:g} degrees, but nothing tells where {name} begins"
        return Stand(name, 0.0, 0.0, remark if abs(width) > STILL else "")
    # of a start for each image, the number is in it
    start = first if begin.size > 1 else first + number * width
    return Stand(name, start, width, _unit_told(begin) if abs(start) > STILL else "")


def _without_chain(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> ScanAngles:
    """Angles of a file which names its axes, but does not place them, as some masters do."""
    groups = _goniometers(entry)
    found = []
    for name in AXES:
        told = [stand_of(nxmx, path, group, name, number, n_images) for group in groups]
        known = [each for each in told if each is not None]
        if known:
            # of links to an axis, the one beside which its increments are
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


def _width(
    nxmx: Any, path: object, axis: Any, number: int, groups: Sequence[Any]
) -> tuple[float, str]:
    """Width of an image (degrees), and what is to be said.

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
    end = None
    for group, label in beside:
        ends = group.get(f"{label}_end")
        # one end beside many angles is that of the scan
        if end is None and ends is not None and ends.size == len(angles):
            last = of_image(path, _degrees(nxmx, ends, axis), number, ends.name)
            end = _not_round(last - of_image(path, angles, number, axis.name))
    for group, label in beside:
        for suffix in ("_increment_set", "_increment", "_range_average"):
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
    """A width that the file tells, and what is to be said if ends or angles contradict it.

    The size of an increment counts, and the direction in which the angles go on.
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
            f"its {name} turns image {number} by {width:g} degrees, but its angles go on by "
            f"{step:g}: the direction of the angles counts"
        )
        return -width, remark
    if not last and STILL < abs(step) < (1.0 - LIKE) * abs(width):
        remark = f"its {name} turns image {number} by {width:g} degrees, but the next image begins"
        return width, f"{remark} after {step:g}"
    return width, ""


def _to_the_next(steps: np.ndarray, number: int, name: str) -> tuple[float, str]:
    """Width of an image by the steps between images, and what is to be said of uneven ones."""
    width = float(steps[min(number, len(steps) - 1)])
    if 0 < number < len(steps) - 1:
        before, after = steps[number - 1], steps[number + 1]
        if _are_like(before, after) and not _are_like(before, width):
            # the way to another sweep, which is not a part of the image
            width = float(before)
    if np.abs(steps - width).max() <= max(EVEN * abs(width), STILL):
        return width, ""
    return width, (
        f"its {name} goes on by {steps.min():g} to {steps.max():g} degrees from image to image, "
        f"and nothing else tells their widths: image {number} is taken for {width:g} degrees wide"
    )


def _are_like(first: float, second: float) -> bool:
    return abs(first - second) <= LIKE * max(abs(first), abs(second))


def _not_round(width: float) -> float:
    """A width which goes on where angles begin again at zero: 359.9 to 0 is 0.1."""
    wrapped = (width + 180.0) % 360.0 - 180.0
    return wrapped if abs(width) > 180.0 and abs(wrapped) > STILL else width
