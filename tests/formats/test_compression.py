"""Images in HDF5 files, compressed by our threads, against what HDF5 itself writes and reads."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from cupysim.formats.nexus import filters
from cupysim.formats.nexus.chunks import ImageSet

FILTERS: dict[str, dict[str, Any]] = {
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
}
OTHERS: dict[str, dict[str, Any]] = {
    "none": {},
    "gzip without shuffle": {"compression": "gzip"},
    "bitshuffle with zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "bitshuffle of other blocks": dict(hdf5plugin.Bitshuffle(nelems=1024, cname="lz4")),
    "lzf": {"compression": "lzf", "shuffle": True},
}
SHAPES = ((1, 1), (3, 5), (63, 65), (512, 512), (1031, 1027))
"""Below the eight numbers that Bitshuffle needs, within one part, whole parts, and a rest."""


def images(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(shape)
    return {
        "counts": rng.poisson(3.0, shape).astype(np.int32) - 1,
        "photons": rng.exponential(20.0, shape).astype(np.float32),
        "noise": rng.integers(0, 2**32, shape, dtype=np.uint32),
        "zeros": np.zeros(shape, dtype=np.uint32),
    }


def by_hdf5(path: Path, image: np.ndarray, keywords: dict[str, Any]) -> bytes:
    """The chunk that HDF5 makes of an image."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("d", data=image[None], chunks=(1, *image.shape), **keywords)
        return bytes(data.id.read_direct_chunk((0, 0, 0))[1])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["counts", "photons", "noise", "zeros"])
@pytest.mark.parametrize("name", FILTERS)
def test_chunks_are_those_of_hdf5(
    name: str,
    kind: str,
    shape: tuple[int, int],
    threads: int,
    tmp_path: Path,
) -> None:
    image = images(shape)[kind]
    with h5py.File(tmp_path / "ours.h5", "w") as file:
        stack = ImageSet(file, "d", (2, *shape), image.dtype.type, threads, FILTERS[name])
        stack.write(image, 1)
    with h5py.File(tmp_path / "ours.h5") as file:
        data = file["d"]
        np.testing.assert_array_equal(data[1], image)
        assert not data[0].any()
        assert data.chunks == (1, *shape)
        mask, chunk = data.id.read_direct_chunk((1, 0, 0))
    assert mask == 0
    if name == "bitshuffle":
        assert chunk == by_hdf5(tmp_path / "hdf5.h5", image, FILTERS[name])
    else:
        planes = image.reshape(-1).view(np.uint8).reshape(-1, image.itemsize).T
        assert zlib.decompress(chunk) == planes.tobytes()
        usual = zlib.compress(planes.tobytes(), 1)
        assert len(chunk) < 1.02 * len(usual) + 64


@pytest.mark.parametrize("keywords", OTHERS.values(), ids=OTHERS.keys())
def test_other_filters_are_left_to_hdf5(keywords: dict[str, Any], tmp_path: Path) -> None:
    image = images((63, 65))["counts"]
    with h5py.File(tmp_path / "ours.h5", "w") as file:
        ImageSet(file, "d", (1, 63, 65), np.int32, filters=keywords).write(image)
        ImageSet(file, "mask", (63, 65), np.uint32, filters=keywords).write(image > 3)
    with h5py.File(tmp_path / "ours.h5") as file:
        np.testing.assert_array_equal(file["d"][0], image)
        np.testing.assert_array_equal(file["mask"][()], image > 3)


def test_without_functions_of_the_plugin_hdf5_compresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "_bitshuffle", lambda: None)
    image = images((63, 65))["photons"]
    with h5py.File(tmp_path / "ours.h5", "w") as file:
        stack = ImageSet(file, "d", (1, 63, 65), np.float32, filters=FILTERS["bitshuffle"])
        stack.write(image)
        chunk = bytes(stack.data.id.read_direct_chunk((0, 0, 0))[1])
    assert chunk == by_hdf5(tmp_path / "hdf5.h5", image, FILTERS["bitshuffle"])


@pytest.mark.parametrize("name", FILTERS)
def test_pixels_of_another_type_and_order_are_converted(name: str, tmp_path: Path) -> None:
    image = np.asfortranarray(np.arange(63.0 * 65.0).reshape(63, 65))[::-1]
    with h5py.File(tmp_path / "ours.h5", "w") as file:
        ImageSet(file, "d", (1, 63, 65), np.int32, filters=FILTERS[name]).write(image)
    with h5py.File(tmp_path / "ours.h5") as file:
        np.testing.assert_array_equal(file["d"][0], image)
