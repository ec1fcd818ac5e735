"""Columns whose type does not say what they hold, and tables of several kinds."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from cupysim.formats.structures import reflections
from cupysim.formats.structures.structure import Structure
from tests.field.writers import asymmetric_unit, check, plus_of, write_mtz

HKL = asymmetric_unit()
PLUS = plus_of(HKL)


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
