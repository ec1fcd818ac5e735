"""Samples of a spiral between two heights of an image plate."""

from __future__ import annotations

import numpy as np

SMALLEST_RADIUS = 1e-300
"""Radius (m) in place of zero, so that no height is divided by zero."""


class SpiralSamples:
    """Samples of a spiral between two heights, and a few more.

    The radius of the spiral grows by one turn for each turn, and each turn begins at the x axis.
    Between two heights, a turn has an arc of samples on the right of the y axis, and one on the
    left.

    Parameters
    ----------
    starts : ndarray of int, shape (n_turns + 1,)
        Number of the first sample of each turn, and the number of all samples.
    turn : float
        Distance between turns (m).
    low, high : float
        Heights y (m).

    Attributes
    ----------
    n_turns : int
        Number of turns of the whole spiral.
    """

    def __init__(self, starts: np.ndarray, turn: float, low: float, high: float) -> None:
        counts = self._counts = np.diff(starts)
        self.n_turns, self._starts, self._turn = len(counts), starts, turn
        inner = np.maximum(np.arange(len(counts)) * turn, SMALLEST_RADIUS)
        outer = np.arange(1, len(counts) + 1) * turn
        lowest = _angle(low / (inner if low < 0.0 else outer))
        highest = _angle(high / (outer if high < 0.0 else inner))
        # in the right arc, the last samples of a turn have negative numbers
        right, left = -(counts // 4), -(-counts // 4)
        firsts = [np.maximum(_before(lowest, counts), right)]
        firsts.append(np.maximum(_before(0.5 - highest, counts), left))
        ends = [np.minimum(_after(highest, counts), left)]
        ends.append(np.minimum(_after(0.5 - lowest, counts), counts + right))
        self._firsts = np.stack(firsts, axis=1).reshape(-1)
        self._lengths = np.maximum(np.stack(ends, axis=1).reshape(-1) - self._firsts, 0)
        self._places = np.cumsum(self._lengths) - self._lengths
        arcs = np.repeat(np.arange(len(self._lengths)), self._lengths)
        self._samples = np.arange(len(arcs)) + (self._firsts - self._places)[arcs]
        self._turns = arcs // 2
        self._samples %= counts[self._turns]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._samples)

    def numbers(self, some: slice) -> np.ndarray:
        """Numbers of some samples; their order does not depend on the heights."""
        return np.asarray(self._starts[self._turns[some]] + self._samples[some])

    def middles(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates y and x of the samples (m)."""
        angles = self._samples / self._counts[self._turns]
        radii = (self._turns + angles) * self._turn
        angles *= 2 * np.pi
        return radii * np.sin(angles), radii * np.cos(angles)

    def divided(self, turns: np.ndarray, angles: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Light of the samples, if each light is divided between the two samples next to it.

        Parameters
        ----------
        turns : ndarray of int, shape (n_lights,)
            Turns of the lights.
        angles : ndarray, shape (n_lights,)
            Angles from the x axis, divided by 2 pi, from 0 to 1.
        light : ndarray, shape (n_lights,)
            Photons. They are lost if a sample is not between the heights.

        Returns
        -------
        ndarray of float64, shape (n,)
            Photons of the samples.
        """
        place = angles * self._counts[turns]
        low = place.astype(np.int64)
        total = np.zeros(len(self) + 1)
        total += np.bincount(self._found(turns, low), light * (low + 1 - place), len(self) + 1)
        total += np.bincount(self._found(turns, low + 1), light * (place - low), len(self) + 1)
        return total[:-1]

    def _found(self, turns: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Places of samples of turns; `len(self)` if a sample is not between the heights."""
        counts = self._counts[turns]
        samples = np.where(samples < counts, samples, samples - counts)
        is_last = 4 * samples >= 3 * counts
        arcs = 2 * turns + ((4 * samples >= counts) & ~is_last)
        samples -= self._firsts[arcs]
        samples[is_last] -= counts[is_last]
        exists = (samples >= 0) & (samples < self._lengths[arcs])
        samples += self._places[arcs]
        samples[~exists] = len(self)
        return np.asarray(samples)


def _angle(sine: np.ndarray) -> np.ndarray:
    """Angle of a sine, divided by 2 pi; sines beyond 1 are 1."""
    return np.asarray(np.arcsin(np.clip(sine, -1.0, 1.0)) / (2.0 * np.pi))


def _before(angle: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Number of a sample before an angle, even if the angle has rounding errors."""
    return np.asarray(np.floor(angle * counts).astype(np.int64) - 1)


def _after(angle: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """End of a range of samples beyond an angle, even if the angle has rounding errors."""
    return np.asarray(np.ceil(angle * counts).astype(np.int64) + 2)
