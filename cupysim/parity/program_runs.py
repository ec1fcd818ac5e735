"""Running the command line of a case with a program, in its own folder."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

import cupysim
from cupysim.errors import CupysimError
from cupysim.parity.cases import Case
from cupysim.provenance import file_record

FLOAT_BYTES = 4
"""Size of a pixel of the float image (bytes)."""

TAIL = 20_000
"""Number of bytes at the end of a program's output that are searched for the reason of an error."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast), or None
        The float image (photons); None if there is none.
    seconds : float
        Wall time of the whole command (s).
    problem : str
        Reason why there is no image.
    digests : dict of str to str
        SHA-256 of the files that nanoBragg also writes, by file name.
    """

    image: np.ndarray | None
    seconds: float
    problem: str = ""
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A command that accepts nanoBragg's options.

    Parameters
    ----------
    name : str
        Name of the program, for reports.
    words : tuple of str
        Words of the command before the options.
    path : str
        Folder to add to PYTHONPATH, where Python finds cupysim. Empty for other programs: their
        environment is not changed.
    """

    name: str
    words: tuple[str, ...]
    path: str = ""

    def run(self, case: Case, folder: Path, timeout: float) -> Outcome:
        """Run a case in an empty folder.

        Parameters
        ----------
        case : Case
            Case to run.
        folder : Path
            Folder to make and run in. The inputs of the case are copied there.
        timeout : float
            Time after which the program is stopped (s).

        Returns
        -------
        Outcome
            The image, or the problem if there is none.
        """
        folder.mkdir(parents=True)
        case.prepare(folder)
        # not in the folder: the case may use any name there
        logs = [folder.with_name(f"{folder.name}.{name}") for name in ("out", "err")]
        began = time.perf_counter()
        try:
            with open(logs[0], "wb") as out, open(logs[1], "wb") as err:
                status = self._wait([*self.words, *case.words], folder, (out, err), timeout)
        except (OSError, ValueError) as error:
            raise CupysimError(f"{self.name}: {error}") from error
        seconds = time.perf_counter() - began
        if status is None:
            return Outcome(None, timeout, f"{self.name} was stopped after {timeout:g} s")
        if status != 0:
            lines = _tail(logs[1]).strip().splitlines()
            last = f": {lines[-1]}" if lines else ""
            if "usage" in _tail(logs[0]).lower():
                last += " (it printed its usage)"
            return Outcome(None, seconds, f"{self.name} ended with status {status}{last}")
        return self._outcome(case, folder, seconds)

    def _wait(
        self, words: Sequence[str], folder: Path, logs: tuple[IO[bytes], IO[bytes]], timeout: float
    ) -> int | None:
        """Wait for a program. Returns its exit status, or None if it takes too long.

        The processes that it started end with it.
        """
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=logs[0], stderr=logs[1],
            env=_environment(self.path), start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _outcome(self, case: Case, folder: Path, seconds: float) -> Outcome:
        """Read the float image, and compute the digests of files."""
        path, count = folder / case.float_file, case.shape[0] * case.shape[1]
        if not path.is_file() or path.stat().st_size != FLOAT_BYTES * count:
            size = f"{case.shape[1]} x {case.shape[0]}"
            return Outcome(
                None, seconds, f"{self.name} wrote no {case.float_file} of {size} pixels"
            )
        pixels = np.fromfile(path, dtype="<f4")
        records = [file_record(folder / name) for name in case.files]
        digests = {
            name: record["sha256"]
            for name, record in zip(case.files, records, strict=True)
            if record["sha256"] is not None
        }
        return Outcome(pixels.reshape(case.shape), seconds, "", digests)


def _tail(path: Path) -> str:
    """The last bytes of a log, as text."""
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        return stream.read(TAIL).decode("utf-8", "replace")


def reference_program(command: str) -> Program:
    """The reference program that the user names.

    Parameters
    ----------
    command : str
        Command as for a shell: the program, and words before the options.

    Returns
    -------
    Program
        The program, with absolute paths, since it runs in other folders than this one.

    Raises
    ------
    CupysimError
        If there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise CupysimError(f"--reference: {error}") from None
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise CupysimError(f"--reference: there is no program {words[0] if words else ''!r}")
    # words that are files of this folder need absolute paths
    rest = [os.path.abspath(word) if os.path.exists(word) else word for word in words[1:]]
    return Program(os.path.basename(found), (os.path.abspath(found), *rest))


def our_program(backend: str, precision: str, words: Sequence[str] = ()) -> Program:
    """The drop-in command with a backend and a precision."""
    command = (
        sys.executable, "-m", "cupysim", "-noprogress", "-backend", backend,
        "-precision", precision, *words,
    )  # fmt: skip
    return Program("cupysim", command, str(Path(cupysim.__file__).parents[1]))


def _environment(path: str) -> dict[str, str]:
    """The environment of this process, with a folder added to PYTHONPATH if one is given."""
    paths = [*filter(None, [path, os.environ.get("PYTHONPATH")])]
    return {**os.environ, **({"PYTHONPATH": os.pathsep.join(paths)} if path else {})}
