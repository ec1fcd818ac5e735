"""The generator, against numbers the C program printed."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.maths.mosaic import cube_root_float32, draw_rotations, random_misset
from cupysim.maths.nr_random import RandomStream, ShuffleTable, wrap_int32
from tests.tolerances import FLOAT32_BITS, LAST_BITS


def test_first_numbers_of_seeds() -> None:
    expected = [0.765989304, 0.023453664, 0.589726627, 0.535101593, 0.982231438, 0.693016112]
    np.testing.assert_allclose(RandomStream(12345678).uniform(6), expected, rtol=FLOAT32_BITS)
    expected = [0.415999353, 0.091964893, 0.75641048]
    for seed in (0, 1):
        np.testing.assert_allclose(RandomStream(seed).uniform(3), expected, rtol=FLOAT32_BITS)


def test_drawing_at_once_or_in_parts() -> None:
    whole = RandomStream(7).uniform(10_000)
    stream = RandomStream(7)
    parts = [stream.uniform(n) for n in (1, 0, 4095, 4096, 1808)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert whole.dtype == np.float32
    assert 0.0 < whole.min() <= whole.max() < 1.0


def test_negative_seed_continues_the_table() -> None:
    table = ShuffleTable()
    RandomStream(3, table).uniform(30)
    continued = RandomStream(-5, table).uniform(40)
    assert (continued != RandomStream(5).uniform(40)).any()
    other = ShuffleTable()
    RandomStream(4, other).uniform(30)
    # the table's thirty-two entries differ at first, then only the seed counts
    assert (continued[:5] != RandomStream(-5, other).uniform(40)[:5]).any()


def test_seeds_at_the_ends_of_the_range() -> None:
    """The modulus itself gives one zero and starts again; the C program prints these."""
    numbers = RandomStream(2147483647).uniform(4)
    assert numbers[0] == 0.0
    np.testing.assert_array_equal(numbers[1:], RandomStream(1).uniform(3))
    assert RandomStream(-2147483648).state == -2147483648


def test_seeds_have_32_bits() -> None:
    assert wrap_int32(4294967301) == 5
    assert wrap_int32(2**31) == -(2**31)


def test_mosaic_rotation_of_the_c_program() -> None:
    stream = RandomStream(12345678)
    rotations = draw_rotations(1 / 57.29577951308232, 2, stream)
    expected = [0.99986368592193575, -0.01594877166007503, 0.0042715637810345434]
    np.testing.assert_allclose(rotations[1][0], expected, rtol=LAST_BITS)
    assert stream.state == 1086690778
    for rotation in rotations:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=LAST_BITS)
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_random_orientation_of_the_c_program() -> None:
    angles = np.degrees(random_misset(RandomStream(77)))
    np.testing.assert_allclose(angles, [-50.433049, 15.844024, 15.618692], atol=1e-6)


def test_cube_roots() -> None:
    x = np.array([0.0, 1e-30, 0.125, 0.5, 1.0], dtype=np.float32)
    np.testing.assert_allclose(cube_root_float32(x), np.cbrt(x), rtol=3e-6)
