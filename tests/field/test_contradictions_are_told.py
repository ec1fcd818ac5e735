"""Files that say one thing twice, and differently: one of the two counts, and a line says which."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.errors import CupysimError, CupysimWarning, FileFormatError
from cupysim.formats import cbf, cbf_header, dials, nxmx_image
from cupysim.formats.structures import reflections
from tests.conftest import Run
from tests.field.cbf_files import AXES, HEADER, full_cbf, imgcif_text, mini_cbf, section
from tests.field.nxmx_files import LEAVE_OUT, dataset, group, write
from tests.field.test_geometry import DETECTOR, WORDS, edited
from tests.field.test_smv_headers import header_with
from tests.field.writers import (
    amplitudes,
    asymmetric_unit,
    loop,
    plus_of,
    write_cif,
    write_mtz,
)
from tests.formats.test_inherited import expt, save

HKL = asymmetric_unit(8.0)
PIXELS = np.zeros((3, 3), dtype=np.int32)
FLOAT32 = 1e-6
"""Relative precision of numbers in MTZ files."""


# structure factors


@pytest.mark.parametrize(("kind", "power"), [("G", 1.0), ("K", 0.5)])
def test_centric_mates_that_differ(kind: str, power: float, tmp_path: Path) -> None:
    """A centric reflection has one amplitude: the mean of the two values."""
    centric = (HKL == 0).any(axis=1)
    assert centric.any()
    assert not centric.all()
    plus = plus_of(HKL)
    minus = 1.5 * plus
    name = "F" if kind == "G" else "I"
    write_mtz(tmp_path / "a.mtz", HKL, [(f"{name}(+)", kind, plus), (f"{name}(-)", kind, minus)])
    told = f"{centric.sum()} of {centric.sum()} centric reflections differ from"
    with pytest.warns(CupysimWarning, match=told):
        structure = reflections.read(tmp_path / "a.mtz")
    expected = np.where(centric, 1.25 * plus, plus) ** power
    np.testing.assert_allclose(amplitudes(structure, HKL), expected, rtol=FLOAT32)
    expected = np.where(centric, 1.25 * plus, minus) ** power
    np.testing.assert_allclose(amplitudes(structure, -HKL), expected, rtol=FLOAT32)


@pytest.mark.parametrize(("second", "is_refused"), [("31", True), ("30.0(1)", False)])
def test_cells_of_several_rows(second: str, is_refused: bool, tmp_path: Path) -> None:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    rows = [(30, 40, 50, 90, 90, 90), (second, 40, 50, 90, 90, 90)]
    cells = loop([f"_cell.{name}" for name in names], rows)
    text = cells + "_symmetry.space_group_name_H-M 'P 21 21 21'\n" + loop(
        ["_refln.index_h", "_refln.index_k", "_refln.index_l", "_refln.F_meas_au"],
        [(1, 2, 3, 10.0)],
    )  # fmt: skip
    path = write_cif(tmp_path / "a.cif", {"x": text})
    if is_refused:
        with pytest.raises(FileFormatError, match="_cell_length_a has 2 different values"):
            reflections.read(path)
    else:
        assert reflections.read(path).cell is not None


# NXmx


def read_nxmx(path: Path, change: Any, **arrays: Any) -> tuple[Any, str]:
    geometry = nxmx_image.read(edited(path, change, **arrays), 0)[1]
    return geometry, "\n".join(geometry.remarks)


@pytest.mark.parametrize(("wavelength", "is_told"), [(1.3, True), (0.98, False)])
def test_wavelengths_of_monochromators(wavelength: float, is_told: bool, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        made = group(file["entry/instrument"], "monochromator", "NXmonochromator")
        dataset(made, "wavelength", wavelength, units="angstrom")

    geometry, remarks = read_nxmx(tmp_path / "a.h5", change)
    assert geometry.wavelength == pytest.approx(0.98e-10)
    line = "monochromator/wavelength is that of 1.3 A, but its wavelength is 0.98 A and is used"
    assert (line in remarks) == is_told


def without(name: str, attribute: str) -> Any:
    def change(file: h5py.File) -> None:
        del file[name].attrs[attribute]

    return change


def offset_of(value: list[float]) -> Any:
    def change(file: h5py.File) -> None:
        file["entry/sample/transformations/omega"].attrs["offset"] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(f"{DETECTOR}/transformations/det_z", "units"), "det_z has no units"),
        (without(f"{DETECTOR}/module/fast_pixel_direction", "units"), "direction has no units"),
        (offset_of([0.0, 0.0, 0.1]), "the offset of .*omega has no offset_units of length"),
    ],
)
def test_lengths_without_units(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_nxmx(tmp_path / "a.h5", change)


def test_offsets_of_zero_need_no_unit(tmp_path: Path) -> None:
    """So Diamond's files have them."""
    geometry, remarks = read_nxmx(tmp_path / "a.h5", offset_of([0.0, 0.0, 0.0]), omega=[10.0, 10.5])
    assert np.degrees(geometry.phi) == pytest.approx(10.0)
    assert "offset" not in remarks


def test_goniometers_of_instruments(tmp_path: Path) -> None:
    """NeXus allows NXgoniometer there, too."""

    def change(file: Any) -> None:
        del file["entry/sample/depends_on"], file["entry/sample/transformations"]
        made = group(file["entry/instrument"], "goniometer", "NXgoniometer")
        dataset(made, "omega", [20.0, 20.5], units="deg")

    geometry, remarks = read_nxmx(tmp_path / "a.h5", change, omega=[0.0, 0.0])
    assert np.degrees(geometry.phi) == pytest.approx(20.0)
    assert np.degrees(geometry.oscillation) == pytest.approx(0.5)
    assert "omega" in remarks


# CBF


@pytest.mark.parametrize(("size", "is_told"), [("0.2e-3", True), ("172.0e-6", False)])
def test_sizes_of_array_elements(size: str, is_told: bool, tmp_path: Path) -> None:
    extra = loop(
        [f"_array_element_size.{name}" for name in ("array_id", "index", "size")],
        [("A1", 1, size), ("A1", 2, size)],
    )
    text = imgcif_text((3, 3), extra=extra)
    geometry = cbf.read(full_cbf(tmp_path / "a.cbf", text, section(PIXELS)))[1]
    assert geometry.pixel_size == pytest.approx(0.172e-3)
    line = "array_element_size is 0.2 x 0.2 mm, but the steps from pixel to pixel are 0.172 mm"
    assert any(line in remark for remark in geometry.remarks) == is_told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Wavelength 1.3 A", "line Wavelength says 1.3 A, but its tables say 0.98 and are used"),
        ("Wavelength 0.98 A", ""),
        ("Detector_distance 0.2 m", "line Detector_distance says 200 mm, but its tables"),
        ("Detector_distance 0.15 m", ""),
        ("Angle_increment 0.1 deg.", "line Angle_increment says 0.1 deg, but its tables"),
        ("Angle_increment 0.5 deg.", ""),
        ("Wavelength long", "the mini-CBF lines in addition to its tables are not read"),
    ],
)
def test_mini_headers_beside_tables(line: str, told: str, tmp_path: Path) -> None:
    extra = f"_array_data.header_contents\n;\n# {line}\n;\n"
    text = imgcif_text((3, 3), extra=extra, increments={"OMEGA": 0.5})
    geometry = cbf.read(full_cbf(tmp_path / "a.cbf", text, section(PIXELS)))[1]
    remarks = [each for each in geometry.remarks if "mini-CBF" in each]
    assert geometry.wavelength == pytest.approx(0.98e-10)
    assert len(remarks) == bool(told)
    assert all(told in remark for remark in remarks)


@pytest.mark.parametrize(("wavelength", "is_told"), [("1.3", True), ("0.98", False)])
def test_a_wavelength_of_tables_beside_a_mini_header(
    wavelength: str, is_told: bool, tmp_path: Path
) -> None:
    path = mini_cbf(tmp_path / "a.cbf", section(PIXELS))
    item = f"_diffrn_radiation_wavelength.wavelength {wavelength}\r\n\r\n".encode()
    path.write_bytes(
        path.read_bytes().replace(b"_array_data.data\r\n", item + b"_array_data.data\r\n")
    )
    geometry = cbf.read(path)[1]
    assert geometry.wavelength == pytest.approx(0.98e-10)
    line = "_diffrn_radiation_wavelength is 1.3 A, but its header's Wavelength is 0.98"
    assert any(line in remark for remark in geometry.remarks) == is_told


# rotations


def angles_of(geometry: Any) -> tuple[float, float]:
    return float(np.degrees(geometry.phi)), float(np.degrees(geometry.oscillation))


@pytest.mark.parametrize("suffix", ["_increment", "_increment_set", "_range_average"])
@pytest.mark.parametrize("number", [3, 9])
def test_increments_against_the_direction_of_the_angles(
    suffix: str, number: int, tmp_path: Path
) -> None:
    """The angles go backwards, whatever the sign of the increment: about the opposite axis."""
    omega = [10.0 - 0.1 * n for n in range(10)]
    path = write(tmp_path / "a.h5", omega=omega, beside_omega={f"omega{suffix}": 0.1})
    geometry = nxmx_image.read(path, number)[1]
    start, width = angles_of(geometry)
    assert start == pytest.approx(-omega[number])
    assert width == pytest.approx(0.1)
    assert any("the direction of the angles is used" in each for each in geometry.remarks)
    forward = write(tmp_path / "b.h5", omega=omega[::-1], beside_omega={f"omega{suffix}": 0.1})
    other = nxmx_image.read(forward, number)[1]
    np.testing.assert_allclose(geometry.spindle, -other.spindle)
    assert other.remarks == ()


@pytest.mark.parametrize(
    ("ends", "width", "told"),
    [
        ([10.0], 1.0, ""),
        ([10.0] * 10, 7.0, "omega_end turns image 3 by 7 degrees, but the next image begins"),
        ([n + 1.0 for n in range(10)], 1.0, ""),
        ([n + 0.5 for n in range(10)], 0.5, ""),
    ],
)
def test_ends_of_images_and_of_scans(
    ends: list[float], width: float, told: str, tmp_path: Path
) -> None:
    """One end is that of the scan; ends beyond the next image's beginning are told."""
    omega = [float(n) for n in range(10)]
    path = write(tmp_path / "a.h5", omega=omega, beside_omega={"omega_end": ends})
    geometry = nxmx_image.read(path, 3)[1]
    assert angles_of(geometry) == pytest.approx((3.0, width))
    assert any(told in each for each in geometry.remarks) if told else geometry.remarks == ()


SCANS = {
    "properties before the older key": (
        {"image_range": [1, 3], "oscillation": [5.0, 0.5],
         "properties": {"oscillation": [50.0, 50.1, 50.2]}}, 50.2, 0.1, "",
    ),
    "uneven": (
        {"image_range": [1, 3], "properties": {"oscillation": [0.0, 0.1, 5.0]}}, 5.0, 4.9,
        "advances by 0.1 to 4.9 degrees",
    ),
    "overlap": (
        {"image_range": [1, 4], "properties": {
            "oscillation": [0.0, 0.1, 0.2, 0.3], "oscillation_width": [0.5] * 4}}, 0.2, 0.5,
        "turns image 2 by 0.5 degrees, but the next image begins after 0.1",
    ),
    "few angles": (
        {"image_range": [1, 10], "properties": {"oscillation": [0.0, 0.1, 0.2]}}, None, None,
        "its scan has 3 angles for 10 images",
    ),
    "few widths": (
        {"image_range": [1, 3], "properties": {
            "oscillation": [0.0, 0.1, 0.2], "oscillation_width": [0.1]}}, None, None,
        "its scan has 1 widths for 3 images",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SCANS)
def test_scans_of_lists(case: str, tmp_path: Path) -> None:
    scan, start, width, told = SCANS[case]
    path = save(tmp_path / "a.expt", expt(scan=[scan]))
    if start is None:
        with pytest.raises(FileFormatError, match=told):
            dials.read(path, 2)
        return
    geometry = dials.read(path, 2)
    assert angles_of(geometry) == pytest.approx((start, width))
    assert any(told in each for each in geometry.remarks) if told else geometry.remarks == ()


@pytest.mark.parametrize(
    ("distance", "omega", "expected"),
    [
        ("0 0 0 200 1", "0 0 0 0 0", (204.0, 0.0)),
        ("0 0 0 200 0", "10 0.5 0 0 0", (200.0, 12.0)),
        ("0 0 0 200 0", "10 0.5 0.5 0 0", (200.0, 14.0)),
    ],
)
def test_imgcif_images_further_on_in_a_scan(
    distance: str, omega: str, expected: tuple[float, float], tmp_path: Path
) -> None:
    """Image 5 stands four steps, and four pauses between them, behind the start of the scan."""
    columns = ("angle_start", "angle_increment", "angle_rstrt_incr", "displacement_start",
               "displacement_increment")  # fmt: skip
    names = [f"_diffrn_scan_axis.{name}" for name in ("scan_id", "axis_id", *columns)]
    rows = [("S1", "DISTANCE", *distance.split()), ("S1", "OMEGA", *omega.split())]
    text = imgcif_text((3, 3)).replace("F1 1 S1", "F1 5 S1")
    for category in ("diffrn_scan_axis", "diffrn_scan_frame_axis"):
        text = re.sub(rf"loop_\n_{category}\.(.|\n)*?\n\n", "", text)
    text += loop(names, rows) + "\n"
    geometry = cbf.read(full_cbf(tmp_path / "a.cbf", text, section(PIXELS)))[1]
    assert geometry.near_distance == pytest.approx(1e-3 * expected[0])
    assert np.degrees(geometry.phi or 0.0) == pytest.approx(expected[1])


# what does not place the detector


def put(name: str, value: Any, **attributes: Any) -> Any:
    def change(file: h5py.File) -> None:
        dataset(file, name, value, **attributes)

    return change


def bypassed(file: h5py.File) -> None:
    """A rotation above the detector, on which its pixels do not depend."""
    dataset(file[f"{DETECTOR}/transformations"], "arm", [25.0], depends_on=".",
            transformation_type="rotation", units="deg", vector=[1.0, 0.0, 0.0])  # fmt: skip
    file[f"{DETECTOR}/depends_on"][...] = np.bytes_(f"/{DETECTOR}/transformations/arm")


def offset_of_slow(file: h5py.File) -> None:
    file[f"{DETECTOR}/module/slow_pixel_direction"].attrs["offset"] = [0.0, 0.01, 0.0]


def two_distances(file: h5py.File) -> None:
    stored = file[f"{DETECTOR}/transformations/det_z"]
    attributes = dict(stored.attrs)
    del file[f"{DETECTOR}/transformations/det_z"]
    dataset(file, f"{DETECTOR}/transformations/det_z", [0.15, 0.3], **attributes)


def attenuator(file: h5py.File) -> None:
    made = group(file["entry/instrument"], "attenuator", "NXattenuator")
    made["attenuator_transmission"] = 0.1
    dataset(file["entry/instrument/beam"], "total_flux", 1e12, units="Hz")


def variant(file: h5py.File) -> None:
    beam = file["entry/instrument/beam"]
    beam["incident_wavelength"].attrs["variant"] = "spectrum"
    dataset(beam, "spectrum", [1.2, 1.3], units="angstrom")
    beam["spectrum_weights"] = [1.0, 1.0]


IN_VAIN = {
    "distance": (put(f"{DETECTOR}/distance", 500.0, units="mm"), 0,
                 "its distance is 500 mm, but its transformations have 150 mm and are used"),
    "detector_distance": (put(f"{DETECTOR}/detector_distance", 0.7, units="m"), 0,
                          "its distance is 700 mm"),
    "distances of images": (put(f"{DETECTOR}/distance", [0.15, 0.2, 0.25], units="m"), 2,
                            "its distance is 250 mm"),
    "same distance": (put(f"{DETECTOR}/distance", 150.0, units="mm"), 0, ""),
    "arm": (bypassed, 0, "arm of its detector is not at zero, but the pixel directions"),
    "slow offset": (offset_of_slow, 0, "the offset of its slow_pixel_direction is not applied"),
    "two of three": (two_distances, 1, "its det_z has 2 values for 3 images"),
    "attenuator": (attenuator, 0, "attenuator_transmission of 0.1 and its flux are not used"),
    "variant": (variant, 0, "its incident_wavelength is that of 0.98 A, but its wavelength"),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_VAIN)
def test_nxmx_files_that_say_more(case: str, tmp_path: Path) -> None:
    change, number, told = IN_VAIN[case]
    path = edited(tmp_path / "a.h5", change, images=np.zeros((3, 64, 80), np.uint32))
    geometry = nxmx_image.read(path, number)[1]
    remarks = "\n".join(geometry.remarks)
    assert told in remarks
    assert told or not remarks
    if case == "attenuator":
        assert geometry.flux is None


def test_masks_of_floats(tmp_path: Path) -> None:
    for value, is_refused in ((0.5, True), (np.nan, True), (1.0, False)):
        mask = np.zeros((64, 80))
        mask[3, 4] = value

        def change(file: h5py.File, mask: np.ndarray = mask) -> None:
            file[f"{DETECTOR}/pixel_mask"] = mask

        path = edited(tmp_path / "a.h5", change, mask=False)
        if is_refused:
            with pytest.raises(FileFormatError, match="numbers that are not integers"):
                nxmx_image.read(path)
        else:
            assert not nxmx_image.read(path)[0][3, 4]


def test_detectors_without_pixels(tmp_path: Path) -> None:
    content = expt()
    content["detector"][0]["panels"][0]["image_size"] = [0, 0]
    save(tmp_path / "a.expt", content)
    with pytest.raises(CupysimError, match="its detector has 0 x 0 pixels"):
        from_args(f"-default_F 1 -N 3 -expt {tmp_path / 'a.expt'}")


@pytest.mark.parametrize("name", ["dx", "gain", "pedestal"])
def test_files_of_image_sets(name: str, tmp_path: Path) -> None:
    content = expt(imageset=[{"__id__": "ImageSequence", name: "a.pickle"}])
    content["experiment"][0]["imageset"] = 0
    remarks = dials.read(save(tmp_path / "a.expt", content)).remarks
    assert f"files of its image set are not applied: {name}" in remarks


IMGCIF_IN_VAIN = {
    "divergence": ("_diffrn_radiation.div_x_source 0.1\n", "div_x_source is not used"),
    "distance": (
        "_diffrn_measurement.sample_detector_distance 100\n",
        "sample_detector_distance is 100 mm, but its axes have 150 mm and are used",
    ),
    "centre": (
        "_diffrn_detector_element.reference_center_fast 500\n"
        "_diffrn_detector_element.reference_center_slow 600\n"
        "_diffrn_detector_element.reference_center_units pixels\n",
        "its reference_center is 500.0 600.0 pixels, but its axes put the beam",
    ),
}


@pytest.mark.parametrize("case", IMGCIF_IN_VAIN)
def test_imgcif_tables_that_say_more(case: str, tmp_path: Path) -> None:
    items, told = IMGCIF_IN_VAIN[case]
    category = items.split(".")[0]
    text = re.sub(rf"loop_\n{category}\.(.|\n)*?\n\n", "", imgcif_text((3, 3)))
    path = full_cbf(tmp_path / "a.cbf", text + items + "\n", section(PIXELS))
    assert any(told in each for each in cbf.read(path)[1].remarks)
    plain = full_cbf(tmp_path / "b.cbf", imgcif_text((3, 3)), section(PIXELS))
    assert not any(told in each for each in cbf.read(plain)[1].remarks)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"Omega_increment": "0.7 deg.", "Omega": "10.0 deg."},
         "Angle_increment is 0.5, but Omega_increment is 0.7"),
        ({"Energy_range": "(10000, 10000) eV"}, "Energy_range in its header is 1.23984 A"),
        ({"Polarization": "0.99"}, "Polarization 0.99 is not used"),
        ({"Oscillation_axis": None}, "its header has no Oscillation_axis"),
        ({}, ""),
    ],
)  # fmt: skip
def test_mini_headers_that_say_more(
    lines: dict[str, str | None], told: str, tmp_path: Path
) -> None:
    remarks = cbf.read(mini_cbf(tmp_path / "a.cbf", section(PIXELS), **lines))[1].remarks
    assert any(told in remark for remark in remarks) if told else remarks == ()


def test_a_detector_on_a_cylinder(tmp_path: Path) -> None:
    """Diamond's Pilatus 12M has the header of a flat detector."""
    header = "\n".join(f"# {name} {value}" for name, value in HEADER.items())
    with pytest.raises(FileFormatError, match="Pilatus 12M"):
        cbf_header.geometry("a.cbf", header, 2463, 5071)


def test_the_swing_of_a_header(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a.img", {"TWOTHETA": "20"})
    told = "its TWOTHETA of 20 degrees turns the detector as -twotheta 20 does"
    assert told in run(f"{WORDS} -img a.img -corrected").err
    assert told not in run(f"{WORDS} -img a.img -corrected -twotheta 20").err


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"II*\0", "TIFF"), (b"RAXIS", "R-AXIS"), (b"FORMAT :100", "Bruker"), (b"BZh9", "bzip2"),
        (b"{\nHeaderID = 1", "EDF"),
    ],
)  # fmt: skip
def test_images_of_other_kinds(start: bytes, kind: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.img").write_bytes(start + bytes(600))
    outcome = run(f"{WORDS} -img a.img")
    assert outcome.status == 9
    assert kind in outcome.err


# two files together


def both_files(words: str) -> Any:
    return from_args(f"-cell 70 80 90 -default_F 100 -N 4 -nodump {words}")


@pytest.mark.parametrize("corrected", ["", "-corrected"])
def test_masks_do_not_place_the_image_of_another_file(corrected: str, tmp_path: Path) -> None:
    """An image in SMV, and a mask in NXmx that says other things: the image counts."""
    header_with(tmp_path / "a.img", {})
    mask = write(tmp_path / "m.h5", wavelength=1.3, omega=[30.0], beside_omega={"omega_end": 31.0})
    alone = both_files(f"-img {tmp_path / 'a.img'} {corrected}")
    masked = both_files(f"-img {tmp_path / 'a.img'} -mask {mask} {corrected}")
    assert masked.beam.wavelength == alone.beam.wavelength
    assert masked.detector.pixel_size == alone.detector.pixel_size
    assert masked.scan == alone.scan
    np.testing.assert_array_equal(masked.geometry.origin, alone.geometry.origin)


def test_masks_do_not_fill_what_an_image_does_not_say(tmp_path: Path) -> None:
    image = write(tmp_path / "a.h5", wavelength=LEAVE_OUT)
    mask = write(tmp_path / "m.h5", wavelength=1.3, omega=[30.0], beside_omega={"omega_end": 31.0})
    with pytest.raises(CupysimError, match="give -lambda"):
        both_files(f"-img {image} -mask {mask}")
    found = both_files(f"-img {image} -mask {mask} -lambda 1")
    assert found.scan.start == 0.0
    assert found.scan.sweep.range == 0.0


@pytest.mark.parametrize("corrected", ["", "-corrected"])
def test_lists_overrule_images_altogether(corrected: str, tmp_path: Path) -> None:
    """A still of a list stays one, whatever rotation and swing the image's file has."""
    content = expt()
    for name in ("scan", "goniometer"):
        del content[name], content["experiment"][0][name]
    content["detector"][0]["panels"][0]["image_size"] = [80, 64]
    save(tmp_path / "a.expt", content)
    header_with(tmp_path / "a.img", {"TWOTHETA": "15", "PHI": "20", "OSC_RANGE": "1"}, "PHI=")
    nxmx = write(tmp_path / "a.h5", omega=[30.0], beside_omega={"omega_end": 31.0})
    words = f"-expt {tmp_path / 'a.expt'} -default_F 100 -N 4 -nodump {corrected}"
    alone = from_args(words)
    for other in (f"-img {nxmx}", f"-img {tmp_path / 'a.img'}", f"-mask {tmp_path / 'a.img'}"):
        found = from_args(f"{words} {other}")
        np.testing.assert_array_equal(found.geometry.origin, alone.geometry.origin)
        np.testing.assert_array_equal(found.lattice.direct, alone.lattice.direct)
        assert (found.scan.start, found.scan.sweep.range) == (0.0, 0.0)


def test_masks_of_one_image_serve_a_series(tmp_path: Path) -> None:
    image = write(tmp_path / "a.h5", omega=[0.0, 1.0, 2.0])
    mask = write(tmp_path / "m.h5")
    found = both_files(f"-img {image} -image 2 -mask {mask}")
    assert np.degrees(found.scan.start) == pytest.approx(2.0)


def test_images_of_detectors(tmp_path: Path) -> None:
    """NXdetector has data of its own, which are the images where the entry has none."""
    images = np.zeros((2, 64, 80), np.int32)
    images[1, 3:8] = -1

    def change(file: h5py.File) -> None:
        del file["entry/data"]
        file[f"{DETECTOR}/data"] = images

    path = edited(tmp_path / "a.h5", change, mask=False)
    assert nxmx_image.read(path, 0)[0].all()
    assert np.count_nonzero(~nxmx_image.read(path, 1)[0]) == 5 * 80


def frames(first: str, second: str) -> str:
    text = imgcif_text((3, 3))
    text = re.sub(r"loop_\n_diffrn_data_frame\.(.|\n)*?\n\n", "", text)
    text = re.sub(r"loop_\n_diffrn_scan_frame_axis\.(.|\n)*?\n\n", "", text)
    names = ("id", "detector_element_id", "array_id", "binary_id")
    text += (
        loop(
            [f"_diffrn_data_frame.{name}" for name in names],
            [("F1", "E1", "A1", first), ("F2", "E1", "A1", second)],
        )
        + "\n"
    )
    names = ("frame_id", "axis_id", "angle", "displacement")
    text += loop(
        [f"_diffrn_scan_frame_axis.{name}" for name in names],
        [("F1", "OMEGA", 5.0, 0), ("F2", "OMEGA", 5.5, 0), ("F1", "DISTANCE", 0, 150),
         ("F2", "DISTANCE", 0, 150)],
    ) + "\n"  # fmt: skip
    return text + "_array_data.binary_id 2\n"


def of_one_image(path: Path, text: str) -> Path:
    """A file whose binary section is an item, not a row of a loop."""
    full_cbf(path, text, section(PIXELS))
    old = b"loop_\n_array_data.array_id\n_array_data.data\nA1\n"
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, b"_array_data.array_id A1\n_array_data.data\n"))
    return path


def test_frames_by_their_binary_sections(tmp_path: Path) -> None:
    path = of_one_image(tmp_path / "a.cbf", frames("1", "2"))
    assert np.degrees(cbf.read(path)[1].phi) == pytest.approx(5.5)
    both = of_one_image(tmp_path / "b.cbf", frames("2", "2"))
    with pytest.raises(FileFormatError, match="several frames have the image"):
        cbf.read(both)


@pytest.mark.parametrize(("identifier", "angle"), [("1", 5.0), ("2", 5.5), (None, 5.0)])
def test_frames_by_headers_of_binary_sections(
    identifier: str | None, angle: float, tmp_path: Path
) -> None:
    text = frames("1", "2").replace("_array_data.binary_id 2\n", "")
    path = full_cbf(tmp_path / "a.cbf", text, section(PIXELS, X_Binary_ID=identifier))
    assert np.degrees(cbf.read(path)[1].phi) == pytest.approx(angle)


def test_axes_that_are_there_twice(tmp_path: Path) -> None:
    axes = [*AXES, AXES[-1].replace("1 0 0 0 0 0", "1 0 0 5 0 0")]
    path = full_cbf(tmp_path / "a.cbf", imgcif_text((3, 3), axes=axes), section(PIXELS))
    with pytest.raises(FileFormatError, match="define axis 'ELEMENT_X' twice"):
        cbf.read(path)


def test_impossible_polarization_of_tables(tmp_path: Path) -> None:
    text = re.sub(r"loop_\n_diffrn_radiation\.(.|\n)*?\n\n", "", imgcif_text((3, 3)))
    text += "_diffrn_radiation.polarizn_source_ratio 5\n\n"
    path = full_cbf(tmp_path / "a.cbf", text, section(PIXELS))
    with pytest.raises(FileFormatError, match="polarizn_source_ratio 5 is not between"):
        cbf.read(path)


def test_sizes_and_bytes_of_headers(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a.img", {"SIZE1": "40"})
    told = run(f"{WORDS} -img a.img").err
    assert "SIZE1 is 80, then 40; the last is used" in told
    assert f"{64 * 40 * 2} bytes after its pixels are not read" in told
    header_with(tmp_path / "b.img", {})
    (tmp_path / "b.img").write_bytes((tmp_path / "b.img").read_bytes() + bytes(512))
    assert "512 bytes after its pixels are not read" in run(f"{WORDS} -mask b.img").err
