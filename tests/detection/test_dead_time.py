"""Dead times: mean counts, variances and distributions against formulas and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cupysim.detection.counter import Counter
from cupysim.detection.dead_time import DeadTime, DeadTimeModel, PulseTimes
from cupysim.detection.response import Response
from cupysim.errors import ModelError
from tests.detection.responses import exposure, grid_of

SIGMAS = 5.0

MODELS = [
    (DeadTimeModel.NON_PARALYSABLE, 1.0),
    (DeadTimeModel.PARALYSABLE, 1.0),
    (DeadTimeModel.RETRIGGER, 1.0),
    (DeadTimeModel.RETRIGGER, 1.7),
]


def simulated(model: DeadTimeModel, rate: float, pulse: float, ratio: float, n: int) -> np.ndarray:
    """Counts of exposures of one second, by a clock that looks at every event."""
    rng = np.random.default_rng(11)
    result = np.empty(n)
    for shot in range(n):
        times = np.sort(rng.uniform(size=rng.poisson(rate)))
        counts, free_at, pulse_end = 0, -1.0, -1.0
        for time in times:
            while model is DeadTimeModel.RETRIGGER and free_at < time and pulse_end > free_at >= 0:
                # at the end of the dead time a pulse lasts
                counts += 1
                free_at += ratio * pulse
            is_high = pulse_end > time
            pulse_end = time + pulse
            if model is DeadTimeModel.PARALYSABLE:
                counts += not is_high
            elif time > free_at:
                counts += 1
                free_at = time + (ratio if model is DeadTimeModel.RETRIGGER else 1.0) * pulse
        while model is DeadTimeModel.RETRIGGER and 0 <= free_at < 1.0 and pulse_end > free_at:
            counts += 1
            free_at += ratio * pulse
        result[shot] = counts
    return result


def drawn(
    model: DeadTimeModel, rate: float, pulse: float, ratio: float, n: int = 100
) -> np.ndarray:
    retrigger = ratio * pulse if model is DeadTimeModel.RETRIGGER else 0.0
    response = Response(Counter(dead_time=DeadTime(model, pulse, retrigger)))
    image = np.full((n, n), rate, dtype=np.float32)
    return response.detect(image, grid_of(n, n), exposure(duration=1.0)).raw.astype(np.float64)


@pytest.mark.parametrize(("model", "ratio"), MODELS)
@pytest.mark.parametrize(("rate", "busy"), [(2.0, 0.1), (8.0, 0.3), (30.0, 0.6), (50.0, 1.5)])
def test_few_photons_are_counted_as_in_a_simulation(
    model: DeadTimeModel, ratio: float, rate: float, busy: float
) -> None:
    pulse = busy / rate
    truth = simulated(model, rate, pulse, ratio, 2000)
    found = drawn(model, rate, pulse, ratio)
    error = math.sqrt(truth.var() / 2000 + found.var() / found.size)
    assert found.mean() == pytest.approx(truth.mean(), abs=SIGMAS * error)
    assert found.var() == pytest.approx(truth.var(), rel=SIGMAS * math.sqrt(2 / 2000) + 0.02)


@pytest.mark.parametrize(("model", "ratio"), MODELS)
@pytest.mark.parametrize(("rate", "busy"), [(1000.0, 0.002), (1000.0, 0.3), (5000.0, 1.2)])
def test_many_photons_are_counted_as_in_a_simulation(
    model: DeadTimeModel, ratio: float, rate: float, busy: float
) -> None:
    pulse = busy / rate
    truth = simulated(model, rate, pulse, ratio, 300)
    found = drawn(model, rate, pulse, ratio)
    error = math.sqrt(truth.var() / 300 + found.var() / found.size)
    # edges of the exposure change the mean by less than one count
    assert found.mean() == pytest.approx(truth.mean(), abs=SIGMAS * error + 0.5)
    assert found.var() == pytest.approx(truth.var(), rel=SIGMAS * math.sqrt(2 / 300))


@pytest.mark.parametrize("x", [0.01, 0.3, 1.0, 3.0])
def test_mean_counts_follow_the_known_curves(x: float) -> None:
    n = 1e5
    curves = {
        DeadTimeModel.NON_PARALYSABLE: n / (1 + x),
        DeadTimeModel.PARALYSABLE: n * math.exp(-x),
        DeadTimeModel.RETRIGGER: n / (x + math.exp(-x)),
    }
    for model, expected in curves.items():
        times = PulseTimes(model, x / n, x / n)
        assert times.moments(np.array(n))[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("x", [0.01, 0.3, 1.0])
@pytest.mark.parametrize(("model", "ratio"), MODELS)
def test_slope_is_the_derivative_of_the_mean(x: float, model: DeadTimeModel, ratio: float) -> None:
    n, step = 1e5, 1.0
    times = PulseTimes(model, x / n, ratio * x / n)
    low, high = (float(times.moments(np.array(n + d))[0]) for d in (-step, step))
    assert times.slope(np.array(n)) == pytest.approx((high - low) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("model", "ratio"), MODELS)
def test_correction_is_the_inverse_of_the_mean(model: DeadTimeModel, ratio: float) -> None:
    times = PulseTimes(model, 1e-4, ratio * 1e-4)
    photons = np.array([0.0, 1.0, 50.0, 1000.0, 9000.0])
    if model is DeadTimeModel.PARALYSABLE:
        photons[-1] = 7000.0  # beyond 10000, the counts fall again
    counts = times.moments(photons)[0]
    np.testing.assert_allclose(times.corrected(counts), photons, rtol=1e-9)
    assert (times.corrected(np.array([9e9])) > 1e20).all()


@pytest.mark.parametrize("model", list(DeadTimeModel))
def test_corrected_counts_have_the_right_mean(model: DeadTimeModel) -> None:
    counter = Counter(dead_time=DeadTime(model, 2e-4), rate_correction=True)
    image = np.full((200, 200), 800.0, dtype=np.float32)
    found = Response(counter).detect(image, grid_of(200, 200), exposure(duration=1.0)).raw
    assert found.mean() == pytest.approx(800.0, rel=0.003)


def test_overlaps_of_few_photons_have_their_exact_probability() -> None:
    """Among n points, all gaps are longer than t with the probability (1 - (n - 1) t)^n."""
    times = PulseTimes(DeadTimeModel.PARALYSABLE, 0.02, 0.0)
    none, at_most_one = times.overlap_probabilities()
    rng = np.random.default_rng(3)
    for n in (2, 5, 9):
        gaps = np.diff(np.sort(rng.uniform(size=(200_000, n)), axis=1), axis=1)
        overlaps = (gaps <= 0.02).sum(axis=1)
        assert none[n] == pytest.approx((overlaps == 0).mean(), abs=0.006)
        assert at_most_one[n] == pytest.approx((overlaps <= 1).mean(), abs=0.006)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (("paralyzable", 1e-7), "model"),
        (("paralysable", 0.0), "pulse"),
        (("paralysable", 1e-7, 1e-7), "retrigger"),
        (("retrigger", 2e-7, 1e-7), "shorter"),
    ],
)
def test_impossible_dead_times(values: tuple[object, ...], word: str) -> None:
    with pytest.raises(ModelError, match=word):
        DeadTime(*values)  # type: ignore[arg-type]


def test_a_dead_time_is_shorter_than_the_exposure() -> None:
    response = Response(Counter(dead_time=DeadTime("paralysable", 1.0)))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="exposure"):
        response.detect(np.ones((2, 2), dtype=np.float32), grid_of(2, 2), exposure())
