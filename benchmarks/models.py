"""Time images with models that nanoBragg lacks against the same images without them.

    python -m benchmarks.models [--json FILE]

Both images of a row are rendered in turn, in the same run, on all cores. The ratio is that of the
medians. A render includes no plan and no file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machine import describe, keep
from cupysim import (
    Diffuse,
    Experiment,
    FlightPath,
    FurtherCrystal,
    Mosaicity,
    MosaicModel,
    Renderer,
    Shape,
    Spectrum,
    StructureFactors,
    from_args,
    material,
)

REPEATS = 5
"""Number of renders of each image."""

WORDS = (
    "-cell 70 80 90 -default_F 1 -misset 10 20 30 -N 20 -lambda 1 -distance 150 -pixel 0.1 "
    "-detpixels 1024 -oversample 1 -fluence 1e26 -nodump -corrected"
)
"""Options of all images, apart from the table of structure factors and the domains."""

INDICES = 25
"""Largest absolute Miller index of the tables."""


def table(seed: int) -> StructureFactors:
    """A table of random structure factors."""
    axis = np.arange(-INDICES, INDICES + 1)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    amplitudes = np.random.default_rng(seed).uniform(1.0, 100.0, len(hkl))
    return StructureFactors.from_list(hkl, amplitudes)


def base(n_domains: int = 10) -> Experiment:
    """The image without a model: a crystal with some domains."""
    experiment = replace(from_args(WORDS), structure_factors=table(1))
    mosaicity = Mosaicity.of(MosaicModel("normal", (0.002,), n_domains))
    return replace(experiment, crystal=replace(experiment.crystal, mosaicity=mosaicity))


def crystal_with(experiment: Experiment, **changed: object) -> Experiment:
    """The experiment with another crystal."""
    return replace(experiment, crystal=replace(experiment.crystal, **changed))  # type: ignore[arg-type]


def diffuse(laue_group: str, neighbours: int) -> tuple[Experiment, Experiment]:
    """An image with halos, and without."""
    plain = base()
    halos = Diffuse((50.0e-10,) * 3, (0.3e-10,) * 3, laue_group, neighbours)
    return crystal_with(plain, diffuse=halos), plain


def channels() -> tuple[Experiment, Experiment]:
    """100 wavelengths with a table each, and with one table."""
    plain = base(2)
    spectrum = Spectrum.tophat(1e-10, 0.01, 100)
    plain = replace(plain, beam=replace(plain.beam, spectrum=spectrum))
    tables = [table(seed) for seed in range(100)]
    factors = StructureFactors.at_wavelengths(np.sort(spectrum.wavelengths), tables)
    return replace(plain, structure_factors=factors), plain


def further(other_shape: bool) -> tuple[Experiment, Experiment]:
    """Two crystals, and one."""
    plain = base()
    second = plain.crystal.with_misset(40, 50, 60)
    if other_shape:
        second = replace(second, shape=Shape.GAUSS)
    return replace(plain, further_crystals=(FurtherCrystal(second),)), plain


ROWS: dict[str, Callable[[], tuple[Experiment, Experiment]]] = {
    "diffuse scattering of the nearest reflection": lambda: diffuse("-1", 0),
    "diffuse scattering of 27 reflections": lambda: diffuse("-1", 1),
    "the same, averaged over mmm (4 rotations)": lambda: diffuse("mmm", 1),
    "water by name": lambda: (replace(base(), backgrounds=(material("water", 1e-4),)), base()),
    "water and ice by name": lambda: (
        replace(base(), backgrounds=(material("water", 1e-4), material("ice", 1e-5))), base(),
    ),
    "100 wavelengths with 100 tables, against one table": channels,
    "cells that vary": lambda: (crystal_with(base(), cell_spreads=(0.01, 0.01, 0.01)), base()),
    "attenuation by air": lambda: (replace(base(), attenuators=(FlightPath(0.3),)), base()),
    "two alike crystals, against one": lambda: further(False),
    "two crystals of different shapes, against one": lambda: further(True),
    "spots round in reciprocal space, against Gaussian ones": lambda: (
        crystal_with(base(), shape=Shape.GAUSS_STAR), crystal_with(base(), shape=Shape.GAUSS),
    ),
}  # fmt: skip
"""For each row, the image with the model and the image without it."""


def compare(renderer: Renderer, one: Experiment, other: Experiment) -> tuple[float, float]:
    """Medians of the times of two images (s), rendered in turn."""
    plans = [renderer.plan(each) for each in (one, other)]
    times: list[list[float]] = [[], []]
    for repeat in range(REPEATS + 1):
        for plan, of_plan in zip(plans, times, strict=True):
            begin = time.perf_counter()
            renderer.render_plan(plan)
            if repeat:
                of_plan.append(time.perf_counter() - begin)
    return float(np.median(times[0])), float(np.median(times[1]))


def main() -> None:
    """Print a table of all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--backend", default="host")
    arguments = parser.parse_args()
    facts = describe()
    print(f"1024 x 1024 pixels, 10 domains; {facts['processor']}, {facts['cores']} cores\n")
    print("| model | with (s) | without (s) | ratio |\n|---|---|---|---|")
    rows: list[dict[str, object]] = []
    with Renderer(arguments.backend) as renderer:
        for name, make in ROWS.items():
            with_model, without = compare(renderer, *make())
            rows.append({"model": name, "with_s": with_model, "without_s": without})
            print(f"| {name} | {with_model:.3f} | {without:.3f} | {with_model / without:.2f} |")
    if arguments.json is not None:
        keep(arguments.json, facts, rows)


if __name__ == "__main__":
    main()
