"""Several shots in one launch: their images are those of each alone, to the last bit."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.backends.compiled import bands as compiled
from cupysim.backends.compiled import batch, host, host_library
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer
from cupysim.models.background import Water
from cupysim.models.spot_shape import Shape
from cupysim.models.structure_factors import StructureFactors
from cupysim.plan.axes import arrays_of, tables_of
from cupysim.plan.joining import add_crystals, add_shots, alike
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan, Use
from tests.conftest import INPUTS, Renderer

COMMON = (
    "-cell 30 40 50 80 95 100 -lambda 1.3 -distance 60 -detpixels 15 -pixel 2 -nodump -corrected "
    "-fluence 1e24 -oversample 1"
)
CASES = {
    "constant": "-N 5 -default_F 10 -mosaic 1 -mosaic_dom 4 -oversample 2 -water 3",
    "table": f"-N 3 -hkl {INPUTS / 'few.hkl'} -round_xtal -dmin 3",
    "interpolation": f"-N 1 -hkl {INPUTS / 'few.hkl'} -interpolate -oversample 2",
    "region": "-N 5 -default_F 10 -gauss_xtal -roi 3 12 2 9 -dispersion 3 -dispsteps 2",
    "curved": "-N 5 -default_F 10 -curved_det -detector_abs 300 -detector_thick 300 -thicksteps 2 "
    "-background water,0.001",
    "sweep": "-N 5 -default_F 10 -osc 1 -phisteps 3 -tophat_spots",
}
SHOTS = 5


def plans_of(case: str) -> list[RenderPlan]:
    """Shots which differ in all that may differ."""
    made = []
    for shot in range(SHOTS):
        # how a panel is bent has no axis of shots
        moved = "" if case == "curved" else f"-distance {60 + shot} -Xbeam {15 + shot}"
        words = (
            f"{COMMON} {CASES[case]} -misset {10 * shot} 5 3 {moved} "
            f"-fluence {1 + shot}e24 -lambda {1.3 + 0.1 * shot}"
        )
        made.append(make_plan(from_args(words)))
    return made


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many shots each launch of a batch has."""
    launched = []

    def counting(plan: RenderPlan, *arguments: Any) -> np.ndarray:
        launched.append(plan.shape[0])
        return batch.render_at_once(plan, *arguments)

    monkeypatch.setattr(compiled, "render_at_once", counting)
    return launched


@pytest.mark.parametrize("case", CASES)
def test_images_are_those_of_single_shots(
    case: str, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = plans_of(case)
    assert all(alike(plans[0], plan) for plan in plans)
    launched = counted(monkeypatch)
    together = renderer(add_shots(plans), Observer())
    assert launched == ([] if renderer.backend == "numpy" else [SHOTS])
    assert together.image.shape == (SHOTS, 1, 15, 15)
    assert together.image.any(axis=(1, 2, 3)).sum() > 1
    for number, plan in enumerate(plans):
        alone, one = renderer(plan, Observer()), together.of_shot(number)
        np.testing.assert_array_equal(one.image, alone.image)
        np.testing.assert_allclose(one.omega_sum, alone.omega_sum, rtol=1e-14)
        np.testing.assert_array_equal(one.n_rendered, alone.n_rendered)


def test_masks(renderer: Renderer) -> None:
    mask = np.random.default_rng(1).random((1, 15, 15)) < 0.4
    plans = [replace(plan, mask=mask) for plan in plans_of("constant")]
    together = renderer(add_shots(plans), Observer())
    for number, plan in enumerate(plans):
        np.testing.assert_array_equal(
            together.of_shot(number).image, renderer(plan, Observer()).image
        )
    nothing = [replace(plan, mask=np.zeros_like(mask)) for plan in plans]
    assert not renderer(add_shots(nothing), Observer()).image.any()


def test_several_crystals(renderer: Renderer) -> None:
    plans = plans_of("constant")
    # the second crystal of each shot in its own beam, not in that of the other shot
    pairs = [
        add_crystals([one, replace(one, crystals=other.crystals)])
        for one, other in zip(plans, plans[::-1], strict=True)
    ]
    together = renderer(add_shots(pairs), Observer())
    for number, plan in enumerate(pairs):
        np.testing.assert_array_equal(
            together.of_shot(number).image, renderer(plan, Observer()).image
        )


@pytest.mark.parametrize("words", ["-osc 1 -phisteps 2", f"-hkl {INPUTS / 'few.hkl'} -interpolate"])
def test_order_of_serial_loops(
    words: str, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What depends on it (quirks Q3, Q23) is rendered shot by shot, with the same images."""
    text = f"{COMMON.replace('-corrected', '')} -N 1 -default_F 10 {words}"
    plans = [make_plan(from_args(f"{text} -misset {angle} 0 0")) for angle in (0, 10)]
    launched = counted(monkeypatch)
    together = renderer(add_shots(plans), Observer())
    assert launched == []
    for number, plan in enumerate(plans):
        np.testing.assert_array_equal(
            together.of_shot(number).image, renderer(plan, Observer()).image
        )


@pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")
@pytest.mark.parametrize("limit", ["largest_batch", "matrices_at_once", "rate"])
def test_what_is_too_much_for_one_launch(limit: str) -> None:
    plan, engine = add_shots(plans_of("constant")), host.engine(Precision.DOUBLE, 1)
    assert batch.shots_at_once(plan, [engine], [None]) == plan.shape[0]
    assert batch.shots_at_once(plan, [engine, engine], [None]) == 0
    setattr(engine, limit, 5)
    assert batch.shots_at_once(plan, [engine], [None]) < plan.shape[0]


def differing(part: Any) -> list[tuple[str, Any]]:
    """The part with each of its fields changed, one after the other."""
    found = []
    for field in fields(part):
        value = getattr(part, field.name)
        if arrays_of(type(part)).get(field.name, ())[-1:] == ("shots",):
            continue  # one number for each shot
        if is_dataclass(value):
            found += [
                (f"{field.name}.{name}", replace_any(part, **{field.name: other}))
                for name, other in differing(value)
            ]
            continue
        other = changed(value)
        found.append((field.name, replace_any(part, **{field.name: other})))
    return found


def replace_any(part: Any, **values: Any) -> Any:
    """Without the checks of a plan."""
    made = object.__new__(type(part))
    for field in fields(part):
        object.__setattr__(made, field.name, values.get(field.name, getattr(part, field.name)))
    return made


def changed(value: Any) -> Any:
    if value is None:
        return np.ones(3)
    if isinstance(value, np.ndarray):
        return np.concatenate([value, value], axis=-1)
    if isinstance(value, bool):
        return not value
    if isinstance(value, slice):
        return slice(value.start, value.stop - 1)
    if value == ():
        # further crystals
        return (plans_of("curved")[1],)
    if isinstance(value, tuple):
        return (*value[:-1], value[-1] + 1)
    if isinstance(value, Use):
        return Use((value + 1) % len(Use))
    if isinstance(value, Shape):
        return Shape.GAUSS if value is not Shape.GAUSS else Shape.SQUARE
    return value + 1


def test_shots_which_differ_in_more_are_not_alike() -> None:
    """Whatever field a plan has, or will have."""
    plan = plans_of("curved")[0]
    assert alike(plan, plans_of("curved")[1])
    for name, other in differing(plan):
        assert not alike(plan, other), name


def test_what_has_an_axis_of_shots() -> None:
    """A plan of two shots has the numbers of both."""
    one, other = plans_of("constant")[:2]
    both = add_shots([one, other])
    tables = [tables_of(plan) for plan in (one, other, both)]
    compared = 0
    for parts in zip(*tables, strict=True):
        for name, axes in arrays_of(type(parts[0])).items():
            values = [getattr(part, name) for part in parts]
            if "shots" in axes and values[0] is not None:
                np.testing.assert_array_equal(values[2], np.concatenate(values[:2]))
                compared += 1
    assert compared > 10


def test_no_structure_factors_no_photons(renderer: Renderer) -> None:
    """An experiment without structure factors is one of F = 0."""
    words = "-cell 50 60 70 90 90 90 -N 50 -lambda 1 -distance 60 -detpixels 24 -oversample 1"
    empty = replace(
        from_args(f"{words} -default_F 1 -corrected"), structure_factors=StructureFactors()
    )
    assert not renderer(make_plan(empty), Observer()).image.any()
    wet = replace(empty, water=Water(1e-6))
    small = replace(wet, crystal=replace(wet.crystal, n_cells=(1, 1, 1)))
    of_water = [renderer(make_plan(each), Observer()).image for each in (wet, small)]
    assert of_water[0].any()
    np.testing.assert_array_equal(*of_water)
