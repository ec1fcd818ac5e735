"""Mini-CBF images, as Pilatus detectors write them, through fabio."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import CupysimError, FileFormatError
from cupysim.formats.frames import to_imgcif
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.optional import require
from cupysim.formats.pixels import LARGEST_COUNT, THINNEST_SENSOR
from cupysim.formats.reading import opened
from cupysim.maths.resolution import beam_spot
from cupysim.models.experiment import Experiment

SIGNATURE = b"###CBF"

BINARY_START = b"\x0c\x1a\x04\xd5"
"""Bytes before the packed pixels."""

LARGEST_TILT = 1e-9
"""Sine of the angle to the beam below which an axis is normal to it."""

NUMBER = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)"

FIELDS = {
    "pixel": rf"Pixel_size\s+{NUMBER}\s*m\s*x\s*{NUMBER}\s*m",
    "wavelength": rf"Wavelength\s+{NUMBER}\s*A",
    "distance": rf"Detector_distance\s+{NUMBER}\s*m",
    "beam": rf"Beam_xy\s+\(\s*{NUMBER}\s*,\s*{NUMBER}\s*\)\s*pixels",
    "start": rf"Start_angle\s+{NUMBER}\s*deg",
    "increment": rf"Angle_increment\s+{NUMBER}\s*deg",
}
"""Lines of the header which matter."""

NEEDED = ("pixel", "distance", "beam")


def read(path: os.PathLike[str] | str) -> tuple[np.ndarray, ImageGeometry]:
    """Read an image and its geometry.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    image : ndarray of int, shape (n_slow, n_fast)
        Counts; negative in gaps.
    geometry : ImageGeometry
        In imgCIF's frame, for a detector which is normal to the beam.

    Raises
    ------
    FileFormatError
        If the file is damaged, or its header does not tell the geometry.
    CupysimError
        If fabio is not installed.
    """
    cbfimage = require("fabio.cbfimage", "reading CBF images")
    _check_whole(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _patient(cbfimage.CbfImage)()
            with _quiet():
                image.read(os.fspath(path), check_MD5=False)
        data = np.asarray(image.data)
    except Exception as error:
        # fabio's readers raise whatever their parsing stumbles over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(path, f"cannot be read as CBF: {reason}") from error
    if data is None or data.ndim != 2:
        raise FileFormatError(path, "the CBF holds no image")
    text = str(image.header.get("_array_data.header_contents", ""))
    found = {}
    for name, pattern in FIELDS.items():
        match = re.search(pattern, text)
        if match is not None:
            found[name] = [float(number) for number in match.groups()]
        elif name in NEEDED:
            raise FileFormatError(path, f"its header has no line {pattern.split(chr(92))[0]}")
    size, other = found["pixel"]
    if size != other or not size > 0.0:
        raise FileFormatError(path, f"pixels of {size:g} x {other:g} m; square ones are expected")
    start, increment = (found.get(name, [None])[0] for name in ("start", "increment"))
    fast, slow = np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    beam = np.array([0.0, 0.0, -1.0])
    x, y = found["beam"]
    return data, ImageGeometry(
        n_fast=data.shape[1],
        n_slow=data.shape[0],
        pixel_size=size,
        origin=found["distance"][0] * beam - size * (x * fast + y * slow),
        fast=fast,
        slow=slow,
        beam=beam,
        spindle=fast,
        wavelength=found["wavelength"][0] * ANGSTROM if "wavelength" in found else None,
        phi=None if start is None else start / DEGREES_PER_RADIAN,
        oscillation=None if increment is None else increment / DEGREES_PER_RADIAN,
    )


def _patient(reader: Any) -> Any:
    """Fabio's reader, but for its search for the packed pixels, which does not end without them."""

    class Reader(reader):  # type: ignore[misc]
        cbs: bytes | None

        def _read_binary_section_header(self, stream: Any) -> None:
            section: bytes = (self.cbs or b"") + stream.read()
            if BINARY_START not in section:
                raise OSError("it has no binary section")
            self.cbs = section
            super()._read_binary_section_header(stream)

    return Reader


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep fabio's complaints to itself: what matters becomes our error."""
    logger = logging.getLogger("fabio")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _check_whole(path: os.PathLike[str] | str) -> None:
    """Refuse a file which ends before its image does, in which fabio would look for ever."""
    with opened(path) as stream:
        data = stream.read()
    start = data.find(BINARY_START)
    size = re.search(rb"X-Binary-Size:\s*(\d+)", data[: max(start, 0)])
    if start < 0 or size is None:
        raise FileFormatError(path, "the CBF holds no image")
    if len(data) < start + len(BINARY_START) + int(size[1]):
        raise FileFormatError(path, "the CBF is cut off")


def check_geometry(experiment: Experiment) -> None:
    """Refuse what a mini-CBF header cannot say.

    Parameters
    ----------
    experiment : Experiment
        What is simulated.

    Raises
    ------
    CupysimError
        If the detector is tilted or curved, or its axes are not along the spindle and across.
    """
    detector = experiment.detector
    geometry, scan = detector.geometry, experiment.scan
    is_still = scan.sweep.range == 0.0 and scan.start == 0.0
    # of a still nobody needs the spindle
    rotation = to_imgcif(detector.unit_frame, geometry.fast if is_still else None)
    reason = None
    fast, slow = rotation @ geometry.fast, rotation @ geometry.slow
    if detector.curved:
        reason = "the detector is curved"
    elif max(abs(fast[2]), abs(slow[2])) > LARGEST_TILT:
        reason = "the detector is not normal to the beam"
    elif abs(fast[0] - 1.0) > LARGEST_TILT or abs(slow[1] + 1.0) > LARGEST_TILT:
        reason = "it is seen from behind, or its fast axis is not along the spindle"
    if reason is not None:
        raise CupysimError(f"-cbffile: a mini-CBF header cannot say that {reason}; use -h5file")


def write(stream: BinaryIO, experiment: Experiment, image: np.ndarray) -> None:
    """Write an image.

    Parameters
    ----------
    stream : binary stream
        Where.
    experiment : Experiment
        What was simulated; see `check_geometry`.
    image : ndarray of int32, shape (n_slow, n_fast)
        Counts.

    Raises
    ------
    CupysimError
        If fabio is not installed, or the detector is tilted.
    """
    cbfimage = require("fabio.cbfimage", "writing CBF images")
    check_geometry(experiment)
    header = {
        "_array_data.header_convention": "PILATUS_1.2",
        "_array_data.header_contents": "\r\n".join(_header_lines(experiment)),
    }
    with tempfile.TemporaryDirectory() as folder:
        # fabio writes to names, not to streams
        path = Path(folder) / "image.cbf"
        cbfimage.CbfImage(data=image.astype(np.int32), header=header).write(str(path))
        stream.write(path.read_bytes())


def _header_lines(experiment: Experiment) -> list[str]:
    detector, scan = experiment.detector, experiment.scan
    geometry, frame = detector.geometry, detector.unit_frame
    spot = beam_spot(np.stack([geometry.origin, geometry.fast, geometry.slow]), frame.beam)
    assert spot is not None
    x, y, distance = spot[0] / detector.pixel_size, spot[1] / detector.pixel_size, spot[2]
    start, width = (angle * DEGREES_PER_RADIAN for angle in (scan.start, scan.sweep.range))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000")
    return [
        "",
        "# Detector: PILATUS simulated by cupysim, S/N 00-0000",
        f"# {now}",
        f"# Pixel_size {detector.pixel_size:.9g} m x {detector.pixel_size:.9g} m",
        f"# Silicon sensor, thickness {max(detector.sensor.layers.range, THINNEST_SENSOR):g} m",
        "# Exposure_time 1.0 s",
        "# Exposure_period 1.0 s",
        "# Tau = 0 s",
        f"# Count_cutoff {LARGEST_COUNT} counts",
        f"# Wavelength {experiment.nominal_wavelength / ANGSTROM:.9g} A",
        f"# Detector_distance {distance:.9g} m",
        f"# Beam_xy ({x:.6f}, {y:.6f}) pixels",
        f"# Start_angle {start:.6f} deg.",
        f"# Angle_increment {width:.6f} deg.",
        "",
    ]
