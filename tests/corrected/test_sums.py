"""Corrected sums: absorption, solid angle, polarization, weights and background, by other ways."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cupysim.constants import CLASSICAL_ELECTRON_RADIUS_SQUARED
from tests.conftest import Renderer, Run
from tests.corrected.rendering import experiment_of, image_of

CRYSTAL = "-cell 50 60 70 -default_F 10 -N 5 -misset 10 20 30"
SMALL = f"{CRYSTAL} -pixel 4 -detpixels 9 -distance 60"
SENSOR = "-detector_abs 500 -detector_thick 450"


@pytest.mark.parametrize("flags", ["", "-oversample_omega", "-oversample_omega -oversample_polar"])
@pytest.mark.parametrize("beam", ["-polar 0.9", "-nopolar"])
def test_q14_q21_a_pixel_is_the_sum_of_smaller_ones(
    flags: str, beam: str, renderer: Renderer
) -> None:
    """Each sub-pixel is a pixel of a finer detector, with its own solid angle and polarization."""
    words = f"{CRYSTAL} {beam} {flags} -distance 60 -adxv -corrected Q14,Q21"
    coarse = image_of(renderer, f"{words} -pixel 4 -detpixels 9 -oversample 3 -Xbeam 17 -Ybeam 19")
    fine = image_of(
        renderer, f"{words} -pixel {4 / 3!r} -detpixels 27 -oversample 1 -Xbeam 17 -Ybeam 19"
    )
    renderer.assert_close(coarse, fine.reshape(9, 3, 9, 3).sum(axis=(1, 3)))
    if flags:
        wrong = image_of(renderer, f"{words} -pixel 4 -detpixels 9 -oversample 3".replace(
            "-corrected Q14,Q21", ""))  # fmt: skip
        assert wrong.sum() < 0.9 * coarse.sum()


def sources(path: Path, rows: list[tuple[float, ...]]) -> str:
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    return f"-sourcefile {path}"


ROWS = [
    (-10, 0.0, 0.0, 3.0, 1e-10),
    (-10, 0.1, 0.0, 1.0, 1.01e-10),
    (-10, 0.0, 0.15, 2.0, 0.99e-10),
]


def test_q13_bright_sources_count_more(renderer: Renderer, tmp_path: Path) -> None:
    """A source of weight 3 is three sources."""
    weighted = sources(tmp_path / "weighted.txt", ROWS)
    repeated = sources(
        tmp_path / "repeated.txt",
        [(*row[:3], 1.0, row[4]) for row in ROWS for _ in range(int(row[3]))],
    )
    words = f"{SMALL} -oversample 2 -water 0.01 -polar 0.7 -corrected Q13,Q17,Q21"
    renderer.assert_close(
        image_of(renderer, f"{words} {weighted}"), image_of(renderer, f"{words} {repeated}")
    )
    wrong = image_of(renderer, f"{words} {weighted}".replace("Q13,", ""))
    assert not np.allclose(wrong, image_of(renderer, f"{words} {weighted}"), rtol=1e-2)


def test_q21_sources_are_the_mean_of_single_ones(renderer: Renderer, tmp_path: Path) -> None:
    words = f"{SMALL} -polar 0.9 -oversample 2 -corrected Q13,Q21"
    together = image_of(renderer, f"{words} {sources(tmp_path / 'all.txt', ROWS)}")
    alone = [
        row[3] * image_of(renderer, f"{words} {sources(tmp_path / f'{i}.txt', [row])}")
        for i, row in enumerate(ROWS)
    ]
    renderer.assert_close(together, sum(alone) / 6.0)


@pytest.mark.parametrize("row", [(-10, 0, 0, -1.0, 1e-10), (-10, 0, 0, 0.0, 1e-10)])
def test_q13_impossible_weights(row: tuple[float, ...], tmp_path: Path, run: Run) -> None:
    words = f"{SMALL} {sources(tmp_path / 's.txt', [row])} -corrected Q13"
    outcome = run(words)
    assert (outcome.status, outcome.files) == (9, {})
    assert "the weights must not be negative, nor all be zero" in outcome.err


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("flag", ["", "-oversample_thick"])
@pytest.mark.parametrize("turned", ["", "-twotheta 25"])
def test_q15_layers_are_sensors_behind_each_other(
    count: int, flag: str, turned: str, renderer: Renderer
) -> None:
    """A thick sensor: detectors which absorb all, each further away, times what reaches them."""
    words = (
        f"{SMALL} {SENSOR} -thicksteps {count} {flag} {turned} -oversample 1 -corrected Q15,Q21,Q26"
    )
    image = image_of(renderer, words)
    experiment = experiment_of(words)
    geometry = experiment.geometry
    step, expected = 450e-6 / count, np.zeros_like(image)
    for layer in range(count):
        origin = geometry.origin + layer * step * geometry.normal
        place = " ".join(f"{value:.17g}" for value in origin)
        still = f"{SMALL} {turned} -oversample 1 -pix0_vector {place} -corrected Q10,Q11"
        numbers = 4e-3 * (np.arange(9) + 0.5)
        position = (
            origin + numbers[:, None, None] * geometry.slow + numbers[None, :, None] * geometry.fast
        )
        cosine = position @ geometry.normal / np.linalg.norm(position, axis=-1)
        depth = step * np.array([[[layer]], [[layer + 1]]]) / cosine / 500e-6
        expected += image_of(renderer, still) * (np.exp(-depth[0]) - np.exp(-depth[1]))
    renderer.assert_close(image, expected)


def test_q15_a_thick_sensor_absorbs_everything(renderer: Renderer) -> None:
    words = f"{SMALL} -oversample 1 -corrected Q15,Q26"
    thick = image_of(renderer, f"{words} -detector_abs 1 -detector_thick 100 -thicksteps 3")
    np.testing.assert_allclose(thick, image_of(renderer, words), rtol=1e-5)


@pytest.mark.parametrize("fluence", [1e20, 1e24, 3e30])
@pytest.mark.parametrize(
    "steps", ["-oversample 1", "-oversample 3 -mosaic 1 -mosaic_dom 4",
              "-hdivrange 1 -hdivsteps 3 -oversample 2",
              "-osc 1 -phisteps 3 -dmin 3 -oversample 2", f"{SENSOR} -thicksteps 4 -oversample 2"],
)  # fmt: skip
@pytest.mark.parametrize("fixes", ["Q17,Q21", "all"])
def test_q17_water_by_hand(fluence: float, steps: str, fixes: str, renderer: Renderer) -> None:
    """Photons of a cube of water: r_e^2 fluence solid angle 2.57^2 per molecule, however many
    steps the crystal takes.
    """
    if "thick" in steps and fixes != "all":
        pytest.skip("what a layer absorbs is another quirk")
    words = f"{SMALL} -nopolar -water 3 -fluence {fluence} {steps} -corrected {fixes}"
    dry = words.replace("-water 3", "")
    molecules = (3e-6) ** 3 * 1e6 / 18.0 * 6.02214179e23
    per_steradian = CLASSICAL_ELECTRON_RADIUS_SQUARED * fluence * 2.57**2 * molecules
    geometry = experiment_of(words).geometry
    # a pixel's solid angle, by the mean over very many parts of it
    numbers = 4e-3 * (np.arange(9 * 20) + 0.5) / 20
    position = (
        geometry.origin
        + numbers[:, None, None] * geometry.slow
        + numbers[None, :, None] * geometry.fast
    )
    airpath = np.linalg.norm(position, axis=-1)
    omega = (4e-3 / 20) ** 2 * geometry.close_distance / airpath**3
    cosine = position @ geometry.normal / airpath
    absorbed = -np.expm1(-450e-6 / 500e-6 / cosine) if "thick" in steps else 1.0
    expected = (omega * absorbed).reshape(9, 20, 9, 20).sum(axis=(1, 3)) * per_steradian
    water = image_of(renderer, words) - image_of(renderer, dry)
    # sub-pixels at the pixels' corners or middles sample the solid angle, to a per cent
    np.testing.assert_allclose(
        water, expected, rtol=0.02, atol=1e-5 * np.abs(image_of(renderer, dry)).max()
    )


def test_q35_the_solid_angle_of_a_rectangle(run: Run) -> None:
    """4 asin(ab/sqrt((a^2+d^2)(b^2+d^2))) of a rectangle seen from above its middle."""
    words = f"{CRYSTAL} -pixel 1 -detpixels 60 -distance 50 -adxv -Xbeam 30 -Ybeam 30 {SENSOR}"
    words += " -oversample 2 -mosaic 1 -mosaic_dom 3 -nonoise -nopgm -noprogress -corrected Q35,Q21"
    line = next(line for line in run(words).out.splitlines() if "solid angle" in line)
    a, d = 30.0, 50.0
    expected = 4 * math.asin(a * a / (a * a + d * d))
    assert float(line.split("=")[1].split()[0]) == pytest.approx(expected, rel=0.02)


def test_q44_pixels_which_count(run: Run, renderer: Renderer) -> None:
    """mean, rms and rmsd are those of the pixels which were rendered, by NumPy."""
    from dataclasses import replace

    from cupysim.backends.rendered import Observer
    from cupysim.image import Image
    from cupysim.models.rendering import Rendering
    from cupysim.plan.planning import make_plan

    mask = np.random.default_rng(1).random((9, 9)) < 0.6
    experiment = replace(
        experiment_of(SMALL), rendering=Rendering(oversample=1, mask=mask), quirks="Q44"
    )
    plan = make_plan(experiment)
    image = Image(experiment, plan, renderer(plan, Observer()))
    values = image.array[mask].astype(float)
    assert image.statistics.mean == pytest.approx(values.mean(), rel=1e-6)
    assert image.statistics.rmsd == pytest.approx(values.std(ddof=1), rel=1e-6)


def test_mirrored_order_makes_no_difference(renderer: Renderer) -> None:
    """Q14: the result no longer depends on which term comes last."""
    words = (
        f"{SMALL} -oversample 2 -oversample_omega -oversample_polar -polar 0.8 -corrected Q3,Q14"
    )
    forwards = image_of(renderer, f"{words} -phi -1 -osc 2 -phistep 0.5 -phisteps 4")
    both = image_of(renderer, f"{words} -phi -1 -osc 1 -phistep 0.5 -phisteps 2")
    both += image_of(renderer, f"{words} -phi 0 -osc 1 -phistep 0.5 -phisteps 2")
    renderer.assert_close(forwards, both / 2)
