"""What can be seen of the steps of the NumPy backend while it renders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.backends.numpy.rays import PixelBlock, Ray
from cupysim.backends.rendered import Observer
from cupysim.plan.spot_shapes import Indices


@dataclass(frozen=True)
class Step:
    """Some orientations of a ray, as a tap sees them.

    Parameters
    ----------
    block : PixelBlock
        The pixels.
    ray : Ray
        Layer, sub-pixel and source.
    crystal : int
        Number of the crystal.
    first : int
        Number of the first orientation, spindle angle times number of domains
        plus domain.
    cells : ndarray, shape (n_orientations, 3, 3)
        Rows a, b, c (m).
    exception : tuple of int and ndarray, or None
        Column of the one pixel which has other cell vectors, and these, shape
        (n, 3, 3), for the first n orientations (quirk Q3).
    indices : tuple of 3 ndarray, shape (n_orientations, n_active)
        Fractional h, k, l.
    cell_factor, lattice_factor : ndarray, shape (n_orientations, n_active)
        F_cell and F_latt.
    sums : ndarray, shape (n_orientations, n_active)
        The pixels' sums after each of the steps.
    """

    block: PixelBlock
    ray: Ray
    crystal: int
    first: int
    cells: np.ndarray
    exception: tuple[int, np.ndarray] | None
    indices: Indices
    cell_factor: np.ndarray
    lattice_factor: np.ndarray
    sums: np.ndarray


class Tap(Observer):
    """Listens to the steps of a render; the methods do nothing unless overridden."""

    def step(self, step: Step) -> None:
        """Some orientations of a ray were computed."""

    def finished(self, block: PixelBlock, total: np.ndarray, photons: np.ndarray) -> None:
        """All of a block was computed: its sums and its photons."""
