"""Miller indices of the reflections in a shell around the Ewald sphere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cupysim.maths.arrays import norm
from cupysim.plan.factor_table import FactorTable
from cupysim.plan.structure_factor import nearest_factor
from cupysim.prediction import spot_library

MARGIN = 1e-6
"""Added to both ends of the range of an index, so that rounding errors do not exclude the first or
the last one."""


class ReflectionsFound(NamedTuple):
    """Reflections that were found in a shell.

    Parameters
    ----------
    hkl : ndarray of int64, shape (n, 3)
        Miller indices.
    rays : ndarray, shape (n, 3)
        Wave vectors of the scattered photons (1/m).
    amplitudes : ndarray, shape (n_channels, n)
        Structure factors (electrons) of each channel.
    """

    hkl: np.ndarray
    rays: np.ndarray
    amplitudes: np.ndarray


@dataclass(frozen=True)
class Shell:
    """A shell around the Ewald sphere.

    Parameters
    ----------
    star : ndarray, shape (3, 3)
        Columns a*, b*, c* (1/m).
    beam : ndarray, shape (3,)
        Wave vector of the incident photons (1/m). Its length is the radius of the Ewald sphere.
    width, spread : float
        The largest distance from the sphere (1/m), on both sides, is width + spread |q|. q is the
        scattering vector.
    longest : float
        Largest length of the scattering vectors (1/m).
    ends : ndarray of int, shape (2, 3)
        First and last h, k, l to consider.
    expected : float
        Estimate of the number of reflections.
    """

    star: np.ndarray
    beam: np.ndarray
    width: float
    spread: float
    longest: float
    ends: np.ndarray
    expected: float

    def reflections(self, factors: FactorTable) -> ReflectionsFound:
        """Find the reflections of the shell, except 0 0 0, sorted by h, then k, then l.

        Parameters
        ----------
        factors : FactorTable
            Structure factors. Reflections for which they are zero are left out.
        """
        return self._compiled(factors) if spot_library.available() else self._by_numpy(factors)

    def _by_numpy(self, factors: FactorTable) -> ReflectionsFound:
        reach = self.width + self.longest * self.spread
        hkl = indices_in_shell(self.star, self.beam, reach, self.longest, self.ends)
        q = hkl @ self.star.T
        rays = q + self.beam
        length, distance = norm(q), np.abs(norm(rays) - norm(self.beam))
        near = distance <= self.width + length * self.spread
        near &= (length <= self.longest) & (length > 0.0)
        hkl, rays = hkl[near], rays[near]
        h, k, l = hkl.T.astype(np.float64)
        amplitudes = np.stack(
            [nearest_factor(factors, channel, (h, k, l)) for channel in range(len(factors.table))]
        )
        used = (amplitudes != 0.0).any(axis=0)
        return ReflectionsFound(hkl[used], rays[used], amplitudes[:, used])

    def _compiled(self, factors: FactorTable) -> ReflectionsFound:
        search = np.zeros((), dtype=spot_library.shell_search())
        for name in ("beam", "width", "spread", "longest"):
            search[name] = getattr(self, name)
        search["star"], (search["first"], search["last"]) = self.star.ravel(), self.ends
        search["inner"] = inner = _widest_index(self.ends)
        table = np.ascontiguousarray(factors.table, dtype=np.float64)
        search["table"], search["n_channels"] = table.ctypes.data, len(table)
        search["table_first"], search["table_size"] = factors.first, table.shape[1:]
        search["is_constant"], search["constant"] = factors.is_constant, factors.default
        capacity = int(1.2 * self.expected) + 1000
        while True:
            hkl, rays = np.empty((capacity, 3), dtype=np.int64), np.empty((capacity, 3))
            amplitudes = np.empty((capacity, len(table)))
            search["capacity"], search["amplitudes"] = capacity, amplitudes.ctypes.data
            search["hkl"], search["rays"] = hkl.ctypes.data, rays.ctypes.data
            count = spot_library.find_reflections(search)
            if count <= capacity:
                break
            capacity = count
        found = ReflectionsFound(hkl[:count], rays[:count], amplitudes[:count].T)
        if inner == 2:
            return found
        order = np.lexsort(found.hkl.T[::-1])
        return ReflectionsFound(found.hkl[order], found.rays[order], found.amplitudes[:, order])


def _widest_index(ends: np.ndarray) -> int:
    """Number of the index with the widest range; the last one of equal ranges."""
    return 2 - int(np.argmax((ends[1] - ends[0])[::-1]))


def indices_in_shell(
    star: np.ndarray, beam: np.ndarray, reach: float, longest: float, ends: np.ndarray
) -> np.ndarray:
    """Find the Miller indices of scattering vectors near the Ewald sphere.

    Parameters
    ----------
    star : ndarray, shape (3, 3)
        Columns a*, b*, c* (1/m).
    beam : ndarray, shape (3,)
        Wave vector of the incident photons (1/m). Its length is the radius of the Ewald sphere.
    reach : float
        Largest distance from the sphere, on both sides (1/m).
    longest : float
        Largest length of the scattering vectors (1/m).
    ends : ndarray of int, shape (2, 3)
        First and last h, k, l to consider.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        All indices within these limits, sorted by h, then k, then l. A few may lie slightly
        outside, because ranges are extended by `MARGIN`.

    Notes
    -----
    If two indices are given, the wave vector of the scattered photons is a linear function of the
    third one, x. The squares of its length and of that of the scattering vector are quadratic
    functions of x, and the limits of x are their roots. x is the index with the widest range, so
    that there are few pairs of the others.
    """
    widths = ends[1] - ends[0] + 1
    inner = _widest_index(ends)
    outer = [axis for axis in range(3) if axis != inner]
    pairs = np.stack(
        np.meshgrid(*(np.arange(ends[0, i], ends[1, i] + 1) for i in outer), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    start, along = pairs @ star[:, outer].T, star[:, inner]
    radius = float(norm(beam))
    first, last = _between_roots(start, along, longest)
    low, high = _between_roots(start + beam, along, radius + reach)
    first = np.maximum(np.maximum(first, low), float(ends[0, inner]))
    last = np.minimum(np.minimum(last, high), float(ends[1, inner]))
    inner_first, inner_last = _between_roots(start + beam, along, max(radius - reach, 0.0))
    has_inside = inner_last - inner_first > 2.0 * MARGIN
    ranges = (
        (first, np.where(has_inside, np.minimum(last, inner_first), last)),
        (np.where(has_inside, np.maximum(first, inner_last), np.inf), last),
    )
    found = np.concatenate([_integers_between(*limits) for limits in ranges])
    indices = np.empty((len(found), 3), dtype=np.int64)
    indices[:, outer], indices[:, inner] = pairs[found[:, 0]], found[:, 1]
    place = np.ravel_multi_index(tuple((indices - ends[0]).T), tuple(widths))
    order = np.argsort(place)
    # both ranges may contain the same index if they nearly touch
    is_new = np.diff(place[order], prepend=-1) > 0
    return indices[order[is_new]]


def _integers_between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Numbers of ranges, and all integers in them; shape (n, 2). Ranges may be empty."""
    used = np.flatnonzero(low - MARGIN <= high + MARGIN)
    begin = np.ceil(low[used] - MARGIN).astype(np.int64)
    count = np.maximum(np.floor(high[used] + MARGIN).astype(np.int64) - begin + 1, 0)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([np.repeat(used, count), np.repeat(begin, count) + place], axis=1)


def _between_roots(
    start: np.ndarray, along: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """First and last x for which start + x along is within a sphere around the origin.

    Where there is none, the first is infinite and the last minus infinite.
    """
    square = float(along @ along)
    middle = -(start @ along) / square
    left = (radius**2 - (start * start).sum(axis=1)) / square + middle**2
    inside = left >= 0.0
    half = np.sqrt(np.where(inside, left, 0.0))
    return np.where(inside, middle - half, np.inf), np.where(inside, middle + half, -np.inf)
