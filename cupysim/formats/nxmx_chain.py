"""Chains of transformations in NXmx files, and their matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_axis import Axis, is_rotation, library
from cupysim.formats.nxmx_units import attribute, converted, has_unit, unit_of
from cupysim.formats.rotation import SETTING
from cupysim.maths.arrays import norm, unit
from cupysim.maths.rotations import rotate_axis

ROUNDED = 1e-3
"""Largest difference of a vector's length from 1 that comes from rounding."""

SMALLEST_SHIFT = 1e-7
"""Largest shift (m) that is ignored without a warning."""


def of_image(path: object, values: np.ndarray, number: int, name: str) -> float:
    """Value for an image, from one value for all images or from one for each.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    values : ndarray
        One value, or one for each image.
    number : int
        Number of the image, counted from 0.
    name : str
        Name of the values, for messages.

    Raises
    ------
    FileFormatError
        If there are several values, but none for this image, or if the value is not finite.
    """
    values = np.ravel(values)
    if len(values) > 1 and number >= len(values):
        raise FileFormatError(path, f"{name} has {len(values)} values, none for image {number}")
    value = float(values[number if len(values) > 1 else 0])
    if not np.isfinite(value):
        raise FileFormatError(path, f"{name} is {value} at image {number}")
    return value


def counts_told(chain: list[Axis], n_images: int, spare: int = 1) -> Iterator[str]:
    """Warnings about axes with several values, but not one for each image.

    Parameters
    ----------
    chain : list of Axis
        Axes, from `chain_of`.
    n_images : int
        Number of images in the file.
    spare : int, optional
        Number of values after that of the last image that need no warning, such as its end.
    """
    for axis in chain:
        count = int(axis.handle.size)
        if count != 1 and not n_images <= count <= n_images + spare:
            name = axis.path.rsplit("/", 1)[-1]
            yield f"its {name} has {count} values for {n_images} images; the first ones are used"


def stands_elsewhere(path: object, axis: Any, number: int) -> bool:
    """Whether an axis is not at zero or has an offset, and so moves what depends on it."""
    turns = is_rotation(path, axis)
    value = of_image(path, values_of(path, axis, turns), number, axis.path)
    return abs(value) > (SETTING if turns else SMALLEST_SHIFT) or bool(offset_of(path, axis).any())


def cumulative(path: object, chain: list[Any], number: int) -> np.ndarray:
    """Transformation of points by a chain, for an image.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    chain : list of Axis
        Axes, from `chain_of`. The first one acts first.
    number : int
        Number of the image, counted from 0.

    Returns
    -------
    ndarray, shape (4, 4)
        Rotation and shift (m).

    Raises
    ------
    FileFormatError
        If a value, vector or type is missing or impossible.
    """
    total = np.eye(4)
    for axis in chain:
        total = _matrix(path, axis, number) @ total
    return total


def direction(path: object, axis: Any) -> np.ndarray:
    """The unit vector of an axis.

    Raises
    ------
    FileFormatError
        If the vector has no length.
    """
    vector = np.asarray(axis.handle.attrs.get("vector", ()), dtype=np.float64).squeeze()
    if vector.shape != (3,) or not norm(vector) > 0.0:
        raise FileFormatError(path, f"{axis.path} has no direction")
    return np.asarray(unit(vector))


def shift_vector(path: object, axis: Any, value: float) -> np.ndarray:
    """The vector that the value of a translation is multiplied by. NeXus wants a unit vector.

    Raises
    ------
    FileFormatError
        If the vector has no length, but the value is not zero.
    """
    vector = np.asarray(axis.handle.attrs.get("vector", ()), dtype=np.float64).squeeze()
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise FileFormatError(path, f"{axis.path} has no direction")
    if not norm(vector) > 0.0:
        if value != 0.0:
            raise FileFormatError(path, f"{axis.path} has no direction")
        return np.zeros(3)
    # a rounded unit vector is meant to have the length 1
    return vector if abs(norm(vector) - 1.0) > ROUNDED else unit(vector)


def lengths_told(path: object, chain: list[Any]) -> Iterator[str]:
    """Warnings about translations along vectors that are not unit vectors.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    chain : list of Axis
        Axes, from `chain_of`.
    """
    for axis in chain:
        if is_rotation(path, axis):
            continue
        length = float(norm(shift_vector(path, axis, 0.0)))
        if length > 0.0 and abs(length - 1.0) > ROUNDED:
            name = axis.path.rsplit("/", 1)[-1]
            yield f"the vector of its {name} has the length {length:g}, which multiplies its value"


def values_of(path: object, axis: Any, turns: bool) -> np.ndarray:
    """Values of an axis: in degrees for a rotation, in metres for a translation.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    axis : Axis
        Axis to read.
    turns : bool
        Whether the axis is a rotation.

    Raises
    ------
    FileFormatError
        If the values have no unit, or a unit of another kind.
    """
    handle = axis.handle
    if not has_unit(handle):
        raise FileFormatError(path, f"{axis.path} has no units")
    values = np.atleast_1d(np.asarray(handle[()], dtype=np.float64))
    found = converted(library(), values, unit_of(handle), "degree" if turns else "meter")
    if found is None:
        kind = "an angle" if turns else "a length"
        raise FileFormatError(
            path, f"{axis.path} has the units {unit_of(handle)!a:.40}; those of {kind} are expected"
        )
    return found


def offset_of(path: object, axis: Any) -> np.ndarray:
    """Offset of an axis (m), shape (3,); zero if it has none.

    Raises
    ------
    FileFormatError
        If it is not three lengths.
    """
    stored = np.ravel(axis.handle.attrs.get("offset", np.zeros(3)))
    if stored.dtype.kind in "fiu" and not stored.any():
        # zero needs no unit
        return np.zeros(3)
    metres = converted(library(), stored, _unit_of_offset(axis), "meter")
    if metres is None:
        raise FileFormatError(path, f"the offset of {axis.path} has no offset_units of length")
    if metres.shape != (3,):
        raise FileFormatError(path, f"the offset of {axis.path} is not three lengths")
    return metres


def _unit_of_offset(axis: Axis) -> str:
    """Unit of an offset. If a beamline leaves it out, the unit of the axis' value is meant."""
    return attribute(axis.handle, "offset_units") or unit_of(axis.handle)


def offsets_told(chain: list[Axis]) -> Iterator[str]:
    """Warnings about offsets without a unit.

    Parameters
    ----------
    chain : list of Axis
        Axes, from `chain_of`.
    """
    for axis in chain:
        attributes = axis.handle.attrs
        if np.any(attributes.get("offset", 0)) and not attribute(axis.handle, "offset_units"):
            yield (
                f"the offset of its {axis.name} has no offset_units; {unit_of(axis.handle)}, the "
                "unit of its value, is assumed"
            )


def _matrix(path: object, axis: Any, number: int) -> np.ndarray:
    matrix = np.eye(4)
    turns = is_rotation(path, axis)
    value = of_image(path, values_of(path, axis, turns), number, axis.path)
    if turns:
        along = direction(path, axis)
        angle = np.float64(value / DEGREES_PER_RADIAN)
        matrix[:3, :3] = np.stack([rotate_axis(v, along, angle) for v in np.eye(3)], axis=1)
    else:
        matrix[:3, 3] = value * shift_vector(path, axis, value)
    matrix[:3, 3] += offset_of(path, axis)
    return matrix
