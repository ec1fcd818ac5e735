"""Opening files, packed ones too: what the operating system complains of becomes our error."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from cupysim.errors import FileFormatError

LARGEST_FILE = 2**30
"""Bytes, unpacked; no structure has more."""

GZIP = b"\x1f\x8b"
"""How packed files begin."""

OTHER_PACKINGS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
"""How other packed files begin, which are not unpacked."""


@contextmanager
def opened(path: os.PathLike[str] | str) -> Iterator[BinaryIO]:
    """Open a file for reading.

    Parameters
    ----------
    path : path_like
        The file.

    Yields
    ------
    binary stream
        Its content.

    Raises
    ------
    FileFormatError
        If it cannot be opened or read.
    """
    try:
        with open(path, "rb") as stream:
            yield stream
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "cannot be read"
        raise FileFormatError(ascii(path) if "\0" in str(path) else path, reason) from error


def check_regular(path: os.PathLike[str] | str) -> None:
    """Refuse pipes and devices, where a file is read more than once or has no end.

    Raises
    ------
    FileFormatError
        If it is there, but no regular file.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileFormatError(path, "not a regular file")
    except ValueError:
        # the name is impossible, which opening it tells
        return


def content(path: os.PathLike[str] | str, size: int = -1) -> bytes:
    """The first bytes of a file, or all, unpacked if it was packed by gzip.

    Parameters
    ----------
    path : path_like
        The file.
    size : int, optional
        How many bytes at most.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(max(map(len, OTHER_PACKINGS)))
        for magic, kind in OTHER_PACKINGS.items():
            if head.startswith(magic):
                raise FileFormatError(path, f"packed by {kind}; unpack it first")
        head = head[: len(GZIP)]
        stream.seek(0)
        most = LARGEST_FILE + 1 if size < 0 else size
        try:
            data = stream.read(most) if head != GZIP else gzip.GzipFile(fileobj=stream).read(most)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileFormatError(path, f"damaged gzip file ({error})") from error
    if len(data) > LARGEST_FILE:
        raise FileFormatError(path, f"larger than {LARGEST_FILE >> 20} MiB")
    return data
