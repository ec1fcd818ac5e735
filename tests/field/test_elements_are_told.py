"""Elements that contradict the names of atoms, and copies that a file calls given."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats.structures import coordinates
from tests.field.test_coordinates import (
    CARTESIAN,
    CRYST1,
    LABELS,
    VACUUM,
    atom_lines,
    mmcif_of,
    save,
)
from tests.field.writers import amplitudes, write_cif

ORIGIN = np.zeros((1, 3), dtype=int)
COPIES = 4
"""Number of operators of P 21 21 21."""


def electrons(path: Path) -> tuple[float, str]:
    """Electrons of the asymmetric unit, and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = coordinates.read(path, 3e-10, VACUUM)
    total = float(amplitudes(found, ORIGIN)[0]) / COPIES
    return total, "\n".join(str(each.message) for each in caught)


def atoms_of(residue: str, names: list[tuple[str, str]]) -> str:
    atoms = [(name, element, (5.0 + 3.0 * n, 6.0, 7.0), 1.0, 20.0) for n, (name, element) in
             enumerate(names)]  # fmt: skip
    return CRYST1 + atom_lines(atoms).replace("ALA", f"{residue:>3}")


@pytest.mark.parametrize(
    ("residue", "names", "expected"),
    [
        ("GLU", [("CA", "CA"), ("CD", "CD"), ("OE1", "O")], 6 + 6 + 8),
        ("ARG", [("NE", "NE"), ("HG2", "HG"), ("CE", "CE")], 7 + 1 + 6),
        ("DA", [("HO5", "HO"), ("P", "P"), ("N9", "N")], 1 + 15 + 7),
    ],
)
def test_first_letter_counts(
    residue: str, names: list[tuple[str, str]], expected: int, tmp_path: Path
) -> None:
    total, said = electrons(save(tmp_path / "a.pdb", atoms_of(residue, names)))
    assert total == pytest.approx(expected, rel=3e-3)
    assert f"{names[0][0]} of {residue}" in said
    assert "the first letter is used" in said


def test_mmcif(tmp_path: Path) -> None:
    rows = [(1, ".", "A", "CA", "GLU", "CA", 5.0, 6.0, 7.0, 20.0, 1.0)]
    names = ["id", *LABELS, "type_symbol", *CARTESIAN, "B_iso_or_equiv", "occupancy"]
    total, said = electrons(write_cif(tmp_path / "a.cif", {"x": mmcif_of(names, rows)}))
    assert total == pytest.approx(6, rel=3e-3)
    assert "the first letter is used" in said


@pytest.mark.parametrize(
    ("residue", "names", "expected", "told"),
    [
        ("CA", [("CA", "CA")], 20, False),
        ("GLU", [("CA", "C"), ("HG2", "H"), ("1HB", "H"), ("DG3", "D")], 9, False),
        ("GLU", [("CB", "N")], 7, True),
        ("ALA", [("NA", "NA")], 11, True),
        ("XYZ", [("CD", "CD"), ("CA", "CA")], 68, False),
    ],
)
def test_other_elements_are_kept(
    residue: str, names: list[tuple[str, str]], expected: int, told: bool, tmp_path: Path
) -> None:
    total, said = electrons(save(tmp_path / "a.pdb", atoms_of(residue, names)))
    assert total == pytest.approx(expected, rel=3e-3)
    assert ("contradict the names of the atoms" in said) is told
    assert "the first letter" not in said


MTRIX = (
    "MTRIX1   2 -1.000000  0.000000  0.000000       24.00000    {0}\n"
    "MTRIX2   2  0.000000 -1.000000  0.000000       26.00000    {0}\n"
    "MTRIX3   2  0.000000  0.000000  1.000000        2.00000    {0}\n"
)


@pytest.mark.parametrize(("flag", "has_copy"), [(" ", False), ("1", True), ("1", False)])
def test_given_copies(flag: str, has_copy: bool, tmp_path: Path) -> None:
    """A copy that the file calls given is not added, and is told if it is not there."""
    places = [(5.1, 6.2, 7.3), (6.5, 6.0, 7.7), (7.3, 7.2, 7.2)]
    own = [("C", "C", place, 1.0, 20.0) for place in places]
    # the copies, half an Angstrom off
    moved = [("C", "C", (24.5 - x, 26.0 - y, z + 2.0), 1.0, 20.0) for x, y, z in places]
    text = CRYST1 + MTRIX.format(flag)
    names = ["N", "CA", "C"]
    own = [(name, *each[1:]) for name, each in zip(names, own, strict=True)]
    moved = [(name, *each[1:]) for name, each in zip(names, moved, strict=True)]
    text += atom_lines(own).replace(" N   ALA", " C1  UNL").replace("ALA", "UNL")
    if has_copy:
        text += atom_lines(moved).replace(" ALA A", " UNL B")
    total, said = electrons(save(tmp_path / "a.pdb", text))
    is_doubled = flag == " " or has_copy
    assert total == pytest.approx(18 * (2 if is_doubled else 1), rel=3e-3)
    told = "the copies by strict NCS of operator 2 are not in the file"
    assert (told in said) is (flag == "1" and not has_copy)


def test_operators_with_one_number(tmp_path: Path) -> None:
    """A record that was copied and edited: both copies would be added."""
    places = [(5.1, 6.2, 7.3), (6.5, 6.0, 7.7), (7.3, 7.2, 7.2)]
    own = [(name, "C", place, 1.0, 20.0) for name, place in zip("NCO", places, strict=True)]
    one = MTRIX.format(" ")
    shifted = "".join(
        f"{line[:45]}{float(line[45:55]) + 3.0:10.5f}{line[55:]}\n" for line in one.splitlines()
    )
    (tmp_path / "a.pdb").write_text(CRYST1 + one + shifted + atom_lines(own))
    with pytest.raises(FileFormatError, match=r"strict NCS .* has operator .*2 more than once"):
        electrons(tmp_path / "a.pdb")
