"""Render the scattering of amorphous matter, as nonBragg does."""

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
        The words after "nonbragg".
    """
    report = Report(sys.stdout)
    if any(word in HELP_WORDS for word in words):
        from cupysim.nonbragg.options import PROGRAM

        report(PROGRAM.format_help())
    else:
        from cupysim.nonbragg.arguments import parse
        from cupysim.nonbragg.pipeline import run

        run(parse(words), report)
    report.flush()
