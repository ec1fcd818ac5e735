"""Blocks of CIF files, with the same item names for mmCIF and for CIF of small molecules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.structures.cif_cell import angles_of_group, other_volume
from cupysim.formats.structures.table import Cell
from cupysim.formats.structures.told_symmetry import ToldSymmetry, Words, symmetry_of
from cupysim.formats.text_numbers import plain_number
from cupysim.models.unit_cell import UnitCell
from cupysim.optional_libraries import require

OPERATORS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
HEXAGONAL = ":H"
"""End of the name of a rhombohedral group with hexagonal axes, which fix all angles."""

HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
HERMANN_MAUGUIN = (
    "_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m_full",
    "_space_group_name_h-m", "_symmetry_space_group_name_h-m_alt",
)  # fmt: skip
REFERENCE = "_space_group_name_h-m_ref"
"""Item with the group's name in its usual setting. The file may use another setting."""

OTHER_SYMMETRY = {
    "_space_group_symop_ssg": "superspace",
    "_space_group_ssg": "superspace",
    "_space_group_symop_magn": "magnetic",
    "_space_group_magn": "magnetic",
}
"""Prefixes of items with a symmetry that is not a space group, and its name."""

NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
CELL = (
    "_cell_length_a", "_cell_length_b", "_cell_length_c", "_cell_angle_alpha", "_cell_angle_beta",
    "_cell_angle_gamma",
)  # fmt: skip
VOLUME = "_cell_volume"
CIF_2 = r"#\#CIF_2"
"""First words of CIF 2.0 files."""

NO_CIF_2 = "a CIF 2.0 file with lists, tables or triple quotes; save it as CIF 1.1"
UNKNOWN = ("?", ".", "")


@dataclass(frozen=True, eq=False)
class CifBlock:
    """A block of a CIF file.

    Names are in lower case, with an underscore in place of the dot of mmCIF:
    ``_cell.length_a`` and ``_cell_length_a`` are the same.

    Parameters
    ----------
    name : str
        Name of the block, without ``data_``.
    columns : dict
        Values of each item as texts: a single one, or those of a loop.
    parsed : gemmi.cif.Block
        The same block in gemmi's form.
    doubled : set of str
        Items that the file has with a dot and without, with different values.
    """

    name: str
    columns: dict[str, Any]
    parsed: Any
    doubled: AbstractSet[str] = frozenset()

    def texts(self, *names: str) -> list[str]:
        """Values of the first of the given items that has any; empty without one."""
        for name in names:
            values = [_plain(value) for value in self.columns.get(name, ())]
            if any(value not in UNKNOWN for value in values):
                return values
        return []

    def text(self, *names: str) -> str:
        """First known value of the first of the given items that has any; empty without one."""
        return next((value for value in self.texts(*names) if value not in UNKNOWN), "")

    def numbers(self, path: object, name: str) -> np.ndarray:
        """Values of an item as numbers, without standard uncertainties; NaN if unknown.

        Raises
        ------
        FileFormatError
            If a value is not a number.
        """
        self._demand_one(path, name)
        plain = (_plain(value) for value in self.columns[name])
        texts = ["nan" if value in UNKNOWN else value for value in plain]
        together = "".join(texts)
        if together.isascii() and "_" not in together:
            try:
                return np.array(texts, dtype=np.float64)
            except ValueError:
                pass  # the slow way finds the wrong value
        return np.array([cif_number(path, name, text) for text in texts])

    def number_rows(self, path: object, names: Sequence[str]) -> np.ndarray:
        """Columns of numbers side by side, shape (rows, len(names)).

        Raises
        ------
        FileFormatError
            If a column is missing or has another length, or a value is not a number.
        """
        for name in names:
            if name not in self.columns:
                raise FileFormatError(path, f"it has {names[0]}, but no {name}")
            if len(self.columns[name]) != len(self.columns[names[0]]):
                raise FileFormatError(
                    path, f"{names[0]} and {name} have different numbers of values"
                )
        return np.stack([self.numbers(path, name) for name in names], axis=1)

    def cell(self, path: object) -> Cell | None:
        """The unit cell, or None if it is not complete.

        Raises
        ------
        FileFormatError
            If a value is not a number or impossible, there are several values, or an angle is
            unknown that the space group does not fix.
        """
        self._demand_one(path, *CELL)
        values = [self.text(name) for name in CELL]
        for name in CELL:
            others = {cif_number(path, name, text) for text in self.texts(name)
                      if text not in UNKNOWN}  # fmt: skip
            if len(others) > 1:
                raise FileFormatError(
                    path, f"block {self.name}: {name} has {len(others)} different values"
                )
        if not all(values[:3]):
            return None
        fixed = self._angles_of_group(path, values)
        values = [value or each for value, each in zip(values, ("", "", "", *fixed), strict=True)]
        # by the dictionary, a missing angle is a right angle
        a, b, c, *angles = (
            cif_number(path, name, value or "90") for name, value in zip(CELL, values, strict=True)
        )
        if not min(a, b, c, *angles) > 0.0:
            return None
        try:
            UnitCell.from_degrees(a, b, c, *angles)
        except ModelError as error:
            raise FileFormatError(path, str(error)) from error
        return (a, b, c, *angles)  # type: ignore[return-value]

    def doubts_of_cell(self, path: object) -> list[str]:
        """Warnings about a volume that is not that of the cell, and about missing angles."""
        try:
            told = cif_number(path, VOLUME, self.text(VOLUME)) if self.text(VOLUME) else None
        except FileFormatError:
            told = None
        cell = self.cell(path)
        return [*other_volume(cell, told), *self._assumed_angles(path, cell)]

    def _assumed_angles(self, path: object, cell: Cell | None) -> Iterator[str]:
        """Warning about angles that are missing, and that the space group does not fix."""
        lacking = [name for name in CELL[3:] if not self.text(name)]
        if cell is None or not lacking:
            return
        symmetry = symmetry_of(path, self._words(path), None).symmetry
        if symmetry is None or symmetry.name.endswith(HEXAGONAL):
            return
        fixed = dict(zip(CELL[3:], angles_of_group(symmetry), strict=True))
        free = [name for name in lacking if fixed[name] is None]
        if free:
            yield (
                f"{', '.join(free)} are missing: 90 degrees are taken, as the CIF dictionaries "
                f"say, but its space group {symmetry.name} allows others"
            )

    def _angles_of_group(self, path: object, values: Sequence[str]) -> list[str]:
        """Angles that the file calls unknown, but the space group fixes; otherwise empty texts."""
        unknown = [
            not value and "?" in self.columns.get(name, ())
            for name, value in zip(CELL[3:], values[3:], strict=True)
        ]
        if not any(unknown):
            return ["", "", ""]
        symmetry = symmetry_of(path, self._words(path), None).symmetry
        fixed = [None, None, None] if symmetry is None else angles_of_group(symmetry)
        for name, is_unknown, angle in zip(CELL[3:], unknown, fixed, strict=True):
            if is_unknown and angle is None:
                raise FileFormatError(
                    path, f"block {self.name}: {name} is unknown (?), and its space group does not "
                    "fix this angle: write it into the file"
                )  # fmt: skip
        return [
            f"{angle:g}" if is_unknown else ""
            for is_unknown, angle in zip(unknown, fixed, strict=True)
        ]

    def symmetry(self, path: object) -> ToldSymmetry:
        """The space group, with assumptions and contradictions.

        Raises
        ------
        FileFormatError
            If the file names different groups, or only groups that cupysim does not know.
        """
        words = self._words(path)
        if not (words.operators or words.hall or words.names or words.numbers):
            for item, kind in OTHER_SYMMETRY.items():
                if any(name.startswith(item) for name in self.columns):
                    raise FileFormatError(
                        path, f"block {self.name}: {kind} symmetry ({item}...) is not supported"
                    )
        return symmetry_of(path, words, self.cell(path))

    def _words(self, path: object) -> Words:
        """All statements about the space group."""
        self._demand_one(path, *OPERATORS, *HALL, *HERMANN_MAUGUIN, REFERENCE, *NUMBER)
        lists = [[text for text in self.texts(name) if text not in UNKNOWN] for name in OPERATORS]
        operators = [(name, each) for name, each in zip(OPERATORS, lists, strict=True) if each]
        if len(operators) == 1:
            operators = [("operators", operators[0][1])]
        words = Words(
            operators=operators,
            hall=self._known(HALL),
            names=self._known(HERMANN_MAUGUIN),
            types=self._known((REFERENCE,)),
            numbers=self._known(NUMBER),
        )
        return words if words.names else replace(words, names=words.types)

    def _demand_one(self, path: object, *names: str) -> None:
        """Reject items that the file has twice, with different values."""
        for name in names:
            if name in self.doubled:
                raise FileFormatError(
                    path, f"block {self.name}: it has two different values of {name} (with a dot, "
                    "and without)"
                )  # fmt: skip

    def _known(self, names: Sequence[str]) -> list[str]:
        """First known value of each of the given items, without repetitions."""
        return list(dict.fromkeys(text for name in names if (text := self.text(name))))


def read_blocks(path: os.PathLike[str] | str, data: bytes) -> list[CifBlock]:
    """Read the blocks of a CIF file.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    data : bytes
        Content of the file, unpacked.

    Returns
    -------
    list of CifBlock
        The blocks, in the order of the file.

    Raises
    ------
    FileFormatError
        If it is not a CIF file.
    """
    gemmi = require("gemmi", "reading CIF files")
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    # for gemmi, only a line feed ends a comment
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        document = gemmi.cif.read_string(text)
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0].removeprefix("string:")
        if text.startswith(CIF_2):
            raise FileFormatError(path, NO_CIF_2) from error
        raise FileFormatError(path, f"cannot be read as CIF: {reason}") from error
    if text.startswith(CIF_2) and any(map(_is_of_cif_2, _values(document))):
        raise FileFormatError(path, NO_CIF_2)
    return [_block(block) for block in document]


def _values(document: Any) -> Iterator[str]:
    """All values of a CIF file, as they are written."""
    for block in document:
        for item in block:
            if item.pair is not None:
                yield item.pair[1]
            elif item.loop is not None:
                yield from item.loop.values


def _is_of_cif_2(value: str) -> bool:
    """Whether a value means something else in CIF 1.1: a list, a table, or triple quotes."""
    return value.startswith(("[", "{", '"""', "'''"))


def _block(block: Any) -> CifBlock:
    columns: dict[str, Any] = {}
    doubled = set()
    for item in block:
        found: dict[str, Any] = {}
        if item.pair is not None:
            tag, value = item.pair
            found[_name(tag)] = [value]
        elif item.loop is not None:
            tags = item.loop.tags
            values = item.loop.values
            for number, tag in enumerate(tags):
                found[_name(tag)] = values[number :: len(tags)]
        doubled |= {
            name for name in found if list(columns.get(name, found[name])) != list(found[name])
        }
        columns.update(found)
    return CifBlock(block.name, columns, block, frozenset(doubled))


def _name(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _plain(value: str) -> str:
    """A value without its quotes."""
    if value[:1] in ("'", '"', ";"):
        gemmi = require("gemmi", "reading CIF files")
        return str(gemmi.cif.as_string(value)).strip()
    return value


def cif_number(path: object, name: str, text: str) -> float:
    """A number, perhaps with its standard uncertainty in parentheses.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    name : str
        Name of the item, for messages.
    text : str
        Text of the value.

    Raises
    ------
    FileFormatError
        If it is not a number.
    """
    number, bracket, uncertainty = text.partition("(")
    try:
        if bracket and not uncertainty.endswith(")"):
            raise ValueError
        return plain_number(number)
    except ValueError as error:
        raise FileFormatError(path, f"{name} is not a number: {text[:40]!r}") from error
