"""Groups of panels, such as the quadrants of a detector. Each has a frame, and can be moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import cross, dot
from cupysim.models.checks import assign, direction, finite, frozen, three, vector_of
from cupysim.models.panel import Panel

LARGEST_SKEW = 1e-6
"""Largest cosine of the angle between the axes of a group that counts as a right angle."""


@dataclass(frozen=True, eq=False)
class PanelGroup:
    """A rigid group of panels or of other groups, with a frame of its own.

    Parameters
    ----------
    name : str
        Name of the group, unique in its detector.
    members : sequence of Panel or PanelGroup
        Members, with coordinates in the frame of this group.
    origin : sequence of 3 float, optional
        Origin of the frame (m), in the frame of the next larger group or in the laboratory.
    fast, slow : sequence of 3 float, optional
        Directions of the frame's first and second axis, perpendicular to each other.

    Raises
    ------
    ModelError
        If the group has no members, or its axes are not perpendicular.

    Examples
    --------
    >>> panel = Panel("p0", 512, 256, (0.0, 0.0, 0.0), (1, 0, 0), (0, 1, 0), 75e-6)
    >>> quadrant = PanelGroup("q0", [panel], origin=(0.01, 0.0, 0.1))
    >>> [placed.origin for placed in quadrant.placed()]
    [(0.01, 0.0, 0.1)]
    """

    name: str
    members: Sequence[Panel | PanelGroup]
    origin: Sequence[float] = (0.0, 0.0, 0.0)
    fast: Sequence[float] = (1.0, 0.0, 0.0)
    slow: Sequence[float] = (0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        what = f"group {self.name!r}"
        members = tuple(self.members)
        name = str(self.name)
        if not name or name != name.strip() or "/" in name:
            raise ModelError(
                f"{what}: the name must not be empty, contain / or have blanks at its ends"
            )
        if not members:
            raise ModelError(f"{what}: it has no members; give at least one panel or group")
        if not all(isinstance(member, Panel | PanelGroup) for member in members):
            raise ModelError(f"{what}: its members must be panels or groups")
        fast, slow = direction(self.fast, f"{what}: fast"), direction(self.slow, f"{what}: slow")
        if abs(float(dot(fast, slow))) > LARGEST_SKEW:
            raise ModelError(f"{what}: the axes of its frame are not perpendicular")
        origin = tuple(
            finite(value, f"{what}: origin") for value in three(self.origin, f"{what}: origin")
        )
        assign(self, members=members, origin=origin, fast=vector_of(fast), slow=vector_of(slow))

    @cached_property
    def axes(self) -> np.ndarray:
        """Rows: the axes of the frame, unit vectors, shape (3, 3)."""
        fast, slow = np.array(self.fast), np.array(self.slow)
        return frozen(np.stack([fast, slow, cross(fast, slow)]))

    def placed(self) -> list[Panel]:
        """All panels, with coordinates in the frame that contains this group."""
        return [panel for panel, _ in self.placed_with_paths()]

    def placed_with_paths(self) -> Iterator[tuple[Panel, tuple[str, ...]]]:
        """Each panel in the frame that contains this group, and the names of its groups.

        The largest group is first.
        """
        for member in self.members:
            inner = (
                [(member, ())] if isinstance(member, Panel) else list(member.placed_with_paths())
            )
            for panel, path in inner:
                placed = panel.moved(self.axes.T, np.array(self.origin))
                yield placed, (self.name, *path)

    def moved(self, rotation: np.ndarray, shift: np.ndarray) -> PanelGroup:
        """Return the group after a rotation about the origin of the outer frame, and a shift.

        Parameters
        ----------
        rotation : ndarray, shape (3, 3)
            Rotation matrix.
        shift : ndarray, shape (3,)
            Shift after the rotation (m).
        """
        return replace(
            self,
            origin=vector_of(rotation @ np.array(self.origin) + shift),
            fast=vector_of(rotation @ self.axes[0]),
            slow=vector_of(rotation @ self.axes[1]),
        )
