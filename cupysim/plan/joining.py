"""Plans of several crystals in a shot, and of several shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import ModelError
from cupysim.plan.render_plan import RenderPlan

OF_SHOTS = {
    "RenderPlan": ("background", "ray_background", "photons_per_squared_electron"),
    "Panels": ("origin", "fast", "slow", "normal", "close_distance"),
    "SourceTable": ("incident", "wavelength", "weight"),
    "CrystalTable": (
        "phi_cells", "first_cell", "mosaic_rotations", "spot_axes", "spot_counts", "n_cells",
    ),
}  # fmt: skip
"""What has an axis of shots, the first, by the class which holds it."""


def add_crystals(plans: Sequence[RenderPlan]) -> RenderPlan:
    """A shot of several crystals, whose photons add up.

    Parameters
    ----------
    plans : sequence of RenderPlan
        One for each crystal; what is not the crystal's is taken from the first.

    Returns
    -------
    RenderPlan
        All of them.

    Raises
    ------
    ModelError
        If they have other numbers of steps, other shapes, or only some are interpolated.
    """
    first = plans[0]
    if len(plans) == 1:
        return first
    for plan in plans:
        alike = plan.crystals.mosaic_rotations.shape == first.crystals.mosaic_rotations.shape
        if not alike or plan.n_steps != first.n_steps:
            raise ModelError("crystals of a shot have the same numbers of domains and sub-pixels")
        if (plan.crystals.shape, plan.crystals.fudge) != (
            first.crystals.shape,
            first.crystals.fudge,
        ):
            raise ModelError("crystals of a shot have the same shape and fudge")
        if plan.factors.interpolate != first.factors.interpolate:
            raise ModelError("crystals of a shot are interpolated all or none; give -interpolate")
    all_of = [plan.crystals for plan in plans]
    at_zero = [each.first_cell for each in all_of if each.first_cell is not None]
    crystals = replace(
        first.crystals,
        phi_cells=np.concatenate([each.phi_cells for each in all_of], axis=1),
        first_cell=np.concatenate(at_zero, axis=1) if at_zero else None,
        mosaic_rotations=np.concatenate([each.mosaic_rotations for each in all_of], axis=1),
        spot_axes=np.concatenate([each.spot_axes for each in all_of], axis=1),
        spot_counts=np.concatenate([each.spot_counts for each in all_of], axis=1),
        n_cells=np.concatenate([each.n_cells for each in all_of], axis=1),
    )
    return replace(first, crystals=crystals)


def add_shots(plans: Sequence[RenderPlan]) -> RenderPlan:
    """Several shots as one plan.

    Parameters
    ----------
    plans : sequence of RenderPlan
        One for each shot, `alike` the first.

    Returns
    -------
    RenderPlan
        All of them.
    """
    if len(plans) == 1:
        return plans[0]
    n_shots = sum(plan.shape[0] for plan in plans)
    return _joined(plans, shape=(n_shots, *plans[0].shape[1:]))


def _joined(parts: Sequence[Any], **changed: Any) -> Any:
    """A plan, or a table of one, with the shots of all."""
    for field in fields(parts[0]):
        values = [getattr(part, field.name) for part in parts]
        if field.name in OF_SHOTS.get(type(parts[0]).__name__, ()):
            if values[0] is not None:
                changed[field.name] = np.concatenate(values)
        elif type(values[0]).__name__ in OF_SHOTS:
            changed[field.name] = _joined(values)
    return replace(parts[0], **changed)


def alike(plan: RenderPlan, other: RenderPlan) -> bool:
    """Whether two shots can be in one plan: all that has no axis of shots is the same.

    Parameters
    ----------
    plan, other : RenderPlan
        The shots.

    Returns
    -------
    bool
        Whether they can.
    """
    return plan.shape[1:] == other.shape[1:] and _alike(plan, other)


def _alike(one: Any, other: Any) -> bool:
    for field in fields(one):
        value, another = getattr(one, field.name), getattr(other, field.name)
        if value is another:
            continue
        if type(value) is not type(another):
            return False
        if field.name in OF_SHOTS.get(type(one).__name__, ()):
            same = value is None or value.shape[1:] == another.shape[1:]
        elif field.name == "shape" and isinstance(one, RenderPlan):
            same = True
        elif is_dataclass(value):
            same = _alike(value, another)
        elif isinstance(value, np.ndarray):
            same = _are_equal(value, another)
        else:
            same = value == another
        if not same:
            return False
    return True


def _are_equal(one: np.ndarray, other: np.ndarray) -> bool:
    # structure factors are large, and the same array in all shots
    at_one_place = one.ctypes.data == other.ctypes.data and one.strides == other.strides
    return one.shape == other.shape and (at_one_place or bool(np.array_equal(one, other)))
