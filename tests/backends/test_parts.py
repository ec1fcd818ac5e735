"""Images in parts: steps divided among launches, pixels among bands and devices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupysim.api import from_args
from cupysim.backends.compiled import bands as compiled
from cupysim.backends.compiled import host, host_library, worker
from cupysim.backends.compiled.spans import Span, portions, spans
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer
from cupysim.native import recipe
from cupysim.native.library import load
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from tests.conftest import INPUTS
from tests.tolerances import FLOAT32_BITS

COMMON = "-cell 30 40 50 80 95 100 -lambda 1.3 -distance 60 -detpixels 15 -pixel 2 -nodump"
CASES = {
    "first sweep": "-N 5 -default_F 10 -osc 1 -phisteps 3 -mosaic 1 -mosaic_dom 4 -oversample 2",
    "first sweep beyond dmin": "-N 5 -default_F 10 -osc 1 -phisteps 3 -dmin 3 -oversample 2",
    "end of interpolation": f"-N 1 -hkl {INPUTS / 'few.hkl'} -osc 1 -phisteps 3 -oversample 2 "
    "-mosaic 1 -mosaic_dom 4 -dispersion 3 -dispsteps 2",
    "running product": "-N 5 -default_F 10 -osc 1 -phisteps 3 -oversample 2 -oversample_omega "
    "-oversample_thick -oversample_polar -detector_abs 300 -detector_thick 300 -thicksteps 2 "
    "-hdivrange 1 -hdivsteps 3",
    "mask of a region": "-N 5 -default_F 10 -roi 3 12 2 9 -mosaic 1 -mosaic_dom 9",
}


def steps_of(span: Span, total: int) -> list[int]:
    return [
        ray * total + orientation
        for ray in range(span.first_ray, span.first_ray + span.n_rays)
        for orientation in range(
            span.first_orientation, span.first_orientation + span.n_orientations
        )
    ]


def plan_of(case: str) -> RenderPlan:
    return make_plan(from_args(f"{COMMON} {CASES[case]}"))


@given(st.sampled_from(sorted(CASES)), st.data())
def test_spans_hold_each_step_once(case: str, data: st.DataObject) -> None:
    plan = plan_of(case)
    rays, total = plan.n_rays, plan.n_orientations
    sweep = data.draw(st.none() | st.integers(0, rays - 1))
    stop = data.draw(st.none() | st.integers(0, rays * total))
    numbers, swept = [], []
    for span in spans(plan, sweep, stop):
        pieces = list(portions(span, data.draw(st.integers(1, 50)), data.draw(st.integers(1, 9))))
        for piece in pieces:
            steps = steps_of(piece, total)
            numbers += steps
            swept += steps if piece.untouched else []
            if stop is not None and plan.factors.interpolate:
                assert all((step < stop) == piece.interpolate for step in steps)
    assert numbers == list(range(rays * total))
    if sweep is not None:
        domains = plan.crystals.mosaic_rotations.shape[2]
        assert swept == list(range(sweep * total, sweep * total + domains))


@pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")
@pytest.mark.parametrize("case", CASES)
@settings(max_examples=8)
@given(st.data())
def test_parts_make_the_same_image(case: str, data: st.DataObject) -> None:
    plan = plan_of(case)

    def engine() -> host.HostEngine:
        library = host_library.prepare(load(recipe.RENDER))
        return host.HostEngine(library, Precision.DOUBLE, data.draw(st.integers(1, 3)))

    def image(engines: list[host.HostEngine]) -> np.ndarray:
        empty = np.zeros(plan.shape, dtype=np.float32)
        return compiled.render(plan, Observer(), engines, empty).image

    whole = image([engine()])
    several = [engine() for _ in range(data.draw(st.integers(1, 3)))]
    for each in several:
        each.matrices_at_once = data.draw(st.integers(1, 9))
        each.smallest_band = data.draw(st.integers(1, 40))
        each.largest_band = each.smallest_band + data.draw(st.integers(0, 100))
        # steps in the time which a launch may take
        each.rate = data.draw(st.integers(1, 3000)) / worker.SECONDS_AT_ONCE
    np.testing.assert_allclose(image(several), whole, rtol=FLOAT32_BITS)
