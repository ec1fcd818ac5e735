"""Runs of a campaign in this process or in several, progress of a campaign, and its master file."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cupysim.campaign.execution.chunks import open_chunk
from cupysim.campaign.execution.claims import Claims, is_dead, read_claim
from cupysim.campaign.execution.folder import Folder
from cupysim.campaign.execution.rendering import detector_of
from cupysim.campaign.execution.shards import Shard
from cupysim.campaign.execution.work import LONGEST_PAUSE, PAUSE, CampaignWorker, Times
from cupysim.constants import ANGSTROM
from cupysim.errors import CupysimError
from cupysim.formats.nexus.series import SHOTS, Part, write_master
from cupysim.formats.nexus.tree import Frames
from cupysim.storage.safe_writing import OutputError

LOOK = 1.0
"""Upper limit of the time (s) between two checks of the processes of a run."""

ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
}
"""Environment variables of processes, used unless the user has set them.

Linear algebra must not start a thread on each core, because the processes share the cores. The
other variables make glibc keep the memory of images. Otherwise it returns such large blocks to the
system, which must then clear the pages again for the next image.
"""

MOST_DEATHS = 5
"""Number of processes that may be killed while no chunk is finished, before the run stops."""


@dataclass(frozen=True)
class CampaignProgress:
    """Progress of a campaign.

    Parameters
    ----------
    done : int
        Number of shots in finished chunks.
    begun : int
        Number of rendered shots in chunks that processes work on.
    failed : int
        Number of shots that could not be rendered.
    workers : tuple of str
        Processes that work, with their chunks.
    dead : tuple of str
        Processes that are gone from this machine, with their unfinished chunks.
    """

    done: int
    begun: int
    failed: int
    workers: tuple[str, ...]
    dead: tuple[str, ...]


def progress(folder: Folder) -> CampaignProgress:
    """Read the progress of a campaign from the files in its folder.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.

    Returns
    -------
    CampaignProgress
        The present progress.
    """
    campaign = folder.campaign
    done = sum(len(campaign.shots_of(number)) for number in folder.done())
    begun, workers, dead = 0, [], []
    for number in folder.claimed():
        try:
            with open(folder.claim(number), "rb") as stream:
                owner = read_claim(stream.read())
        except OSError:
            continue
        if owner and number < campaign.n_chunks and not folder.is_done(number):
            machine, ready = str(owner["machine"]).split()[0], owner["done"]
            what = (
                f"chunk {number}: {ready} of {len(campaign.shots_of(number))} shots, "
                f"process {owner['pid']} on {machine}"
            )
            if is_dead(owner):
                dead.append(what)
            else:
                begun += ready
                workers.append(what)
    return CampaignProgress(done, begun, len(folder.failures()), tuple(workers), tuple(dead))


def run_here(
    folder: Folder,
    shard: Shard,
    threads: int | None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Times:
    """Render a share of a campaign in this process.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    shard : Shard
        Share of the chunks.
    threads : int or None
        Number of threads of the host backend.
    should_stop : callable, optional
        Function that says whether to end after the present shot.

    Returns
    -------
    Times
        Times of the process, by stage.

    Raises
    ------
    CupysimError
        If a file cannot be written.
    Stopped
        If the process was asked to end.
    """
    worker = CampaignWorker(folder, threads, should_stop=should_stop)
    worker.work(shard.chunks(folder))
    return worker.times


def run_processes(
    folder: Folder,
    shard: Shard,
    processes: int,
    threads: int | None,
    listener: Callable[[], object],
) -> Times:
    """Render a share of a campaign in several processes.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    shard : Shard
        Share of the chunks.
    processes : int
        Number of processes.
    threads : int or None
        Number of threads of the host backend in each process.
    listener : callable
        Function that is called from time to time.

    Returns
    -------
    Times
        Times of all processes, by stage.

    Raises
    ------
    CupysimError
        If a process ends with an error, or too many are killed.
    """
    devices = pinned_devices(folder)
    children: dict[int, subprocess.Popen[bytes]] = {}
    deaths, done_before, times = 0, -1, Times()

    def start(number: int) -> None:
        part = shard.part(number, processes)
        words = [
            sys.executable, "-m", "cupysim", "campaign", "work", folder.path,
            "--shard", f"{part.number}/{part.count}", "--part", f"{part.place}/{part.places}",
        ]  # fmt: skip
        if threads is not None:
            words += ["--threads", str(threads)]
        environment = ENVIRONMENT | dict(os.environ)
        if devices:
            # set before the process loads CuPy, which then sees only this GPU
            environment["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)]
        children[number] = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    try:
        for number in range(processes):
            start(number)
        while children:
            time.sleep(LOOK / 4)
            for number, child in list(children.items()):
                status = child.poll()
                if status is None:
                    continue
                del children[number]
                _let_go(child)
                assert child.stdout is not None
                with child.stdout:
                    told = child.stdout.read()
                if status < 0:
                    done = len(folder.done())
                    deaths = deaths + 1 if done == done_before else 1
                    done_before = done
                    if deaths > MOST_DEATHS:
                        name = signal.Signals(-status).name
                        raise CupysimError(
                            f"{deaths} processes were killed, the last one by {name}; finished "
                            f"files stay: cupysim campaign resume {folder.path}"
                        )
                    start(number)
                elif status != 0:
                    raise CupysimError("a process ended with an error; its message is above")
                else:
                    times += Times(**json.loads(told))
            listener()
    finally:
        for child in children.values():
            _let_go(child)
        for child in children.values():
            child.wait()
    return times


def _let_go(child: subprocess.Popen[bytes]) -> None:
    """Close the standard input of a process; the process ends when it sees this."""
    assert child.stdin is not None
    with contextlib.suppress(OSError):
        child.stdin.close()


def pinned_devices(folder: Folder) -> list[str]:
    """Find the GPUs that are shared out among processes, one for each process.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign, for its backend.

    Returns
    -------
    list of str
        GPUs, written as in CUDA_VISIBLE_DEVICES; empty if another backend computes.
    """
    from cupysim.backends.select import backend_in_use

    if folder.campaign.backend not in ("auto", "cuda") or backend_in_use("auto", None) != "cuda":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return visible.split(",")
    import cupy

    return [str(number) for number in range(cupy.cuda.runtime.getDeviceCount())]


def parent_is_gone() -> Callable[[], bool]:
    """Return a function that says whether the parent process has closed standard input."""
    gone = threading.Event()

    def listen() -> None:
        # not by Python's stream, which is locked while it waits
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        gone.set()

    threading.Thread(target=listen, daemon=True).start()
    return gone.is_set


def finish(folder: Folder) -> bool:
    """Write the file that shows all images, if all chunks are done.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.

    Returns
    -------
    bool
        Whether all chunks are done.

    Raises
    ------
    CupysimError
        If the file cannot be written.
    """
    campaign = folder.campaign
    if len(folder.done()) < campaign.n_chunks:
        return False
    # reading all chunks takes time; one process does it for all that end at the same time
    claims, pause = Claims(folder), PAUSE
    while not os.path.lexists(folder.master):
        if claim := claims.take(campaign.n_chunks):
            try:
                folder.remove_parts(folder.master)
                _write_master(folder)
            finally:
                claim.release()
        else:
            time.sleep(pause)
            pause = min(2.0 * pause, LONGEST_PAUSE)
    _tidy(folder, claims)
    return True


def _tidy(folder: Folder, claims: Claims) -> None:
    """Remove files left by processes that were killed between the last two steps of a chunk."""
    for number in folder.claimed():
        if claim := claims.take(number):
            claim.release()
    folder.remove_all_parts()


def _write_master(folder: Folder) -> None:
    campaign = folder.campaign
    parts, starts, wavelengths = [], [], []
    for number in range(campaign.n_chunks):
        parts.append(Part(folder.chunk(number), len(campaign.shots_of(number))))
        with open_chunk(folder, number) as file:
            starts += np.radians(file[f"{SHOTS}/phi"][()]).tolist()
            wavelengths.append(file[f"{SHOTS}/wavelength"][()] * ANGSTROM)
    frames = Frames(campaign.n_shots, starts, np.concatenate(wavelengths))
    try:
        with folder.new_file(folder.master) as file:
            write_master(
                file, folder.path, campaign.experiment, parts, campaign.has_integers,
                campaign.name, frames, detector_of(campaign),
            )  # fmt: skip
    except OutputError:
        # another process took the claim over while this one slept, and was faster
        if not os.path.exists(folder.master):
            raise
