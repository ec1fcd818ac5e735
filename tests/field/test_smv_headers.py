"""Headers of SMV images: tilted detectors, and beam centres which contradict each other."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.errors import FileFormatError
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
    assert "does not say how the detector is tilted" in out
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
    assert ("other keys of its header" in err) == bool(taken)
    assert f"{taken} and _Y, read in the" in err or not taken
    if words == "":
        assert ("other keys of its header" in run("info a.img").out) == bool(taken)


FIRST = {
    # further lines, the first angle of nanoBragg's reading and the one that is meant, and what is
    # said in both cases
    "named axis": (
        {"AXIS": "OMEGA", "OMEGA": "40", "PHI": "10"}, 10.0, 40.0,
        "has OMEGA=40 and PHI=10; PHI is used, as in nanoBragg; with -corrected, OMEGA is used",
        "stands at PHI 10",
    ),
    "kappa turns": (
        {"AXIS": "kappa", "KAPPA": "-40", "OMEGA": "5"}, 12.0, -40.0,
        "has KAPPA=-40 and PHI=12; PHI is used", "stands at OMEGA 5, PHI 12",
    ),
    "start of the named axis": (
        {"AXIS": "OMEGA", "OMEGA": "40", "OSC_START": "40"}, 12.0, 40.0,
        "has OSC_START=40 and OMEGA=40 and PHI=12; PHI is used", "stands at PHI 12",
    ),
    "another start": (
        {"AXIS": "OMEGA", "OMEGA": "40", "OSC_START": "45"}, 12.0, 45.0,
        "OSC_START=45 and OMEGA=40 and PHI=12; PHI", "OSC_START=45 and OMEGA=40; OSC_START is used",
    ),
    "copy": ({"AXIS": "OMEGA", "OMEGA": "12", "PHI": "12"}, 12.0, 12.0, "", ""),
    "phi": ({"AXIS": "PHI", "OMEGA": "0", "PHI": "12"}, 12.0, 12.0, "", ""),
    "named alone": ({"AXIS": "OMEGA", "CHI": "0"}, 12.0, 12.0, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", FIRST)
@pytest.mark.parametrize("corrected", [False, True])
def test_the_axis_which_turns(case: str, corrected: bool, tmp_path: Path) -> None:
    lines, plain, meant, *messages = FIRST[case]
    header_with(tmp_path / "a.img", lines, "PHI=12" if "PHI" in lines else "nothing")
    words = f"{CRYSTAL} -img {tmp_path / 'a.img'} -phisteps 1{' -corrected' * corrected}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = from_args(words)
    assert np.degrees(found.scan.start) == pytest.approx(meant if corrected else plain)
    told = "\n".join(str(each.message) for each in caught)
    assert messages[corrected] in told
    if not messages[corrected]:
        assert "stands at" not in told
        assert "counts" not in told


def test_an_axis_without_phi(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a.img", {"AXIS": "omega", "OMEGA": "40"}, "PHI=12")
    assert "OMEGA=40 in the header of a.img is not used" in run(f"{WORDS} -img a.img").err
    found = from_args(f"{CRYSTAL} -img {tmp_path / 'a.img'} -corrected")
    assert np.degrees(found.scan.start) == pytest.approx(40.0)
    assert "from 40 by 0.5" in run("info a.img").out


BAD_NUMBERS = {
    "nan": ("PHI", "nan", "PHI=nan is not a number", "-phi 3"),
    "infinite": ("OSC_RANGE", "1e999", "OSC_RANGE=1e999 is not a number", "-osc 1"),
    "word": ("BEAM_CENTER_X", "unknown", "BEAM_CENTER_X=unknown is not a number", "-Xbeam 3"),
    "nothing": ("DISTANCE", "", "DISTANCE= is not a number", "-distance 100"),
    "negative": ("DISTANCE", "-150", "DISTANCE=-150 is not possible", "-distance 100"),
    "of a longer key": (
        "UNIT_DISTANCE",
        "mm",
        "DISTANCE in its header is read as 0",
        "-distance 100",
    ),
    "start": ("OSC_START", "nan", "OSC_START=nan is not a number", "-phi 3"),
    "two-theta": ("TWOTHETA", "x", "TWOTHETA=x is not a number", "-twotheta 0"),
    "size": ("SIZE1", "79.7", "SIZE1=79.7 and SIZE2=64 are not integers", ""),
    "size nan": ("SIZE2", "nan", "SIZE1=80 and SIZE2=0 are not the size of an image", ""),
}


@pytest.mark.parametrize("case", BAD_NUMBERS)
@pytest.mark.parametrize("option", ["-img", "-mask"])
def test_headers_which_are_not_numbers(case: str, option: str, tmp_path: Path, run: Run) -> None:
    """An error, unless an option gives the value."""
    key, value, message, words = BAD_NUMBERS[case]
    header_with(tmp_path / "a.img", {key: value}, f"{key}=")
    outcome = run(f"{WORDS} {option} a.img")
    assert (outcome.status, outcome.files) == (9, {})
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    if words:
        assert run(f"{WORDS} {option} a.img {words}").status == 0


def test_negative_distances_of_our_own_headers(tmp_path: Path, run: Run) -> None:
    """Of a detector swung beyond 90 degrees, whose close distance is written too."""
    words = f"{FRAME} -detector_roty 100 -intfile a.img -nonoise -nopgm"
    assert run(words).status == 0
    assert b"\nDISTANCE=-" in (tmp_path / "a.img").read_bytes()[:512]
    assert run(f"{WORDS} -img a.img").status == 0


def test_keys_with_two_values(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a.img", {"WAVELENGTH": "1.1"})
    outcome = run(f"{WORDS} -img a.img")
    assert "WAVELENGTH is 0.98, then 1.1; the last is used" in outcome.err
    assert "wave=1.1e-10 meters" in outcome.out
    assert "then" not in run(f"{WORDS} -img a.img -lambda 1").err


def test_headers_of_several_images(tmp_path: Path, run: Run) -> None:
    header_with(tmp_path / "a.img", {"DIM": "3", "SIZE3": "2"}, "DIM=2")
    assert "only the first of its SIZE3=2 images" in run(f"{WORDS} -img a.img").err


@pytest.mark.parametrize(
    ("lines", "told", "overruled"),
    [
        ({"ROTATION": "10 10.5 0.5"}, "d*TREK's ROTATION in its header", "-phi 10 -osc 0.5"),
        ({"SOURCE_WAVELENGTH": "1 1.1"}, "SOURCE_WAVELENGTH in its header", "-lambda 1.1"),
        ({"ENERGY": "8000"}, "ENERGY of 8000 eV is that of 1.5498 A", "-lambda 1"),
        ({"ENERGY": "12651.5"}, "", ""),
    ],
)
def test_keys_of_other_programs(
    lines: dict[str, str], told: str, overruled: str, tmp_path: Path, run: Run
) -> None:
    header_with(tmp_path / "a.img", lines)
    said = run(f"{WORDS} -img a.img").err
    if told:
        assert told in said
        assert told not in run(f"{WORDS} -img a.img {overruled}").err
    else:
        assert "ENERGY" not in said


@pytest.mark.parametrize(
    ("ratio", "kind", "expected"),
    [("8", "unsigned short int", 8000), ("1", "unsigned short int", 33768), ("8", "long", 33768)],
)
def test_large_pixels_of_dtrek(ratio: str, kind: str, expected: int, tmp_path: Path) -> None:
    """d*TREK's Cimage::fCvtRAXIStoFloat: (short(33768) + 32768) * 8 is 8000."""
    values = COUNTS.astype("<u4" if kind == "long" else "<u2")
    values[3, 4] = 33768
    lines = {"RAXIS_COMPRESSION_RATIO": ratio, "Data_type": kind}
    header_with(tmp_path / "a.img", lines, leave_out="TYPE")
    data = (tmp_path / "a.img").read_bytes()
    (tmp_path / "a.img").write_bytes(data[: data.index(b"\f") + 1].ljust(512) + values.tobytes())
    wanted = COUNTS.copy()
    wanted[3, 4] = expected
    np.testing.assert_array_equal(any_image.open_image(tmp_path / "a.img").pixels, wanted)


@pytest.mark.parametrize("words", ["", "-corrected"])
def test_keys_of_the_layout_are_whole_keys(words: str, tmp_path: Path, run: Run) -> None:
    """80 x 64 pixels after 512 bytes; the longer keys come later and have other numbers."""
    lines = {"ORIGINAL_SIZE1": "40", "ORIGINAL_SIZE2": "4096", "OLD_HEADER_BYTES": "1024"}
    header_with(tmp_path / "a.img", lines)
    np.testing.assert_array_equal(any_image.open_image(tmp_path / "a.img").pixels, COUNTS)
    outcome = run(f"{WORDS} -img a.img {words}")
    assert outcome.status == 0
    assert "after its pixels" not in outcome.err
    assert "writing intimage.img" in outcome.out
    image = (tmp_path / "intimage.img").read_bytes()
    assert b"SIZE1=80;" in image
    assert b"SIZE2=64;" in image


def test_ratios_that_are_none(tmp_path: Path) -> None:
    header_with(tmp_path / "a.img", {"RAXIS_COMPRESSION_RATIO": "eight"})
    with pytest.raises(FileFormatError, match="RAXIS_COMPRESSION_RATIO=eight is no ratio"):
        any_image.open_image(tmp_path / "a.img")
