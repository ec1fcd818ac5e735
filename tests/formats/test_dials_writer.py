"""Experiment lists that cupysim writes: what the reader and dxtbx's rules make of them."""

from __future__ import annotations

import dataclasses
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.errors import CupysimError, CupysimWarning, ModelError
from cupysim.formats import dials
from cupysim.formats.detector_geometry import DetectorGeometry
from cupysim.formats.dials_detector import read_detector
from cupysim.formats.dials_writer import write_experiments
from cupysim.formats.frames import to_imgcif
from cupysim.models.experiment import Experiment
from cupysim.models.panel import Panel
from cupysim.models.panel_detector import PanelDetector
from cupysim.models.panel_group import PanelGroup
from tests.formats.panel_files import PIXELS, THICK, expected, experiment, turn
from tests.tolerances import POSITION

ONE = "-cell 30 40 50 80 95 100 -default_F 100 -N 5 -lambda 1.1 -detpixels_f 40 -detpixels_s 30"
TILT = "-detector_rotx 7 -detector_roty -4 -detector_rotz 31 -twotheta 12"


def content(of: Experiment, image: str | None = None) -> dict[str, Any]:
    stream = BytesIO()
    write_experiments(stream, of, image)
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def written(path: Path, of: Experiment) -> DetectorGeometry:
    with path.open("wb") as stream:
        write_experiments(stream, of)
    return read_detector(path)


@pytest.mark.parametrize("width", [0.0, 0.5])
def test_panels_come_back(width: float, tmp_path: Path) -> None:
    made = experiment(width, start=7.0, gain=1.5, saturation=1000.0, sensor=THICK)
    geometry = written(tmp_path / "a.expt", made)
    before, after = made.detector, geometry.detector
    assert isinstance(before, PanelDetector)
    assert (after.name, after.paths) == (before.name, before.paths)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(
            new.position(*PIXELS.T), expected(old.name), rtol=0, atol=POSITION
        )
        assert (new.n_fast, new.n_slow, new.gain) == (old.n_fast, old.n_slow, old.gain)
        assert new.edges == pytest.approx(old.edges, rel=1e-15)
        assert new.saturation == 1000.0
        assert new.sensor.layers.range == pytest.approx(320e-6)
        assert new.sensor.attenuation == pytest.approx(4000.0)
    assert geometry.wavelength == pytest.approx(1.1e-10)
    assert geometry.polarization == pytest.approx(0.9)
    assert abs(np.dot(after.polarization or (), before.polarization or ())) == pytest.approx(1.0)
    if width:
        assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([7.0, 0.5])


def test_parallax_is_corrected_if_it_was_simulated() -> None:
    (told,) = content(experiment(sensor=THICK))["detector"]
    assert told["panels"][0]["px_mm_strategy"] == {"type": "ParallaxCorrectedPxMmStrategy"}
    assert (told["panels"][0]["thickness"], told["panels"][0]["mu"]) == pytest.approx((0.32, 4.0))
    (told,) = content(experiment())["detector"]
    assert told["panels"][0]["px_mm_strategy"] == {"type": "SimplePxMmStrategy"}


def test_pixels_without_photons_are_trusted() -> None:
    """In DIALS 3.12, which excludes the limits, and in later versions, which include them."""
    least, most = content(experiment(saturation=50.0))["detector"][0]["panels"][0]["trusted_range"]
    assert -1.0 < least < 0.0
    assert most == 50.0


def test_masks_come_back(tmp_path: Path) -> None:
    mask = np.ones((18, 24), dtype=bool)
    mask[2:5, 3:9] = mask[4:9, 8:12] = mask[17] = mask[0, 0] = mask[11, 23] = False
    geometry = written(tmp_path / "a.expt", experiment(mask=mask))
    for panel in geometry.detector:
        assert panel.mask is not None
        np.testing.assert_array_equal(panel.mask, mask)
    rectangles = content(experiment(mask=mask))["detector"][0]["panels"][0]["mask"]
    assert len(rectangles) < 10


def test_masks_of_many_rectangles_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cupysim.formats.dials_writer.MOST_RECTANGLES", 3)
    mask = np.indices((18, 24)).sum(axis=0) % 2 == 0
    with pytest.warns(CupysimWarning, match="left out of the experiment list"):
        told = content(experiment(mask=mask))
    assert told["detector"][0]["panels"][0]["mask"] == []


def test_a_frame_of_the_hierarchy_comes_back(tmp_path: Path) -> None:
    made = experiment()
    detector = made.detector
    assert isinstance(detector, PanelDetector)
    matrix = turn(1, 10.0)
    whole = PanelGroup("all", detector.members, (0.0, 0.001, 0.0), matrix[:, 0], matrix[:, 1])
    within = PanelDetector([whole], detector.beam, detector.spindle)
    moved = Experiment(made.beam, made.crystal, within, made.structure_factors)
    assert content(moved)["detector"][0]["hierarchy"]["name"] == "all"
    assert written(tmp_path / "a.expt", moved).detector.paths == within.paths


def test_a_still_is_turned_by_its_angle(tmp_path: Path) -> None:
    """Without a scan, DIALS knows no spindle angle."""
    made = experiment(start=30.0)
    told = content(made)
    assert (told["goniometer"], told["scan"]) == ([], [])
    geometry = written(tmp_path / "a.expt", made)
    wanted = made.lattice.reciprocal @ turn(0, 30.0).T
    assert geometry.reciprocal is not None
    np.testing.assert_allclose(geometry.reciprocal, wanted, rtol=1e-12)


@pytest.mark.parametrize("convention", ["-mosflm", "-denzo", "-xds", "-dials", "-adxv"])
@pytest.mark.parametrize("scan", ["", "-phi 3 -osc 1 -phisteps 2"])
@pytest.mark.parametrize("tilt", ["", TILT])
def test_one_panel(convention: str, scan: str, tilt: str, tmp_path: Path) -> None:
    made = from_args(f"{ONE} {convention} {scan} {tilt} -misset 10 20 30 -polar 0.8")
    with (tmp_path / "a.expt").open("wb") as stream:
        write_experiments(stream, made)
    found, rotation = dials.read(tmp_path / "a.expt"), to_imgcif(made.frame)
    np.testing.assert_allclose(found.origin, rotation @ made.geometry.origin, atol=POSITION)
    for name in ("fast", "slow"):
        axis = rotation @ getattr(made.geometry, name)
        np.testing.assert_allclose(getattr(found, name), axis, atol=1e-12)
    np.testing.assert_allclose(found.beam, [0, 0, -1], atol=1e-12)
    assert found.reciprocal is not None
    assert found.polarization is not None
    # images depend on the direct vectors; quirk Q5 makes the reciprocal ones differ
    direct = np.linalg.inv(found.reciprocal).T
    np.testing.assert_allclose(direct, made.lattice.direct @ rotation.T, atol=1e-9)
    assert found.polarization[0] == pytest.approx(0.8)
    field = rotation @ made.frame.polarization
    assert abs(found.polarization[1] @ field) == pytest.approx(1.0)
    if scan:
        np.testing.assert_allclose(found.spindle, rotation @ made.frame.spindle, atol=1e-12)
        assert np.degrees([found.phi, found.oscillation]) == pytest.approx([3.0, 1.0])
    else:
        assert found.phi is None


def test_an_image_of_the_list_is_that_of_the_experiment(tmp_path: Path) -> None:
    made = experiment(width=1.0)
    geometry = written(tmp_path / "a.expt", made)
    crystal = type(made.crystal)(reciprocal=geometry.reciprocal, n_cells=(5, 5, 5))
    again = Experiment(
        made.beam, crystal, geometry.detector, made.structure_factors, made.scan,
        rendering=made.rendering,
    )  # fmt: skip
    before, after = simulate(made).array, simulate(again).array
    assert before.max() > 0.0
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-7 * before.max())


@pytest.mark.parametrize(
    ("width", "image", "entry"),
    [
        (0.0, "a/x.h5", {"__id__": "ImageSet", "images": ["a/x.h5"], "single_file_indices": [0]}),
        (0.0, "x_001.cbf", {"__id__": "ImageSet", "images": ["x_001.cbf"]}),
        (1.0, "x.h5", {"__id__": "ImageSequence", "template": "x.h5", "single_file_indices": [0]}),
        (1.0, "s2/x_017.cbf", {"__id__": "ImageSequence", "template": "s2/x_###.cbf"}),
    ],
)
def test_images(width: float, image: str, entry: dict[str, Any]) -> None:
    told = content(experiment(width), image)
    assert told["experiment"][0]["imageset"] == 0
    (found,) = told["imageset"]
    assert {key: value for key, value in found.items() if key in entry} == entry
    assert ("single_file_indices" in found) == image.endswith(".h5")
    if width:
        number = 17 if image.endswith(".cbf") else 1
        assert told["scan"][0]["image_range"] == [number, number]


def test_skew_panels_are_errors() -> None:
    made = experiment()
    panel = Panel("skew", 4, 4, (0, 0, -0.1), (1, 0, 0), (1e-6, 1, 0), 1e-4)
    skew = dataclasses.replace(made, detector=PanelDetector([panel], (0, 0, -1), (1, 0, 0)))
    with pytest.raises(ModelError, match="DIALS refuses 'skew'"):
        content(skew)


def test_scans_need_a_number_in_their_names() -> None:
    with pytest.raises(CupysimError, match="needs a number in the name"):
        content(experiment(1.0), "image.cbf")


def test_curved_detectors_are_errors() -> None:
    with pytest.raises(ModelError, match="curved"):
        content(from_args(f"{ONE} -curved_det -nonoise"))
