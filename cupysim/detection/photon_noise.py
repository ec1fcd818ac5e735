"""Photon noise that depends only on seed, shot and pixel, and is drawn in parallel.

The random numbers are those of Philox4x32-10 (Salmon et al. (2011) Proc. SC11, 16), counted by
pixel, draw and shot. So a pixel's counts depend neither on other pixels nor on regions, threads or
the machine. Below a mean of 40, the distribution function is inverted; from there on, trials are
drawn by PTRS (Hoermann (1993) Insurance Math. Econ. 12, 39). Both are exact at every mean.

The compiled code has the same formulas in `cuda_src/photon_noise.cuh`. This module has the same
operations in the same order, so both draw the same counts. `cuda_src/photon_lanes.cuh` draws most
counts in single precision; where rounding could change a count, it uses the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.detection import detector_library
from cupysim.detection.exact_functions import exp_of_mean, log_of, polynomial
from cupysim.detection.random_numbers import deviate_of, philox
from cupysim.errors import CupysimError

TRIALS_FROM = 40.0
"""Smallest mean for which trials are drawn."""

LARGEST_MEAN = 2.0**52
"""Smallest mean without noise: the count is the mean, whose rounding to float32 exceeds noise."""

LARGEST_SEED = 2**64 - 1
"""Largest seed, and largest number of a shot."""

MOST_COUNTS = 250
"""Upper limit of the counts for means below `TRIALS_FROM`."""

HALF_LOG_TWO_PI = 0.9189385332046727

STIRLING_ERRORS = np.array(
    [
        0.0, 0.08106146679532726, 0.04134069595540929, 0.02767792568499834, 0.02079067210376509,
        0.01664469118982119, 0.01387612882307075, 0.01189670994589177, 0.01041126526197209,
        0.009255462182712733, 0.008330563433362871, 0.007573675487951841, 0.006942840107209530,
        0.006408994188004207, 0.005951370112758848, 0.005554733551962801,
    ]
)  # fmt: skip
"""log k! - (k log k - k + log(2 pi k)/2) for k below 16."""


@dataclass(frozen=True)
class PhotonNoise:
    """Poisson noise for a seed and a shot, for `Image.counts`.

    Parameters
    ----------
    seed : int
        Seed, from 0 to 2^64 - 1.
    shot : int, optional
        Number of the shot. Shots of one seed are independent.
    threads : int, optional
        Number of threads; by default one on each core. It does not change the counts.

    Raises
    ------
    CupysimError
        If a number is out of range.

    Examples
    --------
    >>> from cupysim import PhotonNoise, from_args, simulate
    >>> image = simulate(from_args("-cell 100 -default_F 1e3 -N 5 -detpixels 64"))
    >>> image.counts(PhotonNoise(seed=1)).shape
    (64, 64)
    """

    seed: int
    shot: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("seed", "shot"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or not 0 <= value <= LARGEST_SEED:
                raise CupysimError(
                    f"photon noise: {name} must be an integer from 0 to 2^64 - 1, got {value!r}"
                )

    def draw(
        self,
        expected: np.ndarray,
        first: int,
        n_fast: int,
        largest: int,
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        """Draw counted photons for rows of pixels.

        Parameters
        ----------
        expected : ndarray of float32, shape (n_rows, n_columns)
            Expected photons. Numbers that are not positive give a count of zero.
        first : int
            Number of the first pixel, slow * n_fast + fast.
        n_fast : int
            Difference between the number of a pixel and that of the pixel in the next row.
        largest : int
            Larger counts are stored as this number.
        out : ndarray of int32, shape (n_rows, n_columns), optional
            Array for the counts, with contiguous rows. By default a new one.

        Returns
        -------
        counts : ndarray of int32, shape (n_rows, n_columns)
            Counted photons.
        photons : float
            Sum of all counts, including those that are larger than `largest`.
        """
        counts = np.empty(expected.shape, dtype=np.int32) if out is None else out
        if detector_library.problem() is None:
            key = int(self.seed), int(self.shot)
            photons = detector_library.count_photons(
                expected, key, first, n_fast, largest, self.threads, counts
            )
            return counts, photons
        photons = 0.0
        for row, means in enumerate(expected):
            pixels = np.uint64(first + row * n_fast) + np.arange(len(means), dtype=np.uint64)
            drawn = self.draw_pixels(means.astype(np.float64), pixels)
            photons += float(drawn.sum())
            counts[row] = np.minimum(drawn, largest)
        return counts, photons

    def draw_pixels(self, means: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Draw counts with NumPy.

        Parameters
        ----------
        means : ndarray of float64, shape (n,)
            Expected photons.
        pixels : ndarray of uint64, shape (n,)
            Numbers of the pixels.

        Returns
        -------
        ndarray of float64, shape (n,)
            Counts.
        """
        return draw_counts(means, pixels, int(self.shot), int(self.seed))


def draw_counts(
    means: np.ndarray, pixels: np.ndarray, shot: int, seed: int, first_draw: int = 0
) -> np.ndarray:
    """Draw counts with NumPy, with the random numbers from `first_draw` on.

    The other parameters are those of `PhotonNoise.draw_pixels`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Counts.
    """

    def deviates(chosen: np.ndarray, draw: int) -> tuple[np.ndarray, np.ndarray]:
        words = philox(chosen, first_draw + draw, shot, seed)
        return deviate_of(words[0], words[1]), deviate_of(words[2], words[3])

    with np.errstate(invalid="ignore"):
        means = np.where(means > 0.0, means, 0.0)
    u, v = deviates(pixels, 0)
    counts = np.where(means < LARGEST_MEAN, 0.0, means)
    few = means < TRIALS_FROM
    counts[few] = _inverted(means[few], u[few])
    waiting = np.flatnonzero((means >= TRIALS_FROM) & (means < LARGEST_MEAN))
    draw = 0
    while len(waiting):
        if draw:
            u, v = deviates(pixels[waiting], draw)
        else:
            u, v = u[waiting], v[waiting]
        found, is_accepted = _trials(means[waiting], u, v)
        counts[waiting[is_accepted]] = found[is_accepted]
        waiting = waiting[~is_accepted]
        draw += 1
    return counts


def _stirling_error(k: np.ndarray) -> np.ndarray:
    q = 1.0 / np.maximum(k, 1.0)
    z = q * q
    p = -1.0 / 1680.0 + z * (1.0 / 1188.0)
    p = 1.0 / 1260.0 + z * p
    p = -1.0 / 360.0 + z * p
    p = 1.0 / 12.0 + z * p
    few = STIRLING_ERRORS[np.minimum(k, 15.0).astype(int)]
    return np.where(k < 16.0, few, p * q)


def _deviance(k: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Half the deviance, k log(k/m) + m - k, accurate for k near m."""
    difference = k - m
    ratio = difference / (k + m)
    z = ratio * ratio
    p = polynomial([1.0 / odd for odd in range(19, 1, -2)], z)
    near = difference * ratio + 2.0 * k * (ratio * z * p)
    far = k * log_of(k / m) + m - k
    return np.where((ratio < 0.1) & (ratio > -0.1), near, far)


def _log_probability(k: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Log of the probability of k counts (Loader (2000))."""
    some = np.maximum(k, 1.0)
    found = -_stirling_error(some) - _deviance(some, m) - (HALF_LOG_TWO_PI + 0.5 * log_of(some))
    return np.where(k < 0.5, -m, found)


def _inverted(m: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Smallest counts k for which the probabilities of 0 to k add up to u or more."""
    probability = exp_of_mean(m)
    total, counts = probability, np.zeros_like(m)
    for k in range(1, MOST_COUNTS + 1):
        more = u > total
        if not more.any():
            break
        counts += more
        probability = probability * (m * (1.0 / k))
        total = total + probability
    return counts


def _trials(m: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of one trial for each mean, and whether they are accepted."""
    b = 0.931 + 2.53 * np.sqrt(m)
    a = 0.02483 * b - 0.059
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    accepted = 0.9277 - 3.6224 / (b - 2.0)
    centred = u - 0.5
    edge = 0.5 - np.abs(centred)
    k = np.floor((2.0 * a / edge + b) * centred + m + 0.43)
    at_once = (edge >= 0.07) & (v <= accepted)
    possible = ~((k < 0.0) | ((edge < 0.013) & (v > edge)))
    height = v * inverse_alpha / (a / (edge * edge) + b)
    with np.errstate(invalid="ignore", divide="ignore"):
        likely = log_of(height) <= _log_probability(np.maximum(k, 0.0), m)
    return k, at_once | (possible & likely)
