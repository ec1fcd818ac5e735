"""Total scattering, symmetry, linearity and polarization against physics, with -corrected."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cupysim import Mosaicity
from tests.conftest import Renderer
from tests.corrected.rendering import experiment_of, image_of
from tests.physics.scattering import (
    BEAM,
    ELECTRIC,
    FLUENCE,
    THOMSON,
    Panel,
    dipole,
    reciprocal_of,
)

CONSTANT = 2e-6
"""Pixels by hand: r_e^2 of the C program is 6e-7 above CODATA's, and pixels are float32."""

SPHERE = 1e-5
"""Sums over the sphere. With the solid angle at the centre of each of n^2 sub-pixels, a face of the
cube has (2/n)^2/24 1.49 too much: 1.49 is the flow of the gradient of 1/R^3 out through its edge
over the face's solid angle, 4 pi/6. For n = 216 that is 5.3e-6."""

EXACT = 2e-6
"""Images which are equal but for rounding, of the maximum: `tests.tolerances.MIXED`, twice."""

ONE_CELL = "-cell 50 60 70 -default_F 10 -N 1 -misset 10 20 30"
RICH = "-cell 50 60 70 75 85 95 -default_F 10 -N 5 -misset 10 20 30 -lambda 1.2 -polar 0.8"


def whole_sphere(renderer: Renderer, words: str, n: int = 72) -> float:
    """Photons on a cube of six panels about the sample."""
    faces = [
        Panel.facing(side * axis, 0.1, 0.2 / n, (n, n)) for axis in np.eye(3) for side in (1, -1)
    ]
    return sum(
        image_of(renderer, f"{words} -fluence {FLUENCE} {face.words} -oversample 3").sum()
        for face in faces
    )


def test_all_directions_together(renderer: Renderer) -> None:
    """Without polarization a cell scatters r_e^2 fluence F^2 4 pi photons in all."""
    total = whole_sphere(renderer, f"{ONE_CELL} -nopolar")
    assert total == pytest.approx(THOMSON * 100 * 4 * math.pi, rel=SPHERE)


@pytest.mark.parametrize("kahn", [0.0, 1.0, -1.0, 0.6])
def test_thomson_cross_section(kahn: float, renderer: Renderer) -> None:
    """With it, 8 pi/3 r_e^2 for each electron squared, however the beam is polarized.

    Thomson's total cross section: the mean of (1 + cos^2)/2 over the sphere is 2/3, that of
    cos(2 psi) zero. Jackson, Classical Electrodynamics, 14.8.
    """
    total = whole_sphere(renderer, f"{ONE_CELL} -polar {kahn}")
    assert total == pytest.approx(THOMSON * 100 * 8 * math.pi / 3, rel=SPHERE)


@pytest.mark.parametrize("wavelength", [3.0, 1.7])
def test_debye_interference(wavelength: float, renderer: Renderer) -> None:
    """All directions together tell how far apart cells are, and in which direction.

    The mean of exp(2 pi i q.r) over all directions of scattering is exp(-2 pi i i.r/lambda)
    sinc(2 r/lambda), so that the crystal's total is 4 pi times the sum of
    cos(2 pi i.r/lambda) sin(x)/x, x = 2 pi r/lambda, over all pairs of cells (Debye (1915) Ann.
    Phys. 351, 809, before his average over orientations). Cells are as small as atoms here, so
    that there are few fringes; they cost as much again of `SPHERE`.
    """
    cell, counts, misset = (2.0, 2.3, 2.6, 75.0, 85.0, 95.0), (2, 3, 2), (10, 20, 30)
    axes = Rotation.from_euler("xyz", misset, degrees=True).apply(reciprocal_of(cell))
    direct = np.linalg.inv(axes).T
    places = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3)
    pairs = (places[:, None] - places[None, :]).reshape(-1, 3) @ direct
    distance = np.linalg.norm(pairs, axis=1)
    terms = np.cos(2 * np.pi * pairs @ BEAM / wavelength) * np.sinc(2 * distance / wavelength)
    words = (
        f"-cell {' '.join(map(str, cell))} -misset 10 20 30 -Na 2 -Nb 3 -Nc 2 -default_F 10 "
        f"-nopolar -lambda {wavelength}"
    )
    total = whole_sphere(renderer, words)
    assert abs(terms.sum() / len(places) - 1) > 0.1
    assert total == pytest.approx(THOMSON * 100 * 4 * math.pi * terms.sum(), rel=2 * SPHERE)


Symmetry = list[tuple[int, int, int]]
TWOFOLD: Symmetry = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
FRIEDEL: Symmetry = [(1, 1, 1), (-1, -1, -1)]
LAUE_MMM: Symmetry = [*TWOFOLD, *((-h, -k, -l) for h, k, l in TWOFOLD)]


def table(folder: Path, symmetry: Symmetry) -> str:
    """Random amplitudes which are equal for reflections that a point group makes equal."""
    axis = np.arange(-9, 10)
    hkl = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    amplitudes = np.random.default_rng(7).uniform(0, 100, (19, 19, 19))
    first = np.max([(hkl * signs + 9) @ [361, 19, 1] for signs in symmetry], axis=0)
    values = amplitudes.reshape(-1)[first]
    path = folder / "table.hkl"
    path.write_text(
        "".join(f"{h} {k} {l} {f!r}\n" for (h, k, l), f in zip(hkl, values.tolist(), strict=True))
    )
    return f"-hkl {path} -nodump -nointerpolate -N 4 -lambda 1 -polar 0.7 -oversample 1"


FORWARD = Panel.facing(BEAM, 0.1, 2e-3, (36, 32))


@pytest.mark.parametrize("symmetry", [TWOFOLD, LAUE_MMM], ids=["222", "mmm"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_twofold_axis_leaves_the_image(
    axis: int, symmetry: Symmetry, renderer: Renderer, tmp_path: Path
) -> None:
    """A crystal turned by 180 degrees about its own twofold axis gives the same image."""
    words = f"-cell 20 24 30 {table(tmp_path, symmetry)} {FORWARD.words}"
    first = Rotation.from_euler("xyz", (10, 20, 30), degrees=True)
    turned = first * Rotation.from_rotvec(math.pi * np.eye(3)[axis])
    angles = " ".join(map(repr, turned.as_euler("xyz", degrees=True).tolist()))
    images = [image_of(renderer, f"{words} -misset {x}") for x in ("10 20 30", angles)]
    assert_same(*images)


@pytest.mark.parametrize("symmetry", [TWOFOLD, LAUE_MMM], ids=["222", "mmm"])
@pytest.mark.parametrize(
    ("mirrored", "signs", "improper"),
    [("both", (1, -1, -1), False), ("fast", (1, -1, 1), True), ("slow", (1, 1, -1), True)],
)
def test_symmetry_of_the_detector(
    mirrored: str,
    signs: tuple[int, int, int],
    improper: bool,
    symmetry: Symmetry,
    renderer: Renderer,
    tmp_path: Path,
) -> None:
    """The image of a crystal turned the other way is the mirrored image.

    With I(q) of the aligned crystal symmetric under a diagonal matrix S, the crystal turned by R
    has at S q what the one turned by S R S has at q. For small turns about x, y, z, S R S has
    the angles' signs changed: those about axes which S reverses for a twofold axis, the others
    for a mirror. Mirrors are there only with Friedel's law (Laue class mmm of point group 222).
    """
    words = f"-cell 20 24 30 {table(tmp_path, symmetry)} {FORWARD.words}"
    # fast points along -y, slow along -z
    x, y, z = np.prod(signs) * np.array(signs) * (6, -9, 14)
    first = image_of(renderer, f"{words} -misset 6 -9 14")
    second = image_of(renderer, f"{words} -misset {x} {y} {z}")
    mirror = {"both": np.s_[::-1, ::-1], "fast": np.s_[:, ::-1], "slow": np.s_[::-1]}[mirrored]
    if improper and symmetry is TWOFOLD:
        assert np.abs(second[mirror] - first).max() > 0.1 * first.max()
    else:
        assert_same(second[mirror], first)


@pytest.mark.parametrize("symmetry", [FRIEDEL, TWOFOLD[:1]], ids=["friedel", "anomalous"])
def test_friedel(symmetry: Symmetry, renderer: Renderer, tmp_path: Path) -> None:
    """A beam from behind, and a detector at the other side, see what Friedel's law says.

    Both turn q into -q, and I(-q) = I(q) if |F(-h)| = |F(h)| (Friedel (1913) C. R. Acad. Sci. 157,
    1533); otherwise images differ.
    """
    words = f"-cell 20 24 30 75 85 95 {table(tmp_path, symmetry)} -misset 6 -9 14"
    panel = Panel.facing(np.array([1, 0.3, 0.1]), 0.1, 2e-3, (36, 32), 10)
    # the inverted panel is left-handed: its slow axis is turned around
    far = -(panel.corner + panel.pixel * panel.n_slow * panel.slow)
    behind = Panel(-panel.fast, panel.slow, far, panel.pixel, panel.n_fast, panel.n_slow)
    first = image_of(renderer, f"{words} {panel.words}")
    second = image_of(renderer, f"{words} {behind.words} -beam_vector -1 0 0")[::-1]
    if symmetry is FRIEDEL:
        assert_same(second, first)
    else:
        assert np.abs(second - first).max() > 0.1 * first.max()


def assert_same(image: np.ndarray, other: np.ndarray) -> None:
    assert other.max() > 0
    np.testing.assert_allclose(image, other, rtol=0, atol=EXACT * other.max())


TILTED = Panel.facing(np.array([1, 0.4, 0.2]), 0.05, 2e-3, (18, 14), 20)


def test_photons_grow_with_fluence_and_f_squared(renderer: Renderer) -> None:
    """Kinematic scattering is linear in the fluence and in F^2 (Thomson scattering, first Born)."""
    image = image_of(renderer, f"{RICH} {TILTED.words} -fluence 1e24")
    assert_same(image_of(renderer, f"{RICH} {TILTED.words} -fluence 7e24"), 7 * image)
    stronger = RICH.replace("-default_F 10", "-default_F 30")
    assert_same(image_of(renderer, f"{stronger} {TILTED.words} -fluence 1e24"), 9 * image)


def test_domains_add_up(renderer: Renderer) -> None:
    """Domains scatter without interference: the image is the mean of two turned crystals'.

    The turned crystal is mounted with the angles of both rotations, one after the other.
    """
    mounted = Rotation.from_euler("xyz", (10, 20, 30), degrees=True)
    turns = Rotation.from_rotvec([[0.1, -0.2, 0.15], [-0.3, 0.05, 0.1]])
    experiment = experiment_of(f"{RICH} {TILTED.words}")
    both = replace(experiment.crystal, mosaicity=Mosaicity(0.4, turns.as_matrix()))
    parts = []
    for turn in turns:
        angles = (turn * mounted).as_euler("xyz", degrees=True).tolist()
        words = RICH.replace("-misset 10 20 30", f"-misset {' '.join(map(repr, angles))}")
        parts.append(image_of(renderer, f"{words} {TILTED.words}"))
    assert np.abs(parts[0] - parts[1]).max() > 0.1 * parts[0].max()
    assert_same(image_of(renderer, replace(experiment, crystal=both)), np.mean(parts, axis=0))


def test_sources_add_up(renderer: Renderer, tmp_path: Path) -> None:
    """Sources are incoherent: the image is their weighted mean."""
    rows = ["-10 0.1 0.2 1 1.2e-10", "-10 -0.3 0.1 3 1.1e-10"]
    images = []
    for number, text in enumerate([*rows, "\n".join(rows)]):
        path = tmp_path / f"{number}.txt"
        path.write_text(text + "\n")
        images.append(image_of(renderer, f"{RICH} {TILTED.words} -sourcefile {path}"))
    assert_same(images[2], (images[0] + 3 * images[1]) / 4)


@pytest.mark.parametrize("sensor", ["", "-detector_thick 450 -detector_abs 500 -thicksteps 3"])
def test_halved_pixels_hold_the_same_photons(sensor: str, renderer: Renderer) -> None:
    """Four pixels of half the size share the photons of one: no photon counts twice or is lost."""
    fine = replace(TILTED, pixel=TILTED.pixel / 2, n_fast=36, n_slow=28)
    coarse = image_of(renderer, f"{RICH} {TILTED.words} {sensor} -oversample 4")
    parts = image_of(renderer, f"{RICH} {fine.words} {sensor} -oversample 2")
    assert_same(coarse, parts.reshape(14, 2, 18, 2).sum(axis=(1, 3)))


@pytest.mark.parametrize("kahn", [1.0, 0.9, 0.0, -1.0])
@pytest.mark.parametrize("field", [(0, 0, 1), (0, 1, 0), (0.3, 0.6, -0.8)])
@pytest.mark.parametrize("side", [(1, 0, 0), (-1, 0.5, 0), (0, 0, 1), (0, -1, 0.2)])
def test_kahn(
    kahn: float,
    field: tuple[float, float, float],
    side: tuple[float, float, float],
    renderer: Renderer,
) -> None:
    """Each pixel has (1 + cos^2 2theta - K cos 2psi sin^2 2theta)/2 of the photons.

    Kahn et al. (1982) J. Appl. Cryst. 15, 330, with psi from the electric field, or
    rather from its part across the beam, to the scattered ray; the same as two dipoles.
    """
    panel = Panel.facing(np.array(side, dtype=float), 0.06, 8e-3, (15, 13), 10)
    words = f"{ONE_CELL} -fluence {FLUENCE} {panel.words} -oversample 1 -polar {kahn}"
    vector = " ".join(map(str, field))
    image = image_of(renderer, f"{words} -polar_vector {vector}")
    electric = np.array([0.0, *field[1:]])
    electric /= np.linalg.norm(electric)
    cosine = panel.directions @ BEAM
    psi = np.arctan2(panel.directions @ np.cross(BEAM, electric), panel.directions @ electric)
    factor = (1 + cosine**2 - kahn * np.cos(2 * psi) * (1 - cosine**2)) / 2
    np.testing.assert_allclose(factor, dipole(panel.directions, kahn, electric), atol=1e-14)
    expected = THOMSON * 100 * panel.solid_angles * factor
    np.testing.assert_allclose(image, expected, rtol=CONSTANT, atol=CONSTANT * expected.max())


def test_nothing_is_scattered_along_the_electric_field(renderer: Renderer) -> None:
    """At 90 degrees, a polarized beam scatters all across its field and nothing along it.

    A dipole does not radiate along itself. The MOSFLM convention's field is along z, as its
    spindle: horizontal at a synchrotron, where the spindle is too.
    """
    along, across = (
        Panel.facing(np.array(axis), 0.1, 1e-4, (3, 3)) for axis in (ELECTRIC, [0.0, 1.0, 0.0])
    )
    words = f"{ONE_CELL} -fluence {FLUENCE} -oversample 1 -polar 1"
    full = THOMSON * 100 * (1e-4 / 0.1) ** 2
    # pixels beside the middle look 1e-3 away from the axis
    assert image_of(renderer, f"{words} {along.words}")[1, 1] < 1e-12 * full
    assert image_of(renderer, f"{words} {along.words}").max() < 3e-6 * full
    middle = image_of(renderer, f"{words} {across.words}")[1, 1]
    assert middle == pytest.approx(full, rel=CONSTANT)
