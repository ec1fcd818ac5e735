"""The compiled library of the host backend: its functions, and the threads that it may use."""

from __future__ import annotations

import ctypes
import os
import warnings
from functools import cache

from cupysim.backends.compiled.records import struct_type
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.native import recipe
from cupysim.native.library import NoLibraryError, load


def problem() -> str | None:
    """The reason why this backend cannot be used; None if it can."""
    try:
        library()
    except NoLibraryError as error:
        return str(error)
    return None


class _Team:
    """Tracks whether this process can use OpenMP's threads.

    The threads do not survive a fork. A forked process that uses them would wait forever.
    """

    def __init__(self) -> None:
        self._started = False
        self._lost = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._lost = self._started

    def size(self, wanted: int) -> int:
        """Number of threads to use."""
        if self._lost and wanted > 1:
            warnings.warn(
                CupysimWarning(
                    "one thread is used: this process was forked after another render; "
                    "multiprocessing's start method 'spawn' or 'forkserver' avoids it"
                ),
                stacklevel=4,
            )
            return 1
        self._started = self._started or wanted > 1
        return wanted


team = _Team()
"""The threads of this process."""


@cache
def library() -> ctypes.CDLL:
    """The library, with declared functions."""
    return prepare(load(recipe.RENDER))


def _check_variant(status: int, *_: object) -> int:
    """Raise an error if the library reports that it lacks a variant of the kernel."""
    if status != 0:
        raise CupysimError("backend host: the compiled library does not have this kernel")
    return status


def prepare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the functions of a library of kernels.

    Parameters
    ----------
    library : ctypes.CDLL
        A library of kernels.

    Returns
    -------
    ctypes.CDLL
        The same library.

    Raises
    ------
    NoLibraryError
        If a struct of the library differs in size from the header's.
    """
    for name in ("Launch", "Source", "Crystal"):
        size = getattr(library, f"cupysim_{name.lower()}_size")
        size.restype = ctypes.c_longlong
        if size() != struct_type(name).itemsize:
            raise NoLibraryError(
                "the compiled library belongs to another version of cupysim; install cupysim again"
            )
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.cupysim_render.argtypes = [pointer, *[number] * 6]
    library.cupysim_render_culled.argtypes = [pointer, *[number] * 5]
    library.cupysim_estimate_tiles.argtypes = [pointer, *[number] * 4]
    library.cupysim_gradient.argtypes = [pointer, *[number] * 4]
    library.cupysim_find_first_ray.argtypes = [pointer, number]
    library.cupysim_find_interpolation_stop.argtypes = [pointer, number, number]
    for name in (
        "render",
        "render_culled",
        "gradient",
        "find_first_ray",
        "find_interpolation_stop",
    ):
        function = getattr(library, f"cupysim_{name}")
        function.restype, function.errcheck = ctypes.c_int, _check_variant
    return library
