"""Spot shapes: the lattice factor and its integrals for each member of `Shape`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

import numpy as np

from cupysim.maths import lattice_factor, spot_bounds, spot_profiles
from cupysim.maths.interpolation import nearest_index
from cupysim.models.crystal import Shape

Indices = tuple[Any, Any, Any]
"""Fractional Miller indices, arrays of one shape."""


class Measure(Enum):
    """The variable of a lattice factor: indices, offsets or distance."""

    INDICES = "indices"
    """The fractional Miller indices h, k, l themselves."""
    OFFSETS = "offsets"
    """The offsets of h, k, l from the nearest reflection."""
    DISTANCE = "distance"
    """The squared distance from the nearest reflection, measured with `CrystalTable.spot_axes`."""


@dataclass(frozen=True)
class SpotShape:
    """Functions of one spot shape.

    Parameters
    ----------
    measure : Measure
        Variable of the lattice factor.
    amplitude : callable
        Function of this variable, the numbers of cells and fudge; returns F_latt.
    section : callable
        Integral of F_latt^2 over the Ewald sphere near a reflection. The arguments are distance,
        numbers of cells and fudge if `measure` is DISTANCE. Otherwise they are projections,
        distance, numbers of cells, volume and fudge.
    squared_slopes : callable, optional
        Function of offsets, numbers of cells and fudge; returns F_latt^2 and its derivatives. None
        if the shape has no derivatives.
    bound : callable, optional
        Upper bound of F_latt^2. The arguments are a lower bound of the distance, and V, if
        `measure` is DISTANCE. Otherwise they are lower bounds of the offsets, numbers of cells and
        fudge. None if the only bound is V^2; images within a tolerance then leave nothing out.
    slope_bound : callable, optional
        Upper bound of the derivatives of F_latt^2. Further arguments are `fudge`, and whether the
        bound must hold for derivatives with respect to the numbers of cells. None if there is no
        bound; derivatives within a tolerance then leave nothing out.
    """

    measure: Measure
    amplitude: Callable[[Any, Any, float], Any]
    section: Callable[..., np.ndarray]
    squared_slopes: Callable[[Indices, Any, float], lattice_factor.Slopes] | None = None
    bound: Callable[..., np.ndarray] | None = None
    slope_bound: Callable[..., np.ndarray] | None = None

    def lattice_factor(
        self, indices: Indices, n_cells: np.ndarray, fudge: float, axes: np.ndarray, counts: Any
    ) -> Any:
        """Compute the lattice factor F_latt at fractional Miller indices.

        Parameters
        ----------
        indices : tuple of 3 arrays
            Fractional h, k, l.
        n_cells : ndarray, shape (3,)
            Cells along a, b, c.
        fudge : float
            Factor of the squared distance from a reflection.
        axes, counts : ndarray
            `spot_axes` and `spot_counts` of the crystal, see `CrystalTable` (quirk Q6).
        """
        if self.measure is Measure.INDICES:
            return self.amplitude(indices, n_cells, fudge)
        dh, dk, dl = (index - nearest_index(index) for index in indices)
        match self.measure:
            case Measure.OFFSETS:
                return self.amplitude((dh, dk, dl), n_cells, fudge)
            case Measure.DISTANCE:
                distance = lattice_factor.reciprocal_distance_squared((dh, dk, dl), axes, counts)
                return self.amplitude(distance, n_cells, fudge)
            case _:
                assert_never(self.measure)

    def square_bound(
        self, offsets: np.ndarray, n_cells: np.ndarray, fudge: float, axes: np.ndarray, counts: Any
    ) -> np.ndarray:
        """Compute an upper bound of F_latt^2.

        Parameters
        ----------
        offsets : ndarray, shape (3, ...)
            Lower bounds of the offsets of h, k, l from the nearest reflection.
        n_cells, fudge, axes, counts
            As for `lattice_factor`.

        Returns
        -------
        ndarray
            Bound for any offsets that are at least as large.
        """
        volume = _volume(n_cells)
        if self.bound is None:
            return np.full(offsets.shape[1:], volume**2)
        if self.measure is not Measure.DISTANCE:
            return self.bound(offsets, n_cells, fudge)
        return self.bound(_least_distance(offsets, fudge, axes, counts), volume)

    def slopes_bound(
        self,
        offsets: np.ndarray,
        n_cells: np.ndarray,
        fudge: float,
        axes: np.ndarray,
        counts: Any,
        with_counts: bool,
    ) -> np.ndarray:
        """Compute an upper bound of the derivatives of F_latt^2.

        Parameters
        ----------
        offsets, n_cells, fudge, axes, counts
            As for `square_bound`.
        with_counts : bool
            Whether the bound must also hold for derivatives with respect to Na, Nb, Nc.

        Returns
        -------
        ndarray
            Bound, defined as for `cupysim.maths.spot_bounds.square_slopes`.
        """
        if self.slope_bound is None:
            return np.full(offsets.shape[1:], np.inf)
        if self.measure is not Measure.DISTANCE:
            return self.slope_bound(offsets, n_cells, fudge, with_counts)
        distance = _least_distance(offsets, fudge, axes, counts)
        return self.slope_bound(distance, _volume(n_cells), fudge, with_counts)


def _volume(n_cells: np.ndarray) -> float:
    return float(np.prod(np.asarray(n_cells, dtype=float)))


def _least_distance(offsets: np.ndarray, fudge: float, axes: np.ndarray, counts: Any) -> np.ndarray:
    factors = spot_bounds.distance_factors(axes * np.prod(np.asarray(counts, dtype=float)))
    return spot_bounds.least_distance(offsets, factors, fudge)


def _square(indices: Indices, n_cells: Any, _: float) -> Any:
    return lattice_factor.square(indices, n_cells)


def _square_section(*where: Any) -> np.ndarray:
    *others, _ = where
    return spot_profiles.square_section(*others)


def _square_bound(offsets: np.ndarray, n_cells: Any, _: float) -> np.ndarray:
    return spot_bounds.square(offsets, n_cells)


def _square_slope_bound(
    offsets: np.ndarray, n_cells: Any, _: float, with_counts: bool
) -> np.ndarray:
    return spot_bounds.square_slopes(offsets, n_cells, with_counts)


SPOT_SHAPES: dict[Shape, SpotShape] = {
    Shape.SQUARE: SpotShape(
        Measure.INDICES,
        _square,
        _square_section,
        lattice_factor.square_slopes,
        _square_bound,
        _square_slope_bound,
    ),
    Shape.ROUND: SpotShape(
        Measure.OFFSETS,
        lattice_factor.round_crystal,
        spot_profiles.round_section,
        lattice_factor.round_slopes,
        spot_bounds.round_crystal,
        spot_bounds.round_slopes,
    ),
    Shape.GAUSS: SpotShape(
        Measure.DISTANCE,
        lattice_factor.gauss,
        spot_profiles.gauss_section,
        lattice_factor.gauss_slopes,
        spot_bounds.gauss,
        spot_bounds.gauss_slopes,
    ),
    Shape.TOPHAT: SpotShape(
        Measure.DISTANCE,
        lattice_factor.tophat,
        spot_profiles.tophat_section,
        bound=spot_bounds.tophat,
    ),
}
"""Functions of each spot shape. A shape without an entry cannot be rendered."""
