"""Integrated intensities of spots and rings against the kinematic theory, with -corrected."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cupysim import Mosaicity, Shape
from tests.conftest import Renderer
from tests.corrected.rendering import experiment_of, image_of
from tests.physics.scattering import (
    BEAM,
    FLUENCE,
    SPINDLE,
    THOMSON,
    Panel,
    Reflection,
    dipole,
    interference_integral,
)

SPOT = 1e-3
"""Integrated intensities. Lorentz and polarization factors are taken at the reflection, but vary by
a few per cent over its tails; what is odd in the offset cancels, what is left is the square of that
for the small share of photons in the tails."""

FLAT_SPOT = 1e-2
"""The same of spots with a sharp edge, of which a grid sees whole steps alone."""

RING = 3e-3
"""A ring of 2500 even orientations, of which a few hundred reflect; the width of the ring, of
which the formula does not know, costs its square."""

RING_POSITION = 1e-3
"""Mean radius of a ring, of itself: a few hundred spots, each 0.397/(N |h|) = 2 to 1 % wide."""

CUBIC_WIDTH = 0.397
"""Standard deviation of a Gaussian spot's photons in N times the index: sqrt(0.63)/2."""

STEEP = Reflection((70, 80, 90, 75, 85, 95), (12, -9, 5), (10, 20, 30))
WIDE = Reflection((50, 60, 70, 100, 110, 115), (20, 15, 5), (40, 20, 30), wavelength=1.5)
SKEW = Reflection((65, 75, 85, 90, 105, 90), (-8, 3, 14), (70, -25, 10), wavelength=1.2)
BACK = Reflection((65, 75, 85, 90, 105, 90), (-28, 13, 34), (70, -25, 10), wavelength=2.0)
EQUATORIAL = Reflection((70, 80, 90, 90, 90, 90), (14, -9, 0))


def reach(reflection: Reflection, shape: str, n: int) -> float:
    """How far a spot reaches (1/Angstrom).

    To the corners of the cell of offsets for which it is the nearest reflection. Gaussian and flat
    spots end before: at N |h| = 2.2 a Gaussian one has 2e-7 of its height.
    """
    if shape in ("gauss", "tophat", "gauss_star", "no_fringes", "flat"):
        return 2.2 / n * float(np.linalg.norm(reflection.axes, 2))
    halves = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), -1).reshape(-1, 3)
    return float(np.linalg.norm(halves @ reflection.axes, axis=1).max())


def spot_panel(reflection: Reflection, radius: float, n: int, tilt: float) -> Panel:
    """A panel which sees everything within this distance (1/Angstrom) of the reflection."""
    wide = 2 * radius * reflection.wavelength / math.cos(math.radians(tilt)) * 1.1
    return Panel.facing(reflection.direction, 0.2, 0.2 * wide / n, (n, n), tilt)


@pytest.mark.parametrize("shape", ["square", "round", "gauss", "gauss_star", "no_fringes"])
@pytest.mark.parametrize(
    ("reflection", "kahn", "tilt"),
    [(EQUATORIAL, 0.0, 0.0), (STEEP, 0.9, 0.0), (WIDE, -0.5, 0.0), (SKEW, 1.0, 25.0)],
    ids=["equatorial", "steep", "wide", "skew"],
)
def test_darwin(
    reflection: Reflection,
    kahn: float,
    tilt: float,
    shape: str,
    renderer: Renderer,
    tmp_path: Path,
) -> None:
    """A spot which the crystal turns through has Darwin's integrated intensity.

    The end of q in the crystal's frame sweeps the volume d3q = dOmega/lambda^2 |d.(m x q)| dphi:
    pixels are areas of Ewald's sphere, normal to d, and the spindle m moves q by m x q; d.(m x q) =
    i.(m x q), as d - i = lambda q. The integral of F_latt^2 over d3q is N^3/V_cell times
    `interference_integral`. With the fluence spread evenly over the range of phi,

        photons = r_e^2 (fluence/range) F^2 P lambda^3 V_xtal/V_cell^2 L,  V_xtal = N^3 V_cell,
        L = 1/(lambda |i.(m x q)|), in the plane normal to the spindle 1/sin(2 theta).

    James (1962) The Optical Principles of the Diffraction of X-rays, chapter II; Holton & Frankel
    (2010) Acta Cryst. D66, 393.
    """
    n, steps, pixels = 8, 100, 80
    rate = abs(BEAM @ np.cross(SPINDLE, reflection.vector))
    lorentz = 1 / (reflection.wavelength * rate)
    if reflection is EQUATORIAL:
        assert lorentz == pytest.approx(1 / math.sin(2 * reflection.theta), rel=1e-12)
    radius = reach(reflection, shape, n)
    panel = spot_panel(reflection, radius, pixels, tilt)
    sweep = 2.2 * radius / rate
    words = (
        f"{reflection.words(tmp_path)} -N {n} -spot_shape {shape} -polar {kahn} {panel.words} "
        f"-phi {math.degrees(reflection.phi - sweep / 2)!r} -osc {math.degrees(sweep)!r} "
        f"-phisteps {steps} -oversample 1"
    )
    expected = THOMSON / sweep * reflection.amplitude**2 * dipole(reflection.direction, kahn)
    expected *= reflection.wavelength**3 * n**3 / reflection.volume * lorentz
    expected *= interference_integral(shape, n)
    assert image_of(renderer, words).sum() == pytest.approx(expected, rel=SPOT)


def test_darwin_through_zero(renderer: Renderer, tmp_path: Path) -> None:
    """The same where one of the steps is at phi = 0, in the middle of the spot (quirk Q3)."""
    reflection, n, steps = STEEP.mounted(), 30, 41
    rate = abs(BEAM @ np.cross(SPINDLE, reflection.vector))
    panel = spot_panel(reflection, 2.5 / n / 60, 40, 0.0)
    sweep = 5.0 / n / 60 / rate
    words = (
        f"{reflection.words(tmp_path)} -N {n} -gauss_xtal {panel.words} -oversample 1 "
        f"-phi {-math.degrees(sweep) / 2!r} -osc {math.degrees(sweep)!r} -phisteps {steps}"
    )
    assert 0.0 in experiment_of(words).spindle_angles
    expected = THOMSON / sweep * reflection.amplitude**2 * dipole(reflection.direction, 0.0)
    expected *= reflection.wavelength**2 * n**3 / reflection.volume / rate
    expected *= interference_integral("gauss", n)
    assert image_of(renderer, words).sum() == pytest.approx(expected, rel=SPOT)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("reflection", [WIDE, BACK], ids=["wide", "back"])
def test_laue(reflection: Reflection, shape: Shape, renderer: Renderer, tmp_path: Path) -> None:
    """A still of a white beam has Laue's integrated intensity, another way through the same volume.

    A growing wavelength moves q along itself, dq = -q dlambda/lambda, of which q.d = |q| sin(theta)
    is normal to Ewald's sphere, so d3q = dOmega dlambda 2 sin^2(theta)/lambda^4 and

        photons = r_e^2 (fluence/range) F^2 P lambda^4/(2 sin^2 theta) V_xtal/V_cell^2

    with the range in units of the wavelength (James 1962, chapter II; Kalman (1979) Acta Cryst.
    A35, 634). Shapes differ by `interference_integral` alone, here as for the rotation.
    """
    n, steps, pixels = 6, 150, 120
    reflection = reflection.mounted()
    radius = reach(reflection, shape, n)
    # away from Ewald's sphere, spots move by q dlambda too
    panel = spot_panel(reflection, radius * (1 + 1 / math.sin(reflection.theta)), pixels, 0.0)
    span = 2.2 * radius / float(np.linalg.norm(reflection.vector)) / math.sin(reflection.theta)
    words = (
        f"{reflection.words(tmp_path)} -N {n} -spot_shape {shape} -nopolar {panel.words} "
        f"-oversample 1 -dispersion {100 * span!r} -dispsteps {steps}"
    )
    # both ends are in the spectrum
    whole = reflection.wavelength * span * steps / (steps - 1)
    expected = THOMSON / whole * reflection.amplitude**2 * n**3 / reflection.volume
    expected *= reflection.wavelength**4 / (2 * math.sin(reflection.theta) ** 2)
    expected *= interference_integral(shape, n)
    tolerance = FLAT_SPOT if shape in (Shape.TOPHAT, Shape.FLAT) else SPOT
    assert image_of(renderer, words).sum() == pytest.approx(expected, rel=tolerance)


def powder(
    tmp_path: Path, families: list[tuple[int, int, int]], n: int, cell: float
) -> tuple[str, Panel]:
    """Options for reflections of a few forms of a cubic crystal, and a panel around the beam."""
    lines = []
    for family in families:
        forms = {
            tuple(int(s * family[p]) for s, p in zip(signs, order, strict=True))
            for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
            for signs in np.ndindex(2, 2, 2)
            for signs in [1 - 2 * np.array(signs)]
        }
        lines += [f"{h} {k} {l} 100" for h, k, l in sorted(forms)]
    path = tmp_path / "forms.hkl"
    path.write_text("\n".join(lines) + "\n")
    panel = Panel.facing(BEAM, 0.005 * cell, 0.05 / 96, (96, 96))
    words = (
        f"-cell {cell} -hkl {path} -nodump -default_F 0 -nointerpolate -N {n} -gauss_xtal "
        f"-lambda 2 -fluence {FLUENCE} -oversample 1 {panel.words}"
    )
    return words, panel


def test_rings_are_at_bragg_angles(renderer: Renderer, tmp_path: Path) -> None:
    """A powder's rings have the Bragg angles 2 asin(lambda/2d) of its forms, and nothing between.

    `-mosaic 90` is the largest angle of domains about random axes: not quite a uniform powder
    (docs/quirks.md, Q24), which changes the rings' brightness, not their radius. A radius is the
    mean |q| d of the photons, which is 1; photons further than 4.5 standard deviations of a
    Gaussian spot are 1e-5 of a ring's or fewer. Bragg (1913) Proc. Camb. Phil. Soc. 17, 43.
    """
    n, cell = 20, 20.0
    families = [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0)]
    words, panel = powder(tmp_path, families, n, cell)
    image = image_of(renderer, f"{words} -nopolar -mosaic 90 -mosaic_domains 600")
    two_theta = np.arccos(np.clip(panel.directions @ BEAM, -1, 1))
    index = 2 * np.sin(two_theta / 2) / 2.0 * cell
    elsewhere = np.full(image.shape, fill_value=True)
    for family in families:
        radius = math.sqrt(sum(x * x for x in family))
        near = np.abs(index - radius) < 4.5 * CUBIC_WIDTH / n
        elsewhere &= ~near
        mean = np.average(index[near], weights=image[near])
        assert mean / radius == pytest.approx(1, rel=RING_POSITION)
        # photons come from all around
        azimuth = np.arctan2(panel.centres[..., 1], panel.centres[..., 2])[near]
        assert np.histogram(azimuth, 8, weights=image[near])[0].min() > 0.02 * image[near].sum()
    assert elsewhere.mean() > 0.2
    assert image[elsewhere].sum() < 1e-4 * image.sum()


@pytest.mark.parametrize("family", [(1, 0, 0), (1, 1, 1)])
@pytest.mark.parametrize("kahn", [0.0, 1.0])
def test_debye_scherrer(
    family: tuple[int, int, int], kahn: float, renderer: Renderer, tmp_path: Path
) -> None:
    """A ring of a uniform powder holds the photons of Debye's and Scherrer's formula.

    The integral of F_latt^2, N^3/V_cell, is spread over the sphere of radius q = 2 sin(theta)/
    lambda, once for each of m equivalent reflections. Ewald's sphere cuts it with 2 pi sin(2 theta)
    d(2 theta) = 2 pi lambda^2 q dq solid angle in dq, so

        photons = r_e^2 fluence F^2 <P> m lambda^3 V_xtal/(4 V_cell^2 sin(theta))

    (Warren (1969) X-Ray Diffraction), with <P> = (1 + cos^2 2 theta)/2 for any Kahn
    factor: around the beam the cosine of 2 psi cancels. In the crystals' frame the beam points
    along the nodes of a Fibonacci spiral on the sphere (Gonzalez (2010) Math. Geosci. 42, 49),
    and the crystals are turned evenly about it.
    """
    n, cell, wavelength, count = 6, 8.0, 2.0, 2500
    words, _ = powder(tmp_path, [family], n, cell)
    turn = np.arange(count) * (math.sqrt(5) - 1) / 2 % 1
    longitude = 2 * math.pi * turn
    latitude = np.arcsin((2 * np.arange(count) + 1) / count - 1)
    around = 2 * math.pi * (np.arange(count) * math.sqrt(2) % 1)
    orientations = Rotation.from_euler("zyx", np.stack([-longitude, latitude, around], axis=1))
    domains = Mosaicity(math.pi, orientations.as_matrix())
    experiment = experiment_of(f"{words} -polar {kahn}")
    experiment = replace(experiment, crystal=replace(experiment.crystal, mosaicity=domains))
    multiplicity = 6 if family == (1, 0, 0) else 8
    sine = wavelength / 2 * math.sqrt(sum(x * x for x in family)) / cell
    expected = THOMSON * 100**2 * multiplicity * wavelength**3 * n**3 / cell**3 / (4 * sine)
    expected *= (1 + math.cos(2 * math.asin(sine)) ** 2) / 2 * interference_integral("gauss", n)
    assert image_of(renderer, experiment).sum() == pytest.approx(expected, rel=RING)
