"""Image plates that are read along a spiral and then resampled to square pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cupysim.detection.pixel_grid import Exposure, PixelGrid
from cupysim.detection.random_numbers import Stage, stage_normals
from cupysim.detection.spiral_samples import SpiralSamples
from cupysim.errors import ModelError
from cupysim.models.checks import finite

LEAST_AT_ONCE = 1 << 15
"""Smallest number of pixels that are read together, in whole rows. They need about 10 MB."""

PARTS = 128
"""Parts of a large image. Work arrays of one part need less memory than the image."""

SAMPLES_AT_ONCE = 1 << 14
"""Samples that get their noise together, so that its random numbers stay in the processor's cache.
"""

FARTHEST = 3.0
"""Largest distance between a pixel and a sample that share light, over the sum of turn and step.
The first turns have few samples, which are up to 2.3 steps apart; the first sample of a turn is up
to 2.3 turns away from pixels below the x axis."""


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
        rows, columns = self._middles(grid)
        result = np.empty(grid.shape, dtype=bool)
        for part in _parts(grid):
            result[part] = self._is_inside(rows[part], columns)
        return result

    def _is_inside(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Whether pixels at some distances of rows and columns are on the plate."""
        return np.asarray(rows[:, None] ** 2 + columns**2 <= (self.diameter / 2) ** 2)

    @staticmethod
    def _middles(grid: PixelGrid) -> tuple[np.ndarray, np.ndarray]:
        """Distances of rows and columns from the middle of the image (m)."""
        rows = (np.arange(grid.n_slow) - (grid.n_slow - 1) / 2) * grid.pixel_slow
        columns = (np.arange(grid.n_fast) - (grid.n_fast - 1) / 2) * grid.pixel_fast
        return rows, columns

    def apply(
        self, image: np.ndarray, grid: PixelGrid, exposure: Exposure, *, overwrite: bool = False
    ) -> np.ndarray:
        """Read an image along the spiral, and resample it.

        Parameters
        ----------
        image : ndarray of float32, shape (n_slow, n_fast)
            Photons.
        grid : PixelGrid
            The pixels.
        exposure : Exposure
            The shot.
        overwrite : bool, optional
            Whether the result may take the place of the image, to save memory.

        Returns
        -------
        ndarray of float32, shape (n_slow, n_fast)
            Photons, with the scanner's noise. Zero outside the plate.
        """
        result = image if overwrite else np.empty(grid.shape, dtype=np.float32)
        starts = self._starts()
        reach = math.ceil(FARTHEST * (self.turn + self.step) / grid.pixel_slow) + 1
        above = image[:0]
        for part in _parts(grid):
            # samples of these rows also get light from rows above, which may be overwritten
            source = np.concatenate([above, image[part.start : part.stop + reach]])
            first = part.start - len(above)
            above = source[max(part.stop - reach - first, 0) : part.stop - first].copy()
            samples = self._samples(part, grid, starts)
            light = self._sampled(source, first, grid, samples)
            self._add_noise(light, samples, exposure)
            result[part] = self._resampled(light, part, grid, samples)
        return result

    def _samples(self, part: slice, grid: PixelGrid, starts: np.ndarray) -> SpiralSamples:
        """Samples whose light some rows get."""
        middle = (grid.n_slow - 1) / 2
        low, high = ((row - middle) * grid.pixel_slow for row in (part.start - 1, part.stop))
        return SpiralSamples(starts, self.turn, low, high)

    def _starts(self) -> np.ndarray:
        """Number of the first sample of each turn; the last entry is the number of all samples."""
        turns = math.ceil(self.diameter / 2 / self.turn) + 1
        radii = (np.arange(turns) + 0.5) * self.turn
        counts = np.maximum(np.rint(2 * np.pi * radii / self.step), 4).astype(np.int64)
        return np.concatenate([[0], np.cumsum(counts)])

    def _sampled(
        self, source: np.ndarray, first: int, grid: PixelGrid, samples: SpiralSamples
    ) -> np.ndarray:
        """Light of samples from rows of pixels: ndarray of float64, shape (n_samples,)."""
        y, x, photons = self._lit(source, first, grid)
        # the radius of the spiral grows by one turn for each turn: r = (number + angle) turn
        angle = np.arctan2(y, x) / (2 * np.pi) % 1.0
        place = np.clip(np.hypot(x, y) / self.turn - angle, 0.0, samples.n_turns - 1.001)
        del x, y
        low = place.astype(np.int64)
        light = samples.divided(low, angle, (low + 1 - place) * photons)
        light += samples.divided(low + 1, angle, (place - low) * photons)
        return light

    def _lit(self, source: np.ndarray, first: int, grid: PixelGrid) -> tuple[np.ndarray, ...]:
        """Coordinates y and x (m), and photons, of pixels on the plate that have any."""
        rows, columns = self._middles(grid)
        rows = rows[first : first + len(source)]
        row, column = np.nonzero(self._is_inside(rows, columns) & (source != 0.0))
        return rows[row], columns[column], source[row, column]

    def _add_noise(self, light: np.ndarray, samples: SpiralSamples, exposure: Exposure) -> None:
        """Add the noise of the scanner to samples."""
        if self.noise == 0.0:
            return
        for start in range(0, len(light), SAMPLES_AT_ONCE):
            some = slice(start, start + SAMPLES_AT_ONCE)
            numbers = samples.numbers(some).astype(np.uint64)
            normal, _ = stage_normals(numbers, Stage.SCAN, 0, exposure.shot, exposure.seed)
            light[some] += self.noise * normal

    def _resampled(
        self, light: np.ndarray, part: slice, grid: PixelGrid, samples: SpiralSamples
    ) -> np.ndarray:
        """Square pixels of some rows from samples: ndarray of float64, shape (rows, n_fast)."""
        n_rows = part.stop - part.start
        y, x = samples.middles()
        y, x = y / grid.pixel_slow, x / grid.pixel_fast
        y += (grid.n_slow - 1) / 2
        x += (grid.n_fast - 1) / 2
        column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        # light of other rows and columns comes after the last pixel
        n_pixels = n_rows * grid.n_fast
        total = np.zeros(n_pixels + 1)
        for at_row, share_y in ((row, row + 1 - y), (row + 1, y - row)):
            for at_column, share_x in ((column, column + 1 - x), (column + 1, x - column)):
                exists = (at_row >= part.start) & (at_row < part.stop)
                exists &= (at_column >= 0) & (at_column < grid.n_fast)
                places = (at_row - part.start) * grid.n_fast + at_column
                places[~exists] = n_pixels
                total += np.bincount(places, light * share_y * share_x, n_pixels + 1)
        pixels = total[:-1].reshape(n_rows, grid.n_fast)
        rows, columns = self._middles(grid)
        pixels[~self._is_inside(rows[part], columns)] = 0.0
        return pixels


def _parts(grid: PixelGrid) -> Iterator[slice]:
    """Rows that are computed together."""
    pixels = max(LEAST_AT_ONCE, grid.n_slow * grid.n_fast // PARTS)
    rows = max(pixels // max(grid.n_fast, 1), 1)
    for start in range(0, grid.n_slow, rows):
        yield slice(start, min(start + rows, grid.n_slow))
