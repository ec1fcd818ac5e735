"""Settings of imgCIF axes: those that belong to no axis, and axes that have none, are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cupysim.formats import imgcif
from tests.conftest import Run
from tests.field.cbf_files import AXES, full_cbf, imgcif_text, section
from tests.field.test_geometry import WORDS

STANDS = {"DISTANCE": (0.0, 150.0), "OMEGA": (30.0, 0.0), "TWOTHETA": (20.0, 0.0)}
TURNS = {"OMEGA": 0.5}


def read(change: Callable[[str], str], **arguments: Any) -> tuple[Any, str]:
    text = imgcif_text((60, 40), **{"stands": STANDS, "increments": TURNS, **arguments})
    changed = change(text)
    assert changed != text
    geometry = imgcif.read("a.cbf", f"data_a\n{changed}", 60, 40)[0]
    return geometry, "\n".join(geometry.remarks)


def renamed(name: str, other: str) -> Callable[[str], str]:
    """Rows of settings have another name than the axis."""
    return lambda text: text.replace(f"S1 {name} ", f"S1 {other} ").replace(
        f"F1 {name} ", f"F1 {other} "
    )


def without(*begins: str) -> Callable[[str], str]:
    return lambda text: "\n".join(
        line for line in text.split("\n") if not line.startswith(begins)
    )  # fmt: skip


def blank(row: str, value: str) -> Callable[[str], str]:
    begins = " ".join(row.split()[:2])
    return lambda text: text.replace(row, f"{begins} {value} {value}")


def turned(geometry: Any) -> list[float]:
    """First angle, width, and angle of the detector (degrees)."""
    normal = np.cross(geometry.fast, geometry.slow)
    tilt = np.arccos(abs(normal[2]))
    angles = [geometry.phi or 0.0, geometry.oscillation or 0.0, tilt]
    return np.degrees(angles).tolist()


CASES = {
    "arm in lower case": (
        renamed("TWOTHETA", "Twotheta"), [30.0, 0.5, 20.0],
        "settings of Twotheta are taken for those of its axis TWOTHETA",
    ),
    "spindle in lower case": (
        renamed("OMEGA", "omega"), [30.0, 0.5, 20.0],
        "settings of omega are taken for those of its axis OMEGA",
    ),
    "unknown name": (
        renamed("OMEGA", "GONIO_OMEGA"), [0.0, 0.0, 20.0],
        "the settings GONIO_OMEGA 30 are not used: its tables have no such axis\n"
        "its tables have no setting of OMEGA; zero is assumed",
    ),
    "no rows": (
        without("S1 TWOTHETA", "F1 TWOTHETA"), [30.0, 0.5, 0.0],
        "its tables have no setting of TWOTHETA; zero is assumed",
    ),
    "unknown arm": (
        blank("F1 TWOTHETA 20.0 0.0", "?"), [30.0, 0.5, 20.0],
        "its frame has no setting of TWOTHETA; the start of the scan, 20, is used",
    ),
    "unknown angle": (
        blank("F1 OMEGA 30.0 0.0", "."), [30.0, 0.5, 20.0],
        "its frame has no setting of OMEGA; the start of the scan, 30, is used",
    ),
    "other equipment": (
        lambda text: text.replace("rotation goniometer", "rotation gonio"), [30.0, 0.5, 20.0],
        "are of the equipment 'gonio'; a goniometer is assumed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_settings(case: str) -> None:
    change, expected, told = CASES[case]
    geometry, said = read(change)
    assert turned(geometry) == pytest.approx(expected, abs=1e-9)
    assert told in said


def test_axes_that_belong_to_nothing() -> None:
    axes = [*AXES, "SLIT rotation slits . 0 0 1 . . ."]
    stands = {**STANDS, "SLIT": (7.0, 0.0)}
    text = imgcif_text((60, 40), axes, stands, TURNS)
    geometry = imgcif.read("a.cbf", f"data_a\n{text}", 60, 40)[0]
    assert "its axes SLIT (slits) are not at zero, but belong neither" in "\n".join(
        geometry.remarks
    )


def test_complete_settings_need_no_word() -> None:
    text = imgcif_text((60, 40), stands=STANDS, increments=TURNS)
    remarks = imgcif.read("a.cbf", f"data_a\n{text}", 60, 40)[0].remarks
    assert [each for each in remarks if "corner" not in each] == []


def test_distances_of_zero_are_named(tmp_path: Path, run: Run) -> None:
    text = imgcif_text((60, 40), stands={"DISTANCE": (0.0, 0.0)})
    full_cbf(tmp_path / "a.cbf", text, section(np.ones((40, 60), np.int32)))
    assert "impossible position: the distance is 0" in run(f"{WORDS} -img a.cbf").err
    assert "the distance of its detector is 0" in run("info a.cbf").out
