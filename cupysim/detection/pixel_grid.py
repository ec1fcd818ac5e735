"""Pixels of one panel as a response sees them, and the exposure of a shot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cupysim.detection.photon_noise import LARGEST_SEED
from cupysim.errors import ModelError
from cupysim.models.checks import finite


@dataclass(frozen=True)
class PixelGrid:
    """A rectangle of pixels of one flat panel.

    Parameters
    ----------
    n_slow, n_fast : int
        Numbers of rows and columns.
    pixel_slow, pixel_fast : float
        Edges of a pixel (m).
    normal_slow, normal_fast : float, optional
        Point of normal incidence (pixels from the middle of the first pixel).
    distance : float, optional
        Distance of the panel's plane from the crystal (m). By default infinite: every photon
        arrives along the normal.
    first_number : int, optional
        Number of the first pixel. The number of a pixel selects its random numbers.
    row_step : int, optional
        Difference between the numbers of a pixel and of the pixel in the next row. By default
        `n_fast`.
    """

    n_slow: int
    n_fast: int
    pixel_slow: float
    pixel_fast: float
    normal_slow: float = 0.0
    normal_fast: float = 0.0
    distance: float = math.inf
    first_number: int = 0
    row_step: int = 0

    def __post_init__(self) -> None:
        if self.row_step == 0:
            object.__setattr__(self, "row_step", self.n_fast)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns, (n_slow, n_fast)."""
        return self.n_slow, self.n_fast

    @property
    def slopes(self) -> tuple[float, float]:
        """Pixel edges divided by the distance: slow, fast."""
        return self.pixel_slow / self.distance, self.pixel_fast / self.distance

    def numbers(self) -> np.ndarray:
        """Numbers of the pixels: ndarray of uint64, shape (n_slow, n_fast)."""
        rows = np.arange(self.n_slow, dtype=np.uint64) * np.uint64(self.row_step)
        columns = np.arange(self.n_fast, dtype=np.uint64)
        return np.uint64(self.first_number) + rows[:, None] + columns

    def part(self, rows: slice, columns: slice) -> PixelGrid:
        """The grid of some rows and columns, with the same numbers of pixels."""
        return replace(
            self,
            n_slow=rows.stop - rows.start,
            n_fast=columns.stop - columns.start,
            normal_slow=self.normal_slow - rows.start,
            normal_fast=self.normal_fast - columns.start,
            first_number=self.first_number + rows.start * self.row_step + columns.start,
        )


@dataclass(frozen=True)
class Exposure:
    """One shot on a detector.

    Parameters
    ----------
    photon_energy : float
        Photon energy (eV).
    duration : float, optional
        Exposure time (s).
    seed : int, optional
        Seed of all random numbers, from 0 to 2^64 - 1.
    shot : int, optional
        Number of the shot. Shots of one seed are independent.

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    photon_energy: float
    duration: float = 1.0
    seed: int = 0
    shot: int = 0

    def __post_init__(self) -> None:
        for name in ("photon_energy", "duration"):
            if not finite(getattr(self, name), f"exposure: {name}") > 0.0:
                raise ModelError(
                    f"exposure: {name} must be above zero, got {getattr(self, name):g}"
                )
        for name in ("seed", "shot"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or not 0 <= value <= LARGEST_SEED:
                raise ModelError(
                    f"exposure: {name} must be an integer from 0 to 2^64 - 1, got {value!r}"
                )
