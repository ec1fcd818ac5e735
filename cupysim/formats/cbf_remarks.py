"""Warnings about contradictions in CBF files, and about statements that are not used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.cbf_header import wavelength_of
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.imgcif_tables import ImgcifTables
from cupysim.formats.mini_header import ANGLES, LENGTHS, MiniHeader
from cupysim.formats.text_numbers import NUMBER
from cupysim.maths.arrays import cross, dot

MILLIMETRE = 1e-3

SAME = 2e-3
"""Relative difference up to which a header and tables of one file agree: both are rounded."""

_TABLE_WAVELENGTH = re.compile(
    rf"_diffrn_radiation_wavelength\.(?:wavelength|value)\s+({NUMBER.pattern})", re.IGNORECASE
)

SAME_SIZE = 1e-3
"""Relative difference up to which two sizes of a pixel agree: they are rounded."""

NOTICEABLE_DISTANCE = 0.01
"""Relative difference of distances that is worth a warning."""

NOTICEABLE_PIXELS = 1.0
"""Largest difference (pixels) of beam centres: programs count from centres or from corners."""

DXTBX = "dxtbx"
"""Prefix of names in files of dxtbx. Their positions are those of pixels' outer corners."""


def of_header(path: object, text: str, geometry: ImageGeometry) -> list[str]:
    """Warnings about mini-CBF lines that contradict the tables of the same file."""
    header = MiniHeader.find(path, text)
    try:
        wavelength, _ = wavelength_of(header)
        distance = header.number("Detector_distance", LENGTHS, "m")
        width = header.number("Angle_increment", ANGLES, "deg")
    except FileFormatError as error:
        return [f"the mini-CBF lines in addition to its tables are not read ({error})"]
    normal = cross(geometry.fast, geometry.slow)
    turned = None if geometry.oscillation is None else geometry.oscillation * DEGREES_PER_RADIAN
    pairs = (
        ("Wavelength", "A", wavelength, geometry.wavelength, ANGSTROM),
        ("Detector_distance", "mm", distance, abs(dot(geometry.origin, normal)), 1e-3),
        ("Angle_increment", "deg", width, turned, 1.0),
    )
    return [
        f"its mini-CBF line {name} says {told / scale:g} {unit}, but its tables say "
        f"{taken / scale:g} and are used"
        for name, unit, told, taken, scale in pairs
        if told and taken and abs(abs(told) - abs(taken)) > SAME * abs(taken)
    ]


def of_tables(text: str, geometry: ImageGeometry) -> list[str]:
    """Warnings about a wavelength in tables that contradicts the mini-CBF header."""
    told = [float(match[1]) * ANGSTROM for match in _TABLE_WAVELENGTH.finditer(text)]
    return [
        f"its _diffrn_radiation_wavelength is {other / ANGSTROM:g} A, but its header's Wavelength "
        f"is {geometry.wavelength / ANGSTROM:g} A and is used"
        for other in told
        if geometry.wavelength and abs(other - geometry.wavelength) > SAME * geometry.wavelength
    ]


def of_other_tables(tables: ImgcifTables, geometry: ImageGeometry) -> Iterator[str]:
    """Warnings about tables that contradict the axes. Only the axes place the detector.

    Parameters
    ----------
    tables : ImgcifTables
        All tables of the file.
    geometry : ImageGeometry
        Geometry from the axes of the file.
    """
    yield from filter(
        None,
        (
            _corner_remark(tables),
            _direction_remark(tables),
            _size_remark(tables, geometry.pixel_size / MILLIMETRE),
            _divergence_remark(tables),
        ),
    )
    yield from _place_remarks(tables, geometry)


def _corner_remark(tables: ImgcifTables) -> str:
    names = [
        value.lower()
        for category in ("diffrn", "diffrn_detector")
        for row in tables.rows(category)
        for value in row.values()
    ]
    if any(name.startswith(DXTBX) for name in names):
        return ""
    return (
        "its tables are assumed to place the outer corner of the first pixel, as in DIALS; in the "
        "imgCIF dictionary, they place its centre"
    )


def _direction_remark(tables: ImgcifTables) -> str:
    """Warning about indices that count backwards.

    CBFlib places the pixels in the order in which they are stored, whatever the direction, and so
    do DIALS and cupysim. Authors of such files saw their images at this place. The dictionary can
    also mean that the displacement is that of index 1, and that index 1 is stored last.
    """
    backwards = [
        row.get("axis_set_id", "?")
        for row in tables.rows("array_structure_list")
        if row.get("direction", "").lower() == "decreasing"
    ]
    if not backwards:
        return ""
    return (
        f"its pixels along {' and '.join(backwards)[:80]} are counted backwards (direction "
        "decreasing); this is not applied: the displacement places the first pixel stored, as in "
        "CBFlib and DIALS"
    )


def _size_remark(tables: ImgcifTables, pixel_size: float) -> str:
    """Warning about a pixel size (mm) that differs from the step along the axes."""
    told = [
        tables.number(row, "size") / MILLIMETRE
        for row in tables.rows("array_element_size")
        if "size" in row
    ]
    others = [f"{size:g}" for size in told if abs(size - pixel_size) > SAME_SIZE * pixel_size]
    if not others:
        return ""
    return (
        f"its array_element_size is {' x '.join(others)} mm, but the steps from pixel to pixel are "
        f"{pixel_size:g} mm and are used"
    )


def _divergence_remark(tables: ImgcifTables) -> str:
    """Warning about a divergent beam."""
    told = [
        name
        for row in tables.rows("diffrn_radiation")
        for name in ("div_x_source", "div_y_source")
        if tables.number(row, name, 0.0) != 0.0
    ]
    if not told:
        return ""
    return f"its {' and '.join(told)} is not used; -divergence gives one"


def _place_remarks(tables: ImgcifTables, geometry: ImageGeometry) -> Iterator[str]:
    """Warnings about a distance and a beam centre that differ from those of the axes."""
    spot = geometry.beam_centre
    if spot is None:
        return
    fast, slow, distance = spot[0], spot[1], abs(spot[2]) / MILLIMETRE
    for row in tables.rows("diffrn_measurement"):
        told = tables.number(row, "sample_detector_distance", 0.0)
        if told and abs(told - distance) > NOTICEABLE_DISTANCE * distance:
            yield (
                f"its sample_detector_distance is {told:g} mm, but its axes have {distance:g} mm "
                "and are used"
            )
    for row in tables.rows("diffrn_detector_element"):
        if not {"reference_center_fast", "reference_center_slow"} <= set(row):
            continue
        centre = [tables.number(row, f"reference_center_{each}") for each in ("fast", "slow")]
        if row.get("reference_center_units", "mm").lower() == "mm":
            centre = [each * MILLIMETRE / geometry.pixel_size for each in centre]
        if abs(centre[0] - fast) > NOTICEABLE_PIXELS or abs(centre[1] - slow) > NOTICEABLE_PIXELS:
            yield (
                f"its reference_center is {centre[0]:.1f} {centre[1]:.1f} pixels, but its axes put "
                f"the beam at {fast:.1f} {slow:.1f} and are used"
            )
