"""What only the host backend can get wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.errors import CupysimError
from cupysim.render import host
from cupysim.render.launch import launch_type
from tests.conftest import Run

pytestmark = pytest.mark.skipif(host.problem() is not None, reason="no compiled library")

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


def test_struct_is_the_same() -> None:
    fields = launch_type().fields
    assert fields is not None
    ends = [offset + kind.itemsize for kind, offset in fields.values()]
    assert launch_type().itemsize == max(ends) == sum(k.itemsize for k, _ in fields.values())


@pytest.mark.parametrize("words", ["-threads 0", "-threads -1", "-threads x", "-threads"])
def test_impossible_threads(words: str, run: Run) -> None:
    outcome = run(f"{WORDS} {words}")
    assert outcome.status == 9
    assert outcome.files == {}
    assert "-threads" in outcome.err


def test_impossible_threads_in_python() -> None:
    with pytest.raises(CupysimError, match="at least 1"):
        simulate(from_args(WORDS), "host", threads=0)


def test_one_pixel_and_none(run: Run) -> None:
    whole = run(f"{WORDS} -backend host").float_image(64, 64)
    part = run(f"{WORDS} -backend host -roi 7 7 9 9 -floatfile part.bin").float_image(
        64, 64, "part.bin"
    )
    assert part[9, 7] == whole[9, 7]
    assert np.count_nonzero(part) == 1
    empty = run(f"{WORDS} -backend host -roi 70 80 9 9 -floatfile none.bin")
    assert not empty.float_image(64, 64, "none.bin").any()
