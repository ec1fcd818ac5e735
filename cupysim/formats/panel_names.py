"""Names of panels and groups in files of other programs, as names in a `PanelDetector`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

MOST_NAMED = 3
"""Largest number of names in a warning."""


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
