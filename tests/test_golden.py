"""The golden cases: files and report of the C program."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from cupysim.backends.rendered import Observer
from cupysim.backends.select import open_backend
from cupysim.detection import digitising
from cupysim.detection.poisson import PoissonNoise
from cupysim.image import Image
from cupysim.maths.nr_random import RandomStream
from cupysim.nanobragg.build import build
from cupysim.parity.cases import read_cases
from cupysim.parity.images.image_comparison import agreement
from cupysim.plan.planning import make_plan
from tests import tolerances
from tests.conftest import GOLDEN, Renderer, Run

CASES = sorted(path.parent.name for path in (GOLDEN / "cases").glob("*/float.npz"))
SAMPLED = sorted(path.parent.name for path in (GOLDEN / "cases").glob("*/sample.npz"))
WITH_INTEGERS = [name for name in CASES if (GOLDEN / "cases" / name / "ints.npz").exists()]
WITH_TRACE = [name for name in CASES if (GOLDEN / "cases" / name / "trace.json").exists()]
SMV_HEADER = 512
NUMBER = re.compile(r"[+-]?\d+\.?\d*(?:e[+-]?\d+)?")
PROGRESS = re.compile(r"\d+% done\n?")


@cache
def load(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / "cases" / name / "case.json").read_text())


def stored(name: str, which: str, file: str = "ints") -> np.ndarray:
    with np.load(GOLDEN / "cases" / name / f"{file}.npz") as arrays:
        return arrays[which]


def printed(text: str) -> list[str]:
    lines = PROGRESS.sub("", text).splitlines()
    return [line.rstrip() for line in lines if line.strip() and not line.startswith("mmap(")]


def assert_printed_alike(text: str, reference: str, backend: str) -> None:
    """The NumPy backend's report is the C program's; others may differ in the last digit."""
    lines, expected = printed(text), printed(reference)
    if backend == "numpy":
        assert lines == expected
        return
    assert len(lines) == len(expected)
    for line, other in zip(lines, expected, strict=True):
        assert NUMBER.sub("#", line) == NUMBER.sub("#", other)
        numbers = ([float(number) for number in NUMBER.findall(row)] for row in (line, other))
        np.testing.assert_allclose(*numbers, rtol=tolerances.PRINTED_DIGIT)


@pytest.mark.parametrize("name", CASES)
def test_image(name: str, renderer: Renderer, run: Run) -> None:
    case = load(name)
    run("-h", case["inputs"])
    experiment = build(case["args"]).experiment
    plan = make_plan(experiment)
    image = Image(experiment, plan, renderer(plan, Observer()))
    reference = stored(name, "image", "float").astype(np.float64)
    renderer.assert_close(image.array, reference)
    if reference.max() > 0.0:
        assert image.statistics.maximum == pytest.approx(
            case["stats"]["max_I"], rel=tolerances.GOLDEN_RELATIVE
        )


@cache
def rendered_by_numpy(name: str) -> np.ndarray:
    plan = make_plan(build([*load(name)["args"], "-nodump"]).experiment)
    return open_backend("numpy").render(plan, Observer()).image[0, 0]


@pytest.mark.parametrize("name", SAMPLED)
def test_benchmark(name: str, renderer: Renderer) -> None:
    """Images which are too large to be stored: the NumPy backend's has the C program's sample and
    sums of blocks, and is the reference of all pixels of the others."""
    (case,) = (case for case in read_cases(GOLDEN) if case.name == name)
    reference = rendered_by_numpy(name)
    assert case.stands_for_reference(reference)
    plan = make_plan(build([*case.words, "-nodump"]).experiment)
    image = renderer(plan, Observer()).image[0, 0]
    renderer.assert_close(image, reference)
    found = agreement(reference, image)
    assert found.correlation >= tolerances.BENCHMARK_CORRELATION
    assert found.sum_ratio == pytest.approx(1.0, abs=tolerances.BENCHMARK_SUM)
    assert found.sums[0] == pytest.approx(load(name)["stats"]["sum"], rel=tolerances.BENCHMARK_SUM)


def test_another_benchmark_is_noticed() -> None:
    """That the sample can tell images apart: one pixel of it, or a block by a millionth."""
    (case,) = (case for case in read_cases(GOLDEN) if case.name == "benchmark_512")
    image = rendered_by_numpy("benchmark_512").copy()
    image.reshape(-1)[5 * np.argmax(image.reshape(-1)[::5])] *= 1.00001
    assert not case.stands_for_reference(image)
    image = rendered_by_numpy("benchmark_512").copy()
    image[64:128, 65] *= 1.001
    assert not case.stands_for_reference(image)


@pytest.mark.parametrize("name", CASES)
def test_command(name: str, backend: str, run: Run) -> None:
    """Names, sizes, headers and report of the whole command."""
    case = load(name)
    outcome = run(["-backend", backend, *case["args"]], case["inputs"])
    assert outcome.status == 0, outcome.err
    assert set(outcome.files) == set(case["outputs"].values()) - set(case["inputs"])
    reference = (GOLDEN / "cases" / name / "stdout.txt").read_text()
    assert_printed_alike(outcome.out, reference, backend)

    smv = outcome.files[case["outputs"]["int"]]
    assert smv[:SMV_HEADER] == case["smv_header_text"].encode("latin-1").ljust(SMV_HEADER)
    if "dump_file_written" in case["sha256"]:
        dump = hashlib.sha256(outcome.files[case["outputs"]["dump"]]).hexdigest()
        assert dump == case["sha256"]["dump_file_written"]


@pytest.mark.parametrize("name", WITH_INTEGERS)
def test_integer_files(name: str, backend: str, run: Run) -> None:
    """Integer images of our own float image, to one count."""
    case = load(name)
    outcome = run(["-backend", backend, *case["args"]], case["inputs"])
    for which in ("int", "noise"):
        if which in case["stored"]:
            data = outcome.files[case["outputs"][which]]
            pixels = np.frombuffer(data, dtype=np.uint16, offset=SMV_HEADER)
            reference = stored(name, which).reshape(-1).astype(np.int64)
            assert np.abs(pixels - reference).max() <= tolerances.INTEGER_STEP
    pgm = np.frombuffer(outcome.files[case["outputs"]["pgm"]], dtype=np.uint8)
    reference = stored(name, "pgm_file_bytes").astype(np.int64)
    assert np.abs(pgm - reference).max() <= tolerances.INTEGER_STEP


@pytest.mark.parametrize("name", WITH_INTEGERS)
def test_integer_pixels(name: str, run: Run) -> None:
    """Integer and noise images of the C program's float image, exactly."""
    case = load(name)
    run("-h", case["inputs"])
    job = build(case["args"])
    args, experiment = job.arguments, job.experiment
    image = stored(name, "image", "float")
    region = experiment.region.slices(*image.shape)
    scale = args.int_scale if args.int_scale > 0 else digitising.automatic_scale(image.max())
    pixels = digitising.scaled(image, scale, args.adc_offset, region)
    np.testing.assert_array_equal(pixels, stored(name, "int"))
    if "noise" in case["stored"]:
        counts = PoissonNoise(job.noise_stream).draw(image[region])
        noisy, _ = digitising.counted(counts, args.adc_offset)
        reference = stored(name, "noise")
        np.testing.assert_array_equal(noisy, reference[region])
        assert reference.sum() == reference[region].sum()


@pytest.mark.parametrize("name", WITH_TRACE)
def test_printout(name: str, run: Run) -> None:
    """The -printout of single pixels."""
    trace = json.loads((GOLDEN / "cases" / name / "trace.json").read_text())
    case = load(name)
    for pixel in trace["pixels"]:
        where = [str(pixel["pixel_fast"]), str(pixel["pixel_slow"])]
        outcome = run([*case["args"], "-printout", "-printout_pixel", *where], case["inputs"])
        number = r"([-+.\deE]+)"
        patterns = {
            "stol": [rf": stol = {number}"],
            "position_m": [rf"\nat {number} {number} {number}"],
            "hkl": [rf"\nhkl= {number} {number} {number} "],
            "hkl0": [rf"hkl0= {number} {number} {number}"],
            "F_cell": [rf" F_cell={number}"],
            "F_latt": [rf"F_latt={number}"],
            "I": [rf" I = {number}"],
            "I_per_step": [rf"\nI/steps +{number}"],
            "polar": [rf"\npolar +{number}"],
            "omega": [rf"\nomega +{number}"],
            "capfrac": [rf"\ncapfrac +{number}"],
            "pixel": [rf"\npixel +{number}"],
        }
        for key, (pattern,) in patterns.items():
            match = re.search(pattern, outcome.out)
            assert match is not None, key
            values = np.array([float(text) for text in match.groups()])
            expected = np.atleast_1d(pixel[key]).astype(np.float64)
            np.testing.assert_allclose(values, expected, rtol=tolerances.GOLDEN_RELATIVE)


def test_a_changed_seed_changes_the_noise(run: Run) -> None:
    """That the noise test above can fail."""
    name = "noise_low_counts"
    image = stored(name, "image", "float")
    first, second = (PoissonNoise(RandomStream(seed)).draw(image) for seed in (7, 8))
    assert (first != second).any()
