"""Structure factors for each wavelength: channels against single wavelengths, and by formula."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Beam,
    Crystal,
    CupysimError,
    Detector,
    Experiment,
    Rendering,
    StructureFactors,
    Tolerance,
    UnitCell,
    read_experiment,
    read_structure,
    simulate,
)
from cupysim.backends.rendered import Observer
from cupysim.prediction.spots import predict_spots
from cupysim.renderer import Renderer
from tests.conftest import INPUTS
from tests.gradients.changes import difference, gradient_plan

WAVELENGTHS = (1.00e-10, 1.02e-10, 1.05e-10)
SINGLE = 4e-7


def factors(seed: int) -> StructureFactors:
    rng = np.random.default_rng(seed)
    hkl = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return StructureFactors.from_list(hkl, rng.uniform(10.0, 100.0, len(hkl)))


CHANNELS = StructureFactors.at_wavelengths(
    [WAVELENGTHS[i] for i in (2, 0, 1)], [factors(i) for i in (2, 0, 1)]
)


def experiment(
    structure_factors: StructureFactors, wavelengths: tuple[float, ...] = WAVELENGTHS
) -> Experiment:
    table = np.full((len(wavelengths), 5), np.nan)
    table[:, 3], table[:, 4] = np.arange(1.0, len(wavelengths) + 1.0), wavelengths
    return Experiment(
        Beam(1.02e-10, 1e24, source_table=table),
        Crystal(
            UnitCell.from_degrees(50, 60, 70, 80, 95, 100), misset=(0.1, 0.2, 0.3),
            n_cells=(6, 5, 4),
        ),
        Detector(n_fast=24, n_slow=20, pixel_size=2e-3, distance=0.08),
        structure_factors,
        rendering=Rendering(interpolate=False, oversample=1),
    )  # fmt: skip


def test_channels_are_single_wavelengths_together(backend: str) -> None:
    """The image is the mean over sources of each one's image with its own table."""
    image = simulate(experiment(CHANNELS), backend).array.astype(np.float64)
    expected = np.zeros_like(image)
    for number, wavelength in enumerate(WAVELENGTHS):
        alone = simulate(experiment(factors(number), (wavelength,)), backend).array
        expected += (number + 1.0) / 6.0 * alone
    np.testing.assert_allclose(image, expected, rtol=SINGLE, atol=SINGLE * expected.max())


def test_what_channels_forbid_and_keep() -> None:
    """The derivative with respect to the wavelength lacks that of F; another F(000) is of all."""
    shown = replace(experiment(CHANNELS), beam=Beam(1.03e-10, 1e24))
    with pytest.raises(CupysimError, match="wavelength: structure factors change with it"):
        gradient_plan(shown, "wavelength")
    with pytest.raises(CupysimError, match="wavelength: structure factors change with it"):
        gradient_plan(shown, "misset,wavelength")
    for index in ((0, 0, 0), (12, 0, -11)):
        other = CHANNELS.with_value(index, 7.0)
        assert other.channels is not None
        place = tuple(np.array(index) - other.first)
        for channel, number in zip(other.channels, range(3), strict=True):
            assert channel[place] == 7.0
            expected = factors(number).with_value(index, 7.0).table
            np.testing.assert_array_equal(channel, expected)
        assert other.table is not None
        assert other.table[place] == 7.0
        np.testing.assert_array_equal(other.wavelengths, CHANNELS.wavelengths)


def test_sources_between_channels_are_interpolated(backend: str) -> None:
    """Linearly in the wavelength."""
    middle = 1.035e-10
    one, two = factors(1), factors(2)
    assert one.table is not None
    assert two.table is not None
    mixed = StructureFactors(0.5 * (one.table + two.table), one.first)
    expected = simulate(experiment(mixed, (middle,)), backend).array
    found = simulate(experiment(CHANNELS, (middle,)), backend).array
    np.testing.assert_allclose(found, expected, rtol=SINGLE, atol=SINGLE * expected.max())
    with pytest.raises(CupysimError, match=r"a source of 1\.1 A is beyond the wavelengths"):
        simulate(experiment(CHANNELS, (1.1e-10,)), backend)


def test_the_error_of_interpolation_is_estimated() -> None:
    """Of a quadratic function of the wavelength, one eighth of the second difference is exact."""
    grid = np.linspace(1.0e-10, 1.1e-10, 5)
    parts = [
        StructureFactors(np.full((1, 1, 1), 100.0 * (1e10 * w - 1.0) ** 2), (1, 0, 0)) for w in grid
    ]
    channels = StructureFactors.at_wavelengths(grid.tolist(), parts)
    between = 0.5 * (grid[1:] + grid[:-1])
    tables, _ = channels.tables_at(between)
    error = np.abs(tables[:, 1, 1, 1] - 100.0 * (1e10 * between - 1.0) ** 2)
    assert error.max() == pytest.approx(channels.interpolation_error, rel=1e-6)


def test_within_a_tolerance(backend: str) -> None:
    exact = simulate(experiment(CHANNELS), backend).array.astype(np.float64)
    limit = 1e-3 * float(exact.max())
    within = simulate(experiment(CHANNELS), backend, tolerance=Tolerance(limit)).array
    assert (np.abs(within - exact) <= limit * (1.0 + 1e-6)).all()


@pytest.mark.parametrize("name", ["misset_x", "cell_a", "distance", "n_a"])
def test_derivatives(backend: str, name: str) -> None:
    shown = experiment(CHANNELS)

    def photons(plan: object) -> np.ndarray:
        return Renderer(backend).differentiate(plan, Observer()).photons  # type: ignore[arg-type]

    found = Renderer(backend).differentiate(gradient_plan(shown, name), Observer())[name]
    expected, finer = (difference(photons, shown, name, part) for part in (1.0, 0.5))
    largest = np.abs(expected).max()
    smooth = np.abs(expected - finer) < 1e-8 * largest
    assert smooth.mean() > 0.7
    assert (np.abs(found - expected) < 2e-6 * largest)[smooth].all()


def test_predicted_spots_have_the_photons_of_their_channels() -> None:
    plan = Renderer("numpy").plan(experiment(CHANNELS))
    together = predict_spots(plan)
    photons = {tuple(spot[["h", "k", "l"]].item()): float(spot["photons"]) for spot in together}
    sums, seen = dict.fromkeys(photons, 0.0), dict.fromkeys(photons, 0)
    for number, wavelength in enumerate(WAVELENGTHS):
        alone = Renderer("numpy").plan(experiment(factors(number), (wavelength,)))
        for spot in predict_spots(alone):
            key = tuple(spot[["h", "k", "l"]].item())
            if key in sums:
                sums[key] += (number + 1.0) / 6.0 * float(spot["photons"])
                seen[key] += 1
    # at the image's edge, a spot may be outside with one of the wavelengths
    strong = [k for k, n in seen.items() if n == 3 and photons[k] > 0.05 * max(photons.values())]
    assert len(strong) > 10
    for key in strong:
        assert photons[key] == pytest.approx(sums[key], rel=1e-6)


def test_a_file_gives_them_back(tmp_path: Path) -> None:
    image = simulate(experiment(CHANNELS))
    image.save(tmp_path / "shot.h5")
    again = read_experiment(tmp_path / "shot.h5")
    np.testing.assert_array_equal(simulate(again).array, image.array)


@pytest.mark.parametrize(
    ("wavelengths", "change", "told"),
    [
        ((1e-10, 1e-10), {}, "positive and ascending"),
        ((1e-10, -1e-10), {}, "positive and ascending"),
        ((1e-10,), {}, "1 wavelengths and 2 tables"),
        ((1e-10, 1.1e-10), {"default": 3.0}, "the same default"),
        ((1e-10, 1.1e-10), {"table": None}, "needs a table"),
    ],
)
def test_mistakes(wavelengths: tuple[float, ...], change: dict[str, object], told: str) -> None:
    parts = [factors(0), replace(factors(1), **change)]  # type: ignore[arg-type]
    with pytest.raises(CupysimError, match=told):
        StructureFactors.at_wavelengths(wavelengths, parts)


@pytest.mark.parametrize("wavelengths", [(1.0,), (0.0,), (-1e-10,)])
def test_wavelengths_of_a_model_are_in_metres(wavelengths: tuple[float, ...]) -> None:
    with pytest.raises(CupysimError, match="must be those of X-rays, in metres"):
        read_structure("model.pdb", dmin=3e-10, wavelengths=wavelengths)


def test_anomalous_scattering_of_a_model(tmp_path: Path) -> None:
    """|F_rest + (f' + i f'') sum exp(2 pi i h.x)|, summed directly over the symmetry copies."""
    gemmi = pytest.importorskip("gemmi")
    model = tmp_path / "se.pdb"
    lines = [
        "CRYST1   20.000   30.000   40.000  90.00  90.00  90.00 P 2 2 2",
        "HETATM    1 SE   MSE A   1       3.000   4.000   5.000  0.70 12.00          SE",
        "ATOM      2  C   ALA A   2       8.000   9.000  11.000  1.00 20.00           C",
        "END",
    ]
    model.write_text("\n".join(lines) + "\n")
    wavelengths = (0.95e-10, 0.9793e-10)
    plain = read_structure(model, dmin=3e-10, solvent=False).factors
    channels = read_structure(model, dmin=3e-10, solvent=False, wavelengths=wavelengths).factors
    assert channels.channels is not None
    assert plain.table is not None
    signs = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
    cell = np.array([20.0, 30.0, 40.0])

    def copies(place: tuple[float, float, float], hkl: np.ndarray) -> complex:
        return sum(np.exp(2j * np.pi * (hkl @ (np.array(place) * s / cell))) for s in signs)

    it92 = {name: gemmi.Element(name).it92 for name in ("Se", "C")}
    for number, wavelength in enumerate(wavelengths):
        correction = complex(*gemmi.cromer_liberman(34, 12398.42e-10 / wavelength))
        for hkl in ((1, 2, 3), (-1, -2, -3), (2, 0, 1), (3, -2, 4)):
            h = np.array(hkl)
            squared = 0.25 * float(((h / cell) ** 2).sum())
            normal = 0.7 * it92["Se"].calculate_sf(squared) * np.exp(-12.0 * squared)
            total = (normal + 0.7 * correction * np.exp(-12.0 * squared)) * copies((3, 4, 5), h)
            carbon = it92["C"].calculate_sf(squared) * np.exp(-20.0 * squared)
            total += carbon * copies((8, 9, 11), h)
            place = tuple(h - np.array(channels.first))
            assert channels.channels[(number, *place)] == pytest.approx(abs(total), rel=2e-3)


def test_friedel_pairs_of_a_protein_differ() -> None:
    """Zinc or sulphur in a chiral crystal: F+ and F- differ, at its edge more than far away."""
    pytest.importorskip("gemmi")
    model = INPUTS.parents[2] / "examples" / "1orc" / "1orc.pdb"
    near, far = (
        read_structure(model, dmin=6e-10, wavelengths=(wavelength,)).factors.table
        for wavelength in (3e-10, 0.7e-10)
    )
    assert near is not None
    assert far is not None
    differences = [float(np.abs(t - t[::-1, ::-1, ::-1]).mean() / t.mean()) for t in (near, far)]
    assert differences[0] > 3.0 * differences[1] > 0.0


@pytest.mark.parametrize("interpolates", [False, True])
@pytest.mark.parametrize("wavelengths", [WAVELENGTHS, (1.05e-10, 1.0e-10), (1.01e-10, 1.04e-10)])
def test_derivatives_of_channels(
    wavelengths: tuple[float, ...], interpolates: bool, backend: str
) -> None:
    """Those with respect to F at each wavelength, of sources at channels and between them."""
    shown = experiment(CHANNELS, wavelengths)
    shown = replace(shown, rendering=replace(shown.rendering, interpolate=interpolates))
    found = Renderer(backend).differentiate(gradient_plan(shown, "structure_factors"), Observer())
    sparse = found.structure_factors
    assert sparse is not None
    channels = CHANNELS.channels
    assert channels is not None
    assert sparse.matrix.shape == (480, channels.size)
    totals = np.abs(sparse.matrix).sum(axis=0)
    used = {0, 1, 2} if len(wavelengths) == 3 or wavelengths[0] < 1.05e-10 else {0, 2}
    assert set(sparse.channels[totals > 0.0].tolist()) == used
    for number in used:
        own = np.flatnonzero(sparse.channels == number)
        column = own[np.argmax(totals[own])]
        place = number, *(sparse.hkl[column] - np.array(CHANNELS.first))
        photons = []
        for by in (1.0, -1.0):
            changed = channels.copy()
            changed[place] += by
            parts = [StructureFactors(table, CHANNELS.first) for table in changed]
            assert CHANNELS.wavelengths is not None
            other = StructureFactors.at_wavelengths(CHANNELS.wavelengths.tolist(), parts)
            plan = gradient_plan(replace(shown, structure_factors=other), "scale")
            photons.append(Renderer(backend).differentiate(plan, Observer()).photons)
        # of a square, differences of any size are exact
        expected = ((photons[0] - photons[1]) / 2.0).ravel()
        column_found = sparse.matrix[:, [column]].toarray().ravel()
        assert np.abs(expected).max() > 0.0
        np.testing.assert_allclose(column_found, expected, atol=1e-9 * np.abs(expected).max())
    # Euler's theorem: photons are of the second degree in all of them
    np.testing.assert_allclose(
        sparse.along(channels), 2.0 * found.photons, atol=1e-9 * found.photons.max()
    )
