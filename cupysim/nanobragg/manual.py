"""The options as an argparse parser, for the manual page.

The manual page is made before the package is installed. This file therefore imports only the
standard library, and is run by its path.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ != "cupysim.nanobragg.manual":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from cupysim.nanobragg.option_kinds import GENERAL, GROUPS, Kind, Option
from cupysim.nanobragg.options import OPTIONS


def usage() -> str:
    """Usage line: the options that are always needed."""
    return (
        "cupysim (-mat FILE | -cell A [B C [AL BE GA]]) (-hkl FILE | -pdb FILE | -default_F F) "
        "[options]"
    )


DESCRIPTION = (
    "Simulate the X-ray diffraction image of a small crystal on an absolute scale. "
    "A drop-in for nanoBragg by James Holton and Ken Frankel: the same options, defaults and files."
)

EPILOG = (
    "An option may be part of a longer word (-wavelength). With -corrected, a unit may be added "
    "(-distance_m). Most options may start with two dashes. If an option is given twice, the "
    "last one is used. Exit status: 0, or 9 after an error. Other commands, each with --help: "
    "'cupysim show' shows images, 'cupysim info' describes them; 'cupysim trace' prints the "
    "computation of pixels; 'cupysim compare' compares two images or two traces; 'cupysim "
    "refine' fits an experiment to an image; 'cupysim campaign' makes data sets of many images; "
    "'cupysim convert' writes structure factors of any file as a list; 'cupysim noisify' adds "
    "the noise of a detector; 'cupysim orient' makes and reads orientation matrices; 'cupysim "
    "parity' compares with another program; 'cupysim rerun' compares with an earlier run."
)


def value_names(option: Option) -> str:
    """Names of an option's values in the help."""
    if option.metavar:
        return option.metavar
    if option.count == 0:
        return ""
    if option.kind is Kind.PATH:
        return "FILE"
    return (option.unit.name or ("N" if option.kind is not Kind.FLOAT else "X")).upper()


def describe(option: Option) -> str:
    """Make the help text of an option, with unit and default."""
    notes = []
    if option.unit.name:
        notes.append(option.unit.name)
    if option.default and option.count:
        notes.append(f"default {option.default}")
    if option.is_new:
        notes.append("not in nanoBragg")
    return option.help + (f" ({'; '.join(notes)})" if notes else "")


def build_parser() -> argparse.ArgumentParser:
    """Make the argparse parser for the manual page."""
    parser = argparse.ArgumentParser(
        prog="cupysim", usage=usage(), description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
        add_help=False,
    )  # fmt: skip
    for group in GROUPS:
        section = parser.add_argument_group(group)
        if group == GENERAL:
            section.add_argument(
                "-h", "-help", "--help", action="store_true", help="Show the help."
            )
            section.add_argument(
                "-version", "--version", action="store_true", help="Show the version."
            )
        for option in (option for option in OPTIONS if option.group == group):
            text = describe(option).replace("%", "%%")
            if option.count == 0:
                section.add_argument(*option.spellings, action="store_true", help=text)
            else:
                section.add_argument(*option.spellings, metavar=value_names(option), help=text)
    return parser
