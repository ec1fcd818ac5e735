"""Images without a photon, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cupysim.errors import CupysimWarning
from tests.conftest import Run

WORDS = "-N 3 -detpixels 16 -pixel 6 -distance 100 -nodump -nonoise -nopgm -cell 30 40 50 -lambda 1"
ASIDE = "-N 30 -detpixels 4 -pixel 0.1 -distance 100 -Xbeam 20 -Ybeam 20 -binary_spots"

CASES = {
    "too fine": ("-hkl far.hkl", "the structure factors reach from 0.24 to 0.24 A, the detec"),
    "no photons": ("-default_F 5 -fluence 0", "the fluence is zero"),
    "no pixels": ("-default_F 5 -roi 40 50 40 50", "mask and region of interest exclude every"),
    "no amplitudes": ("-hkl zero.hkl", "all structure factors are zero"),
    "limit": ("-default_F 5 -dmin 5000", "nothing finer than 5000 A scatters (-dmin)"),
    "wavelength": ("-hkl near.hkl -lambda 12398", "a wavelength of 12398 A; -lambda is in Ang"),
    "sensor": ("-default_F 5 -detector_abs inf -detector_thick 100", "the sensor absorbs nothing"),
    "no sensor": (
        "-default_F 5 -oversample_thick", "a sensor without thickness absorbs nothing (-oversam",
    ),
    "tolerance": (
        "-default_F 5 -corrected -tolerance 1e9", "no pixel has more than 1e+09 photons, the tol",
    ),
    "orientation": (
        f"-hkl near.hkl {ASIDE} -misset 11 12 13", "no reflection is near the Ewald sphere",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_likeliest_reason(case: str, run: Run) -> None:
    words, reason = CASES[case]
    run("-h")
    Path("far.hkl").write_text("90 90 90 5\n")
    Path("near.hkl").write_text("1 0 0 5\n30 30 30 5\n")
    Path("zero.hkl").write_text("1 0 0 0\n")
    outcome = run(f"{WORDS} {words}")
    assert outcome.status == 0, outcome.err
    assert f"the image is zero everywhere: {reason}" in outcome.err


@pytest.mark.filterwarnings("error::cupysim.errors.CupysimWarning")
def test_other_images_are_not_warned_of(run: Run) -> None:
    assert "zero everywhere" not in run(f"{WORDS} -default_F 5").err


def test_python_warns_too() -> None:
    from cupysim.api import from_args, simulate

    with pytest.warns(CupysimWarning, match="the image is zero everywhere: the fluence is zero"):
        simulate(from_args(f"{WORDS} -default_F 5 -fluence 0"))


def test_noise_that_leaves_no_photon(run: Run) -> None:
    noisy = WORDS.replace("-nonoise ", "")
    assert "no photon was counted: " in run(f"{noisy} -default_F 5 -fluence 1e3").err
    assert "no photon was counted" not in run(f"{noisy} -default_F 5").err
    assert "no photon was counted" not in run(f"{WORDS} -default_F 5 -fluence 1e3").err


def test_a_background_alone_is_an_image(run: Run) -> None:
    outcome = run(f"{WORDS} -default_F 0 -water 4")
    assert outcome.status == 0, outcome.err
    assert outcome.float_image(16, 16).min() > 0.0
    assert "no structure factors" in run(f"{WORDS} -water 4").err
    assert "no structure factors" in run(f"{WORDS} -default_F 0").err
