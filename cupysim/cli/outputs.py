"""The files of the drop-in command."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cupysim.api import Image
from cupysim.cli.arguments import Arguments
from cupysim.cli.build import Job
from cupysim.cli.report import statistics_lines
from cupysim.errors import CupysimError
from cupysim.formats import fdump, float_image, pgm, smv
from cupysim.formats.safe_writing import OutputError, OutputFiles, check_writable, is_special


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
            args.dump_file if args.dump_was_read else None,
        )
        if name is not None
    }
    names = [args.float_file, args.int_file]
    names += [args.pgm_file] if args.write_pgm else []
    names += [args.noise_file] if args.write_noise else []
    outputs: dict[str, str] = {}
    for name in names:
        target = str(check_writable(name))
        if target in inputs:
            raise CupysimError(f"{name} would replace an input file of this run")
        if target in outputs and not is_special(Path(target)):
            raise CupysimError(f"{name} is named for two output files of this run")
        outputs[target] = name
    if args.hkl_file is None or not args.use_dump:
        return False
    try:
        dump = str(check_writable(args.dump_file))
    except OutputError:
        return True
    if dump in outputs and not is_special(Path(dump)):
        raise CupysimError(f"{args.dump_file} is named for two output files of this run")
    return dump in inputs


def write_outputs(
    job: Job, image: Image, dump_problem: bool, report: Callable[[str], None]
) -> None:
    """Write all files, or none of them.

    Parameters
    ----------
    job : Job
        What was asked for.
    image : Image
        What came out.
    dump_problem : bool
        The dump file cannot be written.
    report : callable
        Takes a line for standard output.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    args, factors = job.arguments, job.experiment.structure_factors
    header = smv.header(job.experiment)
    with OutputFiles() as files:
        if args.hkl_file is not None and args.use_dump and not dump_problem:
            files.write(args.dump_file, lambda stream: fdump.write(stream, factors))
        report(f"writing {args.float_file} as {image.array.size} 4-byte floats")
        files.write(args.float_file, lambda stream: float_image.write(stream, image.array))
        for line in statistics_lines(image.statistics):
            report(line)

        report(f"intfile_scale = {image.scale(args.int_scale):g}")
        report(f"writing {args.int_file} as 2-byte integers")
        files.write(
            args.int_file,
            lambda stream: smv.write(
                stream, header, image.integers(args.int_scale, args.adc_offset)
            ),
        )

        if args.write_pgm:
            # without a scale of its own, an empty image takes that of the SMV image
            grey, scale = image.grey(args.pgm_scale, image.scale(args.int_scale))
            report(f"pgm_scale = {scale:g}")
            report(f"writing {args.pgm_file} as 1-byte integers")
            files.write(args.pgm_file, lambda stream: pgm.write(stream, grey, scale))

        if args.write_noise:
            noisy, photons, overloads = image.noisy(job.noise_stream, args.adc_offset)
            report(f"{photons:.0f} photons on noise image ({overloads} overloads)")
            report(f"writing {args.noise_file} as 2-byte integers")
            files.write(args.noise_file, lambda stream: smv.write(stream, header, noisy))
