"""Photon noise by seed, shot and pixel: its distribution, and that nothing else decides a count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cupysim import PhotonNoise, Region, from_args, simulate
from cupysim.detection import detector_library
from cupysim.detection.photon_noise import LARGEST_MEAN, TRIALS_FROM
from cupysim.detection.random_numbers import philox
from cupysim.errors import CupysimError
from tests.conftest import Run

LARGEST = 2**31 - 1
MEANS = (0.01, 0.3, 1.0, 5.0, 12.0, 39.9, 40.0, 55.0, 300.0, 1e4, 1e6, 1e9)
DRAWS = 200_000
SIGNIFICANCE = 1e-5
"""Of each chi-squared test. The seeds are fixed, so it is no matter of luck from run to run."""

needs_library = pytest.mark.skipif(
    detector_library.problem() is not None, reason="no compiled library"
)


def drawn(mean: float, seed: int = 11, shot: int = 0) -> np.ndarray:
    rows = np.full((DRAWS // 1000, 1000), mean, dtype=np.float32)
    counts, photons = PhotonNoise(seed, shot).draw(rows, 0, 1000, LARGEST)
    assert photons == counts.sum(dtype=np.float64)
    return counts.reshape(-1)


def test_random_words_are_those_of_philox() -> None:
    """Known answers of Random123 (Salmon et al. (2011))."""
    zero = philox(np.zeros(1, dtype=np.uint64), 0, 0, 0)
    assert [int(word[0]) for word in zero] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = philox(np.full(1, 2**64 - 1, dtype=np.uint64), 0, 2**64 - 1, 2**64 - 1)
    assert [int(word[0]) for word in ones] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


@pytest.mark.parametrize("mean", MEANS)
def test_counts_have_the_poisson_distribution(mean: float) -> None:
    """Chi-squared against SciPy, in classes of equal probability."""
    exact = float(np.float32(mean))
    counts = drawn(mean)
    edges = np.unique(stats.poisson.ppf(np.linspace(0.02, 0.98, 49), exact))
    expected = np.diff(stats.poisson.cdf(edges, exact), prepend=0.0, append=1.0) * DRAWS
    # np.histogram would close the last class on both sides
    observed = np.bincount(np.searchsorted(edges, counts), minlength=len(edges) + 1)
    kept = expected > 5.0
    observed = np.append(observed[kept], observed[~kept].sum())
    expected = np.append(expected[kept], expected[~kept].sum())
    used = expected > 0.0
    statistic = ((observed[used] - expected[used]) ** 2 / expected[used]).sum()
    assert stats.chi2.sf(statistic, used.sum() - 1) > SIGNIFICANCE
    deviation = (counts - exact) / np.sqrt(exact)
    assert abs(deviation.mean()) < 5.0 / np.sqrt(DRAWS)


@needs_library
def test_compiled_code_and_numpy_draw_the_same_counts() -> None:
    rng = np.random.default_rng(0)
    means = (10.0 ** rng.uniform(-3, 9, (20, 700))).astype(np.float32)
    means[0, :7] = 0.0, -1.0, np.nan, 1e-42, 1e15, 40.0, np.nextafter(np.float32(40), np.float32(0))
    means[1] = rng.uniform(0, 60, 700)
    noise = PhotonNoise(2**63 + 5, 2**40 + 1)
    counts, _ = noise.draw(means, 2**33, 10_000, LARGEST)
    for row, some in enumerate(means):
        pixels = np.uint64(2**33 + row * 10_000) + np.arange(700, dtype=np.uint64)
        expected = np.minimum(noise.draw_pixels(some.astype(float), pixels), LARGEST)
        assert (counts[row] == expected).all()


@needs_library
@pytest.mark.parametrize("first", [0, 2**32 - 300])
def test_single_precision_changes_no_count(first: int) -> None:
    """Compiled code draws in single precision first. Rows have an odd length."""
    rng = np.random.default_rng(2)
    means = rng.uniform(0, 45, (40, 5003)).astype(np.float32)
    means[30:] = 10.0 ** rng.uniform(1.5, 12, (10, 5003))
    noise = PhotonNoise(9)
    out = np.full((40, 5010), -1, dtype=np.int32)
    counts, photons = noise.draw(means, first, 5003, LARGEST, out=out[:, 2:5005])
    assert (out[:, 2:5005] == counts).all()
    assert (out[:, :2] == -1).all()
    assert (out[:, 5005:] == -1).all()
    pixels = np.uint64(first) + np.arange(means.size, dtype=np.uint64)
    alone = noise.draw_pixels(means.reshape(-1).astype(float), pixels)
    assert (counts.reshape(-1) == np.minimum(alone, LARGEST)).all()
    assert photons == alone.sum()


@needs_library
def test_threads_and_regions_change_nothing() -> None:
    rng = np.random.default_rng(1)
    means = rng.exponential(30.0, (77, 133)).astype(np.float32)
    noise = PhotonNoise(3, 4)
    whole, photons = replace(noise, threads=1).draw(means, 0, 133, LARGEST)
    again, same = replace(noise, threads=3).draw(means, 0, 133, LARGEST)
    assert (whole == again).all()
    assert photons == same
    part, _ = noise.draw(means[5:70, 9:121], 5 * 133 + 9, 133, LARGEST)
    assert (part == whole[5:70, 9:121]).all()


def test_shots_and_seeds_differ() -> None:
    first = drawn(5.0)
    assert abs(np.corrcoef(first, drawn(5.0, shot=1))[0, 1]) < 0.01
    assert abs(np.corrcoef(first, drawn(5.0, seed=12))[0, 1]) < 0.01
    assert (first == drawn(5.0)).all()


@pytest.mark.parametrize(
    ("mean", "expected"),
    [(np.nan, 0), (-3.0, 0), (0.0, 0), (1e-40, 0), (1e20, LARGEST), (np.inf, LARGEST)],
)
def test_unusual_means(mean: float, expected: int) -> None:
    counts, _ = PhotonNoise(1).draw(np.full((2, 3), mean, dtype=np.float32), 0, 3, LARGEST)
    assert (counts == expected).all()
    pixels = np.arange(3, dtype=np.uint64)
    alone = PhotonNoise(1).draw_pixels(np.full(3, mean), pixels)
    assert (np.minimum(alone, LARGEST) == expected).all()
    assert TRIALS_FROM < LARGEST_MEAN


@pytest.mark.parametrize(("seed", "shot"), [(-1, 0), (2**64, 0), (1, -1), (1.5, 0)])
def test_impossible_seeds(seed: int, shot: int) -> None:
    with pytest.raises(CupysimError, match="photon noise"):
        PhotonNoise(seed, shot)


def test_images_are_counted() -> None:
    experiment = from_args("-cell 100 -default_F 1e4 -N 5 -detpixels 64 -corrected -nodump")
    image = simulate(experiment)
    counts = image.counts(PhotonNoise(5))
    assert counts.dtype == np.int32
    again, photons = image.count_photons(PhotonNoise(5))
    assert (counts == again).all()
    assert photons == counts.sum(dtype=float)
    assert photons == pytest.approx(image.array.sum(), rel=0.05)
    rendering = replace(experiment.rendering, region=Region(10, 39, 20, 49))
    part = simulate(replace(experiment, rendering=rendering))
    inside = part.counts(PhotonNoise(5))
    assert (inside[20:50, 10:40] == counts[20:50, 10:40]).all()
    assert inside[:20].max() == 0


def test_command(run: Run) -> None:
    words = "-cell 100 -default_F 1e4 -N 5 -detpixels 64 -nodump -noprogress -seed 7"
    first = run(f"{words} -noise fast -noisefile first.img -provenance run.json")
    second = run(f"{words} -noise fast -noisefile second.img")
    other = run(f"{words} -noisefile other.img")
    assert first.status == second.status == other.status == 0
    assert first.files["first.img"][512:] == second.files["second.img"][512:]
    assert first.files["first.img"][512:] != other.files["other.img"][512:]
    assert run("rerun run.json", *()).status == 0
    wrong = run(f"{words} -noise slow")
    assert wrong.status == 9
    assert "-noise" in wrong.err
