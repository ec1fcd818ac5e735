"""Several crystals in the beam: images, spots, derivatives and files are those of each, added."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Crystal,
    CupysimError,
    CupysimWarning,
    Experiment,
    FurtherCrystal,
    Image,
    Mosaicity,
    Renderer,
    Shape,
    StructureFactors,
    Water,
    fit,
    from_args,
    read_experiment,
    render_gradients,
    simulate,
)
from cupysim.backends.parts import differentiate_parts
from cupysim.backends.rendered import Observer
from cupysim.backends.select import open_backend
from cupysim.formats import nexus
from cupysim.models.parameters import changed
from cupysim.models.tolerance import Tolerance
from cupysim.plan.gradient_plan import plan_of_crystals
from cupysim.plan.planning import plans_of_kinds
from tests.conftest import INPUTS, Run
from tests.gradients.changes import STEPS
from tests.tolerances import FLOAT32_BITS

WORDS = (
    "-cell 70 80 90 -misset 1 2 3 -default_F 100 -N 5 -detpixels 40 -pixel 1.5 -fluence 1e26 "
    "-mosaic 1 -mosaic_dom 4 -oversample 2 -corrected"
)
SUMS = 3.0 * FLOAT32_BITS
"""Sums of three images, each of which is rounded to float32."""


def base(words: str = "") -> Experiment:
    return from_args(f"{WORDS} {words}")


def others(experiment: Experiment) -> tuple[Crystal, Crystal]:
    """Two crystals: one of another orientation and scale, and one of another kind."""
    first = experiment.crystal
    return (
        replace(first.with_misset(10, 20, 30), scale=0.3),
        replace(
            first.with_misset(40, 50, 60), n_cells=(6, 4, 5), shape=Shape.GAUSS,
            mosaicity=Mosaicity(),
        ),
    )  # fmt: skip


def together(experiment: Experiment) -> Experiment:
    same, other = others(experiment)
    further = FurtherCrystal(same), FurtherCrystal(other, StructureFactors(default=50.0))
    return replace(experiment, further_crystals=further)


def alone(experiment: Experiment) -> list[Experiment]:
    """The same crystals, each in an experiment of its own; only the first has the background."""
    same, other = others(experiment)
    dry = replace(experiment, water=Water())
    return [
        experiment,
        replace(dry, crystal=replace(same, scale=1.0)),
        replace(dry, crystal=other, structure_factors=StructureFactors(default=50.0)),
    ]


def added(experiment: Experiment, backend: str) -> np.ndarray:
    images = [simulate(each, backend).array.astype(np.float64) for each in alone(experiment)]
    return images[0] + 0.3 * images[1] + images[2]


@pytest.mark.parametrize(
    "words", ["", "-water 0.2", "-osc 2 -phisteps 3", "-hdivrange 2 -hdivsteps 2"]
)
def test_photons_add_up(words: str, backend: str) -> None:
    image, expected = simulate(together(base(words)), backend).array, added(base(words), backend)
    np.testing.assert_allclose(image, expected, rtol=SUMS, atol=SUMS * expected.max())


def test_alike_crystals_share_a_plan() -> None:
    experiment = base()
    turned = [experiment.crystal.with_misset(10 * n, 5 * n, n) for n in range(1, 4)]
    alike = replace(experiment, further_crystals=tuple(map(FurtherCrystal, turned)))
    assert len(simulate(alike).plan.parts) == 1
    assert len(simulate(together(experiment)).plan.parts) == 3
    images = [simulate(replace(experiment, crystal=each)).array for each in turned]
    expected = simulate(experiment).array + sum(images)
    np.testing.assert_allclose(simulate(alike).array, expected, rtol=SUMS, atol=1e-12)


def test_the_scale_leaves_the_background_as_it_is(backend: str) -> None:
    whole, half = base("-water 0.2"), base("-water 0.2 -crystal_scale 0.5")
    dry = simulate(base(), backend).array
    expected = simulate(whole, backend).array - 0.5 * dry
    image = simulate(half, backend).array
    np.testing.assert_allclose(image, expected, rtol=SUMS, atol=SUMS * expected.max())


def test_the_share_of_terms_is_a_mean(backend: str) -> None:
    """Each of three crystals counts once."""
    experiment = together(base("-pixel 0.1 -N 40 -gauss_xtal -Xbeam 0 -Ybeam 0"))
    plan = plan_of_crystals(experiment, plans_of_kinds(experiment), "misset").within(
        Tolerance.read(1.0)
    )
    opened = open_backend(backend, "double", None)
    whole = differentiate_parts(opened, plan, Observer(), device_arrays=False)
    shares = [opened.differentiate(part, Observer()).share for part in plan.parts]
    assert len(set(shares)) == 3
    assert whole.share == pytest.approx(np.mean(shares), rel=1e-12)


@pytest.mark.parametrize("tolerance", ["1e-3peak", "0.05"])
def test_tolerances(tolerance: str, backend: str) -> None:
    experiment = together(base("-spot_shape gauss -N 20 -pixel 0.2"))
    exact = simulate(experiment, backend).array.astype(np.float64)
    image = simulate(experiment, backend, tolerance=tolerance)
    promised = 1e-3 * exact.max() if "peak" in tolerance else 0.05
    lacking = exact - image.array
    assert -SUMS * exact.max() <= lacking.min()
    assert lacking.max() <= promised + SUMS * exact.max()
    culled = image.rendered.culled
    assert culled is not None
    assert culled.n_computed < culled.n_terms
    assert culled.tolerances[0] <= promised * (1.0 + FLOAT32_BITS)


def test_spots_tell_their_crystal() -> None:
    found = simulate(together(base())).spots
    for number, (experiment, scale) in enumerate(zip(alone(base()), (1, 0.3, 1), strict=True), 1):
        expected = simulate(experiment).spots
        mine = found[found["crystal"] == number]
        strong = expected["photons"] > 0.01 * expected["photons"].max()
        assert strong.sum() > 10
        np.testing.assert_allclose(
            mine["photons"][: strong.sum()], scale * expected["photons"][strong], rtol=1e-9
        )


NAMES = "misset_x, misset_y:2, cell_a:3, crystal_scale:2, crystal_scale:3, distance, phi"


def test_derivatives(backend: str) -> None:
    experiment = together(base("-water 0.2"))
    found = render_gradients(experiment, f"{NAMES}, misset:3, scale", backend)
    assert found["misset:3"].shape == (3, 40, 40)
    assert found.units[found.names.index("cell_a:3")] == "Angstrom"
    np.testing.assert_allclose(
        found.photons, added(base("-water 0.2"), backend), rtol=SUMS, atol=SUMS
    )
    np.testing.assert_allclose(found["scale"], found.photons)
    for name in (*NAMES.split(", "), "misset_z:3"):
        step = STEPS.get(name.split(":")[0], 1e-4)
        low, high = (
            render_gradients(changed(experiment, name, by), "scale", backend).photons
            for by in (-step, step)
        )
        slope = (high - low) / (2.0 * step)
        assert np.abs(slope).max() > 0.0
        np.testing.assert_allclose(found[name], slope, atol=1e-5 * np.abs(slope).max(), rtol=0)


def test_derivatives_within_a_tolerance() -> None:
    experiment = together(base("-spot_shape gauss -N 20 -pixel 0.2"))
    exact = render_gradients(experiment, "misset_x:2, distance")
    found = render_gradients(experiment, "misset_x:2, distance", tolerance=0.01)
    assert found.limits is not None
    assert np.abs(found.photons - exact.photons).max() <= 0.01
    for number in range(2):
        error = np.abs(found.values[number] - exact.values[number]).max()
        assert error <= found.limits[number]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("misset_x:4", "there is no crystal 4; the experiment has 3"),
        ("distance:2", "distance is no parameter of a single crystal"),
        ("structure_factors", "there is no table of structure factors"),
        ("crystal_scale", "use scale"),
        ("missed:2", "there is no parameter 'missed:2'"),
    ],
)
def test_impossible_derivatives(names: str, told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        render_gradients(together(base("-water 0.2")), names)


def test_refinement_frees_each_crystal() -> None:
    """Both orientations, and the scale of the second crystal, are wrong at the start."""
    experiment = base("-fluence 1e29 -N 8")
    second = replace(experiment.crystal.with_misset(10, 20, 30), scale=0.5)
    true = replace(experiment, further_crystals=(FurtherCrystal(second),))
    counts = simulate(true).counts(np.random.default_rng(3))
    start = true
    for name, by in (("misset_x", 2e-3), ("misset_y:2", -2e-3), ("crystal_scale:2", 0.1)):
        start = changed(start, name, by)
    found = fit(start, counts, "misset, misset:2, scale, crystal_scale:2", search=0.0)
    assert found.converged
    angles = np.degrees(
        [found.experiment.crystal.misset, found.experiment.only_crystal(2).crystal.misset]
    )
    np.testing.assert_allclose(angles, [[1, 2, 3], [10, 20, 30]], atol=2e-3)
    scale = found.experiment.only_crystal(2).crystal.scale
    assert scale == pytest.approx(0.5, abs=0.01)


def test_files_keep_all_crystals(tmp_path: Path) -> None:
    image: Image = simulate(together(base()))
    image.save(tmp_path / "a.h5")
    again = nexus.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(simulate(again.experiment).array, image.array)
    assert again.spots is not None
    np.testing.assert_array_equal(again.spots["crystal"], image.spots["crystal"])
    read = read_experiment(tmp_path / "a.h5", crystal=base().crystal)
    assert read.further_crystals == ()


LINES = """
# two lattices and another crystal
-misset 10 20 30 -crystal_scale 0.3 -mosaic_seed 12345678
-misset 40 50 60 -Na 6 -Nb 4 -Nc 5 -spot_shape gauss -mosaic 0 -default_F 50   # the other one
"""


def test_lines_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "crystals.txt").write_text(f"-misset 1 2 3\n{LINES}")
    read = from_args(f"{WORDS} -crystals {tmp_path / 'crystals.txt'}")
    expected = simulate(together(base())).array
    np.testing.assert_array_equal(simulate(read).array, expected)


def test_random_crystals_differ(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-misset random\n-misset random\n-misset random -misset_seed 7")
    words = f"{WORDS} -crystals {tmp_path / 'a.txt'} -misset_seed 7"
    crystals = [each.crystal for each in from_args(words).each_crystal]
    first, second, third = (each.misset for each in crystals)
    assert first == third
    assert first != second
    rotations = [each.mosaicity.rotations for each in crystals]
    assert not np.array_equal(rotations[0], rotations[1])


@pytest.mark.parametrize("seed", [-5, 0, 1, 2147483646, 2147483647])
@pytest.mark.parametrize("model", ["nanobragg", "simtbx"])
def test_derived_seeds_differ(seed: int, model: str, tmp_path: Path) -> None:
    """Seeds below 1 do not choose a stream, and the largest has a stream of zeros."""
    (tmp_path / "a.txt").write_text("-misset random\n" * 3)
    seeds = f"-misset_seed {seed} -mosaic_seed {seed} -mosaic 1 -mosaic_dom 4"
    words = f"{WORDS} -crystals {tmp_path / 'a.txt'} {seeds} -domain_model {model}"
    crystals = [each.crystal for each in from_args(words).each_crystal]
    assert len({each.misset for each in crystals}) == 3
    assert len({each.mosaicity.rotations[1].tobytes() for each in crystals}) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-misset 1 2 3\n-lambda 2\n", "a.txt, line 2: -lambda is no option of a crystal"),
        ("-misset 1 2\n", "a.txt, line 1: -misset: expected 3 values"),
        ("\n\nmisset 1 2 3\n", "a.txt, line 3: misset: expected an option such as -misset"),
        ("# nothing\n", "a.txt: no crystal"),
        ("-misset '1 2 3\n", "a.txt, line 1: No closing quotation"),
        ("-water 1\n", "a.txt, line 1: -water is no option of a crystal"),
        ("-hkl missing.hkl\n", "missing.hkl"),
        ("-crystal_scale 0\n", "a.txt, line 1: -crystal_scale: must be positive"),
        ("-interpolate\n", "a.txt, line 1: -interpolate is no option of a crystal"),
        ("-misset 1 2 3\n-hkl none.hkl\n", "a.txt, line 2: none.hkl"),
        ("-mosaic_dom auto\n", "only -mosaic_dom and -phisteps of the main command line"),
        ("-spread_edges -1 0 0 -mosaic_dom 4\n", "-spread_edges: spreads must be from 0 to 10 %"),
        ("-crystals a.txt\n", "a.txt, line 1: -crystals is no option of a crystal"),
        ("-N 3 -spot_shape flat -off_diagonal_cells 1 0 0\n", "a.txt, line 1: crystal"),
    ],
)
def test_mistakes_in_lines(text: str, told: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text(text)
    outcome = run(f"{WORDS} -crystals a.txt")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err
    assert outcome.err.count("\n") == 1


def test_command(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text(f"-misset 1 2 3\n{LINES}")
    outcome = run(f"{WORDS} -crystals a.txt -exptfile a.expt -provenance p.json -nodump")
    assert outcome.status == 0
    assert "3 crystals, from a.txt" in outcome.out
    record = json.loads(outcome.files["p.json"])
    assert [each["option"] for each in record["inputs"]] == ["-crystals"]
    listed = json.loads(outcome.files["a.expt"])
    assert [each["crystal"] for each in listed["experiment"]] == [0, 1, 2]
    expected = simulate(together(base())).array
    np.testing.assert_array_equal(outcome.float_image(40, 40), expected)
    assert run(f"{WORDS} -crystals a.txt -printout").status == 9


def test_experiment_lists_of_several_crystals(tmp_path: Path, run: Run) -> None:
    """Experiments that differ only in their crystals are crystals in one beam."""
    (tmp_path / "a.txt").write_text("-misset 1 2 3\n-misset 10 20 30\n")
    assert run(f"{WORDS} -crystals a.txt -exptfile a.expt").status == 0
    listed = json.loads((tmp_path / "a.expt").read_text())
    again = from_args(f"-expt {tmp_path / 'a.expt'} -default_F 100 -N 5 -corrected -nodump")
    assert len(again.each_crystal) == 2
    original = from_args(f"{WORDS} -crystals {tmp_path / 'a.txt'}")
    for one, other in zip(again.each_crystal, original.each_crystal, strict=True):
        np.testing.assert_allclose(one.lattice.lengths, other.lattice.lengths, rtol=1e-9)
    turns = [each.lattice.direct for each in again.each_crystal]
    expected = [each.lattice.direct for each in original.each_crystal]
    # the same rotation from one crystal to the other, in both frames
    relative = np.trace(np.linalg.solve(turns[0], turns[1]))
    assert relative == pytest.approx(np.trace(np.linalg.solve(expected[0], expected[1])), rel=1e-9)
    listed["imageset"] = [{}, {}]
    for number, each in enumerate(listed["experiment"]):
        each["imageset"] = number
    (tmp_path / "two_shots.expt").write_text(json.dumps(listed))
    with pytest.raises(CupysimError, match="2 experiments; one is expected"):
        from_args(f"-expt {tmp_path / 'two_shots.expt'} -default_F 100 -N 5 -nodump")


def test_traces_choose_a_crystal(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text("-misset 1 2 3\n-misset 10 20 30\n")
    outcome = run(f"trace {WORDS} -crystals a.txt --pixel 3 4")
    assert outcome.status == 2
    assert "there are 2 crystals; choose one" in outcome.err
    for number in (0, 3, -1):
        wrong = run(f"trace {WORDS} -crystals a.txt --pixel 3 4 --crystal {number}")
        assert wrong.status == 2
        assert f"there is no crystal {number}" in wrong.err
    chosen = run(f"trace {WORDS} -crystals a.txt --pixel 3 4 --crystal 2")
    expected = run(f"trace {WORDS} -misset 10 20 30 -mosaic_seed 12345679 --pixel 3 4")
    assert chosen.out == expected.out


def test_a_renderer_that_is_used_again_sees_the_scale(backend: str) -> None:
    full = base("-water 0.2")
    quarter = replace(full, crystal=replace(full.crystal, scale=0.25))
    with Renderer(backend) as renderer:
        images = [image.array for image in renderer.batch([full, quarter, full])]
        slopes = [renderer.gradients(each, "misset_x").photons for each in (full, quarter)]
    expected = [simulate(each, backend).array for each in (full, quarter, full)]
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_allclose(slopes[1], expected[1], rtol=FLOAT32_BITS)


@pytest.mark.parametrize("flag", ["-oversample_omega", "-oversample_polar"])
def test_running_products_end_with_a_crystal(flag: str, backend: str) -> None:
    """Without a correction of Q14, the image is the sum of the images, in any order."""
    words = WORDS.replace("-corrected", f"{flag} -polar 0.9")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        one = from_args(words)
        other = one.crystal.with_misset(50, 10, 80)
        images = [
            simulate(each, backend).array.astype(np.float64)
            for each in (
                one, replace(one, crystal=other),
                replace(one, further_crystals=(FurtherCrystal(other),)),
                replace(one, crystal=other, further_crystals=(FurtherCrystal(one.crystal),)),
            )
        ]  # fmt: skip
    expected = images[0] + images[1]
    np.testing.assert_allclose(images[2], expected, rtol=SUMS)
    np.testing.assert_allclose(images[3], expected, rtol=SUMS)


def test_a_cell_and_a_matrix_replace_each_other(tmp_path: Path) -> None:
    matrix = INPUTS / "tric.mat"
    (tmp_path / "a.txt").write_text(f"-mat {matrix}\n-misset 4 5 6\n")
    (tmp_path / "b.txt").write_text("-cell 40 50 60 90 90 90\n-misset 4 5 6\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        words = "-default_F 1 -N 3 -detpixels 9 -pixel 4 -nodump -corrected"
        by_cell = from_args(f"-cell 70 80 90 {words} -crystals {tmp_path / 'a.txt'}")
        by_matrix = from_args(f"-mat {matrix} {words} -crystals {tmp_path / 'b.txt'}")
        alone = from_args(f"-mat {matrix} {words}")
        upright = from_args(f"-cell 40 50 60 90 90 90 {words}")
    np.testing.assert_array_equal(by_cell.lattice.direct, alone.lattice.direct)
    assert by_cell.only_crystal(2).lattice.lengths == pytest.approx([70, 80, 90])
    np.testing.assert_array_equal(by_matrix.lattice.direct, upright.lattice.direct)
    assert by_matrix.only_crystal(2).lattice.lengths == pytest.approx(alone.lattice.lengths)


def test_reflections_replace_a_model(tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    (tmp_path / "model.pdb").write_text(
        "CRYST1   20.000   30.000   40.000  90.00  90.00  90.00 P 1\n"
        "ATOM      3  C   ALA A   2       8.000   9.000  11.000  1.00 20.00           C\nEND\n"
    )
    (tmp_path / "f.hkl").write_text("1 2 3 50\n0 0 1 20\n")
    (tmp_path / "a.txt").write_text(f"-misset 1 2 3\n-hkl {tmp_path / 'f.hkl'} -cell 30 40 50\n")
    words = "-N 3 -detpixels 9 -pixel 4 -dmin 4 -nodump -corrected -anomalous -k_sol 0.2 -hydrogens"
    found = from_args(f"-pdb {tmp_path / 'model.pdb'} {words} -crystals {tmp_path / 'a.txt'}")
    factors = found.only_crystal(2).structure_factors
    assert factors.n_given == 2
    assert factors.wavelengths is None
    assert found.structure_factors.wavelengths is not None


def test_lists_of_crystals_have_their_cells(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text("-misset 1 2 3\n-misset 10 20 30\n")
    assert run(f"{WORDS} -crystals a.txt -exptfile a.expt").status == 0
    for words, told in (
        ("-cell 50 60 70", "-cell: "), (f"-mat {INPUTS / 'tric.mat'}", "-mat: "),
        ("-crystals a.txt", "-crystals: "),
    ):  # fmt: skip
        outcome = run(f"-expt a.expt -default_F 100 -N 5 -nodump {words} -floatfile b.bin")
        assert (outcome.status, outcome.files) == (9, {})
        assert told in outcome.err
        assert "2 crystals" in outcome.err


def test_weak_crystals_have_all_their_spots() -> None:
    experiment = base()
    strong = replace(experiment.crystal.with_misset(10, 20, 30), scale=1e4)
    spots = simulate(replace(experiment, further_crystals=(FurtherCrystal(strong),))).spots
    assert (spots["crystal"] == 1).sum() == len(simulate(experiment).spots)
    assert (np.diff(spots["photons"]) <= 0.0).all()


def test_reports_of_fits_tell_each_crystal() -> None:
    experiment = base("-fluence 1e29 -N 8")
    second = replace(experiment.crystal.with_misset(10, 20, 30), scale=0.5)
    true = replace(experiment, further_crystals=(FurtherCrystal(second),))
    counts = simulate(true).counts(np.random.default_rng(3))
    found = fit(true, counts, "misset_x, misset_y:2, crystal_scale:2", search=0.0)
    lines = str(found).splitlines()
    assert any(line.startswith("as options: -misset ") for line in lines)
    (other,) = [line for line in lines if line.startswith("crystal 2, as options: ")]
    assert "-misset 10 " in other
    assert "-crystal_scale 0.5" in other or "-crystal_scale 0.4" in other
