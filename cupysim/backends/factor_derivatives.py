"""Derivatives with respect to structure factors, as a sparse matrix.

A pixel depends on few structure factors, so most of the matrix is zero.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.interpolation import NODES, node_weights
from cupysim.plan.render_plan import RenderPlan

ENTRIES_AT_ONCE = 2**22
"""Number of entries that are collected before entries of the same pixel and reflection are summed.
It limits the memory that the entries need."""


@dataclass(frozen=True, eq=False, repr=False)
class FactorGradient:
    """Derivatives of expected photons with respect to structure factors.

    Parameters
    ----------
    matrix : scipy.sparse.csr_array, shape (n_panels * n_slow * n_fast, n_reflections)
        Derivatives in photons per electron. A row is a pixel, (panel * n_slow + slow) * n_fast +
        fast; a column is a reflection of the table. If structure factors differ at several
        wavelengths, each wavelength has columns of its own, one after the other.
    hkl : ndarray of int, shape (n_reflections, 3)
        Miller indices of the matrix's columns.
    image_shape : tuple of int
        Numbers of panels, slow pixels and fast pixels.
    channels : ndarray of int, shape (n_reflections,)
        Number of each column's wavelength, counted from 0; wavelengths are ascending.
    """

    matrix: Any
    hkl: np.ndarray
    image_shape: tuple[int, int, int]
    channels: np.ndarray

    def times(self, fractions: np.ndarray) -> FactorGradient:
        """The derivatives of an image whose pixels are multiplied by fractions.

        Parameters
        ----------
        fractions : ndarray, shape (n_panels, n_slow, n_fast)
            Fractions of the photons of each pixel.
        """
        from scipy.sparse import diags_array

        weights = diags_array(np.asarray(fractions, dtype=np.float64).ravel())
        return replace(self, matrix=(weights @ self.matrix).tocsr())

    def add(self, other: FactorGradient) -> FactorGradient:
        """The derivatives of the sum of two images with the same structure factors."""
        assert np.array_equal(self.hkl, other.hkl)
        assert np.array_equal(self.channels, other.channels)
        return replace(self, matrix=(self.matrix + other.matrix).tocsr())

    def along(self, slopes: np.ndarray) -> np.ndarray:
        """Derivatives with respect to a parameter on which structure factors depend.

        Parameters
        ----------
        slopes : ndarray, shape (n_h, n_k, n_l) or (n_channels, n_h, n_k, n_l)
            Derivative of each structure factor of the table with respect to the parameter
            (electrons per unit of the parameter), for example
            ``structure.slopes["SE"].imaginary`` (see `read_structure`). With zeros for all channels
            but one, it is the derivative with respect to f'' at this wavelength alone.

        Returns
        -------
        ndarray, shape (n_panels, n_slow, n_fast) or (n_slow, n_fast)
            Derivative of each pixel's photons (photons per unit of the parameter); without the axis
            of panels if there is one panel.

        Raises
        ------
        ModelError
            If there is not one slope for each reflection of the table.
        """
        given = np.ravel(np.asarray(slopes, dtype=np.float64))
        if len(given) != self.matrix.shape[1]:
            raise ModelError(
                f"structure factors: {len(given)} slopes for {self.matrix.shape[1]} reflections; "
                "each wavelength needs slopes of its own"
            )
        found = np.asarray(self.matrix @ given).reshape(self.image_shape)
        return found[0] if self.image_shape[0] == 1 else found

    def __repr__(self) -> str:
        pixels, reflections = self.matrix.shape
        return (
            f"<FactorGradient: {self.matrix.nnz} derivatives of {pixels} pixels with "
            f"{reflections} reflections>"
        )


class FactorSums:
    """Sums derivatives by pixel and reflection.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image. Its table of structure factors defines the reflections.
    shares : ndarray, shape (n_tables, n_channels)
        Weights that make each table of the plan from the channels of the structure factors.
    """

    def __init__(self, plan: RenderPlan, shares: np.ndarray) -> None:
        self._shares, self.n_tables = shares, len(plan.factors.table)
        self.image_shape = plan.shape[1], plan.shape[2], plan.shape[3]
        self.n_pixels = plan.shape[1] * plan.shape[2] * plan.shape[3]
        self.shape = tuple(n - 2 for n in plan.factors.table.shape[1:])
        self.first = plan.factors.first
        self._pixels: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        self._count = 0
        # several devices may share an image, each in its own thread
        self._lock = threading.Lock()

    def add(
        self,
        pixels: np.ndarray,
        indices: list[np.ndarray],
        nearest: list[np.ndarray],
        interpolated: np.ndarray | None,
        slopes: np.ndarray,
        table: int,
    ) -> None:
        """Add derivatives of some steps with respect to the structure factor F.

        Parameters
        ----------
        pixels : ndarray of int
            Pixel numbers, (panel * n_slow + slow) * n_fast + fast.
        indices, nearest : list of 3 ndarray
            Fractional h, k, l, and h, k, l of the nearest reflection.
        interpolated : ndarray of bool or None
            True where F is interpolated and depends on 64 reflections; None if it never is.
        slopes : ndarray
            Derivatives with respect to F (photons per electron). All arrays have the same shape.
        table : int
            Number of the table of structure factors.
        """
        if interpolated is None:
            interpolated = np.zeros(slopes.shape, dtype=bool)
        alone = ~interpolated
        places = [whole[alone].astype(np.int64) for whole in nearest]
        self._append(pixels[alone], places, slopes[alone], table)
        if not interpolated.any():
            return
        inside = [index[interpolated] for index in indices]
        floors = [np.floor(index) for index in inside]
        weights = [node_weights(index, floor) for index, floor in zip(inside, floors, strict=True)]
        for nodes in itertools.product(range(4), repeat=3):
            weight = np.prod(
                [of_axis[node] for of_axis, node in zip(weights, nodes, strict=True)], axis=0
            )
            places = [
                (floor + NODES[node]).astype(np.int64)
                for floor, node in zip(floors, nodes, strict=True)
            ]
            self._append(pixels[interpolated], places, slopes[interpolated] * weight, table)

    def _append(
        self, pixels: np.ndarray, places: list[np.ndarray], values: np.ndarray, table: int
    ) -> None:
        """Keep the entries of reflections that are in the table."""
        shifted = [place - start for place, start in zip(places, self.first, strict=True)]
        known = values != 0.0
        for place, length in zip(shifted, self.shape, strict=True):
            known &= (place >= 0) & (place < length)
        flat = np.ravel_multi_index([place[known] for place in shifted], self.shape)
        flat = flat + table * int(np.prod(self.shape))
        self.add_flat(pixels[known], flat, values[known])

    def add_flat(self, pixels: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
        """Add entries; `places` are flat positions of reflections in the tables."""
        with self._lock:
            self._pixels.append(np.asarray(pixels))
            self._places.append(np.asarray(places))
            self._values.append(np.asarray(values))
            self._count += len(values)
            if self._count > ENTRIES_AT_ONCE:
                self._merge()

    def _merge(self) -> Any:
        """Sum all entries so far into one sparse matrix."""
        from scipy.sparse import coo_array

        pixels, places, values = (
            np.concatenate(parts) if parts else np.empty(0)
            for parts in (self._pixels, self._places, self._values)
        )
        shape = (self.n_pixels, self.n_tables * int(np.prod(self.shape)))
        merged = coo_array((values, (pixels.astype(np.int64), places.astype(np.int64))), shape)
        merged.sum_duplicates()
        self._pixels, self._places = [merged.coords[0]], [merged.coords[1]]
        self._values = [merged.data]
        self._count = 0
        return merged

    def result(self, scale: float) -> FactorGradient:
        """The sums, multiplied by `scale`."""
        from scipy.sparse import csr_array, eye_array, kron

        merged, count = self._merge().tocsr() * scale, int(np.prod(self.shape))
        n_tables, n_channels = self._shares.shape
        if not np.array_equal(self._shares, np.eye(n_tables, n_channels)):
            # tables between two wavelengths depend on the structure factors at both
            merged = csr_array(merged @ kron(self._shares, eye_array(count), format="csr"))
        hkl = np.stack(np.unravel_index(np.arange(count), self.shape), axis=-1)
        return FactorGradient(
            merged,
            np.tile(hkl + np.array(self.first), (n_channels, 1)),
            self.image_shape,
            np.repeat(np.arange(n_channels), count),
        )
