"""Rendering within a tolerance with compiled kernels: tiles of pixels instead of bands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from cupysim.backends.brightest import tolerance_in_photons
from cupysim.backends.compiled import bands, records
from cupysim.backends.compiled.batch import listed
from cupysim.backends.compiled.device_tables import Same
from cupysim.backends.compiled.engine import TileEngine
from cupysim.backends.compiled.spans import spans
from cupysim.backends.compiled.variants import Factors
from cupysim.backends.compiled.worker import (
    SECONDS_AT_ONCE,
    BandWorker,
    Piece,
    cells_of,
    variant_of,
)
from cupysim.backends.rendered import Culled, InterpolationStop, Observer, Rendered
from cupysim.plan.culling import TILE_EDGE, Tiles, orientation_groups, tiles_of
from cupysim.plan.peaks import largest_direct
from cupysim.plan.render_plan import RenderPlan

LANES = 64
"""Number of pixels of a tile, one in each lane of the kernel."""

FIRST_TILES = 1024
"""Number of tiles of the first launch, from which the speed is measured."""

ROW_BITS, COLUMN_BITS = (1, 3, 5), (0, 2, 4)
"""Bits of a lane's number that hold the bits of its row and of its column in the tile."""


def lanes_of_pixels() -> np.ndarray:
    """The lane of each pixel of a tile, shape (8, 8)."""
    numbers = np.arange(8)

    def spread(bits: tuple[int, ...]) -> np.ndarray:
        return np.asarray(sum((numbers >> i & 1) << bit for i, bit in enumerate(bits)))

    return spread(ROW_BITS)[:, None] + spread(COLUMN_BITS)


def lane_masks(tiles: Tiles) -> np.ndarray:
    """The pixels to compute of each tile, as the bits of an integer.

    Parameters
    ----------
    tiles : Tiles
        The tiles.

    Returns
    -------
    ndarray of int64, shape (n,)
        Bit i is set if the pixel in lane i is to be computed.
    """
    if tiles.pixels is None:
        return np.full(len(tiles.numbers), -1, dtype=np.int64)
    bits = np.empty((len(tiles.numbers), LANES), dtype=np.uint8)
    bits[:, lanes_of_pixels().reshape(-1)] = tiles.pixels.reshape(-1, LANES)
    return np.packbits(bits, axis=1, bitorder="little").view("<i8").reshape(-1).astype(np.int64)


class TileWorker:
    """Renders tiles of one panel of one shot on one engine; see `TilePanel`.

    Parameters
    ----------
    engine : TileEngine
        The device.
    plan : RenderPlan
        Plan of the images.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    """

    def __init__(self, engine: TileEngine, plan: RenderPlan, image: tuple[int, int]) -> None:
        shot, panel = image
        self._engine, self._plan, self._shot = engine, plan, shot
        self.tiles = tiles_of(plan, panel)
        self._variant = variant_of(plan, shot, engine.precision, plan.factors.interpolate)
        only = slice(shot, shot + 1)
        launch = engine.tables.describe(plan, only, panel, engine.precision).reshape(())
        self._launch = launch
        launch["sources"] = engine.tables.sources(engine.replace, plan, only)
        launch["crystals"] = engine.tables.crystals(engine.replace, plan, only)
        if launch["n_materials"]:
            launch["materials"] = engine.tables.materials(engine.replace, plan, only)
            launch["factor_intervals"] = engine.tables.factor_intervals(engine.replace, plan)
        total = plan.n_orientations
        launch["compact_stride"] = total
        precision = self._variant.precision
        launch["matrices"] = self._kept(
            "matrices", precision, lambda: records.matrix_records(self._cells, precision)
        )
        launch["compact_matrices"] = self._kept("compact_matrices", 0, self._compact_matrices)
        launch["orientation_groups"] = self._kept("orientation_groups", 0, self._groups)
        launch["n_orientation_groups"] = engine.tables.length("orientation_groups")
        if self._variant.factors is not Factors.CONSTANT:
            launch["table"] = engine.tables.factors(engine.replace, plan, precision)
            blocks = engine.tables.block_maxima(engine.replace, plan)
            launch["block_maxima"], launch["blocks_of_channel"] = blocks
        self._rate: float | None = None

    @cached_property
    def _cells(self) -> np.ndarray:
        return cells_of(self._plan, self._shot, range(self._plan.n_orientations), False)

    def _kept(self, name: str, kind: object, make: Callable[[], np.ndarray]) -> int:
        """The address of an array of the shot's orientations, which its panels share."""
        contents = Same(self._plan.crystals), self._shot, kind
        return self._engine.tables.address(self._engine.replace, name, contents, make)

    def _compact_matrices(self) -> np.ndarray:
        return np.ascontiguousarray(self._cells.reshape(-1, 9).T, dtype=np.float32)

    def _groups(self) -> np.ndarray:
        groups = orientation_groups(self._cells, self._plan.crystals.n_orientations)
        return records.group_records(groups)

    def _launch_of(self, tiles: Tiles) -> np.ndarray:
        launch = records.copied(self._launch)
        launch["tiles"] = self._engine.replace("tiles", tiles.numbers)
        launch["tile_lanes"] = self._engine.replace("tile_lanes", lane_masks(tiles))
        launch["tiles_across"] = tiles.across
        launch["n_pixels"] = LANES * len(tiles.numbers)
        return launch

    def _most_tiles(self) -> int:
        """Number of tiles of a launch that takes about `SECONDS_AT_ONCE`."""
        if self._rate is None:
            return FIRST_TILES
        return max(int(self._rate * SECONDS_AT_ONCE), FIRST_TILES)

    @contextmanager
    def _timed(self, n_tiles: int) -> Iterator[None]:
        """Measure the speed of the device from the time of some tiles."""
        started = time.perf_counter()
        yield
        self._rate = n_tiles / max(time.perf_counter() - started, 1e-6)

    def estimates(self) -> np.ndarray:
        """Estimates of the photons of each tile's brightest pixel."""
        launch = self._launch_of(self.tiles)
        launch["largest_direct"] = largest_direct(self._plan, self._shot)
        return self._engine.estimate_tiles(launch, self._variant)

    def largest_of(self, tiles: Tiles, tolerance: float) -> float:
        """Photons of the brightest pixel of some tiles, without a background."""
        launch = self._launch_of(tiles)
        for name in ("background", "ray_background", "n_materials", "has_background"):
            launch[name] = 0
        launch["tolerated"] = tolerance
        sink = np.zeros(self._plan.shape[2:], dtype=np.float32)
        self._engine.open_tiles(launch, sink)
        self._engine.render_tiles(launch, self._variant)
        self._engine.close_tiles(tiles.numbers)
        rows, columns = (place * TILE_EDGE for place in np.divmod(tiles.numbers, tiles.across))
        return max(
            float(sink[row : row + TILE_EDGE, column : column + TILE_EDGE].max())
            for row, column in zip(rows, columns, strict=True)
        )

    def render(self, tolerance: float, sink: Any, observer: Observer) -> tuple[float, int]:
        """Render all tiles into an image.

        Parameters
        ----------
        tolerance : float
            Photons by which each pixel may be below the exact image.
        sink : ndarray of float32, shape (n_slow, n_fast)
            Image to write to.
        observer : Observer
            Receives the progress.

        Returns
        -------
        tuple of float and int
            Sum of the solid angles (sr), and number of computed terms.
        """
        tiles = self.tiles
        launch = self._launch_of(tiles)
        launch["tolerated"] = tolerance
        counts = None if tiles.pixels is None else tiles.pixels.sum(axis=(1, 2))
        omega, computed, first = 0.0, 0, 0
        self._engine.open_tiles(launch, sink)
        while first < len(tiles.numbers):
            last = min(first + self._most_tiles(), len(tiles.numbers))
            launch["first_pixel"], launch["n_pixels"] = LANES * first, LANES * (last - first)
            with self._timed(last - first):
                part = self._engine.render_tiles(launch, self._variant)
            omega, computed = omega + part[0], computed + part[1]
            done = LANES * (last - first) if counts is None else int(counts[first:last].sum())
            observer.pixels_done(done)
            first = last
        self._engine.close_tiles(tiles.numbers)
        return omega, computed


def render(
    plan: RenderPlan, observer: Observer, engines: Sequence[TileEngine], image: Any
) -> Rendered:
    """Compute images within the plan's tolerance.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    observer : Observer
        Receives the progress.
    engines : sequence of TileEngine
        Devices; the first one renders all tiles.
    image : ndarray of float32, shape plan.shape
        Array of zeros to write the images to.

    Returns
    -------
    Rendered
        The images, and what reports need to know of them.

    Raises
    ------
    CupysimError
        If the table of structure factors has too many entries.
    """
    bands.check_table(plan)
    assert plan.tolerance is not None
    omega_sum = np.zeros(plan.shape[:2])
    n_rendered = np.zeros(plan.shape[:2], dtype=np.int64)
    n_computed, limits = 0, []
    for shot in range(plan.shape[0]):
        first_sweep = FirstSweep(plan)
        workers = [TileWorker(engines[0], plan, (shot, panel)) for panel in range(plan.shape[1])]
        limits.append(tolerance_in_photons(plan.tolerance, workers))
        for panel, worker in enumerate(workers):
            sink = image[shot, panel]
            found = worker.render(limits[-1][0], sink, observer)
            omega_sum[shot, panel], computed = found
            n_rendered[shot, panel] = worker.tiles.n_pixels
            n_computed += computed
            first_sweep.render(engines[0], (shot, panel), sink)
    n_terms = int(n_rendered.sum()) * plan.n_rays * plan.n_orientations
    culled = Culled.of(limits, n_computed, n_terms)
    stops: list[InterpolationStop | None] = [None] * plan.shape[0]
    return Rendered(image, omega_sum, n_rendered, stops, bands.made_by(engines), culled)


class FirstSweep:
    """Renders the pixel of the first executed sweep of a shot exactly (quirk Q3).

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    """

    def __init__(self, plan: RenderPlan) -> None:
        self._plan = plan
        self._is_pending = plan.crystals.first_cell is not None

    def render(self, engine: TileEngine, image: tuple[int, int], sink: Any) -> None:
        """Render the pixel into a panel's image, if it is in this panel and not rendered yet."""
        if not self._is_pending:
            return
        numbers = listed(self._plan, image[1])
        count = self._plan.n_region if numbers is None else len(numbers)
        worker = BandWorker(engine, self._plan, image, numbers)
        found = worker.first_sweep(count)
        if found is None:
            return
        self._is_pending = False
        place, ray = found
        worker.render_band(Piece(place, 1, spans(self._plan, ray, None)), sink)
