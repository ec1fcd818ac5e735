"""Cells of CIF files with unknown angles, or with another volume than their own."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats.structures import coordinates, reflections
from cupysim.formats.structures.structure import Structure
from tests.field.test_coordinates import SITE, VACUUM
from tests.field.writers import amplitudes, loop, write_cif

BETA = 104.5
VOLUME = 8.0 * 9.0 * 10.0 * np.sin(np.radians(BETA))
"""Volume (A^3) of a monoclinic cell: a b c sin(beta)."""

KINDS = ("atoms", "reflections of core CIF", "reflections of mmCIF")


def text_of(kind: str, group: str, angles: tuple[object, ...], extra: str = "") -> str:
    dot = "." if kind.endswith("mmCIF") else "_"
    edges = (8, 8, 10) if group.startswith("P 6") else (8, 9, 10)
    text = "".join(f"_cell{dot}length_{n} {v}\n" for n, v in zip("abc", edges, strict=True))
    text += "".join(
        f"_cell{dot}angle_{name} {value}\n"
        for name, value in zip(("alpha", "beta", "gamma"), angles, strict=True)
        if value is not None
    )
    text += f"_symmetry{dot}space_group_name_H-M '{group}'\n" + extra.replace(
        "_cell_", f"_cell{dot}"
    )
    if kind == "atoms":
        return text + loop(SITE, [("C1", "C", 0.1, 0.2, 0.3, 0.01)])
    names = [f"_refln{dot}{each}" for each in ("index_h", "index_k", "index_l", "F_meas_au")]
    return text + loop(names, [(1, 2, 3, 10.0), (2, 1, 1, 20.0)])


def read(tmp_path: Path, kind: str, text: str) -> tuple[Structure, str]:
    path = write_cif(tmp_path / "a.cif", {"x": text})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = coordinates.read(path, 3e-10, VACUUM) if kind == "atoms" else reflections.read(path)
    return found, "\n".join(str(each.message) for each in caught)


def angles_of(found: Structure) -> list[float]:
    assert found.cell is not None
    return [float(np.degrees(angle)) for angle in found.cell.angles]


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_angles(kind: str, tmp_path: Path) -> None:
    """An angle that the group leaves free is an error; others are those of the group."""
    for group, angles, item in (
        ("P 1 21 1", (90, "?", 90), "beta"),
        ("P 1 21 1", ("?", "?", "?"), "beta"),
        ("P 1", (90, 90, "?"), "gamma"),
        ("R 3", ("?", "?", "?"), "alpha"),
    ):
        with pytest.raises(FileFormatError, match=rf"_cell_angle_{item} is unknown \(\?\)"):
            read(tmp_path, kind, text_of(kind, group, angles))
    for group, angles, expected in (
        ("P 1 21 1", ("?", BETA, "?"), [90.0, BETA, 90.0]),
        ("P 21 21 21", ("?", "?", "?"), [90.0, 90.0, 90.0]),
        ("P 63", (90, 90, "?"), [90.0, 90.0, 120.0]),
    ):
        found, _ = read(tmp_path, kind, text_of(kind, group, angles))
        np.testing.assert_allclose(angles_of(found), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beta", [".", None])
def test_missing_angles_are_right(kind: str, beta: object, tmp_path: Path) -> None:
    found, _ = read(tmp_path, kind, text_of(kind, "P 1 21 1", (90, beta, 90)))
    np.testing.assert_allclose(angles_of(found), [90.0, 90.0, 90.0], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("group", "angles", "told"),
    [
        ("P 1 21 1", (90, None, 90), "_cell_angle_beta are missing"),
        ("P 1 21 1", (90, ".", 90), "_cell_angle_beta are missing"),
        ("P 1 21 1", (None, 90, None), ""),
        ("P 21 21 21", (None, None, None), ""),
        ("P 1", (95, None, None), "_cell_angle_beta, _cell_angle_gamma are missing"),
    ],
)
def test_missing_angles_that_are_free_are_told(
    kind: str, group: str, angles: tuple[object, ...], told: str, tmp_path: Path
) -> None:
    _, said = read(tmp_path, kind, text_of(kind, group, angles))
    assert (f"{told}: 90 degrees are taken" in said) is bool(told)
    assert ("are missing" in said) is bool(told)


@pytest.mark.parametrize("kind", KINDS)
def test_other_volumes(kind: str, tmp_path: Path) -> None:
    angles = (90, BETA, 90)
    for volume, is_told in (
        (f"{VOLUME:.1f}(3)", False),
        ("?", False),
        (f"{1.02 * VOLUME:.1f}", True),
    ):
        _, said = read(
            tmp_path, kind, text_of(kind, "P 1 21 1", angles, f"_cell_volume {volume}\n")
        )
        assert ("_cell_volume" in said) is is_told
    assert f"{1.02 * VOLUME:.1f}"[:3] in said
    assert f"its cell has {VOLUME:.6g} A^3" in said


def test_volume_of_another_block(tmp_path: Path) -> None:
    """The cell of another block comes with its doubts."""
    cell, _, rest = text_of(KINDS[2], "P 1 21 1", (90, 90, 90), "_cell_volume 650\n").partition(
        "loop_"
    )
    path = write_cif(tmp_path / "a.cif", {"cell": cell, "data": "loop_" + rest})
    with pytest.warns(match=r"_cell_volume is 650 A\^3, but its cell has 720 A\^3"):
        reflections.read(path)


SETTING = np.array([[0, 0, 1], [0, -1, 0], [1, 1, 0]])
"""A matrix of determinant 1 that is not its own transpose."""


@pytest.mark.parametrize(
    ("matrix", "error"),
    [
        (SETTING, ""),
        (np.eye(3), ""),
        (SETTING * [[2], [1], [1]], "does not turn each of them"),
        (SETTING * 0.5, "does not turn each of them"),
        (None, "lacks elements"),
    ],
)
def test_indices_of_another_cell(matrix: np.ndarray | None, error: str, tmp_path: Path) -> None:
    """The row (h k l) times the matrix has the indices of the cell (core CIF dictionary)."""
    text = text_of("reflections of core CIF", "P 1", (90, 100, 95))
    text = text.replace("_refln_", "_diffrn_refln_").replace("F_meas_au", "intensity_net")
    numbers = SETTING if matrix is None else matrix
    items = [
        f"_diffrn_reflns_transf_matrix_{i + 1}{j + 1} {numbers[i, j]:g}"
        for i in range(3)
        for j in range(3)
    ]
    head = "\n".join(items[:8] if matrix is None else items)
    path = write_cif(tmp_path / "a.cif", {"x": head + "\n" + text})
    if error:
        with pytest.raises(FileFormatError, match=error):
            reflections.read(path)
        return
    with pytest.warns(match="square roots"):
        found = reflections.read(path)
    # by hand: (1 2 3) -> (0 + 0 + 3, 0 - 2 + 3, 1) and (2 1 1) -> (1, -1 + 1, 2)
    moved = [(3, 1, 1), (1, 0, 2)] if numbers is SETTING else [(1, 2, 3), (2, 1, 1)]
    np.testing.assert_allclose(amplitudes(found, np.array(moved)) ** 2, [10.0, 20.0], rtol=1e-6)
    assert ("multiplied by" in "\n".join(found.notes)) is (numbers is SETTING)
