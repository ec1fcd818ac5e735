"""Read-out of detectors that count photons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.detection.dead_time import DeadTime, PulseTimes
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.errors import ModelError
from cupysim.models.checks import finite, whole

MOST_BITS = 32
"""Largest number of bits of a counter, or of the sum of several counts."""


@dataclass(frozen=True)
class Counter:
    """A pixel that counts the photons above a threshold.

    Parameters
    ----------
    bits : int, optional
        Bits of the count. A full counter stays at its largest number.
    threshold : float, optional
        Threshold divided by the photon energy, between 0 and 1.
    dead_time : DeadTime, optional
        Dead time; by default none.
    largest_rate : float, optional
        Largest rate of photons (1/s/pixel) that the detector trusts. Pixels with more counts than
        the mean count at this rate are overloads.
    rate_correction : bool, optional
        Whether the detector corrects its counts for the mean loss by the dead time.

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    bits: int = MOST_BITS
    threshold: float = 0.5
    dead_time: DeadTime | None = None
    largest_rate: float | None = None
    rate_correction: bool = False

    def __post_init__(self) -> None:
        if not 1 <= whole(self.bits, "counter: bits") <= MOST_BITS:
            raise ModelError(f"counter: bits must be from 1 to {MOST_BITS}, got {self.bits}")
        if not 0.0 < finite(self.threshold, "counter: threshold") < 1.0:
            raise ModelError(
                f"counter: the threshold must be between 0 and 1, got {self.threshold:g}"
            )
        rate = self.largest_rate
        if rate is not None and not finite(rate, "counter: largest_rate") > 0.0:
            raise ModelError(f"counter: largest_rate must be above zero, got {rate:g}")
        if self.rate_correction and self.dead_time is None:
            raise ModelError("counter: rate_correction needs a dead time")

    def pulse_times(self, exposure: Exposure) -> PulseTimes | None:
        """The dead time as a fraction of the exposure."""
        return None if self.dead_time is None else self.dead_time.during(exposure.duration)

    def largest_count(self, exposure: Exposure) -> int:
        """Largest count that the bits and the largest rate allow."""
        largest = float(2**self.bits - 1)
        if self.largest_rate is not None:
            limit = self.largest_rate * exposure.duration
            times = self.pulse_times(exposure)
            if times is not None and not self.rate_correction:
                limit = float(times.moments(np.array(limit))[0])
            largest = min(largest, np.floor(limit))
        return int(largest)

    def read(self, photons: np.ndarray, grid: PixelGrid, exposure: Exposure) -> np.ndarray:
        """Counts of pixels, before the bits and the largest rate limit them.

        Parameters
        ----------
        photons : ndarray of float32, shape (n_slow, n_fast)
            Photons above the threshold, whole numbers.
        grid : PixelGrid
            The pixels.
        exposure : Exposure
            The shot.

        Returns
        -------
        ndarray of float64, shape (n_slow, n_fast)
            Counts.
        """
        counts = photons.astype(np.float64)
        times = self.pulse_times(exposure)
        if times is None:
            return counts
        counts = times.count(counts.reshape(-1), grid.numbers().reshape(-1), exposure)
        if self.rate_correction:
            counts = times.corrected(counts)
        return counts.reshape(photons.shape)
