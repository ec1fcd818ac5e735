"""The header of mini-CBF files: lines such as ``# Detector_distance 0.2 m``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN, ELECTRONVOLT_ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.pixels import THINNEST_SENSOR
from cupysim.formats.rotation import SETTING, forward, settings_remark
from cupysim.formats.text_numbers import NUMBER
from cupysim.maths.rotations import rotate_axis

LENGTHS = {
    "m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "\N{GREEK SMALL LETTER MU}m": 1e-6,
    "metre": 1.0, "meter": 1.0, "micron": 1e-6, "microns": 1e-6, "nm": 1e-9,
}  # fmt: skip
WAVELENGTHS = {
    "a": ANGSTROM, "\N{LATIN SMALL LETTER A WITH RING ABOVE}": ANGSTROM, "ang": ANGSTROM,
    "angstrom": ANGSTROM, "angstroms": ANGSTROM, "nm": 1e-9, "pm": 1e-12, "m": 1.0,
}  # fmt: skip
ENERGIES = {"ev": 1.0, "kev": 1e3}
ANGLES = {
    "deg": 1.0, "degree": 1.0, "degrees": 1.0, "\N{DEGREE SIGN}": 1.0, "rad": DEGREES_PER_RADIAN,
    "radian": DEGREES_PER_RADIAN, "radians": DEGREES_PER_RADIAN,
}  # fmt: skip
PIXELS = {"pixel": 1.0, "pixels": 1.0, "px": 1.0}
"""Units in lower case, and what they are in the unit which a value is kept in."""

NEEDED = ("Pixel_size", "Detector_distance", "Beam_xy")

SETTINGS = ("Omega", "Kappa", "Chi", "Phi")
"""Axes of goniometers."""

KNOWN = (
    *NEEDED, "Wavelength", "Energy", "Photon_energy", "Energy_range", "Detector_2theta",
    "Detector_Voffset", "Start_angle", "Angle_increment", "Oscillation_axis", *SETTINGS,
    *(f"{name}_increment" for name in SETTINGS), "Flux", "Filter_transmission",
)  # fmt: skip
"""Lines which say something of the geometry."""

NOT_SET = ("", "(nil)", "nil", "none", "n/a", "na", "unknown", "undefined", "unset", "not set", "?")
"""Values of lines which a beamline did not fill."""

ALIKE = 1e-3
"""Relative difference up to which a wavelength and an energy agree."""

X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])

_LINE = re.compile(r"\s*#[\s#]*([A-Za-z]\w*)(?=[\s:=,(]|$)(.*)")
"""Dectris separates words by blanks and ``# = : , ( )``."""
_SENSOR = re.compile(r"#\s*\w+ sensor,? thickness\s+([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*m\b")
_TOKEN = re.compile(rf"(?P<number>{NUMBER.pattern})|(?P<unit>[^\W\d_]+|\N{{DEGREE SIGN}})")


@dataclass
class MiniHeader:
    """Lines of a header.

    Parameters
    ----------
    path : object
        The file, for messages.
    lines : mapping of str to tuple of (str, int)
        Values by their keys, and the numbers of their lines.
    remarks : list of str
        What the user must know of how they were read.
    """

    path: object
    lines: Mapping[str, tuple[str, int]]
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def find(cls, path: object, text: str) -> MiniHeader:
        """The header in the text of a file."""
        known = {name.lower(): name for name in KNOWN}
        lines: dict[str, tuple[str, int]] = {}
        remarks = []
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
            match = _LINE.match(line)
            if match is None or match[1].lower() not in known:
                continue
            name = known[match[1].lower()]
            value = unicodedata.normalize("NFKC", match[2]).strip(" \t:=,")
            if name in lines and lines[name][0] != value:
                remarks.append(f"{name} occurs more than once in its header; the last one counts")
            lines[name] = value, number
        return cls(path, lines, remarks)

    def has(self, name: str) -> bool:
        """Whether a line is there, and was filled."""
        return name in self.lines and self.lines[name][0].lower() not in NOT_SET

    def numbers(
        self, name: str, count: int, units: Mapping[str, float], usual: str
    ) -> list[tuple[float, str]]:
        """Numbers of a line, as they stand there.

        Parameters
        ----------
        name : str
            The line, which `has` said to be there.
        count : int
            How many they are.
        units : mapping of str to float
            What units may be called.
        usual : str
            The unit of numbers without any.

        Returns
        -------
        list of tuple of (float, str)
            Numbers, and their units in lower case.

        Raises
        ------
        FileFormatError
            If they are fewer, more, or of another unit.
        """
        text, line = self.lines[name]
        values: list[float] = []
        names: list[str] = []
        for token in _TOKEN.finditer(text):
            if token["number"] is not None:
                values.append(float(token["number"]))
                names.append("")
            elif names and names[-1] == "" and token["unit"].lower() != "x":
                names[-1] = token["unit"].lower()
        # one unit at the end is that of all
        names = [each or names[-1] for each in names]
        if (
            len(values) != count
            or not np.isfinite(values).all()
            or not all(each in units or each == "" for each in names)
        ):
            wanted = "a number" if count == 1 else f"{count} numbers"
            raise FileFormatError(
                self.path,
                f"{name}: expected {wanted} with a unit such as {usual}, got {text[:60]!a}",
                line,
            )
        if names[-1] == "" and units is not ANGLES:
            self.remarks.append(f"{name} {text[:40]} has no unit; it is taken for {usual}")
        return [(value, each or usual.lower()) for value, each in zip(values, names, strict=True)]

    def number(self, name: str, units: Mapping[str, float], usual: str) -> float | None:
        """The one number of a line, in the unit which is kept; None if it is not there."""
        if not self.has(name):
            return None
        ((value, unit),) = self.numbers(name, 1, units, usual)
        return value * units[unit]


def geometry(path: object, text: str, n_fast: int, n_slow: int) -> ImageGeometry:
    """What the header of a mini-CBF file tells.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    text : str
        Its text.
    n_fast, n_slow : int
        Pixels.

    Returns
    -------
    ImageGeometry
        In imgCIF's frame: a detector with fast along x and slow along -y, normal to the beam, then
        turned by Detector_2theta about the spindle.

    Raises
    ------
    FileFormatError
        If lines are missing, or their values impossible.

    Notes
    -----
    The lines are Dectris' (technical note "PILATUS CBF header specification"), axes as dxtbx's
    FormatCBFMini has them. That knows no Detector_2theta; where a Pilatus' file has imgCIF's axes
    besides, as those of Diamond's I19, the swing is a right-handed rotation about the omega axis.
    """
    header = MiniHeader.find(path, text)
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
    spindle, start, width = _rotation(header)
    panel = np.stack([distance * beam - sizes[0] * (x * X - y * Y), X, -Y])
    panel = _swung(header, panel, np.abs(spindle))
    offset = header.number("Detector_Voffset", LENGTHS, "m")
    if offset:
        header.remarks.append(
            f"Detector_Voffset {offset:g} m is not taken into account: Beam_xy says where the "
            "beam is"
        )
    for name, usual in (("Flux", 0.0), ("Filter_transmission", 1.0)):
        match = NUMBER.match(header.lines[name][0]) if header.has(name) else None
        if match is not None and float(match.group()) != usual:
            header.remarks.append(f"{name} {match.group()} is not taken; -fluence gives photons")
    sensor = _SENSOR.search(text)
    if sensor is not None and float(sensor[1]) > THINNEST_SENSOR:
        header.remarks.append(
            f"its sensor of {1e6 * float(sensor[1]):g} um is not simulated; -detector_thick and "
            "-detector_abs do"
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
    )


def wavelength_of(header: MiniHeader) -> tuple[float | None, str]:
    """The wavelength that a header tells.

    Parameters
    ----------
    header : MiniHeader
        The header; a contradiction is added to its remarks.

    Returns
    -------
    wavelength : float or None
        Wavelength (m).
    reason : str
        Why there is none.

    Raises
    ------
    FileFormatError
        If a line is no number with a unit.
    """
    found: dict[str, float] = {}
    reason = "its header has no line Wavelength"
    for name, usual in (("Wavelength", "A"), ("Energy", "eV"), ("Photon_energy", "eV")):
        if not header.has(name):
            continue
        ((value, unit),) = header.numbers(name, 1, WAVELENGTHS | ENERGIES, usual)
        if value > 0.0:
            found[name] = _in_metres(value, unit)
        else:
            reason = f"{name} {header.lines[name][0][:40]} in its header is not a wavelength"
    if not found and header.has("Energy_range"):
        limits = header.numbers("Energy_range", 2, ENERGIES, "eV")
        if limits[0] == limits[1] and limits[0][0] > 0.0:
            return _in_metres(*limits[0]), ""
    if not found:
        return None, reason
    wavelength = next(iter(found.values()))
    for name, other in found.items():
        if abs(other - wavelength) > ALIKE * wavelength:
            header.remarks.append(
                f"{name} in its header is {other / ANGSTROM:g} A, which is not "
                f"{next(iter(found))}; that counts"
            )
    return wavelength, ""


def _in_metres(value: float, unit: str) -> float:
    """A wavelength, or that of a photon energy."""
    if unit in ENERGIES:
        return ELECTRONVOLT_ANGSTROM / (value * ENERGIES[unit]) * ANGSTROM
    return value * WAVELENGTHS[unit]


def _rotation(header: MiniHeader) -> tuple[np.ndarray, float | None, float | None]:
    """Spindle, first angle and width (degrees)."""
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
        # an axis with an increment of its own turns
        turning = next((name for name in SETTINGS if widths[name]), None)
    if turning is None and start is not None:
        # the angle of the scan, repeated under the axis' own name
        turning = next((name for name in SETTINGS if _same_angle(stands[name], start)), None)
    if turning is not None:
        start = stands[turning] if start is None else start
        if not width and widths[turning]:
            if width is not None:
                header.remarks.append(
                    f"Angle_increment is 0, but {turning}_increment is not: that counts"
                )
            width = widths[turning]
        if start is not None and not _same_angle(stands[turning], start) and stands[turning]:
            header.remarks.append(
                f"Start_angle is {start:g}, but {turning} is {stands[turning]:g}: the former counts"
            )
    settings = {name: a for name, a in stands.items() if a is not None and name != turning}
    remark = settings_remark(settings)
    if remark:
        header.remarks.append(remark)
    spindle, remarks = X, []
    tilted = any(abs(settings.get(name, 0.0)) > SETTING for name in ("Kappa", "Chi"))
    if vector is not None:
        spindle = vector
    elif words[0] == "Y":
        spindle = Y
        remarks.append(f"Oscillation_axis {text} in its header is taken for (0 1 0), upwards")
    elif not (
        named == "Omega" or (named == "Phi" and not tilted) or (named is None and words[0] == "X")
    ):
        remarks.append(
            f"Oscillation_axis {text} in its header does not tell the direction; the axis is taken "
            "to be horizontal (1 0 0)"
        )
    if vector is None and re.match(r"\s*-\s*[XY]", text.upper()):
        spindle = -spindle
    if not {"CCW", "ACW"}.isdisjoint(words):
        spindle = -spindle
        remarks.append(f"Oscillation_axis {text} in its header is taken for the opposite of CW")
    if width:
        # of a still nobody needs the axis
        header.remarks.extend(remarks)
    return forward(spindle, start, width)


def _direction(text: str) -> np.ndarray | None:
    """The unit vector which a line of three numbers gives."""
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
        f"Detector_2theta {angle:g} in its header does not tell axis and sense: distance and beam "
        f"centre are taken for those at zero, and the detector is turned about the spindle "
        f"({direction}), right-handed"
    )
    return rotate_axis(panel, axis, np.float64(angle / DEGREES_PER_RADIAN))
