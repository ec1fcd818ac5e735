"""Lines about named responses: a table of all, or the figures of one with their sources."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from cupysim.detection.response_file import figure_sources, figures, response_names

LINE = 100
"""Longest line of a note or of a source (characters)."""


def response_table() -> Iterator[str]:
    """Lines of a table of all named responses.

    Yields
    ------
    str
        Line: name, kind and title.
    """
    rows = [("name", "kind", "detector")]
    for name in response_names():
        known = figures(name)
        rows.append((name, str(known["kind"]), str(known.get("title", ""))))
    widths = [max(len(words[column]) for words in rows) for column in range(2)]
    for words in rows:
        yield f"{words[0]:{widths[0]}}  {words[1]:{widths[1]}}  {words[2]}"


def describe_response(name: str) -> Iterator[str]:
    """Lines with all figures of a named response, and the source of each.

    Parameters
    ----------
    name : str
        Name of the response.

    Yields
    ------
    str
        Line.
    """
    known, sources = figures(name), figure_sources(name)
    yield str(known.get("title", name))
    if "note" in known:
        yield from textwrap.wrap(str(known["note"]), LINE)
    yield ""
    for key, value in known.items():
        if key in ("title", "note"):
            continue
        if isinstance(value, list):
            for gain in value:
                yield f"gain {gain.get('name', 'only')}: {_pairs(gain, ('name',))}"
        elif isinstance(value, Mapping):
            yield f"{key}: {_pairs(value)}"
        else:
            yield f"{key} = {value}"
    yield ""
    yield "sources:"
    for key, source in sources.items():
        yield from textwrap.wrap(f"  {key}: {source}", LINE, subsequent_indent="    ")


def _pairs(table: Mapping[str, Any], without: tuple[str, ...] = ()) -> str:
    return ", ".join(f"{key} {value}" for key, value in table.items() if key not in without)
