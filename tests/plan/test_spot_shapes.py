"""Every shape has one entry, in the order in which the kernel counts them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cupysim.maths.lattice_factor import squared_slopes
from cupysim.models.crystal import Shape
from cupysim.native import sources
from cupysim.plan.render_plan import Use
from cupysim.plan.spot_shapes import SPOT_SHAPES


def members(header: str, name: str) -> list[str]:
    """Members of an enumeration of the kernel."""
    text = sources.folder().joinpath(header).read_text()
    match = re.search(rf"enum {name} \{{([^}}]*)\}}", text)
    assert match is not None
    return [word.strip() for word in match[1].split(",")]


def test_shapes() -> None:
    assert set(SPOT_SHAPES) == set(Shape)
    assert [shape.name for shape in SPOT_SHAPES] == members("lattice_factor.cuh", "Shape")


def test_uses() -> None:
    assert [use.name for use in Use] == members("launch.cuh", "Use")


def test_slopes_of_an_unknown_shape_are_an_error() -> None:
    offsets = (np.zeros(1), np.zeros(1), np.zeros(1))
    with pytest.raises(KeyError):
        squared_slopes("cone", offsets, np.ones(3), 1.0)
