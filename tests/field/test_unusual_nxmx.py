"""NXmx files with numbers at unusual places, of unusual kinds, or with parts of a scan only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.field.nxmx_files import DISTANCE, N_FAST, N_SLOW, group
from tests.field.test_geometry import DETECTOR
from tests.field.test_nxmx_of_hand import SAMPLE, read, turned

# scans by their ends

ONE_ANGLE = {
    # data sets beside a first angle of 10 degrees of 20 images, and the width of an image
    "end": ({"omega_end": 12.0}, 0.1),
    "total": ({"omega_range_total": 4.0}, 0.2),
    "increment": ({"omega_increment": 0.3}, 0.3),
    "step": ({"omega_step": -0.3}, -0.3),
    "ends": ({"omega_end": 10.1 + 0.1 * np.arange(20)}, 0.1),
    "increment and end of the scan": ({"omega_increment": 0.1, "omega_end": 12.0}, 0.1),
    "increment and end of an image": ({"omega_increment": 0.1, "omega_end": 10.1}, 0.1),
}


@pytest.mark.parametrize("case", ONE_ANGLE)
@pytest.mark.parametrize("place", ["chain", "omega", "omega_start"])
def test_scans_by_one_angle(case: str, place: str, tmp_path: Path) -> None:
    beside, width = ONE_ANGLE[case]

    def change(file: Any) -> None:
        if place != "chain":
            del file[f"{SAMPLE}/depends_on"], file[f"{SAMPLE}/transformations"]
            moved = group(file[SAMPLE], "goniometer", "NXtransformations")
            for name, value in {place: 10.0, **beside}.items():
                moved[name] = value
                moved[name].attrs["units"] = "degree"

    geometry, told = read(
        tmp_path / "a.h5", change, 5, omega=[10.0], beside_omega=beside,
        images=np.zeros((20, N_SLOW, N_FAST), np.uint16),
    )  # fmt: skip
    sign = np.sign(width)
    assert turned(geometry) == pytest.approx([sign * (10.0 + 5 * width), abs(width)])
    if not (place == "omega_start" and {"omega_increment"} & set(beside)):
        assert f"each image is assumed to be {width:g} degrees wide" in told
    assert "differ" not in told


def test_widths_of_one_angle_that_contradict(tmp_path: Path) -> None:
    told = read(
        tmp_path / "a.h5", lambda file: None, 5, omega=[10.0],
        beside_omega={"omega_increment": 0.1, "omega_range_total": 5.0},
        images=np.zeros((20, N_SLOW, N_FAST), np.uint16),
    )[1]  # fmt: skip
    assert "the widths of other data sets differ: omega_range_total 0.25" in told


# angles at unusual places

PLACES = {
    "sample/omega": "omega",
    "sample/rotation_angle": "rotation_angle",
    "data/omega": "omega",
    "sample/goniometer/Omega": "omega",
    "sample/goniometer/PHI": "phi",
}
NOT_READ = [
    "sample/goniometer/gonio_omega",
    "sample/goniometer/rotx",
    "sample/goniometer/theta",
    "sample/goniometer/omega_end",
    "instrument/positioners/omega",
]


def moved_to(place: str, units: str = "deg") -> Any:
    """The angles of 20 images at another place of a file without transformations."""

    def change(file: Any) -> None:
        del file[f"{SAMPLE}/depends_on"], file[f"{SAMPLE}/transformations"]
        still = group(file[SAMPLE], "goniometer", "NXtransformations")
        still["chi"] = np.zeros(20)
        file["entry"][place] = 10.0 + 0.1 * np.arange(20)
        file["entry"][place].attrs["units"] = units

    return change


IMAGES = np.zeros((20, N_SLOW, N_FAST), np.uint16)


@pytest.mark.parametrize("place", PLACES)
def test_angles_at_other_places(place: str, tmp_path: Path) -> None:
    geometry, told = read(tmp_path / "a.h5", moved_to(place), 4, images=IMAGES)
    assert turned(geometry) == pytest.approx([10.4, 0.1])
    assert f"its angles of {PLACES[place]} are in /entry/{place}, and are used" in told


@pytest.mark.parametrize("place", NOT_READ)
@pytest.mark.parametrize("units", ["deg", ""])
def test_angles_that_are_not_read(place: str, units: str, tmp_path: Path) -> None:
    told = read(tmp_path / "a.h5", moved_to(place, units), 4, images=IMAGES)[1]
    assert (
        f"goniometer turns; the angles or changing numbers in /entry/{place} are not used" in told
    )


@pytest.mark.parametrize("place", NOT_READ)
def test_angles_beside_a_chain_that_stands(place: str, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["entry"][place] = 10.0 + 0.1 * np.arange(20)

    told = read(tmp_path / "a.h5", change, 4, images=IMAGES, omega=np.zeros(20))[1]
    assert "_end" in place or f"numbers in /entry/{place} are not used" in told


# units of angles that are pure numbers


@pytest.mark.parametrize("units", ["1", "dimensionless", "count", "counts", "Counts", "%"])
@pytest.mark.parametrize("place", ["goniometer", "sample"])
def test_pure_numbers_are_no_angles(units: str, place: str, tmp_path: Path) -> None:
    at = "sample/goniometer/omega" if place == "goniometer" else "sample/omega"
    geometry, told = read(tmp_path / "a.h5", moved_to(at, units), 4, images=IMAGES)
    assert turned(geometry) == pytest.approx([10.4, 0.1])
    assert f"its omega has the unit '{units}', not of angle; degrees are assumed" in told


# the end of the chain of the pixel directions


def test_transformations_beyond_the_end_of_a_chain(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        module = file[f"{DETECTOR}/module"]
        for name in ("module_offset", "fast_pixel_direction", "slow_pixel_direction"):
            module[name].attrs["depends_on"] = "."
        module["module_offset"].attrs["offset"] = [
            *module["module_offset"].attrs["offset"][:2],
            5e-3,
        ]

    geometry, told = read(tmp_path / "a.h5", change)
    assert geometry.near_distance == pytest.approx(5e-3)
    assert "det_z of its detector is not at zero" in told


# numbers that are only compared

UNUSABLE = {
    "nan": (np.nan, "is nan"),
    "a text": (np.bytes_("unknown"), "is unknown"),
    "nothing": (np.zeros(0), "is without a value"),
    "too few": ([1.0, 1.0], "has 2 values, none for image 2,"),
    "null": (h5py.Empty("f8"), "is empty"),
}


@pytest.mark.parametrize("case", UNUSABLE)
@pytest.mark.parametrize(
    "name", ["distance", "beam_center_x", "beam_center_y", "x_pixel_size", "sensor_thickness"]
)
def test_what_is_only_compared(case: str, name: str, tmp_path: Path) -> None:
    value, words = UNUSABLE[case]

    def change(file: Any) -> None:
        for each in {"beam_center_x", "beam_center_y"} if name.startswith("beam") else ():
            file[DETECTOR][each] = 30.0
            file[DETECTOR][each].attrs["units"] = "pixel"
        if name in file[DETECTOR]:
            del file[DETECTOR][name]
        file[DETECTOR][name] = value
        file[DETECTOR][name].attrs["units"] = "pixel" if name.startswith("beam") else "m"

    geometry, told = read(tmp_path / "a.h5", change, 2)
    assert geometry.near_distance == pytest.approx(DISTANCE)
    if name in ("distance", "beam_center_x", "beam_center_y") or case in ("nan", "a text"):
        assert f"its {name} {words} and is not compared" in told


# names of the same group


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize(
    ("place", "name"),
    [(DETECTOR, "entry/instrument/eiger"), (f"{DETECTOR}/module", f"{DETECTOR}/part"),
     (SAMPLE, "entry/crystal"), ("entry", "entry_1"),
     ("entry/instrument/beam", f"{SAMPLE}/beam")],
)  # fmt: skip
def test_second_names_of_groups(place: str, name: str, hard: bool, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file[name] = file[place] if hard else h5py.SoftLink(f"/{place}")

    geometry, told = read(tmp_path / "a.h5", change)
    assert (geometry.near_distance, told) == (pytest.approx(DISTANCE), "")


# arms of the detector


@pytest.mark.parametrize(
    "place",
    [f"{DETECTOR}/polar_angle", f"{DETECTOR}/azimuthal_angle", f"{DETECTOR}/two_theta",
     "entry/instrument/detector_arm/two_theta", f"{SAMPLE}/goniometer/two_theta"],
)  # fmt: skip
@pytest.mark.parametrize("angle", [20.0, 0.0])
def test_arms_that_are_not_read(place: str, angle: float, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["entry/instrument"].require_group("detector_arm").attrs["NX_class"] = "NXpositioner"
        file[place] = angle
        file[place].attrs["units"] = "deg"

    told = read(tmp_path / "a.h5", change)[1]
    assert told == (f"/{place} has an angle of 20 degrees; it is not used" if angle else "")


# null data sets


@pytest.mark.parametrize(
    "place",
    [f"{SAMPLE}/transformations/omega_increment", f"{SAMPLE}/transformations/omega_end",
     "entry/instrument/beam/total_flux", "entry/instrument/beam/incident_polarisation_stokes",
     "entry/instrument/beam/incident_beam_size", "entry/instrument/beam/incident_energy",
     f"{DETECTOR}/pixel_mask"],
)  # fmt: skip
def test_null_data_sets_are_missing(place: str, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        if place in file:
            del file[place]
        file[place] = h5py.Empty("f8")

    geometry, told = read(tmp_path / "a.h5", change)
    assert turned(geometry) == pytest.approx([10.0, 0.5])
    assert (geometry.wavelength, told) == (pytest.approx(0.98e-10), "")


def test_a_null_wavelength_is_missing(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["entry/instrument/beam/incident_wavelength"]
        file["entry/instrument/beam/incident_wavelength"] = h5py.Empty("f8")

    geometry = read(tmp_path / "a.h5", change)[0]
    assert (geometry.wavelength, geometry.no_wavelength) == (
        None, "the file has no incident_wavelength",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value"),
    [("sample/unit_cell_alphabetagamma", [90.0, 90.0, 90.0]),
     ("sample/temperature", [100.0, 101.0, 102.0]), ("data/x", [1.0, 1.0, 1.0])],
)  # fmt: skip
def test_what_is_no_angle_needs_no_word(place: str, value: Any, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["entry"][place] = value
        file["entry"][place].attrs["units"] = "deg" if "cell" in place else ""

    assert read(tmp_path / "a.h5", change, omega=[0.0, 0.0, 0.0])[1] == ""


@pytest.mark.parametrize(
    ("total", "message"), [(0.3, "omega_range_total is 0.3 degrees"), (0.0, "")]
)
def test_totals_of_angles_that_do_not_change(total: float, message: str, tmp_path: Path) -> None:
    beside = {"omega_range_total": total}
    told = read(tmp_path / "a.h5", lambda file: None, omega=[0.0] * 3, beside_omega=beside)[1]
    assert message in told
    assert bool(told) == bool(message)


# a goniometer that turns in another way than the chain


@pytest.mark.parametrize(
    ("angles", "message"),
    [
        ([90.0, 90.2, 90.4, 90.6], "turns from 90.4 by 0.2 degrees"),
        ([10.0, 10.2, 10.4, 10.6], "turns from 10.4 by 0.2 degrees"),
        ([90.0, 90.1, 90.2, 90.3], "turns from 90.2 by 0.1 degrees"),
        ([10.0, 10.1, 10.2, 10.3], ""),
        ([370.0, 370.1, 370.2, 370.3], ""),
        ([90.0], ""),
    ],
)
def test_goniometers_that_contradict_the_chain(
    angles: list[float], message: str, tmp_path: Path
) -> None:
    def change(file: Any) -> None:
        beside = group(file[SAMPLE], "goniometer", "NXtransformations")
        beside["omega"] = angles
        beside["omega"].attrs["units"] = "deg"

    geometry, told = read(tmp_path / "a.h5", change, 2, omega=[10.0, 10.1, 10.2, 10.3])
    assert turned(geometry) == pytest.approx([10.2, 0.1])
    assert ("goniometer/omega turns" in told) == bool(message)
    assert message in told
