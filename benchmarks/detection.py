"""Time the response of detectors to photons, against other programs in the same run.

    python -m benchmarks.detection [CASE ...] [--sizes 2048 3072 4096] [--out FILE.json]

The unit is a million pixels per second. Images have 3 expected photons in a pixel, 30 % more or
less, and 10 to 1e5 in one pixel of a thousand. All cases count photons, so the case "counting
noise" is a part of every other case. All programs of a case take turns; the median of the repeats
counts. Ratios are the times of another program divided by the times of cupysim: wall time on one
thread, wall time on two, and processor time, which other work of the machine changes less.
`benchmarks/noise_peers.py` describes the other programs.

The memory of a process is measured without the expected photons and without the result of
`Response.detect`. It is divided by the memory of the expected photons (Linux only).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.machine import ROOT, describe, keep, program_facts
from benchmarks.noise_peers import NOISIFY, Noise, Times, missing, names, seconds, timed
from cupysim import read_response
from cupysim.detection.analogue import Analogue, Gain
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import DeadLayer
from cupysim.detection.dead_time import DeadTime
from cupysim.detection.detected import Detected
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import PointSpread
from cupysim.detection.response import Response

PIXEL = 75e-6
"""Edge of a pixel of all cases but the image plate (m)."""

DISTANCE = 0.2
"""Distance of the detector (m), on which paths through a dead layer depend."""

EXPOSURE = Exposure(photon_energy=12400.0, duration=0.01, seed=1)
"""A hundredth of a second: the brightest pixels have 1e7 photons/s, as many as counters trust."""

GAUSSIAN = 2.5 * PIXEL
"""Full width at half maximum of the Gaussian point spread (m)."""

GAUSSIAN_RADIUS = 7
"""Radius (pixels) beyond which cupysim neglects this Gaussian; other programs get the same."""

FIBRE = 80e-6
"""Full width at half maximum of the fibre point spread (m)."""

FIBRE_RADIUS = 5
"""Radius (pixels) of the fibre function in other programs, as in scripts of simtbx. cupysim's is
about 700, which their direct sums could not compute within hours."""

PLATE_TURN = 150e-6
"""Distance between the turns of an image plate's spiral, and the edge of its pixels (m)."""

SMALL = 64
"""Edge of an image that is detected first, to load libraries and fill tables (pixels)."""

THREADS = (1, 2)

MOST_MEMORY = 2.0
"""Largest memory of a response, divided by the memory of the expected photons."""

GOALS = {("eiger2, Gaussian", 3072): 0.2, ("jungfrau", 4096): 0.5}
"""Longest times on two threads (s)."""


@dataclass(frozen=True)
class Case:
    """A response, and the noise of other programs that is most similar to it."""

    response: Response
    noise: Noise | None = None
    pixel: float = PIXEL


def cases() -> dict[str, Case]:
    """All cases by name: stages, and then whole responses."""
    counter, pulse = Counter(), DeadTime("retrigger", 1e-7, 1e-7)
    gaussian = PointSpread("gaussian", GAUSSIAN)
    one_gain = Analogue(3.66, 0.118, (Gain(0.5, 50.0, 100.0, 2e6, 0.02, 10.0),))
    jungfrau = read_response("jungfrau")
    blur = Noise("gauss", 1e3 * GAUSSIAN, GAUSSIAN_RADIUS)
    taper = Noise("fiber", 1e3 * FIBRE, FIBRE_RADIUS)
    plate = read_response("mar345")
    return {
        "counting noise": Case(Response(counter), Noise()),
        "dead layer": Case(Response(counter, dead_layer=DeadLayer("Al", 1e-6))),
        "Gaussian before counting": Case(Response(counter, point_spread=gaussian)),
        "Gaussian after counting": Case(
            Response(counter, point_spread=replace(gaussian, after_counting=True)), blur
        ),
        "dead time": Case(Response(replace(counter, dead_time=pulse))),
        "dead time, corrected": Case(
            Response(replace(counter, dead_time=pulse, rate_correction=True))
        ),
        "charge sharing, counter": Case(Response(counter, charge_cloud=8e-6)),
        "charge sharing, analogue": Case(
            Response(one_gain, charge_cloud=8e-6, pixel_type="uint16")
        ),
        "one gain": Case(
            Response(one_gain, pixel_type="uint16"),
            Noise(gain=6.2, readout=0.1, offset=100.0, calibration=0.02),
        ),
        "three gains": Case(Response(jungfrau.readout, pixel_type="uint16")),
        "fibre after counting": Case(
            Response(counter, point_spread=PointSpread("fibre", FIBRE, after_counting=True)), taper
        ),
        "eiger2, Gaussian": Case(replace(read_response("eiger2"), point_spread=gaussian), blur),
        "jungfrau": Case(
            jungfrau, Noise(gain=508.0, readout=7.5, offset=2900.0, calibration=0.02)
        ),
        "agipd": Case(
            read_response("agipd"),
            Noise(gain=93.0, readout=6.9, offset=4000.0, calibration=0.03),
        ),
        "rayonix-mx": Case(
            read_response("rayonix-mx"),
            replace(taper, gain=1.55, readout=3.0, offset=10.0, calibration=0.03),
        ),
        "mar345": Case(
            plate,
            Noise("gauss", 0.15, 4, gain=1.0, readout=0.5, offset=10.0, calibration=0.02),
            PLATE_TURN,
        ),
    }  # fmt: skip


def expected_photons(size: int) -> np.ndarray:
    """The image of the benchmark, made in place: ndarray of float32, shape (size, size)."""
    rng = np.random.default_rng(1)
    image = np.empty((size, size), dtype=np.float32)
    rng.random(dtype=np.float32, out=image)
    image *= 0.6 * 3.0
    image += 0.7 * 3.0
    bright = rng.integers(size * size, size=size * size // 1000)
    image.reshape(-1)[bright] = 10.0 ** rng.uniform(1.0, 5.0, len(bright))
    return image


def detect(case: Case, image: np.ndarray, threads: int | None) -> Detected:
    """Detect the image of the benchmark."""
    size, response = len(image), case.response
    if response.scan is not None:
        scan = replace(response.scan, diameter=size * case.pixel)
        response = replace(response, scan=scan)
    middle = (size - 1) / 2
    grid = PixelGrid(size, size, case.pixel, case.pixel, middle, middle, DISTANCE)
    return response.detect(image, grid, EXPOSURE, threads=threads)


def measure(case: Case, size: int, repeats: int, folder: Path) -> dict[str, list[Times]]:
    """Times of all programs, after a small image that is not counted."""
    image = expected_photons(size)
    detect(case, image[:SMALL, :SMALL].copy(), None)
    image.tofile(folder / "expected.f32")
    peers = names(case.noise)
    times: dict[str, list[Times]] = {}
    for _ in range(repeats):
        for threads in THREADS:
            taken = timed(partial(detect, case, image, threads))
            times.setdefault(f"cupysim, {threads}", []).append(taken)
        for peer in peers:
            assert case.noise is not None
            taken = seconds(peer, case.noise, image, folder, 1e3 * case.pixel)
            times.setdefault(peer, []).append(taken)
    return times


def memory(name: str, size: int) -> float:
    """Memory of a response, in a process of its own, divided by that of the expected photons."""
    words = [sys.executable, "-m", "benchmarks.detection", name, "--sizes", str(size), "--peak"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(words, check=True, text=True, env=environment, stdout=subprocess.PIPE)
    return float(run.stdout)


def print_memory(case: Case, size: int) -> None:
    """Print the memory of a response in this process."""
    image = expected_photons(size)
    detect(case, image[:SMALL, :SMALL].copy(), None)
    # otherwise the response could use memory that is free but still counts
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    before = _resident("VmRSS")
    found = detect(case, image, None)
    # the peak of getrusage would contain that of the process which started this one
    more = _resident("VmHWM") - before - found.raw.nbytes - found.has_value.nbytes
    print(more / image.nbytes)


def _resident(key: str) -> int:
    """Memory of this process (bytes): now ("VmRSS") or at its peak ("VmHWM")."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def main(words: Sequence[str] | None = None) -> None:
    """Measure all cases, print tables, and keep the results."""
    known = cases()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {'; '.join(known)}")
    parser.add_argument("--sizes", nargs="+", type=int, default=[2048, 3072, 4096])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--out", "--json", type=Path, metavar="FILE.json", help="file to keep results in"
    )
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if unknown := set(options.cases) - set(known):
        parser.error(f"no case {', '.join(sorted(unknown))}")
    if options.peak:
        print_memory(known[options.cases[0]], options.sizes[0])
        return
    for line in missing():
        print(line)
    facts = describe()
    if os.environ.get(NOISIFY):
        facts |= program_facts(os.environ[NOISIFY])
    rows = []
    print(
        "| case | size | 1 thread | 2 threads | 1 thread, processor time | memory "
        "| other programs, ratios |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases or known:
            for size in options.sizes:
                times = measure(known[name], size, options.repeats, Path(folder))
                row = {"case": name, "size": size, "seconds": times, "memory": memory(name, size)}
                print(table_line(row), flush=True)
                rows.append(row)
                if options.out is not None:
                    keep(options.out, facts, rows)
    print_goals(rows)


def median(times: Sequence[Times], which: int = 0) -> float:
    """Median of wall times, or of processor times if `which` is 1 (s)."""
    return statistics.median(each[which] for each in times)


def table_line(row: dict) -> str:
    """A row of the table."""
    times = row["seconds"]
    ours = [f"cupysim, {threads}" for threads in THREADS]
    speeds = {name: row["size"] ** 2 / 1e6 / median(taken) for name, taken in times.items()}
    peers = []
    for name in times:
        if name not in ours:
            ratios = [median(times[name]) / median(times[our]) for our in ours]
            ratios.append(median(times[name], 1) / median(times[ours[0]], 1))
            told = ", ".join(f"{ratio:.3g}" for ratio in ratios)
            peers.append(f"{name} {speeds[name]:.3g}: {told}")
    shown = " | ".join(f"{speeds[our]:.3g}" for our in ours)
    processor = row["size"] ** 2 / 1e6 / median(times[ours[0]], 1)
    return (
        f"| {row['case']} | {row['size']} | {shown} | {processor:.3g} | {row['memory']:.2f} "
        f"| {'; '.join(peers)} |"
    )


def print_goals(rows: Sequence[dict]) -> None:
    """Say which goals are met."""
    for row in rows:
        goal = GOALS.get((row["case"], row["size"]))
        if goal is not None:
            taken = median(row["seconds"]["cupysim, 2"])
            verdict = "met" if taken <= goal else "missed"
            print(
                f"{row['case']}, {row['size']}, 2 threads: {taken:.3f} s, goal {goal} s: {verdict}"
            )
    worst = max(rows, key=lambda row: row["memory"])
    verdict = "met" if worst["memory"] < MOST_MEMORY else "missed"
    print(f"memory: at most {worst['memory']:.2f} ({worst['case']}), goal {MOST_MEMORY}: {verdict}")


if __name__ == "__main__":
    main()
