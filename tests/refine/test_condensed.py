"""Problems of many pixels in a few rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from cupysim.errors import ModelError
from cupysim.refine.condensed import Condensed

TIMES = np.linspace(0.0, 3.0, 200)
MEASURED = 2.0 * np.exp(-0.7 * TIMES) + 0.05 * np.sin(37.0 * TIMES)

ROUNDING = 1e-12
"""Of sums of 200 numbers, in units of the largest."""


class Decay:
    """a exp(-b t), impossible where b is negative."""

    def residuals(self, x: np.ndarray) -> np.ndarray:
        if x[1] < 0.0:
            return np.full(len(TIMES), np.inf)
        return x[0] * np.exp(-x[1] * TIMES) - MEASURED

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        decayed = np.exp(-x[1] * TIMES)
        return np.stack([decayed, -x[0] * TIMES * decayed], axis=1)


def test_products_are_those_of_all_pixels() -> None:
    problem, x = Decay(), np.array([1.5, 0.4])
    condensed = Condensed(problem)
    found, slopes = condensed.residuals(x), condensed.jacobian(x)
    residuals, jacobian = problem.residuals(x), problem.jacobian(x)
    assert found.shape == (3,)
    assert slopes.shape == (3, 2)
    size = np.abs(jacobian).max() * len(TIMES)
    np.testing.assert_allclose(slopes.T @ slopes, jacobian.T @ jacobian, atol=ROUNDING * size)
    np.testing.assert_allclose(slopes.T @ found, jacobian.T @ residuals, atol=ROUNDING * size)
    np.testing.assert_allclose(found @ found, residuals @ residuals, rtol=ROUNDING)


def test_fits_are_those_of_all_pixels() -> None:
    whole, x = Decay(), np.array([0.5, 2.0])
    condensed = Condensed(whole)
    options = {"bounds": ([-1.0, -1.0], [9.0, 9.0]), "x_scale": "jac", "xtol": 1e-12}
    found = least_squares(condensed.residuals, x, condensed.jacobian, **options)
    expected = least_squares(whole.residuals, x, whole.jacobian, **options)
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-9)
    assert found.nfev == expected.nfev


def test_an_impossible_model_is_infinite() -> None:
    condensed = Condensed(Decay())
    assert np.isinf(condensed.residuals(np.array([1.0, -0.5]))).all()


def test_an_impossible_model_has_no_derivatives_not_even_those_of_another() -> None:
    condensed = Condensed(Decay())
    condensed.jacobian(np.array([1.5, 0.4]))
    with pytest.raises(ModelError, match="no derivatives"):
        condensed.jacobian(np.array([1.0, -0.5]))
