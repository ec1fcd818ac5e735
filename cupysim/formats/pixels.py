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
        gaps by it), and a floating-point number that is not finite.
    """
    if pixels.dtype.kind == "u":
        return np.asarray(pixels != np.iinfo(pixels.dtype).max)
    if pixels.dtype.kind == "i":
        return np.asarray(pixels >= 0)
    return np.asarray(np.isfinite(pixels))
