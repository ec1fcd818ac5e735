"""Work of one process in a campaign: it renders chunks until none is left."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from cupysim.backends.rendered import RenderFunction
from cupysim.campaign.execution.chunks import IDENTITY
from cupysim.campaign.execution.claims import Claim, Claims
from cupysim.campaign.execution.folder import Folder
from cupysim.campaign.execution.rendering import (
    RenderedShot,
    detector_of,
    open_renderer,
    pixels_of,
    render_shots,
    shots_in_chunk,
)
from cupysim.campaign.execution.truth import Truth
from cupysim.campaign.execution.written import Written
from cupysim.errors import CupysimError, ModelError
from cupysim.formats.nexus.series import Series
from cupysim.formats.pixels import GAP
from cupysim.prediction.spots import predict_spots
from cupysim.storage.safe_writing import OutputError

AHEAD = 2
"""Number of large images that may wait for writing while others are rendered."""

PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Shortest and longest time (s) between two checks of chunks that other processes work on.

The longest one is far below the time after which a claim is stale.
"""

LOOKED_AT = 16
"""Number of chunks of other processes that are tried each time."""


@dataclass
class Times:
    """Times of a process, by stage.

    Parameters
    ----------
    shots : int
        Number of finished shots.
    render, noise, spots, compress, write : float
        Times of planning and rendering, of noise, of predicted spots, of HDF5 and its
        compression, and of writing (s).
    wall : float
        Wall time (s).
    """

    shots: int = 0
    render: float = 0.0
    noise: float = 0.0
    spots: float = 0.0
    compress: float = 0.0
    write: float = 0.0
    wall: float = 0.0

    def __add__(self, other: Times) -> Times:
        return Times(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )


class Stopped(Exception):  # noqa: N818  # a request, not an error
    """The work was asked to end."""


@dataclass(eq=False)
class CampaignWorker:
    """Renders chunks of a campaign.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    threads : int, optional
        Number of threads of the host backend.
    claims : Claims, optional
        Object that claims chunks; by default one for the folder.
    should_stop : callable, optional
        Function that says whether the work must end after the present shot.
    times : Times, optional
        Times of the work so far, by stage.
    """

    folder: Folder
    threads: int | None = None
    claims: Claims | None = None
    should_stop: Callable[[], bool] = lambda: False
    times: Times = field(default_factory=Times)

    def __post_init__(self) -> None:
        campaign = self.folder.campaign
        self.folder.prepare()
        self.claims = self.claims or Claims(self.folder)
        self._render: RenderFunction = open_renderer(campaign, self.threads)
        self._base = campaign.experiment

    def work(self, chunks: Sequence[int], wait: bool = True) -> None:
        """Render chunks until all are done.

        Parameters
        ----------
        chunks : sequence of int
            Numbers of the chunks, in the order of the work.
        wait : bool, optional
            Whether to wait for chunks that other processes work on, and to take them over if those
            processes are gone.

        Raises
        ------
        CupysimError
            If a chunk cannot be written.
        Stopped
            If the work was asked to end.
        """
        pause = PAUSE
        while left := self._left(chunks):
            free, taken = left
            tried = [number for number in free if self._try(number)]
            if not tried:
                tried = [number for number in taken[:LOOKED_AT] if self._try(number)]
            if tried:
                pause = PAUSE
                continue
            if not wait:
                return
            # many processes may wait for the last chunks, and all read the same folder
            self._sleep(pause)
            pause = min(2.0 * pause, LONGEST_PAUSE)

    def _left(self, chunks: Sequence[int]) -> tuple[list[int], list[int]] | None:
        """Free chunks, and chunks that are claimed; None if all are done.

        This lists two folders. A check of each chunk's file would slow down a file system that
        thousands of processes share.
        """
        done = set(self.folder.done())
        left = [number for number in chunks if number not in done]
        claimed = set(self.folder.claimed())
        free = [number for number in left if number not in claimed]
        return (free, [number for number in left if number in claimed]) if left else None

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0.0:
            self._check()
            time.sleep(min(left, PAUSE))

    def _check(self) -> None:
        if self.should_stop():
            raise Stopped

    def _try(self, number: int) -> bool:
        """Render a chunk, unless it is done or claimed; return whether it was free."""
        assert self.claims is not None
        self._check()
        if self.folder.is_done(number) or (claim := self.claims.take(number)) is None:
            return False
        began = time.perf_counter()
        try:
            if not self.folder.is_done(number):
                self.folder.remove_parts(self.folder.chunk(number))
                self._do(number, claim)
        except MemoryError as error:
            reason = str(error).partition("\n")[0]
            raise CupysimError(
                f"chunk {number}: out of memory{reason and f' ({reason})'}"
            ) from error
        except OutputError:
            # while this process slept, another took the chunk over and removed the unfinished file
            if claim.is_mine():
                raise
        finally:
            self.times.wall += time.perf_counter() - began
            claim.release()
        return True

    def _do(self, number: int, claim: Claim) -> None:
        campaign = self.folder.campaign
        shots = campaign.shots_of(number)
        self.folder.forget_failures(number)
        truth = Truth(campaign, len(shots))
        failures: list[dict[str, Any]] = []
        with (
            self.folder.new_file(self.folder.chunk(number)) as file,
            Series(
                file, self._base, len(shots), campaign.has_integers,
                campaign.expected and campaign.counts, self.threads, detector_of(campaign),
            ) as series,
        ):  # fmt: skip
            for done, (place, written, error) in enumerate(self._pipeline(shots, series)):
                if written is None:
                    failures.append({"shot": shots[place], "error": error})
                file.check()
                truth.put(place, shots[place], written)
                self.times.shots += 1
                claim.tell(chunk=number, done=done + 1, of=len(shots), shots=self.times.shots)
                self._check()
            seconds = file.seconds
            title = f"{campaign.name}: shots {shots[0]} to {shots[-1]} of {campaign.n_shots}"
            attributes = {IDENTITY: self.folder.identity}
            series.finish(title, truth.frames(), truth.arrays(), attributes)
            if failures:
                text = json.dumps(failures, indent=1) + "\n"
                self.folder.write(self.folder.failure(number), lambda out: out.write(text.encode()))
        # the compression times include writing to the disk at the same time
        self.times.write += file.seconds
        self.times.compress -= seconds

    def _pipeline(self, shots: range, series: Series) -> Iterator[tuple[int, Written | None, str]]:
        """Render shots, while a thread adds noise to earlier ones and writes them."""
        at_once = shots_in_chunk(self.folder.campaign)
        waiting: queue.Queue[tuple[int, RenderedShot | None, str] | None] = queue.Queue(
            max(AHEAD, at_once)
        )
        done: queue.Queue[tuple[int, Written | None, str] | BaseException | None] = queue.Queue()
        gone = threading.Event()

        def write_all() -> None:
            try:
                while (item := waiting.get()) is not None:
                    place, rendered, error = item
                    try:
                        written = self._write(place, rendered, series)
                    except ModelError as problem:
                        written, error = self._write(place, None, series), str(problem)
                    done.put((place, written, error))
                done.put(None)
            except BaseException as error:  # raised again where it can be handled
                gone.set()
                done.put(error)

        def put(item: tuple[int, RenderedShot | None, str] | None) -> None:
            while not gone.is_set():
                try:
                    waiting.put(item, timeout=PAUSE)
                except queue.Full:
                    continue
                return

        writer = threading.Thread(target=write_all, daemon=True)
        writer.start()
        try:
            for first in range(0, len(shots), at_once):
                for place, found in enumerate(self._rendered(shots[first:][:at_once]), first):
                    put((place, *found))
                while not done.empty():
                    yield _checked(done.get())
            put(None)
            while (item := done.get()) is not None:
                yield _checked(item)
        finally:
            gone.set()
            # the caller closes the file, so the thread must have ended
            with_nothing: tuple[int, RenderedShot | None, str] | None = None
            while writer.is_alive():
                try:
                    waiting.put(with_nothing, timeout=PAUSE)
                except queue.Full:
                    with contextlib.suppress(queue.Empty):
                        waiting.get_nowait()
                writer.join(PAUSE)

    def _rendered(self, numbers: Sequence[int]) -> list[tuple[RenderedShot | None, str]]:
        """Render shots; each has its image and spots, or the reason why it has none."""
        began, fewest = time.perf_counter(), self.folder.campaign.spots
        found = render_shots(self.folder.campaign, numbers, self._render)
        rendered = time.perf_counter()
        self.times.render += rendered - began
        if fewest is not None:
            # not in the other thread, because two threads of Python would share one lock
            found = [(each and _with_spots(each, fewest), error) for each, error in found]
            self.times.spots += time.perf_counter() - rendered
        return found

    def _write(self, place: int, rendered: RenderedShot | None, series: Series) -> Written | None:
        campaign, began = self.folder.campaign, time.perf_counter()
        if rendered is None:
            size = self._base.image_shape
            series.put(place, np.full(size, GAP if campaign.has_integers else np.nan))
            return None
        shot, image = rendered.shot, rendered.image
        pixels = pixels_of(campaign, shot, image, self.threads)
        noisy = time.perf_counter()
        series.put(place, pixels, image.array)
        self.times.noise += noisy - began
        self.times.compress += time.perf_counter() - noisy
        return Written(shot, *_total_and_largest(pixels), rendered.spots)


def _total_and_largest(pixels: np.ndarray) -> tuple[float, float]:
    """Sum and largest number of pixels with a value."""
    values = pixels[pixels >= 0] if pixels.dtype.kind == "i" else np.nan_to_num(pixels)
    return float(values.sum(dtype=np.float64)), float(values.max(initial=0))


def _with_spots(rendered: RenderedShot, fewest: float) -> RenderedShot:
    """Add the predicted spots that have at least `fewest` expected photons."""
    return replace(rendered, spots=predict_spots(rendered.image.plan, fewest=fewest))


def _checked(item: Any) -> Any:
    if isinstance(item, BaseException):
        raise item
    return item
