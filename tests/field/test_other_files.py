"""Files of other kinds, empty, packed or damaged ones: a line says what they are."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import cbf, dials
from cupysim.formats.any_image import open_image
from cupysim.readers import read_experiment
from tests.conftest import Run
from tests.field.cbf_files import HEADER, MARKER, mini_cbf, section
from tests.field.nxmx_files import N_FAST, N_SLOW, write
from tests.field.test_doubtful_geometry import smv_of
from tests.field.test_geometry import CRYSTAL, WORDS
from tests.formats.test_inherited import expt

PIXELS = np.arange(2400, dtype=np.int32).reshape(40, 60) % 50
LIST = json.dumps(expt(), indent=1)
XPARM = "XPARM.XDS    VERSION Jan 10, 2022\n     1       10.0000    0.5000  1.0  0.0  0.0\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

CELL_FILE = b"CrystFEL unit cell file version 1.0\n\nlattice_type = cubic\na = 50 A\n"

# files that are no images

KINDS = {
    "empty": (b"", "an empty file"),
    "TIFF": (b"II*\0" + bytes(4096), "a TIFF file"),
    "Bruker": (b"FORMAT :100".ljust(7680), "a Bruker image (.sfrm)"),
    "web page": (b"<!DOCTYPE html><html>404</html>", "a web page in place of the file"),
    "pointer": (LFS.encode(), "a pointer of git-lfs in place of the file"),
    "XPARM": (XPARM.encode(), "geometry of XDS (XPARM.XDS)"),
    "XDS.INP": (b"! XDS.INP\nDETECTOR_DISTANCE=150.0\nORGX=50\n", "input of XDS (XDS.INP)"),
    "EDF": (b"{\nByteOrder = LowByteFirst ;\nDim_1 = 9 ;\n".ljust(1024), "an EDF image"),
    "cell": (CELL_FILE, "a unit cell of CrystFEL (.cell); give its numbers by -cell"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(99), "a packed file (zstd); unpack it first"),
    "tar": (b"a.cbf".ljust(257, b"\0") + b"ustar\0" + bytes(99), "an archive (tar)"),
    "a line before": (b"\n###CBF: VERSION 1.5\n" + bytes(900), "a CBF file with a byte order mark"),
    "a mark before": (b"\xef\xbb\xbf###CBF: VERSION 1.5\n", "a CBF file with a byte order mark"),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
@pytest.mark.parametrize("words", ["info", f"{WORDS} -img"])
def test_kinds_are_named(case: str, words: str, tmp_path: Path, run: Run) -> None:
    data, kind = KINDS[case]
    (tmp_path / "a.cbf").write_bytes(data)
    outcome = run(f"{words} a.cbf")
    assert outcome.status in (2, 9)
    assert f"a.cbf: {kind}" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("words", ["-hkl {} -cell 9", "-pdb {} -cell 9", "-geom {}", "-mat {}"])
@pytest.mark.parametrize("name", ["a.h5", "a.cell"])
def test_kinds_are_named_by_other_options(words: str, name: str, tmp_path: Path, run: Run) -> None:
    write(tmp_path / "a.h5")
    (tmp_path / "a.cell").write_bytes(CELL_FILE)
    outcome = run(f"{words.format(name)} -default_F 1 -nodump")
    assert outcome.status == 9
    kinds = {"a.h5": "an HDF5 file; give its images by -img", "a.cell": KINDS["cell"][1]}
    assert kinds[name] in outcome.err
    assert outcome.err.count("\n") == 1


def test_lists_given_by_geom(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.expt").write_text(LIST)
    assert "give a DIALS experiment list by -expt" in run("-geom a.expt -cell 9 -default_F 1").err
    (tmp_path / "XDS.INP").write_bytes(KINDS["XDS.INP"][0])
    assert "input of XDS (XDS.INP)" in run("-geom XDS.INP -cell 9 -default_F 1").err


def test_data_files_of_a_master(tmp_path: Path, run: Run) -> None:
    with h5py.File(tmp_path / "a_data_000001.h5", "w") as file:
        file["entry/data/data"] = np.zeros((2, 8, 8), dtype=np.uint32)
        file["entry"].attrs["NX_class"] = "NXentry"
    for words in ("info", f"{WORDS} -img"):
        outcome = run(f"{words} a_data_000001.h5")
        assert "no NXmx entry, but images without geometry" in outcome.err
        assert "give the master file" in outcome.err
    with h5py.File(tmp_path / "sacla.h5", "w") as file:
        file["tag-1/detector_data"] = np.zeros((8, 8))
    assert "it holds no images in an NXmx entry" in run("info sacla.h5").err


def test_files_of_zeros(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.img").write_bytes(bytes(4 * 100 * 100))
    assert "all its bytes are zero" in run("info a.img").out
    assert "begins with zeros, as if it had not been written" in run(f"{WORDS} -img a.img").err


# packed files


def packed(path: Path) -> Path:
    other = path.with_name(path.name + ".gz")
    other.write_bytes(gzip.compress(path.read_bytes()))
    return other


def test_packed_images_and_lists(tmp_path: Path, run: Run) -> None:
    of_smv = open_image(packed(smv_of(tmp_path / "a.img")))
    of_cbf = open_image(packed(mini_cbf(tmp_path / "a.cbf", section(PIXELS))))
    assert (of_smv.kind, of_cbf.kind) == ("SMV", "CBF")
    np.testing.assert_array_equal(of_cbf.pixels, PIXELS)
    (tmp_path / "a.expt").write_text(LIST)
    plain, of_list = dials.read(tmp_path / "a.expt"), dials.read(packed(tmp_path / "a.expt"))
    np.testing.assert_array_equal(plain.panel, of_list.panel)
    assert run(f"{WORDS} -img a.img.gz").status == 0
    of_python = read_experiment(tmp_path / "a.expt.gz").geometry
    np.testing.assert_array_equal(
        of_python.origin, read_experiment(tmp_path / "a.expt").geometry.origin
    )


def test_packed_hdf5_files_and_damaged_ones(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="packed by gzip, which HDF5 cannot read"):
        open_image(packed(write(tmp_path / "a.h5")))
    path = packed(mini_cbf(tmp_path / "a.cbf", section(PIXELS)))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileFormatError, match="damaged gzip file"):
        open_image(path)


# experiment lists

LISTS = {
    "cut": (LIST[: len(LIST) // 2], r"line \d+: no experiment list of DIALS: the file is cut off"),
    "comma": (LIST.replace("0.9795", "0,9795").replace('"beam": 0,', '"beam": 0,,'),
              r"line \d+: .*not JSON: Expecting property name enclosed in double quotes at column"),
    "comment": ("// refined\n" + LIST, "not JSON: it begins '// refined'"),
    "empty": ("", "no experiment list of DIALS, but an empty file"),
    "stream": ("CrystFEL stream format 2.3\n", "DIALS, but a stream of CrystFEL"),
    "geom": ("p0/min_fs = 0\n", r"DIALS, but geometry of CrystFEL \(.geom\)"),
    "poni": ("Distance: 0.15\nPoni1: 0.01\n", r"DIALS, but geometry of pyFAI \(.poni\)"),
    "output": (" INTEGRATE.LP\n", r"DIALS, but output of XDS \(INTEGRATE.LP\)"),
    "old xparm": ("     1   10.0   0.1  1.0\n", "not JSON: it begins '1   10.0   0.1  1.0'"),
    "web page": ("<html>", "no experiment list of DIALS, but a web page"),
    "old": (json.dumps([{"__id__": "DataBlock"}]), "but a DataBlock of old DIALS"),
    "another": (json.dumps({"__id__": "ReflectionList"}), "its __id__ is 'ReflectionList'"),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTS)
def test_damaged_lists(case: str, tmp_path: Path) -> None:
    text, message = LISTS[case]
    (tmp_path / "a.expt").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        dials.read(tmp_path / "a.expt")


def changed(kind: str, key: str, value: Any) -> Any:
    content = expt()
    model = content[kind][0]
    (model["panels"][0] if kind == "detector" else model)[key] = value
    return content


@pytest.mark.parametrize(
    ("kind", "key"),
    [("detector", "image_size"), ("detector", "pixel_size"), ("scan", "oscillation"),
     ("scan", "image_range")],
)  # fmt: skip
@pytest.mark.parametrize("value", [[10.0], 10.0, [1, 2, 3]])
def test_keys_of_two_numbers(kind: str, key: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "a.expt").write_text(json.dumps(changed(kind, key, value)))
    told = re.escape(f"{key} is {value}; two numbers are expected")
    with pytest.raises(FileFormatError, match=told):
        dials.read(tmp_path / "a.expt")


def test_keys_that_occur_twice_are_told(tmp_path: Path) -> None:
    text = LIST.replace('"direction"', '"wavelength": 3.0, "direction"')
    assert '"wavelength": 3.0' in text
    (tmp_path / "a.expt").write_text(text)
    geometry = dials.read(tmp_path / "a.expt")
    assert "the key wavelength occurs twice; the last value is used" in geometry.remarks
    (tmp_path / "b.expt").write_text(LIST)
    assert geometry.wavelength == dials.read(tmp_path / "b.expt").wavelength


# CBF files


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (MARKER, MARKER[:3] + "\xd5".encode(), "an editor or a transfer changed its bytes"),
        (MARKER, MARKER[:3] + "\ufffd".encode(), "an editor or a transfer changed its bytes"),
        (MARKER, b"", "has no marker of the beginning of pixels"),
    ],
)
def test_sections_without_a_marker(old: bytes, new: bytes, message: str, tmp_path: Path) -> None:
    path = mini_cbf(tmp_path / "a.cbf", section(PIXELS))
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(FileFormatError, match=message):
        cbf.read(path)


def test_sections_of_zeros(tmp_path: Path) -> None:
    path = mini_cbf(tmp_path / "a.cbf", section(PIXELS))
    data = path.read_bytes()
    end = data.index(MARKER)
    path.write_bytes(data[:end] + bytes(len(data) - end))
    with pytest.raises(FileFormatError, match="it ends with zeros"):
        cbf.read(path)


def test_masks_without_a_header(tmp_path: Path, run: Run) -> None:
    """Such as BKGPIX.cbf of XDS: a mask beside options gives only pixels."""
    pixels = PIXELS.copy()
    pixels[5, 7] = -1
    mini_cbf(tmp_path / "a.cbf", section(pixels), **dict.fromkeys(HEADER))
    frame = f"{CRYSTAL} -lambda 1 -distance 80 -pixel 0.1 -nonoise -nopgm"
    outcome = run(f"{frame} -mask a.cbf -floatfile a.bin")
    assert outcome.status == 0
    image = outcome.float_image(40, 60, "a.bin")
    assert image[5, 7] == 0.0
    assert np.count_nonzero(image == 0.0) == 1
    assert "its header has no line" in run(f"{WORDS} -img a.cbf").err


def test_bare_masks_in_hdf5(tmp_path: Path, run: Run) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mask"] = np.zeros((N_SLOW, N_FAST), np.uint8)
    frame = f"{CRYSTAL} -lambda 1 -distance 80 -pixel 0.1"
    assert "no NXmx entry; it holds /mask" in run(f"{frame} -mask a.h5").err


# matrices

U = np.array([[0.7816392, -0.4829293, 0.3947398], [0.5501172, 0.8320301, -0.0713925],
              [-0.2939579, 0.2729563, 0.9160151]])  # fmt: skip


def matrix(a_matrix: np.ndarray) -> list[str]:
    rows = [*a_matrix, np.zeros(3), *U, np.array([60.0, 70.0, 80.0, 90.0, 90.0, 90.0]), np.zeros(3)]
    return [" ".join(f"{value:.8f}" for value in row) for row in rows]


A_MATRIX = 0.9795 * U @ np.diag([1 / 60.0, 1 / 70.0, 1 / 80.0])

MATRICES = {
    "transposed": ("\n".join(matrix(A_MATRIX.T)), "the cell of the transposed matrix in line 8"),
    "a row lost": (
        "\n".join(line for row, line in enumerate(matrix(A_MATRIX)) if row != 1),
        "has six numbers, as a cell, in line 7; in MOSFLM's files",
    ),
    "no cell": ("\n".join(matrix(A_MATRIX)[:3]), "has no cell that gives its wavelength"),
    "another cell": (
        "\n".join(matrix(A_MATRIX)).replace("60.00000000", "66.00000000"),
        "has a cell in line 8 that does not fit its matrix at any wavelength",
    ),
    "XDS": (XPARM, "it is geometry of XDS (XPARM.XDS)"),
}


@pytest.mark.parametrize("case", MATRICES)
def test_matrices_without_a_wavelength(case: str, tmp_path: Path, run: Run) -> None:
    text, message = MATRICES[case]
    (tmp_path / "a.mat").write_text(text)
    assert message in run("orient a.mat").err


def test_matrices_in_utf_16(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.mat").write_text("\n".join(matrix(A_MATRIX)), encoding="utf-16")
    assert "text in UTF-16; save it as UTF-8" in run("orient a.mat").err


# what info shows


def test_info_shows_directions_and_angles(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "a.h5", omega=[45.0])
    out = run("info a.h5").out
    assert re.search(r"^directions +fast 1 0 0, slow 0 -1 0, beam 0 0 -1", out, re.MULTILINE)
    assert re.search(r"^rotation +none: a still at 45 degrees$", out, re.MULTILINE)
    assert "spindle" not in out
    write(tmp_path / "b.h5", omega=[10.0, 9.5, 9.0])
    out = run("info b.h5").out
    assert re.search(r"^rotation +from -10 by 0\.5 degrees$", out, re.MULTILINE)
    assert re.search(r"^spindle +-1 0 0 \(the opposite axis", out, re.MULTILINE)


@pytest.mark.parametrize("sizes", [[0.0, 0.0], [-0.1, -0.1]])
def test_impossible_pixels_of_lists(sizes: list[float], tmp_path: Path) -> None:
    content = changed("detector", "pixel_size", sizes)
    (tmp_path / "a.expt").write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=r"pixel_size is .*, not above zero"):
        dials.read(tmp_path / "a.expt")
