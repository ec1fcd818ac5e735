"""The steps of noisify, in its order: photons, integers, noise, point spread, integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cupysim.detection.digitising import LARGEST_LONG_VALUE, LARGEST_VALUE, SHORT_BITS, Digitiser
from cupysim.detection.pixel_streams import calibration_state
from cupysim.detection.scattered_light import Scattered, Spread, convolved, scatter
from cupysim.drop_ins.outputs import check_outputs
from cupysim.errors import CupysimError, OptionError
from cupysim.formats import float_image, pgm
from cupysim.noisify.arguments import Arguments
from cupysim.noisify.frame import Frame, settle, warn_of_sizes, with_geometry
from cupysim.noisify.inputs import read_expected
from cupysim.noisify.noise import clock_seed, make_noise
from cupysim.noisify.quirks import QUIRKS, NoisifyQuirk
from cupysim.noisify.report import (
    THOMSON,
    first_lines,
    input_lines,
    setup_lines,
    spread_lines,
)
from cupysim.storage.safe_writing import OutputFiles

if TYPE_CHECKING:
    from cupysim.drop_ins.smv_header import Header

LARGEST_GREY = 255
"""Largest value of the picture."""

Report = Callable[[str], None]


def run(args: Arguments, report: Report) -> None:
    """Make the images that a command line asks for.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    report : callable
        Writes a line to standard output.

    Raises
    ------
    CupysimError
        If an input cannot be used, or an output cannot be written. No file is written then.
    """
    header = None
    if args.header_file is not None:
        from cupysim.drop_ins.smv_header import read_header

        header = read_header(args.header_file, "-header", f"NQ{NoisifyQuirk.NO_HEADER:d}")
    expected = read_expected(args.input, args.given.get("input", "-floatfile"))
    if expected.numbers.ndim == 2:
        n_slow, n_fast = expected.numbers.shape
        args = with_geometry(args, (n_slow, n_fast), expected.geometry)
    frame = settle(args, header, expected.n_pixels)
    numbers = expected.image(frame.n_slow, frame.n_fast)
    if args.has_spread:
        _check_spread(args, frame, numbers)
    check_outputs(_outputs(args), (args.input, args.header_file))
    _warn_of_options(args, frame, header)
    seed = clock_seed() if args.seed is None else args.seed
    for line in first_lines(args, frame):
        report(line)
    for line in setup_lines(args, frame, seed, calibration_state(args.calibration_seed)):
        report(line)
    for line in input_lines(args, numbers):
        report(line)
    with OutputFiles() as files:
        _Images(args, frame, header, files, report).make(numbers, seed)


class _Images:
    """The images of a run, from the numbers of the input to files."""

    def __init__(
        self,
        args: Arguments,
        frame: Frame,
        header: Header | None,
        files: OutputFiles,
        report: Report,
    ) -> None:
        self._args, self._frame, self._files, self._report = args, frame, files, report
        self._header = frame.header(args.bits) if header is None else header.content

    def make(self, numbers: np.ndarray, seed: int) -> None:
        """Compute all images."""
        args = self._args
        with np.errstate(over="ignore", invalid="ignore"):
            factor = args.fluence * THOMSON * args.scale
            photons = numbers if factor == 1.0 else (factor * numbers.astype(np.float64))
            photons = photons.astype(np.float32, copy=False)
        if args.has_no_noise and args.has_spread:
            width = self._spread().width
            self._report(f"  applying PSF to noiseless image width = {width:g} pixels")
            photons = self._blurred(photons)
        self._write_photons(photons)
        self._write_without_noise(photons)
        if not args.has_no_noise:
            self._write_with_noise(photons, seed)

    def _write_photons(self, photons: np.ndarray) -> None:
        path = self._args.photon_file
        if path is not None:
            self._report(f"writing {path} as {photons.size} 4-byte floats")
            self._files.write(path, lambda stream: float_image.write(stream, photons))

    def _write_without_noise(self, photons: np.ndarray) -> None:
        args = self._args
        largest = LARGEST_VALUE
        if args.corrects(NoisifyQuirk.CLIPPED_AT_16_BITS) and args.bits != SHORT_BITS:
            largest = LARGEST_LONG_VALUE
        integers, _, above, below = self._digitiser(0.0, args.bits, largest)(photons)
        if args.bits != SHORT_BITS and above and largest == LARGEST_VALUE:
            QUIRKS.warn(
                NoisifyQuirk.CLIPPED_AT_16_BITS,
                f"{above} pixels of {args.int_file} are cut off at 65535",
            )
        self._warn_below_zero(args.int_file, below)
        count = f"{photons.size} {integers.itemsize}-byte integers"
        self._report(f"writing {args.int_file} as {count}")
        self._write(args.int_file, integers)
        if args.has_no_pgm:
            return
        short = integers
        if args.bits != SHORT_BITS:
            short = self._digitiser(0.0, SHORT_BITS, LARGEST_VALUE)(photons)[0]
        grey = np.minimum(short, LARGEST_GREY).astype(np.uint8)
        self._report(f"writing {args.pgm_file} as 1-byte integers")
        self._files.write(args.pgm_file, lambda stream: pgm.write(stream, grey, 1.0))

    def _write_with_noise(self, photons: np.ndarray, seed: int) -> None:
        args = self._args
        noise = make_noise(args, seed)
        counts, total = noise.count(photons)
        if args.has_spread:
            self._report(f"{total:.0f} photons on noise image before PSF")
            self._report(f"  applying PSF width = {args.psf_width * 1e6:g} um")
            counts = self._blurred(counts)
        deviates = noise.readout(counts.size) if args.readout > 0.0 else None
        largest = LARGEST_VALUE if args.bits == SHORT_BITS else LARGEST_LONG_VALUE
        digitiser = self._digitiser(args.readout, args.bits, largest)
        integers, total, overloads, below = digitiser(counts, deviates)
        self._report(f"{total:.0f} photons on noise image ({overloads} overloads)")
        self._warn_below_zero(args.noise_file, below)
        self._report(f"writing {args.noise_file} as {integers.itemsize}-byte integers")
        self._write(args.noise_file, integers)

    def _digitiser(self, readout: float, bits: int, largest: float) -> Digitiser:
        args = self._args
        return Digitiser(
            args.gain, args.adc_offset, readout, bits, largest,
            is_rounded=args.corrects(NoisifyQuirk.TRUNCATION),
            is_clipped=args.corrects(NoisifyQuirk.BELOW_ZERO),
        )  # fmt: skip

    def _write(self, path: str, integers: np.ndarray) -> None:
        def write(stream: BinaryIO) -> None:
            stream.write(self._header)
            stream.write(integers.data)

        self._files.write(path, write)

    def _warn_below_zero(self, path: str, below: int) -> None:
        if below and not self._args.corrects(NoisifyQuirk.BELOW_ZERO):
            most = 2**self._args.bits - 1
            QUIRKS.warn(
                NoisifyQuirk.BELOW_ZERO,
                f"{below} pixels of {path} are below zero, and wrap around to values up to {most}; "
                "a larger -adc avoids it",
            )

    def _spread(self) -> Spread:
        args = self._args
        assert args.psf is not None
        return Spread(args.psf, args.psf_width / self._frame.pixel_size, args.psf_radius or None)

    def _blurred(self, photons: np.ndarray) -> np.ndarray:
        args, spread = self._args, self._spread()
        if not np.isfinite(photons).all():
            raise CupysimError("some numbers of photons are not finite: reduce -scale or -fluence")
        if args.corrects(NoisifyQuirk.LOST_LIGHT):
            return convolved(photons, spread)
        scattered = scatter(
            photons, spread,
            wraps=not args.corrects(NoisifyQuirk.EDGE_SLIP),
            keeps_weak=args.corrects(NoisifyQuirk.WEAK_PIXELS),
            threads=args.threads,
        )  # fmt: skip
        for line in spread_lines(args, scattered):
            self._report(line)
        _warn_of_spread(scattered)
        return scattered.image


def _warn_of_spread(scattered: Scattered) -> None:
    if scattered.has_wrapped:
        QUIRKS.warn(
            NoisifyQuirk.EDGE_SLIP,
            "light that is blurred beyond the right edge comes back in the first column",
        )
    if scattered.n_vanished:
        QUIRKS.warn(
            NoisifyQuirk.WEAK_PIXELS,
            f"{scattered.n_vanished} pixels with less than 0.01 photons vanish when they are "
            "blurred",
        )


def _check_spread(args: Arguments, frame: Frame, numbers: np.ndarray) -> None:
    """Refuse a point spread without a pixel edge, or of numbers that are not finite."""
    if not frame.pixel_size > 0.0:
        word = args.given.get("pixel_size", "-header")
        raise OptionError(
            word, f"-psf needs a pixel edge above zero, got {1e3 * frame.pixel_size:g} mm"
        )
    if not np.isfinite(numbers).all():
        raise CupysimError(f"{args.input}: some numbers are not finite, so -psf is impossible")


def _outputs(args: Arguments) -> Iterator[str]:
    """Names of the files to write."""
    yield args.int_file
    if not args.has_no_pgm:
        yield args.pgm_file
    if not args.has_no_noise:
        yield args.noise_file
    if args.photon_file is not None:
        yield args.photon_file


def _warn_of_options(args: Arguments, frame: Frame, header: Header | None) -> None:
    """Warn of quirks that act on this run, as far as the options tell."""
    warn_of_sizes(args, frame)
    if header is not None and header.pixel_bytes * 8 != args.bits:
        QUIRKS.warn(
            NoisifyQuirk.BITS,
            f"the header of {header.path} is not one for {args.bits} bits, but is copied unchanged",
        )
    if args.has_no_noise:
        return
    is_stream = args.noise_kind == "stream"
    if args.flicker > 0.0 and not args.corrects(NoisifyQuirk.FLICKER_OF_PIXELS):
        QUIRKS.warn(
            NoisifyQuirk.FLICKER_OF_PIXELS,
            "-flicker is drawn for each pixel, not for the image",
        )
    if args.calibration > 0.0 and "calibration" not in args.given:
        QUIRKS.warn(
            NoisifyQuirk.CALIBRATION_UNASKED,
            "pixels have a calibration error of 3 %; -calibration gives another one, or 0",
        )
    if args.calibration > 0.0 and is_stream and not args.corrects(NoisifyQuirk.SHARED_TABLE):
        QUIRKS.warn(
            NoisifyQuirk.SHARED_TABLE,
            "the calibration error depends on -seed too, so it differs from shot to shot",
        )
