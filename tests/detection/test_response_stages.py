"""Stages of responses against formulas and simulations that share no code with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import scipy.stats

from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.charge_sharing import ChargeSharing
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.defects import Defects
from cupysim.detection.exact_functions import normal_pair
from cupysim.detection.flicker import BeamFlicker
from cupysim.detection.pixel_grid import Exposure
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.random_numbers import Stage, stage_deviates, stage_normals
from cupysim.detection.response import Response
from cupysim.detection.spiral_scan import SpiralScan
from cupysim.detection.stages import at_sensor, signals
from cupysim.errors import ModelError
from cupysim.maths import point_spread
from tests.detection.responses import GAINS, PIXEL, exposure, grid_of, varied_image

SIGMAS = 5.0
"""Standard deviations that statistics of fixed seeds may differ by."""


def flat(mean: float, n: int = 400) -> np.ndarray:
    return np.full((n, n), mean, dtype=np.float32)


# ---- random numbers ----------------------------------------------------------


def test_normal_deviates_have_a_normal_distribution() -> None:
    pixels = np.arange(200_000, dtype=np.uint64)
    for normals in stage_normals(pixels, Stage.READINGS, 0, 3, 4):
        assert scipy.stats.kstest(normals, "norm").pvalue > 1e-3


def test_normal_pair_is_that_of_box_and_muller() -> None:
    u, v = np.meshgrid(np.linspace(1e-9, 1 - 1e-9, 301), np.linspace(1e-9, 1 - 1e-9, 307))
    first, second = normal_pair(u, v)
    length = np.sqrt(-2 * np.log(u))
    assert np.abs(first - length * np.cos(2 * np.pi * v)).max() < 1e-12
    assert np.abs(second - length * np.sin(2 * np.pi * v)).max() < 1e-12


def test_stages_do_not_share_random_numbers() -> None:
    pixels = np.arange(10_000, dtype=np.uint64)
    stages = [stage_deviates(pixels, stage, 0, 0, 1)[0] for stage in Stage]
    table = np.corrcoef(stages) - np.eye(len(stages))
    assert abs(table).max() < SIGMAS / 100


# ---- before the photons are counted -------------------------------------------


def test_flicker_is_one_factor_for_a_shot() -> None:
    flicker = BeamFlicker(0.1)
    factors = np.array([flicker.factor(exposure(seed=3, shot=shot)) for shot in range(2000)])
    assert factors.mean() == pytest.approx(1.0, abs=SIGMAS * 0.1 / math.sqrt(2000))
    assert factors.std() == pytest.approx(0.1, rel=SIGMAS / math.sqrt(4000))


def test_dead_layer_absorbs_along_the_oblique_path() -> None:
    import xraydb

    grid = grid_of(40, 50, pixel=2e-3, normal_slow=10.0, normal_fast=35.0, distance=0.05)
    response = Response(Counter(), dead_layer=DeadLayer("Si", 2e-5))
    shot = Exposure(8000.0)
    found = at_sensor(response, np.ones(grid.shape, dtype=np.float32), grid, shot)
    slow, fast = np.mgrid[:40, :50]
    x, y = (fast - 35) * 2e-3, (slow - 10) * 2e-3
    cosine = 0.05 / np.sqrt(0.05**2 + x**2 + y**2)
    mu = 100 * xraydb.material_mu("Si", 8000.0)
    np.testing.assert_allclose(found, np.exp(-mu * 2e-5 / cosine), rtol=2e-5)


# ---- point spread --------------------------------------------------------------


@pytest.mark.parametrize(
    ("border", "mode"), [(Border.LOST, "constant"), (Border.MIRRORED, "reflect")]
)
@pytest.mark.parametrize("function", ["gaussian", "fibre"])
def test_spread_is_a_convolution(border: Border, mode: str, function: str) -> None:
    grid, image = grid_of(33, 47), varied_image(33, 47)
    spread = PointSpread(function, 2.0 * PIXEL, radius=6, border=border)
    kernel = point_spread.kernel(function, 2.0, 6)
    if function == "gaussian":
        # its light beyond a circle, but within the square, is kept too
        kernel = np.outer(*[point_spread.gaussian_weights(2.0, 6)] * 2)
    expected = scipy.ndimage.convolve(image.astype(np.float64), kernel / kernel.sum(), mode=mode)
    found = spread.apply(image, grid)
    np.testing.assert_allclose(found, expected, atol=2e-6 * image.max())


@pytest.mark.parametrize("function", ["gaussian", "fibre"])
def test_kept_light_stays(function: str) -> None:
    grid, image = grid_of(30, 40), varied_image(30, 40)
    spread = PointSpread(function, 3.0 * PIXEL, radius=9, border=Border.KEPT)
    found = spread.apply(image, grid)
    assert found.sum(dtype=np.float64) == pytest.approx(image.sum(dtype=np.float64), rel=1e-5)
    lost = PointSpread(function, 3.0 * PIXEL, radius=9).apply(image, grid)
    assert lost.sum(dtype=np.float64) < 0.99 * image.sum(dtype=np.float64)


def test_own_kernel_is_that_of_a_convolution() -> None:
    rng = np.random.default_rng(0)
    kernel, image = rng.uniform(size=(5, 9)), varied_image(60, 50)
    found = PointSpread("kernel", kernel=kernel).apply(image, grid_of(60, 50))
    expected = scipy.ndimage.convolve(image.astype(float), kernel / kernel.sum(), mode="constant")
    np.testing.assert_allclose(found, expected, atol=1e-6 * image.max())


def test_blocks_of_the_fft_join() -> None:
    image = np.zeros((1100, 2300), dtype=np.float32)
    image[[1023, 1024, 5], [1023, 2047, 1024]] = 1e4
    spread = PointSpread("fibre", 2.0 * PIXEL, radius=40)
    found = spread.apply(image, grid_of(1100, 2300))
    kernel = point_spread.kernel("fibre", 2.0, 40)
    near = found[1023 - 40 : 1023 + 41, 1023 - 40 : 1023 + 41]
    np.testing.assert_allclose(near, 1e4 * kernel / kernel.sum(), atol=2e-3)


@pytest.mark.parametrize("after", [False, True])
def test_noise_of_spread_photons(after: bool) -> None:
    """Photons that spread before they are counted have the noise of counts; counts that spread
    share their noise: covariance m sum K(i) K(i + d)."""
    spread = PointSpread("gaussian", 2.0 * PIXEL, border=Border.MIRRORED, after_counting=after)
    grid, mean = grid_of(400, 400), 50.0
    found = signals(Response(Counter(), point_spread=spread), flat(mean), grid, exposure())
    inner = found[20:-20, 20:-20].astype(np.float64) - mean
    weights = point_spread.gaussian_weights(2.0, 12)
    for lag in (0, 1, 3):
        product = (inner[:, : inner.shape[1] - lag] * inner[:, lag:]).mean()
        across = (weights[: len(weights) - lag] * weights[lag:]).sum() * (weights**2).sum()
        expected = mean * across if after else (mean if lag == 0 else 0.0)
        assert product == pytest.approx(expected, abs=SIGMAS * mean / 100)


# ---- charge sharing --------------------------------------------------------------


def monte_carlo_shares(cloud: float, n: int = 400_000) -> np.ndarray:
    """Charge of the 3 x 3 pixels for photons anywhere in the middle one."""
    rng = np.random.default_rng(2)
    parts = []
    for _ in range(2):
        place = rng.uniform(size=n)
        edges = (np.array([-1.0, 0.0, 1.0, 2.0]) - place[:, None]) / (cloud / PIXEL)
        parts.append(np.diff(scipy.special.ndtr(edges), axis=1))
    return np.einsum("ny,nx->nyx", *parts)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_counted_photons_near_edges(threshold: float) -> None:
    ways = ChargeSharing(9e-6, threshold).ways(grid_of(5, 5))
    counted = (monte_carlo_shares(9e-6) > threshold).mean(axis=0)
    found = np.einsum("w,wyx->yx", ways.probabilities, ways.shares)
    np.testing.assert_allclose(found, counted, atol=4e-3)


def test_corner_loss_at_half_the_energy() -> None:
    """The area where no pixel gets half the charge is 3.459 s^2 (numerical, small clouds)."""
    cloud = 4e-6
    ways = ChargeSharing(cloud, 0.5).ways(grid_of(5, 5))
    assert 1 - ways.probabilities.sum() == pytest.approx(3.459 * (cloud / PIXEL) ** 2, rel=0.03)


def test_shared_charge_keeps_its_mean_and_loses_variance() -> None:
    grid, mean, cloud = grid_of(400, 400), 30.0, 9e-6
    analogue = Analogue(3.66, 0.0, (Gain(1.0, 0.0, 0.0, 1e9),), 24)
    response = Response(analogue, charge_cloud=cloud, pixel_type="uint32")
    found = signals(response, flat(mean), grid, exposure())[5:-5, 5:-5].astype(np.float64)
    assert found.mean() == pytest.approx(mean, abs=SIGMAS * math.sqrt(mean) / 390)
    shares = monte_carlo_shares(cloud)
    # averages within cells cost up to 3 % of the variance
    expected = mean * (shares**2).sum(axis=(1, 2)).mean()
    assert found.var() == pytest.approx(expected, rel=0.035)


# ---- analogue signals ------------------------------------------------------------


def test_variance_is_the_sum_of_its_terms() -> None:
    """Photons, conversion, read-out and digits: m + F m/n_e + noise^2 + 1/12."""
    energy, mean, noise, adu = 5000.0, 40.0, 900.0, 0.002
    analogue = Analogue(3.66, 20.0, (Gain(adu, noise, 500.0, 1e9),), 16)
    response = Response(analogue, pixel_type="uint16")
    shot = Exposure(energy, seed=8)
    found = response.detect(flat(mean), grid_of(400, 400), shot).raw.astype(np.float64)
    per_photon = adu * energy
    electrons = energy / 3.66
    assert found.mean() == pytest.approx(500 + per_photon * mean, abs=SIGMAS * 60 / 400)
    expected = per_photon**2 * (mean + 20 * mean / electrons + (noise / electrons) ** 2) + 1 / 12
    assert found.var() == pytest.approx(expected, rel=SIGMAS * math.sqrt(2) / 400)


def test_gains_switch_where_their_ranges_end() -> None:
    gains = tuple(
        Gain(gain.adu_per_ev, 0.0, gain.pedestal, gain.range_end, bits=gain.bits) for gain in GAINS
    )
    response = Response(Analogue(3.66, 0.0, gains, 14), pixel_type="uint16")
    photons = np.geomspace(1e4, 1e9, 300).astype(np.float32).reshape(1, -1)
    shot = Exposure(1.0, seed=2)  # counting noise of at most 1 %
    raw = response.detect(photons, grid_of(1, 300), shot).raw
    codes = raw >> 14
    energy = photons.astype(np.float64)
    clear = np.abs(np.log(energy[..., None] / [300e3, 1e7])).min(axis=-1) > 0.05
    expected = np.where(energy < 300e3, 0, np.where(energy < 1e7, 1, 3))
    np.testing.assert_array_equal(codes[clear], expected[clear])
    # values fall with the signal in the medium and the low gain
    for code, slope in ((0, 0.041), (1, -0.001439), (3, -0.0001145)):
        chosen = (codes == code) & (energy < 1.2e8)
        values, signal = (raw & 0x3FFF)[chosen].astype(float), energy[chosen]
        assert np.polyfit(signal, values, 1)[0] == pytest.approx(slope, rel=0.02)


def test_calibration_gives_the_photons_back() -> None:
    response = Response(Analogue(3.66, 0.118, GAINS, 14), pixel_type="uint16", serial=12)
    grid = grid_of(100, 100)
    for mean in (3.0, 200.0, 5000.0):
        photons = response.detect(flat(mean, 100), grid, exposure()).photons()
        low = 5000.0 / (12400.0 / 3.66)
        spread = math.hypot(math.sqrt(mean), low if mean > 900 else 0.2)
        assert photons.mean() == pytest.approx(mean, abs=SIGMAS * spread / 100)
        assert photons.std() == pytest.approx(spread, rel=0.06)


def test_an_unknown_calibration_error_stays() -> None:
    ccd = Analogue(1500.0, 1.0, (Gain(0.001, 0.0, 10.0, 1e9, 0.03),), knows_pixels=False)
    response, grid = Response(ccd, pixel_type="uint16"), grid_of(200, 200)
    shots = [
        response.detect(flat(4000.0, 200), grid, exposure(shot=shot)).photons() for shot in range(2)
    ]
    # calibration errors belong to pixels, so shots share them
    shared = (0.03 * 4000) ** 2
    counting = 4000 * (1 + 1500 / 12400)
    correlation = np.corrcoef(shots[0].ravel(), shots[1].ravel())[0, 1]
    assert correlation == pytest.approx(shared / (shared + counting), abs=0.02)
    other = response.with_serial(4).detect(flat(4000.0, 200), grid, exposure(shot=5)).photons()
    assert abs(np.corrcoef(shots[0].ravel(), other.ravel())[0, 1]) < 0.03


def test_pedestals_drift_from_shot_to_shot() -> None:
    analogue = Analogue(3.66, 0.0, (Gain(0.04, 0.0, 900.0, 1e9),), pedestal_drift=7.0)
    response, dark = Response(analogue, pixel_type="uint16"), flat(0.0, 2)
    means = [
        response.detect(dark, grid_of(2, 2), exposure(shot=shot)).raw.mean() for shot in range(400)
    ]
    assert np.mean(means) == pytest.approx(900.0, abs=SIGMAS * 7 / 20)
    assert np.std(means) == pytest.approx(7.0, rel=0.2)


# ---- defects, counters, image plates -----------------------------------------------


def test_defects_belong_to_the_serial_number() -> None:
    defects = Defects(dead=0.01, hot=0.02, cold=0.005, are_masked=False)
    response, grid = Response(Counter(16), defects=defects, pixel_type="uint16"), grid_of(300, 300)
    first = response.detect(flat(100.0, 300), grid, exposure()).raw
    again = response.detect(flat(100.0, 300), grid, exposure(shot=9)).raw
    assert ((first == 0) == (again == 0)).all()
    assert (first == 0).mean() == pytest.approx(0.01, rel=0.2)
    assert (first == 65535).mean() == pytest.approx(0.02, rel=0.2)
    assert ((first > 0) & (first < 30)).mean() == pytest.approx(0.005, rel=0.3)
    other = response.with_serial(1).detect(flat(100.0, 300), grid, exposure()).raw
    assert ((first == 0) & (other == 0)).mean() < 0.001


def test_known_defects_have_no_value() -> None:
    response = Response(Counter(), defects=Defects(dead=0.1))
    found = response.detect(flat(5.0, 100), grid_of(100, 100), exposure())
    assert (found.raw == 2**32 - 1).mean() == pytest.approx(0.1, rel=0.2)
    np.testing.assert_array_equal(found.raw == 2**32 - 1, ~found.has_value)


def test_a_full_counter_stays_full() -> None:
    image = np.array([[10.0, 1e3, 1e5]], dtype=np.float32)
    found = Response(Counter(8)).detect(image, grid_of(1, 3), exposure())
    assert found.raw[0, 1] == found.raw[0, 2] == 255
    assert found.raw[0, 0] < 40
    assert found.overloads == 2


def test_an_image_plate_keeps_the_light() -> None:
    scan = SpiralScan(turn=75e-6, step=40e-6, diameter=0.02, noise=0.0)
    grid = grid_of(300, 300)
    image = np.zeros(grid.shape, dtype=np.float32)
    image[150, 170], image[100, 90] = 1e4, 500.0
    found = scan.apply(image, grid, exposure())
    assert found.sum() == pytest.approx(image.sum(), rel=1e-6)
    slow, fast = np.mgrid[:300, :300]
    near = found[140:160, 160:180]
    assert (near * slow[140:160, 160:180]).sum() / near.sum() == pytest.approx(150.0, abs=0.05)
    assert (near * fast[140:160, 160:180]).sum() / near.sum() == pytest.approx(170.0, abs=0.05)


def test_noise_of_the_scanner_is_shared_by_neighbours() -> None:
    scan = SpiralScan(turn=75e-6, step=75e-6, diameter=0.02, noise=2.0)
    found = scan.apply(np.zeros((200, 200), dtype=np.float32), grid_of(200, 200), exposure())
    inner = found[60:140, 60:140]
    assert abs(inner.mean()) < 0.3
    assert (inner[:, 1:] * inner[:, :-1]).mean() > 0.1 * inner.var()
    assert not found[0, 0]


def test_widths_are_limited() -> None:
    grid = grid_of(8, 8)
    for function in ("gaussian", "fibre"):
        with pytest.raises(ModelError, match="pixels"):
            PointSpread(function, 1.0).apply(np.ones(grid.shape, dtype=np.float32), grid)
        narrow = PointSpread(function, 1e-300).apply(np.ones(grid.shape, dtype=np.float32), grid)
        np.testing.assert_allclose(narrow, 1.0, rtol=1e-6)


def test_a_threshold_that_no_charge_passes_is_an_error() -> None:
    with pytest.raises(ModelError, match="no pixel counts"):
        ChargeSharing(1.6e-5, 0.999).ways(grid_of(1, 1))


def test_light_of_a_taper_that_leaves_a_small_panel_is_lost() -> None:
    """A small panel gets the light that the same pixels of a large one get."""
    spread = PointSpread("fibre", 80e-6, radius=150)
    small, large = grid_of(9, 12), grid_of(409, 412)
    image = np.zeros(large.shape, dtype=np.float32)
    image[200:209, 200:212] = varied_image(9, 12)
    whole = spread.apply(image, large)[200:209, 200:212]
    part = spread.apply(image[200:209, 200:212], small)
    np.testing.assert_allclose(part, whole, rtol=1e-4)


def test_pixels_with_a_larger_gain_switch_earlier() -> None:
    """The converter, not the signal, decides: no pixel reaches its end before it switches."""
    gains = (
        Gain(0.017, 0.0, 3300.0, 7e5, 0.05, bits=0),
        Gain(0.0002, 0.0, 1800.0, 7e7, 0.05, bits=1),
    )
    response = Response(Analogue(3.66, 0.0, gains, 14), pixel_type="uint16")
    grid = grid_of(200, 200)
    for photons in (6.0e4, 7.0e4, 8.0e4):
        found = response.detect(flat(photons, 200), grid, Exposure(10.0, seed=3))
        assert ((found.raw & 0x3FFF) < 15500).all()
        known = found.photons()
        # the low gain has steps of 500 photons
        assert np.nanmean(known) == pytest.approx(photons, rel=0.002)
        assert np.isfinite(known).all()


def test_flicker_and_jitter_change_all_pixels_of_a_shot() -> None:
    """The factors of flicker and gain multiply, so their relative variances add."""
    analogue = Analogue(3.66, 0.0, (Gain(1e-4, 0.0, 0.0, 1e9),), gain_jitter=0.03)
    response = Response(analogue, flicker=BeamFlicker(0.04), pixel_type="uint16")
    grid, image = grid_of(50, 50), flat(2e4, 50)
    means = np.array([
        response.detect(image, grid, exposure(shot=shot)).raw.mean() for shot in range(400)
    ])  # fmt: skip
    expected = 2e4 * 12400.0 * 1e-4
    assert means.mean() == pytest.approx(expected, rel=SIGMAS * 0.05 / 20)
    assert means.std() / expected == pytest.approx(0.05, rel=SIGMAS / math.sqrt(800))
