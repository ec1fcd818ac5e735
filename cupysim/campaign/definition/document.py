"""TOML files whose mistakes are told with their line."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from cupysim.errors import FileFormatError
from cupysim.storage.reading import opened

LARGEST = 1e300
"""Numbers are smaller."""

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=(.*)$"""
)

Path = tuple[str, ...]


class Document:
    """A TOML file, and where its keys stand.

    Parameters
    ----------
    path : path_like
        The file.
    text : str, optional
        Its content, where it is not in a file.

    Raises
    ------
    FileFormatError
        If it cannot be read, or is no TOML.
    """

    def __init__(self, path: os.PathLike[str] | str, text: str | None = None) -> None:
        self.path = os.fspath(path)
        if text is None:
            with opened(path) as stream:
                content = stream.read()
        else:
            content = text.encode()
        try:
            self.text = content.decode()
            self.data: dict[str, Any] = tomllib.loads(self.text)
        except UnicodeDecodeError as error:
            raise FileFormatError(path, "no text in UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\s*\(at line (\d+), column \d+\)", str(error))
            message = str(error).replace(place[0], "") if place else str(error)
            raise FileFormatError(path, message, int(place[1]) if place else None) from error
        except (ValueError, RecursionError) as error:
            # numbers of thousands of digits, thousands of brackets
            raise FileFormatError(path, f"cannot be read: {error}") from error
        self._lines = dict(_key_lines(self.text))

    def fail(self, place: Path, problem: str) -> NoReturn:
        """Raise what is wrong with a key, with the line of it or of what it is in."""
        known = place
        while known and known not in self._lines:
            known = known[:-1]
        name = ".".join(place)
        told = f"{name}: {problem}" if name else problem
        raise FileFormatError(self.path, told, self._lines.get(known))

    def section(self, name: str) -> Section:
        """A table of the file; an empty one where there is none."""
        return Section(self, (name,), self.data.get(name, {}))


class Section:
    """A table of which keys are taken one by one, so that unknown ones are found.

    Parameters
    ----------
    document : Document
        The file.
    place : tuple of str
        Where the table is in it.
    data : mapping
        The table.

    Raises
    ------
    FileFormatError
        If it is not a table.
    """

    def __init__(self, document: Document, place: Path, data: Any) -> None:
        self.document = document
        self.place = place
        if not isinstance(data, Mapping):
            self.fail("", f"expected a table, got {data!r}")
        self.data = dict(data)
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise what is wrong with one of its keys."""
        self.document.fail((*self.place, key) if key else self.place, problem)

    def take(self, key: str, default: Any = None) -> Any:
        """Whatever a key holds."""
        self._taken.add(key)
        return self.data.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """A text which a key must hold, unless there is a default."""
        value = self._required(key, default)
        if not isinstance(value, str) or not value:
            self.fail(key, f"expected a text, got {value!r}")
        return value

    def truth(self, key: str, default: bool) -> bool:
        """Whether a key is true."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"expected true or false, got {value!r}")
        return value

    def fewest(self, key: str) -> float | None:
        """A number from which on something counts: 0 for true, None for false."""
        value = self.take(key, False)
        if isinstance(value, bool):
            return 0.0 if value else None
        if not isinstance(value, int | float) or not 0.0 <= value < LARGEST:
            self.fail(key, f"expected true, false or a number from 0 on, got {value!r}")
        return float(value)

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        """A whole number between two others, both included."""
        value = self._required(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(key, f"expected a whole number from {low} to {high}, got {value!r}")
        return value

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """One of some words."""
        value = self.take(key, default)
        if value not in choices:
            self.fail(key, f"expected {' or '.join(choices)}, got {value!r}")
        return str(value)

    def subsection(self, key: str) -> Section:
        """A table in this one."""
        return Section(self.document, (*self.place, key), self.take(key, {}))

    def finish(self, known: tuple[str, ...] = ()) -> None:
        """Refuse keys which nobody took."""
        for key in self.data:
            if key not in self._taken:
                names = sorted({*self._taken, *known})
                close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
                self.fail(key, f"unknown; {hint}")

    def _required(self, key: str, default: Any) -> Any:
        value = self.take(key, default)
        if value is None:
            self.fail(key, "is missing")
        return value


def _key_lines(text: str) -> Iterator[tuple[Path, int]]:
    """Places of keys and tables, and their lines from 1; what lines of a value hold is left out."""
    table: Path = ()
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if depth == 0 and not quote:
            if header := _HEADER.match(line):
                table = _parts(header[1])
                yield table, number
                continue
            key = _KEY.match(line)
            if key is None:
                continue
            parts = _parts(key[1])
            yield from ((table + parts[: n + 1], number) for n in range(len(parts)))
            line = key[2]
        depth, quote = _open_brackets(line, depth, quote)


def _parts(key: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _open_brackets(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How many brackets are open after a line, and which quotation marks."""
    place = 0
    while place < len(line):
        if quote:
            if quote[0] == '"' and line[place] == "\\":
                place += 1
            elif line.startswith(quote, place):
                place += len(quote) - 1
                quote = ""
        elif line[place] == "#":
            break
        elif line[place] in "\"'":
            mark = line[place]
            quote = 3 * mark if line.startswith(3 * mark, place) else mark
            place += len(quote) - 1
        elif line[place] in "[{":
            depth += 1
        elif line[place] in "]}":
            depth -= 1
        place += 1
    return depth, quote if len(quote) == 3 else ""
