"""Description of an option of the drop-in command: how it is recognised, what values it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cupysim.drop_ins.units import NONE, Unit
from cupysim.quirks import Quirk


class Match(Enum):
    """How an argument is recognised as an option."""

    SUBSTRING = "the option occurs anywhere in the argument"
    LENGTH = "the same, and the lengths are equal"
    EXACT = "the argument is the option"


class Kind(Enum):
    """What the values of an option are."""

    FLAG = "none"
    FLOAT = "a number"
    INTEGER = "an integer"
    SEED = "an integer of 32 bits"
    TEXT = "a text"
    CHOICE = "one of some words"
    DEVICES = "numbers of devices, or all"
    PATH = "a file"


@dataclass(frozen=True)
class Option:
    """One option of the drop-in command.

    Parameters
    ----------
    names : tuple of str
        Spellings; the first is the one in the help.
    group : str
        Heading in the help.
    help : str
        Help text, one sentence.
    kind : Kind
        Kind of the values.
    count : int
        Number of values.
    unit : Unit
        Unit of the values on the command line.
    dest : tuple of str
        Names of the arguments that it sets; a single value sets all of them.
    default : str
        Value of these arguments without the option, as on the command line; empty for "not given".
    sets : mapping
        Further arguments that it sets, with their constant values.
    match : Match
        How an argument is recognised as this option.
    ends_token : bool
        Whether the search for options in the same argument ends here.
    extensions : tuple of str
        Longer spellings in common use, accepted without a warning.
    metavar : str
        How its values appear in the help.
    limit : str
        Condition on each value: "positive", "not negative" or "not zero".
    choices : tuple of str
        Accepted words, for an option that accepts one of several words.
    no_effect : bool
        Whether the option is read but not used, as in the C program.
    used_if_corrected : Quirk, optional
        Quirk whose correction uses an option that otherwise has no effect.
    free_unit : bool
        Whether a unit in the option's name is used without a corrected quirk. The C program does
        not use the numbers of such an option.
    is_new : bool
        Whether the C program lacks the option.
    repeats : bool
        Whether the option may be given several times. Its value is then a tuple.
    """

    names: tuple[str, ...]
    group: str
    help: str
    kind: Kind = Kind.FLAG
    count: int = 0
    unit: Unit = NONE
    dest: tuple[str, ...] = ()
    default: str = ""
    sets: Mapping[str, Any] = field(default_factory=dict)
    match: Match = Match.SUBSTRING
    ends_token: bool = False
    extensions: tuple[str, ...] = ()
    metavar: str = ""
    limit: str = ""
    choices: tuple[str, ...] = ()
    no_effect: bool = False
    used_if_corrected: Quirk | None = None
    free_unit: bool = False
    is_new: bool = False
    repeats: bool = False

    @property
    def name(self) -> str:
        """The spelling in the help."""
        return self.names[0]

    @property
    def spellings(self) -> tuple[str, ...]:
        """All known spellings."""
        return (*self.names, *self.extensions)

    def matches(self, argument: str) -> bool:
        """Whether the C program recognises this argument as this option."""
        if self.match is Match.EXACT:
            # options that nanoBragg lacks may begin with two dashes
            single = argument[1:] if self.is_new and argument.startswith("--") else argument
            return single in self.names
        if self.match is Match.LENGTH:
            return any(name in argument and len(name) == len(argument) for name in self.names)
        return any(name in argument for name in self.names)


CRYSTAL, BEAM, DETECTOR = "Crystal", "Beam", "Detector"
SAMPLING, OUTPUT, INPUT = "Sampling", "Output", "Input images and tables"
COMPUTING, GENERAL = "Computing", "General"
GROUPS = (CRYSTAL, BEAM, DETECTOR, SAMPLING, OUTPUT, INPUT, COMPUTING, GENERAL)


def number(
    names: str,
    group: str,
    text: str,
    unit: Unit = NONE,
    dest: str = "",
    default: str = "",
    **more: Any,
) -> Option:
    """Make an option with one floating-point value."""
    return Option(
        tuple(names.split()), group, text, Kind.FLOAT, 1, unit, tuple(dest.split()), default, **more
    )


def integer(names: str, group: str, text: str, dest: str, default: str = "", **more: Any) -> Option:
    """Make an option with one integer."""
    kind = more.pop("kind", Kind.INTEGER)
    return Option(
        tuple(names.split()), group, text, kind, 1, NONE, tuple(dest.split()), default, **more
    )


def path(names: str, group: str, text: str, dest: str, default: str = "", **more: Any) -> Option:
    """Make an option that names a file."""
    return Option(tuple(names.split()), group, text, Kind.PATH, 1, NONE, (dest,), default, **more)


def new_path(name: str, group: str, text: str, dest: str) -> Option:
    """Make an option that nanoBragg lacks and that names a file."""
    return path(name, group, text, dest, match=Match.EXACT, is_new=True)


def new_text(name: str, group: str, text: str, dest: str, metavar: str) -> Option:
    """Make an option that nanoBragg lacks and that has a word."""
    return Option(
        (name,), group, text, Kind.TEXT, 1, NONE, (dest,), match=Match.EXACT, metavar=metavar,
        is_new=True,
    )  # fmt: skip


def new_number(name: str, text: str, unit: Unit, dest: str, default: str) -> Option:
    """Make an option that nanoBragg lacks, for the crystal, with a number that is not negative."""
    return number(
        name, CRYSTAL, text, unit, dest, default, match=Match.EXACT, limit="not negative",
        is_new=True,
    )  # fmt: skip


def flag(names: str, group: str, text: str, sets: Mapping[str, Any], **more: Any) -> Option:
    """Make an option without a value."""
    return Option(tuple(names.split()), group, text, sets=sets, **more)


def new_flag(name: str, text: str, dest: str) -> Option:
    """Make an option that nanoBragg lacks, for the crystal, without a value."""
    return flag(name, CRYSTAL, text, {dest: True}, match=Match.EXACT, is_new=True)


def choice(
    name: str, group: str, text: str, dest: str, choices: tuple[str, ...], default: str
) -> Option:
    """Make an option that nanoBragg lacks and that accepts one of several words."""
    return Option(
        (name,), group, text, Kind.CHOICE, 1, NONE, (dest,), default, match=Match.EXACT,
        metavar="|".join(choices), choices=choices, is_new=True,
    )  # fmt: skip


def vector(name: str, text: str, dest: str, unit: Unit = NONE, **more: Any) -> Option:
    """Make an option with a vector in the laboratory frame; it selects the CUSTOM convention."""
    return Option(
        (name,), DETECTOR, text, Kind.FLOAT, 3, unit, (dest,), "",
        sets={"convention": "custom"}, metavar="X Y Z", **more,
    )  # fmt: skip
