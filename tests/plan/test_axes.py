"""The plan's axes: shots, panels, crystals and channels, stacked and apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cupysim import (
    Beam,
    Crystal,
    Detector,
    Experiment,
    Mosaicity,
    RandomStream,
    Rendering,
    Scan,
    StructureFactors,
    Sweep,
    UnitCell,
    Water,
)
from cupysim.api import from_args
from cupysim.backends.numpy.single_pixel import single_pixel
from cupysim.backends.rendered import Observer
from cupysim.backends.select import open_backend
from cupysim.errors import ModelError
from cupysim.image import Image
from cupysim.image_statistics import image_statistics
from cupysim.plan.axes import arrays_of
from cupysim.plan.joining import add_crystals, add_shots
from cupysim.plan.planning import make_plan
from cupysim.plan.render_plan import RenderPlan
from cupysim.quirks import NANOBRAGG
from cupysim.renderer import Renderer
from tests.tolerances import FLOAT32_BITS


def plan(seed: int, **changes: Any) -> RenderPlan:
    """A small plan which depends on a seed in everything that may differ between shots."""
    rng = np.random.default_rng(seed)
    axis = np.arange(-5, 6)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    experiment = Experiment(
        beam=Beam(wavelength=rng.uniform(1e-10, 2e-10), fluence=rng.uniform(1e28, 2e28)),
        crystal=Crystal(
            UnitCell.from_degrees(*rng.uniform(40, 60, 3), 90, 100, 90),
            misset=rng.uniform(-1, 1, 3),
            n_cells=tuple(rng.integers(1, 6, 3)),
            mosaicity=Mosaicity.draw(0.02, 3, RandomStream(seed)),
        ),
        detector=Detector(n_fast=9, n_slow=7, pixel_size=3e-3, distance=rng.uniform(0.05, 0.1)),
        structure_factors=StructureFactors.from_list(hkl, 10.0 + (hkl @ [3.0, 2.0, 1.0]) ** 2),
        scan=Scan(0.0, Sweep(0.02, 0.01, 2)),
        water=Water(rng.uniform(1e-7, 2e-7)),
        rendering=Rendering(oversample=2, interpolate=False),
        quirks=NANOBRAGG,
    )
    return replace(make_plan(experiment), **changes)


def stacked(parts: list[Any], axis: int) -> Any:
    """Tables whose arrays are joined along an axis where they have it."""
    changes = {}
    for name, value in vars(parts[0]).items():
        if isinstance(value, np.ndarray) and value.ndim > axis:
            changes[name] = np.concatenate([getattr(part, name) for part in parts], axis=axis)
    return replace(parts[0], **changes)


def render(backend: str, what: RenderPlan) -> np.ndarray:
    return open_backend(backend).render(what, Observer()).image


def test_shots(backend: str) -> None:
    plans = [plan(seed) for seed in (1, 2, 3)]
    sources = stacked([p.sources for p in plans], 0)
    # these belong to all shots
    sources = replace(sources, channel=plans[0].sources.channel)
    panels = replace(stacked([p.panels for p in plans], 0), bend=plans[0].panels.bend)
    together = replace(
        plans[0],
        shape=(3, *plans[0].shape[1:]),
        background=np.concatenate([p.background for p in plans]),
        ray_background=np.concatenate([p.ray_background for p in plans]),
        photons_per_squared_electron=np.concatenate(
            [p.photons_per_squared_electron for p in plans]
        ),
        panels=panels,
        sources=sources,
        crystals=stacked([p.crystals for p in plans], 0),
        amorphous=replace(plans[0].amorphous, molecules=np.empty((3, 0))),
        diffuse=stacked([p.diffuse for p in plans], 0),
    )
    rendered = open_backend(backend).render(together, Observer())
    for shot, single in enumerate(plans):
        alone = open_backend(backend).render(single, Observer())
        np.testing.assert_array_equal(rendered.image[shot], alone.image[0])
        np.testing.assert_array_equal(rendered.omega_sum[shot], alone.omega_sum[0])
        assert rendered.n_rendered[shot] == alone.n_rendered[0] == 63
    # statistics are those of the first image alone
    first = open_backend(backend).render(plans[0], Observer())
    whole, single = (image_statistics(*each, NANOBRAGG) for each in
                     ((together, rendered), (plans[0], first)))  # fmt: skip
    assert whole == single


def test_panels(backend: str) -> None:
    first, second = plan(1), plan(2)
    # the second plan differs in its detector alone
    second = replace(first, panels=second.panels)
    joined = {
        name: np.concatenate([getattr(p.panels, name) for p in (first, second)], axis=1)
        for name in arrays_of(type(first.panels))
    }
    mask = np.random.default_rng(3).random((2, 7, 9)) < 0.7
    together = replace(first, shape=(1, 2, 7, 9), mask=mask, panels=replace(first.panels, **joined))
    image = render(backend, together)[0]
    for panel, single in enumerate((first, second)):
        alone = render(backend, replace(single, mask=mask[panel : panel + 1]))[0, 0]
        # the very first sweep (quirk Q3) is the first panel's
        start = 0 if panel == 0 else 1
        np.testing.assert_array_equal(image[panel].reshape(-1)[start:], alone.reshape(-1)[start:])


def test_crystals_add_up(backend: str) -> None:
    plans = [replace(plan(seed), background=np.zeros(1), has_background=False) for seed in (1, 2)]
    plans[1] = replace(plans[0], crystals=plans[1].crystals)
    together = replace(plans[0], crystals=stacked([p.crystals for p in plans], 1))
    parts = sum(render(backend, single).astype(np.float64) for single in plans)
    np.testing.assert_allclose(render(backend, together), parts, rtol=3 * FLOAT32_BITS)


def test_channels(backend: str) -> None:
    """Sources of different wavelength may use different structure factors."""
    beam = Beam(dispersion=Sweep(0.02, 0.02, 2))
    base = plan(1)
    experiment_sources = beam.sources(Detector().placed().frame)
    tables = np.concatenate([base.factors.table, 3.0 * base.factors.table])

    def with_sources(chosen: list[int], channels: list[int]) -> RenderPlan:
        return replace(
            base,
            n_steps=1,
            background=np.zeros(1),
            sources=replace(
                base.sources,
                incident=experiment_sources.incident[None, chosen],
                wavelength=experiment_sources.wavelengths[None, chosen],
                weight=np.ones((1, len(chosen))),
                channel=np.array(channels),
                kahn=np.zeros((1, len(chosen))),
                polarization_axis=np.ones((1, len(chosen), 3)),
                polarized=False,
            ),
            crystals=replace(base.crystals, first_cell=None),
            factors=replace(base.factors, table=tables),
        )

    together = render(backend, with_sources([0, 1], [0, 1]))
    parts = render(backend, with_sources([0], [0])).astype(np.float64)
    parts = parts + 9.0 * render(backend, with_sources([1], [0]))
    np.testing.assert_allclose(together, parts, rtol=3 * FLOAT32_BITS)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: replace(p, background=np.zeros(2)),
        lambda p: replace(p, shape=(2, *p.shape[1:])),
        lambda p: replace(p, sources=replace(p.sources, channel=np.zeros(3))),
    ],
)
def test_shapes_must_fit(wrong: Callable[[RenderPlan], RenderPlan]) -> None:
    with pytest.raises(ModelError):
        wrong(plan(1))


def test_channels_must_exist() -> None:
    base = plan(1)
    with pytest.raises(ModelError, match="channel of structure factors that does not exist"):
        replace(base, sources=replace(base.sources, channel=base.sources.channel + 1))


def test_several_shots_are_refused_where_only_one_is_known() -> None:
    two = add_shots([plan(1), plan(1)])
    rendered = Renderer("numpy").render_plan(two)
    for use in (
        lambda: Image(from_args("-cell 40 -default_F 1 -N 1"), two, rendered),
        lambda: single_pixel(two, 0, 0),
    ):
        with pytest.raises(ModelError, match="2 shots; it is possible for one shot at a time"):
            use()


def test_plans_whose_arrays_do_not_fit_are_refused() -> None:
    """By errors which python -O leaves in."""
    base = plan(1)
    with pytest.raises(ModelError, match="with 1 shots, but background has 2"):
        replace(base, background=np.zeros(2))
    two = np.repeat(base.sources.incident, 2, axis=0)
    others = {name: np.ones((2, 1)) for name in ("wavelength", "weight", "kahn")}
    others["polarization_axis"] = np.ones((2, 1, 3))
    sources = replace(base.sources, incident=two, **others)
    with pytest.raises(ModelError, match="incident has 2 shots, but the image has 1"):
        replace(base, sources=sources)
    with pytest.raises(ModelError, match=r"n_cells has the shape \(1, 1\); its axes are shots"):
        replace(base, crystals=replace(base.crystals, n_cells=np.ones((1, 1))))


def test_crystals_of_different_kinds_have_their_own_plans() -> None:
    base = plan(1)
    fudge = replace(base, crystals=replace(base.crystals, fudge=2.0))
    factors = replace(base, factors=replace(base.factors, table=2.0 * base.factors.table))
    joined = add_crystals([base, base, fudge, factors, factors])
    assert [part.crystals.n_crystals for part in joined.parts] == [2, 1, 2]
    assert all(part.has_background is False for part in joined.further)


def test_crystals_of_different_beams_are_refused() -> None:
    """What a shot has once is never taken from one of its crystals without a word."""
    base = plan(1)
    wavelength = replace(base.sources, wavelength=2.0 * base.sources.wavelength)
    distance = replace(base.panels, close_distance=2.0 * base.panels.close_distance)
    for other in (replace(base, sources=wavelength), replace(base, panels=distance)):
        with pytest.raises(ModelError, match="the same beam, detector and sub-pixels"):
            add_crystals([base, other])
