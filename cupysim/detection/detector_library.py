"""The compiled library of responses: photon noise and whole responses, on a CPU."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from cupysim.backends.compiled.host_library import team
from cupysim.backends.compiled.records import struct_type
from cupysim.maths.arrays import serial_sum
from cupysim.native import recipe
from cupysim.native.cores import usable_cores
from cupysim.native.library import NoLibraryError, load

RESPONSE_HEADER = "response.cuh"
"""Header with the struct that describes a response."""


def problem() -> str | None:
    """The reason why the library cannot be used; None if it can."""
    try:
        library()
    except NoLibraryError as error:
        return str(error)
    return None


@cache
def library() -> ctypes.CDLL:
    """The library, with declared functions.

    Raises
    ------
    NoLibraryError
        If there is no library, or its struct and that of the header have different sizes.
    """
    loaded = load(recipe.DETECTOR)
    pointer, number = ctypes.c_void_p, ctypes.c_int
    size, word = ctypes.c_longlong, ctypes.c_ulonglong
    loaded.cupysim_response_size.restype = size
    if loaded.cupysim_response_size() != response_type().itemsize:
        raise NoLibraryError(
            "the compiled library belongs to another version of cupysim; install cupysim again"
        )
    loaded.cupysim_count_photons.argtypes = [
        pointer, size, size, size, word, word, word, word, ctypes.c_double, pointer, size, pointer,
        number,
    ]  # fmt: skip
    loaded.cupysim_count_photons.restype = None
    loaded.cupysim_detect.argtypes, loaded.cupysim_detect.restype = [pointer, number], None
    loaded.cupysim_calibrate.argtypes = [
        pointer, pointer, number, ctypes.c_uint, pointer, pointer, number,
    ]  # fmt: skip
    loaded.cupysim_calibrate.restype = None
    return loaded


def response_type() -> np.dtype:
    """The struct of a response as a NumPy type."""
    return struct_type("Response", RESPONSE_HEADER)


def count_photons(
    expected: np.ndarray,
    key: tuple[int, int],
    first: int,
    n_fast: int,
    largest: int,
    threads: int | None,
    counts: np.ndarray,
) -> float:
    """Draw counted photons; see `cupysim.detection.photon_noise.PhotonNoise.draw`.

    `key` has the seed and the number of the shot. `counts` (int32) receives the result; its rows
    are contiguous.
    """
    means = np.asarray(expected, dtype=np.float32)
    if means.strides[1] != means.itemsize or means.strides[0] % means.itemsize:
        means = np.ascontiguousarray(means)
    sums = np.empty(len(means))
    library().cupysim_count_photons(
        means.ctypes.data, means.strides[0] // means.itemsize, *means.shape, *key, first, n_fast,
        float(largest), counts.ctypes.data, counts.strides[0] // counts.itemsize, sums.ctypes.data,
        team.size(threads or usable_cores()),
    )  # fmt: skip
    return serial_sum(0.0, sums)


def calibrate(
    record: np.ndarray, raw: np.ndarray, mask: int, threads: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Calibrate raw numbers to photons.

    Parameters
    ----------
    record : ndarray of the struct, shape (1,)
        The response and its pixels.
    raw : ndarray of 2 or 4 bytes each, shape (n_slow, n_fast)
        Raw numbers, contiguous.
    mask : int
        Bits of the converter.
    threads : int, optional
        Number of threads; by default one on each core.

    Returns
    -------
    photons : ndarray of float32, shape (n_slow, n_fast)
        Photons; not-a-number where no gain has the bits.
    gains : ndarray of uint8, shape (n_slow, n_fast)
        Number of the gain of each pixel; 255 where no gain has the bits.
    """
    photons, gains = np.empty(raw.shape, dtype=np.float32), np.empty(raw.shape, dtype=np.uint8)
    library().cupysim_calibrate(
        record.ctypes.data, raw.ctypes.data, raw.itemsize, mask, photons.ctypes.data,
        gains.ctypes.data, team.size(threads or usable_cores()),
    )  # fmt: skip
    return photons, gains


def detect(record: np.ndarray, threads: int | None) -> None:
    """Compute the image of a response.

    Parameters
    ----------
    record : ndarray of the struct, shape (1,)
        The response and its arrays.
    threads : int, optional
        Number of threads; by default one on each core. It does not change the image.
    """
    library().cupysim_detect(record.ctypes.data, team.size(threads or usable_cores()))
