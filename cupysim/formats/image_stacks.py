"""Images in the data sets of HDF5 files: one or several stacks."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.virtual_images import find_sources, missing_files


def stacks(file: Any) -> list[Any]:
    """Data sets with images, in order, without the last ones if their files are missing.

    Parameters
    ----------
    file : h5py.File
        Open file, or the master file of several.

    Raises
    ------
    FileFormatError
        If a missing file is followed by other files.
    """
    entry = entry_path(file)
    group = None if entry is None else file.get(f"{entry}/data")
    if group is None:
        return _of_detectors(file)
    if not hasattr(group, "keys"):
        return []
    signal = group.attrs.get("signal", "data")
    names = [signal.decode() if isinstance(signal, bytes) else str(signal), "data"]
    name = next((each for each in names if each in group), None)
    wanted = [name] if name else _in_order_of_numbers(group)
    found: list[Any] = []
    missing = ""
    for each in wanted:
        try:
            stack = group[each]
        except (KeyError, OSError):
            # a link to a file that does not exist
            missing = missing or each
            continue
        if missing and hasattr(stack, "shape"):
            link = group.get(missing, getlink=True)
            raise FileFormatError(
                file.filename,
                f"its images of {missing} are in a file that is missing"
                f" ({getattr(link, 'filename', 'a broken link')}), so that the numbers of the "
                "images in the other files are unknown",
            )
        if hasattr(stack, "shape"):
            found.append(stack)
    return found


def _in_order_of_numbers(group: Any) -> list[str]:
    """Names of data sets such as data_2 and data_10, in the order of their numbers."""
    names = sorted(each for each in group if each.startswith("data_"))
    return sorted(names, key=lambda name: [int(each) for each in re.findall(r"\d+", name)])


def _of_detectors(file: Any) -> list[Any]:
    """Images in the group of a detector, for an entry without images."""
    found = []
    for entry in file.values():
        instrument = entry.get("instrument") if hasattr(entry, "keys") else None
        groups = list(instrument.values()) if instrument and hasattr(instrument, "keys") else []
        stacks_ = [group.get("data") for group in groups if hasattr(group, "keys")]
        found += [each for each in stacks_ if getattr(each, "ndim", 0) in (2, 3, 4)]
    return found[:1]


def entry_path(file: Any) -> str | None:
    """Path of the entry with images. NXmx entries come first, then /entry, then other entries."""
    names = ["entry", *(name for name in file if name != "entry")]
    with_images = [name for name in names if f"{name}/data" in file]
    wanted = [name for name in with_images if _is_nxmx(file[name])] or with_images
    return f"/{wanted[0]}" if wanted else None


def _is_nxmx(entry: Any) -> bool:
    definition = entry.get("definition")
    if getattr(definition, "size", 0) != 1:
        return False
    told = np.ravel(definition[()])[0]
    text = told.decode("latin-1") if isinstance(told, bytes) else str(told)
    return text.strip().lower() == "nxmx"


def count_images(file: Any) -> int:
    """Number of images in a file: the highest image number, counted from 0, plus one."""
    found = stacks(file)
    ends = (start + _length(stack) for start, stack in zip(_starts(found), found, strict=True))
    return max(ends, default=0)


def number_in_series(file: Any) -> int:
    """Number of the file's first image in its series, counted from 0, from ``image_nr_low``.

    Parameters
    ----------
    file : h5py.File
        Open file.
    """
    lows = [_low(stack) for stack in stacks(file)]
    known = [low for low in lows if low is not None]
    return max(min(known) - 1, 0) if known and len(known) == len(lows) else 0


def remarks(file: Any) -> tuple[str, ...]:
    """Warnings about the numbers of images, and about missing files.

    Parameters
    ----------
    file : h5py.File
        Open file.
    """
    found = stacks(file)
    told = []
    sources = dict.fromkeys(name for stack in found for name in missing_files(stack))
    missing = [*_broken_links(file), *sources]
    if found and missing:
        told.append(f"images in files that are missing are left out: {', '.join(missing[:3])}")
    lows = [_low(stack) for stack in found]
    begins = number_in_series(file)
    if begins > 0:
        told.append(
            f"its first image is number {begins + 1} of a series (image_nr_low); -image counts "
            "from 0 in this file"
        )
    starts = _starts(found)
    if None not in lows and starts != sorted(starts):
        told.append(
            "the order of its images is that of image_nr_low; the names of their data sets have "
            "another order"
        )
    elif None not in lows and starts != _in_order(found):
        told.append("images are missing between its data sets, by image_nr_low")
    elif found and None not in lows and _by_low(found) is None:
        told.append(
            "image_nr_low of its data sets overlap and are not used; images are in the order of "
            "the names"
        )
    return tuple(told)


def _low(stack: Any) -> int | None:
    """Number of a data set's first image, counted from 1, as Eiger detectors write it."""
    stored = np.ravel(stack.attrs.get("image_nr_low", ()))
    return int(stored[0]) if stored.size == 1 and stored.dtype.kind in "iu" else None


def _in_order(found: Sequence[Any]) -> list[int]:
    lengths = [_length(stack) for stack in found]
    return [sum(lengths[:place]) for place in range(len(lengths))]


def _by_low(found: Sequence[Any]) -> list[int] | None:
    """First numbers from ``image_nr_low``, counted from 0; None if some lack it or overlap."""
    lows = [low for low in map(_low, found) if low is not None]
    if not lows or len(lows) != len(found):
        return None
    starts = [low - min(lows) for low in lows]
    spans = sorted(zip(starts, map(_length, found), strict=True))
    for (start, length), (following, _) in pairwise(spans):
        if start + length > following:
            return None
    return starts


def _starts(found: Sequence[Any]) -> list[int]:
    """Number of each data set's first image, counted from 0."""
    return _by_low(found) or _in_order(found)


def _broken_links(file: Any) -> list[str]:
    """Names of missing files that links point to."""
    entry = entry_path(file)
    group = None if entry is None else file.get(f"{entry}/data")
    if group is None or not hasattr(group, "keys"):
        return []
    return [
        str(getattr(group.get(name, getlink=True), "filename", name))
        for name in sorted(group)
        if name.startswith("data_") and not _leads_somewhere(group, name)
    ]


def _leads_somewhere(group: Any, name: str) -> bool:
    try:
        return group[name] is not None
    except (KeyError, OSError):
        return False


def read_image(path: object, file: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Read one image.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file.
    number : int
        Number of the image, counted from 0.

    Returns
    -------
    pixels : ndarray, shape (n_slow, n_fast)
        Numbers in the pixels, as in the file.
    has_source : ndarray of bool, shape (n_slow, n_fast)
        False for pixels of a virtual data set that no source holds, such as gaps between modules.

    Raises
    ------
    FileFormatError
        If there is no such image, it does not hold numbers, or it is virtual and its sources lack
        pixels.
    """
    found = stacks(file)
    for start, stack in zip(_starts(found), found, strict=True):
        place = number - start
        if 0 <= place < _length(stack):
            has_source, lacking = find_sources(path, stack, place)
            if lacking:
                raise FileFormatError(path, f"image {number} is {lacking}")
            pixels = np.asarray(stack[place] if stack.ndim >= 3 else stack[()])
            if pixels.ndim != 2:
                raise FileFormatError(
                    path, f"an image has the shape {pixels.shape}; two axes are expected"
                )
            if pixels.dtype.kind not in "iufb":
                raise FileFormatError(path, f"pixels of the type {pixels.dtype} are not an image")
            return pixels, has_source
    if not found and "cxi_version" in file:
        raise FileFormatError(
            path, "a CXI file; it is not read: -h5file writes an image that cupysim reads"
        )
    if not found:
        others = [f"/{name}" for name in file if name != "entry"][:3]
        where = " in an NXmx entry" if others else ""
        held = f"; it holds {', '.join(others)}" if others else ""
        raise FileFormatError(
            path, f"it holds no images{where}, or the files with them are missing{held}"
        )
    total = count_images(file)
    if 0 <= number < total:
        raise FileFormatError(
            path, f"there is no image {number}: by image_nr_low, it is in a file that is missing"
        )
    raise FileFormatError(path, f"there is no image {number}; the file has 0 to {total - 1}")


def image_shape(path: object, file: Any) -> tuple[int, int]:
    """Shape (n_slow, n_fast) of the images. The files with the images may be missing.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    file : h5py.File
        Open file.

    Raises
    ------
    FileFormatError
        If the file has no images.
    """
    found = stacks(file)
    if not found or found[0].ndim < 2:
        return read_image(path, file, 0)[0].shape
    for stack in found[1:]:
        if stack.shape[-2:] != found[0].shape[-2:]:
            sizes = [f"{each.shape[-1]} x {each.shape[-2]}" for each in (stack, found[0])]
            name = os.path.basename(stack.file.filename)
            raise FileFormatError(
                path, f"the images in {name} have {sizes[0]} pixels, others have {sizes[1]}"
            )
    return int(found[0].shape[-2]), int(found[0].shape[-1])


def _length(stack: Any) -> int:
    return int(stack.shape[0]) if stack.ndim >= 3 else 1
