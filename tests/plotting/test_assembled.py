"""Panels on a flat grid, as seen along the beam from the source."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from cupysim import CupysimError, Panel, PanelDetector
from cupysim.plotting.assembled import (
    affine,
    assemble,
    cell_size,
    extent_of,
    far_to_near,
    view_of,
)
from tests.plotting.layouts import CENTRES, SLANT, eight_modules, four_panels

CORNERS = np.array([[-20, 20], [20, 20], [-20, -20], [20, -20]], dtype=float)
"""Corners of a straight panel about its centre (mm): the origin, along fast, slow, and both."""


def lit(detector: PanelDetector, number: int, slow: int, fast: int) -> np.ndarray:
    image = np.zeros((len(detector), detector.n_slow, detector.n_fast), dtype=np.float32)
    image[number, slow, fast] = 1.0
    return image


@pytest.mark.parametrize(
    ("beam", "spindle", "right", "up"),
    [
        ((1, 0, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0)),  # MOSFLM
        ((0, 0, 1), (1, 0, 0), (1, 0, 0), (0, -1, 0)),  # XDS
        ((0, 0, -1), (1, 0, 0), (1, 0, 0), (0, 1, 0)),  # imgCIF
        ((0, 0, 1), (-1, 0, 0), (-1, 0, 0), (0, 1, 0)),  # NeXus: y is up, x to the left
        ((0, 0, 1), (3, 0, 4), (1, 0, 0), (0, -1, 0)),  # not perpendicular to the beam
    ],
)
def test_the_spindle_points_to_the_right_as_seen_from_the_source(
    beam: tuple[float, ...], spindle: tuple[float, ...], right: tuple[float, ...],
    up: tuple[float, ...],
) -> None:  # fmt: skip
    panels = [Panel("p", 4, 4, tuple(0.1 * np.array(beam)), *np.eye(3)[np.abs(beam) < 1], 1e-4)]
    view = view_of(PanelDetector(panels, beam=beam, spindle=spindle))
    np.testing.assert_allclose(view.right, right, atol=1e-12)
    np.testing.assert_allclose(view.up, up, atol=1e-12)
    # the viewer looks along the beam: right x up points to the viewer
    np.testing.assert_allclose(np.cross(view.right, view.up), -np.array(beam), atol=1e-12)


def test_a_spindle_along_the_beam_leaves_the_polarization() -> None:
    panels = [Panel("p", 4, 4, (0, 0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)]
    view = view_of(PanelDetector(panels, (0, 0, 1), (0, 0, 1), polarization=(0, 1, 0)))
    np.testing.assert_allclose(view.right, (0, 1, 0), atol=1e-12)


def test_another_direction_can_be_up() -> None:
    view = view_of(four_panels(), up=(0, 2, 5))
    np.testing.assert_allclose(view.up, (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(view.right, (-1, 0, 0), atol=1e-12)
    for wrong, words in (((0, 0, 2), "along the beam"), ((0, 1), "three numbers")):
        with pytest.raises(CupysimError, match=words):
            view_of(four_panels(), up=wrong)


def test_corners_are_where_they_are_by_hand() -> None:
    detector = four_panels()
    view = view_of(detector)
    turned = np.exp(-1j * np.radians(30.0)) * (CORNERS[:, 0] + 1j * CORNERS[:, 1])
    expected = {
        "a": CORNERS,
        "d": CORNERS,
        "turned": np.stack([turned.real, turned.imag], axis=1),  # clockwise from the source
        "tilted": CORNERS * [np.cos(SLANT), 1.0],  # 19.319 mm instead of 20 mm
    }
    corners = np.array([[0, 0, 1], [200, 0, 1], [0, 200, 1], [200, 200, 1]])
    for name, places in expected.items():
        found = 1e3 * corners @ affine(detector[name], view.right, view.up).T
        np.testing.assert_allclose(found, places + CENTRES[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize("number", range(4))
def test_a_lit_pixel_is_at_its_place_in_the_laboratory(number: int) -> None:
    detector = four_panels()
    view, panel = view_of(detector), detector[number]
    slow, fast = 31, 164
    image = lit(detector, number, slow, fast)
    array, extent = assemble(detector.panels, image, view.beam, view.right, view.up)
    rows, columns = np.nonzero(array == 1.0)
    size = 2e-4
    x = extent.left + (columns.mean() + 0.5) * size
    y = extent.top - (rows.mean() + 0.5) * size
    place = np.array(panel.origin)
    place = place + (fast + 0.5) * size * np.array(panel.fast)
    place += (slow + 0.5) * size * np.array(panel.slow)
    # in this frame, x is to the right and y is down
    np.testing.assert_allclose((x, y), (place[0], -place[1]), atol=0.75 * size)
    assert 1 <= len(rows) <= 3


def test_straight_panels_keep_their_pixels() -> None:
    detector = eight_modules()
    rng = np.random.default_rng(1)
    images = rng.random((8, 64, 128)).astype(np.float32)
    view = view_of(detector)
    array, extent = assemble(detector.panels, images, view.beam, view.right, view.up)
    assert np.count_nonzero(~np.isnan(array)) == images.size
    size = 6e-4
    for image, panel in zip(images, detector, strict=True):
        column = round(float((panel.origin[0] - extent.left) / size))
        # the gaps are 4 1/2 cells high: centres of cells are on edges of pixels
        row = int(np.floor((extent.top + panel.origin[1]) / size + 1e-6))
        np.testing.assert_array_equal(array[row : row + 64, column : column + 128], image)


def test_no_pixel_is_lost_in_coarse_cells() -> None:
    detector = four_panels()
    view = view_of(detector)
    rng = np.random.default_rng(2)
    for number in range(4):
        slow, fast = rng.integers(200, size=2)
        image = lit(detector, number, int(slow), int(fast))
        array, _ = assemble(detector.panels, image, view.beam, view.right, view.up, pixel=1.7e-3)
        assert array.shape == (56, 56)
        assert np.count_nonzero(array == 1.0) in (1, 2)


def test_pixels_that_do_not_exist_are_left_out() -> None:
    mask = np.ones((10, 20), dtype=bool)
    mask[3, 4] = False
    small = Panel("small", 20, 10, (0.0, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4, mask=mask)
    large = Panel("large", 30, 15, (0.0, 0.002, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
    detector = PanelDetector([small, large], (0, 0, 1), (1, 0, 0))
    images, masked = np.ones((2, 15, 30), dtype=np.int32), np.zeros((2, 15, 30), dtype=bool)
    masked[1, 7, 8] = True
    view = view_of(detector)
    array, _ = assemble(
        detector.panels, images, view.beam, view.right, view.up, masked=masked
    )  # fmt: skip
    expected = np.full((35, 30), np.nan)
    expected[:10, :20] = 1.0
    expected[20:, :] = 1.0
    expected[3, 4] = expected[27, 8] = np.nan
    np.testing.assert_array_equal(array, expected)


def test_nearer_panels_cover_farther_ones() -> None:
    near = Panel("near", 10, 10, (0.0, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
    far = Panel("far", 10, 10, (0.0005, 0.0, 0.2), (1, 0, 0), (0, 1, 0), 1e-4)
    images = np.stack([np.full((10, 10), 1.0), np.full((10, 10), 9.0)])
    view = view_of(PanelDetector([near, far], (0, 0, 1), (1, 0, 0)))
    assert far_to_near((near, far), view.beam) == [1, 0]
    array, _ = assemble((near, far), images, view.beam, view.right, view.up)
    np.testing.assert_array_equal(array[0], [1.0] * 10 + [9.0] * 5)


def test_a_panel_seen_edge_on_is_left_out() -> None:
    flat = Panel("flat", 10, 10, (0.0, 0.0, 0.1), (1, 0, 0), (0, 1, 0), 1e-4)
    side = Panel("side", 10, 10, (0.01, 0.0, 0.1), (0, 0, 1), (0, 1, 0), 1e-4)
    view = view_of(PanelDetector([flat, side], (0, 0, 1), (1, 0, 0)))
    images = np.stack([np.full((10, 10), 1.0), np.full((10, 10), 9.0)])
    array, _ = assemble((flat, side), images, view.beam, view.right, view.up)
    assert set(array[~np.isnan(array)]) == {1.0}


def test_sizes_of_cells() -> None:
    detector = four_panels()
    view = view_of(detector)
    extent = extent_of(detector.panels, view.right, view.up)
    assert cell_size(detector.panels, view.right, view.up) == pytest.approx(2e-4)
    coarse = cell_size(detector.panels, view.right, view.up, largest_edge=100)
    assert coarse == pytest.approx((extent.right - extent.left) / 100)
    images = np.zeros((4, 200, 200))
    for wrong, words in ((1e-7, "make an array"), (0.0, "must be positive")):
        with pytest.raises(CupysimError, match=words):
            assemble(detector.panels, images, view.beam, view.right, view.up, wrong)


def test_far_apart_panels_need_little_memory() -> None:
    panels = [
        Panel(f"p{n}", 64, 64, (0.9 * n, 0.9 * n, 1.0), (1, 0, 0), (0, 1, 0), 1e-5)
        for n in range(2)
    ]
    view = view_of(PanelDetector(panels, (0, 0, 1), (1, 0, 0)))
    size = cell_size(panels, view.right, view.up, 512)
    tracemalloc.start()
    array, _ = assemble(
        panels, np.ones((2, 64, 64), dtype=np.float32), view.beam, view.right, view.up, size
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert array.shape == (512, 512)
    assert peak < 4 * array.nbytes
