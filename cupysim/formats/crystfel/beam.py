"""Wavelength, camera length and shift in CrystFEL geometry files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cupysim.constants import ANGSTROM
from cupysim.errors import FileFormatError
from cupysim.formats.crystfel.panels import RawPanel
from cupysim.formats.crystfel.syntax import WAVELENGTH_KEYS, GeometryText, Setting
from cupysim.formats.crystfel.values import LENGTHS, Location, measured

PLANCK, LIGHT, CHARGE = 6.62606896e-34, 299792458.0, 1.6021773e-19
"""Planck constant (J s), speed of light (m/s) and elementary charge (C), as CrystFEL has them.

The same file then gives the same wavelength. It differs by 6e-7 from that of `cupysim.constants`.
"""

ELECTRON_MASS = 9.1093837e-31
"""Mass of the electron (kg; CODATA 2018)."""

UNITS: dict[str, tuple[Mapping[str, float], str]] = {
    "photon_energy": ({"eV": 1.0, "keV": 1e3}, "eV"),
    "wavelength": ({"m": 1.0, "A": ANGSTROM}, ""),
    "electron_voltage": ({"V": 1.0, "kV": 1e3}, ""),
}
"""Units of the keys that give a wavelength, and the unit of a number without one."""

SAME = 1e-9
"""Relative difference up to which two numbers count as the same one, rounded differently."""


def energy_of(wavelength: float) -> float:
    """Photon energy (eV) of a wavelength (m)."""
    return PLANCK * LIGHT / CHARGE / wavelength


def electron_wavelength(voltage: float) -> float:
    """De Broglie wavelength (m) of electrons after a voltage (V), relativistic."""
    energy = CHARGE * voltage
    rest = ELECTRON_MASS * LIGHT**2
    return PLANCK / math.sqrt(2.0 * ELECTRON_MASS * energy * (1.0 + energy / (2.0 * rest)))


def read_wavelength(
    path: object, text: GeometryText, given: float | None
) -> tuple[float, list[str]]:
    """The wavelength of a geometry file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : GeometryText
        Content of the file.
    given : float, optional
        Wavelength (m) in place of that of the file.

    Returns
    -------
    wavelength : float
        Wavelength (m).
    remarks : list of str
        Notes for the user.

    Raises
    ------
    FileFormatError
        If there is no wavelength, it is in a header and none is given, or is not positive.
    """
    key = next((key for key in WAVELENGTH_KEYS if key in text.top), None)
    if key is None:
        if given is not None:
            return given, []
        problem = (
            "it has no wavelength: give one (-lambda; wavelength= in Python), or write "
            "photon_energy, wavelength or electron_voltage"
        )
        raise FileFormatError(path, problem)
    setting = text.top[key]
    value = measured(path, key, setting, *UNITS[key])
    if isinstance(value, Location):
        if given is not None:
            return given, []
        problem = (
            f"{key} is in the header of the images ({value.place}): give a wavelength "
            "(-lambda; wavelength= in Python), or write a number"
        )
        raise FileFormatError(path, problem, setting.line)
    if not value > 0.0:
        raise FileFormatError(path, f"{key}: {value:g}; it must be positive", setting.line)
    remarks = []
    if key == "wavelength":
        wavelength = value
    elif key == "photon_energy":
        wavelength = PLANCK * LIGHT / (CHARGE * value)
    else:
        wavelength = electron_wavelength(value)
        remarks.append(
            "electron_voltage: the beam consists of electrons, but cupysim simulates X-rays of the "
            "same wavelength"
        )
    if not 0.0 < wavelength < math.inf:
        raise FileFormatError(path, f"{key}: {value:g} is not possible", setting.line)
    if given is not None and abs(given / wavelength - 1.0) > SAME:
        remarks.append(
            f"{key} (line {setting.line}) means {wavelength:g} m; the given wavelength of "
            f"{given:g} m is used"
        )
    return given or wavelength, remarks


def read_lengths(
    path: object, text: GeometryText, panels: Sequence[RawPanel], given: float | None
) -> tuple[list[float], list[str]]:
    """The camera length of each panel, without its offset.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : GeometryText
        Content of the file.
    panels : sequence of RawPanel
        Panels.
    given : float, optional
        Camera length (m) in place of that of the file.

    Returns
    -------
    lengths : list of float
        Camera lengths (m).
    remarks : list of str
        Notes for the user.

    Raises
    ------
    FileFormatError
        If a camera length is missing, in a header, or unclear.

    Notes
    -----
    Without ``panel/clen``, the file is of CrystFEL 0.11 or later, and ``clen`` holds for all
    panels, wherever it stands. With it, ``clen`` is a default as in CrystFEL 0.10.
    """
    remarks = []
    if text.panel_clen is not None:
        line = text.panel_clen.line
        remarks.append(f"clen of a panel (line {line}): CrystFEL since 0.11 refuses this file")
        named: list[tuple[str, Setting | None]] = [(f"{p.name}/clen", p.clen) for p in panels]
    else:
        named = [("clen", setting) for setting in text.clens] or [("clen", None)]
    numbers: list[float] = []
    for name, setting in named:
        if setting is not None:
            value = measured(path, name, setting, LENGTHS, "m")
            if not isinstance(value, Location):
                numbers.append(value)
            elif given is None:
                problem = (
                    f"{name} is in the header of the images ({value.place}): give the camera "
                    "length (-distance; distance= in Python), or write a number"
                )
                raise FileFormatError(path, problem, setting.line)
        elif given is None:
            problem = (
                f"{name} is missing: give the camera length (-distance; distance= in Python), or "
                "write it"
            )
            raise FileFormatError(path, problem)
    differ = bool(numbers) and max(numbers) - min(numbers) > SAME * max(map(abs, numbers))
    if differ and (text.panel_clen is None or given is not None):
        problem = "several camera lengths (clen); write one, and coffset for the panels"
        if given is not None:
            problem = "several camera lengths (clen): a given distance cannot replace them"
        last = next(setting for _, setting in reversed(named) if setting is not None)
        raise FileFormatError(path, problem, last.line)
    if given is None:
        lengths = numbers if text.panel_clen is not None else [numbers[-1]] * len(panels)
        return lengths, remarks
    if numbers and abs(numbers[0] - given) > SAME * abs(given):
        remarks.append(f"clen is {numbers[0]:g} m; the given distance of {given:g} m is used")
    return [given] * len(panels), remarks


def read_shift(path: object, text: GeometryText) -> tuple[float, float]:
    """The shift of all panels along x and y (m).

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : GeometryText
        Content of the file.

    Raises
    ------
    FileFormatError
        If one of the two is alone, or is in a header.
    """
    names = ("detector_shift_x", "detector_shift_y")
    given = [name for name in names if name in text.top]
    if not given:
        return 0.0, 0.0
    if len(given) == 1:
        other = names[1 - names.index(given[0])]
        problem = f"{given[0]} without {other}; give both"
        raise FileFormatError(path, problem, text.top[given[0]].line)
    shifts = []
    for name in names:
        setting = text.top[name]
        value = measured(path, name, setting, LENGTHS, "m")
        if isinstance(value, Location):
            problem = f"{name} is in the header of the images ({value.place}): write a length"
            raise FileFormatError(path, problem, setting.line)
        shifts.append(value)
    return shifts[0], shifts[1]
