"""Derivatives with respect to Stokes parameters: differences of images, which are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import CupysimError, PhotonNoise, fit, from_args, render_gradients, simulate
from cupysim.models.experiment import Experiment
from cupysim.models.parameters import changed, current

WORDS = (
    "-cell 40 50 60 80 95 100 -misset 10 20 30 -default_F 10 -N 3 -detpixels 14 -pixel 8 "
    "-distance 60 -oversample 2 -water 0.5 -corrected"
)
CASES = {
    "Kahn factor": "-polar 0.7",
    "Stokes parameters": "-stokes 0.3 -0.6",
    "rotation": "-polar 0.2 -osc 20 -phisteps 3 -mosaic 1 -mosaic_dom 4",
    "decay": "-stokes 0.1 0.2 -decay 20,1 -image_dose 10 -osc 20 -phisteps 2",
    "sizes": "-stokes 0.1 0.2 -size_spread 20 -size_steps 3",
    "axis not across the beam": "-beam_vector 1 0.2 0.5 -stokes 0.1 0.2",
    "divergence": "-stokes 0.5 0.1 -hdivrange 5 -hdivsteps 2 -dispersion 2 -dispsteps 2",
}
EXACT = 1e-10
"""Relative: photons depend linearly on the parameters, so only rounding is left."""

NEARLY = 1e-6
"""The same for divergent beams, for which the axes of Q and U are those of the mean beam."""


def photons(experiment: Experiment, backend: str) -> np.ndarray:
    return render_gradients(experiment, "scale", backend=backend).photons


@pytest.mark.parametrize("name", ["stokes_q", "stokes_u"])
@pytest.mark.parametrize("case", CASES)
def test_derivatives_are_differences(case: str, name: str, backend: str) -> None:
    experiment = from_args(f"{WORDS} {CASES[case]}")
    found = render_gradients(experiment, f"misset_x, {name}, scale", backend=backend)
    more, less = (photons(changed(experiment, name, by), backend) for by in (0.2, -0.3))
    expected = (more - less) / 0.5
    error = NEARLY if case == "divergence" else EXACT
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found.values[1], expected, rtol=error, atol=error * largest)
    assert np.abs(expected).max() > 0.01 * found.photons.max()


def test_values() -> None:
    kahn = from_args(f"{WORDS} -polar 0.7")
    assert current(kahn, "stokes_q") == 0.7
    assert current(kahn, "stokes_u") == 0.0
    turned = changed(changed(kahn, "stokes_q", -0.4), "stokes_u", 0.5)
    assert current(turned, "stokes_q") == pytest.approx(0.3)
    assert current(turned, "stokes_u") == 0.5
    assert current(kahn, "stokes_q") == 0.7
    with pytest.raises(CupysimError, match="100 %"):
        changed(turned, "stokes_u", 0.6)


def test_a_fit_finds_the_polarization() -> None:
    truth = from_args(f"{WORDS.replace('-water 0.5', '')} -stokes 0.5 0.3 -fluence 1e31")
    start = replace(truth, beam=replace(truth.beam, stokes=np.array([0.2, 0.0])))
    found = fit(start, simulate(truth).counts(PhotonNoise(3)), "stokes_q, stokes_u")
    for value, sigma, expected in zip(found.values, found.sigmas, (0.5, 0.3), strict=True):
        assert abs(value - expected) < 4.0 * sigma
        assert sigma < 0.05


def test_what_has_none() -> None:
    with pytest.raises(CupysimError, match=r"gradients: stokes_q: .*no polarization factor"):
        render_gradients(from_args(f"{WORDS} -nopolar"), "stokes_q")
