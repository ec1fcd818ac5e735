"""The lines on standard output. They are those of noisify, with its spelling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cupysim.detection.scattered_light import Scattered
from cupysim.maths.nr_random import wrap_int32
from cupysim.maths.point_spread import GAUSSIAN
from cupysim.noisify.arguments import Arguments
from cupysim.noisify.frame import GUESS_WARNING, Frame

BANNER = "noisify - add noise to pixels - James Holton 3-19-16"

THOMSON = 7.94079248018965e-30
"""Square of the classical electron radius (m^2), as in noisify."""


def first_lines(args: Arguments, frame: Frame) -> Iterator[str]:
    """Lines before the image is read."""
    for word in args.unknown_spreads:
        yield f"WARNING: unknown psf type: {word}"
    yield BANNER
    if args.header_file is not None:
        yield f"taking header from {args.header_file}"
        yield f"reading {args.header_file}"
    if frame.is_guessed:
        yield GUESS_WARNING
    yield f"importing {frame.n_pixels} pixel intensites: {args.input}"


def setup_lines(args: Arguments, frame: Frame, seed: int, calibration_state: int) -> Iterator[str]:
    """Lines about the options.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    frame : Frame
        Size and place of the detector.
    seed : int
        Seed of flicker, photons and read-out noise.
    calibration_state : int
        State of the calibration stream at the start.
    """
    yield from frame.lines()
    if args.psf is not None:
        name = "Gaussian" if args.psf == GAUSSIAN else "fiber"
        width = f"  {name} PSF fwhm = {args.psf_width * 1e6:g} um "
        if args.psf_radius == 0:
            yield f"{width}  with automatic rendering radius"
            width = ""
        yield f"{width}  with rendering radius: {args.psf_radius}"
    has_noise = not args.has_no_noise
    yield f"  seed: {wrap_int32(-wrap_int32(seed))}"
    yield f"  calibration noise seed: {calibration_state}"
    yield f"  calibration_noise = {args.calibration * 100 if has_noise else 0.0:g} %"
    yield f"  input file scale = {args.scale:g}"
    yield f"  readout_noise = {args.readout if has_noise else 0.0:g} ADU"
    yield f"  flicker_noise = {args.flicker * 100 if has_noise else 0.0:g} %"
    yield f"  quantum_gain = {args.gain:g} ADU/photon"
    yield f"  adc_offset = {args.adc_offset:g} ADU"
    yield ""


def input_lines(args: Arguments, numbers: np.ndarray) -> Iterator[str]:
    """Lines about the numbers of the input."""
    largest = float(np.fmax.reduce(numbers, axis=None))
    maximum = largest if largest > 0.0 else 0.0
    if np.fmin.reduce(numbers, axis=None) < 0.0:
        for number in numbers[numbers < 0.0].tolist():
            yield f"WARNING: negative intensity in {args.input}: {number:g}"
    photons = maximum * args.scale * args.fluence * THOMSON
    yield f"maximum value in input file: {maximum:g} ( {photons:g} on photon scale)"


def spread_lines(args: Arguments, scattered: Scattered) -> Iterator[str]:
    """Lines about the point spread."""
    if args.psf_radius == 0:
        yield f"  maximum input photon/pixel: {scattered.brightest:g}"
        if scattered.brightest <= 0.0:
            yield "WARNING: no photons, PSF skipped"
            return
        yield f"  auto-selected psf_radius = {scattered.radius} pixels"
    yield f"adding back {scattered.lost:g} lost photons"
