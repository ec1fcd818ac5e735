"""Rendering within a tolerance with compiled kernels: tiles of pixels instead of bands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

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
from cupysim.plan.culling import Tiles, block_maxima, orientation_groups, tiles_of
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
    """Renders tiles of one panel of one shot on one engine.

    Parameters
    ----------
    engine : TileEngine
        The device.
    plan : RenderPlan
        Plan of the images, with a tolerance.
    image : tuple of 2 int
        Numbers of the shot and of the panel.
    """

    def __init__(self, engine: TileEngine, plan: RenderPlan, image: tuple[int, int]) -> None:
        shot, panel = image
        self.engine = engine
        only = slice(shot, shot + 1)
        self.variant = variant_of(plan, shot, engine.precision, plan.factors.interpolate)
        launch = engine.tables.describe(plan, only, panel, engine.precision).reshape(())
        put, tables = engine.replace, engine.tables
        launch["sources"] = tables.sources(put, plan, only)
        launch["crystals"] = tables.crystals(put, plan, only)
        total = plan.crystals.n_crystals * plan.crystals.n_orientations
        contents = Same(plan), shot, 0, total, False, self.variant.precision
        cells: list[np.ndarray] = []

        def all_cells() -> np.ndarray:
            if not cells:
                cells.append(cells_of(plan, shot, range(total), False))
            return cells[0]

        launch["matrices"] = tables.address(
            put, "matrices", contents,
            lambda: records.matrix_records(all_cells(), self.variant.precision),
        )  # fmt: skip
        launch["compact_matrices"] = tables.address(
            put, "compact_matrices", contents,
            lambda: np.ascontiguousarray(all_cells().reshape(-1, 9).T, dtype=np.float32),
        )  # fmt: skip
        launch["compact_stride"] = launch["n_orientations"] = total
        groups = records.group_records(
            orientation_groups(all_cells(), plan.crystals.n_orientations)
        )
        launch["orientation_groups"] = put("orientation_groups", groups)
        launch["n_orientation_groups"] = len(groups)
        if self.variant.factors is not Factors.CONSTANT:
            launch["table"] = tables.factors(put, plan, self.variant.precision)
            maxima = block_maxima(plan.factors)
            launch["block_maxima"] = put("block_maxima", maxima)
            launch["blocks_of_channel"] = maxima[0].size
        assert plan.tolerances is not None
        launch["tolerance"] = plan.tolerances[shot]
        launch["is_first_part"] = launch["is_last_part"] = True
        self._launch = launch
        self.rate: float | None = None

    def render(self, tiles: Tiles, sink: Any, observer: Observer) -> tuple[float, int]:
        """Render some tiles into an image.

        Parameters
        ----------
        tiles : Tiles
            The tiles.
        sink : ndarray of float32, shape (n_slow, n_fast)
            Image to write to.
        observer : Observer
            Receives the progress.

        Returns
        -------
        tuple of float and int
            Sum of the solid angles (sr), and number of computed terms.
        """
        launch = records.copied(self._launch)
        masks = lane_masks(tiles)
        launch["tiles"] = self.engine.replace("tiles", tiles.numbers)
        launch["tile_lanes"] = self.engine.replace("tile_lanes", masks)
        launch["tiles_across"] = tiles.across
        counts = None if tiles.pixels is None else tiles.pixels.sum(axis=(1, 2))
        omega, computed, first = 0.0, 0, 0
        while first < len(tiles.numbers):
            wanted = FIRST_TILES if self.rate is None else int(self.rate * SECONDS_AT_ONCE)
            last = min(first + max(wanted, FIRST_TILES), len(tiles.numbers))
            launch["first_pixel"], launch["n_pixels"] = LANES * first, LANES * (last - first)
            started = time.perf_counter()
            part = self.engine.render_tiles(launch, sink, self.variant)
            taken = time.perf_counter() - started
            self.rate = (last - first) / max(taken, 1e-6)
            omega, computed = omega + part[0], computed + part[1]
            done = LANES * (last - first) if counts is None else int(counts[first:last].sum())
            observer.pixels_done(done)
            first = last
        return omega, computed


def render(
    plan: RenderPlan, observer: Observer, engines: Sequence[TileEngine], image: Any
) -> Rendered:
    """Compute images within the plan's tolerances.

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
    omega_sum = np.zeros(plan.shape[:2])
    n_rendered = np.zeros(plan.shape[:2], dtype=np.int64)
    n_computed = 0
    for shot in range(plan.shape[0]):
        state = FirstSweep(plan)
        for panel in range(plan.shape[1]):
            tiles = tiles_of(plan, panel)
            if len(tiles.numbers) == 0:
                continue
            sink = image[shot, panel]
            worker = TileWorker(engines[0], plan, (shot, panel))
            omega_sum[shot, panel], computed = worker.render(tiles, sink, observer)
            n_rendered[shot, panel] = tiles.n_pixels
            n_computed += computed
            state.render(engines[0], (shot, panel), sink)
    culled = Culled.of(plan, int(n_rendered.sum()), n_computed)
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
