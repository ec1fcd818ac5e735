"""Which table of a reflection file is used, and doubts about columns that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.structures.columns import Chosen, choices, choose
from cupysim.formats.structures.mtz import USUAL
from cupysim.formats.structures.table import Quantity, ReflectionTable, listed


def selected(
    path: object, tables: Sequence[ReflectionTable], wanted: Sequence[str]
) -> tuple[ReflectionTable, Chosen]:
    """The first table with usable data, or with the columns that the user names.

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
    problem: FileFormatError | None = None
    for table in tables:
        names = [name.removeprefix(f"{table.block}/") for name in wanted]
        elsewhere = {other.block for other in tables if other is not table}
        if any(name.split("/")[0] in elsewhere for name in names if "/" in name):
            continue
        usable = table.symmetry is not None and any(
            np.isfinite(each.plus.values).any() for each in choices(table)
        )
        if not usable and table is not tables[-1] and not names:
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
            remark = f"other blocks with reflections: {listed(others)}"
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
