"""Constants and checks that the image formats for counted photons share."""

from __future__ import annotations

import numpy as np

GAP = -1
"""Count that marks pixels that were not computed."""

LARGEST_PIXEL_VALUE = 2**31 - 1
"""Largest number of photons in a pixel of 32 bits."""

THINNEST_SENSOR = 1e-12
"""Thickness (m) that is written for a sensor without thickness: DIALS requires more than zero."""


def measured(pixels: np.ndarray) -> np.ndarray:
    """Find the pixels that hold a measurement.

    Parameters
    ----------
    pixels : ndarray
        Numbers as in a file, any shape.

    Returns
    -------
    ndarray of bool, shape of `pixels`
        False for a negative signed integer, an unsigned integer with all bits set (detectors mark
        gaps with it), and a floating-point number that is not finite.
    """
    if pixels.dtype.kind == "u":
        return np.asarray(pixels != np.iinfo(pixels.dtype).max)
    if pixels.dtype.kind == "i":
        return np.asarray(pixels >= 0)
    return np.asarray(np.isfinite(pixels))


def with_gaps(counts: np.ndarray, rendered: np.ndarray) -> np.ndarray:
    """Mark the pixels that were not computed.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast)
        Counted photons, in numbers of any type.
    rendered : ndarray of bool, shape (n_slow, n_fast)
        Pixels that were computed.

    Returns
    -------
    ndarray of int32, shape (n_slow, n_fast)
        Counts, and `GAP` in the other pixels. This is `counts` itself if nothing changes.
    """
    marked = counts if rendered.all() else np.where(rendered, counts, GAP)
    return marked.astype(np.int32, copy=False)
