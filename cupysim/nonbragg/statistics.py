"""Statistics of an image, as nonBragg prints them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.image_statistics import add_deviations, add_up

Region = tuple[slice, slice]


@dataclass(frozen=True)
class Statistics:
    """Statistics of the pixels of a region.

    Parameters
    ----------
    maximum : float
        Largest value (photons); 0 if no pixel is above zero.
    maximum_at : tuple of 2 int
        Its fast and slow pixel.
    mean, rms : float
        Mean and root mean square (photons).
    rmsd : float
        Standard deviation (photons), which gives the scale of the picture too.
    """

    maximum: float
    maximum_at: tuple[int, int]
    mean: float
    rms: float
    rmsd: float


def statistics_of(
    image: np.ndarray, region: Region, counted: int | None, looks_at_next: bool
) -> Statistics:
    """Compute the statistics of an image.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast)
        Image.
    region : tuple of 2 slice
        Rows and columns that were rendered.
    counted : int, optional
        Number of pixels by which nonBragg divides; by default that of the region (NBQ17).
    looks_at_next : bool
        Whether the deviation of each pixel is that of the next pixel in the image. The pixel after
        the last one counts as zero (NBQ16).

    Returns
    -------
    Statistics
        Statistics from sums in raster order.
    """
    pixels = image[region]
    maximum, (row, column), total, squares = add_up(pixels)
    n = pixels.size if counted is None else counted
    mean = total / max(n, 1)
    deviating = _next_pixels(image)[region] if looks_at_next else pixels
    deviations = add_deviations(deviating, mean)
    return Statistics(
        maximum,
        (column + region[1].start, row + region[0].start) if maximum > 0.0 else (0, 0),
        mean,
        math.sqrt(squares / max(n - 1, 1)),
        math.sqrt(deviations / max(pixels.size - 1, 1)),
    )


def _next_pixels(image: np.ndarray) -> np.ndarray:
    flat = image.reshape(-1)
    return np.append(flat[1:], np.float32(0.0)).reshape(image.shape)
