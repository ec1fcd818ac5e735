"""Compiled code for work before and after a render: reading numbers, noise, sums, integers.

Each function has a counterpart in NumPy or Python, next to the place that uses it, for machines
without a compiler. `available` decides which one is used. Results are equal to the last bit.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from cupysim.native import recipe
from cupysim.native.library import NoLibraryError, load

NOISE_STATE = np.dtype(
    [
        ("seed", np.int64),
        ("last", np.int64),
        ("table", np.int64, 32),
        ("has_spare", np.int64),
        ("spare", np.float64),
    ]
)
"""State of the photon noise between pixels: the random number generator and a spare deviate."""


@cache
def available() -> bool:
    """Whether the compiled library can be loaded."""
    try:
        _library()
    except NoLibraryError:
        return False
    return True


@cache
def _library() -> ctypes.CDLL:
    library = load(recipe.TOOLS)
    size, pointer, number = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double
    signatures = {
        "read_reflections": ([ctypes.c_char_p, size, size, pointer, pointer], size),
        "draw_photons": ([pointer, pointer, size, pointer], None),
        "add_up": ([pointer, size, size, size, pointer, pointer, pointer], None),
        "add_deviations": ([pointer, size, size, size, number], number),
        "scale": ([pointer, size, size, size, number, number, pointer, size], None),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, f"cupysim_{name}")
        function.argtypes, function.restype = arguments, result
    return library


def read_reflections(text: bytes, largest_index: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Read reflections from lines of h k l F.

    Parameters
    ----------
    text : bytes
        Text of the lines.
    largest_index : int
        Largest Miller index that is accepted.

    Returns
    -------
    tuple of 2 ndarray, or None
        Miller indices (int64, shape (n, 3)) and amplitudes (electrons, shape (n,)). None if a line
        is unusual; Python code then reads the text.
    """
    lines = text.count(b"\n") + 1
    hkl, values = np.empty((lines, 3), dtype=np.int64), np.empty(lines)
    count = _library().cupysim_read_reflections(
        text, len(text), largest_index, hkl.ctypes.data, values.ctypes.data
    )
    return None if count < 0 else (hkl[:count], values[:count])


def draw_photons(state: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Draw counted photons, one pixel after the other.

    Parameters
    ----------
    state : ndarray of NOISE_STATE, shape (1,)
        State of the photon noise. The function updates it.
    expected : ndarray of float32
        Expected photons.

    Returns
    -------
    ndarray of float64, same shape
        Counted photons.
    """
    means = np.ascontiguousarray(expected, dtype=np.float32)
    counts = np.empty(means.shape)
    _library().cupysim_draw_photons(
        state.ctypes.data, means.ctypes.data, means.size, counts.ctypes.data
    )
    return counts


def add_up(pixels: np.ndarray) -> tuple[float, tuple[int, int], float, float]:
    """Largest value of an image, its place, the sum and the sum of squares, in serial order.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n_rows, n_columns)
        Pixels. Those of a row must be contiguous in memory.

    Returns
    -------
    maximum : float
        Largest value; 0 if no value is above zero.
    where : tuple of 2 int
        Row and column of the largest value.
    total, squares : float
        Sum of the values and of their squares. Squares are computed in single precision.
    """
    sums, largest, place = np.zeros(2), np.zeros(1, dtype=np.float32), np.zeros(1, dtype=np.int64)
    _library().cupysim_add_up(
        *_rows(pixels), sums.ctypes.data, largest.ctypes.data, place.ctypes.data
    )
    row, column = divmod(int(place[0]), max(pixels.shape[1], 1))
    return float(largest[0]), (row, column), float(sums[0]), float(sums[1])


def add_deviations(pixels: np.ndarray, mean: float) -> float:
    """Sum of squared differences from the mean, in serial order.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n_rows, n_columns)
        Pixels. Those of a row must be contiguous in memory.
    mean : float
        Mean of the pixels.

    Returns
    -------
    float
        Sum of the squared differences.
    """
    return float(_library().cupysim_add_deviations(*_rows(pixels), mean))


def scale(pixels: np.ndarray, scale: float, offset: float, result: np.ndarray) -> None:
    """Convert photons to scaled 16-bit integers, rounded half up.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n_rows, n_columns)
        Photons.
    scale, offset : float
        Scale (per photon) and offset: value = photons * scale + offset.
    result : ndarray of uint16, same shape
        Array to write the integers to.
    """
    address, _, _, stride = _rows(result)
    _library().cupysim_scale(*_rows(pixels), scale, offset, address, stride)


def _rows(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Address, number of rows and columns, and row stride (pixels) of an image or a region."""
    assert pixels.size == 0 or pixels.strides[1] == pixels.itemsize
    return pixels.ctypes.data, *pixels.shape, pixels.strides[0] // pixels.itemsize
