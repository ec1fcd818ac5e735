"""Choice of the backend that computes an image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import OpenBackend
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.models.checks import whole
from cupysim.native.cores import MOST_THREADS

BACKENDS = ("cuda", "host", "numpy")
"""Names of the backends, the fastest first."""

PRECISIONS = {"double": Precision.DOUBLE, "mixed": Precision.MIXED}
"""Precisions that users can choose, by name."""


@cache
def why_not(name: str) -> str | None:
    """The reason why a backend cannot be used on this machine; None if it can.

    Parameters
    ----------
    name : str
        One of `BACKENDS`.

    Returns
    -------
    str or None
        The reason, and what to install or change.
    """
    if name == "cuda":
        from cupysim.backends.compiled import cuda

        return cuda.problem()
    if name == "host":
        from cupysim.backends.compiled import host_library

        return host_library.problem()
    return None


def available_backends() -> list[str]:
    """Names of the backends that work on this machine, the fastest first."""
    return [name for name in BACKENDS if why_not(name) is None]


def open_backend(
    name: str = "auto",
    precision: str = "double",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
) -> OpenBackend:
    """Open a backend by its name.

    Parameters
    ----------
    name : str, optional
        One of `BACKENDS`, or "auto" for the first of them that works.
    precision : str, optional
        "double": the error of each pixel is at most 1e-6 of its value. "mixed": it is at most 1e-6
        of the image's maximum, and rendering is faster. The numpy backend always computes in double
        precision.
    threads : int, optional
        Threads of the host backend; by default, one for each core.
    devices : sequence of int, optional
        Numbers of the GPUs that share the work of the cuda backend; by default, all.

    Returns
    -------
    OpenBackend
        The backend. It keeps its devices, and the arrays on them, from image to image. It must
        not be used by several threads at once.

    Raises
    ------
    CupysimError
        If there is no such backend or precision, or the backend does not work here.
    """
    if precision not in PRECISIONS:
        raise CupysimError(f"precision {precision!r}: expected {' or '.join(PRECISIONS)}")
    name = backend_in_use(name, threads)
    if name == "cuda":
        from cupysim.backends.compiled.cuda import CudaBackend

        return CudaBackend(PRECISIONS[precision], devices)
    if name == "host":
        from cupysim.backends.compiled.host import HostBackend

        return HostBackend(PRECISIONS[precision], threads)
    from cupysim.backends.numpy.backend import NumpyBackend

    return NumpyBackend()


def backend_in_use(name: str, threads: int | None) -> str:
    """The name of a backend that works here.

    Parameters
    ----------
    name : str
        One of `BACKENDS`, or "auto" for the first of them that works.
    threads : int or None
        Number of threads that the user asks for.

    Returns
    -------
    str
        One of `BACKENDS`.

    Raises
    ------
    CupysimError
        If there is no such backend, it does not work here, or the number of threads is impossible.
    """
    if threads is not None and not 1 <= whole(threads, "threads") <= MOST_THREADS:
        raise CupysimError(f"threads: from 1 to {MOST_THREADS} are possible, got {threads}")
    if name == "auto":
        name = next(name for name in BACKENDS if why_not(name) is None)
        if name == "numpy":
            _say_how_to_be_faster()
    elif name not in BACKENDS:
        raise CupysimError(f"backend {name!r}: expected auto or one of {', '.join(BACKENDS)}")
    reason = why_not(name)
    if reason is not None:
        raise CupysimError(f"backend {name}: {reason}")
    return name


@cache
def _say_how_to_be_faster() -> None:
    """Warn, once in a process, that the NumPy backend is slow."""
    warnings.warn(
        CupysimWarning(
            f"rendering with NumPy, about 30 times slower than compiled code ({why_not('host')}); "
            "compiled code needs a C++ compiler, such as Debian's package g++, and a folder for "
            "the compiled library (CUPYSIM_CACHE_DIR)"
        ),
        stacklevel=3,
    )
