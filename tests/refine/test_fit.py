"""A hidden truth is found again, and where it is not, that is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import Experiment, Tolerance, fit, simulate
from cupysim.backends.derivatives import Gradients
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimError
from cupysim.maths.nr_random import RandomStream
from cupysim.models.parameters import GROUPS, PARAMETERS, changed, current
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.refine.fit import refine
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.observation import Observation
from cupysim.refine.outcome import Refined
from cupysim.refine.problem import Problem
from cupysim.refine.settings import Settings
from cupysim.renderer import Renderer
from tests.conftest import INPUTS
from tests.corrected.rendering import experiment_of

WORDS = f"-hkl {INPUTS / 'orc.hkl'} -nodump -cell 34.77 39.17 48.31 -misset 12 -34 56 -N 10"
REST = (
    "-lambda 1 -distance 60 -detpixels 200 -pixel 0.3 -oversample 1 -fluence 1e28 -water 0.3 "
    "-corrected"
)
NOTHING = "-default_F 1e-9"
TRUTH = experiment_of(f"{WORDS} {REST}")
BACKEND = Renderer().differentiate


def observed(experiment: Experiment, seed: int | None = 3) -> Observation:
    """Photons counted, or those which are expected."""
    image = simulate(experiment)
    counts = image.array if seed is None else image.counts(RandomStream(seed))
    return Observation(counts.astype(np.float64), np.ones(counts.shape, dtype=bool))


def away(experiment: Experiment, shifts: dict[str, float]) -> Experiment:
    """In the units of reports."""
    for name, by in shifts.items():
        experiment = changed(experiment, name, by * PARAMETERS[name].size)
    return experiment


def off(refined: Refined, truth: Experiment = TRUTH) -> dict[str, float]:
    """How far each parameter is from the truth, in the units of reports."""
    return {
        name: value - current(truth, name) / PARAMETERS[name].size
        for name, value in zip(refined.names, refined.values, strict=True)
    }


WRONG = {"misset_x": 0.3, "misset_y": -0.3, "misset_z": 0.26, "cell_a": 0.17, "cell_b": -0.2,
         "cell_c": 0.24}  # fmt: skip
"""Half a degree and half a per cent."""


@pytest.mark.parametrize("target", ["poisson", "squares"])
def test_half_a_degree_and_half_a_per_cent(target: str) -> None:
    names = free_parameters("misset,cell,scale")
    start = away(TRUTH, WRONG)
    told: list[str] = []
    refined = refine(start, observed(TRUTH), names, BACKEND, Settings(target), told.append)
    assert refined.converged, refined.reason
    apart = off(refined)
    assert max(abs(apart[name]) for name in GROUPS["misset"]) < 0.01
    for name in GROUPS["cell"][:3]:
        assert abs(apart[name]) < 2e-4 * current(TRUTH, name)
    # uncertainties are those of repeated measurements
    pulls = np.array([apart[name] for name in names]) / refined.sigmas
    assert np.abs(pulls).max() < 4.5
    assert refined.chi_squared[1] == pytest.approx(1.0, abs=0.05)
    assert refined.chi_squared[0] > 2.0
    assert refined.explained[0] == pytest.approx(1.0, abs=5 * refined.explained[1])
    assert any("orientations within 1 deg" in line for line in told)


def test_uncertainties_are_the_spread_of_many_noises() -> None:
    names = free_parameters("misset_x,cell_c,scale")
    values, sigmas = [], []
    for seed in range(1, 13):
        refined = refine(TRUTH, observed(TRUTH, seed), names, BACKEND, Settings(search=0.0))
        assert refined.converged
        values.append(refined.values)
        sigmas.append(refined.sigmas)
    # of twelve samples a standard deviation is known to a fifth
    spread = np.std(values, axis=0, ddof=1) / np.mean(sigmas, axis=0)
    assert ((spread > 0.5) & (spread < 1.6)).all(), spread


@pytest.mark.parametrize(
    ("names", "shifts"),
    [
        ("distance,beam_centre", {"distance": 0.2, "beam_fast": 0.1, "beam_slow": -0.1}),
        ("rotation,scale", {"rotation_x": 0.1, "rotation_y": -0.2, "rotation_z": 0.1}),
        ("wavelength,scale", {"wavelength": 0.001}),
        ("phi", {"phi": 0.05}),
        ("twotheta", {"twotheta": 0.1}),
    ],
)
def test_other_parameters(names: str, shifts: dict[str, float]) -> None:
    """Without noise, the truth is found to many digits."""
    start = away(TRUTH, shifts)
    settings = Settings(search=0.0)
    found = refine(start, observed(TRUTH, None), free_parameters(names), BACKEND, settings)
    assert found.converged, found.reason
    for name, apart in off(found).items():
        # photons are rounded to 32 bits
        assert abs(apart) < 1e-3 * max(found.sigmas[found.names.index(name)], 1e-6) + 1e-5


def test_only_the_last_fit_is_exact() -> None:
    tolerances: list[Tolerance | None] = []

    def differentiate(plan: GradientPlan, observer: Observer) -> Gradients:
        tolerances.append(plan.plan.tolerance)
        return BACKEND(plan, observer)

    start = away(TRUTH, {"misset_x": 0.05, "cell_a": 0.05})
    names = free_parameters("misset,cell_a,scale")
    observation = observed(TRUTH)
    exact = refine(start, observation, names, BACKEND, Settings(search=0.0))
    settings = Settings(search=0.0, tolerance=0.01)
    found = refine(start, observation, names, differentiate, settings)
    assert found.converged, found.reason
    # the minimum is the same, as exactly as fits end
    assert (np.abs(found.values - exact.values) < 0.02 * exact.sigmas).all()
    np.testing.assert_allclose(found.sigmas, exact.sigmas, rtol=1e-3)
    assert found.chi_squared[0] == exact.chi_squared[0]
    # the start is exact, because reports show it
    within = [tolerance is not None for tolerance in tolerances]
    first, last = within.index(True), len(within) - 1 - within[::-1].index(True)
    assert all(within[first : last + 1])
    assert first <= 2
    assert last < len(within) - 2


def test_numbers_of_cells() -> None:
    """Which need not be whole on the way."""
    start = replace(TRUTH, crystal=replace(TRUTH.crystal, n_cells=(9, 11, 12)))
    names = free_parameters("n_cells,scale")
    found = refine(start, observed(TRUTH), names, BACKEND, Settings(search=0.0))
    assert found.converged, found.reason
    np.testing.assert_allclose(found.values[:3], 10.0, atol=0.1)


def test_sampling_does_not_jump() -> None:
    """Sub-pixels and cells which follow from sizes are those of the start."""
    automatic = experiment_of(
        f"{WORDS} -N 1 -samplesize 0.00035 -lambda 1 -distance 60 -detpixels 30 -pixel 0.9 "
        "-fluence 1e30 -corrected"
    )
    step = automatic.oversample
    names = free_parameters("distance,cell_a,scale")
    start = away(automatic, {"distance": 0.05, "cell_a": 0.05})
    found = refine(start, observed(automatic, None), names, BACKEND, Settings(search=0.0))
    assert found.converged, found.reason
    assert found.experiment.oversample == step


def test_the_refined_experiment_makes_the_image() -> None:
    """Scale and limits of the start included."""
    bright = replace(TRUTH, beam=replace(TRUTH.beam, fluence=2.0 * TRUTH.beam.fluence))
    found = refine(TRUTH, observed(bright), ("scale",), BACKEND, Settings(search=0.0))
    assert found.converged
    image, expected = simulate(found.experiment), simulate(bright)
    np.testing.assert_allclose(image.array, expected.array, rtol=1e-3)
    assert image.array[100, 100] > 0.0, "the direct beam is left out of the fit alone"


def test_few_photons() -> None:
    """A right solution of a weak image is not called a wrong one."""
    for fluence, told in ((1e25, None), (1e21, "too few photons")):
        weak = replace(TRUTH, beam=replace(TRUTH.beam, fluence=fluence))
        names = free_parameters("misset")
        found = refine(weak, observed(weak), names, BACKEND, Settings(search=0.0))
        assert found.converged == (told is None), (fluence, found.reason)
        assert abs(found.chi_squared[1] - 1.0) < 4.5 * found.chi_sigma
        assert told is None or told in found.reason


def test_from_python() -> None:
    """cupysim.fit takes arrays and names."""
    observation = observed(TRUTH)
    start = away(TRUTH, {"misset_x": 0.05})
    told: list[str] = []
    found = fit(start, observation.counts, "misset, scale", search=0.2, tell=told.append)
    assert found.converged, found.reason
    assert max(abs(off(found)[name]) for name in GROUPS["misset"]) < 0.01
    assert told
    for wrong, message in (
        ({"target": "square"}, "target: expected poisson or squares"),
        ({"within": {"cell": 1.0}}, "within: cell_a, .* is not a free parameter"),
        ({"within": {"misset": 0.0}}, "expected a number above zero"),
        ({"used": np.ones((3, 3))}, "must have the shape"),
    ):
        with pytest.raises(CupysimError, match=message):
            fit(start, observation.counts, "misset, scale", **wrong)


def test_a_right_start_stays() -> None:
    """Even where spots are smaller than pixels, and a scan would lead elsewhere."""
    experiment = experiment_of(
        "-cell 50 60 70 80 85 95 -default_F 100 -N 8 -detpixels 64 -pixel 1 -distance 80 "
        "-oversample 1 -nodump -misset 3 4 5 -fluence 1e28 -corrected"
    )
    names = free_parameters("misset,cell,scale")
    found = refine(experiment, observed(experiment), names, BACKEND, Settings())
    assert found.converged, found.reason
    assert max(abs(off(found, experiment)[name]) for name in GROUPS["misset"]) < 0.01


def test_a_spread_does_not_go_below_zero() -> None:
    mosaic = experiment_of(f"{WORDS} {REST} -mosaic 0.05 -mosaic_dom 4")
    start = away(mosaic, {"misset_x": 0.02})
    names = free_parameters("misset,mosaic_spread,scale")
    settings = Settings(search=0.0, within={"mosaic_spread": 5.0})
    found = refine(start, observed(mosaic), names, BACKEND, settings)
    assert found.converged, found.reason
    apart = off(found, mosaic)["mosaic_spread"]
    assert abs(apart) < 4.5 * found.sigmas[names.index("mosaic_spread")]


def test_squares_are_not_biased() -> None:
    """Weights are those of the model: by the counts themselves, the scale came out too small."""
    weak = replace(TRUTH, beam=replace(TRUTH.beam, fluence=1e26))
    pulls = []
    for seed in range(1, 9):
        settings = Settings("squares", search=0.0)
        found = refine(weak, observed(weak, seed), ("scale",), BACKEND, settings)
        pulls.append((found.values[0] - 1.0) / found.sigmas[0])
    # their mean has a standard deviation of 1/sqrt(8)
    assert abs(np.mean(pulls)) < 4.0 / np.sqrt(8.0)


def test_of_what_kind_masks_are() -> None:
    observation = observed(TRUTH)
    mask = np.ones((200, 200), dtype=np.uint8)
    mask[:100] = 0
    hidden = np.ma.array(observation.counts, mask=mask == 0)
    for counts, used in ((observation.counts, mask), (observation.counts, 2.0 * mask),
                         (hidden, None)):  # fmt: skip
        found = fit(TRUTH, counts, "scale", used, search=0)
        assert not found.used[:100].any()
        assert found.used[150:].all()
    for wrong, told in (
        (lambda: fit("x", observation.counts), "expected an Experiment"),
        (lambda: fit(TRUTH, "abc"), "counts are not numbers"),
        (lambda: fit(TRUTH, observation.counts, "scale", search="far"), "search"),
        (lambda: fit(TRUTH, observation.counts, "scale", within=[1]), "names with numbers"),
        (lambda: fit(TRUTH, observation.counts, "misset,,scale"), "refine: there is no parameter"),
    ):
        with pytest.raises(CupysimError, match=told):
            wrong()


def test_near_an_edge_of_the_profile() -> None:
    """Where sums of squares hardly fall any more, the search ends well, though not at a minimum."""
    rugged = experiment_of(
        "-cell 74.41 70.78 35.31 87.42 83.70 98.72 -misset -99.669 -48.650 -74.973 -lambda 1 "
        "-default_F 100 -nodump -N 30 -distance 8.11 -detpixels 64 -pixel 0.172 -oversample 1 "
        "-gauss_xtal -water 1 -fluence 3.918e28 -corrected"
    )
    found = fit(rugged, observed(rugged).counts, "misset,scale")
    assert found.converged, found.reason


class TestFailures:
    @pytest.fixture(autouse=True)
    def _few_hops(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a solution, tries at nearby orientations take most of the time."""
        monkeypatch.setattr("cupysim.refine.fit.HOPS", 2)

    def test_another_spot_in_a_background(self) -> None:
        """One which the model lacks is seen, though it changes chi-squared by little."""
        observation = observed(experiment_of(f"{WORDS} {REST} -water 2 -fluence 1e27"))
        counts = observation.counts.copy()
        counts[40:42, 50:52] += 8.0 * np.sqrt(counts[40, 50])
        start = experiment_of(f"{WORDS} {REST} -water 2 -fluence 1e27")
        found = fit(start, counts, "scale", search=0)
        assert found.chi_squared[1] < 1.0 + 5.0 * found.chi_sigma
        assert not found.converged
        assert "spots left over" in found.reason
        assert fit(start, observation.counts, "scale", search=0).converged

    @pytest.mark.parametrize(
        ("names", "shifts"),
        [
            ("scale", {"misset_x": 40.0, "misset_y": 25.0}),
            ("misset,scale", {"misset_x": 40.0, "misset_y": 25.0}),
            ("scale", {"cell_a": 4.0}),
        ],
    )
    def test_spots_in_a_bright_background(self, names: str, shifts: dict[str, float]) -> None:
        """Chi-squared of a wrong model is then not far above 1."""
        wet = experiment_of(f"{WORDS} {REST} -water 2 -fluence 1e27")
        found = refine(
            away(wet, shifts), observed(wet), free_parameters(names), BACKEND, Settings()
        )
        assert found.chi_squared[1] < 2.0
        assert found.explained[0] < 0.5
        assert not found.converged
        assert "of the model's spots; this is a wrong solution" in found.reason

    @pytest.mark.parametrize("target", ["poisson", "squares"])
    def test_no_crystal(self, target: str) -> None:
        crystal = experiment_of(f"{WORDS} {REST}")
        water = experiment_of(f"{WORDS} {REST}".replace(f"-hkl {INPUTS / 'orc.hkl'}", NOTHING))
        names = free_parameters("misset,scale")
        found = refine(crystal, observed(water), names, BACKEND, Settings(target))
        assert not found.converged

    def test_no_spots(self) -> None:
        with pytest.raises(CupysimError, match="has no spots"):
            fit(experiment_of(f"{WORDS} {REST} -dmin 500"), np.ones((200, 200)), "scale")

    def test_a_model_which_is_a_little_wrong(self) -> None:
        """Its orientation is right, but its spots are too wide."""
        start = away(TRUTH, {"cell_c": 0.03})
        names = free_parameters("misset,scale")
        found = refine(start, observed(TRUTH), names, BACKEND, Settings())
        assert found.explained[0] > 0.9
        assert not found.converged
        assert f"chi-squared is {found.chi_squared[1]:.4g}, above 1.03" in found.reason
        allowed = Settings(search=0.0, largest_misfit=1.1 * found.chi_squared[1])
        assert refine(start, observed(TRUTH), names, BACKEND, allowed).converged

    def test_a_crystal_which_is_another(self) -> None:
        start = away(TRUTH, {"misset_x": 40.0, "misset_y": 25.0})
        names = free_parameters("misset,scale")
        refined = refine(start, observed(TRUTH), names, BACKEND, Settings())
        assert not refined.converged
        assert refined.explained[0] < 0.5

    def test_limits(self) -> None:
        start = away(TRUTH, {"cell_c": 0.24})
        settings = Settings(search=0.0, within={"cell_c": 0.1})
        names = free_parameters("cell_c,scale")
        refined = refine(start, observed(TRUTH), names, BACKEND, settings)
        assert not refined.converged
        assert refined.reason == "cell_c reached the allowed limit"

    def test_too_few_evaluations(self) -> None:
        start = away(TRUTH, {"cell_c": 0.05})
        settings = Settings(search=0.0, evaluations=2)
        refined = refine(start, observed(TRUTH), ("cell_c",), BACKEND, settings)
        assert not refined.converged
        assert refined.reason == "2 images were not enough"

    def test_what_cannot_be_told_apart(self) -> None:
        """The last missetting angle and the spindle are both about z."""
        names = free_parameters("misset_z,phi,scale")
        refined = refine(TRUTH, observed(TRUTH), names, BACKEND, Settings(search=0.0))
        assert not refined.converged
        assert "cannot be distinguished from others" in refined.reason
        assert not np.isfinite(refined.sigmas).all()

    def test_no_photons(self) -> None:
        nothing = Observation(np.zeros((200, 200)), np.ones((200, 200), dtype=bool))
        with pytest.raises(CupysimError, match="no photon was counted"):
            refine(TRUTH, nothing, ("misset_x",), BACKEND, Settings())


@pytest.mark.parametrize("target", ["poisson", "squares"])
@pytest.mark.parametrize("coarseness", [1.0, 2.5])
def test_jacobian(target: str, coarseness: float) -> None:
    names = free_parameters("misset,cell_a,distance,scale")
    problem = Problem(TRUTH, observed(TRUTH), names, target, BACKEND, coarseness)
    x = np.array([0.02, -0.03, 0.01, 0.05, 0.1, 0.2])
    slopes = problem.jacobian(x)
    for number in range(len(x)):
        step = np.zeros(len(x))
        step[number] = 1e-5
        expected = (problem.residuals(x + step) - problem.residuals(x - step)) / 2e-5
        wrong = np.abs(slopes[:, number] - expected) > 1e-4 * np.abs(expected).max()
        # where the nearest reflection changes on the way
        assert wrong.mean() < 1e-3
