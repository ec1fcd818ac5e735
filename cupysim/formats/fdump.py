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
    """Write a table of structure factors.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    factors : StructureFactors
        Structure factors with a table.

    Notes
    -----
    The file has a line with the six limits of the indices, a form feed, and the amplitudes as
    float64 with l fastest. In each direction, it has one more plane than needed, of zeros.
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
    """Read a table of structure factors.

    Parameters
    ----------
    path : path_like
        File to read.
    default : float
        Amplitude outside the table (electrons).

    Returns
    -------
    StructureFactors
        The table. It includes the default amplitude that was used when it was written.

    Raises
    ------
    FileFormatError
        If the file cannot be read, has no header with index limits, or is cut off (Q32).

    Notes
    -----
    After the limits, only a newline and a form feed are skipped. nanoBragg skips everything that
    looks like white space (Q28).
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
        raise FileFormatError(path, "there are amplitudes that are not finite")
    # the model need not copy a table that nothing changes
    table.setflags(write=False)
    return StructureFactors(table, (low[0], low[1], low[2]), default, table.size)
