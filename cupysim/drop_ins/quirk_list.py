"""Numbered quirks of a program other than nanoBragg: warnings, and choices to correct them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from cupysim.errors import CupysimWarning, OptionError
from cupysim.quirks import Policy

OPTION = "-corrected"
"""Option that corrects quirks. It may have a value."""

ALL = ("all", "corrected")
"""Names of all quirks that can be corrected."""

ANY_NUMBER = re.compile("[a-z]{0,3}q[0-9]")
"""A quirk of any program, in lower case."""

Corrections = frozenset[IntEnum]
"""Corrected quirks."""


class NumberedWarning(CupysimWarning):
    """Warning that a numbered quirk has an effect on this run.

    Parameters
    ----------
    number : int
        Number of the quirk.
    text : str
        Effect on this run, and what the user can do.
    """

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


@dataclass(frozen=True)
class QuirkList:
    """The quirks of a program.

    Parameters
    ----------
    prefix : str
        Letters before the numbers, such as NQ.
    table : mapping of IntEnum to (str, str)
        Title and policy of each quirk.
    correctable : frozenset of IntEnum
        Quirks that `OPTION` corrects.
    """

    prefix: str
    table: Mapping[IntEnum, tuple[str, Policy]]
    correctable: frozenset[IntEnum]

    def warn(self, quirk: IntEnum, effect: str, can_be_corrected: bool = True) -> None:
        """Warn that a quirk has an effect on this run.

        Parameters
        ----------
        quirk : IntEnum
            Quirk that has the effect.
        effect : str
            Effect on this run, and what the user can do.
        can_be_corrected : bool, optional
            Whether a correction of the quirk removes this effect.
        """
        name, remedy = f"{self.prefix}{quirk:d}", ""
        if can_be_corrected and quirk in self.correctable:
            remedy = f"; {OPTION} {name} corrects it"
        warnings.warn(NumberedWarning(int(quirk), f"{name}: {effect}{remedy}"), stacklevel=3)

    def corrected_by(self, words: Sequence[str]) -> Corrections:
        """Find the quirks that a command line corrects.

        Parameters
        ----------
        words : sequence of str
            The words after the program's name.

        Returns
        -------
        frozenset of IntEnum
            Quirks of all choices; none without `OPTION`.

        Raises
        ------
        OptionError
            If a quirk does not exist or cannot be corrected.
        """
        found: Corrections = frozenset()
        for position, word in enumerate(words):
            if word == OPTION:
                following = words[position + 1] if position + 1 < len(words) else ""
                found |= self._choice(following if self._is_choice(following) else ALL[0])
        return found

    def _is_choice(self, word: str) -> bool:
        # numbers of another program's quirks are an error, not "all"
        word = word.lower()
        return word in ALL or word.startswith(self.prefix.lower()) or bool(ANY_NUMBER.match(word))

    def _choice(self, wanted: str) -> Corrections:
        if wanted.lower() in ALL:
            return self.correctable
        by_number = {int(quirk): quirk for quirk in self.table}
        found = set()
        for word in wanted.split(","):
            match = re.fullmatch(f"{self.prefix}([0-9]{{1,3}})", word.strip(), re.IGNORECASE)
            quirk = by_number.get(int(match[1]) if match else 0)
            if quirk is None:
                likely = ",".join(f"{self.prefix}{each:d}" for each in sorted(self.correctable)[:2])
                raise OptionError(OPTION, f"expected all or numbers like {likely}, got {wanted!r}")
            if quirk not in self.correctable:
                title, policy = self.table[quirk]
                name = f"{self.prefix}{quirk:d}"
                raise OptionError(OPTION, f"{name} ({title}) is {policy} and cannot be corrected")
            found.add(quirk)
        return frozenset(found)
