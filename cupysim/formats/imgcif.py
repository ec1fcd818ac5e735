"""Geometry of full imgCIF/CBF files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.cbf_remarks import MILLIMETRE, of_other_tables
from cupysim.formats.geometry import ImageGeometry, is_x_ray
from cupysim.formats.imgcif_axes import ImgcifAxes
from cupysim.formats.imgcif_intensities import StoredNumbers, of_tables
from cupysim.formats.imgcif_tables import ImgcifTables, Row
from cupysim.formats.rotation import forward, is_backward, settings_remark
from cupysim.maths.arrays import cross, dot, norm, unit

SQUARE = 1e-6
"""Largest relative difference of the edges of a square pixel, and largest cosine of the angle
between its edges."""

TURNING = 1e-9
"""Smallest step (degrees) of an axis that turns."""

OTHER_POLARIZATIONS = ("polarizn_stokes", "polarisn_", "polarizn_ratio")
"""Beginnings of items that give a polarization in other ways; they are not used."""

OTHERS = ("detector", "source", "gravity")
"""Equipment in the imgCIF dictionary apart from goniometers and general axes."""

NOWHERE = np.zeros(3)


def read(
    path: object, text: str, n_fast: int, n_slow: int, identifier: str = ""
) -> tuple[ImageGeometry, StoredNumbers]:  # fmt: skip
    """Read the geometry from the tables of a full imgCIF file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : str
        Text of the file.
    n_fast, n_slow : int
        Number of pixels along the fast and slow axis.
    identifier : str, optional
        Number of the binary section in its own header; empty if it has none.

    Returns
    -------
    geometry : ImageGeometry
        Geometry of the image.
    stored : StoredNumbers
        Meaning of the numbers in the pixels.

    Raises
    ------
    FileFormatError
        If the tables are incomplete, or the detector is not a single flat panel of square pixels.
    CupysimError
        If gemmi is not installed.

    Notes
    -----
    In the imgCIF dictionary, positions on the detector are those of pixels' centres. In dxtbx, they
    are those of pixels' outer corners. dxtbx wrote most of the existing files, so cupysim does the
    same.
    """
    tables = ImgcifTables(path, text)
    _check_one_panel(tables)
    frame = _frame(tables, identifier)
    axes = ImgcifAxes(tables, frame)
    panel, pixel_size, surface = _panel(tables, axes, (n_fast, n_slow))
    goniometer = _goniometer(tables, axes)
    spindle, start, width, settings, turns_back = _rotation(axes, goniometer)
    to_source = _to_source(axes)
    wavelength, reason, mean = _wavelength(tables)
    polarization, of_polarization = _polarization(tables, to_source)
    stored = of_tables(tables)
    geometry = ImageGeometry(
        n_fast=n_fast,
        n_slow=n_slow,
        pixel_size=pixel_size * MILLIMETRE,
        origin=panel[0] * MILLIMETRE,
        fast=panel[1],
        slow=panel[2],
        beam=-to_source,
        spindle=spindle,
        wavelength=wavelength,
        phi=None if start is None else start / DEGREES_PER_RADIAN,
        oscillation=None if width is None else width / DEGREES_PER_RADIAN,
        polarization=polarization,
        no_wavelength=reason,
        is_reversed=turns_back,
        remarks=(
            *filter(None, (settings, mean, of_polarization)),
            *stored.remarks,
            *axes.remarks,
            *_of_axes(axes, goniometer, surface),
        ),
    )
    geometry = replace(geometry, remarks=(*geometry.remarks, *of_other_tables(tables, geometry)))
    return geometry, stored


def _frame(tables: ImgcifTables, identifier: str) -> str | None:
    """Identifier of the frame of the image, from the identifier of its binary section.

    If the tables do not give it, the identifier in the section's own header is used.
    """
    frames = [row for row in tables.rows("diffrn_data_frame") if "id" in row]
    binaries = {row["binary_id"] for row in tables.rows("array_data") if "binary_id" in row}
    if not binaries and identifier:
        binaries = {identifier}
    if len(binaries) == 1:
        of_image = [row for row in frames if row.get("binary_id") in binaries]
        if len({row["id"] for row in of_image}) > 1:
            raise FileFormatError(
                tables.path, f"several frames have the image {binaries.pop()[:40]!a} (binary_id)"
            )
        frames = of_image or frames
    return frames[0]["id"] if frames else None


def _check_one_panel(tables: ImgcifTables) -> None:
    arrays = {row["array_id"] for row in tables.rows("array_structure_list") if "array_id" in row}
    elements = {row["id"] for row in tables.rows("diffrn_detector_element") if "id" in row}
    count = max(len(arrays), len(elements), len(tables.rows("array_structure_list_section")))
    if count > 1:
        raise FileFormatError(
            tables.path, f"a detector of {count} panels; only single panels are supported so far"
        )


def _of_axes(axes: ImgcifAxes, goniometer: list[str], surface: list[str]) -> Iterator[str]:
    """Warnings about axes without a setting, and about axes that belong to nothing."""
    carried = [name for each in surface for name in axes.chain(each)]
    turning = [name for each in goniometer for name in axes.chain(each)]
    sources = [name for name, axis in axes.axes.items() if axis.equipment == "source"]
    at_source = [name for each in sources for name in axes.chain(each)]
    yield from axes.not_set(name for name in (*carried, *turning) if name not in surface)
    yield from axes.not_used({*carried, *turning, *at_source})
    odd = [name for name in goniometer if axes[name].equipment not in ("goniometer", "general")]
    if odd:
        yield (
            f"its axes {', '.join(odd)[:80]} are of the equipment {axes[odd[0]].equipment[:20]!a}; "
            "a goniometer is assumed"
        )


def _panel(
    tables: ImgcifTables, axes: ImgcifAxes, size: tuple[int, int]
) -> tuple[np.ndarray, float, list[str]]:
    """Rows origin (mm), fast and slow, the pixel's edge (mm), and the names of fast and slow.

    `size` is (n_fast, n_slow).
    """
    surface = []
    for precedence, count in enumerate(size, 1):
        lists = [
            row for row in tables.rows("array_structure_list")
            if tables.number(row, "precedence", tables.number(row, "index", 0.0)) == precedence
        ]  # fmt: skip
        if len(lists) != 1:
            raise FileFormatError(tables.path, "array_structure_list does not define fast and slow")
        listed = tables.number(lists[0], "dimension", count)
        if listed != count:
            raise FileFormatError(
                tables.path,
                f"{count} pixels in a row or column, but its tables say {listed:g}",
            )
        surface.append(_surface_axis(tables, axes, lists[0].get("axis_set_id", "")))
    settings = {name: start for name, start, _ in surface}
    chains = [axes.chain(name) for name in settings]
    deepest = max(chains, key=len)
    if len(settings) != len(surface) or not all(name in deepest for name in settings):
        raise FileFormatError(
            tables.path, "neither of its fast and slow axes depends on the other (depends_on)"
        )
    origin, _ = axes.place(deepest, NOWHERE, NOWHERE, settings)
    fast, slow = (
        axes.place(chain, NOWHERE, axes[name].vector * np.sign(step))[1]
        for chain, (name, _, step) in zip(chains, surface, strict=True)
    )
    sizes = [abs(step) for _, _, step in surface]
    if abs(sizes[0] - sizes[1]) > SQUARE * sizes[0]:
        raise FileFormatError(
            tables.path, f"pixels of {sizes[0]:g} x {sizes[1]:g} mm; square ones are expected"
        )
    if abs(dot(fast, slow)) > SQUARE:
        raise FileFormatError(tables.path, "its fast and slow axes are not at right angles")
    return np.stack([origin, fast, slow]), sizes[0], list(settings)


def _surface_axis(tables: ImgcifTables, axes: ImgcifAxes, set_id: str) -> tuple[str, float, float]:
    """Name of an axis along the pixels, position of the first pixel (mm), and step (mm).

    Pixels are counted in the order in which they are stored, whatever direction the tables give.
    """
    rows: list[Row] = [
        row for row in tables.rows("array_structure_list_axis")
        if row.get("axis_set_id", row.get("axis_id")) == set_id
    ]  # fmt: skip
    if len(rows) != 1:
        raise FileFormatError(
            tables.path, f"{len(rows)} axes in the set {set_id[:40]!a} of pixels; one is expected"
        )
    name = rows[0].get("axis_id", set_id)
    step = tables.number(rows[0], "displacement_increment", 0.0)
    if axes[name].kind != "translation" or not abs(step) > 0.0:
        raise FileFormatError(
            tables.path, f"pixels along {name[:40]!a} do not lie on a straight line"
        )
    return name, tables.number(rows[0], "displacement", 0.0), step


def _to_source(axes: ImgcifAxes) -> np.ndarray:
    """Direction to the source, with its own rotations; along z if no axis gives it."""
    sources = [name for name, axis in axes.axes.items() if axis.equipment == "source"]
    # a rotation of the source is an axis of that equipment too
    sources = [name for name in sources if axes[name].kind != "rotation"] or sources
    found = [axes.place(axes.chain(name), NOWHERE, axes[name].vector)[1] for name in sources]
    found = [unit(vector) for vector in found if norm(vector) > 0.0]
    if not found:
        return np.array([0.0, 0.0, 1.0])
    if any(np.abs(vector - found[0]).max() > SQUARE for vector in found[1:]):
        raise FileFormatError(
            axes.path, f"axes {' and '.join(sources)[:80]} give two beam directions"
        )
    return found[0]


def _goniometer(tables: ImgcifTables, axes: ImgcifAxes) -> list[str]:
    """Names of the goniometer's axes, from their equipment or from the table of measurements."""
    listed = {row.get("axis_id") for row in tables.rows("diffrn_measurement_axis")}
    return [
        name for name, axis in axes.axes.items()
        if axis.equipment == "goniometer" or (axis.equipment not in OTHERS and name in listed)
    ]  # fmt: skip


def _rotation(
    axes: ImgcifAxes, goniometer: list[str]
) -> tuple[np.ndarray, float | None, float | None, str, bool]:
    """Spindle, first angle and width (degrees), a warning, and whether the axis is reversed."""
    rotations = [name for name in goniometer if axes[name].kind == "rotation"]
    shifts = [
        f"{name} {axes.settings[name]:g}"
        for name in goniometer
        if axes[name].kind == "translation" and axes.settings.get(name, 0.0) != 0.0
    ]
    shifted = (
        f"its sample is shifted by {', '.join(shifts)} mm; this is not used: it stays at the origin"
        if shifts
        else ""
    )
    if not rotations:
        return np.array([1.0, 0.0, 0.0]), None, None, shifted, False
    turning = [name for name in rotations if abs(axes.widths.get(name, 0.0)) > TURNING]
    if len(turning) > 1:
        raise FileFormatError(
            axes.path, f"{' and '.join(turning)[:80]} turn at once; one axis is expected"
        )
    # a still can use any axis; no other axis moves the outermost one
    chains = {name: axes.chain(name) for name in rotations}
    axis = turning[0] if turning else min(rotations, key=lambda name: len(chains[name]))
    _, spindle = axes.place(chains[axis], NOWHERE, axes[axis].vector)
    others = {name: axes.settings.get(name, 0.0) for name in rotations if name != axis}
    width = axes.widths.get(axis, 0.0)
    turned = forward(spindle, axes.settings.get(axis, 0.0), width)
    remark = "; ".join(filter(None, (settings_remark(others), shifted)))
    return *turned, remark, is_backward(width)


def _wavelength(tables: ImgcifTables) -> tuple[float | None, str, str]:
    """Wavelength (m), the reason if there is none, and a warning."""
    radiation = tables.rows("diffrn_radiation")
    for row in radiation:
        probe = row.get("probe", "x-ray")
        if not is_x_ray(probe):
            raise FileFormatError(
                tables.path, f"its beam consists of {probe[:20]}s; only X-rays are simulated"
            )
    named = {row["wavelength_id"] for row in radiation if "wavelength_id" in row}
    rows = tables.rows("diffrn_radiation_wavelength")
    # the lines of an X-ray tube have weights: all are used
    alike = len({tables.number(row, "wt", 1.0) for row in rows}) == 1
    if alike and len(named) == 1 and any(row.get("id") in named for row in rows):
        rows = [row for row in rows if row.get("id") in named]
    pairs = [
        (tables.number(row, name), tables.number(row, "wt", 1.0))
        for row in rows
        for name in ("wavelength", "value")
        if name in row
    ]
    if not pairs:
        return None, "its tables have no _diffrn_radiation_wavelength.wavelength", ""
    values, weights = np.array(pairs).T
    if not values.min() > 0.0 or weights.min() < 0.0 or not weights.sum() > 0.0:
        return None, f"the wavelength {values.min():g} A in its tables is impossible", ""
    mean = float(values @ weights / weights.sum())
    remark = f"the weighted mean of its {len(values)} wavelengths is used, {mean:g} A"
    return mean * ANGSTROM, "", remark if len(values) > 1 else ""


def _polarization(
    tables: ImgcifTables, to_source: np.ndarray
) -> tuple[tuple[float, np.ndarray] | None, str]:
    """Kahn factor and electric field, from (Ip - In)/(Ip + In) and the normal's angle to y.

    The second item is a warning; it is empty if there is none.
    """
    radiation = tables.rows("diffrn_radiation")
    stated = [row for row in radiation if "polarizn_source_ratio" in row]
    if not stated:
        others = [
            name
            for rows in (radiation, tables.rows("diffrn_scan_frame"))
            for row in rows
            for name in row
            if name.startswith(OTHER_POLARIZATIONS)
        ]
        return None, f"its {others[0]} is not used; -polar gives a factor" if others else ""
    found = []
    for row in stated:
        ratio = tables.number(row, "polarizn_source_ratio")
        angle = tables.number(row, "polarizn_source_norm", 0.0)
        if abs(ratio) > 1.0:
            raise FileFormatError(
                tables.path, f"polarizn_source_ratio {ratio:g} is not between -1 and 1"
            )
        found.append((ratio, angle))
    if len(set(found)) > 1:
        raise FileFormatError(
            tables.path, f"_diffrn_radiation has {len(found)} polarizations; one is expected"
        )
    ratio, angle = found[0]
    turn = angle / DEGREES_PER_RADIAN
    field = cross(np.array([np.sin(turn), np.cos(turn), 0.0]), to_source)
    if not norm(field) > 0.0:
        return None, "its polarizn_source_norm is along the beam; -polar gives a factor"
    return (ratio, unit(field)), ""
