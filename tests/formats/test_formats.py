"""File formats: what is written is read back."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from cupysim import Beam, Crystal, Detector, DetectorAngles, Experiment, StructureFactors
from cupysim.detection import digitising
from cupysim.errors import FileFormatError
from cupysim.formats import fdump, float_image, hkl_text, pgm, smv
from cupysim.storage.safe_writing import OutputError, OutputFiles
from tests.conftest import INPUTS, Run

WHOLE = (slice(0, None), slice(0, None))


@pytest.mark.parametrize("name", ["orc", "peptide", "small_gaps", "unsorted_dup", "few"])
def test_fast_and_slow_reading_of_hkl_agree(name: str) -> None:
    path = INPUTS / f"{name}.hkl"
    fast = hkl_text._read_plain(path.read_bytes())
    slow = hkl_text._read_line_by_line(path, path.read_bytes())
    assert fast is not None
    np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize(
    "text",
    [
        b"1 2 3\n4 5 6 7 8\n",
        b"1 2 3 4 5\n6 7 8\n",
        b"1 2 3 4 5 6 7 8\n",
        b"1 2 3 4\n1 2 3 4e\n",
        b"1 2 3 4\n1 2 3 --4\n",
        b"1 2 3 4\n1 2e0 3 4\n",
    ],
)
def test_eight_numbers_are_not_always_two_reflections(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.hkl"
    path.write_bytes(text)
    with pytest.raises(FileFormatError):
        hkl_text.read(path)


def test_hkl_without_last_line_end_and_with_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.hkl"
    path.write_bytes(b"\n  1\t-2 +3 4.5e1\r\n\n-1 0 0 .5")
    hkl, values = hkl_text.read(path)
    np.testing.assert_array_equal(hkl, [[1, -2, 3], [-1, 0, 0]])
    np.testing.assert_array_equal(values, [45.0, 0.5])


def test_dump_whose_first_number_looks_like_white_space(tmp_path: Path) -> None:
    """Quirk Q28: the low byte of the first amplitude is a blank."""
    value = np.frombuffer(b"\x20\x33\x33\x33\x33\x33\x43\x40", dtype="<f8")[0]
    table = np.full((2, 3, 4), 7.0)
    table[0, 0, 0] = value
    factors = StructureFactors(table, (-1, 0, 2))
    with (tmp_path / "d.bin").open("wb") as stream:
        fdump.write(stream, factors)
    again = fdump.read(tmp_path / "d.bin", default=5.0)
    assert (again.first, again.default, again.n_given) == ((-1, 0, 2), 5.0, 24)
    np.testing.assert_array_equal(again.table, table)


def test_dump_of_the_c_program() -> None:
    factors = fdump.read(INPUTS / "Fdump_small.bin", 0.0)
    assert factors.table is not None
    stream = io.BytesIO()
    fdump.write(stream, factors)
    assert stream.getvalue() == (INPUTS / "Fdump_small.bin").read_bytes()


def test_smv_header_of_the_c_program() -> None:
    image = smv.read(INPUTS / "made.img")
    assert image.image.shape == (96, 96)
    assert image.number("WAVELENGTH") is not None
    assert image.number("NOTHING") is None
    # the last key which ends in DISTANCE
    assert image.number("DISTANCE") == image.number("CLOSE_DISTANCE")


def long_experiment() -> Experiment:
    """Numbers of full length in every line of the header."""
    return Experiment(
        beam=Beam(wavelength=1.23456789e-10),
        crystal=Crystal(reciprocal=np.eye(3) / 50),
        detector=Detector(
            n_fast=3000, n_slow=3000, pixel_size=1.23456789e-4, distance=0.123456789,
            beam_centre=(0.123456789, 0.123456789),
            angles=DetectorAngles((-0.123456, -0.0123456, -0.123456), -0.123456789),
        ),
        structure_factors=StructureFactors(default=1.0),
    )  # fmt: skip


def test_long_header_takes_two_blocks(tmp_path: Path) -> None:
    """Quirk Q33: the C program's pixels would start somewhere in between."""
    header = smv.header(long_experiment())
    assert len(header) == 1024
    assert header.startswith(b"{\nHEADER_BYTES=1024;\n")
    pixels = np.arange(9_000_000, dtype=np.uint16).reshape(3000, 3000)
    with (tmp_path / "a.img").open("wb") as stream:
        smv.write(stream, header, pixels)
    np.testing.assert_array_equal(smv.read(tmp_path / "a.img").image, pixels)


def test_big_endian_images_are_understood(tmp_path: Path) -> None:
    header = b"{\nHEADER_BYTES=512;\nBYTE_ORDER=big_endian;\nSIZE1=3;\nSIZE2=2;\n}\f".ljust(512)
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3)
    (tmp_path / "a.img").write_bytes(header + pixels.astype(">u2").tobytes())
    np.testing.assert_array_equal(smv.read(tmp_path / "a.img").image, pixels)


def test_rounding_of_integers() -> None:
    photons = np.array([[0.0, 0.4999, 0.5, 1.5, 70000.0, -3.0]], dtype=np.float32)
    pixels = digitising.scaled(photons, 1.0, 0.0, WHOLE)
    np.testing.assert_array_equal(pixels, [[0, 0, 1, 2, 65535, 0]])
    noisy, overloads = digitising.counted(np.array([0.0, 3.0, 65535.0, 1e9]), 40.9)
    np.testing.assert_array_equal(noisy, [40, 43, 65535, 65535])
    assert overloads == 2
    grey = digitising.grey(np.array([[0.9, 1.0, 300.0, -3.7]], dtype=np.float32), 1.0, WHOLE)
    np.testing.assert_array_equal(grey, [[0, 1, 255, 253]])


@pytest.mark.parametrize("n_slow", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("lowest", [0.0, -700.0])
def test_grey_values_are_those_of_c(lowest: float, n_slow: int) -> None:
    rng = np.random.default_rng(n_slow)
    image = rng.uniform(lowest, 900.0, (n_slow, 7)).astype(np.float32)
    image[0, :3] = 255.0 / 2.3, 0.0, 3e9
    found = digitising.grey(image, 2.3, (slice(0, n_slow), slice(1, 6)))
    for row, line in enumerate(image):
        for column, photons in enumerate(line):
            # as a C program converts: to an int, which truncates, then to its lowest byte
            value = int(min(float(photons) * 2.3, 255.0)) & 0xFF
            assert found[row, column] == (value if 1 <= column < 6 else 0)


def test_outside_the_region_there_is_no_offset() -> None:
    image = np.ones((4, 5), dtype=np.float32)
    region = (slice(1, 3), slice(2, 9))
    pixels = digitising.scaled(image, 2.0, 40.0, region)
    assert (pixels[region] == 42).all()
    assert pixels.sum() == 42 * 6


def test_pgm_header() -> None:
    stream = io.BytesIO()
    pgm.write(stream, np.zeros((2, 3), dtype=np.uint8), 0.00123456789)
    assert stream.getvalue() == b"P5\n3 2\n# pixels scaled by 0.00123457\n255\n" + bytes(6)


def test_float_image_of_another_size(tmp_path: Path) -> None:
    with (tmp_path / "f.bin").open("wb") as stream:
        float_image.write(stream, np.zeros((2, 3)))
    with pytest.raises(FileFormatError, match="6 numbers, but 4 x 2 pixels need 8"):
        float_image.read(tmp_path / "f.bin", 2, 4)


def test_outputs_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail_after_two_files() -> None:
        with OutputFiles() as files:
            files.write(tmp_path / "a", lambda stream: stream.write(b"new"))
            files.write(tmp_path / "b", lambda stream: stream.write(b"new"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_two_files()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}
    with OutputFiles() as files:
        files.write(tmp_path / "a", lambda stream: stream.write(b"new"))
        files.write(tmp_path / "b", lambda stream: stream.write(b"new"))
        assert (tmp_path / "a").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert (tmp_path / "a").read_bytes() == b"new"


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with OutputFiles() as files:
        files.write(link, lambda stream: stream.write(b"new"))
        files.write(tmp_path / "fresh", lambda stream: stream.write(b"new"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o666 & ~mask


def test_devices_are_written_to_and_stay(run: Run) -> None:
    words = "-cell 40 -default_F 10 -detpixels 8 -pixel 1 -floatfile /dev/null -nonoise -nopgm"
    outcome = run(words)
    assert outcome.status == 0
    assert set(outcome.files) == {"intimage.img"}
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("name", ["", "a\0b", "none/a"])
def test_names_which_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError), OutputFiles() as files:
        files.write(f"{tmp_path}/{name}" if name == "none/a" else name, lambda stream: None)
