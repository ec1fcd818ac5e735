"""Geometry which contradicts itself, or says more than is simulated: it counts, or a line tells."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.errors import CupysimWarning, FileFormatError
from cupysim.formats import cbf, dials, nxmx_image
from cupysim.formats.any_image import open_image
from cupysim.formats.geometry import ImageGeometry
from cupysim.models.beam import Beam
from tests.conftest import Run
from tests.field.cbf_files import full_cbf, imgcif_text, mini_cbf, section
from tests.field.nxmx_files import CENTRE, DISTANCE, N_FAST, N_SLOW, PIXEL, dataset, group, write
from tests.field.test_geometry import (
    COUNTS,
    CRYSTAL,
    DETECTOR,
    WORDS,
    edited,
    replace_dataset,
    set_attribute,
    smv_file,
)
from tests.formats.test_inherited import expt, save

MODULE = f"{DETECTOR}/module"
SAMPLE = "entry/sample"


def told(path: Path, number: int = 0) -> tuple[ImageGeometry, str]:
    geometry = nxmx_image.read(path, number)[1]
    return geometry, "\n".join(geometry.remarks)


def spot_of(geometry: ImageGeometry) -> tuple[float, float, float]:
    found = geometry.beam_centre
    assert found is not None
    return found


def beam_on_the_corner(file: Any) -> None:
    file[f"{MODULE}/module_offset"].attrs["offset"] = [0.0, 0.0, 0.0]


def centre(x: float, y: float) -> Any:
    def change(file: Any) -> None:
        dataset(file[DETECTOR], "beam_center_x", x, units="pixel")
        dataset(file[DETECTOR], "beam_center_y", y, units="pixel")

    return change


def both(*changes: Any) -> Any:
    def change(file: Any) -> None:
        for each in changes:
            each(file)

    return change


def test_beam_centres_of_early_firmware(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.h5", both(beam_on_the_corner, centre(37.79, 29.65)))
    geometry, remarks = told(path)
    np.testing.assert_allclose(spot_of(geometry), [37.79, 29.65, DISTANCE], rtol=1e-9)
    assert "beam_center_x and _y are used" in remarks


def test_other_beam_centres_and_distances_are_told(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.h5", centre(30.0, 29.0), detector={"distance": (0.2, "m")})
    geometry, remarks = told(path)
    np.testing.assert_allclose(spot_of(geometry), [*CENTRE, DISTANCE], rtol=1e-9)
    assert "beam_center_x and _y are 30.00 29.00 pixels" in remarks
    assert "its distance is 200 mm" in remarks
    path = edited(tmp_path / "b.h5", centre(*CENTRE), detector={"distance": (DISTANCE, "m")})
    assert told(path)[1] == ""


def directions_depend_on(name: str) -> Any:
    def change(file: Any) -> None:
        for axis in ("fast", "slow"):
            file[f"{MODULE}/{axis}_pixel_direction"].attrs["depends_on"] = name

    return change


def test_directions_whose_chain_ends(tmp_path: Path) -> None:
    """The module's offset goes on, as in files of early firmware."""
    geometry, _ = told(edited(tmp_path / "a.h5", directions_depend_on(".")))
    np.testing.assert_allclose(spot_of(geometry), [*CENTRE, DISTANCE], rtol=1e-9)

    def without_offset(file: Any) -> None:
        directions_depend_on(".")(file)
        del file[f"{MODULE}/module_offset"]
        for axis in ("fast", "slow"):
            del file[f"{MODULE}/{axis}_pixel_direction"].attrs["offset"]

    with pytest.raises(FileFormatError, match="there is no distance"):
        told(edited(tmp_path / "b.h5", without_offset))


def goniometer(angles: dict[str, list[float]]) -> Any:
    """Axes phi on omega, both along -x, in place of the file's."""

    def change(file: Any) -> None:
        del file[SAMPLE]
        sample = group(file["entry"], "sample", "NXsample")
        moved = group(sample, "transformations", "NXtransformations")
        above = "."
        for name in ("omega", "phi"):
            dataset(moved, name, angles[name], depends_on=above, units="deg",
                    transformation_type="rotation", vector=[-1.0, 0.0, 0.0])  # fmt: skip
            above = f"{moved.name}/{name}"
        sample["depends_on"] = np.bytes_(above)

    return change


@pytest.mark.parametrize(
    ("angles", "start", "remark"),
    [
        ({"omega": [90.0], "phi": [0.0]}, 90.0, ""),
        ({"omega": [90.0], "phi": [30.0]}, 90.0, "stands at phi 30 degrees"),
        ({"omega": [0.0, 1.0], "phi": [30.0, 30.0]}, 0.0, "stands at phi 30 degrees"),
    ],
)
def test_goniometers_which_stand(
    angles: dict[str, list[float]], start: float, remark: str, tmp_path: Path
) -> None:
    path = edited(tmp_path / "a.h5", goniometer(angles), omega=angles["omega"])
    geometry, remarks = told(path)
    assert np.degrees(geometry.phi) == pytest.approx(start)
    assert remark in remarks
    assert bool(remark) == bool(remarks)


@pytest.mark.parametrize(
    ("omega", "beside", "width"),
    [
        ([359.8, 359.9, 0.0], {}, 0.1),
        ([359.9], {"omega_end": [0.0]}, 0.1),
        ([0.0], {"omega_end": [360.0]}, 360.0),
        ([0.0], {"omega_end": [-0.25]}, -0.25),
    ],
)
def test_widths_across_a_whole_turn(
    omega: list[float], beside: dict[str, Any], width: float, tmp_path: Path
) -> None:
    geometry, _ = told(write(tmp_path / "a.h5", omega=omega, beside_omega=beside))
    assert np.degrees(geometry.oscillation) == pytest.approx(abs(width))
    assert geometry.spindle[0] * width > 0.0


def test_increments_beside_a_link(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        moved = file[f"{SAMPLE}/transformations"]
        with h5py.File(tmp_path / "other.h5", "w") as other:
            file.copy(moved["omega"], other, "angles")
            other["angles"].attrs["depends_on"] = "."
        del moved["omega"]
        moved["omega"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/angles")
        dataset(moved, "omega_increment_set", [0.3, 0.3], units="deg")

    path = edited(tmp_path / "a.h5", change, omega=[0.0, 0.5])
    assert np.degrees(told(path)[0].oscillation) == pytest.approx(0.3)


def test_starts_and_increments_alone(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file[SAMPLE]
        axes = group(group(file["entry"], "sample", "NXsample"), "goniometer", "NXcollection")
        for name, value in (("omega_start", 12.0), ("omega_increment", 0.2), ("chi_start", 30.0),
                            ("chi_increment", 0.0)):  # fmt: skip
            dataset(axes, name, value, units="deg")

    geometry, remarks = told(edited(tmp_path / "a.h5", change, omega=[0.0, 1.0]), 1)
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([12.2, 0.2])
    assert "stands at chi 30" in remarks


def test_masks_of_several_parts_and_bits(tmp_path: Path) -> None:
    planes = np.zeros((2, N_SLOW, N_FAST), np.uint32)
    planes[0, 1, 2], planes[1, 3, 4] = 1, 4
    # a virtual pixel between two modules has a value
    planes[0, 5, 6] = 1 << 31

    def change(file: Any) -> None:
        file[f"{DETECTOR}/pixel_mask"][...] = planes[0]
        file[f"{DETECTOR}/pixel_mask_2"] = planes[1]

    good, _ = nxmx_image.read(edited(tmp_path / "a.h5", change))
    assert np.argwhere(~good).tolist() == [[1, 2], [3, 4]]


def test_what_nxmx_files_say_in_vain(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file["entry/instrument/beam/depends_on"] = np.bytes_("/entry/somewhere")

    path = edited(tmp_path / "a.h5", change, detector={"sensor_thickness": (450e-6, "m")})
    remarks = told(path)[1]
    assert "the transformations of its beam are not applied" in remarks
    assert "its sensor of 450 um is not simulated" in remarks


def test_fast_on_slow_is_told(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        name = f"/{MODULE}/slow_pixel_direction"
        file[f"{MODULE}/fast_pixel_direction"].attrs["depends_on"] = name

    geometry, remarks = told(edited(tmp_path / "a.h5", change))
    assert spot_of(geometry)[1] == pytest.approx(CENTRE[1] - 1.0)
    assert "depends on slow_pixel_direction" in remarks
    assert geometry.pixel_size == PIXEL


BEAM = "entry/instrument/beam"

FIELDS = {
    # Stokes parameters, Kahn's factor and angle of the field from NeXus' x towards its y, which is
    # up: I_x = (I + Q) / 2, and U = I_45 - I_135
    "horizontal": ([1.0, 0.98, 0.0, 0.0], 0.98, 0.0),
    "vertical": ([2.0, -1.8, 0.0, 0.0], 0.9, 90.0),
    "diagonal": ([1.0, 0.0, 0.5, 0.1], 0.5, 45.0),
    "other diagonal": ([1.0, 0.0, -1.0, 0.0], 1.0, -45.0),
    "circular": ([1.0, 0.0, 0.0, 1.0], 0.0, 0.0),
}


@pytest.mark.parametrize("case", FIELDS)
@pytest.mark.parametrize("name", ["incident_polarization_stokes", "incident_polarisation_stokes"])
def test_stokes_parameters(case: str, name: str, tmp_path: Path) -> None:
    stokes, kahn, degrees = FIELDS[case]
    path = edited(tmp_path / "a.h5", lambda file: dataset(file[BEAM], name, stokes))
    geometry, remarks = told(path)
    found, field = geometry.polarization
    assert found == pytest.approx(kahn)
    # imgCIF's x and z are opposite to NeXus'
    angle = np.radians(degrees)
    np.testing.assert_allclose(field, [-np.cos(angle), np.sin(angle), 0.0], atol=1e-12)
    assert remarks == ""
    assert from_args(f"{CRYSTAL} -img {path}").beam.polarization == pytest.approx(kahn)
    option = from_args(f"{CRYSTAL} -img {path} -polar 0.25").beam
    assert option.polarization == pytest.approx(0.25)


def test_stokes_parameters_of_an_image(tmp_path: Path) -> None:
    rows = [[1.0, 0.9, 0.0, 0.0], [1.0, -0.8, 0.0, 0.0]]
    path = edited(tmp_path / "a.h5", lambda file: dataset(file[BEAM], STOKES, rows),
                  omega=[0.0, 1.0])  # fmt: skip
    for number, kahn in enumerate((0.9, 0.8)):
        assert told(path, number)[0].polarization[0] == pytest.approx(kahn)


STOKES = "incident_polarization_stokes"


@pytest.mark.parametrize(
    ("stokes", "message"),
    [
        ([1.0, 0.9, 0.9, 0.0], "polarized by more than 100 %"),
        ([0.0, 0.0, 0.0, 0.0], "has no intensity"),
        ([1.0, 0.9, 0.0], "has the shape (3,)"),
    ],
)
def test_impossible_stokes_parameters(stokes: list[float], message: str, tmp_path: Path) -> None:
    path = edited(tmp_path / "a.h5", lambda file: dataset(file[BEAM], STOKES, stokes))
    geometry, remarks = told(path)
    assert geometry.polarization is None
    assert message in remarks


@pytest.mark.parametrize("convention", ["", "-xds", "-adxv"])
def test_polarization_of_our_own_files(convention: str, tmp_path: Path, run: Run) -> None:
    """The same crystal scatters the same way after its geometry was read again."""
    words = f"{CRYSTAL} -lambda 1.1 -distance 60 -detpixels 40 -pixel 2 {convention} -polar 0.95"
    assert run(f"{words} -h5file a.h5 -nonoise -nopgm").status == 0
    first, again = from_args(words), from_args(f"{CRYSTAL} -img {tmp_path / 'a.h5'}")
    assert again.beam.polarization == pytest.approx(0.95)
    fields = [abs(each.frame.polarization @ each.geometry.fast) for each in (first, again)]
    assert fields[0] == pytest.approx(fields[1])


def put(name: str, value: Any, **attributes: Any) -> Any:
    return lambda file: dataset(file["entry/instrument"], name, value, **attributes)


@pytest.mark.parametrize("units", ["Hz", "photons/s", "ph s^-1", "s-1", "photon.s-1"])
def test_flux_and_size_of_nxmx_beams(units: str, tmp_path: Path) -> None:
    """Of a beam of 20 x 20 um with 1e11 photons/s, in 0.5 s."""
    path = edited(
        tmp_path / "a.h5",
        both(
            put("beam/total_flux", 1e11, units=units),
            put("beam/incident_beam_size", [20.0, 20.0], units="um"),
            put("beam/profile", np.bytes_("rectangular")),
        ),
    )
    words = f"{CRYSTAL} -img {path}"
    beam = from_args(f"{words} -exposure 0.5").beam
    assert beam.fluence == pytest.approx(1e11 * 0.5 / (20e-6) ** 2)
    beam = from_args(f"{words} -exposure 0.5 -beamsize 0.1").beam
    assert beam.fluence == pytest.approx(1e11 * 0.5 / 1e-8)
    with pytest.warns(CupysimWarning, match="photons/s is used only with -exposure and -beamsize"):
        assert from_args(words).beam.fluence == Beam().fluence


IN_VAIN = {
    "flux without unit": (put("beam/total_flux", 1e11), "total_flux has the unit ''"),
    "flux by area": (put("beam/total_flux", 1e11, units="Hz/mm^2"), "has the unit 'Hz/mm^2'"),
    "oblong": (put("beam/incident_beam_size", [10.0, 20.0], units="um"),
               "10 x 20 um (unknown profile) is not used"),
    "length without unit": (put("beam/incident_beam_size", [10.0, 20.0]), "lengths with a unit"),
    "energy": (put("beam/incident_energy", 12398.42, units="eV"),
               "its incident_energy is that of 1 A, but its wavelength is 0.98 A and is used"),
    "photon energy": (put("detector/photon_energy", 12398.42, units="eV"),
                      "its photon_energy is that of 1 A"),
    "photon energy of Eiger": (put("detector/detectorSpecific/photon_energy", 12.39842,
                                   units="keV"), "photon_energy is that of 1 A"),
    "monochromator": (put("monochromator/energy", 12398.42, units="eV"),
                      "its monochromator/energy is that of 1 A"),
    "divergence": (put("beam/incident_beam_divergence", [1e-3, 1e-3], units="rad"),
                   "incident_beam_divergence is not used; -divergence"),
    "flux per area": (put("beam/flux", 1e9, units="1/s/cm^2"), "flux is not used; -fluence"),
    "polarization": (put("beam/incident_polarization", [1.0, 0.0]),
                     "incident_polarization is not used; -polar"),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_VAIN)
def test_what_nxmx_beams_say_in_vain(case: str, tmp_path: Path) -> None:
    change, message = IN_VAIN[case]
    geometry, remarks = told(edited(tmp_path / "a.h5", change))
    assert message in remarks
    assert remarks.count("\n") == 0
    assert geometry.wavelength == pytest.approx(0.98e-10)


@pytest.mark.parametrize(
    "change",
    [
        put("beam/incident_energy", 12651.45, units="eV"),
        put("detector/photon_energy", 12.6, units="keV"),
        put("beam/incident_energy", 12651.45, units="nonsense"),
        put("beam/incident_beam_divergence", [0.0, 0.0]),
    ],
)
def test_what_needs_no_word(change: Any, tmp_path: Path) -> None:
    """12398.42 eV A over 0.98 A is 12651.45 eV; a detector is set to some energy near it."""
    assert told(edited(tmp_path / "a.h5", change))[1] == ""


UNEVEN = {
    # the next angle minus this one; the last image is as wide as the one before
    "screening": ([0.0, 1.0, 3.0, 6.0], [1.0, 2.0, 3.0, 3.0]),
    "sweeps": ([10.0, 10.1, 10.2, 55.0, 55.1], [0.1] * 5),
    "one apart": ([30.0, 30.5, 45.0], [0.5, 14.5, 14.5]),
    "to and fro": ([0.0, 1.0, 2.0, 0.5, -1.0], [1.0, 1.0, -1.5, -1.5, -1.5]),
    "over zero": ([359.0, 0.0, 2.0], [1.0, 2.0, 2.0]),
}


@pytest.mark.parametrize("case", UNEVEN)
@pytest.mark.parametrize("placed", [True, False])
def test_widths_of_uneven_angles(case: str, placed: bool, tmp_path: Path) -> None:
    angles, widths = UNEVEN[case]
    if placed:
        path = write(tmp_path / "a.h5", omega=angles)
    else:
        path = edited(tmp_path / "a.h5", unplaced(omega=angles), omega=angles)
    for number, width in enumerate(widths):
        geometry, remarks = told(path, number)
        assert np.degrees(geometry.oscillation) == pytest.approx(abs(width))
        assert f"image {number} is assumed to be {width:g} degrees wide" in remarks


@pytest.mark.parametrize(
    ("angles", "beside"),
    [
        ([0.0, 4.5, 9.0], {}),
        ([0.0, 0.1001, 0.2], {}),
        ([0.0, 1.0, 3.0], {"omega_end": [0.5, 1.5, 3.5]}),
        ([0.0, 1.0, 3.0], {"omega_increment_set": [0.1]}),
    ],
)
def test_angles_of_which_nothing_is_to_be_said(
    angles: list[float], beside: dict[str, Any], tmp_path: Path
) -> None:
    assert told(write(tmp_path / "a.h5", omega=angles, beside_omega=beside), 1)[1] == ""


def unplaced(place: str = "goniometer", **values: Any) -> Any:
    """Axes which a file names, in place of the chain of its sample."""

    def change(file: Any) -> None:
        del file[SAMPLE]
        sample = group(file["entry"], "sample", "NXsample")
        axes = group(sample, place, "NXcollection")
        for name, value in values.items():
            dataset(axes, name, value, units="degree")

    return change


NAMED = {
    # first angle and width of the second image, and what is said
    "beside phi": ({"omega_start": 30.0, "omega_increment": 0.5, "phi": 0.0}, 30.5, 0.5, ""),
    "beside chi at 40": (
        {"omega_start": 30.0, "omega_increment": 0.5, "chi": 40.0}, 30.5, 0.5, "stands at chi 40",
    ),
    "scalar beside": (
        {"omega": 30.0, "omega_start": 30.0, "omega_increment": 0.5}, 30.5, 0.5, "",
    ),
    "phi turns": ({"phi_start": 5.0, "phi_increment": -0.2, "omega": 90.0}, -4.8, 0.2, "omega 90"),
    "starts of all": ({"omega_start": [30.0, 31.0], "omega_increment": 0.5}, 31.0, 0.5, ""),
    "no increment": ({"omega_start": 30.0}, 30.0, 0.0, ""),
    "no start": ({"omega_increment": 0.5, "phi": 0.0}, 0.0, 0.0, "no first angle of omega"),
    "two turn": (
        {"omega": [30.0, 31.0], "phi": [0.0, 0.1]}, 31.0, 1.0, "several axes turn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMED)
@pytest.mark.parametrize("place", ["goniometer", "transformations"])
def test_axes_which_are_only_named(case: str, place: str, tmp_path: Path) -> None:
    values, start, width, message = NAMED[case]
    path = edited(tmp_path / "a.h5", unplaced(place, **values), omega=[0.0, 1.0])
    geometry, remarks = told(path, 1)
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([start, width])
    assert message in remarks


def test_axes_beside_a_chain_of_shifts(tmp_path: Path) -> None:
    """A chain which does not turn the sample does not hide the angles beside it."""

    def change(file: Any) -> None:
        unplaced(omega=[30.0, 30.5])(file)
        dataset(file[f"{SAMPLE}/goniometer"], "z", 0.0, units="mm", vector=[0.0, 0.0, 1.0],
                transformation_type="translation", depends_on=".")  # fmt: skip
        file[f"{SAMPLE}/depends_on"] = np.bytes_(f"/{SAMPLE}/goniometer/z")

    geometry, _ = told(edited(tmp_path / "a.h5", change, omega=[0.0, 1.0]), 1)
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([30.5, 0.5])


def shifted_sample(file: Any) -> None:
    dataset(file[f"{SAMPLE}/transformations"], "sam_z", [2.0], units="mm", vector=[0.0, 0.0, 1.0],
            transformation_type="translation", depends_on=f"/{SAMPLE}/transformations/omega",
            )  # fmt: skip
    del file[f"{SAMPLE}/depends_on"]
    file[f"{SAMPLE}/depends_on"] = np.bytes_(f"/{SAMPLE}/transformations/sam_z")


def without_unit(name: str) -> Any:
    def change(file: Any) -> None:
        del file[f"{SAMPLE}/{name}"].attrs["units"]

    return change


PASSED_OVER = {
    "sample": (shifted_sample, "its sample is shifted by sam_z 2 mm; this is not used"),
    "unit": (without_unit("transformations/omega"), "its omega has no unit; degrees are assumed"),
    "unit of unplaced angles": (
        both(unplaced(omega=[30.0, 30.5]), without_unit("goniometer/omega")),
        "its omega has no unit; degrees are assumed",
    ),
    "unit of starts": (
        both(unplaced(phi_start=30.0, phi_increment=0.5), without_unit("goniometer/phi_start")),
        "its phi_start has no unit; degrees are assumed",
    ),
    "offset": (
        both(
            set_attribute(f"{SAMPLE}/transformations/omega", "offset", [0.0, 3.0, 4.0]),
            set_attribute(f"{SAMPLE}/transformations/omega", "offset_units", "mm"),
        ),
        "its sample is shifted by the offset of omega 5 mm",
    ),
    "more angles": (
        replace_dataset(f"{SAMPLE}/transformations/omega", 30.0 + 0.5 * np.arange(8)),
        "its omega has 8 values for 2 images; the first ones are used",
    ),
    "pixels": (put("detector/x_pixel_size", 100e-6, units="m"),
               "its x_pixel_size is 0.1 mm, but its pixel directions have the length "
               "0.075 mm and are used"),
}  # fmt: skip


@pytest.mark.parametrize("case", PASSED_OVER)
def test_what_was_passed_over(case: str, tmp_path: Path) -> None:
    change, message = PASSED_OVER[case]
    geometry, remarks = told(edited(tmp_path / "a.h5", change, omega=[30.0, 30.5]), 1)
    assert message in remarks
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([30.5, 0.5])
    np.testing.assert_allclose(spot_of(geometry), [*CENTRE, DISTANCE], rtol=1e-9)


OTHER_WIDTHS = {
    "overlap": ({"omega_increment_set": [0.9] * 3}, 0.9, "the next image begins after 0.5"),
    "end": (
        {"omega_increment_set": [0.1] * 3, "omega_end": [30.5, 31.0, 31.5]}, 0.1,
        "its omega_increment_set is 0.1 degrees, but its end turns image 1 by 0.5",
    ),
    "gaps": (
        {"omega_range_average": 0.1}, 0.1, "by 0.1 degrees, but the next image begins after 0.5",
    ),
    "both": ({"omega_increment_set": [0.1] * 3, "omega_end": [30.1, 30.6, 31.1]}, 0.1, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER_WIDTHS)
def test_increments_which_contradict(case: str, tmp_path: Path) -> None:
    beside, width, message = OTHER_WIDTHS[case]
    path = write(tmp_path / "a.h5", omega=[30.0, 30.5, 31.0], beside_omega=beside)
    geometry, remarks = told(path, 1)
    assert np.degrees(geometry.oscillation) == pytest.approx(width)
    assert message in remarks
    assert bool(message) == bool(remarks)


def test_beam_centres_of_masters_which_were_never_set(tmp_path: Path) -> None:
    detector = EIGER | {"beam_center_x": (-1.0, "pixel"), "beam_center_y": (0.0, "pixel")}
    path = write(tmp_path / "a.h5", chain=False, detector=detector)
    assert "as in files where the beam centre was never set" in told(path)[1]


EIGER = {
    "beam_center_x": (CENTRE[0], "pixel"), "beam_center_y": (CENTRE[1], "pixel"),
    "detector_distance": (DISTANCE, "m"), "x_pixel_size": (PIXEL, "m"),
    "y_pixel_size": (PIXEL, "m"),
}  # fmt: skip

ARMS = {
    "value": {"two_theta": (20.0, "deg")},
    "radians": {"two_theta": (np.radians(20.0), "rad")},
    "one for each image": {"two_theta": ([10.0, 20.0], "deg")},
    "start": {"two_theta_start": (19.0, "deg"), "two_theta_increment": (1.0, "deg")},
}


@pytest.mark.parametrize("case", ARMS)
def test_arms_of_masters(case: str, tmp_path: Path) -> None:
    """Turned by hand: upwards by 20 degrees, about the horizontal axis through the sample."""

    def change(file: Any) -> None:
        for name, (value, units) in ARMS[case].items():
            dataset(file[DETECTOR].require_group("goniometer"), name, value, units=units)

    path = edited(tmp_path / "a.h5", change, chain=False, detector=EIGER, omega=[0.0, 1.0])
    geometry, remarks = told(path, 1)
    sine, cosine = np.sin(np.radians(20.0)), np.cos(np.radians(20.0))
    x, y = PIXEL * CENTRE[0], PIXEL * CENTRE[1]
    turned = [-x, y * cosine + DISTANCE * sine, y * sine - DISTANCE * cosine]
    np.testing.assert_allclose(geometry.origin, turned, atol=1e-12)
    np.testing.assert_allclose(geometry.slow, [0.0, -cosine, -sine], atol=1e-12)
    assert "a two_theta of 20 degrees only, without axis and sign" in remarks
    assert "distance only" not in remarks


@pytest.mark.parametrize(("placed", "message"), [(20.0, ""), (0.0, "its two_theta is 20 degrees")])
def test_arms_beside_transformations(placed: float, message: str, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        dataset(file[DETECTOR].require_group("goniometer"), "two_theta", 20.0, units="deg")
        chain = file[f"{DETECTOR}/transformations"]
        dataset(chain, "arm", [placed], depends_on=".", transformation_type="rotation",
                units="deg", vector=[-1.0, 0.0, 0.0])  # fmt: skip
        chain["det_z"].attrs["depends_on"] = "arm"

    remarks = told(edited(tmp_path / "a.h5", change))[1]
    assert message in remarks
    assert bool(message) == bool(remarks)


@pytest.mark.parametrize(
    ("name", "value"), [("detector_distance", -0.1), ("detector_distance", 0.0),
                        ("x_pixel_size", -PIXEL)],
)  # fmt: skip
def test_impossible_lengths_of_masters(name: str, value: float, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", chain=False, detector=EIGER | {name: (value, "m")})
    with pytest.raises(FileFormatError, match=f"{name} is .* not above zero"):
        told(path)


def test_distances_of_masters_count_at_the_image(tmp_path: Path) -> None:
    detector = EIGER | {"detector_distance": ([100.0, 120.0], "mm")}
    path = write(tmp_path / "a.h5", chain=False, detector=detector, omega=[0.0, 1.0])
    assert spot_of(told(path, 1)[0])[2] == pytest.approx(0.12)


# experiment lists


def test_settings_of_several_axes_count_at_the_image(tmp_path: Path) -> None:
    quarter = [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    model = {"axes": [[1.0, 0, 0], [0, 0, 1.0]], "angles": [0.0, 0.0], "names": ["PHI", "OMEGA"],
             "scan_axis": 0, "setting_rotation_at_scan_points": [quarter, quarter]}  # fmt: skip
    found = dials.read(save(tmp_path / "a.expt", expt(goniometer=[model])))
    np.testing.assert_allclose(found.spindle, [0.0, 1.0, 0.0], atol=1e-12)


def remarks_of(
    tmp_path: Path, angles: list[float], is_still: bool, has_crystal: bool, names: bool = True
) -> str:
    model: dict[str, Any] = {
        "axes": [[1.0, 0, 0], [0, 0, 1.0], [1.0, 0, 0]], "angles": angles, "scan_axis": 2,
    }  # fmt: skip
    content = expt(goniometer=[model | ({"names": ["PHI", "CHI", "OMEGA"]} if names else {})])
    if is_still:
        del content["experiment"][0]["scan"]
    if not has_crystal:
        del content["experiment"][0]["crystal"]
    return "\n".join(dials.read(save(tmp_path / "a.expt", content)).remarks)


@pytest.mark.parametrize(
    ("angles", "is_still", "has_crystal", "remark"),
    [
        ([0.0, 0.0, 30.0], True, True, "OMEGA stands at 30 degrees. As in dxtbx, it does not turn"),
        ([0.0, 0.0, 30.0], True, False, "stands at OMEGA 30 degrees. These angles orient"),
        ([0.0, 0.0, 30.0], False, True, ""),
        ([0.0, 0.0, 30.0], False, False, ""),
        ([10.0, 0.0, 0.0], False, True, ""),
        ([10.0, 0.0, 30.0], False, False, "stands at PHI 10 degrees. These angles orient"),
        ([10.0, 0.0, 0.0], True, True, "DIALS predicts stills without them"),
    ],
)
def test_goniometers_of_lists_which_stand(
    angles: list[float], is_still: bool, has_crystal: bool, remark: str, tmp_path: Path
) -> None:
    told = remarks_of(tmp_path, angles, is_still, has_crystal)
    assert remark in told
    assert bool(remark) == bool(told)
    assert bool(told) == bool(remarks_of(tmp_path, angles, is_still, has_crystal, names=False))


def test_phi_turns_a_still_about_the_scan_axis(tmp_path: Path) -> None:
    """As the same list with a scan that begins there."""
    model = {"axes": [[0, 0, 1.0], [1.0, 0, 0]], "angles": [20.0, 30.0], "names": ["CHI", "OMEGA"],
             "scan_axis": 1}  # fmt: skip
    still = expt(goniometer=[model])
    del still["experiment"][0]["scan"]
    moving = expt(goniometer=[model], scan=[{"oscillation": [30.0, 0.5], "image_range": [1, 1]}])
    found = [
        from_args(f"-default_F 1 -N 2 -nodump -expt {save(tmp_path / name, content)} {words}")
        for name, content, words in (
            ("a.expt", still, "-phi 30"),
            ("b.expt", moving, "-phisteps 1"),
        )
    ]
    assert found[0].scan.start == pytest.approx(found[1].scan.start)
    np.testing.assert_allclose(found[0].frame.spindle, found[1].frame.spindle)
    np.testing.assert_allclose(*(each.lattice.reciprocal for each in found), atol=1e-15)


@pytest.mark.parametrize(
    ("kind", "key", "value", "remark"),
    [
        ("beam", "divergence", 0.01, "its beam's divergence is not used"),
        ("beam", "sigma_divergence", 0.02, "its beam's sigma_divergence is not used"),
        ("beam", "transmission", 0.1, "its beam's transmission of 0.1 and flux of 0 are not used"),
        ("panel", "gain", 4.5, "its detector's gain of 4.5 is not used"),
        ("panel", "pedestal", 100, "its detector's pedestal of 100 is not used"),
        ("panel", "mask", [[0, 0, 3, 3]], "its detector's mask of 1 rectangles is not applied"),
        ("crystal", "mosaicity", 0.2, "its crystal's mosaicity is not used"),
        ("crystal", "domain_size_ang", 900, "the size of its crystal's domains is not used"),
        ("panel", "px_mm_strategy", {"type": "OffsetPxMmStrategy"}, "offsets (dx, dy)"),
        ("panel", "thickness", 0.32, "its sensor of 320 um is not simulated"),
    ],
)
def test_what_lists_say_in_vain(
    kind: str, key: str, value: Any, remark: str, tmp_path: Path
) -> None:
    content = expt()
    panel = content["detector"][0]["panels"][0]
    (panel if kind == "panel" else content[kind][0])[key] = value
    assert remark in "\n".join(dials.read(save(tmp_path / "a.expt", content)).remarks)


@pytest.mark.parametrize("is_null", [True, False])
def test_a_scan_without_a_goniometer_is_a_still(is_null: bool, tmp_path: Path) -> None:
    """As in dxtbx: the crystal is where its vectors are, and does not turn."""
    content = expt(scan=[{"oscillation": [30.0, 0.5], "image_range": [1, 10]}])
    if is_null:
        content["experiment"][0]["goniometer"] = None
    else:
        del content["experiment"][0]["goniometer"]
    path = save(tmp_path / "a.expt", content)
    geometry = dials.read(path, 3)
    assert (geometry.phi, geometry.oscillation) == (None, None)
    with pytest.warns(
        CupysimWarning, match="from 31.5 by 0.5 degrees, but no goniometer: it is a still"
    ):
        found = from_args(f"-default_F 1 -N 2 -nodump -expt {path} -image 3")
    assert (found.scan.start, found.scan.sweep.range) == (0.0, 0.0)


@pytest.mark.parametrize("has_crystal", [True, False])
def test_a_scan_without_width_is_a_still(has_crystal: bool, tmp_path: Path) -> None:
    """Its angle turns the crystal that is given, not the one of the list."""
    content = expt(scan=[{"oscillation": [30.0, 0.0], "image_range": [1, 1]}])
    if not has_crystal:
        del content["experiment"][0]["crystal"]
    geometry = dials.read(save(tmp_path / "a.expt", content))
    told = "its angle of 30 degrees does not turn the crystal" in "\n".join(geometry.remarks)
    assert told == has_crystal
    assert geometry.oscillation is None
    assert geometry.phi == (None if has_crystal else pytest.approx(np.radians(30.0)))


@pytest.mark.parametrize("normal", [[0.0, 0.0, 1.0], [0.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
def test_polarization_normals_along_the_beam(normal: list[float], tmp_path: Path) -> None:
    content = expt()
    content["beam"][0]["polarization_normal"] = normal
    geometry = dials.read(save(tmp_path / "a.expt", content))
    assert geometry.polarization is None
    assert "polarization_fraction of 0.95 is not used" in "\n".join(geometry.remarks)


@pytest.mark.parametrize(
    ("key", "value"),
    [("polarization_fraction", 5.0), ("polarization_fraction", -0.1), ("flux", -1.0)],
)
def test_impossible_beams_of_lists(key: str, value: float, tmp_path: Path) -> None:
    content = expt()
    content["beam"][0][key] = value
    with pytest.raises(FileFormatError, match=key):
        dials.read(save(tmp_path / "a.expt", content))


SEVERAL_AXES = {"axes": [[1.0, 0, 0], [0, 0, 1.0]], "angles": [10.0, 20.0], "names": ["A", "B"]}

BAD_GONIOMETERS = {
    "scaled": ({"fixed_rotation": [2, 0, 0, 0, 2, 0, 0, 0, 2]}, "fixed rotation is not a rotation"),
    "mirror": ({"setting_rotation": [-1, 0, 0, 0, 1, 0, 0, 0, 1]}, "setting rotation is not a"),
    "no number": ({"setting_rotation": [float("nan")] * 9}, "setting rotation is not a rotation"),
    "varying": ({"setting_rotation_at_scan_points": [[0.0] * 9] * 2}, "setting rotation is not a"),
    "no axis": ({"rotation_axis": [0, 0, 0]}, "a goniometer axis has no direction"),
    "scan axis": (SEVERAL_AXES | {"scan_axis": -1}, "its scan_axis is -1, but it has 2"),
    "too many": (SEVERAL_AXES | {"scan_axis": 2}, "its scan_axis is 2, but it has 2"),
    "one without direction": (
        SEVERAL_AXES | {"axes": [[1.0, 0, 0], [0, 0, 0]], "scan_axis": 0}, "has no direction",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_GONIOMETERS)
def test_impossible_goniometers_of_lists(case: str, tmp_path: Path) -> None:
    changes, message = BAD_GONIOMETERS[case]
    content = expt()
    content["goniometer"][0] = content["goniometer"][0] | changes
    with pytest.raises(FileFormatError, match=message):
        dials.read(save(tmp_path / "a.expt", content))


def test_images_of_lists_are_whole_pixels(tmp_path: Path) -> None:
    content = expt()
    content["detector"][0]["panels"][0]["image_size"] = [40.5, 30]
    with pytest.raises(FileFormatError, match=r"image_size 40\.5 x 30"):
        dials.read(save(tmp_path / "a.expt", content))


FLUX = {
    # photons/s, times s, over m^2
    "both options": ("-exposure 0.2 -beamsize 0.1", 1e12 * 0.2 / 1e-8, ""),
    "no exposure": ("-beamsize 0.1", None, "its flux of 1e+12 photons/s is used only with"),
    "none": ("", None, "its flux of 1e+12 photons/s is used only with"),
    "flux": ("-exposure 0.2 -beamsize 0.1 -flux 1e10", 1e10 * 0.2 / 1e-8, ""),
    "fluence": ("-exposure 0.2 -beamsize 0.1 -fluence 1e20", 1e20, ""),
}


@pytest.mark.parametrize("case", FLUX)
def test_flux_of_lists(case: str, tmp_path: Path) -> None:
    """It counts where time and area are given; options overrule it."""
    words, fluence, message = FLUX[case]
    content = expt()
    content["beam"][0]["flux"] = 1e12
    path = save(tmp_path / "a.expt", content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = from_args(f"-default_F 1 -N 2 -nodump -expt {path} {words}").beam.fluence
    assert found == pytest.approx(Beam().fluence if fluence is None else fluence)
    told = "\n".join(str(each.message) for each in caught)
    assert ("its flux of" in told) == bool(message)
    assert message in told


def test_lists_and_images_given_by_the_wrong_option(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "a.expt", expt())
    write(tmp_path / "a.h5")
    assert "give a DIALS experiment list by -expt" in run(f"{WORDS} -img a.expt").err
    assert "give it by -img" in run(f"{WORDS} -expt a.h5").err


def test_models_in_other_files(tmp_path: Path) -> None:
    content = expt()
    content["experiment"][0]["beam"] = "beam.json"
    with pytest.raises(FileFormatError, match=r"in another file, beam\.json"):
        dials.read(save(tmp_path / "a.expt", content))


# SMV


@pytest.mark.parametrize(("words", "start"), [("", 10.0), ("-corrected", 33.0)])
def test_two_first_angles(words: str, start: float, tmp_path: Path) -> None:
    path = smv_file(tmp_path / "a.img", COUNTS.astype("<u2"), {"DIM": "2;\nOSC_START=33;",
                                                              "PHI": "10;"})  # fmt: skip
    repad(path)
    with pytest.warns(CupysimWarning, match="OSC_START=33 and PHI=10"):
        experiment = from_args(f"{CRYSTAL} -img {path} {words}")
    assert np.degrees(experiment.scan.start) == pytest.approx(start)


def repad(path: Path) -> None:
    """A header of 512 bytes again, after lines were added."""
    data = path.read_bytes()
    path.write_bytes(data[:512] + data[-2 * COUNTS.size :])


def test_negative_widths_of_headers(tmp_path: Path, run: Run) -> None:
    """The rotation goes back, which is forwards about the opposite axis."""
    smv_file(tmp_path / "a.img", COUNTS.astype("<u2"), {"PHI": "10;", "OSC_RANGE": "-0.5;"})
    back = from_args(f"{CRYSTAL} -img {tmp_path / 'a.img'} -corrected -phisteps 2")
    assert np.degrees([back.scan.start, back.scan.sweep.range]) == pytest.approx([-10.0, 0.5])
    plain = from_args(f"{CRYSTAL} -corrected")
    np.testing.assert_allclose(back.frame.spindle, -plain.frame.spindle)
    assert "-osc -0.5 is negative" in run(f"{WORDS} -osc -0.5 -detpixels 16").err


def test_lower_case_headers(tmp_path: Path) -> None:
    path = smv_file(tmp_path / "a.img", COUNTS.astype("<u2"), {"PHI": "20;"})
    data = path.read_bytes()
    low = data[:512].replace(b"PHI", b"Phi").replace(b"SIZE", b"size")
    path.write_bytes(low + data[512:])
    experiment = from_args(f"{CRYSTAL} -img {path} -corrected")
    assert np.degrees(experiment.scan.start) == pytest.approx(20.0)
    assert (experiment.detector.n_fast, experiment.detector.n_slow) == (80, 64)


@pytest.mark.parametrize(
    ("line", "words", "message"),
    [
        ("AXIS=omega;\nKAPPA=40;", "", "stands at KAPPA 40"),
        ("SAMPLE_DISTANCE=999;", "", "DISTANCE=999 is read from another key"),
        ("DIM=2;", "-xds", "are not used with -xds"),
        ("DIM=2;", "-dials -corrected", "are not used with -dials"),
    ],
)
def test_what_headers_say_in_vain(
    line: str, words: str, message: str, tmp_path: Path, run: Run
) -> None:
    path = smv_file(tmp_path / "a.img", COUNTS.astype("<u2"))
    data = path.read_bytes()
    header = data[:512].rstrip(b" \0").removesuffix(b"}\f") + line.encode() + b"\n}\f"
    path.write_bytes(header.ljust(512) + data[512:])
    assert message in run(f"{WORDS} -img a.img {words}").err
    if "-xds" not in words and "-dials" not in words:
        # and of a mask which places the detector
        assert message in run(f"{WORDS} -mask a.img {words}").err


def test_masks_count_from_the_other_edge(tmp_path: Path, run: Run) -> None:
    smv_file(tmp_path / "a.img", COUNTS.astype("<u2"))
    assert "is counted from the other edge" in run(f"{WORDS} -mask a.img").err
    assert "other edge" not in run(f"{WORDS} -mask a.img -corrected").err


def test_keys_inside_values(tmp_path: Path, run: Run) -> None:
    """nanoBragg reads AXIS=PHI; WAVELENGTH=0.97; as a phi of 0.97 degrees."""
    path = smv_file(tmp_path / "a.img", COUNTS.astype("<u2"))
    data = path.read_bytes()
    header = data[:512].rstrip(b" \0").removesuffix(b"}\f") + b"AXIS=PHI;\nBIN=2x2;\n}\f"
    path.write_bytes(header.ljust(512) + data[512:])
    assert "PHI=2 is read from another key" in run(f"{WORDS} -img a.img").err
    right = from_args(f"{CRYSTAL} -img {path} -corrected")
    assert np.degrees(right.scan.start) == pytest.approx(12.0)


def test_tilted_images_are_placed_again(tmp_path: Path, run: Run) -> None:
    """With their rotations named again; without, a line tells that they are missing."""
    tilt = "-detector_rotx 3 -detector_roty 20"
    words = f"{CRYSTAL} -lambda 1 -corrected -distance 80 -detpixels 40 -pixel 1 {tilt}"
    assert run(f"{words} -intfile a.img -nonoise -nopgm").status == 0
    first, again = from_args(words), from_args(f"{CRYSTAL} -corrected -img a.img {tilt}")
    assert again.geometry.distance == pytest.approx(first.geometry.distance, rel=1e-5)
    assert "those of a tilted detector" in run(f"{WORDS} -img a.img -corrected").err


@pytest.mark.parametrize("convention", ["-xds", "-dials", "-adxv", "-denzo", "-twotheta 20"])
def test_corrected_afterwards(convention: str) -> None:
    """As if it had been corrected from the start."""
    words = f"{CRYSTAL} -detpixels 40 -pixel 1 {convention}"
    late, early = replace(from_args(words), quirks="all"), from_args(f"{words} -corrected")
    np.testing.assert_allclose(late.geometry.origin, early.geometry.origin, atol=1e-12)
    np.testing.assert_allclose(late.frame.beam, early.frame.beam)
    np.testing.assert_allclose(late.frame.spindle, early.frame.spindle)


# CBF


def mini_of(tmp_path: Path, **lines: str | None) -> ImageGeometry:
    path = mini_cbf(tmp_path / "a.cbf", section(np.ones((3, 3), np.int32)), **lines)
    return cbf.read(path)[1]


@pytest.mark.parametrize(
    ("lines", "start", "width", "spindle", "remark"),
    [
        ({"Oscillation_axis": "(0, 1, 0)"}, 10.0, 0.5, (0.0, 1.0, 0.0), ""),
        ({"Oscillation_axis": "-X"}, 10.0, 0.5, (-1.0, 0.0, 0.0), ""),
        (
            {"Start_angle": None, "Angle_increment": None, "Omega": "0.0 deg.",
             "Omega_increment": "0.5 deg."},
            0.0, 0.5, (1.0, 0.0, 0.0), "",
        ),
        (
            {"Oscillation_axis": "PHI", "Angle_increment": "0.0 deg.", "Phi": "10.0 deg.",
             "Phi_increment": "0.25 deg."},
            10.0, 0.25, (1.0, 0.0, 0.0), "Angle_increment is 0",
        ),
        (
            {"Oscillation_axis": "omega", "Omega": "12.0 deg."},
            10.0, 0.5, (1.0, 0.0, 0.0), "Start_angle is 10, but Omega is 12",
        ),
    ],
)  # fmt: skip
def test_rotations_of_mini_headers(
    lines: dict[str, str | None],
    start: float,
    width: float,
    spindle: tuple[float, ...],
    remark: str,
    tmp_path: Path,
) -> None:
    geometry = mini_of(tmp_path, **lines)
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([start, width])
    np.testing.assert_allclose(geometry.spindle, spindle)
    assert remark in "\n".join(geometry.remarks)


def test_scans_which_are_not_the_images(tmp_path: Path) -> None:
    text = imgcif_text((3, 3), stands={"DISTANCE": (0.0, 150.0), "OMEGA": (30.0, 0.0)},
                       increments={"OMEGA": 0.5})  # fmt: skip
    row = next(line for line in text.splitlines() if line.startswith("S1 OMEGA"))
    text = text.replace(row, f"{row}\nS2 OMEGA 90.0 1.5 1.5 0.0 0.0 0.0")
    path = full_cbf(tmp_path / "a.cbf", text, section(np.ones((3, 3), np.int32)))
    geometry = cbf.read(path)[1]
    assert np.degrees([geometry.phi, geometry.oscillation]) == pytest.approx([30.0, 0.5])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"Flux": "1e+12 ph/s"}, "Flux 1e+12 is not used"),
        ({"Filter_transmission": "0.1"}, "Filter_transmission 0.1 is not used"),
        ({"Flux": "0.000", "Filter_transmission": "1.0000"}, ""),
        ({"Flux": "(nil)"}, ""),
    ],
)
def test_photons_of_mini_headers(lines: dict[str, str], message: str, tmp_path: Path) -> None:
    remarks = mini_of(tmp_path, **lines).remarks
    assert message in "\n".join(remarks)
    assert bool(message) == any("is not used" in each for each in remarks)


def test_ranges_without_increments(tmp_path: Path) -> None:
    """Of a scan of one image, the range is its width."""
    text = imgcif_text((3, 3), stands={"DISTANCE": (0.0, 150.0), "OMEGA": (30.0, 0.0)})
    row = next(line for line in text.splitlines() if line.startswith("S1 OMEGA"))
    text = text.replace(row, row.replace("30.0 0.0 0.0", "30.0 0.5 ."))
    path = full_cbf(tmp_path / "a.cbf", text, section(np.ones((3, 3), np.int32)))
    assert np.degrees(cbf.read(path)[1].oscillation) == pytest.approx(0.5)


def test_spindles_which_a_mini_header_cannot_say(run: Run) -> None:
    words = (
        f"{WORDS.replace('-nonoise', '')} -lambda 1 -detpixels 32 -osc 1 -phisteps 1 -cbffile a.cbf"
    )
    outcome = run(f"{words} -spindle_axis .3 0 1")
    assert outcome.status == 9
    assert "the spindle is not normal to the beam" in outcome.err
    assert outcome.files == {}
    assert run(f"{words} -spindle_axis 0 0 1").status == 0


# matrices


def test_a_matrix_which_is_an_xparm_file(tmp_path: Path, run: Run) -> None:
    (tmp_path / "XPARM.XDS").write_text(
        "     1        0.0000    0.2500  0.999997  0.000004 -0.002427\n"
        "       0.979338       0.005 0.001 1.021\n 80 64 0.5 0.5\n"
    )
    outcome = run(f"-mat XPARM.XDS {WORDS.replace('-cell 70 80 90', '')} -lambda 1 -detpixels 16")
    assert "its first line has six numbers, as in XPARM.XDS" in outcome.err


# images in several files


def series(folder: Path, missing: int, virtual: bool) -> Path:
    """A master of three files of two images, of which pixel (0, 0) has the image's number."""
    images = np.zeros((2, N_SLOW, N_FAST), np.uint32)
    names = [f"data_{n:06d}" for n in (1, 2, 3)]
    for n, name in enumerate(names):
        images[:, 0, 0] = (2 * n, 2 * n + 1)
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["images"] = images

    def change(file: Any) -> None:
        del file["entry/data/data"]
        if virtual:
            layout = h5py.VirtualLayout((6, N_SLOW, N_FAST), np.uint32)
            for n, name in enumerate(names):
                layout[2 * n : 2 * n + 2] = h5py.VirtualSource(f"{name}.h5", "images", images.shape)
            file["entry/data"].create_virtual_dataset("data", layout)
            return
        for name in names:
            file[f"entry/data/{name}"] = h5py.ExternalLink(f"{name}.h5", "images")

    path = edited(folder / "a_master.h5", change, omega=[0.1 * n for n in range(6)])
    (folder / f"{names[missing]}.h5").unlink()
    return path


@pytest.mark.parametrize("virtual", [False, True])
@pytest.mark.parametrize(("missing", "number", "value"), [(2, 3, 3), (1, 2, None), (0, 1, None)])
def test_files_of_images_which_are_missing(
    virtual: bool, missing: int, number: int, value: int | None, tmp_path: Path
) -> None:
    """An image keeps its number; it is not that of another file, and not zeros."""
    path = series(tmp_path, missing, virtual)
    if value is None:
        with pytest.raises(FileFormatError, match="in a file that is missing"):
            open_image(path, number=number)
    else:
        assert open_image(path, number=number).pixels[0, 0] == value


@pytest.mark.parametrize("virtual", [False, True])
def test_last_files_which_are_missing_are_told(virtual: bool, tmp_path: Path) -> None:
    path = series(tmp_path, 2, virtual)
    assert "are left out: data_000003.h5" in told(path)[1]
    assert "are left out" not in told(write(tmp_path / "whole.h5"))[1]


def numbered(
    folder: Path, lows: Sequence[int | None], n_angles: int | None = None, images: int = 2
) -> Path:
    """A master of data sets of two images, whose pixel (0, 0) has the number by image_nr_low."""
    n_angles = images * len(lows) if n_angles is None else n_angles

    def change(file: Any) -> None:
        del file["entry/data/data"]
        for n, low in enumerate(lows):
            pixels = np.zeros((images, N_SLOW, N_FAST), np.uint32)
            pixels[:, 0, 0] = (low or 1 + images * n) + np.arange(images)
            stored = file["entry/data"].create_dataset(f"data_{n + 1:06d}", data=pixels)
            if low is not None:
                stored.attrs["image_nr_low"] = np.uint32(low)

    return edited(folder / "a_master.h5", change, omega=[0.1 * n for n in range(n_angles)])


@pytest.mark.parametrize(
    ("lows", "n_angles", "number", "found", "angle", "remark"),
    [
        ([1, 3, 5], 6, 3, 4, 0.3, ""),
        ([None, None], 4, 3, 4, 0.3, ""),
        # data sets in another order
        ([3, 1], 4, 0, 1, 0.0, "the order of its images is that of image_nr_low"),
        ([3, 1], 4, 3, 4, 0.3, "the order of its images is that of image_nr_low"),
        # one of the middle is not linked
        ([1, 5], 6, 5, 6, 0.5, "images are missing between its data sets"),
        ([1, 5], 6, 2, None, 0.0, "by image_nr_low, it is in a file that is missing"),
        # a part of a series, with the angles of the part or of the whole
        ([5, 7], 4, 1, 6, 0.1, "its first image is number 5 of a series"),
        ([5, 7], 12, 1, 6, 0.5, "its first image is number 5 of a series"),
        # each file counts from one
        ([1, 1], 4, 3, 2, 0.3, "overlap and are not used"),
    ],
)
def test_images_are_numbered_by_image_nr_low(
    lows: list[int | None], n_angles: int, number: int, found: int | None, angle: float,
    remark: str, tmp_path: Path,
) -> None:  # fmt: skip
    path = numbered(tmp_path, lows, n_angles)
    if found is None:
        with pytest.raises(FileFormatError, match=remark):
            open_image(path, number=number)
        return
    image = open_image(path, number=number)
    assert image.pixels[0, 0] == found
    assert image.geometry is not None
    assert np.degrees(image.geometry.phi) == pytest.approx(angle)
    remarks = "\n".join(image.geometry.remarks)
    assert remark in remarks
    assert bool(remark) == bool(remarks)


def test_beam_centres_which_were_never_set(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.h5", both(beam_on_the_corner, centre(0.0, 0.0)))
    assert "as in files where the beam centre was never set" in told(path)[1]


def test_sensors_of_mini_headers(tmp_path: Path) -> None:
    remarks = mini_of(tmp_path, Silicon="sensor, thickness 0.000450 m").remarks
    assert "its sensor of 450 um is not simulated" in "\n".join(remarks)


@pytest.mark.parametrize(
    ("kind", "model", "remark"),
    [
        ("profile", {"__id__": "gaussian_rs", "sigma_m": 0.3}, "crystal's mosaicity is not used"),
        ("imageset", {"__id__": "ImageSet", "mask": "pixels.mask"}, "mask of its image set"),
        ("crystal", {"recalculated_unit_cell": [33, 44, 55, 90, 90, 90]}, "recalculated_unit_cell"),
    ],
)
def test_other_models_of_a_list_are_told(
    kind: str, model: dict[str, Any], remark: str, tmp_path: Path
) -> None:
    content = expt()
    if kind == "crystal":
        content["crystal"][0] |= model
    else:
        content[kind], content["experiment"][0][kind] = [model], 0
    assert remark in "\n".join(dials.read(save(tmp_path / "a.expt", content)).remarks)


@pytest.mark.parametrize(
    ("probe", "remark"),
    [("electron", "the probe of its source is 'electron'"), ("x-ray", "")],
)
def test_other_radiation_than_x_rays_is_told(probe: str, remark: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        source = group(file, "entry/source", "NXsource")
        source["probe"] = probe
    remarks = told(path)[1]
    assert remark in remarks if remark else "probe" not in remarks


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"Start_angle": None, "Angle_increment": "0.1 deg."}, "no Start_angle; 0 is assumed"),
        ({"Oscillation_axis": "omega (-1,0,0)", "Start_angle": "5 deg."},
         "the numbers in Oscillation_axis omega (-1,0,0) in its header are not used"),
    ],
)  # fmt: skip
def test_rotations_that_are_told_in_part(
    lines: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    assert message in "\n".join(mini_of(tmp_path, **lines).remarks)
