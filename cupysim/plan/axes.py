"""Axes of a plan's arrays, declared beside each field: what is one for each shot, panel, crystal.

Checks of shapes, joined plans and the part of a plan in a launch follow from the declarations.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self, get_type_hints

from cupysim.errors import ModelError


class Axes(tuple[str | int, ...]):
    """Axes of an array, for the annotation of its field.

    Parameters
    ----------
    axes : str or int
        Names of axes, which have one length throughout a plan, and lengths of the others.
    """

    def __new__(cls, *axes: str | int) -> Axes:
        """Make them from separate arguments."""
        return super().__new__(cls, axes)


_declared: dict[type, dict[str, Axes]] = {}


def arrays_of(kind: type) -> dict[str, Axes]:
    """Names and axes of the arrays which a class of a plan declares."""
    if kind not in _declared:
        hints = get_type_hints(kind, include_extras=True)
        _declared[kind] = {
            name: axes
            for name, hint in hints.items()
            for axes in getattr(hint, "__metadata__", ())
            if isinstance(axes, Axes)
        }
    return _declared[kind]


_tables: dict[type, tuple[str, ...]] = {}


class Table:
    """What holds arrays with declared axes, a plan or a part of one; it is a frozen dataclass."""

    def with_same_axes(self, **changed: Any) -> Self:
        """A copy with other fields, whose axes are not checked again.

        Parameters
        ----------
        **changed
            Fields. What is known of the table must hold for the copy too.
        """
        made = object.__new__(type(self))
        # several times as fast as `dataclasses.replace` or `copy.copy`, once for each shot
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
    """Names of the fields of a plan that are tables."""
    if kind not in _tables:
        hints = get_type_hints(kind)
        _tables[kind] = tuple(
            name
            for name, hint in hints.items()
            if isinstance(hint, type) and issubclass(hint, Table)
        )
    return _tables[kind]


def tables_of(plan: Table) -> list[Table]:
    """A plan itself and its tables."""
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
        The plan.
    lengths : dict of str to int
        Lengths of axes that are known.

    Raises
    ------
    ModelError
        If an array does not fit.
    """
    known = {axis: (length, "the image") for axis, length in lengths.items()}
    for table in tables_of(plan):
        for axis, (length, name) in table.lengths.items():
            expected, owner = known.setdefault(axis, (length, name))
            if length != expected:
                raise ModelError(
                    f"render plan: {name} has {length} {axis}, but {owner} has {expected}"
                )
