"""Time derivatives of images against the images themselves, by each backend, in the same run.

    python -m benchmarks.gradients [CASE ...] [--out FILE.json]

Twelve parameters together: three angles of the crystal, six of its cell, distance and beam centre.
The time is that of a whole pass, with its arrays, in double precision; that of the image likewise,
by the same backend. The shortest of the repeats counts. "Difference" is the largest of all twelve
from the last backend's derivatives, relative to the largest of each.
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

CHOSEN = ("mosaic", "protein", "sources", "round", "gauss", "tricubic", "still_1024")

NUMPY_STEPS = 5e7
"""More are left out for NumPy."""


def shortest(work: Callable[[], object], repeats: int) -> float:
    """Seconds, after one run which warms up."""
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
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--numpy-steps",
        type=float,
        default=NUMPY_STEPS,
        metavar="STEPS",
        help="leave out NumPy where there are more; default: %(default)g",
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
