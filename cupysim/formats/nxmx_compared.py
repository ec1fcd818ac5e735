"""Numbers of NXmx files that serve only as a cross-check of the detector's transformations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_chain import of_image
from cupysim.formats.nxmx_units import in_unit, not_compared, text_of
from cupysim.formats.nxmx_unplaced import DISTANCES, NOTICEABLE_DISTANCE, Panel, centre_of
from cupysim.maths.arrays import cross, dot, norm, unit

EDGE_ON = 1e-6
"""Cosine of the angle between beam and panel normal, below which the beam misses the panel."""

SAME_SIZE = 1e-3
"""Relative difference of pixel sizes that is worth a warning."""


def no_number(path: object, stored: Any, number: int) -> str:
    """Warning about a data set without a usable number for an image; empty if it has one.

    Parameters
    ----------
    path : path_like
        File name.
    stored : h5py.Dataset
        Data set that serves only as a cross-check.
    number : int
        Number of the image, counted from 0.
    """
    if getattr(stored, "shape", None) is None:
        # a null data set counts as missing
        return f"its {_name_of(stored)} is empty and is not compared"
    try:
        of_image(path, np.asarray(stored[()], dtype=np.float64), number, stored.name)
    except (FileFormatError, ValueError, TypeError, IndexError):
        values = np.ravel(np.asarray(stored[()]))
        told = ", ".join(text_of(each) for each in values[:3]) or "without a value"
        held = f"has {len(values)} values, none for image {number}," if len(values) > 1 else ""
        return f"its {_name_of(stored)} {held or f'is {told[:40]}'} and is not compared"
    return ""


def _name_of(stored: Any) -> str:
    return str(stored.name).rsplit("/", 1)[-1]


def other_distance(
    nxmx: Any, path: object, panel: Panel, detector: Any, number: int
) -> Iterator[str]:
    """Warning about a distance that differs from that of the transformations.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    panel : Panel
        Panel from the transformations.
    detector : h5py.Group
        Group of the detector.
    number : int
        Number of the image, counted from 0.
    """
    normal = unit(cross(panel.fast, panel.slow))
    along = float(normal[2])
    stored: Any = next((detector[each] for each in DISTANCES if each in detector), None)
    if abs(along) < EDGE_ON or not hasattr(stored, "shape"):
        return
    distance = abs(float(dot(panel.origin, normal)) / along)
    unusable = no_number(path, stored, number)
    if unusable:
        yield unusable
        return
    lengths = in_unit(nxmx, stored, stored[()], "meter")
    if lengths is None:
        yield not_compared(stored)
        return
    metres = of_image(path, lengths, number, stored.name)
    if metres > 0.0 and abs(distance - metres) > NOTICEABLE_DISTANCE * metres:
        yield (
            f"its distance is {1e3 * metres:.6g} mm, but its transformations have "
            f"{1e3 * distance:.6g} mm and are used"
        )


def other_sizes(nxmx: Any, panel: Panel, detector: Any) -> Iterator[str]:
    """Warnings about pixel sizes that differ from those of the pixel directions.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    panel : Panel
        Panel from the transformations.
    detector : h5py.Group
        Group of the detector.
    """
    for name, edge in (("x_pixel_size", panel.fast), ("y_pixel_size", panel.slow)):
        stored, used = detector.get(name), float(norm(edge))
        if stored is None:
            continue
        if (stored.size or 0) > 1:
            yield f"its {name} has {stored.size} values and is not compared"
            continue
        unusable = no_number(None, stored, 0)
        metres = None if unusable else in_unit(nxmx, stored, stored[()], "meter")
        if unusable:
            yield unusable
        elif metres is None:
            yield not_compared(stored)
        elif abs(float(metres.ravel()[0]) / used - 1.0) > SAME_SIZE:
            yield (
                f"its {name} is {1e3 * float(metres.ravel()[0]):.6g} mm, but its pixel directions "
                f"have the length {1e3 * used:.6g} mm and are used"
            )


def told_centre(
    nxmx: Any, path: object, panel: Panel, detector: Any, number: int
) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Beam centre in pixels that a file gives in addition to transformations.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    panel : Panel
        Panel from the transformations.
    detector : h5py.Group
        Group of the detector.
    number : int
        Number of the image, counted from 0.

    Returns
    -------
    centre : tuple of 2 float, or None
        Fast and slow pixel; None if the file has none above zero.
    remarks : tuple of str
        Warnings about units.
    """
    found: list[float] = []
    remarks: list[str] = []
    for name, edge in (("beam_center_x", panel.fast), ("beam_center_y", panel.slow)):
        stored = detector.get(name)
        if stored is None:
            return None, tuple(remarks)
        unusable = no_number(path, stored, number)
        if unusable:
            return None, (*remarks, unusable)
        value, doubt = centre_of(nxmx, path, stored, number, float(norm(edge)))
        found.append(value)
        remarks += [doubt] if doubt else []
    usable = found[0] > 0.0 and found[1] > 0.0
    return (found[0], found[1]) if usable else None, tuple(remarks)
