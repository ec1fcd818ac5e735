"""What each shape of a crystal makes of its spots: one entry for each member of `Shape`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

import numpy as np

from cupysim.maths import lattice_factor, spot_profiles
from cupysim.maths.interpolation import nearest_index
from cupysim.models.crystal import Shape

Indices = tuple[Any, Any, Any]
"""Fractional Miller indices, arrays of one shape."""


class Measure(Enum):
    """Of what a lattice factor is a function."""

    INDICES = "indices"
    """Of h, k, l themselves, as sines are."""
    OFFSETS = "offsets"
    """Of their offsets from the nearest reflection."""
    DISTANCE = "distance"
    """Of the squared distance from it, as `CrystalTable.spot_axes` measures it."""


@dataclass(frozen=True)
class SpotShape:
    """A shape of spots.

    Parameters
    ----------
    measure : Measure
        Of what the lattice factor is a function.
    amplitude : callable
        F_latt of that, the numbers of cells and fudge.
    section : callable
        Integral of F_latt^2 over the Ewald sphere near a reflection. Of a measured distance:
        distance, numbers of cells, fudge; else projections, distance, numbers of cells, volume,
        fudge.
    squared_slopes : callable, optional
        F_latt^2 and its derivatives, of offsets, numbers of cells and fudge; None of a shape that
        has none.
    """

    measure: Measure
    amplitude: Callable[[Any, Any, float], Any]
    section: Callable[..., np.ndarray]
    squared_slopes: Callable[[Indices, Any, float], lattice_factor.Slopes] | None = None

    def lattice_factor(
        self, indices: Indices, n_cells: np.ndarray, fudge: float, axes: np.ndarray, counts: Any
    ) -> Any:
        """F_latt at fractional Miller indices.

        Parameters
        ----------
        indices : tuple of 3 arrays
            Fractional h, k, l.
        n_cells : ndarray, shape (3,)
            Cells along a, b, c.
        fudge : float
            Scale of the squared spot radius.
        axes, counts : ndarray
            `spot_axes` and `spot_counts` of the crystal (quirk Q6).
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


def _square(indices: Indices, n_cells: Any, _: float) -> Any:
    return lattice_factor.square(indices, n_cells)


def _square_section(*where: Any) -> np.ndarray:
    *others, _ = where
    return spot_profiles.square_section(*others)


SPOT_SHAPES: dict[Shape, SpotShape] = {
    Shape.SQUARE: SpotShape(
        Measure.INDICES, _square, _square_section, lattice_factor.square_slopes
    ),
    Shape.ROUND: SpotShape(
        Measure.OFFSETS,
        lattice_factor.round_crystal,
        spot_profiles.round_section,
        lattice_factor.round_slopes,
    ),
    Shape.GAUSS: SpotShape(
        Measure.DISTANCE,
        lattice_factor.gauss,
        spot_profiles.gauss_section,
        lattice_factor.gauss_slopes,
    ),
    Shape.TOPHAT: SpotShape(Measure.DISTANCE, lattice_factor.tophat, spot_profiles.tophat_section),
}
"""A shape without an entry here cannot be rendered."""
