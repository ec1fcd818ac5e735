"""The compiled library of predicted spots."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from cupysim.backends.compiled.records import struct_type
from cupysim.errors import CupysimError
from cupysim.native import recipe
from cupysim.native.library import NoLibraryError, load

SHELL, SPOTS = "ewald_shell.cuh", "spot_sums.cuh"
"""Headers with the structs of the library."""


@cache
def available() -> bool:
    """Whether the compiled library can be loaded."""
    try:
        _library()
    except NoLibraryError:
        return False
    return True


def shell_search() -> np.dtype:
    """The struct of a search of reflections as a NumPy type."""
    return struct_type("ShellSearch", SHELL)


def spot_step() -> np.dtype:
    """The struct of a step as a NumPy type."""
    return struct_type("SpotStep", SPOTS)


def spot_search() -> np.dtype:
    """The struct of sums over steps as a NumPy type."""
    return struct_type("SpotSearch", SPOTS)


def find_reflections(search: np.ndarray) -> int:
    """Find reflections near the Ewald sphere; see ``ShellSearch`` for the argument.

    Returns
    -------
    int
        Their number. If it exceeds the capacity, the others are not stored.
    """
    return int(_library().cupysim_find_reflections(search.ctypes.data))


def add_spots(search: np.ndarray) -> None:
    """Add photons, places and excitations of reflections; see ``SpotSearch`` for the argument.

    Raises
    ------
    CupysimError
        If there are no sections of the shape (`has_section`).
    """
    if _library().cupysim_add_spots(search.ctypes.data):
        raise CupysimError(f"the compiled library has no sections of shape {int(search['shape'])}")


def has_section(number: int) -> bool:
    """Whether the library has sections of the shape with this number."""
    return bool(_library().cupysim_has_section(number))


@cache
def _library() -> ctypes.CDLL:
    library = load(recipe.SPOTS)
    for name, kind in (
        ("shell_search", shell_search()), ("spot_step", spot_step()), ("spot_search", spot_search())
    ):  # fmt: skip
        size = getattr(library, f"cupysim_{name}_size")
        size.restype = ctypes.c_longlong
        if size() != kind.itemsize:
            raise NoLibraryError(
                "the compiled library belongs to another version of cupysim; install cupysim again"
            )
    for function in (library.cupysim_find_reflections, library.cupysim_add_spots):
        function.argtypes = [ctypes.c_void_p]
    library.cupysim_has_section.argtypes = [ctypes.c_int]
    library.cupysim_has_section.restype = ctypes.c_int
    library.cupysim_find_reflections.restype = ctypes.c_longlong
    library.cupysim_add_spots.restype = ctypes.c_int
    return library
