"""Counts of a counter with a dead time.

Photons of an exposure arrive at random times. The models are those of Loeliger et al. (2012) IEEE
NSS Conf. Rec., 610, and the moments are those of renewal processes (Cox (1962) Renewal Theory,
section 4.5). The compiled code has the same operations in `cuda_src/dead_time.cuh`, so both draw
the same counts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

import numpy as np

from cupysim.detection.exact_functions import exp_of_mean, log_of, normal_pair
from cupysim.detection.pixel_grid import Exposure
from cupysim.detection.random_numbers import Stage, stage_deviates
from cupysim.errors import ModelError
from cupysim.models.checks import finite

FEW_PHOTONS = 64
"""In pixels with fewer photons than this, overlapping photons are placed in time one by one."""

RARE_OVERLAP = 0.005
"""If an overlap is less probable than this, one or two photons follow another photon too early, and
their overlaps are independent. The mean is then wrong by less than 1e-5 of the count."""

NORMAL_LOSS = 10.0
"""Smallest mean number of lost counts that is drawn from a normal distribution."""

MOST_LOST = 200
"""Upper limit of the number of lost counts if their mean is below `NORMAL_LOSS`."""

CORRECTION_STEPS = 40
"""Steps of Newton's method for the rate correction."""

CORRECTED_COUNTS = 1 << 15
"""Number of counts, from 0 on, whose rate corrections are in a table."""

UNCOUNTABLE = 1e30
"""Corrected count (photons) of a count above the mean counts of all numbers of photons."""


class DeadTimeModel(StrEnum):
    """What a counter does while a pulse lasts."""

    NON_PARALYSABLE = "non-paralysable"
    """It ignores photons for a time after each count."""
    PARALYSABLE = "paralysable"
    """It ignores photons that arrive while the pulse of another photon lasts."""
    RETRIGGER = "retrigger"
    """It counts again at the end of its dead time if a pulse still lasts."""


@dataclass(frozen=True)
class DeadTime:
    """The dead time of a counter.

    Parameters
    ----------
    model : DeadTimeModel or str
        "non-paralysable", "paralysable" or "retrigger".
    pulse : float
        Duration of a pulse (s), which is the dead time of the first two models.
    retrigger : float, optional
        Dead time of a counter with instant retrigger (s), not below `pulse`. By default `pulse`.

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    model: DeadTimeModel
    pulse: float
    retrigger: float = 0.0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "model", DeadTimeModel(self.model))
        except ValueError:
            raise ModelError(
                f"dead time: model: expected one of {', '.join(DeadTimeModel)}, got {self.model!r}"
            ) from None
        if not finite(self.pulse, "dead time: pulse") > 0.0:
            raise ModelError(f"dead time: pulse must be above zero, got {self.pulse:g} s")
        if self.model is not DeadTimeModel.RETRIGGER:
            if self.retrigger != 0.0:
                raise ModelError(f"dead time: retrigger: the model {self.model} has none")
            return
        if self.retrigger == 0.0:
            object.__setattr__(self, "retrigger", self.pulse)
        if not finite(self.retrigger, "dead time: retrigger") >= self.pulse:
            raise ModelError(
                f"dead time: retrigger: {self.retrigger:g} s is shorter than the pulse of "
                f"{self.pulse:g} s"
            )

    def during(self, duration: float) -> PulseTimes:
        """The dead time as fractions of an exposure time (s)."""
        return _pulse_times(self.model, self.pulse / duration, self.retrigger / duration)


@dataclass(frozen=True)
class PulseTimes:
    """A dead time as a fraction of the exposure.

    Parameters
    ----------
    model : DeadTimeModel
        What the counter does while a pulse lasts.
    pulse, retrigger : float
        Times divided by the exposure time.

    Raises
    ------
    ModelError
        If the dead time is not shorter than the exposure.
    """

    model: DeadTimeModel
    pulse: float
    retrigger: float

    def __post_init__(self) -> None:
        if not self.busy < 1.0:
            raise ModelError(
                f"dead time: it is {self.busy:g} times the exposure; it must be shorter"
            )

    @property
    def busy(self) -> float:
        """Time after a count during which a new photon starts no count."""
        return self.retrigger if self.model is DeadTimeModel.RETRIGGER else self.pulse

    def overlap_probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of no overlap, and of at most one overlap.

        An overlap is a photon that follows another photon within the dead time.

        Returns
        -------
        none, at_most_one : ndarray, shape (FEW_PHOTONS,)
            Probabilities for 0, 1, ... photons at random times. All gaps between n points are
            longer than a time with the probability (1 - (n - 1) time)^n (David and Nagaraja (2003)
            Order Statistics, section 6.4).
        """
        n = np.arange(FEW_PHOTONS, dtype=np.float64)
        gaps = np.maximum(n - 1.0, 0.0)
        none = np.maximum(1.0 - gaps * self.busy, 0.0) ** n
        but_one = np.maximum(1.0 - np.maximum(gaps - 1.0, 0.0) * self.busy, 0.0) ** n
        return none, none + gaps * (but_one - none)

    def moments(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the counts of n photons, if there are many.

        Parameters
        ----------
        n : ndarray
            Numbers of photons in the exposure.

        Returns
        -------
        mean, variance : ndarray
            Moments for a known number of photons. The variance for a Poisson process is larger by
            the number of photons times the squared derivative of the mean.
        """
        x = n * self.pulse
        if self.model is DeadTimeModel.NON_PARALYSABLE:
            d = 1.0 + x
            square = d * d
            return n / d, n * x / (square * square)
        p = exp_of_mean(np.minimum(x, 63.0))
        if self.model is DeadTimeModel.PARALYSABLE:
            return n * p, n * p * (1.0 - (1.0 + x * x) * p)
        d = n * self.retrigger + p
        square = d * d
        slope = p * (1.0 + x) / square
        return n / d, n * ((2.0 * p - p * p) / (square * d) - slope * slope)

    def slope(self, n: np.ndarray) -> np.ndarray:
        """Derivative of the mean count with respect to the number of photons."""
        x = n * self.pulse
        if self.model is DeadTimeModel.NON_PARALYSABLE:
            return np.asarray(1.0 / ((1.0 + x) * (1.0 + x)))
        p = exp_of_mean(np.minimum(x, 63.0))
        if self.model is DeadTimeModel.PARALYSABLE:
            return np.asarray((1.0 - x) * p)
        d = n * self.retrigger + p
        return np.asarray(p * (1.0 + x) / (d * d))

    def corrected(self, counts: np.ndarray) -> np.ndarray:
        """Rate correction: the numbers of photons whose mean counts are equal to these counts.

        Parameters
        ----------
        counts : ndarray
            Counts.

        Returns
        -------
        ndarray of float64
            Photons; `UNCOUNTABLE` if no number of photons has a mean count so large.
        """
        k = np.asarray(counts, dtype=np.float64)
        if self.model is DeadTimeModel.NON_PARALYSABLE:
            live = 1.0 - k * self.pulse
            possible = live > 0.0
            return np.where(possible, k / np.where(possible, live, 1.0), UNCOUNTABLE)
        is_paralysable = self.model is DeadTimeModel.PARALYSABLE
        fullest = k * self.pulse * math.e if is_paralysable else k * self.retrigger
        n, possible = k.copy(), fullest < 1.0
        for _ in range(CORRECTION_STEPS):
            slope = self.slope(n)
            possible &= slope > 1e-9
            step = (k - self.moments(n)[0]) / np.where(possible, slope, 1.0)
            n = np.where(possible, n + step, n)
        return np.where(possible, n, UNCOUNTABLE)

    @cached_property
    def correction_table(self) -> np.ndarray:
        """Rate corrections of the counts 0, 1, ...: float64, shape (CORRECTED_COUNTS,)."""
        return self.corrected(np.arange(CORRECTED_COUNTS, dtype=np.float64))

    def count(self, photons: np.ndarray, pixels: np.ndarray, exposure: Exposure) -> np.ndarray:
        """Draw the counts of pixels.

        Parameters
        ----------
        photons : ndarray of float64, shape (n,)
            Photons in each pixel, whole numbers.
        pixels : ndarray of uint64, shape (n,)
            Numbers of the pixels, as in `PixelGrid.numbers`.
        exposure : Exposure
            The shot.

        Returns
        -------
        ndarray of float64, shape (n,)
            Counts.
        """
        u, _ = stage_deviates(pixels, Stage.DEAD_TIMES, 0, exposure.shot, exposure.seed)
        none, at_most_one = self.overlap_probabilities()
        few = photons < FEW_PHOTONS
        limits = none[np.where(few, photons, 0.0).astype(np.int64)]
        overlapping = (photons >= 2.0) & ~(few & (u <= limits))
        counts = photons.copy()
        for i in np.flatnonzero(overlapping):
            deviates = _deviates(int(pixels[i]), exposure)
            n = float(photons[i])
            if n >= FEW_PHOTONS:
                counts[i] = self._count_many(n, float(u[i]), deviates)
            else:
                several = u[i] > at_most_one[int(n)] and n > 2
                counts[i] = self._count_few(int(n), none[int(n)], several, deviates)
        return counts

    def _count_few(
        self, n: int, no_overlap: float, several: bool, deviates: Iterator[float]
    ) -> float:
        """Draw the count of n photons with one overlap, or with `several`."""
        if 1.0 - no_overlap < RARE_OVERLAP:
            overlaps = 2 if several else 1
            if self.model is not DeadTimeModel.RETRIGGER:
                return float(n - overlaps)
            return float(n - sum(next(deviates) * self.busy > self.pulse for _ in range(overlaps)))
        while True:
            total, times = 0.0, []
            for _ in range(n + 1):
                total = total - float(log_of(np.array(next(deviates))))
                times.append(total)
            times = [time / total for time in times[:n]]
            gaps = [second - first for first, second in itertools.pairwise(times)]
            if any(gap <= self.busy for gap in gaps):
                return float(self.count_times(times))

    def count_times(self, times: list[float]) -> int:
        """Counts of photons at known times.

        Parameters
        ----------
        times : list of float
            Times of the photons divided by the exposure time, in rising order; at least one.

        Returns
        -------
        int
            Counts.
        """
        if self.model is DeadTimeModel.PARALYSABLE:
            pairs = itertools.pairwise(times)
            return 1 + sum(second - first > self.pulse for first, second in pairs)
        has_retrigger = self.model is DeadTimeModel.RETRIGGER
        counts, at, counted = 1, 0, times[0]
        while True:
            end, last = counted + self.busy, -1.0
            while at < len(times) and times[at] <= end:
                last = times[at]
                at += 1
            if has_retrigger and last + self.pulse > end and end < 1.0:
                counted = end
            elif at < len(times):
                counted = times[at]
            else:
                return counts
            counts += 1

    def _count_many(self, n: float, u: float, deviates: Iterator[float]) -> float:
        """Draw the count of many photons; u is the uniform deviate if few counts are lost."""
        means, variances = self.moments(np.array(n))
        mean, variance = float(means), float(variances)
        loss = n - mean
        if not loss > 0.0:
            return n
        if loss < NORMAL_LOSS and n * self.pulse < 1.0:
            return n - _binomial_loss(loss, variance, u)
        normal = float(normal_pair(np.array(next(deviates)), np.array(next(deviates)))[0])
        drawn = float(np.rint(mean + np.sqrt(max(variance, 0.0)) * normal))
        return min(max(drawn, 1.0), n)


@lru_cache(maxsize=16)
def _pulse_times(model: DeadTimeModel, pulse: float, retrigger: float) -> PulseTimes:
    """Dead times of an exposure. The cache keeps them and their table for the next image."""
    return PulseTimes(model, pulse, retrigger)


def _deviates(pixel: int, exposure: Exposure) -> Iterator[float]:
    """Uniform deviates of a pixel that loses counts, after the first one."""
    pixels, draw = np.array([pixel], dtype=np.uint64), 0
    while True:
        draw = (draw + 1) & 0xFFFF
        u, v = stage_deviates(pixels, Stage.DEAD_TIMES, draw, exposure.shot, exposure.seed)
        yield float(u[0])
        yield float(v[0])


def _binomial_loss(mean: float, variance: float, u: float) -> float:
    """Draw the number of lost counts from the binomial distribution of a mean and a variance."""
    q = 1.0 - variance / mean
    is_poisson = q < 1e-3
    trials = 0.0 if is_poisson else mean / q
    start = mean if is_poisson else -trials * float(log_of(np.array(1.0 - q)))
    probability = float(exp_of_mean(np.array(min(start, 63.0))))
    total, k = probability, 0.0
    while u > total and k < MOST_LOST:
        odds = mean if is_poisson else (trials - k) * q / (1.0 - q)
        if not odds > 0.0:
            break
        probability = probability * odds / (k + 1.0)
        total = total + probability
        k = k + 1.0
    return k
