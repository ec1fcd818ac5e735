"""Time the reading of half a million reflections by cupysim and by numpy.loadtxt.

python -m benchmarks.reading
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cupysim.formats import hkl_text
from cupysim.native import tools

ROWS = 500_000
REPEATS = 5


def write_reflections(path: Path) -> None:
    """Write distinct Miller indices in random order, with amplitudes of usual precision."""
    random = np.random.default_rng(1)
    half = 40
    numbers = random.permutation((2 * half) ** 3)[:ROWS]
    hkl = np.stack(np.unravel_index(numbers, (2 * half,) * 3), axis=1) - half
    amplitudes = random.exponential(100.0, ROWS)
    with path.open("w") as stream:
        for (h, k, l), amplitude in zip(hkl, amplitudes, strict=True):
            stream.write(f"{h} {k} {l} {amplitude:.2f}\n")


def shortest(read: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        read()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reflections.hkl"
        write_reflections(path)
        peer = shortest(lambda: np.loadtxt(path))
        ours = shortest(lambda: hkl_text.read(path))
    how = "compiled" if tools.available() else "NumPy"
    print(f"{ROWS} rows: numpy.loadtxt {peer:.3f} s, cupysim ({how}) {ours:.3f} s, ", end="")
    print(f"{peer / ours:.1f} times faster")


if __name__ == "__main__":
    main()
