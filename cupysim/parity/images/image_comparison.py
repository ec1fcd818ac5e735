"""Comparison of two images of the same experiment, as a whole and by region."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cupysim.constants import RTOL
from cupysim.errors import CupysimError
from cupysim.parity.images.agreement import Agreement, Worst
from cupysim.parity.images.peaks import PeakMatch, match_peaks
from cupysim.parity.images.resemblance import resemblance

FLOOR = 1e-9
"""Smallest tolerance of a pixel, as a part of the largest pixel. At zeros of the interference
function, rounding errors have this size."""

ROWS_AT_ONCE = 64
"""Number of rows that are converted to float64 together, to limit memory."""


@dataclass(frozen=True)
class RegionAgreement:
    """The agreement of a region of the images.

    Parameters
    ----------
    fast, slow : tuple of 2 int
        First and last pixel of the region along each axis.
    agreement : Agreement
        Agreement of its pixels.
    panel : str
        Name of the panel that is the region; empty for images of one panel.
    """

    fast: tuple[int, int]
    slow: tuple[int, int]
    agreement: Agreement
    panel: str = ""


@dataclass(frozen=True)
class ImageComparison:
    """The result of a comparison of images.

    Parameters
    ----------
    overall : Agreement
        Agreement of all pixels.
    regions : list of RegionAgreement
        Agreement of regions, row after row.
    peaks : PeakMatch
        Agreement of the strongest peaks.
    n_masked : int
        Number of pixels that either image masks.
    hints : list of str
        Possible causes of the difference.
    """

    overall: Agreement
    regions: list[RegionAgreement]
    peaks: PeakMatch
    n_masked: int
    hints: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Limits:
    """The tolerance of a pixel: a part of its own value plus a part of the largest pixel."""

    rtol: float
    floor: float
    largest: float

    @property
    def absolute(self) -> float:
        """The second part of the tolerance, in the unit of the pixels."""
        return self.floor * self.largest


def compare_images(
    first: np.ndarray,
    second: np.ndarray,
    masked: np.ndarray | None = None,
    rtol: float = RTOL,
    floor: float = FLOOR,
    regions: int = 4,
) -> ImageComparison:
    """Compare two images.

    Parameters
    ----------
    first, second : ndarray, shape (n_slow, n_fast)
        The images, of any number type.
    masked : ndarray of bool, shape (n_slow, n_fast), optional
        True for pixels to leave out.
    rtol : float, optional
        Tolerance as a part of the pixel's own value.
    floor : float, optional
        Tolerance as a part of the largest pixel, in addition to `rtol`.
    regions : int, optional
        Number of regions along each edge; 0 for no regions.

    Returns
    -------
    ImageComparison
        Agreement overall, by region and of peaks, and possible causes of the difference.

    Raises
    ------
    CupysimError
        If the images differ in size, nothing is left to compare, or a number is not finite.
    """
    good, limits = _prepared(first, second, masked, rtol, floor)
    overall = _agreement(first, second, good, limits)
    parts = list(_regions(first, second, good, limits, regions)) if regions > 0 else []
    peaks = match_peaks(np.where(good, first, 0), np.where(good, second, 0))
    hints = resemblance(first, second, good, overall, peaks) if overall.n_beyond else []
    return ImageComparison(overall, parts, peaks, int(good.size - good.sum()), hints)


def compare_panels(
    first: np.ndarray,
    second: np.ndarray,
    masked: np.ndarray,
    names: Sequence[str],
    rtol: float = RTOL,
    floor: float = FLOOR,
) -> ImageComparison:
    """Compare two images of a detector of panels.

    Parameters
    ----------
    first, second : ndarray, shape (n_panels, n_slow, n_fast)
        The images, of any number type.
    masked : ndarray of bool, shape (n_panels, n_slow, n_fast)
        True for pixels to leave out.
    names : sequence of str
        Names of the panels.
    rtol, floor : float, optional
        As for `compare_images`.

    Returns
    -------
    ImageComparison
        Agreement overall, of each panel and of peaks. Places are those in their panel.

    Raises
    ------
    CupysimError
        If the images differ in size, nothing is left to compare, or a number is not finite.
    """
    if first.shape != second.shape:
        sizes = " and ".join(" x ".join(map(str, each.shape[::-1])) for each in (first, second))
        raise CupysimError(f"images of {sizes} pixels (fast x slow x panels) cannot be compared")
    n_slow, n_fast = first.shape[1:]
    one, other, hidden = (array.reshape(-1, n_fast) for array in (first, second, masked))
    good, limits = _prepared(one, other, hidden, rtol, floor)
    found = compare_images(one, other, hidden, rtol, floor, regions=0)

    def named(worst: Worst | None) -> Worst | None:
        if worst is None:
            return None
        number, slow = divmod(worst.slow, n_slow)
        return replace(worst, slow=slow, panel=names[number])

    regions = []
    for number, name in enumerate(names):
        rows = slice(number * n_slow, (number + 1) * n_slow)
        if good[rows].any():
            part = _agreement(one[rows], other[rows], good[rows], limits)
            regions.append(RegionAgreement((0, n_fast - 1), (0, n_slow - 1), part, name))
    worst = found.overall.absolute, found.overall.relative
    overall = replace(found.overall, absolute=named(worst[0]), relative=named(worst[1]))
    return replace(found, overall=overall, regions=regions)


def agreement(
    first: np.ndarray, second: np.ndarray, rtol: float = RTOL, floor: float = FLOOR
) -> Agreement:
    """The agreement of two whole images; see `compare_images` for the parameters."""
    return _agreement(first, second, *_prepared(first, second, None, rtol, floor))


def _prepared(
    first: np.ndarray,
    second: np.ndarray,
    masked: np.ndarray | None,
    rtol: float,
    floor: float,
) -> tuple[np.ndarray, _Limits]:
    """Check two images. Returns the pixels to compare, and their tolerance."""
    if first.shape != second.shape:
        sizes = " and ".join(" x ".join(map(str, each.shape[::-1])) for each in (first, second))
        panels = "" if first.ndim == second.ndim == 2 else " x panels"
        raise CupysimError(f"images of {sizes} pixels (fast x slow{panels}) cannot be compared")
    good = np.ones(first.shape, dtype=bool) if masked is None else ~masked
    if not good.any():
        raise CupysimError("all pixels are masked; nothing is left to compare")
    for which, image in (("first", first), ("second", second)):
        wrong = int(np.count_nonzero(~np.isfinite(image) & good))
        if wrong:
            raise CupysimError(f"the {which} image has {wrong} pixels that are not finite")
    largest = max(_largest(image, good) for image in (first, second))
    return good, _Limits(rtol, floor, largest)


def _largest(image: np.ndarray, good: np.ndarray) -> float:
    low, high = (f(image, where=good, initial=0) for f in (np.min, np.max))
    return max(-float(low), float(high))


def _regions(
    first: np.ndarray,
    second: np.ndarray,
    good: np.ndarray,
    limits: _Limits,
    count: int,
) -> Iterator[RegionAgreement]:
    n_slow, n_fast = first.shape
    slow_edges, fast_edges = (
        np.unique(np.linspace(0, n, count + 1).astype(int)) for n in (n_slow, n_fast)
    )
    for top, bottom in itertools.pairwise(slow_edges):
        for left, right in itertools.pairwise(fast_edges):
            part = slice(top, bottom), slice(left, right)
            if good[part].any():
                agreement = _agreement(first[part], second[part], good[part], limits)
                yield RegionAgreement(
                    (int(left), int(right) - 1), (int(top), int(bottom) - 1), agreement
                )


def _blocks(
    first: np.ndarray, second: np.ndarray, good: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    for row in range(0, len(first), ROWS_AT_ONCE):
        rows = slice(row, row + ROWS_AT_ONCE)
        yield row, first[rows].astype(np.float64), second[rows].astype(np.float64), good[rows]


def _agreement(
    first: np.ndarray, second: np.ndarray, good: np.ndarray, limits: _Limits
) -> Agreement:
    n = int(good.sum())
    sums = np.array(
        [(a[kept].sum(), b[kept].sum()) for _, a, b, kept in _blocks(first, second, good)]
    ).sum(axis=0)
    mean_a, mean_b = sums / n
    squares = np.zeros(4)
    n_equal = n_beyond = 0
    absolute = relative = None
    for row, a, b, kept in _blocks(first, second, good):
        da, db = np.where(kept, a - mean_a, 0.0), np.where(kept, b - mean_b, 0.0)
        apart = np.where(kept, np.abs(b - a), 0.0)
        size = np.maximum(np.abs(a), np.abs(b))
        squares += [float((x * y).sum()) for x, y in ((da, da), (db, db), (da, db), (apart, apart))]
        n_equal += int(np.count_nonzero(kept & (apart == 0.0)))
        n_beyond += int(np.count_nonzero(apart > limits.rtol * size + limits.absolute))
        absolute = _worse(absolute, row, apart, a, b)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(apart > limits.absolute, apart / size, 0.0)
        relative = _worse(relative, row, ratio, a, b)
    aa, bb, ab, dd = squares
    slope = ab / aa if aa > 0.0 else math.nan
    correlation = ab / math.sqrt(aa) / math.sqrt(bb) if aa > 0.0 and bb > 0.0 else math.nan
    return Agreement(
        n_pixels=n,
        n_equal=n_equal,
        n_beyond=n_beyond,
        correlation=min(correlation, 1.0),
        sums=(float(sums[0]), float(sums[1])),
        rmse=math.sqrt(dd / n),
        absolute=absolute,
        relative=relative,
        largest=limits.largest,
        fit=(slope, float(mean_b - slope * mean_a)),
    )


def _worse(
    so_far: Worst | None, row: int, apart: np.ndarray, a: np.ndarray, b: np.ndarray
) -> Worst | None:
    slow, fast = np.unravel_index(int(np.argmax(apart)), apart.shape)
    difference = float(apart[slow, fast])
    if difference == 0.0 or (so_far is not None and so_far.difference >= difference):
        return so_far
    at = (slow, fast)
    return Worst(difference, int(fast), row + int(slow), float(a[at]), float(b[at]))
