"""CBF files as detectors and other programs write them: what they say is what is simulated."""

from __future__ import annotations

import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest

from cupysim.api import from_args
from cupysim.cli.commands.info import describe
from cupysim.errors import CupysimError, CupysimWarning, FileFormatError
from cupysim.formats import cbf
from cupysim.formats.any_image import open_image
from cupysim.formats.geometry import ImageGeometry
from cupysim.formats.pixels import LARGEST_PIXEL_VALUE, measured
from tests.conftest import Run
from tests.field.cbf_files import (
    AXES,
    byte_offset,
    full_cbf,
    imgcif_text,
    loop,
    mini_cbf,
    section,
)
from tests.tolerances import LAST_BITS, POSITION

CRYSTAL = "-cell 70 80 90 -default_F 100 -N 4 -nodump"

PIXELS = np.array([[3, 0, 2], [-1, 400, -2], [70000, 5, 1]], dtype=np.int32)
"""Counts, a gap (-1) and a bad pixel (-2)."""

CBFLIB = 1e-9
"""Positions (m) against CBFlib's, whose tables have ten digits."""

KAPPA_SPINDLE = (0.9213804796490166, 0.001543726866693823, 0.3886587560175498)
"""Phi axis at omega -10 and kappa 30 degrees of the axes in `cbf_files`, by dxtbx 3.12."""


def geometry_of(path: Path) -> ImageGeometry:
    return cbf.read(path)[1]


def mini(tmp_path: Path, **lines: str | None) -> Path:
    return mini_cbf(tmp_path / "a.cbf", section(PIXELS), **lines)


def full(tmp_path: Path, **changes: Any) -> Path:
    text = imgcif_text((3, 3), **changes)
    return full_cbf(tmp_path / "full.cbf", text, section(PIXELS))


# the header of mini-CBF files


def test_plain_header(tmp_path: Path) -> None:
    pixels, geometry = cbf.read(mini(tmp_path))
    np.testing.assert_array_equal(pixels, PIXELS)
    assert pixels.dtype == np.int32
    np.testing.assert_allclose(
        geometry.origin, [-3.25 * 172e-6, 2.5 * 172e-6, -0.15], rtol=LAST_BITS
    )
    np.testing.assert_array_equal(geometry.fast, [1, 0, 0])
    np.testing.assert_array_equal(geometry.slow, [0, -1, 0])
    np.testing.assert_array_equal(geometry.spindle, [1, 0, 0])
    assert geometry.wavelength == pytest.approx(0.98e-10, rel=LAST_BITS)
    assert np.degrees(geometry.phi) == pytest.approx(10.0, rel=LAST_BITS)
    assert np.degrees(geometry.oscillation) == pytest.approx(0.5, rel=LAST_BITS)
    assert geometry.remarks == ()


@pytest.mark.parametrize(
    "words", ["23.24 deg.", "23.24 deg", "23.24", "0.40561451815 rad", "(23.24) degrees"]
)
def test_detector_on_an_arm(tmp_path: Path, words: str) -> None:
    geometry = geometry_of(mini(tmp_path, Detector_2theta=words))
    angle = np.radians(23.24)
    y, z = 2.5 * 172e-6, -0.15
    sine, cosine = np.sin(angle), np.cos(angle)
    expected = [-3.25 * 172e-6, y * cosine - z * sine, y * sine + z * cosine]
    np.testing.assert_allclose(geometry.origin, expected, atol=POSITION)
    np.testing.assert_allclose(geometry.fast, [1, 0, 0], atol=LAST_BITS)
    np.testing.assert_allclose(geometry.slow, [0, -cosine, -sine], atol=POSITION)
    assert len(geometry.remarks) == 1
    assert "Detector_2theta 23.24" in geometry.remarks[0]
    assert "about the spindle (1 0 0)" in geometry.remarks[0]


def test_arm_in_the_rendered_experiment(tmp_path: Path, run: Run) -> None:
    path = mini(tmp_path, Detector_2theta="23.24 deg.")
    outcome = run(f"{CRYSTAL} -img {path} -floatfile a.bin")
    assert outcome.status == 0
    assert "Detector_2theta 23.24 in its header has no axis and no sense" in outcome.err
    placed = from_args(f"{CRYSTAL} -img {path}").placed
    normal = np.cross(placed.geometry.fast, placed.geometry.slow)
    assert abs(normal @ placed.frame.beam) == pytest.approx(np.cos(np.radians(23.24)))


def test_header_and_axes_of_an_arm_agree(tmp_path: Path) -> None:
    """Beamlines which have both write the same swing into both."""
    axes = [*AXES[:6], "ELEMENT_Y translation detector DISTANCE 0 -1 0 -0.559 0.43 0", AXES[7]]
    stands = {"TWOTHETA": (20.0, 0.0), "DISTANCE": (0.0, 150.0)}
    by_axes = geometry_of(full(tmp_path, axes=axes, stands=stands))
    by_header = geometry_of(mini(tmp_path, Detector_2theta="20.0 deg."))
    for name in ("origin", "fast", "slow"):
        np.testing.assert_allclose(getattr(by_header, name), getattr(by_axes, name), atol=POSITION)


LENGTHS = {
    "Detector_distance": ("0.15 m", "0.15 M", "150 mm", "150.0 MM", "1.5e-1 m", "15 cm", "0.15m",
                          "150000 um", "= 0.15 m", "(0.15) m"),
    "Pixel_size": ("172e-6 m x 172e-6 m", "0.000172 m x 0.000172 m", "172 um x 172 um",
                   "0.172 mm x 0.172 mm", "0.172 x 0.172 mm", "172 µm x 172 µm", "172 μm X 172 μm",
                   "1.72E-4 m x 1.72E-4 m", "172e-6m x 172e-6m"),
    "Beam_xy": ("(3.25, 2.5) pixels", "(3.25,2.5) pixels", "( 3.25 , 2.5 ) Pixels", "3.25 2.5 px",
                "(0.559, 0.430) mm", "(0.000559, 0.00043) m"),
    "Wavelength": ("0.98 A", "0.98 Å", "0.98 \N{ANGSTROM SIGN}", "0.98 Angstrom", "0.98A",
                   "0.098 nm", "9.8e-1 a", "12651.44897959 eV", "12.65144897959 keV"),
    "Start_angle": ("10.0 deg.", "10.0 deg", "10 degrees", "10.0 °", "10", "1e1 DEG."),
    "Angle_increment": ("0.5 deg.", "0.5 deg", "+0.5", "5e-1 deg."),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name, all_ in LENGTHS.items() for words in all_]
)
def test_spellings_of_values(tmp_path: Path, name: str, words: str) -> None:
    plain, other = geometry_of(mini(tmp_path)), geometry_of(mini(tmp_path, **{name: words}))
    np.testing.assert_allclose(other.origin, plain.origin, rtol=POSITION)
    assert other.pixel_size == pytest.approx(plain.pixel_size, rel=LAST_BITS)
    for field in ("wavelength", "phi", "oscillation"):
        assert getattr(other, field) == pytest.approx(getattr(plain, field), rel=POSITION)
    assert other.remarks == ()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_letters_of_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = mini(tmp_path)
    data = path.read_bytes().replace(b"0.98 A", "0.98 Å".encode(encoding))
    path.write_bytes(data.replace(b"172e-6 m", "172 µm".encode(encoding)))
    geometry = geometry_of(path)
    assert geometry.wavelength == pytest.approx(0.98e-10)
    assert geometry.pixel_size == pytest.approx(172e-6)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("case", [str.lower, str.upper, str])
def test_spellings_of_lines(tmp_path: Path, line_end: str, case: Any) -> None:
    path = mini_cbf(tmp_path / "a.cbf", section(PIXELS), line_end)
    data = path.read_bytes()
    for name in ("Pixel_size", "Beam_xy", "Detector_distance", "Wavelength", "Start_angle"):
        data = data.replace(name.encode(), case(name).encode())
    path.write_bytes(data)
    geometry = geometry_of(path)
    np.testing.assert_array_equal(geometry.origin, geometry_of(mini(tmp_path)).origin)
    assert geometry.wavelength == pytest.approx(0.98e-10)
    assert np.degrees(geometry.phi) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [("# Beam_xy (", "# Beam_xy("), ("# Beam_xy (3.25, 2.5)", "#Beam_xy\t(3.25,2.5)"),
     ("# Wavelength 0.98 A", "# Wavelength=0.98 A"), ("# Wavelength 0.98", "  # Wavelength:0.98"),
     ("# Detector_distance 0.15 m", "# Detector_distance = 0.15 m")],
)  # fmt: skip
def test_separators_of_lines(tmp_path: Path, old: str, new: str) -> None:
    path = mini(tmp_path)
    plain, data = geometry_of(path), path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode()))
    other = geometry_of(path)
    np.testing.assert_array_equal(other.origin, plain.origin)
    assert (other.wavelength, other.remarks) == (plain.wavelength, ())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"Pixel_size": None}, "no line Pixel_size"),
        ({"Beam_xy": None, "Detector_distance": None},
         "no line Detector_distance and no Beam_xy"),
        ({"Detector_distance": "(nil)"}, "no line Detector_distance"),
        ({"Pixel_size": "172e-6 m x 100e-6 m"}, "pixels of 0.000172 x 0.0001 m; square"),
        ({"Pixel_size": "172e-6 m"},
         "line 9: Pixel_size: expected 2 numbers with a unit such as m"),
        ({"Pixel_size": "0 m x 0 m"}, "pixels of 0 x 0 m"),
        ({"Detector_distance": "0,15 m"},
         "Detector_distance: expected a number with a unit such as m"),
        ({"Detector_distance": "1.5.2 m"},
         "Detector_distance: expected a number with a unit such as m"),
        ({"Detector_distance": "150 inch"}, "got '150 inch'"),
        ({"Detector_distance": "-0.15 m"}, "Detector_distance -0.15 m is not possible"),
        ({"Detector_distance": "1e999 m"}, "Detector_distance: expected"),
        ({"Beam_xy": "(3.25) pixels"},
         "line 14: Beam_xy: expected 2 numbers with a unit such as pixels"),
        ({"Beam_xy": "(a, b) pixels"}, "Beam_xy: expected 2 numbers with a unit"),
        ({"Wavelength": "0.98 furlongs"},
         "line 12: Wavelength: expected a number with a unit such as A"),
        ({"Start_angle": "ten deg."}, "Start_angle: expected a number with a unit such as deg"),
        ({"Detector_2theta": "20 m"}, "Detector_2theta: expected a number with a unit such as deg"),
    ],
)  # fmt: skip
def test_bad_lines(tmp_path: Path, run: Run, lines: dict[str, Any], message: str) -> None:
    outcome = run(f"{CRYSTAL} -img {mini(tmp_path, **lines)} -floatfile new.bin")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert "a.cbf" in outcome.err


@pytest.mark.parametrize(
    ("name", "words", "unit"),
    [("Detector_distance", "0.15", "m"), ("Beam_xy", "(3.25, 2.5)", "pixels"),
     ("Wavelength", "0.98", "A"), ("Pixel_size", "172e-6 x 172e-6", "m")],
)  # fmt: skip
def test_numbers_without_unit(tmp_path: Path, name: str, words: str, unit: str) -> None:
    plain, other = geometry_of(mini(tmp_path)), geometry_of(mini(tmp_path, **{name: words}))
    np.testing.assert_array_equal(other.origin, plain.origin)
    assert other.wavelength == plain.wavelength
    assert other.remarks == (f"{name} {words} has no unit; {unit} is assumed",)


def test_lines_which_contradict_each_other(tmp_path: Path) -> None:
    geometry = geometry_of(mini(tmp_path, detector_distance="0.3 m"))
    assert geometry.origin[2] == -0.3
    assert geometry.remarks == (
        "Detector_distance occurs more than once in its header; the last one is used",
    )


def test_offset_which_is_not_taken(tmp_path: Path) -> None:
    geometry = geometry_of(mini(tmp_path, Detector_Voffset="0.02 m"))
    np.testing.assert_array_equal(geometry.origin, geometry_of(mini(tmp_path)).origin)
    assert "Detector_Voffset 0.02 m is not used" in geometry.remarks[0]
    assert geometry_of(mini(tmp_path, Detector_Voffset="0.00000 m")).remarks == ()


# wavelengths


@pytest.mark.parametrize(
    "lines", [{"Energy": "12651.44897959 eV"}, {"Photon_energy": "12.65144897959 keV"},
              {"Energy_range": "(12651.44897959, 12651.44897959) eV"}]
)  # fmt: skip
def test_energies(tmp_path: Path, lines: dict[str, str]) -> None:
    geometry = geometry_of(mini(tmp_path, Wavelength=None, **lines))
    assert geometry.wavelength == pytest.approx(0.98e-10, rel=POSITION)
    assert geometry.remarks == ()


def test_energy_beside_a_wavelength(tmp_path: Path) -> None:
    assert geometry_of(mini(tmp_path, Energy="12650 eV")).remarks == ()
    geometry = geometry_of(mini(tmp_path, Energy="11000 eV"))
    assert geometry.wavelength == pytest.approx(0.98e-10)
    assert "Energy in its header is 1.12713 A, but Wavelength differs" in geometry.remarks[0]


NO_WAVELENGTH: dict[str, tuple[dict[str, str | None], str]] = {
    "none": ({"Wavelength": None}, "its header has no line Wavelength"),
    "zero": ({"Wavelength": "0.0 A"}, "Wavelength 0.0 A in its header is not a wavelength"),
    "unset": ({"Wavelength": "(nil)"}, "its header has no line Wavelength"),
    "a range": ({"Wavelength": None, "Energy_range": "(0, 0) eV"}, "no line Wavelength"),
}


@pytest.mark.parametrize("case", NO_WAVELENGTH)
def test_wavelength_is_demanded(tmp_path: Path, run: Run, case: str) -> None:
    lines, message = NO_WAVELENGTH[case]
    path = mini(tmp_path, **lines)
    outcome = run(f"{CRYSTAL} -img {path} -floatfile new.bin")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert "give -lambda or -energy" in outcome.err


@pytest.mark.parametrize("option", ["-lambda 0.98", "-energy 12651.44897959", "-wave 0.98"])
def test_wavelength_is_accepted(tmp_path: Path, option: str) -> None:
    path = mini(tmp_path, Wavelength=None)
    assert from_args(f"{CRYSTAL} -img {path} {option}").beam.wavelength == pytest.approx(0.98e-10)


def test_a_mask_need_not_tell_the_wavelength(tmp_path: Path) -> None:
    from_args(f"{CRYSTAL} -mask {mini(tmp_path, Wavelength=None)}")


# rotation


@pytest.mark.parametrize(
    ("lines", "spindle", "start", "width", "remark"),
    [
        ({"Oscillation_axis": "X.CW"}, [1, 0, 0], 10.0, 0.5, None),
        ({"Oscillation_axis": "X, CW"}, [1, 0, 0], 10.0, 0.5, None),
        ({"Oscillation_axis": "OMEGA"}, [1, 0, 0], 10.0, 0.5, None),
        ({"Oscillation_axis": "omega", "Omega": "10.0 deg.", "Kappa": "0.0 deg."},
         [1, 0, 0], 10.0, 0.5, None),
        ({"Oscillation_axis": "PHI", "Phi": "10.0 deg."}, [1, 0, 0], 10.0, 0.5, None),
        ({"Oscillation_axis": "(nil)"}, [1, 0, 0], 10.0, 0.5, "no Oscillation_axis"),
        ({"Oscillation_axis": "X.CCW"}, [-1, 0, 0], 10.0, 0.5, "the opposite of CW"),
        ({"Oscillation_axis": "Y.CW"}, [0, 1, 0], 10.0, 0.5, "assumed to be (0 1 0)"),
        ({"Oscillation_axis": "KAPPA"}, [1, 0, 0], 10.0, 0.5, "gives no direction"),
        ({"Oscillation_axis": "PHI", "Kappa": "30 deg."}, [1, 0, 0], 10.0, 0.5,
         "gives no direction"),
        ({"Angle_increment": "-0.5 deg."}, [-1, 0, 0], -10.0, 0.5, None),
        ({"Start_angle": None, "Angle_increment": None, "Oscillation_axis": "OMEGA",
          "Omega": "33.0 deg.", "Omega_increment": "0.25 deg."}, [1, 0, 0], 33.0, 0.25, None),
        ({"Phi": "10.0 deg."}, [1, 0, 0], 10.0, 0.5, None),
        ({"Phi": "370.0 deg."}, [1, 0, 0], 10.0, 0.5, None),
        ({"Kappa": "30.0 deg."}, [1, 0, 0], 10.0, 0.5, "its goniometer stands at Kappa 30"),
        ({"Oscillation_axis": "OMEGA", "Phi": "90.0 deg.", "Chi": "-5 deg."}, [1, 0, 0], 10.0, 0.5,
         "its goniometer stands at Chi -5, Phi 90 degrees"),
        ({"Alpha": "50.0 deg.", "N_oscillations": "2"}, [1, 0, 0], 10.0, 0.5, None),
    ],
)  # fmt: skip
def test_rotations(
    tmp_path: Path, lines: dict[str, Any], spindle: list[float], start: float, width: float,
    remark: str | None,
) -> None:  # fmt: skip
    geometry = geometry_of(mini(tmp_path, **lines))
    np.testing.assert_array_equal(geometry.spindle, spindle)
    assert np.degrees(geometry.phi) == pytest.approx(start)
    assert np.degrees(geometry.oscillation) == pytest.approx(width)
    assert (remark is None) == (geometry.remarks == ())
    if remark is not None:
        assert any(remark in each for each in geometry.remarks)


def test_stills_need_no_axis(tmp_path: Path) -> None:
    lines = {"Angle_increment": "0.0 deg.", "Oscillation_axis": "CHI", "Start_angle": "0.0 deg."}
    assert geometry_of(mini(tmp_path, **lines)).remarks == ()
    lines["Start_angle"] = "90.0 deg."
    assert "gives no direction" in geometry_of(mini(tmp_path, **lines)).remarks[0]


def test_a_backward_rotation_is_rendered(tmp_path: Path) -> None:
    """A negative width would be none for nanoBragg."""
    experiment = from_args(f"{CRYSTAL} -img {mini(tmp_path, Angle_increment='-0.5 deg.')}")
    assert np.degrees(experiment.scan.sweep.range) == pytest.approx(0.5)
    assert np.degrees(experiment.scan.start) == pytest.approx(-10.0)


# pixels


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64]
)
@pytest.mark.parametrize("conversions", ["x-CBF_BYTE_OFFSET", "x-CBF_NONE", "X-CBF_byte_offset"])
def test_types_of_pixels(tmp_path: Path, dtype: Any, conversions: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([[0, 1, info.max - 1], [info.max, 7, max(info.min, -1)]], dtype=dtype)
    packed = values.tobytes() if conversions == "x-CBF_NONE" else None
    path = mini_cbf(tmp_path / "a.cbf", section(values, packed, conversions))
    pixels, geometry = cbf.read(path)
    np.testing.assert_array_equal(pixels, values)
    assert pixels.dtype == dtype
    assert geometry.remarks == ()
    # all ones of an unsigned number, and less than zero, are no measurement
    expected = values >= 0 if info.min < 0 else values < info.max
    np.testing.assert_array_equal(measured(pixels), expected)


def test_unsigned_differences_overflow(tmp_path: Path) -> None:
    """A writer which counts in 32 bits takes the step from 0 to 2**32 - 1 for -1."""
    values = np.array([[0, 2**32 - 1, 5]], dtype=np.uint32)
    path = mini_cbf(tmp_path / "a.cbf", section(values, byte_offset([0, -1, 5])))
    pixels, _ = cbf.read(path)
    np.testing.assert_array_equal(pixels, values)
    assert dict(describe(open_image(path)))["masked"] == "1 pixels"
    assert "from 0 to 5" in dict(describe(open_image(path)))["values"]


def test_big_endian_pixels(tmp_path: Path) -> None:
    values = np.array([[1, 2, 300]], dtype=np.int32)
    binary = section(
        values, values.astype(">i4").tobytes(), "x-CBF_NONE",
        **{"X-Binary-Element-Byte-Order": "BIG_ENDIAN"},
    )  # fmt: skip
    np.testing.assert_array_equal(cbf.read(mini_cbf(tmp_path / "a.cbf", binary))[0], values)


def test_sections_without_what_may_be_missing(tmp_path: Path) -> None:
    binary = section(
        PIXELS, Content_MD5=None, X_Binary_Element_Type=None, X_Binary_Element_Byte_Order=None,
        X_Binary_Number_of_Elements=None, Content_Transfer_Encoding=None,
    )  # fmt: skip
    pixels, geometry = cbf.read(mini_cbf(tmp_path / "a.cbf", binary))
    np.testing.assert_array_equal(pixels, PIXELS)
    assert geometry.remarks == ()


GOOD = byte_offset(PIXELS.ravel().tolist())

DAMAGED: dict[str, tuple[bytes, str]] = {
    "no size": (section(PIXELS, X_Binary_Size=None), "no X-Binary-Size"),
    "no dimension": (
        section(PIXELS, **{"X-Binary-Size-Fastest-Dimension": "three"}),
        "no X-Binary-Size-Fastest-Dimension",
    ),
    "other count": (section(PIXELS, **{"X-Binary-Number-of-Elements": "10"}), "10 pixels, 3 x 3"),
    "huge": (
        section(PIXELS, **{"X-Binary-Number-of-Elements": None,
                           "X-Binary-Size-Fastest-Dimension": "999999999"}),
        "2999999997 pixels, 999999999 x 3, in",
    ),
    "none": (
        section(PIXELS, **{"X-Binary-Number-of-Elements": None,
                           "X-Binary-Size-Fastest-Dimension": "0"}),
        "0 pixels",
    ),
    "longer than the file": (section(PIXELS, X_Binary_Size="100000"), "the CBF is cut off"),
    "fewer pixels": (section(PIXELS, GOOD[:-1], Content_MD5=None), "fewer pixels than it says"),
    "broken number": (
        section(PIXELS, GOOD[:-9], Content_MD5=None), "fewer pixels than it says",
    ),
    "fewer plain pixels": (
        section(PIXELS, PIXELS.tobytes()[:-1], "x-CBF_NONE"), "fewer pixels than it says",
    ),
    "a stack": (
        section(PIXELS, **{"X-Binary-Size-Third-Dimension": "4",
                           "X-Binary-Number-of-Elements": "36"}),
        "a stack of 4 images",
    ),
    "canonical": (
        section(PIXELS, conversions="x-CBF_CANONICAL"),
        "packed as x-CBF_CANONICAL; x-CBF_BYTE_OFFSET, x-CBF_NONE, x-CBF_PACKED, x-CBF_PACKED_V2",
    ),
    "text": (
        section(PIXELS, **{"Content-Transfer-Encoding": "BASE64"}), "encoded as BASE64; BINARY",
    ),
    "complex": (
        section(PIXELS, **{"X-Binary-Element-Type": '"signed 64-bit complex IEEE"'}),
        "pixels of the type 'signed 64-bit complex ieee'",
    ),
    "real differences": (
        section(PIXELS.astype(np.float32), GOOD), "packed as integers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_sections(tmp_path: Path, run: Run, case: str) -> None:
    binary, message = DAMAGED[case]
    path = mini_cbf(tmp_path / "a.cbf", binary)
    outcome = run(f"{CRYSTAL} -img {path} -floatfile new.bin")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_doubtful_pixels(tmp_path: Path) -> None:
    wrong = mini_cbf(tmp_path / "a.cbf", section(PIXELS, Content_MD5="xxxxxxxxxxxxxxxxxxxxxx=="))
    assert geometry_of(wrong).remarks == (
        "its checksum is not that of its pixels: the file may be damaged",
    )
    surplus = mini_cbf(tmp_path / "a.cbf", section(PIXELS, GOOD + b"\1\2"))
    assert geometry_of(surplus).remarks == (
        "it has 2 more packed pixels than its size says: it may be damaged",
    )


def test_mask_of_unsigned_pixels(tmp_path: Path) -> None:
    zeros_and_ones = np.array([[0, 1, 1]], dtype=np.uint32)
    np.testing.assert_array_equal(cbf.good_pixels(zeros_and_ones), [[False, True, True]])
    image = np.array([[0, 1, 2**32 - 1]], dtype=np.uint32)
    np.testing.assert_array_equal(cbf.good_pixels(image), [[True, True, False]])


@pytest.mark.parametrize(("largest", "told"), [(1, False), (255, True)])
def test_masks_that_exclude_nothing_are_told(
    largest: int, told: bool, tmp_path: Path, run: Run
) -> None:
    """0 and 255 mean what pixels of an image mean, unlike 0 and 1."""
    pixels = np.full((40, 60), largest, dtype=np.int32)
    pixels[3:5] = 0
    mini_cbf(tmp_path / "mask.cbf", section(pixels))
    outcome = run(f"{CRYSTAL} -nonoise -noprogress -roi 0 3 0 3 -mask mask.cbf")
    assert outcome.status == 0
    assert ("mask.cbf: the mask excludes no pixel" in outcome.err) is told


# full imgCIF


def test_axes_by_hand(tmp_path: Path) -> None:
    """The arm turned by 90 degrees puts the detector above the sample."""
    pixels, geometry = cbf.read(
        full(tmp_path, stands={"TWOTHETA": (90.0, 0.0), "DISTANCE": (0.0, 150.0)},
             starts=(1.0, 2.0))
    )  # fmt: skip
    np.testing.assert_array_equal(pixels, PIXELS)
    # at zero: (-41.8 + 1, -56.07 - 2, -150); x, y, z become x, -z, y
    np.testing.assert_allclose(geometry.origin, [-0.0408, 0.15, -0.05807], atol=POSITION)
    np.testing.assert_allclose(geometry.fast, [1, 0, 0], atol=LAST_BITS)
    np.testing.assert_allclose(geometry.slow, [0, 0, -1], atol=LAST_BITS)
    np.testing.assert_allclose(geometry.beam, [0, 0, -1], atol=LAST_BITS)
    assert geometry.pixel_size == pytest.approx(172e-6, rel=LAST_BITS)
    assert geometry.wavelength == pytest.approx(0.98e-10, rel=LAST_BITS)
    assert len(geometry.remarks) == 1
    assert "outer corner of the first pixel, as in DIALS" in geometry.remarks[0]


def test_dxtbx_writes_corners(tmp_path: Path) -> None:
    path = full(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"_diffrn.id D1", b"_diffrn.id dxtbx_FormatNXmx"))
    assert "corner" not in "\n".join(geometry_of(path).remarks)


def test_full_cbf_is_rendered(tmp_path: Path, run: Run) -> None:
    path = full(tmp_path, stands={"DISTANCE": (0.0, 150.0), "OMEGA": (12.0, 0.0)},
                increments={"OMEGA": 0.5})  # fmt: skip
    outcome = run(f"{CRYSTAL} -img {path} -floatfile a.bin")
    assert outcome.status == 0, outcome.err
    experiment = from_args(f"{CRYSTAL} -img {path}")
    assert experiment.geometry.distance == pytest.approx(0.15)
    assert np.degrees(experiment.scan.sweep.range) == pytest.approx(0.5)
    assert np.degrees(experiment.scan.start) == pytest.approx(12.0)


def test_goniometer_axes(tmp_path: Path) -> None:
    stands = {"OMEGA": (-10.0, 0.0), "KAPPA": (30.0, 0.0), "PHI": (20.0, 0.0)}
    phi = geometry_of(full(tmp_path, stands=stands, increments={"PHI": 0.5}))
    np.testing.assert_allclose(phi.spindle, KAPPA_SPINDLE, atol=POSITION)
    assert np.degrees(phi.phi) == pytest.approx(20.0)
    assert np.degrees(phi.oscillation) == pytest.approx(0.5)
    assert "goniometer stands at OMEGA -10, KAPPA 30 degrees" in phi.remarks[0]
    omega = geometry_of(full(tmp_path, stands=stands, increments={"OMEGA": -0.5}))
    np.testing.assert_allclose(omega.spindle, [-1, 0, 0], atol=LAST_BITS)
    assert np.degrees(omega.phi) == pytest.approx(10.0)
    assert np.degrees(omega.oscillation) == pytest.approx(0.5)
    assert "goniometer stands at KAPPA 30, PHI 20 degrees" in omega.remarks[0]


@pytest.mark.parametrize("seed", range(12))
def test_axes_against_cbflib(tmp_path: Path, seed: int) -> None:
    """Chains of any axes, to where CBFlib has the pixels."""
    pycbf = import_pycbf()
    random = np.random.default_rng(seed)
    axes, stands, parent = AXES[:2], {}, "."
    for number in range(int(random.integers(1, 6))):
        kind = str(random.choice(["rotation", "translation"]))
        numbers = [*random.normal(size=3), *random.normal(scale=20.0, size=3)]
        name = f"AXIS{number}"
        text = " ".join(f"{each:.5f}" for each in numbers)
        axes.append(f"{name} {kind} detector {parent} {text}")
        angle, slide = (float(f"{each:.4f}") for each in random.uniform(-150.0, 150.0, 2))
        stands[name] = (angle, 0.0) if kind == "rotation" else (0.0, slide)
        parent = name
    directions = np.linalg.qr(random.normal(size=(3, 3)))[0]
    for name, direction in zip(("ELEMENT_Y", "ELEMENT_X"), directions, strict=False):
        text = " ".join(f"{each:.10f}" for each in (*direction, *random.normal(size=3)))
        axes.append(f"{name} translation detector {parent}\n {text}")
        parent = name
    steps = tuple(0.1 * float(sign) for sign in random.choice([-1, 1], 2))
    text = imgcif_text((3, 3), axes, stands, steps=steps, starts=(1.25, -7.5))
    path = full_cbf(tmp_path / "a.cbf", text, section(PIXELS))
    geometry = geometry_of(path)
    handle = pycbf.cbf_handle_struct()
    handle.read_widefile(str(path).encode(), pycbf.MSG_DIGEST)
    detector = handle.construct_detector(0)
    for fast, slow in ((0, 0), (2, 0), (0, 2), (7, 5)):
        theirs = 1e-3 * np.array(detector.get_pixel_coordinates_fs(fast, slow))
        size = geometry.pixel_size
        ours = geometry.origin + size * (fast * geometry.fast + slow * geometry.slow)
        np.testing.assert_allclose(ours, theirs, atol=CBFLIB)


@pytest.mark.parametrize("axis", ["ELEMENT_X", "ELEMENT_Y"])
def test_indices_which_count_backwards(axis: str, tmp_path: Path) -> None:
    """Pixels are where CBFlib has them, and a line tells that the direction is not applied."""
    pycbf = import_pycbf()
    text = imgcif_text((3, 3))
    back = text.replace(f"increasing {axis}", f"decreasing {axis}")
    assert back != text
    path = full_cbf(tmp_path / "a.cbf", back, section(PIXELS))
    geometry = geometry_of(path)
    assert f"its pixels along {axis} are counted backwards" in "\n".join(geometry.remarks)
    handle = pycbf.cbf_handle_struct()
    handle.read_widefile(str(path).encode(), pycbf.MSG_DIGEST)
    detector = handle.construct_detector(0)
    for fast, slow in ((0, 0), (2, 0), (0, 2)):
        theirs = 1e-3 * np.array(detector.get_pixel_coordinates_fs(fast, slow))
        size = geometry.pixel_size
        ours = geometry.origin + size * (fast * geometry.fast + slow * geometry.slow)
        np.testing.assert_allclose(ours, theirs, atol=CBFLIB)
    plain = geometry_of(full_cbf(tmp_path / "b.cbf", text, section(PIXELS)))
    assert "backwards" not in "\n".join(plain.remarks)


def import_pycbf() -> Any:
    with warnings.catch_warnings():
        # SWIG's types have no module
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("pycbf")


def cbflib_section(tmp_path: Path, values: np.ndarray, kind: int) -> bytes:
    """A binary section which CBFlib packs."""
    pycbf = import_pycbf()
    handle = pycbf.cbf_handle_struct()
    handle.new_datablock(b"image")
    handle.new_category(b"array_data")
    handle.new_column(b"data")
    handle.new_row()
    shape = (b"little_endian", values.shape[1], values.shape[0], 1, 0)
    data = (kind, 1, values.tobytes(), values.itemsize)
    if values.dtype.kind == "f":
        handle.set_realarray_wdims_fs(*data, values.size, *shape)
    else:
        signed = int(values.dtype.kind == "i")
        handle.set_integerarray_wdims_fs(*data, signed, values.size, *shape)
    written = tmp_path / "written.cbf"
    handle.write_widefile(str(written).encode(), pycbf.CBF, pycbf.MIME_HEADERS, 0)
    content = written.read_bytes()
    begin = content.index(b"--CIF-BINARY-FORMAT-SECTION--")
    end = b"--CIF-BINARY-FORMAT-SECTION----"
    return content[begin : content.index(end)] + end + b"\r\n"


@pytest.mark.parametrize("packing", ["CBF_PACKED", "CBF_PACKED_V2"])
@pytest.mark.parametrize("flags", [(), ("CBF_FLAT_IMAGE",), ("CBF_UNCORRELATED_SECTIONS",)])
@pytest.mark.parametrize(
    "dtype", [np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]
)
def test_packed_pixels(tmp_path: Path, packing: str, flags: tuple[str, ...], dtype: Any) -> None:
    """What CBFlib packs."""
    pycbf = import_pycbf()
    random = np.random.default_rng(5)
    values = random.poisson(20, (33, 47))
    values[5, 6] = 30000
    values = values.astype(dtype) * dtype(1.5 if np.dtype(dtype).kind == "f" else 1)
    kind = getattr(pycbf, packing) | sum(getattr(pycbf, flag) for flag in flags)
    path = mini_cbf(tmp_path / "a.cbf", cbflib_section(tmp_path, values, kind))
    if dtype is np.float64 and "CBF_FLAT_IMAGE" in flags:
        with pytest.raises(FileFormatError, match="CBFlib unpacks them wrongly"):
            cbf.read(path)
        return
    pixels, geometry = cbf.read(path)
    np.testing.assert_array_equal(pixels, values)
    assert pixels.dtype == dtype
    assert geometry.remarks == ()


def test_undefined_pixels(tmp_path: Path) -> None:
    extra = loop("array_intensities", "array_id binary_id undefined_value", ["A1 1 5"])
    pixels, _ = cbf.read(full(tmp_path, extra=extra))
    np.testing.assert_array_equal(pixels, np.where(PIXELS == 5, -1, PIXELS))
    real = PIXELS.astype(np.float64)
    text = imgcif_text((3, 3), extra=extra.replace(" 5", " -2.0"))
    path = full_cbf(tmp_path / "a.cbf", text, section(real, real.tobytes(), "x-CBF_NONE"))
    pixels, _ = cbf.read(path)
    np.testing.assert_array_equal(pixels, np.where(real == -2.0, np.nan, real))
    # a negative number is no gap where the tables say what is one
    np.testing.assert_array_equal(measured(pixels), real != -2.0)


def test_saturated_pixels_of_a_ccd(tmp_path: Path) -> None:
    """In a full imgCIF file the largest number of 16 bits is a measurement."""
    values = np.array([[0, 65535, 7]], dtype=np.uint16)
    path = full_cbf(tmp_path / "a.cbf", imgcif_text((3, 1)), section(values))
    pixels, _ = cbf.read(path)
    np.testing.assert_array_equal(pixels, values)
    assert measured(pixels).all()


@pytest.mark.parametrize(
    ("wavelengths", "expected", "words"),
    [
        (["W1 0.98 1"], 0.98, None),
        (["W1 0.98(2) ?"], 0.98, None),
        (["W1 1.5405 1.0", "W2 1.5443 0.5"], 1.54176667, "the weighted mean of its 2 wavelengths"),
    ],
)
def test_wavelengths_of_tables(
    tmp_path: Path, wavelengths: list[str], expected: float, words: str | None
) -> None:
    geometry = geometry_of(full(tmp_path, wavelengths=wavelengths))
    assert geometry.wavelength == pytest.approx(1e-10 * expected, rel=1e-8)
    assert words is None or any(words in each for each in geometry.remarks)


@pytest.mark.parametrize("rows", [["W1 ? 1"], ["W1 . 1"], ["W1 0.0 1"]])
def test_tables_without_wavelength(tmp_path: Path, run: Run, rows: list[str]) -> None:
    outcome = run(f"{CRYSTAL} -img {full(tmp_path, wavelengths=rows)} -floatfile new.bin")
    assert (outcome.status, outcome.files) == (9, {})
    assert "give -lambda or -energy" in outcome.err.splitlines()[-1]


def test_polarization_of_tables(tmp_path: Path) -> None:
    columns = "diffrn_id wavelength_id polarizn_source_ratio polarizn_source_norm"
    text = imgcif_text((3, 3)).replace(
        loop("diffrn_radiation", "diffrn_id wavelength_id", ["D1 W1"]),
        loop("diffrn_radiation", columns, ["D1 W1 0.8 0.0"]),
    )
    geometry = geometry_of(full_cbf(tmp_path / "a.cbf", text, section(PIXELS)))
    assert geometry.polarization is not None
    assert geometry.polarization[0] == 0.8
    # the normal is along y, so the field is along x
    np.testing.assert_allclose(np.abs(geometry.polarization[1]), [1, 0, 0], atol=LAST_BITS)


def _replaced(old: str, new: str) -> str:
    text = imgcif_text((3, 3))
    assert old in text
    return text.replace(old, new)


BAD_TABLES = {
    "panels": (
        _replaced("E1 DET\n", "E1 DET\nE2 DET\n"),
        "a detector of 2 panels; only single panels are supported so far",
    ),
    "arrays": (
        _replaced("A1 1 3 1 increasing", "A2 1 3 1 increasing ELEMENT_X\nA1 1 3 1 increasing"),
        "a detector of 2 panels",
    ),
    "size": (_replaced("A1 1 3 1", "A1 1 4 1"), "3 pixels in a row or column, but its tables"),
    "no such axis": (_replaced("translation detector TWOTHETA", "translation detector ARM"),
                     "there is no axis 'ARM'"),
    "circle": (_replaced("TWOTHETA rotation detector .", "TWOTHETA rotation detector ELEMENT_X"),
               "depends on itself"),
    "no direction": (_replaced("detector TWOTHETA 0 0 -1", "detector TWOTHETA 0 0 0"),
                     "axis 'DISTANCE' has no direction"),
    "no number": (_replaced("detector TWOTHETA 0 0 -1", "detector TWOTHETA 0 0 up"),
                  "vector[3] 'up' is not a number"),
    "unknown type": (_replaced("DISTANCE translation", "DISTANCE spiral"),
                     "of the unknown type 'spiral'"),
    "oblong": (_replaced("ELEMENT_X ELEMENT_X 0.0 0.172", "ELEMENT_X ELEMENT_X 0.0 0.2"),
               "pixels of 0.2 x 0.172 mm; square ones are expected"),
    "oblique": (_replaced("ELEMENT_Y 1 0 0", "ELEMENT_Y 1 1 0"), "not at right angles"),
    "siblings": (_replaced("ELEMENT_X translation detector ELEMENT_Y",
                           "ELEMENT_X translation detector DISTANCE"),
                 "neither of its fast and slow axes"),
    "no set": (_replaced("ELEMENT_X ELEMENT_X 0.0", "ELEMENT_Z ELEMENT_X 0.0"),
               "0 axes in the set 'ELEMENT_X'"),
    "no step": (_replaced("ELEMENT_X ELEMENT_X 0.0 0.172", "ELEMENT_X ELEMENT_X 0.0 0.0"),
                "do not lie on a straight line"),
    "arc": (_replaced("ELEMENT_X translation", "ELEMENT_X rotation"),
            "do not lie on a straight line"),
    "two turn": (
        imgcif_text((3, 3), increments={"PHI": 0.5, "OMEGA": 0.5}), "OMEGA and PHI turn at once",
    ),
    "no CIF": (_replaced("_diffrn.id D1", "_diffrn.id D1 D2 D3"), "its text is not CIF"),
    "no order": (_replaced("A1 2 3 2", "A1 2 3 3"), "does not define fast and slow"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(tmp_path: Path, run: Run, case: str) -> None:
    text, message = BAD_TABLES[case]
    path = full_cbf(tmp_path / "a.cbf", text, section(PIXELS))
    outcome = run(f"{CRYSTAL} -img {path} -floatfile new.bin")
    assert (outcome.status, outcome.files) == (9, {})
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_several_images(tmp_path: Path, run: Run) -> None:
    path = full_cbf(tmp_path / "a.cbf", imgcif_text((3, 3)), *[section(PIXELS)] * 3)
    outcome = run(f"{CRYSTAL} -img {path} -floatfile new.bin")
    assert (outcome.status, outcome.files) == (9, {})
    assert "3 images or panels; one is expected" in outcome.err


@pytest.mark.parametrize("library", ["gemmi", "pycbf"])
def test_libraries_which_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    text = imgcif_text((3, 3))
    path = full_cbf(tmp_path / "a.cbf", text, section(PIXELS, conversions="x-CBF_PACKED"))
    extra = {"gemmi": "structures", "pycbf": "imgcif"}[library]
    with pytest.raises(CupysimError, match=rf"pip install 'cupysim\[{extra}\]'"):
        cbf.read(path)


# whatever is in a file


@pytest.mark.parametrize("kind", ["mini", "full", "packed"])
@pytest.mark.parametrize("seed", range(25))
def test_mangled_files(tmp_path: Path, run: Run, kind: str, seed: int) -> None:
    """An image, or our error."""
    random = np.random.default_rng(seed)
    values = random.poisson(30, (8, 9)).astype(np.int32)
    if kind == "mini":
        path = mini_cbf(tmp_path / "a.cbf", section(values))
    else:
        binary = section(values)
        if kind == "packed":
            binary = cbflib_section(tmp_path, values, import_pycbf().CBF_PACKED)
        path = full_cbf(tmp_path / "a.cbf", imgcif_text((9, 8)), binary)
    data = bytearray(path.read_bytes())
    numbers = list(pairwise(range(0, len(data), 7)))
    for _ in range(random.integers(1, 8)):
        start, end = numbers[int(random.integers(0, len(numbers)))]
        if random.random() < 0.5:
            data[start] = int(random.integers(0, 256))
        elif random.random() < 0.5:
            del data[start : int(random.integers(start, end + 1))]
        else:
            data[start:start] = random.choice([b"9" * 30, b"-", b"\n;\n", b"loop_", b"\x80"])
    path.write_bytes(data)
    outcome = run(f"{CRYSTAL} -img {path} -floatfile new.bin -roi 0 3 0 3 -lambda 1")
    assert outcome.status in (0, 9)
    lines = outcome.err.splitlines()
    assert all(line.startswith("cupysim: ") for line in lines)
    assert (outcome.status == 9) == (outcome.files == {}) == ("error: " in "".join(lines[-1:]))


# what we write


def test_every_pixel_is_written(run: Run) -> None:
    """The brightest pixel beside a gap, whose difference is beyond 32 bits."""
    words = "-detpixels_f 40 -detpixels_s 30 -pixel 1 -distance 77 -xds -lambda 1.1"
    experiment = from_args(f"{CRYSTAL} {words}")
    counts = np.full((30, 40), 7, dtype=np.int32)
    counts[3, 4:8] = -1, LARGEST_PIXEL_VALUE, -1, LARGEST_PIXEL_VALUE
    run("-h")
    with open("a.cbf", "wb") as stream:
        cbf.write(stream, experiment, counts)
    expected = np.where(counts == LARGEST_PIXEL_VALUE, LARGEST_PIXEL_VALUE - 1, counts)
    pixels, geometry = cbf.read("a.cbf")
    np.testing.assert_array_equal(pixels, expected)
    assert geometry.remarks == ()
    with fabio.open("a.cbf") as image:
        np.testing.assert_array_equal(image.data, expected)


def test_header_of_what_we_write(run: Run) -> None:
    """DIALS reads sizes of no detector only under this convention, and without a maker's name."""
    words = "-detpixels_f 40 -detpixels_s 30 -pixel 1 -distance 77.7777777 -xds -lambda 1.0332017"
    assert run(f"{CRYSTAL} {words} -ORGX 12.3456789 -ORGY 7 -cbffile a.cbf").status == 0
    text = Path("a.cbf").read_bytes().decode("latin-1")
    assert '_array_data.header_convention "GENERIC_MINI"\r\n' in text
    assert not {"PILATUS", "EIGER"} & set(text.upper().split())
    assert "# Wavelength 1.0332017 A\r\n" in text
    assert "# Detector_distance 0.0777777777 m\r\n" in text
    with fabio.open("a.cbf") as image:
        assert "GENERIC_MINI" in image.header["_array_data.header_convention"]


def test_assumptions_are_warnings(tmp_path: Path) -> None:
    with pytest.warns(CupysimWarning, match=r"a\.cbf: Detector_2theta 20 in its header"):
        from_args(f"{CRYSTAL} -img {mini(tmp_path, Detector_2theta='20 deg.')}")


def test_a_wavelength_that_is_named_counts_beside_others_of_its_weight(tmp_path: Path) -> None:
    """DIFFRN_RADIATION of the file names W1."""
    geometry = geometry_of(full(tmp_path, wavelengths=["W1 1.1 1", "W2 1.5 1"]))
    assert geometry.wavelength == pytest.approx(1.1e-10)


@pytest.mark.parametrize(
    ("row", "angle"),
    [("S1 OMEGA 10.0 5.0 0.5 0.0 0.0 0.0", 11.5), ("S1 OMEGA 10.0 5.0 . 0.0 0.0 0.0", 11.5),
     ("S1 OMEGA 10.0 . 0.5 0.0 0.0 0.0", 11.5)],
)  # fmt: skip
def test_an_image_without_an_angle_of_its_own_is_where_its_number_says(
    tmp_path: Path, row: str, angle: float
) -> None:
    """The fourth of ten images of half a degree, from 10 degrees on."""
    stands = {"OMEGA": (10.0, 0.0), "DISTANCE": (0.0, 150.0)}
    text = imgcif_text(tuple(reversed(PIXELS.shape)), stands=stands, increments={"OMEGA": 0.5})
    for old, new in (
        ("S1 OMEGA 10.0 0.5 0.5 0.0 0.0 0.0", row),
        ("F1 OMEGA 10.0 0.0\n", ""),
        ("F1 1 S1", "F1 4 S1"),
        ("S1 F1 F1 1\n", "S1 F1 F1 10\n"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    geometry = geometry_of(full_cbf(tmp_path / "a.cbf", text, section(PIXELS)))
    assert geometry.phi is not None
    assert geometry.oscillation is not None
    assert np.degrees(geometry.phi) == pytest.approx(angle)
    assert np.degrees(geometry.oscillation) == pytest.approx(0.5)


def test_electrons_are_no_x_rays(tmp_path: Path) -> None:
    text = imgcif_text(tuple(reversed(PIXELS.shape)))
    told = "_diffrn_radiation.wavelength_id\nD1 W1\n"
    assert told in text
    text = text.replace(told, "_diffrn_radiation.probe\nD1 electron\n")
    with pytest.raises(FileFormatError, match="beam consists of electrons; only X-rays"):
        geometry_of(full_cbf(tmp_path / "a.cbf", text, section(PIXELS)))
