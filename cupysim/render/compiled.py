"""Rendering with compiled kernels: what the GPU and the host backend have in common.

An image is worked through in bands of pixels which take a fraction of a second, so that
progress shows and an interruption is heard. What depends on the order of the
C program's serial loops is found out beforehand by searches, and the pixels concerned
are rendered in parts: orientations of the first sweep (quirk Q3), and the end of
interpolation (quirk Q23).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cupysim.errors import CupysimError
from cupysim.maths.orientations import orientations
from cupysim.maths.rotations import apply_matrix
from cupysim.render import launch as launches
from cupysim.render.launch import Factors, Precision, Variant
from cupysim.render.plan import RenderPlan
from cupysim.render.result import InterpolationStop, Observer, Rendered
from cupysim.render.steps import Span, count_orientations, count_rays, portions, spans

SECONDS_AT_ONCE = 0.3
"""How long a band should take; at most half a second goes by without a sign."""

LARGEST_TABLE = 2**31 - 1
"""Entries of a table of structure factors which the kernel can count."""

SEARCH_SLOWNESS = 20
"""How many times slower a search is than a render, at most."""


class Engine(Protocol):
    """A device which carries out launches."""

    precision: Precision
    rate: float
    """Steps in a second, a first guess."""
    smallest_band: int
    """Pixels below which the device is not busy."""
    largest_band: int
    """Pixels whose results it holds."""
    matrices_at_once: int
    """Orientations which it holds."""

    def upload(self, array: np.ndarray) -> int:
        """Copy an array to the device, for as long as the engine lives; its address."""

    def replace(self, name: str, array: np.ndarray) -> int:
        """The same in the place of an earlier array of this name."""

    def open_band(self, launch: np.ndarray, image: np.ndarray, numbers: tuple[int, int]) -> None:
        """Fill in where a band's results go: pixels of an image, the first and the last."""

    def render(self, launch: np.ndarray, variant: Variant) -> None:
        """Carry out a launch."""

    def close_band(self) -> float:
        """Wait for a band; its photons are in the image. Gives the sum of solid angles."""

    def find_first_ray(self, launch: np.ndarray) -> np.ndarray:
        """For each pixel of a launch the first ray within the resolution limit, or -1."""

    def find_interpolation_stop(
        self, launch: np.ndarray, variant: Variant
    ) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the first step which leaves the table, or -1, and its h, k, l."""


@dataclass
class Piece:
    """Pixels which follow each other and have the same spans."""

    first: int
    count: int
    spans: list[Span]


class Worker:
    """Renders parts of one image on one engine."""

    def __init__(
        self, engine: Engine, plan: RenderPlan, shot: int, panel: int, numbers: np.ndarray | None
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.shot = shot
        self.numbers = numbers
        self.rate = engine.rate
        self._base = launches.describe(plan, shot, panel)
        self._base["sources"] = engine.replace("sources", launches.source_records(plan, shot))
        self._base["crystals"] = engine.replace("crystals", launches.crystal_records(plan, shot))
        if numbers is not None:
            self._base["numbers"] = engine.replace("numbers", numbers)
        self._matrices: tuple[object, int] = (None, 0)
        self._table: tuple[object, int] = (None, 0)

    def band_size(self, span_list: list[Span], slowness: int = 1) -> int:
        """Pixels which take as long as a band should."""
        steps = max(1, sum(span.n_steps for span in span_list)) * slowness
        wanted = int(self.rate * SECONDS_AT_ONCE / steps)
        return min(max(wanted, self.engine.smallest_band), self.engine.largest_band)

    def render_band(self, piece: Piece, image: np.ndarray) -> float:
        """Render some pixels completely; gives the sum of their solid angles."""
        launch = self._launch(piece.first, piece.count)
        last = piece.first + piece.count - 1
        self.engine.open_band(launch, image, (self.number(piece.first), self.number(last)))
        parts = list(self._parts(piece))
        started = time.perf_counter()
        for index, span in enumerate(parts):
            launch["begins"], launch["ends"] = index == 0, index == len(parts) - 1
            self._set_span(launch, span, self.engine.precision)
            self.engine.render(launch, self._variant(span.interpolate))
        omega = self.engine.close_band()
        taken = time.perf_counter() - started
        steps = piece.count * sum(span.n_steps for span in parts)
        if taken > SECONDS_AT_ONCE / 30:
            # the first band starts threads or compiles; what it shows is not believed whole
            self.rate = min(max(steps / taken, self.rate / 8), self.rate * 8)
        return omega

    def first_ray(self, first: int, count: int) -> np.ndarray:
        """For each pixel the first ray within the resolution limit, or -1."""
        launch = self._launch(first, count)
        launch["n_rays"] = count_rays(self.plan)
        return self.engine.find_first_ray(launch)

    def interpolation_stop(self, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the first step which leaves the table, or -1, and its h, k, l."""
        found = np.full(piece.count, -1, dtype=np.int64)
        indices = np.zeros((piece.count, 3))
        for span in self._parts(piece, SEARCH_SLOWNESS):
            launch = self._launch(piece.first, piece.count)
            self._set_span(launch, span, Precision.DOUBLE)
            steps, at = self.engine.find_interpolation_stop(launch, self._variant(True))
            new = (found < 0) & (steps >= 0)
            found[new], indices[new] = steps[new], at[new]
        return found, indices

    def number(self, place: int) -> int:
        """Pixel number slow * n_fast + fast of a place in the list of pixels."""
        if self.numbers is not None:
            return int(self.numbers[place])
        base = self._base
        row, column = divmod(place, int(base["n_columns"][0]))
        row += int(base["first_row"][0])
        return row * int(base["n_fast"][0]) + int(base["first_column"][0]) + column

    def _parts(self, piece: Piece, slowness: int = 1) -> Iterator[Span]:
        at_once = max(1, int(self.rate * SECONDS_AT_ONCE / piece.count / slowness))
        for span in piece.spans:
            yield from portions(span, at_once, self.engine.matrices_at_once)

    def _launch(self, first: int, count: int) -> np.ndarray:
        launch = self._base.copy()
        launch["first_pixel"], launch["n_pixels"] = first, count
        launch["begins"] = True
        return launch

    def _set_span(self, launch: np.ndarray, span: Span, precision: Precision) -> None:
        launch["first_ray"], launch["n_rays"] = span.first_ray, span.n_rays
        launch["first_orientation"] = span.first_orientation
        launch["n_orientations"] = span.n_orientations
        first, last = span.first_orientation, span.first_orientation + span.n_orientations
        key = (first, last, span.untouched, precision)
        if self._matrices[0] != key:
            records = launches.matrix_records(self._cells(first, last, span.untouched), precision)
            self._matrices = key, self.engine.replace("matrices", records)
        launch["matrices"], launch["first_matrix"] = self._matrices[1], first
        if self._factors(span.interpolate) is not Factors.CONSTANT:
            if self._table[0] is None:
                records = launches.factor_records(self.plan, self.engine.precision)
                self._table = True, self.engine.upload(records)
            launch["table"] = self._table[1]

    def _cells(self, first: int, last: int, untouched: bool) -> np.ndarray:
        """Cell vectors of some orientations, numbered through all crystals."""
        crystals, each = self.plan.crystals, self.plan.crystals.n_orientations
        blocks = []
        for crystal in range(first // each, (last - 1) // each + 1):
            low, high = max(first - crystal * each, 0), min(last - crystal * each, each)
            rotations = crystals.mosaic_rotations[self.shot, crystal]
            if untouched:
                assert crystals.first_cell is not None
                turned = rotations[low:high][:, None]
                blocks.append(apply_matrix(turned, crystals.first_cell[self.shot, crystal]))
            else:
                cells = crystals.phi_cells[self.shot, crystal]
                blocks.append(orientations(cells, rotations, low, high))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _factors(self, interpolate: bool) -> Factors:
        if self.plan.factors.is_constant:
            return Factors.CONSTANT
        return Factors.TRICUBIC if interpolate else Factors.NEAREST

    def _variant(self, interpolate: bool) -> Variant:
        plan = self.plan
        running = plan.oversample_thick or plan.oversample_polar or plan.oversample_omega
        return Variant(
            self.engine.precision, plan.crystals.shape, self._factors(interpolate), running
        )


@dataclass
class _Shot:
    """What is found out in one image of a shot and holds for the next."""

    first_sweep_pending: bool
    stop: InterpolationStop | None = None


@dataclass
class _Panel:
    """Pixels of one image, and the special ones among them."""

    plan: RenderPlan
    panel: int
    workers: list[Worker]
    count: int
    first_sweep: tuple[int, int] | None = None
    """Place of the pixel and its ray."""
    stop: tuple[int, int] | None = None
    """Place of the pixel and its step; everything, if interpolation ended before."""
    pieces: list[Piece] = field(default_factory=list)

    def find_first_sweep(self, shot: _Shot) -> None:
        """Find the first sweep which is executed at all."""
        if not shot.first_sweep_pending:
            return
        worker, first = self.workers[0], 0
        if not self.plan.dmin > 0.0:
            self.first_sweep = 0, 0
        while self.first_sweep is None and first < self.count:
            size = worker.band_size([Span(0, count_rays(self.plan), 0, 1)], SEARCH_SLOWNESS)
            rays = worker.first_ray(first, min(size, self.count - first))
            hits = np.flatnonzero(rays >= 0)
            if len(hits):
                self.first_sweep = first + int(hits[0]), int(rays[hits[0]])
            first += size
        shot.first_sweep_pending = self.first_sweep is None

    def find_stop(self, shot: _Shot, observer: Observer) -> None:
        """Find the step which ends interpolation."""
        if not self.plan.factors.interpolate:
            return
        if shot.stop is not None:
            self.stop = -1, 0
            return
        worker = self.workers[0]
        for piece in self._pieces():
            size = worker.band_size(piece.spans, SEARCH_SLOWNESS)
            for first in range(piece.first, piece.first + piece.count, size):
                count = min(size, piece.first + piece.count - first)
                steps, indices = worker.interpolation_stop(Piece(first, count, piece.spans))
                hits = np.flatnonzero(steps >= 0)
                if len(hits):
                    place, step = first + int(hits[0]), int(steps[hits[0]])
                    h, k, l = (float(index) for index in indices[hits[0]])
                    self.stop = place, step
                    shot.stop = InterpolationStop(
                        self.panel, worker.number(place), step, (h, k, l)
                    )
                    observer.interpolation_stopped(shot.stop)
                    return

    def _pieces(self) -> list[Piece]:
        """Runs of pixels with the same spans; special pixels are runs of their own."""
        special = {place for place, _ in filter(None, (self.first_sweep, self.stop)) if place >= 0}
        edges = sorted({0, self.count, *special, *(place + 1 for place in special)})
        pieces = []
        for first, end in zip(edges, edges[1:], strict=False):
            sweep = self.first_sweep[1] if self.first_sweep and self.first_sweep[0] == first else None
            stop = None
            if self.stop is not None:
                stop = self.stop[1] if first == self.stop[0] else None if first < self.stop[0] else 0
            pieces.append(Piece(first, end - first, spans(self.plan, sweep, stop)))
        return pieces

    def render(self, image: np.ndarray, observer: Observer) -> float:
        """Render all pixels; gives the sum of solid angles."""
        bands = _Bands(self._pieces())
        if len(self.workers) == 1:
            total = 0.0
            while (band := bands.take(self.workers[0])) is not None:
                total += self.workers[0].render_band(band, image)
                observer.pixels_done(band.count)
            return total
        return _render_together(self.workers, bands, image, observer)


class _Bands:
    """Hands out the pixels of an image in bands, each as large as its worker is fast."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = list(reversed(pieces))
        self._lock = threading.Lock()

    def take(self, worker: Worker) -> Piece | None:
        """The next band, or None when all are taken."""
        with self._lock:
            if not self._pieces:
                return None
            piece = self._pieces.pop()
            size = worker.band_size(piece.spans)
            if piece.count > size:
                rest = Piece(piece.first + size, piece.count - size, piece.spans)
                self._pieces.append(rest)
                piece = Piece(piece.first, size, piece.spans)
            return piece

    def drop(self) -> None:
        """Hand out nothing more."""
        with self._lock:
            self._pieces.clear()


def _render_together(
    workers: Sequence[Worker], bands: _Bands, image: np.ndarray, observer: Observer
) -> float:
    """Let several devices share an image; its sum of solid angles."""
    done: queue.Queue[tuple[int, float] | BaseException | None] = queue.Queue()

    def work(worker: Worker) -> None:
        try:
            while (band := bands.take(worker)) is not None:
                done.put((band.count, worker.render_band(band, image)))
        except BaseException as error:
            bands.drop()
            done.put(error)
        finally:
            done.put(None)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    total, running, problem = 0.0, len(threads), None
    try:
        while running:
            message = done.get()
            if message is None:
                running -= 1
            elif isinstance(message, BaseException):
                problem = message
            else:
                observer.pixels_done(message[0])
                total += message[1]
    finally:
        bands.drop()
        for thread in threads:
            thread.join()
    if problem is not None:
        raise problem
    return total


def render(
    plan: RenderPlan, observer: Observer, engines: Sequence[Engine], image: np.ndarray
) -> Rendered:
    """Compute images.

    Parameters
    ----------
    plan : RenderPlan
        What to render.
    observer : Observer
        Hears how far the render is.
    engines : sequence of Engine
        Devices which share the work.
    image : ndarray of float32, shape plan.shape
        Zeros, where the images go.

    Returns
    -------
    Rendered
        The images and what is reported of them.

    Raises
    ------
    CupysimError
        If the table of structure factors is too large to be counted.
    """
    if plan.factors.table.size > LARGEST_TABLE:
        raise CupysimError(
            f"the table of structure factors has {plan.factors.table.size} entries, compiled "
            f"backends take {LARGEST_TABLE}; use the numpy backend"
        )
    omega_sum = np.zeros(plan.shape[:2])
    n_rendered = np.zeros(plan.shape[:2], dtype=np.int64)
    stops = []
    for shot in range(plan.shape[0]):
        state = _Shot(plan.crystals.first_cell is not None)
        for number in range(plan.shape[1]):
            numbers = _listed(plan, number)
            count = plan.n_region if numbers is None else len(numbers)
            if count == 0:
                continue
            workers = [Worker(engine, plan, shot, number, numbers) for engine in engines]
            panel = _Panel(plan, number, workers, count)
            panel.find_first_sweep(state)
            panel.find_stop(state, observer)
            omega_sum[shot, number] = panel.render(image[shot, number], observer)
            n_rendered[shot, number] = count
        stops.append(state.stop)
    return Rendered(image, omega_sum, n_rendered, stops)


def _listed(plan: RenderPlan, panel: int) -> np.ndarray | None:
    """Numbers of the pixels in region and mask, in raster order; None for the whole region."""
    if plan.mask is None or plan.n_region == 0:
        return None
    rows, columns = np.nonzero(plan.mask[panel][plan.rows, plan.columns])
    return (rows + plan.rows.start) * plan.shape[3] + columns + plan.columns.start


def count_steps(plan: RenderPlan) -> int:
    """Steps of a pixel: rays times orientations."""
    return count_rays(plan) * count_orientations(plan)
