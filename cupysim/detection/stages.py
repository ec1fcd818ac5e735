"""All stages of a response with NumPy: a readable form of `cuda_src/detected_rows.cuh`."""

from __future__ import annotations

import numpy as np

from cupysim.detection.charge_sharing import Ways
from cupysim.detection.counter import Counter
from cupysim.detection.dead_layer import transmission
from cupysim.detection.photon_noise import draw_counts
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.random_numbers import DRAWS, Stage
from cupysim.detection.response import Response

LARGEST_COUNT = 2.0**31 - 1.0
"""Largest number of counted photons in a pixel, before the read-out."""


def raw_image(
    response: Response, expected: np.ndarray, grid: PixelGrid, exposure: Exposure
) -> tuple[np.ndarray, int]:
    """Detect the photons of a panel.

    Parameters
    ----------
    response : Response
        The response.
    expected : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    grid : PixelGrid
        The pixels.
    exposure : Exposure
        The shot.

    Returns
    -------
    raw : ndarray of the response's type, shape (n_slow, n_fast)
        Raw numbers, before defects.
    overloads : int
        Number of overloads.
    """
    return digitised(response, signals(response, expected, grid, exposure), grid, exposure)


def signals(
    response: Response, expected: np.ndarray, grid: PixelGrid, exposure: Exposure
) -> np.ndarray:
    """Signals after all stages before the read-out.

    The parameters are those of `raw_image`.

    Returns
    -------
    ndarray of float32, shape (n_slow, n_fast)
        Signals (photons). They are whole numbers for counters, unless light spreads after counting.
    """
    spread = response.point_spread
    means = at_sensor(response, expected, grid, exposure)
    if spread is not None and not spread.after_counting:
        means = spread.apply(means, grid)
    counts = shared_counts(response.ways(grid), means, grid, exposure)
    if spread is not None and spread.after_counting:
        counts = spread.apply(counts, grid)
    return counts if response.scan is None else response.scan.apply(counts, grid, exposure)


def at_sensor(
    response: Response, expected: np.ndarray, grid: PixelGrid, exposure: Exposure
) -> np.ndarray:
    """Expected photons that reach the sensor: ndarray of float32, shape (n_slow, n_fast)."""
    brightness = response.brightness(exposure)
    absorption = response.absorption(exposure.photon_energy)
    if absorption > 0.0:
        factors = brightness * transmission(absorption, grid)
        return (expected.astype(np.float64) * factors).astype(np.float32)
    if brightness == 1.0:
        return np.asarray(expected, dtype=np.float32)
    return (expected.astype(np.float64) * brightness).astype(np.float32)


def shared_counts(ways: Ways, means: np.ndarray, grid: PixelGrid, exposure: Exposure) -> np.ndarray:
    """Counted photons, shared among neighbouring pixels.

    Parameters
    ----------
    ways : Ways
        Ways in which pixels share a photon.
    means : ndarray of float32, shape (n_slow, n_fast)
        Expected photons in each pixel.
    grid : PixelGrid
        The pixels.
    exposure : Exposure
        The shot.

    Returns
    -------
    ndarray of float32, shape (n_slow, n_fast)
        Signals (photons).
    """
    numbers, total = grid.numbers().reshape(-1), np.zeros(grid.shape, dtype=np.float32)
    for way, (probability, shares) in enumerate(zip(ways.probabilities, ways.shares, strict=True)):
        some = (means * probability).astype(np.float64).reshape(-1)
        first_draw = (Stage.COUNTS + way) * DRAWS
        drawn = draw_counts(some, numbers, exposure.shot, exposure.seed, first_draw)
        counts = np.minimum(drawn, LARGEST_COUNT).astype(np.float32).reshape(grid.shape)
        padded = np.pad(counts, 1)
        # each pixel adds its shares in the order of the photons' rows
        for dy in (1, 0, -1):
            rows = slice(1 - dy, 1 - dy + grid.n_slow)
            for dx in (-1, 0, 1):
                share = shares[dy + 1, dx + 1]
                if share != 0.0:
                    columns = slice(1 - dx, 1 - dx + grid.n_fast)
                    total = total + share * padded[rows, columns]
    return total


def digitised(
    response: Response, photons: np.ndarray, grid: PixelGrid, exposure: Exposure
) -> tuple[np.ndarray, int]:
    """Read signals out, round and limit the numbers. The results are those of `raw_image`."""
    most = float(response.overload_value(exposure))
    readout = response.readout
    if isinstance(readout, Counter):
        values = np.rint(readout.read(photons, grid, exposure))
        raw = np.clip(values, 0.0, most).astype(response.dtype)
        return raw, int(np.count_nonzero(values >= most))
    read, bits, is_beyond = readout.read(photons, grid, exposure, response.serial)
    values, last = np.rint(read), readout.gains[-1]
    in_last = bits == last.bits << readout.adc_bits
    at_limit = values >= most if last.adu_per_ev > 0.0 else values <= 0.0
    raw = np.clip(values, 0.0, most).astype(response.dtype) | bits.astype(response.dtype)
    return raw, int(np.count_nonzero(is_beyond | (in_last & at_limit)))
