"""Access to the intermediate values of the NumPy backend while it renders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cupysim.backends.numpy.rays import PixelBlock, Ray
from cupysim.backends.rendered import Observer
from cupysim.plan.spot_shapes import Indices


@dataclass(frozen=True)
class Step:
    """Intermediate values for some orientations of a ray.

    Parameters
    ----------
    block : PixelBlock
        The pixels and their kept factors.
    ray : Ray
        The ray: layer, sub-pixel and source.
    crystal : int
        Number of the crystal.
    first : int
        Number of the first orientation: number of the spindle angle times the number of domains,
        plus the number of the domain.
    cells : ndarray, shape (n_orientations, 3, 3)
        Cell vectors: rows a, b, c (m).
    exception : tuple of int and ndarray, or None
        Column of the one pixel that has other cell vectors, and these vectors (m), shape
        (n, 3, 3), for the first n orientations (quirk Q3).
    indices : tuple of 3 ndarray, shape (n_orientations, n_active)
        Fractional h, k, l.
    cell_factor, lattice_factor : ndarray, shape (n_orientations, n_active)
        F_cell (electrons) and F_latt.
    diffuse : ndarray, shape (n_orientations, n_active), or None
        Diffuse scattering (electrons squared), if there is any.
    sums : ndarray, shape (n_orientations, n_active)
        Sums of the pixels after each of the steps (electrons squared).
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
    diffuse: np.ndarray | None
    sums: np.ndarray


class Tap(Observer):
    """Receives the steps of a render. Its methods do nothing unless a subclass overrides them."""

    needs_numpy = True

    def step(self, step: Step) -> None:
        """Called when some orientations of a ray have been computed."""

    def finished(self, block: PixelBlock, total: np.ndarray, photons: np.ndarray) -> None:
        """Called with the sums (electrons squared) and photons of a block that is complete."""
