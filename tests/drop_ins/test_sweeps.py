"""The rules which complete ranges, steps and counts."""

from __future__ import annotations

import math
import warnings

import pytest

from cupysim.drop_ins.sweeps import complete_oscillation, complete_sweep
from cupysim.errors import CupysimWarning, ModelError
from cupysim.models.sampling import Sweep, recommended_oversample
from cupysim.quirks import QuirkWarning

DEGREE = math.radians(1.0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None), (0, 0, 1)),
        ((None, 0.2, None), (0.2, 0.2, 2)),
        ((0.2, None, None), (0.2, 0.2, 2)),
        ((0.2, 0.05, None), (0.2, 0.05, 4)),
        ((None, None, 4), (1.0, 0.25, 4)),
        ((None, 0.2, 5), (0.2, 0.2, 2)),
        ((0.2, None, 5), (0.2, 0.05, 5)),
        ((0.2, None, 1), (0.2, 0.2, 2)),
        ((0.2, 0.03, 5), (0.2, 0.03, 5)),
        ((0.0, None, 5), (0, 0, 1)),
        ((0.0, 0.1, 5), (0, 0, 1)),
        ((-1.0, None, 3), (1.0, 1 / 3, 3)),
        ((0.28, 0.02, None), (0.28, 0.02, 15)),
    ],
)
def test_divergence(
    given: tuple[float | None, float | None, int | None], expected: tuple[float, float, int]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        sweep = complete_sweep(*given, "hdiv")
    assert (sweep.range, sweep.step) == pytest.approx(expected[:2])
    assert sweep.count == expected[2]


def test_sensor_differs() -> None:
    assert complete_sweep(450e-6, None, None, "sensor") == Sweep(450e-6, 225e-6, 2)
    assert complete_sweep(-5e-6, None, 5, "sensor") == Sweep(0.5e-6, 0.5e-6 / 5, 5)


@pytest.mark.parametrize(
    ("given", "expected", "lost"),
    [
        ((None, None, None), (0, 0, 1), False),
        ((None, 0.5, None), (0.5, 0.5, 2), False),
        ((2.0, None, None), (2.0, 1.0, 2), False),
        ((0.0, None, None), (0.0, 0.0, 2), False),
        ((0.9, 0.3, None), (0.9, 0.3, 4), False),
        ((None, None, 4), (1.0, 0.25, 4), False),
        ((None, None, 0), (1.0, 1.0, 1), False),
        ((None, 0.1, 10), (0.1, 0.1, 2), True),
        ((2.0, None, 4), (2.0, 0.5, 4), False),
        ((2.0, 0.1, 4), (2.0, 0.1, 4), False),
        ((2.0, 0.0, 4), (2.0, 0.0, 4), False),
    ],
)
def test_oscillation(
    given: tuple[float | None, float | None, int | None],
    expected: tuple[float, float, int],
    lost: bool,
) -> None:
    # degrees as the command line has them: 0.9/0.3 is above 3 in radians
    osc, step = (None if x is None else x / 57.29577951308232 for x in given[:2])
    sweep, was_lost = complete_oscillation(osc, step, given[2])
    assert (sweep.range / DEGREE, sweep.step / DEGREE) == pytest.approx(expected[:2])
    assert (sweep.count, was_lost) == (expected[2], lost)


def test_warnings() -> None:
    with pytest.warns(QuirkWarning, match="a step without a range is rendered as 2 steps, not 7"):
        complete_sweep(None, 0.1, 7, "hdiv")
    with pytest.warns(QuirkWarning, match="without a range means 1 radian"):
        complete_sweep(None, None, 7, "vdiv")


def test_oversampling() -> None:
    assert recommended_oversample(289.86e-10, 1e-10, 0.06, 0.8e-3) == 12
    for distance in (1.0, -1.0, 0.0):
        assert recommended_oversample(1e-10, 1e-10, distance, 1e-4) == 1
    with pytest.raises(ModelError, match="give -oversample, or a smaller crystal"):
        recommended_oversample(1.0, 1e-10, 1.0, 1e-4)


@pytest.mark.parametrize("count", [0, -1, 2_000_000])
def test_impossible_sweeps(count: int) -> None:
    with pytest.raises(ModelError):
        Sweep(1.0, 1.0, count)
