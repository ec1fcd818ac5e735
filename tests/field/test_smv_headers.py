"""Headers of SMV images: tilted detectors, and beam centres which contradict each other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cupysim.formats import any_image
from tests.conftest import Run
from tests.field.test_geometry import COUNTS, CRYSTAL, WORDS, smv_file

FRAME = f"{CRYSTAL} -lambda 1 -distance 80 -detpixels_f 40 -detpixels_s 30 -pixel 1"

TILTS = {
    "none": "",
    "tilted": "-detector_rotx 5 -detector_roty 20 -detector_rotz 3",
    "swung": "-twotheta 20",
    "both": "-twotheta 20 -detector_rotx 5 -xds",
}


def header_with(path: Path, lines: dict[str, str], leave_out: str = "BEAM_CENTER") -> None:
    """An image with further keys, and without those which begin in some way."""
    smv_file(path, COUNTS.astype("<u2"))
    data = path.read_bytes()
    kept = [line for line in data[:512].split(b"\n") if leave_out.encode() not in line]
    text = b"\n".join(kept).rstrip(b" \0\n").removesuffix(b"}\f")
    text += "".join(f"{key}={value};\n" for key, value in lines.items()).encode() + b"}\f"
    path.write_bytes(text.ljust(512) + data[512:])


@pytest.mark.parametrize("case", TILTS)
def test_tilted_images_are_where_they_are(case: str, tmp_path: Path, run: Run) -> None:
    """As the NXmx file of the same experiment, which holds the panel's place exactly, has it."""
    assert run(f"{FRAME} {TILTS[case]} -intfile a.img -h5file a.h5 -nonoise -nopgm").status == 0
    smv, exact = (any_image.open_image(tmp_path / name).geometry for name in ("a.img", "a.h5"))
    assert smv is not None
    assert exact is not None
    np.testing.assert_allclose(smv.beam_centre, exact.beam_centre, rtol=2e-5)
    assert smv.near_distance == pytest.approx(exact.near_distance, rel=1e-5)
    places = np.array([[0.0, 40.0, 0.0, 40.0], [0.0, 0.0, 30.0, 30.0]])
    np.testing.assert_allclose(smv.resolution(*places), exact.resolution(*places), rtol=1e-4)
    told, right = (
        re.findall(r"^distance +(.*)$", run(f"info {name}").out, re.MULTILINE)
        for name in ("a.img", "a.h5")
    )
    assert ("normal incidence" in told[0]) == bool(TILTS[case])
    numbers = [[float(each) for each in re.findall(r"[\d.]+", text[0])] for text in (told, right)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-5)


def test_tilts_of_unknown_direction(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a.img", {"CLOSE_DISTANCE": "141", "BEAM_CENTER_X": "2",
                                     "BEAM_CENTER_Y": "2"})  # fmt: skip
    out = run("info a.img").out
    assert re.search(r"distance +\S+ mm along the beam, 141 mm to the point of normal", out)
    assert "does not tell how the detector is tilted" in out
    assert "resolution" not in out
    assert re.search(r"^pixel +0.1026 mm$", out, re.MULTILINE)
    assert re.search(r"^wavelength +\S+ A$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("others", "words", "taken"),
    [
        ({"MOSFLM_CENTER_X": "5", "MOSFLM_CENTER_Y": "2"}, "", ""),
        ({"MOSFLM_CENTER_X": "3", "MOSFLM_CENTER_Y": "2"}, "", "BEAM_CENTER_X"),
        ({"MOSFLM_CENTER_X": "3", "MOSFLM_CENTER_Y": "2"}, "-Xbeam 1 -Ybeam 2", ""),
        ({"XDS_ORGX": "21", "XDS_ORGY": "51"}, "", ""),
        ({"XDS_ORGX": "51", "XDS_ORGY": "15"}, "", "BEAM_CENTER_X"),
        ({"XDS_ORGX": "51", "XDS_ORGY": "15"}, "-adxv", ""),
        ({"XDS_ORGX": "51", "XDS_ORGY": "51"}, "-xds", "XDS_ORGX"),
    ],
)
def test_beam_centres_which_disagree(
    others: dict[str, str], words: str, taken: str, tmp_path: Path, run: Run
) -> None:
    """Of 64 x 80 pixels of 0.1 mm, say: in ADXV's convention, Y is counted from the other edge."""
    centre = {"PIXEL_SIZE": "0.1", "BEAM_CENTER_X": "5", "BEAM_CENTER_Y": "2"}
    if words == "-adxv":
        assert COUNTS.shape[0] == 64
        centre["BEAM_CENTER_Y"] = "5"
    header_with(tmp_path / "a.img", {**centre, **others}, leave_out="PIXEL_SIZE")
    err = run(f"{WORDS} -img a.img {words}").err
    assert ("by other keys of its header" in err) == bool(taken)
    assert f"{taken} and _Y, taken in the" in err or not taken
    if words == "":
        assert ("by other keys of its header" in run("info a.img").out) == bool(taken)
