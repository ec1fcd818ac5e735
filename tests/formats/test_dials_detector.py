"""DIALS experiment lists with several panels: read, written, and read again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import dials
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.dials_detector import read_detector
from cupysim.models.panel_group import PanelGroup
from tests.formats.panel_files import GROUPS, PANELS, PIXELS, expected, listed, turn
from tests.formats.test_inherited import expt, save
from tests.tolerances import POSITION


def read(path: Path, told: Any, image: int = 0, **models: Any) -> DetectorGeometry:
    return read_detector(save(path, expt(detector=[told], **models)), image)


def said(geometry: DetectorGeometry) -> str:
    return "\n".join(geometry.remarks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.expt"


def test_corners_are_those_of_dxtbx_rule(path: Path) -> None:
    detector = read(path, listed()).detector
    assert detector.name == "four"
    for panel in detector:
        np.testing.assert_allclose(
            panel.position(*PIXELS.T), expected(panel.name), rtol=0, atol=POSITION
        )


def test_groups_keep_names_and_frames(path: Path) -> None:
    detector = read(path, listed()).detector
    assert [panel.name for panel in detector] == list(PANELS)
    assert detector.paths == (
        ("arm", "left"),
        ("arm", "left"),
        ("arm", "right"),
        ("arm", "right", "tilted"),
    )
    found: dict[str, PanelGroup] = {}

    def collect(members: Any) -> None:
        for member in members:
            if isinstance(member, PanelGroup):
                found[member.name] = member
                collect(member.members)

    collect(detector.members)
    for name, (_, matrix, origin) in GROUPS.items():
        np.testing.assert_allclose(found[name].axes.T, matrix, atol=1e-15)
        np.testing.assert_allclose(found[name].origin, origin, atol=1e-15)


def test_numbers_of_panels(path: Path) -> None:
    told = listed()
    told["panels"][1] |= {
        "gain": 2.5, "thickness": 0.32, "mu": 4.0, "mask": [[0, 0, 2, 3], [20, 10, 30, 18]],
        "trusted_range": [0, 2**31 - 1],
    }  # fmt: skip
    for number in (0, 2, 3):
        told["panels"][number] |= {"thickness": 0.45, "mu": 3.0}
    told["panels"][3]["image_size"] = [30, 18]
    geometry = read(path, told)
    a, b, c, d = geometry.detector
    assert c.edges == pytest.approx((1e-4, 1.5e-4))
    assert (d.n_fast, d.n_slow) == (30, 18)
    assert (a.saturation, b.saturation) == (65535.0, math.inf)
    assert (a.gain, b.gain) == (1.0, 2.5)
    assert [panel.data_corner for panel in (a, b, c, d)] == [(0, 0), (0, 18), (0, 36), (0, 54)]
    assert b.sensor.layers.range == pytest.approx(320e-6)
    assert b.sensor.attenuation == pytest.approx(4000.0)
    assert a.sensor.attenuation == pytest.approx(3000.0)
    assert a.mask is None
    assert b.mask is not None
    masked = np.zeros((18, 24), dtype=bool)
    masked[:3, :2] = masked[10:, 20:] = True
    np.testing.assert_array_equal(~b.mask, masked)
    assert "450 um is one layer" in said(geometry)


def test_beam_scan_and_crystal(path: Path) -> None:
    scan = [{"oscillation": [10.0, 0.5], "image_range": [1, 4]}]
    geometry = read(path, listed(), 3, scan=scan)
    assert geometry.wavelength == pytest.approx(1.25e-10)
    assert geometry.polarization == pytest.approx(0.9)
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([11.5, 0.5])
    detector = geometry.detector
    assert detector.beam == (0.0, 0.0, -1.0)
    assert detector.spindle == (1.0, 0.0, 0.0)
    assert np.abs(detector.polarization or 0.0) == pytest.approx([1.0, 0.0, 0.0])
    assert geometry.reciprocal is not None
    direct = np.array([[50.0, 0.0, 0.0], [0.0, 0.0, 60.0], [0.0, -70.0, 5.0]])
    np.testing.assert_allclose(geometry.reciprocal @ direct.T, np.eye(3), atol=1e-12)
    with pytest.raises(FileFormatError, match="there is no image 4"):
        read(path, listed(), 4, scan=scan)


def test_a_frame_of_the_hierarchy_is_a_group(path: Path) -> None:
    told = listed()
    matrix = turn(1, 10.0)
    told["hierarchy"] |= {
        "fast_axis": matrix[:, 0].tolist(), "slow_axis": matrix[:, 1].tolist(),
        "origin": [1.0, 2.0, -50.0],
    }  # fmt: skip
    detector = read(path, told).detector
    assert detector.name == "detector"
    assert detector.paths[0] == ("four", "arm", "left")
    for panel in detector:
        wanted = expected(panel.name) @ matrix.T + np.array([0.001, 0.002, -0.05])
        np.testing.assert_allclose(panel.position(*PIXELS.T), wanted, rtol=0, atol=POSITION)


def test_names_of_other_programs(path: Path) -> None:
    told = listed()
    for panel, name in zip(told["panels"], ("/entry/q0", "Panel", "Panel", ""), strict=True):
        panel["name"] = name
    told["hierarchy"]["children"][0]["name"] = "Panel"
    geometry = read(path, told)
    assert [panel.name for panel in geometry.detector] == ["entry.q0", "Panel_0", "Panel_1", "p3"]
    assert geometry.detector.paths[0] == ("Panel_2", "left")
    assert "several panels or groups have the name 'Panel'" in said(geometry)


def test_panels_without_a_hierarchy(path: Path) -> None:
    told = listed()
    del told["hierarchy"]
    for panel in told["panels"]:
        panel["origin"][2] = -100.0
    detector = read(path, told).detector
    assert detector.paths == ((),) * 4
    assert detector["a"].origin == pytest.approx([*PANELS["a"][2][:2], -0.1])


def test_another_order_in_the_hierarchy_is_told(path: Path) -> None:
    told = listed()
    left, right = told["hierarchy"]["children"][0]["children"]
    # groups are sorted, but panels of one group between those of another cannot be
    told["hierarchy"]["children"][0]["children"] = [right, left]
    assert [panel.name for panel in read(path, told).detector] == list(PANELS)
    left["children"][1], right["children"][0] = right["children"][0], left["children"][1]
    geometry = read(path, told)
    assert [panel.name for panel in geometry.detector] == ["a", "c", "b", "d"]
    assert "in DIALS they have other numbers" in said(geometry)


def test_sensors_that_lack_a_number(path: Path) -> None:
    told = listed()
    told["panels"][0] |= {"thickness": 0.32, "mu": 4.0, "material": "Si"}
    geometry = read(path, told)
    assert geometry.detector.panels[0].sensor.layers.range == 0.0
    assert "320 um is not simulated" in said(geometry)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_size": [0, 18]}, "image_size is 0 x 18"),
        ({"image_size": [24.5, 18]}, "integers are expected"),
        ({"pixel_size": [0.1, -0.1]}, "not above zero"),
        ({"trusted_range": [10, 5]}, "trusted_range from 10 to 5"),
        ({"mask": [[30, 0, 40, 4]]}, "rectangle has no pixels"),
        ({"fast_axis": [0, 0, 0]}, "without a direction"),
        ({"fast_axis": [0, 1, 0], "slow_axis": [0, 1, 0]}, "axes are parallel"),
        ({"origin": [0.0, 0.0]}, "expected three values"),
        ({"gain": -1.0}, "gain must be positive"),
        ({"raw_image_offset": [1.5, 0]}, "raw_image_offset 1.5 0: integers are expected"),
    ],
)
def test_impossible_panels_are_errors(change: dict[str, Any], words: str, path: Path) -> None:
    told = listed()
    told["panels"][1] |= change
    with pytest.raises(FileFormatError, match=words):
        read(path, told)


@pytest.mark.parametrize(
    ("children", "words"),
    [
        ([{"panel": 0}], "does not hold panel 1"),
        ([{"panel": n} for n in (0, 1, 2, 3, 3)], "more than once"),
        ([{"panel": 4}], "a panel 4; there are 4"),
    ],
)
def test_impossible_hierarchies_are_errors(children: Any, words: str, path: Path) -> None:
    told = listed()
    told["hierarchy"]["children"] = children
    with pytest.raises(FileFormatError, match=words):
        read(path, told)


def test_skew_frames_are_errors(path: Path) -> None:
    told = listed()
    told["hierarchy"]["children"][0]["slow_axis"] = [0.1, 1.0, 0.0]
    with pytest.raises(FileFormatError, match="not perpendicular"):
        read(path, told)


def test_wrong_units_are_told(path: Path) -> None:
    told = listed()
    for panel in told["panels"]:
        panel["pixel_size"] = [100.0, 100.0]
    assert "pixel size of 100000 um is unusual" in said(read(path, told))


def test_one_panel_is_that_of_the_other_reader(path: Path) -> None:
    save(path, expt())
    one, several = dials.read(path), read_detector(path)
    (panel,) = several.detector
    np.testing.assert_allclose(panel.origin, one.origin, rtol=1e-15)
    np.testing.assert_array_equal(panel.fast, one.fast)
    assert (several.phi, several.oscillation) == (one.phi, one.oscillation)


def test_skew_panels_are_told(path: Path) -> None:
    """DIALS reads them without a word, although such an axis is often a mistake."""
    told = listed()
    panel = told["panels"][0]
    fast, slow = np.array(panel["fast_axis"]), np.array(panel["slow_axis"])
    panel["fast_axis"] = list(np.cos(0.01) * fast + np.sin(0.01) * slow)
    assert "axes of panel 'a' are 89.43 degrees apart, not 90" in said(read(path, told))


@pytest.mark.parametrize("wavelength", [-1.0, 0.0, math.nan, math.inf])
def test_impossible_wavelengths_are_errors(wavelength: float, path: Path) -> None:
    """A negative one would give an image without a word."""
    beam = {"direction": [0.0, 0.0, 1.0], "wavelength": wavelength}
    with pytest.raises(FileFormatError, match="wavelength"):
        read(path, listed(), beam=[beam])
