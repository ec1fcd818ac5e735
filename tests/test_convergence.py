"""Numbers of steps by a convergence test: images are as good as promised."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    CupysimError,
    Experiment,
    Mosaicity,
    MosaicModel,
    Scan,
    Sweep,
    converged,
    from_args,
    simulate,
)
from tests.conftest import Run

WORDS = (
    "-cell 70 80 90 -default_F 100 -N 8 -misset 10 20 30 -detpixels 60 -pixel 0.8 -oversample 4 "
    "-F000 0 -corrected -nodump"
)


def spots_of(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """The image, and photons around the strongest spots."""
    image = simulate(experiment)
    padded = np.pad(image.array.astype(np.float64), 3)
    boxes = np.lib.stride_tricks.sliding_window_view(padded, (7, 7)).sum(axis=(2, 3))
    spots = image.spots[:30]
    return padded, boxes[spots["slow"].astype(int), spots["fast"].astype(int)]


def mosaic(experiment: Experiment, n_domains: int) -> Experiment:
    model = MosaicModel("normal", (0.006,), n_domains)
    return replace(experiment, crystal=replace(experiment.crystal, mosaicity=Mosaicity.of(model)))


def test_domains_and_angles_are_enough() -> None:
    start = mosaic(from_args(f"{WORDS} -osc 2 -phisteps 2"), 2)
    found = converged(start, 0.02)
    n_domains, n_angles = found.crystal.mosaicity.n_domains, found.scan.sweep.count
    assert n_domains > 8
    assert n_angles > 2
    assert found.scan.sweep.range == start.scan.sweep.range
    fine = mosaic(replace(start, scan=Scan.from_degrees(0, 2, 4 * n_angles)), 4 * n_domains)
    good, exact = spots_of(found)[0], spots_of(fine)[0]
    assert np.abs(good - exact).sum() < 0.04 * exact.sum()
    few = mosaic(replace(start, scan=Scan.from_degrees(0, 2, n_angles)), n_domains // 8)
    assert np.abs(spots_of(few)[0] - exact).sum() > 0.04 * exact.sum()


def test_a_looser_limit_needs_fewer_steps() -> None:
    start = mosaic(from_args(WORDS), 2)
    counts = [converged(start, within).crystal.mosaicity.n_domains for within in (0.1, 0.02)]
    assert counts[0] < counts[1]


def test_nothing_to_choose() -> None:
    still = from_args(WORDS)
    found = converged(still)
    assert (found.crystal.mosaicity.n_domains, found.scan.sweep.count) == (1, 1)
    turned = from_args(f"{WORDS} -osc 2 -phisteps 2")
    assert converged(turned, domains=False).scan.sweep.count > 2
    assert converged(turned, angles=False).scan.sweep.count == 2


def test_cells_that_vary_count() -> None:
    words = f"{WORDS} -mosaic_dom 4 -spread_edges 1 1 1"
    assert converged(from_args(words)).crystal.mosaicity.n_domains > 8


@pytest.mark.parametrize(
    "spelling",
    ["--mosaic_dom auto -osc 2", "-mosaic_domains auto --osc 2", "-mosaic_dom auto -osc_deg 2"],
)
def test_spellings(spelling: str, run: Run) -> None:
    words = f"{WORDS} -domain_model normal -mosaic 0.3 {spelling} --phisteps auto -convergence 20"
    outcome = run(words)
    assert outcome.status == 0
    assert "-phisteps 4: half as many change" in outcome.out


def test_domains_of_another_crystal(tmp_path: Path, run: Run) -> None:
    """The first crystal is perfect; the second needs domains."""
    (tmp_path / "a.txt").write_text("-misset 10 20 30\n-misset 1 2 3 -mosaic 0.3\n")
    words = f"{WORDS} -domain_model normal -crystals a.txt -mosaic_dom auto -convergence 20"
    outcome = run(words)
    assert outcome.status == 0, outcome.err
    assert ": half as many change" in outcome.out


def test_a_limit_without_auto_is_told(run: Run) -> None:
    assert "-convergence has no effect" in run(f"{WORDS} -convergence 5").err


def test_mistakes() -> None:
    uncovered = Scan(0.0, Sweep(0.02, 0.002, 5))
    with pytest.raises(CupysimError, match="do not cover its range"):
        converged(replace(from_args(WORDS), scan=uncovered))
    with pytest.raises(CupysimError, match="expected an Experiment, got a int"):
        converged(3)  # type: ignore[arg-type]
    with pytest.raises(CupysimError, match="within"):
        converged(from_args(WORDS), "x")  # type: ignore[arg-type]
    with pytest.raises(CupysimError, match="random domains"):
        converged(from_args(f"{WORDS} -mosaic 1 -mosaic_dom 4"))
    with pytest.raises(CupysimError, match="between 0 and 1"):
        converged(mosaic(from_args(WORDS), 2), 1.5)
    empty = replace(mosaic(from_args(WORDS), 2), structure_factors=from_args(
        f"{WORDS} -default_F 0 -water 1").structure_factors)  # fmt: skip
    with pytest.raises(CupysimError, match="no spots"):
        converged(empty)


def test_command(run: Run) -> None:
    words = f"{WORDS} -domain_model normal -mosaic 0.3 -osc 2"
    outcome = run(f"{words} -mosaic_dom auto -phisteps auto -convergence 5 -provenance p.json")
    assert outcome.status == 0
    record = json.loads(outcome.files["p.json"])
    given = record["arguments"]
    domains, angles = (given[given.index(name) + 1] for name in ("-mosaic_dom", "-phisteps"))
    assert f"-mosaic_dom {domains}, -phisteps {angles}: half as many change" in outcome.out
    assert int(domains) > 4
    assert int(angles) > 2
    explicit = run(f"{words} -mosaic_dom {domains} -phisteps {angles} -floatfile again.bin")
    assert explicit.files["again.bin"] == outcome.files["floatimage.bin"]


def test_wavelengths_of_a_spectrum(run: Run) -> None:
    words = f"{WORDS} -spectrum sase,1,8,3"
    fine = from_args(f"{words} -spectrum_samples 2000")
    found = converged(fine, 0.05)
    assert found.beam.spectrum is not None
    count = len(found.beam.spectrum.wavelengths)
    assert 8 <= count < 1000
    # the promise is about a doubling; against a much finer spectrum the change is about the same
    pixels = simulate(found).array > 0.0
    one, other = (simulate(each).array.astype(np.float64)[pixels] for each in (found, fine))
    assert np.abs(one - other).sum() < 0.05 * other.sum()
    outcome = run(f"{words} -spectrum_samples auto -convergence 5")
    assert outcome.status == 0, outcome.err
    assert f"-spectrum_samples {count}: half as many change" in outcome.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-phisteps auto", "-phisteps: auto needs the width of the rotation, -osc"),
        ("-osc 1 -phistep 0.1 -phisteps auto", "-phistep: the step follows from -osc"),
        ("-osc 1 -phisteps auto -phisteps 3", "-phisteps: is given 2 times, and once as auto"),
        ("-mosaic_dom auto", "auto needs a mosaic spread, or -spread_edges"),
        ("-spectrum_samples auto", "-spectrum_samples needs -spectrum"),
        ("-mosaic_dom many", "-mosaic_dom: expected an integer"),
        ("-mosaic_dom auto -mosaic 1 -convergence 0", "-convergence: must be positive"),
        ("-mosaic_dom auto -mosaic 1 -convergence 200", "must be above 0 and below 100 %, got 200"),
    ],
)
def test_mistakes_on_the_command_line(words: str, told: str, run: Run) -> None:
    outcome = run(f"{WORDS} {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err
