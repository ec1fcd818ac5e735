"""Numbers of images that HDF5 files scale, and files with several entries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import cupysim
from cupysim.errors import FileFormatError
from cupysim.formats.any_image import open_image
from tests.field.nxmx_files import N_FAST, N_SLOW, dataset, group, text, write

NUMBERS = np.arange(2 * N_SLOW * N_FAST, dtype=np.int32).reshape(2, N_SLOW, N_FAST)
PER_PIXEL = np.linspace(0.5, 1.5, N_SLOW * N_FAST).reshape(N_SLOW, N_FAST)


def made(path: Path, where: str = "entry/data", images: Any = NUMBERS, **fields: Any) -> Path:
    write(path, images, omega=[0.0, 0.1])
    with h5py.File(path, "a") as file:
        for name, value in fields.items():
            dataset(file[where], name, value)
    return path


@pytest.mark.parametrize(
    ("fields", "offset", "factor"),
    [
        ({"data_scaling_factor": 0.1, "data_offset": -400}, -400.0, 0.1),
        ({"data_scaling_factor": [0.1], "data_offset": [[-400.0]]}, -400.0, 0.1),
        ({"data_scaling_factor": PER_PIXEL}, 0.0, PER_PIXEL),
        ({"data_offset": PER_PIXEL}, PER_PIXEL, 1.0),
        ({"data_offset": [[1.0], [5.0]]}, 5.0, 1.0),
        ({"data_scaling_factor": [0.5, 0.25]}, 0.0, 0.25),
        ({"data_scaling_factor": np.stack([PER_PIXEL, 2.0 * PER_PIXEL])}, 0.0, 2.0 * PER_PIXEL),
        ({"scaling_factor": 0.1, "offset": -3.0}, -3.0, 0.1),
    ],
)
@pytest.mark.parametrize("where", ["entry/data", "entry/instrument/detector"])
def test_the_values_of_an_image(
    where: str, fields: dict[str, Any], offset: Any, factor: Any, tmp_path: Path
) -> None:
    """NXmx: corrected = (data + offset) * scaling factor, here of the second image."""
    path = made(tmp_path / "a.h5", where, **fields)
    image = open_image(path, number=1)
    if where != "entry/data" and "offset" in fields:
        np.testing.assert_array_equal(image.pixels, NUMBERS[1])
        return
    np.testing.assert_allclose(image.pixels, (NUMBERS[1] + offset) * factor, rtol=1e-15)
    assert "stored number" in image.facts["scaling"]
    assert not image.masked.any()


def test_a_name_of_its_own(tmp_path: Path) -> None:
    path = made(tmp_path / "a.h5", photons_scaling_factor=0.5, data_scaling_factor=7.0)
    with h5py.File(path, "a") as file:
        file["entry/data"].move("data", "photons")
        file["entry/data"].attrs["signal"] = "photons"
    np.testing.assert_array_equal(open_image(path).pixels, 0.5 * NUMBERS[0])


def test_a_scale_of_one_changes_nothing(tmp_path: Path) -> None:
    image = open_image(made(tmp_path / "a.h5", data_scaling_factor=1.0, data_offset=0))
    assert image.pixels.dtype == np.int32
    assert "scaling" not in image.facts


def test_pixels_without_a_measurement_stay_masked(tmp_path: Path) -> None:
    images = NUMBERS.astype(np.uint32)
    images[0, 3, 4] = 2**32 - 1
    image = open_image(made(tmp_path / "a.h5", images=images, data_scaling_factor=0.1))
    assert image.masked[3, 4]
    assert image.masked.sum() == 1


def test_the_reader_for_python(tmp_path: Path) -> None:
    image = cupysim.read_image(made(tmp_path / "a.h5", data_scaling_factor=0.5))
    np.testing.assert_array_equal(image.pixels, 0.5 * NUMBERS[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data_scaling_factor": np.ones((3, 5))}, "has the unusual shape"),
        ({"data_scaling_factor": np.bytes_("ten")}, "is not a number"),
        ({"data_offset": np.nan}, "is not finite"),
    ],
)
def test_what_cannot_be_applied(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message):
        open_image(made(tmp_path / "a.h5", **fields))


def _moved(_: str, item: Any) -> None:
    """Let an axis depend on the one in /entry_mx."""

    def place(told: Any) -> Any:
        told = told.decode() if isinstance(told, bytes) else told
        return text(told.replace("/entry/", "/entry_mx/"))

    if "depends_on" in item.attrs:
        item.attrs["depends_on"] = place(item.attrs["depends_on"])
    if isinstance(item, h5py.Group) and "depends_on" in item:
        told = item["depends_on"][()]
        del item["depends_on"]
        item["depends_on"] = place(told)


def test_pixels_are_those_of_the_nxmx_entry(tmp_path: Path) -> None:
    path = made(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file.move("entry", "entry_mx")
        file["entry_mx"].visititems(_moved)
        other = group(file, "entry", "NXentry")
        other["definition"] = text("NXarchive")
        group(other, "data", "NXdata")["data"] = NUMBERS + 100_000
    image = open_image(path)
    np.testing.assert_array_equal(image.pixels, NUMBERS[0])
