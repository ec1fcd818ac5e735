"""Matching the peaks of two images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_PEAKS = 200
"""Largest number of peaks of an image that are used, the strongest ones."""

NEIGHBOURHOOD = 5
"""Edge (pixels) of the square in which a peak must be the largest pixel."""

FARTHEST = 2.0
"""Largest distance (pixels) of two peaks that match."""

STANDING_OUT = 5.0
"""Smallest height of a peak above the median, in units of the median absolute deviation."""


@dataclass(frozen=True)
class PeakMatch:
    """The matched peaks of two images.

    Parameters
    ----------
    n_first, n_second : int
        Number of peaks of each image, at most `MOST_PEAKS`.
    n_matched : int
        Number of peaks that both images have.
    mean_distance, largest_distance : float
        Mean and largest distance of matched peaks (pixels).
    shift : tuple of 2 float
        Median of the positions in the second image minus those in the first, fast and slow
        (pixels).
    """

    n_first: int
    n_second: int
    n_matched: int
    mean_distance: float = 0.0
    largest_distance: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def n_most(self) -> int:
        """Number of peaks of the image that has more of them."""
        return max(self.n_first, self.n_second)

    @property
    def fraction(self) -> float:
        """Number of matched peaks divided by `n_most`; 1 if neither image has peaks."""
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
        Number of matched peaks, their distances and their shift.
    """
    from scipy.spatial import cKDTree

    ours = find_peaks(first)[:MOST_PEAKS]
    # a weak peak may be among the strongest in one image, but not in the other
    candidates = find_peaks(second)[: 2 * MOST_PEAKS]
    n_first, n_second = len(ours), min(len(candidates), MOST_PEAKS)
    if n_first == 0 or n_second == 0:
        return PeakMatch(n_first, n_second, 0)
    distance, partner = cKDTree(candidates).query(ours, distance_upper_bound=FARTHEST)
    back = cKDTree(ours).query(candidates)[1]
    found = np.isfinite(distance)
    # matched peaks are the nearest of each other
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
        Fast and slow coordinates (pixels, integers at pixel centres), the strongest first. For
        fractions of a pixel, a peak is a Gaussian above the lowest pixel of the neighbourhood.
    """
    from scipy import ndimage

    values = image.astype(np.float64)
    median = np.median(values)
    deviation = np.median(np.abs(values - median))
    highest = ndimage.maximum_filter(values, NEIGHBOURHOOD, mode="nearest")
    is_peak = (values == highest) & (values > median + STANDING_OUT * deviation)
    # a saturated peak is a plateau
    plateaus, count = ndimage.label(is_peak, structure=np.ones((3, 3)))
    if count == 0:
        return np.zeros((0, 2))
    numbers = np.arange(1, count + 1)
    centres = np.array(ndimage.center_of_mass(is_peak, plateaus, numbers))
    heights = ndimage.maximum(values, plateaus, numbers)
    order = np.argsort(-np.asarray(heights), kind="stable")[: 2 * MOST_PEAKS]
    return np.array([_centre(values, slow, fast) for slow, fast in centres[order]])


def _centre(values: np.ndarray, slow: float, fast: float) -> tuple[float, float]:
    """Maximum of a parabola through the logarithms of three pixels, along each axis (pixels)."""
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
    """Offset of a peak from its highest pixel (pixels); 0 at an edge or on a plateau."""
    if not 0 < at < len(line) - 1:
        return 0.0
    three = line[at - 1 : at + 2]
    if not (three > 0.0).all():
        return 0.0
    before, here, after = np.log(three)
    curvature = before - 2.0 * here + after
    return float(0.5 * (before - after) / curvature) if curvature < 0.0 else 0.0
