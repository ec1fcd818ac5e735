"""Masks of pixels in NXmx files."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.nxmx_tree import is_null
from cupysim.formats.virtual_images import find_sources, is_virtual

MASKS = ("pixel_mask", "detectorSpecific/pixel_mask", "detector_specific/pixel_mask")
"""Names of masks below a detector. Further masks have a number after the name."""

BAD = 0xFFFF
"""Bits of a mask that exclude a pixel. The other bits of NXdetector only describe it."""


def stored_mask(path: object, detector: Any, with_pixels: bool) -> tuple[str, np.ndarray] | None:
    """Pixels that the masks of a detector do not exclude.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    detector : Component
        Detector.
    with_pixels : bool
        Whether masks in virtual data sets must be complete.

    Returns
    -------
    name : str
        Name of the first mask.
    good : ndarray of bool
        Good pixels, in the shape of the masks. The result is None if there is no mask.

    Raises
    ------
    FileFormatError
        If a mask is in a file that is missing, holds numbers that are not integers, or masks have
        several shapes.
    """
    handle = detector.handle
    numbered = sorted(each for each in handle if re.fullmatch(r"pixel_mask_\d+", each))
    held = (
        each for each in (*MASKS, *numbered)
        if handle.get(each, getlink=True) is not None
        and not (each in handle and is_null(handle[each]))
    )  # fmt: skip
    name = next(held, None)
    if name is None:
        return None
    if name not in handle:
        raise FileFormatError(path, f"its {name} is in a file that is missing")
    masks = [name, *(each for each in numbered if each != name)]
    good = np.bitwise_and(_bits(path, handle[name], with_pixels), BAD) == 0
    for each in masks[1:]:
        more = _bits(path, handle[each], with_pixels)
        if more.shape != good.shape:
            raise FileFormatError(
                path, f"its {each} has the shape {more.shape}, but its {name} has {good.shape}"
            )
        good &= np.bitwise_and(more, BAD) == 0
    return name, good


def _bits(path: object, stored: Any, with_pixels: bool) -> np.ndarray:
    """A mask as integers."""
    for place in range(len(stored) if with_pixels and is_virtual(stored) else 0):
        lacking = find_sources(path, stored, place)[1]
        if lacking:
            raise FileFormatError(path, f"its {stored.name} is {lacking}")
        if stored.ndim < 3:
            break
    values = np.asarray(stored[()])
    bits = values.astype(np.int64)
    if values.dtype.kind not in "iub" and not np.array_equal(bits, values):
        raise FileFormatError(path, f"its {stored.name} holds numbers that are not integers")
    return bits
