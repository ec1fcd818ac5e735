"""How the sources in `cuda_src` become shared libraries for the CPU.

The installation and the first use on a machine share this recipe, so it imports the
standard library alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

RENDER = "render"
"""Library of the hot loop, built for each level of instructions."""

TOOLS = "tools"
"""Library of what surrounds it: text, noise, statistics."""

SOURCES = {RENDER: "host.cpp", TOOLS: "tools.cpp"}

BASELINE = "baseline"
"""The instructions which every machine of its kind has."""

LEVELS = {
    "x86_64": {
        "x86-64-v4": frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
        "x86-64-v3": frozenset({"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"}),
    }
}
"""Levels of instructions by machine, the best first, and the processor's flags they need. Each
includes the next."""

FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-shared",
    # results must not depend on where a compiler sees a multiplication beside a sum
    "-ffp-contract=off",
    # these two let rounding and square roots be vectorised
    "-fno-math-errno",
    "-fno-trapping-math",
)

THREADS = (("-fopenmp",), ("-fopenmp-simd",), ())
"""Ways to ask for OpenMP, the first which works is taken."""


class BuildError(Exception):
    """No library could be built; says why."""


def machine() -> str:
    """The kind of processor: x86_64, aarch64 or another."""
    return {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())


def levels() -> list[str]:
    """Levels of instructions for which libraries are built here, the best first."""
    return [*LEVELS.get(machine(), {}), BASELINE]


def supported_levels() -> list[str]:
    """Those of `levels` which this processor has."""
    flags: set[str] = set()
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as stream:
            for line in stream:
                if line.startswith("flags"):
                    flags = set(line.split(":", 1)[1].split())
                    break
    except OSError:
        return [BASELINE]
    supported = [BASELINE]
    for level, needed in reversed(LEVELS.get(machine(), {}).items()):
        if not needed <= flags:
            break
        supported.insert(0, level)
    return supported


def file_name(library: str, level: str) -> str:
    """Name of a library's file; the tools have one level."""
    return f"libcupysim_{library}_{level}.so" if library == RENDER else f"libcupysim_{library}.so"


def source_digest(folder: Path) -> str:
    """What tells one version of the sources from another."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".cpp", ".cu", ".cuh"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def find_compiler() -> list[str]:
    """The C++ compiler and its own options: ``CXX``, or the first of the usual names.

    Raises
    ------
    BuildError
        If there is none.
    """
    given = os.environ.get("CXX", "")
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise BuildError(f"the variable CXX, {given!r}, cannot be read: {error}") from error
    if words:
        return words
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise BuildError("no C++ compiler was found (c++, g++, clang++ or the variable CXX)")


def compile_library(
    library: str,
    level: str,
    sources: Path,
    target: Path,
    extra: Sequence[str] = (),
) -> None:
    """Compile one library.

    Parameters
    ----------
    library : str
        `RENDER` or `TOOLS`.
    level : str
        Level of instructions.
    sources : Path
        Folder of the sources.
    target : Path
        File to make; it appears whole or not at all.
    extra : sequence of str, optional
        More options for the compiler.

    Raises
    ------
    BuildError
        If there is no compiler, or it fails.
    """
    compiler = find_compiler()
    options = [*FLAGS, f'-DCUPYSIM_DIGEST="{source_digest(sources)}"', *extra]
    if level != BASELINE:
        options.append(f"-march={level}")
    if sys.platform == "darwin":
        options.append("-undefined")
        options.append("dynamic_lookup")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        made = Path(folder) / target.name
        for threads in THREADS:
            command = [*compiler, *options, *threads, str(sources / SOURCES[library])]
            try:
                status, said = _run([*command, "-o", str(made)], folder)
            except OSError as error:
                raise BuildError(f"{compiler[0]} cannot be run: {error.strerror}") from error
            if status == 0 and made.exists():
                # a library cut short by a power failure would crash whoever loads it
                with open(made, "rb+") as stream:
                    os.fsync(stream.fileno())
                os.replace(made, target)
                return
    lines = [line for line in said.splitlines() if line.strip()] or ["no message"]
    lines = [line for line in lines if "error" in line] or lines
    raise BuildError(f"{' '.join(compiler)} failed: {lines[0]}")


def _run(command: Sequence[str], folder: str) -> tuple[int, str]:
    """Run a compiler; its exit status and messages. An interruption ends what it started, too."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
        env={**os.environ, "LC_ALL": "C", "TMPDIR": folder},
    )  # fmt: skip
    try:
        _, said = process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return process.returncode, said
