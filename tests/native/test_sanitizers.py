"""Compiled code under the address and the undefined behaviour sanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cupysim.native.recipe import BASELINE, RENDER, TOOLS, compile_library
from tests.native.support import COMPILER, ROOT, SOURCES

OPTIONS = (
    "-O0",
    "-g1",
    "-fsanitize=address,undefined,float-cast-overflow",
    # what these see, the address sanitizer sees; they make the compiler three times slower
    "-fno-sanitize=null,object-size,vptr",
    "-fno-sanitize-recover=all",
)
"""Without optimization, which could remove the very access that is wrong, and takes a minute."""

CASES = (
    "few_hkl", "interpolate_traced", "interpolate_leaves_range", "unequal_N_one", "sensor_thick",
    "oversample_flags", "oversample_omega_single", "fill_abs_inf", "fill_thicksteps_alias",
    "fill_osc_only", "fill_hdivstep_only", "xds_xclose", "water_background", "saxs_long_distance",
    "roi", "mask_plain_roi", "everything_small",
)  # fmt: skip
"""Small ones, of each kind of structure factors, steps and regions."""

OTHER_SHAPES = ("curved_detector", "dmin", "shape_gauss_fudge", "shape_tophat")

EDITS = {
    "out of range": (
        "stream_noise.cuh",
        "i < some; ++i) {\n            float mean",
        "i <= some; ++i) {\n            float mean",
    ),
    "overflow": ("tools.cpp", "10 * value + ", "INT64_MAX * value + "),
    "out of table": (
        "structure_factor.cuh",
        "table.values[nearest_place(table, indices)]",
        "table.values[nearest_place(table, indices) * 0 - 1]",
    ),
}
"""Mistakes to be found: the file, what is right, and what is wrong."""

ONE_PRECISION = (
    "host.cpp",
    "SuitedPolicy<decltype(policy), SHAPE, FACTORS>;\n                block = estimates",
    "SuitedPolicy<Double, SHAPE, FACTORS>;\n                block = estimates",
)
"""An edit that leaves out tiles in other precisions, which differ only in the types of numbers."""

ONE_SHAPE = ("host.cpp", "CUPYSIM_SHAPES(CUPYSIM_CASE)", "CUPYSIM_CASE(SQUARE)")
"""An edit that leaves out what a mistake does not need: compilation takes less time."""


def sanitizer() -> str | None:
    """The runtime of the address sanitizer, as the compiler names it."""
    if not COMPILER:
        return None
    question = [*COMPILER, "-print-file-name=libasan.so"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False).stdout.strip()
    return answer if Path(answer).is_absolute() and Path(answer).exists() else None


RUNTIME = sanitizer()
pytestmark = pytest.mark.skipif(RUNTIME is None, reason="no compiler with an address sanitizer")


def run(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `tests.native.sanitized`."""
    standard = [*COMPILER, "-print-file-name=libstdc++.so.6"]
    library = subprocess.run(standard, capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        **os.environ,
        # the second, lest exceptions of other libraries be unknown to the first
        "LD_PRELOAD": f"{RUNTIME} {library}",
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # each object is a block of memory of its own
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.native.sanitized", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def build(
    library: str, folder: Path, edits: Sequence[tuple[str, str, str]] = (), *options: str
) -> Path:
    """A sanitized library, of edited sources if need be."""
    sources = Path(shutil.copytree(SOURCES, folder / "sources")) if edits else SOURCES
    for name, old, new in edits:
        text = (sources / name).read_text()
        assert text.count(old) == 1
        (sources / name).write_text(text.replace(old, new))
    compile_library(library, BASELINE, sources, folder / f"{library}.so", [*OPTIONS, *options])
    return folder / f"{library}.so"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All libraries, right and wrong ones, compiled side by side."""
    wanted = {
        "render": (RENDER, [ONE_PRECISION], "-DCUPYSIM_WITH_PAIRS"),
        "out of table": (RENDER, [EDITS["out of table"], ONE_SHAPE, ONE_PRECISION]),
        "tools": (TOOLS, ()),
        "out of range": (TOOLS, [EDITS["out of range"]]),
        "overflow": (TOOLS, [EDITS["overflow"]]),
    }
    with ThreadPoolExecutor(len(wanted)) as pool:
        made = {
            name: pool.submit(build, words[0], tmp_path_factory.mktemp("made"), *words[1:])
            for name, words in wanted.items()
        }
    return {name: future.result() for name, future in made.items()}


def test_tools(libraries: dict[str, Path], tmp_path: Path) -> None:
    result = run(libraries["tools"], folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("precision", ["DOUBLE", "MIXED", "PAIRS"])
def test_render(precision: str, libraries: dict[str, Path], tmp_path: Path) -> None:
    cases = CASES + OTHER_SHAPES
    result = run(libraries["tools"], libraries["render"], precision, *cases, folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == list(cases)


@pytest.mark.parametrize(
    ("work", "cases"),
    [
        ("GRADIENTS", ["constant", "nearest", "tricubic"]),
        ("TOLERANCE", ["constant", "nearest", "tricubic", "layers"]),
    ],
)
def test_other_kernels(
    work: str, cases: list[str], libraries: dict[str, Path], tmp_path: Path
) -> None:
    result = run(libraries["tools"], libraries["render"], work, folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == cases


@pytest.mark.parametrize(
    ("mistake", "report"),
    [
        ("out of range", "AddressSanitizer: heap-buffer-overflow"),
        ("overflow", "runtime error: signed integer overflow"),
    ],
)
def test_mistakes_in_tools(
    mistake: str, report: str, libraries: dict[str, Path], tmp_path: Path
) -> None:
    result = run(libraries[mistake], folder=tmp_path)
    assert result.returncode != 0
    assert report in result.stderr


def test_mistakes_in_kernels(libraries: dict[str, Path], tmp_path: Path) -> None:
    result = run(
        libraries["tools"], libraries["out of table"], "DOUBLE", "few_hkl", folder=tmp_path
    )
    assert result.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in result.stderr
