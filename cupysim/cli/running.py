"""Runs a sub-command: reads its words, and turns errors into an exit status."""

from __future__ import annotations

import importlib
import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

from cupysim.terminal import printable, say, show_warning

EXIT_ERROR = 2
"""Exit status of sub-commands after an error."""

EXIT_ERROR_OF_DROP_INS = 9
"""Exit status after an error in a sub-command that replaces a C program, as in that program."""

EXIT_INTERRUPTED = 130
"""Exit status after an interrupt from the keyboard, as shells have it: 128 + 2."""

T = TypeVar("T")

NEGATIVE_NUMBER = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
"""Negative numbers, which are not options; argparse alone does not recognise exponents."""


class _Parser(ArgumentParser):
    """Parser that reports an error in one line, and accepts only plain numbers (`_plain`)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for kind in (int, float):
            self.register("type", kind, partial(_plain, kind))

    def error(self, message: str) -> NoReturn:
        say(f"{self.prog}: error: {printable(message)}; {self.prog} --help lists the arguments\n")
        self.exit(EXIT_ERROR)


def _plain(kind: Callable[[str], T], text: str) -> T:
    """Convert a text to a number; unlike Python, accept no underscores and only ASCII digits."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return kind(text)


def run_command(words: Sequence[str]) -> int:
    """Run a sub-command.

    Parameters
    ----------
    words : sequence of str
        Name of the sub-command, and its arguments.

    Returns
    -------
    int
        Exit status.
    """
    name, *rest = words
    module = importlib.import_module(f"cupysim.cli.commands.{name}")
    if getattr(module, "TAKES_WORDS", False):
        # a drop-in for another program, with its own rules and exit status
        return _guarded(partial(module.run_words, rest), "cupysim", EXIT_ERROR_OF_DROP_INS)
    parser = _Parser(
        prog=f"cupysim {name}", description=module.__doc__,
        formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False, add_help=False,
    )  # fmt: skip
    parser.add_argument("--help", action="help", help="show this help")
    module.add_arguments(parser)
    parser._negative_number_matcher = NEGATIVE_NUMBER
    rest = ["--help" if word == "-h" else word for word in rest]
    if not getattr(module, "TAKES_OPTIONS", False):
        rest = [_with_two_dashes(parser, word) for word in rest]
    try:
        if getattr(module, "TAKES_OPTIONS", False):
            # options of the drop-in command, with its own rules
            arguments, words = parser.parse_known_args(rest)
            arguments.words = words
        else:
            arguments = parser.parse_args(rest)
    except SystemExit as end:
        return int(end.code or 0)
    return _guarded(partial(module.run, arguments), f"cupysim {name}", EXIT_ERROR)


def _guarded(run: Callable[[], int | None], program: str, error_status: int) -> int:
    """Run a command, and turn its errors into one line and an exit status."""
    import warnings

    from cupysim.errors import CupysimError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.showwarning = show_warning  # type: ignore[assignment]
            return int(run() or 0)
    except CupysimError as error:
        say(f"{program}: error: {printable(str(error))}\n")
    except MemoryError:
        say(f"{program}: error: out of memory\n")
    except BrokenPipeError:
        # the reader has closed the pipe, so nothing more can be written
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return error_status


def _with_two_dashes(parser: ArgumentParser, word: str) -> str:
    """Add a second dash to an option with one dash, as in the main command."""
    known = {name for action in parser._actions for name in action.option_strings}
    return f"-{word}" if f"-{word}" in known else word
