"""Choice of the table of a reflection file, and doubts about columns that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.columns import Chosen, choices, choose, is_measured
from cupysim.formats.structures.mtz import USUAL
from cupysim.formats.structures.table import Quantity, ReflectionTable, listed

OTHERS = "other blocks with reflections"


def selected(
    path: object, tables: Sequence[ReflectionTable], wanted: Sequence[str]
) -> tuple[ReflectionTable, Chosen]:
    """The first table with measured data, or with the columns that the user names.

    If no table has measured data, the first one with usable data is returned.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    tables : sequence of ReflectionTable
        Tables of the file.
    wanted : sequence of str
        Names of columns; empty for the usual ones.

    Returns
    -------
    table : ReflectionTable
        The table, with remarks about the others.
    chosen : Chosen
        Its columns.

    Raises
    ------
    FileFormatError
        If no table has such data, or the choice is unclear.
    """
    first = _first(path, tables, wanted)
    if wanted or is_measured(first[1]):
        return first
    measured = [table for table in tables if any(map(is_measured, _with_values(table)))]
    if not measured:
        return first
    table, chosen = _first(path, measured, wanted)
    if not is_measured(chosen):
        return first
    others = [
        other.block for other in tables if other is not first[0] and other.block != table.block
    ]
    said = f"block {first[0].block} has no measured data, but {first[1].name}, and is not used"
    remarks = [each for each in table.remarks if not each.startswith(OTHERS)]
    remarks += [f"{OTHERS}: {listed(others)}"] if others else []
    return replace(table, remarks=(*remarks, said)), chosen


def _with_values(table: ReflectionTable) -> list[Chosen]:
    """Data of a table with a space group, without columns that are empty."""
    if table.symmetry is None:
        return []
    return [each for each in choices(table) if np.isfinite(each.plus.values).any()]


def _first(
    path: object, tables: Sequence[ReflectionTable], wanted: Sequence[str]
) -> tuple[ReflectionTable, Chosen]:
    """The first table with usable data, or with the columns that the user names."""
    problem: FileFormatError | None = None
    for table in tables:
        names = [name.removeprefix(f"{table.block}/") for name in wanted]
        elsewhere = {other.block for other in tables if other is not table}
        if any(name.split("/")[0] in elsewhere for name in names if "/" in name):
            continue
        if not _with_values(table) and table is not tables[-1] and not names:
            continue
        try:
            chosen = choose(path, table, names)
        except FileFormatError as error:
            problem = problem or error
            continue
        # a table of one loop names the other datasets of this loop
        loop = table.block.rpartition(":")[0]
        others = [
            other.block
            for other in tables
            if other is not table and not (loop and other.block.startswith(f"{loop}:"))
        ]
        if others:
            remark = f"{OTHERS}: {listed(others)}"
            table = replace(table, remarks=(*table.remarks, remark))
        return table, chosen
    raise problem or FileFormatError(path, f"no column {wanted[0]}")


def doubts(chosen: Chosen) -> tuple[list[str], list[str]]:
    """Notes and warnings about columns whose type does not say what they hold.

    Parameters
    ----------
    chosen : Chosen
        Columns that are used.
    """
    column = chosen.plus
    if column.quantity is not Quantity.UNTYPED:
        return [], []
    what = f"the column {column.label} has the type {column.kind}: its numbers are used as "
    what += Quantity.AMPLITUDE.value
    if USUAL[Quantity.INTENSITY].match(column.label):
        return [], [f"{what}, though its label is one of {Quantity.INTENSITY.value}"]
    return [what], []
