"""Add noise to an image of expected photons, as noisify does."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cupysim.terminal import Report

TAKES_WORDS = True

HELP_WORDS = ("-h", "-help", "--help")


def run_words(words: Sequence[str]) -> None:
    """Run the command.

    Parameters
    ----------
    words : sequence of str
        The words after "noisify".
    """
    report = Report(sys.stdout)
    if any(word in HELP_WORDS for word in words):
        from cupysim.noisify.options import PROGRAM

        report(PROGRAM.format_help())
    else:
        from cupysim.noisify.arguments import parse
        from cupysim.noisify.pipeline import run

        run(parse(words), report)
    report.flush()
