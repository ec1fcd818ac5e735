"""Texts and units of NXmx files, as writers leave them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError

ANGSTROMS = ("a", "ang", "angstrom", "angstroms", "\u00e5", "\u212b")
"""Spellings of the unit, in lower case."""

PURE_NUMBERS = ("1", "dimensionless", "count", "counts", "%", "percent")
"""Units of pure numbers, in lower case."""


def text_of(value: Any) -> str:
    """A stored text, or the first one of an array, without the blanks around it.

    Some writers fill texts with blanks or zeros, or use Latin-1.
    """
    if isinstance(value, np.ndarray) and value.size:
        value = np.ravel(value)[0]
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    return str(value).strip(" \t\r\n\0")


def attribute(item: Any, name: str) -> str:
    """Text of an attribute; empty if it is missing."""
    value = _raw(item, name)
    return "" if value is None or np.size(value) == 0 else text_of(value)


def _raw(item: Any, name: str) -> Any:
    """Attribute as it is stored; None if it is missing.

    A text of variable length that is not UTF-8 has surrogates: they are bytes of Latin-1.
    """
    value = item.attrs.get(name)
    if isinstance(value, str) and any("\udc80" <= letter <= "\udcff" for letter in value):
        return value.encode("utf-8", "surrogateescape")
    return value


def unit_of(data: Any) -> str:
    """Unit of a data set; empty if it has none."""
    return attribute(data, "units")


def has_unit(data: Any) -> bool:
    """Whether a data set has a unit that is not blank."""
    return bool(unit_of(data))


def has_angle_unit(data: Any) -> bool:
    """Whether a data set of angles has a unit: a pure number, such as "1" or "counts", is none."""
    return unit_of(data).lower() not in ("", *PURE_NUMBERS)


def converted(nxmx: Any, values: Any, unit: str, to: str) -> np.ndarray | None:
    """Convert numbers from a unit to another one.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    values : array_like
        Numbers to convert.
    unit : str
        Unit of the numbers, in upper or lower case.
    to : str
        Name of the new unit.

    Returns
    -------
    ndarray or None
        Converted numbers; None if the unit is unknown or of another kind.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if to == "degree" and unit.lower() in PURE_NUMBERS:
        # the library of units takes pure numbers for radians
        return None
    if to == "meter" and unit.lower() in ANGSTROMS:
        return numbers * ANGSTROM
    for spelling in dict.fromkeys((unit, unit.lower())):
        if not spelling:
            continue
        try:
            return np.asarray((numbers * nxmx.ureg.Unit(spelling)).to(to).magnitude)
        except Exception:
            # the library of units raises its own exceptions
            continue
    return None


def in_unit(nxmx: Any, stored: Any, values: Any, unit: str) -> np.ndarray | None:
    """Convert numbers of a data set to a unit.

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    stored : h5py.Dataset
        Data set with the unit of the numbers.
    values : array_like
        Numbers to convert.
    unit : str
        Name of the new unit.

    Returns
    -------
    ndarray or None
        Converted numbers; None if the data set's unit is unknown or of another kind.
    """
    return converted(nxmx, values, unit_of(stored), unit)


def lengths_of(nxmx: Any, path: object, stored: Any) -> np.ndarray:
    """Lengths of a data set (m).

    Parameters
    ----------
    nxmx : module
        The nxmx module.
    path : path_like
        File name, for messages.
    stored : h5py.Dataset
        Data set to read.

    Raises
    ------
    FileFormatError
        If its unit is missing or unknown.
    """
    if not has_unit(stored):
        raise FileFormatError(path, f"{stored.name} has no unit")
    metres = in_unit(nxmx, stored, stored[()], "meter")
    if metres is None:
        raise FileFormatError(
            path, f"{stored.name} has the unit {unit_of(stored)!a:.40}, which is no unit of length"
        )
    return metres


def not_compared(stored: Any) -> str:
    """Warning about a cross-check whose unit is not one of length."""
    name = stored.name.rsplit("/", 1)[-1]
    told = f"the unit {unit_of(stored)!a:.40}, not of length," if has_unit(stored) else "no unit"
    return f"its {name} has {told} and is not compared"
