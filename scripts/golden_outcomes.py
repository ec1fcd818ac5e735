"""What the golden checks of each program return."""

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
    """Whether a case is asked for: all are, if there are no beginnings of names."""
    beginnings = tuple(beginnings)
    return not beginnings or name.startswith(beginnings)
