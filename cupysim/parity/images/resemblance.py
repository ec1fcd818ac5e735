"""Typical causes of the difference of two images: a scale, a shift, an exchange of axes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cupysim.parity.images.agreement import Agreement
from cupysim.parity.images.peaks import PeakMatch
from cupysim.parity.traces.hints import telling

ALIKE = 1e-7
"""Largest deviation from 1 of the correlation of images that differ by a scale, an offset and
rounding to integers."""

RECOGNISED = 0.98
"""Smallest correlation of the ranks of pixels that identifies a turned or shifted image."""

SAME_FACTOR = 1e-4
"""Largest relative difference of a pixel from the scaled pixel of the first image."""

MOST_PIXELS = 0.9
"""Smallest part of the pixels that must have the same scale and offset."""

MOST_PEAKS_MATCH = 0.5
"""Smallest part of matched peaks for which their shift is reported."""

LARGEST_EDGE = 2048
"""Edge (pixels) of the middle part of an image that is searched for turns and shifts."""

NOTICEABLE_SHIFT = 0.02
"""Smallest shift of peaks that is reported (pixels)."""

TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upside down: the slow axis reversed": lambda image: image[::-1],
    "mirrored: the fast axis reversed": lambda image: image[:, ::-1],
    "turned by 180 degrees": lambda image: image[::-1, ::-1],
    "with fast and slow exchanged": lambda image: image.T,
    "turned by 90 degrees": lambda image: np.rot90(image),
    "turned by 270 degrees": lambda image: np.rot90(image, 3),
    "with fast and slow exchanged and both reversed": lambda image: image[::-1, ::-1].T,
}
"""Turns and reflections of an image, by their descriptions."""


def resemblance(
    first: np.ndarray,
    second: np.ndarray,
    good: np.ndarray,
    overall: Agreement,
    peaks: PeakMatch,
) -> list[str]:
    """Find typical causes of the difference of two images.

    Parameters
    ----------
    first, second : ndarray, shape (n_slow, n_fast)
        Images that differ.
    good : ndarray of bool, shape (n_slow, n_fast)
        True for pixels to compare.
    overall : Agreement
        Agreement of the images.
    peaks : PeakMatch
        Their matched peaks.

    Returns
    -------
    list of str
        Descriptions of the difference; empty if no cause is found.
    """
    scaled = _scaled(first, second, good, overall)
    if scaled:
        return scaled
    middle = tuple(
        slice((n - min(n, LARGEST_EDGE)) // 2, (n + min(n, LARGEST_EDGE)) // 2) for n in good.shape
    )
    a, b = (_levelled(image[middle], good[middle]) for image in (first, second))
    alike = _correlation(a, b)
    if not alike > RECOGNISED:
        turned = [
            (_correlation(turn(a), b), text)
            for text, turn in TURNS.items()
            if a.shape == b.shape and turn(a).shape == b.shape
        ]
        best, text = max(turned)
        if best > RECOGNISED:
            return [f"the second is the first {text}"]
        shifted = _shifted(a, b)
        if shifted:
            return shifted
    largest = max(map(abs, peaks.shift))
    if largest > NOTICEABLE_SHIFT and peaks.fraction > MOST_PEAKS_MATCH:
        fast, slow = peaks.shift
        return [f"peaks are shifted by {fast:+.2f} pixels along fast, {slow:+.2f} along slow"]
    return []


def _scaled(
    first: np.ndarray, second: np.ndarray, good: np.ndarray, overall: Agreement
) -> list[str]:
    """The factor and offset of nearly all pixels, in words; empty if only bright pixels fit."""
    slope, offset = overall.fit
    if not overall.correlation > 1.0 - ALIKE or slope == 0.0:
        return []
    fitted = slope * first[good].astype(np.float64) + offset
    apart = np.abs(second[good] - fitted)
    rounding = 0.51 if np.issubdtype(second.dtype, np.integer) else 0.0
    fits = apart <= SAME_FACTOR * np.abs(second[good]) + rounding
    if fits.mean() < MOST_PIXELS:
        return []
    shown = []
    if abs(slope - 1.0) > ALIKE:
        known = telling(slope)
        shown.append(f"{slope:.7g} times the first" + (f" ({'; '.join(known)})" if known else ""))
    mean = overall.sums[0] / overall.n_pixels
    if abs(offset) > SAME_FACTOR * abs(slope * mean):
        shown.append(f"{'the first ' if not shown else ''}{offset:+.6g}")
    return [f"the second is {' '.join(shown)}"] if shown else []


def _levelled(image: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The ranks of the pixels, so that a few bright ones, such as 0 0 0, do not dominate."""
    from scipy.stats import rankdata

    ranks = np.zeros(image.shape)
    if good.any():
        ranks[good] = rankdata(image[good], method="average")
        # with a mean of zero, masked pixels do not contribute
        ranks[good] -= ranks[good].mean()
    return ranks


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float((a * a).sum())) * math.sqrt(float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0.0 else 0.0


def _shifted(a: np.ndarray, b: np.ndarray) -> list[str]:
    """Shifts by whole pixels, from the maximum of the cross-correlation."""
    from scipy import fft

    spectra = [fft.rfft2(image - image.mean()) for image in (a, b)]
    crossed = fft.irfft2(np.conj(spectra[0]) * spectra[1], s=a.shape)
    slow, fast = np.unravel_index(int(np.argmax(crossed)), crossed.shape)
    shift = [
        int(at) - n if at > n // 2 else int(at)
        for at, n in ((fast, a.shape[1]), (slow, a.shape[0]))
    ]
    if shift == [0, 0]:
        return []
    moved = a[max(0, -shift[1]) : a.shape[0] - max(0, shift[1]),
              max(0, -shift[0]) : a.shape[1] - max(0, shift[0])]  # fmt: skip
    there = b[max(0, shift[1]) : a.shape[0] + min(0, shift[1]),
              max(0, shift[0]) : a.shape[1] + min(0, shift[0])]  # fmt: skip
    if moved.size < a.size // 4 or _correlation(moved, there) <= RECOGNISED:
        return []
    return [
        f"the second is the first shifted by {shift[0]} pixels along fast, {shift[1]} along slow"
    ]
