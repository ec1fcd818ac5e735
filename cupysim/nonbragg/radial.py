"""The radial average of an image: a table of structure factors out of measured pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cupysim.constants import CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.drop_ins.report_lines import general
from cupysim.maths.stol_interpolation import FIRST
from cupysim.nonbragg.scattering import Block, Scattering

FEWEST_PIXELS = 100
"""Bins with more pixels than this are written."""


@dataclass(frozen=True)
class Measured:
    """An image that is averaged.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (n_slow, n_fast)
        Its pixels.
    gain, offset : float
        Units per photon, and offset (units).
    ignored : tuple of float
        Values of pixels that do not count.
    """

    pixels: np.ndarray
    gain: float
    offset: float
    ignored: tuple[float, ...]


@dataclass(frozen=True)
class Bin:
    """The pixels next to a point of the table.

    Parameters
    ----------
    number : int
        Number of the point, with helper points.
    s : float
        sin(theta)/lambda in the unit of the table.
    count : int
        Number of pixels.
    mean, rmsd : float
        Mean of F, and the root mean square deviation from it (electrons).
    median, mad : float
        Median of F, and of the absolute deviations from it; 0 unless they are asked for (NBQ10).
    """

    number: int
    s: float
    count: int
    mean: float
    rmsd: float
    median: float
    mad: float

    @property
    def is_written(self) -> bool:
        """Whether the bin has enough pixels."""
        return self.count > FEWEST_PIXELS

    @property
    def line(self) -> str:
        """Line of the table, or a warning."""
        if self.is_written:
            s, mean, rmsd, median, mad = map(
                general, (self.s, self.mean, self.rmsd, self.median, self.mad)
            )
            return f"{s} {mean} {rmsd}   {median} {mad}  {self.count}"
        return (
            f"WARNING: not enough pixels in bin= {self.number} n={self.count} stol= {self.s:g} "
            f"median= {general(self.median)} avg_arej= {general(self.mean)}"
        )


class RadialAverage:
    """Collects structure factors of pixels, and averages them in bins around points of the table.

    Parameters
    ----------
    scattering : Scattering
        Experiment of the run.
    measured : Measured
        The image.
    """

    def __init__(self, scattering: Scattering, measured: Measured) -> None:
        self._scattering, self._measured = scattering, measured
        self._bins = [np.zeros(0, dtype=np.intp)]
        self._factors = [np.zeros(0, dtype=np.float32)]

    def add(self, block: Block) -> None:
        """Add the pixels of a block, with its last ray."""
        scattering, measured = self._scattering, self._measured
        values = measured.pixels[block.rows, block.columns].reshape(-1).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            photons = ((values - measured.offset) / measured.gain).astype(np.float32)
            photons = photons.astype(np.float64)
            ray, sample = block.last, scattering.sample
            squared = np.abs(photons) / ray.polar / ray.omega / sample.fluence
            squared = squared / CLASSICAL_ELECTRON_RADIUS_SQUARED / sample.molecules
            factors = np.sign(photons) * np.sqrt(squared * scattering.n_steps)
        nodes, place = scattering.table.nodes, block.place
        is_next = ray.s > (nodes[place] + nodes[place + 1]) / 2.0
        bins = place + is_next
        bins[np.isin(values, measured.ignored)] = 0
        self._bins.append(bins)
        self._factors.append(factors.astype(np.float32))

    def bins(self, has_medians: bool) -> Iterator[Bin]:
        """The bins of all points of the table.

        Parameters
        ----------
        has_medians : bool
            Whether medians are computed (NBQ10 corrected).

        Yields
        ------
        Bin
            For each point. Sums are in single precision and in the order of the pixels, as in
            nonBragg.
        """
        table = self._scattering.table
        bins, factors = np.concatenate(self._bins), np.concatenate(self._factors)
        counts = np.bincount(bins, minlength=len(table.nodes))
        sums = np.zeros(len(table.nodes), dtype=np.float32)
        np.add.at(sums, bins, factors)
        means = sums / np.maximum(counts, 1).astype(np.float32)
        squares = np.zeros_like(sums)
        differences = factors - means[bins]
        np.add.at(squares, bins, differences * differences)
        rmsds = np.sqrt(squares / np.maximum(counts, 1).astype(np.float32))
        for number in range(FIRST, FIRST + table.n_points):
            median = mad = 0.0
            if has_medians and counts[number]:
                median, mad = _medians(factors[bins == number])
            yield Bin(
                number, float(table.nodes[number] / table.unit), int(counts[number]),
                float(means[number]), float(rmsds[number]), median, mad,
            )  # fmt: skip


def _medians(factors: np.ndarray) -> tuple[float, float]:
    median = float(np.median(factors))
    return median, float(np.median(np.abs(factors - median)))
