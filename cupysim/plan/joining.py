"""Join plans: several crystals in one shot, and several shots in one plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import ModelError
from cupysim.plan.axes import arrays_of, table_names
from cupysim.plan.culling import without_background
from cupysim.plan.render_plan import RenderPlan, Use


def add_crystals(plans: Sequence[RenderPlan]) -> RenderPlan:
    """Join the plans of several crystals to one shot; the photons of the crystals add up.

    Neighbouring crystals that differ only in orientation, cell and number of cells share a plan.
    Each group of others has a plan of its own in `RenderPlan.further`, without the background.

    Parameters
    ----------
    plans : sequence of RenderPlan
        One plan for each crystal, with the same beam, detector, scan and background. A crystal
        may have several kinds of domains.

    Returns
    -------
    RenderPlan
        Plan with all crystals, in the given order.

    Raises
    ------
    ModelError
        If beam, detector or sub-pixels differ.
    """
    return add_kinds([_numbered(part, n) for n, plan in enumerate(plans, 1) for part in plan.parts])


def _numbered(plan: RenderPlan, number: int) -> RenderPlan:
    """The plan of a crystal with another number."""
    numbers = np.full((plan.shape[0], plan.crystals.n_crystals), number)
    return plan.with_crystals(replace(plan.crystals, numbers=numbers))


def add_kinds(plans: Sequence[RenderPlan]) -> RenderPlan:
    """Join plans, of crystals or of kinds of their domains; the numbers of crystals stay.

    Parameters
    ----------
    plans : sequence of RenderPlan
        Plans without further ones, see `add_crystals`.

    Raises
    ------
    ModelError
        If beam, detector or sub-pixels differ.
    """
    first, groups = plans[0], [[plans[0]]]
    for plan in plans[1:]:
        if not _same_rays(first, plan):
            raise ModelError("crystals of a shot must have the same beam, detector and sub-pixels")
        before = groups[-1][0]
        # running products would continue from one crystal to the next (quirk Q14)
        own = before.diffuse.n_operations or Use.RUNNING in before.uses
        if _alike(before, plan, "crystals") and not own:
            groups[-1].append(plan)
        else:
            groups.append([plan])
    joined = [
        group[0] if len(group) == 1
        else replace(group[0], crystals=_joined([plan.crystals for plan in group], "crystals"))
        for group in groups
    ]  # fmt: skip
    if len(joined) == 1:
        return joined[0]
    return replace(joined[0], further=tuple(without_background(plan) for plan in joined[1:]))


def _same_rays(plan: RenderPlan, other: RenderPlan) -> bool:
    """Whether the rays of two plans are the same: beam, detector, region and sub-pixels."""
    same = (
        (each.shape, each.rows, each.columns, each.oversample, each.uses, each.dmin)
        for each in (plan, other)
    )
    if next(same) != next(same) or (plan.mask is None) is not (other.mask is None):
        return False
    if plan.mask is not None and other.mask is not None and not _are_equal(plan.mask, other.mask):
        return False
    # sources choose among the structure factors of each crystal
    sources = other.sources.with_same_axes(channel=plan.sources.channel)
    return _alike(plan.sources, sources, "") and _alike(plan.panels, other.panels, "")


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
    return replace(
        plan,
        shape=shape,
        mask=mask,
        fractions=None if plan.fractions is None else plan.fractions[only],
        path_image=None if plan.path_image is None else plan.path_image[only],
        panels=replace(plan.panels, **arrays),
        further=tuple(of_panel(each, panel) for each in plan.further),
    )


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
    if plan.further or other.further:
        return False
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
