"""The float image: raw native float32, fast axis first, no header."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.storage.reading import opened


def write(stream: BinaryIO, image: np.ndarray) -> None:
    """Write a float image.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    image : ndarray, shape (n_slow, n_fast)
        Expected photons.
    """
    stream.write(np.ascontiguousarray(image, dtype=np.float32).data)


def read(path: os.PathLike[str] | str, n_slow: int, n_fast: int) -> np.ndarray:
    """Read a float image.

    Parameters
    ----------
    path : path_like
        File to read.
    n_slow, n_fast : int
        Number of pixels along the slow and fast axis. The file does not contain it.

    Returns
    -------
    ndarray of float32, shape (n_slow, n_fast)
        Expected photons.

    Raises
    ------
    FileFormatError
        If the file cannot be read or has another size.
    """
    with opened(path) as stream:
        data = stream.read()
    image = np.frombuffer(data[: len(data) // 4 * 4], dtype=np.float32)
    if image.size != n_slow * n_fast:
        raise FileFormatError(
            path, f"{image.size} numbers, but {n_fast} x {n_slow} pixels need {n_slow * n_fast}"
        )
    return image.reshape(n_slow, n_fast)
