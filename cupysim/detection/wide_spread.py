"""Point spread with a wide kernel, by FFT: in blocks of pixels, or of a whole image on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupysim.detection.point_spread import Border
from cupysim.maths.arrays import array_namespace
from cupysim.native.cores import usable_cores

BLOCK = 1024
"""Smallest edge of a block (pixels). Larger kernels have larger blocks."""


def spread(image: Any, kernel: np.ndarray, border: Border) -> Any:
    """Spread the light of an image.

    Parameters
    ----------
    image : array of float32, shape (n_slow, n_fast)
        Photons; a NumPy or a CuPy array.
    kernel : ndarray, shape (odd, odd)
        Fractions of light.
    border : Border
        What happens to light that leaves the image.

    Returns
    -------
    array of float32, shape (n_slow, n_fast)
        Photons, in the same kind of array. Rounding errors below zero become zero.
    """
    xp = array_namespace(image)
    convolve = convolved if xp is np else convolved_on_device
    if border is Border.KEPT:
        inside = convolve(xp.ones_like(image), kernel, Border.LOST)
        is_reached = inside > 0.0
        image = xp.where(is_reached, image / xp.where(is_reached, inside, 1.0), 0.0)
    return xp.maximum(convolve(image, kernel, border), 0.0)


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
    from scipy import fft

    # threads do not change the image: each transforms other rows
    workers = usable_cores()
    reach = [edge // 2 for edge in kernel.shape]
    sizes = [min(max(BLOCK, 4 * r), n) for r, n in zip(reach, image.shape, strict=True)]
    shape = [fft.next_fast_len(size + 2 * r, True) for size, r in zip(sizes, reach, strict=True)]
    transform = fft.rfft2(kernel.astype(image.dtype), shape)
    result = np.empty_like(image)
    for row in range(0, image.shape[0], sizes[0]):
        for column in range(0, image.shape[1], sizes[1]):
            block = _around(image, row, column, sizes, reach, border)
            spectrum = fft.rfft2(block, shape, workers=workers)
            del block
            spectrum *= transform
            whole = fft.irfft2(spectrum, shape, overwrite_x=True, workers=workers)
            del spectrum
            rows, columns = (2 * reach[0], sizes[0]), (2 * reach[1], sizes[1])
            part = whole[rows[0] : sum(rows), columns[0] : sum(columns)]
            sink = result[row : row + sizes[0], column : column + sizes[1]]
            sink[:] = part[: sink.shape[0], : sink.shape[1]]
    return result


def convolved_on_device(image: Any, kernel: np.ndarray, border: Border) -> Any:
    """Convolution of a CuPy array; parameters and result as of `convolved`."""
    import cupy
    from cupyx.scipy import fft

    reach = [edge // 2 for edge in kernel.shape]
    sizes, start = image.shape, reach
    if border is Border.MIRRORED:
        image = cupy.pad(image, [(r, r) for r in reach], "symmetric")
        start = [2 * r for r in reach]
    # light that wraps around in the transform stays outside the pixels of the result
    shape = tuple(fft.next_fast_len(n + 2 * r, True) for n, r in zip(sizes, reach, strict=True))
    transform = fft.rfft2(cupy.asarray(kernel.astype(image.dtype)), shape)
    whole = fft.irfft2(fft.rfft2(image, shape) * transform, shape)
    rows, columns = (slice(first, first + n) for first, n in zip(start, sizes, strict=True))
    return whole[rows, columns]


def _around(
    image: np.ndarray, row: int, column: int, sizes: list[int], reach: list[int], border: Border
) -> np.ndarray:
    """Pixels of a block and around it, as far as the kernel reaches."""
    places = []
    for start, size, r, n in zip((row, column), sizes, reach, image.shape, strict=True):
        places.append(np.arange(start - r, min(start + size, n) + r))
    inside = [(place >= 0) & (place < n) for place, n in zip(places, image.shape, strict=True)]
    if border is Border.MIRRORED:
        for axis, n in enumerate(image.shape):
            turned = places[axis] % (2 * n)
            places[axis] = np.where(turned < n, turned, 2 * n - 1 - turned)
        return image[np.ix_(*places)]
    clipped = [np.clip(place, 0, n - 1) for place, n in zip(places, image.shape, strict=True)]
    block = image[np.ix_(*clipped)]
    block[~inside[0]] = 0.0
    block[:, ~inside[1]] = 0.0
    return block
