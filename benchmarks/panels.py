"""Time an image of many panels against one panel of the same area and pixels, in the same run.

    python -m benchmarks.panels

The 32 panels have 1024 x 512 pixels, as the modules of a Jungfrau 16M, or an eighth of that along
each axis. The ratio compares the times per pixel. A render includes no plan and no file.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from cupysim import (
    Beam,
    Crystal,
    Experiment,
    Mosaicity,
    Panel,
    PanelDetector,
    RandomStream,
    Renderer,
    Rendering,
    StructureFactors,
    UnitCell,
)

EDGE = 75e-6
"""Edge of a pixel of the large panels (m)."""

DISTANCE = 0.15
"""Distance of all panels (m)."""


def detector(across: int, down: int, coarseness: int) -> PanelDetector:
    """A detector of `across` x `down` panels that cover a square of 4096 fine pixels."""
    edge, n_fast, n_slow = EDGE * coarseness, 4096 // across, 4096 // down
    members = [
        Panel(
            f"p{row}_{column}",
            n_fast // coarseness,
            n_slow // coarseness,
            ((column * n_fast - 2048) * EDGE, (row * n_slow - 2048) * EDGE, DISTANCE),
            (1, 0, 0),
            (0, 1, 0),
            edge,
        )
        for row in range(down)
        for column in range(across)
    ]
    return PanelDetector(members, beam=(0, 0, 1), spindle=(-1, 0, 0))


def experiment(panels: PanelDetector, oversample: int, domains: int) -> Experiment:
    """A protein crystal with a table of structure factors."""
    axis = np.arange(-40, 41)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    amplitudes = np.random.default_rng(1).uniform(1.0, 100.0, len(hkl))
    mosaicity = Mosaicity()
    if domains > 1:
        mosaicity = Mosaicity.draw(0.01, domains, RandomStream(1))
    return Experiment(
        Beam(wavelength=1e-10),
        Crystal(
            UnitCell.from_degrees(79, 79, 38, 90, 90, 90),
            misset=(0.1, 0.2, 0.3),
            n_cells=(20, 20, 20),
            mosaicity=mosaicity,
        ),
        panels,
        StructureFactors.from_list(hkl, amplitudes),
        rendering=Rendering(oversample=oversample, interpolate=False),
    )


def main() -> None:
    """Print times (ms) and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--tolerance")
    options = parser.parse_args()
    print("pixels        sub-pixels  domains   one panel   32 panels   ratio")
    for coarseness, oversample, domains in ((1, 1, 1), (1, 1, 10), (8, 1, 1), (8, 2, 10)):
        pair = [
            experiment(detector(*panels, coarseness), oversample, domains)
            for panels in ((1, 1), (4, 8))
        ]
        with Renderer(
            options.backend, threads=options.threads, tolerance=options.tolerance
        ) as renderer:
            plans = [renderer.plan(each) for each in pair]
            sums = [renderer.render_plan(plan).image.sum(dtype=np.float64) for plan in plans]
            assert np.isclose(*sums, rtol=1e-6), "the images must be the same"
            best = [np.inf, np.inf]
            for _ in range(options.repeats):
                for number, plan in enumerate(plans):
                    began = time.perf_counter()
                    renderer.render_plan(plan)
                    best[number] = min(best[number], time.perf_counter() - began)
        size = 4096 // coarseness
        print(
            f"{size:5} x {size:5} {oversample:8} {domains:10} {1e3 * best[0]:11.2f} "
            f"{1e3 * best[1]:11.2f} {best[1] / best[0]:7.3f}"
        )


if __name__ == "__main__":
    main()
