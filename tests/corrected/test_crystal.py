"""Corrected quirks of the crystal, against crystallography and against sums of stills."""

from __future__ import annotations

import math

import gemmi
import numpy as np
import pytest

from cupysim.constants import ANGSTROM
from tests.conftest import INPUTS, Renderer
from tests.corrected.rendering import experiment_of, image_of

BASE = "-default_F 10 -pixel 2 -detpixels 12 -oversample 1"

CELLS = [
    "70 80 90 75 85 95",
    "70 80 90 60 70 110",
    "50 60 70 100 110 115",
    "100 100 100 60 60 60",
    "70 80 90 90 100 90",
]


@pytest.mark.parametrize("cell", CELLS)
def test_q5_distances_of_planes(cell: str) -> None:
    """1/d of reflections is gemmi's, which knows the cell from its metric tensor."""
    crystal = experiment_of(f"-cell {cell} {BASE} -corrected Q5").oriented
    known = gemmi.UnitCell(*map(float, cell.split()))
    for hkl in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 2, 3], [-4, 1, 2], [3, -2, -5]):
        q = np.array(hkl) @ crystal.lattice.reciprocal
        assert float(q @ q) == pytest.approx(known.calculate_1_d2(hkl), rel=1e-12)
    assert crystal.lattice.volume == pytest.approx(known.volume, rel=1e-12)
    # both bases belong together
    product = crystal.lattice.direct @ crystal.lattice.reciprocal.T
    np.testing.assert_allclose(product, np.eye(3), atol=1e-12)


def test_q5_the_spots_are_where_bragg_says(renderer: Renderer) -> None:
    """A triclinic crystal turned until a reflection is on the sphere: the spot is at 2 theta."""
    cell, wavelength, distance = "70 80 90 60 70 110", 1.0, 0.1
    crystal = experiment_of(f"-cell {cell} {BASE} -corrected Q5").oriented
    star = np.array([2, -3, 4]) @ crystal.lattice.reciprocal
    theta = math.asin(wavelength * math.sqrt(gemmi.UnitCell(70, 80, 90, 60, 70, 110)
                                             .calculate_1_d2([2, -3, 4])) / 2)  # fmt: skip
    # a rotation from the reflection's direction to the one which diffracts upwards (beam along x)
    wanted = np.array([-math.sin(theta), math.cos(theta), 0.0])
    start = star / np.linalg.norm(star)
    axis = np.cross(start, wanted)
    rotation, sine, cosine = np.zeros((3, 3)), np.linalg.norm(axis), float(start @ wanted)
    x, y, z = axis / sine
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
    # as angles about x, then y, then z
    angles = (
        math.atan2(rotation[2, 1], rotation[2, 2]),
        math.asin(-rotation[2, 0]),
        math.atan2(rotation[1, 0], rotation[0, 0]),
    )
    misset = " ".join(f"{math.degrees(angle):.12f}" for angle in angles)
    place = 1e3 * distance * math.tan(2 * theta)
    # slow axis is -y; 0.05 mm pixels around the spot, 1.2 mm wide: no other is so near
    image = image_of(
        renderer,
        f"-cell {cell} -misset {misset} -N 40 -default_F 1 -detpixels 24 -pixel 0.05 "
        f"-oversample 1 -Xbeam {0.575 + place} -Ybeam 0.575 -corrected Q5",
    )
    slow, fast = np.unravel_index(np.argmax(image), image.shape)
    assert abs(slow - 11.5) <= 1
    assert abs(fast - 11.5) <= 1


def test_q3_is_a_sum_of_stills(renderer: Renderer) -> None:
    """What a sweep is: the mean of stills of crystals which were turned by hand."""
    crystal = f"-cell 50 60 70 -N 5 -misset 10 20 30 {BASE}"
    sweep = image_of(renderer, f"{crystal} -osc 2 -phisteps 4 -corrected Q3")
    # the spindle is along z, the last of the three missetting rotations
    stills = [
        image_of(renderer, f"-cell 50 60 70 -N 5 -misset 10 20 {30 + angle} {BASE}")
        for angle in (0.0, 0.5, 1.0, 1.5)
    ]
    renderer.assert_close(sweep, np.mean(stills, axis=0))
    wrong = image_of(renderer, f"{crystal} -osc 2 -phisteps 4")
    assert not np.allclose(wrong, sweep, rtol=1e-2)


@pytest.mark.parametrize("shape", ["gauss", "tophat"])
@pytest.mark.parametrize(
    ("cell", "n"), [("60 80 100 90 90 90", "3 5 8"), ("70 80 90 75 85 95", "9 4 6")]
)
def test_q6_spots_by_hand(renderer: Renderer, shape: str, cell: str, n: str) -> None:
    """F_latt from h, k, l of each pixel, written out: the width is 1/N along each axis."""
    counts = np.array(n.split(), dtype=float)
    option = {"gauss": "-gauss_xtal", "tophat": "-tophat_spots"}[shape]
    sizes = " ".join(f"-N{axis} {count}" for axis, count in zip("abc", n.split(), strict=True))
    words = f"-cell {cell} {sizes} {option} -nopolar -misset 3 2 1 {BASE} -corrected Q5,Q6"
    experiment = experiment_of(words)
    geometry = experiment.geometry
    numbers = 2e-3 * (np.arange(12) + 0.5)
    position = (
        geometry.origin
        + numbers[:, None, None] * geometry.slow
        + numbers[None, :, None] * geometry.fast
    )
    airpath = np.linalg.norm(position, axis=-1)
    q = (position / airpath[..., None] - experiment.frame.beam) / 1e-10
    hkl = q @ (ANGSTROM * experiment.lattice.direct).T
    radius2 = (((hkl - np.round(hkl)) * counts) ** 2).sum(axis=-1)
    lattice = np.exp(-radius2 / 0.63) if shape == "gauss" else radius2 < 0.63**2
    omega = 2e-3**2 * geometry.close_distance / airpath**3
    expected = omega * (10.0 * np.prod(counts) * lattice) ** 2
    renderer.assert_close(image_of(renderer, words), expected)
    assert expected.max() > 0.0


def test_q23_each_evaluation_by_hand(renderer: Renderer) -> None:
    """Interpolated in the table, nearest at its edge, pixel by pixel, with polynomials by hand."""
    words = f"-cell 50 60 70 -N 2 -hkl {INPUTS / 'orc.hkl'} -nodump -nopolar -misset 10 20 30"
    words += " -detpixels 40 -pixel 2 -oversample 1 -distance 40 -corrected Q23"
    experiment = experiment_of(words)
    factors, geometry = experiment.structure_factors, experiment.geometry
    assert factors.table is not None
    numbers = 2e-3 * (np.arange(40) + 0.5)
    position = (
        geometry.origin
        + numbers[:, None, None] * geometry.slow
        + numbers[None, :, None] * geometry.fast
    ).reshape(-1, 3)
    airpath = np.linalg.norm(position, axis=-1)
    q = (position / airpath[:, None] - experiment.frame.beam) / 1e-10
    hkl = q @ (ANGSTROM * experiment.lattice.direct).T
    expected, n_inside = np.empty(len(hkl)), 0
    for i, index in enumerate(hkl):
        low = np.floor(index).astype(int) - 1 - np.array(factors.first)
        if (low >= 0).all() and (low + 3 <= np.array(factors.table.shape) - 1).all():
            n_inside += 1
            block = factors.table[tuple(slice(start, start + 4) for start in low)]
            for x in index - np.floor(index):
                # contract the first axis with the cubic through -1, 0, 1, 2
                weights = [
                    np.prod([(x - m) / (n - m) for m in range(-1, 3) if m != n])
                    for n in range(-1, 3)
                ]
                block = np.tensordot(weights, block, axes=1)
            value = float(block)
        else:
            place = np.round(index).astype(int) - np.array(factors.first)
            inside = (place >= 0).all() and (place < np.array(factors.table.shape)).all()
            value = float(factors.table[tuple(place)]) if inside else 0.0
        lattice = np.prod([math.sin(2 * math.pi * x) / math.sin(math.pi * x) for x in index])
        expected[i] = (value * lattice) ** 2
    expected *= 2e-3**2 * geometry.close_distance / airpath**3
    assert 100 < n_inside < 1500, "both kinds of pixels are needed"
    image = image_of(renderer, words)
    difference = np.abs(image.reshape(-1) - expected)
    assert (difference <= 1e-5 * expected + 1e-9 * expected.max()).all()


def test_q25_the_size_decides() -> None:
    hkl = f"-hkl {INPUTS / 'orc.hkl'} -nodump"
    words = f"-cell 50 60 70 -N 1 -samplesize 0.0005 {hkl} {BASE}"
    assert experiment_of(words).interpolate
    assert not experiment_of(f"{words} -corrected Q25").interpolate
    small = f"-cell 50 60 70 -N 9 -samplesize 0.00001 {hkl} {BASE} -corrected Q25"
    assert experiment_of(small).interpolate


def test_q52_a_rotation_is_the_mean_of_stills_at_the_centres(renderer: Renderer) -> None:
    words = f"-cell 50 60 70 -N 4 -misset 10 20 30 {BASE}"
    turned = image_of(renderer, f"{words} -phi 10 -osc 6 -phisteps 3 -corrected Q52")
    stills = [image_of(renderer, f"{words} -phi {phi}") for phi in (11, 13, 15)]
    renderer.assert_close(turned, sum(stills) / 3.0)
    one_step = experiment_of(f"{words} -osc 6 -phisteps 1 -corrected")
    assert np.degrees(one_step.spindle_angles) == pytest.approx([3.0], rel=1e-12)
    assert not np.allclose(turned, image_of(renderer, f"{words} -phi 10 -osc 6 -phisteps 3"))


@pytest.mark.parametrize("both_ways", ["-phi 12 -osc -4", "-phi 8 -osc 4"])
def test_q52_a_rotation_is_the_same_in_both_directions(both_ways: str, renderer: Renderer) -> None:
    words = f"-cell 50 60 70 -N 4 -misset 10 20 30 {BASE} -phisteps 4 -corrected"
    expected = image_of(renderer, f"{words} -phi 8 -osc 4")
    renderer.assert_close(image_of(renderer, f"{words} {both_ways}"), expected)
