"""Rotations, cells, lattice factors, polarization, interpolation, sources."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupysim.maths import cell, divergence, interpolation, lattice_factor
from cupysim.maths.arrays import array_namespace
from cupysim.maths.cell import cell_volume, oriented_lattice, reciprocal_from_cell
from cupysim.maths.detector_geometry import Bend, bend, mirrored_bend, right_bend
from cupysim.maths.pixel_factors import capture_fraction, solid_angle
from cupysim.maths.polarization import polarization_factor
from cupysim.maths.rotations import apply_matrix, misset_angles, rotate_axis, rotate_xyz
from tests.tolerances import LAST_BITS

angles = st.floats(-3.0, 3.0)
X, Y, Z = np.eye(3)


def test_namespace_of_cupy_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Array:
        pass

    fake = SimpleNamespace(ndarray=Array)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    assert array_namespace(Array()) is fake
    assert array_namespace(np.zeros(3), [1.0]) is np


def test_rotations_are_right_handed() -> None:
    quarter = math.pi / 2
    np.testing.assert_allclose(rotate_xyz(Y, (quarter, 0, 0)), Z, atol=LAST_BITS)
    np.testing.assert_allclose(rotate_xyz(Z, (0, quarter, 0)), X, atol=LAST_BITS)
    np.testing.assert_allclose(rotate_xyz(X, (0, 0, quarter)), Y, atol=LAST_BITS)
    np.testing.assert_allclose(rotate_axis(X, Z, quarter), Y, atol=LAST_BITS)
    # x first, then z: the other order would leave y alone
    np.testing.assert_allclose(rotate_xyz(Y, (quarter, 0, quarter)), Z, atol=LAST_BITS)


@given(angles, angles, angles)
def test_misset_angles_give_the_rotation_back(a: float, b: float, c: float) -> None:
    matrix = rotate_xyz(np.eye(3), (a, b, c)).T
    again = rotate_xyz(np.eye(3), misset_angles(matrix)).T
    np.testing.assert_allclose(again, matrix, atol=1e-7)


@given(angles, angles)
def test_rodrigues_agrees_with_the_matrix(a: float, b: float) -> None:
    axis = rotate_xyz(Z, (a, b, 0))
    matrix = rotate_axis(np.eye(3), axis, 0.7).T
    vector = np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(
        apply_matrix(matrix, vector), rotate_axis(vector, axis, 0.7), atol=LAST_BITS
    )


def test_cell_with_two_right_angles_is_exact() -> None:
    lengths, cell_angles = (9.643, 9.609, 19.029), np.radians([90.0, 101.22, 90.0])
    reciprocal = reciprocal_from_cell(lengths, cell_angles)
    lattice = oriented_lattice(
        reciprocal, (0.1, 0.2, 0.3), lengths, cell_volume(lengths, cell_angles)
    )
    np.testing.assert_allclose(lattice.lengths, lengths, rtol=LAST_BITS)
    np.testing.assert_allclose(lattice.angles, cell_angles, rtol=LAST_BITS)
    np.testing.assert_allclose(lattice.direct @ lattice.reciprocal.T, np.eye(3), atol=LAST_BITS)
    assert lattice.volume == pytest.approx(np.linalg.det(lattice.direct))


def test_wrong_triclinic_cell_is_the_c_programs() -> None:
    """Quirk Q5: the angles which the C program makes of 70 80 90 75 85 95."""
    lengths, cell_angles = (70.0, 80.0, 90.0), np.radians([75.0, 85.0, 95.0])
    lattice = oriented_lattice(
        reciprocal_from_cell(lengths, cell_angles), None, lengths, cell_volume(lengths, cell_angles)
    )
    np.testing.assert_allclose(np.degrees(lattice.angles), [75.04, 85.01, 95.01], atol=0.005)
    np.testing.assert_allclose(lattice.lengths, lengths, rtol=LAST_BITS)


@given(st.integers(1, 50), st.floats(-20.0, 20.0))
def test_grating_is_a_sum_of_waves(n: int, h: float) -> None:
    waves = np.exp(2j * np.pi * h * np.arange(n)).sum()
    with np.errstate(invalid="ignore"):
        value = lattice_factor.grating(np.array([np.pi * h]), float(n))[0]
    # where sin(pi h) itself is rounding noise the quotient is, too (quirk Q34)
    if h == 0.0 or abs(math.sin(math.pi * h)) > 1e-6:
        assert abs(value) == pytest.approx(abs(waves), abs=1e-7 * n)


def test_square_factor_skips_single_cells() -> None:
    h = np.array([0.0, 0.3, 1.0])
    factor = lattice_factor.square((h, h, h), (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(factor, np.ones(3))
    with np.errstate(invalid="ignore"):
        assert lattice_factor.square((h, h, h), (4.0, 1.0, 3.0))[0] == 12.0


def test_round_factor_is_the_transform_of_a_ball() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (200_000, 3))
    points = points[(points**2).sum(axis=1) < 1.0]
    x = np.array([0.0, 0.5, 2.0, 4.0])
    brute = [np.cos(value * points[:, 0]).mean() for value in x]
    offset = x / np.pi / 10.0
    zero = np.zeros(4)
    with np.errstate(invalid="ignore"):
        factor = lattice_factor.round_crystal((offset, zero, zero), (10.0, 10.0, 10.0), 1.0)
    scale = 1000.0 * lattice_factor.SPHERE_IN_CUBE
    np.testing.assert_allclose(factor / scale, brute, atol=0.01)


def test_gauss_and_tophat() -> None:
    offsets = tuple(np.array([0.0, 0.01, 0.4]) for _ in range(3))
    distance = lattice_factor.reciprocal_distance_squared(offsets, np.eye(3) / 50, (4.0, 5.0, 6.0))
    expected = 3 * (np.array([0.0, 0.01, 0.4]) / 50) ** 2 * 120.0**2
    np.testing.assert_allclose(distance, expected, rtol=LAST_BITS)
    gauss = lattice_factor.gauss(distance, 120.0, 0.5)
    np.testing.assert_allclose(gauss, 120 * np.exp(-expected / 0.63 * 0.5), rtol=LAST_BITS)
    flat = lattice_factor.tophat(distance, 120.0, 1.0)
    np.testing.assert_array_equal(flat, 120.0 * (expected < 0.3969))


@pytest.mark.parametrize(("kahn", "expected"), [(0.0, 0.5), (1.0, 0.0), (-1.0, 1.0)])
def test_polarization_at_a_right_angle(kahn: float, expected: float) -> None:
    """Along the electric field nothing is scattered, across it everything."""
    along = [np.array([component]) for component in Z]
    assert polarization_factor(kahn, X, along, Z)[0] == pytest.approx(expected)
    across = [np.array([component]) for component in Y]
    assert polarization_factor(kahn, X, across, Z)[0] == pytest.approx(1.0 - expected)


def test_nearest_index_takes_halves_down() -> None:
    values = np.array([-1.5, -0.5, 0.5, 1.5, 1.500001, 2.0])
    np.testing.assert_array_equal(interpolation.nearest_index(values), [-2, -1, 0, 1, 2, 2])


def test_nearest_factor_and_what_is_outside() -> None:
    table = np.pad(np.arange(27.0).reshape(3, 3, 3), 1, constant_values=-7.0)
    h = np.array([-1.0, 0.0, 1.0, 2.0, -90.0, 1e300])
    zero = np.zeros_like(h)
    values = interpolation.nearest((h, zero, zero), table, (-1, -1, -1))
    np.testing.assert_array_equal(values, [4.0, 13.0, 22.0, -7.0, -7.0, -7.0])


def test_tricubic_reproduces_cubics() -> None:
    def cubic(h: np.ndarray, k: np.ndarray, l: np.ndarray) -> np.ndarray:
        return h**3 - 2 * k**3 + l**3 + h * k * l + 5

    grid = np.meshgrid(*[np.arange(-4.0, 6.0)] * 3, indexing="ij")
    table = np.pad(cubic(*grid), 1)
    rng = np.random.default_rng(3)
    h, k, l = rng.uniform(-2.5, 3.0, (3, 500))
    values = interpolation.tricubic((h, k, l), table, (-4, -4, -4))
    np.testing.assert_allclose(values, cubic(h, k, l), rtol=1e-10, atol=1e-10)


def test_out_of_range_is_one_wider_than_needed() -> None:
    h = np.array([-3.01, -3.0, 0.0, 3.0, 3.01])
    zero = np.zeros_like(h)
    outside = interpolation.out_of_range((h, zero, zero), (-5, -5, -5), (11, 11, 11))
    np.testing.assert_array_equal(outside, [True, False, False, False, True])


@pytest.mark.parametrize(
    ("h_steps", "v_steps", "round_spot", "count"),
    [(5, 4, True, 12), (5, 4, False, 20), (4, 4, True, 12), (4, 1, True, 4), (1, 1, True, 1)],
)
def test_divergence_grid(h_steps: int, v_steps: int, round_spot: bool, count: int) -> None:
    def sweep(n: int) -> tuple[float, float, int]:
        return (0.002, 0.002 / (n - 1), n) if n > 1 else (0.0, 0.0, 1)

    grid = divergence.deviations(sweep(h_steps), sweep(v_steps), round_spot)
    assert len(grid) == count
    np.testing.assert_allclose(grid.mean(axis=0), 0.0, atol=LAST_BITS)


def test_sources_lie_at_their_deviation() -> None:
    grid = np.array([[0.0, 0.0], [0.01, 0.0], [0.0, 0.02]])
    positions = divergence.source_positions(grid, X, Z, -Y)
    np.testing.assert_allclose(np.linalg.norm(positions, axis=1), 10.0)
    np.testing.assert_allclose(positions[0], [-10.0, 0.0, 0.0])
    assert np.arccos(-positions[1, 0] / 10) == pytest.approx(0.01)
    assert np.arccos(-positions[2, 0] / 10) == pytest.approx(0.02)
    assert positions[1, 2] != 0.0 == positions[1, 1]
    assert positions[2, 1] != 0.0 == positions[2, 2]


def test_absorption_of_all_layers_is_exponential() -> None:
    parallax = np.array([1.0, 0.5])
    layers = sum(capture_fraction(n, 1e-4, 2000.0, parallax) for n in range(5))
    np.testing.assert_allclose(layers, 1 - np.exp(-5e-4 * 2000.0 / parallax), rtol=LAST_BITS)


def test_solid_angles_of_a_plane_fill_half_space() -> None:
    size, n = 0.05, 800
    fast, slow = np.meshgrid(*[(np.arange(n) - n / 2 + 0.5) * size] * 2)
    airpath = np.sqrt(fast**2 + slow**2 + 1.0)
    total = solid_angle(size * size, airpath, 1.0, point_pixel=False).sum()
    half_edge = n * size / 2
    exact = 4 * math.asin(half_edge**2 / (1 + half_edge**2))
    assert total == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("bent_as", [mirrored_bend, right_bend])
def test_bent_positions_keep_their_distance(bent_as: Callable[..., Bend]) -> None:
    position = [np.full(4, 0.1), np.array([0.0, 0.01, 0.0, 0.03]), np.array([0.0, 0.0, 0.02, 0.03])]
    bent = bend(position, bent_as(0.1, X, Z, -Y))
    np.testing.assert_allclose(np.linalg.norm(bent, axis=1), 0.1, rtol=LAST_BITS)
    np.testing.assert_allclose(bent[0], [0.1, 0.0, 0.0], atol=LAST_BITS)


def test_several_missetting_rotations_at_once() -> None:
    """Equal to the last bit to one after the other, angles of zero included."""
    rng = np.random.default_rng(7)
    missets = rng.uniform(-3.0, 3.0, (50, 3))
    missets[rng.random((50, 3)) < 0.3] = 0.0
    lengths, angles = (30.0, 40.0, 50.0), np.radians([80.0, 95.0, 110.0])
    reciprocal = cell.upright_reciprocal(lengths, angles)
    volume = cell.cell_volume(lengths, angles)
    found = cell.missetted_lattices(reciprocal, missets, lengths, volume, consistent=True)
    for lattice, misset in zip(found, missets, strict=True):
        alone = cell.oriented_lattice(reciprocal, misset, lengths, volume, consistent=True)
        np.testing.assert_array_equal(lattice.direct, alone.direct)
        np.testing.assert_array_equal(lattice.reciprocal, alone.reciprocal)
        assert (lattice.volume, lattice.reciprocal_volume) == (
            alone.volume,
            alone.reciprocal_volume,
        )
