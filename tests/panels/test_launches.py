"""All panels of shots in one launch: the same images as one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cupysim.backends.compiled import bands as compiled
from cupysim.backends.compiled import batch, host, host_library
from cupysim.backends.compiled.variants import Precision
from cupysim.backends.rendered import Observer
from cupysim.plan.joining import add_shots
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from tests.panels.by_hand import Shot, random_panels

pytestmark = pytest.mark.skipif(host_library.problem() is not None, reason="no compiled library")


def shots(masked: bool) -> RenderPlan:
    """Two shots of three panels of one size, with sensors of their own."""
    rng = np.random.default_rng(3)
    panels = random_panels(rng, thick=True, alike=True)
    panels = [replace(panel, edges=tuple(rng.uniform(1e-3, 3e-3, 2))) for panel in panels]
    shot = Shot(panels)
    mask = None
    if masked:
        # as many pixels of each panel, but others
        mask = np.zeros((3, *panels[0].size[::-1]), dtype=bool)
        for of_panel in mask.reshape(3, -1):
            of_panel[rng.choice(of_panel.size, 40, replace=False)] = True
    experiment = shot.experiment(mask=mask)
    other = replace(experiment, crystal=replace(experiment.crystal, misset=(0.1, 0.2, 0.3)))
    return add_shots([make_plan(experiment), make_plan(other)])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("precision", [Precision.DOUBLE, Precision.MIXED])
def test_one_launch_for_all_panels(
    precision: Precision, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, launched = shots(masked), []

    def counting(*arguments: Any) -> Any:
        launched.append(arguments)
        return batch.render_at_once(*arguments)

    monkeypatch.setattr(compiled, "render_at_once", counting)
    together = host.HostBackend(precision, 1).render(plan, Observer())
    assert len(launched) == 1
    monkeypatch.setattr(compiled, "shots_at_once", lambda *_: 0)
    apart = host.HostBackend(precision, 1).render(plan, Observer())
    assert len(launched) == 1
    np.testing.assert_array_equal(together.image, apart.image)
    np.testing.assert_allclose(together.omega_sum, apart.omega_sum, rtol=1e-12)
    np.testing.assert_array_equal(together.n_rendered, apart.n_rendered)
    assert together.image[0, 0].any()
    assert not np.array_equal(together.image[0], together.image[1])


def test_panels_of_different_numbers_of_pixels_are_rendered_one_after_the_other() -> None:
    plan = shots(masked=True)
    assert plan.mask is not None
    mask = plan.mask.copy()
    mask[1, 0, 0] = not mask[1, 0, 0]
    changed = replace(plan, mask=mask)
    engine = host.engine(Precision.DOUBLE, 1)
    for which, expected in ((plan, 2), (changed, 0)):
        lists = [batch.listed(which, panel) for panel in range(3)]
        assert batch.shots_at_once(which, [engine], lists) == expected
