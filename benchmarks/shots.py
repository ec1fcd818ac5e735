"""Time many small shots with one renderer, and compare with the time in their kernels.

    python -m benchmarks.shots

A thousand shots have 256 x 256 pixels, one step for each pixel, a table of structure factors, and
random orientations. They are rendered one by one, in batches of 100, and by `simulate`, which
keeps nothing between shots.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from cupysim import (
    Beam,
    Crystal,
    Detector,
    Experiment,
    Renderer,
    Rendering,
    StructureFactors,
    UnitCell,
    simulate,
)
from cupysim.backends.compiled.host import HostEngine

BATCH = 100
"""Number of shots of a batch."""


def base() -> Experiment:
    """The experiment that all shots vary."""
    axis = np.arange(-20, 21)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    amplitudes = np.random.default_rng(1).uniform(1.0, 100.0, len(hkl))
    return Experiment(
        beam=Beam(wavelength=1e-10, fluence=1e24),
        crystal=Crystal(UnitCell.from_degrees(70, 80, 90, 90, 90, 90), n_cells=(30, 30, 30)),
        detector=Detector(n_fast=256, n_slow=256, pixel_size=2e-4, distance=0.1),
        structure_factors=StructureFactors.from_list(hkl, amplitudes),
        rendering=Rendering(oversample=1),
    )


def shots(start: Experiment, count: int, seed: int) -> list[Experiment]:
    """Make shots in random orientations."""
    missets = np.random.default_rng(seed).uniform(0.0, 6.0, (count, 3)).tolist()
    return [replace(start, crystal=replace(start.crystal, misset=misset)) for misset in missets]


@contextmanager
def kernels_timed() -> Iterator[list[float]]:
    """Collect the time of each launch of the host backend (s)."""
    seconds: list[float] = []
    launch = HostEngine.render_batch

    def timed(engine: HostEngine, *arguments: object) -> None:
        began = time.perf_counter()
        launch(engine, *arguments)  # type: ignore[arg-type]
        seconds.append(time.perf_counter() - began)

    HostEngine.render_batch = timed  # type: ignore[method-assign,assignment]
    try:
        yield seconds
    finally:
        HostEngine.render_batch = launch  # type: ignore[method-assign]


def main() -> None:
    """Print the time of a shot (ms), of its kernel (ms), and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, default=1000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    start = base()
    with Renderer("host", threads=arguments.threads) as renderer, kernels_timed() as seconds:
        renderer(start)

        def in_batches(experiments: list[Experiment]) -> None:
            for first in range(0, len(experiments), BATCH):
                renderer.batch(experiments[first : first + BATCH])

        def one_by_one(experiments: list[Experiment]) -> None:
            for each in experiments:
                renderer(each)

        def by_simulate(experiments: list[Experiment]) -> None:
            for each in experiments:
                simulate(each, "host", threads=arguments.threads)

        ways: dict[str, Callable[[list[Experiment]], None]] = {
            "in batches": in_batches, "one by one": one_by_one, "simulate": by_simulate,
        }  # fmt: skip
        print("| way | ms a shot | kernel | ratio |\n|---|---|---|---|")
        for name, render in ways.items():
            best: tuple[float, float] | None = None
            for repeat in range(arguments.repeats):
                experiments = shots(start, arguments.shots, repeat)
                seconds.clear()
                began = time.perf_counter()
                render(experiments)
                taken, kernel = time.perf_counter() - began, sum(seconds)
                if best is None or taken / kernel < best[0] / best[1]:
                    best = taken, kernel
            assert best is not None
            whole, kernel = (1e3 * each / arguments.shots for each in best)
            print(f"| {name} | {whole:.3f} | {kernel:.3f} | {whole / kernel:.2f} |")


if __name__ == "__main__":
    main()
