"""Opening and reading files, also packed ones. Errors of the system become errors of cupysim."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from cupysim.errors import FileFormatError

LARGEST_FILE = 2**30
"""Largest size of a file (bytes, unpacked). No structure is larger."""

GZIP = b"\x1f\x8b\x08"
"""First bytes of files packed by gzip."""

OTHER_PACKINGS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
"""First bytes of files with other packings, which are rejected."""


def is_packed(path: os.PathLike[str] | str) -> bool:
    """Whether a file is packed by gzip."""
    try:
        with open(path, "rb") as stream:
            return stream.read(len(GZIP)) == GZIP
    except OSError:
        # opening the file for reading raises the error
        return False


@contextmanager
def opened(path: os.PathLike[str] | str) -> Iterator[BinaryIO]:
    """Open a file for reading. A file packed by gzip is unpacked.

    Parameters
    ----------
    path : path_like
        File to read.

    Yields
    ------
    binary stream
        Content of the file, unpacked.

    Raises
    ------
    FileFormatError
        If the file cannot be opened or read.
    """
    try:
        with open(path, "rb") as stream:
            packed = stream.seekable() and stream.read(len(GZIP)) == GZIP
            if stream.seekable():
                stream.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if packed else stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileFormatError(path, f"damaged gzip file ({error})") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "cannot be read"
        raise FileFormatError(ascii(path) if "\0" in str(path) else path, reason) from error


def check_regular(path: os.PathLike[str] | str) -> None:
    """Reject pipes and devices: they cannot be read twice, or have no end.

    Raises
    ------
    FileFormatError
        If the path exists, but is no regular file.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileFormatError(path, "not a regular file")
    except ValueError:
        # the name is impossible; opening it raises the error
        return


def content(path: os.PathLike[str] | str, size: int = -1) -> bytes:
    """Read a file, or its first bytes. A file packed by gzip is unpacked.

    Parameters
    ----------
    path : path_like
        File to read.
    size : int, optional
        Largest number of bytes to read; by default, the whole file.

    Returns
    -------
    bytes
        Content of the file, unpacked.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is packed in another way, or is larger than `LARGEST_FILE`.
    """
    check_regular(path)
    with opened(path) as stream:
        head = stream.read(max(map(len, OTHER_PACKINGS)))
        for magic, kind in OTHER_PACKINGS.items():
            if head.startswith(magic):
                raise FileFormatError(path, f"packed by {kind}; unpack it first")
        stream.seek(0)
        data = stream.read(LARGEST_FILE + 1 if size < 0 else size)
    if len(data) > LARGEST_FILE:
        raise FileFormatError(path, f"larger than {LARGEST_FILE >> 20} MiB")
    return data
