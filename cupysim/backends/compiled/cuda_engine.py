"""One GPU as an engine: kernels, memory and launches, through CuPy.

CuPy is imported where it is used; nothing here needs it to be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from cupysim.backends.compiled.device_tables import DeviceTables
from cupysim.backends.compiled.engine import STATE_SIZE
from cupysim.backends.compiled.kernel_source import (
    THREADS,
    KernelProgram,
    first_ray_program,
    gradient_program,
    joined_source,
    render_program,
    stop_program,
)
from cupysim.backends.compiled.records import addresses
from cupysim.backends.compiled.variants import Precision, Variant
from cupysim.native import sources

STEPS_PER_SECOND = 1e10
"""Of a device, as a first guess."""

SMALLEST_BAND = 2**16
"""Pixels which keep a device busy."""

LARGEST_BAND = 2**23
"""Pixels whose results fit any device, if it has memory for them."""

BYTES_PER_PIXEL = 4 + 8 + 8 * STATE_SIZE
"""Of results and state on the device."""

LARGEST_SHARE = 0.25
"""Of the free memory, for a band and for orientations."""

SLOW_FLOAT64 = 8
"""Devices with so few float64 units compute mixed precision in pairs of floats."""

PRECISION_RATIO = 87
"""The runtime's number of the device attribute: float32 operations in the time of one float64."""


@cache
def kernel_source() -> str:
    """The kernel's source with all its headers."""
    return joined_source(lambda name: sources.folder().joinpath(name).read_text())


@cache
def _kernel(_: int, program: KernelProgram) -> Callable[..., None]:
    """A compiled kernel, loaded on the device which is current: its number is the cache's key."""
    import cupy

    module = cupy.RawModule(code=kernel_source(), options=program.options)
    return module.get_function(program.entry)


def on_device(image: Any) -> bool:
    """Whether an image lies on a device already, where results then go directly."""
    return hasattr(image, "__cuda_array_interface__")


class CudaEngine:
    """Carries out launches on one GPU; see `cupysim.backends.compiled.engine.Engine`.

    Parameters
    ----------
    number : int
        Which device.
    precision : Precision
        In which numbers.
    """

    backend = "cuda"
    rate = STEPS_PER_SECOND
    smallest_batch = 2

    def __init__(self, number: int, precision: Precision) -> None:
        import cupy

        self.number = number
        self._release()
        with self._device():
            runtime = cupy.cuda.runtime
            ratio = runtime.deviceGetAttribute(PRECISION_RATIO, number)
            if precision is Precision.MIXED and ratio >= SLOW_FLOAT64:
                precision = Precision.PAIRS
            free = self._free_bytes()
            self.name = f"{runtime.getDeviceProperties(number)['name'].decode()} ({number})"
        self.precision = precision
        self.matrices_at_once = max(1, min(2**22, int(free * LARGEST_SHARE) // (9 * 8)))
        self._kept: dict[str, Any] = {}
        self.tables = DeviceTables()

    def _release(self) -> None:
        """Let the buffers of a band, of a batch or of slopes go."""
        self._image: Any = None
        self._omega: Any = None
        self._state: Any = None
        self._sink: Any = None
        self._results: dict[str, Any] = {}

    def _device(self) -> Any:
        """The device, as a context in which it is current."""
        import cupy

        return cupy.cuda.Device(self.number)

    @property
    def largest_band(self) -> int:
        """Pixels whose results the device has room for, beside what it holds now."""
        with self._device():
            most = int(self._free_bytes() * LARGEST_SHARE) // BYTES_PER_PIXEL
        return max(THREADS, min(LARGEST_BAND, most))

    @property
    def largest_batch(self) -> int:
        """Pixels of all images of a batch, whose results must have room."""
        return self.largest_band

    @property
    def smallest_band(self) -> int:
        """Pixels which keep the device busy."""
        return min(SMALLEST_BAND, self.largest_band)

    def _free_bytes(self) -> int:
        """Free memory of the current device, CuPy's reserve included."""
        import cupy

        reserve = cupy.get_default_memory_pool().free_bytes()
        return int(cupy.cuda.runtime.memGetInfo()[0] + reserve)

    def empty_image(self, shape: tuple[int, ...]) -> np.ndarray:
        """Zeros in memory to which the device copies directly, if there is enough of it."""
        import cupy
        import cupyx

        with self._device():
            try:
                return cupyx.zeros_pinned(shape, dtype=np.float32)
            except cupy.cuda.runtime.CUDARuntimeError:
                return np.zeros(shape, dtype=np.float32)

    def replace(self, name: str, array: np.ndarray) -> int:
        """Copy an array in the place of an earlier one of this name; its address.

        One for which the device has no room stays in the computer's memory, where the device
        reads the parts it needs.
        """
        import cupy
        import cupyx

        self._kept.pop(name, None)
        with self._device():
            try:
                kept = cupy.empty(array.shape, dtype=array.dtype)
                # not asarray, whose detour over pinned memory takes twice the array's size
                kept.set(array)
                address = kept.data.ptr
            except cupy.cuda.memory.OutOfMemoryError:
                kept = cupyx.empty_pinned(array.shape, dtype=array.dtype)
                kept[...] = array
                address = kept.ctypes.data
        self._kept[name] = kept
        return int(address)

    def open_band(
        self, launch: np.ndarray, image: Any, numbers: tuple[int, int], in_parts: bool
    ) -> None:
        """Make room for a band's results on the device, unless the image lies there."""
        import cupy

        n_pixels = int(launch["n_pixels"])
        first, last = numbers
        self._release()
        with self._device():
            self._omega = cupy.empty(n_pixels)
            if on_device(image):
                launch["image"], launch["image_first"] = image.data.ptr, 0
            else:
                self._image = cupy.zeros(last - first + 1, dtype=np.float32)
                launch["image"], launch["image_first"] = self._image.data.ptr, first
            launch["omega_sums"] = self._omega.data.ptr
            if in_parts:
                self._state = cupy.empty(STATE_SIZE * n_pixels)
                launch["state"] = self._state.data.ptr
        self._sink = None if on_device(image) else image.reshape(-1)[first : last + 1]

    def render(self, launch: np.ndarray, variant: Variant) -> None:
        """Carry out a launch, and wait for it: launches are short and errors appear in place."""
        self._run(render_program(variant), launch)

    def close_band(self) -> Any:
        """Copy photons to the image; the sum of solid angles, on the device if the image is."""
        with self._device():
            total = self._omega.sum()
            if self._sink is not None:
                self._image.get(out=self._sink)
                total = float(total)
        self._release()
        return total

    def open_batch(self, launches: np.ndarray, images: Any, numbers: tuple[int, int]) -> None:
        """Make room for the results of several images on the device, unless they lie there."""
        import cupy

        first, last = numbers
        count, n_pixels = len(launches), int(launches["n_pixels"][0])
        self._release()
        with self._device():
            self._omega = cupy.empty((count, n_pixels))
            launches["omega_sums"] = addresses(self._omega.data.ptr, count, 8 * n_pixels)
            if on_device(images):
                size = images.nbytes // count
                launches["image"] = addresses(images.data.ptr, count, size)
                launches["image_first"] = 0
                self._sink = None
                return
            self._image = cupy.zeros((count, last - first + 1), dtype=np.float32)
            launches["image"] = addresses(self._image.data.ptr, count, 4 * (last - first + 1))
            launches["image_first"] = first
        self._sink = images.reshape(count, -1)[:, first : last + 1]

    def render_batch(self, launches: np.ndarray, variant: Variant) -> None:
        """Carry out launches of the same numbers of pixels together."""
        self._run(render_program(variant, is_batch=True), launches)

    def close_batch(self) -> Any:
        """Copy photons to the images; the sums of solid angles, on the device if they are."""
        with self._device():
            if self._sink is None:
                sums = self._omega.sum(axis=1)
            else:
                self._sink[...] = self._image.get()
                sums = self._omega.get().sum(axis=1)
        self._release()
        return sums

    def open_slopes(
        self, launch: np.ndarray, slopes: Any, numbers: tuple[int, int], state: int
    ) -> None:
        """Make room for a band's slopes on the device, unless their array lies there."""
        import cupy

        first, last = numbers
        self._release()
        with self._device():
            if on_device(slopes):
                target, first = slopes, 0
            else:
                target = self._image = cupy.zeros((len(slopes), last - first + 1))
                self._sink = slopes[:, first : last + 1]
            launch["derivatives"] = target.data.ptr
            launch["derivatives_stride"] = target.shape[1]
            launch["image_first"] = first
            if state:
                self._state = cupy.empty(state * int(launch["n_pixels"]))
                launch["state"] = self._state.data.ptr

    def close_slopes(self) -> None:
        """Copy slopes to their array, unless it lies on the device."""
        if self._sink is not None:
            with self._device():
                self._sink[...] = self._image.get()
        self._release()

    def open_results(self, launch: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Copy the arrays to the device, where results go."""
        import cupy

        self._release()
        with self._device():
            for name, array in arrays.items():
                copy = cupy.empty(array.shape, dtype=array.dtype)
                copy.set(array)
                self._results[name] = copy
                launch[name] = copy.data.ptr

    def differentiate(self, launch: np.ndarray, variant: Variant, entries: bool) -> None:
        """Carry out a launch for slopes with parameters, or for entries of structure factors."""
        self._run(gradient_program(variant, entries), launch)

    def close_results(self) -> dict[str, np.ndarray]:
        """The arrays, copied back."""
        with self._device():
            found = {name: copy.get() for name, copy in self._results.items()}
        self._release()
        return found

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """For each pixel of a launch the first ray within the resolution limit, or -1."""
        import cupy

        with self._device():
            found = cupy.empty(int(launch["n_pixels"]), dtype=np.int64)
            launch["found"] = found.data.ptr
            self._run(first_ray_program(), launch)
            return found.get()

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the first step which leaves the table, or -1, and its h, k, l."""
        import cupy

        n_pixels = int(launch["n_pixels"])
        with self._device():
            found, indices = cupy.empty(n_pixels, dtype=np.int64), cupy.empty((n_pixels, 3))
            launch["found"], launch["found_indices"] = found.data.ptr, indices.data.ptr
            self._run(stop_program(variant.shape), launch)
            return found.get(), indices.get()

    def _run(self, program: KernelProgram, launch: np.ndarray) -> None:
        """Launch a kernel; of several launches, there is a row of blocks for each."""
        import cupy

        several = launch.ndim > 0
        blocks = -(-int(launch["n_pixels"].flat[0]) // THREADS)
        with self._device() as device:
            kernel = _kernel(self.number, program)
            if several:
                told = cupy.empty(launch.nbytes, dtype=np.uint8)
                told.set(launch.view(np.uint8))
                kernel((blocks, len(launch)), (THREADS,), (told,))
            else:
                kernel((blocks,), (THREADS,), (launch.reshape(1),))
            device.synchronize()
