"""The compiled library of spots against NumPy, which has the same formulas in another form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import StructureFactors
from cupysim.api import from_args
from cupysim.models.spot_shape import Shape
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.weights import constant_term_weights
from cupysim.prediction import spot_library
from cupysim.prediction.compiled_sums import has_sections
from cupysim.prediction.ewald_shell import Shell
from cupysim.prediction.spots import Spots, predict_spots
from tests.prediction.test_spots import CASES, COMMON

ROUNDING = 1e-10
"""Relative: both sum the same terms, with other series and in another order."""

WEAKEST = 1e-3
"""Photons relative to the strongest spot. Sections of weaker spots are small differences of large
terms."""

pytestmark = pytest.mark.skipif(not spot_library.available(), reason="no compiler")


def without_library(monkeypatch: pytest.MonkeyPatch, plan: RenderPlan, fewest: float) -> Spots:
    """Spots that NumPy predicts."""
    with monkeypatch.context() as patched:
        patched.setattr(spot_library, "available", lambda: False)
        return predict_spots(plan, fewest=fewest)


def assert_alike(some: Spots, others: Spots) -> None:
    weakest = WEAKEST * others["photons"].max()
    tables = [np.sort(each[each["photons"] > weakest], order=("h", "k", "l", "panel"))
              for each in (some, others)]  # fmt: skip
    assert len(tables[0]) > 10
    np.testing.assert_array_equal(tables[0][["h", "k", "l"]], tables[1][["h", "k", "l"]])
    for name in ("fast", "slow", "photons", "excitation", "F"):
        np.testing.assert_allclose(tables[0][name], tables[1][name], rtol=ROUNDING)


@pytest.mark.parametrize("fewest", [0.0, 0.01])
@pytest.mark.parametrize("case", CASES)
def test_spots_equal_those_of_numpy(
    case: str, fewest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(from_args(f"{COMMON} {CASES[case]}"))
    every = predict_spots(plan)
    # not on a spot's photons, which may differ by rounding
    needed = fewest * float(every["photons"][0]) * 1.00001
    assert_alike(predict_spots(plan, fewest=needed), without_library(monkeypatch, plan, needed))


def test_spots_of_several_wavelengths_equal_those_of_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each wavelength has its own brightness and structure factors, some of which are zero."""
    experiment = from_args(f"{COMMON} -dispersion 2 -dispsteps 3 -polar 0.7 -corrected")
    random = np.random.default_rng(3)
    tables = random.uniform(50.0, 150.0, (3, 41, 51, 61)) * (random.random((3, 41, 51, 61)) > 0.4)
    parts = [StructureFactors(table=each, first=(-20, -25, -30), default=0.0) for each in tables]
    factors = StructureFactors.at_wavelengths(list(experiment.sources.wavelengths), parts)
    alike = make_plan(replace(experiment, structure_factors=factors))
    weights = random.uniform(0.2, 1.8, alike.sources.weight.shape)
    plan = replace(alike, sources=replace(alike.sources, weight=weights))
    np.testing.assert_array_equal(constant_term_weights(plan, 0, 0), weights[0])
    fewest = float(np.median(predict_spots(plan)["photons"])) * 1.00001
    for needed in (0.0, fewest):
        assert_alike(predict_spots(plan, fewest=needed), without_library(monkeypatch, plan, needed))


def test_only_one_shape_has_no_compiled_sections() -> None:
    assert [shape for shape in Shape if not has_sections(shape)] == [Shape.NO_FRINGES]


@pytest.mark.parametrize("seed", range(60))
def test_shells_equal_those_of_numpy(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    star = random.normal(size=(3, 3)) * random.uniform(0.2, 2.0, 3)
    beam = random.normal(size=3) * random.choice([1.0, 3.0, 30.0])
    radius = float(np.linalg.norm(beam))
    first = random.integers(-9, 3, 3)
    ends = np.stack([first, first + random.integers(0, 12, 3)])
    table = random.normal(size=(2, 9, 8, 7)) * (random.random((2, 9, 8, 7)) > 0.5)
    default = float(random.choice([0.0, 1.5]))
    for axis in (1, 2, 3):
        np.moveaxis(table, axis, 0)[[0, -1]] = default
    is_constant = bool(random.random() < 0.2)
    factors = FactorTable(table, (-4, -3, -2), default, is_constant, False)
    # thin and thick shells, and whole balls; too small an estimate makes the search begin again
    shell = Shell(
        star, beam, radius * random.choice([1e-3, 0.1, 1.5]), random.choice([0.0, 0.1]),
        radius * random.choice([0.3, 1.0, 2.5]), ends, random.choice([-800.0, 1e4]),
    )  # fmt: skip
    found = shell.reflections(factors)
    monkeypatch.setattr(spot_library, "available", lambda: False)
    expected = shell.reflections(factors)
    np.testing.assert_array_equal(found.hkl, expected.hkl)
    np.testing.assert_array_equal(found.amplitudes, expected.amplitudes)
    np.testing.assert_allclose(found.rays, expected.rays, atol=1e-12 * radius)


def test_no_flat_spots_from_rounding() -> None:
    """Boxes that the Ewald sphere does not touch have no photons, in both ways."""
    words = (
        "-cell 60 5 200 80.82 108.32 103.88 -default_F 100 -nodump -Na 50 -Nb 1 -Nc 2 "
        "-oversample 1 -spot_shape flat -detpixels_x 300 -detpixels_y 200 -pixel 0.05 "
        "-distance 300 -lambda 2.5 -misset 260.1 238.2 283.2"
    )
    assert len(predict_spots(make_plan(from_args(words)))) == 0
