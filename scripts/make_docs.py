"""Make pages from the tables of options: ``python scripts/make_docs.py``."""

from __future__ import annotations

import textwrap
from pathlib import Path

from cupysim.drop_ins.options import Program
from cupysim.nanobragg.manual import describe, usage, value_names
from cupysim.nanobragg.option_kinds import GROUPS, Option
from cupysim.nanobragg.options import OPTIONS
from cupysim.nanobragg.words import LEGACY_WORDS
from cupysim.noisify.options import PROGRAM as NOISIFY
from cupysim.nonbragg.options import PROGRAM as NONBRAGG

WIDTH = 120
"""Longest line of text on the page."""

INTRODUCTION = (
    "cupysim recognises options as nanoBragg does: a longer word that contains an option's name "
    "is usually taken for this option (`-wavelength` for `-wave`), and an option may begin with "
    "two dashes. If an option is given twice, the last one counts. The unit of an option follows "
    "its help text in parentheses. With `-corrected`, another unit of the same kind may be "
    "part of the name: `-distance_m 0.1`, `-pix0_vector_mm 20 -1.6 1.6`, `-phi_rad 0.1`. An option "
    "without its value, a value that is not a number, and an unknown option are errors (exit "
    "status "
    "9). The [glossary](glossary.md) explains the terms, and [conventions](conventions.md) the "
    "laboratory frames and beam centres."
)
"""First paragraph of the page."""

IGNORED = (
    "nanoBragg's documentation lists these words, but nanoBragg ignores them. cupysim also ignores "
    "them, with a warning."
)
"""Paragraph about words that have no effect."""

DOCS = Path(__file__).parent.parent / "docs"
OPTIONS_PAGE = DOCS / "options.md"
NOISIFY_PAGE = DOCS / "noisify_options.md"
NONBRAGG_PAGE = DOCS / "nonbragg_options.md"


def options_page() -> str:
    """The text of docs/options.md."""
    lines = [
        "# Options",
        "",
        "Made by `scripts/make_docs.py` from `cupysim/nanobragg/options.py`; do not edit.",
        "",
        "```",
        usage(),
        "```",
        "",
        *textwrap.wrap(INTRODUCTION, WIDTH),
    ]
    for group in GROUPS:
        options = [option for option in OPTIONS if option.group == group]
        if options:
            lines += ["", f"## {group}", "", "| option | values | meaning |", "|---|---|---|"]
            lines += [_row(option) for option in options]
    lines += [
        "",
        "## Ignored words",
        "",
        *textwrap.wrap(IGNORED, WIDTH),
        "",
        "| word | instead |",
        "|---|---|",
        *(f"| `{word}` | {remedy} |" for word, remedy in LEGACY_WORDS.items()),
    ]
    return "\n".join(lines) + "\n"


def noisify_page() -> str:
    """The text of docs/noisify_options.md."""
    return _program_page(NOISIFY)


def nonbragg_page() -> str:
    """The text of docs/nonbragg_options.md."""
    return _program_page(NONBRAGG)


def _program_page(program: Program) -> str:
    lines = [
        f"# Options of {program.name}",
        "",
        f"Made by `scripts/make_docs.py` from `cupysim/{program.name.lower()}/options.py`; "
        "do not edit.",
        "",
        "```",
        program.usage,
        "```",
        "",
        *textwrap.wrap(program.epilog, WIDTH),
    ]
    for group in program.groups:
        lines += ["", f"## {group}", "", "| option | value | meaning |", "|---|---|---|"]
        for option in (option for option in program.options if option.group == group):
            names = ", ".join(f"`{name}`" for name in option.names)
            value = option.value_name.replace("|", "\\|")
            lines.append(f"| {names} | {value} | {program.describe(option)} |")
    return "\n".join(lines) + "\n"


def _row(option: Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.spellings)
    values = value_names(option).replace("|", "\\|")
    return f"| {names} | {values} | {describe(option).replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    OPTIONS_PAGE.write_text(options_page())
    NOISIFY_PAGE.write_text(noisify_page())
    NONBRAGG_PAGE.write_text(nonbragg_page())
