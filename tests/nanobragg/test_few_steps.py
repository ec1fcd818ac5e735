"""Warnings of ranges that are sampled at two points only."""

from __future__ import annotations

import pytest

from tests.conftest import Run

CRYSTAL = "-cell 25 -default_F 1 -N 3 -detpixels 8 -nodump -nonoise -nopgm"
ROTATION = "the rotation is sampled at 2 angles only; give -phisteps"
BANDWIDTH = "the bandwidth is sampled at 2 wavelengths only; give -dispsteps"
HORIZONTAL = "the horizontal divergence is sampled at 2 angles only; give -hdivsteps"
VERTICAL = "the vertical divergence is sampled at 2 angles only; give -vdivsteps"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("", []),
        ("-osc 30", [ROTATION]),
        ("-osc 0", []),
        ("-osc 30 -phisteps 2", []),
        ("-osc 1 -phistep 0.5", []),
        ("-dispersion 5", [BANDWIDTH]),
        ("-dispersion 5 -dispsteps 2", []),
        ("-dispersion 0", []),
        ("-divergence 5", [HORIZONTAL, VERTICAL]),
        ("-divergence 5 -divsteps 2", []),
        ("-divergence 5 -vdivsteps 4", [HORIZONTAL]),
        ("-hdivrange 5", [HORIZONTAL]),
        ("-vdivrange 5 -vdivstep 2.5", []),
        ("-mosaic 1", []),
    ],
)
@pytest.mark.parametrize("corrected", ["", "-corrected"])
def test_warnings_of_two_points(options: str, told: list[str], corrected: str, run: Run) -> None:
    outcome = run(f"{CRYSTAL} {options} {corrected}")
    assert outcome.status == 0, outcome.err
    found = [line for line in outcome.err.splitlines() if " is sampled at 2 " in line]
    assert found == [f"cupysim: warning: {text}" for text in told]


def test_a_wavelength_in_metres_is_named(run: Run) -> None:
    run("-h", ["few.hkl"])
    outcome = run("-pdb model.pdb -lambda 1e-10 -N 3")
    assert outcome.status == 9
    assert "-lambda: 1e-10 A is not the wavelength of X-rays" in outcome.err
