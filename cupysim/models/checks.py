"""Checks of what Python users pass to the models."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import norm, unit

Member = TypeVar("Member", bound=StrEnum)


def member(kind: type[Member], value: Any, name: str) -> Member:
    """A member of an enumeration from itself or its value.

    Parameters
    ----------
    kind : type
        The enumeration.
    value : object
        A member, or the text which stands for it.
    name : str
        What it is, for the message.

    Returns
    -------
    member
        Of `kind`.

    Raises
    ------
    ModelError
        If there is no such member.
    """
    try:
        return kind(value)
    except ValueError:
        raise ModelError(f"{name}: expected one of {', '.join(kind)}, got {value!r}") from None


def whole(value: Any, name: str) -> int:
    """A whole number.

    Parameters
    ----------
    value : object
        An integer of Python or NumPy.
    name : str
        What it is, for the message.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ModelError
        If it is none.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ModelError(f"{name}: expected a whole number, got {value!r}") from None


def number(value: Any, name: str) -> float:
    """A number.

    Parameters
    ----------
    value : object
        A number of Python or NumPy.
    name : str
        What it is, for the message.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ModelError
        If it is none.
    """
    if isinstance(value, str):
        raise ModelError(f"{name}: expected a number, got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ModelError(f"{name}: expected a number, got {value!r}") from None


def finite(value: Any, name: str) -> float:
    """A finite number.

    Parameters
    ----------
    value : object
        A number of Python or NumPy.
    name : str
        What it is, for the message.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ModelError
        If it is none, or not finite.
    """
    result = number(value, name)
    if not math.isfinite(result):
        raise ModelError(f"{name}: expected a finite number, got {value!r}")
    return result


def three(values: Any, name: str) -> tuple[Any, Any, Any]:
    """Three values.

    Parameters
    ----------
    values : iterable
        The values.
    name : str
        What they are, for the message.

    Returns
    -------
    tuple of 3
        The values.

    Raises
    ------
    ModelError
        If they are not three.
    """
    items = tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else ()
    if len(items) != 3:
        raise ModelError(f"{name}: expected three values, got {values!r}")
    return items


def direction(values: Any, what: str) -> np.ndarray:
    """A unit vector.

    Parameters
    ----------
    values : sequence of 3 float
        A vector of any length.
    what : str
        What it is, for messages.

    Raises
    ------
    ModelError
        If it is not three finite numbers, or zero.
    """
    vector = np.array([finite(value, what) for value in three(values, what)])
    if not norm(vector) > 0.0:
        raise ModelError(f"{what}: a vector without a direction")
    return np.asarray(unit(vector))


def vector_of(array: np.ndarray) -> tuple[float, float, float]:
    """Three numbers of an array as a tuple of Python's floats."""
    x, y, z = map(float, array)
    return x, y, z


def assign(model: object, **values: Any) -> None:
    """Put checked values into a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(model, name, value)


def frozen(values: Any, kind: Any = None) -> np.ndarray:
    """An array which nobody changes: renderers keep what they made of it.

    Parameters
    ----------
    values : array_like
        The numbers.
    kind : dtype, optional
        Their type.

    Returns
    -------
    ndarray
        Read-only; a copy, unless the array is read-only already.
    """
    array = np.asarray(values, kind)
    owner = array if array.base is None else array.base
    if array.flags.writeable or not isinstance(owner, np.ndarray) or owner.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    return array
