"""TOML files, with error messages that name the line."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from cupysim.errors import FileFormatError
from cupysim.storage.reading import opened

LARGEST = 1e300
"""Numbers must be smaller than this."""

CLOSE = 0.6
"""Smallest similarity of an unknown name to a known one that a message suggests."""

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=(.*)$"""
)

Path = tuple[str, ...]


class Document:
    """A TOML file and the lines of its keys.

    Parameters
    ----------
    path : path_like
        File to read, or file name for messages if `text` is given.
    text : str, optional
        Content, if it is not in a file.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or is not TOML.
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
            raise FileFormatError(path, "not a text in UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\s*\(at line (\d+), column \d+\)", str(error))
            message = str(error).replace(place[0], "") if place else str(error)
            raise FileFormatError(path, message, int(place[1]) if place else None) from error
        except (ValueError, RecursionError) as error:
            # numbers with thousands of digits, or thousands of brackets
            raise FileFormatError(path, f"cannot be read: {error}") from error
        self._lines = dict(_key_lines(self.text))

    def fail(self, place: Path, problem: str, where: Path | None = None) -> NoReturn:
        """Raise an error about a key, with the line of the key or of the table that it is in.

        Parameters
        ----------
        place : tuple of str
            Names of the key and of the tables that it is in.
        problem : str
            What is wrong.
        where : tuple of str, optional
            The same names, with the numbers of tables in arrays; by default `place`.

        Raises
        ------
        FileFormatError
            Always.
        """
        known = place if where is None else where
        while known and known not in self._lines:
            known = known[:-1]
        name = ".".join(place)
        told = f"{name}: {problem}" if name else problem
        raise FileFormatError(self.path, told, self._lines.get(known))

    def section(self, name: str) -> Section:
        """Return a table of the file; an empty one if the file does not have it."""
        return Section(self, (name,), self.data.get(name, {}))


class Layers(Document):
    """A document with a table that takes missing keys from other documents, its bases.

    An error names the first document that has the key.

    Parameters
    ----------
    own : Document
        The document.
    place : tuple of str
        Name of this table, and names of the tables that it is in, the outermost first.
    bases : sequence of Document
        The bases, whose keys are at their top level. The first document that has a key gives its
        value.
    """

    def __init__(self, own: Document, place: Path, bases: Sequence[Document]) -> None:
        self.path, self.text, self.data = own.path, own.text, own.data
        self._own, self._place, self._bases = own, place, bases

    def fail(self, place: Path, problem: str, where: Path | None = None) -> NoReturn:
        """Raise an error about a key; see `Document.fail`."""
        inner = place[len(self._place) :]
        if inner and not _has(self._own.data, place):
            told = inner if where is None else where[len(self._place) :]
            for base in self._bases:
                if _has(base.data, inner):
                    base.fail(inner, problem, told)
        self._own.fail(place, problem, where)


def _has(data: Any, place: Path) -> bool:
    """Whether a key exists. For a key in an array of tables, whether the array exists."""
    for name in place:
        if isinstance(data, list):
            return True
        if not isinstance(data, Mapping) or name not in data:
            return False
        data = data[name]
    return True


class Section:
    """A table of a TOML file. Its keys are read one by one, so that unknown ones are found.

    Parameters
    ----------
    document : Document
        File with the table.
    place : tuple of str
        Names of the table and of the tables that it is in, the outermost first.
    data : mapping
        Content of the table.
    where : tuple of str, optional
        The place with the numbers of tables in arrays; by default `place`.

    Raises
    ------
    FileFormatError
        If the content is not a table.
    """

    def __init__(
        self, document: Document, place: Path, data: Any, where: Path | None = None
    ) -> None:
        self.document = document
        self.place = place
        self.where = place if where is None else where
        if not isinstance(data, Mapping):
            self.fail("", f"expected a table, got {data!r}")
        self.data = dict(data)
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise an error about a key of the table, or about the table if the key is empty."""
        own = (key,) if key else ()
        self.document.fail((*self.place, *own), problem, (*self.where, *own))

    def take(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, of any type, and mark the key as known."""
        self._taken.add(key)
        return self.data.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text of a key; the key may be missing if there is a default."""
        value = self._required(key, default)
        if not isinstance(value, str) or not value:
            self.fail(key, f"expected a text, got {value!r}")
        return value

    def truth(self, key: str, default: bool) -> bool:
        """Return the truth value of a key."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"expected true or false, got {value!r}")
        return value

    def fewest(self, key: str) -> float | None:
        """Return the lower limit that a key gives: its number, 0 for true, None for false."""
        value = self.take(key, False)
        if isinstance(value, bool):
            return 0.0 if value else None
        if not isinstance(value, int | float) or not 0.0 <= value < LARGEST:
            self.fail(key, f"expected true, false or a number from 0, got {value!r}")
        return float(value)

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        """Return the integer of a key; it must be from `low` to `high`, both included."""
        value = self._required(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(key, f"expected an integer from {low} to {high}, got {value!r}")
        return value

    def number(
        self, key: str, default: float | None, low: float = -LARGEST, high: float = LARGEST
    ) -> float:
        """Return the number of a key; it must be from `low` to `high`, both included."""
        value = self._required(key, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            limits = f" from {low:g}" if high >= LARGEST else f" from {low:g} to {high:g}"
            self.fail(key, f"expected a number{'' if low <= -LARGEST else limits}, got {value!r}")
        return float(value)

    def sections(self, key: str) -> list[Section]:
        """Return the tables of an array of tables; an empty list if the key is missing."""
        value = self.take(key, [])
        if not isinstance(value, list):
            self.fail(key, f"expected tables [[{key}]], got {value!r}")
        return [
            Section(self.document, (*self.place, key), item, (*self.where, key, f"#{number}"))
            for number, item in enumerate(value, 1)
        ]

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """Return the word of a key; it must be one of `choices`."""
        value = self.take(key, default)
        if value not in choices:
            self.fail(key, f"expected {' or '.join(choices)}, got {value!r}")
        return str(value)

    def subsection(self, key: str) -> Section:
        """Return a table in this one; an empty one if the key is missing."""
        place, where = (*self.place, key), (*self.where, key)
        return Section(self.document, place, self.take(key, {}), where)

    def finish(self, known: tuple[str, ...] = ()) -> None:
        """Reject keys that have not been read; `known` names other keys for the hint."""
        for key in self.data:
            if key not in self._taken:
                names = sorted({*self._taken, *known})
                close = difflib.get_close_matches(key, names, n=1, cutoff=CLOSE)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
                self.fail(key, f"unknown; {hint}")

    def _required(self, key: str, default: Any) -> Any:
        value = self.take(key, default)
        if value is None:
            others = sorted(set(self.data) - self._taken)
            for close in difflib.get_close_matches(key, others, n=1, cutoff=CLOSE):
                self.fail(close, f"unknown; did you mean {key}?")
            self.fail(key, "is missing")
        return value


def _key_lines(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the places of keys and tables with their line numbers, which start at 1.

    Further lines of long values are skipped.

    Places in tables of arrays have two forms: without the number of the table, and with it.
    """
    tables: tuple[Path, ...] = ((),)
    counts: dict[Path, int] = {}
    depth, quote = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if depth == 0 and not quote:
            if header := _HEADER.match(line):
                table = _parts(header[1])
                tables = (table,)
                if line.lstrip().startswith("[["):
                    counts[table] = counts.get(table, 0) + 1
                    tables = (table, (*table, f"#{counts[table]}"))
                yield from ((each, number) for each in tables)
                continue
            key = _KEY.match(line)
            if key is None:
                continue
            parts = _parts(key[1])
            for table in tables:
                yield from ((table + parts[: n + 1], number) for n in range(len(parts)))
            line = key[2]
        depth, quote = _open_brackets(line, depth, quote)


def _parts(key: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _open_brackets(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Number of brackets that are open after a line, and the open quotation marks."""
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
