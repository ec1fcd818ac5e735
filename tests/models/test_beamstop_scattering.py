"""Scattering of beamstops: thin and thick discs, their shadows, and an image by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import (
    Amorphous,
    Beamstop,
    CupysimError,
    Experiment,
    from_args,
    read_experiment,
    render_gradients,
    simulate,
)
from cupysim.constants import AVOGADRO, CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.materials.named import material
from tests.conftest import Run

WORDS = (
    "-cell 40 50 60 -misset 10 20 30 -default_F 1e-9 -N 3 -detpixels 40 -pixel 2 -oversample 1 "
    "-lambda 1.2 -beamsize 0.1 -flux 1e12 -exposure 1 -corrected -dispersion 0 -distance 100"
)
CLOSE = 5e-4
"""Largest relative error of the interpolation."""

WATER = Amorphous([0.0], [1.0], 1e-3, 1e6, 18.0)
PLACE, WIDE = 0.02, 1e-6
"""Distance of the stops, and a diameter without a shadow (m)."""


def image(experiment: Experiment) -> np.ndarray:
    return simulate(experiment).array.astype(np.float64)


def with_stops(*stops: Beamstop, words: str = WORDS) -> Experiment:
    return replace(from_args(words), attenuators=stops)


def layer(begin: float, thickness: float) -> np.ndarray:
    """Image of a layer of water along the beam."""
    matter = replace(material("water", thickness), begin=begin)
    return image(replace(from_args(WORDS), backgrounds=(matter,)))


def cosine() -> np.ndarray:
    """Cosine of the scattering angle from the stop."""
    experiment = from_args(WORDS)
    (panel,) = experiment.flat_panels
    rows, columns = np.meshgrid(np.arange(40) + 0.5, np.arange(40) + 0.5, indexing="ij")
    beam = experiment.frame.beam
    position = panel.position(columns, rows) - PLACE * beam
    return np.asarray(position @ beam / np.linalg.norm(position, axis=-1))


def test_a_thin_disc_is_a_thin_layer_along_the_beam(backend: str) -> None:
    disc = Beamstop(PLACE, WIDE, matter=material("water", 1e-5), attenuation=0.0)
    found = simulate(with_stops(disc), backend=backend).array
    np.testing.assert_allclose(found, layer(PLACE - 5e-6, 1e-5), rtol=CLOSE)


def test_a_thick_disc_absorbs_on_the_ways_in_and_out() -> None:
    """Sum over thin layers, all at the place of the disc."""
    mu, thickness, n = 3e3, 1e-3, 400
    disc = Beamstop(PLACE, WIDE, matter=material("water", thickness), attenuation=mu)
    thin = layer(PLACE - 5e-6, 1e-5) * (thickness / n / 1e-5)
    depth = (np.arange(n) + 0.5) * thickness / n
    slant = cosine()[..., None]
    share = np.exp(-mu * depth - mu * (thickness - depth) / slant).sum(axis=-1)
    assert share.max() < 0.1 * n
    np.testing.assert_allclose(image(with_stops(disc)), thin * share, rtol=2e-3)


def test_an_image_by_hand() -> None:
    """r_e^2 fluence N f^2 K Omega exp(-mu t), straight ahead."""
    pytest.importorskip("xraydb")
    words = f"{WORDS} -Xbeam 40 -Ybeam 40 -beamstop 20 0.001 -beamstop_matter Al,0.1 -nopolar"
    experiment = from_args(words)
    (disc,) = experiment.attenuators
    assert isinstance(disc, Beamstop)
    # 2.70 g/cm^3 and 26.98 g/mol; 1.2 A: mu of about 7.5/mm
    assert disc.passed == pytest.approx(np.exp(-disc.attenuation * 1e-4), rel=1e-12)
    assert disc.attenuation is not None
    assert 6e3 < disc.attenuation < 9e3
    atoms = 2.70e6 * 1e-4 * 1e-4 * 1e-4 / 26.98 * AVOGADRO
    squares = CLASSICAL_ELECTRON_RADIUS_SQUARED * 1e12 / 1e-8 * atoms * 13.0**2
    solid_angle = (0.002 / 0.08) ** 2
    expected = squares * solid_angle * disc.passed
    # the nearest pixels are at half a pixel from the beam, where f has fallen by 1 %
    assert image(experiment)[18:22, 18:22].max() == pytest.approx(expected, rel=0.03)


def test_scattering_factors_of_free_atoms() -> None:
    """International Tables C, 6.1.1.1, for aluminium and oxygen."""
    pytest.importorskip("xraydb")
    from cupysim.materials.free_atoms import free_atoms

    found = free_atoms("Al", 1e-4, 1e-4, 1e-4).factor(np.array([0.0, 2e9, 5e9]))
    np.testing.assert_allclose(found, [13.0, 9.16, 5.69], rtol=5e-3)
    oxide = free_atoms("sapphire", 1e-4, 1e-4, 1e-4)
    squares = 2.0 * np.array([13.0, 9.16]) ** 2 + 3.0 * np.array([8.0, 5.634]) ** 2
    np.testing.assert_allclose(oxide.factor(np.array([0.0, 2e9])) ** 2, squares, rtol=1e-2)
    assert oxide.molar_mass == pytest.approx(101.96, rel=1e-3)
    with pytest.raises(CupysimError, match="no density of 'unobtainium'"):
        free_atoms("unobtainium", 1e-4, 1e-4, 1e-4)


def test_other_stops_weaken_the_beam_and_cast_shadows() -> None:
    disc = Beamstop(PLACE, WIDE, matter=material("water", 1e-5), attenuation=0.0)
    alone = image(with_stops(disc))
    before = image(with_stops(disc, Beamstop(0.01, WIDE, 0.25)))
    np.testing.assert_allclose(before, 0.25 * alone, rtol=1e-6)
    behind = image(with_stops(disc, Beamstop(0.03, 0.006, 0.1)))
    # the radius of 3 mm, 10 mm behind the disc, hides 24 mm on the detector 80 mm behind it
    inner = cosine() > np.cos(np.arctan(0.3)) + 0.003
    outer = cosine() < np.cos(np.arctan(0.3)) - 0.006
    np.testing.assert_allclose(behind[inner], 0.1 * alone[inner], rtol=CLOSE)
    np.testing.assert_allclose(behind[outer], alone[outer], rtol=CLOSE)


def test_the_shadow_has_the_transmission_of_the_matter() -> None:
    disc = Beamstop(PLACE, 0.005, matter=material("water", 1e-3), attenuation=700.0)
    assert disc.passed == pytest.approx(np.exp(-0.7))
    assert replace(disc, diameter=0.01).passed == disc.passed
    bright = WORDS.replace("-default_F 1e-9", "-default_F 100")
    spots = image(with_stops(words=bright))
    found = image(with_stops(disc, words=bright)) - image(with_stops(disc))
    shadowed = np.s_[18:22, 18:22]
    limit = 1e-6 * image(with_stops(disc)).max()
    np.testing.assert_allclose(
        found[shadowed], np.exp(-0.7) * spots[shadowed], rtol=1e-3, atol=limit
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"attenuation": 3.0}, "attenuation needs matter"),
        ({"matter": "water"}, "matter must be Amorphous"),
        ({"matter": WATER}, "its matter needs an attenuation"),
        ({"matter": WATER, "attenuation": -1.0}, "attenuation must not be negative"),
        ({"matter": replace(WATER, thickness=0.0), "attenuation": 1.0}, "thickness of its matter"),
        ({"matter": replace(WATER, begin=0.1), "attenuation": 1.0}, "its begin None"),
        ({"matter": WATER, "attenuation": 1.0, "transmission": 0.3}, "not both"),
    ],
)
def test_impossible_discs(more: dict[str, object], told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        Beamstop(PLACE, 0.005, **more)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-beamstop_matter Al,1", "-beamstop_matter: there is no beamstop (option -beamstop)"),
        ("-beamstop 20 4 -beamstop_matter Al", "-beamstop_matter: expected MATERIAL,MM, got 'Al'"),
        (
            "-beamstop 20 4 -beamstop_matter Al,0",
            "-beamstop_matter: the thickness of its matter must be above 0",
        ),
        ("-beamstop 20 4 -beamstop_matter stuff,1", "no density of 'stuff'"),
        ("-beamstop 200 4 -beamstop_matter Al,1", "it is behind a panel"),
        ("-beamstop 20 4 -background_scale 2", "-background_scale: there is no background"),
    ],
)
def test_mistakes(words: str, told: str, run: Run) -> None:
    pytest.importorskip("xraydb")
    outcome = run(f"{WORDS} {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_files_and_reports(run: Run) -> None:
    pytest.importorskip("xraydb")
    words = f"{WORDS} -beamstop 20 4 -beamstop_matter Al,0.2 -background_scale 2"
    outcome = run(f"{words} -h5file a.h5")
    assert outcome.status == 0, outcome.err
    assert "beamstop at 20 mm: 0.2 mm of 2.7 g/cm^3 and 26.98" in outcome.out
    again = image(read_experiment("a.h5"))
    np.testing.assert_array_equal(again, image(from_args(words)))
    single = image(from_args(words.replace("-background_scale 2", "")))
    np.testing.assert_allclose(again, 2.0 * single, rtol=1e-6)


@pytest.mark.parametrize("name", ["distance", "beam_fast", "rotation_y", "wavelength", "stokes_u"])
def test_derivatives_at_the_crystal_are_those_of_the_usual_background(name: str) -> None:
    """The kernel differentiates matter at the crystal by formulas."""
    words = f"{WORDS} -stokes 0.3 0.2 -flight_path air -detector_rotx 5"
    found, usual = (
        render_gradients(from_args(f"{words} -background water,0.1{place}"), name).values[0]
        for place in ("@-0.05", "")
    )
    largest = np.abs(usual).max()
    assert largest > 0.0
    np.testing.assert_allclose(found, usual, rtol=5e-3, atol=5e-3 * largest)


@pytest.mark.parametrize("beam", ["-polar 1", "-polar -1", "-stokes 0.6 -0.8", "-polar 0.995"])
@pytest.mark.parametrize("name", ["stokes_q", "stokes_u"])
def test_fully_polarized_beams_have_derivatives(name: str, beam: str) -> None:
    words = f"{WORDS} {beam}"
    found, usual = (
        render_gradients(from_args(f"{words} -background water,0.1{place}"), name).values[0]
        for place in ("@-0.05", "")
    )
    np.testing.assert_allclose(found, usual, rtol=5e-3, atol=5e-3 * np.abs(usual).max())


def test_a_beam_wider_than_the_stop_is_told(run: Run) -> None:
    pytest.importorskip("xraydb")
    words = f"{WORDS} -beamstop 20 0.05 -beamstop_matter Al,0.1"
    assert "0.05 mm is less than the size of the beam, 0.1 mm" in run(words).err


@pytest.mark.parametrize("name", ["wavelength", "stokes_q", "background_scale", "spectrum_width"])
def test_derivatives_of_a_scattering_beamstop(name: str, backend: str) -> None:
    from cupysim.models.parameters import changed, current

    words = f"{WORDS} -stokes 0.3 0.2 -spectrum gaussian,10 -spectrum_samples 5"
    disc = Beamstop(PLACE, 0.004, matter=material("water", 1e-3), attenuation=300.0)
    experiment = with_stops(disc, words=words)
    found = render_gradients(experiment, name, backend=backend)
    # the slope of F jumps at the points of its table, which a small step meets in few pixels
    step = (3e-4 if name == "wavelength" else 1e-2) * (current(experiment, name) or 1.0)
    more, less = (image(changed(experiment, name, by)) for by in (step, -step))
    expected = (more - less) / (2.0 * step)
    largest = np.abs(expected).max()
    assert (np.abs(found.values[0] - expected) <= 2e-3 * largest).mean() > 0.98
    with pytest.raises(CupysimError, match="distance: the shadow of a beamstop has an edge"):
        render_gradients(experiment, "distance", backend=backend)
