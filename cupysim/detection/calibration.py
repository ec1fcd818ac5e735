"""Calibration: photons of raw numbers, their read-out noise, and overloads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.detection import compiled_stages, detector_library
from cupysim.detection.analogue import MEAN_SHOT, Analogue
from cupysim.detection.counter import Counter
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.response import Response
from cupysim.errors import CupysimError

SURE = 7.0
"""Distance of the largest trusted signal from the end of the last range (standard deviations)."""

ROWS_AT_ONCE = 256
"""Rows that are calibrated together, to limit memory."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A calibrated image.

    Parameters
    ----------
    photons : ndarray of float32, shape (n_slow, n_fast)
        Photons; not-a-number in pixels without a value.
    noise : ndarray of float32, shape (n_slow, n_fast)
        Read-out noise of each pixel (photons rms), without counting noise.
    is_overload : ndarray of bool, shape (n_slow, n_fast)
        Pixels whose true signal may be larger than their raw number tells.
    """

    photons: np.ndarray
    noise: np.ndarray
    is_overload: np.ndarray


def photons_of(
    response: Response,
    raw: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
    has_value: np.ndarray | None = None,
) -> Calibrated:
    """Calibrate a raw image to photons, by pedestals, gains and the rate correction.

    Parameters
    ----------
    response : Response
        The detector's response.
    raw : ndarray, shape (n_slow, n_fast)
        Raw numbers.
    grid : PixelGrid
        The pixels.
    exposure : Exposure
        Photon energy and exposure time. The calibration does not know the flicker, the pedestal
        drift and the gain jitter of the shot.
    has_value : ndarray of bool, shape (n_slow, n_fast), optional
        Pixels with a value. By default those without the response's `masked_value`.

    Returns
    -------
    Calibrated
        The image. On average, its photons are those that reached the sensor.

    Raises
    ------
    CupysimError
        If the raw image does not fit the pixels or the response.
    """
    if raw.shape != grid.shape:
        raise CupysimError(
            f"photons: the raw numbers have the shape {raw.shape}, but the pixels {grid.shape}"
        )
    if not np.issubdtype(raw.dtype, np.integer):
        raise CupysimError(f"photons: raw numbers must be integers, got {raw.dtype}")
    if has_value is None:
        has_value = raw != response.masked_value
    photons, noise = np.empty(raw.shape, dtype=np.float32), np.empty(raw.shape, dtype=np.float32)
    is_overload = np.empty(raw.shape, dtype=bool)
    for row in range(0, grid.n_slow, ROWS_AT_ONCE):
        rows = slice(row, min(row + ROWS_AT_ONCE, grid.n_slow))
        part = grid.part(rows, slice(0, grid.n_fast))
        if isinstance(response.readout, Counter):
            found = _of_counts(response, response.readout, raw[rows], exposure)
        else:
            found = _of_signals(response, response.readout, raw[rows], part, exposure)
        photons[rows], noise[rows], is_overload[rows] = found
    photons /= detected_fraction(response, grid)
    photons[~has_value] = np.nan
    return Calibrated(photons, noise, is_overload & has_value)


def detected_fraction(response: Response, grid: PixelGrid) -> float:
    """Mean signal of a photon (photons): below 1 if a counter loses photons at pixel corners."""
    ways = response.ways(grid)
    return float(ways.probabilities.astype(np.float64) @ ways.shares.sum(axis=(1, 2)))


def _of_counts(
    response: Response, counter: Counter, raw: np.ndarray, exposure: Exposure
) -> tuple[np.ndarray, np.ndarray | float, np.ndarray]:
    is_overload = raw >= response.overload_value(exposure)
    times = counter.pulse_times(exposure)
    if times is None or counter.rate_correction:
        return raw.astype(np.float64), 0.0, is_overload
    photons = times.corrected(np.maximum(raw, 0))
    return np.where(is_overload, raw, photons), 0.0, is_overload


def _of_signals(
    response: Response,
    analogue: Analogue,
    raw: np.ndarray,
    grid: PixelGrid,
    exposure: Exposure,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    energy = exposure.photon_energy
    if detector_library.problem() is None:
        photons, which = compiled_stages.calibrated(response, analogue, raw, grid, exposure)
    else:
        signals, which = analogue.photons(raw, grid.numbers(), energy, response.serial)
        photons = signals.astype(np.float32)
    noises = np.array([gain.noise for gain in analogue.in_photons(energy, MEAN_SHOT)] + [np.nan])
    largest = largest_photons(response, exposure)
    values, most = raw & analogue.largest_value, response.overload_value(exposure)
    # a pixel with a larger gain than others may reach the end of the converter in each of its gains
    is_rising = np.array([gain.adu_per_ev > 0.0 for gain in analogue.gains])[which]
    at_limit = np.where(is_rising, values >= most, values <= 0)
    is_overload = (photons > largest) | ((which >= 0) & at_limit)
    return photons, noises[which], is_overload


def largest_photons(response: Response, exposure: Exposure) -> float:
    """Largest signal (photons) of a pixel that is not an overload.

    The signal is not yet divided by `detected_fraction`. For a counter, it is the largest count,
    before the calibration corrects the rate.
    """
    readout = response.readout
    if isinstance(readout, Counter):
        return float(response.overload_value(exposure) - 1)
    last = readout.in_photons(exposure.photon_energy, MEAN_SHOT)[-1]
    limit = float(response.overload_value(exposure)) - 1.0 if last.adu > 0.0 else 1.0
    by_converter = (limit - last.pedestal) / last.adu
    # noise, drift and jitter must not move a clipped signal below this limit
    doubt = math.hypot(
        last.noise, readout.pedestal_drift / last.adu, readout.gain_jitter * last.range_end
    )
    return min(last.range_end - SURE * doubt, by_converter)
