"""Time the writing of files and the start of the command, against other ways in the same run.

    python -m benchmarks.files [--size 4096] [--rounds 7] [--other CHECKOUT] [--out FILE.json]

Two ways take turns. The other way to write an image uses a few lines of NumPy or h5py: they convert
the whole image at once, and HDF5 compresses it. Images must have the same bytes, and HDF5 files the
same values. The time of a start is that of the whole process for an image of 64 x 64 pixels. It is
compared with the import of NumPy alone, and with another checkout of cupysim if one is given.

The table has medians. The ratio is the median of the ratios of neighbouring runs, so it depends
less on other work of the machine. Processor time counts all threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from benchmarks.machine import ROOT, describe, keep
from cupysim import Image, from_args, simulate
from cupysim.formats import float_image, pgm, smv
from cupysim.formats.nexus.chunks import ImageSet
from cupysim.native.cores import usable_cores

IMAGE = (
    "-cell 100 100 100 90 90 90 -N 20 -lambda 1 -distance 100 -default_F 100 -fluence 1e26 "
    "-water 1 -corrected"
)
"""A still with background: 19 photons in a pixel."""

EDGE = 200.0
"""Edge of the detector (mm)."""

SMALL = "-cell 70 80 90 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 100 -detpixels 64 -seed 1"

FILTERS: dict[str, dict[str, Any]] = {
    "Bitshuffle-LZ4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
}
"""Filters of cupysim's HDF5 files, with hdf5plugin and without."""

Way = Callable[[Path], object]


def simple_float(image: Image, path: Path) -> None:
    path.write_bytes(image.array.tobytes())


def simple_smv(image: Image, path: Path) -> None:
    values = np.clip(image.array.astype(np.float64) * image.scale() + 40.0, 0.0, 65535.0)
    pixels = np.floor((values + 0.5).astype(np.float32)).astype(np.uint16)
    path.write_bytes(smv.header(image.experiment) + pixels.tobytes())


def simple_pgm(image: Image, path: Path) -> None:
    scale = 250.0 / (5.0 * image.statistics.rmsd)
    grey = np.minimum(image.array.astype(np.float64) * scale, 255.0).astype(np.uint8)
    n_slow, n_fast = grey.shape
    header = f"P5\n{n_fast} {n_slow}\n# pixels scaled by {scale:g}\n255\n"
    path.write_bytes(header.encode() + grey.tobytes())


def our_float(image: Image, path: Path) -> None:
    with path.open("wb") as stream:
        float_image.write(stream, image.array)


def our_smv(image: Image, path: Path) -> None:
    with path.open("wb") as stream:
        smv.write(stream, smv.header(image.experiment), image.integers())


def our_pgm(image: Image, path: Path) -> None:
    with path.open("wb") as stream:
        pgm.write(stream, *image.grey())


def hdf5_alone(pixels: np.ndarray, filters: dict[str, Any], path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=pixels[None], chunks=(1, *pixels.shape), **filters)


def our_hdf5(pixels: np.ndarray, filters: dict[str, Any], path: Path) -> None:
    with h5py.File(path, "w") as file:
        kind = pixels.dtype.type
        ImageSet(file, "data", (1, *pixels.shape), kind, filters=filters).write(pixels)


def writers(size: int) -> dict[str, tuple[Way, Way]]:
    """The other way and ours, for each kind of file."""
    image = simulate(from_args(f"{IMAGE} -detpixels {size} -pixel {EDGE / size:g}"))
    image.statistics  # noqa: B018  # computed once, not by the first writer
    found: dict[str, tuple[Way, Way]] = {
        "float image": (partial(simple_float, image), partial(our_float, image)),
        "SMV image": (partial(simple_smv, image), partial(our_smv, image)),
        "greymap": (partial(simple_pgm, image), partial(our_pgm, image)),
    }
    for kind, pixels in (("expected photons", image.array), ("counts", image.counts(1))):
        for name, filters in FILTERS.items():
            found[f"HDF5, {kind}, {name}"] = (
                partial(hdf5_alone, pixels, filters), partial(our_hdf5, pixels, filters)
            )  # fmt: skip
    return found


def check(old: Path, new: Path) -> None:
    """Raise an error if two files do not hold the same."""
    if not h5py.is_hdf5(old):
        assert old.read_bytes() == new.read_bytes(), old
        return
    with h5py.File(old) as one, h5py.File(new) as other:
        np.testing.assert_array_equal(one["data"][()], other["data"][()])
        assert one["data"].chunks == other["data"].chunks
        assert one["data"]._filters == other["data"]._filters


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall time and processor time (s)."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def process(words: Sequence[str], path: Path | None, folder: str) -> tuple[float, float]:
    """Wall time and processor time (s) of a process."""
    environment = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    before, wall = os.times(), time.perf_counter()
    subprocess.run(
        [sys.executable, *words], cwd=folder, check=True, env=environment,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wall, after = time.perf_counter() - wall, os.times()
    user = after.children_user - before.children_user
    return wall, user + after.children_system - before.children_system


def compare(
    old: Callable[[], tuple[float, float]], new: Callable[[], tuple[float, float]], rounds: int
) -> dict[str, Any]:
    """Times of two ways that take turns, after one round that is not counted."""
    times = [(old(), new()) for _ in range(rounds + 1)][1:]
    return {
        "other": [one for one, _ in times],
        "ours": [two for _, two in times],
        "ratio": statistics.median(one[0] / two[0] for one, two in times),
        "processor_ratio": statistics.median(one[1] / two[1] for one, two in times),
    }


def median(times: Sequence[tuple[float, float]]) -> float:
    """Median of wall times (s)."""
    return statistics.median(wall for wall, _ in times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=4096, help="pixels along an edge")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="another cupysim to start")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="file to keep results in")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    print("| file | other way, Mpx/s | cupysim, Mpx/s | times as fast | processor time, ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        for name, (other, ours) in writers(options.size).items():
            row = compare(
                partial(timed, partial(other, old)),
                partial(timed, partial(ours, new)),
                options.rounds,
            )
            check(old, new)
            speeds = [options.size**2 / 1e6 / median(row[key]) for key in ("other", "ours")]
            print(
                f"| {name} | {speeds[0]:.0f} | {speeds[1]:.0f} | {row['ratio']:.1f} "
                f"| {row['processor_ratio']:.1f} |",
                flush=True,
            )
            rows.append({"file": name, "size": options.size, **row})
        print("\n| start | other, ms | cupysim, ms | ratio | processor time, ratio |")
        print("|---|---|---|---|---|")
        command = ["-m", "cupysim", *SMALL.split()]
        starts: dict[str, tuple[Sequence[str], Path | None]] = {
            "import of NumPy": (["-c", "import numpy"], None)
        }
        if options.other is not None:
            starts["other checkout"] = (command, options.other.resolve())
        for name, (words, path) in starts.items():
            row = compare(
                partial(process, words, path, folder),
                partial(process, command, ROOT, folder),
                3 * options.rounds,
            )
            medians = [1e3 * median(row[key]) for key in ("other", "ours")]
            print(
                f"| {name} | {medians[0]:.0f} | {medians[1]:.0f} | {row['ratio']:.2f} "
                f"| {row['processor_ratio']:.2f} |",
                flush=True,
            )
            rows.append({"start": name, **row})
    if options.out is not None:
        keep(options.out, describe() | {"threads": str(usable_cores())}, rows)


if __name__ == "__main__":
    main()
