"""Runs of a campaign with Dask: on this machine's cores or GPUs, or on a running cluster.

A task is the number of a chunk, and its result is a record of a few numbers. The process that
renders an image writes it to the disk; images never pass through Dask. If Dask loses or repeats
tasks, chunks are claimed and written as in any other run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from importlib.util import find_spec
from typing import Any

from cupysim.campaign.execution.folder import Folder, open_folder
from cupysim.campaign.execution.runs import ENVIRONMENT, LOOK, pinned_devices
from cupysim.campaign.execution.shards import Shard
from cupysim.campaign.execution.work import PAUSE, CampaignWorker, Times
from cupysim.errors import CupysimError
from cupysim.optional_libraries import require

RETRIES = 3
"""Number of further tries of a chunk that failed or lost its worker."""

LOST = 10.0
"""Seconds without a connection after which the scheduler counts as lost."""

MOST_AT_ONCE = 1000
"""Largest number of chunks that are submitted to the scheduler at the same time."""

LOCAL = "127.0.0.1"
"""Address of this machine, for a cluster that the run starts."""

DEVICES = "CUPYSIM_DEVICES"
"""Environment variable with the GPUs that workers share, written as in CUDA_VISIBLE_DEVICES."""

Record = dict[str, Any]
"""Fields of `Times` by name: the result of a task."""


def run_cluster(
    folder: Folder,
    shard: Shard,
    processes: int,
    threads: int | None,
    scheduler: str | None,
    say: Callable[[str], object],
    listener: Callable[[], object],
) -> Times:
    """Render a share of a campaign with Dask.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign; all workers must see it under the same name.
    shard : Shard
        Share of the chunks.
    processes : int
        Number of workers to start, without a scheduler.
    threads : int or None
        Number of threads of the host backend in each worker.
    scheduler : str or None
        Address or file of a running scheduler; None to start a scheduler and workers here.
    say : callable
        Function that prints the address of Dask's dashboard.
    listener : callable
        Function that is called from time to time.

    Returns
    -------
    Times
        Times of all workers, by stage.

    Raises
    ------
    CupysimError
        If a chunk fails, or the scheduler cannot be reached or is lost.
    """
    chunks = [number for number in shard.chunks(folder) if not folder.is_done(number)]
    with _client(folder, processes, scheduler) as client:
        if scheduler is None and find_spec("bokeh"):
            say(f"Dask's dashboard: {client.dashboard_link}\n")
        return _Run(client, folder, threads).until_done(chunks, listener)


class _Run:
    """Submits chunks to the scheduler until all are done."""

    def __init__(self, client: Any, folder: Folder, threads: int | None) -> None:
        from distributed import as_completed

        self._client, self._folder, self._threads = client, folder, threads
        self._numbers: dict[str, int] = {}
        # the loop is given, because the client is not the default one of the process
        self._futures: Any = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
        self._seen = time.monotonic()

    def until_done(self, chunks: Sequence[int], listener: Callable[[], object]) -> Times:
        """Submit chunks, some of them again if necessary, and return the times of all workers."""
        left, later, times = deque(chunks), deque[tuple[float, int]](), Times()
        while left or later or self._numbers:
            while later and later[0][0] < time.monotonic():
                left.append(later.popleft()[1])
            if self._is_connected():
                while left and len(self._numbers) < MOST_AT_ONCE:
                    self._submit(left.popleft())
            time.sleep(LOOK / 10)
            for number, record in self._finished():
                if record is None:
                    # another process works on it, or the scheduler has lost it
                    later.append((time.monotonic() + PAUSE, number))
                else:
                    times += Times(**record)
            listener()
        return times

    def _submit(self, number: int) -> None:
        future = self._client.submit(
            do_chunk,
            self._folder.path,
            self._folder.identity,
            number,
            self._threads,
            pure=False,
            retries=RETRIES,
        )
        self._numbers[future.key] = number
        self._futures.add(future)

    def _finished(self) -> Iterator[tuple[int, Record | None]]:
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        while self._futures.has_ready():
            for future in self._futures.next_batch(block=False):
                number = self._numbers.pop(future.key)
                try:
                    yield number, future.result()
                except (CancelledError, CommClosedError):
                    yield number, None
                except KilledWorker as error:
                    raise CupysimError(
                        f"chunk {number}: processes that worked on it were killed again and "
                        "again; is the memory of the machine too small? Finished files stay: "
                        f"cupysim campaign resume {self._folder.path}"
                    ) from error

    def _is_connected(self) -> bool:
        now, connected = time.monotonic(), self._client.status == "running"
        if connected:
            self._seen = now
        elif self._client.status == "closed" or now - self._seen > LOST:
            raise CupysimError(
                "Dask's scheduler is gone; finished files stay: cupysim campaign resume "
                f"{self._folder.path}"
            )
        return connected


def do_chunk(path: str, identity: str, number: int, threads: int | None) -> Record | None:
    """Render a chunk in a worker of Dask.

    Parameters
    ----------
    path : str
        Folder of the campaign.
    identity : str
        Identity of the campaign. Workers outlive runs, and the folder may hold a new campaign.
    number : int
        Number of the chunk.
    threads : int or None
        Number of threads of the host backend.

    Returns
    -------
    dict of str to float or None
        Fields of `Times`; None if another process works on the chunk.
    """
    try:
        worker = _worker(path, identity, threads)
        worker.times = Times()
        worker.work([number], wait=False)
    except CupysimError as error:
        # errors with other arguments cannot be sent to another process
        raise CupysimError(str(error)) from None
    return dataclasses.asdict(worker.times) if worker.folder.is_done(number) else None


_kept = threading.local()


def _worker(path: str, identity: str, threads: int | None) -> CampaignWorker:
    """Worker of this thread. It is kept from chunk to chunk, with its kernels and buffers."""
    key = path, identity, threads
    if getattr(_kept, "key", None) != key:
        _pin_device()
        _kept.worker, _kept.key = CampaignWorker(open_folder(path), threads), key
    found: CampaignWorker = _kept.worker
    return found


def _pin_device() -> None:
    """Let this process see only its own GPU, if `DEVICES` is set. CuPy must not be loaded yet."""
    from distributed import get_worker

    devices = os.environ.get(DEVICES, "")
    with contextlib.suppress(ValueError):
        number = int(get_worker().name)
        if devices:
            several = devices.split(",")
            os.environ["CUDA_VISIBLE_DEVICES"] = several[number % len(several)]


@contextlib.contextmanager
def _client(folder: Folder, processes: int, scheduler: str | None) -> Iterator[Any]:
    distributed = require("distributed", "running with Dask")
    for name in ("distributed", "distributed.client"):
        # without this, Dask writes pages about errors that the caller reports in a line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        is_file = "://" not in scheduler
        where = {"scheduler_file" if is_file else "address": scheduler}
        try:
            if is_file and not os.path.exists(scheduler):
                hint = f"; did you mean tcp://{scheduler}?" if ":" in scheduler else ""
                raise FileNotFoundError(f"there is no such file{hint}")
            client = distributed.Client(**where, timeout=LOST, set_as_default=False)
        except Exception as error:
            # errors of Dask and of the libraries that it uses have no common base class
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise CupysimError(f"--scheduler {scheduler}: {reason}") from error
        with client:
            yield client
        return
    environment: dict[str, str] = {}
    if devices := pinned_devices(folder):
        environment[DEVICES] = ",".join(devices)
    import dask

    with (
        dask.config.set({
            # replaces Dask's own variables, one of which frees memory after each image
            "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
            # the profiler examines threads a hundred times a second
            "distributed.worker.profile.enabled": False,
        }),
        distributed.LocalCluster(
            n_workers=processes, threads_per_worker=1, processes=True, memory_limit=0, host=LOCAL,
            dashboard_address=f"{LOCAL}:0", env=environment,
            silence_logs="CRITICAL",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield client
