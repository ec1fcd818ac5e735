"""A shape without an entry is an error, and never another shape."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.maths.lattice_factor import squared_slopes


def test_slopes_of_an_unknown_shape_are_an_error() -> None:
    offsets = (np.zeros(1), np.zeros(1), np.zeros(1))
    with pytest.raises(KeyError):
        squared_slopes("cone", offsets, np.ones(3), 1.0)
