"""Make data sets of many shots from one file; finished shots are kept.

    cupysim campaign plan serial.toml
    cupysim campaign run serial.toml -o serial
    cupysim campaign status serial

A run may be killed at any moment, or stop because the disk is full; `resume` continues it. Several
runs may work in one folder, also on several machines. Exit status 0 if all is done, 1 if shots
could not be rendered or files in the folder are wrong, 2 after an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec

from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.definition.quirk_warnings import warn_of_quirks
from cupysim.campaign.execution.estimate import estimate
from cupysim.campaign.execution.export import (
    export_cxi,
    export_images,
    refuse_own_files,
    truth_table,
)
from cupysim.campaign.execution.folder import Folder, create_folder, open_folder
from cupysim.campaign.execution.runs import (
    finish,
    parent_is_gone,
    progress,
    run_here,
    run_processes,
)
from cupysim.campaign.execution.shards import Shard, read_shard
from cupysim.campaign.execution.verify import verify
from cupysim.campaign.execution.work import Stopped, Times
from cupysim.errors import CupysimError
from cupysim.native.cores import MOST_THREADS, usable_cores
from cupysim.storage.safe_writing import OutputFiles, check_writable
from cupysim.terminal import say, tell

IMPERFECT = 1
"""Exit status if shots could not be rendered, or `verify` found a problem."""

STOPPED = 143
"""Exit status of a process that was asked to end."""

MOST_PROCESSES = 1024
"""Largest accepted number of processes."""

ENGINES = ("auto", "processes", "dask")
"""What may start processes: cupysim itself, Dask, or Dask if it is installed (auto)."""

PLACES = {"FILE": "campaign file", "FOLDER": "folder of a campaign that was begun"}
"""Positional arguments and their help texts."""

QUIET = 10.0
"""Seconds between two lines of progress if standard error is not a terminal."""

GIGABYTE = 1e9
"""Bytes in a gigabyte."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, what: str | None, place: str) -> argparse.ArgumentParser:
        if what is None:
            # a help text, even an empty one, would list it
            added = actions.add_parser(name, allow_abbrev=False)
        else:
            added = actions.add_parser(name, help=what, description=what, allow_abbrev=False)
        added.add_argument("place", metavar=place, help=PLACES[place])
        return added

    def with_work(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--processes", type=int, metavar="N",
            help="number of processes; default: one for each core, or for each GPU")  # fmt: skip
        added.add_argument("--threads", type=int, metavar="N",
            help="threads of the host backend in each process; default: cores divided by "
            "processes")  # fmt: skip
        added.add_argument("--engine", choices=ENGINES, default="auto",
            help="what starts processes: dask or cupysim itself (processes); auto: dask if it is "
            "installed and there are several processes; default: %(default)s")  # fmt: skip
        added.add_argument("--scheduler", metavar="FILE|ADDRESS",
            help="scheduler of a running Dask cluster, such as tcp://host:8786")  # fmt: skip
        added.add_argument("--shard", default="0/1", metavar="K/N",
            help="render only share K of N, numbered from 0; auto: share all chunks with the "
            "other processes of a SLURM job or job array, or of mpirun, which may come and "
            "go")  # fmt: skip
        return added

    plan = action("plan", "estimate time, disk and memory from a few shots", "FILE")
    plan.add_argument("--processes", type=int, metavar="N",
        help="number of processes; default: one for each core, or for each GPU")  # fmt: skip
    run = with_work(action("run", "begin or continue a campaign", "FILE"))
    run.add_argument("-o", "--out", metavar="FOLDER",
        help="folder for the images; default: the file's name")  # fmt: skip
    with_work(action("resume", "continue a campaign", "FOLDER"))
    status = action("status", "report the progress of a campaign", "FOLDER")
    status.add_argument("--json", action="store_true", help="write JSON, not lines")
    check = action("verify", "read all images, and render some again", "FOLDER")
    check.add_argument("--samples", type=int, default=10, metavar="N",
        help="number of shots to render again; default: %(default)s")  # fmt: skip
    export = action("export", "write the ground truth as a table, or shots as files", "FOLDER")
    export.add_argument("--table", metavar="FILE", help="CSV with a line for each crystal")
    export.add_argument("--images", metavar="NAME",
        help="SMV or CBF files, such as shot_####.img")  # fmt: skip
    export.add_argument("--cxi", metavar="FILE",
        help="CXI file for CrystFEL, with its geometry file beside it")  # fmt: skip
    export.add_argument("--shots", default=":", metavar="A:B",
        help="shots from A to B - 1; default: all")  # fmt: skip
    work = action("work", None, "FOLDER")
    work.add_argument("--shard", default="0/1")
    work.add_argument("--part", default="0/1")
    work.add_argument("--threads", type=int)


def run(arguments: argparse.Namespace) -> int:
    """Run the requested action, and return the exit status."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "plan": _plan, "run": _run, "resume": _resume, "status": _status, "verify": _verify,
        "export": _export, "work": _work,
    }  # fmt: skip
    return actions[arguments.action](arguments)


def _plan(arguments: argparse.Namespace) -> int:
    campaign = read_campaign(arguments.place)
    processes = _processes(arguments.processes, campaign)
    found = estimate(campaign, threads=max(1, usable_cores() // processes))
    processes = min(processes, campaign.n_chunks)
    seconds = found.shots * found.seconds_each / processes
    tell(f"{campaign.name}: {found.shots} shots in {campaign.n_chunks} files")
    tell(
        f"a shot: render {1e3 * found.render:.3g} ms, noise {1e3 * found.noise:.3g} ms, "
        f"spots {1e3 * found.spots:.3g} ms, write {1e3 * found.write:.3g} ms, "
        f"{found.bytes_each / 1e6:.3g} MB"
    )
    tell(f"time: {_duration(seconds)} with {processes} processes, if they do not wait for the disk")
    tell(f"disk: {found.shots * found.bytes_each / GIGABYTE:.3g} GB")
    tell(f"memory: {found.memory / GIGABYTE:.2g} GB for each process")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    campaign = read_campaign(arguments.place)
    shard = read_shard(arguments.shard)
    # options are checked before the folder is made
    _threads(arguments, _processes(arguments.processes, campaign))
    _engine(arguments, 1)
    return _go_on(create_folder(arguments.out or campaign.name, campaign), shard, arguments)


def _resume(arguments: argparse.Namespace) -> int:
    return _go_on(open_folder(arguments.place), read_shard(arguments.shard), arguments)


def _go_on(folder: Folder, shard: Shard, arguments: argparse.Namespace) -> int:
    processes = _processes(arguments.processes, folder.campaign)
    threads = _threads(arguments, processes)
    report = _ProgressReport(folder)
    left = [number for number in shard.chunks(folder) if not folder.is_done(number)]
    if left:
        warn_of_quirks(folder.campaign)
    processes = min(processes, max(1, len(left)))
    engine = _engine(arguments, processes)
    times = Times()
    try:
        if left and engine == "dask":
            from cupysim.campaign.execution.cluster import run_cluster

            scheduler = arguments.scheduler
            if scheduler is not None:
                # workers of a cluster run on their own cores
                threads = arguments.threads
            times = run_cluster(folder, shard, processes, threads, scheduler, say, report.update)
        elif left and processes == 1:
            with report:
                times = run_here(folder, shard, threads)
        elif left:
            times = run_processes(folder, shard, processes, threads, report.update)
    except KeyboardInterrupt:
        say(f"\nfinished files stay; continue with: cupysim campaign resume {folder.path}\n")
        raise
    finally:
        report.end()
    say(_shares(times))
    whole = finish(folder)
    failures = folder.failures()
    for failure in failures[:10]:
        say(f"shot {failure['shot']} could not be rendered: {failure['error']}\n")
    done = len(folder.done())
    tell(f"{folder.campaign.n_shots} shots in {folder.master}" if whole else
         f"{done} of {folder.campaign.n_chunks} chunks are done in {folder.path}")  # fmt: skip
    if failures:
        tell(f"{len(failures)} shots could not be rendered; files in failures/ say why")
    return IMPERFECT if failures else 0


def _threads(arguments: argparse.Namespace, processes: int) -> int:
    threads: int | None = arguments.threads
    if threads is None:
        threads = max(1, usable_cores() // processes)
    if not 1 <= threads <= MOST_THREADS:
        raise CupysimError(f"--threads {threads}: expected a number from 1 to {MOST_THREADS}")
    return threads


def _engine(arguments: argparse.Namespace, processes: int) -> str:
    engine: str = arguments.engine
    if engine == "auto" and (arguments.scheduler is not None or processes > 1):
        there = arguments.scheduler is not None or find_spec("distributed") is not None
        engine = "dask" if there else "processes"
    if engine != "dask" and arguments.scheduler is not None:
        raise CupysimError(f"--scheduler needs --engine dask, but --engine is {engine}")
    return engine


def _processes(wanted: int | None, campaign: CampaignDefinition) -> int:
    if wanted is None:
        from cupysim.backends.select import backend_in_use

        if campaign.backend in ("auto", "cuda") and backend_in_use("auto", None) == "cuda":
            import cupy

            return int(cupy.cuda.runtime.getDeviceCount())
        return usable_cores()
    if not 1 <= wanted <= MOST_PROCESSES:
        raise CupysimError(f"--processes {wanted}: expected a number from 1 to {MOST_PROCESSES}")
    return wanted


class _ProgressReport:
    """Reports the progress of a campaign on standard error."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._began, self._told = time.monotonic(), 0.0
        self._first: int | None = None
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def update(self) -> None:
        """Read the progress from the folder and print it, if enough time has passed."""
        now = time.monotonic()
        if self._first is not None and now - self._told < (1.0 if self._terminal else QUIET):
            return
        at, total = progress(self._folder), self._folder.campaign.n_shots
        ready = at.done + at.begun
        if self._first is None:
            self._first, self._told = ready, now
            return
        self._told = now
        rate = (ready - self._first) / max(now - self._began, 1e-9)
        left = _duration((total - ready) / rate) if rate > 0.0 else "?"
        line = f"{ready} of {total} shots, {rate:.3g} images/s, {left} to go"
        if at.failed:
            line += f", {at.failed} failed"
        say(f"\r{line:<70}" if self._terminal else f"{line}\n")

    def end(self) -> None:
        """End the line of progress."""
        if self._terminal and self._told:
            say("\n")

    def _look(self) -> None:
        while not self._ended.wait(1.0):
            self.update()


def _shares(times: Times) -> str:
    if not times.shots:
        return ""
    wall = max(times.wall, 1e-9)
    shares = {
        "noise": times.noise, "compression": times.compress, "writing": times.write,
    }  # fmt: skip
    spots = f", spots {times.spots / wall:.0%}" if times.spots > 0.0 else ""
    others = ", ".join(f"{name} {each / wall:.0%}" for name, each in shares.items() if each > 0.0)
    return (
        f"{times.shots} shots, {times.shots / wall:.3g} images/s in each process: rendering "
        f"{times.render / wall:.0%} of the time{spots}; at the same time {others}\n"
    )


def _work(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.place)
    part = read_shard(arguments.part)
    shard = read_shard(arguments.shard).part(part.number, part.count)
    try:
        times = run_here(folder, shard, arguments.threads, parent_is_gone())
    except Stopped:
        return STOPPED
    tell(json.dumps(dataclasses.asdict(times)))
    return 0


def _status(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.place, inputs=False)
    campaign, at, failures = folder.campaign, progress(folder), folder.failures()
    if arguments.json:
        facts = dataclasses.asdict(at) | {"shots": campaign.n_shots, "failures": failures}
        tell(json.dumps(facts, indent=1))
        return 0
    tell(f"{campaign.name}: {at.done} of {campaign.n_shots} shots are in finished files")
    for line in at.workers:
        tell(line)
    for line in at.dead:
        tell(f"{line}; this process is gone")
    if failures:
        tell(f"{len(failures)} shots could not be rendered")
    if at.done == campaign.n_shots:
        tell(f"all is done: {folder.master}")
    elif not at.workers:
        tell(f"no process works on it; continue with: cupysim campaign resume {arguments.place}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.samples < 0:
        raise CupysimError(f"--samples {arguments.samples}: expected a number from 0")
    folder, samples = open_folder(arguments.place, inputs=False), arguments.samples
    if not folder.has_inputs and samples:
        say("input files have changed or are gone: images are read, but not rendered again\n")
        samples = 0
    found = verify(folder, samples, None, lambda line: say(f"{line}\n"))
    for problem in found.problems:
        tell(problem)
    if found.problems:
        say(f"delete damaged files; then: cupysim campaign resume {arguments.place}\n")
        return IMPERFECT
    tell(f"{found.shots} images can be read; {found.rendered} were rendered again and are equal")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    folder = open_folder(arguments.place, inputs=False)
    if arguments.table is None and arguments.images is None and arguments.cxi is None:
        raise CupysimError("nothing to export: give --table, --images or --cxi")
    if arguments.table is not None:
        check_writable(arguments.table)
        refuse_own_files(folder, arguments.table)
        table = truth_table(folder)
        with OutputFiles() as files:
            files.write(arguments.table, lambda stream: stream.write(table))
        tell(f"ground truth in {arguments.table}")
    if arguments.images is not None:
        check_writable(os.path.join(os.path.dirname(arguments.images) or ".", "shot"))
        names = export_images(folder, _shots(arguments.shots, folder.campaign), arguments.images)
        tell(f"{len(names)} images: {names[0]} to {names[-1]}" if names else "no images")
    if arguments.cxi is not None:
        check_writable(arguments.cxi)
        geometry = export_cxi(folder, _shots(arguments.shots, folder.campaign), arguments.cxi)
        tell(f"images in {arguments.cxi}, geometry in {geometry}")
    return 0


def _shots(text: str, campaign: CampaignDefinition) -> range:
    first, colon, last = text.partition(":")
    parts = first, last
    if not all(p == "" or (p.isdecimal() and len(p) < 20) for p in parts) or not (colon or first):
        raise CupysimError(f"--shots {text}: expected A:B, such as 0:10")
    begin = int(first or 0)
    end = int(last) if last else (campaign.n_shots if colon else begin + 1)
    if not begin < end <= campaign.n_shots:
        raise CupysimError(f"--shots {text}: there are {campaign.n_shots} shots, numbered from 0")
    return range(begin, end)


def _duration(seconds: float) -> str:
    if seconds < 1.0:
        return "less than a second"
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    if seconds < 7200.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:.1f} h" if seconds < 172800.0 else f"{seconds / 86400.0:.1f} days"
