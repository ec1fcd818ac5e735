"""Structure factors: a dense table of F(hkl) in P1, and a default outside the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, frozen

LARGEST_TABLE = 4 * 2**30
"""Largest size of a table of structure factors (bytes)."""


@dataclass(frozen=True, eq=False)
class StructureFactors:
    """A table of structure factors (amplitudes) for a box of Miller indices.

    The table has no symmetry, not even that of Friedel mates: it must contain each reflection
    with an intensity.

    Parameters
    ----------
    table : ndarray, shape (n_h, n_k, n_l), optional
        Amplitudes (electrons). Without a table, every reflection has the amplitude `default`.
    first : tuple of 3 int
        Smallest h, k, l of the table.
    default : float
        Amplitude of reflections outside the table (electrons).
    n_given : int
        Number of reflections that the user gave, for the report.
    """

    table: np.ndarray | None = None
    first: tuple[int, int, int] = (0, 0, 0)
    default: float = 0.0
    n_given: int = 0

    def __post_init__(self) -> None:
        assign(self, default=finite(self.default, "structure factors: default"))
        if self.table is None:
            return
        if np.ndim(self.table) != 3 or np.size(self.table) == 0:
            raise ModelError("structure factors: the table must have three axes, h, k, l")
        assign(self, table=frozen(self.table, np.float64))

    @property
    def last(self) -> tuple[int, int, int]:
        """Largest h, k, l of the table."""
        assert self.table is not None
        h, k, l = (start + n - 1 for start, n in zip(self.first, self.table.shape, strict=True))
        return h, k, l

    @cached_property
    def bordered(self) -> np.ndarray:
        """The table with a border of `default`: shape (n_h + 2, n_k + 2, n_l + 2)."""
        if self.table is None:
            return np.full((1, 1, 1), self.default)
        return np.pad(self.table, 1, constant_values=self.default)

    def with_value(self, index: tuple[int, int, int], value: float) -> StructureFactors:
        """Return structure factors with another amplitude for one reflection.

        Parameters
        ----------
        index : tuple of 3 int
            Miller indices h, k, l of the reflection.
        value : float
            New amplitude of the reflection (electrons).

        Returns
        -------
        StructureFactors
            Structure factors with the new amplitude. The table grows if the reflection is
            outside.
        """
        if self.table is None:
            table = np.full((1, 1, 1), float(value))
            return StructureFactors(table, index, self.default, 1)
        before = [max(first - n, 0) for first, n in zip(self.first, index, strict=True)]
        after = [max(n - last, 0) for last, n in zip(self.last, index, strict=True)]
        shape = tuple(
            n + sum(more) for n, *more in zip(self.table.shape, before, after, strict=True)
        )
        check_table_size(shape)
        table = np.pad(
            self.table, list(zip(before, after, strict=True)), constant_values=self.default
        )
        h, k, l = (first - more for first, more in zip(self.first, before, strict=True))
        table[index[0] - h, index[1] - k, index[2] - l] = value
        table.setflags(write=False)
        return StructureFactors(table, (h, k, l), self.default, self.n_given)

    @classmethod
    def from_list(
        cls, hkl: np.ndarray, values: np.ndarray, default: float = 0.0
    ) -> StructureFactors:
        """Make a table from a list of reflections.

        Parameters
        ----------
        hkl : ndarray of int, shape (n, 3)
            Miller indices in any order. If one occurs several times, the last amplitude is used.
        values : ndarray, shape (n,)
            Amplitudes (electrons).
        default : float, optional
            Amplitude of reflections that are not in the list (electrons).

        Returns
        -------
        StructureFactors
            Structure factors with the smallest table that contains the list.

        Raises
        ------
        ModelError
            If the list is empty, or the table would be larger than `LARGEST_TABLE`.
        """
        hkl, values = np.asarray(hkl), np.asarray(values, dtype=np.float64)
        if len(hkl) == 0:
            raise ModelError("structure factors: the list has no reflections")
        if hkl.dtype.kind not in "iu" or hkl.shape != (len(values), 3):
            raise ModelError(
                "structure factors: expected integer Miller indices of shape (n, 3) and n "
                "amplitudes"
            )
        low, high = hkl.min(axis=0), hkl.max(axis=0)
        shape = tuple(int(n) for n in high - low + 1)
        check_table_size(shape)
        table = np.full(shape, float(default))
        h, k, l = (hkl - low).T
        table[h, k, l] = values
        table.setflags(write=False)
        first = (int(low[0]), int(low[1]), int(low[2]))
        return cls(table, first, float(default), len(hkl))


def check_table_size(shape: tuple[int, ...]) -> None:
    """Reject a table that is too large.

    Parameters
    ----------
    shape : tuple of 3 int
        Numbers of h, k, l in the table.

    Raises
    ------
    ModelError
        If the table would be larger than `LARGEST_TABLE`.
    """
    size = 8 * shape[0] * shape[1] * shape[2]
    if size > LARGEST_TABLE:
        raise ModelError(
            f"structure factors: the indices span {shape[0]} x {shape[1]} x {shape[2]}, a table of "
            f"{size / 2**30:.1f} GiB; at most {LARGEST_TABLE / 2**30:.0f} GiB are possible"
        )
