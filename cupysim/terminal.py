"""Standard output and standard error, which may be closed or full."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from cupysim.errors import CupysimError


class Report:
    """Writes lines to standard output.

    A reader which goes away, as ``head`` does, ends the report but not the
    run.

    Parameters
    ----------
    stream : text stream or None
        Where to; None, as for a closed standard output, for nowhere.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __call__(self, line: str) -> None:
        """Write a line."""
        self._guarded(line + "\n")

    def flush(self) -> None:
        """Show what was written."""
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
        """Write no more; the interpreter's own flush at its end must not fail either."""
        self._stream = None
        with contextlib.suppress(OSError, AttributeError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(line: str) -> None:
    """Write a line to standard output at once; a reader which has gone away is no matter.

    Parameters
    ----------
    line : str
        Without its end.

    Raises
    ------
    CupysimError
        If it cannot be written.
    """
    report = Report(sys.stdout)
    report(line)
    report.flush()


def printable(text: str) -> str:
    """A text in which line ends and control characters are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def say(text: str) -> None:
    """Write to standard error; a run never fails because nobody can read it.

    Parameters
    ----------
    text : str
        What to write, with its line end.
    """
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def show_warning(message: Warning | str, *_: object) -> None:
    """A warning as one line on standard error, in the place of `warnings.showwarning`."""
    say(f"cupysim: warning: {message}\n")
