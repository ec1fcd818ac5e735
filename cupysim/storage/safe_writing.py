"""Writing files so that they appear complete or not at all.

Outputs are written under temporary names in the folders of their targets, in other threads. At the
end they are renamed together. Targets that are not regular files, like /dev/null or a pipe, are
written directly, when all other files are complete but not yet renamed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cupysim.errors import CupysimError

WRITERS = 2
"""Number of files that are filled at the same time: one is computed while another is copied."""


class OutputError(CupysimError):
    """An output file cannot be written.

    Parameters
    ----------
    path : path_like
        Name of the file.
    reason : str
        Reason, for the message.
    """

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}")
        self.path = str(path)


class OutputFiles:
    """Several output files that appear together, or none of them.

    Use it as a context manager. Leaving it without an error puts the files in place. Leaving it
    with an error removes the temporary files. A writer runs in another thread, so the data that it
    writes must not change any more.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with OutputFiles() as outputs:
    ...     outputs.write(folder / "a.txt", lambda stream: stream.write(b"whole"))
    >>> (folder / "a.txt").read_bytes()
    b'whole'
    """

    def __init__(self) -> None:
        self._staged: list[tuple[Path, Path, bool]] = []
        self._writers: list[tuple[object, int, Future[None]]] = []
        self._pool = ThreadPoolExecutor(WRITERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        complete = False
        try:
            if kind is None:
                self._wait_for_writers()
                # a pipe may wait for its reader; the user must be able to interrupt that
                self._fill_special_files()
                with signals_deferred():
                    self._put_in_place()
                    complete = True
        except KeyboardInterrupt:
            raise KeyboardInterrupt("all files were written" if complete else "") from None
        finally:
            with signals_deferred():
                self._pool.shutdown(cancel_futures=True)
                for _, descriptor, writing in self._writers:
                    if writing.cancelled():
                        os.close(descriptor)
                for temporary, _, _ in self._staged:
                    with contextlib.suppress(OSError):
                        temporary.unlink()

    def write(self, path: os.PathLike[str] | str, writer: Callable[[BinaryIO], object]) -> None:
        """Write a file under a temporary name.

        Parameters
        ----------
        path : path_like
            Final name of the file.
        writer : callable
            Writes the content to the binary stream that it gets.

        Raises
        ------
        OutputError
            If the file cannot be made. Errors of the writer are raised at the end.
        """
        target = check_writable(path)
        special = is_special(target)
        folder = Path(tempfile.gettempdir()) if special else target.parent
        try:
            with signals_deferred():
                descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:60]}.", dir=folder)
                self._staged.append((Path(name), target, special))
            if not special:
                os.chmod(name, _permissions(target))
        except OSError as error:
            raise OutputError(path, error.strerror or str(error)) from error
        self._writers.append((path, descriptor, self._pool.submit(_fill, descriptor, writer)))

    def staged_files(self) -> list[tuple[object, Path]]:
        """Wait until all files so far are filled.

        Returns
        -------
        list of tuple of path_like and Path
            Final name of each file, and the temporary file with its content.

        Raises
        ------
        OutputError
            If a file cannot be filled.
        """
        self._wait_for_writers()
        names = [name for name, _, _ in self._writers]
        return list(zip(names, (staged for staged, _, _ in self._staged), strict=True))

    def _wait_for_writers(self) -> None:
        for path, _, writing in self._writers:
            try:
                writing.result()
            except OSError as error:
                raise OutputError(path, error.strerror or str(error)) from error

    def _fill_special_files(self) -> None:
        """Write devices and pipes before other files are put in place, because they may fail."""
        for temporary, target, special in self._staged:
            if special:
                try:
                    with temporary.open("rb") as source, target.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
                except BrokenPipeError:
                    # the reader closed the pipe
                    continue
                except OSError as error:
                    raise OutputError(target, error.strerror or str(error)) from error

    def _put_in_place(self) -> None:
        """Rename all files. If one fails, the files before it get their old content back."""
        done: list[tuple[Path, Path | None]] = []
        try:
            for temporary, target, special in self._staged:
                if not special:
                    backup = _keep(target, temporary)
                    done.append((target, backup))
                    temporary.replace(target)
        except OSError as error:
            for replaced, backup in done:
                with contextlib.suppress(OSError):
                    if backup is not None:
                        backup.replace(replaced)
                    elif replaced != target:
                        replaced.unlink()
            raise OutputError(target, error.strerror or str(error)) from error
        finally:
            for _, backup in done:
                if backup is not None:
                    with contextlib.suppress(OSError):
                        backup.unlink()


def _fill(descriptor: int, writer: Callable[[BinaryIO], object]) -> None:
    with os.fdopen(descriptor, "w+b") as stream:
        writer(stream)


def _keep(target: Path, temporary: Path) -> Path | None:
    """Give a second name to a file that will be replaced; None if that is not possible."""
    backup = temporary.with_name(f"{temporary.name}.old")
    try:
        os.link(target, backup)
    except OSError:
        return None
    return backup


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer interruptions until the end of a block that must not be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    # blocking the signals would let other threads handle them
    before = {
        number: signal.signal(number, lambda received, _: caught.append(received))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if caught:
        signal.raise_signal(caught[0])


def check_writable(path: os.PathLike[str] | str) -> Path:
    """Check in advance that a file can be written.

    Parameters
    ----------
    path : path_like
        File to write. A symbolic link stands for the file it points to.

    Returns
    -------
    Path
        The file itself, with symbolic links resolved.

    Raises
    ------
    OutputError
        If the path is a directory, or its directory is missing or not writable.
    """
    if not os.fspath(path):
        raise OutputError("''", "the file name is empty")
    try:
        target = Path(path)
        if not is_special(target):
            target = Path(os.path.realpath(path))
            if target.is_symlink():
                raise OutputError(path, "too many levels of symbolic links")
        if os.fspath(path).endswith(os.sep):
            raise OutputError(path, "the name is that of a directory")
        if target.is_dir():
            raise OutputError(path, "it is a directory")
        if not target.parent.is_dir():
            raise OutputError(path, f"there is no directory {target.parent}")
        if target.exists() and not os.access(target, os.W_OK):
            raise OutputError(path, "permission denied")
        if not is_special(target) and not os.access(target.parent, os.W_OK | os.X_OK):
            raise OutputError(path, f"the directory {target.parent} is not writable")
    except (ValueError, OSError) as error:
        raise OutputError(repr(os.fspath(path)), str(error)) from error
    return target


def refuse_inputs(path: os.PathLike[str] | str, inputs: Iterable[object]) -> None:
    """Refuse to replace an input file.

    Parameters
    ----------
    path : path_like
        File to write.
    inputs : iterable of path_like
        Files that were read.

    Raises
    ------
    OutputError
        If `path` is one of the inputs, or cannot be written.
    """
    target = check_writable(path)
    if not is_special(target) and str(target) in {os.path.realpath(str(name)) for name in inputs}:
        raise OutputError(path, "it would replace an input file")


def is_special(target: Path) -> bool:
    """Whether a file must be written to directly, not replaced: devices, pipes, open files."""
    if not target.exists() or target.is_dir():
        return False
    return not target.is_file() or target.absolute().parts[1] in ("dev", "proc")


def _permissions(target: Path) -> int:
    """Permissions of the file that is replaced, or those of a new file."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
