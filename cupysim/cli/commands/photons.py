"""Calibrate a raw image to photons, by pedestals, gains and the rate correction.

    cupysim photons image.h5 --out photons.npy
    cupysim photons raw.img --response jungfrau --out photons.bin
    cupysim photons raw.img --response own.toml --energy 9500 --duration 1e-3 --out photons.npy

HDF5 files of cupysim hold their response; other raw images need --response. The ending of OUT
decides the format: .npy (NumPy), .bin (raw float32), .h5 (for HDF5 files of cupysim). Pixels
without a value, and overloads, are not-a-number.
"""

from __future__ import annotations

import argparse
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cupysim.cli.raw_images import raw_numbers, stored_response
from cupysim.detection.calibration import photons_of
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.response import Response
from cupysim.detection.response_file import read_response, response_files
from cupysim.detection.response_text import response_from_text
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats import float_image, nexus
from cupysim.formats.any_image import ImageFile, open_image
from cupysim.image.detected_image import detector_record, existing_grids, photon_energy
from cupysim.maths.arrays import with_panel_axis
from cupysim.plan.planning import make_plan
from cupysim.storage.safe_writing import OutputFiles, check_writable, refuse_inputs
from cupysim.terminal import tell

ENDINGS = (".npy", ".bin", ".h5")
"""Endings of output files; each stands for a format."""

RARE = 1e-3
"""Fraction of pixels that may have numbers that the response cannot produce."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    add = parser.add_argument
    add("image", metavar="IMAGE", help="raw image: HDF5, SMV or CBF")
    add("-o", "--out", required=True, metavar="OUT", help="NAME.npy, NAME.bin or NAME.h5")
    add("--response", metavar="NAME|FILE", help="response of the detector; default: the file's")
    add("--energy", type=float, metavar="EV", help="photon energy (eV); default: the file's")
    add("--duration", type=float, metavar="S",
        help="exposure time (s); default: the file's, or 1")  # fmt: skip
    add("--image", type=int, default=0, metavar="N", dest="image_number",
        help="image number in HDF5 files, from 0")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Calibrate the image, write the photons, and return the exit status."""
    ending = Path(arguments.out).suffix.lower()
    if ending not in ENDINGS:
        raise CupysimError(
            f"{arguments.out}: its ending must name the format: {', '.join(ENDINGS)}"
        )
    files = [] if arguments.response is None else response_files(arguments.response)
    refuse_inputs(arguments.out, [arguments.image, *files])
    check_writable(arguments.out)
    image = open_image(arguments.image, None, arguments.image_number)
    if ending == ".h5" and image.content is None:
        raise CupysimError(
            f"{arguments.out}: .h5 is only for HDF5 files of cupysim; use .npy or .bin"
        )
    response = _response(arguments, image)
    raw, exposure = raw_numbers(image, response), _exposure(arguments, image)
    photons = np.full(raw.shape, np.nan, dtype=np.float32)
    overloads = 0
    stack, sink = with_panel_axis(raw), with_panel_axis(photons)
    has_value = stack != response.masked_value
    for number, grid in enumerate(_grids(image, raw.shape)):
        part = number, slice(0, grid.n_slow), slice(0, grid.n_fast)
        found = photons_of(response, stack[part], grid, exposure, has_value[part])
        sink[part] = np.where(found.is_overload, np.nan, found.photons)
        overloads += int(np.count_nonzero(found.is_overload))
        _warn_of_others(arguments.image, response, exposure, found.photons[has_value[part]])
    _write(arguments.out, ending, image, raw, photons)
    known = photons[np.isfinite(photons)]
    tell(
        f"response {response.name}, {exposure.photon_energy:.6g} eV, {exposure.duration:g} s: "
        f"{float(known.sum(dtype=np.float64)):.6g} photons, {overloads} overloads, "
        f"{photons.size - known.size - overloads} pixels without a value"
    )
    return 0


def _response(arguments: argparse.Namespace, image: ImageFile) -> Response:
    if arguments.response is not None:
        return read_response(arguments.response)
    text, _ = stored_response(image)
    if text is None:
        raise CupysimError(f"{image.path}: --response is missing; the file holds no response")
    return response_from_text(text)


def _exposure(arguments: argparse.Namespace, image: ImageFile) -> Exposure:
    energy, duration = arguments.energy, arguments.duration
    if energy is None:
        wavelength = None
        if image.content is not None:
            wavelength = image.content.experiment.sources.mean_wavelength
        elif image.geometry is not None:
            wavelength = image.geometry.wavelength
        if not wavelength:
            raise CupysimError(f"{image.path}: --energy is missing; the file has no wavelength")
        energy = photon_energy(wavelength)
    if duration is None:
        _, known = stored_response(image)
        duration = 1.0 if known is None else known
    return Exposure(energy, duration)


def _warn_of_others(path: str, response: Response, exposure: Exposure, photons: np.ndarray) -> None:
    """Warn of numbers that the response cannot produce."""
    least = detector_record(response, exposure).underload
    unknown = int(np.count_nonzero(np.isnan(photons)))
    low = int(np.count_nonzero(photons < least))
    for count, problem in (
        (unknown, "gain bits that it does not have; they become not-a-number"),
        (low, f"numbers that its noise cannot explain, below those of {least:.3g} photons"),
    ):
        if count > RARE * photons.size:
            warnings.warn(
                CupysimWarning(
                    f"{path}: these may not be raw numbers of the response {response.name}: "
                    f"{count} of {photons.size} pixels have {problem}"
                ),
                stacklevel=2,
            )


def _grids(image: ImageFile, shape: tuple[int, ...]) -> list[PixelGrid]:
    """Pixels of the panels of an image."""
    if image.content is not None:
        experiment = image.content.experiment
        return existing_grids(experiment, make_plan(experiment))
    if image.geometry is not None:
        edge = image.geometry.pixel_size
    elif image.panels is not None:
        edge = image.panels.detector.panels[0].edges[0]
    else:
        raise CupysimError(f"{image.path}: the file has no pixel size")
    n_slow, n_fast = shape[-2:]
    count = shape[0] if len(shape) == 3 else 1
    return [
        PixelGrid(n_slow, n_fast, edge, edge, first_number=number * n_slow * n_fast)
        for number in range(count)
    ]


def _write(path: str, ending: str, image: ImageFile, raw: np.ndarray, photons: np.ndarray) -> None:
    def write(stream: BinaryIO) -> None:
        if ending == ".npy":
            np.save(stream, photons)
        elif ending == ".bin":
            float_image.write(stream, photons)
        else:
            assert image.content is not None, "checked above"
            content = replace(
                image.content, counts=photons, raw=raw, has_value=np.isfinite(photons)
            )
            nexus.write(stream, content)

    with OutputFiles() as files:
        files.write(os.fspath(path), write)
