"""Modules of NXmx detectors as panels, and their axes as groups of panels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.frames import FLIP
from cupysim.formats.nxmx_axis import Axis, is_rotation
from cupysim.formats.nxmx_chain import cumulative, of_image, values_of
from cupysim.formats.nxmx_module_pixels import DetectorPixels
from cupysim.formats.nxmx_panel import (
    SAME_TURN,
    above_of,
    data_size,
    left_out,
    not_applied,
    pixel_edges,
)
from cupysim.formats.nxmx_tree import Component
from cupysim.formats.nxmx_units import attribute
from cupysim.formats.nxmx_unplaced import two_theta
from cupysim.formats.panel_names import NamedPanels, distinct, order_told, plain
from cupysim.maths.arrays import norm, unit
from cupysim.models.checks import vector_of
from cupysim.models.panel import Panel
from cupysim.models.panel_group import PanelGroup

COMPONENT = "equipment_component"
"""Attribute of an axis with the name of the part of a detector that it moves."""


@dataclass(eq=False)
class _Level:
    """Axes that move several modules together, or a single one from outside of its group.

    Parameters
    ----------
    axes : list of Axis
        Axes, the innermost first.
    children : list of _Level or int
        Further levels, and numbers of modules.
    """

    axes: list[Axis]
    children: list[_Level | int] = field(default_factory=list)

    @property
    def key(self) -> list[str]:
        """Paths of the axes."""
        return [axis.path for axis in self.axes]


@dataclass(frozen=True, eq=False)
class _Module:
    """A module of a detector, and the axes that move it."""

    detector: Component
    module: Component
    own: list[Axis]
    """Axes in the group of the module, the innermost first."""
    levels: list[list[Axis]]
    """Other axes, in levels from the outermost one."""
    begin: np.ndarray
    remarks: tuple[str, ...]


def panels_of(
    nxmx: Any,
    path: object,
    file: Any,
    detectors: Sequence[Component],
    number: int,
    at: int,
    n_images: int,
) -> NamedPanels:
    """Panels of detectors with modules.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file. Its images are those of the detector, if there is only one.
    detectors : sequence of Component
        Detectors.
    number : int
        Number of the image, counted from 0.
    at, n_images : int
        Number of the image among the values of axes, and the number of these values.

    Returns
    -------
    NamedPanels
        Panels and groups, in the frame of imgCIF.

    Raises
    ------
    FileFormatError
        If an axis or a module is impossible.

    Notes
    -----
    Each axis of the detector, or each run of axes with the same equipment_component, is a group, as
    in dxtbx. Axes in the group of a module move only its panel. An outermost axis that moves
    nothing is left out. Several detectors are groups that move nothing.
    """
    modules = [
        _module(path, detector, module) for detector in detectors for module in detector.modules
    ]
    roots = {id(each): _Level([]) for each in detectors}
    for place, module in enumerate(modules):
        _sort_in(roots[id(module.detector)], module.levels, place)
    levels = [level for root in roots.values() for level in _below(root)]
    counts = Counter(attribute(level.axes[-1].handle, COMPONENT) for level in levels if level.axes)
    told = [_panel_name(each) for each in modules]
    told += [_level_name(level, counts) for level in levels]
    if len(detectors) > 1:
        told += [plain(each.path.rsplit("/", 1)[-1], "detector") for each in detectors]
    names, of_names = distinct(told)
    of_levels = dict(zip(map(id, levels), names[len(modules) :], strict=False))
    count = len(detectors)
    pixels = {id(each): DetectorPixels.of(path, file, each, number, count) for each in detectors}
    panels = [
        _panel(path, module, name, at, pixels[id(module.detector)])
        for module, name in zip(modules, names[: len(modules)], strict=True)
    ]

    def members(level: _Level) -> list[Panel | PanelGroup]:
        return [
            panels[child] if isinstance(child, int) else group(child) for child in level.children
        ]

    def group(level: _Level) -> PanelGroup:
        matrix = cumulative(path, level.axes, at)
        return PanelGroup(
            of_levels[id(level)], members(level), vector_of(matrix[:3, 3]),
            vector_of(matrix[:3, 0]), vector_of(matrix[:3, 1]),
        )  # fmt: skip

    whole: list[Panel | PanelGroup] = []
    order: list[int] = []
    for place, detector in enumerate(detectors):
        root = _without_idle_axis(path, roots[id(detector)], at)
        order += _numbers(root)
        held = [each.moved(FLIP, np.zeros(3)) for each in members(root)]
        if len(detectors) > 1:
            held = [PanelGroup(names[len(modules) + len(levels) + place], held)]
        whole += held
    remarks = [remark for each in modules for remark in each.remarks]
    for each in modules:
        remarks += left_out(path, each.module, at, n_images)
    for detector in detectors:
        remarks += not_applied(path, detector, detector.modules, at)
        remarks += _arm_told(nxmx, path, detector, modules, at, n_images)
        remarks += _overlaps_told(
            [p for p, m in zip(panels, modules, strict=True) if m.detector is detector]
        )
    if len(detectors) > 1:
        remarks.append(f"{len(detectors)} detectors with modules; each is a group of panels")
    return NamedPanels(
        "detector", tuple(whole), (*of_names, *order_told(order), *dict.fromkeys(remarks))
    )


def _overlaps_told(panels: Sequence[Panel]) -> Iterator[str]:
    """A warning about the first panels of a detector that share pixels of its images."""
    placed = [(panel, panel.data_corner) for panel in panels if panel.data_corner is not None]
    for (one, (fast, slow)), (other, (second_fast, second_slow)) in combinations(placed, 2):
        if (
            fast < second_fast + other.n_fast
            and second_fast < fast + one.n_fast
            and slow < second_slow + other.n_slow
            and second_slow < slow + one.n_slow
        ):
            yield f"panels {one.name!r} and {other.name!r} share pixels of its images"
            return


def _module(path: object, detector: Component, module: Component) -> _Module:
    above, begin, remarks = above_of(path, module)
    inside = module.path.rstrip("/") + "/"
    count = next((n for n, axis in enumerate(above) if not axis.path.startswith(inside)), None)
    own, outer = (above, []) if count is None else (above[:count], above[count:])
    levels: list[list[Axis]] = []
    last = ""
    for axis in reversed(outer):
        component = attribute(axis.handle, COMPONENT)
        if component and component == last:
            # the innermost axis acts first
            levels[-1].insert(0, axis)
        else:
            levels.append([axis])
        last = component
    return _Module(detector, module, own, levels, begin, remarks)


def _sort_in(root: _Level, levels: Sequence[list[Axis]], place: int) -> None:
    """Add a module to the levels that move it."""
    for axes in levels:
        key = [axis.path for axis in axes]
        inner = [each for each in root.children if isinstance(each, _Level) and each.key == key]
        if not inner:
            inner = [_Level(axes)]
            root.children += inner
        root = inner[0]
    root.children.append(place)


def _below(level: _Level) -> Iterator[_Level]:
    for child in level.children:
        if isinstance(child, _Level):
            yield child
            yield from _below(child)


def _numbers(level: _Level) -> list[int]:
    """Numbers of the modules of a level, in the order of its groups."""
    found: list[int] = []
    for child in level.children:
        found += [child] if isinstance(child, int) else _numbers(child)
    return found


def _without_idle_axis(path: object, root: _Level, at: int) -> _Level:
    """The levels without an outermost one that moves nothing, as in files of cupysim."""
    only = root.children[0]
    if len(root.children) > 1 or isinstance(only, int):
        return root
    return only if (cumulative(path, only.axes, at) == np.eye(4)).all() else root


def _panel_name(module: _Module) -> str:
    told = [attribute(axis.handle, COMPONENT) for axis in module.own]
    last = module.module.path.rsplit("/", 1)[-1]
    return plain(next(filter(None, told), last), "panel")


def _level_name(level: _Level, counts: Counter[str]) -> str:
    """Name of the component that a level moves, if no other level has it; else that of an axis."""
    component = attribute(level.axes[-1].handle, COMPONENT)
    is_own = component and counts[component] == 1
    return plain(component if is_own else level.axes[0].name, "group")


def _panel(path: object, placed: _Module, name: str, at: int, mask: DetectorPixels) -> Panel:
    """A panel in the frame of its innermost level."""
    module = placed.module
    outer = [axis for level in reversed(placed.levels) for axis in level]
    turn = cumulative(path, outer, at)[:3, :3].T
    fast, slow = (turn @ edge for edge in pixel_edges(path, module, at))
    origin = cumulative(path, placed.own, at) @ [*placed.begin, 1.0]
    n_slow, n_fast = data_size(path, module)
    if min(n_slow, n_fast) < 1:
        raise FileFormatError(path, f"{module.path} has {n_fast} x {n_slow} pixels")
    corner, good = mask.of_module(path, module, n_slow, n_fast)
    return Panel(
        name=name,
        n_fast=n_fast,
        n_slow=n_slow,
        origin=vector_of(origin[:3]),
        fast=vector_of(unit(fast)),
        slow=vector_of(unit(slow)),
        pixel_size=(float(norm(fast)), float(norm(slow))),
        mask=good,
        saturation=mask.saturation,
        data_corner=corner,
    )


def _arm_told(
    nxmx: Any, path: object, detector: Component, modules: Sequence[_Module], at: int, n_images: int
) -> Iterator[str]:
    """Warning about an arm that the axes of a detector's modules do not turn."""
    arm = two_theta(nxmx, path, detector.handle, at, n_images)
    axes = {
        axis.path: axis
        for module in modules
        for level in module.levels
        for axis in level
        if module.detector is detector and is_rotation(path, axis)
    }
    turns = [
        abs(of_image(path, values_of(path, axis, turns=True), at, axis.path))
        for axis in axes.values()
    ]
    if arm and not any(abs(turn - abs(arm)) <= SAME_TURN for turn in turns):
        yield (
            f"its two_theta is {arm:g} degrees, but its transformations do not turn the detector "
            "by this angle and are used"
        )
