"""Lines of mini-CBF headers, such as ``# Detector_distance 0.2 m``, and their units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import FileFormatError
from cupysim.formats.text_numbers import NUMBER

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
"""Units in lower case, and their factors to the internal unit (m, eV, degrees, pixels)."""

NEEDED = ("Pixel_size", "Detector_distance", "Beam_xy")

SETTINGS = ("Omega", "Kappa", "Chi", "Phi")
"""Lines with angles of goniometer axes."""

KNOWN = (
    *NEEDED, "Wavelength", "Energy", "Photon_energy", "Energy_range", "Detector_2theta",
    "Detector_Voffset", "Polarization", "Start_angle", "Angle_increment", "Oscillation_axis",
    *SETTINGS,
    *(f"{name}_increment" for name in SETTINGS), "Flux", "Filter_transmission", "Beam_x", "Beam_y",
)  # fmt: skip
"""Lines that describe the geometry."""

NOT_SET = ("", "(nil)", "nil", "none", "n/a", "na", "unknown", "undefined", "unset", "not set", "?")
"""Values of lines that a beamline did not fill."""

MINUS = "\N{MINUS SIGN}"

_SIGN = re.compile(r"^([-+])\s+(?=[\d.])")
"""Pattern of a sign that is apart from its number."""

_LINE = re.compile(r"\s*#[\s#]*([A-Za-z]\w*)(?=[\s:=,(]|$)(.*)")
"""Pattern of a line. Dectris separates words by blanks and ``# = : , ( )``."""
_TOKEN = re.compile(rf"(?P<number>{NUMBER.pattern})|(?P<unit>[^\W\d_]+|\N{{DEGREE SIGN}})")


@dataclass
class MiniHeader:
    """Lines of a mini-CBF header.

    Parameters
    ----------
    path : object
        File name, for messages.
    lines : mapping of str to tuple of (str, int)
        Value and line number of each key.
    remarks : list of str
        Warnings for the user about the reading of lines.
    """

    path: object
    lines: Mapping[str, tuple[str, int]]
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def find(cls, path: object, text: str) -> MiniHeader:
        """Find the header in the text of a file."""
        known = {name.lower(): name for name in KNOWN}
        lines: dict[str, tuple[str, int]] = {}
        remarks = []
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
            match = _LINE.match(line)
            if match is None or match[1].lower() not in known:
                continue
            name = known[match[1].lower()]
            value = unicodedata.normalize("NFKC", match[2]).replace(MINUS, "-").strip(" \t:=,")
            value = _SIGN.sub(r"\1", value)
            if name in lines and lines[name][0] != value:
                remarks.append(f"{name} occurs more than once in its header; the last one is used")
            lines[name] = value, number
        return cls(path, lines, remarks)

    def has(self, name: str) -> bool:
        """Whether a line exists and has a value."""
        return name in self.lines and self.lines[name][0].lower() not in NOT_SET

    def join(self, name: str, parts: tuple[str, str]) -> None:
        """Make a line of two numbers from two lines, if it is missing and both of them exist."""
        if not self.has(name) and all(self.has(each) for each in parts):
            texts, lines = zip(*(self.lines[each] for each in parts), strict=True)
            self.lines = {**self.lines, name: (" ".join(texts), lines[0])}

    def numbers(
        self, name: str, count: int, units: Mapping[str, float], usual: str
    ) -> list[tuple[float, str]]:
        """Numbers of a line, with their units.

        Parameters
        ----------
        name : str
            Key of the line. `has` must be true for it.
        count : int
            Expected number of numbers.
        units : mapping of str to float
            Accepted units.
        usual : str
            Unit of numbers without a unit.

        Returns
        -------
        list of tuple of (float, str)
            Numbers, and their units in lower case.

        Raises
        ------
        FileFormatError
            If there are fewer or more numbers, or other units.
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
        # a single unit at the end is that of all numbers
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
            self.remarks.append(f"{name} {text[:40]} has no unit; {usual} is assumed")
        return [(value, each or usual.lower()) for value, each in zip(values, names, strict=True)]

    def number(self, name: str, units: Mapping[str, float], usual: str) -> float | None:
        """The only number of a line, in the internal unit; None if the line is missing."""
        if not self.has(name):
            return None
        ((value, unit),) = self.numbers(name, 1, units, usual)
        return value * units[unit]
