"""Corrections of noisify's quirks: each gives an image that another way gives too."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import convolve2d

from cupysim.maths import point_spread
from tests.conftest import Run
from tests.noisify.support import WITHOUT_ERRORS, pixels, save

SHAPE = (40, 50)
SIZE = "-detpixels_x 50"
START = f"noisify -bin in.bin {SIZE}"
STANDARD_ERRORS = 5.0


def test_flicker_of_the_image(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 1e4))
    sums = []
    for seed in range(1, 31):
        words = f"{START} -seed {seed} {WITHOUT_ERRORS} -flicker 0.2 -corrected NQ5"
        image = pixels(run(words), SHAPE)
        # all pixels have one factor, and only photon noise besides
        assert image.std() < 1.2 * math.sqrt(image.mean())
        sums.append(image.mean() / 1e4)
    assert np.std(sums) == pytest.approx(0.2, rel=0.5)


def test_calibration_errors_stay_from_shot_to_shot(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 4e4))

    def shot(seed: int, words: str) -> np.ndarray:
        return pixels(run(f"{START} -seed {seed} -calib_seed 3 -adc 0 {words}"), SHAPE).ravel()

    assert abs(np.corrcoef(shot(1, ""), shot(2, ""))[0, 1]) < 0.1
    assert np.corrcoef(shot(1, "-corrected NQ7"), shot(2, "-corrected NQ7"))[0, 1] > 0.95


def test_rounding(run: Run, tmp_path: Path) -> None:
    values = np.linspace(0.0, 50.0, 2000).reshape(SHAPE).astype(np.float32)
    save(tmp_path, values)
    words = f"{START} -nonoise -adc 0.25 -gain 1.5"
    exact = 1.5 * values.astype(np.float64) + 0.25
    truncated = pixels(run(words), SHAPE, "intimage.img")
    rounded = pixels(run(f"{words} -corrected NQ14"), SHAPE, "intimage.img")
    assert (truncated - exact).mean() == pytest.approx(-0.5, abs=0.05)
    np.testing.assert_array_equal(rounded, np.floor(exact + 0.5))


def test_32_bits_without_noise(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 2e5))
    words = f"{START} -nonoise -bits 32 -adc 0"
    assert (pixels(run(words), SHAPE, "intimage.img") == 65535).all()
    outcome = run(f"{words} -corrected NQ16")
    assert (pixels(outcome, SHAPE, "intimage.img") == 200_000).all()
    # the picture is that of the image of 16 bits
    assert outcome.files["image.pgm"][-1] == 255


def test_no_light_comes_back_on_the_left(run: Run, tmp_path: Path) -> None:
    light = np.zeros(SHAPE)
    light[20, -1] = 1e6
    save(tmp_path, light)
    words = f"{START} -nonoise -adc 0 -psf gauss -psf_fwhm 200"
    with_slip = pixels(run(words), SHAPE, "intimage.img")
    without = pixels(run(f"{words} -corrected NQ18"), SHAPE, "intimage.img")
    assert with_slip[21, 0] > 1000
    assert without[:, 0].max() <= 1
    np.testing.assert_array_equal(with_slip[:, 1:], without[:, 1:])


@pytest.mark.parametrize(("name", "word"), [("gaussian", "gauss"), ("fibre", "fiber")])
def test_light_is_convolved(name: str, word: str, run: Run, tmp_path: Path) -> None:
    light = np.random.default_rng(8).uniform(0.0, 100.0, SHAPE).astype(np.float32)
    save(tmp_path, light)
    words = f"{START} -nonoise -adc 0 -psf {word} -psf_fwhm 200 -photonfile p.bin -corrected NQ19"
    found = np.frombuffer(run(words).files["p.bin"], dtype=np.float32).reshape(SHAPE)
    # the circle of this table is beyond all pixels
    kernel = point_spread.kernel(name, 2.0, 70)
    expected = convolve2d(light.astype(np.float64), kernel)[70 : 70 + SHAPE[0], 70 : 70 + SHAPE[1]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_values_below_zero(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.zeros(SHAPE))
    words = f"{START} -seed 1 {WITHOUT_ERRORS} -readout 5"
    assert pixels(run(words), SHAPE).max() > 65000
    clipped = pixels(run(f"{words} -corrected NQ22"), SHAPE)
    assert clipped.max() < 40
    assert np.count_nonzero(clipped == 0) > SHAPE[0] * SHAPE[1] / 2


def test_weak_pixels_stay(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 0.008))
    words = f"{START} -nonoise -gain 1e5 -adc 0 -psf gauss -psf_fwhm 40"
    assert not pixels(run(words), SHAPE, "intimage.img").any()
    kept = pixels(run(f"{words} -corrected NQ23"), SHAPE, "intimage.img")
    np.testing.assert_allclose(kept[2:-2, 2:-2], 800, rtol=0.01)


def test_photons_above_a_million_have_noise_of_their_own(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 1e8))
    # so small an error changes no pixel, but its pairs have spare deviates
    words = f"{START} -calib_seed 5 -calibration 1e-12 -adc 0 -bits 32"
    first, second = (pixels(run(f"{words} -seed {n}"), SHAPE) for n in (1, 2))
    np.testing.assert_array_equal(first, second)
    first, second = (
        pixels(run(f"{words} -seed {n} -corrected NQ24"), SHAPE).astype(float) for n in (1, 2)
    )
    spread = (first - second).std() / math.sqrt(2.0)
    assert spread == pytest.approx(1e4, rel=0.1)


def test_all_corrections_at_once(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 50.0))
    outcome = run(f"{START} -seed 1 -psf fiber -readout 2 -flicker 0.01 -corrected")
    assert outcome.status == 0, outcome.err
    assert "NQ5" not in outcome.err
    assert "NQ7" not in outcome.err
    assert "NQ18" not in outcome.err
    image = pixels(outcome, SHAPE)
    assert 60 < image.mean() < 100


FAST = "-noise fast"


def test_fast_noise_has_the_same_statistics(run: Run, tmp_path: Path) -> None:
    expected = np.tile(np.array([0.5, 4.0, 30.0, 2000.0, 3e6]), 400).reshape(SHAPE)
    save(tmp_path, expected)
    words = f"{START} -seed 3 -calib_seed 4 -adc 100 -calibration 0.05 -readout 2 -bits 32 {FAST}"
    image = pixels(run(words), SHAPE).reshape(-1, 5) - 100.0
    means = expected.reshape(-1, 5)[0]
    variances = means + (0.05 * means) ** 2 + 4.0
    errors = np.sqrt(variances / 400)
    # truncation takes half a unit
    assert (np.abs(image.mean(axis=0) + 0.5 - means) < STANDARD_ERRORS * errors + 0.01).all()
    np.testing.assert_allclose(image.var(axis=0), variances, rtol=0.35)


def test_fast_noise_depends_on_seeds_only(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 4e4))

    def shot(words: str) -> np.ndarray:
        return pixels(run(f"{START} -adc 0 {FAST} {words}"), SHAPE).ravel()

    first = shot("-seed 1 -calib_seed 2")
    np.testing.assert_array_equal(first, shot("-seed 1 -calib_seed 2 -threads 3"))
    assert np.corrcoef(first, shot("-seed 5 -calib_seed 2"))[0, 1] > 0.95
    assert abs(np.corrcoef(first, shot("-seed 1 -calib_seed 3"))[0, 1]) < 0.1


def test_fast_flicker_of_pixels_and_of_the_image(run: Run, tmp_path: Path) -> None:
    save(tmp_path, np.full(SHAPE, 1e4))
    words = f"{START} -seed 2 {WITHOUT_ERRORS} -flicker 0.1 {FAST}"
    assert pixels(run(words), SHAPE).std() == pytest.approx(1e3, rel=0.1)
    image = pixels(run(f"{words} -corrected NQ5"), SHAPE)
    assert image.std() < 1.2 * math.sqrt(image.mean())
