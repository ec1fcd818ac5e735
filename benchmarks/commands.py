"""Time whole commands of cupysim against the C program, in the same run.

    NANOBRAGG_C=/path/to/nanoBragg python -m benchmarks.commands [CASE ...]

Both programs run each case alternately, with the same number of threads, in an empty folder. The
shortest of the wall-clock times counts. For a fair comparison, build nanoBragg with OpenMP
(``gcc -O3 -fopenmp``). Without NANOBRAGG_C, only cupysim is timed. The script prints a table. With
``--out``, it also writes a JSON file with a description of the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cases import COMMANDS, EXAMPLE, INPUTS
from benchmarks.machine import ROOT, describe, keep, program_facts


@dataclass(frozen=True)
class Program:
    """A program to time, and its name in the table."""

    name: str
    words: tuple[str, ...]


def run(program: Program, case: str, threads: int) -> tuple[float, np.ndarray]:
    """Wall-clock time of a command (s), and its float image (photons)."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    environment["PYTHONPATH"] = str(ROOT)
    # these variables would slow cupysim down; a usual installation has bytecode and buffers output
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        environment.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        for name in INPUTS:
            shutil.copyfile(EXAMPLE / name, Path(folder) / name)
        words = [*program.words, *COMMANDS[case].split()]
        start = time.perf_counter()
        subprocess.run(
            words, cwd=folder, check=True, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        taken = time.perf_counter() - start
        image = np.fromfile(Path(folder) / "floatimage.bin", dtype=np.float32)
    return taken, image.astype(np.float64)


def programs(threads: int, backends: list[str]) -> list[Program]:
    """The C program, if the environment names one, and cupysim with each backend."""
    peer = os.environ.get("NANOBRAGG_C")
    found = [Program("C program", (peer,))] if peer else []
    for text in backends:
        backend, _, precision = text.partition("-")
        words = [sys.executable, "-m", "cupysim", "-backend", backend]
        words += ["-precision", precision] if precision else []
        words += ["-threads", str(threads)] if backend == "host" else []
        found.append(Program(text, tuple(words)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", help=f"cases of {', '.join(COMMANDS)}; default: all")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--backends", nargs="+", default=["host-double", "host-mixed"], metavar="BACKEND-PRECISION"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(COMMANDS):
        parser.error(f"no case {', '.join(sorted(unknown))}")
    runs = programs(arguments.threads, arguments.backends)
    facts = describe() | {"threads": str(arguments.threads)}
    if runs[0].name == "C program":
        facts |= program_facts(runs[0].words[0])
    rows: list[dict[str, object]] = []
    print("| case | program | seconds | times faster | difference / maximum |")
    print("|---|---|---|---|---|")
    for case in arguments.cases or COMMANDS:
        times: dict[str, list[float]] = {program.name: [] for program in runs}
        images = {}
        for _ in range(arguments.repeats):
            for program in runs:
                taken, images[program.name] = run(program, case, arguments.threads)
                times[program.name].append(taken)
        first = runs[0].name
        for name, taken_all in times.items():
            ratio = min(times[first]) / min(taken_all)
            largest = images[first].max()
            apart = np.abs(images[name] - images[first]).max() / largest
            shown = ("1", "") if name == first else (f"{ratio:.1f}", f"{apart:.0e}")
            print(f"| {case} | {name} | {min(taken_all):.2f} | {' | '.join(shown)} |", flush=True)
            rows.append(
                {"case": case, "arguments": COMMANDS[case], "program": name,
                 "seconds": taken_all, "difference": apart}
            )  # fmt: skip
        if arguments.out:
            keep(arguments.out, facts, rows)


if __name__ == "__main__":
    main()
