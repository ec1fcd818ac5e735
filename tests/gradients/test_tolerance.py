"""Derivatives within a tolerance: none differs from the exact one by more than its limit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupysim import Experiment, Renderer, from_args, render_gradients
from cupysim.backends.derivatives import Gradients
from cupysim.backends.rendered import Observer
from cupysim.backends.select import available_backends, open_backend
from cupysim.errors import CupysimWarning, ModelError
from cupysim.maths import spot_bounds
from cupysim.maths.pixel_factors import capture_fraction, capture_slope
from cupysim.models.cell_spread_parameters import EDGE_SPREADS
from cupysim.models.parameters import without_effect
from cupysim.models.source_parameters import OF_SOURCES
from cupysim.models.spot_shape import Shape
from cupysim.models.tolerance import Tolerance
from cupysim.plan.gradient_plan import GradientPlan, plan_gradients
from cupysim.plan.planning import make_plan
from cupysim.plan.size_slopes import size_weights
from cupysim.plan.spot_shapes import SPOT_SHAPES, SpotSize
from cupysim.plan.tile_bounds import CUBIC_STEEPNESS, CUBIC_WEIGHTS
from tests.backends.test_tolerance import AWAY, FINE, PROTEIN, TABLE, WORDS
from tests.tolerances import GOLDEN_RELATIVE

EXPERIMENTS = 60
STEPS = {"numpy": 30_000, "host": 2_000_000, "cuda": 2_000_000}
"""Largest number of steps of an image, so that a backend differentiates it in a moment."""

ROUNDING = 1e-9
"""Rounding of sums in another order, relative to the largest derivative of the image."""

BACKENDS = [name for name in ("numpy", "host", "cuda") if name in available_backends()]

CRYSTAL = "misset, cell, n_cells, scale, fluence, wavelength"
PANEL = "distance, beam_centre, rotation"

ANY_SHAPE = [shape for shape in Shape if SPOT_SHAPES[shape].slope_bound is not None]

TINY = 1e-300
"""Numbers near the smallest float64 have few digits."""

OFFSETS = np.linspace(0.0, 0.5, 4001)


def available(experiment: Experiment) -> str:
    """Parameters that an experiment has."""
    names = [CRYSTAL]
    if not experiment.detector.curved:
        names.append(PANEL)
    if experiment.crystal.mosaicity.spread > 0.0:
        names.append("mosaic_spread")
    for family in (EDGE_SPREADS, OF_SOURCES):
        names += [name for name in family if not without_effect(experiment, name)]
    return ", ".join(names)


def planned(words: str, names: str | None = None) -> GradientPlan:
    experiment = from_args(words)
    return plan_gradients(experiment, make_plan(experiment), names or available(experiment))


def differentiated(plan: GradientPlan, backend: str, tolerance: float | str | None) -> Gradients:
    within = plan.within(Tolerance.read(tolerance))
    return open_backend(backend, "double", None).differentiate(within, Observer())


def assert_within(found: Gradients, exact: Gradients, tolerance: float) -> None:
    """Check photons and each derivative."""
    assert found.limits is not None
    rounding = GOLDEN_RELATIVE * np.abs(exact.photons) + ROUNDING * np.abs(exact.photons).max()
    lacking = exact.photons - found.photons
    assert (lacking <= tolerance + rounding).all()
    assert (lacking >= -rounding).all()
    for name, limit in zip(exact.names, found.limits, strict=True):
        difference = np.abs(found[name] - exact[name])
        rounding = ROUNDING * np.abs(exact[name]).max() + GOLDEN_RELATIVE * np.abs(exact[name])
        assert (difference <= limit + rounding).all(), (name, (difference - rounding).max() / limit)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=EXPERIMENTS)
@given(words=WORDS, exponent=st.integers(-9, -1))
def test_random_experiments(backend: str, words: str, exponent: int) -> None:
    words = words.replace("-tophat_spots", "-gauss_xtal") + " -corrected"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        plan = planned(words)
    if plan.plan.n_region * plan.plan.n_steps > STEPS[backend]:
        return
    exact = differentiated(plan, backend, None)
    assert exact.limits is None
    tolerance = 10.0**exponent * float(exact.photons.max())
    assert_within(differentiated(plan, backend, tolerance), exact, tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("shape", "names", "share"),
    [
        ("-gauss_xtal -N 20", "misset, cell, n_cells, distance", 0.35),
        ("-gauss_xtal -N 60", "misset", 0.15),
        ("-round_xtal -N 40", "misset", 0.85),
        ("-square_xtal -N 40", "misset", 0.85),
    ],
)
def test_weak_terms_are_left_out(shape: str, names: str, share: float, backend: str) -> None:
    plan = planned(f"{FINE} -Xbeam 25 -Ybeam 20 {shape} -detpixels 64", names)
    found = differentiated(plan, backend, "1e-4peak")
    assert 0.0 < found.share < share


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "words",
    [
        "-mosaic_dom 12 -spread_edges 1 2 0.5 -mosaic 0.3",
        "-spectrum gaussian,1 -spectrum_samples 4 -hdivrange 3 -hdivsteps 3 -polar 0.9",
        "-dispersion 1 -dispsteps 3 -vdivrange 3 -vdivsteps 2 -nopolar",
    ],
)
@pytest.mark.parametrize("exponent", [-1, -3, -5])
def test_domains_and_sources(exponent: int, words: str, backend: str) -> None:
    plan = planned(f"{FINE} -N 30 -gauss_xtal -oversample 1 -detpixels 32 {words}")
    exact = differentiated(plan, backend, None)
    tolerance = 10.0**exponent * float(exact.photons.max())
    found = differentiated(plan, backend, tolerance)
    assert_within(found, exact, tolerance)
    assert 0.0 < found.share < 1.0


def test_limits_contain_the_change_of_the_polarization() -> None:
    """For a beam polarized in one direction, of half its bound per radian of the source."""
    words = f"{FINE} -N 30 -gauss_xtal -oversample 1 -detpixels 32 -hdivrange 3 -hdivsteps 3"
    name = "divergence_horizontal"
    polarized, plain = (
        planned(f"{words} {more}", name).sensitivities[0] for more in ("-polar 1", "-nopolar")
    )
    # the outer sources move by half the range; |dK/di| reaches 1 and more for k = 1
    assert polarized >= plain + 0.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_sharp_spots_stay(backend: str) -> None:
    plan = planned(f"{AWAY} {TABLE} -N 60 -gauss_xtal -oversample 1 -detpixels 64")
    exact = differentiated(plan, backend, None)
    tolerance = 1e-6 * float(exact.photons.max())
    found = differentiated(plan, backend, tolerance)
    assert_within(found, exact, tolerance)
    for name in ("misset_x", "n_a", "distance"):
        assert np.abs(found[name]).max() > 0.999 * np.abs(exact[name]).max()


@pytest.mark.parametrize("backend", BACKENDS)
def test_backgrounds_and_masks(backend: str) -> None:
    words = f"{AWAY} -N 40 -gauss_xtal -water 0.001 -roi 3 41 5 30 -detpixels 64 "
    words += "-detector_thick 300 -detector_abs 500 -thicksteps 2 -oversample 1 "
    words += "-phisteps 20 -osc 4 -mosaic_dom 3 -mosaic_spread 0.1"
    plan = planned(words)
    exact = differentiated(plan, backend, None)
    tolerance = 1e-4 * float(exact.photons.max())
    found = differentiated(plan, backend, tolerance)
    assert_within(found, exact, tolerance)
    assert (found.photons[:5] == 0.0).all()
    assert 0.0 < found.share < 1.0
    # without a tolerance, all terms of the region are computed, and no others count
    everything = planned(f"{words} -round_xtal", "misset")
    assert differentiated(everything, backend, 0.0).share == 1.0
    # a tolerance of everything leaves the background, which is exact
    nothing = differentiated(plan, backend, 1e9)
    assert nothing.share == 0.0
    assert nothing.photons[10, 10] > 0.0


def test_the_renderer_and_the_function_take_a_tolerance() -> None:
    experiment = from_args(f"{FINE} -N 20 -gauss_xtal -detpixels 32")
    found = render_gradients(experiment, "misset", tolerance="1e-3peak")
    assert found.limits is not None
    with Renderer(tolerance="1e-3peak") as renderer:
        same = renderer.gradients(experiment, "misset")
        image = renderer(experiment, gradients="misset")
    np.testing.assert_array_equal(same.values, found.values)
    assert image.gradients is not None
    np.testing.assert_array_equal(image.gradients.values, found.values)
    with pytest.raises(ModelError, match="tolerance"):
        render_gradients(experiment, "misset", tolerance=-1.0)


def test_structure_factors_stay_exact() -> None:
    experiment = from_args(f"{PROTEIN} -N 10 -detpixels 16")
    found = render_gradients(experiment, "misset, structure_factors", tolerance=0.1)
    assert found.limits is None
    assert found.structure_factors is not None


def test_tiles_of_a_device_agree_with_those_of_numpy() -> None:
    """Each backend leaves out other terms, but with a tolerance of zero none that is not zero."""
    plan = planned(f"{FINE} {TABLE} -N 20 -oversample 2 -detpixels 32 -water 0.1")
    exact = differentiated(plan, "numpy", None)
    for backend in BACKENDS:
        found = differentiated(plan, backend, 0.0)
        for name in exact.names:
            largest = np.abs(exact[name]).max()
            np.testing.assert_allclose(found[name], exact[name], atol=1e-9 * largest, rtol=1e-6)


@pytest.mark.parametrize("with_sizes", [False, True])
@pytest.mark.parametrize("fudge", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("count", [1.0, 2.0, 3.5, 20.0, 151.0])
@pytest.mark.parametrize("shape", ANY_SHAPE)
def test_bounds_of_slopes(shape: Shape, count: float, fudge: float, with_sizes: bool) -> None:
    """Bounds against derivatives by the formulas, along a line, and that they fall."""
    functions, n_cells = SPOT_SHAPES[shape], np.array([count, 2.0, 5.0])
    for other in (0.0, 0.013, 0.31):
        offsets = np.stack([OFFSETS, np.full_like(OFFSETS, other), np.full_like(OFFSETS, 0.002)])
        size = SpotSize(n_cells, fudge, np.diag(n_cells), np.ones(3), float(np.prod(n_cells)))
        bound = functions.slopes_bound(offsets, size, with_sizes)
        assert (np.diff(bound) <= 1e-12 * bound[:-1] + TINY).all()
        assert functions.squared_slopes is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            h, k, l = offsets
            square, along, sizes = functions.squared_slopes((h, k, l), size)
        assert (square <= bound * (1.0 + 1e-9) + TINY).all()
        for sharpness, slope in zip(functions.sharpness(size), along, strict=True):
            assert (np.abs(slope) / sharpness <= bound * (1.0 + 1e-9) + TINY).all()
        for weight, slope in zip(size_weights(shape, size), sizes, strict=False):
            assert not with_sizes or (np.abs(slope) / weight <= bound * (1.0 + 1e-9) + TINY).all()


def test_cubic_steepness() -> None:
    """The derivatives of the weights of cubic interpolation, from Lagrange's formula."""
    nodes, x = np.array([-1.0, 0.0, 1.0, 2.0]), np.linspace(0.0, 1.0, 1001)
    total = np.zeros_like(x)
    for node in nodes:
        others = nodes[nodes != node]
        polynomial = np.poly1d(others, r=True) / np.prod(node - others)
        total += np.abs(np.polyder(polynomial)(x))
    assert 2.0 * total.max() / CUBIC_WEIGHTS <= CUBIC_STEEPNESS
    assert 2.0 * total.max() / CUBIC_WEIGHTS > 0.999 * CUBIC_STEEPNESS


@pytest.mark.parametrize("layer", [0, 1, 2, 5, 40, 300])
def test_absorption_changes_less_than_its_bound(layer: int) -> None:
    """|t dA/dt| <= min(t, n^n/(n+1)^(n+1)), the bound of A."""
    t = 10.0 ** np.linspace(-6.0, 1.5, 20001)
    bound = np.minimum(t, (layer / (layer + 1.0)) ** layer / (layer + 1.0))
    # at a cosine of 1, d/dcos is -t d/dt
    slope = capture_slope(layer, t, 1.0, np.ones_like(t))
    assert (np.abs(slope) <= bound * (1.0 + 1e-12)).all()
    assert (capture_fraction(layer, t, 1.0, np.ones_like(t)) <= bound * (1.0 + 1e-12)).all()


def test_bounds_of_images_are_not_above_those_of_slopes() -> None:
    offsets = np.stack([OFFSETS, OFFSETS, OFFSETS])
    counts = np.array([5.0, 9.0, 20.0])
    images, slopes = (
        spot_bounds.square(offsets, counts),
        spot_bounds.square_slopes(offsets, counts, False),
    )
    assert (images <= slopes).all()
