"""Convert the words of a command line to named values in SI units.

The C program tests each word that starts with a dash against every option, and reads some values
twice. This module keeps the behaviour that users rely on, including side effects. What can only be
a mistake is an error here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from cupysim.errors import ModelError, OptionError
from cupysim.formats.text_numbers import NUMBER
from cupysim.maths.nr_random import wrap_int32
from cupysim.nanobragg.initial_values import INITIAL
from cupysim.nanobragg.option_kinds import Kind, Option
from cupysim.nanobragg.options import OPTIONS
from cupysim.nanobragg.words import (
    in_named_unit,
    is_spelling,
    options_in,
    plain,
    refuse_unknown,
    shown,
    warn,
    warn_of_no_effect,
)
from cupysim.quirks import Quirk, Quirks, warn_quirk

RANDOM = "random"
"""Value of `misset` for a random orientation."""

CORRECTED = "-corrected"

FOUND_IN_LONGER_OPTIONS = {
    ("-twotheta_axis", "-twotheta"): Quirk.TWOTHETA_AXIS_SETS_TWOTHETA,
    ("-misset_seed", "-misset"): Quirk.MISSET_SEED_SETS_MISSET,
}
"""Pairs of a longer option and a shorter one that the C program finds in it, and their quirks."""

LARGEST_INTEGER = 2**31 - 1
"""Largest absolute value of an integer option: the C program's integers have 32 bits."""

LONGEST_INTEGER = 30
"""Largest number of characters of an integer; longer ones are too large without conversion."""

LARGEST_FLOAT = 1e60
"""Largest absolute value of a number, in the units of the command line.

Larger numbers measure nothing, and their products would leave the range of float64.
"""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)")


class Arguments:
    """Named values of a command line, in SI units.

    Each value is also an attribute of this object.

    Parameters
    ----------
    values : mapping
        All values by name, including defaults.
    seen : set of str
        Names of the options on the command line.
    """

    def __init__(self, values: Mapping[str, Any], seen: Set[str]) -> None:
        self.values = dict(values)
        self.seen = frozenset(seen)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None


def default_values() -> dict[str, Any]:
    """Values of a command line without options; None means "not given"."""
    values: dict[str, Any] = dict(INITIAL)
    for option in OPTIONS:
        for name in option.dest:
            values.setdefault(name, None)
            if option.default and values[name] is None:
                values[name] = _convert_default(option)
    return values


def scan(
    words: Sequence[str], quirks: Quirks | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """Read a command line.

    Parameters
    ----------
    words : sequence of str
        The words after the program's name.
    quirks : Quirks, optional
        Corrected quirks, if the words are only a part of the command line.

    Returns
    -------
    given : dict
        Values that the words set, in SI units. If a value is set twice, the last setting is used.
    seen : frozenset of str
        Names of the options on the command line.

    Raises
    ------
    OptionError
        If an option is unknown, or its values are missing or are not numbers.
    """
    scanner = _Scanner(words, quirks)
    scanner.scan()
    return scanner.given, frozenset(scanner.seen)


class _Scanner:
    """Reads the words one by one; later settings replace earlier ones."""

    def __init__(self, words: Sequence[str], quirks: Quirks | None) -> None:
        self.words = list(words)
        self.given: dict[str, Any] = {}
        self.set_by: dict[str, str] = {}
        self.seen: set[str] = set()
        self.values_end = 0
        self.ignoring = False
        # known before any other word, because it decides how words are read
        self.quirks = corrected_quirks(self.words) if quirks is None else quirks

    def scan(self) -> None:
        """Read all words, and warn of options that also set another one."""
        for position, word in enumerate(self.words):
            if position < self.values_end:
                continue
            if not word.startswith("-") or NUMBER.fullmatch(word):
                self._stray(word)
            else:
                self._option(position, word)
        if self.set_by.get("misset") == "-misset_seed":
            angles = " ".join(f"{math.degrees(angle):g}" for angle in self.given["misset"])
            warn_quirk(
                Quirk.MISSET_SEED_SETS_MISSET,
                f"-misset_seed with three more arguments is also read as -misset {angles}; "
                "put it before -misset random",
            )
        if self.set_by.get("twotheta") == "-twotheta_axis":
            angle = f"{math.degrees(self.given['twotheta']):g}"
            warn_quirk(
                Quirk.TWOTHETA_AXIS_SETS_TWOTHETA,
                f"-twotheta_axis also sets -twotheta {angle}; give -twotheta after the axis",
            )

    def _stray(self, word: str) -> None:
        if not self.ignoring:
            warn(f"{shown(word)!r} belongs to no option and is ignored")

    def _option(self, position: int, word: str) -> None:
        matching = options_in(word, self.quirks)
        self.ignoring = not matching
        if not matching:
            refuse_unknown(word, self.quirks)
            return
        meant = [option for option in matching if is_spelling(option, word)]
        for each in matching:
            option = each if meant else in_named_unit(each, word, self.quirks)
            primary = option in meant or not meant
            quirk = FOUND_IN_LONGER_OPTIONS.get((plain(word), option.name))
            if not primary and quirk is not None and self.quirks.corrects(quirk):
                continue
            if primary:
                self.seen.add(option.name)
                warn_of_no_effect(option, word, self.quirks)
            before = dict(self.given)
            ended = self._apply(option, position, word, primary)
            for name, value in self.given.items():
                if name not in before or before[name] is not value:
                    self.set_by[name] = plain(word)
            if ended:
                break

    def _apply(self, option: Option, position: int, word: str, primary: bool) -> bool:
        """Read and set the values of an option; return whether the search in the word ends."""
        following = self.words[position + 1 :]
        if not primary and len(following) < option.count:
            return False
        if option.name == CORRECTED:
            value = _corrections_after(self.words, position)
            self._take(word, position, len(value), primary)
            self._set(option, self.quirks)
            return False
        if (
            option.name == "-curved_det"
            and not following
            and not self.quirks.corrects(Quirk.CURVED_AS_LAST_ARGUMENT)
        ):
            warn_quirk(
                Quirk.CURVED_AS_LAST_ARGUMENT,
                "-curved_det is ignored because it is the last argument",
            )
            return False
        if option.name == "-misset" and following and "rand" in following[0]:
            self._set(option, RANDOM)
            self._take(word, position, 1, primary)
            return True
        if option.name == "-cell":
            self._cell(option, position, word)
            return False
        if len(following) < option.count:
            wanted = "a value" if option.count == 1 else f"{option.count} values"
            found = len(following) or "none"
            raise OptionError(word, f"expected {wanted} after it, found {found}")
        values = following[: option.count]
        self._take(word, position, option.count, primary)
        if option.name == "-detector_abs":
            self._attenuation(option, word, values[0])
        elif option.name == "-pivot":
            self._set(option, _pivot(word, values[0]))
            self.given["explicit_pivot"] = self.given["pivot"]
        elif option.count:
            numbers = [_convert(option, word, value, strict=primary) for value in values]
            self._set(option, numbers[0] if option.count == 1 else numbers)
        if not (
            self.quirks.corrects(Quirk.VECTORS_SWITCH_CONVENTION)
            and option.sets.get("convention") == "custom"
        ):
            self.given.update(option.sets)
        return option.ends_token

    def _take(self, word: str, position: int, count: int, primary: bool) -> None:
        """Mark words as values, and reject options among them.

        The C program would read such a word as a value and as an option.
        """
        if not primary:
            return
        self.values_end = position + 1 + count
        for value in self.words[position + 1 : self.values_end]:
            if value.startswith("-") and any(option.matches(value) for option in OPTIONS):
                raise OptionError(word, f"expected a value, got the option {shown(value)!r}")

    def _set(self, option: Option, value: Any) -> None:
        for name in option.dest:
            self.given[name] = (*self.given.get(name, ()), value) if option.repeats else value

    def _cell(self, option: Option, position: int, word: str) -> None:
        values: list[float] = []
        for value in self.words[position + 1 : position + 7]:
            if value.startswith("-"):
                break
            values.append(_convert(option, word, value))
        self._take(word, position, len(values), primary=True)
        if not values or values[0] <= 0.0:
            got = f", got {values[0]:g}" if values else ""
            raise OptionError(word, f"expected a positive length{got}")
        # values of an earlier -cell stay if this one does not replace them
        self._set(option, values + self.given.get("cell", [])[len(values) :])

    def _attenuation(self, option: Option, word: str, value: str) -> None:
        depth = 0.0 if "inf" in value else _convert(option, word, value)
        if depth < 0.0:
            raise OptionError(word, f"the depth must not be negative, got {value}")
        if depth == 0.0:
            self.given["sensor_thickness"] = 0.0
        self._set(option, 1.0 / depth if depth else 0.0)


def corrected_quirks(words: Sequence[str]) -> Quirks:
    """Find the quirks that a command line corrects.

    Parameters
    ----------
    words : sequence of str
        The words after the program's name.

    Returns
    -------
    Quirks
        All quirks named by all -corrected options; none without -corrected.

    Raises
    ------
    OptionError
        If a named quirk does not exist or cannot be corrected.
    """
    corrected: frozenset[Quirk] = frozenset()
    for position, word in enumerate(words):
        if word == CORRECTED:
            value = _corrections_after(words, position)
            try:
                corrected |= Quirks.of(value[0] if value else "all").corrected
            except ModelError as error:
                text = str(error).removeprefix("quirks: ")
                raise OptionError(CORRECTED, shown(text, 200)) from error
    return Quirks(corrected)


def _corrections_after(words: Sequence[str], position: int) -> Sequence[str]:
    """Value of the -corrected at a position, as a list of one word; empty if it has no value."""
    following = words[position + 1 : position + 2]
    return following if following and not following[0].startswith("-") else ()


def _convert_default(option: Option) -> Any:
    if option.kind is Kind.FLOAT:
        return option.unit.to_si(float(option.default))
    if option.kind in (Kind.INTEGER, Kind.SEED):
        return int(option.default)
    if option.kind is Kind.DEVICES:
        return _devices(option.name, option.default)
    return option.default


def _convert(option: Option, word: str, text: str, strict: bool = True) -> Any:
    """Convert one value of an option to SI units."""
    if option.kind in (Kind.PATH, Kind.TEXT):
        return text
    if option.kind is Kind.FLOAT:
        return _convert_float(option, word, text, strict)
    if option.kind is Kind.CHOICE:
        if text not in option.choices:
            raise OptionError(word, f"expected {_listed(option.choices)}, got {shown(text)!r}")
        return text
    if option.kind is Kind.DEVICES:
        return _devices(word, text)
    return _convert_integer(option, word, text)


def _convert_integer(option: Option, word: str, text: str) -> int:
    if len(text) > LONGEST_INTEGER and (_DECIMAL.fullmatch(text) or _INTEGER.fullmatch(text)):
        raise OptionError(word, f"{shown(text)} is too large; at most {LARGEST_INTEGER}")
    if _DECIMAL.fullmatch(text):
        whole = math.trunc(float(text))
        if whole != float(text):
            warn(f"{word} {text}: an integer is expected; {whole} is used")
    elif _INTEGER.fullmatch(text):
        whole = int(text)
    else:
        told = f"expected an integer, got {shown(text)!r}"
        if text == "auto":
            told += ", which only -mosaic_dom and -phisteps of the main command line have"
        raise OptionError(word, told)
    if option.kind is Kind.SEED:
        if wrap_int32(whole) != whole:
            warn(f"{word} {text}: seeds have 32 bits; {wrap_int32(whole)} is used")
        return wrap_int32(whole)
    if abs(whole) > LARGEST_INTEGER:
        raise OptionError(word, f"{text} is too large; at most {LARGEST_INTEGER}")
    _check_limit(option, word, text, whole)
    return whole


def _convert_float(option: Option, word: str, text: str, strict: bool) -> float:
    match = NUMBER.fullmatch(text) if strict else NUMBER.match(text)
    if match is None:
        if not strict:
            return 0.0
        raise OptionError(word, f"expected a number, got {shown(text)!r}")
    value = float(match.group())
    if not abs(value) <= LARGEST_FLOAT:
        raise OptionError(word, f"{shown(text)} is too large; at most {LARGEST_FLOAT:g}")
    if option.limit and 0.0 < abs(value) < 1.0 / LARGEST_FLOAT:
        raise OptionError(word, f"{shown(text)} is too close to zero")
    _check_limit(option, word, text, value)
    return option.unit.to_si(value)


def _devices(word: str, text: str) -> list[int] | None:
    """Read the numbers of devices; None for all."""
    if text == "all":
        return None
    if not re.fullmatch(r"\d{1,4}(,\d{1,4})*", text, re.ASCII):
        raise OptionError(
            word, f"expected 'all' or numbers with commas between, got {shown(text)!r}"
        )
    return [int(number) for number in text.split(",")]


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _check_limit(option: Option, word: str, text: str, value: float) -> None:
    kept = {"": True, "positive": value > 0, "not negative": value >= 0, "not zero": value != 0}
    if not kept[option.limit]:
        problem = f"must be {option.limit}".replace("be not", "not be")
        raise OptionError(word, f"{problem}, got {shown(text)}")


def _pivot(word: str, text: str) -> str:
    for pivot in ("beam", "sample"):
        if pivot in text:
            return pivot
    raise OptionError(word, f"expected 'sample' or 'beam', got {shown(text)!r}")
