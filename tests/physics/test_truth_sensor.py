"""Absorption in a sensor against the exponential law, with -corrected."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Renderer
from tests.corrected.rendering import image_of
from tests.physics.scattering import BEAM, FLUENCE, THOMSON, Panel, Reflection

CELL = f"-cell 50 60 70 -default_F 10 -N 1 -nopolar -lambda 1 -fluence {FLUENCE} -oversample 1"

CONSTANT = 2e-6
"""Pixels by hand: r_e^2 of the C program is 6e-7 above CODATA's, and pixels are float32."""

TABLES = 5e-3
"""What tables of attenuation of silicon differ by, away from edges."""

COLUMN = 2e-3
"""Centroids in pixels: sub-pixels are finer than the spot, but pixels are not; the shift is 10."""

HALF_LAYER = 0.03
"""Half a layer's thickness: the second order in the layer's absorption, and `COLUMN`."""

SILICON = {8000.0: 64.68, 10000.0: 33.89, 15000.0: 10.34, 20000.0: 4.464}
"""Mass attenuation coefficient (cm^2/g) against energy (eV): Hubbell & Seltzer (1995), NISTIR
5632, table 3, Z = 14."""

SILICON_DENSITY = 2.33
"""g/cm^3, the same."""


def silicon_depth(energy: float) -> float:
    """Attenuation depth of silicon (um)."""
    return 1e4 / (SILICON[energy] * SILICON_DENSITY)


@pytest.mark.parametrize("energy", sorted(SILICON))
@pytest.mark.parametrize("layers", [1, 7])
@pytest.mark.parametrize("tilt", [0.0, 35.0])
def test_a_pixel_absorbs_its_share(
    energy: float, layers: int, tilt: float, renderer: Renderer
) -> None:
    """In 450 um of silicon 1 - exp(-mu t/cos) of the photons of each pixel are counted.

    Lambert's law along the ray, whose way through the sensor is t/cos, with mu of silicon from
    NIST's table. The panel is so far away that the sensor's depth does not matter, and so large
    that rays have up to 45 or, tilted, 61 degrees to its normal. F = 10 of one cell scatters
    r_e^2 fluence F^2 to each solid angle.
    """
    thick, depth = 450.0, silicon_depth(energy)
    panel = Panel.facing(np.array([1, 0.3, 0.2]), 1000.0, 100.0, (16, 14), tilt)
    sensor = f"-detector_thick {thick} -detector_abs {depth!r} -thicksteps {layers}"
    image = image_of(renderer, f"{CELL} {panel.words} {sensor}")
    assert panel.cosines.min() < 0.8
    absorbed = 1 - np.exp(-thick / depth / panel.cosines)
    expected = THOMSON * 100 * panel.solid_angles * absorbed
    np.testing.assert_allclose(image, expected, rtol=CONSTANT)


@pytest.mark.parametrize("energy", sorted(SILICON))
def test_tables_agree(energy: float, renderer: Renderer) -> None:
    """The same with another program's table: xraydb's coefficients after Elam et al. (2002)."""
    xraydb = pytest.importorskip("xraydb")
    depth = 1e4 / float(xraydb.material_mu("silicon", energy))
    panel = Panel.facing(BEAM, 1000.0, 10.0, (5, 4))
    sensor = f"-detector_thick 100 -detector_abs {depth!r} -thicksteps 3"
    image = image_of(renderer, f"{CELL} {panel.words} {sensor}")
    share = image.sum() / image_of(renderer, f"{CELL} {panel.words}").sum()
    assert share == pytest.approx(-math.expm1(-100 / silicon_depth(energy)), rel=TABLES)


@pytest.mark.parametrize("layers", [50, 100, 200])
def test_parallax(layers: int, renderer: Renderer, tmp_path: Path) -> None:
    """In a tilted thick sensor a spot moves by the mean depth of absorption, and layers converge.

    Photons at the angle alpha to the normal are absorbed at the depth z with the density
    mu' exp(-mu' z), mu' = mu/cos(alpha), and counted z tan(alpha) further along the panel; of a
    thickness t the mean depth is 1/mu' - t/(exp(mu' t) - 1), by integration. Layers of the
    thickness t/n take all photons at their front, which is too near by about t/(2n): exactly by
    the sum of a geometric series, which is in the test.
    """
    alpha, thick, depth, n = 45.0, 1000.0, silicon_depth(15000.0), 60
    reflection = Reflection((100, 100, 100, 90, 90, 90), (5, 8, 3)).mounted()
    pixel = 25e-6
    panel = Panel.facing(reflection.direction, 0.1, pixel, (120, 12), alpha)
    words = f"{reflection.words(tmp_path)} -N {n} -gauss_xtal -nopolar -oversample 5 {panel.words}"
    bare = image_of(renderer, words)
    sensor = f"-detector_thick {thick} -detector_abs {depth!r} -thicksteps {layers}"
    image = image_of(renderer, f"{words} {sensor}")
    mu, t = 1e6 / depth / math.cos(math.radians(alpha)), thick * 1e-6
    assert image.sum() / bare.sum() == pytest.approx(-math.expm1(-mu * t), rel=CONSTANT)
    columns = np.arange(120)
    shift = [np.average(columns, weights=x.sum(axis=0)) * pixel for x in (bare, image)]
    mean_depth = 1 / mu - t / math.expm1(mu * t)
    fronts = np.arange(layers) * t / layers
    front_depth = np.average(fronts, weights=np.exp(-mu * fronts))
    ray = reflection.direction
    sideways = (ray @ panel.fast) / (ray @ panel.normal)
    moved = shift[1] - shift[0]
    assert moved == pytest.approx(front_depth * sideways, abs=COLUMN * pixel)
    assert mean_depth - moved / sideways == pytest.approx(t / layers / 2, rel=HALF_LAYER)
