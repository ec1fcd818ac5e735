"""Files of reflections, models and images that are not read: a line says what they are."""

from __future__ import annotations

import pickle
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import hkl_text
from cupysim.formats.any_image import open_image
from cupysim.formats.structures import coordinates, reflections
from tests.conftest import Run
from tests.field.test_geometry import WORDS
from tests.field.test_reflections import HKL, MM_TAGS, PLUS, PRINTED, ROWS, SYMMETRIES
from tests.field.writers import CELL, check, cif_cell, loop, plus_of, write_cif, write_mtz

# reflections that are cut off


def mtz_file(path: Path) -> bytes:
    write_mtz(path, HKL, [("F", "F", plus_of(HKL))])
    return path.read_bytes()


@pytest.mark.parametrize("kept", [90, 500])
def test_mtz_files_that_end_before_their_header(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mtz"
    data = mtz_file(path)
    assert data.index(b"VERS MTZ") > kept
    path.write_bytes(data[:kept])
    with pytest.raises(FileFormatError, match="the MTZ file is cut off: it has no header"):
        reflections.read(path)


def test_mtz_headers_that_promise_more(tmp_path: Path) -> None:
    path = tmp_path / "a.mtz"
    data = mtz_file(path)
    n = len(HKL)
    old = f"NCOL {4:8d} {n:12d}".encode()
    assert old in data
    path.write_bytes(data.replace(old, f"NCOL {4:8d} {n + 7:12d}".encode()))
    promised = f"promises 4 columns of {n + 7} reflections .* are {4 * n} numbers, not {4 * n + 28}"
    with pytest.raises(FileFormatError, match=promised):
        reflections.read(path)


# CIF 2.0


@pytest.mark.parametrize("item", ['_x.a """two\nlines"""', "_x.a [1 2 3]", '_x.a """one"""'])
def test_cif_of_version_2(item: str, tmp_path: Path) -> None:
    text = cif_cell() + SYMMETRIES["number"] + loop(MM_TAGS, ROWS)
    path = tmp_path / "a.cif"
    path.write_text(f"#\\#CIF_2.0\ndata_x\n{text}{item}\n")
    for read in (reflections.read, lambda name: coordinates.read(name, 1e-10)):
        with pytest.raises(FileFormatError, match=r"a CIF 2\.0 file with lists, tables or triple"):
            read(path)
    path.write_text(f"#\\#CIF_2.0\ndata_x\n{text}")
    check(reflections.read(path), HKL, PLUS, rtol=PRINTED)


# files without a cell


def test_cells_given_by_options(tmp_path: Path, run: Run) -> None:
    text = SYMMETRIES["number"] + loop(MM_TAGS, ROWS)
    structure = reflections.read(write_cif(tmp_path / "a.cif", {"x": text}))
    assert structure.cell is None
    check(structure, HKL, PLUS, rtol=PRINTED)
    cell = " ".join(f"{each:g}" for each in CELL)
    whole = write_cif(tmp_path / "b.cif", {"x": cif_cell() + text})
    words = "-N 2 -detpixels 16 -pixel 2 -lambda 1 -distance 80 -nonoise -nopgm -nodump"
    for name in ("a", whole.stem):
        outcome = run(f"-hkl {name}.cif -cell {cell} {words} -floatfile {name}.bin")
        assert outcome.status == 0
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert "no unit cell: give -cell or -mat" in run(f"-hkl a.cif {words}").err
    refused = run(f"-hkl a.cif -cell 30 40 50 90 80 90 {words}")
    assert "forbids its cell 30 40 50 90 80 90" in refused.err
    assert run("orient --cell 30 40 50 90 80 90 --lambda 1 a.mat").status == 0
    warned = run(f"-hkl a.cif -mat a.mat {words}")
    assert warned.status == 0
    assert "-mat: a.cif: its space group P 21 21 21 forbids its cell 30 40 50 90 80" in warned.err
    (tmp_path / "left.mat").write_text("0.01 0 0\n0 0.01 0\n0 0 -0.01\n")
    warned = run(f"-hkl a.cif -mat left.mat {words}")
    assert warned.status == 0
    assert "forbids" not in warned.err
    assert run(f"convert a.cif a.mtz --cell {cell}").status == 0
    assert gemmi.read_mtz_file(str(tmp_path / "a.mtz")).cell.parameters == pytest.approx(CELL)


# lists that are not read

CNS = "NREFlection= 2\nANOMalous=FALSE\nDECLare NAME=FOBS DOMAIN=RECIPROCAL TYPE=REAL END\n"
LISTS = {
    "a.cv": (CNS + "INDE 1 2 3 FOBS= 12.3 SIGMA= 1.0\n", "a list of CNS or X-PLOR"),
    "b.hkl": (" INDE 1 2 3 FOBS= 12.3 SIGMA= 1.0\n", "a list of CNS or X-PLOR"),
    "a.phs": ("   1   2   3  123.40  0.90   45.00\n", r"figure of merit and phase \(.phs\)"),
    "b.phs": ("   1   0   0   123.45  1.0000  -45.0    1.23\n", "figure of merit and phase"),
    "a.map": ("\x10\0\0\0" * 52 + "MAP " + "\0" * 900, r"a map \(CCP4, MRC\)"),
    "a.refl": ("\x93\xbbdials::af::reflection_table\x01", "a reflection table of DIALS"),
    "a.stream": ("CrystFEL stream format 2.3\n", "a stream of CrystFEL"),
    "shelx.hkl": ("   1   2   3  123.40    0.90   1\n", "a SHELX list"),
    "laue.hkl": ("   1   2   3  123.40    0.90   1  0.9\n", "a SHELX list"),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_other_programs(name: str, tmp_path: Path) -> None:
    text, kind = LISTS[name]
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(FileFormatError, match=f"it looks like .*{kind}"):
        hkl_text.read(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    ["INDE   1   0   0 FOBS=    12.30 FCALC=    11.20    0.0\n", "   1   0   0   12.30   0.4 180\n",
     "   1   0   0     12.30     11.20   0.0\n"],
)  # fmt: skip
def test_other_lists_of_shelxl(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.fcf").write_text(text)
    with pytest.raises(FileFormatError, match=r"no CIF file, .* writes CIF with LIST 4 and LIST 6"):
        reflections.kind_of(tmp_path / "a.fcf")


def test_names_that_contradict_the_kind(tmp_path: Path) -> None:
    (tmp_path / "a.mtz").write_text(CNS)
    with pytest.raises(FileFormatError, match=r"no MTZ file, .* looks like a list of CNS"):
        reflections.kind_of(tmp_path / "a.mtz")


# models that are not read

RES = (
    "TITL x in P2(1)\nCELL 0.71073 8 9 10 90 105 90\nZERR 2 0 0 0 0 0 0\nLATT -1\n"
    "SYMM -X, 0.5+Y, -Z\nSFAC C H\nUNIT 2 2\nFVAR 1.0\nC1 1 0.1 0.2 0.3 11.0 0.05\nEND\n"
)
SDF = "x\n  RDKit\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0  0.0  0.0 C   0  0\nM  END\n"
MODELS = {
    "a.res": (RES, r"instructions of SHELX \(.res, .ins\); give the CIF"),
    "a.bcif": ("\x83\xa7encoder\xa7biotite\xa7version\xa50.3.0\xaadataBlocks\x91", "BinaryCIF"),
    "a.xml": ('<?xml version="1.0"?>\n<PDBx:datablock>\n', "PDBML"),
    "b.xml": ('<?xml version="1.0"?>\n<cml>\n', "an XML file"),
    "a.xyz": ("2\nwater\nO 0 0 0\nH 0 0 1\n", r"\(.xyz\)"),
    "a.gro": (
        "x\n    1\n    1ALA      N    1   0.126   1.624   1.679\n   3.0 3.0 3.0\n",
        "GROMACS",
    ),
    "a.mol2": ("@<TRIPOS>MOLECULE\nx\n", r"Tripos \(.mol2\)"),
    "a.sdf": (SDF, r"MDL \(.mol, .sdf\)"),
    "POSCAR": ("NaCl\n1.0\n5.64 0 0\n0 5.64 0\n0 0 5.64\nNa Cl\n4 4\n", "VASP"),
    "a.stream": ("CrystFEL stream format 2.3\n", "a stream of CrystFEL"),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_other_programs(name: str, tmp_path: Path) -> None:
    text, kind = MODELS[name]
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(FileFormatError, match=f"no atoms; .*it looks like .*{kind}"):
        coordinates.read(tmp_path / name, 1e-10)


def test_models_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.pdb").write_text("REMARK nothing\n")
    with pytest.raises(FileFormatError, match=r"is expected$"):
        coordinates.read(tmp_path / "a.pdb", 1e-10)


# images that are not read

IMGCIF = "data_image_1\n\nloop_\n_diffrn.id\n_diffrn.crystal_id\nDS1 C1\n\nloop_\n" + (
    "_diffrn_source.diffrn_id\n_diffrn_source.source\nDS1 synchrotron\n"
)
IMAGES = {
    "pickle": (pickle.dumps((1, b"\0" * 40), 4), "a pickle of Python"),
    "old pickle": (b"\x80\x02]q\x01cdxtbx_model_ext\nmask\nq\x02", "a pickle of Python"),
    "numpy": (b"\x93NUMPY\x01\0v\0{'descr': '|b1'}", "an array of NumPy"),
    "Rigaku": (b"OD SAPPHIRE  4.0\r\nCOMPRESSION= TY6\r\n" + bytes(600), "an image of Rigaku"),
    "imgCIF": (IMGCIF.encode(), "an imgCIF file without pixels"),
    "cut header": (b"{\nHEADER_BYTES=512;\n" + b" " * 200, "cut off inside its header"),
    "cut long header": (b"{\nHEADER_BYTES=1024;\n" + b" " * 700, "cut off inside its header"),
}


@pytest.mark.parametrize("case", IMAGES)
@pytest.mark.parametrize("words", ["info", f"{WORDS} -img"])
def test_images_of_other_programs(case: str, words: str, tmp_path: Path, run: Run) -> None:
    data, kind = IMAGES[case]
    (tmp_path / "a.img").write_bytes(data)
    outcome = run(f"{words} a.img")
    assert outcome.status in (2, 9)
    assert kind in outcome.err
    assert outcome.err.count("\n") == 1


def test_raw_images_that_begin_like_a_pickle(tmp_path: Path) -> None:
    pixels = np.frombuffer(b"\x80\x04\x95\x42" * 64, np.float32).reshape(8, 8)
    (tmp_path / "a.bin").write_bytes(pixels.tobytes())
    np.testing.assert_array_equal(open_image(tmp_path / "a.bin").pixels, pixels)
