"""Derivatives with respect to structure factors, of images that are sums of several parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cupysim import (
    Body,
    BodyForm,
    Decay,
    Diffuse,
    DiffuseModel,
    Experiment,
    FurtherCrystal,
    SizeSpread,
    StructureFactors,
    render_gradients,
)
from tests.corrected.rendering import experiment_of

PROMISED = 1e-9
"""Of the largest value. Photons are a quadratic form of F, so differences are exact but for
rounding."""

WORDS = (
    "-cell 50 50 70 90 90 90 -misset 10 20 30 -detpixels 12 -pixel 3 -lambda 1.3 -distance 80 -N 4 "
    "-fluence 1e24 -oversample 2 -default_F 3 -mosaic 1 -mosaic_dom 2 -corrected"
)
LENGTHS = {"gamma": (1.1e-9, 0.7e-9, 1.6e-9), "sigma": (0.5e-10, 0.3e-10, 0.6e-10)}
RADIUS = 8
BODY = Body(BodyForm.BOX, (3e-5, 2e-5, 4e-5), attenuation=2e3)


EDGE = np.arange(-RADIUS, RADIUS + 1)
HKL = np.stack(np.meshgrid(EDGE, EDGE, EDGE, indexing="ij"), -1).reshape(-1, 3)


def random_factors(seed: int) -> StructureFactors:
    rng = np.random.default_rng(seed)
    return StructureFactors.from_list(HKL, rng.uniform(5.0, 20.0, len(HKL)))


def symmetric_factors(frequency: float) -> StructureFactors:
    """With a fourfold axis along c."""
    h, k, l = HKL.T
    return StructureFactors.from_list(HKL, 5.0 + 3.0 * np.cos(h**2 + k**2 + frequency * l))


def of(words: str, **changes: object) -> Callable[[], Experiment]:
    """Make an experiment, with changes of its crystal."""

    def make() -> Experiment:
        plain = experiment_of(f"{WORDS} {words}")
        crystal = replace(plain.crystal, **changes)
        return replace(plain, crystal=crystal, structure_factors=random_factors(2))

    return make


def with_settings() -> Experiment:
    experiment = of("-nointerpolate -gauss_xtal", settings="4/m", n_cells=(3, 2, 4))()
    return replace(experiment, structure_factors=symmetric_factors(0.7))


def with_decay() -> Experiment:
    experiment = of("-nointerpolate -osc 1 -phisteps 2 -water 0.01")()
    return replace(experiment, decay=Decay(3e6, half_dose=5e6), body=BODY)


def with_crystals(own: bool) -> Callable[[], Experiment]:
    """A second crystal, with the same or its own structure factors."""

    def make() -> Experiment:
        experiment = of("-nointerpolate")()
        second = replace(experiment.crystal.with_misset(10.0, 50.0, 0.0), scale=0.4)
        factors = random_factors(5) if own else None
        return replace(experiment, further_crystals=(FurtherCrystal(second, factors),))

    return make


EXPERIMENTS = {
    "liquid": of("-nointerpolate", diffuse=Diffuse(**LENGTHS, laue="mmm")),
    "interpolated": of("-interpolate", diffuse=Diffuse(**LENGTHS, neighbours=1)),
    "diffuse alone": of("-nointerpolate", diffuse=Diffuse(**LENGTHS, only=True, neighbours=1)),
    "diffbragg": of(
        "-nointerpolate -water 0.01",
        diffuse=Diffuse(**LENGTHS, kind=DiffuseModel.DIFFBRAGG, neighbours=1, laue="4/m"),
    ),
    "rigid": of(
        "-nointerpolate -detector_abs 500 -detector_thick 450 -thicksteps 2",
        diffuse=Diffuse(
            (0.0, 0.0, 0.0), LENGTHS["sigma"], kind=DiffuseModel.RIGID, laue="-3", only=True
        ),
    ),
    "sizes": of("-nointerpolate", sizes=SizeSpread(0.3, 3)),
    "settings": with_settings,
    "decay": with_decay,
    "crystals that share": with_crystals(own=False),
    "crystals of their own": with_crystals(own=True),
}


@pytest.mark.parametrize("case", EXPERIMENTS)
def test_random_changes(case: str, backend: str) -> None:
    experiment = EXPERIMENTS[case]()
    factors = experiment.structure_factors
    assert factors.table is not None
    found = render_gradients(experiment, "structure_factors", backend=backend)
    assert found.structure_factors is not None
    slopes = np.random.default_rng(3).uniform(-1.0, 1.0, factors.table.shape)
    if case == "settings":
        slopes = symmetric_factors(0.3).table
        assert slopes is not None
    sides = [
        render_gradients(
            replace(
                experiment,
                structure_factors=replace(factors, table=factors.table + sign * 0.1 * slopes),
            ),
            "scale",
            backend=backend,
        ).photons
        for sign in (1.0, -1.0)
    ]
    expected = (sides[0] - sides[1]) / 0.2
    assert np.abs(expected).max() > 0.0
    found_slopes = found.structure_factors.along(slopes)
    apart = np.abs(found_slopes - expected).max()
    assert apart <= PROMISED * np.abs(found.photons).max(), apart / np.abs(expected).max()


def test_parts_of_the_sum(backend: str) -> None:
    """Photons of the reflections alone, of both, and of the halos alone have the same relation."""
    both = EXPERIMENTS["liquid"]()
    diffuse = both.crystal.diffuse
    assert diffuse is not None
    matrices = []
    for each in (None, diffuse, replace(diffuse, only=True)):
        experiment = replace(both, crystal=replace(both.crystal, diffuse=each))
        found = render_gradients(experiment, "structure_factors", backend=backend)
        assert found.structure_factors is not None
        matrices.append(found.structure_factors.matrix)
    spots, total, halos = matrices
    assert abs(halos).max() > 0.0
    assert abs(total - spots - halos).max() <= 1e-12 * abs(total).max()


def test_a_further_crystal_with_its_own_factors_adds_none(backend: str) -> None:
    several = EXPERIMENTS["crystals of their own"]()
    found, alone = (
        render_gradients(each, "structure_factors,scale", backend=backend)
        for each in (several, several.only_crystal(1))
    )
    assert found.structure_factors is not None
    assert alone.structure_factors is not None
    assert (found.photons > alone.photons).any()
    difference = found.structure_factors.matrix - alone.structure_factors.matrix
    assert abs(difference).max() == 0.0
