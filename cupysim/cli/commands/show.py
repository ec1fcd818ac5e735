"""Show images: SMV, CBF, NeXus/HDF5 or raw float32.

Several files are shown side by side; two can be subtracted or divided. In a window,
the pixel under the pointer and its resolution are told; --save writes a picture instead.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError
from cupysim.formats import png
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.formats.geometry import ImageGeometry
from cupysim.optional_libraries import require
from cupysim.storage.safe_writing import OutputFiles, check_writable

RINGS = 4
"""Resolution rings where none are named."""

LARGEST_RING = 1e6
"""Resolution (A) which no detector comes near."""

SMALLEST_DPI, LARGEST_DPI = 10, 1200
"""Of pictures which can be looked at."""

MOST_LABELS = 400
"""Spots which get their indices written beside them."""

PICTURES = (".png", ".pdf", ".svg", ".jpg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE")
    add("--save", metavar="FILE", help=f"write a picture ({', '.join(PICTURES)}), open no window")
    add("--scale", choices=("log", "sqrt", "linear"), default="log", help="default: log")
    add("--vmin", type=float, help="value which is white; the median without it")
    add("--vmax", type=float, help="value which is black; a high percentile without it")
    add("--same-scale", action="store_true", help="show several images on one scale")
    add("--cmap", default="gray_r", help="matplotlib's name of a colour map; default: %(default)s")
    add("--rings", nargs="*", type=float, metavar="D",
        help="resolution rings at these resolutions (A); none without a number")  # fmt: skip
    add("--spots", action="store_true", help="mark predicted spots (files of cupysim)")
    add("--hkl", action="store_true", help="mark them and write their indices")
    add("--difference", action="store_true", help="show the second minus the first of two files")
    add("--ratio", action="store_true", help="show the second divided by the first of two files")
    add("--shape", nargs=2, type=int, metavar=("FAST", "SLOW"),
        help="pixels of raw float32 images; squares without it")  # fmt: skip
    add("--image", type=int, default=0, metavar="N", help="which image of HDF5 files, from 0")
    add("--dpi", type=int, default=150, help="of the picture; default: %(default)s")


def run(arguments: argparse.Namespace) -> None:
    """Show a window, or write a picture."""
    _check_numbers(arguments)
    compared = arguments.difference or arguments.ratio
    if compared and len(arguments.files) != 2:
        raise CupysimError("--difference and --ratio compare two files")
    if arguments.save is not None:
        if os.path.splitext(arguments.save)[1].lower() not in PICTURES:
            raise CupysimError(f"--save: expected a name which ends in {', '.join(PICTURES)}")
        check_writable(arguments.save)
    images = [open_image(path, arguments.shape, arguments.image) for path in arguments.files]
    if arguments.save is not None:
        save(images, arguments)
        return
    if not _has_display():
        raise CupysimError("there is no display for a window; --save FILE writes a picture")
    draw(images, arguments)
    require("matplotlib.pyplot", "cupysim show").show()


def save_difference(images: Sequence[ImageFile], path: str) -> None:
    """Write a picture of the second image minus the first, without rings."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    files = [image.path for image in images]
    save(images, parser.parse_args(["--difference", "--save", path, "--rings", "--", *files]))


def save(images: Sequence[ImageFile], arguments: argparse.Namespace) -> None:
    """Write a picture of images into the file ``arguments.save``."""
    require("matplotlib", "cupysim show").use("Agg")
    figure = draw(images, arguments)
    kind = os.path.splitext(arguments.save)[1][1:].lower()
    with OutputFiles() as files:
        files.write(
            arguments.save,
            lambda stream: figure.savefig(stream, format=kind, dpi=arguments.dpi),
        )


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in ("vmin", "vmax"):
        number = getattr(arguments, name)
        if number is not None and not np.isfinite(number):
            raise CupysimError(f"--{name}: expected a finite number, got {number}")
    if not all(0.0 < ring < LARGEST_RING for ring in arguments.rings or ()):
        raise CupysimError(f"--rings: expected resolutions (A) between 0 and {LARGEST_RING:g}")
    if not SMALLEST_DPI <= arguments.dpi <= LARGEST_DPI:
        raise CupysimError(f"--dpi: from {SMALLEST_DPI} to {LARGEST_DPI}, got {arguments.dpi}")


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def draw(images: Sequence[ImageFile], arguments: argparse.Namespace) -> Any:
    """A matplotlib figure of the images."""
    pyplot = require("matplotlib.pyplot", "cupysim show")
    if arguments.cmap not in pyplot.colormaps():
        raise CupysimError(f"--cmap: matplotlib has no colour map {arguments.cmap!r}")
    shown = [np.where(image.masked, np.nan, image.pixels.astype(np.float64)) for image in images]
    titles = [os.path.basename(image.path) for image in images]
    if arguments.difference or arguments.ratio:
        shown, titles = (
            [_compared(shown, images, arguments.ratio)],
            [f"{titles[1]} {'/' if arguments.ratio else '-'} {titles[0]}"],
        )
        images = images[:1]
    figure, axes = pyplot.subplots(
        1, len(shown), figsize=(6.4 * len(shown) + 1.0, 6.4), squeeze=False, layout="constrained"
    )
    for axis, pixels, image, title in zip(axes[0], shown, images, titles, strict=True):
        colours, norm = _scale(shown if arguments.same_scale else [pixels], arguments)
        drawn = axis.imshow(
            pixels, cmap=colours, norm=norm, interpolation="nearest",
            extent=(0, pixels.shape[1], pixels.shape[0], 0),
        )  # fmt: skip
        axis.set(title=title, xlabel="fast (pixels)", ylabel="slow (pixels)")
        if image.geometry is not None:
            draw_geometry(axis, image.geometry, arguments.rings)
        if arguments.spots or arguments.hkl:
            draw_spots(axis, image, arguments.hkl)
        axis.set(xlim=(0, pixels.shape[1]), ylim=(pixels.shape[0], 0))
        if not arguments.same_scale:
            figure.colorbar(drawn, ax=axis, shrink=0.8)
    if arguments.same_scale:
        figure.colorbar(drawn, ax=list(axes[0]), shrink=0.8)
    return figure


def _compared(shown: Sequence[np.ndarray], images: Sequence[ImageFile], ratio: bool) -> np.ndarray:
    first, second = shown
    if first.shape != second.shape:
        sizes = " and ".join(f"{image.shape[1]} x {image.shape[0]}" for image in shown)
        raise CupysimError(f"{images[0].path}, {images[1].path}: {sizes} pixels differ in size")
    if not ratio:
        return second - first
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = second / first
    return np.where(np.isfinite(quotient), quotient, np.nan)


def _scale(shown: Sequence[np.ndarray], arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Colour map and normalisation, the same for all."""
    colors = require("matplotlib.colors", "cupysim show")
    values = np.concatenate([pixels[np.isfinite(pixels)] for pixels in shown])
    values = values if values.size else np.zeros(1)
    if arguments.ratio:
        # as far below one as above it
        positive = values[values > 0.0]
        reach = np.exp(np.percentile(np.abs(np.log(positive)), 99.0)) if positive.size else 1.0
        return _compared_scale(
            arguments, colors.LogNorm, 1.0 / max(reach, 1.001), max(reach, 1.001)
        )
    if arguments.difference:
        reach = float(np.percentile(np.abs(values), 99.9)) or 1.0
        return _compared_scale(arguments, colors.Normalize, -reach, reach)
    low, high = png.limits(values)
    low = low if arguments.vmin is None else arguments.vmin
    high = high if arguments.vmax is None else arguments.vmax
    if not high > low:
        raise CupysimError(f"--vmax: must be above --vmin, got {high:g} and {low:g}")
    if arguments.scale == "log":
        # a thousandth of the range is one decade above white
        return arguments.cmap, colors.AsinhNorm((high - low) / 1000.0, vmin=low, vmax=high)
    return arguments.cmap, colors.PowerNorm(0.5 if arguments.scale == "sqrt" else 1.0, low, high)


def _compared_scale(
    arguments: argparse.Namespace, kind: Any, low: float, high: float
) -> tuple[Any, Any]:
    """Two colours on both sides of white, unless the user wants others."""
    low = low if arguments.vmin is None else arguments.vmin
    high = high if arguments.vmax is None else arguments.vmax
    if not high > low:
        raise CupysimError(f"--vmax: must be above --vmin, got {high:g} and {low:g}")
    return "RdBu_r" if arguments.cmap == "gray_r" else arguments.cmap, kind(low, high)


def draw_geometry(axis: Any, geometry: ImageGeometry, rings: Sequence[float] | None) -> None:
    """The beam centre, and rings of equal resolution."""
    centre = geometry.beam_centre
    if centre is not None:
        axis.plot(centre[0], centre[1], marker="+", color="tab:red", markersize=10)
    if geometry.wavelength is None or (rings is not None and len(rings) == 0):
        return
    fast = np.linspace(0.0, geometry.n_fast, 257)
    slow = np.linspace(0.0, geometry.n_slow, 257)
    inverse = 1.0 / geometry.resolution(*np.meshgrid(fast, slow)) * ANGSTROM
    if rings is None:
        levels = np.linspace(0.0, float(inverse.max()), RINGS + 2)[1:-1]
    else:
        levels = np.unique([1.0 / ring for ring in rings])
    lines = axis.contour(
        fast, slow, inverse, levels=levels, colors="tab:blue", linewidths=0.7, alpha=0.7
    )
    axis.clabel(lines, fmt=lambda value: f"{1.0 / value:.2f} Å", fontsize=7)
    known = axis.format_coord

    def tell(x: float, y: float) -> str:
        place = float(geometry.resolution(np.array(x), np.array(y))) / ANGSTROM
        return f"{known(x, y)}  {place:.2f} Å"

    axis.format_coord = tell


def draw_spots(axis: Any, image: ImageFile, with_indices: bool) -> None:
    """Circles about predicted spots, the strongest with their indices."""
    spots = None if image.content is None else image.content.spots
    if spots is None:
        raise CupysimError(f"{image.path}: it holds no predicted spots; -h5file writes them")
    if len(spots) == 0:
        raise CupysimError(
            f"{image.path}: no spots are predicted for it, as for curved detectors and point pixels"
        )
    axis.scatter(
        spots["fast"], spots["slow"], s=40, facecolors="none", edgecolors="tab:orange",
        linewidths=0.6,
    )  # fmt: skip
    if with_indices:
        for spot in spots[:MOST_LABELS]:
            axis.annotate(
                f"{spot['h']} {spot['k']} {spot['l']}", (spot["fast"], spot["slow"]),
                textcoords="offset points", xytext=(4, 3), fontsize=4, color="tab:orange",
                annotation_clip=True, clip_on=True,
            )  # fmt: skip
