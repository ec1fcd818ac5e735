"""What a device must do to carry out launches of compiled kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from cupysim.backends.compiled.device_tables import DeviceTables
from cupysim.backends.compiled.variants import Precision, Variant

STATE_SIZE = 5
"""Numbers which are kept of a pixel from launch to launch."""


class Engine(Protocol):
    """A device which carries out launches."""

    backend: str
    """To which backend it belongs."""
    name: str
    """For people: the device."""
    precision: Precision
    rate: float
    """Steps in a second, a first guess."""
    matrices_at_once: int
    """Orientations which it holds."""
    tables: DeviceTables
    """What lies on it from image to image."""

    @property
    def smallest_band(self) -> int:
        """Pixels below which the device is not busy."""

    @property
    def largest_band(self) -> int:
        """Pixels whose results it holds."""

    smallest_batch: int
    """Images from which a batch is worth it: 1 where it is the same kernel."""

    @property
    def largest_batch(self) -> int:
        """Pixels of all images of a batch, at most."""

    def replace(self, name: str, array: np.ndarray) -> int:
        """Copy an array to the device, in the place of an earlier one of this name; its address."""

    def open_band(
        self, launch: np.ndarray, image: Any, numbers: tuple[int, int], in_parts: bool
    ) -> None:
        """Fill in where a band's results go: pixels of an image from the first to the last.

        Between several launches, what is known of the pixels is kept too.
        """

    def render(self, launch: np.ndarray, variant: Variant) -> None:
        """Carry out a launch."""

    def close_band(self) -> Any:
        """Wait for a band; its photons are in the image. Gives the sum of solid angles."""

    def open_batch(self, launches: np.ndarray, images: Any, numbers: tuple[int, int]) -> None:
        """Fill in where the results of several images go, one for each launch."""

    def render_batch(self, launches: np.ndarray, variant: Variant) -> None:
        """Carry out launches of the same numbers of pixels together."""

    def close_batch(self) -> Any:
        """Wait for a batch; photons are in the images. Gives the sums of solid angles."""

    def open_slopes(
        self, launch: np.ndarray, slopes: Any, numbers: tuple[int, int], state: int
    ) -> None:
        """Fill in where slopes go: by parameter, for pixels from the first to the last number.

        Between several launches, so many numbers of each pixel are kept.
        """

    def close_slopes(self) -> None:
        """Wait for a band; its slopes are in their array."""

    def open_results(self, launch: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Fill in where results go which are not an image: copies of arrays, by field."""

    def differentiate(self, launch: np.ndarray, variant: Variant, entries: bool) -> None:
        """Carry out a launch for slopes with parameters, or for entries of structure factors."""

    def close_results(self) -> dict[str, np.ndarray]:
        """Wait for a band; its results, by field."""

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """For each pixel of a launch the first ray within the resolution limit, or -1."""

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the first step which leaves the table, or -1, and its h, k, l."""
