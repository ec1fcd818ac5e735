"""Domains of several sizes and settings: means of images that are computed in other ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from cupysim import (
    CupysimError,
    Experiment,
    FurtherCrystal,
    SizeSpread,
    fit,
    from_args,
    render_gradients,
    simulate,
)
from tests.conftest import Run

BASE = "-detpixels 16 -pixel 3 -distance 100 -oversample 1 -nopolar -corrected -lambda 1.2"
GAUSS = f"-cell 40 50 60 80 95 100 -misset 10 20 30 -default_F 10 -N 3 -gauss_xtal {BASE}"
TETRAGONAL = f"-cell 40 40 60 -misset 10 20 30 -default_F 10 {BASE}"
SINGLE = 4e-7
"""Relative rounding of float32."""


def with_sizes(words: str, spread: float, count: int = 8) -> Experiment:
    experiment = from_args(words)
    crystal = replace(experiment.crystal, sizes=SizeSpread(spread, count))
    return replace(experiment, crystal=crystal)


def offsets(experiment: Experiment) -> np.ndarray:
    """Offsets from the nearest reflection at the centres of pixels, computed by hand."""
    geometry = experiment.geometry
    n, pixel = 16, experiment.one_panel("test").pixel_size
    slow, fast = np.mgrid[0:n, 0:n] + 0.5
    place = geometry.origin + pixel * (
        fast[..., None] * geometry.fast + slow[..., None] * geometry.slow
    )
    ray = place / np.linalg.norm(place, axis=-1, keepdims=True)
    hkl = (ray - experiment.frame.beam) / experiment.beam.wavelength @ experiment.oriented.direct.T
    return np.asarray(hkl - np.rint(hkl))


@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_sizes_are_a_mean_over_the_log_normal_distribution(spread: float, backend: str) -> None:
    """Against adaptive quadrature of a Gaussian spot, pixel by pixel."""
    experiment = with_sizes(GAUSS, spread, 24)
    image = simulate(experiment, backend=backend).array
    plain = simulate(from_args(GAUSS), backend=backend).array.astype(np.float64)
    sigma = np.sqrt(np.log1p(spread**2))
    squares = (3.0 * offsets(experiment)) ** 2
    checked = 0
    for place in np.ndindex(16, 16):
        y = squares[place].sum() / 0.63
        if y > 3.0:
            continue

        def weighted(x: float, y: float = y) -> float:
            s = np.exp(sigma * x - 0.5 * sigma**2)
            return float(s**6 * np.exp(-2.0 * y * s**2 - 0.5 * x**2) / np.sqrt(2.0 * np.pi))

        expected = quad(weighted, -10, 10, limit=200)[0] / np.exp(-2.0 * y)
        assert image[place] / plain[place] == pytest.approx(expected, rel=2e-5)
        checked += 1
    assert checked > 20


def test_the_mean_size_and_its_spread() -> None:
    for spread, count in ((0.2, 8), (0.5, 20)):
        sizes, weights = SizeSpread(spread, count).factors()
        mean = sizes @ weights
        assert weights.sum() == pytest.approx(1.0)
        assert mean == pytest.approx(1.0, rel=1e-6)
        assert np.sqrt((sizes - mean) ** 2 @ weights) == pytest.approx(spread, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "limit"),
    # the fringes of a square crystal need more sizes than its spots
    [("square", 0.02), ("round", 2e-3), ("gauss", 2e-3), ("gauss_star", 2e-3)],
)
def test_few_sizes_are_enough(shape: str, limit: float) -> None:
    words = f"{GAUSS} -oversample 3 -N 6 -spot_shape {shape}"
    few, many = (simulate(with_sizes(words, 0.2, count)).array for count in (8, 40))
    assert np.abs(few - many).max() < limit * many.max()


@pytest.mark.parametrize("shape", ["square", "round", "gauss", "tophat", "no_fringes", "flat"])
def test_backends_agree(shape: str, backend: str) -> None:
    """Numbers of cells are not whole, and Miller indices are large."""
    words = f"{GAUSS} -oversample 2 -N 6 -spot_shape {shape} -cell 140 150 160"
    experiment = with_sizes(words, 0.3, 4)
    found, expected = (simulate(experiment, each).array for each in (backend, "numpy"))
    np.testing.assert_allclose(found, expected, rtol=SINGLE, atol=1e-6 * expected.max())
    # the largest domain has about twice as many cells
    assert expected.max() < 2.5**6 * simulate(from_args(words), "numpy").array.max()


def test_settings_are_permuted_numbers_of_cells(backend: str, tmp_path: Path) -> None:
    """A quarter turn about c exchanges Na and Nb, and F has the symmetry of 4/m."""
    rng = np.random.default_rng(3)
    lines = []
    for h, k, l in np.ndindex(5, 5, 7):
        if h > 0 or (h == 0 and k == 0):
            value = rng.uniform(5, 20)
            for a, b in ((h, k), (-k, h), (-h, -k), (k, -h)):
                lines += [f"{a} {b} {l - 3} {value}", f"{-a} {-b} {3 - l} {value}"]
    table: dict[str, str] = {}
    for line in lines:
        *index, value = line.split()
        a, b, c = map(int, index)
        table.setdefault(" ".join(index), value)
        for equivalent in ((-b, a, c), (-a, -b, c), (b, -a, c)):
            table.setdefault(" ".join(map(str, equivalent)), table[" ".join(index)])
    path = tmp_path / "f.hkl"
    path.write_text("\n".join(f"{index} {value}" for index, value in table.items()))
    words = f"{TETRAGONAL} -hkl {path} -nodump -misset 10 20 30"
    averaged = simulate(
        from_args(f"{words} -Na 2 -Nb 4 -Nc 3 -nointerpolate -average_settings 4/m"),
        backend=backend,
    )
    single = [
        simulate(from_args(f"{words} {cells} -nointerpolate"), backend=backend).array
        for cells in ("-Na 2 -Nb 4 -Nc 3", "-Na 4 -Nb 2 -Nc 3")
    ]
    expected = 0.5 * (single[0].astype(np.float64) + single[1])
    np.testing.assert_allclose(averaged.array, expected, rtol=SINGLE, atol=SINGLE * expected.max())
    assert np.abs(single[0] - expected).max() > 0.1 * expected.max()


def test_a_three_fold_axis_is_one(backend: str) -> None:
    """An image does not change if the crystal turns by 120 degrees about its axis."""
    words = f"-cell 40 40 60 90 90 120 -default_F 10 -Na 2 -Nb 5 -Nc 3 {BASE}"
    for settings, is_same in (("-average_settings -3", True), ("", False)):
        images = []
        for turn in (0.0, 2.0 * np.pi / 3.0):
            experiment = from_args(f"{words} {settings}")
            upright = experiment.oriented.lattice.reciprocal
            axis = upright[2] / np.linalg.norm(upright[2])
            across = np.cross(np.eye(3), -axis)
            rotation = np.eye(3) + np.sin(turn) * across + (1 - np.cos(turn)) * across @ across
            tilt = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
            crystal = replace(
                experiment.crystal, cell=None, reciprocal=upright @ rotation.T @ tilt.T
            )
            images.append(simulate(replace(experiment, crystal=crystal), backend=backend).array)
        difference = np.abs(images[0] - images[1]).max() / images[0].max()
        assert (difference < 1e-6) == is_same


def test_background_counts_once(backend: str) -> None:
    """Photons of kinds add up to those of the crystal; the background is that of the shot."""
    pytest.importorskip("xraydb")
    words = f"{GAUSS} -water 30 -background water,0.1 -crystal_scale 0.4"
    dark = from_args(words.replace("-default_F 10", "-default_F 0"))
    kinds = simulate(with_sizes(words, 0.2), backend=backend).array
    spots = simulate(
        with_sizes(words.replace("-water 30 -background water,0.1", ""), 0.2), backend=backend
    ).array
    background = simulate(dark, backend=backend).array
    expected = spots.astype(np.float64) + background
    np.testing.assert_allclose(kinds, expected, rtol=3 * SINGLE)


KINDS = "-Na 3 -Nb 2 -Nc 4 -size_spread 20 -size_steps 3 -average_settings 4/m"


@pytest.mark.parametrize("name", ["misset_y", "cell_a", "cell_gamma", "n_a", "n_c", "wavelength"])
@pytest.mark.parametrize("shape", ["square", "gauss"])
def test_derivatives(name: str, shape: str, backend: str) -> None:
    from cupysim.refine.free_parameters import gradient_plan

    experiment = from_args(f"{TETRAGONAL} {KINDS} -spot_shape {shape}")
    found = render_gradients(experiment, name, backend=backend).values[0]
    step = {"n": 1e-4, "w": 1e-16, "c": 1e-6, "m": 1e-6}[name[0]]
    from cupysim.backends.parts import differentiate_parts
    from cupysim.backends.rendered import Observer
    from cupysim.backends.select import open_backend

    sides = [
        differentiate_parts(
            open_backend(backend), gradient_plan(experiment, {name: sign * step}, (name,)),
            Observer(), False,
        ).photons
        for sign in (1, -1)
    ]  # fmt: skip
    slope = (sides[0] - sides[1]) / (2.0 * step)
    np.testing.assert_allclose(found, slope, atol=2e-5 * np.abs(slope).max())


def test_within_a_tolerance(backend: str) -> None:
    experiment = from_args(f"{TETRAGONAL} {KINDS} -oversample 2")
    exact = simulate(experiment, backend=backend).array
    within = simulate(experiment, backend=backend, tolerance=0.01).array
    missing = exact.astype(np.float64) - within
    assert missing.max() <= 0.01 + SINGLE * exact.max()
    assert missing.min() >= -SINGLE * exact.max()


def test_spots(run: Run) -> None:
    """Each reflection is one spot, whose photons are those of all kinds."""
    words = (
        f"{TETRAGONAL} -N 12 -mosaic 0.5 -mosaic_dom 40 -domain_model normal -gauss_xtal "
        "-detpixels 96 -pixel 0.5"
    )
    images = [
        simulate(from_args(f"{words} -oversample 6 {more}"))
        for more in ("", "-size_spread 10 -average_settings 4/m")
    ]
    plain, sized = (image.spots for image in images)
    keys = [[tuple(each) for each in s[["panel", "h", "k", "l"]].tolist()] for s in (plain, sized)]
    assert len(set(keys[1])) == len(keys[1])
    assert set(keys[0][:20]) <= set(keys[1])
    strongest = sized[keys[1].index(keys[0][0])]
    assert strongest["crystal"] == 1
    left, top = int(strongest["fast"]) - 4, int(strongest["slow"]) - 4
    boxes = [image.array[top : top + 9, left : left + 9].sum() for image in images]
    assert strongest["photons"] / plain[0]["photons"] == pytest.approx(
        boxes[1] / boxes[0], rel=0.01
    )
    assert abs(strongest["fast"] - plain[0]["fast"]) < 0.1
    outcome = run(f"{words} -size_spread 10 -average_settings 4/m")
    assert "domains of 8 sizes that vary by 10 % and settings of Laue group 4/m" in outcome.out


def test_several_crystals() -> None:
    """A second crystal keeps its own kinds and number."""
    first = from_args(f"{TETRAGONAL} -N 4")
    second = replace(first.crystal.with_misset(1, 2, 3), sizes=SizeSpread(0.2, 3), scale=0.5)
    both = replace(first, further_crystals=(FurtherCrystal(second),))
    alone = replace(first, crystal=second)
    image = simulate(both)
    expected = simulate(first).array.astype(np.float64) + simulate(alone).array
    np.testing.assert_allclose(image.array, expected, rtol=2 * SINGLE)
    assert set(image.spots["crystal"].tolist()) == {1, 2}
    found = render_gradients(both, "crystal_scale:2").values[0]
    np.testing.assert_allclose(found, 2.0 * simulate(alone).array, rtol=SINGLE)


def test_a_fit(backend: str) -> None:
    words = f"{TETRAGONAL} -N 4 -size_spread 20 -size_steps 3 -fluence 1e28 -oversample 2"
    experiment = from_args(words)
    start = replace(experiment, crystal=experiment.crystal.with_misset(10.05, 19.97, 30.04))
    fitted = fit(start, simulate(experiment).array, "misset,n_a", backend=backend)
    angles = np.degrees(fitted.experiment.crystal.misset)
    np.testing.assert_allclose(angles, [10, 20, 30], atol=1e-3)


def test_files_keep_kinds(run: Run, tmp_path: Path) -> None:
    from cupysim import read_experiment

    run(f"{TETRAGONAL} {KINDS} -h5file a.h5")
    crystal = read_experiment(tmp_path / "a.h5").crystal
    assert (crystal.sizes, crystal.settings) == (SizeSpread(0.2, 3), "4/m")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-N 3 -size_spread 200", "the spread must be above 0 and at most 100 %, got 200 %"),
        ("-N 3 -size_spread 10 -size_steps 1", "the number of sizes must be from 2 to 100, got 1"),
        ("-N 3 -average_settings 5/m", "-average_settings"),
        ("-N 3 -spot_shape gauss_star -average_settings 4/m", "have no effect on the shape"),
        ("-N 3 -size_spread 10 -diffuse_gamma 1 1 1 -diffuse_sigma 1 1 1", "diffuse scattering"),
        ("-N 3 -hkl f.hkl -average_settings 4/m", "F(-1 0 0) = "),
        ("-N 3 -hkl f.hkl -average_settings 4/m", "do not have this symmetry"),
        ("-N 3 -hkl octant.hkl -average_settings 4/m -default_F 0", "F(0 -1 0) = 0"),
    ],
)
def test_mistakes(words: str, told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "f.hkl").write_text("1 0 0 5\n0 1 0 7\n-1 0 0 5\n0 -1 0 7\n")
    (tmp_path / "octant.hkl").write_text("1 0 0 5\n0 1 0 5\n1 1 0 5\n")
    outcome = run(f"{TETRAGONAL} {words} -nodump")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_what_cannot_be(run: Run) -> None:
    outcome = run(f"{TETRAGONAL.replace('-corrected', '')} -N 3 -size_spread 10")
    assert "correct quirk Q6" in outcome.err
    assert "-size_steps has no effect" in run(f"{TETRAGONAL} -N 3 -size_steps 4").err
    with pytest.raises(CupysimError, match="sizes must be a SizeSpread, got 3"):
        replace(from_args(TETRAGONAL).crystal, sizes=3)
