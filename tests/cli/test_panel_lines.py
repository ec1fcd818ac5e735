"""Lines and pictures of files with panels, without a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from cupysim import Image, simulate
from cupysim.cli.commands.info import describe
from cupysim.cli.commands.show import picture_of
from cupysim.cli.panel_lines import describe_panels, describe_values
from cupysim.formats.any_image import ImageFile
from cupysim.formats.stored_geometry import panels_of
from cupysim.plotting.image_figure import draw_images
from cupysim.plotting.panel_figure import PanelPicture
from cupysim.plotting.style import Style
from tests.plotting.layouts import eight_modules, experiment, four_panels


@pytest.fixture(scope="module")
def image() -> Image:
    return simulate(experiment(four_panels(40)))


@pytest.fixture
def file(image: Image) -> ImageFile:
    masked = ~image.experiment.rendered_pixels
    panels = panels_of(image.experiment)
    return ImageFile(
        "a.h5", "NeXus/HDF5", image.array, masked, content=image.content(), panels=panels
    )


def test_values_say_where_the_largest_is() -> None:
    detector = eight_modules()
    pixels = np.zeros((8, 64, 128), dtype=np.int32)
    masked = np.zeros(pixels.shape, dtype=bool)
    pixels[5, 10, 20], pixels[6, 1, 1] = 7, 9
    masked[6, 1, 1] = True
    lines = dict(describe_values(detector.panels, pixels, masked))
    assert lines["masked"] == "1 pixels"
    assert lines["values"].startswith("from 0 to 7 (at 20 10 of panel m5), mean ")
    assert list(describe_values(detector.panels, pixels, np.ones_like(masked))) == [
        ("masked", "65536 pixels")
    ]


def test_geometry_of_panels() -> None:
    beam = np.array([0.0, 0.0, 1.0])
    lines = dict(describe_panels(four_panels().panels, beam, 1e-10))
    # the plane of the tilted panel: (0.1 + 0.022 tan 15 deg) cos 15 deg
    assert lines == {
        "panels": "a, turned, tilted, d",
        "pixel": "0.2 mm",
        "distance": "100 to 102.287 mm from the crystal to the panels' planes",
        "beam centre": "on no panel",
        "wavelength": "1 A",
        "resolution": "1.82 A in the farthest corner",
    }
    modules = eight_modules().moved("detector", shift=(-0.01, 0.0, 0.0))
    lines = dict(describe_panels(modules.panels, beam, None))
    # (8 mm, 7.65 mm) from its corner, in pixels of 0.6 mm
    assert lines["beam centre"] == "13.333 12.750 pixels (fast slow) of panel m5"
    assert lines["distance"] == "150 mm from the crystal to the panels' planes"
    assert "wavelength" not in lines
    names = [replace(modules[0], name=f"n{number}") for number in range(9)]
    lines = dict(describe_panels(tuple(names), beam, None))
    assert lines["panels"] == "9: n0, n1, n2, n3, n4, n5, n6, n7, ..."


def test_info_of_a_file_with_panels(file: ImageFile) -> None:
    lines = dict(describe(file))
    assert lines["kind"] == "NeXus/HDF5, float32, 4 panels of up to 40 x 40 pixels (fast x slow)"
    assert "of panel" in lines["values"]
    assert "of panel" in lines["spots"]
    assert lines["panels"] == "a, turned, tilted, d"


@pytest.mark.parametrize("stacked", [False, True])
def test_show_draws_panels_of_a_file(file: ImageFile, stacked: bool) -> None:
    picture = picture_of(file)
    assert isinstance(picture, PanelPicture)
    figure = Figure()
    draw_images(figure, [picture, picture], Style(stacked=stacked, spots=True, same_scale=True))
    assert len(figure.axes[0].images) == (1 if stacked else 4)
