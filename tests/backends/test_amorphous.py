"""Amorphous matter: by formula, on all backends, with derivatives, within a tolerance, in files."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import (
    Amorphous,
    Beam,
    Crystal,
    CupysimError,
    CupysimWarning,
    Detector,
    Experiment,
    Mosaicity,
    Quirks,
    Rendering,
    StructureFactors,
    UnitCell,
    from_args,
    material,
    read_experiment,
    simulate,
)
from cupysim.backends.rendered import Observer
from cupysim.constants import AVOGADRO, CLASSICAL_ELECTRON_RADIUS_SQUARED
from cupysim.maths.stol_interpolation import interpolate
from cupysim.models.background import Beyond
from cupysim.refine.free_parameters import gradient_plan as fitted_plan
from cupysim.renderer import Renderer
from tests.gradients.changes import STEPS, difference, gradient_plan

SINGLE = 2e-7
"""Relative: images are rounded to float32."""

AGREEMENT = 1e-12
"""Of two backends in double precision, relative to the maximum."""

TABLE = np.array([[0.0, 3.0], [0.05, 2.5], [0.1, 6.0], [0.2, 4.0], [0.3, 4.5]])


def matter(thickness: float = 1e-4, **more: object) -> Amorphous:
    return Amorphous(1e10 * TABLE[:, 0], TABLE[:, 1], thickness, 1e6, 18.0, **more)  # type: ignore[arg-type]


def experiment(*backgrounds: Amorphous, spots: float = 0.0, **more: object) -> Experiment:
    return Experiment(
        Beam(1.2e-10, 1e24, 0.4),
        Crystal(
            UnitCell.from_degrees(50, 60, 70, 80, 95, 100), misset=(0.1, 0.2, 0.3),
            n_cells=(4, 4, 4), mosaicity=Mosaicity.from_degrees(1.0, 3),
        ),
        Detector(n_fast=9, n_slow=8, pixel_size=4e-3, distance=0.08),
        StructureFactors(default=spots),
        backgrounds=backgrounds,
        rendering=Rendering(oversample=2, interpolate=False),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_against_the_formula(backend: str) -> None:
    """r_e^2 Phi molecules/m^2 sum of F^2 K Omega, in one pixel after the other."""
    shown = experiment(matter())
    image = simulate(shown, backend).array
    geometry, frame = shown.geometry, shown.frame
    molecules = 1e-4**3 * 1e6 * AVOGADRO / 18.0
    for slow, fast in ((0, 0), (3, 4), (7, 8)):
        total = 0.0
        for part in range(4):
            s, f = (4e-3 * (n + 0.25 + 0.5 * k) for n, k in ((slow, part // 2), (fast, part % 2)))
            place = geometry.origin + f * geometry.fast + s * geometry.slow
            airpath = float(np.linalg.norm(place))
            d = place / airpath
            stol = float(np.linalg.norm(d - frame.beam)) / 1.2e-10 / 2.0
            factor = interpolate(TABLE[:, 0], TABLE[:, 1], np.array([1e-10 * stol]))[0]
            omega = (4e-3) ** 2 * (place @ geometry.normal) / airpath**3
            cosine = d @ frame.beam
            electric = frame.polarization
            magnetic = np.cross(electric, frame.beam)
            kahn = 0.5 * (1 + cosine**2 - 0.4 * ((electric @ d) ** 2 - (magnetic @ d) ** 2))
            total += factor**2 * kahn * omega
        expected = CLASSICAL_ELECTRON_RADIUS_SQUARED * 1e24 * molecules * total / 4
        assert image[slow, fast] == pytest.approx(expected, rel=SINGLE)


def test_materials_and_spots_add_up(backend: str) -> None:
    one, two = matter(1e-4), material("water", 3e-5)
    together = simulate(experiment(one, two, spots=30.0), backend).array.astype(np.float64)
    parts = [
        simulate(each, backend).array.astype(np.float64)
        for each in (experiment(one), experiment(two), experiment(spots=30.0))
    ]
    np.testing.assert_allclose(together, sum(parts), rtol=4 * SINGLE)
    doubled = simulate(experiment(replace(one, scale=2.0)), backend).array
    np.testing.assert_allclose(doubled, 2 * parts[0], rtol=SINGLE)


@pytest.mark.parametrize("quirks", ["nanobragg", "corrected"])
def test_backends_agree(backend: str, quirks: str) -> None:
    shown = replace(experiment(matter(), spots=30.0), quirks=Quirks.of(quirks))
    expected = simulate(shown, "numpy").array
    found = simulate(shown, backend).array
    np.testing.assert_allclose(found, expected, rtol=SINGLE)


def test_beyond_the_table() -> None:
    """A line through the last points, or the last value; below, the same of the first ones."""
    for beyond, expected in ((Beyond.LINE, 4.5 + 0.5), (Beyond.CONSTANT, 4.5)):
        begins, coefficients = matter(beyond=beyond).polynomials()
        powers = (0.4e10 - begins[-1]) ** np.arange(4)
        assert float(coefficients[-1] @ powers) == pytest.approx(expected)


def test_polynomials_are_those_of_nonbragg() -> None:
    begins, coefficients = matter(beyond=Beyond.LINE).polynomials()
    s = np.linspace(-0.02, 0.4, 500) * 1e10
    place = np.maximum(np.searchsorted(begins, s, side="right") - 1, 0)
    t = s - begins[place]
    found = (coefficients[place] * t[:, None] ** np.arange(4)).sum(axis=1)
    np.testing.assert_allclose(found, interpolate(1e10 * TABLE[:, 0], TABLE[:, 1], s), rtol=1e-9)


@pytest.mark.parametrize("name", ["wavelength", "distance", "rotation_x", "beam_fast", "fluence"])
def test_derivatives(backend: str, name: str) -> None:
    """Central differences; away from points of the table, where F has kinks."""
    shown = experiment(matter(), spots=3.0)

    def photons(plan: object) -> np.ndarray:
        return Renderer(backend).differentiate(plan, Observer()).photons  # type: ignore[arg-type]

    found = Renderer(backend).differentiate(gradient_plan(shown, name), Observer())[name]
    expected, finer = (difference(photons, shown, name, part) for part in (1.0, 0.5))
    largest = np.abs(expected).max()
    smooth = np.abs(expected - finer) < 1e-8 * largest
    assert smooth.mean() > 0.5
    noise = 3e-14 * float(photons(gradient_plan(shown, "scale")).max()) / STEPS[name]
    assert (np.abs(found - expected) < 1e-6 * largest + noise)[smooth].all()


def test_fits_can_leave_it_out(backend: str) -> None:
    """A refinement asks for the spots alone."""
    shown, spots = (experiment(*matters, spots=30.0) for matters in ((matter(),), ()))
    found, expected = (
        Renderer(backend).differentiate(
            fitted_plan(each, {}, ("scale",), background=False), Observer()
        ).photons
        for each in (shown, spots)
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_it_is_a_sequence() -> None:
    with pytest.raises(CupysimError, match="backgrounds must be a sequence of Amorphous"):
        replace(experiment(), backgrounds=matter())  # type: ignore[arg-type]


def test_within_a_tolerance(backend: str) -> None:
    shown = experiment(matter(), spots=30.0)
    exact = simulate(shown, backend).array.astype(np.float64)
    limit = 0.01 * float(exact.max())
    within = simulate(shown, backend, tolerance=limit).array
    assert (np.abs(within - exact) <= limit * (1 + 1e-6)).all()
    background = simulate(experiment(matter()), backend).array
    assert (within >= background * (1 - 1e-6)).all()


def test_a_file_gives_it_back(tmp_path: Path) -> None:
    shown = experiment(matter(), material("air", 0.01), spots=30.0)
    image = simulate(shown)
    image.save(tmp_path / "shot.h5")
    again = read_experiment(tmp_path / "shot.h5")
    np.testing.assert_array_equal(simulate(again).array, image.array)


def test_ice_has_its_rings() -> None:
    """Ice Ih reflects at these spacings (Angstrom), and not at 5; the sum of |F|^2 is known."""
    ice = material("ice", 1e-5)
    spacing = 1.0 / np.maximum(2e-10 * ice.stol, 1e-9)
    for ring in (3.89, 3.66, 3.44, 2.67, 2.25, 2.07, 1.95):
        assert ice.factors[np.abs(spacing - ring) < 0.02].max() > 10.0
    assert ice.factors[(spacing > 4.5) & (spacing < 8)].max() < 1e-3
    # a powder with small or large grains scatters the same number of photons
    sums = []
    for name in ("ice", "nano-ice"):
        found = material(name, 1e-5)
        q = 2e-10 * found.stol
        chosen = (q > 0.15) & (q < 0.6)
        sums.append(float(np.trapezoid((found.factors**2 * q**2)[chosen], q[chosen])))
    assert sums[0] == pytest.approx(sums[1], rel=0.02)


def test_options(tmp_path: Path) -> None:
    words = "-cell 50 60 70 80 95 100 -default_F 1 -N 3 -detpixels 8"
    shown = from_args(f"{words} -background water,0.05 -background air,20 -beamsize 0.02")
    assert [each.thickness for each in shown.backgrounds] == pytest.approx([5e-5, 0.02])
    assert shown.backgrounds[0].width == pytest.approx(2e-5)
    table = tmp_path / "a.stol"
    table.write_text("0 3\n0.1 4\n0.3 5\n")
    unsorted = tmp_path / "unsorted.stol"
    unsorted.write_text("0.1 4\n0 3\n")
    (own,) = from_args(f"{words} -background {table},0.1,1.2,44").backgrounds
    assert (own.density, own.molar_mass) == pytest.approx((1.2e6, 44.0))
    for value, told in (
        ("watter,1", "no such material"),
        ("water", "expected NAME,MM"),
        ("water,x", "'x' is not a number"),
        ("water,-1", "must be finite and not negative, got -1"),
        ("water,nan", "must be finite and not negative, got nan"),
        (f"{unsorted},1,1,18", "unsorted.stol: amorphous: sin.theta./lambda must be ascending"),
        ("water,1,1,18", "give no molar mass"),
        (f"{table},1", "needs a density"),
    ):
        with pytest.raises(CupysimError, match=told):
            from_args(f"{words} -background {value}")


def test_a_table_that_ends_before_the_corners_is_told() -> None:
    words = "-cell 50 60 70 -default_F 1 -N 3 -detpixels 8 -pixel 20 -lambda 0.7"
    with pytest.warns(CupysimWarning, match=r"ends at 1.00 A, but the detector reaches 0.76"):
        from_args(f"{words} -background water,1")
    with warnings.catch_warnings():
        warnings.simplefilter("error", CupysimWarning)
        from_args("-cell 50 60 70 -default_F 1 -N 3 -detpixels 8 -background water,1")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"stol": [0.1, 0.1], "factors": [1, 2]}, "ascending"),
        ({"stol": [-0.1, 0.1], "factors": [1, 2]}, "ascending from 0 on"),
        ({"stol": [0.1], "factors": [1, 2]}, "tables of one length"),
        ({"factors": [1, 2, 3, 4, np.nan]}, "not finite"),
        ({"thickness": -1.0}, "thickness must not be negative"),
        ({"molar_mass": 0.0}, "molar_mass must be positive"),
    ],
)
def test_mistakes(change: dict[str, object], told: str) -> None:
    with pytest.raises(CupysimError, match=told):
        replace(matter(), **change)  # type: ignore[arg-type]
