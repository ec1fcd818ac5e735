"""CrystFEL's unit-cell files and reflection lists."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.crystfel import read_cell
from cupysim.formats.structures import reflections
from cupysim.formats.structures.crystfel_list import point_group_symmetry

FIRST = "CrystFEL unit cell file version 1.0\n"
CELL = (
    "\nlattice_type = monoclinic\ncentering = C\nunique_axis = b ; a comment\n\n; another one\n"
    "a = 50.5 A\nb = 6.25 nm\tbehind\nc = 71 A\nal = 90 deg\nbe = 1.9 rad\nga = 90.0 deg\n"
)


def cell_file(folder: Path, text: str) -> Path:
    (folder / "a.cell").write_bytes(text.encode("latin-1"))
    return folder / "a.cell"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_cell(end: str, tmp_path: Path) -> None:
    found = read_cell(cell_file(tmp_path, (FIRST + CELL).replace("\n", end)))
    np.testing.assert_allclose(found.cell.lengths_angstrom, (50.5, 62.5, 71.0), rtol=1e-15)
    np.testing.assert_allclose(found.cell.angles, (math.pi / 2, 1.9, math.pi / 2), rtol=1e-14)
    assert (found.lattice, found.centering, found.unique_axis) == ("monoclinic", "C", "b")
    assert found.remarks == ()


def test_what_a_cell_may_lack(tmp_path: Path) -> None:
    lines = [line for line in CELL.splitlines() if "_" not in line and "cent" not in line]
    found = read_cell(cell_file(tmp_path, FIRST + "\n".join(lines) + "\nfoo = 3 A\na = 51 A\n"))
    assert (found.lattice, found.centering, found.unique_axis) == ("triclinic", "P", None)
    assert found.cell.lengths_angstrom[0] == 51.0
    assert len(found.remarks) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (FIRST, "CRYST1\n", "line 1: no unit-cell file: its first line is not 'CrystFEL unit"),
        ("a = 50.5 A", "a = 50.5", "line 8: a: the unit is missing; expected A or nm"),
        ("a = 50.5 A", "a = 50.5 deg", "line 8: a: unknown unit 'deg'; expected A or nm"),
        ("a = 50.5 A", "a = 50.5A", "line 8: a: the unit is missing"),
        ("a = 50.5 A", "a = 5x A", "line 8: a: 'x' follows the number"),
        ("a = 50.5 A", "a=50.5 A", "line 8: 'a=50.5 A': 'key = value' is expected"),
        ("a = 50.5 A", " a = 50.5 A", "line 8: a: blanks before the key"),
        ("a = 50.5 A", "a = -50.5 A", "edges must be positive"),
        ("be = 1.9 rad\n", "", "the cell has no be"),
        ("be = 1.9 rad", "be = 190 deg", "unit cell"),
        ("= monoclinic", "= oblique", "line 3: lattice_type: 'oblique' is none of triclinic"),
        ("= C", "= X", "line 4: centering: 'X' is none of P, A, B"),
        ("unique_axis = b ; a comment\n", "", "a monoclinic lattice needs a unique_axis"),
    ],
)
def test_errors_of_cells(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = FIRST + CELL
    assert old in text
    with pytest.raises(FileFormatError) as caught:
        read_cell(cell_file(tmp_path, text.replace(old, new, 1)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


Operation = Callable[[int, int, int], tuple[int, int, int]]

INVERSE: Operation = lambda h, k, l: (-h, -k, -l)  # noqa: E731
TWO: Operation = lambda h, k, l: (-h, -k, l)  # noqa: E731
MIRROR: Operation = lambda h, k, l: (h, k, -l)  # noqa: E731
TWO_ACROSS: Operation = lambda h, k, l: (-h, k, -l)  # noqa: E731
MIRROR_ACROSS: Operation = lambda h, k, l: (-h, k, l)  # noqa: E731
FOUR: Operation = lambda h, k, l: (-k, h, l)  # noqa: E731
FOUR_BAR: Operation = lambda h, k, l: (k, -h, -l)  # noqa: E731
THREE: Operation = lambda h, k, l: (-h - k, h, l)  # noqa: E731
SIX: Operation = lambda h, k, l: (h + k, -h, l)  # noqa: E731
TWO_321: Operation = lambda h, k, l: (k, h, -l)  # noqa: E731
TWO_312: Operation = lambda h, k, l: (-k, -h, -l)  # noqa: E731
THREE_R: Operation = lambda h, k, l: (k, l, h)  # noqa: E731

GENERATORS = {
    "1": [], "-1": [INVERSE], "2": [TWO], "m": [MIRROR], "2/m": [TWO, MIRROR],
    "222": [TWO, TWO_ACROSS], "mmm": [TWO, TWO_ACROSS, INVERSE], "mm2": [TWO, MIRROR_ACROSS],
    "4": [FOUR], "-4": [FOUR_BAR], "4/m": [FOUR, MIRROR], "422": [FOUR, TWO_ACROSS],
    "4/mmm": [FOUR, TWO_ACROSS, MIRROR], "4mm": [FOUR, MIRROR_ACROSS],
    "-42m": [FOUR_BAR, TWO_ACROSS], "-4m2": [FOUR_BAR, MIRROR_ACROSS],
    "3_H": [THREE], "-3_H": [THREE, INVERSE], "321_H": [THREE, TWO_321], "312_H": [THREE, TWO_312],
    "-3m1_H": [THREE, TWO_321, INVERSE], "-31m_H": [THREE, TWO_312, INVERSE],
    "3_R": [THREE_R], "-3_R": [THREE_R, INVERSE], "32_R": [THREE_R, TWO_312],
    "-3m_R": [THREE_R, TWO_312, INVERSE],
    "6": [SIX], "6/m": [SIX, MIRROR], "622": [SIX, TWO_321], "6/mmm": [SIX, TWO_321, INVERSE],
    "-6": [THREE, MIRROR], "-62m": [THREE, MIRROR, TWO_321], "-6m2": [THREE, MIRROR, TWO_312],
    "23": [TWO, TWO_ACROSS, THREE_R], "m-3": [TWO, TWO_ACROSS, THREE_R, INVERSE],
    "432": [FOUR, THREE_R], "-43m": [FOUR_BAR, THREE_R], "m-3m": [FOUR, THREE_R, INVERSE],
}  # fmt: skip
"""Operations on indices that generate each point group, with the unique axis c."""

AXES = {
    # a group about axis a acts on (k, l, h) as the group about c acts on (h, k, l)
    "": (0, 1, 2), "_uac": (0, 1, 2), "_uaa": (1, 2, 0), "_uab": (2, 0, 1),
}  # fmt: skip


def orbit(generators: list[Operation], start: tuple[int, int, int]) -> set[tuple[int, int, int]]:
    found, new = {start}, [start]
    while new:
        index = new.pop()
        for operation in generators:
            image = operation(*index)
            if image not in found:
                found.add(image)
                new.append(image)
    return found


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("group", GENERATORS)
def test_point_groups(group: str, axis: str, tmp_path: Path) -> None:
    rotations = point_group_symmetry(tmp_path, group + axis).rotations
    index = np.array([1, 3, 7])
    equivalents = {tuple(int(n) for n in index @ rotation) for rotation in rotations}
    order = AXES[axis]
    start = tuple(int(index[place]) for place in order)
    expected = set()
    for image in orbit(GENERATORS[group], (start[0], start[1], start[2])):
        back = [0, 0, 0]
        for value, place in zip(image, order, strict=True):
            back[place] = value
        expected.add(tuple(back))
    assert equivalents == expected


HEADING = "  h   k   l          I    phase   sigma(I)  counts  fs/px  ss/px\n"
ROW = "   1    2    3     144.00        -       1.00      10   12.5    3.5\n"


def test_lists_of_version_1(tmp_path: Path) -> None:
    path = tmp_path / "a.hkl"
    path.write_text(HEADING + ROW + "End of reflections\n")
    with pytest.warns(CupysimWarning, match="version 1 has no point group: it is taken as a list"):
        factors = reflections.read(path).factors
    assert factors.first == (-1, -2, -3)
    assert factors.table is not None
    assert factors.table[2, 4, 6] == 12.0
    assert np.count_nonzero(factors.table) == 2  # the reflection and its Friedel mate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADING + ROW, "has no 'End of reflections'"),
        ("CrystFEL reflection list version 3.0\n" + ROW, "line 1: its first line is not"),
        (
            "CrystFEL reflection list version 2.0\nSymmetry: unknown\n" + HEADING + ROW
            + "End of reflections\n", "unknown point group 'unknown'",
        ),
        (
            "CrystFEL reflection list version 2.0\n" + HEADING + ROW + "End of reflections\n",
            "no point group (Symmetry: ...)",
        ),
        (
            "CrystFEL reflection list version 2.0\nSymmetry: 1\n" + HEADING + "; no\n" + ROW
            + "End of reflections\n", "line 4",
        ),
    ],
)  # fmt: skip
def test_errors_of_lists(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.hkl").write_text(text)
    with pytest.raises(FileFormatError) as caught:
        reflections.read(tmp_path / "a.hkl")
    assert message in str(caught.value)
