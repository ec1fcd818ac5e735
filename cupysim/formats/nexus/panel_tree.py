"""Detectors of panels in cupysim's NXmx files: a module for each panel, an axis for each group."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import CupysimWarning
from cupysim.formats.lab_panels import is_too_skew
from cupysim.formats.panel_names import distinct
from cupysim.maths.arrays import cross, dot, unit
from cupysim.maths.rotations import axis_and_angle
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup

if TYPE_CHECKING:
    from cupysim.formats.nexus.tree import Tree

TRANSFORMATIONS = "/entry/instrument/detector/transformations"
DET_Z = f"{TRANSFORMATIONS}/det_z"
MODULE = "/entry/instrument/detector/module"


@dataclass(frozen=True, eq=False)
class ModulePlace:
    """Place of a module in the frame of an axis.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        Outer corner of the first pixel (m).
    fast, slow : ndarray, shape (3,)
        Unit vectors.
    edges : tuple of 2 float
        Edges of a pixel along fast and slow (m).
    depends_on : str
        Path of the axis.
    name : str
        Name of the panel; empty if it is the only one.
    """

    origin: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    edges: tuple[float, float]
    depends_on: str
    name: str = ""


def shared_numbers(detector: PanelDetector) -> tuple[float, float]:
    """Thickness of the sensor (m) and saturation (photons), which NXmx has once for all panels.

    They are the largest thickness and the smallest saturation. A warning says if they differ.

    Parameters
    ----------
    detector : PanelDetector
        Detector of panels.
    """
    thicknesses = {panel.sensor.layers.range for panel in detector}
    saturations = {panel.counting_photons().saturation for panel in detector}
    if len(thicknesses) > 1 or len(saturations) > 1:
        warnings.warn(
            CupysimWarning(
                "the sensors or saturations of the panels differ; NXmx files have the largest "
                "thickness and the smallest saturation for all of them"
            ),
            stacklevel=2,
        )
    return max(thicknesses), min(saturations)


def write_panels(tree: Tree, detector: PanelDetector) -> None:
    """Write the modules of a detector, and the axes of its groups.

    Parameters
    ----------
    tree : Tree
        Writer of the file.
    detector : PanelDetector
        Detector in the frame of NeXus.

    Notes
    -----
    Images have the panels below each other, each in a block as large as the largest panel. dxtbx
    numbers modules in the order of their names, and makes a level of its hierarchy from each axis.
    Each group is therefore one axis: a rotation, whose offset is the origin of the group. The
    attribute equipment_component has the name of the group or panel.
    """
    tree.transformation(DET_Z, [0.0], "m", "translation", np.array([0.0, 0.0, 1.0]), ".")
    groups = [name for path in detector.paths for name in path]
    made, _ = distinct([_identifier(name) for name in dict.fromkeys(groups)])
    axes = {
        name: f"{TRANSFORMATIONS}/group_{identifier}"
        for name, identifier in zip(dict.fromkeys(groups), made, strict=True)
    }
    digits = len(str(len(detector)))
    number, skew = 0, list[str]()

    def write(members: Sequence[Panel | PanelGroup], above: str, rest: np.ndarray) -> None:
        """Write members. `rest` is unity, unless the axes of a group are skew by rounding."""
        nonlocal number
        for member in members:
            origin = rest @ np.array(member.origin)
            if isinstance(member, PanelGroup):
                whole = rest @ member.axes.T
                matrix = _rotation(whole)
                axis, angle = axis_and_angle(matrix)
                tree.transformation(
                    axes[member.name], [angle * DEGREES_PER_RADIAN], "deg", "rotation", axis, above,
                    offset=origin, component=member.name,
                )  # fmt: skip
                write(member.members, axes[member.name], matrix.T @ whole)
                continue
            place = ModulePlace(
                origin, unit(rest @ member.axes[0]), unit(rest @ member.axes[1]), member.edges,
                above, member.name,
            )  # fmt: skip
            if is_too_skew(place.fast, place.slow):
                skew.append(member.name)
            tree.module(
                f"{MODULE}_{number:0{digits}}", place, (number * detector.n_slow, 0),
                (member.n_slow, member.n_fast),
            )  # fmt: skip
            number += 1

    write(detector.members, DET_Z, np.eye(3))
    if skew:
        warnings.warn(
            CupysimWarning(
                f"DIALS will refuse the file: fast and slow axes of {', '.join(skew[:3])} are not "
                "perpendicular"
            ),
            stacklevel=2,
        )


def _identifier(name: str) -> str:
    """A name with the letters that NeXus allows."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _rotation(frame: np.ndarray) -> np.ndarray:
    """The rotation closest to a frame, whose columns are nearly perpendicular."""
    fast = unit(frame[:, 0])
    slow = unit(frame[:, 1] - dot(frame[:, 1], fast) * fast)
    return np.stack([fast, slow, cross(fast, slow)], axis=1)
