"""Time campaigns against the bare work of one process, in the same run.

    python -m benchmarks.campaigns [FILE ...] [--shots 400] [--memory] [--out FILE.json]

The bare work is a loop that renders, counts photons, predicts spots if the campaign asks for them,
compresses and writes. It does one shot after the other in one thread of each process. It claims no
chunks, records no ground truth, and cannot be resumed. "Images/s" is the speed of a whole run, from
the start of the first process to the file that shows all images. With Dask, starting and ending
the cluster is included. "Kept" is the speed of each process while it works, divided by that of the
bare loop with the same number of processes. --memory shows how much the memory of a process with
many small shots grows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, describe, keep
from cupysim.backends.select import open_backend
from cupysim.campaign.definition.campaign import CampaignDefinition
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.execution.cluster import run_cluster
from cupysim.campaign.execution.folder import create_folder
from cupysim.campaign.execution.rendering import pixels_of, render_shots, shots_in_chunk
from cupysim.campaign.execution.runs import finish, run_here, run_processes
from cupysim.campaign.execution.shards import Shard
from cupysim.campaign.execution.work import Times
from cupysim.formats.nexus.series import Series
from cupysim.prediction.spots import predict_spots

EXAMPLES = ROOT / "examples" / "campaigns"

ENGINES = (("here", 1), ("processes", 2), ("dask", 2))
"""Ways to run a campaign, with their numbers of processes."""

SMALL = """
[campaign]
shots = {shots}
[base]
arguments = "-cell 50 60 70 80 90 100 -default_F 100 -lambda 1 -N 10 -distance 60 -detpixels 64
-pixel 1 -oversample 1 -fluence 1e26 -water 1 -corrected"
[vary]
orientation = "uniform"
fluence = {{ gamma = [1.0, 3], mode = "times" }}
[output]
images_per_file = 500
""".replace("64\n", "64 ")
"""Campaign file with many small shots."""

STAGES = ("render", "noise", "spots", "compress", "write")
"""Parts of the work that are timed separately."""


def shortened(path: Path, shots: int, folder: Path) -> CampaignDefinition:
    """An example campaign with fewer shots, in enough files for two processes."""
    lines = []
    for line in path.read_text().splitlines():
        name = line.partition("=")[0].strip()
        replaced = {"shots": shots, "images_per_file": max(1, shots // 8)}
        lines.append(f"{name} = {replaced[name]}" if name in replaced else line)
    made = folder / path.name
    made.write_text("\n".join(lines) + "\n")
    # names of input files are relative to the campaign file
    for beside in path.parent.parent.iterdir():
        if not (link := folder.parent / beside.name).exists():
            link.symlink_to(beside.resolve())
    return read_campaign(made)


def bare_rates(file: str, folder: Path, processes: int) -> list[float]:
    """Images per second of bare loops in several processes at the same time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool, context.Manager() as manager:
        ready = manager.Barrier(processes)
        jobs = [
            pool.submit(bare_rate, file, folder / f"bare_{processes}_{number}", ready)
            for number in range(processes)
        ]
        return [job.result() for job in jobs]


def bare_rate(file: str, folder: Path, ready: Any) -> float:
    """Images per second of a bare loop, which begins together with the others."""
    folder.mkdir()
    campaign = read_campaign(file)
    backend = open_backend(campaign.backend, campaign.precision, 1).render
    render_shots(campaign, [0], backend)
    ready.wait()
    base, at_once, began = campaign.experiment, shots_in_chunk(campaign), time.perf_counter()
    for chunk in range(campaign.n_chunks):
        shots = campaign.shots_of(chunk)
        with Series(
            folder / f"bare_{chunk}.h5", base, len(shots), campaign.counts, campaign.expected, 1
        ) as series:
            for first in range(0, len(shots), at_once):
                for place, (rendered, error) in enumerate(
                    render_shots(campaign, shots[first:][:at_once], backend), first
                ):
                    assert rendered is not None, error
                    series.put(place, pixels_of(campaign, rendered.shot, rendered.image, 1))
                    if campaign.spots is not None:
                        predict_spots(rendered.image.plan, fewest=campaign.spots)
    return campaign.n_shots / (time.perf_counter() - began)


def campaign_rate(
    campaign: CampaignDefinition, folder: Path, engine: str, processes: int
) -> tuple[float, Times]:
    """Images per second of a campaign, and the times of its stages."""
    began = time.perf_counter()
    made = create_folder(str(folder / f"{engine}_{processes}"), campaign)
    if engine == "here":
        times = run_here(made, Shard(), 1)
    elif engine == "processes":
        times = run_processes(made, Shard(), processes, 1, lambda: None)
    else:
        times = run_cluster(made, Shard(), processes, 1, None, lambda _: None, lambda: None)
    assert finish(made)
    return campaign.n_shots / (time.perf_counter() - began), times


def memory(shots: int, folder: Path) -> list[tuple[int, float]]:
    """Numbers of finished shots, and the memory (MB) of their process at that time."""
    file = folder / "small.toml"
    file.write_text(SMALL.format(shots=shots))
    out = folder / "small"
    run = subprocess.Popen(
        [sys.executable, "-m", "cupysim", "campaign", "run", file, "-o", out, "--processes", "1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found = []
    while run.poll() is None:
        time.sleep(0.5)
        chunks = len(list((out / "chunks").glob("small_*"))) if out.exists() else 0
        lines = Path(f"/proc/{run.pid}/status").read_text().splitlines()
        held = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
        if held and chunks:
            found.append((500 * chunks, held[0] / 1024.0))
    assert run.returncode == 0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    examples = sorted(EXAMPLES.glob("*.toml"))
    parser.add_argument("files", nargs="*", type=Path, default=examples, help="campaign files")
    parser.add_argument("--shots", type=int, default=400)
    parser.add_argument("--memory", type=int, nargs="?", const=10_000, metavar="SHOTS")
    parser.add_argument("--out", type=lambda name: Path(name).resolve())
    arguments = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.memory:
            print("| shots done | memory (MB) |\n|---|---|")
            found = memory(arguments.memory, Path(temporary))
            for shots, held in found[:: max(1, len(found) // 8)] + found[-1:]:
                print(f"| {shots} | {held:.1f} |")
            rows.append({"memory": found})
            arguments.files = []
        else:
            print("| campaign | engine | processes | images/s | kept | render | noise | spots "
                  "| compress | write |\n|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
        for file in arguments.files:
            folder = Path(temporary) / file.stem
            folder.mkdir()
            campaign = shortened(file, arguments.shots, folder)
            bare = {}
            for processes in (1, 2):
                rates = bare_rates(campaign.path, folder, processes)
                bare[processes] = sum(rates) / processes
                print(f"| {file.stem} | bare loop | {processes} | {sum(rates):.1f} | | | | | | |",
                      flush=True)  # fmt: skip
                rows.append({
                    "campaign": file.stem, "engine": "bare", "processes": processes,
                    "rate": sum(rates),
                })  # fmt: skip
            for engine, processes in ENGINES:
                if engine == "dask" and find_spec("distributed") is None:
                    continue
                rate, times = campaign_rate(campaign, folder, engine, processes)
                shares = {name: getattr(times, name) / times.wall for name in STAGES}
                kept = times.shots / times.wall / bare[processes]
                rows.append({
                    "campaign": file.stem, "engine": engine, "processes": processes,
                    "rate": rate, "kept": kept, **shares,
                })  # fmt: skip
                cells = " | ".join(f"{share:.0%}" for share in shares.values())
                print(f"| {file.stem} | {engine} | {processes} | {rate:.1f} | {kept:.0%} "
                      f"| {cells} |", flush=True)  # fmt: skip
    if arguments.out:
        keep(arguments.out, describe(), rows)
        print(json.dumps({"kept in": str(arguments.out)}), file=sys.stderr)


if __name__ == "__main__":
    main()
