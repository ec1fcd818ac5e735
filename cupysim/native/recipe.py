"""Compilation of the sources in `cuda_src` to shared libraries for the CPU.

The installation and the first use on a machine share this module, so it imports only the standard
library.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

RENDER = "render"
"""Name of the library with the rendering kernels."""

DETECTOR = "detector"
"""Name of the library with the responses of detectors."""

SPOTS = "spots"
"""Name of the library with the prediction of spots."""

TOOLS = "tools"
"""Name of the library for other slow work: text, nanoBragg's photon noise, statistics."""

SOURCES = {
    RENDER: "host.cpp", DETECTOR: "detector.cpp", SPOTS: "spots.cpp", TOOLS: "tools.cpp",
}  # fmt: skip
"""Source file of each library."""

BASELINE = "baseline"
"""The level of instructions that every machine of its kind has."""

LEVELS = {
    "x86_64": {
        "x86-64-v4": frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
        "x86-64-v3": frozenset({"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"}),
    }
}
"""Levels of instructions by machine, the best first, with the processor flags that they need.
Each level includes the next."""

FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-shared",
    # results must not depend on whether a compiler fuses a multiplication with a sum
    "-ffp-contract=off",
    # these two let the compiler vectorise rounding and square roots
    "-fno-math-errno",
    "-fno-trapping-math",
)
"""Options of the compiler for all libraries and levels."""

THREADS = (("-fopenmp",), ("-fopenmp-simd",), ())
"""Options for OpenMP. The first ones that work are used."""


UNIVERSAL = "universal2"
"""The machine in the platform's name if a Python for macOS runs on two kinds of processor."""


class BuildError(Exception):
    """A library could not be built. The message gives the reason."""


def machine() -> str:
    """The kind of processor, for example x86_64 or aarch64."""
    return {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())


def levels(kind: str | None = None) -> list[str]:
    """Levels of instructions that libraries are built for, the best first.

    Parameters
    ----------
    kind : str, optional
        The kind of processor, as `machine` gives it. Default: that of this machine.

    Returns
    -------
    list of str
        The levels.
    """
    return [*LEVELS.get(kind or machine(), {}), BASELINE]


def wheel_tag(platform_tag: str) -> tuple[str, str, str]:
    """The tag of a wheel whose libraries do not depend on Python's version.

    Parameters
    ----------
    platform_tag : str
        The platform's tag, for example ``linux_x86_64``.

    Returns
    -------
    tuple of str
        Tags of Python, of its binary interface and of the platform. On macOS, the libraries are for
        one kind of processor, even if Python runs on two kinds.
    """
    if platform_tag.endswith(UNIVERSAL):
        name = {"aarch64": "arm64"}.get(machine(), machine())
        platform_tag = platform_tag.removesuffix(UNIVERSAL) + name
    return "py3", "none", platform_tag


def supported_levels() -> list[str]:
    """The levels that this processor has, the best first."""
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
    """File name of a library for a level of instructions."""
    return f"libcupysim_{library}_{level}.so"


def source_digest(folder: Path) -> str:
    """A digest of the sources, to recognise the version that a library was made from."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".cpp", ".cu", ".cuh"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def find_compiler() -> list[str]:
    """The C++ compiler with its own options: the one that ``CXX`` names, or the first usual one.

    Raises
    ------
    BuildError
        If there is no compiler, or ``CXX`` cannot be read.
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
        `RENDER`, `DETECTOR`, `SPOTS` or `TOOLS`.
    level : str
        Level of instructions.
    sources : Path
        Folder of the sources.
    target : Path
        File to make. It appears complete or not at all.
    extra : sequence of str, optional
        Further options for the compiler.

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
                # a power failure must not leave a truncated library, which crashes when loaded
                with open(made, "rb+") as stream:
                    os.fsync(stream.fileno())
                os.replace(made, target)
                return
    lines = [line for line in said.splitlines() if line.strip()] or ["no message"]
    lines = [line for line in lines if "error" in line] or lines
    raise BuildError(f"{' '.join(compiler)} failed: {lines[0]}")


def _run(command: Sequence[str], folder: str) -> tuple[int, str]:
    """Run a compiler. Returns its exit status and messages.

    An interruption also ends the processes that the compiler started.
    """
    import subprocess

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
