"""Cells that vary among domains: images are means over crystals of single cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import (
    Crystal,
    CupysimError,
    CupysimWarning,
    Experiment,
    Mosaicity,
    MosaicModel,
    Renderer,
    UnitCell,
    from_args,
    render_gradients,
    simulate,
)
from cupysim.backends.parts import differentiate_parts
from cupysim.backends.rendered import Observer
from cupysim.backends.select import open_backend
from cupysim.maths.mosaic_sets import low_discrepancy, normal_triples
from cupysim.parity.traces.pixel_trace import trace_pixel
from cupysim.plan.gradient_plan import GradientPlan
from tests.conftest import Run
from tests.gradients.changes import difference, gradient_plan
from tests.tolerances import FLOAT32_BITS

WORDS = (
    "-cell 50 60 70 80 95 100 -misset 10 20 30 -default_F 10 -N 6 -detpixels 16 -pixel 2 "
    "-oversample 2 -corrected"
)
FINE = "-pixel 0.3 -detpixels 120 -N 12 -Xbeam 0 -Ybeam 0"
SPREADS = (0.01, 0.02, 0.005)
SPREAD_WORDS = "-spread_edges 1 2 0.5"


def of_cells(experiment: Experiment, backend: str) -> np.ndarray:
    """Mean of images of crystals, each with the cell and the rotation of one domain."""
    changes = normal_triples(experiment.crystal.mosaicity.n_domains) * SPREADS
    images = []
    for change, rotation in zip(changes, experiment.mosaicity.rotations, strict=True):
        cell = experiment.crystal.cell
        assert cell is not None
        a, b, c = (x * (1.0 + e) for x, e in zip(cell.lengths_angstrom, change, strict=True))
        # the same directions of the edges: the strained crystal, then its rotation
        direct = experiment.lattice.direct * (1.0 + change)[:, None] @ rotation.T
        single = Crystal(
            UnitCell((a, b, c), cell.angles), np.linalg.inv(direct).T, n_cells=(6, 6, 6)
        )
        images.append(simulate(replace(experiment, crystal=single), backend).array)
    return np.mean(np.array(images, dtype=np.float64), axis=0)


@pytest.mark.parametrize("mosaic", ["-mosaic_dom 8", "-mosaic 1 -mosaic_dom 6"])
def test_an_image_is_the_mean_over_cells(mosaic: str, backend: str) -> None:
    experiment = from_args(f"{WORDS} {mosaic} {SPREAD_WORDS}")
    assert experiment.crystal.cell_spreads == pytest.approx(SPREADS)
    image, expected = simulate(experiment, backend).array, of_cells(experiment, backend)
    largest = expected.max()
    np.testing.assert_allclose(image, expected, rtol=1e-5, atol=1e-5 * largest)
    plain = simulate(from_args(f"{WORDS} {mosaic}"), backend).array
    assert np.abs(plain - image).max() > 0.05 * largest


def test_edges_turn_with_the_crystal(backend: str) -> None:
    """A spindle angle is a missetting angle about the same axis."""
    words = f"{WORDS} -mosaic_dom 8 {SPREAD_WORDS}".replace("-misset 10 20 30", "")
    turned = simulate(from_args(f"{words} -phi 40"), backend).array
    expected = simulate(from_args(f"{words} -misset 0 0 40"), backend).array
    np.testing.assert_allclose(turned, expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize("mosaic", ["", "-mosaic 1", "-mosaic 1 -domain_model normal"])
def test_a_rotation_is_the_mean_of_stills(mosaic: str, backend: str) -> None:
    """Edges vary along the cell, which turns: also in a wide scan."""
    words = f"{WORDS} -mosaic_dom 6 {mosaic} {SPREAD_WORDS}"
    turned = simulate(from_args(f"{words} -phi 5 -osc 60 -phisteps 3"), backend).array
    stills = [simulate(from_args(f"{words} -phi {phi}"), backend).array for phi in (15, 35, 55)]
    expected = np.mean(np.array(stills, dtype=np.float64), axis=0)
    np.testing.assert_allclose(turned, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_without_a_correction_of_the_orientation_at_zero(backend: str) -> None:
    """Only then, the edges are those in the middle of the scan, and a wide scan warns."""
    words = f"{WORDS} -mosaic_dom 4 {SPREAD_WORDS}".replace("-corrected", "")
    with pytest.warns(CupysimWarning, match="axes of its spreads"):
        simulate(from_args(f"{words} -phi -6 -osc 18 -phisteps 3"), backend)


def test_a_renderer_that_is_used_again(backend: str) -> None:
    model = MosaicModel("normal", (0.002,), 16)
    crystal = replace(from_args(WORDS).crystal, mosaicity=Mosaicity.of(model))
    plain = replace(from_args(WORDS), crystal=crystal)
    spread = replace(plain, crystal=replace(crystal, cell_spreads=(0.02, 0.01, 0.03)))
    expected = [simulate(each, backend).array for each in (spread, plain)]
    with Renderer(backend) as renderer:
        images = [image.array for image in renderer.batch([spread, plain])]
    np.testing.assert_array_equal(images, expected)


def test_traces_show_each_domain(run: Run) -> None:
    words = f"{WORDS} -mosaic_dom 4 {SPREAD_WORDS} -osc 2 -phisteps 2"
    outcome = run(f"trace {words} --pixel 3 4 --step phi=1,domain=1,subpixel=0,0")
    assert outcome.status == 0
    assert "phi_angle = 0.0261799387799149 rad" in outcome.out


def test_within_a_tolerance(backend: str) -> None:
    words = f"{WORDS} -mosaic_dom 20 {SPREAD_WORDS} {FINE} -pixel 0.1 -oversample 1"
    experiment = from_args(f"{words} -gauss_xtal -N 30")
    exact = simulate(experiment, backend).array.astype(np.float64)
    found = simulate(experiment, backend, tolerance="1e-3peak")
    lacking = exact - found.array
    assert 0.0 < lacking.max() <= (1e-3 + FLOAT32_BITS) * exact.max()
    assert found.rendered.culled is not None
    assert found.rendered.culled.share < 0.3


def test_predicted_spots_follow_the_cells() -> None:
    experiment = from_args(f"{WORDS} -mosaic_dom 30 {SPREAD_WORDS} {FINE}")
    image = simulate(experiment)
    strongest = image.spots[image.spots["photons"] > 0.2 * image.spots["photons"].max()]
    for spot in strongest:
        fast, slow = int(spot["fast"]), int(spot["slow"])
        near = image.array[max(slow - 4, 0) : slow + 5, max(fast - 4, 0) : fast + 5]
        assert near.max() > 3.0 * np.median(image.array)


def test_deviates_are_normal_and_independent_of_rotations() -> None:
    deviates = normal_triples(4096)
    np.testing.assert_allclose(deviates.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(deviates.std(axis=0), 1.0, rtol=1e-12)
    for few in (6, 10, 50, 4096):
        np.testing.assert_allclose(np.corrcoef(normal_triples(few).T), np.eye(3), atol=1e-9)
    assert (np.abs(deviates) > 2.0).mean() == pytest.approx(0.0455, abs=0.003)
    points = low_discrepancy(2048)
    for part in (deviates[::2], deviates[1::2]):
        assert np.abs(np.corrcoef(part.T, points.T)[:3, 3:]).max() < 0.05


def test_mistakes() -> None:
    for words in ("20 1 1", "-1 1 1"):
        with pytest.raises(CupysimError, match="-spread_edges: spreads must be from 0 to 10 %"):
            from_args(f"{WORDS} -mosaic_dom 4 -spread_edges {words}")
    with pytest.raises(CupysimError, match=r"cell_spreads must be from 0 to 0\.1"):
        replace(from_args(f"{WORDS} -mosaic_dom 4").crystal, cell_spreads=(0.2, 0.0, 0.0))
    with pytest.raises(CupysimError, match="several mosaic domains"):
        Crystal(UnitCell.from_degrees(50, 60, 70, 90, 90, 90), cell_spreads=SPREADS)
    assert Mosaicity.aligned(5).n_domains == 5


def test_the_report_tells_what_nanobragg_lacks(run: Run) -> None:
    words = f"{WORDS} -mosaic_dom 4 {SPREAD_WORDS} -spread_abc 1 2 3 -domain_model normal"
    out = run(f"{words} -spectrum tophat,1 -spectrum_samples 5 -background water,0.1").out
    assert "  edges of the cell vary by 1 2 0.5 %" in out
    assert "  mosaic spreads about axes of the crystal: 1 2 3 degrees" in out
    assert "  spectrum of 5 wavelengths from " in out
    assert "  background: 0.1 mm of " in out


def test_traces_number_angles_and_domains() -> None:
    words = f"{WORDS} -mosaic 1 -mosaic_dom 4 -domain_model normal -osc 2 -phisteps 3"
    experiment = from_args(f"{words} {SPREAD_WORDS}")
    choice = {"sub_slow": 0, "sub_fast": 1, "phi": 2, "domain": 3}
    trace = trace_pixel(experiment, 3, 4, choice)
    setup = {value.name: value.numbers for value in trace.setup}
    assert (setup["n_phi"], setup["n_domains"]) == ((3.0,), (4.0,))
    (step,) = trace.steps
    assert {name: step.where[name] for name in choice} == choice
    found = {value.name: np.array(value.numbers) for value in step.values}
    assert found["phi_angle"] == pytest.approx(experiment.spindle_angles[2:])
    rotation = experiment.mosaicity.rotations[3]
    np.testing.assert_array_equal(found["mosaic_rotation"], rotation.ravel())
    change = 1.0 + normal_triples(4)[3] * SPREADS
    turn = found["phi_rotation"].reshape(3, 3)
    strained = 1e-10 * experiment.lattice.direct * change[:, None]
    expected = strained @ turn.T @ rotation.T
    cell = np.array([found[name] for name in "abc"])
    np.testing.assert_allclose(cell, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["distance", "wavelength", "beam_fast", "n_a", "scale"])
@pytest.mark.parametrize("scan", ["", "-osc 3 -phisteps 2"])
def test_derivatives_that_do_not_turn_the_lattice(name: str, scan: str, backend: str) -> None:
    experiment = from_args(f"{WORDS} -mosaic 0.5 -mosaic_dom 6 {SPREAD_WORDS} {scan}")

    def photons(plan: GradientPlan) -> np.ndarray:
        opened = open_backend(backend)
        return differentiate_parts(opened, plan, Observer(), False).photons

    found = render_gradients(experiment, name, backend=backend).values[0]
    expected = photons(gradient_plan(experiment, "scale")) if name == "scale" \
        else difference(photons, experiment, name)  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
