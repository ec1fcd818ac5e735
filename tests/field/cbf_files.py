"""CBF files as other programs write them, made without cupysim."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MARKER = b"\x0c\x1a\x04\xd5"

TYPES = {
    "i": "signed {}-bit integer", "u": "unsigned {}-bit integer", "f": "signed {}-bit real IEEE",
}  # fmt: skip

HEADER = {
    "Detector:": "PILATUS3 300K, S/N 3-0000",
    "Pixel_size": "172e-6 m x 172e-6 m",
    "Silicon": "sensor",
    "Exposure_period": "1.0 s",
    "Wavelength": "0.98 A",
    "Detector_distance": "0.15 m",
    "Beam_xy": "(3.25, 2.5) pixels",
    "Start_angle": "10.0 deg.",
    "Angle_increment": "0.5 deg.",
    "Oscillation_axis": "X, CW",
}
"""Lines of a header as Pilatus detectors write them."""


def byte_offset(values: Sequence[int]) -> bytes:
    """Differences, in as many bytes as they need (CBFlib manual, 3.3.3)."""
    packed, before = b"", 0
    for value in values:
        delta = int(value) - before
        before = int(value)
        if -127 <= delta <= 127:
            packed += struct.pack("<b", delta)
        elif -32767 <= delta <= 32767:
            packed += b"\x80" + struct.pack("<h", delta)
        elif -(2**31) < delta < 2**31:
            packed += b"\x80\x00\x80" + struct.pack("<i", delta)
        else:
            packed += b"\x80\x00\x80\x00\x00\x00\x80" + struct.pack("<q", delta)
    return packed


def section(
    pixels: np.ndarray, packed: bytes | None = None, conversions: str = "x-CBF_BYTE_OFFSET",
    **fields: str | None,
) -> bytes:  # fmt: skip
    """A binary section; further fields replace or, as None, leave out those it has."""
    n_slow, n_fast = pixels.shape
    if packed is None:
        packed = byte_offset(pixels.ravel().tolist())
    found: dict[str, str | None] = {
        "Content-Transfer-Encoding": "BINARY",
        "X-Binary-Size": str(len(packed)),
        "X-Binary-ID": "1",
        "X-Binary-Element-Type": (
            f'"{TYPES[pixels.dtype.kind].format(8 * pixels.dtype.itemsize)}"'
        ),
        "X-Binary-Element-Byte-Order": "LITTLE_ENDIAN",
        "Content-MD5": base64.b64encode(hashlib.md5(packed).digest()).decode(),
        "X-Binary-Number-of-Elements": str(pixels.size),
        "X-Binary-Size-Fastest-Dimension": str(n_fast),
        "X-Binary-Size-Second-Dimension": str(n_slow),
        "X-Binary-Size-Padding": "10",
    }
    found |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [
        "--CIF-BINARY-FORMAT-SECTION--",
        "Content-Type: application/octet-stream;",
        f'     conversions="{conversions}"',
        *(f"{name}: {value}" for name, value in found.items() if value is not None),
        "",
        "",
    ]
    end = b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n"
    return "\r\n".join(lines).encode() + MARKER + packed + bytes(10) + end


def mini_cbf(path: Path, binary: bytes, line_end: str = "\r\n", **lines: str | None) -> Path:
    """A mini-CBF file; further lines replace or, as None, leave out those it has."""
    header = {**HEADER, **lines}
    text = [
        "###CBF: VERSION 1.5, CBFlib v0.7.8 - PILATUS detectors", "", "data_image_00001", "",
        '_array_data.header_convention "PILATUS_1.2"', "_array_data.header_contents", ";",
        *(f"# {name} {value}" for name, value in header.items() if value is not None),
        ";", "", "_array_data.data", ";", "",
    ]  # fmt: skip
    path.write_bytes(line_end.join(text).encode() + binary + b";\r\n")
    return path


AXES = [
    "SOURCE general source . 0 0 1 . . .",
    "OMEGA rotation goniometer . 1 0 0 . . .",
    "KAPPA rotation goniometer OMEGA 0.642787609687 -0.766044443119 0 . . .",
    "PHI rotation goniometer KAPPA 1 0 0 . . .",
    "TWOTHETA rotation detector . 1 0 0 . . .",
    "DISTANCE translation detector TWOTHETA 0 0 -1 0 0 0",
    "ELEMENT_Y translation detector DISTANCE 0 -1 0 -41.8 -56.07 0",
    "ELEMENT_X translation detector ELEMENT_Y 1 0 0 0 0 0",
]
"""Axes such as those of a beamline with a kappa goniometer and a detector on an arm."""


def loop(category: str, columns: str, rows: Sequence[str]) -> str:
    """A loop of a CIF."""
    return "\n".join(["loop_", *(f"_{category}.{c}" for c in columns.split()), *rows, "", ""])


def imgcif_text(
    size: tuple[int, int],
    axes: Sequence[str] = AXES,
    stands: dict[str, tuple[float, float]] | None = None,
    increments: dict[str, float] | None = None,
    surface: tuple[str, str] = ("ELEMENT_X", "ELEMENT_Y"),
    steps: tuple[float, float] = (0.172, 0.172),
    starts: tuple[float, float] = (0.0, 0.0),
    wavelengths: Sequence[str] = ("W1 0.98 1",),
    extra: str = "",
) -> str:  # fmt: skip
    """Tables of an imgCIF file.

    `stands` has angle (degrees) and displacement (mm) of axes; others stand at zero.
    """
    stands, increments = stands or {"DISTANCE": (0.0, 150.0)}, increments or {}
    names = [row.split()[0] for row in axes]
    places = {name: stands.get(name, (0.0, 0.0)) for name in names}
    detector = [
        name for name, row in zip(names, axes, strict=True)
        if row.split()[2] == "detector" and name not in surface
    ]  # fmt: skip
    goniometer = [row.split()[0] for row in axes if row.split()[2] == "goniometer"]
    return "".join(
        [
            "_diffrn.id D1\n\n",
            loop("diffrn_radiation", "diffrn_id wavelength_id", ["D1 W1"]),
            loop("diffrn_radiation_wavelength", "id wavelength wt", wavelengths),
            loop("diffrn_detector", "diffrn_id id number_of_axes", [f"D1 DET {len(detector)}"]),
            loop("diffrn_detector_axis", "detector_id axis_id", [f"DET {n}" for n in detector]),
            loop("diffrn_detector_element", "id detector_id", ["E1 DET"]),
            loop("diffrn_data_frame", "id detector_element_id array_id binary_id", ["F1 E1 A1 1"]),
            loop("diffrn_scan", "id frame_id_start frame_id_end frames", ["S1 F1 F1 1"]),
            loop("diffrn_scan_frame", "frame_id frame_number scan_id", ["F1 1 S1"]),
            loop("diffrn_measurement", "diffrn_id id number_of_axes", [f"D1 G {len(goniometer)}"]),
            loop("diffrn_measurement_axis", "measurement_id axis_id",
                 [f"G {n}" for n in goniometer]),
            loop(
                "axis",
                "id type equipment depends_on vector[1] vector[2] vector[3] offset[1] offset[2] "
                "offset[3]",
                axes,
            ),
            loop(
                "diffrn_scan_axis",
                "scan_id axis_id angle_start angle_range angle_increment displacement_start "
                "displacement_range displacement_increment",
                [
                    f"S1 {n} {a} {increments.get(n, 0.0)} {increments.get(n, 0.0)} {d} 0.0 0.0"
                    for n, (a, d) in places.items()
                ],
            ),
            loop(
                "diffrn_scan_frame_axis",
                "frame_id axis_id angle displacement",
                [f"F1 {n} {a} {d}" for n, (a, d) in places.items()],
            ),
            loop(
                "array_structure_list",
                "array_id index dimension precedence direction axis_set_id",
                [f"A1 {i} {n} {i} increasing {name}"
                 for i, (n, name) in enumerate(zip(size, surface, strict=True), 1)],
            ),
            loop(
                "array_structure_list_axis",
                "axis_set_id axis_id displacement displacement_increment",
                [f"{n} {n} {start} {step}"
                 for n, start, step in zip(surface, starts, steps, strict=True)],
            ),
            extra,
        ]
    )  # fmt: skip


def full_cbf(path: Path, text: str, *sections: bytes) -> Path:
    """A full imgCIF file, whose binary sections are rows of one loop."""
    head = f"###CBF: VERSION 1.5\n\ndata_image_1\n\n{text}loop_\n_array_data.array_id\n"
    data = head.encode() + b"_array_data.data\n"
    for number, each in enumerate(sections, 1):
        data += b"A%d\n;\n" % number + each + b";\n"
    path.write_bytes(data)
    return path
