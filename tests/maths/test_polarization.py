"""Derivatives of the polarization factor with respect to the direction of the beam."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.maths.polarization import (
    polarization_factor,
    polarization_form,
    polarization_form_slopes,
    polarization_of_form,
)

STEP = 1e-6


def turned(incident: np.ndarray, change: np.ndarray, angle: float) -> np.ndarray:
    """Unit vectors that move along `change`, which is perpendicular to them."""
    speed = np.linalg.norm(change, axis=1, keepdims=True)
    return incident * np.cos(angle * speed) + change / speed * np.sin(angle * speed)


@pytest.mark.parametrize("kahn", [-1.0, 0.0, 0.7])
def test_slopes_of_the_form(kahn: float) -> None:
    """Against central differences of Kahn's factor, for beams in any direction."""
    rng = np.random.default_rng(3)
    incident, axis, change, way = rng.normal(size=(4, 20, 3))
    incident /= np.linalg.norm(incident, axis=1, keepdims=True)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    change -= incident * (change * incident).sum(axis=1, keepdims=True)
    found = polarization_form_slopes(np.full(20, kahn), incident, axis, change)
    slopes = polarization_of_form(found.T, tuple(way.T))
    sides = [turned(incident, change, by) for by in (STEP, -STEP)]
    for number in range(20):
        more, less = (
            polarization_factor(kahn, side[number], list(way[number][:, None]), axis[number])
            for side in sides
        )
        assert slopes[number] == pytest.approx((more - less)[0] / (2.0 * STEP), abs=1e-8)


def test_a_beam_along_the_axis_has_no_field() -> None:
    """As in `polarization_form`, psi is then zero."""
    incident = np.array([[1.0, 0.0, 0.0]])
    change = np.array([[0.0, 1.0, 0.0]])
    kahn = np.array([0.6])
    found = polarization_form_slopes(kahn, incident, incident, change)
    form = [
        polarization_form(kahn, each, each) for each in (incident, turned(incident, change, STEP))
    ]
    np.testing.assert_allclose(found, (form[1] - form[0]) / STEP, atol=1e-5)
