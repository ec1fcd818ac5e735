"""The factor of the background: its derivative, fits and campaigns."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Decay,
    Experiment,
    SizeSpread,
    from_args,
    read_experiment,
    render_gradients,
    simulate,
)
from cupysim.advice.quirk_effects import quirk_effects
from cupysim.campaign.definition.campaign_file import read_campaign
from cupysim.campaign.definition.shots import draw_shot
from cupysim.errors import CupysimError, ModelError
from cupysim.models.background_parameters import BACKGROUND_SCALE
from cupysim.models.parameters import changed, current
from cupysim.plan.planning import make_plan
from cupysim.quirks import Quirk
from cupysim.refine.fit import refine
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.observation import Observation
from cupysim.refine.settings import Settings
from cupysim.renderer import Renderer
from tests.conftest import Run

SINGLE = 4e-7
"""Relative rounding of float32."""

WORDS = (
    "-cell 50 60 70 80 95 100 -misset 10 20 30 -default_F 10 -N 4 -detpixels 12 -pixel 6 -lambda 1 "
    "-distance 80 -oversample 2 -corrected"
)
CASES = {
    "water": "-water 20",
    "matter": "-background water,0.1 -background air,10",
    "both": "-water 20 -background ice,0.01",
    "along the beam": "-background air,60@-30 -beamstop 4 20",
    "body": "-water 20 -body box,0.1,0.2,0.3,water -osc 3 -phisteps 2",
    "sensor": "-water 20 -detector_abs 300 -detector_thick 300 -thicksteps 3",
    "absorption": "-background water,0.1 -absorption slab,water,1",
}


def without_crystal(experiment: Experiment) -> np.ndarray:
    factors = replace(experiment.structure_factors, default=0.0)
    image = simulate(replace(experiment, structure_factors=factors)).array
    return image.astype(np.float64)


@pytest.mark.parametrize("case", CASES)
def test_the_derivative_is_the_background(case: str, backend: str) -> None:
    """Photons depend linearly on the factor: the derivative is the image without crystals."""
    base = from_args(f"{WORDS} {CASES[case]}")
    experiment = replace(base, background_scale=0.3)
    found = render_gradients(experiment, BACKGROUND_SCALE, backend=backend)
    expected = without_crystal(base)
    assert expected.max() > 0.0
    # in shadows, photons along the beam are rounding errors
    limit = {"rtol": 3 * SINGLE, "atol": 1e-12 * expected.max()}
    np.testing.assert_allclose(found[BACKGROUND_SCALE], expected, **limit)
    image = simulate(experiment, backend=backend).array
    np.testing.assert_allclose(found.photons, image, **limit)


@pytest.mark.parametrize("case", CASES)
def test_a_changed_factor(case: str) -> None:
    experiment = from_args(f"{WORDS} {CASES[case]}")
    assert current(experiment, BACKGROUND_SCALE) == 1.0
    more = simulate(changed(experiment, BACKGROUND_SCALE, 0.7)).array.astype(np.float64)
    expected = simulate(experiment).array + 0.7 * without_crystal(experiment)
    np.testing.assert_allclose(more, expected, rtol=3 * SINGLE, atol=SINGLE * expected.max())


def test_only_the_first_of_several_parts_has_the_background(backend: str) -> None:
    base = from_args(f"{WORDS} -water 20")
    sizes = replace(base.crystal, sizes=SizeSpread(0.2, 3))
    for experiment in (
        replace(base, crystal=sizes),
        replace(base, decay=Decay(1e6, 1e7)),
        replace(base, crystal=replace(base.crystal, scale=3.0)),
    ):
        found = render_gradients(experiment, BACKGROUND_SCALE, backend=backend)
        expected = without_crystal(experiment)
        np.testing.assert_allclose(found[BACKGROUND_SCALE], expected, rtol=3 * SINGLE)


def test_without_a_background() -> None:
    experiment = from_args(WORDS)
    with pytest.raises(CupysimError, match="there is no background"):
        render_gradients(experiment, BACKGROUND_SCALE)
    with pytest.raises(ModelError, match="there is no background"):
        changed(experiment, BACKGROUND_SCALE, 0.5)
    zero = replace(from_args(f"{WORDS} -water 20"), background_scale=0.0)
    with pytest.raises(CupysimError, match="background_scale: it is zero"):
        render_gradients(zero, BACKGROUND_SCALE)
    with pytest.raises(ModelError, match="background_scale must not be negative"):
        changed(zero, BACKGROUND_SCALE, -1.5)


def test_a_fit_finds_the_factor() -> None:
    experiment = from_args(
        f"{WORDS} -default_F 300 -N 12 -detpixels 100 -pixel 0.8 -oversample 1 "
        "-background water,1e-9 -fluence 1e30"
    )
    image = simulate(changed(experiment, BACKGROUND_SCALE, 0.4)).array.astype(np.float64)
    found = refine(
        experiment,
        Observation(image, np.ones(image.shape, dtype=bool)),
        free_parameters("background_scale,fluence"),
        Renderer().differentiate,
        Settings(search=0.0),
    )
    assert dict(zip(found.names, found.values, strict=True))[BACKGROUND_SCALE] == pytest.approx(
        1.4, rel=1e-4
    )


def test_campaigns_vary_it(tmp_path: Path) -> None:
    text = """
[campaign]
shots = 3
seed = 4
[base]
arguments = "{words}"
[vary]
background_scale = {{ uniform = [0.5, 2.0] }}
"""
    path = tmp_path / "c.toml"
    path.write_text(text.format(words=f"{WORDS} -water 20"))
    campaign = read_campaign(path)
    base = without_crystal(campaign.experiment)
    for number in range(3):
        shot = draw_shot(campaign, number)
        (experiment,) = shot.experiments
        (factor,) = np.atleast_1d(shot.drawn[BACKGROUND_SCALE])
        assert 0.5 <= factor <= 2.0
        np.testing.assert_allclose(without_crystal(experiment), factor * base, rtol=3 * SINGLE)
    path.write_text(text.format(words=WORDS))
    with pytest.raises(CupysimError, match="there is no background"):
        read_campaign(path)


def test_the_option(run: Run) -> None:
    outcome = run(f"{WORDS} -water 20 -background_scale 0.25 -h5file a.h5")
    assert outcome.status == 0, outcome.err
    experiment = from_args(f"{WORDS} -water 20 -background_scale 0.25")
    assert experiment.background_scale == 0.25
    plain = from_args(f"{WORDS} -water 20")
    np.testing.assert_allclose(
        without_crystal(experiment), 0.25 * without_crystal(plain), rtol=SINGLE
    )
    for words, told in (
        ("-background_scale 2", "there is no background"),
        ("-water 20 -background_scale -1", "-background_scale"),
    ):
        outcome = run(f"{WORDS} {words}")
        assert (outcome.status, told in outcome.err) == (9, True), outcome.err


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_only_a_background_with_photons_has_a_wrong_scale(scale: float) -> None:
    words = f"{WORDS} -water 20 -phisteps 4 -osc 1 -background_scale {scale}"
    experiment = from_args(words.replace("-corrected", ""))
    told = quirk_effects(experiment, make_plan(experiment))
    assert (Quirk.WATER_SCALE in told) == (scale > 0.0)


def test_files_keep_it(run: Run, tmp_path: Path) -> None:
    outcome = run(f"{WORDS} -water 20 -background_scale 0.25 -h5file a.h5")
    assert "factor of the background: 0.25" in outcome.out
    assert read_experiment(tmp_path / "a.h5").background_scale == 0.25
    told = run("info a.h5").out
    assert re.search(r"factor of the background +0\.25", told), told
    assert "factor of the background" not in run(f"{WORDS} -water 20 -h5file b.h5").out
