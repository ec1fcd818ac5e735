"""Join plans: several crystals in one shot, and several shots in one plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import ModelError
from cupysim.plan.axes import arrays_of, table_names
from cupysim.plan.render_plan import RenderPlan


def add_crystals(plans: Sequence[RenderPlan]) -> RenderPlan:
    """Join the plans of several crystals to one shot; the photons of the crystals add up.

    Parameters
    ----------
    plans : sequence of RenderPlan
        One plan for each crystal. All must be equal, except for the crystals.

    Returns
    -------
    RenderPlan
        Plan with all crystals.

    Raises
    ------
    ModelError
        If the crystals differ in the number of steps or in shape, if only some are interpolated,
        or if anything differs that a shot has once.
    """
    first = plans[0]
    if len(plans) == 1:
        return first
    for plan in plans:
        alike = plan.crystals.mosaic_rotations.shape == first.crystals.mosaic_rotations.shape
        if not alike or plan.n_steps != first.n_steps:
            raise ModelError(
                "crystals of a shot must have the same numbers of domains and sub-pixels"
            )
        if (plan.crystals.shape, plan.crystals.fudge) != (
            first.crystals.shape,
            first.crystals.fudge,
        ):
            raise ModelError("crystals of a shot must have the same shape and fudge")
        if plan.factors.interpolate != first.factors.interpolate:
            raise ModelError(
                "structure factors of a shot must be interpolated for all crystals or for none; "
                "give -interpolate"
            )
        if plan.diffuse.n_operations:
            raise ModelError("diffuse scattering is possible for one crystal in a shot only")
        if not _alike(first, plan, "crystals"):
            raise ModelError(
                "crystals of a shot must have the same beam, detector, scan, structure factors "
                "and background"
            )
    return replace(first, crystals=_joined([plan.crystals for plan in plans], "crystals"))


def add_shots(plans: Sequence[RenderPlan]) -> RenderPlan:
    """Join the plans of several shots to one plan.

    Parameters
    ----------
    plans : sequence of RenderPlan
        One plan for each shot, `alike` the first.

    Returns
    -------
    RenderPlan
        Plan with all shots.
    """
    if len(plans) == 1:
        return plans[0]
    n_shots = sum(plan.shape[0] for plan in plans)
    return _joined(plans, "shots", shape=(n_shots, *plans[0].shape[1:]))


def _joined(parts: Sequence[Any], along: str, **changed: Any) -> Any:
    """Join plans, or their tables: arrays that have the axis are joined along it."""
    kind = type(parts[0])
    for name, axes in arrays_of(kind).items():
        if along not in axes:
            continue
        given = [array for part in parts if (array := getattr(part, name)) is not None]
        if given:
            changed[name] = np.concatenate(given, axis=axes.index(along))
    for name in table_names(kind):
        changed[name] = _joined([getattr(part, name) for part in parts], along)
    return replace(parts[0], **changed)


def of_panel(plan: RenderPlan, panel: int) -> RenderPlan:
    """The plan of one panel.

    Parameters
    ----------
    plan : RenderPlan
        Plan of all panels.
    panel : int
        Number of the panel.

    Returns
    -------
    RenderPlan
        Plan that has only this panel.
    """
    only = slice(panel, panel + 1)
    shape = (plan.shape[0], 1, *plan.shape[2:])
    mask = None if plan.mask is None else plan.mask[only]
    arrays = {}
    for name, axes in arrays_of(type(plan.panels)).items():
        place = tuple(only if axis == "panels" else slice(None) for axis in axes)
        arrays[name] = getattr(plan.panels, name)[place]
    return replace(plan, shape=shape, mask=mask, panels=replace(plan.panels, **arrays))


def groups_of_alike(plans: Sequence[RenderPlan]) -> list[list[int]]:
    """Group the plans that can be joined.

    Parameters
    ----------
    plans : sequence of RenderPlan
        Plans of one shot each.

    Returns
    -------
    list of list of int
        For each group, the places of its plans in `plans`, in order.
    """
    groups: list[list[int]] = []
    for place, plan in enumerate(plans):
        group = next((each for each in groups if alike(plans[each[0]], plan)), None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return groups


def alike(plan: RenderPlan, other: RenderPlan) -> bool:
    """Whether two shots can be joined: everything without an axis of shots is the same.

    Parameters
    ----------
    plan, other : RenderPlan
        Plans of the shots.

    Returns
    -------
    bool
        True if the shots can be in one plan.
    """
    if plan.series is other.series and plan.crystals.series is other.crystals.series:
        # only orientations differ, as in most batches
        return True
    return _alike(plan, other, "shots")


def _alike(one: Any, other: Any, along: str) -> bool:
    """Whether plans, or tables of them, can be joined along an axis."""
    declared = arrays_of(type(one))
    for name in one.__dataclass_fields__:
        value, another = getattr(one, name), getattr(other, name)
        if value is another:
            continue
        if type(value) is not type(another):
            return False
        axes = declared.get(name, ())
        if along in axes:
            same = value is None or _without(value, axes.index(along)) == _without(
                another, axes.index(along)
            )
        elif name == "shape" and isinstance(one, RenderPlan):
            same = value[1:] == another[1:]
        elif is_dataclass(value):
            same = _alike(value, another, along)
        elif isinstance(value, np.ndarray):
            same = _are_equal(value, another)
        else:
            same = value == another
        if not same:
            return False
    return True


def _without(array: np.ndarray, axis: int) -> tuple[int, ...]:
    """Shape of an array without one axis."""
    return array.shape[:axis] + array.shape[axis + 1 :]


def _are_equal(one: np.ndarray, other: np.ndarray) -> bool:
    # structure factors are large, but usually the same array in all shots
    at_one_place = one.ctypes.data == other.ctypes.data and one.strides == other.strides
    return one.shape == other.shape and (at_one_place or bool(np.array_equal(one, other)))
