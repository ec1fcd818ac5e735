"""Atomic models as other programs write them, against sums over atoms."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.errors import CupysimError, CupysimWarning, FileFormatError
from cupysim.formats.structures import coordinates
from cupysim.formats.structures.coordinates import Recipe
from cupysim.formats.structures.hydrogens import COUNTS, add_hydrogens
from cupysim.models.unit_cell import UnitCell
from tests.conftest import Run
from tests.field.writers import amplitudes, loop, write_cif
from tests.formats.structures import MODEL

ON_A_GRID = 2e-3
"""Relative precision of amplitudes from densities on a grid."""

PARTLY_OCCUPIED = 0.02
"""Relative part of hydrogen atoms which the alternative conformations of 1ORC do not have."""

VACUUM = Recipe(k_sol=0.0)
CELL = (30.0, 34.0, 38.0, 90.0, 90.0, 90.0)
CRYST1 = "CRYST1   30.000   34.000   38.000  90.00  90.00  90.00 P 21 21 21    4\n"
ATOMS: list[tuple[str, str, tuple[float, float, float], float, float]] = [
    ("N", "N", (5.1, 6.2, 7.3), 1.0, 20.0),
    ("CA", "C", (6.5, 6.0, 7.7), 1.0, 20.0),
    ("C", "C", (7.3, 7.2, 7.2), 1.0, 20.0),
    ("O", "O", (6.8, 8.3, 7.1), 1.0, 20.0),
    ("CB", "C", (6.7, 5.8, 9.2), 1.0, 20.0),
]
"""Name, element, position, occupancy, B."""

HKL = np.array([[0, 0, 0], [1, 1, 1], [1, 2, 3], [4, 0, 2], [0, 3, 5], [-2, 5, -1]])


def atom_lines(
    atoms: Sequence[tuple[str, str, tuple[float, float, float], float, float]] = tuple(ATOMS),
) -> str:
    return "".join(
        f"ATOM  {n:5d}  {name:<3} ALA A   1    {x:8.3f}{y:8.3f}{z:8.3f}{occ:6.2f}{b:6.2f}"
        f"          {element:>2}\n"
        for n, (name, element, (x, y, z), occ, b) in enumerate(atoms, 1)
    )


def save(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def direct_sum(
    hkl: np.ndarray,
    places: np.ndarray,
    elements: Sequence[str],
    occupancies: Sequence[float],
    b_factors: Sequence[float],
    cell: Sequence[float] = CELL,
    group: str = "P 21 21 21",
) -> np.ndarray:
    """|sum of f exp(-B s^2/4) exp(2 pi i h x)| over atoms and operators."""
    unit_cell = gemmi.UnitCell(*cell)
    fractions = np.asarray(places) @ np.array(unit_cell.frac.mat.tolist()).T
    total = np.zeros(len(hkl), dtype=complex)
    inverse_d2 = np.array([unit_cell.calculate_1_d2(h) for h in np.asarray(hkl).tolist()])
    factors = np.array(
        [
            [gemmi.Element(name).it92.calculate_sf(s2 / 4.0) for s2 in inverse_d2]
            for name in elements
        ]
    )
    factors *= np.asarray(occupancies)[:, None]
    factors *= np.exp(-np.outer(b_factors, inverse_d2) / 4.0)
    for op in gemmi.SpaceGroup(group).operations():
        moved = np.array([op.apply_to_xyz(place) for place in fractions.tolist()])
        total += (factors * np.exp(2j * np.pi * (moved @ np.asarray(hkl).T))).sum(axis=0)
    return np.abs(total)


def summed(
    atoms: Sequence[tuple[str, str, tuple[float, float, float], float, float]],
) -> np.ndarray:
    _, elements, places, occupancies, b_factors = zip(*atoms, strict=True)
    return direct_sum(HKL, np.array(places), elements, occupancies, b_factors)


def read(path: Path, dmin: float = 2e-10, **more: object) -> coordinates.Structure:
    return coordinates.read(path, dmin, VACUUM, **more)  # type: ignore[arg-type]


def check(structure: coordinates.Structure, expected: np.ndarray, hkl: np.ndarray = HKL) -> None:
    tolerance = ON_A_GRID * expected.max()
    np.testing.assert_allclose(amplitudes(structure, hkl), expected, rtol=0, atol=tolerance)


def moved(rotation: np.ndarray, shift: np.ndarray) -> list[tuple]:
    return [
        (name, element, tuple((rotation @ np.array(place) + shift).tolist()), occ, b)
        for name, element, place, occ, b in ATOMS
    ]


HALF_TURN, SHIFT = np.diag([-1.0, -1.0, 1.0]), np.array([25.0, 27.0, 9.0])


@pytest.mark.parametrize("given", [False, True])
def test_strict_ncs(given: bool, tmp_path: Path) -> None:
    """Of an operator whose copy is in the file, no other copy is made."""
    flag = "1" if given else " "
    records = "".join(
        f"MTRIX{row + 1}   2{r[0]:10.6f}{r[1]:10.6f}{r[2]:10.6f}     {s:10.5f}    {flag}\n"
        for row, (r, s) in enumerate(zip(HALF_TURN, SHIFT, strict=True))
    )
    structure = read(save(tmp_path / "a.pdb", CRYST1 + records + atom_lines()))
    check(structure, summed(ATOMS if given else [*ATOMS, *moved(HALF_TURN, SHIFT)]))
    assert given or "1 copies by strict NCS" in "\n".join(structure.notes)


def test_strict_ncs_of_mmcif(tmp_path: Path) -> None:
    plain = gemmi.read_pdb_string(CRYST1 + atom_lines())
    transform = gemmi.Transform()
    transform.mat.fromlist(HALF_TURN.tolist())
    transform.vec.fromlist(SHIFT.tolist())
    plain.ncs.append(gemmi.NcsOp(transform, "2", False))
    plain.make_mmcif_document().write_file(str(tmp_path / "a.cif"))
    assert "_struct_ncs_oper.code" in (tmp_path / "a.cif").read_text()
    check(read(tmp_path / "a.cif"), summed([*ATOMS, *moved(HALF_TURN, SHIFT)]))


@pytest.mark.parametrize("occupancy", [0.5, 1.0])
def test_several_models(occupancy: float, tmp_path: Path) -> None:
    models = [
        [(n, e, (x + 0.3 * k, y, z), occupancy, b) for n, e, (x, y, z), _, b in ATOMS]
        for k in (1, 2)
    ]
    text = "".join(
        f"MODEL     {number:4d}\n{atom_lines(atoms)}ENDMDL\n"
        for number, atoms in enumerate(models, 1)
    )
    path = save(tmp_path / "a.pdb", CRYST1 + text)
    if occupancy == 0.5:
        check(read(path), summed([*models[0], *models[1]]))
    else:
        with pytest.warns(CupysimWarning, match="2 models: the first one is used, 1 are left out"):
            structure = read(path)
        check(structure, summed(models[0]))


def test_unknown_elements(tmp_path: Path) -> None:
    strange = ("CX", "CX", (10.0, 10.0, 10.0), 1.0, 20.0)
    path = save(tmp_path / "a.pdb", CRYST1 + atom_lines([*ATOMS, strange]))
    with pytest.warns(CupysimWarning, match=r"1 atoms of unknown elements .* oxygen: CX of ALA 1"):
        structure = read(path)
    check(structure, summed([*ATOMS, ("CX", "O", *strange[2:])]))


@pytest.mark.parametrize(
    ("element", "message"),
    [("X", "no atom has a known element"), ("Es", "no form factor is known for the element Es")],
)
def test_elements_without_form_factor(element: str, message: str, tmp_path: Path) -> None:
    atoms = [("X1", element, place, occ, b) for _, _, place, occ, b in ATOMS]
    with pytest.raises(FileFormatError, match=message):
        read(save(tmp_path / "a.pdb", CRYST1 + atom_lines(atoms)))


def test_deuterium_charges_and_altlocs(tmp_path: Path) -> None:
    """Deuterium scatters as hydrogen, ions have factors of their own, altlocs their occupancies."""
    lines = atom_lines([("D", "D", (8.0, 8.0, 8.0), 1.0, 10.0)])
    ion = atom_lines([("NA", "NA", (12.0, 3.0, 5.0), 1.0, 10.0)]).rstrip("\n") + "1+\n"
    split = atom_lines([("C", "C", (1.0, 2.0, 3.0), 0.3, 10.0), ("C", "C", (1.5, 2.0, 3.0), 0.7,
                        10.0)])  # fmt: skip
    split = "\n".join(
        line[:16] + letter + line[17:]
        for letter, line in zip("AB", split.splitlines(), strict=True)
    )
    structure = read(save(tmp_path / "a.pdb", CRYST1 + lines + ion + split + "\n"))
    forward = amplitudes(structure, np.array([[0, 0, 0]]))[0]
    assert forward == pytest.approx(4 * (1 + 10 + 6), rel=ON_A_GRID)
    assert "1 Na1+" in "\n".join(structure.notes)
    gemmi.IT92_set_ignore_charge(False)
    f_ion = gemmi.IT92_get_exact(gemmi.Element("Na"), 1)
    gemmi.IT92_set_ignore_charge(True)
    hkl = np.array([[3, 2, 4]])
    s2 = gemmi.UnitCell(*CELL).calculate_1_d2(hkl[0].tolist())
    atoms = [
        ("H", (8.0, 8.0, 8.0), 1.0), ("Na", (12.0, 3.0, 5.0), 1.0), ("C", (1.0, 2.0, 3.0), 0.3),
        ("C", (1.5, 2.0, 3.0), 0.7),
    ]  # fmt: skip
    elements, places, occupancies = zip(*atoms, strict=True)
    scale = f_ion.calculate_sf(s2 / 4) / gemmi.Element("Na").it92.calculate_sf(s2 / 4)
    weights = np.array(occupancies) * np.where(np.array(elements) == "Na", scale, 1.0)
    expected = direct_sum(hkl, np.array(places), elements, weights, [10.0] * 4)
    check(structure, expected, hkl)


def test_anisotropic_b_factors(tmp_path: Path) -> None:
    u = np.array([0.40, 0.10, 0.20, 0.05, -0.04, 0.02])
    lines = atom_lines(ATOMS[:1])
    record = "ANISOU" + lines[6:28] + "".join(f"{round(1e4 * value):7d}" for value in u)
    record += "       N\n"
    structure = read(save(tmp_path / "a.pdb", CRYST1 + lines + record))
    cell = gemmi.UnitCell(*CELL)
    matrix = np.array([[u[0], u[3], u[4]], [u[3], u[1], u[5]], [u[4], u[5], u[2]]])
    total = np.zeros(len(HKL), dtype=complex)
    place = np.array(ATOMS[0][2])
    for op in gemmi.SpaceGroup("P 21 21 21").operations():
        rotation = np.array(op.rot) / op.DEN
        at = np.array(op.apply_to_xyz((place / CELL[:3]).tolist()))
        s = HKL / np.array(CELL[:3])
        turned = rotation @ matrix @ rotation.T
        debye = np.exp(-2 * np.pi**2 * np.einsum("ni,ij,nj->n", s, turned, s))
        f = [gemmi.Element("N").it92.calculate_sf(cell.calculate_1_d2(h) / 4) for h in HKL.tolist()]
        total += np.array(f) * debye * np.exp(2j * np.pi * (HKL @ at))
    check(structure, np.abs(total))


def test_impossible_anisotropic_b_factors(tmp_path: Path) -> None:
    lines = atom_lines(ATOMS[:1])
    record = "ANISOU" + lines[6:28] + "  -4000   1000   1000      0      0      0       N\n"
    with pytest.warns(CupysimWarning, match="anisotropic B factors of 1 atoms are impossible"):
        structure = read(save(tmp_path / "a.pdb", CRYST1 + lines + record))
    check(structure, summed(ATOMS[:1]))


def test_a_cell_which_the_group_forbids(tmp_path: Path) -> None:
    text = CRYST1.replace("P 21 21 21", "P 4       ") + atom_lines()
    with pytest.raises(FileFormatError, match="P 4 forbids its cell 30 34 38 90 90 90"):
        read(save(tmp_path / "a.pdb", text))


def scale_records(edges: Sequence[float]) -> str:
    return "".join(
        f"SCALE{row + 1}    "
        + "".join(f"{1.0 / edge if column == row else 0.0:10.6f}" for column in range(3))
        + "        0.00000\n"
        for row, edge in enumerate(edges)
    )


def test_scale_records_of_another_cell(tmp_path: Path) -> None:
    right = save(tmp_path / "a.pdb", CRYST1 + scale_records(CELL[:3]) + atom_lines())
    check(read(right), summed(ATOMS))
    wrong = save(tmp_path / "b.pdb", CRYST1 + scale_records((60, 34, 38)) + atom_lines())
    with pytest.raises(
        FileFormatError, match=r"SCALE records .* cell 59.999 34 38 .* but its cell is 30 34"
    ):
        read(wrong)


def test_scale_records_of_another_orientation(tmp_path: Path) -> None:
    """The same crystal in another frame: atoms and SCALE are turned together."""
    turn = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    scale = np.diag(1.0 / np.array(CELL[:3])) @ turn.T
    records = "".join(
        f"SCALE{row + 1}    "
        + "".join(f"{value:10.6f}" for value in scale[row])
        + "        0.00000\n"
        for row in range(3)
    )
    atoms = [(n, e, tuple((turn @ np.array(p)).tolist()), o, b) for n, e, p, o, b in ATOMS]
    check(read(save(tmp_path / "a.pdb", CRYST1 + records + atom_lines(atoms))), summed(ATOMS))


DUMMIES = {
    "none": "",
    "dummy": "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\n",
    "other crystal": CRYST1,
}


@pytest.mark.parametrize("record", DUMMIES.values(), ids=DUMMIES)
def test_a_box(record: str, tmp_path: Path, run: Run) -> None:
    edges = (60.0, 61.0, 62.0)
    path = save(tmp_path / "a.pdb", record + atom_lines())
    structure = read(path, box=UnitCell(edges))
    _, elements, places, occupancies, b_factors = zip(*ATOMS, strict=True)
    expected = direct_sum(
        HKL, np.array(places), elements, occupancies, b_factors, (*edges, 90, 90, 90), "P 1"
    )
    check(structure, expected)
    assert "stands alone in a P 1 cell of 60 61 62" in "\n".join(structure.notes)
    if not record:
        outcome = run(f"-pdb {path} -N 2 -detpixels 8 -dmin 3")
        assert (outcome.status, outcome.files) == (9, {})
        assert "-cell puts the model into a P1 box" in outcome.err
        words = "-N 2 -detpixels 8 -dmin 3 -cell 60 61 62 -nonoise"
        assert run(f"-pdb {path} {words}").status == 0


def test_a_box_of_a_matrix(tmp_path: Path, run: Run) -> None:
    path = save(tmp_path / "a.pdb", CRYST1 + atom_lines())
    (tmp_path / "a.mat").write_text("0.02 0 0\n0 0.02 0\n0 0 0.02\n")
    outcome = run(f"-pdb {path} -mat a.mat -lambda 1 -N 2 -detpixels 8 -dmin 3 -nonoise")
    assert "stands alone in a P 1 cell of 50 50 50 90 90 90" in outcome.out


def test_a_slightly_different_cell_is_no_box(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pdb", CRYST1 + atom_lines())
    check(read(path, box=UnitCell((30.3, 34.0, 38.0))), summed(ATOMS))


def test_a_box_which_is_too_small(tmp_path: Path) -> None:
    far = ("CB", "C", (60.0, 5.8, 9.2), 1.0, 20.0)
    path = save(tmp_path / "a.pdb", atom_lines([*ATOMS, far]))
    with pytest.warns(CupysimWarning, match="is larger than the box"):
        read(path, box=UnitCell((20.0, 20.0, 20.0)))


def test_special_positions_with_full_occupancy(tmp_path: Path) -> None:
    text = CRYST1.replace("P 21 21 21", "P 2 2 2   ")
    path = save(tmp_path / "a.pdb", text + atom_lines([("O", "O", (0.0, 0.0, 9.0), 1.0, 20.0)]))
    with pytest.warns(
        CupysimWarning, match="1 atoms on special positions are counted several times"
    ):
        read(path)


# damaged and incomplete records


@pytest.mark.parametrize(
    ("columns", "value", "message"),
    [
        ((38, 46), "********", "line 3: coordinate is not a number"),
        ((30, 38), "   5,700", "line 3: coordinate is not a number"),
        ((54, 60), "  x.00", "line 3: occupancy is not a number"),
        ((60, 66), "   inf", "line 3: impossible B factor"),
    ],
)
def test_damaged_columns(
    columns: tuple[int, int], value: str, message: str, tmp_path: Path
) -> None:
    lines = (CRYST1 + atom_lines()).splitlines()
    lines[2] = lines[2][: columns[0]] + value + lines[2][columns[1] :]
    with pytest.raises(FileFormatError, match=message):
        read(save(tmp_path / "a.pdb", "\n".join(lines) + "\n"))


def test_records_which_end_early(tmp_path: Path) -> None:
    lines = [line[:54] for line in atom_lines().splitlines()]
    path = save(tmp_path / "a.pdb", CRYST1 + "\n".join(lines) + "\n")
    with pytest.warns(CupysimWarning) as caught:
        structure = read(path)
    check(structure, summed(ATOMS))
    told = " ".join(str(each.message) for each in caught)
    assert "5 atoms have no occupancy: 1 is assumed" in told
    assert "5 atoms have no B factor: 20 A^2 is assumed" in told


@pytest.mark.parametrize(("before", "end"), [("\ufeff", "\n"), ("", "\r"), ("", "\r\n")])
def test_line_ends_and_byte_order_marks(before: str, end: str, tmp_path: Path) -> None:
    (tmp_path / "a.pdb").write_bytes((before + (CRYST1 + atom_lines()).replace("\n", end)).encode())
    check(read(tmp_path / "a.pdb"), summed(ATOMS))


def test_atoms_behind_the_end(tmp_path: Path) -> None:
    other = atom_lines(moved(HALF_TURN, SHIFT)).replace("ALA A", "ALA B")
    text = CRYST1 + atom_lines() + "END\n" + CRYST1 + other + "END\n"
    structure = read(save(tmp_path / "a.pdb", text))
    check(structure, summed([*ATOMS, *moved(HALF_TURN, SHIFT)]))
    assert "5 atoms after an END record are used too" in "\n".join(structure.notes)


@pytest.mark.parametrize("chain", ["A", "B"])
def test_atoms_which_count_twice(chain: str, tmp_path: Path) -> None:
    text = CRYST1 + atom_lines() + atom_lines().replace("ALA A", f"ALA {chain}")
    message = "add up to more than one" if chain == "A" else "5 atoms lie on top of another"
    with pytest.warns(CupysimWarning, match=message):
        read(save(tmp_path / "a.pdb", text))


def test_impossible_ncs(tmp_path: Path) -> None:
    record = (
        "MTRIX1   2  1.000000  0.000000       inf        0.00000\n"
        "MTRIX2   2  0.000000  1.000000  0.000000        0.00000\n"
        "MTRIX3   2  0.000000  0.000000  1.000000        0.00000\n"
    )
    with pytest.raises(FileFormatError, match="NCS"):
        read(save(tmp_path / "a.pdb", CRYST1 + record + atom_lines()))


# memory


def test_memory_is_known_beforehand(tmp_path: Path, run: Run) -> None:
    text = "CRYST1  900.000  900.000  900.000  90.00  90.00  90.00 P 1           1\n"
    path = save(tmp_path / "a.pdb", text + atom_lines())
    outcome = run(f"-pdb {path} -N 1 -detpixels 64 -pixel 3 -lambda 1")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert re.search(r"need grids of [\d.]+ GiB.*-dmin", outcome.err), outcome.err
    assert run(f"-pdb {path} -N 1 -detpixels 64 -dmin 30 -nonoise").status == 0


# hydrogen atoms

FORMULAS = {
    "ALA": 5, "ARG": 13, "ASN": 6, "ASP": 4, "CYS": 5, "GLN": 8, "GLU": 6, "GLY": 3, "HIS": 7,
    "ILE": 11, "LEU": 11, "LYS": 13, "MET": 9, "MSE": 9, "PHE": 9, "PRO": 7, "SER": 5, "THR": 7,
    "TRP": 10, "TYR": 9, "VAL": 9, "HOH": 2, "A": 11, "G": 11, "C": 11, "U": 10, "DA": 11,
    "DG": 11, "DC": 11, "DT": 12,
}  # fmt: skip
"""Hydrogen atoms of a residue in a chain at neutral pH, from its sum formula: of an amino acid less
one water, ASP and GLU less one proton, LYS and ARG with one more; of a nucleotide monophosphate
less one water and two protons."""

ALTERNATIVE = {"DT": 3, "T": 3, "ILE": 3}
"""Atoms which two names of the same methyl group have twice."""

ENDS = ("O5'", "O3'")
"""Atoms of a nucleotide which have a hydrogen atom only at the end of a chain."""


@pytest.mark.parametrize("residue", FORMULAS)
def test_hydrogens_of_residues(residue: str) -> None:
    counts = {name: count for name, count in COUNTS[residue].items() if name not in ENDS}
    assert sum(counts.values()) - ALTERNATIVE.get(residue, 0) == FORMULAS[residue]


def hydrogens_by_parent(model: gemmi.Model) -> dict[str, int]:
    """How many hydrogen atoms each atom has, by residue and the nearest other atom."""
    add_hydrogens(model)
    found: dict[str, int] = {}
    for chain in model:
        for residue in chain:
            heavy = [atom for atom in residue if not atom.is_hydrogen()]
            for atom in residue:
                if atom.is_hydrogen():
                    near = min(heavy, key=lambda each: each.pos.dist(atom.pos))
                    key = f"{residue.name}{residue.seqid}:{near.name}"
                    found[key] = found.get(key, 0) + 1
    return found


def test_hydrogens_behind_a_gap() -> None:
    """An amide whose neighbour is not in the model is still an amide; the first one is not."""
    model = gemmi.read_structure(str(MODEL))[0]
    model.remove_alternative_conformations()
    chain = model[0]
    first = next(each for each in chain if each.name in FORMULAS and "N" in each)
    gone = [number for number, each in enumerate(chain) if each.seqid.num == first.seqid.num + 9]
    name = f"{chain[gone[0] + 1].name}{chain[gone[0] + 1].seqid}"
    assert chain[gone[0] + 1].name != "PRO"
    del chain[gone[0]]
    found = hydrogens_by_parent(model)
    assert found[f"{name}:N"] == 1
    assert found[f"{first.name}{first.seqid}:N"] == 3


def test_hydrogens_of_two_residues_in_one_place() -> None:
    model = gemmi.read_structure(str(MODEL))[0]
    model.remove_alternative_conformations()
    chain = model[0]
    at = next(n for n, each in enumerate(chain) if each.name == "LEU" and n > 3)
    other = chain[at].clone()
    other.name = "ALA"
    for number in range(len(other) - 1, -1, -1):
        if other[number].name not in ("N", "CA", "C", "O", "CB"):
            del other[number]
    chain.add_residue(other, at + 1)
    for residue, altloc in ((chain[at], "A"), (chain[at + 1], "B")):
        for atom in residue:
            atom.altloc, atom.occ = altloc, 0.5
    place = chain[at].seqid
    found = hydrogens_by_parent(model)
    assert found[f"LEU{place}:N"] == found[f"ALA{place}:N"] == 1
    assert found[f"ALA{place}:CB"] == 3
    assert found[f"LEU{place}:CD2"] == 3


def residue_at(
    name: str, number: int, atoms: dict[str, tuple[float, float, float]], flag: str = "A"
) -> gemmi.Residue:
    residue = gemmi.Residue()
    residue.name, residue.seqid, residue.het_flag = name, gemmi.SeqId(str(number)), flag
    for label, place in atoms.items():
        atom = gemmi.Atom()
        element = label if label in ("ZN",) else label[0]
        atom.name, atom.element, atom.pos = label, gemmi.Element(element), gemmi.Position(*place)
        residue.add_atom(atom)
    return residue


def model_of(*residues: gemmi.Residue) -> gemmi.Model:
    model, chain = gemmi.Model(1), gemmi.Chain("A")
    for residue in residues:
        chain.add_residue(residue)
    model.add_chain(chain)
    return model


def test_a_bond_takes_the_place_of_a_hydrogen() -> None:
    """A glycan on asparagine, a metal on cysteine and on histidine; water takes none."""
    amide = {"CG": (0.0, 0.0, 0.0), "ND2": (1.33, 0.0, 0.0)}
    sugar = residue_at("NAG", 2, {"C1": (2.0, 1.25, 0.0)}, "H")
    water = residue_at("HOH", 3, {"O": (2.0, -1.2, 0.0)}, "H")
    found = hydrogens_by_parent(model_of(residue_at("ASN", 1, amide), sugar, water))
    assert found["ASN1:ND2"] == 1
    assert hydrogens_by_parent(model_of(residue_at("ASN", 1, amide), water))["ASN1:ND2"] == 2
    zinc = residue_at("ZN", 9, {"ZN": (2.3, 1.0, 0.0)}, "H")
    thiol = residue_at("CYS", 1, {"CB": (-1.0, 1.5, 0.0), "SG": (0.0, 0.0, 0.0)})
    assert hydrogens_by_parent(model_of(thiol))["CYS1:SG"] == 1
    assert "CYS1:SG" not in hydrogens_by_parent(model_of(thiol, zinc))
    ring = {"CG": (0.0, 0.0, 0.0), "ND1": (0.75, 1.16, 0.0), "CE1": (2.04, 0.85, 0.0),
            "NE2": (2.17, -0.47, 0.0), "CD2": (0.89, -1.0, 0.0)}  # fmt: skip
    plain = hydrogens_by_parent(model_of(residue_at("HIS", 1, ring)))
    assert (plain["HIS1:ND1"], plain.get("HIS1:NE2", 0)) == (1, 0)
    near = residue_at("ZN", 9, {"ZN": (0.1, 3.1, 0.0)}, "H")
    bound = hydrogens_by_parent(model_of(residue_at("HIS", 1, ring), near))
    assert (bound.get("HIS1:ND1", 0), bound["HIS1:NE2"]) == (0, 1)


def test_hydrogens_of_old_names() -> None:
    """ILE with CD; DNA with the names of RNA and C1* in place of C1'."""
    chain = {"CB": (0.0, 0.0, 0.0), "CG1": (1.5, 0.0, 0.0), "CD": (2.0, 1.45, 0.0)}
    assert hydrogens_by_parent(model_of(residue_at("ILE", 1, chain)))["ILE1:CD"] == 3
    ring = {"C1*": (0.0, 0.0, 0.0), "C2*": (1.5, 0.0, 0.0), "C3*": (2.0, 1.45, 0.0)}
    oxygen = {"O2*": (2.0, -1.35, 0.0)}
    end = {"O3*": (3.4, 1.5, 0.0)}
    next_one = {name: (x, y, z + 10.0) for name, (x, y, z) in (ring | end).items()}
    dna = hydrogens_by_parent(
        model_of(residue_at("A", 1, ring | end), residue_at("A", 2, next_one))
    )
    assert (dna["A1:C2*"], dna.get("A1:O3*", 0), dna["A2:O3*"]) == (2, 0, 1)
    rna = hydrogens_by_parent(model_of(residue_at("A", 1, ring | oxygen)))
    assert (rna["A1:C2*"], rna["A1:O2*"]) == (1, 1)


def test_hydrogens_are_where_they_must_be() -> None:
    """Within bonding distance of one atom, far from all others; each residue's number of them."""
    model = gemmi.read_structure(str(MODEL))[0]
    # of two conformations, one is enough here
    model.remove_alternative_conformations()
    heavy = model.count_atom_sites()
    count, unknown = add_hydrogens(model)
    assert unknown == []
    assert model.count_atom_sites() == heavy + count
    for chain in model:
        for residue in chain:
            places = np.array([atom.pos.tolist() for atom in residue])
            is_hydrogen = np.array([atom.is_hydrogen() for atom in residue])
            for place in places[is_hydrogen]:
                distances = np.sort(np.linalg.norm(places - place, axis=1))[1:]
                assert 0.8 < distances[0] < 1.25, residue
                # the nearest but its parent: another hydrogen of a methyl or water
                assert len(distances) == 1 or distances[1] > 1.25, residue


def test_hydrogens_on_demand(tmp_path: Path) -> None:
    def forward(**more: bool) -> tuple[float, str]:
        structure = coordinates.read(MODEL, 4e-10, Recipe(k_sol=0.0, **more))
        return amplitudes(structure, np.array([[0, 0, 0]]))[0], "\n".join(structure.notes)

    plain, notes = forward()
    assert "no hydrogen atoms; -hydrogens adds them" in notes
    with_hydrogens, notes = forward(hydrogens=True)
    added = int(re.search(r"(\d+) hydrogen atoms are added", notes)[1])  # type: ignore[index]
    # 64 residues and 57 waters; an average residue has eight
    assert 550 < added < 700
    assert with_hydrogens - plain == pytest.approx(4 * added, rel=PARTLY_OCCUPIED)


# contrast


def test_contrast(tmp_path: Path, run: Run) -> None:
    """Electrons less those of the displaced solvent: about 1.23 A^3 of protein a dalton."""
    box = UnitCell((80.0, 81.0, 82.0))
    protein = tmp_path / "a.pdb"
    lines = [line for line in MODEL.read_text().splitlines() if line.startswith("ATOM")]
    save(protein, "\n".join(lines) + "\n")
    found = {}
    for dmin in (3e-10, 10e-10):
        for contrast in (False, True):
            recipe = Recipe(hydrogens=True, contrast=contrast)
            structure = coordinates.read(protein, dmin, recipe, box=box)
            found[dmin, contrast] = amplitudes(structure, np.array([[0, 0, 0]]))[0]
    model = gemmi.read_structure(str(protein))[0]
    add_hydrogens(model)
    electrons = sum(a.atom.occ * a.atom.element.atomic_number for a in model.all())
    mass = sum(a.atom.occ * a.atom.element.weight for a in model.all())
    for dmin in (3e-10, 10e-10):
        assert found[dmin, True] == pytest.approx(electrons - 0.35 * 1.23 * mass, rel=0.15)
        whole = electrons + 0.35 * (80 * 81 * 82 - 1.23 * mass)
        assert found[dmin, False] == pytest.approx(whole, rel=0.005)
    outcome = run(f"-pdb {protein} -cell 80 81 82 -dmin 10 -F000 contrast -N 1 -detpixels 8")
    assert "electrons (contrast to the solvent)" in outcome.out


def test_f000_of_reflections(run: Run) -> None:
    run("-h")
    Path("a.hkl").write_text("1 0 0 5\n")
    words = "-cell 30 -lambda 2 -N 2 -detpixels 8 -pixel 2 -nonoise -nodump"
    outcome = run(f"-hkl a.hkl {words} -F000 520 -h5file a.h5")
    assert outcome.status == 0, outcome.err
    from cupysim.formats import nexus

    factors = nexus.read("a.h5").experiment.structure_factors
    assert factors.table is not None
    assert factors.table[tuple(-np.array(factors.first))] == 520.0
    for value, message in (
        ("contrast", "'contrast' needs a model"),
        ("-5", "must not be negative, got -5"),
        ("many", "expected a number or 'contrast', got 'many'"),
    ):
        outcome = run(f"-hkl a.hkl {words} -F000 {value} -floatfile other.bin")
        assert (outcome.status, outcome.files) == (9, {}), value
        assert message in outcome.err


# small molecules

UREA = [
    ("C1", "C", (0.0, 0.5, 0.33)),
    ("O1", "O", (0.0, 0.5, 0.60)),
    ("N1", "N", (0.145, 0.645, 0.18)),
]
UREA_CELL = (5.6, 5.6, 4.7, 90.0, 90.0, 90.0)
UREA_HEAD = "".join(
    f"_cell_{name} {value}\n"
    for name, value in zip(
        ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"),
        UREA_CELL,
        strict=True,
    )
)
SITE = ["_atom_site_label", "_atom_site_type_symbol", *(f"_atom_site_fract_{x}" for x in "xyz"),
        "_atom_site_U_iso_or_equiv"]  # fmt: skip


def urea_amplitudes(hkl: np.ndarray) -> np.ndarray:
    """Two molecules: each site once, not once for each of the eight operators."""
    group = gemmi.SpaceGroup("P -4 21 m").operations()
    total = np.zeros(len(hkl), dtype=complex)
    cell = gemmi.UnitCell(*UREA_CELL)
    s2 = np.array([cell.calculate_1_d2(h) for h in hkl.tolist()])
    for _, element, place in UREA:
        seen: list[np.ndarray] = []
        for op in group:
            at = np.array(op.apply_to_xyz(list(place)))
            if any(np.abs(at - o - np.rint(at - o)).max() < 1e-6 for o in seen):
                continue
            seen.append(at)
            f = [gemmi.Element(element).it92.calculate_sf(s / 4.0) for s in s2]
            debye = np.exp(-8 * np.pi**2 * 0.02 * s2 / 4.0)
            total += np.array(f) * debye * np.exp(2j * np.pi * (hkl @ at))
    return np.abs(total)


@pytest.mark.parametrize("symmetry", ["name", "operators"])
def test_small_molecule(symmetry: str, tmp_path: Path) -> None:
    head = UREA_HEAD
    if symmetry == "name":
        head += "_symmetry_space_group_name_H-M   'P -4 21 m'\n"
    else:
        operators = gemmi.SpaceGroup("P -4 21 m").operations()
        head += loop(
            ["_space_group_symop_operation_xyz"], [(f"'{op.triplet()}'",) for op in operators]
        )
    rows = [(label, element, *place, "0.020(1)") for label, element, place in UREA]
    path = write_cif(tmp_path / "urea.cif", {"toy": head + loop(SITE, rows)})
    hkl = np.array([[0, 0, 0], [1, 1, 0], [2, 1, 1], [0, 0, 2], [3, 0, 1]])
    check(read(path, 0.8e-10), urea_amplitudes(hkl), hkl)


def test_small_molecule_in_a_group_without_a_name(tmp_path: Path) -> None:
    """P -1 with its origin off a centre: gemmi has no name for these operators."""
    head = UREA_HEAD + loop(
        ["_symmetry_equiv_pos_as_xyz"], [("'x,y,z'",), ("'-x+1/8,-y,-z+1/12'",)]
    )
    rows = [("N1", "N", 0.31, 0.22, 0.13, 0.02)]
    path = write_cif(tmp_path / "a.cif", {"toy": head + loop(SITE, rows)})
    hkl = np.array([[1, 0, 0], [1, 2, 1], [2, -1, 3]])
    places = np.array([[0.31, 0.22, 0.13], [-0.31 + 1 / 8, -0.22, -0.13 + 1 / 12]])
    cell = gemmi.UnitCell(*UREA_CELL)
    s2 = np.array([cell.calculate_1_d2(h) for h in hkl.tolist()])
    f = np.array([gemmi.Element("N").it92.calculate_sf(s / 4.0) for s in s2])
    expected = np.abs(
        f * np.exp(-8 * np.pi**2 * 0.02 * s2 / 4) * np.exp(2j * np.pi * hkl @ places.T).sum(axis=1)
    )
    structure = read(path, 0.8e-10)
    check(structure, expected, hkl)
    assert structure.space_group == "of 2 operators"


def test_small_molecule_with_anisotropic_displacements(tmp_path: Path) -> None:
    """U of a CIF is along a*, b*, c*: exp(-2 pi^2 sum U_ij h_i h_j a*_i a*_j)."""
    cell = (6.0, 7.0, 8.0, 75.0, 82.0, 98.0)
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    head = "".join(f"_cell_{n} {v}\n" for n, v in zip(names, cell, strict=True))
    head += "_symmetry_space_group_name_H-M 'P 1'\n"
    u = np.array([[0.05, 0.01, -0.01], [0.01, 0.02, 0.005], [-0.01, 0.005, 0.03]])
    rows = [("C1", "C", 0.1, 0.2, 0.3, 0.03)]
    aniso = ["_atom_site_aniso_label", *(f"_atom_site_aniso_U_{ij}" for ij in
             ("11", "22", "33", "12", "13", "23"))]  # fmt: skip
    values = [("C1", u[0, 0], u[1, 1], u[2, 2], u[0, 1], u[0, 2], u[1, 2])]
    path = write_cif(tmp_path / "a.cif", {"toy": head + loop(SITE, rows) + loop(aniso, values)})
    hkl = np.array([[1, 0, 0], [2, -3, 1], [0, 2, 4], [-4, 1, 2]])
    unit_cell = gemmi.UnitCell(*cell)
    reciprocal = np.array(unit_cell.reciprocal().parameters[:3])
    s = hkl * reciprocal
    f = [
        gemmi.Element("C").it92.calculate_sf(unit_cell.calculate_1_d2(h) / 4) for h in hkl.tolist()
    ]
    expected = np.array(f) * np.exp(-2 * np.pi**2 * np.einsum("ni,ij,nj->n", s, u, s))
    check(read(path, 0.9e-10), expected, hkl)


CARBON = [("C1", "C", 0.1, 0.2, 0.3)]
TRICLINIC = (6.0, 7.0, 8.0, 75.0, 82.0, 98.0)
TENSOR = np.array([[0.05, 0.01, -0.01], [0.01, 0.02, 0.005], [-0.01, 0.005, 0.03]])
"""U along a*, b*, c* (Angstrom^2)."""


def triclinic(items: str) -> str:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    head = "".join(f"_cell_{n} {v}\n" for n, v in zip(names, TRICLINIC, strict=True))
    return head + "_symmetry_space_group_name_H-M 'P 1'\n" + items


def carbon(hkl: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    cell = gemmi.UnitCell(*TRICLINIC)
    f = [gemmi.Element("C").it92.calculate_sf(cell.calculate_1_d2(h) / 4) for h in hkl.tolist()]
    return np.array(f) * np.exp(-exponents)


@pytest.mark.parametrize("kind", ["B", "beta"])
def test_tensors_of_other_kinds(kind: str, tmp_path: Path) -> None:
    """exp(-B s^2/4) has 8 pi^2 U for B; beta is 2 pi^2 U_ij a*_i a*_j."""
    reciprocal = np.array(gemmi.UnitCell(*TRICLINIC).reciprocal().parameters[:3])
    scale = 8 * np.pi**2 if kind == "B" else 2 * np.pi**2 * np.outer(reciprocal, reciprocal)
    values = scale * TENSOR
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    tags = ["_atom_site_aniso_label"]
    tags += [f"_atom_site_aniso_{kind}_{i + 1}{j + 1}" for i, j in pairs]
    text = triclinic(
        loop(SITE[:5], CARBON) + loop(tags, [("C1", *(f"{values[p]:.9f}" for p in pairs))])
    )
    hkl = np.array([[1, 0, 0], [2, -3, 1], [0, 2, 4], [-4, 1, 2]])
    s = hkl * reciprocal
    expected = carbon(hkl, 2 * np.pi**2 * np.einsum("ni,ij,nj->n", s, TENSOR, s))
    check(read(write_cif(tmp_path / "a.cif", {"x": text}), 0.9e-10), expected, hkl)


@pytest.mark.parametrize("with_u", [False, True])
def test_b_in_place_of_u(with_u: bool, tmp_path: Path) -> None:
    tags = [*SITE[:5], "_atom_site_B_iso_or_equiv", *(["_atom_site_U_iso_or_equiv"] * with_u)]
    rows = [(*CARBON[0], "3.0(1)", *(["?"] * with_u))]
    hkl = np.array([[1, 0, 0], [2, -3, 1], [0, 2, 4]])
    s2 = np.array([gemmi.UnitCell(*TRICLINIC).calculate_1_d2(h) for h in hkl.tolist()])
    path = write_cif(tmp_path / "a.cif", {"x": triclinic(loop(tags, rows))})
    check(read(path, 0.9e-10), carbon(hkl, 3.0 * s2 / 4.0), hkl)


def test_without_displacements(tmp_path: Path) -> None:
    path = write_cif(tmp_path / "a.cif", {"x": triclinic(loop(SITE[:5], CARBON))})
    hkl = np.array([[1, 0, 0], [2, -3, 1]])
    with pytest.warns(CupysimWarning, match="1 atoms have no displacement parameter: B = 0"):
        check(read(path, 0.9e-10), carbon(hkl, np.zeros(2)), hkl)


def test_dummies_of_small_molecules(tmp_path: Path) -> None:
    rows = [(*CARBON[0], 0.02, "d"), ("Cg1", "C", 0.5, 0.5, 0.5, 0.02, "dum")]
    text = triclinic(loop([*SITE, "_atom_site_calc_flag"], rows))
    structure = read(write_cif(tmp_path / "a.cif", {"x": text}), 0.9e-10)
    assert amplitudes(structure, np.zeros((1, 3), int))[0] == pytest.approx(6, rel=ON_A_GRID)
    assert "1 dummy atoms are left out" in "\n".join(structure.notes)


def test_labels_of_dummies_are_no_elements(tmp_path: Path) -> None:
    rows = [("C1", 0.1, 0.2, 0.3, 0.02, "d"), ("Cg1", 0.5, 0.5, 0.5, 0.02, "dum")]
    text = triclinic(loop([SITE[0], *SITE[2:], "_atom_site_calc_flag"], rows))
    with pytest.warns(CupysimWarning, match="labels are read as elements: C1 as C$"):
        read(write_cif(tmp_path / "a.cif", {"x": text}), 0.9e-10)


@pytest.mark.parametrize(
    ("label", "formula", "electrons"),
    [
        ("HO1", "", 1), ("CA1", "", 6), ("Ca1", "", 20), ("CL1", "'C6 H5 Cl'", 17), ("ZN1", "", 30),
        ("Hw1", "", 1), ("Cu(1)", "", 29), ("CA1", "'Ca C O3'", 20), ("K", "", 19),
    ],
)  # fmt: skip
def test_elements_of_labels(label: str, formula: str, electrons: int, tmp_path: Path) -> None:
    tags = [SITE[0], *SITE[2:]]
    text = triclinic(loop(tags, [(label, 0.1, 0.2, 0.3, 0.02)]))
    text += f"_chemical_formula_sum {formula}\n" if formula else ""
    path = write_cif(tmp_path / "a.cif", {"x": text})
    with pytest.warns(CupysimWarning, match="labels are read as elements: "):
        structure = read(path, 0.9e-10)
    forward = amplitudes(structure, np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(electrons, rel=5e-3)


def test_operators_without_centring(tmp_path: Path) -> None:
    """Rock salt, whose operators were written without those of the face-centred lattice."""
    group = gemmi.SpaceGroup("F m -3 m").operations()
    head = "".join(f"_cell_length_{axis} 5.64\n" for axis in "abc")
    head += "_symmetry_space_group_name_H-M 'F m -3 m'\n"
    head += loop(["_symmetry_equiv_pos_as_xyz"], [(f"'{o.triplet()}'",) for o in group.sym_ops])
    rows = [("Na1", "Na", 0, 0, 0, 0.02), ("Cl1", "Cl", 0.5, 0.5, 0.5, 0.02)]
    path = write_cif(tmp_path / "a.cif", {"x": head + loop(SITE, rows)})
    with pytest.warns(CupysimWarning, match="lack the centring translations of its name"):
        structure = read(path, 0.9e-10)
    forward = amplitudes(structure, np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(4 * 28, rel=ON_A_GRID)


def test_two_origins(tmp_path: Path) -> None:
    head = "".join(f"_cell_length_{axis} 5.431\n" for axis in "abc")
    head += "_symmetry_space_group_name_H-M 'F d -3 m'\n"
    path = write_cif(tmp_path / "a.cif", {"x": head + loop(SITE, [("Si1", "Si", 0, 0, 0, 0.01)])})
    with pytest.warns(CupysimWarning, match="of the two origins of F d -3 m, F d -3 m:1 is"):
        structure = read(path, 0.9e-10)
    # eight atoms of silicon in the cell
    forward = amplitudes(structure, np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(8 * 14, rel=ON_A_GRID)


def test_coordinates_with_three_decimals_on_special_positions(tmp_path: Path) -> None:
    head = "_cell_length_a 24\n_cell_length_b 24\n_cell_length_c 6\n_cell_angle_gamma 120\n"
    head += "_symmetry_space_group_name_H-M 'P -3 m 1'\n"
    rows = [("Zn1", "Zn", 0.333, 0.667, 0.2, 0.02)]
    structure = read(write_cif(tmp_path / "a.cif", {"x": head + loop(SITE, rows)}), 2e-10)
    forward = amplitudes(structure, np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(2 * 30, rel=ON_A_GRID)


BAD_MODELS = {
    "tiny cell": (
        "a.cif",
        "data_x\n_cell_length_a 1e-9\n_cell_length_b 5\n_cell_length_c 5\n"
        "_symmetry_space_group_name_H-M 'P 1'\n" + loop(SITE, [("C1", "C", 0, 0, 0, 0.1)]),
        "without a possible unit cell",
    ),
    "no y": (
        "a.cif",
        "data_x\n" + UREA_HEAD + loop([*SITE[:3], SITE[4]], [("C1", "C", 0, 0)]),
        "it has _atom_site_fract_x, but no _atom_site_fract_y",
    ),
    "other lengths": (
        "a.cif",
        "data_x\n"
        + UREA_HEAD
        + loop([SITE[0], SITE[2], SITE[4]], [("C1", 0, 0), ("C2", 0.1, 0.2)])
        + f"{SITE[3]} 0.4\n",
        "different numbers of values",
    ),
    "reflections": ("a.cif", "data_x\nloop_\n_refln.index_h\n_refln.index_k\n1 1\n", "by -hkl"),
    "nothing": ("a.cif", "data_x\n_cell.length_a 5\n", "no atoms"),
    "bent": (
        "a.pdb",
        CRYST1 + "MTRIX1   2  2.000000  0.000000  0.000000        0.00000\n"
        "MTRIX2   2  0.000000  1.000000  0.000000        0.00000\n"
        "MTRIX3   2  0.000000  0.000000  1.000000        0.00000\n" + atom_lines(),
        "not a rotation",
    ),
    "no group": ("a.pdb", CRYST1.replace("P 21 21 21", "P 9 9 9   ") + atom_lines(), "P 9 9 9"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_models(case: str, run: Run) -> None:
    name, text, message = BAD_MODELS[case]
    run("-h")
    Path(name).write_text(text)
    outcome = run(f"-pdb {name} -N 1 -detpixels 8 -dmin 3")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_options_which_need_a_model(run: Run) -> None:
    words = "-cell 30 -default_F 5 -N 1 -detpixels 8"
    assert "-hydrogens: needs a model" in run(f"{words} -hydrogens").err
    assert "-merge: needs a file of reflections" in run(f"{words} -merge").err
    shutil.copyfile(MODEL, "a.pdb")
    assert "needs a model, given by -pdb, and a solvent" in run(
        "-pdb a.pdb -k_sol 0 -F000 contrast -N 1 -detpixels 8"
    ).err  # fmt: skip


def test_table_which_is_too_large(tmp_path: Path) -> None:
    text = "CRYST1  300.000  300.000  300.000  90.00  90.00  90.00 P 1           1\n"
    with pytest.raises(CupysimError, match="-dmin"):
        read(save(tmp_path / "a.pdb", text + atom_lines()), 0.5e-10)


@pytest.mark.parametrize("group", ["A 1", "C 1", "I 1", "F 1"])
def test_centred_p1(group: str, tmp_path: Path) -> None:
    """gemmi's grids leave this centring out."""
    record = CRYST1.replace("P 21 21 21", f"{group:10}")
    model = coordinates.read(save(tmp_path / "a.pdb", record + atom_lines()), 3e-10, VACUUM)
    factors = amplitudes(model, np.zeros((1, 3), int))
    copies = 4 if group == "F 1" else 2
    assert factors[0] == pytest.approx(copies * (7 + 3 * 6 + 8), rel=ON_A_GRID)


def test_a_group_which_is_cut_off(tmp_path: Path) -> None:
    record = CRYST1.replace("P 21 21 21    4", "P 21 21 2 (a)  ")
    with pytest.raises(FileFormatError, match="cut off"):
        coordinates.read(save(tmp_path / "a.pdb", record + atom_lines()), 3e-10, VACUUM)


@pytest.mark.parametrize("symbol", ["Fe+3", "Fe3+"])
def test_charges_of_either_order(symbol: str, tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    rows = [("M1", symbol, 0.1, 0.2, 0.3, 0.02)]
    structure = read(write_cif(tmp_path / "a.cif", {"x": head + loop(SITE, rows)}), 2e-10)
    assert amplitudes(structure, np.zeros((1, 3), int))[0] == pytest.approx(23, rel=ON_A_GRID)


@pytest.mark.parametrize(
    ("x", "order", "electrons"), [(0.005, 1, 8), (0.005, 2, 4), (0.05, 2, 4), (0.05, 1, 8)]
)
def test_an_atom_beside_a_centre(x: float, order: int, electrons: int, tmp_path: Path) -> None:
    """The file says whether it is on the centre."""
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P -1'\n"
    names = [*SITE, "_atom_site_occupancy", "_atom_site_site_symmetry_order"]
    rows = [("O1", "O", x, 0.0, 0.0, 0.02, 0.5, order)]
    structure = read(write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)}), 2e-10)
    forward = amplitudes(structure, np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(electrons, rel=ON_A_GRID)


def test_multiplicity_of_a_site_on_a_centre(tmp_path: Path) -> None:
    """SHELXL-97 wrote the order of the site, here 2, which is also the number of operators."""
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P -1'\n"
    names = [*SITE, "_atom_site_occupancy", "_atom_site_symmetry_multiplicity"]
    rows = [("O1", "O", 0.0, 0.0, 0.0, 0.02, 1.0, 2)]
    structure = read(write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)}), 2e-10)
    assert amplitudes(structure, np.zeros((1, 3), int))[0] == pytest.approx(8, rel=ON_A_GRID)


def test_an_operator_listed_twice(tmp_path: Path) -> None:
    operators = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\nx,y,z\n"
    rows = [("O1", "O", 0.2, 0.1, 0.3, 0.02)]
    path = write_cif(tmp_path / "a.cif", {"x": UREA_HEAD + operators + loop(SITE, rows)})
    forward = amplitudes(read(path, 2e-10), np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(16, rel=ON_A_GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("          C\n", "\n"), "have no element"),
        (lambda text: text.replace("   5.100   6.200   7.300", "9999.000" * 3), "at 9999.000"),
        (lambda text: f"REMARK   3   TLS DETAILS\nREMARK   3   ATOM RECORD CONTAINS RESIDUAL "
         f"B FACTORS ONLY\n{text}", "residual"),
    ],
)  # fmt: skip
def test_warnings_of_pdb_files(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "a.pdb", change(CRYST1 + atom_lines()))
    with pytest.warns(CupysimWarning, match=message):
        coordinates.read(path, 3e-10, VACUUM)


def test_an_origin_which_only_a_hall_symbol_has(tmp_path: Path) -> None:
    rows = [("O1", "O", 0.2, 0.1, 0.3, 0.02)]
    atoms = loop(SITE, rows)
    hall = "_space_group_name_Hall 'P 2yb (x,y,z+1/4)'\n_symmetry_space_group_name_H-M 'P 1 21 1'\n"
    shifted = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,y+1/2,-z+1/2\n"
    found, expected = (
        read(write_cif(tmp_path / f"{number}.cif", {"x": UREA_HEAD + head + atoms}), 2e-10)
        for number, head in enumerate((hall, shifted))
    )
    hkl = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1]])
    np.testing.assert_allclose(amplitudes(found, hkl), amplitudes(expected, hkl), rtol=1e-9)


@pytest.mark.parametrize(("kind", "is_taken"), [("Uani", True), ("Uiso", False)])
def test_tensors_in_the_loop_of_the_atoms(kind: str, is_taken: bool, tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    pairs = ("11", "22", "33", "12", "13", "23")
    names = [*SITE, "_atom_site_adp_type", *(f"_atom_site_aniso_U_{pair}" for pair in pairs)]
    rows = [("O1", "O", 0.2, 0.1, 0.3, 0.02, kind, 0.09, 0.02, 0.02, 0, 0, 0)]
    structure = read(write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)}), 1.5e-10)
    along_a, along_b = amplitudes(structure, np.array([[2, 0, 0], [0, 2, 0]]))
    assert (along_a < 0.9 * along_b) == is_taken


@pytest.mark.parametrize(
    ("symbol", "electrons"), [("H2O", 1), ("CH3", 6), ("Va", 23), ("Fe(III)", 26)]
)
def test_type_symbols_which_are_no_elements(symbol: str, electrons: int, tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    path = write_cif(
        tmp_path / "a.cif", {"x": head + loop(SITE, [("X1", f"'{symbol}'", 0.2, 0.1, 0.3, 0.02)])}
    )
    with pytest.warns(CupysimWarning, match=f"type symbols are .* {re.escape(symbol)} as"):
        forward = amplitudes(coordinates.read(path, 2e-10), np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(electrons, rel=ON_A_GRID)


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (["_atom_site_anharm_GC_C_111"], (0.001,), "anharmonic"),
        (["_atom_site_aniso_label", *(f"_atom_site_aniso_U_{p}" for p in
         ("11", "22", "33", "12", "13", "23"))], ("O1", 0.02, 0.02, 0.02, 0, 0, 0),
         "share a label"),
    ],
)  # fmt: skip
def test_displacements_which_are_not_taken(
    names: list[str], values: tuple[float, ...], message: str, tmp_path: Path
) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    rows = [("O1", "O", 0.2, y, 0.3, 0.02, *values) for y in (0.1, 0.6)]
    path = write_cif(tmp_path / "a.cif", {"x": head + loop([*SITE, *names], rows)})
    with pytest.warns(CupysimWarning, match=message):
        coordinates.read(path, 2e-10)


def test_an_impossible_order_of_a_site(tmp_path: Path) -> None:
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P -1'\n"
    names = [*SITE, "_atom_site_site_symmetry_order"]
    rows = [("O1", "O", 0.3, 0.2, 0.1, 0.02, 2)]
    path = write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)})
    with pytest.warns(CupysimWarning, match="site_symmetry_order contradicts"):
        structure = read(path, 2e-10)
    forward = amplitudes(structure, np.zeros((1, 3), int))[0]
    assert forward == pytest.approx(16, rel=ON_A_GRID)


def test_tensors_in_the_loop_of_sites_with_one_label(tmp_path: Path) -> None:
    """Each site has the tensor of its row."""
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    names = [*SITE, *(f"_atom_site_aniso_U_{p}" for p in ("11", "22", "33", "12", "13", "23"))]
    found = []
    for labels in (("O1", "O1"), ("O1", "O2")):
        rows = [
            (label, "O", 0.2, y, 0.3, 0.02, u, u, u, 0, 0, 0)
            for label, y, u in zip(labels, (0.1, 0.6), (0.02, 0.4), strict=True)
        ]
        path = write_cif(tmp_path / "a.cif", {"x": head + loop(names, rows)})
        found.append(amplitudes(read(path, 2e-10), HKL[1:3]))
    np.testing.assert_allclose(*found, rtol=1e-9)


def mmcif_of(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    edges = "".join(f"_cell.length_{n} {v}\n" for n, v in zip("abc", CELL[:3], strict=True))
    group = "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
    return edges + group + loop([f"_atom_site.{name}" for name in names], rows)


CARTESIAN = ["Cartn_x", "Cartn_y", "Cartn_z"]
LABELS = ["label_alt_id", "label_asym_id", "label_atom_id", "label_comp_id"]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["id", *LABELS], [("{n}", ".", "A", "{name}", "ALA")] * 5),
        (
            ["id", "auth_asym_id", "auth_atom_id", "auth_comp_id"],
            [("{n}", "A", "{name}", "ALA")] * 5,
        ),
        (LABELS, [(".", "A", "{name}", "ALA")] * 5),
        ([], [()] * 5),
    ],
    ids=["labels", "auth", "no id", "alone"],
)
def test_items_which_the_dictionary_does_not_need(
    names: list[str], values: list[tuple[str, ...]], tmp_path: Path
) -> None:
    rows = [
        (*(text.format(n=n, name=atom[0]) for text in row), atom[1], *atom[2], atom[4])
        for n, (atom, row) in enumerate(zip(ATOMS, values, strict=True), 1)
    ]
    text = mmcif_of([*names, "type_symbol", *CARTESIAN, "B_iso_or_equiv"], rows)
    check(read(write_cif(tmp_path / "a.cif", {"x": text})), summed(ATOMS))


def test_mmcif_without_elements(tmp_path: Path) -> None:
    rows = [(n, atom[0], *atom[2]) for n, atom in enumerate(ATOMS, 1)]
    text = mmcif_of(["id", "label_atom_id", *CARTESIAN], rows)
    with pytest.raises(FileFormatError, match=r"no _atom_site\.type_symbol"):
        coordinates.read(write_cif(tmp_path / "a.cif", {"x": text}), 3e-10)


@pytest.mark.parametrize("place", [(6.0, 7.0, 8.0), ("?", "?", "?")])
@pytest.mark.parametrize(("flag", "residue"), [("dum", 1), ("DUM", 2)])
def test_dummies_of_mmcif(
    flag: str, residue: int, place: tuple[object, ...], tmp_path: Path
) -> None:
    """A site that the dictionary calls a dummy is no atom, alone in its residue or not."""
    names = ["id", *LABELS, "auth_seq_id", "type_symbol", *CARTESIAN, "B_iso_or_equiv", "calc_flag"]
    rows: list[tuple[object, ...]] = [
        (n, ".", "A", atom[0], "ALA", 1, atom[1], *atom[2], atom[4], "d")
        for n, atom in enumerate(ATOMS, 1)
    ]
    rows.append((9, ".", "A", "SE", "ALA", residue, "SE", *place, 20.0, flag))
    structure = read(write_cif(tmp_path / "a.cif", {"x": mmcif_of(names, rows)}))
    check(structure, summed(ATOMS))
    assert "1 dummy atoms are left out" in "\n".join(structure.notes)
    only = write_cif(tmp_path / "b.cif", {"x": mmcif_of(names, rows[-1:])})
    with pytest.raises(FileFormatError, match="no atoms"):
        read(only)


def test_displacements_in_the_loop_of_atoms(tmp_path: Path) -> None:
    """U_iso in place of B, and a tensor in the row of its atom."""
    pairs = ("[1][1]", "[2][2]", "[3][3]", "[1][2]", "[1][3]", "[2][3]")
    names = ["id", *LABELS, "type_symbol", *CARTESIAN, "U_iso_or_equiv"]
    names += [f"aniso_U{pair}" for pair in pairs]
    u = 20.0 / (8.0 * np.pi**2)
    rows = [
        (n, ".", "A", atom[0], "ALA", atom[1], *atom[2], u, *tensor)
        for n, (atom, tensor) in enumerate(
            zip(ATOMS, [(2 * u, 2 * u, 2 * u, 0, 0, 0), *[("?",) * 6] * 4], strict=True), 1
        )
    ]
    structure = read(write_cif(tmp_path / "a.cif", {"x": mmcif_of(names, rows)}))
    check(structure, summed([(*ATOMS[0][:4], 40.0), *ATOMS[1:]]))


def test_columns_of_old_pdb_files(tmp_path: Path) -> None:
    """The entry's name and the line's number stood where elements and charges are now."""
    lines = atom_lines().splitlines()
    old = "".join(f"{line[:72]}1CRN{n:4d}\n" for n, line in enumerate(lines, 70))
    path = save(tmp_path / "a.pdb", CRYST1 + old)
    with pytest.warns(CupysimWarning, match="have no element"):
        structure = coordinates.read(path, 3e-10, VACUUM)
    check(structure, summed(ATOMS))


def test_ions_of_which_no_form_factor_is_known(tmp_path: Path) -> None:
    lines = "".join(f"{line}{charge}\n" for line, charge in zip(
        atom_lines().splitlines(), ("1+", "  ", "  ", "1-", "  "), strict=True))  # fmt: skip
    structure = read(save(tmp_path / "a.pdb", CRYST1 + lines))
    notes = "\n".join(structure.notes)
    assert "ions with their own form factors: 1 O1-" in notes
    assert "ions with form factors of neutral atoms, since no others are known: 1 N1+" in notes


def anisou(identity: str, values: str = "   4000   1000   2000    500   -400    200") -> str:
    return f"ANISOU{identity} {values}       N\n"


WRONG_TENSORS = {
    "another atom": (
        "    2  CA  ALA A   1 ",
        "record of CA ALA A 1 follows N ALA A 1",
    ),
    "another residue": ("    1  N   ALA A   2 ", "N ALA A 2 follows N ALA A 1"),
    "another conformation": ("    1  N  BALA A   1 ", "N BALA A 1 follows"),
    "another chain": ("    1  N   ALA B   1 ", "N ALA B 1 follows"),
}


@pytest.mark.parametrize("case", WRONG_TENSORS)
@pytest.mark.parametrize("name", ["ANISOU", "anisou"])
def test_tensors_behind_another_atom(case: str, name: str, tmp_path: Path) -> None:
    identity, message = WRONG_TENSORS[case]
    first, *others = atom_lines().splitlines(keepends=True)
    text = CRYST1 + first + anisou(identity).replace("ANISOU", name) + "".join(others)
    with pytest.raises(FileFormatError, match=f"line 3: .*{message}"):
        read(save(tmp_path / "a.pdb", text))


def test_tensors_at_the_end(tmp_path: Path) -> None:
    """They belong behind their atoms; the last atom is another one."""
    text = CRYST1 + atom_lines() + anisou("    1  N   ALA A   1 ")
    with pytest.raises(FileFormatError, match=r"line 7: .*follows CB"):
        read(save(tmp_path / "a.pdb", text))


def test_tensors_whose_values_are_damaged(tmp_path: Path) -> None:
    damaged = anisou("    1  N   ALA A   1 ", "   4000   1000 ******    500   -400    200")
    with pytest.raises(FileFormatError, match="line 3: anisotropic displacement is not a number"):
        read(save(tmp_path / "a.pdb", CRYST1 + atom_lines(ATOMS[:1]) + damaged))


def test_tensors_which_are_numbered_otherwise(tmp_path: Path) -> None:
    """The name is that of the atom; the tensor is what its U of 0.05 makes."""
    atom = atom_lines(ATOMS[:1])
    u = f"{500:7d}" * 3 + f"{0:7d}" * 3
    with pytest.warns(CupysimWarning, match="1 ANISOU records have another serial number"):
        structure = read(save(tmp_path / "a.pdb", CRYST1 + atom + anisou("  101" + atom[11:27], u)))
    check(structure, summed([(*ATOMS[0][:4], 8.0 * np.pi**2 * 0.05)]))


def mtrix(rows: Sequence[tuple[int, int]]) -> str:
    """Records of a half turn, by row and serial number."""
    return "".join(
        f"MTRIX{row} {serial:3d}{r[0]:10.6f}{r[1]:10.6f}{r[2]:10.6f}     {s:10.5f}\n"
        for row, serial in rows
        for r, s in [(HALF_TURN[row - 1], SHIFT[row - 1])]
    )


BAD_MATRICES = {
    "no third": ([(1, 2), (2, 2)], "the last MTRIX matrix lacks a row"),
    "no second": ([(1, 2), (3, 2)], "MTRIX3 in the place of MTRIX2 of the same matrix"),
    "order": ([(1, 2), (3, 2), (2, 2)], "MTRIX3 in the place of MTRIX2"),
    "serials": ([(1, 2), (2, 3), (3, 2)], "MTRIX2 in the place of MTRIX2 of the same matrix"),
    "second matrix": ([(1, 2), (2, 2), (3, 2), (1, 3)], "the last MTRIX matrix lacks a row"),
}


@pytest.mark.parametrize("case", BAD_MATRICES)
def test_matrices_of_ncs_which_lack_rows(case: str, tmp_path: Path) -> None:
    rows, message = BAD_MATRICES[case]
    with pytest.raises(FileFormatError, match=message):
        read(save(tmp_path / "a.pdb", CRYST1 + mtrix(rows) + atom_lines()))


def test_matrices_which_are_damaged(tmp_path: Path) -> None:
    records = mtrix([(1, 2), (2, 2), (3, 2)]).replace(" 25.00000", " 25,00000")
    with pytest.raises(FileFormatError, match=r"line 2: number of strict NCS .* is not a number"):
        read(save(tmp_path / "a.pdb", CRYST1 + records + atom_lines()))


def test_scale_records_which_lack_a_row(tmp_path: Path) -> None:
    """Without the second one, a third of the frame is not told."""
    lines = scale_records(CELL[:3]).splitlines(keepends=True)
    with pytest.raises(FileFormatError, match="SCALE3 in the place of SCALE2"):
        read(save(tmp_path / "a.pdb", CRYST1 + lines[0] + lines[2] + atom_lines()))


@pytest.mark.parametrize("missing", ["matrix[2][3]", "vector[3]"])
def test_matrices_of_mmcif_which_lack_elements(missing: str, tmp_path: Path) -> None:
    names = [f"matrix[{i}][{j}]" for i in (1, 2, 3) for j in (1, 2, 3)]
    names += [f"vector[{i}]" for i in (1, 2, 3)]
    numbers = dict(zip(names, [*HALF_TURN.ravel(), *SHIFT], strict=True))
    del numbers[missing]
    path = save(tmp_path / "a.cif", ncs_of_mmcif(numbers))
    with pytest.raises(FileFormatError, match=r"struct_ncs_oper.*lacks"):
        read(path)


def ncs_of_mmcif(numbers: dict[str, float]) -> str:
    structure = gemmi.read_pdb_string(CRYST1 + atom_lines())
    block = structure.make_mmcif_block()
    table = block.init_loop("_struct_ncs_oper.", ["id", "code", *numbers])
    table.add_row(["2", "generate", *(str(number) for number in numbers.values())])
    return str(block.as_string())


ANISO = [f"_atom_site_aniso_U_{pair}" for pair in ("11", "22", "33", "12", "13", "23")]


def two_sites(kinds: Sequence[str], tensors: Sequence[Sequence[object]]) -> str:
    """Carbon C1 and oxygen O1 in P1, and tensors with their labels."""
    head = UREA_HEAD + "_symmetry_space_group_name_H-M 'P 1'\n"
    rows = [
        ("C1", "C", 0.1, 0.2, 0.3, 0.02, kinds[0]),
        ("O1", "O", 0.6, 0.3, 0.1, 0.03, kinds[1]),
    ]
    sites = loop([*SITE, "_atom_site_adp_type"], rows)
    return head + sites + (loop(["_atom_site_aniso_label", *ANISO], tensors) if tensors else "")


BALL = (0.02, 0.02, 0.02, 0.0, 0.0, 0.0)
"""A tensor in a rectangular cell which is the isotropic U of 0.02."""

LONELY = {
    "case of letters": (("Uiso", "Uiso"), [("c1", *BALL)], "to no atom in the file, .*: c1"),
    "said to be anisotropic": (("Uani", "Uiso"), [], "1 atoms should be anisotropic.*C1"),
    "two of an atom": (
        ("Uani", "Uiso"), [("C1", *BALL), ("C1", 0.4, *BALL[1:])], "the first one is used: C1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LONELY)
def test_tensors_without_atoms_of_small_molecules(case: str, tmp_path: Path) -> None:
    """A line tells, and what is calculated are the isotropic displacements."""
    kinds, tensors, message = LONELY[case]
    path = write_cif(tmp_path / "a.cif", {"x": two_sites(kinds, tensors)})
    with pytest.warns(CupysimWarning, match=message):
        found = read(path, 2e-10)
    plain = read(write_cif(tmp_path / "b.cif", {"x": two_sites(("Uiso", "Uiso"), [])}), 2e-10)
    np.testing.assert_allclose(amplitudes(found, HKL[:3]), amplitudes(plain, HKL[:3]), rtol=1e-6)


def mmcif_with(identities: Sequence[str], tensors: dict[str, float], kind: str = "U") -> str:
    """Atoms with identifiers, and U or B of isotropic tensors by identifier."""
    names = ["id", *LABELS, "type_symbol", *CARTESIAN, "B_iso_or_equiv", "occupancy"]
    rows = [
        (name, ".", "A", atom[0], "ALA", atom[1], *atom[2], 20.0, 1.0)
        for name, atom in zip(identities, ATOMS, strict=True)
    ]
    pairs = ("[1][1]", "[2][2]", "[3][3]", "[1][2]", "[1][3]", "[2][3]")
    items = ["id", *(f"{kind}{pair}" for pair in pairs)]
    table = loop(
        [f"_atom_site_anisotrop.{item}" for item in items],
        [(name, u, u, u, 0, 0, 0) for name, u in tensors.items()],
    )
    return mmcif_of(names, rows) + (table if tensors else "")


def test_tensors_without_atoms_of_mmcif(tmp_path: Path) -> None:
    path = write_cif(tmp_path / "a.cif", {"x": mmcif_with("12345", {"77": 0.5})})
    with pytest.warns(CupysimWarning, match="belong to no atom in the file, and are left out: 77"):
        check(read(path), summed(ATOMS))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("0.5 0 0 0", "0.5 ? . 0", "1 anisotropic displacements lack numbers, .*: 1"),
        ("0.5 0 0 0", "0.5 ? ? ?", "1 anisotropic displacements lack numbers, .*: 1"),
        ("_atom_site_anisotrop.U[2][3]\n", "", r"since the file lacks .*u\[2\]\[3\]"),
    ],
)
def test_tensors_of_mmcif_which_lack_numbers(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    """The isotropic displacements count, and no amplitude is NaN."""
    text = mmcif_with("12345", {"1": 0.5})
    changed = text.replace(before, after)
    assert changed != text
    if not after:
        changed = changed.replace("0.5 0 0 0", "0.5 0 0")
    path = write_cif(tmp_path / "a.cif", {"x": changed})
    with pytest.warns(CupysimWarning, match=message):
        check(read(path), summed(ATOMS))


@pytest.mark.parametrize(
    ("tensor", "lacking", "message"),
    [
        ((0.4, 0.4, 0.4, ".", "?", 0.0), "", "1 anisotropic displacements lack numbers.*: C1"),
        ((0.4, 0.4, 0.4, 0.0, 0.0), "_atom_site_aniso_U_23\n", "since the file lacks .*u_23"),
    ],
)
def test_tensors_of_small_molecules_which_lack_numbers(
    tensor: tuple[object, ...], lacking: str, message: str, tmp_path: Path
) -> None:
    text = two_sites(("", ""), []).replace("_atom_site_adp_type\n", "")
    table = loop(["_atom_site_aniso_label", *ANISO], [("C1", *tensor)]).replace(lacking, "")
    path = write_cif(tmp_path / "a.cif", {"x": text + table})
    with pytest.warns(CupysimWarning, match=message):
        found = read(path, 2e-10)
    plain = read(write_cif(tmp_path / "b.cif", {"x": text}), 2e-10)
    np.testing.assert_allclose(amplitudes(found, HKL[:3]), amplitudes(plain, HKL[:3]), rtol=1e-6)


def test_atoms_which_share_an_identifier(tmp_path: Path) -> None:
    """An error where a tensor could be of either; else it does not matter."""
    path = write_cif(tmp_path / "a.cif", {"x": mmcif_with("11345", {"1": 0.5})})
    with pytest.raises(FileFormatError, match=r"2 atoms have the _atom_site\.id 1"):
        read(path)
    path = write_cif(tmp_path / "b.cif", {"x": mmcif_with("11345", {"4": 0.5})})
    b = 8.0 * np.pi**2 * 0.5
    check(read(path), summed([*ATOMS[:3], (*ATOMS[3][:4], b), ATOMS[4]]))


def test_identifiers_which_are_no_numbers(tmp_path: Path) -> None:
    """A tensor is that of the atom of its name, whatever the name is."""
    names = ["A1", "007", "x", "x.2", "5"]
    path = write_cif(tmp_path / "a.cif", {"x": mmcif_with(names, {"007": 40, "5": 30}, "B")})
    changed = {1: 40.0, 4: 30.0}
    check(read(path), summed([(*a[:4], changed.get(n, a[4])) for n, a in enumerate(ATOMS)]))


CELLS = {
    "PDB": (
        "a.pdb",
        CRYST1.replace("  90.00 P", " -90.00 P") + atom_lines(),
        "angles must be positive, got 90, 90, -90 degrees",
    ),
    "core CIF": (
        "a.cif",
        "data_x\n" + two_sites(("Uiso", "Uiso"), []).replace("gamma 90", "gamma -90"),
        "without a possible unit cell",
    ),
}


@pytest.mark.parametrize("case", CELLS)
def test_negative_angles_of_cells(case: str, tmp_path: Path) -> None:
    """Their cosines are those of positive ones."""
    name, text, message = CELLS[case]
    assert "-90" in text
    with pytest.raises(CupysimError, match=message):
        read(save(tmp_path / name, text), 2e-10)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("30 40 50 -90 90 90", "angles must be positive, got -90, 90, 90 degrees"),
        ("30 40 50 90 90 0", "angles must be positive, got 90, 90, 0 degrees"),
        ("30 -40 50 90 90 90", "edges must be positive"),
    ],
)
def test_signs_of_cells_on_the_command_line(cell: str, message: str, run: Run) -> None:
    outcome = run(f"orient --cell {cell} --lambda 1 a.mat")
    assert (outcome.status, outcome.files) == (2, {})
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
