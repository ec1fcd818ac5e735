"""Output to standard output and standard error, which may be closed or full."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from cupysim.errors import CupysimError


class Report:
    """Writes lines to standard output.

    If the reader closes the pipe, as ``head`` does, the report ends but the run continues.

    Parameters
    ----------
    stream : text stream or None
        Stream to write to. None, as for a closed standard output, writes nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __call__(self, line: str) -> None:
        """Write a line."""
        self._guarded(line + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self._guarded("", flush=True)

    def _guarded(self, text: str, flush: bool = False) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            if flush:
                self._stream.flush()
        except BrokenPipeError:
            self._give_up()
        except OSError as error:
            self._give_up()
            raise CupysimError(f"cannot write to standard output: {error.strerror}") from error

    def _give_up(self) -> None:
        """Stop writing; the interpreter's flush at its end must not fail either."""
        self._stream = None
        with contextlib.suppress(OSError, AttributeError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(line: str) -> None:
    """Write a line to standard output at once, and ignore a closed pipe.

    Parameters
    ----------
    line : str
        Line to write, without its line end.

    Raises
    ------
    CupysimError
        If the line cannot be written for another reason.
    """
    report = Report(sys.stdout)
    report(line)
    report.flush()


def printable(text: str) -> str:
    """Escape line ends and control characters of a text."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def say(text: str) -> None:
    """Write to standard error, and ignore errors: they must not stop a run.

    Parameters
    ----------
    text : str
        Text to write, with its line end.
    """
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def show_warning(message: Warning | str, *_: object) -> None:
    """Write a warning as one line to standard error; this replaces `warnings.showwarning`."""
    say(f"cupysim: warning: {message}\n")
