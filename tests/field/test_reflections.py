"""Reflection files: columns, datasets, blocks, symmetry, Friedel mates, merging."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pytest

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures import reflections
from cupysim.formats.structures.symmetry import named
from tests.conftest import Run
from tests.field.writers import (
    CELL,
    GROUP,
    ROTATIONS,
    amplitudes,
    asymmetric_unit,
    check,
    cif_cell,
    loop,
    minus_of,
    plus_of,
    write_cif,
    write_mtz,
)

SMALL = "-N 2 -detpixels 16 -pixel 2 -distance 60 -nodump -nonoise -nopgm -noprogress"
PRINTED = 1e-4
"""Relative precision of numbers in text files."""

HKL = asymmetric_unit()
PLUS, MINUS = plus_of(HKL), minus_of(HKL)


def said(structure: Any) -> str:
    return "\n".join(structure.notes)


# MTZ


def test_indices_are_the_columns_of_their_type(tmp_path: Path) -> None:
    flags = np.ones(len(HKL))
    write_mtz(tmp_path / "a.mtz", HKL, [("M_ISYM", "Y", flags)], before=[("F", "F", PLUS)])
    check(reflections.read(tmp_path / "a.mtz"), HKL, PLUS)


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [
        (("F(+)", "F(-)"), "GG"),
        (("F(-)", "F(+)"), "FF"),
        (("Fminus", "Fplus"), "GG"),
        (("F_pos", "F_neg"), "FF"),
        (("FPLUS", "FMINUS"), "FF"),
        (("F-obs(+)", "F-obs(-)"), "GG"),
        (("Fanom-", "Fanom+"), "GG"),
    ],
)
def test_friedel_mates_by_their_labels(labels: tuple[str, str], kinds: str, tmp_path: Path) -> None:
    columns = []
    for label, kind in zip(labels, kinds, strict=True):
        is_minus = any(sign in label.lower() for sign in ("(-)", "minus", "neg", "nom-"))
        columns.append((label, kind, MINUS if is_minus else PLUS))
        columns.append((f"SIG{label}", "L" if kind == "G" else "Q", np.ones(len(HKL))))
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    structure = reflections.read(tmp_path / "a.mtz")
    check(structure, HKL, PLUS, MINUS)
    assert all(label in said(structure).splitlines()[0] for label in labels)


@pytest.mark.parametrize(
    ("mean", "labels"),
    [
        ("IMEAN", ("I(+)", "I(-)")),
        ("Imean", ("Iplus", "Iminus")),
        ("I", ("I_plus", "I_minus")),
        ("IMEAN", ("Ipos", "Ineg")),
    ],
)
def test_mates_are_preferred_to_their_mean(
    mean: str, labels: tuple[str, str], tmp_path: Path
) -> None:
    columns = [(mean, "J", 7.0 * np.ones(len(HKL))), (f"SIG{mean}", "Q", np.ones(len(HKL)))]
    for label, values in zip(labels, (PLUS, MINUS), strict=True):
        columns += [(label, "K", values**2), (f"SIG{label}", "M", np.ones(len(HKL)))]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    structure = reflections.read(tmp_path / "a.mtz")
    check(structure, HKL, PLUS, MINUS)
    assert mean in said(structure).splitlines()[0]


def test_friedel_mates_as_rows(tmp_path: Path) -> None:
    acentric = (HKL != 0).all(axis=1)
    hkl = np.concatenate([HKL, -HKL[acentric]])
    write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", np.concatenate([PLUS, MINUS[acentric]]))])
    check(reflections.read(tmp_path / "a.mtz"), HKL, PLUS, MINUS)


def test_mean_and_difference(tmp_path: Path) -> None:
    mean, difference = (PLUS + MINUS) / 2.0, PLUS - MINUS
    columns = [("F", "F", mean), ("SIGF", "Q", mean), ("DANO", "D", difference)]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    check(reflections.read(tmp_path / "a.mtz", ["F", "DANO"]), HKL, PLUS, MINUS)
    check(reflections.read(tmp_path / "a.mtz", ["F", "SIGF"]), HKL, mean)


def test_cell_and_wavelength_are_those_of_the_dataset(tmp_path: Path, run: Run) -> None:
    mtz = write_mtz(tmp_path / "a.mtz", HKL, [("FP", "F", PLUS), ("FPH", "F", MINUS)])
    other = mtz.add_dataset("derivative")
    other.cell, other.wavelength = gemmi.UnitCell(31, 41, 51, 90, 90, 90), 0.98
    mtz.column_with_label("FPH").dataset_id = other.id
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    native = reflections.read(tmp_path / "a.mtz")
    derivative = reflections.read(tmp_path / "a.mtz", ["FPH"])
    assert native.cell is not None
    assert derivative.cell is not None
    assert native.cell.lengths_angstrom == CELL[:3]
    assert derivative.cell.lengths_angstrom == (31, 41, 51)
    assert derivative.wavelength == pytest.approx(0.98e-10)
    named = reflections.read(tmp_path / "a.mtz", ["derivative/FPH"])
    np.testing.assert_array_equal(named.factors.table, derivative.factors.table)
    outcome = run(f"-hkl a.mtz -mtzcol FPH {SMALL}")
    assert "wave=9.8e-11 meters" in outcome.out
    assert "wavelength 0.98 A, from a.mtz, because there is no -lambda" in outcome.out
    assert "wave=2e-10 meters" in run(f"-hkl a.mtz -mtzcol FPH {SMALL} -lambda 2").out


def test_operators_of_a_setting_without_a_name(tmp_path: Path) -> None:
    """The group's name is unknown, its operators are in the file; F is that of an index."""
    cell = gemmi.UnitCell(34.641, 34.641, 34.641, 109.4712, 109.4712, 109.4712)
    hkl = np.array([[1, 0, 0], [2, 1, 0], [1, 1, 1]])
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup("R 3:R")
    mtz.set_cell_for_all(cell)
    mtz.add_dataset("d")
    mtz.add_column("F", "F")
    values = np.array([50.0, 60.0, 70.0])
    mtz.set_data(np.column_stack([hkl, values]).astype(np.float32))
    mtz.write_to_file(str(tmp_path / "known.mtz"))
    data = (tmp_path / "known.mtz").read_bytes()
    start = data.index(b"SYMINF")
    record = b"SYMINF   3  3 P   197         'I 2 3 (y+z,x+z,x+y)' PG23".ljust(80)
    data = data[:start] + record + data[start + 80 :]
    (tmp_path / "a.mtz").write_bytes(data)
    assert gemmi.read_mtz_file(str(tmp_path / "a.mtz")).spacegroup is None
    structure = reflections.read(tmp_path / "a.mtz")
    for index, value in zip(hkl.tolist(), values, strict=True):
        h, k, l = index
        same = np.array([[h, k, l], [k, l, h], [l, h, k], [-h, -k, -l], [-k, -l, -h]])
        np.testing.assert_allclose(amplitudes(structure, same), value)


@pytest.mark.parametrize("kind", ["J", "F"])
def test_unmerged_data(kind: str, tmp_path: Path) -> None:
    """Three observations of each; mates are told by M/ISYM, whose numbers are even for them."""
    factors = np.array([0.8, 1.0, 1.5])
    parts = [
        (HKL, values * factor, flag)
        for values, flag in ((PLUS, 1.0), (MINUS, 2.0))
        for factor in factors
    ]
    hkl = np.concatenate([each[0] for each in parts])
    values = np.concatenate([each[1] for each in parts])
    flags = np.repeat([each[2] for each in parts], len(HKL))
    columns = [("M_ISYM", "Y", flags), ("X", kind, values), ("SIGX", "Q", np.ones(len(values)))]
    write_mtz(tmp_path / "a.mtz", hkl, columns)
    with pytest.raises(FileFormatError, match=r"not merged: .* -merge"):
        reflections.read(tmp_path / "a.mtz")
    structure = reflections.read(tmp_path / "a.mtz", merge=True)
    centric = (HKL == 0).any(axis=1)
    plus, minus = (each * factors.mean() for each in (PLUS, MINUS))
    assert np.array_equal(plus[centric], minus[centric])
    if kind == "J":
        plus, minus = np.sqrt(plus), np.sqrt(minus)
    check(structure, HKL, plus, minus)
    assert "weighted by 1/sigma^2" in said(structure)


def test_means_are_weighted(tmp_path: Path) -> None:
    hkl = np.array([[1, 2, 3], [1, 2, 3]])
    columns = [("I", "J", np.array([100.0, 400.0])), ("SIGI", "Q", np.array([1.0, 2.0]))]
    write_mtz(tmp_path / "a.mtz", hkl, columns)
    found = amplitudes(reflections.read(tmp_path / "a.mtz", merge=True), hkl[:1])
    # weights 1 and 1/4
    assert found[0] == pytest.approx(np.sqrt((100.0 + 400.0 / 4.0) / 1.25))


def test_partial_observations_are_not_merged(tmp_path: Path) -> None:
    hkl = np.array([[1, 2, 3], [1, 2, 3]])
    columns = [("M_ISYM", "Y", np.array([257.0, 257.0])), ("I", "J", np.array([10.0, 20.0]))]
    write_mtz(tmp_path / "a.mtz", hkl, columns)
    with pytest.raises(FileFormatError, match="parts of reflections"):
        reflections.read(tmp_path / "a.mtz", merge=True)


def test_equal_values_may_be_repeated(tmp_path: Path) -> None:
    """As in a file which was expanded to P1 and kept its group."""
    hkl = np.concatenate([signs * HKL for signs in ROTATIONS])
    write_mtz(tmp_path / "a.mtz", hkl, [("I", "J", np.tile(PLUS**2, 4))])
    structure = reflections.read(tmp_path / "a.mtz")
    check(structure, HKL, PLUS)
    assert "more than once, with equal values" in said(structure)


def test_equivalent_amplitudes_which_differ(tmp_path: Path) -> None:
    """A list of amplitudes in a lower symmetry: means, and a warning."""
    hkl = np.array([[1, 2, 3], [1, -2, -3]])
    write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", np.array([10.0, 20.0]))])
    with pytest.warns(CupysimWarning, match="1 of 1 reflections differ from their symmetry"):
        structure = reflections.read(tmp_path / "a.mtz")
    np.testing.assert_allclose(amplitudes(structure, hkl), 15.0)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("J", np.inf, "the column X is infinite at 1 2 3"),
        ("F", -np.inf, "the column X is infinite at 1 2 3"),
    ],
)
def test_infinite_values(kind: str, value: float, message: str, tmp_path: Path) -> None:
    hkl = np.array([[1, 1, 1], [1, 2, 3]])
    write_mtz(tmp_path / "a.mtz", hkl, [("X", kind, np.array([10.0, value]))])
    with pytest.raises(FileFormatError, match=message):
        reflections.read(tmp_path / "a.mtz")


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
def test_negative_and_missing_values(tmp_path: Path) -> None:
    hkl = np.array([[1, 1, 1], [1, 2, 3], [2, 1, 1], [2, 2, 2]])
    values = np.array([25.0, -3.0, np.nan, 36.0])
    write_mtz(tmp_path / "a.mtz", hkl, [("I", "J", values)])
    structure = reflections.read(tmp_path / "a.mtz")
    np.testing.assert_allclose(amplitudes(structure, hkl), [5.0, 0.0, 0.0, 6.0])
    assert "1 negative intensities became 0" in said(structure)
    assert "1 reflections without a value are left out" in said(structure)


def test_missing_number_flag(tmp_path: Path) -> None:
    hkl = np.array([[1, 1, 1], [1, 2, 3]])
    mtz = write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", np.array([25.0, -999.0]))])
    mtz.valm = -999.0
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    found = amplitudes(reflections.read(tmp_path / "a.mtz"), hkl)
    np.testing.assert_allclose(found, [25.0, 0.0])


def test_a_cell_which_the_group_forbids(tmp_path: Path) -> None:
    mtz = write_mtz(tmp_path / "a.mtz", HKL, [("F", "F", PLUS)])
    mtz.spacegroup = gemmi.SpaceGroup("P 4")
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    with pytest.raises(FileFormatError, match="P 4 forbids its cell 30 40 50 90 90 90"):
        reflections.read(tmp_path / "a.mtz")


def test_packed_under_any_name(tmp_path: Path) -> None:
    write_mtz(tmp_path / "b.mtz", HKL, [("F", "F", PLUS)])
    (tmp_path / "a.mtz").write_bytes(gzip.compress((tmp_path / "b.mtz").read_bytes()))
    check(reflections.read(tmp_path / "a.mtz"), HKL, PLUS)


def test_what_was_taken_is_said(tmp_path: Path, run: Run) -> None:
    labels = ("FP", "FC", "FC_ALL", "FWT")
    write_mtz(tmp_path / "a.mtz", HKL, [(label, "F", PLUS) for label in labels])
    lines = run(f"-hkl a.mtz {SMALL}").out.splitlines()
    first = next(number for number, line in enumerate(lines) if "structure factors from" in line)
    assert lines[first] == (
        "structure factors from a.mtz: MTZ, amplitudes FP (not used: FC, FC_ALL, FWT)"
    )
    assert "space group P 21 21 21, 4 operators; unit cell 30 40 50 90 90 90" in lines[first + 1]
    assert lines[first + 2].startswith(f"{len(HKL)} reflections used, ")


def test_pairs_without_values_take_the_mean(tmp_path: Path) -> None:
    """As in files which have centric reflections in the column of the mean alone."""
    centric = (HKL == 0).any(axis=1)
    columns = [
        ("F", "F", PLUS),
        ("F(+)", "G", np.where(centric, np.nan, PLUS)),
        ("F(-)", "G", np.where(centric, np.nan, MINUS)),
    ]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    structure = reflections.read(tmp_path / "a.mtz")
    check(structure, HKL, PLUS, MINUS)
    expected = f"{centric.sum()} reflections without a value in F(+),F(-) have that of F"
    assert expected in said(structure)
    write_mtz(tmp_path / "a.mtz", HKL, columns[1:])
    structure = reflections.read(tmp_path / "a.mtz")
    check(structure, HKL[~centric], PLUS[~centric], MINUS[~centric])
    assert f"{centric.sum()} reflections without a value are left out" in said(structure)


def test_columns_without_values_are_not_chosen(tmp_path: Path) -> None:
    columns = [("F", "F", np.full(len(HKL), np.nan)), ("IMEAN", "J", PLUS**2)]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    with pytest.warns(CupysimWarning, match="square roots"):
        check(reflections.read(tmp_path / "a.mtz"), HKL, PLUS)


def test_difference_maps_are_not_chosen(tmp_path: Path) -> None:
    columns = [("DELFWT", "F", MINUS), ("FWT", "F", PLUS)]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    check(reflections.read(tmp_path / "a.mtz"), HKL, PLUS)
    write_mtz(tmp_path / "a.mtz", HKL, columns[:1])
    with pytest.raises(FileFormatError, match="only coefficients of difference maps"):
        reflections.read(tmp_path / "a.mtz")
    check(reflections.read(tmp_path / "a.mtz", ["DELFWT"]), HKL, MINUS)


@pytest.mark.parametrize(
    ("value", "sigma"), [(-999.0, 1.0), (-999.0, -999.0), (0.0, 0.0), (50.0, -1.0)]
)
def test_marks_of_missing_values(value: float, sigma: float, tmp_path: Path) -> None:
    hkl = np.array([[1, 1, 1], [1, 2, 3]])
    columns = [("F", "F", np.array([25.0, value])), ("SIGF", "Q", np.array([1.0, sigma]))]
    write_mtz(tmp_path / "a.mtz", hkl, columns)
    structure = reflections.read(tmp_path / "a.mtz")
    assert structure.factors.n_given < 9
    np.testing.assert_allclose(amplitudes(structure, hkl), [25.0, 0.0])
    assert "1 values of F are marked as not measured" in said(structure)


def test_missing_number_flag_of_zero_leaves_indices(tmp_path: Path) -> None:
    hkl = np.array([[0, 0, 2], [1, 2, 3]])
    mtz = write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", np.array([25.0, 36.0]))])
    mtz.valm = 0.0
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    np.testing.assert_allclose(amplitudes(reflections.read(tmp_path / "a.mtz"), hkl), [25.0, 36.0])


def test_words_which_look_like_operators(tmp_path: Path) -> None:
    mtz = write_mtz(tmp_path / "a.mtz", HKL, [("F", "F", PLUS)])
    mtz.title, mtz.history = "asymm unit of lysozyme", ["SYMM P212121 was used", "symm x"]
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    check(reflections.read(tmp_path / "a.mtz"), HKL, PLUS)


# CIF

MM_TAGS = [f"_refln.{name}" for name in ("index_h", "index_k", "index_l", "F_meas_au")]
ROWS = [(*index, f"{value}(3)") for index, value in zip(HKL.tolist(), PLUS, strict=True)]
OPERATORS = "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'1/2-x, -y, 1/2+z'\n-x,1/2+y,1/2-z\n'1/2+x,1/2-y,-z'\n"  # noqa: E501
SYMMETRIES = {
    "operators": OPERATORS,
    "operators of another name": f"_symmetry.space_group_name_H-M 'P 2 2 2'\n{OPERATORS}",
    "Hall": "_space_group.name_Hall ' P 2ac 2ab'\n",
    "Hermann-Mauguin": f"_symmetry.space_group_name_H-M '{GROUP}'\n",
    "without blanks": "_space_group_name_H-M_alt P212121\n",
    "number": "_space_group_IT_number 19\n",
}


@pytest.mark.parametrize("symmetry", SYMMETRIES.values(), ids=SYMMETRIES)
@pytest.mark.parametrize("style", ["_cell.length_", "_cell_length_"])
def test_symmetry_of_a_cif(symmetry: str, style: str, tmp_path: Path) -> None:
    text = cif_cell(style) + symmetry + loop(MM_TAGS, ROWS)
    check(reflections.read(write_cif(tmp_path / "a.cif", {"x": text})), HKL, PLUS, rtol=PRINTED)


def test_incomplete_operators(tmp_path: Path) -> None:
    operators = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,z+1/2\n-x,y+1/2,-z+1/2\n"
    text = cif_cell() + operators + loop(MM_TAGS, ROWS)
    with pytest.raises(FileFormatError, match="3 symmetry operators do not form a group"):
        reflections.read(write_cif(tmp_path / "a.cif", {"x": text}))


def test_blocks(tmp_path: Path) -> None:
    """The first block has no cell, and the wanted column is in the second."""
    head = cif_cell() + SYMMETRIES["number"]
    other = [(*index, value) for index, value in zip(HKL.tolist(), MINUS**2, strict=True)]
    tags = [*MM_TAGS[:3], "_refln.intensity_meas"]
    path = write_cif(
        tmp_path / "a.cif",
        {"empty": "_exptl.x 1\n", "one": loop(MM_TAGS, ROWS), "two": head + loop(tags, other)},
    )
    first = reflections.read(path)
    check(first, HKL, PLUS, rtol=PRINTED)
    assert "block one" in said(first)
    assert "unit cell and space group of another block" in said(first)
    assert "other blocks with reflections: two" in said(first)
    with pytest.warns(CupysimWarning, match="square roots"):
        check(reflections.read(path, ["I"]), HKL, MINUS, rtol=PRINTED)
    with pytest.warns(CupysimWarning, match="square roots"):
        check(reflections.read(path, ["two/intensity_meas"]), HKL, MINUS, rtol=PRINTED)
    with pytest.raises(FileFormatError, match="no column FX"):
        reflections.read(path, ["FX"])


def test_datasets_of_several_wavelengths_in_one_loop(tmp_path: Path) -> None:
    waves = loop(
        ["_diffrn_radiation_wavelength.id", "_diffrn_radiation_wavelength.wavelength"],
        [("1", 0.9795), ("2", 1.02)],
    )
    tags = ["_refln.wavelength_id", *MM_TAGS]
    rows = [("1", *row) for row in ROWS]
    rows += [("2", *i, v) for i, v in zip(HKL.tolist(), MINUS, strict=True)]
    text = cif_cell() + SYMMETRIES["number"] + waves + loop(tags, rows)
    structure = reflections.read(write_cif(tmp_path / "a.cif", {"x": text}))
    check(structure, HKL, PLUS, rtol=PRINTED)
    assert structure.wavelength == pytest.approx(0.9795e-10)
    assert "other datasets of the loop: 2" in said(structure)
    second = reflections.read(tmp_path / "a.cif", ["x:2/FP"])
    check(second, HKL, MINUS, rtol=PRINTED)
    assert second.wavelength == pytest.approx(1.02e-10)


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
@pytest.mark.parametrize(
    ("tags", "column"),
    [
        (("F_squared_calc", "F_squared_meas", "F_squared_sigma"), 1),  # LIST 4
        (("F_squared_meas", "F_squared_sigma", "F_calc", "phase_calc"), 0),  # LIST 6
        (("F_meas", "F_sigma", "A_calc", "B_calc"), 0),  # LIST 3
    ],
)
def test_shelx_fcf(tags: tuple[str, ...], column: int, tmp_path: Path) -> None:
    is_square = "squared" in tags[column]
    measured = PLUS**2 if is_square else PLUS
    values = [1.3 * measured for _ in tags]
    values[column] = measured
    head = cif_cell("_cell_length_") + SYMMETRIES["operators"]
    names = [f"_refln_index_{letter}" for letter in "hkl"] + [f"_refln_{tag}" for tag in tags]
    rows = [(*i, *v) for i, v in zip(HKL.tolist(), np.transpose(values), strict=True)]
    path = write_cif(tmp_path / "a.fcf", {"toy": head + loop(names, rows)})
    check(reflections.read(path), HKL, PLUS, rtol=PRINTED)


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
def test_unmerged_cif(tmp_path: Path) -> None:
    tags = [*MM_TAGS[:3], "_refln.intensity_meas", "_refln.intensity_sigma"]
    index = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    values = [1481.18, 2962.36, 4443.54, 2962.36]
    text = cif_cell() + SYMMETRIES["number"]
    text += loop(tags, [(*i, v, 5.0) for i, v in zip(index, values, strict=True)])
    path = write_cif(tmp_path / "a.cif", {"x": text})
    with pytest.raises(FileFormatError, match="not merged: 1 of 1 occur more than once"):
        reflections.read(path)
    found = amplitudes(reflections.read(path, merge=True), np.array(index))
    np.testing.assert_allclose(found, np.sqrt(np.mean(values)))


def test_datasets_whose_mates_are_apart(tmp_path: Path) -> None:
    """The second wavelength lists the mates of the first one's reflections."""
    tags = ["_refln.wavelength_id", *MM_TAGS]
    rows = [("1", *row) for row in ROWS]
    rows += [("2", *i, v) for i, v in zip((-HKL).tolist(), MINUS, strict=True)]
    text = cif_cell() + SYMMETRIES["number"] + loop(tags, rows)
    path = write_cif(tmp_path / "a.cif", {"x": text})
    check(reflections.read(path), HKL, PLUS, rtol=PRINTED)
    check(reflections.read(path, ["x:2/FP"]), HKL, MINUS, rtol=PRINTED)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("P2_1/c", "P 1 21/c 1"), ("P 2(1)/c", "P 1 21/c 1"), ("F d -3 m Z", "F d -3 m:2"),
        ("F d -3 m S", "F d -3 m:1"), ("R -3 m H", "R -3 m:H"), ("P 1-", "P -1"), ("P1-", "P -1"),
        # full symbols
        ("P 2/m 2/m 2/m", "P m m m"), ("P 21/n 21/m 21/a", "P n m a"),
        ("P 21/b 21/c 21/a", "P b c a"), ("C 2/m 2/c 21/m", "C m c m"),
        ("P 2/n 2/n 2/n :1", "P n n n:1"), ("F 2/d 2/d 2/d Z", "F d d d:2"),
        ("P 4/m 2/m 2/m", "P 4/m m m"), ("P 42/n 21/c 2/m", "P 42/n c m:1"),
        ("I 41/a 2/m 2/d: 2", "I 41/a m d:2"), ("P 63/m 2/m 2/c", "P 63/m m c"),
        ("P -3 1 2/m", "P -3 1 m"), ("P -3 2/c 1", "P -3 c 1"), ("R -3 2/c:r", "R -3 c:R"),
        ("P 2/m -3", "P m -3"), ("I 21/a -3", "I a -3"), ("F 2/d -3:2", "F d -3:2"),
        ("P 4/m -3 2/m", "P m -3 m"), ("I 41/a 3- 2/d", "I a -3 d"),
        ("F 41/d -3 2/m:2", "F d -3 m:2"), ("F 41/d 3- 2/m S", "F d -3 m:1"),
        # those of few axes are what they were
        ("P 1 2/m 1", "P 1 2/m 1"), ("P 1 1 21/b", "P 1 1 21/b"), ("P 4/m", "P 4/m"),
        ("P 2 2 2", "P 2 2 2"), ("P 1", "P 1"),
    ],
)  # fmt: skip
def test_spellings_of_space_groups(name: str, found: str) -> None:
    cell = {"R": (5, 5, 9, 90, 90, 120), "F": (5, 5, 5, 90, 90, 90)}.get(name[0])
    symmetry = named(name, cell)
    assert symmetry is not None
    assert symmetry.name == found


@pytest.mark.parametrize("name", ["F 41/d -3 2/m:7", "P 9/m 2/m 2/m", "P 2/m 2/m", "P 4/m -3 2/q"])
def test_symbols_which_are_none(name: str, tmp_path: Path) -> None:
    assert named(name, None) is None
    text = cif_cell() + f"_symmetry.space_group_name_H-M '{name}'\n" + loop(MM_TAGS, ROWS)
    with pytest.raises(FileFormatError, match="unknown space group"):
        reflections.read(write_cif(tmp_path / "a.cif", {"x": text}))


def test_absences_and_status(tmp_path: Path) -> None:
    rows = [(1, 1, 1, 50.0, "o"), (1, 0, 0, 7.0, "-"), (2, 1, 1, 60.0, "x"), (2, 2, 2, "?", "o")]
    text = cif_cell() + SYMMETRIES["number"] + loop([*MM_TAGS, "_refln.status"], rows)
    structure = reflections.read(write_cif(tmp_path / "a.cif", {"x": text}))
    found = amplitudes(structure, np.array([row[:3] for row in rows]))
    np.testing.assert_allclose(found, [50.0, 0.0, 60.0, 0.0])
    assert "1 systematically absent reflections are left out" in said(structure)
    assert "1 reflections that the file calls unreliable" in said(structure)


def test_bytes_before_and_carriage_returns(tmp_path: Path) -> None:
    text = "# a comment\n\ndata_x\n" + cif_cell() + SYMMETRIES["number"] + loop(MM_TAGS, ROWS)
    data = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    (tmp_path / "a.cif").write_bytes(data)
    check(reflections.read(tmp_path / "a.cif"), HKL, PLUS, rtol=PRINTED)


BAD_CIFS = {
    "no group": (cif_cell() + loop(MM_TAGS, ROWS), "no space group and no symmetry operators"),
    "unknown group": (
        cif_cell() + "_space_group_name_H-M_alt 'P 9 9 9'\n" + loop(MM_TAGS, ROWS),
        "unknown space group 'P 9 9 9'",
    ),
    "no cell": (SYMMETRIES["number"] + loop(MM_TAGS, ROWS), "no unit cell"),
    "no number": (
        cif_cell() + SYMMETRIES["number"] + loop(MM_TAGS, [(1, 1, 1, "abc")]),
        "_refln_f_meas_au is not a number: 'abc'",
    ),
    "no index": (
        cif_cell() + SYMMETRIES["number"] + loop(MM_TAGS, [(1, "?", 1, 5)]),
        "reflection 1 has impossible Miller indices: 1 nan 1",
    ),
    "embedded": (
        cif_cell() + "_shelx_hkl_file\n;\n 1 1 1 5 1\n;\n",
        "_shelx_hkl_file holds raw intensities for SHELX",
    ),
    "atoms": (
        cif_cell() + loop(["_atom_site_label", "_atom_site_fract_x"], [("C1", 0.1)]),
        "no reflections, but atoms: give it by -pdb",
    ),
}


@pytest.mark.parametrize("case", BAD_CIFS)
def test_bad_cifs(case: str, tmp_path: Path, run: Run) -> None:
    text, message = BAD_CIFS[case]
    run("-h")
    write_cif(Path("a.cif"), {"x": text})
    outcome = run(f"-hkl a.cif {SMALL}")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1, outcome.err
    assert message in outcome.err


# text


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
def test_xds_ascii(tmp_path: Path) -> None:
    head = (
        "!FORMAT=XDS_ASCII    MERGE=TRUE    FRIEDEL'S_LAW=FALSE\n!SPACE_GROUP_NUMBER=   19\n"
        "!UNIT_CELL_CONSTANTS=    30.000    40.000    50.000  90.000  90.000  90.000\n"
        "!X-RAY_WAVELENGTH=  0.9000\n!ITEM_H=1\n!ITEM_K=2\n!ITEM_L=3\n!ITEM_IOBS=4\n"
        "!ITEM_SIGMA(IOBS)=5\n!END_OF_HEADER\n"
    )
    acentric = (HKL != 0).all(axis=1)
    rows = [(*i, v, 1.0) for i, v in zip(HKL.tolist(), PLUS**2, strict=True)]
    rows += [
        (*i, v, 1.0) for i, v in zip((-HKL[acentric]).tolist(), MINUS[acentric] ** 2, strict=True)
    ]
    rows.append((*HKL[0].tolist(), 1e6, -1.0))  # a misfit
    text = "".join("{:6d}{:6d}{:6d} {:.4E} {:.2E}\n".format(*row) for row in rows)
    (tmp_path / "XDS_ASCII.HKL").write_text(head + text + "!END_OF_DATA\n")
    structure = reflections.read(tmp_path / "XDS_ASCII.HKL")
    check(structure, HKL, PLUS, MINUS, rtol=PRINTED)
    assert structure.wavelength == pytest.approx(0.9e-10)
    assert "1 misfits" in said(structure)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!ITEM_IOBS=0\n", "impossible columns in its header: 1 2 3 0 5"),
        ("!ITEM_IOBS=four\n", "impossible columns in its header: 1 2 3 four 5"),
        ("!SPACE_GROUP_NUMBER=99999999999999\n", "no possible unit cell or space group number"),
        ("!UNIT_CELL_CONSTANTS= 30 40 50 90 90 inf\n", "expected a finite number, got inf"),
    ],
)
def test_damaged_xds_headers(line: str, message: str, tmp_path: Path) -> None:
    head = (
        "!FORMAT=XDS_ASCII MERGE=TRUE\n!SPACE_GROUP_NUMBER= 19\n"
        "!UNIT_CELL_CONSTANTS= 30 40 50 90 90 90\n"
    )
    (tmp_path / "a.HKL").write_text(f"{head}{line}1 2 3 4.0 1.0\n!END_OF_DATA\n")
    with pytest.raises(FileFormatError, match=message):
        reflections.read(tmp_path / "a.HKL")


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
@pytest.mark.parametrize(
    ("group", "same", "other"),
    [
        ("mmm", [[1, 2, 3], [-1, 2, 3], [-1, -2, -3]], [[2, 1, 3]]),
        ("4/mmm", [[1, 2, 3], [2, 1, 3], [-2, 1, -3]], [[1, 3, 2]]),
        ("4/mmm_uaa", [[1, 2, 3], [1, 3, 2], [-1, -3, 2]], [[2, 1, 3]]),
        ("2/m_uab", [[1, 2, 3], [-1, 2, -3], [1, -2, 3]], [[1, 2, -3]]),
        ("2/m", [[1, 2, 3], [-1, -2, 3], [1, 2, -3]], [[1, -2, 3]]),
        ("6/m", [[1, 2, 3], [-2, 3, 3], [3, -1, 3]], [[2, 1, 3]]),
        ("321_H", [[1, 2, 3], [2, 1, -3], [-3, 1, 3]], [[2, 1, 3]]),
    ],
)
def test_crystfel_lists(
    group: str, same: list[list[int]], other: list[list[int]], tmp_path: Path
) -> None:
    """Operations by hand: 4 along c is (h k l) to (-k h l), 6 is (h+k, -h, l)."""
    (tmp_path / "a.hkl").write_text(
        f"CrystFEL reflection list version 2.0\nSymmetry: {group}\n"
        "   h    k    l          I    phase   sigma(I)   nmeas\n"
        "   1    2    3     144.00        -       1.00      10\nEnd of reflections\n"
    )
    structure = reflections.read(tmp_path / "a.hkl")
    assert structure.cell is None
    np.testing.assert_allclose(amplitudes(structure, np.array(same)), 12.0)
    if group != "321_H":
        np.testing.assert_allclose(amplitudes(structure, np.array(other)), 0.0)


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
def test_scalepack(tmp_path: Path) -> None:
    head = "    1\n -985\n    30.000    40.000    50.000    90.000    90.000    90.000 p212121\n"
    rows = []
    for index, plus, minus in zip(HKL.tolist(), PLUS**2, MINUS**2, strict=True):
        line = "{:4d}{:4d}{:4d}{:8.0f}{:8.1f}".format(*index, plus, 1.0)
        # a centric reflection has no mate; of others it is marked by a sigma of -1
        rows.append(line + (f"{minus:8.0f}{1.0:8.1f}" if 0 not in index else ""))
    rows.append(f"{9:4d}{9:4d}{9:4d}{49.0:8.1f}{1.0:8.1f}{0.0:8.1f}{-1.0:8.1f}")
    # a number which does not fit
    rows.append("{:4d}{:4d}{:4d}{:>8}{:8.1f}".format(8, 8, 8, "*" * 8, 1.0))
    (tmp_path / "a.sca").write_text(head + "\n".join(rows) + "\n")
    hkl = np.concatenate([HKL, [[9, 9, 9]]])
    plus, minus = (np.append(values, 7.0) for values in (PLUS, MINUS))
    check(reflections.read(tmp_path / "a.sca"), hkl, plus, minus, rtol=PRINTED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("   1   2   3  123.45    1.00\n", "looks like a SHELX list"),
        ("    4 P212121\n -1  0  0\n", "an unmerged Scalepack file"),
        ("!OUTPUT_FILE=INTEGRATE.HKL\n", "INTEGRATE.HKL, without scaling"),
    ],
)
def test_other_lists_are_named(text: str, message: str, run: Run) -> None:
    run("-h")
    Path("a.hkl").write_text(text)
    outcome = run(f"-hkl a.hkl -cell 30 {SMALL}")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_packed_lists(run: Run) -> None:
    run("-h")
    Path("a.hkl").write_bytes(gzip.compress(b"1 0 0 5\n0 1 0 6\n"))
    assert run(f"-hkl a.hkl -cell 30 -lambda 2 {SMALL}").status == 0


def test_repeated_lines_are_warned_of(run: Run) -> None:
    run("-h")
    Path("a.hkl").write_text("1 0 0 5\n0 1 0 6\n1 0 0 7\n1 0 0 7\n")
    outcome = run(f"-hkl a.hkl -cell 30 -lambda 2 {SMALL}")
    assert outcome.status == 0
    assert "a.hkl: 2 lines repeat a reflection, such as 1 0 0; the last line" in outcome.err
    Path("a.hkl").write_text("1 0 0 5\n0 1 0 6\n")
    assert "repeat" not in run(f"-hkl a.hkl -cell 30 -lambda 2 {SMALL}").err


def _refln(tmp_path: Path, names: list[str], rows: list[tuple[object, ...]]) -> Path:
    head = cif_cell() + "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
    return write_cif(tmp_path / "a.cif", {"x": head + loop([f"_refln_{n}" for n in names], rows)})


INDICES = ["index_h", "index_k", "index_l"]


def test_include_status(tmp_path: Path) -> None:
    """The core dictionary's name for what observed_status was."""
    rows: list[tuple[object, ...]] = [(1, 2, 3, 10.0, "o"), (2, 2, 3, 20.0, "-")]
    path = _refln(tmp_path, [*INDICES, "F_meas", "include_status"], rows)
    structure = reflections.read(path)
    factors = amplitudes(structure, np.array([[1, 2, 3], [2, 2, 3]]))
    np.testing.assert_allclose(factors, [10.0, 0.0])


def test_modulated_crystals(tmp_path: Path) -> None:
    path = _refln(tmp_path, [*INDICES, "index_m_1", "F_meas"], [(1, 2, 3, 1, 10.0)])
    with pytest.raises(FileFormatError, match="modulated"):
        reflections.read(path)


def test_deviations_behind_both_mates(tmp_path: Path) -> None:
    """A deviation of -1 marks the mate it belongs to, here F(+)."""
    hkl = np.array([[1, 2, 3], [2, 2, 3]])
    columns = [
        ("F(+)", "G", np.array([11.0, 21.0])),
        ("F(-)", "G", np.array([9.0, 19.0])),
        ("SIGF(+)", "L", np.array([-1.0, 1.0])),
        ("SIGF(-)", "L", np.array([1.0, 1.0])),
    ]
    write_mtz(tmp_path / "a.mtz", hkl, columns)
    factors = amplitudes(reflections.read(tmp_path / "a.mtz"), np.vstack([hkl, -hkl]))
    assert factors[[1, 3]].tolist() == [21.0, 19.0]
    assert factors[0] != 11.0
    assert factors[2] == 9.0


def test_data_sets_told_by_diffrn_id(tmp_path: Path) -> None:
    """They are not averaged; the first is used."""
    rows = [(1, 2, 3, "peak", 10.0), (2, 2, 3, "peak", 20.0), (1, 2, 3, "remote", 30.0)]
    path = _refln(tmp_path, [*INDICES, "diffrn_id", "F_meas"], [(*row,) for row in rows])
    structure = reflections.read(path, merge=True)
    factors = amplitudes(structure, np.array([[1, 2, 3], [2, 2, 3]]))
    np.testing.assert_allclose(factors, [10.0, 20.0])


def test_phases_of_a_powder(tmp_path: Path) -> None:
    """Two crystals in one list: the first is used, though no index is repeated."""
    rows = [(1, 2, 3, 1, 10.0), (2, 2, 3, 1, 20.0), (4, 2, 3, 2, 30.0)]
    path = _refln(tmp_path, [*INDICES, "phase_id", "F_meas"], [(*row,) for row in rows])
    path.write_text(path.read_text().replace("_refln_phase_id", "_pd_refln_phase_id"))
    structure = reflections.read(path)
    factors = amplitudes(structure, np.array([[1, 2, 3], [2, 2, 3], [4, 2, 3]]))
    np.testing.assert_allclose(factors, [10.0, 20.0, 0.0])
    assert "other datasets of the loop: 2" in said(structure)


@pytest.mark.filterwarnings("ignore::cupysim.errors.CupysimWarning")
@pytest.mark.parametrize(
    ("law", "intensities"), [("TRUE", [250.0, 250.0]), ("FALSE", [100.0, 400.0])]
)
def test_friedels_law_of_xds(law: str, intensities: list[float], tmp_path: Path) -> None:
    """With TRUE, XDS takes mates for the same reflection."""
    text = (
        f"!FORMAT=XDS_ASCII MERGE=FALSE FRIEDEL'S_LAW={law}\n!SPACE_GROUP_NUMBER= 19\n"
        "!UNIT_CELL_CONSTANTS= 30 40 50 90 90 90\n!END_OF_HEADER\n"
        "1 2 3 100.0 1.0\n-1 -2 -3 350.0 1.0\n-1 -2 3 100.0 1.0\n1 2 -3 450.0 1.0\n!END_OF_DATA\n"
    )
    (tmp_path / "a.HKL").write_text(text)
    with pytest.raises(FileFormatError, match="not merged"):
        reflections.read(tmp_path / "a.HKL")
    structure = reflections.read(tmp_path / "a.HKL", merge=True)
    factors = amplitudes(structure, np.array([[1, 2, 3], [-1, -2, -3]])) ** 2
    np.testing.assert_allclose(factors, intensities, rtol=1e-9)
