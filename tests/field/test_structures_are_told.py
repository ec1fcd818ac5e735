"""Structure factors and models which say more, or other things, than what is easy to take."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures import coordinates, reflections
from cupysim.formats.structures.coordinates import Recipe
from tests.conftest import Run
from tests.field.test_coordinates import (
    ATOMS,
    CARTESIAN,
    CRYST1,
    LABELS,
    SITE,
    UREA_HEAD,
    VACUUM,
    atom_lines,
    mmcif_of,
    save,
)
from tests.field.test_reflections import INDICES, _refln
from tests.field.writers import amplitudes, asymmetric_unit, loop, plus_of, write_cif, write_mtz

HKL = asymmetric_unit(8.0)
SUMMED = 1e-6
"""Relative precision of sums over atoms; it92 has five digits, and both sums have the same."""

ORIGIN = np.zeros((1, 3), dtype=int)


def test_small_cells_are_summed(tmp_path: Path) -> None:
    """Iron, whose density is wider than its cell."""
    head = UREA_HEAD.replace("5.6", "2.87").replace("4.7", "2.87")
    head += "_symmetry_space_group_name_H-M 'I m -3 m'\n"
    path = write_cif(tmp_path / "a.cif", {"x": head + loop(SITE, [("Fe1", "Fe", 0, 0, 0, 0.006)])})
    hkl = np.array([[0, 0, 0], [1, 1, 0], [2, 0, 0], [3, 1, 0]])
    stol2 = (hkl**2).sum(axis=1) / (4.0 * 2.87**2)
    factors = np.array([gemmi.Element("Fe").it92.calculate_sf(s) for s in stol2])
    expected = 2.0 * factors * np.exp(-8.0 * np.pi**2 * 0.006 * stol2)
    for dmin in (0.8e-10, 3e-10):
        seen = stol2 <= 1e-20 / (4.0 * dmin**2)
        found = amplitudes(coordinates.read(path, dmin, VACUUM), hkl)
        np.testing.assert_allclose(found[seen], expected[seen], rtol=SUMMED)


@pytest.mark.parametrize("where", ["mmcif", "pdb"])
def test_confidences_are_not_displacements(where: str, tmp_path: Path) -> None:
    if where == "pdb":
        path = save(
            tmp_path / "a.pdb",
            "TITLE     ALPHAFOLD MONOMER V2.0 PREDICTION FOR X\n" + CRYST1 + atom_lines(),
        )
    else:
        rows = [(n, ".", "A", a[0], "ALA", a[1], *a[2], 97.0) for n, a in enumerate(ATOMS, 1)]
        text = mmcif_of(["id", *LABELS, "type_symbol", *CARTESIAN, "B_iso_or_equiv"], rows)
        text += "_ma_qa_metric.id 1\n_ma_qa_metric.type pLDDT\n"
        path = write_cif(tmp_path / "a.cif", {"x": text})
    with pytest.warns(CupysimWarning, match="pLDDT"):
        coordinates.read(path, 3e-10, VACUUM)


def test_occupancies_of_mmcif(tmp_path: Path) -> None:
    rows = [(n, ".", "A", a[0], "ALA", a[1], *a[2], 20.0) for n, a in enumerate(ATOMS, 1)]
    text = mmcif_of(["id", *LABELS, "type_symbol", *CARTESIAN, "B_iso_or_equiv"], rows)
    with pytest.warns(CupysimWarning, match="have no occupancies"):
        coordinates.read(write_cif(tmp_path / "a.cif", {"x": text}), 3e-10, VACUUM)
    none = save(tmp_path / "a.pdb", CRYST1 + atom_lines().replace("  1.00", "  0.00"))
    with pytest.raises(FileFormatError, match="no atom has an occupancy"):
        coordinates.read(none, 3e-10, VACUUM)


@pytest.mark.parametrize(("symbol", "electrons"), [("ZN2+", 28), ("Cl1-", 18), ("ZN", 30)])
def test_charges_in_symbols(symbol: str, electrons: int, tmp_path: Path) -> None:
    rows = [(1, ".", "A", "X", "X", symbol, 5.0, 6.0, 7.0, 20.0, 1.0)]
    names = ["id", *LABELS, "type_symbol", *CARTESIAN, "B_iso_or_equiv", "occupancy"]
    structure = coordinates.read(
        write_cif(tmp_path / "a.cif", {"x": mmcif_of(names, rows)}), 3e-10, VACUUM
    )
    assert amplitudes(structure, ORIGIN)[0] == pytest.approx(4 * electrons, rel=2e-3)
    spaced = "'" + symbol[:-2] + " " + symbol[-2:] + "'" if symbol[-1] in "+-" else symbol
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    path = write_cif(
        tmp_path / "b.cif", {"x": head + loop(SITE, [("X1", spaced, 0.1, 0.2, 0.3, 0.02)])}
    )
    found = amplitudes(coordinates.read(path, 3e-10, VACUUM), ORIGIN)[0]
    assert found == pytest.approx(electrons, rel=2e-3)


def test_hydrogens_which_are_only_counted(tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    names = [*SITE, "_atom_site_attached_hydrogens"]
    rows = [("O1", "O", 0.1, 0.2, 0.3, 0.02, 2)]
    path = write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)})
    with pytest.warns(CupysimWarning, match="2 hydrogen atoms that the file only counts"):
        coordinates.read(path, 2e-10)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (CRYST1.replace("P 21 21 21    4", "P 2_1 2_1 2_1  "), "cut off"),
        (" ".join(CRYST1.split()) + "\n", "not in the columns"),
    ],
)
def test_records_of_cells_which_are_damaged(record: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        coordinates.read(save(tmp_path / "a.pdb", record + atom_lines()), 3e-10, VACUUM)


def test_scales_of_programs_which_do_not_know_the_cell(tmp_path: Path) -> None:
    rows = ("1.000000  0.000000  0.000000", "0.000000  1.000000  0.000000",
            "0.000000  0.000000  1.000000")  # fmt: skip
    scales = "".join(f"SCALE{n}      {row}        0.00000\n" for n, row in enumerate(rows, 1))
    plain = coordinates.read(save(tmp_path / "a.pdb", CRYST1 + atom_lines()), 3e-10, VACUUM)
    found = coordinates.read(
        save(tmp_path / "b.pdb", CRYST1 + scales + atom_lines()), 3e-10, VACUUM
    )
    assert found.space_group == plain.space_group == "P 21 21 21"
    np.testing.assert_allclose(amplitudes(found, HKL), amplitudes(plain, HKL))


def test_core_cifs_with_two_kinds_of_coordinates(tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    names = [*SITE, *(f"_atom_site_Cartn_{axis}" for axis in "xyz")]
    rows = [("O1", "O", 0.1, 0.2, 0.3, 0.02, 9.0, 9.0, 9.0)]
    path = write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)})
    assert amplitudes(coordinates.read(path, 2e-10), ORIGIN)[0] == pytest.approx(8, rel=1e-3)
    alone = [name for name in names if "fract" not in name]
    text = head + loop(alone, [("O1", "O", 0.02, 9.0, 9.0, 9.0)])
    with pytest.raises(FileFormatError, match="Cartesian coordinates of a core CIF"):
        coordinates.read(write_cif(tmp_path / "b.cif", {"x": text}), 2e-10)


def test_a_cell_in_another_block(tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    blocks = {"cell": head, "atoms": loop(SITE, [("O1", "O", 0.1, 0.2, 0.3, 0.02)])}
    structure = coordinates.read(write_cif(tmp_path / "a.cif", blocks), 2e-10)
    assert structure.cell is not None
    assert "the unit cell is that of block cell" in "\n".join(structure.notes)


# reflections


def test_measured_intensities_before_models(tmp_path: Path) -> None:
    plus = plus_of(HKL)
    columns = [("I-obs", "J", plus**2), ("SIGI-obs", "Q", np.ones(len(HKL))),
               ("F-model", "F", 3.0 * plus)]  # fmt: skip
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    with pytest.warns(CupysimWarning, match="square roots"):
        structure = reflections.read(tmp_path / "a.mtz")
    np.testing.assert_allclose(amplitudes(structure, HKL), plus, rtol=1e-5)
    write_mtz(tmp_path / "b.mtz", HKL, [("F-model", "F", 3.0 * plus)])
    found = amplitudes(reflections.read(tmp_path / "b.mtz"), HKL)
    np.testing.assert_allclose(found, 3.0 * plus, rtol=1e-5)


def test_deviations_in_any_order(tmp_path: Path) -> None:
    """Weights are those of the amplitudes, though intensities' stand nearer."""
    names = [*INDICES, "F_meas_sigma_au", "F_meas_au", "intensity_sigma", "intensity_meas"]
    rows: list[tuple[object, ...]] = [
        (1, 2, 3, 1.0, 10.0, 100.0, 100.0), (1, 2, 3, 10.0, 20.0, 1.0, 400.0),
        (2, 2, 3, -1.0, 7.0, 1.0, 49.0),
    ]  # fmt: skip
    structure = reflections.read(_refln(tmp_path, names, rows), merge=True)
    found = amplitudes(structure, np.array([[1, 2, 3], [2, 2, 3]]))
    expected = (10.0 + 20.0 / 100.0) / (1.0 + 1.0 / 100.0)
    np.testing.assert_allclose(found, [expected, 0.0], rtol=1e-9)


SHELX = "--shelx 4 --cell 30 40 50 90 90 90 --group P212121"


def shelx_list(batches: list[str]) -> str:
    return "".join(
        f"{1:4d}{2:4d}{3 + n:4d}{100.0:8.2f}{1.0:8.2f}{batch:>4}\n"
        for n, batch in enumerate(batches)
    )


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (["1", "1", "2"], "batches 1, 2, but the list does not give their scales"),
        (["-2", "1", "1"], "HKLF 5"),
        (["1", "-1", "1"], ""),
        (["", "", ""], ""),
    ],
)
def test_batches_of_shelx(batches: list[str], message: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.hkl").write_text(shelx_list(batches) + "\n TITL of the model\n")
    outcome = run(f"convert a.hkl P1.hkl {SHELX}")
    assert (outcome.status == 0) == (not message), outcome.err
    assert message in outcome.err


@pytest.mark.parametrize(
    ("trailer", "message"),
    [
        ("HKLF 3", "it has HKLF 3"),
        ("CELL 0.71073 7 8 9 90 102 90", "it has the cell 7 8 9"),
        ("CELL 0.71073 30 40 50 90 90 90\nHKLF 4", ""),
        ("HKLF 2", "it has HKLF 2: Laue data"),
        ("HKLF -5", "it has HKLF -5: overlapped"),
    ],
)
def test_instructions_behind_a_list(trailer: str, message: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.hkl").write_text(shelx_list([""]) + f"{0:4d}{0:4d}{0:4d}\n{trailer}\n")
    err = run(f"convert a.hkl P1.hkl {SHELX}").err
    assert message in err
    assert ("it has " in err) == bool(message)


WAVELENGTHS = ["  0.8612", "  1.0240", "  0.7107"]


@pytest.mark.parametrize(
    ("endings", "refused", "told"),
    [
        (WAVELENGTHS, "a wavelength after each reflection, from 0.7107 to 1.024 A", ""),
        (WAVELENGTHS[:1] * 3, "", "3 lines have text after column 32 that is not read"),
        (["  0.12000-0.30000"] * 3, "", "such as '0.12000-0.30000'"),
        (["", "", " ?"], "", "1 lines have text after column 32"),
        ([""] * 3, "", ""),
    ],
)
def test_what_stands_behind_shelx_lines(
    endings: list[str], refused: str, told: str, tmp_path: Path, run: Run
) -> None:
    lines = shelx_list(["1"] * 3).splitlines()
    both = zip(lines, endings, strict=True)
    (tmp_path / "a.hkl").write_text("".join(f"{line}{end}\n" for line, end in both))
    outcome = run(f"convert a.hkl P1.hkl {SHELX}")
    assert (outcome.status == 0) == (not refused), outcome.err
    assert refused in outcome.err
    assert told in outcome.err
    assert ("column 32" in outcome.err) == bool(told)
    if refused:
        words = "-hkl a.hkl -cell 30 40 50 -lambda 1 -N 2 -detpixels 8 -floatfile a.bin"
        assert "it looks like a SHELX list" in run(words).err


def test_absences_which_are_not_zero_are_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.hkl").write_text(f"{0:4d}{0:4d}{3:4d}{100.0:8.2f}{1.0:8.2f}\n")
    out = run(f"convert a.hkl P1.hkl {SHELX}").out
    assert "1 reflections forbidden by the space group are not zero" in out


def test_cells_which_a_point_group_forbids(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.hkl").write_text(
        "CrystFEL reflection list version 2.0\nSymmetry: 4/mmm\n"
        "   h    k    l          I    phase   sigma(I)   nmeas\n"
        "   1    2    3     100.0        -       1.0       3\nEnd of reflections\n"
    )
    for words in (
        "convert a.hkl a.mtz --cell 40 50 60 90 90 90",
        "-hkl a.hkl -cell 40 50 60 90 90 90 -N 2 -detpixels 16 -pixel 2 -lambda 1 -floatfile a.bin",
    ):
        outcome = run(words)
        assert outcome.status != 0
        assert outcome.files == {}
        assert "4/mmm forbids its cell 40 50 60" in outcome.err
        assert run(words.replace("40 50", "40 40")).status == 0


@pytest.mark.parametrize("item", ["_reflns_number_total 5", "_diffrn_reflns_number 7"])
def test_models_which_tell_how_many_reflections_there_were(
    item: str, tmp_path: Path, run: Run
) -> None:
    head = UREA_HEAD + f"_symmetry_space_group_name_H-M 'P 1'\n{item}\n"
    write_cif(tmp_path / "a.cif", {"x": head + loop(SITE, [("O1", "O", 0.1, 0.2, 0.3, 0.02)])})
    outcome = run("convert a.cif a.hkl --dmin 2")
    assert outcome.status == 0, outcome.err


def test_mtz_of_a_group_without_a_name(tmp_path: Path, run: Run) -> None:
    """All of its reflections are there again."""
    operators = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x+1/3,y+1/2,-z+1/4\n"
    rows = [("O1", "O", 0.1, 0.2, 0.3, 0.02), ("S1", "S", 0.4, 0.6, 0.1, 0.02)]
    write_cif(tmp_path / "a.cif", {"x": UREA_HEAD + operators + loop(SITE, rows)})
    outcome = run("convert a.cif a.mtz --dmin 1.5")
    assert "space group P 1 (no space group with a name has its operators)" in outcome.out, (
        outcome.err
    )
    run("convert a.cif a.hkl --dmin 1.5")
    run("convert a.mtz b.hkl")
    found, expected = (np.loadtxt(tmp_path / name) for name in ("b.hkl", "a.hkl"))
    as_table = [{tuple(row[:3].astype(int)): row[3] for row in each} for each in (found, expected)]
    nonzero = {index for index, value in as_table[1].items() if value > 1e-3}
    assert nonzero <= set(as_table[0])
    for index in nonzero:
        assert as_table[0][index] == pytest.approx(as_table[1][index], rel=1e-4)


def test_elements_of_labels(tmp_path: Path) -> None:
    """A mineral, whose labels are elements and sites."""
    head = UREA_HEAD + (
        "_symmetry_space_group_name_H-M 'P 1'\n_chemical_formula_sum 'Fe.2 Mg1.8 O4 Si'\n"
    )
    labels = ("MgM1", "FeM2", "SiT", "O1", "OA2")
    names = ["_atom_site_label", *SITE[2:]]
    rows = [(label, 0.1 * n, 0.2, 0.3, 0.01) for n, label in enumerate(labels)]
    with pytest.warns(CupysimWarning, match="labels are read as elements"):
        structure = coordinates.read(
            write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)}), 2e-10
        )
    assert amplitudes(structure, ORIGIN)[0] == pytest.approx(12 + 26 + 14 + 8 + 8, rel=1e-3)


def test_anomalous_data_of_phenix(tmp_path: Path) -> None:
    plus = plus_of(HKL)
    columns = [
        (f"{name}({sign})", "G", factor * plus)
        for name, factor in (("F-obs", 1.0), ("F-obs-filtered", 1.1), ("F-model", 3.0))
        for sign in "+-"
    ]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    np.testing.assert_allclose(amplitudes(reflections.read(tmp_path / "a.mtz"), HKL), plus, 1e-5)


def test_residues_which_lack_atoms(tmp_path: Path) -> None:
    recipe = Recipe(k_sol=0.0, hydrogens=True)
    model = save(tmp_path / "a.pdb", CRYST1 + atom_lines().replace("ALA", "LYS"))
    notes = "\n".join(coordinates.read(model, 3e-10, recipe).notes)
    assert "residues that lack atoms, and so hydrogen atoms: LYS 1" in notes
    whole = save(tmp_path / "b.pdb", CRYST1 + atom_lines())
    assert "lack atoms" not in "\n".join(coordinates.read(whole, 3e-10, recipe).notes)
