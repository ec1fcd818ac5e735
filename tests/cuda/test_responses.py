"""Responses on a GPU: the source for GPUs, run on this processor, gives the images of NumPy."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cupysim.backends.compiled import cuda
from cupysim.detection import cuda_stages
from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.dead_time import DeadTimeModel
from cupysim.detection.defects import Defects
from cupysim.detection.flicker import BeamFlicker
from cupysim.detection.pixel_grid import PixelGrid
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.response import Response
from cupysim.detection.response_file import read_response
from cupysim.errors import CupysimError, DeviceError, OutOfMemory
from tests.cuda.conftest import MachineMaker
from tests.cuda.nvrtc import ADDED_BY_CUPY, ARCHITECTURES, supported_architectures, why_not
from tests.cuda.response_cases import CASES, EXPOSURE, GRID, SHAPE, expected_photons

PHOTONS = expected_photons(CASES["counter"])


def assert_equal(response: Response, grid: PixelGrid = GRID) -> None:
    expected = expected_photons(response)
    with np.errstate(over="ignore"):
        wanted = response.detect(expected, grid, EXPOSURE, backend="numpy")
    for backend in ("cuda", "host"):
        found = response.detect(expected, grid, EXPOSURE, backend=backend)
        different = np.argwhere(found.raw != wanted.raw)
        assert not len(different), f"{backend}: {len(different)} pixels, {different[:5]}"
        assert found.overloads == wanted.overloads
        assert found.raw.dtype == wanted.raw.dtype
        assert found.device_raw is None


@pytest.mark.parametrize("name", CASES)
def test_images_are_those_of_numpy(machine: MachineMaker, name: str) -> None:
    machine()
    assert_equal(CASES[name])


def test_cases_are_not_trivial() -> None:
    """All gains, lost counts and overloads occur, and most pixels are neither empty nor full."""
    images = {n: case.detect(expected_photons(case), GRID, EXPOSURE) for n, case in CASES.items()}
    assert {*(images["three gains"].raw.reshape(-1) >> 14).tolist()} == {0, 1, 3}
    assert {*(images["first gain with bits"].raw.reshape(-1) >> 14).tolist()} == {0, 2}
    for name, image in images.items():
        assert len(np.unique(image.raw)) > 12, name
        assert image.overloads < image.raw.size / 3, name
    for name in ("small counter", "three gains", "first gain with bits"):
        assert images[name].overloads > 20, name
    for model in DeadTimeModel:
        counts = images[f"{model} 0.0003 False"].raw
        assert np.count_nonzero(counts != images["counter"].raw) > 300


def test_counts_that_single_precision_does_not_tell(machine: MachineMaker) -> None:
    """A few tens of these pixels are so close to the next count that they are drawn again."""
    machine()
    grid = PixelGrid(250, 300, 75e-6, 75e-6)
    expected = np.random.default_rng(5).uniform(0.0, 40.0, grid.shape).astype(np.float32)
    images = [
        CASES["counter"].detect(expected, grid, EXPOSURE, backend=name).raw
        for name in ("cuda", "numpy")
    ]
    assert np.array_equal(*images)


def test_cases_reach_all_kernels(machine: MachineMaker) -> None:
    made = machine()
    for name in ("flicker", "shares and spread", "counter"):
        CASES[name].detect(expected_photons(CASES[name]), GRID, EXPOSURE, backend="cuda")
    assert {names[0] for _, names in made.launches} == set(cuda_stages.KERNELS)


def test_dead_layers(machine: MachineMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photons that arrive at a slope pass more of the layer."""
    monkeypatch.setattr(DeadLayer, "absorption", lambda self, energy: self.thickness * 1e5)
    machine()
    layer = DeadLayer("Si", 3e-6)
    assert_equal(Response(Counter(), dead_layer=layer, flicker=BeamFlicker(0.1)))
    assert_equal(Response(Counter(), dead_layer=layer), replace(GRID, distance=math.inf))


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 2), (8, 16)])
@pytest.mark.parametrize("name", ["shares and spread", "mirrored False 60", "kept True 60"])
def test_small_panels(machine: MachineMaker, shape: tuple[int, int], name: str) -> None:
    """The mirror images of mirror images."""
    machine()
    grid = PixelGrid(*shape, 75e-6, 75e-6, first_number=2**33)
    rng = np.random.default_rng(3)
    expected = rng.exponential(20.0, shape).astype(np.float32)
    response = CASES[name]
    wanted = response.detect(expected, grid, EXPOSURE, backend="numpy")
    found = response.detect(expected, grid, EXPOSURE, backend="cuda")
    assert np.array_equal(found.raw, wanted.raw)


class TestDeviceArrays:
    def test_raw_numbers_stay_on_the_device(self, machine: MachineMaker) -> None:
        made = machine(devices=2)
        response = replace(CASES["counter"], defects=Defects(0.05, 0.02, are_masked=True))
        exists = np.ones(SHAPE, dtype=bool)
        exists[3:5] = False
        expected = expected_photons(response)
        wanted = response.detect(expected, GRID, EXPOSURE, exists=exists, backend="numpy")
        with made.device(1):
            given = made.allocate(expected.astype(np.float64)[:, ::-1])
        for backend in ("cuda", "auto"):
            made.launches.clear()
            found = response.detect(given[:, ::-1], GRID, EXPOSURE, exists=exists, backend=backend)
            assert {number for number, _ in made.launches} == {1}
            assert np.array_equal(found.raw, wanted.raw)
            assert np.array_equal(found.device_raw.get(), wanted.raw)
            assert found.device_raw.device.id == 1

    def test_expected_photons_do_not_change(self, machine: MachineMaker) -> None:
        made = machine()
        given = made.allocate(PHOTONS)
        for name in ("kept False 0", "kept True 0", "three gains share", "flicker"):
            CASES[name].detect(given, GRID, EXPOSURE)
        assert np.array_equal(given.get(), PHOTONS)

    @pytest.mark.parametrize("backend", ["host", "numpy"])
    def test_other_backends_copy(self, machine: MachineMaker, backend: str) -> None:
        made = machine()
        found = CASES["counter"].detect(made.allocate(PHOTONS), GRID, EXPOSURE, backend=backend)
        wanted = CASES["counter"].detect(PHOTONS, GRID, EXPOSURE)
        assert np.array_equal(found.raw, wanted.raw)
        assert found.device_raw is None
        assert not made.launches

    def test_panels_without_pixels(self, machine: MachineMaker) -> None:
        given = machine().allocate(np.empty((0, 5), dtype=np.float32))
        response = replace(CASES["counter"], defects=Defects(0.1))
        found = response.detect(given, PixelGrid(0, 5, 75e-6, 75e-6), EXPOSURE)
        assert found.raw.shape == (0, 5)

    def test_photons_that_are_not_finite(self, machine: MachineMaker) -> None:
        expected = PHOTONS.copy()
        expected[3, 4] = math.nan
        given = machine().allocate(expected)
        with pytest.raises(CupysimError, match="not finite"):
            CASES["counter"].detect(given, GRID, EXPOSURE)


@pytest.mark.parametrize("border", Border)
@pytest.mark.parametrize("after", [False, True])
def test_wide_spreads_differ_only_by_rounding(
    machine: MachineMaker, border: Border, after: bool
) -> None:
    machine()
    kernel = np.random.default_rng(1).exponential(1.0, (9, 81))
    spread = PointSpread("kernel", border=border, after_counting=after, kernel=kernel)
    quiet = Analogue(3.6, 0.0, (Gain(0.01, 0.0, 100.0, 1e9),), adc_bits=20)
    response = Response(quiet, point_spread=spread)
    expected = np.random.default_rng(2).exponential(30.0, SHAPE).astype(np.float32)
    wanted = response.detect(expected, GRID, EXPOSURE, backend="numpy").raw
    found = response.detect(expected, GRID, EXPOSURE, backend="cuda").raw
    difference = np.abs(found.astype(np.int64) - wanted)
    if after:
        # a photon is 124 ADU
        assert difference.max() <= 1
    else:
        # rounding of a mean changes few counts
        assert np.count_nonzero(difference) < 5


def test_spiral_scans_are_read_on_the_host(machine: MachineMaker) -> None:
    machine()
    response = read_response("mar345")
    grid = PixelGrid(60, 60, 150e-6, 150e-6)
    expected = np.random.default_rng(2).exponential(30.0, grid.shape).astype(np.float32)
    wanted = replace(response, point_spread=None)
    images = [
        wanted.detect(expected, grid, EXPOSURE, backend=name).raw for name in ("numpy", "cuda")
    ]
    assert np.array_equal(*images)


class TestErrors:
    def test_without_cupy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cuda, "problem", lambda: "CuPy is not installed: pip install it")
        with pytest.raises(DeviceError, match=r"^backend cuda: CuPy is not installed") as caught:
            CASES["counter"].detect(PHOTONS, GRID, EXPOSURE, backend="cuda")
        assert "\n" not in str(caught.value)

    def test_without_memory(self, machine: MachineMaker) -> None:
        machine(memory=2**12)
        with pytest.raises(OutOfMemory, match="out of memory"):
            CASES["counter"].detect(PHOTONS, GRID, EXPOSURE, backend="cuda")

    def test_a_compiler_that_fails(self, machine: MachineMaker) -> None:
        machine(compiles=False)
        with pytest.raises(DeviceError, match="does not compile"):
            CASES["counter"].detect(PHOTONS, GRID, EXPOSURE, backend="cuda")

    def test_unknown_backends(self) -> None:
        with pytest.raises(CupysimError, match="expected one of auto, host, numpy, cuda"):
            CASES["counter"].detect(PHOTONS, GRID, EXPOSURE, backend="gpu")


def test_the_source_contains_its_headers() -> None:
    """CuPy's cache of compiled kernels ignores changes of headers that are included."""
    source = cuda_stages.kernel_source()
    assert "#include" not in source.split("#ifdef __CUDACC__")[0]
    for name in ("detector.cu", "detected_pixels.cuh", "photon_noise.cuh", "portable.cuh"):
        assert f'#line 1 "{name}"' in source


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestCompiler:
    @staticmethod
    def compiled(architecture: str) -> Any:
        from tests.cuda.nvrtc import compile_source

        if architecture not in supported_architectures():
            pytest.skip(f"this version of NVRTC does not know {architecture}")
        return compile_source(
            architecture, cuda_stages.kernel_source(), cuda_stages.compiler_options()
        )

    def test_all_kernels_compile(self, architecture: str) -> None:
        found = self.compiled(architecture)
        assert found.complaints == []
        assert found.spilled == 0
        assert set(re.findall(r"\.entry (\w+)", found.ptx)) == set(cuda_stages.KERNELS)

    def test_operations_are_rounded_one_by_one(self, architecture: str) -> None:
        """No product is fused with a sum, and what stores images does not drop denormal numbers."""
        assert "-ftz=true" in ADDED_BY_CUPY
        ptx = self.compiled(architecture).ptx
        assert not re.findall(r"\bfma\.|\bmad\.\w*\.?f\d\d", ptx)
        # operations without a rounding mode could be fused by the assembler
        assert not re.findall(r"\b(?:add|sub|mul)\.(?:ftz\.)?f(?:32|64)", ptx)
        assert not re.findall(r"\.approx\b", ptx)
        assert not re.findall(r"cvt[\w.]*\.ftz[\w.]*\.f(?:64\.f32|32\.f64)", ptx)
