"""Structure factors: a dense table of F(hkl) in P1, and a default outside the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cupysim.errors import ModelError
from cupysim.models.checks import assign, finite, frozen

LARGEST_TABLE = 4 * 2**30
"""Largest size of a table of structure factors (bytes)."""

SAME_WAVELENGTH = 1e-9
"""Relative difference up to which two wavelengths are the same."""


@dataclass(frozen=True, eq=False)
class StructureFactors:
    """A table of structure factors (amplitudes) for a box of Miller indices.

    The table has no symmetry: it must contain all symmetry equivalents, and Friedel mates too.

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
    wavelengths : ndarray, shape (n_channels,), optional
        Wavelengths (m) of the `channels`, ascending. Without them, the table holds at every
        wavelength.
    channels : ndarray, shape (n_channels, n_h, n_k, n_l), optional
        Amplitudes at each of `wavelengths`. At wavelengths in between, amplitudes are interpolated
        linearly. `StructureFactors.at_wavelengths` makes channels.
    """

    table: np.ndarray | None = None
    first: tuple[int, int, int] = (0, 0, 0)
    default: float = 0.0
    n_given: int = 0
    wavelengths: np.ndarray | None = None
    channels: np.ndarray | None = None
    _tables: tuple[bytes, tuple[np.ndarray, np.ndarray]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        assign(self, default=finite(self.default, "structure factors: default"))
        if self.wavelengths is not None or self.channels is not None:
            self._check_channels()
        if self.table is None:
            return
        if np.ndim(self.table) != 3 or np.size(self.table) == 0:
            raise ModelError("structure factors: the table must have three axes, h, k, l")
        assign(self, table=frozen(self.table, np.float64))

    def _check_channels(self) -> None:
        if self.wavelengths is None or self.channels is None or self.table is None:
            raise ModelError("structure factors: channels need wavelengths and a table")
        wavelengths = frozen(self.wavelengths, np.float64)
        channels = frozen(self.channels, np.float64)
        if channels.shape != (len(wavelengths), *np.shape(self.table)):
            raise ModelError(
                f"structure factors: {len(wavelengths)} wavelengths and channels of the shape "
                f"{channels.shape} do not fit a table of the shape {np.shape(self.table)}"
            )
        if not (np.diff(wavelengths) > 0.0).all() or not (wavelengths > 0.0).all():
            raise ModelError("structure factors: wavelengths must be positive and ascending")
        assign(self, wavelengths=wavelengths, channels=channels)

    @classmethod
    def at_wavelengths(
        cls, wavelengths: Sequence[float], parts: Sequence[StructureFactors]
    ) -> StructureFactors:
        """Join structure factors that hold at different wavelengths.

        Parameters
        ----------
        wavelengths : sequence of float
            Wavelengths (m), in any order.
        parts : sequence of StructureFactors
            Structure factors at each of them, with one default.

        Returns
        -------
        StructureFactors
            Structure factors with channels. Their table is that of the middle wavelength.

        Raises
        ------
        ModelError
            If the parts do not fit each other, or a part has no table.
        """
        if len(wavelengths) != len(parts) or not parts:
            raise ModelError(
                f"structure factors: {len(wavelengths)} wavelengths and {len(parts)} tables"
            )
        if len({part.default for part in parts}) > 1:
            raise ModelError("structure factors: all channels must have the same default")
        if any(part.channels is not None for part in parts):
            raise ModelError("structure factors: a channel must not have channels itself")
        if any(part.table is None for part in parts):
            raise ModelError("structure factors: each channel needs a table")
        order = np.argsort(wavelengths)
        low = np.min([part.first for part in parts], axis=0)
        high = np.max([part.last for part in parts], axis=0)
        shape = tuple(int(n) for n in high - low + 1)
        check_table_size(shape, len(parts))
        channels = np.full((len(parts), *shape), parts[0].default)
        for channel, number in zip(channels, order, strict=True):
            part = parts[number]
            assert part.table is not None
            begin = np.array(part.first) - low
            places = tuple(slice(b, b + n) for b, n in zip(begin, part.table.shape, strict=True))
            channel[places] = part.table
        first = (int(low[0]), int(low[1]), int(low[2]))
        return cls(
            channels[len(parts) // 2], first, parts[0].default,
            max(part.n_given for part in parts), np.asarray(wavelengths)[order], channels,
        )  # fmt: skip

    def tables_at(self, wavelengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tables with a border at the wavelengths of sources.

        Parameters
        ----------
        wavelengths : ndarray, shape (n,)
            Wavelengths of the sources (m).

        Returns
        -------
        tables : ndarray, shape (n_tables, n_h + 2, n_k + 2, n_l + 2)
            Amplitudes: the channels, or one table for each wavelength between them.
        numbers : ndarray of int32, shape (n,)
            Number of each source's table.

        Raises
        ------
        ModelError
            If a wavelength is not between those of the channels, or the tables are too large.
        """
        if self.wavelengths is None or self.channels is None:
            return self.bordered[None], np.zeros(len(wavelengths), dtype=np.int32)
        key = wavelengths.tobytes()
        if self._tables is None or self._tables[0] != key:
            assign(self, _tables=(key, self._interpolated(wavelengths)))
        assert self._tables is not None
        return self._tables[1]

    def shares_at(self, wavelengths: np.ndarray) -> np.ndarray:
        """Shares of the channels in each table of `tables_at`.

        Parameters
        ----------
        wavelengths : ndarray, shape (n,)
            Wavelengths of the sources (m).

        Returns
        -------
        ndarray, shape (n_tables, n_channels)
            The shares of a table add up to 1.

        Raises
        ------
        ModelError
            If a wavelength is not between those of the channels.
        """
        if self.wavelengths is None:
            return np.ones((1, 1))
        place, share, _ = self._between_channels(wavelengths)
        shares = np.zeros((len(place), len(self.wavelengths)))
        rows = np.arange(len(place))
        shares[rows, place] = 1.0 - share
        shares[rows[share > 0.0], place[share > 0.0] + 1] = share[share > 0.0]
        return shares

    def _between_channels(
        self, wavelengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The channels between which tables are interpolated.

        Returns
        -------
        place : ndarray of int, shape (n_tables,)
            Number of the channel before each table. If all wavelengths are those of channels,
            there is a table for each channel.
        share : ndarray, shape (n_tables,)
            Weight of the channel after it; that of the channel before it is 1 - share.
        numbers : ndarray of int, shape (n,)
            Number of each wavelength's table.
        """
        assert self.wavelengths is not None
        grid = self.wavelengths
        slack = SAME_WAVELENGTH * grid[-1]
        outside = (wavelengths < grid[0] - slack) | (wavelengths > grid[-1] + slack)
        if outside.any():
            raise ModelError(
                f"structure factors: a source of {1e10 * wavelengths[outside][0]:.6g} A is beyond "
                f"the wavelengths of the channels, {1e10 * grid[0]:.6g} to {1e10 * grid[-1]:.6g} A"
            )
        near = np.abs(wavelengths[:, None] - grid).argmin(axis=1)
        if (np.abs(wavelengths - grid[near]) <= slack).all():
            return np.arange(len(grid)), np.zeros(len(grid)), near
        distinct, numbers = np.unique(wavelengths, return_inverse=True)
        place = np.clip(np.searchsorted(grid, distinct, side="right") - 1, 0, len(grid) - 2)
        share = np.clip((distinct - grid[place]) / (grid[place + 1] - grid[place]), 0.0, 1.0)
        return place, share, numbers

    def _interpolated(self, wavelengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self.channels is not None
        place, share, numbers = self._between_channels(wavelengths)
        if not share.any() and np.array_equal(place, np.arange(len(self.channels))):
            return self._bordered(self.channels), numbers.astype(np.int32)
        check_table_size(self.channels.shape[1:], len(place))
        weights = share[:, None, None, None]
        after = np.minimum(place + 1, len(self.channels) - 1)
        tables = (1.0 - weights) * self.channels[place] + weights * self.channels[after]
        return self._bordered(tables), numbers.astype(np.int32)

    def _bordered(self, tables: np.ndarray) -> np.ndarray:
        edges = [(0, 0), (1, 1), (1, 1), (1, 1)]
        return np.pad(tables, edges, constant_values=self.default)

    @property
    def interpolation_error(self) -> float:
        """Estimate of the largest error (electrons) of amplitudes between channels.

        One eighth of the largest second difference of neighbouring channels. It bounds the error
        of linear interpolation if the amplitude curves no more between channels than from channel
        to channel. 0 for fewer than three channels, where nothing is known.
        """
        if self.channels is None or len(self.channels) < 3:
            return 0.0
        return float(np.abs(np.diff(self.channels, 2, axis=0)).max()) / 8.0

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
            Structure factors with the new amplitude, at all wavelengths. The table grows if the
            reflection is outside.
        """
        if self.table is None:
            table = np.full((1, 1, 1), float(value))
            return StructureFactors(table, index, self.default, 1)
        before = [max(first - n, 0) for first, n in zip(self.first, index, strict=True)]
        after = [max(n - last, 0) for last, n in zip(self.last, index, strict=True)]
        shape = tuple(
            n + sum(more) for n, *more in zip(self.table.shape, before, after, strict=True)
        )
        tables = self.table[None]
        if self.channels is not None:
            tables = np.concatenate([tables, self.channels])
        check_table_size(shape, len(tables))
        edges = [(0, 0), *zip(before, after, strict=True)]
        grown = np.pad(tables, edges, constant_values=self.default)
        h, k, l = (first - more for first, more in zip(self.first, before, strict=True))
        grown[:, index[0] - h, index[1] - k, index[2] - l] = value
        grown.setflags(write=False)
        channels = None if self.channels is None else grown[1:]
        return StructureFactors(
            grown[0], (h, k, l), self.default, self.n_given, self.wavelengths, channels
        )

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


def check_table_size(shape: tuple[int, ...], count: int = 1) -> None:
    """Reject a table that is too large.

    Parameters
    ----------
    shape : tuple of 3 int
        Numbers of h, k, l in the table.
    count : int, optional
        Number of tables.

    Raises
    ------
    ModelError
        If the table would be larger than `LARGEST_TABLE`.
    """
    size = 8 * count * shape[0] * shape[1] * shape[2]
    if size > LARGEST_TABLE:
        tables = "a table of" if count == 1 else f"{count} tables with a total of"
        raise ModelError(
            f"structure factors: the indices span {shape[0]} x {shape[1]} x {shape[2]}, {tables} "
            f"{size / 2**30:.1f} GiB; at most {LARGEST_TABLE / 2**30:.0f} GiB are possible"
        )
