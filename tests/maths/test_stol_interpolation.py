"""Structure factors of amorphous matter between the points of a table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import lagrange

from cupysim.maths.stol_interpolation import interpolate, place_of, with_helpers

TABLE = np.array([0.0, 0.1, 0.25, 0.3, 0.5, 0.7]) * 1e10
FACTORS = np.array([2.5, 3.0, 8.0, 7.0, 4.0, 3.5])


def test_points_of_the_table_are_met() -> None:
    np.testing.assert_allclose(interpolate(TABLE, FACTORS, TABLE), FACTORS, rtol=1e-13)


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_four_points_give_a_cubic_polynomial(interval: int) -> None:
    s = np.linspace(TABLE[interval], TABLE[interval + 1], 7)[1:-1]
    near = slice(interval - 1, interval + 3)
    expected = lagrange(TABLE[near] / 1e10, FACTORS[near])(s / 1e10)
    np.testing.assert_allclose(interpolate(TABLE, FACTORS, s), expected, rtol=1e-10)


@pytest.mark.parametrize(("inside", "near"), [(0.05e10, slice(0, 3)), (0.6e10, slice(3, 6))])
def test_ends_are_parabolas(inside: float, near: slice) -> None:
    expected = np.polyval(np.polyfit(TABLE[near] / 1e10, FACTORS[near], 2), inside / 1e10)
    assert interpolate(TABLE, FACTORS, np.array([inside]))[0] == pytest.approx(expected)


def test_straight_lines_continue_the_table() -> None:
    s = np.array([-0.2e10, 0.9e10, 3e10])
    expected = [2.5 - 2 * 0.5, 3.5 - 0.5, 3.5 - 0.25 * 23]
    np.testing.assert_allclose(interpolate(TABLE, FACTORS, s), expected, rtol=1e-10)


def test_one_point_is_a_constant() -> None:
    s = np.array([0.0, 1e9, 5e10])
    np.testing.assert_allclose(interpolate(np.array([1e9]), np.array([3.0]), s), 3.0, rtol=1e-12)


def test_places_are_those_of_the_point_below() -> None:
    nodes, _ = with_helpers(TABLE, FACTORS)
    s = np.array([-1.0, 0.0, 0.2e10, 0.25e10, 9e10, np.nan])
    np.testing.assert_array_equal(place_of(nodes, s), [1, 2, 3, 4, 7, 7])


def test_numbers_that_are_none_stay_so() -> None:
    assert np.isnan(interpolate(TABLE, FACTORS, np.array([np.nan]))).all()
