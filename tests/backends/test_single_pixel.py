"""A pixel alone is what it is within its image."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.backends.numpy.oracle import render
from cupysim.backends.numpy.single_pixel import single_pixel
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimError
from cupysim.plan.planning import make_plan
from tests.conftest import INPUTS

COMMON = "-cell 30 40 50 80 95 100 -lambda 1.3 -distance 60 -detpixels 12 -pixel 2 -nodump"
CASES = {
    "plain": "-N 5 -default_F 10 -oversample 2 -mosaic 1 -mosaic_dom 4",
    "first sweep": "-N 5 -default_F 10 -osc 1 -phisteps 3 -mosaic 1 -mosaic_dom 4 -oversample 2",
    "first sweep beyond dmin": "-N 5 -default_F 10 -osc 1 -phisteps 3 -dmin 3 -oversample 2",
    "end of interpolation": f"-N 1 -hkl {INPUTS / 'few.hkl'} -osc 1 -phisteps 3 -oversample 2",
    "interpolation": f"-N 1 -hkl {INPUTS / 'few.hkl'} -distance 2000 -osc 1 -phisteps 2",
    "interpolation goes on": f"-N 1 -hkl {INPUTS / 'few.hkl'} -oversample 2 -corrected Q23",
    "region": "-N 5 -default_F 10 -osc 1 -phisteps 3 -roi 3 10 4 9",
    "running product": "-N 5 -default_F 10 -osc 1 -phisteps 3 -oversample_omega -water 3",
}


@pytest.mark.parametrize("case", CASES)
def test_every_pixel(case: str) -> None:
    plan = make_plan(from_args(f"{COMMON} {CASES[case]}"))
    whole = render(plan, Observer()).image[0, 0]
    for slow in range(plan.rows.start, plan.rows.stop):
        for fast in range(plan.columns.start, plan.columns.stop):
            alone = render(single_pixel(plan, fast, slow), Observer()).image[0, 0]
            assert alone[slow, fast] == whole[slow, fast], (fast, slow)
            assert np.count_nonzero(alone) <= 1


@pytest.mark.parametrize(
    ("pixel", "message"),
    [((12, 0), "12 x 12 pixels"), ((0, -1), "12 x 12 pixels"), ((0, 0), "outside of -roi")],
)
def test_pixels_which_are_not_there(pixel: tuple[int, int], message: str) -> None:
    plan = make_plan(from_args(f"{COMMON} {CASES['region']}"))
    with pytest.raises(CupysimError, match=message):
        single_pixel(plan, *pixel)
