"""What Python users may pass by mistake."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cupysim import (
    Beam,
    Crystal,
    CupysimWarning,
    Detector,
    DetectorAngles,
    Experiment,
    Mosaicity,
    Rendering,
    Scan,
    Sensor,
    Shape,
    StructureFactors,
    Sweep,
    UnitCell,
    Water,
    simulate,
)
from cupysim.errors import CupysimError, ModelError

CELL = UnitCell.from_degrees(50, 50, 50, 90, 90, 90)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Crystal(CELL, shape="ball"),
        lambda: Crystal(CELL, n_cells=5),
        lambda: Crystal(CELL, n_cells=(5, 5)),
        lambda: Crystal(CELL, n_cells=(5, 5, 2.5)),
        lambda: Crystal(CELL, misset=(1, 2)),
        lambda: Crystal(CELL, misset=(1, 2, math.nan)),
        lambda: Crystal(CELL, size=(1e-6, "b", 0)),
        lambda: Crystal(CELL, fudge=math.nan),
        lambda: Crystal((50, 50, 50)),
        lambda: Crystal(reciprocal=np.eye(2)),
        lambda: UnitCell((50, 50), (1, 1, 1)),
        lambda: UnitCell((50, 50, math.nan)),
        lambda: Mosaicity(0.01),
        lambda: Mosaicity(0.0, np.eye(3)),
        lambda: Detector(convention="foo"),
        lambda: Detector(pivot="middle"),
        lambda: Detector(n_fast=100.0),
        lambda: Detector(distance=math.nan),
        lambda: DetectorAngles((0.0, math.nan, 0.0)),
        lambda: Beam(wavelength="1"),
        lambda: Beam(wavelength=math.nan),
        lambda: Beam(polarization=math.inf),
        lambda: Sweep(0.05, count=5),
        lambda: Sweep(math.nan, 1.0, 5),
        lambda: Scan(math.nan),
        lambda: Sensor(Sweep(-3e-4), 1000.0),
        lambda: Sensor(Sweep(3e-4)),
        lambda: Sensor(Sweep(3e-4, 1e-4, 3), math.nan),
        lambda: Sensor(Sweep(3e-4, 0.0, 3), 1000.0),
        lambda: Rendering(oversample=-3),
        lambda: Rendering(oversample=2.5),
        lambda: Rendering(dmin=math.nan),
        lambda: StructureFactors(default=math.nan),
        lambda: StructureFactors(np.zeros((2, 2))),
        lambda: StructureFactors.from_list([[1, 2, 3]], [5.0, 6.0]),
        lambda: StructureFactors.from_list([[1.5, 2, 3]], [5.0]),
        lambda: Experiment(Beam(), CELL, Detector(), StructureFactors()),  # type: ignore[arg-type]
        lambda: Water(math.nan),
    ],
)
def test_mistakes_are_named(make: Callable[[], Any]) -> None:
    with pytest.raises(ModelError) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_texts_and_lists_are_understood() -> None:
    assert Crystal(CELL, shape="round").shape is Shape.ROUND
    assert Crystal(CELL, n_cells=[4, np.int64(5), 6]).n_cells == (4, 5, 6)
    assert Detector(convention="xds").placed().geometry.normal.tolist() == [0.0, 0.0, 1.0]
    assert StructureFactors.from_list([[1, 2, 3], [1, 1, 1]], [5.0, 6.0]).n_given == 2


def test_units_which_are_likely_wrong() -> None:
    with pytest.warns(CupysimWarning, match="a wavelength of 1 m is not that of X-rays"):
        Beam(wavelength=1.0)


def test_models_can_be_compared_and_hashed() -> None:
    crystal = Crystal(CELL)
    assert crystal == crystal
    assert len({crystal, Crystal(CELL)}) == 2


def test_only_experiments_are_simulated() -> None:
    with pytest.raises(CupysimError, match="expected an Experiment, got a Crystal"):
        simulate(Crystal(CELL))  # type: ignore[arg-type]


def test_images_have_a_short_name(small_experiment: Experiment) -> None:
    assert repr(simulate(small_experiment)).startswith("<cupysim.Image: 24 x 20 pixels, maximum ")


def test_a_single_layer_is_the_whole_sensor(small_experiment: Experiment) -> None:
    """What it absorbs of a sensor without thickness, along the beam."""
    thickness, attenuation = 3e-4, 3000.0
    images = []
    for sensor in (
        Sensor(Sweep(thickness), attenuation),
        Sensor(Sweep(thickness, thickness, 1), attenuation),
        Sensor(),
    ):
        detector = replace(small_experiment.detector, sensor=sensor, n_fast=2, n_slow=2)
        images.append(simulate(replace(small_experiment, detector=detector)).array)
    np.testing.assert_array_equal(images[0], images[1])
    share = 1.0 - math.exp(-thickness * attenuation)
    np.testing.assert_allclose(images[0] / images[2], share, rtol=0.01)


@pytest.mark.parametrize(
    ("degrees", "told"),
    [
        ((0.0, 0.0, 1), ""),
        ((0.0, 0.0, 2), ""),
        ((1.0, 0.1, 10), ""),
        ((-1.0, -0.1, 10), ""),
        # as a step which does not divide a range is completed
        ((1.0, 0.3, 4), ""),
        ((0.2, 0.2, 2), ""),
        ((1.0, 0.2, 3), "3 steps of 0.2 degrees cover 0.6 degrees"),
        ((1.0, 0.2, 7), "7 steps of 0.2 degrees cover 1.4 degrees"),
        ((0.0, 0.2, 5), "its range of 0 degrees is for headers alone"),
        ((1.0, 0.0, 1), "1 steps of 0 degrees cover 0 degrees"),
        ((1.0, -0.1, 10), "cover -1 degrees"),
    ],
)
@pytest.mark.parametrize("quirks", ["all", "nanobragg"])
def test_scans_which_do_not_cover_their_range(
    degrees: tuple[float, float, int], told: str, quirks: str, small_experiment: Experiment
) -> None:
    range_, step, count = degrees
    sweep = Sweep(math.radians(range_), math.radians(step), count)
    experiment = replace(small_experiment, scan=Scan(0.5, sweep), quirks=quirks)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        simulate(experiment)
    found = [str(each.message) for each in caught if "for headers alone" in str(each.message)]
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_layers_which_are_not_the_thickness(small_experiment: Experiment) -> None:
    sensor = Sensor(Sweep(4e-4, 2e-4, 3), 2000.0)
    detector = replace(small_experiment.detector, sensor=sensor)
    with pytest.warns(CupysimWarning, match="the 3 layers cover 600 um of a sensor of 400 um"):
        simulate(replace(small_experiment, detector=detector))


@pytest.mark.parametrize(
    ("make", "name", "array"),
    [
        (lambda table: StructureFactors(table), "table", np.ones((3, 3, 3))),
        (lambda turns: Mosaicity(0.1, turns), "rotations", np.eye(3)[None].repeat(2, axis=0)),
        (lambda rows: Crystal(reciprocal=rows), "reciprocal", 0.01 * np.eye(3)),
        (lambda table: Beam(1e-10, source_table=table), "source_table", np.ones((2, 5))),
        (lambda mask: Rendering(mask=mask), "mask", np.ones((4, 4), dtype=bool)),
    ],
)
def test_arrays_of_models_do_not_change(
    make: Callable[[np.ndarray], object], name: str, array: np.ndarray
) -> None:
    """A renderer would keep what it made of them, and give the old image without a word."""
    given = array.copy()
    model = make(given)
    given[...] = 0
    np.testing.assert_array_equal(getattr(model, name), array)
    with pytest.raises(ValueError, match="read-only"):
        getattr(model, name)[...] = 0


def test_read_only_arrays_are_not_copied() -> None:
    table = np.ones((3, 3, 3))
    table.setflags(write=False)
    assert StructureFactors(table).table is table


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ({"distance": 150.0}, "a distance of 150 m is implausible"),
        ({"close_distance": 150.0}, "a distance of 150 m is implausible"),
        ({"pixel_size": 0.172}, "a pixel size of 0.172 m is implausible"),
    ],
)
def test_lengths_in_millimetres(
    lengths: dict[str, float], told: str, small_experiment: Experiment
) -> None:
    detector = replace(small_experiment.detector, **lengths)
    with pytest.warns(CupysimWarning, match=told):
        replace(small_experiment, detector=detector)
