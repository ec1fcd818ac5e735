"""NXmx files of detectors of panels: the tree, the images, and the stored experiment."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import nxmx
import pytest

from cupysim.api import simulate
from cupysim.errors import CupysimWarning, FileFormatError, ModelError
from cupysim.formats import nexus
from cupysim.formats.any_image import open_image
from cupysim.formats.nexus.series import Part, Series, write_master
from cupysim.formats.nexus.stored_models import restore, store
from cupysim.formats.nexus.tree import DATA, Frames
from cupysim.maths.rotations import axis_and_angle, rotation_of_vector
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup
from cupysim.models.rendering import Region, Rendering
from tests.formats.panel_files import PANELS, PIXELS, THICK, expected, experiment, turn
from tests.formats.test_nexus import assert_definition_is_kept
from tests.tolerances import POSITION

FLIP = np.diag([-1.0, 1.0, -1.0])
"""From imgCIF to NeXus."""


def assert_same(one: Any, other: Any) -> None:
    """Compare models to the last bit."""
    assert type(one) is type(other)
    if dataclasses.is_dataclass(one):
        for item in (each for each in dataclasses.fields(one) if each.init):
            assert_same(getattr(one, item.name), getattr(other, item.name))
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert_same(list(one.values()), list(other.values()))
    else:
        assert one == other


def full() -> Experiment:
    """An experiment with all that panels can have."""
    made = experiment(1.0, sensor=THICK)
    detector = made.detector
    assert isinstance(detector, PanelDetector)
    mask = np.ones((10, 30), dtype=bool)
    mask[2:4, 5:9] = False
    small = Panel(
        "small one", 30, 10, (0.01, 0.002, -0.09), (1, 0.1, 0.2), (0.1, -1, -0.1), (1e-4, 2e-4),
        THICK, mask, 1.5, 1e4, (3, 4),
    )  # fmt: skip
    wide = PanelGroup("with ä", [small], (0, 0.001, 0), (0, 1, 0.5), (1, 0, 0))
    return dataclasses.replace(
        made,
        detector=dataclasses.replace(detector, members=(*detector.members, wide)),
        rendering=Rendering(2, region={"small one": Region(1, 9, 2, 8), "a": Region(0, 3, 0, 20)}),
    )


def test_a_stored_experiment_comes_back_to_the_last_bit() -> None:
    made, group = full(), h5py.File.in_memory().create_group("experiment")
    store(group, made)
    assert_same(restore(group), made)


def test_damaged_sequences_are_errors() -> None:
    group = h5py.File.in_memory().create_group("experiment")
    store(group, full())
    del group["detector/members/1"]
    with pytest.raises(ModelError, match="2 are expected"):
        restore(group)


@pytest.mark.parametrize("seed", [None, 3])
def test_an_image_and_its_experiment_come_back(seed: int | None, tmp_path: Path) -> None:
    image = simulate(full())
    with pytest.warns(CupysimWarning, match="smallest saturation"):
        image.save(tmp_path / "a.h5", seed)
    content = nexus.read(tmp_path / "a.h5")
    assert_same(content.experiment, image.experiment)
    np.testing.assert_array_equal(content.expected, image.array)
    np.testing.assert_array_equal(simulate(content.experiment).array, image.array)
    assert image.array.max() > 0.0
    if seed is not None:
        rendered = image.experiment.rendered_pixels
        assert content.counts is not None
        np.testing.assert_array_equal(content.counts[rendered], image.counts(seed)[rendered])
        assert (content.counts[~rendered] == -1).all()
    assert content.spots is not None
    assert "panel" in (content.spots.dtype.names or ())
    shown = open_image(tmp_path / "a.h5")
    assert shown.geometry is None
    np.testing.assert_array_equal(shown.masked, ~image.experiment.rendered_pixels)


def modules_of(path: Path) -> dict[str, Any]:
    """Points, data slices and pixel sizes of each module, by nxmx alone."""
    found = {}
    with h5py.File(path) as file:
        entry = nxmx.NXmx(file).entries[0]
        for module in entry.instruments[0].detectors[0].modules:
            axes = module.fast_pixel_direction, module.slow_pixel_direction
            edges = [np.asarray(axis.vector) * axis[()].to("m").magnitude[0] for axis in axes]
            chain = nxmx.get_dependency_chain(axes[0].depends_on)
            matrix = nxmx.get_cumulative_transformation(chain)[0]
            moved = matrix[:3, :3], matrix[:3, 3] / 1000.0
            points = PIXELS @ np.stack(edges) @ moved[0].T + moved[1]
            name = module.module_offset.equipment_component
            found[name] = points, tuple(module.data_origin), tuple(module.data_size)
    return found


@pytest.mark.parametrize("width", [0.0, 1.0])
def test_modules_are_where_the_panels_are(width: float, tmp_path: Path) -> None:
    simulate(experiment(width)).save(tmp_path / "a.h5")
    found = modules_of(tmp_path / "a.h5")
    assert list(found) == list(PANELS)
    for number, (name, (points, first, size)) in enumerate(found.items()):
        np.testing.assert_allclose(points, expected(name) @ FLIP, rtol=0, atol=POSITION)
        assert (first, size) == ((18 * number, 0), (18, 24))


def test_each_group_is_one_axis(tmp_path: Path) -> None:
    simulate(experiment()).save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        group = file["entry/instrument/detector/transformations"]
        named = {
            name: (axis.attrs.get("equipment_component"), axis.attrs["depends_on"].split("/")[-1])
            for name, axis in group.items()
        }
    assert named == {
        "det_z": (None, "."),
        "group_arm": ("arm", "det_z"),
        "group_left": ("left", "group_arm"),
        "group_right": ("right", "group_arm"),
        "group_tilted": ("tilted", "group_right"),
    }


def test_panels_of_several_sizes(tmp_path: Path) -> None:
    """Each has a block of the size of the largest panel; the mask excludes the rest."""
    made = dataclasses.replace(full(), rendering=Rendering(1))
    image = simulate(made)
    with pytest.warns(CupysimWarning, match="smallest saturation"):
        image.save(tmp_path / "a.h5")
    places = [place[1:] for place in modules_of(tmp_path / "a.h5").values()]
    assert places == [((18 * n, 0), (18, 24)) for n in range(4)] + [((72, 0), (10, 30))]
    with h5py.File(tmp_path / "a.h5") as file:
        mask = file["entry/instrument/detector/pixel_mask"][()]
        assert file[DATA].shape == (1, 90, 30)
    assert mask[:72, :24].max() == 0
    assert mask[:72, 24:].min() == 1
    assert mask[82:].min() == 1
    small = made.panel_detector("test").panels[4]
    np.testing.assert_array_equal(mask[72:82] == 0, small.mask)


@pytest.mark.parametrize("counts", [False, True])
def test_definition_is_kept(counts: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    simulate(experiment(1.0)).save(tmp_path / "a.h5", 3 if counts else None)
    assert_definition_is_kept(tmp_path / "a.h5", caplog)


def test_fabio_reads_panels_below_each_other(tmp_path: Path) -> None:
    image = simulate(experiment())
    image.save(tmp_path / "a.h5", 3)
    with fabio.open(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file.data, image.counts(3).reshape(72, 24))


def test_series_of_panels(tmp_path: Path) -> None:
    made = experiment(1.0)
    images = [simulate(made).array, 2.0 * simulate(made).array]
    with Series(tmp_path / "a.h5", made, 2, counted=False, expected=False) as series:
        for number, image in enumerate(images):
            series.put(number, image)
        series.finish("two", Frames(2), {})
    parts = [Part(str(tmp_path / "a.h5"), 2)]
    write_master(
        tmp_path / "m.h5", str(tmp_path), made, parts, counted=False, title="", frames=Frames(2)
    )
    for name in ("a.h5", "m.h5"):
        with h5py.File(tmp_path / name) as file:
            np.testing.assert_allclose(file[DATA][()].reshape(2, 4, 18, 24), images, rtol=1e-6)


def test_an_image_of_another_shape_is_an_error(tmp_path: Path) -> None:
    simulate(experiment()).save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file[DATA]
        file[DATA] = np.zeros((1, 71, 24), dtype=np.float32)
    with pytest.raises(FileFormatError, match=re.escape("(71, 24), not (72, 24)")):
        nexus.read(tmp_path / "a.h5")


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1.0, math.pi / 2, 3.0, math.pi - 1e-9, math.pi])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, -1, 0), (1, -2, 3), (-1e-9, 1, 0)])
def test_axis_and_angle(axis: tuple[float, ...], angle: float) -> None:
    matrix = rotation_of_vector(angle * np.array(axis) / np.linalg.norm(axis))
    found, turned = axis_and_angle(matrix)
    assert np.linalg.norm(found) == pytest.approx(1.0, rel=1e-15)
    np.testing.assert_allclose(rotation_of_vector(turned * found), matrix, rtol=0, atol=1e-15)


def test_skew_groups_are_written_exactly(tmp_path: Path) -> None:
    """Axes may be skew by 1e-6, which moves corners by more than POSITION."""
    made = experiment()
    matrix = turn(1, 10.0) @ turn(2, 30.0)
    slow = matrix[:, 1] + 5e-7 * matrix[:, 0]
    old = made.panel_detector("test")
    whole = PanelGroup("all", old.members, (0.0, 0.001, 0.0), matrix[:, 0], slow)
    detector = PanelDetector([whole], old.beam, old.spindle)
    image = simulate(dataclasses.replace(made, detector=detector))
    with pytest.warns(CupysimWarning, match="DIALS will refuse the file"):
        image.save(tmp_path / "a.h5")
    for name, (points, *_) in modules_of(tmp_path / "a.h5").items():
        wanted = detector[name].position(*PIXELS.T) @ FLIP
        np.testing.assert_allclose(points, wanted, rtol=0, atol=POSITION)
