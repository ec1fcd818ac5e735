"""Axes of NXmx files, and the chains in which they depend on each other."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_tree import class_of, is_group, link_target, member, members
from cupysim.formats.nxmx_units import attribute, converted, text_of, unit_of
from cupysim.optional_libraries import require

LONGEST_CHAIN = 100
"""Largest number of transformations in a chain."""

KINDS = {"rotation": "degree", "translation": "meter"}
"""Types of transformations, and the units of their values."""


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of a chain of transformations.

    Parameters
    ----------
    handle : h5py.Dataset
        Values of the axis. Its attributes describe it.
    """

    handle: Any

    @property
    def path(self) -> str:
        """Path of the axis in the file."""
        return str(self.handle.name)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @cached_property
    def told_kind(self) -> str:
        """Type that the file gives, in lower case; empty if it gives none."""
        return attribute(self.handle, "transformation_type").strip("b'\"").lower()

    @cached_property
    def kind(self) -> str:
        """Type of the axis: that of its unit, if the file gives none.

        It is empty for an axis without motion, such as the direction of gravity.
        """
        if self.told_kind or "vector" not in self.handle.attrs:
            return self.told_kind
        units = library()
        return next(
            (
                kind
                for kind, unit_name in KINDS.items()
                if converted(units, 1.0, unit_of(self.handle), unit_name) is not None
            ),
            "",
        )


def library() -> Any:
    """The nxmx module, which knows units."""
    return require("nxmx", "reading the geometry of HDF5 images")


def chain_of(path: object, axis: Any) -> list[Axis]:
    """An axis and those that it depends on, the nearest first.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    axis : Axis or None
        Axis at the beginning of the chain.

    Raises
    ------
    FileFormatError
        If an axis depends on one that is missing, or on itself in a circle.
    """
    found: list[Axis] = []
    seen: set[str] = set()
    while axis is not None:
        if axis.path in seen or len(found) >= LONGEST_CHAIN:
            raise FileFormatError(path, f"axes depend on each other in a circle: {axis.path}")
        seen.add(axis.path)
        if not _is_reference(axis):
            found.append(axis)
        axis = _next(path, axis)
    return found


def _is_reference(axis: Axis) -> bool:
    """Whether an axis has neither a motion nor an offset: it only names the end of a chain."""
    return axis.kind == "" and not np.any(axis.handle.attrs.get("offset", 0))


def kinds_told(path: object, axis: Any) -> Iterator[str]:
    """Warnings about axes of a chain without a type, if they move something.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    axis : Axis or None
        Axis at the beginning of a chain that `chain_of` accepts.
    """
    while axis is not None:
        if not axis.told_kind and np.any(np.asarray(axis.handle[()]) != 0):
            yield (
                f"its {axis.name} has no transformation_type; its unit is that of a {axis.kind}"
                if axis.kind
                else f"its {axis.name} has no transformation_type and no unit of a length or an "
                "angle; it is not applied"
            )
        axis = _next(path, axis)


def _next(path: object, axis: Axis) -> Axis | None:
    """The axis that an axis depends on; None if it is the last."""
    handle = axis.handle
    return _named(path, handle, handle.parent, attribute(handle, "depends_on"))


def depends_on(path: object, component: Any) -> Axis | None:
    """Find the axis that a component depends on.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    component : Component
        Component with a field ``depends_on``.

    Returns
    -------
    Axis or None
        The axis; None if it depends on nothing.

    Raises
    ------
    FileFormatError
        If the axis is missing.
    """
    handle = component.handle
    stored = member(handle, "depends_on")
    if not hasattr(stored, "shape"):
        return None
    return _named(path, handle, handle, text_of(np.asarray(stored[()], dtype=object)))


def axes_below(group: Any) -> list[Axis]:
    """Axes with a type and a vector in a group, and in the groups of it.

    Parameters
    ----------
    group : h5py.Group
        Group of a detector.
    """
    found: list[Axis] = []
    for _, item in members(group):
        if is_group(item):
            found += axes_below(item) if class_of(item) != "NXdetector_module" else []
        elif {"vector", "transformation_type"} <= set(item.attrs):
            found.append(Axis(item))
    return [axis for axis in found if axis.kind in KINDS]


def part_axis(path: object, component: Any, name: str) -> Axis:
    """An axis of a module, such as its fast pixel direction.

    Raises
    ------
    FileFormatError
        If it is missing.
    """
    found = member(component.handle, name)
    if not hasattr(found, "shape"):
        raise FileFormatError(path, f"{component.path} has no {name}")
    return Axis(found)


def _named(path: object, holder: Any, group: Any, name: str) -> Axis | None:
    """The axis that a holder names, absolute or relative to a group; None for "."."""
    if name in (".", ""):
        return None
    # HDF5 does not know ".."
    place = posixpath.normpath(posixpath.join(group.name, name))
    found = member(group.file, place)
    if not hasattr(found, "shape"):
        target = "" if place not in group.file else f", but in {link_target(group.file, place)}"
        raise FileFormatError(
            path, f"{holder.name} depends on {name!a:.80}, which is not in the file{target}"
        )
    return Axis(found)


def is_rotation(path: object, axis: Any) -> bool:
    """Whether an axis is a rotation (true) or a translation (false).

    Raises
    ------
    FileFormatError
        If the file does not give the type.
    """
    if axis.kind not in KINDS:
        told = (
            f"the transformation_type {axis.kind!a:.40}" if axis.kind else "no transformation_type"
        )
        raise FileFormatError(path, f"{axis.path} has {told}: neither rotation nor translation")
    return bool(axis.kind == "rotation")
