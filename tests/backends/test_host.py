"""What only the host backend can get wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.backends.compiled import host_library
from cupysim.backends.compiled.records import struct_type
from cupysim.errors import CupysimError
from cupysim.native.cores import MOST_THREADS, usable_cores
from tests.conftest import Renderer, Run

pytestmark = pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")

WORDS = "-cell 100 -default_F 100 -N 5 -lambda 1.5 -detpixels 64"
FORK = f"""
import os, sys, warnings
from cupysim import from_args, simulate
experiment = from_args("{WORDS}")
before = simulate(experiment, "host", threads=2).array
child = os.fork()
if child == 0:
    warnings.simplefilter("ignore")
    after = simulate(experiment, "host", threads=2).array
    os._exit(0 if (before == after).all() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
LONGER_THAN_NEEDED = 60
"""Seconds after which a forked process is known to hang."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_forked_process_renders() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=LONGER_THAN_NEEDED)


@pytest.mark.parametrize("name", ["Launch", "Source", "Crystal"])
def test_structs_have_no_gaps(name: str) -> None:
    """So that every member of the header was read."""
    fields = struct_type(name).fields
    assert fields is not None
    ends = [offset + kind.itemsize for kind, offset in fields.values()]
    assert struct_type(name).itemsize == max(ends) == sum(k.itemsize for k, _ in fields.values())


@pytest.mark.parametrize("words", ["-threads 0", "-threads -1", "-threads x", "-threads"])
def test_impossible_threads(words: str, run: Run) -> None:
    outcome = run(f"{WORDS} {words}")
    assert outcome.status == 9
    assert outcome.files == {}
    assert "-threads" in outcome.err


def test_too_many_threads(run: Run) -> None:
    outcome = run(f"{WORDS} -threads 1025")
    assert (outcome.status, outcome.files) == (9, {})
    assert "threads: from 1 to 1024" in outcome.err


@pytest.mark.parametrize("threads", [0, -1, 1025, 2**40, 1.5, "2", float("nan")])
def test_impossible_threads_in_python(threads: object) -> None:
    with pytest.raises(CupysimError, match="threads: "):
        simulate(from_args(WORDS), "host", threads=threads)  # type: ignore[arg-type]


def test_more_threads_than_blocks_of_pixels() -> None:
    experiment = from_args(f"{WORDS} -detpixels 11")
    many, one = (simulate(experiment, "host", threads=n).array for n in (1024, 1))
    np.testing.assert_array_equal(many, one)


def test_environment_asks_for_too_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "999999999999")
    assert usable_cores() == MOST_THREADS


def test_one_pixel_and_none(run: Run) -> None:
    whole = run(f"{WORDS} -backend host").float_image(64, 64)
    part = run(f"{WORDS} -backend host -roi 7 7 9 9 -floatfile part.bin").float_image(
        64, 64, "part.bin"
    )
    assert part[9, 7] == whole[9, 7]
    assert np.count_nonzero(part) == 1
    empty = run(f"{WORDS} -backend host -roi 70 80 9 9 -floatfile none.bin")
    assert not empty.float_image(64, 64, "none.bin").any()


@pytest.mark.parametrize("distance", [13, 90, 180, 360])
@pytest.mark.parametrize("more", ["", "-N 10 -oversample 3", "-fudge 0 -misset 11 21 31"])
def test_round_crystals_in_the_direct_beam(distance: int, more: str) -> None:
    """Distances d for which d times 1/d is not 1; the pixel on the beam sees no tiny offset."""
    words = f"-cell 70 80 90 -default_F 100 -N 5 -round_xtal -detpixels 31 -distance {distance}"
    experiment = from_args(f"{words} {more}")
    reference = simulate(experiment, "numpy").array
    assert reference[15, 15] > 0.0
    Renderer("host", "double").assert_close(simulate(experiment, "host").array, reference)
