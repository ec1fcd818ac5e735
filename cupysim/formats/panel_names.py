"""Names and order of panels and groups in files of other programs, for a `PanelDetector`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cupysim.models.panel import Panel
from cupysim.models.panel_group import PanelGroup

MOST_NAMED = 3
"""Largest number of names in a warning."""


@dataclass(frozen=True, eq=False)
class NamedPanels:
    """Panels of a file, in their groups.

    Parameters
    ----------
    name : str
        Name of the detector.
    members : tuple of Panel or PanelGroup
        Panels and groups, in the laboratory frame of the file's format.
    remarks : tuple of str
        Warnings for the user.
    """

    name: str
    members: tuple[Panel | PanelGroup, ...]
    remarks: tuple[str, ...]


def order_told(numbers: Sequence[int]) -> tuple[str, ...]:
    """Warning about panels in another order than in their file.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of the panels in the file, in the order of the groups.
    """
    if list(numbers) == sorted(numbers):
        return ()
    return ("panels are numbered in the order of their groups; in DIALS they have other numbers",)


def plain(told: object, usual: str) -> str:
    """A name without slashes and outer blanks.

    Parameters
    ----------
    told : object
        Name in the file, for example the path of a group in an HDF5 file, or None.
    usual : str
        Name to use if the file has none.

    Returns
    -------
    str
        The name, with points in place of slashes.
    """
    text = "" if told is None else str(told)
    return text.strip(" \t\r\n\0/").replace("/", ".").strip() or usual


def distinct(names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Make names different from each other.

    Parameters
    ----------
    names : sequence of str
        Names of panels and groups.

    Returns
    -------
    names : list of str
        Names; those that occur more than once have a number at their ends.
    remarks : tuple of str
        Warning about names that occur more than once.
    """
    counts = Counter(names)
    taken = {name for name, count in counts.items() if count == 1}
    numbers: Counter[str] = Counter()
    found = []
    for name in names:
        made = name
        while counts[name] > 1:
            made = f"{name}_{numbers[name]}"
            numbers[name] += 1
            if made not in taken:
                break
        taken.add(made)
        found.append(made)
    twice = [name for name, count in counts.items() if count > 1]
    if not twice:
        return found, ()
    more = ", ..." if len(twice) > MOST_NAMED else ""
    told = ", ".join(repr(name) for name in twice[:MOST_NAMED]) + more
    return found, (f"several panels or groups have the name {told}; they are numbered",)
