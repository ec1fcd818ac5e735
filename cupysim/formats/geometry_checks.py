"""Warnings about geometry of any format that is possible, but probably a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.geometry import ImageGeometry
from cupysim.maths.arrays import cross, dot

DISTANCES = (1e-3, 20.0)
"""Shortest and longest usual distance (m)."""

PIXELS = (1e-6, 5e-3)
"""Smallest and largest usual pixel (m)."""

WAVELENGTHS = (0.05e-10, 5e-10)
"""Shortest and longest usual wavelength (m)."""

WIDEST = 20.0 / DEGREES_PER_RADIAN
"""Largest usual rotation during an image (rad)."""

UNTILTED = 0.98
"""Cosine of the angle between beam and normal, above which the beam should hit the panel."""

FACING = 0.5
"""Cosine of this angle below which the beam is nearly parallel to the panel and is not checked."""

WIDTHS_AWAY = 3.0
"""Distance of the beam from the panel, in its widths, above which a unit is probably wrong."""

CORNER = (-2.0, 0.5)
"""Smallest and largest coordinate (pixels) of a beam centre that was probably never set."""

SAME = 1e-5
"""Largest relative difference of two numbers that count as equal."""

SAME_SPOT = 0.01
"""Largest difference (pixels) of two beam centres that count as equal."""

SKEWED = 1e-3
"""Cosine of the angle between the axes of a panel above which a warning is given."""

NEVER_SET = "as in files where the beam centre was never set"


def with_doubts(geometry: ImageGeometry) -> ImageGeometry:
    """The same geometry, with warnings about what is probably a mistake.

    Parameters
    ----------
    geometry : ImageGeometry
        Geometry of a file.
    """
    return replace(geometry, remarks=(*geometry.remarks, *doubts(geometry)))


def doubts(geometry: ImageGeometry) -> Iterator[str]:
    """Warnings about what is probably a mistake: often a number in another unit.

    Parameters
    ----------
    geometry : ImageGeometry
        Geometry of a file.
    """
    yield from _of_numbers(
        geometry.near_distance, geometry.pixel_size, geometry.wavelength, geometry.oscillation
    )
    spot = geometry.beam_centre
    normal = cross(geometry.fast, geometry.slow)
    cosine = abs(float(dot(geometry.beam, normal)))
    if spot is None or cosine < FACING:
        return
    # adding zero makes a negative zero positive
    fast, slow, distance = (number + 0.0 for number in spot)
    if distance < 0.0:
        yield (
            f"its detector is upstream of the sample, {-1e3 * distance:g} mm away: is the sign of "
            "a distance or direction wrong?"
        )
    elif cosine < UNTILTED:
        return
    places = ((fast, geometry.n_fast), (slow, geometry.n_slow))
    if all(CORNER[0] <= place < CORNER[1] for place, _ in places):
        yield f"its beam is at pixel {fast:.3g} {slow:.3g}, {NEVER_SET}"
    elif any(abs(place - 0.5 * size) > (0.5 + WIDTHS_AWAY) * size for place, size in places):
        yield (
            f"its beam is at pixel {fast:.6g} {slow:.6g}, far from the {geometry.n_fast} x "
            f"{geometry.n_slow} pixels of its detector: is the unit of a number wrong?"
        )


def _of_numbers(
    near: float, size: float, wave: float | None, oscillation: float | None
) -> Iterator[str]:
    """Warnings about numbers that are unusually small or large."""
    told = [
        ("distance", f"{1e3 * near:g} mm", near, DISTANCES),
        ("pixel size", f"{1e6 * size:g} um", size, PIXELS),
    ]
    if wave is not None:
        told.append(("wavelength", f"{wave / ANGSTROM:g} A", wave, WAVELENGTHS))
    if near == 0.0:
        yield "the distance of its detector is 0: a translation or its value may be missing"
    for name, number, value, (least, most) in told:
        if value and not least <= abs(value) <= most:
            yield f"its {name} of {number} is unusual: is its unit wrong?"
    if abs(oscillation or 0.0) > WIDEST:
        degrees = abs(oscillation or 0.0) * DEGREES_PER_RADIAN
        yield f"its crystal turns by {degrees:g} degrees during the image, which is unusual"


def with_panel_doubts(geometry: DetectorGeometry) -> DetectorGeometry:
    """The same geometry, with warnings about what is probably a mistake.

    Parameters
    ----------
    geometry : DetectorGeometry
        Geometry of a file with a detector of panels.
    """
    detector = geometry.detector
    farthest = max(panel.close_distance for panel in detector)
    widest = max(max(panel.edges) for panel in detector)
    found = list(_of_numbers(farthest, widest, geometry.wavelength, geometry.oscillation))
    skews = [abs(float(dot(panel.axes[0], panel.axes[1]))) for panel in detector]
    if max(skews) > SKEWED:
        worst = detector.panels[int(np.argmax(skews))]
        angle = DEGREES_PER_RADIAN * np.arccos(dot(worst.axes[0], worst.axes[1]))
        found.append(
            f"the fast and slow axes of panel {worst.name!r} are {angle:.4g} degrees apart, not 90"
        )
    beam = np.array(detector.beam)
    if all(float(dot(panel.corners.mean(axis=0), beam)) < 0.0 for panel in detector):
        found.append(
            "all panels of its detector are upstream of the sample: is the sign of a distance or "
            "direction wrong?"
        )
    return replace(geometry, remarks=(*geometry.remarks, *found))


def differences(one: ImageGeometry, other: ImageGeometry) -> list[str]:
    """Texts about numbers that differ between two descriptions of an image.

    Parameters
    ----------
    one, other : ImageGeometry
        Descriptions of the same image.

    Returns
    -------
    list of str
        Name, first and second number of each difference.
    """
    pairs = [
        ("pixel", "mm", 1e-3, one.pixel_size, other.pixel_size),
        ("distance", "mm", 1e-3, one.near_distance, other.near_distance),
        ("wavelength", "A", ANGSTROM, one.wavelength, other.wavelength),
        ("rotation", "degrees", 1.0 / DEGREES_PER_RADIAN, one.oscillation, other.oscillation),
        ("first angle", "degrees", 1.0 / DEGREES_PER_RADIAN, one.phi, other.phi),
    ]
    found = [
        f"{name} {(first or 0.0) / unit:g} and {(second or 0.0) / unit:g} {unit_name}"
        for name, unit_name, unit, first, second in pairs
        if abs((first or 0.0) - (second or 0.0)) > SAME * max(abs(first or 0.0), abs(second or 0.0))
    ]
    spots = one.beam_centre, other.beam_centre
    if spots[0] is not None and spots[1] is not None:
        away = max(abs(spots[0][i] - spots[1][i]) for i in range(2))
        if away > SAME_SPOT:
            places = [f"{spot[0]:.2f} {spot[1]:.2f}" for spot in spots if spot is not None]
            found.append(f"beam centre {places[0]} and {places[1]} pixels")
    return found
