"""Runs a sub-command that replaces a C program."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from cupysim.terminal import Report

HELP_WORDS = ("-h", "-help", "--help")


def run_drop_in(room: str, words: Sequence[str]) -> None:
    """Run a program, or print its help.

    Parameters
    ----------
    room : str
        Package of the program, with the modules options, arguments and pipeline.
    words : sequence of str
        The words after the program's name.
    """
    report = Report(sys.stdout)
    if any(word in HELP_WORDS for word in words):
        # the help is fast because it loads no other module
        report(importlib.import_module(f"cupysim.{room}.options").PROGRAM.format_help())
    else:
        parse = importlib.import_module(f"cupysim.{room}.arguments").parse
        importlib.import_module(f"cupysim.{room}.pipeline").run(parse(words), report)
    report.flush()
