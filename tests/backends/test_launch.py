"""The kernel's launch is filled completely, whatever axes the arrays of a plan have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.backends.compiled import launch, records
from cupysim.backends.compiled.records import struct_type
from cupysim.backends.compiled.variants import Precision
from cupysim.plan.axes import Axes, Table, tables_of
from cupysim.plan.planning import make_plan

CURVED = "-cell 30 40 50 90 90 90 -N 5 -default_F 10 -curved_det -detpixels 12"


def test_every_member_is_filled_from_the_plan_or_for_each_launch() -> None:
    """A member without a source would stay zero without a word."""
    plan, shots = make_plan(from_args(CURVED)), slice(0, 1)
    filled = {name for table in tables_of(plan) for name in launch._of_same_name(table, shots, 0)}
    filled |= set(launch._of_crystals(plan)) | set(launch._others(plan))
    filled |= set(launch._of_orientations(plan, shots, Precision.PAIRS))
    assert not filled & launch.OF_EACH_LAUNCH
    assert filled | launch.OF_EACH_LAUNCH == set(struct_type("Launch").names)


UNFILLED = -(2**62)


def test_every_source_and_crystal_has_all_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are made in memory that nobody filled."""
    plan, shots, make = make_plan(from_args(CURVED)), slice(0, 1), np.zeros

    def unfilled(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        made = make(shape, dtype)
        for name in made.dtype.names or ():
            made[name] = UNFILLED
        return made

    monkeypatch.setattr(np, "empty", unfilled)
    for kind, made in (
        ("Source", records.source_records(plan, shots)),
        ("Crystal", records.crystal_records(plan, shots)),
    ):
        for name in struct_type(kind).names or ():
            assert (made[name] != UNFILLED).all(), (kind, name)


@dataclass(frozen=True)
class Gains(Table):
    attenuation: Annotated[np.ndarray, Axes("panels")]
    pixel_fast: Annotated[np.ndarray, Axes("shots", "panels")]
    close_distance: Annotated[np.ndarray, Axes("shots")]


def test_arrays_are_sliced_by_the_names_of_their_axes() -> None:
    """One for each panel is not one for each shot, though the numbers are the same."""
    gains = Gains(
        np.array([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3), np.array([7.0, 8.0, 9.0])
    )
    found = launch._of_same_name(gains, slice(0, 3), 1)
    assert found["attenuation"] == 2.0
    np.testing.assert_array_equal(found["pixel_fast"], [1.0, 4.0, 7.0])
    np.testing.assert_array_equal(found["close_distance"], [7.0, 8.0, 9.0])
