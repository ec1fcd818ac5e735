"""Preview pictures in PNG: dark spots on white, as in diffraction viewers."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from cupysim.optional_libraries import require

LARGEST_EDGE = 2048
"""Largest number of pixels along the longer edge. In larger images, blocks of pixels become one."""

BLACKEST = 99.5
"""Percentile of the pixels above the background. Brighter pixels are black."""


def write(stream: BinaryIO, image: np.ndarray) -> None:
    """Write a preview picture.

    Parameters
    ----------
    stream : binary stream
        Stream to write to.
    image : ndarray, shape (n_slow, n_fast)
        Photons.

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
        Photons.
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
    padded = np.full((rows, columns), image.min(initial=0), dtype=image.dtype)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded.reshape(rows // size, size, columns // size, size).max(axis=(1, 3))


def limits(image: np.ndarray) -> tuple[float, float]:
    """Photons that are shown as white and as black.

    Parameters
    ----------
    image : ndarray
        Photons.

    Returns
    -------
    white, black : float
        Median, and a high percentile of the pixels above it (photons).
    """
    white = max(float(np.median(image)), 0.0)
    above = image[image > white]
    black = float(np.percentile(above, BLACKEST)) if above.size else white + 1.0
    return white, max(black, np.nextafter(white, np.inf))


def tones(image: np.ndarray) -> np.ndarray:
    """Convert photons to grey values, on a logarithmic scale over three decades.

    Parameters
    ----------
    image : ndarray
        Photons.

    Returns
    -------
    ndarray of uint8, shape of `image`
        Grey values; 255 is white.
    """
    white, black = limits(image)
    share = np.clip((image.astype(np.float64) - white) / (black - white), 0.0, 1.0)
    return (255.0 * (1.0 - np.log1p(999.0 * share) / np.log(1000.0)) + 0.5).astype(np.uint8)
