"""Chains of transformations in NXmx files, and their matrices."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.rotation import SETTING
from cupysim.maths.arrays import norm, unit
from cupysim.maths.rotations import rotate_axis
from cupysim.optional_libraries import require

LONGEST_CHAIN = 100
"""Largest number of transformations in a chain."""

ROUNDED = 1e-3
"""Largest difference of a vector's length from 1 that comes from rounding."""

SMALLEST_SHIFT = 1e-7
"""Largest shift (m) that is ignored without a warning."""


def chain_of(path: object, axis: Any) -> list[Any]:
    """An axis and those that it depends on, the nearest first.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    axis : nxmx.NXtransformationsAxis
        Axis at the beginning of the chain.

    Raises
    ------
    FileFormatError
        If an axis depends on one that is missing, or on itself in a circle.
    """
    found: list[Any] = []
    seen: set[str | None] = set()
    while axis is not None:
        if axis.path in seen or len(found) >= LONGEST_CHAIN:
            raise FileFormatError(path, f"axes depend on each other in a circle: {axis.path}")
        seen.add(axis.path)
        if not _is_reference(axis):
            found.append(axis)
        axis = _next(path, axis)
    return found


def _is_reference(axis: Any) -> bool:
    """Whether an axis has neither a motion nor an offset: it only names the end of a chain."""
    attributes = axis._handle.attrs
    return "transformation_type" not in attributes and not np.any(attributes.get("offset", 0))


def _next(path: object, axis: Any) -> Any:
    """The axis that an axis depends on; None if it is the last."""
    handle = axis._handle
    stored = handle.attrs.get("depends_on")
    return None if stored is None else _named(path, handle, handle.parent, stored, type(axis))


def depends_on(path: object, component: Any) -> Any:
    """Find the axis that a component depends on.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    component : nxmx.NXsample or nxmx.NXdetector
        Component with a field ``depends_on``.

    Returns
    -------
    nxmx.NXtransformationsAxis or None
        The axis; None if it depends on nothing.

    Raises
    ------
    FileFormatError
        If the axis is missing.
    """
    handle = component._handle
    if "depends_on" not in handle:
        return None
    nxmx = require("nxmx", "reading the geometry of HDF5 images")
    stored = np.ravel(np.asarray(handle["depends_on"][()], dtype=object))
    return _named(path, handle, handle, stored[0], nxmx.NXtransformationsAxis)


def _named(path: object, holder: Any, group: Any, stored: Any, kind: Any) -> Any:
    """The axis that a holder names, absolute or relative to a group; None for "."."""
    name = stored.decode(errors="replace") if isinstance(stored, bytes) else str(stored)
    if name in (".", ""):
        return None
    # HDF5 does not know ".."
    place = posixpath.normpath(posixpath.join(group.name, name))
    found = group.file.get(place)
    if not hasattr(found, "shape"):
        raise FileFormatError(
            path, f"{holder.name} depends on {name!a:.80}, which is not in the file"
        )
    return kind(found)


def has_unit(data: Any) -> bool:
    """Whether a data set has a unit that is not blank."""
    stored = data.attrs.get("units", "")
    name = stored.decode(errors="replace") if isinstance(stored, bytes) else str(stored)
    return bool(name.strip())


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


def counts_told(chain: list[Any], n_images: int) -> Iterator[str]:
    """Warnings about axes with several values, but not one for each image.

    Parameters
    ----------
    chain : list of nxmx.NXtransformationsAxis
        Axes, from `chain_of`.
    n_images : int
        Number of images in the file.
    """
    for axis in chain:
        count = int(axis._handle.size)
        if count not in (1, n_images, n_images + 1):
            name = axis.path.rsplit("/", 1)[-1]
            yield f"its {name} has {count} values for {n_images} images; the first ones count"


def stands_elsewhere(path: object, axis: Any, number: int) -> bool:
    """Whether an axis is not at zero or has an offset, and so moves what depends on it."""
    turns = is_rotation(path, axis)
    value = of_image(path, values_of(path, axis, turns), number, axis.path)
    return abs(value) > (SETTING if turns else SMALLEST_SHIFT) or bool(offset_of(path, axis).any())


def is_rotation(path: object, axis: Any) -> bool:
    """Whether an axis is a rotation (true) or a translation (false).

    Raises
    ------
    FileFormatError
        If the file does not give the type.
    """
    kind = str(axis._handle.attrs.get("transformation_type", "")).lower().strip("b'\"")
    if kind not in ("rotation", "translation"):
        raise FileFormatError(path, f"{axis.path} has no transformation_type")
    return kind == "rotation"


def cumulative(path: object, chain: list[Any], number: int) -> np.ndarray:
    """Transformation of points by a chain, for an image.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    chain : list of nxmx.NXtransformationsAxis
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
    vector = np.asarray(axis.vector, dtype=np.float64).squeeze()
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
    vector = np.asarray(axis.vector, dtype=np.float64).squeeze()
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
    chain : list of nxmx.NXtransformationsAxis
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
    axis : nxmx.NXtransformationsAxis
        Axis to read.
    turns : bool
        Whether the axis is a rotation.

    Raises
    ------
    FileFormatError
        If the values have no unit, or a unit of another kind.
    """
    handle = axis._handle
    if not has_unit(handle):
        raise FileFormatError(path, f"{axis.path} has no units")
    try:
        quantity = axis[()].to("degree" if turns else "meter")
    except Exception as error:
        # the library of units raises its own exceptions
        kind = "an angle" if turns else "a length"
        told = str(handle.attrs["units"])[:40]
        raise FileFormatError(
            path, f"{axis.path} has the units {told!a}; those of {kind} are expected"
        ) from error
    return np.asarray(quantity.magnitude, dtype=np.float64)


def offset_of(path: object, axis: Any) -> np.ndarray:
    """Offset of an axis (m), shape (3,); zero if it has none.

    Raises
    ------
    FileFormatError
        If it is not three lengths.
    """
    stored = np.ravel(axis._handle.attrs.get("offset", np.zeros(3)))
    if stored.dtype.kind in "fiu" and not stored.any():
        # zero needs no unit
        return np.zeros(3)
    try:
        metres = np.asarray(axis.offset.to("meter").magnitude, dtype=np.float64).ravel()
    except Exception as error:
        # the library of units raises its own exceptions
        raise FileFormatError(
            path, f"the offset of {axis.path} has no offset_units of length"
        ) from error
    if metres.shape != (3,):
        raise FileFormatError(path, f"the offset of {axis.path} is not three lengths")
    return metres


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
