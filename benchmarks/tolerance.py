"""Time images within a tolerance against exact ones, in the same run, and check their errors.

    python -m benchmarks.tolerance [--out FILE.json] [--threads N]

The host backend renders the example's protein crystal exactly and within tolerances, in turn. The
shortest of the repeats counts. The time of an image within a tolerance contains the search for the
brightest Bragg pixel. "Share" is the share of the terms that were computed. "Error" is the largest
difference from the exact image, divided by the tolerance; it must be at most 1.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.cases import EXAMPLE
from benchmarks.machine import describe, keep
from cupysim.api import from_args
from cupysim.errors import CupysimWarning
from cupysim.image import Image
from cupysim.models.experiment import Experiment
from cupysim.renderer import Renderer

BASE = (
    f"-mat {EXAMPLE / 'A_1.0.mat'} -hkl {EXAMPLE / 'P1.hkl'} -lambda 1 -distance 100 -detsize 100 "
    "-oversample 2 -mosaic_spread 0.5 -nodump -corrected"
)
CASES = {
    "Gaussian, N 20": "-gauss_xtal -N 20 -mosaic_dom 100 -detpixels 1024",
    "Gaussian, N 50": "-gauss_xtal -N 50 -mosaic_dom 100 -detpixels 1024",
    "Gaussian, N 200": "-gauss_xtal -N 200 -mosaic_dom 100 -detpixels 1024",
    "Gaussian, N 50, 512 x 512": "-gauss_xtal -N 50 -mosaic_dom 100 -detpixels 512",
    "Gaussian, N 50, 10 domains": "-gauss_xtal -N 50 -mosaic_dom 10 -detpixels 1024",
    "Gaussian, N 50, 100 wavelengths": (
        "-gauss_xtal -N 50 -mosaic_dom 10 -dispersion 0.2 -dispsteps 100 -detpixels 1024"
    ),
    "round, N 20": "-round_xtal -N 20 -mosaic_dom 100 -detpixels 512",
    "top-hat, N 20": "-tophat_spots -N 20 -mosaic_dom 100 -detpixels 512",
    "square, N 20": "-square_xtal -N 20 -mosaic_dom 100 -detpixels 1024",
    "square, N 50": "-square_xtal -N 50 -mosaic_dom 100 -detpixels 1024",
}
"""Options of each case, after `BASE`."""

TOLERANCES = ("1e-6peak", "1e-4peak")
REPEATS = 3


def fastest(render: Callable[[Experiment], Image], experiment: Experiment) -> tuple[float, Image]:
    """The shortest time of some renders (s), and the last image."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        image = render(experiment)
        times.append(time.perf_counter() - began)
    return min(times), image


def measure(name: str, threads: int | None) -> list[dict[str, object]]:
    """The rows of a case, one for each tolerance."""
    experiment = from_args(f"{BASE} {CASES[name]}")
    rows: list[dict[str, object]] = []
    with Renderer("host", threads=threads) as exact:
        exact(experiment)
        seconds, reference = fastest(exact, experiment)
    for tolerance in TOLERANCES:
        with Renderer("host", threads=threads, tolerance=tolerance) as within:
            within(experiment)
            taken, image = fastest(within, experiment)
        culled = image.rendered.culled
        assert culled is not None
        lost = np.abs(reference.array.astype(np.float64) - image.array).max()
        rows.append(
            {
                "case": name,
                "tolerance": tolerance,
                "exact_seconds": seconds,
                "seconds": taken,
                "times_faster": seconds / taken,
                "share": culled.share,
                "error": float(lost / max(culled.tolerances[0], 1e-300)),
            }
        )
    return rows


def main(words: Sequence[str] | None = None) -> None:
    """Measure all cases, print a table, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="file to keep results in")
    parser.add_argument("--threads", type=int, metavar="N", help="default: one for each core")
    options = parser.parse_args(words)
    warnings.simplefilter("ignore", CupysimWarning)
    print("| case | tolerance | exact | within | times faster | share | error |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name in CASES:
        for row in measure(name, options.threads):
            rows.append(row)
            print(
                f"| {name} | {row['tolerance']} | {row['exact_seconds']:.3f} s | "
                f"{row['seconds']:.4f} s | {row['times_faster']:.1f} | "
                f"{100 * float(str(row['share'])):.2g} % | {row['error']:.2f} |",
                flush=True,
            )
    if options.out is not None:
        keep(options.out, describe(), rows)


if __name__ == "__main__":
    main()
