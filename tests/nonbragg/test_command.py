"""The command nonbragg: words, sizes, headers, the radial average, errors and warnings."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from cupysim.maths.stol_interpolation import interpolate
from cupysim.nonbragg.options import OPTIONS
from tests.conftest import Run
from tests.noisify.support import plain_python
from tests.nonbragg.support import START, TABLE, number_after, photons, pixels, save


def test_help_lists_all_options(run: Run) -> None:
    outcome = run("nonbragg -h")
    assert outcome.status == 0
    for option in OPTIONS:
        assert all(name in outcome.out for name in option.names)


def test_photons_by_hand(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    outcome = run(f"{START} -nonoise -fluence 1e20 -polar 0.8 -lambda 1.2 -Xbeam 11 -Ybeam 13")
    # beam along x, fast along z, slow along -y
    offset = 2e-3 * (np.arange(20) + 0.5)
    z, y = np.meshgrid(offset - 11e-3, 13e-3 - offset)
    reach = np.sqrt(0.06**2 + y**2 + z**2)
    cosine, azimuth = 0.06 / reach, np.arctan2(y, z)
    s = np.sqrt((1.0 - cosine) / 2.0) / 1.2
    rows = np.loadtxt(TABLE.splitlines())
    factors = interpolate(rows[:, 0], rows[:, 1], s.reshape(-1)).reshape(s.shape)
    # the polarization axis is z
    sine2 = 1.0 - cosine**2
    kahn = 0.5 * (1.0 + cosine**2 - 0.8 * np.cos(2.0 * azimuth) * sine2)
    omega = 4e-6 * 0.06 / reach**3
    molecules = 1e-12 * 1e6 * 6.02214179e23 / 18.0
    expected = 7.94079248018965e-30 * 1e20 * molecules * factors**2 * kahn * omega
    np.testing.assert_allclose(photons(outcome), expected, rtol=1e-5)


@pytest.mark.parametrize("word", ["-4stol", "-Q"])
def test_other_units_of_the_table(word: str, run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    plain = photons(run(f"{START} -nonoise"))
    times = 4.0 if word == "-4stol" else 4.0 * math.pi
    rows = (line.split() for line in TABLE.splitlines())
    save(tmp_path, "".join(f"{times * float(s)!r} {f}\n" for s, f in rows), "u.stol")
    np.testing.assert_allclose(photons(run(f"{START} {word} u.stol -nonoise")), plain, rtol=1e-5)


def test_words_may_contain_options(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    short = run(f"{START} -seed 3 -lambda 1.5 -thick 0.2 -heigh 0.05").files
    long = run(f"{START} --seed 3 -wavelength 1.5 -sample_thickness 0.2 -height 0.05").files
    assert short == long


def test_last_words_count_and_missing_values_do_not(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    outcome = run(f"{START} -nonoise -lambda 2 -lambda 1.5 -roi 1 2")
    assert "  wave=1.5e-10 meters" in outcome.out
    assert "-roi has fewer than 4 values after it" in outcome.err


def test_noise_is_switched_by_the_last_word(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    assert "noiseimage.img" not in run(f"{START} -noisefile a.img -nonoise").files
    assert "a.img" in run(f"{START} -nonoise -noisefile a.img").files


def test_the_region_is_the_part_of_the_whole_image(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    words = f"{START} -nonoise -scale 1e-9"
    whole, part = run(words), run(f"{words} -roi 3 7 -1 4")
    inside = np.zeros((20, 20), dtype=bool)
    inside[:5, 3:8] = True
    np.testing.assert_array_equal(photons(part)[inside], photons(whole)[inside])
    assert not photons(part)[~inside].any()
    assert not pixels(part, "intimage.img")[~inside].any()
    assert "  roi: 3 < x < 7 && 0 < y < 4" in part.out


def test_an_empty_region(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    outcome = run(f"{START} -seed 1 -roi 9 3 2 5")
    assert not photons(outcome).any()
    assert "0 photons on noise image" in outcome.out


def test_negative_photons_wrap_in_the_noise_image(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "0 0\n1 0\n")
    assert (pixels(run(f"{START} -seed 1 -adc -3")) == 65533).all()


def test_pixels_that_are_no_numbers(run: Run, tmp_path: Path) -> None:
    save(tmp_path, f"0 0\n{TABLE}")
    words = f"{START} -seed 1 -fluence 1e20"
    outcome = run(words)
    image = photons(outcome)
    assert 0 < np.count_nonzero(np.isnan(image)) < image.size
    assert number_after(outcome, "max_I =") == pytest.approx(np.nanmax(image), rel=1e-5)
    assert "mean= -nan rms= -nan rmsd= -nan\n" in outcome.out
    assert "-nan photons on noise image" in outcome.out
    for name in ("intimage.img", "noiseimage.img"):
        assert not pixels(outcome, name)[np.isnan(image)].any()
    with plain_python():
        again = run(words)
    assert (again.files, again.out) == (outcome.files, outcome.out)


@pytest.mark.parametrize("words", ["-lambda 1e300", "-energy 1e-300"])
def test_wavelengths_whose_cube_is_infinite(words: str, run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    outcome = run(f"{START} -seed 1 {words}")
    assert (outcome.status, outcome.err.count("Traceback")) == (0, 0)


def test_molecules_give_the_density(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    few = photons(run(f"{START} -nonoise -molecules 1e12 -density 7 -thick 3"))
    many = photons(run(f"{START} -nonoise -molecules 1e14"))
    np.testing.assert_allclose(many, 100.0 * few, rtol=1e-6)


def test_flux_gives_the_fluence(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    outcome = run(f"{START} -nonoise -flux 1e10 -exposure 2 -beamsize 0.2 -fluence 3")
    assert "  incident fluence: 5e+17 photons/m^2" in outcome.out


@pytest.mark.parametrize(
    ("words", "pivot", "origin"),
    [
        ("", "direct beam spot", "0.06 0.021 -0.019"),
        ("-Xclose 10", "sample", "0.06 0.021 -0.01"),
        ("-ORGX 4 -Xclose 10", "sample", "0.06 0.021 -0.008"),
        ("-Xclose 10 -pivot beam", "direct beam spot", "0.06 0.021 -0.01"),
        ("-pivot beam -Xclose 10", "sample", "0.06 0.021 -0.01"),
        ("-twotheta 90", "sample", "-0.019 0.021 -0.06"),
    ],
)
def test_what_the_detector_turns_about(
    words: str, pivot: str, origin: str, run: Run, tmp_path: Path
) -> None:
    save(tmp_path)
    out = run(f"{START} -nonoise {words}").out
    assert f"pivoting detector around {pivot}\n" in out
    found = out.split("detector origin: ")[1].split("\n")[0].split()
    found, expected = (np.array(numbers, float) for numbers in (found, origin.split()))
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "0"),
        ("-osc 0.5", "0.5"),
        ("-phisteps 4", "1"),
        ("-phistep 0.2", "0.2"),
    ],
)
def test_oscillation_of_the_header(words: str, expected: str, run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    header = run(f"{START} -nonoise -phi 7 {words}").files["intimage.img"][:512].decode()
    assert f"PHI=7;\nOSC_START=7;\nOSC_RANGE={expected};" in header


def test_long_headers_have_more_blocks(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    words = "-pixel 2.12345 -detector_rotx 1e-3 -phi 1.23456 -osc 1.23456 -twotheta 1.23456"
    header = run(f"{START} -nonoise {words}").files["intimage.img"]
    size = int(header.split(b"HEADER_BYTES=")[1].split(b";")[0])
    assert len(header) == size + 2 * 20 * 20


def test_one_source_of_several_that_are_equal(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "s.txt").write_text("-10 0 0 1 1e-10\n# a comment\n-5 0 0\n")
    one, two = run(f"{START} -nonoise"), run(f"{START} -nonoise -sourcefile s.txt")
    np.testing.assert_allclose(photons(two), photons(one), rtol=1e-6)
    assert "  -1 divergence steps\n  2 sources\n" in two.out


def test_the_distance_of_sources_is_reported(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    assert "\n-5 -0 0   1 1e-10\n" in run(f"{START} -nonoise -source_distance 5000").out


def test_printed_pixels(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    outcome = run(f"{START} -nonoise -printout_pixel 3 4 -Fmap")
    assert "\n   3    4 : stol = " in outcome.out
    assert outcome.out.count("I/steps") == 1
    assert number_after(outcome, " F=") == pytest.approx(photons(outcome)[4, 3], rel=1e-5)


def test_progress_has_the_lines_of_nanobragg(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    out = run(f"{START.replace('-noprogress', '')} -nonoise").out
    lines = [line for line in out.splitlines() if line.endswith("% done")]
    assert lines[0] == "0% done"
    assert len(lines) > 20


# the radial average ---------------------------------------------------------------------------

AVERAGED = "-lambda 1 -fluence 1e20 -thick 0.1"


def average(run: Run, folder: Path, words: str) -> np.ndarray:
    """Render an image with noise, and average it."""
    save(folder)
    run(f"{START} -detpixels 90 -pixel 0.5 {AVERAGED} -seed 3")
    shutil.copy(folder / "noiseimage.img", folder / "shot.img")
    outcome = run(f"nonbragg -stol t.stol -img shot.img {AVERAGED} -nonoise -noprogress {words}")
    assert outcome.status == 0, outcome.err
    return np.loadtxt(folder / "output.stol", ndmin=2)


def test_the_average_is_the_table(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "".join(f"{0.01 * n} 5\n" for n in range(60)), "t.stol")
    run(f"{START} -detpixels 90 -pixel 0.5 {AVERAGED} -seed 3 -adc 10 -polar 0.9")
    shutil.copy(tmp_path / "noiseimage.img", tmp_path / "shot.img")
    outcome = run(f"nonbragg -stol t.stol -img shot.img {AVERAGED} -adc 10 -polar 0.9 -noprogress")
    rows = np.loadtxt(tmp_path / "output.stol", ndmin=2)
    assert f"wrote output.stol as {len(rows)} lines of text" in outcome.out
    np.testing.assert_allclose(rows[:, 1], 5.0, rtol=0.01)
    assert (rows[:, 5] > 100).all()
    assert not rows[:, 3:5].any()


def test_ignored_pixels_and_gain(run: Run, tmp_path: Path) -> None:
    rows = average(run, tmp_path, "")
    halved = average(run, tmp_path, "-gain 4")
    np.testing.assert_allclose(halved[:, 1], rows[:, 1] / 2.0, rtol=1e-4)
    image = np.frombuffer((tmp_path / "shot.img").read_bytes()[512:], dtype="<u2")
    value = int(np.bincount(image).argmax())
    fewer = average(run, tmp_path, f"-ignore {value}")
    lost = rows[:, 5].sum() - fewer[:, 5].sum()
    assert 0 < lost <= np.count_nonzero(image == value)


def test_the_average_of_a_region(run: Run, tmp_path: Path) -> None:
    whole = average(run, tmp_path, "")
    half = average(run, tmp_path, "-roi 0 89 0 44")
    assert half[:, 5].sum() < 0.6 * whole[:, 5].sum()
    words = f"nonbragg -stol t.stol -img shot.img {AVERAGED} -nonoise -noprogress -roi 9 3 0 44"
    outcome = run(words)
    assert outcome.files["output.stol"] == b""
    assert "wrote output.stol as 0 lines of text" in outcome.out


def test_the_header_of_an_image(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    words = "-close_distance 70 -ORGX 4 -ORGY 8 -phi 3 -osc 0.5 -lambda 1.5 -pixel 3"
    before = run(f"{START} {words} -seed 1").files["noiseimage.img"]
    (tmp_path / "shot.img").write_bytes(before)
    outcome = run("nonbragg -stol t.stol -img shot.img -nonoise -noprogress")
    assert outcome.files["intimage.img"][:512] == before[:512]
    assert "pivoting detector around direct beam spot" in outcome.out
    changed = run(
        "nonbragg -stol t.stol -img shot.img -nonoise -noprogress -lambda 2 -distance 50 -pixel 2"
    )
    header = changed.files["intimage.img"][:512].decode()
    assert "WAVELENGTH=2;" in header
    assert "PIXEL_SIZE=2;" in header
    assert "DISTANCE=70;" in header
    assert "NBQ19: -distance has no effect" in changed.err


def test_an_image_of_another_size(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "shot.img").write_bytes(run(f"{START} -seed 1").files["noiseimage.img"])
    words = "nonbragg -stol t.stol -img shot.img -nonoise -noprogress"
    outcome = run(f"{words} -detpixels_x 10")
    assert outcome.status == 0
    assert "shot.img: its rows have 20 pixels, those of the detector 10" in outcome.err
    outcome = run(f"{words} -detpixels_x 21")
    assert outcome.status == 9
    assert "its image has 20 x 20 pixels, but the detector has 21 x 20" in outcome.err


# errors and warnings --------------------------------------------------------------------------

ERRORS = [
    ("nonbragg", "-stol: expected a file"),
    ("nonbragg -stol none.stol", "none.stol"),
    ("nonbragg -stol empty.stol", "empty.stol: it has no numbers"),
    ("nonbragg -stol words.stol", "words.stol: it has no numbers"),
    ("nonbragg -stol binary.stol", "binary.stol: a binary file"),
    ("nonbragg -stol large.stol", "line 1: a number is too large"),
    ("nonbragg -stol far.stol", "too large for sin(theta)/lambda"),
    (f"{START} -img none.img", "-img: none.img: no such file"),
    (f"{START} -img words.stol", "words.stol: 9 bytes, but a header has 512"),
    (f"{START} -img cut.img", "cut.img: 10 bytes of pixels, but 20 x 20 pixels need 800"),
    (f"{START} -img long.img", "long.img: pixels of 4 bytes; 2 are expected"),
    (f"{START} -sourcefile none.txt", "none.txt"),
    (f"{START} -sourcefile words.stol", "not a number: 'no'"),
    (f"{START} -sourcefile zero.txt", "source 1: the position"),
    (f"{START} -lambda 0", "-lambda: must not be 0"),
    (f"{START} -energy 0", "-energy: must not be 0"),
    (f"{START} -pixel 0", "-pixel: must be positive, got 0 mm"),
    (f"{START} -detpixels -3", "-detpixels: must not be negative"),
    (f"{START} -detpixels_x 100000 -detpixels_y 100000", "100000 x 100000 pixels are not an image"),
    (f"{START} -oversample 0", "-oversample: must be at least 1, got 0"),
    (f"{START} -fluence inf", "-fluence: expected a finite number"),
    (f"{START} -intfile none/a.img", "there is no directory"),
    (f"{START} -intfile a -noisefile a", "two images have the same name"),
    (f"{START} -corrected NBQ2", "NBQ2 (-dispstep, -hdiv and -vdiv are not read) is reproduced"),
    (f"{START} -corrected NQ5", "expected all or numbers like NBQ1,NBQ5, got 'NQ5'"),
]


@pytest.mark.parametrize(("words", "problem"), ERRORS)
def test_errors_are_one_line_and_write_nothing(
    words: str, problem: str, run: Run, tmp_path: Path
) -> None:
    save(tmp_path)
    header = b"{\nHEADER_BYTES=512;\nTYPE=%s;\nSIZE1=20;\nSIZE2=20;\n}\f"
    for name, content in (
        ("empty.stol", b""), ("words.stol", b"no table\n"), ("binary.stol", b"0 1\0\n"),
        ("large.stol", b"1e999 1\n"), ("far.stol", b"1e95 1\n"), ("zero.txt", b"0 0 0 1 1e-10\n"),
        ("cut.img", (header % b"unsigned_short").ljust(512) + bytes(10)),
        ("long.img", (header % b"long_integer").ljust(512) + bytes(1600)),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
    outcome = run(words)
    assert outcome.status == 9
    assert not outcome.files
    *_, last = outcome.err.splitlines()
    assert last.startswith("cupysim: error: ")
    assert problem in last


WARNINGS = [
    ("-width 5", "NBQ1: the sample is clipped to 0.1 mm, though no beam size is given"),
    ("-hdiv 3", "NBQ2: -hdiv is not read"),
    ("-hdivsteps 3", "NBQ3: hdiv: a number of steps without a range means 1 radian"),
    ("-sourcefile a.txt", "NBQ4: a.txt: wavelengths from 1 to 1 m"),
    ("-sourcefile a.txt", "NBQ5: a.txt: the mean of the weights, 3, multiplies the image"),
    ("-twotheta 5 -twotheta_axis 0 0 1", "NBQ6: -twotheta_axis also sets -twotheta"),
    ("-pix0_vector 1 2 3", "NBQ7: -pix0_vector has no effect"),
    ("-coherent", "NBQ7: -coherent has no effect"),
    ("-detpixels 42 -pixel 0.1", "NBQ8: 42 pixels of 0.1 mm are rendered as 43"),
    ("-gain 2", "NBQ9: -gain does not act on the images"),
    ("-stol words.stol", "NBQ12: words.stol: 1 lines with words count as points"),
    ("-stol gap.stol", "NBQ13: gap.stol: 1 points without a structure factor"),
    ("-lambda 0.001", "NBQ14: 399 pixels are beyond the ends of t.stol"),
    ("-stol falling.stol", "NBQ15: falling.stol: 1 points have a smaller sin(theta)/lambda"),
    ("-stol twice.stol", "NBQ15: twice.stol: 1 points have the sin(theta)/lambda of the"),
    ("-thick 40", "NBQ23: 40 mm of 1 g/cm^3 absorb nothing here"),
    ("-distance 0 -Xbeam 1 -Ybeam 1", "1 pixels have no finite value"),
    ("-curved_det", "-curved_det is the last argument, and is ignored"),
    ("-pivot here", "-pivot 'here' names neither sample nor beam"),
    ("-detector_thick 3", "'-detector_thick' is no option of nonBragg, and is ignored"),
    ("-roi 1 2 3 4 5", "'5' belongs to no option"),
    ("-lambda 2x", "-lambda '2x' is no number; 2 is used, as in nonBragg"),
]


@pytest.mark.parametrize(("words", "message"), WARNINGS)
def test_quirks_that_act_are_told(words: str, message: str, run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "a.txt").write_text("-10 0 0 3 1\n")
    for name, text in (
        ("words.stol", f"# s F\n{TABLE}"), ("gap.stol", f"{TABLE}2\n"),
        ("falling.stol", f"{TABLE}0.9 1\n"), ("twice.stol", f"{TABLE}1 2\n"),
    ):  # fmt: skip
        save(tmp_path, text, name)
    outcome = run(f"{START} -nonoise {words}")
    assert outcome.status == 0, outcome.err
    assert f"cupysim: warning: {message}" in outcome.err


def test_quirks_that_do_not_act_are_not_told(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    words = "-beamsize 1 -width 0.5 -divergence 3 -divsteps 3 -twotheta_axis 0 0 1 -twotheta 3"
    assert run(f"{START} -nonoise {words}").err == ""


def test_lines_without_line_ends_and_separators(run: Run, tmp_path: Path) -> None:
    save(tmp_path)
    plain = photons(run(f"{START} -nonoise"))
    save(tmp_path, "0,5;\n\n 0.1:\t4!\n;,\n0.2 3 7 8\r\n0.4 2\n1 1", "other.stol")
    np.testing.assert_array_equal(photons(run(f"{START} -stol other.stol -nonoise")), plain)
