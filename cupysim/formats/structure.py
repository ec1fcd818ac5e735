"""What files with a crystal structure give: structure factors and the unit cell."""

from __future__ import annotations

from dataclasses import dataclass

from cupysim.models.crystal import UnitCell
from cupysim.models.structure_factors import StructureFactors


@dataclass(frozen=True, eq=False)
class Structure:
    """Structure factors with the unit cell to which they belong.

    Parameters
    ----------
    factors : StructureFactors
        Amplitudes in P1, Friedel mates included.
    cell : UnitCell
        The unit cell.
    space_group : str
        Hermann-Mauguin symbol.
    source : str
        What the amplitudes are, for people.
    """

    factors: StructureFactors
    cell: UnitCell
    space_group: str
    source: str


def unit_cell(cell: object) -> UnitCell:
    """The unit cell of a gemmi object.

    Raises
    ------
    ModelError
        If no such cell exists.
    """
    return UnitCell.from_degrees(*cell.parameters)  # type: ignore[attr-defined]
