"""SMV headers that are copied or read: their bytes and numbers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from cupysim.errors import FileFormatError, OptionError
from cupysim.formats import smv
from cupysim.storage.reading import check_regular, opened

START = b"{\nHEADER_BYT"
"""First bytes of a header that the C programs accept."""


@dataclass(frozen=True)
class Header:
    """The header of an SMV file.

    Parameters
    ----------
    path : str
        File that it comes from.
    content : bytes
        Its bytes.
    n_fast, n_slow : int
        Size of the image.
    """

    path: str
    content: bytes
    n_fast: int
    n_slow: int

    def number(self, key: str) -> float | None:
        """Value of a key as a number, as `SmvFile.number` reads it; None without the key."""
        return _numbers(self.path, self.content).number(key)

    def word(self, key: str) -> str:
        """Value of a key as a text in lower case; empty if the key does not occur."""
        return _numbers(self.path, self.content).word(key)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel of the type in the header; 0 if the type is not known."""
        name = _numbers(self.path, self.content).word("TYPE").replace(" ", "_")
        return np.dtype(smv.PIXEL_TYPES[name]).itemsize if name in smv.PIXEL_TYPES else 0


def read_header(path: str, option: str, quirk: str = "") -> Header:
    """Read a header.

    Parameters
    ----------
    path : str
        SMV file. Its pixels are not read.
    option : str
        Option that names it, for messages.
    quirk : str, optional
        Number of the quirk that makes this an error, for messages.

    Returns
    -------
    Header
        The header.

    Raises
    ------
    CupysimError
        If the file cannot be opened or has no such header.
    """
    remark = f" ({quirk})" if quirk else ""
    if not os.path.exists(path):
        raise OptionError(option, f"{path}: no such file{remark}")
    check_regular(path)
    with opened(path) as stream:
        start = stream.read(smv.HEADER_BLOCK)
        if len(start) < smv.HEADER_BLOCK:
            _refuse(path, f"{len(start)} bytes, but a header has {smv.HEADER_BLOCK}")
        if not start.startswith(START):
            _refuse(path, f"it has no SMV header, which begins with HEADER_BYTES{remark}")
        size = int(_numbers(path, start).number("HEADER_BYTES") or 0.0)
        if not 0 < size <= smv.LARGEST_HEADER:
            _refuse(path, f"HEADER_BYTES={size} is not the length of a header")
        stream.seek(0)
        content = stream.read(size)
    if len(content) < size:
        _refuse(path, f"{len(content)} bytes, but its header has {size}")
    numbers = _numbers(path, content)
    n_fast, n_slow = (int(numbers.number(key) or 0.0) for key in ("SIZE1", "SIZE2"))
    if n_fast == 0:
        n_fast = n_slow = int(numbers.number("DETECTOR_DIMENSIONS") or 0.0)
    if n_fast < 1 or n_slow < 1:
        _refuse(path, f"SIZE1={n_fast} and SIZE2={n_slow} are not the size of an image")
    return Header(path, content, n_fast, n_slow)


def _numbers(path: str, content: bytes) -> smv.SmvFile:
    text = content.split(b"\0")[0].decode("latin-1")
    return smv.SmvFile(path, text, np.empty((0, 0), dtype=np.uint16))


def _refuse(path: str, problem: str) -> NoReturn:
    raise FileFormatError(path, problem)
