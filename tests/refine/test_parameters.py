"""Which parameters can be refined."""

from __future__ import annotations

import pytest

from cupysim.errors import ModelError
from cupysim.models.parameters import PARAMETERS
from cupysim.refine.free_parameters import free_parameters


def test_all_have_limits() -> None:
    assert all(each.limit.within > 0.0 for each in PARAMETERS.values())


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("structure_factors", "cannot be refined: there are too many"),
        ("fluence, scale", "have the same effect"),
        ("weather", "no parameter 'weather'"),
    ],
)
def test_impossible(names: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        free_parameters(names)
