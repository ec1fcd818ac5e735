"""Images in the data sets of HDF5 files: several stacks, one after the other."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError


def stacks(file: Any) -> list[Any]:
    """Data sets with images, in order; the last ones are left out if their files are missing.

    Parameters
    ----------
    file : h5py.File
        An open file, or the master of several.

    Raises
    ------
    FileFormatError
        If files before others are missing.
    """
    entry = entry_path(file)
    group = None if entry is None else file.get(f"{entry}/data")
    if group is None or not hasattr(group, "keys"):
        return []
    signal = group.attrs.get("signal", "data")
    names = [signal.decode() if isinstance(signal, bytes) else str(signal), "data"]
    name = next((each for each in names if each in group), None)
    wanted = [name] if name else sorted(each for each in group if each.startswith("data_"))
    found: list[Any] = []
    missing = ""
    for each in wanted:
        try:
            stack = group[each]
        except (KeyError, OSError):
            # a link to a file which is not there
            missing = missing or each
            continue
        if missing and hasattr(stack, "shape"):
            link = group.get(missing, getlink=True)
            raise FileFormatError(
                file.filename,
                f"its images of {missing} are in a file which is missing"
                f" ({getattr(link, 'filename', 'a broken link')}), so that nobody knows the "
                "numbers of those of the other files",
            )
        if hasattr(stack, "shape"):
            found.append(stack)
    return found


def entry_path(file: Any) -> str | None:
    """The path of the entry with images: /entry, or the first other one."""
    names = ["entry", *(name for name in file if name != "entry")]
    return next((f"/{name}" for name in names if f"{name}/data" in file), None)


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
            _check_sources(path, stack, place)
            pixels = np.asarray(stack[place] if stack.ndim == 3 else stack[()])
            if pixels.ndim != 2:
                raise FileFormatError(path, f"an image of the shape {pixels.shape}")
            if pixels.dtype.kind not in "iufb":
                raise FileFormatError(path, f"pixels of the type {pixels.dtype} are not an image")
            return pixels
        place -= _length(stack)
    if not found:
        raise FileFormatError(path, "it holds no images, or the files with them are missing")
    total = sum(_length(stack) for stack in found)
    raise FileFormatError(path, f"there is no image {number}; the file has 0 to {total - 1}")


def _check_sources(path: object, stack: Any, place: int) -> None:
    """Refuse an image whose virtual source is missing, of which HDF5 makes zeros."""
    if not getattr(stack, "is_virtual", False):
        return
    folder = os.path.dirname(os.path.abspath(stack.file.filename))
    for source in stack.virtual_sources():
        first, last = source.vspace.get_select_bounds()
        covers = stack.ndim < 3 or first[0] <= place <= last[0]
        name = source.file_name
        is_file = name != "." and "%" not in name
        if covers and is_file and not os.path.exists(os.path.join(folder, name)):
            raise FileFormatError(path, f"image {place} is in a file which is missing: {name}")


def _length(stack: Any) -> int:
    return int(stack.shape[0]) if stack.ndim == 3 else 1
