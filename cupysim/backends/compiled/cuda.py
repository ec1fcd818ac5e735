"""The cuda backend: the kernel on NVIDIA GPUs, through CuPy.

CuPy is imported where it is used, so this module can be imported without CuPy.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from cupysim.backends.compiled import bands
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer, Rendered
from cupysim.errors import CupysimError, DeviceError, OutOfMemory
from cupysim.plan.render_plan import RenderPlan

if TYPE_CHECKING:
    from cupysim.backends.compiled.cuda_engine import CudaEngine
    from cupysim.backends.derivatives import Gradients
    from cupysim.plan.gradient_plan import GradientPlan

STEPS_WORTH_A_DEVICE = 1e9
"""Steps for which one more device is worth it. Images with fewer steps are not shared among
devices, unless the user names the devices."""

INSTALL = "pip install 'cupy-cuda13x[ctk]' (or cuda12x, by the driver's CUDA version)"


@cache
def problem() -> str | None:
    """The reason why this backend cannot be used; None if it can."""
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {INSTALL}"
    if not _driver_is_there():
        return "no NVIDIA driver is installed (libcuda.so.1 is missing)"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        # CuPy's errors have no common parent, and a broken installation raises anything
        return f"no GPU responds: {_first_line(error)}"
    if not count:
        return "no GPU was found"
    try:
        # CuPy keeps the result on disk, so only the first run takes time for it
        cupy.RawKernel('extern "C" __global__ void cupysim_probe() {}', "cupysim_probe").compile()
    except Exception as error:
        return f"CuPy cannot compile ({_first_line(error)}): {INSTALL} brings what it needs"
    return None


def _driver_is_there() -> bool:
    # this is far faster than importing CuPy
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def devices(wanted: Sequence[int] | None) -> list[int]:
    """The numbers of the devices to use.

    Parameters
    ----------
    wanted : sequence of int or None
        Numbers that the user names; None for all devices.

    Returns
    -------
    list of int
        Each number once.

    Raises
    ------
    CupysimError
        If a device does not exist.
    """
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    for number in wanted or ():
        if not 0 <= number < count:
            raise CupysimError(
                f"device {number} does not exist; there are {count}, numbered from 0"
            )
    return list(dict.fromkeys(wanted)) if wanted else list(range(count))


def versions() -> dict[str, str]:
    """Versions of CuPy, the CUDA runtime and the driver."""
    import cupy

    runtime = cupy.cuda.runtime
    return {
        "cupy": cupy.__version__,
        "cuda_runtime": str(runtime.runtimeGetVersion()),
        "cuda_driver": str(runtime.driverGetVersion()),
    }


class CudaBackend:
    """The cuda backend. It keeps its devices, and the arrays on them, from image to image.

    Parameters
    ----------
    precision : Precision
        Precision of images. On GPUs with few float64 units, mixed precision becomes pairs of
        floats.
    wanted : sequence of int or None
        Numbers of the devices to use; None for all.
    """

    name = "cuda"

    def __init__(self, precision: Precision, wanted: Sequence[int] | None) -> None:
        self._precision = precision
        self._wanted = wanted
        self._kept: dict[tuple[int, Precision], CudaEngine] = {}

    def render(self, plan: RenderPlan, observer: Observer, image: Any = None) -> Rendered:
        """Compute images; see `cupysim.backends.rendered.OpenBackend`.

        If the image lies on a device, the first device renders it alone.
        """
        from cupysim.backends.compiled.cuda_engine import on_device

        with explained():
            used = self.engines(plan, self._precision)
            if image is None:
                image = used[0].empty_image(plan.shape)
            elif on_device(image):
                used = used[:1]
            if plan.tolerance is None:
                return bands.render(plan, observer, used, image)
            from cupysim.backends.compiled import culled

            return culled.render(plan, observer, used[:1], image)

    def differentiate(
        self, plan: GradientPlan, observer: Observer, device_arrays: bool = False
    ) -> Gradients:
        """Compute an image's derivatives; see `cupysim.backends.rendered.OpenBackend`."""
        from cupysim.backends.compiled import culled_differentiation, differentiation

        exact = plan.plan.tolerance is None
        module = differentiation if exact else culled_differentiation
        if device_arrays and plan.wants_factors:
            raise CupysimError(
                "device_arrays: derivatives with respect to structure factors are collected on "
                "the host"
            )
        with explained():
            engines = self.engines(plan.plan, Precision.DOUBLE)
            if not device_arrays:
                return module.differentiate(plan, observer, engines)
            return module.differentiate(plan, observer, engines[:1], self.new_device_array)

    def new_device_array(self, shape: tuple[int, ...], dtype: type, /) -> Any:
        """An array of zeros on the first device."""
        with explained():
            import cupy

            with cupy.cuda.Device(devices(self._wanted)[0]):
                return cupy.zeros(shape, dtype=dtype)

    @property
    def n_devices(self) -> int:
        """Number of GPUs that may share an image."""
        with explained():
            return len(devices(self._wanted))

    def engines(self, plan: RenderPlan, precision: Precision) -> list[CudaEngine]:
        """Engines of the devices that render an image.

        Parameters
        ----------
        plan : RenderPlan
            Plan of the image.
        precision : Precision
            Precision of the computation.

        Returns
        -------
        list of CudaEngine
            One engine for each device that the user names. If the user names none, one for each
            `STEPS_WORTH_A_DEVICE` steps of the image; at least one.

        Raises
        ------
        CupysimError
            If a device does not exist.
        """
        from cupysim.backends.compiled.cuda_engine import CudaEngine

        numbers = devices(self._wanted)
        if self._wanted is None:
            steps = plan.n_region * plan.n_steps * plan.panels.n_layers
            numbers = numbers[: max(1, int(steps / STEPS_WORTH_A_DEVICE))]
        for number in numbers:
            if (number, precision) not in self._kept:
                self._kept[number, precision] = CudaEngine(number, precision)
        return [self._kept[number, precision] for number in numbers]

    def close(self) -> None:
        """Release the devices and the arrays on them."""
        self._kept.clear()


@contextmanager
def explained() -> Iterator[None]:
    """Turn CuPy's errors, and the error that CuPy is missing, into errors of cupysim."""
    reason = problem()
    if reason is not None:
        raise DeviceError(f"backend cuda: {reason}")
    import cupy

    try:
        yield
    except cupy.cuda.memory.OutOfMemoryError as error:
        raise OutOfMemory(
            f"backend cuda: the device is out of memory ({_first_line(error)}); other programs may "
            "use it, see nvidia-smi; -backend host uses no GPU"
        ) from error
    except cupy.cuda.compiler.CompileException as error:
        raise DeviceError(
            f"backend cuda: the kernel does not compile: {_first_error(error)}"
        ) from error
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(f"backend cuda: {_first_line(error)}") from error
    except (cupy.cuda.driver.CUDADriverError, RuntimeError) as error:
        # CuPy raises plain errors if headers or libraries are missing
        raise DeviceError(f"backend cuda: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _first_error(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if "error" in line]
    return lines[0].strip() if lines else _first_line(error)
