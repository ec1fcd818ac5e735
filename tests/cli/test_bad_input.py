"""Bad input: each row a command line, and the one line of error it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run

BASE = "-cell 40 50 60 -default_F 10 -N 4 -distance 60 -pixel 0.8 -detpixels 12 -seed 1"
TEXT_FILES = {
    "empty": b"",
    "binary": bytes(range(256)),
    "crlf.hkl": b"0 0 0 500\r\n1 0 0 120\r\n",
    "comment.hkl": b"# a comment\n\n0 0 0 500\n1 0 0 120\n",
    "five.hkl": b"0 0 0 500\n1 0 0 120 0.5\n",
    "three.hkl": b"0 0 0 500\n1 0 0\n",
    "fraction.hkl": b"0 0 0 500\n1.5 0 0 100\n",
    "decimal.hkl": b"0 0 0 500\n1.0 0 0 100\n",
    "word.hkl": b"0 0 0 500\n1 0 zero 100\n",
    "nan.hkl": b"0 0 0 500\n1 0 0 nan\n",
    "inf.hkl": b"0 0 0 500\n1 0 0 1e999\n",
    "far.hkl": b"0 0 0 500\n2000 2000 2000 3\n",
    "farther.hkl": b"0 0 0 500\n99999999999 0 0 3\n",
    "digits.hkl": b"1" * 5000 + b" 0 0 3\n",
    "good.bin": b"0 0 0 0 0 0\n\f" + bytes(64),
    "pixel.img": b"{\nHEADER_BYTES=512;\nSIZE1=4;\nSIZE2=4;\nPIXEL_SIZE=0;\n}\f".ljust(512)
    + bytes(32),
    "short.mat": b"1 2 3 4 5 6 7 8\n",
    "word.mat": b"0.01 0 0\n0 x 0\n0 0 0.01\n",
    "flat.mat": b"0.01 0 0\n0.01 0 0\n0 0 0.01\n",
    "zero.src": b"-10 0 0 1 1e-10\n0 0 0 1 1e-10\n",
    "dark.src": b"-10 0 0 1 0\n",
    "word.src": b"-10 0 0 1 1e-10\n-10 0 zero\n",
    "six.src": b"-10 0 0 1 1e-10 7\n",
    "not.img": b"P5\n12 12\n255\n" + bytes(600),
    "cut.img": b"{\nHEADER_BYTES=512;\nSIZE1=12;\nSIZE2=12;\n}\f".ljust(512) + bytes(100),
    "nosize.img": b"{\nHEADER_BYTES=512;\n}\f".ljust(512) + bytes(100),
    "small.img": b"{\nHEADER_BYTES=512;\nSIZE1=4;\nSIZE2=4;\n}\f".ljust(512) + bytes(32),
    "header.img": b"{\nHEADER_BYTES=x;\n}\f".ljust(512) + bytes(32),
    "cut.bin": b"0 1 0 1 0 1\n\f" + bytes(20),
    "order.bin": b"1 0 0 1 0 1\n\f" + bytes(512),
    "huge.bin": b"0 99999 0 99999 0 99999\n\f" + bytes(512),
}

ROWS = [
    # missing, unknown and misspelled
    ("-default_F 10", "no unit cell: give -cell or -mat"),
    ("-cell 40", "no structure factors: give -hkl FILE, -pdb FILE, -default_F F or -dump FILE"),
    (f"{BASE} -distanse 5", "-distanse: unknown option; did you mean -distance?"),
    (f"{BASE} -frobnicate", "-frobnicate: unknown option; cupysim -h lists the options"),
    (f"{BASE} -distance", "-distance: expected a value after it, found none"),
    (f"{BASE} -detector_abs", "-detector_abs: expected a value after it, found none"),
    (f"{BASE} -detector_thick", "-detector_thick: expected a value after it, found none"),
    (f"{BASE} -thicksteps", "-thicksteps: expected a value after it, found none"),
    (f"{BASE} -misset 1 2", "-misset: expected 3 values after it, found 2"),
    (f"{BASE} -roi 1 2 3", "-roi: expected 4 values after it, found 3"),
    (f"{BASE} -lambda -N 5", "-lambda: expected a value, got the option '-N'"),
    (f"{BASE} -floatfile -nonoise", "-floatfile: expected a value, got the option '-nonoise'"),
    ("-cell -default_F 10", "-cell: expected a positive length"),
    ("-cell 0 -default_F 10", "-cell: expected a positive length, got 0"),
    # values which are not numbers
    (f"{BASE} -distance far", "-distance: expected a number, got 'far'"),
    (f"{BASE} -distance 1,5", "-distance: expected a number, got '1,5'"),
    (f"{BASE} -distance nan", "-distance: expected a number, got 'nan'"),
    (f"{BASE} -distance inf", "-distance: expected a number, got 'inf'"),
    (f"{BASE} -fluence 1e999", "-fluence: 1e999 is too large; at most 1e+60"),
    (f"{BASE} -cell 40 x", "-cell: expected a number, got 'x'"),
    (f"{BASE} -misset 1 2 x", "-misset: expected a number, got 'x'"),
    (f"{BASE} -detpixels 1e3", "-detpixels: expected an integer, got '1e3'"),
    (f"{BASE} -Na many", "-Na: expected an integer, got 'many'"),
    (f"{BASE} -Na 99999999999", "-Na: 99999999999 is too large; at most 2147483647"),
    (f"{BASE} -pivot middle", "-pivot: expected 'sample' or 'beam', got 'middle'"),
    (f"{BASE} -distance 1e300", "-distance: 1e300 is too large; at most 1e+60"),
    (f"{BASE} -pixel 5e-324", "-pixel: 5e-324 is too close to zero"),
    (f"{BASE} -N {'9' * 5000}", f"-N: {'9' * 57}... is too large; at most 2147483647"),
    (f"{BASE} -lambda {'1' * 100000}x", f"-lambda: expected a number, got '{'1' * 57}...'"),
    (f"{BASE} -N \u0663", "-N: expected an integer, got '\u0663'"),
    # sizes and values which are impossible
    (f"{BASE} -pixel 0", "-pixel: must be positive, got 0"),
    (f"{BASE} -pixel -0.1", "-pixel: must be positive, got -0.1"),
    (f"{BASE} -detpixels -5", "-detpixels: must not be negative, got -5"),
    (f"{BASE} -detpixels 0 -detsize 0", "-detsize: must be positive, got 0"),
    (f"{BASE} -detpixels 0 -detsize 0.1", "detector: 0 x 0 pixels; it must have at least 1 x 1"),
    (
        f"{BASE} -detpixels 60000",
        "detector: 60000 x 60000 pixels; at most 2147483647 in all",
    ),
    (f"{BASE} -distance 0", "-distance: must not be zero, got 0"),
    (f"{BASE} -lambda 0", "-lambda: must be positive, got 0"),
    (f"{BASE} -lambda -1", "-lambda: must be positive, got -1"),
    (f"{BASE} -energy 0", "-energy: must be positive, got 0"),
    (f"{BASE} -fluence -1", "-fluence: must not be negative, got -1"),
    (f"{BASE} -flux 1e12 -beamsize 0", "-beamsize: must not be 0 with -flux"),
    (f"{BASE} -adc -5", "-adc: must not be negative, got -5"),
    (f"{BASE} -water -5", "-water: must not be negative, got -5"),
    (f"{BASE} -detector_abs -5", "-detector_abs: the depth must not be negative, got -5"),
    (
        f"{BASE} -cell 40 50 60 10 90 150",
        "unit cell: no cell has the angles 10, 90, 150 degrees; each must be less than the sum of "
        "the other two, all together less than 360",
    ),
    (
        f"{BASE} -cell 40 50 60 60 60 120",
        "unit cell: no cell has the angles 60, 60, 120 degrees; each must be less than the sum of "
        "the other two, all together less than 360",
    ),
    (f"{BASE} -beam_vector 0 0 0", "beam vector: [0. 0. 0.] has no direction"),
    (f"{BASE} -spindle_axis 0 0 0 -phi 5", "spindle vector: [0. 0. 0.] has no direction"),
    (
        f"{BASE} -fdet_vector 1 0 0 -sdet_vector 1 0 0 -odet_vector 0 0 2",
        "fast and slow detector axes are parallel",
    ),
    (
        f"{BASE} -dispersion 250 -dispsteps 5",
        "dispersion: 250 % reaches wavelength zero; it must be less than 200 %",
    ),
    (
        f"{BASE} -fluence 1e60 -default_F 1e9",
        "144 pixels have no finite value, the first of them 0 0 (fast, slow): reduce what "
        "multiplies them (-fluence, structure factors, -N, -water), or correct the geometry",
    ),
    # overflow of counts
    (
        f"{BASE} -N 2000000000",
        "oversampling: a crystal of 12 m would need 4.8e+09 sub-pixels along a pixel; "
        "give -oversample, or a smaller crystal",
    ),
    (
        f"{BASE} -oversample 1000000 -mosaic 1 -mosaic_dom 1000",
        "this image needs 1.44e+17 steps (144 pixels x 1000000000000000 steps x 1 sensor layers); "
        "at most 1e+16 are possible. Reduce -oversample (now 1000000), -mosaic_dom, -phisteps, "
        "sources or the region",
    ),
    (
        f"{BASE} -phisteps 2000000 -osc 1",
        "sampling: 2000000 steps of 8.72665e-09; from 1 to 1000000 are possible",
    ),
    (
        f"{BASE} -mosaic 1 -mosaic_dom 2000000",
        "mosaicity: 2000000 domains spread over 0.0174533 rad; from 1 to 1000000 domains are "
        "possible",
    ),
    (
        f"{BASE} -divergence 1 -divsteps 3000",
        "sources: 3000 x 3000 directions with 1 wavelengths are 9000000 sources; at most 1000000 "
        "are possible",
    ),
    # files
    (f"{BASE} -hkl none.hkl", "none.hkl: No such file or directory"),
    (f"{BASE} -hkl folder", "folder: Is a directory"),
    (f"{BASE} -hkl empty", "empty: no reflections; lines of h k l F are expected"),
    (f"{BASE} -hkl binary", "binary, line 1: expected h k l F, got 1 fields"),
    (f"{BASE} -hkl five.hkl", "five.hkl, line 2: expected h k l F, got 5 fields"),
    (f"{BASE} -hkl three.hkl", "three.hkl, line 2: expected h k l F, got 3 fields"),
    (f"{BASE} -hkl fraction.hkl", "fraction.hkl, line 2: h is not an integer: '1.5'"),
    (f"{BASE} -hkl decimal.hkl", "decimal.hkl, line 2: h is not an integer: '1.0'"),
    (f"{BASE} -hkl word.hkl", "word.hkl, line 2: l is not an integer: 'zero'"),
    (f"{BASE} -hkl nan.hkl", "nan.hkl, line 2: F is not a number: 'nan'"),
    (f"{BASE} -hkl inf.hkl", "inf.hkl, line 2: F is not a number: '1e999'"),
    (
        f"{BASE} -hkl far.hkl",
        "structure factors: the indices span 2001 x 2001 x 2001, a table of 59.7 GiB; at most 4 "
        "GiB are possible",
    ),
    (f"{BASE} -hkl farther.hkl", "farther.hkl, line 2: h is out of range: '99999999999'"),
    (f"{BASE} -hkl digits.hkl", f"digits.hkl, line 1: h is out of range: '{'1' * 40}'"),
    (f"{BASE} -hkl /dev/zero", "/dev/zero: larger than 512 MiB"),
    (f"{BASE} -mat none.mat", "none.mat: No such file or directory"),
    (f"{BASE} -mat short.mat", "short.mat: 8 numbers, but an A matrix has nine"),
    (f"{BASE} -mat word.mat", "word.mat: not a number: 'x'; nine numbers are expected"),
    (f"{BASE} -mat empty", "empty: 0 numbers, but an A matrix has nine"),
    (f"{BASE} -mat binary", "binary: a binary file, not a text"),
    (
        "-mat flat.mat -default_F 10 -detpixels 12",
        "crystal: the three reciprocal cell vectors span no volume",
    ),
    (f"{BASE} -sourcefile none.src", "none.src: No such file or directory"),
    (f"{BASE} -sourcefile empty", "empty: it has no numbers; lines of numbers are expected"),
    (f"{BASE} -sourcefile zero.src", "source 2: the position [0. 0. 0.] has no direction"),
    (f"{BASE} -sourcefile dark.src", "source 1: the wavelength must be positive: 0.0 m"),
    (f"{BASE} -sourcefile word.src", "word.src, line 2: not a number: 'zero'"),
    (f"{BASE} -sourcefile six.src", "six.src, line 1: more than 5 numbers"),
    (f"{BASE} -stol empty", "empty: it has no numbers; lines of numbers are expected"),
    (f"{BASE} -mask none.img", "none.img: No such file or directory"),
    (
        f"{BASE} -mask not.img",
        "not.img: not an SMV image: it does not start with {HEADER_BYTES=",
    ),
    (
        f"{BASE} -img cut.img",
        "cut.img: 100 bytes of pixels, but 12 x 12 pixels need 288; the file is cut off",
    ),
    (f"{BASE} -img nosize.img", "nosize.img: SIZE1=0 and SIZE2=0 are not the size of an image"),
    (f"{BASE} -img header.img", "header.img: HEADER_BYTES=0 is not the length of a header"),
    (f"{BASE} -img pixel.img", "pixel.img: PIXEL_SIZE=0 is not possible"),
    (f"{BASE} -img empty", "empty: an empty file; it is not read"),
    (
        f"{BASE} -mask small.img",
        "small.img: the mask has 4 x 4 pixels, but the detector has 12 x 12",
    ),
    (
        f"{BASE} -dump binary",
        "binary: not a dump of structure factors: no index limits",
    ),
    (
        f"{BASE} -dump cut.bin",
        "cut.bin: 20 bytes of amplitudes, but 216 are needed; the file is cut off",
    ),
    (
        f"{BASE} -dump order.bin",
        "order.bin: the index limits are out of order: [1, 0, 0, 1, 0, 1]",
    ),
    (
        f"{BASE} -dump huge.bin",
        "structure factors: the indices span 100001 x 100001 x 100001, a table of 7450804.1 GiB; "
        "at most 4 GiB are possible",
    ),
    # outputs
    (f"{BASE} -floatfile folder", "cannot write folder: it is a directory"),
    (f"{BASE} -intfile none/int.img", "cannot write none/int.img: there is no directory "),
    (
        f"{BASE} -dump good.bin -floatfile ./good.bin",
        "./good.bin would replace an input file of this run",
    ),
    (f"{BASE} -floatfile loop", "cannot write loop: too many levels of symbolic links"),
    (f"{BASE} -floatfile new/", "cannot write new/: the name is that of a directory"),
    (f"{BASE} -floatfile a -noisefile a", "a is named for two output files of this run"),
    (f"{BASE} -hkl crlf.hkl -dump a -pgmfile ./a", "a is named for two output files of this run"),
    (f"{BASE} -hkl crlf.hkl -intfile crlf.hkl", "crlf.hkl would replace an input file of this run"),
]


@pytest.fixture
def bad_files(tmp_path: Path) -> Path:
    for name, content in TEXT_FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(("words", "message"), ROWS, ids=[row[0].replace(BASE, "") for row in ROWS])
def test_message(words: str, message: str, run: Run, bad_files: Path) -> None:
    before = {path: path.read_bytes() for path in bad_files.iterdir() if path.is_file()}
    outcome = run(words)
    lines = [line for line in outcome.err.splitlines() if ": warning: " not in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"cupysim: error: {message}")
    if not message.endswith(" "):
        assert lines[0] == f"cupysim: error: {message}"
    assert outcome.status == 9
    assert outcome.files == {}
    assert before == {path: path.read_bytes() for path in bad_files.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["crlf.hkl", "comment.hkl"])
def test_harmless_files(name: str, run: Run, bad_files: Path) -> None:
    outcome = run(f"{BASE} -hkl {name}")
    assert outcome.status == 0, outcome.err
    assert "  2 initialized hkls" in outcome.out


def test_no_arguments(run: Run) -> None:
    outcome = run("")
    assert outcome.status == 9
    assert outcome.err.startswith("usage: cupysim ")


def test_region_outside_is_an_empty_image(run: Run) -> None:
    outcome = run(f"{BASE} -roi 100 200 100 200")
    assert outcome.status == 0
    assert not outcome.float_image(12, 12).any()
    assert "max_I = 0  at 0 0" in outcome.out
