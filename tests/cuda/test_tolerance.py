"""Images within a tolerance on a GPU, whose warps a processor imitates (`simt.hpp`)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cupysim.api import from_args
from cupysim.backends.compiled import cuda, host, host_library
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer, Rendered
from cupysim.errors import CupysimWarning
from cupysim.models.tolerance import Tolerance
from cupysim.plan.culling import reason_for_exact
from cupysim.plan.joining import add_shots
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from cupysim.renderer import Renderer
from tests.backends.test_tolerance import (
    AWAY,
    FINE,
    FRACTIONS,
    TABLE,
    WEIGHTS,
    WORDS,
    assert_within,
    even_plan,
    within,
)
from tests.cuda.conftest import MachineMaker
from tests.gradients.test_tolerance import assert_within as assert_slopes_within
from tests.gradients.test_tolerance import differentiated, planned

pytestmark = pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")

EXPERIMENTS = 50
STEPS = 400_000
"""Largest number of steps of an image: threads that take turns are slow."""

CASES = {
    "sharp": f"{AWAY} -N 60 -gauss_xtal -oversample 2 -detpixels 48",
    "sharp, table": f"{AWAY} {TABLE} -N 60 -gauss_xtal -oversample 1 -detpixels 64",
    "sweep": f"{FINE} -N 20 -gauss_xtal -oversample 2 -roi 3 100 5 60",
    "table": f"{FINE} {TABLE} -N 30 -oversample 2 -mosaic_dom 5 -mosaic_spread 0.1 -detpixels 40",
    "interpolation": f"{FINE} {TABLE} -N 30 -gauss_xtal -interpolate -oversample 1 -detpixels 40",
}

SLOW_DOUBLE = {"ratio": 64}
"""A GPU with few float64 units, on which mixed precision becomes pairs of floats."""


def exact(plan: RenderPlan, precision: Precision = Precision.DOUBLE) -> Rendered:
    return host.HostBackend(precision, 1).render(plan, Observer())


@pytest.mark.parametrize("case", CASES)
def test_images(case: str, machine: MachineMaker) -> None:
    made, plan = machine(), make_plan(from_args(CASES[case]))
    reference = exact(plan)
    tolerance = 1e-4 * float(reference.image.max())
    found = cuda.CudaBackend(Precision.DOUBLE, None).render(within(plan, tolerance), Observer())
    assert_within(found.image, reference.image, tolerance, "double")
    np.testing.assert_allclose(found.omega_sum, reference.omega_sum, rtol=1e-6)
    assert found.culled is not None
    assert 0 < found.culled.n_computed < 0.9 * found.culled.n_terms
    assert made.used == [0], "memory is given back"


def test_the_brightest_bragg_pixel(machine: MachineMaker) -> None:
    machine()
    plan = within(make_plan(from_args(CASES["sweep"])), "1e-3peak")
    found = cuda.CudaBackend(Precision.DOUBLE, None).render(plan, Observer())
    of_host = exact(plan)
    assert found.culled is not None
    assert of_host.culled is not None
    assert of_host.culled.tolerances[0] > 0.0
    np.testing.assert_allclose(found.culled.tolerances, of_host.culled.tolerances, rtol=1e-3)
    assert found.culled.n_terms == of_host.culled.n_terms


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_whole_tolerance_is_used(
    weights: tuple[int, ...], machine: MachineMaker, tmp_path: Path
) -> None:
    machine()
    plan = even_plan(tmp_path, weights)
    reference = exact(plan).image
    for fraction in FRACTIONS:
        tolerance = fraction * float(reference.max())
        found = cuda.CudaBackend(Precision.DOUBLE, None).render(within(plan, tolerance), Observer())
        assert_within(found.image, reference, tolerance, "double")
        assert found.culled is not None
        assert (found.culled.n_computed == 0) is (fraction > 1.0)


def test_pairs_of_floats(machine: MachineMaker) -> None:
    machine(**SLOW_DOUBLE)
    plan = make_plan(from_args(CASES["sweep"]))
    found = cuda.CudaBackend(Precision.MIXED, None).render(within(plan, "1e-3peak"), Observer())
    assert found.made_by.precision == "pairs"
    assert found.culled is not None
    assert_within(found.image, exact(plan).image, found.culled.tolerances[0], "mixed")


def test_tophat_spots_lose_nothing(machine: MachineMaker) -> None:
    machine()
    plan = make_plan(from_args(f"{FINE} -N 20 -tophat_spots -detpixels 40"))
    found = cuda.CudaBackend(Precision.DOUBLE, None).render(within(plan, 0.0), Observer())
    assert found.culled is not None
    assert found.culled.share < 0.6
    assert_within(found.image, exact(plan).image, 0.0, "double")


def test_several_shots(machine: MachineMaker) -> None:
    machine()
    words = f"{FINE} -N 20 -gauss_xtal -oversample 2 -detpixels 24"
    plan = add_shots([make_plan(from_args(f"{words} -misset {x} 0 0")) for x in (0, 30)])
    found = cuda.CudaBackend(Precision.DOUBLE, None).render(within(plan, "1e-2peak"), Observer())
    assert found.culled is not None
    reference = exact(plan).image
    for shot, tolerance in enumerate(found.culled.tolerances):
        assert_within(found.image[shot], reference[shot], tolerance, "double")


def test_the_image_may_stay_on_the_device(machine: MachineMaker) -> None:
    made = machine()
    experiment = from_args(CASES["sweep"])
    with Renderer("cuda", tolerance=1e-9) as renderer:
        plan = within(renderer.plan(experiment), 1e-9)
        kept = cuda.CudaBackend(Precision.DOUBLE, None)
        image = kept.new_device_array(plan.shape, np.float32)
        made.copied_back = 0
        kept.render(plan, Observer(), image)
        assert made.copied_back < image.nbytes
        found = renderer(experiment)
    np.testing.assert_array_equal(image.get()[0, 0], found.array)


@pytest.mark.parametrize("case", ["sharp, table", "sweep", "interpolation"])
def test_derivatives(case: str, machine: MachineMaker) -> None:
    made = machine()
    plan = planned(f"{CASES[case]} -detpixels 40 -water 0.01")
    reference = differentiated(plan, "host", None)
    tolerance = 1e-5 * float(reference.photons.max())
    backend = cuda.CudaBackend(Precision.DOUBLE, None)
    found = backend.differentiate(plan.within(Tolerance(tolerance)), Observer())
    assert_slopes_within(found, reference, tolerance)
    assert 0.0 < found.share < 0.95
    kept = backend.differentiate(plan.within(Tolerance(tolerance)), Observer(), True)
    np.testing.assert_array_equal(kept.values.get(), found.values)
    backend.close()
    del kept
    assert made.used == [0], "memory is given back"


@settings(max_examples=EXPERIMENTS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS, exponent=st.integers(-6, -1))
def test_random_experiments(machine: MachineMaker, words: str, exponent: int) -> None:
    machine()
    # few programs, because each one is compiled
    for shape in ("-round_xtal", "-tophat_spots"):
        words = words.replace(shape, "-gauss_xtal")
    words = words.replace("-interpolate", "-default_F 5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        plan = make_plan(from_args(words))
    if plan.n_region * plan.n_steps > STEPS or reason_for_exact(plan):
        return
    reference = exact(plan)
    tolerance = 10.0**exponent * float(reference.image.max())
    found = cuda.CudaBackend(Precision.DOUBLE, None).render(within(plan, tolerance), Observer())
    assert_within(found.image, reference.image, tolerance, "double")
    np.testing.assert_allclose(found.omega_sum, reference.omega_sum, rtol=1e-6)
