"""Geometry from the header of a mini-CBF file."""

from __future__ import annotations

import re

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN, ELECTRONVOLT_ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.mini_header import (
    ANGLES,
    ENERGIES,
    LENGTHS,
    NEEDED,
    PIXELS,
    SETTINGS,
    WAVELENGTHS,
    MiniHeader,
)
from cupysim.formats.pixels import THINNEST_SENSOR
from cupysim.formats.rotation import SETTING, forward, is_backward, settings_remark
from cupysim.formats.text_numbers import NUMBER
from cupysim.maths.rotations import rotate_axis

PILATUS_12M = (2463, 5071)
"""Number of pixels of the only detector with this header that is not flat: Diamond's I23."""

ALIKE = 1e-3
"""Relative difference up to which a wavelength and an energy agree."""

X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])

_SENSOR = re.compile(r"#\s*\w+ sensor,? thickness\s+([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*m\b")


def geometry(path: object, text: str, n_fast: int, n_slow: int) -> ImageGeometry:
    """Read the geometry from the header of a mini-CBF file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : str
        Text of the file.
    n_fast, n_slow : int
        Number of pixels along the fast and slow axis.

    Returns
    -------
    ImageGeometry
        Geometry in the frame of imgCIF. The detector has its fast axis along x and its slow axis
        along -y, normal to the beam. It is then turned by Detector_2theta about the spindle.

    Raises
    ------
    FileFormatError
        If lines are missing, or if values are impossible.

    Notes
    -----
    Dectris defines the lines (technical note "PILATUS CBF header specification"). The axes are
    those of dxtbx's FormatCBFMini. FormatCBFMini ignores Detector_2theta. The Pilatus files of
    Diamond's I19 have also imgCIF's axes: there, the detector's arm turns right-handed about the
    omega axis.
    """
    if (n_fast, n_slow) == PILATUS_12M:
        raise FileFormatError(
            path, "a Pilatus 12M: its 24 rows of modules lie on a cylinder; only single flat "
            "panels are supported so far"
        )  # fmt: skip
    header = MiniHeader.find(path, text)
    header.join("Beam_xy", ("Beam_x", "Beam_y"))
    missing = [name for name in NEEDED if not header.has(name)]
    if missing:
        raise FileFormatError(path, f"its header has no line {' and no '.join(missing)}")
    sizes = [value * LENGTHS[unit] for value, unit in header.numbers(NEEDED[0], 2, LENGTHS, "m")]
    if sizes[0] != sizes[1] or not sizes[0] > 0.0:
        raise FileFormatError(
            path, f"pixels of {sizes[0]:g} x {sizes[1]:g} m; square ones are expected"
        )
    distance = header.number("Detector_distance", LENGTHS, "m")
    assert distance is not None
    if not distance > 0.0:
        raise FileFormatError(path, f"Detector_distance {distance:g} m is not possible")
    x, y = (
        value if unit in PIXELS else value * LENGTHS[unit] / sizes[0]
        for value, unit in header.numbers("Beam_xy", 2, PIXELS | LENGTHS, "pixels")
    )
    beam = np.array([0.0, 0.0, -1.0])
    spindle, start, width, turns_back = _rotation(header)
    panel = np.stack([distance * beam - sizes[0] * (x * X - y * Y), X, -Y])
    panel = _swung(header, panel, np.abs(spindle))
    for name, used in (("Beam_x", x), ("Beam_y", y)):
        if not header.has(name):
            continue
        ((value, unit),) = header.numbers(name, 1, PIXELS | LENGTHS, "pixels")
        other = value if unit in PIXELS else value * LENGTHS[unit] / sizes[0]
        if abs(other - used) > 1.0:
            header.remarks.append(f"{name} is {other:g}, but Beam_xy has {used:g} and is used")
    offset = header.number("Detector_Voffset", LENGTHS, "m")
    if offset:
        header.remarks.append(
            f"Detector_Voffset {offset:g} m is not used: Beam_xy says where the beam is"
        )
    for name, usual in (("Flux", 0.0), ("Filter_transmission", 1.0)):
        match = NUMBER.match(header.lines[name][0]) if header.has(name) else None
        if match is not None and float(match.group()) != usual:
            header.remarks.append(f"{name} {match.group()} is not used; -fluence gives photons")
    if header.has("Polarization"):
        header.remarks.append(
            f"Polarization {header.lines['Polarization'][0][:40]} is not used, because its meaning "
            "differs between beamlines; -polar gives Kahn's factor"
        )
    sensor = _SENSOR.search(text)
    if sensor is not None and float(sensor[1]) > THINNEST_SENSOR:
        header.remarks.append(
            f"its sensor of {1e6 * float(sensor[1]):g} um is not simulated; use -detector_thick "
            "and -detector_abs"
        )
    wavelength, reason = wavelength_of(header)
    return ImageGeometry(
        n_fast=n_fast,
        n_slow=n_slow,
        pixel_size=sizes[0],
        origin=panel[0],
        fast=panel[1],
        slow=panel[2],
        beam=beam,
        spindle=spindle,
        wavelength=wavelength,
        phi=None if start is None else start / DEGREES_PER_RADIAN,
        oscillation=None if width is None else width / DEGREES_PER_RADIAN,
        no_wavelength=reason,
        remarks=tuple(header.remarks),
        is_reversed=turns_back,
    )


def wavelength_of(header: MiniHeader) -> tuple[float | None, str]:
    """Find the wavelength in a header.

    Parameters
    ----------
    header : MiniHeader
        Header of a mini-CBF file. Contradictions are added to its remarks.

    Returns
    -------
    wavelength : float or None
        Wavelength (m).
    reason : str
        Reason why there is no wavelength; empty if there is one.

    Raises
    ------
    FileFormatError
        If a line is not a number with a unit.
    """
    found: dict[str, float] = {}
    reason = "its header has no line Wavelength"
    limits = header.numbers("Energy_range", 2, ENERGIES, "eV") if header.has("Energy_range") else []
    for name, usual in (("Wavelength", "A"), ("Energy", "eV"), ("Photon_energy", "eV")):
        if not header.has(name):
            continue
        ((value, unit),) = header.numbers(name, 1, WAVELENGTHS | ENERGIES, usual)
        if value > 0.0:
            found[name] = _in_metres(value, unit)
        else:
            reason = f"{name} {header.lines[name][0][:40]} in its header is not a wavelength"
    if limits and limits[0] == limits[1] and limits[0][0] > 0.0:
        found["Energy_range"] = _in_metres(*limits[0])
    if not found:
        return None, reason
    wavelength = next(iter(found.values()))
    for name, other in found.items():
        if abs(other - wavelength) > ALIKE * wavelength:
            header.remarks.append(
                f"{name} in its header is {other / ANGSTROM:g} A, but "
                f"{next(iter(found))} differs and is used"
            )
    return wavelength, ""


def _in_metres(value: float, unit: str) -> float:
    """Wavelength (m) from a wavelength or a photon energy."""
    if unit in ENERGIES:
        return ELECTRONVOLT_ANGSTROM / (value * ENERGIES[unit]) * ANGSTROM
    return value * WAVELENGTHS[unit]


def _rotation(header: MiniHeader) -> tuple[np.ndarray, float | None, float | None, bool]:
    """Spindle, first angle and width (degrees), and whether the spindle is reversed."""
    text = header.lines["Oscillation_axis"][0][:40] if header.has("Oscillation_axis") else ""
    words = re.findall(r"[A-Z]+", text.upper()) or ["X"]
    named = next((name for name in SETTINGS if name.upper() in words), None)
    start = header.number("Start_angle", ANGLES, "deg")
    width = header.number("Angle_increment", ANGLES, "deg")
    stands = {name: header.number(name, ANGLES, "deg") for name in SETTINGS}
    widths = {name: header.number(f"{name}_increment", ANGLES, "deg") for name in SETTINGS}
    turning = named
    vector = _direction(text)
    if turning is None and not width:
        # an axis with its own increment turns
        turning = next((name for name in SETTINGS if widths[name]), None)
    if turning is None and start is not None:
        # the header repeats the angle of the scan under the name of its axis
        turning = next((name for name in SETTINGS if _same_angle(stands[name], start)), None)
    if turning is not None:
        start = stands[turning] if start is None else start
        if not width and widths[turning]:
            if width is not None:
                header.remarks.append(
                    f"Angle_increment is 0, but {turning}_increment is not: it is used"
                )
            width = widths[turning]
        elif width and widths[turning] and not _same_angle(widths[turning], width):
            header.remarks.append(
                f"Angle_increment is {width:g}, but {turning}_increment is {widths[turning]:g}: "
                "Angle_increment is used"
            )
        if start is not None and not _same_angle(stands[turning], start) and stands[turning]:
            header.remarks.append(
                f"Start_angle is {start:g}, but {turning} is {stands[turning]:g}: "
                "Start_angle is used"
            )
    if start is None and width:
        header.remarks.append(
            f"its header has an Angle_increment of {width:g} degrees, but no Start_angle; 0 is "
            "assumed"
        )
    settings = {name: a for name, a in stands.items() if a is not None and name != turning}
    remark = settings_remark(settings)
    if remark:
        header.remarks.append(remark)
    spindle, remarks = X, []
    is_negative = vector is None and re.match(r"\s*-\s*[A-Z]", text.upper()) is not None
    tilted = any(abs(settings.get(name, 0.0)) > SETTING for name in ("Kappa", "Chi"))
    if vector is not None:
        spindle = vector
    elif words[0] == "Y":
        spindle = Y
        turned = "(0 -1 0), downwards" if is_negative else "(0 1 0), upwards"
        remarks.append(f"Oscillation_axis {text} in its header is assumed to be {turned}")
    elif not text:
        remarks.append(
            "its header has no Oscillation_axis; the axis is assumed to be horizontal (1 0 0)"
        )
    elif not (
        named == "Omega" or (named == "Phi" and not tilted) or (named is None and words[0] == "X")
    ):
        remarks.append(
            f"Oscillation_axis {text} in its header gives no direction; the axis is assumed to be "
            "horizontal (1 0 0)"
        )
    if vector is None and NUMBER.search(text):
        remarks.append(f"the numbers in Oscillation_axis {text} in its header are not used")
    if is_negative:
        spindle = -spindle
    if any(word.startswith(("CCW", "ACW", "COUNTER", "ANTI")) for word in words):
        spindle = -spindle
        remarks.append(f"Oscillation_axis {text} in its header is assumed to be the opposite of CW")
    others = [
        f"{name}_increment {widths[name]:g}"
        for name in SETTINGS
        if name != turning and widths[name] and not _same_angle(widths[name], width or 0.0)
    ]
    if others:
        header.remarks.append(f"{', '.join(others)} is not used: another axis turns")
    if width or abs(start or 0.0) > SETTING:
        # a still at zero needs no rotation axis
        header.remarks.extend(remarks)
    return *forward(spindle, start, width), is_backward(width)


def _direction(text: str) -> np.ndarray | None:
    """Unit vector from a line of three numbers."""
    numbers = [float(match.group()) for match in NUMBER.finditer(text)]
    if len(numbers) != 3 or re.search(r"[A-Za-z]", NUMBER.sub("", text)):
        return None
    vector = np.array(numbers)
    return vector / np.linalg.norm(vector) if np.isfinite(vector).all() and vector.any() else None


def _same_angle(one: float | None, other: float) -> bool:
    return one is not None and abs((one - other + 180.0) % 360.0 - 180.0) <= SETTING


def _swung(header: MiniHeader, panel: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The panel turned by Detector_2theta about an axis through the sample."""
    angle = header.number("Detector_2theta", ANGLES, "deg")
    if angle is None or angle == 0.0:
        return panel
    direction = " ".join(f"{component:g}" for component in axis)
    header.remarks.append(
        f"Detector_2theta {angle:g} in its header has no axis and no sense: distance and beam "
        f"centre are assumed to be those at zero, and the detector is turned about the spindle "
        f"({direction}), right-handed"
    )
    return rotate_axis(panel, axis, np.float64(angle / DEGREES_PER_RADIAN))
