"""What the tests of noisify share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from cupysim.formats.smv import HEADER_BLOCK
from cupysim.native import tools
from tests.conftest import Outcome

GOLDEN = Path(__file__).parent / "golden"

WITHOUT_ERRORS = "-calibration 0 -adc 0"
"""Words for an image without calibration errors and offset."""


@contextmanager
def plain_python() -> Iterator[None]:
    """The counterparts of compiled code alone."""
    with mock.patch.object(tools, "available", return_value=False):
        yield


def save(folder: Path, image: np.ndarray, name: str = "in.bin") -> Path:
    """Write an image of expected photons as raw float32 numbers."""
    path = folder / name
    np.asarray(image, dtype=np.float32).tofile(path)
    return path


def pixels(outcome: Outcome, shape: tuple[int, int], name: str = "noiseimage.img") -> np.ndarray:
    """The pixels of an SMV image that a run left behind, as signed integers."""
    data = outcome.files[name]
    kind = "<u4" if b"TYPE=long_integer" in data[:HEADER_BLOCK] else "<u2"
    return np.frombuffer(data[HEADER_BLOCK:], dtype=kind).reshape(shape).astype(np.int64)
