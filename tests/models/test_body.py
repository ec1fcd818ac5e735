"""Bodies, beam profiles and decay: fractions by formula, and images as sums over angles."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from cupysim import (
    BeamProfile,
    Body,
    CupysimError,
    Decay,
    Experiment,
    PhotonNoise,
    ProfileKind,
    SizeSpread,
    Slab,
    Sphere,
    Water,
    fit,
    from_args,
    read_experiment,
    render_gradients,
    simulate,
)
from cupysim.backends.parts import differentiate_parts
from cupysim.backends.rendered import Observer
from cupysim.backends.select import open_backend
from cupysim.models.parameters import changed
from cupysim.parity.traces.pixel_trace import trace_pixel
from cupysim.plan import body_quadrature, exposure
from cupysim.plan.fraction_slopes import fraction_slopes
from cupysim.plan.last_result import LastResult
from cupysim.refine.free_parameters import gradient_plan
from tests.conftest import Run

WORDS = (
    "-cell 40 50 60 80 95 100 -misset 10 20 30 -default_F 10 -N 3 -detpixels 12 -pixel 8 "
    "-distance 100 -oversample 2 -corrected"
)
SWEEP = f"{WORDS} -osc 90 -phisteps 3"
SINGLE = 4e-7
"""Relative rounding of float32."""
QUADRATURE = 2e-3
"""Largest error of the quadrature over a body."""
GAUSSIAN = BeamProfile(ProfileKind.GAUSSIAN, 20e-6, 10e-6)


def base(words: str = WORDS) -> Experiment:
    return from_args(words)


def with_body(experiment: Experiment, body: Body, profile: BeamProfile | None = None) -> Experiment:
    return replace(experiment, body=body, beam=replace(experiment.beam, profile=profile))


def ratio(experiment: Experiment, backend: str = "auto") -> np.ndarray:
    beam = replace(experiment.beam, profile=None)
    plain = replace(experiment, body=None, around=(), decay=None, beam=beam)
    images = [simulate(each, backend=backend).array.astype(np.float64)
              for each in (experiment, plain)]  # fmt: skip
    return np.asarray(images[0] / images[1])


def box(edge: float, position: tuple[float, float, float] = (0, 0, 0), mu: float = 0.0) -> Body:
    return Body("box", (edge, edge, edge), position, mu)  # type: ignore[arg-type]


def test_a_small_body_sees_the_fluence_at_its_place(backend: str) -> None:
    found = ratio(with_body(base(), box(1e-9, (0.0, 5e-6, 3e-6)), GAUSSIAN), backend)
    expected = math.exp(-4.0 * math.log(2.0) * ((5 / 20) ** 2 + (3 / 10) ** 2))
    np.testing.assert_allclose(found, expected, rtol=SINGLE)


def test_a_large_body_sees_the_mean() -> None:
    found = ratio(with_body(base(), Body("box", (1e-6, 30e-6, 15e-6)), GAUSSIAN))
    half = math.sqrt(math.log(2.0))
    means = [
        math.sqrt(math.pi) / 2 * erf(2 * half * edge / 2 / width) / (2 * half * edge / 2 / width)
        for edge, width in ((30.0, 20.0), (15.0, 10.0))
    ]
    np.testing.assert_allclose(found, means[0] * means[1], rtol=1e-6)


def test_half_of_a_body_in_a_top_hat() -> None:
    profile = BeamProfile(ProfileKind.TOPHAT, 10e-6, 10e-6)
    found = ratio(with_body(base(), box(8e-6, (0.0, 5e-6, 0.0)), profile))
    np.testing.assert_allclose(found, 0.5, rtol=SINGLE)


def test_a_table_is_read_by_rows_from_below() -> None:
    table = BeamProfile(ProfileKind.TABLE, 20e-6, 10e-6, np.array([[1.0, 4.0], [2.0, 3.0]]))
    for place, value in (((-5, -2), 1.0), ((5, -2), 4.0), ((-5, 2), 2.0), ((5, 2), 3.0)):
        body = box(1e-9, (0.0, place[0] * 1e-6, place[1] * 1e-6))
        found = ratio(with_body(base(), body, table))
        np.testing.assert_allclose(found, value / 4.0, rtol=SINGLE)
    assert table.area == pytest.approx(20e-6 * 10e-6 * 2.5 / 4.0)
    assert GAUSSIAN.area == pytest.approx(20e-6 * 10e-6 * 1.1331, rel=1e-4)


def test_a_body_beside_the_spindle_moves_through_the_beam(backend: str) -> None:
    """At each angle, the fluence is that at its place; the background does not change."""
    experiment = base(f"{SWEEP} -water 30")
    place = (0.0, 0.0, 8e-6)
    image = simulate(with_body(experiment, box(1e-9, place), GAUSSIAN), backend=backend).array
    water = simulate(base(f"{SWEEP} -water 30 -default_F 0"), backend=backend).array
    expected = water.astype(np.float64)
    for middle in (15.0, 45.0, 75.0):
        # the spindle is horizontal, so that the place turns about it, towards the beam
        up = 8e-6 * math.cos(math.radians(middle))
        fluence = math.exp(-4.0 * math.log(2.0) * (up / 10e-6) ** 2)
        still = simulate(base(f"{WORDS} -phi {middle}"), backend=backend).array
        expected += fluence * still.astype(np.float64) / 3.0
    frame = experiment.frame
    assert abs(frame.spindle @ frame.polarization) == pytest.approx(1.0)
    np.testing.assert_allclose(image, expected, rtol=4 * SINGLE)


def test_a_wide_plate_is_a_slab() -> None:
    mu = 2e3
    plate = Body("box", (1e-3, 1.0, 1.0), attenuation=mu)
    slab = replace(base(), attenuators=(Slab(mu, 1e-3),))
    found = ratio(with_body(base(), plate))
    expected = simulate(slab).array.astype(np.float64) / simulate(base()).array
    np.testing.assert_allclose(found, expected, rtol=QUADRATURE)


def test_a_ball_is_a_sphere() -> None:
    mu = 1e3
    ball = Body("ellipsoid", (1e-3, 1e-3, 1e-3), attenuation=mu)
    sphere = replace(base(), attenuators=(Sphere(mu, 1e-3),))
    found = ratio(with_body(base(), ball))
    expected = simulate(sphere).array.astype(np.float64) / simulate(base()).array
    np.testing.assert_allclose(found, expected, rtol=QUADRATURE)


def test_a_plate_turns() -> None:
    """Forward photons cross the inclined plate; their path is the thickness over the cosine."""
    mu, angle = 1e3, 50.0
    words = WORDS.replace("-distance 100", "-distance 1e5")
    plate = Body("box", (1e-3, 1.0, 1.0), attenuation=mu)
    found = ratio(with_body(base(f"{words} -phi {angle}"), plate))
    expected = math.exp(-mu * 1e-3 / math.cos(math.radians(angle)))
    np.testing.assert_allclose(found, expected, rtol=QUADRATURE)


def test_paths_and_chords_against_random_rays() -> None:
    """Points that move by the distance are on the surface; mean chords are volume over area."""
    rng = np.random.default_rng(4)
    for form in ("box", "ellipsoid"):
        body = Body(form, (1.0, 2.0, 3.0))  # type: ignore[arg-type]
        points = rng.uniform(-0.25, 0.25, (200, 3)) * [1.0, 2.0, 3.0]
        direction = rng.normal(size=points.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        end = (points + body.distance(points, direction)[:, None] * direction) / [0.5, 1.0, 1.5]
        reached = np.abs(end).max(axis=1) if form == "box" else np.linalg.norm(end, axis=1)
        np.testing.assert_allclose(reached, 1.0, rtol=1e-12)
        for ray in direction[:20]:
            enter, leave = body.chords(points, ray)
            np.testing.assert_allclose(leave, body.distance(points, np.tile(ray, (200, 1))))
            np.testing.assert_allclose(-enter, body.distance(points, np.tile(-ray, (200, 1))))
            far = points + 5.0 * np.cross(ray, [0.6, 0.8, 0.0])
            outside = np.subtract(*body.chords(far, ray)[::-1])
            hits = outside > 0.0
            middle = far[hits] + 0.5 * np.sum(body.chords(far[hits], ray), axis=0)[:, None] * ray
            inside = np.abs(middle / [0.5, 1.0, 1.5])
            assert (inside.max(axis=1, initial=0.0) <= 1.0).all()


@pytest.mark.parametrize("width", [5e-6, 50e-6, 1e-3])
@pytest.mark.parametrize("form", ["box", "ellipsoid"])
def test_a_narrow_beam_in_a_large_body(width: float, form: str) -> None:
    """Photons that cross the body, by formula for a box and by Monte Carlo for an ellipsoid."""
    profile = BeamProfile(ProfileKind.GAUSSIAN, width, width)
    body = Body(form, (300e-6, 200e-6, 300e-6))  # type: ignore[arg-type]
    experiment = with_body(base(f"{WORDS} -phi 30"), body, profile)
    found = ratio(experiment)
    frame, turn = experiment.frame, math.radians(30.0)
    cross = np.cross(frame.spindle, np.eye(3)).T
    rotation = np.eye(3) + math.sin(turn) * cross + (1 - math.cos(turn)) * cross @ cross
    axes = np.stack([frame.beam, frame.polarization, frame.vertical])
    rng = np.random.default_rng(6)
    places = rng.uniform(-0.5, 0.5, (4_000_000, 3)) * body.size
    if form == "ellipsoid":
        places = places[((2 * places / body.size) ** 2).sum(axis=1) <= 1.0]
    lab = places @ axes @ rotation.T
    expected = float(profile.relative(lab @ axes[1], lab @ axes[2]).mean())
    limit = 0.03 if width < 1e-5 else 5e-3
    np.testing.assert_allclose(found, expected, rtol=limit)


def test_a_plate_along_the_beam() -> None:
    """Directions close to its plane have long paths, whose fractions change fast."""
    mu = 3e3
    words = WORDS.replace("-detpixels 12 -pixel 8", "-detpixels 300 -pixel 0.3")
    experiment = with_body(base(words), Body("box", (1e-3, 1e-3, 2e-5), attenuation=mu))
    found = ratio(experiment)
    geometry, frame = experiment.geometry, experiment.frame
    axes = np.stack([frame.beam, frame.polarization, frame.vertical])
    rng = np.random.default_rng(7)
    places = rng.uniform(-0.5, 0.5, (200_000, 3)) * experiment.body.size  # type: ignore[union-attr]
    incoming = experiment.body.distance(places, -axes @ frame.beam)  # type: ignore[union-attr]
    for fast, slow in ((150, 150), (151, 150), (150, 148), (160, 150), (150, 170), (30, 200)):
        position = geometry.origin + 3e-4 * (
            (fast + 0.5) * geometry.fast + (slow + 0.5) * geometry.slow
        )
        ray = axes @ (position / np.linalg.norm(position))
        outgoing = experiment.body.distance(places, ray)  # type: ignore[union-attr]
        expected = float(np.exp(-mu * (incoming + outgoing)).mean())
        assert found[slow, fast] == pytest.approx(expected, abs=5e-3)


def test_a_beam_beside_the_body() -> None:
    profile = BeamProfile(ProfileKind.TOPHAT, 10e-6, 10e-6)
    experiment = with_body(base(), box(8e-6, (0.0, 50e-6, 0.0), 1e3), profile)
    assert simulate(experiment).array.max() == 0.0


def test_fractions_between_the_nodes() -> None:
    """Interpolated paths are those of single pixels."""
    words = WORDS.replace("-detpixels 12 -pixel 8", "-detpixels 96 -pixel 1")
    body = Body("box", (0.2e-3, 0.5e-3, 1e-3), attenuation=3e3)
    experiment = with_body(base(f"{words} -phi 30"), body)
    found = ratio(experiment)
    for fast, slow in ((13, 40), (77, 5), (50, 91)):
        position = experiment.geometry.origin + 1e-3 * (
            (fast + 0.5) * experiment.geometry.fast + (slow + 0.5) * experiment.geometry.slow
        )
        frame = experiment.frame
        turn = math.radians(30.0)
        cross = np.cross(frame.spindle, np.eye(3)).T
        rotation = np.eye(3) + math.sin(turn) * cross + (1 - math.cos(turn)) * cross @ cross
        axes = np.stack([frame.beam, frame.polarization, frame.vertical]) @ rotation.T
        points = np.random.default_rng(5).uniform(-0.5, 0.5, (400_000, 3)) * body.size
        weights = np.full(len(points), 1.0 / len(points))
        ray = position / np.linalg.norm(position)
        paths = body.distance(points, axes @ ray) + body.distance(points, -axes @ frame.beam)
        expected = weights @ np.exp(-3e3 * paths)
        assert found[slow, fast] == pytest.approx(expected, rel=QUADRATURE)


def test_decay_is_a_product_at_each_angle(backend: str) -> None:
    decay = Decay(6e6, half_dose=10e6, b_per_gray=2e-26, dose_before=1e6)
    image = simulate(replace(base(SWEEP), decay=decay), backend=backend).array
    geometry, pixel = base().geometry, 8e-3
    slow, fast = np.mgrid[0:12, 0:12] + 0.5
    place = geometry.origin + pixel * (
        fast[..., None] * geometry.fast + slow[..., None] * geometry.slow
    )
    cosine = place @ base().frame.beam / np.linalg.norm(place, axis=-1)
    squares = 0.5 * (1.0 - cosine) / (base().beam.wavelength) ** 2
    expected = np.zeros((12, 12))
    for number, middle in enumerate((15.0, 45.0, 75.0)):
        doses = 1e6 + 6e6 * (number + (np.arange(400) + 0.5) / 400) / 3.0
        factor = np.mean(
            [np.exp(-math.log(2.0) * dose / 10e6 - 2.0 * 2e-26 * dose * squares) for dose in doses],
            axis=0,
        )
        still = simulate(base(f"{WORDS} -phi {middle}"), backend=backend).array
        expected += factor * still / 3.0
    np.testing.assert_allclose(image, expected, rtol=1e-5)
    assert image.sum() < 0.8 * simulate(base(SWEEP), backend=backend).array.sum()


def test_no_dose_no_decay() -> None:
    same = simulate(replace(base(SWEEP), decay=Decay(0.0, 1e6))).array
    np.testing.assert_allclose(same, simulate(base(SWEEP)).array, rtol=SINGLE)


ALL = (
    f"{SWEEP} -water 0.3 -crystal_scale 0.5 -body ellipsoid,0.02,0.05,0.03 "
    "-body_position 0 0 0.005 -beam_profile gaussian,0.02,0.01 -decay 20,1 -image_dose 10"
)


def test_edges_and_absorption() -> None:
    """Half of a plate in a top-hat beam absorbs as the whole."""
    mu = 3e3
    body = Body("box", (1e-3, 4e-3, 4e-3), attenuation=mu)
    whole = ratio(with_body(base(), body))
    inner = ratio(with_body(base(), body, BeamProfile(ProfileKind.TOPHAT, 2e-3, 2e-3)))
    np.testing.assert_allclose(inner[6, 6] * 4.0, whole[6, 6], rtol=0.02)


SLOPE_STEPS = {
    "misset_y": 1e-6,
    "cell_a": 1e-6,
    "n_a": 1e-4,
    "fluence": 1e20,
    # fractions of body and decay depend on the following ones
    "distance": 1e-7,
    "beam_fast": 1e-7,
    "rotation_x": 1e-6,
    "phi": 1e-6,
    "wavelength": 1e-16,
    "image_dose": 1e3,
    "dose_before": 1e3,
    "half_dose": 1e2,
    "decay_b": 1e-31,
    "body_vertical": 1e-8,
    "body_horizontal": 1e-8,
    "body_length": 1e-8,
    "body_height": 1e-8,
    "body_attenuation": 1.0,
    "profile_vertical": 1e-8,
    "size_spread": 1e-5,
}
"""Changes for central differences."""


@pytest.mark.parametrize("name", SLOPE_STEPS)
def test_derivatives(name: str, backend: str) -> None:
    experiment = from_args(ALL.replace("-water 0.3", ""))
    body, decay = experiment.body, experiment.decay
    assert body is not None
    assert decay is not None
    experiment = replace(
        experiment,
        body=replace(body, attenuation=2e3),
        decay=replace(decay, b_per_gray=2e-26, dose_before=3e6),
    )
    if name == "size_spread":
        crystal = replace(experiment.crystal, sizes=SizeSpread(0.3, 4))
        experiment = replace(experiment, crystal=crystal)
    found = render_gradients(experiment, name, backend=backend).values[0]
    step, opened = SLOPE_STEPS[name], open_backend(backend)
    sides = [
        differentiate_parts(
            opened, gradient_plan(experiment, {name: sign * step}, ("scale",)), Observer(), False
        ).photons
        for sign in (1, -1)
    ]
    slope = (sides[0] - sides[1]) / (2.0 * step)
    assert np.abs(slope).max() > 0.0
    # fractions of the body are numbers of single precision
    noise = 2.0 * SINGLE * np.abs(sides[0]).max() / step
    np.testing.assert_allclose(found, slope, atol=noise + 2e-5 * np.abs(slope).max())
    photons = render_gradients(experiment, name, backend=backend).photons
    image = simulate(experiment, backend=backend).array
    np.testing.assert_allclose(photons, image, rtol=4 * SINGLE)


@pytest.mark.parametrize("name", list(SLOPE_STEPS)[4:-1])
def test_derivatives_of_fractions(name: str) -> None:
    """Derivatives of the fractions agree with differences in double precision."""
    experiment = from_args(ALL)
    body, decay = experiment.body, experiment.decay
    assert body is not None
    assert decay is not None
    experiment = replace(
        experiment,
        body=replace(body, attenuation=2e3),
        decay=replace(decay, b_per_gray=2e-26, dose_before=3e6),
    )
    found = fraction_slopes(experiment, (name,), 1)[name]
    _, intervals = exposure.fractions_of_angle(experiment, 1, np.float64)
    step = 3.0 * SLOPE_STEPS[name]
    more, less = (
        exposure.fractions_of_angle(changed(experiment, name, by), 1, np.float64, intervals)[0]
        for by in (step, -step)
    )
    slope = (more - less) / (2.0 * step)
    assert np.abs(slope).max() > 0.0
    np.testing.assert_allclose(found, slope, atol=1e-5 * np.abs(slope).max())


@pytest.mark.parametrize("phi", [0, 15, 30, 45, 60])
@pytest.mark.parametrize("size", ["0.01,0.5,0.5", "0.02,0.05,0.03", "0.3,0.3,0.3"])
def test_a_turned_box_without_attenuation_changes_nothing(phi: int, size: str) -> None:
    """Photons are a mean over the box, and do not depend on its size."""
    experiment = from_args(f"{WORDS} -phi {phi} -body box,{size}")
    plain = simulate(from_args(f"{WORDS} -phi {phi}")).array
    np.testing.assert_allclose(simulate(experiment).array, plain, rtol=2 * SINGLE)
    found = render_gradients(experiment, "body_length, body_width, body_height")
    assert experiment.body is not None
    for slopes, length in zip(found.values, experiment.body.size, strict=True):
        assert np.abs(slopes).max() * length < 1e-9 * found.photons.max()


def test_derivatives_of_a_turned_box_with_attenuation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five times as many parts across the beam hardly change them."""
    experiment = from_args(f"{WORDS} -phi 30 -body box,0.02,0.05,0.03")
    assert experiment.body is not None
    experiment = with_body(
        experiment, replace(experiment.body, attenuation=3e3),
        BeamProfile(ProfileKind.GAUSSIAN, 5e-5, 5e-5),
    )  # fmt: skip
    names = "body_length, body_width, body_height"
    usual = render_gradients(experiment, names).values
    monkeypatch.setattr(body_quadrature, "PARTS_ACROSS", 60)
    monkeypatch.setattr(exposure, "_last", LastResult())
    np.testing.assert_allclose(
        usual, render_gradients(experiment, names).values, atol=0.01 * np.abs(usual).max()
    )


def test_derivatives_of_a_decay_by_hand() -> None:
    """A still after a dose: photons times exp(-ln 2 D/D0 - 2 b D s^2)."""
    decay = Decay(0.0, 2e6, 1e-26, dose_before=1e6)
    experiment = replace(base(), decay=decay)
    gradients = render_gradients(experiment, "dose_before, image_dose")
    panel = experiment.flat_panels[0]
    places = panel.position(np.arange(panel.n_fast) + 0.5, np.arange(panel.n_slow)[:, None] + 0.5)
    cosine = (places @ experiment.frame.beam) / np.linalg.norm(places, axis=-1)
    squares = 0.5 * (1.0 - cosine) / experiment.beam.wavelength**2
    rate = np.log(2.0) / 2e6 + 2e-26 * squares
    expected = -rate * gradients.photons
    np.testing.assert_allclose(gradients.values[0], expected, rtol=1e-6)
    # the mean dose of a still is half of the dose during it
    np.testing.assert_allclose(gradients.values[1], 0.5 * expected, rtol=1e-6)


def test_a_fit_finds_dose_and_place() -> None:
    """A fit from other start values finds dose (MGy) and place (mm) within 4 sigma."""
    truth = from_args(ALL.replace("-water 0.3", "-fluence 1e32"))
    start = changed(changed(truth, "image_dose", -4e6), "body_vertical", 1e-6)
    counts = simulate(truth).counts(PhotonNoise(1))
    found = fit(start, counts, "image_dose, body_vertical")
    assert found.names == ("image_dose", "body_vertical")
    for value, sigma, expected in zip(found.values, found.sigmas, (10.0, 0.005), strict=True):
        assert abs(value - expected) < 4.0 * sigma
        assert sigma < 0.05 * expected


def test_what_has_no_derivative() -> None:
    experiment = from_args(ALL)
    for name, reason in {"size_spread": "one size", "body_along": "no effect"}.items():
        plain = replace(experiment, beam=replace(experiment.beam, profile=None))
        with pytest.raises(CupysimError, match=f"gradients: {name}: .*{reason}"):
            render_gradients(plain, name)
    sharp = replace(
        experiment,
        beam=replace(experiment.beam, profile=BeamProfile(ProfileKind.TOPHAT, 2e-5, 2e-5)),
    )
    with pytest.raises(CupysimError, match="gradients: body_vertical: the beam profile has edges"):
        render_gradients(sharp, "body_vertical")


def test_within_a_tolerance(backend: str) -> None:
    exact = simulate(from_args(ALL), backend=backend).array
    within = simulate(from_args(ALL), backend=backend, tolerance=0.01).array
    missing = exact.astype(np.float64) - within
    assert missing.max() <= 0.01 + SINGLE * exact.max()
    assert missing.min() >= -SINGLE * exact.max()


def test_spots_are_weakened() -> None:
    words = f"{WORDS} -N 20 -gauss_xtal -mosaic 0.2 -mosaic_dom 20 -domain_model normal"
    experiment = from_args(f"{words} -osc 2 -phisteps 4")
    plain = simulate(experiment).spots
    weak = simulate(replace(experiment, decay=Decay(0.0, 1e6, dose_before=1e6))).spots
    weak, plain = weak[:300], plain[:300]
    for name in ("h", "k", "l", "crystal"):
        np.testing.assert_array_equal(weak[name], plain[name])
    np.testing.assert_allclose(weak["photons"], 0.5 * plain["photons"], rtol=1e-6)
    np.testing.assert_allclose(weak["fast"], plain["fast"], atol=1e-6)
    np.testing.assert_allclose(weak["excitation"], plain["excitation"], rtol=1e-6)
    wet = replace(experiment, decay=Decay(0.0, 1e6, dose_before=1e6), water=Water(1e-5))
    with_water = simulate(wet).spots[:300]
    np.testing.assert_array_equal(with_water["excitation"], weak["excitation"])


def test_a_fit(backend: str) -> None:
    experiment = from_args(ALL.replace("-water 0.3", "-fluence 1e29"))
    start = replace(experiment, crystal=experiment.crystal.with_misset(10.05, 19.97, 30.04))
    fitted = fit(start, simulate(experiment).array, "misset", backend=backend)
    angles = np.degrees(fitted.experiment.crystal.misset)
    np.testing.assert_allclose(angles, [10, 20, 30], atol=2e-3)


def test_command(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("xraydb")
    words = (
        f"{SWEEP} -body box,0.1,0.2,0.3,water -body_position 0.01 0.02 0.03 -decay 20,1.5 "
        "-dose_before 2 -dose water -flux 1e12 -exposure 0.1"
    )
    outcome = run(f"{words} -beam_profile tophat,0.05,0.02 -h5file a.h5")
    assert outcome.status == 0, outcome.err
    found = read_experiment(tmp_path / "a.h5")
    assert found.body is not None
    assert found.decay is not None
    assert found.beam.profile is not None
    assert found.beam.fluence == pytest.approx(1e12 * 0.1 / (0.05e-3 * 0.02e-3))
    assert found.body.size == pytest.approx((1e-4, 2e-4, 3e-4))
    assert found.body.position == pytest.approx((1e-5, 2e-5, 3e-5))
    assert found.body.attenuation == pytest.approx(300, rel=0.2)
    assert (found.decay.half_dose, found.decay.dose_before) == (20e6, 2e6)
    assert found.decay.b_per_gray == pytest.approx(1.5e-26)
    told = next(line for line in outcome.out.splitlines() if "dose:" in line)
    assert found.decay.dose == pytest.approx(1e6 * float(told.split()[1]), rel=1e-3)
    again = simulate(found).array
    with_h5 = simulate(from_args(f"{words} -beam_profile tophat,0.05,0.02")).array
    np.testing.assert_array_equal(again, with_h5)


def test_photons_of_a_background_are_those_of_the_whole_beam() -> None:
    words = f"{WORDS} -default_F 1e-9 -background water,0.1 -flux 1e12 -exposure 1"
    square = simulate(from_args(f"{words} -beamsize 0.03")).array
    profile = "-body box,1,1,1 -beam_profile gaussian,0.05,0.02"
    np.testing.assert_allclose(simulate(from_args(f"{words} {profile}")).array, square, rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-body ball,1,1,1", "expected box,X,Y,Z or ellipsoid,X,Y,Z"),
        ("-body box,1,1", "expected box,X,Y,Z or ellipsoid,X,Y,Z"),
        ("-body box,1,0,1", "-body: sizes must be positive"),
        ("-body_position 1 2 3", "-body_position needs -body"),
        ("-beam_profile gaussian,1,1", "-beam_profile needs -body"),
        ("-body box,1,1,1 -beam_profile gaussian,1", "expected gaussian,H,V"),
        ("-body box,1,1,1 -beam_profile nothing,1,1", "there is no file 'nothing'"),
        ("-body box,1,1,1 -beam_profile t.txt,1,1", "not a table of numbers"),
        ("-body box,1,1,1 -beam_profile tophat,0,1", "horizontal must be positive"),
        ("-decay 20,1", "-decay needs the dose of the image"),
        ("-decay 0,1 -image_dose 1", "-decay: half_dose must be positive"),
        ("-decay x -image_dose 1", "expected HALF_DOSE,B_PER_MGY"),
        ("-image_dose 1", "-image_dose needs -decay"),
    ],
)
def test_mistakes(words: str, told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("1 2\nx y\n")
    outcome = run(f"{WORDS} {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_mistakes_in_python() -> None:
    with pytest.raises(CupysimError, match="correct quirk Q3"):
        simulate(replace(base(SWEEP.replace("-corrected", "")), decay=Decay(1e6, 1e6)))
    with pytest.raises(CupysimError, match="no effect without the body"):
        replace(base(), beam=replace(base().beam, profile=GAUSSIAN))
    with pytest.raises(CupysimError, match="body must be a Body or None"):
        replace(base(), body=3)
    with pytest.raises(CupysimError, match="a table is needed"):
        BeamProfile(ProfileKind.TABLE, 1.0, 1.0)
    with pytest.raises(CupysimError, match="must not be negative"):
        Decay(-1.0)


def test_what_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("1 2\n3 4\n")
    words = f"{WORDS} -body box,0.1,0.2,0.3 -beam_profile p.txt,0.1,0.1"
    outcome = run(f"{words} -flux 1e12 -exposure 1 -beamsize 0.3 -h5file a.h5 -provenance p.json")
    assert "body: box of 0.1 x 0.2 x 0.3 mm at 0 0 0 mm, attenuation 0/m" in outcome.out
    assert "beam profile: table of 0.1 x 0.1 mm" in outcome.out
    assert "-beamsize has no effect on the fluence" in outcome.err
    assert b"p.txt" in outcome.files["p.json"]
    decay = f"{WORDS} -decay 20,1 -image_dose 3"
    assert "decay: 3 MGy after 0 MGy, half dose 20 MGy, B grows by 1 A^2/MGy" in run(decay).out
    assert "computed at the mean wavelength" in run(f"{decay} -spectrum tophat,20").err
    missed = run(f"{WORDS} -body box,1,1,1 -body_position 0 9 0 -beam_profile tophat,1,1")
    assert "the beam misses the body" in missed.err


def test_a_spectrum_file_is_an_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("# wavelength/A weight\n1.0 1\n")
    outcome = run(f"{WORDS} -spectrum s.txt -provenance p.json")
    assert b'"-spectrum"' in outcome.files["p.json"]


def test_traces() -> None:
    still = replace(base(), decay=Decay(0.0, 1e6, dose_before=1e6))
    names = {value.name: value.numbers for value in trace_pixel(still, 3, 4).result}
    assert names["transmitted_fraction"] == pytest.approx((0.5,))
    air = base(f"{WORDS} -background air,60@-30")
    names = {value.name: value.numbers for value in trace_pixel(air, 3, 4).result}
    alone = simulate(replace(air, crystal=replace(air.crystal, scale=1e-20))).array
    found = names["photons_from_matter_along_the_beam"]
    assert found == pytest.approx((float(alone[4, 3]),), rel=1e-5)
    sizes = replace(air, crystal=replace(air.crystal, sizes=SizeSpread(0.2)))
    for part in (1, 2):
        names = {value.name: value.numbers for value in trace_pixel(sizes, 3, 4, part=part).result}
        assert names["photons_from_matter_along_the_beam"] == found


def test_a_fine_table_is_exact() -> None:
    """Cells of the table are parts of the quadrature: a single bright cell counts with its area."""
    table = np.zeros((100, 120))
    table[37, 71] = 2.0
    profile = BeamProfile(ProfileKind.TABLE, 0.12e-3, 0.1e-3, table)
    body = Body("box", (1e-4, 0.2e-3, 0.2e-3))
    found = ratio(with_body(base(), body, profile))
    np.testing.assert_allclose(found, 1e-6 * 1e-6 / 0.2e-3**2, rtol=1e-6)
    finer = BeamProfile(ProfileKind.TABLE, 0.12e-3, 0.1e-3, np.ones((3, 1200)))
    with pytest.warns(UserWarning, match="cells of the table along an axis"):
        found = ratio(with_body(base(), body, finer))
    np.testing.assert_allclose(found, 0.3, rtol=1e-6)


def test_thin_plates_are_not_stepped_over() -> None:
    """A grid of few directions would not see a narrow change of the paths."""
    slow, fast = np.arange(3.0), np.arange(640.0)

    def narrow(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        # its centre lies between the nodes of grids of 16 and of 32 intervals
        return np.ones((len(rows), 1)) - 0.5 * np.exp(-(((columns - 190.0) / 3.0) ** 2))

    missed, found = (exposure._refined(narrow, slow, fast, first)[0] for first in (16, 120))
    assert missed.min() > 0.99
    assert found.min() < 0.6
    words = WORDS.replace("-detpixels 12 -pixel 8", "-detpixels 700 -pixel 0.1")
    experiment = base(words)
    (panel,), frame = experiment.flat_panels, experiment.frame
    axes = np.stack([frame.beam, frame.polarization, frame.vertical])
    for size, mu, is_fine in (
        ((1e-3, 1e-3, 2e-5), 3e3, True),
        ((1e-3, 1e-3, 2e-5), 0.1, False),  # transparent
        ((2e-5, 1e-3, 1e-3), 3e3, False),  # across the beam
        ((1e-3, 1e-3, 1e-3), 3e3, False),
    ):
        body, here = Body("box", size, attenuation=mu), np.zeros(3)
        count = exposure._first_intervals(body, here, panel, axes)
        assert (count > exposure.COARSE) == is_fine
