"""Predicted spots against the rendered image, which knows nothing of them."""

from __future__ import annotations

import numpy as np
import pytest

from cupysim.api import Image, from_args, simulate
from cupysim.render.spots import SPOT, predict_spots

COMMON = (
    "-cell 30 40 50 -default_F 100 -N 20 -detpixels 500 -pixel 0.1 -oversample 4 -distance 60 "
    "-lambda 1.1 -nodump -misset 10 20 30"
)
CASES = {
    "still": "",
    "polarized": "-polar 0.9",
    "round": "-round_xtal",
    "gauss": "-gauss_xtal -N 8",
    "flat spots": "-tophat_spots -N 5",
    "rotation of mosaic": "-mosaic 0.3 -mosaic_dom 20 -phi 3 -osc 1 -phisteps 5 -oversample 3",
    "sensor": "-detector_abs 300 -detector_thick 200 -thicksteps 4",
    "bandwidth": "-dispersion 1 -dispsteps 5",
    "tilted": "-detector_rotx 15 -twotheta 10 -xds",
    "two wavelengths and directions": "-hdivrange 2 -hdivsteps 2 -dispersion 0.5 -dispsteps 2",
}
APART = 14.0
"""Pixels to the next spot, so that a box holds one alone."""

BOX = 6
"""Half the box (pixels)."""

PHOTONS = 0.02
"""Relative: tails beyond the box, tails of others within it, curvature of the Ewald sphere."""

PLACE = 0.15
"""Pixels: the peak on the sphere is not exactly the centroid of a box of pixels."""


def boxes(image: Image, spots: np.ndarray) -> list[tuple[float, float]]:
    """For each strong lonely spot, photons found by photons predicted, and how far it is."""
    array = image.array.astype(np.float64)
    found = []
    for spot in spots[:80]:
        fast, slow = spot["fast"], spot["slow"]
        distances = np.sort(np.hypot(spots["fast"] - fast, spots["slow"] - slow))
        if distances[1] < APART or min(fast, slow, 500 - fast, 500 - slow) < BOX + 1:
            continue
        rows, columns = (slice(int(place) - BOX, int(place) + BOX + 1) for place in (slow, fast))
        photons = array[rows, columns]
        y, x = np.mgrid[rows, columns] + 0.5
        total = photons.sum()
        apart = np.hypot((x * photons).sum() / total - fast, (y * photons).sum() / total - slow)
        found.append((total / spot["photons"], float(apart)))
    return found


@pytest.mark.parametrize("case", CASES)
def test_spots_are_where_and_as_bright_as_predicted(case: str) -> None:
    image = simulate(from_args(f"{COMMON} {CASES[case]}"))
    spots = predict_spots(image.plan)
    assert spots.dtype == SPOT
    found = np.array(boxes(image, spots))
    assert len(found) > 10
    # flat spots end within a pixel, of which sub-pixels see a few points
    wide = 5 if case == "flat spots" else 1
    assert np.median(found[:, 0]) == pytest.approx(1.0, abs=PHOTONS)
    assert np.quantile(np.abs(found[:, 0] - 1.0), 0.8) < wide * PHOTONS
    assert np.median(found[:, 1]) < PLACE


def test_spots_hold_the_photons_of_the_image() -> None:
    """Not one is missed: they bring what the image has, but for tails and the direct beam."""
    image = simulate(from_args(f"{COMMON} -round_xtal -mosaic 0.5 -mosaic_dom 20 -oversample 3"))
    spots = predict_spots(image.plan)
    array = image.array.astype(np.float64)
    y, x = np.mgrid[:500, :500] + 0.5
    outside = np.hypot(x - 250.5, y - 250.5) > 25
    inside = np.hypot(spots["fast"] - 250.5, spots["slow"] - 250.5) > 25
    assert spots["photons"][inside].sum() == pytest.approx(array[outside].sum(), rel=0.05)


def test_structure_factors_and_region(tmp_path: object) -> None:
    whole = simulate(from_args(COMMON))
    part = simulate(from_args(f"{COMMON} -roi 200 299 100 249"))
    spots, within = predict_spots(whole.plan), predict_spots(part.plan)
    assert 0 < len(within) < len(spots)
    assert within["fast"].min() >= 200
    assert within["fast"].max() <= 300
    assert within["slow"].min() >= 100
    assert within["slow"].max() <= 250
    np.testing.assert_array_equal(within["F"], 100.0)
    assert (within["partiality"] > 0.0).all()
    assert (within["partiality"] <= 1.0 + 1e-9).all()


def test_strongest_first_and_none_where_there_are_none() -> None:
    spots = predict_spots(simulate(from_args(COMMON)).plan)
    assert (np.diff(spots["photons"]) <= 0.0).all()
    empty = simulate(from_args(f"{COMMON} -curved_det -detpixels 20"))
    assert len(predict_spots(empty.plan)) == 0
