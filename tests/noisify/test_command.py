"""The command noisify: words, sizes, headers, inputs, errors and warnings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cupysim.api import from_args, simulate
from cupysim.noisify.options import OPTIONS, POSITIONAL
from tests.conftest import Run
from tests.noisify.support import WITHOUT_ERRORS, pixels, save

RAMP = np.arange(35, dtype=np.float32).reshape(5, 7)
PLAIN = f"noisify -bin in.bin -seed 1 {WITHOUT_ERRORS}"


def test_help_lists_all_options(run: Run) -> None:
    outcome = run("noisify -h")
    assert outcome.status == 0
    assert POSITIONAL in outcome.out
    for option in OPTIONS:
        assert all(name in outcome.out for name in option.names)


def test_words_may_contain_options(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    short = run("noisify -bin in.bin -seed 3 -gain 2 -adc 7 -detpixels_x 7").files
    for path in tmp_path.glob("*image*"):
        path.unlink()
    longer = run(
        "noisify --binary in.bin --seedling 3 x -gained 2 -adc_offset 7 --detpixels_xx 7"
    ).files
    assert short == longer


@pytest.mark.parametrize("word", ["--psf", "-psfx"])
def test_psf_must_be_the_whole_word(word: str, run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    outcome = run(f"{PLAIN} {word} gauss")
    assert "PSF" not in outcome.out
    assert f"'{word}' is no option of noisify, and is ignored" in outcome.err


def test_the_last_one_wins_and_missing_values_are_ignored(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    outcome = run(f"{PLAIN} -nonoise -gain 3 -gain 2 -gain")
    np.testing.assert_array_equal(pixels(outcome, (7, 5), "intimage.img").ravel(), 2 * RAMP.ravel())
    assert "-gain has no value after it" in outcome.err


def test_values_that_are_no_numbers(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    outcome = run(f"{PLAIN} -gain 2x -phi none -distance 0x10")
    assert "  quantum_gain = 2 ADU/photon" in outcome.out
    assert "-gain '2x' is no number; 2 is used" in outcome.err
    assert "-phi 'none' is no number; 0 is used" in outcome.err
    assert "distance=0.016 " in outcome.out


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ("", (7, 5)),
        ("-detpixels_x 7", (5, 7)),
        ("-detpixels_y 5", (5, 7)),
        ("-detpixels_x 3", (11, 3)),
        ("-detpixels 5", (5, 5)),
        ("-detpixels_x 2 -detpixels_y 9", (9, 2)),
    ],
)
def test_sizes(words: str, shape: tuple[int, int], run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    outcome = run(f"{PLAIN} -nonoise {words}")
    found = pixels(outcome, shape, "intimage.img")
    np.testing.assert_array_equal(found.ravel(), np.arange(found.size))
    assert ("guessing" in outcome.out) == (words == "")
    assert f"({shape[1]}x{shape[0]} pixels)" in outcome.out


def test_the_name_of_another_option_is_the_input(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    save(tmp_path, RAMP + 1.0, "my_floatimage.bin.img")
    outcome = run(f"{PLAIN} -intfile my_floatimage.bin.img -nonoise -nopgm")
    assert "intensites: my_floatimage.bin.img" in outcome.out
    assert "NQ2:" in outcome.err
    written = np.frombuffer((tmp_path / "my_floatimage.bin.img").read_bytes()[512:], dtype="<u2")
    np.testing.assert_array_equal(written, RAMP.ravel() + 1.0)


ERRORS = [
    ("noisify", "-floatfile: expected a file"),
    ("noisify -bin other.bin", "-bin: other.bin: no such file"),
    ("noisify other_floatimage.bin", "other_floatimage.bin: no such file"),
    (f"{PLAIN} -psf", "-psf: expected a value"),
    (f"{PLAIN} -psf gauss -psf_radius -2", "-psf_radius: must not be negative, got -2 (NQ15)"),
    (f"{PLAIN} -bits 8", "-bits: expected 16 or 32, got 8 (NQ17)"),
    (f"{PLAIN} -detpixels 6", "35 numbers, but 6 x 6 pixels need 36 (NQ12)"),
    (f"{PLAIN} -detpixels -6", "-detpixels: must not be negative"),
    (f"{PLAIN} -header none.img", "-header: none.img: no such file (NQ13)"),
    (f"{PLAIN} -header in.bin", "in.bin: 140 bytes, but a header has 512"),
    (f"{PLAIN} -header large.bin", "no SMV header"),
    (f"{PLAIN} -gain inf", "-gain: expected a finite number"),
    (f"{PLAIN} -psf gauss -pixel 0", "-pixel: -psf needs a pixel edge above zero"),
    (f"{PLAIN} -intfile none/a.img", "there is no directory"),
    (f"{PLAIN} -intfile a -noisefile a", "two images have the same name"),
    (f"{PLAIN} -corrected NQ1", "NQ1 (-psf without a value) is error and cannot be corrected"),
    (f"{PLAIN} -corrected NQ99", "expected all or numbers like NQ5,NQ7"),
    (f"{PLAIN} -noise slow", "expected stream or fast"),
    (f"{PLAIN} -threads 0", "-threads: expected a number"),
    (f"{PLAIN} -scale nan", "-scale: expected a finite number"),
]


@pytest.mark.parametrize(("words", "problem"), ERRORS)
def test_errors_are_one_line_and_write_nothing(
    words: str, problem: str, run: Run, tmp_path: Path
) -> None:
    save(tmp_path, RAMP)
    save(tmp_path, np.zeros(200), "large.bin")
    outcome = run(words)
    assert outcome.status == 9
    assert not outcome.files
    *_, last = outcome.err.splitlines()
    assert last.startswith("cupysim: error: ")
    assert problem in last


def test_empty_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.bin").write_bytes(b"")
    outcome = run(PLAIN)
    assert outcome.status == 9
    assert "in.bin: it has no numbers" in outcome.err


def test_numbers_that_are_not_finite(run: Run, tmp_path: Path) -> None:
    save(tmp_path, [[np.nan, 4.0], [np.inf, 2.0]])
    outcome = run(f"{PLAIN} -nonoise")
    np.testing.assert_array_equal(pixels(outcome, (2, 2), "intimage.img"), [[0, 4], [65535, 2]])
    assert run(f"{PLAIN} -psf gauss").status == 9


@pytest.mark.parametrize("size", [512, 1024])
def test_a_header_is_copied(size: int, run: Run, tmp_path: Path) -> None:
    text = (
        f"{{\nHEADER_BYTES={size};\nTYPE=unsigned_short;\nSIZE1=7;\nSIZE2=5;\nPIXEL_SIZE=0.2;\n"
        "DISTANCE=70;\nBEAM_CENTER_X=0.5;\nBEAM_CENTER_Y=0.25;\nCLOSE_DISTANCE=60;\n}\f"
    ).encode()
    header = text.ljust(size)
    (tmp_path / "header.img").write_bytes(header + bytes(70))
    save(tmp_path, RAMP)
    outcome = run(f"{PLAIN} -header header.img -detpixels 2 -pixel 3")
    for name in ("intimage.img", "noiseimage.img"):
        assert outcome.files[name][:size] == header
        assert len(outcome.files[name]) == size + 70
    # the last key that ends with DISTANCE counts, as in nanoBragg's headers
    assert "  distance=0.06 detsize=0.0014x0.001  pixel=0.0002 meters (7x5 pixels)" in outcome.out
    assert "  Xbeam=0.0005 Ybeam=0.00075" in outcome.out
    assert "NQ17" not in outcome.err
    outcome = run(f"{PLAIN} -header header.img -bits 32")
    assert "NQ17: the header of header.img is not one for 32 bits" in outcome.err


def test_headers_made_here(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    words = "-bits 32 -detpixels_x 7 -pixel 0.2 -distance 80 -lambda 1.5 -phi 3 -osc 0.5"
    header = run(f"{PLAIN} {words} -Xbeam 0.4 -Ybeam 0.3").files["noiseimage.img"][:512]
    assert header == (
        b"{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\nTYPE=long_integer;\nSIZE1=7;\n"
        b"SIZE2=5;\nPIXEL_SIZE=0.2;\nDISTANCE=80;\nWAVELENGTH=1.5;\nBEAM_CENTER_X=0.4;\n"
        b"BEAM_CENTER_Y=0.7;\nPHI=3;\nOSC_START=3;\nOSC_RANGE=0.5;\nDETECTOR_SN=000;\n"
        b"BEAMLINE=fake;\n}\f"
    ).ljust(512)


def test_the_input_is_replaced_only_if_asked(run: Run, tmp_path: Path) -> None:
    path = save(tmp_path, RAMP)
    before = path.read_bytes()
    run(PLAIN)
    assert path.read_bytes() == before


WARNINGS = [
    ("", "NQ6: pixels have a calibration error of 3 %"),
    ("", "NQ7: the calibration error depends on -seed too"),
    ("-flicker 0.1", "NQ5: -flicker is drawn for each pixel"),
    ("-hotpix_seed 3", "NQ9: -hotpix_seed has no effect"),
    ("-detsize 5", "NQ10: -detsize does not give the number of pixels, which is 5 x 7"),
    ("-adc -20", "NQ22: 20 pixels of intimage.img are below zero"),
    ("-scale 1e5 -bits 32", "NQ16: 34 pixels of intimage.img are cut off at 65535"),
    ("-psf fiber", "NQ18: light that is blurred beyond the right edge"),
    ("-psf gauss -nonoise -scale 1e-4", "NQ23: 34 pixels with less than 0.01 photons vanish"),
]


@pytest.mark.parametrize(("words", "message"), WARNINGS)
def test_quirks_that_act_are_told(words: str, message: str, run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    outcome = run(f"noisify -bin in.bin -seed 1 {words}")
    assert outcome.status == 0, outcome.err
    assert f"cupysim: warning: {message}" in outcome.err


def test_quirks_that_do_not_act_are_not_told(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    assert "NQ" not in run(f"{PLAIN} -detpixels_x 7").err


CRYSTAL = (
    "-cell 70 80 90 -N 5 -lambda 1.2 -default_F 1e4 -distance 90 -detpixels_x 30 -detpixels_y 20 "
    "-pixel 0.3 -fluence 1e24 -Xbeam 3 -Ybeam 4"
)


@pytest.mark.parametrize(
    ("name", "option", "library"),
    [
        ("shot.h5", "-h5file", "h5py"),
        ("shot.cbf", "-cbffile", "fabio"),
        ("shot.img", "-intfile", "numpy"),
    ],
)
def test_images_with_geometry(
    name: str, option: str, library: str, run: Run, tmp_path: Path
) -> None:
    pytest.importorskip(library)
    run(f"{CRYSTAL} -nonoise -floatfile f.bin {option} {name}")
    expected = np.fromfile(tmp_path / "f.bin", dtype=np.float32)
    outcome = run(f"noisify -bin {name} -nonoise -photonfile p.bin -adc 0 -bits 32")
    assert outcome.status == 0, outcome.err
    photons = np.frombuffer(outcome.files["p.bin"], dtype=np.float32)
    if name.endswith("h5"):
        np.testing.assert_array_equal(photons, expected)
        assert "integers" not in outcome.err
    else:
        assert f"{name}: its integers are taken for expected photons" in outcome.err
        # integers, and in SMV files scaled ones
        assert np.corrcoef(photons, expected)[0, 1] > 0.999
    header = outcome.files["intimage.img"][:512]
    for key, value in (
        (b"SIZE1", 30), (b"SIZE2", 20), (b"PIXEL_SIZE", 0.3), (b"DISTANCE", 90),
        (b"WAVELENGTH", 1.2),
    ):  # fmt: skip
        found = re.search(key + b"=([^;]*);", header)
        assert found is not None
        assert float(found[1]) == pytest.approx(value, rel=1e-4)


def test_options_win_over_the_geometry_of_the_input(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    simulate(from_args(CRYSTAL)).save(str(tmp_path / "shot.h5"))
    outcome = run("noisify -bin shot.h5 -nonoise -distance 55 -Xbeam 1")
    assert "  distance=0.055 detsize=0.009x0.006  pixel=0.0003 meters (30x20" in outcome.out
    assert "  Xbeam=0.001 " in outcome.out
    outcome = run("noisify -bin shot.h5 -nonoise -detpixels 20")
    assert "its image has 30 x 20 pixels, not 20 x 20" in outcome.err
    assert outcome.status == 9


def test_expected_photons_as_numbers(run: Run, tmp_path: Path) -> None:
    save(tmp_path, RAMP)
    outcome = run(f"{PLAIN} -photonfile p.bin -scale 0.25 -fluence 2.5186403e29")
    photons = np.frombuffer(outcome.files["p.bin"], dtype=np.float32)
    np.testing.assert_allclose(photons, 0.5 * RAMP.ravel(), rtol=1e-6)
