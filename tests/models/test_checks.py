"""What Python users may pass by mistake."""

from __future__ import annotations

import math
from collections.abc import Callable
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
