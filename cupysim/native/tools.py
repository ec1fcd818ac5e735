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


SHARED_NOISE = np.dtype(
    [
        ("seeds", np.int64, 2),
        ("lasts", np.int64, 2),
        ("tables", np.int64, (2, 32)),
        ("has_spare", np.int64, 3),
        ("spares", np.float64, 3),
        ("table_of", np.int64, 2),
        ("spare_of", np.int64, 3),
    ]
)
"""State of two random streams that may share shuffle tables and spare deviates."""


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
    whole = ctypes.c_int
    signatures = {
        "read_reflections": ([ctypes.c_char_p, size, size, pointer, pointer], size),
        "draw_photons": ([pointer, pointer, size, pointer], None),
        "count_photons": ([pointer, pointer, size, number, number, pointer], number),
        "draw_pixels": (
            [pointer, pointer, size, number, number, number, whole, pointer],
            number,
        ),
        "draw_gaussians": ([pointer, size, pointer], None),
        "point_spread": ([whole, number, size, whole, pointer], None),
        "find_reach": ([whole, number, size, size, whole, pointer, size, pointer], number),
        "scatter_light": (
            [pointer, pointer, size, size, whole, number, size, number, whole, whole, pointer],
            whole,
        ),
        "digitise": (
            [pointer, pointer, size, *[number] * 4, whole, whole, whole, pointer, pointer],
            number,
        ),
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


def count_photons(
    state: np.ndarray, expected: np.ndarray, total: float, largest: int
) -> tuple[np.ndarray, float]:
    """Draw counted photons, one pixel after the other, as integers.

    Parameters
    ----------
    state : ndarray of NOISE_STATE, shape (1,)
        State of the photon noise. The function updates it.
    expected : ndarray of float32
        Expected photons.
    total : float
        Sum of the counted photons of earlier pixels.
    largest : int
        Counted photons above this number become this number.

    Returns
    -------
    counts : ndarray of int32, same shape
        Counted photons, from 0 to `largest`; NaN becomes the smallest integer.
    total : float
        Sum including these pixels, in serial order and before the limits.
    """
    means = np.ascontiguousarray(expected, dtype=np.float32)
    counts = np.empty(means.shape, dtype=np.int32)
    total = _library().cupysim_count_photons(
        state.ctypes.data, means.ctypes.data, means.size, largest, total, counts.ctypes.data
    )
    return counts, total


def draw_pixels(
    state: np.ndarray,
    expected: np.ndarray,
    factor: float,
    flicker: float,
    calibration: float,
    is_first: bool,
) -> tuple[np.ndarray, float]:
    """Draw counted photons with flicker and calibration errors, one pixel after the other.

    Parameters
    ----------
    state : ndarray of SHARED_NOISE, shape (1,)
        State of the random streams. The function updates it.
    expected : ndarray of float32
        Expected photons.
    factor : float
        Factor of all expected photons.
    flicker, calibration : float
        Relative standard deviations of errors of each pixel.
    is_first : bool
        Whether no count was drawn before.

    Returns
    -------
    counts : ndarray of float32, same shape
        Counted photons.
    total : float
        Their sum.
    """
    means = np.ascontiguousarray(expected, dtype=np.float32)
    counts = np.empty(means.shape, dtype=np.float32)
    total = _library().cupysim_draw_pixels(
        state.ctypes.data, means.ctypes.data, means.size, factor, flicker, calibration,
        int(is_first), counts.ctypes.data,
    )  # fmt: skip
    return counts, float(total)


def draw_gaussians(state: np.ndarray, count: int) -> np.ndarray:
    """Draw normal deviates of the first stream of a state: ndarray of float32, shape (count,).

    The function updates the state, an ndarray of SHARED_NOISE.
    """
    drawn = np.empty(count, dtype=np.float32)
    _library().cupysim_draw_gaussians(state.ctypes.data, count, drawn.ctypes.data)
    return drawn


def point_spread(is_fibre: bool, width: float, radius: int, threads: int) -> np.ndarray:
    """Compute fractions of light; see `cupysim.maths.point_spread.kernel`.

    The width is the full width at half maximum of a Gaussian, or the radius g of a fibre.
    """
    fractions = np.empty((2 * radius + 1, 2 * radius + 1))
    _library().cupysim_point_spread(int(is_fibre), width, radius, threads, fractions.ctypes.data)
    return fractions


def find_reach(
    is_fibre: bool, width: float, given: int, largest: int, has_weak: bool, light: np.ndarray
) -> tuple[np.ndarray, float]:
    """Find how far pixels scatter light; see `cupysim.detection.scattered_light.find_reach`.

    Returns
    -------
    reach : ndarray of int32, shape of `light`
        Radii (pixels).
    lost : float
        Light that goes farther.
    """
    reach = np.empty(light.shape, dtype=np.int32)
    lost = _library().cupysim_find_reach(
        int(is_fibre), width, given, largest, int(has_weak), light.ctypes.data, light.size,
        reach.ctypes.data,
    )  # fmt: skip
    return reach, float(lost)


def scatter_light(
    light: np.ndarray,
    reach: np.ndarray,
    spread: tuple[bool, float, int],
    everywhere: float,
    wraps: bool,
    threads: int,
) -> tuple[np.ndarray, bool]:
    """Scatter light; see `cupysim.detection.scattered_light.scatter`.

    `light` (float32) and `reach` (int32) are contiguous, with the shape (n_slow, n_fast). `spread`
    has the first three arguments of `point_spread`.

    Returns
    -------
    result : ndarray of float32, shape (n_slow, n_fast)
        Light after scattering.
    has_wrapped : bool
        Whether light came to the first column from the right edge.
    """
    result = np.empty(light.shape, dtype=np.float32)
    has_wrapped = _library().cupysim_scatter_light(
        light.ctypes.data, reach.ctypes.data, *light.shape, *spread, everywhere, int(wraps),
        threads, result.ctypes.data,
    )  # fmt: skip
    return result, bool(has_wrapped)


def digitise(
    photons: np.ndarray,
    deviates: np.ndarray | None,
    scale: tuple[float, float, float, float],
    is_rounded: bool,
    is_clipped: bool,
    integers: np.ndarray,
) -> tuple[float, int, int]:
    """Convert photons to integers; see `cupysim.detection.digitising.digitised`.

    `scale` has the gain, the offset, the readout noise and the largest value. `integers` (uint16 or
    uint32) receives the result.

    Returns
    -------
    total : float
        Sum of the photons, in serial order.
    above, below : int
        Numbers of pixels above the largest value, and of negative integers.
    """
    counts = np.zeros(2, dtype=np.int64)
    total = _library().cupysim_digitise(
        photons.ctypes.data, None if deviates is None else deviates.ctypes.data, photons.size,
        *scale, int(is_rounded), int(is_clipped), integers.itemsize, integers.ctypes.data,
        counts.ctypes.data,
    )  # fmt: skip
    return float(total), int(counts[0]), int(counts[1])


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
