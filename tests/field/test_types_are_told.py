"""Columns whose type does not say what they hold, and tables of several kinds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cupysim.formats.structures import reflections
from cupysim.formats.structures.structure import Structure
from tests.field.writers import (
    GROUP,
    asymmetric_unit,
    check,
    cif_cell,
    loop,
    minus_of,
    plus_of,
    write_cif,
    write_mtz,
)

HKL = asymmetric_unit()
PLUS, MINUS = plus_of(HKL), minus_of(HKL)


def read(path: Path, *columns: str) -> tuple[Structure, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = reflections.read(path, columns)
    return found, "\n".join(str(each.message) for each in caught)


@pytest.mark.parametrize("label", ["IMEAN", "I", "IOBS", "I-obs"])
def test_untyped_intensities(label: str, tmp_path: Path) -> None:
    """Numbers of type R are amplitudes for cupysim; their label may say otherwise."""
    write_mtz(tmp_path / "a.mtz", HKL, [(label, "R", PLUS), ("X", "R", 2.0 * PLUS)])
    found, said = read(tmp_path / "a.mtz", label)
    check(found, HKL, PLUS)
    assert f"the column {label} has the type R: its numbers are used as amplitudes, though" in said
    found, said = read(tmp_path / "a.mtz", "X")
    check(found, HKL, 2.0 * PLUS)
    assert said == ""
    assert "note: the column X has the type R: its numbers are used as amplitudes" in found.notes


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [("Im", "Ip", "K"), ("FM", "FP", "G"), ("Ip", "Im", "K"), ("I_n", "I_p", "K")],
)
def test_letters_tell_the_mates(first: str, second: str, kind: str, tmp_path: Path) -> None:
    values = {"p": PLUS, "m": MINUS, "n": MINUS}
    columns = []
    for label in (first, second):
        mate = values[label[-1].lower()]
        columns.append((label, kind, mate**2 if kind == "K" else mate))
        columns.append((f"SIG{label}", "M" if kind == "K" else "L", np.ones(len(HKL))))
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    check(read(tmp_path / "a.mtz")[0], HKL, PLUS, MINUS, rtol=1e-5)


def test_other_letters_keep_the_order(tmp_path: Path) -> None:
    columns = [("FA", "G", PLUS), ("FB", "G", MINUS)]
    write_mtz(tmp_path / "a.mtz", HKL, columns)
    check(read(tmp_path / "a.mtz")[0], HKL, PLUS, MINUS)


HEAD = cif_cell() + f"_symmetry.space_group_name_H-M '{GROUP}'\n"


def block(items: dict[str, Sequence[object]]) -> str:
    """A block of mmCIF with reflections."""
    names = [f"_refln.{name}" for name in ("index_h", "index_k", "index_l", *items)]
    return HEAD + loop(names, zip(*HKL.T.tolist(), *items.values(), strict=True))


@pytest.mark.parametrize(
    ("item", "label"), [("pdbx_FWT", "FWT"), ("pdbx_DELFWT", "DELFWT"), ("F_calc_au", "FC")]
)
def test_measured_block_is_preferred(item: str, label: str, tmp_path: Path) -> None:
    maps, data = block({item: 3.0 * PLUS}), block({"F_meas_au": PLUS})
    found, _ = read(write_cif(tmp_path / "a.cif", {"maps": maps, "more": maps, "obs": data}))
    check(found, HKL, PLUS)
    said = "\n".join(found.notes)
    assert "block obs, amplitudes FP" in said
    assert "other blocks with reflections: maps, more" in said
    if item != "pdbx_DELFWT":
        assert "block maps has no measured data" in said
    # a user may still choose
    found, _ = read(tmp_path / "a.cif", f"maps/{label}")
    check(found, HKL, 3.0 * PLUS)


@pytest.mark.parametrize(("second", "told"), [("2", True), ("1", False), ("?", False)])
def test_several_crystals(second: str, told: bool, tmp_path: Path) -> None:
    crystals = ["1", *[second] * (len(HKL) - 1)]
    path = write_cif(tmp_path / "a.cif", {"x": block({"crystal_id": crystals, "F_meas_au": PLUS})})
    found, said = read(path)
    check(found, HKL, PLUS)
    assert ("those of 2 crystals (crystal_id), used as one: 1, 2" in said) is told


def test_amplitudes_on_two_scales(tmp_path: Path) -> None:
    path = write_cif(tmp_path / "a.cif", {"x": block({"F_meas_au": PLUS, "F_meas": 0.1 * PLUS})})
    found, _ = read(path)
    check(found, HKL, PLUS)
    assert "amplitudes F_meas_au (not used: F_meas)" in found.notes[0]
