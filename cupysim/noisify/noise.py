"""Noise of pixels: noisify's random streams, or numbers by seed and pixel, drawn in parallel."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from cupysim.detection.pixel_streams import DEFAULT_CALIBRATION_STATE, PixelStreams
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE
from cupysim.native.cores import usable_cores
from cupysim.noisify.arguments import Arguments
from cupysim.noisify.quirks import NoisifyQuirk

PIXELS_AT_ONCE = 2**16
"""Pixels that get their normal deviates from one generator. All deviates depend on this number."""

FLICKER, CALIBRATION, READOUT = 1, 2, 3
"""Keys of the normal deviates of flicker, calibration errors and read-out noise."""

TRIALS_UP_TO = 2.0**30
"""Mean up to which all counts fit into 32 bits. Above, the count of a pixel is its mean."""


class Noise(Protocol):
    """Draws the noise of an image."""

    def count(self, expected: np.ndarray) -> tuple[np.ndarray, float]:
        """Draw counted photons: ndarray of float32, and their sum."""

    def readout(self, n_pixels: int) -> np.ndarray:
        """Draw normal deviates for the read-out noise: ndarray of float32, shape (n_pixels,)."""


def clock_seed() -> int:
    """The default seed: seconds of the clock, as in noisify."""
    return int(time.time())


def make_noise(args: Arguments, seed: int) -> Noise:
    """Make the noise that the options ask for.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    seed : int
        Seed of flicker, photons and read-out noise.

    Returns
    -------
    Noise
        The noise.
    """
    return FastNoise(args, seed) if args.noise_kind == "fast" else StreamNoise(args, seed)


class StreamNoise:
    """noisify's noise, bit for bit.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    seed : int
        Seed of flicker, photons and read-out noise.
    """

    def __init__(self, args: Arguments, seed: int) -> None:
        self._args = args
        self._streams = PixelStreams(
            seed,
            args.calibration_seed,
            own_tables=args.corrects(NoisifyQuirk.SHARED_TABLE),
            own_photon_spare=args.corrects(NoisifyQuirk.SPARE_FOR_PHOTONS),
        )

    def count(self, expected: np.ndarray) -> tuple[np.ndarray, float]:
        """Draw counted photons: ndarray of float32, and their sum."""
        factor, flicker = 1.0, self._args.flicker
        if flicker > 0.0 and self._args.corrects(NoisifyQuirk.FLICKER_OF_PIXELS):
            factor, flicker = 1.0 + flicker * float(self._streams.gaussians(1)[0]), 0.0
        return self._streams.draw(expected, factor, flicker, self._args.calibration)

    def readout(self, n_pixels: int) -> np.ndarray:
        """Draw normal deviates for the read-out noise: ndarray of float32, shape (n_pixels,)."""
        return self._streams.gaussians(n_pixels)


class FastNoise:
    """Noise by seed and pixel.

    The counts of a pixel depend on its expected photons, its number and the seeds only. Calibration
    errors depend on their seed only, so shots have the same ones.

    Parameters
    ----------
    args : Arguments
        Values of the options.
    seed : int
        Seed of flicker, photons and read-out noise.
    """

    def __init__(self, args: Arguments, seed: int) -> None:
        self._args = args
        # as unsigned numbers, negative seeds differ from positive ones
        self._seed = seed % 2**32
        calibration = DEFAULT_CALIBRATION_STATE
        if args.calibration_seed is not None:
            calibration = args.calibration_seed % 2**32
        self._calibration_seed = calibration
        self._threads = args.threads or usable_cores()

    def count(self, expected: np.ndarray) -> tuple[np.ndarray, float]:
        """Draw counted photons: ndarray of float32, and their sum."""
        from cupysim.detection.photon_noise import PhotonNoise

        factors: np.ndarray | None = None
        if self._args.flicker > 0.0:
            of_image = self._args.corrects(NoisifyQuirk.FLICKER_OF_PIXELS)
            drawn = self._normal(self._seed, FLICKER, 1 if of_image else expected.size)
            factors = np.float32(self._args.flicker) * drawn + np.float32(1.0)
        if self._args.calibration > 0.0:
            drawn = self._normal(self._calibration_seed, CALIBRATION, expected.size)
            drawn *= np.float32(self._args.calibration)
            drawn += np.float32(1.0)
            factors = drawn if factors is None else factors * drawn
        means = expected
        if factors is not None:
            means = (expected.reshape(-1) * factors).reshape(expected.shape)
        noise = PhotonNoise(self._seed, threads=self._threads)
        counts, photons = noise.draw(means, 0, expected.shape[1], LARGEST_PIXEL_VALUE)
        result = counts.astype(np.float32)
        if means.max(initial=0.0) > TRIALS_UP_TO:
            # 32 bits do not hold these counts, and their noise is small compared with the mean
            bright = means > TRIALS_UP_TO
            result[bright] = means[bright]
            photons = float(result.sum(dtype=np.float64))
        return result, photons

    def readout(self, n_pixels: int) -> np.ndarray:
        """Draw normal deviates for the read-out noise: ndarray of float32, shape (n_pixels,)."""
        return self._normal(self._seed, READOUT, n_pixels)

    def _normal(self, seed: int, stage: int, count: int) -> np.ndarray:
        """Normal deviates of a seed and a stage, in blocks that threads share."""
        drawn = np.empty(count, dtype=np.float32)

        def fill(number: int) -> None:
            block = drawn[number * PIXELS_AT_ONCE : (number + 1) * PIXELS_AT_ONCE]
            bits = np.random.Philox(key=[seed, stage], counter=[0, number, 0, 0])
            np.random.Generator(bits).standard_normal(out=block, dtype=np.float32)

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(fill, range(-(-count // PIXELS_AT_ONCE))))
        return drawn
