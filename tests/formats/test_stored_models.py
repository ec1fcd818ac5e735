"""Models in HDF5 groups: everything comes back, and nothing is lost without a word."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import pytest

from cupysim.api import from_args
from cupysim.errors import ModelError
from cupysim.formats.nexus.stored_models import CLASSES, restore, store
from tests.conftest import INPUTS

EXPERIMENT = from_args(
    f"-hkl {INPUTS / 'few.hkl'} -cell 30 40 50 80 95 100 -N 5 -detpixels 12 -nodump -corrected"
)


@pytest.fixture
def group() -> h5py.Group:
    return h5py.File.in_memory().create_group("experiment")


def test_an_experiment_comes_back(group: h5py.Group) -> None:
    store(group, EXPERIMENT)
    found = restore(group)
    assert found.beam.wavelength == EXPERIMENT.beam.wavelength
    assert found.crystal.cell == EXPERIMENT.crystal.cell
    assert found.quirks == EXPERIMENT.quirks
    assert (found.structure_factors.table == EXPERIMENT.structure_factors.table).all()


def test_classes_follow_the_fields_of_an_experiment() -> None:
    assert {"Experiment", "Beam", "Crystal", "Mosaicity", "Sensor", "Sweep"} <= set(CLASSES)


def test_what_could_not_be_read_again_is_not_written(group: h5py.Group) -> None:
    @dataclass
    class Strange:
        number: float = 1.0

    with pytest.raises(ModelError, match="Strange is no part of an experiment"):
        store(group, Strange())


@pytest.mark.parametrize("place", ["attribute", "group"])
def test_parts_of_a_later_version_are_told(group: h5py.Group, place: str) -> None:
    """An image of a spectrum is not rendered without it because this version knows of none."""
    store(group, EXPERIMENT)
    if place == "attribute":
        group["beam"].attrs["flicker"] = 0.1
        expected = "experiment/beam: Beam of this version has no flicker"
    else:
        group.create_group("spectrum")
        expected = "experiment: Experiment of this version has no spectrum"
    with pytest.raises(ModelError, match=expected):
        restore(group)
