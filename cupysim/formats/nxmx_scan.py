"""Spindle angles in NXmx files: rotation axis, first angle and width of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.formats.nxmx_angles import STILL, degrees_of, start_of, unit_told, width_of
from cupysim.formats.nxmx_axis import Axis, chain_of, depends_on, is_rotation, kinds_told
from cupysim.formats.nxmx_chain import (
    counts_told,
    cumulative,
    direction,
    of_image,
    offset_of,
    values_of,
)
from cupysim.formats.nxmx_elsewhere import unread_told
from cupysim.formats.nxmx_master import (
    AXES,
    SEVERAL,
    ScanAngles,
    Stand,
    goniometers,
    other_angles_told,
    stands_of,
    without_chain,
)
from cupysim.formats.nxmx_tree import Component, groups_of, is_group, members
from cupysim.formats.rotation import settings_remark
from cupysim.maths.arrays import norm

SHIFT = 1e-7
"""Largest shift (m) of a sample that is ignored without a warning."""


def read_scan(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> ScanAngles:
    """Read the first angle and the width of an image, and the spindle.

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

    Raises
    ------
    FileFormatError
        If there are angles, but none for this image.
    """
    all_placed = [each for each in entry.samples if depends_on(path, each) is not None]
    if not all_placed:
        return without_chain(nxmx, path, entry, number, n_images)
    placed = all_placed[0]
    chain = chain_of(path, depends_on(path, placed))
    rotations = [axis for axis in chain if is_rotation(path, axis)]
    of_kinds = tuple(kinds_told(path, depends_on(path, placed)))
    if not rotations:
        begin, turn, along_x, more = without_chain(nxmx, path, entry, number, n_images)
        return begin, turn, along_x, (*of_kinds, *more)
    groups = _groups(placed)
    values = {axis: _of_images(entry, axis, n_images) for axis in rotations}
    told = [width_of(nxmx, path, values[axis], number, groups, n_images) for axis in rotations]
    widths = [width for width, _ in told]
    stands = [
        of_image(path, degrees_of(nxmx, values[axis], axis.handle), number, axis.path)
        for axis in rotations
    ]
    # the axis that turns; in a still, the axis farthest from zero
    turns = np.abs(widths).max() > STILL
    turning = rotations[int(np.argmax(np.abs(widths if turns else stands)))]
    width = widths[rotations.index(turning)]
    several = sum(abs(each) > STILL for each in widths) > 1
    remarks = (*of_kinds, *((SEVERAL,) if several else ()))
    remark = settings_remark(
        {
            axis.path.rsplit("/", 1)[-1]: angle
            for axis, angle in zip(rotations, stands, strict=True)
            if axis is not turning
        }
    )
    of_count = list(counts_told([turning], n_images))
    if values[turning] is not turning.handle:
        of_count.append(
            f"its {turning.name} has one value for {n_images} images; their angles are those of "
            f"{values[turning].name}"
        )
    of_unit = unit_told(turning.handle) if max(map(abs, (width, *stands))) > STILL else ""
    shift = _shift_told(path, chain, number)
    start = start_of(nxmx, path, values[turning], width, number, n_images)
    if turns:
        used_stand = Stand(turning.name, start, width)
        of_master = other_angles_told(nxmx, path, entry, used_stand, number, n_images)
    else:
        of_master = _master_told(nxmx, path, entry, number, n_images)
    of_unread = ""
    if not turns and not of_master:
        used = [(axis.handle.parent, axis.name) for axis in chain]
        of_unread = unread_told(nxmx, path, entry, used, n_images)
    of_samples = ""
    if len(all_placed) > 1:
        of_samples = f"{len(all_placed)} samples; the axes are those of {placed.path}"
    of_others = counts_told([each for each in chain if each is not turning], n_images)
    of_width = told[rotations.index(turning)][1]
    remarks += tuple(
        each
        for each in (
            remark,
            of_width,
            of_unit,
            *of_count,
            shift,
            of_master,
            of_unread,
            of_samples,
            *of_others,
        )
        if each
    )  # fmt: skip
    turned = cumulative(path, chain[chain.index(turning) + 1 :], number)
    spindle = turned[:3, :3] @ direction(path, turning)
    return start / DEGREES_PER_RADIAN, width / DEGREES_PER_RADIAN, spindle, remarks


def _of_images(entry: Component, axis: Axis, n_images: int) -> Any:
    """Angles of the images: those of an axis, or of its namesake beside the images.

    An axis with a single value can be the start of a scan, with the angles only in NXdata.
    """
    beside = [group[axis.name] for group in groups_of(entry.handle, "NXdata") if axis.name in group]
    if axis.handle.size != 1 or n_images < 2:
        return axis.handle
    return next((each for each in beside if getattr(each, "size", 0) == n_images), axis.handle)


def _master_told(nxmx: Any, path: object, entry: Any, number: int, n_images: int) -> str:
    """Warning about axes without directions that turn, in addition to a chain that does not."""
    turning = [
        f"{each.name} by {each.width:g}"
        for each in stands_of(nxmx, path, entry, number, n_images)
        if abs(each.width) > STILL
    ]
    if not turning:
        return ""
    return (
        f"its goniometer turns {', '.join(turning)} degrees, but the axes that its sample depends "
        "on do not turn, and are used"
    )


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
    return (
        f"its sample is shifted by {', '.join(shown)} mm; this is not used: it stays at the origin"
    )


def _groups(sample: Any) -> list[Any]:
    """Groups that hold the axes of a sample, also as links."""
    return [sample.handle, *(each for _, each in members(sample.handle) if is_group(each))]


def count_angles(path: object, entry: Any) -> int:
    """Number of images from the angles of the goniometer, for a file without images.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    entry : Component
        Entry with the goniometer.
    """
    for sample in entry.samples:
        first = depends_on(path, sample)
        if first is not None:
            return max(int(axis.handle.size) for axis in chain_of(path, first))
    axes = [group[name] for group in goniometers(entry) for name in AXES if name in group]
    return max((int(axis.size) for axis in axes if getattr(axis, "size", 0) > 0), default=1)
