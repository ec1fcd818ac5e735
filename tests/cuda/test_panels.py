"""Detectors of panels on a GPU, whose warps a processor imitates (`simt.hpp`)."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim import Experiment, Renderer
from cupysim.backends.compiled import host_library
from tests.cuda.conftest import MachineMaker
from tests.panels.by_hand import Shot, grouped, random_panels
from tests.panels.test_tolerance import experiment as narrow_spots
from tests.tolerances import GOLDEN_ABSOLUTE, GOLDEN_RELATIVE

pytestmark = pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")

DERIVATIVES = 1e-9
"""Derivatives of two float64 computations, of the largest of each parameter."""


def experiment(alike: bool, thick: bool) -> Experiment:
    panels = random_panels(np.random.default_rng(6), thick=thick, alike=alike)
    return Shot(panels, n_cells=(6, 5, 4)).experiment(grouped(panels))


@pytest.mark.parametrize("thick", [False, True])
@pytest.mark.parametrize("alike", [False, True])
def test_images(alike: bool, thick: bool, machine: MachineMaker) -> None:
    made, wanted = machine(), experiment(alike, thick)
    with Renderer("host") as render:
        reference = render(wanted)
    with Renderer("cuda") as render:
        found = render(wanted)
        kept = render(wanted, device_arrays=True)
        assert kept.shape == found.array.shape
        del kept
    limit = GOLDEN_ABSOLUTE * reference.array.max()
    np.testing.assert_allclose(found.array, reference.array, rtol=GOLDEN_RELATIVE, atol=limit)
    assert found.statistics.solid_angle == pytest.approx(reference.statistics.solid_angle)
    assert made.used == [0]


def test_derivatives(machine: MachineMaker) -> None:
    machine()
    wanted, names = experiment(alike=False, thick=True), "motion:quadrant, n_cells"
    with Renderer("host") as render:
        reference = render.gradients(wanted, names)
    with Renderer("cuda") as render:
        found = render.gradients(wanted, names)
    assert found.values.shape == (9, *wanted.image_shape)
    for one, other in zip(reference.values, found.values, strict=True):
        np.testing.assert_allclose(other, one, rtol=0.0, atol=DERIVATIVES * np.abs(one).max())


def test_images_and_derivatives_within_a_tolerance(machine: MachineMaker) -> None:
    machine()
    wanted = narrow_spots(0, "gauss")
    with Renderer("host") as render:
        exact, slopes = render(wanted), render.gradients(wanted, "motion:p1")
    with Renderer("cuda", tolerance="1e-3peak") as render:
        found, within = render(wanted), render.gradients(wanted, "motion:p1")
    assert found.rendered.culled is not None
    assert found.rendered.culled.share < 1.0
    lacking = exact.array.astype(np.float64) - found.array
    assert lacking.max() <= found.rendered.culled.tolerances[0] * (1.0 + 1e-6)
    assert within.limits is not None
    differences = np.abs(slopes.values - within.values).reshape(6, -1).max(axis=1)
    assert (differences <= within.limits).all()
