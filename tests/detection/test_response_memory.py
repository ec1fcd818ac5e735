"""Wide point spreads and image plates need little memory, and parts of the work join exactly."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from cupysim.detection import detector_library, spiral_scan, wide_spread
from cupysim.detection.counter import Counter
from cupysim.detection.pixel_grid import PixelGrid
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.random_numbers import Stage, stage_normals
from cupysim.detection.response import Response
from cupysim.detection.spiral_scan import SpiralScan
from tests.detection.responses import CCD, PIXEL, exposure, grid_of, spread_of, varied_image

MOST_MEMORY = 2.0
"""Memory that a response may need beyond the expected photons, over that of these photons. The
result is a part of it."""

FIBRE = PointSpread("fibre", 2.0 * PIXEL, radius=340, after_counting=True)
"""A fibre function whose radius is a third of an image of 1024 pixels."""

PLATE = SpiralScan(PIXEL, PIXEL / 2, 2048 * PIXEL, 0.5)


def peak(response: Response, size: int) -> float:
    """Largest memory during a detection, over that of the expected photons."""
    image, grid = np.full((size, size), 3.0, dtype=np.float32), grid_of(size, size)
    response.detect(image[:64, :64], grid_of(64, 64), exposure())  # fills tables
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    response.detect(image, grid, exposure())
    after = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (after - before) / image.nbytes


@pytest.mark.skipif(detector_library.problem() is not None, reason="no compiled library")
@pytest.mark.parametrize(
    ("response", "size"),
    [
        (Response(Counter(), point_spread=FIBRE), 1024),
        (Response(CCD, point_spread=FIBRE, pixel_type="uint16"), 1024),
        (Response(Counter(), point_spread=spread_of(after_counting=True), scan=PLATE), 2048),
    ],
    ids=["fibre, counter", "fibre, CCD", "image plate"],
)
def test_memory_is_below_twice_the_image(response: Response, size: int) -> None:
    assert peak(response, size) < MOST_MEMORY


@pytest.mark.parametrize("border", Border)
@pytest.mark.parametrize("function", ["fibre", "kernel"])
def test_blocks_of_the_spread_change_nothing(
    border: Border, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = np.random.default_rng(3).uniform(size=(31, 17))
    spread = PointSpread(function, 2.0 * PIXEL, radius=20, border=border, kernel=kernel)
    image, grid = varied_image(201, 154), grid_of(201, 154)
    whole = spread.apply(image, grid)
    for size in (1, 3, 50, 1000):
        monkeypatch.setattr(wide_spread, "SMALLEST_BLOCK", size)
        monkeypatch.setattr(wide_spread, "BLOCKS", 1000)
        np.testing.assert_array_equal(spread.apply(image, grid), whole)


@pytest.mark.parametrize("border", Border)
def test_threads_of_the_spread_change_nothing(
    border: Border, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, grid, spread = varied_image(300, 154), grid_of(300, 154), spread_of("fibre")
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(spread.apply(image, grid))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("border", Border)
def test_only_an_image_to_overwrite_changes(border: Border) -> None:
    image, grid = varied_image(40, 51), grid_of(40, 51)
    spread, given = spread_of("fibre", border=border, radius=15), image.copy()
    found = spread.apply(given, grid)
    np.testing.assert_array_equal(given, image)
    assert spread.apply(given, grid, overwrite=True) is given
    np.testing.assert_array_equal(given, found)


@pytest.mark.parametrize("border", [Border.LOST, Border.MIRRORED])
@pytest.mark.parametrize("shape", [(9, 12), (1, 30), (30, 1), (41, 40)])
def test_kernels_may_be_larger_than_the_image(border: Border, shape: tuple[int, int]) -> None:
    """A kernel that is its own mirror image has another transform than one that is nearly so."""
    image, grid = varied_image(*shape), grid_of(*shape)
    even = np.random.default_rng(1).uniform(size=(51, 81))
    even += even[::-1]
    even += even[:, ::-1]
    other = even.copy()
    other[0, 0] *= 1.0 + 1e-9
    found = [
        PointSpread("kernel", border=border, kernel=kernel).apply(image, grid)
        for kernel in (even, other)
    ]
    np.testing.assert_allclose(*found, atol=1e-6 * image.max())
    mode = "symmetric" if border is Border.MIRRORED else "constant"
    padded = np.pad(image.astype(float), [(25, 25), (40, 40)], mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, even.shape)
    expected = np.einsum("ijkl,kl->ij", windows, even / even.sum())
    np.testing.assert_allclose(found[0], expected, atol=1e-6 * image.max())


def test_kept_light_of_a_kernel_without_symmetry_stays() -> None:
    kernel = np.random.default_rng(4).exponential(size=(9, 23))
    image = varied_image(30, 40)
    found = PointSpread("kernel", border=Border.KEPT, kernel=kernel).apply(image, grid_of(30, 40))
    assert found.sum(dtype=np.float64) == pytest.approx(image.sum(dtype=np.float64), rel=1e-6)


@pytest.mark.parametrize("border", Border)
def test_derivatives_spread_as_photons_do(border: Border) -> None:
    """The spread of a difference of images is the difference of their spreads."""
    spread, grid = spread_of("fibre", border=border, radius=9), grid_of(30, 40)
    first, second = varied_image(30, 40), varied_image(30, 40)[::-1]
    expected = spread.apply(first, grid) - spread.apply(second, grid)
    found = spread.apply(first - second, grid)
    assert found.min() < 0.0
    np.testing.assert_allclose(found, expected, atol=1e-6 * first.max())


# ---- the scan of an image plate --------------------------------------------------


def scanned_at_once(
    scan: SpiralScan, image: np.ndarray, grid: PixelGrid, seed: int, shot: int
) -> np.ndarray:
    """The scan by its definition, with all samples of the plate."""
    n_turns = int(np.ceil(scan.diameter / 2 / scan.turn)) + 1
    counts = np.rint(2 * np.pi * (np.arange(n_turns) + 0.5) * scan.turn / scan.step)
    counts = np.maximum(counts, 4).astype(int)
    samples = [np.zeros(count) for count in counts]
    y = (np.arange(grid.n_slow) - (grid.n_slow - 1) / 2) * grid.pixel_slow
    x = (np.arange(grid.n_fast) - (grid.n_fast - 1) / 2) * grid.pixel_fast
    is_inside = y[:, None] ** 2 + x**2 <= (scan.diameter / 2) ** 2
    for row, column in np.argwhere(is_inside):
        angle = np.arctan2(y[row], x[column]) / (2 * np.pi) % 1.0
        radius = np.hypot(x[column], y[row]) / scan.turn - angle
        radius = min(max(radius, 0.0), n_turns - 1.001)
        low = int(radius)
        for turn, share in ((low, low + 1 - radius), (low + 1, radius - low)):
            place = angle * counts[turn]
            at = int(place)
            light = share * image[row, column]
            samples[turn][at % counts[turn]] += light * (at + 1 - place)
            samples[turn][(at + 1) % counts[turn]] += light * (place - at)
    numbers = np.arange(counts.sum(), dtype=np.uint64)
    noise = scan.noise * stage_normals(numbers, Stage.SCAN, 0, shot, seed)[0]
    result = np.zeros((grid.n_slow + 4, grid.n_fast + 4))
    for turn, count in enumerate(counts):
        angle = np.arange(count) / count
        radius = (turn + angle) * scan.turn
        at_x = radius * np.cos(2 * np.pi * angle) / grid.pixel_fast + (grid.n_fast - 1) / 2 + 2
        at_y = radius * np.sin(2 * np.pi * angle) / grid.pixel_slow + (grid.n_slow - 1) / 2 + 2
        first = counts[:turn].sum()
        lights = samples[turn] + noise[first : first + count]
        for light, u, v in zip(lights, at_x, at_y, strict=True):
            i, j = int(np.floor(v)), int(np.floor(u))
            for row, share_y in ((i, i + 1 - v), (i + 1, v - i)):
                for column, share_x in ((j, j + 1 - u), (j + 1, u - j)):
                    if 0 <= row < result.shape[0] and 0 <= column < result.shape[1]:
                        result[row, column] += light * share_y * share_x
    return np.where(is_inside, result[2:-2, 2:-2], 0.0)


SCANS = [
    SpiralScan(PIXEL, PIXEL / 2, 60 * PIXEL, 0.5),
    SpiralScan(PIXEL / 2, 6 * PIXEL, 35 * PIXEL, 1.0),
    SpiralScan(9 * PIXEL, PIXEL, 100 * PIXEL, 0.0),
    SpiralScan(7 * PIXEL, 30 * PIXEL, 60 * PIXEL, 0.2),
]


@pytest.mark.parametrize("scan", SCANS)
def test_a_scan_in_parts_is_that_of_the_whole_plate(
    scan: SpiralScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, image = PixelGrid(50, 41, PIXEL, 1.5 * PIXEL), varied_image(50, 41)
    shot = exposure(seed=6, shot=3)
    whole = scan.apply(image, grid, shot)
    expected = scanned_at_once(scan, image, grid, 6, 3)
    np.testing.assert_allclose(whole, expected, rtol=1e-6, atol=1e-6)
    assert not whole[~scan.covers(grid)].any()
    for pixels in (1, 3 * 41, 8 * 41):
        monkeypatch.setattr(spiral_scan, "LEAST_AT_ONCE", pixels)
        np.testing.assert_array_equal(scan.apply(image, grid, shot), whole)
        given = image.copy()
        assert scan.apply(given, grid, shot, overwrite=True) is given
        np.testing.assert_array_equal(given, whole)
