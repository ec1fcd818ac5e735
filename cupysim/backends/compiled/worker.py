"""The launches of one image on one device: division of its pixels and steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.backends.compiled import records
from cupysim.backends.compiled.device_tables import Same
from cupysim.backends.compiled.engine import Engine
from cupysim.backends.compiled.spans import Span, portions
from cupysim.backends.compiled.variants import Factors, Precision, Variant, suited_precision
from cupysim.maths.orientations import orientations
from cupysim.maths.rotations import apply_matrix
from cupysim.plan.render_plan import RenderPlan, Use
from cupysim.plan.spot_shapes import kernel_shape

SECONDS_AT_ONCE = 0.3
"""Time that a band should take (s), so that at most half a second passes without progress."""

SEARCH_SLOWNESS = 20
"""Largest ratio of the time of a search to the time of a render."""


@dataclass
class Piece:
    """Consecutive pixels that have the same spans."""

    first: int
    count: int
    spans: list[Span]


class BandWorker:
    """Renders parts of one image on one engine."""

    def __init__(
        self,
        engine: Engine,
        plan: RenderPlan,
        image: tuple[int, int],
        numbers: np.ndarray | None,
    ) -> None:
        shot, panel = image
        self.engine = engine
        self.plan = plan
        self.shot = shot
        self.numbers = numbers
        self.rate = engine.rate
        only = slice(shot, shot + 1)
        self._base = engine.tables.describe(plan, only, panel, engine.precision).reshape(())
        self._base["sources"] = engine.tables.sources(engine.replace, plan, only)
        self._base["crystals"] = engine.tables.crystals(engine.replace, plan, only)
        if self._base["n_operations"]:
            self._base["diffuse_operations"] = engine.tables.diffuse_operations(
                engine.replace, plan, only
            )
        if self._base["n_materials"]:
            self._base["materials"] = engine.tables.materials(engine.replace, plan, only)
            self._base["factor_intervals"] = engine.tables.factor_intervals(engine.replace, plan)
        if numbers is not None:
            self._base["numbers"] = engine.replace("numbers", numbers)

    def band_size(self, span_list: list[Span], slowness: int = 1) -> int:
        """Number of pixels that takes `SECONDS_AT_ONCE`, within the engine's limits."""
        steps = max(1, sum(span.n_steps for span in span_list)) * slowness
        wanted = int(self.rate * SECONDS_AT_ONCE / steps)
        return min(max(wanted, self.engine.smallest_band), self.engine.largest_band)

    def render_band(self, piece: Piece, sink: Any) -> Any:
        """Render some pixels completely into an image. Returns their sum of solid angles (sr)."""
        launch = self._launch(piece.first, piece.count)
        last = piece.first + piece.count - 1
        parts = self._parts(piece)
        span, following = next(parts), next(parts, None)
        numbers = self.number(piece.first), self.number(last)
        self.engine.open_band(launch, sink, numbers, following is not None)
        with self.timed(piece):
            while True:
                variant = self._variant(span.interpolate)
                self._set_span(launch, span, variant)
                launch["is_last_part"] = following is None
                self.engine.render(launch, variant)
                if following is None:
                    break
                launch["is_first_part"] = False
                span, following = following, next(parts, None)
            return self.engine.close_band()

    @contextmanager
    def timed(self, piece: Piece) -> Iterator[None]:
        """Measure the time of a band, and update the speed of the device from it."""
        started = time.perf_counter()
        yield
        taken = time.perf_counter() - started
        steps = piece.count * sum(span.n_steps for span in piece.spans)
        if taken > SECONDS_AT_ONCE / 30:
            # the first band starts threads or compiles, so the change of the speed is limited
            self.rate = min(max(steps / taken, self.rate / 8), self.rate * 8)

    def first_sweep(self, count: int) -> tuple[int, int] | None:
        """Find the first sweep over the spindle that is executed at all (quirk Q3).

        Parameters
        ----------
        count : int
            Number of pixels.

        Returns
        -------
        tuple of 2 int or None
            Place of the pixel and number of the ray; None if no ray is within the resolution
            limit.
        """
        if not self.plan.dmin > 0.0:
            return 0, 0
        size = self.band_size([Span(0, self.plan.n_rays, 0, 1)], SEARCH_SLOWNESS)
        for first in range(0, count, size):
            rays = self._first_ray(first, min(size, count - first))
            hits = np.flatnonzero(rays >= 0)
            if len(hits):
                return first + int(hits[0]), int(rays[hits[0]])
        return None

    def _first_ray(self, first: int, count: int) -> np.ndarray:
        """Number of the first ray within the resolution limit for each pixel, or -1."""
        launch = self._launch(first, count)
        launch["n_rays"] = self.plan.n_rays
        return self.engine.find_first_ray(launch)

    def interpolation_stop(self, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        """Number of the first step that leaves the table for each pixel, or -1, and its h, k, l."""
        found = np.full(piece.count, -1, dtype=np.int64)
        indices = np.zeros((piece.count, 3))
        for span in self._parts(piece, SEARCH_SLOWNESS):
            launch, variant = self._launch(piece.first, piece.count), self._variant(True)
            self._set_span(launch, span, variant)
            steps, at = self.engine.find_interpolation_stop(launch, variant)
            new = (found < 0) & (steps >= 0)
            found[new], indices[new] = steps[new], at[new]
        return found, indices

    def number(self, place: int) -> int:
        """Pixel number slow * n_fast + fast of a place in the list of pixels."""
        if self.numbers is not None:
            return int(self.numbers[place])
        base = self._base
        row, column = divmod(place, int(base["n_columns"]))
        row += int(base["first_row"])
        return row * int(base["n_fast"]) + int(base["first_column"]) + column

    def _parts(self, piece: Piece, slowness: int = 1) -> Iterator[Span]:
        at_once = max(1, int(self.rate * SECONDS_AT_ONCE / piece.count / slowness))
        for span in piece.spans:
            yield from portions(span, at_once, self.engine.matrices_at_once)

    def _launch(self, first: int, count: int) -> np.ndarray:
        launch = records.copied(self._base)
        launch["first_pixel"], launch["n_pixels"] = first, count
        launch["is_first_part"] = True
        return launch

    def _set_span(self, launch: np.ndarray, span: Span, variant: Variant) -> None:
        launch["first_ray"], launch["n_rays"] = span.first_ray, span.n_rays
        launch["first_orientation"] = span.first_orientation
        launch["n_orientations"] = span.n_orientations
        first, last = span.first_orientation, span.first_orientation + span.n_orientations
        launch["first_matrix"] = first
        launch["matrices"] = self.engine.tables.address(
            self.engine.replace,
            "matrices",
            (Same(self.plan), self.shot, first, last, span.untouched, variant.precision),
            lambda: records.matrix_records(
                cells_of(self.plan, self.shot, range(first, last), span.untouched),
                variant.precision,
            ),
        )
        if variant.factors is not Factors.CONSTANT:
            launch["table"] = self.engine.tables.factors(
                self.engine.replace, self.plan, variant.precision
            )

    def _variant(self, interpolate: bool) -> Variant:
        return variant_of(self.plan, self.shot, self.engine.precision, interpolate)


def cells_of(plan: RenderPlan, shot: int, which: range, untouched: bool) -> np.ndarray:
    """Cell vectors of some orientations.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot : int
        Number of the shot.
    which : range
        Numbers of the orientations, counted through all crystals.
    untouched : bool
        True for the orientations of the first sweep (quirk Q3).

    Returns
    -------
    ndarray, shape (n, 3, 3)
        Cell vectors: rows a, b, c (m).
    """
    crystals, each = plan.crystals, plan.crystals.n_orientations
    first, last = which.start, which.stop
    blocks = []
    for crystal in range(first // each, (last - 1) // each + 1):
        low, high = max(first - crystal * each, 0), min(last - crystal * each, each)
        rotations = crystals.mosaic_rotations[shot, crystal]
        if untouched:
            assert crystals.first_cell is not None
            turned = rotations[low:high][:, None]
            blocks.append(apply_matrix(turned, crystals.first_cell[shot, crystal]))
        else:
            cells = crystals.phi_cells[shot, crystal]
            blocks.append(orientations(cells, rotations, low, high))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def variant_of(plan: RenderPlan, shot: int, precision: Precision, interpolate: bool) -> Variant:
    """The variant of the kernel that renders a shot.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    shot : int
        Number of the shot.
    precision : Precision
        Precision of the engine.
    interpolate : bool
        True if structure factors are interpolated.

    Returns
    -------
    Variant
        The choices with which the kernel is compiled.
    """
    factors = Factors.NEAREST
    if plan.factors.is_constant:
        factors = Factors.CONSTANT
    elif interpolate:
        factors = Factors.TRICUBIC
    largest = float(plan.crystals.largest_counts[shot])
    precision = suited_precision(precision, plan.crystals.shape, factors, largest)
    if plan.diffuse.n_operations:
        precision = Precision.DOUBLE
    running, diffuse = Use.RUNNING in plan.uses, plan.diffuse.n_operations > 0
    return Variant(
        precision,
        kernel_shape(plan.crystals.shape),
        factors,
        running,
        diffuse,
        plan.amorphous.n_materials > 0,
    )
