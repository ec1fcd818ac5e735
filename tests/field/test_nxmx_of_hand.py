"""NXmx files that were mended by hand, copied without a part, or written without attributes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import nxmx_image
from cupysim.formats.any_image import open_image
from tests.field.nxmx_files import CENTRE, DISTANCE, N_FAST, N_SLOW, PIXEL, group, write
from tests.field.test_geometry import DETECTOR, edited, set_attribute

SAMPLE = "entry/sample"
OMEGA = f"{SAMPLE}/transformations/omega"
MOVED = f"{DETECTOR}/transformations"
ANGLES = [10.0, 10.5, 11.0]
MASTER = {
    "beam_center_x": (CENTRE[0], "pixel"), "beam_center_y": (CENTRE[1], "pixel"),
    "detector_distance": (DISTANCE, "m"), "x_pixel_size": (PIXEL, "m"),
    "y_pixel_size": (PIXEL, "m"),
}  # fmt: skip
"""Detector of a file without transformations."""

Change = Callable[[Any], None]


def read(path: Path, change: Change, number: int = 0, **arrays: Any) -> tuple[Any, str]:
    geometry = nxmx_image.read(edited(path, change, **{"omega": ANGLES, **arrays}), number)[1]
    return geometry, "\n".join(geometry.remarks)


def turned(geometry: Any) -> list[float]:
    """First angle and width (degrees)."""
    return np.degrees([geometry.phi or 0.0, geometry.oscillation or 0.0]).tolist()


def without(place: str, name: str) -> Change:
    return lambda file: file[place].attrs.__delitem__(name)


def linked(place: str) -> Change:
    """Put the link to a file that does not exist in place of an item."""

    def change(file: Any) -> None:
        if place in file:
            del file[place]
        file[place] = h5py.ExternalLink("elsewhere.h5", "/it")

    return change


def angles_only(file: Any) -> None:
    """A goniometer without chain."""
    del file[f"{SAMPLE}/depends_on"], file[f"{SAMPLE}/transformations"]
    group(file[SAMPLE], "goniometer", "NXtransformations")["omega"] = ANGLES


# links that lead nowhere


@pytest.mark.parametrize(
    "place",
    [SAMPLE, f"{SAMPLE}/goniometer/omega", f"{DETECTOR}/goniometer/two_theta",
     "entry/instrument/beam", f"{SAMPLE}/goniometer"],
)  # fmt: skip
def test_links_that_lead_nowhere_are_told(place: str, tmp_path: Path) -> None:
    told = read(tmp_path / "a.h5", linked(place))[1]
    assert f"lead nowhere, and what they name is not read: /{place} (elsewhere.h5)" in told


@pytest.mark.parametrize("place", [f"{DETECTOR}/flatfield", f"{DETECTOR}/data"])
def test_links_that_place_nothing_need_no_word(place: str, tmp_path: Path) -> None:
    assert read(tmp_path / "a.h5", linked(place))[1] == ""


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (DETECTOR, "has no detector; /entry/instrument/detector is a link to elsewhere.h5"),
        ("entry", "no NXmx entry; /entry is a link to elsewhere.h5, which is missing"),
        ("entry/instrument", "has no instrument; /entry/instrument is a link to elsewhere.h5"),
        (OMEGA, "depends on '/entry/sample/transformations/omega', which is not in the file, but "
                "in elsewhere.h5"),
    ],
)  # fmt: skip
def test_links_that_are_needed(place: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path / "a.h5", linked(place))


def test_wavelengths_behind_a_link(tmp_path: Path) -> None:
    geometry = read(tmp_path / "a.h5", linked("entry/instrument/beam"))[0]
    assert geometry.wavelength is None
    assert "/entry/instrument/beam is a link to elsewhere.h5" in geometry.no_wavelength


# classes and texts


@pytest.mark.parametrize(
    "place", [SAMPLE, "entry/instrument", DETECTOR, f"{DETECTOR}/module", "entry/instrument/beam"]
)
def test_groups_without_a_class(place: str, tmp_path: Path) -> None:
    plain = nxmx_image.read(write(tmp_path / "b.h5", omega=ANGLES))[1]
    geometry, told = read(tmp_path / "a.h5", without(place, "NX_class"))
    np.testing.assert_array_equal(geometry.panel, plain.panel)
    assert geometry.wavelength == plain.wavelength
    assert turned(geometry) == pytest.approx([10.0, 0.5])
    assert told == f"/{place} of the file has no NX_class; it is read by its name"


def padded(file: Any) -> None:
    """As Fortran writes texts."""
    for place in (SAMPLE, DETECTOR, "entry"):
        kind = file[place].attrs["NX_class"]
        file[place].attrs["NX_class"] = np.bytes_(f"{kind}    ")
    stored = file[f"{SAMPLE}/depends_on"][()]
    del file[f"{SAMPLE}/depends_on"]
    file[f"{SAMPLE}/depends_on"] = np.bytes_(stored + b"     ")


def in_arrays(file: Any) -> None:
    """As IDL and Matlab write texts."""

    def change(_: str, item: Any) -> None:
        for name, value in item.attrs.items():
            if isinstance(value, str):
                item.attrs[name] = np.array([value.encode()])

    file.visititems(change)


def in_capitals(file: Any) -> None:
    file["entry/definition"][()] = b"nxmx"
    file[SAMPLE].attrs["NX_class"] = "NXSample"
    file[OMEGA].attrs["transformation_type"] = "Rotation "
    file[OMEGA].attrs["units"] = "Degrees"


def in_latin_1(file: Any) -> None:
    file["entry/instrument/beam/incident_wavelength"].attrs["units"] = np.bytes_(b"\xc5")
    file[f"{DETECTOR}/module/fast_pixel_direction"][...] = 1e6 * PIXEL
    file[f"{DETECTOR}/module/fast_pixel_direction"].attrs["units"] = np.bytes_(b"\xb5m")


@pytest.mark.parametrize("change", [padded, in_arrays, in_capitals, in_latin_1])
def test_texts_of_other_writers(change: Change, tmp_path: Path) -> None:
    geometry, told = read(tmp_path / "a.h5", change)
    np.testing.assert_allclose(
        geometry.origin, [-PIXEL * CENTRE[0], PIXEL * CENTRE[1], -DISTANCE], rtol=1e-12
    )
    assert geometry.wavelength == pytest.approx(0.98e-10)
    assert turned(geometry) == pytest.approx([10.0, 0.5])
    assert told == ""


def test_other_definitions_are_named(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["entry/definition"]
        file["entry/definition"] = b"NXsas"

    with pytest.raises(FileFormatError, match=r"no NXmx entry; its definition is that of .*NXsas"):
        read(tmp_path / "a.h5", change)


# axes without a type


def axis(file: Any, name: str, value: float, units: str, vector: list[float]) -> None:
    moved = file[MOVED]
    moved[name] = [value]
    moved[name].attrs.update({"vector": vector, "depends_on": "."})
    if units:
        moved[name].attrs["units"] = units
    moved["det_z"].attrs["depends_on"] = moved[name].name


@pytest.mark.parametrize(
    ("value", "units", "distance", "told"),
    [
        (0.01, "m", 0.16, "its fine has no transformation_type; its unit is that of a translation"),
        (10.0, "mm", 0.16, "its fine has no transformation_type; its unit is that of a trans"),
        (0.0, "m", 0.15, ""),
        (9.81, "m/s^2", 0.15, "no transformation_type and no unit of a length or an angle"),
        (0.01, "", 0.15, "no transformation_type and no unit of a length or an angle"),
        (0.0, "", 0.15, ""),
    ],
)
def test_shifts_without_a_type(
    value: float, units: str, distance: float, told: str, tmp_path: Path
) -> None:
    geometry, said = read(
        tmp_path / "a.h5", lambda file: axis(file, "fine", value, units, [0.0, 0.0, 1.0])
    )
    assert -geometry.origin[2] == pytest.approx(distance)
    assert told in said
    assert bool(told) == bool(said)


def test_arms_without_a_type(tmp_path: Path) -> None:
    geometry, said = read(
        tmp_path / "a.h5", lambda file: axis(file, "arm", 20.0, "deg", [-1.0, 0.0, 0.0])
    )
    normal = np.cross(geometry.fast, geometry.slow)
    assert abs(normal[2]) == pytest.approx(np.cos(np.radians(20.0)))
    assert "its arm has no transformation_type; its unit is that of a rotation" in said


def test_spindles_without_a_type(tmp_path: Path) -> None:
    geometry, said = read(tmp_path / "a.h5", without(OMEGA, "transformation_type"))
    assert turned(geometry) == pytest.approx([10.0, 0.5])
    assert said == "its omega has no transformation_type; its unit is that of a rotation"


# axes that nothing depends on


@pytest.mark.parametrize("end", [None, b"."])
def test_spindles_that_the_sample_does_not_name(end: bytes | None, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file[f"{SAMPLE}/depends_on"]
        if end is not None:
            file[f"{SAMPLE}/depends_on"] = end
        file[OMEGA].attrs["vector"] = [0.0, -1.0, 0.0]

    geometry, said = read(tmp_path / "a.h5", change)
    assert turned(geometry) == pytest.approx([10.0, 0.5])
    np.testing.assert_allclose(geometry.spindle, [0.0, -1.0, 0.0], atol=1e-12)
    assert "its sample does not depend on its omega axis" in said
    assert "horizontal" not in said


def test_arms_that_nothing_depends_on(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        arm = file[DETECTOR].create_group("arm")
        arm["tth"] = [20.0]
        arm["tth"].attrs.update(
            {"vector": [-1.0, 0.0, 0.0], "depends_on": ".", "units": "deg",
             "transformation_type": "rotation"}
        )  # fmt: skip

    assert "tth of its detector is not at zero" in read(tmp_path / "a.h5", change)[1]


def test_offsets_without_a_unit(tmp_path: Path) -> None:
    geometry, said = read(tmp_path / "a.h5", without(f"{DETECTOR}/module/module_offset",
                                                     "offset_units"))  # fmt: skip
    assert -geometry.origin[0] == pytest.approx(PIXEL * CENTRE[0])
    assert "the offset of its module_offset has no offset_units; m, the unit of" in said


# units of what is only compared


@pytest.mark.parametrize("units", ["", "NX_FLOAT", "pxl"])
@pytest.mark.parametrize("name", ["distance", "x_pixel_size", "sensor_thickness"])
def test_units_of_what_is_only_compared(name: str, units: str, tmp_path: Path) -> None:
    geometry, said = read(tmp_path / "a.h5", lambda _: None, detector={name: (4e-4, units)})
    assert -geometry.origin[2] == pytest.approx(DISTANCE)
    assert said.count("\n") == 0
    assert ("sensor of 0.0004" if name == "sensor_thickness" else f"its {name} has ") in said


@pytest.mark.parametrize("units", ["pxl", "none", "NX_FLOAT"])
@pytest.mark.parametrize("chain", [True, False])
def test_units_of_beam_centres(units: str, chain: bool, tmp_path: Path) -> None:
    centre = {f"beam_center_{x}": (at, units) for x, at in zip("xy", CENTRE, strict=True)}
    geometry, said = read(
        tmp_path / "a.h5", lambda _: None, chain=chain, detector={**MASTER, **centre}
    )
    assert geometry.beam_centre[:2] == pytest.approx(CENTRE)
    assert f"its beam_center_x has the unit '{units}'; pixels are assumed" in said


def test_units_that_are_needed_are_named(tmp_path: Path) -> None:
    detector = {**MASTER, "detector_distance": (DISTANCE, "NX_FLOAT")}
    with pytest.raises(FileFormatError, match="detector/detector_distance has the unit 'NX_FLOAT'"):
        read(tmp_path / "a.h5", lambda _: None, chain=False, detector=detector)
    with pytest.raises(FileFormatError, match="omega has the unit 'turned', not of angle"):
        read(tmp_path / "b.h5", set_attribute(OMEGA, "units", "turned"))


# angles and images


@pytest.mark.parametrize(("increment", "width"), [(0.0, 0.0), (0.05, 0.05)])
def test_increments_that_leave_gaps(increment: float, width: float, tmp_path: Path) -> None:
    beside = {"omega_increment_set": [increment] * 3}
    geometry, said = read(tmp_path / "a.h5", lambda _: None, 1, beside_omega=beside)
    assert turned(geometry) == pytest.approx([10.5, width])
    assert f"turns image 1 by {width:g} degrees, but the next image begins after 0.5" in said


def test_angles_beside_the_images(tmp_path: Path) -> None:
    """The axis of the chain has the start of the scan only."""

    def change(file: Any) -> None:
        file["entry/data/omega"] = ANGLES
        file["entry/data/omega"].attrs["units"] = "deg"

    images = np.zeros((3, N_SLOW, N_FAST), np.uint32)
    geometry, said = read(tmp_path / "a.h5", change, 2, omega=[10.0], images=images)
    assert turned(geometry) == pytest.approx([11.0, 0.5])
    assert "one value for 3 images; their angles are those of /entry/data/omega" in said


@pytest.mark.parametrize("count", [2, 4, 6])
def test_angles_of_masters_without_images(count: int, tmp_path: Path) -> None:
    images = np.zeros((count, N_SLOW, N_FAST), np.uint32)
    said = read(tmp_path / "a.h5", angles_only, images=images, omega=[0.0])[1]
    assert f"its omega has 3 values for {count} images; the first ones are used" in said


def of_virtual(folder: Path, name: str, held: int) -> Path:
    """A file of four images, which another file has."""
    with h5py.File(folder / "source.h5", "w") as file:
        file[name] = np.full((held, N_SLOW, N_FAST), 7, np.uint32)

    def change(file: Any) -> None:
        shape = (4, N_SLOW, N_FAST)
        layout = h5py.VirtualLayout(shape, "uint32")
        layout[...] = h5py.VirtualSource("source.h5", "data", shape)
        del file["entry/data/data"]
        file["entry/data"].create_virtual_dataset("data", layout)

    return edited(folder / "a.h5", change, omega=[10.0, 10.5, 11.0, 11.5])


def test_virtual_images_that_do_not_exist(tmp_path: Path) -> None:
    assert open_image(of_virtual(tmp_path, "data", 3), number=2).pixels.max() == 7
    with pytest.raises(FileFormatError, match=r"image 3 is not in source\.h5, which has 3 images"):
        open_image(tmp_path / "a.h5", number=3)
    with pytest.raises(FileFormatError, match=r"in a data set that source\.h5 does not have: data"):
        open_image(of_virtual(tmp_path, "old", 4), number=3)


def test_images_of_two_sizes(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["entry/data/data"]
        file["entry/data/data_1"] = np.zeros((2, N_SLOW, N_FAST), np.uint32)
        file["entry/data/data_2"] = np.zeros((1, 32, 40), np.uint32)

    with pytest.raises(FileFormatError, match="have 40 x 32 pixels, others have 80 x 64"):
        read(tmp_path / "a.h5", change, chain=False, detector=MASTER)
