"""Sites of small molecules: disorder about special positions, and electrons in the cell."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.formats.structures import coordinates
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
    assert ("site_symmetry_order is impossible" in said) is told


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
