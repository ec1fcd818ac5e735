"""Corrected quirks of the detector, against plane geometry."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cupysim.errors import CupysimError
from cupysim.models.experiment import Experiment
from cupysim.plan.planning import make_plan
from tests.conftest import Renderer, Run
from tests.corrected.rendering import experiment_of, image_of

BASE = "-cell 50 60 70 -default_F 10 -N 5 -misset 10 20 30 -oversample 1"
SMALL = f"{BASE} -pixel 2 -detpixels 12"
TURNED = "-detector_rotx 3 -detector_roty -5 -detector_rotz 11 -twotheta 17"
CONVENTIONS = ["mosflm", "denzo", "adxv", "xds", "dials"]


def meeting_point(experiment: Experiment) -> tuple[float, np.ndarray]:
    """Where the beam meets the panel's plane: distance, and (fast, slow) (m)."""
    geometry, beam = experiment.geometry, experiment.frame.beam
    # origin + f fast + s slow = d beam
    f, s, d = np.linalg.solve(
        np.stack([geometry.fast, geometry.slow, -beam], axis=1), -geometry.origin
    )
    return float(d), np.array([f, s])


@pytest.mark.parametrize("pivot", ["beam", "sample"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_q7_what_is_reported_is_where_the_beam_hits(convention: str, pivot: str) -> None:
    experiment = experiment_of(f"{SMALL} -{convention} {TURNED} -pivot {pivot} -corrected Q7,Q8")
    distance, spot = meeting_point(experiment)
    geometry = experiment.geometry
    assert geometry.distance == pytest.approx(distance, rel=1e-12)
    assert (geometry.beam_fast, geometry.beam_slow) == pytest.approx(tuple(spot), rel=1e-10)


def test_q7_leaves_the_panel_where_it_is() -> None:
    before, after = (experiment_of(f"{SMALL} -twotheta 20 {c}") for c in ("", "-corrected Q7"))
    np.testing.assert_array_equal(before.geometry.origin, after.geometry.origin)
    assert before.geometry.distance == pytest.approx(0.1 * math.cos(math.radians(20)))
    assert after.geometry.distance == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-twotheta 170", "it must be positive"),
        ("-detector_roty 100", "by more than 90 degrees"),
        ("-distance -100", "distance: must be positive"),
        ("-close_distance -80", "it must be positive"),
        ("-close_distance 100 -twotheta 90", "it must be positive"),
        ("-xds -pivot beam -detector_rotx 40 -twotheta 90", "it must be positive"),
        ("-mosflm -beam_vector 0 0 1", "it must be positive"),
        ("-xds -twotheta 90 -curved_det", "the beam must hit the flat panel"),
        ("-xds -detector_rotx 120 -curved_det", "the beam must hit the flat panel"),
    ],
)
def test_panels_which_no_photon_hits_from_the_front(words: str, told: str) -> None:
    """Their photons would be negative, or none."""
    with pytest.raises(CupysimError, match=told):
        make_plan(experiment_of(f"{SMALL} {words} -corrected"))


def test_a_panel_beside_the_beam_is_possible(renderer: Renderer) -> None:
    """Swung about the sample, beyond where the beam hits it."""
    assert image_of(renderer, f"{SMALL} -xds -twotheta 120 -corrected").min() > 0.0


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_q8_what_stays_in_place(convention: str) -> None:
    """The direct beam's pixel about the beam, the near point and its distance about the sample."""
    still, by_beam, by_sample = (
        experiment_of(f"{SMALL} -{convention} {words} -corrected Q8")
        for words in ("", f"{TURNED} -pivot beam", f"{TURNED} -pivot sample")
    )
    rest = still.geometry
    distance, spot = meeting_point(by_beam)
    assert distance == pytest.approx(0.1, rel=1e-12)
    np.testing.assert_allclose(spot, meeting_point(still)[1], rtol=1e-10)
    turned = by_sample.geometry
    assert (turned.close_fast, turned.close_slow) == pytest.approx(
        (rest.close_fast, rest.close_slow)
    )
    # the distance which is given is one along the beam, before the two-theta swing
    assert turned.close_distance < rest.close_distance


@pytest.mark.parametrize("centre", ["", "-Xbeam 9 -Ybeam 14", "-ORGX 4 -ORGY 7"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_q8_unturned_the_pivot_does_not_matter(
    convention: str, centre: str, renderer: Renderer
) -> None:
    if convention in ("xds", "dials") and "-Xbeam" in centre:
        pytest.skip("about the sample it has no effect there (Q9)")
    about = [
        image_of(renderer, f"{SMALL} -{convention} {centre} -pivot {pivot} -corrected Q8")
        for pivot in ("beam", "sample")
    ]
    renderer.assert_close(*about)


@pytest.mark.parametrize("convention", ["xds", "dials"])
def test_q9_headers_tell_the_centre_which_is_used(convention: str, run: Run) -> None:
    words = f"{SMALL} -{convention} -Xbeam 5 -Ybeam 6 -nonoise -nopgm -noprogress"
    header = run(f"{words} -corrected Q9").files["intimage.img"][:512].decode()
    assert "BEAM_CENTER_X=12;" in header
    assert "BEAM_CENTER_Y=12;" in header
    wrong = run(f"{words} -intfile wrong.img").files["wrong.img"][:512].decode()
    assert "BEAM_CENTER_X=5;" in wrong


def test_q11_puts_the_first_pixel_there(renderer: Renderer) -> None:
    """The origin of another panel, given as numbers, is that panel."""
    other = experiment_of(f"{SMALL} {TURNED}")
    origin = " ".join(f"{value:.17g}" for value in other.geometry.origin)
    words = f"{SMALL} {TURNED} -distance 77 -Xbeam 1 -pix0_vector {origin} -corrected Q10,Q11"
    experiment = experiment_of(words)
    np.testing.assert_array_equal(experiment.geometry.origin, other.geometry.origin)
    assert experiment.geometry.close_distance == pytest.approx(
        other.geometry.close_distance, rel=1e-12
    )
    renderer.assert_close(image_of(renderer, words), image_of(renderer, f"{SMALL} {TURNED}"))


def test_q11_behind_the_sample() -> None:
    with pytest.raises(CupysimError, match=r"puts its plane at a distance of -0\.1 m"):
        experiment_of(f"{SMALL} -pix0_vector -0.1 0 0 -corrected").geometry  # noqa: B018


@pytest.mark.parametrize("convention", [*CONVENTIONS, "mosflm -twotheta 8 -detector_rotx 4"])
def test_q19_every_pixel_is_at_its_arc(convention: str, renderer: Renderer) -> None:
    """Constant F and one cell leave geometry: |q| of a pixel on the fast or slow line through the
    beam is that of an arc, and every pixel has the same solid angle.
    """
    words = f"-{convention} -cell 50 -default_F 10 -N 1 -pixel 3 -detpixels 41 -oversample 1"
    words = f"{words} -curved_det -corrected Q4,Q7,Q19,Q21"
    experiment = experiment_of(f"{words} -nopolar")
    radius = experiment.geometry.distance
    image = image_of(renderer, f"{words} -nopolar")
    np.testing.assert_allclose(image, 100 * (3e-3 / radius) ** 2, rtol=1e-6)
    # Kahn's factor tells how far from the beam a pixel is: (1 + cos^2)/2 of the angle
    polarized = image_of(renderer, words) / image
    angle = np.arccos(np.sqrt(np.maximum(2 * polarized - 1, 0.0)))
    distance, spot = meeting_point(experiment)
    assert distance == pytest.approx(radius)
    fast, slow = (3e-3 * (np.arange(41) + 0.5) - edge for edge in spot)
    # along the lines of pixels next to the beam's
    row, column = int(np.argmin(np.abs(slow))), int(np.argmin(np.abs(fast)))
    for ways, line, across in (
        (fast, angle[row], slow[row]),
        (slow, angle[:, column], fast[column]),
    ):
        arcs = np.arccos(np.cos(ways / radius) * np.cos(across / radius))
        np.testing.assert_allclose(line, arcs, atol=2e-3)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_q19_is_the_flat_detector_near_the_beam(convention: str, renderer: Renderer) -> None:
    """Up to the third order of the angle: spots are where the flat detector has them."""
    words = f"-{convention} -cell 90 80 70 -N 10 -default_F 10 -misset 10 20 30 -pixel 0.1"
    words = f"{words} -detpixels 100 -distance 300 -lambda 3 -oversample 1 -corrected Q19"
    flat, bent = (image_of(renderer, f"{words} {flag}") for flag in ("", "-curved_det"))
    assert np.corrcoef(flat.ravel(), bent.ravel())[0, 1] > 0.999


def test_q20_photons_of_a_pixel(renderer: Renderer) -> None:
    """A pixel at a right angle to its ray, as large as a flat one's projection is small."""
    point = image_of(renderer, f"{SMALL} -point_pixel -corrected Q20")
    flat = image_of(renderer, SMALL)
    geometry = experiment_of(SMALL).geometry
    numbers = 2e-3 * (np.arange(12) + 0.5)
    position = (
        geometry.origin
        + numbers[:, None, None] * geometry.slow
        + numbers[None, :, None] * geometry.fast
    )
    slant = geometry.close_distance / np.linalg.norm(position, axis=-1)
    renderer.assert_close(point * slant, flat)


@pytest.mark.parametrize(
    "words", ["", "-twotheta 12", "-xds -ORGX 3 -ORGY 8 -twotheta -9", "-adxv -twotheta 5"]
)
def test_q29_an_image_tells_its_own_geometry(
    words: str, renderer: Renderer, run: Run, tmp_path: Path
) -> None:
    """What was made with a header's values is made again from that header."""
    convention = next((word for word in words.split() if word in ("-xds", "-adxv")), "")
    # round numbers, which the header's six digits hold
    options = f"{SMALL} {words} -distance 120 -lambda 1.2 -phi 3"
    assert run(f"{options} -nonoise -nopgm -noprogress").status == 0
    again = f"{BASE} {convention} -img {tmp_path / 'intimage.img'} -corrected Q29"
    first, second = (experiment_of(text).geometry for text in (options, again))
    for name in ("origin", "fast", "slow", "normal"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=5e-7)
    # and a mask's header is read alike
    masked = experiment_of(again.replace("-img", "-mask")).geometry
    np.testing.assert_array_equal(masked.origin, second.origin)


def test_q29_the_command_line_beats_the_header(run: Run, tmp_path: Path) -> None:
    assert run(f"{SMALL} -twotheta 12 -nonoise -nopgm -noprogress").status == 0
    image = f"-img {tmp_path / 'intimage.img'} -corrected Q29"
    assert experiment_of(f"{BASE} {image} -distance 50").geometry.distance_at_rest == 0.05
    still = experiment_of(f"{BASE} {image}")
    assert still.scan.sweep.count == 1
    assert still.detector.angles.twotheta == pytest.approx(math.radians(12), rel=1e-5)
