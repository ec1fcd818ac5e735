"""Figures of detectors of panels: assembled and stacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from PIL import Image as Pillow

from cupysim import CupysimError, Detector, Experiment, Image, PanelDetector, simulate
from cupysim.formats import png
from cupysim.plotting.assembled import view_of
from cupysim.plotting.image_figure import draw_difference, draw_images
from cupysim.plotting.panel_figure import PanelPicture
from cupysim.plotting.style import Style
from cupysim.prediction.spots import SPOT
from tests.plotting.layouts import CENTRES, DISTANCE, SLANT, eight_modules, experiment, four_panels

PLAIN = Style(scale="linear", vmin=0.0, vmax=1.0, rings=())
WAVELENGTH = 1e-10


def picture(
    detector: PanelDetector, pixels: np.ndarray | None = None, spots: np.ndarray | None = None
) -> PanelPicture:
    shape = len(detector), detector.n_slow, detector.n_fast
    pixels = np.zeros(shape, dtype=np.float32) if pixels is None else pixels
    masked = np.zeros(shape, dtype=bool) if detector.existing is None else ~detector.existing
    view = view_of(detector)
    return PanelPicture("title", pixels, masked, detector.panels, view, WAVELENGTH, spots)


def drawn(one: PanelPicture, style: Style) -> tuple[Any, Any]:
    figure = Figure(layout="constrained", dpi=150)
    draw_images(figure, [one], style)
    return figure, figure.axes[0]


def rendered(figure: Any) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def rings(axis: Any) -> list[tuple[float, np.ndarray]]:
    """Resolution (Angstrom) and points of each piece of a ring."""
    return [
        (1.0 / float(level), segment)
        for lines in axis.collections
        if isinstance(lines, ContourSet)
        for level, segments in zip(lines.levels, lines.allsegs, strict=True)
        for segment in segments
    ]


@pytest.mark.parametrize("name", list(CENTRES))
def test_a_lit_pixel_is_painted_at_its_place(name: str) -> None:
    detector = four_panels(n_pixels=50)
    panel, slow, fast = detector[name], 9, 38
    pixels = np.zeros((4, 50, 50), dtype=np.float32)
    pixels[detector.number_of(name), slow, fast] = 1.0
    figure, axis = drawn(picture(detector, pixels), PLAIN)
    dark = rendered(figure).max(axis=2) < 40
    box = axis.get_window_extent()
    height = len(dark)
    inner = np.zeros_like(dark)
    inner[
        height - int(box.y1) + 4 : height - int(box.y0) - 4, int(box.x0) + 4 : int(box.x1) - 4
    ] = True
    rows, columns = np.nonzero(dark & inner)
    centre = columns.mean() + 0.5, height - rows.mean() - 0.5
    x, y = axis.transData.inverted().transform(centre)
    size = 0.8  # mm
    place = 1e3 * np.array(panel.origin)
    place = place + (fast + 0.5) * size * np.array(panel.fast)
    place += (slow + 0.5) * size * np.array(panel.slow)
    np.testing.assert_allclose((x, y), (place[0], -place[1]), atol=0.2 * size)
    # the painted area is that of the pixel's projection
    scale = axis.transData.transform([(0, 0), (1, 1)])
    area = len(rows) / np.prod(scale[1] - scale[0])
    shrink = np.cos(SLANT) if name == "tilted" else 1.0
    assert area == pytest.approx(size**2 * shrink, rel=0.2)


def test_rings_cross_gaps_as_circles() -> None:
    _, axis = drawn(picture(eight_modules()), Style(rings=[2.0, 3.5]))
    pieces = rings(axis)
    for resolution in (2.0, 3.5):
        radius = 150.0 * np.tan(2.0 * np.arcsin(1.0 / (2.0 * resolution)))
        own = [points for each, points in pieces if each == pytest.approx(resolution)]
        assert len(own) >= 4
        for points in own:
            np.testing.assert_allclose(np.hypot(*points.T), radius, rtol=2e-4)


def test_a_ring_on_a_tilted_panel_is_on_its_plane() -> None:
    _, axis = drawn(picture(four_panels()), Style(rings=[3.0]))
    angle = 2.0 * np.arcsin(1.0 / 6.0)
    flat, tilted = 0, 0
    for _, points in rings(axis):
        x, y = points.T
        on_tilted = (x < 0.0).all() and (y < 0.0).all()
        centre = CENTRES["tilted"][0]
        z = 1e3 * DISTANCE + (np.tan(SLANT) * (x - centre) if on_tilted else 0.0)
        np.testing.assert_allclose(np.arctan2(np.hypot(x, y), z), angle, rtol=2e-4)
        tilted, flat = tilted + on_tilted, flat + (not on_tilted)
    assert tilted >= 1
    assert flat >= 2


def test_outlines_of_panels_are_their_projections() -> None:
    _, axis = drawn(picture(four_panels()), Style(rings=(), names=True))
    by_name = dict(zip([text.get_text() for text in axis.texts], axis.patches, strict=True))
    corners = np.array([[-20, 20], [20, 20], [20, -20], [-20, -20]])
    found = by_name["tilted"].get_xy()[:4]
    np.testing.assert_allclose(found, corners * [np.cos(SLANT), 1.0] + CENTRES["tilted"])
    assert {text.get_text(): text.get_position() for text in axis.texts} == {
        name: pytest.approx(place) for name, place in CENTRES.items()
    }


def test_the_beam_is_marked_where_it_flies() -> None:
    _, axis = drawn(picture(four_panels()), PLAIN)
    assert [tuple(line.get_xydata()[0]) for line in axis.lines] == [(0.0, 0.0)]
    modules = eight_modules()
    middle = modules.moved("detector", shift=(-0.01, 0.0, 0.0))
    _, axis = drawn(picture(middle), Style(rings=(), stacked=True))
    (line,) = axis.lines
    number, panel = 5, middle["m5"]
    fast, slow = (-coordinate / 6e-4 for coordinate in panel.origin[:2])
    np.testing.assert_allclose(line.get_xydata()[0], (fast, slow + number * 64))


def test_a_stack_equals_the_array() -> None:
    detector = eight_modules()
    pixels = np.random.default_rng(3).random((8, 64, 128)).astype(np.float32)
    _, axis = drawn(picture(detector, pixels), Style(rings=(), stacked=True))
    (image,) = axis.images
    np.testing.assert_array_equal(np.asarray(image.get_array()), pixels.reshape(512, 128))
    assert image.get_extent() == [0, 128, 512, 0]


def test_all_panels_have_one_scale() -> None:
    figure, axis = drawn(picture(four_panels()), Style(rings=()))
    assert len(axis.images) == 4
    assert len({id(image.norm) for image in axis.images}) == 1
    assert len(figure.axes) == 2


@pytest.mark.parametrize("stacked", [False, True])
def test_spots_are_marked_on_their_panels(stacked: bool) -> None:
    spots = np.zeros(2, dtype=SPOT)
    spots["panel"], spots["fast"], spots["slow"] = [2, 3], [150.0, 50.0], [30.0, 60.0]
    spots["photons"], spots["h"] = [1.0, 2.0], [7, 8]
    _, axis = drawn(
        picture(four_panels(), spots=spots), Style(rings=(), indices=True, stacked=stacked)
    )
    (marks,) = axis.collections
    right = -22 + (150 * 0.2 - 20) * np.cos(SLANT)
    expected = [(12.0, -14.0), (right, -8.0)]
    if stacked:
        expected = [(50.0, 660.0), (150.0, 430.0)]
    np.testing.assert_allclose(marks.get_offsets(), expected)
    assert [text.get_text() for text in axis.texts] == ["8 0 0", "7 0 0"]


def test_the_pointer_is_described() -> None:
    _, axis = drawn(picture(four_panels()), PLAIN)
    # 5 mm right and 3 mm above the centre of panel d
    words = axis.format_coord(27.0, -19.0)
    angle = np.arctan(np.hypot(27.0, 19.0) / 100.0)
    resolution = 1.0 / (2.0 * np.sin(angle / 2.0))
    assert words == f"d  fast 125.0  slow 85.0  {resolution:.2f} Å"
    assert "fast" not in axis.format_coord(0.0, 0.0)


def test_differences_of_panels() -> None:
    detector = four_panels(20)
    first = picture(detector, np.full((4, 20, 20), 2.0, dtype=np.float32))
    second = picture(detector, np.full((4, 20, 20), 5.0, dtype=np.float32))
    figure = Figure()
    draw_difference(figure, first, second, PLAIN)
    assert all((image.get_array() == 3.0).all() for image in figure.axes[0].images)
    other = picture(four_panels(21))
    with pytest.raises(CupysimError, match=r"20 x 20 x 4 and 21 x 21 x 4 pixels differ"):
        draw_difference(figure, first, other, PLAIN)


@pytest.fixture(scope="module")
def image() -> Image:
    return simulate(experiment(four_panels(40)))


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_images_are_shown(image: Image, kind: str, tmp_path: Path) -> None:
    for stacked in (False, True):
        path = tmp_path / f"{stacked}.{kind}"
        image.show(path, spots=True, indices=True, names=True, stacked=stacked)
        assert path.stat().st_size > 1000
    image.show(tmp_path / f"up.{kind}", counts=image.counts(1), up=(0, 1, 0))


def test_quick_looks_are_assembled(image: Image, tmp_path: Path) -> None:
    image.save(tmp_path / "a.png")
    with Pillow.open(tmp_path / "a.png") as shown:
        tones = np.asarray(shown)
    # 94.4 mm in cells of 1 mm, from the left edge of panel a to the turned panel's corner
    reach = 25.0 + 20.0 * (np.cos(np.radians(30.0)) + np.sin(np.radians(30.0)))
    cells = int(np.ceil(reach + 42.0))
    assert tones.shape == (cells, cells)
    assert (tones < 128).any()
    # nothing between the panels, and pixels of panel d where it is
    assert (tones[int(reach - 1) : int(reach + 1), 41:43] == png.GAP).all()
    d = tones[round(reach) + 2 :, 64:]
    assert (d[:39, :39] < 255).any()
    data = image._repr_png_()
    assert data == (tmp_path / "a.png").read_bytes()


def test_options_of_panels_need_panels(small_experiment: Experiment, tmp_path: Path) -> None:
    assert isinstance(small_experiment.detector, Detector)
    one = simulate(small_experiment)
    for options in ({"stacked": True}, {"names": True}, {"up": (0, 1, 0)}):
        with pytest.raises(CupysimError, match="need a detector of panels"):
            one.show(tmp_path / "a.png", **options)
