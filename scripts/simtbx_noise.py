"""The stages of simtbx's add_noise and apply_psf, with cupysim's point spread functions.

simtbx draws numbers with nanoBragg's generator in double precision, pixel after pixel. Its stages
have another order than those of a real detector: flicker is drawn for each pixel, the calibration
error acts on counted photons, and light that a pixel loses beyond its radius is spread evenly.
"""

from __future__ import annotations

import math

import numpy as np

from cupysim.maths import point_spread
from cupysim.maths.nr_random import MODULUS, MULTIPLIER, TABLE_SIZE, TABLE_STEP

LARGEST_DEVIATE = 1.0 - 1.2e-7
DIRECT_BELOW, GAUSSIAN_ABOVE = 12.0, 1e6
LANCZOS = (76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155,
           0.1208650973866179e-2, -0.5395239384953e-5)  # fmt: skip


class Deviates:
    """Deviates of simtbx: its generator, and a spare normal deviate."""

    def __init__(self, seed: int) -> None:
        self.start(seed)
        self.spare: float | None = None

    def start(self, seed: int) -> None:
        """Fill the table from a seed."""
        self.state = max(abs(seed), 1)
        steps = [self._step() for _ in range(TABLE_SIZE + 8)]
        self.table = steps[:7:-1]
        self.last = self.table[0]

    def _step(self) -> int:
        self.state = self.state * MULTIPLIER % MODULUS
        return self.state

    def uniform(self) -> float:
        """A deviate between 0 and 1."""
        value = self._step()
        place = self.last // TABLE_STEP
        self.last, self.table[place] = self.table[place], value
        return min(self.last * (1.0 / MODULUS), LARGEST_DEVIATE)

    def normal(self) -> float:
        """A normal deviate by the polar method."""
        if self.spare is not None:
            spare, self.spare = self.spare, None
            return spare
        while True:
            first, second = 2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0
            square = first * first + second * second
            if 0.0 < square < 1.0:
                break
        factor = math.sqrt(-2.0 * math.log(square) / square)
        self.spare = first * factor
        return second * factor

    def poisson(self, mean: float) -> float:
        """Counted photons."""
        if mean > GAUSSIAN_ABOVE:
            return mean + math.sqrt(mean) * self.normal()
        if mean < DIRECT_BELOW:
            limit, count, product = math.exp(-mean), -1.0, 1.0
            while True:
                count += 1.0
                product *= self.uniform()
                if not product > limit:
                    return count
        width, log_mean = math.sqrt(2.0 * mean), math.log(mean)
        constant = mean * log_mean - _log_gamma(mean + 1.0)
        while True:
            while True:
                y = math.tan(math.pi * self.uniform())
                count = width * y + mean
                if not count < 0.0:
                    break
            count = math.floor(count)
            limit = 0.9 * (1.0 + y * y)
            limit *= math.exp(count * log_mean - _log_gamma(count + 1.0) - constant)
            if not self.uniform() > limit:
                return count


def _log_gamma(x: float) -> float:
    shifted = x + 5.5
    shifted -= (x + 0.5) * math.log(shifted)
    series = 1.000000000190015
    for order, coefficient in enumerate(LANCZOS, 1):
        series += coefficient / (x + order)
    return -shifted + math.log(2.5066282746310005 * series / x)


def add_noise(
    expected: np.ndarray,
    seed: int,
    calib_seed: int,
    *,
    flicker: float = 0.0,
    calibration: float = 0.0,
    spread: tuple[str, float, int] | None = None,
    gain: float = 1.0,
    offset: float = 0.0,
    readout: float = 0.0,
) -> np.ndarray:
    """Noise as simtbx adds it; rms values are fractions, or ADU for the read-out."""
    deviates = Deviates(seed)
    image = expected.copy()
    flat = image.reshape(-1)
    for place, mean in enumerate(flat):
        if mean >= 0.0:
            if flicker > 0.0:
                mean *= 1.0 + flicker * deviates.normal()
            flat[place] = deviates.poisson(mean)
    if calibration > 0.0:
        state, spare = deviates.state, deviates.spare
        deviates.start(calib_seed)
        deviates.spare = None
        flat *= np.array([1.0 + calibration * deviates.normal() for _ in flat])
        deviates.state, deviates.spare = state, spare
    if spread is not None:
        image = apply_psf(image, *spread)
        flat = image.reshape(-1)
    flat[:] = flat * gain + offset
    if readout > 0.0:
        flat += np.array([readout * deviates.normal() for _ in flat])
    return image


def apply_psf(image: np.ndarray, name: str, width: float, radius: int) -> np.ndarray:
    """The point spread of simtbx; a radius of 0 is automatic for each pixel."""
    n_slow, n_fast = image.shape
    most = max(image.shape)

    def radius_of(photons: float) -> int:
        if radius > 0:
            return min(radius, most)
        return min(point_spread.automatic_radius(name, width, photons), most)

    reach = radius_of(float(image.max()))
    kernel = point_spread.kernel(name, width, reach)
    offsets = np.arange(-reach, reach + 1)
    squares = offsets**2 + offsets[:, None] ** 2
    result, lost = np.zeros(n_slow * n_fast), 0.0
    for y, x in np.argwhere(image > 0.0):
        photons, own = float(image[y, x]), radius_of(float(image[y, x]))
        lost += photons * point_spread.light_outside(name, width, own)
        rows, columns = np.nonzero(squares <= own * own)
        at_y, at_x = y + offsets[rows], x + offsets[columns]
        # the column beyond the right edge is column 0 of the next row (a slip of simtbx)
        place = at_y * n_fast + at_x
        inside = (at_x >= 0) & (at_x <= n_fast) & (at_y >= 0) & (at_y <= n_slow)
        inside &= (place >= 0) & (place < n_slow * n_fast)
        np.add.at(result, place[inside], photons * kernel[rows, columns][inside])
    return (result + lost / (n_slow * n_fast)).reshape(image.shape)
