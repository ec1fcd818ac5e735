"""noisify's random numbers, bit for bit: two seeds that share a shuffle table and a spare deviate.

The algorithms are those of `cupysim.maths.nr_random` and `cupysim.detection.poisson`. In noisify,
flicker, counted photons and read-out noise come from one seed, calibration errors from another one.
Both seeds use the same shuffle table and the same spare normal deviate (quirk NQ7), so every
deviate depends on all deviates before it. The compiled code is `cuda_src/pixel_noise.cuh`.
"""

from __future__ import annotations

import math
from array import array

import numpy as np

from cupysim.detection.poisson import DIRECT_BELOW, GAUSSIAN_ABOVE, log_gamma
from cupysim.maths.arrays import serial_sum
from cupysim.maths.nr_random import (
    LARGEST_DEVIATE,
    MODULUS,
    MULTIPLIER,
    TABLE_SIZE,
    TABLE_STEP,
    wrap_int32,
)
from cupysim.native import tools

DEFAULT_CALIBRATION_STATE = 123456789
"""State of the calibration stream if no seed is given. A seed starts a stream by a state below 1,
so this state starts none (NQ8)."""

MAIN, CALIBRATION, PHOTONS = 0, 1, 2
"""Numbers of the two streams, and of the three spare deviates."""

LARGEST_EXPONENT = 700.0
"""Exponent at which an acceptance ratio is clipped; no deviate is larger than such a ratio."""

NO_MEAN = -1.0
"""Mean that the C program keeps at the start, with an exponential that it has not computed
(NQ20)."""


def calibration_state(seed: int | None) -> int:
    """State at which the stream of calibration errors begins, for a seed or for none."""
    return DEFAULT_CALIBRATION_STATE if seed is None else wrap_int32(-wrap_int32(seed))


class PixelStreams:
    """The random streams of a run.

    Parameters
    ----------
    seed : int
        Seed of flicker, photons and read-out noise. It is reduced to 32 bits as in the C program.
    calibration_seed : int, optional
        Seed of calibration errors. By default `DEFAULT_CALIBRATION_STATE`.
    own_tables : bool, optional
        Give each stream a shuffle table and a spare deviate of its own (NQ7).
    own_photon_spare : bool, optional
        Let photons keep their spare deviate apart from other noise (NQ24).
    """

    def __init__(
        self,
        seed: int,
        calibration_seed: int | None = None,
        own_tables: bool = False,
        own_photon_spare: bool = False,
    ) -> None:
        self._state = np.zeros(1, dtype=tools.SHARED_NOISE)
        calibration = calibration_state(calibration_seed)
        if calibration_seed is None and own_tables:
            # with its own table, the default must start like a seed
            calibration = -calibration
        self._state["seeds"] = wrap_int32(-wrap_int32(seed)), calibration
        self._state["table_of"][0, CALIBRATION] = int(own_tables)
        self._state["spare_of"][0, CALIBRATION] = int(own_tables)
        self._state["spare_of"][0, PHOTONS] = PHOTONS if own_photon_spare else MAIN
        self._has_counted = False

    def draw(
        self, expected: np.ndarray, factor: float, flicker: float, calibration: float
    ) -> tuple[np.ndarray, float]:
        """Draw counted photons, pixel after pixel in storage order.

        Parameters
        ----------
        expected : ndarray of float32
            Expected photons.
        factor : float
            Factor of all expected photons.
        flicker, calibration : float
            Relative standard deviations of the errors of each pixel. Nothing is drawn for those
            that are not above zero.

        Returns
        -------
        counts : ndarray of float32, same shape
            Counted photons: integers up to a million expected photons, Gaussian numbers above.
        total : float
            Their sum, in storage order.
        """
        is_first, self._has_counted = not self._has_counted, True
        if tools.available():
            return tools.draw_pixels(
                self._state, expected, factor, max(flicker, 0.0), max(calibration, 0.0), is_first
            )
        draws = _Draws(self._state, is_first)
        means = np.ascontiguousarray(expected, dtype=np.float32).reshape(-1)
        counts = np.empty(means.shape, dtype=np.float32)
        for index, mean in enumerate(means.tolist()):
            photons = mean * factor
            if flicker > 0.0:
                photons *= 1.0 + flicker * draws.gaussian(MAIN, MAIN)
            if calibration > 0.0:
                photons *= 1.0 + calibration * draws.gaussian(CALIBRATION, CALIBRATION)
            counts[index] = draws.count(photons)
        draws.store(self._state)
        return counts.reshape(expected.shape), serial_sum(0.0, counts.astype(np.float64))

    def gaussians(self, count: int) -> np.ndarray:
        """Draw normal deviates of the main stream.

        Parameters
        ----------
        count : int
            Number of deviates.

        Returns
        -------
        ndarray of float32, shape (count,)
            Deviates with the standard deviation 1.
        """
        if tools.available():
            return tools.draw_gaussians(self._state, count)
        draws = _Draws(self._state, False)
        drawn = [draws.gaussian(MAIN, MAIN) for _ in range(count)]
        draws.store(self._state)
        return np.array(drawn, dtype=np.float32)


class _Draws:
    """Draws in plain Python, which continue a stored state."""

    def __init__(self, state: np.ndarray, is_first: bool) -> None:
        self._seeds, self._lasts = (state[name][0].tolist() for name in ("seeds", "lasts"))
        self._tables = state["tables"][0].tolist()
        self._has_spare, self._spares = (state[n][0].tolist() for n in ("has_spare", "spares"))
        self._table_of, self._spare_of = (state[n][0].tolist() for n in ("table_of", "spare_of"))
        self._is_first = is_first
        # storing a number here rounds it to single precision, faster than a NumPy scalar
        self._float32 = array("f", [0.0])

    def store(self, state: np.ndarray) -> None:
        """Store the state after all draws."""
        state["seeds"], state["lasts"], state["tables"] = self._seeds, self._lasts, self._tables
        state["has_spare"], state["spares"] = self._has_spare, self._spares

    def uniform(self, stream: int) -> float:
        """The next uniform deviate of a stream."""
        number = self._table_of[stream]
        table = self._tables[number]
        if self._seeds[stream] <= 0 or self._lasts[number] == 0:
            self._seeds[stream] = max(-self._seeds[stream], 1)
            for index in range(TABLE_SIZE + 7, -1, -1):
                value = self._step(stream)
                if index < TABLE_SIZE:
                    table[index] = value
            self._lasts[number] = table[0]
        value = self._step(stream)
        place = self._lasts[number] // TABLE_STEP
        self._lasts[number] = table[place]
        table[place] = value
        deviate = self._rounded(self._lasts[number] * (1.0 / MODULUS))
        return min(deviate, float(LARGEST_DEVIATE))

    def gaussian(self, stream: int, spare: int) -> float:
        """The next normal deviate of a stream, which may be a spare one."""
        place = self._spare_of[spare]
        if self._has_spare[place]:
            self._has_spare[place] = 0
            return float(self._spares[place])
        f = self._rounded
        while True:
            first = f(2.0 * self.uniform(stream) - 1.0)
            second = f(2.0 * self.uniform(stream) - 1.0)
            radius = f(f(first * first) + f(second * second))
            if 0.0 < radius < 1.0:
                break
        factor = f(math.sqrt(-2.0 * math.log(radius) / radius))
        self._spares[place], self._has_spare[place] = f(first * factor), 1
        return f(second * factor)

    def count(self, photons: float) -> float:
        """Counted photons for an expectation."""
        with np.errstate(over="ignore"):
            mean = float(np.float32(photons))
        if mean > GAUSSIAN_ABOVE:
            return mean + math.sqrt(mean) * self.gaussian(MAIN, PHOTONS)
        if self._is_first:
            if mean == NO_MEAN:
                return self._multiplied(0.0)
            self._is_first = False
        if mean < DIRECT_BELOW:
            # at -1 and below, one deviate decides
            return self._multiplied(self._rounded(math.exp(-max(mean, -1.0))))
        return self._tried(mean)

    def _multiplied(self, limit: float) -> float:
        """Multiply uniform deviates until they fall below a limit."""
        count, product = 0, self._rounded(self.uniform(MAIN))
        while product > limit:
            count += 1
            product = self._rounded(product * self.uniform(MAIN))
        return float(count)

    def _tried(self, mean: float) -> float:
        """Compare with a Lorentzian until a trial is accepted."""
        if math.isnan(mean):
            self.uniform(MAIN)
            self.uniform(MAIN)
            return math.nan
        f = self._rounded
        width, log_mean = f(math.sqrt(2.0 * mean)), f(math.log(mean))
        constant = f(f(mean * log_mean) - log_gamma(f(mean + 1.0)))
        while True:
            count = -1.0
            while count < 0.0:
                y = f(math.tan(math.pi * self.uniform(MAIN)))
                count = f(f(width * y) + mean)
            count = float(math.floor(count))
            exponent = f(f(f(count * log_mean) - log_gamma(f(count + 1.0))) - constant)
            peak = f(1.0 + f(y * y))
            likely = f(0.9 * peak * math.exp(min(exponent, LARGEST_EXPONENT)))
            if not self.uniform(MAIN) > likely:
                return count

    def _step(self, stream: int) -> int:
        """The next state of a stream's congruential generator."""
        self._seeds[stream] = self._seeds[stream] * MULTIPLIER % MODULUS
        return int(self._seeds[stream])

    def _rounded(self, value: float) -> float:
        self._float32[0] = value
        return self._float32[0]
