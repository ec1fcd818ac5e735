"""NXmx files with numbers at unusual places, of unusual kinds, or with parts of a scan only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.field.nxmx_files import N_FAST, N_SLOW, group
from tests.field.test_nxmx_of_hand import SAMPLE, read, turned

# scans by their ends

ONE_ANGLE = {
    # data sets beside a first angle of 10 degrees of 20 images, and the width of an image
    "end": ({"omega_end": 12.0}, 0.1),
    "total": ({"omega_range_total": 4.0}, 0.2),
    "increment": ({"omega_increment": 0.3}, 0.3),
    "step": ({"omega_step": -0.3}, -0.3),
    "ends": ({"omega_end": 10.1 + 0.1 * np.arange(20)}, 0.1),
    "increment and end of the scan": ({"omega_increment": 0.1, "omega_end": 12.0}, 0.1),
    "increment and end of an image": ({"omega_increment": 0.1, "omega_end": 10.1}, 0.1),
}


@pytest.mark.parametrize("case", ONE_ANGLE)
@pytest.mark.parametrize("place", ["chain", "omega", "omega_start"])
def test_scans_by_one_angle(case: str, place: str, tmp_path: Path) -> None:
    beside, width = ONE_ANGLE[case]

    def change(file: Any) -> None:
        if place != "chain":
            del file[f"{SAMPLE}/depends_on"], file[f"{SAMPLE}/transformations"]
            moved = group(file[SAMPLE], "goniometer", "NXtransformations")
            for name, value in {place: 10.0, **beside}.items():
                moved[name] = value
                moved[name].attrs["units"] = "degree"

    geometry, told = read(
        tmp_path / "a.h5", change, 5, omega=[10.0], beside_omega=beside,
        images=np.zeros((20, N_SLOW, N_FAST), np.uint16),
    )  # fmt: skip
    sign = np.sign(width)
    assert turned(geometry) == pytest.approx([sign * (10.0 + 5 * width), abs(width)])
    if not (place == "omega_start" and {"omega_increment"} & set(beside)):
        assert f"each image is assumed to be {width:g} degrees wide" in told
    assert "differ" not in told


def test_widths_of_one_angle_that_contradict(tmp_path: Path) -> None:
    told = read(
        tmp_path / "a.h5", lambda file: None, 5, omega=[10.0],
        beside_omega={"omega_increment": 0.1, "omega_range_total": 5.0},
        images=np.zeros((20, N_SLOW, N_FAST), np.uint16),
    )[1]  # fmt: skip
    assert "the widths of other data sets differ: omega_range_total 0.25" in told
