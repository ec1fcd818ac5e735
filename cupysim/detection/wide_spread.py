"""Point spread with a wide kernel, by FFT.

On a processor, the FFT of the rows replaces the image in memory, and the result replaces the FFT.
The columns of this FFT are convolved some at a time. A whole image thus needs little more memory
than its padding with zeros, and no pixel is transformed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupysim.detection.kernel_transform import KernelTransform
from cupysim.detection.point_spread import Border
from cupysim.maths.arrays import array_namespace
from cupysim.native.cores import usable_cores

BLOCKS = 32
"""Blocks of rows or columns of a large image. Their work arrays need a tenth of the image."""

SMALLEST_BLOCK = 32
"""Smallest number of rows or columns that are transformed together, to keep all cores busy."""

LEAST_KEPT = 1e-6
"""Smallest fraction of its light that a pixel may keep. Pixels that keep less lose all
light, because rounding errors of the FFT are not much smaller."""


def spread(image: Any, kernel: np.ndarray, border: Border, *, overwrite: bool = False) -> Any:
    """Spread the light of an image.

    Parameters
    ----------
    image : array of float32 or float64, shape (n_slow, n_fast)
        Photons, or derivatives of them; a NumPy or a CuPy array.
    kernel : ndarray, shape (odd, odd)
        Fractions of light.
    border : Border
        What happens to light that leaves the image.
    overwrite : bool, optional
        Whether the result may take the place of a NumPy array, to save memory.

    Returns
    -------
    array, shape and type of the image
        Photons. If no photons of the image are negative, rounding errors below zero become zero.
    """
    if array_namespace(image) is not np:
        return spread_on_device(image, kernel, border)
    result = image if overwrite else image.copy()
    has_photons = image.size > 0 and bool(image.min() >= 0.0)
    if border is Border.KEPT:
        for row, kept in _kept_light(kernel, image.shape):
            result[row] /= kept
    convolve(result, kernel, border)
    return np.maximum(result, 0.0, out=result) if has_photons else result


def convolved(image: np.ndarray, kernel: np.ndarray, border: Border) -> np.ndarray:
    """Convolution of an image with a kernel.

    Parameters
    ----------
    image : ndarray of float32 or float64, shape (n_slow, n_fast)
        Image.
    kernel : ndarray, shape (odd, odd)
        Kernel.
    border : Border
        `Border.MIRRORED`, or anything else for zeros beyond the edge.

    Returns
    -------
    ndarray, shape and type of the image
        Convolution.
    """
    result = image.copy()
    convolve(result, kernel, border)
    return result


def convolve(image: np.ndarray, kernel: np.ndarray, border: Border) -> None:
    """Convolve an image with a kernel in place; parameters as for `convolved`."""
    from scipy import fft

    if image.size == 0:
        return
    if border is not Border.MIRRORED:
        kernel = _within(kernel, image.shape)
    n_slow, n_fast = image.shape
    (length_slow, rows_around), (length_fast, columns_around) = (
        _padding(n, edge // 2, border) for n, edge in zip(image.shape, kernel.shape, strict=True)
    )
    # threads do not change the image: each transforms other rows or columns
    workers = usable_cores()
    transform = KernelTransform(kernel, (length_slow, length_fast), image.dtype)
    # the first half of the FFT of the rows is in the memory of the image
    half = n_fast // 2
    first = image[:, : 2 * half].view(np.result_type(image, np.complex64))
    last = np.empty((n_slow, length_fast // 2 + 1 - half), dtype=first.dtype)
    for rows in _blocks(n_slow):
        spectrum = fft.rfft(image[rows][:, columns_around], length_fast, workers=workers)
        first[rows], last[rows] = spectrum[:, :half], spectrum[:, half:]
    for part, number in ((first, 0), (last, half)):
        for columns in _blocks(part.shape[1]):
            block = part[rows_around, columns]
            spectrum = fft.fft(block, length_slow, axis=0, workers=workers)
            transform.multiply(spectrum, number + columns.start, workers)
            spectrum = fft.ifft(spectrum, axis=0, overwrite_x=True, workers=workers)
            part[:, columns] = spectrum[:n_slow]
    for rows in _blocks(n_slow):
        spectrum = np.concatenate([first[rows], last[rows]], axis=1)
        image[rows] = fft.irfft(spectrum, length_fast, workers=workers)[:, :n_fast]


def spread_on_device(image: Any, kernel: np.ndarray, border: Border) -> Any:
    """Spread the photons of a CuPy array; parameters and result as for `spread`."""
    import cupy
    from cupyx.scipy import fft

    if border is Border.KEPT:
        whole = np.empty(image.shape, dtype=image.dtype)
        for row, kept in _kept_light(kernel, image.shape):
            whole[row] = kept
        image = image / cupy.asarray(whole)
    reach = [edge // 2 for edge in kernel.shape]
    sizes, start = image.shape, reach
    if border is Border.MIRRORED:
        image = cupy.pad(image, [(r, r) for r in reach], "symmetric")
        start = [2 * r for r in reach]
    # light that wraps around in the transform stays outside the pixels of the result
    shape = tuple(fft.next_fast_len(n + 2 * r, True) for n, r in zip(sizes, reach, strict=True))
    transform = fft.rfft2(cupy.asarray(kernel.astype(image.dtype)), shape)
    padded = fft.irfft2(fft.rfft2(image, shape) * transform, shape)
    rows, columns = (slice(first, first + n) for first, n in zip(start, sizes, strict=True))
    return cupy.maximum(padded[rows, columns], 0.0)


def _kept_light(kernel: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """Fraction of each pixel's light that reaches the image, row by row.

    The fraction is the sum of the kernel over a rectangle, which moves by one row of the kernel
    from row to row. It is infinite for pixels that keep less than `LEAST_KEPT`, so that they lose
    all light.
    """
    low, high = _reached(shape[0], kernel.shape[0])
    left, right = _reached(shape[1], kernel.shape[1])
    strip = kernel[low[0] : high[0]].sum(axis=0)
    sums = np.zeros(len(strip) + 1)
    for row in range(shape[0]):
        if row > 0:
            strip += kernel[low[row] : low[row - 1]].sum(axis=0)
            strip -= kernel[high[row] : high[row - 1]].sum(axis=0)
        np.cumsum(strip, out=sums[1:])
        kept = sums[right] - sums[left]
        kept[kept < LEAST_KEPT] = np.inf
        yield row, kept


def _reached(n: int, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """First place of a kernel that falls on an axis of n pixels, and the place after the last."""
    places = np.arange(n)
    return np.clip(edge // 2 - places, 0, edge), np.clip(edge // 2 + n - places, 0, edge)


def _within(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The part of a kernel that links two pixels of an image."""
    beyond = [max(edge // 2 - (n - 1), 0) for edge, n in zip(kernel.shape, shape, strict=True)]
    rows, columns = (slice(b, edge - b) for b, edge in zip(beyond, kernel.shape, strict=True))
    return kernel[rows, columns]


def _padding(n: int, reach: int, border: Border) -> tuple[int, Any]:
    """Even length of an axis of n pixels for the FFT, and the pixels around and on the axis.

    Light that wraps around within this length does not reach the n pixels. The FFT itself adds
    zeros. For a mirrored image, there is a pixel for each place; the last places are those before
    the first pixel.
    """
    from scipy import fft

    is_mirrored = border is Border.MIRRORED
    needed = n + (2 if is_mirrored else 1) * reach
    length = 2 * int(fft.next_fast_len(-(-needed // 2), True))
    if not is_mirrored:
        return length, slice(None)
    places = np.arange(length)
    places[length - reach :] -= length
    places %= 2 * n
    return length, np.where(places < n, places, 2 * n - 1 - places)


def _blocks(n: int) -> Iterator[slice]:
    """Rows or columns that are computed together."""
    size = max(SMALLEST_BLOCK, -(-n // BLOCKS))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
