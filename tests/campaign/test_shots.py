"""Shots: what is drawn for them, and that it depends on nothing else."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from cupysim import CupysimError, from_args, simulate
from cupysim.backends.rendered import Observer
from cupysim.backends.select import open_backend
from cupysim.campaign.definition.distributions import uniform_deviates
from cupysim.campaign.definition.names import VARIABLE
from cupysim.campaign.definition.shots import Shot, any_rotation, draw_shot
from cupysim.formats.nexus.series import read_truth
from cupysim.models.absorber_parameters import ABSORPTION_SIZE, OF_AROUND
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.diffuse_parameters import OF_DIFFUSE
from cupysim.models.parameters import GROUPS, PARAMETERS, current
from cupysim.models.sample_parameters import OF_SAMPLE
from cupysim.models.source_parameters import OF_SOURCES, SPECTRUM_WIDTH
from cupysim.plan.planning import make_plan
from tests.campaign.campaigns import BASE, campaign_of, finished, images, text
from tests.conftest import Renderer

MANY = 2000
SURE = 1e-4
"""Probability of statistics which are as far off by chance."""


def shots_of(tmp_path: Path, vary: str, count: int = 5, **more: str) -> list[Shot]:
    campaign = campaign_of(tmp_path, text(vary, MANY, **more))  # type: ignore[arg-type]
    return [draw_shot(campaign, number) for number in range(count)]


def test_random_numbers() -> None:
    """Each name, shot and crystal has its own, again and again; they are uniform."""
    places = [("a", 0, 0), ("a", 0, 1), ("a", 1, 0), ("b", 0, 0)]
    drawn = [uniform_deviates(7, *place, 3) for place in places]
    assert len({tuple(each) for each in drawn}) == len(places)
    np.testing.assert_array_equal(uniform_deviates(7, "a", 1, 0, 3), drawn[2])
    many = np.concatenate([uniform_deviates(1, "x", shot, 0, 1) for shot in range(MANY)])
    assert stats.kstest(many, "uniform").pvalue > SURE
    assert abs(np.corrcoef(many[:-1], many[1:])[0, 1]) < 4.0 / np.sqrt(MANY)


@pytest.mark.parametrize(
    ("given", "law"),
    [
        ("uniform = [2, 5]", stats.uniform(2, 3)),
        ("normal = [10, 2]", stats.norm(10, 2)),
        ("log_normal = [3, 0.5]", stats.lognorm(0.5, scale=3)),
        ("gamma = [2, 4]", stats.gamma(4, scale=0.5)),
        ("exponential = [3]", stats.expon(scale=3)),
    ],
)
def test_distributions(tmp_path: Path, given: str, law: stats.rv_continuous) -> None:
    shots = shots_of(tmp_path, f"fluence = {{ {given} }}", MANY)
    numbers = [shot.drawn["fluence"][0] for shot in shots]
    assert stats.kstest(numbers, law.cdf).pvalue > SURE


def test_numbers_in_turn(tmp_path: Path) -> None:
    def drawn(given: str) -> list[float]:
        return [shot.drawn["phi"][0] for shot in shots_of(tmp_path, f"phi = {{ {given} }}")]

    assert drawn("constant = 2") == [2.0] * 5
    assert drawn("list = [1, 2, 3]") == [1.0, 2.0, 3.0, 1.0, 2.0]
    assert drawn("range = [10, 0.5]") == [10.0, 10.5, 11.0, 11.5, 12.0]
    assert set(drawn("choice = [1, 2]")) == {1.0, 2.0}


@pytest.mark.parametrize("name", [name for name in VARIABLE if name in PARAMETERS])
@pytest.mark.parametrize("mode", ["set", "plus", "times"])
def test_parameters(tmp_path: Path, name: str, mode: str) -> None:
    """Each becomes what was drawn, in units for people."""
    base = f"{BASE} -mosaic 0.5 -mosaic_dom 3"
    if name in GROUPS["n_cells_off_diagonal"]:
        base = f"{base} -N 50 -gauss_xtal -off_diagonal_cells 0.1 0.2 0.3 -corrected"
    if name in OF_SAMPLE:
        base = (
            f"{base} -decay 20,1 -image_dose 3 -dose_before 1 -body box,1,1,1 "
            "-body_position 1 2 3 -beam_profile gaussian,1,2 -size_spread 10 -corrected"
        )
    if name in OF_DIFFUSE:
        base = f"{base} -diffuse_gamma 11 7 16 -diffuse_sigma 0.5 0.3 0.6"
    if name in OF_AROUND:
        base = f"{base} -body box,1,1,1 -around box,2,2,3,kapton@1,2,3 -corrected"
    if name == ABSORPTION_SIZE:
        base = f"{base} -absorption slab,water,2"
    if name in EDGE_SPREADS:
        base = f"{base} -spread_edges 1 2 3"
    if name in OF_SOURCES:
        width = "-dispersion 1 -dispsteps 2"
        if name == SPECTRUM_WIDTH:
            width = "-spectrum gaussian,2 -spectrum_samples 5"
        base = f"{base} {width} -hdivrange 2 -hdivsteps 2 -vdivrange 3 -vdivsteps 2"
    if name in GROUPS["mosaic_spreads"]:
        spreads = "-spread_abc 0.5 0.4 0.3 -spread_off_diagonal 0.1 0.05 0.02"
        base = BASE.replace("-mosaic 0.5 -mosaic_dom 3", f"-domain_model normal {spreads}")
    campaign = campaign_of(tmp_path, text(base=base))
    size, before = PARAMETERS[name].size, current(campaign.experiment, name)
    value = {"set": 1.1 * before / size + 1.0, "plus": 1.0, "times": 1.5}[mode]
    expected = {"set": value * size, "plus": before + value * size, "times": 1.5 * before}[mode]
    if name in ("wavelength", *GROUPS["rotation"]):
        value, expected = (1.01, before * 1.01) if mode == "times" else (0.01, before + 0.01 * size)
        if mode == "set":
            value = expected / size
    vary = f"{name} = {{ constant = {value!r}, mode = '{mode}' }}"
    (shot,) = shots_of(tmp_path, vary, 1, base=base)
    if name in GROUPS["n_cells"]:
        expected = round(expected)
    assert current(shot.experiment, name) == pytest.approx(expected, rel=1e-9)


def test_names_for_several(tmp_path: Path) -> None:
    vary = "edges = { constant = 1.1, mode = 'times' }\nn_cells = { constant = 8.4 }"
    (shot,) = shots_of(tmp_path, vary, 1)
    np.testing.assert_allclose(shot.experiment.lattice.lengths, [55, 66, 77])
    assert shot.experiment.cell_counts == (8.0, 8.0, 8.0)


def test_orientations_are_any(tmp_path: Path) -> None:
    """Images of a vector are uniform on the sphere, angles are distributed by Haar's measure."""
    rotations = [any_rotation(uniform_deviates(3, "o", shot, 0, 3)) for shot in range(MANY)]
    turned = np.array(rotations) @ np.array([0.6, 0.0, 0.8])
    for axis in range(3):
        assert stats.kstest(turned[:, axis], stats.uniform(-1, 2).cdf).pvalue > SURE
    angles = Rotation.from_matrix(rotations).magnitude()
    assert stats.kstest(angles, lambda a: (a - np.sin(a)) / np.pi).pvalue > SURE
    # the crystal is turned by them
    shot = shots_of(tmp_path, "orientation = 'uniform'", 1)[0]
    expected = any_rotation(uniform_deviates(5, "orientation", 0, 0, 3))
    base = campaign_of(tmp_path, text("")).experiment.lattice.reciprocal
    np.testing.assert_allclose(shot.a_matrices[0], expected @ base.T, atol=1e-9)


@pytest.mark.parametrize("model", ["normal", "diffbragg"])
def test_axes_of_mosaic_spreads_turn_with_the_crystal(model: str, tmp_path: Path) -> None:
    """A shot has the domains of the command with the same missetting angles."""
    base = BASE.replace("-mosaic 0.5", f"-domain_model {model} -spread_abc 2 0.2 0.4")
    base = base.replace("-mosaic_dom 3", "-mosaic_dom 6")
    for shot in shots_of(tmp_path, "orientation = 'uniform'", 3, base=f"{base} -misset 9 8 7"):
        angles = " ".join(f"{shot.drawn[name][0]!r}" for name in GROUPS["misset"])
        alone = from_args(f"{base} -misset {angles}").crystal.mosaicity
        found = shot.experiment.crystal.mosaicity
        np.testing.assert_allclose(found.rotations, alone.rotations, atol=1e-12)


def test_orientations_near_the_base(tmp_path: Path) -> None:
    vary, base = "orientation = { spread = 2 }", f"{BASE} -misset 10 20 30"
    before = campaign_of(tmp_path, text("", base=base)).experiment.lattice.direct
    angles = []
    for shot in shots_of(tmp_path, vary, 200, base=base):
        rotation = np.linalg.solve(before, shot.experiment.lattice.direct)
        angles.append(Rotation.from_matrix(rotation).magnitude())
    limit = np.radians(2.0)
    assert stats.kstest(angles, lambda a: (a / limit) ** 3).pvalue > SURE


@pytest.mark.parametrize("about_y", [-90, 90, 40])
def test_a_spread_of_nothing_keeps_the_base(about_y: int, tmp_path: Path) -> None:
    """Also where x and z turn about the same axis."""
    base = f"{BASE} -misset 10 {about_y} 30"
    before = campaign_of(tmp_path, text("", base=base)).experiment.lattice.direct
    (shot,) = shots_of(tmp_path, "orientation = { spread = 0 }", 1, base=base)
    np.testing.assert_allclose(shot.experiment.lattice.direct, before, atol=1e-9)


def test_each_crystal_has_diffuse_scattering(tmp_path: Path) -> None:
    base = f"{BASE} -diffuse_gamma 50 50 50 -diffuse_sigma 0.3 0.3 0.3"
    one, two = (
        shots_of(tmp_path, f"crystals = {{ constant = {count} }}", 1, base=base)[0]
        for count in (1, 2)
    )
    assert one.plan().diffuse.n_operations == 1
    assert [part.diffuse.n_operations for part in two.plan().parts] == [1, 1]


def test_orientations_one_by_one(tmp_path: Path) -> None:
    shots = shots_of(tmp_path, "orientation = { list = [[1, 2, 3], [4, 5, 6]] }", 3)
    assert [shot.drawn["misset_z"][0] for shot in shots] == pytest.approx([3, 6, 3])
    angles = np.degrees(shots[1].experiment.crystal.misset)
    np.testing.assert_allclose(angles, [4, 5, 6])


def test_a_shot_depends_on_its_number_alone(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path)
    once = draw_shot(campaign, 4)
    for number in (6, 0, 4):
        again = draw_shot(campaign_of(tmp_path), number)
    assert again.drawn == once.drawn
    assert again.noise_seed == once.noise_seed
    np.testing.assert_array_equal(again.a_matrices, once.a_matrices)


def test_several_crystals_add_up(tmp_path: Path, renderer: Renderer) -> None:
    """Each with its own orientation, cell and size."""
    vary = (
        "crystals = { constant = 3 }\norientation = 'uniform'\n"
        "edges = { normal = [1, 0.01], mode = 'times' }\nn_cells = { choice = [3, 5] }"
    )
    base = BASE.replace("-water 1 ", "")
    (shot,) = shots_of(tmp_path, vary, 1, base=base)
    assert len(shot.experiments) == 3
    assert len({tuple(each) for each in shot.a_matrices.reshape(3, 9)}) == 3
    together = renderer(shot.plan(), Observer()).image[0, 0].astype(np.float64)
    apart = sum(
        renderer(Shot(0, (each,), 1, {}, 1).plan(), Observer()).image[0, 0].astype(np.float64)
        for each in shot.experiments
    )
    np.testing.assert_allclose(together, apart, rtol=2e-6, atol=2e-6 * together.max())


def test_misses(tmp_path: Path) -> None:
    """Shots without a crystal have the background alone."""
    content = text("crystals = { list = [0, 1, 0] }\norientation = 'uniform'", 4,
                   output="spots = true\ncounts = false")  # fmt: skip
    folder = finished(tmp_path, content)
    with h5py.File(folder.chunk(0)) as file:
        truth = read_truth(file)
    assert truth["crystals"].tolist() == [0, 1, 0, 0]
    assert np.isnan(truth["a_matrix"]).all(axis=(1, 2, 3)).tolist() == [True, False, True, True]
    assert not truth["failed"].any()
    assert np.diff(truth["spots_begin"])[[0, 2, 3]].tolist() == [0, 0, 0]
    assert len(truth["spots"]) > 0
    miss, hit, *misses = images(folder)
    water = make_plan(from_args(f"{BASE} -default_F 1e-99 -nodump"))
    np.testing.assert_allclose(
        miss, open_backend("numpy").render(water, Observer()).image[0, 0], 2e-6
    )
    assert (hit > miss).any()
    for other in misses:
        np.testing.assert_array_equal(other, miss)


def test_crystals_that_differ_in_interpolation(tmp_path: Path) -> None:
    """They have plans of their own."""
    vary = "crystals = { constant = 2 }\nn_cells = { normal = [3, 3] }"
    base = f"{BASE} -hkl f.hkl"
    (tmp_path / "f.hkl").write_text("0 0 0 1\n3 3 3 1\n")
    parts = [shot.plan().parts for shot in shots_of(tmp_path, vary, 20, base=base)]
    found = [[part.factors.interpolate for part in of_shot] for of_shot in parts]
    assert [True, False] in found
    assert [False, True] in found


def test_spectra(tmp_path: Path) -> None:
    """Each shot has its own, which add up to one; their mean is as wide as it should be."""
    vary = "spectrum = { bandwidth = 0.4, channels = 101, spikes = 8 }"
    shots = shots_of(tmp_path, vary, 300)
    sources = [shot.experiment.sources for shot in shots]
    weights = np.array([each.brightness / 101 for each in sources])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-9)
    assert len({tuple(row) for row in weights}) == 300
    energies = 1.0 / sources[0].wavelengths
    mean = weights.mean(axis=0)
    centre = (mean * energies).sum()
    sigma = np.sqrt((mean * (energies - centre) ** 2).sum())
    assert centre == pytest.approx(1e10, rel=1e-4)
    assert 2.3548 * sigma / centre == pytest.approx(0.004, rel=0.1)

    # fewer spikes are rougher
    def roughness(rows: np.ndarray) -> float:
        return float((rows.std(axis=0) / rows.mean(axis=0))[40:60].mean())

    assert roughness(weights) == pytest.approx(1.0, abs=0.2), "exponential, as of many modes"


@pytest.mark.parametrize(
    ("spectrum", "option"),
    [
        ("{ kind = 'gaussian', bandwidth = 1, channels = 9 }", "gaussian,1 -spectrum_samples 9"),
        ("{ kind = 'tophat', bandwidth = 1, channels = 6 }", "tophat,1 -spectrum_samples 6"),
        ("{ kind = 'two-colour', separation = 3, bandwidth = 1, channels = 8 }",
         "two-colour,3,1 -spectrum_samples 8"),
        ("{ file = 's.txt' }", "s.txt"),
        ("{ file = 's.h5', channels = 2 }", "s.h5 -spectrum_samples 2"),
    ],
)  # fmt: skip
def test_spectra_of_all_kinds(
    spectrum: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the option, about the wavelength of each shot, also with divergence."""
    monkeypatch.chdir(tmp_path)
    Path("s.txt").write_text("# energy/eV weight Q U\n12300 1 1 0\n12400 2 0 0.5\n")
    with h5py.File("s.h5", "w") as file:
        file["spectrum/wavelengths_A"], file["spectrum/pdf"] = [1.0, 1.01, 1.02], [1.0, 2.0, 3.0]
    base = f"{BASE} -hdivrange 1 -hdivsteps 2"
    of_file = "file" in spectrum
    vary = f"spectrum = {spectrum}"
    if not of_file:
        vary += "\nwavelength = { list = [1.0, 1.1] }"
    shots = shots_of(tmp_path, vary, 2, base=base)
    for shot, wavelength in zip(shots, (1.0, 1.0 if of_file else 1.1), strict=True):
        words = f"{base} -spectrum {option}" + ("" if of_file else f" -lambda {wavelength}")
        expected = from_args(words).sources
        found = shot.experiment.sources
        np.testing.assert_allclose(found.wavelengths, expected.wavelengths, rtol=1e-12)
        np.testing.assert_allclose(found.brightness, expected.brightness, rtol=1e-12)
        np.testing.assert_allclose(found.incident, expected.incident, atol=1e-15)


def test_a_shot_is_an_image_of_the_drop_in_command(tmp_path: Path) -> None:
    """What was drawn can be given as options."""
    (shot,) = shots_of(tmp_path, "orientation = 'uniform'\nphi = { constant = 3 }", 1)
    angles = " ".join(repr(shot.drawn[name][0]) for name in GROUPS["misset"])
    alone = simulate(from_args(f"{BASE} -misset {angles} -phi 3"), backend="numpy").array
    backend = open_backend("numpy").render
    np.testing.assert_allclose(
        backend(shot.plan(), Observer()).image[0, 0], alone, rtol=1e-5, atol=1e-5 * alone.max()
    )


def test_a_base_has_one_crystal(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("-misset 1 2 3\n-misset 4 5 6\n")
    with pytest.raises(CupysimError, match="draws the number of crystals"):
        shots_of(tmp_path, "", 1, base=f"{BASE} -crystals {tmp_path / 'two.txt'}")


def test_cells_of_shots_vary_in_their_own_orientation(tmp_path: Path) -> None:
    """Plans that share parts have the strains of each orientation."""
    base = f"{BASE} -mosaic_dom 4 -spread_edges 1 2 3"
    for shot in shots_of(tmp_path, 'orientation = "uniform"', 3, base=base):
        expected = make_plan(shot.experiment).crystals.phi_cells
        np.testing.assert_array_equal(shot.plan().crystals.phi_cells, expected)
        # without the rotations of the domains, only the lengths of the edges differ
        strained = expected[0, 0] @ shot.experiment.mosaicity.rotations
        direct = shot.experiment.lattice.direct
        ratios = 1e10 * strained / direct
        np.testing.assert_allclose(ratios, ratios[..., :1].repeat(3, axis=-1), rtol=1e-9)
        assert np.ptp(ratios[:, 0, 0]) > 0.01


@pytest.mark.parametrize("vary", ["wavelength = { normal = [1, 0.001], mode = 'times' }",
                                  "spectrum = { bandwidth = 0.4, channels = 5 }"])  # fmt: skip
def test_tables_at_one_wavelength_do_not_vary(vary: str, tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    model = Path(__file__).parents[2] / "examples" / "1orc" / "1orc.pdb"
    base = f"-pdb {model} -N 4 -detpixels 12 -pixel 2 -dmin 8 -anomalous -lambda 1 -corrected"
    with pytest.raises(CupysimError, match="at the base's wavelength alone"):
        shots_of(tmp_path, vary, 1, base=base)
    shots_of(tmp_path, vary, 1, base=f"{base} -spectrum tophat,2 -spectrum_samples 5")
