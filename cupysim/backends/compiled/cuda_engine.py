"""One GPU as an engine: kernels, memory and launches, through CuPy.

CuPy is imported where it is used, so this module can be imported without CuPy.
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
    tile_gradient_program,
    tile_program,
)
from cupysim.backends.compiled.records import addresses, copied
from cupysim.backends.compiled.variants import Precision, Variant
from cupysim.native import sources
from cupysim.plan.culling import TILE_EDGE

STEPS_PER_SECOND = 1e10
"""First guess of a device's speed, in steps per second."""

SMALLEST_BAND = 2**16
"""Number of pixels that keeps a device busy."""

LARGEST_BAND = 2**23
"""Largest number of pixels of a band. A device with little free memory gets fewer."""

BYTES_PER_PIXEL = 4 + 8 + 8 * STATE_SIZE
"""Bytes that the results and the state of a pixel need on the device."""

LARGEST_SHARE = 0.25
"""Largest part of the free memory for a band, and for orientations."""

SLOW_FLOAT64 = 8
"""Smallest ratio of float32 to float64 speed at which mixed precision becomes pairs of floats."""

PRECISION_RATIO = 87
"""Number of the device attribute "ratio of float32 to float64 speed" in the CUDA runtime."""


@cache
def kernel_source() -> str:
    """The kernel's source with all its headers."""
    return joined_source(lambda name: sources.folder().joinpath(name).read_text())


@cache
def _kernel(_: int, program: KernelProgram) -> Callable[..., None]:
    """A compiled kernel, loaded on the current device. The device number is a key of the cache."""
    import cupy

    module = cupy.RawModule(code=kernel_source(), options=program.options)
    return module.get_function(program.entry)


def on_device(image: Any) -> bool:
    """Whether an array lies on a device. Kernels write to such an array directly."""
    return hasattr(image, "__cuda_array_interface__")


class CudaEngine:
    """Carries out launches on one GPU; see `cupysim.backends.compiled.engine.Engine`.

    Parameters
    ----------
    number : int
        Number of the device.
    precision : Precision
        Precision of images.
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
        """Release the buffers of a band, a batch or derivatives."""
        self._image: Any = None
        self._omega: Any = None
        self._state: Any = None
        self._sink: Any = None
        self._results: dict[str, Any] = {}

    def _device(self) -> Any:
        import cupy

        return cupy.cuda.Device(self.number)

    @property
    def largest_band(self) -> int:
        """Number of pixels for which the device has memory now."""
        with self._device():
            most = int(self._free_bytes() * LARGEST_SHARE) // BYTES_PER_PIXEL
        return max(THREADS, min(LARGEST_BAND, most))

    @property
    def largest_batch(self) -> int:
        """Largest number of pixels of all images of a batch, limited by memory."""
        return self.largest_band

    @property
    def smallest_band(self) -> int:
        """Number of pixels that keeps the device busy."""
        return min(SMALLEST_BAND, self.largest_band)

    def _free_bytes(self) -> int:
        """Free memory of the current device (bytes), including CuPy's reserve."""
        import cupy

        reserve = cupy.get_default_memory_pool().free_bytes()
        return int(cupy.cuda.runtime.memGetInfo()[0] + reserve)

    def empty_image(self, shape: tuple[int, ...]) -> np.ndarray:
        """Zeros in pinned memory, which a device copies to directly, or in ordinary memory."""
        import cupy
        import cupyx

        with self._device():
            try:
                return cupyx.zeros_pinned(shape, dtype=np.float32)
            except cupy.cuda.runtime.CUDARuntimeError:
                return np.zeros(shape, dtype=np.float32)

    def replace(self, name: str, array: np.ndarray) -> int:
        """Copy an array to the device, replacing the earlier one of this name. Returns its address.

        If the device has too little memory, the array stays in the computer's memory. The device
        then reads the parts that it needs from there.
        """
        import cupy
        import cupyx

        self._kept.pop(name, None)
        with self._device():
            try:
                kept = cupy.empty(array.shape, dtype=array.dtype)
                # not asarray: its detour over pinned memory needs twice the array's size
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
        """Allocate memory for a band's results on the device, unless the image lies there."""
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
        """Carry out a launch and wait for its end, so that its errors appear here."""
        self._run(render_program(variant), launch)

    def close_band(self) -> Any:
        """Copy photons to the image. Returns the sum of solid angles (sr).

        The sum stays on the device if the image lies there.
        """
        with self._device():
            total = self._omega.sum()
            if self._sink is not None:
                self._image.get(out=self._sink)
                total = float(total)
        self._release()
        return total

    def open_batch(self, launches: np.ndarray, images: Any, numbers: tuple[int, int]) -> None:
        """Allocate memory for the results of several images, unless they lie on the device."""
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
        """Carry out several launches together. All must have the same number of pixels."""
        self._run(render_program(variant, is_batch=True), launches)

    def close_batch(self) -> Any:
        """Copy photons to the images. Returns the sums of solid angles (sr).

        The sums stay on the device if the images lie there.
        """
        with self._device():
            if self._sink is None:
                sums = self._omega.sum(axis=1)
            else:
                self._sink[...] = self._image.get()
                sums = self._omega.get().sum(axis=1)
        self._release()
        return sums

    def open_tiles(self, launch: np.ndarray, image: Any) -> None:
        """Allocate memory for a panel's pixels on the device, unless the image lies there."""
        import cupy

        self._release()
        launch["image_first"] = 0
        if on_device(image):
            launch["image"] = image.data.ptr
            return
        with self._device():
            self._image = cupy.zeros(image.shape, dtype=np.float32)
            launch["image"] = self._image.data.ptr
        self._sink = image

    def render_tiles(self, launch: np.ndarray, variant: Variant) -> tuple[float, int]:
        """Render tiles within a tolerance; see `cupysim.backends.compiled.engine.TileEngine`."""
        import cupy

        n_pixels = int(launch["n_pixels"])
        with self._device():
            omega, computed = cupy.empty(n_pixels), cupy.empty(n_pixels, dtype=np.int64)
            launch["omega_sums"], launch["computed_terms"] = omega.data.ptr, computed.data.ptr
            self._run(tile_program(variant), launch)
            return float(omega.sum()), int(computed.sum())

    def close_tiles(self, tiles: np.ndarray) -> None:
        """Copy the rows of pixels that tiles cover to the image, unless it lies on the device."""
        if self._sink is not None and len(tiles):
            across = -(-self._sink.shape[1] // TILE_EDGE)
            first, last = int(tiles.min()) // across, int(tiles.max()) // across
            rows = slice(first * TILE_EDGE, (last + 1) * TILE_EDGE)
            with self._device():
                self._image[rows].get(out=self._sink[rows])
        self._release()

    def estimate_tiles(self, launch: np.ndarray, variant: Variant) -> np.ndarray:
        """Estimate the brightest pixels; see `cupysim.backends.compiled.engine.TileEngine`."""
        import cupy

        # one thread for each tile, where other programs have one for each pixel
        launch = copied(launch)
        launch["n_pixels"] = int(launch["n_pixels"]) // TILE_EDGE**2
        with self._device():
            estimates = cupy.empty(int(launch["n_pixels"]))
            launch["omega_sums"] = estimates.data.ptr
            self._run(tile_program(variant, estimates=True), launch)
            return estimates.get()

    def open_slopes(
        self, launch: np.ndarray, slopes: Any, numbers: tuple[int, int], state: int
    ) -> None:
        """Allocate memory for a band's derivatives, unless their array lies on the device."""
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
        """Copy derivatives to their array, unless it lies on the device."""
        if self._sink is not None:
            with self._device():
                self._sink[...] = self._image.get()
        self._release()

    def open_results(self, launch: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Copy the arrays to the device. The kernel writes its results to the copies."""
        import cupy

        self._release()
        with self._device():
            for name, array in arrays.items():
                copy = cupy.empty(array.shape, dtype=array.dtype)
                copy.set(array)
                self._results[name] = copy
                launch[name] = copy.data.ptr

    def differentiate(self, launch: np.ndarray, variant: Variant, entries: bool) -> None:
        """Carry out a launch for derivatives with respect to parameters or structure factors."""
        self._run(gradient_program(variant, entries), launch)

    def differentiate_tiles(self, launch: np.ndarray, variant: Variant) -> int:
        """Differentiate tiles; see `cupysim.backends.compiled.engine.TileEngine`."""
        import cupy

        with self._device():
            computed = cupy.empty(int(launch["n_pixels"]), dtype=np.int64)
            launch["computed_terms"] = computed.data.ptr
            self._run(tile_gradient_program(variant), launch)
            return int(computed.sum())

    def close_results(self) -> dict[str, np.ndarray]:
        """Copy the results back. Returns them by the names of their fields."""
        with self._device():
            found = {name: copy.get() for name, copy in self._results.items()}
        self._release()
        return found

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """Number of the first ray within the resolution limit for each pixel of a launch, or -1."""
        import cupy

        with self._device():
            found = cupy.empty(int(launch["n_pixels"]), dtype=np.int64)
            launch["found"] = found.data.ptr
            self._run(first_ray_program(), launch)
            return found.get()

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number of the first step that leaves the table for each pixel, or -1, and its h, k, l."""
        import cupy

        n_pixels = int(launch["n_pixels"])
        with self._device():
            found, indices = cupy.empty(n_pixels, dtype=np.int64), cupy.empty((n_pixels, 3))
            launch["found"], launch["found_indices"] = found.data.ptr, indices.data.ptr
            self._run(stop_program(variant.shape), launch)
            return found.get(), indices.get()

    def _run(self, program: KernelProgram, launch: np.ndarray) -> None:
        """Launch a kernel. Several launches run as rows of blocks, one row for each launch."""
        import cupy

        blocks = -(-int(launch["n_pixels"].flat[0]) // program.threads)
        with self._device() as device:
            kernel = _kernel(self.number, program)
            if launch.ndim > 0:
                told = cupy.empty(launch.nbytes, dtype=np.uint8)
                told.set(launch.view(np.uint8))
                kernel((blocks, len(launch)), (program.threads,), (told,))
            else:
                kernel((blocks,), (program.threads,), (launch.reshape(1),))
            device.synchronize()
