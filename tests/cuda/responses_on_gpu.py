"""Compares raw images of a GPU with those of NumPy, and times a large image.

usage: python -m tests.cuda.responses_on_gpu cuda|host
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

from cupysim.backends.select import why_not
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.response_file import read_response
from tests.cuda.response_cases import CASES, EXPOSURE, GRID, expected_photons

LARGE = "jungfrau"
EDGE = 4096
REPEATS = 5


def different_cases(backend: str) -> list[str]:
    """Names of the responses whose raw images differ from those of NumPy."""
    found = []
    for name, response in CASES.items():
        expected = expected_photons(response)
        images = [
            response.detect(expected, GRID, EXPOSURE, backend=each) for each in (backend, "numpy")
        ]
        is_equal = np.array_equal(images[0].raw, images[1].raw)
        if not is_equal or images[0].overloads != images[1].overloads:
            found.append(name)
    return found


def seconds(backend: str) -> tuple[float, float]:
    """Shortest times of a large image: of the whole call, and of its stages on the device."""
    response, exposure = read_response(LARGE), Exposure(12400.0, seed=1)
    grid = PixelGrid(EDGE, EDGE, 75e-6, 75e-6)
    expected = np.random.default_rng(1).exponential(1.0, grid.shape).astype(np.float32)
    if backend != "cuda":
        return _shortest(lambda: response.detect(expected, grid, exposure, backend=backend)), 0.0
    import cupy

    from cupysim.detection import cuda_stages

    given = cupy.asarray(expected)
    return (
        _shortest(lambda: response.detect(given, grid, exposure)),
        # reading the number of overloads waits for the device
        _shortest(lambda: cuda_stages.raw_image(response, given, grid, exposure)),
    )


def _shortest(call: object) -> float:
    assert callable(call)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main(backend: str) -> int:
    """Print a table. The exit status is 1 if images differ."""
    reason = why_not(backend)
    if reason is not None:
        print(f"responses: skipped: {backend}: {reason}")
        return 0
    warnings.simplefilter("ignore", RuntimeWarning)
    different = different_cases(backend)
    whole, stages = seconds(backend)
    print("| responses | result |")
    print("|---|---|")
    print(f"| raw images that equal NumPy's | {len(CASES) - len(different)} of {len(CASES)} |")
    for name in different:
        print(f"| differs | {name} |")
    print(f"| {LARGE}, {EDGE} x {EDGE} pixels, whole call | {1e3 * whole:.1f} ms |")
    if stages:
        print(f"| the same, without copies to the host | {1e3 * stages:.1f} ms |")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
