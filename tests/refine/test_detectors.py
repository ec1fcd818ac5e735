"""Fits of images as detectors read them out: the parameters, and their uncertainties.

The uncertainties are right if the differences from the truth, over the uncertainties (pulls), have
the mean 0 and the width 1.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import Water, fit, from_args, read_response, simulate
from cupysim.cli.main import main
from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.response import Response
from cupysim.image.detected_image import detector_model
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.refine.detector_model import DetectorModel

MODEL = (
    "-cell 50 60 70 90 95 90 -default_F 300 -N 12 -detpixels 100 -distance 60 -pixel 0.15 "
    "-lambda 1 -corrected -water 0.02 -oversample 2"
)
TRUTH = "10 20 30"
START = "10.02 20.01 29.98"
FREE = "misset,scale,distance"
VALUES = np.array([10.0, 20.0, 30.0, 1.0, 60.0])

MEAN, WIDTH = 0.2, 0.15
"""Largest difference of the pulls' mean from 0 and of their width from 1, for 200 fits."""


def pulls(response: Response, fluence: float, fits: int) -> tuple[np.ndarray, int]:
    image = simulate(from_args(f"{MODEL} -fluence {fluence:g} -misset {TRUTH}"))
    start = from_args(f"{MODEL} -fluence {fluence:g} -misset {START}")
    found, converged = [], 0
    for shot in range(fits):
        raw = image.detect(response, seed=100, shot=shot).raw
        refined = fit(start, raw, FREE, response=response, search=0)
        found.append((refined.values - VALUES) / refined.sigmas)
        converged += refined.converged
    return np.array(found), converged


@pytest.mark.parametrize(
    ("name", "fluence"), [("jungfrau", 3e25), ("jungfrau", 1e28), ("eiger", 1e28)]
)
def test_uncertainties_are_calibrated(name: str, fluence: float) -> None:
    found, converged = pulls(read_response(name), fluence, 200)
    assert converged >= 198
    assert np.abs(found.mean(axis=0)).max() < MEAN
    assert np.abs(found.std(axis=0) - 1.0).max() < WIDTH


@pytest.mark.parametrize("noise", [400.0, 3000.0])
def test_noise_of_the_read_out_is_weighed(noise: float) -> None:
    """With noise of about a photon, few counts cannot be told from noise."""
    analogue = Analogue(3.66, 0.1, (Gain(0.01, noise, 500.0, 1e6),), pedestal_drift=0.0)
    response = Response(analogue, pixel_type="uint16")
    found, converged = pulls(response, 1e27, 60)
    assert converged >= 59
    assert np.abs(found.mean(axis=0)).max() < MEAN * np.sqrt(200 / 60)
    assert np.abs(found.std(axis=0) - 1.0).max() < WIDTH * np.sqrt(200 / 60)


@pytest.mark.parametrize("after", [False, True])
def test_spread_photons_are_fitted(after: bool) -> None:
    """If counts spread, pixels share their noise, which makes uncertainties larger."""
    spread = PointSpread("gaussian", 300e-6, after_counting=after)
    response = Response(Counter(), point_spread=spread)
    if after:
        analogue = Analogue(1500.0, 1.0, (Gain(0.001, 5.0, 50.0, 1e7),))
        response = Response(analogue, point_spread=spread, pixel_type="uint16")
    found, converged = pulls(response, 3e26, 60)
    assert converged >= 59
    assert np.abs(found.mean(axis=0)).max() < MEAN * np.sqrt(200 / 60)
    assert np.abs(found.std(axis=0) - 1.0).max() < WIDTH * np.sqrt(200 / 60)


@pytest.mark.parametrize("shared", [False, True])
def test_variance_of_the_model_is_that_of_images(shared: bool) -> None:
    gains = (Gain(0.001, 20.0, 300.0, 1e8),)
    analogue = Analogue(1500.0, 1.0, gains, 16)
    spread = PointSpread("gaussian", 150e-6, border=Border.MIRRORED, after_counting=True)
    response = Response(analogue, point_spread=spread if shared else None, pixel_type="uint16")
    grid, shot = PixelGrid(30, 40, 75e-6, 75e-6), Exposure(12400.0)
    expected = np.full(grid.shape, 30.0, dtype=np.float32)
    expected[10:14, 20:24] = 900.0
    model = DetectorModel(response, shot, [grid])
    images = np.array([
        response.detect(expected, grid, Exposure(12400.0, seed=1, shot=n)).photons()
        for n in range(600)
    ])  # fmt: skip
    mean = model.mean(expected.astype(np.float64))
    variance = model.variance(expected.astype(np.float64), mean)
    inner = slice(5, -5), slice(5, -5)
    np.testing.assert_allclose(images.mean(axis=0)[inner], mean[inner], rtol=0.06)
    ratio = images.var(axis=0)[inner] / variance[inner]
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert np.abs(ratio - 1.0).max() < 6 * np.sqrt(2 / 600)


def test_the_command_uses_the_response_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = f"{MODEL} -fluence 1e27 -misset {TRUTH} -response jungfrau -seed 2"
    assert main([*words.split(), "-h5file", "a.h5"]) == 0
    assert main(["refine", "a.h5", "--free", "misset,scale", "--search", "0"]) == 0
    from_file = capsys.readouterr()
    assert "the response of a.h5 is used: jungfrau" in from_file.err
    start = f"{MODEL} -fluence 1e27 -misset {TRUTH}"
    command = f"refine noiseimage.img {start} --free misset,scale --search 0 --response jungfrau"
    assert main(command.split()) == 0
    line = next(each for each in from_file.out.splitlines() if each.startswith("as options"))
    assert line in capsys.readouterr().out
    assert main(["refine", "a.h5", "--free", "misset,scale", "--offset", "3"]) == 2
    assert "--offset: the detector response defines it" in capsys.readouterr().err


def test_likelihood_of_counts_is_that_of_poisson() -> None:
    from scipy.stats import poisson

    image = simulate(from_args(f"{MODEL} -fluence 3e25 -misset {TRUTH}"))
    raw = image.detect("pilatus3", seed=3).raw
    expected = np.maximum(image.array.astype(np.float64), 1e-12)
    found = image.log_likelihood(raw, Response(Counter(20), pixel_type="int32", masked_value=-2))
    assert found == pytest.approx(poisson.logpmf(raw, expected).sum(), rel=1e-9)


def test_likelihood_of_a_noisy_read_out_is_that_of_its_distribution() -> None:
    """Poisson counts and normal noise, summed over counts."""
    from scipy.stats import norm, poisson

    analogue = Analogue(1500.0, 0.0, (Gain(0.001, 20.0, 300.0, 1e8),), 16)
    response = Response(analogue, pixel_type="uint16")
    words = MODEL.replace("-water 0.02", "-water 0.3")  # so that counts are nearly normal
    image = simulate(from_args(f"{words} -fluence 1e26 -misset {TRUTH}"))
    raw = image.detect(response, seed=3).raw
    energy = 12398.42
    photons = (raw - 300.0) / (0.001 * energy)
    counts = np.arange(900)
    sigma = np.hypot(20.0 * 1500.0 / energy, 1 / np.sqrt(12) / (0.001 * energy))
    total = 0.0
    for row in range(0, 100, 10):
        mean, seen = image.array[row].astype(float)[:, None], photons[row][:, None]
        chances = poisson.pmf(counts, mean) * norm.pdf(seen, counts, sigma)
        total += np.log(chances.sum(axis=1)).sum()
    part = simulate(from_args(f"{words} -fluence 1e26 -misset {TRUTH}"))
    found = sum(
        _row_likelihood(part.array[row : row + 1], raw[row : row + 1], response)
        for row in range(0, 100, 10)
    )
    assert found == pytest.approx(total, rel=1e-3)


def _row_likelihood(expected: np.ndarray, raw: np.ndarray, response: Response) -> float:
    grid = PixelGrid(*raw.shape, 150e-6, 150e-6)
    return DetectorModel(response, Exposure(12398.42), [grid]).log_likelihood(raw, expected)


def test_the_truth_is_likelier_than_other_models() -> None:
    image = simulate(from_args(f"{MODEL} -fluence 1e27 -misset {TRUTH}"))
    other = simulate(from_args(f"{MODEL} -fluence 1.05e27 -misset {TRUTH}"))
    for name in ("eiger2", "jungfrau", "adsc-q315"):
        raw = image.detect(name, seed=1).raw
        assert image.log_likelihood(raw, name) > other.log_likelihood(raw, name)


def test_the_dead_layer_does_not_change_the_scale() -> None:
    response = replace(read_response("eiger2"), dead_layer=DeadLayer("Al", 2e-4))
    experiment = from_args(f"{MODEL} -distance 30 -fluence 1e27 -misset {TRUTH}")
    raw = simulate(experiment).detect(response, seed=1).raw
    refined = fit(experiment, raw, "scale", response=response, search=0)
    assert abs(refined.values[0] - 1.0) < 4.0 * refined.sigmas[0] < 0.05


def test_the_exposure_of_the_start_is_that_of_the_response(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*f"{MODEL} -fluence 1e29 -misset {TRUTH} -exposure 1e-3".split(), "-nopgm"]
    assert main([*words, "-response", "eiger2", "-seed", "1", "-noisefile", "a.img"]) == 0
    fits = ["--response", "eiger2", "--free", "scale", "--search", "0", "--json"]
    found = []
    for duration in ([], ["--duration", "1e-3"]):
        capsys.readouterr()
        main(["refine", "a.img", *words, *fits, *duration])
        found.append(json.loads(capsys.readouterr().out)["parameters"])
    assert found[0] == found[1]


def test_small_panels_keep_their_border() -> None:
    """A panel that is smaller than the array has its own edge, where light is lost or mirrored."""
    first = Panel("a", 40, 30, (-0.004, 0.001, 0.06), (1, 0, 0), (0, 1, 0), 1e-4)
    second = Panel("b", 50, 20, (-0.004, -0.005, 0.06), (1, 0, 0), (0, 1, 0), 1e-4)
    panels = PanelDetector([first, second], beam=(0, 0, 1), spindle=(1, 0, 0))
    words = f"{MODEL} -fluence 3e27 -misset {TRUTH}"
    experiment = replace(from_args(words), detector=panels, water=Water(1e-7))
    spread = PointSpread("gaussian", 4e-4, border=Border.MIRRORED)
    response = Response(Counter(), point_spread=spread)
    image = simulate(experiment)
    model = detector_model(experiment, response, 1.0)
    mean = model.mean(image.array.astype(np.float64))
    shots = [image.detect(response, seed=6, shot=shot) for shot in range(100)]
    counts = np.mean([shot.raw for shot in shots], axis=0)
    for number, panel in enumerate(panels):
        part = number, slice(0, panel.n_slow), slice(0, panel.n_fast)
        pulls = (counts[part] - mean[part]) / np.sqrt(mean[part] / 100 + 1e-9)
        assert np.abs(pulls).max() < 5.5
    refined = fit(experiment, shots[0].raw, "scale", response=response, search=0)
    assert abs(refined.values[0] - 1.0) < 4.0 * refined.sigmas[0]
