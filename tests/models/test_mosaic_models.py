"""Mosaic models: moments and shares by formula, derivatives by differences, convergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cupysim import (
    Crystal,
    CupysimError,
    CupysimWarning,
    Mosaicity,
    UnitCell,
    from_args,
    render_gradients,
    simulate,
)
from cupysim.models.mosaic_model import Distribution, MosaicModel, cartesian_axes, edge_axes
from tests.conftest import Run

MANY = 20000
"""Domains for moments; a set of low discrepancy has them within 1e-3."""

MOMENT = 3e-3
"""Relative difference of a moment from its formula."""

SLOPE = 1e-5
"""Of the largest derivative: differences, and tables of the distributions."""

OBLIQUE = np.array([[50.0, 0.0, 0.0], [-20.0, 60.0, 0.0], [10.0, 5.0, 70.0]])

MODELS = {
    "diffbragg": ("diffbragg", (0.01,), np.eye(3)),
    "diffbragg of three": ("diffbragg", (0.01, 0.02, 0.005), edge_axes(OBLIQUE)),
    "normal": ("normal", (0.3,), np.eye(3)),
    "normal of three": ("normal", (0.01, 0.02, 0.005), cartesian_axes(OBLIQUE)),
    "normal of six": (
        "normal", (0.01, 0.02, 0.005, 0.003, -0.002, 0.001), cartesian_axes(OBLIQUE),
    ),
    "cap": ("cap", (0.4,), np.eye(3)),
    "fisher": ("fisher", (0.4,), np.eye(3)),
}  # fmt: skip


def model_of(name: str, n_domains: int, seed: int | None = None) -> MosaicModel:
    kind, spreads, axes = MODELS[name]
    return MosaicModel(Distribution(kind), spreads, n_domains, axes, seed)


def test_the_report_knows_three_spreads(run: Run) -> None:
    words = "-cell 30 -default_F 5 -detpixels 8 -nonoise -nopgm -mosaic_dom 6"
    outcome = run(f"{words} -domain_model normal -spread_abc 1 2 0.5")
    assert "no mosaic spread specified" not in outcome.out
    assert "created a total of 6 mosaic domains" in outcome.out
    assert "no mosaic spread specified" in run(words).out


@pytest.mark.parametrize("name", MODELS)
def test_the_mean_rotation_is_none(name: str) -> None:
    vectors = model_of(name, 60).vectors()
    assert np.abs(vectors.sum(axis=0)).max() < 1e-12
    rotations = Mosaicity.of(model_of(name, 60)).rotations
    mean = rotations.mean(axis=0)
    np.testing.assert_allclose(mean, mean.T, atol=1e-15)


@pytest.mark.parametrize("name", MODELS)
def test_derivatives_of_rotations(name: str) -> None:
    """Central differences of the rotations themselves."""
    mosaicity = Mosaicity.of(model_of(name, 60))
    for number, slope in enumerate(mosaicity.slopes()):
        step = 1e-5 * abs(mosaicity.spreads[number])
        low, high = (mosaicity.changed(number, by).rotations for by in (-step, step))
        difference = (high - low) / (2.0 * step)
        assert np.abs(slope - difference).max() < SLOPE * np.abs(slope).max()


@pytest.mark.parametrize("seed", [None, 5])
def test_covariance_of_normal_rotations(seed: int | None) -> None:
    """Rotation vectors are E z, with independent z: their covariance is E E."""
    model = model_of("normal of six", MANY, seed)
    a, b, c, ab, bc, ac = model.spreads
    matrix = np.array([[a, ab, ac], [ab, b, bc], [ac, bc, c]])
    expected = model.axes.T @ matrix @ matrix @ model.axes
    vectors = model.vectors()
    found = vectors.T @ vectors / MANY
    # the variance of a variance is 2/n of its square; random sets have half as many free vectors
    limit = MOMENT if seed is None else 5.0 * math.sqrt(4.0 / MANY)
    assert np.abs(found - expected).max() < limit * expected.max()


def test_shares_of_a_cap() -> None:
    """The share of rotations by less than a is (a - sin a)/(s - sin s)."""
    model = MosaicModel(Distribution.CAP, (2.0,), MANY)
    angles = np.linalg.norm(model.vectors(), axis=1)
    for a in (0.3, 1.0, 1.5, 1.9):
        expected = (a - math.sin(a)) / (2.0 - math.sin(2.0))
        assert (angles < a).mean() == pytest.approx(expected, abs=1e-3)


def test_a_cap_of_all_rotations_is_uniform() -> None:
    """Rotated vectors are even over the sphere: their second moments are 1/3."""
    rotations = Mosaicity.of(MosaicModel(Distribution.CAP, (math.pi,), MANY)).rotations
    turned = rotations @ np.array([0.3, -0.5, math.sqrt(0.66)])
    np.testing.assert_allclose(turned.T @ turned / MANY, np.eye(3) / 3.0, atol=2e-3)


def test_fisher_is_normal_for_small_spreads_and_even_for_large_ones() -> None:
    small = MosaicModel(Distribution.FISHER, (0.01,), MANY).vectors()
    np.testing.assert_allclose(
        small.T @ small / MANY, 1e-4 * np.eye(3), atol=1e-4 * MOMENT, rtol=0.0
    )
    spread = 1.5
    angles = np.linalg.norm(MosaicModel(Distribution.FISHER, (spread,), MANY).vectors(), axis=1)
    k = 4.0 / spread**2
    weights = np.linspace(0.0, math.pi, 20001)
    density = np.exp(k * np.cos(weights / 2.0)) * np.sin(weights / 2.0) ** 2
    expected = (np.cos(weights / 2.0) * density).sum() / density.sum()
    assert np.cos(angles / 2.0).mean() == pytest.approx(expected, abs=2e-3)


def test_even_sets_converge_faster_than_random_ones() -> None:
    """The mean of a spot's profile over domains, against its analytic value."""

    def error(n: int, seed: int | None) -> float:
        vectors = MosaicModel(Distribution.NORMAL, (1.0,), n, seed=seed).vectors()
        # a Gaussian of width 1 of the turn about z has the mean 1/sqrt(2)
        return abs(float(np.exp(-0.5 * vectors[:, 2] ** 2).mean()) - 1.0 / math.sqrt(2.0))

    for n in (100, 1000, 10000):
        random = math.sqrt(np.mean([error(n, seed) ** 2 for seed in range(30)]))
        assert error(n, None) < 0.25 * random


def test_domains_of_simtbx_begin_with_the_identity() -> None:
    domains = Mosaicity.simtbx(0.01, 5)
    np.testing.assert_array_equal(domains.rotations[0], np.eye(3))
    angles = np.linalg.norm(Rotation.from_matrix(domains.rotations).as_rotvec(), axis=1)
    assert angles.max() <= 0.01 * (1 + 1e-6)
    np.testing.assert_array_equal(domains.rotations, Mosaicity.simtbx(0.01, 5, -12345678).rotations)


@pytest.mark.parametrize(
    ("kind", "spreads", "n_domains", "told"),
    [
        ("cap", (0.1, 0.2, 0.3), 10, "cap has 1 spreads, got 3"),
        ("normal", (0.1, 0.2), 10, "normal has 1 or 3 or 6 spreads, got 2"),
        ("normal", (0.1,), 11, "the number must be even"),
        ("normal", (0.0,), 10, "spreads must be positive"),
        ("cap", (4.0,), 10, "at most 180 degrees"),
        ("normal", (float("nan"),), 10, "spreads"),
        ("uniform", (0.1,), 10, "distribution"),
        ("normal", 0.1, 10, "spreads must be a sequence"),
    ],
)
def test_mistakes(kind: str, spreads: Sequence[float], n_domains: int, told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        MosaicModel(kind, spreads, n_domains)  # type: ignore[arg-type]


def test_mistakes_of_axes_and_seeds() -> None:
    model = model_of("diffbragg of three", 10)
    with pytest.raises(CupysimError, match="axes must be three independent vectors"):
        replace(model, axes=np.ones((3, 3)))
    with pytest.raises(CupysimError, match="seed must not be negative"):
        model_of("normal", 10, -1)
    with pytest.raises(CupysimError, match="mosaicity must be a Mosaicity"):
        Crystal(UnitCell.from_degrees(50, 60, 70, 90, 90, 90), mosaicity=model)  # type: ignore[arg-type]


def test_options() -> None:
    words = "-cell 50 60 70 80 95 100 -misset 10 20 30 -default_F 1 -N 5 -detpixels 8"
    found = from_args(f"{words} -domain_model diffbragg -spread_abc 0.1 0.2 0.3 -mosaic_dom 20")
    mosaicity = found.crystal.mosaicity
    assert mosaicity.n_domains == 20
    np.testing.assert_allclose(np.degrees(mosaicity.spreads), (0.1, 0.2, 0.3))
    assert mosaicity.domain_model is not None
    edges = found.oriented.direct
    lengths = np.linalg.norm(edges, axis=1, keepdims=True)
    np.testing.assert_allclose(mosaicity.domain_model.axes, edges / lengths, atol=1e-12)
    simtbx = from_args(f"{words} -domain_model simtbx -mosaic 0.5 -mosaic_dom 7")
    expected = Mosaicity.simtbx(math.radians(0.5), 7).rotations
    np.testing.assert_array_equal(simtbx.crystal.mosaicity.rotations, expected)
    for more, told in (
        ("-spread_abc 1 1 1", "-spread_abc needs -domain_model"),
        ("-domain_model normal -spread_off_diagonal 1 1 1", "needs -spread_abc"),
        ("-domain_model normal -spread_abc 1 1 1 -mosaic 1", "give one of them"),
        ("-domain_model cap -spread_abc 1 1 1", "cap has 1 spreads"),
        ("-domain_model normal -mosaic 1 -mosaic_dom 7", "must be even"),
    ):
        with pytest.raises(CupysimError, match=told):
            from_args(f"{words} {more}")


def test_a_changed_spread_is_that_of_the_model() -> None:
    mosaicity = Mosaicity.of(model_of("normal of three", 40))
    other = mosaicity.changed(1, 0.01)
    assert other.domain_model is not None
    assert mosaicity.domain_model is not None
    assert other.spreads == pytest.approx((0.01, 0.03, 0.005))
    expected = replace(mosaicity.domain_model, spreads=(0.01, 0.03, 0.005)).vectors()
    np.testing.assert_allclose(other.domain_model.vectors(), expected, atol=1e-15)


@pytest.mark.parametrize("model", ["normal", "diffbragg"])
def test_axes_turn_with_the_spindle(model: str) -> None:
    """Spindle and missetting angles about one axis are the same; a scan has those of its middle."""
    words = "-cell 50 60 70 -default_F 9 -N 9 -detpixels 24 -pixel 4 -distance 80 -oversample 1"
    words += f" -domain_model {model} -spread_abc 4 0.3 0.6 -mosaic_dom 20 -corrected"
    still, turned = from_args(f"{words} -phi 40"), from_args(f"{words} -misset 0 0 40")
    np.testing.assert_allclose(still.mosaicity.rotations, turned.mosaicity.rotations, atol=1e-12)
    expected = simulate(turned).array
    np.testing.assert_allclose(simulate(still).array, expected, rtol=1e-4, atol=1e-9)
    middle = from_args(f"{words} -phi 38.5 -osc 3 -phisteps 3").mosaicity
    np.testing.assert_allclose(middle.rotations, turned.mosaicity.rotations, atol=1e-12)
    with pytest.raises(CupysimError, match="phi: the axes of the mosaic spreads turn with it"):
        render_gradients(still, "phi")
    with pytest.warns(CupysimWarning, match="axes of its spreads are those in the middle"):
        simulate(from_args(f"{words} -osc 20 -phisteps 3"))
