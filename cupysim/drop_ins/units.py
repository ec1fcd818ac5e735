"""Units of the command line and their conversion to SI. No other module converts them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

DEGREES_PER_RADIAN = 180.0 * (1.0 / math.pi)


@dataclass(frozen=True)
class Unit:
    """A unit of the command line and its conversion to SI.

    The conversions equal the C program's to the last bit: some multiply, some divide.

    Parameters
    ----------
    name : str
        Name of the unit in the help.
    to_si : callable
        Function that converts a number in this unit to SI.
    kin : mapping of str to float
        Words for units of the same kind, and their sizes relative to each other.
    """

    name: str
    to_si: Callable[[float], float]
    kin: Mapping[str, float] = field(default_factory=dict)

    def called(self, word: str) -> Unit | None:
        """Return the unit of the same kind that a word names; None if the word names none."""
        if word not in self.kin:
            return None
        times = self.kin[word] / self.kin[self.name]
        return self if times == 1.0 else Unit(word, lambda value: self.to_si(value * times))


_LENGTHS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0), "cm": 1e-2, "mm": 1e-3,
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micron", "microns"), 1e-6), "nm": 1e-9,
    **dict.fromkeys(("A", "Ang", "angstrom", "angstroms"), 1e-10), "pm": 1e-12,
}  # fmt: skip
_ANGLES = {
    **dict.fromkeys(("deg", "degree", "degrees"), math.pi / 180.0), "urad": 1e-6, "mrad": 1e-3,
    **dict.fromkeys(("rad", "radian", "radians"), 1.0),
    "arcmin": math.pi / 10800.0, "arcsec": math.pi / 648000.0,
}  # fmt: skip
_TIMES = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
_ENERGIES = {"eV": 1.0, "keV": 1e3, "MeV": 1e6}
_AREAS = {"photons/m^2": 1.0, "m2": 1.0, "cm2": 1e4, "mm2": 1e6, "um2": 1e12}

NONE = Unit("", lambda value: value)
MM = Unit("mm", lambda value: value / 1000.0, _LENGTHS)
METRE = Unit("m", lambda value: value, _LENGTHS)
MICRON = Unit("um", lambda value: value * 1e-6, _LENGTHS)
MICRON_WATER = Unit("um", lambda value: value / 1e6, _LENGTHS)
DEGREE = Unit("deg", lambda value: value / DEGREES_PER_RADIAN, _ANGLES)
ANGSTROM = Unit("A", lambda value: value / 1e10, _LENGTHS)
ANGSTROM_CELL = Unit("A, deg", lambda value: value, {"A, deg": 1.0, "A": 1.0})
ANGSTROM_DMIN = Unit("A", lambda value: value * 1e-10, _LENGTHS)
ELECTRONVOLT = Unit("eV", lambda value: (12398.42 / value) / 1.0e10, _ENERGIES)
MILLIRADIAN = Unit("mrad", lambda value: value / 1000.0, _ANGLES)
PERCENT = Unit("%", lambda value: value / 100.0, {"%": 1.0, "percent": 1.0})
PIXEL = Unit("pixels", lambda value: value, {"pixels": 1.0, "pixel": 1.0, "px": 1.0})
ELECTRON = Unit("electrons", lambda value: value, {"electrons": 1.0})
ELECTRON_DENSITY = Unit("electrons/A^3", lambda value: value)
B_FACTOR = Unit("A^2", lambda value: value)
DENSITY = Unit("g/cm^3", lambda value: value)
MOLAR_MASS = Unit("g/mol", lambda value: value)
MEGAGRAY = Unit("MGy", lambda value: value * 1e6, {"MGy": 1.0, "kGy": 1e-3, "Gy": 1e-6})
B_PER_MEGAGRAY = Unit("A^2/MGy", lambda value: value * 1e-26)
SECOND = Unit("s", lambda value: value, _TIMES)
PER_AREA = Unit("photons/m^2", lambda value: value, _AREAS)
PER_SECOND = Unit("photons/s", lambda value: value, {"photons/s": 1.0, "s": 1.0})
GREY = Unit("ADU", lambda value: value)
GREY_PER_PHOTON = Unit("ADU/photon", lambda value: value)
DENSITY_PER_METRE = Unit("g/cm^3", lambda value: value * 1e6)
ANGSTROM_AS_GIVEN = Unit("A", lambda value: value)
DEGREE_AS_GIVEN = Unit("deg", lambda value: value)
