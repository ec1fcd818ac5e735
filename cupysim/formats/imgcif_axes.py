"""Axes of detectors and goniometers in imgCIF files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.imgcif_tables import ImgcifTables, Row
from cupysim.maths.arrays import norm, unit
from cupysim.maths.rotations import rotate_axis


@dataclass(frozen=True)
class Axis:
    """An axis of a detector or goniometer.

    Parameters
    ----------
    kind : str
        ``rotation``, ``translation`` or ``general``.
    equipment : str
        Equipment that the axis belongs to, such as ``detector`` or ``goniometer``.
    parent : str
        Name of the axis that carries it; empty for none.
    vector : ndarray, shape (3,)
        Direction if all axes are at zero, unit vector.
    offset : ndarray, shape (3,)
        Position in the frame of the parent (mm).
    """

    kind: str
    equipment: str
    parent: str
    vector: np.ndarray
    offset: np.ndarray


class ImgcifAxes:
    """All axes of a file, with their settings.

    Parameters
    ----------
    tables : ImgcifTables
        Tables of the file.
    frame : str or None
        Identifier of the image, if the file has one.

    Raises
    ------
    FileFormatError
        If an axis has no direction, or an unknown type.

    Notes
    -----
    The imgCIF dictionary, AXIS, defines: a point p in the frame of an axis is offset + R p in the
    frame of its parent (rotation), or offset + setting vector + p (translation). Settings are those
    of DIFFRN_SCAN_FRAME_AXIS. Otherwise they follow from the start of the scan and the number of
    the image.
    """

    def __init__(self, tables: ImgcifTables, frame: str | None) -> None:
        self.path = tables.path
        listed_axes = [_axis(tables, row) for row in tables.rows("axis")]
        self.axes = dict(listed_axes)
        if len(self.axes) < len(listed_axes):
            names = [name for name, _ in listed_axes]
            twice = next(name for name in names if names.count(name) > 1)
            raise FileFormatError(tables.path, f"its tables define axis {twice[:40]!a} twice")
        self.settings: dict[str, float] = {}
        self.widths: dict[str, float] = {}
        scans = tables.rows("diffrn_scan_frame")
        scan = next(
            (row["scan_id"] for row in scans if row.get("frame_id") == frame and "scan_id" in row),
            None,
        )
        all_scans = tables.rows("diffrn_scan")
        own = [row for row in all_scans if scan is not None and row.get("id") == scan]
        counts = [tables.number(row, "frames", 0.0) for row in own or all_scans]
        listed = {row["scan_id"] for row in tables.rows("diffrn_scan_axis") if "scan_id" in row}
        if scan is None and len(listed) > 1:
            raise FileFormatError(
                tables.path,
                f"its tables have {len(listed)} scans, and do not say which one has the image",
            )
        # an angle range is that of all images of a scan
        n_images = counts[0] if len(counts) == 1 else float(not counts and len(scans) == 1)
        framed: set[str] = set()
        advances: dict[str, float] = {}
        self.remarks: list[str] = []
        unknown: dict[str, float] = {}
        for category, suffix in (("diffrn_scan_axis", "_start"), ("diffrn_scan_frame_axis", "")):
            for row in tables.rows(category):
                if frame is not None and row.get("frame_id", frame) != frame:
                    continue
                if scan is not None and row.get("scan_id", scan) != scan:
                    continue
                name = self._known(row.get("axis_id", ""))
                if name not in self.axes:
                    items = (f"angle{suffix}", f"displacement{suffix}", "angle_increment")
                    numbers = [tables.number(row, item, 0.0) for item in items]
                    unknown[name] = max([unknown.get(name, 0.0), *numbers], key=abs)
                    continue
                is_shift = self.axes[name].kind == "translation"
                quantity = "displacement" if is_shift else "angle"
                if not suffix and f"{quantity}{suffix}" not in row and name in self.settings:
                    # the row has no value: the value of the scan is used
                    self._tell_of_scan(name)
                    continue
                self.settings[name] = tables.number(row, f"{quantity}{suffix}", 0.0)
                width = self.widths.get(name, 0.0)
                self.widths[name] = tables.number(row, "angle_increment", width)
                if n_images >= 1.0 and self.widths[name] == 0.0:
                    self.widths[name] = tables.number(row, "angle_range", 0.0) / n_images
                advances[name] = (
                    self.widths[name]
                    + tables.number(row, "angle_rstrt_incr", 0.0)
                    + tables.number(row, "displacement_increment", 0.0)
                    + tables.number(row, "displacement_rstrt_incr", 0.0)
                )
                if not suffix:
                    framed.add(name)
        told = [f"{name} {value:g}" for name, value in unknown.items() if value]
        if told:
            self.remarks.append(
                f"the settings {', '.join(told)[:120]} are not used: its tables have no such axis"
            )
        number = _frame_number(tables, scans, frame)
        for name, advance in advances.items():
            if name not in framed:
                self.settings[name] += (number - 1.0) * advance

    def _known(self, name: str) -> str:
        """The axis that a row means. The names may differ in upper and lower case."""
        if name in self.axes:
            return name
        alike = [each for each in self.axes if each.lower() == name.lower()]
        if len(alike) != 1:
            return name
        remark = f"the settings of {name[:40]} are taken for those of its axis {alike[0][:40]}"
        if remark not in self.remarks:
            self.remarks.append(remark)
        return alike[0]

    def _tell_of_scan(self, name: str) -> None:
        if self.settings[name]:
            self.remarks.append(
                f"its frame has no setting of {name[:40]}; the start of the scan, "
                f"{self.settings[name]:g}, is used"
            )

    def not_set(self, names: Iterable[str]) -> Iterator[str]:
        """Warning about axes without a setting.

        Parameters
        ----------
        names : iterable of str
            Axes that are used.
        """
        found = [
            name for name in dict.fromkeys(names)
            if self[name].kind in ("rotation", "translation") and name not in self.settings
        ]  # fmt: skip
        if found:
            yield f"its tables have no setting of {', '.join(found)[:80]}; zero is assumed"

    def not_used(self, names: Collection[str]) -> Iterator[str]:
        """Warning about axes that turn or are not at zero, but belong to nothing.

        Parameters
        ----------
        names : collection of str
            Axes that are used.
        """
        found = [
            f"{name} ({axis.equipment})"
            for name, axis in self.axes.items()
            if name not in names
            and (self.settings.get(name, 0.0) or self.widths.get(name, 0.0))
        ]  # fmt: skip
        if found:
            yield (
                f"its axes {', '.join(found)[:80]} are not at zero, but belong neither to the "
                "detector nor to the goniometer: they are not used"
            )

    def __getitem__(self, name: str) -> Axis:
        try:
            return self.axes[name]
        except KeyError:
            raise FileFormatError(self.path, f"there is no axis {name[:40]!a}") from None

    def chain(self, name: str) -> list[str]:
        """Names of an axis, the axis that carries it, and so on.

        Raises
        ------
        FileFormatError
            If an axis is missing, or axes carry each other in a circle.
        """
        found: list[str] = []
        while name:
            if name in found:
                raise FileFormatError(self.path, f"axis {name[:40]!a} depends on itself")
            found.append(name)
            name = self[name].parent
        return found

    def place(
        self, chain: Sequence[str], point: np.ndarray, direction: np.ndarray,
        settings: Mapping[str, float] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Transform a point (mm) and a direction to the laboratory, by a chain of axes.

        Parameters
        ----------
        chain : sequence of str
            Names of the axes, from `chain`.
        point, direction : ndarray, shape (3,)
            Point (mm) and direction in the frame of the first axis.
        settings : mapping of str to float, optional
            Settings (degrees or mm) that replace those of the tables.

        Returns
        -------
        point, direction : ndarray, shape (3,)
            Point (mm) and direction in the laboratory frame.
        """
        stands = {**self.settings, **(settings or {})}
        for name in chain:
            axis, setting = self[name], stands.get(name, 0.0)
            if axis.kind == "rotation":
                angle = np.float64(setting / DEGREES_PER_RADIAN)
                point = rotate_axis(point, axis.vector, angle)
                direction = rotate_axis(direction, axis.vector, angle)
            elif axis.kind == "translation":
                point = point + setting * axis.vector
            point = point + axis.offset
        return point, direction


def _frame_number(tables: ImgcifTables, scans: list[Row], frame: str | None) -> float:
    """Number of the image in its scan, counted from 1; 1 if the tables have none."""
    rows = [row for row in scans if frame is None or row.get("frame_id") == frame]
    if len(rows) != 1:
        return 1.0
    return tables.number(rows[0], "frame_number", 1.0)


def _axis(tables: ImgcifTables, row: Mapping[str, str]) -> tuple[str, Axis]:
    name, kind = row.get("id", ""), row.get("type", "general").lower()
    if kind not in ("rotation", "translation", "general"):
        raise FileFormatError(tables.path, f"axis {name[:40]!a} of the unknown type {kind[:40]!a}")
    system = row.get("system", "laboratory").lower()
    if system not in ("laboratory", ".", "?"):
        raise FileFormatError(
            tables.path, f"axis {name[:40]!a} is in the system {system[:20]!a}, not the laboratory"
        )
    if tables.number(row, "rotation", 0.0) != 0.0:
        raise FileFormatError(tables.path, f"axis {name[:40]!a}: _axis.rotation is not supported")
    vector, offset = (
        np.array([tables.number(row, f"{part}[{i}]", 0.0) for i in (1, 2, 3)])
        for part in ("vector", "offset")
    )
    if norm(vector) > 0.0:
        vector = unit(vector)
    elif kind != "general":
        raise FileFormatError(tables.path, f"axis {name[:40]!a} has no direction")
    return name, Axis(
        kind=kind,
        equipment=row.get("equipment", "general").lower(),
        parent=row.get("depends_on", ""),
        vector=vector,
        offset=offset,
    )
