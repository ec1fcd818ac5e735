"""Random numbers of responses: they depend on seed, shot, stage and pixel alone.

The random words are those of Philox4x32-10 (Salmon et al. (2011) Proc. SC11, 16). The compiled code
computes the same words in `cuda_src/philox.cuh` and `cuda_src/random_words.cuh`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from cupysim.detection.exact_functions import normal_pair

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

DRAWS = 1 << 16
"""Number of draws that each stage has."""


class Stage(IntEnum):
    """The use of random numbers. Random numbers of different stages are independent."""

    COUNTS = 0
    """Counted photons: the first of 64 stages, one for each way in which pixels share a photon."""
    DEAD_TIMES = 64
    READINGS = 65
    """Conversion and noise of an analogue signal."""
    PIXELS = 66
    """Pedestals and gains of pixels, by the serial number of the detector."""
    FLICKER = 67
    DRIFT = 68
    """Pedestal drift and gain factor of a shot."""
    DEFECTS = 69
    SCAN = 70
    """Noise of the samples of a scanned image plate."""


def philox(pixels: np.ndarray, draw: int, shot: int, seed: int) -> list[np.ndarray]:
    """Random words of Philox4x32-10.

    Parameters
    ----------
    pixels : ndarray of uint64
        Numbers of pixels: words 0 and 1 of the counter.
    draw : int
        Number of the draw, below 2^24. It is shifted by 8 bits and combined with word 1.
    shot : int
        Number of the shot: words 2 and 3.
    seed : int
        Key.

    Returns
    -------
    list of 4 ndarray of uint64
        Words of 32 bits.
    """
    zeros = np.zeros_like(pixels)
    w0, w1 = pixels & LOW, (pixels >> HALF) ^ np.uint64(draw << 8 & 0xFFFFFFFF)
    w2, w3 = zeros + np.uint64(shot & 0xFFFFFFFF), zeros + np.uint64(shot >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        even, odd = w0 * np.uint64(0xD2511F53), w2 * np.uint64(0xCD9E8D57)
        w0, w2 = (odd >> HALF) ^ w1 ^ np.uint64(k0), (even >> HALF) ^ w3 ^ np.uint64(k1)
        w1, w3 = odd & LOW, even & LOW
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return [w0, w1, w2, w3]


def deviate_of(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Deviates between 0 and 1, from 52 bits of two words."""
    six = np.uint64(6)
    whole = (high >> six).astype(np.float64) * 67108864.0 + (low >> six).astype(np.float64)
    return np.asarray((whole + 0.5) * 2.220446049250313e-16)


def stage_deviates(
    pixels: np.ndarray, stage: int, draw: int, shot: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two uniform deviates for each pixel.

    Parameters
    ----------
    pixels : ndarray of uint64
        Numbers of pixels.
    stage : int
        Number of the stage.
    draw : int
        Number of the draw, below `DRAWS`.
    shot, seed : int
        Number of the shot and seed, below 2^64.

    Returns
    -------
    u, v : ndarray of float64
        Deviates between 0 and 1.
    """
    words = philox(pixels, stage * DRAWS + draw, shot, seed)
    return deviate_of(words[0], words[1]), deviate_of(words[2], words[3])


def stage_normals(
    pixels: np.ndarray, stage: int, draw: int, shot: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two normal deviates for each pixel; parameters as for `stage_deviates`."""
    return normal_pair(*stage_deviates(pixels, stage, draw, shot, seed))
