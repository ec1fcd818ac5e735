"""Files that say one thing twice, and differently: one of the two counts, and a line says which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import cbf, nxmx_image
from cupysim.formats.structures import reflections
from tests.field.cbf_files import full_cbf, imgcif_text, mini_cbf, section
from tests.field.nxmx_files import dataset, group
from tests.field.test_geometry import DETECTOR, edited
from tests.field.writers import (
    amplitudes,
    asymmetric_unit,
    loop,
    plus_of,
    write_cif,
    write_mtz,
)

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
    told = f"{centric.sum()} of {centric.sum()} centric reflections have Friedel mates of other"
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
    line = "monochromator/wavelength is that of 1.3 A, but its wavelength, which counts, is 0.98 A"
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
    line = "array_element_size is 0.2 x 0.2 mm, but pixels follow each other in steps of 0.172 mm"
    assert any(line in remark for remark in geometry.remarks) == is_told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Wavelength 1.3 A", "line Wavelength says 1.3 A, but its tables, which count, say 0.98"),
        ("Wavelength 0.98 A", ""),
        ("Detector_distance 0.2 m", "line Detector_distance says 200 mm, but its tables"),
        ("Detector_distance 0.15 m", ""),
        ("Angle_increment 0.1 deg.", "line Angle_increment says 0.1 deg, but its tables"),
        ("Angle_increment 0.5 deg.", ""),
        ("Wavelength long", "the mini-CBF lines beside its tables are not read"),
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
    line = "_diffrn_radiation_wavelength is 1.3 A, but its header's Wavelength, which counts"
    assert any(line in remark for remark in geometry.remarks) == is_told
