"""Images in virtual data sets of HDF5 files, made by h5py: pixels of other files, or of none.

The content of each source is known, so each image is compared with it. Where a source lacks the
pixels, HDF5 gives zeros without an error, and cupysim must not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cupysim.errors import FileFormatError
from cupysim.formats import nxmx_image
from cupysim.formats.any_image import open_image
from cupysim.formats.virtual_images import find_sources
from cupysim.nanobragg import headers
from tests.field.nxmx_files import N_FAST, N_SLOW, write

SHAPE = (N_SLOW, N_FAST)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, because HDF5 looks for sources there too."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))


def source(path: Path, numbers: Sequence[int]) -> Path:
    """A file with images that are full of their numbers."""
    path.parent.mkdir(exist_ok=True)
    images = np.array(numbers, np.uint32)[:, np.newaxis, np.newaxis]
    with h5py.File(path, "w") as file:
        file["data"] = np.broadcast_to(images, (len(numbers), *SHAPE))
    return path


def frames(path: Path | str, n: int) -> Any:
    return h5py.VirtualSource(str(path), "data", (n, *SHAPE))


def virtual(path: Path, n: int, fill: Callable[[Any], None], mask: bool = True) -> Path:
    """An NXmx file of n virtual images; `fill` gives its layout the sources."""
    layout = h5py.VirtualLayout((n, *SHAPE), np.uint32)
    fill(layout)
    path.parent.mkdir(exist_ok=True)
    write(path, omega=[0.1 * each for each in range(n)], mask=mask)
    with h5py.File(path, "a") as file:
        del file["entry/data/data"]
        file["entry/data"].create_virtual_dataset("data", layout)
    return path


def numbers(path: Path, n: int) -> list[int]:
    """The number that fills each image."""
    images = [open_image(path, number=each) for each in range(n)]
    for image in images:
        assert len(np.unique(image.pixels)) == 1
        assert not image.masked.any()
    return [int(image.pixels[0, 0]) for image in images]


def refusal(path: Path, number: int) -> str:
    with pytest.raises(FileFormatError) as caught:
        open_image(path, number=number)
    return str(caught.value)


# which source has an image


@pytest.mark.parametrize("block", [1, 2])
def test_writers_in_turn(block: int, tmp_path: Path) -> None:
    n = 4 * block
    first = [each for each in range(n) if each // block % 2 == 0]
    second = [each for each in range(n) if each // block % 2 == 1]
    source(tmp_path / "a.h5", first)
    source(tmp_path / "b.h5", second)

    def fill(layout: Any) -> None:
        for start, name in ((0, "a.h5"), (block, "b.h5")):
            slab = h5py.MultiBlockSlice(start=start, count=2, stride=2 * block, block=block)
            layout[slab, :, :] = frames(name, 2 * block)

    path = virtual(tmp_path / "v.h5", n, fill)
    assert numbers(path, n) == list(range(n))
    (tmp_path / "b.h5").unlink()
    assert [int(open_image(path, number=each).pixels[0, 0]) for each in first] == first
    for each in second:
        assert f"image {each} is in a file that is missing: b.h5" in refusal(path, each)


def test_every_second_image_of_a_source(tmp_path: Path) -> None:
    source(tmp_path / "a.h5", [1, 2, 3, 4])

    def fill(layout: Any) -> None:
        layout[:] = frames("a.h5", 8)[::2]

    path = virtual(tmp_path / "v.h5", 4, fill)
    assert numbers(path, 2) == [1, 3]
    assert "image 2 is not in a.h5, which has 4 images" in refusal(path, 2)


def test_a_source_for_each_image(tmp_path: Path) -> None:
    for n in range(3):
        with h5py.File(tmp_path / f"{n}.h5", "w") as file:
            file["data"] = np.full(SHAPE, n + 1, np.uint32)

    def fill(layout: Any) -> None:
        for n in range(3):
            layout[n] = h5py.VirtualSource(f"{n}.h5", "data", SHAPE)

    assert numbers(virtual(tmp_path / "v.h5", 3, fill), 3) == [1, 2, 3]


def test_virtual_sources(tmp_path: Path) -> None:
    source(tmp_path / "a.h5", [1, 2, 3])
    middle = h5py.VirtualLayout((4, *SHAPE), np.uint32)
    middle[1:] = frames("a.h5", 3)
    with h5py.File(tmp_path / "middle.h5", "w") as file:
        file.create_virtual_dataset("data", middle)

    def fill(layout: Any) -> None:
        layout[:3] = frames("middle.h5", 4)[1:]

    path = virtual(tmp_path / "v.h5", 3, fill)
    assert numbers(path, 3) == [1, 2, 3]
    source(tmp_path / "a.h5", [1, 2])
    assert "image 2 is not in a.h5, which has 2 images" in refusal(path, 2)
    (tmp_path / "a.h5").unlink()
    assert "image 1 is in a file that is missing: a.h5" in refusal(path, 1)


def test_sources_in_the_file_itself(tmp_path: Path) -> None:
    def fill(layout: Any) -> None:
        layout[:2] = h5py.VirtualSource("v.h5", "raw", (2, *SHAPE))
        layout[2:] = h5py.VirtualSource(".", "raw", (2, *SHAPE))

    path = virtual(tmp_path / "v.h5", 4, fill)
    with h5py.File(path, "a") as file:
        file["raw"] = np.ones((2, *SHAPE), np.uint32)
        file["raw"][1] = 2
    assert numbers(path, 4) == [1, 2, 1, 2]


def test_random_parts(tmp_path: Path) -> None:
    """Regular selections, also of virtual sources, against slices of NumPy."""
    random = np.random.default_rng(7)
    for _ in range(40):
        n, held, first, step = (int(random.integers(1, most)) for most in (9, 12, 3, 4))
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["data"] = np.ones((held, 6, 8), np.uint16)
        whole = h5py.VirtualSource("a.h5", "data", (80, 6, 8))
        inner = h5py.VirtualLayout((20, 6, 8), np.uint16)
        inner[:, :, ::2] = whole[first : first + 20 * step : step, :, :4]
        outer = h5py.VirtualLayout((n, 6, 8), np.uint16)
        begin = int(random.integers(0, n))
        count = len(range(begin, n, 2))
        outer[begin::2, 1:] = h5py.VirtualSource(".", "inner", (20, 6, 8))[2 : 2 + count, :5]
        with h5py.File(tmp_path / "v.h5", "w") as file:
            file.create_virtual_dataset("inner", inner)
            stack = file.create_virtual_dataset("outer", outer)
            for number in range(n):
                expected = np.zeros((6, 8), bool)
                at = first + step * (2 + (number - begin) // 2)
                is_mapped = number >= begin and (number - begin) % 2 == 0
                expected[1:, ::2] = is_mapped and at < held
                found, lacking = find_sources("v.h5", stack, number)
                np.testing.assert_array_equal(found, expected)
                assert bool(lacking) == (not expected.any())


def unlimited(axis_length: int) -> Any:
    """The selection of all blocks of two images, however many there are."""
    space = h5py.h5s.create_simple((axis_length, 3, 5), (h5py.h5s.UNLIMITED, 3, 5))
    space.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (2, 1, 1), (2, 3, 5))
    return space


@pytest.mark.parametrize("name", ["a.h5", "a%b.h5"])
def test_series_without_an_end(name: str, tmp_path: Path) -> None:
    """Selections that grow with their source, and a file for each block."""
    block = h5py.h5s.create_simple((2, 3, 5))
    block.select_hyperslab((0, 0, 0), (2, 3, 5))
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    chosen = block if "%" in name else unlimited(2)
    layout.set_virtual(unlimited(2), name.encode(), b"data", chosen)
    for each in ("a.h5", "a0.h5", "a1.h5", "a2.h5"):
        with h5py.File(tmp_path / each, "w") as file:
            length = 6 if each == "a.h5" else 2
            file.create_dataset(
                "data", data=np.ones((length, 3, 5), np.uint32), maxshape=(None, 3, 5)
            )
    with h5py.File(tmp_path / "v.h5", "w") as file:
        h5py.h5d.create(file.id, b"v", h5py.h5t.NATIVE_UINT32, unlimited(2), layout)
    with h5py.File(tmp_path / "v.h5") as file:
        assert file["v"].shape[0] == 6
        for number in range(6):
            found, lacking = find_sources("v.h5", file["v"], number)
            assert found.all()
            assert not lacking


# images and pixels without a source


def test_an_image_without_a_source(tmp_path: Path) -> None:
    source(tmp_path / "a.h5", [5, 6])

    def fill(layout: Any) -> None:
        layout[:2] = frames("a.h5", 2)

    path = virtual(tmp_path / "v.h5", 3, fill)
    assert numbers(path, 2) == [5, 6]
    assert "image 2 is not in any source of its virtual data set" in refusal(path, 2)


@pytest.mark.parametrize("mask", [True, False])
def test_gaps_between_modules_are_not_measured(mask: bool, tmp_path: Path) -> None:
    source(tmp_path / "a.h5", [5])

    def fill(layout: Any) -> None:
        layout[:, :30] = frames("a.h5", 1)[:, :30]
        layout[:, 34:] = frames("a.h5", 1)[:, 34:]

    path = virtual(tmp_path / "v.h5", 1, fill, mask)
    expected = np.zeros(SHAPE, bool)
    expected[30:34] = True
    image = open_image(path)
    np.testing.assert_array_equal(image.masked, expected)
    assert set(image.pixels[~expected]) == {5}
    if not mask:
        np.testing.assert_array_equal(nxmx_image.read(path)[0], ~expected)


def test_sources_that_are_none(tmp_path: Path) -> None:
    def fill(layout: Any) -> None:
        layout[:] = frames("a.h5", 2)

    path = virtual(tmp_path / "v.h5", 2, fill)
    (tmp_path / "a.h5").write_text("nothing\n")
    assert "a.h5 is no HDF5 file" in refusal(path, 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("data")
    assert "image 0 is in a data set that a.h5 does not have: data" in refusal(path, 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = h5py.Empty("u4")
    assert "image 0 is in a data set that a.h5 does not have: data" in refusal(path, 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.ones((0, *SHAPE), np.uint32)
    assert "image 0 is not in a.h5, which has 0 images" in refusal(path, 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.uint32(1)
    assert "whose data has the unexpected shape ()" in refusal(path, 0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.ones((2, 5, 5), np.uint32)
    assert "whose data has the unexpected shape (2, 5, 5)" in refusal(path, 0)
    layout = h5py.VirtualLayout((2, *SHAPE), np.uint32)
    layout[:] = frames("a.h5", 2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    assert "the virtual data set /data is its own source" in refusal(path, 0)


@pytest.mark.parametrize("mask", [True, False])
def test_geometry_does_not_need_pixels(mask: bool, tmp_path: Path) -> None:
    def fill(layout: Any) -> None:
        layout[:] = frames("absent.h5", 2)

    path = str(virtual(tmp_path / "v.h5", 2, fill, mask))
    values: dict[str, Any] = {"pixel": 0.1e-3}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = headers.inherit(values, {"image_file": path, "image_number": 1}, False)
    assert found.exact == path
    assert np.degrees(values["phi"]) == pytest.approx(0.1)
    assert "images in files that are missing are left out: absent.h5" in str(told[0].message)


def test_virtual_masks_and_angles(tmp_path: Path) -> None:
    path = write(tmp_path / "v.h5", omega=[1.0, 1.1])
    mask = h5py.VirtualLayout(SHAPE, np.uint32)
    mask[...] = h5py.VirtualSource("a.h5", "mask", SHAPE)
    angles = h5py.VirtualLayout((2,), np.float64)
    angles[...] = h5py.VirtualSource("a.h5", "omega", (2,))
    with h5py.File(path, "a") as file:
        moved = file["entry/sample/transformations"]
        attributes = dict(moved["omega"].attrs)
        del moved["omega"], file["entry/instrument/detector/pixel_mask"]
        moved.create_virtual_dataset("omega", angles)
        moved["omega"].attrs.update(attributes)
        file["entry/instrument/detector"].create_virtual_dataset("pixel_mask", mask)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mask"] = np.eye(*SHAPE, dtype=np.uint32)
        file["omega"] = [1.0, 1.1]
    good, geometry = nxmx_image.read(path, 1)
    np.testing.assert_array_equal(good, np.eye(*SHAPE) == 0)
    assert np.degrees(geometry.phi) == pytest.approx(1.1)
    assert "missing" not in "; ".join(geometry.remarks)
    (tmp_path / "a.h5").unlink()
    with pytest.raises(FileFormatError, match=r"pixel_mask is in a file that is missing: a\.h5"):
        nxmx_image.read(path, 1)
    remarks = "; ".join(nxmx_image.read(path, 1, with_pixels=False)[1].remarks)
    assert "transformations/omega is in a file that is missing: a.h5; 0 is read there" in remarks


def test_virtual_texts_need_no_source(tmp_path: Path) -> None:
    """Times and other texts are not used, whether their sources are there or not."""
    path = write(tmp_path / "v.h5", omega=[1.0, 1.1])
    times = h5py.VirtualLayout((2,), "S20")
    times[...] = h5py.VirtualSource("a.h5", "times", (2,))
    with h5py.File(path, "a") as file:
        file["entry/sample"].create_virtual_dataset("times", times)
    assert np.degrees(nxmx_image.read(path, 1)[1].phi) == pytest.approx(1.1)


# where HDF5 looks for sources


def whole(name: str) -> Callable[[Any], None]:
    def fill(layout: Any) -> None:
        layout[:] = frames(name, 2)

    return fill


def test_absolute_names_of_another_computer(tmp_path: Path) -> None:
    source(tmp_path / "a.h5", [3, 4])
    path = virtual(tmp_path / "v.h5", 2, whole("/data/of/another/computer/a.h5"))
    assert numbers(path, 2) == [3, 4]


def test_absolute_names_that_exist(tmp_path: Path) -> None:
    source(tmp_path / "a.h5", [0, 0])
    there = source(tmp_path / "there" / "a.h5", [3, 4])
    assert numbers(virtual(tmp_path / "v.h5", 2, whole(str(there))), 2) == [3, 4]


def test_a_symbolic_link_to_the_file(tmp_path: Path) -> None:
    source(tmp_path / "real" / "a.h5", [3, 4])
    path = virtual(tmp_path / "real" / "v.h5", 2, whole("a.h5"))
    link = tmp_path / "linked" / "v.h5"
    link.parent.mkdir()
    link.symlink_to(path)
    assert numbers(link, 2) == [3, 4]
    # the folder of the link comes first
    source(tmp_path / "linked" / "a.h5", [5, 6])
    assert numbers(link, 2) == [5, 6]


@pytest.mark.parametrize("prefix", ["{0}/none:{0}/there", "${{ORIGIN}}/there"])
def test_folders_of_the_environment(prefix: str, tmp_path: Path) -> None:
    """HDF5 reads a part of the variable when it is loaded, so the test needs a new process."""
    source(tmp_path / "a.h5", [1, 1])
    source(tmp_path / "there" / "a.h5", [3, 4])
    path = virtual(tmp_path / "v.h5", 2, whole("/absent/a.h5"))
    found = subprocess.run(
        [sys.executable, "-m", "cupysim", "info", str(path), "--image", "1"],
        env={**os.environ, "HDF5_VDS_PREFIX": prefix.format(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert "from 4 to 4" in found.stdout


def test_names_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path / "here" / "a.h5", [3, 4])
    path = virtual(tmp_path / "v.h5", 2, whole("a.h5"))
    monkeypatch.chdir(tmp_path / "here")
    assert numbers(path, 2) == [3, 4]


# a block before the file


def test_a_block_of_the_user_before_the_file(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.h5", images=np.full((1, *SHAPE), 9, np.uint32))
    for size in (512, 2048):
        path = tmp_path / f"{size}.h5"
        with h5py.File(path, "w", userblock_size=size) as file, h5py.File(plain) as other:
            for name in other:
                other.copy(name, file)
        assert open_image(path).pixels.max() == 9
        values: dict[str, Any] = {"pixel": 0.1e-3}
        assert headers.inherit(values, {"image_file": str(path)}, False).exact == str(path)
