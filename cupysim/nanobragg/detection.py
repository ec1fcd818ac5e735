"""The response of a detector in a run of nanoBragg: the option -response."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cupysim.errors import CupysimError, CupysimWarning, FileFormatError, OptionError
from cupysim.formats import smv
from cupysim.image.flat import FlatImage
from cupysim.nanobragg.arguments import Arguments
from cupysim.storage.safe_writing import OutputFiles

if TYPE_CHECKING:
    from cupysim.detection.response import Response
    from cupysim.image import Image
    from cupysim.image.detected_image import DetectedImage
    from cupysim.nanobragg.job import Job

LARGEST_NUMBER = 2**16 - 1
"""Largest number of a pixel in the SMV files of noise images."""

FEWEST = 0.01
"""Expected photons of a whole image below which probably no photon is counted."""


def chosen_response(args: Arguments) -> Response | None:
    """Read the response of -response.

    Parameters
    ----------
    args : Arguments
        Values of the command line.

    Returns
    -------
    Response or None
        The response; None without the option.

    Raises
    ------
    CupysimError
        If there is no such response, or other options contradict it.
    """
    if args.response is None:
        return None
    from cupysim.detection.response_file import read_response

    if not args.write_noise:
        raise OptionError("-response", "has no effect with -nonoise")
    if args.exposure <= 0.0:
        raise OptionError("-exposure", f"must be positive for -response, got {args.exposure:g} s")
    ineffective = [name for name in ("-adc", "-noise") if name in args.seen]
    if ineffective:
        warnings.warn(
            CupysimWarning(
                f"{', '.join(ineffective)}: no effect on the noise image, because -response has "
                "its own noise and offsets"
            ),
            stacklevel=2,
        )
    try:
        return read_response(args.response)
    except FileFormatError:
        raise
    except CupysimError as error:
        raise OptionError("-response", str(error)) from error


def detected_image(job: Job, image: Image, response: Response) -> DetectedImage:
    """Detect the image of a run.

    Parameters
    ----------
    job : Job
        What the command line asks for.
    image : Image
        The rendered image.
    response : Response
        The response of -response.

    Raises
    ------
    OptionError
        If the response does not fit the pixels, the exposure or the wavelength.
    """
    args = job.arguments
    try:
        return image.detect(
            response, job.noise_seed % 2**64, duration=args.exposure, threads=args.threads
        )
    except CupysimError as error:
        raise OptionError(f"-response {args.response}", str(error)) from error


def has_no_photons(image: Image, detected: DetectedImage) -> bool:
    """Whether no photon is counted or, for analogue signals, whether hardly any is expected."""
    if detected.is_analogue:
        return float(image.array.sum(dtype=np.float64)) < FEWEST
    return not (detected.measured > 0).any()


def response_line(detected: DetectedImage) -> str:
    """The line about a detected image on standard output."""
    response, exposure = detected.response, detected.exposure
    measured = detected.measured[detected.has_value & np.isfinite(detected.measured)]
    return (
        f"response {response.name}: {float(measured.sum(dtype=np.float64)):.6g} photons, "
        f"{detected.overloads} overloads, {exposure.photon_energy:.6g} eV, "
        f"{exposure.duration:g} s"
    )


def write_raw(
    files: OutputFiles,
    args: Arguments,
    flat: FlatImage,
    detected: DetectedImage,
    report: Callable[[str], None],
) -> None:
    """Write the raw numbers as an SMV image.

    Parameters
    ----------
    files : OutputFiles
        Files to write to.
    args : Arguments
        Values of the command line.
    flat : FlatImage
        The image as one panel.
    detected : DetectedImage
        The detected image.
    report : callable
        Function that prints a line on standard output.
    """
    raw = np.minimum(detected.raw, LARGEST_NUMBER)
    clipped = int(np.count_nonzero(detected.raw[detected.has_value] > LARGEST_NUMBER))
    if clipped:
        warnings.warn(
            CupysimWarning(
                f"{args.noise_file}: {clipped} pixels have more than {LARGEST_NUMBER} counts, "
                "which 2-byte integers cannot hold; -h5file holds them"
            ),
            stacklevel=2,
        )
    # readers of SMV files expect 0 in pixels without a value
    raw = np.where(detected.has_value, raw, 0).astype(np.uint16)
    report(f"writing {args.noise_file} as 2-byte integers")
    header, whole = smv.header(flat.experiment, detected.response.pedestal), flat.whole(raw)
    files.write(args.noise_file, lambda stream: smv.write(stream, header, whole))
