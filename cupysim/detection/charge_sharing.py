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

CELLS = 4
"""Cells along each edge of a pixel in which photons of an integrating detector arrive."""

FINE_CELLS = 128
"""Cells along each edge from which a counting detector's ways are found."""

MOST_WAYS = 64
"""Ways that the random numbers of a response can tell apart."""


@dataclass(frozen=True)
class Ways:
    """Ways in which pixels share a photon.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n,)
        Probability of each way. Photons that no pixel detects make their sum smaller than 1.
    shares : ndarray of float32, shape (n, 3, 3)
        Signal of the pixel where the photon arrives (middle) and of its neighbours [slow, fast].
    """

    probabilities: np.ndarray
    shares: np.ndarray

    @cached_property
    def is_whole(self) -> bool:
        """Whether each photon is detected by its own pixel or by none."""
        alone = np.zeros((3, 3))
        alone[1, 1] = 1.0
        return len(self.probabilities) == 1 and bool((self.shares[0] == alone).all())


@dataclass(frozen=True)
class ChargeSharing:
    """A Gaussian cloud of charge, where a photon arrives anywhere in its pixel.

    Parameters
    ----------
    cloud : float
        Standard deviation of the cloud along each axis (m).
    threshold : float, optional
        For counting detectors: fraction of the photon's charge from which a pixel counts it. At
        one half, photons near a corner are lost, because no pixel gets that much (corner loss).

    Raises
    ------
    ModelError
        If a number is impossible.
    """

    cloud: float
    threshold: float | None = None

    def __post_init__(self) -> None:
        if not finite(self.cloud, "charge sharing: cloud") >= 0.0:
            raise ModelError(f"charge sharing: a cloud of {self.cloud:g} m is impossible")
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
            For an integrating detector, a way for each of 4 x 4 cells of a pixel, with the mean
            shares of the cell. For a counting detector, a way for each set of pixels that count
            the photon.

        Raises
        ------
        ModelError
            If the cloud is larger than a third of a pixel.
        """
        for edge in (grid.pixel_slow, grid.pixel_fast):
            if self.cloud > edge / 3.0:
                raise ModelError(
                    f"charge sharing: a cloud of {self.cloud:g} m reaches beyond the neighbours of "
                    f"a pixel of {edge:g} m"
                )
        if self.threshold is None:
            slow, fast = (self._shares(edge, CELLS) for edge in (grid.pixel_slow, grid.pixel_fast))
            shares = np.einsum("iy,jx->ijyx", slow, fast).reshape(-1, 3, 3)
            probabilities = np.full(CELLS**2, 1.0 / CELLS**2)
            return Ways(probabilities.astype(np.float32), shares.astype(np.float32))
        slow, fast = (self._shares(e, FINE_CELLS) for e in (grid.pixel_slow, grid.pixel_fast))
        is_counted = np.einsum("iy,jx->ijyx", slow, fast).reshape(-1, 9) > self.threshold
        found, counts = np.unique(is_counted, axis=0, return_counts=True)
        is_any = found.any(axis=1)
        found, counts = found[is_any], counts[is_any]
        order = np.argsort(-counts, kind="stable")
        probabilities = counts[order] / FINE_CELLS**2
        return Ways(
            probabilities.astype(np.float32), found[order].reshape(-1, 3, 3).astype(np.float32)
        )

    def _shares(self, edge: float, n: int) -> np.ndarray:
        """Mean charge of three pixels along an axis, for n cells of the middle one: (n, 3)."""
        if self.cloud == 0.0:
            return np.tile([0.0, 1.0, 0.0], (n, 1))
        borders = np.array([-math.inf, 0.0, 1.0, math.inf])
        fine = (np.arange(n * 16) + 0.5) / (n * 16)
        below = ndtr((borders[:, None] - fine) * (edge / self.cloud))
        return np.asarray(np.diff(below, axis=0).reshape(3, n, 16).mean(axis=2).T)
