"""NeXus/HDF5 files, read by us and by readers which nobody here wrote."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import fabio
import h5py
import numpy as np
import nxmx
import pytest
import silx.io.nxdata
from nexusformat.nexus.validate import validate_application

from cupysim.api import from_args, simulate
from cupysim.cli.main import main
from cupysim.errors import FileFormatError
from cupysim.formats import nexus, nxmx_image
from cupysim.formats.frames import to_imgcif, to_nexus
from cupysim.models.experiment import Experiment
from cupysim.plan.planning import make_plan
from tests.conftest import INPUTS, Run
from tests.tolerances import POSITION

WELCOME = re.compile("This recommended (field|group) is not in the NeXus file")
"""Warnings of the validator about what a simulation does not know: time zone, beam profile."""

COMMON = "-cell 70 80 90 85 95 105 -default_F 100 -N 5 -lambda 1.1 -detpixels 32 -pixel 1 -nodump"
CONVENTIONS = {
    "mosflm": "-mosflm -Xbeam 13.7 -Ybeam 20.2",
    "denzo": "-denzo -Xbeam 13.7 -Ybeam 20.2",
    "adxv": "-adxv -Xbeam 13.7 -Ybeam 20.2",
    "xds": "-xds -ORGX 11.3 -ORGY 25.9",
    "dials": "-dials -ORGX 11.3 -ORGY 25.9",
    "custom": "-fdet_vector 0 0.6 0.8 -sdet_vector 0 -0.8 0.6 -beam_vector 1 0.01 -0.02 "
    "-spindle_axis 0 0.6 0.8 -Xbeam 11 -Ybeam 12 -pivot beam",
}
TILTS = {
    "normal": "",
    "tilted": "-detector_rotx 7 -detector_roty -4 -detector_rotz 31 -twotheta 12",
}
KINDS = {
    "still": "-misset 10 20 30",
    "rotation": "-phi 3 -osc 1 -phisteps 4 -mosaic 0.3 -mosaic_dom 3",
    "spectrum": "-dispersion 1 -dispsteps 3 -hdivrange 1 -hdivsteps 2 -polar 0.7",
    "sources": f"-sourcefile {INPUTS / 'sources_mixed.txt'} -nopolar",
    "table": f"-hkl {INPUTS / 'few.hkl'} -gauss_xtal -roi 3 20 5 30 -water 3 -fluence 1e24",
    "mask": f"-mask {INPUTS / 'made.img'} -round_xtal -detpixels 96",
    "corrected": f"-sourcefile {INPUTS / 'sources5.txt'} -gauss_xtal -curved_det -corrected",
    "corrected in part": "-misset 10 20 30 -osc 1 -phisteps 3 -corrected Q3,Q5",
    "sensor": "-detector_abs 300 -detector_thick 200 -thicksteps 3 -curved_det",
}


def written(path: Path, experiment: Experiment, counts: bool = False) -> nexus.Content:
    image = simulate(experiment)
    content = nexus.Content(
        experiment,
        image.array,
        image.counts(3) if counts else None,
        provenance={"arguments": "cupysim", "noise_seed": 3},
    )
    with path.open("w+b") as stream:
        nexus.write(stream, content)
    return content


@pytest.mark.parametrize("tilt", TILTS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_pixels_are_where_the_plan_has_them(convention: str, tilt: str, tmp_path: Path) -> None:
    experiment = from_args(f"{COMMON} {CONVENTIONS[convention]} {TILTS[tilt]}")
    written(tmp_path / "a.h5", experiment)
    panels = make_plan(experiment).panels
    with h5py.File(tmp_path / "a.h5") as file:
        module = nxmx.NXmx(file).entries[0].instruments[0].detectors[0].modules[0]
        edges, chains = [], []
        for name in ("fast_pixel_direction", "slow_pixel_direction"):
            axis = getattr(module, name)
            edges.append(np.asarray(axis.vector) * axis[()].to("m").magnitude[0])
            chains.append(nxmx.get_dependency_chain(axis))
        moved = nxmx.get_cumulative_transformation(chains[0])[0, :3, 3] / 1000.0
    origin = moved - edges[0]
    rotation = to_nexus(experiment.frame)
    for fast, slow in ((0, 0), (32, 0), (0, 32), (32, 32)):
        ours = panels.origin[0, 0] + 1e-3 * (fast * panels.fast[0, 0] + slow * panels.slow[0, 0])
        theirs = origin + fast * edges[0] + slow * edges[1]
        np.testing.assert_allclose(theirs, rotation @ ours, rtol=0, atol=POSITION)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_frames_are_rotations(convention: str) -> None:
    frame = from_args(f"{COMMON} {CONVENTIONS[convention]}").frame
    for rotation in (to_imgcif(frame), to_nexus(frame)):
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose(to_nexus(frame) @ frame.beam, [0, 0, 1], atol=1e-12)


def test_mosflm_frame_is_that_of_the_printed_dials_origin(run: Run) -> None:
    """The C program's headers have the origin as dxtbx has it, for this convention."""
    words = f"{COMMON} {CONVENTIONS['mosflm']}"
    header = run(words).files["intimage.img"][:512]
    printed = re.search(rb"DIALS_ORIGIN=([^,]+),([^,]+),(\S+)", header)
    assert printed is not None
    experiment = from_args(words)
    ours = to_imgcif(experiment.frame) @ experiment.geometry.origin
    np.testing.assert_allclose(1e3 * ours, [float(n) for n in printed.groups()], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_experiment_from_a_file_renders_its_image(kind: str, tmp_path: Path) -> None:
    experiment = from_args(f"{COMMON} {KINDS[kind]}")
    content = written(tmp_path / "a.h5", experiment)
    read = nexus.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(read.expected, content.expected)
    np.testing.assert_array_equal(simulate(read.experiment).array, content.expected)
    assert read.experiment.quirks == experiment.quirks
    assert read.provenance == content.provenance
    assert content.expected.max() > 0.0


def assert_definition_is_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Validate a file as NXmx, by nexusformat."""
    with caplog.at_level("INFO", logger="NXValidate"):
        validate_application(str(path))
    errors = re.search(r"Total number of errors: (\d+)", caplog.text)
    assert errors is not None
    assert errors[1] == "0", caplog.text
    unwelcome = [
        record.getMessage()
        for record in caplog.records
        if record.levelname == "WARNING" and not WELCOME.search(record.getMessage())
    ]
    assert not unwelcome, caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [False, True], ids=["expected", "counts"])
def test_definition_is_kept(
    kind: str, counts: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path / "a.h5", from_args(f"{COMMON} {KINDS[kind]}"), counts)
    assert_definition_is_kept(tmp_path / "a.h5", caplog)


@pytest.mark.parametrize("counts", [False, True], ids=["expected", "counts"])
@pytest.mark.parametrize("fast_compression", [False, True])
def test_fabio_and_silx(
    counts: bool, fast_compression: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast_compression:
        known = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "hdf5plugin" else known(name)
        )
    content = written(tmp_path / "a.h5", from_args(f"{COMMON} {KINDS['table']}"), counts)
    expected = content.expected
    if content.counts is not None:
        expected = np.where(content.rendered, content.counts, -1)
        assert content.counts.max() > 0
    with fabio.open(str(tmp_path / "a.h5")) as image:
        assert type(image).__name__ == "EigerImage"
        np.testing.assert_array_equal(image.data, expected)
        assert image.data.dtype == (np.int32 if counts else np.float32)
    with h5py.File(tmp_path / "a.h5") as file:
        plotted = silx.io.nxdata.get_default(file)
        np.testing.assert_array_equal(np.squeeze(plotted.signal[()]), expected)
        filters = file["entry/data/data"].id.get_create_plist()
        assert (filters.get_filter(0)[0] == 32008) == fast_compression


def test_nxmx_reads_beam_and_scan(tmp_path: Path) -> None:
    experiment = from_args(f"{COMMON} {KINDS['rotation']} -xds -polar 0.9")
    written(tmp_path / "a.h5", experiment, counts=True)
    with h5py.File(tmp_path / "a.h5") as file:
        entry = nxmx.NXmx(file).entries[0]
        instrument = entry.instruments[0]
        assert instrument.beams[0].incident_wavelength.to("angstrom").magnitude == pytest.approx(
            1.1
        )
        detector = instrument.detectors[0]
        assert detector.sensor_thickness.to("m").magnitude > 0.0
        assert detector.bit_depth_readout == 32
        assert detector.pixel_mask.shape == (32, 32)
        stokes = file["entry/instrument/beam/incident_polarization_stokes"][0]
        # the field is along the spindle, which is NeXus' -x
        np.testing.assert_allclose(stokes, [1.0, 0.9, 0.0, 0.0], atol=1e-12)
    _, geometry = nxmx_image.read(tmp_path / "a.h5")
    assert np.degrees(geometry.phi) == pytest.approx(3.0)
    assert np.degrees(geometry.oscillation) == pytest.approx(1.0)
    np.testing.assert_allclose(geometry.spindle, [1, 0, 0], atol=1e-12)


def test_command_writes_counts_with_noise_and_none_without(run: Run) -> None:
    words = f"{COMMON} -misset 1 2 3 -fluence 1e27 -water 5 -seed 7 -h5file shot.h5"
    outcome = run(words)
    assert outcome.status == 0, outcome.err
    content = nexus.read("shot.h5")
    noise = np.frombuffer(outcome.files["noiseimage.img"], dtype=np.uint16, offset=512)
    assert content.counts is not None
    np.testing.assert_array_equal(content.counts.ravel() + 40, noise)
    np.testing.assert_array_equal(content.expected, outcome.float_image(32, 32))
    assert content.provenance["noise_seed"] == 7
    assert "-water 5" in str(content.provenance["arguments"])
    assert content.spots is not None
    assert len(content.spots) > 10
    run(words + " -nonoise")
    assert nexus.read("shot.h5").counts is None


def test_mask_is_compressed_in_one_chunk(tmp_path: Path) -> None:
    simulate(from_args(f"{COMMON} -detpixels 400")).save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        mask, image = file["entry/instrument/detector/pixel_mask"], file["entry/data/data"]
        assert mask.chunks == mask.shape == (400, 400)
        assert mask.id.get_storage_size() < 0.05 * mask.size * mask.dtype.itemsize
        assert mask.compression == image.compression
        assert not mask[()].any()


def test_rotation_matrix_of_the_crystal(tmp_path: Path) -> None:
    experiment = from_args(f"{COMMON} {KINDS['still']}")
    written(tmp_path / "a.h5", experiment)
    with h5py.File(tmp_path / "a.h5") as file:
        matrix = file["entry/cupysim/a_matrix"][()]
    np.testing.assert_array_equal(matrix, experiment.lattice.reciprocal.T)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_truncated_file(part: float, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    written(path, from_args(f"{COMMON} {KINDS['still']}"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    for read in (nexus.read, nxmx_image.read):
        with pytest.raises(FileFormatError, match=r"a\.h5: "):
            read(path)


def test_other_hdf5_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(FileFormatError, match="no file of cupysim"):
        nexus.read(tmp_path / "other.h5")
    with pytest.raises(FileFormatError, match="no NXmx entry"):
        nxmx_image.read(tmp_path / "other.h5")


def test_models_which_do_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    written(path, from_args(f"{COMMON} {KINDS['still']}"))
    with h5py.File(path, "r+") as file:
        file["entry/cupysim/experiment/beam"].attrs["model"] = "Popen"
    with pytest.raises(FileFormatError, match="no model of cupysim"):
        nexus.read(path)
    with h5py.File(path, "r+") as file:
        file["entry/cupysim/experiment/beam"].attrs["model"] = "Beam"
        file["entry/cupysim/experiment/beam"].attrs["wavelength"] = -1.0
    with pytest.raises(FileFormatError, match="wavelength: must be positive"):
        nexus.read(path)


def _replace(file: h5py.File, path: str, value: object) -> None:
    del file[path]
    if value is None:
        file.create_group(path)
    else:
        file[path] = value


DAMAGE = {
    "mask of another shape": ("entry/data/data", np.zeros((1, 7, 9), dtype=np.float32)),
    "group for an image": ("entry/data/data", None),
    "number for an image": ("entry/data/data", 3.0),
    "number for a group": ("entry/data", 3.0),
    "number for ours": ("entry/cupysim", 3.0),
    "number for spots": ("entry/cupysim/spots", 3.0),
    "group for spots": ("entry/cupysim/spots", None),
    "number for a model": ("entry/cupysim/experiment/beam/dispersion", 1.0),
    "no numbers in a model": ("entry/cupysim/experiment/crystal/mosaicity/rotations", b"abc"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_trees(case: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(f"{COMMON} -nonoise -h5file a.h5")
    with h5py.File("a.h5", "r+") as file:
        _replace(file, *DAMAGE[case])
    for words in ("info a.h5", "show a.h5 --save a.png"):
        status = main(words.split())
        assert status == 2
        assert capsys.readouterr().err.startswith(f"cupysim {words[:4]}: error: a.h5")


def test_arguments_which_are_no_unicode(run: Run) -> None:
    outcome = run(f"{COMMON} -nonoise -h5file a.h5 -floatfile \udcff.bin")
    assert outcome.status == 0, outcome.err
    assert "\\udcff.bin" in str(nexus.read("a.h5").provenance["arguments"])


WRITE_SLOWLY = """
import sys, numpy as np
from cupysim.storage.safe_writing import OutputFiles
from cupysim.formats import nexus
from cupysim import from_args
experiment = from_args("-cell 100 -default_F 1 -N 2 -detpixels 3000 -lambda 1 -nodump")
image = np.random.default_rng(1).random((3000, 3000), dtype=np.float32)
print("ready", flush=True)
with OutputFiles() as files:
    files.write("shot.h5", lambda stream: nexus.write(stream, nexus.Content(experiment, image)))
"""


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1])
def test_a_killed_writer_leaves_no_file(delay: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_SLOWLY], cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if (tmp_path / "shot.h5").exists():
        # it was faster than the signal, and is whole
        assert nexus.read(tmp_path / "shot.h5").expected.shape == (3000, 3000)
