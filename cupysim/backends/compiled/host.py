"""The host backend: the kernel compiled for the CPU, on all its cores."""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from cupysim.backends.compiled import bands, differentiation
from cupysim.backends.compiled.device_tables import DeviceTables
from cupysim.backends.compiled.engine import STATE_SIZE
from cupysim.backends.compiled.records import addresses, struct_type
from cupysim.backends.compiled.variants import Precision, Variant, shape_number
from cupysim.backends.derivatives import Gradients
from cupysim.backends.rendered import Observer, Rendered, without_device
from cupysim.errors import CupysimError, CupysimWarning
from cupysim.native import recipe
from cupysim.native.library import NoLibraryError, level, load
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.plan.render_plan import RenderPlan

MOST_THREADS = 1024
"""More are not asked for: where they cannot be had, OpenMP ends the process."""

STEPS_PER_SECOND = 5e7
"""Of one thread, as a first guess."""

LARGEST_BAND = 2**18
"""Pixels whose results and state fit the cache."""

LARGEST_BATCH = 2**31
"""Pixels of the images of a batch, to which the kernel writes directly."""

MATRICES_AT_ONCE = 2**20
"""Orientations which are kept (75 MB)."""


def problem() -> str | None:
    """Why this backend cannot be used; None if it can."""
    try:
        _library()
    except NoLibraryError as error:
        return str(error)
    return None


class HostBackend:
    """The kernel on the processor's cores; engines and their tables stay from image to image.

    Parameters
    ----------
    precision : Precision
        In which numbers images are computed.
    threads : int or None
        How many threads; None for one on each core this process may use.
    """

    name = "host"
    n_devices = 0

    def __init__(self, precision: Precision, threads: int | None) -> None:
        self._precision = precision
        self._threads = threads
        self._kept: dict[tuple[Precision, int], HostEngine] = {}

    def render(
        self, plan: RenderPlan, observer: Observer, image: np.ndarray | None = None
    ) -> Rendered:
        """Compute images; see `cupysim.backends.rendered.OpenBackend`."""
        if image is None:
            image = (np.empty if plan.is_whole else np.zeros)(plan.shape, dtype=np.float32)
        return bands.render(plan, observer, self.engines(plan, self._precision), image)

    def engines(self, _: RenderPlan, precision: Precision) -> list[HostEngine]:
        """The one engine for a precision."""
        # a forked process has other threads
        key = precision, os.getpid()
        if key not in self._kept:
            self._kept[key] = engine(precision, self._threads)
        return [self._kept[key]]

    def differentiate(
        self, plan: GradientPlan, observer: Observer, device_arrays: bool = False
    ) -> Gradients:
        """Compute an image's derivatives; see `cupysim.backends.rendered.OpenBackend`."""
        if device_arrays:
            raise without_device(self.name)
        engines = self.engines(plan.plan, Precision.DOUBLE)
        return differentiation.differentiate(plan, observer, engines)

    def new_device_array(self, _shape: tuple[int, ...], _type: type, /) -> Any:
        """There is none."""
        raise without_device(self.name)

    def close(self) -> None:
        """Let engines and their tables go."""
        self._kept.clear()


class _Team:
    """Whether OpenMP's threads can be had.

    They do not survive a fork, and a forked process which asks for them waits for ever.
    """

    def __init__(self) -> None:
        self._started = False
        self._lost = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._lost = self._started

    def size(self, wanted: int) -> int:
        """How many threads to use."""
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


_team = _Team()


def usable_cores() -> int:
    """Threads to use if nobody says: the cores of this process, or ``OMP_NUM_THREADS``."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if wanted.isdecimal() and int(wanted) > 0:
        return min(int(wanted), MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return os.cpu_count() or 1


@cache
def _library() -> ctypes.CDLL:
    return prepare(load(recipe.RENDER))


def _check_variant(status: int, *_: object) -> int:
    """Refuse what the library answers to a variant which it does not have."""
    if status != 0:
        raise CupysimError("backend host: the compiled library does not have this kernel")
    return status


def prepare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the functions of a library of kernels.

    Parameters
    ----------
    library : ctypes.CDLL
        The library.

    Returns
    -------
    ctypes.CDLL
        The same.

    Raises
    ------
    NoLibraryError
        If it takes another struct than the header declares.
    """
    for name in ("Launch", "Source", "Crystal"):
        size = getattr(library, f"cupysim_{name.lower()}_size")
        size.restype = ctypes.c_longlong
        if size() != struct_type(name).itemsize:
            raise NoLibraryError("the compiled library has another struct than this version")
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.cupysim_render.argtypes = [pointer, *[number] * 6]
    library.cupysim_gradient.argtypes = [pointer, *[number] * 4]
    library.cupysim_find_first_ray.argtypes = [pointer, number]
    library.cupysim_find_interpolation_stop.argtypes = [pointer, number, number]
    for name in ("render", "gradient", "find_first_ray", "find_interpolation_stop"):
        function = getattr(library, f"cupysim_{name}")
        function.restype, function.errcheck = ctypes.c_int, _check_variant
    return library


def engine(precision: Precision, threads: int | None) -> HostEngine:
    """The engine for a render.

    Parameters
    ----------
    precision : Precision
        In which numbers.
    threads : int or None
        How many threads; None for one on each core this process may use.

    Returns
    -------
    HostEngine
        An engine that renders at once.

    Raises
    ------
    CupysimError
        If there is no compiled library.
    """
    reason = problem()
    if reason is not None:
        raise CupysimError(f"backend host: {reason}")
    return HostEngine(_library(), precision, _team.size(threads or usable_cores()))


class HostEngine:
    """Carries out launches on the CPU; see `cupysim.backends.compiled.engine.Engine`.

    Parameters
    ----------
    library : ctypes.CDLL
        The library of kernels.
    precision : Precision
        In which numbers.
    threads : int
        How many threads.
    """

    backend = "host"
    largest_band = LARGEST_BAND
    largest_batch = LARGEST_BATCH
    smallest_batch = 1
    matrices_at_once = MATRICES_AT_ONCE

    def __init__(self, library: ctypes.CDLL, precision: Precision, threads: int) -> None:
        self.library = library
        self.precision = precision
        self.threads = threads
        self.name = f"{level()}, {threads} thread{'' if threads == 1 else 's'}"
        self.rate = STEPS_PER_SECOND * threads
        self._lanes = library.cupysim_lanes()
        self.smallest_band = self._lanes * threads
        self._kept: dict[str, np.ndarray] = {}
        self.tables = DeviceTables()
        self._omega = np.empty(0)
        self._results: dict[str, np.ndarray] = {}

    def replace(self, name: str, array: np.ndarray) -> int:
        """Keep an array in the place of an earlier one of this name; its address."""
        assert array.flags.c_contiguous
        self._kept[name] = array
        return array.ctypes.data

    def open_band(
        self, launch: np.ndarray, image: np.ndarray, _: tuple[int, int], in_parts: bool
    ) -> None:
        """Let results go into the image itself."""
        n_pixels = int(launch["n_pixels"])
        launch["image"] = image.ctypes.data
        self._omega = np.empty(-(-n_pixels // self._lanes))
        launch["omega_sums"] = self._omega.ctypes.data
        if in_parts:
            launch["state"] = self.replace("state", np.empty(STATE_SIZE * n_pixels))

    def render(self, launch: np.ndarray, variant: Variant) -> None:
        """Carry out a launch."""
        self.render_batch(launch.reshape(1), variant)

    def render_batch(self, launches: np.ndarray, variant: Variant) -> None:
        """Carry out launches of the same numbers of pixels together."""
        self.library.cupysim_render(
            launches.ctypes.data,
            len(launches),
            int(variant.precision),
            shape_number(variant.shape),
            int(variant.factors),
            int(variant.running),
            self.threads,
        )

    def close_band(self) -> float:
        """The sum of solid angles."""
        return float(self._omega.sum())

    def open_batch(self, launches: np.ndarray, images: np.ndarray, _: tuple[int, int]) -> None:
        """Let results go into the images themselves."""
        n_pixels = int(launches["n_pixels"][0])
        self._omega = np.empty((len(launches), -(-n_pixels // self._lanes)))
        for name, array in (("image", images), ("omega_sums", self._omega)):
            assert array.flags.c_contiguous
            count = len(array)
            launches[name] = addresses(array.ctypes.data, count, array.nbytes // count)

    def close_batch(self) -> np.ndarray:
        """The sums of solid angles."""
        return self._omega.sum(axis=1)

    def open_slopes(
        self, launch: np.ndarray, slopes: np.ndarray, _: tuple[int, int], state: int
    ) -> None:
        """Let slopes go into their array itself."""
        assert slopes.flags.c_contiguous
        launch["derivatives"], launch["derivatives_stride"] = slopes.ctypes.data, slopes.shape[1]
        launch["image_first"] = 0
        if state:
            n_pixels = int(launch["n_pixels"])
            launch["state"] = self.replace("state", np.empty(state * n_pixels))

    def close_slopes(self) -> None:
        """Nothing is left to do."""

    def open_results(self, launch: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Let results go into the arrays."""
        self._results = dict(arrays)
        for name, array in arrays.items():
            assert array.flags.c_contiguous
            launch[name] = array.ctypes.data

    def differentiate(self, launch: np.ndarray, variant: Variant, entries: bool) -> None:
        """Carry out a launch for slopes with parameters, or for entries of structure factors."""
        self.library.cupysim_gradient(
            launch.ctypes.data,
            shape_number(variant.shape),
            int(variant.factors),
            int(entries),
            self.threads,
        )

    def close_results(self) -> dict[str, np.ndarray]:
        """The arrays, filled."""
        return self._results

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """For each pixel of a launch the first ray within the resolution limit, or -1."""
        found = np.empty(int(launch["n_pixels"]), dtype=np.int64)
        launch["found"] = found.ctypes.data
        self.library.cupysim_find_first_ray(launch.ctypes.data, self.threads)
        return found

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the first step which leaves the table, or -1, and its h, k, l."""
        found = np.empty(int(launch["n_pixels"]), dtype=np.int64)
        indices = np.zeros((len(found), 3))
        launch["found"], launch["found_indices"] = found.ctypes.data, indices.ctypes.data
        self.library.cupysim_find_interpolation_stop(
            launch.ctypes.data, shape_number(variant.shape), self.threads
        )
        return found, indices
