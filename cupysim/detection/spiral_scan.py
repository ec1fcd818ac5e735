"""Image plates that are read along a spiral and then resampled to square pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.random_numbers import Stage, stage_normals
from cupysim.errors import ModelError
from cupysim.models.checks import finite

SAMPLES_AT_ONCE = 1 << 20
"""Samples that are read together, to limit memory."""


@dataclass(frozen=True)
class SpiralScan:
    """The scan of a round image plate.

    The scan divides the light of each square pixel among the four samples around it, by their
    distances. It then divides the light of each sample among the four pixels around it, in the same
    way. The scanner adds noise to samples, so that neighbouring pixels share this noise.

    Parameters
    ----------
    turn : float
        Distance between turns of the spiral (m).
    step : float
        Distance between samples along the spiral (m).
    diameter : float
        Diameter of the plate (m). The centre of the plate is the middle of the image.
    noise : float, optional
        Noise of a sample (photons rms).

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    turn: float
    step: float
    diameter: float
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("turn", "step", "diameter"):
            if not finite(getattr(self, name), f"spiral scan: {name}") > 0.0:
                raise ModelError(
                    f"spiral scan: {name} must be above zero, got {getattr(self, name):g} m"
                )
        if not finite(self.noise, "spiral scan: noise") >= 0.0:
            raise ModelError(f"spiral scan: noise must not be negative, got {self.noise:g}")

    def covers(self, grid: PixelGrid) -> np.ndarray:
        """Pixels whose middle is on the plate: ndarray of bool, shape (n_slow, n_fast)."""
        y, x = self._middles(grid)
        return np.asarray(y[:, None] ** 2 + x**2 <= (self.diameter / 2) ** 2)

    @staticmethod
    def _middles(grid: PixelGrid) -> tuple[np.ndarray, np.ndarray]:
        """Distances of rows and columns from the middle of the image (m)."""
        rows = (np.arange(grid.n_slow) - (grid.n_slow - 1) / 2) * grid.pixel_slow
        columns = (np.arange(grid.n_fast) - (grid.n_fast - 1) / 2) * grid.pixel_fast
        return rows, columns

    def apply(self, image: np.ndarray, grid: PixelGrid, exposure: Exposure) -> np.ndarray:
        """Read an image along the spiral, and resample it.

        Parameters
        ----------
        image : ndarray of float32, shape (n_slow, n_fast)
            Photons.
        grid : PixelGrid
            The pixels.
        exposure : Exposure
            The shot.

        Returns
        -------
        ndarray of float32, shape (n_slow, n_fast)
            Photons, with the scanner's noise. Zero outside the plate.
        """
        starts = self._starts()
        samples = self._sampled(image, grid, starts)
        for first in range(0, len(samples), SAMPLES_AT_ONCE):
            some = samples[first : first + SAMPLES_AT_ONCE]
            numbers = np.arange(first, first + len(some), dtype=np.uint64)
            normal, _ = stage_normals(numbers, Stage.SCAN, 0, exposure.shot, exposure.seed)
            some += self.noise * normal
        return self._resampled(samples, grid, starts)

    def _starts(self) -> np.ndarray:
        """Number of the first sample of each turn; the last entry is the number of all samples."""
        turns = math.ceil(self.diameter / 2 / self.turn) + 1
        radii = (np.arange(turns) + 0.5) * self.turn
        counts = np.maximum(np.rint(2 * np.pi * radii / self.step), 4).astype(np.int64)
        return np.concatenate([[0], np.cumsum(counts)])

    def _sampled(self, image: np.ndarray, grid: PixelGrid, starts: np.ndarray) -> np.ndarray:
        """Light of each sample: ndarray of float64, shape (n_samples,)."""
        samples = np.zeros(starts[-1])
        rows, columns = self._middles(grid)
        inside, turns = self.covers(grid), len(starts) - 1
        for row, y in enumerate(rows):
            chosen = np.flatnonzero(inside[row] & (image[row] != 0.0))
            x = columns[chosen]
            # the radius of the spiral grows by one turn for each turn: r = (number + angle) turn
            angle = np.arctan2(y, x) / (2 * np.pi) % 1.0
            place = np.clip(np.hypot(x, y) / self.turn - angle, 0.0, turns - 1.001)
            low = place.astype(np.int64)
            for turn, share in ((low, low + 1 - place), (low + 1, place - low)):
                self._divide(samples, starts, turn, angle, share * image[row, chosen])
        return samples

    @staticmethod
    def _divide(
        samples: np.ndarray,
        starts: np.ndarray,
        turn: np.ndarray,
        angle: np.ndarray,
        light: np.ndarray,
    ) -> None:
        """Divide light between the two samples of a turn that are nearest to an angle."""
        count = starts[turn + 1] - starts[turn]
        place = angle * count
        low = place.astype(np.int64)
        np.add.at(samples, starts[turn] + low % count, light * (low + 1 - place))
        np.add.at(samples, starts[turn] + (low + 1) % count, light * (place - low))

    def _resampled(self, samples: np.ndarray, grid: PixelGrid, starts: np.ndarray) -> np.ndarray:
        """Square pixels from samples: ndarray of float32, shape (n_slow, n_fast)."""
        image = np.zeros(grid.n_slow * grid.n_fast)
        for turn in range(len(starts) - 1):
            light = samples[starts[turn] : starts[turn + 1]]
            angle = np.arange(len(light)) / len(light)
            radius = (turn + angle) * self.turn
            x = radius * np.cos(2 * np.pi * angle) / grid.pixel_fast + (grid.n_fast - 1) / 2
            y = radius * np.sin(2 * np.pi * angle) / grid.pixel_slow + (grid.n_slow - 1) / 2
            column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
            for dy, share_y in ((0, row + 1 - y), (1, y - row)):
                for dx, share_x in ((0, column + 1 - x), (1, x - column)):
                    at_row, at_column = row + dy, column + dx
                    exists = (at_row >= 0) & (at_row < grid.n_slow)
                    exists &= (at_column >= 0) & (at_column < grid.n_fast)
                    place = at_row[exists] * grid.n_fast + at_column[exists]
                    np.add.at(image, place, (light * share_y * share_x)[exists])
        result = image.reshape(grid.shape).astype(np.float32)
        result[~self.covers(grid)] = 0.0
        return result
