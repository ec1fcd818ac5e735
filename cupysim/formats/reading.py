"""Opening files: what the operating system complains of becomes our error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from cupysim.errors import FileFormatError


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
