"""Who works on which chunk: files which can be made by one only.

A claim says who made it, and changes as long as its owner lives. Another takes it over if the
owner's process is gone from this machine, or if it has not changed for a while by the other's own
clock: clocks of two machines are never compared. Should two work on one chunk in spite of all,
both make the same file, and the first one stays.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from cupysim.campaign.execution.folder import Folder
from cupysim.storage.safe_writing import OutputError

HEARTBEAT = 5.0
"""Seconds after which a claim changes."""

MOST_PROCESSES = 2**31
"""Numbers of processes are smaller."""

SOON = 1.0
"""Seconds after which what is told is written, if it changes."""

GONE = (errno.ENOENT, errno.ESTALE)
"""What systems say of a file which another machine has removed."""

STALE = 60.0
"""Seconds without a change after which a claim is nobody's."""


@cache
def this_machine() -> str:
    """What tells machines, their boots and their containers apart."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            parts.append(stream.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def birth(process: int) -> str | None:
    """When a process of this machine began; None if there is none."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    # zombies do not work
    return None if fields[0] in "ZX" else fields[19]


class Claim:
    """A claim of this process, which beats until it is released.

    Parameters
    ----------
    path : str
        Its file.
    descriptor : int
        The open file.
    heartbeat : float
        Seconds between two changes.
    """

    def __init__(self, path: str, descriptor: int, heartbeat: float) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._beats, self._last = 0, 0.0
        self._told: dict[str, Any] = {}
        self._token = os.urandom(8).hex()
        self.beat()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, args=(heartbeat,), daemon=True)
        self._thread.start()

    def tell(self, **facts: Any) -> None:
        """What others may read of how far the work is."""
        self._told = facts
        if time.monotonic() - self._last > SOON:
            with contextlib.suppress(OSError):
                self.beat()

    def beat(self) -> None:
        """Change the file."""
        self._beats, self._last = self._beats + 1, time.monotonic()
        fact = {
            "machine": this_machine(), "pid": os.getpid(), "birth": birth(os.getpid()),
            "token": self._token, "beats": self._beats, **self._told,
        }  # fmt: skip
        content = json.dumps(fact).encode()
        with self._lock:
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))

    def release(self) -> None:
        """Give the chunk back, if it was not taken away."""
        self._ended.set()
        self._thread.join()
        if self.is_mine():
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        os.close(self._descriptor)

    def is_mine(self) -> bool:
        """Whether it was not taken away while this process slept."""
        # not by the file's number, which servers give to new files again
        try:
            with open(self.path, "rb") as stream:
                owner = read_claim(stream.read())
        except OSError:
            return False
        return owner is not None and owner.get("token") == self._token

    def _keep_beating(self, heartbeat: float) -> None:
        while not self._ended.wait(heartbeat):
            # a full disk must not end the work: what matters is whether the chunk can be written
            with contextlib.suppress(OSError):
                self.beat()


class Claims:
    """Makes claims on the chunks of a folder.

    Parameters
    ----------
    folder : Folder
        The campaign's.
    heartbeat, stale : float, optional
        Seconds after which claims change, and after which they should have.
    clock : callable, optional
        Seconds since some time.
    """

    def __init__(
        self,
        folder: Folder,
        heartbeat: float = HEARTBEAT,
        stale: float = STALE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._heartbeat, self._stale, self._clock = heartbeat, stale, clock
        self._seen: dict[int, tuple[bytes, float]] = {}

    def take(self, number: int) -> Claim | None:
        """A claim on a chunk, or None if another works on it.

        Parameters
        ----------
        number : int
            Which chunk.

        Returns
        -------
        Claim or None
            To be released.

        Raises
        ------
        OutputError
            If nothing can be written there.
        """
        path = self.folder.claim(number)
        try:
            claim = self._make(path)
            if claim is None and self._is_abandoned(number, path):
                with self._alone() as alone:
                    # another may have taken it over meanwhile, or be about to
                    if alone and self._is_abandoned(number, path):
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(path)
                        claim = self._make(path)
        except OSError as error:
            raise OutputError(path, error.strerror or str(error)) from error
        return claim

    def _make(self, path: str) -> Claim | None:
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o644)
        except FileExistsError:
            return None
        try:
            return Claim(path, descriptor, self._heartbeat)
        except BaseException:
            # a claim which does not beat would be its process' until that ends
            with contextlib.suppress(OSError):
                os.unlink(path)
            os.close(descriptor)
            raise

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Of all processes, one at a time; the system lets go of it when the process ends.

        Gives whether it is this one: nobody waits for a process which sleeps.
        """
        descriptor = os.open(self.folder.takeovers, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            alone = True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alone = False
            except OSError:
                # without locks, two may work on one chunk, which does no harm
                pass
            yield alone
        finally:
            os.close(descriptor)

    def _is_abandoned(self, number: int, path: str) -> bool:
        try:
            with open(path, "rb") as stream:
                content = stream.read()
        except OSError as error:
            if error.errno not in GONE:
                raise
            return False
        now = self._clock()
        if number not in self._seen or self._seen[number][0] != content:
            self._seen[number] = content, now
        owner = read_claim(content)
        if owner and owner["machine"] == this_machine():
            return is_dead(owner)
        return now - self._seen[number][1] > self._stale


def is_dead(owner: dict[str, Any]) -> bool:
    """Whether who made a claim is gone from this machine; of others, nobody knows.

    Parameters
    ----------
    owner : dict
        What the claim says.

    Returns
    -------
    bool
        Whether the process ended.
    """
    if owner["machine"] != this_machine():
        return False
    began = birth(owner["pid"])
    return began is None or began != owner["birth"]


def read_claim(content: bytes) -> dict[str, Any] | None:
    """What a claim says; None if it was not written yet."""
    try:
        owner = json.loads(content)
        found = {
            "machine": str(owner["machine"]), "pid": int(owner["pid"]), "birth": owner["birth"],
            "token": owner.get("token"), "done": int(owner.get("done", 0)),
        }  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return found if found["machine"].split() and 0 < found["pid"] < MOST_PROCESSES else None
