"""Files whose beam or spindle is elsewhere in the frame, and axes that belong to detectors."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim import Crystal, UnitCell, read_experiment
from cupysim.errors import FileFormatError
from cupysim.formats import cbf
from cupysim.maths.resolution import beam_spot
from cupysim.nanobragg.exact_geometry import TO_MOSFLM, geometry_values
from tests.conftest import INPUTS, Run
from tests.field.nxmx_files import PIXEL, dataset, group, text, write
from tests.field.test_nxmx_of_hand import MOVED, SAMPLE, read

CRYSTAL = "-default_F 100 -N 4 -nodump -detpixels 8 -oversample 1"
RULE = "the beam along 1 0 0 and the spindle along 0 0 1"


def with_spindle(path: Path, vector: list[float]) -> Path:
    write(path, omega=[0.0, 0.5])
    with h5py.File(path, "r+") as file:
        file[f"{SAMPLE}/transformations/omega"].attrs["vector"] = vector
    return path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"-mat {INPUTS / 'A.mat'}", "-mat: the matrix is used in the laboratory frame of"),
        ("-cell 70 80 90 -misset 10 20 30", "-misset: the angles are used in the laboratory frame"),
        ("-cell 70 80 90", ""),
    ],
)
@pytest.mark.parametrize("vertical", [True, False])
def test_orientations_with_another_spindle(
    vertical: bool, words: str, told: str, tmp_path: Path, run: Run
) -> None:
    path = with_spindle(tmp_path / "a.h5", [0.0, 1.0, 0.0] if vertical else [-1.0, 0.0, 0.0])
    outcome = run(f"-img {path} {words} {CRYSTAL} -roi 1 3 1 3 -floatfile a.bin")
    assert outcome.status == 0, outcome.err
    assert (RULE in outcome.err) is (vertical and told != "")
    if vertical:
        assert told in outcome.err


@pytest.mark.parametrize("vertical", [True, False])
def test_crystals_of_python_with_another_spindle(vertical: bool, tmp_path: Path) -> None:
    path = with_spindle(tmp_path / "a.h5", [0.0, 1.0, 0.0] if vertical else [-1.0, 0.0, 0.0])
    crystal = Crystal(cell=UnitCell.from_degrees(70, 80, 90, 90, 90, 90), n_cells=(4, 4, 4))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_experiment(path, crystal=crystal)
    told = "; ".join(str(each.message) for each in caught)
    assert ("the spindle along 0 1 0" in told) is vertical


def test_an_arm_of_the_detector_is_no_unused_angle(tmp_path: Path) -> None:
    """The arm is in a group of the instrument, and the chain of the detector depends on it."""

    def change(file: Any) -> None:
        moved = group(file["entry/instrument"], "transformations", "NXtransformations")
        dataset(moved, "arm", [-10.0], depends_on=".", transformation_type="rotation",
                units="deg", vector=[-1.0, 0.0, 0.0])  # fmt: skip
        file[f"{MOVED}/det_z"].attrs["depends_on"] = text(moved["arm"].name)

    geometry, told = read(tmp_path / "a.h5", change, omega=[0.0])
    normal = np.cross(geometry.fast, geometry.slow)
    assert abs(normal[2]) == pytest.approx(np.cos(np.radians(10.0)))
    assert "not used" not in told


@pytest.mark.parametrize(("shift", "is_told"), [(2 * PIXEL, False), (3 * PIXEL, True)])
def test_offsets_of_pixel_directions(shift: float, is_told: bool, tmp_path: Path) -> None:
    def change(file: Any) -> None:
        module = file["entry/instrument/detector/module"]
        for name, value in (("fast", 2 * PIXEL), ("slow", shift)):
            module[f"{name}_pixel_direction"].attrs["offset"] = [value, 0.0, 0.0]

    told = read(tmp_path / "a.h5", change)[1]
    assert ("the offset of its slow_pixel_direction is not applied" in told) is is_told


def test_transfer_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.cbf"
    path.write_bytes(
        b"###CBF: VERSION 1.5\r\n\r\ndata_a\r\n_array_data.data\r\n;\r\n"
        b"--CIF-BINARY-FORMAT-SECTION--\r\nContent-Type: application/octet-stream;\r\n"
        b'     conversions="x-CBF_BYTE_OFFSET"\r\nContent-Transfer-Encoding: BASE64\r\n'
        b"X-Binary-Size: 8\r\n\r\nAAECAwQFBgc=\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"
    )
    with pytest.raises(FileFormatError, match="encoded as BASE64; BINARY can be read"):
        cbf.read_pixels(path)


@pytest.mark.parametrize("cosine", [0.0, 1e-12, 1e-4, 1e-3, -1e-3, 0.05])
def test_skewed_axes_keep_the_first_pixel(cosine: float, tmp_path: Path) -> None:
    """The corner of the first pixel is where the file says, whatever the angle of the axes."""
    geometry = read(tmp_path / "a.h5", lambda file: None)[0]
    slow = np.array([cosine, -np.sqrt(1.0 - cosine**2), 0.0])
    origin = np.array([-0.15, 0.14, -0.1])
    placed = replace(geometry, fast=np.array([1.0, 0.0, 0.0]), slow=slow, origin=origin)
    values = geometry_values("a.h5", placed)
    fast, along, normal = (
        np.array(values[f"{name}_vector"]) for name in ("fast", "slow", "normal")
    )
    corner = values["close_distance"] * normal - values["beam_x"] * fast - values["beam_y"] * along
    np.testing.assert_allclose(corner, TO_MOSFLM @ origin, rtol=0.0, atol=1e-12)
    # the beam along -z meets the panel where x = y = 0
    f, s, distance = beam_spot(np.stack([origin, placed.fast, slow]), np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(origin + f * placed.fast + s * slow, [0.0, 0.0, -0.1], atol=1e-12)
    assert distance == pytest.approx(0.1)
