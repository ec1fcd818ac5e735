"""Output files of the drop-in command."""

from __future__ import annotations

import os
import shlex
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.advice.empty_images import warn_of_empty_counts
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.formats import float_image, pgm, smv
from cupysim.formats.mosaic import mosaic_of
from cupysim.formats.pixels import GAP, LARGEST_PIXEL_VALUE, with_gaps
from cupysim.image import Image
from cupysim.image.flat import FlatImage
from cupysim.models.experiment import Experiment
from cupysim.models.panel_detector import PanelDetector
from cupysim.nanobragg.arguments import Arguments
from cupysim.nanobragg.detection import detected_image, has_no_photons, response_line, write_raw
from cupysim.nanobragg.job import Job
from cupysim.nanobragg.panel_report import not_written
from cupysim.nanobragg.report import statistics_lines
from cupysim.nanobragg.run_record import Stopwatch, input_files, run_record, write_record
from cupysim.optional_libraries import require
from cupysim.storage.safe_writing import OutputError, OutputFiles, check_writable, is_special

if TYPE_CHECKING:
    from cupysim.image.detected_image import DetectedImage


def check_outputs(args: Arguments, is_flat: bool = True) -> bool:
    """Check before rendering that the output files can be written.

    Parameters
    ----------
    args : Arguments
        Values of the command line.
    is_flat : bool, optional
        Whether the detector is one panel, or a flat mosaic of panels. Otherwise, files of one panel
        are not written.

    Returns
    -------
    bool
        True if the dump file cannot be written. This is not an error.

    Raises
    ------
    CupysimError
        If another file cannot be written, or would replace an input.
    """
    inputs = {os.path.realpath(name): name for name in input_files(args).values()}
    names = [args.float_file]
    if is_flat:
        names += [args.int_file]
        names += [args.pgm_file] if args.write_pgm else []
        names += [args.noise_file] if args.write_noise else []
    new = (
        args.nexus_file, args.cbf_file, args.png_file, args.provenance_file, args.cxi_file,
        args.geometry_output, args.experiment_output,
    )  # fmt: skip
    names += [name for name in new if name is not None]
    given = set(names)
    if args.cxi_file is not None:
        from cupysim.formats.crystfel.cxi import geometry_beside

        names.append(geometry_beside(args.cxi_file))
    outputs: dict[str, str] = {}
    for name in names:
        target = str(check_writable(name))
        if target in inputs:
            beside = "" if name in given else f", and -cxifile {args.cxi_file} writes it"
            raise CupysimError(f"{name} would replace an input file of this run{beside}")
        if target in outputs and not is_special(Path(target)):
            raise CupysimError(f"{name} is named for two output files of this run")
        outputs[target] = name
    if args.cxi_file is not None:
        from cupysim.formats.crystfel.cxi import refuse_foreign_geometry

        refuse_foreign_geometry(args.cxi_file)
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
    job: Job, image: Image, dump_problem: bool, report: Callable[[str], None], watch: Stopwatch
) -> None:
    """Write all output files, or none of them.

    Parameters
    ----------
    job : Job
        What the command line asks for.
    image : Image
        The rendered image.
    dump_problem : bool
        Whether the dump file cannot be written.
    report : callable
        Function that prints a line on standard output.
    watch : Stopwatch
        Wall times of the earlier stages.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    began = time.perf_counter()
    args, factors = job.arguments, job.experiment.structure_factors
    counts = None
    detector = job.experiment.detector
    panels = detector if isinstance(detector, PanelDetector) else None
    flat = FlatImage.of(image)
    with OutputFiles() as files:
        if args.hkl_file is not None and args.use_dump and not dump_problem:
            from cupysim.formats import fdump

            files.write(args.dump_file, lambda stream: fdump.write(stream, factors))
        report(f"writing {args.float_file} as {image.array.size} 4-byte floats")
        files.write(args.float_file, lambda stream: float_image.write(stream, image.array))
        for line in statistics_lines(image.statistics, panels):
            report(line)
        if flat is not None:
            _write_without_noise(files, args, flat, report)
        detected = None
        if job.response is not None:
            detected = detected_image(job, image, job.response)
            counts = detected.measured
            if has_no_photons(image, detected):
                warn_of_empty_counts(image.array)
            report(response_line(detected))
            if flat is not None:
                write_raw(files, args, flat, detected, report)
        elif args.write_noise:
            counts, photons = image.count_photons(job.noise)
            if photons == 0.0:
                warn_of_empty_counts(image.array)
            if flat is None:
                report(f"{photons:.0f} photons on noise image")
            else:
                noisy, overloads = image.digitized(counts, args.adc_offset)
                report(f"{photons:.0f} photons on noise image ({overloads} overloads)")
                report(f"writing {args.noise_file} as 2-byte integers")
                header, whole = smv.header(flat.experiment), flat.whole(noisy)
                files.write(args.noise_file, lambda stream: smv.write(stream, header, whole))
        if flat is None:
            names = [args.int_file]
            names += [args.pgm_file] if args.write_pgm else []
            names += [args.noise_file] if args.write_noise else []
            report(not_written(names))
        record = None
        if args.nexus_file is not None or args.provenance_file is not None:
            record = run_record(job, image, counts, watch.seconds)
        for line in _write_new_formats(files, job, image, flat, counts, record, detected):
            report(line)
        if record is not None and args.provenance_file is not None:
            report(f"writing {args.provenance_file} as JSON")
            write_record(files, args.provenance_file, record, watch, began)


def is_flat(experiment: Experiment) -> bool:
    """Whether the detector is one panel, or a flat mosaic of panels."""
    detector = experiment.detector
    return not isinstance(detector, PanelDetector) or mosaic_of(detector) is not None


def _write_without_noise(
    files: OutputFiles, args: Arguments, flat: FlatImage, report: Callable[[str], None]
) -> None:
    """Write the SMV image without noise, and the greymap."""
    image, header = flat.image, smv.header(flat.experiment)
    report(f"intfile_scale = {image.scale(args.int_scale):g}")
    report(f"writing {args.int_file} as 2-byte integers")
    files.write(
        args.int_file,
        lambda stream: smv.write(
            stream, header, flat.whole(image.integers(args.int_scale, args.adc_offset))
        ),
    )
    if args.write_pgm:
        # an empty image has no scale of its own and uses that of the SMV image
        grey, scale = image.grey(args.pgm_scale, image.scale(args.int_scale))
        report(f"pgm_scale = {scale:g}")
        report(f"writing {args.pgm_file} as 1-byte integers")
        files.write(args.pgm_file, lambda stream: pgm.write(stream, flat.whole(grey), scale))


def check_libraries(job: Job) -> None:
    """Check before rendering that the libraries and formats can write the image.

    Parameters
    ----------
    job : Job
        What the command line asks for.

    Raises
    ------
    CupysimError
        If a library is missing, or a format cannot describe the experiment.
    """
    args = job.arguments
    if args.cbf_file is not None:
        from cupysim.formats import cbf

        require("fabio.compression", "-cbffile")
        experiment = job.experiment
        if isinstance(experiment.detector, PanelDetector):
            mosaic = mosaic_of(experiment.detector)
            assert mosaic is not None, "checked with the options"
            experiment = mosaic.experiment(experiment)
        cbf.check_geometry(experiment)
    if args.png_file is not None:
        require("PIL.Image", "-pngfile")


def _write_new_formats(
    files: OutputFiles,
    job: Job,
    image: Image,
    flat: FlatImage | None,
    counts: np.ndarray | None,
    record: Mapping[str, Any] | None,
    detected: DetectedImage | None,
) -> Iterator[str]:
    """Write the files that nanoBragg does not have; yield lines for standard output."""
    args, experiment = job.arguments, job.experiment
    measured = image.array if counts is None else counts
    if args.nexus_file is not None:
        from cupysim.formats import nexus

        content = image.content(counts, _provenance(job, image), record, detected)
        yield f"writing {args.nexus_file} as NeXus/HDF5"
        files.write(args.nexus_file, lambda stream: nexus.write(stream, content, args.threads))
    if args.cbf_file is not None:
        from cupysim.formats import cbf
        from cupysim.image.detected_image import detector_record

        # in float64, since float32 has no number just below 2^31
        assert flat is not None, "checked with the options"
        pixels = np.clip(np.rint(measured.astype(np.float64)), 0, LARGEST_PIXEL_VALUE)
        record_of_detector = None
        if detected is not None:
            _warn_of_negatives(args.cbf_file, measured[detected.has_value])
            pixels = np.where(detected.has_value & np.isfinite(pixels), pixels, GAP)
            record_of_detector = detector_record(detected.response, detected.exposure)
        pixels = with_gaps(flat.whole(pixels), flat.experiment.rendered_pixels)
        yield f"writing {args.cbf_file} as CBF"
        files.write(
            args.cbf_file,
            lambda stream: cbf.write(stream, flat.experiment, pixels, record_of_detector),
        )
    yield from _write_geometry(files, args, experiment, flat, measured)
    if args.png_file is not None:
        from cupysim.formats import png
        from cupysim.image.picture import quick_look

        yield f"writing {args.png_file} as PNG"
        files.write(args.png_file, lambda stream: png.write(stream, quick_look(image, counts)))


def _warn_of_negatives(path: str, measured: np.ndarray) -> None:
    """Warn of photons below zero, which noise of the read-out makes."""
    count = int(np.count_nonzero(np.rint(measured) < 0))
    if count:
        warnings.warn(
            CupysimWarning(
                f"{path}: {count} pixels are negative, because of read-out noise. They become 0, "
                "because a negative number in a CBF file marks a pixel without a value; -h5file "
                "holds them"
            ),
            stacklevel=2,
        )


def _write_geometry(
    files: OutputFiles,
    args: Arguments,
    experiment: Experiment,
    flat: FlatImage | None,
    measured: np.ndarray,
) -> Iterator[str]:
    """Write CXI, CrystFEL geometry and DIALS files; yield lines for standard output."""
    if args.cxi_file is not None:
        from cupysim.formats.crystfel import cxi

        geometry = cxi.geometry_beside(args.cxi_file)
        yield f"writing {args.cxi_file} as CXI, and {geometry}"
        files.write(args.cxi_file, lambda stream: cxi.write_shot(stream, experiment, measured))
        files.write(geometry, lambda stream: cxi.write_geometry_beside(stream, experiment))
    if args.geometry_output is not None:
        from cupysim.formats.crystfel import cxi

        described_files: cxi.ImageFiles = "others" if args.nexus_file is None else "nxmx"
        of = "" if args.nexus_file is None else f" of {args.nexus_file}"
        yield f"writing {args.geometry_output} as a CrystFEL geometry file{of}"
        files.write(
            args.geometry_output,
            lambda stream: cxi.write_geometry_beside(stream, experiment, described_files),
        )
    if args.experiment_output is not None:
        from cupysim.formats.dials_writer import write_experiments

        images, described = args.nexus_file, experiment
        if images is None and args.cbf_file is not None:
            # the CBF file holds a mosaic as one panel
            assert flat is not None, "checked with the options"
            images, described = args.cbf_file, flat.experiment
        images = None if images is None else os.path.abspath(images)
        yield f"writing {args.experiment_output} as a DIALS experiment list"
        files.write(
            args.experiment_output,
            lambda stream: write_experiments(stream, described, images),
        )


def _provenance(job: Job, image: Image) -> dict[str, str | int | float]:
    """Short record of how an image was made, for HDF5 files."""
    args, made_by = job.arguments, image.rendered.made_by
    return {
        "arguments": shlex.join(["cupysim", *job.words])
        .encode("utf-8", "backslashreplace")
        .decode(),
        "backend": made_by.backend,
        "precision": made_by.precision,
        **_tolerance(image),
        "noise_seed": job.noise_seed,
        "mosaic_seed": args.mosaic_seed,
        "shape": str(job.experiment.crystal.shape),
        **({} if args.misset_seed is None else {"misset_seed": args.misset_seed}),
    }


def _tolerance(image: Image) -> dict[str, float]:
    """The tolerance of an image in photons, for HDF5 files; nothing for exact images."""
    culled = image.rendered.culled
    return {} if culled is None else {"tolerance": float(culled.tolerances[0])}
