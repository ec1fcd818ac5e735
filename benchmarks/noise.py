"""Time photon noise by nanoBragg's method, NumPy, and seed, shot and pixel, in the same run.

    python -m benchmarks.noise [--other CHECKOUT] [--out FILE.json]

The unit is a million pixels per second. All pixels of an image have the same mean, except in the
last four rows. The shortest of the repeats counts. "Fast" uses all cores; "one core" is its speed
by processor time, the sum of all threads. The other methods use one core. With another checkout of
cupysim, "times as fast" is its time for nanoBragg's method divided by that of this one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import ROOT, describe, keep
from cupysim.detection.counting import count_photons, counts_of_numpy
from cupysim.detection.photon_noise import PhotonNoise

OTHER = """
import sys, time
import numpy as np
from cupysim.detection.poisson import PoissonNoise
from cupysim.maths.nr_random import RandomStream

image, times = np.load(sys.argv[1]), []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    noise = PoissonNoise(RandomStream(1))
    for row in range(0, len(image), 64):
        noise.draw(image[row : row + 64])
    times.append(time.perf_counter() - began)
print(min(times))
"""
"""Draws photon noise by nanoBragg's method, and prints the shortest time (s)."""

SIZE = 2048
MEANS = (0.01, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, 1e5, 1e7)
REPEATS = 5


def rates(draw: Callable[[], object]) -> tuple[float, float]:
    """Million pixels per second, and per second of processor time."""
    walls, processors = [], []
    for _ in range(REPEATS):
        wall, processor = time.perf_counter(), time.process_time()
        draw()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return SIZE * SIZE / min(walls) / 1e6, SIZE * SIZE / min(processors) / 1e6


def times_as_fast(image: np.ndarray, checkout: Path) -> float:
    """Time of nanoBragg's method in another checkout, divided by that in this one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.npy"
        np.save(file, image)
        times = []
        for path in (checkout, ROOT):
            environment = {
                name: value for name, value in os.environ.items() if "PYTHON" not in name
            }
            found = subprocess.run(
                [sys.executable, "-c", OTHER, str(file), str(REPEATS)],
                cwd=folder, env=environment | {"PYTHONPATH": str(path)}, check=True,
                capture_output=True, text=True,
            )  # fmt: skip
            times.append(float(found.stdout))
    return times[0] / times[1]


def main(words: Sequence[str] | None = None) -> None:
    """Measure all means, print a table, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="file to keep results in")
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="another checkout")
    options = parser.parse_args(words)
    rng = np.random.default_rng(1)
    images = {f"{mean:g}": np.full((SIZE, SIZE), mean, dtype=np.float32) for mean in MEANS}
    mixed = rng.uniform(2.0, 4.0, (SIZE, SIZE)).astype(np.float32)
    bright = rng.random((SIZE, SIZE)) < 0.01
    mixed[bright] = 10.0 ** rng.uniform(1, 5, int(bright.sum()))
    images["3, and 1 % of 10 to 1e5"] = mixed
    images["1 to 5"] = rng.uniform(1.0, 5.0, (SIZE, SIZE)).astype(np.float32)
    images["12 to 28"] = rng.uniform(12.0, 28.0, (SIZE, SIZE)).astype(np.float32)
    images["500 to 1500"] = rng.uniform(500.0, 1500.0, (SIZE, SIZE)).astype(np.float32)
    region = slice(0, SIZE), slice(0, SIZE)
    compared = options.other is not None
    print("| mean | fast | fast, one core | numpy | nanobragg |" + " times as fast |" * compared)
    print("|---|---|---|---|---|" + "---|" * compared)
    rows: list[dict[str, object]] = []
    for name, image in images.items():
        fast, one_core = rates(lambda image=image: count_photons(image, region, PhotonNoise(1)))
        row = {
            "fast": fast,
            "fast_one_core": one_core,
            "numpy": rates(lambda image=image: counts_of_numpy(image, region, rng))[0],
            "nanobragg": rates(lambda image=image: count_photons(image, region, 1))[0],
        }
        shown = [f"{value:.0f}" for value in row.values()]
        if compared:
            row["times_as_fast"] = times_as_fast(image, options.other.resolve())
            shown.append(f"{row['times_as_fast']:.2f}")
        rows.append({"mean": name, **row})
        print(f"| {name} | " + " | ".join(shown) + " |", flush=True)
    if options.out is not None:
        keep(options.out, describe(), rows)


if __name__ == "__main__":
    main()
