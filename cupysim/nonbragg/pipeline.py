"""The steps of nonBragg, in its order: geometry, photons, radial average, integers, noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np

from cupysim.detection.digitising import (
    LARGEST_VALUE,
    SHORT_BITS,
    Digitiser,
    automatic_grey_scale,
    automatic_scale,
    grey,
    scaled,
)
from cupysim.detection.poisson import PoissonNoise
from cupysim.drop_ins.outputs import check_outputs
from cupysim.drop_ins.progress import ProgressReport
from cupysim.drop_ins.report_lines import general, maximum_line, mean_line, solid_angle_line
from cupysim.drop_ins.words import warn
from cupysim.formats import float_image, pgm, smv
from cupysim.maths.arrays import serial_sum
from cupysim.maths.detector_geometry import sub_pixel_centre
from cupysim.maths.nr_random import RandomStream
from cupysim.nonbragg.arguments import Arguments
from cupysim.nonbragg.beam import make_beam
from cupysim.nonbragg.frame import Frame, settle
from cupysim.nonbragg.observers import Observer, Printout, Progress
from cupysim.nonbragg.quirks import QUIRKS, NonbraggQuirk
from cupysim.nonbragg.radial import Measured, RadialAverage
from cupysim.nonbragg.report import first_lines, setup_lines
from cupysim.nonbragg.sample import illuminated
from cupysim.nonbragg.scattering import Scattering, blocks
from cupysim.nonbragg.statistics import Region, Statistics, statistics_of
from cupysim.nonbragg.table import read_table
from cupysim.storage.safe_writing import OutputFiles

Report = Callable[[str], None]


def run(args: Arguments, report: Report) -> None:
    """Make the images and the table that a command line asks for.

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
    image_input = None
    if args.image_file is not None:
        from cupysim.nonbragg.inputs import read_image, with_header

        image_input = read_image(args.image_file)
        args = with_header(args, image_input.header)
    frame, sample = settle(args), illuminated(args)
    assert args.stol_file is not None, "checked with the options"
    table = read_table(args.stol_file, args.stol_unit, args.corrects)
    beam = make_beam(args, frame.beam, frame.polarization)
    measured, address = None, None
    if image_input is not None:
        pixels = image_input.image(frame.n_slow, frame.n_fast)
        measured = Measured(pixels, args.gain, args.adc_offset, args.ignored)
        address = pixels.ctypes.data
    check_outputs(_outputs(args), (args.stol_file, args.image_file, args.source_file))
    seed = int(time.time()) if args.seed is None else args.seed
    limits = _limits(args, frame)
    for line in first_lines(args, frame, address):
        report(line)
    for line in setup_lines(args, frame, beam, sample, len(table.nodes), limits, seed):
        report(line)
    report("")
    scattering = Scattering(
        frame, sample, beam.sources, table,
        args.kahn if args.is_polarized else None,
        frame.polarization, args.oversample, args.is_curved, args.is_point_pixel, args.is_map,
        has_sign=not args.corrects(NonbraggQuirk.STRAIGHT_LINE),
    )  # fmt: skip
    average = None if measured is None else RadialAverage(scattering, measured)
    with OutputFiles() as files:
        _Images(args, scattering, limits, files, report).make(average, seed)


class _Images:
    """The images of a run, from photons to files."""

    def __init__(
        self,
        args: Arguments,
        scattering: Scattering,
        limits: tuple[int, int, int, int],
        files: OutputFiles,
        report: Report,
    ) -> None:
        self._args, self._files, self._report = args, files, report
        self._scattering, self._frame = scattering, scattering.frame
        self._limits, self._region = limits, _region(limits, scattering.frame)
        self._header = self._frame.header(args)

    def make(self, average: RadialAverage | None, seed: int) -> None:
        """Compute and write everything."""
        args, report = self._args, self._report
        image, angle = self._rendered(average)
        report(solid_angle_line(angle))
        counted = None if average is None else self._write_average(average)
        if args.corrects(NonbraggQuirk.PIXELS_OF_LAST_BIN):
            counted = None
        report(f"writing {args.float_file} as {image.size} 4-byte floats")
        self._files.write(args.float_file, lambda stream: float_image.write(stream, image))
        looks_at_next = not args.corrects(NonbraggQuirk.DEVIATION_OF_NEXT_PIXEL)
        statistics = statistics_of(image, self._region, counted, looks_at_next)
        report(maximum_line(statistics.maximum, self._place(statistics)))
        report(mean_line(statistics.mean, statistics.rms, statistics.rmsd))
        self._write_without_noise(image, statistics)
        if args.has_noise:
            self._write_with_noise(image, seed)

    def _rendered(self, average: RadialAverage | None) -> tuple[np.ndarray, float]:
        """The image, and the sum of the solid angles of all sub-pixels (sr)."""
        args, frame = self._args, self._frame
        image = np.zeros((frame.n_slow, frame.n_fast), dtype=np.float32)
        angle, n_beyond, observer = 0.0, 0, self._observer()
        try:
            with np.errstate(all="ignore"):
                for block in blocks(self._scattering, self._region):
                    image[block.rows, block.columns] = block.photons
                    angle = serial_sum(angle, block.omega_sum)
                    n_beyond += int(np.count_nonzero(block.is_beyond))
                    if average is not None:
                        average.add(block)
                    observer.add(block)
        finally:
            observer.close()
        self._warn(image, n_beyond)
        if args.corrects(NonbraggQuirk.SOLID_ANGLE_OF_SUB_PIXELS):
            angle /= args.oversample**2
        return image, angle

    def _observer(self) -> Observer:
        args, (fast_min, fast_max, slow_min, slow_max) = self._args, self._limits
        if args.is_printed:
            return Printout(
                args.wavelength, args.printed_pixel, self._scattering.n_steps, self._report
            )
        if args.has_progress:
            n_pixels = (fast_max - fast_min + 1) * (slow_max - slow_min + 1)
            return Progress(ProgressReport(n_pixels, self._report))
        return Observer()

    def _warn(self, image: np.ndarray, n_beyond: int) -> None:
        args = self._args
        strange = image.size - int(np.count_nonzero(np.isfinite(image)))
        if strange:
            warn(f"{strange} pixels have no finite value")
        if not n_beyond or args.corrects(NonbraggQuirk.STRAIGHT_LINE):
            return
        below = int(np.count_nonzero(image < 0.0))
        QUIRKS.warn(
            NonbraggQuirk.STRAIGHT_LINE,
            f"{n_beyond} pixels are beyond the ends of {args.stol_file}, which a straight line "
            f"continues; {below} pixels are negative",
        )

    def _write_average(self, average: RadialAverage) -> int:
        """Write the radial average; return the number of pixels in the last bin."""
        args, lines, last = self._args, [], 0
        for each in average.bins(args.corrects(NonbraggQuirk.NO_REJECTION)):
            last = each.count
            if each.is_written:
                lines.append(each.line)
            else:
                self._report(each.line)
        text = "".join(f"{line}\n" for line in lines).encode("ascii")
        self._files.write(args.average_file, lambda stream: stream.write(text))
        self._report(f"wrote {args.average_file} as {len(lines)} lines of text")
        return last

    def _write_without_noise(self, image: np.ndarray, statistics: Statistics) -> None:
        args, region = self._args, self._region
        scale = args.int_scale if args.int_scale > 0.0 else automatic_scale(statistics.maximum)
        integers = scaled(image, scale, args.adc_offset, region)
        self._report(f"intfile_scale = {general(scale)}")
        self._report(f"writing {args.int_file} as 2-byte integers")
        self._files.write(args.int_file, lambda stream: smv.write(stream, self._header, integers))
        if args.pgm_scale > 0.0:
            scale = args.pgm_scale
        else:
            scale = automatic_grey_scale(statistics.rmsd, scale)
        picture = grey(image, scale, region)
        self._report(f"pgm_scale = {general(scale)}")
        self._report(f"writing {args.pgm_file} as 1-byte integers")
        self._files.write(args.pgm_file, lambda stream: pgm.write(stream, picture, scale))

    def _write_with_noise(self, image: np.ndarray, seed: int) -> None:
        args, region = self._args, self._region
        counts = PoissonNoise(RandomStream(seed)).draw(np.ascontiguousarray(image[region]))
        digitiser = Digitiser(1.0, args.adc_offset, 0.0, SHORT_BITS, LARGEST_VALUE)
        noisy = np.zeros(image.shape, dtype=digitiser.dtype)
        noisy[region], total, overloads, _ = digitiser(counts)
        photons = general(total) if math.isnan(total) else f"{total:.0f}"
        self._report(f"{photons} photons on noise image ({overloads} overloads)")
        self._report(f"writing {args.noise_file} as 2-byte integers")
        self._files.write(args.noise_file, lambda stream: smv.write(stream, self._header, noisy))

    def _place(self, statistics: Statistics) -> tuple[float, float]:
        """Place of the largest value: the last sub-pixel of its pixel (m)."""
        if not statistics.maximum > 0.0:
            return 0.0, 0.0
        oversample, pixel = self._args.oversample, self._frame.pixel_size
        fast, slow = (
            float(sub_pixel_centre(number, oversample - 1, oversample, pixel))
            for number in statistics.maximum_at
        )
        return fast, slow


def _limits(args: Arguments, frame: Frame) -> tuple[int, int, int, int]:
    """First and last fast pixel, first and last slow pixel; negative ones are not given."""
    given = (-1, -1, -1, -1) if args.region is None else args.region
    whole = (0, frame.n_fast, 0, frame.n_slow)
    fast_min, fast_max, slow_min, slow_max = (
        edge if limit < 0 else limit for limit, edge in zip(given, whole, strict=True)
    )
    return fast_min, fast_max, slow_min, slow_max


def _region(limits: tuple[int, int, int, int], frame: Frame) -> Region:
    """The part of the image within limits, which may be empty (NBQ22)."""
    fast_min, fast_max, slow_min, slow_max = limits
    ends = min(slow_max + 1, frame.n_slow), min(fast_max + 1, frame.n_fast)
    rows, columns = slice(slow_min, ends[0]), slice(fast_min, ends[1])
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return slice(0, 0), slice(0, 0)
    return rows, columns


def _outputs(args: Arguments) -> Iterator[str]:
    """Names of the files to write."""
    yield from (args.float_file, args.int_file, args.pgm_file)
    if args.has_noise:
        yield args.noise_file
    if args.image_file is not None:
        yield args.average_file
