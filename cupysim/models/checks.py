"""Checks of the values that Python users pass to the models."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterable
from enum import StrEnum
from types import UnionType
from typing import Any, TypeVar

import numpy as np

from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths.arrays import norm, unit

Member = TypeVar("Member", bound=StrEnum)
Item = TypeVar("Item")

ROUNDED_UNIT = 4.0 * float(np.finfo(np.float64).eps)
"""Largest difference of a unit vector's length from 1."""

MOST_POLARIZED = 1.0 + 1e-6
"""Largest degree of polarization; rounded Stokes parameters may give slightly more than 1."""

LARGEST_LENGTHS = {"distance": 50.0, "pixel size": 0.05}
"""Largest plausible lengths (m) of a detector. Above them, the unit is probably wrong."""


def member(kind: type[Member], value: Any, name: str) -> Member:
    """Convert a value to a member of an enumeration.

    Parameters
    ----------
    kind : type
        The enumeration.
    value : object
        A member, or its value as a string.
    name : str
        Name of the quantity, for the message.

    Returns
    -------
    member
        Member of `kind`.

    Raises
    ------
    ModelError
        If the enumeration has no such member.
    """
    try:
        return kind(value)
    except ValueError:
        raise ModelError(f"{name}: expected one of {', '.join(kind)}, got {value!r}") from None


def whole(value: Any, name: str) -> int:
    """Convert an integer of Python or NumPy to an int.

    Parameters
    ----------
    value : object
        An integer of Python or NumPy.
    name : str
        Name of the quantity, for the message.

    Returns
    -------
    int
        The integer.

    Raises
    ------
    ModelError
        If the value is not an integer.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ModelError(f"{name}: expected an integer, got {value!r}") from None


def number(value: Any, name: str) -> float:
    """Convert a number of Python or NumPy to a float.

    Parameters
    ----------
    value : object
        A number of Python or NumPy.
    name : str
        Name of the quantity, for the message.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ModelError
        If the value is not a number.
    """
    if isinstance(value, str):
        raise ModelError(f"{name}: expected a number, got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ModelError(f"{name}: expected a number, got {value!r}") from None


def finite(value: Any, name: str) -> float:
    """Convert a finite number of Python or NumPy to a float.

    Parameters
    ----------
    value : object
        A number of Python or NumPy.
    name : str
        Name of the quantity, for the message.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ModelError
        If the value is not a number, or not finite.
    """
    result = number(value, name)
    if not math.isfinite(result):
        raise ModelError(f"{name}: expected a finite number, got {value!r}")
    return result


def three(values: Any, name: str) -> tuple[Any, Any, Any]:
    """Convert an iterable of three values to a tuple.

    Parameters
    ----------
    values : iterable
        Three values.
    name : str
        Name of the quantity, for the message.

    Returns
    -------
    tuple of 3
        The values.

    Raises
    ------
    ModelError
        If there are not exactly three values.
    """
    items = tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else ()
    if len(items) != 3:
        raise ModelError(f"{name}: expected three values, got {values!r}")
    return items


def tuple_of(kind: type | UnionType, values: Iterable[Item], name: str) -> tuple[Item, ...]:
    """Convert an iterable of models to a tuple.

    Parameters
    ----------
    kind : type or union of types
        Type of the models.
    values : iterable
        The models.
    name : str
        Name of the quantity, for the message.

    Returns
    -------
    tuple
        The models. A tuple is returned itself, so that plans recognise what experiments share.

    Raises
    ------
    ModelError
        If a value has another type, or there is no iterable.
    """
    members = kind.__args__ if isinstance(kind, UnionType) else (kind,)
    kinds = " or ".join(each.__name__ for each in members)
    if not isinstance(values, Iterable):
        raise ModelError(f"{name} must be a sequence of {kinds}, got {values!r}")
    found = tuple(values)
    for each in found:
        if not isinstance(each, kind):
            raise ModelError(f"{name} must be a sequence of {kinds}, got {each!r} in it")
    return found


def direction(values: Any, what: str) -> np.ndarray:
    """Convert a vector to a unit vector.

    Parameters
    ----------
    values : sequence of 3 float
        A vector of any length above zero.
    what : str
        Name of the vector, for messages.

    Returns
    -------
    ndarray, shape (3,)
        Unit vector. A vector that is already one, except for rounding, is not changed.

    Raises
    ------
    ModelError
        If the vector does not have three finite numbers, or is zero.
    """
    vector = np.array([finite(value, what) for value in three(values, what)])
    length = float(norm(vector))
    if not length > 0.0:
        raise ModelError(f"{what}: a vector without a direction")
    # otherwise a model from a file would differ in the last bit from the one that was stored
    return vector if abs(length - 1.0) <= ROUNDED_UNIT else np.asarray(unit(vector))


def vector_of(array: np.ndarray) -> tuple[float, float, float]:
    """Convert an array of three numbers to a tuple of floats."""
    x, y, z = map(float, array)
    return x, y, z


def assign(model: object, **values: Any) -> None:
    """Set checked values in a frozen dataclass during its construction."""
    for name, value in values.items():
        object.__setattr__(model, name, value)


def frozen(values: Any, kind: Any = None) -> np.ndarray:
    """Make a read-only array. Renderers keep results that depend on it, so it must not change.

    Parameters
    ----------
    values : array_like
        Numbers of the array.
    kind : dtype, optional
        Type of the numbers.

    Returns
    -------
    ndarray
        Read-only array. It is a copy, unless the array is already read-only.
    """
    array = np.asarray(values, kind)
    owner = array if array.base is None else array.base
    if array.flags.writeable or not isinstance(owner, np.ndarray) or owner.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    return array


def checked_stokes(values: Any, owner: str) -> np.ndarray:
    """Check relative Stokes parameters.

    Parameters
    ----------
    values : array_like, shape (2,) or (n, 2)
        Q/I and U/I.
    owner : str
        What has them, for messages.

    Returns
    -------
    ndarray, shape (2,) or (n, 2)
        Read-only array.

    Raises
    ------
    ModelError
        If the shape is wrong, or a beam is polarized by more than 100 %.
    """
    found = frozen(values, np.float64)
    if found.ndim not in {1, 2} or found.shape[-1] != 2 or found.size == 0:
        raise ModelError(f"{owner}: stokes must be pairs Q/I and U/I, got the shape {found.shape}")
    degree = np.hypot(found[..., 0], found[..., 1])
    if not (degree <= MOST_POLARIZED).all():
        raise ModelError(
            f"{owner}: polarized by {100 * degree.max():g} %; at most 100 % are possible"
        )
    return found


def warn_of_length(name: str, metres: float) -> None:
    """Warn of a length that is implausible, because its unit is probably wrong.

    Parameters
    ----------
    name : str
        Name of the length in `LARGEST_LENGTHS`.
    metres : float
        Length (m).
    """
    if metres > LARGEST_LENGTHS[name]:
        warnings.warn(
            CupysimWarning(
                f"a {name} of {metres:g} m is implausible; the unit is metres in Python, and mm on "
                "the command line"
            ),
            stacklevel=4,
        )
