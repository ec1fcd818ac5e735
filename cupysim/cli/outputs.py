"""The files of the drop-in command."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cupysim.cli.arguments import Arguments
from cupysim.cli.build import Job
from cupysim.errors import CupysimError
from cupysim.formats import fdump, float_image, integer_images, pgm, smv
from cupysim.formats.safe_writing import OutputError, OutputFiles, check_writable
from cupysim.noise.poisson import PoissonNoise
from cupysim.render.plan import RenderPlan
from cupysim.render.statistics import Statistics, serial_sum


def check_outputs(args: Arguments) -> bool:
    """Find out before rendering whether the files can be written.

    Parameters
    ----------
    args : Arguments
        The command line's values.

    Returns
    -------
    bool
        Whether the dump file cannot be written, which is no error.

    Raises
    ------
    CupysimError
        If another file cannot be written, or would replace an input.
    """
    inputs = {
        os.path.realpath(name): name
        for name in (
            args.hkl_file,
            args.matrix_file,
            args.source_file,
            args.mask_file,
            args.image_file,
            args.stol_file,
        )
        if name is not None
    }
    names = [args.float_file, args.int_file]
    names += [args.pgm_file] if args.write_pgm else []
    names += [args.noise_file] if args.write_noise else []
    for name in names:
        target = str(check_writable(name))
        if target in inputs:
            raise CupysimError(f"{name} would replace an input file of this run")
    if args.hkl_file is None or not args.use_dump:
        return False
    try:
        return str(check_writable(args.dump_file)) in inputs
    except OutputError:
        return True


@dataclass(frozen=True)
class Result:
    """An image to be written.

    Parameters
    ----------
    job : Job
        What was asked for.
    plan : RenderPlan
        What was rendered.
    image : ndarray of float32, shape (n_slow, n_fast)
        Photons.
    statistics : Statistics
        Of the image.
    dump_problem : bool
        The dump file cannot be written.
    """

    job: Job
    plan: RenderPlan
    image: np.ndarray
    statistics: Statistics
    dump_problem: bool


def write_outputs(result: Result, report: Callable[[str], None], lines: list[str]) -> None:
    """Write all files, or none of them.

    Parameters
    ----------
    result : Result
        What to write.
    report : callable
        Takes a line for standard output.
    lines : list of str
        Lines which are printed once the float image is written.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    args, experiment = result.job.arguments, result.job.experiment
    region = (result.plan.rows, result.plan.columns)
    image, statistics = result.image, result.statistics
    with OutputFiles() as files:
        if args.hkl_file is not None and args.use_dump and not result.dump_problem:
            files.write(
                args.dump_file, lambda stream: fdump.write(stream, experiment.structure_factors)
            )
        report(f"writing {args.float_file} as {image.size} 4-byte floats")
        files.write(args.float_file, lambda stream: float_image.write(stream, image))
        for line in lines:
            report(line)

        scale = args.int_scale
        if scale <= 0.0:
            scale = integer_images.automatic_scale(statistics.maximum)
        report(f"intfile_scale = {scale:g}")
        report(f"writing {args.int_file} as 2-byte integers")
        header = smv.header(experiment)
        pixels = integer_images.scaled(image, scale, args.adc_offset, region)
        files.write(args.int_file, lambda stream: smv.write(stream, header, pixels))

        if args.write_pgm:
            grey_scale = args.pgm_scale
            if grey_scale <= 0.0:
                grey_scale = integer_images.automatic_grey_scale(statistics.rmsd, scale)
            report(f"pgm_scale = {grey_scale:g}")
            report(f"writing {args.pgm_file} as 1-byte integers")
            grey = integer_images.grey(image, grey_scale, region)
            files.write(args.pgm_file, lambda stream: pgm.write(stream, grey, grey_scale))

        if args.write_noise:
            counts = PoissonNoise(result.job.noise_stream).draw(image[region])
            noisy, overloads = integer_images.counted(
                counts, args.adc_offset, (image.shape[0], image.shape[1]), region
            )
            total = serial_sum(0.0, counts.reshape(-1))
            report(f"{total:.0f} photons on noise image ({overloads} overloads)")
            report(f"writing {args.noise_file} as 2-byte integers")
            files.write(args.noise_file, lambda stream: smv.write(stream, header, noisy))
