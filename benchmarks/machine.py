"""Description of a benchmark's machine: hardware, versions, and a digest of the sources."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("numpy", "scipy", "h5py", "cupy-cuda13x", "cupy-cuda12x", "cupy")
"""Packages with versions that results record."""


def describe() -> dict[str, str]:
    """Describe the machine and the versions, and GPUs if the cuda backend works."""
    import cupysim
    from cupysim.backends.select import available_backends
    from cupysim.native.library import level
    from cupysim.provenance import sources_digest

    facts = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
        "compiler": _first_line(["c++", "--version"]),
        "instructions": level(),
        "cupysim": cupysim.__version__,
        "sources": sources_digest(),
    }
    if "cuda" in available_backends():
        facts |= _gpu()
    return facts


def device_name(facts: dict[str, str]) -> str:
    """A file name for results on this machine."""
    name = facts.get("gpu") or facts["processor"]
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()


def keep(path: Path, facts: dict[str, str], rows: Sequence[dict[str, object]]) -> None:
    """Write results as JSON. The file appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps({"machine": facts, "rows": list(rows)}, indent=1) + "\n")
    partial.replace(path)


def program_facts(program: str) -> dict[str, str]:
    """File name and digest of the program that cupysim is compared with."""
    return {
        "peer": Path(program).name,
        "peer_digest": hashlib.sha256(Path(program).read_bytes()).hexdigest()[:16],
    }


def _gpu() -> dict[str, str]:
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    return {
        "gpu": properties["name"].decode(),
        "gpus": str(runtime.getDeviceCount()),
        "gpu_memory": f"{properties['totalGlobalMem'] / 2**30:.0f} GiB",
        "multiprocessors": str(properties["multiProcessorCount"]),
        "cuda_driver": str(runtime.driverGetVersion()),
        "cuda_runtime": str(runtime.runtimeGetVersion()),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _first_line(command: Sequence[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "none"
    return (result.stdout.splitlines() or ["none"])[0]
