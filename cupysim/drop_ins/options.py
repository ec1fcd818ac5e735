"""Options of drop-ins for small C programs: one table for parsing, help and documentation.

These programs compare every argument that starts with a dash with all options. They also find most
options within longer arguments. This file imports only the standard library, so that help is fast.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cupysim.drop_ins.units import NONE, Unit


class Kind(Enum):
    """Kind of an option's value. The text of a member stands for the value in the help."""

    FLAG = ""
    NUMBER = "X"
    INTEGER = "N"
    SEED = "SEED"
    FILE = "FILE"
    WORD = "WORD"
    VECTOR = "X Y Z"
    PAIR = "N N"
    REGION = "N N N N"


COUNTS = {Kind.FLAG: 0, Kind.VECTOR: 3, Kind.PAIR: 2, Kind.REGION: 4}
"""Numbers of values. Options of other kinds have one."""


@dataclass(frozen=True)
class ProgramOption:
    """One option of a program.

    Parameters
    ----------
    names : tuple of str
        Spellings; the first is the one in the help.
    group : str
        Heading in the help.
    help : str
        Help text.
    dest : tuple of str
        Names of the arguments that it sets.
    kind : Kind
        Kind of the value.
    unit : Unit
        Unit of the value on the command line, with its conversion to the unit that is kept.
    default : str
        Default in the help; empty if there is none.
    is_exact : bool
        Whether the argument must equal the option. Otherwise it may contain the option.
    metavar : str
        How the value appears in the help, if not by its kind.
    is_new : bool
        Whether the C program lacks the option.
    sets : tuple of (str, value)
        Names and values of further arguments that it sets.
    """

    names: tuple[str, ...]
    group: str
    help: str
    dest: tuple[str, ...] = ()
    kind: Kind = Kind.NUMBER
    unit: Unit = NONE
    default: str = ""
    is_exact: bool = False
    metavar: str = ""
    is_new: bool = False
    sets: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The spelling in the help."""
        return self.names[0]

    @property
    def count(self) -> int:
        """Number of values."""
        return COUNTS.get(self.kind, 1)

    @property
    def value_name(self) -> str:
        """How the value appears in the help."""
        return self.metavar or self.kind.value

    def matches(self, word: str) -> bool:
        """Whether the C program recognises an argument as this option."""
        if self.is_exact:
            return word in self.names
        return any(name in word for name in self.names)


@dataclass(frozen=True)
class Program:
    """A program and its options.

    Parameters
    ----------
    name : str
        Name of the C program.
    options : sequence of ProgramOption
        Its options.
    usage, description, epilog : str
        Texts of the help.
    """

    name: str
    options: Sequence[ProgramOption]
    usage: str
    description: str
    epilog: str

    @property
    def groups(self) -> list[str]:
        """Headings of the help, in the order of the options."""
        return list(dict.fromkeys(option.group for option in self.options))

    def describe(self, option: ProgramOption) -> str:
        """Make the help text of an option, with unit and default."""
        notes = [option.unit.name] if option.unit.name else []
        notes += [f"default {option.default}"] if option.default else []
        notes += [f"not in {self.name}"] if option.is_new else []
        return option.help + (f" ({'; '.join(notes)})" if notes else "")

    def format_help(self, width: int = 100) -> str:
        """Make the help text: options by group, with units and defaults."""
        lines = [f"usage: {self.usage}", "", *textwrap.wrap(self.description, width)]
        for group in self.groups:
            lines += ["", f"{group}:"]
            for option in (option for option in self.options if option.group == group):
                head = f"  {', '.join(option.names)} {option.value_name}".rstrip()
                text = textwrap.wrap(self.describe(option), width - 28)
                if len(head) > 26:
                    lines.append(head)
                    head = ""
                lines += [f"{head:28}{text[0]}", *(" " * 28 + line for line in text[1:])]
        return "\n".join([*lines, "", *textwrap.wrap(self.epilog, width)])
