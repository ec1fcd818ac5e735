"""Charge sharing: the charge of a photon near a pixel's edge reaches neighbouring pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from cupysim.detection.pixel_grid import PixelGrid
from cupysim.errors import ModelError
from cupysim.models.checks import finite

PLACES = 16
"""Places along each cell whose charges are averaged."""

FINE_CELLS = 400
"""Cells along each edge of a pixel, from which the ways of a counting detector are found."""


@dataclass(frozen=True)
class Ways:
    """Ways in which neighbouring pixels share the charge of a photon.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n,)
        Probability of each way. Their sum is below 1 if no pixel detects some photons.
    shares : ndarray of float32, shape (n, 3, 3)
        Signals (photons) of the pixel where the photon arrives (middle) and of its neighbours
        [slow, fast].
    """

    probabilities: np.ndarray
    shares: np.ndarray

    @cached_property
    def is_whole(self) -> bool:
        """Whether only the pixel where a photon arrives can detect it."""
        alone = np.zeros((3, 3))
        alone[1, 1] = 1.0
        return len(self.probabilities) == 1 and bool((self.shares[0] == alone).all())


@dataclass(frozen=True)
class ChargeSharing:
    """Charge sharing of a Gaussian charge cloud. Photons arrive anywhere in a pixel.

    Parameters
    ----------
    cloud : float
        Standard deviation of the cloud along each axis (m).
    threshold : float, optional
        For counting detectors: a pixel counts a photon if it gets more than this fraction of the
        photon's charge. At one half, the detector loses photons near a corner, because no pixel
        gets half of their charge (corner loss).

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    cloud: float
    threshold: float | None = None

    def __post_init__(self) -> None:
        if not finite(self.cloud, "charge sharing: cloud") > 0.0:
            raise ModelError(f"charge sharing: cloud must be above zero, got {self.cloud:g} m")
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise ModelError(
                f"charge sharing: the threshold must be between 0 and 1, got {self.threshold:g}"
            )

    def ways(self, grid: PixelGrid) -> Ways:
        """Ways in which pixels of a grid share a photon.

        Parameters
        ----------
        grid : PixelGrid
            The pixels.

        Returns
        -------
        Ways
            For an integrating detector, a way for each of 3 x 3 cells of a pixel, with the mean
            shares of the cell. The outer cells are as wide as the standard deviation of the cloud.
            The means make the variance too small by at most 3 %. For a counting detector, a way for
            each set of pixels that count the photon.

        Raises
        ------
        ModelError
            If the cloud is larger than a third of a pixel, or no pixel counts a photon.
        """
        for edge in (grid.pixel_slow, grid.pixel_fast):
            if self.cloud > edge / 3.0:
                raise ModelError(
                    f"charge sharing: a cloud of {self.cloud:g} m reaches beyond the neighbours of "
                    f"a pixel of {edge:g} m"
                )
        edges = grid.pixel_slow, grid.pixel_fast
        if self.threshold is None:
            widths = [np.array([s, 1.0 - 2.0 * s, s]) for s in (self.cloud / e for e in edges)]
            slow, fast = (self._shares(e, w) for e, w in zip(edges, widths, strict=True))
            shares = np.einsum("iy,jx->ijyx", slow, fast).reshape(-1, 3, 3)
            probabilities = np.outer(*widths).reshape(-1)
            return Ways(probabilities.astype(np.float32), shares.astype(np.float32))
        equal = np.full(FINE_CELLS, 1.0 / FINE_CELLS)
        slow, fast = (self._shares(e, equal) for e in edges)
        is_counted = np.einsum("iy,jx->ijyx", slow, fast).reshape(-1, 9) > self.threshold
        codes, counts = np.unique(is_counted @ (1 << np.arange(9)), return_counts=True)
        codes, counts = codes[codes > 0], counts[codes > 0]
        if not len(codes):
            raise ModelError(
                f"charge sharing: with a cloud of {self.cloud:g} m and a threshold of "
                f"{self.threshold:g}, no pixel counts a photon"
            )
        order = np.argsort(-counts, kind="stable")
        found = codes[order, None] >> np.arange(9) & 1
        return Ways(
            (counts[order] / FINE_CELLS**2).astype(np.float32),
            found.reshape(-1, 3, 3).astype(np.float32),
        )

    def _shares(self, edge: float, widths: np.ndarray) -> np.ndarray:
        """Mean charge of three pixels along an axis, for cells of the middle one: (n, 3)."""
        starts = np.cumsum(widths) - widths
        places = (np.arange(PLACES) + 0.5) / PLACES
        fine = (starts[:, None] + widths[:, None] * places).reshape(-1)
        borders = np.array([-math.inf, 0.0, 1.0, math.inf])
        below = ndtr((borders[:, None] - fine) * (edge / self.cloud))
        return np.asarray(np.diff(below, axis=0).reshape(3, -1, PLACES).mean(axis=2).T)
