"""Structure factors from MTZ, mmCIF and coordinates."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.errors import CupysimError, CupysimWarning, FileFormatError
from cupysim.formats import hkl_text
from cupysim.formats.structures import coordinates, reflections
from cupysim.formats.structures.coordinates import Recipe
from cupysim.models.structure_factors import StructureFactors
from tests.conftest import Run
from tests.formats.structures import (
    CELL,
    MODEL,
    ROOT,
    amplitudes_of,
    equivalents,
    unique_reflections,
    usual_mtz,
    write_mtz,
)

TWO_DIGITS = 0.00501
"""Amplitudes in the shipped text file have two decimals."""


def looked_up(factors: StructureFactors, hkl: np.ndarray) -> np.ndarray:
    assert factors.table is not None
    return factors.table[tuple((np.asarray(hkl) - np.array(factors.first)).T)]


def test_amplitudes_are_expanded(tmp_path: Path) -> None:
    structure = reflections.read(usual_mtz(tmp_path / "a.mtz"))
    hkl = unique_reflections()
    for same in equivalents(hkl):
        np.testing.assert_array_equal(looked_up(structure.factors, same), amplitudes_of(hkl))
    # nothing else has an amplitude: F is the default where C centring or the limit forbid it
    assert structure.factors.table is not None
    known = {tuple(index) for same in equivalents(hkl) for index in same.tolist()}
    assert np.count_nonzero(structure.factors.table) == len(known)
    assert structure.cell.lengths_angstrom == CELL[:3]
    assert np.degrees(structure.cell.angles) == pytest.approx(CELL[3:])
    assert (structure.space_group, structure.source) == ("C 1 2 1", "FP")


def test_expansion_is_gemmis(tmp_path: Path) -> None:
    path = usual_mtz(tmp_path / "a.mtz")
    theirs = gemmi.read_mtz_file(str(path))
    theirs.expand_to_p1()
    hkl = theirs.make_miller_array()
    ours = reflections.read(path).factors
    values = np.asarray(theirs.column_with_label("FP").array)
    np.testing.assert_array_equal(looked_up(ours, hkl), values)
    np.testing.assert_array_equal(looked_up(ours, -np.asarray(hkl)), values)


@pytest.mark.parametrize("group", ["P 31 2 1", "P 61", "P 4", "F 2 3"])
@pytest.mark.filterwarnings("ignore:.*centric reflections differ from their Friedel mates")
def test_rotations_of_all_kinds(group: str, tmp_path: Path) -> None:
    """Axes whose matrices are not symmetric, with amplitudes which tell mates apart."""
    edges = {"P 3": (40, 40, 60, 90, 90, 120), "P 6": (40, 40, 60, 90, 90, 120)}
    cell = gemmi.UnitCell(*edges.get(group[:3], (50, 50, 50, 90, 90, 90)))
    space_group = gemmi.SpaceGroup(group)
    hkl = np.asarray(gemmi.make_miller_array(cell, space_group, 6.0))
    values = np.random.default_rng(4).uniform(10, 1000, (2, len(hkl))).astype(np.float32)
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = space_group
    mtz.set_cell_for_all(cell)
    mtz.add_dataset("data")
    # in the order which is not that of the signs
    for label in ("F(-)", "F(+)"):
        mtz.add_column(label, "G")
    mtz.set_data(np.column_stack([hkl.astype(np.float32), values[1], values[0]]))
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    factors = reflections.read(tmp_path / "a.mtz").factors
    operations = space_group.operations()
    for index, plus, minus in zip(hkl.tolist(), *values, strict=True):
        for op in operations.sym_ops:
            same = np.array([op.apply_to_hkl(index)])
            if operations.is_reflection_centric(index):
                # mates are one reflection, of which the mean is taken
                plus = minus = (float(plus) + float(minus)) / 2.0
            assert looked_up(factors, same)[0] == pytest.approx(plus)
            assert looked_up(factors, -same)[0] == pytest.approx(minus)


@pytest.mark.parametrize(("kinds", "square"), [("GL", False), ("KM", True)])
def test_friedel_mates_are_kept_apart(kinds: str, square: bool, tmp_path: Path) -> None:
    hkl = unique_reflections()
    plus, minus = amplitudes_of(hkl), amplitudes_of(hkl) + 1.0
    minus[::7] = np.nan  # not measured: its mate stands in
    power = 2 if square else 1
    letter = "I" if square else "F"
    columns = {
        f"{letter}(+)": (kinds[0], plus**power),
        f"SIG{letter}(+)": (kinds[1], plus),
        f"{letter}(-)": (kinds[0], minus**power),
        f"SIG{letter}(-)": (kinds[1], plus),
    }
    path = write_mtz(tmp_path / "a.mtz", columns, hkl)
    if square:
        with pytest.warns(CupysimWarning, match="square roots of the intensities"):
            factors = reflections.read(path).factors
    else:
        factors = reflections.read(path).factors
    minus[::7] = plus[::7]
    acentric = hkl[:, 1] != 0  # h0l and -h0-l are symmetry mates in this group
    for same in equivalents(hkl)[:2]:
        np.testing.assert_allclose(looked_up(factors, same)[acentric], plus[acentric], rtol=1e-6)
    for mates in equivalents(hkl)[2:]:
        np.testing.assert_allclose(looked_up(factors, mates)[acentric], minus[acentric], rtol=1e-6)


def test_negative_intensities_become_zero(tmp_path: Path) -> None:
    hkl = unique_reflections()
    intensities = np.where(np.arange(len(hkl)) % 2, -5.0, 49.0)
    path = write_mtz(tmp_path / "a.mtz", {"IMEAN": ("J", intensities)}, hkl)
    with pytest.warns(CupysimWarning, match="square roots"):
        factors = reflections.read(path).factors
    np.testing.assert_allclose(looked_up(factors, hkl), np.where(intensities > 0, 7.0, 0.0))


CHOICES = {
    "measured before calculated": (["FC", "FP"], [], "FP"),
    "only calculated": (["FC"], [], "FC"),
    "named": (["FC", "FP"], ["FC"], "FC"),
    "named with sigma": (["FP", "SIGFP"], ["FP", "SIGFP"], "FP"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_choice_of_a_column(case: str, tmp_path: Path) -> None:
    labels, wanted, chosen = CHOICES[case]
    hkl = unique_reflections()
    columns = {
        label: ("Q" if label.startswith("SIG") else "F", np.full(len(hkl), number + 1.0))
        for number, label in enumerate(labels)
    }
    structure = reflections.read(write_mtz(tmp_path / "a.mtz", columns, hkl), wanted)
    assert structure.source == chosen
    assert looked_up(structure.factors, hkl[:1])[0] == labels.index(chosen) + 1.0


REFUSALS = {
    "unclear": (["FC", "FWT"], [], r"choose one with -mtzcol from FC; FWT"),
    "missing": (["FC", "FP"], ["FX"], "no column FX; choose from FC; FP"),
    "two amplitudes": (["FC", "FP"], ["FP", "FC"], "FC holds no standard deviations of FP"),
    "a sigma": (["FP", "SIGFP"], ["SIGFP"], "SIGFP holds no amplitudes"),
    "phases alone": (["PHI"], [], r"no amplitudes and no intensities; it has .*PHI \(P\)"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_columns(case: str, tmp_path: Path) -> None:
    labels, wanted, message = REFUSALS[case]
    hkl = unique_reflections()
    kinds = {"S": "Q", "P": "P"}
    columns = {label: (kinds.get(label[0], "F"), np.ones(len(hkl))) for label in labels}
    with pytest.raises(FileFormatError, match=message):
        reflections.read(write_mtz(tmp_path / "a.mtz", columns, hkl), wanted)


@pytest.mark.parametrize("packed", [False, True])
def test_mmcif_reflections(packed: bool, tmp_path: Path) -> None:
    mtz = gemmi.read_mtz_file(str(usual_mtz(tmp_path / "a.mtz")))
    text = gemmi.MtzToCif().write_cif_to_string(mtz)
    path = tmp_path / ("a.cif.gz" if packed else "a-sf.cif")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    ours, same = reflections.read(path), reflections.read(tmp_path / "a.mtz")
    np.testing.assert_allclose(ours.factors.table, same.factors.table, rtol=1e-4)
    assert ours.cell == same.cell


def test_model_gives_the_shipped_structure_factors() -> None:
    structure = coordinates.read(MODEL, 2e-10)
    hkl, values = hkl_text.read(ROOT / "examples" / "1orc" / "P1.hkl")
    np.testing.assert_allclose(looked_up(structure.factors, hkl), values, atol=TWO_DIGITS)
    assert structure.factors.n_given == len(hkl)
    assert structure.space_group == "P 21 21 21"


def test_model_agrees_with_direct_summation() -> None:
    """Without solvent, with gemmi's sum over atoms instead of a grid."""
    structure = coordinates.read(MODEL, 3e-10, Recipe(k_sol=0.0))
    model = gemmi.read_structure(str(MODEL))
    direct = gemmi.StructureFactorCalculatorX(model.cell)
    hkl = [[1, 2, 3], [0, 0, 4], [5, 1, 0], [-3, 4, 7], [0, 0, 0]]
    expected = [abs(direct.calculate_sf_from_model(model[0], index)) for index in hkl]
    np.testing.assert_allclose(looked_up(structure.factors, np.array(hkl)), expected, rtol=2e-3)


def test_packed_model(tmp_path: Path) -> None:
    path = tmp_path / "1orc.ent.gz"
    path.write_bytes(gzip.compress(MODEL.read_bytes()))
    plain, packed = coordinates.read(MODEL, 5e-10), coordinates.read(path, 5e-10)
    np.testing.assert_array_equal(plain.factors.table, packed.factors.table)


def test_model_as_mmcif(tmp_path: Path) -> None:
    gemmi.read_structure(str(MODEL)).make_mmcif_document().write_file(str(tmp_path / "a.cif"))
    plain, cif = coordinates.read(MODEL, 5e-10), coordinates.read(tmp_path / "a.cif", 5e-10)
    np.testing.assert_allclose(cif.factors.table, plain.factors.table, rtol=1e-3, atol=0.05)
    assert cif.cell == plain.cell


def test_command_needs_no_cell(run: Run) -> None:
    words = (
        "-misset_seed 3 -misset random -N 5 -lambda 2 -detpixels 64 -pixel 1 -distance 60 -seed 1"
    )
    from_model = run(f"-pdb {MODEL} {words}")
    assert from_model.status == 0, from_model.err
    assert from_model.float_image(64, 64).max() > 0.0
    assert "Fdump.bin" not in from_model.files
    usual_mtz(Path("a.mtz"))
    from_mtz = run(f"-hkl a.mtz {words} -floatfile mtz.bin")
    assert from_mtz.status == 0, from_mtz.err
    # triclinic or not, the cell of a file is rendered as it is: no warning of Q5
    assert "Q5" not in from_mtz.err
    assert from_args(f"-hkl a.mtz {words}").lattice.lengths == pytest.approx(CELL[:3])


def test_resolution_limit_of_a_model(run: Run) -> None:
    """Calculated far enough for the corners, or as -dmin says."""
    words = f"-pdb {MODEL} -N 3 -lambda 2 -detpixels 32 -pixel 2 -distance 60 -nonoise -nopgm"
    table = run(f"{words} -h5file all.h5").err
    assert "error" not in table
    from cupysim.formats import nexus

    whole = nexus.read("all.h5").experiment.structure_factors
    run(f"{words} -dmin 6 -h5file few.h5")
    few = nexus.read("few.h5").experiment.structure_factors
    assert whole.n_given > 5 * few.n_given


BAD = {
    "no amplitudes": ("-hkl bad.mtz", "no amplitudes and no intensities"),
    "truncated": ("-hkl cut.mtz", "cut.mtz: "),
    "wrong suffix": ("-hkl text.mtz", "no MTZ file, though its name says so"),
    "no reflections": ("-hkl model.cif", "the CIF has no reflections"),
    "no atoms": ("-pdb a.mtz", "a.mtz: "),
    "no atoms in CIF": ("-pdb sf.cif", "no atoms"),
    "two cells": ("-pdb two.pdb", "2 different unit cells"),
    "no cell": ("-pdb none.pdb", "no unit cell"),
    "both": (f"-pdb {MODEL} -hkl a.mtz", "-pdb: gives structure factors, and so does -hkl"),
    "column without file": (f"-pdb {MODEL} -mtzcol F", "-mtzcol: needs a file of reflections"),
    "column of text": ("-hkl text.hkl -mtzcol F -cell 30", "neither an MTZ nor a CIF file"),
    "solvent without model": ("-hkl a.mtz -k_sol 0.3", "-k_sol: needs a model"),
    "damaged gzip": ("-pdb broken.pdb.gz", "damaged gzip file"),
    "damaged inside": ("-pdb mangled.pdb.gz", "damaged gzip file"),
    "infinite B": ("-pdb infinite.pdb", "line 316: impossible B factor: '9e9999'"),
    "no position": ("-pdb nowhere.pdb", "line 316: impossible coordinate: '     nan'"),
    "a device": ("-pdb /dev/zero", "not a regular file"),
    "missing": ("-pdb nothing.pdb", "nothing.pdb: No such file or directory"),
}


@pytest.fixture
def bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hkl = unique_reflections()
    whole = usual_mtz(tmp_path / "a.mtz").read_bytes()
    write_mtz(tmp_path / "bad.mtz", {"PHI": ("P", np.ones(len(hkl)))}, hkl)
    (tmp_path / "cut.mtz").write_bytes(whole[: len(whole) // 3])
    for name in ("text.mtz", "text.hkl"):
        (tmp_path / name).write_text("1 2 3 4.5\n")
    model = MODEL.read_text()
    gemmi.read_structure(str(MODEL)).make_mmcif_document().write_file(str(tmp_path / "model.cif"))
    mtz = gemmi.read_mtz_file(str(tmp_path / "a.mtz"))
    (tmp_path / "sf.cif").write_text(gemmi.MtzToCif().write_cif_to_string(mtz))
    record = next(line for line in model.splitlines() if line.startswith("CRYST1"))
    other = record.replace("34.770", "44.770")
    assert other != record
    (tmp_path / "two.pdb").write_text(model.replace(record, f"{record}\n{other}"))
    (tmp_path / "none.pdb").write_text(model.replace(record, ""))
    packed = gzip.compress(MODEL.read_bytes())
    (tmp_path / "broken.pdb.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "mangled.pdb.gz").write_bytes(packed[:500] + b"\xff" * 50 + packed[550:])
    atom = next(line for line in model.splitlines() if line.startswith("ATOM"))
    for name, columns, text in (
        ("infinite", (60, 66), "9e9999"),
        ("nowhere", (30, 38), "     nan"),
    ):
        other = atom[: columns[0]] + text + atom[columns[1] :]
        (tmp_path / f"{name}.pdb").write_text(model.replace(atom, other))


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, bad_files: None, run: Run) -> None:
    words, message = BAD[case]
    outcome = run(f"{words} -N 2 -detpixels 16 -lambda 3 -nodump")
    assert outcome.status == 9
    assert outcome.files == {}
    assert outcome.err.count("\n") == 1, outcome.err
    assert message in outcome.err


def test_solvent_does_not_depend_on_the_limit() -> None:
    coarse, fine = (coordinates.read(MODEL, dmin).factors for dmin in (4e-10, 1.1e-10))
    hkl = np.array([[0, 0, 0], [1, 0, 1], [0, 2, 0], [1, 2, 3], [-3, 1, 2]])
    np.testing.assert_allclose(looked_up(coarse, hkl), looked_up(fine, hkl), rtol=5e-3)


def test_without_gemmi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gemmi", None)
    shutil.copyfile(MODEL, tmp_path / "a.pdb")
    with pytest.raises(CupysimError, match=r"pip install 'cupysim\[structures\]'"):
        coordinates.read(tmp_path / "a.pdb", 3e-10)


def test_text_from_a_pipe(run: Run) -> None:
    """As a shell's process substitution gives it."""
    run("-h")
    words = "-cell 30 40 50 -N 2 -lambda 2 -detpixels 16 -pixel 2 -nodump -nonoise -nopgm"
    Path("a.hkl").write_text("1 0 0 5\n0 1 0 6\n-1 0 0 5\n0 0 1 7\n")
    from_file = run(f"{words} -hkl a.hkl")
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(Path("a.hkl").read_text()))
    writer.start()
    from_pipe = run(f"{words} -hkl pipe -floatfile b.bin")
    writer.join()
    assert from_pipe.status == 0, from_pipe.err
    assert from_pipe.files["b.bin"] == from_file.files["floatimage.bin"]
