"""Derivatives of images: against a complex step, differences, sums and other backends."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupysim import CupysimError, Experiment, Gradients, QuirkWarning, render_gradients, simulate
from cupysim.backends.compiled import worker
from cupysim.backends.compiled.host import HostEngine
from cupysim.backends.rendered import Observer
from cupysim.backends.select import available_backends
from cupysim.models.absorber_parameters import ABSORPTION_SIZE, OF_AROUND
from cupysim.models.background_parameters import BACKGROUND_SCALE
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.diffuse_parameters import OF_DIFFUSE
from cupysim.models.parameters import GROUPS, spread_names, without_effect
from cupysim.models.polarization_parameters import STOKES
from cupysim.models.rendering import Region, Rendering
from cupysim.models.sample_parameters import OF_SAMPLE
from cupysim.models.source_parameters import OF_SOURCES
from cupysim.models.spot_shape import ELLIPSOIDAL, Shape
from cupysim.plan.gradient_names import UNITS, expand
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.quirks import OF_WORDS, Quirks
from cupysim.renderer import Renderer
from tests.conftest import INPUTS
from tests.corrected.rendering import experiment_of
from tests.gradients import by_hand
from tests.gradients.changes import STEPS, difference, gradient_plan

PROMISED = 1e-6
"""Of the largest value of a derivative: what is promised."""

AGREEMENT = 5e-9
"""Of two backends, which have other series where the slopes of sines cancel."""

TABLE = f"-hkl {INPUTS / 'orc.hkl'} -nodump"
BASE = "-cell 50 60 70 80 95 100 -misset 10 20 30 -detpixels 9 -pixel 3 -lambda 1.3 -fluence 1e24"
SOURCES = f"-sourcefile {INPUTS / 'sources5.txt'}"
ALL = [
    name
    for name in UNITS
    if name
    not in (
        "structure_factors",
        BACKGROUND_SCALE,
        *STOKES,
        *OF_SAMPLE,
        *OF_DIFFUSE,
        *OF_SOURCES,
        *EDGE_SPREADS,
        *OF_AROUND,
        ABSORPTION_SIZE,
    )
]
"""Parameters that nearly all experiments have. Other files test
those of polarization, body and diffuse scattering."""


def differentiate(backend: str, experiment: Experiment, names: str) -> Gradients:
    return Renderer(backend).differentiate(gradient_plan(experiment, names), Observer())


def assert_equal(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    largest = np.abs(expected).max()
    assert np.abs(found - expected).max() <= tolerance * largest
    assert largest > 0.0


@pytest.fixture(params=[name for name in available_backends() if name != "numpy"], scope="module")
def compiled(request: pytest.FixtureRequest) -> str:
    """Each backend which is compared with NumPy's."""
    return request.param


@pytest.mark.parametrize("name", list(by_hand.DEFAULTS))
def test_complex_step(name: str, backend: str) -> None:
    """The same experiment written out for complex numbers has the same derivatives."""
    experiment = experiment_of(by_hand.words())
    found = differentiate(backend, experiment, name)
    assert_equal(found.photons, by_hand.photons(by_hand.DEFAULTS).real, PROMISED)
    assert_equal(found[name], by_hand.derivative(name), PROMISED)


def option(name: str, low: float, high: float, count: int = 1) -> st.SearchStrategy[str]:
    def numbers(ks: tuple[int, ...]) -> str:
        # many digits, that nothing falls between two reflections
        values = (low + (high - low) * ((k * 0.6180339887 + 0.137) % 1.0) for k in ks)
        return " ".join([name, *(f"{value:.9g}" for value in values)])

    return st.tuples(*[st.integers(0, 10**6)] * count).map(numbers)


def some(*choices: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), *(st.just(c) if isinstance(c, str) else c for c in choices))


EXPERIMENTS = st.tuples(
    option("-cell", 40, 80, 3), option("", 75, 105, 3), option("-misset", -180, 180, 3),
    option("-lambda", 0.9, 2), option("-distance", 60, 120),
    st.sampled_from(["-N 4", "-Na 3 -Nb 5 -Nc 2", "-N 7"]),
    some("-round_xtal", "-gauss_xtal", "-gauss_xtal -off_diagonal_cells 0.7 -0.3 0.5",
         "-spot_shape gauss_star", "-spot_shape no_fringes"), some(option("-fudge", 0.5, 2)),
    st.sampled_from(["-default_F 10", f"{TABLE} -nointerpolate", f"{TABLE} -interpolate"]),
    some("-xds", "-adxv", "-dials", "-denzo", "-xds -pivot beam", "-pivot sample"),
    some(option("-twotheta", -20, 20)), some(option("-detector_rotx", -9, 9)),
    some(option("-detector_roty", -9, 9)), some(option("-detector_rotz", -25, 25)),
    some(option("-close_distance", 60, 120)),
    some("-mosaic 1 -mosaic_dom 3", "-mosaic 1 -mosaic_dom 3 -spread_edges 1 2 0.5",
         "-mosaic_dom 4 -spread_edges 2 0.7 1",
         "-domain_model normal -spread_abc 1 0.6 0.3 -spread_off_diagonal 0.1 -0.2 0.1"
         " -mosaic_dom 4 -spread_edges 1 2 0.5",
         "-domain_model diffbragg -spread_abc 1 0.6 0.3 -mosaic_dom 4",
         "-domain_model normal -spread_abc 1 0.6 0.3 -spread_off_diagonal 0.1 -0.2 0.1"
         " -mosaic_dom 4",
         "-domain_model fisher -mosaic 1 -mosaic_dom 4",
         "-domain_model cap -mosaic 1 -mosaic_dom 4"),
    some("-osc 1 -phisteps 2", "-phi 33"),
    some("-hdivrange 2 -hdivsteps 2", "-dispersion 2 -dispsteps 2",
         "-spectrum gaussian,1 -spectrum_samples 3 -vdivrange 3 -vdivsteps 2"),
    some("-detector_abs 500 -detector_thick 450 -thicksteps 2"),
    some("-nopolar", "-polar 0.9"), some("-point_pixel"), some("-oversample 2"), some("-dmin 2.5"),
    some("-water 0.001"),
).map(" ".join)  # fmt: skip


def experiment_with(options: str) -> Experiment:
    return experiment_of(f"-detpixels 7 -pixel 4 -fluence 1e24 -oversample 1 {options} -corrected")


def available(experiment: Experiment) -> list[str]:
    names = [name for name in ALL if name != "scale"]
    spreads = spread_names(experiment) if experiment.crystal.mosaicity.spread else ()
    others = {"mosaic_spread", *GROUPS["mosaic_spreads"]} - set(spreads)
    names = [name for name in names if name not in others]
    if experiment.water.size or experiment.backgrounds:
        names.remove("crystal_scale")
    if experiment.crystal.mosaicity.has_axes:
        # the axes of the spreads turn with it
        names.remove("phi")
    if experiment.crystal.shape not in ELLIPSOIDAL:
        names = [name for name in names if name not in GROUPS["n_cells_off_diagonal"]]
    for family in (EDGE_SPREADS, OF_SOURCES):
        names += [name for name in family if not without_effect(experiment, name)]
    return names


@settings(max_examples=200)
@given(EXPERIMENTS, st.data())
def test_differences(backend: str, options: str, data: st.DataObject) -> None:
    """Central differences of the backend's own photons, in double precision."""
    experiment = experiment_with(options)
    chosen = data.draw(st.sampled_from(available(experiment)))

    def photons(plan: GradientPlan) -> np.ndarray:
        return Renderer(backend).differentiate(plan, Observer()).photons

    found = differentiate(backend, experiment, chosen)
    expected, finer = (difference(photons, experiment, chosen, part) for part in (1.0, 0.5))
    # rounding of differences: photons are known to 1e-15 of themselves
    largest, noise = np.abs(expected).max(), 3e-14 * found.photons.max() / STEPS[chosen]
    limit = PROMISED * largest + noise
    # where the nearest reflection, or the table, changes on the way there is a jump or a kink, and
    # differences depend on their step; only parallelepipeds of one F are the same on both sides
    exists = np.abs(expected - finer) <= 0.01 * PROMISED * largest + noise
    if experiment.crystal.shape is Shape.SQUARE and "-default_F" in options:
        smooth = np.abs(expected - finer) <= PROMISED * largest + noise
        assert smooth.all() or "-dmin" in options
    assert exists.mean() > 0.8
    assert (np.abs(found[chosen] - expected) <= limit)[exists].all()


@settings(max_examples=100)
@given(EXPERIMENTS)
def test_backends_agree(compiled: str, options: str) -> None:
    experiment = experiment_with(options)
    names = ",".join([*available(experiment), "scale"])
    if "-hkl" in options:
        names += ",structure_factors"
    reference, found = (differentiate(name, experiment, names) for name in ("numpy", compiled))
    for name in reference.names:
        expected = reference[name]
        # where it is zero, but for rounding of the terms
        noise = 1e-16 * reference.photons.max() / STEPS.get(name, 1.0)
        apart = np.abs(found[name] - expected).max()
        assert apart <= AGREEMENT * np.abs(expected).max() + noise
    if reference.structure_factors is not None and found.structure_factors is not None:
        expected = reference.structure_factors.matrix
        apart = abs(found.structure_factors.matrix - expected).max()
        assert apart <= AGREEMENT * abs(expected).max()


@settings(max_examples=20)
@given(EXPERIMENTS)
def test_photons_are_those_of_the_image(backend: str, options: str) -> None:
    experiment = experiment_with(options)
    image = simulate(experiment, backend, gradients="scale")
    assert image.gradients is not None
    difference = np.abs(image.gradients.photons - image.array)
    # zeros of the interference function are known to 1e-9 of the largest
    assert (difference <= PROMISED * np.abs(image.array) + 1e-9 * np.abs(image.array).max()).all()
    np.testing.assert_array_equal(image.gradients["scale"], image.gradients.photons)


@pytest.mark.parametrize("options", ["-nointerpolate", "-interpolate"])
def test_structure_factors(options: str, backend: str) -> None:
    """Photons are squares of F: the derivative with one is found by changing it."""
    words = f"{BASE} -N 4 {TABLE} {options} -mosaic 1 -mosaic_dom 3 -oversample 2 -corrected"
    experiment = experiment_of(words)
    found = differentiate(backend, experiment, "structure_factors")
    assert found.structure_factors is not None
    matrix, hkl = found.structure_factors.matrix, found.structure_factors.hkl
    assert found.values.shape == (0, 9, 9)
    totals = np.abs(matrix).sum(axis=0)
    table = experiment.structure_factors.table
    assert table is not None
    for column in np.argsort(-totals)[:4]:
        changed = table.copy()
        place = tuple(hkl[column] - np.array(experiment.structure_factors.first))
        photons = []
        for by in (1.0, -1.0):
            changed[place] = table[place] + by
            factors = replace(experiment.structure_factors, table=changed)
            other = replace(experiment, structure_factors=factors)
            photons.append(differentiate(backend, other, "scale").photons)
        # of a square, differences of any size are exact
        expected = (photons[0] - photons[1]) / 2.0
        assert_equal(matrix[:, [column]].toarray().reshape(9, 9), expected, PROMISED)
    # Euler's theorem: photons are of the second degree in all of them
    amplitudes = table.reshape(-1)
    inside = (
        np.abs(matrix @ amplitudes / 2.0 - found.photons.reshape(-1)) < 1e-9 * found.photons.max()
    )
    assert inside.mean() > 0.9, "but for pixels beyond the table"


def test_many_reflections_in_a_pixel(compiled: str) -> None:
    """More than there is room for at first."""
    words = f"-cell 50 60 70 -N 2 {TABLE} -nointerpolate -mosaic 60 -mosaic_dom 60 -detpixels 3"
    experiment = experiment_of(f"{words} -pixel 9 -distance 50 -oversample 1 -corrected")
    matrices = [
        differentiate(name, experiment, "structure_factors").structure_factors.matrix
        for name in ("numpy", compiled)
    ]
    assert np.diff(matrices[0].indptr).max() > 8
    assert abs(matrices[0] - matrices[1]).max() <= AGREEMENT * abs(matrices[0]).max()


@pytest.mark.skipif("host" not in available_backends(), reason="no compiled library")
def test_bands_and_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work which is cut into many launches gives the same."""
    words = f"{BASE} -N 4 {TABLE} -nointerpolate -mosaic 1 -mosaic_dom 7 -osc 1 -phisteps 3"
    experiment = experiment_of(f"{words} -oversample 2 -water 0.001 -corrected")
    names = "misset, cell, distance, rotation, mosaic_spread, n_cells, structure_factors"
    plan = gradient_plan(experiment, names)
    launches: list[int] = []
    differentiate_launch = HostEngine.differentiate

    def counted(engine: HostEngine, launch: np.ndarray, *rest: object) -> None:
        launches.append(int(launch["n_pixels"]))
        differentiate_launch(engine, launch, *rest)

    monkeypatch.setattr(HostEngine, "differentiate", counted)
    whole = Renderer("host", threads=1).differentiate(plan, Observer())
    at_once, launches[:] = len(launches), []
    monkeypatch.setattr(worker, "SECONDS_AT_ONCE", 1e-6)
    parts = Renderer("host", threads=1).differentiate(plan, Observer())
    assert len(launches) > 10 * at_once
    assert set(launches) == {64, 81 - 64}
    for name in whole.names:
        assert_equal(parts[name], whole[name], AGREEMENT)
    np.testing.assert_allclose(parts.photons, whole.photons, rtol=1e-11)
    assert whole.structure_factors is not None
    assert parts.structure_factors is not None
    apart = abs(parts.structure_factors.matrix - whole.structure_factors.matrix).max()
    assert apart <= AGREEMENT * abs(whole.structure_factors.matrix).max()


@pytest.mark.parametrize("masked", [False, True])
def test_region_and_mask(masked: bool, backend: str) -> None:
    experiment = experiment_of(f"{BASE} -N 4 -default_F 10 -oversample 1 -corrected")
    mask = np.random.default_rng(2).random((9, 9)) < 0.5 if masked else None
    rendering = Rendering(oversample=1, region=Region(2, 6, 1, 7), mask=mask)
    part = differentiate(backend, replace(experiment, rendering=rendering), "misset_x,distance")
    whole = differentiate(backend, experiment, "misset_x,distance")
    computed = np.zeros((9, 9), dtype=bool)
    computed[1:8, 2:7] = True if mask is None else mask[1:8, 2:7]
    for name in whole.names:
        np.testing.assert_allclose(part[name], np.where(computed, whole[name], 0.0), rtol=1e-12)
    np.testing.assert_allclose(part.photons, np.where(computed, whole.photons, 0.0), rtol=1e-12)


def test_an_empty_region(backend: str) -> None:
    experiment = experiment_of(f"{BASE} -N 4 -default_F 10 -oversample 1 -corrected")
    nowhere = Rendering(oversample=1, region=Region(20, 30, 20, 30))
    found = differentiate(backend, replace(experiment, rendering=nowhere), "misset")
    assert not found.values.any()


def test_by_name_and_by_group() -> None:
    found = differentiate("numpy", experiment_of(f"{BASE} -default_F 1 -N 3 -corrected"), "misset")
    assert found["misset"].shape == (3, 9, 9)
    np.testing.assert_array_equal(found["misset"][1], found["misset_y"])
    with pytest.raises(KeyError, match="respect to distance; there are misset_x, misset_y"):
        found["distance"]
    with pytest.raises(KeyError, match=r"\.structure_factors has them"):
        found["structure_factors"]


class TestNames:
    def test_groups(self) -> None:
        assert expand("misset,distance") == (*GROUPS["misset"], "distance")
        assert expand(["distance", "misset_x", "misset"])[:2] == ("distance", "misset_x")
        assert len(set(expand(list(UNITS)))) == len(UNITS)

    @pytest.mark.parametrize(
        ("names", "options", "told"),
        [
            ("colour", "", "there is no parameter 'colour'; there are misset, cell"),
            ("", "", "there is no parameter ''"),
            ([], "", "no parameter is named"),
            ("mosaic_spread", "", "mosaic_spread: the crystal has no mosaic spread"),
            ("structure_factors", "", "structure_factors: there is no table"),
            ("distance", "-curved_det -oversample 1", "distance: a curved detector has no"),
            ("distance", "-pix0_vector 0.1 0 0", "distance: the detector's origin is given"),
            ("fluence", "-fluence 0", "fluence: it is zero"),
            ("misset", "-tophat_spots", "spots of the shape tophat have edges"),
            (
                "wavelength",
                SOURCES,
                "wavelength: the table of sources",
            ),
        ],
    )
    def test_impossible(self, names: str, options: str, told: str) -> None:
        experiment = experiment_of(f"-corrected {BASE} -default_F 1 -N 3 {options} -nopgm")
        with pytest.raises(CupysimError) as caught:
            render_gradients(experiment, names)
        assert told in str(caught.value)

    def test_the_image_must_be_the_right_one(self) -> None:
        for words in ("", "-corrected Q3,Q5"):
            experiment = experiment_of(f"{BASE} -default_F 1 {words}")
            with pytest.raises(CupysimError, match="all quirks must be corrected"):
                simulate(experiment, gradients=["misset"])
        with pytest.raises(CupysimError, match="expected an Experiment, got a str"):
            render_gradients("words", "misset")  # type: ignore[arg-type]

    def test_quirks_of_words_do_not_count(self) -> None:
        """Experiments which were corrected before such a quirk had a number stay corrected."""
        experiment = experiment_of(f"-corrected {BASE} -default_F 1 -N 3")
        earlier = Quirks(experiment.policy.corrected - OF_WORDS)
        assert earlier != experiment.policy
        render_gradients(replace(experiment, quirks=earlier), "misset")

    def test_no_quirk_is_warned_of(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", QuirkWarning)
            render_gradients(experiment_of(f"{BASE} -default_F 1 -N 3 -corrected"), "misset")
