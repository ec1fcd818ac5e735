"""Detectors and geometry files (.poni) of pyFAI, as a detector of one panel.

The laboratory frame is that of CrystFEL: z along the beam, y up, and x = y cross z, which is to the
left if one looks along the beam. pyFAI's axis 1 is up (y), its axis 2 is to the right if one looks
along the beam (-x), and its axis 3 is along the beam (z). A point of the detector at (p1, p2)
is at R (p1 - poni1, p2 - poni2, distance) on these axes. R = R3(rot3) R2(-rot2) R1(-rot1) turns
about fixed axes, first about axis 1; a positive angle of R1, R2 and R3 is right-handed.

An orientation of pyFAI says where the first pixel is. If one looks along the beam, 1 is the top
right, 2 the top left, 3 (pyFAI's usual one) the bottom left and 4 the bottom right. The detector
stays in its place: only the order of rows (1 and 2) or columns (1 and 4) is reversed. Distances p1
and p2 count from the bottom left corner, whatever the orientation. pyFAI since version 2026.9 does
the same. Older versions also mirrored the laboratory for orientations 1, 2 and 4, which changes
azimuths but no scattering angles; a .poni file has the same numbers in both.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.crystfel.reader import BEAM, ELECTRIC, SPINDLE
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.geometry_checks import with_panel_doubts
from cupysim.formats.poni_text import PoniText, number_of, read_text
from cupysim.formats.pyfai_pixels import USUAL, Pixels, named, pixels_of, sensor_told
from cupysim.models.checks import finite, vector_of
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.optional_libraries import require

TO_LAB = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""Columns: pyFAI's axes 1, 2 and 3 in CrystFEL's frame."""

REVERSED_ROWS, REVERSED_COLUMNS = (1, 2), (1, 4)
"""Orientations whose first row is at the top, or whose first column is at the right."""


class _Place(NamedTuple):
    """Where a detector is, in pyFAI's numbers (m and rad)."""

    distance: float
    poni1: float
    poni2: float
    rot1: float
    rot2: float
    rot3: float


def from_pyfai(
    detector_or_name: Any,
    *,
    distance: float,
    poni1: float | None = None,
    poni2: float | None = None,
    rot1: float = 0.0,
    rot2: float = 0.0,
    rot3: float = 0.0,
    wavelength: float | None = None,
) -> DetectorGeometry:
    """Place a detector of pyFAI.

    Parameters
    ----------
    detector_or_name : Detector, str or path_like
        Detector object of pyFAI, name of a detector that pyFAI knows, or NeXus file of a detector
        that pyFAI wrote.
    distance : float
        Distance (m) from the sample to the detector's plane.
    poni1, poni2 : float, optional
        Point of normal incidence (m) along the slow and the fast axis of the detector in its
        orientation 3. By default, the middle of the detector.
    rot1, rot2, rot3 : float, optional
        Rotations (rad) about pyFAI's axes 1, 2 and 3, in this order. The first two are left-handed.
    wavelength : float, optional
        Wavelength (m).

    Returns
    -------
    DetectorGeometry
        Detector of one panel in CrystFEL's frame: z along the beam, y up. Spindle and electric
        field are along x; pyFAI does not give them. Masked pixels do not exist.

    Raises
    ------
    ModelError
        If pyFAI knows no such detector, the detector is not a flat grid of equal pixels, has no
        shape or size, or a number is impossible.
    FileFormatError
        If the NeXus file cannot be read.
    CupysimError
        If a name or file is given and pyFAI is not installed.
    """
    if wavelength is not None and not finite(wavelength, "wavelength") > 0.0:
        raise ModelError(f"wavelength: must be positive, got {wavelength:g} m")
    detector = detector_or_name
    if isinstance(detector, str | os.PathLike):
        detector = named(os.fspath(detector))
    pixels = pixels_of(detector)
    middle = (0.5 * count * edge for count, edge in zip(pixels.shape, pixels.edges, strict=True))
    poni1, poni2 = (
        half if given is None else given for given, half in zip((poni1, poni2), middle, strict=True)
    )
    place = _Place(
        *(
            finite(value, name)
            for name, value in zip(
                _Place._fields, (distance, poni1, poni2, rot1, rot2, rot3), strict=True
            )
        )
    )
    return _placed(pixels, place, wavelength)


def read_poni(
    path: os.PathLike[str] | str,
    *,
    wavelength: float | None = None,
    distance: float | None = None,
) -> DetectorGeometry:
    """Read a geometry file of pyFAI (.poni), of version 1, 2, 2.1 or 3.

    Parameters
    ----------
    path : path_like
        File to read.
    wavelength : float, optional
        Wavelength (m) in place of that of the file.
    distance : float, optional
        Distance (m) in place of that of the file.

    Returns
    -------
    DetectorGeometry
        Detector of one panel in CrystFEL's frame: z along the beam, y up. Spindle and electric
        field are along x; pyFAI does not give them. Masked pixels do not exist.

    Raises
    ------
    ModelError
        If the given wavelength or distance is not possible.
    FileFormatError
        If the file is damaged, lacks a number, gives no number of pixels, or has a detector that
        is not a flat grid of equal pixels.
    CupysimError
        If pyFAI is needed and not installed.

    Notes
    -----
    Files whose detector is pyFAI's general one (``Detector: Detector``) describe their pixels, and
    are read without pyFAI. Others name a detector, whose shape and mask only pyFAI knows.
    """
    if wavelength is not None and not 0.0 < wavelength < math.inf:
        raise ModelError(f"wavelength: must be positive, got {wavelength:g} m")
    if distance is not None and not math.isfinite(distance):
        raise ModelError(f"distance: must be finite, got {distance:g} m")
    text = read_text(path, distance=distance)
    place = _Place(text.distance, text.poni1, text.poni2, text.rot1, text.rot2, text.rot3)
    wave = text.wavelength if wavelength is None else wavelength
    remarks = []
    if text.config.get("orientation") is None:
        remarks.append("no orientation: the first row is at the bottom, as pyFAI assumes")
    if text.has_parallax:
        remarks.append("Parallax: pixels are where they are, not corrected for the parallax")
    try:
        pixels = _plain(path, text) if text.is_plain else pixels_of(_configured(path, text))
        return with_panel_doubts(_placed(pixels, place, wave, remarks))
    except ModelError as error:
        raise FileFormatError(path, str(error)) from error


def rotation(rot1: float, rot2: float, rot3: float) -> np.ndarray:
    """Rotation matrix of pyFAI, on its axes 1, 2 and 3.

    Parameters
    ----------
    rot1, rot2, rot3 : float
        Rotations (rad): about axis 1 and then axis 2, left-handed, and then about axis 3,
        right-handed.

    Returns
    -------
    ndarray, shape (3, 3)
        Matrix R3 R2 R1, as in pyFAI's ``Geometry.rotation_matrix``.
    """
    (c1, c2, c3), (s1, s2, s3) = np.cos([rot1, rot2, rot3]), np.sin([rot1, rot2, rot3])
    about_1 = np.array([[1.0, 0.0, 0.0], [0.0, c1, s1], [0.0, -s1, c1]])
    about_2 = np.array([[c2, 0.0, -s2], [0.0, 1.0, 0.0], [s2, 0.0, c2]])
    about_3 = np.array([[c3, -s3, 0.0], [s3, c3, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_3 @ about_2 @ about_1)


def _placed(
    pixels: Pixels, place: _Place, wavelength: float | None, remarks: Sequence[str] = ()
) -> DetectorGeometry:
    """The detector in the laboratory."""
    (n_slow, n_fast), (slow_edge, fast_edge) = pixels.shape, pixels.edges
    if pixels.orientation not in (1, 2, 3, 4):
        raise ModelError(f"orientation: {pixels.orientation} is none of 1, 2, 3 and 4")
    top, right = pixels.orientation in REVERSED_ROWS, pixels.orientation in REVERSED_COLUMNS
    turn = TO_LAB @ rotation(place.rot1, place.rot2, place.rot3)
    corner = np.array(
        [
            top * n_slow * slow_edge - place.poni1,
            right * n_fast * fast_edge - place.poni2,
            place.distance,
        ]
    )
    # 0 is added because -0 would be printed
    fast, slow = (
        vector_of((-turn if is_reversed else turn)[:, axis] + 0.0)
        for axis, is_reversed in ((1, right), (0, top))
    )
    panel = Panel(
        pixels.name, n_fast, n_slow, vector_of(turn @ corner + 0.0), fast, slow,
        (fast_edge, slow_edge), mask=pixels.mask,
    )  # fmt: skip
    of_sensor = (
        f"the sensor ({pixels.sensor}) is not used: it absorbs every photon unless a thickness and "
        "an absorption are given",
    )
    detector = PanelDetector([panel], BEAM, SPINDLE, ELECTRIC, name=pixels.name)
    told = (*remarks, *(of_sensor if pixels.sensor else ()))
    return DetectorGeometry(detector, wavelength, remarks=told)


def _plain(path: object, text: PoniText) -> Pixels:
    """Pixels of a general detector, which the file describes."""
    edges = []
    for key in ("pixel1", "pixel2"):
        old = key.replace("pixel", "pixelsize")
        told = text.config.get(key) if text.version >= 2.0 else text.words.get(old)
        if told is None:
            raise FileFormatError(path, f"there is no {key if text.version >= 2.0 else old}")
        edges.append(number_of(path, told, key))
    shape = text.config.get("max_shape")
    if shape is None:
        raise FileFormatError(
            path, "there is no number of pixels (max_shape in Detector_config); name a detector in "
            "the file, or give an object to cupysim.formats.pyfai_detector.from_pyfai",
        )  # fmt: skip
    if not isinstance(shape, list) or len(shape) != 2:
        raise FileFormatError(path, f"max_shape: expected two numbers, got {str(shape)[:20]}")
    counts = [number_of(path, count, "max_shape") for count in shape]
    if any(count != int(count) for count in counts):
        raise FileFormatError(path, f"max_shape: expected whole numbers, got {str(shape)[:20]}")
    orientation = number_of(path, text.config.get("orientation") or USUAL, "orientation")
    return Pixels(
        "detector", (int(counts[0]), int(counts[1])), (edges[0], edges[1]), int(orientation), None,
        sensor_told(text.config.get("sensor")),
    )  # fmt: skip


@contextlib.contextmanager
def _silent(library: str) -> Iterator[None]:
    """Keep a library from writing pages about what the caller reports in a line."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _configured(path: object, text: PoniText) -> Any:
    """The detector of pyFAI that a file names and configures."""
    ponifile = require("pyFAI.io.ponifile", f"{path}: the detector {text.detector!r}")
    try:
        with _silent("pyFAI"):
            return ponifile.PoniFile(data=dict(text.words)).detector
    except Exception as error:
        reason = str(error).split("\n")[0][:80]
        raise FileFormatError(
            path, f"pyFAI cannot make the detector {text.detector!r} ({reason})"
        ) from error
