"""Values in CrystFEL geometry files: numbers, lengths, directions, header locations."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cupysim.errors import FileFormatError
from cupysim.formats.crystfel.syntax import Setting
from cupysim.formats.text_numbers import NUMBER

LARGEST_WHOLE = 2**31 - 1
"""Largest pixel number."""

LARGEST_STEP = 1e6
"""Largest component of a direction (pixels). Larger ones are certainly mistakes."""

_TERM = re.compile(r"[ \t]*([+-]?)[ \t]*([0-9]+\.?[0-9]*|\.[0-9]+)?[ \t]*([xyz])")
"""A term of a direction: sign, number, axis."""

_BITS = re.compile(r"0[xX][0-9a-fA-F]+|0|[1-9][0-9]*")

LENGTHS = {"m": 1.0, "mm": 1e-3}
"""Units of length (m)."""


@dataclass(frozen=True)
class Location:
    """A place in the header of an image file, from which CrystFEL reads a value.

    Parameters
    ----------
    place : str
        Name of the header or path of the data set.
    unit : str
        Unit of the value there; empty if the file gives none.
    """

    place: str
    unit: str


def number(path: object, name: str, setting: Setting) -> float:
    """Read a number without a unit.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        Key, for messages.
    setting : Setting
        Value.

    Raises
    ------
    FileFormatError
        If the value is no finite number, or text follows it. CrystFEL ignores such a text.
    """
    found = NUMBER.match(setting.text)
    if found is None:
        told = f"{setting.text[:40]!r} is not a number" if setting.text else "a number is missing"
        raise FileFormatError(path, f"{name}: {told}", setting.line)
    rest = setting.text[found.end() :]
    if rest:
        problem = f"{name}: {rest.strip()[:40]!r} follows the number; only a number is read here"
        raise FileFormatError(path, problem, setting.line)
    value = float(found.group())
    if not math.isfinite(value):
        raise FileFormatError(path, f"{name}: {setting.text[:40]} is too large", setting.line)
    return value


def measured(
    path: object, name: str, setting: Setting, units: Mapping[str, float], default: str = ""
) -> float | Location:
    """Read a number with a unit, or a location in a header.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        Key, for messages.
    setting : Setting
        Value.
    units : mapping of str to float
        Accepted units, and their values in the unit of the result.
    default : str, optional
        Unit of a number without one. By default a unit is required.

    Raises
    ------
    FileFormatError
        If the unit is not known, or is not separated by exactly one blank.
    """
    text, line = setting.text, setting.line
    known = " or ".join(units)
    if not text:
        raise FileFormatError(path, f"{name}: a value is missing", line)
    if text[0] not in "+-.0123456789":
        place, _, unit = text.partition(" ")
        if not unit and not default:
            raise FileFormatError(path, f"{name}: the unit is missing; expected {known}", line)
        if unit and unit not in units:
            raise FileFormatError(path, f"{name}: unknown unit {unit!r}; expected {known}", line)
        return Location(place, unit)
    found = NUMBER.match(text)
    if found is None:
        raise FileFormatError(path, f"{name}: {text[:40]!r} is not a number", line)
    rest = text[found.end() :]
    unit = rest.removeprefix(" ") if rest else default
    if rest and (not rest.startswith(" ") or unit != unit.strip(" \t")):
        problem = f"{name}: exactly one blank must be between number and unit, got {text[:40]!r}"
        raise FileFormatError(path, problem, line)
    if unit not in units:
        told = f"unknown unit {unit[:20]!r}" if unit else "the unit is missing"
        raise FileFormatError(path, f"{name}: {told}; expected {known}", line)
    return number(path, name, Setting(found.group(), line)) * units[unit]


def direction(path: object, name: str, setting: Setting) -> tuple[float, float, float]:
    """Read a direction such as ``+0.5x -y``.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        Key, for messages.
    setting : Setting
        Value.

    Raises
    ------
    FileFormatError
        If it is not a sum of terms, or is zero.
    """
    text = setting.text
    parts = dict.fromkeys("xyz", 0.0)
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or (at > 0 and not found[1]):
            problem = f"{name}: {text[:60]!r} is no sum of terms such as +0.5x -0.5y"
            if found is not None:
                problem += "; a sign is missing between two terms"
            raise FileFormatError(path, problem, setting.line)
        parts[found[3]] += (-1.0 if found[1] == "-" else 1.0) * float(found[2] or 1.0)
        at = found.end()
    if not all(abs(part) < LARGEST_STEP for part in parts.values()):
        raise FileFormatError(path, f"{name}: {text[:60]!r} is too long", setting.line)
    if not any(parts.values()):
        raise FileFormatError(path, f"{name}: {text[:60]!r} is no direction", setting.line)
    return parts["x"], parts["y"], parts["z"]


class Values:
    """The values of a panel or of a bad region.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    owner : str
        Name of the panel or region.
    line : int
        Line that first names it.
    settings : mapping of str to Setting
        Its values.
    """

    def __init__(
        self, path: object, owner: str, line: int, settings: Mapping[str, Setting]
    ) -> None:
        self.path = path
        self.owner = owner
        self.line = line
        self.settings = settings

    def name(self, key: str) -> str:
        """Name of a key for messages."""
        return f"{self.owner}/{key.partition('#')[0]}"

    def required(self, key: str) -> Setting:
        """The setting of a key; raises a `FileFormatError` if there is none."""
        if key not in self.settings:
            raise self.error(f"{self.name(key)} is missing")
        return self.settings[key]

    def error(self, problem: str, key: str | None = None) -> FileFormatError:
        """An error about a key, or about the owner as a whole."""
        known = None if key is None else self.settings.get(key)
        line = self.line if known is None else known.line
        return FileFormatError(self.path, problem, line)

    def number(self, key: str, default: float | None = None) -> float:
        """A number; raises a `FileFormatError` if there is none and no default."""
        if default is not None and key not in self.settings:
            return default
        return number(self.path, self.name(key), self.required(key))

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number that is not negative."""
        if default is not None and key not in self.settings:
            return default
        value = self.number(key)
        if value != math.floor(value) or not 0 <= value <= LARGEST_WHOLE:
            told = f"{self.name(key)}: {value:g} is no whole number from 0 to {LARGEST_WHOLE}"
            raise self.error(told, key)
        return int(value)

    def bits(self, key: str) -> int:
        """Bits of a mask: a decimal or hexadecimal number. 0 without the key."""
        if key not in self.settings:
            return 0
        text = self.settings[key].text
        if not _BITS.fullmatch(text) or int(text, 0) >= 2**64:
            told = f"{self.name(key)}: {text[:30]!r} is no mask of bits such as 0x01 or 255"
            raise self.error(told, key)
        return int(text, 0)

    def direction(self, key: str) -> tuple[float, float, float]:
        """A direction such as ``+0.5x -y``."""
        return direction(self.path, self.name(key), self.required(key))
