"""A thousand random mutations of command lines and input files.

Whatever comes in: no traceback, no hang, no file which is half written, and
after an error one line and no files at all.
"""

from __future__ import annotations

import random
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest

from cupysim.nanobragg.options import OPTIONS
from tests.conftest import INPUTS, Run

MUTATIONS = 1000
PARTS = 20
SECONDS = 20
"""Far more than any of these runs takes, far less than a hang."""

SMALL = "-pixel 2 -detpixels 16 -distance 60 -oversample 1"
SEEDS = [
    f"-hkl few.hkl -cell 30 40 50 90 90 90 -misset 1 2 3 -N 3 -lambda 1 {SMALL} -seed 3",
    f"-mat tric.mat -hkl small_gaps.hkl -Na 3 -Nb 4 -Nc 5 {SMALL} -nonoise -polar 0.9",
    f"-cell 70 80 90 75 85 95 -default_F 100 {SMALL} -mosaic 1 -mosaic_dom 3 -adc 10 -scale 2",
    f"-dump Fdump_small.bin -cell 40 45 50 80 95 100 {SMALL} -osc 1 -phisteps 2 -round_xtal",
    f"-cell 50 -default_F 5 {SMALL} -sourcefile sources_mixed.txt -water 1 -roi 2 9 3 12",
    f"-cell 50 -default_F 5 {SMALL} -detector_thick 400 -thicksteps 2 -xds -ORGX 5 -twotheta 9",
    f"-cell 50 -default_F 5 {SMALL} -fdet_vector 0 0 1 -hdivrange 1 -hdivsteps 2 -pgmscale 1",
    "-img tiny.img -cell 40 50 60 -default_F 10 -N 4 -oversample 1 -stol amorph.stol -seed 1",
    "-mask tiny.img -cell 40 50 60 -hkl few.hkl -N 1 -oversample 1 -flux 1e12 -dmin 3 -seed 1",
]
FILES = [
    "few.hkl",
    "tric.mat",
    "small_gaps.hkl",
    "Fdump_small.bin",
    "sources_mixed.txt",
    "amorph.stol",
]
TINY = (
    b"{\nHEADER_BYTES=512;\nDIM=2;\nSIZE1=12;\nSIZE2=10;\nPIXEL_SIZE=2;\nDISTANCE=60;\n"
    b"WAVELENGTH=1;\nBEAM_CENTER_X=11;\nPHI=2;\nOSC_RANGE=1;\n}\f"
).ljust(512) + bytes([0, 1] * 120)
VALUES = [
    "0", "-1", "1e-30", "1e30", "-1e300", "1e999", "nan", "inf", "-inf", "", " ", "x", "1,2",
    "0x10", "--", "-", "2147483648", "-2147483649", "1e5", "3.7", "random", "sample", "none", ".",
    "/", "\u00e9", "few.hkl", "tric.mat", "../x/y", "a\nb", "7" * 400,
]  # fmt: skip
WORDS = [name for option in OPTIONS for name in option.names]


def too_large(words: list[str]) -> bool:
    """Runs which are merely long, as the same command would be in the C program."""
    numbers = [word for word in words if word.lstrip("+-").replace(".", "").isdigit()]
    return any(len(number.split(".")[0].lstrip("+-")) > 3 for number in numbers)


def mutated_words(rng: random.Random, words: list[str]) -> list[str]:
    words = list(words)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(words))
        action = rng.randrange(7)
        if action == 0:
            del words[at]
        elif action == 1:
            words.insert(at, rng.choice(VALUES))
        elif action == 2:
            words[at] = rng.choice(VALUES)
        elif action == 3:
            words.insert(at, rng.choice(WORDS))
        elif action == 4:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif action == 5:
            words[at] = words[at][: rng.randrange(len(words[at]) + 1)]
        else:
            text = words[at]
            cut = rng.randrange(len(text) + 1)
            words[at] = text[:cut] + chr(rng.randrange(32, 127)) + text[cut:]
        if not words:
            words = ["-cell"]
    return words


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    content = bytearray(data)
    action = rng.randrange(5)
    if action == 0:
        del content[rng.randrange(len(content) + 1) :]
    elif action == 1:
        for _ in range(rng.randint(1, 10)):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif action == 2:
        start = rng.randrange(len(content))
        del content[start : start + rng.randint(1, 50)]
    elif action == 3:
        at = rng.randrange(len(content))
        content[at:at] = rng.choice(VALUES).encode()
    else:
        content = bytearray(bytes(content).replace(b"\n", b"\r\n"))
    return bytes(content)


@contextmanager
def time_limit(seconds: int, words: list[str]) -> Iterator[None]:
    def fail(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(words)

    previous = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("part", range(PARTS))
def test_mutations(part: int, run: Run, tmp_path: Path) -> None:
    warnings.simplefilter("error")
    rng = random.Random(part)
    errors = 0
    for _ in range(MUTATIONS // PARTS):
        for path in tmp_path.iterdir():
            path.unlink()
        words = rng.choice(SEEDS).split()
        for name in FILES:
            (tmp_path / name).write_bytes((INPUTS / name).read_bytes())
        (tmp_path / "tiny.img").write_bytes(TINY)
        if rng.random() < 0.3:
            used = [name for name in (*FILES, "tiny.img") if name in words]
            if used:
                path = tmp_path / rng.choice(used)
                path.write_bytes(mutated_bytes(rng, path.read_bytes()))
        else:
            words = mutated_words(rng, words)
        if too_large(words):
            continue
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with time_limit(SECONDS, words):
            outcome = run(words)
        kept = {name: (tmp_path / name).read_bytes() for name in before}
        assert kept == before, words
        complaints = [line for line in outcome.err.splitlines() if ": warning: " not in line]
        if outcome.status == 0:
            # help and version end well without files
            assert complaints == [], words
            sizes = {name: len(data) for name, data in outcome.files.items()}
            if sizes:
                assert sizes.get("floatimage.bin", 4) % 4 == 0, words
                assert all(name.isprintable() for name in sizes)
            assert not any(name.startswith(".") for name in sizes), words
        else:
            errors += 1
            assert outcome.status == 9, words
            assert outcome.files == {}, words
            usage = outcome.err.startswith("usage: ")
            assert usage or len(complaints) == 1, (words, outcome.err)
    assert errors > 5
