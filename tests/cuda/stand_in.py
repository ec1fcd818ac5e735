"""A stand-in for CuPy, which lets the host library carry out the launches of the cuda backend.

It has what `cupysim.backends.compiled.cuda` uses; number, memory and float64 units of its devices
are given.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from scipy import fft

from cupysim.backends.compiled.host import Derivatives
from cupysim.backends.compiled.host_library import prepare
from cupysim.backends.compiled.kernel_source import POLICIES
from cupysim.backends.compiled.records import struct_type
from cupysim.backends.compiled.variants import Factors, Precision, shape_number
from cupysim.models.spot_shape import Shape
from cupysim.native import recipe
from cupysim.native.library import load
from tests.cuda import simt


class OutOfMemoryError(MemoryError):
    """CuPy's error of that name."""


class CompileException(Exception):  # noqa: N818
    """CuPy's error of that name."""


class CUDARuntimeError(RuntimeError):
    """CuPy's error of that name."""


class DeviceArray:
    """An array of a device, which NumPy cannot read by mistake."""

    __array_ufunc__ = None

    def __init__(
        self,
        array: np.ndarray,
        free: Callable[[], None],
        copied: Callable[[int], None],
        number: int = 0,
    ) -> None:
        self._array = array
        self._free = free
        self._copied = copied
        self._owner: DeviceArray | None = None
        self.device = SimpleNamespace(id=number)
        self.data = SimpleNamespace(ptr=array.ctypes.data)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self._array.shape, "typestr": self._array.dtype.str, "version": 3,
                "data": (self._array.ctypes.data, False)}  # fmt: skip

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def __len__(self) -> int:
        return len(self._array)

    def __del__(self) -> None:
        if self._owner is None:
            self._free()

    def __getitem__(self, place: Any) -> DeviceArray:
        return self._of(self._array[_bare(place)])

    def __setitem__(self, place: Any, value: DeviceArray | float) -> None:
        self._array[_bare(place)] = _bare(value)

    def __getattr__(self, name: str) -> Any:
        """What an array has besides, on the same device."""
        if name not in ("T", "all", "any", "dtype", "ndim", "reshape", "size", "swapaxes"):
            raise AttributeError(name)
        found = getattr(self._array, name)
        if callable(found):
            return lambda *words, **options: self._of(np.asarray(found(*words, **options)))
        return self._of(found) if isinstance(found, np.ndarray) else found

    def __bool__(self) -> bool:
        self._copied(self.nbytes)
        return bool(self._array)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def _of(self, array: np.ndarray) -> DeviceArray:
        """A view, or a small result, on the same device."""
        made = DeviceArray(array, self._free, self._copied, self.device.id)
        made._owner = self
        return made

    def get(self, out: np.ndarray | None = None) -> np.ndarray:
        self._copied(self.nbytes)
        if out is None:
            return self._array.copy()
        assert out.shape == self._array.shape
        assert out.dtype == self._array.dtype
        assert out.flags.c_contiguous
        out[...] = self._array
        return out

    def set(self, values: np.ndarray) -> None:
        assert values.shape == self._array.shape
        assert values.dtype == self._array.dtype
        self._array[...] = values

    def sum(self, axis: int | None = None, dtype: type | None = None) -> DeviceArray:
        return self._of(np.asarray(self._array.sum(axis=axis, dtype=dtype)))

    def __int__(self) -> int:
        self._copied(self.nbytes)
        return int(self._array)

    def __float__(self) -> float:
        self._copied(self.nbytes)
        return float(self._array)


def _bare(value: Any) -> Any:
    """What NumPy computes with: arrays of devices and numbers, no arrays of the host."""
    if isinstance(value, tuple):
        return tuple(_bare(one) for one in value)
    if isinstance(value, DeviceArray):
        return value._array
    assert not isinstance(value, np.ndarray), "CuPy takes no arrays of NumPy"
    return value


def _of_numpy(function: Callable[..., Any], *words: Any, **options: Any) -> Any:
    """A function of NumPy, of arrays of a device."""
    (device, *_) = [word for word in words if isinstance(word, DeviceArray)]
    found = function(*(_bare(word) for word in words), **options)
    if isinstance(found, tuple):
        return tuple(device._of(np.asarray(each)) for each in found)
    return device._of(np.asarray(found))


def _operator(name: str) -> Callable[..., DeviceArray]:
    function = getattr(np.ndarray, name)
    return lambda *words: _of_numpy(function, *words)


for _name in (
    "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "matmul", "pow", "neg",
    "gt", "lt",
):  # fmt: skip
    setattr(DeviceArray, f"__{_name}__", _operator(f"__{_name}__"))


class Machine:
    """Devices, as CuPy shows them.

    Parameters
    ----------
    devices : int
        How many.
    memory : int
        Bytes of each.
    ratio : int
        Float32 operations in the time of one in float64.
    compiles : bool
        Whether the compiler works.
    """

    def __init__(
        self, devices: int = 1, memory: int = 2**30, ratio: int = 2, compiles: bool = True
    ) -> None:
        self.devices = devices
        self.memory = memory
        self.ratio = ratio
        self.compiles = compiles
        self.used = [0] * devices
        self.largest_use = 0
        self.launches: list[tuple[int, tuple[str, ...]]] = []
        """The device and the options of each launch."""
        self.copied_back = 0
        """Bytes which were copied from devices."""
        self.pinned = 0
        """Arrays which stayed in the computer's memory."""
        self._current = threading.local()
        self._library = prepare(load(recipe.RENDER))

    @property
    def current(self) -> int:
        return getattr(self._current, "number", 0)

    @contextmanager
    def device(self, number: int) -> Iterator[SimpleNamespace]:
        before = self.current
        self._current.number = number
        try:
            yield SimpleNamespace(synchronize=lambda: None)
        finally:
            self._current.number = before

    def allocate(self, array: np.ndarray) -> DeviceArray:
        number, size = self.current, array.nbytes
        if self.used[number] + size > self.memory:
            raise OutOfMemoryError(f"Out of memory allocating {size} bytes")
        self.used[number] += size
        self.largest_use = max(self.largest_use, self.used[number])

        def free() -> None:
            self.used[number] -= size

        def copied(count: int) -> None:
            self.copied_back += count

        return DeviceArray(array, free, copied, number)

    def launch(self, options: tuple[str, ...], launch: np.ndarray, n_blocks: int) -> None:
        assert launch.ndim == 1
        self.launches.append((self.current, options))
        at = launch.ctypes.data
        (block,) = (word for word in options if word.startswith("-DCUPYSIM_BLOCK="))
        function, *words = re.findall(r"\w+", block.split("=")[1])
        if function == "find_first_ray":
            self._library.cupysim_find_first_ray(at, 1)
        elif function == "find_interpolation_stop":
            self._library.cupysim_find_interpolation_stop(at, shape_number(Shape[words[0]]), 1)
        elif function in ("differentiate_block", "collect_block"):
            shape, factors = shape_number(Shape[words[0]]), Factors[words[1]]
            kind = {"differentiate_block": Derivatives.PIXELS, "collect_block": Derivatives.FACTORS}
            wanted = Derivatives.DIFFUSE if len(words) > 2 else kind[function]
            self._library.cupysim_gradient(at, shape, int(factors), int(wanted), 1)
        elif function in ("render_tile", "estimate_tile", "differentiate_tile"):
            simt.run(options, n_blocks, launch)
        else:
            assert function == "render_block"
            precision = next(p for p, name in POLICIES.items() if name == words[0])
            if precision is Precision.PAIRS:
                # which the library of this machine does not have
                precision = Precision.MIXED
            shape, factors = shape_number(Shape[words[1]]), Factors[words[2]]
            sums = 2 if len(words) > 4 else int(words[3] == "true")
            self._library.cupysim_render(
                at, len(launch), int(precision), shape, int(factors), sums, 1
            )
            for one in launch:
                self._complete_solid_angles(one)

    def launch_pass(
        self,
        name: str,
        options: tuple[str, ...],
        grid: tuple[int, int],
        block: tuple[int],
        words: tuple[np.ndarray, DeviceArray, DeviceArray],
    ) -> None:
        """A pass of a response, by the source for GPUs."""
        struct, source, sink = words
        assert struct.shape == (1,)
        for array in (source, sink):
            assert array.dtype == np.float32
            assert array.device.id == self.current
        self.launches.append((self.current, (name,)))
        assert block == (128,)
        simt.run_pass(name, grid, struct, source.data.ptr, sink.data.ptr)

    def _complete_solid_angles(self, launch: np.ndarray) -> None:
        """The processor sums them for blocks of pixels, a GPU gives each pixel's."""
        n_pixels, address = int(launch["n_pixels"]), int(launch["omega_sums"])
        sums = np.ctypeslib.as_array((ctypes.c_double * n_pixels).from_address(address))
        sums[-(-n_pixels // self._library.cupysim_lanes()) :] = 0.0

    def modules(self) -> dict[str, ModuleType]:
        """What to put in `sys.modules`."""

        def module(name: str, **content: Any) -> ModuleType:
            made = ModuleType(name)
            vars(made).update(content)
            return made

        def compiled(code: str, options: tuple[str, ...]) -> SimpleNamespace:
            if not self.compiles:
                raise CompileException("cupysim.cu(7): error: something is wrong\n1 error")

            def get_function(name: str) -> Callable[..., None]:
                assert name in code
                if not name.startswith("cupysim_run"):
                    return partial(self.launch_pass, name, options)

                def kernel(grid: tuple[int, ...], block: tuple[int], words: tuple[Any]) -> None:
                    (launch,) = words
                    if name == "cupysim_run_batch":
                        assert "-DCUPYSIM_BATCH" in options
                        launch = launch._array.view(struct_type("Launch"))
                        assert grid[1] == len(launch)
                    else:
                        assert launch.shape == (1,)
                        assert len(grid) == 1
                    n_pixels = int(launch["n_pixels"][0])
                    assert 0 <= grid[0] * block[0] - n_pixels < block[0]
                    self.launch(options, launch, grid[0])

                return kernel

            return SimpleNamespace(get_function=get_function)

        def zeros(shape: int | tuple[int, ...], dtype: type = np.float64) -> DeviceArray:
            return self.allocate(np.zeros(shape, dtype=dtype))

        def empty(shape: int | tuple[int, ...], dtype: type = np.float64) -> DeviceArray:
            rubbish = np.frombuffer(b"\xff" * np.empty(shape, dtype=dtype).nbytes, dtype=dtype)
            return self.allocate(rubbish.reshape(shape).copy())

        def pinned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
            self.pinned += 1
            return np.zeros(shape, dtype=dtype)

        def contiguous(array: DeviceArray, dtype: type) -> DeviceArray:
            if array.dtype == dtype and array._array.flags.c_contiguous:
                return array
            return self.allocate(np.ascontiguousarray(array._array, dtype=dtype))

        runtime = SimpleNamespace(
            getDevice=lambda: self.current,
            getDeviceCount=lambda: self.devices,
            deviceGetAttribute=lambda _, number: self.ratio,
            memGetInfo=lambda: (self.memory - self.used[self.current], self.memory),
            getDeviceProperties=lambda number: {"name": f"Stand-in {number}".encode()},
            runtimeGetVersion=lambda: 13000,
            driverGetVersion=lambda: 13010,
            CUDARuntimeError=CUDARuntimeError,
        )
        cuda = SimpleNamespace(
            Device=self.device,
            runtime=runtime,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            compiler=SimpleNamespace(CompileException=CompileException),
            driver=SimpleNamespace(CUDADriverError=CUDARuntimeError),
        )
        cupy = module(
            "cupy",
            __version__="14.0.0",
            cuda=cuda,
            ndarray=DeviceArray,
            empty=empty,
            zeros=zeros,
            float32=np.float32,
            RawModule=compiled,
            asarray=lambda values: self.allocate(np.array(values)),
            ascontiguousarray=contiguous,
            pad=partial(_of_numpy, np.pad),
            **{
                name: partial(_of_numpy, getattr(np, name))
                for name in (
                    "abs",
                    "corrcoef",
                    "isfinite",
                    "log",
                    "maximum",
                    "ones_like",
                    "ptp",
                    "sign",
                    "sqrt",
                    "where",
                )
            },
            get_default_memory_pool=lambda: SimpleNamespace(free_bytes=lambda: 0),
        )
        cupyx = module("cupyx", zeros_pinned=pinned, empty_pinned=pinned)
        transforms = module(
            "cupyx.scipy.fft",
            next_fast_len=fft.next_fast_len,
            rfft2=partial(_of_numpy, fft.rfft2),
            irfft2=partial(_of_numpy, fft.irfft2),
        )
        scipy = module("cupyx.scipy", fft=transforms)
        return {"cupy": cupy, "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.fft": transforms}
