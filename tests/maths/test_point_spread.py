"""Point spread functions: their integrals against numerical ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import dblquad

from cupysim.maths import point_spread

WIDTH = 1.7
QUADRATURE = 1e-9
"""Error of the numerical integrals."""


def density(name: str, x: float, y: float) -> float:
    """The density at a place, as the papers have it."""
    r2 = x * x + y * y
    if name == point_spread.GAUSSIAN:
        sigma = WIDTH / (2 * math.sqrt(2 * math.log(2)))
        return math.exp(-r2 / (2 * sigma**2)) / (2 * math.pi * sigma**2)
    g = WIDTH / (2 * math.sqrt(2 ** (2 / 3) - 1))
    return g / (2 * math.pi) * (g * g + r2) ** -1.5


@pytest.mark.parametrize("name", [point_spread.GAUSSIAN, point_spread.FIBRE])
@pytest.mark.parametrize("at", [(0, 0), (1, 0), (0, -1), (2, 1), (-3, 2)])
def test_kernel_is_the_integral_of_the_density(name: str, at: tuple[int, int]) -> None:
    kernel = point_spread.kernel(name, WIDTH, 4)
    x, y = at
    expected, _ = dblquad(
        lambda v, u: density(name, u, v), x - 0.5, x + 0.5, y - 0.5, y + 0.5, epsabs=1e-12
    )
    assert kernel[y + 4, x + 4] == pytest.approx(expected, abs=QUADRATURE)


@pytest.mark.parametrize("name", [point_spread.GAUSSIAN, point_spread.FIBRE])
def test_width_is_where_the_density_is_half(name: str) -> None:
    assert density(name, WIDTH / 2, 0.0) == pytest.approx(density(name, 0.0, 0.0) / 2)


@pytest.mark.parametrize("name", [point_spread.GAUSSIAN, point_spread.FIBRE])
def test_light_outside_is_what_the_circle_lacks(name: str) -> None:
    from scipy.integrate import quad

    inside, _ = quad(lambda r: 2 * math.pi * r * density(name, r, 0.0), 0.0, 3.0, epsabs=1e-12)
    assert point_spread.light_outside(name, WIDTH, 3.0) == pytest.approx(1 - inside, abs=1e-9)


def test_kernel_ends_at_the_circle() -> None:
    kernel = point_spread.kernel(point_spread.FIBRE, WIDTH, 5)
    offsets = np.arange(-5, 6)
    outside = offsets**2 + offsets[:, None] ** 2 > 25
    assert (kernel[outside] == 0).all()
    assert (kernel[~outside] > 0).all()


def test_gaussian_is_separable() -> None:
    weights = point_spread.gaussian_weights(WIDTH, 6)
    whole = np.outer(weights, weights)
    kernel = point_spread.kernel(point_spread.GAUSSIAN, WIDTH, 6)
    assert kernel == pytest.approx(np.where(kernel > 0, whole, 0), abs=1e-16)


@pytest.mark.parametrize("name", [point_spread.GAUSSIAN, point_spread.FIBRE])
@pytest.mark.parametrize("photons", [0.5, 30.0, 1e4])
def test_automatic_radius_loses_less_than_a_tenth_of_the_noise(name: str, photons: float) -> None:
    radius = point_spread.automatic_radius(name, WIDTH, photons)
    lost = photons * point_spread.light_outside(name, WIDTH, radius)
    assert lost <= 0.1 * math.sqrt(photons)
    nearer = photons * point_spread.light_outside(name, WIDTH, max(radius - 2, 0))
    assert nearer > 0.1 * math.sqrt(photons) or radius <= 2


def test_faint_pixels_have_the_smallest_radius() -> None:
    # the root's argument is negative below 0.01 photons, where simtbx crashes
    assert point_spread.automatic_radius(point_spread.GAUSSIAN, WIDTH, 0.005) == 1
