"""Lists of reflections which are cut off, in parts, or whose numbers are none."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import hkl_text
from cupysim.formats.structures import coordinates, reflections
from tests.conftest import Run
from tests.field.test_coordinates import CRYST1, VACUUM, atom_lines, save
from tests.field.test_reflections import INDICES, _refln
from tests.field.writers import amplitudes, cif_cell, loop, write_cif, write_mtz

HKL = np.array([[1, 2, 3], [2, 2, 3]])

XDS_HEAD = (
    "!FORMAT=XDS_ASCII MERGE=TRUE FRIEDEL'S_LAW=FALSE\n!SPACE_GROUP_NUMBER= 19\n"
    "!UNIT_CELL_CONSTANTS= 30 40 50 90 90 90\n!NUMBER_OF_ITEMS_IN_EACH_DATA_RECORD=5\n"
)
XDS_ROWS = "!END_OF_HEADER\n 1 2 3 1.000E+02 2.000E+00\n 2 2 3 4.000E+02 2.000E+00\n"
END = "!END_OF_DATA\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (XDS_ROWS, "cut off: it has no !END_OF_DATA"),
        (XDS_ROWS + " 5 5 5 2.5", "4 numbers, but 5 are expected"),
        (XDS_ROWS + " 5 5 5 2.500E+03 2", "cut off: it has no !END_OF_DATA"),
        (XDS_ROWS + END + " 5 5 5 2.500E+03 2.0\n", r"line 9: a reflection after !END_OF_DATA"),
        (XDS_ROWS + END + XDS_HEAD + XDS_ROWS + END, "a reflection after !END_OF_DATA"),
        (XDS_ROWS + " 5 5 5 2.500E+03 2.0 7.0\n" + END, "6 numbers, but its header names 5"),
        (XDS_ROWS + END + "\n", ""),
    ],
)
def test_xds_files_which_are_cut_off(rows: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.HKL").write_text(XDS_HEAD + rows)
    if message:
        with pytest.raises(FileFormatError, match=message):
            reflections.read(tmp_path / "a.HKL")
        return
    np.testing.assert_allclose(amplitudes(reflections.read(tmp_path / "a.HKL"), HKL), [10.0, 20.0])


def test_xds_headers_which_say_it_twice(tmp_path: Path) -> None:
    again = "!UNIT_CELL_CONSTANTS= 31 40 50 90 90 90\n"
    for words, count in (("", 0), (again.replace("31", "30"), 0), (again, 1)):
        (tmp_path / "a.HKL").write_text(XDS_HEAD + words + XDS_ROWS + END)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            reflections.read(tmp_path / "a.HKL")
        told = [str(each.message) for each in caught if "two lines" in str(each.message)]
        assert len(told) == count
        if count:
            assert "two lines of UNIT_CELL_CONSTANTS: the last one, 31 40 50" in told[0]


def test_columns_which_xds_headers_name_twice(tmp_path: Path) -> None:
    head = XDS_HEAD + "!ITEM_H=1\n!ITEM_K=2\n!ITEM_K=3\n"
    (tmp_path / "a.HKL").write_text(head + XDS_ROWS + END)
    with pytest.warns(CupysimWarning, match="two lines of ITEM_K: the last one, 3, is used"):
        reflections.read(tmp_path / "a.HKL")


CRYSTFEL = (
    "CrystFEL reflection list version 2.0\nSymmetry: mmm\n"
    "   h    k    l          I    phase   sigma(I)   nmeas\n"
    "   1    2    3     {}        -       1.00      10\nEnd of reflections\n"
)
SCALEPACK = (
    "    1\n -985\n{:>10}    40.000    50.000    90.000    90.000    90.000 p212121\n"
    "   1   2   3   100.0     2.0\n"
)


@pytest.mark.parametrize("number", ["1_0", "1_0.5", "1\u0661", "1.5(3"])
@pytest.mark.parametrize("kind", ["xds", "crystfel", "scalepack", "cif", "cell", "text", "pdb"])
def test_numbers_of_python_are_none(number: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.hkl"
    texts = {
        "xds": XDS_HEAD + XDS_ROWS.replace("1.000E+02", number) + END,
        "crystfel": CRYSTFEL.format(number),
        "scalepack": SCALEPACK.format(number),
        "text": f"1 2 3 {number}\n",
    }
    if kind == "pdb":
        atoms = atom_lines().replace("  1.00", f"{number:>6}", 1)
        with pytest.raises(FileFormatError, match="occupancy is not a number"):
            coordinates.read(save(tmp_path / "a.pdb", CRYST1 + atoms), 3e-10, VACUUM)
        return
    if kind in texts:
        path.write_text(texts[kind], encoding="utf-8")
    else:
        path = _refln(tmp_path, [*INDICES, "F_meas"], [(1, 2, 3, "10")])
        place = ("_cell.length_a 30.0(2)", "_cell.length_a ") if kind == "cell" else ("10\n", "")
        text = path.read_text()
        assert text.count(place[0]) == 1
        path.write_text(text.replace(place[0], f"{place[1]}{number}\n"), encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"number|cell"):
        hkl_text.read(path) if kind == "text" else reflections.read(path)


def test_parts_of_reflections(tmp_path: Path) -> None:
    """Each reflection occurs once, in part."""
    columns = [("M_ISYM", "Y", np.array([257.0, 258.0])), ("I", "J", np.array([40.0, 100.0]))]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    for merge in (False, True):
        with pytest.raises(FileFormatError, match="parts of reflections"):
            reflections.read(tmp_path / "a.mtz", merge=merge)
    write_mtz(tmp_path / "b.mtz", HKL, [("M_ISYM", "Y", np.array([1.0, 2.0])), columns[1]])
    found = amplitudes(reflections.read(tmp_path / "b.mtz"), HKL)
    np.testing.assert_allclose(found, np.sqrt([40.0, 100.0]))


@pytest.mark.parametrize("rest", ["   2   2   3   400", "   2   2   3   400.0     2.0   900.0"])
def test_scalepack_files_which_are_cut_off(rest: str, tmp_path: Path) -> None:
    (tmp_path / "a.sca").write_text(SCALEPACK.format("30.000") + rest)
    with pytest.raises(FileFormatError, match="line 5: the file is cut off"):
        reflections.read(tmp_path / "a.sca")


@pytest.mark.parametrize("place", [12, 28])
def test_values_of_scalepack_that_are_too_wide(place: int, tmp_path: Path) -> None:
    """The strongest reflections of all: Fortran writes stars in place of their digits."""
    line = "   2   2   3  9000.0     9.0  8000.0     9.0\n"
    text = SCALEPACK.format("30.000") + line[:place] + "*" * 8 + line[place + 8 :]
    (tmp_path / "a.sca").write_text(text)
    with pytest.warns(CupysimWarning, match="1 reflections, the first in line 5, have stars"):
        reflections.read(tmp_path / "a.sca")
    # a deviation is not used
    text = SCALEPACK.format("30.000") + line[:20] + "*" * 8 + line[28:]
    (tmp_path / "a.sca").write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = amplitudes(reflections.read(tmp_path / "a.sca"), HKL)
    assert not [each for each in caught if "stars" in str(each.message)]
    np.testing.assert_allclose(found, [10.0, 9000.0**0.5])


def test_values_of_shelx_that_are_too_wide(tmp_path: Path, run: Run) -> None:
    rows = (
        "   1   2   3  100.00    1.00\n   2   2   3********    1.00\n   0   0   0    0.00    0.00\n"
    )
    (tmp_path / "a.hkl").write_text(rows + "****  a comment\n")
    outcome = run(f"convert a.hkl P1.hkl {SHELX}")
    assert outcome.status == 0
    assert "1 reflections, the first in line 2, have stars in place of a value" in outcome.err


SHELX = "--shelx 4 --cell 30 40 50 90 90 90 --group P212121"
ZERO = f"{0:4d}{0:4d}{0:4d}{0:8.2f}{0:8.2f}\n"


def shelx_lines(*indices: tuple[int, int, int]) -> str:
    return "".join("{:4d}{:4d}{:4d}{:8.2f}{:8.2f}\n".format(*hkl, 100.0, 1.0) for hkl in indices)


@pytest.mark.parametrize("end", [ZERO, "\n", ZERO + "\n"])
@pytest.mark.parametrize(
    ("trailer", "refused", "told"),
    [
        ("HKLF 4", "", ""),
        ("HKLF 4 1", "", ""),
        ("HKLF 4 1 1 0 0 0 1 0 0 0 1 1 0", "", ""),
        ("HKLF 4 1 0 1 0 =\n 0 0 1 1 0 0", "with the matrix 0 1 0 0 0 1 1 0 0.", ""),
        ("HKLF 4 1 0 1", "with the matrix 0 1.", ""),
        ("hklf 4 2.0", "with the scale 2.0.", ""),
        ("HKLF 4 1_0", "no numbers: HKLF 4 1_0", ""),
        ("HKLF 3", "it has HKLF 3", ""),
        ("HKLF -5", "it has HKLF -5: overlapped", ""),
        ("CELL 0.71073 7 8 9 90 102 90", "", "it has the cell 7 8 9"),
        ("TWIN -1 0 0 0 -1 0 0 0 -1", "", "it has the instruction TWIN"),
        (
            "LATT 1\nSYMM -x, y+1/2, -z+1/2",
            "",
            "LATT and SYMM are those of P 1 21/c 1; the given group is used, P 21 21 21",
        ),
        ("LATT -1\nSYMM 0.5-X, -Y, 0.5+Z\nSYMM -X, 0.5+Y, 0.5-Z\nSYMM 0.5+X, 0.5-Y, -Z", "", ""),
        (ZERO, "", ""),
        (shelx_lines((2, 2, 3)), "", "1 lines after the end of the list look like reflections"),
        ("TITL 1 2 3 of 4\n_exptl_absorpt_process_details 'SADABS 2016/2'", "", ""),
    ],
)
def test_what_stands_behind_a_shelx_list(
    end: str, trailer: str, refused: str, told: str, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "a.hkl").write_text(shelx_lines((1, 2, 3)) + end + trailer + "\n")
    outcome = run(f"convert a.hkl P1.hkl {SHELX}")
    assert (outcome.status == 0) == (not refused), outcome.err
    assert refused in outcome.err
    assert told in outcome.err
    others = [line for line in outcome.err.splitlines() if "square roots" not in line]
    assert len(others) == bool(refused or told), outcome.err


@pytest.mark.parametrize("cut", [28, 33])
def test_shelx_lists_which_are_cut_off(cut: int, tmp_path: Path, run: Run) -> None:
    lines = [line + "   1" for line in shelx_lines((1, 2, 3), (2, 2, 3)).splitlines()]
    (tmp_path / "a.hkl").write_text("\n".join(lines)[: len(lines[0]) + 1 + cut])
    outcome = run(f"convert a.hkl P1.hkl {SHELX}")
    assert ("line 2: the list is cut off" in outcome.err) == (cut < len(lines[0])), outcome.err


@pytest.mark.parametrize("target", ["b.mtz", "b.stol"])
def test_forbidden_reflections_which_are_taken_are_written(
    target: str, tmp_path: Path, run: Run
) -> None:
    """In P 21 21 21, h 0 0 is there for even h only; what is zero there is left out."""
    hkl = np.array([[1, 2, 3], [3, 0, 0], [5, 0, 0]])
    write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", np.array([10.0, 7.0, 0.0]))])
    outcome = run(f"convert a.mtz {target}")
    assert "1 reflections forbidden by the space group are not zero, and are used" in outcome.out
    if target == "b.mtz":
        factors = reflections.read(tmp_path / target)
        np.testing.assert_allclose(amplitudes(factors, hkl), [10.0, 7.0, 0.0])
        # of 5 0 0 there is nothing
        assert factors.factors.first == (-3, -2, -3)
    else:
        # s/2 of 1 2 3 and of 3 0 0, in a cell of 30 40 50
        stol = 0.5 * np.sqrt([(1 / 30) ** 2 + (2 / 40) ** 2 + (3 / 50) ** 2, (3 / 30) ** 2])
        found = np.loadtxt(tmp_path / target)
        order = np.argsort(stol)
        np.testing.assert_allclose(found[:, 0], stol[order], atol=0.0005)
        np.testing.assert_allclose(found[:, 1], np.array([10.0, 7.0])[order])


def relabelled(path: Path, labels: str, more: bool = False) -> Path:
    """An MTZ file with other labels of its indices, perhaps with a fourth one."""
    columns = [("F", "F", np.array([10.0, 20.0]))]
    columns += [("M", "H", np.zeros(2))] if more else []
    mtz = write_mtz(path, HKL, columns)
    for number, label in enumerate(labels):
        mtz.columns[number].label = label
    mtz.write_to_file(str(path))
    return path


@pytest.mark.parametrize("labels", ["LKH", "KHL", "hlk"])
def test_indices_with_each_others_labels(labels: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=f"are labelled {' '.join(labels)}, not H K L"):
        reflections.read(relabelled(tmp_path / "a.mtz", labels))
    for usual in ("HKL", "hkl", "ABC"):
        found = amplitudes(reflections.read(relabelled(tmp_path / "a.mtz", usual)), HKL)
        np.testing.assert_allclose(found, [10.0, 20.0])


def test_more_than_three_indices_of_an_mtz(tmp_path: Path) -> None:
    with pytest.warns(CupysimWarning, match="further columns of type H .*: M"):
        found = reflections.read(relabelled(tmp_path / "a.mtz", "HKL", more=True))
    np.testing.assert_allclose(amplitudes(found, HKL), [10.0, 20.0])


NAMES = "   h    k    l          I    phase   sigma(I)   nmeas"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("", "", ""),
        (NAMES, "h k l sigma(I) phase I nmeas", ""),
        (NAMES, "h k l I sigma(I) nmeas", "5 numbers|no numbers"),
        (NAMES, "h k l F phase sigma(F) nmeas", "exactly one must be I"),
        ("End of reflections\n", "End of reflections\n   7    7    7   100.00   -   2.0   4\n",
         "line 6: a reflection after 'End of reflections'"),
        ("End of reflections\n", "End of reflections\nGenerated by CrystFEL 0.10\n7 7 notes\n", ""),
        ("Symmetry: mmm\n", "Symmetry: mmm\nSymmetry: 222\n", "line 3: two point groups: mmm, 222"),
        ("Symmetry: mmm\n", "Symmetry: mmm\nSymmetry: mmm\n", ""),
    ],
)  # fmt: skip
def test_crystfel_lists_say_where_things_are(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    swapped = "sigma(I) phase I" in after
    text = CRYSTFEL.format(" 1.00" if swapped else "81.00")
    text = text.replace("-       1.00", "-      81.00") if swapped else text
    assert before in text
    (tmp_path / "a.hkl").write_text(text.replace(before, after, 1))
    if message:
        with pytest.raises(FileFormatError, match=message):
            reflections.read(tmp_path / "a.hkl")
        return
    assert amplitudes(reflections.read(tmp_path / "a.hkl"), HKL)[0] == 9.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("_cell_length_a 31\n", "it has two different values of _cell_length_a"),
        ("_cell_length_a 30.0(2)\n", ""),
        ("_symmetry_space_group_name_H-M 'P 2 2 2'\n", "of _symmetry_space_group_name_h-m"),
        ("_refln.F_meas 12\n", "it has two different values of _refln_f_meas"),
    ],
)
def test_items_with_a_dot_and_without(words: str, message: str, tmp_path: Path) -> None:
    path = _refln(tmp_path, [*INDICES, "F_meas"], [(1, 2, 3, 10.0)])
    path.write_text(path.read_text() + words)
    if message:
        with pytest.raises(FileFormatError, match=message):
            reflections.read(path)
        return
    assert amplitudes(reflections.read(path), HKL)[0] == 10.0


@pytest.mark.parametrize(
    ("label", "kind", "is_told"),
    [
        ("IMEAN", "F", True), ("I-obs(+)", "G", True), ("FP", "J", True), ("F(+)", "K", True),
        ("IMEAN", "J", False), ("FP", "F", False), ("FreeR_flag", "F", False), ("Fit", "J", False),
        ("I", "R", False),
    ],
)  # fmt: skip
def test_labels_which_contradict_their_type(
    label: str, kind: str, is_told: bool, tmp_path: Path
) -> None:
    columns = [("F", "F", np.array([10.0, 20.0])), (label, kind, np.array([1.0, 2.0]))]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reflections.read(tmp_path / "a.mtz", ["F"])
    found = [str(each.message) for each in caught if "though its label" in str(each.message)]
    assert len(found) == is_told
    assert all(f"the column {label} has the type {kind}" in text for text in found)


def test_blocks_of_different_cells(tmp_path: Path) -> None:
    """The reflections have no cell and no group of their own."""
    data = loop([f"_refln_{name}" for name in (*INDICES, "F_meas")], [(1, 2, 3, 10.0)])
    name = "_symmetry_space_group_name_H-M 'P 21 21 21'\n"
    first = cif_cell("_cell_length_") + name
    others = first.replace("30.0", "31.0").replace("P 21 21 21", "P 2 2 2")
    for other, count in ((first, 0), (others, 2)):
        path = write_cif(tmp_path / "a.cif", {"x": first, "y": other, "z": data})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            structure = reflections.read(path)
        told = [str(each.message) for each in caught if "its blocks have" in str(each.message)]
        assert len(told) == count
        assert structure.cell is not None
        assert structure.cell.lengths_angstrom[0] == 30.0
        if count:
            assert "the first one is used: 30 40 50 90 90 90; 31 40 50" in told[0]
            assert "the first one is used: P 21 21 21, P 2 2 2" in told[1]
