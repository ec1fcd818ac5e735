"""Which parameters can be refined."""

from __future__ import annotations

import pytest

from cupysim.errors import ModelError
from cupysim.models.parameters import KINDS
from cupysim.refine.free_parameters import LIMITS, free_parameters


def test_all_have_limits() -> None:
    assert set(LIMITS) == set(KINDS)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("structure_factors", "cannot be refined, they are too many"),
        ("fluence, scale", "one and the same"),
        ("weather", "no parameter 'weather'"),
    ],
)
def test_impossible(names: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        free_parameters(names)
