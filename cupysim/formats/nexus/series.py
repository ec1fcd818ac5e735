"""NXmx files with many images, and master files that combine several of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

import cupysim
from cupysim.formats.nexus.chunks import ImageSet, stacked
from cupysim.formats.nexus.content import DetectorRecord
from cupysim.formats.nexus.filters import compression
from cupysim.formats.nexus.parallax import warn_of_missing_parallax
from cupysim.formats.nexus.stored_models import store
from cupysim.formats.nexus.tree import DATA, Frames, Tree
from cupysim.formats.pixels import with_gaps
from cupysim.models.experiment import Experiment

SHOTS = "/entry/cupysim_shots"
"""Group with the ground truth of each image."""

EXPECTED = f"{SHOTS}/expected_photons"


class Series:
    """Writer of an NXmx file with many images.

    Parameters
    ----------
    file : path_like or file-like
        New file: a name, or an object that HDF5 can write to.
    experiment : Experiment
        Experiment that all images share, as processing programs may know it.
    count : int
        Number of images.
    counted : bool
        Whether images are counted photons, not expected photons.
    expected : bool
        Keep expected photons in addition to counted photons.
    threads : int, optional
        Number of threads that compress; by default, one for each core.
    response : DetectorRecord, optional
        The response of the detector.
    """

    def __init__(
        self,
        file: Any,
        experiment: Experiment,
        count: int,
        counted: bool,
        expected: bool,
        threads: int | None = None,
        response: DetectorRecord | None = None,
    ) -> None:
        import h5py

        self.experiment, self.counted = experiment, counted
        self.rendered = experiment.rendered_pixels
        self._file = h5py.File(file, "w")
        self._threads = threads
        self._response = response
        shape = (count, *stacked(self.rendered).shape)
        kind = np.int32 if counted else np.float32
        self._images = ImageSet(self._file, DATA, shape, kind, threads)
        self._expected = (
            ImageSet(self._file, EXPECTED, shape, np.float32, threads) if expected else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, place: int, image: np.ndarray, expected: np.ndarray | None = None) -> None:
        """Write an image.

        Parameters
        ----------
        place : int
            Number of the image, counted from 0.
        image : ndarray, shape ([n_panels,] n_slow, n_fast)
            Counted photons, or expected photons if the series has no counts.
        expected : ndarray, shape of `image`, optional
            Expected photons, in addition to counted ones.
        """
        if self.counted:
            image = with_gaps(image, self.rendered)
        self._images.write(image, place)
        if self._expected is not None and expected is not None:
            self._expected.write(expected, place)

    def finish(
        self,
        title: str,
        frames: Frames,
        truth: Mapping[str, tuple[np.ndarray, str]],
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Write everything except the images.

        Parameters
        ----------
        title : str
            Title of the series.
        frames : Frames
            Values that change from image to image.
        truth : mapping of str to tuple of ndarray and str
            Ground truth of the images, along the first axis, with units.
        attributes : mapping of str to str, optional
            Attributes of the group with the ground truth.
        """
        tree = Tree(self._file, self.experiment, self.rendered, self.counted, frames, self._threads,
                    self._response)  # fmt: skip
        tree.write(title)
        ours = self._file.require_group(SHOTS)
        ours.attrs["NX_class"], ours.attrs["version"] = "NXcollection", cupysim.__version__
        for name, text in (attributes or {}).items():
            ours.attrs[name] = text
        store(ours.create_group("experiment"), self.experiment, **compression())
        for name, (values, unit) in truth.items():
            ours.create_dataset(name, data=values)
            if unit:
                ours[name].attrs["units"] = unit


@dataclass(frozen=True)
class Part:
    """One file of a series.

    Parameters
    ----------
    path : str
        Name of the file.
    count : int
        Number of images in it.
    """

    path: str
    count: int


def write_master(
    file: Any,
    folder: str,
    experiment: Experiment,
    parts: Sequence[Part],
    counted: bool,
    title: str,
    frames: Frames,
    response: DetectorRecord | None = None,
) -> None:
    """Write a master file: it shows the images of other files by virtual data sets.

    Parameters
    ----------
    file : path_like or file-like
        New file: a name, or an object that HDF5 can write to.
    folder : str
        Folder of the new file. The paths of the other files are relative to it.
    experiment : Experiment
        Experiment that all images share.
    parts : sequence of Part
        Files with the images, in order.
    counted : bool
        Whether images are counted photons, not expected photons.
    title : str
        Title of the series.
    frames : Frames
        Values that change from image to image.
    response : DetectorRecord, optional
        The response of the detector.
    """
    import h5py

    rendered = experiment.rendered_pixels
    with h5py.File(file, "w") as master:
        shape = stacked(rendered).shape
        total = sum(part.count for part in parts)
        kind = np.int32 if counted else np.float32
        layout = h5py.VirtualLayout((total, *shape), kind)
        first = 0
        for part in parts:
            name = os.path.relpath(part.path, folder)
            source = h5py.VirtualSource(name, DATA, (part.count, *shape), kind)
            layout[first : first + part.count] = source
            first += part.count
        master.create_virtual_dataset(DATA, layout, fillvalue=0)
        Tree(master, experiment, rendered, counted, frames, response=response).write(title)
    warn_of_missing_parallax(experiment)


def read_truth(file: Any) -> dict[str, np.ndarray]:
    """Read the ground truth of the images of a series.

    Parameters
    ----------
    file : h5py.File
        File that `Series` wrote.

    Returns
    -------
    dict of str to ndarray
        Ground truth by name, along the first axis.
    """
    return {
        name: item[()]
        for name, item in file[SHOTS].items()
        if hasattr(item, "shape") and f"{SHOTS}/{name}" != EXPECTED
    }


def read_units(file: Any) -> dict[str, str]:
    """Units of the ground truth of a series by name; empty for numbers without a unit.

    Parameters
    ----------
    file : h5py.File
        File that `Series` wrote.
    """
    return {name: str(file[SHOTS][name].attrs.get("units", "")) for name in read_truth(file)}
