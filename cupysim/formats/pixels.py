"""What image formats for measured photons have in common."""

from __future__ import annotations

import numpy as np

GAP = -1
"""Counts of pixels which were not computed."""

LARGEST_PIXEL_VALUE = 2**31 - 1
"""Photons which a pixel of 32 bits can count."""

THINNEST_SENSOR = 1e-12
"""Thickness (m) of a sensor without any: DIALS wants more than zero."""


def measured(pixels: np.ndarray) -> np.ndarray:
    """Which pixels hold a measurement.

    Parameters
    ----------
    pixels : ndarray
        Numbers as in a file.

    Returns
    -------
    ndarray of bool
        False where a signed number is negative, all bits of an unsigned one are set, as
        detectors write gaps, or a floating-point number is not finite.
    """
    if pixels.dtype.kind == "u":
        return np.asarray(pixels != np.iinfo(pixels.dtype).max)
    if pixels.dtype.kind == "i":
        return np.asarray(pixels >= 0)
    return np.asarray(np.isfinite(pixels))
