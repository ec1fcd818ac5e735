"""A file that accepts all writes, and reports failed writes afterwards.

If a write fails, HDF5 cannot close its file any more and may end the process. So HDF5 must not see
the failure. Data that cannot be written stay in memory until the file is given up.
"""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self


class PatientFile:
    """A new file, with the methods that HDF5 needs of a Python file object.

    Parameters
    ----------
    path : path_like
        Name of the file to make. It must not exist yet.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: os.PathLike[str] | str) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        self._place = self._size = 0
        self._error: OSError | None = None
        self.seconds = 0.0
        """Time spent writing to the disk (s)."""
        self._kept: list[tuple[int, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def check(self) -> None:
        """Raise the first failure of a write, if there was one.

        Raises
        ------
        OSError
            If a write failed.
        """
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Wait until all data are on the disk.

        Raises
        ------
        OSError
            If a write failed.
        """
        self.check()
        began = time.perf_counter()
        os.fsync(self._descriptor)
        self.seconds += time.perf_counter() - began

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position for the next read or write. Returns the position (bytes)."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """The current position (bytes)."""
        return self._place

    def write(self, data: bytes | memoryview) -> int:
        """Write data. Data that cannot be written are kept in memory."""
        view = memoryview(data).cast("B")
        begin, length, began = self._place, len(view), time.perf_counter()
        while view and self._error is None:
            try:
                written = os.pwrite(self._descriptor, view, self._place)
                view, self._place = view[written:], self._place + written
            except OSError as error:
                self._error = error
        if view:
            self._kept.append((self._place, bytes(view)))
        self._place = begin + length
        self._size = max(self._size, self._place)
        self.seconds += time.perf_counter() - began
        return length

    def read(self, size: int) -> bytes:
        """Read `size` bytes that were written before."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read bytes that were written before, from the disk or from memory."""
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self._size - self._place))
        try:
            found = os.pread(self._descriptor, length, self._place)
        except OSError as error:
            found, self._error = b"", self._error or error
        view[: len(found)] = found
        view[len(found) : length] = bytes(length - len(found))
        for begin, kept in self._kept:
            first = max(begin, self._place)
            last = min(begin + len(kept), self._place + length)
            if first < last:
                view[first - self._place : last - self._place] = kept[first - begin : last - begin]
        self._place += length
        return length

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file (bytes); by default, up to the current position."""
        size = self._place if size is None else size
        self._size = size
        if self._error is None:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError as error:
                self._error = error
        return size

    def flush(self) -> None:
        """Do nothing: writes are not buffered."""
