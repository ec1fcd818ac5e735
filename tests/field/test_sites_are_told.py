"""Sites of small molecules: disorder about special positions, and electrons in the cell."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.formats.structures import coordinates
from tests.field import test_coordinates as macromolecules
from tests.field.test_coordinates import SITE, VACUUM, direct_sum
from tests.field.writers import amplitudes, loop, write_cif

CELL = (8.0, 9.0, 10.0, 90.0, 90.0, 90.0)
U, B = 0.03, 8.0 * np.pi**2 * 0.03
HKL = np.array([[0, 0, 0], [1, 2, 3], [1, 1, 1], [0, 3, 1]])
GROUP, ORDER = "_atom_site_disorder_group", "_atom_site_site_symmetry_order"
MISSPELT = "_atom_site_symetry_multiplicity"


def head(cell: tuple[float, ...], group: str) -> str:
    names = ["length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"]
    text = "".join(f"_cell_{name} {value}\n" for name, value in zip(names, cell, strict=True))
    return f"{text}_symmetry_space_group_name_H-M '{group}'\n"


def read(path: Path, text: str) -> tuple[np.ndarray, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = coordinates.read(write_cif(path, {"x": text}), 1.5e-10, VACUUM)
    return amplitudes(found, HKL), "\n".join(str(each.message) for each in caught)


@pytest.mark.parametrize("y", [0.0, 0.0055])
@pytest.mark.parametrize(
    ("item", "value", "told"),
    [(None, None, False), (ORDER, "1", False), (ORDER, "2", True), (MISSPELT, "1", False)],
)
def test_disorder_about_a_mirror(
    y: float, item: str | None, value: str, told: bool, tmp_path: Path
) -> None:
    """Both copies of a site in PART -1 have its occupancy, on the mirror or next to it."""
    names = [*SITE, "_atom_site_occupancy", GROUP]
    rows = [
        ("C1", "C", 0.1, y, 0.2, U, 0.5, "-1"),
        ("O1", "O", 0.3, 0.2, 0.1, U, 1, "."),
    ]
    if item is not None:
        names, rows = [*names, item], [(*row, value if row[0] == "C1" else 1) for row in rows]
    found, said = read(tmp_path / "a.cif", head(CELL, "P 1 m 1") + loop(names, rows))
    places = np.array([(0.1, y, 0.2), (0.3, 0.2, 0.1)]) * CELL[:3]
    expected = direct_sum(HKL, places, ["C", "O"], [0.5, 1.0], [B, B], CELL, "P 1 m 1")
    np.testing.assert_allclose(found, np.abs(expected), rtol=1e-5)
    assert found[0] == pytest.approx(2 * 0.5 * 6 + 2 * 8, rel=1e-3)
    assert ("site_symmetry_order contradicts" in said) is told


def test_other_disorder_groups(tmp_path: Path) -> None:
    """A positive group says nothing about a special position: the site counts once."""
    row = ("C1", "C", 0.1, 0.0, 0.2, U, 0.5, "1")
    text = head(CELL, "P 1 m 1") + loop([*SITE, "_atom_site_occupancy", GROUP], [row])
    assert read(tmp_path / "a.cif", text)[0][0] == pytest.approx(0.5 * 6, rel=1e-3)


COPPER = head((3.615, 3.615, 3.615, 90.0, 90.0, 90.0), "F m -3 m")


@pytest.mark.parametrize(
    ("occupancy", "extra", "told"),
    [
        (1.0, "_exptl_crystal_F_000 116\n", False),
        (1.0, "_exptl_crystal_F_000 108\n", False),
        (1.0, "_exptl_crystal_F_000 ?\n", False),
        (1.0, "_exptl_crystal_F_000 58\n", True),
        # one site, of 48 operators in 192 / 4
        (1 / 48, "_exptl_crystal_F_000 116\n", True),
        (1 / 48, "_exptl_crystal_F_000 116\n_diffrn_radiation_probe neutron\n", False),
        (1 / 48, "_exptl_crystal_F_000 116\n_platon_squeeze_details x\n", False),
        (1.0, "_exptl_crystal_F_000 98\nloop_\n_atom_type_symbol\n"
              "_atom_type_scat_dispersion_real\nCu -4.5\n", False),
    ],
)  # fmt: skip
def test_electrons_in_the_cell(occupancy: float, extra: str, told: bool, tmp_path: Path) -> None:
    """Four copper atoms of 29 electrons; old programs give the occupancy 1/48."""
    row = ("Cu1", "Cu", 0, 0, 0, 0.01, f"{occupancy:.5f}")
    _, said = read(
        tmp_path / "a.cif", COPPER + extra + loop([*SITE, "_atom_site_occupancy"], [row])
    )
    assert ("_exptl_crystal_F_000" in said) is told
    if told:
        assert f"its sites have {4 * 29 * round(occupancy, 5):.4g} electrons" in said


@pytest.mark.parametrize(("formula", "told"), [("C6 H6", False), ("C6", True), (None, False)])
def test_missing_hydrogen_atoms(formula: str | None, told: bool, tmp_path: Path) -> None:
    """Carbon atoms alone have fewer electrons than the cell with its hydrogen atoms."""
    extra = "_exptl_crystal_F_000 14\n"
    extra += "" if formula is None else f"_chemical_formula_sum '{formula}'\n"
    text = head(CELL, "P 1 21 1") + extra + loop(SITE, [("C1", "C", 0.1, 0.2, 0.3, U)])
    assert ("_exptl_crystal_F_000" in read(tmp_path / "a.cif", text)[1]) is told


@pytest.mark.parametrize(
    ("element", "x", "occupancy", "group", "told"),
    [
        # minor sites as the CSD writes them: without an occupancy, and a question mark behind
        ("C", 0.15, "?", "P 1", "1 pairs of atoms are less than 0.7 A apart"),
        ("C", 0.15, "0.5", "P 1", "1 pairs of atoms are less than 0.7 A apart"),
        ("C", 0.15, "0.0", "P 1", ""),
        ("C", 0.25, "?", "P 1", ""),
        # a hydrogen atom that was refined freely
        ("H", 0.18, "?", "P 1", ""),
        # 0.4 A from the image of the first site by the mirror
        ("C", -0.15, "?", "P m 1 1", "1 atoms are less than 0.7 A from a symmetry equivalent"),
        ("C", -0.15, "0", "P m 1 1", ""),
        ("H", -0.15, "?", "P m 1 1", ""),
    ],
)
def test_atoms_close_to_others(
    element: str, x: float, occupancy: str, group: str, told: str, tmp_path: Path
) -> None:
    rows = [
        ("C1", "C", 0.1, 0.2, 0.3, U, 1),
        (f"{element}1?", element, x, 0.2, 0.3, U, occupancy),
        ("O1", "O", 0.4, 0.7, 0.7, U, 1),
    ]
    text = head(CELL, group) + loop([*SITE, "_atom_site_occupancy"], rows)
    found, said = read(tmp_path / "a.cif", text)
    assert ("less than 0.7 A" in said) is bool(told)
    assert told in said
    weight = 1.0 if occupancy == "?" else float(occupancy)
    charge = {"C": 6, "H": 1}[element]
    copies = 2 if group == "P m 1 1" else 1
    assert found[0] == pytest.approx(copies * (6 + weight * charge + 8), rel=2e-3)


def test_conformations_are_not_close(tmp_path: Path) -> None:
    """Two conformations of half occupancy are the usual case, whatever their distance."""
    rows = [("C1A", "C", 0.1, 0.2, 0.3, U, 0.5), ("C1B", "C", 0.13, 0.2, 0.3, U, 0.5)]
    text = head(CELL, "P 1") + loop([*SITE, "_atom_site_occupancy"], rows)
    assert "less than 0.7 A" not in read(tmp_path / "a.cif", text)[1]


@pytest.mark.parametrize(
    ("b", "told"), [(B, False), (1.04 * B, False), (2.0 * B, True), ("?", False)]
)
def test_two_isotropic_displacements(b: float | str, told: bool, tmp_path: Path) -> None:
    rows = [("C1", "C", 0.1, 0.2, 0.3, U, b), ("O1", "O", 0.4, 0.7, 0.7, U, B)]
    text = head(CELL, "P 1") + loop([*SITE, "_atom_site_B_iso_or_equiv"], rows)
    found, said = read(tmp_path / "a.cif", text)
    assert ("U and B of 1 atoms contradict each other, U is used: C1" in said) is told
    places = np.array([row[2:5] for row in rows], dtype=float) * CELL[:3]
    expected = direct_sum(HKL, places, ["C", "O"], [1.0, 1.0], [B, B], CELL, "P 1")
    np.testing.assert_allclose(found, np.abs(expected), rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "values", "told"),
    [
        (["U_iso_or_equiv"], [20.0 / (8.0 * np.pi**2)], ""),
        (["U_iso_or_equiv"], [0.5], "U and B of 5 atoms contradict each other, B is used"),
        (["fract_x", "fract_y", "fract_z"], None, ""),
        (["fract_x", "fract_y", "fract_z"], [0.1, 0.2, 0.3], "coordinates of 5 atoms contradict"),
        (["fract_x", "fract_y", "fract_z"], ["?", "?", "?"], ""),
    ],
)
def test_what_mmcif_says_twice(
    names: list[str], values: list[object] | None, told: str, tmp_path: Path
) -> None:
    """gemmi reads B and the Cartesian coordinates."""
    columns = ["id", "type_symbol", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv"]
    rows = [
        (number, element, *place, occ, b,
         *(np.divide(place, macromolecules.CELL[:3]) if values is None else values))
        for number, (_, element, place, occ, b) in enumerate(macromolecules.ATOMS, 1)
    ]  # fmt: skip
    text = macromolecules.mmcif_of([*columns, *names], rows)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = macromolecules.read(write_cif(tmp_path / "a.cif", {"x": text}))
    said = [str(each.message) for each in caught if "contradict" in str(each.message)]
    assert len(said) == bool(told)
    assert all(told in each for each in said)
    macromolecules.check(found, macromolecules.summed(macromolecules.ATOMS))
