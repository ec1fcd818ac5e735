"""Detectors and .poni files of pyFAI, against pyFAI's documentation and pyFAI itself."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim import from_args, read_detector, read_experiment
from cupysim.errors import CupysimError, FileFormatError, ModelError
from cupysim.formats.pyfai_detector import from_pyfai, read_poni
from tests.conftest import Run
from tests.tolerances import LAST_BITS, POSITION

SHAPE, EDGES = (30, 50), (1e-4, 2e-4)
PLACE = {"distance": 0.1, "poni1": 1e-3, "poni2": 4e-3}
ROTATED = {**PLACE, "rot1": 0.11, "rot2": -0.23, "rot3": 0.37}
NEWEST_ORIENTATION = (2026, 9)
"""First version of pyFAI that mirrors the laboratory for no orientation."""


def written(path: Path, version: str = "2.1", **changes: Any) -> Path:
    """A .poni file of a general detector; None leaves a line out."""
    config = {"pixel1": EDGES[0], "pixel2": EDGES[1], "max_shape": list(SHAPE), "orientation": 3}
    config |= changes.pop("config", {})
    lines = {
        "poni_version": version, "Detector": "Detector", "Detector_config": json.dumps(config),
        "Distance": 0.1, "Poni1": 1e-3, "Poni2": 4e-3, "Rot1": 0.0, "Rot2": 0.0, "Rot3": 0.0,
        "Wavelength": 1.5e-10, **changes,
    }  # fmt: skip
    text = [f"{key}: {value}" for key, value in lines.items() if value is not None]
    path.write_text("# Nota: C-Order, 1 refers to the Y axis, 2 to the X axis\n" + "\n".join(text))
    return path


def fake(**changes: Any) -> Any:
    """An object with the attributes of a detector of pyFAI."""
    mask = np.zeros(SHAPE, dtype=np.int8)
    mask[:, 7] = 1
    told = {
        "name": "Fake 1/2", "pixel1": EDGES[0], "pixel2": EDGES[1], "shape": SHAPE, "mask": mask,
        "orientation": 3, "CORNERS": 4, "IS_FLAT": True, "uniform_pixel": True,
    }  # fmt: skip
    return SimpleNamespace(**{**told, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.poni"


@pytest.fixture
def without_pyfai(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] == "pyFAI"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyFAI", None)


# what the documentation says; x is to the left for who looks along the beam


def test_first_pixel_is_at_the_bottom_left(path: Path) -> None:
    geometry = read_poni(written(path))
    (panel,) = geometry.detector
    np.testing.assert_allclose(panel.origin, (4e-3, -1e-3, 0.1), rtol=0, atol=POSITION)
    np.testing.assert_allclose(panel.corners[3], (-6e-3, 2e-3, 0.1), rtol=0, atol=POSITION)
    assert (panel.n_slow, panel.n_fast) == SHAPE
    assert panel.edges == EDGES[::-1]
    assert geometry.wavelength == 1.5e-10
    assert geometry.detector.beam == (0.0, 0.0, 1.0)
    assert panel.mask is None


@pytest.mark.parametrize(
    ("orientation", "is_top", "is_right"),
    [(0, False, False), (1, True, True), (2, True, False), (3, False, False), (4, False, True)],
)
def test_orientation_says_where_the_first_pixel_is(
    path: Path, orientation: int, is_top: bool, is_right: bool
) -> None:
    (panel,) = read_poni(written(path, config={"orientation": orientation})).detector
    (usual,) = read_poni(written(path)).detector
    # the corners are the same, in another order
    order = [(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1), (3, 2, 1, 0)][is_right + 2 * is_top]
    np.testing.assert_allclose(panel.corners, usual.corners[list(order)], rtol=0, atol=POSITION)
    assert (panel.origin[1] > 0.0) == is_top
    assert (panel.origin[0] < 0.0) == is_right


@pytest.mark.parametrize(
    ("rotation", "to"),
    [
        ("Rot1", lambda a: (-math.sin(a), 0.0, math.cos(a))),
        ("Rot2", lambda a: (0.0, -math.sin(a), math.cos(a))),
        ("Rot3", lambda a: (0.0, 0.0, 1.0)),
    ],
)
def test_detector_moves_right_and_down(path: Path, rotation: str, to: Any) -> None:
    """Positive rot1 moves the detector to the right, rot2 down; rot3 leaves its middle."""
    (panel,) = read_poni(written(path, **{rotation: 0.3})).detector
    normal = panel.position(np.array(4e-3 / EDGES[1]), np.array(1e-3 / EDGES[0]))
    np.testing.assert_allclose(normal, 0.1 * np.array(to(0.3)), rtol=0, atol=POSITION)
    assert panel.close_distance == pytest.approx(0.1, abs=POSITION)
    if rotation == "Rot3":
        # clockwise for who looks along the beam: up turns to the right, which is -x
        expected = (-math.sin(0.3), math.cos(0.3), 0.0)
        np.testing.assert_allclose(panel.slow, expected, rtol=0, atol=LAST_BITS)


def test_order_of_rotations(path: Path) -> None:
    """First about axis 1, then about axis 2 (which stays in place), then about axis 3."""
    quarter = 0.5 * math.pi
    (panel,) = read_poni(written(path, Rot1=0.2, Rot2=0.0, Rot3=quarter)).detector
    # to the right by rot1, then clockwise from the right to down
    normal = panel.position(np.array(20.0), np.array(10.0))
    expected = 0.1 * np.array((0.0, -math.sin(0.2), math.cos(0.2)))
    np.testing.assert_allclose(normal, expected, rtol=0, atol=POSITION)


def test_numbers_in_place_of_those_of_the_file(path: Path) -> None:
    geometry = read_detector(written(path), wavelength=1e-10, distance=0.2)
    assert geometry.wavelength == 1e-10
    assert geometry.detector[0].origin[2] == 0.2
    for change in ({"wavelength": -1.0}, {"distance": math.nan}):
        with pytest.raises(ModelError, match=next(iter(change))):
            read_poni(path, **change)


def test_last_block_counts_and_wavelength_may_be_missing(path: Path) -> None:
    written(path, Wavelength=None)
    path.write_text(path.read_text() + "\n# again\nDistance: 0.3\n")
    geometry = read_poni(path)
    assert geometry.wavelength is None
    assert geometry.detector[0].origin[2] == 0.3


def test_sensor_and_parallax_are_told(path: Path) -> None:
    sensor = {"material": "Si", "thickness": 4.5e-4}
    geometry = read_poni(written(path, "3", config={"sensor": sensor}, Parallax="True"))
    assert len(geometry.remarks) == 2
    assert "Parallax" in geometry.remarks[0]
    assert "Si, 450 um" in geometry.remarks[1]
    (told,) = read_poni(written(path, config={"orientation": None})).remarks
    assert "no orientation" in told


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Rot2": None}, "there is no Rot2"),
        ({"Distance": None}, "there is no Distance"),
        ({"Poni1": "nan"}, "Poni1: 'nan' is not a finite number"),
        ({"Poni1": "1_0"}, "Poni1: '1_0' is not"),
        ({"Poni1": None, "Poni2": None}, "no .poni file"),
        ({"version": "4"}, "poni_version: '4'"),
        ({"version": "new"}, "poni_version: 'new'"),
        ({"Wavelength": "-1e-10"}, "Wavelength: -1e-10 m"),
        ({"Detector_config": "{"}, "not JSON"),
        ({"Detector_config": "[1]"}, "not a JSON object"),
        ({"config": {"max_shape": None}}, "no number of pixels"),
        ({"config": {"max_shape": [3]}}, "expected two numbers"),
        ({"config": {"max_shape": [3.5, 2]}}, "whole numbers"),
        ({"config": {"pixel1": None}}, "there is no pixel1"),
        ({"config": {"pixel2": -1e-4}}, "pixel_size must be positive"),
        ({"config": {"orientation": 5}}, "orientation: 5"),
        ({"Distance": 0.0}, "goes through the crystal"),
    ],
)
def test_damaged_files(path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(FileFormatError, match=problem):
        read_poni(written(path, **changes))


def test_old_file_without_a_shape(path: Path) -> None:
    path.write_text(
        "PixelSize1: 1e-4\nPixelSize2: 2e-4\nSplineFile: None\nDistance: 0.1\nPoni1: 0\nPoni2: 0\n"
        "Rot1: 0\nRot2: 0\nRot3: 0\n"
    )
    with pytest.raises(FileFormatError, match="no number of pixels"):
        read_poni(path)


@pytest.mark.usefixtures("without_pyfai")
def test_missing_library_is_told(path: Path) -> None:
    with pytest.raises(CupysimError, match=r"pip install 'cupysim\[pyfai\]'"):
        read_poni(written(path, Detector="Pilatus1M"))
    with pytest.raises(CupysimError, match=r"pip install 'cupysim\[pyfai\]'"):
        from_pyfai("Pilatus1M", **PLACE)
    # a general detector does not need it
    assert len(read_poni(written(path)).detector) == 1


# objects


def test_object_with_a_mask() -> None:
    geometry = from_pyfai(fake(orientation=2), **ROTATED, wavelength=1e-10)
    (panel,) = geometry.detector
    assert panel.name == "Fake_1_2"
    assert panel.mask is not None
    assert not panel.mask[:, 7].any()
    assert panel.mask.sum() == 30 * 49
    assert geometry.wavelength == 1e-10


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"uniform_pixel": False}, "uniform_pixel is False"),
        ({"IS_FLAT": False}, "it is not flat"),
        ({"CORNERS": 6}, "6 corners"),
        ({"spline": object()}, "spline"),
        ({"shape": None}, "no shape"),
        ({"pixel1": None}, "no pixel size"),
        ({"mask": np.zeros((2, 2))}, "a mask of"),
        (
            {"calc_cartesian_positions": lambda d1, d2, center: (1.1e-4 * d1, 2e-4 * d2, None)},
            "0.3 mm from a regular grid",
        ),
    ],
)
def test_other_detectors_are_errors(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        from_pyfai(fake(**changes), **PLACE)


def test_impossible_arguments() -> None:
    with pytest.raises(ModelError, match="expected a detector of pyFAI"):
        from_pyfai(3, **PLACE)
    with pytest.raises(ModelError, match="rot1"):
        from_pyfai(fake(), **PLACE, rot1=math.inf)
    with pytest.raises(ModelError, match="wavelength"):
        from_pyfai(fake(), **PLACE, wavelength=0.0)


def test_detector_file_is_told_from_nxmx(tmp_path: Path) -> None:
    path = tmp_path / "detector.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("entry_0000/pyFAI/Detector")
        group["IS_FLAT"], group["API_VERSION"] = True, "1.1"
    with pytest.raises(CupysimError, match="without its place"):
        read_detector(path)


# pyFAI itself


@pytest.fixture
def detectors() -> Any:
    return pytest.importorskip("pyFAI.detectors")


NAMES = ("Pilatus1M", "Eiger2_1M", "RayonixMx225", "Mar345", "adsc_q315")


def positions_of_pyfai(detector: Any, slow: np.ndarray, fast: np.ndarray) -> np.ndarray:
    """Points of the detector in pyFAI's frame (axes 1, 2, 3), at corners of pixels."""
    geometry = pytest.importorskip("pyFAI.geometry").Geometry(
        *(ROTATED[key] for key in ("distance", "poni1", "poni2", "rot1", "rot2", "rot3")),
        detector=detector,
    )
    # pyFAI counts from the middle of the first pixel
    beam, up, right = geometry.calc_pos_zyx(d1=slow - 0.5, d2=fast - 0.5)
    return np.stack([up, right, beam], axis=-1)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["", *NAMES])
def test_corners_are_those_of_pyfai(detectors: Any, name: str, orientation: int) -> None:
    def made() -> Any:
        # one for each reader: pyFAI's positions depend on what was asked before
        if not name:
            return detectors.Detector(*EDGES, max_shape=SHAPE, orientation=orientation)
        return detectors.detector_factory(name, {"orientation": orientation})

    version = tuple(int(part) for part in sys.modules["pyFAI"].version.split(".")[:2])
    if orientation != 3 and version < NEWEST_ORIENTATION:
        pytest.skip("this version of pyFAI mirrors the laboratory")
    (panel,) = from_pyfai(made(), **ROTATED).detector
    slow = np.array([0.0, 0.0, panel.n_slow, panel.n_slow, 7.0])
    fast = np.array([0.0, panel.n_fast, 0.0, panel.n_fast, 5.0])
    up, right, along = positions_of_pyfai(made(), slow, fast).T
    expected = np.stack([-right, up, along], axis=-1)
    np.testing.assert_allclose(panel.position(fast, slow), expected, rtol=0, atol=POSITION)


@pytest.mark.parametrize("name", ["Pilatus1M", "Eiger2_1M", "Mar345", "maxipix_2x2"])
def test_mask_is_that_of_pyfai(detectors: Any, name: str) -> None:
    (panel,) = from_pyfai(name, **PLACE).detector
    assert panel.mask is not None
    np.testing.assert_array_equal(panel.mask, detectors.detector_factory(name).mask == 0)


def test_by_name_the_beam_meets_the_middle(detectors: Any, run: Run) -> None:
    """981 x 1043 pixels of 172 um, 0.2 m away; the beam is along x in MOSFLM's frame."""
    words = "-detector pyfai:Pilatus1M -distance 200 -lambda 1 -cell 70 80 90 90 90 90"
    outcome = run(f"{words} -default_F 1 -N 1 -nonoise -corrected -oversample 1 -h5file a.h5")
    assert outcome.status == 0, outcome.err
    (panel,) = read_detector("a.h5").detector.panels
    lengths = np.array([981, 1043]) * 172e-6
    middle = np.array(panel.origin) + np.array(panel.axes[:2]).T @ lengths / 2.0
    assert np.linalg.norm(middle) == pytest.approx(0.2, rel=0, abs=POSITION)
    assert panel.axes[0] @ middle == pytest.approx(0.0, abs=POSITION)
    assert panel.axes[1] @ middle == pytest.approx(0.0, abs=POSITION)


def test_gap_of_a_pilatus(detectors: Any) -> None:
    """Modules of 487 x 195 pixels, with gaps of 7 columns and 17 rows."""
    (panel,) = from_pyfai("Pilatus1M", **PLACE).detector
    assert panel.mask is not None
    assert (panel.n_fast, panel.n_slow) == (981, 1043)
    assert panel.edges == (172e-6, 172e-6)
    assert panel.mask[:195, :487].all()
    assert not panel.mask[:, 487:494].any()
    assert not panel.mask[195:212].any()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Xpad_flat", "uniform_pixel"),
        ("Jungfrau", "uniform_pixel"),
        ("Cirpad", "not flat"),
        ("Aarhus", "not flat"),
        ("Pixirad1", "6 corners"),
        ("Jungfrau8M", "from a regular grid"),
        ("Detector", "no shape"),
        ("Pilatus1N", "did you mean 'pilatus1m'"),
    ],
)
def test_detectors_of_pyfai_that_are_errors(detectors: Any, name: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        from_pyfai(name, **PLACE)


def test_binning(detectors: Any) -> None:
    detector = detectors.detector_factory("RayonixMx225")
    detector.binning = (2, 4)
    (panel,) = from_pyfai(detector, **PLACE).detector
    assert (panel.n_slow, panel.n_fast) == detector.shape
    assert panel.edges == (detector.pixel2, detector.pixel1)
    assert panel.edges[0] == 2 * panel.edges[1]


def test_nexus_file_of_pyfai(detectors: Any, tmp_path: Path) -> None:
    file = tmp_path / "pilatus.h5"
    detectors.detector_factory("Pilatus100k", {"orientation": 2}).save(str(file))
    (panel,) = from_pyfai(file, **ROTATED).detector
    (expected,) = from_pyfai(
        detectors.detector_factory("Pilatus100k", {"orientation": 2}), **ROTATED
    ).detector
    # some versions of pyFAI write the pixel size in single precision
    np.testing.assert_allclose(panel.corners, expected.corners, rtol=0, atol=1e-8)
    with pytest.raises(CupysimError, match="without its place"):
        read_detector(file)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as made:
        made["a"] = 1
    with pytest.raises(FileFormatError, match="no NeXus file of a pyFAI detector"):
        from_pyfai(other, **PLACE)


@pytest.mark.parametrize("version", [1, 2, 2.1, 3])
@pytest.mark.parametrize("name", ["", "Pilatus100k"])
def test_files_that_pyfai_writes(detectors: Any, path: Path, version: float, name: str) -> None:
    ponifile = pytest.importorskip("pyFAI.io.ponifile")
    if version > ponifile.PoniFile.API_VERSION:
        pytest.skip("this version of pyFAI is older than the file")
    made = (
        detectors.detector_factory(name)
        if name
        else detectors.Detector(*EDGES, max_shape=SHAPE, orientation=3)
    )
    told = ponifile.PoniFile(
        SimpleNamespace(
            dist=0.1, poni1=1e-3, poni2=4e-3, rot1=0.1, rot2=-0.2, rot3=0.0, wavelength=1.5e-10,
            detector=made,
        )
    )  # fmt: skip
    told.API_VERSION = version
    with path.open("w") as stream:
        told.write(stream)
    if version == 1 and not name:
        with pytest.raises(FileFormatError, match="no number of pixels"):
            read_poni(path)
        return
    geometry = read_detector(path)
    expected = from_pyfai(made, **PLACE, rot1=0.1, rot2=-0.2)
    np.testing.assert_allclose(
        geometry.detector[0].corners, expected.detector[0].corners, rtol=0, atol=POSITION
    )
    assert geometry.wavelength == 1.5e-10


def test_unknown_detector_in_a_file(detectors: Any, path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot make the detector 'Nothing'"):
        read_poni(written(path, Detector="Nothing"))


# the command


CRYSTAL = "-cell 50 60 70 90 90 90 -default_F 1 -N 2 -oversample 1"


@pytest.mark.parametrize("edges", [(1e-4, 1e-4), EDGES])
def test_command_uses_place_and_wavelength(path: Path, edges: tuple[float, float]) -> None:
    """Square pixels make a detector of the C program, others a panel."""
    written(path, config={"pixel1": edges[0], "pixel2": edges[1]}, Rot1=0.1, Rot2=0.2)
    experiment = from_args(f"-geom {path} {CRYSTAL}")
    detector = experiment.detector
    assert (detector.n_slow, detector.n_fast) == SHAPE
    origin = detector[0].origin if edges == EDGES else experiment.geometry.origin
    # MOSFLM's frame: the beam along x, the spindle (to the right) along z
    x, y, z = read_poni(path).detector[0].origin
    np.testing.assert_allclose(origin, (z, y, -x), rtol=0, atol=POSITION)
    assert experiment.beam.wavelength == pytest.approx(1.5e-10, rel=LAST_BITS)
    assert from_args(f"-geom {path} {CRYSTAL} -lambda 2").beam.wavelength == pytest.approx(2e-10)


def test_experiment_of_a_file(path: Path) -> None:
    crystal = from_args(f"-lambda 1 -distance 100 {CRYSTAL}").crystal
    experiment = read_experiment(written(path), crystal=crystal)
    assert experiment.beam.wavelength == pytest.approx(1.5e-10, rel=LAST_BITS)
    assert experiment.crystal is crystal


def test_distance_of_the_command(path: Path) -> None:
    written(path, config={"pixel1": 2e-4})
    experiment = from_args(f"-geom {path} -distance 250 {CRYSTAL}")
    assert experiment.geometry.origin[0] == pytest.approx(0.25, abs=POSITION)
    # a second detector
    with pytest.raises(CupysimError, match="both give the detector"):
        from_args(f"-geom {path} -detector eiger2-1m {CRYSTAL}")
