"""Sections of lattice transforms: the closed form against SciPy's adaptive quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from cupysim.maths.spot_profiles import SHORT_WAVE, cosine_transform

DIGITS = 1e-11
"""Absolute, where the transform of long waves is of the order of one."""


@pytest.mark.parametrize("phase", [0.0, 1e-9, 1.0, 3.9, 4.1, 57.0, 400.0])
@pytest.mark.parametrize("roots", [(1.0, 1.0, 1.0), (1.0, 0.3, 0.02), (1.0, 0.0, 0.0)])
def test_cosine_transform(phase: float, roots: tuple[float, float, float]) -> None:
    a, b, c = roots
    expected, _ = quad(
        lambda t: (1 - a * t) * (1 - b * t) * (1 - c * t),
        0.0, 1.0, weight="cos", wvar=phase, epsabs=1e-13,
    )  # fmt: skip
    coefficients = (a + b + c, a * b + b * c + c * a, a * b * c, phase)
    (found,) = cosine_transform(*(np.array([value]) for value in coefficients))
    assert found == pytest.approx(expected, abs=DIGITS)


def test_both_forms_are_tried() -> None:
    assert 3.9 < SHORT_WAVE < 4.1
