"""Claims of processes on chunks: files that only one process can create.

A claim names its owner, and changes as long as the owner's process runs. Another process takes it
over if the owner is gone from this machine, or if the claim has not changed for a while. That time
is measured by the other process: clocks of two machines are never compared. If two processes
nevertheless work on one chunk, both make the same file, and the first one stays.
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
"""Seconds between two changes of a claim."""

MOST_PROCESSES = 2**31
"""Upper limit of process numbers."""

SOON = 1.0
"""Shortest time (s) between the last change of a claim and one with new progress."""

GONE = (errno.ENOENT, errno.ESTALE)
"""Error numbers for a file that another machine has removed."""

STALE = 60.0
"""Seconds without a change after which a claim of another machine may be taken over."""


@cache
def this_machine() -> str:
    """Text that identifies this machine, its boot and its container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            parts.append(stream.read().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def birth(process: int) -> str | None:
    """Start time of a process of this machine, as the system counts it; None if it is gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    # a zombie has ended
    return None if fields[0] in "ZX" else fields[19]


class Claim:
    """A claim of this process. A thread changes its file until it is released.

    Parameters
    ----------
    path : str
        File of the claim.
    descriptor : int
        Descriptor of the open file.
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
        """Store the progress of the work in the claim, for other processes."""
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
        """Remove the claim, if no other process has taken it over."""
        self._ended.set()
        self._thread.join()
        if self.is_mine():
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        os.close(self._descriptor)

    def is_mine(self) -> bool:
        """Whether the claim still belongs to this object, and no process has taken it over."""
        # not by the inode number, which servers reuse for new files
        try:
            with open(self.path, "rb") as stream:
                owner = read_claim(stream.read())
        except OSError:
            return False
        return owner is not None and owner.get("token") == self._token

    def _keep_beating(self, heartbeat: float) -> None:
        while not self._ended.wait(heartbeat):
            # a full disk must not end the work here; writing the chunk reports it
            with contextlib.suppress(OSError):
                self.beat()


class Claims:
    """Makes claims on the chunks of a folder.

    Parameters
    ----------
    folder : Folder
        Folder of the campaign.
    heartbeat, stale : float, optional
        Seconds between two changes of a claim, and seconds without a change after which a claim
        may be taken over.
    clock : callable, optional
        Function that returns a time (s).
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
        """Claim a chunk.

        Parameters
        ----------
        number : int
            Number of the chunk.

        Returns
        -------
        Claim or None
            Claim, to be released later; None if another process works on the chunk.

        Raises
        ------
        OutputError
            If the claim cannot be written.
        """
        path = self.folder.claim(number)
        try:
            claim = self._make(path)
            if claim is None and self._is_abandoned(number, path):
                with self._alone() as alone:
                    # another process may have taken it over meanwhile, or be about to
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
            # a claim that does not change would block the chunk until its process ends
            with contextlib.suppress(OSError):
                os.unlink(path)
            os.close(descriptor)
            raise

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Lock the takeover of claims; yield whether this process has the lock.

        No process waits for the lock, because its owner may sleep. The system releases the lock
        when its process ends.
        """
        descriptor = os.open(self.folder.takeovers, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            alone = True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alone = False
            except OSError:
                # without locks, two processes may work on one chunk, which does no harm
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
    """Whether the owner of a claim is a process of this machine that has ended.

    Parameters
    ----------
    owner : dict
        Content of the claim, from `read_claim`.

    Returns
    -------
    bool
        True if the process has ended; False for processes of other machines.
    """
    if owner["machine"] != this_machine():
        return False
    began = birth(owner["pid"])
    return began is None or began != owner["birth"]


def read_claim(content: bytes) -> dict[str, Any] | None:
    """Read the content of a claim; None if it is not written yet, or is damaged."""
    try:
        owner = json.loads(content)
        found = {
            "machine": str(owner["machine"]), "pid": int(owner["pid"]), "birth": owner["birth"],
            "token": owner.get("token"), "done": int(owner.get("done", 0)),
        }  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return found if found["machine"].split() and 0 < found["pid"] < MOST_PROCESSES else None
