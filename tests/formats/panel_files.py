"""A detector of four panels in nested groups, for files of several formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.models.beam import Beam
from cupysim.models.crystal import Crystal
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup
from cupysim.models.rendering import Rendering
from cupysim.models.sampling import Sweep
from cupysim.models.scan import Scan
from cupysim.models.sensor import Sensor
from cupysim.models.structure_factors import StructureFactors
from cupysim.models.unit_cell import UnitCell

PIXELS = np.array([(0.0, 0.0), (24.0, 0.0), (0.0, 18.0), (24.0, 18.0), (7.5, 3.25)])
"""Points of a panel: fast and slow in pixels."""


def turn(axis: int, degrees: float) -> np.ndarray:
    """Right-handed rotation about an axis of the frame, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


GROUPS: dict[str, tuple[str, np.ndarray, np.ndarray]] = {
    "arm": ("", turn(0, 4.0), np.array([0.001, -0.002, 0.0])),
    "left": ("arm", turn(1, -7.0) @ turn(2, 3.0), np.array([-0.004, 0.0, -0.1])),
    "right": ("arm", turn(2, 90.0), np.array([0.0035, -0.0001, -0.101])),
    "tilted": ("right", turn(1, 25.0), np.array([0.0005, 0.0002, 0.003])),
}
"""Groups: the outer group, the rotation, and the origin (m) in it. Frame of imgCIF."""

PANELS: dict[str, tuple[str, np.ndarray, np.ndarray, tuple[float, float]]] = {
    "a": ("left", np.eye(3), np.array([-0.0012, -0.002, 0.0]), (1e-4, 1e-4)),
    "b": ("left", turn(2, 180.0), np.array([0.0014, 0.0021, 1e-4]), (1e-4, 1e-4)),
    "c": ("right", turn(2, -90.0), np.array([-0.001, -0.0009, 0.0]), (1e-4, 1.5e-4)),
    "d": ("tilted", turn(0, 180.0), np.array([-0.0007, 0.0008, 0.0]), (1e-4, 1e-4)),
}
"""Panels: the group, the rotation, and the origin (m) in it; edges of the pixels (m)."""


def expected(name: str, points: np.ndarray = PIXELS) -> np.ndarray:
    """Points of a panel in the laboratory (m): frames applied from the inside outwards."""
    outer, matrix, origin, edges = PANELS[name]
    local = np.column_stack([points * edges, np.zeros(len(points))])
    found = local @ matrix.T + origin
    while outer:
        outer, matrix, origin = GROUPS[outer]
        found = found @ matrix.T + origin
    return found


def detector(**more: Any) -> PanelDetector:
    """The detector as cupysim's models."""

    def members(of: str) -> list[Panel | PanelGroup]:
        inside: list[Panel | PanelGroup] = [
            Panel(name, 24, 18, origin, matrix[:, 0], matrix[:, 1], edges, **more)
            for name, (group, matrix, origin, edges) in PANELS.items()
            if group == of
        ]
        inside += [
            PanelGroup(name, members(name), origin, matrix[:, 0], matrix[:, 1])
            for name, (group, matrix, origin) in GROUPS.items()
            if group == of
        ]
        return inside

    return PanelDetector(members(""), beam=(0, 0, -1), spindle=(1, 0, 0), name="four")


def experiment(width: float = 0.0, start: float = 0.0, **more: Any) -> Experiment:
    """An experiment with this detector."""
    crystal = Crystal(UnitCell.from_degrees(30, 40, 50, 80, 95, 100), n_cells=(5, 5, 5))
    return Experiment(
        Beam(1.1e-10, 1e24, polarization=0.9),
        crystal.with_misset(10, 20, 30),
        detector(**more),
        StructureFactors(default=100.0),
        Scan.from_degrees(start, width, 3 if width else 1),
        rendering=Rendering(oversample=1),
    )


THICK = Sensor(Sweep(320e-6, 160e-6, 2), 4000.0)
"""A sensor of two layers."""


def listed() -> dict[str, Any]:
    """The detector as dxtbx stores it, with lengths in mm."""

    def frame(matrix: np.ndarray, origin: np.ndarray) -> dict[str, Any]:
        return {
            "fast_axis": matrix[:, 0].tolist(),
            "slow_axis": matrix[:, 1].tolist(),
            "origin": (1e3 * origin).tolist(),
        }

    def children(of: str) -> list[dict[str, Any]]:
        panels = [{"panel": n} for n, name in enumerate(PANELS) if PANELS[name][0] == of]
        return panels + [
            {"name": name, **frame(matrix, origin), "children": children(name)}
            for name, (group, matrix, origin) in GROUPS.items()
            if group == of
        ]

    return {
        "panels": [
            {
                "name": name,
                **frame(matrix, origin),
                "pixel_size": [1e3 * edge for edge in edges],
                "image_size": [24, 18],
                "trusted_range": [-1.0, 65535.0],
                "raw_image_offset": [0, 18 * n],
            }
            for n, (name, (_, matrix, origin, edges)) in enumerate(PANELS.items())
        ],
        "hierarchy": {
            "name": "four",
            **frame(np.eye(3), np.zeros(3)),
            "children": children(""),
        },
    }
