"""Random experiments over all options: every backend and precision gives the same image."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupysim.api import from_args
from cupysim.backends.rendered import Observer
from cupysim.errors import CupysimWarning
from cupysim.models.experiment import Experiment
from cupysim.plan.planning import make_plan
from tests.conftest import INPUTS, Renderer

EXPERIMENTS = 200
STEPS = 3_000_000
"""Steps of an image at most, so that NumPy does it in a blink."""


def numbers(low: float, high: float) -> st.SearchStrategy[str]:
    """Numbers with many digits.

    On round ones, symmetry puts Miller indices exactly on the edge between two reflections, where
    the last bit decides.
    """
    return st.integers(0, 10**6).map(
        lambda k: f"{low + (high - low) * ((k * 0.6180339887 + 0.137) % 1.0):.9g}"
    )


def option(name: str, *values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*values).map(lambda texts: " ".join([name, *texts]))


def some(*options: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    """None of these options, or one of them."""
    return st.one_of(st.just(""), *(st.just(o) if isinstance(o, str) else o for o in options))


def whole(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


HKL = INPUTS / "few.hkl"
CRYSTALS = st.one_of(
    option("-cell", numbers(30, 300)),
    option("-cell", *[numbers(30, 200)] * 3, *[numbers(70, 110)] * 3),
)
SIZES = st.one_of(
    option("-N", whole(1, 40)),
    option("-N", st.sampled_from(["100", "1000", "10000"])),
    st.tuples(
        option("-Na", whole(1, 9)), option("-Nb", whole(1, 9)), option("-Nc", whole(1, 9))
    ).map(" ".join),
    option("-samplesize", numbers(0.0001, 0.002)),
)
FACTORS = st.one_of(
    st.just("-default_F 100"),
    option(f"-nodump -hkl {HKL} -default_F", st.sampled_from(["0", "3"])),
)
CONVENTIONS = some("-mosflm", "-xds", "-adxv", "-denzo", "-dials", "-xds -ORGX 3.3 -ORGY 8.8")
OTHERS = [
    some("-round_xtal", "-gauss_xtal", "-tophat_spots"),
    some(option("-fudge", numbers(0.1, 3))),
    some(option("-misset", *[numbers(-180, 180)] * 3), option("-misset_seed", whole(1, 99))),
    some(option("-mosaic", numbers(0.05, 3)).map(lambda text: f"{text} -mosaic_dom 5")),
    some("-osc 1 -phisteps 3", "-phi 7.3 -osc 0.77 -phisteps 2"),
    some("-osc 0", "-phi -1.1 -osc 2 -phisteps 5"),
    some("-hdivrange 1.3 -hdivsteps 3", "-divergence 2 -divsteps 4", "-vdivrange 0.9 -vdivsteps 2"),
    some("-dispersion 1.7 -dispsteps 3", option("-dispersion", numbers(0.1, 9))),
    some(f"-sourcefile {INPUTS / 'sources_mixed.txt'}"),
    some(option("-polar", numbers(-1, 1)), "-nopolar"),
    some("-detector_abs 300 -detector_thick 410"),
    some("-detector_abs 99 -detector_thick 200 -thicksteps 3"),
    some("-oversample_omega", "-oversample_polar", "-oversample_thick"),
    some("-oversample_omega -oversample_polar", "-oversample_thick -oversample_polar"),
    some("-interpolate", "-nointerpolate"),
    some(option("-water", numbers(0.1, 30)).map(lambda text: f"{text} -fluence 1e24")),
    some(option("-dmin", numbers(2, 12))),
    some("-curved_det", "-point_pixel"),
    some(option("-twotheta", numbers(-30, 30)), option("-detector_rotx", numbers(-20, 20))),
    some(option("-detector_roty", numbers(-20, 20)), option("-detector_rotz", numbers(-90, 90))),
    some("-roi 2 9 4 11", "-roi 5 5 0 100"),
    some(f"-sourcefile {INPUTS / 'sources5.txt'}"),
    some("-corrected", "-corrected", "-corrected Q21", "-corrected Q14,Q15", "-corrected Q17,Q23"),
    CONVENTIONS,
]  # fmt: skip


@st.composite
def command_lines(draw: st.DrawFn) -> str:
    """Options for a small image: most of them absent, all of them at times."""
    words = [draw(CRYSTALS), draw(SIZES), draw(FACTORS)]
    words.append(draw(option("-lambda", numbers(0.7, 4))))
    words.append(draw(option("-distance", numbers(40, 200))))
    words.append(f"-detpixels {draw(st.integers(9, 17))} -pixel {draw(st.sampled_from('1234'))}")
    words.append(f"-oversample {draw(st.sampled_from('1112'))}")
    words += [draw(other) for other in OTHERS if draw(st.integers(0, 2)) == 0]
    return " ".join(filter(None, words))


@cache
def experiment_of(words: str) -> Experiment:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        return from_args(words)


@cache
def oracle(words: str) -> np.ndarray:
    return Renderer("numpy", "double")(make_plan(experiment_of(words)), Observer()).image


@settings(max_examples=EXPERIMENTS)
@given(command_lines())
def test_same_image(renderer: Renderer, words: str) -> None:
    plan = make_plan(experiment_of(words))
    if plan.n_region * plan.n_steps * plan.panels.n_layers > STEPS:
        return
    image, reference = renderer(plan, Observer()).image, oracle(words)
    if np.isfinite(reference).all():
        renderer.assert_close(image, reference)
    else:
        # running products overflow; the command refuses such images
        np.testing.assert_array_equal(np.isfinite(image), np.isfinite(reference))


@pytest.mark.parametrize("count", [1, 2, 3])
@settings(max_examples=10)
@given(command_lines())
def test_threads_make_no_difference(count: int, words: str) -> None:
    plan = make_plan(experiment_of(words))
    renderer = Renderer("host", "double")
    if not renderer.is_available():
        pytest.skip("the host backend is not available")
    one, several = (renderer(plan, Observer(), threads=n).image for n in (1, count))
    np.testing.assert_array_equal(one, several)
