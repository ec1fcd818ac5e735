"""Conversion of photons to integer images: scales, offsets and rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.maths.arrays import serial_sum
from cupysim.native import tools

AUTOMATIC_MAXIMUM = 55000.0
"""Largest value of an automatically scaled image."""

LARGEST_VALUE = 65535.0
"""Largest 16-bit value."""

SHORT_BITS, LONG_BITS = 16, 32
"""Bits of noisify's integers."""

LARGEST_LONG_VALUE = 2147483647.0
"""Largest value of 32 bits in noisify."""

LARGEST_GREY = 255.0
"""Largest 8-bit value."""

ROWS_AT_ONCE = 256
"""Number of rows that are converted together, to limit memory."""

COUNTED_ROWS_AT_ONCE = 64
"""Number of rows of counted photons that are converted together, to limit memory."""

GREY_ROWS_AT_ONCE = 16
"""Number of rows that become grey values together. Their numbers fit the processor's cache."""


def automatic_scale(maximum: float) -> float:
    """Scale of an integer image if the user gave none.

    Parameters
    ----------
    maximum : float
        Largest value of the image (photons).

    Returns
    -------
    float
        Scale per photon: 55000/maximum, or 1 for an empty image.
    """
    return AUTOMATIC_MAXIMUM / maximum if maximum > 0.0 else 1.0


def automatic_grey_scale(rmsd: float, scale: float) -> float:
    """Scale of an 8-bit image if the user gave none.

    Parameters
    ----------
    rmsd : float
        Standard deviation of the image (photons).
    scale : float
        Scale of the integer image, used if `rmsd` is zero.

    Returns
    -------
    float
        Scale per photon: 250/(5 rmsd).
    """
    return 250.0 / (5.0 * rmsd) if rmsd > 0.0 else scale


def scaled(
    image: np.ndarray, scale: float, offset: float, region: tuple[slice, slice]
) -> np.ndarray:
    """Make the integer image without noise.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    scale, offset : float
        Scale (per photon) and offset: value = photons * scale + offset.
    region : tuple of 2 slices
        Rows and columns to convert. Other pixels are zero (quirk Q49).

    Returns
    -------
    ndarray of uint16, shape (n_slow, n_fast)
        Values clipped to 16 bits, then rounded half up in single precision, as in the C program
        (quirk Q37).
    """
    result = np.zeros(image.shape, dtype=np.uint16)
    source, sink = image[region], result[region]
    if tools.available():
        tools.scale(source, scale, offset, sink)
        return result
    for row in range(0, len(source), ROWS_AT_ONCE):
        rows = slice(row, row + ROWS_AT_ONCE)
        value = np.clip(source[rows].astype(np.float64) * scale + offset, 0.0, LARGEST_VALUE)
        sink[rows] = np.floor((value + 0.5).astype(np.float32)).astype(np.uint16)
    return result


def grey(image: np.ndarray, scale: float, region: tuple[slice, slice]) -> np.ndarray:
    """Make the 8-bit image.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    scale : float
        Scale (per photon): value = photons * scale.
    region : tuple of 2 slices
        Rows and columns to convert. Other pixels are zero.

    Returns
    -------
    ndarray of uint8, shape (n_slow, n_fast)
        Values clipped at 255, then truncated. Negative values wrap as in C.
    """
    result = np.zeros(image.shape, dtype=np.uint8)
    source, sink = image[region], result[region]
    buffer = np.empty((GREY_ROWS_AT_ONCE, source.shape[1]))
    for row in range(0, len(source), GREY_ROWS_AT_ONCE):
        rows = slice(row, row + GREY_ROWS_AT_ONCE)
        values = buffer[: len(source[rows])]
        np.multiply(source[rows], scale, out=values, dtype=np.float64)
        np.minimum(values, LARGEST_GREY, out=values)
        if not values.min(initial=0.0) >= 0.0:
            np.maximum(values, -(2.0**31), out=values)
            sink[rows] = values.astype(np.int64)
        else:
            sink[rows] = values
    return result


def counted(counts: np.ndarray, offset: float) -> tuple[np.ndarray, int]:
    """Make the noise image from counted photons.

    Parameters
    ----------
    counts : ndarray
        Counted photons.
    offset : float
        Offset that is added to each pixel.

    Returns
    -------
    image : ndarray of uint16
        Values, truncated and not rounded (quirk Q37).
    overloads : int
        Number of pixels that are clipped at 65535.
    """
    values = counts + offset
    overloads = int(np.count_nonzero(values > LARGEST_VALUE))
    return np.clip(values, 0.0, LARGEST_VALUE).astype(np.uint16), overloads


def counted_region(
    counts: np.ndarray, offset: float, region: tuple[slice, slice]
) -> tuple[np.ndarray, int]:
    """Make the noise image of a region from counted photons.

    Parameters
    ----------
    counts : ndarray, shape (n_slow, n_fast)
        Counted photons.
    offset : float
        Offset that is added to each pixel of the region.
    region : tuple of 2 slices
        Rows and columns to convert. Other pixels are zero.

    Returns
    -------
    image : ndarray of uint16, shape (n_slow, n_fast)
        Values as for `counted`.
    overloads : int
        Number of pixels that are clipped at 65535.
    """
    whole = np.zeros(counts.shape, dtype=np.uint16)
    source, sink, overloads = counts[region], whole[region], 0
    for row in range(0, len(source), COUNTED_ROWS_AT_ONCE):
        rows = slice(row, row + COUNTED_ROWS_AT_ONCE)
        sink[rows], clipped = counted(source[rows], offset)
        overloads += clipped
    return whole, overloads


@dataclass(frozen=True)
class Digitiser:
    """Conversion of photons to integers, as noisify does it.

    Parameters
    ----------
    gain : float
        Units per photon.
    offset : float
        Offset of all pixels (units).
    readout : float
        Standard deviation of the read-out noise (units).
    bits : int
        Bits of an integer: 16 or 32.
    largest : float
        Largest value (units). Larger ones are clipped.
    is_rounded : bool
        Whether values are rounded half up. Otherwise they are truncated (NQ14).
    is_clipped : bool
        Whether negative values become zero. Otherwise they wrap around (NQ22).
    """

    gain: float
    offset: float
    readout: float
    bits: int
    largest: float
    is_rounded: bool = False
    is_clipped: bool = False

    @property
    def dtype(self) -> np.dtype:
        """Type of the integers."""
        return np.dtype(np.uint16 if self.bits == SHORT_BITS else np.uint32)

    def __call__(
        self, photons: np.ndarray, deviates: np.ndarray | None = None
    ) -> tuple[np.ndarray, float, int, int]:
        """Convert photons to integers.

        Parameters
        ----------
        photons : ndarray of float32, shape (n_slow, n_fast)
            Photons.
        deviates : ndarray of float32, same size, optional
            Normal deviates of the read-out noise; none by default.

        Returns
        -------
        integers : ndarray of uint16 or uint32, shape (n_slow, n_fast)
            Integers.
        total : float
            Sum of the photons, in storage order.
        above : int
            Number of values that are clipped.
        below : int
            Number of negative integers.
        """
        photons = np.ascontiguousarray(photons, dtype=np.float32)
        integers = np.empty(photons.shape, dtype=self.dtype)
        if tools.available():
            scale = self.gain, self.offset, self.readout, self.largest
            return integers, *tools.digitise(
                photons, deviates, scale, self.is_rounded, self.is_clipped, integers
            )
        total, above, below = 0.0, 0, 0
        noise = None if deviates is None else deviates.reshape(photons.shape)
        for row, values in enumerate(photons.astype(np.float64)):
            total = serial_sum(total, values)
            with np.errstate(invalid="ignore", over="ignore"):
                values = values * self.gain + self.offset
                if noise is not None:
                    values += self.readout * noise[row].astype(np.float64)
            above += int(np.count_nonzero(values > self.largest))
            values = np.where(values > self.largest, self.largest, values)
            if self.is_rounded:
                values = np.floor(values + 0.5)
            below += int(np.count_nonzero(values <= -1.0))
            if self.is_clipped:
                values = np.where(values < 0.0, 0.0, values)
            wide = 2.0 ** (2 * self.bits - 1)
            values = np.where((values > -wide) & (values < wide), values, 0.0)
            integers[row] = values.astype(np.int64).astype(self.dtype)
        return integers, total, above, below
