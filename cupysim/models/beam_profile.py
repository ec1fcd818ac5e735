"""Profiles of a beam: its fluence across the beam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, frozen, member


class ProfileKind(StrEnum):
    """Form of a beam profile."""

    GAUSSIAN = "gaussian"
    """Normal distributions along both axes; the sizes are full widths at half maximum."""
    TOPHAT = "tophat"
    """Constant within a rectangle of the sizes."""
    TABLE = "table"
    """Values of a table, a row for each vertical coordinate; the sizes are those of the table."""


@dataclass(frozen=True, eq=False)
class BeamProfile:
    """Fluence across the beam, relative to its largest value, which is the fluence of the beam.

    The axes are the polarization axis of the laboratory frame (horizontal), and the product beam x
    polarization axis (vertical). The centre of the profile is on the axis of the beam.

    Parameters
    ----------
    kind : ProfileKind
        Form of the profile.
    horizontal, vertical : float
        Sizes (m), see `ProfileKind`.
    table : ndarray, shape (n_vertical, n_horizontal), optional
        Fluence in any unit, for the kind TABLE. The first row has the lowest vertical coordinate,
        and the first column the lowest horizontal one.

    Raises
    ------
    ModelError
        If a size is not positive, or the table is impossible.
    """

    kind: ProfileKind
    horizontal: float
    vertical: float
    table: np.ndarray | None = None

    def __post_init__(self) -> None:
        assign(self, kind=member(ProfileKind, self.kind, "beam profile: kind"))
        for name in ("horizontal", "vertical"):
            value = finite(getattr(self, name), f"beam profile: {name}")
            if value <= 0.0:
                raise ModelError(f"beam profile: {name} must be positive, got {value:g} m")
            assign(self, **{name: value})
        if (self.table is not None) is not (self.kind is ProfileKind.TABLE):
            raise ModelError("beam profile: a table is needed for the kind table, and for no other")
        if self.table is None:
            return
        table = frozen(self.table, np.float64)
        if table.ndim != 2 or table.size == 0:
            raise ModelError("beam profile: the table must have rows and columns")
        if not (np.isfinite(table).all() and table.min() >= 0.0 and table.any()):
            raise ModelError("beam profile: table: values must not be negative, nor all be zero")
        assign(self, table=frozen(table / table.max()))

    @property
    def is_smooth(self) -> bool:
        """Whether it has no edges."""
        return self.kind is ProfileKind.GAUSSIAN

    @property
    def area(self) -> float:
        """Photons of the whole beam, divided by the largest fluence (m^2)."""
        whole = self.horizontal * self.vertical
        if self.kind is ProfileKind.GAUSSIAN:
            return whole * math.pi / (4.0 * math.log(2.0))
        if self.kind is ProfileKind.TOPHAT:
            return whole
        assert self.table is not None
        return whole * float(self.table.mean())

    def relative(self, across: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Fluence at places in the beam, relative to the largest.

        Parameters
        ----------
        across, up : ndarray, shape (...)
            Horizontal and vertical distances from the axis of the beam (m).

        Returns
        -------
        ndarray, shape (...)
            Relative fluence, from 0 to 1.
        """
        x, y = across / self.horizontal, up / self.vertical
        if self.kind is ProfileKind.GAUSSIAN:
            return np.asarray(np.exp(-4.0 * math.log(2.0) * (x * x + y * y)))
        inside = (np.abs(x) <= 0.5) & (np.abs(y) <= 0.5)
        if self.kind is ProfileKind.TOPHAT:
            return inside.astype(np.float64)
        assert self.table is not None
        rows, columns = self.table.shape
        row = np.clip(((y + 0.5) * rows).astype(np.int64), 0, rows - 1)
        column = np.clip(((x + 0.5) * columns).astype(np.int64), 0, columns - 1)
        return np.asarray(np.where(inside, self.table[row, column], 0.0))
