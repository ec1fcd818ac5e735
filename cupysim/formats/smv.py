"""SMV images: a 512-byte text header, then 16-bit integers.

For compatibility with the C program, the header has the same keys in the same order, and numbers in
the format %g. Other programs recognise such files by ``BEAMLINE=fake``.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.other_files import kind_of_other, refusal
from cupysim.formats.text_numbers import NUMBER
from cupysim.models.experiment import Experiment
from cupysim.storage.reading import opened

HEADER_BLOCK = 512
"""Length (bytes) of the usual header. Other headers are a multiple of it."""

LARGEST_HEADER = 2**20
"""Largest length of a header (bytes)."""

START = re.compile(rb"\{\s*HEADER_BYTES\s*=")
"""First bytes of an SMV file."""

CUT_OFF = "the file is cut off inside its header"

PIXEL_TYPES = {
    "unsigned_short": "u2",
    "unsigned_short_int": "u2",
    "short": "i2",
    "short_int": "i2",
    "signed_short": "i2",
    "unsigned_long": "u4",
    "unsigned_long_int": "u4",
    "unsigned_long_integer": "u4",
    "unsigned_int": "u4",
    "long": "i4",
    "long_int": "i4",
    "long_integer": "i4",
    "signed_long": "i4",
    "int": "i4",
    "unsigned_char": "u1",
    "signed_char": "i1",
    "float": "f4",
    "float_ieee": "f4",
    "double": "f8",
}
"""Values of TYPE and Data_type, in lower case and with underscores, and the NumPy types. A long
integer has 32 bits."""

NO_COMPRESSION = ("", "none")

RATIO, HALF, LARGEST_RATIO = "RAXIS_COMPRESSION_RATIO", 2**15, 2**16
"""Key of d*TREK with a ratio, smallest packed value, and largest ratio. A packed value minus `HALF`
is a number in units of the ratio."""


def header(experiment: Experiment, pedestal: float | None = None) -> bytes:
    """Make the header of an image of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Simulated experiment.
    pedestal : float, optional
        Number of a pixel without signal (``IMAGE_PEDESTAL``), which nanoBragg does not write.

    Returns
    -------
    bytes
        512 bytes, or 1024 if the numbers are too long for 512 (quirk Q33).
    """
    return assembled(_header_lines(experiment, pedestal))


def assembled(lines: Sequence[str], kind: str = "unsigned_short") -> bytes:
    """Make a header of its lines.

    Parameters
    ----------
    lines : sequence of str
        Lines after the type of the pixels, each with its semicolon.
    kind : str, optional
        Type of the pixels.

    Returns
    -------
    bytes
        512 bytes, or a multiple of it if the lines are too long (quirk Q33).
    """
    size = HEADER_BLOCK
    while True:
        first = (f"HEADER_BYTES={size};", "DIM=2;", f"BYTE_ORDER={sys.byteorder}_endian;")
        text = "\n".join(["{", *first, f"TYPE={kind};", *lines, "}\f"]).encode("ascii")
        if len(text) <= size:
            return text.ljust(size)
        size += HEADER_BLOCK


LARGEST_SURPLUS = 2**26
"""Largest number of bytes after the pixels that are counted."""


def write(stream: BinaryIO, header_bytes: bytes, image: np.ndarray) -> None:
    """Write an SMV image.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    header_bytes : bytes
        Header, from `header`.
    image : ndarray of uint16, shape (n_slow, n_fast)
        Pixel values.
    """
    stream.write(header_bytes)
    stream.write(np.ascontiguousarray(image, dtype=np.uint16).data)


@dataclass(frozen=True)
class SmvFile:
    """Content of an SMV file.

    Parameters
    ----------
    path : str
        Name of the file.
    text : str
        Header of the file.
    image : ndarray, shape (n_slow, n_fast)
        Pixel values of the declared type, in the byte order of this machine.
    surplus : int
        Number of bytes after the pixels.
    """

    path: str
    text: str
    image: np.ndarray
    surplus: int = 0

    def word(self, key: str) -> str:
        """Value of a key as a text in lower case; empty if the key does not occur."""
        return _word(self.text, key)

    def words(self, key: str) -> list[str]:
        """All values of a key, in their order, as texts in lower case."""
        return _words(self.text, key)

    def number(self, key: str, whole_key: bool = False) -> float | None:
        """Read a number of the header.

        Parameters
        ----------
        key : str
            Name of the key.
        whole_key : bool, optional
            Ignore longer keys that end with this one.

        Returns
        -------
        float or None
            The number after the last occurrence of the key, also as the end of a longer key:
            DISTANCE finds CLOSE_DISTANCE (quirk Q29). 0 if no number follows, None if the key does
            not occur.
        """
        if whole_key:
            values = _words(self.text, key)
            return _number(f"{key}={values[-1]}", key) if values else None
        return _number(self.text, key)


def read(path: os.PathLike[str] | str) -> SmvFile:
    """Read an SMV image.

    Parameters
    ----------
    path : path_like
        File to read.

    Returns
    -------
    SmvFile
        Header and pixels.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is not an SMV image, or is cut off (Q39).
    """
    with opened(path) as stream:
        start = stream.read(HEADER_BLOCK)
        text = _check_header(path, start)
        size = _layout(text, "HEADER_BYTES") or 0.0
        if not HEADER_BLOCK <= size <= LARGEST_HEADER:
            raise FileFormatError(path, f"HEADER_BYTES={size:g} is not the length of a header")
        rest = stream.read(int(size) - HEADER_BLOCK)
        if len(rest) < int(size) - HEADER_BLOCK:
            raise FileFormatError(path, f"{HEADER_BLOCK + len(rest)} bytes: {CUT_OFF}")
        text += rest.decode("latin-1").split("\0")[0]
        shape, kind = _shape(path, text), _pixel_type(path, text)
        needed = kind.itemsize * shape[0] * shape[1]
        data = stream.read(needed)
        surplus = len(stream.read(LARGEST_SURPLUS))
    if len(data) < needed:
        raise FileFormatError(
            path,
            f"{len(data)} bytes of pixels, but {shape[1]} x {shape[0]} pixels need "
            f"{needed}; the file is cut off",
        )
    image = np.frombuffer(data, dtype=kind).astype(kind.newbyteorder("=")).reshape(shape)
    return SmvFile(os.fspath(path), text, _expanded(path, text, image), surplus)


def _expanded(path: os.PathLike[str] | str, text: str, image: np.ndarray) -> np.ndarray:
    """Pixels with the large values that d*TREK packs into 16 bits, as R-AXIS detectors do."""
    word = _word(text, RATIO)
    if not word or image.dtype != np.uint16:
        return image
    if not word.isdecimal() or not 1 <= int(word) <= LARGEST_RATIO:
        raise FileFormatError(path, f"{RATIO}={word} is no ratio from 1 to {LARGEST_RATIO}")
    if int(word) == 1:
        return image
    wide = image.astype(np.uint32)
    return np.where(image < HALF, wide, (wide - HALF) * int(word)).astype(np.uint32)


def _pixel_type(path: os.PathLike[str] | str, text: str) -> np.dtype:
    """Type and byte order of the pixels that the header declares."""
    compression = _word(text, "COMPRESSION")
    if compression not in NO_COMPRESSION:
        raise FileFormatError(path, f"pixels are compressed ({compression}); not supported")
    name = _word(text, "TYPE") or _word(text, "Data_type") or "unsigned_short"
    kind = PIXEL_TYPES.get(re.sub(r"[\s_]+", "_", name.strip()))
    if kind is None:
        raise FileFormatError(
            path, f"pixels of the type {name!r}; known are {', '.join(PIXEL_TYPES)}"
        )
    said = _word(text, "BYTE_ORDER")
    if said and not re.search("big|little", said) and np.dtype(kind).itemsize > 1:
        raise FileFormatError(
            path, f"BYTE_ORDER {said!r} is not known; known are big_endian and little_endian"
        )
    order = ">" if "big" in said else "<"
    return np.dtype(order + kind)


def _words(text: str, key: str) -> list[str]:
    # a key inside the value of another key is ignored, such as in COMMENT=old DISTANCE=300
    pattern = rf"(?:^|[;{{\r\n\f])\s*{re.escape(key)}\s*=([^;\r\n]*)"
    values = re.findall(pattern, text, re.IGNORECASE)
    return [value.strip().lower() for value in values]


def _word(text: str, key: str) -> str:
    return (_words(text, key) or [""])[-1]


def _check_header(path: os.PathLike[str] | str, start: bytes) -> str:
    if len(start) < HEADER_BLOCK and START.match(start):
        raise FileFormatError(path, f"{len(start)} bytes: {CUT_OFF}")
    if not START.match(start):
        kind = kind_of_other(start)
        if kind:
            raise FileFormatError(path, refusal(kind))
        hint = ""
        if start.lstrip().startswith(b"{") and b'"' in start:
            hint = "; give a DIALS experiment list by -expt"
        raise FileFormatError(
            path, f"not an SMV image: it does not start with {{HEADER_BYTES={hint}"
        )
    return start.decode("latin-1").split("\0")[0]


def _layout(text: str, key: str) -> float | None:
    """Number of a key that says where the pixels are.

    A longer key that ends with this one counts only if there is no other (quirk Q29).
    """
    values = _words(text, key)
    return _number(f"{key}={values[-1]}" if values else text, key)


def _shape(path: os.PathLike[str] | str, text: str) -> tuple[int, int]:
    n_fast, n_slow = (_layout(text, key) or 0.0 for key in ("SIZE1", "SIZE2"))
    if n_fast == 0.0:
        n_fast = n_slow = _number(text, "DETECTOR_DIMENSIONS") or 0.0
    if not (1.0 <= n_fast < 2**31 and 1.0 <= n_slow < 2**31 and n_fast * n_slow < 2**31):
        raise FileFormatError(
            path, f"SIZE1={n_fast:g} and SIZE2={n_slow:g} are not the size of an image"
        )
    if not (n_fast.is_integer() and n_slow.is_integer()):
        raise FileFormatError(path, f"SIZE1={n_fast:g} and SIZE2={n_slow:g} are not integers")
    return int(n_slow), int(n_fast)


def _number(text: str, key: str) -> float | None:
    found = text.rfind(key)
    if found < 0:
        return None
    equals = text.find("=", found + len(key))
    if equals < 0:
        return 0.0
    match = NUMBER.match(text[equals + 1 :].lstrip())
    value = float(match.group()) if match else 0.0
    return value if math.isfinite(value) else 0.0


def _header_lines(experiment: Experiment, pedestal: float | None) -> list[str]:
    detector, scan = experiment.one_panel("SMV files"), experiment.scan
    geometry, pixel = experiment.geometry, detector.pixel_size
    centre = experiment.placed_panel.centre
    near_x, near_y = (geometry.close_fast / pixel + 0.5, geometry.close_slow / pixel + 0.5)
    start = scan.start * DEGREES_PER_RADIAN
    origin = dials_origin(experiment)
    wavelength = experiment.beam.wavelength
    if experiment.policy.is_right:
        wavelength = experiment.sources.mean_wavelength
    return [
        f"SIZE1={detector.n_fast};",
        f"SIZE2={detector.n_slow};",
        f"PIXEL_SIZE={pixel * 1000.0:g};",
        f"DISTANCE={geometry.distance * 1000.0:g};",
        f"WAVELENGTH={wavelength * 1e10:g};",
        f"BEAM_CENTER_X={centre.x * 1000.0:g};",
        f"BEAM_CENTER_Y={centre.y * 1000.0:g};",
        f"ADXV_CENTER_X={geometry.beam_fast * 1000.0:g};",
        f"ADXV_CENTER_Y={(detector.extent[1] - geometry.beam_slow) * 1000.0:g};",
        f"MOSFLM_CENTER_X={(geometry.beam_slow - 0.5 * pixel) * 1000.0:g};",
        f"MOSFLM_CENTER_Y={(geometry.beam_fast - 0.5 * pixel) * 1000.0:g};",
        f"DENZO_X_BEAM={geometry.beam_slow * 1000.0:g};",
        f"DENZO_Y_BEAM={geometry.beam_fast * 1000.0:g};",
        f"DIALS_ORIGIN={origin[0]:g},{origin[1]:g},{origin[2]:g}",
        f"XDS_ORGX={near_x:g};",
        f"XDS_ORGY={near_y:g};",
        f"CLOSE_DISTANCE={geometry.close_distance * 1000.0:g};",
        f"PHI={start:g};",
        f"OSC_START={start:g};",
        f"OSC_RANGE={scan.sweep.range * DEGREES_PER_RADIAN:g};",
        f"TWOTHETA={detector.angles.twotheta * DEGREES_PER_RADIAN:g};",
        "DETECTOR_SN=000;",
        "BEAMLINE=fake;",
        *([] if pedestal is None else [f"IMAGE_PEDESTAL={pedestal:.12g};"]),
    ]


def dials_origin(experiment: Experiment) -> tuple[float, float, float]:
    """Origin of the panel in DIALS' frame (mm), as the C program prints it.

    Parameters
    ----------
    experiment : Experiment
        Simulated experiment.

    Returns
    -------
    tuple of 3 float
        1000 (z, y, -x) in mm. It is computed by scalar products, so that a zero has the C program's
        sign. It has a meaning only for beams along x.
    """
    x, y, z = (float(component) for component in experiment.geometry.origin)
    return (
        1000.0 * (x * 0.0 + y * 0.0 + z * 1.0),
        1000.0 * (x * 0.0 + y * 1.0 + z * 0.0),
        1000.0 * (x * -1.0 + y * 0.0 + z * 0.0),
    )
