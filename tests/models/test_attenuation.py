"""What weakens scattered photons: formulas of the literature, and images pixel by pixel."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

from cupysim import (
    Beamstop,
    Campaign,
    CupysimError,
    CupysimWarning,
    Experiment,
    FlightPath,
    FurtherCrystal,
    Renderer,
    Slab,
    Sphere,
    StructureFactors,
    fit,
    from_args,
    named_detector,
    render_gradients,
    simulate,
)
from cupysim.formats import nexus
from cupysim.maths.absorption import LARGEST_SPHERE, slab_transmission, sphere_transmission
from cupysim.models.parameters import changed
from cupysim.models.sensor import attenuation
from cupysim.plan.attenuation import compute_fractions
from tests.conftest import Run
from tests.tolerances import FLOAT32_BITS

WORDS = (
    "-cell 50 60 70 80 95 100 -misset 10 20 30 -default_F 30 -N 6 -detpixels 24 -pixel 3 "
    "-distance 50 -oversample 2 -water 0.2 -fluence 1e26 -corrected"
)
QUADRATURE = 2e-4
"""Sphere's quadrature and interpolation between angles."""


@pytest.mark.parametrize("radius", [1e-4, 0.1, 1.0, 2.5])
def test_sphere_forward_and_backward(radius: float) -> None:
    """Closed forms of the International Tables C, 6.3.3, for scattering angles 0 and 180."""
    found = sphere_transmission(radius, np.array([1.0, -1.0]))
    exponent = math.exp(-2.0 * radius) * (0.5 + radius + radius**2)
    forward = 1.5 / radius**3 * (0.5 - exponent) if radius > 0.01 else 1.0 - 1.5 * radius
    double = 1.0 - (1.0 + 4.0 * radius) * math.exp(-4.0 * radius)
    backward = 0.75 / radius * (0.5 - double / (16.0 * radius**2))
    if radius < 0.01:
        backward = 1.0 - 1.5 * radius
    np.testing.assert_allclose(found, [forward, backward], rtol=QUADRATURE)


def test_spheres_that_absorb_too_much() -> None:
    """The quadrature is good up to a limit; beyond it there is no sphere."""
    exponent = math.exp(-2.0 * LARGEST_SPHERE) * (0.5 + LARGEST_SPHERE + LARGEST_SPHERE**2)
    expected = 1.5 / LARGEST_SPHERE**3 * (0.5 - exponent)
    found = sphere_transmission(LARGEST_SPHERE, np.array([1.0]))
    assert found[0] == pytest.approx(expected, rel=6e-4)
    Sphere(2.0 * LARGEST_SPHERE, 1.0)
    with pytest.raises(CupysimError, match="sphere: attenuation times radius must be at most 5"):
        Sphere(2.01 * LARGEST_SPHERE, 1.0)


def test_sphere_at_right_angles() -> None:
    """A Monte Carlo integral over the volume."""
    points = np.random.default_rng(1).uniform(-1.0, 1.0, (2_000_000, 3))
    x, _, z = points[(points**2).sum(axis=1) < 1.0].T
    square = (points[(points**2).sum(axis=1) < 1.0] ** 2).sum(axis=1)
    paths = z + np.sqrt(1.0 - square + z**2) - x + np.sqrt(1.0 - square + x**2)
    expected = np.exp(-1.3 * paths).mean()
    assert sphere_transmission(1.3, np.array([0.0]))[0] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("cosine", [1.0, 0.999999999, 0.7, 0.1, -0.1, -0.6, -1.0])
@pytest.mark.parametrize("thickness", [0.0, 0.3, 2.0])
def test_slab(cosine: float, thickness: float) -> None:
    def passed(z: float) -> float:
        out = (1.0 - z) / cosine if cosine > 0.0 else -z / cosine
        return math.exp(-thickness * (z + out))

    expected = integrate.quad(passed, 0.0, 1.0, epsabs=0.0, epsrel=1e-12)[0]
    found = slab_transmission(thickness, np.array([cosine]))[0]
    assert found == pytest.approx(expected, rel=1e-6)


def angles(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Scattering angles and distances (m) of the centres of the pixels, from the geometry."""
    panel = experiment.flat_panels[0]
    slow, fast = np.mgrid[: panel.n_slow, : panel.n_fast] + 0.5
    place = panel.position(fast, slow)
    distance = np.linalg.norm(place, axis=-1)
    return np.arccos(place @ experiment.frame.beam / distance), distance


ATTENUATORS = [
    (FlightPath(3.0), lambda angle, distance: np.exp(-3.0 * distance)),
    (Slab(2e3, 2e-4), lambda angle, _: slab_transmission(0.4, np.cos(angle))),
    (Sphere(2e3, 1e-3), lambda angle, _: sphere_transmission(1.0, np.cos(angle))),
]


@pytest.mark.parametrize(("attenuator", "expected"), ATTENUATORS)
def test_images_are_weakened_pixel_by_pixel(attenuator, expected, backend: str) -> None:  # type: ignore[no-untyped-def]
    plain = from_args(WORDS)
    weak = replace(plain, attenuators=(attenuator,))
    image, whole = simulate(weak, backend).array, simulate(plain, backend).array
    fraction = expected(*angles(plain))
    assert fraction.max() < 0.95
    np.testing.assert_allclose(image, whole * fraction, rtol=4.0 * FLOAT32_BITS)


def test_several_attenuators_multiply(backend: str) -> None:
    plain = from_args(WORDS)
    kinds = [attenuator for attenuator, _ in ATTENUATORS]
    single = [simulate(replace(plain, attenuators=(each,)), backend).array for each in kinds]
    whole = simulate(plain, backend).array
    together = simulate(replace(plain, attenuators=kinds), backend).array
    expected = whole.astype(np.float64)
    for image in single:
        expected *= image / whole.astype(np.float64)
    np.testing.assert_allclose(together, expected, rtol=4.0 * FLOAT32_BITS)


def test_the_shadow_of_a_beamstop(backend: str) -> None:
    """Its area on the detector, and pixels far from its edge."""
    plain = replace(from_args(f"{WORDS} -default_F 1"), attenuators=())
    stopped = replace(plain, attenuators=(Beamstop(0.02, 0.008),))
    image, whole = simulate(stopped, backend).array, simulate(plain, backend).array
    angle, _ = angles(plain)
    radius, edge = np.tan(angle) * 0.05, 0.05 * 0.004 / 0.02
    assert (image[radius < edge - 3e-3] == 0.0).all()
    np.testing.assert_array_equal(image[radius > edge + 3e-3], whole[radius > edge + 3e-3])
    ratio = np.where(whole > 0.0, image / np.where(whole > 0.0, whole, 1.0), 1.0)
    area = (1.0 - ratio).sum() * 0.003**2
    assert area == pytest.approx(math.pi * edge**2, rel=0.01)
    partly = replace(plain, attenuators=(Beamstop(0.02, 0.008, transmission=0.25),))
    inside = radius < edge - 3e-3
    np.testing.assert_allclose(
        simulate(partly, backend).array[inside], 0.25 * whole[inside], rtol=FLOAT32_BITS
    )


def test_a_beamstop_without_a_shadow(backend: str) -> None:
    """Behind the detector, beside it, and between the points of the pixels."""
    plain = from_args(WORDS)
    whole = simulate(plain, backend).array
    for stop in (Beamstop(0.06, 0.02), Beamstop(0.02, 1e-6)):
        with pytest.warns(CupysimWarning, match="has no shadow on the detector"):
            image = simulate(replace(plain, attenuators=(stop,)), backend).array
        np.testing.assert_array_equal(image, whole)


def test_nothing_arrives() -> None:
    dark = replace(from_args(WORDS), attenuators=(FlightPath(1e6),))
    with pytest.warns(CupysimWarning, match="flight path or beamstop absorb all photons"):
        assert not simulate(dark).array.any()


def test_materials_at_several_wavelengths() -> None:
    """The coefficient is the mean over the photons of the beam."""
    pytest.importorskip("xraydb")
    words = "-cell 50 -default_F 1 -N 3 -detpixels 9 -pixel 4 -lambda 1 -corrected"
    with pytest.warns(CupysimWarning, match="air at the wavelengths of the beam differs"):
        two = from_args(f"{words} -spectrum two-colour,20,0.01 -flight_path air")
    (path,) = two.attenuators
    assert isinstance(path, FlightPath)
    wavelengths, shares = two.sources.wavelengths, two.sources.brightness
    each = [attenuation("air", wavelength) for wavelength in wavelengths.tolist()]
    assert path.attenuation == pytest.approx(np.average(each, weights=shares), rel=1e-12)
    assert abs(path.attenuation / attenuation("air", 1e-10) - 1.0) > 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("error", CupysimWarning)
        from_args(f"{words} -spectrum gaussian,0.1 -flight_path air")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"attenuators": None}, "experiment: attenuators must be a sequence of Beamstop or"),
        ({"attenuators": (1.0,)}, "experiment: attenuators must be a sequence of Beamstop or"),
        ({"further_crystals": None}, "further_crystals must be a sequence of FurtherCrystal"),
        ({"further_crystals": ("a",)}, "further_crystals must be a sequence of FurtherCrystal"),
    ],
)
def test_wrong_types(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        replace(from_args(WORDS), **wrong)  # type: ignore[arg-type]


def test_impossible_numbers() -> None:
    with pytest.raises(CupysimError, match="slab: attenuation times thickness"):
        Slab(1e200, 1e200)
    with pytest.raises(CupysimError, match="flight path: attenuation must not be negative"):
        FlightPath(-1.0)


def test_derivatives_are_weakened(backend: str) -> None:
    plain = from_args(WORDS)
    weak = replace(plain, attenuators=(Slab(2e3, 2e-4), Beamstop(0.02, 0.004)))
    fraction = simulate(weak).plan.fractions
    assert fraction is not None
    some, whole = (render_gradients(each, "misset, scale", backend) for each in (weak, plain))
    np.testing.assert_allclose(some.photons, whole.photons * fraction[0], rtol=FLOAT32_BITS)
    np.testing.assert_allclose(some.values, whole.values * fraction[0], rtol=1e-6, atol=1e-9)
    for name in ("distance", "beam_fast"):
        with pytest.raises(CupysimError, match="the shadow of a beamstop has an edge"):
            render_gradients(weak, name, backend)


def test_panels_crystals_and_tolerances(backend: str) -> None:
    plain = from_args(f"{WORDS} -water 0 -gauss_xtal -N 20 -pixel 0.3 -oversample 1")
    second = FurtherCrystal(plain.crystal.with_misset(40, 50, 60))
    plain = replace(plain, further_crystals=(second,))
    weak = replace(plain, attenuators=(FlightPath(3.0),))
    exact, found = simulate(weak, backend), simulate(weak, backend, tolerance=1e-3)
    assert found.rendered.culled is not None
    assert (exact.array - found.array).max() <= 1e-3
    assert exact.array.max() == pytest.approx(0.86 * simulate(plain, backend).array.max(), rel=0.02)
    panels = replace(from_args(WORDS), detector=named_detector("jungfrau-1m", 0.1))
    weak_panels = replace(panels, attenuators=(FlightPath(3.0),))
    image, whole = (simulate(each, backend).array for each in (weak_panels, panels))
    assert image.shape == whole.shape
    middle = [panel.position(panel.n_fast / 2, panel.n_slow / 2) for panel in panels.flat_panels]
    for number, place in enumerate(middle):
        at = number, image.shape[1] // 2, image.shape[2] // 2
        expected = whole[at] * math.exp(-3.0 * float(np.linalg.norm(place)))
        assert image[at] == pytest.approx(expected, rel=1e-3)


def test_spots_have_the_photons_that_arrive() -> None:
    plain = from_args(f"{WORDS} -water 0 -pixel 0.3 -detpixels 100 -N 20")
    weak = replace(plain, attenuators=(FlightPath(3.0), Beamstop(0.05, 0.005)))
    spots, all_spots = simulate(weak).spots, simulate(plain).spots
    by_index = {(s["h"], s["k"], s["l"]): s["photons"] for s in all_spots}
    for spot in spots[:20]:
        whole = by_index[spot["h"], spot["k"], spot["l"]]
        assert 0.8 * whole < spot["photons"] < 0.87 * whole
    assert len(spots) < len(all_spots)


def test_files_and_traces(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("xraydb")
    words = f"{WORDS} -absorption slab,water,0.5 -flight_path air -beamstop 20 4"
    outcome = run(f"{words} -h5file a.h5 -provenance p.json")
    assert outcome.status == 0
    image = outcome.float_image(24, 24)
    again = nexus.read(tmp_path / "a.h5").experiment
    assert [type(each) for each in again.attenuators] == [Slab, FlightPath, Beamstop]
    np.testing.assert_array_equal(simulate(again).array, image)
    assert run(f"rerun {tmp_path / 'p.json'}").status == 0
    traced = run(f"trace {words} --pixel 3 4 --strongest").out
    last = traced.splitlines()[-1]
    assert last.startswith("TRACE: transmitted_photons = ")
    assert float(last.split()[3]) == pytest.approx(image[4, 3], rel=1e-6)
    assert run(f"{words} -printout -backend numpy").status == 9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-absorption cube,water,1", "expected slab,MATERIAL,MM or sphere,MATERIAL,MM"),
        ("-absorption slab,water,thick", "expected slab"),
        ("-absorption sphere,Pb,1", "-absorption: attenuation times radius must be at most 5"),
        ("-absorption slab,unobtainium,1", "-absorption: material"),
        ("-flight_path unobtainium", "-flight_path: material"),
        ("-beamstop 20 0", "-beamstop: diameter must be positive"),
        ("-beamstop -20 1", "-beamstop: distance must not be negative"),
        ("-beamstop 20 1 -curved_det -N 3", "not possible with a curved detector"),
    ],
)
def test_mistakes(words: str, told: str, run: Run) -> None:
    pytest.importorskip("xraydb")
    outcome = run(f"{WORDS} {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert told in outcome.err


def test_blanks_in_a_sample(run: Run) -> None:
    pytest.importorskip("xraydb")
    image = run(f"{WORDS} -absorption slab,water,0.5").float_image(24, 24)
    words = [*WORDS.split(), "-floatfile", "b.bin", "-absorption", " slab, water, 0.5"]
    spaced = run(words).float_image(24, 24, "b.bin")
    np.testing.assert_array_equal(spaced, image)


def test_batches_and_other_detectors(backend: str) -> None:
    """Shots with the same attenuators share a launch; others have their own fractions."""
    first = replace(from_args(WORDS), attenuators=(FlightPath(3.0),))
    turned = replace(first, crystal=first.crystal.with_misset(1, 2, 3))
    farther = replace(from_args(f"{WORDS} -distance 80"), attenuators=(FlightPath(3.0),))
    other = replace(first, attenuators=(FlightPath(5.0),))
    plain = replace(first, attenuators=())
    wanted = [first, turned, farther, other, plain, first]
    with Renderer(backend) as renderer:
        images = [image.array for image in renderer.batch(wanted)]
    for image, experiment in zip(images, wanted, strict=True):
        np.testing.assert_array_equal(image, simulate(experiment, backend).array)


def test_fits_know_the_fractions() -> None:
    weak = from_args(f"{WORDS} -fluence 1e29 -water 0")
    weak = replace(weak, attenuators=(Slab(2e3, 2e-4), Beamstop(0.02, 0.004)))
    counts = simulate(weak).counts(np.random.default_rng(2))
    found = fit(changed(weak, "misset_x", 2e-3), counts, "misset, scale", search=0.0)
    assert found.converged
    assert np.degrees(found.experiment.crystal.misset) == pytest.approx([10, 20, 30], abs=3e-3)
    place = found.names.index("scale")
    assert abs(found.values[place] - 1.0) < 4.0 * found.sigmas[place] < 0.05


def test_campaigns_of_varying_wavelength(tmp_path: Path) -> None:
    pytest.importorskip("xraydb")
    words = "-cell 50 -default_F 30 -N 6 -detpixels 16 -pixel 2 -corrected"
    absorbing = "-flight_path air -detector_thick 300 -detector_abs 500"
    for option in (absorbing, "-beamstop 20 4"):
        campaign = {
            "campaign": {"shots": 2},
            "base": {"arguments": f"{words} {option}"},
            "vary": {
                "orientation": "uniform",
                "wavelength": {"uniform": [0.99, 1.01], "mode": "times"},
            },
        }
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Campaign(campaign, tmp_path / option[1:4])
        texts = [str(each.message) for each in caught]
        told = ["coefficients of the flight path and the sensor stay" in text for text in texts]
        assert any(told) == (option == absorbing)


def test_campaigns(tmp_path: Path) -> None:
    words = "-cell 50 60 70 -default_F 30 -N 6 -detpixels 16 -pixel 2 -beamstop 20 4 -corrected"
    (tmp_path / "a.toml").write_text(
        f'[campaign]\nshots = 3\n[base]\narguments = "{words}"\n[vary]\norientation = "uniform"\n'
        "[output]\nexpected = true\ncounts = false\n"
    )
    campaign = Campaign(tmp_path / "a.toml", tmp_path / "out").run()
    for number in range(3):
        (shot,) = campaign.shot(number)
        expected = simulate(shot).array
        assert (expected == 0.0).any()
        np.testing.assert_allclose(campaign.image(number), expected, rtol=FLOAT32_BITS)


def test_derivatives_with_respect_to_structure_factors_are_weakened(backend: str) -> None:
    rng = np.random.default_rng(2)
    hkl = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    factors = StructureFactors.from_list(hkl, rng.uniform(5.0, 20.0, len(hkl)))
    words = "-cell 30 32 34 -default_F 1 -N 4 -detpixels 16 -pixel 4 -corrected"
    plain = replace(from_args(words), structure_factors=factors)
    weak = replace(plain, attenuators=(FlightPath(5.0), Slab(2e3, 2e-4)))
    found = render_gradients(weak, "structure_factors", backend=backend).structure_factors
    assert found is not None
    slopes = rng.uniform(-1.0, 1.0, 11**3)
    change = 1e-4 * slopes.reshape(11, 11, 11)
    assert factors.table is not None
    sides = [
        render_gradients(
            replace(weak, structure_factors=replace(factors, table=factors.table + sign * change)),
            "scale", backend=backend,
        ).photons
        for sign in (1.0, -1.0)
    ]  # fmt: skip
    expected = (sides[0] - sides[1]) / 2e-4
    np.testing.assert_allclose(found.along(slopes), expected, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["distance", "beam_fast", "twotheta", "rotation_y"])
def test_derivatives_with_respect_to_the_geometry(name: str, backend: str) -> None:
    """Also the fractions change with the place of the detector."""
    plain = from_args(f"{WORDS} -water 0.01 -twotheta 10")
    weak = replace(plain, attenuators=(FlightPath(20.0), Slab(3e3, 2e-4), Sphere(2e3, 2e-4)))
    found = render_gradients(weak, name, backend=backend).values[0]
    step = 1e-7
    sides = []
    for sign in (1.0, -1.0):
        moved = changed(weak, name, sign * step)
        raw = render_gradients(replace(moved, attenuators=()), "scale", backend=backend).photons
        # the fractions in double precision
        sides.append(raw * compute_fractions(moved, np.float64)[0])
    expected = (sides[0] - sides[1]) / (2.0 * step)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    without = render_gradients(replace(weak, attenuators=()), name, backend=backend).values[0]
    fraction = compute_fractions(weak, np.float64)[0]
    # the part of the fractions is not negligible
    assert np.abs(found - without * fraction).max() > 1e-4 * np.abs(found).max()


def test_derivatives_of_fractions_stay_exact_within_a_tolerance(backend: str) -> None:
    weak = replace(from_args(WORDS), attenuators=(FlightPath(20.0),))
    exact = render_gradients(weak, "distance", backend=backend)
    within = render_gradients(weak, "distance", backend=backend, tolerance=10.0)
    np.testing.assert_array_equal(within.values, exact.values)
    assert within.limits is None


@pytest.mark.parametrize("sample", [Slab(3e3, 1e-4), Sphere(3e3, 2e-4)])
def test_derivatives_with_respect_to_the_size_of_an_absorber(
    sample: Slab | Sphere, backend: str
) -> None:
    """Differences of fractions, and thin samples: -mu (1 + 1/cos)/2 and -3 mu/4 ahead."""
    plain = from_args(f"{WORDS} -water 0.01")
    experiment = replace(plain, attenuators=(FlightPath(2.0), sample))
    found = render_gradients(experiment, "absorption_size", backend=backend)
    thick, thin = (
        render_gradients(changed(experiment, "absorption_size", by), "scale", backend=backend)
        for by in (1e-6, -1e-6)
    )
    expected = (thick.photons - thin.photons) / 2e-6
    largest = np.abs(expected).max()
    assert expected.max() < 0.0
    np.testing.assert_allclose(found.values[0], expected, atol=1e-3 * largest)
    is_slab = isinstance(sample, Slab)
    smaller = replace(sample, thickness=1e-8) if is_slab else replace(sample, diameter=1e-8)
    (panel,) = plain.flat_panels
    rows, columns = np.meshgrid(
        np.arange(panel.n_slow) + 0.5, np.arange(panel.n_fast) + 0.5, indexing="ij"
    )
    position = panel.position(columns, rows)
    cosine = position @ plain.frame.beam / np.linalg.norm(position, axis=-1)
    slope = -3e3 * (0.5 * (1.0 + 1.0 / cosine) if is_slab else 0.75)
    tiny = render_gradients(
        replace(plain, attenuators=(smaller,)), "absorption_size", backend=backend
    )
    np.testing.assert_allclose(tiny.values[0] / tiny.photons, slope, rtol=2e-3)
