"""Panels of DIALS experiment lists: pixels, sensors, masks and hierarchies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.dials import DEEPEST, MILLIMETRE
from cupysim.formats.dials_json import edges_of, has_frame, image_size, pair
from cupysim.formats.dials_remarks import offsets_left_out, pixels_left_out
from cupysim.formats.panel_names import NamedPanels, distinct, order_told, plain
from cupysim.models.panel import Panel
from cupysim.models.panel_group import PanelGroup
from cupysim.models.sampling import Sweep
from cupysim.models.sensor import Sensor

UNLIMITED = 2**31 - 1
"""Largest trusted value that dxtbx stores for a panel without a limit."""

LARGEST_TOTAL = 2**33
"""Largest number of pixels of a panel. A larger number is damaged."""


@dataclass(frozen=True, eq=False)
class _Node:
    """A group of the hierarchy; its children are numbers of panels and other groups."""

    told: Any
    children: tuple[int | _Node, ...]

    @property
    def panels(self) -> list[int]:
        """Numbers of the panels, in order."""
        found: list[int] = []
        for child in self.children:
            found += [child] if isinstance(child, int) else child.panels
        return found


def panels_of(path: object, detector: Any) -> NamedPanels:
    """Panels of a detector in a list.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    detector : dict
        Detector of the list.

    Returns
    -------
    NamedPanels
        Panels and groups with their names and frames.

    Raises
    ------
    FileFormatError
        If the hierarchy does not hold each panel once, or a panel is impossible.
    """
    told = detector["panels"]
    if not told:
        raise FileFormatError(path, "its detector has no panels")
    hierarchy = detector.get("hierarchy")
    root = _root(path, hierarchy, len(told))
    groups = list(_groups_below(root))
    names, of_names = distinct(
        [plain(panel.get("name"), f"p{number}") for number, panel in enumerate(told)]
        + [plain(group.told.get("name"), f"g{n}") for n, group in enumerate(groups)]
    )
    names_of_groups = dict(zip(map(id, groups), names[len(told) :], strict=True))
    sensors, of_sensors = _sensors(told)
    has_corners = any(any(panel.get("raw_image_offset") or ()) for panel in told)
    panels = [
        _panel(path, panel, name, sensor, has_corners)
        for panel, name, sensor in zip(told, names[: len(told)], sensors, strict=True)
    ]

    def made(node: _Node, name: str) -> PanelGroup:
        members = [
            panels[child] if isinstance(child, int) else made(child, names_of_groups[id(child)])
            for child in node.children
        ]
        if not has_frame(path, node.told):
            return PanelGroup(name, members)
        return PanelGroup(
            name, members, [MILLIMETRE * float(x) for x in node.told["origin"]],
            node.told["fast_axis"], node.told["slow_axis"],
        )  # fmt: skip

    whole = made(root, plain(root.told.get("name"), "detector"))
    members, name = tuple(whole.members), whole.name
    if (whole.axes != np.eye(3)).any() or any(whole.origin):
        members, name = (whole,), "detector"
    remarks = (*of_names, *of_sensors, *order_told(root.panels), *_left_out(told))
    return NamedPanels(name, members, remarks)


def _root(path: object, hierarchy: Any, count: int) -> _Node:
    """The hierarchy, in which children are sorted by their first panel."""
    if not isinstance(hierarchy, dict) or hierarchy.get("children") is None:
        return _Node(hierarchy or {}, tuple(range(count)))
    used: list[int] = []

    def node(told: Any, depth: int) -> _Node:
        if depth > DEEPEST:
            raise FileFormatError(path, "its detector's hierarchy contains itself")
        children: list[int | _Node] = []
        for child in told["children"]:
            if "panel" not in child:
                inner = node(child, depth + 1)
                children += [inner] if inner.panels else []
                continue
            number = int(child["panel"])
            if not 0 <= number < count:
                raise FileFormatError(
                    path, f"its hierarchy has a panel {number}; there are {count}"
                )
            used.append(number)
            children.append(number)
        children.sort(key=lambda each: each if isinstance(each, int) else min(each.panels))
        return _Node(told, tuple(children))

    found = node(hierarchy, 0)
    if len(set(used)) < len(used):
        raise FileFormatError(path, "its detector's hierarchy holds a panel more than once")
    if len(used) < count:
        lacking = sorted(set(range(count)) - set(used))[0]
        raise FileFormatError(path, f"its detector's hierarchy does not hold panel {lacking}")
    return found


def _groups_below(node: _Node) -> Iterator[_Node]:
    for child in node.children:
        if isinstance(child, _Node):
            yield child
            yield from _groups_below(child)


def _panel(path: object, told: Any, name: str, sensor: Sensor, has_corner: bool) -> Panel:
    """A panel, in the frame of its group."""
    n_fast, n_slow = image_size(path, told)
    if not (min(n_fast, n_slow) > 0 and n_fast * n_slow <= LARGEST_TOTAL):
        raise FileFormatError(
            path, f"panel {name!r}: image_size is {n_fast} x {n_slow}; at least 1 x 1 is expected"
        )
    edges = edges_of(path, told)
    corner = None
    if has_corner:
        fast, slow = pair(path, told, "raw_image_offset")
        if int(fast) != fast or int(slow) != slow:
            problem = f"panel {name!r}: raw_image_offset {fast:g} {slow:g}: integers are expected"
            raise FileFormatError(path, problem)
        corner = int(fast), int(slow)
    return Panel(
        name=name,
        n_fast=n_fast,
        n_slow=n_slow,
        origin=[MILLIMETRE * float(x) for x in told["origin"]],
        fast=told["fast_axis"],
        slow=told["slow_axis"],
        pixel_size=[MILLIMETRE * edge for edge in edges],
        sensor=sensor,
        mask=_mask(path, told.get("mask") or (), n_fast, n_slow),
        gain=float(told.get("gain") or 1.0),
        saturation=_saturation(path, told),
        data_corner=corner,
    )


def _saturation(path: object, told: Any) -> float:
    """Largest trusted count of a panel. dxtbx stores 0 and 0 if there is no trusted range."""
    if "trusted_range" not in told:
        return math.inf
    least, most = map(float, pair(path, told, "trusted_range"))
    if least == most == 0.0 or most >= UNLIMITED:
        return math.inf
    if not most > max(least, 0.0):
        raise FileFormatError(path, f"a trusted_range from {least:g} to {most:g} is impossible")
    return most


def _mask(path: object, rectangles: Any, n_fast: int, n_slow: int) -> np.ndarray | None:
    """Pixels outside of rectangles (first fast and slow pixel, fast and slow end)."""
    if not rectangles:
        return None
    found = np.ones((n_slow, n_fast), dtype=bool)
    for rectangle in rectangles:
        first_fast, first_slow, end_fast, end_slow = (int(number) for number in rectangle)
        rows = slice(max(first_slow, 0), min(end_slow, n_slow))
        columns = slice(max(first_fast, 0), min(end_fast, n_fast))
        if not (rows.start < rows.stop and columns.start < columns.stop):
            raise FileFormatError(path, f"a masked rectangle has no pixels: {list(rectangle)}")
        found[rows, columns] = False
    return found


def _sensors(told: Sequence[Any]) -> tuple[list[Sensor], tuple[str, ...]]:
    """Sensors of the panels, and a warning about what is not simulated.

    mu is stored in 1/mm, and the thickness in mm.
    """
    numbers = [
        (float(panel.get("thickness") or 0.0), float(panel.get("mu") or 0.0)) for panel in told
    ]
    thick = [thickness for thickness, _ in numbers if thickness > 0.0]
    if not thick:
        return [Sensor()] * len(told), ()
    widest = f"its sensor of {1e3 * max(thick):g} um"
    if not all(thickness > 0.0 and mu > 0.0 for thickness, mu in numbers):
        materials = sorted({str(panel.get("material") or "") for panel in told} - {""})
        of = f" of {', '.join(materials)}" if materials else ""
        lacking = f"a panel has no thickness or no attenuation coefficient (mu){of}"
        return [Sensor()] * len(told), (f"{widest} is not simulated: {lacking}",)
    remark = f"{widest} is one layer: it absorbs, but without parallax; more layers give parallax"
    return [Sensor(Sweep(MILLIMETRE * thickness), mu / MILLIMETRE) for thickness, mu in numbers], (
        remark,
    )


def _left_out(told: Sequence[Any]) -> Iterator[str]:
    """Warnings about parts of the panels that the simulation does not use, once for all panels."""
    found = [
        remark
        for panel in told
        for remark in (*offsets_left_out(panel), *pixels_left_out(panel, "pedestal", 0.0))
    ]
    yield from dict.fromkeys(found)
    least = max((float((panel.get("trusted_range") or (0.0,))[0]) for panel in told), default=0.0)
    if least > 0.0:
        yield f"its smallest trusted value of {least:g} is not used"
