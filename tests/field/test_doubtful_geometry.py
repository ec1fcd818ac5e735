"""Geometry that is possible, but probably a mistake, is told, whatever the format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import CupysimWarning
from cupysim.formats import cbf, dials, nxmx_image
from cupysim.formats.any_image import open_image
from cupysim.formats.pyfai_detector import read_poni
from cupysim.readers import read_experiment
from tests.conftest import Run
from tests.field.cbf_files import AXES, full_cbf, imgcif_text, mini_cbf, section
from tests.field.nxmx_files import DISTANCE, PIXEL, write
from tests.field.test_geometry import CRYSTAL, DETECTOR, WORDS, edited
from tests.formats.test_inherited import expt
from tests.formats.test_pyfai import written

PIXELS = np.ones((40, 60), np.int32)
NEVER_SET = "as in files where the beam centre was never set"


def said(remarks: Any) -> str:
    return "\n".join(remarks)


# HDF5


def shift(distance: float, sign: float = 1.0) -> Any:
    def change(file: Any) -> None:
        moved = file[f"{DETECTOR}/transformations/det_z"]
        moved[...] = distance
        moved.attrs["vector"] = [0.0, 0.0, sign]

    return change


def pixel_of(size: float) -> Any:
    def change(file: Any) -> None:
        for name in ("fast", "slow"):
            file[f"{DETECTOR}/module/{name}_pixel_direction"][...] = size

    return change


def offset_of(factor: float) -> Any:
    def change(file: Any) -> None:
        attributes = file[f"{DETECTOR}/module/module_offset"].attrs
        attributes["offset"] = factor * attributes["offset"]

    return change


HDF5 = {
    "as it is": (shift(DISTANCE), {}, ""),
    "upstream": (shift(DISTANCE, -1.0), {}, "upstream of the sample, 150 mm away"),
    "mm for m": (shift(150.0), {}, "its distance of 150000 mm is unusual"),
    "m for mm": (shift(1e-3 * DISTANCE), {}, "its distance of 0.15 mm is unusual"),
    "pixels": (pixel_of(1e-3 * PIXEL), {}, "its pixel size of 0.075 um is unusual"),
    "small offset": (offset_of(1e-3), {}, NEVER_SET),
    "large offset": (offset_of(-10.0), {}, "far from the 80 x 64 pixels of its detector"),
    "wavelength": (shift(DISTANCE), {"wavelength": 9.8}, "its wavelength of 9.8 A is unusual"),
    "energy": (shift(DISTANCE), {"wavelength": 12658.0}, "its wavelength of 12658 A is unusual"),
    "radians": (
        shift(DISTANCE), {"omega": [0.0, np.degrees(0.5), np.degrees(1.0)]},
        "its crystal turns by 28.6479 degrees",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HDF5)
def test_hdf5_files(case: str, tmp_path: Path) -> None:
    change, arrays, message = HDF5[case]
    told = said(nxmx_image.read(edited(tmp_path / "a.h5", change, **arrays))[1].remarks)
    assert message in told
    assert bool(message) == bool(told)


# CBF and experiment lists


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({}, ""),
        ({"Beam_xy": "(0.00, 0.00) pixels"}, f"its beam is at pixel 0 0, {NEVER_SET}"),
        ({"Beam_xy": "(-1.00, -1.00) pixels"}, f"its beam is at pixel -1 -1, {NEVER_SET}"),
        ({"Beam_xy": "(0.0, 20.0) pixels"}, ""),
        ({"Detector_distance": "150.000 m"}, "its distance of 150000 mm is unusual"),
        ({"Beam_xy": "(3200, 20) pixels"}, "far from the 60 x 40 pixels"),
    ],
)
def test_mini_headers(lines: dict[str, str], message: str, tmp_path: Path) -> None:
    told = said(cbf.read(mini_cbf(tmp_path / "a.cbf", section(PIXELS), **lines))[1].remarks)
    assert message in told
    assert bool(message) == bool(told)


def test_imgcif_axes(tmp_path: Path) -> None:
    axes = [row.replace("TWOTHETA 0 0 -1", "TWOTHETA 0 0 1") for row in AXES]
    path = full_cbf(tmp_path / "a.cbf", imgcif_text((60, 40), axes), section(PIXELS))
    assert "upstream of the sample" in said(cbf.read(path)[1].remarks)


def test_experiment_lists(tmp_path: Path) -> None:
    content = expt()
    content["beam"][0]["direction"] = [-each for each in content["beam"][0]["direction"]]
    (tmp_path / "a.expt").write_text(json.dumps(content))
    assert "upstream of the sample" in said(dials.read(tmp_path / "a.expt").remarks)


# SMV: info says what -img says

SMV = {
    "SIZE1": "60", "SIZE2": "40", "PIXEL_SIZE": "0.1", "DISTANCE": "150", "WAVELENGTH": "1",
    "BEAM_CENTER_X": "2", "BEAM_CENTER_Y": "3", "PHI": "10", "OSC_RANGE": "0.5",
}  # fmt: skip


def smv_of(path: Path, end: str = "}\n", **lines: str) -> Path:
    keys = "".join(f"{key}={value};\n" for key, value in {**SMV, **lines}.items())
    text = f"{{\nHEADER_BYTES=  512;\nTYPE=unsigned_short;\n{keys}{end}"
    path.write_bytes(text.encode().ljust(512) + np.ones((40, 60), "<u2").tobytes())
    return path


HEADERS = {
    "as it is": ({}, ""),
    "twice": ({"OTHER": "1;\nDISTANCE=200"}, "DISTANCE is 150, then 200; the last is used"),
    "in a comment": (
        {"COMMENT": "old DISTANCE=300"}, "DISTANCE=300 is read from another key in a.img",
    ),
    "a unit": ({"DISTANCE": "0.150 m"}, "DISTANCE=0.150 m is read as 0.150 mm"),
    "Fortran": ({"DISTANCE": "1.5D+02"}, "DISTANCE=1.5d+02 is read as 1.5 mm"),
    "a comma": ({"DISTANCE": "150,25"}, "DISTANCE=150,25 is read as 150 mm"),
    "never set": ({"BEAM_CENTER_X": "0", "BEAM_CENTER_Y": "0.0"}, f"_Y are 0 0, {NEVER_SET}"),
    "unset": ({"BEAM_CENTER_X": "-1", "BEAM_CENTER_Y": "-1"}, f"_Y are -1 -1, {NEVER_SET}"),
    "pixels for mm": (
        {"BEAM_CENTER_X": "41", "BEAM_CENTER_Y": "31"}, "far from the 60 x 40 pixels",
    ),
    "no end": ({"end": ""}, "does not end within the 512 bytes of HEADER_BYTES"),
    "an edited distance": (
        {"DENZO_X_BEAM": "2.05", "DENZO_Y_BEAM": "3.05", "XDS_ORGX": "31", "XDS_ORGY": "21",
         "CLOSE_DISTANCE": "100"},
        "its DISTANCE is 150 mm, but its CLOSE_DISTANCE is 100 mm and is used",
    ),
    "a tilt": (
        {"DENZO_X_BEAM": "2.05", "DENZO_Y_BEAM": "3.05", "XDS_ORGX": "31", "XDS_ORGY": "900",
         "CLOSE_DISTANCE": "122"},
        "are those of a tilted detector",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_info_says_what_img_says(case: str, tmp_path: Path, run: Run) -> None:
    lines, message = HEADERS[case]
    smv_of(tmp_path / "a.img", **lines)
    out, err = run("info a.img").out, run(f"{WORDS} -img a.img").err
    notes = [line for line in out.splitlines() if line.startswith("note")]
    if not message:
        assert notes == []
        return
    assert any(message in note for note in notes)
    assert message in err


@pytest.mark.parametrize("corrected", ["", "-corrected"])
def test_of_two_distances_one_counts(corrected: str, tmp_path: Path, run: Run) -> None:
    lines, _ = HEADERS["an edited distance"]
    smv_of(tmp_path / "a.img", **lines)
    assert "distance=0.1 " in run(f"{WORDS} -img a.img {corrected}").out
    assert re.search(r"^distance +100 mm along", run("info a.img").out, re.MULTILINE)


def test_keys_in_comments_do_not_count(tmp_path: Path) -> None:
    geometry = open_image(smv_of(tmp_path / "a.img", COMMENT="old DISTANCE=300")).geometry
    assert geometry is not None
    assert geometry.near_distance == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("PIXEL_SIZE", "0,1", "PIXEL_SIZE in its header is read as 0, from '0,1': decimal points"),
        ("WAVELENGTH", "0,9795", "WAVELENGTH=0 is not possible, from '0,9795': decimal points"),
    ],
)
def test_decimal_commas(key: str, value: str, told: str, tmp_path: Path, run: Run) -> None:
    smv_of(tmp_path / "a.img", **{key: value})
    outcome = run(f"{WORDS} -img a.img")
    assert outcome.status == 9
    assert told in outcome.err
    assert f"for -img, an error: {told}" in run("info a.img").out


def test_usual_files_need_no_word(tmp_path: Path) -> None:
    assert nxmx_image.read(write(tmp_path / "a.h5"))[1].remarks == ()


# files of cupysim whose geometry was changed later


def test_changed_files_of_cupysim(tmp_path: Path, run: Run) -> None:
    made = f"{CRYSTAL} -lambda 1 -distance 100 -detpixels 40 -pixel 0.1 -phi 3 -osc 1"
    assert run(f"{made} -h5file a.h5 -nonoise -nopgm").status == 0
    assert "stored" not in run("info a.h5").out
    assert "stored" not in run(f"{WORDS} -img a.h5").err
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file[f"{DETECTOR}/transformations/det_z"][...] = 0.2
        file["entry/instrument/beam/incident_wavelength"][...] = 1.5
    told = "distance 200 and 100 mm; wavelength 1.5 and 1 A"
    out = run("info a.h5").out
    assert told in out
    assert re.search(r"^distance +200 mm", out, re.MULTILINE)
    assert told in run(f"{WORDS} -img a.h5").err
    with pytest.warns(CupysimWarning, match=f"{told}; the stored experiment is read"):
        experiment = read_experiment(tmp_path / "a.h5")
    assert experiment.beam.wavelength == pytest.approx(1e-10)


PONI: dict[str, tuple[dict[str, Any], str]] = {
    "as it is": ({}, ""),
    "wavelength": ({"Wavelength": "1.266e-9"}, "its wavelength of 12.66 A is unusual"),
    "distance": ({"Distance": "100"}, "its distance of 100000 mm is unusual"),
    "pixel": ({"config": {"pixel1": 0.1}}, "its pixel size of 100000 um is unusual"),
    "rotation": ({"Rot1": "3.0"}, "all panels of its detector are upstream of the sample"),
}


@pytest.mark.parametrize("case", PONI)
def test_geometry_of_pyfai_is_checked(case: str, tmp_path: Path) -> None:
    changes, told = PONI[case]
    remarks = read_poni(written(tmp_path / "a.poni", **changes)).remarks
    assert told in " ".join(remarks)
    assert len(remarks) == bool(told)


def test_pyfai_writes_nothing_itself(
    tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """pyFAI logs the names of all detectors."""
    pytest.importorskip("pyFAI")
    written(tmp_path / "a.poni", Detector="Rayonix")
    outcome = run("-geom a.poni -cell 9 -default_F 1 -nodump")
    assert outcome.status == 9
    assert "pyFAI cannot make the detector 'Rayonix'" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not [each for each in caplog.records if each.name.startswith("pyFAI")]
