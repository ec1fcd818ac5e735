"""Time derivatives of images against the images themselves, by each backend, in the same run.

    python -m benchmarks.gradients [CASE ...] [--out FILE.json]

The derivatives are with respect to twelve parameters together: three angles of the crystal, six of
its cell, distance and beam centre. The time is that of all derivatives in double precision,
including their arrays. The image is timed in the same way, with the same backend. The shortest of
the repeats counts. "Difference" is the largest difference from the derivatives of the last
backend, relative to the largest derivative with respect to the same parameter.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.cases import CASES, EXAMPLE
from benchmarks.machine import describe, keep
from cupysim.api import from_args
from cupysim.backends.derivatives import Gradients
from cupysim.backends.rendered import Observer
from cupysim.backends.select import available_backends, open_backend
from cupysim.plan.gradient_plan import plan_gradients
from cupysim.plan.planning import make_plan
from cupysim.renderer import Renderer

NAMES = "misset, cell, distance, beam_centre"
"""Parameters and groups of parameters to differentiate with respect to."""

CHOSEN = ("mosaic", "protein", "sources", "round", "gauss", "tricubic", "still_1024")
"""Default cases."""

NUMPY_STEPS = 5e7
"""Largest number of steps of a case for the numpy backend."""


def shortest(work: Callable[[], object], repeats: int) -> float:
    """Shortest time of a function (s), after a run that is not timed."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help=f"cases of {', '.join(CASES)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--numpy-steps",
        type=float,
        default=NUMPY_STEPS,
        metavar="STEPS",
        help="leave out NumPy for cases with more steps; default: %(default)g",
    )
    parser.add_argument("--out", type=lambda name: Path(name).resolve())
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}")
    rows: list[dict[str, object]] = []
    os.chdir(EXAMPLE)
    print("| case | backend | image ms | derivatives ms | ratio | difference |")
    print("|---|---|---|---|---|---|")
    for case in arguments.cases or CHOSEN:
        experiment = from_args(f"{CASES[case]} -nodump -corrected")
        plan = make_plan(experiment)
        gradient_plan = plan_gradients(experiment, plan, NAMES)
        steps = plan.n_region * plan.n_steps * plan.panels.n_layers
        found: list[tuple[dict[str, object], Gradients]] = []
        for backend in available_backends():
            if backend == "numpy" and steps > arguments.numpy_steps:
                continue
            repeats = 1 if backend == "numpy" else arguments.repeats
            render, differentiate = open_backend(backend).render, Renderer(backend).differentiate
            image = shortest(lambda: render(plan, Observer()), repeats)  # noqa: B023
            slopes = shortest(lambda: differentiate(gradient_plan, Observer()), repeats)  # noqa: B023
            row: dict[str, object] = {
                "case": case, "arguments": CASES[case], "backend": backend, "steps": steps,
                "image_seconds": image, "gradient_seconds": slopes, "ratio": slopes / image,
            }  # fmt: skip
            found.append((row, differentiate(gradient_plan, Observer())))
        reference = found[-1][1].values
        largest = np.abs(reference).max(axis=(1, 2))
        for row, gradients in found:
            apart = np.abs(gradients.values - reference).max(axis=(1, 2)) / largest
            row["difference"] = float(apart.max())
            print(
                f"| {case} | {row['backend']} | {1e3 * float(row['image_seconds']):.1f} "  # type: ignore[arg-type]
                f"| {1e3 * float(row['gradient_seconds']):.1f} | {row['ratio']:.2f} "  # type: ignore[arg-type]
                f"| {row['difference']:.0e} |",
                flush=True,
            )
        rows += [row for row, _ in found]
        if arguments.out:
            keep(arguments.out, describe(), rows)


if __name__ == "__main__":
    main()
