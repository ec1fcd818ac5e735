"""Running a case through a program, in a folder of its own."""

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

TAIL = 20_000
"""Bytes at the end of what a program prints which may say why it failed."""


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Parameters
    ----------
    image : ndarray of float32, shape (n_slow, n_fast), or None
        The float image; None if there is none.
    seconds : float
        Wall time of the whole command.
    problem : str
        Why there is no image.
    digests : dict of str to str
        SHA-256 of the files which nanoBragg writes too, by name.
    """

    image: np.ndarray | None
    seconds: float
    problem: str = ""
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A command which takes nanoBragg's options.

    Parameters
    ----------
    name : str
        For people.
    words : tuple of str
        What comes before the options.
    path : str
        Folder in which its Python finds cupysim; empty for a program of others, whose variables
        are left alone.
    """

    name: str
    words: tuple[str, ...]
    path: str = ""

    def run(self, case: Case, folder: Path, timeout: float) -> Outcome:
        """Run a case in an empty folder.

        Parameters
        ----------
        case : Case
            What to run.
        folder : Path
            Where; its inputs are copied there.
        timeout : float
            Seconds after which the program is stopped.

        Returns
        -------
        Outcome
            With a problem where there is no image.
        """
        folder.mkdir(parents=True)
        case.prepare(folder)
        # beside the folder, in which all names are the case's
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
        """Exit status; None if time is over. Its children end with it."""
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
    """The end of a log."""
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        return stream.read(TAIL).decode("utf-8", "replace")


def reference_program(command: str) -> Program:
    """The program which a user names.

    Parameters
    ----------
    command : str
        As for a shell: the program, and words which come before the options.

    Returns
    -------
    Program
        It runs in other folders than this one.

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
    # files among the words, which are here and not there
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
    """The variables of this process, with which cupysim is found in a folder, if one is given."""
    paths = [*filter(None, [path, os.environ.get("PYTHONPATH")])]
    return {**os.environ, **({"PYTHONPATH": os.pathsep.join(paths)} if path else {})}
