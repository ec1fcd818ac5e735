"""Time images by each backend and precision that works here, in the same run.

    python -m benchmarks.backends [CASE ...] [--out FILE.json]

A step is one (pixel, layer, sub-pixel, source, spindle angle, domain). The time is that of
rendering one image. It contains launches, copies and statistics of the backend, but not the start
of the program, the experiment and the files. The shortest of the repeats counts. The first use of
each variant is not timed, because it may compile the variant. For the cuda backend, the time in
kernels is measured separately; the rest is the fixed cost. "Times faster" is relative to the
slowest backend of a case. "Difference" is the largest difference from the image of the last
backend in double precision, divided by the maximum of that image.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, EXAMPLE
from benchmarks.machine import describe, keep
from cupysim.api import from_args
from cupysim.backends.rendered import Observer, RenderFunction
from cupysim.backends.select import BACKENDS, available_backends, open_backend
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan

ENOUGH_SECONDS = 5.0
"""Time after which a backend is not run again on a case (s)."""

NUMPY_STEPS = 5e8
"""Largest number of steps of a case for the numpy backend."""


@contextmanager
def time_in_kernels(backend: str) -> Iterator[list[float]]:
    """Collect the time of each launch of the cuda backend (s). A launch waits for its end."""
    times: list[float] = []
    if backend != "cuda":
        yield times
        return
    from cupysim.backends.compiled.cuda_engine import CudaEngine

    original: Callable[..., None] = CudaEngine._run

    def timed(*arguments: object) -> None:
        start = time.perf_counter()
        original(*arguments)
        times.append(time.perf_counter() - start)

    CudaEngine._run = timed  # type: ignore[method-assign]
    try:
        yield times
    finally:
        CudaEngine._run = original  # type: ignore[method-assign]


def time_image(
    backend: str, render: RenderFunction, plan: RenderPlan, repeats: int
) -> tuple[float, float | None, np.ndarray]:
    """Shortest time of an image (s), the part of it in kernels (s), and the image."""
    best, inside, image = np.inf, None, None
    begun = time.perf_counter()
    with time_in_kernels(backend) as launches:
        for attempt in range(repeats + 1):
            launches.clear()
            start = time.perf_counter()
            image = render(plan, Observer()).image
            taken = time.perf_counter() - start
            # NumPy has nothing to warm up and takes long, so its first run counts
            if attempt == 0 and backend != "numpy":
                begun = time.perf_counter()
                continue
            if taken < best:
                best, inside = taken, sum(launches) if launches else None
            if time.perf_counter() - begun > ENOUGH_SECONDS:
                break
    assert image is not None
    return best, inside, image.astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help=f"cases of {', '.join(CASES)}; default: all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--backends", nargs="+", default=available_backends(), choices=BACKENDS)
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
    facts = describe() | {"threads": str(arguments.threads)}
    rows: list[dict[str, object]] = []
    os.chdir(EXAMPLE)
    print("| case | backend | ms | 1e9 steps/s | fixed ms | times faster | difference / maximum |")
    print("|---|---|---|---|---|---|---|")
    for case in arguments.cases or CASES:
        plan = make_plan(from_args(f"{CASES[case]} -nodump"))
        steps = plan.n_region * plan.n_steps * plan.panels.n_layers
        found: list[tuple[dict[str, object], np.ndarray]] = []
        for backend in arguments.backends:
            if backend == "numpy" and steps > arguments.numpy_steps:
                continue
            # with one GPU, the time in its kernels is that of the image
            for precision in ("double",) if backend == "numpy" else ("double", "mixed"):
                threads = arguments.threads if backend == "host" else None
                render = open_backend(backend, precision, threads, devices=[0]).render
                seconds, inside, image = time_image(backend, render, plan, arguments.repeats)
                row: dict[str, object] = {
                    "case": case, "arguments": CASES[case], "backend": backend,
                    "precision": precision, "seconds": seconds, "seconds_in_kernels": inside,
                    "steps": steps, "steps_per_second": steps / (inside or seconds),
                }  # fmt: skip
                found.append((row, image))
        print_case(found)
        rows += [row for row, _ in found]
        if arguments.out:
            keep(arguments.out, facts, rows)


def print_case(found: Sequence[tuple[dict[str, Any], np.ndarray]]) -> None:
    """Print the rows of a case, with differences from the last backend in double precision."""
    slowest = max(row["seconds"] for row, _ in found)
    reference = next(image for row, image in reversed(found) if row["precision"] == "double")
    for row, image in found:
        row["difference"] = apart = float(np.abs(image - reference).max() / reference.max())
        seconds, inside = row["seconds"], row["seconds_in_kernels"]
        fixed = "" if inside is None else f"{(seconds - inside) * 1e3:.2f}"
        print(
            f"| {row['case']} | {row['backend']}-{row['precision']} | {seconds * 1e3:.2f} "
            f"| {row['steps_per_second'] / 1e9:.3g} | {fixed} "
            f"| {slowest / seconds:.1f} | {apart:.0e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
