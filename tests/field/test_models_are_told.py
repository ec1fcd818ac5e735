"""Models whose B factors or cells are not what they are taken for."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.formats.structures import atomic_model
from tests.conftest import Run
from tests.field.test_coordinates import CELL as CELL_OF_CRYST1
from tests.field.test_coordinates import CRYST1, atom_lines, save
from tests.formats.structures import MODEL

N_RESIDUES = 40
DUMMY = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\n"
XRAY = "EXPDTA    X-RAY DIFFRACTION\n"
RANDOM = np.random.default_rng(7)

PLDDT = np.clip(98.5 - RANDOM.exponential(9.0, N_RESIDUES), 25.0, 98.9)
"""Most are high, some low."""

DISPLACEMENTS = 12.0 + RANDOM.gamma(2.0, 12.0, N_RESIDUES)
"""Most are low, some high."""


def chain(b_factors: np.ndarray, spread: float = 0.0, ending: str = "") -> str:
    """Alanines, with a B factor each, or as many as atoms."""
    lines, number = [], 0
    for place, b in enumerate(b_factors, 1):
        for at, name in enumerate(("N", "CA", "C", "O", "CB")):
            number += 1
            value = min(b + spread * (at - 2), 99.99 if b > 1.0 else 1.0)
            lines.append(
                f"ATOM  {number:5d}  {name:<3} ALA A{place:4d}    {1.5 * at:8.3f}"
                f"{3.0 * place:8.3f}{5.0:8.3f}{1.0:6.2f}{value:6.2f}          {name[0]:>2}\n"
            )
    return "".join(lines) + ending


WATER = "HETATM 9999  O   HOH B 900       1.000   2.000   3.000  1.00 80.00           O\n"

SUSPECT = {
    "bare": chain(PLDDT),
    "dummy cell": DUMMY + chain(PLDDT),
    "in a crystal": CRYST1 + chain(PLDDT),
    "theoretical": "EXPDTA    THEORETICAL MODEL\n" + chain(PLDDT),
    "of 1": chain(PLDDT / 100.0),
    "one for each atom": chain(PLDDT, spread=0.7),
    "poor": chain(PLDDT - 40.0),
}
TRUSTED = {
    "measured": XRAY + CRYST1 + chain(PLDDT),
    "resolution": "REMARK   2 RESOLUTION.    3.40 ANGSTROMS.\n" + CRYST1 + chain(PLDDT),
    "alphafold as a starting model": (
        XRAY + "REMARK 200 STARTING MODEL: ALPHAFOLD\n" + CRYST1 + chain(DISPLACEMENTS, 2.0)
    ),
    "plain": CRYST1 + chain(DISPLACEMENTS, 2.0),
    "grouped": CRYST1 + chain(DISPLACEMENTS),
    "grouped, high": CRYST1 + chain(DISPLACEMENTS + 40.0),
    "placeholder": CRYST1 + chain(np.full(N_RESIDUES, 80.0)),
    "with water": chain(PLDDT, ending=WATER),
    "not a percentage": CRYST1 + chain(PLDDT).replace(f"{PLDDT[3]:6.2f}", "120.00"),
    "few residues": atom_lines().replace(" 20.00", " 93.00"),
}  # fmt: skip


def said_of(path: Path) -> str:
    return "\n".join(atomic_model.read(path).warnings)


@pytest.mark.parametrize("case", SUSPECT)
def test_numbers_which_look_like_confidences(case: str, tmp_path: Path) -> None:
    assert "pLDDT" in said_of(save(tmp_path / "a.pdb", SUSPECT[case]))


@pytest.mark.parametrize("case", TRUSTED)
def test_numbers_which_are_displacements(case: str, tmp_path: Path) -> None:
    assert "pLDDT" not in said_of(save(tmp_path / "a.pdb", TRUSTED[case]))


def test_measured_models_are_trusted_in_both_formats(tmp_path: Path) -> None:
    assert "pLDDT" not in said_of(MODEL)
    structure = gemmi.read_structure(str(MODEL))
    structure.make_mmcif_document().write_file(str(tmp_path / "a.cif"))
    assert "pLDDT" not in said_of(tmp_path / "a.cif")


@pytest.mark.parametrize("experiment", ["", XRAY])
@pytest.mark.parametrize(
    "name", ["AF-P12345-F1-model_v4.pdb", "x_unrelaxed_rank_001_model_3.pdb", "ranked_0.pdb"]
)
def test_names_of_predictions(name: str, experiment: str, tmp_path: Path) -> None:
    few = atom_lines().replace(" 20.00", " 93.00")
    said = said_of(save(tmp_path / name, experiment + CRYST1 + few))
    assert ("its name is that of a predicted model" in said) == (not experiment)


def test_no_thermal_motion(tmp_path: Path) -> None:
    zero = atom_lines().replace(" 20.00", "  0.00")
    assert "all its B factors are zero" in said_of(save(tmp_path / "a.pdb", CRYST1 + zero))
    one = zero.replace("  0.00", " 10.00", 1)
    assert "zero" not in said_of(save(tmp_path / "b.pdb", CRYST1 + one))
    first = zero.splitlines(keepends=True)[0]
    tensor = "ANISOU" + first[6:28] + f"{1500:7d}{1500:7d}{1500:7d}{0:7d}{0:7d}{0:7d}" + "\n"
    text = CRYST1 + zero.replace(first, first + tensor)
    assert "zero" not in said_of(save(tmp_path / "c.pdb", text))


# cells


@pytest.mark.parametrize(
    ("wavelength", "is_told"), [(1.0, False), (1.01, True), (1.02, True), (1.5, True), (6.2, True)]
)
def test_matrices_for_another_wavelength(
    wavelength: float, is_told: bool, tmp_path: Path, run: Run
) -> None:
    """However large the difference is."""
    save(tmp_path / "a.pdb", CRYST1 + atom_lines())
    edges = np.array(CELL_OF_CRYST1[:3])
    np.savetxt(tmp_path / "a.mat", np.diag(1.0 / edges), fmt="%.9f")
    outcome = run(f"-pdb a.pdb -mat a.mat -lambda {wavelength} -N 2 -detpixels 8 -dmin 4 -nonoise")
    assert outcome.status == 0, outcome.err
    assert ("was the matrix made for 1 A?" in outcome.err) == is_told


def test_boxes_which_are_meant(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "a.pdb", CRYST1 + atom_lines())
    np.savetxt(tmp_path / "a.mat", np.diag([0.02, 0.02, 0.02]), fmt="%.9f")
    for words in ("-mat a.mat -lambda 1", "-cell 60 68 76 -lambda 1"):
        outcome = run(f"-pdb a.pdb {words} -N 2 -detpixels 8 -dmin 4 -nonoise")
        assert outcome.status == 0, outcome.err
        assert "was the matrix made for" not in outcome.err


@pytest.mark.parametrize(
    ("cell", "is_told"),
    [
        ("30 34 38 90 90 90", False),
        ("30.6 34 38 90 90 90", True),
        ("30 34 38 90 92 90", True),
        ("40 40 40 90 90 90", False),
    ],
)
def test_cells_which_convert_does_not_use(
    cell: str, is_told: bool, tmp_path: Path, run: Run
) -> None:
    save(tmp_path / "a.pdb", CRYST1 + atom_lines())
    outcome = run(f"convert a.pdb a.mtz --dmin 4 --cell {cell}")
    assert outcome.status == 0, outcome.err
    told = (
        "--cell: not used, because it is within 3% and 3 degrees of the cell of a.pdb, "
        "30 34 38 90 90 90" in outcome.err
    )
    assert told == is_told
    used = gemmi.read_mtz_file(str(tmp_path / "a.mtz")).cell.parameters
    wanted = CELL_OF_CRYST1 if is_told else tuple(map(float, cell.split()))
    assert used == pytest.approx(wanted)
