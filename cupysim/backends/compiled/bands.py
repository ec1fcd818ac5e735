"""Rendering with compiled kernels: the part that the cuda and the host backend have in common.

An image is rendered in bands of pixels. A band takes a fraction of a second, so that progress can
be shown and an interruption takes effect. Two things depend on the order of the C program's serial
loops: the orientations of the first sweep (quirk Q3) and the end of interpolation (quirk Q23).
Searches find them before the render, and the pixels concerned are rendered in parts.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cupysim.backends.compiled.batch import listed, render_at_once, shots_at_once
from cupysim.backends.compiled.engine import Engine
from cupysim.backends.compiled.spans import spans
from cupysim.backends.compiled.worker import SEARCH_SLOWNESS, BandWorker, Piece
from cupysim.backends.rendered import InterpolationStop, MadeBy, Observer, Rendered
from cupysim.errors import CupysimError
from cupysim.maths.arrays import array_namespace
from cupysim.plan.render_plan import RenderPlan

LARGEST_TABLE = 2**31 - 1
"""Largest number of entries in a table of structure factors: GPUs count them in 32 bits."""


@dataclass
class _Shot:
    """Results of the searches in one panel of a shot. They also hold for the next panels."""

    first_sweep_pending: bool
    stop: InterpolationStop | None = None


@dataclass
class Panel:
    """The pixels to render of one panel, and the special pixels among them."""

    plan: RenderPlan
    panel: int
    workers: list[BandWorker]
    count: int
    first_sweep: tuple[int, int] | None = None
    """Place of the pixel with the first executed sweep, and the ray (quirk Q3)."""
    stop: tuple[int, int] | None = None
    """Place of the pixel where interpolation ends, and the step (quirk Q23). (-1, 0) if it ended in
    an earlier panel."""

    def find_first_sweep(self, shot: _Shot) -> None:
        """Find the first sweep over the spindle that is executed at all (quirk Q3)."""
        if not shot.first_sweep_pending:
            return
        self.first_sweep = self.workers[0].first_sweep(self.count)
        shot.first_sweep_pending = self.first_sweep is None

    def find_stop(self, shot: _Shot, observer: Observer) -> None:
        """Find the step that ends interpolation (quirk Q23)."""
        if not (self.plan.factors.interpolate and self.plan.factors.stops):
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
                    shot.stop = InterpolationStop(self.panel, worker.number(place), step, (h, k, l))
                    observer.interpolation_stopped(shot.stop)
                    return

    def _pieces(self) -> list[Piece]:
        """Runs of pixels with the same spans. A special pixel is a run of its own."""
        special = {place for place, _ in filter(None, (self.first_sweep, self.stop)) if place >= 0}
        edges = sorted({0, self.count, *special, *(place + 1 for place in special)})
        pieces = []
        for first, end in pairwise(edges):
            sweep = stop = None
            if self.first_sweep is not None and self.first_sweep[0] == first:
                sweep = self.first_sweep[1]
            if self.stop is not None and self.stop[0] <= first:
                stop = self.stop[1] if self.stop[0] == first else 0
            pieces.append(Piece(first, end - first, spans(self.plan, sweep, stop)))
        return pieces

    def render(self, sink: Any, observer: Observer) -> float:
        """Let the workers render all pixels into a sink. Returns the sum of solid angles (sr)."""
        bands = _Bands(self._pieces())
        if len(self.workers) == 1:
            total = 0.0
            while (band := bands.take(self.workers[0])) is not None:
                total += self.workers[0].render_band(band, sink)
                observer.pixels_done(band.count)
            return total
        return _render_together(self.workers, bands, sink, observer)


class _Bands:
    """Hands out the pixels of an image in bands. Faster workers get larger bands."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = list(reversed(pieces))
        self._lock = threading.Lock()

    def take(self, worker: BandWorker) -> Piece | None:
        """Take the next band; None when all are taken."""
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
        """Hand out no more bands."""
        with self._lock:
            self._pieces.clear()


def _render_together(
    workers: Sequence[BandWorker], bands: _Bands, sink: Any, observer: Observer
) -> float:
    """Let several devices share an image. Returns the sum of its solid angles (sr)."""
    done: queue.Queue[tuple[int, float] | BaseException | None] = queue.Queue()

    def work(worker: BandWorker) -> None:
        try:
            while (band := bands.take(worker)) is not None:
                done.put((band.count, worker.render_band(band, sink)))
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


def render(plan: RenderPlan, observer: Observer, engines: Sequence[Engine], image: Any) -> Rendered:
    """Compute images.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the images.
    observer : Observer
        Receives the progress.
    engines : sequence of Engine
        Devices that share the work.
    image : ndarray or cupy.ndarray of float32, shape plan.shape
        Array of zeros to write the images to.

    Returns
    -------
    Rendered
        The images, and what reports need to know of them.

    Raises
    ------
    CupysimError
        If the table of structure factors has more than `LARGEST_TABLE` entries.
    """
    check_table(plan)
    omega_sum = array_namespace(image).zeros(plan.shape[:2])
    n_rendered = np.zeros(plan.shape[:2], dtype=np.int64)
    stops: list[InterpolationStop | None] = []
    shots = range(plan.shape[0])
    lists = [listed(plan, panel) for panel in range(plan.shape[1])]
    at_once = shots_at_once(plan, engines, lists)
    if at_once:
        n_rendered[:] = plan.n_region if lists[0] is None else len(lists[0])
        for first in range(0, len(shots), at_once):
            some = slice(first, min(first + at_once, len(shots)))
            omega_sum[some] = render_at_once(plan, engines[0], lists, image, some)
            observer.pixels_done(int(n_rendered[some].sum()))
        stops, shots = [None] * len(shots), range(0)
    for shot in shots:
        state = _Shot(plan.crystals.first_cell is not None)
        for number in range(plan.shape[1]):
            numbers = lists[number]
            count = plan.n_region if numbers is None else len(numbers)
            if count == 0:
                continue
            workers = [BandWorker(engine, plan, (shot, number), numbers) for engine in engines]
            panel = Panel(plan, number, workers, count)
            panel.find_first_sweep(state)
            panel.find_stop(state, observer)
            omega_sum[shot, number] = panel.render(image[shot, number], observer)
            n_rendered[shot, number] = count
        stops.append(state.stop)
    return Rendered(image, omega_sum, n_rendered, stops, made_by(engines))


def made_by(engines: Sequence[Engine]) -> MadeBy:
    """The backend, precision and devices that compute an image, for reports."""
    names = tuple(each.name for each in engines)
    return MadeBy(engines[0].backend, engines[0].precision.name.lower(), names)


def check_table(plan: RenderPlan) -> None:
    """Reject a table of structure factors that is too large for the kernel.

    Parameters
    ----------
    plan : RenderPlan
        Plan of the image.

    Raises
    ------
    CupysimError
        If the table has more than `LARGEST_TABLE` entries.
    """
    if plan.factors.table.size > LARGEST_TABLE:
        raise CupysimError(
            f"the table of structure factors has {plan.factors.table.size} entries; compiled "
            f"backends accept at most {LARGEST_TABLE}; use the numpy backend"
        )
