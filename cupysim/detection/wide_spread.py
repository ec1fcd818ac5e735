"""Point spread with a wide kernel, by FFT in blocks of pixels."""

from __future__ import annotations

import numpy as np

from cupysim.detection.point_spread import Border

BLOCK = 1024
"""Smallest edge of a block (pixels). Larger kernels have larger blocks."""


def spread(image: np.ndarray, kernel: np.ndarray, border: Border) -> np.ndarray:
    """Spread the light of an image.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast)
        Photons.
    kernel : ndarray, shape (odd, odd)
        Fractions of light.
    border : Border
        What becomes of light that leaves the image.

    Returns
    -------
    ndarray of float32, shape (n_slow, n_fast)
        Photons; the rounding of a sum never makes them negative.
    """
    if border is Border.KEPT:
        inside = convolved(np.ones(image.shape, dtype=np.float32), kernel, Border.LOST)
        image = np.divide(image, inside, out=np.zeros_like(image), where=inside > 0.0)
    return np.maximum(convolved(image, kernel, border), 0.0)


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

    reach = [edge // 2 for edge in kernel.shape]
    sizes = [min(max(BLOCK, 4 * r), n) for r, n in zip(reach, image.shape, strict=True)]
    shape = [fft.next_fast_len(size + 2 * r, True) for size, r in zip(sizes, reach, strict=True)]
    transform = fft.rfft2(kernel.astype(image.dtype), shape)
    result = np.empty_like(image)
    for row in range(0, image.shape[0], sizes[0]):
        for column in range(0, image.shape[1], sizes[1]):
            block = _around(image, row, column, sizes, reach, border)
            whole = fft.irfft2(fft.rfft2(block, shape, overwrite_x=True) * transform, shape)
            rows, columns = (2 * reach[0], sizes[0]), (2 * reach[1], sizes[1])
            part = whole[rows[0] : sum(rows), columns[0] : sum(columns)]
            sink = result[row : row + sizes[0], column : column + sizes[1]]
            sink[:] = part[: sink.shape[0], : sink.shape[1]]
    return result


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
