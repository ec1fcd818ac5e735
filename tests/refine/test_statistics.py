"""Noise of counting: moments against sums and samples of Poisson's distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from cupysim.refine.deviance import deviance_moments, deviance_residuals

INTERPOLATED = 3e-3
"""Of moments between the numbers of photons for which they are known, and of chi-squared beyond."""


@pytest.mark.parametrize("photons", [1e-9, 1e-3, 0.04, 0.7, 1.3, 5.0, 42.0, 250.0, 2000.0])
def test_moments(photons: float) -> None:
    counts = np.arange(np.ceil(photons + 12.0 * np.sqrt(photons)) + 12.0)
    chances = poisson.pmf(counts, photons)
    squares = deviance_residuals(counts, np.full_like(counts, photons)) ** 2
    mean = (chances * squares).sum()
    variance = (chances * (squares - mean) ** 2).sum()
    found = deviance_moments(np.array([photons]))
    np.testing.assert_allclose(found[0], mean, rtol=INTERPOLATED)
    np.testing.assert_allclose(found[1], variance, rtol=INTERPOLATED)


def test_deviance_is_a_likelihood() -> None:
    """Its squares are -2 ln L of a model over that of the counts themselves."""
    counts = np.array([0.0, 1.0, 7.0, 120.0])
    expected = np.array([0.3, 2.0, 6.0, 131.0])
    ratio = poisson.logpmf(counts, counts) - poisson.logpmf(counts, expected)
    residuals = deviance_residuals(counts, expected)
    np.testing.assert_allclose(residuals**2, 2.0 * ratio, rtol=1e-12)
    np.testing.assert_array_equal(np.sign(residuals), [-1, -1, 1, -1])
