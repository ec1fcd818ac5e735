"""Fixtures shared by all tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from cupysim import Beam, Crystal, Detector, Experiment, StructureFactors, UnitCell
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer, Rendered
from cupysim.backends.select import available_backends, open_backend
from cupysim.cli.main import main
from cupysim.plan.render_plan import RenderPlan
from tests import tolerances

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

GOLDEN = Path(__file__).parent / "golden"

SLOW_FILES = (
    "native/test_sanitizers.py",
    "campaign/test_runs.py",
    "refine/test_fit.py",
    "cuda/test_nvrtc.py",
    "backends/test_tolerance.py",
    "test_tutorials.py",
    "native/test_library.py",
    "native/test_recipe.py",
    "gradients/test_gradients.py",
    "cuda/test_tolerance.py",
    "test_recipes.py",
)
"""Files that take minutes. They come first, so that no process is left with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the slow files come first."""

    def place(item: pytest.Item) -> int:
        ends = (n for n, name in enumerate(SLOW_FILES) if item.path.as_posix().endswith(name))
        return next(ends, len(SLOW_FILES))

    items.sort(key=place)


INPUTS = GOLDEN / "inputs"


@dataclass(frozen=True)
class Outcome:
    """What a run of the command left behind."""

    status: int
    out: str
    err: str
    files: dict[str, bytes]

    def float_image(self, n_slow: int, n_fast: int, name: str = "floatimage.bin") -> np.ndarray:
        return np.frombuffer(self.files[name], dtype=np.float32).reshape(n_slow, n_fast)


Run = Callable[..., Outcome]


@dataclass(frozen=True)
class Renderer:
    """A backend and a precision, and how close its images are to those of others."""

    backend: str
    precision: str

    def is_available(self) -> bool:
        return self.backend in available_backends()

    def __call__(
        self, plan: RenderPlan, observer: Observer, threads: int | None = None
    ) -> Rendered:
        if self.precision == "pairs":
            # what mixed precision becomes on GPUs with few float64 units
            from cupysim.backends.compiled import cuda

            return cuda.render(plan, observer, Precision.PAIRS, None)
        return open_backend(self.backend, self.precision, threads).render(plan, observer)

    def assert_close(self, image: np.ndarray, reference: np.ndarray) -> None:
        largest = np.abs(reference.astype(np.float64)).max(initial=0.0)
        if self.precision == "double":
            limit = tolerances.GOLDEN_RELATIVE * np.abs(reference.astype(np.float64))
            limit = limit + tolerances.GOLDEN_ABSOLUTE * largest + tolerances.FLOAT32_TINY
        else:
            limit = np.full(reference.shape, tolerances.MIXED * largest + tolerances.FLOAT32_TINY)
        difference = np.abs(image.astype(np.float64) - reference)
        worst = np.unravel_index(np.argmax(difference - limit), difference.shape)
        assert (difference <= limit).all(), (
            f"pixel {worst}: {image[worst]} and {reference[worst]}, largest {largest}"
        )


PRECISIONS = {
    "cuda": ("double", "mixed", "pairs"),
    "host": ("double", "mixed"),
    "numpy": ("double",),
}

RENDERERS = [
    Renderer(backend, precision)
    for backend in available_backends()
    for precision in PRECISIONS[backend]
]


@pytest.fixture(params=RENDERERS, ids=lambda r: f"{r.backend}-{r.precision}", scope="session")
def renderer(request: pytest.FixtureRequest) -> Renderer:
    """Each backend which works on this machine, in each precision."""
    return request.param


@pytest.fixture(params=available_backends(), scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend which works on this machine."""
    return request.param


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in an empty folder; inputs are copied there first."""

    def run_command(words: str | Sequence[str], inputs: Sequence[str] = ()) -> Outcome:
        monkeypatch.chdir(tmp_path)
        for name in inputs:
            shutil.copyfile(INPUTS / name, tmp_path / name)
        before = set(tmp_path.iterdir())
        capsys.readouterr()
        status = main(words.split() if isinstance(words, str) else list(words))
        captured = capsys.readouterr()
        files = {
            path.name: path.read_bytes()
            for path in tmp_path.iterdir()
            if path.is_file() and path not in before
        }
        return Outcome(status, captured.out, captured.err, files)

    return run_command


@pytest.fixture
def small_experiment() -> Experiment:
    """A cubic crystal on a small detector."""
    return Experiment(
        beam=Beam(wavelength=1e-10),
        crystal=Crystal(UnitCell.from_degrees(50, 60, 70, 90, 90, 90), n_cells=(4, 5, 6)),
        detector=Detector(n_fast=24, n_slow=20, pixel_size=1e-3),
        structure_factors=StructureFactors(default=10.0),
    )
