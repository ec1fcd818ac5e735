"""The panels of a real detector, in its own plane.

The frame is that of CrystFEL: the beam along z, y upwards, and x = y cross z, which is to the left
if one looks along the beam. The direct beam passes through the origin.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from cupysim.detectors.catalogue import Entry
from cupysim.models.panel import Panel, Vector
from cupysim.models.panel_group import PanelGroup
from cupysim.models.sensor import Sensor


class _Module(NamedTuple):
    """Place of a module in the frame of its group: its middle (m), and its turn (rad)."""

    number: int
    x: float
    y: float
    turn: float


def members_of(entry: Entry, sensor: Sensor) -> list[Panel | PanelGroup]:
    """The panels and groups of a detector, in its plane.

    Parameters
    ----------
    entry : Entry
        The detector.
    sensor : Sensor
        Sensor of all panels.

    Returns
    -------
    list of Panel or PanelGroup
        A panel with its middle at the origin, or the groups of the layout.
    """
    if entry.layout is None:
        return [_whole_image(entry, sensor)]
    return [
        _group(entry, entry.layout, number, name, place, sensor)
        for number, (name, place) in enumerate(entry.layout["groups"].items())
    ]


def existing_pixels(entry: Entry) -> np.ndarray | None:
    """Pixels of a panel that exist.

    Parameters
    ----------
    entry : Entry
        The detector.

    Returns
    -------
    ndarray of bool, shape (n_slow, n_fast), or None
        False in gaps and outside a round active area; None if all pixels exist.
    """
    n_fast, n_slow = entry.pixels
    figures = entry.figures
    if "diameter" in figures:
        radius = 0.5 * figures["diameter"] / entry.pixel
        down = np.arange(n_slow)[:, None] + 0.5 - 0.5 * n_slow
        along = np.arange(n_fast) + 0.5 - 0.5 * n_fast
        return np.asarray(along**2 + down**2 <= radius**2)
    for size, gap in (("module_pixels", "gap"), ("chip_pixels", "chip_gap")):
        if size in figures:
            along, down = (
                np.arange(count) % (part + space) < part
                for count, part, space in zip(
                    entry.pixels, figures[size], figures[gap], strict=True
                )
            )
            return np.asarray(down[:, None] & along)
    return None


def _whole_image(entry: Entry, sensor: Sensor) -> Panel:
    """The panel of a detector whose image is one array, as seen from the crystal."""
    n_fast, n_slow = entry.pixels
    return Panel(
        entry.name, n_fast, n_slow,
        (0.5 * n_fast * entry.pixel, 0.5 * n_slow * entry.pixel, 0.0), (-1, 0, 0), (0, -1, 0),
        entry.pixel, sensor=sensor, mask=existing_pixels(entry), gain=entry.gain,
        saturation=entry.saturation,
    )  # fmt: skip


def _group(
    entry: Entry,
    layout: Mapping[str, Any],
    number: int,
    name: str,
    place: tuple[float, float, float],
    sensor: Sensor,
) -> PanelGroup:
    x, y, degrees = place
    fast, slow = _axes(math.radians(degrees))
    members: list[Panel | PanelGroup] = []
    for at, module in enumerate(_modules(layout, number, name)):
        members.extend(_panels(entry, layout, number, at, module, sensor))
    unit = layout["unit"]
    return PanelGroup(name, members, (unit * x, unit * y, 0.0), fast, slow)


def _modules(layout: Mapping[str, Any], group: int, name: str) -> Iterator[_Module]:
    """Places of the modules of a group."""
    listed = layout["members"]
    shared = isinstance(listed, list)
    for at, row in enumerate(listed if shared else listed[name]):
        number, x, y, degrees = (group * len(listed) + at, *row) if shared else row
        unit = layout["unit"]
        yield _Module(int(number), unit * x, unit * y, math.radians(degrees))


def _panels(
    entry: Entry,
    layout: Mapping[str, Any],
    group: int,
    at: int,
    module: _Module,
    sensor: Sensor,
) -> list[Panel | PanelGroup]:
    """A module: one panel, or a group of chips."""
    across, down = layout.get("chips", (1, 1))
    gaps = layout.get("chip_gap", (0.0, 0.0))
    mask = existing_pixels(entry)
    fast, slow = _axes(module.turn, bool(layout.get("mirrored")))
    steps = [entry.pixel * (n + gap) for n, gap in zip(entry.pixels, gaps, strict=True)]
    sizes = [
        count * step - entry.pixel * gap
        for count, step, gap in zip((across, down), steps, gaps, strict=True)
    ]
    panels: list[Panel | PanelGroup] = []
    for chip in range(across * down):
        corner = (
            steps[0] * (chip % across) - 0.5 * sizes[0],
            steps[1] * (chip // across) - 0.5 * sizes[1],
        )
        name = layout["panel"].format(
            group=group, module=module.number, member=at, chip=chip, tile=at * across * down + chip
        )
        first = (0, module.number * entry.pixels[1]) if layout.get("stacked") else None
        panels.append(
            Panel(
                name, *entry.pixels, _place(module, corner, fast, slow), fast, slow, entry.pixel,
                sensor=sensor, mask=mask, gain=entry.gain, saturation=entry.saturation,
                data_corner=first,
            )
        )  # fmt: skip
    if "module" not in layout:
        return panels
    # chips have coordinates in the frame of the quadrant; the group makes them one rigid body
    name = layout["module"].format(group=group, module=module.number, member=at)
    return [PanelGroup(name, panels)]


def _axes(turn: float, mirrored: bool = False) -> tuple[Vector, Vector]:
    """Fast and slow axes: x and y, turned about z. If mirrored, the slow axis is reversed."""
    # exact for multiples of 90 degrees
    cosine, sine = (round(value, 15) + 0.0 for value in (math.cos(turn), math.sin(turn)))
    sign = -1.0 if mirrored else 1.0
    return (cosine, sine, 0.0), (-sign * sine + 0.0, sign * cosine + 0.0, 0.0)


def _place(module: _Module, corner: tuple[float, float], fast: Vector, slow: Vector) -> Vector:
    """Position of a point. Its coordinates along fast and slow start at the module's middle."""
    along, down = corner
    return (
        module.x + along * fast[0] + down * slow[0],
        module.y + along * fast[1] + down * slow[1],
        0.0,
    )
