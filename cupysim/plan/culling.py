"""Data for a render within a tolerance: tiles, groups of orientations, bounds of tables.

Such a render leaves out orientations that contribute almost no photons to a tile of pixels.
`docs/tolerance.md` derives its bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cupysim.plan.factor_table import FactorTable
from cupysim.plan.render_plan import RenderPlan, Use

TILE_EDGE = 8
"""Number of pixels along the edge of a tile."""

BLOCK_EDGE = 4
"""Edge of the blocks of table entries whose largest amplitude is kept."""

LARGEST_GROUP = 1024
"""Largest number of orientations that are tested together."""

SMALLEST_GROUP = 16
"""Smallest number of orientations of a group that a division makes."""

WIDE_GROUP = 0.02
"""Spread of a group's cell vectors, relative to their length, above which it is divided."""

MOST_ORIENTATIONS = 2**22
"""Largest number of orientations. All of them are kept in memory."""


def reason_for_exact(plan: RenderPlan) -> str | None:
    """The reason why an image cannot be rendered within a tolerance; None if it can.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.
    """
    if Use.RUNNING in plan.uses:
        return (
            "-oversample_thick, -oversample_polar and -oversample_omega multiply the running sum "
            "at each step (quirk Q14)"
        )
    if plan.diffuse.n_operations:
        return "diffuse scattering has no upper bound"
    if plan.factors.interpolate and plan.factors.stops and not plan.factors.is_constant:
        return "interpolation ends at a step that only an exact render finds (quirk Q23)"
    if plan.n_orientations > MOST_ORIENTATIONS:
        return f"there are {plan.n_orientations} orientations, more than {MOST_ORIENTATIONS}"
    return None


def without_background(plan: RenderPlan) -> RenderPlan:
    """The plan of the same images without a background."""
    zeros = np.zeros(plan.shape[0])
    return plan.with_same_axes(
        background=zeros,
        ray_background=zeros,
        has_background=False,
        path_image=None,
        amorphous=replace(plan.amorphous, molecules=0.0 * plan.amorphous.molecules),
    )


@dataclass(frozen=True)
class OrientationGroup:
    """Neighbouring orientations of one crystal.

    Parameters
    ----------
    first, count : int
        Number of the first orientation, counted through all crystals; size of the group.
    crystal : int
        Number of the crystal.
    reference : ndarray, shape (3, 3)
        Rows a, b, c (m): means over the orientations.
    lengths : ndarray, shape (3,)
        Upper bounds of the lengths of a, b, c (m).
    spreads : ndarray, shape (3,)
        Largest distances of a, b, c from the reference (m).
    """

    first: int
    count: int
    crystal: int
    reference: np.ndarray
    lengths: np.ndarray
    spreads: np.ndarray


def orientation_groups(cells: np.ndarray, each: int) -> list[OrientationGroup]:
    """Divide orientations into groups of neighbours.

    Parameters
    ----------
    cells : ndarray, shape (n, 3, 3)
        Rows a, b, c (m) of all orientations, crystal by crystal.
    each : int
        Number of orientations of a crystal.

    Returns
    -------
    list of OrientationGroup
        Groups in order.
    """
    groups = []
    for first in range(0, len(cells), each):
        for start in range(first, first + each, LARGEST_GROUP):
            count = min(LARGEST_GROUP, first + each - start)
            groups += list(_divided(cells, start, count, first // each))
    return groups


def _group(cells: np.ndarray, first: int, count: int, crystal: int) -> OrientationGroup:
    some = cells[first : first + count]
    reference = some.mean(axis=0)
    spreads = np.sqrt(((some - reference) ** 2).sum(axis=-1)).max(axis=0) * (1.0 + 1e-9)
    lengths = np.sqrt((some**2).sum(axis=-1)).max(axis=0) * (1.0 + 1e-9)
    return OrientationGroup(first, count, crystal, reference, lengths, spreads)


def _divided(cells: np.ndarray, first: int, count: int, crystal: int) -> Iterator[OrientationGroup]:
    """Halve a group as long as this brings its orientations closer together."""
    group = _group(cells, first, count, crystal)
    wide = (group.spreads / group.lengths).max()
    if count >= 2 * SMALLEST_GROUP and wide > WIDE_GROUP:
        half = count // 2
        parts = [
            _group(cells, first, half, crystal),
            _group(cells, first + half, count - half, crystal),
        ]
        if max((part.spreads / part.lengths).max() for part in parts) < 0.75 * wide:
            yield from _divided(cells, first, half, crystal)
            yield from _divided(cells, first + half, count - half, crystal)
            return
    yield group


def block_maxima(factors: FactorTable) -> np.ndarray:
    """The largest amplitude of each block of `BLOCK_EDGE` entries along each axis of the table.

    Parameters
    ----------
    factors : FactorTable
        Structure factors.

    Returns
    -------
    ndarray of float32, shape (n_channels, n_h, n_k, n_l)
        Amplitudes relative to the largest of the table, rounded up.
    """
    table = np.abs(factors.table)
    for axis in (1, 2, 3):
        starts = np.arange(0, table.shape[axis], BLOCK_EDGE)
        table = np.maximum.reduceat(table, starts, axis=axis)
    rounded = (table / factors.largest).astype(np.float32)
    return np.nextafter(rounded, np.float32(np.inf))


@dataclass(frozen=True)
class Tiles:
    """Tiles of a panel that have pixels to compute.

    Parameters
    ----------
    across : int
        Number of tiles in a row of the panel.
    numbers : ndarray of int64, shape (n,)
        Numbers row * across + column of the tiles.
    pixels : ndarray of bool, shape (n, 8, 8), or None
        Pixels to compute; None for all pixels of all tiles.
    """

    across: int
    numbers: np.ndarray
    pixels: np.ndarray | None

    @property
    def n_pixels(self) -> int:
        """Number of pixels to compute."""
        if self.pixels is None:
            return len(self.numbers) * TILE_EDGE**2
        return int(self.pixels.sum())

    def some(self, which: np.ndarray) -> Tiles:
        """Some of the tiles, by their places in the list."""
        pixels = None if self.pixels is None else self.pixels[which]
        return Tiles(self.across, self.numbers[which], pixels)


def tiles_of(plan: RenderPlan, panel: int) -> Tiles:
    """The tiles of a panel that have pixels to compute.

    Tiles begin at the panel's first pixel, so a region does not change the values of its pixels.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    panel : int
        Number of the panel.
    """
    rows, columns = plan.rows, plan.columns
    across = -(-plan.shape[3] // TILE_EDGE)
    if plan.n_region == 0:
        return Tiles(across, np.empty(0, dtype=np.int64), None)
    first_row, first_column = rows.start // TILE_EDGE, columns.start // TILE_EDGE
    n_down = -(-rows.stop // TILE_EDGE) - first_row
    n_across = -(-columns.stop // TILE_EDGE) - first_column
    numbers = (
        (first_row + np.arange(n_down))[:, None] * across + first_column + np.arange(n_across)
    ).reshape(-1)
    edges = (rows.start, rows.stop, columns.start, columns.stop)
    if plan.mask is None and all(edge % TILE_EDGE == 0 for edge in edges):
        return Tiles(across, numbers, None)
    wanted = np.zeros((n_down * TILE_EDGE, n_across * TILE_EDGE), dtype=bool)
    corner = rows.start - first_row * TILE_EDGE, columns.start - first_column * TILE_EDGE
    inside = wanted[corner[0] :, corner[1] :][
        : rows.stop - rows.start, : columns.stop - columns.start
    ]
    inside[...] = True if plan.mask is None else plan.mask[panel][rows, columns]
    by_tile = wanted.reshape(n_down, TILE_EDGE, n_across, TILE_EDGE).transpose(0, 2, 1, 3)
    pixels = by_tile.reshape(-1, TILE_EDGE, TILE_EDGE)
    used = pixels.any(axis=(1, 2))
    return Tiles(across, numbers[used], pixels[used])
