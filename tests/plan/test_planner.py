"""Plans that share what did not change are those that are made anew."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from cupysim import Experiment, Mosaicity, Scan, from_args
from cupysim.backends.compiled.launch import LaunchMaker
from cupysim.backends.compiled.variants import Precision
from cupysim.plan.joining import alike, groups_of_alike
from cupysim.plan.planning import Planner, make_plan

WORDS = "-cell 70 80 90 80 95 100 -default_F 100 -N 5 -detpixels 16 -misset 1 2 3"

CHANGES: dict[str, dict[str, Any]] = {
    "orientation": {"misset": (0.1, 0.2, 0.3)},
    "number of cells": {"n_cells": (6, 5, 4)},
    "cells and orientation": {"n_cells": (2, 2, 2), "misset": (0.4, 0.2, 0.3)},
    "size": {"size": (3e-8, 4e-8, 5e-8)},
    "shape": {"shape": "round"},
    "fudge": {"fudge": 1.5},
    "mosaicity": {"mosaicity": Mosaicity.from_degrees(1, 3)},
    "nothing": {},
}


def bases() -> list[Experiment]:
    still = from_args(f"{WORDS} -corrected")
    return [
        still,
        from_args(WORDS),
        replace(still, scan=Scan.from_degrees(-1, 2, 4)),
        replace(from_args(WORDS), scan=Scan.from_degrees(-1, 2, 4)),
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two plans, or tables of them, have the same numbers."""
    for field in fields(one):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if hasattr(ours, "__dataclass_fields__"):
            if not same(ours, theirs):
                return False
        elif isinstance(ours, np.ndarray):
            if not np.array_equal(ours, theirs):
                return False
        elif ours != theirs:
            return False
    return True


@pytest.mark.parametrize("base", range(4))
@pytest.mark.parametrize("second", CHANGES)
@pytest.mark.parametrize("third", ["orientation", "number of cells", "size"])
def test_plans_of_a_series(base: int, second: str, third: str) -> None:
    start = bases()[base]
    planner = Planner()
    experiments = [start]
    for changes in (CHANGES[second], CHANGES[third], CHANGES["orientation"], {}):
        crystal = replace(experiments[-1].crystal, **changes)
        experiments.append(replace(experiments[-1], crystal=crystal))
    maker = LaunchMaker()
    for experiment in experiments:
        plan, expected = planner(experiment), make_plan(experiment)
        assert same(plan, expected)
        assert plan.crystals.is_perfect == expected.crystals.is_perfect
        np.testing.assert_array_equal(
            plan.crystals.largest_counts, expected.crystals.largest_counts
        )
        # the kernel is told the same
        shots = slice(0, 1)
        for precision in (Precision.DOUBLE, Precision.PAIRS):
            told = maker(plan, shots, 0, precision)
            anew = LaunchMaker()(expected, shots, 0, precision)
            assert told.tobytes() == anew.tobytes()


def test_groups_of_a_series() -> None:
    """Shots of one series are in one group, those of others where their numbers say."""
    start = bases()[0]
    planner = Planner()
    wide = replace(start, crystal=replace(start.crystal, fudge=2.0))
    turned = [
        replace(each, crystal=replace(each.crystal, misset=(0.1 * n, 0, 0)))
        for n in range(3)
        for each in (start, wide)
    ]
    plans = [planner(experiment) for experiment in turned]
    assert groups_of_alike(plans) == [[0, 2, 4], [1, 3, 5]]
    assert groups_of_alike([make_plan(each) for each in turned]) == [[0, 2, 4], [1, 3, 5]]
    assert alike(plans[0], make_plan(turned[2]))
