"""What the tests of compiled code share: compilers of all kinds, and images of a library."""

from __future__ import annotations

import ctypes
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.backends.compiled import bands as compiled
from cupysim.backends.compiled.host import HostEngine
from cupysim.backends.compiled.host_library import prepare
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer
from cupysim.native import recipe
from cupysim.plan.planning import make_plan

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "cuda_src"
WORDS = (
    "-cell 50 60 70 90 90 90 -misset 12 7 33 -N 5 -default_F 10 -lambda 1 -detpixels 32 -pixel 1"
)


def _find_compiler() -> list[str]:
    try:
        words = recipe.find_compiler()
        subprocess.run([*words, "--version"], capture_output=True, check=True)
    except (recipe.BuildError, OSError, subprocess.CalledProcessError):
        return []
    return [shutil.which(words[0]) or words[0], *words[1:]]


COMPILER = _find_compiler()
"""This machine's C++ compiler; tests change where it is looked for."""

CXX = shlex.join(COMPILER)

needs_compiler = pytest.mark.skipif(not COMPILER, reason="no C++ compiler here")


def only_shape(sources: Path, shape: str) -> Path:
    """Leave all kernels but those of one shape out of a copy of the sources, which is faster."""
    host = sources / "host.cpp"
    text = host.read_text()
    assert text.count("CUPYSIM_SHAPES(CUPYSIM_CASE)") == 1
    host.write_text(text.replace("CUPYSIM_SHAPES(CUPYSIM_CASE)", f"CUPYSIM_CASE({shape})"))
    return sources


def make_program(path: Path, text: str) -> str:
    """A shell script; gives its path."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def make_compiler(folder: Path, before: str = "", options: str = "", name: str = "compiler") -> str:
    """A compiler which does something first, and has options of its own at the end."""
    return make_program(folder / name, f'{before}\nexec {CXX} "$@" {options}')


def render(
    library: Path, words: str = WORDS, precision: Precision = Precision.DOUBLE, threads: int = 2
) -> np.ndarray:
    """The image of a command line, computed by a library."""
    engine = HostEngine(prepare(ctypes.CDLL(str(library))), precision, threads)
    plan = make_plan(from_args(words))
    image = np.zeros(plan.shape, dtype=np.float32)
    return compiled.render(plan, Observer(), [engine], image).image[0, 0]
