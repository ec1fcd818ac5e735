"""The Fourier transform of a kernel, for some columns at a time."""

from __future__ import annotations

from typing import Any

import numpy as np


class KernelTransform:
    """The Fourier transform of a kernel whose middle is at the first pixel of a padded image.

    The transform along rows is kept, and that along columns is computed for some columns at a time.
    If the kernel is its own mirror image along both axes, its transform is real, and a quarter of
    the kernel is enough. It then needs an eighth of the memory of other kernels of its size.

    Parameters
    ----------
    kernel : ndarray, shape (odd, odd)
        Kernel.
    shape : tuple of int
        Numbers of rows and columns of the padded image. They are even, and not smaller than those
        of the kernel.
    dtype : numpy dtype
        Type of the image: float32 or float64.
    """

    def __init__(self, kernel: np.ndarray, shape: tuple[int, int], dtype: Any) -> None:
        from scipy import fft

        self._n_slow = shape[0]
        self._reach = kernel.shape[0] // 2
        self._is_even = bool(
            np.array_equal(kernel, kernel[::-1]) and np.array_equal(kernel, kernel[:, ::-1])
        )
        middle = kernel.shape[1] // 2
        if self._is_even:
            quarter = kernel[self._reach :, middle:].astype(dtype)
            self._rows = fft.dct(quarter, 1, shape[1] // 2 + 1)
        else:
            centred = np.zeros((kernel.shape[0], shape[1]), dtype=dtype)
            centred[:, : middle + 1] = kernel[:, middle:]
            centred[:, shape[1] - middle :] = kernel[:, :middle]
            self._rows = fft.rfft(centred)

    def multiply(self, spectrum: np.ndarray, first: int, workers: int) -> None:
        """Multiply some columns of the transform of an image by those of the kernel, in place.

        Parameters
        ----------
        spectrum : ndarray of complex, shape (rows of the padded image, n)
            Columns.
        first : int
            Number of the first column.
        workers : int
            Number of threads.
        """
        from scipy import fft

        rows, reach = self._rows[:, first : first + spectrum.shape[1]], self._reach
        if self._is_even:
            half = self._n_slow // 2 + 1
            factors = fft.dct(rows, 1, half, axis=0, workers=workers)
            spectrum[:half] *= factors
            spectrum[half:] *= factors[half - 2 : 0 : -1]
            return
        centred = np.zeros(spectrum.shape, dtype=spectrum.dtype)
        centred[: reach + 1] = rows[reach:]
        centred[self._n_slow - reach :] = rows[:reach]
        spectrum *= fft.fft(centred, axis=0, overwrite_x=True, workers=workers)
