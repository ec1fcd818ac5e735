"""Predicted spots against the rendered image, which knows nothing of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cupysim import StructureFactors
from cupysim.api import from_args, simulate
from cupysim.errors import CupysimWarning
from cupysim.image import Image
from cupysim.models.spot_shape import Shape
from cupysim.plan.planning import make_plan
from cupysim.plan.spot_shapes import SPOT_SHAPES, Measure, spot_size
from cupysim.prediction.spots import SPOT, predict_spots

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
    "gauss_star": "-spot_shape gauss_star",
    "no fringes": "-spot_shape no_fringes -oversample 8",
    "flat spots of CrystFEL": "-spot_shape flat -oversample 8",
    "off-diagonal": "-gauss_xtal -off_diagonal_cells 3 -6 4 -corrected",
    "rotation of mosaic": "-mosaic 0.3 -mosaic_dom 20 -phi 3 -osc 1 -phisteps 5 -oversample 3",
    "sensor": "-detector_abs 300 -detector_thick 200 -thicksteps 4",
    "bandwidth": "-dispersion 1 -dispsteps 5",
    "tilted": "-detector_rotx 15 -twotheta 10 -xds",
    "two wavelengths and directions": "-hdivrange 2 -hdivsteps 2 -dispersion 0.5 -dispsteps 2",
    "corrected gauss": "-gauss_xtal -cell 30 40 50 80 95 100 -corrected",
    "corrected flat spots": "-tophat_spots -N 12 -oversample 8 -corrected",
    "corrected sensor": "-detector_abs 300 -detector_thick 200 -thicksteps 4 -corrected",
    "layers without absorption": "-detector_thick 0 -thicksteps 3 -corrected",
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
    wide = 5 if "flat spots" in case else 1
    assert np.median(found[:, 0]) == pytest.approx(1.0, abs=PHOTONS)
    assert np.quantile(np.abs(found[:, 0] - 1.0), 0.8) < wide * PHOTONS
    assert np.median(found[:, 1]) < PLACE


@pytest.mark.parametrize("case", CASES)
def test_spots_with_enough_photons_are_those_of_the_whole_list(case: str) -> None:
    """Reflections that certainly have too few photons are not computed; no other one is lost."""
    plan = make_plan(from_args(f"{COMMON} {CASES[case]}"))
    every = predict_spots(plan)
    for rank in (1, 20, len(every) - 1):
        # sums over other groups of steps may be rounded differently
        fewest = float(every["photons"][rank]) * (1.0 - 1e-9)
        some, expected = predict_spots(plan, fewest=fewest), every[every["photons"] >= fewest]
        np.testing.assert_array_equal(some[["h", "k", "l"]], expected[["h", "k", "l"]])
        for name in ("fast", "slow", "photons", "excitation"):
            np.testing.assert_allclose(some[name], expected[name], rtol=1e-10)
    assert len(predict_spots(plan, fewest=2.0 * float(every["photons"][0]))) == 0


@pytest.mark.parametrize("shape", ["square", "no_fringes", "flat", "gauss"])
def test_enough_photons_at_one_of_two_wavelengths(shape: str) -> None:
    """Structure factors may be zero at the other wavelength."""
    experiment = from_args(f"{COMMON} -spot_shape {shape} -dispersion 1 -dispsteps 2 -corrected")
    random = np.random.default_rng(2)
    tables = random.uniform(50.0, 150.0, (2, 41, 51, 61)) * (random.random((2, 41, 51, 61)) > 0.5)
    first = (-20, -25, -30)
    parts = [StructureFactors(table=table, first=first, default=0.0) for table in tables]
    factors = StructureFactors.at_wavelengths(list(experiment.sources.wavelengths), parts)
    plan = make_plan(replace(experiment, structure_factors=factors))
    every = predict_spots(plan)
    fewest = float(np.median(every["photons"]))
    some = predict_spots(plan, fewest=fewest)
    assert len(some) == (every["photons"] >= fewest).sum() > 10


@pytest.mark.parametrize("case", CASES)
def test_sections_are_within_their_bounds(case: str) -> None:
    """No section exceeds its bound. The largest section is above 0.3 of the bound."""
    plan = make_plan(from_args(f"{COMMON} {CASES[case]}"))
    size, shape = spot_size(plan.crystals, (0, 0)), SPOT_SHAPES[plan.crystals.shape]
    cell = plan.crystals.phi_cells[0, 0, :1]
    random = np.random.default_rng(1)
    normals = random.normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    widths = 1.0 / float((np.asarray(size.n_cells) * np.linalg.norm(cell[0], axis=1)).min())
    distances = random.uniform(0.0, 3.0 * widths, 4000) * (random.random(4000) > 0.1)
    if shape.measure is Measure.DISTANCE:
        to_spot = size.scaled_axes.T @ cell[0]
        steepness = np.linalg.norm(normals @ np.linalg.inv(to_spot), axis=1)
        sections = shape.section(distances / steepness, size.height, size.fudge)
        sections /= steepness * abs(np.linalg.det(to_spot))
    else:
        projections, volume = normals @ np.linalg.inv(cell[0]), abs(np.linalg.det(cell[0]))
        sections = shape.section(projections, distances, size.n_cells, volume, size.fudge)
    limits = shape.section_limits(cell, size)
    assert (limits is None) == (plan.crystals.shape in (Shape.NO_FRINGES, Shape.FLAT))
    if limits is None:
        return
    bounds = shape.largest_sections(distances[None], limits, size)[0]
    assert (sections <= bounds * (1.0 + 1e-9)).all()
    # for some directions, the bound is close
    assert sections.max() > 0.3 * bounds.max()


def test_parallax() -> None:
    """Photons which go deeper into the sensor are seen further out, by as much as predicted.

    Most are absorbed in the first layers, so that their mean is not half-way through it.
    """
    words = f"{COMMON} -twotheta 30 -xds -ORGX 250 -ORGY 500 -oversample 3 -corrected"
    thin = simulate(from_args(words))
    thick = simulate(from_args(f"{words} -detector_abs 60 -detector_thick 300 -thicksteps 12"))
    apart = []
    places = {tuple(spot[["h", "k", "l"]]): spot for spot in predict_spots(thick.plan)}
    spots = predict_spots(thin.plan)
    for spot in spots[:60]:
        moved = places.get(tuple(spot[["h", "k", "l"]]))
        distances = np.sort(np.hypot(spots["fast"] - spot["fast"], spots["slow"] - spot["slow"]))
        if moved is None or distances[1] < APART or not BOX < spot["slow"] < 500 - BOX - 1:
            continue
        rows = slice(int(spot["slow"]) - BOX, int(spot["slow"]) + BOX + 1)
        columns = slice(max(int(spot["fast"]) - BOX, 0), int(spot["fast"]) + BOX + 1)
        y = np.mgrid[rows, columns][0]
        seen = [
            (y * i.array[rows, columns]).sum() / i.array[rows, columns].sum() for i in (thin, thick)
        ]
        apart.append((seen[1] - seen[0], moved["slow"] - spot["slow"]))
    found, predicted = np.array(apart).T
    assert np.abs(predicted).max() > 0.2
    assert np.median(np.abs(found - predicted)) < 0.05


def test_bright_sources_bring_more(tmp_path: Path) -> None:
    """Photons of weighted sources are the weighted mean of each one's."""
    file = tmp_path / "sources.txt"

    def photons(rows: str) -> dict[tuple[int, ...], float]:
        file.write_text(rows)
        plan = make_plan(from_args(f"{COMMON} -round_xtal -sourcefile {file} -corrected"))
        return {tuple(spot[["h", "k", "l"]]): spot["photons"] for spot in predict_spots(plan)}

    first, second = "-10 0 0 3 1.1e-10\n", "-10 0.01 0 1 1.1e-10\n"
    both, one, other = photons(first + second), photons(first), photons(second)
    for hkl in list(both)[:20]:
        expected = 0.75 * one.get(hkl, 0.0) + 0.25 * other.get(hkl, 0.0)
        assert both[hkl] == pytest.approx(expected, rel=1e-9)


def test_spots_hold_the_photons_of_the_image() -> None:
    """Not one is missed: they bring what the image has, but for tails and the direct beam."""
    image = simulate(from_args(f"{COMMON} -round_xtal -mosaic 0.5 -mosaic_dom 20 -oversample 3"))
    spots = predict_spots(image.plan)
    array = image.array.astype(np.float64)
    y, x = np.mgrid[:500, :500] + 0.5
    outside = np.hypot(x - 250.5, y - 250.5) > 25
    inside = np.hypot(spots["fast"] - 250.5, spots["slow"] - 250.5) > 25
    assert spots["photons"][inside].sum() == pytest.approx(array[outside].sum(), rel=0.05)


def test_structure_factors_and_region() -> None:
    whole = simulate(from_args(COMMON))
    part = simulate(from_args(f"{COMMON} -roi 200 299 100 249"))
    spots, within = predict_spots(whole.plan), predict_spots(part.plan)
    assert 0 < len(within) < len(spots)
    assert within["fast"].min() >= 200
    assert within["fast"].max() <= 300
    assert within["slow"].min() >= 100
    assert within["slow"].max() <= 250
    np.testing.assert_array_equal(within["F"], 100.0)
    assert (within["excitation"] > 0.0).all()
    assert (within["excitation"] <= 1.0 + 1e-9).all()


def test_needles_and_long_cells() -> None:
    """Many more cells along one axis than along the others."""
    words = "-cell 60 60 60 -Na 300 -Nb 10 -Nc 10 -default_F 100 -detpixels 400 -pixel 0.2"
    image = simulate(
        from_args(f"{words} -distance 60 -lambda 1 -oversample 3 -misset 10 20 30 -nodump")
    )
    spots = predict_spots(image.plan)
    y, x = np.mgrid[:400, :400] + 0.5
    outside = np.hypot(x - 200.5, y - 200.5) > 40
    inside = np.hypot(spots["fast"] - 200.5, spots["slow"] - 200.5) > 40
    total = image.array[outside].astype(np.float64).sum()
    assert spots["photons"][inside].sum() == pytest.approx(total, rel=0.3)


def test_a_rotation_has_the_spots_of_its_stills() -> None:
    words = (
        "-cell 60 60 300 -N 200 -round_xtal -misset 0 0 20 -default_F 100 -detpixels 400 "
        "-pixel 0.2 -distance 100 -lambda 1 -nodump -oversample 1"
    )

    def strongest(scan: str) -> set[tuple[int, int, int]]:
        spots = predict_spots(make_plan(from_args(f"{words} {scan}")))
        return {(spot["h"], spot["k"], spot["l"]) for spot in spots}

    whole = strongest("-phi 3 -osc 5 -phisteps 51")
    for phi in (3.0, 4.0, 7.0):
        spots = predict_spots(make_plan(from_args(f"{words} -phi {phi}")))[:60]
        missing = {(s["h"], s["k"], s["l"]) for s in spots} - whole
        assert len(missing) <= 3, phi


def test_wide_spots_of_reflections_beyond_the_corners() -> None:
    """A crystal of few cells: spots are wider than the distance between reflections."""
    words = (
        "-cell 4.9122 5.2942 100.23 89.9596 88.556 71.4536 -Na 3 -Nb 11 -Nc 38 "
        "-misset 73.91 131.1 103.43 -lambda 4.3569 -default_F 100 -detpixels_x 125 "
        "-detpixels_y 49 -pixel 0.5 -distance 100 -corrected -oversample 2"
    )
    image = simulate(from_args(words))
    assert image.array.max() > 0.0
    assert len(image.spots) > 20


def test_strongest_first_and_none_where_there_are_none() -> None:
    spots = predict_spots(simulate(from_args(COMMON)).plan)
    assert (np.diff(spots["photons"]) <= 0.0).all()
    empty = simulate(from_args(f"{COMMON} -curved_det -detpixels 20"))
    assert len(predict_spots(empty.plan)) == 0


@pytest.mark.parametrize("words", ["-cell 1000", "-cell 200 -osc 180 -phisteps 10"])
def test_too_many_to_be_spots(words: str) -> None:
    plan = make_plan(
        from_args(f"{words} -N 3 -default_F 1 -lambda 1 -detpixels 20 -pixel 5 -distance 100")
    )
    with pytest.warns(CupysimWarning, match="no spots are predicted"):
        assert len(predict_spots(plan)) == 0


@pytest.mark.parametrize("flag", ["polar", "omega"])
def test_running_products_have_no_predicted_spots(flag: str) -> None:
    """Photons of spots would not be those of the image (quirk Q14)."""
    words = "-cell 50 60 70 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 60 -detpixels 24"
    plan = make_plan(from_args(f"{words} -pixel 2 -oversample 2 -oversample_{flag}"))
    with pytest.warns(CupysimWarning, match="Q14"):
        assert len(predict_spots(plan)) == 0
