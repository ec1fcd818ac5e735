"""Images within a tolerance: no pixel differs from the exact image by more."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cupysim
from cupysim import Tolerance, from_args, simulate
from cupysim.backends.rendered import Observer, Rendered
from cupysim.backends.select import available_backends, open_backend
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.maths import spot_bounds
from cupysim.models.spot_shape import Shape
from cupysim.plan import tile_bounds
from cupysim.plan.culling import LARGEST_GROUP, orientation_groups, reason_for_exact
from cupysim.plan.joining import add_shots
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from cupysim.plan.spot_shapes import SPOT_SHAPES, SpotSize
from tests.conftest import INPUTS, Run
from tests.tolerances import FLOAT32_TINY, GOLDEN_ABSOLUTE, GOLDEN_RELATIVE, MIXED

EXPERIMENTS = 100
STEPS = 2_000_000
"""Largest number of steps of an image, so that NumPy renders it in a moment."""

BACKENDS = [
    (name, precision)
    for name, precision in (
        ("numpy", "double"), ("host", "double"), ("host", "mixed"), ("cuda", "double"),
        ("cuda", "mixed"),
    )
    if name in available_backends()
]  # fmt: skip

PROTEIN = (
    "-cell 40 50 60 80 95 100 -misset 10 20 30 -lambda 1 -distance 100 -pixel 0.4 -detpixels 64 "
    f"-hkl {INPUTS / 'few.hkl'} -default_F 20 -fluence 1e24 -beamsize 0.02 -nodump -corrected"
)
FINE = (
    "-cell 40 50 60 80 95 100 -misset 10 20 30 -lambda 1 -distance 200 -pixel 0.15 -detpixels 128 "
    "-default_F 20 -fluence 1e24 -beamsize 0.02 -corrected -osc 2 -phisteps 9"
)
"""An experiment with tiles that are small compared with the distances between reflections."""

TABLE = f"-hkl {INPUTS / 'few.hkl'} -nodump"

AWAY = f"{FINE} -Xbeam 25 -Ybeam 20 -osc 20 -phisteps 200"
"""Many spots, and no direct beam."""


EVEN = (
    "-cell 40 50 60 -lambda 1 -distance 1000 -pixel 0.001 -detpixels 16 -Xbeam 180 -Ybeam 130 "
    "-gauss_xtal -N 4 -nopolar -point_pixel -default_F 20 -fluence 1e24 -beamsize 0.02 -corrected "
    "-oversample 1 -mosaic_dom 30 -mosaic_spread 1e-9"
)
"""Pixels so small, and domains so alike, that all terms of a source are nearly equal."""

WEIGHTS = [(1,), (1, 3)]
"""Weights of sources in one place. A weak source leaves less of the tolerance to a strong one."""

FRACTIONS = (0.3, 0.6, 0.8, 0.95, 1.2)
"""Tolerances, of the photons of a pixel. Only above 1, all terms can be left out."""


def even_plan(folder: Path, weights: Sequence[int]) -> RenderPlan:
    """The plan of an image of `EVEN`."""
    file = folder / "sources.txt"
    file.write_text("".join(f"-10 0 0 {weight} 1e-10\n" for weight in weights))
    return make_plan(from_args(f"{EVEN} -sourcefile {file}"))


def chosen(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


def number(name: str, low: float, high: float) -> st.SearchStrategy[str]:
    return st.integers(0, 10**6).map(lambda k: f"{name} {low + (high - low) * k / 1e6:.6g}")


def power(name: str, low: float, high: float) -> st.SearchStrategy[str]:
    """Numbers over several powers of ten."""
    return st.integers(0, 10**6).map(lambda k: f"{name} {10 ** (low + (high - low) * k / 1e6):.6g}")


def perhaps(*options: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), *options)


HKL = f"-hkl {INPUTS / 'few.hkl'} -nodump"
WORDS = st.tuples(
    chosen(
        "-cell 31 42 53", "-cell 8 31 62 85 77 110", "-cell 12 12 40 90 90 120",
        "-cell 65 55 45 75 100 105", "-cell 71 71 71 60 60 60",
    ),
    chosen(HKL, f"{HKL} -default_F 5", f"{HKL} -interpolate", "-default_F 10"),
    number("-lambda", 0.7, 2.0),
    chosen("-misset 10 20 30", "-misset -71 5 144", "-misset 1 88 3"),
    power("-distance", 1.3, 2.7),
    power("-pixel", -1.3, 0.0),
    chosen("-detpixels_x 24 -detpixels_y 33", "-detpixels 40"),
    st.one_of(power("-N", 0.4, 2.2).map(lambda text: text.split(".")[0]),
              st.just("-Na 3 -Nb 40 -Nc 7"), st.just("-Na 1 -Nb 20 -Nc 2")),
    chosen("-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"),
    chosen(*(f"-oversample {count}" for count in (1, 2, 3, 4, 5, 7, 9))),
    perhaps(power("-mosaic_dom 7 -mosaic_spread", -2, 0.7),
            power("-mosaic_dom 40 -mosaic_spread", -2, 0.3)),
    perhaps(number("-phisteps 5 -osc", 0.1, 20), number("-phisteps 30 -osc", 0.1, 5)),
    perhaps(number("-dispsteps 5 -dispersion", 0.1, 10)),
    perhaps(number("-hdivsteps 3 -hdivrange", 0.1, 10)),
    perhaps(chosen("-detector_thick 200 -detector_abs 500 -thicksteps 3",
                   "-detector_thick 1000 -detector_abs 100 -thicksteps 4",
                   "-detector_thick 500 -detector_abs 1000 -thicksteps 1")),
    perhaps(chosen("-detector_rotx 30 -detector_roty -20", "-twotheta 35", "-curved_det")),
    perhaps(chosen("-point_pixel", "-nopolar", "-polar 0.5", "-polar -1")),
    perhaps(number("-water", 0.01, 1)),
    perhaps(chosen("-dmin 3", "-fudge 0.6", "-fudge 1.7", "-roi 3 20 5 19", "-phi 0")),
    chosen("-corrected", "-corrected", "-corrected", ""),
    st.just("-fluence 1e24 -beamsize 0.01"),
).map(" ".join)  # fmt: skip


def rendered(plan: RenderPlan, backend: tuple[str, str], threads: int | None = None) -> Rendered:
    name, precision = backend
    threads = threads if name == "host" else None
    return open_backend(name, precision, threads).render(plan, Observer())


def within(plan: RenderPlan, tolerance: float | str) -> RenderPlan:
    return replace(plan, tolerance=Tolerance.read(tolerance))


def assert_within(image: np.ndarray, exact: np.ndarray, tolerance: float, precision: str) -> None:
    """Check the difference, apart from the rounding of float32 and of sums in another order."""
    exact = exact.astype(np.float64)
    relative = MIXED if precision == "mixed" else GOLDEN_ABSOLUTE
    rounding = GOLDEN_RELATIVE * np.abs(exact) + relative * np.abs(exact).max() + FLOAT32_TINY
    difference = np.abs(image - exact)
    assert (difference <= tolerance + rounding).all(), (difference - rounding).max() / tolerance


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=EXPERIMENTS)
@given(words=WORDS, exponent=st.integers(-9, -1))
def test_every_pixel_is_within_the_tolerance(
    backend: tuple[str, str], words: str, exponent: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        plan = make_plan(from_args(words))
    if plan.n_region * plan.n_steps > STEPS or reason_for_exact(plan):
        return
    exact = rendered(plan, backend)
    tolerance = 10.0**exponent * float(exact.image.max())
    found = rendered(within(plan, tolerance), backend)
    assert_within(found.image, exact.image, tolerance, backend[1])
    np.testing.assert_allclose(found.omega_sum, exact.omega_sum, rtol=1e-6)
    assert (found.n_rendered == exact.n_rendered).all()
    assert found.culled is not None
    assert found.culled.n_computed <= found.culled.n_terms


@pytest.mark.parametrize("backend", BACKENDS)
def test_weak_terms_are_left_out(backend: tuple[str, str]) -> None:
    words = f"{FINE} -N 20 -gauss_xtal"
    plan = make_plan(from_args(words))
    found = rendered(within(plan, "1e-4peak"), backend)
    assert found.culled is not None
    assert found.culled.share < 0.25


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "words", ["-oversample 2 -detpixels 48", f"{TABLE} -oversample 1 -detpixels 64"]
)
def test_sharp_spots_stay(words: str, backend: tuple[str, str]) -> None:
    """If a spot that is narrower than a pixel were left out, the error would be large."""
    plan = make_plan(from_args(f"{AWAY} {words} -N 60 -gauss_xtal"))
    exact = rendered(plan, backend)
    for fraction in (1e-9, 1e-4):
        tolerance = fraction * float(exact.image.max())
        found = rendered(within(plan, tolerance), backend)
        assert_within(found.image, exact.image, tolerance, backend[1])
        assert found.culled is not None
        assert found.culled.share < 0.1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_whole_tolerance_is_used(
    weights: tuple[int, ...], backend: tuple[str, str], tmp_path: Path
) -> None:
    """Used, and not exceeded: the bounds are as large as the terms."""
    plan = even_plan(tmp_path, weights)
    exact = rendered(plan, backend)
    for fraction in FRACTIONS:
        tolerance = fraction * float(exact.image.max())
        found = rendered(within(plan, tolerance), backend)
        assert_within(found.image, exact.image, tolerance, backend[1])
        assert found.culled is not None
        assert (found.culled.n_computed == 0) is (fraction > 1.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tophat_spots_lose_nothing(backend: tuple[str, str]) -> None:
    words = f"{FINE} -N 20 -tophat_spots"
    plan = make_plan(from_args(words))
    exact, found = rendered(plan, backend), rendered(within(plan, 0.0), backend)
    assert found.culled is not None
    assert found.culled.share < 0.5
    np.testing.assert_allclose(found.image, exact.image, rtol=GOLDEN_RELATIVE)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tolerance_of_the_brightest_bragg_pixel(backend: tuple[str, str]) -> None:
    plan = make_plan(from_args(f"{PROTEIN} -N 10 -water 0.1 -mosaic_dom 3 -mosaic_spread 0.2"))
    found = rendered(within(plan, "1e-3peak"), backend)
    assert found.culled is not None
    assert found.culled.peaks is not None
    # without water, and without pixels around the direct beam, where 0 0 0 is the nearest
    dry = make_plan(from_args(f"{PROTEIN} -N 10 -mosaic_dom 3 -mosaic_spread 0.2"))
    image = rendered(dry, backend).image[0, 0]
    rows, columns = np.indices(image.shape)
    reach = 0.1 * np.tan(2.0 * np.arcsin(0.5 * 1.0 * 0.5 * (1 / 40 + 1 / 50 + 1 / 60)))
    far = np.hypot(rows - 31.5, columns - 31.5) * 0.4e-3 > 1.2 * reach + 8 * 1.5 * 0.4e-3
    brightest = float(image[far].max())
    assert found.culled.peaks[0] == pytest.approx(brightest, rel=2e-3)
    assert found.culled.tolerances[0] == pytest.approx(1e-3 * brightest, rel=2e-3)


@pytest.mark.skipif("host" not in available_backends(), reason="no compiled library")
def test_threads_do_not_change_the_image() -> None:
    plan = make_plan(from_args(f"{PROTEIN} -N 20 -mosaic_dom 5 -mosaic_spread 0.5"))
    images = [
        rendered(within(plan, "1e-4peak"), ("host", "double"), threads).image
        for threads in (1, 2, 5)
    ]
    assert (images[0] == images[1]).all()
    assert (images[0] == images[2]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_region_has_the_pixels_of_the_whole_image(backend: tuple[str, str]) -> None:
    words = f"{PROTEIN} -N 20 -mosaic_dom 5 -mosaic_spread 0.5 -oversample 2"
    peak = float(rendered(make_plan(from_args(words)), backend).image.max())
    whole = rendered(within(make_plan(from_args(words)), 1e-4 * peak), backend).image[0, 0]
    plan = make_plan(from_args(f"{words} -roi 11 40 3 29"))
    part = rendered(within(plan, 1e-4 * peak), backend).image[0, 0]
    np.testing.assert_allclose(part[3:30, 11:41], whole[3:30, 11:41], rtol=GOLDEN_RELATIVE)
    assert part[:3].max() == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_shots_have_their_own_tolerances(backend: tuple[str, str]) -> None:
    words = f"{PROTEIN} -N 20 -gauss_xtal -oversample 2 -detpixels 40"
    plans = [make_plan(from_args(f"{words} -misset {angle} 20 30")) for angle in (10, 40, 70)]
    found = rendered(within(add_shots(plans), "1e-3peak"), backend)
    assert found.culled is not None
    for shot, plan in enumerate(plans):
        alone = rendered(within(plan, "1e-3peak"), backend)
        assert alone.culled is not None
        np.testing.assert_allclose(found.image[shot], alone.image[0], rtol=GOLDEN_RELATIVE)
        assert found.culled.tolerances[shot] == pytest.approx(alone.culled.tolerances[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_sweep_of_nanobragg_is_exact(backend: tuple[str, str]) -> None:
    """Quirk Q3: the very first pixel has another orientation."""
    words = PROTEIN.replace("-corrected", "-phi 0 -osc 1 -phisteps 2 -N 3 -nointerpolate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        plan = make_plan(from_args(words))
    assert plan.crystals.first_cell is not None
    exact = rendered(plan, backend).image
    found = rendered(within(plan, 1e-9 * float(exact.max())), backend).image
    assert_within(found, exact, 1e-9 * float(exact.max()), backend[1])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("-oversample_omega -oversample 2", "Q14"),
        (f"-hkl {INPUTS / 'few.hkl'} -nodump -interpolate", "Q23"),
    ],
)
def test_what_forbids_a_tolerance_is_told(words: str, reason: str) -> None:
    experiment = from_args(f"-cell 40 -default_F 5 -N 5 -detpixels 32 {words}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CupysimWarning)
        exact = simulate(experiment)
    with pytest.warns(CupysimWarning, match=f"not used.*{reason}"):
        found = simulate(experiment, tolerance=1.0)
    assert (found.array == exact.array).all()
    assert found.rendered.culled is None


@pytest.mark.parametrize(
    "given", ["x", "", "-1", -0.5, "nan", "inf", "1peak", "peak", "1e-6 peaks"]
)
def test_impossible_tolerances(given: str | float) -> None:
    with pytest.raises(CupysimError, match="tolerance"):
        cupysim.Renderer(tolerance=given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.01", Tolerance(0.01)), ("1e-6peak", Tolerance(1e-6, True)), ("0", Tolerance(0.0))],
)
def test_tolerances_are_read(text: str, expected: Tolerance) -> None:
    assert Tolerance.read(text) == expected
    assert Tolerance.read(str(expected)) == expected


def test_command(run: Run) -> None:
    words = f"{FINE} -N 20 -gauss_xtal -nonoise -noprogress"
    exact = run(words).float_image(128, 128)
    outcome = run(f"{words} -tolerance 1e-3peak -provenance run.json -floatfile within.bin")
    assert outcome.status == 0
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("tolerance: ")]
    photons = float(line.split("at most ")[1].split()[0])
    difference = exact - outcome.float_image(128, 128, "within.bin")
    assert 0.0 < np.abs(difference).max() <= photons
    assert b'"share_of_terms"' in outcome.files["run.json"]
    wrong = run(f"{words} -tolerance 2peak")
    assert wrong.status == 9
    assert "-tolerance" in wrong.err


def test_traces_are_exact(run: Run) -> None:
    outcome = run("trace --pixel 3 4 -cell 40 -default_F 5 -N 3 -detpixels 8 -tolerance 1")
    assert outcome.status == 0
    assert "-tolerance has no effect" in outcome.err


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("axes", ["counts", "cell"])
def test_bounds_of_shapes(shape: Shape, axes: str) -> None:
    """At every offset, F_latt^2 is at most the bound of any smaller offsets."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        counts = rng.integers(1, 60, 3).astype(float)
        fudge = rng.uniform(0.5, 2.0)
        if axes == "counts":
            rows, spot_counts = np.diag(counts), np.ones(3)
        else:
            rows, spot_counts = rng.normal(0.0, 0.02, (3, 3)), counts
        offsets = rng.uniform(-0.5, 0.5, (3, 500)) * rng.uniform(0, 1, 500)
        smaller = np.abs(offsets) * rng.uniform(0, 1, (3, 500))
        kind = SPOT_SHAPES[shape]
        h, k, l = offsets
        size = SpotSize(counts, fudge, rows, spot_counts, float(np.prod(counts)))
        amplitude = kind.lattice_factor((h, k, l), size)
        bound = kind.square_bound(smaller, size)
        assert (amplitude**2 <= bound * (1.0 + 1e-9)).all()


def test_distance_factors_of_an_oblique_cell() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        rows = rng.normal(size=(3, 3))
        factors = spot_bounds.distance_factors(rows)
        x = rng.uniform(0.0, 0.5, (3, 400))
        signs = rng.choice([-1.0, 1.0], (3, 400))
        distance = (((signs * x).T @ rows) ** 2).sum(axis=1)
        assert (spot_bounds.least_distance(x, factors, 1.0) <= distance * (1.0 + 1e-9)).all()


@pytest.mark.parametrize(
    "words", ["", "-detector_rotx 40 -detector_roty 25", "-curved_det", "-distance 12"]
)
def test_directions_in_a_tile(words: str) -> None:
    """The linear function of a tile, against directions computed one by one."""
    plan = make_plan(from_args(f"{PROTEIN} {words} -oversample 3"))
    corners = np.array([0, 24, 56]), np.array([8, 40, 56])
    here = tile_bounds.tile_directions(plan, (0, 0), 0, corners)
    panels = plan.panels
    axes = np.stack([panels.fast[0, 0], panels.slow[0, 0], panels.normal[0, 0]])
    place = (np.arange(24) + 0.5) / 3.0
    slow, fast = np.meshgrid(place, place, indexing="ij")
    half = 4.0 - 1.0 / 6.0
    for tile in range(3):
        s = (corners[0][tile] + slow.reshape(-1)) * panels.pixel_slow[0, 0]
        f = (corners[1][tile] + fast.reshape(-1)) * panels.pixel_fast[0, 0]
        flat = f[:, None] * axes[0] + s[:, None] * axes[1] + panels.origin[0, 0]
        if panels.bend is not None:
            from cupysim.maths.detector_geometry import bend

            flat = bend([flat[:, 0], flat[:, 1], flat[:, 2]], panels.bend)
        directions = flat / np.linalg.norm(flat, axis=1)[:, None]
        across, down = (fast.reshape(-1) - 4.0) / half, (slow.reshape(-1) - 4.0) / half
        linear = here.centre[tile] + np.outer(across, here.u[tile]) + np.outer(down, here.v[tile])
        error = np.linalg.norm(directions - linear, axis=1)
        assert error.max() <= here.error[tile]
        assert np.linalg.norm(flat, axis=1).min() >= here.shortest[tile]


def test_left_out_spends_no_more_than_the_budget() -> None:
    rng = np.random.default_rng(5)
    bounds = rng.exponential(size=1000)
    chosen_bounds = tile_bounds.left_out(bounds, 3.0)
    assert 2.5 < bounds[chosen_bounds].sum() <= 3.0
    assert bounds[chosen_bounds].max() <= bounds[~chosen_bounds].min()
    assert not tile_bounds.left_out(np.array([np.inf, np.nan, 1.0]), 0.5).any()


@pytest.mark.parametrize(("n", "each"), [(1, 1), (5000, 2500), (40, 40)])
def test_groups_of_orientations(n: int, each: int) -> None:
    rng = np.random.default_rng(6)
    angles = np.linspace(0.0, 0.5, n)
    turns = np.zeros((n, 3, 3))
    turns[:, 0, 0] = turns[:, 1, 1] = np.cos(angles)
    turns[:, 0, 1], turns[:, 1, 0], turns[:, 2, 2] = -np.sin(angles), np.sin(angles), 1.0
    cells = rng.normal(size=(3, 3)) @ turns
    groups = orientation_groups(cells, each)
    assert [group.first for group in groups] == [
        sum(group.count for group in groups[:i]) for i in range(len(groups))
    ]
    assert sum(group.count for group in groups) == n
    for group in groups:
        some = cells[group.first : group.first + group.count]
        assert group.count <= LARGEST_GROUP
        assert group.first // each == (group.first + group.count - 1) // each == group.crystal
        distances = np.linalg.norm(some - group.reference, axis=2)
        assert (distances <= group.spreads).all()
        assert (np.linalg.norm(some, axis=2) <= group.lengths).all()


def test_water_is_kept() -> None:
    """A background does not fall under the tolerance."""
    experiment = from_args(f"{PROTEIN} -N 10 -gauss_xtal -water 0.5")
    dry = from_args(f"{PROTEIN} -N 10 -gauss_xtal")
    exact, found = simulate(experiment), simulate(experiment, tolerance="1e-2peak")
    background = exact.array.astype(float) - simulate(dry).array
    assert (found.array >= 0.999 * background - 1e-6 * exact.array.max()).all()
