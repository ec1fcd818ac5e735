"""What less usual writers of geometry put into files: read as it is meant, or told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import cbf_header, dials, imgcif, nxmx_image
from tests.conftest import Run
from tests.field.cbf_files import AXES, HEADER, imgcif_text
from tests.field.nxmx_files import (
    CENTRE,
    DISTANCE,
    N_FAST,
    N_SLOW,
    PIXEL,
    dataset,
    group,
    write,
)
from tests.field.test_geometry import COUNTS, DETECTOR, WORDS, edited, smv_file
from tests.field.test_smv_headers import header_with
from tests.formats.test_inherited import expt

OMEGA = "entry/sample/transformations/omega"


def nxmx(path: Path, change: Any, number: int = 0, **arrays: Any) -> Any:
    return nxmx_image.read(edited(path, change, **arrays), number)[1]


def angles_of(geometry: Any) -> list[float]:
    """First angle and width (degrees)."""
    return np.degrees([geometry.phi, geometry.oscillation or 0.0]).tolist()


def said(geometry: Any) -> str:
    return "\n".join(geometry.remarks)


# NXmx


def test_stills_at_an_angle_need_an_axis_too(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        sample = file["entry/sample"]
        del sample["depends_on"], sample["transformations"]
        sample["goniometer/omega"] = 90.0

    geometry = nxmx(tmp_path / "a.h5", change)
    assert angles_of(geometry) == pytest.approx([90.0, 0.0])
    assert "does not place its omega axis" in said(geometry)


@pytest.mark.parametrize(
    ("start", "end", "width"), [(0.0, 270.0, 270.0), (0.0, 200.0, 200.0), (359.9, 0.1, 0.2)]
)
def test_long_rotations_are_not_taken_for_a_jump(
    start: float, end: float, width: float, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", omega=[start], beside_omega={"omega_end": [end]})
    assert angles_of(nxmx_image.read(path)[1]) == pytest.approx([start, width])


def test_lengths_of_vectors_multiply_values(tmp_path: Path) -> None:
    """NXtransformations: the shift is the vector times the value."""
    place = np.array([PIXEL * CENTRE[0], PIXEL * CENTRE[1], DISTANCE])

    def change(file: Any) -> None:
        file[f"{DETECTOR}/module/module_offset"].attrs["offset"] = np.zeros(3)
        moved = file[f"{DETECTOR}/transformations/det_z"]
        moved.attrs["vector"] = place
        moved[...] = 1.0

    geometry = nxmx(tmp_path / "a.h5", change)
    np.testing.assert_allclose(geometry.origin, [-place[0], place[1], -place[2]], rtol=1e-12)
    assert "the vector of its det_z has the length 0.15" in said(geometry)


def test_a_shift_of_zero_needs_no_vector(tmp_path: Path) -> None:
    """As in the masters that dxtbx mends."""

    def change(file: Any) -> None:
        file[f"{DETECTOR}/module/module_offset"].attrs["vector"] = np.zeros(3)

    plain = nxmx_image.read(write(tmp_path / "b.h5"))[1]
    geometry = nxmx(tmp_path / "a.h5", change)
    np.testing.assert_array_equal(geometry.origin, plain.origin)


def test_blank_units_are_none(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file[OMEGA].attrs["units"] = " "

    geometry = nxmx(tmp_path / "a.h5", change, omega=[10.0, 10.5, 11.0])
    assert angles_of(geometry) == pytest.approx([10.0, 0.5])
    assert "omega has no unit; degrees are assumed" in said(geometry)


def test_numbers_of_data_sets_count(tmp_path: Path) -> None:
    """data_2 comes before data_10."""

    def change(file: Any) -> None:
        del file["entry/data/data"]
        for number in range(12):
            image = np.full((1, N_SLOW, N_FAST), number, np.uint32)
            file[f"entry/data/data_{number + 1}"] = image

    path = edited(tmp_path / "a.h5", change, omega=[float(n) for n in range(12)])
    with h5py.File(path) as file:
        assert [nxmx_image.read_image(path, file, n)[0][0, 0] for n in range(12)] == list(range(12))


def test_positioners_of_a_sample(tmp_path: Path) -> None:
    """As in files of GDA: the axis is in a group of its own."""

    def change(file: Any) -> None:
        sample = file["entry/sample"]
        del sample["depends_on"], sample["transformations"]
        positioner = group(sample, "sample_omega", "NXpositioner")
        dataset(positioner, "omega", [20.0, 20.5, 21.0], units="deg")

    geometry = nxmx(tmp_path / "a.h5", change, 2, omega=[0.0, 0.0, 0.0])
    assert angles_of(geometry) == pytest.approx([21.0, 0.5])
    assert "does not place its omega axis" in said(geometry)


def test_a_goniometer_beside_a_chain_that_stands(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["entry/sample/goniometer/omega"] = 90.0 + 0.5 * np.arange(5)

    geometry = nxmx(
        tmp_path / "a.h5", change, omega=[0.0], images=np.zeros((5, N_SLOW, N_FAST), np.uint32)
    )
    assert "its goniometer turns omega by 0.5 degrees, but the axes that" in said(geometry)


def test_fast_and_slow_axes_on_different_arms(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        moved = file[f"{DETECTOR}/transformations"]
        dataset(moved, "arm", [20.0], depends_on=".", transformation_type="rotation", units="deg",
                vector=[-1.0, 0.0, 0.0])  # fmt: skip
        moved["det_z"].attrs["depends_on"] = moved["arm"].name
        file[f"{DETECTOR}/module/slow_pixel_direction"].attrs["depends_on"] = "."

    assert "turn them differently" in said(nxmx(tmp_path / "a.h5", change))


def test_stokes_parameters_in_columns_are_told(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        rows = np.array([[1.0, 0.8, 0.0, 0.0]] * 3).T
        file["entry/instrument/beam/incident_polarization_stokes"] = rows

    geometry = nxmx(tmp_path / "a.h5", change, 1, omega=[0.0, 0.1, 0.2])
    assert geometry.polarization is None
    assert "incident_polarization_stokes has the shape (4, 3) and is not used" in said(geometry)


def test_masks_of_detector_specific(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        mask = np.zeros((N_SLOW, N_FAST), np.uint32)
        mask[3, 4] = 1
        file[f"{DETECTOR}/detector_specific/pixel_mask"] = mask
        del file[f"{DETECTOR}/pixel_mask"]

    good, _ = nxmx_image.read(edited(tmp_path / "a.h5", change))
    assert np.argwhere(~good).tolist() == [[3, 4]]


def test_relative_names_of_axes(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file[f"{DETECTOR}/module/module_offset"].attrs["depends_on"] = "../transformations/det_z"

    plain = nxmx_image.read(write(tmp_path / "b.h5"))[1]
    np.testing.assert_array_equal(nxmx(tmp_path / "a.h5", change).origin, plain.origin)


def test_axes_without_motion_end_a_chain(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        moved = file[f"{DETECTOR}/transformations"]
        dataset(moved, "gravity", [0.0], depends_on=".", vector=[0.0, -1.0, 0.0])
        moved["det_z"].attrs["depends_on"] = moved["gravity"].name

    plain = nxmx_image.read(write(tmp_path / "b.h5"))[1]
    np.testing.assert_array_equal(nxmx(tmp_path / "a.h5", change).origin, plain.origin)


def test_files_that_name_no_definition(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["entry/definition"]

    plain = nxmx_image.read(write(tmp_path / "b.h5"))[1]
    np.testing.assert_array_equal(nxmx(tmp_path / "a.h5", change).origin, plain.origin)


def test_a_diode_is_not_a_panel(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        diode = group(file["entry/instrument"], "diode", "NXdetector")
        diode["data"] = np.zeros(3)

    detector = {
        "beam_center_x": (CENTRE[0], "pixel"), "beam_center_y": (CENTRE[1], "pixel"),
        "detector_distance": (DISTANCE, "m"), "x_pixel_size": (PIXEL, "m"),
        "y_pixel_size": (PIXEL, "m"),
    }  # fmt: skip
    geometry = nxmx(tmp_path / "a.h5", change, chain=False, detector=detector)
    assert geometry.origin[2] == pytest.approx(-DISTANCE)


MASTER = {
    "beam_center_x": (CENTRE[0], "pixel"), "beam_center_y": (CENTRE[1], "pixel"),
    "detector_distance": (DISTANCE, "m"), "x_pixel_size": (PIXEL, "m"),
    "y_pixel_size": (PIXEL, "m"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "units", "told"),
    [
        ("geometry/orientation/value", [0.0, 1.0, 0.0, -1.0, 0.0, 0.0], "", "orientation 0 1 0 -1"),
        ("geometry/orientation/value", [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0], "", ""),
        ("distance", 2.0 * DISTANCE, "m", "detector_distance 150 mm; distance is used"),
        ("distance", DISTANCE, "m", ""),
    ],
)
def test_masters_that_say_more(
    name: str, value: Any, units: str, told: str, tmp_path: Path
) -> None:
    def change(file: Any) -> None:
        file[f"{DETECTOR}/{name}"] = value
        file[f"{DETECTOR}/{name}"].attrs["units"] = units

    geometry = nxmx(tmp_path / "a.h5", change, chain=False, detector=MASTER)
    assert "assumed to be normal" in said(geometry)
    assert told in said(geometry)
    assert len(geometry.remarks) == 1 + bool(told)


# imgCIF


def tables(**arguments: Any) -> Any:
    return geometry_of(imgcif_text((60, 40), **arguments))


def geometry_of(text: str) -> Any:
    return imgcif.read("a.cbf", f"data_a\n{text}", 60, 40)[0]


def test_a_turned_source(tmp_path: Path) -> None:
    axes = [
        "SOURCE general source TILT 0 0 1 . . .",
        "TILT rotation source . 0 1 0 . . .",
        *AXES[1:],
    ]
    stands = {"DISTANCE": (0.0, 150.0), "TILT": (2.0, 0.0)}
    angle = np.radians(2.0)
    for listed in (axes, [axes[1], axes[0], *axes[2:]]):
        geometry = tables(axes=listed, stands=stands)
        expected = [-np.sin(angle), 0.0, -np.cos(angle)]
        np.testing.assert_allclose(geometry.beam, expected, atol=1e-12)


def test_goniometers_of_the_table_of_measurements() -> None:
    text = imgcif_text((60, 40), increments={"OMEGA": 0.5},
                       stands={"DISTANCE": (0.0, 150.0), "OMEGA": (10.0, 0.0)})  # fmt: skip
    text = text.replace("rotation goniometer", "rotation .")
    geometry = geometry_of(text)
    assert angles_of(geometry) == pytest.approx([10.0, 0.5])


def test_the_type_of_an_axis_says_which_setting_it_has() -> None:
    stands = {"DISTANCE": (7.0, 150.0), "TWOTHETA": (0.0, 45.0)}
    plain, odd = tables(), tables(stands=stands)
    np.testing.assert_array_equal(odd.origin, plain.origin)


def test_axes_of_the_crystal_are_refused() -> None:
    text = imgcif_text((60, 40)).replace("_axis.depends_on", "_axis.depends_on\n_axis.system")
    text = text.replace("rotation goniometer . 1", "rotation goniometer . direct 1")
    for row in AXES:
        words = row.split()
        if words[0] != "OMEGA":
            text = text.replace(row, " ".join([*words[:4], "laboratory", *words[4:]]))
    with pytest.raises(FileFormatError, match="'OMEGA' is in the system 'direct', not the labora"):
        geometry_of(text)


@pytest.mark.parametrize(
    ("before", "row", "item"),
    [
        ("_diffrn_radiation.wavelength_id", "D1 W1", "_diffrn_radiation.polarisn_ratio"),
        ("_diffrn_scan_frame.scan_id", "F1 1 S1", "_diffrn_scan_frame.polarizn_Stokes_I"),
    ],
)
def test_other_polarizations_are_told(before: str, row: str, item: str) -> None:
    text = imgcif_text((60, 40)).replace(f"{before}\n{row}", f"{before}\n{item}\n{row} 0.02")
    assert item in text
    name = item.split(".")[1].lower()
    assert f"{name} is not used; -polar gives a factor" in said(geometry_of(text))


def test_shifts_of_the_sample_are_told() -> None:
    axes = [*AXES, "GX translation goniometer PHI 1 0 0 . . ."]
    stands = {"DISTANCE": (0.0, 150.0), "GX": (0.0, 1.5)}
    assert "its sample is shifted by GX 1.5 mm" in said(tables(axes=axes, stands=stands))


# mini-CBF


def mini(**lines: str) -> Any:
    text = "\n".join(f"# {name} {value}" for name, value in {**HEADER, **lines}.items())
    return cbf_header.geometry("a.cbf", text, 60, 40)


@pytest.mark.parametrize(
    ("axis", "sign"),
    [
        ("X, CW", 1.0), ("X, CCW", -1.0), ("X, counterclockwise", -1.0), ("OMEGA", 1.0),
        ("X, anti-clockwise", -1.0), ("X, clockwise", 1.0), ("-OMEGA", -1.0),
    ],
)  # fmt: skip
def test_senses_of_rotation(axis: str, sign: float) -> None:
    np.testing.assert_array_equal(mini(Oscillation_axis=axis).spindle, [sign, 0.0, 0.0])


@pytest.mark.parametrize("start", ["-30.0 deg.", "- 30.0 deg.", "\N{MINUS SIGN}30.0 deg."])
def test_signs_of_angles(start: str) -> None:
    assert angles_of(mini(Start_angle=start)) == pytest.approx([-30.0, 0.5])


def test_other_turning_axes_and_beam_centres_are_told() -> None:
    geometry = mini(Oscillation_axis="OMEGA", Phi_increment="2 deg.", Beam_x="9 pixels")
    assert "Phi_increment 2 is not used: another axis turns" in said(geometry)
    assert "Beam_x is 9, but Beam_xy has 3.25 and is used" in said(geometry)
    assert said(mini(Beam_x="3.25 pixels")) == ""
    assert said(mini(Beam_x="0.559 mm")) == ""


def test_beam_centres_in_two_lines() -> None:
    """Dectris' lines Beam_x and Beam_y, without Beam_xy; 0.559 mm are 3.25 pixels."""
    usual = mini()
    for x, y in (("3.25 pixels", "1.5 pixels"), ("0.559 mm", "0.258 mm"), ("3.25", "1.5")):
        geometry = mini(Beam_xy="", Beam_x=x, Beam_y=y)
        assert geometry.origin[2] == usual.origin[2]
        np.testing.assert_allclose(geometry.origin[:2], [-3.25 * 172e-6, 1.5 * 172e-6], rtol=1e-9)
        assert ("has no unit" in said(geometry)) == (x == "3.25")
    with pytest.raises(FileFormatError, match="its header has no line Beam_xy"):
        mini(Beam_xy="", Beam_x="3.25 pixels")


# SMV


def test_settings_without_an_axis(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a_001.img", {"KAPPA": "45"})
    assert "its goniometer stands at KAPPA 45 degrees" in run(f"{WORDS} -img a_001.img").err


def test_keys_in_lower_case_are_named(tmp_path: Path, run: Run) -> None:
    path = smv_file(tmp_path / "a_001.img", COUNTS.astype("<u2"))
    data = path.read_bytes()
    for key in (b"PIXEL_SIZE", b"OSC_RANGE"):
        data = data.replace(key, key.lower())
    path.write_bytes(data)
    outcome = run(f"{WORDS} -img a_001.img")
    for key in ("PIXEL_SIZE", "OSC_RANGE"):
        told = f"has no {key} in capital letters (-corrected reads {key.lower()}="
        assert told in outcome.err


# experiment lists


def test_panels_in_two_groups(tmp_path: Path) -> None:
    content = expt()
    frame = {"fast_axis": [1, 0, 0], "slow_axis": [0, 1, 0], "origin": [0, 0, 0]}
    content["detector"][0]["hierarchy"] = {
        **frame,
        "children": [
            {**frame, "children": [{"panel": 0}]},
            {**frame, "origin": [0, 0, -50], "children": [{"panel": 0}]},
        ],
    }
    (tmp_path / "a.expt").write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match="holds the panel more than once"):
        dials.read(tmp_path / "a.expt")


def test_beams_without_a_direction(tmp_path: Path) -> None:
    content = expt(beam=[{"direction": [0.0, 0.0, 0.0], "wavelength": 1.0}])
    (tmp_path / "a.expt").write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match="the direction of its beam is"):
        dials.read(tmp_path / "a.expt")
