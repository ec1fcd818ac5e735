"""Geometry as other programs write it: NXmx and Eiger masters, experiment lists, SMV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import dials, dials_detector, nxmx_image, smv
from cupysim.formats.any_image import open_image
from tests.conftest import Run
from tests.field.nxmx_files import (
    CENTRE,
    DISTANCE,
    LEAVE_OUT,
    N_FAST,
    N_SLOW,
    PIXEL,
    dataset,
    write,
)
from tests.formats.test_inherited import expt

CRYSTAL = "-cell 70 80 90 -default_F 100 -N 2 -nodump"
WORDS = f"{CRYSTAL} -nonoise -nopgm -noprogress -roi 0 3 0 3"


def experiment(path: Path, words: str = "") -> Any:
    return from_args(f"{CRYSTAL} -img {path} {words}")


# wavelengths


def test_a_spectrum_becomes_sources(tmp_path: Path) -> None:
    """Their image is the weighted mean of those of the wavelengths."""
    waves, weights = [0.96, 0.98, 1.00], [0.1, 0.2, 0.7]
    path = write(tmp_path / "a.h5", wavelength=waves, weights=weights)
    found = experiment(path, "-roi 30 45 20 35")
    assert found.beam.wavelength == pytest.approx(0.992e-10)
    np.testing.assert_allclose(found.sources.wavelengths, 1e-10 * np.array(waves))
    np.testing.assert_allclose(found.sources.brightness, 3 * np.array(weights))
    one_by_one = sum(
        weight * simulate(experiment(path, f"-roi 30 45 20 35 -lambda {wave}")).array.astype(float)
        for wave, weight in zip(waves, weights, strict=True)
    )
    image = simulate(found).array
    np.testing.assert_allclose(image, one_by_one, rtol=1e-5, atol=1e-9 * image.max())


@pytest.mark.parametrize("words", ["-lambda 0.9", "-energy 13776.02"])
def test_options_overrule_a_spectrum(words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", wavelength=[0.96, 1.0], weights=[0.5, 0.5])
    found = experiment(path, words)
    np.testing.assert_allclose(found.sources.wavelengths, [0.9e-10], rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "number", "expected"),
    [
        ({"wavelength": [0.98, 1.01, 1.02]}, 0, 0.98),
        ({"wavelength": [0.98, 1.01, 1.02]}, 2, 1.02),
        ({"wavelength": [0.9, 1.0], "weights": [[1, 0], [1, 1], [1, 3]]}, 0, 0.9),
        ({"wavelength": [0.9, 1.0], "weights": [[1, 0], [1, 1], [1, 3]]}, 2, 0.975),
        (
            {"wavelength": [[0.9, 1.0], [0.8, 0.9], [0.7, 0.8]], "weights": np.ones((3, 2))},
            1,
            0.85,
        ),
    ],
)
def test_wavelength_of_an_image(
    arrays: dict[str, Any], number: int, expected: float, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", omega=[0.0, 1.0, 2.0], **arrays)
    found = experiment(path, f"-image {number}")
    assert found.beam.wavelength == pytest.approx(1e-10 * expected)
    assert found.scan.start == pytest.approx(np.radians(number))
    assert nxmx_image.read(path, number)[1].wavelength == pytest.approx(1e-10 * expected)


def test_wavelength_by_a_variant(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.h5",
        wavelength=0.98,
        beam={
            "incident_wavelength_1Dspectrum": [0.9, 1.0],
            "incident_wavelength_1Dspectrum_weights": [0.25, 0.75],
        },
    )
    with h5py.File(path, "r+") as file:
        stored = file["entry/instrument/beam/incident_wavelength"]
        stored.attrs["variant"] = "incident_wavelength_1Dspectrum"
    np.testing.assert_allclose(experiment(path).sources.wavelengths, [0.9e-10, 1e-10])


@pytest.mark.parametrize(("energy", "units"), [(12398.42, "eV"), (12.39842, "keV")])
def test_wavelength_by_the_energy(energy: float, units: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", wavelength=LEAVE_OUT)
    with h5py.File(path, "r+") as file:
        file["entry/instrument/beam/incident_energy"] = energy
        file["entry/instrument/beam/incident_energy"].attrs["units"] = units
    assert experiment(path).beam.wavelength == pytest.approx(1e-10)


NO_WAVELENGTH = {
    "none": ({"wavelength": LEAVE_OUT}, "no incident_wavelength"),
    "ambiguous": ({"wavelength": [0.9, 1.0]}, "2 numbers and no weights, but the file has 1"),
    "zero": ({"wavelength": 0.0}, "not above zero"),
    "shapes": (
        {"wavelength": [0.9, 1.0], "weights": [1.0, 2.0, 3.0]},
        "has the shape (2,), its weights (3,)",
    ),
}


@pytest.mark.parametrize("case", NO_WAVELENGTH)
def test_without_a_wavelength_one_is_demanded(case: str, tmp_path: Path, run: Run) -> None:
    arrays, message = NO_WAVELENGTH[case]
    write(tmp_path / "a.h5", **arrays)
    outcome = run(f"{WORDS} -img a.h5")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert "give -lambda or -energy" in outcome.err
    outcome = run(f"{WORDS} -img a.h5 -lambda 0.9")
    assert outcome.status == 0, outcome.err
    assert "wave=9e-11 meters" in outcome.out
    assert message in run("info a.h5").out


# angles

WIDTHS = {
    "increment": ({"omega_increment_set": 0.15, "omega_end": [9.0, 99.0, 199.0]}, 0.15),
    "increments": ({"omega_increment_set": [0.15, 0.25, 0.35]}, 0.25),
    "average": ({"omega_range_average": 0.15}, 0.15),
    "end": ({"omega_end": [0.15, 45.2, 90.15]}, 0.2),
    "next": ({}, 45.0),
}


@pytest.mark.parametrize("case", WIDTHS)
def test_width_of_an_image(case: str, tmp_path: Path) -> None:
    """Screening at 0, 45 and 90 degrees: the file's word counts, then the next angle."""
    beside, width = WIDTHS[case]
    path = write(tmp_path / "a.h5", omega=[0.0, 45.0, 90.0], beside_omega=beside)
    found = experiment(path, "-image 1")
    assert np.degrees(found.scan.start) == pytest.approx(45.0)
    assert np.degrees(found.scan.sweep.range) == pytest.approx(width)


def test_negative_widths_turn_about_the_opposite_axis(tmp_path: Path) -> None:
    """nanoBragg's rules would make a still of them."""
    backward = write(tmp_path / "a.h5", omega=[10.0, 9.5])
    found = nxmx_image.read(backward)[1]
    content = expt(scan=[{"image_range": [1, 2], "oscillation": [10.0, -0.5]}])
    (tmp_path / "a.expt").write_text(json.dumps(content))
    for geometry in (found, dials.read(tmp_path / "a.expt")):
        assert np.degrees(geometry.phi) == pytest.approx(-10.0)
        assert np.degrees(geometry.oscillation) == pytest.approx(0.5)
        np.testing.assert_allclose(geometry.spindle, [-1.0, 0.0, 0.0], atol=1e-12)


def test_numbers_of_images(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "a.h5", omega=[0.0, 1.0])
    outcome = run(f"{WORDS} -img a.h5 -image 2")
    assert (outcome.status, outcome.files) == (9, {})
    assert "there is no image 2; the file has 0 to 1" in outcome.err
    assert run(f"{WORDS} -img a.h5 --image 1").status == 0
    for command in ("info", "show --save b.png"):
        assert run(f"{command} a.h5 --image 1").status == 0
        assert run(f"{command} a.h5 --image 2").status == 2
    outcome = run(f"{WORDS} -image 1")
    assert "-image: needs a file of several images" in outcome.err


# panels


def test_beam_centre_and_distance_alone(tmp_path: Path) -> None:
    detector = {
        "beam_center_x": (CENTRE[0], "pixel"),
        "beam_center_y": (CENTRE[1], "pixel"),
        "detector_distance": (1e3 * DISTANCE, "mm"),
        "x_pixel_size": (PIXEL, "m"),
        "y_pixel_size": (PIXEL, "m"),
    }
    bare = write(tmp_path / "a.h5", chain=False, detector=detector)
    placed = write(tmp_path / "b.h5")
    with pytest.warns(CupysimWarning, match="beam centre and distance only"):
        found = experiment(bare)
    expected = experiment(placed)
    for name in ("origin", "fast", "slow"):
        np.testing.assert_allclose(
            getattr(found.geometry, name), getattr(expected.geometry, name), atol=1e-12
        )
    assert (found.detector.n_fast, found.detector.n_slow) == (N_FAST, N_SLOW)


def test_vectors_of_any_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for name, vector in (("fast", [-2.0, 0, 0]), ("slow", [0, -2.0, 0])):
            module = file["entry/instrument/detector/module"]
            module[f"{name}_pixel_direction"].attrs["vector"] = vector
    assert experiment(path).detector.pixel_size == pytest.approx(PIXEL)


def test_a_two_theta_arm(tmp_path: Path) -> None:
    """Turned by 20 degrees about the spindle, upwards, by hand."""
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        chain = file["entry/instrument/detector/transformations"]
        dataset(chain, "arm", [20.0], depends_on=".", transformation_type="rotation",
                units="deg", vector=[-1.0, 0.0, 0.0])  # fmt: skip
        chain["det_z"].attrs["depends_on"] = "arm"
    found = nxmx_image.read(path)[1]
    sine, cosine = np.sin(np.radians(20.0)), np.cos(np.radians(20.0))
    np.testing.assert_allclose(found.slow, [0.0, -cosine, -sine], atol=1e-12)
    x, y = PIXEL * CENTRE[0], PIXEL * CENTRE[1]
    turned = [-x, y * cosine + DISTANCE * sine, y * sine - DISTANCE * cosine]
    np.testing.assert_allclose(found.origin, turned, atol=1e-12)


@pytest.mark.parametrize("missing", ["beam_center_x", "detector_distance", "y_pixel_size"])
def test_missing_parts_are_named(missing: str, tmp_path: Path, run: Run) -> None:
    detector = {
        "beam_center_x": (38.0, "pixel"),
        "beam_center_y": (28.0, "pixel"),
        "detector_distance": (0.15, "m"),
        "x_pixel_size": (PIXEL, "m"),
        "y_pixel_size": (PIXEL, "m"),
    }
    del detector[missing]
    write(tmp_path / "a.h5", chain=False, detector=detector)
    outcome = run(f"{WORDS} -img a.h5")
    assert (outcome.status, outcome.files) == (9, {})
    assert f"neither a module nor {missing.removeprefix('detector_')}" in outcome.err


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_all_ones_are_not_measured(dtype: type, tmp_path: Path) -> None:
    images = np.full((1, N_SLOW, N_FAST), 7, dtype=dtype)
    images[0, 10:12] = np.iinfo(dtype).max
    for mask in (True, False):
        image = open_image(write(tmp_path / "a.h5", images, mask=mask))
        assert np.array_equal(np.flatnonzero(image.masked.all(axis=1)), [10, 11])
        assert image.masked.sum() == 2 * N_FAST
    # as a mask, a file without pixel_mask excludes what was not measured
    mask = from_args(f"{CRYSTAL} -lambda 1 -mask {tmp_path / 'a.h5'}").rendering.mask
    assert np.array_equal(np.flatnonzero(~mask.any(axis=1)), [10, 11])


def test_masters_whose_images_are_missing(tmp_path: Path, run: Run) -> None:
    """The geometry is in the master; images are needed by who looks at them alone."""
    path = write(tmp_path / "a.h5", omega=[0.0, 1.0, 2.0])
    with h5py.File(path, "r+") as file:
        del file["entry/data/data"]
        file["entry/data/data_000001"] = h5py.ExternalLink("missing.h5", "/entry/data/data")
    found = experiment(path, "-image 2")
    assert np.degrees(found.scan.start) == pytest.approx(2.0)
    outcome = run("info a.h5")
    assert outcome.status == 2
    assert "it holds no images, or the files with them are missing" in outcome.err


def test_images_of_another_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", np.full((1, N_SLOW, N_FAST), 7, dtype=np.uint16))
    with h5py.File(path, "r+") as file:
        file.move("entry/data/data", "entry/data/counts")
        file["entry/data"].attrs["signal"] = "counts"
    assert open_image(path).pixels.max() == 7


# experiment lists


def nested(levels: int, turn: float = 30.0) -> dict[str, Any]:
    """A panel below groups which are all turned about z and shifted along x."""
    cosine, sine = float(np.cos(np.radians(turn))), float(np.sin(np.radians(turn)))
    inner: dict[str, Any] = {"panel": 0}
    for _ in range(levels):
        inner = {
            "fast_axis": [cosine, sine, 0.0], "slow_axis": [-sine, cosine, 0.0],
            "origin": [5.0, 0.0, -10.0], "children": [inner],
        }  # fmt: skip
    content = expt()
    content["detector"][0]["hierarchy"] = inner
    return content


@pytest.mark.parametrize("levels", [1, 2, 3, 6])
def test_every_level_of_a_hierarchy_counts(levels: int, tmp_path: Path) -> None:
    (tmp_path / "a.expt").write_text(json.dumps(nested(levels)))
    found = dials.read(tmp_path / "a.expt")
    angle = np.radians(30.0 * levels)
    fast = np.array([np.cos(angle), np.sin(angle), 0.0])
    np.testing.assert_allclose(found.fast, fast, atol=1e-12)
    origin = np.array([-20.5, 15.25, -77.0])
    step = np.array([[np.cos(np.pi / 6), -0.5, 0.0], [0.5, np.cos(np.pi / 6), 0.0], [0, 0, 1]])
    for _ in range(levels):
        origin = step @ origin + [5.0, 0.0, -10.0]
    np.testing.assert_allclose(found.origin, 1e-3 * origin, atol=1e-12)


@pytest.mark.parametrize("lacking", ["fast_axis", "slow_axis", "origin"])
@pytest.mark.parametrize("value", [None, "left out"])
def test_frames_of_groups_are_complete(lacking: str, value: object, tmp_path: Path) -> None:
    """dxtbx ignores a frame that lacks a part, and the panels are elsewhere."""
    content = nested(2)
    group = content["detector"][0]["hierarchy"]["children"][0]
    group[lacking] = value
    if value is not None:
        del group[lacking]
    (tmp_path / "a.expt").write_text(json.dumps(content))
    for read in (dials.read, dials_detector.read_detector):
        with pytest.raises(FileFormatError, match=f"a group of its detector has .*no {lacking}"):
            read(tmp_path / "a.expt")
    for name in ("fast_axis", "slow_axis", "origin"):
        group.pop(name, None)
    (tmp_path / "a.expt").write_text(json.dumps(content))
    # without any of them, the group moves nothing
    (tmp_path / "b.expt").write_text(json.dumps(nested(1)))
    one, other = (dials.read(tmp_path / name) for name in ("a.expt", "b.expt"))
    np.testing.assert_array_equal(one.origin, other.origin)


def test_a_panel_outside_the_hierarchy(tmp_path: Path, run: Run) -> None:
    content = nested(1)
    content["detector"][0]["hierarchy"]["children"] = [{"panel": 1}]
    (tmp_path / "a.expt").write_text(json.dumps(content))
    outcome = run(f"-default_F 1 -N 2 -nodump -expt {tmp_path / 'a.expt'}")
    assert (outcome.status, outcome.files) == (9, {})
    assert "hierarchy does not hold the panel" in outcome.err


SCANS = {
    "still": ({"image_range": [1, 3], "properties": {"epochs": [0, 0, 0]}}, 2, None, None),
    "oscillation": ({"image_range": [1, 3], "oscillation": [10.0, 0.5]}, 2, 11.0, 0.5),
    "properties": (
        {"image_range": [1, 3], "properties": {"oscillation": [10.0, 10.5, 12.0]}}, 1, 10.5, 1.5,
    ),
    "widths": (
        {
            "image_range": [1, 2],
            "properties": {"oscillation": [0.0, 45.0], "oscillation_width": [0.1, 0.2]},
        },
        1, 45.0, 0.2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SCANS)
def test_scans(case: str, tmp_path: Path) -> None:
    scan, number, start, width = SCANS[case]
    (tmp_path / "a.expt").write_text(json.dumps(expt(scan=[scan])))
    found = dials.read(tmp_path / "a.expt", number)
    if start is None:
        assert (found.phi, found.oscillation) == (None, None)
    else:
        assert np.degrees(found.phi) == pytest.approx(start)
        assert np.degrees(found.oscillation) == pytest.approx(width)


def test_varying_crystals_count_at_the_image(tmp_path: Path) -> None:
    content = expt(scan=[{"image_range": [1, 2], "oscillation": [0.0, 1.0]}])
    matrices = [np.diag([0.02, 0.025, 0.01]) * (1.0 + 0.01 * n) for n in range(3)]
    content["crystal"][0]["A_at_scan_points"] = [m.ravel().tolist() for m in matrices]
    (tmp_path / "a.expt").write_text(json.dumps(content))
    found = dials.read(tmp_path / "a.expt", 1)
    np.testing.assert_allclose(found.reciprocal, matrices[1].T, atol=1e-12)


@pytest.mark.parametrize("n_points", [1, 2, 4])
@pytest.mark.parametrize("kind", ["crystal", "beam", "goniometer"])
def test_varying_models_of_another_scan(kind: str, n_points: int, tmp_path: Path) -> None:
    """It is unknown which value belongs to which image."""
    content = expt(scan=[{"image_range": [1, 2], "oscillation": [0.0, 1.0]}])
    name, value = {
        "crystal": ("A_at_scan_points", np.diag([0.02, 0.025, 0.01]).ravel().tolist()),
        "beam": ("s0_at_scan_points", [0.0, 0.0, -0.8]),
        "goniometer": ("setting_rotation_at_scan_points", np.eye(3).ravel().tolist()),
    }[kind]
    content[kind][0][name] = [value] * n_points
    (tmp_path / "a.expt").write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=f"{n_points} .* for 2 images; DIALS writes 3"):
        dials.read(tmp_path / "a.expt", 0)


def test_varying_beams_and_settings_count_at_the_image(tmp_path: Path) -> None:
    content = expt(scan=[{"image_range": [1, 2], "oscillation": [0.0, 1.0]}])
    content["beam"][0]["s0_at_scan_points"] = [
        [0.0, 0.0, -0.8],
        [0.0, 0.3, -0.4],
        [0.0, 0.3, -0.4],
    ]
    quarter = [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    content["goniometer"][0]["setting_rotation_at_scan_points"] = [
        np.eye(3).ravel().tolist(),
        quarter,
        quarter,
    ]
    (tmp_path / "a.expt").write_text(json.dumps(content))
    found = dials.read(tmp_path / "a.expt", 1)
    np.testing.assert_allclose(found.beam, [0.0, 0.6, -0.8])
    assert found.wavelength == pytest.approx(2e-10)
    np.testing.assert_allclose(found.spindle, [0.0, 1.0, 0.0], atol=1e-12)


def test_polychromatic_beams_are_named(tmp_path: Path, run: Run) -> None:
    beam = {"direction": [0, 0, 1], "wavelength_range": [0.9, 1.1]}
    (tmp_path / "a.expt").write_text(json.dumps(expt(beam=[beam])))
    words = f"-default_F 1 -N 2 -nodump -expt {tmp_path / 'a.expt'} -roi 0 2 0 2"
    outcome = run(words)
    assert "its beam is polychromatic, from 0.9 to 1.1 A; give -lambda" in outcome.err
    assert run(f"{words} -lambda 1 -dispersion 20 -dispsteps 3").status == 0


# SMV

HEADER = (
    "HEADER_BYTES=  512;", "DIM=2;", "BYTE_ORDER=little_endian;", "TYPE=unsigned_short;",
    "SIZE1=80;", "SIZE2=64;", "PIXEL_SIZE=0.1026;", "DISTANCE=150.0;", "WAVELENGTH=0.98;",
    "BEAM_CENTER_X=4.1;", "BEAM_CENTER_Y=3.3;", "PHI=12.0;", "OSC_RANGE=0.5;",
)  # fmt: skip


def smv_file(
    path: Path, values: np.ndarray, replaced: dict[str, str] | None = None, end: str = "\n"
) -> Path:
    lines = [
        f"{key}={(replaced or {}).get(key, value)}"
        for key, _, value in (line.partition("=") for line in HEADER)
    ]
    text = "{" + end + end.join(lines) + end + "}\f"
    path.write_bytes(text.encode().ljust(512) + values.tobytes())
    return path


COUNTS = np.arange(64 * 80).reshape(64, 80)


@pytest.mark.parametrize(
    ("kind", "dtype", "order"),
    [
        ("unsigned_short;", "<u2", "little_endian;"),
        ("long_integer;", "<i4", "little_endian;"),
        ("long_integer;", ">i4", " big_endian;"),
        ("signed_short;", "<i2", "little_endian;"),
        (" unsigned long int ;", "<u4", "LITTLE_ENDIAN;"),
        ("unsigned_short;", ">u2", " big_endian;"),
        ("unsigned_short;", ">u2", "BIG_ENDIAN;"),
        ("float IEEE;", "<f4", "little_endian;"),
    ],
)
def test_pixels_as_declared(kind: str, dtype: str, order: str, tmp_path: Path) -> None:
    values = COUNTS if dtype[1:] in ("u2", "i2") else 70000 + COUNTS
    path = smv_file(
        tmp_path / "a_001.img", values.astype(dtype), {"TYPE": kind, "BYTE_ORDER": order}
    )
    found = smv.read(path).image
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(found, values)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("TYPE", "mad;", "pixels of the type 'mad'"),
        ("DIM", "2;\nCOMPRESSION=pck;", "pixels are compressed (pck)"),
    ],
)
def test_pixels_which_are_not_known(key: str, value: str, message: str, tmp_path: Path,
                                    run: Run) -> None:  # fmt: skip
    smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"), {key: value})
    outcome = run(f"{WORDS} -img a_001.img")
    assert (outcome.status, outcome.files) == (9, {})
    assert message in outcome.err


def test_carriage_returns(tmp_path: Path) -> None:
    path = smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"), end="\r\n")
    assert np.array_equal(smv.read(path).image, COUNTS)
    found = from_args(f"{CRYSTAL} -img {path}")
    assert found.detector.distance == pytest.approx(0.15)
    assert found.beam.wavelength == pytest.approx(0.98e-10)


def test_info_shows_what_a_header_says(tmp_path: Path, run: Run) -> None:
    smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"))
    told = run("info a_001.img").out
    for words in (
        "pixel         0.1026 mm", "distance      150 mm", "wavelength    0.98 A",
        "BEAM_CENTER_X=4.1 BEAM_CENTER_Y=3.3 mm", "from 12 by 0.5 degrees",
    ):  # fmt: skip
        assert words in told
    # MOSFLM's convention, in which -img reads it
    geometry = from_args(f"{CRYSTAL} -img a_001.img").geometry
    fast, slow = (float(x) / 0.1026e-3 for x in (geometry.beam_fast, geometry.beam_slow))
    assert f"beam centre   {fast:.3f} {slow:.3f} pixels" in told


def test_a_header_without_wavelength(tmp_path: Path, run: Run) -> None:
    path = smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"))
    path.write_bytes(path.read_bytes().replace(b"WAVELENGTH=0.98;", b"UNUSED=1234567;;"))
    outcome = run(f"{WORDS} -img a_001.img")
    assert outcome.status == 0
    assert "its header has no WAVELENGTH; 1 A is used, as in nanoBragg" in outcome.err
    assert "WAVELENGTH" not in run(f"{WORDS} -img a_001.img -lambda 2").err


@pytest.mark.parametrize(
    ("key", "left", "message"),
    [
        ("PIXEL_SIZE", "-pixel 0.1", "its header has no PIXEL_SIZE; 0.1 mm is used"),
        ("DISTANCE", "-distance 90", "its header has no DISTANCE; 100 mm is used"),
    ],
)
def test_headers_without_geometry(
    key: str, left: str, message: str, tmp_path: Path, run: Run
) -> None:
    path = smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"))
    path.write_bytes(path.read_bytes().replace(f"{key}=".encode(), b"X" * len(key) + b"="))
    assert message in run(f"{WORDS} -img a_001.img").err
    assert message not in run(f"{WORDS} -img a_001.img {left}").err


def test_what_is_left_out_of_a_header(tmp_path: Path, run: Run) -> None:
    smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"), {"DIM": "2;\nTWOTHETA=15;", "PHI": ";"})
    data = (tmp_path / "a_001.img").read_bytes().replace(b"PHI=;", b"OSC_START=10;")
    (tmp_path / "a_001.img").write_bytes(data[:512] + data[-2 * COUNTS.size :])
    told = run(f"{WORDS} -img a_001.img").err
    assert "Q29: TWOTHETA=15 in the header of a_001.img is not used" in told
    assert "Q29: OSC_START=10 in the header of a_001.img is not used" in told
    outcome = run(f"{WORDS} -img a_001.img -corrected")
    assert "Q29" not in outcome.err
    assert "1 phi steps" not in outcome.out
    assert np.degrees(experiment(tmp_path / "a_001.img", "-corrected").scan.start) == (
        pytest.approx(10.0)
    )


# what a hostile tester found


def edited(path: Path, change: Any, **arrays: Any) -> Path:
    """A file of which something was changed by hand."""
    write(path, **arrays)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


DETECTOR = "entry/instrument/detector"


def replace_dataset(name: str, value: Any) -> Any:
    def change(file: Any) -> None:
        attributes = dict(file[name].attrs) if name in file else {}
        if name in file:
            del file[name]
        dataset(file, name, value, **attributes)

    return change


def set_attribute(name: str, key: str, value: Any) -> Any:
    def change(file: Any) -> None:
        file[name].attrs[key] = value

    return change


MISTAKES = {
    "circle": (
        set_attribute(f"{DETECTOR}/transformations/det_z", "depends_on",
                      f"/{DETECTOR}/transformations/det_z"),
        {}, "axes depend on each other in a circle",
    ),
    "no kind": (
        set_attribute(f"{DETECTOR}/transformations/det_z", "transformation_type", "shear"),
        {}, "has the transformation_type 'shear'",
    ),
    "no direction": (
        set_attribute(f"{DETECTOR}/transformations/det_z", "vector", [0.0, 0.0, 0.0]),
        {}, "has no direction",
    ),
    "too few distances": (
        replace_dataset(f"{DETECTOR}/transformations/det_z", [0.1, 0.2]),
        {"omega": [0.0, 1.0, 2.0]}, "det_z has 2 values, none for image 2",
    ),
    "part of an image": (
        replace_dataset(f"{DETECTOR}/module/data_size", [20, 30]),
        {"omega": [0.0, 1.0, 2.0]}, "a module of 30 x 20 pixels in images of 80 x 64",
    ),
    "stride": (
        replace_dataset(f"{DETECTOR}/module/data_stride", [2, 2]),
        {"omega": [0.0, 1.0, 2.0]}, "a part of the image (data_stride)",
    ),
    "mask of another shape": (
        replace_dataset(f"{DETECTOR}/pixel_mask", np.zeros(5, np.uint32)),
        {"omega": [0.0, 1.0, 2.0]}, "its pixel_mask has the shape (5,)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_in_chains(case: str, tmp_path: Path, run: Run) -> None:
    change, arrays, message = MISTAKES[case]
    edited(tmp_path / "a.h5", change, **{"omega": [0.0, 1.0, 2.0], **arrays})
    outcome = run(f"{WORDS} -img a.h5 -image 2")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_order_of_data_size(tmp_path: Path) -> None:
    change = replace_dataset(f"{DETECTOR}/module/data_size", [N_FAST, N_SLOW])
    with pytest.warns(CupysimWarning, match="data_size has fast before slow"):
        found = experiment(edited(tmp_path / "a.h5", change)).detector
    assert (found.n_fast, found.n_slow) == (N_FAST, N_SLOW)


def test_kinds_of_transformations_in_capitals(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        chain = file[f"{DETECTOR}/transformations"]
        dataset(chain, "arm", [20.0], depends_on=".", transformation_type="Rotation",
                units="deg", vector=[-3.0, 0.0, 0.0])  # fmt: skip
        chain["det_z"].attrs["depends_on"] = "arm"

    found = nxmx_image.read(edited(tmp_path / "a.h5", change))[1]
    angle = np.radians(20.0)
    np.testing.assert_allclose(found.slow, [0.0, -np.cos(angle), -np.sin(angle)], atol=1e-12)


def test_sweeps_apart(tmp_path: Path) -> None:
    """The last image of a sweep has the width of the others."""
    path = write(tmp_path / "a.h5", omega=[0.0, 0.5, 1.0, 90.0, 90.5, 91.0])
    for number in range(6):
        width = nxmx_image.read(path, number)[1].oscillation
        assert np.degrees(width) == pytest.approx(0.5)


@pytest.mark.parametrize("axis", ["omega", "phi"])
def test_masters_which_do_not_place_their_axes(axis: str, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        sample = file["entry/sample"]
        del sample["depends_on"], sample["transformations"]
        for name in ("omega", "phi"):
            turns = name == axis
            sample[f"goniometer/{name}"] = 30.0 + 0.2 * turns * np.arange(3)
            sample[f"goniometer/{name}_increment"] = np.full(3, 0.2 * turns)

    path = edited(tmp_path / "a.h5", change, omega=[0.0, 1.0, 2.0])
    with pytest.warns(CupysimWarning, match=f"does not place its {axis} axis"):
        found = experiment(path, "-image 2").scan
    assert np.degrees(found.start) == pytest.approx(30.4)
    assert np.degrees(found.sweep.range) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("names", "start", "width", "message"),
    [
        (("_start", "_range_average"), 91.4, 0.2, ""),
        (("_start", "_increment", "_range_average"), 91.4, 0.2, ""),
        (("_range_average",), 0.0, 0.0, "omega_range_average is 0.2 degrees, but the file has no"),
        (("_increment",), 0.0, 0.0, "omega_increment is 0.2 degrees, but the file has no first"),
    ],
)
def test_masters_without_a_list_of_angles(
    names: tuple[str, ...], start: float, width: float, message: str, tmp_path: Path
) -> None:
    """Image 7 of a scan in steps of 0.2 degrees from 90."""
    values = {"_start": 90.0, "_increment": 0.2, "_range_average": 0.2}

    def change(file: Any) -> None:
        sample = file["entry/sample"]
        del sample["depends_on"], sample["transformations"]
        for name in names:
            sample[f"goniometer/omega{name}"] = values[name]
            sample[f"goniometer/omega{name}"].attrs["units"] = "degree"

    path = edited(tmp_path / "a.h5", change, omega=[0.0] * 10)
    geometry = nxmx_image.read(path, 7)[1]
    assert np.degrees(geometry.phi) == pytest.approx(start)
    assert np.degrees(geometry.oscillation or 0.0) == pytest.approx(width)
    assert message in "\n".join(geometry.remarks)


def test_ends_without_a_unit_have_that_of_the_axis(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        moved = file["entry/sample/transformations"]
        moved["omega"].attrs["units"] = "rad"
        moved["omega_end"] = np.array([0.5])

    found = nxmx_image.read(edited(tmp_path / "a.h5", change, omega=[0.2]))[1]
    assert found.oscillation == pytest.approx(0.3)


def test_masks_of_all_kinds(tmp_path: Path, run: Run) -> None:
    plane = np.zeros((N_SLOW, N_FAST), np.uint32)
    planes = np.stack([plane, plane, plane])
    planes[2, 5, 7] = 1

    def special(file: Any) -> None:
        del file[f"{DETECTOR}/pixel_mask"]
        file[f"{DETECTOR}/detectorSpecific/pixel_mask"] = planes[2]

    for change, number in (
        (special, 0),
        (replace_dataset(f"{DETECTOR}/pixel_mask", planes), 2),
    ):
        path = edited(tmp_path / "a.h5", change, omega=[0.0, 1.0, 2.0])
        good, _ = nxmx_image.read(path, number)
        assert np.argwhere(~good).tolist() == [[5, 7]]


@pytest.mark.parametrize("applied", [True, np.int32(0), [1]])
def test_a_note_about_the_mask_is_not_a_mask(applied: Any, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file[f"{DETECTOR}/pixel_mask_applied"] = applied
        file[f"{DETECTOR}/pixel_mask"][5, 7] = 1

    good, _ = nxmx_image.read(edited(tmp_path / "a.h5", change), 0)
    assert np.argwhere(~good).tolist() == [[5, 7]]


def test_angles_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", omega=[0.0, np.nan, 2.0])
    with pytest.raises(FileFormatError, match="transformations/omega is nan at image 1"):
        nxmx_image.read(path, 1)


@pytest.mark.parametrize("name", ["nowhere", "/entry/nowhere/omega"])
def test_axes_that_depend_on_missing_ones_are_named(name: str, tmp_path: Path) -> None:
    change = set_attribute("entry/sample/transformations/omega", "depends_on", name)
    with pytest.raises(FileFormatError, match=f"omega depends on '{name}', which is not"):
        nxmx_image.read(edited(tmp_path / "a.h5", change), 0)


@pytest.mark.parametrize("unit", ["A", "Angstrom", "angstroms", "nm"])
def test_spellings_of_angstrom(unit: str, tmp_path: Path) -> None:
    change = set_attribute("entry/instrument/beam/incident_wavelength", "units", unit)
    found = experiment(edited(tmp_path / "a.h5", change))
    assert found.beam.wavelength == pytest.approx(0.98e-9 if unit == "nm" else 0.98e-10)


def test_several_entries_and_beams(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file.copy("entry", "alpha")
        del file["alpha/data/data"], file["alpha/data"]
        file[f"{DETECTOR}/transformations/det_z"][...] = 0.3
        file.copy("entry/instrument/beam", "entry/instrument/second")
        file["entry/instrument/second/incident_wavelength"][...] = 1.5

    path = edited(tmp_path / "a.h5", change)
    with pytest.warns(CupysimWarning) as caught:
        found = experiment(path)
    told = " ".join(str(each.message) for each in caught)
    assert "entry /entry is read; others: /alpha" in told
    assert "2 beams; the wavelength is that of /entry/instrument/beam" in told
    assert found.geometry.distance == pytest.approx(0.3)
    assert found.beam.wavelength == pytest.approx(0.98e-10)


LISTS = {
    "electrons": ({"beam": [{"direction": [0, 0, 1], "wavelength": 0.02, "probe": "electron"}]},
                  "its beam consists of electrons"),
    "range": ({"scan": [{"image_range": [5, 1], "oscillation": [0, 1]}]}, "goes from 5 to 1"),
    "flat": ({"crystal": [{"real_space_a": [1, 0, 0], "real_space_b": [1, 0, 0],
                           "real_space_c": [0, 0, 1]}]}, "cell vectors span no volume"),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTS)
def test_impossible_lists(case: str, tmp_path: Path, run: Run) -> None:
    changes, message = LISTS[case]
    (tmp_path / "a.expt").write_text(json.dumps(expt(**changes)))
    outcome = run(f"-default_F 1 -N 2 -nodump -expt {tmp_path / 'a.expt'}")
    assert (outcome.status, outcome.files) == (9, {})
    assert message in outcome.err


def test_left_handed_crystals_are_told(tmp_path: Path) -> None:
    crystal = {"real_space_a": [50.0, 0, 0], "real_space_b": [0, 60.0, 0],
               "real_space_c": [0, 0, -70.0]}  # fmt: skip
    (tmp_path / "a.expt").write_text(json.dumps(expt(crystal=[crystal])))
    with pytest.warns(CupysimWarning, match="its crystal is left-handed"):
        from_args(f"-default_F 1 -N 2 -nodump -expt {tmp_path / 'a.expt'}")


def test_axes_of_groups_of_any_length(tmp_path: Path) -> None:
    content = nested(1)
    plain = tmp_path / "a.expt"
    plain.write_text(json.dumps(content))
    group = content["detector"][0]["hierarchy"]
    group["fast_axis"] = [2.0 * x for x in group["fast_axis"]]
    (tmp_path / "b.expt").write_text(json.dumps(content))
    np.testing.assert_allclose(dials.read(tmp_path / "b.expt").origin, dials.read(plain).origin)


@pytest.mark.parametrize(
    ("value", "told"),
    [("0.15 m;", "DISTANCE=0.15 m is read as 0.15 mm"), ("150,5;", "is read as 150 mm")],
)
def test_units_in_headers_are_told(value: str, told: str, tmp_path: Path, run: Run) -> None:
    smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"), {"DISTANCE": value})
    assert told in run(f"{WORDS} -img a_001.img").err
