"""Spot shapes: the lattice factor and its integrals for each member of `Shape`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, assert_never

import numpy as np

from cupysim.maths import first_peaks, lattice_factor, spot_bounds, spot_profiles
from cupysim.maths.interpolation import nearest_index
from cupysim.models.spot_shape import Shape
from cupysim.plan.render_plan import CrystalTable

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
class SpotSize:
    """The size of the spots of one crystal.

    Parameters
    ----------
    n_cells : ndarray, shape (3,)
        Cells along a, b, c.
    fudge : float
        Factor of the squared distance from a reflection.
    axes, counts : ndarray, shape (3, 3) and (3,)
        `spot_axes` and `spot_counts` of the crystal, see `CrystalTable`.
    height : float
        `spot_height` of the crystal, see `CrystalTable`.
    """

    n_cells: np.ndarray
    fudge: float
    axes: np.ndarray
    counts: np.ndarray
    height: float

    @property
    def scaled_axes(self) -> np.ndarray:
        """Vectors that the offsets multiply to give the distance, shape (3, 3)."""
        return np.asarray(self.axes * np.prod(np.asarray(self.counts, dtype=np.float64)))

    def to_spot(self, cells: np.ndarray) -> np.ndarray:
        """Matrices from scattering vectors to vectors as long as the distance, for rows a, b, c."""
        return np.asarray(self.scaled_axes.T @ cells)


def spot_size(crystals: CrystalTable, at: tuple[int, int]) -> SpotSize:
    """The size of the spots of one crystal of a plan.

    Parameters
    ----------
    crystals : CrystalTable
        Crystals of the plan.
    at : tuple of 2 int
        Numbers of the shot and of the crystal.
    """
    return SpotSize(
        crystals.n_cells[at],
        crystals.fudge,
        crystals.spot_axes[at],
        crystals.spot_counts[at],
        float(crystals.spot_height[at]),
    )


@dataclass(frozen=True)
class SpotShape:
    """Functions of one spot shape.

    Parameters
    ----------
    measure : Measure
        Variable of the lattice factor.
    amplitude : callable
        F_latt as a function of this variable, and `SpotSize`.
    section : callable
        Integral of F_latt^2 over the Ewald sphere near a reflection. The arguments are distance,
        height and fudge if `measure` is DISTANCE; the integral must not rise with the distance.
        Otherwise they are projections, distance, numbers of cells, volume and fudge.
    squared_slopes : callable, optional
        Function of offsets and `SpotSize`; returns F_latt^2 and its derivatives. None if the shape
        has no derivatives.
    bound : callable, optional
        Upper bound of F_latt^2. The arguments are a lower bound of the distance, and the height, if
        `measure` is DISTANCE. Otherwise they are lower bounds of the offsets, numbers of cells and
        fudge. None if the only bound is the squared height; images within a tolerance then leave
        nothing out.
    slope_bound : callable, optional
        Upper bound of the derivatives of F_latt^2. Further arguments are `fudge`, and whether the
        bound must hold for derivatives with respect to sizes. None if there is no bound;
        derivatives within a tolerance then leave nothing out.
    section_bound : callable, optional
        Upper bound of `section` for all directions, as the two numbers of
        `spot_profiles.square_section_bound`. The arguments are numbers of cells, cells and fudge.
        None if there is no such bound, or if `measure` is DISTANCE, for which the bound follows
        from `section`.
    kernel : Shape, optional
        The kernel's shape that computes this one, if it has another name.
    always_double : bool
        Whether compiled backends have this shape in double precision only.
    """

    measure: Measure
    amplitude: Callable[[Any, SpotSize], Any]
    section: Callable[..., np.ndarray]
    squared_slopes: Callable[[Indices, SpotSize], lattice_factor.Slopes] | None = None
    bound: Callable[..., np.ndarray] | None = None
    slope_bound: Callable[..., np.ndarray] | None = None
    section_bound: Callable[..., tuple[np.ndarray, np.ndarray]] | None = None
    kernel: Shape | None = None
    always_double: bool = False

    def lattice_factor(self, indices: Indices, size: SpotSize) -> Any:
        """Compute the lattice factor F_latt at fractional Miller indices.

        Parameters
        ----------
        indices : tuple of 3 arrays
            Fractional h, k, l.
        size : SpotSize
            Size of the spots.
        """
        if self.measure is Measure.INDICES:
            return self.amplitude(indices, size)
        dh, dk, dl = (index - nearest_index(index) for index in indices)
        match self.measure:
            case Measure.OFFSETS:
                return self.amplitude((dh, dk, dl), size)
            case Measure.DISTANCE:
                distance = lattice_factor.reciprocal_distance_squared(
                    (dh, dk, dl), size.axes, size.counts
                )
                return self.amplitude(distance, size)
            case _:
                assert_never(self.measure)

    def square_bound(self, offsets: np.ndarray, size: SpotSize) -> np.ndarray:
        """Compute an upper bound of F_latt^2.

        Parameters
        ----------
        offsets : ndarray, shape (3, ...)
            Lower bounds of the offsets of h, k, l from the nearest reflection.
        size : SpotSize
            Size of the spots.

        Returns
        -------
        ndarray
            Bound for any offsets that are at least as large.
        """
        if self.bound is None:
            return np.full(offsets.shape[1:], size.height**2)
        if self.measure is not Measure.DISTANCE:
            return self.bound(offsets, size.n_cells, size.fudge)
        return self.bound(_least_distance(offsets, size), size.height)

    def section_limits(
        self, cells: np.ndarray, size: SpotSize
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Compute the numbers that `largest_sections` needs for each orientation.

        Parameters
        ----------
        cells : ndarray, shape (m, 3, 3)
            Rows a, b, c of each orientation (m).
        size : SpotSize
            Size of the spots.

        Returns
        -------
        scale, width : ndarray, shape (m,)
            The bound at a distance d (1/m) is scale/max(d^2, width), with a width in 1/m^2. If
            `measure` is DISTANCE, it is scale times the section at the distance d width, with a
            width in m. None if the shape has no bound.
        """
        if self.measure is Measure.DISTANCE:
            # a distance in spot widths is at least the distance times the smallest singular value,
            # and the divisor of the section at least the determinant over the largest one
            to_spot = size.to_spot(cells)
            singular = np.linalg.svd(to_spot, compute_uv=False)
            return singular[:, 0] / np.abs(np.linalg.det(to_spot)), singular[:, -1]
        bound = self.section_bound
        return None if bound is None else bound(size.n_cells, cells, size.fudge)

    def largest_sections(
        self, distance: np.ndarray, limits: tuple[np.ndarray, np.ndarray], size: SpotSize
    ) -> np.ndarray:
        """Compute an upper bound of the integral of F_latt^2 over the Ewald sphere.

        Parameters
        ----------
        distance : ndarray, shape (m, n)
            Distances of reflections from the sphere (1/m), for each orientation.
        limits : tuple of 2 ndarray, shape (m,)
            Result of `section_limits` for these orientations.
        size : SpotSize
            Size of the spots.

        Returns
        -------
        ndarray, shape (m, n)
            Bounds (1/m^2) for all directions of the reflection.
        """
        scale, width = (each[:, None] for each in limits)
        if self.measure is Measure.DISTANCE:
            return scale * self.section(distance * width, size.height, size.fudge)
        return np.asarray(scale / np.maximum(distance * distance, width))

    def slopes_bound(self, offsets: np.ndarray, size: SpotSize, with_sizes: bool) -> np.ndarray:
        """Compute an upper bound of the derivatives of F_latt^2.

        Parameters
        ----------
        offsets, size
            As for `square_bound`.
        with_sizes : bool
            Whether the bound must also hold for derivatives with respect to sizes.

        Returns
        -------
        ndarray
            Bound, defined as for `cupysim.maths.spot_bounds.square_slopes` and `gauss_slopes`.
        """
        if self.slope_bound is None:
            return np.full(offsets.shape[1:], np.inf)
        if self.measure is not Measure.DISTANCE:
            return self.slope_bound(offsets, size.n_cells, size.fudge, with_sizes)
        distance = _least_distance(offsets, size)
        return self.slope_bound(distance, size.height, size.fudge, with_sizes)

    def sharpness(self, size: SpotSize) -> np.ndarray:
        """The numbers that divide derivatives with respect to h, k, l in `slopes_bound`.

        Returns
        -------
        ndarray, shape (3,)
            Numbers of cells, or lengths of the vectors that measure the distance.
        """
        if self.measure is Measure.DISTANCE:
            return np.asarray(np.linalg.norm(size.scaled_axes, axis=1))
        return np.asarray(size.n_cells, dtype=np.float64)


def _least_distance(offsets: np.ndarray, size: SpotSize) -> np.ndarray:
    factors = spot_bounds.distance_factors(size.scaled_axes)
    return spot_bounds.least_distance(offsets, factors, size.fudge)


def _square(indices: Indices, size: SpotSize) -> Any:
    return lattice_factor.square(indices, size.n_cells)


def _square_section(*where: Any) -> np.ndarray:
    *others, _ = where
    return spot_profiles.square_section(*others)


def _square_bound(offsets: np.ndarray, n_cells: Any, _: float) -> np.ndarray:
    return spot_bounds.square(offsets, n_cells)


def _square_slopes(offsets: Indices, size: SpotSize) -> lattice_factor.Slopes:
    return lattice_factor.square_slopes(offsets, size.n_cells)


def _square_slope_bound(
    offsets: np.ndarray, n_cells: Any, _: float, with_sizes: bool
) -> np.ndarray:
    return spot_bounds.square_slopes(offsets, n_cells, with_sizes)


def _no_fringes(offsets: Indices, size: SpotSize) -> Any:
    return lattice_factor.no_fringes(offsets, size.n_cells)


def _no_fringes_slopes(offsets: Indices, size: SpotSize) -> lattice_factor.Slopes:
    return lattice_factor.no_fringes_slopes(offsets, size.n_cells)


def _no_fringes_bound(offsets: np.ndarray, n_cells: Any, _: float) -> np.ndarray:
    inside = spot_bounds.flat(offsets, n_cells) > 0.0
    return np.where(inside, spot_bounds.square(offsets, n_cells), 0.0)


def _no_fringes_slope_bound(
    offsets: np.ndarray, n_cells: Any, _: float, with_sizes: bool
) -> np.ndarray:
    inside = spot_bounds.flat(offsets, n_cells) > 0.0
    return np.where(inside, spot_bounds.square_slopes(offsets, n_cells, with_sizes), 0.0)


def _flat(offsets: Indices, size: SpotSize) -> Any:
    return lattice_factor.flat(offsets, size.n_cells)


def _flat_bound(offsets: np.ndarray, n_cells: Any, _: float) -> np.ndarray:
    return spot_bounds.flat(offsets, n_cells)


def _round(offsets: Indices, size: SpotSize) -> Any:
    return lattice_factor.round_crystal(offsets, size.n_cells, size.fudge)


def _round_slopes(offsets: Indices, size: SpotSize) -> lattice_factor.Slopes:
    return lattice_factor.round_slopes(offsets, size.n_cells, size.fudge)


def _gauss(distance: Any, size: SpotSize) -> Any:
    return lattice_factor.gauss(distance, size.height, size.fudge)


def _gauss_slopes(offsets: Indices, size: SpotSize) -> lattice_factor.Slopes:
    return lattice_factor.gauss_slopes(offsets, size.scaled_axes, size.height, size.fudge)


def _tophat(distance: Any, size: SpotSize) -> Any:
    return lattice_factor.tophat(distance, size.height, size.fudge)


_GAUSS = SpotShape(
    Measure.DISTANCE,
    _gauss,
    spot_profiles.gauss_section,
    _gauss_slopes,
    spot_bounds.gauss,
    spot_bounds.gauss_slopes,
)

SPOT_SHAPES: dict[Shape, SpotShape] = {
    Shape.SQUARE: SpotShape(
        Measure.INDICES,
        _square,
        _square_section,
        _square_slopes,
        _square_bound,
        _square_slope_bound,
        spot_profiles.square_section_bound,
    ),
    Shape.ROUND: SpotShape(
        Measure.OFFSETS,
        _round,
        spot_profiles.round_section,
        _round_slopes,
        spot_bounds.round_crystal,
        spot_bounds.round_slopes,
        spot_profiles.round_section_bound,
    ),
    Shape.GAUSS: _GAUSS,
    Shape.TOPHAT: SpotShape(
        Measure.DISTANCE,
        _tophat,
        spot_profiles.tophat_section,
        bound=spot_bounds.tophat,
    ),
    # a Gaussian with other axes, see `spot_axes`
    Shape.GAUSS_STAR: replace(_GAUSS, kernel=Shape.GAUSS),
    Shape.NO_FRINGES: SpotShape(
        Measure.OFFSETS,
        _no_fringes,
        first_peaks.no_fringes_section,
        _no_fringes_slopes,
        _no_fringes_bound,
        _no_fringes_slope_bound,
        always_double=True,
    ),
    Shape.FLAT: SpotShape(
        Measure.OFFSETS,
        _flat,
        first_peaks.flat_section,
        bound=_flat_bound,
        always_double=True,
    ),
}
"""Functions of each spot shape. A shape without an entry cannot be rendered."""

KERNEL_SHAPES = tuple(shape for shape, found in SPOT_SHAPES.items() if found.kernel is None)
"""Shapes that the kernel has under their own names."""


def kernel_shape(shape: Shape) -> Shape:
    """The kernel's name of a shape. Shapes that differ only in their axes have one name there."""
    return SPOT_SHAPES[shape].kernel or shape
