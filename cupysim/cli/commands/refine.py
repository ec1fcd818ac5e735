"""Fit an experiment to an image, with derivatives with respect to its parameters.

    cupysim refine IMAGE OPTIONS --free misset,cell

OPTIONS are those of the drop-in command and describe the start. For an HDF5 file of cupysim they
may be left out; the fit then starts with the experiment in the file. All quirks are corrected. But
if quirks changed values of a stored experiment, the fit keeps the values with which its image was
made. If the start does not lead to a solution, the orientation is scanned with few unit cells,
because their wide spots overlap those of the image. Parameters: misset, cell, n_cells, beam_centre,
rotation, or single ones such as cell_a, misset_x, beam_fast, rotation_z, distance, wavelength,
spectrum_width, mosaic_spread, twotheta, phi, scale; docs/tutorials/refine.md lists all. Exit status
0 if the result is a solution, 1 if not, 2 after an error.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cupysim.cli.raw_images import raw_numbers
from cupysim.detection.response_file import response_files
from cupysim.detection.response_text import response_from_text
from cupysim.errors import CupysimError, CupysimWarning, OptionError
from cupysim.formats import mosflm_matrix
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.formats.panel_pixels import check_same_order
from cupysim.image import DEFAULT_OFFSET
from cupysim.image.detected_image import detector_model
from cupysim.models.experiment import Experiment
from cupysim.models.tolerance import Tolerance
from cupysim.nanobragg.arguments import default_values, scan
from cupysim.nanobragg.build import build, read_tolerance
from cupysim.nanobragg.option_kinds import COMPUTING, OUTPUT, Kind
from cupysim.nanobragg.options import OPTIONS
from cupysim.nanobragg.run_record import input_files
from cupysim.plotting.windows import PICTURES, check_picture, save_figure
from cupysim.quirks import CORRECTED
from cupysim.refine.detector_model import DetectorModel
from cupysim.refine.fit import refine
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.observation import Observation
from cupysim.refine.outcome import Refined
from cupysim.refine.problem import TARGETS
from cupysim.refine.report import draw, report_json, report_lines
from cupysim.refine.settings import EVALUATIONS, UNLIKELY, Settings
from cupysim.renderer import Renderer
from cupysim.storage.safe_writing import OutputFiles, check_writable, refuse_inputs
from cupysim.terminal import say, tell

TAKES_OPTIONS = True

NOT_CONVERGED = 1
"""Exit status if the fit did not find a solution."""

FREE = "misset,cell,scale"
"""Parameters that are free by default."""

PICTURE_DPI = 100
"""Dots per inch of the picture."""

CRYSTAL_FROM = {"-cell", "-mat", "-hkl", "-pdb"}
"""Options that describe a crystal; options for the start include at least one of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.usage = "cupysim refine IMAGE [OPTIONS] [--free NAMES] [--region ...] [--picture FILE]"
    add = parser.add_argument
    add("image", metavar="IMAGE", help="SMV, CBF, HDF5 or raw float image; the first argument")
    add("--free", default=FREE, metavar="NAMES",
        help="free parameters, with commas between; default: %(default)s")  # fmt: skip
    add("--within", metavar="NAME=X,...",
        help="largest changes from the start, in the units of the report")  # fmt: skip
    add("--search", type=float, default=1.0, metavar="DEG",
        help="range of the orientation scan; 0: no scan; default: %(default)g")  # fmt: skip
    add("--target", choices=TARGETS, default="poisson",
        help="likelihood of counts, or weighted squares; default: %(default)s")  # fmt: skip
    add("--region", type=int, nargs=4, action="append", metavar=("FMIN", "FMAX", "SMIN", "SMAX"),
        help="use only these pixels, including both ends; may be repeated")  # fmt: skip
    add("--offset", type=float, metavar="N",
        help="offset of the pixel values; default: for SMV images that of -adc, or the header's "
        "IMAGE_PEDESTAL, or 40; 0 for others")  # fmt: skip
    add("--saturation", type=float, metavar="N",
        help="ignore pixels with this value or more; default: the largest integer of the image's "
        "number type")  # fmt: skip
    add("--response", metavar="NAME|FILE",
        help="detector response with which IMAGE was read out; default: what an HDF5 file of "
        "cupysim says; 'none': IMAGE holds photons")  # fmt: skip
    add("--duration", type=float, metavar="S",
        help="exposure time (s) for --response; default: the file's, -exposure, or 1")  # fmt: skip
    add("--shape", nargs=2, type=int, metavar=("FAST", "SLOW"),
        help="size of raw float32 images in pixels; default: a square")  # fmt: skip
    add(
        "--image", type=int, default=0, metavar="N", dest="image_number",
        help="image number in HDF5 files, from 0",
    )  # fmt: skip
    add("--evaluations", type=int, default=EVALUATIONS, metavar="N",
        help="largest number of images of the last fit; default: %(default)s")  # fmt: skip
    add("--chi-squared", type=float, metavar="X",
        help="largest reduced chi-squared of a solution; it is 1 if only noise is left; default: "
        f"{UNLIKELY:g} standard deviations above 1")  # fmt: skip
    add("--matrix", metavar="FILE", help="write the refined orientation, as -mat reads it")
    add("--picture", metavar="FILE",
        help=f"image, start, refined, difference ({', '.join(PICTURES)})")  # fmt: skip
    add("--json", action="store_true", help="write JSON, not lines")


def run(arguments: argparse.Namespace) -> int:
    """Fit the experiment, print the report, and return the exit status."""
    names = free_parameters(arguments.free)
    settings = Settings(
        arguments.target,
        _within(arguments.within),
        arguments.search,
        arguments.evaluations,
        arguments.chi_squared,
    )
    image = open_image(arguments.image, arguments.shape, arguments.image_number)
    start = _start(arguments, image)
    experiment, settings = start.experiment, replace(settings, tolerance=start.tolerance)
    named = arguments.response
    of_response = [] if named in (None, "none") else response_files(named)
    outputs = [path for path in (arguments.matrix, arguments.picture) if path is not None]
    if len({os.path.realpath(path) for path in outputs}) < len(outputs):
        raise CupysimError(f"--matrix and --picture name the same file: {arguments.matrix}")
    for path in (arguments.matrix, arguments.picture):
        if path is not None:
            refuse_inputs(path, [arguments.image, *start.inputs, *of_response])
            check_writable(path)
    if arguments.picture is not None:
        check_picture(arguments.picture, "--picture")
    observation = _observation(arguments, image, start)
    renderer = Renderer(start.backend, threads=start.threads, devices=start.devices)
    differentiate = partial(renderer.differentiate, device_arrays=renderer.has_one_device)
    started = time.perf_counter()
    refined = refine(
        experiment, observation, names, differentiate, settings, lambda line: say(f"{line}\n")
    )
    seconds = time.perf_counter() - started
    _write(arguments, refined)
    if arguments.json:
        tell(json.dumps(report_json(refined, seconds), indent=1))
    else:
        for line in report_lines(refined, seconds):
            tell(line)
    return 0 if refined.converged else NOT_CONVERGED


@dataclass(frozen=True)
class _Start:
    """The experiment to start with, how to compute it, and the files that were read."""

    experiment: Experiment
    backend: str
    threads: int | None
    devices: Sequence[int] | None
    tolerance: Tolerance | None
    inputs: list[str]
    exposure: float | None = None


def _start(arguments: argparse.Namespace, image: ImageFile) -> _Start:
    words: list[str] = arguments.words
    with warnings.catch_warnings():
        # `build` gives the same warnings again
        warnings.simplefilter("ignore")
        given, seen = scan(words)
    used = [option for option in OPTIONS if option.name in seen]
    unused = [each.name for each in used if each.group == OUTPUT and each.kind is Kind.PATH]
    if unused:
        warnings.warn(
            CupysimWarning(f"{', '.join(unused)}: refine writes only --matrix and --picture"),
            stacklevel=2,
        )
    if given.get("quirks", CORRECTED) != CORRECTED:
        raise OptionError(
            "-corrected", "refine always corrects all quirks; give all, or leave it out"
        )
    if all(option.group in (COMPUTING, OUTPUT) for option in used):
        if image.content is None:
            raise CupysimError(
                f"{image.path}: options that describe the start are needed, at least a unit cell; "
                "only HDF5 files of cupysim hold an experiment"
            )
        scan(words)
        stored = replace(image.content.experiment, quirks=CORRECTED)
        if image.contradiction:
            warnings.warn(
                CupysimWarning(f"{image.path}: {image.contradiction}; the stored one is used"),
                stacklevel=2,
            )
        if not image.content.experiment.policy.is_right:
            warnings.warn(
                CupysimWarning(
                    f"{image.path} was made with quirks of nanoBragg that this model does not have "
                    "(docs/quirks.md); -corrected makes images without them"
                ),
                stacklevel=2,
            )
        how = default_values() | given
        tolerance = read_tolerance(how["tolerance"])
        return _Start(stored, how["backend"], how["threads"], how["devices"], tolerance, [])
    if image.content is not None and not seen & CRYSTAL_FROM:
        raise CupysimError(
            f"{used[0].name}: if options are given, they describe the whole start, including the "
            f"crystal; the experiment in {image.path} is used only without options"
        )
    job = build([*words, "-corrected"])
    args = job.arguments
    files = [str(path) for path in input_files(args).values()]
    if image.kind == "SMV" and arguments.offset is None and "-adc" in seen:
        arguments.offset = args.adc_offset
    exposure = args.exposure if "-exposure" in seen and args.exposure > 0.0 else None
    return _Start(
        job.experiment, args.backend, args.threads, args.devices, job.tolerance, files, exposure
    )


def _observation(arguments: argparse.Namespace, image: ImageFile, start: _Start) -> Observation:
    experiment = start.experiment
    shape = experiment.image_shape
    if image.pixels.shape != shape:
        has, wanted = (" x ".join(map(str, each[::-1])) for each in (image.pixels.shape, shape))
        raise CupysimError(f"{image.path} has {has} pixels, but the detector has {wanted}")
    if image.panels is not None:
        detector = experiment.panel_detector(image.path)
        try:
            check_same_order(image.panels.detector, detector)
        except CupysimError as error:
            raise CupysimError(f"{image.path} and the options: {error}") from error
    if arguments.region and len(shape) == 3:
        raise CupysimError("--region: not possible with an image of several panels")
    reading = _detector(arguments, image, start)
    if reading is not None:
        return _detected(arguments, image, experiment, reading)
    offset = arguments.offset
    if offset is None:
        offset = DEFAULT_OFFSET if image.kind == "SMV" else 0.0
        if image.pedestal is not None:
            offset = image.pedestal
            say(f"the pedestal of {image.path}, {offset:g}, is subtracted\n")
    if not math.isfinite(offset):
        raise CupysimError(f"--offset: expected a finite number, got {offset}")
    counts = image.pixels.astype(np.float64) - offset
    used = ~image.masked & np.isfinite(counts)
    saturation = arguments.saturation
    if saturation is None and image.pixels.dtype.kind in "iu":
        saturation = float(np.iinfo(image.pixels.dtype).max)
    if saturation is not None:
        if not saturation == saturation:
            raise CupysimError(f"--saturation: expected a number, got {saturation}")
        used &= image.pixels < saturation
    used &= _inside(arguments, experiment)
    if not used.any():
        raise CupysimError(f"{image.path}: no pixel is left to fit")
    # subtracting the offset may give negative numbers of photons, which become 0
    return Observation(np.maximum(np.where(used, counts, 0.0), 0.0), used)


def _detector(
    arguments: argparse.Namespace, image: ImageFile, start: _Start
) -> DetectorModel | None:
    """The detector that read the image out; None if the image has photons."""
    known = None if image.content is None else image.content.detector
    given, duration = arguments.response, arguments.duration
    if given == "none":
        return None
    if given is None and known is None:
        if duration is not None:
            raise CupysimError("--duration: only with --response")
        return None
    if duration is None:
        duration = (start.exposure or 1.0) if known is None else known.duration
    if given is not None:
        return detector_model(start.experiment, given, duration)
    assert known is not None, "one of them is given"
    say(f"the response of {image.path} is used: {known.name}\n")
    return detector_model(start.experiment, response_from_text(known.text), duration)


def _detected(
    arguments: argparse.Namespace,
    image: ImageFile,
    experiment: Experiment,
    detector: DetectorModel,
) -> Observation:
    """Photons of a raw image."""
    for name in ("offset", "saturation"):
        if getattr(arguments, name) is not None:
            raise CupysimError(
                f"--{name}: the detector response defines it; --response none uses no response"
            )
    raw = raw_numbers(image, detector.response)
    observation = detector.observed(raw, _inside(arguments, experiment))
    if not observation.used.any():
        raise CupysimError(f"{image.path}: no pixel is left to fit")
    return observation


def _inside(arguments: argparse.Namespace, experiment: Experiment) -> np.ndarray:
    """Pixels that are rendered and in the regions."""
    size = experiment.image_shape[-2:]
    inside = experiment.rendered_pixels
    if arguments.region:
        chosen = np.zeros(size, dtype=bool)
        for fast_min, fast_max, slow_min, slow_max in arguments.region:
            if fast_min > fast_max or slow_min > slow_max:
                raise CupysimError(
                    f"--region {fast_min} {fast_max} {slow_min} {slow_max}: each first number "
                    "must not be above the second"
                )
            if not (0 <= fast_min <= fast_max < size[1] and 0 <= slow_min <= slow_max < size[0]):
                raise CupysimError(
                    f"--region {fast_min} {fast_max} {slow_min} {slow_max}: not in an image of "
                    f"{size[1]} x {size[0]} pixels"
                )
            chosen[slow_min : slow_max + 1, fast_min : fast_max + 1] = True
        inside &= chosen
    return np.asarray(inside)


def _within(text: str | None) -> Mapping[str, float]:
    """Read the limits of --within, by the names of the parameters."""
    limits = {}
    for part in filter(None, (text or "").split(",")):
        name, _, number = part.partition("=")
        try:
            limits[name.strip()] = float(number)
        except ValueError as error:
            raise CupysimError(f"--within {part}: expected NAME=NUMBER") from error
    return limits


def _write(arguments: argparse.Namespace, refined: Refined) -> None:
    if arguments.matrix is not None:
        experiment = refined.experiment
        text = mosflm_matrix.text(experiment.lattice.reciprocal, experiment.beam.wavelength)
        with OutputFiles() as files:
            files.write(arguments.matrix, lambda stream: stream.write(text.encode()))
    if arguments.picture is not None:
        save_figure(partial(draw, refined=refined), arguments.picture, PICTURE_DPI)
