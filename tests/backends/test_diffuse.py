"""Diffuse scattering: by formula, on all backends, its symmetry and its share of the photons."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Beam,
    Crystal,
    CupysimError,
    Detector,
    Diffuse,
    DiffuseModel,
    Experiment,
    Mosaicity,
    Rendering,
    Shape,
    StructureFactors,
    UnitCell,
    from_args,
    read_experiment,
    simulate,
)
from cupysim.maths.laue_groups import LAUE_GROUPS, rotations
from cupysim.plan.diffuse import diffuse_terms
from cupysim.plan.planning import make_plan

SINGLE = 4e-7

TAILS = 0.02
"""Share of the tails of halos beyond the neighbours, which end with the fourth power."""

ORDERS = (1, 2, 2, 2, 4, 4, 8, 3, 6, 6, 6, 12, 12, 24)
"""Proper rotations of the Laue groups 1 to 14."""

CELLS = {
    "-1": (50, 60, 70, 80, 95, 100), "2/m:c": (50, 60, 70, 90, 90, 100),
    "2/m": (50, 60, 70, 90, 100, 90), "2/m:a": (50, 60, 70, 100, 90, 90),
    "mmm": (50, 60, 70, 90, 90, 90), "4/m": (50, 50, 70, 90, 90, 90),
    "4/mmm": (50, 50, 70, 90, 90, 90), "-3": (50, 50, 70, 90, 90, 120),
    "-3m1": (50, 50, 70, 90, 90, 120), "-31m": (50, 50, 70, 90, 90, 120),
    "6/m": (50, 50, 70, 90, 90, 120), "6/mmm": (50, 50, 70, 90, 90, 120),
    "m-3": (50, 50, 50, 90, 90, 90), "m-3m": (50, 50, 50, 90, 90, 90),
}  # fmt: skip


def factors() -> StructureFactors:
    rng = np.random.default_rng(3)
    hkl = np.stack(np.meshgrid(*[np.arange(-8, 9)] * 3, indexing="ij"), -1).reshape(-1, 3)
    values = rng.uniform(0.0, 100.0, len(hkl))
    values[::7] = 0.0
    return StructureFactors.from_list(hkl, values)


def experiment(diffuse: Diffuse | None, **more: object) -> Experiment:
    return Experiment(
        Beam(1.2e-10, 1e24),
        Crystal(
            UnitCell.from_degrees(50, 60, 70, 80, 95, 100), misset=(0.1, 0.2, 0.3),
            n_cells=(6, 5, 4), diffuse=diffuse, mosaicity=Mosaicity.from_degrees(0.5, 3),
        ),
        Detector(n_fast=24, n_slow=20, pixel_size=2e-3, distance=0.08),
        factors(),
        rendering=Rendering(interpolate=False, oversample=1),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


MODEL = Diffuse((3e-9, 5e-9, 4e-9), (3e-11, 2e-11, 4e-11), "mmm", 1)
VARIANTS = {
    "liquid": MODEL,
    "nearest": replace(MODEL, neighbours=0),
    "alone": replace(MODEL, only=True),
    "rigid": Diffuse((0, 0, 0), (3e-11, 2e-11, 4e-11), "mmm", kind=DiffuseModel.RIGID),
    "rigid alone": Diffuse((0, 0, 0), (3e-11, 2e-11, 4e-11), only=True, kind=DiffuseModel.RIGID),
    "diffbragg": replace(MODEL, kind=DiffuseModel.DIFFBRAGG),
    "diffbragg hexagonal": replace(MODEL, kind=DiffuseModel.DIFFBRAGG, laue="6/mmm", neighbours=0),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_backends_agree(backend: str, variant: str) -> None:
    shown = experiment(VARIANTS[variant])
    expected = simulate(shown, "numpy").array
    found = simulate(shown, backend).array
    np.testing.assert_allclose(found, expected, rtol=SINGLE, atol=SINGLE * expected.max())
    mixed = simulate(shown, backend, precision="mixed").array
    np.testing.assert_allclose(mixed, expected, rtol=1e-6, atol=1e-6 * expected.max())
    assert not np.allclose(expected, simulate(experiment(None), "numpy").array)


def test_against_the_formula() -> None:
    """One point in reciprocal space, with vectors in the crystal's Cartesian frame."""
    shown = experiment(replace(MODEL, laue="-1"))
    plan = make_plan(shown)
    a, b, c = shown.oriented.direct
    x = a / np.linalg.norm(a)
    z = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    frame = np.stack([x, np.cross(z, x), z])
    star = np.linalg.inv(np.stack([a, b, c]))
    volume = abs(float(np.linalg.det(star))) ** -1
    h = np.array([2.2, -1.4, 3.1])
    expected = 0.0
    table = shown.structure_factors
    assert table.table is not None
    for step in itertools.product((-1, 0, 1), repeat=3):
        whole = np.round(h) + np.array(step)
        place = tuple((whole - np.array(table.first)).astype(int))
        q, dq = (frame @ star @ each for each in (whole, h - whole))
        w = 4 * np.pi**2 * float((np.array(MODEL.sigma) ** 2) @ q**2)
        width = 4 * np.pi**2 * float((np.array(MODEL.gamma) ** 2) @ dq**2)
        halo = 8 * np.pi * np.prod(MODEL.gamma) / volume / (1 + width) ** 2
        expected += float(table.table[place]) ** 2 * w * np.exp(-w) * halo * 6 * 5 * 4
    indices = tuple(np.array([each]) for each in h)
    (found,) = diffuse_terms(plan.diffuse, plan.factors, 0, 0, indices)  # type: ignore[arg-type]
    assert found == pytest.approx(expected, rel=1e-12)


def test_rigid_cells_against_random_displacements() -> None:
    """Mean over draws of the intensity of a few cells, at points between the reflections."""
    sigma = np.array([6e-11, 3e-11, 5e-11])
    rigid = Diffuse((0, 0, 0), tuple(sigma), kind=DiffuseModel.RIGID)  # type: ignore[arg-type]
    shown = replace(
        experiment(rigid), structure_factors=StructureFactors(default=1.0),
        crystal=Crystal(UnitCell.from_degrees(50, 60, 70, 80, 95, 100), n_cells=(3, 2, 4),
                        diffuse=rigid),
    )  # fmt: skip
    plan = make_plan(shown)
    a, b, c = shown.oriented.direct
    x = a / np.linalg.norm(a)
    z = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    frame = np.stack([x, np.cross(z, x), z])
    star = np.linalg.inv(np.stack([a, b, c]))
    cells = np.array(list(itertools.product(range(3), range(2), range(4))))
    rng = np.random.default_rng(8)
    draws = rng.normal(size=(20_000, len(cells), 3)) * sigma
    for h in ([4.3, -2.45, 6.2], [10.4, 3.3, 0.7]):
        q = frame @ star @ np.array(h)
        phases = cells @ np.array(h) + draws @ q
        intensity = float((np.abs(np.exp(2j * np.pi * phases).sum(axis=1)) ** 2).mean())
        w = 4.0 * np.pi**2 * float((sigma**2) @ q**2)
        lattice = np.prod([np.sin(np.pi * n * x) / np.sin(np.pi * x)
                           for n, x in zip((3, 2, 4), h, strict=True)])  # fmt: skip
        bragg = math.exp(-w) * float(lattice) ** 2
        indices = tuple(np.array([each]) for each in h)
        (found,) = diffuse_terms(plan.diffuse, plan.factors, 0, 0, indices)  # type: ignore[arg-type]
        assert 0.1 < w < 3.0
        assert found == pytest.approx(intensity - bragg, rel=0.02)


def test_rigid_cells_between_reflections() -> None:
    """F^2 is linear along an axis, and that of a reflection at its place."""
    shown = experiment(VARIANTS["rigid alone"])
    plan, table = make_plan(shown), shown.structure_factors
    assert table.table is not None
    ends = [
        table.table[tuple(np.array(hkl) - table.first)] ** 2 for hkl in ((3, -2, 4), (4, -2, 4))
    ]
    found = []
    for part in (0.0, 0.25, 0.5, 0.75):
        h = (np.array([3.0 + part]), np.array([-2.0]), np.array([4.0]))
        (term,) = diffuse_terms(plan.diffuse, plan.factors, 0, 0, h)
        constant = make_plan(replace(shown, structure_factors=StructureFactors(default=1.0)))
        (unit,) = diffuse_terms(constant.diffuse, constant.factors, 0, 0, h)
        found.append(term / unit)
    parts = np.array([0.0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(found, (1 - parts) * ends[0] + parts * ends[1], rtol=1e-12)


def test_a_halo_has_its_share_of_the_photons() -> None:
    """The integral over h of all halos of one reflection is N W exp(-W): the rest is Bragg's."""
    w, gamma = 0.3, 3e-9
    cell = UnitCell.from_degrees(50, 50, 50, 90, 90, 90)
    sigma = float(np.sqrt(w) / (2 * np.pi) * 50e-10)  # W of 1 0 0
    one = StructureFactors(np.full((1, 1, 1), 10.0), (1, 0, 0))
    crystal = Crystal(cell, n_cells=(3, 4, 5), diffuse=Diffuse((gamma,) * 3, (sigma,) * 3))
    shown = Experiment(Beam(1e-10), crystal, Detector(n_fast=2, n_slow=2), one)
    plan = make_plan(replace(shown, rendering=Rendering(interpolate=False, oversample=1)))
    plan = replace(plan, diffuse=replace(plan.diffuse, diffuse_neighbours=1))
    # a sphere of offsets, beyond which the integrand falls with the fourth power
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x, weights = 0.5 * nodes * 0.5 + 0.25, 0.25 * weights
    u = x / (0.5 - x)
    radius = 50e-10 / gamma / (2 * np.pi) * u
    jacobian = 50e-10 / gamma / (2 * np.pi) * 0.5 / (0.5 - x) ** 2
    total = 0.0
    for r, weight in zip(radius, weights * jacobian, strict=True):
        value = 8 * np.pi * gamma**3 / 125e-27 / (1 + (2 * np.pi * gamma * r / 50e-10) ** 2) ** 2
        total += weight * 4 * np.pi * r**2 * value
    assert total == pytest.approx(1.0, rel=1e-6)
    at = tuple(np.array([each]) for each in (1.1, -0.05, 0.2))
    (found,) = diffuse_terms(plan.diffuse, plan.factors, 0, 0, at)  # type: ignore[arg-type]
    r2 = (0.1**2 + 0.05**2 + 0.2**2) / (50e-10) ** 2
    value = 8 * np.pi * gamma**3 / 125e-27 / (1 + 4 * np.pi**2 * gamma**2 * r2) ** 2
    assert found == pytest.approx(60 * 100.0 * w * np.exp(-w) * value, rel=1e-9)


def test_cells_off_the_diagonal_count() -> None:
    """A domain has det(N) cells, by which halos are multiplied as the photons of spots are."""
    shown = experiment(MODEL, quirks="corrected")
    plain = make_plan(shown).diffuse.diffuse_scale
    crystal = replace(shown.crystal, shape=Shape.GAUSS, n_cells_off_diagonal=(2.0, 1.0, 0.5))
    found = make_plan(replace(shown, crystal=crystal)).diffuse.diffuse_scale
    cells = np.linalg.det([[6.0, 2.0, 0.5], [2.0, 5.0, 1.0], [0.5, 1.0, 4.0]])
    assert found / plain == pytest.approx(cells / 120.0)


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_operations_are_those_of_the_lattice(group: str) -> None:
    """They keep the cell, have the determinant 1, and are as many as the group has."""
    operations = rotations(group)
    assert len(operations) == ORDERS[list(LAUE_GROUPS).index(group)]
    cell = UnitCell.from_degrees(*map(float, CELLS[group]))
    direct = Crystal(cell).oriented().direct
    metric = direct @ direct.T
    for operation in operations:
        assert np.linalg.det(operation) == pytest.approx(1.0)
        # columns of coordinates: the metric is kept
        np.testing.assert_allclose(
            operation.T @ metric @ operation, metric, atol=1e-9 * metric.max()
        )


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_halos_have_the_symmetry(group: str) -> None:
    """At equivalent indices, terms of equal structure factors are equal."""
    cell = UnitCell.from_degrees(*map(float, CELLS[group]))
    model = replace(MODEL, laue=group)
    crystal = Crystal(cell, misset=(0.1, 0.2, 0.3), n_cells=(3, 3, 3), diffuse=model)
    shown = Experiment(
        Beam(1e-10), crystal, Detector(n_fast=2, n_slow=2), StructureFactors(default=10.0)
    )
    plan = make_plan(shown)
    h = np.array([2.2, -1.4, 3.1])
    values = []
    for operation in rotations(group):
        for sign in (1.0, -1.0):
            at = tuple(np.array([each]) for each in sign * operation.T @ h)
            values += diffuse_terms(plan.diffuse, plan.factors, 0, 0, at).tolist()  # type: ignore[arg-type]
    # a cube of neighbours in indices has no three-fold axis, so that other tails are left out
    limit = TAILS if "3" in group[:2] or "6" in group else 1e-9
    np.testing.assert_allclose(values, values[0], rtol=limit)


def test_what_it_forbids(tmp_path: Path) -> None:
    shown = experiment(MODEL)
    with pytest.warns(UserWarning, match="diffuse scattering has no upper bound"):
        within = simulate(shown, tolerance=1.0)
    np.testing.assert_array_equal(within.array, simulate(shown).array)
    image = simulate(shown)
    image.save(tmp_path / "shot.h5")
    again = simulate(read_experiment(tmp_path / "shot.h5"))
    np.testing.assert_array_equal(again.array, image.array)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gamma": (0.0, 1e-9, 1e-9)}, "gamma must be positive"),
        ({"sigma": (1e-9, 1e-9)}, "sigma"),
        ({"laue": "7/m"}, "no Laue group '7/m'"),
        ({"neighbours": 2}, "neighbours must be 0 or 1"),
        ({"kind": "solid"}, "kind"),
        ({"kind": "rigid"}, "gamma must be zeros"),
    ],
)
def test_mistakes(change: dict[str, object], told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        replace(MODEL, **change)  # type: ignore[arg-type]


def test_options() -> None:
    words = "-cell 50 60 70 90 90 90 -default_F 1 -N 5 -detpixels 8"
    shown = from_args(
        f"{words} -diffuse_gamma 30 40 50 -diffuse_sigma 0.2 0.3 0.4 -diffuse_laue mmm"
    )
    found = shown.crystal.diffuse
    assert found is not None
    assert found.gamma == pytest.approx((3e-9, 4e-9, 5e-9))
    assert found.sigma == pytest.approx((2e-11, 3e-11, 4e-11))
    assert (found.laue, found.neighbours, found.only) == ("mmm", 1, False)
    with pytest.raises(CupysimError, match="-diffuse_gamma needs -diffuse_sigma"):
        from_args(f"{words} -diffuse_gamma 30 40 50")
    with pytest.raises(CupysimError, match="-diffuse_laue needs -diffuse_gamma"):
        from_args(f"{words} -diffuse_laue mmm")
    rigid = from_args(f"{words} -diffuse_model rigid -diffuse_sigma 0.2 0.3 0.4").crystal.diffuse
    assert rigid is not None
    assert (rigid.kind, rigid.gamma) == (DiffuseModel.RIGID, (0.0, 0.0, 0.0))
    assert rigid.sigma == pytest.approx((2e-11, 3e-11, 4e-11))
    with pytest.raises(CupysimError, match="-diffuse_gamma has no effect"):
        from_args(f"{words} -diffuse_model rigid -diffuse_gamma 1 1 1 -diffuse_sigma 1 1 1")
    with pytest.raises(CupysimError, match="-diffuse_model rigid needs -diffuse_sigma"):
        from_args(f"{words} -diffuse_model rigid")
