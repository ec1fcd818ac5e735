"""Atoms that are charged, listed twice, or of other programs; structure factors that say more."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import gemmi
import numpy as np
import pytest

import cupysim
from cupysim.api import from_args
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats.structures import coordinates, reflections, shelx_list
from tests.conftest import Run
from tests.field.test_coordinates import (
    ATOMS,
    CELL,
    CRYST1,
    HKL,
    VACUUM,
    atom_lines,
    read,
    save,
    summed,
)
from tests.field.test_reflections import _refln
from tests.field.test_structures_are_told import SUMMED
from tests.field.writers import (
    amplitudes,
    asymmetric_unit,
    cif_cell,
    loop,
    plus_of,
    write_cif,
    write_mtz,
)


def with_charges(charges: dict[int, str], text: str) -> str:
    """Atom records, some with a charge in columns 79-80."""
    lines = text.splitlines()
    return "".join(
        f"{line.ljust(78)}{charges.get(number, '')}\n" for number, line in enumerate(lines)
    )


@pytest.fixture
def with_ions() -> Iterator[None]:
    """Let gemmi give form factors of ions."""
    before = gemmi.IT92_get_ignore_charge()
    gemmi.IT92_set_ignore_charge(False)
    yield
    gemmi.IT92_set_ignore_charge(before)


@pytest.mark.usefixtures("with_ions")
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_charges_of_one_element(order: tuple[int, ...], tmp_path: Path) -> None:
    """Each atom has the form factor of its own charge, whatever the order of the atoms."""
    places = [(5.1, 6.2, 7.3), (9.5, 6.0, 17.7), (17.3, 3.2, 9.2)]
    charges = ["2+", "3+", ""]
    atoms = [("FE", "Fe", places[n], 1.0, 10.0) for n in order]
    lines = with_charges(dict(enumerate(charges[n] for n in order)), atom_lines(atoms))
    found = amplitudes(read(save(tmp_path / "a.pdb", CRYST1 + lines)), HKL)
    cell, iron = gemmi.UnitCell(*CELL), gemmi.Element("Fe")
    expected = np.zeros(len(HKL), dtype=complex)
    for place, charge in zip(places, (2, 3, 0), strict=True):
        factor = gemmi.IT92_get_exact(iron, charge) if charge else iron.it92
        fraction = cell.fractionalize(gemmi.Position(*place)).tolist()
        for number, hkl in enumerate(HKL.tolist()):
            s2 = cell.calculate_1_d2(hkl)
            size = factor.calculate_sf(s2 / 4.0) * np.exp(-10.0 * s2 / 4.0)
            for op in gemmi.SpaceGroup("P 21 21 21").operations():
                expected[number] += size * np.exp(
                    2j * np.pi * np.dot(op.apply_to_xyz(fraction), hkl)
                )
    np.testing.assert_allclose(found, np.abs(expected), atol=SUMMED * np.abs(expected).max())
    assert found[0] == pytest.approx(4 * (24 + 23 + 26), rel=2e-4)


def warned(path: Path) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coordinates.read(path, 3e-10, VACUUM)
    return "\n".join(str(each.message) for each in caught)


EQUIVALENTS = "lie on top of a symmetry equivalent of another atom"


def test_models_with_their_equivalents(tmp_path: Path) -> None:
    """A file of all equivalents that keeps its group counts each atom several times."""
    cell = gemmi.UnitCell(*CELL)
    places = [cell.fractionalize(gemmi.Position(*place)) for _, _, place, _, _ in ATOMS]
    atoms = []
    for op in list(gemmi.SpaceGroup("P 21 21 21").operations())[:2]:
        for (name, element, _, occupancy, b), place in zip(ATOMS, places, strict=True):
            moved = cell.orthogonalize(gemmi.Fractional(*op.apply_to_xyz(place.tolist())))
            atoms.append((name, element, tuple(moved.tolist()), occupancy, b))
    first, second = atom_lines(atoms[: len(ATOMS)]), atom_lines(atoms[len(ATOMS) :])
    second = second.replace(" ALA A ", " ALA B ")
    told = warned(save(tmp_path / "a.pdb", CRYST1 + first + second))
    assert EQUIVALENTS in told
    assert "its group is P 1" in told
    halves = [(*atom[:3], 0.5, atom[4]) for atom in atoms]
    first, second = atom_lines(halves[: len(ATOMS)]), atom_lines(halves[len(ATOMS) :])
    second = second.replace(" ALA A ", " ALA B ")
    assert EQUIVALENTS not in warned(save(tmp_path / "b.pdb", CRYST1 + first + second))
    assert EQUIVALENTS not in warned(save(tmp_path / "c.pdb", CRYST1 + atom_lines()))


def test_equivalents_in_a_cif(tmp_path: Path) -> None:
    """Rock salt with all four sodium ions in F m -3 m."""
    head = cif_cell("_cell_length_").replace("40.0", "30.0").replace("50.0", "30.0")
    head += "_symmetry_space_group_name_H-M 'F m -3 m'\n"
    names = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", "B_iso_or_equiv"]
    corners = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    rows = [(f"Na{n}", "Na", *place, 1, 1.0) for n, place in enumerate(corners)]
    text = head + loop([f"_atom_site_{name}" for name in names], rows)
    assert EQUIVALENTS in warned(write_cif(tmp_path / "a.cif", {"x": text}))
    text = head + loop([f"_atom_site_{name}" for name in names], rows[:1])
    assert EQUIVALENTS not in warned(write_cif(tmp_path / "b.cif", {"x": text}))


@pytest.mark.parametrize(
    "remark",
    [
        "REMARK   3   B VALUE TYPE : LIKELY RESIDUAL",
        "REMARK   3  U VALUES      : RESIDUAL ONLY",
        "REMARK   3  RESIDUAL B FACTORS ONLY",
    ],
)
def test_residual_displacements(remark: str, tmp_path: Path) -> None:
    text = f"{remark}\nREMARK   3  TLS GROUP : 1\n{CRYST1}{atom_lines()}"
    assert "its B factors are residual" in warned(save(tmp_path / "a.pdb", text))
    assert "residual" not in warned(save(tmp_path / "b.pdb", CRYST1 + atom_lines()))


def test_line_ends_of_old_macintoshes(tmp_path: Path) -> None:
    """A comment ends with its line, also where a carriage return alone ends it."""
    rows: list[tuple[object, ...]] = [(1, 2, 3, 10.0), (2, 2, 3, 20.0), (3, 2, 3, 30.0)]
    names = ["index_h", "index_k", "index_l", "F_meas_au"]
    path = _refln(tmp_path, names, rows)
    text = path.read_text().replace("2 2 3 20.0", "# a comment\n2 2 3 20.0")
    path.write_bytes(text.replace("\n", "\r").encode())
    found = amplitudes(reflections.read(path), np.array([[1, 2, 3], [2, 2, 3], [3, 2, 3]]))
    np.testing.assert_allclose(found, [10.0, 20.0, 30.0])


def test_negative_occupancies(tmp_path: Path) -> None:
    atoms = [*ATOMS[:1], (*ATOMS[1][:3], -1.0, 20.0)]
    with pytest.raises(FileFormatError, match="CA of ALA 1: a negative occupancy, -1"):
        read(save(tmp_path / "a.pdb", CRYST1 + atom_lines(atoms)))
    atoms = [*ATOMS[:1], (*ATOMS[1][:3], 0.0, 20.0)]
    found = read(save(tmp_path / "b.pdb", CRYST1 + atom_lines(atoms)))
    np.testing.assert_allclose(amplitudes(found, HKL), summed(ATOMS[:1]), rtol=0, atol=1e-3)


def test_elements_one_column_too_far(tmp_path: Path) -> None:
    """As in PDBQT files: Fe would be read as fluorine, with E as its charge."""
    atoms = [("FE", "Fe", (5.1, 6.2, 7.3), 1.0, 10.0)]
    line = atom_lines(atoms).rstrip("\n")
    shifted = f"{line[:76]} {line[76:78]}\n"
    with pytest.raises(FileFormatError, match=r"line 2: its charge \(columns 79-80\) is 'e'"):
        read(save(tmp_path / "a.pdb", CRYST1 + shifted))
    found = read(save(tmp_path / "b.pdb", CRYST1 + with_charges({0: "2+"}, line)))
    assert amplitudes(found, HKL)[0] == pytest.approx(4 * 24, rel=1e-3)


def test_two_groups_of_one_cell(tmp_path: Path) -> None:
    other = CRYST1.replace("P 21 21 21    4", "P 1           1")
    with pytest.raises(FileFormatError, match="2 different space groups"):
        read(save(tmp_path / "a.pdb", other + CRYST1 + atom_lines()))


def test_conformations_of_other_residues(tmp_path: Path) -> None:
    """ALA and GLY in one place, both fully occupied."""
    one, other = (
        line[:16] + letter + line[17:] for line, letter in zip(
            (atom_lines(ATOMS[:1]), atom_lines(ATOMS[:1]).replace("ALA", "GLY")), "AB", strict=True
        )
    )  # fmt: skip
    other = other.replace("   5.100", "   5.300")
    told = warned(save(tmp_path / "a.pdb", CRYST1 + one + other))
    assert "occupancies of 1 atoms add up to more than one" in told
    half = [text.replace("  1.00 20.00", "  0.50 20.00") for text in (one, other)]
    assert "add up" not in warned(save(tmp_path / "b.pdb", CRYST1 + "".join(half)))


def test_a_model_of_one_atom(tmp_path: Path) -> None:
    """As items, without a loop: what is wrong is said."""
    items = {"type_symbol": "N", "Cartn_x": 5.1, "Cartn_y": 6.2, "Cartn_z": 7.3}
    text = cif_cell() + "".join(f"_atom_site.{name} {value}\n" for name, value in items.items())
    with pytest.raises(FileFormatError, match="its atoms are not in a loop"):
        read(write_cif(tmp_path / "a.cif", {"x": text}))


# reflections


@pytest.mark.parametrize(
    ("batches", "is_refused"), [((-1, 2), True), ((-1, 1), False), ((1, 1), False)]
)
def test_overlapped_reflections(batches: tuple[int, int], is_refused: bool, tmp_path: Path) -> None:
    """-1 with 2 is a twin's pair (HKLF 5), -1 with 1 a flag."""
    text = "".join(
        f"{h:4d}{1:4d}{1:4d}{100.0:8.2f}{1.0:8.2f}{batch:4d}\n"
        for h, batch in enumerate(batches, 1)
    )
    arguments = ("a.hkl", text.encode(), True, (10.0, 11.0, 12.0, 90.0, 90.0, 90.0), "P 1")
    if is_refused:
        with pytest.raises(FileFormatError, match="HKLF 5"):
            shelx_list.read(*arguments)
    else:
        assert len(shelx_list.read(*arguments).hkl) == 2


@pytest.mark.parametrize(
    ("item", "probe"),
    [
        ("_diffrn_radiation_type 'electron'", "electrons"),
        ("_diffrn_radiation_type neutron", "neutrons"),
        ("_exptl.method 'NEUTRON DIFFRACTION'", "neutrons"),
        ("_exptl.method 'ELECTRON CRYSTALLOGRAPHY'", "electrons"),
        ("_exptl.method 'X-RAY DIFFRACTION'", ""),
        ("_diffrn_radiation_type MoK\\a", ""),
    ],
)
def test_data_of_other_radiation(item: str, probe: str, tmp_path: Path) -> None:
    names = ["index_h", "index_k", "index_l", "F_meas_au"]
    path = _refln(tmp_path, names, [(1, 2, 3, 10.0)])
    path.write_text(path.read_text() + f"{item}\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reflections.read(path)
    told = "\n".join(str(each.message) for each in caught)
    assert (f"its data are those of {probe}" in told) if probe else "its data" not in told


XDS = """!FORMAT=XDS_ASCII    MERGE=FALSE    FRIEDEL'S_LAW=FALSE
!NAME_TEMPLATE_OF_DATA_FRAMES=/data/\u00c5sa/xtal_1_????.cbf
!SPACE_GROUP_NUMBER= {group}
!UNIT_CELL_CONSTANTS= 30 40 50 90 90 90
!X-RAY_WAVELENGTH= 0.98
!END_OF_HEADER
 1 2 3 100.0 1.0
!END_OF_DATA
"""


def test_letters_of_other_alphabets(tmp_path: Path) -> None:
    """A byte 0x85 in a name ends no line."""
    path = tmp_path / "a.HKL"
    path.write_bytes(XDS.format(group=19).encode("utf-8"))
    found = reflections.read(path)
    assert amplitudes(found, np.array([[1, 2, 3]]))[0] == pytest.approx(10.0)


def test_unknown_groups_of_xds(tmp_path: Path) -> None:
    path = save(tmp_path / "a.HKL", XDS.format(group=0))
    with pytest.raises(FileFormatError, match="impossible cell or space group number"):
        reflections.read(path)


def test_repeated_lines_in_python(tmp_path: Path) -> None:
    path = save(tmp_path / "a.hkl", "1 2 3 10\n1 2 3 20\n")
    with pytest.warns(CupysimWarning, match="1 lines repeat a reflection"):
        cupysim.read_structure_factors(path)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["0.01 0 0", "0 0.01 0", "0 0 0.01"], ""),
        (["0.01 0 0 0.02", "0 0.01 0 0.01", "0 0 0.01 0", "0 0 0 1"], "hold 4 4 4 numbers"),
        (["0.01 0 0 0 0.01 0 0 0 0.01"], ""),
        (["1 0.01 0 0", "2 0 0.01 0", "3 0 0 0.01"], "hold 4 4 4 numbers"),
    ],
)
def test_rows_of_matrices(rows: list[str], told: str, tmp_path: Path) -> None:
    save(tmp_path / "a.mat", "\n".join(rows) + "\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from_args(f"-mat {tmp_path / 'a.mat'} -lambda 1 -default_F 1 -N 3 -nodump -corrected")
    found = "\n".join(str(each.message) for each in caught)
    assert (told in found) if told else "numbers" not in found


@pytest.mark.parametrize(("start", "kind"), [(b"BZh91AY", "bzip2"), (b"PK\x03\x04", "zip")])
def test_other_packings(start: bytes, kind: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.hkl").write_bytes(start + bytes(100))
    outcome = run("-hkl a.hkl -cell 70 80 90 -lambda 1 -N 3 -nodump")
    assert outcome.status == 9
    assert f"packed by {kind}; unpack it first" in outcome.err


# what a second look found


def cif_of(rows: list[tuple[object, ...]], group: str = "P 1") -> str:
    names = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", "U_iso_or_equiv"]
    head = cif_cell("_cell_length_") + f"_symmetry_space_group_name_H-M '{group}'\n"
    return head + loop([f"_atom_site_{name}" for name in names], rows)


@pytest.mark.parametrize(("u", "is_told"), [(25, True), (0.025, False)])
def test_displacements_in_another_unit(u: float, is_told: bool, tmp_path: Path) -> None:
    path = write_cif(tmp_path / "a.cif", {"x": cif_of([("C1", "C", 0.1, 0.2, 0.3, 1, u)])})
    assert ("displacements in another unit? C1" in warned(path)) == is_told


def test_fractions_in_another_unit(tmp_path: Path) -> None:
    rows = [("C1", "C", 0.1, 0.2, 0.3, 1, 0.02), ("O1", "O", 4012, 1043, 2077, 1, 0.02)]
    with pytest.raises(FileFormatError, match="site 2: the fractional coordinates 4012 1043 2077"):
        read(write_cif(tmp_path / "a.cif", {"x": cif_of(rows)}))
    # a molecule that is put together reaches into neighbouring cells
    rows = [("C1", "C", 2.1, -1.2, 1.3, 1, 0.02)]
    assert read(write_cif(tmp_path / "b.cif", {"x": cif_of(rows)})).cell is not None


@pytest.mark.parametrize(("x", "occupancy", "is_told"), [
    (0.01, 1, True), (0.01, 0.5, False), (0.2, 1, False),
])  # fmt: skip
def test_atoms_close_to_their_equivalents(
    x: float, occupancy: float, is_told: bool, tmp_path: Path
) -> None:
    """0.6 A across the twofold axis along b of P 2."""
    rows = [("O1", "O", x, 0.2, 0.0, occupancy, 0.02)]
    path = write_cif(tmp_path / "a.cif", {"x": cif_of(rows, "P 1 2 1")})
    assert ("from their own symmetry equivalents" in warned(path)) == is_told


def test_more_data_than_promised(tmp_path: Path) -> None:
    hkl = asymmetric_unit()
    write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", plus_of(hkl))])
    data = (tmp_path / "a.mtz").read_bytes()
    old = f"NCOL {4:8d} {len(hkl):12d}".encode()
    assert data.count(old) == 1
    new = f"NCOL {4:8d} {len(hkl) - 10:12d}".encode()
    (tmp_path / "a.mtz").write_bytes(data.replace(old, new))
    with pytest.raises(
        FileFormatError, match=rf"promises {len(hkl) - 10} reflections .*{len(hkl)}$"
    ):
        reflections.read(tmp_path / "a.mtz")


def test_anomalous_differences_are_named(tmp_path: Path) -> None:
    hkl = asymmetric_unit()
    columns = [("F", "F", plus_of(hkl)), ("DANO", "D", 0.1 * plus_of(hkl))]
    write_mtz(tmp_path / "a.mtz", hkl, columns)
    plain, with_differences = (
        "\n".join(reflections.read(tmp_path / "a.mtz", names).notes)
        for names in ((), ("F", "DANO"))
    )
    assert "not used: DANO" in plain
    assert "not used" not in with_differences


def test_cells_of_datasets_are_told(tmp_path: Path) -> None:
    hkl = asymmetric_unit()
    mtz = write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", plus_of(hkl))])
    mtz.datasets[-1].cell = gemmi.UnitCell(36, 40, 50, 90, 90, 90)
    mtz.write_to_file(str(tmp_path / "a.mtz"))
    structure = reflections.read(tmp_path / "a.mtz")
    assert structure.cell is not None
    assert structure.cell.lengths_angstrom[0] == pytest.approx(36.0)
    assert "the file's own is 30" in "\n".join(structure.notes)


ION = "ATOM  {n:5d} {name:>4} {residue:<4} {n:4d}    {x:8.3f}{x:8.3f}{x:8.3f}  1.00 20.00\n"


@pytest.mark.parametrize(
    ("name", "residue", "electrons"),
    [
        ("NA", "NA", 11), ("CL", "CL", 17), ("CA", "CA", 20), ("SOD", "SOD", 11),
        ("CLA", "CLA", 17), ("POT", "POT", 19), ("ZN", "ZN", 30), ("CA", "ALA", 6),
    ],
)  # fmt: skip
def test_ions_of_molecular_dynamics(
    name: str, residue: str, electrons: int, tmp_path: Path
) -> None:
    """Without elements, an atom alone in a residue of its name is the ion of this name."""
    padded = f" {name:<3}"
    text = CRYST1 + ION.format(n=1, name=padded, residue=f"{residue:<3} A"[:4], x=5.0)
    path = save(tmp_path / "a.pdb", text)
    found = amplitudes(coordinates.read(path, 3e-10, VACUUM), np.zeros((1, 3), dtype=int))
    assert found[0] == pytest.approx(4 * electrons, rel=2e-3)
    assert ("read as ions, by the names of their residues" in warned(path)) == (residue != "ALA")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("loop_\n_space_group_symop_magn_operation.id\n_space_group_symop_magn_operation.xyz\n"
         "1 x,y,z,+1\n", "magnetic symmetry"),
        ("loop_\n_space_group_symop_ssg_id\n_space_group_symop_ssg_operation_algebraic\n"
         "1 x1,x2,x3,x4\n", "superspace symmetry"),
    ],
)  # fmt: skip
def test_other_symmetry_is_named(items: str, message: str, tmp_path: Path) -> None:
    text = cif_of([("C1", "C", 0.1, 0.2, 0.3, 1, 0.02)])
    text = text.replace("_symmetry_space_group_name_H-M 'P 1'\n", items)
    with pytest.raises(FileFormatError, match=message):
        read(write_cif(tmp_path / "a.cif", {"x": text}))


def test_unmerged_reflections_of_a_cif(tmp_path: Path) -> None:
    names = [f"_pdbx_diffrn_unmerged_refln.{name}" for name in ("index_h", "index_k", "index_l")]
    path = write_cif(tmp_path / "a.cif", {"x": cif_cell() + loop(names, [(1, 2, 3)])})
    with pytest.raises(FileFormatError, match="unmerged reflections only"):
        reflections.read(path)


def test_headers_that_are_cut_off(tmp_path: Path) -> None:
    """An interrupted copy of an MTZ file loses the end of its header: datasets and wavelengths."""
    hkl = asymmetric_unit()
    write_mtz(tmp_path / "a.mtz", hkl, [("F", "F", plus_of(hkl))])
    data = (tmp_path / "a.mtz").read_bytes()
    for record in (b"DCELL", b"NDIF", b"MTZENDOFHEADERS"):
        (tmp_path / "b.mtz").write_bytes(data[: data.index(record)])
        with pytest.raises(FileFormatError, match="cut off"):
            reflections.read(tmp_path / "b.mtz")


def test_tensors_of_mmcif_beside_fractions(tmp_path: Path) -> None:
    names = ["id", "U[1][1]", "U[2][2]", "U[3][3]", "U[1][2]", "U[1][3]", "U[2][3]"]
    text = cif_of([("C1", "C", 0.1, 0.2, 0.3, 1, 0.02)])
    text += loop([f"_atom_site_anisotrop.{name}" for name in names], [(1, 1, 0.05, 0.05, 0, 0, 0)])
    told = warned(write_cif(tmp_path / "a.cif", {"x": text}))
    assert "anisotropic displacements of mmCIF (_atom_site_anisotrop_...) are left out" in told


@pytest.mark.parametrize("name", ["adp_type", "thermal_displace_type"])
def test_types_of_displacements(name: str, tmp_path: Path) -> None:
    """Uani without a tensor is told, by the old name of the item too."""
    text = cif_of([("C1", "C", 0.1, 0.2, 0.3, 1, 0.02)])
    text = text.replace("_atom_site_occupancy", f"_atom_site_occupancy\n_atom_site_{name}")
    text = text.replace("0.3 1 0.02", "0.3 1 Uani 0.02")
    assert "C1" in warned(write_cif(tmp_path / "a.cif", {"x": text}))


def test_scales_that_are_the_identity(tmp_path: Path) -> None:
    rows = ("1.000000  0.000000  0.000000", "0.000000  1.000000  0.000000",
            "0.000000  0.000000  1.000000")  # fmt: skip
    scales = "".join(f"SCALE{n}      {row}        0.00000\n" for n, row in enumerate(rows, 1))
    told = warned(save(tmp_path / "a.pdb", CRYST1 + scales + atom_lines()))
    assert "SCALE records are the identity" in told


@pytest.mark.parametrize(("count", "is_told"), [(987, True), (5, False)])
def test_masters_that_count_other_atoms(count: int, is_told: bool, tmp_path: Path) -> None:
    master = f"MASTER    {0:5d}{0:5d}{0:5d}{0:5d}{0:5d}{0:5d}{0:5d}{0:5d}{count:5d}\n"
    assert master[50:55].strip() == str(count)
    told = warned(save(tmp_path / "a.pdb", CRYST1 + atom_lines() + master))
    assert (f"MASTER counts {count} atoms, but there are 5" in told) == is_told


def test_raw_counts_are_told(tmp_path: Path) -> None:
    names = [f"_diffrn_refln_{name}" for name in ("index_h", "index_k", "index_l", "counts_net")]
    text = cif_cell("_cell_length_") + "_symmetry_space_group_name_H-M 'P 21 21 21'\n"
    path = write_cif(tmp_path / "a.cif", {"x": text + loop(names, [(1, 2, 3, 100.0)])})
    with pytest.warns(CupysimWarning, match="raw counts, without Lorentz and polarization"):
        reflections.read(path)
