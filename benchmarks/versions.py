"""This version against another checkout of cupysim, image by image.

    python -m benchmarks.versions /path/to/other/checkout

Two processes, one for each version, keep their backends and render the same image in turns, so that
both see the same state of the machine. The script compares the processor time of a render on one
thread: the shortest of all rounds, and the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.machine import ROOT

ROUNDS = {"mosaic": 12, "protein": 30, "sources": 30, "still_4096": 15}
"""Renders of each version, for cases that take long."""

USUAL_ROUNDS = 50
PRECISIONS = ("double", "mixed")
LEFT_OUT = ("large",)
"""A case that takes too long on one thread."""


def main() -> None:
    """Print a table of both versions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("--cases", nargs="*", choices=list(CASES))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work()
        return
    checkouts = (arguments.other.resolve(), ROOT)
    for checkout in checkouts:
        if not (checkout / "cupysim" / "__init__.py").is_file():
            parser.error(f"{checkout} is not a checkout of cupysim")
    workers = [start(checkout) for checkout in checkouts]
    print("| case | precision | other (ms) | this (ms) | ratio | median ratio |")
    print("|---|---|---|---|---|---|")
    for precision in PRECISIONS:
        for case in arguments.cases or [name for name in CASES if name not in LEFT_OUT]:
            compare(workers, case, precision)
    for worker in workers:
        worker.communicate()


def start(checkout: Path) -> subprocess.Popen[str]:
    """Start a process that renders with a version. It runs this file, not the version's own."""
    words = [sys.executable, __file__, str(checkout), "--worker"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), str(ROOT)])}
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def compare(workers: list[subprocess.Popen[str]], case: str, precision: str) -> None:
    """Render a case in turns, and print its row."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS.get(case, USUAL_ROUNDS)):
        for which in (0, 1) if number % 2 else (1, 0):
            worker = workers[which]
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(f"{case} {precision}\n")
            worker.stdin.flush()
            seconds[which].append(float(worker.stdout.readline()))
    before, after = (1e3 * min(each) for each in seconds)
    median = statistics.median(new / old for old, new in zip(*seconds, strict=True))
    print(
        f"| {case} | {precision} | {before:.2f} | {after:.2f} | {after / before:.3f} | "
        f"{median:.3f} |",
        flush=True,
    )


def work() -> None:
    """Render each requested case, and answer with its time (s)."""
    warnings.simplefilter("ignore")
    os.chdir(ROOT / "examples" / "1orc")
    known: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        if line not in known:
            known[line] = renderer_of(*line.split())
            known[line]()
        began = time.process_time()
        known[line]()
        print(time.process_time() - began, flush=True)


def renderer_of(case: str, precision: str) -> Callable[[], object]:
    """A function that renders a case, without planning, on one thread."""
    import cupysim

    experiment = cupysim.from_args(f"{CASES[case]} -nodump")
    if hasattr(cupysim, "Renderer"):
        renderer = cupysim.Renderer("host", precision, threads=1)
        plan = renderer.plan(experiment)
        return lambda: renderer.render_plan(plan)
    return _of_old_version(experiment, precision)


def _of_old_version(experiment: Any, precision: str) -> Callable[[], object]:
    """The same for versions without `cupysim.Renderer`."""
    from importlib import import_module

    select, planning, result = (
        import_module(f"cupysim.render.{name}") for name in ("select", "planning", "result")
    )
    backend = select.select_backend("host", precision, 1, None)
    plan, observer = planning.make_plan(experiment), result.Observer()
    return lambda: backend(plan, observer)


if __name__ == "__main__":
    main()
