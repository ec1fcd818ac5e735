"""Axes of a plan's arrays, declared beside each field: what is one for each shot, panel, crystal.

Checks of shapes, joined plans and the part of a plan in a launch follow from the declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

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


def tables_of(plan: Any) -> Iterator[tuple[str, Any]]:
    """A plan itself, without a name, and its tables with theirs."""
    yield "", plan
    for each in fields(plan):
        value = getattr(plan, each.name)
        if is_dataclass(value) and arrays_of(type(value)):
            yield f"{each.name}.", value


def check_axes(plan: Any, lengths: dict[str, int]) -> None:
    """Check that arrays have the declared axes, each of one length.

    Parameters
    ----------
    plan : RenderPlan
        The plan.
    lengths : dict of str to int
        Lengths of axes that are known; the first array that has another one decides its length.

    Raises
    ------
    ModelError
        If an array does not fit.
    """
    known = dict(lengths)
    for prefix, table in tables_of(plan):
        for name, axes in arrays_of(type(table)).items():
            array = getattr(table, name)
            if array is None:
                continue
            fits = array.ndim == len(axes)
            for axis, length in zip(axes, array.shape, strict=False):
                expected = axis if isinstance(axis, int) else known.setdefault(axis, length)
                fits = fits and length == expected
            if not fits:
                wanted = [axis if isinstance(axis, int) else known[axis] for axis in axes
                          if isinstance(axis, int) or axis in known]  # fmt: skip
                raise ModelError(
                    f"render plan: {prefix}{name} has the shape {array.shape}, not "
                    f"{tuple(wanted)}: {', '.join(map(str, axes))}"
                )
