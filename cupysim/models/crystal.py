"""The crystal: unit cell, orientation, number of cells, shape, mosaicity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from cupysim.constants import ANGSTROM, DEGREES_PER_RADIAN
from cupysim.errors import ModelError
from cupysim.maths import cell as cell_maths
from cupysim.models.checks import assign, finite, frozen, member, three, whole
from cupysim.models.diffuse import Diffuse
from cupysim.models.domain_kinds import check_kinds
from cupysim.models.mosaicity import Mosaicity
from cupysim.models.size_spread import SizeSpread
from cupysim.models.spot_shape import ELLIPSOIDAL, OFF_DIAGONAL, Shape, size_matrix
from cupysim.models.unit_cell import UnitCell
from cupysim.quirks import CORRECTED, Quirk, Quirks, warn_quirk

DEFAULT_MOSAIC_DOMAINS = 10
"""Number of mosaic domains if only a spread is given."""

NOTICEABLE_ANGLE = 0.001 / DEGREES_PER_RADIAN
"""Change of a cell angle (rad) above which cupysim warns of quirk Q5."""


LARGEST_CELL_SPREAD = 0.1
"""Largest relative standard deviation of an edge: three times as much would be another crystal."""


@dataclass(frozen=True, eq=False)
class Crystal:
    """A crystal: unit cell, orientation at spindle angle zero, size, shape and mosaicity.

    Parameters
    ----------
    cell : UnitCell, optional
        Unit cell. Without `reciprocal`, the cell has the default orientation: a* along x, b* in
        the xy plane (quirk Q5). With `reciprocal`, the cell gives the lengths, and `reciprocal`
        the directions.
    reciprocal : ndarray, shape (3, 3), optional
        Orientation matrix: rows a*, b*, c* (1/Angstrom).
    misset : sequence of 3 float, optional
        Missetting angles: rotations of the reciprocal vectors about the lab axes x, y, z (rad).
    n_cells : tuple of 3 int
        Number of cells along a, b, c in one mosaic domain.
    n_cells_off_diagonal : tuple of 3 float
        Elements N_ab, N_bc, N_ac of the symmetric matrix N whose diagonal is `n_cells`
        (``Ncells_def`` of diffBragg). Gaussian and top-hat spots depend on |N dh| only: they are
        ellipsoids with any principal axes, and F_latt is det(N) at a reflection. Other shapes need
        zeros.
    size : tuple of 3 float
        Edges of the crystal along a, b, c (m). A positive edge replaces the number in `n_cells`.
    shape : Shape
        Spot shape.
    fudge : float
        Factor of the squared distance from a reflection: spots are narrower above 1. The
        shapes SQUARE, NO_FRINGES and FLAT do not use it.
    mosaicity : Mosaicity
        Mosaic domains.
    cell_spreads : tuple of 3 float
        Standard deviations of the edges a, b, c among the mosaic domains, relative to the edges.
        The angles are the same in all domains.
    diffuse : Diffuse, optional
        Diffuse scattering around the reflections.
    scale : float
        Factor of the crystal's photons, for example the fraction of its volume in the beam.
    sizes : SizeSpread, optional
        Distribution of the sizes of domains about `n_cells`.
    settings : str
        Laue group over whose rotations the spot shape is averaged; see
        `cupysim.models.domain_kinds`. Empty for one setting.

    Raises
    ------
    ModelError
        If neither a cell nor reciprocal vectors are given, or a value is impossible or excludes
        another.
    """

    cell: UnitCell | None = None
    reciprocal: np.ndarray | None = None
    misset: Sequence[float] | None = None
    n_cells: tuple[int, int, int] = (1, 1, 1)
    n_cells_off_diagonal: tuple[float, float, float] = (0.0, 0.0, 0.0)
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shape: Shape = Shape.SQUARE
    fudge: float = 1.0
    mosaicity: Mosaicity = field(default_factory=Mosaicity)
    cell_spreads: tuple[float, float, float] = (0.0, 0.0, 0.0)
    diffuse: Diffuse | None = None
    scale: float = 1.0
    sizes: SizeSpread | None = None
    settings: str = ""
    _oriented: dict[Quirks, OrientedCrystal] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.cell is None and self.reciprocal is None:
            raise ModelError("crystal: give a unit cell (cell) or reciprocal vectors (reciprocal)")
        if not isinstance(self.cell, UnitCell | None):
            raise ModelError(f"crystal: cell must be a UnitCell, got {self.cell!r}")
        if self.reciprocal is not None:
            if np.shape(self.reciprocal) != (3, 3):
                raise ModelError(
                    "crystal: reciprocal must have the shape (3, 3), with rows a*, b*, c*"
                )
            assign(self, reciprocal=frozen(self.reciprocal, np.float64))
        for name, kind in (
            ("mosaicity", Mosaicity), ("diffuse", Diffuse | None), ("sizes", SizeSpread | None),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, kind):
                wanted = "SizeSpread" if name == "sizes" else name.capitalize()
                raise ModelError(f"crystal: {name} must be a {wanted}, got {value!r}")
        n_cells = three(self.n_cells, "crystal: n_cells")
        off_diagonal = three(self.n_cells_off_diagonal, OFF_DIAGONAL)
        size = three(self.size, "crystal: size")
        assign(
            self,
            _oriented={},
            n_cells=tuple(whole(count, "crystal: n_cells") for count in n_cells),
            size=tuple(finite(edge, "crystal: size") for edge in size),
            n_cells_off_diagonal=tuple(finite(count, OFF_DIAGONAL) for count in off_diagonal),
            shape=member(Shape, self.shape, "crystal: shape"),
            fudge=finite(self.fudge, "crystal: fudge"),
            scale=finite(self.scale, "crystal: scale"),
        )
        cell_spreads = three(self.cell_spreads, "crystal: cell_spreads")
        assign(
            self, cell_spreads=tuple(finite(each, "crystal: cell_spreads") for each in cell_spreads)
        )
        if not 0.0 <= min(self.cell_spreads) <= max(self.cell_spreads) <= LARGEST_CELL_SPREAD:
            raise ModelError(
                f"crystal: cell_spreads must be from 0 to {LARGEST_CELL_SPREAD:g}, got "
                f"{self.cell_spreads}"
            )
        if any(self.cell_spreads) and self.mosaicity.n_domains == 1:
            raise ModelError("crystal: cell_spreads need several mosaic domains")
        if not self.scale > 0.0:
            raise ModelError(f"crystal: scale must be positive, got {self.scale:g}")
        if self.misset is not None:
            angles = three(self.misset, "crystal: misset")
            assign(self, misset=tuple(finite(angle, "crystal: misset") for angle in angles))
        if any(self.n_cells_off_diagonal) and self.shape not in ELLIPSOIDAL:
            raise ModelError(
                f"{OFF_DIAGONAL}: only the shapes {' and '.join(ELLIPSOIDAL)} have such numbers, "
                f"not {self.shape}"
            )
        check_kinds(self)

    @property
    def largest_factor(self) -> float:
        """Length of the largest domains, relative to the length that the numbers of cells give."""
        return 1.0 if self.sizes is None else self.sizes.largest

    def with_misset(self, x: float, y: float, z: float) -> Crystal:
        """Return the same crystal with other missetting angles, in degrees.

        Parameters
        ----------
        x, y, z : float
            Rotations about the lab axes (degrees), in this order.

        Returns
        -------
        Crystal
            Crystal in the new orientation.
        """
        return replace(self, misset=tuple(angle / DEGREES_PER_RADIAN for angle in (x, y, z)))

    def with_cells(self, counts: Sequence[float]) -> Crystal:
        """Return the same crystal with another number of cells.

        Parameters
        ----------
        counts : sequence of 3 float
            Cells along a, b, c. They are rounded to integers of at least 1.

        Returns
        -------
        Crystal
            Crystal with these `n_cells`, and a `size` of zero that does not replace them.
        """
        a, b, c = (max(round(count), 1) for count in counts)
        return replace(self, n_cells=(a, b, c), size=(0.0, 0.0, 0.0))

    def oriented(self, quirks: Quirks = CORRECTED) -> OrientedCrystal:
        """Return the crystal's lattice at spindle angle zero.

        Parameters
        ----------
        quirks : Quirks, optional
            Corrected quirks of nanoBragg.

        Returns
        -------
        OrientedCrystal
            Crystal with its lattice. It is made once for each choice of quirks.
        """
        found = self._oriented.get(quirks)
        if found is None:
            found = self._oriented[quirks] = OrientedCrystal(self, quirks)
        return found


class OrientedCrystal:
    """A crystal's lattice at spindle angle zero, for a choice of corrected quirks.

    Parameters
    ----------
    crystal : Crystal
        Crystal with cell and orientation.
    quirks : Quirks
        Corrected quirks of nanoBragg.
    lattice : Lattice, optional
        Lattice of the crystal, if it is already known.
    """

    def __init__(
        self, crystal: Crystal, quirks: Quirks, lattice: cell_maths.Lattice | None = None
    ) -> None:
        self.crystal = crystal
        self.quirks = quirks
        self._known = lattice

    @cached_property
    def lattice(self) -> cell_maths.Lattice:
        """Cell vectors in this orientation (Angstrom, 1/Angstrom)."""
        if self._known is not None:
            return self._known
        crystal, cell = self.crystal, self.crystal.cell
        right_angles = self.quirks.corrects(Quirk.TRICLINIC_CELL)
        if crystal.reciprocal is not None:
            reciprocal = crystal.reciprocal
        elif cell is not None:
            reciprocal = _upright(cell, right_angles)
        if cell is None:
            return cell_maths.oriented_lattice(reciprocal, crystal.misset)
        lattice = cell_maths.oriented_lattice(
            reciprocal,
            crystal.misset,
            cell.lengths_angstrom,
            cell.volume_angstrom3,
            consistent=right_angles,
        )
        if crystal.reciprocal is None and not right_angles:
            _warn_of_wrong_angles(cell, lattice)
        return lattice

    @property
    def direct(self) -> np.ndarray:
        """Rows a, b, c (m), shape (3, 3)."""
        return ANGSTROM * self.lattice.direct

    @property
    def edges(self) -> np.ndarray:
        """Lengths of a, b, c (m), shape (3,)."""
        direct = self.direct
        return np.sqrt(direct[:, 0] ** 2 + direct[:, 1] ** 2 + direct[:, 2] ** 2)

    @cached_property
    def cell_counts(self) -> tuple[float, float, float]:
        """Cells along a, b, c: from the size if it is given, at least 1."""
        if not any(size > 0.0 for size in self.crystal.size):
            a, b, c = (max(float(count), 1.0) for count in self.crystal.n_cells)
            return a, b, c
        counts = [
            float(math.ceil(size / edge)) if size > 0.0 else float(count)
            for size, edge, count in zip(
                self.crystal.size, self.edges, self.crystal.n_cells, strict=True
            )
        ]
        a, b, c = (max(count, 1.0) for count in counts)
        return a, b, c

    @property
    def size(self) -> tuple[float, float, float]:
        """Lengths of the crystal along a, b, c (m)."""
        counts = self.cell_counts
        a, b, c = (float(edge * count) for edge, count in zip(self.edges, counts, strict=True))
        return a, b, c

    @property
    def size_matrix(self) -> np.ndarray:
        """The symmetric matrix N of the numbers of cells, shape (3, 3).

        Raises
        ------
        ModelError
            If it is not positive definite.
        """
        return size_matrix((*self.cell_counts, *self.crystal.n_cells_off_diagonal))


def orient_together(crystals: Sequence[Crystal], quirks: Quirks) -> None:
    """Make the lattices of crystals that differ only in their missetting angles, all at once.

    Parameters
    ----------
    crystals : sequence of Crystal
        Crystals. Those without a cell and missetting angles, or with reciprocal vectors, are
        skipped.
    quirks : Quirks
        Corrected quirks of nanoBragg. If Q5 is not corrected, nothing is done: each crystal then
        makes its lattice later, and warns.
    """
    by_cell: dict[UnitCell, list[Crystal]] = {}
    for crystal in crystals:
        is_simple = crystal.reciprocal is None and crystal.misset is not None
        if is_simple and crystal.cell is not None and quirks not in crystal._oriented:
            by_cell.setdefault(crystal.cell, []).append(crystal)
    if not quirks.corrects(Quirk.TRICLINIC_CELL):
        return
    for cell, alike in by_cell.items():
        lattices = cell_maths.missetted_lattices(
            _upright(cell, right_angles=True),
            np.array([crystal.misset for crystal in alike]),
            cell.lengths_angstrom,
            cell.volume_angstrom3,
            consistent=True,
        )
        for crystal, lattice in zip(alike, lattices, strict=True):
            crystal._oriented[quirks] = OrientedCrystal(crystal, quirks, lattice)


@lru_cache(maxsize=64)
def _upright(cell: UnitCell, right_angles: bool) -> np.ndarray:
    """Reciprocal vectors of a cell in the default orientation; shots of a series share them."""
    made = cell_maths.upright_reciprocal if right_angles else cell_maths.reciprocal_from_cell
    found = made(cell.lengths_angstrom, cell.angles)
    found.setflags(write=False)
    return found


def _warn_of_wrong_angles(cell: UnitCell, lattice: cell_maths.Lattice) -> None:
    if np.abs(lattice.angles - cell.angles).max() > NOTICEABLE_ANGLE:
        made, wanted = (
            " ".join(f"{angle * DEGREES_PER_RADIAN:.3f}" for angle in angles)
            for angles in (lattice.angles, cell.angles)
        )
        warn_quirk(
            Quirk.TRICLINIC_CELL,
            f"the cell is rendered with the angles {made}, not {wanted} degrees; "
            "an orientation matrix (-mat) is rendered as it is",
        )
