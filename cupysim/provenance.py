"""How an image was made: versions, digests, and what computed it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import cupysim
from cupysim.backends.rendered import MadeBy
from cupysim.image_statistics import Statistics
from cupysim.native import sources

PACKAGES = ("numpy", "scipy", "h5py", "gemmi", "hdf5plugin")
"""Libraries on whose versions a result may depend."""

KERNELS = (".cu", ".cuh", ".cpp")

CHUNK = 2**20
"""Bytes of a file which are read together."""


def image_record(
    made_by: MadeBy,
    expected: np.ndarray,
    counts: np.ndarray | None,
    statistics: Statistics,
) -> dict[str, Any]:
    """What is known of an image, however it came about.

    Parameters
    ----------
    made_by : MadeBy
        What computed it.
    expected : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    counts : ndarray of int32, shape (n_slow, n_fast), or None
        Photons counted.
    statistics : Statistics
        Of the expected photons.

    Returns
    -------
    dict
        For `json.dump`.
    """
    return {
        "cupysim": cupysim.__version__,
        "computed_by": {**vars(made_by), "devices": list(made_by.devices)},
        "versions": versions(made_by),
        "image": {
            "expected_photons": digest(expected),
            "counted_photons": None if counts is None else digest(counts),
            "statistics": vars(statistics),
        },
    }


def versions(made_by: MadeBy) -> dict[str, str]:
    """Versions of all that a result may depend on."""
    found = {
        "cupysim": cupysim.__version__,
        "sources": sources_digest(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if made_by.backend == "cuda":
        from cupysim.backends.compiled import cuda

        found |= cuda.versions()
    return found


@cache
def sources_digest() -> str:
    """Of the package and of the kernel's sources: tells versions with one number apart."""
    found = hashlib.sha256()
    parts: list[Any] = sorted(Path(cupysim.__file__).parent.rglob("*.py"))
    kernels = [each for each in sources.folder().iterdir() if each.name.endswith(KERNELS)]
    for part in [*parts, *sorted(kernels, key=lambda each: each.name)]:
        found.update(part.name.encode() + b"\0" + part.read_bytes())
    return found.hexdigest()[:16]


def digest(array: np.ndarray) -> str:
    """SHA-256 of the numbers of an array, row after row, little-endian."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).hexdigest()


def file_record(path: os.PathLike[str] | str) -> dict[str, Any]:
    """Name, size and SHA-256 of a file; no digest of what can be read but once.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    dict
        With ``path``, ``bytes`` and ``sha256``; the last two None for pipes and files which are
        gone.
    """
    record: dict[str, Any] = {"path": os.fspath(path), "bytes": None, "sha256": None}
    if not os.path.isfile(path):
        return record
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            found.update(chunk)
        record["bytes"] = stream.tell()
    record["sha256"] = found.hexdigest()
    return record
