"""Peaks of two images, matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_PEAKS = 200
"""The strongest peaks of an image which are looked at."""

NEIGHBOURHOOD = 5
"""Edge (pixels) of the square in which a peak is the largest."""

FARTHEST = 2.0
"""Pixels between two peaks which are still the same."""

STANDING_OUT = 5.0
"""How many times the median deviation a peak stands above the median."""


@dataclass(frozen=True)
class PeakMatch:
    """Which peaks two images share.

    Parameters
    ----------
    n_first, n_second : int
        The strongest peaks of each, at most `MOST_PEAKS`.
    n_matched : int
        Those of the first image which the second has too.
    mean_distance, largest_distance : float
        Between matched peaks (pixels).
    shift : tuple of 2 float
        Median of the second's positions minus the first's, fast and slow (pixels).
    """

    n_first: int
    n_second: int
    n_matched: int
    mean_distance: float = 0.0
    largest_distance: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def n_most(self) -> int:
        """Peaks of the image which has more of them."""
        return max(self.n_first, self.n_second)

    @property
    def fraction(self) -> float:
        """Part of the peaks of either image which were matched; 1 if neither has any."""
        return self.n_matched / self.n_most if self.n_most else 1.0


def match_peaks(first: np.ndarray, second: np.ndarray) -> PeakMatch:
    """Match the strongest peaks of two images.

    Parameters
    ----------
    first, second : ndarray, shape (n_slow, n_fast)
        The images.

    Returns
    -------
    PeakMatch
        How many are matched, and how far apart they are.
    """
    from scipy.spatial import cKDTree

    ours = find_peaks(first)[:MOST_PEAKS]
    # the last of the strongest in one image may be just beyond them in the other
    candidates = find_peaks(second)[: 2 * MOST_PEAKS]
    n_first, n_second = len(ours), min(len(candidates), MOST_PEAKS)
    if n_first == 0 or n_second == 0:
        return PeakMatch(n_first, n_second, 0)
    distance, partner = cKDTree(candidates).query(ours, distance_upper_bound=FARTHEST)
    back = cKDTree(ours).query(candidates)[1]
    found = np.isfinite(distance)
    # each is the nearest of the other
    found[found] = back[partner[found]] == np.flatnonzero(found)
    if not found.any():
        return PeakMatch(n_first, n_second, 0)
    fast, slow = np.median(candidates[partner[found]] - ours[found], axis=0)
    return PeakMatch(
        n_first, n_second, int(found.sum()), float(distance[found].mean()),
        float(distance[found].max()), (float(fast), float(slow)),
    )  # fmt: skip


def find_peaks(image: np.ndarray) -> np.ndarray:
    """Positions of the peaks of an image.

    Parameters
    ----------
    image : ndarray, shape (n_slow, n_fast)
        The image.

    Returns
    -------
    ndarray, shape (n, 2)
        Fast and slow (pixels, whole numbers at pixel centres), the strongest first. Between
        pixels, peaks are taken for Gaussians above the lowest pixel of the neighbourhood.
    """
    from scipy import ndimage

    values = image.astype(np.float64)
    median = np.median(values)
    deviation = np.median(np.abs(values - median))
    highest = ndimage.maximum_filter(values, NEIGHBOURHOOD, mode="nearest")
    is_peak = (values == highest) & (values > median + STANDING_OUT * deviation)
    # a peak cut off by saturation is a plateau
    plateaus, count = ndimage.label(is_peak, structure=np.ones((3, 3)))
    if count == 0:
        return np.zeros((0, 2))
    numbers = np.arange(1, count + 1)
    centres = np.array(ndimage.center_of_mass(is_peak, plateaus, numbers))
    heights = ndimage.maximum(values, plateaus, numbers)
    order = np.argsort(-np.asarray(heights), kind="stable")[: 2 * MOST_PEAKS]
    return np.array([_centre(values, slow, fast) for slow, fast in centres[order]])


def _centre(values: np.ndarray, slow: float, fast: float) -> tuple[float, float]:
    """Where a parabola through the logarithms of three pixels is highest, along each axis."""
    at = round(slow), round(fast)
    rows, columns = (
        slice(max(place - NEIGHBOURHOOD // 2, 0), place + NEIGHBOURHOOD // 2 + 1) for place in at
    )
    lowest = float(values[rows, columns].min())
    return (
        fast + _vertex(values[at[0], :] - lowest, at[1]),
        slow + _vertex(values[:, at[1]] - lowest, at[0]),
    )


def _vertex(line: np.ndarray, at: int) -> float:
    """The offset of a peak from its highest pixel; none at an edge or on a plateau."""
    if not 0 < at < len(line) - 1:
        return 0.0
    three = line[at - 1 : at + 2]
    if not (three > 0.0).all():
        return 0.0
    before, here, after = np.log(three)
    curvature = before - 2.0 * here + after
    return float(0.5 * (before - after) / curvature) if curvature < 0.0 else 0.0
