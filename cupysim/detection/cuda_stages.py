"""All stages of a response, computed on a GPU through CuPy.

`stages.py` computes the same numbers with NumPy. CuPy is imported where it is used, so this module
can be imported without CuPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from cupysim.backends.compiled.cuda import explained
from cupysim.backends.compiled.kernel_source import joined_source
from cupysim.detection import detector_library, response_record
from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.point_spread import Border, PointSpread
from cupysim.detection.response import Response
from cupysim.detection.spiral_scan import SpiralScan
from cupysim.native import sources

TILE = (8, 16)
"""Rows and columns of the pixels of a block of threads, as in `cuda_src/detector.cu`."""

ARRIVE, KEEP, COUNT, SHARE, READ = (
    "cupysim_arrive", "cupysim_keep", "cupysim_count", "cupysim_share", "cupysim_read"
)  # fmt: skip
SPREAD = ("cupysim_spread_fast", "cupysim_spread_slow")
KERNELS = (ARRIVE, KEEP, *SPREAD, COUNT, SHARE, READ)
"""Names of the kernels: each is a pass over the pixels."""


@cache
def kernel_source() -> str:
    """The source of the kernels with all its headers."""
    return joined_source(lambda name: sources.folder().joinpath(name).read_text(), "detector.cu")


def compiler_options() -> tuple[str, ...]:
    """The compiler's options. Fused operations would change the last bits."""
    size = detector_library.response_type().itemsize
    return "-std=c++17", "-fmad=false", f"-DCUPYSIM_RESPONSE_SIZE={size}"


@cache
def _kernels(_: int) -> dict[str, Callable[..., None]]:
    """The kernels, loaded on the current device. The device number is a key of the cache."""
    import cupy

    module = cupy.RawModule(code=kernel_source(), options=compiler_options())
    return {name: module.get_function(name) for name in KERNELS}


def passes(struct: np.void) -> list[str]:
    """Names of the kernels that make the image of a response, in order.

    Parameters
    ----------
    struct : record of the struct ``Response``
        The response.
    """
    spread: list[str] = []
    if struct["radius"] > 0:
        is_kept = struct["border"] == response_record.BORDERS[Border.KEPT]
        spread = [*([KEEP] if is_kept else []), *SPREAD]
    counts: list[str] = []
    if struct["n_ways"] > 0:
        counts = [SHARE if struct["shares"] else COUNT]
    changes = struct["brightness"] != 1.0 or struct["absorption"] != 0.0
    middle = [*counts, *spread] if struct["spreads_counts"] else [*spread, *counts]
    return [*([ARRIVE] if changes else []), *middle, READ]


class _Gpu:
    """Launches on the current device; see `cupysim.detection.response_record.Machine`."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._kept: list[Any] = []

    def address(self, array: np.ndarray) -> int:
        self._kept.append(_uploaded(array))
        return int(self._kept[-1].data.ptr)

    def run(
        self,
        struct: np.ndarray,
        photons: Any,
        kind: str,
        *,
        overwrite: bool = False,  # noqa: ARG002  # a pass never writes to its source
    ) -> tuple[Any, int]:
        import cupy

        values = cupy.ascontiguousarray(photons, dtype=np.float32)
        image = cupy.empty(values.shape, dtype=np.dtype(kind))
        overloads = cupy.zeros(1, dtype=np.int64)
        struct["stride"] = struct["image_stride"] = values.shape[1]
        struct["expected"], struct["image"] = values.data.ptr, image.data.ptr
        struct["overloads"] = overloads.data.ptr
        if 0 not in values.shape:
            for name in passes(struct[0]):
                # the source may be the user's array, so a pass never writes to it
                sink = values if name == READ else cupy.empty(values.shape, dtype=np.float32)
                self._launch(name, struct, values, sink)
                values = sink
        return image, int(overloads.get()[0])

    def _launch(self, name: str, struct: np.ndarray, source: Any, sink: Any) -> None:
        rows, columns = (-(-n // edge) for n, edge in zip(source.shape, TILE, strict=True))
        kernel = _kernels(self._number)[name]
        kernel((columns, rows), (TILE[0] * TILE[1],), (struct, source, sink))

    def spread(self, spread: PointSpread, photons: Any, grid: PixelGrid) -> Any:
        return spread.apply(photons, grid)

    def scanned(self, scan: SpiralScan, photons: Any, grid: PixelGrid, exposure: Exposure) -> Any:
        # samples of the spiral are added one by one, on the host
        return _uploaded(scan.apply(photons.get(), grid, exposure, overwrite=True))


def _uploaded(array: np.ndarray) -> Any:
    """A copy of an array on the current device."""
    import cupy

    copy = cupy.empty(array.shape, dtype=array.dtype)
    copy.set(np.ascontiguousarray(array))
    return copy


@contextmanager
def _device_of(array: Any) -> Iterator[int]:
    """Make the device of a CuPy array the current one, and give its number.

    For other arrays, the current device stays.
    """
    import cupy

    is_there = isinstance(array, cupy.ndarray)
    number = int(array.device.id if is_there else cupy.cuda.runtime.getDevice())
    with cupy.cuda.Device(number):
        yield number


def raw_image(
    response: Response, expected: Any, grid: PixelGrid, exposure: Exposure
) -> tuple[Any, int]:
    """Detect the photons of a panel.

    Parameters
    ----------
    response, grid, exposure
        As for `cupysim.detection.stages.raw_image`.
    expected : array of float32, shape (n_slow, n_fast)
        Expected photons: a CuPy array, whose device computes, or a NumPy array.

    Returns
    -------
    raw : CuPy array of the response's type, shape (n_slow, n_fast)
        Raw numbers, before defects.
    overloads : int
        Number of overloads.

    Raises
    ------
    CupysimError
        If there is no GPU or no CuPy, or the device is out of memory.

    Notes
    -----
    The numbers are those of the other backends, unless a point spread is wide: another FFT rounds
    its light in another way.
    """
    with explained(), _device_of(expected) as number:
        given = expected
        if isinstance(expected, np.ndarray):
            given = _uploaded(np.asarray(expected, dtype=np.float32))
        return response_record.raw_image(response, given, grid, exposure, _Gpu(number))


def total(array: Any) -> float:
    """Sum of a CuPy array in float64."""
    with explained(), _device_of(array):
        return float(array.sum(dtype=np.float64))


def to_host(array: Any) -> np.ndarray:
    """A copy of a CuPy array in the computer's memory."""
    with explained(), _device_of(array):
        return np.asarray(array.get())


def replace(array: Any, values: np.ndarray) -> None:
    """Replace the values of a CuPy array by those of an array in the computer's memory."""
    with explained(), _device_of(array):
        array.set(np.ascontiguousarray(values))
