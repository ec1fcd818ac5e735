"""Compiled code and NumPy make the same images, however the work is divided."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.detection import detector_library
from cupysim.detection.calibration import photons_of
from cupysim.detection.pixel_grid import Exposure
from tests.detection.responses import all_responses, exposure, grid_of, varied_image

RESPONSES = all_responses()

needs_library = pytest.mark.skipif(
    detector_library.problem() is not None, reason="no compiled library"
)


@needs_library
@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("first", [0, 2**32 - 5000])
def test_compiled_code_equals_numpy(name: str, first: int) -> None:
    grid = grid_of(40, 77, normal_slow=20.0, normal_fast=50.0, distance=0.1, first_number=first)
    image, shot = varied_image(*grid.shape), exposure(seed=2**63 + 5, shot=7)
    response = RESPONSES[name]
    there = response.detect(image, grid, shot, backend="numpy")
    here = response.detect(image, grid, shot, backend="host")
    np.testing.assert_array_equal(here.raw, there.raw)
    assert here.overloads == there.overloads
    assert here.raw.dtype == there.raw.dtype == response.dtype


@needs_library
@pytest.mark.parametrize("name", ["three gains", "everything", "fibre True", "image plate"])
def test_calibrations_are_equal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, response = grid_of(50, 133, first_number=2**32 - 900), RESPONSES[name]
    found = response.detect(varied_image(*grid.shape), grid, exposure())
    here = photons_of(response, found.raw, grid, exposure())
    monkeypatch.setattr(detector_library, "problem", lambda: "none")
    there = photons_of(response, found.raw, grid, exposure())
    np.testing.assert_array_equal(here.photons, there.photons)
    np.testing.assert_array_equal(here.noise, there.noise)
    np.testing.assert_array_equal(here.is_overload, there.is_overload)


@needs_library
@pytest.mark.parametrize("name", ["gaussian mirrored True", "everything", "threshold 0.3"])
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(name: str, threads: int) -> None:
    grid = grid_of(200, 67)
    image = varied_image(*grid.shape)
    response = RESPONSES[name]
    one = response.detect(image, grid, exposure())
    again = response.detect(image, grid, exposure(), threads=threads)
    np.testing.assert_array_equal(one.raw, again.raw)


@pytest.mark.parametrize("name", ["plain", "retrigger 1e-07", "three gains"])
def test_a_pixel_keeps_its_number_in_every_region(name: str) -> None:
    grid = grid_of(50, 60)
    image, response = varied_image(*grid.shape), RESPONSES[name]
    part = slice(11, 37), slice(5, 41)
    whole = response.detect(image, grid, exposure()).raw
    some = response.detect(image[part], grid.part(*part), exposure()).raw
    np.testing.assert_array_equal(some, whole[part])


@needs_library
def test_rows_may_be_apart_in_memory() -> None:
    grid = grid_of(30, 40)
    image = varied_image(30, 100)
    response = RESPONSES["gaussian lost False"]
    view = response.detect(image[:, 20:60], grid, exposure()).raw
    copied = response.detect(image[:, 20:60].copy(), grid, exposure()).raw
    np.testing.assert_array_equal(view, copied)


@pytest.mark.parametrize("name", ["plain", "three gains"])
def test_shots_and_seeds_are_independent(name: str) -> None:
    grid = grid_of(60, 60)
    image = np.full(grid.shape, 20.0, dtype=np.float32)
    shots = [Exposure(12400.0, 1e-3, seed, shot) for seed in (1, 2) for shot in (0, 1)]
    images = [RESPONSES[name].detect(image, grid, shot).photons().ravel() for shot in shots]
    table = np.corrcoef(images) - np.eye(len(shots))
    # the standard deviation of a correlation of 3600 pixels is 1/60
    assert abs(table).max() < 5 / 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (0, 5)])
@pytest.mark.parametrize("name", ["gaussian mirrored True", "shared charge", "image plate"])
def test_tiny_images(name: str, shape: tuple[int, int]) -> None:
    image = np.full(shape, 5.0, dtype=np.float32)
    found = RESPONSES[name].detect(image, grid_of(*shape), exposure())
    there = RESPONSES[name].detect(image, grid_of(*shape), exposure(), backend="numpy")
    np.testing.assert_array_equal(found.raw, there.raw)


def test_masked_pixels_have_no_value() -> None:
    grid, response = grid_of(20, 20), RESPONSES["signed"]
    exists = np.ones(grid.shape, dtype=bool)
    exists[3, 4] = False
    found = response.detect(varied_image(20, 20), grid, exposure(), exists=exists)
    assert found.raw[3, 4] == -2
    assert np.isnan(found.photons()[3, 4])
    assert np.isfinite(found.photons()).sum() == 399
