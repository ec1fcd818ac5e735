"""What surrounds a render, in compiled code: text with numbers, noise, sums, integers.

Each function has a counterpart in NumPy or Python beside its use, for machines
without a compiler; `available` tells which to use. Results are the same to the last bit.
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
"""What photon noise keeps from one pixel to the next."""


@cache
def available() -> bool:
    """Whether the compiled code can be had."""
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
    """Lines of h k l F.

    Parameters
    ----------
    text : bytes
        The text.
    largest_index : int
        Largest Miller index.

    Returns
    -------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    values : ndarray of float64, shape (n,)
        Amplitudes.
        None where anything is unusual.
    """
    lines = text.count(b"\n") + 1
    hkl, values = np.empty((lines, 3), dtype=np.int64), np.empty(lines)
    count = _library().cupysim_read_reflections(
        text, len(text), largest_index, hkl.ctypes.data, values.ctypes.data
    )
    return None if count < 0 else (hkl[:count], values[:count])


def draw_photons(state: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Photon counts, one pixel after the other.

    Parameters
    ----------
    state : ndarray of NOISE_STATE, shape (1,)
        State of the noise, which moves on.
    expected : ndarray of float32
        Expected photons.

    Returns
    -------
    ndarray of float64, same shape
        Counts.
    """
    means = np.ascontiguousarray(expected, dtype=np.float32)
    counts = np.empty(means.shape)
    _library().cupysim_draw_photons(
        state.ctypes.data, means.ctypes.data, means.size, counts.ctypes.data
    )
    return counts


def add_up(pixels: np.ndarray) -> tuple[float, tuple[int, int], float, float]:
    """Largest value, its row and column, sum and sum of squares, in serial order.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n_rows, n_columns)
        Rows whose pixels follow each other in memory.

    Returns
    -------
    maximum : float
        0 if nothing is larger.
    where : tuple of 2 int
        Row and column.
    total, squares : float
        Sums; squares are taken in single precision.
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
        Rows whose pixels follow each other in memory.
    mean : float
        The mean.

    Returns
    -------
    float
        The sum.
    """
    return float(_library().cupysim_add_deviations(*_rows(pixels), mean))


def scale(pixels: np.ndarray, scale: float, offset: float, result: np.ndarray) -> None:
    """Scaled 16-bit integers, rounded half up.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n_rows, n_columns)
        Photons.
    scale, offset : float
        value = photons scale + offset.
    result : ndarray of uint16, same shape
        Where the integers go.
    """
    address, _, _, stride = _rows(result)
    _library().cupysim_scale(*_rows(pixels), scale, offset, address, stride)


def _rows(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Address, rows, columns and stride of an image or a region of one."""
    assert pixels.size == 0 or pixels.strides[1] == pixels.itemsize
    return pixels.ctypes.data, *pixels.shape, pixels.strides[0] // pixels.itemsize
