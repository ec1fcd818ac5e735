"""Measured f' and f'' of an absorption edge: text with the columns energy, f' and f''."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import numpy as np

from cupysim.errors import FileFormatError
from cupysim.formats.text_numbers import read_text

NAMES = {"f'": 1, "fp": 1, "f''": 2, "fpp": 2, 'f"': 2}
"""Names of the columns with f' and f'', in the order of `EdgeTable`."""

HEADER = re.compile(r"#\s*energy\s*/\s*(eV|keV)\s+(\S+)\s+(\S+)\s*$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """f' and f'' of some atoms as functions of the energy.

    Parameters
    ----------
    path : str
        File name, for messages.
    atoms : str
        Atoms: the symbol of an element, or a selection of gemmi such as ``//A/101/ZN``.
    energies : ndarray, shape (n,)
        Photon energies (eV), ascending.
    corrections : ndarray of complex, shape (n,)
        f' + i f'' (electrons).
    """

    path: str
    atoms: str
    energies: np.ndarray
    corrections: np.ndarray

    def at(self, energies: np.ndarray) -> np.ndarray:
        """F' + i f'' at some energies (eV), by linear interpolation.

        Raises
        ------
        FileFormatError
            If an energy is beyond the table.
        """
        low, high = self.energies[0], self.energies[-1]
        outside = (energies < low) | (energies > high)
        if outside.any():
            raise FileFormatError(
                self.path,
                f"its energies reach from {low:g} to {high:g} eV, but the beam has "
                f"{energies[outside][0]:.6g} eV",
            )
        found: np.ndarray = np.interp(energies, self.energies, self.corrections)
        return found


def read(path: os.PathLike[str] | str, atoms: str) -> EdgeTable:
    """Read a table.

    Parameters
    ----------
    path : path_like
        Text whose first line is ``# energy/eV f' f''``, or with the last two columns in the other
        order (as CHOOCH writes them). keV, fp and fpp are accepted too.
    atoms : str
        Atoms that have these values, see `EdgeTable`.

    Raises
    ------
    FileFormatError
        If it is no such table, or an energy occurs twice.
    """
    lines = read_text(path).splitlines()
    header = HEADER.match(lines[0]) if lines else None
    columns = [NAMES.get(name.lower()) for name in header.groups()[1:]] if header else []
    if header is None or sorted(str(column) for column in columns) != ["1", "2"]:
        raise FileFormatError(
            path, "the first line must name the columns, such as \"# energy/eV f' f''\"", 1
        )
    rows = []
    for number, line in enumerate(lines[1:], 2):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) != 3 or not np.isfinite(row).all():
            raise FileFormatError(path, f"{line.strip()!r} is not three numbers", number)
        rows.append(row)
    if len(rows) < 2:
        raise FileFormatError(path, "it has fewer than two energies")
    table = np.array(rows)
    table = table[np.argsort(table[:, 0], kind="stable")]
    energies = table[:, 0] * (1e3 if header[1].lower() == "kev" else 1.0)
    if not energies[0] > 0.0 or (np.diff(energies) == 0.0).any():
        raise FileFormatError(path, "energies must be positive and differ from each other")
    real, imaginary = (table[:, columns.index(name) + 1] for name in (1, 2))
    if (imaginary < 0.0).any():
        raise FileFormatError(path, "f'' is negative; are the columns in the order of the header?")
    return EdgeTable(os.fspath(path), atoms, energies, real + 1j * imaginary)
