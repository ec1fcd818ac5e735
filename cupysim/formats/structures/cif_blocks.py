"""Blocks of CIF files, in which mmCIF and the CIF of small molecules have the same names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.structures.symmetry import Symmetry, named, of_group, of_operators
from cupysim.formats.structures.table import LONGEST_WAVE, Cell
from cupysim.models.crystal import UnitCell
from cupysim.optional_libraries import require

OPERATORS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
HERMANN_MAUGUIN = (
    "_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m_full",
    "_space_group_name_h-m", "_symmetry_space_group_name_h-m_alt", "_space_group_name_h-m_ref",
)  # fmt: skip
NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
WAVELENGTH = (
    "_diffrn_radiation_wavelength_wavelength",
    "_diffrn_radiation_wavelength",
    "_diffrn_source_pdbx_wavelength",
)
CELL = (
    "_cell_length_a", "_cell_length_b", "_cell_length_c", "_cell_angle_alpha", "_cell_angle_beta",
    "_cell_angle_gamma",
)  # fmt: skip
UNKNOWN = ("?", ".", "")


@dataclass(frozen=True, eq=False)
class CifBlock:
    """A block of a CIF file.

    Names are in lower case, with an underscore in place of the dot of mmCIF:
    ``_cell.length_a`` and ``_cell_length_a`` are the same.

    Parameters
    ----------
    name : str
        Its name, without ``data_``.
    columns : dict
        Values of each name as texts: one, or those of a loop.
    parsed : gemmi.cif.Block
        The same as gemmi has it.
    """

    name: str
    columns: dict[str, Any]
    parsed: Any

    def texts(self, *names: str) -> list[str]:
        """Values of the first of some names which has any."""
        for name in names:
            values = [_plain(value) for value in self.columns.get(name, ())]
            if any(value not in UNKNOWN for value in values):
                return values
        return []

    def text(self, *names: str) -> str:
        """The first known value of the first of some names which has any; empty without one."""
        return next((value for value in self.texts(*names) if value not in UNKNOWN), "")

    def numbers(self, path: object, name: str) -> np.ndarray:
        """Values as numbers, NaN where they are unknown; standard uncertainties are left out.

        Raises
        ------
        FileFormatError
            If a value is not a number.
        """
        plain = (_plain(value) for value in self.columns[name])
        texts = ["nan" if value in UNKNOWN else value for value in plain]
        try:
            return np.array(texts, dtype=np.float64)
        except ValueError:
            return np.array([_number(path, name, text) for text in texts])

    def number_rows(self, path: object, names: Sequence[str]) -> np.ndarray:
        """Columns of numbers side by side, shape (rows, len(names)).

        Raises
        ------
        FileFormatError
            If a column is not there or has another length, or a value is not a number.
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
        """The unit cell, or None where it is not complete."""
        values = [self.text(name) for name in CELL]
        if not all(values[:3]):
            return None
        # an angle which is not there is a right one, by the dictionary
        a, b, c, *angles = (
            _number(path, name, value or "90") for name, value in zip(CELL, values, strict=True)
        )
        if not min(a, b, c, *angles) > 0.0:
            return None
        try:
            UnitCell.from_degrees(a, b, c, *angles)
        except ModelError as error:
            raise FileFormatError(path, str(error)) from error
        return (a, b, c, *angles)  # type: ignore[return-value]

    def symmetry(self, path: object) -> tuple[Symmetry | None, list[str]]:
        """The space group, and what must be said of it.

        Operators count before a Hall symbol, that before a Hermann-Mauguin symbol, and that
        before a number.

        Raises
        ------
        FileFormatError
            If there is something, but nothing which can be understood.
        """
        gemmi = require("gemmi", "reading CIF files")
        name = self.text(*HERMANN_MAUGUIN)
        by_name = named(name, self.cell(path))
        operators = [text for text in self.texts(*OPERATORS) if text not in UNKNOWN]
        if operators:
            symmetry = of_operators(path, operators, name)
            if by_name is None or by_name.has_operators(symmetry):
                return symmetry, []
            if by_name.has_operators(symmetry, centred=False):
                return by_name, ["its operators lack centring translations, which its name has"]
            return symmetry, [
                f"its operators count, which are those of {symmetry.name}, not of {name}"
            ]
        hall, number = self.text(*HALL), self.text(*NUMBER)
        if hall:
            try:
                operators = [op.triplet() for op in gemmi.symops_from_hall(hall)]
            except (RuntimeError, ValueError):
                operators = []
            if operators:
                return of_operators(path, operators, hall), []
        if by_name is not None:
            assumed = by_name.is_origin_assumed(name)
            remark = f"of the two origins of {name}, {by_name.name} is assumed"
            return by_name, [remark] if assumed else []
        if not name and number.isdecimal():
            found = gemmi.find_spacegroup_by_number(int(number))
            if found is not None:
                return of_group(found), [
                    f"it has a space group's number alone, {number}: {found.xhm()} is assumed"
                ]
        if name or hall or number:
            raise FileFormatError(path, f"unknown space group {name or hall or number!r}")
        return None, []


def read_blocks(path: os.PathLike[str] | str, data: bytes) -> list[CifBlock]:
    """Read the blocks of a CIF file.

    Parameters
    ----------
    path : path_like
        The file, for messages.
    data : bytes
        Its content, unpacked.

    Returns
    -------
    list of CifBlock
        In the order of the file.

    Raises
    ------
    FileFormatError
        If it is not CIF file.
    """
    gemmi = require("gemmi", "reading CIF files")
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        document = gemmi.cif.read_string(text)
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0].removeprefix("string:")
        raise FileFormatError(path, f"cannot be read as CIF: {reason}") from error
    return [_block(block) for block in document]


def _block(block: Any) -> CifBlock:
    columns: dict[str, Any] = {}
    for item in block:
        if item.pair is not None:
            tag, value = item.pair
            columns[_name(tag)] = [value]
        elif item.loop is not None:
            tags = item.loop.tags
            values = item.loop.values
            for number, tag in enumerate(tags):
                columns[_name(tag)] = values[number :: len(tags)]
    return CifBlock(block.name, columns, block)


def _name(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _plain(value: str) -> str:
    """A value without its quotes."""
    if value[:1] in ("'", '"', ";"):
        gemmi = require("gemmi", "reading CIF files")
        return str(gemmi.cif.as_string(value)).strip()
    return value


def _number(path: object, name: str, text: str) -> float:
    """A number, perhaps with its standard uncertainty in parentheses."""
    try:
        return float(text.partition("(")[0])
    except ValueError as error:
        raise FileFormatError(path, f"{name} is not a number: {text[:40]!r}") from error


def wavelengths(block: CifBlock, path: object) -> dict[str, float]:
    """Wavelengths (Angstrom) of a block by their identifiers.

    Parameters
    ----------
    block : CifBlock
        The block.
    path : path_like
        The file, for messages.
    """
    texts = block.texts(*WAVELENGTH)
    names: Sequence[str] = block.texts("_diffrn_radiation_wavelength_id")
    if len(names) != len(texts):
        names = [str(number + 1) for number in range(len(texts))]
    known = {
        name: _number(path, "wavelength", text)
        for name, text in zip(names, texts, strict=True)
        if text not in UNKNOWN
    }
    return {name: number for name, number in known.items() if 0.0 < number < LONGEST_WAVE}
