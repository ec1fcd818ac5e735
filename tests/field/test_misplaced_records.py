"""Records of PDB files in unusual places, and lists and images whose header is not what is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import smv
from cupysim.formats.structures import pdb_text, shelx_list

CELL = "CRYST1   10.000   11.000   12.000  90.00  90.00  90.00 P 1           1"
BOX = (10.0, 11.0, 12.0, 90.0, 90.0, 90.0)
ATOMS = [
    "ATOM      1  C1  LIG A   1       1.000   2.000   3.000  1.00 10.00           C  ",
    "ATOM      2  O1  LIG A   1       4.000   5.000   6.000  1.00 10.00           O  ",
    "ATOM      3  S1  LIG A   1       7.000   8.000   1.000  1.00 10.00           S  ",
]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([CELL, *lines, ""]))
    return path


@pytest.mark.parametrize("end", ["END", "END   ", "END # chain A", "END                1ABC   3"])
def test_atoms_after_an_end(end: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.pdb", ATOMS[0], end, *ATOMS[1:], end)
    text, _, _ = pdb_text.prepared(path, path.read_bytes())
    assert len(list(gemmi.read_pdb_string(text)[0].all())) == len(ATOMS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: f" {line}", "line 3: the record ATOM does not begin in column 1"),
        (lambda line: f"\t{line}", "line 3: the record ATOM does not begin in column 1"),
        (lambda line: f"{ATOMS[0]}{line}", "line 3: two atoms are in one line"),
        (lambda _: " MTRIX1   1 1.0 0.0 0.0  0.0", "the record MTRIX1 does not begin in column 1"),
        (lambda _: " ANISOU    1  C1  LIG A   1", "the record ANISOU does not begin in column 1"),
    ],
)
def test_records_elsewhere(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.pdb", ATOMS[0], change(ATOMS[1]), ATOMS[2], "END")
    with pytest.raises(FileFormatError, match=message):
        pdb_text.prepared(path, path.read_bytes())


def test_remarks_may_name_records(tmp_path: Path) -> None:
    remark = "REMARK   3  ATOM RECORD CONTAINS SUM OF TLS AND RESIDUAL B FACTORS"
    path = written(tmp_path / "a.pdb", remark, *ATOMS, "END")
    assert pdb_text.prepared(path, path.read_bytes())


def test_wider_columns_of_shelx() -> None:
    """3I4, F12.2, F8.2 instead of 3I4, 2F8.2, I4: intensities would be cut."""
    lines = [f"{1:4d}{2:4d}{3:4d}{123.45:12.2f}{2.5:8.2f}", f"{0:4d}{0:4d}{0:4d}"]
    with pytest.raises(FileFormatError, match=r"columns 29 to 32 hold '2\.50', no batch number"):
        shelx_list.read("list.hkl", "\n".join(lines).encode(), True, BOX, "P 21 21 21")


@pytest.mark.parametrize("order", ["motorola", "ieee-be"])
def test_unknown_byte_orders(order: str, tmp_path: Path) -> None:
    header = f"{{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER={order};\nTYPE=unsigned_short;\nSIZE1=2;\n"
    data = np.arange(4, dtype=">u2").tobytes()
    path = tmp_path / "a.img"
    path.write_bytes(f"{header}SIZE2=2;\n}}\n".encode().ljust(512) + data)
    with pytest.raises(FileFormatError, match=r"BYTE_ORDER .* is not known"):
        smv.read(path)
