"""Compare two images, or two traces of pixels.

For images (float, SMV, CBF, NeXus/HDF5): correlation, sums, the pixels that differ most, peaks, a
table of regions. For traces from cupysim trace, from instrumented programs (TRACE_C, TRACE_PY) or
from -printout: the first value that differs, in the order of the computation, and a likely cause.
Exit status 0 if both are the same within the thresholds, 1 if they differ, 2 after an error.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cupysim.cli.commands import show
from cupysim.constants import RTOL
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.formats.panel_pixels import check_same_order
from cupysim.parity.comparison_report import image_json, image_lines, trace_lines
from cupysim.parity.images.image_comparison import (
    FLOOR,
    ImageComparison,
    compare_images,
    compare_panels,
)
from cupysim.parity.traces import first_difference as traces
from cupysim.parity.traces.first_difference import compare_traces
from cupysim.parity.traces.matching import unpaired_pixels
from cupysim.parity.traces.trace_files import looks_like_trace
from cupysim.parity.traces.trace_files import read as read_trace
from cupysim.plotting.windows import PICTURES, check_picture
from cupysim.storage.reading import opened
from cupysim.storage.safe_writing import refuse_inputs
from cupysim.terminal import Report, tell

DIFFERENT = 1
"""Exit status if the images or traces differ."""

HEAD = 4096
"""Number of bytes at the beginning of a file that are read to distinguish a trace from an image."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("first", metavar="A")
    add("second", metavar="B")
    add("--rtol", type=float, metavar="R",
        help=f"largest relative difference of a value or a pixel; default {RTOL:g} (for images, no "
        "limit if --corr or --peaks is given). Differences up to "
        f"{FLOOR:g} of the largest pixel are always accepted")  # fmt: skip
    add("--corr", type=float, metavar="C", help="images: smallest correlation")
    add("--peaks", type=float, metavar="P", help="images: smallest fraction of peaks that match")
    add("--regions", type=int, default=4, metavar="N",
        help="images: a table of N x N regions (of panels if there are several), or none with 0; "
        "default: %(default)s")  # fmt: skip
    add("--picture", metavar="FILE",
        help=f"images: write a picture of B - A ({', '.join(PICTURES)})")  # fmt: skip
    add("--shape", nargs=2, type=int, metavar=("FAST", "SLOW"),
        help="size of raw float32 images in pixels; default: a square")  # fmt: skip
    add("--image", type=int, default=0, metavar="N", help="image number in HDF5 files, from 0")
    add("--table", action="store_true", help="traces: list all values, not only those that differ")
    add("--json", action="store_true", help="write JSON, not lines")


def run(arguments: argparse.Namespace) -> int:
    """Compare two files, print the result, and return the exit status."""
    _check_numbers(arguments)
    paths = (arguments.first, arguments.second)
    # with --shape, files are images, whatever their first bytes look like
    kinds = [arguments.shape is None and _is_trace(path) for path in paths]
    if kinds[0] != kinds[1]:
        which = arguments.first if kinds[0] else arguments.second
        raise CupysimError(f"{which} is a trace and the other file is an image")
    return _compare_traces(arguments) if kinds[0] else _compare_images(arguments)


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name, largest in (("rtol", math.inf), ("corr", 1.0), ("peaks", 1.0)):
        number = getattr(arguments, name)
        if number is not None and not (0.0 <= number <= largest and math.isfinite(number)):
            raise CupysimError(f"--{name}: expected a number from 0 to {largest:g}, got {number}")
    if arguments.shape is not None and min(arguments.shape) < 1:
        raise CupysimError("--shape: expected positive numbers of pixels")
    if not 0 <= arguments.regions <= 100:
        raise CupysimError(f"--regions: expected a number from 0 to 100, got {arguments.regions}")


def _is_trace(path: str) -> bool:
    if os.path.isdir(path):
        raise CupysimError(f"{path}: it is a directory")
    if os.path.exists(path) and not os.path.isfile(path):
        # images are read more than once, which a pipe does not allow
        return True
    with opened(path) as stream:
        return looks_like_trace(stream.read(HEAD))


def _compare_traces(arguments: argparse.Namespace) -> int:
    if arguments.picture is not None:
        raise CupysimError("--picture: only for images")
    rtol = RTOL if arguments.rtol is None else arguments.rtol
    first, second = read_trace(arguments.first), read_trace(arguments.second)
    found = compare_traces(first, second, rtol)
    unpaired, report = unpaired_pixels(first, second), Report(sys.stdout)
    if arguments.json:
        _tell_json(
            {
                "same": not any(unpaired) and all(each.same for each in found),
                "only_first": [place.as_json() for place in unpaired[0]],
                "only_second": [place.as_json() for place in unpaired[1]],
                "pixels": [traces.as_json(comparison) for comparison in found],
            }
        )
    else:
        for comparison in found:
            for line in trace_lines(comparison, arguments.first, arguments.second, arguments.table):
                report(line)
        for name, pixels in zip((arguments.first, arguments.second), unpaired, strict=True):
            for pixel in pixels:
                report(f"pixel {pixel}: only in {name}")
    whole = not any(unpaired) and all(each.same for each in found)
    return 0 if whole else DIFFERENT


def _compare_images(arguments: argparse.Namespace) -> int:
    if arguments.picture is not None:
        check_picture(arguments.picture, "--picture")
        refuse_inputs(arguments.picture, (arguments.first, arguments.second))
    images = _open(arguments)
    rtol = arguments.rtol
    if rtol is None and arguments.corr is None and arguments.peaks is None:
        rtol = RTOL
    first, second = (image.pixels for image in images)
    masked, unlike = None, 0
    if first.shape == second.shape:
        masked = images[0].masked | images[1].masked
        finite = [np.isfinite(pixels) for pixels in (first, second)]
        # a raw image has no mask except pixels that are not finite
        hidden = [image.masked & good for image, good in zip(images, finite, strict=True)]
        unlike = int(np.count_nonzero((finite[0] != finite[1]) & ~(hidden[0] | hidden[1])))
        masked |= ~(finite[0] & finite[1])
    limit = RTOL if rtol is None else rtol
    panels = images[0].panels or images[1].panels
    if panels is not None and first.ndim == second.ndim == 3:
        if images[0].panels is not None and images[1].panels is not None:
            check_same_order(images[0].panels.detector, images[1].panels.detector)
        names = [panel.name for panel in panels.detector]
        none = np.zeros(first.shape, dtype=bool)
        found = compare_panels(first, second, none if masked is None else masked, names, limit)
        found = found if arguments.regions else replace(found, regions=[])
    else:
        found = compare_images(first, second, masked, limit, regions=arguments.regions)
    failures = list(_failures(found, rtol, arguments))
    if unlike:
        failures.insert(0, f"{unlike} pixels are finite in only one of the images")
    if arguments.picture is not None:
        show.save_difference(images, arguments.picture)
    if arguments.json:
        _tell_json(image_json(found, failures))
    else:
        report = Report(sys.stdout)
        for line in image_lines(images, found, failures):
            report(line)
    return DIFFERENT if failures else 0


def _open(arguments: argparse.Namespace) -> list[ImageFile]:
    """Open both images. A raw float image may take its size from the other image."""
    paths, shape, failed = (arguments.first, arguments.second), arguments.shape, None
    images: dict[int, ImageFile] = {}
    for number in (0, 1, 0):
        if number in images:
            continue
        try:
            images[number] = open_image(paths[number], shape, arguments.image)
        except FileFormatError as error:
            if failed is not None:
                raise failed from error
            failed = error
        else:
            size = images[number].pixels.shape
            # panels are below each other in raw images
            shape = shape or (size[-1], int(np.prod(size[:-1])))
    if len(images) < 2:
        assert failed is not None
        raise failed
    return [_like(images[0], images[1]), _like(images[1], images[0])]


def _like(image: ImageFile, other: ImageFile) -> ImageFile:
    """Add an axis of panels to a raw image, if the other image has panels and as many pixels."""
    shape = other.pixels.shape
    if image.pixels.ndim == 3 or len(shape) == 2 or image.kind != "raw float32":
        return image
    if image.pixels.shape != (shape[0] * shape[1], shape[2]):
        return image
    pixels, masked = (array.reshape(shape) for array in (image.pixels, image.masked))
    return replace(image, pixels=pixels, masked=masked, panels=other.panels)


def _failures(
    found: ImageComparison, rtol: float | None, arguments: argparse.Namespace
) -> Iterator[str]:
    overall = found.overall
    if rtol is not None and overall.n_beyond:
        yield f"{overall.n_beyond} of {overall.n_pixels} pixels differ by more than {rtol:g}"
    # two equal images of one constant value have no correlation
    alike = overall.n_equal == overall.n_pixels
    if arguments.corr is not None and not (alike or overall.correlation >= arguments.corr):
        yield f"the correlation {overall.correlation:.9g} is below {arguments.corr:g}"
    if arguments.peaks is not None and not alike and found.peaks.n_first == 0:
        yield "there are no peaks to match in the first image"
    elif arguments.peaks is not None and found.peaks.fraction < arguments.peaks:
        yield (
            f"{found.peaks.n_matched} of {found.peaks.n_most} peaks match, "
            f"less than {arguments.peaks:g}"
        )


def _tell_json(content: Any) -> None:
    tell(json.dumps(content, indent=1, allow_nan=False))
