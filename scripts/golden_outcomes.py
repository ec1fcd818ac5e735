"""The results that the golden checks of each program return."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The result of a case.

    Parameters
    ----------
    name : str
        Name of the case.
    text : str
        Measured figures, or the reason why the case is not covered.
    passed : bool or None
        Whether it passed; None if it is not covered.
    """

    name: str
    text: str
    passed: bool | None


def wanted(name: str, beginnings: Iterable[str]) -> bool:
    """Whether the user asks for a case: without beginnings of names, for all cases."""
    beginnings = tuple(beginnings)
    return not beginnings or name.startswith(beginnings)
