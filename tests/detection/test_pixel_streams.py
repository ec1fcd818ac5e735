"""noisify's random streams: compiled code against plain Python, and what corrections change."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupysim.detection.pixel_streams import PixelStreams
from cupysim.maths.nr_random import RandomStream
from cupysim.native import tools
from tests.noisify.support import plain_python

needs_tools = pytest.mark.skipif(not tools.available(), reason="no compiled tools here")

SEEDS = [1, 7, 0, -5, 2147483647, -2147483647, -2147483648, 10**12]
MEANS = [0.0, 0.1, 1.0, 5.0, 11.9, 12.0, 40.0, 1e3, 1e5, 1e6, 2e6, -1.0, -3.0, math.nan]
PIXELS = 10_000
STANDARD_ERRORS = 5.0

Results = list[np.ndarray]


def both(compute: Callable[[], Results]) -> tuple[Results, Results]:
    compiled = compute()
    with plain_python():
        return compiled, compute()


@needs_tools
@settings(max_examples=60)
@given(
    means=st.lists(st.sampled_from(MEANS) | st.floats(0.0, 60.0, width=32), max_size=80),
    seeds=st.tuples(st.sampled_from(SEEDS), st.none() | st.sampled_from(SEEDS)),
    flicker=st.sampled_from([0.0, 0.05, 2.0]),
    calibration=st.sampled_from([0.0, 0.03, 1.5]),
    own=st.tuples(st.booleans(), st.booleans()),
)
def test_compiled_draws_are_those_of_python(
    means: list[float],
    seeds: tuple[int, int | None],
    flicker: float,
    calibration: float,
    own: tuple[bool, bool],
) -> None:
    expected = np.array(means, dtype=np.float32)

    def draw() -> Results:
        streams = PixelStreams(*seeds, *own)
        counts, total = streams.draw(expected, 1.0, flicker, calibration)
        drawn = streams.gaussians(9)
        again, _ = streams.draw(expected, 0.7, flicker, calibration)
        return [counts, np.array(total), drawn, again, streams._state.view(np.uint8)]

    for compiled, plain in zip(*both(draw), strict=True):
        np.testing.assert_array_equal(compiled, plain)


@needs_tools
@pytest.mark.parametrize(("low", "high"), [(0.0, 14.0), (12.0, 300.0), (300.0, 3e4)])
def test_many_compiled_draws(low: float, high: float) -> None:
    expected = np.random.default_rng(3).uniform(low, high, PIXELS).astype(np.float32)

    def draw() -> Results:
        return [PixelStreams(5, 6).draw(expected, 1.0, 0.0, 0.03)[0]]

    (compiled,), (plain,) = both(draw)
    np.testing.assert_array_equal(compiled, plain)


def test_uniform_deviates_are_those_of_the_stream() -> None:
    # the count of a mean of -1 or below is 0, after one deviate; then come normal deviates
    streams, u = PixelStreams(9), RandomStream(9).uniform(200).astype(np.float64)
    streams.draw(np.full(3, -2.0), 1.0, 0.0, 0.0)
    v = (2.0 * u - 1.0)[3:].reshape(-1)[: 2 * 90].reshape(90, 2).astype(np.float32)
    squared = (v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1]).astype(np.float64)
    v, squared = v[(squared > 0) & (squared < 1)], squared[(squared > 0) & (squared < 1)]
    factor = np.sqrt(-2.0 * np.log(squared) / squared).astype(np.float32)
    expected = (v[:, ::-1] * factor[:, None]).reshape(-1)
    np.testing.assert_array_equal(streams.gaussians(len(expected)), expected)


def test_both_seeds_share_the_spare_deviate() -> None:
    # without photons that could come between: two errors of the first pixel are one pair
    streams = PixelStreams(3, 4)
    pair = PixelStreams(3).gaussians(2).astype(np.float64)
    counts, _ = streams.draw(np.array([3e9]), 1.0, 1e-3, 1e-3)
    mean = np.float32(3e9 * (1.0 + 1e-3 * pair[0]) * (1.0 + 1e-3 * pair[1]))
    assert abs(counts[0] - mean) <= 6.0 * math.sqrt(3e9)


@pytest.mark.parametrize("mean", [0.0, 2.0, 30.0, 5e3])
def test_counts_have_the_spread_of_both_errors(mean: float) -> None:
    error = 0.1
    counts, total = PixelStreams(11, 12).draw(np.full(PIXELS, mean), 1.0, 0.0, error)
    variance = mean + (error * mean) ** 2
    assert abs(counts.mean() - mean) <= STANDARD_ERRORS * math.sqrt(variance / PIXELS)
    assert counts.var() == pytest.approx(variance, rel=0.1)
    assert total == counts.sum(dtype=np.float64)


def test_calibration_errors_are_the_same_with_own_tables() -> None:
    bright = np.full(1000, 1e5)

    def shot(seed: int, own: bool) -> np.ndarray:
        return PixelStreams(seed, 8, own_tables=own).draw(bright, 1.0, 0.0, 0.03)[0]

    shared = np.corrcoef(shot(1, False), shot(2, False))[0, 1]
    apart = np.corrcoef(shot(1, True), shot(2, True))[0, 1]
    assert abs(shared) < 0.2
    # 3 % errors, and 0.3 % photon noise
    assert apart > 0.97


def test_photons_above_a_million_need_their_seed_with_an_own_spare() -> None:
    bright = np.full(100, 1e8)

    def shot(seed: int, own: bool) -> np.ndarray:
        return PixelStreams(seed, 8, own_photon_spare=own).draw(bright, 1.0, 0.0, 0.03)[0]

    # the photons of each pixel use the other deviate of the calibration's pair
    np.testing.assert_array_equal(shot(1, False), shot(2, False))
    assert not np.array_equal(shot(1, True), shot(2, True))


def test_first_mean_of_minus_one() -> None:
    counts, _ = PixelStreams(1).draw(np.array([-1.0, -1.0, 0.0, -1.0]), 1.0, 0.0, 0.0)
    # the product of about 100 deviates is below the smallest number of single precision
    assert 60 < counts[0] < 160
    assert 60 < counts[1] < 160
    assert counts[3] == 0.0
