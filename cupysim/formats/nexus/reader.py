"""Reader of NXmx files that cupysim wrote: the image and the experiment."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from cupysim.errors import FileFormatError, ModelError
from cupysim.formats.nexus.content import Content, DetectorRecord
from cupysim.formats.nexus.stored_models import restore
from cupysim.formats.nexus.tree import ENTRY, RESPONSE
from cupysim.formats.nexus.writer import OURS, RAW
from cupysim.models.experiment import Experiment
from cupysim.storage.reading import is_packed, opened

SPOT_FIELDS = {"h", "k", "l", "fast", "slow", "F", "photons"}
"""Fields that a table of spots must have."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"

FIRST_PLACE = 512
"""Smallest size (bytes) of a user block before the signature. Other sizes are this size times a
power of two."""


def is_hdf5(path: os.PathLike[str] | str) -> bool:
    """Whether a file is an HDF5 file, possibly with a user block before it.

    Raises
    ------
    FileFormatError
        If it cannot be read.
    """
    # only the first bytes of pipes and packed files are read
    is_plain = os.path.isfile(path) and not is_packed(path)
    size = os.path.getsize(path) if is_plain else 0
    place = 0
    with opened(path) as stream:
        while stream.read(len(SIGNATURE)) != SIGNATURE:
            place = max(2 * place, FIRST_PLACE)
            if place >= size:
                return False
            stream.seek(place)
    return True


@contextmanager
def hdf5_file(path: os.PathLike[str] | str) -> Iterator[Any]:
    """Open an HDF5 file for reading. Errors of h5py become a `FileFormatError`.

    Raises
    ------
    FileFormatError
        If it is not an HDF5 file, is damaged, or is incomplete.
    """
    import h5py

    with suppress(ImportError):
        import hdf5plugin  # noqa: F401  # lets h5py read what it compressed

    if is_packed(path):
        raise FileFormatError(
            path, "packed by gzip, which HDF5 cannot read; unpack it first (gunzip)"
        )
    if not is_hdf5(path):
        raise FileFormatError(path, "no HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (
        OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError, IndexError,
    ) as error:  # fmt: skip
        # an unexpected tree can raise any of these
        reason = str(error.args[0] if error.args else error).splitlines()[0]
        if "filter" in reason:
            reason += "; pip install 'cupysim[images]' brings common filters"
        raise FileFormatError(path, f"damaged or incomplete: {reason}") from error


def read(path: os.PathLike[str] | str) -> Content:
    """Read an image and its experiment.

    Parameters
    ----------
    path : path_like
        File that `write` made.

    Returns
    -------
    Content
        Content of the file.

    Raises
    ------
    FileFormatError
        If the file is damaged, or not written by cupysim.
    """
    with hdf5_file(path) as file:
        if OURS not in file:
            raise FileFormatError(path, "no file of cupysim: it has no group /entry/cupysim")
        ours = file[OURS]
        try:
            experiment = restore(ours["experiment"])
        except ModelError as error:
            raise FileFormatError(path, str(error)) from error
        if not isinstance(experiment, Experiment):
            raise FileFormatError(path, f"{OURS}/experiment is not an experiment")
        image = file[f"{ENTRY}/data/data"][0]
        expected, counts = image, None
        if "expected_photons" in ours:
            expected, counts = ours["expected_photons"][0], image
        size = experiment.image_shape
        expected = _of_panels(path, expected, size)
        counts = None if counts is None else _of_panels(path, counts, size)
        spots = ours["spots"][()] if "spots" in ours else None
        if spots is not None and (spots.ndim != 1 or not set(spots.dtype.names) >= SPOT_FIELDS):
            raise FileFormatError(path, f"{OURS}/spots is not a table of spots")
        provenance = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in ours.attrs.items()
            if name not in ("NX_class", "version")
        }
        record = ours["provenance"].asstr()[()] if "provenance" in ours else ""
        detector = _detector(file) if RESPONSE in file else None
        raw = _of_panels(path, file[RAW][0], size) if RAW in file else None
    return Content(experiment, expected, counts, spots, provenance, record, detector, raw)


def _detector(file: Any) -> DetectorRecord:
    """What a file says about the response of the detector."""
    group, own = file[f"{ENTRY}/instrument/detector"], file[RESPONSE]
    has_threshold = "threshold_energy" in group
    return DetectorRecord(
        name=str(own.attrs["name"]),
        text=own["parameters"].asstr()[()],
        duration=float(np.ravel(group["count_time"][()])[0]),
        photon_energy=float(own["photon_energy"][()]),
        saturation=float(group["saturation_value"][()]),
        underload=float(group["underload_value"][()]),
        bit_depth=int(group["bit_depth_readout"][()]),
        threshold_energy=float(group["threshold_energy"][()]) if has_threshold else None,
        rate_corrected=bool(group["countrate_correction_applied"][()]),
        gains=tuple(own["gain"][()].tolist()) if "gain" in own else (),
        pedestals=tuple(own["pedestal"][()].tolist()) if "pedestal" in own else (),
        shot={key: int(own.attrs[key]) for key in ("seed", "shot") if key in own.attrs},
    )


def _of_panels(path: object, image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The pixels of a file, where panels are below each other, in the shape of an image."""
    wanted = (math.prod(size[:-1]), size[-1])
    if image.shape != wanted:
        raise FileFormatError(path, f"the image has the shape {image.shape}, not {wanted}")
    return image.reshape(size)
