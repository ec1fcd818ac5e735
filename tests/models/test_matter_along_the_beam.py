"""Matter in front of the crystal and behind it: images of detectors at other distances."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cupysim import (
    Beamstop,
    Crystal,
    Experiment,
    FurtherCrystal,
    from_args,
    read_experiment,
    render_gradients,
    simulate,
)
from cupysim.models.parameters import changed
from tests.conftest import Run

WORDS = (
    "-cell 40 50 60 -misset 10 20 30 -default_F 1e-9 -N 3 -detpixels 40 -pixel 2 -oversample 1 "
    "-lambda 1.2 -beamsize 0.1 -flux 1e12 -exposure 1 -corrected -dispersion 0 "
)
CLOSE = 5e-4
"""Largest relative error of the quadrature and of the interpolation."""


def image(words: str, **more: object) -> np.ndarray:
    return np.asarray(simulate(from_args(f"{WORDS} {words}"), **more).array, dtype=np.float64)


@pytest.mark.parametrize(
    "more",
    [
        "",
        "-stokes 0.3 -0.5",
        "-point_pixel",
        "-detector_thick 100 -detector_thicksteps 20 -detector_abs 500 -oversample_thick",
    ],
)
def test_at_the_crystal_it_is_the_usual_background(more: str, backend: str) -> None:
    words = f"-distance 100 {more}"
    usual = image(f"{words} -background water,0.1", backend=backend)
    found = image(f"{words} -background water,0.1@-0.05", backend=backend)
    limit = 5e-3 if "thick" in more else CLOSE
    np.testing.assert_allclose(found, usual, rtol=limit)


@pytest.mark.parametrize("place", [-60.0, 40.0])
def test_elsewhere_it_is_that_of_another_distance(place: float) -> None:
    """A thin layer at a place scatters as at the crystal of a detector that is closer by it."""
    found = image(f"-distance 100 -background water,0.01@{place - 0.005}")
    moved = image(f"-distance {100 - place} -background water,0.01")
    np.testing.assert_allclose(found, moved, rtol=CLOSE)


def test_parts_add_up(backend: str) -> None:
    whole = image("-distance 100 -background air,60@-30", backend=backend)
    parts = image("-distance 100 -background air,25@-30 -background air,35@-5", backend=backend)
    np.testing.assert_allclose(whole, parts, rtol=CLOSE)
    crystal = image("-distance 100 -default_F 20", backend=backend)
    together = image("-distance 100 -default_F 20 -background air,60@-30", backend=backend)
    np.testing.assert_allclose(together, whole + crystal, rtol=CLOSE)


def test_tilted_panels_and_regions() -> None:
    words = "-distance 100 -twotheta 20 -background water,0.05"
    usual, found = image(words), image(f"{words}@-0.025")
    np.testing.assert_allclose(found, usual, rtol=CLOSE)
    part = image(f"{words}@-0.025 -roi 3 12 20 30")
    assert part[20:31, 3:13] == pytest.approx(found[20:31, 3:13], rel=1e-6)
    assert part.sum() == pytest.approx(found[20:31, 3:13].sum(), rel=1e-6)


def test_a_beamstop_ends_the_beam_and_casts_shadows() -> None:
    """Matter behind it scatters nothing; in front of it, the shadow is that from its place."""
    words = "-distance 100 -detpixels 80 -pixel 1"
    behind = image(f"{words} -beamstop 20 5 -background air,30@25")
    assert behind.max() < 1e-20
    both = image(f"{words} -beamstop 20 5 -background air,60@-5")
    before = image(f"{words} -beamstop 20 5 -background air,25@-5")
    np.testing.assert_allclose(both, before, rtol=CLOSE, atol=1e-9 * before.max())
    # a layer 10 mm in front of the stop: radius 2.5 mm, seen from there at the panel
    thin = image(f"{words} -beamstop 20 5 -background water,0.01@9.995")
    plain = image(f"{words} -background water,0.01@9.995")
    centre = from_args(f"{WORDS} {words}").geometry
    slow, fast = np.mgrid[0:80, 0:80] + 0.5
    across = np.hypot(fast - centre.beam_fast / 1e-3, slow - centre.beam_slow / 1e-3)
    radius = 2.5 * 90.0 / 10.0
    assert (thin[across < radius - 5] < 0.05 * plain[across < radius - 5]).all()
    outside = (across > radius + 5) & (across < 38)
    np.testing.assert_allclose(thin[outside], plain[outside], rtol=0.02)


def test_attenuators_weaken_it() -> None:
    pytest.importorskip("xraydb")
    words = "-distance 100 -background water,0.02@-0.01"
    plain, weak = image(words), image(f"{words} -flight_path air")
    usual = [image(f"-distance 100 -background water,0.02 {more}")
             for more in ("", "-flight_path air")]  # fmt: skip
    np.testing.assert_allclose(weak / plain, usual[1] / usual[0], rtol=CLOSE)


def experiment(words: str) -> Experiment:
    return from_args(f"{WORDS.replace('1e-9', '20')} {words}")


def test_many_small_pixels_are_interpolated() -> None:
    """The pixels that are computed are those of every pixel of a region."""
    from cupysim.plan import path_scattering

    words = f"{WORDS.replace('-detpixels 40 -pixel 2', '-detpixels 800 -pixel 0.1')} -distance 100"
    shown = from_args(f"{words} -background water,0.05@-0.025")
    (panel,) = shown.flat_panels
    assert path_scattering._spacing(shown, shown.backgrounds, panel) > 1
    found = simulate(shown).array.astype(np.float64)
    usual = simulate(from_args(f"{words} -background water,0.05")).array
    np.testing.assert_allclose(found, usual, rtol=4e-3)


def test_several_crystals_and_kinds() -> None:
    base = experiment("-distance 100 -background air,60@-30 -size_spread 20 -size_steps 3")
    plain = replace(base, backgrounds=())
    further = (FurtherCrystal(base.crystal.with_misset(1, 2, 3)),)
    both = simulate(replace(base, further_crystals=further)).array.astype(np.float64)
    spots = simulate(replace(plain, further_crystals=further)).array
    air = image("-distance 100 -background air,60@-30")
    np.testing.assert_allclose(both, spots + air, rtol=CLOSE, atol=1e-6 * both.max())


def weak(base: Experiment) -> Crystal:
    """The crystal of an experiment with hardly any photons."""
    return replace(base.crystal, scale=1e-12)


def test_derivatives(backend: str) -> None:
    base = experiment("-distance 100 -background air,60@-30")
    air = image("-distance 100 -background air,60@-30")
    found = render_gradients(base, "scale,fluence,misset_y,crystal_scale", backend=backend)
    photons = simulate(base, backend=backend).array
    np.testing.assert_allclose(found.photons, photons, rtol=1e-6)
    np.testing.assert_allclose(found.values[0], photons, rtol=1e-6)
    np.testing.assert_allclose(found.values[1] * base.beam.fluence, photons, rtol=1e-6)
    plain = render_gradients(replace(base, backgrounds=()), "misset_y", backend=backend)
    np.testing.assert_allclose(found.values[2], plain.values[0], rtol=1e-12, atol=1e-30)
    np.testing.assert_allclose(found.values[3], photons - air, rtol=1e-5, atol=1e-5 * air.max())
    for name, step in (("distance", 1e-4), ("wavelength", 1e-13), ("rotation_z", 1e-3)):
        slopes = render_gradients(replace(base, crystal=weak(base)), name, backend=backend)
        more, less = (
            simulate(changed(replace(base, crystal=weak(base)), name, by)).array.astype(np.float64)
            for by in (step, -step)
        )
        expected = (more - less) / (2.0 * step)
        np.testing.assert_allclose(
            slopes.values[0], expected, rtol=1e-2, atol=1e-2 * np.abs(expected).max()
        )


def test_within_a_tolerance(backend: str) -> None:
    base = experiment("-distance 100 -background air,60@-30")
    exact = simulate(base, backend=backend).array.astype(np.float64)
    within = simulate(base, backend=backend, tolerance=0.01).array
    assert (exact - within).max() <= 0.01 + 1e-6 * exact.max()


def test_files_and_reports(run: Run) -> None:
    words = f"{WORDS} -distance 100 -background air,60@-30"
    outcome = run(f"{words} -h5file a.h5 -provenance p.json")
    assert outcome.status == 0, outcome.err
    assert ", beginning at -30 mm along the beam" in outcome.out
    assert json.loads(outcome.files["p.json"])
    again = read_experiment("a.h5")
    assert again.backgrounds[0].begin == pytest.approx(-0.03)
    np.testing.assert_array_equal(
        simulate(again).array, image("-distance 100 -background air,60@-30")
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-background air,60@x", "expected the beginning of the matter along the beam"),
        ("-background air,0@-30", "matter along the beam needs a thickness"),
        ("-background air,200@-30", "it is behind a panel"),
        ("-background air,60@-30 -curved_det", "not possible with a curved detector"),
    ],
)
def test_mistakes(words: str, told: str, run: Run) -> None:
    outcome = run(f"{WORDS} -distance 100 {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_a_transparent_beamstop() -> None:
    base = experiment("-distance 100 -background air,30@25")
    half = replace(base, attenuators=(Beamstop(0.02, 0.005, 0.5),))
    bare = simulate(replace(base, backgrounds=())).array
    plain = simulate(base).array.astype(np.float64) - bare
    weak = simulate(half).array - simulate(replace(half, backgrounds=())).array.astype(np.float64)
    corner = (0, 0)
    assert weak[corner] == pytest.approx(0.5 * plain[corner], rel=1e-3)


def test_shadows_of_several_stops_are_smooth() -> None:
    """Against a sum over many thin layers, each with the fractions of its own place."""
    words = "-distance 100 -detpixels 60 -pixel 1 -background air,30@-5"
    base = experiment(words)
    stops = (Beamstop(0.02, 0.006, 0.3), Beamstop(0.03, 0.004, 0.5))
    found = simulate(replace(base, attenuators=stops)).array.astype(np.float64)
    spots = simulate(replace(base, attenuators=stops, backgrounds=())).array
    (matter,) = base.backgrounds
    (panel,) = base.flat_panels
    rows, columns = np.meshgrid(np.arange(60) + 0.5, np.arange(60) + 0.5, indexing="ij")
    beam, total = base.frame.beam, np.zeros((60, 60))
    layers = np.linspace(-0.005, 0.025, 301)
    for place in 0.5 * (layers[1:] + layers[:-1]):
        thin = replace(matter, begin=place - 5e-5, thickness=1e-4)
        layer = simulate(replace(base, backgrounds=(thin,))).array.astype(np.float64)
        layer -= simulate(replace(base, backgrounds=())).array
        position = panel.position(columns, rows) - place * beam
        for stop in stops:
            if place < stop.distance:
                moved = replace(stop, distance=stop.distance - place)
                layer *= moved.fraction(position, beam)
            else:
                layer *= stop.transmission
        total += layer
    close = np.abs(found - spots - total)
    # edges of the shadows of single layers
    assert close.max() < 0.03 * total.max()
    assert np.sort(close.ravel())[-360] < 5e-3 * total.max()
