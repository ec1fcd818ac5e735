"""Show images: SMV, CBF, NeXus/HDF5 or raw float32.

Several files are shown side by side; two can be subtracted or divided. The window
shows the pixel under the pointer and its resolution; --save writes a picture instead.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from cupysim.errors import CupysimError
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.plotting.assembled import view_of
from cupysim.plotting.image_figure import (
    Picture,
    draw_difference,
    draw_images,
)
from cupysim.plotting.panel_figure import PanelPicture
from cupysim.plotting.style import SCALES, Style
from cupysim.plotting.windows import (
    PICTURES,
    USUAL_DPI,
    check_display,
    check_picture,
    open_window,
    save_figure,
)

SMALLEST_DPI, LARGEST_DPI = 10, 1200
"""Limits of the dots per inch of a picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE")
    add("--save", metavar="FILE", help=f"write a picture ({', '.join(PICTURES)}); open no window")
    add("--scale", choices=SCALES, default=Style.scale, help="default: %(default)s")
    add("--vmin", type=float, help="photons shown white; default: the median")
    add("--vmax", type=float, help="photons shown black; default: a high percentile")
    add("--same-scale", action="store_true", help="show several images on one scale")
    add("--cmap", default=Style.cmap, help="a colour map of matplotlib; default: %(default)s")
    add("--rings", nargs="*", type=float, metavar="D",
        help="draw rings at these resolutions (A); without a number, no rings")  # fmt: skip
    add(
        "--spots",
        action="store_true",
        help="mark the 500 strongest predicted spots",
    )
    add("--hkl", action="store_true", help="mark predicted spots and write their Miller indices")
    add("--stacked", action="store_true",
        help="show the panels of a detector below each other, not assembled")  # fmt: skip
    add("--names", action="store_true", help="write the names of the panels")
    add("--difference", action="store_true", help="show the second minus the first of two files")
    add("--ratio", action="store_true", help="show the second divided by the first of two files")
    add("--shape", nargs=2, type=int, metavar=("FAST", "SLOW"),
        help="size of raw float32 images in pixels; default: a square")  # fmt: skip
    add("--image", type=int, default=0, metavar="N", help="image number in HDF5 files, from 0")
    add("--dpi", type=int, default=USUAL_DPI,
        help="dots per inch of the picture; default: %(default)s")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Show a window, or write a picture."""
    style = _style(arguments)
    compared = arguments.difference or arguments.ratio
    if compared and len(arguments.files) != 2:
        raise CupysimError("--difference and --ratio compare two files")
    if arguments.save is not None:
        check_picture(arguments.save, "--save")
    images = [open_image(path, arguments.shape, arguments.image) for path in arguments.files]
    if arguments.save is None:
        check_display("--save FILE")
    draw = partial(_draw, images=images, style=style, compared=compared, ratio=arguments.ratio)
    if arguments.save is None:
        open_window(draw)
    else:
        save_figure(draw, arguments.save, arguments.dpi)


def save_difference(images: Sequence[ImageFile], path: str) -> None:
    """Write a picture of the second image minus the first, without rings."""
    draw = partial(_draw, images=images, style=Style(rings=()), compared=True, ratio=False)
    save_figure(draw, path)


def picture_of(image: ImageFile) -> Picture | PanelPicture:
    """Make the description of an image for drawing."""
    content, name = image.content, os.path.basename(image.path)
    spots = None if content is None else content.spots
    if image.panels is None:
        return Picture(name, image.pixels, image.masked, image.geometry, spots)
    detector = image.panels.detector
    return PanelPicture(
        name, image.pixels, image.masked, detector.panels, view_of(detector),
        image.panels.wavelength, spots,
    )  # fmt: skip


def _draw(
    figure: Any, images: Sequence[ImageFile], style: Style, compared: bool, ratio: bool
) -> None:
    pictures = [picture_of(image) for image in images]
    if compared:
        first, second = pictures
        draw_difference(figure, first, second, style, ratio)
    else:
        draw_images(figure, pictures, style)


def _style(arguments: argparse.Namespace) -> Style:
    if not SMALLEST_DPI <= arguments.dpi <= LARGEST_DPI:
        raise CupysimError(f"--dpi: from {SMALLEST_DPI} to {LARGEST_DPI}, got {arguments.dpi}")
    try:
        return Style(
            scale=arguments.scale,
            vmin=arguments.vmin,
            vmax=arguments.vmax,
            cmap=arguments.cmap,
            rings=arguments.rings,
            spots=arguments.spots,
            indices=arguments.hkl,
            same_scale=arguments.same_scale,
            stacked=arguments.stacked,
            names=arguments.names,
        )
    except CupysimError as error:
        raise CupysimError(f"--{error}") from error
