"""Two images: how alike they are, where not, and what the difference looks like."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cupysim.errors import CupysimError
from cupysim.parity.images.image_comparison import compare_images
from cupysim.parity.images.peaks import find_peaks, match_peaks


def spots(shift: tuple[float, float] = (0.0, 0.0), size: int = 200) -> np.ndarray:
    """Thirty Gaussian spots of different heights on a smooth background."""
    rng = np.random.default_rng(5)
    slow, fast = np.mgrid[:size, :size].astype(float)
    image = 10.0 + 0.01 * slow
    for x, y, height in rng.uniform((10, 10, 100), (size - 10, size - 10, 1000), (30, 3)):
        image += height * np.exp(
            -((fast - x - shift[0]) ** 2 + (slow - y - shift[1]) ** 2) / (2 * 1.5**2)
        )
    return image.astype(np.float32)


def test_equal_images() -> None:
    image = spots()
    found = compare_images(image, image.copy())
    assert found.overall.n_equal == found.overall.n_pixels == image.size
    assert found.overall.n_beyond == 0
    assert found.overall.correlation == pytest.approx(1.0)
    assert found.overall.sum_ratio == 1.0
    assert (found.overall.absolute, found.overall.relative, found.hints) == (None, None, [])
    assert found.peaks.fraction == 1.0
    assert found.peaks.largest_distance == 0.0


def test_numbers_are_numpys() -> None:
    """Against the textbook formulas on whole arrays."""
    rng = np.random.default_rng(1)
    a = rng.uniform(1, 100, (150, 70)).astype(np.float32)
    b = (a * rng.uniform(0.9, 1.1, a.shape)).astype(np.float32)
    found = compare_images(a, b, regions=3).overall
    x, y = a.astype(float), b.astype(float)
    assert found.correlation == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], rel=1e-12)
    assert found.sums == pytest.approx((x.sum(), y.sum()), rel=1e-12)
    assert found.rmse == pytest.approx(math.sqrt(((y - x) ** 2).mean()), rel=1e-12)
    assert found.fit == pytest.approx(tuple(np.polyfit(x.ravel(), y.ravel(), 1)), rel=1e-9)
    apart = np.abs(y - x)
    slow, fast = np.unravel_index(apart.argmax(), apart.shape)
    assert found.absolute is not None
    assert (found.absolute.fast, found.absolute.slow) == (fast, slow)
    assert found.absolute.difference == apart.max()
    relative = apart / np.maximum(x, y)
    assert found.relative is not None
    assert found.relative.difference == pytest.approx(relative.max())
    assert found.n_beyond == np.count_nonzero(relative > 1e-6)


def test_tolerance() -> None:
    """A millionth of a pixel, and a milliardth of the largest."""
    a = np.full((4, 4), 1.0)
    a[0, 0] = 1e6
    b = a.copy()
    b[1, 1] += 0.9e-3
    assert compare_images(a, b).overall.n_beyond == 0
    b[2, 2] += 2.1e-3
    assert compare_images(a, b).overall.n_beyond == 1
    assert compare_images(a, b, rtol=0.1).overall.n_beyond == 0
    assert compare_images(a, b, floor=0.0).overall.n_beyond == 2


def test_regions_tile_the_image() -> None:
    a = spots()
    b = a.copy()
    b[190, 5] += 100.0
    found = compare_images(a, b, regions=4)
    assert len(found.regions) == 16
    assert sum(region.agreement.n_pixels for region in found.regions) == a.size
    (wrong,) = [region for region in found.regions if region.agreement.n_beyond]
    assert (wrong.fast, wrong.slow) == ((0, 49), (150, 199))
    assert compare_images(a, b, regions=0).regions == []
    assert len(compare_images(a[:3, :2], b[:3, :2], regions=4).regions) == 6


def test_masked_pixels_do_not_count() -> None:
    a = spots()
    b = a.copy()
    b[3, 4] = np.nan
    masked = np.zeros(a.shape, dtype=bool)
    with pytest.raises(CupysimError, match="second image has 1 pixels that are not finite"):
        compare_images(a, b)
    masked[3, 4] = True
    found = compare_images(a, b, masked)
    assert found.n_masked == 1
    assert found.overall.n_equal == found.overall.n_pixels == a.size - 1
    with pytest.raises(CupysimError, match="all pixels are masked"):
        compare_images(a, b, np.ones(a.shape, dtype=bool))
    with pytest.raises(CupysimError, match="200 x 200 and 199 x 200 pixels"):
        compare_images(a, b[:, 1:])


LOOKS = {
    "2 times the first (a factor of 2)": lambda a: 2.0 * a,
    "0.3183099 times the first (a factor of pi)": lambda a: a / math.pi,
    "the second is the first +40": lambda a: a + 40.0,
    "upside down": lambda a: a[::-1],
    "mirrored": lambda a: a[:, ::-1],
    "turned by 180": lambda a: a[::-1, ::-1],
    "fast and slow exchanged": lambda a: a.T,
    "shifted by 7 pixels along fast, -3 along slow": lambda a: np.roll(a, (-3, 7), (0, 1)),
}


@pytest.mark.parametrize("look", LOOKS)
def test_what_it_looks_like(look: str) -> None:
    image = spots().astype(np.float64)
    found = compare_images(image, LOOKS[look](image))
    assert any(look in hint for hint in found.hints), found.hints


@pytest.mark.parametrize("look", LOOKS)
def test_the_direct_beam_does_not_decide(look: str) -> None:
    """A pixel far brighter than all others: one hint, and the right one."""
    image = spots().astype(np.float64)
    image[99:101, 99:101] = 1e9
    (hint,) = compare_images(image, LOOKS[look](image)).hints
    assert look in hint


def test_masked_pixels_are_not_alike() -> None:
    """A mirrored image is known in spite of a large mask, which both share."""
    image = spots().astype(np.float64)
    masked = np.zeros(image.shape, dtype=bool)
    masked[60:140, 60:140] = True
    (hint,) = compare_images(image, image[:, ::-1], masked).hints
    assert "mirrored" in hint


def test_a_beam_which_is_alike_is_no_factor() -> None:
    image = spots().astype(np.float64)
    other = np.random.default_rng(2).permutation(image.reshape(-1)).reshape(image.shape)
    image[99:101, 99:101] = other[99:101, 99:101] = 1e12
    assert compare_images(image, other).hints == []


@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.0, -0.5), (-0.25, 0.5)])
def test_shifts_of_parts_of_pixels(shift: tuple[float, float]) -> None:
    found = compare_images(spots(), spots(shift))
    assert found.peaks.shift == pytest.approx(shift, abs=0.03)
    assert found.peaks.fraction > 0.9
    assert any("peaks are shifted by" in hint for hint in found.hints)


def test_peaks_are_where_they_are() -> None:
    """Centres of gravity, the strongest first."""
    slow, fast = np.mgrid[:60, :60].astype(float)
    image = np.zeros((60, 60))
    for x, y, height in ((20.0, 30.0, 100.0), (45.3, 11.6, 300.0)):
        image += height * np.exp(-((fast - x) ** 2 + (slow - y) ** 2) / 2)
    np.testing.assert_allclose(find_peaks(image), [(45.3, 11.6), (20.0, 30.0)], atol=0.12)
    # one which is cut off is one peak
    assert len(find_peaks(np.minimum(image, 80.0))) == 2
    assert len(find_peaks(np.full((9, 9), 4.0))) == 0


def test_lost_and_new_peaks() -> None:
    image = spots()
    # one peak less
    y, x = np.unravel_index(image.argmax(), image.shape)
    lost = image.copy()
    lost[y - 8 : y + 9, x - 8 : x + 9] = 10.0
    found = match_peaks(image, lost)
    assert found.n_matched < found.n_first
    assert found.n_second < found.n_first
    assert match_peaks(image, image).fraction == 1.0
    flat = np.zeros((20, 20))
    assert match_peaks(flat, flat).fraction == 1.0
    assert match_peaks(image[:20, :20] * 0 + 1, flat + np.eye(20)).fraction == 0.0
