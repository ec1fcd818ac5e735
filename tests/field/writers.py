"""Reflection files which tests make. What they must give is a formula of the indices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import gemmi
import numpy as np

from cupysim.formats.structures.structure import Structure

CELL = (30.0, 40.0, 50.0, 90.0, 90.0, 90.0)
GROUP = "P 21 21 21"
ROTATIONS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
"""Signs of equivalent indices in this group."""


def plus_of(hkl: np.ndarray) -> np.ndarray:
    """F(h k l): numbers which equivalents share, and which float32 holds."""
    h, k, l = np.abs(np.asarray(hkl)).T
    return 100.0 + 37.0 * h + 11.0 * k + 3.0 * l


def minus_of(hkl: np.ndarray) -> np.ndarray:
    """F(-h -k -l), which is another one unless the reflection is centric."""
    hkl = np.asarray(hkl)
    return plus_of(hkl) + np.where((hkl == 0).any(axis=1), 0.0, 16.0)


def asymmetric_unit(dmin: float = 8.0) -> np.ndarray:
    """Miller indices, shape (n, 3)."""
    found = gemmi.make_miller_array(gemmi.UnitCell(*CELL), gemmi.SpaceGroup(GROUP), dmin)
    return np.asarray(found, dtype=np.int64)


def write_mtz(
    path: Path,
    hkl: np.ndarray,
    columns: Sequence[tuple[str, str, np.ndarray]],
    before: Iterable[tuple[str, str, np.ndarray]] = (),
) -> gemmi.Mtz:
    """An MTZ file whose columns are those of `before`, the indices, and the others."""
    mtz = gemmi.Mtz()
    mtz.spacegroup = gemmi.SpaceGroup(GROUP)
    mtz.set_cell_for_all(gemmi.UnitCell(*CELL))
    mtz.add_dataset("data").wavelength = 1.25
    named = [*before, *zip("HKL", "HHH", np.asarray(hkl).T, strict=True), *columns]
    for label, kind, _ in named:
        mtz.add_column(label, kind)
    mtz.set_data(np.column_stack([values for _, _, values in named]).astype(np.float32))
    mtz.write_to_file(str(path))
    return mtz


def write_cif(path: Path, blocks: Mapping[str, str]) -> Path:
    """A CIF file of blocks."""
    path.write_text("".join(f"data_{name}\n{text}\n" for name, text in blocks.items()))
    return path


def loop(tags: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A loop of CIF."""
    lines = [" ".join(str(value) for value in row) for row in rows]
    return "\n".join(["loop_", *tags, *lines, ""])


def cif_cell(style: str = "_cell.length_") -> str:
    """Items of the cell, of mmCIF or of small molecules."""
    other = style.replace("length", "angle")
    edges = "".join(f"{style}{name} {value}(2)\n" for name, value in zip("abc", CELL, strict=False))
    return edges + "".join(f"{other}{name} 90\n" for name in ("alpha", "beta", "gamma"))


def amplitudes(structure: Structure, hkl: np.ndarray) -> np.ndarray:
    """Amplitudes of a table; its default outside."""
    factors = structure.factors
    assert factors.table is not None
    places = np.asarray(hkl) - np.array(factors.first)
    inside = ((places >= 0) & (places < factors.table.shape)).all(axis=1)
    found = np.full(len(places), factors.default)
    found[inside] = factors.table[tuple(places[inside].T)]
    return found


def check(
    structure: Structure, hkl: np.ndarray, plus: np.ndarray, minus: np.ndarray | None = None,
    rtol: float = 1e-6,
) -> None:  # fmt: skip
    """All equivalents have F(+), their mates F(-), and nothing else has an amplitude."""
    minus = plus if minus is None else minus
    known = set()
    for signs in ROTATIONS:
        np.testing.assert_allclose(amplitudes(structure, signs * hkl), plus, rtol=rtol)
        np.testing.assert_allclose(amplitudes(structure, -signs * hkl), minus, rtol=rtol)
        known |= {tuple(index) for index in (signs * hkl).tolist()}
        known |= {tuple(index) for index in (-signs * hkl).tolist()}
    assert structure.factors.table is not None
    assert np.count_nonzero(structure.factors.table) == len(known)
