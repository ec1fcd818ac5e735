"""What the difference of two images looks like: scaled, shifted, turned over."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cupysim.comparison.peaks import PeakMatch
from cupysim.trace.hints import telling

if TYPE_CHECKING:
    from cupysim.comparison.images import Agreement

ALIKE = 1e-7
"""How far the correlation of images may be from one which differ by a scale and an offset, and by
the rounding to whole numbers."""

RECOGNISED = 0.99
"""Correlation of an image with another which was turned over or shifted."""

LARGEST_EDGE = 2048
"""Pixels of the middle of an image in which a shift is looked for."""

NOTICEABLE_SHIFT = 0.02
"""Pixels."""

TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upside down: the slow axis reversed": lambda image: image[::-1],
    "mirrored: the fast axis reversed": lambda image: image[:, ::-1],
    "turned by 180 degrees": lambda image: image[::-1, ::-1],
    "with fast and slow exchanged": lambda image: image.T,
    "turned by 90 degrees": lambda image: np.rot90(image),
    "turned by 270 degrees": lambda image: np.rot90(image, 3),
    "with fast and slow exchanged and both reversed": lambda image: image[::-1, ::-1].T,
}


def resemblance(
    first: np.ndarray,
    second: np.ndarray,
    good: np.ndarray,
    overall: Agreement,
    peaks: PeakMatch,
) -> list[str]:
    """What the difference of two images looks like.

    Parameters
    ----------
    first, second : ndarray, shape (n_slow, n_fast)
        Images which differ.
    good : ndarray of bool, shape (n_slow, n_fast)
        Pixels which count.
    overall : Agreement
        What is known of them.
    peaks : PeakMatch
        Their peaks.

    Returns
    -------
    list of str
        Perhaps empty.
    """
    if overall.correlation > 1.0 - ALIKE:
        return _scaled(overall)
    a, b = (np.where(good, image, 0).astype(np.float64) for image in (first, second))
    found = []
    if not overall.correlation > RECOGNISED:
        found += [
            f"the second is the first {text}"
            for text, turn in TURNS.items()
            if turn(a).shape == b.shape and _correlation(turn(a), b) > RECOGNISED
        ]
        found += _shifted(a, b)
    largest = max(map(abs, peaks.shift))
    if not found and largest > NOTICEABLE_SHIFT and peaks.fraction > 0.5:
        fast, slow = peaks.shift
        found.append(f"peaks are shifted by {fast:+.2f} pixels along fast, {slow:+.2f} along slow")
    return found


def _scaled(overall: Agreement) -> list[str]:
    slope, offset = overall.fit
    mean = overall.sums[0] / overall.n_pixels
    shown = f"the second is {slope:.9g} times the first"
    if abs(offset) > ALIKE * abs(slope * mean):
        shown += f" {'+' if offset > 0.0 else '-'} {abs(offset):.6g}"
    known = telling(slope)
    return [shown + (f" ({'; '.join(known)})" if known else "")]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float((a * a).sum())) * math.sqrt(float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0.0 else 0.0


def _shifted(a: np.ndarray, b: np.ndarray) -> list[str]:
    """Shifts by whole pixels, from the maximum of the cross-correlation."""
    from scipy import fft

    n_slow, n_fast = (min(n, LARGEST_EDGE) for n in a.shape)
    a, b = a[:n_slow, :n_fast], b[:n_slow, :n_fast]
    # logarithms, so that a few strong pixels do not decide
    spectra = [
        fft.rfft2(image - image.mean())
        for image in (np.log1p(np.maximum(i, 0.0) / (i.mean() or 1.0)) for i in (a, b))
    ]
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
