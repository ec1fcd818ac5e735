"""The dose of a sample, against figures of the literature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import Campaign, CupysimError, Spectrum, absorbed_dose, from_args
from tests.conftest import Run

pytest.importorskip("xraydb")

WORDS = "-cell 50 -default_F 1 -N 3 -detpixels 9 -pixel 4"


@pytest.mark.parametrize("wavelength", [0.8, 1.0, 1.5])
def test_rule_of_thumb(wavelength: float) -> None:
    """2000 photons/um^2 of 1 A for each Gy; Holton (2009) J. Synchrotron Rad. 16, 133."""
    shot = from_args(f"{WORDS} -lambda {wavelength} -fluence 2e15")
    assert absorbed_dose(shot, "H2O") == pytest.approx(wavelength**2, rel=0.12)


def test_mass_coefficient_of_water() -> None:
    """NIST's mass energy-absorption coefficient at 10 keV: 4.944 cm^2/g."""
    shot = from_args(f"{WORDS} -energy 10000 -fluence 1e20")
    expected = 1e20 * 1e4 * 1.602176634e-19 * 0.4944
    assert absorbed_dose(shot, "water") == pytest.approx(expected, rel=0.02)


def test_a_spectrum_is_averaged() -> None:
    shot = from_args(f"{WORDS} -fluence 1e20")
    lines = Spectrum.lines([1e-10, 2e-10], [1.0, 3.0])
    both = replace(shot, beam=replace(shot.beam, spectrum=lines))
    first, second = (
        absorbed_dose(replace(shot, beam=replace(shot.beam, wavelength=each)), "C5H8NO1.5")
        for each in (1e-10, 2e-10)
    )
    assert absorbed_dose(both, "C5H8NO1.5") == pytest.approx(0.25 * first + 0.75 * second)


def test_command(run: Run) -> None:
    outcome = run(f"{WORDS} -fluence 1e20 -dose water")
    assert outcome.status == 0
    line = next(each for each in outcome.out.splitlines() if each.startswith("dose: "))
    assert line.endswith(" MGy in water, from 1e+20 photons/m^2")
    expected = 1e-6 * absorbed_dose(from_args(f"{WORDS} -fluence 1e20"), "water")
    assert float(line.split()[1]) == pytest.approx(expected, rel=1e-3)
    np.testing.assert_array_equal(
        outcome.float_image(9, 9), run(f"{WORDS} -fluence 1e20 -floatfile b.bin").float_image(
            9, 9, "b.bin"
        )
    )  # fmt: skip
    refused = run(f"{WORDS} -dose unobtainium -floatfile c.bin")
    assert refused.status == 9
    assert "-dose: xraydb has no coefficient of 'unobtainium'" in refused.err


@pytest.mark.parametrize("material", ["?", "", " "])
def test_impossible_materials(material: str) -> None:
    with pytest.raises(CupysimError, match="no coefficient"):
        absorbed_dose(from_args(WORDS), material)


def test_campaigns_do_not_print_it(tmp_path: Path) -> None:
    with pytest.raises(CupysimError, match="-dose: the report of a single image"):
        Campaign({"campaign": {"shots": 1}, "base": {"arguments": f"{WORDS} -dose water"}},
                 tmp_path)  # fmt: skip
