"""The sub-commands: what ``cupysim NAME ...`` does beside simulating."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

EXIT_ERROR = 2
"""Exit status of sub-commands after an error."""

EXIT_INTERRUPTED = 130

COMMANDS = {
    "info": "Tell in a few lines what is in image files.",
    "show": "Show images: resolution rings, predicted spots, comparison side by side.",
}
"""Names and what they do; each is a module here with `add_arguments` and `run`."""


def run_command(words: Sequence[str]) -> int:
    """Run a sub-command.

    Parameters
    ----------
    words : sequence of str
        Its name, and its arguments.

    Returns
    -------
    int
        Exit status.
    """
    import argparse

    from cupysim.errors import CupysimError

    name, *rest = words
    module = importlib.import_module(f"cupysim.cli.commands.{name}")
    parser = argparse.ArgumentParser(
        prog=f"cupysim {name}", description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    module.add_arguments(parser)
    try:
        arguments = parser.parse_args(rest)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        return int(module.run(arguments) or 0)
    except CupysimError as error:
        print(f"cupysim {name}: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except BrokenPipeError:
        # the reader has had enough; nothing more can be told it
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
