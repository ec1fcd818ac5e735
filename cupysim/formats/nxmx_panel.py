"""Position of the panel in an NXmx file, from transformations or from beam centre and distance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.image_stacks import count_images, image_shape
from cupysim.formats.nxmx_axis import (
    Axis,
    axes_below,
    chain_of,
    depends_on,
    is_rotation,
    kinds_told,
    part_axis,
)
from cupysim.formats.nxmx_chain import (
    counts_told,
    cumulative,
    direction,
    lengths_told,
    of_image,
    offset_of,
    offsets_told,
    stands_elsewhere,
    values_of,
)
from cupysim.formats.nxmx_compared import EDGE_ON, other_distance, other_sizes, told_centre
from cupysim.formats.nxmx_unplaced import (
    SAME_FRAME,
    Panel,
    swung,
    two_theta,
    unplaced_panel,
)
from cupysim.maths.arrays import cross, dot, unit

NOTICEABLE_PIXELS = 1.0
"""Difference of beam centres (pixels) that is worth a warning."""

SAME_TURN = 0.1
"""Difference of angles (degrees) up to which an arm agrees with the transformations."""


def panel_of(
    nxmx: Any, path: object, file: Any, detector: Any, number: int, n_images: int
) -> Panel:
    """Find the panel of a detector, for an image.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file. Its images give the number of pixels.
    detector : Component
        Detector with one module, or with none.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.

    Raises
    ------
    FileFormatError
        If the file does not place the detector, or the module is only a part of the image.
    """
    handle = detector.handle
    arm = two_theta(nxmx, path, handle, number, n_images)
    if len(detector.modules) == 0:
        panel = unplaced_panel(nxmx, path, file, handle, number)
        panel = swung(panel, arm) if arm else panel
        if depends_on(path, detector) is None:
            return panel
        remark = "it has no module, and the transformations of its detector are not applied"
        return replace(panel, remarks=(*panel.remarks, remark))
    module = detector.modules[0]
    panel = _placed_panel(path, file, module, number)
    panel = _with_beam_centre(nxmx, path, panel, handle, number)
    panel = replace(
        panel,
        remarks=(
            *panel.remarks,
            *other_distance(nxmx, path, panel, handle, number),
            *other_sizes(nxmx, panel, handle),
            *left_out(path, module, number, n_images),
            *not_applied(path, detector, [module], number),
        ),
    )
    if not arm or _is_swung(path, module, panel, arm, number):
        return panel
    remark = (
        f"its two_theta is {arm:g} degrees, but its transformations do not turn the detector by "
        "this angle and are used"
    )
    return replace(panel, remarks=(*panel.remarks, remark))


def _placed_panel(path: object, file: Any, module: Any, number: int) -> Panel:
    """Panel of a detector that a chain of transformations places."""
    for name, expected in (("data_origin", 0), ("data_stride", 1)):
        stored = module.handle.get(name)
        if stored is not None and np.any(np.ravel(stored[()])[-2:] != expected):
            raise FileFormatError(
                path, f"its one module is a part of the image ({name}); not supported so far"
            )
    n_slow, n_fast = data_size(path, module)
    remarks: tuple[str, ...] = ()
    shape = image_shape(path, file) if count_images(file) else (n_slow, n_fast)
    if shape == (n_fast, n_slow) and n_fast != n_slow:
        remarks = ("data_size has fast before slow, unlike the images; their order is used",)
        n_slow, n_fast = shape
    if shape != (n_slow, n_fast):
        raise FileFormatError(
            path, f"a module of {n_fast} x {n_slow} pixels in images of {shape[1]} x {shape[0]}"
        )
    above, begin, of_slow = above_of(path, module)
    fast, slow = pixel_edges(path, module, number)
    corner = np.asarray(cumulative(path, above, number) @ [*begin, 1.0])[:3]
    return Panel(corner, fast, slow, n_fast, n_slow, (*remarks, *of_slow))


def above_of(path: object, module: Any) -> tuple[list[Axis], np.ndarray, tuple[str, ...]]:
    """Axes that move a module's first pixel, the nearest first.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    module : Component
        Module of a detector.

    Returns
    -------
    axes : list of Axis
        Axes on which the fast pixel direction depends.
    begin : ndarray, shape (3,)
        Corner of the first pixel (m) before these axes act.
    remarks : tuple of str
        Warning about a slow pixel direction among the axes.

    Raises
    ------
    FileFormatError
        If the axes do not place the module.
    """
    chain = chain_of(path, part_axis(path, module, "fast_pixel_direction"))
    slow_name = part_axis(path, module, "slow_pixel_direction").path
    remarks: tuple[str, ...] = ()
    if any(axis.path == slow_name for axis in chain[1:]):
        remarks = ("fast_pixel_direction depends on slow_pixel_direction, and is shifted by the "
                   "edge of a pixel",)  # fmt: skip
    above = chain[1:] or _of_early_firmware(path, module)
    begin = offset_of(path, chain[0])
    if not any(not is_rotation(path, axis) for axis in above) and not begin.any():
        raise FileFormatError(
            path, f"the transformations of {chain[0].path} do not place it: there is no distance"
        )
    return above, begin, remarks


def _of_early_firmware(path: object, module: Any) -> list[Axis]:
    """Axes of a module's offset. In early files, the chains of the pixel directions end at once."""
    if "module_offset" not in module.handle:
        return []
    return chain_of(path, part_axis(path, module, "module_offset"))


def pixel_edges(path: object, module: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors from a pixel's corner to the next corners (m), along fast and slow, in NeXus' frame.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    module : Component
        Module of a detector.
    number : int
        Number of the image, counted from 0.
    """
    axes = [part_axis(path, module, f"{name}_pixel_direction") for name in ("fast", "slow")]
    chains = [chain_of(path, axis)[1:] for axis in axes]
    alike = [axis.path for axis in chains[0]] == [axis.path for axis in chains[1]]
    turns = [cumulative(path, chain, number)[:3, :3] for chain in chains[: 1 if alike else 2]]
    fast, slow = (
        turn @ direction(path, axis) * float(np.ravel(values_of(path, axis, turns=False))[0])
        for axis, turn in zip(axes, turns * (2 if alike else 1), strict=True)
    )
    if not chains[0]:
        turn = cumulative(path, _of_early_firmware(path, module), number)[:3, :3]
        fast, slow = turn @ fast, turn @ slow
    return fast, slow


def data_size(path: object, module: Any) -> tuple[int, int]:
    """Number of slow and fast pixels of a module.

    Raises
    ------
    FileFormatError
        If it is missing.
    """
    stored = module.handle.get("data_size")
    if not hasattr(stored, "shape") or stored.size < 2:
        raise FileFormatError(path, f"{module.path} has no data_size")
    n_slow, n_fast = np.ravel(stored[()])[-2:]
    return int(n_slow), int(n_fast)


def left_out(path: object, module: Any, number: int, n_images: int) -> Iterator[str]:
    """Warnings about the axes of a module: their number of values, and what is not applied.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    module : Component
        Module of a detector.
    number : int
        Number of the image, counted from 0.
    n_images : int
        Number of images in the file.
    """
    fast, slow = (part_axis(path, module, f"{name}_pixel_direction") for name in ("fast", "slow"))
    chain = chain_of(path, fast)
    yield from counts_told(chain, n_images)
    yield from lengths_told(path, chain[1:])
    yield from kinds_told(path, fast)
    yield from offsets_told(chain)
    of_slow = chain_of(path, slow)[1:]
    turns = [cumulative(path, each, number)[:3, :3] for each in (chain[1:], of_slow)]
    if [axis.path for axis in of_slow] != [axis.path for axis in chain[1:]] and (
        np.abs(turns[0] - turns[1]).max() > SAME_FRAME and chain[1:]
    ):
        yield (
            "its fast_pixel_direction and slow_pixel_direction depend on axes that turn them "
            "differently"
        )
    differs = np.abs(offset_of(path, slow) - offset_of(path, chain[0])).max() > 0.0
    if differs and offset_of(path, slow).any() and all(axis.path != slow.path for axis in chain):
        yield "the offset of its slow_pixel_direction is not applied: that of the fast one is used"


def not_applied(path: object, detector: Any, modules: Sequence[Any], number: int) -> Iterator[str]:
    """Warning about axes of a detector that are not at zero, but move none of its modules.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    detector : Component
        Detector.
    modules : sequence of Component
        Modules of the detector.
    number : int
        Number of the image, counted from 0.
    """
    first = depends_on(path, detector)
    others = [] if first is None else chain_of(path, first)
    used: set[str] = set()
    for module in modules:
        fast, slow = (
            part_axis(path, module, f"{name}_pixel_direction") for name in ("fast", "slow")
        )
        chain = chain_of(path, fast)
        of_offset = _of_early_firmware(path, module)
        used |= {axis.path for axis in (*chain, slow, *(of_offset if len(chain) == 1 else ()))}
        others += of_offset
    others += axes_below(detector.handle)
    moved = [
        axis.name
        for axis in {axis.path: axis for axis in others if axis.path not in used}.values()
        if stands_elsewhere(path, axis, number)
    ]
    if moved:
        yield (
            f"{', '.join(dict.fromkeys(moved))} of its detector is not at zero, but the "
            "pixel directions do not depend on it: it is not applied"
        )


def _with_beam_centre(nxmx: Any, path: object, panel: Panel, detector: Any, number: int) -> Panel:
    """The panel, with a warning if the file's beam centre differs.

    Files of early firmware put the first pixel on the beam, and give the beam centre in addition to
    the transformations.
    """
    told, doubts = told_centre(nxmx, path, panel, detector, number)
    panel = replace(panel, remarks=(*panel.remarks, *doubts))
    normal = unit(cross(panel.fast, panel.slow))
    along = float(normal[2])
    if told is None or abs(along) < EDGE_ON:
        return panel
    distance = float(dot(panel.origin, normal)) / along
    spot = np.array([0.0, 0.0, distance]) - panel.origin
    at = [float(dot(spot, edge) / dot(edge, edge)) for edge in (panel.fast, panel.slow)]
    off = float(np.hypot(at[0] - told[0], at[1] - told[1]))
    if not panel.origin[:2].any() and off > NOTICEABLE_PIXELS:
        origin = panel.origin - told[0] * panel.fast - told[1] * panel.slow
        remark = (
            "its transformations put the first pixel on the beam: beam_center_x and _y are used"
        )
        return replace(panel, origin=origin, remarks=(*panel.remarks, remark))
    if off > NOTICEABLE_PIXELS:
        remark = (
            f"its beam_center_x and _y are {told[0]:.2f} {told[1]:.2f} pixels, but its "
            f"transformations have {at[0]:.2f} {at[1]:.2f} and are used"
        )
        panel = replace(panel, remarks=(*panel.remarks, remark))
    return panel


def _is_swung(path: object, module: Any, panel: Panel, degrees: float, number: int) -> bool:
    """Whether one axis of a panel, or all together, turn it by an angle (degrees)."""
    chain = chain_of(path, part_axis(path, module, "fast_pixel_direction"))
    turns = [
        abs(of_image(path, values_of(path, axis, turns=True), number, axis.path))
        for axis in chain
        if is_rotation(path, axis)
    ]
    normal = unit(cross(panel.fast, panel.slow))
    tilt = DEGREES_PER_RADIAN * float(np.arccos(min(abs(normal[2]), 1.0)))
    return any(abs(turn - abs(degrees)) <= SAME_TURN for turn in (*turns, tilt))
