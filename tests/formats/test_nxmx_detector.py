"""NXmx files with several modules, of cupysim and as other programs write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.api import simulate
from cupysim.errors import FileFormatError
from cupysim.formats import nexus, nxmx_image
from cupysim.formats.any_image import open_image
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.nxmx_detector import read_detector
from cupysim.models.panel_detector import PanelDetector
from tests.field.nxmx_files import dataset, group, text
from tests.field.nxmx_files import write as write_one
from tests.formats.panel_files import PIXELS, expected, experiment, turn
from tests.tolerances import POSITION

FLIP = np.diag([-1.0, 1.0, -1.0])
N_FAST, N_SLOW, PIXEL, DISTANCE = 32, 16, 75e-6, 0.15
DETECTOR = "entry/instrument/detector"


def said(geometry: DetectorGeometry) -> str:
    return "\n".join(geometry.remarks)


def edges_of(lengths: tuple[float, float] = (PIXEL, PIXEL)) -> np.ndarray:
    return np.diag([-lengths[0], -lengths[1]])


def module(
    detector: Any, number: int, place: tuple[float, float, float], depends: str, first: Any,
    name: str = "ARRAY_D0M{}",
) -> None:  # fmt: skip
    """A module whose corner is at `place` (m) in the frame of the axis it depends on."""
    made = group(detector, name.format(number), "NXdetector_module")
    made["data_origin"] = np.array(first)
    made["data_size"] = np.array([*(1,) * (len(first) - 2), N_SLOW, N_FAST])
    dataset(made, "module_offset", [np.linalg.norm(place)], depends_on=depends, units="m",
            transformation_type="translation", vector=np.array(place) / np.linalg.norm(place),
            offset=[0.0, 0.0, 0.0], offset_units="m")  # fmt: skip
    for axis, vector in (("fast", [-1.0, 0.0, 0.0]), ("slow", [0.0, -1.0, 0.0])):
        dataset(made, f"{axis}_pixel_direction", [1e3 * PIXEL], units="mm",
                depends_on=f"{made.name}/module_offset", transformation_type="translation",
                vector=vector, offset=[0.0, 0.0, 0.0], offset_units="m")  # fmt: skip


PLACES = [(0.001 * n, 0.002 + 0.0013 * n, 0.0001) for n in range(4)]
"""Corners of the modules (m) in the frames of their quadrants."""


def axis(holder: Any, name: str, kind: str, value: Any, vector: Any, depends: str) -> str:
    unit = "deg" if kind == "rotation" else "mm"
    dataset(holder, name, value, depends_on=depends, transformation_type=kind, units=unit,
            vector=vector)  # fmt: skip
    return str(holder[name].name)


def write(
    path: Path,
    images: np.ndarray | None = None,
    firsts: Any = None,
    arm: Any = (10.0,),
    change: Callable[[Any], None] | None = None,
) -> Path:
    """Four modules in two quadrants on an arm, in images where modules are below each other."""
    if images is None:
        images = np.zeros((1, 4 * N_SLOW, N_FAST), dtype=np.int32)
    firsts = firsts or [[n * N_SLOW, 0] for n in range(4)]
    with h5py.File(path, "w") as file:
        entry = group(file, "entry", "NXentry")
        entry["definition"] = text("NXmx")
        group(entry, "data", "NXdata")["data"] = images
        sample = group(entry, "sample", "NXsample")
        sample["depends_on"] = text(".")
        instrument = group(entry, "instrument", "NXinstrument")
        dataset(group(instrument, "beam", "NXbeam"), "incident_wavelength", 1.3, units="angstrom")
        detector = group(instrument, "detector", "NXdetector")
        moved = group(detector, "transformations", "NXtransformations")
        stand = axis(moved, "two_theta", "rotation", np.array(arm), [-1.0, 0.0, 0.0], ".")
        stand = axis(moved, "det_z", "translation", [1e3 * DISTANCE], [0.0, 0.0, 1.0], stand)
        quadrants = [
            axis(moved, f"AXIS_D0Q{n}", "rotation", [90.0 * n], [0.0, 0.0, 1.0], stand)
            for n in range(2)
        ]
        detector["depends_on"] = text(stand)
        for n in range(4):
            module(detector, n, PLACES[n], quadrants[n // 2], firsts[n])
        if change:
            change(file)
    return path


def wanted(number: int, points: np.ndarray = PIXELS, arm: float = 10.0) -> np.ndarray:
    """Points of a module in the frame of imgCIF (m), by matrices written out."""
    local = np.column_stack([points @ edges_of(), np.zeros(len(points))]) + PLACES[number]
    quadrant = local @ turn(2, 90.0 * (number // 2)).T
    # the arm turns about -x
    return (quadrant + np.array([0.0, 0.0, DISTANCE])) @ turn(0, -arm).T @ FLIP


def test_modules_and_groups(tmp_path: Path) -> None:
    geometry = read_detector(write(tmp_path / "a.h5"))
    detector = geometry.detector
    assert [panel.name for panel in detector] == [f"ARRAY_D0M{n}" for n in range(4)]
    assert detector.paths[0] == ("two_theta", "det_z", "AXIS_D0Q0")
    assert detector.paths[3] == ("two_theta", "det_z", "AXIS_D0Q1")
    for number, panel in enumerate(detector):
        found = panel.position(*PIXELS.T)
        np.testing.assert_allclose(found, wanted(number), rtol=0, atol=POSITION)
        assert (panel.n_fast, panel.n_slow, panel.data_corner) == (32, 16, (0, 16 * number))
        assert panel.edges == pytest.approx((PIXEL, PIXEL))
    assert geometry.wavelength == pytest.approx(1.3e-10)
    assert detector.beam == (0.0, 0.0, -1.0)
    assert geometry.remarks == ()


def test_axes_that_change_from_image_to_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", np.zeros((3, 64, 32), np.int32), arm=(10.0, 20.0, 30.0))
    for image, arm in enumerate((10.0, 20.0, 30.0)):
        for number, panel in enumerate(read_detector(path, image).detector):
            found = panel.position(*PIXELS.T)
            np.testing.assert_allclose(found, wanted(number, arm=arm), rtol=0, atol=POSITION)
    with pytest.raises(FileFormatError, match="there is no image 3"):
        read_detector(path, 3)


def test_images_with_an_axis_of_panels(tmp_path: Path) -> None:
    """As in files of XFELs: images of the shape (4, slow, fast), with a mask of this shape."""

    def change(file: Any) -> None:
        mask = np.zeros((4, N_SLOW, N_FAST), dtype=np.uint32)
        mask[2, 3, 4] = 1
        file[f"{DETECTOR}/pixel_mask"] = mask

    images = np.zeros((2, 4, N_SLOW, N_FAST), dtype=np.int32)
    path = write(tmp_path / "a.h5", images, [[n, 0, 0] for n in range(4)], change=change)
    detector = read_detector(path, 1).detector
    assert [panel.data_corner for panel in detector] == [(0, 16 * n) for n in range(4)]
    assert [panel.mask is None for panel in detector] == [True, True, False, True]
    mask = detector.panels[2].mask
    assert mask is not None
    assert np.argwhere(~mask).tolist() == [[3, 4]]
    with pytest.raises(FileFormatError, match="there is no image 2"):
        read_detector(path, 2)


def test_masks_of_modules_side_by_side(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        mask = np.zeros((2 * N_SLOW, 2 * N_FAST), dtype=np.uint32)
        mask[N_SLOW + 1, 2] = 1
        mask[0, N_FAST + 5] = 1
        file[f"{DETECTOR}/pixel_mask"] = mask
        dataset(file[DETECTOR], "saturation_value", 12345)

    images = np.zeros((1, 2 * N_SLOW, 2 * N_FAST), dtype=np.int32)
    firsts = [[N_SLOW * (n // 2), N_FAST * (n % 2)] for n in range(4)]
    detector = read_detector(write(tmp_path / "a.h5", images, firsts, change=change)).detector
    bad = [[] if panel.mask is None else np.argwhere(~panel.mask).tolist() for panel in detector]
    assert bad == [[], [[0, 5]], [[1, 2]], []]
    assert [panel.data_corner for panel in detector] == [(0, 0), (32, 0), (0, 16), (32, 16)]
    assert {panel.saturation for panel in detector} == {12345.0}


def test_components_name_groups(tmp_path: Path) -> None:
    """Axes of one component in a row are one group, as in dxtbx."""

    def change(file: Any) -> None:
        moved = file[f"{DETECTOR}/transformations"]
        for name in ("two_theta", "det_z"):
            moved[name].attrs["equipment_component"] = "arm"
        for n in range(2):
            moved[f"AXIS_D0Q{n}"].attrs["equipment_component"] = "quadrant"

    detector = read_detector(write(tmp_path / "a.h5", change=change)).detector
    assert list(detector.paths[::2]) == [("arm", "AXIS_D0Q0"), ("arm", "AXIS_D0Q1")]
    for number, panel in enumerate(detector):
        found = panel.position(*PIXELS.T)
        np.testing.assert_allclose(found, wanted(number), rtol=0, atol=POSITION)


def test_several_detectors_are_groups(tmp_path: Path) -> None:
    """A data set and a mask for each module."""

    def change(file: Any) -> None:
        instrument = file["entry/instrument"]
        for n in range(4):
            made = group(instrument, f"tile{n}", "NXdetector")
            made.move(f"/{DETECTOR}/ARRAY_D0M{n}", f"{made.name}/module")
            for name in ("module_offset", "fast_pixel_direction", "slow_pixel_direction"):
                attributes = made[f"module/{name}"].attrs
                if name != "module_offset":
                    attributes["depends_on"] = f"{made.name}/module/module_offset"
            made["module/data_origin"][...] = 0
            made["data"] = np.zeros((1, N_SLOW, N_FAST), dtype=np.int32)
            mask = np.zeros((N_SLOW, N_FAST), dtype=np.uint32)
            mask[n, n] = 1
            made["pixel_mask"] = mask

    geometry = read_detector(write(tmp_path / "a.h5", change=change))
    detector = geometry.detector
    assert [path[0] for path in detector.paths] == ["tile0", "tile1", "tile2", "tile3"]
    assert "4 detectors with modules; each is a group of panels" in said(geometry)
    for number, panel in enumerate(detector):
        found = panel.position(*PIXELS.T)
        np.testing.assert_allclose(found, wanted(number), rtol=0, atol=POSITION)
        assert panel.mask is not None
        assert np.argwhere(~panel.mask).tolist() == [[number, number]]


@pytest.mark.parametrize("width", [0.0, 1.0])
def test_files_of_cupysim(width: float, tmp_path: Path) -> None:
    made = experiment(width, start=5.0, saturation=1000.0)
    simulate(made).save(tmp_path / "a.h5")
    geometry = read_detector(tmp_path / "a.h5")
    before = made.detector
    assert isinstance(before, PanelDetector)
    assert geometry.detector.paths == before.paths
    for old, new in zip(before, geometry.detector, strict=True):
        assert new.name == old.name
        assert new.saturation == 1000.0
        np.testing.assert_allclose(
            new.position(*PIXELS.T), expected(new.name), rtol=0, atol=POSITION
        )
        assert new.edges == pytest.approx(old.edges, rel=1e-15)
    assert geometry.polarization == pytest.approx(0.9)
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([5.0, width])
    assert geometry.remarks == ()


def test_geometry_that_was_changed_later_is_told(tmp_path: Path) -> None:
    simulate(experiment()).save(tmp_path / "a.h5")
    assert open_image(tmp_path / "a.h5").contradiction == ""
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        offset = file[f"{DETECTOR}/module_2/module_offset"].attrs
        offset["offset"] = offset["offset"] + np.array([0.0, 0.0, 5e-5])
    assert "panel 'c' by 0." in open_image(tmp_path / "a.h5").contradiction
    assert nexus.read(tmp_path / "a.h5").experiment.panel_detector("test")["c"]


def test_one_module_is_that_of_the_other_reader(tmp_path: Path) -> None:
    path = write_one(tmp_path / "a.h5", omega=[3.0, 4.0, 5.0])
    geometry, (_, one) = read_detector(path, 1), nxmx_image.read(path, 1)
    (panel,) = geometry.detector
    np.testing.assert_allclose(panel.origin, one.origin, atol=1e-15)
    np.testing.assert_allclose(panel.fast, one.fast, atol=1e-15)
    assert panel.edges[0] == pytest.approx(one.pixel_size)
    assert (geometry.phi, geometry.oscillation) == (one.phi, one.oscillation)
    assert geometry.detector.paths == (("det_z",),)


def test_one_panel_by_beam_centre_and_distance(tmp_path: Path) -> None:
    more = {
        "x_pixel_size": (75e-6, "m"), "y_pixel_size": (80e-6, "m"), "detector_distance": (0.2, "m"),
        "beam_center_x": (10.0, "pixel"), "beam_center_y": (20.0, "pixel"),
    }  # fmt: skip
    geometry = read_detector(write_one(tmp_path / "a.h5", chain=False, detector=more))
    (panel,) = geometry.detector
    assert panel.edges == pytest.approx((75e-6, 80e-6))
    assert panel.origin == pytest.approx((-750e-6, 1600e-6, -0.2))
    assert "beam centre and distance only" in said(geometry)


def test_a_single_module_may_be_a_part(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        for n in (0, 1, 3):
            del file[f"{DETECTOR}/ARRAY_D0M{n}"]

    (panel,) = read_detector(write(tmp_path / "a.h5", change=change)).detector
    np.testing.assert_allclose(panel.position(*PIXELS.T), wanted(2), rtol=0, atol=POSITION)
    assert panel.data_corner == (0, 32)


def test_pixels_without_right_angles_and_squares(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        made = file[f"{DETECTOR}/ARRAY_D0M1"]
        made["slow_pixel_direction"][...] = 2e3 * PIXEL
        made["fast_pixel_direction"].attrs["vector"] = [-0.8, 0.6, 0.0]

    panel = read_detector(write(tmp_path / "a.h5", change=change)).detector.panels[1]
    assert panel.edges == pytest.approx((PIXEL, 2 * PIXEL))
    assert np.dot(panel.fast, panel.slow) == pytest.approx(-0.6)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("data_origin", [60, 0], "beyond its images"),
        ("data_origin", [-1, 0], "beyond its images"),
        ("data_size", [0, 32], "32 x 0 pixels"),
        ("data_stride", [1, 2], "data_stride"),
    ],
)
def test_impossible_modules_are_errors(
    name: str, value: list[int], words: str, tmp_path: Path
) -> None:
    def change(file: Any) -> None:
        made = file[f"{DETECTOR}/ARRAY_D0M2"]
        if name in made:
            del made[name]
        made[name] = np.array(value)

    with pytest.raises(FileFormatError, match=words):
        read_detector(write(tmp_path / "a.h5", change=change))


def test_planes_that_are_not_told_are_errors(tmp_path: Path) -> None:
    images = np.zeros((2, 4, N_SLOW, N_FAST), dtype=np.int32)
    with pytest.raises(FileFormatError, match="its panel is unknown"):
        read_detector(write(tmp_path / "a.h5", images, [[0, 0]] * 4))


def test_missing_axes_and_masks_of_another_shape_are_errors(tmp_path: Path) -> None:
    def missing(file: Any) -> None:
        del file[f"{DETECTOR}/transformations/AXIS_D0Q1"]

    def mask(file: Any) -> None:
        file[f"{DETECTOR}/pixel_mask"] = np.zeros((5, 5), dtype=np.uint32)

    with pytest.raises(FileFormatError, match=r"AXIS_D0Q1.*not in the file"):
        read_detector(write(tmp_path / "a.h5", change=missing))
    with pytest.raises(FileFormatError, match="pixel_mask has the shape"):
        read_detector(write(tmp_path / "b.h5", change=mask))


def test_axes_that_are_not_applied_are_told(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        moved = file[f"{DETECTOR}/transformations"]
        axis(moved, "spare", "rotation", [5.0], [0.0, 1.0, 0.0], ".")

    geometry = read_detector(write(tmp_path / "a.h5", change=change))
    assert "spare of its detector is not at zero" in said(geometry)


def test_the_order_of_modules_is_told(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        moved = f"/{DETECTOR}/transformations"
        for n, quadrant in ((1, 1), (2, 0)):
            offset = file[f"{DETECTOR}/ARRAY_D0M{n}/module_offset"]
            offset.attrs["depends_on"] = f"{moved}/AXIS_D0Q{quadrant}"

    geometry = read_detector(write(tmp_path / "a.h5", change=change))
    assert [panel.name[-1] for panel in geometry.detector] == ["0", "2", "1", "3"]
    assert "in DIALS they have other numbers" in said(geometry)


def test_single_panels_still_need_one_module(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="a detector of 4 panels"):
        nxmx_image.read(write(tmp_path / "a.h5"))


def test_modules_that_share_pixels_are_told(tmp_path: Path) -> None:
    """Otherwise two panels would show the same photons without a word."""
    path = tmp_path / "a.h5"
    made = experiment()
    simulate(made).save(str(path))
    assert not any("share pixels" in each for each in read_detector(path).remarks)
    with h5py.File(path, "r+") as file:
        # the second of the panels, which are below each other
        file["/entry/instrument/detector/module_1/data_origin"][...] = [10, 0]
    assert "panels 'a' and 'b' share pixels of its images" in read_detector(path).remarks
