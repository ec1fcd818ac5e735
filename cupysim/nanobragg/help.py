"""Help text of the drop-in command: options by group, with units and defaults."""

from __future__ import annotations

import textwrap

from cupysim.nanobragg.manual import DESCRIPTION, EPILOG, describe, usage, value_names
from cupysim.nanobragg.option_kinds import GENERAL, GROUPS
from cupysim.nanobragg.options import OPTIONS


def format_help(width: int = 100) -> str:
    """Make the help text: options by group, with units and defaults."""
    lines = [f"usage: {usage()}", "", *textwrap.wrap(DESCRIPTION, width)]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        if group == GENERAL:
            lines += [
                "  -h, -help, --help      Show this help.",
                "  -version, --version    Show the version.",
            ]
        for option in (option for option in OPTIONS if option.group == group):
            head = f"  {', '.join(option.names)} {value_names(option)}".rstrip()
            text = textwrap.wrap(describe(option), width - 25)
            if len(head) > 23:
                lines.append(head)
                head = ""
            lines += [f"{head:25}{text[0]}", *(" " * 25 + line for line in text[1:])]
    return "\n".join([*lines, "", *textwrap.wrap(EPILOG, width)])
