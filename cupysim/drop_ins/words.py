"""The words of a command line, as small C programs read them."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cupysim.drop_ins.options import Program, ProgramOption
from cupysim.errors import CupysimWarning, OptionError
from cupysim.maths.nr_random import wrap_int32

NUMBER = re.compile(
    r"\s*([+-]?(?:0[xX][0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?[0-9]+)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan))", re.IGNORECASE
)  # fmt: skip
"""A number as the C library reads it at the beginning of a text."""

INTEGER = re.compile(r"\s*([+-]?[0-9]+)")

LARGEST_LONG = 2**63 - 1
"""Largest integer that the C library reads; larger ones become this one."""


@dataclass(frozen=True)
class Match:
    """A word in which an option was found, or a word that has a meaning of its own.

    Parameters
    ----------
    option : ProgramOption, optional
        Option; None for a word with a meaning of its own.
    word : str
        The word.
    values : tuple of str
        Words after it, as many as the option needs, or fewer at the end of the command line.
    before : str
        Word before it.
    is_last : bool
        Whether it is the last word.
    """

    option: ProgramOption | None
    word: str
    values: tuple[str, ...]
    before: str
    is_last: bool


def read_words(
    program: Program,
    words: Sequence[str],
    is_meant: Callable[[str], bool] | None = None,
    tell_unknown: Callable[[str], bool] | None = None,
) -> Iterator[Match]:
    """Find the options in the words of a command line, and warn of words without a meaning.

    Parameters
    ----------
    program : Program
        Program with its options.
    words : sequence of str
        The words after the program's name. Options are also found among values.
    is_meant : callable, optional
        Whether a word has a meaning of its own, and is no option.
    tell_unknown : callable, optional
        Warns of an unknown option in its own way, and returns whether it did.

    Yields
    ------
    Match
        For each option in each word.
    """
    values_end = 0
    for position, word in enumerate(words):
        before, is_last = words[position - 1] if position else "", position + 1 == len(words)
        if is_meant is not None and is_meant(word):
            yield Match(None, word, (), before, is_last)
        elif word.startswith("-"):
            found = [option for option in program.options if option.matches(word)]
            is_told = bool(found or NUMBER.fullmatch(word))
            if not is_told and (tell_unknown is None or not tell_unknown(word)):
                warn(f"{word!r} is no option of {program.name}, and is ignored")
            for option in found:
                end = position + 1 + option.count
                values_end = max(values_end, end)
                yield Match(option, word, tuple(words[position + 1 : end]), before, is_last)
        elif position >= values_end and not before.startswith("-"):
            warn(f"{word!r} belongs to no option, and is ignored")


def leading_number(word: str, text: str, program: str) -> float:
    """The number at the beginning of a text; 0 if there is none, as in C programs.

    Parameters
    ----------
    word, text : str
        Option, and its value.
    program : str
        Name of the C program, for the warning that the text is no number.

    Raises
    ------
    OptionError
        If the number is not finite.
    """
    match = NUMBER.match(text)
    if match is None or match.end() != len(text):
        used = match[1] if match else "0"
        warn(f"{word} {text!r} is no number; {used} is used, as in {program}")
    if match is None:
        return 0.0
    value = number_of(match[1])
    if not math.isfinite(value):
        raise OptionError(word, f"expected a finite number, got {text!r}")
    return value


def number_of(text: str) -> float:
    """The value of a text that `NUMBER` matches."""
    return float.fromhex(text) if "x" in text.lower() else float(text)


def leading_integer(word: str, text: str, program: str) -> int:
    """The integer at the beginning of a text, reduced to 32 bits; 0 if there is none.

    Parameters
    ----------
    word, text, program : str
        As for `leading_number`.
    """
    match = INTEGER.match(text)
    whole = int(match[1]) if match and len(match[1]) < 30 else 0
    if match and len(match[1]) >= 30:
        whole = -LARGEST_LONG - 1 if match[1].startswith("-") else LARGEST_LONG
    whole = wrap_int32(max(min(whole, LARGEST_LONG), -LARGEST_LONG - 1))
    if match is None or match.end() != len(text) or int(match[1]) != whole:
        warn(f"{word} {text!r} is no integer of 32 bits; {whole} is used, as in {program}")
    return whole


def warn(text: str) -> None:
    """Warn in one line."""
    warnings.warn(CupysimWarning(text), stacklevel=3)
