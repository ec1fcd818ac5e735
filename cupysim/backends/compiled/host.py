"""The host backend: the kernel compiled for the CPU, on all its cores."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from cupysim.backends.compiled import bands
from cupysim.backends.compiled.device_tables import DeviceTables
from cupysim.backends.compiled.engine import STATE_SIZE
from cupysim.backends.compiled.host_library import library, problem, team
from cupysim.backends.compiled.records import addresses
from cupysim.backends.compiled.variants import Precision, Variant, shape_number
from cupysim.backends.rendered import Observer, Rendered, without_device
from cupysim.errors import CupysimError
from cupysim.native.cores import usable_cores
from cupysim.native.library import level
from cupysim.plan.render_plan import RenderPlan

if TYPE_CHECKING:
    from cupysim.backends.derivatives import Gradients
    from cupysim.plan.gradient_plan import GradientPlan

STEPS_PER_SECOND = 5e7
"""First guess of the speed of one thread, in steps per second."""

LARGEST_BAND = 2**18
"""Largest number of pixels of a band. Their results and state fit the processor's cache."""

LARGEST_BATCH = 2**31
"""Largest number of pixels of all images of a batch. The kernel writes to the images directly."""

MATRICES_AT_ONCE = 2**20
"""Largest number of orientations that are kept at once (75 MB)."""


class Derivatives(IntEnum):
    """Kinds of derivatives that are computed; the numbers are those of `cuda_src/host.cpp`."""

    PIXELS = 0
    """Derivatives of pixels with respect to parameters."""
    TILES = 1
    """Derivatives of tiles of pixels with respect to parameters, within a tolerance."""
    FACTORS = 2
    """Derivatives of pixels with respect to structure factors."""
    DIFFUSE = 3
    """Derivatives of diffuse scattering with respect to parameters."""
    DIFFUSE_FACTORS = 4
    """Derivatives of diffuse scattering with respect to structure factors."""


class HostBackend:
    """The host backend. It keeps its engines and their tables from image to image.

    Parameters
    ----------
    precision : Precision
        Precision of images.
    threads : int or None
        Number of threads; None for one on each core that this process may use.
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
        engines = self.engines(plan, self._precision)
        if plan.tolerance is None:
            return bands.render(plan, observer, engines, image)
        from cupysim.backends.compiled import culled

        return culled.render(plan, observer, engines, image)

    def engines(self, _: RenderPlan, precision: Precision) -> list[HostEngine]:
        """The engine for a precision, in a list."""
        # a forked process needs an engine with threads of its own
        key = precision, os.getpid()
        if key not in self._kept:
            self._kept[key] = engine(precision, self._threads)
        return [self._kept[key]]

    def differentiate(
        self, plan: GradientPlan, observer: Observer, device_arrays: bool = False
    ) -> Gradients:
        """Compute an image's derivatives; see `cupysim.backends.rendered.OpenBackend`."""
        from cupysim.backends.compiled import culled_differentiation, differentiation

        if device_arrays:
            raise without_device(self.name)
        engines = self.engines(plan.plan, Precision.DOUBLE)
        exact = plan.plan.tolerance is None
        module = differentiation if exact else culled_differentiation
        return module.differentiate(plan, observer, engines)

    def new_device_array(self, _shape: tuple[int, ...], _type: type, /) -> Any:
        """Raise an error: the host backend has no device."""
        raise without_device(self.name)

    def close(self) -> None:
        """Release the engines and their tables."""
        self._kept.clear()


def engine(precision: Precision, threads: int | None) -> HostEngine:
    """Make an engine.

    Parameters
    ----------
    precision : Precision
        Precision of images.
    threads : int or None
        Number of threads; None for one on each core that this process may use.

    Returns
    -------
    HostEngine
        An engine that is ready to render.

    Raises
    ------
    CupysimError
        If there is no compiled library.
    """
    reason = problem()
    if reason is not None:
        raise CupysimError(f"backend host: {reason}")
    return HostEngine(library(), precision, team.size(threads or usable_cores()))


class HostEngine:
    """Carries out launches on the CPU; see `cupysim.backends.compiled.engine.Engine`.

    Parameters
    ----------
    library : ctypes.CDLL
        The library of kernels.
    precision : Precision
        Precision of images.
    threads : int
        Number of threads.
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
        """Keep an array, replacing the earlier one of this name. Returns its address."""
        assert array.flags.c_contiguous
        self._kept[name] = array
        return array.ctypes.data

    def open_band(
        self, launch: np.ndarray, image: np.ndarray, _: tuple[int, int], in_parts: bool
    ) -> None:
        """Let the launch write a band's results to the image directly."""
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
        """Carry out several launches together. All must have the same number of pixels."""
        self.library.cupysim_render(
            launches.ctypes.data,
            len(launches),
            int(variant.precision),
            shape_number(variant.shape),
            int(variant.factors),
            variant.sums,
            self.threads,
        )

    def close_band(self) -> float:
        """The sum of the solid angles of a band (sr)."""
        return float(self._omega.sum())

    def open_batch(self, launches: np.ndarray, images: np.ndarray, _: tuple[int, int]) -> None:
        """Let the launches write their results to the images directly."""
        n_pixels = int(launches["n_pixels"][0])
        self._omega = np.empty((len(launches), -(-n_pixels // self._lanes)))
        for name, array in (("image", images), ("omega_sums", self._omega)):
            assert array.flags.c_contiguous
            count = len(array)
            launches[name] = addresses(array.ctypes.data, count, array.nbytes // count)

    def close_batch(self) -> np.ndarray:
        """The sums of the solid angles of the images (sr)."""
        return self._omega.sum(axis=1)

    def open_tiles(self, launch: np.ndarray, image: np.ndarray) -> None:
        """Let the launch write tiles to the image directly."""
        launch["image"] = image.ctypes.data

    def render_tiles(self, launch: np.ndarray, variant: Variant) -> tuple[float, int]:
        """Render tiles within a tolerance; see `cupysim.backends.compiled.engine.TileEngine`."""
        n_tiles = int(launch["n_pixels"]) // self._lanes
        omega, computed = np.empty(n_tiles), np.empty(n_tiles, dtype=np.int64)
        launch["omega_sums"], launch["computed_terms"] = omega.ctypes.data, computed.ctypes.data
        self.library.cupysim_render_culled(
            launch.ctypes.data, 1, int(variant.precision), shape_number(variant.shape),
            int(variant.factors), self.threads,
        )  # fmt: skip
        return float(omega.sum()), int(computed.sum())

    def close_tiles(self, _: np.ndarray) -> None:
        """Do nothing: the tiles are in the image already."""

    def estimate_tiles(self, launch: np.ndarray, variant: Variant) -> np.ndarray:
        """Estimate the brightest pixels; see `cupysim.backends.compiled.engine.TileEngine`."""
        estimates = np.empty(int(launch["n_pixels"]) // self._lanes)
        launch["omega_sums"] = estimates.ctypes.data
        self.library.cupysim_estimate_tiles(
            launch.ctypes.data, shape_number(variant.shape), int(variant.factors),
            int(variant.precision), self.threads,
        )  # fmt: skip
        return estimates

    def open_slopes(
        self, launch: np.ndarray, slopes: np.ndarray, _: tuple[int, int], state: int
    ) -> None:
        """Let the launch write derivatives to their array directly."""
        assert slopes.flags.c_contiguous
        launch["derivatives"], launch["derivatives_stride"] = slopes.ctypes.data, slopes.shape[1]
        launch["image_first"] = 0
        if state:
            n_pixels = int(launch["n_pixels"])
            launch["state"] = self.replace("state", np.empty(state * n_pixels))

    def close_slopes(self) -> None:
        """Do nothing: derivatives are in their array already."""

    def open_results(self, launch: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Let the launch write its results to the arrays directly."""
        self._results = dict(arrays)
        for name, array in arrays.items():
            assert array.flags.c_contiguous
            launch[name] = array.ctypes.data

    def differentiate(self, launch: np.ndarray, variant: Variant, entries: bool) -> None:
        """Carry out a launch for derivatives with respect to parameters or structure factors."""
        if variant.diffuse:
            kind = Derivatives.DIFFUSE_FACTORS if entries else Derivatives.DIFFUSE
        else:
            kind = Derivatives.FACTORS if entries else Derivatives.PIXELS
        self._differentiate(launch, variant, kind)

    def differentiate_tiles(self, launch: np.ndarray, variant: Variant) -> int:
        """Differentiate tiles; see `cupysim.backends.compiled.engine.TileEngine`."""
        computed = np.empty(int(launch["n_pixels"]) // self._lanes, dtype=np.int64)
        launch["computed_terms"] = computed.ctypes.data
        self._differentiate(launch, variant, Derivatives.TILES)
        return int(computed.sum())

    def _differentiate(self, launch: np.ndarray, variant: Variant, kind: Derivatives) -> None:
        self.library.cupysim_gradient(
            launch.ctypes.data, shape_number(variant.shape), int(variant.factors), int(kind),
            self.threads,
        )  # fmt: skip

    def close_results(self) -> dict[str, np.ndarray]:
        """The filled arrays, by the names of their fields."""
        return self._results

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """Number of the first ray within the resolution limit for each pixel of a launch, or -1."""
        found = np.empty(int(launch["n_pixels"]), dtype=np.int64)
        launch["found"] = found.ctypes.data
        self.library.cupysim_find_first_ray(launch.ctypes.data, self.threads)
        return found

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number of the first step that leaves the table for each pixel, or -1, and its h, k, l."""
        found = np.empty(int(launch["n_pixels"]), dtype=np.int64)
        indices = np.zeros((len(found), 3))
        launch["found"], launch["found_indices"] = found.ctypes.data, indices.ctypes.data
        self.library.cupysim_find_interpolation_stop(
            launch.ctypes.data, shape_number(variant.shape), self.threads
        )
        return found, indices
