"""What files with a crystal structure give: structure factors and the unit cell."""

from __future__ import annotations

from dataclasses import dataclass, field

from cupysim.formats.structures.symmetry import Symmetry
from cupysim.models.crystal import UnitCell
from cupysim.models.structure_factors import StructureFactors


@dataclass(frozen=True, eq=False)
class Structure:
    """Structure factors with the unit cell to which they belong.

    Parameters
    ----------
    factors : StructureFactors
        Amplitudes in P1, Friedel mates included.
    cell : UnitCell or None
        The unit cell; None if the file does not have one.
    space_group : str
        Hermann-Mauguin symbol, or what stands in its place.
    source : str
        Names of the columns, or what was calculated.
    wavelength : float or None
        Wavelength of the data (m), if the file has one.
    notes : tuple of str
        What was read and what was done to it, a line each.
    symmetry : Symmetry or None
        The space group, by which equivalents have equal amplitudes; None for P1.
    own_cell : UnitCell or None
        The cell of a model's own crystal, where the model stands alone in another one.
    is_calculated : bool
        Amplitudes are those of a model, so that those which the group forbids are rounding.
    unclear_wavelength : str
        What the file says instead, if it is not one wavelength.
    """

    factors: StructureFactors
    cell: UnitCell | None
    space_group: str
    source: str
    wavelength: float | None = None
    notes: tuple[str, ...] = field(default=())
    symmetry: Symmetry | None = None
    own_cell: UnitCell | None = None
    is_calculated: bool = False
    unclear_wavelength: str = ""


def unit_cell(cell: object) -> UnitCell:
    """The unit cell of a gemmi object.

    Raises
    ------
    ModelError
        If no such cell exists.
    """
    return UnitCell.from_degrees(*cell.parameters)  # type: ignore[attr-defined]
