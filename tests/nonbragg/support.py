"""What the tests of nonBragg share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.conftest import Outcome

GOLDEN = Path(__file__).parent / "golden"

START = "nonbragg -stol t.stol -detpixels 20 -pixel 2 -distance 60 -noprogress"
"""Words for a small image."""

TABLE = "0 5\n0.1 4\n0.2 3\n0.4 2\n1 1\n"
"""A table that covers this image."""


def save(folder: Path, text: str = TABLE, name: str = "t.stol") -> Path:
    """Write a table."""
    path = folder / name
    path.write_text(text)
    return path


def photons(outcome: Outcome, shape: tuple[int, int] = (20, 20)) -> np.ndarray:
    """The float image that a run left behind, in double precision."""
    assert outcome.status == 0, outcome.err
    return outcome.float_image(*shape).astype(np.float64)


def pixels(
    outcome: Outcome, name: str = "noiseimage.img", shape: tuple[int, int] = (20, 20)
) -> np.ndarray:
    """The pixels of an SMV image that a run left behind, as signed integers."""
    assert outcome.status == 0, outcome.err
    return np.frombuffer(outcome.files[name][512:], dtype="<u2").reshape(shape).astype(np.int64)


def number_after(outcome: Outcome, label: str) -> float:
    """The number after a text on standard output."""
    return float(outcome.out.split(label, 1)[1].split()[0])
