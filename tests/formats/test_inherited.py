"""Geometry which other files give: CBF, NXmx and DIALS experiment lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.errors import CupysimError
from cupysim.formats import cbf, dials, nexus
from cupysim.formats.nexus.frames import to_imgcif
from cupysim.models.experiment import Experiment
from tests.conftest import Run
from tests.tolerances import POSITION

CRYSTAL = "-cell 70 80 90 -default_F 100 -N 4 -nodump"
COMMON = f"{CRYSTAL} -lambda 1.1 -detpixels_f 40 -detpixels_s 30 -pixel 1 -distance 77"
CORNERS = [(0, 0), (40, 0), (0, 30), (40, 30)]

LIMIT = 2e-6
"""Of the image's maximum: mini-CBF headers have nine digits."""


def corners(experiment: Experiment) -> np.ndarray:
    """Corners of the detector in imgCIF's frame (m), shape (4, 3)."""
    detector = experiment.detector
    geometry, size = detector.geometry, detector.pixel_size
    rotation = to_imgcif(detector.unit_frame)
    points = [
        geometry.origin + size * (fast * geometry.fast + slow * geometry.slow)
        for fast, slow in CORNERS
    ]
    return np.array(points) @ rotation.T


def expt(**changes: Any) -> dict[str, Any]:
    """An experiment list as DIALS writes it, with some entries replaced."""
    content: dict[str, Any] = {
        "__id__": "ExperimentList",
        "experiment": [
            {"__id__": "Experiment", "beam": 0, "detector": 0, "goniometer": 0, "scan": 0,
             "crystal": 0},
        ],
        "beam": [{"direction": [0.0, 0.0, 1.0], "wavelength": 1.25,
                  "polarization_normal": [0.0, 1.0, 0.0], "polarization_fraction": 0.95}],
        "detector": [{"panels": [{
            "fast_axis": [1.0, 0.0, 0.0], "slow_axis": [0.0, -1.0, 0.0],
            "origin": [-20.5, 15.25, -77.0], "pixel_size": [1.0, 1.0], "image_size": [40, 30],
        }]}],
        "goniometer": [{"rotation_axis": [1.0, 0.0, 0.0],
                        "fixed_rotation": [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
                        "setting_rotation": [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0]}],
        "scan": [{"oscillation": [10.0, 0.5], "image_range": [1, 1]}],
        "crystal": [{"real_space_a": [50.0, 0.0, 0.0], "real_space_b": [0.0, 0.0, 60.0],
                     "real_space_c": [0.0, -70.0, 5.0]}],
    }  # fmt: skip
    return {**content, **changes}


def save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "tilt", ["", "-detector_rotx 7 -detector_roty -4 -twotheta 9", "-xds -ORGX 3 -ORGY 40"]
)
@pytest.mark.parametrize("scan", ["", "-phi 4 -osc 1 -phisteps 3"])
def test_geometry_of_an_hdf5_file_is_exact(tilt: str, scan: str, tmp_path: Path) -> None:
    experiment = from_args(f"{COMMON} {tilt} {scan} -polar 0.5")
    image = simulate(experiment)
    with (tmp_path / "a.h5").open("w+b") as stream:
        nexus.write(stream, nexus.Content(experiment, image.array))
    again = from_args(f"{CRYSTAL} -img {tmp_path / 'a.h5'} -phisteps 3")
    np.testing.assert_allclose(corners(again), corners(experiment), rtol=0, atol=POSITION)
    assert again.beam.wavelength == pytest.approx(experiment.beam.wavelength, rel=1e-12)
    assert again.scan.start == pytest.approx(experiment.scan.start)
    if scan:
        assert again.scan.sweep.range == pytest.approx(experiment.scan.sweep.range)


def test_options_overrule_what_is_inherited(tmp_path: Path) -> None:
    path = save(tmp_path / "a.expt", expt())
    experiment = from_args(f"-default_F 1 -N 3 -nodump -expt {path} -lambda 2 -phi 0 -osc 2")
    assert experiment.beam.wavelength == pytest.approx(2e-10)
    assert np.degrees(experiment.scan.sweep.range) == pytest.approx(2.0)
    assert experiment.scan.start == 0.0


def test_experiment_list(tmp_path: Path) -> None:
    path = save(tmp_path / "a.expt", expt())
    experiment = from_args(f"-default_F 1 -N 3 -nodump -expt {path}")
    expected = np.array([[-20.5, 15.25, -77], [19.5, 15.25, -77], [-20.5, -14.75, -77],
                         [19.5, -14.75, -77]])  # fmt: skip
    np.testing.assert_allclose(corners(experiment), 1e-3 * expected, rtol=0, atol=POSITION)
    assert experiment.beam.wavelength == pytest.approx(1.25e-10)
    # fully polarized light has the fraction 1, unpolarized light 1/2
    assert experiment.beam.polarization == pytest.approx(0.9)
    frame = experiment.detector.unit_frame
    np.testing.assert_allclose(np.abs(to_imgcif(frame) @ frame.polarization), [1, 0, 0], atol=1e-12)
    assert np.degrees(experiment.scan.start) == pytest.approx(10.0)
    assert np.degrees(experiment.scan.sweep.range) == pytest.approx(0.5)
    direct = 1e10 * experiment.crystal.direct
    np.testing.assert_allclose(direct, [[50, 0, 0], [0, 0, 60], [0, -70, 5]], atol=1e-9)


def test_experiment_list_with_hierarchy_and_turned_goniometer(tmp_path: Path) -> None:
    content = expt()
    quarter = [0.0, -1.0, 0, 1.0, 0, 0, 0, 0, 1.0]
    content["goniometer"][0]["fixed_rotation"] = quarter
    panel = content["detector"][0]["panels"][0]
    panel["origin"] = [-20.5, 15.25, 0.0]
    content["detector"][0]["hierarchy"] = {
        "fast_axis": [1.0, 0, 0], "slow_axis": [0, 1.0, 0], "origin": [0, 0, -77.0],
    }  # fmt: skip
    experiment = from_args(f"-default_F 1 -N 3 -nodump -expt {save(tmp_path / 'a.expt', content)}")
    np.testing.assert_allclose(corners(experiment)[0], [-0.0205, 0.01525, -0.077], atol=POSITION)
    np.testing.assert_allclose(1e10 * experiment.crystal.direct[0], [0, 50, 0], atol=1e-9)


def test_cbf_is_read_by_fabio_and_by_us(run: Run, tmp_path: Path) -> None:
    words = f"{COMMON} -xds -ORGX 17.3 -ORGY 12.2 -fluence 1e27 -water 3 -seed 5 -phi 2 -osc 1"
    outcome = run(f"{words} -cbffile a.cbf -h5file a.h5")
    assert outcome.status == 0, outcome.err
    counts = nexus.read("a.h5").counts
    with fabio.open("a.cbf") as image:
        assert type(image).__name__ == "CbfImage"
        np.testing.assert_array_equal(image.data, counts)
    again = from_args(f"{CRYSTAL} -img a.cbf -fluence 1e27")
    experiment = from_args(words)
    np.testing.assert_allclose(corners(again), corners(experiment), rtol=0, atol=1e-8)
    assert np.degrees(again.scan.sweep.range) == pytest.approx(1.0)
    assert again.beam.wavelength == pytest.approx(1.1e-10)


def test_cbf_as_a_mask(run: Run) -> None:
    words = f"{COMMON} -xds"
    run(f"{words} -nonoise -cbffile a.cbf")
    pixels, geometry = cbf.read("a.cbf")
    pixels = np.ones_like(pixels)
    pixels[3:9, 5:20] = -1
    with open("mask.cbf", "wb") as stream:
        cbf.write(stream, from_args(words), pixels)
    image = run(f"{words} -mask mask.cbf -floatfile new.bin").float_image(30, 40, "new.bin")
    np.testing.assert_array_equal(image != 0.0, pixels > 0)
    assert geometry.n_fast == 40


def test_hdf5_as_a_mask(run: Run) -> None:
    run(f"{COMMON} -roi 5 20 3 9 -h5file a.h5")
    image = run(f"{COMMON} -mask a.h5 -floatfile new.bin").float_image(30, 40, "new.bin")
    expected = np.zeros((30, 40), dtype=bool)
    expected[3:10, 5:21] = True
    np.testing.assert_array_equal(image != 0.0, expected)


@pytest.mark.parametrize("convention", ["-mosflm", "-denzo", "-xds", "-dials"])
def test_cbf_of_stills(convention: str, run: Run) -> None:
    assert run(f"{COMMON} {convention} -cbffile a.cbf").status == 0


@pytest.mark.parametrize(
    "words", ["-detector_roty 1", "-twotheta 3", "-curved_det -xds", "-adxv", "-dials -osc 1"]
)
def test_cbf_of_what_it_cannot_say(words: str, run: Run) -> None:
    outcome = run(f"{COMMON} {words} -cbffile a.cbf")
    assert outcome.status == 9
    assert outcome.files == {}
    assert "a mini-CBF header cannot say that" in outcome.err


BAD = {
    "no JSON": ("{", "no experiment list of DIALS"),
    "another list": ({"__id__": "ReflectionList"}, "no experiment list of DIALS"),
    "no beam": (
        expt(experiment=[{"detector": 0}]), "the experiment has no beam or no detector"
    ),
    "panels": (
        expt(detector=[{"panels": expt()["detector"][0]["panels"] * 2}]),
        "a detector of 2 panels; only single panels are supported so far",
    ),
    "experiments": (expt(experiment=expt()["experiment"] * 3), "3 experiments; one is expected"),
    "incomplete": (expt(beam=[{"direction": [0, 0, 1]}]), "a model is incomplete"),
    "through the sample": (
        expt(detector=[{"panels": [{**expt()["detector"][0]["panels"][0], "origin": [0, 0, 0]}]}]),
        "impossible position",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_experiment_lists(case: str, tmp_path: Path, run: Run) -> None:
    content, message = BAD[case]
    (tmp_path / "a.expt").write_text(content if isinstance(content, str) else json.dumps(content))
    outcome = run(f"-default_F 1 -N 3 -nodump -expt {tmp_path / 'a.expt'}")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_bad_images(run: Run) -> None:
    run(f"{COMMON} -xds -cbffile a.cbf -h5file a.h5")
    whole, hdf = Path("a.cbf").read_bytes(), Path("a.h5").read_bytes()
    Path("cut.cbf").write_bytes(whole[:700])
    Path("short.cbf").write_bytes(whole[:-300])
    Path("headless.cbf").write_bytes(whole.replace(b"Detector_distance", b"Detector_dance"))
    Path("cut.h5").write_bytes(hdf[: len(hdf) // 2])
    with h5py.File("other.h5", "w") as file:
        file["x"] = 1
    for words, message in {
        "-img cut.cbf": "cut.cbf: the CBF ",
        "-img short.cbf": "short.cbf: the CBF is cut off",
        "-img headless.cbf": "its header has no line Detector_distance",
        "-img cut.h5": "damaged or incomplete",
        "-img other.h5": "no NXmx entry",
        "-mask a.cbf -detpixels 50": "the mask has 40 x 30 pixels",
        "-mask a.h5 -detpixels 50": "the mask has 40 x 30 pixels",
    }.items():
        outcome = run(f"{CRYSTAL} {words} -floatfile new.bin")
        assert (outcome.status, outcome.files) == (9, {}), words
        assert outcome.err.count("\n") == 1, outcome.err
        assert message in outcome.err


def test_reading_needs_its_libraries(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    run(f"{COMMON} -xds -cbffile a.cbf -h5file a.h5")
    for library in ("fabio.cbfimage", "nxmx"):
        monkeypatch.setitem(__import__("sys").modules, library, None)
    for name in ("a.cbf", "a.h5"):
        with pytest.raises(CupysimError, match=r"pip install 'cupysim\[images\]'"):
            from_args(f"{CRYSTAL} -img {name}")


def test_polarization_which_is_not_known(tmp_path: Path) -> None:
    content = expt()
    del content["beam"][0]["polarization_normal"]
    assert dials.read(save(tmp_path / "a.expt", content)).polarization is None
