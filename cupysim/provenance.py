"""Records of how an image was made: versions, digests, backend and devices."""

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
from cupysim.backends.rendered import MadeBy, Rendered
from cupysim.image_statistics import Statistics
from cupysim.native import sources

PACKAGES = ("numpy", "scipy", "h5py", "gemmi", "hdf5plugin")
"""Libraries that can affect a result; a record has their versions."""

KERNELS = (".cu", ".cuh", ".cpp")
"""Suffixes of the compiled kernels' source files."""

CHUNK = 2**20
"""Bytes of a file that are read at a time."""


def image_record(
    rendered: Rendered,
    expected: np.ndarray,
    counts: np.ndarray | None,
    statistics: Statistics,
) -> dict[str, Any]:
    """Record of one image: versions, backend, digests and statistics.

    Parameters
    ----------
    rendered : Rendered
        Result of the backend that computed the image.
    expected : ndarray of float32, shape (n_slow, n_fast)
        Expected photons.
    counts : ndarray of int32, shape (n_slow, n_fast), or None
        Counted photons.
    statistics : Statistics
        Statistics of the expected photons.

    Returns
    -------
    dict
        Record that `json.dump` can write.
    """
    made_by, culled = rendered.made_by, rendered.culled
    within = None
    if culled is not None:
        within = {
            "photons": float(culled.tolerances[0]),
            "brightest_bragg_pixel": None if culled.peaks is None else float(culled.peaks[0]),
            "share_of_terms": culled.share,
        }
    return {
        "cupysim": cupysim.__version__,
        "computed_by": {**vars(made_by), "devices": list(made_by.devices)},
        "tolerance": within,
        "versions": versions(made_by),
        "image": {
            "expected_photons": digest(expected),
            "counted_photons": None if counts is None else digest(counts),
            "statistics": vars(statistics),
        },
    }


def versions(made_by: MadeBy) -> dict[str, str]:
    """Versions of cupysim, its sources, Python, the system and the libraries a result uses."""
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
    """Digest of the sources of the package and of the kernels.

    It distinguishes versions of the sources that have the same version number.
    """
    found = hashlib.sha256()
    parts: list[Any] = sorted(Path(cupysim.__file__).parent.rglob("*.py"))
    kernels = [each for each in sources.folder().iterdir() if each.name.endswith(KERNELS)]
    for part in [*parts, *sorted(kernels, key=lambda each: each.name)]:
        found.update(part.name.encode() + b"\0" + part.read_bytes())
    return found.hexdigest()[:16]


def digest(array: np.ndarray) -> str:
    """SHA-256 of the numbers of an array, in row order and little-endian."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).hexdigest()


def file_record(path: os.PathLike[str] | str) -> dict[str, Any]:
    """Record of a file: its name, size and SHA-256.

    Parameters
    ----------
    path : path_like
        File to describe. A pipe is not read, because it can be read only once.

    Returns
    -------
    dict
        ``path``, ``bytes`` and ``sha256``. The last two are None for pipes and for files that no
        longer exist.
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
