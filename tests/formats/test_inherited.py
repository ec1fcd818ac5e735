"""Geometry which other files give: CBF, NXmx and DIALS experiment lists."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.errors import CupysimError
from cupysim.formats import cbf, dials, nexus, nxmx_image
from cupysim.formats.frames import to_imgcif
from cupysim.models.experiment import Experiment
from tests.conftest import Run
from tests.tolerances import POSITION

CRYSTAL = "-cell 70 80 90 -default_F 100 -N 4 -nodump"
COMMON = f"{CRYSTAL} -lambda 1.1 -detpixels_f 40 -detpixels_s 30 -pixel 1 -distance 77"
FROM_MOSFLM = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""From MOSFLM's frame to imgCIF's."""

CORNERS = [(0, 0), (40, 0), (0, 30), (40, 30)]


def corners(experiment: Experiment) -> np.ndarray:
    """Corners of the detector in imgCIF's frame (m), shape (4, 3)."""
    detector = experiment.detector
    geometry, size = experiment.geometry, detector.pixel_size
    rotation = to_imgcif(experiment.frame)
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
    "tilt",
    [
        "",
        "-detector_rotx 7 -detector_roty -4 -twotheta 9",
        "-xds -ORGX 3 -ORGY 40",
        "-adxv -detector_rotx 3.3 -detector_rotz 31",
        "-dials",
    ],
)
@pytest.mark.parametrize("scan", ["", "-phi 4 -osc 1 -phisteps 3"])
def test_geometry_of_an_hdf5_file_is_exact(tilt: str, scan: str, tmp_path: Path) -> None:
    experiment = from_args(f"{COMMON} {tilt} {scan}")
    image = simulate(experiment)
    with (tmp_path / "a.h5").open("w+b") as stream:
        nexus.write(stream, nexus.Content(experiment, image.array))
    again = from_args(f"{CRYSTAL} -img {tmp_path / 'a.h5'} -phisteps 3")
    np.testing.assert_allclose(corners(again), corners(experiment), rtol=0, atol=POSITION)
    assert again.beam.wavelength == pytest.approx(experiment.beam.wavelength, rel=1e-12)
    assert again.scan.start == pytest.approx(experiment.scan.start)
    spindles = [to_imgcif(each.frame) @ each.frame.spindle for each in (again, experiment)]
    np.testing.assert_allclose(*spindles, atol=1e-12)
    if scan:
        assert again.scan.sweep.range == pytest.approx(experiment.scan.sweep.range)


def test_the_same_crystal_gives_the_same_image(tmp_path: Path) -> None:
    """Missetting angles mean the same beside an image of the default convention."""
    words = f"{CRYSTAL} -misset 10 20 30"
    experiment = from_args(f"{COMMON} -misset 10 20 30 -phi 5 -osc 1 -phisteps 2")
    image = simulate(experiment)
    image.save(tmp_path / "a.h5")
    again = simulate(from_args(f"{words} -img {tmp_path / 'a.h5'} -phisteps 2"))
    np.testing.assert_allclose(again.array, image.array, rtol=1e-5, atol=1e-9 * image.array.max())


def test_a_round_crystal_gives_the_same_image_in_the_inherited_frame(tmp_path: Path) -> None:
    """Its orientation is written in the frame of the list, so that both see the same crystal."""
    content = expt()
    first = from_args(f"-default_F 5 -N 4 -nodump -expt {save(tmp_path / 'a.expt', content)}")
    image = simulate(first)
    with (tmp_path / "a.h5").open("w+b") as stream:
        nexus.write(stream, nexus.Content(first, image.array))
    matrix = tmp_path / "a.mat"
    np.savetxt(matrix, 1.25 * first.lattice.reciprocal.T, fmt="%.17g")
    words = f"-default_F 5 -N 4 -nodump -img {tmp_path / 'a.h5'} -mat {matrix} -polar 0.9"
    second = simulate(from_args(words))
    np.testing.assert_allclose(second.array, image.array, rtol=1e-5, atol=1e-9 * image.array.max())


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
    frame = experiment.frame
    np.testing.assert_allclose(np.abs(to_imgcif(frame) @ frame.polarization), [1, 0, 0], atol=1e-12)
    assert np.degrees(experiment.scan.start) == pytest.approx(10.0)
    assert np.degrees(experiment.scan.sweep.range) == pytest.approx(0.5)
    direct = 1e10 * experiment.oriented.direct @ to_imgcif(frame).T
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
    np.testing.assert_allclose(
        1e10 * FROM_MOSFLM @ experiment.oriented.direct[0], [0, 50, 0], atol=1e-9
    )


def test_goniometer_of_several_axes(tmp_path: Path) -> None:
    """From the crystal outwards: phi and chi are fixed, omega turns, a last axis sets."""
    content = expt()
    content["goniometer"] = [{
        "axes": [[1.0, 0, 0], [0, 0, 1.0], [1.0, 0, 0], [0, 1.0, 0]],
        "angles": [0.0, 90.0, 10.0, 90.0],
        "names": ["phi", "chi", "omega", "set"], "scan_axis": 2,
    }]  # fmt: skip
    experiment = from_args(f"-default_F 1 -N 3 -nodump -expt {save(tmp_path / 'a.expt', content)}")
    # the omega axis x, turned by 90 degrees about y
    np.testing.assert_allclose(FROM_MOSFLM @ experiment.frame.spindle, [0, 0, -1], atol=1e-12)
    # a along x; chi turns it to y, where the last axis leaves it
    np.testing.assert_allclose(
        1e10 * FROM_MOSFLM @ experiment.oriented.direct[0], [0, 50, 0], atol=1e-9
    )


def test_setting_rotation_turns_the_spindle_too(tmp_path: Path) -> None:
    content = expt()
    content["goniometer"][0]["setting_rotation"] = [0.0, -1.0, 0, 1.0, 0, 0, 0, 0, 1.0]
    experiment = from_args(f"-default_F 1 -N 3 -nodump -expt {save(tmp_path / 'a.expt', content)}")
    np.testing.assert_allclose(FROM_MOSFLM @ experiment.frame.spindle, [0, 1, 0], atol=1e-12)


def test_hdf5_with_an_arm_and_several_axes(tmp_path: Path) -> None:
    """Rotations on which the module and the scan depend, as other writers have them."""
    experiment = from_args(f"{COMMON} -xds -phi 4 -osc 1 -phisteps 2")
    with (tmp_path / "a.h5").open("w+b") as stream:
        nexus.write(stream, nexus.Content(experiment, simulate(experiment).array))
    before = nxmx_image.read(tmp_path / "a.h5")[1]
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        group = file["entry/instrument/detector/transformations"]
        group["arm"] = [20.0]
        group["arm"].attrs.update(
            units="deg", transformation_type="rotation", vector=[1.0, 0, 0], depends_on="."
        )
        group["det_z"].attrs["depends_on"] = group["arm"].name
        sample = file["entry/sample/transformations"]
        for name, angle in (("chi", 30.0), ("phi", 0.0)):
            sample[name] = [angle]
            sample[name].attrs.update(
                units="deg", transformation_type="rotation", vector=[0, 0, 1.0], depends_on="."
            )
        # crystal -> phi -> omega (turns) -> chi
        sample["phi"].attrs["depends_on"] = sample["omega"].name
        sample["omega"].attrs["depends_on"] = sample["chi"].name
        del file["entry/sample/depends_on"]
        file["entry/sample/depends_on"] = sample["phi"].name
    after = nxmx_image.read(tmp_path / "a.h5")[1]
    # about NeXus' x, which is imgCIF's -x
    sine, cosine = np.sin(np.radians(-20.0)), np.cos(np.radians(20.0))
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    for name in ("origin", "fast", "slow"):
        np.testing.assert_allclose(getattr(after, name), turn @ getattr(before, name), atol=1e-12)
    # about NeXus' z, which is imgCIF's -z
    sine, cosine = np.sin(np.radians(-30.0)), np.cos(np.radians(30.0))
    np.testing.assert_allclose(after.spindle, [cosine, sine, 0], atol=1e-12)
    assert np.degrees(after.phi) == pytest.approx(4.0)
    assert np.degrees(after.oscillation) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "words", ["-xds", "-distance 50", "-Xbeam 3", "-ORGX 4", "-beam_vector 1 0 0"]
)
def test_placing_beside_an_exact_file_is_refused(words: str, tmp_path: Path, run: Run) -> None:
    path = save(tmp_path / "a.expt", expt())
    outcome = run(f"-default_F 1 -N 3 -nodump -expt {path} {words}")
    assert (outcome.status, outcome.files) == (9, {})
    assert f"{words.split()[0]}: cannot be combined with" in outcome.err


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
    for gap, rest in ((-1, 7), (0, 1)):
        pixels = np.full_like(pixels, rest)
        pixels[3:9, 5:20] = gap
        with open("mask.cbf", "wb") as stream:
            cbf.write(stream, from_args(words), pixels)
    image = run(f"{words} -mask mask.cbf -nonoise -floatfile new.bin").float_image(
        30, 40, "new.bin"
    )
    np.testing.assert_array_equal(image != 0.0, pixels > 0)
    assert geometry.n_fast == 40


def test_hdf5_as_a_mask(run: Run) -> None:
    run(f"{COMMON} -roi 5 20 3 9 -h5file a.h5")
    image = run(f"{COMMON} -mask a.h5 -nonoise -floatfile new.bin").float_image(30, 40, "new.bin")
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


PANEL = expt()["detector"][0]["panels"][0]

BAD = {
    "no JSON": ("{", "no experiment list of DIALS"),
    "another list": ({"__id__": "ReflectionList"}, "no experiment list of DIALS"),
    "no beam": (
        expt(experiment=[{"detector": 0}]), "the experiment has no beam or no detector"
    ),
    "experiments": (expt(experiment=expt()["experiment"] * 3), "3 experiments; one is expected"),
    "no list": ({"__id__": "ExperimentList", "experiment": 5}, "no experiment list of DIALS"),
    "infinite": (
        expt(detector=[{"panels": [{**PANEL, "image_size": [1e999, 9]}]}]),
        "a model is incomplete",
    ),
    "no width": (
        expt(scan=[{"properties": {"oscillation": [10.0]}, "image_range": [1, 1]}]),
        "the scan has one angle, and no width",
    ),
    "incomplete": (expt(beam=[{"wavelength": 1.0}]), "a model is incomplete: no 'direction'"),
    "no wavelength": (
        expt(beam=[{"direction": [0, 0, 1]}]),
        "the experiment has no wavelength; give -lambda or -energy",
    ),
    "through the sample": (
        expt(detector=[{"panels": [{**PANEL, "origin": [0, 0, 0]}]}]),
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
    for library in ("fabio.compression", "nxmx"):
        monkeypatch.setitem(__import__("sys").modules, library, None)
    for name in ("a.cbf", "a.h5"):
        with pytest.raises(CupysimError, match=r"pip install 'cupysim\[images\]'"):
            from_args(f"{CRYSTAL} -img {name}")


def test_polarization_which_is_not_known(tmp_path: Path) -> None:
    content = expt()
    del content["beam"][0]["polarization_normal"]
    kahn, field = dials.read(save(tmp_path / "a.expt", content)).polarization
    # dxtbx then takes 0.999 and (0 1 0)
    assert kahn == pytest.approx(2.0 * content["beam"][0]["polarization_fraction"] - 1.0)
    np.testing.assert_allclose(field, [1.0, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_mangled_images(seed: int, tmp_path: Path, run: Run) -> None:
    """One line or an image, and always an end."""
    run(f"{COMMON} -xds -cbffile a.cbf")
    random = np.random.default_rng(seed)
    data = bytearray(Path("a.cbf").read_bytes())
    for _ in range(random.integers(1, 30)):
        place = int(random.integers(0, min(len(data), 2500)))
        if random.random() < 0.5:
            data[place] = int(random.integers(0, 256))
        else:
            del data[place : place + int(random.integers(1, 40))]
    Path("b.cbf").write_bytes(data)
    outcome = run(f"{CRYSTAL} -img b.cbf -roi 0 3 0 3 -floatfile new.bin")
    assert outcome.status in (0, 9)
    if outcome.status == 9:
        assert outcome.files == {}
        assert outcome.err.splitlines()[-1].startswith("cupysim: error: ")


def test_widths_of_newer_lists(tmp_path: Path) -> None:
    scan = {"properties": {"oscillation": [10.0], "oscillation_width": [0.25]}}
    geometry = dials.read(save(tmp_path / "a.expt", expt(scan=[scan])))
    assert np.degrees(geometry.oscillation) == pytest.approx(0.25)


def test_pipes_are_refused(run: Run) -> None:
    run("-h")
    os.mkfifo("pipe.cbf")
    outcome = run(f"{CRYSTAL} -img pipe.cbf")
    assert outcome.status == 9
    assert "not a regular file" in outcome.err


def test_cbf_of_bright_pixels_and_of_a_source_table(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("0 0 -10 1 1.5e-10\n")
    words = f"{COMMON} -xds -fluence 1e39 -nonoise -sourcefile {source}"
    assert run(f"{words} -cbffile a.cbf").status == 0
    pixels, geometry = cbf.read("a.cbf")
    assert pixels.max() == cbf.LARGEST_PIXEL_VALUE
    assert pixels.min() >= 0
    assert geometry.wavelength == pytest.approx(1.5e-10)
