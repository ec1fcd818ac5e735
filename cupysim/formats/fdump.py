"""The C program's binary table of structure factors, Fdump.bin."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.models.structure_factors import StructureFactors, check_table_size
from cupysim.storage.reading import opened

_HEADER = re.compile(rb"\s*([+-]?\d+)" + rb"\s+([+-]?\d+)" * 5 + rb"\n\f")
_HEADER_LIMIT = 200
_INDEX_LIMIT = 2**31


def write(stream: BinaryIO, factors: StructureFactors) -> None:
    """Write a table.

    Parameters
    ----------
    stream : binary stream
        Where to.
    factors : StructureFactors
        With a table.

    Notes
    -----
    A line with the six limits of the indices, a form feed, then float64 with l
    fastest; one more plane than needed, of zeros, in each direction.
    """
    assert factors.table is not None
    limits = zip(factors.first, factors.last, strict=True)
    text = " ".join(f"{low} {high}" for low, high in limits)
    stream.write(text.encode("ascii") + b"\n\f")
    plane = np.zeros([n + 1 for n in factors.table.shape[1:]])
    for values in factors.table:
        plane[:-1, :-1] = values
        stream.write(plane.data)
    stream.write(np.zeros_like(plane).data)


def read(path: os.PathLike[str] | str, default: float) -> StructureFactors:
    """Read a table.

    Parameters
    ----------
    path : path_like
        The file.
    default : float
        Amplitude outside the table (electrons).

    Returns
    -------
    StructureFactors
        The table; a default amplitude used when it was written is baked in.

    Raises
    ------
    FileFormatError
        If the file cannot be read, has no proper header, or is cut off (Q32).
        Exactly the newline and form feed after the limits are skipped, not
        all that looks like white space (Q28).
    """
    with opened(path) as stream:
        start = stream.read(_HEADER_LIMIT)
        match = _HEADER.match(start)
        if match is None:
            raise FileFormatError(path, "not a dump of structure factors: no index limits")
        limits = [int(group) for group in match.groups()]
        low, high = limits[0::2], limits[1::2]
        if any(n > m for n, m in zip(low, high, strict=True)):
            raise FileFormatError(path, f"the index limits are out of order: {limits}")
        if any(abs(n) >= _INDEX_LIMIT for n in limits):
            raise FileFormatError(path, f"the index limits are out of range: {limits}")
        shape = tuple(m - n + 2 for n, m in zip(low, high, strict=True))
        check_table_size(shape)
        stream.seek(match.end())
        needed = 8 * shape[0] * shape[1] * shape[2]
        data = stream.read(needed)
    if len(data) < needed:
        raise FileFormatError(
            path, f"{len(data)} bytes of amplitudes, but {needed} are needed; the file is cut off"
        )
    table = np.frombuffer(data, dtype=np.float64).reshape(shape)[:-1, :-1, :-1].copy()
    if not np.isfinite(table).all():
        raise FileFormatError(path, "there are amplitudes which are not finite")
    # so that the model need not copy it
    table.setflags(write=False)
    return StructureFactors(table, (low[0], low[1], low[2]), default, table.size)
