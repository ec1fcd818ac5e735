"""Counted photons of an image, with one of the generators of photon noise."""

from __future__ import annotations

import numpy as np

from cupysim.detection.photon_noise import PhotonNoise
from cupysim.detection.poisson import PoissonNoise
from cupysim.errors import CupysimError
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE
from cupysim.maths.nr_random import RandomStream

ROWS_AT_ONCE = 64
"""Rows that are counted together, to limit memory."""

LARGEST_EXPECTATION = 2.0**60
"""Largest number of expected photons for which NumPy draws counts; larger ones become this one."""

Region = tuple[slice, slice]
"""Rows and columns of the pixels that were computed."""


def count_photons(
    expected: np.ndarray, region: Region, seed: int | RandomStream | PhotonNoise
) -> tuple[np.ndarray, float]:
    """Counted photons of a region of an image, and their sum.

    Parameters
    ----------
    expected : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    region : tuple of 2 slice
        Rows and columns of the region.
    seed : int, RandomStream or PhotonNoise
        Seed of the C program's generator, or its state; or other noise.

    Returns
    -------
    counts : ndarray of int32, shape (n_slow, n_fast)
        Counted photons; zero outside the region.
    photons : float
        Sum of all counted photons, including those that do not fit into an int32.

    Raises
    ------
    CupysimError
        If the seed has another type.
    """
    image = np.zeros(expected.shape, dtype=np.int32)
    means, counted = expected[region], image[region]
    if isinstance(seed, PhotonNoise):
        n_fast = expected.shape[1]
        first = region[0].start * n_fast + region[1].start
        _, photons = seed.draw(means, first, n_fast, LARGEST_PIXEL_VALUE, out=counted)
        return image, photons
    if not isinstance(seed, RandomStream | int | np.integer):
        raise CupysimError(
            "counts: expected an integer, a RandomStream, a PhotonNoise or a "
            f"numpy.random.Generator, got a {type(seed).__name__}"
        )
    stream = seed if isinstance(seed, RandomStream) else RandomStream(int(seed))
    noise, photons = PoissonNoise(stream), 0.0
    for row in range(0, len(means), ROWS_AT_ONCE):
        rows = slice(row, row + ROWS_AT_ONCE)
        counted[rows], photons = noise.count(means[rows], photons, LARGEST_PIXEL_VALUE)
    return image, photons


def counts_of_numpy(expected: np.ndarray, region: Region, rng: np.random.Generator) -> np.ndarray:
    """Counted photons of a region of an image, drawn by a NumPy generator.

    Parameters
    ----------
    expected, region
        As for `count_photons`.
    rng : numpy.random.Generator
        Generator.

    Returns
    -------
    ndarray of int32, shape (n_slow, n_fast)
        Counted photons; zero outside the region.
    """
    counts = np.zeros(expected.shape, dtype=np.int32)
    means = np.clip(expected[region], 0.0, LARGEST_EXPECTATION)
    counts[region] = np.minimum(rng.poisson(means), LARGEST_PIXEL_VALUE)
    return counts
