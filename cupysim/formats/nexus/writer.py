"""Writer of an NXmx file with one image, its experiment and its ground truth."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

import cupysim
from cupysim.formats.nexus.chunks import ImageSet, stacked
from cupysim.formats.nexus.content import Content
from cupysim.formats.nexus.filters import compression
from cupysim.formats.nexus.parallax import warn_of_missing_parallax
from cupysim.formats.nexus.stored_models import store
from cupysim.formats.nexus.tree import DATA, RESPONSE, Tree
from cupysim.formats.pixels import with_gaps

OURS = "/entry/cupysim"

RAW = f"{RESPONSE}/raw"
"""Numbers as a detector reads them out."""


def write(stream: BinaryIO, content: Content, threads: int | None = None) -> None:
    """Write an image with its experiment, ground truth and provenance.

    Parameters
    ----------
    stream : binary stream
        Stream to write to, open for reading and writing.
    content : Content
        Image, experiment and ground truth to write.
    threads : int, optional
        Number of threads that compress; by default, one for each core.
    """
    import h5py

    warn_of_missing_parallax(content.experiment)
    with h5py.File(stream, "w") as file:
        counts, measured = content.counts, content.measured
        counted = counts is not None and counts.dtype.kind == "i"
        tree = Tree(file, content.experiment, measured, counted, threads=threads,
                    response=content.detector)  # fmt: skip
        tree.write(str(content.provenance.get("arguments", "simulated image")))
        if counts is None:
            _add_image(tree, DATA, content.expected, np.float32)
        elif counted:
            _add_image(tree, DATA, with_gaps(counts, measured), np.int32)
        else:
            _add_image(tree, DATA, counts, np.float32)
        if content.raw is not None:
            _add_image(tree, RAW, content.raw, content.raw.dtype.type)
        _add_ours(tree, content)


def _add_image(tree: Tree, path: str, image: np.ndarray, kind: type[np.generic]) -> None:
    shape = (1, *stacked(image).shape)
    ImageSet(tree.file, path, shape, kind, tree.threads).write(image)


def _add_ours(tree: Tree, content: Content) -> None:
    experiment = content.experiment
    ours: Any = tree.group(OURS, "NXcollection")
    ours.attrs["version"] = cupysim.__version__
    for name, value in content.provenance.items():
        ours.attrs[name] = value
    if content.record:
        ours["provenance"] = content.record
    if content.counts is not None:
        _add_image(tree, f"{OURS}/expected_photons", content.expected, np.float32)
    tree.number(f"{OURS}/a_matrix", experiment.lattice.reciprocal.T, "1/angstrom")
    ours["a_matrix"].attrs["columns"] = "a*, b*, c* in the laboratory, at spindle angle zero"
    tree.number(f"{OURS}/laboratory_to_nexus", tree.rotation, "")
    store(ours.create_group("experiment"), experiment, **compression())
    if content.spots is not None:
        ours.create_dataset("spots", data=content.spots)
        ours["spots"].attrs["position"] = (
            "fast and slow in pixels from the outer corner of the first pixel, whose centre "
            "is at 0.5"
        )
