"""Choice of the columns of a reflection file that become structure factors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.table import Column, Quantity, ReflectionTable, listed

USUAL = (
    "F", "FP", "FOBS", "F-obs", "F-obs-filtered", "F_XDSdataset", "F(+)", "I", "IMEAN", "I(+)",
    "IOBS", "I-obs", "I-obs(+)", "F-obs(+)", "F-obs-filtered(+)",
)  # fmt: skip
"""Labels of measured data. One of these is chosen if there are several columns of a kind."""

CALCULATED = re.compile("F-?_?(MODEL|CALC|C|C_ALL|CALC_ALL|C_ALL_LS|WT|WT_FILL)|.*FWT|.*CALC.*")
"""Labels of calculated data, in capitals."""

DIFFERENCE_MAPS = ("DELFWT", "FOFCWT", "FDELWT")
"""Labels of map coefficients that are not structure factors."""

SIGNS = (("(+)", "(-)"), ("plus", "minus"), ("pos", "neg"), ("+", "-"))
"""Parts of labels that distinguish Friedel mates: of h k l, and of -h -k -l."""

LETTERS = (("p", "m"), ("p", "n"))
"""Letters with the same meaning, in labels such as Ip and Im. They are used only in columns that
the file declares to hold one mate."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The columns that are used from a file.

    Parameters
    ----------
    plus : Column
        Data of h k l, or of both mates.
    minus : Column, optional
        Data of -h -k -l.
    difference : Column, optional
        F(+) - F(-), if `plus` is their mean.
    deviations : Column, optional
        Standard deviations of `plus`.
    minus_deviations : Column, optional
        Standard deviations of `minus`.
    mean : Column, optional
        Values for pairs without a value of either mate, such as centric reflections in some files.
    """

    plus: Column
    minus: Column | None = None
    difference: Column | None = None
    deviations: Column | None = None
    minus_deviations: Column | None = None
    mean: Column | None = None

    @property
    def is_intensity(self) -> bool:
        """Whether the numbers are intensities; amplitudes are their square roots."""
        return self.plus.quantity is Quantity.INTENSITY

    @property
    def name(self) -> str:
        """Labels of the columns, separated by commas."""
        columns = (self.plus, self.minus, self.difference)
        return ",".join(column.label for column in columns if column is not None)


def choices(table: ReflectionTable) -> list[Chosen]:
    """All usable data of a table: amplitudes before intensities, pairs before means.

    Parameters
    ----------
    table : ReflectionTable
        Reflections of the file.
    """
    found = []
    for quantity in (Quantity.AMPLITUDE, Quantity.INTENSITY):
        columns = [column for column in table.columns if column.quantity is quantity]
        pairs = list(_mates(columns))
        taken = {id(column) for pair in pairs for column in pair}
        means = [each for each in columns if id(each) not in taken]
        for plus, minus in pairs:
            chosen = _with_deviations(table, plus, minus)
            found.append(replace(chosen, mean=_mean_of(plus, means)))
        found += [_with_deviations(table, each) for each in means]
    return found


def is_measured(chosen: Chosen) -> bool:
    """Whether columns hold measured data, by their label.

    Parameters
    ----------
    chosen : Chosen
        Columns of a table.
    """
    label = chosen.plus.label.upper()
    return not CALCULATED.fullmatch(label) and label not in DIFFERENCE_MAPS


def _mean_of(plus: Column, means: Sequence[Column]) -> Column | None:
    """The column with the mean of two mates, by its label."""
    bare = _without_sign(plus.label)
    names = {*bare, *(f"{name}mean" for name in bare), *(f"{name}p" for name in bare)}
    same = [each for each in means if each.dataset == plus.dataset]
    return next((each for each in same if each.label.lower() in names), None)


def _without_sign(label: str) -> set[str]:
    """Possible labels, in lower case, without the part that tells a mate."""
    lower = label.lower()
    bare = {
        lower[:at] + lower[at + len(sign) :] for sign, _ in SIGNS if (at := lower.rfind(sign)) >= 0
    }
    return bare | {each.rstrip("_-. ") for each in bare}


def choose(path: object, table: ReflectionTable, wanted: Sequence[str]) -> Chosen:
    """The data that a user names, or the usual ones.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    table : ReflectionTable
        Reflections of the file.
    wanted : sequence of str
        Names of columns; empty for the usual ones.

    Returns
    -------
    Chosen
        The selected columns.

    Raises
    ------
    FileFormatError
        If there are no such data, or the choice is unclear.
    """
    offered = choices(table)
    names = "; ".join(each.name for each in offered)
    if wanted:
        return _named(path, table, offered, wanted)
    if not offered:
        kinds = ", ".join(
            f"{column.label} ({column.kind})" if column.kind else column.label
            for column in table.columns
        )
        raise FileFormatError(path, f"no amplitudes and no intensities; it has {kinds or 'none'}")
    # prefer measured to calculated data, amplitudes to intensities, mates to their mean
    if all(each.plus.label.upper() in DIFFERENCE_MAPS for each in offered):
        raise FileFormatError(
            path, f"only coefficients of difference maps; -mtzcol accepts one of {names}"
        )
    offered = [each for each in offered if _can_serve(each)] or offered
    measured = [each for each in offered if not CALCULATED.fullmatch(each.plus.label.upper())]
    offered = measured or offered
    usual = [each for each in offered if _usual_place(each) is not None]
    for some in (usual, offered):
        for is_intensity in (False, True):
            of_kind = [each for each in some if each.is_intensity is is_intensity]
            pairs = [each for each in of_kind if each.minus is not None]
            if len(pairs) == 1 or len(of_kind) == 1:
                return (pairs or of_kind)[0]
            if of_kind and some is usual:
                return min(of_kind, key=lambda each: _usual_place(each) or 0)
            if of_kind:
                break
    raise FileFormatError(
        path, f"several columns could be meant; choose one with -mtzcol from {names}"
    )


def _can_serve(chosen: Chosen) -> bool:
    """Whether data may be chosen by default: they have values and are not a difference map."""
    columns = [chosen.plus, *([] if chosen.minus is None else [chosen.minus])]
    has_values = any(np.isfinite(column.values).any() for column in columns)
    return has_values and chosen.plus.label.upper() not in DIFFERENCE_MAPS


def _usual_place(chosen: Chosen) -> int | None:
    """Position of the label among the usual ones, or None."""
    names = [{chosen.plus.label.lower()}]
    # Iplus and Iminus are the mates of I
    names += [] if chosen.minus is None else [_without_sign(chosen.plus.label)]
    places = (
        next((n for n, usual in enumerate(USUAL) if usual.lower() in each), None) for each in names
    )
    return next((place for place in places if place is not None), None)


def _named(
    path: object, table: ReflectionTable, offered: list[Chosen], wanted: Sequence[str]
) -> Chosen:
    names = "; ".join(each.name for each in offered) or listed([c.label for c in table.columns])
    found = []
    for name in wanted:
        column = next((column for column in table.columns if column.is_called(name)), None)
        if column is None:
            raise FileFormatError(path, f"no column {name}; choose from {names}")
        found.append(column)
    first, *others = found
    if first.quantity is Quantity.UNTYPED:
        chosen = _with_deviations(table, first)
    else:
        holders = [each for each in offered if first in (each.plus, each.minus)]
        if not holders:
            raise FileFormatError(
                path, f"the column {wanted[0]} holds no amplitudes or intensities; choose from "
                f"{names}"
            )  # fmt: skip
        chosen = holders[0]
    for name, column in zip(wanted[1:], others, strict=True):
        if column in (chosen.plus, chosen.minus):
            continue
        if column.quantity is Quantity.DIFFERENCE:
            if chosen.minus is not None or chosen.is_intensity:
                raise FileFormatError(
                    path, f"the differences {name} need one column of amplitudes, not {chosen.name}"
                )
            chosen = Chosen(chosen.plus, None, column, chosen.deviations)
        elif column.quantity is not Quantity.DEVIATION:
            raise FileFormatError(
                path, f"the column {name} holds no standard deviations of {wanted[0]}"
            )
    return chosen


def _mates(columns: Sequence[Column]) -> Iterator[tuple[Column, Column]]:
    """Pairs of columns, h k l first: paired by signs, or letters, of labels, or by their order."""
    left = list(columns)
    for column in columns:
        mate = next((each for each in left if _is_mate(column, each)), None)
        if column in left and mate is not None:
            yield column, mate
            left = [each for each in left if each not in (column, mate)]
    unsigned = [each for each in left if each.of_one_mate and _signs(each.label) == []]
    for plus in list(unsigned):
        minus = next((each for each in unsigned if _is_lettered(plus, each)), None)
        if plus in unsigned and minus is not None:
            yield plus, minus
            unsigned = [each for each in unsigned if each not in (plus, minus)]
    yield from zip(unsigned[::2], unsigned[1::2], strict=False)


def _is_mate(plus: Column, minus: Column) -> bool:
    """Whether labels name a reflection and its Friedel mate, in the same dataset."""
    same = plus.dataset == minus.dataset
    return same and minus.label.lower() in _signs(plus.label)


def _is_lettered(plus: Column, minus: Column) -> bool:
    """Whether labels differ only in a letter that tells the sign, in the same dataset."""
    pairs = zip(plus.label.lower(), minus.label.lower(), strict=False)
    different = [(one, other) for one, other in pairs if one != other]
    is_same = plus.dataset == minus.dataset and len(plus.label) == len(minus.label)
    return is_same and len(different) == 1 and different[0] in LETTERS


def _signs(label: str) -> list[str]:
    """Possible labels of the mate of a label of h k l, in lower case."""
    lower = label.lower()
    return [
        lower[:at] + minus + lower[at + len(plus) :]
        for plus, minus in SIGNS
        if (at := lower.rfind(plus)) >= 0
    ]


def _with_deviations(table: ReflectionTable, plus: Column, minus: Column | None = None) -> Chosen:
    """Data with standard deviations. In the file, these follow each column, or both columns."""
    if minus is None:
        return Chosen(plus, None, None, *_deviations(table, plus, 1))
    places = [table.columns.index(column) for column in (plus, minus)]
    if abs(places[1] - places[0]) != 1 or table.kind == "CIF":
        return Chosen(
            plus, minus, None, *_deviations(table, plus, 1), *_deviations(table, minus, 1)
        )
    last = plus if places[0] > places[1] else minus
    both = _deviations(table, last, 2)
    if None in both:
        # a single column may belong to either mate
        both = [None, None]
    of_plus, of_minus = both if last is minus else reversed(both)
    return Chosen(plus, minus, None, of_plus, of_minus)


def _deviations(table: ReflectionTable, column: Column, count: int) -> list[Column | None]:
    """Columns directly after a column; None for those that are not standard deviations."""
    if table.kind == "CIF":
        return [_of_item(table, column), *[None] * (count - 1)]
    place = table.columns.index(column) + 1
    after = [*table.columns[place : place + count], *[None] * count][:count]
    return [each if each and each.quantity is Quantity.DEVIATION else None for each in after]


def _of_item(table: ReflectionTable, column: Column) -> Column | None:
    """Standard deviations of a CIF item, found by name: loops have any order."""
    return next(
        (
            each
            for each in table.columns
            if each.quantity is Quantity.DEVIATION and _stem(each.kind) == _stem(column.kind)
        ),
        None,
    )


def _stem(item: str) -> str:
    """Common part of the names of a quantity and of its standard deviation."""
    words = [word for word in item.split("_") if word not in ("sigma", "su", "u", "au", "meas")]
    return "_".join(words)
