"""Time whole commands of cupysim against the C program, in the same run.

    NANOBRAGG_C=/path/to/nanoBragg python benchmarks/render.py [CASE ...]

Each case is run by both programs, alternately, in an empty folder; the shortest of the wall-clock
times counts. Without NANOBRAGG_C only cupysim is timed. The table is printed, and kept as JSON with
the machine's description in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "1orc"
OUTPUTS = ("floatimage.bin", "intimage.img")
CASES = {
    "mosaic": "-cell 70 80 90 75 85 95 -default_F 100 -lambda 1.0 -N 20 -distance 100 "
    "-detpixels 512 -mosaic 0.5 -mosaic_dom 50 -oversample 2 -nonoise -nopgm",
    "protein": "-hkl P1.hkl -mat A_1.0.mat -lambda 1 -N 12 -distance 90 -detpixels 512 -pixel 0.2 "
    "-mosaic 0.5 -mosaic_dom 20 -phi 5 -osc 1 -phisteps 5 -oversample 1 -nonoise -nopgm",
    "sources": "-hkl P1.hkl -mat A_1.0.mat -lambda 1 -N 12 -distance 90 -detpixels 512 -pixel 0.2 "
    "-divergence 2 -divsteps 6 -dispersion 1 -dispsteps 4 -oversample 1 -nonoise -nopgm",
    "still_4096": "-cell 100 100 100 90 90 90 -default_F 100 -lambda 0.5 -N 5 -distance 500 "
    "-detpixels 4096 -pixel 0.05 -nonoise -nopgm",
    "noise": "-hkl P1.hkl -mat A_1.0.mat -lambda 1 -N 12 -distance 90 -detpixels 1024 -pixel 0.1 "
    "-oversample 1 -fluence 1e27 -water 1.8 -seed 1 -nopgm",
}


def seconds(command: list[str], case: str) -> tuple[float, str]:
    """Wall-clock time of a command, and a digest of its images."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("P1.hkl", "A_1.0.mat"):
            shutil.copyfile(EXAMPLE / name, Path(folder) / name)
        words = [*command, *CASES[case].split(), "-noprogress"]
        start = time.perf_counter()
        subprocess.run(
            words, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        taken = time.perf_counter() - start
        data = b"".join((Path(folder) / name).read_bytes() for name in OUTPUTS)
    return taken, hashlib.sha256(data).hexdigest()


def machine() -> dict[str, str]:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "cupysim": version("cupysim"),
        "sources": sources_digest(),
    }


def sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "cupysim").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "render.json")
    arguments = parser.parse_args()
    ours = [sys.executable, "-m", "cupysim"]
    peer = os.environ.get("NANOBRAGG_C")
    rows = []
    print("| case | C program (s) | cupysim (s) | C / cupysim | images |")
    print("|---|---|---|---|---|")
    for case in arguments.cases or CASES:
        times: dict[str, list[float]] = {"c": [], "cupysim": []}
        digests = set()
        for _ in range(arguments.repeats):
            for name, command in (("c", [peer] if peer else None), ("cupysim", ours)):
                if command is not None:
                    taken, digest = seconds(command, case)
                    times[name].append(taken)
                    digests.add(digest)
        ours_best = min(times["cupysim"])
        theirs = min(times["c"]) if times["c"] else None
        same = "-" if theirs is None else "identical" if len(digests) == 1 else "different"
        ratio = "-" if theirs is None else f"{theirs / ours_best:.2f}"
        shown = "-" if theirs is None else f"{theirs:.2f}"
        print(f"| {case} | {shown} | {ours_best:.2f} | {ratio} | {same} |", flush=True)
        rows.append({"case": case, "arguments": CASES[case], "seconds": times, "images": same})
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
