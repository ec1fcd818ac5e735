"""Fixtures of the tests of nonBragg."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Outcome, Run

OUTPUTS = ("floatimage.bin", "intimage.img", "noiseimage.img", "image.pgm", "output.stol")


@pytest.fixture
def run(run: Run, tmp_path: Path) -> Run:
    """Run the command without the outputs of an earlier run, so that new ones are found."""

    def run_again(words: str | Sequence[str], inputs: Sequence[str] = ()) -> Outcome:
        for name in OUTPUTS:
            (tmp_path / name).unlink(missing_ok=True)
        return run(words, inputs)

    return run_again
