"""The CUDA backend: the kernel on NVIDIA GPUs, through CuPy.

CuPy is imported where it is used; nothing here needs it to be installed.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from cupysim.backends.compiled import bands
from cupysim.backends.compiled.cuda_engine import CudaEngine
from cupysim.backends.compiled.launch import Precision
from cupysim.backends.rendered import Observer, Rendered
from cupysim.errors import CupysimError, DeviceError, OutOfMemory
from cupysim.plan.render_plan import RenderPlan

STEPS_WORTH_A_DEVICE = 1e9
"""Images with fewer steps are not shared among devices, unless they are named."""

INSTALL = "pip install 'cupy-cuda13x[ctk]' (or cuda12x, by the driver's CUDA version)"


@cache
def problem() -> str | None:
    """Why this backend cannot be used; None if it can."""
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {INSTALL}"
    if not _driver_is_there():
        return "no NVIDIA driver is installed (libcuda.so.1 is missing)"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        # CuPy's errors have no common parent, and a broken installation raises anything
        return f"no device answers: {_first_line(error)}"
    if not count:
        return "there is no device"
    try:
        # kept on disk, so that only the first run takes time for it
        cupy.RawKernel('extern "C" __global__ void cupysim_probe() {}', "cupysim_probe").compile()
    except Exception as error:
        return f"CuPy cannot compile ({_first_line(error)}): {INSTALL} brings what it needs"
    return None


def _driver_is_there() -> bool:
    # far faster than to import CuPy only to learn it
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def devices(wanted: Sequence[int] | None) -> list[int]:
    """Which devices to use.

    Parameters
    ----------
    wanted : sequence of int or None
        Their numbers; None for all.

    Returns
    -------
    list of int
        Numbers.

    Raises
    ------
    CupysimError
        If one does not exist.
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
    """Of CuPy and CUDA."""
    import cupy

    runtime = cupy.cuda.runtime
    return {
        "cupy": cupy.__version__,
        "cuda_runtime": str(runtime.runtimeGetVersion()),
        "cuda_driver": str(runtime.driverGetVersion()),
    }


def render(
    plan: RenderPlan,
    observer: Observer,
    precision: Precision,
    wanted: Sequence[int] | None,
    kept: dict[int, CudaEngine] | None = None,
) -> Rendered:
    """Compute images on GPUs.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    observer : Observer
        Hears how far the render is.
    precision : Precision
        In which numbers: mixed precision becomes that which suits the device.
    wanted : sequence of int or None
        Numbers of the devices; None for all.
    kept : dict of int to CudaEngine, optional
        What earlier images left and this one may use, and leaves.

    Returns
    -------
    Rendered
        The images and what is reported of them.

    Raises
    ------
    CupysimError
        If there is no device, the kernel does not compile, or memory runs out.
    """
    with explained():
        used = engines(plan, precision, wanted, kept)
        return bands.render(plan, observer, used, used[0].empty_image(plan.shape))


def engines(
    plan: RenderPlan,
    precision: Precision,
    wanted: Sequence[int] | None,
    kept: dict[int, CudaEngine] | None = None,
) -> list[CudaEngine]:
    """Engines of the wanted devices, or of as many as an image is worth.

    Parameters
    ----------
    plan : RenderPlan
        The image.
    precision : Precision
        In which numbers: mixed precision becomes that which suits the device.
    wanted : sequence of int or None
        Numbers of the devices; None for all.
    kept : dict of int to CudaEngine, optional
        Engines of earlier images, which are used again; new ones are added.

    Returns
    -------
    list of CudaEngine
        At least one.

    Raises
    ------
    CupysimError
        If a device does not exist.
    """
    numbers = devices(wanted)
    if wanted is None:
        steps = plan.n_region * plan.n_steps * plan.panels.n_layers
        numbers = numbers[: max(1, int(steps / STEPS_WORTH_A_DEVICE))]
    kept = {} if kept is None else kept
    for number in numbers:
        if number not in kept:
            kept[number] = CudaEngine(number, precision)
    return [kept[number] for number in numbers]


@contextmanager
def explained() -> Iterator[None]:
    """Turn CuPy's errors into ours, its absence included."""
    reason = problem()
    if reason is not None:
        raise DeviceError(f"backend cuda: {reason}")
    import cupy

    try:
        yield
    except cupy.cuda.memory.OutOfMemoryError as error:
        raise OutOfMemory(
            f"backend cuda: the device is out of memory ({_first_line(error)}); other programs may "
            "use it, see nvidia-smi; -backend host needs none"
        ) from error
    except cupy.cuda.compiler.CompileException as error:
        raise DeviceError(
            f"backend cuda: the kernel does not compile: {_first_error(error)}"
        ) from error
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(f"backend cuda: {_first_line(error)}") from error
    except (cupy.cuda.driver.CUDADriverError, RuntimeError) as error:
        # CuPy tells of missing headers and libraries by plain errors
        raise DeviceError(f"backend cuda: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _first_error(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if "error" in line]
    return lines[0].strip() if lines else _first_line(error)
