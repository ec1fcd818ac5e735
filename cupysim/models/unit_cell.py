"""The unit cell: edges and angles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from cupysim.constants import DEGREES_PER_RADIAN
from cupysim.errors import ModelError
from cupysim.maths import cell as cell_maths
from cupysim.models.checks import assign, finite, three


@dataclass(frozen=True)
class UnitCell:
    """Edges and angles of a unit cell.

    Parameters
    ----------
    lengths_angstrom : tuple of 3 float
        Edges a, b, c (Angstrom, because the C program computes cells in this unit).
    angles : tuple of 3 float
        Angles alpha, beta, gamma (rad).

    Raises
    ------
    ModelError
        If an edge or an angle is not positive, or no cell has these angles.
    """

    lengths_angstrom: tuple[float, float, float]
    angles: tuple[float, float, float] = (math.pi / 2, math.pi / 2, math.pi / 2)

    def __post_init__(self) -> None:
        for name in ("lengths_angstrom", "angles"):
            values = three(getattr(self, name), f"unit cell: {name}")
            assign(self, **{name: tuple(finite(value, f"unit cell: {name}") for value in values)})
        if not all(length > 0.0 and math.isfinite(length) for length in self.lengths_angstrom):
            raise ModelError(f"unit cell: edges must be positive, got {self.lengths_angstrom}")
        if not all(angle > 0.0 for angle in self.angles):
            # volumes are calculated from cosines, which do not depend on the sign
            degrees = ", ".join(f"{angle * DEGREES_PER_RADIAN:g}" for angle in self.angles)
            raise ModelError(f"unit cell: angles must be positive, got {degrees} degrees")
        cell_maths.cell_volume(self.lengths_angstrom, self.angles)

    @classmethod
    def from_degrees(
        cls, a: float, b: float, c: float, alpha: float, beta: float, gamma: float
    ) -> UnitCell:
        """Make a cell from edges in Angstrom and angles in degrees, as papers print them.

        Parameters
        ----------
        a, b, c : float
            Edges (Angstrom).
        alpha, beta, gamma : float
            Angles (degrees).

        Examples
        --------
        >>> round(UnitCell.from_degrees(70, 80, 90, 90, 90, 90).volume_angstrom3)
        504000
        """
        alpha, beta, gamma = (angle / DEGREES_PER_RADIAN for angle in (alpha, beta, gamma))
        return cls((float(a), float(b), float(c)), (alpha, beta, gamma))

    @cached_property
    def volume_angstrom3(self) -> float:
        """Volume of the unit cell (Angstrom^3)."""
        return cell_maths.cell_volume(self.lengths_angstrom, self.angles)
