"""Structure factors and unit cell from a file with reflections or atoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cupysim.models.structure_factors import StructureFactors
from cupysim.models.unit_cell import UnitCell

if TYPE_CHECKING:
    from cupysim.formats.structures.symmetry import Symmetry


@dataclass(frozen=True, eq=False)
class FactorSlopes:
    """Derivatives of calculated structure factors with respect to f' and f'' of some atoms.

    Parameters
    ----------
    real, imaginary : ndarray, shape (n_channels, n_h, n_k, n_l)
        Derivatives of the amplitudes with respect to f' and to f'', which all these atoms share
        (electrons per electron).
    """

    real: np.ndarray
    imaginary: np.ndarray


@dataclass(frozen=True, eq=False)
class Structure:
    """Structure factors with their unit cell.

    Parameters
    ----------
    factors : StructureFactors
        Amplitudes (electrons) in P1, Friedel mates included.
    cell : UnitCell or None
        Unit cell; None if the file has none.
    space_group : str
        Hermann-Mauguin symbol, or a description if the group has none.
    source : str
        Names of the columns, or description of the calculation.
    wavelength : float or None
        Wavelength of the data (m), if the file has one.
    notes : tuple of str
        Lines for the output: what was read, and what was done with it.
    symmetry : Symmetry or None
        Space group: its equivalents have equal amplitudes; None for P1.
    own_cell : UnitCell or None
        Cell of a model's own crystal, if the model stands alone in another cell.
    is_calculated : bool
        Amplitudes are calculated from a model. Those of forbidden reflections are rounding errors.
    unclear_wavelength : str
        Statement of the file about its wavelength, if it does not give exactly one.
    slopes : dict of str to FactorSlopes
        Derivatives with respect to f' and f'' of the atoms that were asked for, by their names.
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
    slopes: Mapping[str, FactorSlopes] = field(default_factory=dict)


def unit_cell(cell: object) -> UnitCell:
    """Unit cell from a gemmi.UnitCell.

    Raises
    ------
    ModelError
        If the cell is impossible.
    """
    return UnitCell.from_degrees(*cell.parameters)  # type: ignore[attr-defined]
