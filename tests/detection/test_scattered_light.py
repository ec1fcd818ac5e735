"""Scattered light: against loops over sources, compiled code against NumPy, and convolution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

from cupysim.detection.scattered_light import Spread, convolved, scatter
from cupysim.maths import point_spread
from cupysim.maths.point_spread import FIBRE, FIBRE_RADIUS, GAUSSIAN
from cupysim.native import tools
from tests.noisify.support import plain_python

FUNCTIONS = [GAUSSIAN, FIBRE]


def own_radius(spread: Spread, photons: float) -> int:
    """Radius of a source: where a tenth of its noise goes farther."""
    if spread.radius:
        return spread.radius
    ratio = 10.0 * math.sqrt(photons)
    if spread.name == FIBRE:
        return 1 + math.ceil(FIBRE_RADIUS * spread.width * ratio)
    return 1 + math.ceil(math.sqrt(math.log(ratio) / math.log(16.0)) * spread.width)


def loops(light: np.ndarray, spread: Spread, wraps: bool) -> np.ndarray:
    """The image by a loop over sources, columns and rows."""
    n_slow, n_fast = light.shape
    radii = np.array([[own_radius(spread, v) if v > 0 else 0 for v in row] for row in light])
    radii = np.minimum(radii, max(light.shape))
    most = int(radii.max())
    kernel = point_spread.kernel(spread.name, spread.width, most)
    out = np.zeros(light.size + n_fast + 1, dtype=np.float32)
    lost = 0.0
    for y0, x0 in np.ndindex(light.shape):
        r, photons = int(radii[y0, x0]), float(light[y0, x0])
        if r == 0:
            continue
        lost += photons * point_spread.light_outside(spread.name, spread.width, r)
        for dx in range(-r, r + 1):
            for dy in range(-r, r + 1):
                x, y = x0 + dx, y0 + dy
                if dx * dx + dy * dy > r * r or not 0 <= y < n_slow:
                    continue
                if 0 <= x < n_fast or (wraps and x == n_fast):
                    added = photons * kernel[most + dy, most + dx]
                    out[y * n_fast + x] = float(out[y * n_fast + x]) + added
    image = out[: light.size].astype(np.float64) + lost / light.size
    return image.astype(np.float32).reshape(light.shape)


@pytest.mark.parametrize("wraps", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_loops_over_sources_give_the_same_bits(name: str, wraps: bool) -> None:
    rng = np.random.default_rng(4)
    light = rng.poisson(3.0, (11, 9)).astype(np.float32)
    light[5, 7], light[0, 0], light[10, 8] = 400.0, 30.0, -2.0
    for radius in (None, 3):
        spread = Spread(name, 0.8, radius)
        expected = loops(light, spread, wraps)
        np.testing.assert_allclose(scatter(light, spread, wraps).image, expected, rtol=2e-7)
        if radius:
            # the light outside is added in the same order, so that no bit differs
            np.testing.assert_array_equal(scatter(light, spread, wraps).image, expected)


@pytest.mark.skipif(not tools.available(), reason="no compiled tools here")
@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 90)),
    seed=st.integers(0, 1000),
    mean=st.sampled_from([0.02, 0.3, 4.0, 30.0]),
    kind=st.sampled_from(["counts", "spots", "expected", "negative"]),
    spread=st.builds(
        Spread,
        st.sampled_from(FUNCTIONS),
        st.sampled_from([0.3, 0.46, 1.7, 6.0]),
        st.none() | st.integers(1, 30),
    ),
    wraps=st.booleans(),
    weak=st.booleans(),
    threads=st.integers(1, 3),
)
def test_compiled_code_gives_the_bits_of_numpy(
    shape: tuple[int, int],
    seed: int,
    mean: float,
    kind: str,
    spread: Spread,
    wraps: bool,
    weak: bool,
    threads: int,
) -> None:
    rng = np.random.default_rng(seed)
    light = rng.poisson(mean, shape).astype(np.float32)
    if kind == "spots":
        light[rng.random(shape) > 0.97] = rng.choice([60.0, 1e3, 1e5])
    elif kind != "counts":
        light = (light * rng.random(shape)).astype(np.float32)
    if kind == "negative":
        light -= 0.5
    compiled = scatter(light, spread, wraps, weak, threads)
    with plain_python():
        plain = scatter(light, spread, wraps, weak, threads)
    np.testing.assert_array_equal(compiled.image, plain.image)
    assert compiled.lost == plain.lost
    assert compiled.radius == plain.radius
    assert compiled.has_wrapped == plain.has_wrapped
    assert compiled.n_vanished == plain.n_vanished


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("width", "radius"), [(0.3, 1), (0.46, 20), (2.5, 33), (40.0, 7)])
def test_compiled_kernels(name: str, width: float, radius: int) -> None:
    if not tools.available():
        pytest.skip("no compiled tools here")
    length = width if name == GAUSSIAN else width * FIBRE_RADIUS
    compiled = tools.point_spread(name == FIBRE, length, radius, 2)
    np.testing.assert_array_equal(compiled, point_spread.kernel(name, width, radius))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("radius", [None, 3, 40])
def test_convolution(name: str, radius: int | None) -> None:
    rng = np.random.default_rng(6)
    light = rng.poisson(2.0, (17, 23)).astype(np.float32)
    if radius is None:
        # a table so large that it holds the whole detector within its circle
        kernel = point_spread.kernel(name, 1.3, 40)
    else:
        kernel = point_spread.kernel(name, 1.3, radius)
        kernel /= kernel.sum()
    expected = convolve2d(light.astype(np.float64), kernel, mode="same")
    if kernel.shape[0] > light.shape[0]:
        # "same" has the size of the first array, and the middle of the full convolution
        whole = convolve2d(light.astype(np.float64), kernel)
        r = len(kernel) // 2
        expected = whole[r : r + light.shape[0], r : r + light.shape[1]]
    found = convolved(light, Spread(name, 1.3, radius))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_empty_image_stays_empty(name: str) -> None:
    scattered = scatter(np.zeros((3, 4), dtype=np.float32), Spread(name, 2.0))
    assert not scattered.image.any()
    assert scattered.lost == 0.0


def test_weak_pixels_vanish_or_stay() -> None:
    light = np.full((20, 20), 0.005, dtype=np.float32)
    vanished = scatter(light, Spread(GAUSSIAN, 0.5))
    assert vanished.n_vanished == 400
    assert not vanished.image.any()
    kept = scatter(light, Spread(GAUSSIAN, 0.5), keeps_weak=True)
    assert kept.n_vanished == 0
    np.testing.assert_allclose(kept.image[2:-2, 2:-2], light[2:-2, 2:-2], rtol=0.02)
