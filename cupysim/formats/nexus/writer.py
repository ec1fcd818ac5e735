"""Writer of an NXmx file with one image, its experiment and its ground truth."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np

import cupysim
from cupysim.formats.nexus.content import Content
from cupysim.formats.nexus.stored_models import store
from cupysim.formats.nexus.tree import DATA, Tree
from cupysim.formats.pixels import GAP

OURS = "/entry/cupysim"


def write(stream: BinaryIO, content: Content) -> None:
    """Write an image with its experiment, ground truth and provenance.

    Parameters
    ----------
    stream : binary stream
        Stream to write to, open for reading and writing.
    content : Content
        Image, experiment and ground truth to write.
    """
    import h5py

    with h5py.File(stream, "w") as file:
        tree = Tree(file, content.experiment, content.rendered, content.counts is not None)
        tree.write(str(content.provenance.get("arguments", "simulated image")))
        image = content.expected
        if content.counts is not None:
            image = np.where(content.rendered, content.counts, GAP).astype(np.int32)
        _add_image(tree, DATA, image)
        _add_ours(tree, content)


def _add_image(tree: Tree, path: str, image: np.ndarray) -> None:
    tree.file.create_dataset(path, data=image[None], chunks=(1, *image.shape), **tree.compression)


def _add_ours(tree: Tree, content: Content) -> None:
    experiment = content.experiment
    ours: Any = tree.group(OURS, "NXcollection")
    ours.attrs["version"] = cupysim.__version__
    for name, value in content.provenance.items():
        ours.attrs[name] = value
    if content.record:
        ours["provenance"] = content.record
    if content.counts is not None:
        _add_image(tree, f"{OURS}/expected_photons", content.expected)
    tree.number(f"{OURS}/a_matrix", experiment.lattice.reciprocal.T, "1/angstrom")
    ours["a_matrix"].attrs["columns"] = "a*, b*, c* in the laboratory, at spindle angle zero"
    tree.number(f"{OURS}/laboratory_to_nexus", tree.rotation, "")
    store(ours.create_group("experiment"), experiment, **tree.compression)
    if content.spots is not None:
        ours.create_dataset("spots", data=content.spots)
        ours["spots"].attrs["position"] = (
            "fast and slow in pixels from the outer corner of the first pixel, whose centre "
            "is at 0.5"
        )
