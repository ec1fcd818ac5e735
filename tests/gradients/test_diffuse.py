"""Derivatives of images with diffuse scattering: against differences, by hand, and each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cupysim import Diffuse, DiffuseModel, Experiment, Gradients, simulate
from cupysim.backends.rendered import Observer
from cupysim.backends.select import available_backends
from cupysim.errors import ModelError
from cupysim.models.diffuse_parameters import GAMMA, OF_DIFFUSE, SIGMA
from cupysim.models.parameters import GROUPS
from cupysim.plan.gradient_plan import GradientPlan
from cupysim.refine.fit import refine
from cupysim.refine.free_parameters import free_parameters
from cupysim.refine.observation import Observation
from cupysim.refine.settings import Settings
from cupysim.renderer import Renderer
from tests.conftest import INPUTS
from tests.corrected.rendering import experiment_of
from tests.gradients.changes import STEPS, difference, gradient_plan

PROMISED = 1e-6
"""Of the largest value of a derivative: what is promised."""

AGREEMENT = 5e-9
"""Of two backends, which have other series where the slopes of sines cancel."""

WORDS = (
    "-cell 50 60 70 80 95 100 -misset 10 20 30 -detpixels 9 -pixel 3 -lambda 1.3 -distance 80 -N 4 "
    "-fluence 1e24 -oversample 1 -corrected"
)
TABLE = f"-hkl {INPUTS / 'orc.hkl'} -nodump -nointerpolate"
LENGTHS = {"gamma": (1.1e-9, 0.7e-9, 1.6e-9), "sigma": (0.5e-10, 0.3e-10, 0.6e-10)}

MODELS = {
    "liquid": Diffuse(**LENGTHS),
    "neighbours": Diffuse(**LENGTHS, neighbours=1, laue="mmm"),
    "alone": Diffuse(**LENGTHS, only=True, laue="2/m"),
    "diffbragg": Diffuse(**LENGTHS, kind=DiffuseModel.DIFFBRAGG, laue="4/mmm"),
    "diffbragg neighbours": Diffuse(
        **LENGTHS, kind=DiffuseModel.DIFFBRAGG, neighbours=1, laue="6/m", only=True
    ),
    "rigid": Diffuse((0.0, 0.0, 0.0), LENGTHS["sigma"], kind=DiffuseModel.RIGID, laue="-3"),
}
KINDS = {
    "constant F": "-default_F 10",
    "table": TABLE,
    "mosaic": f"{TABLE} -mosaic 1 -mosaic_dom 3 -osc 1 -phisteps 2 -twotheta 9",
    "sensor": "-default_F 10 -detector_abs 500 -detector_thick 450 -thicksteps 2 -water 0.001",
    "Gaussian spots": "-default_F 10 -gauss_xtal -off_diagonal_cells 0.7 -0.3 0.5 -dmin 2",
    "wavelengths": f"{TABLE} -dispersion 2 -dispsteps 2 -polar 0.9 -oversample 2",
}
GEOMETRY = (*GROUPS["misset"], *GROUPS["cell"], "phi", "wavelength", "distance", "rotation_x")


def experiment_with(model: str, kind: str = "constant F") -> Experiment:
    experiment = experiment_of(f"{WORDS} {KINDS[kind]}")
    return replace(experiment, crystal=replace(experiment.crystal, diffuse=MODELS[model]))


def names_of(experiment: Experiment) -> list[str]:
    names = [*GEOMETRY, *GROUPS["n_cells"], *SIGMA, "fluence"]
    diffuse = experiment.crystal.diffuse
    assert diffuse is not None
    if diffuse.kind is not DiffuseModel.RIGID:
        names += GAMMA
    if experiment.crystal.mosaicity.spread:
        names.append("mosaic_spread")
    if experiment.crystal.shape == "gauss":
        names += GROUPS["n_cells_off_diagonal"]
    return names


def differentiate(backend: str, experiment: Experiment, names: str) -> Gradients:
    return Renderer(backend).differentiate(gradient_plan(experiment, names), Observer())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_differences(model: str, kind: str) -> None:
    """Central differences of the photons."""
    backend = "host" if "host" in available_backends() else "numpy"
    experiment = experiment_with(model, kind)
    names = names_of(experiment)

    def photons(plan: GradientPlan) -> np.ndarray:
        return Renderer(backend).differentiate(plan, Observer()).photons

    found = differentiate(backend, experiment, ",".join(names))
    for name in names:
        expected, finer = (difference(photons, experiment, name, part) for part in (1.0, 0.5))
        largest, noise = np.abs(expected).max(), 1e-13 * found.photons.max() / STEPS[name]
        # where the nearest reflection changes on the way, there is a jump
        exists = np.abs(expected - finer) <= 0.01 * PROMISED * largest + noise
        assert exists.mean() > 0.8, name
        limit = PROMISED * largest + noise
        assert (np.abs(found[name] - expected) <= limit)[exists].all(), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("other", [name for name in available_backends() if name != "numpy"])
def test_backends_agree(other: str, model: str, kind: str) -> None:
    experiment = experiment_with(model, kind)
    names = ",".join([*names_of(experiment), "scale"])
    reference, found = (differentiate(name, experiment, names) for name in ("numpy", other))
    for name in reference.names:
        largest = np.abs(reference[name]).max()
        assert np.abs(found[name] - reference[name]).max() <= AGREEMENT * largest, name
    np.testing.assert_allclose(found.photons, reference.photons, rtol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_photons_are_those_of_the_image(model: str, backend: str) -> None:
    """The parts for reflections and for diffuse scattering add up to the image."""
    experiment = experiment_with(model, "sensor")
    found = differentiate(backend, experiment, "scale")
    image = simulate(experiment, backend=backend).array
    np.testing.assert_allclose(found.photons, image, rtol=1e-6)


@pytest.mark.parametrize("model", ["liquid", "diffbragg", "rigid"])
def test_turned_crystals(model: str, backend: str) -> None:
    """Halos turn with the crystal, except for those of diffBragg, whose axes are the laboratory's.

    If the crystal turns about the beam together with the detector, the image does not change.
    """
    words = experiment_of(f"{WORDS} {KINDS['constant F']} -nopolar -misset 0 0 0")
    at_rest = replace(
        words, crystal=replace(words.crystal, diffuse=replace(MODELS[model], only=True))
    )
    # the beam is along x; a turn of the crystal by misset_x equals one of the detector
    found = differentiate(backend, at_rest, "misset_x,rotation_x")
    total = found["misset_x"] + found["rotation_x"]
    largest = np.abs(found["misset_x"]).max()
    assert largest > 0.0
    if model == "diffbragg":
        assert np.abs(total).max() > 0.01 * largest
    else:
        assert np.abs(total).max() < 1e-9 * largest


def test_sigma_by_hand(backend: str) -> None:
    """Far below 1, W is proportional to sigma^2, and halos are too."""
    experiment = experiment_with("alone")
    tiny = replace(MODELS["alone"], sigma=(1e-14, 1e-14, 1e-14))
    found = differentiate(
        backend,
        replace(experiment, crystal=replace(experiment.crystal, diffuse=tiny)),
        "diffuse_sigma",
    )
    total = sum(found[name] * 1e-14 for name in SIGMA)
    np.testing.assert_allclose(total, 2.0 * found.photons, rtol=1e-6)


def test_gamma_of_very_wide_halos(backend: str) -> None:
    """Far below the distance of reflections, halos are constant: photons follow the volume."""
    experiment = experiment_with("alone")
    wide = replace(MODELS["alone"], gamma=(1e-14, 1e-14, 1e-14))
    found = differentiate(
        backend,
        replace(experiment, crystal=replace(experiment.crystal, diffuse=wide)),
        "diffuse_gamma",
    )
    for name in GAMMA:
        np.testing.assert_allclose(found[name] * 1e-14, found.photons, rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "names", "message"),
    [
        ("rigid", "diffuse_gamma", "without correlation lengths"),
    ],
)
def test_what_has_no_derivatives(model: str, names: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        gradient_plan(experiment_with(model, "table"), names)


def test_without_diffuse_scattering() -> None:
    with pytest.raises(ModelError, match="no diffuse scattering"):
        gradient_plan(experiment_of(f"{WORDS} -default_F 10"), "diffuse_sigma_x")


def test_a_fit_finds_lengths_and_displacements() -> None:
    bright = experiment_of(f"{WORDS} {TABLE} -detpixels 60 -pixel 1 -fluence 1e32")
    experiment = replace(bright, crystal=replace(bright.crystal, diffuse=MODELS["liquid"]))
    image = simulate(experiment).array.astype(np.float64)
    start = replace(MODELS["liquid"], gamma=(1.3e-9, 0.6e-9, 1.4e-9), sigma=(0.4e-10,) * 3)
    found = refine(
        replace(experiment, crystal=replace(experiment.crystal, diffuse=start)),
        Observation(image, np.ones(image.shape, dtype=bool)),
        free_parameters("diffuse_gamma,diffuse_sigma"),
        Renderer().differentiate,
        Settings(),
    )
    assert found.converged, found.reason
    diffuse = found.experiment.crystal.diffuse
    assert diffuse is not None
    np.testing.assert_allclose(diffuse.gamma, LENGTHS["gamma"], rtol=1e-3)
    np.testing.assert_allclose(diffuse.sigma, LENGTHS["sigma"], rtol=1e-3)
    assert set(OF_DIFFUSE) == {*GAMMA, *SIGMA}
