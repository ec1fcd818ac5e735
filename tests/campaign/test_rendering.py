"""Several shots at once: memory which runs out, and shots which cannot be rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cupysim.backends.rendered import Observer, Rendered, RenderFunction
from cupysim.backends.select import open_backend
from cupysim.campaign.execution import rendering
from cupysim.errors import ModelError, OutOfMemory
from cupysim.plan.render_plan import RenderPlan
from tests.campaign.campaigns import VARY, campaign_of, text


@pytest.mark.parametrize("error", [MemoryError, OutOfMemory])
def test_a_batch_is_halved_once(tmp_path: Path, error: type[MemoryError]) -> None:
    campaign = campaign_of(tmp_path, text(VARY, 6))
    real, sizes = open_backend("numpy").render, []

    def backend_for(most: int) -> RenderFunction:
        def small(plan: RenderPlan, observer: Observer) -> Rendered:
            sizes.append(plan.shape[0])
            if plan.shape[0] > most:
                raise error
            return real(plan, observer)

        return small

    found = rendering.render_shots(campaign, range(6), backend_for(3))
    assert sizes == [6, 3, 3]
    for number, (rendered, _) in enumerate(found):
        assert rendered is not None
        alone = rendering.render_shot(campaign, number, real)
        np.testing.assert_array_equal(rendered.image.array, alone.image.array)
    sizes.clear()
    with pytest.raises(MemoryError):
        rendering.render_shots(campaign, range(6), backend_for(2))
    assert sizes == [6, 3]


def test_a_shot_which_cannot_be_rendered_leaves_its_batch(tmp_path: Path) -> None:
    """Its error is its own, whether drawing or rendering fails."""
    content = text("distance = { list = [50, 0, 60, 70] }", 4)
    campaign, real = campaign_of(tmp_path, content), open_backend("numpy").render

    def picky(plan: RenderPlan, observer: Observer) -> Rendered:
        if (plan.panels.close_distance == 0.07).any():
            raise ModelError("too far")
        return real(plan, observer)

    found = rendering.render_shots(campaign, range(4), picky)
    assert [rendered is not None for rendered, _ in found] == [True, False, True, False]
    assert "distance" in found[1][1]
    assert found[3][1] == "too far"
