"""Space group of a file that may state it in several ways, and contradictions between these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cupysim.errors import FileFormatError
from cupysim.formats.structures.symmetry import (
    Symmetry,
    named,
    of_group,
    of_operators,
    operators_of,
)
from cupysim.optional_libraries import require

ENTRY = 1000
"""Offset of group numbers in MTZ files: larger numbers mean other settings of the same group."""


@dataclass(frozen=True, eq=False)
class ToldSymmetry:
    """Space group of a file, with assumptions and contradictions.

    Parameters
    ----------
    symmetry : Symmetry, optional
        Space group; None if the file has none.
    assumptions : tuple of str
        Notes on what the file does not say, and what is assumed.
    contradictions : tuple of str
        Warnings about other groups that the file names.
    """

    symmetry: Symmetry | None = None
    assumptions: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Words:
    """Statements of a file about its space group, in order of precedence.

    Parameters
    ----------
    operators : sequence of (str, sequence of str)
        Lists of operators, each with a name for messages. They have precedence.
    hall : sequence of str
        Hall symbols.
    names : sequence of str
        Hermann-Mauguin symbols.
    types : sequence of str
        Symbols of the same group, possibly in another setting.
    numbers : sequence of str
        Numbers of International Tables.
    """

    operators: Sequence[tuple[str, Sequence[str]]] = ()
    hall: Sequence[str] = ()
    names: Sequence[str] = ()
    types: Sequence[str] = ()
    numbers: Sequence[str] = ()


def symmetry_of(path: object, words: Words, cell: Sequence[float] | None) -> ToldSymmetry:
    """Find the space group of a file from all its statements.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    words : Words
        Statements of the file.
    cell : sequence of 6 float, optional
        Unit cell, to distinguish rhombohedral from hexagonal axes.

    Returns
    -------
    ToldSymmetry
        The group. Precedence: operators, a Hall symbol, a Hermann-Mauguin symbol, a number.
        Statements about another group become contradictions.

    Raises
    ------
    FileFormatError
        If operators do not form a group; if two lists of operators, or symbols without operators,
        are of different groups; if no statement can be understood.
    """
    settings = {name: _settings(name, cell) for name in (*words.names, *words.types)}
    by_hall = [(text, each) for text in words.hall if (each := _of_hall(path, text)) is not None]
    first = words.names[0] if words.names else ""
    if words.operators:
        chosen, assumptions = _of_lists(path, words.operators, first, settings.get(first, []))
        what = f"its {words.operators[0][0]}"
    elif by_hall:
        (text, chosen), assumptions = by_hall[0], ()
        what = f"its Hall symbol {text!r}"
    elif settings.get(first):
        chosen, assumptions = settings[first][0], ()
        if len(settings[first]) > 1:
            assumptions = (f"of the two origins of {first}, {chosen.name} is assumed",)
        what = f"its name {first!r}"
    else:
        return _of_number(path, words)
    contradictions: list[tuple[str, list[Symmetry]]] = []
    for text, other in by_hall:
        if not other.has_operators(chosen):
            contradictions.append((f"its Hall symbol {text!r}", [other]))
    for name in words.names:
        if settings[name] and not any(each.has_operators(chosen) for each in settings[name]):
            contradictions.append((f"its name {name!r}", settings[name]))
    for name in words.types:
        if settings[name] and not any(_are_of_one_type(each, chosen) for each in settings[name]):
            contradictions.append((f"its name {name!r}", settings[name]))
    for other_what, others in contradictions:
        if not words.operators and not any(_are_of_one_type(each, chosen) for each in others):
            raise FileFormatError(path, f"{what} and {other_what} are of different space groups")
    found = chosen.name if chosen.group is not None else "a group without a name"
    counts = f"{what} {'are' if words.operators else 'is'} used ({found})"
    texts = [f"{counts}, not {each}" for each, _ in contradictions]
    texts += [
        f"{counts}, not its number {number}"
        for number in words.numbers
        if not _has_number(chosen, number)
    ]
    return ToldSymmetry(chosen, tuple(assumptions), tuple(dict.fromkeys(texts)))


def by_name_or_operators(
    path: object, name: str, triplets: Sequence[str], cell: Sequence[float] | None
) -> ToldSymmetry:
    """Find the space group of a PDB file. CRYST1 has precedence over REMARK 290.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        The Hermann-Mauguin symbol, or empty.
    triplets : sequence of str
        Operators of REMARK 290.
    cell : sequence of 6 float, optional
        Unit cell, to distinguish rhombohedral from hexagonal axes.

    Returns
    -------
    ToldSymmetry
        The group. If its name allows two origins, the operators decide.

    Raises
    ------
    FileFormatError
        If the name is unknown and there are no operators, or they do not form a group.
    """
    settings = _settings(name, cell)
    if not triplets or not settings:
        operators = [("operators (REMARK 290)", triplets)] if triplets else []
        return symmetry_of(path, Words(operators, names=[name] if name else []), cell)
    try:
        given = {op.triplet() for op in operators_of(path, triplets)}
        whole = [each for each in settings if each.is_without_centring(given)]
        other = whole[0] if whole else of_operators(path, triplets)
    except FileFormatError:
        contradiction = f"CRYST1 is used, {settings[0].name}; REMARK 290 has no group of operators"
        return ToldSymmetry(settings[0], (), (contradiction,))
    same = [each for each in settings if each.has_operators(other)]
    if same:
        return ToldSymmetry(same[0])
    contradiction = f"CRYST1 is used, {settings[0].name}; the operators of REMARK 290 are those of "
    return ToldSymmetry(settings[0], (), (contradiction + other.name,))


def _of_lists(
    path: object, lists: Sequence[tuple[str, Sequence[str]]], name: str, settings: list[Symmetry]
) -> tuple[Symmetry, tuple[str, ...]]:
    """The group of lists of operators, with centring translations that only its name implies."""
    found: list[Symmetry] = []
    assumptions: tuple[str, ...] = ()
    for _, triplets in lists:
        given = {op.triplet() for op in operators_of(path, triplets)}
        whole = next((each for each in settings if each.is_without_centring(given)), None)
        if whole is None:
            whole = of_operators(path, triplets, "" if settings else name)
        else:
            assumptions = (
                "its operators lack the centring translations of its name; they are added",
            )
        if found and not whole.has_operators(found[0]):
            raise FileFormatError(
                path,
                f"its {lists[0][0]} and its {lists[len(found)][0]} are of different space groups: "
                f"{found[0].name}, {whole.name}",
            )
        found.append(whole)
    return found[0], assumptions


def _of_number(path: object, words: Words) -> ToldSymmetry:
    """The usual setting of a group if only its number is known."""
    gemmi = require("gemmi", "reading space groups")
    told = [*words.names, *words.hall]
    numbers = {int(number): number for number in words.numbers if _is_number(number)}
    if len(numbers) > 1:
        raise FileFormatError(path, f"two space group numbers: {', '.join(numbers.values())}")
    for value, number in numbers.items():
        found = gemmi.find_spacegroup_by_number(value)
        if found is not None and not words.names:
            remark = f"it has only a space group number, {number}: {found.xhm()} is assumed"
            return ToldSymmetry(of_group(found), (remark,))
    if told or words.numbers:
        raise FileFormatError(path, f"unknown space group {[*told, *words.numbers][0]!r}")
    return ToldSymmetry()


def _settings(name: str, cell: Sequence[float] | None) -> list[Symmetry]:
    """Possible groups of a name: both if there are two origins, the first one first."""
    found = named(name, cell)
    if found is None:
        return []
    second = named(f"{name}:2", cell) if found.is_origin_assumed(name) else None
    return [found] if second is None else [found, second]


def _of_hall(path: object, text: str) -> Symmetry | None:
    gemmi = require("gemmi", "reading space groups")
    try:
        triplets = [op.triplet() for op in gemmi.symops_from_hall(text)]
    except (RuntimeError, ValueError):
        return None
    return of_operators(path, triplets, text) if triplets else None


def _are_of_one_type(one: Symmetry, other: Symmetry) -> bool:
    """Whether two groups are the same except for axes and origin, as far as it is known."""
    groups = one.group, other.group
    if None in groups:
        return len(one.all_operators) == len(other.all_operators)
    return bool(groups[0].number == groups[1].number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < len(text) < len(str(ENTRY)) + 2


def _has_number(symmetry: Symmetry, text: str) -> bool:
    """Whether a group can have a number. True if the text is not the number of a group."""
    gemmi = require("gemmi", "reading space groups")
    known = gemmi.find_spacegroup_by_number(int(text) % ENTRY) if _is_number(text) else None
    return known is None or _are_of_one_type(of_group(known), symmetry)
