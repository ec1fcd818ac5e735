"""Preview pictures in PNG: dark spots on white, as in diffraction viewers."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

import numpy as np

from cupysim.optional_libraries import require

LARGEST_EDGE = 2048
"""Largest number of pixels along the longer edge. In larger images, blocks of pixels become one."""

BLACKEST = 99.5
"""Percentile of the pixels above the background. Brighter pixels are black."""


GAP = 205
"""Grey value between panels, and where a panel has no pixels."""

DECADES = 1000.0
"""Ratio of the photons shown as black to the fewest photons that do not look white."""

SPREAD = 16.0
"""Percentile of the image. The background reaches as far above the median as this percentile is
below it, because pixels below the median are not spots."""

FURTHEST = 10.0
"""Smallest ratio of the photons shown as black to the spread of the background. Both are counted
from white."""


class Scale(NamedTuple):
    """Scale of grey values: photons that are shown as white and as black, and the linear part.

    Parameters
    ----------
    white, black : float
        Limits (photons).
    knee : float
        Photons above white up to which the scale is linear. Beyond, it is logarithmic.
    """

    white: float
    black: float
    knee: float


def write(stream: BinaryIO, image: np.ndarray) -> None:
    """Write a preview picture.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    image : ndarray, shape (n_slow, n_fast)
        Photons; NaN between panels.

    Raises
    ------
    CupysimError
        If Pillow is not installed.
    """
    pictures = require("PIL.Image", "writing PNG pictures")
    pictures.fromarray(tones(reduced(image))).save(stream, format="PNG", optimize=False)


def reduced(image: np.ndarray, largest_edge: int = LARGEST_EDGE) -> np.ndarray:
    """Reduce an image. Each pixel is the largest of a block, so that no spot is lost.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast)
        Photons; NaN where there are no pixels.
    largest_edge : int, optional
        Largest number of pixels along the longer edge.

    Returns
    -------
    ndarray, two-dimensional
        Reduced image, or the image itself if it is small enough.
    """
    size = -(-max(image.shape) // largest_edge)
    if size <= 1:
        return image
    rows, columns = (-(-n // size) * size for n in image.shape)
    least = np.fmin.reduce(image, axis=None, initial=0)
    padded = np.full((rows, columns), least, dtype=image.dtype)
    padded[: image.shape[0], : image.shape[1]] = image
    blocks = padded.reshape(rows // size, size, columns // size, size)
    return np.fmax.reduce(blocks, axis=(1, 3))


def scale_of(image: np.ndarray) -> Scale:
    """Choose a scale that shows spots, and an even or uneven background as light grey.

    Parameters
    ----------
    image : ndarray
        Photons; NaN where there are no pixels.

    Returns
    -------
    Scale
        White is the median. Black is a high percentile of the pixels above it.
    """
    if image.dtype.kind == "f":
        image = _numbers(image)
    white, faint = (max(float(each), 0.0) for each in np.percentile(image, (50.0, SPREAD)))
    spread = white - faint
    above = image[image > white]
    black = float(np.percentile(above, BLACKEST)) if above.size else white + 1.0
    # with few spots, the percentile is still background
    black = min(max(black, white + FURTHEST * spread), max(float(image.max(initial=0.0)), black))
    black = max(black, np.nextafter(white, np.inf))
    return Scale(white, black, max((black - white) / DECADES, spread))


def _numbers(image: np.ndarray) -> np.ndarray:
    """Pixels of an image without NaN; a single zero if there are none."""
    missing = np.isnan(image)
    if not missing.any():
        return image
    found = image[~missing]
    return found if found.size else np.zeros(1, dtype=image.dtype)


def tones(image: np.ndarray) -> np.ndarray:
    """Convert photons to grey values, on a logarithmic scale over at most three decades.

    Parameters
    ----------
    image : ndarray
        Photons; NaN where there are no pixels.

    Returns
    -------
    ndarray of uint8, shape of `image`
        Grey values; 255 is white. NaN becomes `GAP`.
    """
    scale = scale_of(image)
    reach = scale.black - scale.white
    photons = image.astype(np.float64)
    missing = np.isnan(photons)
    photons[missing] = scale.white
    share = np.clip((photons - scale.white) / reach, 0.0, 1.0)
    steepness = reach / scale.knee
    darkness = np.log1p(steepness * share) / np.log1p(steepness)
    grey = (255.0 * (1.0 - darkness) + 0.5).astype(np.uint8)
    grey[missing] = GAP
    return grey
