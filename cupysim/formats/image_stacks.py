"""Images in the data sets of HDF5 files: several stacks, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.errors import FileFormatError


def stacks(file: Any) -> list[Any]:
    """Data sets with images, in order.

    Parameters
    ----------
    file : h5py.File
        An open file, or the master of several.
    """
    try:
        group = file["/entry/data"]
    except KeyError:
        return []
    names = ["data"] if "data" in group else sorted(n for n in group if n.startswith("data_"))
    return [group[name] for name in names]


def count_images(file: Any) -> int:
    """How many images a file has."""
    return sum(_length(stack) for stack in stacks(file))


def read_image(path: object, file: Any, number: int) -> np.ndarray:
    """One image.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    file : h5py.File
        The same, open.
    number : int
        The image, from 0.

    Returns
    -------
    ndarray, shape (n_slow, n_fast)
        Numbers as in the file.

    Raises
    ------
    FileFormatError
        If there is no such image, or it is no image of numbers.
    """
    found = stacks(file)
    place = number
    for stack in found:
        if 0 <= place < _length(stack):
            pixels = np.asarray(stack[place] if stack.ndim == 3 else stack[()])
            if pixels.ndim != 2:
                raise FileFormatError(path, f"an image of the shape {pixels.shape}")
            if pixels.dtype.kind not in "iufb":
                raise FileFormatError(path, f"pixels of the type {pixels.dtype} are no image")
            return pixels
        place -= _length(stack)
    total = sum(_length(stack) for stack in found)
    raise FileFormatError(path, f"there is no image {number}; it holds {total}")


def _length(stack: Any) -> int:
    return int(stack.shape[0]) if stack.ndim == 3 else 1
