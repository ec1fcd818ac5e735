"""Fits whose free parameters move panels and groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import Experiment, Mosaicity, PhotonNoise, RandomStream, fit, simulate
from cupysim.errors import ModelError
from cupysim.plan.gradient_names import expand
from tests.panels.by_hand import Shot, grouped, random_panels

PLACE = 3e-6
"""Metres by which a fitted shift may be off; pixels are twenty times as large, and counts have
noise."""

SIGMAS = 5.0
"""Standard deviations by which a fitted parameter may be off."""


def experiment() -> Experiment:
    rng = np.random.default_rng(8)
    panels = [replace(panel, size=(70, 60), edges=(2.5e-4, 3e-4)) for panel in random_panels(rng)]
    shot = Shot(panels, n_cells=(12, 10, 11), fluence=2e27, wavelengths=(1e-10,), weights=(1.0,))
    made = shot.experiment(grouped(panels))
    mosaicity = Mosaicity.draw(0.004, 10, RandomStream(2))
    return replace(made, crystal=replace(made.crystal, shape="gauss", mosaicity=mosaicity))


@pytest.mark.parametrize("target", ["poisson", "squares"])
def test_displaced_panels_are_found(target: str) -> None:
    truth = experiment()
    counts = simulate(truth, backend="host").counts(PhotonNoise(5))
    detector = truth.detector
    moved = detector.moved("quadrant", shift=(8e-5, -6e-5, 0.0)).moved("p2", rotation=(0, 0, 2e-3))
    start = replace(truth, detector=moved)
    names = ("shift_x:quadrant", "shift_y:quadrant", "turn_z:p2", "misset")
    start = replace(start, crystal=replace(start.crystal, misset=(2e-4, -1e-4, 3e-4)))
    refined = fit(start, counts, names, search=0.0, target=target, backend="host")
    assert refined.converged, refined.reason
    found = dict(zip(refined.names, zip(refined.values, refined.sigmas, strict=True), strict=True))
    for name, expected in (
        ("shift_x:quadrant", -0.08), ("shift_y:quadrant", 0.06),
        ("turn_z:p2", np.degrees(-2e-3)), ("misset_x", 0.0), ("misset_y", 0.0), ("misset_z", 0.0),
    ):  # fmt: skip
        value, sigma = found[name]
        assert abs(value - expected) < SIGMAS * sigma, (name, value, sigma)
    for panel, right in zip(refined.experiment.detector, truth.detector, strict=True):
        np.testing.assert_allclose(panel.corners, right.corners, rtol=0.0, atol=PLACE)
    assert "shift_x:quadrant" in str(refined)


def test_names_of_motions() -> None:
    assert expand("shift:q0, turn_x:p1") == (
        "shift_x:q0", "shift_y:q0", "shift_z:q0", "turn_x:p1",
    )  # fmt: skip
    assert len(expand("motion:all")) == 6
    with pytest.raises(ModelError, match="no parameter 'slide:q0'"):
        expand("slide:q0")
    with pytest.raises(ModelError, match="'distance': the detector has panels; move them with"):
        fit(experiment(), np.ones(experiment().image_shape), "distance", backend="host")
    with pytest.raises(ModelError, match=r"group or panel 'q7'.*; 'detector' is the whole"):
        fit(experiment(), np.ones(experiment().image_shape), "shift:q7", backend="host")
