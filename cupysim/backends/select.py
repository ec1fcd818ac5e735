"""Which backend computes an image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

from cupysim.backends.compiled.host import MOST_THREADS
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.numpy.backend import NumpyBackend
from cupysim.backends.rendered import OpenBackend
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.models.checks import whole

BACKENDS = ("cuda", "host", "numpy")
"""The backends, the fastest first."""

PRECISIONS = {"double": Precision.DOUBLE, "mixed": Precision.MIXED}
"""Precisions which users choose from."""


@cache
def why_not(name: str) -> str | None:
    """Why a backend cannot be used on this machine; None if it can.

    Parameters
    ----------
    name : str
        One of `BACKENDS`.

    Returns
    -------
    str or None
        The reason and what would help.
    """
    if name == "cuda":
        from cupysim.backends.compiled import cuda

        return cuda.problem()
    if name == "host":
        from cupysim.backends.compiled import host

        return host.problem()
    return None


def available_backends() -> list[str]:
    """Names of the backends which work on this machine, the fastest first."""
    return [name for name in BACKENDS if why_not(name) is None]


def open_backend(
    name: str = "auto",
    precision: str = "double",
    threads: int | None = None,
    devices: Sequence[int] | None = None,
) -> OpenBackend:
    """A backend by its name.

    Parameters
    ----------
    name : str, optional
        One of `BACKENDS`, or "auto" for the first of them which works.
    precision : str, optional
        "double": within 1e-6 of each pixel. "mixed": within 1e-6 of the image's
        maximum, and faster; the numpy backend computes in double precision all the same.
    threads : int, optional
        Threads of the host backend; one on each core without it.
    devices : sequence of int, optional
        GPUs which share the work of the cuda backend; all without it.

    Returns
    -------
    OpenBackend
        It keeps its devices, and what lies on them, from image to image, and so serves one thread
        at a time.

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
    return NumpyBackend()


def backend_in_use(name: str, threads: int | None) -> str:
    """The name of a backend which works here.

    Parameters
    ----------
    name : str
        One of `BACKENDS`, or "auto" for the first of them which works.
    threads : int or None
        Threads which are asked for.

    Returns
    -------
    str
        One of `BACKENDS`.

    Raises
    ------
    CupysimError
        If there is no such backend, or it does not work here, or the threads are too many.
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
    """Once in a process: the readable backend is the slow one."""
    warnings.warn(
        CupysimWarning(
            f"rendering with NumPy, some 30 times slower than compiled code ({why_not('host')}); "
            "a C++ compiler, such as Debian's package g++, and a folder to keep what it makes "
            "(CUPYSIM_CACHE_DIR) change that"
        ),
        stacklevel=3,
    )
