"""The interface of a device that carries out launches of compiled kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from cupysim.backends.compiled.device_tables import DeviceTables
from cupysim.backends.compiled.variants import Precision, Variant

STATE_SIZE = 5
"""Number of float64 values that are kept for a pixel between launches."""


class Engine(Protocol):
    """A device that carries out launches."""

    backend: str
    """Name of the backend."""
    name: str
    """Description of the device, for reports."""
    precision: Precision
    """Precision of images on this device."""
    rate: float
    """First guess of the speed, in steps per second."""
    matrices_at_once: int
    """Largest number of orientations that the device holds at once."""
    tables: DeviceTables
    """Arrays that stay on the device from image to image."""

    @property
    def smallest_band(self) -> int:
        """Number of pixels below which the device is not busy."""

    @property
    def largest_band(self) -> int:
        """Largest number of pixels whose results the device holds."""

    smallest_batch: int
    """Smallest number of images for which a batch is faster: 1 if it uses the same kernel."""

    @property
    def largest_batch(self) -> int:
        """Largest number of pixels of all images of a batch."""

    def replace(self, name: str, array: np.ndarray) -> int:
        """Copy an array to the device, replacing the one of this name. Returns its address."""

    def open_band(
        self, launch: np.ndarray, image: Any, numbers: tuple[int, int], in_parts: bool
    ) -> None:
        """Tell a launch where to write a band's results.

        `numbers` are the band's first and last pixel number in the image. If the band is rendered
        in parts, the state of its pixels is kept between launches.
        """

    def render(self, launch: np.ndarray, variant: Variant) -> None:
        """Carry out a launch."""

    def close_band(self) -> Any:
        """Write a band's photons to the image. Returns the sum of its solid angles (sr)."""

    def open_batch(self, launches: np.ndarray, images: Any, numbers: tuple[int, int]) -> None:
        """Tell several launches where to write their results, an image for each launch."""

    def render_batch(self, launches: np.ndarray, variant: Variant) -> None:
        """Carry out several launches together. All must have the same number of pixels."""

    def close_batch(self) -> Any:
        """Write a batch's photons to the images. Returns the sums of their solid angles (sr)."""

    def open_slopes(
        self, launch: np.ndarray, slopes: Any, numbers: tuple[int, int], state: int
    ) -> None:
        """Tell a launch where to write derivatives.

        `slopes` has a row for each parameter; `numbers` are the band's first and last pixel
        number. Between launches, `state` values are kept for each pixel.
        """

    def close_slopes(self) -> None:
        """Write a band's derivatives to their array."""

    def open_results(self, launch: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Tell a launch where to write results that are not images: copies of arrays, by field."""

    def differentiate(self, launch: np.ndarray, variant: Variant, entries: bool) -> None:
        """Carry out a launch for derivatives with respect to parameters or structure factors."""

    def close_results(self) -> dict[str, np.ndarray]:
        """Return a band's results, by the names of their fields."""

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """Number of the first ray within the resolution limit for each pixel of a launch, or -1."""

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number of the first step that leaves the table for each pixel, or -1, and its h, k, l."""


class TileEngine(Engine, Protocol):
    """A device that also renders tiles within a tolerance."""

    def open_tiles(self, launch: np.ndarray, image: Any) -> None:
        """Tell a launch the image of one panel to which it writes tiles."""

    def render_tiles(self, launch: np.ndarray, variant: Variant) -> tuple[float, int]:
        """Render tiles.

        Returns the sum of their solid angles (sr), and the number of computed terms.
        """

    def close_tiles(self, tiles: np.ndarray) -> None:
        """Write the photons of tiles, given by their numbers, to the image."""

    def differentiate_tiles(self, launch: np.ndarray, variant: Variant) -> int:
        """Differentiate tiles, after `open_slopes`. Returns the number of computed terms."""

    def estimate_tiles(self, launch: np.ndarray, variant: Variant) -> np.ndarray:
        """Estimate the photons of each tile's brightest pixel, see `TilePanel.estimates`."""
