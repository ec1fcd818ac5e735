"""Wavelengths of reflection files: several, one twice, one of another place in the file."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.formats.structures import reflections
from tests.conftest import Run
from tests.field.nxmx_files import LEAVE_OUT, write
from tests.field.test_reflections import SMALL, said
from tests.field.writers import cif_cell, loop, write_cif, write_mtz
from tests.formats.test_inherited import expt

XDS_HEAD = (
    "!FORMAT=XDS_ASCII    MERGE=TRUE    FRIEDEL'S_LAW=FALSE\n!SPACE_GROUP_NUMBER=   19\n"
    "!UNIT_CELL_CONSTANTS=    30.000    40.000    50.000  90.000  90.000  90.000\n"
)
XDS_TAIL = "!END_OF_HEADER\n1 2 3 4.0 1.0\n!END_OF_DATA\n"
INPUT = "! ISET=   {0} INPUT_FILE=XDS_ASCII.HKL\n"
WAVE = "! ISET=   {0} X-RAY_WAVELENGTH=   {1}\n"
CELL_OF = "! ISET=   {0} UNIT_CELL_CONSTANTS=    30.2    40.2    50.2  90.000  90.000  90.000\n"
ONE = INPUT.format(1), WAVE.format(1, "0.97950"), CELL_OF.format(1)


@pytest.mark.parametrize(
    ("header", "angstroms", "unclear"),
    [
        ("".join(ONE), 0.9795, ""),
        ("".join(ONE[1:] + ONE[:1]), 0.9795, ""),
        ("".join(ONE) + "".join(ONE).replace("=   1", "=   2"), 0.9795, ""),
        (
            "".join(ONE) + WAVE.format(2, "1.54180"),
            None,
            "its datasets have the wavelengths 0.9795, 1.5418 A",
        ),
        ("!X-RAY_WAVELENGTH= 1.1\n", 1.1, ""),
        (
            "!X-RAY_WAVELENGTH= 1.1\n" + "".join(ONE),
            None,
            "its datasets have the wavelengths 1.1, 0.9795 A",
        ),
        (INPUT.format(1), None, ""),
    ],
)
def test_wavelengths_of_xscale(
    header: str, angstroms: float | None, unclear: str, tmp_path: Path
) -> None:
    (tmp_path / "a.HKL").write_text(XDS_HEAD + header + XDS_TAIL)
    structure = reflections.read(tmp_path / "a.HKL")
    expected = None if angstroms is None else pytest.approx(angstroms * 1e-10, rel=1e-9)
    assert structure.wavelength == expected
    assert structure.unclear_wavelength == unclear
    assert structure.cell is not None
    assert structure.cell.lengths_angstrom == (30.0, 40.0, 50.0)


TAGS = [f"_refln.{name}" for name in ("index_h", "index_k", "index_l", "F_meas_au")]
ID, VALUE, WEIGHT = (f"_diffrn_radiation_wavelength.{name}" for name in ("id", "wavelength", "wt"))
CORE = ["_diffrn_radiation_wavelength_id", "_diffrn_radiation_wavelength"]
K_ALPHA = [(1, 1.5406, 1.0), (2, 1.5444, 0.5)]
TWO = "it has the wavelengths 1.5406, 1.5444 A"
PEAKS = loop([ID, VALUE], [("p", 0.9795), ("r", 1.1)])
SOURCE = "_diffrn_source.pdbx_wavelength"


@pytest.mark.parametrize(
    ("words", "identifier", "angstroms", "unclear"),
    [
        (loop([ID, VALUE, WEIGHT], K_ALPHA), "", None, TWO),
        (loop([*CORE, f"{CORE[1]}_wt"], K_ALPHA), "", None, TWO),
        (loop([ID, VALUE, WEIGHT], [*K_ALPHA[:1], (2, 1.5444, 0.0)]), "", 1.5406, ""),
        (loop([ID, VALUE], [(1, 1.5406), (2, "1.54060(3)")]), "", 1.5406, ""),
        (loop([ID, VALUE], [(1, "?"), (2, 1.2)]), "", 1.2, ""),
        (PEAKS, "", None, "it has the wavelengths 0.9795, 1.1 A"),
        (PEAKS, "r", 1.1, ""),
        (PEAKS, "x", None, "it has the wavelengths 0.9795, 1.1 A"),
        # an item of another category, whose name differs by its dot
        (f"{PEAKS}_diffrn_radiation.wavelength_id p\n", "r", 1.1, ""),
        (f"{SOURCE}_list 0.9795\n", "", 0.9795, ""),
        (f"{SOURCE}_list '0.9795, 0.97950'\n", "", 0.9795, ""),
        (f"{SOURCE}_list '0.9795,0.9797'\n", "", None, "it has the wavelengths 0.9795, 0.9797 A"),
        (f"{SOURCE}_list '0.9795-1.2'\n", "", None, "it has the wavelength '0.9795-1.2' (A)"),
        (f"{VALUE} 0.9795\n{SOURCE}_list '0.9795-1.2'\n", "", 0.9795, ""),
        (f"{SOURCE} 0.9\n{SOURCE}_list ?\n", "", 0.9, ""),
        (f"{VALUE} 0.71073\n{SOURCE} 0.9\n", "", None, "it has the wavelengths 0.71073, 0.9 A"),
        (f"{PEAKS}{SOURCE}_list '0.9795, 1.1'\n", "r", 1.1, ""),
        ("", "r", None, ""),
        ("_diffrn_radiation.pdbx_wavelength 0.9\n", "", 0.9, ""),
        (
            "_diffrn_radiation.pdbx_wavelength_list 0.9,0.8\n",
            "",
            None,
            "it has the wavelengths 0.9, 0.8 A",
        ),
        (
            "_cell_measurement_wavelength 0.71073\n",
            "",
            None,
            "it has no wavelength, but _cell_measurement_wavelength 0.71073",
        ),
        (
            "_diffrn_radiation_type 'Mo K-alpha'\n",
            "",
            None,
            "it has no wavelength, but _diffrn_radiation_type Mo K-alpha",
        ),
        (f"{VALUE} 0.71073\n_diffrn_radiation_type 'Mo K-alpha'\n", "", 0.71073, ""),
    ],
)
def test_wavelengths_of_a_cif(
    words: str, identifier: str, angstroms: float | None, unclear: str, tmp_path: Path
) -> None:
    tags = ["_refln.wavelength_id", *TAGS] if identifier else TAGS
    row: tuple[object, ...] = (1, 2, 3, 10.0)
    rows = [(identifier, *row)] if identifier else [row]
    head = cif_cell() + "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
    path = write_cif(tmp_path / "a.cif", {"x": head + words + loop(tags, rows)})
    structure = reflections.read(path)
    expected = None if angstroms is None else pytest.approx(angstroms * 1e-10, rel=1e-9)
    assert structure.wavelength == expected
    assert structure.unclear_wavelength == unclear
    assert ("none is used" in said(structure)) == bool(unclear)


def test_the_command_tells_what_it_assumes(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.HKL").write_text(XDS_HEAD + "".join(ONE) + WAVE.format(2, "1.5") + XDS_TAIL)
    outcome = run(f"-hkl a.HKL {SMALL}")
    assert "wave=1e-10 meters" in outcome.out
    assert (
        "a.HKL: its datasets have the wavelengths 0.9795, 1.5 A: none is taken, "
        "and 1 A is used; give -lambda"
    ) in outcome.err
    assert "give -lambda" not in run(f"-hkl a.HKL {SMALL} -lambda 1.5").err


def test_a_dataset_without_a_wavelength_beside_others(tmp_path: Path) -> None:
    mtz = write_mtz(tmp_path / "a.mtz", np.array([[1, 2, 3]]), [("F", "F", np.array([10.0]))])
    mtz.add_dataset("model").cell = gemmi.UnitCell(30, 40, 50, 90, 90, 90)
    mtz.column_with_label("F").dataset_id = mtz.datasets[-1].id
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    structure = reflections.read(tmp_path / "a.mtz")
    assert structure.wavelength is None
    assert structure.unclear_wavelength.endswith("others or batches have the wavelengths 1.25 A")


HEAD = cif_cell() + "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
REFLECTIONS = loop(TAGS, [(1, 2, 3, 10.0)])


@pytest.mark.parametrize(
    ("blocks", "angstroms", "unclear"),
    [
        ((f"{HEAD}{VALUE} 1.25\n", REFLECTIONS), 1.25, ""),
        ((f"{HEAD}{VALUE} 1.25\n", f"{VALUE} 0.9\n{REFLECTIONS}"), 0.9, ""),
        ((f"{HEAD}{VALUE} 1.25\n", f"{VALUE} 1.25\n", REFLECTIONS), 1.25, ""),
        (
            (f"{HEAD}{VALUE} 1.25\n", f"{VALUE} 0.9\n", REFLECTIONS),
            None,
            "its blocks have the wavelengths 1.25, 0.9 A",
        ),
        ((f"{HEAD}{PEAKS}", REFLECTIONS), None, "it has the wavelengths 0.9795, 1.1 A"),
    ],
)
def test_wavelengths_of_other_blocks(
    blocks: tuple[str, ...], angstroms: float | None, unclear: str, tmp_path: Path
) -> None:
    named = {f"b{number}": text for number, text in enumerate(blocks)}
    structure = reflections.read(write_cif(tmp_path / "a.cif", named))
    expected = None if angstroms is None else pytest.approx(angstroms * 1e-10, rel=1e-9)
    assert structure.wavelength == expected
    assert structure.unclear_wavelength == unclear
    borrowed = angstroms is not None and VALUE not in blocks[-1]
    assert ("and wavelength of another block" in said(structure)) == borrowed


def test_a_wavelength_of_batches_alone(tmp_path: Path) -> None:
    mtz = write_mtz(tmp_path / "a.mtz", np.array([[1, 2, 3]]), [("F", "F", np.array([10.0]))])
    mtz.datasets[-1].wavelength = 0.0
    batch = gemmi.Mtz.Batch()
    batch.number, batch.wavelength = 1, 0.75
    mtz.batches.append(batch)
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    structure = reflections.read(tmp_path / "a.mtz")
    assert structure.wavelength is None
    assert structure.unclear_wavelength.endswith("batches have the wavelengths 0.75 A")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("_diffrn_radiation_probe neutron\n", "its data are those of neutrons"),
        ("_diffrn_radiation.pdbx_scattering_type electron\n", "its data are those of electrons"),
        ("_diffrn_radiation_probe x-ray\n", ""),
    ],
)
def test_data_of_other_radiation(words: str, told: str, tmp_path: Path) -> None:
    path = write_cif(tmp_path / "a.cif", {"x": HEAD + words + REFLECTIONS})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reflections.read(path)
    assert len(caught) == bool(told)
    assert all(told in str(each.message) for each in caught)


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("polychromatic", "a.expt: its beam is polychromatic, from 0.9 to 1.1 A"),
        ("counts", "a.h5: incident_wavelength has 2 numbers and no weights, but the file has 1"),
        ("missing", "a.h5: the file has no incident_wavelength"),
        ("known", ""),
    ],
)
def test_wavelengths_of_data_in_place_of_unclear_ones(
    case: str, told: str, tmp_path: Path, run: Run
) -> None:
    """The data were measured at 1.25 A, which need not be the wavelength of the image."""
    write_mtz(tmp_path / "a.mtz", np.array([[1, 2, 3]]), [("F", "F", np.array([10.0]))])
    content = expt()
    if case == "polychromatic":
        del content["beam"][0]["wavelength"]
        content["beam"][0] |= {"__id__": "polychromatic", "wavelength_range": [0.9, 1.1]}
    (tmp_path / "a.expt").write_text(json.dumps(content))
    values = {"counts": [0.9, 1.1], "missing": LEAVE_OUT}
    write(tmp_path / "a.h5", wavelength=values.get(case, 1.25))
    image = "-expt a.expt" if told.startswith("a.expt") else "-img a.h5"
    outcome = run(f"-hkl a.mtz {image} -N 2 -nodump -nonoise -nopgm -noprogress")
    assert outcome.status == 0
    said_so = "; that of a.mtz, 1.25 A, is used"
    assert told in outcome.err
    assert (said_so in outcome.err) == bool(told)
    outcome = run(f"-hkl a.mtz {image} -lambda 1.25 -N 2 -nodump -nonoise -nopgm -noprogress")
    assert said_so not in outcome.err


@pytest.mark.parametrize(("angstroms", "told"), [(1.25, False), (4.9, False), (12.66, True)])
def test_energies_in_place_of_wavelengths(
    angstroms: float, told: bool, tmp_path: Path, run: Run
) -> None:
    """12.66 keV is a usual energy; as a wavelength, it is beyond X-ray crystallography."""
    mtz = write_mtz(tmp_path / "a.mtz", np.array([[1, 2, 3]]), [("F", "F", np.array([10.0]))])
    mtz.datasets[-1].wavelength = angstroms
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    outcome = run(f"-hkl a.mtz {SMALL}")
    assert outcome.status == 0
    assert ("its wavelength of 12.66 A is unusual: is its unit wrong?" in outcome.err) is told
    assert "is unusual" not in run(f"-hkl a.mtz {SMALL} -lambda 1").err
