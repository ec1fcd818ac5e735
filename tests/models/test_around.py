"""Matter around the body of the sample: paths by formula, and by many points along rays."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Body,
    CupysimError,
    CupysimWarning,
    Experiment,
    from_args,
    read_experiment,
    render_gradients,
    simulate,
)
from cupysim.models.body import optical_depth
from cupysim.models.parameters import changed
from cupysim.plan import exposure
from cupysim.plan.fraction_slopes import fraction_slopes
from cupysim.refine.fit import refine
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.observation import Observation
from cupysim.refine.settings import Settings
from cupysim.renderer import Renderer
from tests.conftest import Run
from tests.models.test_body import QUADRATURE, SINGLE, SWEEP, WORDS, ratio

MU = 900.0
"""Attenuation coefficient (1/m)."""

ROUNDING = 1e-12

CRYSTAL = Body("box", (0.2e-3, 0.3e-3, 0.1e-3), (0.03e-3, -0.02e-3, 0.01e-3), MU)


def sample(body: Body, *around: Body, words: str = WORDS) -> Experiment:
    return replace(from_args(words), body=body, around=around)


def test_matter_of_one_kind_is_one_body() -> None:
    """The ways from a small crystal within a ball of the same material are those of the ball."""
    small = Body("box", (1e-7,) * 3, (0.1e-3, 0.05e-3, -0.2e-3), MU)
    ball = Body("ellipsoid", (1e-3, 1e-3, 1e-3), attenuation=MU)
    experiment = sample(small, ball)
    found = ratio(experiment)
    place = np.array(small.position)
    # the frame of the body: beam, polarization axis, and their product
    frame = experiment.frame
    axes = np.stack([frame.beam, frame.horizontal, frame.vertical])
    rows, columns = np.meshgrid(np.arange(12) + 0.5, np.arange(12) + 0.5, indexing="ij")
    (panel,) = experiment.flat_panels
    position = panel.position(columns, rows)
    rays = position / np.linalg.norm(position, axis=-1, keepdims=True) @ axes.T

    def to_surface(way: np.ndarray) -> np.ndarray:
        along = way @ place
        return -along + np.sqrt(along**2 - place @ place + 0.25e-6)

    expected = np.exp(-MU * (to_surface(np.array([-1.0, 0.0, 0.0])) + to_surface(rays)))
    np.testing.assert_allclose(found, expected, rtol=QUADRATURE)


@pytest.mark.parametrize("form", ["box", "ellipsoid"])
def test_matter_is_counted_once(form: str) -> None:
    """Lengths in nested and overlapping bodies, against many points along each ray."""
    random = np.random.default_rng(5)
    bodies = [
        CRYSTAL,
        Body(form, (0.5e-3, 0.4e-3, 0.6e-3), (0.05e-3, 0.0, 0.0), 300.0),  # type: ignore[arg-type]
        Body("box", (0.02e-3, 2e-3, 2e-3), (0.2e-3, 0.0, 0.0), 5000.0),
        Body("ellipsoid", (1e-3, 0.2e-3, 0.2e-3), (0.0, 0.8e-3, 0.0), 700.0),
    ]
    points = random.uniform(-0.5, 0.5, (40, 3)) * CRYSTAL.size
    for _ in range(20):
        direction = random.normal(size=3)
        direction /= np.linalg.norm(direction)
        found = optical_depth(bodies, points, direction)
        step = 0.5e-6
        along = (np.arange(8000) + 0.5) * step
        places = points[:, None] + along[:, None] * direction + np.array(CRYSTAL.position)
        coefficients = np.zeros(places.shape[:2])
        for body in reversed(bodies):
            scaled = (places - np.array(body.position)) / (0.5 * np.array(body.size))
            size = np.abs(scaled).max(axis=-1) if body.form == "box" else (scaled**2).sum(axis=-1)
            coefficients[size < 1.0] = body.attenuation
        # each edge is known to half a step
        np.testing.assert_allclose(found, coefficients.sum(axis=1) * step, atol=6000.0 * 4 * step)


def test_an_empty_shell_changes_nothing() -> None:
    shell = Body("ellipsoid", (1e-3, 2e-3, 1e-3))
    alone, inside = simulate(sample(CRYSTAL)), simulate(sample(CRYSTAL, shell))
    np.testing.assert_allclose(inside.array, alone.array, rtol=SINGLE)


def test_the_same_matter_twice_is_once() -> None:
    once, twice = (sample(CRYSTAL, *[CRYSTAL] * count) for count in (1, 2))
    alone = simulate(sample(CRYSTAL)).array
    for each in (once, twice):
        np.testing.assert_allclose(simulate(each).array, alone, rtol=4 * SINGLE)


def test_a_plate_behind_the_crystal_is_a_slab_on_the_way_out() -> None:
    """It does not weaken the beam, and its path is the thickness over the cosine."""
    small = Body("box", (1e-7,) * 3)
    plate = Body("box", (0.1e-3, 1.0, 1.0), (0.5e-3, 0.0, 0.0), 4000.0)
    experiment = sample(small, plate)
    found = ratio(experiment)
    (panel,) = experiment.flat_panels
    rows, columns = np.meshgrid(np.arange(12) + 0.5, np.arange(12) + 0.5, indexing="ij")
    position = panel.position(columns, rows)
    cosine = position @ experiment.frame.beam / np.linalg.norm(position, axis=-1)
    np.testing.assert_allclose(found, np.exp(-0.4 / cosine), rtol=QUADRATURE)
    turned = from_args(f"{WORDS} -phi 180")
    behind = replace(turned, body=small, around=(plate,))
    # after half a turn it is in front of the crystal
    np.testing.assert_allclose(ratio(behind), math.exp(-0.4), rtol=QUADRATURE)


def test_backends_and_rotation(backend: str) -> None:
    around = (Body("ellipsoid", (0.5e-3,) * 3, (0.0, 0.0, 0.05e-3), 500.0),)
    sweep = sample(CRYSTAL, *around, words=SWEEP)
    image = simulate(sweep, backend=backend).array.astype(np.float64)
    expected = np.zeros_like(image)
    for middle in (15.0, 45.0, 75.0):
        still = sample(CRYSTAL, *around, words=f"{WORDS} -phi {middle}")
        expected += simulate(still, backend=backend).array.astype(np.float64) / 3.0
    np.testing.assert_allclose(image, expected, rtol=4 * SINGLE)


@pytest.mark.parametrize("name", ["body_height", "body_attenuation", "body_vertical", "distance"])
def test_derivatives_of_fractions(name: str) -> None:
    # without edges, at which derivatives of the quadrature jump
    ball = replace(CRYSTAL, form="ellipsoid")
    experiment = sample(ball, Body("ellipsoid", (0.9e-3,) * 3, attenuation=500.0), words=SWEEP)
    found = fraction_slopes(experiment, (name,), 1)[name]
    step = {"body_attenuation": 1.0}.get(name, 1e-8)
    _, intervals = exposure.fractions_of_angle(experiment, 1, np.float64)
    more, less = (
        exposure.fractions_of_angle(changed(experiment, name, by), 1, np.float64, intervals)[0]
        for by in (step, -step)
    )
    slope = (more - less) / (2.0 * step)
    assert np.abs(slope).max() > 0.0
    np.testing.assert_allclose(found, slope, atol=1e-5 * np.abs(slope).max())


def test_derivatives_of_a_plate_behind_the_crystal(backend: str) -> None:
    """The fraction is exp(-mu t/cos), wherever the plate is."""
    small = Body("box", (1e-7,) * 3)
    ball = Body("ellipsoid", (0.1e-3,) * 3, attenuation=10.0)
    plate = Body("box", (0.1e-3, 1.0, 1.0), (0.5e-3, 0.0, 0.0), 4000.0)
    experiment = sample(small, ball, plate)
    names = ("around_length:2", "around_attenuation:2", "around_along:2", "around_along")
    found = render_gradients(experiment, names, backend=backend)
    (panel,) = experiment.flat_panels
    rows, columns = np.meshgrid(np.arange(12) + 0.5, np.arange(12) + 0.5, indexing="ij")
    position = panel.position(columns, rows)
    cosine = position @ experiment.frame.beam / np.linalg.norm(position, axis=-1)
    expected = -found.photons * np.array([4000.0 / cosine, 1e-4 / cosine])
    np.testing.assert_allclose(found.values[:2], expected, rtol=2e-3)
    most = np.abs(expected[0]).max()
    assert np.abs(found.values[2]).max() < 1e-3 * most
    # the ball moves: the way in is longer by what the way out is shorter, nearly
    assert 0.0 < np.abs(found.values[3]).max() < 1e-2 * most


def test_impossible_names() -> None:
    experiment = sample(Body("box", (1e-4,) * 3), Body("ellipsoid", (1e-3,) * 3))
    for name, told in (
        ("around_width:2", "there is no body 2 around the body"),
        ("around_attenuation", "it is zero"),
        ("body_width:2", "body_width is no parameter of a single crystal"),
        ("absorption_size", "there is no -absorption"),
    ):
        with pytest.raises(CupysimError, match=told):
            render_gradients(experiment, name, backend="numpy")
    with pytest.raises(CupysimError, match="there is no body 3"):
        changed(experiment, "around_along:3", 1e-5)


def test_a_fit_finds_the_second_body() -> None:
    ball = Body("ellipsoid", (0.2e-3,) * 3, attenuation=MU)
    around = [Body("ellipsoid", (0.6e-3,) * 3, (0.0, y, 0.0), 3 * MU) for y in (0.0, 0.1e-3)]
    truth = sample(ball, *around, words=f"{WORDS} -fluence 1e30")
    image = simulate(truth).array.astype(np.float64)
    found = refine(
        changed(truth, "around_height:2", 0.05e-3),
        Observation(image, np.ones(image.shape, dtype=bool)),
        free_parameters("around_height:2"),
        Renderer().differentiate,
        Settings(),
    )
    assert found.experiment.around[1].size[2] == pytest.approx(0.6e-3, rel=1e-2)


def test_command(run: Run, tmp_path: Path) -> None:
    words = f"{WORDS} -body box,0.1,0.2,0.3,water -body_position 0.01 0 0"
    around = "-around ellipsoid,0.4,0.5,0.6,water@0.05,0,-0.1 -around box,0.01,1,1,kapton"
    outcome = run(f"{words} {around} -h5file a.h5 -floatfile a.bin")
    assert (
        "matter around the body: ellipsoid of 0.4 x 0.5 x 0.6 mm at 0.05 0 -0.1 mm" in outcome.out
    )
    experiment = read_experiment(tmp_path / "a.h5")
    assert [body.form for body in experiment.bodies] == ["box", "ellipsoid", "box"]
    assert experiment.around[0].attenuation == experiment.bodies[0].attenuation > 0.0
    np.testing.assert_array_equal(
        simulate(experiment).array.ravel(), np.frombuffer(outcome.files["a.bin"], np.float32)
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-around box,1,1,1,water", "-around needs -body"),
        ("-body box,1,1,1 -around box,1,1,1", "-around: expected box|ellipsoid,X,Y,Z,MATERIAL"),
        ("-body box,1,1,1 -around ball,1,1,1,water", "-around: expected box,X,Y,Z or ellipsoid"),
        ("-body box,1,1,1 -around box,1,1,1,water@1,2", "-around: expected @X,Y,Z in mm"),
        ("-body box,1,1,1 -around box,1,0,1,water", "-around: sizes must be positive"),
        ("-body box,1,1,1 -around box,1,1,1,unobtainium", "-around: material"),
    ],
)
def test_mistakes(words: str, told: str, run: Run) -> None:
    outcome = run(f"{WORDS} {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_mistakes_in_python() -> None:
    with pytest.raises(CupysimError, match="no body of the sample that the matter surrounds"):
        replace(from_args(WORDS), around=(CRYSTAL,))
    with pytest.raises(CupysimError, match="experiment: around"):
        replace(from_args(WORDS), body=CRYSTAL, around=(3,))


@pytest.mark.parametrize("size", [0.05e-3, 0.2e-3])
def test_the_shadow_of_a_body_beside_the_sample(size: float) -> None:
    """It is where the body is, even if it is smaller than the distance of nodes, or it is told."""
    words = WORDS.replace("-detpixels 12 -pixel 8", "-detpixels 128 -pixel 0.6")
    lead = Body("ellipsoid", (size,) * 3, (1e-3, -0.151e-3, -0.061e-3), 1e5)
    experiment = sample(Body("box", (1e-6,) * 3), lead, words=words)
    exact, _ = exposure.fractions_of_angle(experiment, 0, np.float64, [10**6])
    assert exact.min() < 0.3
    if size < 0.1e-3:
        with pytest.warns(CupysimWarning, match="a small body beside the sample"):
            found, _ = exposure.fractions_of_angle(experiment, 0, np.float64)
        return
    found, _ = exposure.fractions_of_angle(experiment, 0, np.float64)
    np.testing.assert_array_equal(found, exact)


def test_a_body_on_the_other_side_needs_no_more_nodes() -> None:
    words = WORDS.replace("-detpixels 12 -pixel 8", "-detpixels 128 -pixel 0.6")
    lead = Body("ellipsoid", (0.05e-3,) * 3, (-1e-3, 0.0, 0.3e-3), 1e5)
    experiment = sample(Body("box", (1e-6,) * 3), lead, words=words)
    _, (count,) = exposure.fractions_of_angle(experiment, 0, np.float64)
    assert count == 2 * exposure.COARSE
