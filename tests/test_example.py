"""The README's example of nanoBragg on the shipped protein: the C program's four files."""

from __future__ import annotations

import hashlib
import platform
import shutil
from pathlib import Path

import pytest

from tests.conftest import Renderer, Run

EXAMPLE = Path(__file__).parent.parent / "examples" / "1orc"
PLAIN = "-hkl P1.hkl -matrix A_6.2.mat -lambda 6.2 -N 10"
DIGESTS = {
    PLAIN: {
        "floatimage.bin": "37aacbb8ffe2935d36eca633bb83ff52f2177ac39333dbcb3aa11e5088a10cce",
        "intimage.img": "88918c64f0f469ea5e32a2be251b2d9c3a0e0cee95796646357174b079458057",
        "image.pgm": "8ff31cde3a0b62f38e8aaa021a27919ea0cc5afb8524ad7f818b8d4bebfed0ed",
        "noiseimage.img": "b087fc9722f6b2f8f0b344a0b6768739f551d5dddcf57b46260a08c696f73d48",
    },
    f"{PLAIN} -fluence 2e22 -water 4": {
        "floatimage.bin": "fade494e5a2f86e5ade84713ea3fa88735cf2e6b825df4df7f27984729382ea0",
        "intimage.img": "e2ddb2e7b58841603b290b95940e900f66b8046a981879f1dc9f314e0025d48a",
        "image.pgm": "3ac07a5fc0daa5bdad0ba0a233e38da88c143ce6e04eb19b0c0d370a532b53be",
        "noiseimage.img": "92ebfcee20d08dcd4c081ccca02fc580422b2cb2d46af9d1b59cddaeac229e32",
    },
}
"""SHA-256 of what nanoBragg.c (commit 455534a, gcc 12 -O2, glibc) wrote, with -seed 42."""


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="another C library rounds its sines differently, and digests show each last bit",
)
@pytest.mark.parametrize("words", DIGESTS)
def test_four_files(words: str, run: Run, tmp_path: Path) -> None:
    for name in ("P1.hkl", "A_6.2.mat"):
        shutil.copyfile(EXAMPLE / name, tmp_path / name)
    outcome = run(f"{words} -seed 42 -backend numpy")
    assert outcome.status == 0
    made = {name: hashlib.sha256(outcome.files[name]).hexdigest() for name in DIGESTS[words]}
    assert made == DIGESTS[words]


@pytest.mark.parametrize("words", DIGESTS)
def test_other_backends(words: str, run: Run, tmp_path: Path, renderer: Renderer) -> None:
    for name in ("P1.hkl", "A_6.2.mat"):
        shutil.copyfile(EXAMPLE / name, tmp_path / name)
    command = f"{words} -nonoise -nopgm -nodump"
    reference = run(f"{command} -backend numpy").float_image(1024, 1024)
    ours = run(
        f"{command} -floatfile other.bin -backend {renderer.backend} "
        f"-precision {renderer.precision}"
    )
    renderer.assert_close(ours.float_image(1024, 1024, "other.bin"), reference)
