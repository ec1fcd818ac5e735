"""CBF images: mini-CBF files (Pilatus, Eiger), and full imgCIF files with axes."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats import cbf_header, imgcif
from cupysim.formats.cbf_binary import BinarySection, pack, split, unpack
from cupysim.formats.cbf_remarks import of_header, of_tables
from cupysim.formats.frames import to_imgcif
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.geometry_checks import with_doubts
from cupysim.formats.imgcif_tables import is_full
from cupysim.formats.nexus.content import DetectorRecord
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE, THINNEST_SENSOR, measured
from cupysim.maths.arrays import dot
from cupysim.maths.resolution import beam_spot
from cupysim.models.experiment import Experiment

SIGNATURE = b"###CBF"

LARGEST_TILT = 1e-9
"""Largest component along the beam of a detector axis that is normal to the beam."""


def read(path: os.PathLike[str] | str) -> tuple[np.ndarray, ImageGeometry]:
    """Read an image and its geometry.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    image : ndarray, shape (n_slow, n_fast)
        Counts, with the type in the file; float64 if its tables scale them.
        `cupysim.formats.pixels.measured` finds the pixels that were measured.
    geometry : ImageGeometry
        Geometry, in the frame of imgCIF.

    Raises
    ------
    FileFormatError
        If the file is damaged, holds several images, or has no geometry.
    CupysimError
        If a library is not installed.
    """
    text, section = _single(path)
    stored = None
    if is_full(text):
        geometry, stored = imgcif.read(
            path, text, section.n_fast, section.n_slow, section.identifier
        )
        doubts = of_header(path, text, geometry)
    else:
        geometry = cbf_header.geometry(path, text, section.n_fast, section.n_slow)
        doubts = of_tables(text, geometry)
    pixels, more = unpack(path, section)
    if stored is not None:
        pixels = stored.intensities(pixels)
    remarks = (*geometry.remarks, *doubts, *more)
    return pixels, with_doubts(replace(geometry, remarks=remarks))


def read_pixels(path: os.PathLike[str] | str) -> np.ndarray:
    """Read the pixels of an image whose geometry is not needed, such as a mask without header.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    ndarray, shape (n_slow, n_fast)
        Numbers in the pixels.

    Raises
    ------
    FileFormatError
        If the file is damaged, or holds several images.
    CupysimError
        If a library is not installed.
    """
    text, section = _single(path)
    if is_full(text):
        # the tables say which pixels are undefined
        return read(path)[0]
    return unpack(path, section)[0]


def _single(path: os.PathLike[str] | str) -> tuple[str, BinarySection]:
    """Text and the only binary section of a file."""
    text, sections = split(path)
    if len(sections) > 1:
        raise FileFormatError(path, f"{len(sections)} images or panels; one is expected")
    return text, sections[0]


def good_pixels(image: np.ndarray) -> np.ndarray:
    """Pixels that a mask image does not exclude.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast)
        Image with marked gaps, or with ones and zeros only.

    Returns
    -------
    ndarray of bool, shape (n_slow, n_fast)
        Pixels that were measured; in an image of ones and zeros, the ones.
    """
    good = measured(image)
    is_image = not good.all() or image.max() > 1
    return good if is_image else image > 0


def check_geometry(experiment: Experiment) -> None:
    """Reject geometries that a mini-CBF header cannot describe.

    Parameters
    ----------
    experiment : Experiment
        Simulated experiment.

    Raises
    ------
    CupysimError
        If the detector is tilted or curved, its fast axis is not along the spindle, or the spindle
        is not normal to the beam.
    """
    detector = experiment.detector
    geometry, scan = experiment.geometry, experiment.scan
    is_still = scan.sweep.range == 0.0 and scan.start == 0.0
    # a still has no spindle
    frame = experiment.frame
    rotation = to_imgcif(frame, geometry.fast if is_still else None)
    reason = None
    fast, slow = rotation @ geometry.fast, rotation @ geometry.slow
    if not is_still and abs(float(dot(frame.spindle, frame.beam))) > LARGEST_TILT:
        reason = "the spindle is not normal to the beam"
    elif detector.curved:
        reason = "the detector is curved"
    elif max(abs(fast[2]), abs(slow[2])) > LARGEST_TILT:
        reason = "the detector is not normal to the beam"
    elif abs(fast[0] - 1.0) > LARGEST_TILT or abs(slow[1] + 1.0) > LARGEST_TILT:
        reason = "it is seen from behind, or its fast axis is not along the spindle"
    if reason is not None:
        raise CupysimError(f"-cbffile: a mini-CBF header cannot say that {reason}; use -h5file")


def write(
    stream: BinaryIO,
    experiment: Experiment,
    image: np.ndarray,
    detector: DetectorRecord | None = None,
) -> None:
    """Write a mini-CBF file.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    experiment : Experiment
        Simulated experiment; see `check_geometry`.
    image : ndarray of int32, shape (n_slow, n_fast)
        Counted photons.
    detector : DetectorRecord, optional
        The response of the detector, for the exposure time and the largest trusted number.

    Raises
    ------
    CupysimError
        If fabio is not installed, or the header cannot describe the geometry.
    """
    check_geometry(experiment)
    counts = np.asarray(image, dtype=np.int32)
    if (counts < 0).any():
        # the difference between the brightest pixel and a neighbouring gap must fit into 32 bits
        counts = np.minimum(counts, LARGEST_PIXEL_VALUE - 1)
    lines = [
        b"###CBF: VERSION 1.5, cupysim", b"data_image", b"",
        b'_array_data.header_convention "GENERIC_MINI"', b"_array_data.header_contents", b";",
        *(line.encode() for line in _header_lines(experiment, detector)), b";", b"",
        b"_array_data.data", b";", *pack(counts), b";", b"",
    ]  # fmt: skip
    stream.write(b"\r\n".join(lines))


def _largest_trusted(detector: DetectorRecord) -> int:
    """Largest trusted number; photons of analogue signals are rounded, also those of overloads."""
    largest = detector.saturation
    return max(math.ceil(largest) - 1 if detector.gains else int(largest), 0)


def _header_lines(experiment: Experiment, response: DetectorRecord | None) -> list[str]:
    detector, scan = experiment.one_panel("mini-CBF files"), experiment.scan
    geometry, frame = experiment.geometry, experiment.frame
    spot = beam_spot(np.stack([geometry.origin, geometry.fast, geometry.slow]), frame.beam)
    assert spot is not None
    x, y, distance = spot[0] / detector.pixel_size, spot[1] / detector.pixel_size, spot[2]
    start, width = (angle * DEGREES_PER_RADIAN for angle in (scan.start, scan.sweep.range))
    seconds, cutoff = "1.0", LARGEST_PIXEL_VALUE
    if response is not None:
        seconds, cutoff = f"{response.duration:.12g}", _largest_trusted(response)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000")
    return [
        "# Detector: GENERIC simulated by cupysim, S/N 00-0000",
        f"# {now}",
        f"# Pixel_size {detector.pixel_size:.12g} m x {detector.pixel_size:.12g} m",
        f"# Silicon sensor, thickness {max(detector.sensor.layers.range, THINNEST_SENSOR):g} m",
        f"# Exposure_time {seconds} s",
        f"# Exposure_period {seconds} s",
        "# Tau = 0 s",
        f"# Count_cutoff {cutoff} counts",
        f"# Wavelength {experiment.sources.mean_wavelength / ANGSTROM:.12g} A",
        f"# Detector_distance {distance:.12g} m",
        f"# Beam_xy ({x:.9f}, {y:.9f}) pixels",
        f"# Start_angle {start:.9f} deg.",
        f"# Angle_increment {width:.9f} deg.",
        "# Oscillation_axis X, CW",
    ]
