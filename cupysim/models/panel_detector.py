"""A detector of panels, each with its own place, pixels and sensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import index

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import cross, norm, unit
from cupysim.maths.rotations import rotation_of_vector
from cupysim.models.checks import assign, direction, finite, frozen, three, vector_of
from cupysim.models.conventions import UnitFrame
from cupysim.models.panel import Panel
from cupysim.models.panel_group import PanelGroup
from cupysim.quirks import CORRECTED, Quirks

LARGEST_STACK = 2**33
"""Largest number of pixels of all panels together."""

MOST_PIXELS = 2**31 - 1
"""Largest number of pixels of a panel, because kernels count them with 32 bits."""

PARALLEL_TO_BEAM = 1e-6
"""Sine of the angle between electric field and beam below which the field has no direction."""


@dataclass(frozen=True, eq=False)
class PanelDetector:
    """A detector of panels. It is a sequence of its panels.

    All vectors are in one laboratory frame, and so are the vectors of the crystal. Images have the
    shape (n_panels, n_slow, n_fast).

    Parameters
    ----------
    members : sequence of Panel or PanelGroup
        Panels, and groups of panels.
    beam : sequence of 3 float
        Direction of flight of the photons.
    spindle : sequence of 3 float
        Rotation axis of the crystal.
    polarization : sequence of 3 float, optional
        Direction of the electric field. By default the spindle, or a vector perpendicular to the
        beam if the spindle is along the beam.
    point_pixel : bool, optional
        Give a pixel the solid angle area/R^2, without the obliquity of the panel.
    name : str, optional
        Name of the detector.

    Raises
    ------
    ModelError
        If two panels or groups have the same name, the plane of a panel goes through the crystal,
        or the panels' sensors have different numbers of layers.

    Examples
    --------
    >>> panels = [
    ...     Panel(f"p{n}", 64, 64, (-0.01, 0.007 * n, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
    ...     for n in range(2)
    ... ]
    >>> detector = PanelDetector(panels, beam=(0, 0, 1), spindle=(1, 0, 0))
    >>> len(detector), detector["p1"].origin
    (2, (-0.01, 0.007, 0.1))
    """

    members: Sequence[Panel | PanelGroup]
    beam: Sequence[float]
    spindle: Sequence[float]
    polarization: Sequence[float] | None = None
    point_pixel: bool = False
    name: str = "detector"
    panels: tuple[Panel, ...] = field(init=False, repr=False)
    paths: tuple[tuple[str, ...], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        whole = PanelGroup(self.name, self.members)
        found = list(whole.placed_with_paths())
        panels = tuple(panel for panel, _ in found)
        beam, spindle = direction(self.beam, "beam"), direction(self.spindle, "spindle")
        electric = (
            spindle if self.polarization is None else direction(self.polarization, "polarization")
        )
        if not float(norm(cross(beam, electric))) > PARALLEL_TO_BEAM:
            if self.polarization is not None:
                raise ModelError("detector: the polarization vector is along the beam")
            electric = unit(cross(beam, np.eye(3)[int(np.argmin(np.abs(beam)))]))
        assign(
            self, members=whole.members, beam=vector_of(beam), spindle=vector_of(spindle),
            polarization=vector_of(electric), panels=panels,
            paths=tuple(path[1:] for _, path in found),
        )  # fmt: skip
        names = [panel.name for panel in panels]
        names += sorted({name for path in self.paths for name in path})
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ModelError(f"detector: several panels or groups have the name {twice[0]!r}")
        for panel in panels:
            panel.check_faces_crystal()
        self._check_sensors()
        if len(panels) * self.n_slow * self.n_fast > LARGEST_STACK:
            raise ModelError(
                f"detector: {len(panels)} panels of up to {self.n_fast} x {self.n_slow} pixels; at "
                f"most {LARGEST_STACK:.0e} pixels altogether"
            )
        if self.n_slow * self.n_fast > MOST_PIXELS:
            raise ModelError(
                f"detector: {self.n_fast} x {self.n_slow} pixels; at most {MOST_PIXELS} in a panel"
            )

    def _check_sensors(self) -> None:
        first = self.panels[0]
        for panel in self.panels:
            layers, others = panel.sensor.layers, first.sensor.layers
            if layers.count != others.count:
                raise ModelError(
                    f"detector: panel {panel.name!r} has {layers.count} sensor layers, but panel "
                    f"{first.name!r} has {others.count}; the numbers must be equal"
                )
            if (layers.range == 0.0) != (others.range == 0.0):
                thick, thin = sorted((panel, first), key=lambda each: -each.sensor.layers.range)
                raise ModelError(
                    f"detector: panel {thick.name!r} has a sensor with a thickness, but panel "
                    f"{thin.name!r} has one without"
                )

    def __len__(self) -> int:
        return len(self.panels)

    def __iter__(self) -> Iterator[Panel]:
        return iter(self.panels)

    def __getitem__(self, which: int | str) -> Panel:
        """The panel with this number or name."""
        return self.panels[self.number_of(which)]

    def number_of(self, which: int | str) -> int:
        """Number of a panel.

        Parameters
        ----------
        which : int or str
            Name of the panel, or its number.

        Raises
        ------
        ModelError
            If there is no such panel.
        """
        names = [panel.name for panel in self.panels]
        if isinstance(which, str) and which in names:
            return names.index(which)
        try:
            number = index(which) if not isinstance(which, str) else int(which)
        except (TypeError, ValueError):
            import difflib

            close = difflib.get_close_matches(str(which), names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"they are {', '.join(names[:8])}"
            hint += ", ..." if not close and len(names) > 8 else ""
            raise ModelError(f"there is no panel {which!r}; {hint}") from None
        if not -len(names) <= number < len(names):
            raise ModelError(f"there is no panel {number}; they are numbered 0 to {len(names) - 1}")
        return number % len(names)

    @property
    def n_fast(self) -> int:
        """Number of fast pixels of the widest panel: the width of the image's array."""
        return max(panel.n_fast for panel in self.panels)

    @property
    def n_slow(self) -> int:
        """Number of slow pixels of the highest panel: the height of the image's array."""
        return max(panel.n_slow for panel in self.panels)

    @property
    def curved(self) -> bool:
        """Whether the panels are curved. They never are."""
        return False

    @cached_property
    def existing(self) -> np.ndarray | None:
        """Pixels that exist, shape (n_panels, n_slow, n_fast); None if all do.

        Pixels of a panel's mask do not exist, and neither do pixels of the array beyond a panel.
        """
        shape = (self.n_slow, self.n_fast)
        alike = all((panel.n_slow, panel.n_fast) == shape for panel in self.panels)
        if alike and all(panel.mask is None for panel in self.panels):
            return None
        found = np.zeros((len(self.panels), *shape), dtype=bool)
        for place, panel in zip(found, self.panels, strict=True):
            place[: panel.n_slow, : panel.n_fast] = True if panel.mask is None else panel.mask
        return frozen(found)

    def group_panels(self, name: str) -> tuple[int, ...]:
        """Numbers of the panels of a group, or of a single panel.

        Parameters
        ----------
        name : str
            Name of a group or of a panel. The detector's own name stands for all panels, unless
            a group or panel has the same name.

        Raises
        ------
        ModelError
            If there is no such group or panel.
        """
        found = self._part(name)
        if not found and name == self.name:
            return tuple(range(len(self.panels)))
        if not found:
            groups = sorted({each for path in self.paths for each in path})
            known = f"groups {', '.join(groups)}" if groups else "no groups, only panels"
            raise ModelError(
                f"detector: there is no group or panel {name!r}; there are {known}; "
                f"{self.name!r} is the whole detector"
            )
        return found

    def _part(self, name: str) -> tuple[int, ...]:
        """Numbers of the panels of a group, or of a single panel; empty if there is neither."""
        return tuple(
            number
            for number, (panel, path) in enumerate(zip(self.panels, self.paths, strict=True))
            if name == panel.name or name in path
        )

    def moved(
        self,
        name: str,
        shift: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
        rotation: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
        about: Sequence[float] | None = None,
    ) -> PanelDetector:
        """Return the detector with a group, or one panel, moved as a rigid body.

        Parameters
        ----------
        name : str
            Name of the group or panel. The detector's own name moves all panels, see
            `group_panels`.
        shift : sequence of 3 float, optional
            Shift after the rotation, in the laboratory (m).
        rotation : sequence of 3 float, optional
            Rotation vector in the laboratory: the axis times the angle (rad).
        about : sequence of 3 float, optional
            Point that the rotation does not move (m). By default the centre of the group, see
            `centre`.

        Raises
        ------
        ModelError
            If there is no such group or panel, or a moved panel is edge-on.
        """
        self.group_panels(name)
        turn, way = rotation_of_vector(_vector(rotation, "rotation")), _vector(shift, "shift")
        point = self.centre(name) if about is None else _vector(about, "about")
        step = point - turn @ point + way
        if not self._part(name):
            return replace(self, members=tuple(each.moved(turn, step) for each in self.members))
        moved = _moved_within(self.members, name, turn, step, np.eye(3), np.zeros(3))
        return replace(self, members=moved)

    def with_panels(self, change: Callable[[Panel], Panel]) -> PanelDetector:
        """Return the detector with each panel changed, in the frame of its group.

        Parameters
        ----------
        change : callable
            Function that returns the changed panel.
        """
        return replace(self, members=_changed(self.members, change))

    def in_frame(self, turn: np.ndarray) -> PanelDetector:
        """Return the same detector and beam in another laboratory frame.

        Parameters
        ----------
        turn : ndarray, shape (3, 3)
            Rotation: rows are the axes of the new frame in the present one.
        """
        assert self.polarization is not None
        return replace(
            self,
            members=tuple(member.moved(turn, np.zeros(3)) for member in self.members),
            beam=vector_of(turn @ np.array(self.beam)),
            spindle=vector_of(turn @ np.array(self.spindle)),
            polarization=vector_of(turn @ np.array(self.polarization)),
        )

    def centre(self, name: str) -> np.ndarray:
        """Mean of the corners of the panels of a group (m), shape (3,)."""
        corners = [self.panels[number].corners for number in self.group_panels(name)]
        return np.asarray(np.concatenate(corners).mean(axis=0))

    def placed(self, _: Quirks = CORRECTED) -> PlacedPanels:
        """The detector in the laboratory; quirks of nanoBragg do not act on panels."""
        return PlacedPanels(self)


def _changed(
    members: Sequence[Panel | PanelGroup], change: Callable[[Panel], Panel]
) -> tuple[Panel | PanelGroup, ...]:
    return tuple(
        change(member)
        if isinstance(member, Panel)
        else replace(member, members=_changed(member.members, change))
        for member in members
    )


def _vector(values: Sequence[float] | np.ndarray, name: str) -> np.ndarray:
    return np.array([finite(value, name) for value in three(values, name)])


def _moved_within(
    members: Sequence[Panel | PanelGroup],
    name: str,
    turn: np.ndarray,
    step: np.ndarray,
    axes: np.ndarray,
    origin: np.ndarray,
) -> tuple[Panel | PanelGroup, ...]:
    """Return the members after one of them is moved. `axes` (rows) and `origin` are their frame.

    A motion x -> turn x + step of the laboratory becomes, for the members' coordinates u with
    x = axes^T u + origin, u -> axes turn axes^T u + axes (turn origin + step - origin).
    """
    inner_turn, inner_step = axes @ turn @ axes.T, axes @ (turn @ origin + step - origin)
    found: list[Panel | PanelGroup] = []
    for member in members:
        if member.name == name:
            found.append(member.moved(inner_turn, inner_step))
        elif isinstance(member, PanelGroup):
            of_member = member.axes @ axes
            at = axes.T @ np.array(member.origin) + origin
            within = _moved_within(member.members, name, turn, step, of_member, at)
            found.append(replace(member, members=within))
        else:
            found.append(member)
    return tuple(found)


class PlacedPanels:
    """A detector of panels in the laboratory: what plans and reports need.

    Parameters
    ----------
    detector : PanelDetector
        The detector.
    """

    bend = None
    """Panels are flat."""

    def __init__(self, detector: PanelDetector) -> None:
        self.detector = detector

    @cached_property
    def frame(self) -> UnitFrame:
        """Unit vectors of the laboratory frame. Detector axes are those of the first panel."""
        detector = self.detector
        fast, slow, normal = detector.panels[0].axes
        assert detector.polarization is not None
        beam, electric = np.array(detector.beam), np.array(detector.polarization)
        spindle = np.array(detector.spindle)
        return UnitFrame(
            beam=beam, fast=fast, slow=slow, normal=normal, twotheta_axis=spindle,
            polarization=electric, spindle=spindle, vertical=unit(cross(beam, electric)),
            made_normal=False,
        )  # fmt: skip
