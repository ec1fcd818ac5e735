"""Tables in the text of imgCIF files, read with gemmi."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.optional_libraries import require

NEEDED = ("_axis.vector[1]", "_array_structure_list_axis.displacement_increment")
"""Items that a file needs to place its detector."""

Row = Mapping[str, str]


class ImgcifTables:
    """Categories of the data block that has the axes.

    Parameters
    ----------
    path : path_like
        File name, for messages.
    text : str
        Text of the file.

    Raises
    ------
    FileFormatError
        If it is not CIF.
    CupysimError
        If gemmi is not installed.
    """

    def __init__(self, path: object, text: str) -> None:
        self.path = path
        self.cif = require("gemmi", "reading the geometry of imgCIF files").cif
        try:
            document = self.cif.read_string(text)
            blocks = [block for block in document if block.find_values(NEEDED[0])]
        except (RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or ["a syntax error"])[0]
            raise FileFormatError(path, f"its text is not CIF: {reason}") from error
        if len(blocks) != 1:
            raise FileFormatError(path, f"{len(blocks)} data blocks have axes; one is expected")
        self.block = blocks[0]

    def rows(self, category: str) -> list[Row]:
        """Rows of a category, without values that are unknown or do not apply.

        Raises
        ------
        FileFormatError
            If its loop is mixed with that of another category.
        """
        try:
            table = self.block.find_mmcif_category(f"_{category}.")
        except RuntimeError as error:
            reason = (str(error).splitlines() or ["damaged"])[0]
            raise FileFormatError(self.path, f"table {category}: {reason[:100]}") from error
        names = [tag.split(".", 1)[1].lower() for tag in table.tags]
        return [
            {
                name: self.cif.as_string(value)
                for name, value in zip(names, row, strict=True)
                if not self.cif.is_null(value)
            }
            for row in table
        ]

    def number(self, row: Row, name: str, default: float | None = None) -> float:
        """A number of a row.

        Raises
        ------
        FileFormatError
            If the item is missing without a default, or is not a number.
        """
        if name not in row:
            if default is None:
                raise FileFormatError(self.path, f"a row of its imgCIF tables has no {name}")
            return default
        value = float(self.cif.as_number(row[name]))
        if not np.isfinite(value):
            raise FileFormatError(self.path, f"{name} {row[name][:40]!a} is not a number")
        return value


def is_full(text: str) -> bool:
    """Whether the text of a file places the detector by axes."""
    lower = text.lower()
    return all(name in lower for name in NEEDED)
