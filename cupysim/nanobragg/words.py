"""Options that a word of the command line stands for, and the unit of their values.

The C program finds options within longer words: it reads `-distance_m` as `-distance`, in
millimetres. This module examines the unit that such a word names (quirk Q51).
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

from cupysim.errors import CupysimWarning, OptionError
from cupysim.nanobragg.option_kinds import Kind, Option
from cupysim.nanobragg.options import OPTIONS
from cupysim.quirks import Quirk, Quirks, warn_quirk

LEGACY_WORDS: dict[str, str] = {
    "-hdiv": "use -hdivrange",
    "-vdiv": "use -vdivrange",
    "-dispstep": "use -dispsteps",
    "-source_dist": "sources are treated as infinitely far away",
    "-source_distance": "sources are treated as infinitely far away",
    "-thick": "use -sample_x or -detector_thick",
    "-detsize_x": "use -detsize_f",
    "-detsize_y": "use -detsize_s",
    "-xdet_vector": "use -fdet_vector",
    "-ydet_vector": "use -sdet_vector",
    "-zdet_vector": "use -odet_vector",
    "-detector_thickness": "use -detector_thick",
    "-polarization": "use -polar",
}
"""Words of the C program's documentation that the C program ignores, and what to use instead."""


UNIT_WORDS = frozenset(word for option in OPTIONS for word in option.unit.kin)
"""All words that name a unit."""

_UNITS_IN_ANY_CASE = frozenset(word.casefold() for word in UNIT_WORDS if len(word) > 1)

_NUMBERS = (Kind.FLOAT, Kind.INTEGER, Kind.SEED)

_SEPARATORS = re.compile(r"[\W_]+")

_FILLERS = ("", "in", "per")
"""Parts of a word that carry no information."""


def plain(word: str) -> str:
    """Return a word with one dash."""
    return "-" + word.lstrip("-")


def is_spelling(option: Option, word: str) -> bool:
    """Whether a word is a known spelling of an option, with one dash or two."""
    return plain(word) in option.spellings


def options_in(word: str, quirks: Quirks) -> list[Option]:
    """Find the options that a word stands for.

    Parameters
    ----------
    word : str
        Word of the command line that starts with a dash.
    quirks : Quirks
        Corrected quirks. With Q51, a unit may also follow the name of an option that the C program
        does not find in longer words.

    Returns
    -------
    list of Option
        The options, in the order of the table.
    """
    found = [option for option in OPTIONS if option.matches(word)]
    if found or not quirks.corrects(Quirk.OPTION_UNITS):
        return found
    name, _, unit = word.rpartition("_")
    return [option for option in OPTIONS if name in option.spellings and option.unit.called(unit)]


def in_named_unit(option: Option, word: str, quirks: Quirks) -> Option:
    """Apply the unit that a longer word names to an option, and warn if the word is not clear.

    Parameters
    ----------
    option : Option
        Option that the word stands for.
    word : str
        Word of the command line that is not one of the option's spellings.
    quirks : Quirks
        Corrected quirks. With Q51, units are used.

    Returns
    -------
    Option
        The option, perhaps with another unit.

    Raises
    ------
    OptionError
        If Q51 is corrected and the unit is not of the option's kind.
    """
    parts = _beyond_the_name(option, word)
    units = [part for part in parts if _is_unit(part)] if option.kind in _NUMBERS else []
    own, named = option.unit, None
    if units and units == parts[-1:]:
        named = own.called(units[0])
    if named is not None and (
        named is own or quirks.corrects(Quirk.OPTION_UNITS) or option.free_unit
    ):
        option = replace(option, unit=named)
    elif units and quirks.corrects(Quirk.OPTION_UNITS):
        unit = shown("_".join(units))
        problem = f"{unit} is not a unit of {option.name}, which is in {own.name}"
        if not own.name:
            problem = f"{unit} is a unit; {option.name} has none"
        raise OptionError(shown(word), problem)
    elif units:
        meaning = f"in {own.name}" if own.name else "which has no unit"
        effect = f"{shown(word)} is read as {option.name}, {meaning}"
        warn_quirk(Quirk.OPTION_UNITS, effect, can_be_corrected=named is not None)
        return option
    if not units or len(parts) > 1:
        meaning = f", in {option.unit.name}" if option.unit.name else ""
        warn(f"{shown(word)!r} is read as {option.name}{meaning}")
    return option


def refuse_unknown(word: str, quirks: Quirks) -> None:
    """Reject a word that stands for no option, or warn if the C program's manual has it.

    Parameters
    ----------
    word : str
        Word of the command line.
    quirks : Quirks
        Corrected quirks, for the hint in the message.

    Raises
    ------
    OptionError
        If the C program's documentation does not have the word.
    """
    one_dash = plain(word)
    if one_dash in LEGACY_WORDS:
        warn(f"{word} is ignored, as in nanoBragg: {LEGACY_WORDS[one_dash]}")
    elif word != one_dash and any(
        option.matches(one_dash) and not (option.is_new or one_dash in option.extensions)
        for option in OPTIONS
    ):
        warn(f"{word} is ignored, as in nanoBragg: write it with one dash")
    else:
        raise OptionError(shown(word), f"unknown option; {_hint(one_dash, quirks)}")


def shown(text: str, most: int = 60) -> str:
    """Shorten a text to at most `most` characters, for messages."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def warn(text: str) -> None:
    """Warn of what a command line says."""
    warnings.warn(CupysimWarning(text), stacklevel=4)


def _beyond_the_name(option: Option, word: str) -> list[str]:
    """Parts of a word beyond the longest spelling of an option in it, without fillers."""
    text = plain(word)
    name = max((each for each in option.spellings if each in text), key=len)
    before, _, after = text.partition(name)
    behind = _SEPARATORS.split(after)
    if len(behind[0]) == 1:
        # a plural, not a unit
        behind[0] = name + behind[0]
    return [part for part in [*_SEPARATORS.split(before), *behind] if part not in _FILLERS]


def _is_unit(part: str) -> bool:
    return part in UNIT_WORDS or part.casefold() in _UNITS_IN_ANY_CASE


def _hint(word: str, quirks: Quirks) -> str:
    """Suggest an option for a word that is not an option."""
    name, _, unit = word.rpartition("_")
    for option in OPTIONS:
        if name in option.spellings and option.unit.name and _is_unit(unit):
            reads = option.unit.called(unit) is not None and not quirks.corrects(Quirk.OPTION_UNITS)
            remedy = f"; with -corrected Q51 it may be in {unit}" if reads else ""
            return f"{name} is in {option.unit.name}{remedy}"
    import difflib

    names = [name for option in OPTIONS for name in option.spellings]
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else "cupysim -h lists the options"


def warn_of_no_effect(option: Option, word: str, quirks: Quirks) -> None:
    """Warn of an option that is read but not used.

    Parameters
    ----------
    option : Option
        The option.
    word : str
        The word on the command line.
    quirks : Quirks
        Corrected quirks. A correction may use the option.
    """
    quirk = option.used_if_corrected
    if not option.no_effect or (quirk is not None and quirks.corrects(quirk)):
        return
    text = f"{word} has no effect on the image, as in nanoBragg"
    if quirk is None:
        warn(text)
    else:
        warn_quirk(quirk, text)
