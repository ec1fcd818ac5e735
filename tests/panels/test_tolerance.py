"""Images and derivatives of detectors of panels within a tolerance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import Mosaicity, RandomStream, Renderer
from cupysim.models.experiment import Experiment
from tests.panels.by_hand import Shot, random_panels
from tests.tolerances import FLOAT32_BITS

MOTIONS = "motion:p0, motion:p1, n_cells"

SHARES = {"gauss": 0.9, "square": 1.0}
"""Less than this is computed: spots of square crystals have long tails."""


def experiment(seed: int, shape: str) -> Experiment:
    """Panels with many pixels, and a crystal of some domains with narrow spots."""
    rng = np.random.default_rng(seed)
    panels = [
        replace(
            panel, size=tuple(int(n) for n in rng.integers(30, 60, 2)),
            edges=tuple(np.array(panel.edges) / 12),
        )
        for panel in random_panels(rng, thick=bool(seed % 2))
    ]  # fmt: skip
    shot = Shot(panels, n_cells=(160, 120, 140), wavelengths=(1e-10,), weights=(1.0,))
    made = shot.experiment()
    mosaicity = Mosaicity.draw(0.003, 12, RandomStream(seed))
    return replace(made, crystal=replace(made.crystal, shape=shape, mosaicity=mosaicity))


@pytest.mark.parametrize("tolerance", ["1e-4peak", "1e-2peak"])
@pytest.mark.parametrize("shape", ["gauss", "square"])
@pytest.mark.parametrize("seed", range(4))
def test_images_within_a_tolerance(backend: str, seed: int, shape: str, tolerance: str) -> None:
    wanted = experiment(seed, shape)
    with Renderer(backend) as render:
        exact = render(wanted)
    with Renderer(backend, tolerance=tolerance) as render:
        image = render(wanted)
    culled = image.rendered.culled
    assert culled is not None
    assert culled.share < SHARES[shape]
    assert culled.peaks is not None
    assert culled.peaks[0] >= 0.9 * exact.array.max()
    lacking = exact.array.astype(np.float64) - image.array
    rounding = FLOAT32_BITS * exact.array
    assert (lacking <= culled.tolerances[0] + rounding).all()
    assert (lacking >= -rounding - 1e-9 * exact.array.max()).all()
    assert image.statistics.solid_angle == pytest.approx(exact.statistics.solid_angle, rel=1e-6)


@pytest.mark.parametrize("shape", ["gauss", "square"])
@pytest.mark.parametrize("seed", range(2))
def test_derivatives_within_a_tolerance(backend: str, seed: int, shape: str) -> None:
    wanted = experiment(seed, shape)
    with Renderer(backend) as render:
        exact = render.gradients(wanted, MOTIONS)
    with Renderer(backend, tolerance="1e-4peak") as render:
        found = render.gradients(wanted, MOTIONS)
    assert found.limits is not None
    assert found.share < SHARES[shape]
    assert found.values.shape == (15, *wanted.image_shape)
    for name, limit, one, other in zip(
        found.names, found.limits, exact.values, found.values, strict=True
    ):
        assert np.abs(one - other).max() <= limit, name
