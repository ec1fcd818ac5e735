"""Photon counting noise: the C program's Poisson deviates, bit for bit.

The algorithms are those of Numerical Recipes in C, 2nd edition: section 7.3 (poidev), with a
Gaussian above a million photons (gasdev, section 7.2) and Lanczos' approximation of the log-gamma
function (gammln, section 6.1). Each draw depends on the draws before it, so pixels cannot be drawn
in parallel. Values that do not depend on the order are computed in arrays beforehand.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from cupysim.maths.arrays import serial_sum
from cupysim.maths.nr_random import RandomStream
from cupysim.native import tools

GAUSSIAN_ABOVE = 1.0e6
"""Mean (photons) above which the deviate is Gaussian."""

DIRECT_BELOW = 12.0
"""Mean (photons) below which counts come from products of uniform deviates."""

LANCZOS = (
    76.18009172947146,
    -86.50532032941677,
    24.01409824083091,
    -1.231739572450155,
    0.1208650973866179e-2,
    -0.5395239384953e-5,
)
"""Coefficients of Lanczos' approximation, as in the C program."""

PIXELS_AT_ONCE = 65536
"""Number of pixels that are prepared together, to limit memory."""

DEVIATES_AT_ONCE = 16384
"""Number of uniform deviates that are drawn together."""


class PoissonNoise:
    """Draws counted photons for expected photons.

    Parameters
    ----------
    stream : RandomStream
        Source of the uniform deviates.
    """

    def __init__(self, stream: RandomStream) -> None:
        self._state = _noise_state(stream) if tools.available() else None
        self._deviates = _uniform_deviates(stream)
        self._spare: float | None = None
        self._log_gamma_table: list[float] = []
        # storing a number here rounds it to single precision, faster than a NumPy scalar
        self._float32 = array("f", [0.0])

    def draw(self, expected: np.ndarray) -> np.ndarray:
        """Draw counted photons, pixel after pixel in storage order.

        Parameters
        ----------
        expected : ndarray of float32, any shape
            Expected photons.

        Returns
        -------
        ndarray of float64, same shape
            Counted photons: integers up to a million expected photons, Gaussian numbers above.
        """
        if self._state is not None:
            return tools.draw_photons(self._state, expected)
        flat = np.ascontiguousarray(expected, dtype=np.float32).reshape(-1)
        counts = np.empty(flat.shape, dtype=np.float64)
        for first in range(0, len(flat), PIXELS_AT_ONCE):
            part = slice(first, first + PIXELS_AT_ONCE)
            counts[part] = self._draw_some(flat[part])
        return counts.reshape(expected.shape)

    def count(self, expected: np.ndarray, total: float, largest: int) -> tuple[np.ndarray, float]:
        """Draw counted photons as integers, pixel after pixel in storage order.

        Parameters
        ----------
        expected : ndarray of float32, any shape
            Expected photons.
        total : float
            Sum of the counted photons of earlier pixels.
        largest : int
            Counted photons above this number become this number.

        Returns
        -------
        counts : ndarray of int32, same shape
            Counted photons. Gaussian numbers are truncated; negative ones become zero, and NaN the
            smallest integer.
        total : float
            Sum including these pixels, before the limits.
        """
        if self._state is not None:
            return tools.count_photons(self._state, expected, total, largest)
        drawn = self.draw(expected)
        known = ~np.isnan(drawn)
        counts = np.full(drawn.shape, np.iinfo(np.int32).min, dtype=np.int32)
        counts[known] = np.clip(drawn[known], 0.0, largest)
        return counts, serial_sum(total, drawn.reshape(-1))

    def _draw_some(self, means: np.ndarray) -> list[float]:
        """Counted photons of some pixels. Values that need only the mean are computed first."""
        limits = _float32_list(map(math.exp, (-np.clip(means, -1.0, DIRECT_BELOW)).tolist()))
        clipped = np.clip(means, DIRECT_BELOW, GAUSSIAN_ABOVE)
        widths = np.sqrt(2.0 * clipped.astype(np.float64)).astype(np.float32).tolist()
        logs = np.array(_float32_list(map(math.log, clipped.tolist())), dtype=np.float32)
        gammas = _log_gamma_array((clipped + 1.0).astype(np.float32).astype(np.float64))
        constants, logs = (clipped * logs - gammas).tolist(), logs.tolist()
        counts = []
        for index, mean in enumerate(means.tolist()):
            if mean < DIRECT_BELOW:
                counts.append(self._direct(limits[index]))
            elif mean > GAUSSIAN_ABOVE:
                counts.append(float(np.float32(mean + math.sqrt(mean) * self._gaussian())))
            elif math.isnan(mean):
                # the first trial is accepted, because no comparison with it is true
                next(self._deviates), next(self._deviates)
                counts.append(mean)
            else:
                counts.append(self._rejected(mean, widths[index], logs[index], constants[index]))
        return counts

    def _direct(self, limit: float) -> float:
        """Multiply uniform deviates until they fall below exp(-mean)."""
        count = 0
        deviates = self._deviates
        product = array("f", [1.0])
        while True:
            product[0] = product[0] * next(deviates)
            if not product[0] > limit:
                return float(count)
            count += 1

    def _rejected(self, mean: float, width: float, log_mean: float, constant: float) -> float:
        """Compare with a Lorentzian until a trial is accepted."""
        f = self._float32
        table = self._log_gamma_table
        deviates = self._deviates
        while True:
            while True:
                f[0] = math.tan(math.pi * next(deviates))
                y = f[0]
                f[0] = width * y
                f[0] = f[0] + mean
                count = f[0]
                if not count < 0.0:
                    break
            count = float(math.floor(count))
            f[0] = y * y
            peak = 1.0 + f[0]
            f[0] = count * log_mean
            exponent = f[0]
            if count < len(table):
                f[0] = exponent - table[int(count)]
            else:
                f[0] = exponent - self._log_gamma_of_next(count)
            f[0] = f[0] - constant
            f[0] = 0.9 * peak * math.exp(min(f[0], 700.0))
            if not next(deviates) > f[0]:
                return count

    def _log_gamma_of_next(self, count: float) -> float:
        """Log Gamma(count + 1), making the table longer for usual counts."""
        table = self._log_gamma_table
        if count < GAUSSIAN_ABOVE:
            arguments = np.arange(len(table), 2 * int(count) + 1024, dtype=np.float64) + 1.0
            table.extend(_log_gamma_array(arguments).tolist())
            return table[int(count)]
        return log_gamma(float(np.float32(count + 1.0)))

    def _gaussian(self) -> float:
        """A normal deviate by the polar method. Every second deviate is kept for the next call."""
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        while True:
            first, second = (np.float32(2.0 * next(self._deviates) - 1.0) for _ in range(2))
            radius = first * first + second * second
            if 0.0 < radius < 1.0:
                break
        factor = np.float32(math.sqrt(-2.0 * math.log(radius) / float(radius)))
        self._spare = float(first * factor)
        return float(second * factor)


def log_gamma(x: float) -> float:
    """Logarithm of the gamma function, rounded to single precision.

    Parameters
    ----------
    x : float
        Argument, above zero.

    Returns
    -------
    float
        Lanczos' approximation, with the coefficients and the order of operations of the C program.
    """
    return float(_log_gamma_array(np.array([x]))[0])


def _log_gamma_array(x: np.ndarray) -> np.ndarray:
    shifted = x + 5.5
    shifted = shifted - (x + 0.5) * np.log(shifted)
    series = np.full_like(x, 1.000000000190015)
    for order, coefficient in enumerate(LANCZOS, 1):
        series = series + coefficient / (x + order)
    return (-shifted + np.log(2.5066282746310005 * series / x)).astype(np.float32)


def _float32_list(values: Iterable[float]) -> list[float]:
    """Numbers rounded to single precision."""
    return array("f", values).tolist()


def _noise_state(stream: RandomStream) -> np.ndarray:
    """The state of the random stream, in the form that compiled code keeps."""
    state = np.zeros(1, dtype=tools.NOISE_STATE)
    state["seed"], state["last"] = stream.state, stream.table.last
    state["table"] = stream.table.entries
    return state


def _uniform_deviates(stream: RandomStream) -> Iterator[float]:
    while True:
        yield from stream.uniform(DEVIATES_AT_ONCE).tolist()
