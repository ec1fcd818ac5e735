"""Reading traces of pixels: of cupysim, of instrumented programs, and of -printout."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from typing import Any

from cupysim.errors import FileFormatError
from cupysim.parity.traces.values import PixelTrace, StepTrace, Value
from cupysim.parity.traces.vocabulary import (
    ALIASES,
    FLOAT32_RESOLUTION,
    KEYED_ALIASES,
    RESULT,
    SETUP,
    STEP,
    Alias,
    to_si,
)
from cupysim.storage.reading import opened

LARGEST = 2**28
"""Largest size of a trace file (bytes)."""

LONGEST_INTEGER = 16
"""Smallest number of characters of a number that is read as float64, not as an integer."""

FIRST_OF_RESULT = "intensity_sum"
"""Name of the first value of the result in traces of cupysim."""

WRONG_JSON = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""Errors that JSON of another kind may cause."""

_OURS = re.compile(r"^TRACE: (?:step (?P<where>.*)|(?P<name>\S+) = ?(?P<rest>.*))$")
_OTHER = re.compile(r"^(?P<kind>TRACE_(?:C|PY)): ?(?P<name>[^\s=]+)(?:\s*=\s*|\s+)(?P<rest>.*)$")
_CONFIG = re.compile(r"^TRACE_CONFIG:.*\(spixel=(-?\d+), fpixel=(-?\d+)\)")
_PRINTOUT = re.compile(r"(-?\d+) +(-?\d+) : stol = (\S+) or (\S+)\s*$")
_KEYED = re.compile(r"^([A-Za-z_]\w*):(.*)$")


def looks_like_trace(head: bytes) -> bool:
    """Whether a file with these first bytes is a trace and not an image."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # the last character may be incomplete
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return "\0" not in text and not text.startswith(("{", "###CBF", "P5"))


def read(path: os.PathLike[str] | str) -> list[PixelTrace]:
    """Read a file with traces of pixels.

    Parameters
    ----------
    path : path_like
        File to read: output of ``cupysim trace``, as lines or JSON; a log with lines ``TRACE_C:``
        or ``TRACE_PY:``; or standard output of nanoBragg with ``-printout``.

    Returns
    -------
    list of PixelTrace
        A trace for each pixel, with the names of cupysim and SI units. `Value.source` is the place
        of a value in the file.

    Raises
    ------
    FileFormatError
        If the file has no trace, or a line of one is damaged.
    """
    with opened(path) as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise FileFormatError(path, f"it has more than {LARGEST >> 20} MiB, too many for a trace")
    text = data.decode("utf-8-sig", "replace")
    if text.lstrip().startswith("["):
        return _read_json(path, text)
    lines = text.splitlines()
    if any(_OTHER.match(line) for line in lines):
        return _OtherLog(path, lines).read()
    if any(line.startswith("TRACE:") for line in lines):
        return _OurLog(path, lines).read()
    traces = _read_printout(path, lines)
    if not traces:
        raise FileFormatError(
            path, "no trace in it: no lines TRACE:, TRACE_C: or TRACE_PY:, and no -printout"
        )
    return traces


class _OurLog:
    """Reader of lines ``TRACE: name = numbers unit``, the format of cupysim."""

    def __init__(self, path: object, lines: Sequence[str]) -> None:
        self.path, self.lines = path, lines
        self.traces: list[PixelTrace] = []
        self.setup: list[Value] = []
        self.steps: list[StepTrace] = []
        self.result: list[Value] = []
        self.pixel: tuple[int, int] | None = None
        self.where: dict[str, int] | None = None
        self.values: list[Value] = []

    def read(self) -> list[PixelTrace]:
        for number, line in enumerate(self.lines, 1):
            if not line.startswith("TRACE:"):
                continue
            match = _OURS.match(line)
            if match is None:
                raise FileFormatError(
                    self.path, f"expected TRACE: name = numbers unit, got {line!r}", number
                )
            if match["where"] is not None:
                self._end_step()
                self.where = _where(self.path, match["where"], number)
            elif match["name"] == "pixel":
                self._end_pixel()
                self.pixel = _pixel(self.path, match["rest"], number)
            else:
                self._add(_our_value(self.path, match["name"], match["rest"], number))
        self._end_pixel()
        return self.traces

    def _add(self, value: Value) -> None:
        if value.name == FIRST_OF_RESULT:
            self._end_step()
            self.result.append(value)
        elif self.result:
            self.result.append(value)
        elif self.where is not None:
            self.values.append(value)
        else:
            self.setup.append(value)

    def _end_step(self) -> None:
        if self.where is not None:
            self.steps.append(StepTrace(self.where, tuple(self.values)))
        self.where, self.values = None, []

    def _end_pixel(self) -> None:
        self._end_step()
        if self.setup or self.steps or self.result:
            self.traces.append(
                PixelTrace(self.pixel, tuple(self.setup), self.steps, tuple(self.result))
            )
        self.setup, self.steps, self.result = [], [], []


class _OtherLog:
    """Reader of lines ``TRACE_C:name=value`` and ``TRACE_C: name v1 v2 v3``.

    Instrumented programs print such lines.
    """

    def __init__(self, path: object, lines: Sequence[str]) -> None:
        self.path, self.lines = path, lines
        self.traces: list[PixelTrace] = []
        self.setup: list[Value] = []
        self.steps: list[list[Value]] = []
        self.result: list[Value] = []
        self.pixel: tuple[int, int] | None = None
        self.in_result = False

    def read(self) -> list[PixelTrace]:
        for number, line in enumerate(self.lines, 1):
            config = _CONFIG.match(line)
            if config is not None:
                if self.in_result:
                    self._end()
                self.pixel = int(config[2]), int(config[1])
            match = _OTHER.match(line)
            if match is not None:
                self._line(match["kind"], match["name"], match["rest"], number)
        self._end()
        return self.traces

    def _end(self) -> None:
        """Complete the trace of a pixel."""
        # these programs show the first source, spindle angle and domain of each sub-pixel
        where = {"source": 0, "phi": 0, "domain": 0}
        steps = [StepTrace(where, tuple(values)) for values in self.steps]
        self.traces.append(PixelTrace(self.pixel, tuple(self.setup), steps, tuple(self.result)))
        self.setup, self.steps, self.result = [], [], []
        self.pixel, self.in_result = None, False

    def _line(self, kind: str, name: str, rest: str, number: int) -> None:
        keyed = [_KEYED.match(word) for word in rest.split()]
        if keyed and all(keyed) and f"{name}.{keyed[0][1]}" in KEYED_ALIASES:  # type: ignore[index]
            for match in keyed:
                assert match is not None
                alias = KEYED_ALIASES.get(f"{name}.{match[1]}", Alias(f"{name}.{match[1]}", SETUP))
                self._add(alias, name, match[2], number)
            return
        unknown = Alias(name, RESULT if self.in_result else STEP if self.steps else SETUP)
        self._add(ALIASES[kind].get(name, unknown), name, rest, number)

    def _add(self, alias: Alias, name: str, rest: str, number: int) -> None:
        numbers = _numbers(rest)
        source = f"line {number}, {name}"
        if numbers is None:
            value = Value(alias.name, text=rest.strip(), source=source)
        else:
            value = _converted(alias.name, numbers, alias.unit, source)
        if alias.name == "photons" and value.numbers:
            value = _with_resolution(value, FLOAT32_RESOLUTION * abs(value.numbers[0]))
        if self.in_result and alias.part != RESULT:
            # the trace of another pixel follows
            self._end()
        if alias.part == SETUP:
            self.setup.append(value)
        elif alias.part == RESULT:
            self.in_result = True
            self.result.append(value)
        else:
            self._add_to_step(value)

    def _add_to_step(self, value: Value) -> None:
        known = {each.name for each in self.steps[-1]} if self.steps else set()
        # a repeated value begins a new step; only a wavelength may occur twice, in two units
        if not self.steps or (value.name in known and value.name != "wavelength"):
            self.steps.append([])
        self.steps[-1].append(value)


def _read_printout(path: object, lines: Sequence[str]) -> list[PixelTrace]:
    """Read the output of -printout: the last step of each pixel, with few digits."""
    traces, place = [], 0
    while place < len(lines):
        head = _PRINTOUT.search(lines[place])
        if head is None:
            place += 1
            continue
        try:
            traces.append(_printed_pixel(head, lines, place))
        except (IndexError, ValueError, KeyError) as error:
            raise FileFormatError(
                path, f"a damaged -printout of pixel {head[1]} {head[2]}", place + 1
            ) from error
        place += 1
    return traces


def _printed_pixel(head: re.Match[str], lines: Sequence[str], place: int) -> PixelTrace:
    def value(name: str, texts: Sequence[str], unit: str, row: int, rounding: Any) -> Value:
        numbers = tuple(float(text) for text in texts)
        made = _converted(name, numbers, unit, f"line {place + 1 + row}")
        factor = 1.0 if unit in ("", "electron", "electron^2") else (to_si(unit) or ("", 1.0))[1]
        return _with_resolution(made, tuple(rounding(number) * factor for number in numbers))

    six, ten = (lambda x: _half_digit(x, 6)), (lambda x: _half_digit(x, 10))
    at = lines[place + 1].split()
    indices = lines[place + 2].replace("hkl0=", " ").replace("hkl=", " ").split()
    factors = re.fullmatch(r"\s*F_cell=(\S+)\s+F_latt=(\S+)\s+I = (\S+)\s*", lines[place + 3])
    if at[0] != "at" or factors is None or len(indices) != 6:
        raise ValueError
    named = {}
    for row in range(4, 9):
        name, number = lines[place + row].split()
        named[name] = (number, row)
    rows = [lines[place + row].split() for row in (11, 12, 13)]
    if [row[0] for row in rows] != ["X:", "Y:", "Z:"]:
        raise ValueError
    step = (
        value("pixel_position", at[1:4], "m", 1, six),
        value("stol", [head[3]], "m^-1", 0, six),
        *(
            value(axis, [row[column] for row in rows], "A", 11, lambda _: 5e-9)
            for column, axis in enumerate("abc", 1)
        ),
        value("hkl", indices[:3], "", 2, lambda _: 5e-7),
        value("hkl_rounded", indices[3:], "", 2, lambda _: 0.0),
        value("F_cell", [factors[1]], "electron", 3, six),
        value("F_latt", [factors[2]], "", 3, six),
    )
    result = [value("intensity_sum", [factors[3]], "electron^2", 3, six)]
    for printed, name, unit in (
        ("capfrac", "capture_fraction", ""),
        ("polar", "polarization", ""),
        ("omega", "omega", "sr"),
        ("I/steps", "intensity_per_step", "electron^2"),
        ("pixel", "photons", "photons"),
    ):
        text, row = named[printed]
        result.append(value(name, [text], unit, row, ten))
    pixel = int(head[1]), int(head[2])
    return PixelTrace(pixel, (), [StepTrace({}, step, is_last=True)], tuple(result))


def _half_digit(number: float, digits: int) -> float:
    """Half a unit of the last significant digit of a number with `digits` digits."""
    if number == 0.0 or not math.isfinite(number):
        return 0.0
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(number))) - digits + 1)


def _read_json(path: object, text: str) -> list[PixelTrace]:
    try:
        content = json.loads(text)
        return [_pixel_from_json(entry) for entry in content]
    except (*WRONG_JSON, AttributeError) as error:
        raise FileFormatError(path, f"not the JSON of cupysim trace ({error})") from error


def _pixel_from_json(entry: dict[str, Any]) -> PixelTrace:
    def values(part: dict[str, Any]) -> tuple[Value, ...]:
        return tuple(
            Value(name, text=str(value["text"]), source=name)
            if "text" in value
            else _converted(name, _all_numbers(value["values"]), str(value["unit"]), name)
            for name, value in part.items()
        )

    steps = []
    for step in entry["steps"]:
        where = {name: int(number) for name, number in step.items() if name != "values"}
        steps.append(StepTrace(where, values(step["values"])))
    fast, slow = entry["pixel_fast"], entry["pixel_slow"]
    pixel = None if fast is None else (int(fast), int(slow))
    return PixelTrace(pixel, values(entry["setup"]), steps, values(entry["result"]))


def _all_numbers(values: list[Any]) -> tuple[float, ...]:
    if not values:
        raise ValueError("a value without numbers")
    return tuple(map(_number, values))


def _number(number: Any) -> float:
    return number if isinstance(number, int) and abs(number) < 2**53 else float(number)


def _where(path: object, text: str, line: int) -> dict[str, int]:
    try:
        return {name: int(number) for name, number in (word.split("=") for word in text.split())}
    except ValueError:
        raise FileFormatError(path, f"expected layer=0 ... domain=0, got {text!r}", line) from None


def _pixel(path: object, text: str, line: int) -> tuple[int, int]:
    try:
        fast, slow = text.split()
        return int(fast), int(slow)
    except ValueError:
        raise FileFormatError(path, f"expected pixel = FAST SLOW, got {text!r}", line) from None


def _our_value(path: object, name: str, rest: str, line: int) -> Value:
    words, source = rest.split(), f"line {line}"
    if not words:
        raise FileFormatError(path, f"{name}: no value follows", line)
    try:
        return _converted(name, tuple(map(_parsed, words)), "", source)
    except ValueError:
        if len(words) == 1:
            return Value(name, text=words[0], source=source)
    try:
        return _converted(name, tuple(map(_parsed, words[:-1])), words[-1], source)
    except ValueError:
        raise FileFormatError(
            path, f"{name}: expected numbers and a unit, got {rest!r}", line
        ) from None


def _numbers(text: str) -> tuple[float, ...] | None:
    """Numbers between blanks, commas, semicolons and brackets, without ``word:`` before them."""
    words = re.sub(r"[\[\]();,]", " ", text).split()
    try:
        return tuple(_parsed(word.split(":")[-1]) for word in words) or None
    except ValueError:
        return None


def _parsed(word: str) -> float:
    whole = len(word) < LONGEST_INTEGER and word.lstrip("+-").isdecimal()
    return int(word) if whole else float(word)


def _converted(name: str, numbers: tuple[float, ...], unit: str, source: str) -> Value:
    known = to_si(unit)
    if known is None or known[1] == 1.0:
        return Value(name, numbers, known[0] if known else unit, source=source)
    return Value(name, tuple(number * known[1] for number in numbers), known[0], source=source)


def _with_resolution(value: Value, resolution: float | tuple[float, ...]) -> Value:
    return Value(value.name, value.numbers, value.unit, value.text, resolution, value.source)
