"""Photon counts: their distribution, and independence of how they are asked for."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest

from cupysim.detection.poisson import PoissonNoise, log_gamma
from cupysim.maths.nr_random import RandomStream
from tests.noisify.support import plain_python

DRAWS = 20_000
STANDARD_ERRORS = 5.0
"""A right mean is missed by more once in two million draws; the seed is fixed anyway."""


@pytest.mark.parametrize("mean", [0.0, 0.3, 5.0, 11.9, 12.0, 80.0, 3e4, 9.9e5, 4e6])
def test_mean_and_variance(mean: float) -> None:
    counts = PoissonNoise(RandomStream(11)).draw(np.full(DRAWS, mean, dtype=np.float32))
    error = math.sqrt(mean / DRAWS)
    assert abs(counts.mean() - mean) <= STANDARD_ERRORS * error
    spread = math.sqrt((2 * mean**2 + mean) / DRAWS)
    assert abs(counts.var() - mean) <= STANDARD_ERRORS * spread
    if mean < 1e6:
        np.testing.assert_array_equal(counts, np.round(counts))


def test_draws_depend_on_order_only() -> None:
    means = np.random.default_rng(2).uniform(0, 40, 70_000).astype(np.float32)
    whole = PoissonNoise(RandomStream(5)).draw(means.reshape(700, 100))
    noise = PoissonNoise(RandomStream(5))
    parts = np.concatenate([noise.draw(means[:1000]), noise.draw(means[1000:])])
    np.testing.assert_array_equal(whole.reshape(-1), parts)


def test_negative_expectations_count_nothing() -> None:
    counts = PoissonNoise(RandomStream(5)).draw(np.array([-1e-3, -1e30], dtype=np.float32))
    np.testing.assert_array_equal(counts, [0.0, 0.0])


@pytest.mark.parametrize("compiled", [True, False])
def test_a_mean_that_is_no_number_uses_two_deviates(compiled: bool) -> None:
    means = np.array([np.nan, 0.0, 40.0], dtype=np.float32)
    with contextlib.nullcontext() if compiled else plain_python():
        first, *others = PoissonNoise(RandomStream(5)).draw(means)
    assert math.isnan(first)
    # each mean of zero uses one
    expected = PoissonNoise(RandomStream(5)).draw(np.array([0, 0, 0, 40], dtype=np.float32))
    np.testing.assert_array_equal(others, expected[2:])


@pytest.mark.parametrize("x", [1.0, 2.5, 13.0, 1e5])
def test_log_gamma(x: float) -> None:
    assert log_gamma(x) == pytest.approx(math.lgamma(x), rel=2e-7, abs=2e-7)
