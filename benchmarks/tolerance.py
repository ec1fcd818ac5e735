"""Time images within a tolerance against exact ones, in the same run, and check their errors.

    python -m benchmarks.tolerance [--out FILE.json] [--plot FILE.png] [--threads N]

The host backend renders the example's protein crystal exactly and within tolerances, in turn. The
shortest of the repeats counts. The time of an image within a tolerance contains the search for the
brightest Bragg pixel. "Share" is the share of the terms that were computed. "Error" is the largest
difference from the exact image, divided by the tolerance; it must be at most 1. For derivatives, it
is the largest difference from the exact derivatives, divided by the limit of the parameter.

``--plot`` also renders series of images with more and more mosaic domains. It draws the time
against the number of terms of the exact image.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.cases import EXAMPLE
from benchmarks.machine import describe, keep
from cupysim.api import from_args
from cupysim.errors import CupysimWarning
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

DERIVED = ("Gaussian, N 50", "Gaussian, N 50, 512 x 512", "round, N 20", "square, N 20")
"""Cases whose derivatives are measured too."""

TOLERANCES = ("1e-6peak", "1e-4peak")
REPEATS = 3

SERIES = {
    "Gaussian, N 50": ("-gauss_xtal -N 50 -detpixels 512", "1e-6peak"),
    "square, N 20": ("-square_xtal -N 20 -detpixels 512", "1e-4peak"),
}
"""Options of each series of the plot, and its tolerance."""

DOMAINS = (1, 3, 10, 30, 100, 300, 1000)
"""Numbers of mosaic domains of the images of a series."""


PARAMETERS = "misset, cell, scale"
"""Parameters of derivatives."""

Result = TypeVar("Result")


def fastest(
    compute: Callable[[Experiment], Result], experiment: Experiment
) -> tuple[float, Result]:
    """The shortest time of some computations (s), after one that does not count, and a result."""
    compute(experiment)
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        result = compute(experiment)
        times.append(time.perf_counter() - began)
    return min(times), result


def measure(
    name: str, words: str, tolerances: Sequence[str], threads: int | None
) -> list[dict[str, object]]:
    """The rows of a case, one for each tolerance."""
    experiment = from_args(f"{BASE} {words}")
    rows: list[dict[str, object]] = []
    with Renderer("host", threads=threads) as exact:
        seconds, reference = fastest(exact, experiment)
    for tolerance in tolerances:
        with Renderer("host", threads=threads, tolerance=tolerance) as within:
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
                "terms": culled.n_terms,
                "share": culled.share,
                "error": float(lost / max(culled.tolerances[0], 1e-300)),
            }
        )
    return rows


def measure_derivatives(
    name: str, words: str, tolerances: Sequence[str], threads: int | None
) -> list[dict[str, object]]:
    """The rows of a case for derivatives. The error is relative to the limit of each parameter."""
    experiment = from_args(f"{BASE} {words}")
    rows: list[dict[str, object]] = []
    with Renderer("host", threads=threads) as exact:
        seconds, reference = fastest(lambda each: exact.gradients(each, PARAMETERS), experiment)
    for tolerance in tolerances:
        with Renderer("host", threads=threads, tolerance=tolerance) as within:
            taken, found = fastest(lambda each: within.gradients(each, PARAMETERS), experiment)
        assert found.limits is not None
        errors = np.abs(found.values - reference.values).max(axis=(1, 2)) / found.limits
        rows.append(
            {
                "case": f"derivatives: {name}",
                "tolerance": tolerance,
                "exact_seconds": seconds,
                "seconds": taken,
                "times_faster": seconds / taken,
                "share": found.share,
                "error": float(errors.max()),
            }
        )
    return rows


def measure_series(threads: int | None) -> list[dict[str, object]]:
    """The rows of all series."""
    return [
        row
        for name, (words, tolerance) in SERIES.items()
        for domains in DOMAINS
        for row in measure(name, f"{words} -mosaic_dom {domains}", [tolerance], threads)
    ]


def draw(rows: Sequence[dict[str, object]], path: Path) -> None:
    """Draw the times of series against the numbers of terms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (name, (_, tolerance)) in enumerate(SERIES.items()):
        some = [row for row in rows if row["case"] == name]
        terms = [row["terms"] for row in some]
        for key, label, style in (
            ("exact_seconds", "exact", "o--"), ("seconds", tolerance, "o-"),
        ):  # fmt: skip
            axes.plot(terms, [row[key] for row in some], style, color=f"C{number}",
                      label=f"{name}, {label}")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="terms of the exact image", ylabel="time (s)")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main(words: Sequence[str] | None = None) -> None:
    """Measure all cases, print a table, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="file to keep results in")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="picture to draw")
    parser.add_argument("--threads", type=int, metavar="N", help="default: one for each core")
    options = parser.parse_args(words)
    warnings.simplefilter("ignore", CupysimWarning)
    print("| case | tolerance | exact | within | times faster | share | error |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    work = [(measure, name) for name in CASES] + [(measure_derivatives, name) for name in DERIVED]
    for function, name in work:
        for row in function(name, CASES[name], TOLERANCES, options.threads):
            rows.append(row)
            print(
                f"| {row['case']} | {row['tolerance']} | {row['exact_seconds']:.3f} s | "
                f"{row['seconds']:.4f} s | {row['times_faster']:.1f} | "
                f"{100 * float(str(row['share'])):.2g} % | {row['error']:.2f} |",
                flush=True,
            )
    if options.plot is not None:
        series = measure_series(options.threads)
        draw(series, options.plot)
        rows += series
    if options.out is not None:
        keep(options.out, describe(), rows)


if __name__ == "__main__":
    main()
