"""Named axes of a plan's arrays (shots, panels, crystals, ...), declared with each field.

Checks of shapes, joined plans and the part of a plan in a launch use these declarations.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, Self, get_type_hints

from cupysim.errors import ModelError


class Axes(tuple[str | int, ...]):
    """Axes of an array, for the annotation of its field.

    Parameters
    ----------
    axes : str or int
        Name of each named axis, and length of each other axis. A named axis has the same length in
        the whole plan.
    """

    def __new__(cls, *axes: str | int) -> Axes:
        """Make the tuple from separate arguments."""
        return super().__new__(cls, axes)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


_declared: dict[type, dict[str, Axes]] = {}


def arrays_of(kind: type) -> dict[str, Axes]:
    """Names and axes of the arrays that a class declares."""
    if kind not in _declared:
        hints = _hints(kind)
        _declared[kind] = {
            name: axes
            for name, hint in hints.items()
            for axes in getattr(hint, "__metadata__", ())
            if isinstance(axes, Axes)
        }
    return _declared[kind]


_tables: dict[type, tuple[str, ...]] = {}


class Table:
    """Base of frozen dataclasses with arrays of declared axes: plans and parts of plans."""

    def with_same_axes(self, **changed: Any) -> Self:
        """Return a copy with some fields replaced, without another check of the axes.

        Parameters
        ----------
        **changed
            New values of fields. The cached properties of this table must hold for them too.
        """
        made = object.__new__(type(self))
        # called for each shot; several times as fast as `dataclasses.replace` or `copy.copy`
        made.__dict__.update(self.__dict__)
        made.__dict__.update(changed)
        return made

    @cached_property
    def lengths(self) -> dict[str, tuple[int, str]]:
        """Length of each named axis, and the first array that has it.

        Raises
        ------
        ModelError
            If an array does not have its axes, or an axis has two lengths.
        """
        known: dict[str, tuple[int, str]] = {}
        for name, axes in arrays_of(type(self)).items():
            array = getattr(self, name)
            if array is None:
                continue
            shape = array.shape
            if len(shape) != len(axes):
                described = ", ".join(map(str, axes))
                raise ModelError(
                    f"render plan: {name} has the shape {shape}; its axes are {described}"
                )
            for axis, length in zip(axes, shape, strict=True):
                if isinstance(axis, str):
                    known.setdefault(axis, (length, name))
                    expected, owner = known[axis]
                else:
                    expected, owner = axis, "its declaration"
                if length != expected:
                    raise ModelError(
                        f"render plan: {name} has the shape {shape}, with {length} {axis}, but "
                        f"{owner} has {expected}"
                    )
        return known


def table_names(kind: type) -> tuple[str, ...]:
    """Names of the fields of a class that are tables."""
    if kind not in _tables:
        hints = _hints(kind)
        _tables[kind] = tuple(
            name
            for name, hint in hints.items()
            if isinstance(hint, type) and issubclass(hint, Table)
        )
    return _tables[kind]


def tables_of(plan: Table) -> list[Table]:
    """Return a plan itself and all its tables."""
    return [plan, *(getattr(plan, name) for name in table_names(type(plan)))]


def same_shapes(one: Table, other: Table) -> bool:
    """Whether two tables of a class have arrays of the same shapes."""
    for name in arrays_of(type(one)):
        array, twin = getattr(one, name), getattr(other, name)
        if array is not twin and getattr(array, "shape", None) != getattr(twin, "shape", None):
            return False
    return True


def check_axes(plan: Table, lengths: dict[str, int]) -> None:
    """Check that each axis has one length in a plan and all its tables.

    Parameters
    ----------
    plan : Table
        Plan to check.
    lengths : dict of str to int
        Known lengths of axes.

    Raises
    ------
    ModelError
        If an axis has two lengths.
    """
    known = {axis: (length, "the image") for axis, length in lengths.items()}
    for table in tables_of(plan):
        for axis, (length, name) in table.lengths.items():
            expected, owner = known.setdefault(axis, (length, name))
            if length != expected:
                raise ModelError(
                    f"render plan: {name} has {length} {axis}, but {owner} has {expected}"
                )
